# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrives on the sockets: other people's clients, and garbage."""
import os
import random
import socket
import struct
import unittest

from support import FRA, GERMANY, STEADY, SteerdTest, framed, query, read_tcp


class Wire(SteerdTest):
    def setUp(self):
        super().setUp()
        self.steerd.start()
        self.apply(STEADY)
        self.seed = int(os.environ.get("STEERD_SEED", random.randrange(1 << 32)))
        self.rng = random.Random(self.seed)

    def assert_alive(self):
        self.assertTrue(self.steerd.running(), f"seed {self.seed}\n{self.steerd.log()}")
        self.assertEqual([FRA], self.german(), f"seed {self.seed}")
        self.assertEqual(200, self.steerd.http("GET", "/healthz", token=False)[0], f"seed {self.seed}")

    def test_dig_and_kdig_agree_over_udp_and_tcp(self):
        for transport in ("+notcp", "+tcp"):
            with self.subTest(transport=transport):
                said = self.run_client("dig", transport, "+subnet=192.0.2.0/24", "api.geo.test")
                self.assertRegex(said, rf"api\.geo\.test\.\s+30\s+IN\s+A\s+{FRA}\b")
                self.assertRegex(said, r"CLIENT-SUBNET: 192\.0\.2\.0/24/\d+")
                self.assertNotIn("WARNING: Message", said)
                said = self.run_client("kdig", transport, "+subnet=192.0.2.0/24", "api.geo.test")
                self.assertRegex(said, rf"api\.geo\.test\.\s+30\s+IN\s+A\s+{FRA}\b")
                self.assertNotIn("malformed", said)

    def test_dig_and_kdig_keep_a_connection_for_several_questions(self):
        questions = ["api.geo.test", "A", "geo.test", "SOA", "none.geo.test", "A"]
        said = self.run_client("dig", "+tcp", "+keepopen", *questions)
        self.assertEqual(3, said.count("Got answer"), said)
        said = self.run_client("kdig", "+tcp", "+keepopen", *questions)
        self.assertEqual(3, said.count("->>HEADER<<-"), said)

    def test_pipelined_questions_in_one_segment_are_all_answered(self):
        sock = self.connect()
        idents = list(range(100, 200))
        sock.sendall(b"".join(framed(query("api.geo.test", "A", GERMANY, ident=i)) for i in idents))
        replies = [read_tcp(sock) for _ in idents]
        self.assertEqual(idents, sorted(reply.ident for reply in replies))
        self.assertEqual({FRA}, {reply.data[0] for reply in replies})

    def test_a_question_that_comes_octet_by_octet_is_answered(self):
        sock = self.connect()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in framed(query("api.geo.test", "A", GERMANY)):
            sock.sendall(bytes([octet]))
        self.assertEqual([FRA], read_tcp(sock).data)

    def test_random_octets_of_every_length_harm_nothing_on_udp(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            for length in range(601):
                sock.send(self.rng.randbytes(length))
                if length % 100 == 0:
                    self.assert_alive()
        self.assert_alive()

    def test_random_octets_of_every_length_harm_nothing_on_tcp(self):
        for length in range(601):
            octets = self.rng.randbytes(length)
            for stream in (octets, framed(octets)):
                with socket.create_connection(("127.0.0.1", self.steerd.dns_port), 10) as sock:
                    try:
                        sock.sendall(stream)
                    except ConnectionError:
                        pass  # steerd may end a connection that makes no sense
            if length % 100 == 0:
                self.assert_alive()
        self.assert_alive()

    def test_random_octets_of_every_length_harm_nothing_on_the_admin_port(self):
        for length in range(601):
            with socket.create_connection(("127.0.0.1", self.steerd.admin_port), 10) as sock:
                start = self.rng.choice([b"", b"GET ", b"POST /api/v1/apply HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: "])
                try:
                    sock.sendall(start + self.rng.randbytes(length) + b"\r\n\r\n")
                except ConnectionError:
                    pass
            if length % 100 == 0:
                self.assert_alive()
        self.assert_alive()

    def mutated(self):
        octets = bytearray(query("api.geo.test", "A", GERMANY, source=self.rng.randrange(33)))
        for _ in range(self.rng.randrange(1, 6)):
            at = self.rng.randrange(len(octets))
            octets[at] = self.rng.choice([0, 0xC0, 0xFF, self.rng.randrange(256)])
        cut = self.rng.randrange(12, len(octets) + 1) if self.rng.random() < 0.3 else len(octets)
        return bytes(octets[:cut])

    def test_two_thousand_damaged_questions_harm_nothing(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            for i in range(2000):
                sock.send(self.mutated())
                if i % 200 == 0:
                    self.assert_alive()
        self.assert_alive()

    def test_a_response_is_never_answered(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            octets = bytearray(query("api.geo.test", ident=1))
            octets[2] |= 0x80
            sock.send(octets)
            sock.send(query("api.geo.test", ident=2))
            self.assertEqual(2, struct.unpack("!H", sock.recv(65535)[:2])[0])


if __name__ == "__main__":
    unittest.main()
