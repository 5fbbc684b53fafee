# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import subprocess
import unittest

from support import SteerdTest

ZONE = """@ 300 SOA ns1 hostmaster 7 7200 900 1209600 300
$INCLUDE common/ns
www A 192.0.2.1
$INCLUDE "common/hosts" hosts.example.org. ; below a name of their own
 A 192.0.2.2
late A 192.0.2.3
"""


class Includes(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()
        os.makedirs(os.path.join(self.folder, "zones", "common"))
        self.write("zones/common/ns", "\t300 IN NS ns1\nns1 300 A 192.0.2.53\n")
        self.write("zones/common/hosts", "$TTL 77\na A 192.0.2.10\n$INCLUDE more sub.example.org.\nb A 192.0.2.11")
        self.write("zones/common/more", "$TTL 66\nc A 192.0.2.12\n")
        self.path = self.write("zones/db", ZONE)

    def load(self, *options):
        return self.steerd.ctl(*options, "zone", "import", "example.org", self.path, check=False)

    def dig(self, name, kind="A"):
        """The answers as dig shows them: sorted (name, TTL, data)."""
        lines = self.run_client("dig", "+noall", "+answer", name, kind).splitlines()
        return sorted((line.split()[0], int(line.split()[1]), line.split()[-1]) for line in lines)

    def assert_loaded(self):
        self.assertEqual([("example.org.", 300, "ns1.example.org.")], self.dig("example.org", "NS"))
        self.assertEqual([("www.example.org.", 3600, f"192.0.2.{n}") for n in (1, 2)], self.dig("www.example.org"))
        self.assertEqual([("a.hosts.example.org.", 77, "192.0.2.10")], self.dig("a.hosts.example.org"))
        self.assertEqual([("b.hosts.example.org.", 77, "192.0.2.11")], self.dig("b.hosts.example.org"))
        self.assertEqual([("c.sub.example.org.", 66, "192.0.2.12")], self.dig("c.sub.example.org"))
        self.assertEqual([("late.example.org.", 3600, "192.0.2.3")], self.dig("late.example.org"))

    def test_a_zone_with_includes_is_loaded_whole(self):
        done = self.load()
        self.assertEqual(0, done.returncode, done.stderr)
        self.assert_loaded()

    def test_the_folder_is_the_file_s_wherever_the_command_runs(self):
        self.addCleanup(os.chdir, os.getcwd())
        for where, path in (("zones", "db"), (".", "zones/db"), ("zones/common", "../db")):
            os.chdir(os.path.join(self.folder, where))
            self.path = path
            done = self.load()
            self.assertEqual(0, done.returncode, done.stderr)
            self.assert_loaded()

    def test_named_reads_the_same_from_the_expanded_zone(self):
        self.assertEqual(0, self.load().returncode)
        exported = self.steerd.ctl("zone", "export", "example.org").stdout
        self.assertNotIn("$INCLUDE", exported)

        def compile_zone(path):
            done = subprocess.run(["named-compilezone", "-q", "-i", "none", "-o", "-", "example.org", path],
                                  cwd=os.path.join(self.folder, "zones"), capture_output=True, text=True, timeout=30,
                                  check=False)
            self.assertEqual(0, done.returncode, done.stderr)
            return sorted(line.split() for line in done.stdout.splitlines())

        # named takes all names from the folder it runs in, and wants TTLs; apart from that it is the same file.
        self.write("zones/common/hosts", "$TTL 77\na A 192.0.2.10\n$INCLUDE common/more sub.example.org.\n"
                                         "$TTL 77\nb A 192.0.2.11\n")
        self.write("zones/named", "$TTL 3600\n" + ZONE.replace("; below a name of their own\n", "\n$TTL 3600\n"))
        self.assertEqual(compile_zone("named"), compile_zone(self.write("zones/exported", exported)))

    def test_an_error_in_an_included_file_is_reported_there(self):
        self.write("zones/common/more", "; a comment\nc A 192.0.2.12\nd A 192.0.2\n")
        before = self.version()
        done = self.load()
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"^error: \S*/zones/common/more:3:\d+: A record: .*\n"
                                      r" +3 \| d A 192\.0\.2\n +\| +\^\n$")
        problem = json.loads(self.load("--json").stdout)
        self.assertTrue(problem["file"].endswith("/zones/common/more"), problem)
        self.assertEqual(3, problem["line"])
        self.assertEqual(before, self.version())

    def test_an_error_after_an_include_has_its_own_line(self):
        self.write("zones/db", ZONE.replace("late A 192.0.2.3", "late A 192.0.2"))
        self.assertRegex(self.load().stderr, r"^error: \S*/zones/db:6:\d+: .*\n +6 \| late A 192\.0\.2\n")
        # The owner that is put in here does not move the column.
        self.write("zones/db", ZONE.replace(" A 192.0.2.2", " A 192.0.2.2 x"))
        self.assertRegex(self.load().stderr, r"^error: \S*/zones/db:5:14: .*\n +5 \|  A 192\.0\.2\.2 x\n")

    def test_warnings_name_the_included_file_too(self):
        self.write("zones/common/more", "c A 192.0.2.12\n\nc A 192.0.2.12\n")
        done = self.load()
        self.assertEqual(0, done.returncode)
        self.assertRegex(done.stderr, r"(?m)^warning: \S*/common/more:3:1: c\.sub\.example\.org\.: this record is in the "
                                      r"file already\n +3 \| c A 192\.0\.2\.12\n")
        warnings = json.loads(self.load("--json").stdout)["warnings"]
        self.assertIn((os.path.join(self.folder, "zones", "common/more"), 3, 1),
                      [(w["file"], w["line"], w["column"]) for w in warnings])

    def test_includes_that_cannot_be_read_keep_all_as_it_was(self):
        self.write("secret", "www A 192.0.2.66\n")
        os.symlink("../secret", os.path.join(self.folder, "zones", "link"))
        before = self.version()
        for name, word in (("gone", "No such file"), ("../secret", "outside"), ("link", "outside"), ("db", "loop"),
                           ("common", "regular file")):
            self.write("zones/db", f"{ZONE}$INCLUDE {name}\n")
            done = self.load()
            self.assertEqual(1, done.returncode)
            self.assertRegex(done.stderr, rf"^error: \S*/zones/db:7:1: .*{word}.*\n +7 \| \$INCLUDE {name}\n")
            problem = json.loads(self.load("--json").stdout)
            self.assertIn(word, problem["detail"])
            self.assertEqual((self.path, 7, 1), (problem["file"], problem["line"], problem["column"]))
        self.assertEqual(before, self.version())

    def test_the_server_itself_opens_no_file(self):
        status, body = self.steerd.http("PUT", "/api/v1/zones/example.org", ZONE.encode())
        self.assertEqual(422, status)
        self.assertIn("$INCLUDE is refused here", str(body))

    def test_in_a_list_zones_include_too_and_bad_ones_are_left_out(self):
        self.write("zones/broken", ZONE.replace("common/ns", "common/gone"))
        self.write("zones/wrong", ZONE.replace("common/hosts", "common/wrong"))
        self.write("zones/common/wrong", "x A 192.0.2.1\n\ny A oops\n")
        self.write("zones/twice", ZONE + "late A 192.0.2.3\n")
        lines = self.write("list", "broken.test zones/broken\nexample.org zones/db\nwrong.test zones/wrong\n"
                                   "twice.test zones/twice\n")
        done = self.steerd.ctl("--json", "zone", "import", "--list", lines, check=False)
        self.assertEqual(3, done.returncode, done.stderr)
        summary = json.loads(done.stdout)
        self.assertEqual(2, summary["loaded"])
        rejected = {entry["origin"].rstrip("."): entry["error"] for entry in summary["rejected"]}
        self.assertEqual({"broken.test", "wrong.test"}, set(rejected))
        self.assertRegex(rejected["broken.test"], r"/zones/broken:2:1: \$INCLUDE of 'common/gone'.*No such file")
        self.assertRegex(rejected["wrong.test"], r"/zones/common/wrong:3:\d+: ")
        self.assertTrue(any(w["file"].endswith("/zones/twice") and w["line"] == 7 for w in summary["warnings"]), summary)
        self.assert_loaded()
        again = self.steerd.ctl("zone", "import", "--list", lines, check=False)
        self.assertIn("zones loaded: 2 (2 unchanged), rejected: 2", again.stdout)
        self.assertRegex(again.stderr, r"rejected: wrong\.test\.?: \S*/zones/common/wrong:3:\d+: ")

    def test_of_a_list_of_bad_includes_nothing_is_sent(self):
        self.write("zones/broken", "$INCLUDE gone\n")
        before = self.version()
        done = self.steerd.ctl("zone", "import", "--list", self.write("list", "b.test zones/broken\n"), check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("zones loaded: 0, rejected: 1", done.stdout)
        self.assertIn("No such file", done.stderr)
        self.assertEqual(before, self.version())


if __name__ == "__main__":
    unittest.main()
