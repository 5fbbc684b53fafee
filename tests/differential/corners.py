# SPDX-License-Identifier: GPL-3.0-or-later
"""Families about one corner each, and mixtures of them."""
import records
from family import room_above
from wire import is_below, name_text

ELSEWHERE = (b"x", b"elsewhere", b"example")


def wildcards(family):
    """RFC 4592: wildcards beside and above existing names, below empty non-terminals, in the middle, at aliases."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    top = zone.origin
    base = rng.choice(((), (b"w",), (b"e", b"w"))) + top
    star = (b"*",) + base
    kind = rng.choice(("A", "CNAME", "TXT", "MX", "NS", "DNAME", "SRV"))
    records.add(family, zone, star, kind, lambda: rng.choice(((b"a",) + base, (b"t",) + top, (b"q", b"q") + base, ELSEWHERE)))
    if kind not in ("CNAME", "DNAME", "NS") and rng.random() < 0.5:
        records.add(family, zone, star, "AAAA", None)
    family.add(zone, (b"t",) + top, "A", family.a())
    choices = [((b"a",), "TXT"), ((b"b", b"a"), "A"), ((b"c", b"ent"), "A"), ((b"*", b"a"), "TXT"), ((b"a", b"*"), "A"),
               ((b"*", b"*"), "A"), ((b"b", b"*", b"d"), "TXT"), ((b"cut",), "NS"), ((b"d",), "DNAME"), ((b"al",), "CNAME")]
    for labels, kind in rng.sample(choices, rng.randrange(1, 6)):
        records.add(family, zone, labels + base, kind, lambda: rng.choice(((b"t",) + top, (b"q",) + base, ELSEWHERE)))
    for labels in ((b"q",), (b"q", b"q"), (b"q", b"a"), (b"q", b"ent"), (b"q", b"*"), (b"q", b"cut")):
        family.note(labels + base)


def delegations(family):
    """Cuts with glue in the child, beside it, missing, elsewhere; DS; data below the cut; the child served or not."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    top = zone.origin
    cut = rng.choice(((b"c",), (b"c", b"e"))) + top
    sibling = (b"s",) + top
    for target in rng.sample([(b"ns",) + cut, (b"ns2", b"deep") + cut, cut, (b"ns",) + sibling, (b"ns",) + top, ELSEWHERE],
                             rng.randrange(1, 4)):
        family.point(zone, cut, "NS", target)
        if target != ELSEWHERE and rng.random() < 0.8:
            family.add(zone, target, "A", family.a())
        if target != ELSEWHERE and rng.random() < 0.4:
            family.add(zone, target, "AAAA", family.aaaa())
    if rng.random() < 0.5:
        family.point(zone, sibling, "NS", rng.choice(((b"ns",) + sibling, (b"ns",) + cut)))
    if rng.random() < 0.5:
        records.add(family, zone, cut, "DS", None)
    for labels, kind in ((b"a",), "A"), ((b"*",), "A"), ((b"n",), "NS"), ((b"d",), "DNAME"), ((), "TXT"), ((b"al",), "CNAME"):
        if rng.random() < 0.25:
            records.add(family, zone, labels + cut, kind, lambda: (b"ns",) + cut)
    for kind in ("CNAME", "MX", "SRV", "DNAME"):
        if rng.random() < 0.4:
            records.add(family, zone, (b"to" + kind.lower().encode(),) + top, kind,
                        lambda: rng.choice(((b"h",) + cut, cut, (b"ns",) + cut)))
    if rng.random() < 0.4:
        child = family.zone(*cut)
        family.add(child, (b"a",) + cut, "A", family.a())
        if rng.random() < 0.5:
            family.point(child, (b"back",) + cut, "CNAME", (b"tocname",) + top)
    for labels in ((b"q",), (b"q", b"q"), (b"q", b"n"), (b"q", b"d")):
        family.note(labels + cut)
    for label in (b"q", b"todname"):
        family.note((b"q", label) + top)


