# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/zones against the zone checkers of other servers. The first line of each file says whether steerd loads it."""
import functools
import glob
import json
import os
import shutil
import subprocess
import unittest

from support import ROOT, SteerdTest

ORIGIN = "example.com"
FILES = sorted(glob.glob(os.path.join(ROOT, "tests", "zones", "*.zone")))
# Refused by intent, whatever others do: the contents come over HTTP, where no file is opened (docs/api.md), and
# $GENERATE is to be written out by named-compilezone.
REFUSED_HERE = {"include", "generate"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)


def named(path, _):
    return run("named-checkzone", "-i", "local", ORIGIN, path)


def nsd(path, _):
    return run("nsd-checkzone", ORIGIN, path)


def knot(path, folder):
    config = os.path.join(folder, "knot.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"server:\n  rundir: {folder}\ndatabase:\n  storage: {folder}\nzone:\n  - domain: {ORIGIN}\n"
                   f"    file: {path}\n    storage: {folder}\n")
    return run("knotc", "-c", config, "zone-check", ORIGIN)


CHECKERS = {"named-checkzone": named, "nsd-checkzone": nsd, "knotc": knot}


@functools.lru_cache(None)
def accepted(path, folder):
    """The checkers that load the file as it is."""
    return {name for name, check in CHECKERS.items() if check(path, folder).returncode == 0}


def title(path):
    return os.path.basename(path)[:-len(".zone")]


class Checkers(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()

    def load(self, path):
        """None, or the error with its place."""
        with open(path, "rb") as file:
            status, body = self.steerd.http("PUT", f"/api/v1/zones/{ORIGIN}?file={title(path)}", file.read())
        self.assertIn(status, (200, 422), path)
        return None if status == 200 else json.loads(body)

    def test_each_zone_loads_or_is_refused_as_it_says(self):
        self.assertGreater(len(FILES), 50)
        for path in FILES:
            with self.subTest(zone=title(path)), open(path, encoding="utf-8") as file:
                error = self.load(path)
                self.assertEqual(file.readline().strip(), "; refused" if error else "; loads", error)

    def test_a_refused_zone_names_the_line(self):
        for path in FILES:
            error = self.load(path)
            if error and title(path) not in ("no-soa", "empty"):  # of which no line is at fault
                with self.subTest(zone=title(path)):
                    self.assertGreater(error["line"], 1)

    @unittest.skipUnless(all(map(shutil.which, CHECKERS)), "named-checkzone, nsd-checkzone and knotc are not all there")
    def test_what_all_others_refuse_is_refused_and_what_all_load_is_loaded(self):
        agreed = 0
        for path in FILES:
            others = accepted(path, self.folder)
            if title(path) in REFUSED_HERE or 0 < len(others) < len(CHECKERS):
                continue  # where they differ, so may we
            agreed += 1
            with self.subTest(zone=title(path)):
                error = self.load(path)
                self.assertEqual(bool(others), error is None, error)
        self.assertGreater(agreed, 30)

    @unittest.skipUnless(all(map(shutil.which, CHECKERS)), "named-checkzone, nsd-checkzone and knotc are not all there")
    def test_what_is_exported_is_loaded_by_all_that_load_the_original(self):
        for path in FILES:
            if self.load(path):
                continue
            with self.subTest(zone=title(path)):
                copy = self.write("copy", self.steerd.http("GET", f"/api/v1/zones/{ORIGIN}")[1])
                for name in accepted(path, self.folder):
                    done = CHECKERS[name](copy, self.folder)
                    self.assertEqual(0, done.returncode, f"{name}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    unittest.main()
