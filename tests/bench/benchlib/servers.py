# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: each server as a plain process with files of its own, one worker, on one core."""
import glob
import http.client
import json
import os
import shutil

from .base import BENCH, ROOT, Stop, address_of, ask, free_port, question, rss_mib, run, wait_until

PEERS = ("gdnsd", "knot", "nsd", "bind", "pdns")
CONTINENTS = {"EU": 1, "AF": 1, "NA": 2, "SA": 2, "AS": 3, "OC": 3}
GEO_ZONE = "$ORIGIN geo.test.\n$TTL 60\n@ SOA ns1 hostmaster 1 3600 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Server:
    """name, pid and port of a running server. ready: a question that it must answer."""

    name = program = None
    workloads = ()
    ready = "ns1.bench.test"

    def __init__(self, options, children, folder, data):
        self.options, self.children, self.data = options, children, data
        self.folder = os.path.join(folder, self.name)
        self.log = os.path.join(self.folder, "log")
        self.port = free_port()
        self.process = None
        self.zone = data.zone()
        os.makedirs(self.folder, exist_ok=True)

    @property
    def pid(self):
        return self.process.pid

    @classmethod
    def installed(cls):
        return find(cls.program) is not None

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def answers(self):
        return address_of(ask(self.port, question(self.ready), 0.05)) is not None

    def configure(self):
        """Writes the files; returns the command."""
        raise NotImplementedError

    def start(self):
        """Seconds until the first right answer."""
        command = self.configure()
        command[0] = find(command[0]) or command[0]
        self.process = self.children.start(command, self.options.server_core, self.log)
        return wait_until(self.name, self.process, self.log, self.answers)

    def stop(self):
        self.children.end(self.process)

    def rss(self):
        return rss_mib(self.pid)


class Echo(Server):
    name = "echo"
    workloads = ("W1", "W1nx", "W2", "W3")

    def configure(self):
        return [os.path.join(self.options.build, "bench", "udpecho"), f"127.0.0.1:{self.port}"]

    def answers(self):
        return ask(self.port, b"ready?", 0.05) == b"ready?"


class Steerd(Server):
    name = "steerd"
    workloads = ("W1", "W1nx", "W2", "W3")

    def __init__(self, options, children, folder, data):
        super().__init__(options, children, folder, data)
        self.admin = free_port()
        self.state = os.path.join(self.folder, "state")
        self.token_file = os.path.join(self.state, "admin.token")
        self.connection = None

    def configure(self):
        os.makedirs(self.state, exist_ok=True)
        return [os.path.join(self.options.build, "bin", "steerd"), "--listen", f"127.0.0.1:{self.port}", "--admin",
                f"127.0.0.1:{self.admin}", "--data", self.state, "--geo", self.options.geo, "--workers", "1",
                *self.options.steerd]

    def answers(self):
        """Refuses, as long as there are no zones."""
        return ask(self.port, question(self.ready), 0.05) is not None and os.path.exists(self.token_file)

    def start(self):
        seconds = super().start()
        wait_until("the API", self.process, self.log, self.api_answers)
        return seconds

    def api_answers(self):
        try:
            self.get("/healthz")
            return True
        except OSError:
            return False

    def stop(self):
        if self.connection:
            self.connection.close()
            self.connection = None
        super().stop()

    def request(self, method, path, body=None):
        """The JSON of a reply; over a connection that stays open."""
        with open(self.token_file, encoding="ascii") as file:
            headers = {"Authorization": "Bearer " + file.read().strip()}
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        kept = self.connection is not None
        try:
            reply, text = self.exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as why:
            if not kept:
                raise OSError(str(why)) from why
            reply, text = self.exchange(method, path, body, headers)  # it was closed meanwhile, being idle
        if reply.status >= 300:
            raise Stop(f"{method} {path}: {reply.status} {text[:500]}")
        return json.loads(text) if text.startswith(("{", "[")) else text

    def exchange(self, method, path, body, headers):
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=300)
        try:
            self.connection.request(method, path, body, headers)
            reply = self.connection.getresponse()
            return reply, reply.read().decode()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise

    def get(self, path):
        return self.request("GET", path)

    def apply(self, name, text, **more):
        return self.request("POST", "/api/v1/apply", {"documents": [{"name": name, "text": text}], **more})

    def ctl(self, *arguments):
        return run([os.path.join(self.options.build, "bin", "steerctl"), "--url", f"http://127.0.0.1:{self.admin}",
                    "--token-file", self.token_file, *arguments], f"steerctl {arguments[0]}")

    def load(self):
        """The zone and the policies of the workloads."""
        self.ctl("zone", "import", "bench.test", self.zone)
        self.ctl("apply", "--yes", os.path.join(BENCH, "steering.yaml"))
        for name in ("ns1.bench.test", "w2.geo.test", "w3.geo.test"):
            if not address_of(ask(self.port, question(name, "203.0.113.0"), 2)):
                raise Stop(f"steerd gives no address for {name}")
        return self


