# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests stand on: steerd in a folder of its own, DNS questions, origins."""
import http.server
import os
import random
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))
from running import Failure, Steerd, free_port, wait_until  # noqa: E402,F401

BIN = os.environ.get("STEERD_BIN", os.path.join(ROOT, "build", "dev", "bin"))
COUNTRY = os.path.join(ROOT, "geodata", "country.mmdb")
# Networks of geodata/country.mmdb.
GERMANY, USA, SINGAPORE = "192.0.2.0", "198.51.100.0", "203.0.113.0"
TYPES = {"A": 1, "NS": 2, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65}


# ---- DNS, as little as the tests need -------------------------------------------------------------

def encode_name(name):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def edns_option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def query(name, kind="A", subnet=None, source=24, ident=None, options=b"", udp_size=1232):
    """The octets of a question with EDNS, and with ECS when subnet (IPv4) is given."""
    option = options
    if subnet:
        address = socket.inet_aton(subnet)[:(source + 7) // 8]
        option += struct.pack("!HHHBB", 8, 4 + len(address), 1, source, 0) + address
    ident = random.randrange(65536) if ident is None else ident
    return (struct.pack("!HHHHHH", ident, 0, 1, 0, 0, 1) + encode_name(name) + struct.pack("!HH", TYPES[kind], 1)
            + b"\0" + struct.pack("!HHIH", 41, udp_size, 0, len(option)) + option)


class Reply:
    """A response taken apart: ident, rcode (with EDNS's octet), authoritative, answers as (type, ttl, data), scope;
    options of the OPT as (code, data), None without an OPT; udp_size and dnssec_ok of it."""

    def __init__(self, octets):
        self.octets = octets
        self.ident, flags, questions, answers, authority, additional = struct.unpack("!HHHHHH", octets[:12])
        self.rcode, self.authoritative, self.truncated = flags & 15, bool(flags & 0x400), bool(flags & 0x200)
        self.answers, self.scope, self.options = [], None, None
        at = 12
        for _ in range(questions):
            at = self.skip_name(at) + 4
        for i in range(answers + authority + additional):
            at = self.skip_name(at)
            kind, size, ttl, length = struct.unpack("!HHIH", octets[at:at + 10])
            data = octets[at + 10:at + 10 + length]
            at += 10 + length
            if i < answers:
                self.answers.append((kind, ttl, self.text(kind, data)))
            elif kind == 41:
                self.rcode |= ttl >> 24 << 4
                self.udp_size, self.dnssec_ok, self.options = size, bool(ttl & 0x8000), []
                self.read_options(data)
        if at != len(octets):
            raise ValueError(f"{len(octets) - at} octets after the message")

    def skip_name(self, at):
        while self.octets[at]:
            if self.octets[at] & 0xC0:
                return at + 2
            at += 1 + self.octets[at]
        return at + 1

    def read_options(self, data):
        while data:
            code, length = struct.unpack("!HH", data[:4])
            self.options.append((code, data[4:4 + length]))
            if code == 8:
                self.scope = data[7]
            data = data[4 + length:]

    @staticmethod
    def text(kind, data):
        if kind == 1:
            return socket.inet_ntoa(data)
        if kind == 28:
            return socket.inet_ntop(socket.AF_INET6, data)
        if kind == 16:
            return data[1:1 + data[0]].decode()
        return data

    @property
    def data(self):
        return [data for _, _, data in self.answers]

    def option(self, code):
        """The data of the one option of this code; None without one."""
        found = [data for known, data in self.options or [] if known == code]
        if len(found) > 1:
            raise ValueError(f"option {code} came {len(found)} times")
        return found[0] if found else None


def read_exactly(sock, count):
    octets = b""
    while len(octets) < count:
        part = sock.recv(count - len(octets))
        if not part:
            raise EOFError("the connection ended early")
        octets += part
    return octets


def read_tcp(sock):
    return Reply(read_exactly(sock, struct.unpack("!H", read_exactly(sock, 2))[0]))


def framed(message):
    return struct.pack("!H", len(message)) + message


# ---- origins --------------------------------------------------------------------------------------

class OriginServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self):
        # Not HTTPServer's, which asks the resolver for the name of the address.
        socketserver.TCPServer.server_bind(self)


