# SPDX-License-Identifier: Apache-2.0
"""Restart policies, what a person's stop means to them, monitors that are killed, and what a reboot brings back."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import REPO, read_proc, wait_until

NONE = ("--network", "none")
FALSE = ("busybox", "false")


def count(tare, name):
    return int(tare.ok("inspect", "-f", "{{.RestartCount}}", name))


def state_file(tare, name):
    """state.json as it stands, {} when there is none."""
    cid = tare.ok("inspect", "-f", "{{.Id}}", name)
    try:
        return json.loads((tare.runroot / "containers" / cid / "state.json").read_text())
    except FileNotFoundError:
        return {}


def run(tare, name, policy, *command, options=()):
    tare.ok("run", "-d", "--name", name, *NONE, "--restart", policy, *options, "busybox", *command)


def restarting(tare, name, at_least=4):
    """Waits until NAME waits to be started again, for long enough to be looked at."""
    wait_until(lambda: tare.ok("inspect", "-f", "{{.State.Status}} {{.RestartCount}}", name).split() >=
               ["restarting", str(at_least)] and tare.state(name) == "restarting", "%s to be restarting" % name)


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def pid_of(tare, name):
    return int(tare.ok("inspect", "-f", "{{.State.Pid}}", name))


def guard_of(monitor):
    children = read_proc(str(monitor), "task/%d/children" % monitor).split()
    return next((int(c) for c in children if read_proc(c, "comm").strip() == "tare-guard"), 0)


def has_ended(tare, name):
    """It is down for good: no monitor, no guard, and it stays so."""
    tare.wait_state(name, "exited")
    assert state_file(tare, name) == {}
    cid = tare.ok("inspect", "-f", "{{.Id}}", name)
    wait_until(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and cid in read_proc(p, "cmdline")],
               "monitor and guard of %s to be gone" % name)


# ---------------------------------------------------------------- policies

def test_on_failure_counts_and_keeps_the_code(tare):
    run(tare, "c1", "on-failure:2", "sh", "-c", "echo try; exit 3")
    wait_until(lambda: tare.state("c1") == "exited" and count(tare, "c1") == 2, "two restarts")
    assert tare.ok("logs", "c1") == "try\ntry\ntry"
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}} {{.State.Restarting}}", "c1") == "3 false"
    has_ended(tare, "c1")
    run(tare, "zero", "on-failure", "true")
    tare.wait_state("zero", "exited")
    assert count(tare, "zero") == 0


def test_the_first_intervals(tare):
    """100, 200, 400, 800 ms; what a start and a teardown take beside is some milliseconds, more on a busy machine."""
    tare.ok("run", "-d", "--name", "c1", *NONE, "--restart", "on-failure:4", "-v", "%s:/t" % tare.folder, "busybox",
            "sh", "-c", "cat /proc/uptime >>/t/times; exit 1")
    wait_until(lambda: tare.state("c1") == "exited" and count(tare, "c1") == 4, "four restarts")
    times = [float(line.split()[0]) for line in (tare.folder / "times").read_text().splitlines()]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert len(gaps) == 4
    for gap, want in zip(gaps, (0.1, 0.2, 0.4, 0.8)):
        assert want - 0.011 <= gap <= want + 0.7, gaps


def test_while_it_waits(tare):
    run(tare, "c1", "always", "sh", "-c", "exit 7")
    restarting(tare, "c1")
    cid = tare.ok("inspect", "-f", "{{.Id}}", "c1")
    state = tare.inspect("c1")["State"]
    assert (state["Status"], state["Running"], state["Restarting"], state["Paused"], state["Pid"], state["ExitCode"]) == \
        ("restarting", True, True, False, 0, 7)
    assert state["FinishedAt"] > state["StartedAt"] > "2"
    assert re.fullmatch(r"Restarting \(7\) .* ago", tare.ok("ps", "--format", "{{.Status}}"))
    assert tare.ok("ps", "--filter", "status=restarting", "--format", "{{.Names}} {{.State}}") == "c1 restarting"
    assert tare.ok("ps", "-q", "--filter", "status=running") == ""
    for args, words in {("attach", "c1"): "You cannot attach to a restarting container, wait until it is running",
                        ("exec", "c1", "true"): "Container %s is restarting, wait until the container is running" % cid,
                        ("pause", "c1"): "Container %s is restarting, wait until the container is running" % cid,
                        ("unpause", "c1"): "Container %s is not paused" % cid,
                        ("rm", "c1"): 'cannot remove container "/c1": container is restarting: stop the container before '
                                     "removing or force remove"}.items():
        got = tare(*args)
        assert got.rc == 1 and words in got.err, (args, got)
    assert tare.ok("start", "c1") == "c1"                      # docker: not modified
    assert tare("cp", "c1:/etc/passwd", "-", binary=True).rc == 0
    assert tare.ok("container", "prune", "-f").startswith("Total")
    assert tare.state("c1") == "restarting"
    monitor = state_file(tare, "c1")["monitor"]["pid"]
    pss = int(re.search(r"Pss_Anon: +(\d+)", read_proc(str(monitor), "smaps_rollup")).group(1))
    assert pss <= 400, pss


@pytest.mark.parametrize("how", [("stop", "c1"), ("kill", "c1"), ("kill", "-s", "HUP", "c1"), ("rm", "-f", "c1")])
def test_a_wait_can_be_ended(tare, how):
    run(tare, "c1", "always", *FALSE[1:])
    restarting(tare, "c1")
    began = time.monotonic()
    assert tare.ok(*how) == "c1"
    assert time.monotonic() - began < 5
    if how[0] == "rm":
        assert tare.state("c1") is None
        return
    has_ended(tare, "c1")
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}}", "c1") == "1"
    assert tare("kill", "c1").err.strip().endswith("is not running")
    assert tare.ok("start", "c1") == "c1"
    restarting(tare, "c1", 2)


def test_orders_while_it_starts_again_and_again(tare):
    """Whatever moment is hit: between two runs, in a start, in a run."""
    run(tare, "c1", "always", "sh", "-c", "exit 1")
    for _ in range(12):
        assert tare.ok("stop", "-t", "0", "c1") == "c1"
        assert tare.state("c1") == "exited"
        assert tare.ok("restart", "-t", "0", "c1") == "c1"
        assert tare.ok("start", "c1") == "c1"
    tare.ok("rm", "-f", "c1")


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
def test_what_a_person_ended_stays_down_and_what_others_ended_comes_back(tare, policy):
    run(tare, "c1", policy, "sleep", "1000")
    kill(pid_of(tare, "c1"))
    wait_until(lambda: tare.state("c1") == "running" and count(tare, "c1") == 1, "the container to come back")
    tare.ok("kill", "c1")
    assert tare.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", "c1") == "exited 137 1"
    has_ended(tare, "c1")
    tare.ok("start", "c1")
    assert count(tare, "c1") == 0
    tare.ok("stop", "-t", "0", "c1")
    has_ended(tare, "c1")


def test_a_signal_that_is_not_the_stop_signal(tare):
    """docker: any signal cancels where no stop signal was said; else that one and KILL."""
    run(tare, "any", "always", "sleep", "1000")
    run(tare, "said", "always", "sleep", "1000", options=("--stop-signal", "INT"))
    for name in ("any", "said"):
        tare.ok("kill", "-s", "WINCH", name)
        kill(pid_of(tare, name))
    has_ended(tare, "any")
    wait_until(lambda: tare.state("said") == "running" and count(tare, "said") == 1, "said to come back")
    tare.ok("kill", "-s", "INT", "said")
    kill(pid_of(tare, "said"))
    has_ended(tare, "said")


def test_a_signal_that_cancels_thaws(tare):
    run(tare, "c1", "always", "sleep", "1000")
    tare.ok("pause", "c1")
    tare.ok("kill", "-s", "WINCH", "c1")
    assert tare.state("c1") == "running"


def test_a_first_start_that_fails_is_not_tried_again_a_later_one_is(tare):
    got = tare("run", "-d", "--name", "c1", *NONE, "--restart", "always", "busybox", "/nothere")
    assert got.rc == 127
    assert tare.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", "c1") == "created 127 0"
    folder = tare.folder / "v"
    folder.mkdir()
    script = folder / "x"
    script.write_text("#!/bin/sh\nexit 9\n")
    script.chmod(0o755)
    tare.ok("run", "-d", "--name", "v1", *NONE, "--restart", "always", "-v", "%s:/v" % folder, "busybox", "/v/x")
    script.unlink()
    wait_until(lambda: count(tare, "v1") >= 3, "starts that fail")
    restarting(tare, "v1", 3)
    assert "/v/x" in tare.ok("inspect", "-f", "{{.State.Error}}", "v1")
    script.write_text("#!/bin/sh\nsleep 1000\n")
    script.chmod(0o755)
    tare.wait_state("v1", "running")
    assert tare.ok("inspect", "-f", "{{.State.Error}}", "v1") == ""


def test_joins_are_made_afresh(tare):
    """The one that joins is started again beside the other's next run."""
    tare.ok("run", "-d", "--name", "base", *NONE, "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "c1", "--network", "container:base", "--restart", "always", "busybox", "sleep", "1000")
    kill(pid_of(tare, "c1"))
    wait_until(lambda: count(tare, "c1") == 1 and tare.state("c1") == "running", "c to come back")
    tare.ok("restart", "-t", "0", "base")
    kill(pid_of(tare, "c1"))
    wait_until(lambda: count(tare, "c1") == 2 and tare.state("c1") == "running", "c to come back")
    links = [os.readlink("/proc/%d/ns/net" % pid_of(tare, name)) for name in ("base", "c1")]
    assert links[0] == links[1]


def test_wait_logs_and_a_session_end_with_the_run(tare):
    run(tare, "c1", "always", "sh", "-c", "echo up; sleep 0.5; exit 4")
    follower = tare.popen("logs", "-f", "c1")
    assert tare.ok("wait", "c1") == "4"
    out, _ = follower.communicate(timeout=20)
    assert out == b"up\n" and follower.returncode == 0
    restarting(tare, "c1", 2)
    before = count(tare, "c1")
    assert tare.ok("wait", "c1") == "4"                       # the next exit, not the last one
    assert count(tare, "c1") == before + 1
    tare.ok("rm", "-f", "c1")
    got = tare("run", "--name", "fg", *NONE, "--restart", "always", "busybox", "sh", "-c", "echo hi; exit 6")
    assert (got.rc, got.out) == (6, "hi\n")
    assert tare.state("fg") in ("restarting", "running")
    waiter = tare.popen("wait", "fg")
    restarting(tare, "fg", 3)
    tare.ok("stop", "fg")
    assert waiter.communicate(timeout=20)[0] == b"6\n"


def test_a_slow_reader_does_not_hold_up_the_next_run(tare):
    """What fits neither into the client's socket nor into a pipe is served by a process left behind."""
    size = int(pathlib.Path("/proc/sys/net/core/wmem_default").read_text()) + 40000
    script = "[ -e /t/go ] || { echo up; until [ -e /t/go ]; do sleep 0.02; done; head -c %d /dev/zero; }; exit 1" % size
    reader = tare.popen("run", "--name", "c1", *NONE, "-v", "%s:/t" % tare.folder, "--restart", "on-failure:2", "busybox",
                        "sh", "-c", script)
    assert reader.stdout.read(3) == b"up\n"
    reader.send_signal(signal.SIGSTOP)
    (tare.folder / "go").touch()
    wait_until(lambda: tare.state("c1") == "exited" and count(tare, "c1") == 2, "both restarts")
    reader.send_signal(signal.SIGCONT)
    assert len(reader.stdout.read()) == size
    assert reader.wait(20) == 1


# ---------------------------------------------------------------- restart, the verb

def test_restart(tare):
    run(tare, "run", "no", "sleep", "1000")
    tare.ok("create", "--name", "made", *NONE, "busybox", "sleep", "1000")
    run(tare, "paused", "always", "sleep", "1000")
    tare.ok("run", "--name", "ended", *NONE, "busybox", "true")
    tare.ok("pause", "paused")
    before = {name: pid_of(tare, name) for name in ("run", "paused")}
    assert tare.ok("restart", "-t", "0", "run", "made", "paused", "ended") == "run\nmade\npaused\nended"
    for name in ("run", "made", "paused"):
        assert tare.ok("inspect", "-f", "{{.State.Status}} {{.RestartCount}}", name) == "running 0"
        assert pid_of(tare, name) != before.get(name)
    kill(pid_of(tare, "paused"))
    wait_until(lambda: count(tare, "paused") == 1, "the policy to hold on")
    got = tare("restart", "-t", "0", "nothere", "run")
    assert (got.rc, got.out) == (1, "run\n") and "No such container: nothere" in got.err
    assert tare("restart", "-t", "1", "--time", "2", "run").err.splitlines()[-1] == \
        "tare: conflicting options: cannot specify both --timeout and --time"


def test_restart_uses_the_signal_and_tells_why_it_failed(tare):
    tare.ok("run", "-d", "--name", "c1", *NONE, "busybox", "sh", "-c",
            "trap 'echo got; exit 0' USR1; echo up; while :; do sleep 0.05; done")
    tare.wait_log("c1", "up")
    tare.ok("restart", "-s", "USR1", "-t", "20", "c1")
    assert "got" in tare.ok("logs", "c1")
    tare.ok("create", "--name", "bad", *NONE, "busybox", "/nothere")
    got = tare("restart", "bad")
    assert got.rc == 1 and "Cannot restart container bad: " in got.err


def test_restart_keeps_a_container_that_goes_at_its_end(tare):
    tare.ok("run", "-d", "--rm", "--name", "c1", *NONE, "busybox", "sh", "-c", "echo a >>/f; cat /f; sleep 1000")
    tare.wait_log("c1", "a")
    cid = tare.ok("inspect", "-f", "{{.Id}}", "c1")
    tare.ok("restart", "-t", "0", "c1")
    assert tare.ok("inspect", "-f", "{{.Id}} {{.State.Status}}", "c1") == cid + " running"
    tare.wait_log("c1", "a\na\na")
    tare.ok("stop", "-t", "0", "c1")
    wait_until(lambda: tare.state("c1") is None, "the container to go")


# ---------------------------------------------------------------- monitors that are killed

def test_a_killed_monitor_and_the_policy(tare):
    run(tare, "c1", "always", "sleep", "1000")
    for n in range(1, 4):
        pid, monitor = pid_of(tare, "c1"), state_file(tare, "c1")["monitor"]["pid"]
        wait_until(lambda: guard_of(monitor), "the guard")
        kill(monitor)
        killed = time.monotonic()
        # Without any command: the file alone tells.
        cid = tare.ok("inspect", "-f", "{{.Id}}", "c1")
        wait_until(lambda: state_file_of(tare, cid).get("monitor", {}).get("pid", monitor) != monitor, "another monitor", 2)
        assert time.monotonic() - killed < 1
        wait_until(lambda: tare.state("c1") == "running" and count(tare, "c1") == n, "the container to come back")
        assert pid_of(tare, "c1") != pid
    tare.ok("stop", "-t", "0", "c1")
    has_ended(tare, "c1")


def state_file_of(tare, cid):
    try:
        return json.loads((tare.runroot / "containers" / cid / "state.json").read_text())
    except FileNotFoundError:
        return {}


def test_a_monitor_killed_while_it_waits(tare):
    run(tare, "c1", "on-failure:6", "sh", "-c", "exit 5")
    restarting(tare, "c1", 4)
    kill(state_file(tare, "c1")["monitor"]["pid"])
    wait_until(lambda: tare.state("c1") == "exited" and count(tare, "c1") == 6, "the count to be used up", 60)
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}}", "c1") == "5"
    has_ended(tare, "c1")


