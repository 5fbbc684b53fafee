# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators of families. Each takes (family) and fills it; the random generator in it decides everything, so
that (seed, number) always gives the same family."""
import random

import corners
import records
from family import Family
from wire import is_below, lower

TEST = b"test"


def pick(rng, weights):
    return rng.choices(list(weights), weights=list(weights.values()))[0]


# ---- tiny zones -----------------------------------------------------------------------------------

ALPHABETS = ((b"a", b"*"), (b"a", b"b", b"*"), (b"a", b"b", b"c", b"*"), (b"a", b"*", b"A"))
TINY_TYPES = {"A": 10, "AAAA": 3, "TXT": 5, "CNAME": 7, "DNAME": 5, "NS": 7, "MX": 3, "SRV": 2, "DS": 2, "HTTPS": 2,
              "PTR": 1, "CAA": 1, "NAPTR": 1, "SVCB": 1, "TYPE65280": 1}


def short_name(rng, alphabet, origin, depth=3):
    return tuple(rng.choice(alphabet) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3)[:depth * 2 + 1]))) + origin


def any_target(family, alphabet):
    """A name in one of the zones of the family, mostly; near them at times."""
    rng = family.rng
    if rng.random() < 0.07:
        return (rng.choice(alphabet), b"elsewhere", b"example")
    names = list(family.names)
    if rng.random() < 0.35:
        return rng.choice(names)
    return short_name(rng, alphabet, rng.choice(family.zones).origin)


def fill(family, zone, alphabet, count, strict=0.93):
    """Random records of random types; mostly such that servers load them."""
    rng, single = family.rng, {}
    for _ in range(count):
        kind = pick(rng, TINY_TYPES)
        owner = short_name(rng, alphabet, zone.origin)
        if rng.random() < 0.3:
            owner = rng.choice([name for name in family.names if name[len(name) - len(zone.origin):] == zone.origin])
        there = single.setdefault(lower(owner), set(("SOA", "NS")) if owner == zone.origin else set())
        if rng.random() < strict and (
                ((there and kind == "CNAME") or "CNAME" in there) or (kind == "DNAME" and kind in there)
                or (kind == "DNAME" and "NS" in there and owner != zone.origin) or (kind == "NS" and "DNAME" in there)
                or (kind == "DS" and owner == zone.origin) or (kind == "NS" and owner[:1] == (b"*",))
                or (kind == "DNAME" and any(is_below(name, owner) and name != owner for name in single))
                or any("DNAME" in kinds and is_below(owner, name) and owner != name for name, kinds in single.items())):
            continue
        there.add(kind)
        records.add(family, zone, owner, kind, lambda: any_target(family, alphabet))


def tiny(family):
    rng = family.rng
    alphabet = rng.choice(ALPHABETS)
    zone = family.zone(family.tag, TEST)
    fill(family, zone, alphabet, rng.randrange(1, 9))


def tiny_pair(family):
    """Two or three zones beside or below each other; chains and delegations cross them."""
    rng = family.rng
    alphabet = rng.choice(ALPHABETS)
    first = family.zone(family.tag, TEST)
    if rng.random() < 0.6:
        family.zone(rng.choice(alphabet), *first.origin)
    if len(family.zones) == 1 or rng.random() < 0.4:
        family.zone(family.tag + "-2", TEST)
    if rng.random() < 0.3:
        below = family.zones[-1].origin
        family.zone(rng.choice((b"a", b"b")), *([b"a"] if rng.random() < 0.3 else []), *below)
    for zone in family.zones:
        fill(family, zone, alphabet, rng.randrange(1, 7))
    for zone in family.zones[1:]:
        if rng.random() < 0.6 and zone.origin[1:] == first.origin:
            records.add(family, first, zone.origin, "NS", lambda: any_target(family, alphabet))


def tiny_top(family):
    """A zone of one label."""
    zone = family.zone(family.tag)
    fill(family, zone, family.rng.choice(ALPHABETS), family.rng.randrange(1, 8))


def crowd(family):
    """More records over more names."""
    alphabet = (b"a", b"b", b"c", b"d", b"www", b"*", b"_tcp", b"_sip")
    zone = family.zone(family.tag, TEST)
    fill(family, zone, alphabet, family.rng.randrange(10, 40), strict=1)


KINDS = {
    tiny: 40, tiny_pair: 20, tiny_top: 3, crowd: 6,
    corners.wildcards: 5, corners.delegations: 5, corners.chains: 5, corners.dnames: 5, corners.lengths: 3, corners.octets: 3,
    corners.reverse: 2, corners.sizes: 4, corners.messy: 6, corners.mixture: 8, corners.syntax: 3, records.all_types: 4, records.pointers: 4,
}


def make(seed, number):
    """Family number of a seed."""
    rng = random.Random(f"{seed}/{number}")
    kind = pick(rng, KINDS)
    family = Family(rng, kind.__name__, f"z{number}")
    kind(family)
    return family


def root_family(seed, number):
    """The root zone with a few others: for a round of its own, since the root answers for every name."""
    rng = random.Random(f"{seed}/root/{number}")
    family = Family(rng, "root", f"r{number}")
    zone = family.zone()
    fill(family, zone, (b"a", b"b", b"*", TEST), rng.randrange(3, 12))
    for labels in ((TEST,), (b"a", TEST), (b"b",)):
        if rng.random() < 0.5:
            fill(family, family.zone(*labels), (b"a", b"b", b"*"), rng.randrange(1, 6))
    return family
