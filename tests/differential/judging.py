# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares one reply of steerd with those of its peers.

A reply is taken apart into aspects. For each aspect: where all core peers (NSD, Knot, BIND: those that loaded the
zone) say the same, steerd must say it too; that is a fault otherwise. Where they differ, steerd's reply as a
whole (rcode, AA, answer, authority) must be that of one of the peers, PowerDNS among them. What is meant to be
different stands in differences.py.

- each flag of the header, rcode and opcode.
- answer: a set of records with TTL; and each CNAME before its target.
- authority: a set of records, but for the zone's own NS, which some servers add to positive answers.
- additional: what every core peer gives must be there (glue among it); what no peer gives must be
  the address of a name that a record of the other sections points at.
"""
import collections

from wire import TYPES, Malformed, Message

CORE = ("nsd", "knot", "bind")
ASPECTS = ("reply", "rcode", "aa", "tc", "head", "rd", "ra", "ad", "cd", "question", "opt", "answer", "order", "authority")
RECORDS = ("answer", "authority", "order", "rcode")
HEAD = 0x8000 | 0x7800 | 0x40  # QR, opcode, Z


class View:
    """The aspects of one reply."""

    def __init__(self, octets, question):
        self.message, self.aspects = None, {}
        self.additional = frozenset()
        if octets is None:
            self.aspects["reply"] = "none"
            return
        try:
            message = self.message = Message(octets)
        except Malformed as why:
            self.aspects["reply"] = f"malformed: {why}"
            return
        self.additional = frozenset(message.additional)
        positive = bool(message.answer) and message.flag(0x400)
        self.aspects = {
            "reply": "some", "rcode": message.rcode, "aa": message.flag(0x400), "tc": message.flag(0x200),
            "head": message.flags & HEAD, "rd": message.flag(0x100), "ra": message.flag(0x80), "ad": message.flag(0x20),
            "cd": message.flag(0x10), "question": message.question,
            "opt": message.opt and (message.opt["version"], message.opt["do"]),
            "answer": frozenset(collections.Counter(message.answer).items()),
            "order": order_fault(message.answer),
            "authority": frozenset(rr for rr in message.authority if not (positive and is_apex_ns(rr, message, question))),
        }

    def whole(self):
        """What a client acts on; of a truncated reply that is not its records."""
        names = ("reply", "rcode", "aa", "tc") + (() if self.aspects.get("tc") else ("answer", "authority"))
        return tuple(self.aspects.get(name) for name in names)


def is_apex_ns(rr, message, question):
    """Whether NS in authority is courtesy rather than a referral: the answer ends at or below its owner's zone."""
    if rr[1] != TYPES["NS"]:
        return False
    last = message.answer[-1]
    return last[1] not in (TYPES["CNAME"], TYPES["DNAME"]) or question.kind in (TYPES["CNAME"], TYPES["DNAME"], TYPES["ANY"]) or \
        not last[4].endswith(rr[0].removeprefix(b"\1*"))  # a wildcard's cut holds for what it covers


def order_fault(answer):
    """'' when each record's owner is the question's or the target of a CNAME before it."""
    made = {}
    for i, rr in enumerate(answer):
        if rr[1] == TYPES["CNAME"]:
            made.setdefault(rr[4], i)
    for i, rr in enumerate(answer):
        if rr[0] in made and made[rr[0]] > i and rr[0] != answer[0][0] and rr[1] != TYPES["DNAME"]:
            return "a record stands before the CNAME that leads to it"
    return ""


class Verdict:
    """kind: agree, split (the peers differ, steerd is like one of them), alone (like none), apart (the same, and
    meant), fault, meant (a fault but for differences.py),
    unasked (fewer than two core peers have the zones)."""

    def __init__(self, kind, aspects=(), reason=None):
        self.kind, self.aspects, self.reason = kind, tuple(aspects), reason


def consensus(views, aspect):
    """(True, value) where all core views agree."""
    values = {view.aspects.get(aspect) for view in views}
    return (True, values.pop()) if len(values) == 1 else (False, None)


def additional_faults(own, core, everyone):
    """(what all core peers give is missing, something is there that no peer gives and no record points at)."""
    missing = frozenset.intersection(*(view.additional for view in core)) - own.additional
    known = frozenset().union(*(view.additional for view in everyone))
    given = own.message.answer + own.message.authority
    pointing = b"".join(rr[4] + rr[0] for rr in given)  # an SVCB record may mean its owner
    stray = [rr for rr in own.additional - known if rr[0] not in pointing]
    return bool(missing), bool(stray)


class Case:
    """What the rules of differences.py look at. zone_of: the origin served for a name, both as octets."""

    def __init__(self, question, own, core, everyone, zone_of):
        self.question, self.own, self.core, self.everyone, self.zone_of = question, own, core, everyone, zone_of


def judge(question, views, excuse, zone_of):
    """views: server's name -> View; excuse(case, aspect) -> why a difference is meant, or None."""
    own = views["steerd"]
    core = [views[name] for name in CORE if name in views]
    everyone = [view for name, view in views.items() if name != "steerd"]
    if len(core) < 2:
        return Verdict("unasked")
    wrong, agreed = [], True
    cut = own.aspects.get("tc") and all(view.aspects.get("tc") for view in core)
    for aspect in ASPECTS:
        if cut and aspect in RECORDS:
            continue  # how far it got is nobody's business: the client asks again over TCP
        same, value = consensus(core, aspect)
        agreed = agreed and same
        if same and own.aspects.get(aspect) != value:
            wrong.append(aspect)
    if own.message and all(view.message for view in core) and not own.message.flag(0x200):
        missing, extra = additional_faults(own, core, everyone)
        wrong += ["additional missing"] if missing else []
        wrong += ["additional unknown"] if extra else []
    if not wrong and not agreed and all(own.whole() != view.whole() for view in everyone):
        wrong = ["alone"]
    if not wrong:
        return Verdict("agree" if agreed else "split")
    case = Case(question, own, core, everyone, zone_of)
    reasons = [excuse(case, aspect) for aspect in wrong]
    if all(reasons):
        return Verdict("apart" if wrong == ["alone"] else "meant", wrong, reasons[0])
    wrong = [aspect for aspect, reason in zip(wrong, reasons) if not reason]
    return Verdict("alone" if wrong == ["alone"] else "fault", wrong)