def test_a_monitor_killed_in_the_middle_of_a_start(tare):
    """The start is on record, its end is not, and the container's entry was held."""
    run(tare, "c1", "on-failure:6", "sh", "-c", "exit 5")
    restarting(tare, "c1", 4)
    monitor = state_file(tare, "c1")["monitor"]["pid"]
    wait_until(lambda: guard_of(monitor), "the guard")
    subprocess.run(["strace", "-qq", "-f", "-o", "/dev/null", "-p", str(monitor), "-e", "trace=clone3", "-e",
                    "inject=clone3:signal=KILL:when=1"], timeout=30)
    wait_until(lambda: not os.path.exists("/proc/%d" % monitor), "the monitor to go")
    wait_until(lambda: tare.state("c1") == "exited" and count(tare, "c1") == 6, "the count to be used up", 60)
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}}", "c1") == "5"
    has_ended(tare, "c1")


@pytest.mark.parametrize("verb", ["top", "ps", "stop", "kill"])
def test_monitor_and_guard_killed(tare, verb):
    """Whoever finds it has the policy go on, before anything else."""
    run(tare, "c1", "always", "sleep", "1000")
    monitor = state_file(tare, "c1")["monitor"]["pid"]
    guard = wait_until(lambda: guard_of(monitor), "the guard")
    os.kill(guard, signal.SIGSTOP)
    kill(monitor)
    kill(guard)
    wait_until(lambda: not os.path.exists("/proc/%d" % monitor), "the monitor to go")
    # Its output is a pipe: nobody may keep that open.
    tare("ps", "-a") if verb == "ps" else tare(verb, "c1")
    if verb in ("stop", "kill"):
        has_ended(tare, "c1")
        return
    wait_until(lambda: tare.state("c1") == "running" and count(tare, "c1") == 1, "the container to come back")
    assert guard_of(state_file(tare, "c1")["monitor"]["pid"])


