#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""System calls that fail, and kill -9, at every changing call of the commands that bring images in and out.

    fault_points.py [--points N] [--seed S] [--jobs N] [--shard I/N] [--verb VERB]... [--only POINT] [-v]

A point is (verb, role, call, K, fault): the K-th CALL of the command (`cli`) or of its helper that unpacks
(`helper`) fails with ENOSPC, EIO, EMFILE or EINTR without being executed, or the process gets SIGKILL there; by
strace's injection, whose count is one per call and per task. A clean run of each verb gives the list of all points;
the seed draws N of them, as many from each verb as it has. For the helper, a script takes its place beside a copy of
the program and runs the real one under strace.

After each point:
- a failure is told: the status is not 0, with one line; status 0 is right only when everything is as if nothing
  had happened. A sync that failed is always a failure;
- what is listed is whole: each layer's tree is compared with that of the clean run;
- the same command works at once;
- when its result has been removed and `image prune` was run, the store's directories have the names they had before,
  and `system check` is content; at the end `system check --full`.

Everything lies on a tmpfs: these points are about order and reports, not about the disk (power_cut.py is).
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

from harness import PROGRAM, Failure, State, parse_log, read, report
from images import StoreView, docker_archive, entry, hello_layers, layer_tar

# What makes, changes or removes something that outlives the process.
WRITING = ("write pwrite64 writev pwritev fsync fdatasync syncfs rename renameat renameat2 link linkat unlink unlinkat "
           "rmdir mkdir mkdirat mknod mknodat symlink symlinkat chown lchown fchown fchownat chmod fchmod fchmodat "
           "utimensat setxattr lsetxattr fsetxattr truncate ftruncate fallocate copy_file_range sendfile "
           "splice clone clone3 vfork unshare setns mount umount2 fsopen fsconfig fsmount move_mount open_tree "
           "mount_setattr").split()
# Calls that make a descriptor; EMFILE is about them.
OPENING = "openat openat2 pipe2 dup dup2 dup3 memfd_create eventfd2 epoll_create1 socketpair pidfd_open".split()
# Where a signal may arrive.
WAITING = "flock wait4 waitid poll ppoll read".split()
SYNCS = ("fsync", "fdatasync", "syncfs")
FAULTS = ("ENOSPC", "EIO", "EMFILE", "EINTR", "KILL")
TRACED = WRITING + OPENING + WAITING + ["close"]
TIMEOUT = 20

Point = collections.namedtuple("Point", "verb role call k fault")


# ---------------------------------------------------------------- what is run

