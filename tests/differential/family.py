# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generators make: a family is a few zones that have to do with each other."""
import dataclasses

from wire import fits, is_below, name_text, name_wire


@dataclasses.dataclass
class Zone:
    origin: tuple
    lines: list = dataclasses.field(default_factory=list)  # of the master file
    types: set = dataclasses.field(default_factory=set)
    path: str = ""

    @property
    def origin_text(self):
        return name_text(self.origin)

    def text(self):
        return "".join(line + "\n" for line in self.lines)


class Family:
    """Zones, and the names that questions should be made from."""

    def __init__(self, rng, kind, tag):
        self.rng, self.kind, self.tag = rng, kind, tag
        self.zones = []
        self.names = {}  # owners and targets, in the order they came
        self.addresses = 0

    def note(self, name):
        self.names[name] = True

    def zone(self, *labels, soa=True, ns=True, ttl=None):
        """A zone with SOA and NS; labels as text or octets."""
        origin = tuple(label.encode() if isinstance(label, str) else label for label in labels)
        zone = Zone(origin)
        self.zones.append(zone)
        self.note(origin)
        zone.lines.append(f"$TTL {self.rng.choice((60, 300, 3600))}")
        if soa:
            self.add(zone, origin, "SOA", f"ns.elsewhere.example. host.elsewhere.example. {self.rng.randrange(1, 1 << 31)} "
                     f"7200 900 1209600 {self.rng.choice((60, 300, 86400))}", ttl or self.rng.choice((None, 30, 600, 7200)))
        if ns:
            target = self.rng.choice(((b"ns",) + origin, (b"ns", b"elsewhere", b"example")))
            self.add(zone, origin, "NS", name_text(target))
            if target[1:] == origin and self.rng.random() < 0.8 and fits(target):
                self.add(zone, target, "A", self.a())
        return zone

    def add(self, zone, owner, kind, data, ttl=None):
        if not fits(owner):
            return
        zone.lines.append(f"{name_text(owner)} {'' if ttl is None else f'{ttl} '}{kind} {data}")
        zone.types.add(kind)
        self.note(owner)

    def point(self, zone, owner, kind, target, before="", after="", ttl=None):
        """A record whose data holds a name."""
        if fits(target):
            self.note(target)
            self.add(zone, owner, kind, f"{before}{name_text(target)}{after}", ttl)

    def a(self):
        self.addresses += 1
        return f"192.0.{2 + self.addresses // 250}.{1 + self.addresses % 250}"

    def aaaa(self):
        self.addresses += 1
        return f"2001:db8::{self.addresses:x}"

    def zone_of(self, name):
        """The longest origin at or above the name."""
        found = [zone for zone in self.zones if is_below(name, zone.origin)]
        return max(found, key=lambda zone: len(zone.origin), default=None)


def room_above(origin, octets=255):
    """How many octets a name below the origin may still take."""
    return octets - len(name_wire(origin))
