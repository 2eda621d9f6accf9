#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ends of containers, exact: every code and every signal, out of memory, and monitors that are killed.

    exits.py [--count N] [--oom N] [--kills N] [--seed N] [--jobs N]

COUNT (10,000) runs end with a code from 0 to 255 or by a signal, in a random order in which each comes as often as any
other; what the command itself returns or `wait` says, and inspect, must both be right. OOM (200) runs are ended by
their memory limit, each beside one with the same code that was not. KILLS (200) monitors are killed: the state must be
right within a second though no command is run, and the policy honoured.

A payload's own signal: the first process of a pid namespace dies only of what the host sends it, by `tare kill`;
its child's signal becomes 128 + n.
"""
import argparse
import concurrent.futures
import json
import os
import random
import signal
import sys
import time

from harness import Failure, State, read, report, wait_until

# Not STOP and CONT and what is ignored by default. busybox's shell blocks none of these for its child.
SIGNALS = sorted({int(getattr(signal, "SIG" + s)) for s in (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "XCPU", "XFSZ", "VTALRM", "PROF", "IO", "PWR", "SYS") if hasattr(signal, "SIG" + s)} | {34, 50, 64})
NONE = ("--network", "none")


def expect(state, name, code, oom=False):
    """What is on record of an ended container."""
    got = state.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", name)
    want = "exited %d %s" % (code, str(oom).lower())
    return [] if got == want else ["%s: %s, not %s" % (name, got, want)]


def foreground(state, name, code):
    got = state("run", "--name", name, *NONE, "busybox", "sh", "-c", "exit %d" % code).returncode
    return [] if got == code else ["exit %d: status %d" % (code, got)]


def detached(state, name, code):
    state.ok("run", "-d", "--name", name, *NONE, "busybox", "sh", "-c", "exit %d" % code)
    got = state.ok("wait", name)
    return [] if got == str(code) else ["exit %d: wait %s" % (code, got)]


def child_signal(state, name, code):
    """A child of the payload is ended by the signal, and the payload says so, as a shell does. QUIT is not among
    them: busybox's shell ignores it."""
    script = "sh -c 'kill -%d $$'; exit $?" % (code - 128)
    got = state("run", "--name", name, *NONE, "busybox", "sh", "-c", script).returncode
    return [] if got == code else ["signal %d in the container: status %d" % (code - 128, got)]


def own_signal(state, name, code):
    """`tare kill`: --init's command gets every signal at its default."""
    number = code - 128
    state.ok("run", "-d", "--init", "--name", name, *NONE, "busybox", "sleep", "1000")
    wait_until(lambda: is_asleep(state, name), "the command")
    state.ok("kill", "-s", str(number), name)
    got = state.ok("wait", name)
    return [] if got == str(code) else ["kill -s %d: wait %s" % (number, got)]


def is_asleep(state, name):
    """Whether --init has executed its command: before, the child is the reaper's own image."""
    pid = state.ok("inspect", "-f", "{{.State.Pid}}", name)
    child = read("/proc/%s/task/%s/children" % (pid, pid)).split()
    return child and read("/proc/%s/comm" % child[0]).strip() in ("sleep", "busybox")


def check(state, n, how, code):
    name = "e%d" % n
    bad = how(state, name, code)
    bad += expect(state, name, code)
    state.ok("rm", name)
    return bad


def plan(count, rng):
    """COUNT ends: each code and signal as often as any other."""
    ends = [(rng.choice((foreground, detached)), c) for c in range(256)]
    ends += [(child_signal, 128 + s) for s in SIGNALS if s not in (signal.SIGQUIT,)]
    ends += [(own_signal, 128 + s) for s in SIGNALS]
    whole = []
    while len(whole) < count:
        rng.shuffle(ends)
        whole += ends
    return whole[:count]


# ---------------------------------------------------------------- out of memory

