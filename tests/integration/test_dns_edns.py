# SPDX-License-Identifier: GPL-3.0-or-later
"""EDNS, client subnets, truncation and the edges of messages: docs/dns-conformance.md says which test stands for
which line."""
import socket
import struct
import unittest

from dnsmessage import (COOKIE, ECS, EDE, FLAGS, NSID, PADDING, QR, Message, message, opt, option, question, subnet,
                        wire_name)
from dnstest import DnsTest, OWN_LIMIT, always
from support import FRA, STEADY, SteerdTest, free_port

HEAD = "$TTL 300\n@ 3600 SOA ns1 hostmaster 1 7200 900 1209600 120\n@ 3600 NS ns1\nns1 A 192.0.2.53\n"


def addresses(owner, count, network="198.51.100"):
    return "".join(f"{owner} A {network}.{i}\n" for i in range(count))


ZONE = (HEAD + "host A 192.0.2.80\n" + addresses("some", 20) + addresses("mid", 40) + addresses("big", 100)
        + "few MX 10 mid\ntobig CNAME big\nlong TXT " + " ".join(['"' + "x" * 250 + '"'] * 12) + "\n"
        + "".join(f"cut NS ns{i}.cut\nns{i}.cut AAAA 2001:db8::{i}\n" for i in range(13))
        + "sib NS ns.other\n" + addresses("ns.other", 40))
DOCUMENT = """zone: steered.test
soa: {minimum: 2m}
endpoints:
  de: {ipv4: 192.0.2.1}
  us: {ipv4: 192.0.2.2, ipv6: "2001:db8::2"}
  any: {ipv4: 192.0.2.9}
policies:
  inner: {geo: {rules: [{match: NA-US, to: {endpoint: us}}], default: {endpoint: any}}}
records:
  geo: {ttl: 30, steer: {geo: {rules: [{match: EU-DE, to: {endpoint: de}}], default: {endpoint: any}}}}
  bits: {ttl: 30, steer: {geo: {rules: [{match: NA-CA, to: {endpoint: de}}], default: {endpoint: any}}}}
  nested: {ttl: 30, steer: {failover: [{use: inner}, {endpoint: any}]}}
  strict: {ttl: 30, allow_negative: true, steer: {geo: {rules: [{match: EU-DE, to: {endpoint: de}}]}}}
  plain: {ttl: 30, steer: {endpoint: any}}
  static: {A: [192.0.2.80]}
  link: {CNAME: geo}
"""
GERMANY, USA = "192.0.2.0/24", "198.51.100.0/24"


