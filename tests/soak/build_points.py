#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9, failing system calls and too little memory at every changing call of whole builds.

    build_points.py [--points N] [--seed S] [--jobs N] [--verb VERB]... [--fault FAULT]... [--only POINT] [-v]

As fault_points.py, with builds for the verbs: steps of all kinds made anew, made again without the cache, or taken from
it and made layers of an image, an archive, a directory; caches of steps handed on and taken in; all of it pruned. Each
point begins with a copy of the same store, on a tmpfs. Of the roles, `cli` is the builder and `child` whatever it
starts: workers of COPY and ADD, packers of layers, the process that becomes a RUN's command, until it is that. With
the call `as` the builder has K KiB of address space, with `nofile` K descriptors.

After each point:
- a failure was told: the status is not 0, with a line of the reason;
- with status 0 the result is what it is without faults;
- the next command finds nothing in its way, and after it nothing is left: no staging, claim, pending entry, process,
  control group, lease, link or mount;
- `system check` is content; the same command works at once, and the image has the ID that it has everywhere;
- when the image and the cache have been removed, nothing is left of them;
- the secret stands nowhere in the store.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

from builds import SECRET, BuildState, Project, trees
from fault_points import FAULTS, TRACED, Point, choose, faults_of, note_opened
from harness import Failure, read, report

TIMEOUT = 60
LIMITS = {"as": [8000 + 1500 * i for i in range(60)], "nofile": list(range(3, 70))}

Verb = collections.namedtuple("Verb", "store options makes_image output", defaults=(False, None))
VERBS = {
    # store: which of the prepared ones it begins with
    "image": Verb("empty", ["-t", "kk:1"], True),
    "adopt": Verb("steps", ["-t", "kk:1"], True),
    "again": Verb("image", ["--no-cache", "-t", "kk:1"], True),
    "squash": Verb("steps", ["--squash", "-t", "sq:1"]),
    "local": Verb("steps", ["-o", "{out}/tree"], False, "tree"),
    "oci": Verb("steps", ["-o", "type=oci,dest={out}/x.oci"], False, "x.oci"),
    "cache-to": Verb("steps", ["-t", "kk:1", "--cache-to", "type=local,dest={out}/cache,mounts=true"], True),
    "cache-from": Verb("empty", ["-t", "kk:1", "--cache-from", "type=local,src={folder}/cache"], True),
    "prune": Verb("image", None),
}


