# SPDX-License-Identifier: GPL-3.0-or-later
"""What is answered to a well-formed question: docs/dns-conformance.md says which test stands for which line."""
import collections
import subprocess
import unittest

from dnsmessage import message, name_text, question, wire_name
from dnstest import DnsTest

HEAD = "$TTL 300\n@ 3600 SOA ns1 hostmaster 1 7200 900 1209600 {minimum}\n@ 3600 NS ns1\nns1 3600 A 192.0.2.53\n"
L63, L62 = "a" * 63, "b" * 61
LONGEST = f"{L63}.{L63}.{L63}.{'b' * 52}.dns.test."  # 255 octets
SOA = "authority dns.test 120 SOA *"

ZONE = HEAD.format(minimum=120) + rf"""
ns1 3600 AAAA 2001:db8::53
www A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
twice TXT same
twice TXT same
uneven 300 A 192.0.2.30
uneven 600 A 192.0.2.31
a.b.ent TXT leaf
*.wild A 192.0.2.9
*.wild TXT wild
leaf.deep.wild TXT leaf
here.wild TXT here
cut.wild NS ns1
*.under.nothing A 192.0.2.10
q.*.star TXT plain
*.alias CNAME www
*.self CNAME x.self
*.grow CNAME x.y.grow
*.nsowner NS ns1
a\.b A 192.0.2.11
\000\255\032 A 192.0.2.12
{LONGEST} A 192.0.2.13
one CNAME two
two CNAME three
three CNAME www
cross CNAME www.other.test.
longer CNAME www.sub.other.test.
out CNAME www.elsewhere.example.
nowhere CNAME none
nodata CNAME b.ent
negative CNAME none.other.test.
loop1 CNAME loop2
loop2 CNAME loop1
me CNAME me
tosub CNAME host.child
tree DNAME other.test.
tree TXT beside
turn DNAME turn.turn
long DNAME some.much.longer.target.example.
hidden.tree A 192.0.2.99
round DNAME back
back DNAME round
child NS ns.child
child NS ns.sibling
child NS ns.elsewhere.example.
child DS 1 8 2 00FF
ns.child A 192.0.2.61
ns.child AAAA 2001:db8::61
hidden.child A 192.0.2.98
sibling NS ns.sibling
ns.sibling A 192.0.2.62
unsigned NS ns1
TYPE65280 TYPE65280 \# 3 abcdef
any TXT text
any A 192.0.2.20
sig RRSIG A 8 3 300 20300101000000 20200101000000 1 dns.test. c2ln
""" + "".join(f"chain{i} CNAME chain{i + 1}\n" for i in range(40)) + "chain40 A 192.0.2.40\n"

OTHER = HEAD.format(minimum=7200) + "www A 192.0.2.2\nback CNAME one.dns.test.\n"
SUB = HEAD.format(minimum=60) + "www A 192.0.2.7\n"

DIGEST = "0123456789abcdef" * 4
# RFC 1035 and later, as kdig prints them; what follows | goes into the additional section.
TYPED = rf"""
mail MX 10 host                                 | A 192.0.2.80, AAAA 2001:db8::80
srv SRV 0 5 5060 host                           | A 192.0.2.80, AAAA 2001:db8::80
naptr NAPTR 1 2 "s" "SIP+D2U" "" host           | A 192.0.2.80, AAAA 2001:db8::80
naptr0 NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:x!" . |
svcb SVCB 1 host alpn=h2,h3 port=8443           | A 192.0.2.80, AAAA 2001:db8::80
alias SVCB 0 host                               | A 192.0.2.80, AAAA 2001:db8::80
https HTTPS 0 host                              | A 192.0.2.80, AAAA 2001:db8::80
host HTTPS 1 . alpn=h2 ipv4hint=192.0.2.80      | A 192.0.2.80, AAAA 2001:db8::80
gone HTTPS 0 .                                  |
caa CAA 128 issue "ca.example"                  |
tlsa TLSA 3 1 1 00FF                            |
sshfp SSHFP 4 2 {DIGEST} |
uri URI 10 1 "https://host.types.test/"         |
loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m |
ptr PTR host                                    |
hinfo HINFO "cpu" "os"                          |
spf SPF "v=spf1 -all"                           |
smimea SMIMEA 3 1 1 00FF                        |
openpgpkey OPENPGPKEY AQID                      |
cds CDS 1 8 2 {DIGEST} |
cdnskey CDNSKEY 256 3 8 AQID                    |
csync CSYNC 66 3 A NS AAAA                      |
zonemd ZONEMD 2026 1 240 00112233445566778899AABB |
unknown TYPE65281 \# 2 beef                     |
"""


