# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration behind scripts/quickstart: origins and steerd on loopback with the documents of policies/."""
import argparse
import collections
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from running import ORIGINS, ROOT, Failure, Steerd, free_port, try_bind, wait_until

ORIGINS_PROGRAM = os.path.join(ROOT, "scripts", "demo-origins")
NAMES = {address: name for name, address in ORIGINS.items()}
# Networks of large providers; what the country data says of them is looked up before they are shown.
CANDIDATES = {
    "DE": ["5.9.0.0", "88.198.0.0", "91.65.0.0", "217.0.0.0", "78.46.0.0", "84.128.0.0"],
    "US": ["8.8.8.0", "12.1.1.0", "4.4.4.0", "24.0.0.0", "73.0.0.0", "98.137.11.0"],
    "SG": ["165.21.0.0", "202.156.0.0", "203.116.0.0", "175.41.128.0", "103.6.148.0"],
}
COUNTRIES = {"DE": "Germany", "US": "the USA", "SG": "Singapore"}


class Demo:
    def __init__(self, args, folder, dns_port, admin_port, origin_port):
        self.folder = folder
        self.origin_port = origin_port
        self.geo = args.geo
        self.steerd = Steerd(args.bin, folder, [args.geo], dns_port, admin_port)
        self.clients = {}

    def origins(self, command, *names):
        done = subprocess.run([sys.executable, "-B", ORIGINS_PROGRAM, "--run", self.folder, "--port",
                               str(self.origin_port), "--owner", str(os.getpid()), command, *names],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())
        return done.stdout

    def documents(self):
        """The documents of policies/, as copies when the origins listen on another port than they say."""
        paths = sorted(glob.glob(os.path.join(ROOT, "policies", "*.yaml")))
        if self.origin_port == 8081:
            return paths
        copies = os.path.join(self.folder, "policies")
        os.makedirs(copies, exist_ok=True)
        for path in paths:
            with open(path, encoding="utf-8") as file:
                text = re.sub(r"\bport: 8081\b", f"port: {self.origin_port}", file.read())
            with open(os.path.join(copies, os.path.basename(path)), "w", encoding="utf-8") as file:
                file.write(text)
        return sorted(glob.glob(os.path.join(copies, "*.yaml")))

    def find_clients(self):
        for country, candidates in CANDIDATES.items():
            for network in candidates:
                looked_up = subprocess.run(["mmdblookup", "--file", self.geo, "--ip", network, "country", "iso_code"],
                                           capture_output=True, text=True, check=False)
                if f'"{country}"' in looked_up.stdout:
                    self.clients[country] = network + "/24"
                    break
            else:
                raise Failure(f"{self.geo} places none of {', '.join(candidates)} in {country}; "
                              "make it anew with scripts/make-geodata --force")

    def start(self):
        self.find_clients()
        self.origins("start")
        self.steerd.start()
        self.steerd.ctl("apply", "--yes", *self.documents())
        wait_until(lambda: "unknown" not in self.steerd.states().values(), 30, "every endpoint has a verdict")

    def stop(self):
        """Ends what was started; returns steerd's exit status."""
        try:
            return self.steerd.stop() if self.steerd.process else 0
        finally:
            self.origins("stop")

    def dig(self, name, *options):
        """(names of the origins answered, scope prefix or None)"""
        done = subprocess.run(["dig", "@127.0.0.1", "-p", str(self.steerd.dns_port), "+norecurse", "+time=2",
                               "+tries=1", name, "A", *options], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"dig {name}: {done.stdout.strip()} {done.stderr.strip()}")
        addresses = re.findall(r"^\S+\s+\d+\s+IN\s+A\s+(\S+)$", done.stdout, re.M)
        scope = re.search(r"CLIENT-SUBNET: \S+/\d+/(\d+)", done.stdout)
        return [NAMES.get(a, a) for a in addresses], int(scope[1]) if scope else None

    def from_country(self, country):
        return self.dig("api.example.com", "+subnet=" + self.clients[country])[0]


