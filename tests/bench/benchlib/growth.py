# SPDX-License-Identifier: GPL-3.0-or-later
"""How cost, memory, edit time and start time grow with names, steered records and zones; a verdict that touches
them all."""
import os
import shutil
import socket
import threading
import time

from .base import address_of, ask, median, note, question, ratios, spread
from .servers import Echo, Gdnsd, Steerd

NAMES = (1_000, 10_000, 100_000, 1_000_000)
POLICIES = (10, 100, 1_000, 10_000)
ZONES = (1, 10, 100, 1_000, 10_000)
LIST_OF_ZONES = 12_000
PLACES = ("EU", "AF", "NA", "SA", "AS", "OC")
COUNTRIES = ("EU-DE", "EU-FR", "EU-GB", "EU-IT", "EU-ES", "EU-PL", "EU-NL", "EU-SE", "NA-US", "NA-CA", "NA-MX", "SA-BR",
             "SA-AR", "AS-JP", "AS-IN", "AS-CN", "AS-KR", "OC-AU", "AF-ZA", "AF-EG")
EDITS, ROUNDS = 9, 4


def zone_text(number):
    return ("$TTL 300\n@ SOA ns1 hostmaster 1 3600 900 1209600 300\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\n"
            f"ns2 A 192.0.2.2\n@ A 192.0.2.3\nwww A 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\n")


def policies_text(count, own):
    """Steered records over 20 ways of cutting the world in three: a country, a continent, the rest. Each record gives a
    pool, and when that is down: with own, two others by weights of its own, so that no two records share a cell."""
    pools = ("grow-a", "grow-b", "grow-c")
    lines = ["zone: geo.test", "checks:", "  grow-check: {type: tcp, port: 9, interval: 1h, fall: 10, initially: up}",
             "endpoints:"]
    for number in range(1, 7):
        lines.append(f"  grow-{number}: {{ipv4: 192.0.2.{number}, check: grow-check}}")
    lines.append("pools:")
    for number, pool in enumerate(pools):
        lines.append(f"  {pool}: {{endpoints: {{grow-{2 * number + 1}: 10, grow-{2 * number + 2}: 20}}}}")
    lines.append("records:")
    for number in range(count):
        turn, order = number % 20, []
        for part in range(3):
            first, second, third = (pools[(part + turn + k) % 3] for k in range(3))
            then = (f"{{weighted: [{{weight: {number + 1}, to: {{pool: {second}}}}}, {{weight: 10000, to: {{pool: {third}}}}}]}}"
                    if own else f"{{pool: {second}}}")
            order.append(f"{{failover: [{{pool: {first}}}, {then}]}}")
        lines += [f"  r{number}:", "    ttl: 60", "    steer:", "      geo:", "        rules:",
                  f"          - {{match: [{COUNTRIES[turn]}], to: {order[0]}}}",
                  f"          - {{match: [{PLACES[turn % 6]}, {PLACES[(turn // 6 + turn + 1) % 6]}], to: {order[1]}}}", f"        default: {order[2]}"]
    return "\n".join(lines) + "\n"


def static_text(count):
    return "zone: doc.test\nrecords:\n" + "".join(
        f"  n{n}: {{ttl: 300, A: [10.{n >> 16}.{n >> 8 & 255}.{n & 255}]}}\n" for n in range(count))


