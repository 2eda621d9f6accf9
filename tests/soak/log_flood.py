#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A container that writes as fast as it can, through rotation, while others follow its log.

    log_flood.py [--lines N] [--seed N] [--rate MIB] [--docker SOCKET]

tare-log-tool (beside the program, in tests/component) writes N lines, each with its number and a checksum,
and reads them back from four `logs -f`: none lost, doubled or torn. A fifth follower is stopped by SIGSTOP
all the while and changes nothing. While it goes on the named files never hold more than max-size x max-file;
afterwards `logs` shows the end of the same lines. Once more without readers. What counts as the time is the
writer's own, from its first write(2) to the end of its last. With --docker the same with json-file.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

from harness import PROGRAM, Failure, State, report, wait_until

TOOL = pathlib.Path(PROGRAM).resolve().parent / "tests" / "component" / "tare-log-tool"
MIB = 1 << 20
SIZE, FILES = 10 * MIB, 5
SCRIPT = "while [ ! -e /go/go ]; do sleep 0.01; done; exec /tool/tare-log-tool write %d %d"


class Engine:
    """`tare` with a state of its own, or docker by its socket."""

    def __init__(self, argv, log_dir=None):
        self.argv, self.log_dir = argv, log_dir

    def ok(self, *args, timeout=900):
        done = subprocess.run(self.argv + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout)
        if done.returncode:
            raise Failure("%s: %d: %s" % (" ".join(args), done.returncode, done.stderr.strip()))
        return done.stdout.strip()

    def popen(self, *args, **more):
        return subprocess.Popen(self.argv + list(args), stdin=subprocess.DEVNULL, **more)


class Follower:
    """`logs -f` into a checker; its standard error is kept."""

    def __init__(self, engine, name, o):
        self.logs = engine.popen("logs", "-f", name, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.check = subprocess.Popen([TOOL, "check", str(o.lines), str(o.seed)], stdin=self.logs.stdout,
                                      stdout=subprocess.PIPE, text=True)
        self.logs.stdout.close()

    def result(self):
        said = self.check.communicate(timeout=900)[0].strip()
        err = self.logs.communicate(timeout=60)[1].decode(errors="replace")
        return said, err


class Watch(threading.Thread):
    """The most bytes that the named files of a log ever had."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.most, self.most_files, self.n, self.goes_on = folder, 0, 0, 0, True

    def run(self):
        while self.goes_on:
            sizes = []
            for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
                try:
                    sizes.append((entry.inode(), entry.stat().st_size))
                except OSError:
                    pass
            # A part that was renamed while we looked is one file.
            self.most = max(self.most, sum(dict(sizes).values()))
            self.most_files = max(self.most_files, len(dict(sizes)))
            self.n += 1
            time.sleep(0.002)


def flood(engine, o, n_readers, stopped, folder, bad):
    """One container; returns MiB/s by the writer's clock and by the wall."""
    name, go = "flood", folder / "go"
    go.mkdir(exist_ok=True)
    (go / "go").unlink(missing_ok=True)
    cid = engine.ok("run", "-d", "--name", name, "--network", "none", "--log-opt", "max-size=%d" % SIZE, "--log-opt",
                    "max-file=%d" % FILES, "-v", "%s:/tool" % TOOL.parent, "-v", "%s:/go" % go, "busybox", "sh", "-c",
                    SCRIPT % (o.lines, o.seed))
    followers = [Follower(engine, name, o) for _ in range(n_readers)]
    frozen = engine.popen("logs", "-f", name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) if stopped else None
    watch = Watch(pathlib.Path(engine.log_dir) / cid / "log") if engine.log_dir else None
    try:
        if frozen:
            wait_until(lambda: "inotify" in str([os.readlink(f.path) for f in os.scandir("/proc/%d/fd" % frozen.pid)]),
                       "the follower to follow")
            frozen.send_signal(signal.SIGSTOP)
        if watch:
            watch.start()
        began = time.monotonic()
        (go / "go").touch()
        engine.ok("wait", name)
        wall = time.monotonic() - began
        for follower in followers:
            said, err = follower.result()
            if not said.startswith("ok %d lines" % o.lines):
                bad.append("a follower: %s" % said)
            if "missing" in err:
                bad.append("a follower: %s" % err.strip())
        if watch:
            watch.goes_on = False
            watch.join()
            if watch.most > SIZE * FILES or watch.most_files > FILES:
                bad.append("%d bytes in %d named files" % (watch.most, watch.most_files))
            if watch.n < 20:
                bad.append("the files were looked at %d times only" % watch.n)
    finally:
        if frozen:
            frozen.kill()
            frozen.wait()
    return after(engine, o, name, wall, bad)


def after(engine, o, name, wall, bad):
    """`logs` of what is left, and the writer's own words, which are all that is on standard error."""
    logs = engine.popen("logs", name, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    check = subprocess.Popen([TOOL, "check", str(o.lines), str(o.seed), "tail"], stdin=logs.stdout, stdout=subprocess.PIPE, text=True)
    logs.stdout.close()
    said = check.communicate(timeout=300)[0]
    logs.wait(timeout=60)
    words = engine.popen("logs", name, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE).communicate(timeout=300)[1]
    if not said.startswith("ok %d lines" % o.lines):
        bad.append("logs afterwards: %s" % said.strip())
    m = re.search(rb"(\d+) bytes (\d+) ms", words)
    engine.ok("rm", name)
    if not m:
        raise Failure("the writer did not say how long it took: %r" % words)
    return int(m.group(1)) / MIB / (int(m.group(2)) / 1000), int(m.group(1)) / MIB / wall


def measure(engine, o, folder, bad, lines, what, floor=0):
    for n, stopped in ((4, bool(engine.log_dir)), (0, False)):
        own, wall = flood(engine, o, n, stopped, folder, bad)
        lines.append("%s, %d lines, %d followers%s: %.0f MiB/s (%.0f by the wall)" %
                     (what, o.lines, n, " and a stopped one" if stopped else "", own, wall))
        if wall < floor:
            bad.append("%.0f MiB/s is less than %.0f" % (wall, floor))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--lines", type=int, default=10_000_000)
    p.add_argument("--seed", type=int, default=11)
    p.add_argument("--rate", type=float, default=200, help="MiB/s to be reached, by the wall")
    p.add_argument("--docker", help="docker's socket, to be measured too; it needs an image busybox")
    o = p.parse_args()
    state, bad, lines = State(), [], []
    try:
        state.ok("run", "--rm", "busybox", "true")
        measure(Engine(state.argv, state.root / "containers"), o, state.folder, bad, lines, "tare", o.rate)
        state.settled()
        if o.docker:
            measure(Engine(["docker", "-H", "unix://" + o.docker]), o, state.folder, [], lines, "docker")
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    report("log flood", lines + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
