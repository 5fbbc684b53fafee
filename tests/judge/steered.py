# SPDX-License-Identifier: GPL-3.0-or-later
"""A steered record: its classes, and the scope of each answer."""
from asking import name_wire
from classes import Classes
from clients import AREAS, BITS, last_of, masked
from parts import network_of


class Steered:
    """A steered record and what the model knows of it."""

    def __init__(self, trial, owner, kind, record):
        self.record, self.kind = record, kind
        self.owner = owner
        asked = owner.replace("*", "some.host", 1)
        self.name = asked
        self.wire = name_wire(asked)
        world = trial.world
        self.borders = {family: list(trial.geo.borders(family)) for family in BITS}
        for text in networks_in(world, record["steer"], set()):
            family, first, length = network_of(text)
            self.borders[family].append((first, last_of(family, first, length)))
        for _, _, networks, _ in world.rehearsals.all():
            for family, first, length in networks:
                self.borders[family].append((first, last_of(family, first, length)))
        self.classes = Classes(world, record, trial.client_of, self.borders, AREAS)
        draw = record.get("draw", "random")
        self.mode = draw if isinstance(draw, str) else "sticky"
        lengths = draw["sticky"] if isinstance(draw, dict) else {}
        self.sticky = {4: lengths.get("v4", 24), 6: lengths.get("v6", 56)}
        self.choices = {}

    def residual(self, client):
        if client.family is None:
            return self.classes.unknown
        return self.classes.run_of(client.family, client.address)[2]

    def draws(self, world, residual, qtype):
        if self.mode != "sticky":
            return False
        key = residual, qtype
        if key not in self.choices:
            self.choices[key] = world.has_choice(residual, qtype)
        return self.choices[key]

    def scope(self, world, client, residual, qtype):
        """Of an answer with data."""
        family = client.family or 4
        scope = self.classes.scope(family, client.address)
        if self.draws(world, residual, qtype):
            scope = max(scope, self.network_length(family, client.address))
        return client.offset + scope if client.offset and scope else scope

    def network_length(self, family, address):
        length = self.sticky[family]
        while family == 6 and any(masked(6, area[0], length) == masked(6, address, length) for area in AREAS):
            length += 1
        return length


def networks_in(world, node, seen):
    """All networks that a tree names, through policies and tables."""
    if isinstance(node, str):
        if network_of(node):
            yield node
    elif isinstance(node, list):
        for item in node:
            yield from networks_in(world, item, seen)
    elif isinstance(node, dict):
        for key, item in node.items():
            if key == "answer":
                continue
            for part, name in (("use", world.policies), ("table", world.latencies)):
                if key == part and (part, item) not in seen:
                    seen.add((part, item))
                    yield from networks_in(world, name[item], seen)
            if network_of(key):
                yield key
            yield from networks_in(world, item, seen)
