# SPDX-License-Identifier: Apache-2.0
"""Feeds hostile input to the program, one process for each piece, and judges what comes back.

    hostile_driver.py archives|images --program TARE --seed FIRST --count N [--step K]

Every command must end with success or with one clean line, within a second and 128 MiB. Beside and above the
store stand files that nothing may touch: they are compared by all that stat says and by their content after each
batch, and so is the list of what the store's own directory holds. Accepted images must be removable, and at the
end `system check --full` must find nothing. Problems are printed as lines, then a summary in JSON; exit status
1 when there was any.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

BATCH = 100
SECONDS, RSS_KIB, HANG = 1.0, 128 << 10, 20
STORE = {"tare.db", "tare.db-wal", "tare.db-shm", "tare.lock", "blobs", "layers", "staging", "reserve", "index.json",
         "oci-layout", "containers",
         "skeleton", "events", "volumes"}

Done = collections.namedtuple("Done", "rc out err wall cpu rss")


def run_one(argv, stdin, out, err):
    """Runs ARGV with files for its streams; kills what hangs."""
    began = time.monotonic()
    with open(stdin or os.devnull, "rb") as source, open(out, "wb") as o, open(err, "wb") as e:
        child = subprocess.Popen(argv, stdin=source, stdout=o, stderr=e, start_new_session=True)
    fd = os.pidfd_open(child.pid)
    # Readable when the child has ended, while its usage is still to be had.
    if not select.select([fd], [], [], HANG)[0]:
        os.killpg(child.pid, signal.SIGKILL)
    os.close(fd)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    return os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def be_runner():
    """One command for each line: a process that stays small, because the peak memory of a child begins with that of
    the process it was forked from."""
    for line in sys.stdin:
        print(json.dumps(run_one(*json.loads(line))), flush=True)


class Runner:
    def __init__(self, folder):
        self.out, self.err = folder / "out", folder / "err"
        self.child = subprocess.Popen([sys.executable, __file__, "--runner"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def __call__(self, argv, stdin=None):
        self.child.stdin.write(json.dumps([argv, str(stdin) if stdin else None, str(self.out), str(self.err)]) + "\n")
        self.child.stdin.flush()
        rc, wall, cpu, rss = json.loads(self.child.stdout.readline())
        return Done(rc, self.out.read_bytes(), self.err.read_bytes(), wall, cpu, rss)

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()


def unclean(done):
    """Why this is no success and no clean error, or None."""
    if done.wall >= HANG:
        return "hangs"
    if done.rc == 0:
        return None if b"\x1b" not in done.out else "control characters on the output"
    if done.rc not in (1, 125):
        return "exit status %d" % done.rc
    lines = done.err.split(b"\n")
    # One line, and perhaps one that says what to do about it.
    if not done.err.startswith(b"tare: ") or lines[-1] or len(lines) > 3 or (len(lines) == 3 and
        not lines[1].lower().startswith(b"hint: ")):
        return "no one-line error: %r" % done.err[:300]
    if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", done.err):
        return "control characters in the error: %r" % done.err[:300]
    return None


class Yard:
    """A directory with a store and what stands around it."""

    def __init__(self, program, base):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tare-hostile-", dir=base))
        self.canary, self.state = self.folder / "canary", self.folder / "state"
        for path in (self.canary, self.canary / "dir", self.state, self.state / "beside"):
            path.mkdir()
        for path in (self.canary / "file", self.canary / "dir" / "file", self.folder / "above",
                     self.state / "beside" / "file", self.folder / "x"):
            path.write_text("canary\n")
        os.chmod(self.canary / "file", 0o640)
        os.symlink("file", self.canary / "link")
        os.mkfifo(self.canary / "fifo")
        self.input = self.folder / "input"
        self.input.mkdir()
        self.argv = [program, "--root", str(self.state / "root"), "--runroot", str(self.state / "run")]
        self.run = Runner(self.input)
        self.problems, self.kinds, self.slowest, self.largest, self.good = [], collections.Counter(), 0.0, 0, 0
        self.before = self.look()

    def look(self):
        found = {}
        for base, dirs, files in os.walk(self.folder):
            if base == str(self.folder):
                dirs.remove("input")
            if base == str(self.state):
                dirs[:] = [d for d in dirs if d not in ("root", "run")]
            for name in [""] + dirs + files:
                path = os.path.join(base, name)
                st = os.lstat(path)
                data = hashlib.sha256(open(path, "rb").read()).hexdigest() if stat.S_ISREG(st.st_mode) else ""
                # What the store's parents say changes with the store.
                times = () if path in (str(self.folder) + "/", str(self.state) + "/",
                                       str(self.state)) else (st.st_mtime_ns, st.st_ctime_ns, st.st_nlink)
                found[path] = (st.st_mode, st.st_uid, st.st_gid, st.st_ino,
                               st.st_size if not stat.S_ISDIR(st.st_mode) else 0, times, data)
        return found

    def call(self, *args, stdin=None):
        return self.run(self.argv + [str(a) for a in args], stdin)

    def judge(self, what, args, stdin=None):
        """Runs the command, notes what is wrong with its answer, and returns it."""
        done = self.call(*args, stdin=stdin)
        # Others use this machine too: what was slow is asked again, and slow is what stays slow.
        for _ in range(4):
            if done.wall <= SECONDS or done.wall >= HANG:
                break
            again = self.call(*args, stdin=stdin)
            done = again if again.wall < done.wall else done
        why = unclean(done)
        if not why and done.wall > SECONDS:
            why = "takes %.1f s (%.1f s of them working)" % (done.wall, done.cpu)
        if not why and done.rss > RSS_KIB:
            why = "takes %d MiB" % (done.rss >> 10)
        if why:
            self.problems.append("%s: %s" % (what, why))
        self.slowest, self.largest = max(self.slowest, done.wall), max(self.largest, done.rss)
        self.good += done.rc == 0
        self.kinds[what.split()[0]] += 1
        return done

    def compare(self, what):
        after = self.look()
        changed = sorted(p for p in after.keys() | self.before.keys() if after.get(p) != self.before.get(p))
        if changed:
            self.problems.append("%s: changed outside: %s" % (what, changed[:5]))
            self.before = after
        root = self.state / "root"
        if not root.exists():
            return
        strange = set(os.listdir(root)) - STORE
        left = os.listdir(root / "staging") if (root / "staging").exists() else []
        if strange or left:
            self.problems.append("%s: in the store: %s" % (what, sorted(strange) + left))

    def empty(self, what):
        """Everything that was accepted must go again."""
        ids = set(self.call("images", "-aq", "--no-trunc").out.decode().split())
        if ids:
            done = self.call("rmi", "-f", *ids)
            if done.rc:
                self.problems.append("%s: rmi: %r" % (what, done.err[:300]))
        left = [p for part in ("layers", "blobs/sha256") if (self.state / "root" / part).exists() for p in os.listdir(self.state / "root" / part)]
        if left:
            self.problems.append("%s: left after rmi: %s" % (what, left[:5]))

    def check(self, what):
        done = self.call("system", "check", "--full")
        if done.rc:
            self.problems.append("%s: system check: %r" % (what, (done.out + done.err)[:500]))

    def close(self):
        self.run.close()
        shutil.rmtree(self.folder)


def archives(yard, seeds):
    import hostile_archives
    seen = set()
    for seed in seeds:
        recipe, data = hostile_archives.archive(seed, yard.canary)
        digest = hashlib.sha256(data).digest()
        if digest in seen:
            continue
        seen.add(digest)
        path = yard.input / "x.tar"
        path.write_bytes(data)
        yard.judge("%s %d" % (recipe, seed), ("import", path, "x:%d" % len(seen)))
        yield len(seen)


def images(yard, seeds):
    import hostile_images
    for n, seed in enumerate(seeds):
        hostile_images.one(yard, seed)
        yield n + 1


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=("archives", "images"))
    ap.add_argument("--program", required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--step", type=int, default=1, help="every K-th seed, so that several of these share the work")
    ap.add_argument("--count", type=int, default=5000, help="distinct pieces")
    ap.add_argument("--base", default="/dev/shm", help="where the store and its surroundings are made")
    args = ap.parse_args()
    yard = Yard(args.program, args.base)
    began, n = time.monotonic(), 0
    try:
        source = {"archives": archives, "images": images}[args.what]
        # More seeds than wanted: some make the same bytes.
        for n in source(yard, range(args.seed, args.seed + 2 * args.step * args.count, args.step)):
            if n % BATCH == 0 or n == args.count:
                what = "up to the %dth" % n
                yard.compare(what)
                yard.check(what) if n == args.count or n % (BATCH * 5) == 0 else None
                yard.empty(what)
            if n == args.count:
                break
    finally:
        yard.close()
    for line in yard.problems[:60]:
        print(line)
    summary = {"pieces": n, "accepted": yard.good, "problems": len(yard.problems), "slowest_s": round(yard.slowest, 3),
               "largest_kib": yard.largest, "seconds": round(time.monotonic() - began, 1),
               "kinds": dict(sorted(yard.kinds.items()))}
    print(json.dumps(summary))
    if os.environ.get("SOAK_REPORT"):
        with open(os.environ["SOAK_REPORT"], "a", encoding="utf-8") as f:
            f.write("- **hostile %s**\n  - %d pieces of %d kinds, %d accepted, %d problems; slowest %.2f s, largest %d MiB, %d s\n" % (
                args.what, n, len(yard.kinds), yard.good, len(yard.problems), yard.slowest, yard.largest >> 10,
                summary["seconds"]))
    sys.exit(bool(yard.problems))


if __name__ == "__main__":
    be_runner() if sys.argv[1:] == ["--runner"] else main()