class Bench(State):
    """A state on a tmpfs, with the inputs of the verbs and the copy of the program whose helper is traced."""

    def __init__(self):
        super().__init__(tempfile.mkdtemp(prefix="tare-fault-", dir="/dev/shm"))
        self.view = StoreView(self)
        self.files, self.out = self.folder / "files", self.folder / "out"
        self.files.mkdir()
        self.out.mkdir()
        beside = pathlib.Path(PROGRAM).parent
        program = (beside / "images" / "hello").read_bytes()
        base, other = hello_layers(program), hello_layers(program, b"other\n")
        (self.files / "root.tar").write_bytes(other[0])
        docker_archive(self.files / "base.tar", "base:1", base)
        docker_archive(self.files / "image.tar", "kk:1", other)
        docker_archive(self.files / "above.tar", "kk:1", base + [layer_tar([entry("third", b"3\n")])])
        self.make_program(beside)
        self.log = self.folder / "strace.log"
        self.expected = {}

    def make_program(self, beside):
        home = self.folder / "bin"
        home.mkdir()
        shutil.copy2(PROGRAM, home / "tare")
        for name in ("tare-seccomp", "tare-logz", "tare-dns", "images"):
            (home / name).symlink_to(beside / name)
        helper = home / "tare-unpack"
        # -D: the real helper is the program's child, and its status the one the program sees.
        helper.write_text("#!/bin/sh\nread -r options <%s/inject\nexec %s -D -f -q -y -o %s/helper.$$ $options %s \"$@\"\n" % (
            home, shutil.which("strace"), self.folder, beside / "tare-unpack"))
        helper.chmod(0o755)
        self.traced_helper = [str(home / "tare")] + self.argv[1:]

    def strace(self, role, options, verb):
        """Runs the command with its role traced; (status, standard error)."""
        argv = verb.argv
        for old in list(self.folder.glob("helper.*")) + [self.log]:
            old.unlink(missing_ok=True)
        if role == "helper":
            (self.folder / "bin" / "inject").write_text(" ".join(options) + "\n")
            argv = self.traced_helper + argv
        else:
            argv = ["strace", "-q", "-y", "-o", str(self.log)] + options + self.argv + argv
        return self.call(argv, verb)

    def call(self, argv, verb):
        """(status, standard error); standard output becomes the verb's output where that is one."""
        with open(self.out / verb.output if verb.stdout else os.devnull, "wb") as to:
            try:
                done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=to, stderr=subprocess.PIPE, timeout=TIMEOUT,
                                      text=True, errors="replace")
            except subprocess.TimeoutExpired:
                raise Failure("hangs") from None
        return done.returncode, done.stderr

    def learn(self, name, verb):
        """What a clean run made is what every other must make. What it wrote must be an image again."""
        if verb.result and not verb.removes:
            self.expected[name] = self.view.hashes(verb.result)
        if verb.output:
            self.expected[name] = files_of(self.out / verb.output)
            path = self.out / verb.output
            kind = "oci" if path.is_dir() else "oci-archive" if "copy" in verb.argv else "docker-archive"
            self.ok("image", "copy", "-q", "%s:%s:base:1" % (kind, path), "tare:again:1")
            if self.view.hashes("again:1") != self.view.hashes("base:1"):
                raise Failure("%s does not write what it was given" % name)
            self.ok("rmi", "again:1")

    def logs(self, role):
        return [read(p) for p in self.folder.glob("helper.*")] if role == "helper" else [read(self.log)]


def tag_twice(b):
    """kk:1 and, after it lost its name to another image, a nameless one."""
    b.ok("import", str(b.files / "root.tar"), "kk:1")
    b.ok("import", "-m", "other", str(b.files / "root.tar"), "kk:1")


def change_container(b):
    """A container `cc` with a few changes, which commit reads; they are made behind its back."""
    b.ok("create", "--name", "cc", "base:1", "/hello")
    upper = b.root / "containers" / b.list()["cc"][0] / "upper"
    (upper / "new").write_text("new\n" * 500)
    (upper / "etc").mkdir()
    (upper / "etc" / "deep").symlink_to("../new")


def files_of(path):
    """Names and contents of a file or of a tree, {} when there is none."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def clear_out(b):
    """An empty directory for what a verb writes outside of the store."""
    shutil.rmtree(b.out, ignore_errors=True)
    b.out.mkdir()


class Verb:
    """One command. `once` runs when a bench is made, `prepare` before each run. `result` is the image that it makes
    or, for `removes`, takes away; `output` is the file or directory that it writes, below the bench's `out`."""

    def __init__(self, argv, roles=("cli",), prepare=lambda b: None, once=lambda b: None, result=None, removes=False,
                 output=None, stdout=False):
        self.argv, self.roles, self.prepare, self.once = argv, roles, prepare, once
        self.result, self.removes, self.output, self.stdout = result, removes, output, stdout


