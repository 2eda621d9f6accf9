# SPDX-License-Identifier: Apache-2.0
"""`update`: other limits for containers that run, are paused, or do not run; docker's answers; what
is left when it fails or is killed."""
import contextlib
import json
import signal
import subprocess
import time

import pytest

from conftest import wait_until
from test_limits import control, group_dirs, pid_of

MIB = 1 << 20
SWAP = ("memory/memory.memsw.limit_in_bytes", "memory.swap.max")


@pytest.fixture
def tare(tare):
    tare.ok("pull", "-q", "busybox")
    return tare


@pytest.fixture
def up(tare):
    tare.ok("run", "-d", "--name", "up", "-m", "64m", "--memory-swap", "128m", "busybox", "sleep", "1000")
    return tare


def host(tare, name, key):
    return tare.inspect(name)["HostConfig"][key]


def memory(tare, version):
    return int(control(tare, "up", version, "memory/memory.limit_in_bytes", "memory.max"))


def has_swap_control(tare, version):
    dirs = group_dirs(pid_of(tare, "up"))
    where = dirs[""] / "memory.swap.max" if version == "v2" else dirs["memory"] / "memory.memsw.limit_in_bytes"
    return where.exists()


@pytest.mark.parametrize("state", ["running", "paused"])
def test_in_effect_at_once(up, cgroup_version, state):
    tare = up
    if state == "paused":
        tare.ok("pause", "up")
    assert tare.ok("update", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "33", "up") == "up"
    if cgroup_version == "v2":
        assert control(tare, "up", "v2", "", "cpu.max") == "50000 100000"
    else:
        assert control(tare, "up", "v1", "cpu/cpu.cfs_quota_us", "") == "50000"
        assert control(tare, "up", "v1", "cpu/cpu.shares", "") == "512"
    assert control(tare, "up", cgroup_version, "pids/pids.max", "pids.max") == "33"
    assert [host(tare, "up", k) for k in ("NanoCpus", "CpuShares", "PidsLimit")] == [500000000, 512, 33]
    if state == "paused":
        tare.ok("unpause", "up")
    tare.ok("update", "--pids-limit", "-1", "up")
    assert control(tare, "up", cgroup_version, "pids/pids.max", "pids.max") == "max"
    tare.ok("kill", "up")
    tare.ok("start", "up")
    assert control(tare, "up", cgroup_version, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"


def test_memory_up_and_down(up, cgroup_version):
    """In both directions the kernel must be told in another order."""
    tare = up
    for amount, swap in [(256, 512), (32, 48), (100, 100), (512, -1), (16, 16)]:
        total = str(swap) if swap < 0 else "%dm" % swap
        tare.ok("update", "-m", "%dm" % amount, "--memory-swap", total, "up")
        assert memory(tare, cgroup_version) == amount * MIB
        assert host(tare, "up", "Memory") == amount * MIB
        assert host(tare, "up", "MemorySwap") == (swap if swap < 0 else swap * MIB)
        if has_swap_control(tare, cgroup_version):
            text = control(tare, "up", cgroup_version, *SWAP)
            if swap < 0:
                assert text == "max" or int(text) > 1 << 60
            else:
                assert int(text) == (swap - amount if cgroup_version == "v2" else swap) * MIB
    config = json.loads((tare.root / "containers" / tare.inspect("up")["Id"] / "config.json").read_text())
    assert config["linux"]["resources"]["memory"]["limit"] == 16 * MIB


def test_processors(tare, cgroup_version):
    """Also for one that had none of its own: on v1 it moves to another hierarchy, and leaves no group."""
    tare.ok("run", "-d", "--name", "up", "busybox", "sh", "-c", "sleep 1000 & while :; do sleep 0.01; done")
    tare.ok("update", "--cpuset-cpus", "0", "up")
    pids = group_dirs(pid_of(tare, "up"))["" if cgroup_version == "v2" else "pids"] / "cgroup.procs"
    seen = 0
    for pid in pids.read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            assert "Cpus_allowed_list:\t0\n" in open("/proc/%s/status" % pid).read()
            seen += 1
    assert seen >= 2
    assert "Cpus_allowed_list:\t0\n" in tare.ok("exec", "up", "cat", "/proc/self/status")
    cpuset = group_dirs(pid_of(tare, "up"))["" if cgroup_version == "v2" else "cpuset"]
    assert cpuset.exists()
    tare.ok("kill", "up")
    tare.wait_state("up", "exited")
    wait_until(lambda: not cpuset.exists(), "the group to go")
    tare.ok("start", "up")
    assert "Cpus_allowed_list:\t0\n" in tare.ok("exec", "up", "cat", "/proc/self/status")


def test_stopped_and_created(tare):
    tare.ok("create", "--name", "made", "busybox", "cat", "/proc/self/cgroup")
    tare.ok("update", "-m", "64m", "--memory-swap", "64m", "--cpus", "0.25", "made")
    assert [host(tare, "made", k) for k in ("Memory", "MemorySwap", "NanoCpus")] == [64 * MIB, 64 * MIB, 250000000]
    assert tare.inspect("made")["State"]["Status"] == "created"
    tare.ok("start", "-a", "made")
    tare.ok("update", "--cpus", "0.75", "made")
    assert host(tare, "made", "NanoCpus") == 750000000


@pytest.mark.parametrize("args, error", [
    (["up"], "you must provide one or more flags when using this command"),
    (["-m", "5m", "up"], "Minimum memory limit allowed is 6MB"),
    (["-m", "5m", "missing"], "Minimum memory limit allowed is 6MB"),
    (["-m", "64m", "missing"], "No such container: missing"),
    (["-m", "1g", "up"], "Cannot update container ID: Memory limit should be smaller than already set "
     "memoryswap limit, update the memoryswap at the same time"),
    (["--memory-swap", "32m", "up"], "Cannot update container ID: Minimum memoryswap limit should be larger "
     "than memory limit, see usage"),
    (["--memory-reservation", "1m", "up"], "Minimum memory reservation allowed is 6MB"),
    (["--cpuset-cpus", "999", "up"], "Requested CPUs are not available"),
    (["--blkio-weight", "5", "up"], "Range of blkio weight is from 10 to 1000"),
    (["--restart", "bogus", "up"], "invalid restart policy: unknown policy 'bogus'"),
    (["--kernel-memory", "64m", "up"], "--kernel-memory: was removed from the kernel"),
    (["--cpu-rt-runtime", "5", "up"], "--cpu-rt-runtime: "),
])
def test_refused(up, args, error):
    done = up("update", *args)
    error = error.replace("ID", up.inspect("up")["Id"])
    assert done.rc == 1 and done.out == "" and error in done.err
    assert host(up, "up", "Memory") == 64 * MIB


def test_cpus_and_quota_exclude_each_other(tare):
    tare.ok("create", "--name", "nano", "--cpus", "0.5", "busybox")
    tare.ok("create", "--name", "quota", "--cpu-quota", "20000", "busybox")
    for name, option, value, text in [
            ("nano", "--cpu-quota", "20000", "CPU Quota cannot be updated as NanoCPUs has already been set"),
            ("nano", "--cpu-period", "20000", "CPU Period cannot be updated as NanoCPUs has already been set"),
            ("quota", "--cpus", "0.5", "Nano CPUs cannot be updated as CPU Quota has already been set")]:
        done = tare("update", option, value, name)
        assert done.rc == 1 and "Conflicting options: " + text in done.err
    both = tare("update", "--cpu-period", "100000", "--cpu-quota", "20000", "nano")
    assert "CPU Period cannot be updated" in both.err


def test_several(up):
    up.ok("create", "--name", "other", "busybox")
    done = up("update", "--cpu-shares", "300", "up", "missing", "other")
    assert done.rc == 1 and done.out == "up\nother\n"
    assert done.err == "tare: No such container: missing\n"
    assert host(up, "up", "CpuShares") == host(up, "other", "CpuShares") == 300


def test_rm_excludes_restart(tare):
    tare.ok("run", "-d", "--rm", "--name", "up", "busybox", "sleep", "1000")
    done = tare("update", "--restart", "always", "up")
    assert done.rc == 1
    assert "Restart policy cannot be updated because AutoRemove is enabled for the container" in done.err
    tare.ok("update", "--restart", "no", "--cpu-shares", "2", "up")


def test_more_is_used(up, cgroup_version):
    """Below what is used: the kernel refuses on v1, and everything else stays as it was too."""
    if cgroup_version == "v2":
        pytest.skip("v2 kills instead of refusing")
    up.ok("exec", "up", "sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null")
    done = up("update", "--memory-swap", "16m", "-m", "16m", "--cpu-shares", "77", "up")
    assert done.rc == 1 and "--memory" in done.err, done
    assert memory(up, cgroup_version) == 64 * MIB
    assert control(up, "up", "v1", "cpu/cpu.shares", "") == "1024"
    assert host(up, "up", "CpuShares") == 0


def test_killed_half_way(up, cgroup_version):
    """Killed at any moment: after the next command that writes, the three places agree."""
    directory = up.root / "containers" / up.inspect("up")["Id"]
    for i in range(40):
        shares = 100 + i
        p = up.popen("update", "--cpu-shares", str(shares), "up", stdout=subprocess.DEVNULL)
        time.sleep(i * 0.0002)
        p.send_signal(signal.SIGKILL)
        p.wait()
        up.ok("create", "--name", "writer%d" % i, "busybox")
        up.ok("rm", "writer%d" % i)
        config = json.loads((directory / "config.json").read_text())["linux"]["resources"]["cpu"].get("shares", 0)
        assert config == host(up, "up", "CpuShares")
        if cgroup_version != "v2" and config:
            assert control(up, "up", "v1", "cpu/cpu.shares", "") == str(config)


def test_at_once(up):
    """Updates of one container wait for each other: none is lost."""
    ps = [up.popen("update", *args, "up", stdout=subprocess.DEVNULL)
          for args in [("--cpu-shares", "111"), ("--pids-limit", "222"), ("--cpus", "0.3"), ("--memory-reservation", "10m")]]
    assert [p.wait() for p in ps] == [0] * 4
    assert [host(up, "up", k) for k in ("CpuShares", "PidsLimit", "NanoCpus", "MemoryReservation")] == [
        111, 222, 300000000, 10 * MIB]