class Origin:
    """A web server on a loopback address that misbehaves on command; state is ok, broken or silent."""

    def __init__(self, address, port):
        self.place = (address, port)
        self.state = "ok"
        self.server = None
        self.start()

    def start(self):
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                while origin.state == "silent" and origin.server:
                    time.sleep(0.05)
                self.send_response(200 if origin.state == "ok" else 503)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = OriginServer(self.place, Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.server:
            server, self.server = self.server, None
            server.shutdown()
            server.server_close()


# ---- the test case --------------------------------------------------------------------------------

def geo_document(port, interval="200ms", fall=2):
    """fra for Germany, iad for the rest; each stands in for the other."""
    return f"""zone: geo.test
checks:
  web: {{type: http, port: {port}, path: /, interval: {interval}, timeout: {interval}, rise: 1, fall: {fall}}}
sites:
  fra: {{at: EU-DE}}
endpoints:
  fra-1: {{site: fra, ipv4: 127.0.1.101, check: web}}
  iad-1: {{ipv4: 127.0.1.102, check: web}}
records:
  api:
    ttl: 30
    steer:
      geo:
        rules:
          - {{match: [EU], to: {{failover: [{{endpoint: fra-1}}, {{endpoint: iad-1}}]}}}}
        default: {{failover: [{{endpoint: iad-1}}, {{endpoint: fra-1}}]}}
"""


FRA, IAD = "127.0.1.101", "127.0.1.102"
STEADY = geo_document(1, "1h")  # without origins: no verdict comes while a test runs


class SteerdTest(unittest.TestCase):
    """steerd on free ports with a folder of its own. However a test ends, steerd must stop cleanly."""

    geo = (COUNTRY,)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="steerd-test-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.steerd = Steerd(BIN, self.folder, self.geo)
        self.addCleanup(self.stop_cleanly)

    def stop_cleanly(self):
        if self.steerd.process is None:
            return
        status = self.steerd.stop()
        bad = any(word in self.steerd.log() for word in ("Sanitizer", "runtime error", "Assertion `"))
        if bad or status not in (0, -9):
            self.fail(f"steerd ended with status {status}:\n{self.steerd.log()}")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def apply(self, text, name="test.yaml"):
        return self.steerd.ctl("apply", "--yes", self.write(name, text))

    def post(self, text, name="test.yaml", **options):
        """Applies over HTTP: (status, body)."""
        return self.steerd.http("POST", "/api/v1/apply", {"documents": [{"name": name, "text": text}], **options})

    def origin(self, address, port):
        origin = Origin(address, port)
        self.addCleanup(origin.stop)
        return origin

    def origins(self, **options):
        """fra and iad of geo_document, which is applied and has its verdicts when this returns."""
        port = free_port(FRA, IAD)
        fra, iad = self.origin(FRA, port), self.origin(IAD, port)
        self.apply(geo_document(port, **options))
        self.wait(lambda: set(self.steerd.states().values()) == {"up"}, "both origins are up")
        return fra, iad

    def wait(self, condition, what, seconds=20):
        return wait_until(condition, seconds, what)

    def ask(self, name, kind="A", subnet=None, seconds=5, **options):
        """One question over UDP; fails without a response."""
        return self.exchange(query(name, kind, subnet, **options), seconds)

    def exchange(self, octets, seconds=5, address="127.0.0.1"):
        """One message over UDP and its reply, which must have the same id."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(seconds)
            sock.connect((address, self.steerd.dns_port))
            sock.send(octets)
            reply = Reply(sock.recv(65535))
            self.assertEqual(octets[:2], reply.octets[:2])
            return reply

    def run_client(self, program, *arguments):
        """dig or kdig: what it says."""
        done = subprocess.run([program, "@127.0.0.1", "-p", str(self.steerd.dns_port), *arguments], capture_output=True,
                              text=True, timeout=30, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def metric(self, name, **labels):
        """A value of /metrics."""
        text = ",".join(f'{label}="{value}"' for label, value in labels.items())
        body = self.steerd.http("GET", "/metrics", token=False)[1]
        found = [line for line in body.splitlines() if line.startswith(f"{name}{{{text}}} " if labels else name + " ")]
        self.assertEqual(1, len(found), f"{name} {labels}")
        return float(found[0].split()[-1])

    def data(self, name, kind="A", subnet=None):
        reply = self.ask(name, kind, subnet)
        return reply.data if reply.rcode == 0 else f"rcode {reply.rcode}"

    def german(self):
        return self.data("api.geo.test", "A", GERMANY)

    def connect(self, port=None):
        sock = socket.create_connection(("127.0.0.1", port or self.steerd.dns_port), 10)
        self.addCleanup(sock.close)
        return sock

    def version(self):
        return self.steerd.status()["version"]
