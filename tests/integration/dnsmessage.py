# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS messages, written and taken apart octet by octet: strict where a resolver is, free where a test must send
what no library would."""
import socket
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "LOC": 29,
         "SRV": 33, "NAPTR": 35, "DNAME": 39, "OPT": 41, "DS": 43, "SSHFP": 44, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48,
         "TLSA": 52, "SMIMEA": 53, "CDS": 59, "CDNSKEY": 60, "OPENPGPKEY": 61, "CSYNC": 62, "ZONEMD": 63, "SVCB": 64,
         "HTTPS": 65, "SPF": 99, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252, "MAILB": 253, "ANY": 255,
         "URI": 256, "CAA": 257}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "NOTIMPL": 4, "REFUSED": 5,
          "YXDOMAIN": 6, "BADVERS": 16, "BADCOOKIE": 23}
FLAGS = {"aa": 0x400, "tc": 0x200, "rd": 0x100, "ra": 0x80, "z": 0x40, "ad": 0x20, "cd": 0x10}
CLASSES = {"IN": 1, "CH": 3, "HS": 4, "NONE": 254, "ANY": 255}
NSID, ECS, COOKIE, KEEPALIVE, PADDING, EDE = 3, 8, 10, 11, 12, 15
QR = 0x8000


def number(word, table, prefix):
    """The number of A, TYPE1 or 1."""
    if isinstance(word, int):
        return word
    return table[word.upper()] if word.upper() in table else int(word.upper().removeprefix(prefix))


def labels_of(text):
    """The labels of a name in master file form, as octets."""
    labels, label, i = [], bytearray(), 0
    while i < len(text):
        if text[i] == "\\" and text[i + 1:i + 4].isdigit():
            label.append(int(text[i + 1:i + 4]))
            i += 3
        elif text[i] == "\\":
            i += 1
            label.append(ord(text[i]))
        elif text[i] == ".":
            if label:
                labels.append(bytes(label))
            label = bytearray()
        else:
            label += text[i].encode()
        i += 1
    return labels + ([bytes(label)] if label else [])


def wire_name(text):
    return b"".join(bytes([len(label)]) + label for label in labels_of(text)) + b"\0"


def name_text(labels):
    def octet(c):
        if not 0x21 <= c <= 0x7e:
            return f"\\{c:03}"
        return ("\\" if chr(c) in '."\\();@$' else "") + chr(c)
    return "".join("".join(map(octet, label)) + "." for label in labels) or "."


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def subnet(prefix):
    """An ECS option; the address is cut to the octets that its length needs and not masked."""
    address, _, source = prefix.partition("/")
    family = 2 if ":" in address else 1
    octets = socket.inet_pton(socket.AF_INET6 if family == 2 else socket.AF_INET, address)
    return option(ECS, struct.pack("!HBB", family, int(source), 0) + octets[:(int(source) + 7) // 8])


def opt(size=1232, options=b"", do=False, version=0, owner=b"\0", z=0):
    ttl = version << 16 | (0x8000 if do else 0) | z
    return owner + struct.pack("!HHIH", 41, size, ttl, len(options)) + options


def question(name, kind="A", klass="IN"):
    return wire_name(name) + struct.pack("!HH", number(kind, TYPES, "TYPE"), number(klass, CLASSES, "CLASS"))


def message(questions=b"", additional=b"", ident=0x5344, flags=0, counts=None):
    """counts: of the four sections; one question and one additional record where these are given."""
    counts = counts or (1 if questions else 0, 0, 0, 1 if additional else 0)
    return struct.pack("!HHHHHH", ident, flags, *counts) + questions + additional


class Record:
    def __init__(self, owner, kind, klass, ttl, data):
        self.owner, self.kind, self.klass, self.ttl, self.data = owner, kind, klass, ttl, data

    def __str__(self):
        return f"{self.owner} {self.ttl} {self.kind} {self.data}"


class Malformed(ValueError):
    pass


# RDATA as a row of fields: n name, 1 2 4 integers, s character strings to the end, S one, h hexadecimal to the
# end, t text to the end, L a word with its length, p the parameters of SVCB.
FIELDS = {"NS": "n", "CNAME": "n", "PTR": "n", "DNAME": "n", "MX": "2n", "SRV": "222n", "SOA": "nn44444", "TXT": "s",
          "SPF": "s", "HINFO": "SS", "DS": "211h", "CDS": "211h", "NAPTR": "22SSSn", "CAA": "1Lt", "SVCB": "2np",
          "HTTPS": "2np"}


class Reader:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, count):
        if len(self.octets) - self.at < count:
            raise Malformed(f"{count} octets at {self.at} are more than there are")
        self.at += count
        return self.octets[self.at - count:self.at]

    def integer(self, size):
        return int.from_bytes(self.take(size), "big")

    def name(self):
        labels, end, before = [], None, self.at
        while True:
            size = self.integer(1)
            if size >= 0xc0:
                target = (size & 0x3f) << 8 | self.integer(1)
                if not 12 <= target < before:
                    raise Malformed(f"a pointer from {self.at - 2} to {target}")
                end = end or self.at
                self.at = before = target
            elif size > 63:
                raise Malformed(f"a label of {size}")
            elif size:
                labels.append(self.take(size))
            else:
                break
        self.at = end or self.at
        if sum(map(len, labels)) + len(labels) > 254:
            raise Malformed("a name of more than 255 octets")
        return name_text(labels)

    def string(self):
        return '"' + "".join(name_text([bytes([c])])[:-1] if c in b'"\\' or not 0x20 <= c <= 0x7e else chr(c)
                             for c in self.take(self.integer(1))) + '"'

    def field(self, kind, end):
        if kind == "n":
            return self.name()
        if kind in "124":
            return str(self.integer(int(kind)))
        if kind == "S":
            return self.string()
        if kind == "L":
            return self.take(self.integer(1)).decode()
        if kind == "h":
            return self.take(end - self.at).hex().upper()
        if kind == "t":
            return '"' + self.take(end - self.at).decode() + '"'
        parts = []
        while self.at < end:
            parts.append(self.parameter() if kind == "p" else self.string())
        return " ".join(parts)

    def parameter(self):
        key, value = self.integer(2), Reader(self.take(self.integer(2)))
        if key != 1:
            return f"key{key}={value.octets.hex()}"
        words = []
        while value.at < len(value.octets):
            words.append(value.string()[1:-1])
        return "alpn=" + ",".join(words)

    def data(self, kind, size):
        end = self.at + size
        if kind == "A" and size == 4:
            text = socket.inet_ntop(socket.AF_INET, self.take(4))
        elif kind == "AAAA" and size == 16:
            text = socket.inet_ntop(socket.AF_INET6, self.take(16))
        elif kind in FIELDS:
            text = " ".join(self.field(field, end) for field in FIELDS[kind]).rstrip()
        else:
            text = f"\\# {size} {self.take(size).hex()}".rstrip()
        if self.at != end:
            raise Malformed(f"RDATA of {kind} ends at {self.at}, not at {end}")
        return text


class Message:
    """A whole message; anything that does not fit raises Malformed."""

    def __init__(self, octets):
        self.octets = octets
        r = Reader(octets)
        self.ident, self.bits = r.integer(2), r.integer(2)
        self.opcode, self.rcode = self.bits >> 11 & 15, self.bits & 15
        self.flags = {name for name, bit in FLAGS.items() if self.bits & bit}
        self.counts = [r.integer(2) for _ in range(4)]
        for _ in range(self.counts[0]):
            r.name()
            r.take(4)
        self.question = octets[12:r.at]
        self.opts = []
        self.answer, self.authority = ([self.record(r) for _ in range(count)] for count in self.counts[1:3])
        records = [self.record(r, with_opt=True) for _ in range(self.counts[3])]
        self.additional = [record for record in records if record]
        if r.at != len(octets):
            raise Malformed(f"{len(octets) - r.at} octets after the message")
        for size, ttl, _ in self.opts:
            self.size, self.version, self.do = size, ttl >> 16 & 255, bool(ttl & 0x8000)
            self.rcode |= ttl >> 24 << 4
        self.options = dict(self.opts[0][2]) if self.opts else {}

    def record(self, r, with_opt=False):
        owner = r.name()
        kind, klass, ttl, size = r.integer(2), r.integer(2), r.integer(4), r.integer(2)
        if kind == TYPES["OPT"] and owner == "." and with_opt:
            self.opts.append((klass, ttl, self.read_options(Reader(r.take(size)))))
            return None
        kind = TYPE_NAMES.get(kind, f"TYPE{kind}")
        return Record(owner, kind, klass, ttl, r.data(kind, size))

    @staticmethod
    def read_options(r):
        options = []
        while r.at < len(r.octets):
            code = r.integer(2)
            options.append((code, r.take(r.integer(2))))
        if len(options) != len(dict(options)):
            raise Malformed("an option twice")
        return options

    @property
    def truncated(self):
        return "tc" in self.flags

    @property
    def scope(self):
        return self.options[ECS][3] if ECS in self.options else None

    @property
    def ede(self):
        """(code, text) of the extended error, or None."""
        data = self.options.get(EDE)
        return data and (int.from_bytes(data[:2], "big"), data[2:].decode())

    def __str__(self):
        name = {value: key for key, value in RCODES.items()}.get(self.rcode, self.rcode)
        lines = [f"rcode {name}", "flags " + " ".join(sorted(self.flags))]
        for section in ("answer", "authority", "additional"):
            lines += [f"{section} {record}" for record in getattr(self, section)]
        return "\n  ".join(lines + [f"option {code} {data.hex()}" for code, data in self.options.items()])
