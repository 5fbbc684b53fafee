# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, types and messages. A name is a tuple of labels (bytes), without the root's."""
import struct

TYPES = {
    "A": 1, "NS": 2, "MD": 3, "MF": 4, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "NULL": 10, "PTR": 12,
    "HINFO": 13, "MINFO": 14, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "RT": 21, "KEY": 25, "AAAA": 28, "LOC": 29,
    "SRV": 33, "NAPTR": 35, "KX": 36, "CERT": 37, "DNAME": 39, "OPT": 41, "APL": 42, "DS": 43, "SSHFP": 44,
    "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52,
    "SMIMEA": 53, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": 64, "HTTPS": 65,
    "SPF": 99, "NID": 104, "L32": 105, "L64": 106, "LP": 107, "EUI48": 108, "EUI64": 109, "TKEY": 249, "TSIG": 250,
    "IXFR": 251, "AXFR": 252, "MAILB": 253, "MAILA": 254, "ANY": 255, "URI": 256, "CAA": 257,
}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 9: "NOTAUTH",
          16: "BADVERS"}
PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*")
# Octets before the first name in the RDATA and how many names: those whose case does not count, and which
# some server may compress.
RDATA_NAMES = {2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 6: (0, 2), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1), 14: (0, 2),
               15: (2, 1), 17: (0, 2), 18: (2, 1), 21: (2, 1), 33: (6, 1), 36: (2, 1), 39: (0, 1), 64: (2, 1), 65: (2, 1),
               107: (2, 1)}


class Malformed(Exception):
    """The octets are no DNS message."""


# ---- names ----------------------------------------------------------------------------------------

def label_text(label):
    return "".join(chr(c) if c in PLAIN else f"\\{c:03d}" for c in label)


def name_text(name):
    return "".join(label_text(label) + "." for label in name) or "."


def parse_name(text):
    """The inverse of name_text; also of what people type."""
    labels, label, i = [], bytearray(), 0
    while i < len(text):
        c = text[i]
        if c == "\\" and text[i + 1:i + 4].isdigit():
            label.append(int(text[i + 1:i + 4]))
            i += 4
        elif c == "\\":
            label.append(ord(text[i + 1]))
            i += 2
        elif c == ".":
            if label:
                labels.append(bytes(label))
            label = bytearray()
            i += 1
        else:
            label.append(ord(c))
            i += 1
    return tuple(labels + ([bytes(label)] if label else []))


def name_wire(name):
    return b"".join(bytes([len(label)]) + label for label in name) + b"\0"


def fits(name):
    return len(name_wire(name)) <= 255 and all(0 < len(label) <= 63 for label in name)


def is_below(name, origin):
    """At the origin or below it."""
    return len(name) >= len(origin) and lower(name[len(name) - len(origin):]) == lower(origin)


def lower(name):
    return tuple(label.lower() for label in name)


def type_number(text):
    return TYPES[text] if text in TYPES else int(text.removeprefix("TYPE"))


def type_text(number):
    return TYPE_NAMES.get(number, f"TYPE{number}")


# ---- messages -------------------------------------------------------------------------------------

