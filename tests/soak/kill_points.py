#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at chosen system calls, by strace's injection.

    kill_points.py [--points N] [--seed S] [--role cli|monitor|container] [--verb VERB]... [--at CALL:K] [-v]

A point is (verb, role, CALL, K): the process of that role gets SIGKILL when it enters CALL, a system call that
changes something, for the K-th time. strace counts each call by itself: a clean run tells which points there are.
Roles are killed separately: `cli` is the command itself; `monitor` is the process beside the container, which is
stopped at its first call and then traced alone; `container` stops the container's first process at a step of its
own making and kills the monitor there. Nine of ten points (all but two of a few) must really have been reached.

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

from harness import Failure, State, make_tar, parse_log, read, report, wait_until
from images import docker_archive, entry, layer_tar

CHANGING = ("openat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,write,pwrite64,writev,"
            "sendto,sendmsg,ftruncate,fchmod,fchmodat,chmod,symlinkat,mknodat,mount,umount2,fsopen,fsconfig,fsmount,"
            "move_mount,open_tree,mount_setattr,pivot_root,clone,clone3,vfork,fork,setns,unshare,execve,flock,fsync,"
            "fdatasync,syncfs,bind,listen,dup2,setsid,close_range")
# What only the container's first process does.
MAKING = ("fsopen,fsconfig,fsmount,move_mount,mount_setattr,pivot_root,umount2,sethostname,mknodat,symlinkat,capset,"
          "seccomp,setgroups,setresuid,setresgid,unshare,execve,fchdir")

OPTIONS = []  # more of strace's; for who imports this

OUTPUT = "out.tar"

# prepare(state); removes: the container removes itself; image: what is checked is the image kk:1.
Verb = collections.namedtuple("Verb", "prepare argv removes roles image", defaults=(False,))


def verbs(state):
    tar = str(make_tar(state, state.folder / "small.tar"))
    run = ["run", "--name", "kk"]
    both = ("cli", "monitor", "container")
    nothing = lambda s: None
    up = lambda s: s.ok("run", "-d", "--name", "kk", "busybox", "sleep", "1000")
    made = lambda s: s.ok("create", "--name", "kk", "busybox", "sleep", "1000")
    imported = lambda s: s.ok("import", tar, "kk:1")

    out = str(state.folder / OUTPUT)
    archive = str(state.folder / "image.tar")
    docker_archive(archive, "kk:1", [pathlib.Path(tar).read_bytes(), layer_tar([entry("more", b"more\n")])])

    def two(s):
        imported(s)
        s.ok("import", "-m", "a second one", tar, "kk:1")

    def changed(s):
        s("rm", "-f", "cc")
        ident = s.ok("create", "--name", "cc", "busybox", "true")
        (s.root / "containers" / ident / "upper" / "new").write_text("new\n")

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
        "import": Verb(nothing, ["import", tar, "kk:1"], False, ("cli",), True),
        "rmi": Verb(imported, ["rmi", "kk:1"], False, ("cli",), True),
        "prune": Verb(two, ["image", "prune", "-f"], False, ("cli",), True),
        "load": Verb(nothing, ["load", "-q", "-i", archive], False, ("cli",), True),
        "commit": Verb(changed, ["commit", "cc", "kk:1"], False, ("cli",), True),
        "save": Verb(imported, ["save", "-o", out, "kk:1"], False, ("cli",), True),
        "copy": Verb(nothing, ["image", "copy", "-q", "docker-archive:" + archive, "tare:kk:1"], False, ("cli",), True),
        "copy-out": Verb(imported, ["image", "copy", "-q", "tare:kk:1", "oci-archive:%s:kk:1" % out], False, ("cli",), True),
    }


# ---------------------------------------------------------------- killing

