# SPDX-License-Identifier: Apache-2.0
"""What a person sees: a Terminal whose bytes are played on a VT102 (pyte).

Screen(argv) is a Terminal. lines() are the rows as they are shown now, shows() waits until one of them
contains a text, and seen still has every byte.
"""
import time

import pyte
import pytest

from terminal import DEADLINE, Terminal


class Screen(Terminal):
    def __init__(self, argv, rows=24, columns=80, **more):
        self.vt = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.vt)
        self.played = 0
        super().__init__(argv, rows=rows, columns=columns, **more)

    def resize(self, rows, columns):
        super().resize(rows, columns)
        self.vt.resize(rows, columns)

    def play(self):
        self.stream.feed(self.seen[self.played:])
        self.played = len(self.seen)

    def lines(self):
        self.play()
        return [line.rstrip() for line in self.vt.display]

    def shows(self, condition, timeout=DEADLINE):
        """Waits until a line contains CONDITION (or CONDITION(lines) is true); returns the lines."""
        end = time.monotonic() + timeout
        while True:
            lines = self.lines()
            if condition(lines) if callable(condition) else any(condition in line for line in lines):
                return lines
            if time.monotonic() > end:
                pytest.fail("%r is not shown:\n%s" % (condition, "\n".join(lines)))
            self.pump(0.05)

    def shows_not(self, text, timeout=DEADLINE):
        return self.shows(lambda lines: not any(text in line for line in lines), timeout)


@pytest.fixture
def screen():
    """Makes Screens; what still runs at the end of the test is killed."""
    made = []

    def make(argv, **more):
        more["env"] = dict({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}, **(more.get("env") or {}))
        made.append(Screen([str(a) for a in argv], **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