class Message:
    """A response taken apart. Sections are lists of (owner, type, class, ttl, rdata): names in them are
    lower-case and not compressed; OPT stands apart."""

    def __init__(self, octets):
        self.octets = octets
        self.opt = None
        try:
            self.ident, self.flags, *counts = struct.unpack_from("!6H", octets)
            at = 12
            for _ in range(counts[0]):
                at = self.name_at(at)[1] + 4
            self.question = octets[12:at]
            self.answer, at = self.section(at, counts[1])
            self.authority, at = self.section(at, counts[2])
            self.additional, at = self.section(at, counts[3])
        except (IndexError, struct.error) as why:
            raise Malformed(str(why)) from why
        if at != len(octets):
            raise Malformed(f"{len(octets) - at} octets after the message")
        for rr in [rr for rr in self.additional if rr[1] == TYPES["OPT"]]:
            self.additional.remove(rr)
            self.opt = {"size": rr[2], "rcode": rr[3] >> 24, "version": rr[3] >> 16 & 255, "do": bool(rr[3] & 0x8000),
                        "options": self.options(rr[4])}

    @property
    def rcode(self):
        return (self.flags & 15) | ((self.opt or {"rcode": 0})["rcode"] << 4)

    def flag(self, bit):
        return bool(self.flags & bit)

    def name_at(self, at):
        """(lower-case wire form, offset behind it)."""
        out, end, octets = bytearray(), None, self.octets
        while octets[at]:
            n = octets[at]
            if n >= 0xC0:
                target = (n & 0x3F) << 8 | octets[at + 1]
                end = end if end is not None else at + 2
                if target >= at:
                    raise Malformed("a pointer that does not go back")
                at = target
                continue
            if n > 63 or at + n >= len(octets):
                raise Malformed("a bad label")
            out += octets[at:at + n + 1].lower() if n < 65 else b""
            at += n + 1
        if len(out) > 254:
            raise Malformed("a name of more than 255 octets")
        return bytes(out) + b"\0", at + 1 if end is None else end

    def section(self, at, count):
        rrs = []
        for _ in range(count):
            owner, at = self.name_at(at)
            kind, klass, ttl, length = struct.unpack_from("!HHIH", self.octets, at)
            at += 10
            if at + length > len(self.octets):
                raise Malformed("RDATA beyond the end")
            rrs.append((owner, kind, klass, ttl, self.rdata(kind, at, at + length)))
            at += length
        return rrs, at

    def rdata(self, kind, at, end):
        octets = self.octets
        before, names = RDATA_NAMES.get(kind, (None, 0))
        start = at
        if kind == TYPES["NAPTR"]:
            at += 4
            for _ in range(3):
                at += 1 + octets[at]
            before, names = at - start, 1
        if not names or at == end:
            return octets[start:end]
        out, at = octets[start:start + before], start + before
        for _ in range(names):
            name, at = self.name_at(at)
            out += name
        if at > end:
            raise Malformed("a name beyond its RDATA")
        return out + octets[at:end]

    @staticmethod
    def options(data):
        found = []
        while data:
            code, length = struct.unpack_from("!HH", data)
            found.append((code, data[4:4 + length]))
            data = data[4 + length:]
        return found


def wire_text(wire):
    labels, at = [], 0
    while wire[at]:
        labels.append(wire[at + 1:at + 1 + wire[at]])
        at += 1 + wire[at]
    return name_text(tuple(labels))


def rdata_text(kind, rdata):
    try:
        if kind == 1:
            return ".".join(map(str, rdata))
        if kind in RDATA_NAMES:
            before, names = RDATA_NAMES[kind]
            out, at = [rdata[:before].hex()] if before else [], before
            for _ in range(names):
                out.append(wire_text(rdata[at:]))
                at += len(name_wire(parse_name(out[-1])))
            return " ".join(out + ([rdata[at:].hex()] if rdata[at:] else []))
    except (IndexError, ValueError):
        pass
    return f"\\# {len(rdata)} {rdata.hex() if len(rdata) < 60 else rdata[:60].hex() + '...'}"


def rr_text(rr):
    owner, kind, klass, ttl, rdata = rr
    return f"{wire_text(owner)} {ttl} {'' if klass == 1 else f'CLASS{klass} '}{type_text(kind)} {rdata_text(kind, rdata)}"


def message_text(message):
    """For a person: a few lines."""
    flags = " ".join(name for bit, name in ((0x400, "aa"), (0x200, "tc"), (0x100, "rd"), (0x80, "ra"), (0x40, "z"),
                                            (0x20, "ad"), (0x10, "cd")) if message.flag(bit))
    out = [f"{RCODES.get(message.rcode, message.rcode)} [{flags}] {len(message.octets)} octets"]
    for title in ("answer", "authority", "additional"):
        out += [f"  {title:10} {rr_text(rr)}" for rr in getattr(message, title)]
    if message.opt:
        opt = message.opt
        out.append(f"  OPT        size {opt['size']} version {opt['version']}{' do' if opt['do'] else ''} " +
                   " ".join(f"{code}:{data.hex()}" for code, data in opt["options"]))
    return "\n".join(out)
