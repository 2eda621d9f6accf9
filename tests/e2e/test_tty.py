# SPDX-License-Identifier: Apache-2.0
"""`run -it`, `exec -it` and `attach` in front of a terminal: size, keys, detaching, and what is left."""
import os
import signal
import subprocess

import pytest

from conftest import wait_until
from terminal import terminal  # noqa: F401 (a fixture)

DETACH = b"\x10\x11"


@pytest.fixture
def tare(tare):
    tare.ok("pull", "-q", "busybox")
    return tare


@pytest.fixture
def shell(tare):
    """A container whose process is a shell on a terminal."""
    tare.ok("run", "-dit", "--name", "up", "busybox", "sh")
    return tare


@pytest.fixture(params=["run", "exec", "attach", "start"])
def session(request, tare, terminal):  # noqa: F811
    """A terminal in front of a shell in container "up", by each of the ways there."""
    if request.param == "run":
        argv = ["run", "-it", "--name", "up", "busybox", "sh"]
    elif request.param == "start":
        tare.ok("create", "-it", "--name", "up", "busybox", "sh")
        argv = ["start", "-ai", "up"]
    else:
        tare.ok("run", "-dit", "--name", "up", "busybox", "sh")
        argv = ["exec", "-it", "up", "sh"] if request.param == "exec" else ["attach", "up"]
    t = terminal(tare.argv + argv, rows=33, columns=101)
    t.how = request.param
    # A prompt printed before an attach is not repeated: ask for something.
    wait_until(t.is_raw, "the terminal to be raw")
    t.write(b"echo re$((1))dy\n")
    t.expect(b"re1dy")
    return t


def test_session(session, tare):
    """Size, resize, control keys as bytes, exit status, and the terminal as it was."""
    t = session
    # An attach changes the size for a moment, so that a full-screen program redraws.
    t.write(b"while [ \"$(stty size)\" != '33 101' ]; do :; done; stty size; tty\n")
    t.expect(b"33 101\r\n")
    t.expect(b"/dev/pts/")
    t.write(b"trap 'echo resi''zed' WINCH\n")
    t.resize(40, 120)
    os.kill(t.pid, 0)
    t.write(b"while [ \"$(stty size)\" != '40 120' ]; do :; done; echo now $(stty size)\n")
    t.expect(b"now 40 120")
    t.write(b"sh -c 'echo a''sleep; sleep 1000'\n")
    t.expect(b"\nasleep\r\n")
    t.write(b"\x03")
    t.write(b"echo interrupted=$?\n")
    t.expect(b"interrupted=130")
    t.write(b"echo out; echo err >&2\n")
    t.expect(b"\nout\r\nerr\r\n")
    t.write(b"exit 42\n")
    assert t.wait() == 42
    t.assert_restored()


def test_size_is_there_from_the_start(tare, terminal):  # noqa: F811
    t = terminal(tare.argv + ["run", "--rm", "-it", "busybox", "stty", "size"], rows=12, columns=34)
    assert t.wait() == 0
    assert t.seen == b"12 34\r\n"
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    t = terminal(tare.argv + ["exec", "-it", "up", "stty", "size"], rows=13, columns=35)
    assert t.wait() == 0
    assert t.seen == b"13 35\r\n"


def test_environment(tare, terminal):  # noqa: F811
    t = terminal(tare.argv + ["run", "--rm", "-it", "busybox", "sh", "-c", "echo $TERM; test -c /dev/console && tty"])
    assert t.wait() == 0
    assert t.seen == b"xterm\r\n/dev/pts/0\r\n"


# ---------------------------------------------------------------- detaching

def test_detach(session, tare):
    """Ctrl-P Ctrl-Q leaves the container running; attach and exec say so and end with 1."""
    t = session
    t.write(DETACH)
    rc = t.wait()
    assert rc == (1 if t.how in ("attach", "exec") else 0)
    assert (b"read escape sequence" in t.seen) == (t.how in ("attach", "exec"))
    t.assert_restored()
    assert tare.state("up") == "running"