class Lookup(DnsTest):
    zones = {"dns.test": ZONE, "other.test": OTHER, "sub.other.test": SUB}

    # ---- exact names, empty non-terminals, wildcards

    def test_an_exact_name_is_answered_with_authority(self):
        self.expect("ns1.dns.test", "A", "flags aa\nanswer ns1.dns.test 3600 A 192.0.2.53")

    def test_an_empty_non_terminal_is_nodata_and_not_nxdomain(self):
        for name in ("b.ent", "ent", "deep.wild", "nothing", "under.nothing"):
            self.expect(f"{name}.dns.test", "A", "flags aa\n" + SOA)
        self.expect("x.b.ent.dns.test", "A", "rcode NXDOMAIN\nflags aa\n" + SOA)

    def test_a_wildcard_covers_names_of_any_depth_below_it(self):
        self.expect("x.wild.dns.test", "A", "flags aa\nanswer x.wild.dns.test 300 A 192.0.2.9")
        self.expect("x.y.z.wild.dns.test", "TXT", '=> "wild" ttl 300')
        self.expect("x.wild.dns.test", "AAAA", SOA)

    def test_a_wildcard_does_not_cover_a_name_that_exists(self):
        self.expect("here.wild.dns.test", "A", SOA)
        self.expect("x.here.wild.dns.test", "A", "rcode NXDOMAIN\n" + SOA)
        self.expect("deep.wild.dns.test", "A", SOA)
        self.expect("x.deep.wild.dns.test", "A", "rcode NXDOMAIN\n" + SOA)

    def test_a_wildcard_does_not_reach_across_a_delegation(self):
        self.expect("x.cut.wild.dns.test", "A", "flags none\nauthority cut.wild.dns.test 300 NS ns1.dns.test.\n"
                    "any additional")

    def test_a_star_is_a_plain_label_when_asked_for_and_inside_a_name(self):
        self.expect("*.wild.dns.test", "A", "=> 192.0.2.9")
        self.expect("x.*.wild.dns.test", "A", "rcode NXDOMAIN\n" + SOA)
        self.expect("q.*.star.dns.test", "TXT", '=> "plain"')
        self.expect("q.y.star.dns.test", "TXT", SOA)  # made from the empty non-terminal * (RFC 4592 4.2)

    def test_a_wildcard_under_an_empty_non_terminal(self):
        self.expect("x.under.nothing.dns.test", "A", "=> 192.0.2.10")
        self.expect("x.nothing.dns.test", "A", "rcode NXDOMAIN\n" + SOA)

    def test_a_wildcard_cname_is_followed(self):
        self.expect("x.alias.dns.test", "AAAA", "answer x.alias.dns.test 300 CNAME www.dns.test.\n" + SOA)
        self.expect("x.alias.dns.test", "CNAME", "=> www.dns.test.")

    def test_ns_records_of_a_wildcard_load_and_delegate_nothing(self):
        self.expect("*.nsowner.dns.test", "NS", "any answer\nany authority\nany additional")
        self.expect("nsowner.dns.test", "A", SOA)

    # ---- chains

    def test_a_cname_chain_is_followed_in_order(self):
        self.expect("one.dns.test", "A", """ordered
            flags aa
            answer one.dns.test 300 CNAME two.dns.test.
            answer two.dns.test 300 CNAME three.dns.test.
            answer three.dns.test 300 CNAME www.dns.test.
            answer www.dns.test 300 A *
            answer www.dns.test 300 A *
            answer www.dns.test 300 A *""")

    def test_a_cname_question_is_answered_by_the_cname_and_not_followed(self):
        self.expect("one.dns.test", "CNAME", "answer one.dns.test 300 CNAME two.dns.test.")

    def test_a_chain_goes_through_all_zones_served_here(self):
        self.expect("cross.dns.test", "A", "ordered\nflags aa\nanswer cross.dns.test 300 CNAME www.other.test.\n"
                    "answer www.other.test 300 A 192.0.2.2")
        self.expect("back.other.test", "MX", "any answer\n" + SOA)

    def test_a_target_is_looked_up_in_the_zone_with_the_longest_origin(self):
        self.expect("longer.dns.test", "A", "answer longer.dns.test 300 CNAME www.sub.other.test.\n"
                    "answer www.sub.other.test 300 A 192.0.2.7")

    def test_a_target_outside_all_zones_ends_the_chain_without_an_error(self):
        self.expect("out.dns.test", "A", "flags aa\nanswer out.dns.test 300 CNAME www.elsewhere.example.")

    def test_loops_end_with_the_chain_so_far(self):
        self.expect("loop1.dns.test", "A", "ordered\nflags aa\nanswer loop1.dns.test 300 CNAME loop2.dns.test.\n"
                    "answer loop2.dns.test 300 CNAME loop1.dns.test.")
        self.expect("me.dns.test", "A", "answer me.dns.test 300 CNAME me.dns.test.")
        self.expect("x.self.dns.test", "A", "answer x.self.dns.test 300 CNAME x.self.dns.test.")
        self.expect("q.grow.dns.test", "A", "ordered\nanswer q.grow.dns.test 300 CNAME x.y.grow.dns.test.\n"
                    "answer x.y.grow.dns.test 300 CNAME x.y.grow.dns.test.")

    def test_dname_chains_that_turn_or_grow_end_in_a_normal_reply(self):
        for name in ("x.round.dns.test", "x.turn.dns.test", "x.turn.turn.dns.test"):
            reply = self.ask_message(name)  # no record twice, one DNAME for each CNAME: judged with every reply
            self.assertIn(reply.rcode, (0, 6), str(reply))
            self.assertEqual("DNAME", reply.answer[0].kind)

    def test_a_chain_that_is_too_long_is_cut_and_no_error(self):
        reply = self.ask_message("chain0.dns.test", transport="tcp")
        self.assertEqual(0, reply.rcode)
        self.assertGreaterEqual(len(reply.answer), 8)
        self.assertEqual([f"chain{i}.dns.test." for i in range(len(reply.answer))], [r.owner for r in reply.answer])

    # ---- DNAME

    def test_a_dname_comes_with_the_cname_made_from_it(self):
        self.expect("www.tree.dns.test", "A", """ordered
            flags aa
            answer tree.dns.test 300 DNAME other.test.
            answer www.tree.dns.test 300 CNAME www.other.test.
            answer www.other.test 300 A 192.0.2.2""")
        self.expect("www.tree.dns.test", "CNAME", "answer tree.dns.test 300 DNAME other.test.\n"
                    "answer www.tree.dns.test 300 CNAME www.other.test.")

    def test_a_dname_does_not_redirect_its_own_name(self):
        self.expect("tree.dns.test", "TXT", '=> "beside"')
        self.expect("tree.dns.test", "A", SOA)
        self.expect("tree.dns.test", "DNAME", "=> other.test.")

    def test_data_below_a_dname_is_not_seen(self):
        self.expect("hidden.tree.dns.test", "A", "rcode NXDOMAIN\nanswer tree.dns.test 300 DNAME other.test.\n"
                    "answer hidden.tree.dns.test 300 CNAME hidden.other.test.\nauthority other.test 3600 SOA *")

    def test_a_dname_that_makes_too_long_a_name_is_yxdomain(self):
        self.expect(f"{L63}.{L63}.{L63}.{'b' * 36}.long.dns.test", "A", "rcode YXDOMAIN\nflags aa\n"
                    "answer long.dns.test 300 DNAME some.much.longer.target.example.")

    # ---- delegations

    REFERRAL = """flags none
        authority child.dns.test 300 NS ns.child.dns.test.
        authority child.dns.test 300 NS ns.sibling.dns.test.
        authority child.dns.test 300 NS ns.elsewhere.example.
        additional ns.child.dns.test 300 A 192.0.2.61
        additional ns.child.dns.test 300 AAAA 2001:db8::61
        additional ns.sibling.dns.test 300 A 192.0.2.62"""

    def test_a_referral_has_no_aa_and_the_glue_in_bailiwick_and_of_siblings(self):
        self.expect("www.child.dns.test", "A", self.REFERRAL)

    def test_nothing_below_the_cut_is_answered_but_as_glue(self):
        for name in ("hidden.child.dns.test", "ns.child.dns.test"):
            self.expect(name, "A", self.REFERRAL)
        for kind in ("NS", "SOA", "ANY", "A"):
            self.expect("child.dns.test", kind, self.REFERRAL)

    def test_ds_at_the_cut_is_answered_by_the_parent(self):
        self.expect("child.dns.test", "DS", "flags aa\nanswer child.dns.test 300 DS 1 8 2 00FF")
        self.expect("unsigned.dns.test", "DS", "flags aa\n" + SOA)
        self.expect("x.child.dns.test", "DS", self.REFERRAL)
        self.expect("sub.other.test", "DS", "rcode NXDOMAIN\nflags aa\nauthority other.test 3600 SOA *")

    def test_a_chain_that_ends_at_a_delegation_keeps_aa_and_adds_its_ns(self):
        self.expect("tosub.dns.test", "A", "answer tosub.dns.test 300 CNAME host.child.dns.test.\n"
                    + self.REFERRAL.replace("flags none", "flags aa"))

    # ---- negative answers

    def test_the_soa_of_negative_answers_has_the_least_of_its_ttl_and_its_minimum(self):
        self.expect("none.dns.test", "A", "rcode NXDOMAIN\nauthority dns.test 120 SOA ns1.dns.test. "
                    "hostmaster.dns.test. 1 7200 900 1209600 120")
        self.expect("none.other.test", "A", "rcode NXDOMAIN\nauthority other.test 3600 SOA ns1.other.test. "
                    "hostmaster.other.test. 1 7200 900 1209600 7200")
        self.expect("dns.test", "SOA", "answer dns.test 3600 SOA *")

    def test_nodata_and_nxdomain_after_a_cname_speak_of_the_last_name(self):
        self.expect("nowhere.dns.test", "A", "rcode NXDOMAIN\nflags aa\n"
                    "answer nowhere.dns.test 300 CNAME none.dns.test.\n" + SOA)
        self.expect("nodata.dns.test", "A", "flags aa\nanswer nodata.dns.test 300 CNAME b.ent.dns.test.\n" + SOA)
        self.expect("negative.dns.test", "A", "rcode NXDOMAIN\nanswer negative.dns.test 300 CNAME none.other.test.\n"
                    "authority other.test 3600 SOA *")

    # ---- names

    def test_the_question_comes_back_in_the_case_it_was_sent_in(self):
        for name in ("wWw.DnS.tEsT", "NONE.dns.TEST", "X.wIlD.dns.test", "oNe.DNS.test"):
            sent = self.build(name)
            self.assertEqual(sent[12:], self.reply(sent).question)
        self.assertIn("wWw.DnS.tEsT.", [r.owner for r in self.ask_message("wWw.DnS.tEsT").answer])

    def test_names_are_compared_without_regard_to_case(self):
        self.expect("WWW.DNS.TEST", "A", "any answer")
        self.expect("X.WILD.dns.test", "A", "=> 192.0.2.9")

    def test_every_octet_is_legal_in_a_label(self):
        self.expect(r"a\.b.dns.test", "A", "=> 192.0.2.11")
        self.expect(r"\000\255\032.dns.test", "A", "=> 192.0.2.12")
        self.expect("b.dns.test", "A", "rcode NXDOMAIN\n" + SOA)
        for octet in range(256):
            label = name_text([bytes([octet])])
            self.expect(f"{label}wild.wild.dns.test", "A", "any answer", transports=("udp",))

    def test_names_of_255_octets_are_answered_and_longer_ones_are_malformed(self):
        self.assertEqual(255, len(wire_name(LONGEST)))
        self.expect(LONGEST, "A", "=> 192.0.2.13")
        longest_wild = f"{L63}.{L63}.{L63}.{'c' * 47}.wild.dns.test"
        self.assertEqual(255, len(wire_name(longest_wild)))
        self.expect(longest_wild, "A", "=> 192.0.2.9")
        self.judge(message(question(f"{L63}.{L63}.{L63}.{'c' * 48}.wild.dns.test")), "rcode FORMERR")

    # ---- types and classes

    def test_unknown_types_are_answered_as_they_were_loaded(self):
        self.expect("type65280.dns.test", "TYPE65280", r"answer type65280.dns.test 300 TYPE65280 \# 3 abcdef")
        self.expect("www.dns.test", "TYPE65280", SOA)

    def test_classes_without_zones_are_refused(self):
        for klass in ("HS", "ANY", "NONE", "CLASS77", "CH"):
            self.expect("www.dns.test", "A", "rcode REFUSED\nflags none", klass=klass)

    def test_any_gets_one_rrset(self):
        reply = self.ask_message("any.dns.test", "ANY")
        self.assertEqual(1, len({record.kind for record in reply.answer}), str(reply))
        self.expect("ns1.dns.test", "ANY", "any answer")
        self.expect("none.dns.test", "ANY", "rcode NXDOMAIN\n" + SOA)
        self.expect("b.ent.dns.test", "ANY", SOA)
        self.expect("one.dns.test", "ANY", "answer one.dns.test 300 CNAME two.dns.test.")

    def test_rrsig_is_data_like_other_data(self):
        self.expect("sig.dns.test", "RRSIG", "any answer")
        self.expect("www.dns.test", "RRSIG", SOA)

    def test_transfers_and_meta_types_are_refused_as_prohibited(self):
        for kind in ("AXFR", "IXFR", "TKEY", "TSIG", "MAILB", "TYPE254", "OPT", "TYPE128"):
            self.expect("dns.test", kind, "rcode REFUSED\nede 18", edns=True)
        soa = b"\0" + b"\0\6\0\1" + bytes(4) + b"\0\26" + bytes(22)
        self.judge(message(question("dns.test", "IXFR") + soa, counts=(1, 0, 1, 0)), "rcode REFUSED")

    def test_a_name_outside_all_zones_is_refused(self):
        for name in ("www.elsewhere.example", "test", ".", "xdns.test"):
            self.expect(name, "A", "rcode REFUSED\nflags none\nede 20", edns=True)

    # ---- RRsets

    def test_the_order_of_an_rrset_changes_from_answer_to_answer(self):
        firsts = collections.Counter(self.ask_message("www.dns.test").answer[0].data for _ in range(120))
        self.assertEqual({"192.0.2.1", "192.0.2.2", "192.0.2.3"}, set(firsts))

    def test_a_record_given_twice_is_answered_once(self):
        self.expect("twice.dns.test", "TXT", 'answer twice.dns.test 300 TXT "same"')

    def test_the_ttls_of_an_rrset_are_equal(self):
        reply = self.ask_message("uneven.dns.test")
        self.assertEqual((2, 1), (len(reply.answer), len({record.ttl for record in reply.answer})), str(reply))


