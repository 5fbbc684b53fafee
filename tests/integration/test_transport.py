# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP and UDP as transports: connections, their limits and time-outs, framing, addresses."""
import errno
import os
import socket
import struct
import time
import unittest

from support import (FRA, GERMANY, STEADY, Failure, Reply, Steerd, SteerdTest, encode_name, framed, free_port, query,
                     read_tcp)

HEAD = "$TTL 300\n@ IN SOA ns hostmaster 7 7200 900 1209600 300\n@ IN NS ns\nns IN A 192.0.2.53\nwww IN A 192.0.2.80\n"


def texts(name, count, octets):
    """`count` TXT records of so many octets each (at most 255 of text in one string)."""
    lines = []
    for i in range(count):
        text, strings = str(i).ljust(octets - (octets + 255) // 256, "x"), []
        while text:
            strings.append('"' + text[:255] + '"')
            text = text[255:]
        lines.append(f"{name} IN TXT {' '.join(strings)}\n")
    return "".join(lines)


class TransportTest(SteerdTest):
    def start(self, *options, zone=HEAD):
        self.steerd.options += options
        self.steerd.start()
        self.steerd.ctl("zone", "import", "example.org", self.write("zone", zone))

    def is_closed(self, sock, seconds=15):
        sock.settimeout(seconds)
        try:
            return sock.recv(65536) == b""
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def ask_on(self, sock, name="www.example.org", kind="A"):
        sock.sendall(framed(query(name, kind)))
        return read_tcp(sock)

    def open_now(self):
        return self.metric("steerd_tcp_open")


class Conversations(TransportTest):
    def test_pipelined_questions_keep_their_ids_and_answers(self):
        self.start()
        sock = self.connect()
        names = {ident: ("www", "ns", "none")[ident % 3] + ".example.org" for ident in range(1000, 1300)}
        sock.sendall(b"".join(framed(query(name, ident=ident)) for ident, name in names.items()))
        seen = {}
        for _ in names:
            reply = read_tcp(sock)
            seen[reply.ident] = reply
            self.assertEqual(encode_name(names[reply.ident]), reply.octets[12:12 + len(encode_name(names[reply.ident]))])
        self.assertEqual(set(names), set(seen))
        wanted = {"www": ["192.0.2.80"], "ns": ["192.0.2.53"], "none": []}
        for ident, name in names.items():
            self.assertEqual(wanted[name.split(".")[0]], seen[ident].data)

    def test_the_two_octets_of_a_length_may_come_apart(self):
        self.start()
        octets = b"".join(framed(query("www.example.org", ident=ident)) for ident in range(4))
        one = len(octets) // 4
        for cut in list(range(1, 4)) + list(range(one - 1, one + 4)) + [len(octets) - 1]:
            sock = self.connect()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(octets[:cut])
            whole = cut // one
            for ident in range(whole):  # what is whole is answered before the rest has come
                self.assertEqual(ident, read_tcp(sock).ident)
            sock.sendall(octets[cut:])
            for ident in range(whole, 4):
                self.assertEqual(ident, read_tcp(sock).ident)
            sock.close()

    def test_after_the_end_of_the_questions_the_answers_still_come(self):
        self.start()
        sock = self.connect()
        sock.sendall(b"".join(framed(query("www.example.org", ident=ident)) for ident in range(50)) + b"\0\x30half")
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(list(range(50)), [read_tcp(sock).ident for _ in range(50)])
        self.assertTrue(self.is_closed(sock))

    def test_an_answer_may_have_65535_octets_and_no_more(self):
        # 12 + 20 + 4 of head and question, 11 of the OPT; each record has 12 before its data.
        room = 65535 - 12 - len(encode_name("full.example.org")) - 4 - 11
        count = 64
        each = room // count - 12
        last = room - (count - 1) * (each + 12) - 12
        zone = HEAD + texts("full", count - 1, each) + texts("full", 1, last).replace('"0', '"z', 1)
        zone += texts("over", count - 1, each) + texts("over", 1, last + 1).replace('"0', '"z', 1)
        self.start(zone=zone)
        sock = self.connect()
        full = self.ask_on(sock, "full.example.org", "TXT")
        self.assertEqual((65535, False, count), (len(full.octets), full.truncated, len(full.answers)))
        over = self.ask_on(sock, "over.example.org", "TXT")
        self.assertEqual((True, []), (over.truncated, over.answers))
        self.assertEqual(["192.0.2.80"], self.ask_on(sock).data)
        udp = self.ask("full.example.org", "TXT")
        self.assertEqual((True, []), (udp.truncated, udp.answers))

    def test_a_question_of_every_length_up_to_65535_gets_its_answer(self):
        self.start()
        sock = self.connect()
        question = query("www.example.org")[:-11]
        for length in (11, 12, 13, 100, 511, 512, 513, 4096, 16384, 65000, 65535):
            # One unknown option fills the message.
            option = length - len(question) - 11 - 4
            if option >= 0:
                octets = query("www.example.org", options=struct.pack("!HH", 65001, option) + b"x" * option)
                self.assertEqual(length, len(octets))
                sock.sendall(framed(octets))
                self.assertEqual(["192.0.2.80"], read_tcp(sock).data)
        sock.sendall(framed(b"x" * 11))
        self.assertTrue(self.is_closed(sock))

    def test_fast_open_is_answered(self):
        self.start()
        with open("/proc/sys/net/ipv4/tcp_fastopen", encoding="ascii") as file:
            served = int(file.read()) & 3 == 3
        before = self.fast_opens()
        for _ in range(3):  # the first one fetches the kernel's own cookie
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                octets = framed(query("www.example.org"))
                sock.sendto(octets, socket.MSG_FASTOPEN, ("127.0.0.1", self.steerd.dns_port))
                sock.settimeout(10)
                self.assertEqual(["192.0.2.80"], read_tcp(sock).data)
        if served:
            self.assertGreater(self.fast_opens(), before)

    @staticmethod
    def fast_opens():
        with open("/proc/net/netstat", encoding="ascii") as file:
            lines = [line.split() for line in file if line.startswith("TcpExt:")]
        return int(dict(zip(*lines))["TCPFastOpenPassive"])


class Limits(TransportTest):
    def test_who_is_idle_is_closed_after_the_time_that_was_told(self):
        self.start("--tcp-idle", "2s")
        talking, silent, slow = self.connect(), self.connect(), self.connect()
        begin = time.monotonic()
        self.ask_on(talking)
        self.assertTrue(self.is_closed(silent))
        self.assertGreaterEqual(time.monotonic() - begin, 1.9)
        try:  # octets that make no question do not count
            for octet in framed(query("www.example.org")):
                slow.sendall(bytes([octet]))
                if self.is_closed(slow, 0.1):
                    break
        except ConnectionError:
            pass
        self.assertTrue(self.is_closed(slow))
        self.assertTrue(self.is_closed(talking))
        self.wait(lambda: self.open_now() == 0, "all are closed")
        sock = self.connect()
        begin = time.monotonic()
        while time.monotonic() < begin + 3:  # who asks stays, however long
            self.assertEqual(["192.0.2.80"], self.ask_on(sock).data)
            time.sleep(0.1)
        option = struct.pack("!HH", 11, 0)
        sock.sendall(framed(query("www.example.org", options=option)))
        self.assertEqual(struct.pack("!H", 20), read_tcp(sock).option(11))

    def test_the_longest_idle_makes_room_and_the_busy_are_kept(self):
        self.start("--tcp-connections", "3", "--tcp-idle", "5m")
        first, second, third = (self.connect() for _ in range(3))
        for sock in (first, second, third, first):
            self.ask_on(sock)
        fourth = self.connect()
        self.ask_on(fourth)
        self.assertTrue(self.is_closed(second))
        for sock in (first, third, fourth):
            sock.sendall(b"\0\x30half")
        self.wait(lambda: self.metric("steerd_tcp_open") == 3, "three are open")
        self.assertTrue(self.is_closed(self.connect()))
        self.assertGreaterEqual(self.metric("steerd_tcp_refused_total"), 1)
        first.close()
        self.wait(lambda: self.open_now() < 3, "there is room again")
        self.assertEqual(["192.0.2.80"], self.ask_on(self.connect()).data)

    def test_one_client_does_not_take_all_connections(self):
        self.start("--tcp-connections-per-client", "2", "--tcp-idle", "5m")
        greedy = [self.connect() for _ in range(2)]
        for sock in greedy:
            self.ask_on(sock)
            sock.sendall(b"\0\x30half")
        modest = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(modest.close)
        modest.settimeout(10)
        modest.bind(("127.0.0.2", 0))
        modest.connect(("127.0.0.1", self.steerd.dns_port))
        self.assertEqual(["192.0.2.80"], self.ask_on(modest).data)
        self.assertTrue(self.is_closed(self.connect()))
        self.assertEqual(["192.0.2.80"], self.ask_on(modest).data)

    def test_who_never_reads_is_cut_and_holds_up_nobody(self):
        self.start("--tcp-idle", "700ms", zone=HEAD + texts("big", 60, 1000))
        lazy = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.addCleanup(lazy.close)
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", self.steerd.dns_port))
        lazy.setblocking(False)
        octets, cut = framed(query("big.example.org", "TXT")) * 20, False
        end = time.monotonic() + 20
        while not cut and time.monotonic() < end:
            try:
                lazy.send(octets)
            except BlockingIOError:
                begin = time.monotonic()
                self.assertEqual(["192.0.2.80"], self.ask("www.example.org").data)
                with socket.create_connection(("127.0.0.1", self.steerd.dns_port), 10) as other:
                    self.assertEqual(["192.0.2.80"], self.ask_on(other).data)
                self.assertLess(time.monotonic() - begin, 5)
            except OSError as error:
                self.assertIn(error.errno, (errno.ECONNRESET, errno.EPIPE))
                cut = True
        self.assertTrue(cut)

    def test_wrong_limits_are_usage_errors(self):
        for option, value, words in (("--tcp-connections", "0", "1 to 100000"), ("--tcp-connections", "many", "1 to 100000"),
                                     ("--tcp-connections-per-client", "100001", "1 to 100000"),
                                     ("--tcp-idle", "0", "500ms to 1h"), ("--tcp-idle", "2h", "500ms to 1h"),
                                     ("--cookie-secrets", "", "one or two secrets"),
                                     ("--rrl-allow", "::ffff:127.0.0.0/104", "without ::ffff:"),
                                     ("--listen", "[::ffff:127.0.0.1]:5300", "without ::ffff:")):
            folder = os.path.join(self.folder, "wrong")
            os.makedirs(folder, exist_ok=True)
            wrong = Steerd(self.steerd.bin_dir, folder, options=[option, value])
            with self.subTest(option=option, value=value), self.assertRaises(Failure) as caught:
                wrong.start()
            self.assertEqual(2, wrong.process.returncode)
            self.assertIn(words, str(caught.exception))


class Addresses(TransportTest):
    """Wildcards: the sockets here are connected, so they take answers only from where they asked."""

    def listen_on(self, *listen):
        at = self.steerd.options.index("--listen")
        del self.steerd.options[at:at + 2]
        for address in listen:
            self.steerd.options += ["--listen", address]
        self.start()
        self.apply(STEADY)

    def ask_at(self, family, address, kind=socket.SOCK_DGRAM):
        with socket.socket(family, kind) as sock:
            sock.settimeout(5)
            sock.connect((address, self.steerd.dns_port))
            octets = query("api.geo.test", "A", GERMANY)
            sock.sendall(octets if kind == socket.SOCK_DGRAM else framed(octets))
            reply = Reply(sock.recv(65535)) if kind == socket.SOCK_DGRAM else read_tcp(sock)
        self.assertEqual([FRA], reply.data)

    def test_answers_leave_from_the_address_that_was_asked(self):
        port = self.steerd.dns_port
        self.listen_on(f"0.0.0.0:{port}", f"[::]:{port}")  # side by side on one port
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for address in ("127.0.0.1", "127.0.0.5", "127.9.9.9"):
                for _ in range(5):
                    self.ask_at(socket.AF_INET, address, kind)
            for _ in range(5):
                self.ask_at(socket.AF_INET6, "::1", kind)
                self.ask_at(socket.AF_INET6, "::ffff:127.0.0.6", kind)  # an IPv6 program that speaks IPv4

    def test_udp_answers_may_be_fragmented(self):
        try:
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        except PermissionError:
            self.skipTest("only root may look at IP headers")
        self.addCleanup(raw.close)
        raw.settimeout(5)
        # An address that nobody else has: a raw socket sees all datagrams to its address, of other tests' floods too.
        client = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 255}"
        raw.bind((client, 0))
        self.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.bind((client, 0))
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            sock.send(query("www.example.org"))
            self.assertEqual(["192.0.2.80"], Reply(sock.recv(65535)).data)
        while True:  # "don't fragment" is what path MTU discovery would set
            packet = raw.recv(65535)
            header = (packet[0] & 15) * 4
            if struct.unpack("!H", packet[header:header + 2])[0] == self.steerd.dns_port:
                break
        self.assertEqual(0, struct.unpack("!H", packet[6:8])[0] & 0x4000)

    def test_several_addresses_are_served_side_by_side(self):
        port = self.steerd.dns_port
        other = free_port("127.0.0.3")
        self.listen_on(f"127.0.0.1:{port}", f"127.0.0.3:{other}")
        self.ask_at(socket.AF_INET, "127.0.0.1")
        self.steerd.dns_port = other
        self.ask_at(socket.AF_INET, "127.0.0.3")
        self.ask_at(socket.AF_INET, "127.0.0.3", socket.SOCK_STREAM)
        self.steerd.dns_port = port


if __name__ == "__main__":
    unittest.main()
