#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many commands at once, and nothing left.

    storm.py [--count N] [--batch B] [--rounds R]

`run --rm` N times in batches of B, each printing its own number; R rounds of 64 at once; and the races of
people: one name from twenty sides, two starts, two removals, a stop beside a removal, Ctrl-C at any moment.
"""
import argparse
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import time

from harness import Failure, State, report, wait_until


def numbered(state, n):
    done = state("run", "--rm", "busybox", "echo", str(n), timeout=120)
    return [] if done.returncode == 0 and done.stdout == "%d\n" % n else \
        ["container %d: %d %r %s" % (n, done.returncode, done.stdout, done.stderr.strip())]


def storm(state, count, batch):
    bad = []
    with concurrent.futures.ThreadPoolExecutor(batch) as pool:
        for first in range(0, count, batch):
            for lines in pool.map(lambda n: numbered(state, n), range(first, min(count, first + batch))):
                bad += lines
    if state.list():
        bad.append("still listed: %s" % list(state.list())[:5])
    state.settled()
    return bad


def together(state, *commands):
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda c: state(*c), commands))


def race_name(state, rng):
    done = together(state, *[["run", "-d", "--name", "one", "busybox", "sleep", "1000"]] * 20)
    won = [d for d in done if d.returncode == 0]
    lost = [d for d in done if d.returncode == 125 and "is already in use by container" in d.stderr]
    state.ok("rm", "-f", "one")
    return [] if len(won) == 1 and len(lost) == 19 else \
        ["one name: %d won, %d refused of 20: %s" % (len(won), len(lost), [d.stderr for d in done if d not in won + lost][:2])]


def race_start(state, rng):
    state.ok("create", "--name", "two", "busybox", "sleep", "1000")
    done = together(state, *[["start", "two"]] * 4)
    bad = [d.stderr for d in done if d.returncode]
    if state.list()["two"][1] != "running":
        bad.append("started, but " + state.list()["two"][1])
    state.ok("rm", "-f", "two")
    return ["start: " + b for b in bad]


def race_remove(state, rng):
    state.ok("run", "-d", "--name", "two", "busybox", "sleep", "1000")
    done = together(state, ["rm", "-f", "two"], ["rm", "-f", "two"], ["stop", "-t", "0", "two"])
    bad = [d.stderr for d in done[:2] if d.returncode]
    bad += [done[2].stderr] if done[2].returncode and "No such container" not in done[2].stderr else []
    return ["removal: " + b for b in bad]


def race_remove_auto(state, rng):
    state.ok("run", "-d", "--rm", "--name", "two", "busybox", "sleep", "1000")
    done = together(state, ["stop", "-t", "0", "two"], ["rm", "-f", "two"])
    wait_until(lambda: not state.list(), "a container of --rm to go")
    return ["--rm: " + d.stderr for d in done if d.returncode and "No such container" not in d.stderr]


def race_interrupt(state, rng):
    """SIGINT at a moment of no choosing: the command ends, what it began goes."""
    child = state.start("run", "--rm", "busybox", "sh", "-c", "trap 'exit 7' INT; for i in 1 2 3 4 5 6; do sleep 0.01; done")
    try:
        child.wait(rng.random() * 0.06)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return ["Ctrl-C: run hangs"]
    wait_until(lambda: not state.list(), "an interrupted run to be gone")
    return []


RACES = [race_name, race_start, race_remove, race_remove_auto, race_interrupt]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=500)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--races", type=int, default=20)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    rng = random.Random(o.seed)
    state = State()
    began, bad = time.monotonic(), []
    try:
        state.ok("run", "--rm", "busybox", "true")
        bad += storm(state, o.count, o.batch)
        seconds = time.monotonic() - began
        for _ in range(o.rounds):
            bad += storm(state, 64, 64)
        for race in RACES:
            for _ in range(o.races):
                bad += race(state, rng)
            state.note()
            state.settled()
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    report("storm", ["%d `run --rm` in batches of %d: %.1f s; %d rounds of 64 at once; %d x %s" %
                     (o.count, o.batch, seconds, o.rounds, o.races, ", ".join(r.__name__[5:] for r in RACES)),
                     "failures and leftovers: %d" % len(bad)] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
