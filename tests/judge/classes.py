# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes and scopes by steering.md: the residual tree of one address of each range within which nothing changes that
the policy looks at; runs of equal ones; and the least length whose prefix stays in one run."""
from clients import BITS, NOTHING, last_of


class Classes:
    """The classes of one record in both families: runs (first, last, residual) of equal residual trees. None is the
    residual of IPv6 space that embeds IPv4 of several classes."""

    def __init__(self, world, record, client_of, borders, areas):
        self.runs = {4: self.find(world, record, client_of, 4, borders[4], ())}
        one = self.runs[4][0][2] if len(self.runs[4]) == 1 else None
        self.runs[6] = self.find(world, record, client_of, 6, borders[6], areas, one)
        self.unknown = world.resolve(record["steer"], client_of(None, 0), NOTHING)
        self.single = one is not None and len(self.runs[6]) == 1

    @staticmethod
    def find(world, record, client_of, family, borders, areas, inside=None):
        starts = {0}
        for first, last in borders:
            starts |= {first, last + 1}
        for area in areas:
            starts |= {area[0], last_of(6, area[0], area[1]) + 1}
        starts = sorted(start for start in starts if start < 1 << BITS[family])
        runs = []
        for i, start in enumerate(starts):
            last = starts[i + 1] - 1 if i + 1 < len(starts) else (1 << BITS[family]) - 1
            if any(area[0] <= start <= last_of(6, area[0], area[1]) for area in areas):
                residual = inside
            else:
                client = client_of(family, start)
                residual = world.resolve(record["steer"], client, world.geo.facts(client))
            if runs and runs[-1][2] == residual:
                runs[-1] = (runs[-1][0], last, residual)
            else:
                runs.append((start, last, residual))
        return runs

    def run_of(self, family, address):
        low, high = 0, len(self.runs[family])
        while high - low > 1:
            middle = (low + high) // 2
            if self.runs[family][middle][0] <= address:
                low = middle
            else:
                high = middle
        return self.runs[family][low]

    def scope(self, family, address):
        """The least length whose prefix lies in one run; 0 only where there is one class."""
        if self.single:
            return 0
        first, last, _ = self.run_of(family, address)
        for length in range(1, BITS[family]):
            start = address >> BITS[family] - length << BITS[family] - length
            if first <= start and last_of(family, start, length) <= last:
                return length
        return BITS[family]