def test_a_monitor_killed_after_a_stop_was_asked_for(tare):
    run(tare, "c1", "always", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    tare.wait_log("c1", "up")
    monitor = state_file(tare, "c1")["monitor"]["pid"]
    wait_until(lambda: guard_of(monitor), "the guard")
    stopper = tare.popen("stop", "-t", "30", "c1")
    cid = tare.ok("inspect", "-f", "{{.Id}}", "c1")
    wait_until(lambda: '"canceled":true' in (tare.root / "containers" / cid / "exit.json").read_text(), "the mark")
    kill(monitor)
    assert stopper.wait(20) == 0
    has_ended(tare, "c1")
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}}", "c1") == "255"


def test_a_stop_while_it_starts(tare):
    """Though the command that starts it was killed: its monitor goes on."""
    tare.ok("create", "--name", "c1", *NONE, "busybox", "sleep", "1000")
    starter = subprocess.Popen(["strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=clone3",
                                "-e", "inject=clone3:delay_enter=700000"] + tare.argv + ["start", "c1"])
    held = wait_until(lambda: list((tare.runroot / "pending").glob("*")), "the start")
    child = int(wait_until(lambda: read_proc(str(starter.pid), "task/%d/children" % starter.pid).split(), "the command")[0])
    wait_until(lambda: read_proc(str(child), "task/%d/children" % child).split(), "the monitor")
    kill(child)
    tare.ok("stop", "-t", "0", "c1")
    assert held and tare.state("c1") == "exited"
    starter.wait(20)
    has_ended(tare, "c1")