# ---- for people ----------------------------------------------------------------------------------

def tour(demo):
    here = os.path.relpath(demo.steerd.bin_dir)
    data = os.path.relpath(demo.steerd.data)
    ask = f"dig @127.0.0.1 -p {demo.steerd.dns_port} +noall +answer"
    url = f" STEERCTL_URL={demo.steerd.url}" if demo.steerd.admin_port != 8053 else ""
    run = "" if demo.folder == os.path.join(ROOT, "build", "quickstart") else f" --run {demo.folder}"
    lines = ["", "steerd answers on 127.0.0.1:%d and is operated on %s." % (demo.steerd.dns_port, demo.steerd.url),
             "Its log is %s. ^C stops everything." % os.path.relpath(demo.steerd.log_path), "",
             "In another terminal, in this folder:", "",
             f"  export STEERCTL_TOKEN=$(cat {data}/admin.token) PATH=$PWD/{here}:$PATH{url}", "",
             "1. One name, another answer for each continent (policies/front-door.yaml)"]
    for country, network in demo.clients.items():
        answer = demo.from_country(country)[0]
        lines.append(f"  {ask} api.example.com +subnet={network:<15} # {COUNTRIES[country]}: {ORIGINS[answer]}, {answer}")
    german = demo.clients["DE"]
    lines += ["", "2. Why?", f"  steerctl explain api.example.com A --client {german}", "  steerctl status", "",
              "3. Break the European origin, and German clients move to America within three seconds; heal it",
              f"  scripts/demo-origins{run} stop fra-1    # or 'break': it answers 503",
              f"  {ask} api.example.com +subnet={german}",
              f"  scripts/demo-origins{run} start fra-1   # or 'heal'", "",
              "4. Take it out of service by hand, for ten minutes or until you say so",
              '  steerctl override set site fra drained --reason "new switch" --for 10m',
              "  steerctl override list; steerctl override clear site fra", "",
              "5. A tenth of the traffic to a new version (policies/canary.yaml), and a standby at a zone's apex",
              f"  for i in $(seq 20); do {ask} app.canary.example; done",
              f"  {ask} dr.example; scripts/demo-origins{run} stop primary; sleep 3; {ask} dr.example", "",
              "6. Change a document and apply it",
              "  steerctl plan policies/canary.yaml", "  steerctl apply policies/canary.yaml", ""]
    print("\n".join(lines), flush=True)


def watch(demo):
    """Until somebody ends it: says which endpoints change."""
    known = demo.steerd.states()
    print("What changes:  " + ", ".join(f"{name} {state}" for name, state in known.items()), flush=True)
    while True:
        time.sleep(0.5)
        if not demo.steerd.running():
            raise Failure(f"steerd ended; see {demo.steerd.log_path}")
        for endpoint in demo.steerd.status()["endpoints"]:
            name, state = endpoint["name"], endpoint["state"]
            if known.get(name) != state:
                reasons = [check["reason"] for check in endpoint["checks"] if check["verdict"] == "down"]
                forced = endpoint["override"]
                why = ("override: " + forced["reason"]) if forced else "; ".join(filter(None, reasons))
                print(f"{time.strftime('%H:%M:%S')}  {name} is {state}{': ' if why else ''}{why}", flush=True)
                known[name] = state


def demand_free(demo):
    taken = [("--dns-port", "127.0.0.1", demo.steerd.dns_port), ("--admin-port", "127.0.0.1", demo.steerd.admin_port)]
    taken += [("--origin-port", address, demo.origin_port) for address in ORIGINS.values()]
    for option, address, port in taken:
        why = try_bind(address, port)
        if why:
            raise Failure(f"{address}:{port} cannot be used ({why}). Is another quickstart running? "
                          f"Otherwise choose another port: {option} N")


