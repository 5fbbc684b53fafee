# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a running steerd and what is expected of the replies, in the words of the scenarios
(tests/scenarios/README.md). Every reply is also held against what must be true of any."""
import contextlib
import os
import shlex
import shutil
import socket
import tempfile

from dnsmessage import ECS, FLAGS, NSID, QR, RCODES, Message, message, opt, option, question, subnet
from support import BIN, COUNTRY, Steerd, SteerdTest, framed, read_exactly

QUERY_FLAGS = FLAGS["rd"] | FLAGS["cd"]
OWN_LIMIT = 1232


def words_of(text):
    lexer = shlex.shlex(text, posix=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    return list(lexer)


def bare(word):
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] == '"' else word


class Expectation:
    """Made of lines such as `answer www.dns.test 300 A 192.0.2.1`; * stands for anything."""

    def __init__(self, text=""):
        self.rcode, self.flags, self.ordered, self.details = "NOERROR", None, False, {}
        self.sections = {"answer": [], "authority": [], "additional": []}
        self.any = set()
        for line in filter(None, (line.strip() for line in text.splitlines())):
            key, *rest = words_of(line)
            if key in self.sections:
                self.sections[key].append(rest)
            elif key == "any":
                self.any.update(rest)
            elif key == "flags":
                self.flags = set(rest) - {"none"}
            elif key == "rcode":
                self.rcode = rest[0]
            elif key == "ordered":
                self.ordered = True
            elif key in ("scope", "ede", "nsid", "at-most"):
                self.details[key] = rest
            else:
                raise ValueError(f"'{line}' is not expected of a reply")

    @classmethod
    def short(cls, text, name, kind):
        """=> nodata | nxdomain | RCODE | DATA[, DATA...] [ttl N] [scope N]"""
        words, made, ttl = words_of(text), cls(), "*"
        while len(words) > 2 and words[-2] in ("ttl", "scope"):
            value = words.pop()
            if words.pop() == "ttl":
                ttl = value
            else:
                made.details["scope"] = [value]
        if words[0] in ("nodata", "nxdomain"):
            made.rcode = "NXDOMAIN" if words[0] == "nxdomain" else "NOERROR"
            made.sections["authority"] = [["*", "*", "SOA", "*"]]
        elif words[0].upper() in RCODES:
            made.rcode = words[0].upper()
        else:
            made.any.add("additional")
            data = [word.rstrip(",") for word in words]
            quote = '"' if kind.upper() == "TXT" else ""
            made.sections["answer"] = [[name, ttl, kind.upper(), quote + bare(word) + quote] for word in data]
        return made

    @staticmethod
    def meets(record, want):
        owner, ttl, kind, *data = want
        data, got = (text.replace('"', "") for text in (" ".join(data), record.data))
        return (kind == record.kind and ttl in ("*", str(record.ttl)) and data in ("*", got)
                and (owner == "*" or owner.rstrip(".").lower() == record.owner.rstrip(".").lower()))

    def section_fault(self, name, records):
        left = list(records)
        for want in self.sections[name]:
            fits = [record for record in (left[:1] if self.ordered else left) if self.meets(record, want)]
            if not fits:
                return f"wanted: {name} {' '.join(want)}"
            left.remove(fits[0])
        return f"wanted: nothing else in {name}" if left and name not in self.any else None

    def fault(self, reply):
        """What is wrong with the reply in this light, or None."""
        if reply.rcode != RCODES[self.rcode]:
            return f"wanted: rcode {self.rcode}"
        if reply.flags != self.flags if self.flags is not None else reply.truncated:
            return f"wanted: flags {self.flags or 'without tc'}"
        for key, wanted in self.details.items():
            got = {"scope": str(reply.scope), "nsid": reply.options.get(NSID, b"").decode()}.get(key)
            if key == "at-most":
                if len(reply.octets) > int(wanted[0]):
                    return f"wanted: at most {wanted[0]} octets, not {len(reply.octets)}"
            elif key == "ede":
                if not reply.ede or reply.ede[0] != int(wanted[0]) or (wanted[1:] and reply.ede[1] != bare(wanted[1])):
                    return f"wanted: ede {' '.join(wanted)}, not {reply.ede}"
            elif got != wanted[0]:
                return f"wanted: {key} {wanted[0]}, not {got}"
        return next(filter(None, (self.section_fault(name, getattr(reply, name)) for name in self.sections)), None)


def always(sent, reply, limit):
    """What is wrong with a reply whatever was asked, or None."""
    asked = None
    with contextlib.suppress(ValueError):
        asked = Message(sent)
    if reply.octets[:2] != sent[:2]:
        return "another id"
    if not reply.bits & QR or reply.opcode != sent[2] >> 3 & 15:
        return "QR or opcode wrong"
    if reply.bits & 0x0100 != int.from_bytes(sent[2:4], "big") & 0x0100 or reply.flags & {"ra", "z", "ad"}:
        return "RD not as it came, or RA, Z or AD set"
    if len(reply.octets) > limit:
        return f"{len(reply.octets)} octets where {limit} may be sent"
    if reply.question and not sent[12:].startswith(reply.question):
        return "the question is not as it came"
    records = [(r.owner.lower(), r.kind, r.klass, r.data) for s in ("answer", "authority", "additional")
               for r in getattr(reply, s)]
    if len(records) != len(set(records)):
        return "a record twice"
    ttls = {}
    if any(ttls.setdefault((r.owner.lower(), r.kind), r.ttl) != r.ttl for r in reply.answer):
        return "TTLs of one RRset differ"
    if asked is None:
        return None
    # Behind two questions nothing is read, and which of two OPT records would be answered?
    may_lack = asked.counts[0] > 1 or len(asked.opts) > 1
    if len(reply.opts) != (1 if asked.opts else 0) and not (may_lack and not reply.opts):
        return "one OPT record where one was sent, and only there"
    return options_fault(asked, reply) if len(asked.opts) == 1 else None


def options_fault(asked, reply):
    if reply.version != 0 or reply.do != asked.do:
        return "version or DO of the OPT record wrong"
    if reply.rcode in (RCODES["FORMERR"], RCODES["BADVERS"], RCODES["NOTIMP"]):
        return None
    sent, got = asked.options.get(ECS), reply.options.get(ECS)
    if (sent is None) != (got is None) or (sent and (sent[:3] != got[:3] or sent[4:] != got[4:])):
        return "the client subnet is not as it came"
    if sent and sent[2] == 0 and got[3]:
        return "a scope for a source of 0"
    return "NSID that was not asked for" if NSID in reply.options and NSID not in asked.options else None


def udp_limit(sent):
    try:
        asked = Message(sent)
    except ValueError:
        return OWN_LIMIT
    return max(512, min(asked.size, OWN_LIMIT)) if asked.opts else 512


class DnsTest(SteerdTest):
    """One steerd for all tests of a class, which only ask. zones: master files by origin."""

    zones, document, options = {}, None, ()
    shared = None

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="steerd-test-")
        cls.addClassCleanup(shutil.rmtree, cls.home, True)
        cls.shared = Steerd(BIN, cls.home, (COUNTRY,), options=cls.options).start()
        cls.addClassCleanup(cls.stop_shared)
        for origin, text in cls.zones.items():
            cls.load("zone", "import", origin, text=text)
        if cls.document:
            cls.load("apply", "--yes", text=cls.document)

    @classmethod
    def load(cls, *arguments, text):
        path = os.path.join(cls.home, "load.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        cls.shared.ctl(*arguments, path)

    @classmethod
    def stop_shared(cls):
        status = cls.shared.stop()
        log = cls.shared.log()
        if status != 0 or any(word in log for word in ("Sanitizer", "runtime error", "assertion")):
            raise AssertionError(f"steerd ended with status {status}:\n{log}")

    def setUp(self):
        self.folder, self.steerd = self.home, self.shared

    # ---- transports

    def udp(self, octets, host="127.0.0.1", source=None, seconds=5):
        """The octets of the reply, or None."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(seconds)
            if source:
                sock.bind((source, 0))
            sock.connect((host, self.steerd.dns_port))
            sock.send(octets)
            with contextlib.suppress(TimeoutError):
                return sock.recv(65535)
            return None

    def tcp(self, octets, host="127.0.0.1"):
        """The octets of the reply, or None when the connection ends without one."""
        with socket.create_connection((host, self.steerd.dns_port), 10) as sock:
            sock.sendall(framed(octets))
            with contextlib.suppress(EOFError, ConnectionError):
                return read_exactly(sock, int.from_bytes(read_exactly(sock, 2), "big"))
            return None

    def dropped(self, octets):
        """Whether a datagram is met with silence: a good question sent after it is answered first."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            sock.send(octets)
            sock.send(message(question("after.invalid"), ident=0xbeef))
            return sock.recv(65535)[:2] == b"\xbe\xef"

    # ---- asking

    def build(self, name, kind="A", klass="IN", flags=0, edns=None, size=None, ecs=None, nsid=False, do=False,
              version=0, options=b"", z=0):
        """A question; an OPT record goes with it when anything needs one."""
        if nsid:
            options += option(NSID)
        if ecs:
            options += subnet(ecs)
        edns = edns or size is not None or bool(options) or do or version or z
        extra = opt(OWN_LIMIT if size is None else size, options, do, version, z=z) if edns else b""
        return message(question(name, kind, klass), extra, flags=flags)

    def reply(self, octets, transport="udp", **options):
        got = getattr(self, transport)(octets, **options)
        self.assertIsNotNone(got, f"no reply over {transport} to {octets.hex()}")
        reply = Message(got)
        wrong = always(octets, reply, udp_limit(octets) if transport == "udp" else 65535)
        self.assertIsNone(wrong, f"over {transport}, to {octets.hex()}:\n  {reply}")
        return reply

    def ask_message(self, name, kind="A", transport="udp", **options):
        return self.reply(self.build(name, kind, **options), transport)

    def judge(self, octets, expectation, transports=("udp", "tcp")):
        """Over both transports, since the answer must not depend on it where it fits."""
        if isinstance(expectation, str):
            expectation = Expectation(expectation)
        for transport in transports:
            reply = self.reply(octets, transport)
            fault = expectation.fault(reply)
            if fault:
                self.fail(f"over {transport}: {fault}\ngot:\n  {reply}")

    def expect(self, name, kind, wanted, transports=("udp", "tcp"), **options):
        """wanted: lines of an expectation, or `=> SHORT`."""
        if wanted.startswith("=>"):
            wanted = Expectation.short(wanted[2:].strip(), name, kind)
        self.judge(self.build(name, kind, **options), wanted, transports)


