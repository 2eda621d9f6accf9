# SPDX-License-Identifier: Apache-2.0
"""A seeded sample of the endurance tests, which `make soak` runs whole, and the cases they were learnt from."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import PROGRAM, REPO, wait_until

SOAK = REPO / "tests" / "soak"


def soak(script, *args):
    done = subprocess.run([sys.executable, str(SOAK / script)] + list(args), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=dict(os.environ, TARE=PROGRAM), timeout=300)
    assert done.returncode == 0, done.stdout


def needs(tool):
    if not shutil.which(tool):
        pytest.fail("this test needs %s: make deps-test" % tool)


@pytest.mark.parametrize("shard", ["1/2", "2/2"])
def test_system_calls_that_fail(shard):
    """1,650 points in all; nine in ten must take place, or the script fails."""
    needs("strace")
    soak("fault_points.py", "--points", "1650", "--seed", "7", "--jobs", "1", "--shard", shard)


def test_the_build_cache_under_faults():
    """2,762 points in all."""
    needs("strace")
    soak("cache_points.py", "--points", "150", "--seed", "7")


@pytest.mark.parametrize("role,verbs", [
    ("cli", ["run", "run-rm"]), ("cli", ["rm-f", "import", "load", "commit", "save", "copy", "prune"]),
    ("monitor", ["run-d-rm", "stop"]), ("container", ["run-rm", "run-user"])])
def test_kill_points(role, verbs):
    needs("strace")
    soak("kill_points.py", "--points", "5", "--seed", "7", "--role", role, *[w for v in verbs for w in ("--verb", v)])


@pytest.mark.parametrize("verbs", [["run-first", "rm-f-p"], ["run-rm-p", "network-rm"],
                                   ["connect", "disconnect", "network-create-icc"]])
def test_kill_points_of_networks(verbs):
    """tests/soak/network_points.py has more verbs, and takes every point."""
    needs("strace")
    needs("nft")
    soak("network_points.py", "--points", "2", "--seed", "7", *[w for v in verbs for w in ("--verb", v)])


def test_many_ports_at_once():
    soak("many_ports.py")


def test_storm():
    soak("storm.py", "--count", "32", "--rounds", "0", "--races", "1", "--seed", "3")


def test_exit_codes():
    soak("exits.py", "--count", "510", "--oom", "10", "--kills", "12", "--seed", "7", "--jobs", "2")


def test_full_disk():
    needs("mkfs.ext4")
    soak("full_disk.py", "--steps", "3")


def test_images_on_a_full_disk():
    needs("mkfs.ext4")
    soak("full_disk_images.py", "--sizes", "8", "--seed", "3")


@pytest.mark.parametrize("disk", ["ext4", "xfs"])
def test_power_cut(disk):
    needs("mkfs.xfs")
    soak("power_cut.py", "--images", "8", "--seconds", "3", "--disk", disk)


def test_many_hands():
    soak("many_hands.py", "--seconds", "8")


def kill_monitor_and_wait(tare, name):
    """kill -9 of the monitor; returns when the kernel has ended the container with it."""
    pid = int(tare.ok("inspect", "-f", "{{.State.Pid}}", name))
    monitor = int(pathlib.Path("/proc/%d/status" % pid).read_text().split("PPid:\t")[1].split()[0])
    os.kill(monitor, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path("/proc/%d/exe" % pid).exists() or "State:\tZ" in
               pathlib.Path("/proc/%d/status" % pid).read_text(), "the container to end with its monitor")


def test_a_killed_monitor_is_told_by_ps_and_the_container_starts_again(tare, running):
    kill_monitor_and_wait(tare, running)
    assert tare.ok("ps", "-a", "--format", "{{.State}} {{.Status}}").startswith("exited Exited (255)")
    tare.ok("start", running)
    assert tare.state(running) == "running"


def test_addresses_come_back_though_the_monitor_was_killed_before_rm(tare):
    """Before it saw the end, and after it has put it on record: what it has not given back, rm does."""
    for n in range(12):
        tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
        pid = int(tare.ok("inspect", "-f", "{{.State.Pid}}", "up"))
        monitor = int(pathlib.Path("/proc/%d/status" % pid).read_text().split("PPid:\t")[1].split()[0])
        if n % 2:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: next((tare.root / "containers").glob("*/exit.json"), None), "the end on record")
        os.kill(monitor, signal.SIGKILL)
        tare.ok("rm", "-f", "up")
        assert [str(p) for p in (tare.runroot / "networks").glob("*/addresses/*")] == []


def test_rm_containers_go_though_nobody_is_left(tare):
    tare.ok("run", "-d", "--rm", "--name", "gone", "busybox", "sleep", "1000")
    kill_monitor_and_wait(tare, "gone")
    assert tare.ok("ps", "-aq") == ""
    assert list((tare.root / "containers").iterdir()) == []
    tare.ok("run", "--rm", "--name", "gone", "busybox", "true")


def test_a_created_container_of_rm_keeps_its_name(tare):
    tare.ok("create", "--rm", "--name", "mine", "busybox", "true")
    assert tare.ok("ps", "-a", "--format", "{{.Names}}") == "mine"
    got = tare("create", "--name", "mine", "busybox", "true")
    assert got.rc != 0 and "is already in use by container" in got.err
    assert tare.state("mine") == "created"


@pytest.mark.parametrize("left", ["work", "nothing"])
def test_rm_containers_go_though_the_command_died_after_their_end(tare, left):
    """Its monitor had left the removal to the command: the row is there, the directory perhaps not."""
    tare.ok("create", "--rm", "--name", "gone", "busybox", "true")
    folder = next((tare.root / "containers").iterdir())
    if left == "work":
        (folder / "work" / "work").mkdir()
    else:
        shutil.rmtree(folder)
    assert tare.ok("ps", "-aq") == ""
    assert list((tare.root / "containers").iterdir()) == []
    tare.ok("run", "--rm", "--name", "gone", "busybox", "true")


def test_the_first_writer_of_a_boot_compares_directories_with_the_index(tare):
    tare.ok("run", "-d", "--rm", "--name", "cut", "busybox", "sleep", "1000")
    tare.ok("create", "--rm", "--name", "kept", "busybox", "true")
    kill_monitor_and_wait(tare, "cut")
    stray = tare.root / "containers" / ("0123456789abcdef" * 4)
    (stray / "upper").mkdir(parents=True)
    shutil.rmtree(tare.runroot)  # a reboot empties /run
    assert tare.ok("ps", "-a", "--format", "{{.Names}}") == "kept"
    assert not stray.exists()


def test_an_import_cut_short_is_collected_by_the_next_command(tare):
    tare.ok("run", "--rm", "busybox", "true")
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    left = tare.root / "staging" / (boot + ".0011223344556677") / "layer-0" / "diff"
    left.mkdir(parents=True)
    tare.ok("ps")
    assert list((tare.root / "staging").iterdir()) == []
