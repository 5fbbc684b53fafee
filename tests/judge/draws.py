# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws: where chance or a hash picks among the outcomes. How far they may go, and the tests of what was drawn."""
import math
from collections import Counter

from asking import Reply, question, subnet_option
from clients import BITS, last_of, masked
from parts import SLOTS

SIGNIFICANCE = 1e-9  # of one test: a long run makes some thousands
CLIENTS_MAX = 4000   # different resolvers or networks in one test


def slot_bound(share):
    """Slots are dealt by hashes: like so many draws, six sigma and one slot far at most."""
    return 6 * math.sqrt(float(share) * (1 - float(share)) / SLOTS) + 1 / SLOTS


def gamma_tail(a, x):
    """The upper regularised incomplete gamma function Q(a, x): a series below a + 1, a continued fraction above."""
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while term > total * 1e-16:
            n += 1
            term *= x / n
            total += term
        return max(0.0, 1 - total * scale)
    b, c, d = x + 1 - a, 1e300, 1 / (x + 1 - a)
    h = d
    for i in range(1, 10000):
        an = -i * (i - a)
        b += 2
        d = 1 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return scale * h


def chance(wanted, drawn):
    """How likely draws of these shares are to lie as far off as these, by chi-square; rare outcomes are one."""
    total = sum(drawn.values())
    if set(drawn) - set(wanted):
        return 0.0
    cells = sorted((float(share) * total, drawn[outcome]) for outcome, share in wanted.items())
    merged = []
    for cell in cells:
        if merged and merged[-1][0] < 10:
            cell = (cell[0] + merged[-1][0], cell[1] + merged[-1][1])
            merged.pop()
        merged.append(cell)
    if len(merged) < 2:
        return 1.0
    square = sum((got - expected) ** 2 / expected for expected, got in merged)
    return gamma_tail((len(merged) - 1) / 2, square / 2)


class Draws:
    """The tests of one record's draws, for one trial."""

    def __init__(self, trial, steered):
        self.trial, self.s = trial, steered

    def judge(self, what, wanted, drawn, case):
        tally = self.trial.tally
        tally.counts["tested"] += 1
        tally.counts["drawn"] += sum(drawn.values())
        p = chance(wanted, drawn)
        tally.least = min(tally.least, p)
        if p < SIGNIFICANCE:
            tally.fault(what, self.s.name, lambda: self.trial.where(self.s, *case), wanted, f"{dict(drawn)}, p {p:g}")

    def outcomes(self, replies, qtype):
        sent = question(0, self.s.wire, qtype)[12:16 + len(self.s.wire)]
        return Counter(Reply(octets, sent).outcome for octets in replies)

    def random(self, family, address, qtype, wanted):
        """Many answers to one client."""
        case = (family, address, BITS[family], qtype)
        message = question(0, self.s.wire, qtype, subnet_option(*case[:3]))
        replies = self.trial.udp.ask([message] * self.trial.options.draws)
        self.judge("random draw", wanted, self.outcomes(replies, qtype), case)

    def coherent(self, family, address, qtype, wanted):
        """One answer each to many resolvers, of one client."""
        case = (family, address, BITS[family], qtype)
        message, drawn = question(0, self.s.wire, qtype, subnet_option(*case[:3])), Counter()
        for _ in range(min(CLIENTS_MAX, self.trial.options.draws)):
            with self.trial.resolver() as udp:
                drawn += self.outcomes(udp.ask([message]), qtype)
        self.judge("coherent draw", wanted, drawn, case)

    def agreement(self, client, first, other, wanted):
        """Two types asked by many resolvers, one answer each."""
        case, drawn = (4, client, 32, first), Counter()
        messages = [question(0, self.s.wire, qtype, subnet_option(*case[:3])) for qtype in (first, other, first)]
        for _ in range(min(CLIENTS_MAX, self.trial.options.draws)):
            with self.trial.resolver() as udp:
                outcomes = [Reply(octets, sent[12:16 + len(self.s.wire)]).outcome
                            for sent, octets in zip(messages, udp.ask(messages))]
            if outcomes[0] == outcomes[2]:  # else a TTL ended meanwhile
                names = [self.trial.endpoints_in(outcome) for outcome in outcomes]
                drawn[names[0] if names[0] == names[1] else "apart"] += 1
        self.trial.tally.counts["agreements"] += 1
        self.judge("agreement", wanted, drawn, case)

    def sticky(self, first, last, qtype, wanted):
        """One answer each to many IPv4 networks of one class; wanted are the shares of the slots."""
        rng, length, networks = self.trial.rng, self.s.sticky[4], {}
        if last - first + 1 < 64 << 32 - length:
            return
        for _ in range(min(CLIENTS_MAX, self.trial.options.draws)):
            network = masked(4, rng.randint(first, last), length)
            if first <= network and last_of(4, network, length) <= last:
                networks[network] = question(0, self.s.wire, qtype, subnet_option(4, network, length))
        replies = self.trial.udp.ask(list(networks.values()))
        self.judge("sticky draw", wanted, self.outcomes(replies, qtype), (4, first, 32, qtype))
