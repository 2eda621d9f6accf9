#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random verbs from many sides on the same few containers.

    shared_names.py [--seconds S] [--workers N] [--seed S]

N (8) workers create, start, stop, kill, pause, restart, update, rename, exec into, copy from, remove ... containers
that all go by the same 40 names, for S (600) seconds. A command may fail only as docker's would: because the
container is not there (any more), or is not in a state for it. None may take longer than half a minute.

No update is lost: an id that `create` printed is listed until somebody's `rm` of it was acknowledged, and not
after; and beside the shared ones each worker has a container of its own, which nobody else touches, where whatever
was acknowledged last must be what `inspect` shows. Afterwards `system check` finds nothing, and nothing is left.
"""
import argparse
import collections
import json
import random
import re
import sys
import threading
import time

from harness import Failure, State, report

NAMES = ["n%d" % i for i in range(40)]
LONGEST = 30
ORDINARY = re.compile(
    r"No such (container|object)|is not running|is already in use|is already paused|is not paused|is paused|"
    r"container is running|not running|is restarting|removal of container .* is already in progress|is busy|"
    r"cannot exec in a (stopped|paused)|stop the container before|unpause|must be different|"
    r"Could not find the file|already exists|marked for removal|Renaming a container with the same name", re.I)
STATUS_OF_EXEC = {126, 127, 137, 255}


class Book:
    """Who exists, by what the commands acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.made, self.gone = set(), set()

    def add(self, container):
        with self.lock:
            self.made.add(container)

    def remove(self, container):
        with self.lock:
            self.gone.add(container)


class Worker(threading.Thread):
    def __init__(self, number, state, book, end, seed):
        super().__init__()
        self.number, self.state, self.book, self.end = number, state, book, end
        self.rng = random.Random(seed * 1000 + number)
        self.counts, self.refused, self.longest, self.bad = collections.Counter(), 0, 0.0, []
        self.own, self.turn = "own%d" % number, 0

    def call(self, *argv):
        """Standard output, or None when it was refused as docker would refuse it."""
        began = time.monotonic()
        done = self.state(*argv, timeout=LONGEST)
        self.longest = max(self.longest, time.monotonic() - began)
        self.counts[argv[0]] += 1
        if done.returncode == 0:
            return done.stdout.strip()
        if not ORDINARY.search(done.stderr) and not (argv[0] == "exec" and done.returncode in STATUS_OF_EXEC):
            raise Failure("%s: status %d: %s" % (" ".join(argv), done.returncode, done.stderr.strip()[:300]))
        self.refused += 1
        return None

    def create(self, name):
        made = self.call("create", "--name", name, "busybox", "sleep", "1000")
        if made:
            self.book.add(made)

    def run_(self, name):
        made = self.call("run", "-d", "--name", name, "busybox", "sh", "-c", "sleep 1; exit 3")
        if made:
            self.book.add(made)

    def remove(self, name):
        """By id: what is removed is known then."""
        found = self.call("inspect", "-f", "{{.Id}}", name)
        if found and re.fullmatch("[0-9a-f]{64}", found) and self.call("rm", "-f", found):
            self.book.remove(found)

    def rename(self, name):
        self.call("rename", name, self.rng.choice(NAMES))

    def own_life(self, _):
        """What is acknowledged is what is shown."""
        self.turn += 1
        value = self.turn * 4096 + (64 << 20)
        self.call("update", "--memory", str(value), "--memory-swap", "-1", self.own)
        shown = self.call("inspect", "-f", "{{.HostConfig.Memory}} {{.State.Status}} {{.Name}}", self.own)
        if shown != "%d running /%s" % (value, self.own):
            raise Failure("updated %s to %d, shown is %r" % (self.own, value, shown))
        new = "own%d-%d" % (self.number, self.turn)
        if self.call("rename", self.own, new) is None:
            raise Failure("rename of %s was refused" % self.own)
        self.own = new
        if self.call("exec", self.own, "echo", new) != new:
            raise Failure("exec in %s" % self.own)

    def simple(self, *argv):
        return lambda name: self.call(*[name if a is None else a for a in argv])

    def run(self):
        try:
            if self.call("run", "-d", "--name", self.own, "busybox", "sleep", "100000") is None:
                raise Failure("%s could not be made" % self.own)
            verbs = [self.create, self.create, self.run_, self.remove, self.remove, self.rename, self.own_life,
                     self.simple("start", None), self.simple("start", None), self.simple("stop", "-t", "0", None),
                     self.simple("kill", None), self.simple("pause", None), self.simple("unpause", None),
                     self.simple("restart", "-t", "0", None), self.simple("exec", None, "true"),
                     self.simple("inspect", None), self.simple("logs", None), self.simple("top", None),
                     self.simple("stats", "--no-stream", None), self.simple("diff", None),
                     lambda name: self.call("cp", name + ":/etc/passwd", "-"), self.simple("update", "--cpu-shares", "512", None),
                     self.simple("ps", "-a")]
            while time.monotonic() < self.end and not self.bad:
                self.rng.choice(verbs)(self.rng.choice(NAMES))
        except Failure as e:
            self.bad.append("worker %d: %s" % (self.number, e))


def listed_ids(state):
    return {container for container, _ in state.list().values()}


def settle(state, book, workers):
    """After the last command: the listing is what was acknowledged."""
    bad = []
    ids = listed_ids(state)
    own = {json.loads(state.ok("inspect", w.own))[0]["Id"] for w in workers}
    for container in sorted(book.made - book.gone - ids):
        bad.append("%s was created and is gone, though nobody's rm says so" % container[:12])
    for container in sorted(book.gone & ids):
        bad.append("%s was removed and is listed" % container[:12])
    for container in sorted(ids - book.made - own):
        bad.append("%s is listed and nobody made it" % container[:12])
    check = state("system", "check", timeout=120)
    if check.returncode:
        bad.append("system check: " + (check.stdout + check.stderr)[:500])
    state.note()
    state.ok("rm", "-f", *ids, timeout=300)
    state.settled()
    return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=600)
    p.add_argument("--workers", type=int, default=8)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    state, bad, workers = State(), [], []
    try:
        state.ok("run", "--rm", "busybox", "true")
        book, end = Book(), time.monotonic() + o.seconds
        workers = [Worker(n, state, book, end, o.seed) for n in range(o.workers)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        bad = [b for w in workers for b in w.bad]
        bad = bad or settle(state, book, workers)
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    counts = sum((w.counts for w in workers), collections.Counter())
    report("shared names", ["%d workers, %g s, %d commands: %s" % (o.workers, o.seconds, sum(counts.values()),
                            ", ".join("%d %s" % (n, verb) for verb, n in sorted(counts.items()))),
                            "refused as docker would: %d; the longest took %.1f s; seed %d"
                            % (sum(w.refused for w in workers), max((w.longest for w in workers), default=0), o.seed),
                            "failures: %d" % len(bad)] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
