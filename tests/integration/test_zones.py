# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import random
import re
import socket
import threading
import unittest

from support import STEADY, Reply, SteerdTest, query

ZONE = """$TTL 300
@ IN SOA ns1 hostmaster 7 7200 900 1209600 300
@ IN NS ns1
ns1 IN A 192.0.2.53
www IN A 192.0.2.1
www IN A 192.0.2.2
www IN AAAA 2001:db8::1
* IN TXT "a \\"wild\\" card; \\009 tab"
mail 60 IN MX 10 www
sub IN NS ns.sub
ns.sub IN A 192.0.2.99
"""


class Zones(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()

    def test_an_imported_zone_is_answered_when_the_command_returns(self):
        said = self.steerd.ctl("zone", "import", "example.org", self.write("zone", ZONE)).stdout
        self.assertEqual(["192.0.2.1", "192.0.2.2"], sorted(self.data("www.example.org")))
        self.assertTrue(self.ask("www.example.org").authoritative)
        self.assertEqual(3, self.ask("nothing.sub.www.example.org").rcode)
        self.assertIn("serial 7", said)

    def test_export_and_import_again_give_the_same_zone(self):
        self.steerd.ctl("zone", "import", "example.org", self.write("zone", ZONE))
        first = os.path.join(self.folder, "first")
        self.steerd.ctl("zone", "export", "example.org", "-o", first)
        self.steerd.ctl("zone", "delete", "example.org", "--yes")
        self.assertEqual(5, self.ask("www.example.org").rcode)
        self.steerd.ctl("zone", "import", "example.org", first)
        with open(first, encoding="utf-8") as file:
            self.assertEqual(file.read(), self.steerd.ctl("zone", "export", "example.org").stdout)
        self.assertEqual(['a "wild" card; \t tab'], self.data("any.example.org", "TXT"))

    def test_an_import_leaves_the_steered_records_of_the_zone(self):
        self.apply(STEADY)
        self.steerd.ctl("zone", "import", "geo.test", self.write("zone", ZONE))
        self.assertEqual(["192.0.2.53"], self.data("ns1.geo.test"))
        self.assertEqual(["127.0.1.101"], self.german())

    def test_of_a_list_the_bad_zones_are_rejected_and_the_others_load(self):
        self.write("good.zone", ZONE)
        self.write("bad.zone", ZONE + "www IN A 192.0.2.300\n")
        lines = self.write("list", "# origin path\none.test good.zone\nbad.test bad.zone\ntwo.test good.zone\n"
                                   "gone.test missing.zone\n")
        done = self.steerd.ctl("--json", "zone", "import", "--list", lines, check=False)
        self.assertEqual(3, done.returncode, done.stderr)
        summary = json.loads(done.stdout)
        self.assertEqual(2, summary["loaded"])
        rejected = {entry["origin"]: entry["error"] for entry in summary["rejected"]}
        self.assertEqual({"bad.test.", "gone.test."}, {origin.rstrip(".") + "." for origin in rejected})
        self.assertRegex(str(rejected), r"bad\.zone:12(:\d+)?: ")
        for origin in ("one", "two"):
            self.assertEqual(["192.0.2.53"], self.data(f"ns1.{origin}.test"))
        self.assertEqual(5, self.ask("ns1.bad.test").rcode)

    def test_an_error_on_line_70001_is_reported_there_and_changes_nothing(self):
        self.steerd.ctl("zone", "import", "big.test", self.write("zone", ZONE))
        before = self.version()
        lines = ["$TTL 300", "@ IN SOA ns1 hostmaster 8 7200 900 1209600 300", "@ IN NS ns1"]
        lines += [f"h{i} IN A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(70000 - len(lines))]
        path = self.write("big.zone", "\n".join(lines + ["oops IN A 10.0.0", "fine IN A 10.0.0.1", ""]))
        done = self.steerd.ctl("zone", "import", "big.test", path, check=False)
        self.assertEqual(1, done.returncode)
        self.assertIsNotNone(re.search(r"big\.zone:70001(:\d+)?: ", done.stderr), done.stderr)
        self.assertEqual(before, self.version())
        self.assertEqual([], self.data("h1.big.test"))  # only the wildcard of before
        self.assertEqual(["192.0.2.53"], self.data("ns1.big.test"))

    def test_under_load_each_answer_is_of_one_version_and_none_is_lost(self):
        def version(k):
            # Its number is in each record of the chain: a mix of two would show, or lack the target.
            return f"""@ 300 SOA ns h {k} 7200 900 1209600 300
@ 300 NS b.test.
www {k} CNAME v{k}.a
v{k}.a {k} A 10.0.0.{k}
""".encode()

        def import_version(k):
            status, body = self.steerd.http("PUT", "/api/v1/zones/example.org", version(k))
            self.assertEqual(200, status, body)

        def load():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(5)
                sock.connect(("127.0.0.1", self.steerd.dns_port))
                last = 1
                try:
                    while not done.is_set():
                        sock.send(query("www.example.org"))
                        reply = Reply(sock.recv(4096))
                        (_, ttl, _), (_, target_ttl, address) = reply.answers
                        if not ttl == target_ttl == int(address.split(".")[3]) or ttl < last:
                            raise ValueError(f"{reply.answers} after version {last}")
                        last = ttl
                        seen.add(ttl)
                except Exception as error:  # reported by the test itself
                    errors.append(error)

        import_version(1)
        done, seen, errors = threading.Event(), set(), []
        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        for k in range(2, 60):
            import_version(k)
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual([], errors)
        self.assertGreater(len(seen), 5)
        self.assertEqual("10.0.0.59", self.data("www.example.org")[1])

    def test_ten_thousand_zones_load_around_three_bad_ones_and_survive_a_restart(self):
        bad = {0: "x IN A 192.0.2.300\n", 5000: "www IN CNAME a.test.\n", 9999: "$GENERATE 1-9 h$ A 192.0.2.$\n"}
        lines = []
        for n in range(10_000):
            self.write(f"z{n}", ZONE.replace("192.0.2.1", f"10.1.{n >> 8}.{n & 255}", 1) + bad.get(n, ""))
            lines.append(f"z{n}.test z{n}\n")
        done = self.steerd.ctl("zone", "import", "--list", self.write("list", "".join(lines)), check=False)
        self.assertEqual(3, done.returncode, done.stderr[-2000:])
        self.assertIn("zones loaded: 9997, rejected: 3", done.stdout)
        for n in bad:
            self.assertRegex(done.stderr, rf"rejected: z{n}\.test: \S*z{n}:12:\d+: ")
        for _ in range(2):
            for n in [1, 4999, 5001, 9998] + random.sample(range(1, 4999), 50):
                self.assertIn(f"10.1.{n >> 8}.{n & 255}", self.data(f"www.z{n}.test"))
            for n in bad:
                self.assertEqual(5, self.ask(f"www.z{n}.test").rcode)
            self.assertEqual(0, self.steerd.stop())
            self.steerd.start()
        again = self.steerd.ctl("--json", "zone", "import", "--list", os.path.join(self.folder, "list"), check=False)
        self.assertEqual(9997, json.loads(again.stdout)["unchanged"])


if __name__ == "__main__":
    unittest.main()
