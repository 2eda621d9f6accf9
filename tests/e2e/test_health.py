# SPDX-License-Identifier: Apache-2.0
"""Health checks: what they say of a container, what they do to it, and what a hostile one cannot do."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import read_proc, wait_until
from test_restart import reboot

NONE = ("--network", "none")
SLEEP = ("busybox", "sleep", "1000")
FAST = ("--health-interval", "100ms")


def run(tare, name, check, *options, command=SLEEP, interval="100ms"):
    tare.ok("run", "-d", "--name", name, *NONE, "--health-cmd", check, "--health-interval", interval, *options, *command)


def health(tare, name):
    """State.Health, {} when there is none."""
    return json.loads(tare.ok("inspect", "-f", "{{json .State.Health}}", name)) or {}


def wait_health(tare, name, status):
    return wait_until(lambda: (lambda h: h if h.get("Status") == status else None)(health(tare, name)),
                      "%s to be %s" % (name, status))


def wait_entries(tare, name, n):
    return wait_until(lambda: (lambda log: log if len(log) >= n else None)(health(tare, name).get("Log", [])),
                      "%d checks of %s" % (n, name))


def actions(tare, name):
    return tare.ok("events", "--since", "60s", "--until", "0s", "--filter", "container=" + name,
                   "--format", "{{.Action}}").splitlines()


def monitor_of(tare, name):
    """Its pid, 0 between two of them."""
    cid = tare.ok("inspect", "-f", "{{.Id}}", name)
    try:
        return json.loads((tare.runroot / "containers" / cid / "state.json").read_text())["monitor"]["pid"]
    except FileNotFoundError:
        return 0


def processes(word):
    """The processes of this machine with WORD among their arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if word in read_proc(pid, "cmdline").split("\0"):
            found.append(int(pid))
    return found


def checkers(monitor):
    """The processes that make a check for the monitor, whose other child is the container."""
    return [int(pid) for pid in read_proc(str(monitor), "task/%d/children" % monitor).split()
            if "health-check" in read_proc(pid, "cmdline").split("\0")]


def commit(tare, *changes):
    """The image "im" of busybox with CHANGES."""
    tare.ok("create", "--name", "base", *NONE, "busybox")
    tare.ok("commit", *[word for change in changes for word in ("-c", change)], "base", "im")
    tare.ok("rm", "base")


# ---------------------------------------------------------------- the status

def test_status_where_it_is_shown(tare):
    run(tare, "c1", "cat /tmp/answer", "--health-retries", "2")
    assert health(tare, "c1")["Status"] == "starting"
    bad = wait_health(tare, "c1", "unhealthy")
    assert bad["FailingStreak"] >= 2 and bad["Log"][0]["ExitCode"] == 1
    assert "cat: can't open '/tmp/answer'" in bad["Log"][0]["Output"]
    assert tare.ok("ps", "--format", "{{.Status}}").endswith(" (unhealthy)")
    tare.ok("exec", "c1", "sh", "-c", "echo fine > /tmp/answer")
    good = wait_health(tare, "c1", "healthy")
    assert good["FailingStreak"] == 0 and good["Log"][-1]["Output"] == "fine\n"
    assert good["Log"][-1]["Start"] < good["Log"][-1]["End"]
    assert tare.ok("ps", "--format", "{{.Status}}").endswith(" (healthy)")
    assert tare.ok("ps", "-q", "--filter", "health=healthy") and not tare.ok("ps", "-q", "--filter", "health=none")


def test_a_container_without_checks_has_nothing_of_them(tare, running):
    cid = tare.ok("inspect", "-f", "{{.Id}}", running)
    assert health(tare, running) == {}
    assert not (tare.root / "containers" / cid / "health.json").exists()
    assert "health" not in json.loads((tare.runroot / "containers" / cid / "state.json").read_text())
    timers = [os.readlink(fd) for fd in pathlib.Path("/proc/%d/fd" % monitor_of(tare, running)).iterdir()]
    assert len([t for t in timers if "timerfd" in t]) == 1      # of the buffers
    assert tare.ok("ps", "--format", "{{.Status}}").split()[-1] != "(healthy)"
    assert tare.ok("ps", "-q", "--filter", "health=none")