def out_of_memory(state, n, rng):
    name, bad = "o%d" % n, []
    eat = "head -c 64m /dev/zero | tail -c 64m >/dev/null" if rng.random() < 0.5 else "tail /dev/zero"
    limit = rng.choice(("6m", "8m", "12m"))
    # The shell is the first process: its child is ended, the container is flagged all the same.
    state("run", "--name", name, *NONE, "-m", limit, "busybox", "sh", "-c", "%s; exit 9" % eat)
    got = state.ok("inspect", "-f", "{{.State.OOMKilled}}", name)
    if got != "true":
        bad.append("%s of %s: OOMKilled %s" % (eat, limit, got))
    state.ok("rm", name)
    state("run", "--name", name, *NONE, "-m", limit, "busybox", "sh", "-c", "exit 137")
    bad += expect(state, name, 137)
    state.ok("rm", name)
    return bad


# ---------------------------------------------------------------- monitors

def state_of(state, cid):
    try:
        return json.loads(read(state.runroot / "containers" / cid / "state.json") or "{}")
    except ValueError:
        return {}


def has_guard(monitor):
    children = read("/proc/%d/task/%d/children" % (monitor, monitor)).split()
    return any(read("/proc/%s/comm" % c).strip() == "tare-guard" for c in children)


def kill_monitor(state, name, rng):
    """A monitor killed at a random moment of a run that is repeated; then the policy goes on."""
    cid = state.ok("inspect", "-f", "{{.Id}}", name)
    time.sleep(rng.random() * 0.3)
    before = state_of(state, cid)
    monitor = before.get("monitor", {}).get("pid", 0)
    wait_until(lambda: has_guard(monitor), "the guard of %s" % name)
    os.kill(monitor, signal.SIGKILL)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        now = state_of(state, cid)
        if now.get("monitor", {}).get("pid", monitor) != monitor:
            break
        time.sleep(0.005)
    else:
        return 1, ["%s: a second after its monitor's end: %s" % (name, now)]
    wait_until(lambda: state_of(state, cid).get("status") == "running", "%s to come back" % name, 70)
    return 1, []


def kill_monitors(state, n, kills, rng):
    """One container at a time is made anew now and then, so that its delays stay short."""
    done, bad = 0, []
    while done < kills and not bad:
        name = "k%d-%d" % (n, done)
        state.ok("run", "-d", "--name", name, *NONE, "--restart", rng.choice(("always", "unless-stopped", "on-failure")),
                 "busybox", "sleep", "1000")
        for _ in range(4):
            one, problems = kill_monitor(state, name, rng)
            done += one
            bad += problems
        got = state.ok("inspect", "-f", "{{.State.Status}}", name)
        if got != "running":
            bad.append("%s: %s" % (name, got))
        state.ok("kill", name)
        bad += expect(state, name, 137)
        time.sleep(0.15)
        bad += expect(state, name, 137)
        state.ok("rm", name)
    return done, bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=10000)
    p.add_argument("--oom", type=int, default=200)
    p.add_argument("--kills", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=4)
    o = p.parse_args()
    state, bad, began, rng = State(), [], time.monotonic(), random.Random(o.seed)
    killed = 0
    try:
        state.ok("run", "--rm", *NONE, "busybox", "true")
        with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
            for problems in pool.map(lambda a: check(state, a[0], *a[1]), enumerate(plan(o.count, rng))):
                bad += problems
            for problems in pool.map(lambda n: out_of_memory(state, n, random.Random(o.seed * 1000 + n)), range(o.oom)):
                bad += problems
            for done, problems in pool.map(lambda n: kill_monitors(state, n, -(-o.kills // o.jobs),
                                                                   random.Random(o.seed * 77 + n)), range(o.jobs)):
                killed += done
                bad += problems
        state.settled()
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    report("ends of containers", ["%d ends with all codes and %d signals, %d out of memory, %d monitors killed; seed %d, "
                                  "%.0f s; wrong: %d" % (o.count, len(SIGNALS), o.oom, killed, o.seed,
                                                         time.monotonic() - began, len(bad))] +
           ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
