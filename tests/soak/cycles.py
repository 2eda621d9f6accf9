#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole life of a container, over and over, and nothing accumulates.

    cycles.py [--cycles N]

N (10000) times create, start, exec, stop, rm. What the machine and the state directories hold is counted after
the first cycles and at the end: open files, zombies, control groups, mounts, files and bytes on disk.
"""
import argparse
import glob
import os
import sys
import time

from harness import Failure, State, read, report

WARM_UP = 20
# Other programs of the machine open files, too.
FILES_SLACK = 200


def one(state, n):
    name = "c%d" % n
    state.ok("create", "--name", name, "busybox", "sleep", "1000")
    state.ok("start", name)
    got = state.ok("exec", name, "echo", str(n))
    if got != str(n):
        raise Failure("exec in cycle %d printed %r" % (n, got))
    state.ok("stop", "-t", "0", name)
    state.ok("rm", name)


# What a cycle runs, by the names that the kernel shows of them.
OURS = {"tare", "tare-monitor", "tare-init", "sleep", "echo"}


def zombies():
    """Those that somebody of ours should have waited for: what init has inherited it takes in its own time."""
    count = 0
    for stat in glob.glob("/proc/[0-9]*/stat"):
        name, _, rest = read(stat).partition("(")[2].rpartition(")")
        fields = rest.split()
        count += name in OURS and fields[:1] == ["Z"] and fields[1] != "1"
    return count


def disk(state):
    """Bytes in blocks and number of files below both directories. The journal of events and the log of the index are
    bounded and grow towards their bounds."""
    found = {"bytes": 0, "files": 0}
    for base in (state.root, state.runroot):
        for folder, dirs, files in os.walk(base):
            if os.path.basename(folder) == "events":
                continue
            for name in files:
                path = os.path.join(folder, name)
                if name.startswith("tare.db"):
                    continue
                found["files"] += 1
                found["bytes"] += os.lstat(path).st_blocks * 512
            found["files"] += len(dirs)
    return found


def look(state):
    state.note()
    state.settled()
    return {"fds": int(read("/proc/sys/fs/file-nr").split()[0]), "zombies": zombies(),
            "cgroups": len(state.cgroups()),
            "mounts": state.count_mounts(), **disk(state)}


def compare(before, after):
    bad = []
    for key in ("zombies", "cgroups", "mounts", "files", "bytes"):
        if after[key] > before[key]:
            bad.append("%s: %d, were %d" % (key, after[key], before[key]))
    if after["fds"] > before["fds"] + FILES_SLACK:
        bad.append("open files of the machine: %d, were %d" % (after["fds"], before["fds"]))
    return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--cycles", type=int, default=10000)
    o = p.parse_args()
    state, bad, took = State(), [], 0.0
    before = after = {}
    try:
        state.ok("run", "--rm", "busybox", "true")
        for n in range(WARM_UP):
            one(state, n)
        before = look(state)
        began = time.monotonic()
        for n in range(o.cycles):
            one(state, n)
            if n % 500 == 0:
                state.note()
        took = time.monotonic() - began
        after = look(state)
        bad = compare(before, after)
        check = state("system", "check")
        if check.returncode:
            bad.append("system check: " + check.stdout + check.stderr)
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    report("cycles", ["%d of create, start, exec, stop, rm: %.0f s, %.1f ms each" % (o.cycles, took, took / o.cycles * 1000),
                      "before %s" % before, "after %s" % after, "failures: %d" % len(bad)] + ["FAILED " + b for b in bad])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
