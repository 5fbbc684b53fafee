# SPDX-License-Identifier: GPL-3.0-or-later
"""Random worlds: geo data with odd borders, and documents with every kind of node and option, of a seed alone."""
import ipaddress

from clients import BITS, COUNTRIES, area_of, masked
from model import World
from parts import TYPES_OF, kind_of, listed, members_of

SUBS = {"US": ("CA", "NY", "TX"), "DE": ("BE", "BY"), "CA": ("QC", "ON"), "GB": ("ENG", "SCT"), "JP": ("13",),
        "AU": ("NSW", "VIC"), "BR": ("SP",), "FR": (), "CY": (), "ZA": (), "SG": (), "IN": ("KA",)}
CONTINENTS = ("EU", "NA", "SA", "AS", "AF", "OC")
ASNS = (64500, 64501, 64502, 64503, 4200000000)
POSITIONS = ("blue", "green", "red")
DEPTH_MAX = 16
# Where networks crowd, so that they nest and touch: packets can come from 127.0.0.0/8.
SPOTS = {4: [0x7f000000, 0xc0000200, 0xc6336400, 0x0a000000, 0xdfffff00, 0x00000000, 0xffffff00],
         6: [0x20010db8 << 96, 0x20010001 << 96, 0x2003 << 112, 0x2000 << 112, 0x64ff9c << 96, 0xff << 120,
             0x20010db8000100020003 << 48, 0xfe80 << 112, 1 << 112]}
TIES = ((48.5, 2.25), (10.0, 20.0), (-33.875, 151.25), (40.75, -74.0), (1.25, 103.75), (0.0, 180.0), (89.5, 0.0))


def text_of(family, address, length):
    network = (ipaddress.IPv4Network if family == 4 else ipaddress.IPv6Network)((address, length))
    return str(network)


def place_of(country, sub=None):
    return f"{COUNTRIES[country][0]}-{country}" + (f"-{sub}" if sub else "")


def all_places():
    for country, subs in SUBS.items():
        yield place_of(country)
        for sub in subs:
            yield place_of(country, sub)
    yield from CONTINENTS


