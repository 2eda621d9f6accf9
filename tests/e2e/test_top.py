# SPDX-License-Identifier: Apache-2.0
"""top: the processes of a container; and top --all, the live view, on a terminal."""
import os
import re
import signal
import termios
import time

import pytest

from conftest import wait_until

# the fixture by its name
from screen import screen  # noqa: F401  pylint: disable=unused-import


def cells(text):
    return [line.split() for line in text.splitlines()]


# ---- top C ----

def test_processes_and_those_of_exec(tare):
    tare.ok("run", "-d", "--name", "c1", "busybox", "sleep", "1111")
    tare.ok("exec", "-d", "c1", "sleep", "2222")
    # ps may look while the second one is still becoming its program.
    wait_until(lambda: "sleep 2222" in tare.ok("top", "c1"))
    head, *lines = cells(tare.ok("top", "c1"))
    assert head == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert [line[7:] for line in lines] == [["sleep", "1111"], ["sleep", "2222"]]
    assert lines[0][1] == str(tare.inspect("c1")["State"]["Pid"])


def test_columns_are_20_wide(tare):
    tare.ok("run", "-d", "--name", "c1", "busybox", "sleep", "1111")
    head, line = tare.ok("top", "c1", "-o", "pid,comm,args").splitlines()
    assert head == "PID                 COMMAND             COMMAND"
    assert line[20:] == "sleep               sleep 1111"


@pytest.mark.parametrize("options, head", [
    ([], "UID PID PPID C STIME TTY TIME CMD"),
    (["aux"], "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
    (["-eo", "pid,comm"], "PID COMMAND"),
    (["-eo", "pid comm"], None),
    (["-eo", "user,pid"], "USER PID"),
    (["-eLf"], "UID PID PPID LWP C NLWP STIME TTY TIME CMD"),
    (["-o pid,comm"], "PID COMMAND"),
    (["-o", "pid=PID,comm"], "PID COMMAND"),
])
def test_options_of_ps(tare, options, head):
    tare.ok("run", "-d", "--name", "c1", "busybox", "sleep", "1111")
    got = tare("top", "c1", *options)
    if head is None:
        assert got == (1, "", 'tare: ps: error: unknown user-defined format specifier "mm"\n')
        return
    lines = cells(got.out)
    assert lines[0] == head.split()
    assert len(lines) == 2 and str(tare.inspect("c1")["State"]["Pid"]) in lines[1]


@pytest.mark.parametrize("arguments, message", [
    (["c1", "-o", "comm"], "Couldn't find PID field in ps output"),
    (["c1", "-o", "pid=", "-o", "comm"], "Couldn't find PID field in ps output"),
    (["c1", "-o", "pid=XX,comm"], "Couldn't find PID field in ps output"),
    (["c1", "-o", "user=PIDx,pid"], 'specifying "user=PIDx,pid" is not allowed'),
    (["c1", "--nosuchopt"], "ps: error: unknown gnu long option"),
    (["c1", "-o", "nosuch"], 'ps: error: unknown user-defined format specifier "nosuch"'),
    (["c1", "-h"], "Couldn't find PID field in ps output"),
    (["c1", "a;b"], "ps: error: unsupported option (BSD syntax)"),
    (["c1", "-C", "nosuch"], "ps: exit status 1"),
    (["nosuch"], "No such container: nosuch"),
    ([""], "invalid container name or ID: value is empty"),
])
def test_refused(tare, arguments, message):
    tare.ok("run", "-d", "--name", "c1", "busybox", "sleep", "1111")
    assert tare("top", *arguments) == (1, "", "tare: %s\n" % message)


def test_one_that_does_not_run(tare):
    full = tare.ok("create", "--name", "c1", "busybox")
    assert tare("top", "c1") == (1, "", "tare: Container %s is not running\n" % full)


def test_paused(tare):
    tare.ok("run", "-d", "--name", "c1", "busybox", "sleep", "1111")
    tare.ok("pause", "c1")
    assert len(tare.ok("top", "c1").splitlines()) == 2
    tare.ok("unpause", "c1")


def test_without_ps(tare, tmp_path):
    """The default columns need no program; options do, and that is said."""
    tare.ok("run", "-d", "--name", "c1", "busybox", "sleep", "1111")
    nothing = {"PATH": str(tmp_path)}
    head, line = cells(tare.ok("top", "c1", env=nothing))
    assert head == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert line[:2] == ["root", str(tare.inspect("c1")["State"]["Pid"])] and line[7:] == ["sleep", "1111"]
    with_ps = cells(tare.ok("top", "c1"))[1]
    assert [line[i] for i in (0, 1, 2, 4, 5, 7)] == [with_ps[i] for i in (0, 1, 2, 4, 5, 7)]
    got = tare("top", "c1", "aux", env=nothing)
    assert got.rc == 1 and "start ps" in got.err and "hint: options of top need the program ps" in got.err


@pytest.mark.parametrize("path", [None, ""])
def test_hostile_command_lines(tare, tmp_path, path):
    """They are one line without control characters, whoever prints them."""
    tare.ok("run", "-d", "--name", "c1", "busybox", "sh", "-c", "sleep 1111; true", "e\033[2Jvil\nroot 1 2\ttab")
    out = tare.ok("top", "c1", env={} if path is None else {"PATH": str(tmp_path)})
    assert "vil" in out and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out), out
    assert len(out.splitlines()) == 3


