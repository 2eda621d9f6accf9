# SPDX-License-Identifier: Apache-2.0
"""run and create: what docker's command line refuses, what the engine refuses, and what a container gets."""
import pytest

NONE = "0001-01-01T00:00:00Z"


# ---------------------------------------------------------------- exit status

@pytest.mark.parametrize("arguments, status, message", [
    (["busybox", "nosuch"], 127, "executable file not found"),
    (["busybox", "/nosuch"], 127, "no such file or directory"),
    (["busybox", ""], 127, "executable file not found"),
    (["busybox", "/etc/passwd"], 126, "permission denied"),
    (["busybox", "/etc"], 126, "/etc"),
    (["-u", "daemon", "-w", "/root", "busybox", "true"], 126, "permission denied"),
    (["-u", "nosuch", "busybox", "true"], 125, "unable to find user nosuch"),
    (["-w", "/etc/passwd", "busybox", "true"], 125, "not a directory"),
    (["-w", "relative", "busybox", "true"], 125, "needs to be an absolute path"),
    (["--entrypoint", "", "busybox"], 125, "no command specified"),
    (["--sysctl", "net.nosuch=1", "busybox", "true"], 127, "no such file or directory"),
    (["--env-file", "/nosuch", "busybox", "true"], 125, "open /nosuch: no such file or directory"),
    (["--security-opt", "seccomp=/nosuch", "busybox", "true"], 125, "no such file or directory"),
    (["--security-opt", "nosuch=1", "busybox", "true"], 125, "invalid --security-opt"),
    (["--stop-signal", "NOSUCH", "busybox", "true"], 125, "Invalid signal: NOSUCH"),
    (["--network", "nosuch", "busybox", "true"], 125, "network nosuch not found"),
    (["--cpuset-cpus", "4095", "busybox", "true"], 125, "Requested CPUs are not available"),
    (["--cpuset-cpus", "x", "busybox", "true"], 125, "Invalid value x for cpuset cpus"),
    (["--cpuset-mems", "1023", "busybox", "true"], 125, "Requested memory nodes are not available"),
    (["--platform", "nosuch", "busybox", "true"], 125, "unknown operating system or architecture"),
    (["--platform", "linux/s390x", "busybox", "true"], 125, "does not match the specified platform"),
    (["-m", "1m", "busybox", "true"], 125, "Minimum memory limit allowed is 6MB"),
    (["-v", "/etc/passwd:/etc", "busybox", "true"], 125, "not a directory"),
    (["-d", "-a", "stdout", "busybox", "true"], 1, "cannot specify both --attach and --detach"),
    (["-it", "busybox", "true"], 1, "the input device is not a TTY"),
    (["--nosuch", "busybox", "true"], 125, "unknown flag: --nosuch"),
    (["busybox", "sh", "-c", "exit 300"], 44, ""),
])
def test_status(tare, arguments, status, message):
    got = tare("run", "--rm", *arguments)
    assert got.rc == status, got.err
    assert message in got.err
    assert tare.ok("ps", "-aq") == ""


@pytest.mark.parametrize("arguments, status", [
    (["--pid", "nosuch", "busybox"], 125),
    (["--rm", "--restart", "always", "busybox"], 125),
    (["--nosuch", "busybox"], 125),
    (["--restart", "sometimes", "busybox"], 1),
    (["--cpus", "4096", "busybox"], 1),
    (["--name", "a b", "busybox"], 1),
    (["--pull", "never", "nosuch"], 1),
    (["nosuch"], 1),
    (["UPPER"], 1),
])
def test_create_tells_usage_from_refusal(tare, arguments, status):
    got = tare("create", *arguments)
    assert got.rc == status, got.err
    assert ("--help" in got.err) == (status == 125)


@pytest.mark.parametrize("arguments, code", [
    (["busybox", "nosuch"], 127),
    (["busybox", "/etc/passwd"], 126),
    (["-u", "nosuch", "busybox", "true"], 128),
    (["-u", "daemon", "-w", "/root", "busybox", "true"], 126),
    (["-v", "/etc/passwd:/etc", "busybox", "true"], 127),
])
def test_code_on_record_after_failed_start(tare, arguments, code):
    assert tare("run", "--name", "c1", *arguments).rc != 0
    state = tare.inspect("c1")["State"]
    assert (state["Status"], state["ExitCode"], state["StartedAt"]) == ("created", code, NONE)
    assert state["Error"]


# ---------------------------------------------------------------- what is inside

@pytest.mark.parametrize("typed, seen", [("/a/../b", "/b"), ("/a/./b//c/", "/a/b/c"), ("/..", "/"), ("", "/")])
def test_workdir_is_cleaned(tare, typed, seen):
    assert tare.ok("run", "--rm", "-w", typed, "busybox", "pwd") == seen


@pytest.mark.parametrize("options, expected", [
    (["-e", "A=1", "-e", "A=2"], "2"),
    (["-e", "A="], ""),
    (["-e", "A"], "host"),
    (["-e", "NOT_ON_HOST", "-e", "A=1"], "1"),
])
def test_env(tare, options, expected):
    assert tare.ok("run", "--rm", *options, "busybox", "sh", "-c", "echo $A", env={"A": "host"}) == expected


def test_empty_hostname_is_the_default(tare):
    container = tare.ok("create", "-h", "", "--name", "c1", "busybox", "hostname")
    assert tare.ok("start", "-a", "c1") == container[:12]


def test_attach_only_input_waits_for_the_end(tare):
    """As docker 28 does, whatever its manual says of an id."""
    for name, interactive in ("c1", ["-i"]), ("c2", []):
        got = tare("run", *interactive, "-a", "stdin", "--name", name, "busybox", "sh", "-c", "cat; sleep 0.3; exit 3",
                   input="text\n")
        assert (got.rc, got.out) == (3, "")
        assert tare.inspect(name)["State"]["Status"] == "exited"
    tare.wait_log("c1", "text")


def test_log_is_bounded(tare):
    tare.ok("run", "--name", "c1", "--log-opt", "max-size=10k", "--log-opt", "max-file=2", "busybox", "seq", "5000")
    lines = tare.ok("logs", "c1").split("\n")
    assert lines[-1] == "5000"
    assert len(lines) < 1000
