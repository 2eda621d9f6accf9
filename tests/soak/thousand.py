#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many containers alive at once, and what each of them costs.

    thousand.py [--count N] [--idle SECONDS]

N (1000) containers are started one after the other and stay. Measured: how long until all are up, whether the
last ones cost what the first ones did, what a monitor weighs (PSS), how often monitors wake while nothing
happens, how long it takes to stop and remove them all, and what is left.
"""
import argparse
import os
import pathlib
import re
import statistics
import sys
import time

from harness import Failure, State, read, report, wait_until

UP_SECONDS, GONE_SECONDS = 20.0, 30.0
MONITOR_KIB = 614
FLAT = 1.2
BLOCK = 100


def start_all(state, count):
    """Seconds that each start took."""
    took = []
    for n in range(count):
        began = time.monotonic()
        state.ok("run", "-d", "--network", "none", "--name", "c%d" % n, "busybox", "sleep", "1000000")
        took.append(time.monotonic() - began)
    return took


def monitors(state):
    pids = []
    for entry in (state.runroot / "containers").iterdir():
        m = re.search(r'"monitor":\{"pid":(\d+)', read(entry / "state.json"))
        if m:
            pids.append(int(m.group(1)))
    return pids


def pss_kib(pid):
    m = re.search(r"^Pss:\s+(\d+)", read("/proc/%d/smaps_rollup" % pid), re.M)
    return int(m.group(1)) if m else 0


def wakeups(pids):
    """How often these processes have been given the processor."""
    return sum(int(n) for pid in pids for n in re.findall(r"_ctxt_switches:\s+(\d+)", read("/proc/%d/status" % pid)))


def idle_wakeups(pids, seconds):
    """Memory is given back half a second after the last output: what is still awake gets that time first."""
    time.sleep(2)  # nothing tells when the last one has gone to sleep for good
    before = wakeups(pids)
    time.sleep(seconds)  # the measurement itself: nothing may happen meanwhile
    return wakeups(pids) - before


def cost(took, first):
    """The median of one block: a busy neighbour shows in single starts, not in half of a hundred."""
    return statistics.median(took[first:first + BLOCK])


def judge(o, figures):
    bad = []
    scale = o.count / 1000
    for value, limit, what in ((figures["up"], UP_SECONDS * scale, "seconds until all were up"),
                               (figures["gone"], GONE_SECONDS * scale, "seconds to stop and remove them"),
                               (figures["pss"], MONITOR_KIB, "KiB PSS of the heaviest monitor"),
                               (figures["flat"], FLAT, "cost of the last block over the first"),
                               (figures["wakeups"], 0, "wake-ups of idle monitors")):
        if value > limit:
            bad.append("%s: %.2f, more than %.2f" % (what, value, limit))
    return bad


def measure(state, o):
    state.ok("run", "--rm", "busybox", "true")
    began = time.monotonic()
    took = start_all(state, o.count)
    figures = {"up": time.monotonic() - began, "flat": cost(took, o.count - BLOCK) / cost(took, 0),
               "first": cost(took, 0) * 1000, "last": cost(took, o.count - BLOCK) * 1000}
    state.note()
    pids = monitors(state)
    running = [s for _, s in state.list().values()].count("running")
    if running != o.count or len(pids) != o.count:
        raise Failure("%d run and %d monitors are there, of %d" % (running, len(pids), o.count))
    figures["wakeups"] = idle_wakeups(pids, o.idle)
    weights = [pss_kib(pid) for pid in pids]
    figures["pss"], figures["mean"] = max(weights), statistics.mean(weights)
    began = time.monotonic()
    state.ok("ps", "-a")
    figures["ps"] = (time.monotonic() - began) * 1000
    began = time.monotonic()
    names = ["c%d" % n for n in range(o.count)]
    state.ok("stop", "-t", "0", *names, timeout=300)
    state.ok("rm", *names, timeout=300)
    figures["gone"] = time.monotonic() - began
    wait_until(lambda: not any(pathlib.Path("/proc/%d" % pid).exists() and "tare-monitor" in read("/proc/%d/comm" % pid)
                               for pid in pids), "the monitors to end")
    state.settled()
    return figures


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=1000)
    p.add_argument("--idle", type=float, default=10)
    o = p.parse_args()
    state, bad, figures = State(), [], {}
    try:
        figures = measure(state, o)
        bad = judge(o, figures)
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    lines = ["%d containers" % o.count]
    if figures:
        lines += ["up in %(up).1f s; a start %(first).2f ms at first, %(last).2f ms at last (%(flat).2f)" % figures,
                  "a monitor: %(mean).0f KiB PSS, at most %(pss)d; wake-ups of all in %%g idle seconds: %(wakeups)d"
                  % figures % o.idle,
                  "`ps -a` %(ps).1f ms; stopped and removed in %(gone).1f s" % figures]
    report("a thousand at once", lines + ["failures: %d" % len(bad)] + ["FAILED " + b for b in bad])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