# ---- top --all ----

def test_needs_a_terminal(tare):
    got = tare("top", "--all")
    assert got == (1, "", "tare: top --all needs a terminal\nhint: stats prints the same figures, once with --no-stream\n")
    assert tare("top", "--all", "c1").rc == 1
    assert "requires at least 1 argument" in tare("top").err


def view(tare, make, **more):
    s = make(tare.argv + ["top", "--all"], **more)
    s.shows("running   cpu")
    return s


def leave(s):
    s.write(b"q")
    assert s.wait() == 0
    s.assert_restored()
    assert s.seen.endswith(b"\033[?7h\033[?25h\033[?1049l"), "the second screen was not left"


def line_of(s, name):
    return next((line for line in s.lines() if line.startswith(name + " ")), "")


def test_lists_selects_and_leaves(tare, screen):
    tare.ok("run", "-d", "--name", "web", "busybox", "sh", "-c", "echo from web; sleep 1000")
    tare.ok("run", "-d", "--name", "app", "busybox", "sh", "-c", "echo from app; sleep 1000")
    tare("run", "--name", "old", "busybox", "sh", "-c", "exit 3")
    s = view(tare, screen)
    lines = s.shows("from app")
    assert lines[0].startswith("2 of 3 running")
    assert lines[1].split() == ["NAME", "STATE", "CPU", "%", "MEMORY", "NET", "I/O", "PIDS"]
    assert [line.split()[:2] for line in lines[2:5]] == [["app", "running"], ["web", "running"], ["old", "exit"]]
    s.write(b"j")
    s.shows("from web")
    s.write(b"\033[A")
    s.shows("from app")
    s.write(b"a")
    s.shows_not("exit 3")
    s.write(b"/we\r")
    s.shows_not("app ")
    s.write(b"\033")
    s.shows(lambda _: line_of(s, "app"))
    leave(s)


def test_stops_starts_restarts_and_removes(tare, screen):
    tare.ok("run", "-d", "--name", "web", "--stop-signal", "KILL", "busybox", "sleep", "1000")
    s = view(tare, screen)
    s.write(b"s")
    s.shows("stop web: done")
    s.shows(lambda _: "exit 137" in line_of(s, "web"))
    s.write(b"s")
    s.shows("start web: done")
    s.shows(lambda _: "running" in line_of(s, "web"))
    first = tare.inspect("web")["State"]["Pid"]
    s.write(b"r")
    s.shows("restart web: ")
    if tare("restart", "--help").rc == 0 and "done" in next(l for l in s.lines() if "restart web: " in l):
        assert tare.inspect("web")["State"]["Pid"] != first
    s.write(b"p")
    s.shows(lambda _: "paused" in line_of(s, "web"))
    s.write(b"p")
    s.shows(lambda _: "running" in line_of(s, "web"))
    s.write(b"d")
    s.shows("remove web, which is running? [y/N]")
    s.write(b"n")
    s.shows_not("[y/N]")
    s.write(b"dy")
    s.shows("rm web: done")
    s.shows("no containers")
    assert tare.state("web") is None
    leave(s)