class Point:
    """One size: a steerd of its own with an echo beside it."""

    def __init__(self, bench, kind, size, ready):
        self.bench, self.ready = bench, ready
        options, children, folder, data, self.load = bench
        self.folder = os.path.join(folder, f"{kind}-{size}")
        self.steerd = Steerd(options, children, self.folder, data)
        self.echo = Echo(options, children, self.folder, data)
        self.data = data
        self.steerd.start()
        self.found = {"kind": kind, "size": size}

    def timed(self, name, action):
        begin = time.monotonic()
        value = action()
        self.found[name] = time.monotonic() - begin
        return value

    def answered(self):
        while not address_of(ask(self.steerd.port, question(self.ready, "203.0.113.0"), 1)):
            time.sleep(0.001)

    def cost(self, queries):
        self.echo.start()
        pairs = {self.echo: [], self.steerd: []}
        for server in list(pairs) * (ROUNDS + 1):
            pairs[server].append(self.load.blast(server, queries, 0.4))
        self.echo.stop()
        mine, echoes = pairs[self.steerd][1:], pairs[self.echo][1:]
        self.found["ratio"] = ratios(mine, echoes)
        self.found["data_share"] = sum(r["with_answer"] for r in mine) / sum(r["received"] for r in mine)

    def edits(self, text):
        """text(n): the n-th version of a document."""
        replies, took = [], []
        for number in range(EDITS):
            begin = time.monotonic()
            replies.append(self.steerd.apply("edit.yaml", text(number)))
            took.append(1e3 * (time.monotonic() - begin))
        self.found["edit_build_ms"] = [r["build_ms"] for r in replies[1:]]
        self.found["edit_commit_ms"] = [r["commit_ms"] for r in replies[1:]]
        self.found["edit_http_ms"] = took[1:]
        self.found["rss_after_edits_mib"] = self.steerd.rss()

    def restart(self):
        self.steerd.stop()
        self.steerd.ready = self.ready
        self.steerd.answers = lambda: address_of(ask(self.steerd.port, question(self.ready, "203.0.113.0"), 0.05))
        self.found["start_s"] = self.steerd.start()
        time.sleep(0.3)
        self.found["rss_mib"] = self.steerd.rss()
        metrics = dict(line.rsplit(" ", 1) for line in self.steerd.get("/metrics").splitlines() if line[:1] != "#")
        for name in ("classmaps", "cells", "table_bytes"):
            self.found[name] = float(metrics["steerd_" + name])
        self.found["store_mib"] = sum(os.path.getsize(os.path.join(self.steerd.state, f))
                                      for f in os.listdir(self.steerd.state)) / (1 << 20)

    def end(self):
        self.steerd.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.found


def of_names(bench, size):
    data = bench[3]
    point = Point(bench, "names", size, "ns1.bench.test")
    zone, queries = data.zone(size), data.static(size)
    point.timed("import_s", lambda: (point.steerd.ctl("zone", "import", "bench.test", zone), point.answered()))
    point.found["rss_after_import_mib"] = point.steerd.rss()
    point.edits(lambda n: f"zone: bench.test\nrecords:\n  edited: {{ttl: 60, A: [192.0.2.{n + 1}]}}\n")
    point.restart()
    point.cost(queries)
    return point.end()


def of_policies(bench, size, own):
    data = bench[3]
    point = Point(bench, "policies" if own else "shared policies", size, "r0.geo.test")
    point.timed("import_s", lambda: (point.steerd.apply("grow.yaml", policies_text(size, own)), point.answered()))
    point.edits(lambda n: "zone: geo.test\nrecords:\n  edited: {ttl: 60, steer: {weighted: [{weight: "
                          f"{n + 1}, to: {{pool: grow-a}}}}, {{weight: 7, to: {{pool: grow-b}}}}]}}}}\n")
    point.restart()
    point.found["verdict"] = verdict(point, size)
    point.cost(data.steered(f"r{size}", "r{}.geo.test", size))
    return point.end()


def of_zones(bench, size):
    data = bench[3]
    point = Point(bench, "zones", size, "www.z0.test")
    names = write_zones(data, size)
    point.timed("import_s", lambda: (point.steerd.ctl("zone", "import", "--list", names), point.answered()))
    point.edits(lambda n: f"zone: z{size // 2}.test\nrecords:\n  edited: {{ttl: 60, A: [192.0.2.{n + 1}]}}\n")
    point.restart()
    point.cost(data.make(f"zones-{size}", "steered", size, "www.z{}.test", 200_000))
    return point.end()


def write_zones(data, count):
    folder = data.path(f"zones-of-{count}")
    if not os.path.exists(folder):
        os.makedirs(folder + ".new", exist_ok=True)
        for number in range(count):
            with open(os.path.join(folder + ".new", f"z{number}"), "w", encoding="ascii") as file:
                file.write(zone_text(number))
        os.rename(folder + ".new", folder)
    return data.write(f"zones-of-{count}.list", "".join(f"z{n}.test {folder}/z{n}\n" for n in range(count)))


# ---- a verdict that touches every record -------------------------------------------------------------