class Setup:
    """rng makes everything; files are rows of geo data."""

    def __init__(self, rng, small=None):
        self.rng = rng
        # Small ones show what is wrong, large ones find it.
        self.small = rng.random() < 0.4 if small is None else small
        self.spots = {family: rng.sample(spots, 4) + [rng.getrandbits(BITS[family])] for family, spots in SPOTS.items()}
        self.files = [self.city_rows(), self.asn_rows()]
        if rng.random() < 0.4:
            self.files.append(self.city_rows())
        if rng.random() < 0.05:
            self.files = []
        self.files = [rows for rows in self.files if rows]  # steerd takes no file without networks
        self.aliased = rng.random() < 0.5

    def renew_geo(self):
        """Other rows in as many files."""
        for i, rows in enumerate(self.files):
            new = self.asn_rows() if all(set(row[3]) == {"asn"} for row in rows) else self.city_rows()
            self.files[i] = new or rows

    # ---- networks and geo data ----

    def network(self, family):
        rng, bits = self.rng, BITS[family]
        length = rng.choice((rng.randint(1, bits), rng.randint(bits // 4, bits), bits,
                             rng.randint(bits // 2, bits * 3 // 4)))
        if rng.random() < 0.85:
            keep = rng.randint(0, 2) * 4
            address = rng.choice(self.spots[family]) ^ (rng.getrandbits(bits) >> rng.randint(bits // 8, bits - 1))
            address ^= keep
        else:
            address = rng.getrandbits(bits)
        return masked(family, address & (1 << bits) - 1, length), length

    def rows(self, count, fields):
        rows = {}
        for _ in range(count):
            family = 4 if self.rng.random() < 0.55 else 6
            address, length = self.network(family)
            if family == 6 and address == 0:
                continue  # would hold ::/96, which is IPv4's place in the file
            rows[family, address, length] = fields()
        return [(*key, value) for key, value in rows.items()]

    def city_rows(self):
        return self.rows(self.rng.randint(1, 6) if self.small else self.rng.randint(5, 45), self.city_fields)

    def asn_rows(self):
        return self.rows(self.rng.randint(0, 3 if self.small else 15), lambda: {"asn": self.rng.choice(ASNS)})

    def city_fields(self):
        rng = self.rng
        if rng.random() < 0.1:
            return {"continent": rng.choice(CONTINENTS)}
        country = rng.choice(list(SUBS))
        fields = {"country": country}
        if rng.random() < 0.5:
            fields["continent"] = rng.choice((COUNTRIES[country][0], COUNTRIES[country][0], "AS"))
        if SUBS[country] and rng.random() < 0.6:
            fields["sub"] = rng.choice(SUBS[country])
        if rng.random() < 0.5:
            fields["point"] = self.point()
        if rng.random() < 0.1:
            fields["asn"] = rng.choice(ASNS)
        return fields

    def point(self):
        rng = self.rng
        return rng.choice(TIES) if rng.random() < 0.3 else (rng.uniform(-89, 89), rng.uniform(-179, 179))

    def cidr(self):
        """A network for a rule; none that lies where IPv4 is embedded."""
        while True:
            family = 4 if self.rng.random() < 0.55 else 6
            if self.rng.random() < 0.3 and any(row[0] == family for rows in self.files for row in rows):
                row = self.rng.choice([row for rows in self.files for row in rows if row[0] == family])
                length = min(BITS[family], max(0, row[2] + self.rng.randint(-2, 2)))
                address = masked(family, row[1], length)
            else:
                address, length = self.network(family)
            if self.rng.random() < 0.04:
                address, length = 0, 0
            area = area_of(address) if family == 6 else None
            if not (area and length >= area[1]):
                return family, address, length

    def networks(self, count):
        found = []
        while len(found) < count:
            family, address, length = self.cidr()
            text = text_of(family, address, length)
            if length == BITS[family] and self.rng.random() < 0.7:
                text = text.partition("/")[0]
            if not any(same_network(text, other) for other in found):
                found.append(text)
        return found

    def crowd(self, count):
        """Networks (family, first, length) that nest and touch: for overrides."""
        found = []
        while len(found) < count:
            family, first, length = self.cidr()
            if found and self.rng.random() < 0.5:
                family, first, length = self.rng.choice(found)
                length = max(0, min(BITS[family], length + self.rng.randint(-4, 6)))
                first ^= self.rng.getrandbits(BITS[family]) >> max(0, length - self.rng.randint(0, 3))
                first = masked(family, first, length)
            area = area_of(first) if family == 6 else None
            if (family, first, length) not in found and not (area and length >= area[1]):
                found.append((family, first, length))
        return found

    # ---- objects ----

    def document(self, zone):
        return Document(self, zone).made


def edited(setup, document):
    """The document with other weights, places, measurements and addresses, under the same names."""
    rng, new = setup.rng, Document.__new__(Document)
    new.setup, new.rng, new.zone, new.tag = setup, rng, document["zone"], document["zone"].partition(".")[0]
    new.made = made = {key: dict(value) if isinstance(value, dict) else value for key, value in document.items()}
    for name in made["sites"]:
        if rng.random() < 0.4:
            made["sites"][name] = new.site()
    for name, table in made["latencies"].items():
        if rng.random() < 0.6:
            made["latencies"][name] = new.table()
    for name, pool in made["pools"].items():
        if rng.random() < 0.5:
            made["pools"][name] = {**pool, "endpoints": {e: new.weight() for e in pool["endpoints"]}}
    for name, body in made["endpoints"].items():
        if rng.random() < 0.3:
            made["endpoints"][name] = {**body, "ttl_cap": rng.choice((2, 15, 40))}
        elif rng.random() < 0.3 and "ipv4" in body:
            made["endpoints"][name] = {**body, "ipv4": listed(body["ipv4"])[0].replace("127.9.", "127.10.")}
    return made


def same_network(a, b):
    return ipaddress.ip_network(a) == ipaddress.ip_network(b)


class Document:
    """One document: objects of all kinds under names with the zone's prefix, and records that use them."""

    def __init__(self, setup, zone):
        self.setup, self.rng, self.zone = setup, setup.rng, zone
        self.tag = zone.partition(".")[0]
        self.kind = "address"
        self.depths = {}  # of policies
        self.made = {"zone": zone}
        rng = self.rng
        self.made["checks"] = {self.name("k", i): {"type": "tcp", "port": 1, "interval": "1h", "fall": 10,
                                                  "initially": rng.choice(("up", "up", "down"))} for i in range(4)}
        self.made["sites"] = {self.name("s", i): self.site() for i in range(rng.randint(2, 6))}
        count = rng.randint(*self.pick((2, 5), (6, 14)))
        self.made["endpoints"] = {self.name("e", i): self.endpoint(i) for i in range(count)}
        # Some that have everything, for coherent draws: no answers, no shared addresses.
        whole = {self.name("f", i): self.whole_endpoint(i) for i in range(4)}
        self.made["pools"] = {self.name("p", i): self.pool() for i in range(rng.randint(*self.pick((1, 3), (3, 7))))}
        # Some that lack types: each more than the next, or crosswise.
        crossed = rng.random() < 0.3
        nested = {self.name("n", i): self.partial_endpoint(i, crossed) for i in range(5)}
        self.made["endpoints"].update(whole)
        self.made["endpoints"].update(nested)
        for i in range(2):
            self.made["pools"][self.name("m", i)] = {"endpoints": {name: self.weight() for name in rng.sample(list(nested), 3)}}
        for i, pick in enumerate(("one", "all", 2)):
            self.made["pools"][self.name("g", i)] = {"endpoints": {name: self.weight() for name in whole}, "pick": pick}
        self.made["switches"] = {self.name("w", i): self.switch() for i in range(2)}
        self.made["latencies"] = {self.name("t", i): self.table() for i in range(2)}
        self.made["policies"] = {}
        for i in range(rng.randint(2, 5)):
            node, depth = self.node(rng.randint(2, self.pick(3, 5)))
            self.made["policies"][self.name("q", i)] = node
            self.depths[self.name("q", i)] = depth
        self.made["records"] = {}
        for i in range(rng.randint(8, 14)):
            self.record(i)
        for kind in ("whole", "nested"):
            self.whole_record(kind)

    def pick(self, small, large):
        return small if self.setup.small else large

    def name(self, letter, i):
        return f"{self.tag}{letter}{i}"

    def any_of(self, part):
        return self.rng.choice(list(self.made[part]))

    def site(self):
        if self.rng.random() < 0.4:
            return {"at": place_of(self.rng.choice(list(SUBS)))}
        lat, lon = self.setup.point()
        return {"lat": round(lat, 3), "lon": round(lon, 3)}

    def endpoint(self, i):
        rng = self.rng
        body = {}
        if rng.random() < 0.85:
            body["ipv4"] = f"127.9.{rng.randint(0, 1)}.{i if rng.random() < 0.9 else 0}"
        if rng.random() < 0.6 or not body:
            body["ipv6"] = f"2001:db8:ffff::{i if rng.random() < 0.9 else 0:x}"
        for family, more in (("ipv4", f"127.9.3.{i}"), ("ipv6", f"2001:db8:fffc::{i:x}")):
            if family in body and rng.random() < 0.1:
                body[family] = [body[family], more]
        if rng.random() < 0.9:
            body["site"] = self.any_of("sites")
        if rng.random() < 0.4:
            body["ttl_cap"] = rng.choice((1, 10, 20, 60))
        checks = rng.sample(list(self.made["checks"]), rng.randint(0, 3))
        if len(checks) == 1:
            body["check"] = checks[0]
        elif checks:
            body["checks"] = checks
            if rng.random() < 0.6:
                body["require"] = rng.choice(("all", "any", 1, 2))
        for service in ("https", "svcb"):
            if rng.random() < 0.4:
                body[service] = rng.choice(({}, {"alpn": ["h2", "h3"]}, {"alpn": "h2", "port": 8443, "priority": 2}))
        if rng.random() < 0.5:
            body["hostname"] = f"h{i}.{rng.choice(('example.net', self.zone))}"
            if rng.random() < 0.5:
                body["mx"] = {"preference": rng.randint(0, 65535)}
            if rng.random() < 0.7:
                body["srv"] = {"port": rng.randint(1, 65535)}
                if rng.random() < 0.5:
                    body["srv"].update(priority=rng.randint(0, 9), weight=rng.randint(0, 9))
        return body

    def whole_endpoint(self, i):
        number = int(self.tag[1:]) * 16 + i + 1
        checks = self.rng.sample(list(self.made["checks"]), self.rng.randint(1, 2))
        return {"ipv4": f"127.9.2.{number}", "ipv6": f"2001:db8:fffd::{number:x}", "https": {}, "checks": checks,
                "site": self.any_of("sites")}

    def partial_endpoint(self, i, crossed):
        number = int(self.tag[1:]) * 16 + i + 1
        data = {"ipv4": f"127.9.4.{number}", "ipv6": f"2001:db8:fffb::{number:x}", "https": {}}
        forms = [("ipv4",), ("ipv4", "ipv6"), ("ipv4", "ipv6", "https")]
        if crossed:
            forms += [("ipv6",), ("ipv6", "https"), ("ipv4", "https")]
        body = {key: data[key] for key in self.rng.choice(forms)}
        body["site"] = self.any_of("sites")
        if self.rng.random() < 0.3:
            body["check"] = self.any_of("checks")
        return body

    def weight(self):
        return self.rng.choice((0, 1, 1, 1, 2, 3, 7, 10, 100, self.rng.randint(0, 65535), 65535))

    def pool(self):
        rng = self.rng
        names = rng.sample(list(self.made["endpoints"]), rng.randint(1, min(10, len(self.made["endpoints"]))))
        body = {"endpoints": names if rng.random() < 0.2 else {name: self.weight() for name in names}}
        pick = rng.choice((None, "one", "one", "all", "all", rng.randint(1, 5)))
        if pick is not None:
            body["pick"] = pick
        if pick == "all" and rng.random() < 0.4:
            body["max"] = rng.randint(1, 6)
        if rng.random() < 0.3:
            body["min_available"] = self.minimum(len(names))
        return body

    def minimum(self, count):
        return self.rng.choice((self.rng.randint(1, count), f"{self.rng.randint(1, 100)}%"))

    def switch(self):
        positions = self.rng.sample(POSITIONS, self.rng.randint(2, 3))
        body = {"positions": positions}
        if self.rng.random() < 0.5:
            body["initial"] = self.rng.choice(positions)
        return body

    def table(self):
        rng, rows = self.rng, {}
        keys = self.setup.networks(rng.randint(0, 5)) + rng.sample([f"AS{n}" for n in ASNS], rng.randint(0, 2))
        for key in keys + rng.sample(list(all_places()), rng.randint(0, 6)):
            sites = rng.sample(list(self.made["sites"]), rng.randint(1, len(self.made["sites"])))
            rows[key] = {site: rng.choice((rng.randint(0, 300), round(rng.uniform(0, 200), 1))) for site in sites}
        if not rows:
            rows["EU"] = {self.any_of("sites"): 5}
        return {"rows": rows}

    # ---- trees ----

    def node(self, depth, at_root=True):
        """(node, its depth); depth is what may be used up."""
        rng = self.rng
        kinds = ["leaf", "weighted", "failover", "geo", "geo", "network", "network", "nearest", "latency", "switch"]
        kind = "leaf" if depth <= 1 or rng.random() < (0.1 if at_root else 0.3) else rng.choice(kinds)
        if kind == "leaf":
            return self.leaf(depth)
        node, children = getattr(self, f"make_{kind}")(depth - 1)
        deepest = max(children)
        if kind != "switch" and rng.random() < 0.15:
            node["min_available"] = self.minimum(len(children))
        deepest = max(deepest, self.otherwise(node, depth))
        return node, deepest + 1

    def otherwise(self, node, depth):
        """when_unavailable; the depth that it uses."""
        if self.rng.random() > 0.2:
            return 0
        if depth > 1 and self.rng.random() < 0.5:
            node["when_unavailable"], used = self.node(depth - 1, False)
            return used
        node["when_unavailable"] = self.rng.choice(("serve_all", "serve_none"))
        return 0

    def leaf(self, depth):
        rng = self.rng
        if self.kind == "whole":
            kind = rng.choice(("endpoint", "pool", "pool"))
            return {kind: self.name(*(("f", rng.randint(0, 3)) if kind == "endpoint" else ("g", rng.randint(0, 2))))}, 1
        if self.kind == "nested":
            kind = rng.choice(("endpoint", "pool"))
            return {kind: self.name(*(("n", rng.randint(0, 4)) if kind == "endpoint" else ("m", rng.randint(0, 1))))}, 1
        usable = [name for name, used in self.depths.items() if used < depth]
        kind = rng.choice(("endpoint", "endpoint", "pool", "pool", "pool", "use", "answer"))
        if kind == "use" and usable:
            name = rng.choice(usable)
            return {"use": name}, self.depths[name] + 1
        if kind == "answer" and "records" in self.made:
            return {"answer": self.answer()}, 1
        part = "endpoints" if kind == "endpoint" else "pools"
        node = {part[:-1]: self.any_of(part)}
        if kind == "pool" and rng.random() < 0.1:
            node["min_available"] = self.minimum(len(self.made["pools"][node["pool"]]["endpoints"]))
        return node, 1

    def answer(self):
        rng, n = self.rng, self.rng.randint(0, 3)
        if rng.random() < 0.05:
            return {}
        if self.kind == "cname":
            return {"CNAME": f"fixed{n}.example.net."}
        if self.kind == "mx":
            return {"MX": [f"{n} fixed{n}.example.net."]}
        if self.kind == "srv":
            return {"SRV": [f"{n} 0 53 fixed{n}.example.net."]}
        if self.kind == "txt":
            return {"TXT": [f"fixed {n}", "beside"][:rng.randint(1, 2)]}
        body = {}
        if rng.random() < 0.8:
            body["A"] = [f"127.8.0.{n}", f"127.8.1.{n}"][:rng.randint(1, 2)]
        if rng.random() < 0.6 or not body:
            body["AAAA"] = [f"2001:db8:fffe::{n:x}"]
        if rng.random() < 0.3:
            body["HTTPS"] = [f"1 . alpn=h3 ipv4hint=127.8.0.{n}"]
        return body

    def children(self, depth, count):
        made = [self.node(depth, False) for _ in range(count)]
        if self.rng.random() < 0.2:
            made[-1] = made[0]
        return [node for node, _ in made], [used for _, used in made]

    def make_weighted(self, depth):
        nodes, used = self.children(depth, self.rng.randint(1, 4))
        return {"weighted": [{"weight": self.weight(), "to": node} for node in nodes]}, used

    def make_failover(self, depth):
        nodes, used = self.children(depth, self.rng.randint(1, 4))
        node = {"failover": nodes}
        if self.rng.random() < 0.25:
            node["trickle"] = self.rng.choice(("5%", "1%", "50%", "0.5%"))
        return node, used

    def ruled(self, kind, matches, depth):
        rng = self.rng
        nodes, used = self.children(depth, len(matches) + 1)
        body = {"rules": []}
        for match, node in zip(matches, nodes):
            rule = {"match": match, "to": node}
            if rng.random() < 0.12:
                rule["fence"] = rng.random() < 0.9
            body["rules"].append(rule)
        if rng.random() < 0.9:
            body["default"] = nodes[-1]
        else:
            used.pop()
        return {kind: body}, used

    def dealt(self, items):
        """The items in lists of one to three."""
        lists = []
        while items:
            count = self.rng.randint(1, 3)
            lists.append(items[:count] if count > 1 or self.rng.random() < 0.5 else items[0])
            items = items[count:]
        return lists

    def make_geo(self, depth):
        places = self.rng.sample(list(all_places()), self.rng.randint(1, 7))
        return self.ruled("geo", self.dealt(places), depth)

    def make_network(self, depth):
        items = self.setup.networks(self.rng.randint(1, 6))
        items += self.rng.sample([f"AS{n}" for n in ASNS], self.rng.randint(0, 2))
        self.rng.shuffle(items)
        return self.ruled("network", self.dealt(items), depth)

    def ranked(self, depth, biased):
        nodes, used = self.children(depth, self.rng.randint(1, 5))
        listed = []
        for node in nodes:
            entry = {"to": node}
            if biased and self.rng.random() < 0.3:
                entry["bias"] = self.rng.randint(-99, 99)
            if self.rng.random() < 0.2 or not self.located(node):
                entry["site"] = self.any_of("sites")
            listed.append(entry if len(entry) > 1 else self.rng.choice((node, entry)))
        return listed, used

    def located(self, node):
        return self.world().sites_of(node)

    def world(self):
        world = World(None)
        for part in ("sites", "endpoints", "pools", "policies"):
            getattr(world, part).update(self.made.get(part, {}))
        return world

    def make_nearest(self, depth):
        listed, used = self.ranked(depth, True)
        return {"nearest": self.rng.choice((listed, {"among": listed}))}, used

    def make_latency(self, depth):
        listed, used = self.ranked(depth, False)
        if self.rng.random() < 0.2:
            return {"latency": listed}, used
        return {"latency": {"table": self.any_of("latencies"), "among": listed}}, used

    def make_switch(self, depth):
        name = self.any_of("switches")
        positions = self.made["switches"][name]["positions"]
        nodes, used = self.children(depth, len(positions))
        return {"switch": {"name": name, "positions": dict(zip(positions, nodes))}}, used

    # ---- records ----

    def record(self, i):
        rng = self.rng
        kind = rng.choice(("address",) * 6 + ("cname", "mx", "srv", "txt"))
        owner = rng.choice((f"r{i}", f"r{i}", f"deep{i}.a.b", f"*.r{i}"))
        if i == 0 and kind != "cname":
            owner = "@"
        kinds = [kind]
        if kind != "cname" and rng.random() < 0.3:
            kinds += rng.sample([other for other in ("address", "mx", "srv", "txt") if other != kind], rng.randint(1, 3))
        entries = [entry for entry in map(self.entry, kinds) if entry]
        if entries and kind != "cname":
            self.put_beside(entries, kinds)
        if entries:
            self.made["records"][owner] = entries if len(entries) > 1 else entries[0]

    def entry(self, kind):
        """One steered record, or None where chance finds none."""
        rng = self.rng
        self.kind = kind
        depth = DEPTH_MAX if rng.random() < self.pick(0, 0.1) else rng.randint(1, self.pick(3, 6))
        for _ in range(200):
            node = self.chain(depth)[0] if depth == DEPTH_MAX else self.node(depth)[0]
            if self.suits(node):
                break
        else:
            return None
        record = {"steer": node, "allow_negative": True}
        if rng.random() < 0.8:
            record["ttl"] = rng.choice((0, 5, 30, 60, 300, 86400))
        if kind != "address" or rng.random() < 0.1:
            record["kind"] = kind
        draw = rng.random()
        if draw < 0.25:
            record["draw"] = "sticky" if rng.random() < 0.5 else {"sticky": self.lengths()}
        elif draw < 0.5:
            record["draw"] = rng.choice(("coherent", "random"))
        return record

    def put_beside(self, entries, kinds):
        """Data of types that none of the kinds steers, in an entry of their own or in one that is there."""
        rng = self.rng
        static = {"A": ("127.8.2.1", ["127.8.2.2", "127.8.2.3"]), "MX": ("7 mx.example.net.",), "TXT": ("static text",),
                  "CAA": ('0 issue "ca.example"',)}
        taken = {qtype for kind in kinds for qtype in TYPES_OF[kind]}
        for qtype in sorted(static.keys() - taken) if rng.random() < 0.4 else ():
            if rng.random() < 0.5:
                entry = rng.choice(entries)
                if rng.random() < 0.5:
                    entry = {"ttl": rng.choice((1, 77, 3600))}
                    entries.append(entry)
                entry[qtype] = rng.choice(static[qtype])

    def whole_record(self, kind):
        self.kind = kind
        node = self.node(3)[0]
        draw = "coherent" if kind == "whole" or self.rng.random() < 0.6 else "sticky"
        self.made["records"][kind] = {"steer": node, "allow_negative": True, "ttl": 60, "draw": draw}

    def lengths(self):
        both = {"v4": self.rng.randint(8, 32), "v6": self.rng.randint(20, 64)}
        if self.rng.random() < 0.3:
            del both[self.rng.choice(("v4", "v6"))]
        return both

    def chain(self, depth):
        """As deep as it may be: nodes of one or two children, one of which goes on."""
        if depth <= 4:
            return self.node(depth)
        below, used = self.chain(depth - 1)
        other, more = self.leaf(1)
        children = [below, other] if self.rng.random() < 0.8 else [below]
        used = max(used, more) + 1
        kind = self.rng.choice(("failover", "failover", "weighted", "geo", "network"))
        if kind == "failover":
            return {"failover": children}, used
        if kind == "weighted":
            return {"weighted": [{"weight": 1, "to": child} for child in children]}, used
        match = self.rng.choice(list(all_places())) if kind == "geo" else self.setup.networks(1)[0]
        return {kind: {"rules": [{"match": match, "to": other}], "default": below}}, used

    def suits(self, node):
        """Something in it gives what the kind of record is about."""
        world, types = self.world(), TYPES_OF[self.kind]
        if self.kind == "cname" and gives_several(world, node):
            return False
        return any(suits(world, node, qtype) for qtype in types)


def suits(world, node, qtype):
    kind = kind_of(node)
    if kind == "endpoint":
        return world.gives(node[kind], qtype)
    if kind == "pool":
        return any(world.gives(name, qtype) for name in members_of(world.pools[node[kind]]))
    if kind == "answer":
        return qtype in node[kind]
    return any(suits(world, child, qtype) for child in world.children_of(node))


def gives_several(world, node):
    """A pool that gives several endpoints at once, which a CNAME cannot."""
    if isinstance(node.get("when_unavailable"), dict) and gives_several(world, node["when_unavailable"]):
        return True
    if kind_of(node) == "pool":
        return world.pools[node["pool"]].get("pick", "one") != "one"
    return any(gives_several(world, child) for child in world.children_of(node))
