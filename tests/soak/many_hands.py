#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many commands at once on the same few images.

    many_hands.py [--seconds S] [--workers N] [--seed S]

N workers load, import, commit, tag, remove, prune, save, list and run images that share layers and names. A command
may fail only with one of the conflicts that docker reports as well: an image that is not there (any more), or that
is in use. None may take longer than half a minute. Each worker also gives names of its own, which nobody else
touches: each must mean the image that it was given to, then and at the end.

Afterwards `system check --full` finds nothing, and when all images have gone, so have their files.
"""
import argparse
import collections
import json
import pathlib
import random
import re
import shutil
import sys
import threading
import time

from harness import Failure, State, report
from images import StoreView, docker_archive, entry, layer_tar

SHARED = ["s%d:1" % i for i in range(4)]
LONGEST = 30
ORDINARY = re.compile(r"No such image|No such container|conflict: unable to|is being used by|reference does not exist|"
                      r"a prune operation is already running|must be forced|Unable to find image|registries are not there yet")


class Inputs:
    """Archives that share a lower layer, and the ids of their images."""

    def __init__(self, folder):
        busybox = pathlib.Path(shutil.which("busybox")).read_bytes()
        base = layer_tar([entry("bin/", mode=0o755), entry("bin/busybox", busybox, 0o755), entry("bin/true", link="busybox"),
                          entry("etc/", mode=0o755)])
        self.loads = {}
        for i, name in enumerate(SHARED):
            layers = [base] + [layer_tar([entry("layer-%d" % n, b"%d" % n * 9000)]) for n in range(i + 1)]
            self.loads[name] = (folder / ("%d.tar" % i), docker_archive(folder / ("%d.tar" % i), name, layers))
        docker_archive(folder / "keep.tar", "keep:1", [base])
        self.keep, self.root = folder / "keep.tar", folder / "root.tar"
        self.root.write_bytes(base)


class Worker(threading.Thread):
    def __init__(self, number, state, inputs, end, seed):
        super().__init__()
        self.number, self.state, self.inputs, self.end = number, state, inputs, end
        self.rng = random.Random(seed * 1000 + number)
        self.mine, self.bad = {}, []
        self.counts, self.refused, self.longest = collections.Counter(), 0, 0.0
        self.out = state.folder / ("out-%d.tar" % number)

    def call(self, *argv):
        """Standard output, or None when the command was refused as docker would."""
        began = time.monotonic()
        done = self.state(*argv, timeout=LONGEST)
        self.longest = max(self.longest, time.monotonic() - began)
        self.counts[argv[0]] += 1
        if done.returncode == 0:
            return done.stdout.strip()
        if done.returncode > 125 or not ORDINARY.search(done.stderr):
            raise Failure("%s: status %d: %s" % (" ".join(map(str, argv)), done.returncode, done.stderr.strip()[:300]))
        self.refused += 1
        return None

    # Each takes a shared name.

    def load(self, name):
        self.call("load", "-q", "-i", str(self.inputs.loads[name][0]))

    def import_(self, name):
        self.call("import", str(self.inputs.root), name)

    def commit(self, name):
        self.call("commit", "c%d" % self.number, name)

    def tag(self, name):
        self.call("tag", name, self.rng.choice(SHARED))

    def rmi(self, name):
        self.call("rmi", *(["-f"] if self.rng.random() < 0.3 else []), name)

    def prune(self, name):
        self.call("image", "prune", "-f")

    def save(self, name):
        self.call("save", "-o", str(self.out), name)

    def run_one(self, name):
        self.call("run", "--rm", "--network", "none", name, "/bin/true")

    def look(self, name):
        self.call("images", "-q")
        self.call("image", "inspect", name)

    def own(self, name):
        """A name that nobody else touches, for an image that others give away and remove."""
        name = "w%d:%d" % (self.number, self.rng.randrange(3))
        if name in self.mine and self.rng.random() < 0.5:
            self.check_own(name)
            del self.mine[name]
            self.state.ok("rmi", name)
            return
        ident = self.call("import", str(self.inputs.root), name)
        self.mine[name] = ident

    def check_own(self, name):
        got = self.state("image", "inspect", "-f", "{{.Id}}", name).stdout.strip()
        if got != self.mine[name]:
            raise Failure("lost update: %s was given to %s, now %s" % (name, self.mine[name], got or "not there"))

    def run(self):
        actions = [self.load, self.load, self.import_, self.commit, self.tag, self.rmi, self.rmi, self.prune, self.save,
                   self.run_one, self.look, self.own]
        while time.monotonic() < self.end:
            try:
                self.rng.choice(actions)(self.rng.choice(SHARED))
            except Failure as e:
                self.bad.append(str(e))


def check_mirror(state):
    """index.json names what the index names."""
    mirror = json.loads((state.root / "index.json").read_text())
    names = {m["annotations"]["io.containerd.image.name"] for m in mirror["manifests"]}
    listed = {n if "/" in n else "docker.io/library/" + n for n in StoreView(state).listed() if "<none>" not in n}
    if names != listed:
        raise Failure("index.json names %s, the index %s" % (sorted(names - listed), sorted(listed - names)))


def finish(state, view, workers, baseline):
    """After the storm: everything agrees, and everything can go."""
    for w in workers:
        for name in w.mine:
            w.check_own(name)
    state.ok("ps")  # removes what had to wait for others' locks
    done = state("system", "check", "--full")
    if done.returncode:
        raise Failure("check --full: " + (done.stdout + done.stderr).strip()[:400])
    check_mirror(state)
    kept = state.ok("images", "-q", "--no-trunc", "keep").split()
    for ident in set(state.ok("images", "-q", "--no-trunc").split()) - set(kept):
        state("rmi", "-f", ident)
    for w in workers:
        state.ok("rm", "-f", "c%d" % w.number)
    state.ok("image", "prune", "-f")
    state.settled()
    left = view.names() ^ baseline
    if left:
        raise Failure("left behind or gone: " + ", ".join(sorted(left)[:6]))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--workers", type=int, default=8)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    state, workers = State(), []
    view = StoreView(state)
    try:
        inputs = Inputs(state.folder)
        state.ok("load", "-q", "-i", str(inputs.keep))
        for i in range(o.workers):
            state.ok("create", "--name", "c%d" % i, "keep:1", "/bin/true")
        state.ok("rm", state.ok("create", "keep:1"))
        baseline = view.names()
        workers = [Worker(i, state, inputs, time.monotonic() + o.seconds, o.seed) for i in range(o.workers)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        bad = [b for w in workers for b in w.bad]
        finish(state, view, workers, baseline)
    except Failure as e:
        bad = [b for w in workers for b in w.bad] + [str(e)]
    finally:
        state.close()
    counts = sum((w.counts for w in workers), collections.Counter())
    report("many hands", [
        "%d workers, %g s, %d commands: %s" % (o.workers, o.seconds, sum(counts.values()),
                                               ", ".join("%d %s" % (n, c) for c, n in sorted(counts.items()))),
        "refused as docker would: %d; the longest took %.1f s" % (
            sum(w.refused for w in workers), max((w.longest for w in workers), default=0)),
        "failures: %d" % len(bad)] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