def chains(family):
    """CNAMEs: long, looping, to nothing, across zones, through wildcards and DNAMEs, into a cut."""
    rng = family.rng
    zones = [family.zone(family.tag, "test")]
    if rng.random() < 0.5:
        zones.append(family.zone(family.tag + "-2", "test"))
    if rng.random() < 0.4:
        zones.append(family.zone("sub", *zones[0].origin))
    names = [(b"n%d" % i,) + rng.choice(zones).origin for i in range(rng.randrange(2, 14))]
    for here, there in zip(names, names[1:]):
        family.point(family.zone_of(here), here, "CNAME", there)
    last = names[-1]
    end = rng.choice(("A", "loop", "none", "nodata", "wild", "dname", "cut", "out", "apex", "self"))
    zone = family.zone_of(last)
    if end == "A":
        family.add(zone, last, "A", family.a())
    elif end in ("loop", "self", "out", "apex"):
        target = {"loop": rng.choice(names), "self": last, "out": ELSEWHERE, "apex": rng.choice(zones).origin}[end]
        family.point(zone, last, "CNAME", target)
    elif end == "nodata":
        family.add(zone, (b"x",) + last, "TXT", '"x"')
    elif end == "wild":
        family.point(zone, last, "CNAME", (b"q", b"w") + zone.origin)
        records.add(family, zone, (b"*", b"w") + zone.origin, rng.choice(("A", "CNAME", "TXT")), lambda: rng.choice(names))
    elif end == "dname":
        family.point(zone, last, "CNAME", (b"q", b"d") + zone.origin)
        family.point(zone, (b"d",) + zone.origin, "DNAME", rng.choice(zones).origin)
        family.add(zone, (b"q",) + zone.origin, "A", family.a())
    elif end == "cut":
        family.point(zone, last, "CNAME", (b"q", b"cut") + zone.origin)
        family.point(zone, (b"cut",) + zone.origin, "NS", (b"ns", b"cut") + zone.origin)
        family.add(zone, (b"ns", b"cut") + zone.origin, "A", family.a())


