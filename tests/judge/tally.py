# SPDX-License-Identifier: GPL-3.0-or-later
"""What was judged, and what was wrong."""
from collections import Counter


class Tally:
    def __init__(self, options):
        self.options = options
        self.counts, self.faults, self.printed = Counter(), Counter(), set()
        self.worst, self.least = 0, 1.0

    def fault(self, kind, record, where, wanted, got):
        """where() says it at length; of one record and sort only the first one is printed."""
        self.faults[kind] += 1
        if (kind, record) not in self.printed and len(self.printed) < self.options.show:
            self.printed.add((kind, record))
            print(f"{kind}: {where()}\n  wanted {wanted}\n  got    {got}", flush=True)

    def report(self, rounds, seconds):
        c = self.counts
        print(f"{rounds} rounds, {seconds:.0f} s: {c['documents']} documents, {c['records']} policies, "
              f"{c['states']} states of health, {c['rehearsals']} overrides for some clients, {c['runs']} ranges of {c['classes']} classes")
        print(f"judged: {c['asked']} questions ({c['asked'] / max(seconds, 1e-9):.0f} a second), of them "
              f"{c['inside']} IPv4 inside IPv6, {c['short']} with a source shorter than the scope, "
              f"{c['source']} by the packet's source; "
              f"{c['coherent']} for one resolver in three types and {c['agreements']} tests of two; {c['explained']} explained; {c['tested']} statistical "
              f"tests of {c['drawn']} answers (least p {self.least:.1g}), shares of slots off by "
              f"{float(self.worst) * 100:.1f} points at most; "
              f"{c['doubts']} policies left out because distances are too near each other")
        wrong = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        print("disagreements: " + (wrong or "none") + f"; scopes wrong {self.faults['scope wrong']}, "
              f"not minimal {self.faults['scope not minimal']}")