def verbs(b):
    f, out, both = b.files, b.out, ("cli", "helper")
    importing = lambda b: b.ok("import", str(f / "root.tar"), "kk:1")
    copy = ["image", "copy", "-q"]
    known = {
        "import": Verb(["import", str(f / "root.tar"), "kk:1"], both, result="kk:1"),
        "load": Verb(["load", "-q", "-i", str(f / "image.tar")], both, result="kk:1"),
        "commit": Verb(["commit", "cc", "kk:1"], both, once=change_container, result="kk:1"),
        "rmi": Verb(["rmi", "kk:1"], prepare=importing, result="kk:1", removes=True),
        "prune": Verb(["image", "prune", "-f"], prepare=tag_twice),
        "save": Verb(["save", "-o", str(out / "x.tar"), "base:1"], prepare=clear_out, output="x.tar"),
        "save-pipe": Verb(["save", "base:1"], prepare=clear_out, output="x.tar", stdout=True),
        "copy-oci": Verb(copy + ["tare:base:1", "oci:%s:base:1" % (out / "oci")], prepare=clear_out, output="oci"),
        "copy-archive": Verb(copy + ["tare:base:1", "oci-archive:%s:base:1" % (out / "x.tar")], prepare=clear_out, output="x.tar"),
        "copy-in": Verb(copy + ["docker-archive:%s" % (f / "above.tar"), "tare:kk:1"], both, result="kk:1"),
    }
    return known


# ---------------------------------------------------------------- the points

def is_written_file(opened, rest):
    """Whether close() is of a file that the task opened for writing: only there an error can tell of lost data, and
    injection leaves the descriptor open, which for a pipe or a lock never happens in reality."""
    m = re.match(r"\d+<([^>]*)>", rest)
    return bool(m) and m.group(1) in opened


def faults_of(call, rest, opened):
    if call == "close":
        return ("ENOSPC", "EIO", "EINTR", "KILL") if is_written_file(opened, rest) else ()
    if call in WRITING:
        return FAULTS
    if call in OPENING:
        makes = "O_CREAT" in rest or "O_TMPFILE" in rest
        return FAULTS if makes else ("EIO", "EMFILE", "EINTR")
    return ("EINTR",)


def note_opened(call, rest, opened):
    """Keeps OPENED, the files opened for writing but for those that are locks."""
    m = re.search(r"= \d+<([^>]*)>", rest)
    if call in ("openat", "openat2") and m and re.search(r"O_WRONLY|O_RDWR", rest):
        opened.add(m.group(1))
    if call == "flock":
        opened.discard(re.match(r"\d+<([^>]*)>", rest).group(1))


def points_of(verb, role, text):
    found = set()
    for calls in parse_log(text).values():
        counts, opened = collections.Counter(), set()
        for call, rest in calls:
            counts[call] += 1
            note_opened(call, rest, opened)
            found |= {Point(verb, role, call, counts[call], f) for f in faults_of(call, rest, opened)}
    return found


def enumerate_points(bench, table):
    """All points, from a clean run of each verb and role; what the clean run made is what later ones must make."""
    found = set()
    for name, verb in table.items():
        verb.once(bench)
        for role in verb.roles:
            verb.prepare(bench)
            status, errors = bench.strace(role, ["-e", "trace=" + ",".join(TRACED)], verb)
            if status or errors:
                raise Failure("clean %s: status %d: %s" % (name, status, errors))
            bench.learn(name, verb)
            logs = bench.logs(role)
            if not any("(" in text for text in logs):
                raise Failure("%s: strace saw nothing of its %s" % (name, role))
            for text in logs:
                found |= points_of(name, role, text)
            settle(bench, name, verb)
    return sorted(found)