@pytest.mark.parametrize("verb", [("stop", "-t", "0"), ("kill",)])
def test_a_stop_just_after_the_monitor_was_killed(tare, verb):
    """The guard is about to start it again: the stop comes before or after, and is heeded."""
    for n in range(8):
        name = "c%d" % n
        run(tare, name, "always", "sleep", "1000")
        monitor = state_file(tare, name)["monitor"]["pid"]
        wait_until(lambda: guard_of(monitor), "the guard")
        kill(monitor)
        time.sleep(n / 400)
        tare.ok(*verb, name)
        assert tare.state(name) == "exited"
        has_ended(tare, name)


def test_a_killed_guard_is_replaced_and_holds_nothing(tare):
    run(tare, "c1", "always", "sleep", "1000")
    monitor = state_file(tare, "c1")["monitor"]["pid"]
    guard = wait_until(lambda: guard_of(monitor), "the guard")
    fds = [os.readlink("/proc/%d/fd/%s" % (guard, f)) for f in os.listdir("/proc/%d/fd" % guard)]
    assert sorted(set(fds)) == ["/dev/null", "anon_inode:[pidfd]"]
    pss = int(re.search(r"\nPss: +(\d+)", read_proc(str(guard), "smaps_rollup")).group(1))
    assert pss < 150, pss
    kill(guard)
    wait_until(lambda: guard_of(monitor) not in (0, guard), "another guard")
    run(tare, "plain", "no", "sleep", "1000")
    assert not guard_of(state_file(tare, "plain")["monitor"]["pid"])


