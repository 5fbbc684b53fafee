# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import re
import unittest

from support import STEADY, SteerdTest

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


if __name__ == "__main__":
    unittest.main()
