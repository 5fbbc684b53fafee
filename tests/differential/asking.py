# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions as octets, and the same octets to every server."""
import dataclasses
import select
import socket
import struct

from wire import TYPES, name_text, name_wire, parse_name, type_number, type_text

BATCH = 48          # questions on their way to one server
QUIET_SECONDS = 0.4  # so long after the last reply, what is missing is asked again
TRIES = 8           # before a question is taken as dropped; what some server will drop is asked thrice only
TRIES_ODD = 3


@dataclasses.dataclass(frozen=True)
class Question:
    name: tuple
    kind: int
    klass: int = 1
    flags: int = 0           # the header's second 16 bits
    size: int = 0            # EDNS: advertised; 0: no OPT
    do: bool = False
    version: int = 0
    options: tuple = ()      # (code, data)
    stream: bool = False     # over TCP
    raw: bytes = None        # the whole message but its id, whatever the rest says
    note: str = ""           # what it is meant to try

    @property
    def is_plain(self):
        """A proper question: no server leaves it without a reply."""
        return self.raw is None and self.klass == 1 and not self.flags & ~0x0130  # RD, AD, CD

    def octets(self, ident):
        if self.raw is not None:
            return struct.pack("!H", ident) + self.raw
        options = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in self.options)
        opt = b"" if not self.size else b"\0" + struct.pack("!HHBBHH", TYPES["OPT"], self.size, 0, self.version,
                                                          0x8000 if self.do else 0, len(options)) + options
        return (struct.pack("!6H", ident, self.flags, 1, 0, 0, 1 if self.size else 0) + name_wire(self.name) +
                struct.pack("!HH", self.kind, self.klass) + opt)

    def text(self):
        if self.raw is not None:
            return f"raw {self.raw.hex()}" + (f"  # {self.note}" if self.note else "")
        words = [name_text(self.name), type_text(self.kind)]
        words += [f"CLASS{self.klass}"] if self.klass != 1 else []
        words += [f"flags={self.flags:04x}"] if self.flags else []
        words += [f"edns={self.size}"] if self.size else []
        words += ["do"] if self.do else []
        words += [f"version={self.version}"] if self.version else []
        words += [f"option={code}:{data.hex()}" for code, data in self.options]
        words += ["tcp"] if self.stream else []
        return " ".join(words)


def parse_question(text):
    """The inverse of Question.text."""
    words = text.split("#")[0].split() if text.startswith("raw") else text.split()
    if words[0] == "raw":
        return Question((), 0, raw=bytes.fromhex(words[1]))
    fields = {"name": parse_name(words[0]), "kind": type_number(words[1].upper()) if len(words) > 1 else 1}
    for word in words[2:]:
        key, _, value = word.partition("=")
        if key == "tcp":
            fields["stream"] = True
        elif key == "do":
            fields.update(do=True, size=fields.get("size") or 1232)
        elif key == "flags":
            fields["flags"] = int(value, 16)
        elif key == "edns":
            fields["size"] = int(value)
        elif key == "version":
            fields.update(version=int(value), size=fields.get("size") or 1232)
        elif key == "option":
            code, _, data = value.partition(":")
            fields["options"] = fields.get("options", ()) + ((int(code), bytes.fromhex(data)),)
        elif key.startswith("CLASS"):
            fields["klass"] = int(key[5:])
        else:
            raise ValueError(f"'{word}' is not known in a question")
    return Question(**fields)


class Line:
    """One server's UDP socket, and the questions of a batch that it has not answered."""

    def __init__(self, server):
        self.server = server
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", server.port))
        self.sock.setblocking(False)
        self.waiting, self.replies = {}, {}

    def send(self):
        for octets in self.waiting.values():
            self.sock.send(octets)

    def take(self):
        while True:
            try:
                reply = self.sock.recv(65535)
            except BlockingIOError:
                return
            ident = int.from_bytes(reply[:2], "big")
            if self.waiting.pop(ident, None) is not None:
                self.replies[ident] = reply


class Asker:
    """Puts questions to all servers at once."""

    def __init__(self, servers):
        self.lines = [Line(server) for server in servers]
        self.next_ident = 1

    def close(self):
        for line in self.lines:
            line.sock.close()

    def ask(self, asked):
        """asked: (question, tag). Yields (question, tag, {server's name: octets or None})."""
        stream = [item for item in asked if item[0].stream]
        plain = [item for item in asked if not item[0].stream and item[0].is_plain]
        odd = [item for item in asked if not item[0].stream and not item[0].is_plain]
        for at in range(0, len(plain), BATCH):
            yield from self.ask_batch(plain[at:at + BATCH], TRIES)
        for at in range(0, len(odd), BATCH):
            yield from self.ask_batch(odd[at:at + BATCH], TRIES_ODD)
        for at in range(0, len(stream), BATCH):
            yield from self.ask_streams(stream[at:at + BATCH])

    def numbered(self, batch):
        numbers = {}
        for item in batch:
            numbers[self.next_ident] = item
            self.next_ident = self.next_ident % 65000 + 1
        return numbers

    def ask_batch(self, batch, tries):
        numbers = self.numbered(batch)
        for line in self.lines:
            line.replies = {}
            line.waiting = {ident: question.octets(ident) for ident, (question, _) in numbers.items()}
        for _ in range(tries):
            for line in self.lines:
                line.send()
            while any(line.waiting for line in self.lines):
                ready, _, _ = select.select([line.sock for line in self.lines if line.waiting], [], [], QUIET_SECONDS)
                if not ready:
                    break
                for line in self.lines:
                    if line.sock in ready:
                        line.take()
        for ident, (question, tag) in numbers.items():
            yield question, tag, {line.server.name: line.replies.get(ident) for line in self.lines}

    def ask_streams(self, batch):
        numbers = self.numbered(batch)
        replies = {line.server.name: stream_replies(line.server.port, numbers) for line in self.lines}
        for ident, (question, tag) in numbers.items():
            yield question, tag, {name: found.get(ident) for name, found in replies.items()}


def stream_replies(port, numbers):
    """Over one connection, one after the other; a new one where the server has closed it."""
    replies, sock = {}, None
    for ident, (question, _) in numbers.items():
        octets = question.octets(ident)
        try:
            sock = sock or socket.create_connection(("127.0.0.1", port), 5)
            sock.sendall(struct.pack("!H", len(octets)) + octets)
            replies[ident] = read_exactly(sock, int.from_bytes(read_exactly(sock, 2), "big"))
        except OSError:
            if sock:
                sock.close()
            sock = None
    if sock:
        sock.close()
    return replies


def read_exactly(sock, count):
    octets = b""
    while len(octets) < count:
        part = sock.recv(count - len(octets))
        if not part:
            raise OSError("the connection ended early")
        octets += part
    return octets
