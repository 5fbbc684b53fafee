# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes, ports, questions, data files, and one run of the load."""
import glob
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(BENCH))
NAMES, QUERIES = 100_000, 200_000


class Stop(Exception):
    """Ends the run with a message."""


def note(text):
    print(text, file=sys.stderr, flush=True)


def run(command, what, timeout=900):
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          check=False)
    if done.returncode:
        raise Stop(f"{what} failed ({done.returncode}): {' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def tail(path):
    with open(path, errors="replace", encoding="utf-8") as file:
        return "".join(file.readlines()[-15:])


class Children:
    """The processes started here; no other is ever ended."""

    def __init__(self):
        self.started = []

    def start(self, command, core, log=None):
        """With log: both outputs go there; without: standard output is a pipe."""
        out = open(log, "ab") if log else subprocess.PIPE
        child = subprocess.Popen(["taskset", "-c", str(core)] + command, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=out if log else None, start_new_session=True, text=not log)
        if log:
            out.close()
        self.started.append(child)
        return child

    def end(self, child):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child in self.started:
            self.started.remove(child)

    def end_all(self):
        for child in list(self.started):
            self.end(child)


# ---- what a process costs -------------------------------------------------------------------------------


def family(pid):
    """A process and its descendants."""
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        for path in glob.glob(f"/proc/{found[-1]}/task/*/children"):
            try:
                with open(path, encoding="ascii") as file:
                    left += [int(word) for word in file.read().split()]
            except OSError:
                pass
    return found


def cpu_ns(pid, thread=""):
    """CPU time of all threads of a process and its descendants, or of those whose name begins with thread."""
    total = 0
    for one in family(pid):
        for folder in glob.glob(f"/proc/{one}/task/*"):
            try:
                with open(f"{folder}/comm", encoding="utf-8", errors="replace") as file:
                    counts = file.read().startswith(thread)
                with open(f"{folder}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0]) if counts else 0
            except OSError:
                pass
    return total


def rss_mib(pid):
    pages = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/statm", encoding="ascii") as file:
                pages += int(file.read().split()[1])
        except OSError:
            pass
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


# ---- ports and questions -------------------------------------------------------------------------------


def free_port():
    """Free for UDP and TCP, and below the ports that the kernel gives to clients."""
    for _ in range(1000):
        port = random.randrange(10240, 32768)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as sock:
                    sock.bind(("127.0.0.1", port))
            return port
        except OSError:
            pass
    raise Stop("no free port found")


def question(name, subnet=None):
    option = b"\0\x08\0\x07\0\x01\x18\0" + socket.inet_aton(subnet)[:3] if subnet else b""
    wire = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return (random.randbytes(2) + b"\0\0\0\1\0\0\0\0\0\1" + wire + b"\0\0\1\0\1"
            + b"\0\0\x29\x04\xd0\0\0\0\0" + len(option).to_bytes(2, "big") + option)


def ask(port, message, timeout):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(timeout)
        udp.connect(("127.0.0.1", port))
        try:
            udp.send(message)
            return udp.recv(4096)
        except OSError:
            return None


def address_of(reply):
    """The address of a reply's first record, which must be A with its owner pointing at the question."""
    at = 12
    while reply and reply[at]:
        at += 1 + reply[at]
    good = reply and not reply[3] & 15 and reply[7] and reply[at + 5:at + 9] == b"\xc0\x0c\0\1"
    return socket.inet_ntoa(reply[at + 17:at + 21]) if good else None


def wait_until(what, child, log, ready, seconds=60, pause=0.005):
    """Seconds until ready() was true."""
    begin = time.monotonic()
    while not ready():
        if child.poll() is not None:
            raise Stop(f"{what} ended with status {child.returncode}:\n{tail(log)}")
        if time.monotonic() - begin > seconds:
            raise Stop(f"{what} was not ready in {seconds} s:\n{tail(log)}")
        time.sleep(pause)
    return time.monotonic() - begin


# ---- data ------------------------------------------------------------------------------------------------


class Data:
    """Zones and query files; those of an earlier run are used again."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, *arguments):
        path, maker = self.path(name), os.path.join(BENCH, "mkqueries.py")
        if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(maker):
            note(f"  making {name}")
            run([sys.executable, maker, *map(str, arguments), path + ".new"], f"making {name}")
            os.rename(path + ".new", path)
        return path

    def zone(self, names=NAMES):
        return self.make(f"zone-{names}", "zone", "bench.test", names)

    def static(self, names=NAMES, missing=0):
        return self.make(f"static-{names}-{missing}", "static", "bench.test", names, missing, QUERIES)

    def steered(self, label, pattern, names=1):
        return self.make(f"steered-{label}", "steered", names, pattern, QUERIES)

    def workload(self, name):
        if name == "W1":
            return self.static()
        if name == "W1nx":
            return self.static(missing=20)
        return self.steered(name, f"{name.lower()}.geo.test")

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


# ---- other work on the machine -----------------------------------------------------------------------


def busy_s():
    """Seconds that each core has been busy."""
    with open("/proc/stat", encoding="ascii") as file:
        rows = [line.split() for line in file if line.startswith("cpu") and line[3] != " "]
    ticks = os.sysconf("SC_CLK_TCK")
    return {int(row[0][3:]): (sum(map(int, row[1:9])) - int(row[4]) - int(row[5])) / ticks for row in rows}


def wait_for_quiet(cores, seconds):
    """Returns when the cores have been nearly idle for a moment, or after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy_s()
        time.sleep(0.2)
        after = busy_s()
        if all(after[core] - before[core] <= 0.03 for core in cores):
            return


# ---- one run of the load ---------------------------------------------------------------------------------


class Load:
    QUIET_S, NOISE = 5, 0.05

    def __init__(self, options):
        self.program = os.path.join(options.build, "bench", "dnsblast")
        self.core, self.server_core = options.load_core, options.server_core
        self.patience_s = 20 if options.quick else 90

    def command(self, server, queries, seconds, *extra):
        return ["taskset", "-c", str(self.core), self.program, "--to", f"127.0.0.1:{server.port}", "--queries", queries,
                "--seconds", str(seconds), *map(str, extra)] + (["--echo"] if server.name == "echo" else [])

    def blast(self, server, queries, seconds, *extra, thread=""):
        """What dnsblast reports, with cpu_us: CPU time of the server for each answer; and noise: the share of the two
        cores, whichever is more, that other work took."""
        for _ in range(5):  # a crowded machine may not let a server run for longer than a short run takes
            busy, before, begin = busy_s(), cpu_ns(server.pid, thread), time.monotonic()
            result = json.loads(run(self.command(server, queries, seconds, *extra), "dnsblast"))
            if result["received"]:
                break
        else:
            raise Stop(f"{server.name} answered nothing of {os.path.basename(queries)}")
        time.sleep(0.01)  # until the server's last slice is booked
        used = cpu_ns(server.pid, thread) - before
        result["cpu_us"] = used / 1e3 / (result["received"] + result["late"])
        own = {self.server_core: used / 1e9, self.core: result["generator_us"] * result["received"] / 1e6 + 0.01}
        after, took = busy_s(), time.monotonic() - begin
        result["noise"] = max((after[core] - busy[core] - own[core]) / took for core in own)
        return result

    def blast_undisturbed(self, *arguments, **more):
        """For latencies and losses, which other work on the two cores spoils: the quietest of up to four runs, as long
        as patience lasts."""
        tries = []
        for _ in range(4):
            begin = time.monotonic()
            wait_for_quiet((self.server_core, self.core), min(self.QUIET_S, self.patience_s))
            tries.append(self.blast(*arguments, **more))
            self.patience_s = max(0, self.patience_s - (time.monotonic() - begin))
            if tries[-1]["noise"] < self.NOISE or not self.patience_s:
                break
        return min(tries, key=lambda result: result["noise"])


def median(values):
    return statistics.median(values)


def spread(values, digits=2):
    if not values:
        return "-"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def ratios(results, others, key="cpu_us"):
    """Round by round: what was measured in the same round is compared."""
    return [a[key] / b[key] for a, b in zip(results, others)]
