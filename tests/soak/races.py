#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mount targets that somebody else turns into links while containers start.

    races.py [--swaps N] [--seed S]

A shared volume holds a directory and a symlink to the host's root; a thread exchanges the two N times (5000)
while containers that mount on a file or a directory below them start, two at a time. Afterwards nothing of
the host may have been made, mounted on or changed: CVE-2021-30465, CVE-2024-45310, CVE-2026-41568.
"""
import argparse
import concurrent.futures
import ctypes
import os
import random
import sys
import threading
import time

from harness import Failure, State, read, report

RENAME_EXCHANGE = 2


def look(folder):
    """Everything that stat says of a tree, so that any write to it shows."""
    found = {}
    for base, dirs, files in os.walk(folder):
        for name in [""] + dirs + files:
            st = os.lstat(os.path.join(base, name))
            found[os.path.join(base, name)] = (st.st_mode, st.st_uid, st.st_ino, st.st_mtime_ns, st.st_size)
    return found


def exchange(folder, swaps, rng, done):
    libc = ctypes.CDLL(None, use_errno=True)
    a, b = os.fsencode(folder / "a"), os.fsencode(folder / "b")
    for _ in range(swaps):
        if libc.renameat2(-100, a, -100, b, RENAME_EXCHANGE) != 0:
            raise OSError(ctypes.get_errno(), "renameat2")
        # The moment of the next swap is drawn, so that over many starts each place is met.
        done.wait(rng.uniform(0, 0.002))
    done.set()


def race(state, swaps, rng):
    shared, canary, source = (state.folder / name for name in ("shared", "canary", "source"))
    for folder in (shared, shared / "a", shared / "a/inner", canary, canary / "inner", source):
        folder.mkdir()
    (canary / "file").write_text("canary\n")
    (source / "file").write_text("source\n")
    os.symlink(canary, shared / "b")
    before, done = look(canary), threading.Event()
    thread = threading.Thread(target=exchange, args=(shared, swaps, rng, done))
    thread.start()
    starts, inner = 0, ["inner", "new", "new/deep"]

    def start(n):
        mount = ["-v", "%s:/s/a/%s" % (source, inner[n % 3])] if n % 4 else ["-v", "%s/file:/s/a/file" % source]
        # It may be refused; it may not go astray.
        return state("run", "--rm", "-v", "%s:/s" % shared, *mount, "busybox", "cat", "/proc/self/mountinfo").stdout

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        while not done.is_set():
            for out in pool.map(start, range(starts, starts + 16)):
                starts += 1
                if str(canary) in out:
                    raise Failure("a mount of the canary: " + out)
    thread.join()
    if look(canary) != before:
        raise Failure("the host's tree has changed: %s" % sorted(set(look(canary)) - set(before)))
    if str(canary) in read("/proc/self/mountinfo"):
        raise Failure("mounted on the host's tree")
    return starts


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--swaps", type=int, default=5000)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    state, bad, starts, began = State(), [], 0, time.monotonic()
    try:
        state.ok("run", "--rm", "busybox", "true")
        starts = race(state, o.swaps, random.Random(o.seed))
        state.note()
        state.settled()
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    report("races", ["%d swaps of a mount target, %d starts: %.1f s" % (o.swaps, starts, time.monotonic() - began),
                     "went astray: %d" % len(bad)] + ["FAILED " + b for b in bad])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
