# SPDX-License-Identifier: GPL-3.0-or-later
"""EDNS through the wire: each line of what a server of today does with an OPT."""
import struct
import unittest

from support import FRA, GERMANY, IAD, STEADY, SteerdTest, edns_option, encode_name, framed, query, read_tcp

NOERROR, FORMERR, NOTIMP, REFUSED, BADVERS = 0, 1, 4, 5, 16
NSID, ECS, COOKIE, KEEPALIVE, PADDING, ERROR = 3, 8, 10, 11, 12, 15

ZONE = """$TTL 300
@ IN SOA ns hostmaster 7 7200 900 1209600 300
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
""" + "".join(f"many IN AAAA 2001:db8::{i:x}\n" for i in range(1, 41)) \
    + "".join(f"mx IN MX {i} m{i}\nm{i} IN A 192.0.2.{i}\n" for i in range(1, 41))

NOTHING_LEFT = """zone: empty.test
endpoints:
  gone-1: {ipv4: 127.0.1.103}
records:
  www:
    ttl: 30
    steer: {failover: [{endpoint: gone-1}], when_unavailable: serve_none}
"""


def message(*opts, flags=0, questions=1, name="www.example.org", kind=1):
    """A message with these OPT records, as their octets."""
    question = encode_name(name) + struct.pack("!HH", kind, 1)
    return struct.pack("!HHHHHH", 0x5344, flags, questions, 0, 0, len(opts)) + question * questions + b"".join(opts)


def opt(options=b"", size=1232, version=0, flags=0):
    return b"\0" + struct.pack("!HHBBHH", 41, size, 0, version, flags, len(options)) + options


def subnet(family, source, scope, address):
    return edns_option(ECS, struct.pack("!HBB", family, source, scope) + address)


