# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS cookies: with dig and kdig, over restarts and changes of the secret, and against floods."""
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import unittest

from support import BIN, FRA, GERMANY, STEADY, Failure, Reply, Steerd, SteerdTest, edns_option, framed, query, read_tcp

COOKIE, BADCOOKIE, FORMERR = 10, 23, 1
MINE = b"clients!"
FIRST, SECOND = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"


class Cookies(SteerdTest):
    def start(self, *options):
        self.steerd.options += options
        self.steerd.start()
        self.apply(STEADY)

    def show(self, cookie=MINE):
        """One question with this cookie: the reply and the cookie in it."""
        reply = self.ask("api.geo.test", "A", GERMANY, options=edns_option(COOKIE, cookie))
        return reply, reply.option(COOKIE)

    def learn(self):
        reply, cookie = self.show()
        self.assertEqual((0, [FRA], 24, MINE), (reply.rcode, reply.data, len(cookie), cookie[:8]))
        return cookie

    def goods(self):
        return self.metric("steerd_cookies_total", cookie="good")

    def assert_good(self, cookie):
        """Shown, it counts as good; returns the one that came back."""
        before = self.goods()
        reply, again = self.show(cookie)
        self.assertEqual([FRA], reply.data)
        self.assertEqual(before + 1, self.goods())
        return again

    def secrets(self, *lines, mode=0o600):
        path = self.write("secrets", "".join(line + "\n" for line in lines))
        os.chmod(path, mode)
        return path

    def reload(self, *lines, mode=0o600):
        self.secrets(*lines, mode=mode)
        self.steerd.process.send_signal(signal.SIGHUP)

    def test_dig_and_kdig_take_the_cookie_for_good(self):
        self.start()
        said = self.run_client("dig", "+cookie", "api.geo.test")
        found = re.search(r"COOKIE: ([0-9a-f]{48}) \(good\)", said)
        self.assertTrue(found, said)
        said = self.run_client("dig", "+cookie=" + found.group(1), "api.geo.test")
        self.assertIn(f"COOKIE: {found.group(1)} (good)", said)
        self.assertEqual(1, self.goods())
        self.assertRegex(self.run_client("kdig", "+cookie", "api.geo.test"), r"COOKIE: [0-9A-F]{48}")

    def test_a_good_cookie_comes_back_over_both_transports(self):
        self.start()
        cookie = self.learn()
        self.assertEqual(cookie, self.assert_good(cookie))
        sock = self.connect()
        sock.sendall(framed(query("api.geo.test", options=edns_option(COOKIE, cookie))))
        self.assertEqual(cookie, read_tcp(sock).option(COOKIE))
        self.assertEqual(2, self.goods())

    def test_a_wrong_cookie_is_answered_with_a_good_one(self):
        self.start()
        cookie = self.learn()
        for wrong in (cookie[:-1] + bytes([cookie[-1] ^ 1]), MINE + b"\2" + cookie[9:], MINE + b"x" * 8, MINE + b"x" * 32,
                      b"another!" + cookie[8:]):
            reply, again = self.show(wrong)
            self.assertEqual(([FRA], wrong[:8]), (reply.data, again[:8]))
            self.assertNotEqual(wrong, again)
            self.assert_good(again)

    def test_a_cookie_is_of_one_address(self):
        self.start()
        cookie = self.learn()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.bind(("127.0.0.2", 0))
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            sock.send(query("api.geo.test", options=edns_option(COOKIE, cookie)))
            sock.recv(65535)
        self.assertEqual((0, 1), (self.goods(), self.metric("steerd_cookies_total", cookie="wrong")))

    def test_a_query_may_ask_for_a_cookie_alone(self):
        self.start()

        def alone(cookie):
            option = edns_option(COOKIE, cookie)
            head = struct.pack("!HHHHHH", 0x5344, 0, 0, 0, 0, 1) + b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(option))
            return self.exchange(head + option)

        learnt = alone(MINE)
        self.assertEqual((0, 24), (learnt.rcode, len(learnt.option(COOKIE))))
        cookie = learnt.option(COOKIE)
        confirmed = alone(cookie)
        self.assertEqual((0, cookie), (confirmed.rcode, confirmed.option(COOKIE)))
        refuted = alone(cookie[:-1] + bytes([cookie[-1] ^ 1]))
        self.assertEqual((BADCOOKIE, cookie[:8]), (refuted.rcode, refuted.option(COOKIE)[:8]))
        self.assertEqual(FORMERR, alone(b"7 bytes").rcode)

    def test_cookies_are_good_after_a_restart(self):
        self.start()
        cookie = self.learn()
        path = os.path.join(self.steerd.data, "cookie.secrets")
        self.assertEqual(0o100600, os.stat(path).st_mode)
        self.steerd.kill()
        self.steerd.start()
        self.assertEqual(cookie, self.assert_good(cookie))

    def test_two_servers_with_one_secret_know_each_others_cookies(self):
        path = self.secrets(FIRST)
        self.start("--cookie-secrets", path)
        cookie = self.learn()
        folder = os.path.join(self.folder, "other")
        os.mkdir(folder)
        first, self.steerd = self.steerd, Steerd(BIN, folder, self.geo, options=["--cookie-secrets", path])
        try:
            self.steerd.start()
            self.apply(STEADY)
            self.assertEqual(cookie, self.assert_good(cookie))
            self.assertFalse(os.path.exists(os.path.join(self.steerd.data, "cookie.secrets")))
        finally:
            self.stop_cleanly()
            self.steerd = first

    def test_the_secret_is_changed_in_stages_without_a_break(self):
        self.start("--cookie-secrets", self.secrets("# the first one", FIRST, ""))
        cookie = self.learn()
        self.reload(FIRST, SECOND)
        self.wait(lambda: self.show(cookie)[1] == cookie, "nothing changes for clients")
        self.reload(SECOND, FIRST)
        self.wait(lambda: self.show(cookie)[1] != cookie, "the new secret signs")
        newer = self.assert_good(cookie)
        self.reload(SECOND)
        wrong = self.metric("steerd_cookies_total", cookie="wrong")
        self.wait(lambda: self.show(cookie) and self.metric("steerd_cookies_total", cookie="wrong") > wrong,
                  "the old secret is gone")
        self.assertEqual(newer, self.assert_good(newer))

    def test_a_bad_file_is_reported_and_the_old_secret_stays(self):
        self.start("--cookie-secrets", self.secrets(FIRST))
        cookie = self.learn()
        path = os.path.join(self.folder, "secrets")
        rows = [((SECOND[:-1],), 0o600, path + ":1: a secret is 32 hexadecimal digits"),
                ((FIRST, SECOND, FIRST), 0o600, path + ":3: a third secret"), (("# none",), 0o600, "no secret stands in it"),
                ((SECOND,), 0o644, "may be read by everybody (mode 0644)"), (("x" * 5000,), 0o600, "this is another file")]
        for lines, mode, words in rows:
            with self.subTest(words=words):
                self.reload(*lines, mode=mode)
                self.wait(lambda: words in self.steerd.log(), words)
                self.assertEqual(cookie, self.assert_good(cookie))
        os.remove(path)
        self.steerd.process.send_signal(signal.SIGHUP)
        self.wait(lambda: "No such file" in self.steerd.log(), "a file that is gone is reported")
        self.assertEqual(cookie, self.assert_good(cookie))
        self.assertEqual(len(rows) + 1, self.steerd.log().count("secrets of DNS cookies were not replaced"))

    def test_with_a_bad_file_it_does_not_start(self):
        self.steerd.options += ["--cookie-secrets", self.secrets("secret")]
        with self.assertRaises(Failure) as caught:
            self.steerd.start()
        self.assertIn("secrets:1: a secret is 32 hexadecimal digits", str(caught.exception))
        self.assertEqual(1, self.steerd.process.returncode)
        self.steerd.process = None

    def test_check_config_reads_the_secrets_and_makes_none(self):
        def check(*options):
            return subprocess.run([os.path.join(BIN, "steerd"), "--check-config", "--data", self.steerd.data, *options],
                                  capture_output=True, text=True, timeout=60, check=False)

        self.assertEqual(0, check().returncode)
        self.assertFalse(os.path.exists(self.steerd.data))
        self.assertEqual(0, check("--cookie-secrets", self.secrets(FIRST, SECOND)).returncode)
        done = check("--cookie-secrets", self.secrets(FIRST + "0"))
        self.assertEqual(1, done.returncode)
        self.assertIn("secrets:1: a secret is 32 hexadecimal digits", done.stderr)

    def test_cookies_may_be_off(self):
        self.start("--cookie-secrets", "none")
        reply, cookie = self.show()
        self.assertEqual(([FRA], None), (reply.data, cookie))
        self.assertFalse(os.path.exists(os.path.join(self.steerd.data, "cookie.secrets")))


