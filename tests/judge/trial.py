# SPDX-License-Identifier: GPL-3.0-or-later
"""One steerd and its world: documents are applied, health is set, questions are asked and judged."""
import ipaddress
import json
import signal
from fractions import Fraction

import draws
import setups
from asking import Api, Asker, Malformed, Reply, question, service_hints, shown_text, subnet_option
from clients import AREAS, BITS, SIX_TO_FOUR, Client, Geo, embed, last_of, masked
from model import World
from parts import SLOTS, TYPES_OF, Doubt
from running import wait_until
from spelling import respelled
from steered import Steered

OTHER_TYPES = ("A", "MX", "SRV", "TXT", "CAA")
BATCH = 20000


class Trial:
    def __init__(self, options, steerd, setup, rng, seed, tally):
        self.options, self.steerd, self.setup = options, steerd, setup
        self.rng, self.seed, self.tally = rng, seed, tally
        self.geo = Geo(setup.files)
        self.world = World(self.geo)
        self.documents = {}
        self.connect()

    def connect(self):
        self.api = Api(self.steerd.admin_port, self.steerd.token())
        self.udp = Asker(self.steerd.dns_port)

    def close(self):
        self.udp.close()

    def resolver(self, source=None):
        """Another one, at a loopback address."""
        source = source or f"127.{self.rng.randint(0, 255)}.{self.rng.randint(0, 255)}.{self.rng.randint(1, 254)}"
        return Asker(self.steerd.dns_port, source, "::1" if ":" in source else "127.0.0.1")

    @staticmethod
    def client_of(family, address):
        """A whole address; None: one that stops before its IPv4 address."""
        return Client(6, SIX_TO_FOUR[0], SIX_TO_FOUR[1]) if family is None else Client(family, address, BITS[family])

    # ---- changes ----

    def document(self, zone, states):
        document = self.setup.document(zone)
        if not self.apply(document):
            return
        steered = self.steered(zone)
        for s in steered:
            self.tally.counts["runs"] += sum(map(len, s.classes.runs.values()))
            self.tally.counts["classes"] += len({r for runs in s.classes.runs.values() for _, _, r in runs})
        for state in range(states):
            self.set_health(document, state)
            if self.rehearse(document, state):
                steered = self.steered(zone)
            for s in steered:
                self.judge(s, state)
            self.judge_draws(steered)

    def apply(self, document):
        zone = document["zone"]
        documents = [{"name": zone, "text": json.dumps(respelled(self.rng, document))}]
        status, body = self.api.call("POST", "/api/v1/apply", {"documents": documents})
        if status != 200:
            self.tally.fault("refused", zone, lambda: f"seed {self.seed} {zone}", "200", f"{status} {body['detail']}")
            return False
        self.world.learn(document)
        self.documents[zone] = document
        self.tally.counts["documents"] += 1
        return True

    def edit(self):
        """The last document again, with other data under the same names."""
        if self.documents and self.apply(setups.edited(self.setup, list(self.documents.values())[-1])):
            self.judge_again(list(self.documents)[-1])

    def reload_geo(self):
        """SIGHUP; it is in force when the audit says so."""
        def reloads():
            return sum(entry["who"] == "steerd" for entry in self.api.call("GET", "/api/v1/audit?limit=1000")[1])
        self.geo.forget()
        before = reloads()
        self.steerd.process.send_signal(signal.SIGHUP)
        wait_until(lambda: reloads() > before, 30, "the geo data are read again")
        for zone in self.documents:
            self.judge_again(zone)

    def restart(self):
        """What was stored is what there was."""
        self.steerd.stop()
        self.steerd.start()
        self.connect()
        for zone in self.documents:
            self.judge_again(zone)

    def judge_again(self, zone):
        """Some of its records, in the present state of health."""
        steered = self.steered(zone)
        for s in self.rng.sample(steered, min(4, len(steered))):
            self.judge(s, 1)

    def steered(self, zone):
        steered = []
        for (owner, kind), record in self.world.records.items():
            if owner == zone or owner.endswith("." + zone):
                try:
                    steered.append(Steered(self, owner, kind, record))
                except Doubt:
                    self.tally.counts["doubts"] += 1
        self.tally.counts["records"] += len(steered)
        return steered

    def put(self, path, body):
        status, text = self.api.call("PUT", path, body)
        if status not in (200, 201, 204):
            raise Malformed(f"PUT {path}: {status} {text}")

    def set_health(self, document, state):
        rng = self.rng
        self.tally.counts["states"] += 1
        for kind, target in list(self.world.overrides):
            self.api.call("DELETE", f"/api/v1/overrides/{kind}/{target}")
        self.world.overrides.clear()
        density = 0 if state == 0 else rng.choice((0.1, 0.3, 0.6))
        for kind in ("endpoint", "pool", "site", "check"):
            for target in document[kind + "s"]:
                if rng.random() < density * (1 if kind in ("endpoint", "check") else 0.4):
                    verdict = rng.choice(("up", "down", "drained") if kind != "check" else ("up", "down"))
                    self.put(f"/api/v1/overrides/{kind}/{target}", {"state": verdict, "reason": "judged"})
                    self.world.overrides[kind, target] = verdict
        for name, switch in document["switches"].items():
            if state and rng.random() < 0.6:
                self.world.positions[name] = rng.choice(switch["positions"])
                self.put(f"/api/v1/switches/{name}", {"position": self.world.positions[name], "reason": "judged"})

    def rehearse(self, document, state):
        """Overrides for the clients of some networks, which nest and overlap; the former ones end. True where classes
        may have changed."""
        rng, changed = self.rng, self.end_rehearsals(lambda: True)
        if state == 0 or rng.random() < 0.2:
            return changed
        networks = self.setup.crowd(rng.randint(2, 9))
        for _ in range(rng.randint(1, 10)):
            kind = rng.choice(("endpoint", "endpoint", "pool", "site", "check"))
            target = rng.choice(list(document[kind + "s"]))
            named = {network for key in self.world.rehearsals.set.get((kind, target), ()) for network in key}
            chosen = [network for network in rng.sample(networks, rng.randint(1, min(3, len(networks))))
                      if network not in named]
            if chosen:
                self.rehearse_one(kind, target, chosen)
        self.rehearse_checks(document, networks)
        return True

    def rehearse_checks(self, document, networks):
        """Different checks of one endpoint for the two halves of a network: it may come to the same."""
        several = [body["checks"] for body in document["endpoints"].values() if len(body.get("checks", ())) > 1]
        wide = [network for network in networks if network[2] < BITS[network[0]]]
        for checks in self.rng.sample(several, min(2, len(several))) if wide else ():
            family, first, length = self.rng.choice(wide)
            state = self.rng.choice(("up", "down"))
            for i, check in enumerate(self.rng.sample(checks, 2)):
                half = family, first | i << BITS[family] - length - 1, length + 1
                if not any(half in key for key in self.world.rehearsals.set.get(("check", check), ())):
                    self.rehearse_one("check", check, [half], state)

    def rehearse_one(self, kind, target, networks, state=None):
        """Again, in another order, with another state: it replaces the first one."""
        states = (state,) if state else ("up", "down") if kind == "check" else ("up", "down", "drained")
        for _ in range(self.rng.choice((1, 1, 2))):
            state = self.rng.choice(states)
            self.rng.shuffle(networks)
            self.put(f"/api/v1/overrides/{kind}/{target}",
                     {"state": state, "reason": "judged", "clients": [setups.text_of(*network) for network in networks]})
            self.world.rehearsals.put(kind, target, frozenset(networks), state)
        self.tally.counts["rehearsals"] += 1

    def end_rehearsals(self, chosen):
        """Those of which chosen() says so; whether there were any."""
        ended = [rehearsal for rehearsal in self.world.rehearsals.all() if chosen()]
        for kind, target, networks, _ in ended:
            clients = ",".join(setups.text_of(*network) for network in networks)
            status, body = self.api.call("DELETE", f"/api/v1/overrides/{kind}/{target}?clients={clients}")
            if status != 204:
                raise Malformed(f"DELETE of {kind} {target} for {clients}: {status} {body}")
            self.world.rehearsals.take(kind, target, networks)
        return bool(ended)

    def end_some(self):
        """What is left of them stays in force."""
        if self.end_rehearsals(lambda: self.rng.random() < 0.6):
            for zone in self.documents:
                self.judge_again(zone)

    # ---- one record in one state ----

    def judge(self, s, state):
        self.shares, self.owners, self.slots = {}, {}, {}
        self.explain_classes(s)
        clients = self.clients(s)
        if state:
            clients = self.rng.sample(clients, min(len(clients), 300))
        types = TYPES_OF[s.kind] + self.beside(s)
        cases = []
        for i, (family, address, source) in enumerate(clients):
            for qtype in types if source == BITS[family] and i % 9 == 0 else (types[i % len(types)],):
                cases.append((family, address, source, qtype))
        for i in range(0, len(cases), BATCH):
            self.ask(s, cases[i:i + BATCH])
        self.ask_from_sources(s, types)
        if s.mode != "random" and s.kind == "address":
            self.ask_alike(s)

    def beside(self, s):
        """A type that is no steered kind's of this name: static data, or nothing. An alias answers for all."""
        if s.kind == "cname":
            return ("A",)
        steered = {qtype for owner, kind in self.world.records if owner == s.owner for qtype in TYPES_OF[kind]}
        others = [qtype for qtype in OTHER_TYPES if qtype not in steered]
        return tuple(self.rng.sample(others, min(2, len(others))))

    def clients(self, s):
        """Every border of what the policy looks at and of its classes +-1, first and last of each returned prefix,
        shorter sources, and IPv4 inside IPv6."""
        rng, found = self.rng, {}
        for family in BITS:
            top = (1 << BITS[family]) - 1
            edges = {0, top}
            for first, last in s.borders[family]:
                edges |= {first - 1, first, last, last + 1}
            for first, last, _ in s.classes.runs[family]:
                edges |= {first - 1, first, last, last + 1}
            for address in list(edges):
                if 0 <= address <= top:
                    length = s.classes.scope(family, address)
                    first = masked(family, address, length)
                    edges |= {first, last_of(family, first, length)}
            edges |= {rng.getrandbits(BITS[family]) for _ in range(8)}
            for address in edges:
                if 0 <= address <= top:
                    found[family, address, BITS[family]] = True
        for family, address, bits in rng.sample(list(found), min(40, len(found))):
            for source in rng.sample(range(1, bits + 1), 6):
                found[family, masked(family, address, source), source] = True
        for family, address, bits in rng.sample(list(found), 2):
            for source in range(1, BITS[family] + 1):
                found[family, masked(family, address, source), source] = True
        v4 = [address for family, address, source in found if family == 4 and source == 32]
        for address in rng.sample(v4, min(60, len(v4))):
            for area in AREAS:
                inside = embed(area, address, rng.getrandbits(128))
                source = 128 if rng.random() < 0.6 else rng.randint(area[1], 128)
                found[6, masked(6, inside, source), source] = True
        return list(found)

    def explain_classes(self, s):
        """One client of each class and type: exact shares."""
        samples = {}
        for family, runs in s.classes.runs.items():
            for first, _, residual in runs:
                if residual is not None:
                    samples.setdefault(residual, (family, first))
        chosen = list(samples.items())
        if len(chosen) > 12:
            chosen = self.rng.sample(chosen, 12)
        for residual, (family, address) in chosen:
            for qtype in TYPES_OF[s.kind]:
                self.explain(s, residual, family, address, qtype)

    def expected(self, s, residual, qtype):
        key = residual, qtype
        if key not in self.shares:
            asked = "CNAME" if s.kind == "cname" else qtype
            if asked in TYPES_OF[s.kind]:
                self.shares[key] = self.world.answers(s.record, residual, asked)
            else:
                static = self.world.static.get(s.owner, {}).get(asked)
                self.shares[key] = {static: Fraction(1)} if static else {}
        return self.shares[key]

    def where(self, s, family, address, source, qtype):
        """All that is needed to see a disagreement with one's own eyes."""
        world, lines = self.world, []
        client = Client(family, address, source)
        residual = s.residual(client)
        used = {name for part in ("endpoints", "pools", "latencies", "sites", "checks", "switches")
                for name in getattr(world, part) if f'"{name}"' in json.dumps(s.record) or f"'{name}'" in str(residual)}
        for part in ("pools", "endpoints", "latencies", "switches"):
            for name in sorted(used & set(getattr(world, part))):
                lines.append(f"{part[:-1]} {name} {json.dumps(getattr(world, part)[name])}")
                used |= set(getattr(world, part)[name].get("endpoints", ())) if part == "pools" else set()
        if client.family:
            first, last, _ = s.classes.run_of(client.family, client.address)
            lines.append(f"class from {address_text(client.family, first)} to {address_text(client.family, last)}")
            lines.append(f"geo {self.geo.fields(client.family, client.address)}")
        lines += [f"residual {residual}", f"overrides {world.overrides}", f"positions {world.positions}"]
        lines += [f"{kind} {target} {state} for {', '.join(setups.text_of(*network) for network in networks)}"
                  for kind, target, networks, state in world.rehearsals.all()]
        return (f"seed {self.seed} {s.name} {qtype} client {case_text((family, address, source))}"
                f"\n  record {json.dumps(s.record)}\n  " + "\n  ".join(lines))

    def explain(self, s, residual, family, address, qtype):
        text = f"{address_text(family, address)}/{BITS[family]}"
        status, body = self.api.explain(s.name, qtype, text)
        self.tally.counts["explained"] += 1
        where = lambda: self.where(s, family, address, BITS[family], qtype)  # noqa: E731
        if status != 200:
            self.tally.fault("explain", s.name, where, "200", f"{status} {body}")
            return
        wanted, got = self.expected(s, residual, qtype), {}
        for answer in body["answers"]:
            key = outcome_of(qtype, answer)
            got[key] = got.get(key, 0) + Fraction(answer["exact"])
        if s.mode == "sticky":
            self.slots[residual, qtype] = got
            if "given" in body:
                self.owners[self.owner_key(s, Client(family, address, BITS[family]), residual, qtype)] = outcome_of(
                    qtype, body["answers"][body["given"]])
            if self.slot_shares(s, where, wanted, got):
                return
        if wanted != got and not rounded(wanted, got):
            self.tally.fault("shares", s.name, where, shown(wanted),
                             f"{shown(got)}\n  resolved {json.dumps(body['resolution'])}")

    def slot_shares(self, s, where, wanted, got):
        """Shares of slots: the same answers, in 4,096ths, each near its weight. True where they are good."""
        if len(wanted) < 2:
            return False
        if sum(got.values()) != 1 or not set(got) <= set(wanted):
            return False
        if any(SLOTS % share.denominator for share in got.values()):
            return False
        for key, share in wanted.items():
            self.tally.counts["slots"] += 1
            far = abs(got.get(key, 0) - share)
            self.tally.worst = max(self.tally.worst, far)
            if far > draws.slot_bound(share):
                self.tally.fault("slots", s.name, where, f"{key}: {share}", got.get(key, 0))
        return True

    @staticmethod
    def owner_key(s, client, residual, qtype):
        """Those who must get the same of a sticky draw: a network of one class."""
        return residual, qtype, client.family, masked(client.family, client.address,
                                                      s.network_length(client.family, client.address))

    # ---- draws ----

    def judge_draws(self, steered):
        """One test of each way to draw."""
        for mode in ("random", "coherent", "sticky"):
            for s in self.rng.sample(steered, len(steered)):
                if s.mode == mode and self.judge_draw(s):
                    break

    def judge_draw(self, s):
        """False where there is nothing to draw."""
        self.shares, self.owners, self.slots = {}, {}, {}
        first, last, residual = self.rng.choice(s.classes.runs[4])
        qtype = self.rng.choice(TYPES_OF[s.kind])
        wanted = self.expected(s, residual, qtype)
        if len(wanted) < 2:
            return False
        test = draws.Draws(self, s)
        if s.mode == "sticky":
            self.explain(s, residual, 4, first, qtype)
            test.sticky(first, last, qtype, self.slots[residual, qtype])
        else:
            getattr(test, s.mode)(4, first, qtype, wanted)
        if s.mode == "coherent" and s.kind == "address" and self.world.told_apart(residual):
            self.judge_agreement(test, s, first, residual)
        return True

    def judge_agreement(self, test, s, client, residual):
        """Of the type with the most outcomes and another one: both give the same as often as they can (0084)."""
        outcomes = {qtype: self.expected(s, residual, qtype) for qtype in TYPES_OF[s.kind]}
        first, *others = sorted((qtype for qtype in outcomes if outcomes[qtype]), key=lambda t: -len(outcomes[t]))
        shares = {qtype: {self.endpoints_in(outcome): share for outcome, share in outcomes[qtype].items()}
                  for qtype in outcomes}
        for other in self.rng.sample(others, min(1, len(others))):
            wanted = {names: min(share, shares[other][names]) for names, share in shares[first].items()
                      if names in shares[other]}
            apart = 1 - sum(wanted.values())
            test.agreement(client, first, other, {**wanted, "apart": apart} if apart else wanted)

    # ---- over UDP ----

    def ask(self, s, cases):
        messages = [question(0, s.wire, qtype, subnet_option(family, address, source))
                    for family, address, source, qtype in cases]
        for case, sent, octets in zip(cases, messages, self.udp.ask(messages)):
            self.check(s, case, sent, octets)

    def ask_from_sources(self, s, types):
        """Without a client subnet, or with one of length 0, the packet's source is the client."""
        near = [address for first, last in s.borders[4] for address in (first - 1, first, last, last + 1)
                if 0x7f000000 < address < 0x7fffffff]
        sources = self.rng.sample(near, min(4, len(near))) + [0x7f000001]
        for family, source in [(4, source) for source in sources] + [(6, 1)]:
            with self.resolver(address_text(family, source)) as udp:
                for option in (b"", subnet_option(4, 0, 0), subnet_option(6, 0, 0)):
                    qtype = self.rng.choice(types)
                    sent = question(0, s.wire, qtype, option)
                    self.tally.counts["source"] += 1
                    self.check(s, (family, source, BITS[family], qtype), sent, udp.ask([sent])[0], bool(option))

    def ask_alike(self, s):
        """One resolver, one moment, one client: the same endpoint in A, AAAA and HTTPS, wherever it has them."""
        residuals = {residual for runs in s.classes.runs.values() for _, _, residual in runs if residual}
        if not all(self.world.told_apart(residual) for residual in residuals):
            return
        nested = all(self.world.nested(residual) for residual in residuals)
        if s.mode == "sticky" and not nested:
            return
        for _ in range(6):
            family, address = self.rng.choice(((4, self.rng.getrandbits(32)), (6, self.rng.getrandbits(128))))
            option = subnet_option(family, address, BITS[family])
            messages = [question(0, s.wire, qtype, option) for qtype in ("A", "AAAA", "HTTPS", "A")]
            with self.resolver() as udp:
                replies = [Reply(octets, sent[12:16 + len(s.wire)]).outcome
                           for sent, octets in zip(messages, udp.ask(messages))]
            if replies[0] != replies[3]:
                continue  # a TTL ended meanwhile
            self.tally.counts["coherent"] += 1
            residual = s.residual(Client(family, address, BITS[family]))
            for more, less in (("A", "AAAA"), ("A", "HTTPS"), ("AAAA", "HTTPS")):
                if nested and not self.agree(s, residual, more, less, dict(zip(("A", "AAAA", "HTTPS"), replies))):
                    self.tally.fault("coherence", s.name, lambda: self.where(s, family, address, BITS[family], more),
                                     f"the same endpoints in {less}", replies)

    def agree(self, s, residual, more, less, replies):
        """docs/decisions/0084: what less gives with at least the share that it has of more, it gives when more does."""
        drawn, given = (self.endpoints_in(replies[qtype]) for qtype in (more, less))
        if not drawn or drawn == given or not all(self.world.gives(name, less) for name in drawn):
            return True
        return self.share_of(s, residual, less, drawn) < self.share_of(s, residual, more, drawn)

    def share_of(self, s, residual, qtype, names):
        return sum(share for outcome, share in self.expected(s, residual, qtype).items()
                   if self.endpoints_in(outcome) == names)

    def endpoints_in(self, outcome):
        """The names of those that are told apart by what they give."""
        if not outcome:
            return frozenset()
        v4, v6 = {"A": (outcome[1], ()), "AAAA": ((), outcome[1])}.get(outcome[0]) or service_hints(outcome[1])
        return frozenset(self.world.named("ipv4", v4) | self.world.named("ipv6", v6))

    def check(self, s, case, sent, octets, subnet=None):
        """subnet: whether one was sent whose answer is chosen by the packet's source."""
        family, address, source, qtype = case
        counts = self.tally.counts
        counts["asked"] += 1
        client = Client(family, address, source)
        counts["inside"] += client.offset > 0
        residual = s.residual(client)
        wanted = self.expected(s, residual, qtype)
        try:
            reply = Reply(octets, s.wire + sent[12 + len(s.wire):16 + len(s.wire)])
        except (Malformed, IndexError, KeyError) as error:
            self.tally.fault("malformed", s.name, lambda: self.where(s, *case), "a reply", f"{error!r} {octets.hex()}")
            return
        if reply.rcode or (reply.outcome not in wanted if reply.outcome else wanted) or (
                reply.negative == bool(reply.outcome)):
            self.tally.fault("answer", s.name, lambda: self.where(s, *case), shown(wanted),
                             f"rcode {reply.rcode} {reply.outcome}")
        if reply.outcome and qtype in TYPES_OF[s.kind] and s.draws(self.world, residual, qtype) and client.family:
            key = self.owner_key(s, client, residual, qtype)
            if self.owners.setdefault(key, reply.outcome) != reply.outcome:
                self.tally.fault("sticky", s.name, lambda: self.where(s, *case), self.owners[key], reply.outcome)
        if subnet is not None:
            if (reply.scope and reply.scope[0]) != (0 if subnet else None):
                self.tally.fault("scope wrong", s.name, lambda: self.where(s, *case), "0" if subnet else "none",
                                 reply.scope)
            return
        option = sent[-subnet_size(source) - 3:]
        asked = "CNAME" if s.kind == "cname" else qtype
        scope = s.scope(self.world, client, residual, asked) if reply.outcome and asked in TYPES_OF[s.kind] else 0
        if not reply.scope or reply.scope[1] != option:
            self.tally.fault("echo", s.name, lambda: self.where(s, *case), option, reply.scope)
        elif reply.scope[0] != scope:
            counts["scopes"] += 1
            kind = "scope not minimal" if reply.scope[0] > scope else "scope wrong"
            self.tally.fault(kind, s.name, lambda: self.where(s, *case), scope, reply.scope[0])
        counts["short"] += source < scope


def outcome_of(qtype, answer):
    """An answer as explain shows it."""
    return qtype, frozenset(shown_text(qtype, record) for record in answer["records"]), answer["ttl"]


def rounded(wanted, got):
    """Whether they differ only where a share needs more than 64 bits: steerd has it to 61."""
    return set(wanted) == set(got) and all(share == got[key] or (
        share.denominator >> 61 and abs(share - got[key]) < Fraction(1, 1 << 58)) for key, share in wanted.items())


def subnet_size(source):
    return 1 + (source + 7) // 8


def address_text(family, address):
    return str((ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(address))


def case_text(case):
    return f"{address_text(case[0], case[1])}/{case[2]}"


def shown(shares):
    return "; ".join(f"{share} {kind} {', '.join(sorted(records))} ttl {ttl}"
                     for (kind, records, ttl), share in shares.items()) or "NODATA"
