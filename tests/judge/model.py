# SPDX-License-Identifier: GPL-3.0-or-later
"""steering.md read literally: a tree is resolved for one client, then weighed with exact fractions. Nothing is
compiled, shared or remembered, and nothing comes from steerd."""
import ipaddress
from fractions import Fraction

from clients import distance_km
from parts import (NONE, Doubt, addresses_of, below, checks_of, children, country_point, dotted, entries, first_tier,
                   holds, initial_of, kind_of, listed, members_of, mixture, name_of, needed_of, network_of, plain,
                   service_text, share_of, systematic)
from rehearsals import Rehearsals


class World:
    """The objects of all documents, and what people have set."""

    def __init__(self, geo):
        self.geo = geo
        self.sites, self.endpoints, self.pools, self.policies = {}, {}, {}, {}
        self.switches, self.latencies, self.checks, self.records = {}, {}, {}, {}
        self.static = {}
        self.overrides, self.positions = {}, {}
        self.rehearsals = Rehearsals()
        self.none_at_root, self.ttl = False, 0  # of the record in question

    def learn(self, document):
        for part in ("sites", "endpoints", "pools", "policies", "switches", "latencies", "checks"):
            getattr(self, part).update(document.get(part, {}))
        for name, records in document["records"].items():
            owner = document["zone"] if name == "@" else f"{name}.{document['zone']}"
            for record in listed(records):
                self.learn_record(owner, record)

    def learn_record(self, owner, record):
        """An entry has one tree at most, and any static types (docs/decisions/0160)."""
        if "steer" in record:
            self.records[owner, record.get("kind", "address")] = record
        for qtype in ("A", "MX", "TXT", "CAA"):
            if qtype in record:
                data = qtype, frozenset(listed(record[qtype])), record.get("ttl", 300)
                self.static.setdefault(owner, {})[qtype] = data

    # ---- the client: every node that looks at it becomes an ordered list ----

    def resolve(self, node, client, facts):
        """The residual tree, of tuples, so that equal trees are equal."""
        kind = kind_of(node)
        if kind == "use":
            return self.options(node, self.resolve(self.policies[node["use"]], client, facts), client, facts)
        if kind == "endpoint":
            effect = self.rehearsals.effect(node[kind], self.endpoints[node[kind]], client)
            return self.options(node, (kind, node[kind], effect), client, facts)
        if kind == "pool":
            return self.options(node, self.resolve_pool(node, client), client, facts)
        if kind == "answer":
            return ("answer", tuple(sorted((t, tuple(listed(data))) for t, data in node["answer"].items())))
        if kind == "weighted":
            children = tuple((e["weight"], self.resolve(e["to"], client, facts)) for e in node["weighted"])
            return self.options(node, ("weighted", children), client, facts)
        if kind == "switch":
            body = node["switch"]
            children = tuple((p, self.resolve(n, client, facts)) for p, n in sorted(body["positions"].items()))
            return self.options(node, ("switch", body["name"], children), client, facts)
        if kind == "failover":
            children = [self.resolve(child, client, facts) for child in node["failover"]]
        else:
            children = [self.resolve_choice(choice, client, facts)
                        for choice in getattr(self, f"choose_by_{kind}")(node[kind], node, client, facts)]
        return self.options(node, ("list", share_of(node.get("trickle", 0)), tuple(children)), client, facts)

    def resolve_pool(self, node, client):
        """With what overrides for this client make of it and its endpoints; nobody looks into a closed one
        (docs/decisions/0130)."""
        name = node["pool"]
        pool = self.pools[name]
        needed = needed_of(node.get("min_available", pool.get("min_available", 1)), len(pool["endpoints"]))
        state = self.rehearsals.forced("pool", name, client)
        effects = {} if state == "down" else {
            e: self.rehearsals.effect(e, self.endpoints[e], client) for e in members_of(pool)}
        return ("pool", name, needed, state, tuple((e, effect) for e, effect in effects.items() if effect))

    def resolve_choice(self, choice, client, facts):
        child, fence = choice
        residual = self.resolve(child, client, facts)
        return ("fence", residual) if fence else residual

    def options(self, node, residual, client, facts):
        """With what min_available and when_unavailable say around it; and shorter, where that means the same: a child
        that is never there is left out, a repetition in a list too, and one child alone needs no node around it."""
        otherwise = node.get("when_unavailable")
        if isinstance(otherwise, dict):
            otherwise = self.resolve(otherwise, client, facts)
        if residual[0] in ("list", "weighted"):
            residual = plain(residual, node.get("min_available", 1))
        if residual == NONE and otherwise == "serve_all":
            otherwise = None
        return residual if otherwise is None else ("otherwise", otherwise, residual)

    @staticmethod
    def until_fence(choices):
        taken = []
        for child, fence in choices:
            taken.append((child, fence))
            if fence:
                break
        return taken

    def choose_by_geo(self, body, _node, _client, facts):
        choices = []
        for place in facts.places():
            for rule in body["rules"]:
                if place in listed(rule["match"]):
                    choices.append((rule["to"], rule.get("fence", False)))
        if "default" in body:
            choices.append((body["default"], False))
        return self.until_fence(choices)

    def choose_by_network(self, body, _node, client, facts):
        found = []
        for rule in body["rules"]:
            for text in listed(rule["match"]):
                network = network_of(text)
                if network and holds(network, client):
                    found.append((-network[2], rule))
                if facts.asn is not None and text == f"AS{facts.asn}":
                    found.append((1, rule))
        found.sort(key=lambda item: item[0])
        choices = [(rule["to"], rule.get("fence", False)) for _, rule in found]
        if "default" in body:
            choices.append((body["default"], False))
        return self.until_fence(choices)

    def choose_by_nearest(self, _body, node, _client, facts):
        ranked = []
        for i, (child, site, bias) in enumerate(entries(node, "nearest")):
            sites = [site] if site else self.sites_of(child)
            measure = 0.0
            if facts.point:
                d = min(distance_km(facts.point, self.point_of(name)) for name in sites)
                measure = d * (1 - bias / 100) if bias >= 0 else d / (1 + bias / 100)
            ranked.append((measure, name_of(child, sites), i, child))
        return self.ranking(ranked)

    def choose_by_latency(self, body, node, client, facts):
        ranked = []
        table = body.get("table") if isinstance(body, dict) else None
        rows = self.latencies[table]["rows"] if table else {}
        for i, (child, site, _) in enumerate(entries(node, "latency")):
            sites = [site] if site else self.sites_of(child)
            measure = min(self.milliseconds(rows, name, client, facts) for name in sites)
            ranked.append((measure, name_of(child, sites), i, child))
        return self.ranking(ranked)

    @staticmethod
    def ranking(ranked):
        ranked.sort(key=lambda item: item[:3])
        for a, b in zip(ranked, ranked[1:]):
            if a[0] != b[0] and b[0] - a[0] < 1e-3 * max(1.0, a[0]):
                raise Doubt(f"{a[0]} and {b[0]}")
        return [(item[3], False) for item in ranked]

    def milliseconds(self, rows, site, client, facts):
        best, rank = None, None
        for text, measured in rows.items():
            if site not in measured:
                continue
            network = network_of(text)
            if network:
                this = network[2] + 10 if holds(network, client) else None
            elif text == f"AS{facts.asn}":
                this = 9
            else:
                places = facts.places()
                this = len(places) - places.index(text) if text in places else None
            if this is not None and (rank is None or this > rank):
                best, rank = measured[site], this
        if best is not None:
            return float(best)
        if not facts.point:
            return float("inf")
        d = distance_km(facts.point, self.point_of(site))
        return 2 * 0.005 * (1.5 * min(d, 1000.0) + 1.25 * max(d - 1000.0, 0.0))

    def point_of(self, site):
        body = self.sites[site]
        return (body["lat"], body["lon"]) if "lat" in body else country_point(body["at"])

    def sites_of(self, node):
        """The sites of the endpoints in a node, not of its substitutes."""
        kind = kind_of(node)
        if kind == "endpoint":
            site = self.endpoints[node["endpoint"]].get("site")
            return [site] if site else []
        if kind == "pool":
            found = [self.endpoints[name].get("site") for name in members_of(self.pools[node["pool"]])]
        elif kind in ("nearest", "latency"):
            found = [name for child, site, _ in entries(node, kind)
                     for name in ([site] if site else self.sites_of(child))]
        else:
            found = [site for child in self.children_of(node) for site in self.sites_of(child)]
        return sorted(set(site for site in found if site))

    def children_of(self, node):
        kind = kind_of(node)
        body = node[kind]
        if kind == "use":
            return [self.policies[body]]
        if kind == "weighted":
            return [entry["to"] for entry in body]
        if kind == "failover":
            return body
        if kind in ("geo", "network"):
            return [rule["to"] for rule in body["rules"]] + ([body["default"]] if "default" in body else [])
        if kind in ("nearest", "latency"):
            return [child for child, _, _ in entries(node, kind)]
        if kind == "switch":
            return list(body["positions"].values())
        return []

    # ---- health ----

    def endpoint_state(self, name, checks_up, effect=None):
        """up, down or drained; with checks_up their verdicts are read as up, and what people have set holds. effect is
        that of the overrides for this client, each of which goes before the same one for all."""
        of, *what = effect or (None,)
        site = self.endpoints[name].get("site")
        if of == "endpoint":
            return what[0]
        if ("endpoint", name) in self.overrides:
            return self.overrides["endpoint", name]
        if of == "site":
            return what[0]
        if ("site", site) in self.overrides:
            return self.overrides["site", site]
        needed, checks = what if of == "checks" else checks_of(self.endpoints[name])
        return "up" if sum(self.check_passes(check, checks_up) for check in checks) >= needed else "down"

    def check_passes(self, name, checks_up):
        if ("check", name) in self.overrides:
            return self.overrides["check", name] == "up"
        return checks_up or self.checks[name].get("initially", "up") == "up"

    # ---- availability and shares ----

    def answers(self, record, residual, qtype):
        """The distribution over outcomes: {(type, records, ttl): share}; what is missing to 1 is NODATA."""
        root = record["steer"]
        while "use" in root and "when_unavailable" not in root:
            root = self.policies[root["use"]]
        self.none_at_root = root.get("when_unavailable") == "serve_none"
        self.ttl = record.get("ttl", 300)
        for checks_up in (False, True):
            if self.available(residual, checks_up):
                return self.shares(residual, checks_up, qtype)
        return {}

    def available(self, r, checks_up):
        kind = r[0]
        if kind == "endpoint":
            return self.endpoint_state(r[1], checks_up, r[2]) == "up"
        if kind in ("answer", "fence"):
            return True
        if kind == "otherwise":
            return (self.available(r[2], checks_up) or r[1] == "serve_none"
                    or r[1] == "serve_all" and self.available(r[2], True)
                    or isinstance(r[1], tuple) and self.available(r[1], checks_up))
        if kind == "switch":
            return self.available(self.at_position(r), checks_up)
        if kind == "pool":
            return self.pool_available(r, checks_up)
        minimum, r = (r[1], r[2]) if kind == "minimum" else (1, r)
        return sum(self.available(child, checks_up) for child in children(r)) >= minimum

    def pool_available(self, r, checks_up):
        override = r[3] or self.overrides.get(("pool", r[1]))
        if override in ("down", "drained"):
            return False
        up = [e for _, e in self.members_up(r, checks_up)]
        return bool(up) if override == "up" else len(up) >= r[2]

    def members_up(self, r, checks_up):
        """[(weight, name)]"""
        _, name, _, state, effects = r
        checks_up = checks_up or (state or self.overrides.get(("pool", name))) == "up"
        return [(w, e) for e, w in members_of(self.pools[name]).items()
                if self.endpoint_state(e, checks_up, dict(effects).get(e)) == "up"]

    def shares(self, r, checks_up, qtype):
        kind = r[0]
        if kind == "minimum":
            return self.shares(r[2], checks_up, qtype)
        if kind == "endpoint":
            return self.outcome([r[1]], qtype)
        if kind == "answer":
            return self.fixed(dict(r[1]), qtype)
        if kind == "pool":
            return self.pool_shares(r, checks_up, qtype)
        if kind == "switch":
            return self.shares(self.at_position(r), checks_up, qtype)
        if kind == "fence":
            return self.fenced(r[1], checks_up, qtype)
        if kind == "otherwise":
            if self.available(r[2], checks_up):
                return self.shares(r[2], checks_up, qtype)
            if r[1] == "serve_none":
                return {}
            return self.shares(r[2], True, qtype) if r[1] == "serve_all" else self.shares(r[1], checks_up, qtype)
        if kind == "weighted":
            open_ = [(w, child) for w, child in r[1] if self.available(child, checks_up)]
            parts = [(w, self.shares(child, checks_up, qtype)) for w, child in first_tier(open_)]
            return mixture([(w, part) for w, part in parts if part])
        open_ = [child for child in r[2] if self.available(child, checks_up)]
        if not open_:
            return {}
        first = self.shares(open_[0], checks_up, qtype)
        if r[1] and len(open_) > 1:
            # What would leak to one that has nothing of this type stays (docs/decisions/0140).
            leak = self.shares(open_[1], checks_up, qtype)
            return mixture([(1 - r[1], first), (r[1], leak)]) if first and leak else first
        return first

    def fenced(self, r, checks_up, qtype):
        if self.available(r, checks_up):
            return self.shares(r, checks_up, qtype)
        if self.none_at_root or not self.available(r, True):
            return {}
        return self.shares(r, True, qtype)

    def at_position(self, r):
        position = self.positions.get(r[1]) or initial_of(self.switches[r[1]])
        return dict(r[2])[position]

    def pool_shares(self, r, checks_up, qtype):
        pool = self.pools[r[1]]
        tier = [(w, e) for w, e in first_tier(self.members_up(r, checks_up)) if self.gives(e, qtype)]
        pick = pool.get("pick", "one")
        if pick == "one":
            return mixture([(w, self.outcome([e], qtype)) for w, e in tier])
        count = pool.get("max", 8) if pick == "all" else pick
        return mixture([(share, self.outcome(given, qtype)) for share, given in systematic(tier, count)])

    def gives(self, name, qtype):
        body = self.endpoints[name]
        key = {"A": "ipv4", "AAAA": "ipv6", "HTTPS": "https", "SVCB": "svcb", "CNAME": "hostname", "MX": "hostname",
               "SRV": "srv", "TXT": None}[qtype]
        return key in body

    # ---- outcomes ----

    def outcome(self, names, qtype):
        """One RRset with its TTL, the least cap of the endpoints in it."""
        names = [name for name in names if self.gives(name, qtype)]
        if not names:
            return {}
        bodies = [self.endpoints[name] for name in names]
        ttl = min([self.ttl] + [body["ttl_cap"] for body in bodies if "ttl_cap" in body])
        return {(qtype, frozenset(self.records_of(bodies, qtype)), ttl): Fraction(1)}

    @staticmethod
    def records_of(bodies, qtype):
        if qtype in ("A", "AAAA"):
            return [text for body in bodies for text in addresses_of(body, "ipv4" if qtype == "A" else "ipv6")]
        if qtype == "CNAME":
            return [dotted(body["hostname"]) for body in bodies]
        if qtype == "MX":
            return [f"{body.get('mx', {}).get('preference', 10)} {dotted(body['hostname'])}" for body in bodies]
        if qtype == "SRV":
            return [f"{srv.get('priority', 0)} {srv.get('weight', 0)} {srv['port']} {dotted(body['hostname'])}"
                    for body in bodies for srv in [body["srv"]]]
        services = {}
        for body in bodies:
            service = body[qtype.lower()]
            alpn = tuple(listed(service.get("alpn", [])))
            hints = services.setdefault((service.get("priority", 1), alpn, service.get("port")), (set(), set()))
            for i, family in enumerate(("ipv4", "ipv6")):
                hints[i].update(addresses_of(body, family))
        return [service_text(*key, *hints) for key, hints in services.items()]

    def fixed(self, data, qtype):
        if qtype not in data:
            return {}
        records = frozenset(str(ipaddress.IPv6Address(r)) if qtype == "AAAA" else r for r in data[qtype])
        return {(qtype, records, self.ttl): Fraction(1)}

    # ---- coherent draws ----

    def told_apart(self, r):
        """Whether only endpoints are given, each known by an address of its own in each family that it has; and together
        only those that have all types, since other sets count as different."""
        kind = r[0]
        if kind == "answer":
            return False
        if kind not in ("endpoint", "pool"):
            return all(self.told_apart(child) for child in below(r))
        names = [r[1]] if kind == "endpoint" else list(members_of(self.pools[r[1]]))
        if kind == "pool" and self.pools[r[1]].get("pick", "one") != "one" and not all(
                self.gives(name, qtype) for name in names for qtype in ("A", "AAAA", "HTTPS")):
            return False
        return all(len(self.named(key, [address])) == 1 for name in names for key in ("ipv4", "ipv6")
                   for address in addresses_of(self.endpoints[name], key))

    def nested(self, r):
        """Whether what has HTTPS has AAAA, and what has AAAA has A."""
        kind = r[0]
        if kind not in ("endpoint", "pool"):
            return all(self.nested(child) for child in below(r))
        names = [r[1]] if kind == "endpoint" else members_of(self.pools[r[1]])
        return not any(self.gives(name, less) and not self.gives(name, more) for name in names
                       for less, more in (("HTTPS", "AAAA"), ("AAAA", "A")))

    def named(self, key, addresses):
        """The endpoints that have one of these addresses."""
        return {name for name, body in self.endpoints.items() if set(addresses_of(body, key)) & set(addresses)}

    # ---- where a sticky draw has a choice ----

    def can_give(self, r, qtype):
        kind = r[0]
        if kind == "endpoint":
            return self.gives(r[1], qtype)
        if kind == "answer":
            return qtype in dict(r[1])
        if kind == "pool":
            return any(self.gives(e, qtype) for e in members_of(self.pools[r[1]]))
        return any(self.can_give(child, qtype) for child in below(r))

    def has_choice(self, r, qtype):
        """Whether some state of health leaves a choice (docs/decisions/0081), for others if not for this client (0145)."""
        kind = r[0]
        if kind in ("endpoint", "answer"):
            return False
        if kind == "pool":
            pool = self.pools[r[1]]
            pick = pool.get("pick", "one")
            count = {"one": 1, "all": pool.get("max", 8)}.get(pick, pick)
            able = [w for e, w in members_of(pool).items() if self.gives(e, qtype)]
            return sum(w > 0 for w in able) > count or sum(w == 0 for w in able) > count
        if any(self.has_choice(child, qtype) for child in below(r)):
            return True
        if kind == "weighted":
            able = [w for w, child in r[1] if self.can_give(child, qtype)]
            return sum(w > 0 for w in able) > 1 or sum(w == 0 for w in able) > 1
        if kind == "list":
            return r[1] > 0 and sum(self.can_give(child, qtype) for child in r[2]) > 1
        return False