def test_events(tare):
    run(tare, "c1", "test -f /tmp/ok", "--health-retries", "1")
    wait_health(tare, "c1", "unhealthy")
    tare.ok("exec", "c1", "touch", "/tmp/ok")
    wait_health(tare, "c1", "healthy")
    wait_until(lambda: "health_status: healthy" in actions(tare, "c1"), "the event")
    seen = actions(tare, "c1")
    first = seen.index("start") + 1
    assert seen[first:first + 4] == ["exec_create: /bin/sh -c test -f /tmp/ok", "exec_start: /bin/sh -c test -f /tmp/ok",
                                     "exec_die", "health_status: unhealthy"]
    assert seen.count("health_status: healthy") == 1


def test_start_period(tare):
    run(tare, "c1", "false", "--health-retries", "1", "--health-start-period", "1h", "--health-start-interval", "50ms",
        interval="1h")
    wait_entries(tare, "c1", 3)
    assert health(tare, "c1")["Status"] == "starting" and health(tare, "c1")["FailingStreak"] == 0


# ---------------------------------------------------------------- the check

def test_time_is_over_for_all_that_it_started(tare):
    """Also for what left its session, its parent and the terminal, and takes no signal."""
    script = "echo begun; trap '' TERM HUP INT; setsid sh -c 'sleep 7654321 & sleep 7654321' & sleep 7654321"
    run(tare, "c1", script, "--health-timeout", "300ms", "--health-retries", "1", interval="200ms")
    bad = wait_health(tare, "c1", "unhealthy")
    assert bad["Log"][0]["ExitCode"] == -1
    assert bad["Log"][0]["Output"] == "Health check exceeded timeout (300ms): begun\n"
    tare.ok("stop", "-t", "0", "c1")
    assert not processes("7654321")
    assert "exec_die" in actions(tare, "c1")


def test_nothing_is_left_between_checks(tare):
    run(tare, "c1", "setsid sleep 7654322 & sleep 7654322", "--health-timeout", "100ms", interval="100ms")
    wait_entries(tare, "c1", 4)
    wait_until(lambda: not processes("7654322"), "the killed ones to be gone")


def test_endless_output(tare):
    run(tare, "c1", "yes", "--health-timeout", "1s", "--health-retries", "1")
    log = wait_health(tare, "c1", "unhealthy")["Log"]
    assert log[0]["Output"].startswith("Health check exceeded timeout (1s): y\ny\n")
    assert len(log[0]["Output"]) <= 4096
    assert int(read_proc(str(monitor_of(tare, "c1")), "statm").split()[1]) < 2000      # pages


def test_hostile_output(tare):
    run(tare, "c1", r"""printf 'a\001\377"\\\n{"Start":1}\n\303\251\000z\033[2J'; exit 3""", "--health-retries", "1")
    entry = wait_health(tare, "c1", "unhealthy")["Log"][0]
    assert entry["ExitCode"] == 3
    assert entry["Output"] == 'a\x01\ufffd"\\\n{"Start":1}\né\x00z\x1b[2J'


def test_it_runs_as_the_container_does(tare):
    tare.ok("run", "-d", "--name", "c1", *NONE, *FAST, "-u", "1000:100", "-w", "/tmp", "-e", "A=b c", "--read-only",
            "--health-cmd", "id -u; id -g; pwd; echo $A; grep NoNewPrivs /proc/self/status; touch /x 2>&1 || true",
            "--security-opt", "no-new-privileges", "busybox", "sleep", "1000")
    out = wait_health(tare, "c1", "healthy")["Log"][0]["Output"].splitlines()
    assert out[:4] == ["1000", "100", "/tmp", "b c"]
    assert out[4].split() == ["NoNewPrivs:", "1"] and "Read-only file system" in out[5]


def test_it_gives_the_check_no_ignored_signals(tare):
    run(tare, "c1", "grep SigIgn /proc/self/status; grep SigBlk /proc/self/status")
    out = wait_health(tare, "c1", "healthy")["Log"][0]["Output"].split()
    # The C library keeps 32 and 33 for itself and leaves them as they came.
    assert int(out[1], 16) & ~(3 << 31) == 0 and int(out[3], 16) == 0


@pytest.mark.parametrize("argv, code, text", [
    ('["/nosuch"]', 127, "/nosuch"),
    ('["/etc"]', 126, "/etc"),
])
def test_a_check_that_cannot_be_run(tare, argv, code, text):
    commit(tare, "HEALTHCHECK --interval=100ms --retries=1 CMD " + argv)
    tare.ok("run", "-d", "--name", "c1", *NONE, "im", "sleep", "1000")
    entry = wait_health(tare, "c1", "unhealthy")["Log"][0]
    assert entry["ExitCode"] == code and text in entry["Output"]


