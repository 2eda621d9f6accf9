#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk and a read-only one: what fails says so in one line, and what must go on goes on.

    full_disk.py [--size MIB] [--steps N]

The state directory lies on a small ext4. It is filled up by a file that leaves N different amounts free, from
nothing upwards; with each `run` and `import` either succeed or fail with one line and leave nothing, while
`ps`, `logs`, `stop`, `start` of what is there, `rm` and `images` go on. Then the same directory read-only.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from disks import Disk, private_mounts
from harness import Failure, State, make_tar, report


def fill(where, spare):
    """Takes all space, root's reserve included, but SPARE bytes."""
    path = where / "filler"
    path.unlink(missing_ok=True)
    os.sync()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 20, 4096, 512):
            try:
                while os.write(fd, b"x" * size):
                    pass
            except OSError:
                pass
        os.ftruncate(fd, max(0, os.fstat(fd).st_size - spare))
    finally:
        os.close(fd)
    os.sync()


def one_line(done, what):
    lines = [line for line in done.stderr.splitlines()
             if line and not line.startswith(("Unable to find image", "Using the image", "Run 'tare"))]
    if done.returncode and len(lines) not in (1, 2):  # a hint may follow
        raise Failure("%s: status %d, %d lines: %r" % (what, done.returncode, len(lines), done.stderr))
    if not done.returncode and done.stderr.strip():
        raise Failure("%s succeeds, but says %r" % (what, done.stderr))
    return not done.returncode


def step(state, where, tar, spare):
    """How many of the commands that need space succeeded with SPARE bytes free."""
    state.ok("run", "-d", "--name", "up", "busybox", "sh", "-c", "echo hello; sleep 1000")
    state.ok("create", "--name", "made", "busybox", "true")
    fill(where, spare)
    done = [one_line(state(*argv), "%s with %d bytes" % (argv[0], spare)) for argv in (
        ["run", "--rm", "busybox", "true"], ["run", "-d", "--name", "other", "busybox", "sleep", "1000"],
        ["import", str(tar), "img:1"], ["start", "made"])]
    if "hello" not in state.ok("logs", "up"):
        raise Failure("logs with %d bytes free" % spare)
    state.ok("images")
    if state.list()["up"][1] != "running":
        raise Failure("the running container died of the full disk")
    state.ok("stop", "-t", "0", "up")
    how = state.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "up")
    if how != "exited 137":
        raise Failure("stopped, but on record as %r" % how)
    for name in state.list():
        state.ok("rm", "-f", name)
    if state.list():
        raise Failure("rm with %d bytes free: still listed" % spare)
    (where / "filler").unlink()
    if done[2]:
        state.ok("rmi", "img:1")
    state.ok("run", "--rm", "busybox", "true")
    state.settled()
    return sum(done)


def read_only(state, where):
    subprocess.run(["mount", "-o", "remount,ro", where], check=True)
    bad = []
    for argv in (["run", "--rm", "busybox", "true"], ["create", "busybox"], ["import", "/dev/null", "x:1"]):
        done = state(*argv)
        try:
            if one_line(done, argv[0]):
                bad.append("%s succeeds on a read-only directory" % argv[0])
            elif "read-only" not in done.stderr.lower():
                bad.append("%s: %r" % (argv[0], done.stderr))
        except Failure as e:
            bad.append(str(e))
    subprocess.run(["mount", "-o", "remount,rw", where], check=True)
    return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--size", type=int, default=32)
    p.add_argument("--steps", type=int, default=12)
    o = p.parse_args()
    private_mounts()
    work = pathlib.Path(tempfile.mkdtemp(prefix="tare-full-", dir="/var/tmp"))
    began, bad, passed, disk, state = time.monotonic(), [], [], None, None
    try:
        disk = Disk(work / "ext4", work / "disk", o.size << 20)
        state = State(work / "state", disk.where / "root")
        tar = make_tar(state, work / "small.tar")
        for i in range(o.steps):
            spare = 0 if i == 0 else 4096 << i
            try:
                passed.append("%d:%d" % (spare, step(state, disk.where, tar, spare)))
            except Failure as e:
                bad.append("%d bytes free: %s" % (spare, e))
                (disk.where / "filler").unlink(missing_ok=True)
                for name in state.list():
                    state("rm", "-f", name)
        bad += read_only(state, disk.where)
    except Failure as e:
        bad.append(str(e))
    finally:
        if state:
            state.close()
        if disk:
            disk.close()
        shutil.rmtree(work, ignore_errors=True)
    report("full disk, read-only disk", ["ext4 of %d MiB, %d sizes of what is free (of 4 commands that need space succeeded: %s), %.0f s" %
                                         (o.size, o.steps, " ".join(passed), time.monotonic() - began),
                                         "failures: %d" % len(bad)] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
