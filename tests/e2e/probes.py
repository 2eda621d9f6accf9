# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom: many questions at once, each from one network namespace to an address.

A probe is a socket made in the namespace it asks from; all of them are open at the same time, so that
those which are dropped without a word cost one deadline together. A server (outside.Server) answers with
the address it was asked from, which is the probe's own unless something translated it.
"""
import collections
import select
import socket
import time

import netns
from outside import family_of

# The answer: None when nothing came back, else the client that the server saw; and the client's own address.
Answer = collections.namedtuple("Answer", "seen own")
Probe = collections.namedtuple("Probe", "fd address port proto")
# UDP tells nobody that a neighbour was not known yet: it asks again.
REPEAT, DEADLINE, GRACE = 0.25, 6.0, 0.6


class Asking:
    def __init__(self, probe):
        self.probe, self.answer = probe, None
        kind = socket.SOCK_STREAM if probe.proto == "tcp" else socket.SOCK_DGRAM
        self.socket = netns.inside(probe.fd, lambda: socket.socket(family_of(probe.address), kind))
        self.socket.setblocking(False)
        self.open = True
        try:
            self.socket.connect((probe.address, probe.port))
        except BlockingIOError:
            pass
        except OSError:
            self.end()

    def say(self):
        """A datagram once more; an error that an earlier one was answered with is final only for TCP."""
        if self.open and self.probe.proto == "udp":
            try:
                self.socket.send(b"who\n")
            except OSError:
                pass

    def hear(self):
        try:
            data = self.socket.recv(200)
            if data:
                self.answer = Answer(data.decode().split()[0], self.socket.getsockname()[0])
            self.end()
        except BlockingIOError:
            pass
        except OSError:
            if self.probe.proto == "tcp":
                self.end()

    def end(self):
        self.open = False
        self.socket.close()


def ask(probes, expected):
    """The Answer to each of PROBES, or None. Ends at once when all are answered, a little later when those
    of EXPECTED (a truth for each) are, and after DEADLINE in any case."""
    asking = [Asking(p) for p in probes]
    begin, said = time.monotonic(), 0
    grace_from = None
    while True:
        now = time.monotonic()
        waiting = [a for a in asking if a.open]
        if not waiting or now - begin > DEADLINE:
            break
        if not any(a.open and e for a, e in zip(asking, expected)):
            grace_from = grace_from or now
            if now - grace_from > GRACE:
                break
        if now - said > REPEAT:
            said = now
            for a in waiting:
                a.say()
        poll = select.poll()
        by_fd = {a.socket.fileno(): a for a in waiting}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(50):
            by_fd[fd].hear()
    for a in asking:
        if a.open:
            a.end()
    return [a.answer for a in asking]