def choose(points, count, rng):
    """COUNT of them: each verb and role gets its share, but small ones are taken whole first."""
    groups = collections.defaultdict(list)
    for p in points:
        groups[p.verb, p.role].append(p)
    chosen, left = [], count
    for i, (_, group) in enumerate(sorted(groups.items(), key=lambda item: len(item[1]))):
        share = min(len(group), left // (len(groups) - i))
        chosen += rng.sample(group, share)
        left -= share
    rng.shuffle(chosen)
    return chosen


# ---------------------------------------------------------------- one point

def is_sqlite_own(injected):
    """Syncs whose failure SQLite passes over: that of a checkpoint, after which the transactions are still in the log,
    and that of the directory whenever it opens the log."""
    return re.search(r"^(\d+ +)?fdatasync\(\d+<[^>]*/(tare\.db|root)>\)", injected)


def is_second_sync(text, injected):
    """The transaction was synced; before files are removed the log is synced once more, for what other commands may
    have committed. When that fails, the files stay for later."""
    return "/tare.db-wal>" in injected and re.search(r"/tare\.db-wal>\) += 0", text[:text.index(injected)])


def check_told(point, status, errors, injected, text):
    lines = errors.strip().splitlines()
    if status == 0:
        if point.fault == "KILL":
            raise Failure("status 0 though a process was killed")
        harmless = point.fault == "EINTR" or is_sqlite_own(injected) or is_second_sync(text, injected)
        if point.call in SYNCS and not harmless:
            raise Failure("status 0 though a sync failed")
        return
    if point.fault == "KILL" and point.role == "cli":
        return
    if not 0 < status < 128:
        raise Failure("ended by a signal, status %d: %s" % (status, errors))
    if not lines or len(lines) > 2 or not lines[0].startswith("tare: ") or len(lines[0]) < 12:
        raise Failure("status %d with %d lines: %r" % (status, len(lines), errors[:300]))


def check_output(bench, name, verb, status):
    """The whole output or, after a failure, none of it. What a pipe got before it is nobody's; an index of a
    directory comes last."""
    got = files_of(bench.out / verb.output)
    if status == 0 and got != bench.expected[name]:
        raise Failure("status 0, but the output is another: %s" % sorted(set(got) ^ set(bench.expected[name]))[:4])
    if status and not verb.stdout and (got.get("") or got.get("index.json")) and got != bench.expected[name]:
        raise Failure("failed, but a partial output is there: %s" % sorted(got)[:4])


def check_result(bench, name, verb, status):
    """With status 0 the result is there; whatever the status, what is listed is whole."""
    listed = bench.view.listed()
    if verb.output:
        check_output(bench, name, verb, status)
    elif verb.removes:
        if status == 0 and verb.result in listed:
            raise Failure("status 0, but %s is still listed" % verb.result)
        if verb.result in listed:
            bench.view.hashes(verb.result)
    elif verb.result in listed:
        if bench.view.hashes(verb.result) != bench.expected[name]:
            raise Failure("%s is listed, but damaged" % verb.result)
    elif verb.result and status == 0:
        raise Failure("status 0, but %s is not listed" % verb.result)


def settle(bench, name, verb):
    """The same command works at once, and when its result is gone, nothing is left."""
    if verb.removes and verb.result not in bench.view.listed():
        verb.prepare(bench)
    status, errors = bench.call(bench.argv + verb.argv, verb)
    if status:
        raise Failure("the next %s: status %d: %s" % (verb.argv[0], status, errors))
    check_result(bench, name, verb, 0)
    left = {p.name for p in bench.out.iterdir()} - {verb.output}
    if verb.output and left:
        raise Failure("left beside the output: %s" % ", ".join(sorted(left)))
    if "kk:1" in bench.view.listed():
        bench.ok("rmi", "kk:1")
    bench.ok("image", "prune", "-f")
    left = bench.view.names() ^ bench.baseline
    if left:
        raise Failure("left behind or gone: " + ", ".join(sorted(left)[:6]))
    bench.ok("system", "check")


def run_point(bench, table, point):
    """Whether the fault took place."""
    verb = table[point.verb]
    verb.prepare(bench)
    what = "signal=KILL" if point.fault == "KILL" else "error=" + point.fault
    status, errors = bench.strace(point.role, ["-e", "trace=" + point.call, "-e", "inject=%s:%s:when=%d" % (
        point.call, what, point.k)], verb)
    injected = [line for text in bench.logs(point.role) for line in text.splitlines()
                if "(INJECTED)" in line or "killed by SIGKILL" in line]
    try:
        if injected:
            text = next(t for t in bench.logs(point.role) if injected[0] in t)
            check_told(point, status, errors, injected[0], text)
        elif status:
            raise Failure("nothing was injected, but status %d: %s" % (status, errors))
        check_result(bench, point.verb, verb, status)
        settle(bench, point.verb, verb)
    except Failure as e:
        raise Failure("%s (status %d: %s) %s" % (e, status, errors.strip()[:200], " ".join(injected[:1])[:200])) from None
    return bool(injected)


def make_bench():
    bench = Bench()
    try:
        warm_up(bench)
    except Failure:
        bench.close()
        raise
    return bench


def warm_up(bench):
    bench.ok("run", "--rm", "busybox", "true")
    bench.ok("load", "-q", "-i", str(bench.files / "base.tar"))
    bench.ok("import", str(bench.files / "root.tar"), "kk:1")
    bench.ok("rmi", "kk:1")
    bench.baseline = bench.view.names()


class Worker:
    """Runs points in one bench; one that failed has spoiled it, and the next gets another."""

    def __init__(self, names, verbose):
        self.names, self.verbose, self.bench, self.table = names, verbose, None, None
        self.fired, self.bad = collections.Counter(), []

    def one(self, point):
        if not self.bench:
            self.bench = make_bench()
            self.table = {n: v for n, v in verbs(self.bench).items() if n in self.names}
            enumerate_points(self.bench, self.table)
        took_place = run_point(self.bench, self.table, point)
        self.fired[point.verb, point.role] += took_place
        if self.verbose:
            print(" ".join(map(str, point)), "" if took_place else "not reached", flush=True)

    def run(self, points):
        for point in points:
            try:
                self.one(point)
            except Failure as e:
                self.bad.append("%s: %s" % (" ".join(map(str, point)), e))
                print("FAILED " + self.bad[-1], file=sys.stderr, flush=True)
                self.close()
        if self.bench and self.bench("system", "check", "--full").returncode:
            self.bad.append("check --full at the end: " + self.bench("system", "check", "--full").stdout[:300])
        self.close()
        return self

    def close(self):
        if self.bench:
            self.bench.close()
        self.bench = None


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--points", type=int, default=6000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--shard", default="1/1")
    p.add_argument("--verb", action="append")
    p.add_argument("--only", help='"VERB ROLE CALL K FAULT"')
    p.add_argument("-v", action="store_true")
    return p.parse_args()


