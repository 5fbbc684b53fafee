# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/dns-conformance.md speaks of tests that there are."""
import os
import re
import unittest

from support import ROOT

HERE = os.path.dirname(os.path.abspath(__file__))
SHORT = {"answering": "test_dns_answering.py", "edns": "test_dns_edns.py", "malformed": "test_malformed.py",
         "wire": "test_wire.py"}


class Table(unittest.TestCase):
    def test_every_test_named_in_the_table_of_conformance_is_there(self):
        with open(os.path.join(ROOT, "docs", "dns-conformance.md"), encoding="utf-8") as file:
            rows = [line.split("|")[-2] for line in file if line.startswith("| ") and line.count("|") >= 3]
        named = 0
        for row in rows:
            for where, tests in re.findall(r"(?:`?\b([a-z_*]+(?:\.py)?)`? )((?:`[a-z0-9_]{8,}`(?:, )?)+)", row):
                with open(os.path.join(HERE, SHORT.get(where, where)), encoding="utf-8") as file:
                    text = file.read()
                for test in re.findall(r"`(\w+)`", tests):
                    named += 1
                    self.assertIn(f"def test_{test}(self", text, f"{where} has no test of that name")
        self.assertGreater(named, 80)


if __name__ == "__main__":
    unittest.main()
