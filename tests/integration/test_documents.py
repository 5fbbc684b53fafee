# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import unittest

from support import GERMANY, ROOT, SINGAPORE, STEADY, USA, SteerdTest, geo_document

HEAD = "zone: bad.test\n"
# Text, the line and column of its error, words of the message.
BAD = [
    (HEAD + "records:\n  a: {steer: {pool: eux}}\n", "3:21", "pool 'eux'"),
    (HEAD + "pools:\n  eu: {endpoints: [nobody]}\n", "3:20", "endpoint 'nobody'"),
    (HEAD + "policies:\n  a: {failover: [{use: b}]}\n  b: {failover: [{use: a}]}\n", "", "a -> b -> a"),
    (HEAD + "endpoints:\n  e: {ipv4: 192.0.2.256}\n", "3:13", "192.0.2.256"),
    (HEAD + "endpoints:\n  e: {ipv4: 192.0.2.1}\nrecords:\n  a:\n    steer:\n      geo:\n        rules:\n"
            "          - {match: [192.0.2.0/33], to: {endpoint: e}}\n", "9:22", "192.0.2.0/33"),
    (HEAD + "endpoints:\n  e: {ipv4: 192.0.2.1}\n  e: {ipv4: 192.0.2.2}\n", "4:3", "given twice"),
    (HEAD + "records:\n  www: {A: [192.0.2]}\n", "3:13", "192.0.2"),
    (HEAD + "endpionts: {}\n", "2:1", "did you mean 'endpoints'"),
    (HEAD + "records: [\n", "", "YAML"),
    ("{\"zone\": \"bad.test\",,}", "1:21", "JSON"),
]