def test_detached_exec_goes_on(shell, terminal):  # noqa: F811
    """Its terminal stays open and is read, or it would be hung up or stand still."""
    t = terminal(shell.argv + ["exec", "-it", "up", "sh", "-c", "echo go; dd if=/dev/zero bs=4096 count=99 status=none; echo whole >/done; "
                               "while :; do sleep 0.05; done"])
    t.expect(b"go")
    t.write(DETACH)
    assert t.wait() == 1
    wait_until(lambda: shell("exec", "up", "cat", "/done").out == "whole\n", "the rest of it")
    assert "count=99" in shell.ok("exec", "up", "ps")


def test_killed_exec_takes_its_process_along(shell, terminal):  # noqa: F811
    t = terminal(shell.argv + ["exec", "-it", "up", "sleep", "1234"])
    wait_until(lambda: "sleep 1234" in shell.ok("exec", "up", "ps"), "it to run")
    os.kill(t.pid, signal.SIGKILL)
    t.wait()
    wait_until(lambda: "sleep 1234" not in shell.ok("exec", "up", "ps"), "it to be hung up")


@pytest.mark.parametrize("keys, sent", [("ctrl-a,x", b"\x01x"), ("q", b"q"), ("ctrl-\\\\".replace("\\\\", "\\"), b"\x1c"),
                                        ("ctrl-@,ctrl-[", b"\x00\x1b")])
def test_detach_keys(shell, terminal, keys, sent):  # noqa: F811
    t = terminal(shell.argv + ["attach", "--detach-keys", keys, "up"])
    wait_until(t.is_raw, "the terminal to be raw")
    t.write(b"echo X$((1+1))Y\n")
    t.expect(b"X2Y")
    t.write(sent)
    assert t.wait() == 1
    assert b"read escape sequence" in t.seen
    t.assert_restored()
    assert shell.state("up") == "running"


def test_bad_detach_keys(shell, terminal):  # noqa: F811
    t = terminal(shell.argv + ["attach", "--detach-keys", "ctrl-,nonsense", "up"])
    assert t.wait() != 0
    assert b"nonsense" in t.seen or b"ctrl-" in t.seen
    t.assert_restored()


def test_incomplete_prefix_is_replayed(tare, terminal):  # noqa: F811
    """What began like the sequence and was not reaches the program, in order, nothing lost."""
    t = terminal(tare.argv + ["run", "--rm", "-it", "--detach-keys", "ctrl-a,ctrl-b,c", "busybox", "sh", "-c",
                              "stty raw -echo; echo go; dd bs=1 count=6 2>/dev/null | od -An -tx1"])
    t.expect(b"go")
    t.write(b"\x01")
    t.write(b"\x01\x02")
    t.write(b"x")
    t.write(b"\x01y")
    assert t.wait() == 0
    assert b" 01 01 02 78 01 79" in t.seen


def test_two_attached(shell, terminal):  # noqa: F811
    one, two = (terminal(shell.argv + ["attach", "up"]) for _ in range(2))
    for t in (one, two):
        wait_until(t.is_raw, "the terminal to be raw")
    one.write(b"echo A$((3*3))B\n")
    for t in (one, two):
        t.expect(b"A9B")
    two.write(b"exit 5\n")
    assert (one.wait(), two.wait()) == (5, 5)
    for t in (one, two):
        t.assert_restored()


# ---------------------------------------------------------------- the terminal afterwards