class Edns(DnsTest):
    zones = {"edns.test": ZONE}
    document = DOCUMENT
    options = ("--nsid", "node-7")

    # ---- the OPT record

    def test_an_edns_version_that_is_not_known_is_badvers(self):
        for version in (1, 2, 255):
            self.expect("host.edns.test", "A", "rcode BADVERS\nflags none", version=version)

    def test_options_that_are_not_known_are_ignored(self):
        unknown = b"".join(option(code, b"\xbe" * size) for code, size in ((0, 0), (7, 5), (100, 300), (65535, 1)))
        reply = self.ask_message("host.edns.test", options=unknown)
        self.assertEqual((0, {}, 1), (reply.rcode, reply.options, len(reply.answer)))
        self.expect("host.edns.test", "A", "=> 192.0.2.80", z=0x7fff, edns=True)  # RFC 6891 6.1.4: Z is ignored

    def test_several_opt_records_are_a_format_error(self):
        for count in (2, 3):
            self.judge(message(question("host.edns.test"), opt() * count, counts=(1, 0, 0, count)), "rcode FORMERR")

    def test_an_opt_record_of_another_owner_or_in_another_section_is_a_format_error(self):
        self.judge(message(question("host.edns.test"), opt(owner=wire_name("a"))), "rcode FORMERR")
        for counts in ((1, 1, 0, 0), (1, 0, 1, 0)):
            self.judge(message(question("host.edns.test"), opt(), counts=counts), "rcode FORMERR")

    def test_do_is_echoed(self):
        for do in (True, False):
            self.assertEqual(do, self.ask_message("host.edns.test", do=do, edns=True).do)
            self.assertEqual(do, self.ask_message("none.edns.test", do=do, edns=True, transport="tcp").do)

    def test_without_an_opt_record_there_is_none_in_the_reply(self):
        for name in ("host.edns.test", "none.edns.test", "none.example"):
            self.assertEqual([], self.ask_message(name).opts)
            self.assertEqual(1, len(self.ask_message(name, edns=True).opts))

    def test_the_server_says_that_it_takes_1232_octets(self):
        self.assertEqual(OWN_LIMIT, self.ask_message("host.edns.test", size=4096).size)

    def test_nsid_is_given_to_who_asks(self):
        self.expect("host.edns.test", "A", "answer host.edns.test 300 A 192.0.2.80\nnsid node-7", nsid=True)
        self.assertNotIn(NSID, self.ask_message("host.edns.test", edns=True).options)

    def test_replies_over_udp_and_tcp_are_not_padded(self):
        for transport in ("udp", "tcp"):
            reply = self.ask_message("host.edns.test", transport=transport, options=option(PADDING, bytes(64)))
            self.assertNotIn(PADDING, reply.options)

    def test_an_option_longer_than_its_record_is_a_format_error(self):
        for options in (b"\0", b"\0\3\0", struct.pack("!HH", NSID, 1), struct.pack("!HH", ECS, 8) + bytes(4),
                        option(NSID) + b"\0\x0a\xff\xff"):
            self.judge(message(question("host.edns.test"), opt(options=options)), "rcode FORMERR")

    # ---- extended errors

    def test_extended_errors_are_sent_with_their_codes_and_only_with_edns(self):
        self.expect("x.example", "A", "rcode REFUSED\nede 20", edns=True)
        self.expect("edns.test", "AXFR", "rcode REFUSED\nede 18", edns=True)
        self.expect("strict.steered.test", "A", "authority steered.test 120 SOA *\n" 'ede 0 "no endpoint to give"',
                    ecs=USA)
        for name in ("x.example", "strict.steered.test"):
            self.assertEqual([], self.ask_message(name).opts)
        self.assertNotIn(EDE, self.ask_message("none.edns.test", edns=True).options)

    # ---- size

    def test_the_size_that_the_client_takes_is_respected(self):
        self.expect("mid.edns.test", "A", "flags aa tc\nat-most 512", transports=("udp",))
        self.expect("mid.edns.test", "A", "flags aa tc\nat-most 512", transports=("udp",), size=512)
        self.expect("mid.edns.test", "A", "flags aa\nany answer\nat-most 700", size=700)
        for size in (0, 1, 511):  # RFC 6891 6.2.3: less than 512 means 512
            self.expect("some.edns.test", "A", "flags aa\nany answer\nat-most 512", size=size)

    def test_no_more_than_1232_octets_are_sent_whatever_the_client_takes(self):
        for size in (OWN_LIMIT, 4096, 65535):
            self.expect("big.edns.test", "A", f"flags aa tc\nat-most {OWN_LIMIT}", transports=("udp",), size=size)
            self.expect("long.edns.test", "TXT", f"flags aa tc\nat-most {OWN_LIMIT}", transports=("udp",), size=size)

    def test_over_tcp_nothing_is_truncated(self):
        for name, kind in (("big.edns.test", "A"), ("long.edns.test", "TXT")):
            self.expect(name, kind, "flags aa\nany answer", transports=("tcp",), size=512)
            self.expect(name, kind, "flags aa\nany answer", transports=("tcp",))

    def test_of_an_rrset_that_does_not_fit_nothing_is_sent_and_the_opt_record_is(self):
        for name, answers in (("big.edns.test", (0,)), ("tobig.edns.test", (0, 1))):  # the CNAME may stay
            for size in (None, 4096):
                reply = self.ask_message(name, size=size)
                self.assertIn(reply.counts[1], answers, str(reply))
                self.assertEqual([0, 1 if size else 0], reply.counts[2:], str(reply))

    def test_additional_data_is_left_out_first_and_that_is_no_truncation(self):
        self.expect("few.edns.test", "MX", "flags aa\nanswer few.edns.test 300 MX 10 mid.edns.test.",
                    transports=("udp",))
        self.expect("few.edns.test", "MX", "flags aa\nany answer\nany additional", size=OWN_LIMIT)
        self.assertEqual(40, len(self.ask_message("few.edns.test", "MX", size=OWN_LIMIT).additional))

    def test_required_glue_that_does_not_fit_truncates_and_that_of_siblings_does_not(self):
        self.expect("x.cut.edns.test", "A", "flags tc\nany authority\nany additional", transports=("udp",))
        self.expect("x.cut.edns.test", "A", "flags none\nany authority\nany additional", size=OWN_LIMIT)
        self.expect("x.sib.edns.test", "A", "flags none\nauthority sib.edns.test 300 NS ns.other.edns.test.",
                    transports=("udp",))
        self.expect("x.sib.edns.test", "A", "flags none\nany authority\nany additional", size=OWN_LIMIT)

    # ---- client subnets

    def test_the_client_subnet_comes_back_as_it_was_sent_with_the_scope(self):
        self.expect("geo.steered.test", "A", "=> 192.0.2.1 ttl 30 scope 24", ecs=GERMANY)
        self.expect("geo.steered.test", "A", "any answer\nscope 24", ecs="192.0.2.99/32")
        reply = self.ask_message("geo.steered.test", ecs="2001:db8:de::/48")
        self.assertEqual((0, 2, 48), struct.unpack("!BBB", reply.options[ECS][:3]))

    def test_no_client_subnet_comes_back_where_none_was_sent(self):
        for name in ("geo.steered.test", "static.steered.test"):
            self.assertNotIn(ECS, self.ask_message(name, edns=True).options)

    def test_the_scope_is_0_for_all_that_is_not_steered_by_client(self):
        for name, kind in (("static.steered.test", "A"), ("steered.test", "SOA"), ("none.steered.test", "A"),
                           ("static.steered.test", "AAAA"), ("link.steered.test", "CNAME"),
                           ("plain.steered.test", "A"), ("host.edns.test", "A"), ("x.example", "A")):
            reply = self.ask_message(name, kind, ecs=GERMANY)
            self.assertEqual(0, reply.scope, name)

    def test_a_prefix_that_ends_inside_an_octet_is_taken_and_echoed(self):
        # 100.64.80.0/20 is Canada, in it 100.64.85.128/25 is not.
        self.expect("bits.steered.test", "A", "=> 192.0.2.1 scope 22", ecs="100.64.80.0/22")
        self.expect("bits.steered.test", "A", "=> 192.0.2.1 scope 21", ecs="100.64.88.0/21")
        self.expect("bits.steered.test", "A", "=> 192.0.2.9 scope 25", ecs="100.64.85.128/27")
        self.expect("bits.steered.test", "A", "any answer", ecs="2001:db8:8000::/33")

    def test_unlisted_space_and_fall_backs_have_a_scope_too(self):
        for name in ("geo.steered.test", "nested.steered.test"):
            reply = self.ask_message(name, ecs="10.0.0.0/8")
            self.assertEqual((["192.0.2.9"], True), ([r.data for r in reply.answer], reply.scope > 0), str(reply))

    def test_the_scope_holds_through_nested_policies_and_a_cname(self):
        self.expect("nested.steered.test", "A", "=> 192.0.2.2 scope 24", ecs=USA)
        self.expect("link.steered.test", "A", "any answer\nscope 24", ecs=GERMANY)

    def test_a_source_of_0_is_answered_by_the_packets_source_with_scope_0(self):
        for prefix in ("0.0.0.0/0", "::/0"):
            self.expect("geo.steered.test", "A", "=> 192.0.2.9 scope 0", ecs=prefix)

    def test_a_malformed_client_subnet_is_a_format_error(self):
        for name, data in {"scope": "00011818c00002", "bits past the source": "00011400c0000f",
                           "too long": "00011800c0000200", "too short": "00011800c000", "33 bits": "00012100c000020000",
                           "129 bits": "00028100" + "00" * 17, "family": "00031800c00002", "head": "000118",
                           "nothing": ""}.items():
            with self.subTest(name=name):
                sent = message(question("geo.steered.test"), opt(options=option(ECS, bytes.fromhex(data))))
                self.judge(sent, "rcode FORMERR")


