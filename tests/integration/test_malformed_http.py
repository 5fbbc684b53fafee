# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken requests to the admin API, most of them with the right token: each gets a reply that says so or an end of
its connection; nothing is our fault (5xx), nothing stays behind, and questions are answered all the while.
STEERD_SEED repeats a run."""
import contextlib
import json
import os
import random
import re
import socket
import struct
import unittest

from dnstest import DnsTest
from test_dns_answering import OTHER
from test_malformed import Remains

COUNT = int(os.environ.get("STEERD_MALFORMED", 20000)) // 10
RSS_MARGIN_KIB = 32 << 10  # bodies, documents and versions of zones come and go; glibc keeps some of their pages
DOCUMENT = "zone: fuzz.test\nendpoints:\n  a: {ipv4: 192.0.2.1}\nrecords:\n  www: {steer: {endpoint: a}}\n"
APPLY = json.dumps({"documents": [{"name": "f.yaml", "text": DOCUMENT}], "take_over": True}).encode()
EXPLAIN = "/api/v1/explain?name=www.other.test&type=A&client=192.0.2.1"
# Requests that make sense, until they are changed.
SENSIBLE = [("POST", "/api/v1/apply", APPLY), ("POST", "/api/v1/zones", b"zone fuzz.test 3 f\n@ SOA"),
            ("POST", "/api/v1/zones", b"zone fuzz.test %d f\n" % len(OTHER) + OTHER.encode()),
            ("PUT", "/api/v1/zones/fuzz.test", OTHER.encode()), ("GET", "/api/v1/zones/other.test", b""),
            ("PUT", "/api/v1/overrides/endpoint/a", b'{"state": "down", "reason": "x", "owner": "y", "for": "1m"}'),
            ("DELETE", "/api/v1/overrides/endpoint/a", b""), ("DELETE", "/api/v1/zones/fuzz.test", b""),
            ("GET", EXPLAIN, b""), ("GET", "/api/v1/documents/f.yaml", b""), ("GET", "/metrics", b"")]
METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "X" * 300, ""]
PATHS = sorted({path for _, path, _ in SENSIBLE}) + ["/healthz", "/api/v1/documents", "/api/v1/status", "/", "/api/v2"]
TAILS = ["/", "//", "/..", "/%", "/%0", "/%00", "/%zz", "/%2e%2e", "?", "?name", "?name=%", "?name=a&name=b",
         "?client=x", "?" + "a=b&" * 200, "/" + "x" * 3000, "#", "\\", "/\xff"]
BODIES = [b"", b"{}", b"[]", b"null", b'{"documents": [{"name": "f", "text": 7}], "dry_run": "x"}', b"[" * 5000,
          b'{"a":' * 3000, b"zone fuzz.test 99999999 f\nabc", b'"\\ud800"', bytes(range(256))]
ODD_HEADERS = [b"", b"Origin: http://x\r\n", b"X: " + b"y" * 70000 + b"\r\n", b": x\r\n", b"no colon\r\n",
               b" folded: x\r\n", b"Content-Type: text/\0\r\n", b"X: y\r\n" * 300]
VERSIONS = ["HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "", "HTTP/1.1 x"]


class Requests:
    """(octets, whether the request is whole, so that the server need not wait for more), one after the other."""

    def __init__(self, seed, token):
        self.rng, self.token = random.Random(seed), token

    def changed(self, octets):
        octets = bytearray(octets)
        for _ in range(self.rng.choice([1, 1, 4]) if octets else 0):
            octets[self.rng.randrange(len(octets))] = self.rng.choice([0, 10, 13, 32, 58, 255, self.rng.randrange(256)])
        return bytes(octets)

    def length(self, size):
        rng = self.rng
        return rng.choice([b"", b"Content-Length: %d\r\n" % (size + rng.choice([-1, 1, 100, 1 << 40])),
                           b"Content-Length: -1\r\n", b"Content-Length: x\r\n",
                           b"Content-Length: " + b"9" * 30 + b"\r\n",
                           b"Content-Length: %d\r\nContent-Length: %d\r\n" % (size, size + 1),
                           b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n",
                           b"Expect: 100-continue\r\nContent-Length: %d\r\n" % size])

    def odd_token(self):
        return self.rng.choice(["", "x", self.token[:-1], self.token * 2])

    def request(self):
        """A request of which about one thing is wrong; whether its length is right."""
        rng = self.rng
        method, path, body = rng.choice(SENSIBLE)
        token, version, more, length = self.token, VERSIONS[0], b"", None
        wrong = rng.choice(["method", "path", "tail", "body", "body", "body", "other body", "token", "version",
                            "header", "length", "nothing"])
        method = rng.choice(METHODS) if wrong == "method" else method
        path = rng.choice(PATHS) if wrong == "path" else path + rng.choice(TAILS) if wrong == "tail" else path
        body = self.changed(body) if wrong == "body" else rng.choice(BODIES) if wrong == "other body" else body
        token = self.odd_token() if wrong == "token" else token
        version = rng.choice(VERSIONS) if wrong == "version" else version
        more = rng.choice(ODD_HEADERS) if wrong == "header" else more
        length = self.length(len(body)) if wrong == "length" else b"Content-Length: %d\r\n" % len(body)
        head = f"{method} {path} {version}\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
        return head.encode("latin-1") + more + length + b"\r\n" + body, wrong != "length"

    def __iter__(self):
        rng = self.rng
        while True:
            octets, is_whole = self.request()
            fate = rng.random()
            if fate < .1:
                yield octets[:rng.randrange(len(octets))], False
            elif fate < .2:
                yield self.changed(octets), False
            elif fate < .23:
                yield rng.randbytes(rng.randrange(3000)), False
            else:
                yield octets, is_whole


class MalformedHttp(Remains, DnsTest):
    zones = {"other.test": OTHER, "kept.test": OTHER}

    def send(self, octets, is_whole, abrupt):
        """What comes back until the connection ends; to half a request that is not waited for."""
        with socket.create_connection(("127.0.0.1", self.steerd.admin_port), 20) as sock:
            got = b""
            with contextlib.suppress(ConnectionError):
                sock.sendall(octets)
                if abrupt:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return b""
                sock.settimeout(20 if is_whole else .02)
                try:
                    while part := sock.recv(65536):
                        got += part
                except TimeoutError:
                    self.assertFalse(is_whole, f"seed {self.seed}, no reply to {octets[:300]!r}")
            return got

    def judge_reply(self, sent, got):
        told = f"seed {self.seed}, to {sent[:300]!r}: {got[:300]!r}"
        status = re.match(rb"HTTP/1\.[01] (\d{3}) ", got)
        self.assertTrue(status or not got, told)
        if status:
            self.assertIn(int(status[1]) // 100, (1, 2, 4, 5), told)
            self.assertNotIn(int(status[1]), range(500, 503), told)

    def test_who_leaves_in_the_middle_of_a_request_does_not_keep_its_place(self):
        """The end together with the last octets, which is where it can be missed."""
        head = f"PUT /api/v1/zones/fuzz.test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.steerd.token()}\r\n"
        for more in ("Transfer-Encoding: chunked\r\n\r\n5\r\nab", "Content-Length: 90000\r\n\r\nab", ""):
            before = self.descriptors()
            gone = [socket.create_connection(("127.0.0.1", self.steerd.admin_port), 10) for _ in range(25)]
            for sock in gone:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # one segment for both
                sock.sendall((head + more).encode())
                sock.shutdown(socket.SHUT_WR)
            self.wait(lambda: self.descriptors() <= before, "their descriptors are closed", 15)
            for sock in gone:
                sock.close()

    def test_two_thousand_broken_requests_are_refused_or_cut(self):
        requests = iter(Requests(self.seed, self.steerd.token()))

        def work(count):
            for i in range(count):
                sent, is_whole = next(requests)
                self.judge_reply(sent, self.send(sent, is_whole, self.rng.random() < .1))
                if i % 100 == 0:
                    self.expect("www.kept.test", "A", "=> 192.0.2.2")
                    self.assertEqual(200, self.steerd.http("GET", "/api/v1/status")[0])

        self.leave_nothing_behind(work, COUNT, RSS_MARGIN_KIB)


if __name__ == "__main__":
    unittest.main()
