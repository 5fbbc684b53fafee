# SPDX-License-Identifier: GPL-3.0-or-later
"""steerd and its peers as plain processes on loopback, with the same zones, each in a folder of its own."""
import json
import os
import shutil
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "lib"))
from running import Failure, Steerd as Daemon, die_with_parent, free_port, wait_until  # noqa: E402

NAME = "differential"  # what every server calls itself: NSID, id.server, version.bind


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Peer:
    """name, port and loaded (the origins it serves) of a name server."""

    name = program = None
    ready_word = None  # in its log, once all zones are read

    def __init__(self, folder, zones):
        self.folder = os.path.join(folder, self.name)
        self.zones = zones
        self.port = free_port()
        self.process = None
        self.loaded = set()
        self.log_path = os.path.join(self.folder, "log")
        os.makedirs(self.folder)

    @classmethod
    def installed(cls):
        return find(cls.program) is not None

    def configure(self):
        """Writes the files; returns the command."""
        raise NotImplementedError

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        command = self.configure()
        command[0] = find(command[0])
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            start_new_session=True, preexec_fn=die_with_parent)

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with status {self.process.returncode}:\n{self.log()[-2000:]}")
            return self.ready_word in self.log()

        wait_until(ready, 120, f"{self.name} is ready")

    def move(self):
        """To another port: something else took this one before the server did."""
        self.stop()
        self.port = free_port()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # with the processes it made
                self.process.wait()

    def zone_lines(self, form):
        return "".join(form.format(origin=zone.origin_text, path=zone.path) for zone in self.zones)


class Nsd(Peer):
    name = program = "nsd"
    ready_word = "nsd started"

    def configure(self):
        f = self.folder
        return ["nsd", "-d", "-c", self.file("nsd.conf", f"""server:
    server-count: 1
    ip-address: 127.0.0.1@{self.port}
    username: ""
    chroot: ""
    database: ""
    zonesdir: "{f}"
    pidfile: "{f}/pid"
    xfrdfile: "{f}/xfrd"
    zonelistfile: "{f}/zones"
    xfrdir: "{f}"
    rrl-ratelimit: 0
    minimal-responses: no
    refuse-any: no
    round-robin: no
    identity: "{NAME}"
    version: "{NAME}"
    nsid: "ascii_{NAME}"
    ipv4-edns-size: 1232
    tcp-timeout: 60
    verbosity: 1
remote-control:
    control-enable: no
""" + self.zone_lines('zone:\n    name: "{origin}"\n    zonefile: "{path}"\n'))]


class Knot(Peer):
    name, program = "knot", "knotd"
    ready_word = "server started"

    def configure(self):
        return ["knotd", "-c", self.file("knot.conf", f"""server:
    rundir: "{self.folder}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-idle-timeout: 60
    identity: "{NAME}"
    version: "{NAME}"
    nsid: "{NAME}"
log:
  - target: stderr
    any: info
database:
    storage: "{self.folder}"
zone:
""" + self.zone_lines('  - domain: "{origin}"\n    file: "{path}"\n    zonefile-sync: -1\n    journal-content: none\n'
                      '    semantic-checks: off\n'))]


class Bind(Peer):
    name, program = "bind", "named"
    ready_word = "all zones loaded"

    def configure(self):
        f = self.folder
        return ["named", "-n", "1", "-U", "1", "-g", "-c", self.file("named.conf", f"""options {{
    directory "{f}"; pid-file none; session-keyfile "{f}/key"; lock-file none; managed-keys-directory "{f}";
    listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; allow-transfer {{ none; }}; minimal-responses no; minimal-any no; notify no; dnssec-validation no; zone-statistics none;
    empty-zones-enable no; rrset-order {{ order none; }}; answer-cookie no; edns-udp-size 1232; max-udp-size 1232;
    check-names primary ignore; check-integrity no; check-mx ignore; check-mx-cname ignore; check-srv-cname ignore;
    check-sibling no; zero-no-soa-ttl no; max-records-per-type 0; max-types-per-name 0; check-spf ignore; check-wildcard no; check-dup-records ignore;
    version "{NAME}"; hostname "{NAME}"; server-id "{NAME}"; tcp-idle-timeout 600;
}};
controls {{ }};
""" + self.zone_lines('zone "{origin}" {{ type primary; file "{path}"; }};\n'))]


class Pdns(Peer):
    name, program = "pdns", "pdns_server"
    ready_word = "operating unthreaded"

    def configure(self):
        zones = self.file("zones.conf", self.zone_lines('zone "{origin}" {{ type master; file "{path}"; }};\n'))
        settings = {"local-address": "127.0.0.1", "local-port": self.port, "socket-dir": self.folder, "launch": "bind",
                    "bind-config": zones, "receiver-threads": 1, "distributor-threads": 1, "guardian": "no", "daemon": "no",
                    "disable-syslog": "yes", "loglevel": 5, "write-pid": "no", "setuid": "", "setgid": "", "cache-ttl": 0,
                    "query-cache-ttl": 0, "negquery-cache-ttl": 0, "any-to-tcp": "no", "server-id": NAME,
                    "version-string": NAME, "udp-truncation-threshold": 1232, "tcp-idle-timeout": 60,
                    "max-tcp-connection-duration": 0, "zone-cache-refresh-interval": 0, "dname-processing": "yes"}
        self.file("pdns.conf", "".join(f"{key}={value}\n" for key, value in settings.items() if value != ""))
        return ["pdns_server", f"--config-dir={self.folder}"]


class Steerd(Peer):
    name = program = "steerd"

    def __init__(self, folder, zones, bin_dir):
        super().__init__(folder, zones)
        self.rejected = {}
        self.bin_dir = bin_dir
        self.daemon = self.make()

    def make(self):
        return Daemon(self.bin_dir, self.folder, dns_port=self.port, options=[
            "--nsid", NAME, "--version-text", NAME, "--workers", "1"])

    def start(self):
        try:
            self.daemon.start()
        except Failure as why:
            if "Address already in use" not in str(why):
                raise
            self.port = free_port()
            self.daemon = self.make()
            self.daemon.start()
        self.process = self.daemon.process

    def wait_ready(self):
        zones = self.file("list", self.zone_lines("{origin} {path}\n"))
        done = self.daemon.ctl("--json", "zone", "import", "--list", zones, check=False)
        try:
            said = json.loads(done.stdout)
        except ValueError:
            raise Failure(f"steerctl zone import: status {done.returncode}\n{done.stdout}{done.stderr}") from None
        self.rejected = {entry["origin"]: entry["error"] for entry in said["rejected"]}

    def log(self):
        return self.daemon.log()

    def stop(self):
        if not self.process:
            return
        status = self.daemon.stop(60)
        if status != 0 or any(word in self.log() for word in ("Sanitizer", "runtime error", "assertion")):
            raise Failure(f"steerd ended with status {status}:\n{self.log()[-4000:]}")


PEERS = {kind.name: kind for kind in (Nsd, Knot, Bind, Pdns)}


def installed_peers():
    return [name for name, kind in PEERS.items() if kind.installed()]
