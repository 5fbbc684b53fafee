# SPDX-License-Identifier: GPL-3.0-or-later
import unittest

from support import GERMANY, USA, SteerdTest

DOCUMENT = """zone: lat.test
sites:
  fra: {at: EU-DE}
  iad: {at: NA-US}
endpoints:
  fra-1: {ipv4: 192.0.2.10, site: fra}
  iad-1: {ipv4: 198.51.100.10, site: iad}
records:
  api: {ttl: 30, steer: {latency: {table: world, among: [{endpoint: fra-1}, {endpoint: iad-1}]}}}
"""


class Latency(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()

    def load(self, text, *options, check=True):
        return self.steerd.ctl("latency", "import", "world", self.write("rtt.csv", text), *options, check=check)

    def steered(self):
        return [self.data("api.lat.test", "A", client) for client in (GERMANY, USA)]

    def test_an_uploaded_table_steers_and_a_new_one_takes_its_place(self):
        done = self.load("client,site,ms\nEU,fra,9\nEU,iad,95\nNA,fra,95.5\nNA,iad,9\n")
        self.assertEqual("latency table world: 4 rows\n", done.stdout)
        self.apply(DOCUMENT)
        self.assertEqual([["192.0.2.10"], ["198.51.100.10"]], self.steered())
        self.load("client,site,ms\nEU,fra,95\nEU,iad,9\n198.51.100.0/24,fra,1\n198.51.100.0/24,iad,2\n")
        self.assertEqual([["198.51.100.10"], ["192.0.2.10"]], self.steered())
        self.assertIn("as it is already", self.load("198.51.100.0/24,fra,1\nEU,fra,95\nEU,iad,9\n198.51.100.0/24,iad,2\n").stdout)
        self.steerd.stop()
        self.steerd.start()
        self.assertEqual([["198.51.100.10"], ["192.0.2.10"]], self.steered())
        self.assertIn("latency-world", self.steerd.ctl("document", "list").stdout)

    def test_a_dry_run_changes_nothing(self):
        self.load("EU,fra,9\n")
        version = self.version()
        self.assertIn("not applied", self.load("EU,fra,10\n", "--dry-run").stdout)
        self.assertEqual(version, self.version())

    def test_an_error_shows_the_line_of_the_file(self):
        done = self.load("client,site,ms\nEU-DE,fra,9\nEU-UK,fra,9\n", check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("rtt.csv:3:1: 'EU-UK'", done.stderr)
        self.assertIn("     3 | EU-UK,fra,9\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
