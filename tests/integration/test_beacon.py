# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/beacon.js in a made-up page. Needs node, which steerd does not; skipped without."""
import json
import os
import shutil
import subprocess
import time
import unittest

from support import ROOT, SteerdTest

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = shutil.which("node") or shutil.which("nodejs")
SITES = {"fra": "https://fra.example.net/ping", "iad": "https://iad.example.net/ping?x=1"}
TIMES = {"fra": [90, 21.04, 18.31, 25], "iad": [300, 97, 99, 96]}
DOCUMENT = """sites:
  fra: {at: EU-DE}
  iad: {at: NA-US}
latencies: {world: {measured: {}}}
"""


@unittest.skipUnless(NODE, "node is not installed")
class Beacon(SteerdTest):
    def play(self, **page):
        page = {"sites": SITES, "times": TIMES, **page}
        done = subprocess.run([NODE, os.path.join(HERE, "beacon_page.js"), os.path.join(ROOT, "docs", "beacon.js"),
                               json.dumps(page)], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        told = json.loads(done.stdout)
        told["samples"] = {s["site"]: s["ms"] for sent in told["sent"] for s in json.loads(sent["body"])["samples"]}
        return told

    def test_the_fastest_request_on_an_open_connection_counts(self):
        told = self.play()
        self.assertEqual({"fra": 18.3, "iad": 96}, told["samples"])
        self.assertEqual([("/_steerd/beacon", "beacon")], [(sent["url"], sent["by"]) for sent in told["sent"]])
        self.assertEqual(8, len(told["asked"]))
        self.assertEqual(1, len({"".join(told["asked"][:4]), "".join(told["asked"][4:])} & {"fra" * 4}))

    def test_without_timing_allow_origin_the_whole_duration_counts(self):
        self.assertEqual({"fra": 23.3, "iad": 101}, self.play(opaque=True)["samples"])

    def test_a_site_that_does_not_answer_is_left_out(self):
        self.assertEqual({"iad": 96}, self.play(times={**TIMES, "fra": [None]})["samples"])
        self.assertEqual({"fra": 21, "iad": 96}, self.play(times={**TIMES, "fra": [9, 21, None]})["samples"])
        self.assertEqual([], self.play(times={"fra": [None], "iad": [None]})["sent"])

    def test_a_page_that_should_not_measure_does_not(self):
        now = int(time.time() * 1000)
        for page in ({"save_data": True}, {"visibility": "hidden"}, {"without": "fetch"},
                     {"random": 0.5, "attributes": {"data-sample": "0.5"}}, {"attributes": {"data-sample": "0"}},
                     {"stored": {"steerd-beacon": str(now - 60000)}}):
            with self.subTest(page=page):
                told = self.play(**page)
                self.assertEqual(([], []), (told["asked"], told["sent"]))
        for page in ({"random": 0.49, "attributes": {"data-sample": "0.5"}}, {"stored": {"steerd-beacon": "1"}},
                     {"stored": {"steerd-beacon": str(now + 10 ** 9)}}):
            with self.subTest(page=page):
                told = self.play(**page)
                self.assertEqual(1, len(told["sent"]))
                self.assertGreaterEqual(int(told["stored"]["steerd-beacon"]), now)

    def test_a_browser_without_beacons_posts(self):
        told = self.play(no_beacon=True)
        self.assertEqual([("fetch", True)], [(sent["by"], sent["keepalive"]) for sent in told["sent"]])

    def test_steerd_takes_what_the_page_sends(self):
        self.steerd.start()
        self.apply(DOCUMENT)
        body = self.play()["sent"][0]["body"].encode()
        code, reply = self.steerd.http("POST", "/api/v1/latency/world/samples?client=192.0.2.7", body,
                                       {"Content-Type": "text/plain;charset=UTF-8"})
        self.assertEqual((200, {"accepted": 2, "limited": 0, "refused": []}), (code, json.loads(reply)))


if __name__ == "__main__":
    unittest.main()
