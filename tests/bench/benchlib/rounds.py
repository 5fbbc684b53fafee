# SPDX-License-Identifier: GPL-3.0-or-later
"""steerd, the echo and the peers in interleaved rounds: cost, latency at a fixed rate, part load, bursts."""
import json
import os

from .base import Stop, median, note, ratios, run, spread
from .servers import KINDS

WORKLOADS = ("W1", "W1nx", "W2", "W3")
FIXED_QPS, BURST = 150_000, 20_000


def start_all(options, children, folder, data):
    servers = []
    for name in ("echo", "steerd") + tuple(options.peers):
        kind = KINDS[name]
        if name not in ("echo", "steerd") and not kind.installed():
            note(f"  {name} is not installed: left out (--peers installs it)")
            continue
        server = kind(options, children, folder, data)
        seconds = server.start()
        note(f"  {name} started in {seconds:.2f} s on port {server.port}")
        if name == "steerd":
            server.load()
        servers.append(server)
    if any(server.name == "knot" and "W2" not in server.workloads for server in servers):
        note("  knot-module-geoip is not installed: no W2 of knot")
    return servers


class Table:
    """Results by workload and server, one a round."""

    def __init__(self):
        self.results = {}

    def add(self, workload, server, result):
        self.results.setdefault(workload, {}).setdefault(server, []).append(result)


def rotate(items, turn):
    turn %= len(items)
    return items[turn:] + items[:turn]


def interleave(options, load, servers, data, table, workloads, rounds, what, extra=None):
    """Within a round all servers of one workload follow each other; who begins changes from round to round. With extra
    options the load is no full load, and the runs want quiet cores."""
    for number in range(rounds):
        note(f"  {what}: round {number + 1} of {rounds}")
        for workload in workloads:
            able = [server for server in servers if workload in server.workloads]
            for server in rotate(able, number):
                queries = data.workload(workload)
                result = (load.blast_undisturbed(server, queries, options.seconds, *extra(server, workload)) if extra
                          else load.blast(server, queries, options.seconds))
                table.add(workload, server.name, result)


def warm_up(load, servers, data):
    for server in servers:
        for workload in server.workloads:
            result = load.blast(server, data.workload(workload), 0.3)
            wanted = 0.7 if workload == "W1nx" else 0.97
            if server.name != "echo" and result["with_answer"] < wanted * result["received"]:
                raise Stop(f"{server.name} has no data for many questions of {workload}")


# ---- tables ---------------------------------------------------------------------------------------------


def print_costs(table, title, against=("echo", "gdnsd", "knot")):
    heads = "".join(f"{'x ' + name:>18}" for name in against)
    print(f"\n{title}\n{'':14}{'thousand qps':>20}{'CPU us a query':>19}{heads}{'p50/p99 us':>14}{'lost':>7}{'data':>6}")
    for workload, by_server in table.results.items():
        for server, results in by_server.items():
            line = f"{workload + ' ' + server:14}{spread([r['qps'] / 1e3 for r in results], 0):>20}"
            line += f"{spread([r['cpu_us'] for r in results]):>19}"
            for name in against:
                others = by_server.get(name)
                line += f"{spread(ratios(results, others)) if others and name != server else '-':>18}"
            received = sum(r["received"] for r in results)
            data = f"{100 * sum(r['with_answer'] for r in results) / received:.0f}%" if server != "echo" else ""
            line += f"{median([r['p50_us'] for r in results]):>8.0f}/{median([r['p99_us'] for r in results]):<5.0f}"
            print(line + f"{sum(r['lost'] for r in results):>7}{data:>6}", flush=True)


def print_rates(table):
    print(f"\nOpen loop at {FIXED_QPS:,} questions a second\n{'':14}{'p50 us':>16}{'p99 us':>20}{'p99.9 us':>22}"
          f"{'p99 x gdnsd':>20}{'lost':>7}   other work on a core")
    for workload, by_server in table.results.items():
        for server, results in by_server.items():
            others = by_server.get("gdnsd")
            against = spread(ratios(results, others, "p99_us")) if others and server != "gdnsd" else "-"
            print(f"{workload + ' ' + server:14}{spread([r['p50_us'] for r in results], 0):>16}"
                  f"{spread([r['p99_us'] for r in results], 0):>20}{spread([r['p999_us'] for r in results], 0):>22}"
                  f"{against:>20}{sum(r['lost'] for r in results):>7}   {max(0, 100 * median([r['noise'] for r in results])):.0f} %",
                  flush=True)


def print_bursts(table):
    print(f"\nBursts of {BURST:,} datagrams at once")
    for server, results in table.results.get("W1", {}).items():
        bursts, lost = sum(r["bursts"] for r in results), sum(r["lost"] for r in results)
        sent = sum(r["sent"] for r in results)
        print(f"{server:14}{bursts:>6} bursts, {lost} of {sent} lost ({100 * lost / sent:.3f} %)", flush=True)


def bench_answer(options):
    ms, rounds = (60, 5) if options.quick else (200, 9)
    command = ["taskset", "-c", str(options.server_core), os.path.join(options.build, "bench", "bench_answer"), "--geo",
               options.geo, "--ms", str(ms), "--rounds", str(rounds), "--json"]
    found = json.loads(run(command, "bench_answer"))
    print("\nThe answer path alone, in batches of 32: ns a query")
    for name, (low, middle, high) in found.items():
        print(f"{name:14}{middle:>8.0f} ({low:.0f}-{high:.0f})")
    return found


def compare(options, children, folder, data, load):
    servers = start_all(options, children, folder, data)
    results = {"answer_ns": bench_answer(options)}
    warm_up(load, servers, data)
    full = Table()
    workloads = ("W1", "W2", "W3") if options.quick else WORKLOADS
    interleave(options, load, servers, data, full, workloads, options.rounds, "full load")
    print_costs(full, "Full load: 192 questions under way")
    results["full"] = full.results

    rate = Table()
    few = [server for server in servers if server.name in ("steerd", "gdnsd", "knot")]
    interleave(options, load, few, data, rate, ("W1", "W2"), max(3, options.rounds // 2), "fixed rate",
               lambda server, workload: ("--rate", FIXED_QPS))
    print_rates(rate)
    results["rate"] = rate.results

    if not options.quick:
        part = Table()
        half = {(w, s): int(median([r["qps"] for r in rs]) / 2) for w, by in full.results.items() for s, rs in by.items()}
        few = [server for server in servers if server.name in ("echo", "steerd", "gdnsd", "knot")]
        interleave(options, load, few, data, part, ("W1", "W2", "W3"), max(3, options.rounds // 2), "part load",
                   lambda server, workload: ("--rate", half[workload, server.name]))
        print_costs(part, "Part load: each at half of what it does at full load")
        results["part"] = part.results

    burst = Table()
    few = [server for server in servers if server.name in ("echo", "steerd", "gdnsd", "knot")]
    interleave(options, load, few, data, burst, ("W1",), 3, "bursts", lambda server, workload: ("--burst", BURST))
    print_bursts(burst)
    results["burst"] = burst.results
    for server in servers:
        server.stop()
    return results
