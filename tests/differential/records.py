# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of every type: by rule for the types that point somewhere, from a list for the others."""
from wire import fits

SAMPLES = {
    "HINFO": ['"PDP-11" "UNIX"', "x y"],
    "TXT": ['"one"', '"one" "two"', '""', '"' + "x" * 255 + '"', r'"\000\255\"\\"'],
    "SPF": ['"v=spf1 -all"'],
    "LOC": ["52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", "0 0 0 S 0 0 0 W 0m 1m 1m 1m"],
    "CAA": ['0 issue "ca.example"', '128 iodef "mailto:x@example.com"', '0 issuewild ";"'],
    "TLSA": ["3 1 1 0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6"],
    "SMIMEA": ["3 1 1 0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6"],
    "SSHFP": ["2 1 123456789abcdef67890123456789abcdef67890"],
    "URI": ['10 1 "https://example.com/"', '0 0 "x"'],
    "OPENPGPKEY": ["AQIDBA=="],
    "DS": ["60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118", "1 8 2 " + "ab" * 32],
    "CDS": ["60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118", "0 0 0 00"],
    "CDNSKEY": ["257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="],
    "DNSKEY": ["257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="],
    "CSYNC": ["66 3 A NS AAAA"],
    "CERT": ["1 0 0 AQIDBA=="],
    "DHCID": ["AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="],
    "APL": ["1:192.0.2.0/24 !2:2001:db8::/32"],
    "EUI48": ["00-00-5e-00-53-2a"],
    "EUI64": ["00-00-5e-ef-10-00-00-2a"],
    "NID": ["10 0014:4fff:ff20:ee64"],
    "L32": ["10 10.1.2.0"],
    "L64": ["10 2001:0db8:1140:1000"],
    "ZONEMD": ["1 1 1 " + "ab" * 48],
    "IPSECKEY": ["10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="],
    "TYPE65280": [r"\# 3 abcdef", r"\# 0"],
    "TYPE1234": [r"\# 4 0a000001"],
    "TYPE65534": [r"\# 300 " + "5a" * 300],
}
# Types whose data holds a name: what stands before it and after it.
POINTERS = {
    "NS": [("", "")], "CNAME": [("", "")], "DNAME": [("", "")], "PTR": [("", "")],
    "MX": [("10 ", ""), ("0 ", ""), ("20 ", "")],
    "SRV": [("0 5 5060 ", ""), ("1 0 80 ", "")],
    "NAPTR": [('100 10 "S" "SIP+D2U" "" ', ""), ('1 1 "A" "x" "" ', ""), ('1 1 "U" "x" "!^.*$!sip:x@example.com!" ', "")],
    "SVCB": [("0 ", ""), ("1 ", " port=8443"), ("2 ", "")],
    "HTTPS": [("0 ", ""), ("1 ", " alpn=h2,h3"), ("1 ", " ipv4hint=192.0.2.1")],
    "AFSDB": [("1 ", "")], "RT": [("10 ", "")], "KX": [("10 ", "")], "LP": [("10 ", "")],
    "MINFO": [("", " x.elsewhere.example.")],
    "RP": [("", " x.elsewhere.example.")],
}
ROOT_TARGET = {"SVCB": 0.5, "HTTPS": 0.5, "MX": 0.1, "SRV": 0.1, "NAPTR": 0.5}


def add(family, zone, owner, kind, target, ttl=None):
    """A record of the type. target() makes a name."""
    rng = family.rng
    if kind == "A":
        family.add(zone, owner, kind, family.a(), ttl)
    elif kind == "AAAA":
        family.add(zone, owner, kind, family.aaaa(), ttl)
    elif kind in POINTERS:
        before, after = rng.choice(POINTERS[kind])
        name = () if rng.random() < ROOT_TARGET.get(kind, 0) else target()
        if fits(name):
            family.point(zone, owner, kind, name, before, after, ttl)
    else:
        family.add(zone, owner, kind, rng.choice(SAMPLES[kind]), ttl)


def hosts(family, zone, labels):
    """Names with addresses, for what points at them."""
    names = []
    for label in labels:
        names.append((label,) + zone.origin)
        if family.rng.random() < 0.85:
            family.add(zone, names[-1], "A", family.a())
        if family.rng.random() < 0.5:
            family.add(zone, names[-1], "AAAA", family.aaaa())
    return names


def all_types(family):
    """Each type once or twice, at names of their own, at a wildcard and together."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    names = hosts(family, zone, (b"h1", b"h2")) + [(b"x", b"elsewhere", b"example")]
    kinds = [kind for kind in [*SAMPLES, *POINTERS] if kind not in ("CNAME", "DNAME", "NS", "DS")]
    for kind in rng.sample(kinds, 12):
        where = rng.choice(((kind.lower().encode(),), (b"all",), (b"*", b"wild")))
        for _ in range(rng.choice((1, 1, 2, 3))):
            add(family, zone, where + zone.origin, kind, lambda: rng.choice(names))
    family.note((b"q", b"wild") + zone.origin)


def pointers(family):
    """Types with additional data; targets with addresses, without, below cuts, at wildcards and aliases."""
    rng = family.rng
    zone = family.zone(family.tag, "test")
    other = family.zone(family.tag + "-2", "test") if rng.random() < 0.4 else zone
    names = hosts(family, zone, (b"h1", b"h2", b"h3")) + hosts(family, other, (b"far",))
    cut = (b"cut",) + zone.origin
    names += [(b"x", b"wild") + zone.origin, (b"alias",) + zone.origin, (b"h",) + cut, cut, (b"none",) + zone.origin,
              (b"x", b"elsewhere", b"example"), zone.origin]
    family.add(zone, (b"*", b"wild") + zone.origin, "A", family.a())
    family.point(zone, (b"alias",) + zone.origin, "CNAME", names[0])
    if rng.random() < 0.7:
        family.point(zone, cut, "NS", rng.choice(((b"h",) + cut, names[0])))
        family.add(zone, (b"h",) + cut, "A", family.a())
    for kind in rng.sample(["MX", "SRV", "NAPTR", "SVCB", "HTTPS", "AFSDB", "RT", "KX", "PTR", "LP"], 5):
        owner = rng.choice(((kind.lower().encode(),), (b"p",), (b"*", b"p"), ())) + zone.origin
        for _ in range(rng.choice((1, 1, 2, 3))):
            add(family, zone, owner, kind, lambda: rng.choice(names))
    family.note((b"q", b"p") + zone.origin)