@pytest.mark.parametrize("verb", [("kill",), ("rm", "-f"), ("stop", "-t", "0")])
def test_killed_while_somebody_pauses_it(tare, verb):
    """The group is frozen and state.json does not say so yet: nothing frozen dies (cgroup v1)."""
    run(tare, "c1", "always", "sleep", "1000")
    groups = read_proc(str(pid_of(tare, "c1")), "cgroup")
    freezer = re.search(r":freezer:(.*)", groups)
    if not freezer:
        pytest.skip("cgroup v2, where a frozen process dies")
    pathlib.Path("/sys/fs/cgroup/freezer" + freezer.group(1) + "/freezer.state").write_text("FROZEN")
    began = time.monotonic()
    tare.ok(*verb, "c1")
    assert time.monotonic() - began < 5


def test_a_state_directory_that_becomes_read_only(tare):
    """Neither the end of a run nor the delay can be put on record; the delay grows all the same, and a monitor that is
    killed then has a successor when the disk can be written to again."""
    script = """mount -t tmpfs none "$1" && cd / || exit 9
        folder=$1; shift; tare="$1 --root $folder/root --runroot $2"; state=$2/containers
        $tare run -d --name c1 --network none --restart always busybox sleep 0.01 >/dev/null 2>&1 || exit 8
        # Not while a run has its log open.
        for i in $(seq 1000); do mount -o remount,ro "$folder" 2>/dev/null && break; sleep 0.01; done
        for i in $(seq 600); do grep -q '"restartDelay":1600000000' $state/*/state.json && break; sleep 0.05; done
        grep -o '"restartDelay":[0-9]*' $state/*/state.json
        monitor() { grep -o 'monitor":{"pid":[0-9]*' $state/*/state.json | grep -o '[0-9]*$'; }
        before=$(monitor); kill -9 $before; while kill -0 $before 2>/dev/null; do sleep 0.05; done; sleep 0.2
        mount -o remount,rw "$folder"
        for i in $(seq 300); do now=$(monitor); [ "$now" -a "$now" != $before ] && echo another && break; sleep 0.05; done
        $tare rm -f c1; ls $state"""
    folder = tare.folder / "ro"
    folder.mkdir()
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(folder), tare.argv[0], str(tare.folder / "rorun")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.stdout.splitlines() == ['"restartDelay":1600000000', "another", "c1"], done.stdout