def test_errors_of_verbs_are_shown(tare, screen):
    tare.ok("create", "--name", "bad", "busybox", "/nosuch")
    s = view(tare, screen)
    s.write(b"s")
    s.shows("start bad: ")
    assert any("/nosuch" in line for line in s.shows("no such file"))
    leave(s)


def test_a_shell_and_back(tare, screen):
    tare.ok("run", "-d", "--name", "web", "-e", "WHERE=inside", "busybox", "sleep", "1000")
    s = view(tare, screen)
    s.write(b"e")
    s.expect(b"# ")
    s.write(b"echo I am $WHERE\r")
    s.expect(b"I am inside")
    s.write(b"exit 5\r")
    s.shows("running   cpu")
    assert s.is_raw()
    leave(s)


def test_a_shell_that_cannot_begin(tare, screen):
    tare.ok("create", "--name", "web", "busybox")
    s = view(tare, screen)
    s.write(b"e")
    s.shows("press Enter")
    s.write(b"\r")
    s.shows("running   cpu")
    leave(s)


def test_log_full_screen_follows_and_scrolls(tare, screen):
    tare.ok("run", "-d", "--name", "web", "busybox", "sh", "-c",
            "for i in $(seq 100); do echo line $i; done; cat /tmp/more; mkfifo /tmp/more; echo ready; cat /tmp/more; sleep 1000")
    tare.wait_log("web", "ready")
    s = view(tare, screen)
    s.write(b"l")
    lines = s.shows("ready")
    assert lines[0].startswith("-- log of web") and "following" in lines[-1]
    s.write(b"\033[5~")
    s.shows_not("ready")
    s.write(b"g")
    s.shows(lambda lines: lines[1] == "line 1")
    s.write(b"G")
    s.shows("ready")
    tare.ok("exec", "web", "sh", "-c", "echo news >/tmp/more")
    s.shows("news", timeout=3)
    s.write(b"q")
    s.shows("running   cpu")
    leave(s)