class Types(DnsTest):
    rows = [[part.strip() for part in line.split("|")] for line in TYPED.strip().splitlines()]
    zones = {"types.test": HEAD.format(minimum=120) + "host A 192.0.2.80\nhost AAAA 2001:db8::80\n"
             + "".join(record + "\n" for record, _ in rows)}

    def dig(self, program, name, kind):
        more = {"drill": [name, kind], "kdig": ["+noall", "+answer", name, kind],
                "dig": ["+noall", "+answer", "+nosplit", name, kind]}[program]
        try:
            done = subprocess.run([program, "@127.0.0.1", "-p", str(self.steerd.dns_port), *more],
                                  capture_output=True, text=True, timeout=30, check=True)
        except FileNotFoundError:
            self.skipTest(f"{program} is not installed (scripts/install-deps)")
        lines = [line.split(None, 4) for line in done.stdout.splitlines()
                 if line and line[0] != ";" and line.startswith(name)]
        return [" ".join(line[4].split()) for line in lines if line[3] == kind]

    @staticmethod
    def same(text):
        """One form for those that mean the same: case of hexadecimal, relative names, quotes, the numbers of LOC."""
        words = text.replace(".types.test.", "").replace('"', "").lower().split()
        if "n" in words:
            words = [f"{float(word.rstrip('m')):g}" if word[0] in "-0123456789" else word for word in words]
        return "".join(words)

    def compare(self, program, skip=()):
        for record, _ in self.rows:
            owner, kind, data = record.split(None, 2)
            with self.subTest(record=record):
                if kind in skip:
                    continue
                got = self.dig(program, owner + ".types.test.", kind)
                self.assertEqual([self.same(data)], [self.same(line) for line in got])

    def test_kdig_prints_every_type_as_it_was_loaded(self):
        self.compare("kdig")

    def test_dig_prints_every_type_as_it_was_loaded(self):
        self.compare("dig")

    def test_drill_prints_the_older_types_as_they_were_loaded(self):
        self.compare("drill", skip=("SVCB", "HTTPS", "ZONEMD", "CSYNC", "SMIMEA", "SPF"))

    def test_addresses_of_targets_go_into_the_additional_section(self):
        for record, extra in self.rows:
            owner, kind = record.split()[:2]
            wanted = "".join(f"additional host.types.test 300 {part.strip()}\n" for part in extra.split(",") if part)
            with self.subTest(record=record):
                self.expect(f"{owner}.types.test", kind, "any answer\nflags aa\n" + wanted)
        self.expect("types.test", "NS", "any answer\nadditional ns1.types.test 3600 A 192.0.2.53")


