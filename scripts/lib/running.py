# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting steerd and speaking with it: for the demonstration and the integration tests."""
import ctypes
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The origins of the demonstration, as in policies/*.yaml.
ORIGINS = {"fra-1": "127.0.1.1", "iad-1": "127.0.1.2", "sin-1": "127.0.1.3", "blue-1": "127.0.1.11",
           "green-1": "127.0.1.12", "primary": "127.0.1.21", "standby": "127.0.1.22"}
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Failure(Exception):
    """Something that a person should read."""


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def try_bind(address, port):
    """None, or why nothing can listen there, with UDP or TCP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as sock:
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((address, port))
            except OSError as error:
                return error.strerror
    return None


def free_port(*addresses):
    """A port that is free on all addresses, below those that the kernel gives to clients."""
    for _ in range(200):
        port = random.randrange(10240, 32768)
        if not any(try_bind(address, port) for address in addresses or ("127.0.0.1",)):
            return port
    raise Failure("no free port found")


def wait_until(condition, seconds, what):
    """The first true value of condition(); asks often, sleeps little."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"after {seconds:g} s still not: {what}")
        time.sleep(0.02)


class Steerd:
    """One data folder and ports, and the process that uses them just now."""

    def __init__(self, bin_dir, folder, geo=(), dns_port=None, admin_port=None, options=()):
        self.bin_dir = bin_dir
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.log_path = os.path.join(folder, "steerd.log")
        self.dns_port = dns_port or free_port()
        self.admin_port = admin_port or free_port()
        self.url = f"http://127.0.0.1:{self.admin_port}"
        self.options = ["--listen", f"127.0.0.1:{self.dns_port}", "--admin", f"127.0.0.1:{self.admin_port}",
                        "--data", self.data]
        for path in geo:
            self.options += ["--geo", path]
        self.options += options
        self.process = None

    @property
    def program(self):
        return os.path.join(self.bin_dir, "steerd")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self, seconds=30):
        """Returns when steerd answers DNS and HTTP."""
        begin = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program] + self.options, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, preexec_fn=die_with_parent)

        def ready():
            with open(self.log_path, "rb") as log:
                log.seek(begin)
                said = log.read().decode(errors="replace")
            if self.process.poll() is not None:
                raise Failure(f"steerd ended with status {self.process.returncode}:\n{said.strip()}")
            return re.search(r"admin API on http://", said)

        wait_until(ready, seconds, "steerd is ready")
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=20):
        """The exit status after SIGTERM."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failure(f"steerd did not stop within {seconds} s of SIGTERM") from None
        return self.process.returncode

    def ctl(self, *arguments, check=True, stdin=None):
        """Runs steerctl."""
        command = [os.path.join(self.bin_dir, "steerctl"), "--url", self.url, "--token-file",
                   os.path.join(self.data, "admin.token"), *arguments]
        done = subprocess.run(command, text=True, input=stdin, capture_output=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise Failure(f"steerctl {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def token(self):
        with open(os.path.join(self.data, "admin.token"), encoding="ascii") as file:
            return file.read().strip()

    def http(self, method, path, body=None, headers=None, token=True):
        """(status, body) of a request; JSON bodies are encoded."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + self.token()
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def status(self):
        code, body = self.http("GET", "/api/v1/status")
        if code != 200:
            raise Failure(f"status: {code} {body}")
        return json.loads(body)

    def states(self):
        """Endpoint -> its state."""
        return {endpoint["name"]: endpoint["state"] for endpoint in self.status()["endpoints"]}

    def explain(self, name, client, kind="A"):
        return json.loads(self.ctl("--json", "explain", name, kind, "--client", client).stdout)
