# SPDX-License-Identifier: GPL-3.0-or-later
"""octoDNS's dynamic records, judged by an evaluator of their semantics that shares nothing with steerd's."""
import ipaddress
import json
import os
import random
import re
import subprocess
import unittest
from fractions import Fraction

from support import BIN, ROOT, SteerdTest

CITY = os.path.join(ROOT, "geodata", "city.mmdb")
# Clients of geodata/city.mmdb and octoDNS's code of where they are; nobody knows the last one.
CLIENTS = {"198.51.100.1": "NA-US-CA", "198.51.100.129": "NA-US-NY", "100.65.11.1": "NA-US-TX", "100.65.6.1": "NA-CA-QC",
           "192.0.2.1": "EU-DE", "100.65.8.1": "EU-GB", "100.65.10.1": "EU-FR", "203.0.113.1": "AS-SG",
           "100.65.9.1": "AS-JP", "100.65.5.1": "OC-AU", "100.65.7.1": "SA-BR", "100.65.12.1": "AF-ZA", "10.9.8.7": ""}
PLACES = ["NA-US-CA", "NA-US-NY", "NA-CA-QC", "NA-US", "NA-CA", "EU-DE", "EU-GB", "AS-SG", "OC-AU", "SA-BR",
          "NA", "EU", "AS", "OC", "SA", "AF"]
SUBNETS = ["198.51.100.0/25", "198.51.100.0/24", "100.65.8.0/24", "192.0.2.0/24", "100.65.0.0/20", "10.0.0.0/8"]


# ---- what octoDNS means ---------------------------------------------------------------------------

def rule_for(record, client, place):
    """Networks before places; in each the first rule that holds the client."""
    rules = record["dynamic"]["rules"]
    address = ipaddress.ip_address(client)
    for rule in rules:
        if any(address in ipaddress.ip_network(subnet) for subnet in rule.get("subnets", [])):
            return rule
    for rule in rules:
        if any(place == geo or place.startswith(geo + "-") for geo in rule.get("geos", [])):
            return rule
    return next(rule for rule in rules if "geos" not in rule and "subnets" not in rule)


def shares(record, client, place, down):
    """Set of values -> its share of the answers. down: (pool, value) that fail their checks."""
    pool = rule_for(record, client, place)["pool"]
    while pool:
        data = record["dynamic"]["pools"][pool]
        given = [value for value in data["values"] if value.get("status") != "down"
                 and (value.get("status") == "up" or (pool, value["value"]) not in down)]
        if given:
            total = sum(value.get("weight", 1) for value in given)
            return {frozenset([value["value"]]): Fraction(value.get("weight", 1), total) for value in given}
        pool = data.get("fallback")
    return {frozenset(record["values"]): Fraction(1)}


# ---- records by chance ----------------------------------------------------------------------------

def make_record(rng, index, subnets):
    names = ["pool-" + letter for letter in "abcd"[:rng.randint(1, 4)]]
    pools = {}
    for i, name in enumerate(names):
        values = []
        for k in range(rng.randint(1, 3)):
            value = {"value": f"172.16.{index}.{i * 10 + k}", "status": rng.choice(["obey", "obey", "up", "down"])}
            if rng.random() < 0.2:
                del value["status"]
            values.append(value)
        for value in values:
            value["weight"] = rng.randint(1, 9) if len(values) > 1 else 1
        pools[name] = {"values": values}
        if i + 1 < len(names) and rng.random() < 0.7:
            pools[name]["fallback"] = rng.choice(names[i + 1:])  # forward only: no loop
    places = rng.sample(PLACES, rng.randint(0, 6))
    networks = rng.sample(SUBNETS, rng.randint(0, 3)) if subnets else []
    # octoDNS wants the narrower before the wider: one rule for each, in that order.
    networks.sort(key=lambda text: -ipaddress.ip_network(text).prefixlen)
    places.sort(key=lambda text: -len(text))
    rules = [{"subnets": [network], "pool": rng.choice(names)} for network in networks]
    rules += [{"geos": [place], "pool": rng.choice(names)} for place in places]
    # Some rules have both; the network still comes before all places.
    both = [i for i, rule in enumerate(rules) if "geos" in rule]
    if networks and both and rng.random() < 0.5:
        rules[both[0]]["subnets"] = rules[len(networks) - 1]["subnets"]
        del rules[len(networks) - 1]
    rules.append({"pool": rng.choice(names)})
    return {"type": "A", "ttl": 60, "values": [f"172.16.{index}.250", f"172.16.{index}.251"][:rng.randint(1, 2)],
            "dynamic": {"pools": pools, "rules": rules},
            "octodns": {"healthcheck": {"protocol": "TCP", "port": 9}}}


