# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents and residual trees taken apart, shares and samples: what the model is made of."""
import functools
import ipaddress
from fractions import Fraction

from clients import COUNTRIES, last_of

NODES = ("endpoint", "pool", "answer", "weighted", "failover", "geo", "network", "nearest", "latency", "switch", "use")
ADDRESS_TYPES = ("A", "AAAA", "HTTPS", "SVCB")
TYPES_OF = {"address": ADDRESS_TYPES, "cname": ("CNAME",), "mx": ("MX",), "srv": ("SRV",), "txt": ("TXT",)}
SLOTS = 8192


NONE = ("list", Fraction(0), ())  # nobody's child, which is never available


class Doubt(Exception):
    """Two measures are so near each other that floating point decides."""


@functools.lru_cache(maxsize=10000)
def network_of(text):
    """(family, first, length) of a CIDR or an address; None for other words."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    return network.version, int(network.network_address), network.prefixlen


def kind_of(node):
    return next(kind for kind in NODES if kind in node)


def entries(node, kind):
    """The children of a ranked node as (child, site, bias)."""
    body = node[kind]
    among = body["among"] if isinstance(body, dict) else body
    return [(e["to"], e.get("site"), e.get("bias", 0)) if "to" in e else (e, None, 0) for e in among]


def plain(r, minimum):
    need = needed_of(minimum, len(children(r)))
    if r[0] == "list":
        members = tuple(child for child in r[2] if child != NONE)
        if need == 1 and not r[1]:
            members = tuple(dict.fromkeys(members))
        r = ("list", r[1] if len(members) > 1 else Fraction(0), members)
    else:
        r = ("weighted", tuple((w, child) for w, child in r[1] if child != NONE))
    if need > 1:
        return ("minimum", need, r)
    if len(children(r)) == 1:
        return children(r)[0]
    return r if children(r) else NONE


# ---- small things ---------------------------------------------------------------------------------

def listed(value):
    return value if isinstance(value, list) else [value]


def dotted(name):
    return name.lower().rstrip(".") + "."


def share_of(text):
    return Fraction(text.rstrip("%")) / 100 if isinstance(text, str) else Fraction(text)


def needed_of(minimum, count):
    """A percentage is rounded up."""
    if isinstance(minimum, str):
        return max(1, -(-count * Fraction(minimum.rstrip("%")) // 100))
    return minimum


def addresses_of(body, key):
    return [str(ipaddress.ip_address(text)) for text in listed(body.get(key, []))]


def members_of(pool):
    members = pool["endpoints"]
    members = members if isinstance(members, dict) else {name: 1 for name in members}
    return dict(sorted(members.items()))  # in order of name (docs/decisions/0140)


def checks_of(endpoint):
    """How many of which checks must pass; without any it is up."""
    checks = [endpoint["check"]] if "check" in endpoint else endpoint.get("checks", [])
    require = endpoint.get("require", "all")
    return min(len(checks), {"all": len(checks), "any": 1}.get(require, require)), checks


def initial_of(switch):
    return switch.get("initial", switch["positions"][0])


def country_point(at):
    return COUNTRIES[at.split("-")[1]][1]


def name_of(child, sites):
    for kind, key in (("endpoint", "endpoint"), ("pool", "pool"), ("use", "use")):
        if kind in child:
            return child[key]
    return sites[0]


def holds(network, client):
    family, first, length = network
    return client.family == family and first <= client.address <= last_of(family, first, length)


def children(r):
    return [child for _, child in r[1]] if r[0] == "weighted" else r[2]


def below(r):
    """All children, substitutes too."""
    kind = r[0]
    if kind == "minimum":
        return [r[2]]
    if kind == "otherwise":
        return [r[2]] + ([r[1]] if isinstance(r[1], tuple) else [])
    if kind == "fence":
        return [r[1]]
    if kind == "switch":
        return [child for _, child in r[2]]
    return children(r)


def first_tier(weighed):
    """Those with a weight; where there are none, those without, each as likely as the others."""
    positive = [(w, item) for w, item in weighed if w > 0]
    return positive or [(1, item) for _, item in weighed]


def mixture(parts):
    total, mixed = sum(w for w, _ in parts), {}
    for weight, part in parts:
        for outcome, share in part.items():
            mixed[outcome] = mixed.get(outcome, 0) + Fraction(weight) * share / total
    return mixed


def systematic(tier, count):
    """[(share, names)]: count of them, each with its share min(1, c w); all where there are no more."""
    if not tier:
        return []
    if len(tier) <= count:
        return [(Fraction(1), [e for _, e in tier])]
    certain, rest = [], list(tier)
    while True:
        left = count - len(certain)
        total = sum(w for w, _ in rest)
        over = [item for item in rest if Fraction(left * item[0], total) >= 1]
        if not over or not left:
            break
        certain += over
        rest = [item for item in rest if item not in over]
    inclusion = {e: Fraction(1) for _, e in certain}
    inclusion.update((e, Fraction(left * w, total)) for w, e in rest)
    # One u in [0,1), and a tick at u, u + 1, ...: who holds a tick is given.
    ends, at = [], Fraction(0)
    for _, e in tier:
        ends.append((at, at + inclusion[e], e))
        at += inclusion[e]
    cuts = sorted({end % 1 for _, end, _ in ends} | {Fraction(0)}) + [Fraction(1)]
    return [(b - a, [e for first, end, e in ends if any(first <= a + k < end for k in range(count))])
            for a, b in zip(cuts, cuts[1:])]


def service_text(priority, alpn, port, v4, v6):
    parts = [str(priority), "."]
    if alpn:
        parts.append("alpn=" + ",".join(alpn))
    if port is not None:
        parts.append(f"port={port}")
    if v4:
        parts.append("ipv4hint=" + ",".join(sorted(v4)))
    if v6:
        parts.append("ipv6hint=" + ",".join(sorted(v6)))
    return " ".join(parts)