def monitor_of(tare, name):
    """The process that the container's first process is a child of."""
    pid = tare.ok("inspect", "-f", "{{.State.Pid}}", name)
    with open("/proc/%s/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


@pytest.mark.parametrize("how", ["run", "attach"])
def test_monitor_killed(tare, terminal, how):  # noqa: F811
    if how == "attach":
        tare.ok("run", "-dit", "--name", "up", "busybox", "sh")
    t = terminal(tare.argv + (["attach", "up"] if how == "attach" else ["run", "-it", "--name", "up", "busybox", "sh"]))
    wait_until(t.is_raw, "the terminal to be raw")
    wait_until(lambda: tare.state("up") == "running", "it to run")
    os.kill(monitor_of(tare, "up"), signal.SIGKILL)
    assert t.wait() != 0
    t.assert_restored()
    # The truth: without its monitor the container is over.
    wait_until(lambda: tare.state("up") == "exited", "the container to have ended")


def test_command_ended_by_signals(session, tare):
    """An interactive shell does not mind SIGTERM: the third ends the command, with its terminal put back."""
    if session.how in ("run", "exec"):
        session.write(b"trap 'echo te''rm' TERM; echo se''t\n")
        session.expect(b"\nset")
        for _ in range(2):
            os.kill(session.pid, signal.SIGTERM)
            session.write(b"\n")
            session.expect(b"term")
    os.kill(session.pid, signal.SIGTERM)
    rc = session.wait()
    if session.how in ("run", "exec"):
        assert rc == 1 and b"got 3 SIGTERM/SIGINTs, forcefully exiting" in session.seen
    else:
        # With a terminal start and attach pass nothing on and end as the signal says.
        assert rc == 143
        assert tare.state("up") == "running"
    session.assert_restored()


def test_suspended_and_continued(session):
    """kill -STOP and -CONT from outside do not harm the session."""
    os.kill(session.pid, signal.SIGSTOP)
    os.kill(session.pid, signal.SIGCONT)
    session.write(b"echo back=$((6*7))\n")
    session.expect(b"back=42")
    session.write(b"exit\n")
    assert session.wait() == 0
    session.assert_restored()


def test_failed_start(tare, terminal):  # noqa: F811
    t = terminal(tare.argv + ["run", "--rm", "-it", "busybox", "nosuch"])
    assert t.wait() == 127
    t.assert_restored()
    # Each line begins at the left: the message was printed with the terminal as it was.
    assert b"not found" in t.seen and b"\n" not in t.seen.replace(b"\r\n", b"")


def test_killed_container(session, tare):
    tare.ok("kill", "up")
    assert session.wait() == 137
    session.assert_restored()


# ---------------------------------------------------------------- -t and -i apart

def test_tty_without_stdin(tare, terminal):  # noqa: F811
    """-t alone: a terminal for the program; keys stay here."""
    got = tare("run", "--rm", "-t", "busybox", "sh", "-c", "tty; echo err >&2; test -t 0 && test -t 1 && test -t 2")
    assert (got.rc, got.out, got.err) == (0, "/dev/pts/0\r\nerr\r\n", "")
    t = terminal(tare.argv + ["run", "--rm", "-t", "busybox", "sh", "-c", "echo go; read -t 1 x; echo got=$x"])
    t.expect(b"go")
    t.write(b"typed\n")
    assert t.wait() == 0
    assert b"got=typed" not in t.seen and b"got=" in t.seen


def test_streams_are_merged(tare):
    got = tare("run", "-t", "--name", "one", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (got.rc, got.out, got.err) == (0, "out\r\nerr\r\n", "")
    logs = tare("logs", "one")
    assert (logs.out, logs.err) == ("out\r\nerr\r\n", "")


@pytest.mark.parametrize("argv", [["run", "--rm", "-it", "busybox", "true"], ["exec", "-it", "up", "true"],
                                  ["attach", "up"]], ids=lambda a: a[0])
def test_no_terminal(shell, argv):
    """-it of a pipe: docker's message, and nothing was made."""
    got = shell(*argv, input="")
    assert (got.rc, got.out) == (1, "")
    assert "the input device is not a TTY\n" in got.err and len(got.err.splitlines()) == 1
    assert len(shell.ok("ps", "-aq").split()) == 1


def test_big_paste(session):
    """More than a terminal's buffer in one go arrives whole (cooked lines are below 4096)."""
    session.write(b"stty -echo; echo quiet\n")
    session.expect(b"\nquiet")
    session.write(b"cat >/tmp/p\n")
    line = b"x" * 79 + b"\n"
    for _ in range(500):
        session.write(line)
        session.pump(0)
    session.write(b"\x04")
    session.write(b"wc -c </tmp/p\n")
    session.expect(b"40000\r\n")
    session.write(b"exit\n")
    assert session.wait() == 0


def test_stty_of_the_caller_is_untouched(tare):
    """With no terminal at all the command must not look for one."""
    done = subprocess.run(["setsid", "-w"] + tare.argv + ["run", "--rm", "-i", "busybox", "cat"], input=b"x",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b"x")
