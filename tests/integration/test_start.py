# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration, geo files, and being the only one."""
import os
import shutil
import signal
import subprocess
import unittest

from support import BIN, COUNTRY, GERMANY, STEADY, Failure, Steerd, SteerdTest, free_port


class Start(SteerdTest):
    def run_steerd(self, *arguments):
        return subprocess.run([os.path.join(BIN, "steerd"), *arguments], capture_output=True, text=True, timeout=60,
                              cwd=self.folder, check=False)

    def truncated(self):
        with open(COUNTRY, "rb") as file:
            octets = file.read()
        return self.write("short.mmdb", octets[:len(octets) // 2])

    def test_a_truncated_geo_file_is_a_clear_error(self):
        short = self.truncated()
        steerd = Steerd(BIN, self.folder, [short])
        with self.assertRaises(Failure) as caught:
            steerd.start()
        self.assertEqual(1, steerd.process.returncode)
        self.assertIn(short, str(caught.exception))
        done = self.run_steerd("--check-config", "--geo", short)
        self.assertEqual(1, done.returncode)
        self.assertIn(short, done.stderr)

    def test_on_sighup_a_broken_geo_file_leaves_the_old_data(self):
        path = os.path.join(self.folder, "geo.mmdb")
        shutil.copy(COUNTRY, path)
        self.steerd = Steerd(BIN, self.folder, [path]).start()
        self.apply(STEADY)
        answer = self.ask("api.geo.test", "A", GERMANY)
        os.replace(self.truncated(), path)
        self.steerd.process.send_signal(signal.SIGHUP)
        self.wait(lambda: "geo data was not replaced" in self.steerd.log(), "the broken file is reported")
        again = self.ask("api.geo.test", "A", GERMANY)
        self.assertEqual((answer.data, answer.scope), (again.data, again.scope))
        shutil.copy(COUNTRY, path + ".new")
        os.replace(path + ".new", path)
        reports = self.steerd.log().count("\n")
        self.steerd.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.steerd.log().count("\n") > reports, "the good file is read")
        self.assertEqual(1, self.steerd.log().count("geo data was not replaced"))
        self.assertEqual(answer.data, self.ask("api.geo.test", "A", GERMANY).data)

    def test_the_configuration_file_sets_what_the_command_line_does_not(self):
        dns, admin = free_port(), free_port()
        path = self.write("steerd.yaml", f"listen: [127.0.0.1:{dns}]\nadmin: 127.0.0.1:1\ndata: nowhere\n"
                                         f"geo: {COUNTRY}\nnsid: node-7\nworkers: 1\n")
        self.steerd = Steerd(BIN, self.folder, (), dns, admin, ["--config", path])
        at = self.steerd.options.index("--listen")
        del self.steerd.options[at:at + 2]
        self.steerd.start()
        status = self.steerd.status()
        self.assertEqual(COUNTRY, status["geo"][0]["file"])
        self.assertEqual(1, status["server"]["workers"])
        self.assertEqual(5, self.ask("nothing.test").rcode)
        said = subprocess.run(["dig", "@127.0.0.1", "-p", str(dns), "+nsid", "x.test"], capture_output=True, text=True,
                              check=False)
        self.assertIn("node-7", said.stdout)

    def test_check_config_says_where_the_error_is(self):
        good = self.write("good.yaml", f"listen: 127.0.0.1:5300\ngeo: [{COUNTRY}]\n")
        done = self.run_steerd("--check-config", "--config", good)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "data")))
        bad = [("lissen: 127.0.0.1:53\n", ":1:1: ", "did you mean 'listen'"),
               ("data: x\nworkers: many\n", ":2:10: ", "from 1 to 256"),
               ("listen: [127.0.0.1:53, nonsense]\n", ":1:24: ", "an address with a port"),
               ("- listen\n", ":1:1: ", "mapping")]
        for text, place, words in bad:
            with self.subTest(text=text):
                path = self.write("bad.yaml", text)
                done = self.run_steerd("--check-config", "--config", path)
                self.assertEqual(2, done.returncode, done.stderr)
                self.assertIn(path + place, done.stderr)
                self.assertIn(words, done.stderr)
        self.assertEqual(2, self.run_steerd("--check-config", "--config", "missing.yaml").returncode)

    def test_wrong_options_are_usage_errors(self):
        for arguments in (["--lissen", "x"], ["--listen", "x"], ["--workers", "0"], ["stray"], ["--data", ""]):
            with self.subTest(arguments=arguments):
                done = self.run_steerd("--check-config", *arguments)
                self.assertEqual(2, done.returncode)
                self.assertIn("steerd --help", done.stderr)

    def test_a_second_steerd_on_the_same_data_is_refused(self):
        self.steerd.start()
        other = Steerd(BIN, self.folder)
        other.data = self.steerd.data
        other.log_path += ".second"
        with self.assertRaises(Failure) as caught:
            other.start()
        self.assertEqual(1, other.process.returncode)
        self.assertIn(str(self.steerd.process.pid), str(caught.exception))
        self.assertEqual(5, self.ask("nothing.test").rcode)

    def test_a_taken_port_is_named(self):
        self.steerd.start()
        folder = os.path.join(self.folder, "other")
        os.mkdir(folder)
        other = Steerd(BIN, folder, (), self.steerd.dns_port)
        with self.assertRaises(Failure) as caught:
            other.start()
        self.assertEqual(1, other.process.returncode)
        self.assertIn(f"127.0.0.1:{self.steerd.dns_port}", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
