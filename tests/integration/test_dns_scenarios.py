# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of the DNS itself (tests/scenarios/*.scn), once more: this time the documents and zone files go
through steerctl, and the questions over UDP and TCP. What only the runner of the scenarios can set (the draw, the
rotation, a client's address, the clock that serials come from) is left to it."""
import os
import re
import unittest

from dnsmessage import wire_name
from dnstest import DnsTest, Expectation, bare, words_of
from support import ROOT

FOLDER = os.path.join(ROOT, "tests", "scenarios")
SWITCHES = {"edns", "do", "nsid"}
FLAG_WORDS = {"rd": 0x100, "cd": 0x10}
NUMBERS = {"size", "version"}
UNSEEN = {"u", "turn", "client"}


def without_comment(line):
    return re.sub(r'(^|\s)#(?=(?:[^"]*"[^"]*")*[^"]*$).*', "", line).rstrip()


class Script:
    """(line number, directive, block or None, details) for each directive of a file."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().splitlines()

    def __iter__(self):
        at = 0
        while at < len(self.lines):
            line, number, block = without_comment(self.lines[at]), at + 1, None
            at += 1
            if not line:
                continue
            if "<<" in line:
                end = self.lines.index(line.split("<<")[1].strip(), at)
                block, at = "\n".join(self.lines[at:end]) + "\n", end + 1
            details = []
            while at < len(self.lines) and (not (text := without_comment(self.lines[at])) or text[0].isspace()):
                details.append(text)
                at += 1
            yield number, line, block, "\n".join(details)


class Scenarios(DnsTest):
    """One steerd for all: a scenario takes its zones away again."""

    options = ("--nsid", "scene-1", "--version-text", "steerd")

    def run_script(self, name, at_least, about_size=False):
        self.asked, self.about_size, origins = 0, about_size, set()
        for number, line, block, details in Script(os.path.join(FOLDER, name + ".scn")):
            with self.subTest(at=f"{name}.scn:{number}"):
                words = words_of(line)
                if words[0] in ("zonefile", "document"):
                    origin = words[1] if words[0] == "zonefile" else re.search(r"^zone: (\S+)", block, re.M)[1]
                    origins.add(origin)
                    how = ("zone", "import", origin) if words[0] == "zonefile" else ("apply", "--yes")
                    self.load(*how, text=block)
                elif words[0] == "delete-zone":
                    origins.discard(words[1])
                    self.steerd.ctl("zone", "delete", words[1], "--yes")
                elif words[0] in ("query", "raw"):
                    getattr(self, words[0])(line, words[1:], details)
                else:
                    self.assertIn(words[0], ("geo", "borders"), "a directive that is not for the wire")
        for origin in origins:
            self.steerd.ctl("zone", "delete", origin, "--yes")
        self.assertGreaterEqual(self.asked, at_least)

    def query(self, line, words, details):
        name, kind, *rest = words
        short = line.split("=>", 1)[1].strip() if "=>" in rest else None
        rest = rest[:rest.index("=>")] if short else rest
        options, transports, flags = {}, ("udp", "tcp"), 0
        while rest:
            word = rest.pop(0)
            if word in UNSEEN:
                return
            if word in SWITCHES:
                options[word] = True
            elif word in FLAG_WORDS:
                flags |= FLAG_WORDS[word]
            elif word == "tcp":
                transports = ("tcp",)
            else:
                value = rest.pop(0)
                options["klass" if word == "class" else word] = int(value) if word in NUMBERS else value
        if "size" in options or self.about_size:
            transports = transports[:1]
        details = re.sub(r"(SOA \S+ \S+) 18\d{8} .*", "SOA *", details)  # a serial of the runner's clock
        wanted = Expectation.short(short, bare(name), kind) if short else Expectation(details)
        self.judge(self.build(bare(name), kind, flags=flags, **options), wanted, transports)
        self.asked += 1

    def raw(self, line, words, details):
        transports = ("tcp",) if words[0] == "tcp" else ("udp", "tcp")
        octets = b"".join(wire_name(word[5:]) if word.startswith("name:") else bytes.fromhex(word)
                          for word in words if word != "tcp")
        self.asked += 1
        if details.strip() == "dropped":
            self.assertTrue(self.dropped(octets))
        else:
            self.judge(octets, Expectation(details), transports)

    def test_names_are_looked_up(self):
        self.run_script("dns_lookup", 45)

    def test_chains_are_followed(self):
        self.run_script("dns_chains", 20)

    def test_delegations_are_given(self):
        self.run_script("dns_delegations", 15)

    def test_odd_messages_are_met(self):
        self.run_script("dns_messages", 25)

    def test_large_answers_are_cut(self):
        self.run_script("dns_truncation", 10, about_size=True)

    def test_client_subnets_have_scopes(self):
        self.run_script("ecs_scopes", 20)

    def test_steered_names_at_the_apex_and_under_wildcards(self):
        self.run_script("apex_wildcard", 20)


if __name__ == "__main__":
    unittest.main()