class Documents(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()

    def test_the_documents_of_policies_apply_and_steer(self):
        folder = os.path.join(ROOT, "policies")
        self.steerd.ctl("apply", "--yes", *(os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".yaml")))
        wanted = [(GERMANY, "127.0.1.1"), (USA, "127.0.1.2"), (SINGAPORE, "127.0.1.3")]
        for client, address in wanted:
            with self.subTest(client=client):
                reply = self.ask("api.example.com", "A", client)
                self.assertEqual([address], reply.data)
                self.assertTrue(1 <= reply.scope <= 24, reply.scope)
        self.assertEqual(["192.0.2.80"], self.data("www.example.com"))

    def test_the_document_of_the_reference_applies_and_steers(self):
        with open(os.path.join(ROOT, "docs", "documents.md"), encoding="utf-8") as page:
            text = page.read().split("```yaml\n")[1].split("```")[0]
        shown = self.steerd.ctl("apply", "--yes", self.write("reference.yaml", text))
        self.assertNotIn("warning", shown.stdout + shown.stderr)
        self.assertEqual(["198.51.100.10"], self.ask("api.example.com", "A", USA).data)
        self.assertEqual(["192.0.2.80"], self.data("www.example.com"))

    def test_the_same_document_again_changes_nothing(self):
        self.apply(STEADY)
        before = self.version()
        code, body = self.post(STEADY)
        self.assertEqual((200, False), (code, json.loads(body)["changed"]))
        self.assertEqual(before, self.version())

    def test_a_dry_run_says_what_would_change_and_changes_nothing(self):
        before = self.version()
        self.assertIn("api.geo.test", self.steerd.ctl("apply", "--dry-run", self.write("d.yaml", STEADY)).stdout)
        self.assertEqual(before, self.version())
        self.assertEqual(5, self.ask("api.geo.test").rcode)

    def test_a_family_that_some_clients_lack_is_a_warning(self):
        document = """zone: example.com
endpoints:
  fra-1: {ipv4: 192.0.2.10, ipv6: "2001:db8::10"}
  iad-1: {ipv4: 198.51.100.10}
records:
  api:
    steer:
      geo:
        rules: [{match: EU, to: {endpoint: fra-1}}]
        default: {endpoint: iad-1}
"""
        done = self.steerd.ctl("apply", "--yes", self.write("family.yaml", document), check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn("family.yaml:6:3: api.example.com. address: some clients get AAAA records", done.stderr)

    def test_draws_are_settled_by_who_asks_and_survive_a_restart(self):
        document = """zone: example.com
endpoints:
  a: {ipv4: 192.0.2.1, ipv6: "2001:db8::1", hostname: a.example.com}
  b: {ipv4: 192.0.2.2, ipv6: "2001:db8::2", hostname: b.example.com, mx: {preference: 5}}
pools:
  p: {endpoints: [a, b]}
records:
  random: {ttl: 1d, steer: {pool: p}}
  coherent: {ttl: 1d, draw: coherent, steer: {pool: p}}
  sticky: {ttl: 1d, draw: sticky, steer: {pool: p}}
  mail: {kind: mx, draw: sticky, steer: {pool: p}}
"""
        self.apply(document)
        given = {}
        for name in ("random", "coherent", "sticky"):
            given[name] = {tuple(self.data(name + ".example.com", "A", GERMANY)) for _ in range(40)}
        self.assertEqual((2, 1, 1), tuple(len(given[name]) for name in ("random", "coherent", "sticky")))
        self.assertEqual(24, self.ask("sticky.example.com", "A", GERMANY).scope)
        self.assertEqual(0, self.ask("coherent.example.com", "A", GERMANY).scope)
        # Networks are told apart, and the choice of each is the same in a new process.
        networks = ["10.%d.%d.0" % (i, j) for i in range(8) for j in range(8)]
        before = [self.data("sticky.example.com", "A", network) for network in networks]
        self.assertEqual(2, len({tuple(data) for data in before}))
        mail = self.ask("mail.example.com", "MX", GERMANY)
        self.assertEqual((0, 24), (mail.rcode, mail.scope))
        self.steerd.stop()
        self.steerd.start()
        self.assertEqual(before, [self.data("sticky.example.com", "A", network) for network in networks])
        self.assertEqual(given["coherent"], {tuple(self.data("coherent.example.com", "A", GERMANY))})
        self.assertEqual(0, self.ask("mail.example.com", "MX", GERMANY).rcode)

    def test_without_yes_and_without_a_terminal_nothing_is_applied(self):
        done = self.steerd.ctl("apply", self.write("d.yaml", STEADY), check=False, stdin="y\n")
        self.assertEqual(2, done.returncode)
        self.assertEqual(5, self.ask("api.geo.test").rcode)

    def test_each_bad_document_is_one_error_with_its_place_and_changes_nothing(self):
        self.apply(STEADY)
        before = self.version()
        for text, place, words in BAD:
            with self.subTest(text=text):
                path = self.write("bad.yaml", text)
                done = self.steerd.ctl("apply", "--yes", path, check=False)
                self.assertEqual(1, done.returncode, done.stdout)
                self.assertTrue(done.stderr.startswith(f"error: {path}:{place}"), done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(1, done.stderr.count("error:"), done.stderr)
        self.assertEqual(before, self.version())
        self.assertEqual(["127.0.1.101"], self.german())

    def test_of_several_documents_all_apply_or_none(self):
        before = self.version()
        good, bad = self.write("good.yaml", STEADY), self.write("bad.yaml", BAD[0][0])
        self.assertEqual(1, self.steerd.ctl("apply", "--yes", good, bad, check=False).returncode)
        self.assertEqual(before, self.version())
        self.assertEqual(5, self.ask("api.geo.test").rcode)

    def test_ten_megabytes_of_nonsense_are_refused(self):
        before = self.version()
        for name, text in (("deep", "[" * (10 << 20)), ("flat", "a: &a [b, c]\n" * (1 << 20)),
                           ("noise", os.urandom(5 << 20).hex())):
            with self.subTest(name=name):
                done = self.steerd.ctl("apply", "--yes", self.write(name + ".yaml", text), check=False)
                self.assertEqual(1, done.returncode)
                self.assertRegex(done.stderr, rf"\Aerror: \S+/{name}\.yaml:\d+:\d+: ")
                self.assertLess(len(done.stderr), 2000)
        self.assertEqual(before, self.version())
        self.assertEqual(5, self.ask("x.geo.test").rcode)

    def test_octets_that_are_not_text_are_refused(self):
        done = self.steerd.ctl("apply", "--yes", self.write("raw.yaml", bytes(range(256)) * 64), check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("raw.yaml", done.stderr)

    def test_a_document_of_another_name_needs_take_over(self):
        self.apply(STEADY)
        code, body = self.post(geo_document(2, "1h"), "other.yaml")
        self.assertIn(code, (409, 422), body)
        self.assertIn("test.yaml", body)
        code, body = self.post(geo_document(2, "1h"), "other.yaml", take_over=True)
        self.assertEqual(200, code, body)

    def test_an_assertion_that_does_not_hold_refuses_the_change_unless_it_is_overridden(self):
        document = """zone: geo.test
sites: {fra: {at: EU-DE}, iad: {at: NA-US}}
endpoints:
  fra-1: {site: fra, ipv4: 192.0.2.10}
  iad-1: {site: iad, ipv4: 198.51.100.10}
records:
  api: {ttl: 30, steer: {failover: [{endpoint: fra-1}, {endpoint: iad-1}]}}
assert:
  - {name: two-sites, survive: any-one-site}
  - {clients: [EU], never: [iad]}
"""
        path = self.write("asserted.yaml", document)
        self.steerd.ctl("apply", "--yes", path)
        self.steerd.stop()  # an assertion from the store still knows where it stands
        self.steerd.start()
        before = self.version()
        other = self.write("site.yaml", "sites: {fra: {at: EU-DE}, iad: {at: EU-DE}}\nendpoints:\n"
                                        "  iad-1: {site: fra, ipv4: 198.51.100.10}\n")
        refused = self.steerd.ctl("apply", "--yes", "--take-over", other, check=False)
        self.assertEqual(1, refused.returncode)
        for words in ("asserted.yaml:9:5: assertion 'two-sites' (survive any-one-site) does not hold",
                      "api.geo.test. address: with site fra down, a client at "):
            self.assertIn(words, refused.stderr)
        self.assertEqual(before, self.version())
        unknown = self.steerd.ctl("apply", "--yes", "--take-over", "--override-assert", "two-site", "--reason", "x",
                                  other, check=False)
        self.assertIn("did you mean 'two-sites'?", unknown.stderr)
        self.assertEqual(2, self.steerd.ctl("apply", "--yes", "--override-assert", "a", other, check=False).returncode)
        self.steerd.ctl("apply", "--yes", "--take-over", "--override-assert", "two-sites", "--reason", "iad moves",
                        other)
        audit = self.steerd.ctl("audit").stdout
        self.assertRegex(audit, r"override assertion +asserted\.yaml/two-sites +iad moves: api\.geo\.test\.")

    def test_a_share_that_is_only_just_too_large_is_told_apart_from_its_bound(self):
        path = self.write("third.yaml", """zone: third.test
endpoints: {a: {ipv4: 192.0.2.1}, b: {ipv4: 192.0.2.2}, c: {ipv4: 192.0.2.3}}
pools: {all: [a, b, c]}
records: {www: {steer: {pool: all}}}
assert: [{share: {of: a, max: 33.3333%}}]
""")
        done = self.steerd.ctl("apply", "--yes", path, check=False)
        self.assertIn("a has 33.3333333333% of the IPv4 clients, more than 33.3333%", done.stderr)

    def test_a_plan_says_who_moves_and_changes_nothing(self):
        head = """zone: geo.test
sites: {fra: {at: EU-DE}, iad: {at: NA-US}}
endpoints:
  fra-1: {site: fra, ipv4: 192.0.2.10}
  iad-1: {site: iad, ipv4: 198.51.100.10}
records:
"""
        good = head + "  api: {steer: {geo: {rules: [{match: EU, to: {endpoint: fra-1}}], default: {endpoint: iad-1}}}}\n"
        self.steerd.ctl("apply", "--yes", self.write("test.yaml", good))
        before = self.version()
        path = self.write("test.yaml", head + "  api: {steer: {endpoint: iad-1}}\nassert: [{survive: any-one-site}]\n")
        done = self.steerd.ctl("plan", path, check=False)
        self.assertEqual(4, done.returncode, done.stdout + done.stderr)
        for words in ("+ create  assertion test.yaml/1", "~ replace record api.geo.test. address",
                      "api.geo.test. address  replaced, 8.434% of IPv4 and 30% of IPv6 clients move",
                      "if site iad fails: 100% of IPv4 ", "are sent there all the same (serve_all)", "(now 91.57%",
                      "EU          fra-1  100% → 0%", "fra-1 → iad-1  8.434%  30%", "assertion does not hold: an apply would be refused",
                      "warning: endpoint iad-1 has no check", "test.yaml:8:10  1 record",
                      "with site iad down, a client at "):
            self.assertIn(words, done.stdout)
        waived = self.steerd.ctl("plan", "--json", "--override-assert", "1", path)
        plan = json.loads(waived.stdout)
        self.assertEqual((True, True), (plan["holds"], plan["assertions"][0]["waived"]))
        moves = plan["records"][0]["moves"]
        self.assertEqual({("fra-1", "iad-1")}, {(move["from"], move["to"]) for move in moves})
        self.assertIn("7/83", [move["share"] for move in moves])
        done = self.steerd.ctl("plan", "--all", self.write("test.yaml", good))
        self.assertIn("SHARES", done.stdout)
        self.assertRegex(done.stdout, r"EU-\w\w.*  A: fra-1 100%")

        self.assertEqual(before, self.version())
        bad = self.steerd.ctl("plan", self.write("bad.yaml", BAD[0][0]), check=False)
        self.assertEqual(1, bad.returncode)
        self.assertIn("pool 'eux'", bad.stderr)

    def test_explain_supposes_failures_saved_health_and_documents(self):
        document = """zone: geo.test
checks: {web: {type: tcp, port: 1, interval: 1h, initially: up}}
sites: {fra: {at: EU-DE}, iad: {at: NA-US}}
endpoints:
  fra-1: {site: fra, ipv4: 192.0.2.10, check: web}
  iad-1: {site: iad, ipv4: 198.51.100.10, check: web}
pools: {eu: {endpoints: [fra-1]}, us: {endpoints: [iad-1]}}
records:
  api: {ttl: 30, steer: {failover: [{pool: eu}, {pool: us}]}}
"""
        self.steerd.ctl("apply", "--yes", self.write("test.yaml", document))
        before = self.version()

        def explain(*options, check=True):
            return self.steerd.ctl("explain", "api.geo.test", "A", "--client", GERMANY, *options, check=check)

        def given(*options):
            answer = json.loads(explain("--json", *options).stdout)
            return answer["answers"][0]["records"], answer["served_all"]

        self.assertEqual((["192.0.2.10"], False), given())
        for down in ("endpoint:fra-1", "site:fra", "pool:eu"):
            self.assertEqual((["198.51.100.10"], False), given("--down", down))
        self.assertEqual((["192.0.2.10"], True), given("--down", "site:fra", "--down", "endpoint:iad-1"))
        self.assertIn("hypothesis: the site is down", explain("--down", "site:fra").stdout)
        wrong = explain("--down", "site:fr", check=False)
        self.assertEqual(1, wrong.returncode)
        self.assertIn("did you mean 'fra'?", wrong.stderr)
        self.assertIn("endpoint:NAME", explain("--down", "fra", check=False).stderr)
        # Health as a saved status has it: here fra-1 had failed.
        status = json.loads(self.steerd.ctl("status", "--json").stdout)
        for endpoint in status["endpoints"]:
            for check in endpoint["checks"]:
                check.update(verdict="down" if endpoint["name"] == "fra-1" else "up", reason="as it was",
                             since="2026-01-02T03:04:05Z")
        saved = self.write("health.json", json.dumps(status))
        self.assertEqual((["198.51.100.10"], False), given("--at-health", saved))
        text = explain("--at-health", saved).stdout
        self.assertIn("as it was", text)
        self.assertIn("2026-01-02T03:04:05Z", text)
        # A document that is not applied, with a failure on top.
        other = self.write("other.yaml", "zone: geo.test\nrecords:\n"
                                         "  api: {ttl: 60, steer: {failover: [{pool: us}, {pool: eu}]}}\n")
        answer = json.loads(explain("--json", "--with", other).stdout)
        self.assertEqual((True, 60, ["198.51.100.10"], 0), (answer["candidate"], answer["ttl"],
                                                         answer["answers"][0]["records"], answer["scope"]))
        self.assertEqual((["192.0.2.10"], False), given("--with", other, "--down", "pool:us"))
        bad = explain("--with", self.write("bad.yaml", BAD[0][0]), check=False)
        self.assertRegex(bad.stderr, r"bad\.yaml:3:21: .*pool 'eux'")
        self.assertEqual(before, self.version())
        self.assertEqual(["192.0.2.10"], self.ask("api.geo.test", "A", GERMANY).data)


if __name__ == "__main__":
    unittest.main()
