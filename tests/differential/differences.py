# SPDX-License-Identifier: GPL-3.0-or-later
"""What steerd means to do otherwise than its peers; docs/dns-differences.md says why for people."""
from wire import TYPES

TABLE = []


def difference(name):
    def enter(rule):
        TABLE.append((name, rule))
        return rule
    return enter


def answer_of(view):
    return view.message.answer if view.message else []


def leads_to(rr):
    return rr[4] if rr[1] == TYPES["CNAME"] else None


@difference("minimal-any")
def minimal_any(case, aspect):
    """RFC 8482: of several RRsets at the name one is given, as a whole."""
    if case.question.kind != TYPES["ANY"] or aspect not in ("answer", "alone", "tc", "additional missing"):
        return False
    given = set(answer_of(case.own))
    return any(given <= set(answer_of(view)) for view in case.everyone) and \
        len({rr[1] for rr in given} - {TYPES["CNAME"], TYPES["DNAME"]}) <= 1


@difference("across-zones")
def across_zones(case, aspect):
    """A chain is followed into every zone served here, for DS out of the child into the parent too; Knot and BIND
    stop at the border of the zone."""
    given = answer_of(case.own)
    parent = case.question.kind == TYPES["DS"] and any(leads_to(rr) == case.zone_of(leads_to(rr)) for rr in given if leads_to(rr))
    crosses = parent or any(leads_to(rr) and case.zone_of(rr[0]) != case.zone_of(leads_to(rr)) is not None for rr in given)
    return crosses and aspect in ("rcode", "answer", "authority", "alone", "order", "additional missing", "tc")


@difference("chain-so-far")
def chain_so_far(case, aspect):
    """A chain that loops or grows ends in a normal reply after at most 17 names, where each peer has a limit of its
    own or SERVFAIL."""
    given = answer_of(case.own)
    links = [rr for rr in given if leads_to(rr)]
    owners = {rr[0] for rr in links}
    grows = any(rr[1] == TYPES["DNAME"] and rr[4].endswith(rr[0]) for rr in given)
    loops = bool(links) and (links[-1][4] in owners or len(links) > 16 or grows and case.own.message.flag(0x200))
    return loops and aspect in ("rcode", "answer", "alone", "authority", "tc", "order")


@difference("meta-types")
def meta_types(case, aspect):
    """Types that no data has (OPT, 128 to 254) are refused, as BIND does with other codes, not looked up; so
    are transfers, which are not offered, over UDP with the same code as over TCP."""
    kind = case.question.kind
    return (kind == TYPES["OPT"] or 128 <= kind < 255) and case.own.message is not None and \
        case.own.message.rcode in (5, 9)


@difference("opt-in-formerr")
def opt_in_formerr(case, aspect):
    """RFC 6891 7: FORMERR for a bad EDNS option MUST carry an OPT record."""
    return aspect == "opt" and case.own.message is not None and case.own.message.rcode == 1


@difference("opcodes")
def opcodes(case, aspect):
    """NOTIFY and UPDATE are not implemented; peers check whether they are allowed first."""
    return case.own.message is not None and case.own.message.rcode == 4


@difference("classes")
def classes(case, aspect):
    """Only IN and CH are served; peers answer class ANY in different ways."""
    return case.question.klass not in (1, 3) and case.own.message is not None and case.own.message.rcode == 5


@difference("lowest-ttl")
def lowest_ttl(case, aspect):
    """Of unequal TTLs in an RRset the lowest holds for all; BIND takes the first, Knot the last, NSD and PowerDNS
    give each record its own."""
    def bare(view):
        return {(rr[0], rr[1], rr[4]) for rr in answer_of(view)}

    ttls = {rr[:2] + rr[4:]: rr[3] for rr in answer_of(case.own)}
    return aspect in ("answer", "alone", "additional missing") and any(
        bare(view) == bare(case.own) and all(ttls[rr[:2] + rr[4:]] <= rr[3] for rr in answer_of(view))
        for view in case.everyone)


@difference("compression")
def compression(case, aspect):
    """Whether a reply fits depends on how its names are compressed; below a long DNAME no two servers do it alike."""
    own, peers = case.own.message, [view.message for view in case.core if view.message]
    return own is not None and aspect in ("tc", "answer", "authority", "rcode", "alone", "additional missing") and \
        any(rr[1] == TYPES["DNAME"] and len(rr[4]) > 60 for m in [own, *peers] for rr in m.answer) and \
        any(m.flag(0x200) for m in [own, *peers])


@difference("subnet-echo")
def subnet_echo(case, aspect):
    """A client subnet is given back, which takes up to 24 octets that a peer without ECS has for records."""
    return case.own.message is not None and case.own.message.flag(0x200) and \
        any(code == 8 for code, _ in case.question.options) and aspect in ("tc", "answer", "authority", "alone")


@difference("chaos-aa")
def chaos_aa(case, aspect):
    """AA with the server's own names, as BIND and PowerDNS have it; also with version.server, which BIND lacks."""
    return aspect == "aa" and case.question.klass == 3


@difference("answered")
def answered(case, aspect):
    """Malformed questions get FORMERR, also where a peer is silent."""
    return case.own.message is not None and case.own.message.rcode == 1 and not any(view.message for view in case.core)


def excuse(case, aspect):
    """The name of the difference that covers it, or None."""
    for name, rule in TABLE:
        if rule(case, aspect):
            return name
    return None
