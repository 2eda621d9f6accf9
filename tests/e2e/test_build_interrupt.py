# SPDX-License-Identifier: Apache-2.0
"""Signals that come while a build waits for its context: for a server, for whoever writes to its standard
input. It ends at once, with what it has started, and leaves nothing."""
import os
import signal
import socket

import pytest

from archives import member, tar
from conftest import wait_until


@pytest.fixture
def silent():
    """The port of a server that takes connections and never says anything; .accept() waits for one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def descendants(pid):
    """Numbers of the processes that PID has started, and those of these."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        found = [int(word) for word in f.read().split()]
    return found + [n for child in found for n in descendants(child)]


def end(child, how):
    """Has only the builder get the signal: nobody else's death is to help it."""
    started = descendants(child.pid)
    child.send_signal(how)
    out, err = child.communicate(timeout=10)
    assert child.returncode == 128 + how, (child.returncode, err)
    assert out == b"" and err.endswith(b"ERROR: failed to build: failed to solve: Canceled: context canceled\n"), err
    assert started
    wait_until(lambda: not [pid for pid in started if os.path.exists(f"/proc/{pid}")], "the end of all")


def nothing_is_staged(tare):
    staging = tare.root / "staging"
    return not staging.exists() or os.listdir(staging) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("context", ["http://127.0.0.1:%d/context.tar", "git://127.0.0.1:%d/repository",
                                     "http://127.0.0.1:%d/repository.git"])
def test_a_server_that_says_nothing(tare, silent, context, how):
    child = tare.popen("build", context % silent.getsockname()[1], stdin=None)
    connection, _ = silent.accept()
    with connection:
        end(child, how)
    assert nothing_is_staged(tare)


@pytest.mark.parametrize("what", ["a Dockerfile", "named context"])
def test_other_things_of_a_silent_server(tare, silent, tmp_path, what):
    url = "http://127.0.0.1:%d/x" % silent.getsockname()[1]
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY --from=far / /\n")
    more = ["-f", url] if what == "a Dockerfile" else ["--build-context", "far=" + url]
    child = tare.popen("build", "--progress=none", *more, tmp_path, stdin=None)
    connection, _ = silent.accept()
    with connection:
        end(child, signal.SIGINT)
    assert nothing_is_staged(tare)


@pytest.mark.parametrize("first", [
    b"",                                                # nobody knows what it is
    b"FROM scratch\n" + b"#" * 600,                     # a Dockerfile that goes on
    tar(member("Dockerfile", data=b"#" * 100_000))[:50_000],        # an archive that goes on
], ids=["nothing", "Dockerfile", "archive"])
def test_standard_input_that_does_not_end(tare, first):
    child = tare.popen("build", "-")
    child.stdin.write(first)
    child.stdin.flush()
    # Whoever has made room waits for signals.
    wait_until(lambda: not nothing_is_staged(tare), "the builder's staging directory")
    child.send_signal(signal.SIGINT)
    wait_until(lambda: child.poll() is not None, "the builder's end", 10)
    assert child.returncode == 130
    assert nothing_is_staged(tare)


def test_ignored_signals_are_none(tare, silent):
    """nohup: the builder goes on when its terminal goes."""
    child = tare.popen("build", "http://127.0.0.1:%d/x" % silent.getsockname()[1], stdin=None,
                       preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    connection, _ = silent.accept()
    with connection:
        child.send_signal(signal.SIGHUP)
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")
    child.communicate(timeout=20)
    assert child.returncode == 1


def test_ignored_signals_are_none_in_a_step(tare, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN --network=none echo here; sleep 0.5\n")
    child = tare.popen("build", "--progress=plain", tmp_path, stdin=None,
                       preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    seen = b""
    while b"here" not in seen.replace(b"echo here", b""):
        seen += os.read(child.stderr.fileno(), 65536)
    child.send_signal(signal.SIGHUP)
    rest = child.communicate(timeout=20)[1]
    assert child.returncode == 0, rest
