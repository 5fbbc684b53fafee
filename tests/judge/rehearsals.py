# SPDX-License-Identifier: GPL-3.0-or-later
"""Overrides for the clients of some networks (docs/decisions/0130): which holds for a client, and what it does."""
from parts import checks_of, holds


class Rehearsals:
    """set holds {(kind, target): {networks: state}}; networks are a frozenset of (family, first, length)."""

    def __init__(self):
        self.set = {}

    def put(self, kind, target, networks, state):
        self.set.setdefault((kind, target), {})[networks] = state

    def take(self, kind, target, networks):
        del self.set[kind, target][networks]

    def all(self):
        return [(kind, target, networks, state) for (kind, target), states in self.set.items()
                for networks, state in states.items()]

    def forced(self, kind, target, client):
        """up or down (which drained is too); None where nothing is forced. The longest network decides."""
        states = self.set.get((kind, target))
        if not states:
            return None
        found = [(network[2], state) for networks, state in states.items()
                 for network in networks if holds(network, client)]
        state = max(found)[1] if found else None
        return "down" if state == "drained" else state

    def effect(self, name, endpoint, client):
        """What some state of health can show of them: the endpoint's own one, else its site's, else those of its
        checks: how many of the others must pass."""
        own = self.forced("endpoint", name, client)
        if own:
            return ("endpoint", own)
        site = self.forced("site", endpoint.get("site"), client)
        if site:
            return ("site", site)
        needed, checks = checks_of(endpoint)
        forced = {check: self.forced("check", check, client) for check in checks}
        if not any(forced.values()):
            return None
        free = tuple(sorted(check for check in checks if not forced[check]))
        needed -= sum(state == "up" for state in forced.values())
        if needed <= 0:
            return ("checks", 0, ())
        return ("checks", needed, free) if needed <= len(free) else ("checks", 1, ())
