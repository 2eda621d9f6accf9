# SPDX-License-Identifier: Apache-2.0
"""Builds that are killed, or that others remove things from; a seeded sample of the endurance tests of builds, which
`make soak` runs whole."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from builds import Context
from conftest import PROGRAM, REPO, wait_until

SOAK = REPO / "tests" / "soak"


def soak(script, *args):
    if not shutil.which("strace"):
        pytest.fail("this test needs strace: make deps-test")
    done = subprocess.run([sys.executable, str(SOAK / script), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, TARE=PROGRAM), timeout=300, check=False)
    assert done.returncode == 0, done.stdout


def test_builds_killed_and_with_failing_calls():
    """23,600 points in all."""
    soak("build_points.py", "--points", "45", "--seed", "7", "--jobs", "1")


def test_many_builds_at_once():
    soak("build_hands.py", "--seconds", "12", "--workers", "4", "--seed", "7")


@pytest.fixture
def context(tare, tmp_path):
    return Context(tare, tmp_path / "context").write(Dockerfile="FROM busybox\nRUN --network=none echo 1 >/one\n")


def writer(context):
    """A builder that has made its image and writes it into a pipe that nobody reads."""
    child = subprocess.Popen([*context.tare.argv, "build", "-q", "-o", "type=oci,dest=-", str(context.folder)], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    assert child.stdout.read(1)
    return child


def blobs(tare):
    return sorted(p.name for p in (tare.root / "blobs/sha256").iterdir())


def test_an_image_that_is_only_written_out_is_nobodys(tare, context):
    tare.ok("pull", "-q", "busybox")
    before = tare.ok("images", "-aq")
    child = writer(context)
    assert tare.ok("images", "-aq") == before
    child.communicate()
    assert child.returncode == 0 and tare.ok("images", "-aq") == before


def test_an_image_stays_that_another_build_wrote_out(tare, context):
    """Both have made the same one; who only wrote it to a file takes away what is his."""
    child = writer(context)
    context.build(tag="mine:1")
    child.communicate()
    assert child.returncode == 0
    assert tare.ok("run", "--rm", "--network", "none", "mine:1", "cat", "/one") == "1"


def test_a_killed_writer_leaves_no_image(tare, context):
    tare.ok("pull", "-q", "busybox")
    before = blobs(tare), tare.ok("images", "-aq")
    child = writer(context)
    child.kill()
    child.communicate()
    tare.ok("ps")
    tare.ok("builder", "prune", "-af")
    assert (blobs(tare), tare.ok("images", "-aq")) == before
    assert tare.ok("system", "check", "--full")


def test_the_base_is_removed_while_a_step_runs(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN --network=none echo up; sleep 1; echo 1 >/one\n")
    child = subprocess.Popen([*tare.argv, "build", "--progress=plain", "-t", "im", str(context.folder)], stderr=subprocess.PIPE, text=True)
    assert any("up" in line.split() for line in child.stderr)
    tare.ok("rmi", "-f", "busybox")
    tare.ok("system", "prune", "-af")
    child.communicate()
    assert child.returncode == 0
    assert tare.ok("run", "--rm", "--network", "none", "im", "cat", "/one") == "1"
    assert tare.ok("system", "check", "--full")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_stopped_builder_can_be_ended(tare, context, how):
    """Who was stopped by SIGSTOP has its command end with it, and the next build begins at once."""
    context.write(Dockerfile="FROM busybox\nRUN echo up; sleep 1017\n")
    child = subprocess.Popen([*tare.argv, "build", "--progress=plain", str(context.folder)], stderr=subprocess.PIPE, text=True)
    assert any("up" in line.split() for line in child.stderr)
    child.send_signal(signal.SIGSTOP)
    child.send_signal(how)
    child.send_signal(signal.SIGCONT)
    child.communicate()
    assert child.returncode != 0
    wait_until(lambda: not sleepers("1017"), "the command to end")
    context.write(Dockerfile="FROM busybox\nRUN echo 2 >/two\n").build()
    tare.ok("ps")
    assert not [p for d in ("pending", "claims") for p in (tare.runroot / d).iterdir()] and not list((tare.root / "staging").iterdir())


def sleepers(mark):
    """Processes of `sleep MARK`."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [p] if p.read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()] else []
        except OSError:
            pass
    return found


def test_a_closed_terminal_ends_the_build(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN echo up; sleep 1018\n")
    main, other = os.openpty()
    child = subprocess.Popen([*tare.argv, "build", str(context.folder)], stdin=other, stdout=other, stderr=other, start_new_session=True,
                             preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0))
    os.close(other)
    wait_until(lambda: sleepers("1018"), "the command")
    os.close(main)
    child.wait(timeout=20)
    assert child.returncode != 0
    wait_until(lambda: not sleepers("1018"), "the command to end")
    tare.ok("ps")
    assert not list((tare.runroot / "pending").iterdir()) and not list((tare.root / "staging").iterdir())


def test_who_waits_for_a_step_makes_it_when_the_other_is_killed(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN --network=none echo up; sleep 1; echo 1 >/one\n")
    argv = [*tare.argv, "build", "--progress=plain", "-t", "im", str(context.folder)]
    first = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert any("up" in line.split() for line in first.stderr)
    second = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % second.pid)) > 8, "the second to come to it")
    first.kill()
    first.communicate()
    assert second.wait(timeout=30) == 0
    assert tare.ok("run", "--rm", "--network", "none", "im", "cat", "/one") == "1"