def test_no_process_is_left_for_it(tare):
    """Three with itself: it starts, and cannot start another."""
    run(tare, "c1", "ls /; true", "--health-retries", "1", "--pids-limit", "2",
        command=("busybox", "sh", "-c", "sleep 1000; true"))
    entry = wait_health(tare, "c1", "unhealthy")["Log"][0]
    assert entry["ExitCode"] != 0 and "Resource temporarily unavailable" in entry["Output"]


# ---------------------------------------------------------------- the container's life

def test_pause(tare):
    """As docker's: unhealthy from the pause to the first check after it; nothing is told of that."""
    run(tare, "c1", "sleep 0.3; echo x >> /tmp/n", interval="50ms")
    wait_health(tare, "c1", "healthy")
    tare.ok("pause", "c1")
    assert health(tare, "c1")["Status"] == "unhealthy" and health(tare, "c1")["FailingStreak"] == 0
    assert tare.ok("ps", "--format", "{{.Status}}").endswith("(Paused)")
    n = len(health(tare, "c1")["Log"])
    time.sleep(0.6)
    assert len(health(tare, "c1")["Log"]) == n
    wait_until(lambda: not checkers(monitor_of(tare, "c1")), "the check to be called off")
    tare.ok("unpause", "c1")
    wait_health(tare, "c1", "healthy")
    assert actions(tare, "c1").count("health_status: unhealthy") == 0


def test_stop_and_start_again(tare):
    run(tare, "c1", "true", "--health-start-interval", "1h", interval="100ms")
    before = wait_health(tare, "c1", "healthy")
    tare.ok("stop", "-t", "0", "c1")
    assert health(tare, "c1")["Status"] == "unhealthy"
    assert tare.ok("ps", "-a", "--format", "{{.Status}}").startswith("Exited (137)")
    assert tare.ok("ps", "-aq", "--filter", "health=unhealthy") and not tare.ok("ps", "-aq", "--filter", "health=none")
    tare.ok("start", "c1")
    again = health(tare, "c1")
    assert again["FailingStreak"] == 0 and again["Log"][0] in health(tare, "c1")["Log"]
    assert len(again["Log"]) >= len(before["Log"])
    wait_health(tare, "c1", "healthy")


def test_stop_does_not_wait_for_a_check(tare):
    run(tare, "c1", "trap '' TERM; sleep 1000", interval="50ms", command=("busybox", "sh", "-c", "trap exit TERM; sleep 1000 & wait"))
    wait_until(lambda: any("exec_start" in a for a in actions(tare, "c1")), "a check")
    began = time.monotonic()
    tare.ok("stop", "c1")
    assert time.monotonic() - began < 2


def test_checks_go_on_after_a_restart_by_policy(tare):
    run(tare, "c1", "echo $(cat /proc/1/stat | cut -d' ' -f22)", "--restart", "always",
        command=("busybox", "sh", "-c", "sleep 0.6; exit 1"))
    first = wait_health(tare, "c1", "healthy")["Log"][0]["Output"]
    wait_until(lambda: int(tare.ok("inspect", "-f", "{{.RestartCount}}", "c1")) >= 1 and
               health(tare, "c1").get("Log", [{"Output": first}])[-1]["Output"] != first, "a check of a later run")


def test_boot(tare):
    run(tare, "c1", "true", "--restart", "always")
    wait_health(tare, "c1", "healthy")
    reboot(tare)
    assert health(tare, "c1")["Status"] == "unhealthy"
    assert tare.ok("system", "boot").split() == ["c1"]
    wait_health(tare, "c1", "healthy")


def test_rename_and_update(tare):
    run(tare, "c1", "test -f /tmp/ok", "--health-retries", "1000")
    wait_entries(tare, "c1", 1)
    tare.ok("rename", "c1", "d1")
    tare.ok("update", "--pids-limit", "100", "d1")
    tare.ok("exec", "d1", "touch", "/tmp/ok")
    wait_health(tare, "d1", "healthy")
    assert "d1" == wait_until(lambda: tare.ok("events", "--since", "60s", "--until", "0s", "--filter", "event=health_status",
                                              "--format", "{{.Actor.Attributes.name}}"), "the event")


