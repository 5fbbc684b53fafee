# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client is, by steering.md: its address, the IPv4 address inside it, and what the geo data say of it. Every
look-up goes through all rows, one by one."""
import functools
import math
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BITS = {4: 32, 6: 128}
# IPv6 space that embeds IPv4: first address, its length, where the 32 bits begin, whether they are inverted.
MAPPED, NAT64, SIX_TO_FOUR, TEREDO = AREAS = (
    (0xffff << 32, 96, 96, False),           # ::ffff:0:0/96
    (0x64ff9b << 96, 96, 96, False),         # 64:ff9b::/96, RFC 6052
    (0x2002 << 112, 16, 16, False),          # 2002::/16, RFC 3056
    (0x20010000 << 96, 32, 96, True),        # 2001::/32, RFC 4380: the client's address, inverted
)
EARTH_KM = 6371.0


def last_of(family, address, length):
    return address | (1 << BITS[family] - length) - 1


def masked(family, address, length):
    return address >> BITS[family] - length << BITS[family] - length


def area_of(address):
    for area in AREAS:
        if masked(6, address, area[1]) == area[0]:
            return area
    return None


def embed(area, v4, rest=0):
    """An IPv6 address with v4 inside; rest fills the bits that nobody looks at."""
    first, length, at, inverted = area
    free = (1 << 128 - length) - 1 & ~(0xffffffff << 96 - at)
    return first | rest & free | ((v4 ^ 0xffffffff if inverted else v4) << 96 - at)


class Client:
    """The address that is looked up: family 4 or 6, or None where it stops before the embedded bits; offset is
    what its scope is told behind."""

    def __init__(self, family, address, source):
        address = masked(family, address, source)
        area = area_of(address) if family == 6 else None
        self.offset = 0
        self.family, self.address = family, address
        if area:
            self.offset = area[2]
            self.family = 4 if source > area[2] else None
            self.address = address >> 96 - area[2] & 0xffffffff
            if area[3]:
                self.address ^= 0xffffffff


def read_countries():
    """Code -> (continent, point), from the table that the geo data's makers read too."""
    countries = {}
    with open(os.path.join(ROOT, "src", "geo", "countries.def"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("COUNTRY("):
                code, continent, rest = line[8:].split(", ", 2)
                lat, lon = rest.rsplit('", ', 1)[1].rstrip(")\n").split(", ")
                countries[code] = (continent, (float(lat), float(lon)))
    return countries


COUNTRIES = read_countries()


class Facts:
    """What is known of one address."""

    def __init__(self, fields):
        self.country = fields.get("country")
        self.sub = fields.get("sub")
        self.continent = COUNTRIES[self.country][0] if self.country else fields.get("continent")
        self.asn = fields.get("asn")
        self.point = fields.get("point") or (COUNTRIES[self.country][1] if self.country else None)

    def places(self):
        """From the most specific one on."""
        places = []
        if self.country and self.sub:
            places.append(f"{self.continent}-{self.country}-{self.sub}")
        if self.country:
            places.append(f"{self.continent}-{self.country}")
        if self.continent:
            places.append(self.continent)
        return places


NOTHING = Facts({})


class Geo:
    """Files of rows (family, address, length, fields); a later one fills in what earlier ones leave open."""

    def __init__(self, files):
        self.files, self.known = files, {}

    def forget(self):
        """The rows have changed."""
        self.known.clear()

    def fields(self, family, address):
        if (family, address) not in self.known:
            self.known[family, address] = self.look_up(family, address)
        return self.known[family, address]

    def look_up(self, family, address):
        found = {}
        for rows in self.files:
            best = None
            for row in rows:
                if row[0] == family and masked(family, address, row[2]) == row[1] and (not best or row[2] > best[2]):
                    best = row
            fields = dict(best[3]) if best else {}
            if contradicts(found, fields):
                fields = {key: fields[key] for key in ("asn",) if key in fields}
            found = {**fields, **found}
        return found

    def facts(self, client):
        return Facts(self.fields(client.family, client.address)) if client.family else NOTHING

    def borders(self, family):
        for rows in self.files:
            for row in rows:
                if row[0] == family:
                    yield row[1], last_of(family, row[1], row[2])


def contradicts(found, fields):
    """Whether fields speak of another country or region than is known already (docs/decisions/0163)."""
    if "country" not in fields:
        return False
    if "country" in found:
        other_region = "sub" in found and found["sub"] != fields.get("sub", found["sub"])
        return found["country"] != fields["country"] or other_region
    return found.get("continent") not in (None, COUNTRIES[fields["country"]][0])


@functools.lru_cache(maxsize=100000)
def distance_km(a, b):
    lat1, lon1, lat2, lon2 = map(math.radians, (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(h)))
