# SPDX-License-Identifier: GPL-3.0-or-later
import json
import socket
import unittest

from support import GERMANY, SINGAPORE, USA, SteerdTest, framed, query, read_tcp

DOCUMENT = """zone: replay.test
endpoints:
  fra: {ipv4: 192.0.2.10}
  iad: {ipv4: 198.51.100.10}
records:
  api:
    ttl: 30
    steer:
      geo:
        rules: [{match: EU, to: {endpoint: fra}}]
        default: {endpoint: iad}
  www: {ttl: 300, A: [192.0.2.80]}
  "*.w": {ttl: 300, A: [192.0.2.81]}
"""


class Replay(SteerdTest):
    def start(self, *options):
        self.steerd.options += options
        self.steerd.start()
        self.apply(DOCUMENT)

    def records(self, limit=1000):
        code, body = self.steerd.http("GET", f"/api/v1/replay?limit={limit}")
        self.assertEqual(200, code, body)
        return [json.loads(line) for line in body.splitlines()]

    def kept(self, count):
        """The answer goes out before its record is kept."""
        return self.wait(lambda: len(self.records()) == count and self.records(), f"{count} queries are kept")

    def replay(self, text, *options, check=True):
        done = self.steerd.ctl("--json", "replay", "--with", self.write("test.yaml", text), *options, check=check)
        return json.loads(done.stdout) if check else done

    def test_without_the_option_nothing_is_kept(self):
        self.start()
        code, body = self.steerd.http("GET", "/api/v1/replay")
        self.assertEqual(409, code)
        self.assertIn("--replay-sample", body)
        done = self.replay(DOCUMENT, check=False)
        self.assertEqual(1, done.returncode)

    def test_a_plan_counts_the_queries_that_were_asked(self):
        self.start("--replay-sample", "1/1", "--workers", "1")
        for client, times in ((GERMANY, 75), (USA, 25)):
            for _ in range(times):
                self.ask("api.replay.test", "A", client)
        self.ask("www.replay.test", "A", SINGAPORE)
        self.kept(101)
        path = self.write("test.yaml", DOCUMENT.replace("match: EU, to: {endpoint: fra}", "match: EU, to: {endpoint: iad}")
                          + "  new: {steer: {endpoint: fra}}\n")
        plan = json.loads(self.steerd.ctl("--json", "plan", "--population", "queries", path).stdout)
        self.assertEqual({"of": "queries", "queries": 101}, plan["population"])
        api, new = plan["records"]
        self.assertEqual({"queries": 100, "names": "own"}, api["asked"])
        self.assertEqual({"queries": 101, "names": "all"}, new["asked"])
        moves = [(move["from"], move["to"], move["share"]) for move in api["moves"]]
        self.assertEqual([("fra", "iad", "3/4")], moves)
        self.assertEqual([("ipv4", "1/1")], [(share["clients"], share["after"]) for share in new["shares"] if "place" not in share])
        text = self.steerd.ctl("plan", "--population", "queries", path).stdout
        self.assertIn("Shares are of 101 queries of the sample", text)
        self.assertIn("75% of IPv4 queries move  (100 queries)", text)
        by_address = json.loads(self.steerd.ctl("--json", "plan", path).stdout)
        self.assertEqual({"of": "addresses"}, by_address["population"])

    def test_a_plan_by_queries_needs_a_sample(self):
        self.start("--workers", "1")
        path = self.write("test.yaml", DOCUMENT)
        done = self.steerd.ctl("plan", "--population", "queries", path, check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("start steerd with --replay-sample 1/100", done.stderr)
        self.assertEqual(2, self.steerd.ctl("plan", "--population", "clients", path, check=False).returncode)
        code, body = self.steerd.http("POST", "/api/v1/plan", {
            "documents": [{"name": "test.yaml", "text": DOCUMENT}], "population": "people"})
        self.assertEqual(422, code, body)

    def test_a_plan_by_queries_waits_for_the_first_one(self):
        self.start("--replay-sample", "1/1", "--workers", "1")
        done = self.steerd.ctl("plan", "--population", "queries", self.write("test.yaml", DOCUMENT), check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("no query is in the sample yet", done.stderr)

    def test_queries_are_kept_with_networks_for_clients(self):
        self.start("--replay-sample", "1/1", "--workers", "1")
        self.ask("API.replay.test", "A", GERMANY, source=32)
        self.ask("www.replay.test", "AAAA")
        self.ask("nothing.replay.test")
        self.ask("elsewhere.test")
        records = {record["name"]: record for record in self.kept(4)}
        api = records["api.replay.test."]
        self.assertEqual(("A", "192.0.2.0/24", 0, True, "192.0.2.10"),
                         tuple(api[key] for key in ("type", "client", "rcode", "steered", "answer")))
        self.assertEqual(("AAAA", "127.0.0.0/24", 0, False),
                         tuple(records["www.replay.test."][key] for key in ("type", "client", "rcode", "steered")))
        self.assertEqual([3, 5], [records[name]["rcode"] for name in ("nothing.replay.test.", "elsewhere.test.")])
        self.assertEqual(2, len(self.records(2)))

    def test_the_ring_keeps_the_newest(self):
        self.start("--replay-sample", "1", "--replay-size", "3", "--workers", "1")
        for i in range(7):
            self.ask(f"n{i}.replay.test")
        self.wait(lambda: {r["name"] for r in self.records()} == {f"n{i}.replay.test." for i in (4, 5, 6)}, "the last three")

    def test_a_change_is_counted_by_name_and_by_what_it_does(self):
        self.start("--replay-sample", "1/1")
        for client, times in ((GERMANY, 3), (USA, 2), (SINGAPORE, 1)):
            for _ in range(times):
                self.ask("api.replay.test", "A", client)
        self.ask("www.replay.test")
        self.ask("x.w.replay.test")
        self.ask("new.replay.test")
        self.kept(9)
        new = DOCUMENT.replace("match: EU, to: {endpoint: fra}", "match: [EU, AS], to: {endpoint: fra}")
        new = new.replace("ttl: 300, A: [192.0.2.80]", "ttl: 60, A: [192.0.2.80]") + "  new: {TXT: [x]}\n"
        version = self.version()
        result = self.replay(new)
        self.assertEqual((9, 6, 3), (result["queries"], result["questions"], result["changed"]))
        self.assertEqual({"api.replay.test.": (6, 1), "www.replay.test.": (1, 1), "new.replay.test.": (1, 1)},
                         {name["name"]: (name["queries"], name["changed"]) for name in result["names"]})
        changes = {change["name"]: change for change in result["changes"]}
        api = changes["api.replay.test."]
        self.assertEqual(("198.51.100.10 ttl 30", "192.0.2.10 ttl 30", 1, ["203.0.113.0/24"]),
                         tuple(api[key] for key in ("from", "to", "queries", "examples")))
        self.assertEqual(("A 192.0.2.80 ttl 300", "A 192.0.2.80 ttl 60"),
                         tuple(changes["www.replay.test."][key] for key in ("from", "to")))
        self.assertEqual(("NXDOMAIN", "NODATA"), tuple(changes["new.replay.test."][key] for key in ("from", "to")))
        text = self.steerd.ctl("replay", "--with", self.write("test.yaml", new)).stdout
        self.assertIn("3 of 9 queries would get another answer", text)
        self.assertIn("  from  198.51.100.10 ttl 30\n  to    192.0.2.10 ttl 30\n  for   203.0.113.0/24\n", text)
        self.assertEqual(version, self.version())
        self.assertEqual(["198.51.100.10"], self.data("api.replay.test", "A", SINGAPORE))

    def test_weights_show_as_shares_and_the_same_document_changes_nothing(self):
        self.start("--replay-sample", "1/1")
        self.ask("api.replay.test", "A", USA)
        self.kept(1)
        self.assertEqual(0, self.replay(DOCUMENT)["changed"])
        new = DOCUMENT.replace("default: {endpoint: iad}",
                               "default: {weighted: [{weight: 3, to: {endpoint: iad}}, {weight: 1, to: {endpoint: fra}}]}")
        change, = self.replay(new)["changes"]
        self.assertEqual({"75% 198.51.100.10 ttl 30", "25% 192.0.2.10 ttl 30"}, set(change["to"].split("; ")))

    def test_a_zone_that_comes_and_one_that_is_cut_out_of_another(self):
        self.start("--replay-sample", "1/1")
        self.ask("www.elsewhere.test")
        self.ask("www.replay.test")
        self.kept(2)
        result = self.replay("zones:\n- zone: elsewhere.test\n  records: {www: {ttl: 5, A: [192.0.2.1]}}\n"
                             "- zone: www.replay.test\n  records: {\"@\": {ttl: 7, A: [192.0.2.2]}}\n")
        self.assertEqual({"www.elsewhere.test.": ("REFUSED", "A 192.0.2.1 ttl 5"),
                          "www.replay.test.": ("A 192.0.2.80 ttl 300", "A 192.0.2.2 ttl 7")},
                         {change["name"]: (change["from"], change["to"]) for change in result["changes"]})

    def test_a_document_with_an_error_shows_its_line(self):
        self.start("--replay-sample", "1/1")
        done = self.steerd.ctl("replay", "--with", self.write("test.yaml", DOCUMENT.replace("{endpoint: iad}", "{endpoint: iat}")),
                               check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("test.yaml:11:29: ", done.stderr)
        self.assertIn("did you mean 'iad'", done.stderr)

    def test_queries_over_tcp_are_of_the_sample_too(self):
        self.start("--replay-sample", "1/1")
        with socket.create_connection(("127.0.0.1", self.steerd.dns_port), 5) as sock:
            for name in ("api", "www", "nothing"):
                sock.sendall(framed(query(f"{name}.replay.test", "A", GERMANY)))
                read_tcp(sock)
        self.ask("www.replay.test")
        records = self.kept(4)
        self.assertEqual(["192.0.2.0/24"] * 3 + ["127.0.0.0/24"],
                         sorted((record["client"] for record in records), reverse=True))
        api, = [record for record in records if record["name"] == "api.replay.test."]
        self.assertEqual(("192.0.2.10", True, 0), (api["answer"], api["steered"], api["rcode"]))
        self.assertEqual(4, self.replay(DOCUMENT)["queries"])

    def test_answers_of_all_types_are_kept_as_zone_files_have_them(self):
        self.start("--replay-sample", "1/1", "--workers", "1")
        self.apply("""zone: replay.test
endpoints:
  web: {ipv4: 192.0.2.11, https: {alpn: [h2]}}
records:
  mail: {ttl: 60, MX: ["10 mx.replay.test.", "20 mx2.replay.test."]}
  mx: {ttl: 60, CNAME: www.replay.test.}
  text: {ttl: 60, TXT: ["v=spf1 -all"]}
  long: {ttl: 60, TXT: ["%s"]}
  _sip._tcp: {ttl: 60, SRV: ["1 2 5060 sip.elsewhere.test."]}
  web: {ttl: 60, steer: {endpoint: web}}
  go: {ttl: 60, kind: cname, steer: {answer: {CNAME: there.elsewhere.test.}}}
""" % ("x" * 255), "types.yaml")
        asked = (("mail", "MX"), ("mx", "A"), ("text", "TXT"), ("long", "TXT"), ("_sip._tcp", "SRV"), ("web", "HTTPS"), ("go", "AAAA"),
                 ("", "SOA"), ("", "NS"))
        for name, kind in asked:
            self.ask(f"{name}.replay.test".lstrip("."), kind)
        records = {(record["name"], record["type"]): record for record in self.kept(len(asked))}
        got = {name: (records[f"{name}.replay.test.", kind].get("answer"), records[f"{name}.replay.test.", kind].get("answer_type"))
               for name, kind in asked if name}
        self.assertIn(got.pop("mail"), {("10 mx.replay.test.", None), ("20 mx2.replay.test.", None)})
        self.assertEqual({"mx": ("www.replay.test.", "CNAME"), "text": ('"v=spf1 -all"', None), "long": (None, None),
                          "_sip._tcp": ("1 2 5060 sip.elsewhere.test.", None), "web": ("1 . alpn=h2 ipv4hint=192.0.2.11", None),
                          "go": ("there.elsewhere.test.", "CNAME")}, got)
        self.assertNotIn("answer", records["replay.test.", "SOA"])
        self.assertEqual("ns.replay.test.", records["replay.test.", "NS"]["answer"])

    def test_assertions_that_would_fail_are_shown_and_refuse_nothing(self):
        self.start("--replay-sample", "1/1")
        self.apply(DOCUMENT + "assert:\n  - {name: europe, clients: [EU], only: [fra]}\n")
        self.ask("api.replay.test", "A", GERMANY)
        self.kept(1)
        new = DOCUMENT.replace("match: EU, to: {endpoint: fra}", "match: EU, to: {endpoint: iad}")
        new += "assert:\n  - {name: europe, clients: [EU], only: [fra]}\n"
        result = self.replay(new)
        self.assertEqual(1, result["changed"])
        broken, = result["assertions"]
        self.assertEqual(("europe", "test.yaml", False), (broken["name"], broken["document"], broken["holds"]))
        self.assertIn("would get for A: iad", broken["breaches"][0]["message"])
        text = self.steerd.ctl("replay", "--with", self.write("test.yaml", new)).stdout
        self.assertIn("1 of 1 queries would get another answer", text)
        self.assertRegex(text, r"warning: test.yaml:\d+:\d+: assertion 'europe' \(.*\) would not hold, and apply would refuse: ")
        self.assertEqual(1, self.steerd.ctl("apply", "--yes", self.write("test.yaml", new), check=False).returncode)
        self.assertEqual([], self.replay(DOCUMENT + "assert:\n  - {name: europe, clients: [EU], only: [fra]}\n")["assertions"])

    def test_aliases_are_followed_and_delegations_seen(self):
        self.start("--replay-sample", "1/1")
        aliases = """zone: replay.test
records:
  old: {ttl: 60, CNAME: api.replay.test.}
  older: {ttl: 60, CNAME: old.replay.test.}
  out: {ttl: 60, CNAME: elsewhere.test.}
  loop: {ttl: 60, CNAME: loop2.replay.test.}
  loop2: {ttl: 60, CNAME: loop.replay.test.}
  dname: {ttl: 60, DNAME: w.replay.test.}
  below.sub: {ttl: 60, A: [192.0.2.90]}
"""
        self.apply(aliases, "aliases.yaml")
        for name in ("older", "out", "loop", "x.dname", "below.sub"):
            self.ask(f"{name}.replay.test", "A", USA)
        self.kept(5)
        new = DOCUMENT.replace("default: {endpoint: iad}", "default: {endpoint: fra}").replace("192.0.2.81", "192.0.2.82")
        result = self.replay(new)
        self.assertEqual({
            "older.replay.test.": ("CNAME old.replay.test. ttl 60 -> CNAME api.replay.test. ttl 60 -> 198.51.100.10 ttl 30",
                                   "CNAME old.replay.test. ttl 60 -> CNAME api.replay.test. ttl 60 -> 192.0.2.10 ttl 30"),
            "x.dname.replay.test.": ("DNAME w.replay.test. ttl 60 -> A 192.0.2.81 ttl 300",
                                     "DNAME w.replay.test. ttl 60 -> A 192.0.2.82 ttl 300"),
        }, {change["name"]: (change["from"], change["to"]) for change in result["changes"]})
        done = self.steerd.ctl("--json", "replay", "--with", self.write(
            "aliases.yaml", aliases + "  sub: {ttl: 60, NS: [ns.elsewhere.test.]}\n"))
        change, = json.loads(done.stdout)["changes"]
        self.assertEqual(("below.sub.replay.test.", "A 192.0.2.90 ttl 60", "referral NS ns.elsewhere.test. ttl 60"),
                         (change["name"], change["from"], change["to"]))

    def test_where_an_answer_lies_in_a_draw_is_no_change(self):
        self.start("--replay-sample", "1/1")
        pool = ("zone: replay.test\nendpoints:\n  p: {ipv4: 192.0.2.21, ipv6: \"2001:db8::21\"}\n"
                "  q: {ipv4: 192.0.2.22, ipv6: \"2001:db8::22\"}\n  r: {ipv4: 192.0.2.23}\n"
                "  s: {ipv4: 192.0.2.24, ipv6: \"2001:db8::24\"}\npools:\n  four: {endpoints: {p: 1, q: 1, r: 1, s: 1}}\n"
                "records:\n  drawn: {ttl: 30, draw: %s, steer: {pool: four}}\n")
        self.apply(pool % "random", "pool.yaml")
        self.ask("drawn.replay.test", "AAAA")
        self.kept(1)
        done = self.steerd.ctl("--json", "replay", "--with", self.write("pool.yaml", pool % "coherent"))
        self.assertEqual(0, json.loads(done.stdout)["changed"], done.stdout)

    def test_odd_fractions_are_refused_at_the_start(self):
        for value in ("2", "1/0", "x", "-1", "1/", "0.5x"):
            self.steerd.options += ["--replay-sample", value]
            with self.subTest(value=value), self.assertRaises(Exception) as caught:
                self.steerd.start()
            self.assertIn("--replay-sample takes 1/N, a fraction like 0.01, or 0 for none, not: " + value, str(caught.exception))
            self.steerd.process = None
            del self.steerd.options[-2:]


if __name__ == "__main__":
    unittest.main()