def test_run_rm_ends_at_once(tare):
    began = time.monotonic()
    got = tare("run", "--rm", *NONE, "--health-cmd", "sleep 100", "--health-interval", "10ms", "busybox", "sh", "-c",
               "sleep 0.3; exit 7")
    assert got.rc == 7 and time.monotonic() - began < 5
    assert tare.ok("ps", "-aq") == ""


def test_the_monitor_is_killed_in_a_check(tare):
    run(tare, "c1", "setsid sleep 7654323 & sleep 7654323", interval="50ms")
    wait_until(lambda: len(processes("7654323")) >= 2, "a check")
    os.kill(monitor_of(tare, "c1"), signal.SIGKILL)
    tare.wait_state("c1", "exited")
    wait_until(lambda: not processes("7654323"), "the check to be gone")
    assert health(tare, "c1")["Status"] == "unhealthy"
    tare.ok("start", "c1")
    assert health(tare, "c1")["Status"] == "starting"


def test_the_monitor_of_a_policy_is_killed_in_a_check(tare):
    run(tare, "c1", "test -f /tmp/quick || setsid sleep 7654324 & test -f /tmp/quick || sleep 7654324", "--restart", "always",
        interval="50ms")
    wait_until(lambda: len(processes("7654324")) >= 2, "a check")
    before = monitor_of(tare, "c1")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: monitor_of(tare, "c1") not in (0, before), "the next monitor")
    wait_health(tare, "c1", "starting")
    tare.ok("exec", "c1", "touch", "/tmp/quick")
    tare.ok("restart", "-t", "0", "c1")
    wait_health(tare, "c1", "healthy")
    wait_until(lambda: not processes("7654324"), "the checks to be gone")


def test_the_checking_process_is_killed(tare):
    run(tare, "c1", "sleep 0.4", interval="50ms", command=SLEEP)
    monitor = monitor_of(tare, "c1")
    os.kill(wait_until(lambda: checkers(monitor), "a check")[0], signal.SIGKILL)
    log = wait_entries(tare, "c1", 1)
    assert log[0]["ExitCode"] == -1 and "137" in log[0]["Output"]
    wait_health(tare, "c1", "healthy")


def test_no_zombies_and_one_wake_up_of_a_kind(tare):
    run(tare, "c1", "true", interval="50ms")
    wait_entries(tare, "c1", 5)
    monitor = str(monitor_of(tare, "c1"))
    assert not any("Z (zombie)" in read_proc(child, "status")
                   for child in read_proc(monitor, "task/%s/children" % monitor).split())

    def sleeps():
        return int(read_proc(monitor, "status").split("\nvoluntary_ctxt_switches:")[1].split()[0])

    def checks():
        return sum("exec_die" == action for action in actions(tare, "c1"))

    slept, made = sleeps(), checks()
    wait_until(lambda: checks() >= made + 10, "ten checks")
    assert (sleeps() - slept) / (checks() - made) < 8      # the timer, the vfork, the end; and the files' locks


# ---------------------------------------------------------------- what is done about it

def test_on_failure_kill(tare):
    run(tare, "c1", "false", "--health-retries", "2", "--health-on-failure", "kill")
    tare.wait_state("c1", "exited")
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}}", "c1") == "137"
    seen = actions(tare, "c1")
    assert seen[seen.index("health_status: unhealthy") + 1:][:2] == ["kill", "die"]
    assert tare.inspect("c1")["Config"]["HealthcheckOnFailureAction"] == "kill"


def test_on_failure_kill_with_a_policy(tare):
    run(tare, "c1", "false", "--health-retries", "1", "--health-on-failure", "kill", "--restart", "on-failure:2")
    wait_until(lambda: tare.ok("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "c1") == "2 exited", "two restarts")


def test_on_failure_stop(tare):
    run(tare, "c1", "false", "--health-retries", "1", "--health-on-failure", "stop", "--restart", "always",
        command=("busybox", "sh", "-c", "trap 'exit 5' TERM; sleep 1000 & wait"))
    tare.wait_state("c1", "exited")
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}} {{.RestartCount}}", "c1") == "5 0"
    wait_until(lambda: "stop" in actions(tare, "c1"), "the event")


def test_on_failure_restart(tare):
    run(tare, "c1", "test -f /tmp/ok", "--health-retries", "1", "--health-on-failure", "restart",
        command=("busybox", "sh", "-c", "test -f /tmp/was && touch /tmp/ok; touch /tmp/was; trap exit TERM; sleep 1000 & wait"))
    wait_health(tare, "c1", "healthy")
    seen = actions(tare, "c1")
    assert seen.count("start") == 2 and "restart" in seen
    assert tare.ok("inspect", "-f", "{{.RestartCount}}", "c1") == "0"


