#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges steerd, from the document to the datagram, by a linear evaluator of steering.md (model.py).

Each round makes geo data and documents of its seed, starts steerd with them, sets health and switches, and asks; see
README.md. Exit status: 0 nothing was wrong, 1 something was, 2 wrong usage.
"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "scripts", "lib")]
sys.dont_write_bytecode = True
import geofile  # noqa: E402
from running import Failure, Steerd  # noqa: E402
from trial import Trial  # noqa: E402
from setups import Setup  # noqa: E402
from tally import Tally  # noqa: E402


def write_geo(folder, setup):
    paths = []
    for i, rows in enumerate(setup.files):
        paths.append(os.path.join(folder, f"{i}.mmdb"))
        with open(paths[-1] + ".new", "wb") as file:
            file.write(geofile.mmdb(rows, setup.aliased))
        os.rename(paths[-1] + ".new", paths[-1])
    return paths


def play(options, seed, tally):
    """One round: a world, the documents, some states of health."""
    rng = random.Random(seed)
    setup = Setup(rng, options.small or None)
    folder = tempfile.mkdtemp(prefix="steerd-judge-")
    try:
        paths = write_geo(folder, setup)
        steerd = Steerd(options.bin, folder, paths)
        steerd.options += ["--listen", f"[::1]:{steerd.dns_port}", "--workers", "1"]
        steerd.start()
        try:
            trial = Trial(options, steerd, setup, rng, seed, tally)
            for i in range(options.documents):
                trial.document(f"j{i}.test", options.states)
            trial.edit()
            if setup.files:
                setup.renew_geo()
                write_geo(folder, setup)
                trial.reload_geo()
            trial.restart()
            trial.end_some()
            trial.close()
        finally:
            status = steerd.stop()
            if status != 0 or "Sanitizer" in steerd.log() or "runtime error" in steerd.log():
                raise Failure(f"seed {seed}: steerd ended with status {status}:\n{steerd.log()}")
    finally:
        if not options.keep:
            shutil.rmtree(folder, True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first round's; each round has the next one")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="as many rounds as fit into this time, whatever --rounds says")
    parser.add_argument("--documents", type=int, default=3, help="a round")
    parser.add_argument("--states", type=int, default=2, help="of health, a document")
    parser.add_argument("--draws", type=int, default=20000, help="answers drawn for each statistical test")
    parser.add_argument("--show", type=int, default=5, help="disagreements that are printed")
    parser.add_argument("--small", action="store_true", help="small worlds only, whose faults are easy to read")
    parser.add_argument("--keep", action="store_true", help="keep steerd's folders")
    parser.add_argument("--bin", default=os.environ.get("STEERD_BIN") or os.path.join(HERE, "../../build/dev/bin"))
    options = parser.parse_args()
    tally, begin, played = Tally(options), time.monotonic(), 0
    while played < options.rounds if options.seconds is None else time.monotonic() - begin < options.seconds:
        play(options, options.seed + played, tally)
        played += 1
    tally.report(played, time.monotonic() - begin)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"judge: {failure}", file=sys.stderr)
        sys.exit(1)
