#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 and failing system calls at every changing call of what the build cache does.

    cache_points.py [--points N] [--seed S] [--verb VERB]... [--only "VERB CALL K FAULT"] [-v]

As fault_points.py, but with the cache's own program (tests/component/cache_tool.c) for the verbs: a step's result is
published, or takes the place of an older one; snapshots become layers of an image; a cache is opened; all of it is
pruned. Each point begins with a copy of the same store, on a tmpfs. After it

- a failure was told: the status is not 0, and a sync that failed is always a failure;
- whatever the cache answers for a key is what was published under it, to the last byte, or nothing;
- an image that is listed is whole (`system check --full`, and its layers' files);
- the same verb works at once;
- when the image and the cache have been removed, nothing is left of them.
"""
import argparse
import collections
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from fault_points import FAULTS, SYNCS, TRACED, Point, is_second_sync, is_sqlite_own, points_of
from harness import PROGRAM, Failure, State, read, report, wait_until
from images import docker_archive, entry, layer_tar

TOOL = pathlib.Path(PROGRAM).parent / "tests/component/tare-cache-tool"
TIMEOUT = 20
# Uppers by word: what a key of that word may hold.
CONTENTS = {"one": b"1" * 3000, "two": b"2" * 5000, "new": b"3" * 100000, "other": b"4" * 2000}


def digest_of(folder):
    """Names and contents of a tree."""
    found = hashlib.sha256()
    for p in sorted(pathlib.Path(folder).rglob("*")):
        found.update(str(p.relative_to(folder)).encode() + b"\0" + (p.read_bytes() if p.is_file() else b"/"))
    return found.hexdigest()


class Bench(State):
    """A prepared store, of which each point gets a copy at the same path: one and two are published, and an image
    was made of one."""

    def __init__(self):
        super().__init__(tempfile.mkdtemp(prefix="tare-cache-", dir="/dev/shm"))
        self.log, self.kept = self.folder / "strace.log", self.folder / "kept"
        self.tool_argv = [str(TOOL), str(self.root), str(self.runroot), str(pathlib.Path(PROGRAM).parent)]
        docker_archive(self.folder / "base.tar", "base:1", [layer_tar([entry("base", b"b")])])
        self.ok("load", "-q", "-i", str(self.folder / "base.tar"))
        self.digests = {}
        for word in CONTENTS:
            folder = self.upper(word)
            self.digests[word] = digest_of(folder)
        for word in ("one", "two"):
            self.tool("publish", word, str(self.folder / word))
        self.tool("mount", "cc", "shared")
        self.tool("adopt", "old:1", "zstd", "base:1", "one")
        self.ok("ps")
        self.baseline = self.names()
        self.root.rename(self.kept)

    def upper(self, word):
        folder = self.folder / word
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "dir").mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "dir" / word).write_bytes(CONTENTS[word])
        os.link(folder / "dir" / word, folder / "link")
        return folder

    def fresh(self):
        shutil.rmtree(self.root, ignore_errors=True)
        subprocess.run(["cp", "-a", self.kept, self.root], check=True)
        for word in ("new", "other"):
            self.upper(word)

    def run(self, argv, prefix=()):
        try:
            done = subprocess.run([*prefix, *self.tool_argv, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            raise Failure("hangs") from None
        return done

    def tool(self, *argv):
        done = self.run(argv)
        if done.returncode:
            raise Failure("%s: %s" % (" ".join(argv), done.stderr.strip()))
        return done.stdout.split("\n")[:-1]

    def names(self):
        return {"%s/%s" % (d, p.name) for d in ("layers", "blobs/sha256", "snapshots", "staging", "caches")
                for p in (self.root / d).glob("*")} | {"claims/" + p.name for p in (self.runroot / "claims").glob("*")}

    def settled(self):
        """The next command takes away what was cut short; children of the killed one may still be ending."""
        def is_clean():
            self.ok("ps")
            return not [p for p in self.names() if p.startswith(("staging", "claims"))]
        wait_until(is_clean, "an empty staging directory", 5)

    def check(self):
        done = self("system", "check", "--full")
        # Of names there is this list, too; it is written last, and by the next who changes some.
        wrong = [line for line in done.stdout.splitlines()[:-1] if not line.startswith("name index.json: is not what")]
        if wrong:
            raise Failure("check: " + "; ".join(wrong))

    def check_key(self, key, words):
        place, = self.tool("open", key)
        if place == "none":
            return False
        got = digest_of(place)
        if got not in [self.digests[w] for w in words]:
            raise Failure("%s has files of something else" % key)
        return True


Verb = collections.namedtuple("Verb", "argv expect")
VERBS = {
    # What the keys may hold afterwards, and whether it must be there when the status was 0.
    "publish": Verb(["publish", "new", "{folder}/new"], {"new": ["new"]}),
    "replace": Verb(["publish", "two", "{folder}/other", "replace"], {"two": ["two", "other"]}),
    "replace-layer": Verb(["publish", "one", "{folder}/other", "replace"], {"one": ["one", "other"]}),
    "adopt": Verb(["adopt", "kk:1", "zstd", "base:1", "one", "two"], {}),
    "adopt-copy": Verb(["adopt", "kk:1", "gzip", "base:1", "two", "one"], {}),
    "mount": Verb(["mount", "other", "locked"], {}),
    "prune": Verb(["prune", "all", "0"], {"one": None, "two": None}),
}


def check_answers(bench, verb, status):
    known = {"one": ["one"], "two": ["two"], "new": ["new"]}
    known.update({k: v for k, v in verb.expect.items() if v})
    for key, words in known.items():
        is_there = bench.check_key(key, words)
        if status == 0 and key in verb.expect and is_there != (verb.expect[key] is not None):
            raise Failure("status 0, but %s is %sthere" % (key, "" if is_there else "not "))
    if verb.argv[0] == "publish" and status == 0:
        bench.check_key(verb.argv[1], [pathlib.Path(verb.argv[2]).name])


def check_image(bench, status):
    listed = "kk" in bench.ok("images", "--format", "{{.Repository}}").split()
    if status == 0 and not listed:
        raise Failure("status 0, but the image is not listed")
    if listed:
        bench.ok("save", "-o", str(bench.folder / "x.tar"), "kk:1")


def end(bench, name, verb):
    """Once more without faults, and then away with everything."""
    if name.startswith(("publish", "replace")):
        bench.upper(pathlib.Path(verb.argv[2]).name)
    if name.startswith("adopt"):
        for key in ("one", "two"):
            if bench.tool("open", key) == ["none"]:
                bench.tool("publish", key, str(bench.upper(key)))
    argv = [a.format(folder=bench.folder) for a in verb.argv]
    bench.tool(*argv)
    if name.startswith("adopt"):
        check_image(bench, 0)
        bench.ok("rmi", "kk:1")
    bench.check()
    bench.tool("prune", "all", "0")
    if name.startswith("replace") or "old" in bench.ok("images", "--format", "{{.Repository}}").split():
        bench.ok("rmi", "old:1")
    bench.ok("rmi", "base:1")
    bench.ok("ps")
    if bench.names():
        raise Failure("left: %s" % ", ".join(sorted(bench.names())[:6]))
    bench.check()


def strace(bench, verb, options):
    bench.log.unlink(missing_ok=True)
    return bench.run([a.format(folder=bench.folder) for a in verb.argv], ["strace", "-q", "-y", "-o", str(bench.log), *options])


def enumerate_points(bench, names):
    found = set()
    for name in names:
        bench.fresh()
        done = strace(bench, VERBS[name], ["-e", "trace=" + ",".join(TRACED)])
        if done.returncode:
            raise Failure("clean %s: %s" % (name, done.stderr))
        found |= points_of(name, "cli", read(bench.log))
        check_answers(bench, VERBS[name], 0)
        end(bench, name, VERBS[name])
    return sorted(found)


def is_second(text, injected):
    return bool(injected) and (is_sqlite_own(injected) or is_second_sync(text, injected))


def run_point(bench, point):
    verb = VERBS[point.verb]
    bench.fresh()
    what = "signal=KILL" if point.fault == "KILL" else "error=" + point.fault
    done = strace(bench, verb, ["-e", "trace=" + point.call, "-e", "inject=%s:%s:when=%d" % (point.call, what, point.k)])
    text = read(bench.log)
    injected = next((line for line in text.splitlines() if "(INJECTED)" in line or "killed by SIGKILL" in line), "")
    status = done.returncode
    try:
        if status == 0 and point.call in SYNCS and point.fault not in ("EINTR", "KILL") and injected and not is_second(text, injected):
            raise Failure("status 0 though a sync failed")
        if status > 0 and len(done.stderr.strip().splitlines()) != 1 and point.fault != "KILL":
            raise Failure("status %d: %r" % (status, done.stderr[:300]))
        if not injected and status:
            raise Failure("nothing was injected, but status %d: %s" % (status, done.stderr))
        # Who does not wait for a lock is not interrupted either: it only passes over what is in use.
        told = 1 if point.fault == "KILL" or "LOCK_NB" in injected else status
        bench.settled()
        bench.check()
        check_answers(bench, verb, told)
        if point.verb.startswith("adopt"):
            check_image(bench, told)
        end(bench, point.verb, verb)
    except Failure as e:
        raise Failure("%s (status %d: %s) %s" % (e, status, done.stderr.strip()[:200], injected[:200])) from None
    return bool(injected)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--points", type=int, default=100000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--verb", action="append", choices=sorted(VERBS))
    p.add_argument("--fault", action="append", choices=FAULTS)
    p.add_argument("--only")
    p.add_argument("-v", action="store_true", dest="verbose")
    o = p.parse_args()
    bench, bad, fired = Bench(), [], collections.Counter()
    try:
        points = [q for q in enumerate_points(bench, o.verb or sorted(VERBS)) if not o.fault or q.fault in o.fault]
        total = len(points)
        if o.only:
            verb, call, k, fault = o.only.split()
            points = [Point(verb, "cli", call, int(k), fault)]
        elif len(points) > o.points:
            points = random.Random(o.seed).sample(points, o.points)
        for point in points:
            try:
                fired[point.verb] += run_point(bench, point)
            except Failure as e:
                bad.append("%s %s %d %s: %s" % (point.verb, point.call, point.k, point.fault, e))
                print("FAILED " + bad[-1], file=sys.stderr, flush=True)
            if o.verbose:
                print(*point, flush=True)
    finally:
        bench.close()
    if sum(fired.values()) < len(points) * 0.9:
        bad.append("only %d of %d faults took place" % (sum(fired.values()), len(points)))
    report("build cache, faults", ["%d points of %d (%s): wrong or left behind: %d" % (
        len(points), total, ", ".join("%s %d" % i for i in sorted(fired.items())), len(bad))] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