class Gdnsd(Server):
    name = program = "gdnsd"
    workloads = ("W1", "W1nx", "W2")

    def configure(self):
        os.makedirs(os.path.join(self.folder, "geoip"), exist_ok=True)
        for folder in ("run", "state", "zones"):
            os.makedirs(os.path.join(self.folder, folder), exist_ok=True)
        shutil.copy(self.zone, os.path.join(self.folder, "zones", "bench.test"))
        shutil.copy(self.options.geo, os.path.join(self.folder, "geoip", "country.mmdb"))
        self.file("zones/geo.test", GEO_ZONE + "w2 60 DYNA geoip!w2\n")
        places = "".join(f"{place} => [ dc{dc} ], " for place, dc in CONTINENTS.items())
        addresses = "".join(f"dc{dc} = 192.0.2.{dc}, " for dc in (1, 2, 3))
        self.file("config", f"""options => {{
  listen => {{ 127.0.0.1:{self.port} => {{ udp_threads = 1, tcp_threads = 1 }} }},
  run_dir = {self.folder}/run, state_dir = {self.folder}/state, lock_mem = false
}}
plugins => {{ geoip => {{
  maps => {{ continents => {{ geoip2_db = country.mmdb, datacenters => [ dc1, dc2, dc3 ],
    map => {{ {places}default => [ dc1 ] }} }} }},
  resources => {{ w2 => {{ map = continents, service_types = up, dcmap => {{ {addresses} }} }} }}
}} }}
""")
        return ["gdnsd", "-c", self.folder, "start"]


class Knot(Server):
    name, program = "knot", "knotd"

    @property
    def workloads(self):
        return ("W1", "W1nx", "W2") if glob.glob("/usr/lib/*/knot/modules*/geoip.so") else ("W1", "W1nx")

    def configure(self):
        os.makedirs(os.path.join(self.folder, "db"), exist_ok=True)
        geo = self.file("geo.yaml", "w2.geo.test:\n" + "".join(
            f"  - geo: \"{place}\"\n    A: 192.0.2.{dc}\n" for place, dc in CONTINENTS.items()))
        zone = self.file("geo.test", GEO_ZONE + "w2 A 192.0.2.1\n")
        module = "W2" in self.workloads
        text = f"""server:
    rundir: "{self.folder}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    edns-client-subnet: on
log:
  - target: stderr
    any: warning
database:
    storage: "{self.folder}/db"
"""
        if module:
            text += f"""mod-geoip:
  - id: geo
    config-file: "{geo}"
    ttl: 60
    mode: geodb
    geodb-file: "{self.options.geo}"
    geodb-key: [ continent/code ]
"""
        text += "zone:\n"
        for origin, path in (("bench.test", self.zone), ("geo.test", zone)):
            text += (f"  - domain: {origin}\n    file: \"{path}\"\n    zonefile-sync: -1\n    journal-content: none\n"
                     + ("    module: mod-geoip/geo\n" if module and origin == "geo.test" else ""))
        return ["knotd", "-c", self.file("knot.conf", text)]


class Nsd(Server):
    name = program = "nsd"
    workloads = ("W1", "W1nx")

    def configure(self):
        return ["nsd", "-d", "-c", self.file("nsd.conf", f"""server:
    server-count: 1
    ip-address: 127.0.0.1@{self.port}
    username: ""
    chroot: ""
    database: ""
    zonesdir: "{self.folder}"
    pidfile: "{self.folder}/pid"
    xfrdfile: "{self.folder}/xfrd"
    zonelistfile: "{self.folder}/zones"
    xfrdir: "{self.folder}"
    rrl-ratelimit: 0
    minimal-responses: yes
    reuseport: yes
remote-control:
    control-enable: no
zone:
    name: bench.test
    zonefile: "{self.zone}"
""")]


class Bind(Server):
    name, program = "bind", "named"
    workloads = ("W1", "W1nx")

    def configure(self):
        f = self.folder
        return ["named", "-n", "1", "-U", "1", "-g", "-c", self.file("named.conf", f"""options {{
    directory "{f}"; pid-file none; session-keyfile "{f}/key"; lock-file none; managed-keys-directory "{f}";
    listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; minimal-responses yes; notify no; dnssec-validation no; zone-statistics none; empty-zones-enable no;
}};
controls {{ }};
zone "bench.test" {{ type primary; file "{self.zone}"; }};
""")]


class Pdns(Server):
    name, program = "pdns", "pdns_server"
    workloads = ("W1", "W1nx")

    def configure(self):
        zones = self.file("zones.conf", f'zone "bench.test" {{ type master; file "{self.zone}"; }};\n')
        settings = {"local-address": "127.0.0.1", "local-port": self.port, "socket-dir": self.folder, "launch": "bind",
                    "bind-config": zones, "receiver-threads": 1, "distributor-threads": 1, "guardian": "no",
                    "daemon": "no", "disable-syslog": "yes", "loglevel": 3, "write-pid": "no", "setuid": 0, "setgid": 0}
        self.file("pdns.conf", "".join(f"{key}={value}\n" for key, value in settings.items()))
        return ["pdns_server", f"--config-dir={self.folder}"]


KINDS = {kind.name: kind for kind in (Echo, Steerd, Gdnsd, Knot, Nsd, Bind, Pdns)}


def install_peers():
    """From Debian, with no service started (scripts/install-deps sees to that)."""
    run([os.path.join(ROOT, "scripts", "install-deps"), "--peers"], "installing peers")
