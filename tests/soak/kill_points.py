#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at chosen system calls, by strace's injection.

    kill_points.py [--points N] [--seed S] [--role cli|monitor|container] [--verb VERB]... [-v]

A point is (verb, role, K): the process of that role gets SIGKILL when it enters its K-th system call that
changes something. Roles are killed separately: `cli` is the command itself; `monitor` is the process beside
the container, which is stopped at its first call and then traced alone; `container` stops the container's
first process at the K-th step of its own making and kills the monitor there.

After every point: `ps` answers and tells the truth, the next commands work at once, what is listed can be
started and removed, a name that is not listed is free, and nothing is left that no listed container accounts
for: directories, control groups, processes, mounts, staged layers.
"""
import argparse
import collections
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

from harness import Failure, State, make_tar, read, report, wait_until

CHANGING = ("openat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,write,pwrite64,writev,"
            "sendto,sendmsg,ftruncate,fchmod,fchmodat,chmod,symlinkat,mknodat,mount,umount2,fsopen,fsconfig,fsmount,"
            "move_mount,open_tree,mount_setattr,pivot_root,clone,clone3,vfork,fork,setns,unshare,execve,flock,fsync,"
            "fdatasync,syncfs,bind,listen,dup2,setsid,close_range")
# What only the container's first process does.
MAKING = ("fsopen,fsconfig,fsmount,move_mount,mount_setattr,pivot_root,umount2,sethostname,mknodat,symlinkat,capset,"
          "seccomp,setgroups,setresuid,setresgid,unshare,execve,fchdir")

Verb = collections.namedtuple("Verb", "prepare argv removes roles")


def verbs(tar):
    run = ["run", "--name", "kk"]
    both = ("cli", "monitor", "container")
    nothing = lambda s: None
    up = lambda s: s.ok("run", "-d", "--name", "kk", "busybox", "sleep", "1000")
    made = lambda s: s.ok("create", "--name", "kk", "busybox", "sleep", "1000")
    return {
        "run": Verb(nothing, run + ["busybox", "true"], False, both),
        "run-rm": Verb(nothing, run + ["--rm", "busybox", "true"], True, both),
        "run-d": Verb(nothing, run + ["-d", "busybox", "sleep", "1000"], False, both),
        "run-d-rm": Verb(nothing, run + ["-d", "--rm", "busybox", "true"], True, both),
        "run-user": Verb(nothing, run + ["-d", "-u", "1000:1000", "busybox", "sleep", "1000"], False, ("container",)),
        "start": Verb(made, ["start", "kk"], False, both),
        "stop": Verb(up, ["stop", "-t", "0", "kk"], False, ("cli", "exit")),
        "rm": Verb(made, ["rm", "kk"], False, ("cli",)),
        "rm-f": Verb(up, ["rm", "-f", "kk"], False, ("cli", "exit")),
        "import": Verb(nothing, ["import", str(tar), "kk:1"], False, ("cli",)),
        "rmi": Verb(lambda s: s.ok("import", str(tar), "kk:1"), ["rmi", "kk:1"], False, ("cli",)),
    }


# ---------------------------------------------------------------- killing

def strace(log, calls, what, *target):
    return ["strace", "-qq", "-o", str(log), "-e", "signal=SIGSTOP", "-e", "trace=" + calls] + \
        (["-e", "inject=%s:%s" % (calls, what)] if what else []) + list(target)


def spawn(argv):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(child, what):
    try:
        child.wait(40)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise Failure(what + " hangs") from None


def stop_monitor(state, argv, log):
    """Starts the command and returns (command, monitor): the monitor stands still at its first call. strace is
    gone by then."""
    tracer = spawn(strace(log, "setsid", "signal=STOP:when=1", "-f") + state.argv + argv)

    def stopped():
        m = re.search(r"^(\d+) +setsid\(\)", read(log), re.M)
        return m and read("/proc/%s/status" % m.group(1)).find("State:\tt") >= 0 and int(m.group(1))
    monitor = wait_until(stopped, "the monitor's first call")
    command = int(read("/proc/%d/status" % monitor).split("PPid:\t")[1].split()[0])
    pidfd = os.pidfd_open(command)
    tracer.kill()
    tracer.wait()
    return pidfd, monitor


def attach(monitor, argv):
    tracer = spawn(argv)
    wait_until(lambda: "TracerPid:\t%d\n" % tracer.pid in read("/proc/%d/status" % monitor) or
               tracer.poll() is not None, "strace to attach")
    return tracer


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def gone(pidfd):
    import select
    return bool(select.select([pidfd], [], [], 0)[0])


def run_cli(state, verb, k, log):
    finish(spawn(strace(log, CHANGING, k and "signal=KILL:when=%d" % k) + state.argv + verb.argv), "the command")


def run_monitor(state, verb, k, log):
    command, monitor = stop_monitor(state, verb.argv, str(log) + ".1")
    tracer = attach(monitor, strace(log, CHANGING, k and "signal=KILL:when=%d" % k, "-p", str(monitor)))
    os.kill(monitor, signal.SIGCONT)
    try:
        # The command waits for its monitor; one that serves `sleep` lives on.
        wait_until(lambda: gone(command), "the command", 40)
    finally:
        os.close(command)
        tracer.terminate()
        tracer.wait()


def run_container(state, verb, k, log):
    command, monitor = stop_monitor(state, verb.argv, str(log) + ".1")
    tracer = attach(monitor, strace(log, MAKING, k and "signal=STOP:when=%d" % k, "-f", "-p", str(monitor)))
    os.kill(monitor, signal.SIGCONT)
    try:
        def reached():
            stops = set(re.findall(r"^(\d+) +--- stopped by SIGSTOP", read(log), re.M))
            return gone(command) or (k and stops - {str(monitor)})
        wait_until(reached, "the point", 40)
        if k and not gone(command):
            kill(monitor)
    finally:
        tracer.kill()
        tracer.wait()
        # Tied to its monitor or not, depending on the step: what goes on must notice and end.
        for task in set(re.findall(r"^(\d+) ", read(log), re.M)):
            try:
                os.kill(int(task), signal.SIGCONT)
            except ProcessLookupError:
                pass
        wait_until(lambda: gone(command), "the command", 40)
        os.close(command)


def run_exit(state, verb, k, log):
    monitor = state.monitor_pid("kk")
    tracer = attach(monitor, strace(log, CHANGING, k and "signal=KILL:when=%d" % k, "-p", str(monitor)))
    try:
        finish(state.start(*verb.argv), "the command")
        if not k:
            wait_until(lambda: not read("/proc/%d/stat" % monitor), "the monitor's end")
    finally:
        tracer.terminate()
        tracer.wait()


ROLES = {"cli": run_cli, "monitor": run_monitor, "container": run_container, "exit": run_exit}


# ---------------------------------------------------------------- looking

def agrees(state):
    ident, status = state.list().get("kk", ("", ""))
    pid = int(state.ok("inspect", "-f", "{{.State.Pid}}", "kk")) if ident else 0
    return (pid > 0 and ident in read("/proc/%d/cgroup" % pid)) == (status == "running")


def check_listed(state):
    """What ps says of kk is so; a process on its way out has left its group already."""
    wait_until(lambda: agrees(state), "ps and the process to agree", 3)


def check(state, verb):
    state.note()
    listed = state.list()
    if verb.removes:
        wait_until(lambda: "kk" not in state.list(), "the container to remove itself")
        listed = state.list()
    if "kk" in listed:
        check_listed(state)
        listed = state.list()
    running = [i for i, s in listed.values() if s == "running"]
    if verb.argv[-1] != "true" or not running:
        state.settled([i for i, _ in listed.values()], running)
    state.ok("run", "--rm", "busybox", "true")
    if "kk" in listed:
        if verb.argv[-1] != "true":
            state.ok("start", "kk")
        state.ok("rm", "-f", "kk")
    state.ok("run", "--rm", "--name", "kk", "busybox", "true")
    if state.list():
        raise Failure("still listed: %s" % state.list())


def check_image(state, verb):
    names = state.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    state.ok("run", "--rm", "busybox", "true")
    if "kk:1" in names:
        state.ok("run", "--rm", "kk:1", "true")
        state.ok("rmi", "kk:1")
    state.ok("import", verb.argv[1] if verb.argv[0] == "import" else str(state.folder / "small.tar"), "kk:1")
    state.ok("run", "--rm", "kk:1", "true")
    state.ok("rmi", "kk:1")
    layers = [p.name for p in (state.root / "layers").iterdir()]
    if len(layers) != 1:
        raise Failure("layers that no image names: %d" % (len(layers) - 1))


def count_calls(log):
    """Calls of the task that made most: the log of a run without injection."""
    per_task = collections.Counter(re.findall(r"^(\d+) ", read(log), re.M))
    return max(per_task.values()) if per_task else sum(1 for line in read(log).splitlines() if "(" in line)


def run_point(state, name, verb, role, k):
    log = state.folder / "strace.log"
    for p in state.folder.glob("strace.log*"):
        p.unlink()
    verb.prepare(state)
    ROLES[role](state, verb, k, log)
    (check_image if name in ("import", "rmi") else check)(state, verb)
    state.settled()
    return count_calls(log)


def choose(state, table, roles, points, rng):
    """At least POINTS points per role: every verb in proportion to the calls it makes, spread evenly, seeded."""
    chosen = []
    for role in roles:
        sizes = {n: run_point(state, n, v, r, 0) for n, v in table.items() for r in v.roles
                 if r == role or (role == "monitor" and r == "exit")}
        total = sum(sizes.values())
        for name, size in sizes.items():
            n = max(1, -(-points * size // total))
            which = next(r for r in table[name].roles if r == role or (role == "monitor" and r == "exit"))
            for i in range(n):
                low, high = 1 + i * size // n, max(1, (i + 1) * size // n)
                chosen.append((name, which, rng.randint(min(low, high), high)))
    return chosen


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--points", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--role", action="append", choices=["cli", "monitor", "container"])
    p.add_argument("--verb", action="append")
    p.add_argument("--at", type=int)
    p.add_argument("-v", action="store_true")
    o = p.parse_args()
    state = State()
    bad, began = [], time.monotonic()
    table = verbs(make_tar(state, state.folder / "small.tar"))
    table = {n: v for n, v in table.items() if not o.verb or n in o.verb}
    roles = o.role or ["cli", "monitor", "container"]
    try:
        chosen = choose(state, table, roles, o.points, random.Random(o.seed)) if not o.at else \
            [(n, o.role[0] if o.role else "cli", o.at) for n in table]
        for name, role, k in chosen:
            if o.v:
                print(name, role, k, flush=True)
            try:
                run_point(state, name, table[name], role, k)
            except Failure as e:
                bad.append("%s, %s, call %d: %s" % (name, role, k, e))
                print("FAILED " + bad[-1], file=sys.stderr, flush=True)
                for other in state.list():
                    state("rm", "-f", other)
    finally:
        state.close()
    counted = collections.Counter({"exit": "monitor"}.get(r, r) for _, r, _ in chosen)
    report("kill -9 at a system call", ["%s: %d points" % (r, n) for r, n in counted.items()] +
           ["verbs: " + ", ".join(table), "seed %d, %.0f s, failures: %d" % (o.seed, time.monotonic() - began, len(bad))] +
           ["FAILED " + line for line in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
