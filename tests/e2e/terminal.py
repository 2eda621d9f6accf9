# SPDX-License-Identifier: Apache-2.0
"""A program on a pseudo terminal, as a person in front of it sees it.

Terminal(argv) starts ARGV with standard input, output and error on a new terminal that is its
controlling one, so that a resize reaches it as SIGWINCH and Ctrl-C as SIGINT unless it asked for raw
bytes. expect() waits for text, and everything that was printed is kept in `seen`.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pytest

DEADLINE = 30


class Terminal:
    def __init__(self, argv, rows=24, columns=80, env=None, stderr=None):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.seen = b""
        self.searched = 0
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
                for fd in (0, 1, 2):
                    os.dup2(slave if fd < 2 or stderr is None else stderr, fd)
                os.closerange(3, 64)
                os.execvpe(argv[0], argv, dict(os.environ, **(env or {})))
            finally:
                os._exit(99)
        # Kept open: the settings can then be read after the program has ended.
        self.slave = slave
        self.status = None

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, data):
        os.write(self.master, data)

    def pump(self, timeout):
        if select.select([self.master], [], [], timeout)[0]:
            self.seen += os.read(self.master, 65536)

    def expect(self, text, timeout=DEADLINE):
        """Waits until TEXT (bytes) was printed after what was expected before."""
        end = time.monotonic() + timeout
        while True:
            at = self.seen.find(text, self.searched)
            if at >= 0:
                self.searched = at + len(text)
                return
            if time.monotonic() > end:
                pytest.fail("%r did not come; the terminal shows %r" % (text, self.seen[-2000:]))
            self.pump(0.05)

    def has_ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None

    def wait(self, timeout=DEADLINE):
        """The exit status of the program; 128 + n when signal n ended it."""
        end = time.monotonic() + timeout
        while not self.has_ended():
            if time.monotonic() > end:
                pytest.fail("the program did not end; the terminal shows %r" % self.seen[-2000:])
            self.pump(0.005)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return os.waitstatus_to_exitcode(self.status) if os.WIFEXITED(self.status) \
            else 128 + os.WTERMSIG(self.status)

    def settings(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.settings()[3] & (termios.ICANON | termios.ISIG | termios.ECHO)

    def assert_restored(self):
        assert self.settings() == self.before, "the terminal is not as it was"

    def close(self):
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = 9
        for fd in (self.master, self.slave):
            os.close(fd)


@pytest.fixture
def terminal():
    """Makes Terminals; what still runs at the end of the test is killed."""
    made = []

    def make(argv, **more):
        made.append(Terminal([str(a) for a in argv], **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
