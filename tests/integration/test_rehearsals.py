# SPDX-License-Identifier: GPL-3.0-or-later
"""Overrides for the clients of some networks: they move, and nobody else; over edits, restarts and the clock."""
import json
import re
import signal
import unittest

from support import FRA, GERMANY, IAD, STEADY, SteerdTest

OFFICE, OFFICE_CLIENT, NEIGHBOUR = "192.0.2.128/26", "192.0.2.130", "192.0.2.192"


class Rehearsals(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()

    def given(self, client):
        reply = self.ask("api.geo.test", "A", client, source=32)
        self.assertEqual(0, reply.rcode)
        return reply.data, reply.scope

    def rehearse(self, *more, clients=OFFICE, state="down"):
        return self.steerd.ctl("override", "set", "site", "fra", state, "--clients", clients, "--reason",
                               "rehearsal of a failure", "--owner", "ana", *more)

    def listed(self):
        return json.loads(self.steerd.http("GET", "/api/v1/overrides")[1])

    def test_only_the_office_moves_and_everything_says_so(self):
        self.apply(STEADY)
        before = self.given(NEIGHBOUR)
        self.assertEqual([FRA], before[0])
        self.assertIn(f"site fra is forced down for 1h for clients in 2001:db8:5::/48, {OFFICE}",
                      self.rehearse("--for", "1h", clients=f"2001:db8:5::/48,{OFFICE}").stdout)
        self.assertEqual(([IAD], 26), self.given(OFFICE_CLIENT))
        self.assertEqual(([FRA], 26), self.given(NEIGHBOUR))
        said = self.run_client("dig", "+subnet=192.0.2.130/32", "api.geo.test", "A")
        self.assertIn("CLIENT-SUBNET: 192.0.2.130/32/26", said)
        self.assertIn(IAD, said)
        explained = self.steerd.ctl("explain", "api.geo.test", "A", "--client", OFFICE_CLIENT).stdout
        self.assertIn("rehearsal for 192.0.2.128/26: site fra down  rehearsal of a failure  by ana", explained)
        self.assertIn("down: rehearsal for 192.0.2.128/26: rehearsal of a failure", explained)
        supposed = self.steerd.ctl("--json", "explain", "api.geo.test", "A", "--client", OFFICE_CLIENT, "--down",
                                   "endpoint:iad-1").stdout
        self.assertTrue(json.loads(supposed)["served_all"])
        self.assertIn(f"{OFFICE},2001:db8:5::/48", self.steerd.ctl("override", "list").stdout)
        self.assertEqual([OFFICE, "2001:db8:5::/48"], self.listed()[0]["clients"])
        self.assertEqual("unknown", self.steerd.states()["fra-1"])
        self.assertEqual(1, self.steerd.status()["rehearsals"])
        self.assertEqual(1, self.metric("steerd_rehearsals"))
        self.assertEqual(0, self.metric("steerd_overrides"))
        self.assertIn("1 override is for some clients only", self.steerd.ctl("status").stdout)
        self.steerd.ctl("override", "clear", "site", "fra", "--clients", f"2001:db8:5::/48,{OFFICE}")
        self.assertEqual(before, self.given(OFFICE_CLIENT))
        self.assertEqual([], self.listed())
        audit = self.steerd.ctl("audit").stdout
        for line in ("override clear", "override set"):
            self.assertRegex(audit, f"{line} +site fra for {OFFICE},2001:db8:5::/48")

    def test_it_stands_beside_the_one_for_all_and_others(self):
        self.apply(STEADY)
        self.steerd.ctl("override", "set", "site", "fra", "down", "--reason", "it burns")
        self.rehearse(state="up")
        self.rehearse(state="drained", clients="192.0.2.160/27")
        self.assertEqual([IAD], self.given(NEIGHBOUR)[0])
        self.assertEqual([FRA], self.given(OFFICE_CLIENT)[0])
        self.assertEqual([IAD], self.given("192.0.2.161")[0])
        self.assertEqual([None, [OFFICE], ["192.0.2.160/27"]], [o["clients"] for o in self.listed()])
        self.rehearse(clients="192.0.2.160/27", state="up")
        self.assertEqual([FRA], self.given("192.0.2.161")[0])
        self.steerd.ctl("override", "clear", "site", "fra")
        self.assertEqual([FRA], self.given(NEIGHBOUR)[0])
        refused = self.steerd.ctl("override", "clear", "site", "fra", check=False)
        self.assertEqual(1, refused.returncode)
        self.assertIn("no override on site 'fra' for all clients; there is one for 192.0.2.128/26, and one for "
                      "192.0.2.160/27", refused.stderr)

    def test_what_is_wrong_is_named(self):
        self.apply(STEADY)
        self.rehearse(clients=f"{OFFICE},198.51.100.0/24")
        rows = [("198.51.100.0/24", "clear that one first"), ("198.51.100.1/24", "the network is 198.51.100.0/24"),
                ("64:ff9b::c000:200/120", "write 192.0.2.0/24"), ("office", "is not a network"),
                (",".join(f"10.0.{n}.0/24" for n in range(65)), "at most 64 networks")]
        for clients, says in rows:
            with self.subTest(clients=clients):
                done = self.steerd.ctl("override", "set", "site", "fra", "up", "--clients", clients, "--reason", "x",
                                       check=False)
                self.assertEqual(1, done.returncode)
                self.assertIn(says, done.stderr)
        code, _ = self.steerd.http("PUT", "/api/v1/overrides/site/fra",
                                   {"state": "up", "reason": "x", "clients": ["198.51.100.0/24"]})
        self.assertEqual(409, code)
        code, _ = self.steerd.http("DELETE", "/api/v1/overrides/site/fra?clients=10.0.0.0/8")
        self.assertEqual(404, code)
        code, _ = self.steerd.http("DELETE", "/api/v1/overrides/site/fra?clients=10.0.0.1/8")
        self.assertEqual(422, code)
        self.assertEqual(1, len(self.listed()))

    def test_verdicts_edits_geo_data_and_a_crash_leave_it_in_force(self):
        fra, iad = self.origins()
        self.rehearse()
        self.assertEqual([IAD], self.given(OFFICE_CLIENT)[0])
        fra.stop()
        self.wait(lambda: self.given(NEIGHBOUR)[0] == [IAD], "the others move by the verdict")
        fra.start()
        self.wait(lambda: self.given(NEIGHBOUR)[0] == [FRA], "they come back")
        self.assertEqual([IAD], self.given(OFFICE_CLIENT)[0])
        self.apply("zone: more.test\nrecords:\n  www: {ttl: 5, steer: {failover: [{endpoint: fra-1}, "
                   "{endpoint: iad-1}]}}\n", "more.yaml")
        self.assertEqual([IAD], self.ask("www.more.test", "A", OFFICE_CLIENT, source=32).data)
        self.assertEqual([FRA], self.ask("www.more.test", "A", NEIGHBOUR, source=32).data)
        self.steerd.process.send_signal(signal.SIGHUP)
        self.wait(lambda: "geo data was read again" in self.steerd.log(), "the geo data is read again")
        self.assertEqual(([IAD], 26), self.given(OFFICE_CLIENT))
        self.steerd.kill()
        self.steerd.start()
        self.assertEqual(([IAD], 26), self.given(OFFICE_CLIENT))
        self.assertEqual([FRA], self.given(NEIGHBOUR)[0])
        self.assertEqual([OFFICE], self.listed()[0]["clients"])

    def test_it_ends_by_the_clock_also_while_steerd_is_down(self):
        self.apply(STEADY)
        before = self.given(OFFICE_CLIENT)
        self.rehearse("--for", "2s")
        self.assertEqual(([IAD], 26), self.given(OFFICE_CLIENT))
        self.wait(lambda: self.given(OFFICE_CLIENT) == before, "it ends")
        self.wait(lambda: not self.listed(), "it is listed no more")
        self.rehearse("--for", "1s")
        self.steerd.kill()
        self.steerd.start()
        self.wait(lambda: self.given(OFFICE_CLIENT) == before, "it has ended")
        expired = f"steerd.* override expired +site fra for {OFFICE}"
        self.wait(lambda: len(re.findall(expired, self.steerd.ctl("audit").stdout)) == 2, "both ends are audited")

    def test_assertions_do_not_look_at_it(self):
        self.apply(STEADY + "assert:\n  - {name: both, survive: any-one-endpoint}\n")
        self.rehearse(clients="0.0.0.0/0")
        self.assertEqual([IAD], self.german())
        self.apply(STEADY.replace("ttl: 30", "ttl: 20") + "assert:\n  - {name: both, survive: any-one-endpoint}\n")
        self.assertEqual([IAD], self.data("api.geo.test", "A", GERMANY))


if __name__ == "__main__":
    unittest.main()