def demonstrate(args):
    folder = os.path.join(ROOT, "build", "quickstart")
    demo = Demo(args, folder, args.dns_port, args.admin_port, args.origin_port)
    os.makedirs(folder, exist_ok=True)
    demand_free(demo)
    if not args.keep:
        shutil.rmtree(demo.steerd.data, ignore_errors=True)
        shutil.rmtree(os.path.join(folder, "origins"), ignore_errors=True)
        if os.path.exists(demo.steerd.log_path):
            os.remove(demo.steerd.log_path)
    try:
        demo.start()
        tour(demo)
        watch(demo)
    except KeyboardInterrupt:
        print("\nstopping", flush=True)
    finally:
        demo.stop()


# ---- unattended ----------------------------------------------------------------------------------

class Checks:
    def __init__(self):
        self.count = self.failed = 0

    def that(self, claim, good, seen=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'NOT ok'} - {claim}" + ("" if good else f": {seen}"), flush=True)

    def soon(self, claim, ask, wanted, seconds):
        """Asks until the answer is as wanted: the claim is about the time it takes."""
        begin = time.monotonic()
        seen = ask()
        while seen != wanted and time.monotonic() - begin < seconds:
            time.sleep(0.05)
            seen = ask()
        self.that(f"{claim} ({time.monotonic() - begin:.1f} s)", seen == wanted, f"{seen}, wanted {wanted}")


# fall 2 and rise 2 with an interval of 1 s and a timeout of 500 ms, and as much again for a busy machine.
MOVE_S = 2 * (1 + 0.5) + 5


def check_geo(checks, demo):
    for country, wanted in (("DE", "fra-1"), ("US", "iad-1"), ("SG", "sin-1")):
        network = demo.clients[country]
        answer, scope = demo.dig("api.example.com", "+subnet=" + network)
        checks.that(f"clients in {COUNTRIES[country]} ({network}) get {wanted}, scope /{scope}",
                    answer == [wanted] and scope is not None and 1 <= scope <= 24, f"{answer}, scope {scope}")


def check_canary(checks, demo):
    lines = os.path.join(demo.folder, "questions")
    with open(lines, "w", encoding="ascii") as file:
        file.write(f"@127.0.0.1 -p {demo.steerd.dns_port} +short +norecurse app.canary.example A\n" * 2000)
    done = subprocess.run(["dig", "-f", lines], capture_output=True, text=True, check=False)
    seen = collections.Counter(NAMES.get(line, line) for line in done.stdout.split())
    checks.that(f"of 2000 queries {seen['green-1']} went to the canary",
                seen["blue-1"] + seen["green-1"] == 2000 and abs(seen["green-1"] - 200) < 80, dict(seen))
    answers = demo.steerd.explain("app.canary.example", demo.clients["DE"])["answers"]
    shares = {answer["endpoints"][0]: (answer["share"], answer["exact"]) for answer in answers}
    checks.that("explain says exactly 90 % and 10 %",
                shares == {"blue-1": (90, "9/10"), "green-1": (10, "1/10")}, shares)


# A bigger canary than its own document allows: the plan says so before anything happens, and the apply is refused.
def check_plan(checks, demo):
    path = next(path for path in demo.documents() if path.endswith("canary.yaml"))
    bigger = os.path.join(demo.folder, "canary.yaml")
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("{weight: 90, to", "{weight: 50, to").replace("{weight: 10, to", "{weight: 50, to")
    with open(bigger, "w", encoding="utf-8") as file:
        file.write(text)
    plan = demo.steerd.ctl("plan", bigger, check=False)
    checks.that("plan shows who would move to a bigger canary, and that the document forbids it",
                plan.returncode == 4 and re.search(r"blue-1 (→|->) green-1 +40%", plan.stdout)
                and "canary-stays-small" in plan.stdout, plan.stdout + plan.stderr)
    refused = demo.steerd.ctl("apply", "--yes", bigger, check=False)
    checks.that("apply refuses it and names a client who proves it", refused.returncode == 1
                and re.search(r"'canary-stays-small' .* does not hold: .* a client at [0-9.]+ ", refused.stderr),
                refused.stderr)