def dnames(family):
    """DNAME at the apex and below, chained, looping, over long names, with data beside it and below it."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    other = family.zone(family.tag + "-2", "test") if rng.random() < 0.5 else zone
    top = zone.origin
    owner = rng.choice(((), (b"d",), (b"d", b"e"))) + top
    target = rng.choice((other.origin if other is not zone else (b"t",) + top, (b"t",) + other.origin, (b"d2",) + top,
                         (b"x",) + owner, ELSEWHERE, (b"w",) + top, top, (b"y" * 60,) * 3 + top))
    hidden = rng.random() < 0.2  # data below a DNAME, which NSD and Knot do not load
    family.point(zone, owner, "DNAME", target)
    if owner != top or hidden:
        family.point(zone, (b"d2",) + top, "DNAME", rng.choice(((b"t",) + top, owner, (b"d2", b"d2") + top)))
    for place in ((b"t",) + top, target if family.zone_of(target) else other.origin):
        if hidden or not is_below(place, owner):
            family.add(family.zone_of(place), (b"a",) + place, "A", family.a())
    for labels, kind in ((), "TXT"), ((b"a",), "A"), ((b"*",), "A"), ((b"n",), "NS"), ((), "A"):
        if rng.random() < 0.3 and (hidden or not labels):
            records.add(family, zone, labels + owner, kind, lambda: (b"ns",) + top)
    if owner != top or hidden:
        family.point(zone, (b"al",) + top, "CNAME", (b"a",) + owner)
    if (owner != top or hidden) and rng.random() < 0.4:
        family.add(zone, (b"*", b"w") + top, "A", family.a())
    for labels in ((b"a",), (b"b", b"a"), (b"q",), (b"b" * 63, b"b" * 63), (b"*",), (b"a", b"n")):
        family.note(labels + owner)
        family.note(labels[:1] + (b"d2",) + top)


def labels_of(rng, octets):
    """Labels that take exactly so many octets on the wire."""
    labels = []
    while octets > 0:
        n = min(63, octets - 1)
        if octets - n - 1 == 1:
            n -= 1
        labels.append(bytes([rng.choice(b"abcxyz")]) * n)
        octets -= n + 1
    return tuple(labels)


def lengths(family):
    """Names of 253 to 255 octets, labels of 63, names of 127 labels; wildcards and DNAMEs that do not fit."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    top = zone.origin
    room = room_above(top)
    longest = labels_of(rng, room) + top
    records.add(family, zone, longest, rng.choice(("A", "TXT", "MX")), lambda: longest)
    family.add(zone, labels_of(rng, room - 2) + top, "A", family.a())
    family.add(zone, (b"*",) + longest[1:], "A", family.a())
    family.point(zone, (b"al",) + top, "CNAME", longest)
    family.add(zone, (b"a",) * (room // 2) + top, "A", family.a())
    family.point(zone, (b"d",) + top, "DNAME", labels_of(rng, room - rng.choice((2, 4, 10, 66))) + top)
    family.point(zone, (b"mx",) + top, "MX", longest, "1 ")
    for labels in ((b"q",), (b"q" * 8,), (b"q" * 9,), (b"q" * 63,), (b"q", b"q"), labels_of(rng, room - 2)):
        family.note(labels + (b"d",) + top)
    family.note((b"b",) * (room // 2) + top)
    family.note((b"q",) + longest[1:])


def octets(family):
    """Labels of any octets: dots, escapes, NUL, quotes, 8-bit, upper case."""
    rng = family.rng
    odd = [b"a.b", b"\0", b"\xff\0", b"\\", b"\"", b"a b", b"(;)", b"@", b"$TTL", b"\\000", b"MiXed", b"\xc0\x0c", b"*a", b"**", b"_"]
    origin = rng.choice((b"plain", b"o.rigin", b"\x01\xfe"))
    zone = family.zone(family.tag, origin, "test")
    names = [(label,) + zone.origin for label in rng.sample(odd, 5)]
    for i, name in enumerate(names):
        records.add(family, zone, name, rng.choice(("A", "TXT", "CNAME", "MX", "PTR") if i else ("A",)), lambda: names[0])
    family.add(zone, (rng.choice(odd), rng.choice(odd)) + zone.origin, "A", family.a())
    if rng.random() < 0.4:
        family.point(zone, (b"d\0",) + zone.origin, "DNAME", zone.origin)
        family.note(names[0][:1] + (b"D\0",) + zone.origin)
    family.note((b"a", b"b") + zone.origin)


def reverse(family):
    """in-addr.arpa and ip6.arpa; RFC 2317."""
    rng = family.rng
    number = family.tag[1:]
    if rng.random() < 0.3:
        zone = family.zone(number, "8.b.d.0.1.0.0.2".replace(".", ""), "ip6", "arpa")
        for _ in range(3):
            owner = tuple(b"%x" % rng.randrange(16) for _ in range(4)) + zone.origin
            family.point(zone, owner, "PTR", ELSEWHERE)
        return
    zone = family.zone(number, "10", "in-addr", "arpa")
    for i in rng.sample(range(256), 4):
        family.point(zone, (b"%d" % i,) + zone.origin, "PTR", rng.choice((ELSEWHERE, zone.origin)))
    part = (b"0/25",) + zone.origin
    family.point(zone, part, "NS", rng.choice((ELSEWHERE, (b"ns",) + part)))
    family.point(zone, (b"1",) + zone.origin, "CNAME", (b"1",) + part)
    if rng.random() < 0.5:
        child = family.zone(*part)
        family.point(child, (b"1",) + part, "PTR", ELSEWHERE)
    if rng.random() < 0.4:
        family.point(zone, (b"*", b"200") + zone.origin, "PTR", ELSEWHERE)


def sizes(family):
    """RRsets of all sizes around 512, 1232 and more octets."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    top = zone.origin
    for label, count in (b"s", rng.randrange(20, 40)), (b"m", rng.randrange(60, 90)), (b"l", rng.randrange(100, 900)):
        for _ in range(count):
            family.add(zone, (label,) + top, "A", family.a())
    for i in range(rng.randrange(1, 8)):
        family.add(zone, (b"t",) + top, "TXT", f'"{i}' + "x" * rng.randrange(100, 250) + '"')
    family.add(zone, (b"big",) + top, "TXT", " ".join(['"' + "y" * 255 + '"'] * rng.randrange(2, 60)))
    cut = (b"cut",) + top
    for i in range(rng.randrange(1, 40)):
        target = (b"ns%d" % i,) + rng.choice((cut, top, ELSEWHERE[1:]))
        family.point(zone, cut, "NS", target)
        if target[1:] != ELSEWHERE[1:]:
            family.add(zone, target, "A", family.a())
    for i in range(rng.randrange(1, 30)):
        family.point(zone, (b"mx",) + top, "MX", (b"h%d" % i,) + top, "10 ")
        family.add(zone, (b"h%d" % i,) + top, "A", family.a())
    family.point(zone, (b"al",) + top, "CNAME", (rng.choice((b"s", b"m", b"l")),) + top)
    family.note((b"q",) + cut)


def messy(family):
    """What servers may load or not: unequal TTLs, duplicates, out-of-zone data, several CNAMEs, no NS, no SOA."""
    rng = family.rng
    flaw = rng.choice(("ttl", "duplicate", "outside", "two cnames", "cname beside", "cname apex", "no ns", "no soa", "two soas",
                       "case", "dname below", "dname twice", "dname cname", "soa below", "ns cname", "ds apex", "ds alone",
                       "ds no cut", "wild ns", "wild dname", "same soa", "nothing", "dname ns"))
    zone = family.zone(family.tag, "test", soa=flaw != "no soa", ns=flaw not in ("no ns", "nothing"))
    top = zone.origin
    a, b = (b"a",) + top, (b"b",) + top
    if flaw != "nothing":
        family.add(zone, b, "A", family.a())
    if flaw == "ttl":
        for ttl in rng.sample((0, 1, 60, 300, 3600, 86400), 3):
            family.add(zone, a, "A", family.a(), ttl)
    elif flaw == "duplicate":
        for data in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.1"):
            family.add(zone, a, "A", data, rng.choice((None, 60)))
        for text in ("B", "b"):
            family.add(zone, a, "MX", f"10 {text}.{name_text(top)}")
    elif flaw == "outside":
        family.add(zone, (b"x", family.tag.encode() + b"-o", b"test"), "A", family.a())
        family.add(zone, top[1:], "TXT", '"x"')
    elif flaw == "two cnames":
        family.point(zone, a, "CNAME", b)
        family.point(zone, a, "CNAME", rng.choice((b, top)))
    elif flaw == "cname beside":
        for kind in rng.sample(("CNAME", rng.choice(("A", "TXT", "MX", "NS", "DS", "DNAME"))), 2):
            records.add(family, zone, a, kind, lambda: b)
    elif flaw == "cname apex":
        family.point(zone, top, "CNAME", b)
    elif flaw in ("two soas", "same soa"):
        line = next(line for line in zone.lines if " SOA " in line)
        zone.lines.append(line if flaw == "same soa" else line.replace(" 7200 ", " 7201 "))
    elif flaw == "case":
        family.add(zone, (b"A",) + top, "A", family.a())
        family.add(zone, (b"a",) + top, "A", family.a())
        family.add(zone, (b"a",) + (top[0].upper(), b"TEST"), "TXT", '"x"')
    elif flaw.startswith("dname"):
        family.point(zone, a, "DNAME", b)
        kind = {"dname below": "A", "dname twice": "DNAME", "dname cname": "CNAME", "dname ns": "NS"}[flaw]
        records.add(family, zone, ((b"x",) if flaw == "dname below" else ()) + a, kind,
                    lambda: rng.choice((top, b)))
    elif flaw == "soa below":
        family.add(zone, a, "SOA", "ns.elsewhere.example. h.elsewhere.example. 1 2 3 4 5")
    elif flaw == "ns cname":
        family.point(zone, top, "NS", a)
        family.point(zone, a, "CNAME", b)
        family.point(zone, (b"c",) + top, "NS", a)
    elif flaw.startswith("ds"):
        where = {"ds apex": top, "ds alone": a, "ds no cut": b}[flaw]
        records.add(family, zone, where, "DS", None)
    elif flaw.startswith("wild"):
        family.point(zone, (b"*",) + a, "NS" if flaw == "wild ns" else "DNAME", rng.choice((b, (b"ns",) + a)))
        family.add(zone, (b"ns",) + a, "A", family.a())
        family.note((b"q", b"q") + a)
    family.note((b"q",) + a)


def mixture(family):
    """Several corners over each other in one zone."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    top = zone.origin
    places = [(b"a",) + top, (b"*",) + top, (b"*", b"a") + top, (b"b", b"a") + top, (b"c", b"*") + top, (b"b",) + top]
    rng.shuffle(places)
    targets = places + [top, ELSEWHERE, (b"q", b"a") + top, (b"q",) + top, (b"q", b"q") + top]
    for kind in rng.sample(("CNAME", "DNAME", "NS", "A", "CNAME", "DNAME", "NS", "MX", "HTTPS"), rng.randrange(2, 6)):
        if places:
            records.add(family, zone, places.pop(), kind, lambda: rng.choice(targets))
    for labels in ((b"q",), (b"q", b"q"), (b"q", b"a"), (b"q", b"b", b"a"), (b"c", b"q"), (b"q", b"*")):
        family.note(labels + top)


def syntax(family):
    """The same kinds of records, written in the ways that master files allow."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    top = name_text(zone.origin)
    lines = [
        f"$ORIGIN {top}", "@ IN TXT at", "a 1h30m IN A 192.0.2.1", "a IN 5400 A 192.0.2.2", "\t\tA\t192.0.2.3", "  TXT \"of a\" ; remark",
        "b (\n  60 IN\n  A 192.0.2.4 )", "c TXT ( \"one\"\n \"two\" )", "d TYPE1 \\# 4 c0000205", "e TYPE65280 \\# 5 0102 03 ( 04\n05 )",
        "f MX 10 a", "F A 192.0.2.6", "\\103 TXT escaped", "h\\.i A 192.0.2.7", "j TXT a\\\"b \\;c", f"$ORIGIN sub.{top}", "k A 192.0.2.8", "@ A 192.0.2.9",
        f"l.sub.{top} A 192.0.2.10", f"$ORIGIN {top}", "$TTL 1d", "m A 192.0.2.11", "* CNAME a", "n AAAA ::ffff:192.0.2.1", "o TXT plain words",
        "p CAA 0 issue ca.example", "q TYPE5 \\# 3 016100", "s NS a", "s A 192.0.2.12", "t DNAME a", "u HTTPS 1 . key65333=x",
        "w LOC 1 N 1 E 1m", "y 2w A 192.0.2.13", "z 0 A 192.0.2.14",
        "@ HINFO PC \"a b\"", "aa SRV 0 0 0 .", "ab PTR @", "ac CNAME @",
    ]
    fixed = [line for line in lines if line.startswith("$ORIGIN") or rng.random() < 0.5]
    zone.lines += fixed
    zone.types |= {"A", "TXT", "MX", "CNAME", "HINFO", "TYPE65280", "CAA", "HTTPS"}
    for line in fixed:
        label = line.split()[0].encode()
        if not line.startswith(("$", "@", " ", "\t")) and b"\\" not in label and b"." not in label:
            family.note((label,) + zone.origin)
    for labels in ((b"g",), (b"h.i",), (b"sub",), (b"k", b"sub"), (b"l", b"sub")):
        family.note(labels + zone.origin)