class Edns(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.options += ["--nsid", "node-7", "--version-text", "steerd for tests"]
        self.steerd.start()
        self.apply(STEADY)
        self.steerd.ctl("zone", "import", "example.org", self.write("zone", ZONE))

    def test_without_edns_there_is_none_in_the_reply(self):
        reply = self.exchange(message())
        self.assertEqual((NOERROR, None), (reply.rcode, reply.options))

    def test_our_own_size_is_told_and_do_is_echoed(self):
        for flags in (0, 0x8000, 0xFFFF):
            reply = self.exchange(message(opt(size=4096, flags=flags)))
            self.assertEqual((NOERROR, 1232, bool(flags), []),
                             (reply.rcode, reply.udp_size, reply.dnssec_ok, reply.options))

    def test_other_versions_get_badvers_and_nothing_else(self):
        for version in (1, 2, 255):
            reply = self.exchange(message(opt(edns_option(NSID), version=version, flags=0x8000)))
            self.assertEqual((BADVERS, [], [], True), (reply.rcode, reply.answers, reply.options, reply.dnssec_ok))
        said = self.run_client("dig", "+edns=1", "+noednsnegotiation", "www.example.org")
        self.assertIn("status: BADVERS", said)

    def test_several_or_damaged_opt_records_are_a_formerr(self):
        damaged = [(opt(), opt()), (opt(edns_option(NSID) + b"\0"),), (opt(b"\0\3\0\1"),),
                   (opt(b"\0\x0a\0\7" + b"c" * 7),), (opt(b"\0\x0a\0\x0f" + b"c" * 15),),
                   (opt(b"\0\x0a\0\x29" + b"c" * 41),), (b"\1x" + opt(),)]
        for opts in damaged:
            with self.subTest(opts=opts):
                self.assertEqual(FORMERR, self.exchange(message(*opts)).rcode)

    def test_unknown_options_are_ignored(self):
        unknown = b"".join(edns_option(code, b"x" * (code % 7)) for code in (1, 2, 4, 5, 6, 7, 9, 13, 14, 18, 26946, 65535))
        reply = self.exchange(message(opt(unknown)))
        self.assertEqual((NOERROR, ["192.0.2.80"], []), (reply.rcode, reply.data, reply.options))

    def test_the_size_offered_is_kept(self):
        for size in (0, 100, 512, 513, 800, 1232, 1233, 4096, 65535):
            # 40 AAAA of 28 octets; 9 MX of 19 and 31 of 20, whose addresses are dropped first.
            for name, kind, records in (("many.example.org", 28, 40 * 28), ("mx.example.org", 15, 9 * 19 + 31 * 20)):
                reply = self.exchange(message(opt(size=size), name=name, kind=kind))
                self.assertLessEqual(len(reply.octets), min(max(size, 512), 1232))
                whole = 12 + len(encode_name(name)) + 4 + records + 11
                self.assertEqual(size < whole, reply.truncated, (size, name))
                if reply.truncated:
                    self.assertEqual([], reply.answers)
                else:
                    self.assertEqual(40, len(reply.answers))

    def test_nsid_is_told_to_who_asks(self):
        self.assertEqual(b"node-7", self.exchange(message(opt(edns_option(NSID)))).option(NSID))
        self.assertIsNone(self.exchange(message(opt())).option(NSID))
        self.assertIn('("node-7")', self.run_client("dig", "+nsid", "www.example.org"))

    def test_keepalive_is_told_over_tcp_only(self):
        octets = message(opt(edns_option(KEEPALIVE)))
        self.assertIsNone(self.exchange(octets).option(KEEPALIVE))
        sock = self.connect()
        sock.sendall(framed(octets))
        self.assertEqual(struct.pack("!H", 100), read_tcp(sock).option(KEEPALIVE))
        sock.sendall(framed(message(opt())))
        self.assertEqual([], read_tcp(sock).options)
        self.assertIn("TCP KEEPALIVE: 10.0 secs", self.run_client("dig", "+tcp", "+keepalive", "www.example.org"))

    def test_padding_is_for_tls_and_not_given_here(self):
        padded = edns_option(PADDING, b"\0" * 100)
        self.assertEqual([], self.exchange(message(opt(padded))).options)
        sock = self.connect()
        sock.sendall(framed(message(opt(padded))))
        self.assertEqual([], read_tcp(sock).options)

    def test_extended_errors_say_why(self):
        outside = self.exchange(message(opt(), name="www.example.net"))
        self.assertEqual((REFUSED, b"\0\x14"), (outside.rcode, outside.option(ERROR)))
        prohibited = self.exchange(message(opt(), name="example.org", kind=252))
        self.assertEqual((REFUSED, b"\0\x12"), (prohibited.rcode, prohibited.option(ERROR)))
        self.apply(NOTHING_LEFT, "empty.yaml")
        self.steerd.ctl("override", "set", "endpoint", "gone-1", "down", "--reason", "test")
        empty = self.exchange(message(opt(), name="www.empty.test"))
        self.assertEqual((NOERROR, []), (empty.rcode, empty.answers))
        self.assertEqual(b"\0\0no endpoint to give", empty.option(ERROR))
        self.assertIsNone(self.exchange(message(opt())).option(ERROR))
        self.assertIsNone(self.exchange(message(name="www.example.net")).options)

    def test_a_client_subnet_comes_back_as_it_was(self):
        rows = [(1, 24, b"\xc0\0\2"), (1, 32, b"\xc0\0\2\1"), (1, 0, b""), (2, 0, b""), (0, 0, b""), (1, 1, b"\x80"),
                (1, 19, b"\xc0\0\x20"), (1, 20, b"\xc0\0\xf0"), (2, 56, b"\x20\1\x0d\xb8\0\0\0"),
                (2, 128, b"\x20\1\x0d\xb8" + b"\0" * 11 + b"\1"), (2, 33, b"\x20\1\x0d\xb8\x80")]
        for family, source, address in rows:
            with self.subTest(family=family, source=source):
                for name in ("www.example.org", "none.example.org", "example.net"):  # not steered: scope 0
                    reply = self.exchange(message(opt(subnet(family, source, 0, address)), name=name))
                    self.assertEqual(struct.pack("!HBB", family, source, 0) + address, reply.option(ECS), name)
                reply = self.exchange(message(opt(subnet(family, source, 0, address)), name="api.geo.test"))
                self.assertEqual(struct.pack("!HB", family, source), reply.option(ECS)[:3])
                self.assertEqual(address, reply.option(ECS)[4:])
                if source == 0:
                    self.assertEqual(0, reply.scope)
        self.assertEqual(([FRA], 24), (lambda r: (r.data, r.scope))(self.ask("api.geo.test", "A", GERMANY)))
        self.assertEqual([IAD], self.data("api.geo.test", "A", "198.51.100.0"))
        self.assertIsNone(self.ask("api.geo.test").option(ECS))

    def test_a_malformed_client_subnet_is_a_formerr(self):
        rows = {"of three octets": edns_option(ECS, b"\0\1\0"), "empty": edns_option(ECS),
                "IPv4 and 33 bits": subnet(1, 33, 0, b"\xc0\0\2\1\0"), "IPv6 and 129": subnet(2, 129, 0, b"\x20" * 17),
                "an octet too few": subnet(1, 24, 0, b"\xc0\0"), "an octet too many": subnet(1, 24, 0, b"\xc0\0\2\0"),
                "a scope": subnet(1, 24, 24, b"\xc0\0\2"), "bits beyond the source": subnet(1, 23, 0, b"\xc0\0\3"),
                "a family that is not": subnet(3, 24, 0, b"\xc0\0\2"), "a large family": subnet(256, 0, 0, b""),
                "no family but a source": subnet(0, 8, 0, b"\1"), "no family but an address": subnet(0, 0, 0, b"\1"),
                "a second one": subnet(1, 24, 0, b"\xc0\0\2") + subnet(1, 24, 1, b"\xc0\0\2")}
        for what, option in rows.items():
            with self.subTest(what=what):
                for name in ("www.example.org", "api.geo.test"):
                    reply = self.exchange(message(opt(option), name=name))
                    self.assertEqual((FORMERR, []), (reply.rcode, reply.answers))

    def test_odd_headers_are_answered(self):
        for flags in (0x0200, 0x0080, 0x0020, 0x0010, 0x0040, 0x0400, 0x000F, 0x07FF):
            reply = self.exchange(message(opt(), flags=flags))
            self.assertEqual((NOERROR, ["192.0.2.80"], False), (reply.rcode, reply.data, reply.truncated), hex(flags))
        for opcode in (1, 2, 3, 4, 5, 6, 15):
            self.assertEqual(NOTIMP, self.exchange(message(opt(), flags=opcode << 11)).rcode)
        self.assertEqual(FORMERR, self.exchange(message(opt(), questions=2)).rcode)
        self.assertEqual(FORMERR, self.exchange(message(opt(), questions=0)).rcode)

    def test_the_chaos_class_says_who_is_there(self):
        for name in ("version.bind", "version.server"):
            self.assertIn('"steerd for tests"', self.run_client("dig", "CH", "TXT", name))
        for name in ("id.server", "hostname.bind"):
            self.assertIn('"node-7"', self.run_client("dig", "CH", "TXT", name))

    def test_everything_at_once(self):
        options = b"".join([subnet(1, 24, 0, b"\xc0\0\2"), edns_option(NSID), edns_option(COOKIE, b"clients!"),
                            edns_option(KEEPALIVE), edns_option(PADDING, b"\0" * 8), edns_option(65001, b"?")])
        sock = self.connect()
        sock.sendall(framed(query("api.geo.test", "A", options=options)))
        reply = read_tcp(sock)
        self.assertEqual([FRA], reply.data)
        self.assertEqual({ECS, NSID, COOKIE, KEEPALIVE}, {code for code, _ in reply.options})
        self.assertEqual(4, len(reply.options))


if __name__ == "__main__":
    unittest.main()