# ---------------------------------------------------------------- a reboot

def remove_group(path):
    """Whether it is gone, with those below it; a process on its way out still holds one."""
    try:
        for inner in [p for p in path.iterdir() if p.is_dir()]:
            inner.rmdir()
        path.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def reboot(tare):
    """What a power cut leaves: no process, and nothing of /run, which is a tmpfs."""
    for state in (tare.runroot / "containers").glob("*/state.json"):
        monitor = json.loads(state.read_text())["monitor"]["pid"]
        # The machine goes as a whole: nobody is left to settle anything, nor a guard that is just being made.
        os.kill(monitor, signal.SIGSTOP)
        wait_until(lambda: "\nState:\tT" in read_proc(str(monitor), "status"), "the monitor to stand still")
        for child in read_proc(str(monitor), "task/%d/children" % monitor).split():
            kill(int(child))
        kill(monitor)
        wait_until(lambda: not pathlib.Path("/proc/%d/exe" % monitor).exists(), "the monitor to be gone")
    ids = [p.name for p in (tare.root / "containers").iterdir()]
    wait_until(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and
                            any(i in read_proc(p, "cgroup") for i in ids)], "all processes to be gone")
    groups = [p for p in pathlib.Path("/sys/fs/cgroup").glob("*/tare/*") if p.name in ids]
    groups += [p for p in pathlib.Path("/sys/fs/cgroup").glob("tare/*") if p.name in ids]
    wait_until(lambda: all([remove_group(p) for p in groups]), "the control groups to be gone")
    shutil.rmtree(tare.runroot)


def test_boot(tare):
    run(tare, "no", "no", "sleep", "1000")
    run(tare, "always", "always", "sleep", "1000")
    run(tare, "always-stopped", "always", "sleep", "1000")
    run(tare, "unless", "unless-stopped", "sleep", "1000")
    run(tare, "unless-stopped", "unless-stopped", "sleep", "1000")
    run(tare, "unless-winch", "unless-stopped", "sleep", "1000", options=("--stop-signal", "INT"))
    run(tare, "failed", "on-failure:5", "sleep", "1000")
    run(tare, "used-up", "on-failure:1", "sh", "-c", "exit 1")
    run(tare, "well", "on-failure", "true")
    tare.ok("create", "--name", "never", *NONE, "--restart", "always", "busybox", "sleep", "1000")
    tare.ok("stop", "-t", "0", "always-stopped", "unless-stopped")
    tare.ok("kill", "-s", "WINCH", "unless-winch")
    wait_until(lambda: tare.state("used-up") == "exited" and count(tare, "used-up") == 1, "one restart")
    kill(pid_of(tare, "always"))
    wait_until(lambda: count(tare, "always") == 1 and tare.state("always") == "running", "always to come back")
    reboot(tare)
    want = ["always", "always-stopped", "unless", "failed"]
    assert tare.ok("system", "boot", "--dry-run").split() == want
    assert tare.ok("ps", "-q") == ""
    assert tare.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "failed") == "exited 255"
    assert tare.ok("system", "boot").split() == want
    assert sorted(tare.ok("ps", "--format", "{{.Names}}").split()) == sorted(want)
    assert count(tare, "always") == 0
    pid = pid_of(tare, "always")
    assert tare.ok("system", "boot") == ""
    assert pid_of(tare, "always") == pid


