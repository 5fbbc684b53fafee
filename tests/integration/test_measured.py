# SPDX-License-Identifier: GPL-3.0-or-later
"""Measured latency over HTTP: samples, freezing, and what the beacon token opens."""
import contextlib
import json
import os
import re
import sqlite3
import stat
import threading
import unittest

from support import GERMANY, ROOT, SteerdTest

DOCUMENT = """zone: lat.test
sites:
  fra: {at: EU-DE}
  iad: {at: NA-US}
endpoints:
  fra-1: {ipv4: 192.0.2.10, site: fra}
  iad-1: {ipv4: 198.51.100.10, site: iad}
latencies:
  world: {measured: {max_samples: 1000}}
  still: {rows: {EU: {fra: 9}}}
records:
  api: {ttl: 30, steer: {latency: {table: world, among: [{endpoint: fra-1}, {endpoint: iad-1}]}}}
"""
ASSERTION = """assert:
  - {name: germany-stays, clients: EU-DE, never: {site: iad}, records: [api.lat.test.]}
"""
SAMPLES = "/api/v1/latency/world/samples"


def sample(site, ms, client="192.0.2.7"):
    return {"client": client, "site": site, "ms": ms}


class Measured(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()
        self.apply(DOCUMENT)

    def beacon(self, method, path, body=None, headers=None):
        """With the beacon token."""
        with open(os.path.join(self.steerd.data, "beacon.token"), encoding="ascii") as file:
            own = {"Authorization": "Bearer " + file.read().strip()}
        return self.steerd.http(method, path, body, {**own, **(headers or {})}, token=False)

    def send(self, samples, table="world"):
        code, body = self.beacon("POST", f"/api/v1/latency/{table}/samples", {"samples": samples})
        self.assertEqual(200, code, body)
        return json.loads(body)

    def get(self, path):
        code, body = self.steerd.http("GET", path)
        self.assertEqual(200, code, body)
        return json.loads(body)

    def freeze(self, **body):
        code, text = self.steerd.http("POST", "/api/v1/latency/world/freeze", body)
        return code, json.loads(text)

    def slow_germany(self):
        """Germany is nearer to iad than to fra."""
        self.send([sample("fra", 80)] * 20 + [sample("iad", 12)] * 20)

    def api(self):
        return self.data("api.lat.test", "A", GERMANY)

    # ---- the token ----

    def test_the_beacon_token_opens_the_samples_and_nothing_else(self):
        mode = os.stat(os.path.join(self.steerd.data, "beacon.token")).st_mode
        self.assertEqual(0o600, stat.S_IMODE(mode))
        batch = {"samples": [sample("fra", 20)]}
        self.assertEqual(200, self.beacon("POST", SAMPLES, batch)[0])
        self.assertEqual(200, self.steerd.http("POST", SAMPLES, batch)[0])
        self.assertEqual(401, self.steerd.http("POST", SAMPLES, batch, token=False)[0])
        wrong = {"Authorization": "Bearer " + "0" * 64}
        self.assertEqual(401, self.steerd.http("POST", SAMPLES, batch, wrong, token=False)[0])
        self.assertEqual(403, self.beacon("POST", SAMPLES, batch, {"Origin": "https://www.example.com"})[0])

    def routes(self):
        """Method and path of everything that docs/api.md names under /api."""
        here = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(here, "..", "..", "docs", "api.md"), encoding="utf-8") as file:
            found = set(re.findall(r"`(GET|PUT|POST|DELETE) (/api/v1/[^`?]+)", file.read()))
        self.assertGreater(len(found), 20)
        return sorted(found)

    def test_every_other_part_of_the_api_refuses_the_beacon_token(self):
        version = self.version()
        for method, path in self.routes():
            if path.endswith("/samples"):
                continue
            with self.subTest(method=method, path=path):
                code, body = self.beacon(method, path, {} if method in ("PUT", "POST") else None)
                self.assertEqual(403, code, body)
                self.assertIn("beacon token", body)
        self.assertEqual(version, self.version())

    # ---- samples ----

    def test_each_faulty_row_is_named_and_the_others_count(self):
        done = self.send([sample("fra", 20), sample("frq", 20), sample("fra", 0), 7, sample("fra", 21, "127.0.0.1"),
                          sample("fra", 20, "198.51.100.9"), {"site": "fra", "ms": 3}])
        self.assertEqual(2, done["accepted"])
        self.assertEqual([1, 2, 3, 4, 6], [row["index"] for row in done["refused"]])
        self.assertEqual("site 'frq' is not defined; did you mean 'fra'?", done["refused"][0]["reason"])

    def test_a_malformed_batch_counts_nothing(self):
        rows = [sample("fra", 20)]
        for code, body in ((400, b""), (400, b"{"), (400, b"\xff\xfe"), (422, []), (422, {}), (422, {"samples": []}),
                           (422, {"samples": {}}), (422, {"sample": rows}), (413, {"samples": rows * 1001}),
                           (413, b" " * (257 << 10))):
            with self.subTest(body=str(body)[:40]):
                got, text = self.beacon("POST", SAMPLES, body)
                self.assertEqual(code, got, text)
                self.assertEqual(code, json.loads(text)["status"])
        self.assertEqual(404, self.beacon("POST", "/api/v1/latency/wrld/samples", {"samples": rows})[0])
        self.assertEqual(409, self.beacon("POST", "/api/v1/latency/still/samples", {"samples": rows})[0])
        self.assertEqual(405, self.beacon("PUT", SAMPLES, {"samples": rows})[0])
        self.assertEqual([], self.get("/api/v1/latency/world/estimates"))

    def test_a_proxy_says_whose_samples_they_are(self):
        told = SAMPLES + "?client=192.0.2.99"
        code, body = self.beacon("POST", told, {"samples": [{"site": "fra", "ms": 20}, sample("fra", 1, "198.51.100.1")]})
        self.assertEqual((200, 1, [1]), (code, json.loads(body)["accepted"],
                                         [row["index"] for row in json.loads(body)["refused"]]))
        self.assertIn("192.0.2.0/24", [e["client"] for e in self.get("/api/v1/latency/world/estimates")])
        self.assertEqual(422, self.beacon("POST", SAMPLES + "?client=somebody", {"samples": [{"site": "fra", "ms": 20}]})[0])
        self.assertEqual(422, self.beacon("POST", told, {"client": "192.0.2.1", "samples": [{"site": "fra", "ms": 2}]})[0])

    def test_no_address_is_kept(self):
        self.send([sample("fra", 20, "192.0.2.77"), sample("fra", 20, "2001:db8:65:4321::77")])
        clients = {e["client"] for e in self.get("/api/v1/latency/world/estimates")}
        self.assertLessEqual({"192.0.2.0/24", "2001:db8:65::/48"}, clients)
        self.steerd.stop()
        for name in os.listdir(self.steerd.data):
            with open(os.path.join(self.steerd.data, name), "rb") as file:
                kept = file.read()
            self.assertNotIn(b"192.0.2.77", kept, name)
            self.assertNotIn(b"4321::77", kept, name)
        self.assertNotIn("192.0.2.77", self.steerd.log())

    def test_batches_at_the_same_time_all_count(self):
        networks = [f"198.51.{n}.1" for n in range(8)]
        failures = []

        def run(network):
            for _ in range(15):
                done = self.send([sample("fra", 20, network)] * 20)
                if done != {"accepted": 20, "limited": 0, "refused": []}:
                    failures.append(done)

        threads = [threading.Thread(target=run, args=(network,)) for network in networks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)
        weights = {e["client"]: e["weight"] for e in self.get("/api/v1/latency/world/estimates")}
        for n in range(8):
            self.assertAlmostEqual(300, weights[f"198.51.{n}.0/24"], delta=1)
        self.assertEqual(2400, self.metric("steerd_latency_samples_total", table="world", result="accepted"))

    # ---- freezing ----

    def test_what_was_measured_steers_once_it_is_frozen(self):
        self.assertEqual(["192.0.2.10"], self.api())
        self.slow_germany()
        self.assertEqual(["192.0.2.10"], self.api())
        code, done = self.freeze()
        self.assertEqual((200, True, 1), (code, done["changed"], done["number"]))
        self.assertEqual(["198.51.100.10"], self.api())
        told = self.steerd.ctl("explain", "api.lat.test", "A", "--client", GERMANY).stdout
        self.assertIn("10.0 ms, measured from EU-DE (table 1)", told)
        version = self.version()
        self.assertEqual((200, False), (self.freeze()[0], self.freeze()[1]["changed"]))
        self.assertEqual(version, self.version())
        self.assertIn("table 1: 2 rows, 2 changes", self.steerd.ctl("audit").stdout)
        self.assertEqual(1, self.metric("steerd_latency_table_number", table="world"))

    def test_a_restart_keeps_estimates_and_the_table(self):
        self.slow_germany()
        self.freeze()
        self.send([sample("fra", 30, "198.51.100.7")] * 12)
        before = self.get("/api/v1/latency/world/estimates")
        self.steerd.kill()
        self.steerd.start()
        self.assertEqual(["198.51.100.10"], self.api())
        rows = self.get("/api/v1/latency/world")
        self.assertEqual((1, 2), (rows["number"], len(rows["rows"])))
        pairs = lambda found: {(e["client"], e["site"]): (e["ms"], round(e["weight"], 1)) for e in found}
        self.assertEqual(pairs(before), pairs(self.get("/api/v1/latency/world/estimates")))
        self.assertEqual(200, self.freeze()[0])
        self.assertEqual(2, self.get("/api/v1/latency/world")["number"])

    def test_a_table_that_breaks_an_assertion_is_not_published(self):
        self.apply(ASSERTION, "assert.yaml")
        self.slow_germany()
        for _ in range(2):
            code, problem = self.freeze()
            self.assertEqual(422, code)
            self.assertIn("override it with --override-assert germany-stays", problem["detail"])
        self.assertEqual(["192.0.2.10"], self.api())
        listed = self.steerd.ctl("latency", "list").stdout
        self.assertIn("what was measured is not published", listed)
        self.assertIn("germany-stays", self.steerd.ctl("status").stdout)
        self.assertEqual(1, self.metric("steerd_latency_table_refused", table="world"))
        audit = [line for line in self.steerd.ctl("audit").stdout.splitlines() if "latency refused" in line]
        self.assertEqual(1, len(audit))
        self.steerd.stop()
        self.steerd.start()
        self.assertIn("germany-stays", self.steerd.ctl("latency", "list").stdout)
        self.assertEqual(422, self.freeze(override_asserts=["germany-stays"])[0])
        self.assertEqual(404, self.freeze(override_asserts=["germany"], reason="why")[0])
        self.assertIn("germany-stays", self.steerd.ctl("latency", "list").stdout)
        self.apply(ASSERTION.replace("EU-DE", "EU-FR"), "assert.yaml")
        self.assertEqual(200, self.freeze()[0])
        self.assertEqual(["198.51.100.10"], self.api())
        self.assertEqual(0, self.metric("steerd_latency_table_refused", table="world"))

    def test_an_operator_may_override_an_assertion(self):
        self.apply(ASSERTION, "assert.yaml")
        self.slow_germany()
        self.assertEqual(422, self.freeze()[0])
        self.steerd.ctl("latency", "freeze", "world", "--override-assert", "germany-stays", "--reason", "fra is down")
        self.assertEqual(["198.51.100.10"], self.api())
        audit = self.steerd.ctl("audit").stdout
        self.assertRegex(audit, r"override assertion +\S*germany-stays +fra is down: ")

    def test_a_rollback_holds_until_the_next_freeze(self):
        self.slow_germany()
        self.freeze()
        self.send([sample("fra", 5)] * 900)
        self.assertEqual(2, self.freeze()[1]["number"])
        self.assertEqual(["192.0.2.10"], self.api())
        done = self.steerd.ctl("latency", "rollback", "world", "1").stdout
        self.assertIn("table 3 is in force", done)
        self.assertEqual(["198.51.100.10"], self.api())
        self.steerd.stop()
        self.steerd.start()
        self.assertEqual(["198.51.100.10"], self.api())
        self.assertIsNone(self.get("/api/v1/latency")[1]["next"])
        self.assertIn("held", self.steerd.ctl("latency", "list").stdout)
        self.assertEqual([80, 10], [row["ms"] for row in self.get("/api/v1/latency/world?at=1")["rows"]])
        self.steerd.ctl("latency", "freeze", "world")
        self.assertEqual(["192.0.2.10"], self.api())
        self.assertEqual([4, 3, 2, 1], [kept["number"] for kept in self.get("/api/v1/latency/world")["tables"]])
        self.assertEqual(404, self.freeze(to=99)[0])
        self.assertEqual(422, self.freeze(to=0)[0])

    def test_a_rollback_that_is_refused_says_nothing_of_what_is_measured(self):
        self.slow_germany()
        self.freeze()
        self.send([sample("fra", 5)] * 900)
        self.assertEqual(2, self.freeze()[1]["number"])
        self.apply(ASSERTION, "assert.yaml")
        before = self.get("/api/v1/latency")[1]
        code, problem = self.freeze(to=1)
        self.assertEqual(422, code)
        self.assertIn("germany-stays", problem["detail"])
        self.assertEqual(before, self.get("/api/v1/latency")[1])
        self.assertEqual(0, self.metric("steerd_latency_table_refused", table="world"))
        self.assertEqual(["192.0.2.10"], self.api())

    def test_frozen_rows_survive_an_edit_of_the_document_and_go_with_measured(self):
        self.slow_germany()
        self.freeze()
        self.apply(DOCUMENT.replace("max_samples: 1000", "min_samples: 5"))
        self.assertEqual(["198.51.100.10"], self.api())
        self.apply(DOCUMENT.replace("measured: {max_samples: 1000}", "rows: {}"))
        self.assertEqual(["192.0.2.10"], self.api())
        self.apply(DOCUMENT)
        self.assertEqual([], self.get("/api/v1/latency/world/estimates"))
        self.assertEqual(["192.0.2.10"], self.api())
        self.steerd.stop()
        with sqlite3.connect(os.path.join(self.steerd.data, "steerd.db")) as db:
            for table in ("latency_estimate", "frozen_table"):
                self.assertEqual(0, db.execute(f"SELECT count(*) FROM {table}").fetchone()[0], table)
        db.close()

    def test_what_a_crash_left_of_a_table_that_is_not_measured_any_more_goes_at_the_next_start(self):
        """As if steerd had been killed between the edit and forgetting: old numbers would be in the way of new ones."""
        kept = ("latency_estimate", "frozen_table", "freezing")
        self.slow_germany()
        self.freeze()
        self.steerd.stop()
        path = os.path.join(self.steerd.data, "steerd.db")
        with contextlib.closing(sqlite3.connect(path)) as db:
            left = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in kept}
        self.steerd.start()
        self.apply(DOCUMENT.replace("measured: {max_samples: 1000}", "rows: {}"))
        self.steerd.stop()
        with contextlib.closing(sqlite3.connect(path)) as db:
            for table, rows in left.items():
                marks = ",".join("?" * len(rows[0]))
                db.executemany(f"INSERT INTO {table} VALUES({marks})", rows)
            db.commit()
        self.steerd.start()
        self.apply(DOCUMENT)
        self.send([sample("fra", 90)] * 20 + [sample("iad", 12)] * 20)
        code, done = self.freeze()
        self.assertEqual((200, 1), (code, done.get("number")), done)
        self.steerd.stop()
        self.steerd.start()
        self.assertEqual({90, 10}, {row["ms"] for row in self.get("/api/v1/latency/world")["rows"]})

    # ---- steerctl ----

    def test_steerctl_sends_a_file_of_samples(self):
        lines = ["client,site,ms"] + ["192.0.2.7, fra, 80", "192.0.2.8,iad,12"] * 900 + ["192.0.2.7,nowhere,3", "a,b", ""]
        file = self.write("rtt.csv", "\n".join(lines))
        done = self.steerd.ctl("latency", "samples", "world", file, check=False)
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertIn("1800 samples counted, 0 beyond what their network may send, 2 refused", done.stdout)
        self.assertIn("rtt.csv:1802: site 'nowhere' is not defined", done.stderr)
        self.assertIn("rtt.csv:1803: a line has client, site and ms", done.stderr)
        self.assertIn("2 rows", self.steerd.ctl("latency", "freeze", "world").stdout)
        shown = self.steerd.ctl("latency", "show", "world").stdout
        self.assertRegex(shown, r"EU-DE +fra +80 +1\n")
        self.assertRegex(self.steerd.ctl("latency", "show", "world", "--estimates", "--limit", "1").stdout,
                         r"\n\S+ +\S+ +[0-9.]+ +[0-9.]+ to [0-9.]+ +(899|900)")


