#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many builds at once, beside everything that removes what they use.

    build_hands.py [--seconds T] [--workers N] [--seed S] [-v]

N workers share a store. Each does what a seeded die says: it builds one of a few files that share steps, as an image, an
archive or a directory, with the cache or without; or prunes the cache, everything, the images; removes a result, or the
base that all are built on; checks; repairs; or starts a build and kills it.

- A build that is not killed succeeds, whatever happens beside it, and its result is what it is alone.
- What it has tagged is there as long as nobody removes it: each worker has a name of its own, too.
- A check finds nothing. Of refusals only docker's own may come.
- Steps mount caches by all three kinds of sharing: of `locked` and `private` ones each has his alone.
- At the end the store is whole, and when all was removed, nothing is left.
"""
import argparse
import collections
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

from builds import BuildState, Project, trees, wait_end
from harness import Failure, report

TIMEOUT = 120
# In a cache that one has alone, what he wrote is still there a moment later.
ALONE = "read u </proc/sys/kernel/random/uuid && echo $u >/c/mine && sleep 0.0%d && read v </c/mine && [ $u = $v ]"
COMMON = "FROM busybox\nCOPY src/ /src/\nRUN cat /src/a /src/b >/common\n"
FILES = {
    "one": COMMON + "RUN --network=none echo one >/one\n",
    "two": COMMON + "RUN --network=none --mount=type=cache,id=l,sharing=locked,target=/c " + ALONE % 2 + " && echo two >/two\n",
    "three": "FROM busybox AS fat\nCOPY src/ /src/\nRUN cat /src/a /src/b >/common\nRUN --mount=type=cache,id=p,sharing=private,target=/c " +
             ALONE % 1 + " && cp /common /out\nFROM busybox\nCOPY --from=fat /out /out\nADD x.tar /x\n",
    "four": COMMON + "RUN --network=none --mount=type=cache,id=s,target=/c echo x >>/c/f && mkdir /dir\nRUN --network=none rm /common && ln /src/a /dir/a\n",
}
REFUSALS = ("No such image", "is already running", "conflict: unable to", "is using its referenced image")


class Hands(BuildState):
    def __init__(self):
        super().__init__()
        self.projects, self.ids, self.archives, self.files = {}, {}, {}, {}
        self.counts, self.problems, self.slowest = collections.Counter(), [], 0.0
        for name, text in FILES.items():
            self.projects[name] = Project(self.folder / name / "context", text)
        for name in FILES:
            self.ids[name] = self.ok(*self.argv_of(name, "-t", "%s:1" % name))
            self.ok(*self.argv_of(name, "-o", "type=oci,dest=%s" % (self.folder / "x.oci")))
            self.archives[name] = hashlib.sha256((self.folder / "x.oci").read_bytes()).hexdigest()
            self.ok(*self.argv_of(name, "-o", str(self.folder / "tree" / name)))
            self.files[name] = trees(self.folder / "tree" / name)

    def argv_of(self, name, *options):
        return self.projects[name].argv(*options)


class Worker:
    def __init__(self, state, number, rng):
        self.state, self.number, self.rng = state, number, rng
        self.own = "own%d:1" % number
        self.out = state.folder / ("out%d" % number)
        self.out.mkdir()

    def run(self, *argv):
        began = time.monotonic()
        done = subprocess.run(self.state.argv + list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=TIMEOUT, check=False)
        self.state.slowest = max(self.state.slowest, time.monotonic() - began)
        return done

    def must(self, *argv):
        done = self.run(*argv)
        if done.returncode:
            raise Failure("%s: %s" % (" ".join(argv), done.stderr.strip()[-400:]))
        return done.stdout.strip()

    def may(self, *argv):
        """Docker refuses some things when others do theirs."""
        done = self.run(*argv)
        if done.returncode and not any(r in done.stderr for r in REFUSALS):
            raise Failure("%s: %s" % (" ".join(argv), done.stderr.strip()[-400:]))
        return done

    def options(self):
        return self.rng.choice([[], [], [], ["--no-cache"], ["--jobs", "1"], ["--network", "none"]])[:]

    # ---- what there is to do ----

    def build(self):
        name = self.rng.choice(sorted(FILES))
        more = ["--no-cache"] if self.rng.random() < 0.2 else []
        got = self.must(*self.state.argv_of(name, *more, "-t", "%s:1" % name))
        self.expect(got == self.state.ids[name], "%s is %s" % (name, got))

    def build_own(self):
        """Under a name that nobody else touches, but for who removes everything."""
        name = self.rng.choice(sorted(FILES))
        got = self.must(*self.state.argv_of(name, "-t", self.own))
        self.expect(got == self.state.ids[name], "%s is %s" % (name, got))
        if not self.state.removes_all:
            got = self.must("run", "--rm", "--network", "none", self.own, "cat", "/src/b" if name != "three" else "/x/in/b")
            self.expect(got == "b", "%s has other files: %s" % (name, got))

    def build_nameless(self):
        name = self.rng.choice(sorted(FILES))
        self.expect(self.must(*self.state.argv_of(name)) == self.state.ids[name], name)

    def build_archive(self):
        name, path = self.rng.choice(sorted(FILES)), self.out / "x.oci"
        self.must(*self.state.argv_of(name, "-o", "type=oci,dest=%s" % path))
        self.expect(hashlib.sha256(path.read_bytes()).hexdigest() == self.state.archives[name], "the archive of %s" % name)
        path.unlink()

    def build_tree(self):
        name, path = self.rng.choice(sorted(FILES)), self.out / "tree"
        self.must(*self.state.argv_of(name, "-o", str(path)))
        got, wanted = trees(path), self.state.files[name]
        self.expect(got == wanted, "the files of %s: %s" % (name, sorted(n for n in got.keys() | wanted.keys() if got.get(n) != wanted.get(n))[:5]))
        subprocess.run(["rm", "-rf", path], check=True)

    def build_and_kill(self):
        name = self.rng.choice(sorted(FILES))
        child = self.state.start(*self.state.argv_of(name, "--no-cache", "-t", "%s:1" % name))
        time.sleep(self.rng.random() * 0.15)
        child.send_signal(self.rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
        wait_end(child, "a killed build")

    def prune_cache(self):
        self.may("builder", "prune", *self.rng.choice([["-af"], ["-f"]]))

    def prune_all(self):
        self.may("system", "prune", *(["-af"] if self.state.removes_all else ["-f"]))

    def prune_images(self):
        self.may("image", "prune", "-f")

    def remove_result(self):
        self.may("rmi", *self.rng.choice([[], ["-f"]]), self.rng.choice(sorted(FILES)) + ":1")

    def remove_base(self):
        self.may("rmi", "-f", "busybox")

    def check(self):
        done = self.run("system", "check", *self.rng.choice([[], ["--full"]]))
        wrong = [line for line in done.stdout.splitlines()[:-1] if not line.startswith("name index.json: is not what")]
        self.expect(not wrong, "a check says %s" % wrong[:3])

    def repair(self):
        done = self.run("system", "repair")
        self.expect(done.returncode in (0, 1) and re.search("problems?: .* 0 lost", done.stdout), "a repair says %s %s" % (done.stdout[:300], done.stderr[:300]))

    def look(self):
        self.must(*self.rng.choice([["builder", "du"], ["images"], ["system", "df"], ["ps"], ["builder", "du", "--verbose"]]))

    def expect(self, is_right, what):
        if not is_right:
            raise Failure(what)

    # ---- over and over ----

    TASKS = (("build", 6), ("build_own", 4), ("build_nameless", 2), ("build_archive", 3), ("build_tree", 2), ("build_and_kill", 3),
             ("prune_cache", 2), ("prune_all", 1), ("prune_images", 1), ("remove_result", 2), ("remove_base", 1), ("check", 1), ("repair", 1), ("look", 1))

    def work(self, until):
        names, weights = zip(*self.TASKS)
        while time.monotonic() < until:
            task = self.rng.choices(names, weights)[0]
            try:
                getattr(self, task)()
            except (Failure, subprocess.TimeoutExpired, OSError) as e:
                self.state.problems.append("%s: %s" % (task, str(e)[-700:]))
                print("FAILED " + self.state.problems[-1], file=sys.stderr, flush=True)
            self.state.counts[task] += 1


def end(state, workers):
    state.next_command()
    state.check("--full")
    for name in FILES:
        got = state.ok(*state.argv_of(name, "-t", "%s:1" % name))
        if got != state.ids[name]:
            raise Failure("%s is another in the end: %s" % (name, got))
    state.forget(*["%s:1" % n for n in FILES], *[w.own for w in workers])
    state.ok("system", "prune", "-af")
    left = sorted(state.names())
    if left:
        raise Failure("left: %s" % ", ".join(left[:8]))
    state.check("--full")


def one_round(o, number, removes_all):
    state = Hands()
    state.removes_all = removes_all
    try:
        workers = [Worker(state, i, random.Random("%d %d %d" % (o.seed, number, i))) for i in range(o.workers)]
        until = time.monotonic() + o.seconds / 2
        threads = [threading.Thread(target=w.work, args=(until,)) for w in workers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        try:
            end(state, workers)
        except Failure as e:
            state.problems.append("at the end: %s" % e)
    finally:
        state.close()
    return state


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=float, default=120)
    p.add_argument("--workers", type=int, default=8)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    counts, problems, slowest = collections.Counter(), [], 0.0
    for number, removes_all in enumerate([False, True]):
        state = one_round(o, number, removes_all)
        counts, problems, slowest = counts + state.counts, problems + state.problems, max(slowest, state.slowest)
    report("many builds", [
        "%d workers, %.0f s, %d commands: %s" % (o.workers, o.seconds, sum(counts.values()), ", ".join(
            "%d %s" % (n, re.sub("_", " ", t)) for t, n in sorted(counts.items()))),
        "the longest took %.1f s; seed %d; failures: %d" % (slowest, o.seed, len(problems))] + ["FAILED " + line for line in problems[:30]])
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
