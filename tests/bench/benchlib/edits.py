# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits under full load with readers that know the versions, and what edits and probes cost the workers."""
import json
import os
import time

from .base import Stop, median, note, ratios, rss_mib, spread
from .servers import Steerd

SAMPLE_S = 0.5


def editor(options, steerd, *more):
    return [os.path.join(options.build, "bench", "editor"), "--admin", f"127.0.0.1:{steerd.admin}", "--token",
            steerd.token_file, "--dns", f"127.0.0.1:{steerd.port}", *map(str, more)]


def edits_under_load(options, children, folder, data, load):
    steerd = Steerd(options, children, os.path.join(folder, "edits"), data)
    steerd.start()
    steerd.load()
    count = options.edits
    print(f"\n{count:,} edits under full load, readers beside them", flush=True)
    blast = children.start(load.command(steerd, data.workload("W1"), 100_000)[3:], options.load_core)
    work = children.start(editor(options, steerd, "--edits", count, "--documents", 1000, "--connections", 4,
                                 "--readers", 2), options.load_core)
    memory, begin, said = [], time.monotonic(), 0
    while work.poll() is None:
        time.sleep(SAMPLE_S)
        memory.append((time.monotonic() - begin, rss_mib(steerd.pid)))
        if memory[-1][0] - said > 10:
            said = memory[-1][0]
            note(f"  {said:.0f} s, RSS {memory[-1][1]:.1f} MiB")
    text = work.stdout.read()
    children.end(work)
    children.end(blast)
    if work.returncode not in (0, 1) or not text:
        raise Stop(f"the editor ended with status {work.returncode}")
    found = json.loads(text)
    found["rss_mib"] = memory
    steerd.stop()
    show_edits(found)
    return found


def show_edits(found):
    tenth = max(1, len(found["rss_mib"]) // 10)
    values = [mib for _, mib in found["rss_mib"]]
    print(f"  {found['edits']:,} in {found['seconds']:.0f} s ({found['edits_per_s']:.0f} a second), {found['refused']} refused; "
          f"{found['reads']:,} reads: {found['lost']} lost, {found['mixed']} mixed, {found['back']} back, "
          f"{found['stale']} stale, {found['wrong']} wrong")
    print(f"  RSS: {median(values[:tenth]):.1f} MiB in the first tenth, {median(values[-tenth:]):.1f} in the last, "
          f"{max(values):.1f} at most")
    for key, name in (("build_ms", "build"), ("commit_ms", "commit"), ("http_ms", "request"), ("wait_ms", "reader's wait")):
        p50, p99, most = found[key]
        print(f"  {name + ', ms:':20} p50 {p50:.2f}, p99 {p99:.2f}, most {most:.1f}", flush=True)


# ---- disturbance ------------------------------------------------------------------------------------------


def probing_document(port, every):
    kinds = [f"  busy-tcp: {{type: tcp, port: {port}, interval: {every}, fall: 10, initially: up}}",
             f"  busy-http: {{type: http, port: {port}, path: /, interval: {every}, fall: 10, initially: up}}"]
    endpoints = [f"  busy-{n}: {{ipv4: 127.1.{n >> 8}.{n & 255}, check: {'busy-http' if n % 2 else 'busy-tcp'}}}"
                 for n in range(1000)]
    members = ", ".join(f"busy-{n}: 1" for n in range(1000))
    return "\n".join(["zone: busy.test", "checks:"] + kinds + ["endpoints:"] + endpoints + [
        "pools:", f"  busy: {{endpoints: {{{members}}}}}", "records:", "  www: {ttl: 60, steer: {pool: busy}}"]) + "\n"


def probes_done(steerd):
    return sum(int(float(line.split()[-1])) for line in steerd.get("/metrics").splitlines()
               if line.startswith("steerd_probes_total") or line.startswith("steerd_probe_results_total"))


def disturbance(options, children, folder, data, load):
    """W2 with and without 100 edits and 1,000 probes a second, turn about. What counts is the CPU time of the UDP worker
    alone; the rest of steerd works on the same core."""
    steerd = Steerd(options, children, os.path.join(folder, "disturbance"), data)
    steerd.start()
    steerd.load()
    origin = children.start([os.path.join(options.build, "bench", "origin"), "0.0.0.0:0"], options.load_core)
    port = int(origin.stdout.readline().rsplit(":", 1)[1])
    rounds, seconds = max(4, options.rounds), max(1.0, options.seconds)
    results = {"quiet": [], "busy": []}
    for number in range(rounds):
        note(f"  disturbance: round {number + 1} of {rounds}")
        for mode in (("quiet", "busy") if number % 2 else ("busy", "quiet")):
            steerd.apply("busy.yaml", probing_document(port, "1s" if mode == "busy" else "1h"))
            time.sleep(1.5)  # until probes are spread over their interval, or those under way have ended
            work = None
            if mode == "busy":
                work = children.start(editor(options, steerd, "--rate", 100, "--edits", int(100 * (seconds + 1.5)) // 2 * 2,
                                             "--connections", 2, "--documents", 100, "--readers", 0), options.load_core)
                time.sleep(0.6)
            before = probes_done(steerd)
            result = load.blast(steerd, data.workload("W2"), seconds, thread="udp-")
            result["probes_per_s"] = (probes_done(steerd) - before) / result["seconds"]
            results[mode].append(result)
            if work:
                text = work.communicate(timeout=60)[0]
                children.end(work)
                result["edits_per_s"] = json.loads(text)["edits_per_s"]
    children.end(origin)
    steerd.stop()
    ratio = ratios(results["busy"], results["quiet"])
    print(f"\nW2 with {median([r['edits_per_s'] for r in results['busy']]):.0f} edits and "
          f"{median([r['probes_per_s'] for r in results['busy']]):.0f} probes a second, against none: "
          f"{spread(ratio)} x the worker's CPU a query", flush=True)
    return {"ratio": ratio, **results}