@pytest.mark.parametrize("left", ["", '{"exitCode":0,"oomKi'])
def test_boot_after_a_power_cut_that_left_half_a_record(tare, left):
    run(tare, "c1", "always", "sleep", "1000")
    record = tare.root / "containers" / tare.ok("inspect", "-f", "{{.Id}}", "c1") / "exit.json"
    reboot(tare)
    record.write_text(left)
    assert tare.ok("system", "boot", "--dry-run").split() == ["c1"]
    assert tare.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "c1") == "exited 255"
    assert tare.ok("system", "boot").split() == ["c1"]
    assert tare.state("c1") == "running"


def test_boot_order_and_failures(tare):
    """In the order of creation, but after what they use; one that does not start keeps no other from it."""
    tare.ok("run", "-d", "--name", "base", *NONE, "--restart", "always", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "user", "--network", "container:base", "--restart", "always", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "data", *NONE, "--restart", "always", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "reader", *NONE, "--volumes-from", "data", "--restart", "always", "busybox", "sleep", "1000")
    folder = tare.folder / "gone"
    folder.mkdir()
    tare.ok("run", "-d", "--name", "bad", *NONE, "--restart", "always", "--mount",
            "type=bind,src=%s,dst=/v" % folder, "busybox", "sleep", "1000")
    run(tare, "last", "always", "sleep", "1000")
    # Made anew under the same name, so that it is younger than its user. (A namespace is shared by id.)
    tare.ok("rm", "-f", "data")
    tare.ok("run", "-d", "--name", "data", *NONE, "--restart", "always", "busybox", "sleep", "1000")
    reboot(tare)
    folder.rmdir()
    assert tare.ok("system", "boot", "--dry-run").split() == ["base", "user", "data", "reader", "bad", "last"]
    got = tare("system", "boot")
    assert got.rc == 1 and got.out.split() == ["base", "user", "data", "reader", "last"]
    assert "failed to start container bad" in got.err and len(got.err.splitlines()) <= 2
    assert os.readlink("/proc/%d/ns/net" % pid_of(tare, "base")) == os.readlink("/proc/%d/ns/net" % pid_of(tare, "user"))


def test_the_init_script(tare):
    """As it is installed, but for the program's place."""
    run(tare, "c1", "always", "sleep", "1000")
    reboot(tare)
    program = tare.folder / "tare"
    program.write_text("#!/bin/sh\nexec %s \"$@\"\n" % " ".join(tare.argv))
    program.chmod(0o755)
    script = (REPO / "contrib" / "tare-boot.init.in").read_text().replace("@BINDIR@", str(tare.folder))

    def init(word):
        return subprocess.run(["sh", "-s", word], input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert init("start").stdout.splitlines()[-1] == "c1"
    assert tare.state("c1") == "running"
    assert init("stop").returncode == 0 and tare.state("c1") == "running"
    assert "c1" in init("status").stdout
    assert init("nonsense").returncode == 2


def test_many_monitors_are_small(tare):
    """PSS of monitor and guard together, with a policy: what each of many costs."""
    names = ["c%d" % i for i in range(20)]
    for name in names:
        run(tare, name, "always", "sleep", "1000")
    monitors = [state_file(tare, name)["monitor"]["pid"] for name in names]
    for monitor in monitors:
        wait_until(lambda: guard_of(monitor), "the guard")

    def kib(pid):
        return int(re.search(r"\nPss: +(\d+)", read_proc(str(pid), "smaps_rollup")).group(1))
    wait_until(lambda: max(kib(m) for m in monitors) <= 614, "monitors to be small")
    assert max(kib(guard_of(m)) for m in monitors) < 50
    tare.ok("rm", "-f", *names)
