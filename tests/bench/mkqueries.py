#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zones and query files for the benchmarks.

usage: mkqueries.py zone ORIGIN NAMES OUT.zone       a zone of NAMES A records
       mkqueries.py static ORIGIN NAMES MISSING COUNT OUT
                     COUNT random questions for such a zone, MISSING % of them for names that it has not
       mkqueries.py steered NAMES PATTERN COUNT OUT
                     COUNT questions, each with a random ECS /24, for names made from PATTERN, like r{}.geo.test, and a
                     random number below NAMES

A query file holds messages as TCP has them: two octets of length, then the message. Every query has
EDNS with a buffer of 1,232 octets, as resolvers send today.
"""
import random
import struct
import sys

TYPE_A, TYPE_OPT, CLASS_IN, OPTION_ECS = 1, 41, 1, 8
# First octets without public unicast addresses, and two-octet prefixes of the kind (RFC 6890).
RESERVED_8 = {0, 10, 127} | set(range(224, 256))
RESERVED_16 = {(169, 254), (192, 168)} | {(172, b) for b in range(16, 32)} | {(100, b) for b in range(64, 128)}


def host(number):
    """A label for a number: 4 to 11 characters, in no order."""
    mixed = number * 0x9E3779B97F4A7C15 & (1 << 64) - 1
    return f"{mixed >> 36:07x}"[: number % 8] + f"h{number:x}".rjust(4, "x")


def wire_name(name):
    labels = name.rstrip(".").split(".")
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def query(name, option=b""):
    header = struct.pack(">6H", 0, 0, 1, 0, 0, 1)
    question = wire_name(name) + struct.pack(">2H", TYPE_A, CLASS_IN)
    opt = b"\0" + struct.pack(">HHIH", TYPE_OPT, 1232, 0, len(option)) + option
    message = header + question + opt
    return struct.pack(">H", len(message)) + message


def public_network(rng):
    while True:
        octets = rng.randbytes(3)
        if octets[0] not in RESERVED_8 and (octets[0], octets[1]) not in RESERVED_16:
            return octets


def subnet_option(network):
    return struct.pack(">HHHBB", OPTION_ECS, 4 + len(network), 1, 24, 0) + network


def write_zone(path, origin, names):
    with open(path, "w", encoding="ascii") as out:
        out.write(f"$ORIGIN {origin}.\n$TTL 300\n"
                  "@ SOA ns1 hostmaster 1 3600 900 1209600 300\n@ NS ns1\n@ NS ns2\n"
                  "ns1 A 192.0.2.1\nns2 A 192.0.2.2\n")
        for n in range(names):
            out.write(f"{host(n)} A 10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}\n")


def write_static(path, origin, names, missing, count, rng):
    with open(path, "wb") as out:
        for _ in range(count):
            prefix = "zz" if rng.randrange(100) < missing else ""
            out.write(query(f"{prefix}{host(rng.randrange(names))}.{origin}"))


def write_steered(path, names, pattern, count, rng):
    with open(path, "wb") as out:
        for _ in range(count):
            out.write(query(pattern.format(rng.randrange(names)), subnet_option(public_network(rng))))


def main(args):
    rng = random.Random(20240517)
    if len(args) == 4 and args[0] == "zone":
        write_zone(args[3], args[1], int(args[2]))
    elif len(args) == 6 and args[0] == "static":
        write_static(args[5], args[1], int(args[2]), int(args[3]), int(args[4]), rng)
    elif len(args) == 5 and args[0] == "steered":
        write_steered(args[4], int(args[1]), args[2], int(args[3]), rng)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
