# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import re
import stat
import unittest

from support import STEADY, SteerdTest

ZONE = """@ 300 SOA ns hostmaster 1 7200 900 1209600 300
@ 300 NS ns
ns 300 A 192.0.2.53
"""
METRIC = re.compile(r'([a-z_][a-z0-9_]*)(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? (\S+)')


class Admin(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()

    def test_the_api_wants_the_token(self):
        for path in ("/api/v1/status", "/api/v1/zones", "/api/v1/overrides", "/api/v1/documents", "/api/v1/explain"):
            with self.subTest(path=path):
                self.assertEqual(401, self.steerd.http("GET", path, token=False)[0])
                wrong = {"Authorization": "Bearer " + "0" * 64}
                self.assertEqual(401, self.steerd.http("GET", path, headers=wrong, token=False)[0])
        self.assertEqual(401, self.steerd.http("PUT", "/api/v1/zones/x.test", b"", token=False)[0])
        self.assertEqual(200, self.steerd.http("GET", "/api/v1/status")[0])

    def test_web_pages_are_refused(self):
        self.assertEqual(403, self.steerd.http("GET", "/api/v1/status", headers={"Origin": "http://example.com"})[0])

    def test_token_and_database_are_for_the_owner_only(self):
        path = os.path.join(self.steerd.data, "admin.token")
        self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
        for name in os.listdir(self.steerd.data):
            self.assertEqual(0, stat.S_IMODE(os.stat(os.path.join(self.steerd.data, name)).st_mode) & 0o077, name)

    def test_a_restart_keeps_the_token(self):
        before = self.steerd.token()
        self.steerd.stop()
        self.steerd.start()
        self.assertEqual(before, self.steerd.token())

    def test_healthz_needs_no_token(self):
        self.assertEqual((200, "ok\n"), self.steerd.http("GET", "/healthz", token=False))

    def metrics(self):
        code, text = self.steerd.http("GET", "/metrics", token=False)
        self.assertEqual(200, code)
        values, typed = {}, set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                typed.add(line.split()[2])
            elif not line.startswith("#"):
                match = METRIC.fullmatch(line)
                self.assertIsNotNone(match, line)
                base = re.sub(r"_(bucket|sum|count)$", "", match[1])
                self.assertTrue(match[1] in typed or base in typed, line)
                self.assertNotIn(match[1] + (match[2] or ""), values)
                values[match[1] + (match[2] or "")] = float(match[3])
        return values

    def test_metrics_parse_and_count(self):
        self.apply(STEADY)
        before = self.metrics()
        for _ in range(50):
            self.ask("api.geo.test")
        grown = lambda: {n: v - before.get(n, 0) for n, v in self.metrics().items() if "udp" in n}
        self.wait(lambda: 50 in grown().values(), "a counter of UDP queries grows by 50")
        self.assertTrue(all(name.startswith(("steerd_", "process_")) for name in before))

    def test_what_is_not_there_is_404_and_a_wrong_method_405(self):
        self.assertEqual(404, self.steerd.http("GET", "/api/v1/nothing")[0])
        self.assertEqual(404, self.steerd.http("GET", "/api/v1/zones/none.test")[0])
        self.assertEqual(405, self.steerd.http("DELETE", "/api/v1/status")[0])

    def test_the_audit_tells_who_changed_what(self):
        self.steerd.ctl("zone", "import", "example.org", self.write("zone", ZONE))
        self.steerd.ctl("zone", "delete", "example.org", "--yes")
        self.assertEqual(422, self.steerd.http("PUT", "/api/v1/zones/bad.test", b"x")[0])
        status, body = self.steerd.http("GET", "/api/v1/audit?limit=2&since=1h")
        self.assertEqual(200, status)
        entries = json.loads(body)
        self.assertEqual([("zone delete", "example.org."), ("zone import", "example.org.")],
                         [(entry["action"], entry["subject"]) for entry in entries])
        self.assertIn("127.0.0.1", entries[0]["who"])
        self.assertIn("zone delete", self.steerd.ctl("audit", "--limit", "1").stdout)

    def test_explain_refuses_what_it_cannot_read(self):
        self.apply(STEADY)
        for arguments in (["a..b", "A", "--client", "192.0.2.1"], ["api.geo.test", "NOPE", "--client", "192.0.2.1"],
                          ["api.geo.test", "A", "--client", "192.0.2.300"], ["api.geo.test", "A", "--client", "::/129"]):
            with self.subTest(arguments=arguments):
                done = self.steerd.ctl("explain", *arguments, check=False)
                self.assertEqual(1, done.returncode, done.stdout)
                self.assertIn("error:", done.stderr)


if __name__ == "__main__":
    unittest.main()