class Bench(BuildState):
    def __init__(self):
        super().__init__(tempfile.mkdtemp(prefix="tare-builds-", dir="/dev/shm"))
        self.log, self.out = self.folder / "strace.log", self.folder / "out"
        self.project = Project(self.folder / "context")
        self.expected = {}
        self.ok("run", "--rm", "busybox", "true")
        self.baseline = self.names()
        self.keep("empty")
        self.out.mkdir()
        self.ok(*self.project.argv("-o", str(self.out / "tree")))
        self.keep("steps")
        self.ok(*self.project.argv("-t", "kk:1", "--cache-to", "type=local,dest=%s,mounts=true" % (self.folder / "cache")))
        self.image = self.image_id("kk:1")
        self.keep("image")

    def keep(self, name):
        subprocess.run(["cp", "-a", self.root, self.folder / ("kept-" + name)], check=True)

    def fresh(self, name):
        for folder in (self.root, self.out):
            shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-a", self.folder / ("kept-" + name), self.root], check=True)
        self.out.mkdir()

    def argv_of(self, verb):
        if verb.options is None:
            return ["builder", "prune", "-af"]
        return self.project.argv(*[o.format(out=self.out, folder=self.folder) for o in verb.options])

    def call(self, argv, prefix=()):
        try:
            done = subprocess.run([*prefix, *self.argv, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, errors="replace", timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            raise Failure("hangs") from None
        return done

    def result_of(self, verb):
        """What the verb has made, None when it is not there."""
        if verb.output:
            path = self.out / verb.output
            return trees(path) if path.is_dir() else path.read_bytes() if path.exists() else None
        if verb.makes_image:
            return self.image_id("kk:1") or None
        if verb.options is None:
            return sorted(self.names())
        return self.image_id("sq:1") or None


# ---------------------------------------------------------------- the points

def lines_of(text):
    """(task, call, rest) of each call that begins."""
    return re.findall(r"^(\d+) +(\w+)\((.*)$", text, re.M)


def users_tasks(text):
    """{task: line} from which on a task is a RUN's command, or what that started: no business of the builder's."""
    users = {}
    for number, line in enumerate(text.splitlines()):
        m = re.match(r"(\d+) +(.*)", line)
        if not m:
            continue
        task, rest = m.groups()
        if rest.startswith('execve("/bin/sh"'):
            users.setdefault(task, number)
        born = re.search(r"(?:clone3?|v?fork)(?:\(| resumed).*= (\d+)$", rest)
        if born and task in users:
            users.setdefault(born.group(1), 0)
    return users


def points_of(verb, text):
    """Whoever is the first to reach the K-th call gets it: the role says who that is. Whole lines only."""
    users, counts, opened, first = users_tasks(text), collections.Counter(), {}, {}
    main = re.match(r"\d+", text).group()
    for number, line in enumerate(text.splitlines()):
        for task, call, rest in lines_of(line):
            counts[task, call] += 1
            mine = opened.setdefault(task, set())
            note_opened(call, rest, mine)
            if (call, counts[task, call]) in first:
                continue
            is_users = number >= users.get(task, 1 << 60)
            first[call, counts[task, call]] = (None if is_users else "cli" if task == main else "child", faults_of(call, rest, mine))
    return {Point(verb, role, call, k, fault) for (call, k), (role, faults) in first.items() if role for fault in faults}


def enumerate_points(bench, names):
    found = set()
    for name in names:
        verb = VERBS[name]
        bench.fresh(verb.store)
        done = bench.call(bench.argv_of(verb), ["strace", "-f", "-q", "-y", "-o", str(bench.log), "-e", "trace=execve," + ",".join(TRACED)])
        if done.returncode:
            raise Failure("clean %s: %s" % (name, done.stderr))
        found |= points_of(name, read(bench.log))
        found |= {Point(name, "cli", call, k, "LIMIT") for call, values in LIMITS.items() for k in values}
        bench.expected[name] = bench.result_of(verb)
        try:
            settle(bench, name)
        except Failure as e:
            raise Failure("clean %s: %s" % (name, e)) from None
    return sorted(found)


# ---------------------------------------------------------------- one point

def prefix_of(bench, point):
    if point.fault == "LIMIT":
        return ["prlimit", "--as=%d" % (point.k << 10) if point.call == "as" else "--nofile=%d" % point.k]
    what = "signal=KILL" if point.fault == "KILL" else "error=" + point.fault
    # Of the builder alone, the others are not even traced.
    more = ["-f"] if point.role == "child" else []
    return ["strace", *more, "-q", "-y", "-o", str(bench.log), "-e", "trace=execve," + point.call,
            "-e", "inject=%s:%s:when=%d" % (point.call, what, point.k)]


def is_main_hit(point, text):
    """strace counts for each task, so the builder may come to its own K-th call, too; at last when it tells."""
    main = text.split(" ")[0]
    return point.role == "child" and re.search(r"^%s .*(\(INJECTED\)|killed by SIGKILL)" % main, text, re.M)


def check_told(point, done, text, result, expected):
    status = done.returncode
    if status == 0:
        if point.verb == "prune" and point.fault in ("EMFILE", "EIO", "EINTR"):
            return  # what it cannot look at, somebody may be using
        if result != expected:
            raise Failure("status 0, but the result is another")
    elif not is_main_hit(point, text) and (point.fault != "KILL" or point.role != "cli"):
        if not 0 < status < 128:
            raise Failure("ended by a signal")
        lines = [line for line in done.stderr.splitlines() if re.match(r"ERROR: .{8}|tare: .{8}", line)]
        if len(lines) != 1:
            raise Failure("the reason is told in %d lines" % len(lines))
        if "the build cannot go on" in lines[0]:
            raise Failure("no reason is told")


def settle(bench, name):
    """The same command works at once, and what it makes is right; and then away with it."""
    verb = VERBS[name]
    if verb.output:
        shutil.rmtree(bench.out)
        bench.out.mkdir()
    done = bench.call(bench.argv_of(verb))
    if done.returncode:
        raise Failure("the next one: %s" % done.stderr.strip()[-300:])
    if name != "prune" and bench.result_of(verb) != bench.expected[name]:
        raise Failure("the next one makes something else: %.300s, not %.300s" % (bench.result_of(verb), bench.expected[name]))
    bench.ok(*bench.project.argv("-t", "kk:1"))
    if bench.image_id("kk:1") != bench.image:
        raise Failure("the image is another one")
    bench.check("--full")
    stored = bench.search(SECRET)
    if stored:
        raise Failure("the secret is in %s" % stored[0])
    bench.forget("kk:1", "sq:1")
    left = bench.names() ^ bench.baseline
    if left:
        raise Failure("left or gone at the end: %s" % ", ".join(sorted(left)[:6]))


def is_users_own(text):
    """Whether the fault came to the command of a RUN: what that makes of it is its own affair."""
    users = users_tasks(text)
    return any(number >= users.get(line.split(" ")[0], 1 << 60) for number, line in enumerate(text.splitlines())
               if "(INJECTED)" in line or "killed by SIGKILL" in line)


def run_point(bench, point):
    """Whether the fault took place."""
    verb = VERBS[point.verb]
    bench.fresh(verb.store)
    bench.log.write_text("")
    done = bench.call(bench.argv_of(verb), prefix_of(bench, point))
    text = read(bench.log)
    injected = [line for line in text.splitlines() if "(INJECTED)" in line or "killed by SIGKILL" in line]
    try:
        # What could not be removed stays until somebody wants its place.
        bench.next_command(("claims/", "lease ") if point.call.startswith("unlink") and point.fault != "KILL" else "none")
        bench.check()
        if point.fault == "LIMIT" or (injected and not (point.role == "child" and is_users_own(text))):
            check_told(point, done, text, bench.result_of(verb) if done.returncode == 0 else None, bench.expected[point.verb])
        elif not injected and done.returncode:
            raise Failure("nothing was injected")
        if not (injected and point.role == "child" and is_users_own(text)):
            settle(bench, point.verb)
    except Failure as e:
        raise Failure("%s (status %d: %s) %s" % (e, done.returncode, done.stderr.strip()[-300:], " ".join(injected[:1])[:200])) from None
    return bool(injected) or point.fault == "LIMIT"


class Worker:
    """Runs points in one bench."""

    def __init__(self, names, verbose):
        self.names, self.verbose, self.fired, self.bad = names, verbose, collections.Counter(), []

    def run(self, points, bench):
        try:
            for point in points:
                try:
                    took_place = run_point(bench, point)
                    self.fired[point.verb, "KILL" if point.fault == "KILL" else "other"] += took_place
                    if self.verbose:
                        print(*point, "" if took_place else "not reached", flush=True)
                except Failure as e:
                    self.bad.append("%s: %s" % (" ".join(map(str, point)), e))
                    print("FAILED " + self.bad[-1], file=sys.stderr, flush=True)
                    shutil.rmtree(bench.runroot, ignore_errors=True)
        finally:
            bench.close()
        return self


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--points", type=int, default=3000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--verb", action="append", choices=sorted(VERBS))
    p.add_argument("--role", choices=["cli", "child"])
    p.add_argument("--fault", action="append", choices=FAULTS + ("LIMIT",))
    p.add_argument("--only", help='"VERB ROLE CALL K FAULT"')
    p.add_argument("-v", action="store_true")
    return p.parse_args()


def one_job(o, names, job):
    """Every bench finds the same points, as the command is the same."""
    bench = Bench()
    try:
        everything = enumerate_points(bench, names)
    except BaseException:
        bench.close()
        raise
    wanted = [p for p in everything if (not o.fault or p.fault in o.fault) and (not o.role or p.role == o.role)]
    if o.only:
        verb, role, call, k, fault = o.only.split()
        chosen = [Point(verb, role, call, int(k), fault)] if job == 0 else []
    else:
        chosen = choose(wanted, o.points, random.Random(o.seed))[job::o.jobs]
    return len(chosen), len(wanted), Worker(names, o.v).run(chosen, bench)


def main():
    o = arguments()
    began, bad, fired, tried, total = time.monotonic(), [], collections.Counter(), 0, 0
    names = o.verb or sorted(VERBS)
    if o.only:
        names = [o.only.split()[0]]
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for n, total, worker in pool.map(lambda i: one_job(o, names, i), range(o.jobs)):
            tried, fired, bad = tried + n, fired + worker.fired, bad + worker.bad
    if sum(fired.values()) < 0.9 * (tried - len(bad)):
        bad.append("only %d of %d faults took place" % (sum(fired.values()), tried))
    kills = sum(n for (_, fault), n in fired.items() if fault == "KILL")
    groups = ", ".join("%s %d" % (name, sum(n for (v, _), n in fired.items() if v == name)) for name in names)
    report("builds, faults", [
        "%d points of %d took place, %d of them kills: %s" % (sum(fired.values()), total, kills, groups),
        "faults: %s, LIMIT; seed %d, %.0f s, failures: %d" % (", ".join(FAULTS), o.seed, time.monotonic() - began, len(bad))] +
        ["FAILED " + line for line in bad[:40]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