class Steered(DnsTest):
    document = """zone: steered.test
soa: {minimum: 2m}
endpoints:
  a: {ipv4: 192.0.2.1, ipv6: "2001:db8::1", hostname: a.elsewhere.example.}
  b: {ipv4: 192.0.2.2, hostname: b.elsewhere.example.}
records:
  "@": {ttl: 30, TXT: [apex], steer: {endpoint: a}}
  four: {ttl: 30, allow_negative: true, steer: {endpoint: b}}
  both: {ttl: 300, MX: ["10 both"], steer: {endpoint: a}}
  only: {ttl: 30, steer: {endpoint: a}}
  "*.wild": {ttl: 40, steer: {endpoint: b}, allow_negative: true}
  here.wild: {TXT: [here]}
  link: {CNAME: only}
  weighted: {kind: cname, ttl: 30, steer: {weighted: [{weight: 1, to: {endpoint: a}}, {weight: 1, to: {endpoint: b}}]}}
"""
    NODATA = "flags aa\nauthority steered.test 120 SOA *"

    def test_a_steered_name_with_nothing_for_a_family_is_nodata_with_the_soa(self):
        self.expect("four.steered.test", "A", "=> 192.0.2.2 ttl 30")
        self.expect("four.steered.test", "AAAA", self.NODATA)
        self.expect("x.wild.steered.test", "AAAA", self.NODATA)
        self.expect("four.steered.test", "TXT", self.NODATA)

    def test_a_weighted_cname_gives_exactly_one_and_is_not_followed(self):
        got = collections.Counter()
        for _ in range(60):
            reply = self.ask_message("weighted.steered.test")
            self.assertEqual(["CNAME"], [record.kind for record in reply.answer])
            got[reply.answer[0].data] += 1
        self.assertEqual({"a.elsewhere.example.", "b.elsewhere.example."}, set(got))

    def test_a_wildcard_steered_record_covers_what_a_wildcard_covers(self):
        self.expect("x.y.wild.steered.test", "A", "flags aa\nanswer x.y.wild.steered.test 40 A 192.0.2.2")
        self.expect("here.wild.steered.test", "A", self.NODATA)
        self.expect("x.here.wild.steered.test", "A", "rcode NXDOMAIN\n" + self.NODATA)

    def test_any_at_a_steered_name_gets_a_static_rrset_where_there_is_one(self):
        self.expect("both.steered.test", "ANY", "answer both.steered.test 300 MX 10 both.steered.test.")
        self.expect("only.steered.test", "ANY", "answer only.steered.test 30 A 192.0.2.1")

    def test_a_steered_name_at_the_apex_and_behind_a_cname(self):
        self.expect("steered.test", "AAAA", "=> 2001:db8::1 ttl 30")
        self.expect("link.steered.test", "A", "ordered\nanswer link.steered.test 300 CNAME only.steered.test.\n"
                    "answer only.steered.test 30 A 192.0.2.1")

    def test_steered_addresses_are_no_additional_data(self):
        self.expect("both.steered.test", "MX", "answer both.steered.test 300 MX 10 both.steered.test.")


class Chaos(DnsTest):
    options = ("--nsid", "node-7", "--version-text", "steerd test")

    def test_id_server_and_version_bind_answer_in_class_ch(self):
        for name, text in (("id.server", "node-7"), ("HostName.bind", "node-7"), ("version.bind", "steerd test"),
                           ("version.server", "steerd test")):
            self.expect(name, "TXT", f'flags aa\nanswer {name} 0 TXT "{text}"', klass="CH")
        self.expect("version.bind", "A", "rcode REFUSED", klass="CH")
        self.expect("version.bind", "TXT", "rcode REFUSED", klass="IN")

    def test_nsid_comes_back_where_it_was_asked_for(self):
        self.expect("x.test", "A", "rcode REFUSED\nnsid node-7", nsid=True)
        self.assertEqual({15}, set(self.ask_message("x.test", edns=True).options))


class ChaosOff(DnsTest):
    def test_id_server_and_version_bind_can_be_switched_off(self):
        for name in ("id.server", "hostname.bind", "version.bind", "version.server"):
            self.expect(name, "TXT", "rcode REFUSED", klass="CH")
        self.assertNotIn(3, self.ask_message("x.test", nsid=True).options)


if __name__ == "__main__":
    unittest.main()
