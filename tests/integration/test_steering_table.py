# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/steering-conformance.md speaks of scenarios and tests that there are."""
import glob
import os
import re
import unittest

from support import ROOT

TESTS = os.path.join(ROOT, "tests")


def text_of(pattern):
    """Several rooms may have tests in files of one name."""
    found = glob.glob(os.path.join(TESTS, pattern))
    if not found:
        raise AssertionError(f"{pattern}: there is no such file")
    texts = []
    for path in found:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return "\n".join(texts)


class Table(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(ROOT, "docs", "steering-conformance.md"), encoding="utf-8") as file:
            rows = [line for line in file if line.startswith("| ") and not line.startswith("| statement")]
        self.cells = [row.split("|")[-2].strip() for row in rows]
        self.assertGreater(len(self.cells), 80)

    def test_each_statement_is_shown_somewhere_or_said_to_come_later(self):
        for cell in self.cells:
            self.assertTrue(cell == "later" or re.search(r"`\w+\.scn`|`test_\w+\.(?:c|py)` `\w+`", cell), cell)

    def test_each_scenario_and_test_that_is_named_is_there(self):
        named = 0
        for cell in self.cells:
            for scenario in re.findall(r"`(\w+\.scn)`", cell):
                self.assertTrue(os.path.exists(os.path.join(TESTS, "scenarios", scenario)), scenario)
                named += 1
            for file, tests in re.findall(r"`(test_\w+\.(?:c|py))` ((?:`\w+`(?:, )?)+)", cell):
                text = text_of(f"unit/*/{file}" if file.endswith(".c") else f"integration/{file}")
                for test in re.findall(r"`(\w+)`", tests):
                    defined = f"static void {test}(void" if file.endswith(".c") else f"def test_{test}(self"
                    self.assertIn(defined, text, f"{file} has no test of that name")
                    named += 1
        self.assertGreater(named, 150)

    def test_each_name_in_the_table_is_understood(self):
        for cell in self.cells:
            rest = re.sub(r"`\w+\.scn`|`test_\w+\.(?:c|py)`|(?<=` )`\w+`|(?<=`, )`\w+`", "", cell)
            self.assertNotIn("test_", rest, cell)


if __name__ == "__main__":
    unittest.main()
