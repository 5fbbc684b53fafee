# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking steerd: questions over UDP, many under way at once, and the API over one connection."""
import http.client
import ipaddress
import json
import select
import socket
import struct
import time
import urllib.parse

from parts import service_text

TYPES = {"A": 1, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "SVCB": 64, "HTTPS": 65, "CAA": 257}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
SOA, OPT, ECS = 6, 41, 8
WINDOW = 48  # questions under way
IDLE_S = 2   # less than steerd keeps an idle connection


class Malformed(Exception):
    """A reply that no resolver would take."""


def name_wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".") if label) + b"\0"


def subnet_option(family, address, source):
    octets = address.to_bytes(4 if family == 4 else 16, "big")[:(source + 7) // 8]
    return struct.pack("!HHHBB", ECS, 4 + len(octets), 1 if family == 4 else 2, source, 0) + octets


def question(ident, name, qtype, option=b""):
    """name is in wire form; option is a client subnet or nothing."""
    return (struct.pack("!HHHHHH", ident, 0, 1, 0, 0, 1) + name + struct.pack("!HH", TYPES[qtype], 1)
            + struct.pack("!BHHIH", 0, OPT, 4096, 0, len(option)) + option)


class Reply:
    """rcode, the answer section as (type, records, TTL) or None, the scope, and whether there is an SOA."""
    __slots__ = ("rcode", "outcome", "scope", "negative")

    def __init__(self, octets, sent):
        flags, questions, answers, authority, additional = struct.unpack_from("!HHHHH", octets, 2)
        end = 12 + len(sent)
        if questions != 1 or octets[12:end] != sent:
            raise Malformed("another question came back")
        if flags & 0x8600 != 0x8400 or flags >> 11 & 15:
            raise Malformed(f"flags {flags:04x}")
        self.rcode, self.scope, self.negative, self.outcome = flags & 15, None, False, None
        at, kinds, ttls, records = end, set(), set(), []
        for i in range(answers + authority + additional):
            owner, at = at, skip_name(octets, at)
            kind, _, ttl, size = struct.unpack_from("!HHIH", octets, at)
            at += 10
            if i < answers:
                if expand(octets, owner) != expand(sent, 0):
                    raise Malformed("an answer of another owner")
                kinds.add(kind)
                ttls.add(ttl)
                records.append(record_text(octets, kind, at, size))
            elif kind == SOA:
                self.negative = True
            elif kind == OPT and size:
                self.read_options(octets, at, at + size)
            at += size
        if at != len(octets):
            raise Malformed("octets after the message")
        if answers:
            if len(kinds) != 1 or len(ttls) != 1 or len(set(records)) != len(records):
                raise Malformed(f"no RRset: {kinds} {ttls} {records}")
            self.outcome = (TYPE_NAMES[kinds.pop()], frozenset(records), ttls.pop())

    def read_options(self, octets, at, end):
        while at < end:
            code, size = struct.unpack_from("!HH", octets, at)
            if code == ECS:
                self.scope = (octets[at + 7], octets[at + 4:at + 7] + b"\0" + octets[at + 8:at + 4 + size])
            at += 4 + size


def skip_name(octets, at):
    while octets[at]:
        if octets[at] >= 0xc0:
            return at + 2
        at += 1 + octets[at]
    return at + 1


def expand(octets, at):
    labels = []
    while octets[at]:
        if octets[at] >= 0xc0:
            at = (octets[at] & 0x3f) << 8 | octets[at + 1]
            continue
        labels.append(octets[at + 1:at + 1 + octets[at]].decode().lower())
        at += 1 + octets[at]
    return ".".join(labels) + "."


def record_text(octets, kind, at, size):
    data = octets[at:at + size]
    if kind == 1:
        return socket.inet_ntoa(data)
    if kind == 28:
        return str(ipaddress.IPv6Address(data))
    if kind == 5:
        return expand(octets, at)
    if kind == 15:
        return f"{struct.unpack('!H', data[:2])[0]} {expand(octets, at + 2)}"
    if kind == 33:
        return "{} {} {} ".format(*struct.unpack("!HHH", data[:6])) + expand(octets, at + 6)
    if kind == 16:
        return data[1:1 + data[0]].decode()
    if kind == 257:
        return f'{data[0]} {data[2:2 + data[1]].decode()} "{data[2 + data[1]:].decode()}"'
    if kind in (64, 65):
        return service_of(octets, at, at + size)
    raise Malformed(f"type {kind}")


def service_of(octets, at, end):
    priority = struct.unpack_from("!H", octets, at)[0]
    if octets[at + 2]:
        raise Malformed("a target that is not the owner")
    at += 3
    alpn, port, v4, v6, before = [], None, set(), set(), -1
    while at < end:
        key, size = struct.unpack_from("!HH", octets, at)
        value = octets[at + 4:at + 4 + size]
        if key <= before:
            raise Malformed("keys out of order")
        before, at = key, at + 4 + size
        if key == 1:
            while value:
                alpn.append(value[1:1 + value[0]].decode())
                value = value[1 + value[0]:]
        elif key == 3:
            port = struct.unpack("!H", value)[0]
        elif key == 4:
            v4 = {socket.inet_ntoa(value[i:i + 4]) for i in range(0, size, 4)}
        elif key == 6:
            v6 = {str(ipaddress.IPv6Address(value[i:i + 16])) for i in range(0, size, 16)}
        else:
            raise Malformed(f"key {key}")
    return service_text(priority, tuple(alpn), port, v4, v6)


def shown_text(kind, text):
    """A record as explain shows it, in the form of record_text."""
    if kind == "TXT":
        return text[1:-1] if text.startswith('"') else text
    if kind not in ("HTTPS", "SVCB"):
        return text.lower()
    priority, _, *parts = text.split()
    fields = dict(part.split("=", 1) for part in parts)
    return service_text(int(priority), tuple(x for x in fields.get("alpn", "").split(",") if x),
                        int(fields["port"]) if "port" in fields else None,
                        *(set(x for x in fields.get(key, "").split(",") if x) for key in ("ipv4hint", "ipv6hint")))


def service_hints(records):
    """The addresses in HTTPS or SVCB records, of each family."""
    hints = {"ipv4hint": set(), "ipv6hint": set()}
    for record in records:
        for part in record.split():
            key, _, value = part.partition("=")
            if key in hints:
                hints[key] |= set(value.split(","))
    return hints["ipv4hint"], hints["ipv6hint"]


class Asker:
    """UDP from one source address."""

    def __init__(self, port, source="127.0.0.1", server="127.0.0.1"):
        self.sock = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.bind((source, 0))
        self.sock.connect((server, port))
        self.sock.setblocking(False)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, messages):
        """messages(ident) for each; the replies' octets in the same order."""
        replies = [None] * len(messages)
        sent = got = 0
        again = 0
        while got < len(messages):
            while sent < len(messages) and sent - got < WINDOW:
                self.sock.send(struct.pack("!H", sent & 0xffff) + messages[sent][2:])
                sent += 1
            if not select.select([self.sock], [], [], 3)[0]:
                again += 1
                if again > 5:
                    raise Malformed("no reply came")
                for i in range(got and 0, sent):
                    if replies[i] is None:
                        self.sock.send(struct.pack("!H", i & 0xffff) + messages[i][2:])
                continue
            while True:
                try:
                    octets = self.sock.recv(65535)
                except BlockingIOError:
                    break
                ident = struct.unpack("!H", octets[:2])[0]
                if ident < len(messages) and replies[ident] is None:
                    replies[ident] = octets
                    got += 1
        return replies


class Api:
    """The HTTP API over one connection that stays open, as long as steerd surely lets it."""

    def __init__(self, port, token):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = {"Authorization": "Bearer " + token}
        self.used = time.monotonic()

    def call(self, method, path, body=None):
        headers, octets = dict(self.headers), None
        if body is not None:
            headers["Content-Type"] = "application/json"
            octets = json.dumps(body)
        if time.monotonic() - self.used > IDLE_S:
            self.connection.close()  # the request opens it again
        self.connection.request(method, path, octets, headers)
        reply = self.connection.getresponse()
        text = reply.read().decode()
        self.used = time.monotonic()
        return reply.status, json.loads(text) if text else None

    def explain(self, name, qtype, client):
        query = urllib.parse.urlencode({"name": name, "type": qtype, "client": client})
        return self.call("GET", "/api/v1/explain?" + query)