def strace(log, calls, point, what, *target):
    """POINT is (call, K), or None for a clean run."""
    return ["strace", "-q", *OPTIONS, "-o", str(log), "-e", "signal=SIGSTOP,SIGKILL", "-e", "trace=" + calls] + \
        (["-e", "inject=%s:%s:when=%d" % (point[0], what, point[1])] if point else []) + list(target)


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
    tracer = spawn(strace(log, "setsid", ("setsid", 1), "signal=STOP", "-f") + state.argv + argv)

    def stopped():
        m = re.search(r"^(\d+) +setsid\(\)", read(log), re.M)
        return m and read("/proc/%s/status" % m.group(1)).find("State:\tt") >= 0 and int(m.group(1))
    monitor = wait_until(stopped, "the monitor's first call")
    command = int(read("/proc/%d/status" % monitor).split("PPid:\t")[1].split()[0])
    pidfd = os.pidfd_open(command)
    tracer.kill()
    tracer.wait()
    return pidfd, monitor


def attach(monitor, argv, log=None):
    """A monitor that stands still is let go when strace has told LOG that it does, which it mostly does: between
    taking hold of it and that, strace sees no calls."""
    tracer = spawn(argv)
    wait_until(lambda: "TracerPid:\t%d\n" % tracer.pid in read("/proc/%d/status" % monitor) or
               tracer.poll() is not None, "strace to attach")
    if log:
        end = time.monotonic() + 1
        while "stopped by SIGSTOP" not in read(log) and time.monotonic() < end:
            time.sleep(0.002)
        os.kill(monitor, signal.SIGCONT)
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
    finish(spawn(strace(log, CHANGING, k, "signal=KILL") + state.argv + verb.argv), "the command")


def run_monitor(state, verb, k, log):
    command, monitor = stop_monitor(state, verb.argv, str(log) + ".1")
    tracer = attach(monitor, strace(log, CHANGING, k, "signal=KILL", "-p", str(monitor)), log)
    try:
        # The command waits for its monitor; one that serves `sleep` lives on.
        wait_until(lambda: gone(command), "the command", 40)
    finally:
        os.close(command)
        tracer.terminate()
        tracer.wait()


def run_container(state, verb, k, log):
    command, monitor = stop_monitor(state, verb.argv, str(log) + ".1")
    tracer = attach(monitor, strace(log, MAKING, k, "signal=STOP", "-f", "-p", str(monitor)), log)
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
    tracer = attach(monitor, strace(log, CHANGING, k, "signal=KILL", "-p", str(monitor)))
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
        ids = [i for i, _ in listed.values()]
        state.settled(ids, running, ids)
    state.ok("run", "--rm", "busybox", "true")
    if "kk" in listed:
        if verb.argv[-1] != "true":
            state.ok("start", "kk")
        state.ok("rm", "-f", "kk")
    state.ok("run", "--rm", "--name", "kk", "busybox", "true")
    if state.list():
        raise Failure("still listed: %s" % state.list())


def take_output(state):
    """What save wrote is an image, or it is not there."""
    out = state.folder / OUTPUT
    if out.exists():
        state.ok("load", "-q", "-i", str(out))
        out.unlink()


def remove_image(state):
    if "kk:1" in state.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        state.ok("run", "--rm", "kk:1", "true")
        state.ok("rmi", "kk:1")


def check_image(state, verb):
    take_output(state)
    state.ok("run", "--rm", "busybox", "true")
    remove_image(state)
    verb.prepare(state)
    state.ok(*verb.argv)
    take_output(state)
    remove_image(state)
    if state.list():
        state.ok("rm", "-f", "cc")
    state.ok("image", "prune", "-f")
    layers = [p.name for p in (state.root / "layers").iterdir()]
    if len(layers) != 1:
        raise Failure("layers that no image names: %d" % (len(layers) - 1))
    state.ok("system", "check", "--full")


def points_in(text, role):
    """(call, K) of everything that the role's process did, in order, from the log of a clean run. Of the container's
    only what the monitor, the first task in the log, does not reach as well: strace would stop both."""
    tasks, reached = parse_log(text), collections.defaultdict(list)
    for task, calls in tasks.items():
        counts = collections.Counter()
        for call, _ in calls:
            counts[call] += 1
            reached[task].append((call, counts[call]))
    if role != "container" or not reached:
        return max(reached.values(), key=len, default=[])
    monitor = re.match(r"\d+", text).group()
    return [p for task in reached if task != monitor for p in reached[task] if p not in reached.get(monitor, ())]


