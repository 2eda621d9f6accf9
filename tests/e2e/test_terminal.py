# SPDX-License-Identifier: Apache-2.0
"""A person's session in a terminal, recorded: tmux is the terminal, what the screen shows is what counts.

The outer shell is the host's, so that the terminal must be as it was whenever tare gives it back. On a
failure the whole recording (every byte that the terminal got) is in the report.
"""
import re
import shutil
import subprocess

import pytest

from conftest import wait_until

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")


class Screen:
    """A tmux session of its own server with one shell."""

    def __init__(self, tmp_path, columns=80, rows=24):
        self.socket = str(tmp_path / "tmux")
        self.record = tmp_path / "recording"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "env", "-i", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "TERM=screen", "PS1=host> ", "sh")
        self.tmux("set-option", "-g", "window-size", "manual")
        self.tmux("pipe-pane", "cat > %s" % self.record)
        self.wait("host>")

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, text=True, check=True).stdout

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True)

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def lines(self):
        return [line.rstrip() for line in self.tmux("capture-pane", "-p").split("\n")]

    def wait(self, pattern, timeout=30):
        """Until a line of the screen matches."""
        try:
            wait_until(lambda: any(re.search(pattern, line) for line in self.lines()), pattern, timeout)
        except BaseException:
            print("screen:\n" + "\n".join(self.lines()))
            print("recording:\n%r" % (self.record.read_bytes() if self.record.exists() else b"")[-4000:])
            raise

    def settings(self):
        """What stty says of the terminal, read by the host's shell."""
        self.type("clear; stty -a | grep -v columns; echo sett''ings")
        self.wait("^settings")
        return [line for line in self.lines() if "=" in line or re.match("-?[a-z]", line)]


@pytest.fixture
def screen(tmp_path):
    s = Screen(tmp_path)
    yield s
    s.close()


@pytest.fixture
def tare(tare):
    tare.ok("pull", "-q", "busybox")
    return tare


@pytest.fixture
def shell(tare, screen):
    """In front of a shell in container "up"; leaves the command line in `screen.command`."""
    screen.command = " ".join(tare.argv)
    screen.before = screen.settings()
    screen.type("clear; %s run -it --name up -e PS1='box> ' busybox sh" % screen.command)
    screen.wait("^box>")
    return screen


def test_job_control_inside(tare, shell):
    """^C, ^Z, bg, jobs, fg: keys of the program inside, not of the command."""
    shell.type("sleep 1000")
    wait_until(lambda: "sleep 1000" in tare.ok("exec", "up", "ps"), "the program")
    shell.keys("C-z")
    shell.wait(r"\[1\]\+\s+Stopped\s+sleep 1000")
    shell.type("bg; jobs")
    shell.wait(r"\[1\]\+\s+Running\s+sleep 1000")
    shell.type("fg")
    shell.wait("^sleep 1000$")
    shell.keys("C-c")
    shell.type("s=$?; clear; echo interrupted=$s")
    shell.wait("^interrupted=130")
    shell.type("exit 42")
    shell.wait("^host>")
    shell.type("s=$?; clear; echo status=$s")
    shell.wait("^status=42")
    assert shell.settings() == shell.before


def test_size_from_the_start_and_after(shell):
    shell.type("clear; stty size")
    shell.wait("^24 80$")
    for columns, rows in [(100, 30), (60, 20)]:
        shell.resize(columns, rows)
        shell.type("while [ \"$(stty size)\" != '%d %d' ]; do :; done; clear; echo now $(stty size)" % (rows, columns))
        shell.wait("^now %d %d$" % (rows, columns))


def test_detach_and_attach_again(tare, shell):
    shell.type("x=kept; clear; echo in''side")
    shell.wait("^inside")
    shell.keys("C-p", "C-q")
    shell.wait("^(box> )?host>")
    shell.type("s=$?; clear; echo status=$s")
    shell.wait("^status=0")
    assert shell.settings() == shell.before
    assert tare.state("up") == "running"
    shell.type("clear; %s attach up" % shell.command)
    shell.wait("^box>")
    shell.type("echo still=$x")
    shell.wait("^still=kept")
    # A prefix that goes on differently is the program's: ^P is the line before.
    shell.type("clear; echo last''line")
    shell.wait("^lastline")
    shell.keys("C-p")
    shell.keys("Enter")
    shell.wait("^lastline")
    shell.keys("C-p", "C-q")
    shell.wait("read escape sequence")
    shell.type("s=$?; clear; echo status=$s")
    shell.wait("^status=1")
    assert shell.settings() == shell.before


@pytest.mark.parametrize("program, top, bottom", [
    ("vi /etc/passwd", "^root:x:0:0:", r"/etc/passwd \d+/\d+"),
    ("top", "^Mem: ", None),
])
def test_full_screen_program(tare, shell, program, top, bottom):
    """After an attach the screen is drawn without a key, and after a resize in the new size."""
    shell.type(program)
    shell.wait(top)
    shell.keys("C-p", "C-q")
    shell.wait("host>")
    shell.type("clear; echo empty")
    shell.wait("^empty")
    assert not any(re.search(top, line) for line in shell.lines())
    shell.type("clear; %s attach up" % shell.command)
    shell.wait(top)
    if bottom:
        shell.wait(bottom)
        shell.resize(90, 12)
        wait_until(lambda: re.search(bottom, (shell.lines() + [""] * 12)[11]), "the last line, where it is now")
        shell.resize(90, 34)
        wait_until(lambda: re.search(bottom, (shell.lines() + [""] * 34)[33]), "the last line, where it is now")
        shell.type(":q!")
    else:
        shell.keys("q")
    shell.type("clear; echo ba''ck")
    shell.wait("^back")
    shell.type("exit")
    shell.wait("host>")
    assert shell.settings() == shell.before


def test_two_in_front_of_one(tare, shell, tmp_path):
    """Two attach: both see everything, either may type, one may leave."""
    (tmp_path / "other").mkdir()
    other = Screen(tmp_path / "other")
    try:
        other.type("clear; %s attach up" % shell.command)
        other.wait("^box>")
        other.type("clear; echo from oth''er")
        for s in (shell, other):
            s.wait("^from other")
        shell.type("clear; echo from sh''ell")
        for s in (shell, other):
            s.wait("^from shell")
        other.keys("C-p", "C-q")
        other.wait("read escape sequence")
        shell.type("clear; echo al''one; exit 3")
        shell.wait("host>")
        shell.type("s=$?; clear; echo status=$s")
        shell.wait("^status=3")
    finally:
        other.close()