class Limited(SteerdTest):
    """A rate of one, and somebody who floods from this very address."""

    def setUp(self):
        super().setUp()
        self.steerd.options += ["--rrl-rate", "1", "--rrl-allow", "none"]
        self.steerd.start()
        self.apply(STEADY)
        self.over = threading.Event()
        flood = threading.Thread(target=self.flood, daemon=True)
        flood.start()
        self.addCleanup(flood.join)
        self.addCleanup(self.over.set)
        self.wait(lambda: self.limited("dropped") > 5, "the flood is limited")

    def flood(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            while not self.over.wait(0.01):
                for _ in range(5):
                    try:
                        sock.send(query("api.geo.test"))
                    except ConnectionError:
                        return

    def limited(self, action, kind="positive"):
        return self.metric("steerd_rrl_total", action=action, kind=kind)

    def test_a_client_with_cookies_is_through_at_its_second_try(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            told = 0
            for number in range(16):
                question = query("api.geo.test", ident=number, options=edns_option(COOKIE, MINE))
                sock.send(question)
                reply = Reply(sock.recv(65535))
                cookie = reply.option(COOKIE)
                if reply.rcode == BADCOOKIE:
                    told += 1
                    self.assertEqual((len(question) + 16, [], False), (len(reply.octets), reply.answers, reply.truncated))
                sock.send(query("api.geo.test", options=edns_option(COOKIE, cookie)))
                self.assertEqual(0, Reply(sock.recv(65535)).rcode)
            self.assertGreater(told, 10)
        self.assertEqual(told, self.limited("badcookie"))

    def test_dig_asks_again_with_the_cookie_that_it_was_given(self):
        said = self.run_client("dig", "+notcp", "+cookie", "+tries=1", "+timeout=5", "api.geo.test")
        if "BADCOOKIE, retrying" not in said:  # it met the one in a second that passes
            said = self.run_client("dig", "+notcp", "+cookie", "+tries=1", "+timeout=5", "api.geo.test")
        self.assertIn("BADCOOKIE, retrying", said)
        self.assertIn("status: NOERROR", said)
        self.assertRegex(said, r"COOKIE: [0-9a-f]{48} \(good\)")

    def test_over_tcp_nobody_is_limited(self):
        sock = self.connect()
        for _ in range(50):
            sock.sendall(framed(query("api.geo.test")))
            self.assertEqual(0, read_tcp(sock).rcode)

    def test_the_limit_shows_in_the_metrics_by_kind(self):
        self.wait(lambda: self.limited("slipped") > 5, "some slip through")
        self.assertEqual(0, self.limited("dropped", "nxdomain"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.steerd.dns_port))
            for i in range(50):
                sock.send(query(f"none{i}.geo.test"))
                sock.send(query("elsewhere.test"))
        self.wait(lambda: self.limited("dropped", "nxdomain") > 5, "names that do not exist")
        self.wait(lambda: self.limited("dropped", "refused") > 5, "refusals")
        self.wait(lambda: self.limited("slipped", "refused") > 5, "refusals slip too")


if __name__ == "__main__":
    unittest.main()
