# SPDX-License-Identifier: Apache-2.0
"""ps: columns and filters."""
import pytest


@pytest.mark.parametrize("command, shown", [
    (["true"], '"true"'),
    (["sh", "-c", "exit 3"], "\"sh -c 'exit 3'\""),
    (["echo", 'a"b'], '"echo a\\"b"'),
    (["sh", "-c", "echo a very long line"], "\"sh -c 'echo a very …\""),
])
def test_command_column(tare, command, shown):
    tare.ok("create", "busybox", *command)
    assert tare.ok("ps", "-a", "--format", "{{.Command}}") == shown


@pytest.mark.parametrize("arguments, names", [
    (["-a"], "three two one"),
    ([], "two"),
    (["-n", "2"], "three two"),
    (["-l"], "three"),
    (["-a", "--filter", "label=tier"], "two one"),
    (["-a", "--filter", "label=tier=a"], "one"),
    (["-a", "--filter", "label=tier", "--filter", "label=only"], "two"),
    (["-a", "--filter", "name=^o"], "one"),
    (["-a", "--filter", "name=t[wh]"], "three two"),
    (["--filter", "status=created"], "one"),
    (["-a", "--filter", "exited=4"], "three"),
    (["-a", "--filter", "since=one", "--filter", "before=three"], "two"),
    (["-a", "--filter", "ancestor=busybox"], "three two one"),
    (["-a", "--filter", "network=bridge"], "three two one"),
    (["-a", "--filter", "network=none"], ""),
    (["-a", "--filter", "health=none", "--filter", "status=running"], "two"),
])
def test_filters(lot, arguments, names):
    assert lot.ok("ps", "--format", "{{.Names}}", *arguments).split() == names.split()


@pytest.fixture
def lot(tare):
    tare.ok("create", "--name", "one", "-l", "tier=a", "busybox")
    tare.ok("run", "-d", "--name", "two", "-l", "tier=b", "-l", "only", "busybox", "sleep", "1000")
    assert tare("run", "--name", "three", "busybox", "sh", "-c", "exit 4").rc == 4
    return tare


@pytest.mark.parametrize("arguments, status, message", [
    (["--filter", "nosuch=1"], 1, "invalid filter 'nosuch'"),
    (["--filter", "name"], 125, "bad format of filter"),
    (["--filter", "status=nosuch"], 1, "invalid filter 'status=nosuch'"),
    (["--filter", "before=nosuch"], 1, "No such container: nosuch"),
    (["--format", "{{.Nosuch}}"], 1, "can't evaluate field Nosuch"),
    (["--format", "{{.Names"], 1, "unclosed action"),
    (["-n", "x"], 125, "invalid argument"),
    (["extra"], 1, "accepts no arguments"),
])
def test_refused(tare, arguments, status, message):
    tare.ok("create", "busybox")
    got = tare("ps", "-a", *arguments)
    assert (got.rc, message in got.err) == (status, True), got.err


def test_size_is_dockers(tare):
    """A file with two names counts once and whole, a hole counts, links count their text, and what is no file does not."""
    tare.ok("run", "--name", "sized", "busybox", "sh", "-c",
            "mkdir /d; echo 123456 >/d/a; ln /d/a /d/b; ln /d/a /d/c; ln -s /d/a /d/link; mkfifo /d/fifo; "
            "dd if=/dev/zero of=/d/sparse bs=1 count=1 seek=5000000 status=none")
    written = 7 + 4 + 5000001
    image = int(tare.ok("image", "inspect", "-f", "{{.Size}}", "busybox"))
    sizes = "%d %d" % (written, written + image)
    assert tare.ok("inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "sized") == sizes
    assert tare.ok("container", "inspect", "--size", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "sized") == sizes
    assert tare.ok("ps", "-as", "--format", "{{.Size}}").startswith("5MB (virtual ")
    assert tare.ok("inspect", "-f", "{{.SizeRw}}", "sized") == "<nil>"
