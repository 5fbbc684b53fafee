# SPDX-License-Identifier: GPL-3.0-or-later
"""Which questions a family is asked: names at, above, beside and below every owner, types that are there and
types that are not, headers and EDNS of all kinds."""
import random
import struct

from asking import Question
from wire import TYPES, fits, name_wire, type_number

COMMON = ("A", "AAAA", "NS", "TXT", "CNAME", "DNAME", "DS", "ANY", "MX", "SOA")
RARE = ("SRV", "HTTPS", "SVCB", "PTR", "NAPTR", "CAA", "TYPE65280", "TYPE1234", "DNSKEY", "CDS", "LOC", "HINFO", "SPF", "RRSIG",
        "NSEC", "NSEC3PARAM", "NULL", "URI", "TLSA")
META = ("AXFR", "IXFR", "MAILA", "MAILB", "TKEY", "TSIG", "OPT", "TYPE128", "TYPE0", "TYPE65535")
RD, CD, AD, Z, RA, TC, AA = 0x100, 0x10, 0x20, 0x40, 0x80, 0x200, 0x400
SIZES = (0, 0, 0, 1232, 1232, 512, 4096, 100, 700, 1000, 65535)


def names_of(family):
    """Every name of the family and what is around it."""
    names = {}
    for name in family.names:
        names[name] = True
        for label in (b"q", b"*", b"a"):
            names[(label,) + name] = True
            if name:
                names[(label,) + name[1:]] = True
        names[(b"q", b"a") + name] = True
        names[name[1:]] = True
    return [name for name in names if fits(name)]


def twist(rng, name):
    """0x20: some letters in the other case."""
    return tuple(bytes(c ^ 0x20 if chr(c).isalpha() and c < 128 and rng.random() < 0.5 else c for c in label) for label in name)


def edns_of(rng):
    fields = {"size": rng.choice(SIZES)}
    if fields["size"]:
        fields["do"] = rng.random() < 0.3
        if rng.random() < 0.2:
            fields["options"] = rng.choice((
                ((3, b""),), ((8, b"\0\1\x18\0\xc0\0\2"),), ((8, b"\0\2\x38\0\x20\1\x0d\xb8\0\0\0"),), ((8, b"\0\1\0\0"),),
                ((65001, b"abc"),), ((3, b""), (65001, b"")), ((12, b"\0" * 8),), ((11, b""),)))
    return fields


def plain(family, rng, count):
    """Questions about the family's names and types."""
    names = names_of(family)
    there = sorted(set().union(*(zone.types for zone in family.zones)))
    pairs = [(name, kind) for name in names for kind in dict.fromkeys(COMMON + tuple(there))]
    for name, kind in rng.sample(pairs, min(count, len(pairs))):
        if rng.random() < 0.04:
            kind = rng.choice(RARE)
        fields = edns_of(rng) if rng.random() < 0.3 else {}
        if rng.random() < 0.1:
            name = twist(rng, name)
        flags = rng.choice((RD, RD | CD, AD, CD, RD | AD)) if rng.random() < 0.15 else 0
        yield Question(name, type_number(kind), flags=flags, stream=rng.random() < 0.03, **fields)


def sized(family, rng):
    """Every size and transport for the large RRsets."""
    for label, kind in (b"s", "A"), (b"m", "A"), (b"l", "A"), (b"t", "TXT"), (b"big", "TXT"), (b"mx", "MX"), (b"al", "A"), (b"q", "A"):
        name = (label,) + ((b"cut",) if label == b"q" else ()) + family.zones[0].origin
        for size in rng.sample((0, 100, 512, 513, 600, 800, 1000, 1231, 1232, 1233, 4096, 65535), 4):
            yield Question(name, TYPES[kind], size=size)
        yield Question(name, TYPES[kind], stream=True, size=rng.choice((0, 512, 1232)))


