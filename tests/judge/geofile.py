# SPDX-License-Identifier: GPL-3.0-or-later
"""MaxMind DB files, written: rows (family, address, length, fields) become the octets of an .mmdb. Of rows that
overlap the longest network counts."""
import struct

V4_BITS, V6_BITS = 32, 128
BITS = {4: V4_BITS, 6: V6_BITS}
METADATA = b"\xab\xcd\xefMaxMind.com"


class Uint(int):
    """An integer with its size in the file: 2, 4 or 8 octets at most."""

    def __new__(cls, value, octets):
        self = super().__new__(cls, value)
        self.octets = octets
        return self


def control(kind, size):
    head = b""
    if size >= 29:
        if size >= 285:
            raise ValueError("too long for this writer")
        head, size = bytes([size - 29]), 29
    if kind > 7:
        return bytes([size, kind - 7]) + head
    return bytes([kind << 5 | size]) + head


def encode(value):
    if isinstance(value, str):
        octets = value.encode()
        return control(2, len(octets)) + octets
    if isinstance(value, float):
        return control(3, 8) + struct.pack("!d", value)
    if isinstance(value, Uint):
        octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return control({2: 5, 4: 6, 8: 9}[value.octets], len(octets)) + octets
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
    return control(11, len(value)) + b"".join(map(encode, value))


def record_of(fields):
    """GeoIP2's form of continent, country, sub, point and asn."""
    record = {}
    if "continent" in fields:
        record["continent"] = {"code": fields["continent"]}
    if "country" in fields:
        record["country"] = {"iso_code": fields["country"]}
    if "sub" in fields:
        record["subdivisions"] = [{"iso_code": fields["sub"]}]
    if "point" in fields:
        record["location"] = {"latitude": fields["point"][0], "longitude": fields["point"][1]}
    if "asn" in fields:
        record["autonomous_system_number"] = Uint(fields["asn"], 4)
    return record


def put(root, address, length, value):
    """value is a leaf, or a node to graft (an alias)."""
    node = root
    for i in range(length):
        bit = address >> (V6_BITS - 1 - i) & 1
        if i == length - 1:
            node[bit] = value
        else:
            if not isinstance(node[bit], list):
                node[bit] = [node[bit], node[bit]]
            node = node[bit]


def find(root, address, length):
    node = root
    for i in range(length):
        bit = address >> (V6_BITS - 1 - i) & 1
        if not isinstance(node[bit], list):
            node[bit] = [node[bit], node[bit]]
        node = node[bit]
    return node


def tree_of(rows, aliased):
    """IPv4 stands in ::/96, as the format has it. A node is [child, child]; a leaf the record's octets or None."""
    root = [None, None]
    for family, address, length, fields in sorted(rows, key=lambda row: row[2] + (96 if row[0] == 4 else 0)):
        put(root, address, length + (96 if family == 4 else 0), encode(record_of(fields)))
    if aliased:
        v4 = find(root, 0, 96)
        for address, length in ((0xffff << 32, 96), (0x2001 << 112, 32), (0x2002 << 112, 16)):
            put(root, address, length, v4)
    return root


def mmdb(rows, aliased=False):
    root = tree_of(rows, aliased)
    numbers, order, waiting = {id(root): 0}, [], [root]
    while waiting:
        node = waiting.pop()
        order.append(node)
        for child in node:
            if isinstance(child, list) and id(child) not in numbers:
                numbers[id(child)] = 0
                waiting.append(child)
    for number, node in enumerate(order):
        numbers[id(node)] = number
    data, offsets = bytearray(), {}

    def pointer(child):
        if child is None:
            return len(order)
        if isinstance(child, list):
            return numbers[id(child)]
        if child not in offsets:
            offsets[child] = len(data)
            data.extend(child)
        return len(order) + 16 + offsets[child]

    tree = b"".join(pointer(child).to_bytes(4, "big") for node in order for child in node)
    meta = {"node_count": Uint(len(order), 4), "record_size": Uint(32, 2), "ip_version": Uint(6, 2),
            "database_type": "GeoIP2-City", "languages": ["en"], "binary_format_major_version": Uint(2, 2),
            "binary_format_minor_version": Uint(0, 2), "build_epoch": Uint(1767225600, 8),
            "description": {"en": "made up for the judge of steerd"}}
    return tree + bytes(16) + bytes(data) + METADATA + encode(meta)