class OddClients(SteerdTest):
    geo = (os.path.join(ROOT, "geodata", "peers.mmdb"),)

    def test_every_table_that_was_frozen_can_be_read_at_the_next_start(self):
        """Also of countries that are none to steerd, and of clients behind NAT64, 6to4 and Teredo."""
        clients = [f"100.64.{n}.1" for n in range(1, 8)] + [
            "64:ff9b::203.0.113.1", "2002:c612:1::1", "2001:0:1:2:3:4:39ec:fffe", "::ffff:198.18.3.1", "2001:db8::1"]
        self.steerd.start()
        self.apply(DOCUMENT.replace("max_samples: 1000", "min_samples: 1"))
        for at, client in enumerate(clients):
            self.assertEqual(200, self.steerd.http("POST", SAMPLES, {"samples": [sample("fra", 30 + 30 * at, client)]})[0])
        self.steerd.ctl("latency", "freeze", "world")
        before = self.steerd.http("GET", "/api/v1/latency/world")
        self.assertIn("2001:db8::/48", before[1])
        self.steerd.stop()
        self.steerd.start()
        self.assertEqual(before, self.steerd.http("GET", "/api/v1/latency/world"))
        self.assertNotIn("damaged", self.steerd.log())


if __name__ == "__main__":
    unittest.main()