class Messages(DnsTest):
    zones = {"edns.test": ZONE}

    HOST = question("host.edns.test")

    def test_odd_header_bits_are_answered(self):
        for flag in FLAGS:
            with self.subTest(flag=flag):
                for transport in ("udp", "tcp"):
                    reply = self.reply(message(self.HOST, flags=FLAGS[flag]), transport)
                    self.assertEqual({"aa", "rd"} & {"aa", flag}, reply.flags - {"cd"}, str(reply))
                    self.assertEqual((0, ["192.0.2.80"]), (reply.rcode, [r.data for r in reply.answer]))
        reply = self.reply(message(self.HOST, flags=sum(FLAGS.values()) | 15))
        self.assertEqual({"aa", "rd"}, reply.flags - {"cd"}, str(reply))

    def test_other_opcodes_are_not_implemented(self):
        for opcode in range(1, 16):
            for questions in (self.HOST, b"", self.HOST[:-1]):
                self.judge(message(questions, flags=opcode << 11), "rcode NOTIMP")

    def test_a_reply_is_never_replied_to(self):
        for flags in (QR, QR | 0x400, QR | 5 << 11, QR | 3, QR | 0x200):
            self.assertTrue(self.dropped(message(self.HOST, flags=flags)))
        self.assertTrue(self.dropped(self.udp(message(self.HOST))))

    def test_what_is_shorter_than_a_header_is_dropped(self):
        for length in range(12):
            self.assertTrue(self.dropped(message(self.HOST)[:length]), length)

    def test_two_questions_are_a_format_error(self):
        self.judge(message(self.HOST + self.HOST, counts=(2, 0, 0, 0)), "rcode FORMERR")
        self.judge(message(self.HOST, counts=(65535, 0, 0, 0)), "rcode FORMERR")

    def test_no_question_is_a_format_error_unless_a_cookie_asks_for_one(self):
        self.judge(message(), "rcode FORMERR")
        self.judge(message(additional=opt()), "rcode FORMERR")
        self.judge(message(additional=opt(options=option(COOKIE, b"12345678"))), "rcode NOERROR")

    def test_a_message_that_ends_early_or_goes_on_is_a_format_error(self):
        whole = message(self.HOST, opt(options=option(NSID)))
        for cut in range(12, len(whole)):
            self.judge(whole[:cut], "rcode FORMERR")
        for more in (b"\0", b"\0" * 11, whole):
            self.judge(whole + more, "rcode FORMERR")

    def test_counts_that_promise_more_than_there_is_are_a_format_error(self):
        for section in range(1, 4):
            for count in (1, 2, 65535):
                counts = [1, 0, 0, 0]
                counts[section] = count
                self.judge(message(self.HOST, counts=counts), "rcode FORMERR")

    def test_compression_pointers_in_the_question_are_a_format_error(self):
        for target in (0, 4, 11, 12, 13, 14, 16, 255, 0x3fff):
            name = struct.pack("!H", 0xc000 | target)
            for before in (b"", b"\1a", b"\4host\4edns"):
                self.judge(message(before + name + b"\0\1\0\1"), "rcode FORMERR")

    def test_labels_of_unknown_kinds_are_a_format_error(self):
        for head in range(0x40, 0xc0):
            self.judge(message(bytes([head]) + bytes(64) + b"\0\1\0\1"), "rcode FORMERR", ("udp",))

    def test_every_length_of_input_is_answered_or_dropped(self):
        """All up to the largest query that is read, then some up to the largest that there are."""
        whole = message(self.HOST, opt()) + bytes(65535)
        for length in [*range(12, 1700), *range(1700, 65508, 997), 65507]:
            reply = self.udp(whole[:length], seconds=5 if length <= 1600 else 0.01)
            self.assertTrue(reply or length > 1600, length)
        for length in [*range(12, 700), *range(700, 65536, 997), 65535]:
            self.assertIsNotNone(self.tcp(whole[:length]), length)


