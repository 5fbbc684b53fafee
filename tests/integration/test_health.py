# SPDX-License-Identifier: GPL-3.0-or-later
"""Health and overrides decide the answers, also under load."""
import collections
import json
import os
import socket
import threading
import time
import unittest

from support import FRA, GERMANY, IAD, Reply, SteerdTest, query

LOAD_S = float(os.environ.get("STEERD_LOAD_S", "6"))


class Health(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()

    def test_an_origin_that_refuses_fails_or_hangs_loses_its_clients_and_gets_them_back(self):
        fra, _ = self.origins()
        for state in ("broken", "silent", "stopped"):
            with self.subTest(state=state):
                if state == "stopped":
                    fra.stop()
                fra.state = state
                self.wait(lambda: self.german() == [IAD], f"fra is {state}: German clients move")
                fra.state = "ok"
                if state == "stopped":
                    fra.start()
                self.wait(lambda: self.german() == [FRA], "fra is well: they come back")

    def test_an_override_is_answered_at_once_and_ends_when_cleared(self):
        self.origins()
        for kind, target in (("endpoint", "fra-1"), ("site", "fra")):
            with self.subTest(kind=kind):
                self.steerd.ctl("override", "set", kind, target, "drained", "--reason", "a test", "--owner", "ana")
                self.assertEqual([IAD], self.german())
                self.assertEqual("drained", self.steerd.states()["fra-1"])
                self.assertIn("ana", self.steerd.ctl("override", "list").stdout)
                self.steerd.ctl("override", "clear", kind, target)
                self.assertEqual([FRA], self.german())

    def test_an_override_up_beats_a_failed_check(self):
        fra, _ = self.origins()
        fra.stop()
        self.wait(lambda: self.german() == [IAD], "German clients move")
        self.steerd.ctl("override", "set", "endpoint", "fra-1", "up", "--reason", "the check is wrong")
        self.assertEqual([FRA], self.german())

    def test_status_and_the_log_name_records_that_have_nothing_left_to_give(self):
        self.origins()
        self.assertNotIn("!", self.steerd.ctl("status").stdout)
        for endpoint in ("fra-1", "iad-1"):
            self.steerd.ctl("override", "set", "endpoint", endpoint, "drained", "--reason", "a test")
        self.assertRegex(self.steerd.ctl("status").stdout,
                         r"\n! \S+ address: nothing is left to give \(NODATA\), for (\d) of \1 classes of clients\n")
        self.wait(lambda: "cells have nothing left to give (NODATA) (before: 0)" in self.steerd.log(), "the alarm")
        self.assertNotIn("served as if it were", self.steerd.log())
        for endpoint in ("fra-1", "iad-1"):
            self.steerd.ctl("override", "clear", "endpoint", endpoint)
        self.assertNotIn("!", self.steerd.ctl("status").stdout)
        self.wait(lambda: "every cell has something to give again" in self.steerd.log(), "the all-clear")

    def test_an_override_ends_by_itself(self):
        self.origins()
        self.steerd.ctl("override", "set", "endpoint", "fra-1", "down", "--reason", "a test", "--for", "2s")
        self.assertEqual([IAD], self.german())
        self.wait(lambda: self.german() == [FRA], "the override ends")
        self.assertEqual([], json.loads(self.steerd.http("GET", "/api/v1/overrides")[1]))

    def test_wrong_overrides_are_refused(self):
        self.origins()
        wrong = [("endpoint", "fra-2", "down"), ("endpiont", "fra-1", "down"), ("endpoint", "fra-1", "sideways")]
        for kind, target, state in wrong:
            with self.subTest(kind=kind, target=target, state=state):
                done = self.steerd.ctl("override", "set", kind, target, state, "--reason", "x", check=False)
                self.assertNotEqual(0, done.returncode)
                self.assertIn("error", done.stderr)
        self.assertEqual(2, self.steerd.ctl("override", "set", "endpoint", "fra-1", "down", check=False).returncode)
        self.assertEqual([FRA], self.german())

    def storm(self, ended, edits):
        """Edits of other records, as fast as they go."""
        while not ended.is_set():
            n = len(edits)
            code, body = self.post(f"zone: storm.test\nrecords:\n  n: {{ttl: 5, TXT: ['{n}']}}\n", "storm.yaml")
            edits.append((code, body))

    def load(self, ended, seen):
        """Some hundred questions a second; each must have its one valid answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            while not ended.is_set():
                octets = query("api.geo.test", "A", GERMANY)
                sock.send(octets)
                try:
                    reply = Reply(sock.recv(65535))
                except socket.timeout:
                    seen["lost"] += 1
                    continue
                good = reply.octets[:2] == octets[:2] and reply.rcode == 0 and len(reply.answers) == 1
                seen[reply.data[0] if good else f"invalid: rcode {reply.rcode} {reply.data}"] += 1
                time.sleep(0.002)

    def test_under_load_edits_and_failures_no_answer_is_lost_or_wrong(self):
        fra, _ = self.origins()
        ended, edits, seen = threading.Event(), [], collections.Counter()
        threads = [threading.Thread(target=self.storm, args=(ended, edits)),
                   threading.Thread(target=self.load, args=(ended, seen))]
        for thread in threads:
            thread.start()
        try:
            end, turns = time.monotonic() + LOAD_S, 0
            while time.monotonic() < end or turns < 2:
                fra.state = "broken"
                self.wait(lambda: self.german() == [IAD], "German clients move")
                fra.state = "ok"
                self.wait(lambda: self.german() == [FRA], "they come back")
                turns += 1
        finally:
            ended.set()
            for thread in threads:
                thread.join(30)
        self.assertEqual({FRA, IAD}, set(seen), seen)
        self.assertGreater(sum(seen.values()), LOAD_S * 50)
        self.assertEqual({200}, {code for code, _ in edits}, edits[-1])
        self.assertEqual([str(len(edits) - 1)], self.data("n.storm.test", "TXT"))


if __name__ == "__main__":
    unittest.main()