def main():
    o = arguments()
    began, bad, fired = time.monotonic(), [], collections.Counter()
    bench = make_bench()
    try:
        table = {n: v for n, v in verbs(bench).items() if not o.verb or n in o.verb}
        everything = enumerate_points(bench, table)
    finally:
        bench.close()
    part, parts = map(int, o.shard.split("/"))
    chosen = choose(everything, o.points, random.Random(o.seed))[part - 1::parts]
    if o.only:
        verb, role, call, k, fault = o.only.split()
        chosen = [Point(verb, role, call, int(k), fault)]
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        for worker in pool.map(lambda i: Worker(list(table), o.v).run(chosen[i::o.jobs]), range(o.jobs)):
            fired, bad = fired + worker.fired, bad + worker.bad
    if sum(fired.values()) < 0.9 * (len(chosen) - len(bad)):
        bad.append("only %d of %d faults took place" % (sum(fired.values()), len(chosen)))
    groups = ", ".join("%s %s %d" % (*k, n) for k, n in sorted(fired.items()))
    report("system calls that fail", [
        "%d points of %d took place: %s" % (sum(fired.values()), len(everything), groups),
        "faults: %s; seed %d, %.0f s, failures: %d" % (", ".join(FAULTS), o.seed, time.monotonic() - began, len(bad))] +
        ["FAILED " + line for line in bad[:40]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