def test_inspect_and_help(tare, screen):
    tare.ok("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    s = view(tare, screen)
    s.write(b"i")
    s.shows('"Id": "%s' % tare.inspect("web")["Id"][:20])
    s.write(b"q?")
    s.shows("restart it")
    s.write(b" q")
    assert s.wait() == 0
    s.assert_restored()


def test_nothing_of_a_log_reaches_the_terminal_raw(tare, screen):
    evil = r"""printf '\033]0;title\007\033[31mred\033[0m \033[2J\033[?1049l\233 \302\2332J a\rb\033Pq\033\\ \xff \342\200\256 end\n'; sleep 1000"""
    tare.ok("run", "-d", "--name", "web", "-e", "X=\033[2J", "busybox", "sh", "-c", evil)
    tare.wait_log("web", "end")
    s = view(tare, screen)
    s.shows("end")
    s.write(b"l")
    s.shows("log of web")
    s.write(b"qi")
    s.shows('"Id"')
    s.write(b"q")
    s.shows("running   cpu")
    for raw in (b"\033]", b"\033[31mred", b"\302\233", b"\033P", b"\xff", b"\342\200\256", b"\a", b"\b"):
        assert raw not in s.seen, raw
    # the second screen was never left, and erased only at the beginning
    assert s.seen.count(b"\033[?1049l") == 0
    assert s.seen.count(b"\033[2J") == 2
    leave(s)


def test_other_sizes(tare, screen):
    tare.ok("run", "-d", "--name", "web", "busybox", "sh", "-c", "echo 日本語 from web; sleep 1000")
    s = view(tare, screen, rows=10, columns=120)
    assert "BLOCK I/O" in s.lines()[1]
    s.resize(4, 30)
    s.shows(lambda lines: lines[1].split() == ["NAME", "STATE"])
    s.resize(1, 1)
    s.pump(0.2)
    s.resize(50, 200)
    s.shows(lambda lines: "IMAGE" in lines[1] and "busybox" in line_of(s, "web"))
    s.shows(lambda lines: any(line.startswith("-- log of web") and len(line) == 200 for line in lines))
    s.shows("from web")
    assert s.seen.count(b"\033[?1049h") == 1
    leave(s)


def test_stopped_and_continued_by_others(tare, screen):
    """Who stops it does not ask: the terminal may have been used meanwhile."""
    s = view(tare, screen)
    os.kill(s.pid, signal.SIGSTOP)
    wait_until(lambda: open("/proc/%d/stat" % s.pid).read().rsplit(")")[1].split()[0] == "T")
    termios.tcsetattr(s.slave, termios.TCSANOW, s.before)
    os.kill(s.pid, signal.SIGCONT)
    wait_until(s.is_raw)
    s.shows("running   cpu")
    leave(s)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signals_give_the_terminal_back(tare, screen, number):
    s = view(tare, screen)
    os.kill(s.pid, number)
    assert s.wait() == 128 + number
    s.assert_restored()
    assert b"\033[?1049l" in s.seen


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_gives_the_terminal_back(tare, screen, number):
    s = view(tare, screen)
    os.kill(s.pid, number)
    assert s.wait() == 128 + number
    s.assert_restored()
    assert b"\033[?1049l" in s.seen


def test_suspended_and_continued(tare, screen):
    """By a shell with job control, as a person does it."""
    tare.ok("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    s = screen(["bash", "--norc", "-i"], env={"PS1": "sh> ", "HISTFILE": "/dev/null"})
    s.shows("sh>")
    s.write((" ".join(tare.argv) + " top --all\n").encode())
    s.shows("running   cpu")
    s.write(b"\x1a")
    s.shows("Stopped")
    assert not s.is_raw()
    s.write(b"fg\n")
    s.shows("1 of 1 running")
    assert s.is_raw()
    s.write(b"q")
    s.shows(lambda lines: lines and any(line.startswith("sh> ") or line == "sh>" for line in lines[-3:] + lines))
    s.write(b"exit\n")
    s.wait()


def test_no_colour(tare, screen):
    tare.ok("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    s = view(tare, screen, env={"NO_COLOR": "1"})
    s.shows(lambda _: "running" in line_of(s, "web"))
    leave(s)
    colours = re.compile(rb"\033\[(?:[0-9]+;)*3[0-9](?:;[0-9]+)*m")
    assert not colours.search(s.seen)
    coloured = view(tare, screen)
    coloured.shows(lambda _: "running" in line_of(coloured, "web"))
    assert colours.search(coloured.seen)
    leave(coloured)


def test_idle_frames_are_small(tare, screen):
    """Only what changed is sent: a second in which nothing happens costs next to nothing."""
    tare.ok("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    s = view(tare, screen, rows=50, columns=200)
    s.shows(lambda _: "running" in line_of(s, "web"))
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        s.pump(0.1)
    before = len(s.seen)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        s.pump(0.1)
    assert len(s.seen) - before < 600
    leave(s)


def test_a_flood_is_survived(tare, screen):
    """A container that prints as fast as it can: keys still work, and the CPU is not all ours."""
    tare.ok("run", "-d", "--name", "loud", "--log-opt", "max-size=8m", "busybox", "sh", "-c", "yes 'a long line of a loud container'")
    s = view(tare, screen)
    s.shows("a long line")
    before = os.sysconf("SC_CLK_TCK")
    ticks = lambda: sum(map(int, open("/proc/%d/stat" % s.pid).read().rsplit(")")[1].split()[11:13]))
    first = ticks()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        s.pump(0.05)
    used = (ticks() - first) / before / 4
    assert used < 0.4, used
    s.write(b"?")
    s.shows("any key goes back", timeout=5)
    s.write(b"q")
    s.shows("running   cpu")
    leave(s)
