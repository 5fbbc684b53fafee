# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand malformed messages over UDP and as many over TCP. After each of them a good question must be
answered; each reply must be one that the message may get; and nothing may be left behind: no memory, no
descriptor. STEERD_SEED repeats a run."""
import os
import random
import shutil
import socket
import struct
import subprocess
import unittest

from dnsmessage import COOKIE, ECS, NSID, Message, message, opt, option, question, subnet, wire_name
from dnstest import DnsTest, always, udp_limit
from support import framed, read_exactly
from test_dns_answering import OTHER, SUB, ZONE
from test_dns_edns import DOCUMENT, USA, GERMANY

COUNT = int(os.environ.get("STEERD_MALFORMED", 10000))
UDP_LONGEST_READ = 1600
# What steerd may grow by while it is sent all this, in KiB: the buffers that glibc or the address sanitizer keep for
# later (its quarantine is set to 8 MiB below), not anything that grows with the number of messages.
RSS_MARGIN_KIB = 12 << 10
QUARANTINE = "quarantine_size_mb=8"

NAMES = ["www.dns.test", "none.dns.test", "x.wild.dns.test", "one.dns.test", "x.tree.dns.test", "x.child.dns.test",
         "geo.steered.test", "strict.steered.test", "nested.steered.test", "link.steered.test", "dns.test", ".",
         "a" * 63 + ".wild.dns.test", "q.grow.dns.test", "www.elsewhere.example", "version.bind"]
KINDS = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "ANY", "DS", "CNAME", "AXFR", "TYPE65280"]


class Mangler:
    """Messages that somebody's broken or evil program may send. Every kind comes in turn."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.cut = 0

    def good(self):
        rng = self.rng
        options = b"".join(rng.sample([option(NSID), option(COOKIE, rng.randbytes(8)), subnet(GERMANY), subnet(USA),
                                       option(11), option(rng.randrange(65536), rng.randbytes(rng.randrange(40)))],
                                      rng.randrange(4)))
        extra = opt(rng.choice([0, 512, 1232, 4096, 65535]), options, rng.random() < .5) if rng.random() < .8 else b""
        return message(question(rng.choice(NAMES), rng.choice(KINDS)), extra, rng.randrange(65536),
                       rng.choice([0, 0x100, 0x110]))

    def truncated(self):
        whole = self.good()
        self.cut += 1
        return whole[:self.cut % len(whole)]

    def flipped(self):
        octets = bytearray(self.good())
        for _ in range(self.rng.randrange(1, 9)):
            octets[self.rng.randrange(len(octets))] ^= 1 << self.rng.randrange(8)
        return bytes(octets)

    def replaced(self):
        octets = bytearray(self.good())
        at = self.rng.randrange(len(octets))
        octets[at:at + self.rng.randrange(5)] = self.rng.randbytes(self.rng.randrange(9))
        return bytes(octets)

    def pointers(self):
        """Into the header, to themselves, forward, in circles; in questions, owners and data."""
        rng = self.rng
        target = rng.choice([0, 4, 11, 12, 13, 20, 25, 30, 255, 0x3fff, rng.randrange(0x4000)])
        name = rng.choice([b"", b"\1a", wire_name("a.b")[:-1]]) + struct.pack("!H", 0xc000 | target)
        record = name + struct.pack("!HHIH", rng.choice([1, 2, 5, 41, 250]), 1, 0, len(name)) + name
        if rng.random() < .4:
            return message(name + b"\0\1\0\1", rng.choice([b"", opt()]), rng.randrange(65536))
        counts = [1, 0, 0, 0]
        counts[rng.randrange(1, 4)] = 1
        return message(question("www.dns.test"), record, rng.randrange(65536), counts=counts)

    def counts(self):
        octets = bytearray(self.good())
        at = self.rng.randrange(4, 12, 2)
        octets[at:at + 2] = struct.pack("!H", self.rng.choice([0, 1, 2, 3, 255, 65535]))
        return bytes(octets)

    def opts(self):
        rng = self.rng
        inner = rng.choice([option(rng.choice([NSID, ECS, COOKIE, 11, 12]), rng.randbytes(rng.randrange(45))),
                            struct.pack("!HH", rng.choice([NSID, ECS, COOKIE]), rng.randrange(65536)),
                            b"\0", b"\0\x08\0"])
        one = bytearray(opt(options=inner * rng.randrange(1, 4)))
        if rng.random() < .5:
            one[9:11] = struct.pack("!H", max(0, len(one) - 11 + rng.choice([-1, 1, -4, 4, 300])) & 0xffff)
        several = rng.choice([1, 1, 2, 3])
        return message(question(rng.choice(NAMES)), bytes(one) * several, rng.randrange(65536),
                       counts=(1, 0, 0, rng.choice([several, 1, several + 1])))

    def long(self):
        length = self.rng.choice([self.rng.randrange(65508), self.rng.randrange(1700), 65507, 1599, 1600, 1601])
        more = self.rng.choice([bytes(length), self.rng.randbytes(length), b"\xc0\x0c" * (length // 2)])
        return (self.good() + more)[:length]

    def noise(self):
        return self.rng.randbytes(self.rng.randrange(600))

    def reply(self):
        octets = bytearray(self.good())
        octets[2] |= 0x80
        return bytes(octets)

    def headers(self):
        octets = bytearray(self.good())
        octets[2:4] = self.rng.randbytes(2)
        return bytes(octets)

    def __iter__(self):
        kinds = [self.truncated, self.flipped, self.replaced, self.pointers, self.counts, self.opts, self.long,
                 self.noise, self.reply, self.headers]
        while True:
            for kind in kinds:
                yield kind()


class Remains:
    """For a DnsTest: what steerd may keep of all that it was sent."""

    @classmethod
    def setUpClass(cls):
        before = os.environ.get("ASAN_OPTIONS", "")
        os.environ["ASAN_OPTIONS"] = f"{before}:{QUARANTINE}".lstrip(":")
        try:
            super().setUpClass()
        finally:
            os.environ["ASAN_OPTIONS"] = before

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("STEERD_SEED", random.randrange(1 << 32)))
        self.rng = random.Random(self.seed)

    def rss_kib(self):
        with open(f"/proc/{self.steerd.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.steerd.process.pid}/fd"))

    def leave_nothing_behind(self, work, count, margin_kib):
        """Runs work with a tenth to fill buffers that are kept, then with all, which may leave little more."""
        work(count // 10)
        descriptors, rss = self.descriptors(), self.rss_kib()
        work(count)
        self.wait(lambda: self.descriptors() <= descriptors, f"{descriptors} descriptors as before, seed {self.seed}")
        self.assertLess(self.rss_kib(), rss + margin_kib, f"memory, seed {self.seed}")
        self.assertEqual(200, self.steerd.http("GET", "/healthz", token=False)[0])
        self.assertTrue(self.steerd.running(), self.steerd.log())


class Malformed(Remains, DnsTest):
    zones = {"dns.test": ZONE, "other.test": OTHER, "sub.other.test": SUB}
    document = DOCUMENT
    options = ("--nsid", "node-7", "--version-text", "steerd test")

    def setUp(self):
        super().setUp()
        self.messages = iter(Mangler(self.seed))

    # ---- what must hold

    def judge_exchange(self, sent, got, limit, due):
        """due: whether a message of such a length is read at all."""
        told = f"seed {self.seed}, to {sent[:200].hex()}"
        if len(sent) < 12 or sent[2] & 0x80 or not due:
            self.assertIsNone(got, f"{told}: a reply where none is due")
            return
        self.assertIsNotNone(got, f"{told}: no reply")
        reply = Message(got)
        wrong = always(sent, reply, limit)
        self.assertIsNone(wrong, f"{told}:\n  {reply}")

    def probe(self, sent):
        """A good question that cannot be taken for the one before it."""
        ident = int.from_bytes((sent + b"\0\0")[:2], "big") ^ 0xffff
        return message(question("ns1.dns.test"), opt(), ident)

    def answered(self, sent, probe, receive):
        """The reply to `sent` or None; the probe's reply comes after it and is right."""
        first = receive()
        got = None if first[:2] == probe[:2] else first
        last = Message(first if got is None else receive())
        self.assertEqual((probe[:2], ["192.0.2.53"]), (last.octets[:2], [record.data for record in last.answer]),
                         f"seed {self.seed}, after {sent[:200].hex()}")
        return got

    # ---- UDP

    def test_ten_thousand_malformed_datagrams_are_answered_or_dropped(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.connect(("127.0.0.1", self.steerd.dns_port))  # one socket, one worker: replies come in order

            def work(count):
                for _ in range(count):
                    sent = next(self.messages)
                    probe = self.probe(sent)
                    sock.send(sent)
                    sock.send(probe)
                    got = self.answered(sent, probe, lambda: sock.recv(65535))
                    self.judge_exchange(sent, got, udp_limit(sent), len(sent) <= UDP_LONGEST_READ)

            self.leave_nothing_behind(work, COUNT, RSS_MARGIN_KIB)

    # ---- TCP

    def converse(self, count):
        """Malformed messages in good frames: the conversation goes on, until one shorter than a header ends it."""
        sock = None
        for _ in range(count):
            sent = next(self.messages)[:65535]
            sock = sock or socket.create_connection(("127.0.0.1", self.steerd.dns_port), 10)
            probe = self.probe(sent)
            sock.sendall(framed(sent) + framed(probe))
            if len(sent) < 12:
                self.assert_ended(sock, sent)
                sock = None
                continue
            got = self.answered(sent, probe, lambda: read_exactly(sock, struct.unpack("!H", read_exactly(sock, 2))[0]))
            self.judge_exchange(sent, got, 65535, True)
        if sock:
            sock.close()

    def assert_ended(self, sock, sent):
        with sock:
            try:
                self.assertEqual(b"", sock.recv(65535), f"seed {self.seed}, to {sent.hex()}")
            except ConnectionResetError:
                pass  # the rest was not read

    def broken_stream(self):
        rng, whole = self.rng, framed(next(self.messages)[:65535])
        good = framed(message(question("ns1.dns.test")))
        return rng.choice([
            whole[:rng.randrange(len(whole))],                      # half a frame
            good * rng.randrange(4) + good[:rng.randrange(len(good))],
            b"\0\0" * rng.randrange(1, 50),                         # messages of no length
            struct.pack("!H", rng.randrange(65536)) + rng.randbytes(rng.randrange(200)),
            b"\xff\xff" + good * 5,
            rng.randbytes(rng.randrange(1, 3000)),
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            good * 200,                                             # and nobody reads the answers
            b""])

    def break_streams(self, count):
        for i in range(count):
            stream = self.broken_stream()
            with socket.create_connection(("127.0.0.1", self.steerd.dns_port), 10) as sock:
                if self.rng.random() < .5:  # closing becomes a reset
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                try:
                    for _ in range(self.rng.randrange(1, 4)):
                        at = self.rng.randrange(len(stream) + 1)
                        sock.sendall(stream[:at])
                        stream = stream[at:]
                    sock.sendall(stream)
                    if self.rng.random() < .2:
                        sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # steerd has ended it
            if i % 50 == 0:
                for transport in ("udp", "tcp"):
                    self.expect("ns1.dns.test", "A", "=> 192.0.2.53", transports=(transport,))

    def test_ten_thousand_malformed_messages_over_tcp_are_answered_or_end_the_connection(self):
        def work(count):
            self.converse(count * 4 // 5)
            self.break_streams(count // 5)

        self.leave_nothing_behind(work, COUNT, RSS_MARGIN_KIB)

    # ---- other people's programs, at some speed

    def test_dnsperf_gets_every_answer_over_udp_and_tcp(self):
        if not shutil.which("dnsperf"):
            self.skipTest("dnsperf is not installed (scripts/install-deps)")
        names = [f"{name} {kind}" for name in NAMES if name not in (".", "version.bind", "www.elsewhere.example")
                 for kind in ("A", "AAAA", "TXT", "SOA", "ANY")]
        for mode in ("udp", "tcp"):
            with self.subTest(mode=mode):
                file = self.write("queries", "\n".join(names) + "\n")
                done = subprocess.run(["dnsperf", "-s", "127.0.0.1", "-p", str(self.steerd.dns_port), "-m", mode,
                                       "-l", "2", "-d", file, "-c", "4", "-q", "20", "-e"],
                                      capture_output=True, text=True, timeout=60, check=True)
                said = done.stdout + done.stderr
                self.assertRegex(said, r"Queries lost:\s+0 ")
                self.assertRegex(said, r"Response codes:\s+NOERROR \d+ \([\d.]+%\), NXDOMAIN \d+ \([\d.]+%\)\s*\n")
                self.assertNotIn("Warning", said)

    def test_delv_and_drill_understand_the_answers(self):
        place = ["@127.0.0.1", "-p", str(self.steerd.dns_port)]
        for name, kind, words in (("www.dns.test", "A", "192.0.2.2"), ("x.tree.dns.test", "A", "DNAME"),
                                  ("geo.steered.test", "A", "192.0.2.9"), ("one.dns.test", "A", "two.dns.test.")):
            for program in (["drill", *place, name, kind], ["delv", *place, "-i", name, kind]):
                with self.subTest(program=program):
                    if not shutil.which(program[0]):
                        self.skipTest(f"{program[0]} is not installed (scripts/install-deps)")
                    done = subprocess.run(program, capture_output=True, text=True, timeout=30, check=True)
                    self.assertIn(words, done.stdout, done.stderr)


if __name__ == "__main__":
    unittest.main()