class Addresses(SteerdTest):
    def ask_at(self, host, port, octets):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect((host, port))  # takes replies from that address only
            sock.send(octets)
            return Message(sock.recv(65535))

    def test_ipv4_and_ipv6_answers_leave_from_the_address_that_was_asked(self):
        port = free_port("127.0.0.1", "::1")
        self.steerd.dns_port = port
        at = self.steerd.options.index("--listen")
        self.steerd.options[at:at + 2] = ["--listen", f"0.0.0.0:{port}", "--listen", f"[::]:{port}"]
        self.steerd.start()
        self.apply(STEADY)
        sent = message(question("api.geo.test"), opt(options=subnet(GERMANY)))
        for host in ("127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"):
            reply = self.ask_at(host, port, sent)
            self.assertIsNone(always(sent, reply, OWN_LIMIT))
            self.assertEqual([FRA], [record.data for record in reply.answer], host)
            with socket.create_connection((host, port), 10) as sock:
                self.assertEqual(host, sock.getpeername()[0])

    def test_udp_answers_may_be_fragmented_on_their_way(self):
        """No DF bit: nobody can make the kernel believe in a path with a tiny MTU for them (PMTU discovery off)."""
        self.steerd.start()
        self.apply(STEADY)
        try:
            tap = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        except PermissionError:
            self.skipTest("looking at IP headers needs CAP_NET_RAW")
        with tap:
            tap.settimeout(5)
            self.ask("api.geo.test")
            while True:
                packet = tap.recv(65535)
                head = (packet[0] & 15) * 4
                if int.from_bytes(packet[head:head + 2], "big") == self.steerd.dns_port:
                    self.assertEqual(0, packet[6] & 0x40, packet[:head].hex())
                    return


if __name__ == "__main__":
    unittest.main()