class OctoDNS(SteerdTest):
    geo = (CITY,)

    def setUp(self):
        super().setUp()
        self.steerd.start()

    def convert(self, zone, name="octo.test", check=True):
        path = self.write(name + ".yaml", json.dumps(zone))
        done = subprocess.run([os.path.join(BIN, "steerctl"), "import", "octodns", path], capture_output=True, text=True,
                              timeout=60, check=False)
        if check:
            self.assertEqual(0, done.returncode, done.stderr)
        return done

    def explained(self, name, client):
        code, body = self.steerd.http("GET", f"/api/v1/explain?name={name}&type=A&client={client}")
        self.assertEqual(200, code, body)
        answers = {}
        for answer in json.loads(body)["answers"]:
            values = frozenset(re.findall(r"(?:\d+\.){3}\d+", " ".join(answer["records"])))
            answers[values] = answers.get(values, 0) + Fraction(answer["exact"])
        return answers

    def set_health(self, zone, rng):
        """Overrides stand for verdicts; each that obeys gets one."""
        down = {}
        for name, record in zone.items():
            down[name] = set()
            for pool, data in record["dynamic"]["pools"].items():
                for i, value in enumerate(data["values"]):
                    if value.get("status", "obey") != "obey":
                        continue
                    state = rng.choice(["up", "down"])
                    if state == "down":
                        down[name].add((pool, value["value"]))
                    code, body = self.steerd.http("PUT", f"/api/v1/overrides/endpoint/{name}.octo.test.{pool}-{i + 1}",
                                                  {"state": state, "reason": "test"})
                    self.assertIn(code, (200, 204), body)
        return down

    def judge(self, zone, rounds, rng):
        for _ in range(rounds):
            down = self.set_health(zone, rng)
            for name, record in zone.items():
                for client, place in CLIENTS.items():
                    with self.subTest(name=name, client=client, place=place):
                        self.assertEqual(shares(record, client, place, down[name]),
                                         self.explained(f"{name}.octo.test", client), json.dumps(record))

    def test_random_records_mean_the_same_for_all_clients_whatever_is_down(self):
        rng = random.Random(7)
        zone = {f"r{i}": make_record(rng, i, subnets=i % 2 == 0) for i in range(24)}
        self.apply(self.convert(zone).stdout)
        self.judge(zone, 2, rng)

    def test_what_was_exported_and_imported_again_is_the_same_document(self):
        rng = random.Random(8)
        zone = {f"r{i}": make_record(rng, i, subnets=i % 2 == 0) for i in range(24)}
        # A pool of which all is down does not come back, and octoDNS lets no two rules lead to one pool.
        for record in zone.values():
            used = set()
            for data in record["dynamic"]["pools"].values():
                data["values"][0]["status"] = "up"
            rules = record["dynamic"]["rules"]
            record["dynamic"]["rules"] = [rule for rule in rules[:-1] if not (rule["pool"] in used or used.add(rule["pool"]))]
            record["dynamic"]["rules"].append(rules[-1])
        zone["www"] = {"type": "CNAME", "ttl": 300, "value": "r1.octo.test."}
        zone["txt"] = {"type": "TXT", "ttl": 300, "values": ["a\\; b", "c d"]}
        document = self.convert(zone).stdout
        self.apply(document)
        out = os.path.join(self.folder, "octo.test.yaml")
        self.steerd.ctl("export", "octodns", "octo.test", "-o", out)
        with open(out, encoding="utf-8") as file:
            exported = file.read()
        again = self.steerd.ctl("import", "octodns", out).stdout
        code, body = self.post(again)
        summary = json.loads(body)
        self.assertEqual((200, [], []), (code, summary["created"], summary["replaced"]), exported)

    def test_an_error_shows_the_line_of_the_zone_file(self):
        path = self.write("octo.test.yaml", "a:\n  type: A\n  value: 192.0.2\n")
        done = self.steerd.ctl("import", "octodns", path, check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("octo.test.yaml:3:10: '192.0.2' is not an IPv4 address", done.stderr)
        self.assertIn("     3 |   value: 192.0.2\n", done.stderr)
        self.assertEqual("", done.stdout)

    def test_the_zone_comes_from_the_name_of_the_file_or_the_option(self):
        path = self.write("zone", "a: {type: A, value: 192.0.2.1}\n")
        done = self.steerd.ctl("import", "octodns", path, check=False)
        self.assertEqual(2, done.returncode)
        self.assertIn("--zone", done.stderr)
        self.assertIn("zone: b.test\n", self.steerd.ctl("import", "octodns", path, "--zone", "b.test").stdout)

    def test_what_octodns_cannot_say_is_refused_with_a_list(self):
        self.apply("zone: octo.test\nendpoints:\n  a: {ipv4: 192.0.2.1}\nrecords:\n  www:\n    steer: {endpoint: a}\n")
        done = self.steerd.ctl("export", "octodns", "octo.test", check=False)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("what would be lost", done.stderr)
        self.assertIn("test.yaml:6:23: www.octo.test. address: endpoint where octoDNS has a pool", done.stderr)


if __name__ == "__main__":
    unittest.main()
