# SPDX-License-Identifier: Apache-2.0
"""exec: statuses, environment and what is refused."""
import pytest


@pytest.mark.parametrize("arguments, status, message", [
    (["up", "true"], 0, ""),
    (["up", "sh", "-c", "exit 33"], 33, ""),
    (["up", "sh", "-c", "kill -9 $$"], 137, ""),
    (["up", "nosuch"], 127, "executable file not found"),
    (["up", "/etc/passwd"], 126, "permission denied"),
    (["-u", "nosuch", "up", "true"], 126, "unable to find user nosuch"),
    (["-w", "/nosuch", "up", "true"], 126, "no such file or directory"),
    (["-w", "relative", "up", "true"], 126, "absolute path"),
    (["-d", "up", "nosuch"], 1, "executable file not found"),
    (["-it", "up", "true"], 1, "the input device is not a TTY"),
    (["-it", "nosuch", "true"], 1, "No such container: nosuch"),
    (["--nosuch", "up", "true"], 125, "unknown flag: --nosuch"),
    (["--env-file", "/nosuch", "up", "true"], 1, "no such file or directory"),
])
def test_status(tare, running, arguments, status, message):
    got = tare("exec", *arguments)
    assert got.rc == status, got.err
    assert message in got.err


def test_env_adds_replaces_and_removes(tare):
    tare.ok("run", "-d", "--name", "up", "-e", "A=1", "-e", "B=2", "busybox", "sleep", "1000")
    got = tare.ok("exec", "-e", "A", "-e", "B=3", "-e", "C=4", "up", "sh", "-c", 'echo "${A-none}|$B|$C"')
    assert got == "none|3|4"


def test_paused_and_stopped_are_refused(tare, running):
    tare.ok("pause", "up")
    got = tare("exec", "up", "true")
    assert (got.rc, "Container up is paused, unpause the container before exec" in got.err) == (1, True)
    tare.ok("unpause", "up")
    tare.ok("kill", "up")
    got = tare("exec", "up", "true")
    assert (got.rc, "is not running" in got.err) == (1, True)