def check_failover(checks, demo):
    german = lambda: demo.from_country("DE")
    demo.origins("stop", "fra-1")
    checks.soon("fra-1 ends: German clients move to iad-1", german, ["iad-1"], MOVE_S)
    decision = str(demo.steerd.explain("api.example.com", demo.clients["DE"])["decision"])
    checks.that("explain says why", "refused" in decision, decision)
    checks.that("clients in the USA and Singapore see nothing of it",
                demo.from_country("US") + demo.from_country("SG") == ["iad-1", "sin-1"])
    demo.origins("start", "fra-1")
    checks.soon("fra-1 starts: German clients come back", german, ["fra-1"], MOVE_S)
    demo.origins("break", "fra-1")
    checks.soon("fra-1 answers 503: German clients move", german, ["iad-1"], MOVE_S)
    demo.origins("heal", "fra-1")
    checks.soon("fra-1 heals: German clients come back", german, ["fra-1"], MOVE_S)
    apex = lambda: demo.dig("dr.example")[0]
    checks.that("the apex dr.example gives the primary", apex() == ["primary"], apex())
    demo.origins("stop", "primary")
    checks.soon("the primary ends: the apex gives the standby", apex, ["standby"], MOVE_S)


def check_override(checks, demo):
    demo.steerd.ctl("override", "set", "site", "fra", "drained", "--reason", "demonstration", "--for", "10m")
    checks.that("site fra drained by hand: the next query gets iad-1", demo.from_country("DE") == ["iad-1"])
    demo.steerd.ctl("override", "clear", "site", "fra")
    checks.that("override cleared: the next query gets fra-1", demo.from_country("DE") == ["fra-1"])


def check_restart(checks, demo):
    before = [demo.from_country(country) for country in demo.clients] + [demo.dig("dr.example")[0]]
    demo.steerd.kill()
    demo.steerd.start()
    after = [demo.from_country(country) for country in demo.clients] + [demo.dig("dr.example")[0]]
    checks.that("kill -9 and start: the first answers are as before, health included", before == after, after)
    demo.origins("start", "primary")
    checks.soon("health goes on: the primary starts, the apex comes back", lambda: demo.dig("dr.example")[0],
                ["primary"], MOVE_S)


def check(args):
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="steerd-demo-") as folder:
        demo = Demo(args, folder, None, None, free_port(*ORIGINS.values()))
        try:
            demo.start()
            down = [name for name, state in demo.steerd.states().items() if state != "up"]
            checks.that("all documents of policies/ apply, and all endpoints are up", not down, f"not up: {down}")
            check_geo(checks, demo)
            check_canary(checks, demo)
            check_plan(checks, demo)
            check_failover(checks, demo)
            check_override(checks, demo)
            check_restart(checks, demo)
            status = demo.steerd.stop()
            checks.that("SIGTERM ends steerd with status 0", status == 0, f"status {status}")
        except BaseException:
            if os.path.exists(demo.steerd.log_path):
                print("-- steerd's log\n" + demo.steerd.log(), file=sys.stderr)
            raise
        finally:
            demo.stop()
    print(f"{checks.count - checks.failed} of {checks.count} claims hold")
    return 1 if checks.failed else 0


def end(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--bin", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--geo", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help="check every claim on free ports, unattended")
    parser.add_argument("--keep", action="store_true", help="keep the data of the last run")
    parser.add_argument("--dns-port", type=int, default=5300)
    parser.add_argument("--admin-port", type=int, default=8053)
    parser.add_argument("--origin-port", type=int, default=8081)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    missing = [tool for tool in ("dig", "mmdblookup") if not shutil.which(tool)]
    try:
        if missing:
            raise Failure(f"not installed: {', '.join(missing)}; run scripts/install-deps")
        return check(args) if args.check else demonstrate(args)
    except Failure as failure:
        print(f"quickstart: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
