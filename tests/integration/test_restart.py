# SPDX-License-Identifier: GPL-3.0-or-later
import http.client
import json
import os
import random
import threading
import time
import unittest
import urllib.error

from support import FRA, IAD, SteerdTest

ROUNDS = int(os.environ.get("STEERD_KILL_ROUNDS", "10"))


class Writer(threading.Thread):
    """Makes changes, one after another, until steerd is gone; knows which of them were acknowledged."""

    def __init__(self, test, first):
        super().__init__(daemon=True)
        self.test = test
        self.number = first
        self.acknowledged = []

    def change(self, n):
        """Three ways in: a document that replaces itself, a document of its own, a zone file."""
        if n % 3 == 0:
            return self.test.post(f"zone: counter.test\nrecords:\n  n: {{ttl: 5, TXT: ['{n}']}}\n", "counter.yaml")
        if n % 3 == 1:
            return self.test.post(f"zone: d{n}.test\nrecords:\n  n: {{ttl: 5, TXT: ['{n}']}}\n", f"d{n}.yaml")
        zone = f"@ 5 IN SOA ns h 1 2 3 4 5\n@ 5 IN NS ns.else.test.\nn 5 IN TXT {n}\n"
        return self.test.steerd.http("PUT", f"/api/v1/zones/d{n}.test", zone.encode(), {"Content-Type": "text/dns"})

    def run(self):
        try:
            while True:
                code, body = self.change(self.number)
                if code != 200:
                    raise AssertionError(f"change {self.number}: {code} {body}")
                self.acknowledged.append(self.number)
                self.number += 1
        except (OSError, urllib.error.URLError, http.client.HTTPException):
            pass


class Restart(SteerdTest):
    def test_what_was_acknowledged_survives_kill_9_at_any_moment(self):
        seed = int(os.environ.get("STEERD_SEED", random.randrange(1 << 32)))
        rng = random.Random(seed)
        acknowledged, unanswered, number = [], [], 0
        for turn in range(ROUNDS):
            with self.subTest(turn=turn, seed=seed):
                self.steerd.start()
                writer = Writer(self, number)
                writer.start()
                self.wait(lambda: writer.acknowledged, "a first change is acknowledged")
                time.sleep(rng.uniform(0, 0.4))  # the moment of the kill is the point of this test
                self.steerd.kill()
                writer.join(30)
                acknowledged += writer.acknowledged
                self.steerd.start()
                unanswered.append(writer.number)
                self.check(acknowledged, unanswered)
                self.steerd.kill()
                number = writer.number + 1
        self.assertGreater(len(acknowledged), 2 * ROUNDS)

    def check(self, acknowledged, unanswered):
        """What a kill left unanswered may have been stored, and stands until a newer one is acknowledged."""
        last = [n for n in acknowledged if n % 3 == 0][-1]
        seen = int(self.data("n.counter.test", "TXT")[0])
        self.assertIn(seen, [last] + [n for n in unanswered if n > last])
        lost = [n for n in acknowledged if n % 3 and self.data(f"n.d{n}.test", "TXT") != [str(n)]]
        self.assertEqual([], lost)

    def test_verdicts_survive_a_restart_even_when_the_origins_are_gone(self):
        self.steerd.start()
        fra, iad = self.origins(interval="1s")
        self.assertEqual([FRA], self.german())
        fra.stop()
        self.wait(lambda: self.german() == [IAD], "German clients move to iad")
        self.assertEqual(0, self.steerd.stop())
        iad.stop()
        self.steerd.start()
        self.assertEqual([IAD], self.german())
        checks = {e["name"]: e["checks"][0] for e in self.steerd.status()["endpoints"]}
        self.assertEqual("down", checks["fra-1"]["verdict"])
        self.assertIn("refused", checks["fra-1"]["reason"])
        # Both are down at last: the root's default gives the first rather than nothing.
        self.wait(lambda: self.german() == [FRA], "serve_all")

    def test_overrides_survive_a_restart(self):
        self.steerd.start()
        self.origins()
        self.steerd.ctl("override", "set", "endpoint", "fra-1", "down", "--reason", "a test")
        self.steerd.kill()
        self.steerd.start()
        self.assertEqual([IAD], self.german())
        listed = json.loads(self.steerd.http("GET", "/api/v1/overrides")[1])
        self.assertEqual([("endpoint", "fra-1", "down", "a test")],
                         [(o["kind"], o["target"], o["state"], o["reason"]) for o in listed])

    def test_a_switch_is_set_at_once_kept_over_restarts_and_audited(self):
        self.steerd.start()
        self.apply("zone: switch.test\n"
                   "switches: {colour: {positions: [blue, green]}}\n"
                   "records:\n"
                   "  app: {ttl: 5, steer: {switch: {name: colour, positions: {blue: {answer: {A: [192.0.2.1]}}, "
                   "green: {answer: {A: [192.0.2.2]}}}}}}\n")

        def given():
            return self.data("app.switch.test")

        self.assertEqual(["192.0.2.1"], given())
        self.steerd.ctl("switch", "set", "colour", "green", "--reason", "release 7", "--owner", "ana")
        self.assertEqual(["192.0.2.2"], given())
        wrong = self.steerd.ctl("switch", "set", "colour", "gren", check=False)
        self.assertEqual(1, wrong.returncode)
        self.assertIn("did you mean 'green'?", wrong.stderr)
        self.assertIn("did you mean 'colour'?", self.steerd.ctl("switch", "set", "color", "green", check=False).stderr)
        self.steerd.kill()
        self.steerd.start()
        self.assertEqual(["192.0.2.2"], given())
        listed = json.loads(self.steerd.http("GET", "/api/v1/switches")[1])
        self.assertEqual([("colour", "green", "blue", "release 7", "ana")],
                         [(s["name"], s["position"], s["initial"], s["reason"], s["owner"]) for s in listed])
        self.assertRegex(self.steerd.ctl("switch", "list").stdout, "colour +green +blue +release 7")
        self.assertIn("green: release 7", self.steerd.ctl("audit").stdout)


if __name__ == "__main__":
    unittest.main()