def run_point(state, name, verb, role, k):
    """K is (call, number), or None for a clean run. What the log says."""
    log = state.folder / "strace.log"
    for p in state.folder.glob("strace.log*"):
        p.unlink()
    verb.prepare(state)
    ROLES[role](state, verb, k, log)
    text = read(log)
    (check_image if verb.image else check)(state, verb)
    state.settled()
    return text


def is_reached(text, role):
    """Whether the process got to the point: in the container's log the monitor stood still at first."""
    if role != "container":
        return "killed by SIGKILL" in text
    return len(set(re.findall(r"^(\d+) +--- stopped by SIGSTOP", text, re.M))) > 1


def role_of(verb, role):
    """The role's name for this verb, or None: the monitor's at a container's end is called `exit`."""
    return next((r for r in verb.roles if r == role or (role == "monitor" and r == "exit")), None)


def clean_points(state, name, verb, role):
    """Strace may come too late for what it is attached to."""
    for _ in range(4):
        points = points_in(run_point(state, name, verb, role_of(verb, role), None), role)
        if points:
            return points
    raise Failure("%s: strace saw nothing of its %s" % (name, role))


def choose(state, table, roles, points, rng):
    """At least POINTS points per role: every verb in proportion to the calls it makes, spread evenly, seeded."""
    chosen = []
    for role in roles:
        found = {n: clean_points(state, n, v, role) for n, v in table.items() if role_of(v, role)}
        total = sum(map(len, found.values()))
        for name, calls in found.items():
            n = min(len(calls), max(1, -(-points * len(calls) // total)))
            chosen += [(name, role_of(table[name], role), calls[rng.randrange(i * len(calls) // n, (i + 1) * len(calls) // n)])
                       for i in range(n)]
    return chosen


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--points", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--role", action="append", choices=["cli", "monitor", "container"])
    p.add_argument("--verb", action="append")
    p.add_argument("--at", help="CALL:K")
    p.add_argument("-v", action="store_true")
    return p.parse_args()


def run_chosen(state, table, chosen, verbose):
    """(reached, failures)"""
    reached, bad = collections.Counter(), []
    for name, role, (call, k) in chosen:
        if verbose:
            print(name, role, call, k, flush=True)
        try:
            text = run_point(state, name, table[name], role, (call, k))
            reached[{"exit": "monitor"}.get(role, role)] += is_reached(text, role)
        except Failure as e:
            bad.append("%s, %s, %s %d: %s" % (name, role, call, k, e))
            print("FAILED " + bad[-1], file=sys.stderr, flush=True)
            for other in state.list():
                state("rm", "-f", other)
    tried = len(chosen) - len(bad)
    if tried - sum(reached.values()) > max(2, 0.1 * tried):
        bad.append("only %d of %d points were reached" % (sum(reached.values()), len(chosen)))
    return reached, bad


def main():
    o = arguments()
    state = State()
    began = time.monotonic()
    table = verbs(state)
    table = {n: v for n, v in table.items() if not o.verb or n in o.verb}
    roles = o.role or ["cli", "monitor", "container"]
    try:
        chosen = choose(state, table, roles, o.points, random.Random(o.seed)) if not o.at else \
            [(n, roles[0], (o.at.split(":")[0], int(o.at.split(":")[1]))) for n in table]
        reached, bad = run_chosen(state, table, chosen, o.v)
    finally:
        state.close()
    report("kill -9 at a system call", ["%s: %d points" % (r, n) for r, n in reached.items()] +
           ["verbs: " + ", ".join(table), "seed %d, %.0f s, failures: %d" % (o.seed, time.monotonic() - began, len(bad))] +
           ["FAILED " + line for line in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