def test_a_person_who_stops_it_is_not_overruled(tare):
    """The container becomes unhealthy while a stop waits for it."""
    run(tare, "c1", "test ! -f /tmp/going", "--health-retries", "1", "--health-on-failure", "restart", interval="50ms",
        command=("busybox", "sh", "-c", "trap 'touch /tmp/going' TERM; while :; do sleep 0.05; done"))
    wait_health(tare, "c1", "healthy")
    tare.ok("stop", "-t", "1", "c1")
    time.sleep(0.3)
    assert tare.state("c1") == "exited" and actions(tare, "c1").count("start") == 1
    assert "health_status: unhealthy" in actions(tare, "c1")


def test_it_acts_after_a_pause_too(tare):
    """A pause makes it unhealthy, so no check after that changes the status."""
    run(tare, "c1", "test -f /tmp/ok", "--health-retries", "3", "--health-on-failure", "kill", interval="50ms",
        command=("busybox", "sh", "-c", "touch /tmp/ok; sleep 1000"))
    wait_health(tare, "c1", "healthy")
    tare.ok("exec", "c1", "rm", "/tmp/ok")
    tare.ok("pause", "c1")
    tare.ok("unpause", "c1")
    tare.wait_state("c1", "exited")
    assert tare.ok("inspect", "-f", "{{.State.ExitCode}} {{.State.Health.FailingStreak}}", "c1") == "137 3"


# ---------------------------------------------------------------- options

@pytest.mark.parametrize("options, text", [
    (("--health-on-failure", "reboot", "--health-cmd", "true"),
     "invalid --health-on-failure 'reboot'; use one of 'none', 'kill', 'stop', or 'restart'"),
    (("--health-on-failure", "kill"), "--health-on-failure kill: the container has no health check"),
    (("--health-on-failure", "kill", "--no-healthcheck"), "the container has no health check"),
    (("--health-cmd", "true", "--health-start-interval", "10us"), "StartInterval in Healthcheck cannot be less than 1ms"),
    (("--health-cmd", "true", "--health-start-period", "10us"), "StartPeriod in Healthcheck cannot be less than 1ms"),
    (("--health-cmd", "true", "--health-start-interval", "-1s"), "--health-start-interval cannot be negative"),
])
def test_refused(tare, options, text):
    got = tare("create", "--name", "c1", *NONE, *options, "busybox")
    assert got.rc != 0 and text in got.err
    assert tare.ok("ps", "-aq") == ""


def test_options_over_those_of_the_image(tare):
    commit(tare, "HEALTHCHECK --interval=9s --timeout=8s --start-period=7s --start-interval=6s --retries=5 CMD [\"true\"]")
    tare.ok("create", "--name", "c1", *NONE, "--health-timeout", "1s", "im")
    assert tare.inspect("c1")["Config"]["Healthcheck"] == {
        "Test": ["CMD", "true"], "Interval": 9 * 10**9, "Timeout": 10**9, "StartPeriod": 7 * 10**9,
        "StartInterval": 6 * 10**9, "Retries": 5}
    assert tare.ok("inspect", "-f", "{{.Config.Healthcheck.Interval}} {{.Config.Healthcheck.Timeout}}", "c1") == "9s 1s"


def test_settings_without_a_command_are_no_check(tare):
    tare.ok("run", "-d", "--name", "c1", *NONE, "--health-interval", "50ms", *SLEEP)
    assert health(tare, "c1") == {} and tare.inspect("c1")["Config"]["Healthcheck"] == {"Interval": 50 * 10**6}


def test_imported_with_a_check(tare, tmp_path):
    tare.ok("create", "--name", "base", *NONE, "busybox")
    tare.ok("export", "-o", tmp_path / "fs.tar", "base")
    tare.ok("import", "-c", "HEALTHCHECK --interval=50ms CMD test -d /bin", tmp_path / "fs.tar", "im")
    tare.ok("run", "-d", "--name", "c1", *NONE, "im", "sleep", "1000")
    wait_health(tare, "c1", "healthy")
    tare.ok("run", "-d", "--name", "d1", *NONE, "--no-healthcheck", "im", "sleep", "1000")
    assert health(tare, "d1") == {} and tare.inspect("d1")["Config"]["Healthcheck"]["Test"] == ["NONE"]