def verdict(point, size):
    """ms from the request that takes a pool's endpoints down until a record answers otherwise, for the first and the
    last of a sample of records; questions of clients for whom the pool comes first."""
    sample = list(range(0, size, max(1, size // 60)))
    down = {"192.0.2.1", "192.0.2.2"}
    found = {"first_ms": [], "all_ms": [], "http_ms": []}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", point.steerd.port))
        udp.settimeout(1)
        subnets = ("81.0.0.0", "41.0.0.0", "8.8.8.0", "200.0.0.0", "58.0.0.0", "1.128.0.0")
        pairs = [(n, subnet) for n in sample for subnet in subnets]

        def gives(pair):
            udp.send(question(f"r{pair[0]}.geo.test", pair[1]))
            return address_of(udp.recv(4096))

        watched = [pair for pair in pairs if gives(pair) in down][:60]
        for _ in range(5 if watched else 0):
            done = threading.Event()
            took = {}

            def put():
                took["begin"] = time.monotonic()
                point.steerd.request("PUT", "/api/v1/overrides/pool/grow-a", {"state": "down", "reason": "bench"})
                took["http"] = time.monotonic()
                done.set()

            threading.Thread(target=put).start()
            left, first = set(watched), None
            while left and time.monotonic() - took.get("begin", time.monotonic()) < 30:
                for pair in list(left):
                    if gives(pair) not in down:
                        left.discard(pair)
                        last = time.monotonic()
                        first = first or last
            done.wait(30)
            if first and not left:
                found["first_ms"].append(1e3 * (first - took["begin"]))
                found["all_ms"].append(1e3 * (last - took["begin"]))
                found["http_ms"].append(1e3 * (took["http"] - took["begin"]))
            point.steerd.request("DELETE", "/api/v1/overrides/pool/grow-a")
            time.sleep(0.1)
    found["watched"] = len(watched)
    return found


# ---- figures of their own --------------------------------------------------------------------------------


def large_document(bench):
    point = Point(bench, "document", 10_000, "n0.doc.test")
    point.timed("apply_s", lambda: (point.steerd.apply("doc.yaml", static_text(10_000)), point.answered()))
    return point.end()


def list_of_zones(bench):
    point = Point(bench, "zone list", LIST_OF_ZONES, "www.z0.test")
    names = write_zones(bench[3], LIST_OF_ZONES)
    point.timed("import_s", lambda: (point.steerd.ctl("zone", "import", "--list", names), point.answered()))
    return point.end()


def gdnsd_with_a_million(bench):
    options, children, folder, data, _ = bench
    server = Gdnsd(options, children, os.path.join(folder, "large"), data)
    server.zone = data.zone(NAMES[-1])
    seconds = server.start()
    time.sleep(0.3)
    found = {"kind": "gdnsd", "size": NAMES[-1], "start_s": seconds, "rss_mib": server.rss()}
    server.stop()
    return found


def show(found):
    line = f"{found['kind']:>16} {found['size']:>9,}"
    if "ratio" in found:
        line += f"  cost {spread(found['ratio'])} x echo"
    if "edit_build_ms" in found:
        line += (f"  edit {median(found['edit_build_ms']):.2f} ms + commit {median(found['edit_commit_ms']):.2f} ms"
                 f" ({median(found['edit_http_ms']):.1f} over HTTP)")
    for key, name in (("import_s", "import"), ("apply_s", "apply"), ("start_s", "start")):
        if key in found:
            line += f"  {name} {found[key]:.2f} s"
    if "rss_mib" in found:
        line += f"  RSS {found['rss_mib']:.0f} MiB"
    if found.get("classmaps"):
        line += f"  {found['classmaps']:.0f} class tables, {found['cells']:,.0f} cells, {found['table_bytes'] / (1 << 20):.1f} MiB of tables"
    if "rss_after_import_mib" in found:
        line += f" ({found['rss_after_import_mib']:.0f} after the import, {found['rss_after_edits_mib']:.0f} after edits)"
    if found.get("verdict", {}).get("first_ms"):
        v = found["verdict"]
        line += (f"  verdict: first answer {spread(v['first_ms'], 1)} ms, last of {v['watched']} "
                 f"{spread(v['all_ms'], 1)} ms, request {spread(v['http_ms'], 1)} ms")
    print(line, flush=True)


def grow(options, children, folder, data, load):
    bench = (options, children, folder, data, load)
    jobs = [(of_names, n) for n in NAMES] + [(of_policies, n, True) for n in POLICIES]
    jobs += [(of_policies, POLICIES[-1], False)] + [(of_zones, n) for n in ZONES]
    jobs += [(large_document,), (list_of_zones,)] + ([(gdnsd_with_a_million,)] if Gdnsd.installed() else [])
    print("\nGrowth")
    results = []
    for job in jobs:
        note(f"  growth: {job[0].__name__.replace('_', ' ')} {job[1] if len(job) > 1 else ''}")
        results.append(job[0](bench, *job[1:]))
        show(results[-1])
    return results