def odd(family, rng):
    """Headers, opcodes, classes, versions, meta types and messages at the edge of being one."""
    name = rng.choice(names_of(family))
    kind = TYPES[rng.choice(COMMON)]
    body = name_wire(name) + struct.pack("!HH", kind, 1)

    def raw(flags=0, counts=(1, 0, 0, 0), rest=body, note=""):
        return Question(name, kind, raw=struct.pack("!5H", flags, *counts) + rest, note=note)

    def opt(size=1232, ttl=0, data=b"", owner=b"\0"):
        return owner + struct.pack("!HHIH", TYPES["OPT"], size, ttl, len(data)) + data

    record = b"\0" + struct.pack("!HHIH", 1, 1, 0, 4) + b"abcd"
    choices = [
        lambda: Question(name, type_number(rng.choice(META)), stream=rng.random() < 0.2),
        lambda: Question(name, kind, klass=rng.choice((3, 4, 255, 254, 2, 77, 0, 65535))),
        lambda: Question((rng.choice((b"id", b"version", b"hostname", b"q")), rng.choice((b"server", b"bind"))),
                         TYPES[rng.choice(("TXT", "TXT", "A", "ANY"))], klass=3),
        lambda: Question(name, kind, flags=rng.choice((Z, RA, TC, AA, AA | TC | RA | Z | AD | CD | RD, 0xF, RD | 0xA))),
        lambda: Question(name, kind, size=1232, version=rng.choice((1, 2, 255)), do=rng.random() < 0.5),
        lambda: Question(name, kind, size=1232, version=1, options=((3, b""),)),
        lambda: Question(name, kind, flags=rng.choice((1, 2, 3, 4, 5, 6, 9, 15)) << 11 | rng.choice((0, RD))),
        lambda: Question(name, kind, flags=rng.choice((4, 5, 2)) << 11, size=1232),
        lambda: raw(0x8000, note="QR set"),
        lambda: raw(counts=(0, 0, 0, 0), rest=b"", note="no question"),
        lambda: raw(counts=(0, 0, 0, 1), rest=opt(), note="no question, OPT"),
        lambda: raw(counts=(2, 0, 0, 0), rest=body + body, note="two questions"),
        lambda: raw(counts=(2, 0, 0, 0), note="two questions, one there"),
        lambda: raw(rest=body + b"\0", note="an octet behind the message"),
        lambda: raw(rest=body + opt(), note="an OPT that is not counted"),
        lambda: raw(counts=(1, 0, 0, 1), note="an additional record that is not there"),
        lambda: raw(counts=(1, 0, 0, 2), rest=body + opt() + opt(), note="two OPT"),
        lambda: raw(counts=(1, 0, 0, 1), rest=body + opt(owner=b"\1a\0"), note="OPT with an owner"),
        lambda: raw(counts=(1, 0, 0, 1), rest=body + opt(data=b"\0\x08\0\x08"), note="an option beyond OPT"),
        lambda: raw(counts=(1, 0, 0, 1), rest=body + opt(ttl=0x00FF7FFF), note="version 255, Z bits"),
        lambda: raw(counts=(1, 0, 0, 1), rest=body + opt(ttl=0x00007FFF), note="EDNS Z bits"),
        lambda: raw(counts=(1, 0, 0, 1), rest=body + opt(ttl=0x05000000), note="an extended rcode in the query"),
        lambda: raw(counts=(1, 0, 0, 1), rest=body + opt()[:-1], note="OPT cut short"),
        lambda: raw(counts=(1, 1, 0, 0), rest=body + record, note="an answer in the query"),
        lambda: raw(counts=(1, 0, 1, 0), rest=body + record, note="an authority record in the query"),
        lambda: raw(counts=(1, 0, 0, 2), rest=body + record + opt(), note="a record and OPT"),
        lambda: raw(counts=(1, 0, 0, 1), rest=body + record, note="an additional record"),
        lambda: raw(rest=body[:-1], note="the question cut short"),
        lambda: raw(rest=body[:rng.randrange(len(body))], note="the question cut short"),
        lambda: raw(rest=b"\xc0\x0c" + body[-4:], note="a name that points at itself"),
        lambda: raw(rest=b"\xc0\x00" + body[-4:], note="a name that points at the header"),
        lambda: raw(rest=b"\x41" + b"a" * 65 + body, note="a label of 65 octets"),
        lambda: raw(rest=(b"\x3f" + b"a" * 63) * 4 + body[-5:], note="a name of 257 octets"),
    ]
    return rng.choice(choices)()


def of_family(family, seed, number, count):
    """The questions of one family, always the same for a seed."""
    rng = random.Random(f"{seed}/{number}/questions")
    found = list(plain(family, rng, count))
    if family.kind == "sizes":
        found += sized(family, rng)
    if rng.random() < 0.3:
        found += [odd(family, rng) for _ in range(3)]
    return found
