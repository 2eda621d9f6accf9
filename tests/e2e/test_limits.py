# SPDX-License-Identifier: Apache-2.0
"""Limits, as this host's control groups keep them: v1, hybrid or v2, the same tests.

Each option is read back from the file the kernel keeps it in; what limits do is seen from inside.
"""
import os
import pathlib
import re
import subprocess

import pytest

from conftest import wait_until

CPUS = len(os.sched_getaffinity(0))
MIB = 1 << 20


@pytest.fixture
def tare(tare):
    """With busybox there already, so that standard error is the container's."""
    tare.ok("pull", "-q", "busybox")
    return tare


def group_dirs(pid):
    """Where the process PID is: the directory of each v1 controller, "" for the v2 one."""
    found, mounts = {}, {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        kind, options = right.split()[0], right.split()[2].split(",")
        for name in ([""] if kind == "cgroup2" else options if kind == "cgroup" else []):
            mounts.setdefault(name, left.split()[4])
    for line in pathlib.Path("/proc/%d/cgroup" % pid).read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in mounts:
                found[name] = pathlib.Path(mounts[name] + path)
    return found


def pid_of(tare, name):
    return int(tare.ok("inspect", "-f", "{{.State.Pid}}", name))


def control(tare, name, version, v1, v2):
    """The content of the container's control file: V1 is "controller/file", V2 a file."""
    dirs = group_dirs(pid_of(tare, name))
    if version == "v2":
        return (dirs[""] / v2).read_text().strip()
    controller, file = v1.split("/")
    return (dirs[controller] / file).read_text().strip()


def a_disk():
    """A block device that I/O can be limited of: the one below the root, else any whole disk."""
    for disk in sorted(pathlib.Path("/sys/block").iterdir()):
        if not re.match(r"loop|ram|zram|dm-|md|nbd", disk.name) and os.path.exists("/dev/" + disk.name):
            return "/dev/" + disk.name, (disk / "dev").read_text().strip()
    pytest.skip("no disk whose I/O could be limited")


# ---------------------------------------------------------------- read back

@pytest.mark.parametrize("options, v1, v2, values", [
    (["-m", "64m"], "memory/memory.limit_in_bytes", "memory.max", (str(64 * MIB), str(64 * MIB))),
    (["-m", "64m", "--memory-reservation", "32m"], "memory/memory.soft_limit_in_bytes", "memory.low",
     (str(32 * MIB), str(32 * MIB))),
    (["--memory-swappiness", "7"], "memory/memory.swappiness", None, ("7", None)),
    (["--cpus", "0.5"], "cpu/cpu.cfs_quota_us", "cpu.max", ("50000", "50000 100000")),
    (["--cpu-quota", "20000", "--cpu-period", "50000"], "cpu/cpu.cfs_period_us", "cpu.max", ("50000", "20000 50000")),
    (["--cpu-quota", "20000", "--cpu-period", "50000"], "cpu/cpu.cfs_quota_us", "cpu.max", ("20000", "20000 50000")),
    (["--cpu-shares", "512"], "cpu/cpu.shares", "cpu.weight", ("512", "50")),
    (["--cpu-shares", "20"], "cpu/cpu.shares", "cpu.weight", ("20", "2")),
    (["--cpuset-cpus", "0"], "cpuset/cpuset.cpus", "cpuset.cpus", ("0", "0")),
    (["--cpuset-mems", "0"], "cpuset/cpuset.mems", "cpuset.mems", ("0", "0")),
    (["--pids-limit", "77"], "pids/pids.max", "pids.max", ("77", "77")),
    ([], "pids/pids.max", "pids.max", ("2048", "2048")),
    (["--pids-limit", "-1"], "pids/pids.max", "pids.max", ("max", "max")),
], ids=lambda v: " ".join(v) if isinstance(v, list) else None)
def test_read_back(tare, cgroup_version, options, v1, v2, values):
    if cgroup_version == "v2" and v2 is None:
        pytest.skip("v2 has no such control; test_cannot_be_applied")
    tare.ok("run", "-d", "--name", "limited", *options, "busybox", "sleep", "1000")
    assert control(tare, "limited", cgroup_version, v1, v2) == values[cgroup_version == "v2"]


def test_memory_swap_is_read_back(tare, cgroup_version):
    if cgroup_version == "v1" and not os.path.exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"):
        pytest.skip("this kernel does not count swap; test_cannot_be_applied")
    tare.ok("run", "-d", "--name", "limited", "-m", "64m", "--memory-swap", "96m", "busybox", "sleep", "1000")
    got = control(tare, "limited", cgroup_version, "memory/memory.memsw.limit_in_bytes", "memory.swap.max")
    assert int(got) == (32 if cgroup_version == "v2" else 96) * MIB


@pytest.mark.parametrize("option, v1, key, given, value", [
    ("--device-read-bps", "blkio.throttle.read_bps_device", "rbps", "2mb", 2 * MIB),
    ("--device-write-bps", "blkio.throttle.write_bps_device", "wbps", "3mb", 3 * MIB),
    ("--device-read-iops", "blkio.throttle.read_iops_device", "riops", "120", 120),
    ("--device-write-iops", "blkio.throttle.write_iops_device", "wiops", "130", 130),
])
def test_device_rates_are_read_back(tare, cgroup_version, option, v1, key, given, value):
    disk, number = a_disk()
    tare.ok("run", "-d", "--name", "limited", option, "%s:%s" % (disk, given), "busybox", "sleep", "1000")
    got = control(tare, "limited", cgroup_version, "blkio/" + v1, "io.max")
    if cgroup_version == "v2":
        assert got.startswith(number + " ") and "%s=%d" % (key, value) in got.split()
    else:
        assert got == "%s %d" % (number, value)


def test_seen_from_inside(tare, cgroup_version):
    """The container sees its own group as the root of all, read-only, with its limits."""
    file = {"v1": "/sys/fs/cgroup/memory/memory.limit_in_bytes", "v2": "/sys/fs/cgroup/memory.max"}[cgroup_version]
    out = tare.ok("run", "--rm", "-m", "48m", "busybox", "sh", "-c",
                  "cat %s; (echo 1 >%s) 2>/dev/null || echo read-only; grep -c . /proc/self/cgroup; "
                  "grep -vc ':/$' /proc/self/cgroup || true"
                  % (file, file))
    lines = out.splitlines()
    assert lines[:2] == [str(48 * MIB), "read-only"]
    assert int(lines[2]) > 0 and lines[3] == "0"


# ---------------------------------------------------------------- what cannot be applied

def listing(tare):
    """The state, but for the files in which sqlite keeps its log."""
    return sorted(str(p) for p in tare.root.rglob("*") if not p.name.startswith("tare.db-"))


def cannot(tare, *options):
    tare.ok("run", "--rm", "busybox", "true")
    before = listing(tare)
    got = tare("run", "--rm", *options, "busybox", "true")
    assert got.rc == 125, got
    assert len(got.err.strip().splitlines()) <= 4, got.err
    assert tare.ok("ps", "-aq") == ""
    return got.err, before


def test_cannot_be_applied(tare, cgroup_version):
    """R9: what was typed and cannot be done stops the container, and the flag is named."""
    if cgroup_version == "v2":
        err, before = cannot(tare, "--memory-swappiness", "5")
        assert "--memory-swappiness" in err
    elif not os.path.exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"):
        err, before = cannot(tare, "-m", "64m", "--memory-swap", "96m")
        assert "--memory-swap" in err
    else:
        err, before = cannot(tare, "--cpuset-mems", "63")
        assert "--cpuset-mems" in err or "Requested memory nodes are not available - requested 63" in err
    assert listing(tare) == before


def test_cpuset_that_is_not_there(tare):
    err, _ = cannot(tare, "--cpuset-cpus", "0-4095")
    assert "--cpuset-cpus" in err or "Requested CPUs are not available" in err


def has_weight(version):
    if version == "v2":
        return os.path.exists("/sys/fs/cgroup/io.cost.qos") or any(
            pathlib.Path("/sys/fs/cgroup").glob("*/io*weight"))
    return any(pathlib.Path("/sys/fs/cgroup/blkio").glob("**/blkio*weight"))


def test_blkio_weight(tare, cgroup_version):
    """Kept where an I/O scheduler has weights; elsewhere the container does not start."""
    got = tare("run", "--rm", "--blkio-weight", "300", "busybox", "true")
    if has_weight(cgroup_version):
        assert got.rc == 0
    else:
        assert got.rc == 125 and "--blkio-weight" in got.err


def test_implied_swap_only_warns(tare, cgroup_version):
    """Docker means twice as much with swap by -m alone; where that cannot be kept, it is said."""
    got = tare("run", "--rm", "-m", "64m", "busybox", "echo", "ran")
    assert (got.rc, got.out) == (0, "ran\n")
    if cgroup_version == "v1" and not os.path.exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"):
        assert "swap limit" in got.err
        assert len(got.err.splitlines()) == 1
    else:
        assert got.err == ""


def test_ulimit(tare):
    got = tare("run", "--rm", "--ulimit", "nofile=100:200", "busybox", "sh", "-c", "ulimit -Sn; ulimit -Hn")
    assert (got.rc, got.out, got.err) == (0, "100\n200\n", "")


def test_ulimit_that_cannot_be_raised_warns(tare):
    """Without CAP_SYS_RESOURCE a hard limit stays; the container starts with what there is."""
    argv = ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-all", "prlimit", "--nofile=512:1000"]
    done = subprocess.run(argv + tare.argv + ["run", "--rm", "--ulimit", "nofile=5000:6000", "busybox", "sh", "-c",
                                              "ulimit -Hn"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "1000\n"), done
    assert "nofile" in done.stderr and len(done.stderr.splitlines()) == 1


# ---------------------------------------------------------------- what limits do

EAT = "dd if=/dev/zero of=/dev/null bs=200M count=1"


def test_out_of_memory(tare, cgroup_version):
    options = ["-m", "20m"]
    got = tare("run", "--name", "eater", *options, "busybox", "sh", "-c", "exec " + EAT)
    assert got.rc == 137
    state = tare.inspect("eater")["State"]
    assert (state["OOMKilled"], state["ExitCode"], state["Status"]) == (True, 137, "exited")
    tare("start", "-a", "eater")
    assert tare.inspect("eater")["State"]["OOMKilled"] is True
    tare.ok("run", "--name", "modest", "-m", "20m", "busybox", "true")
    assert tare.inspect("modest")["State"]["OOMKilled"] is False


def test_killed_is_not_out_of_memory(tare):
    tare.ok("run", "-d", "--name", "fine", "-m", "20m", "busybox", "sleep", "1000")
    tare.ok("kill", "fine")
    tare.wait_state("fine", "exited")
    state = tare.inspect("fine")["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (False, 137)


BOMB = """
boom() { boom | boom & }
boom 2>/dev/null
echo armed
sleep 1000
"""


def test_fork_bomb(tare, cgroup_version):
    """It stops at the limit; the host forks on, and the container is removed as any other."""
    tare.ok("run", "-d", "--name", "bomb", "--pids-limit", "60", "--cpus", "0.5", "busybox", "sh", "-c", BOMB)
    dirs = group_dirs(pid_of(tare, "bomb"))
    group = dirs["pids" if cgroup_version == "v1" else ""]
    events = group / "pids.events"
    wait_until(lambda: int(re.search(r"max (\d+)", events.read_text()).group(1)) > 0, "the limit to be met")
    assert int((group / "pids.current").read_text()) <= 60
    for _ in range(50):
        subprocess.run(["/bin/true"], check=True)
    tare.ok("rm", "-f", "bomb")
    assert not group.exists()


def cpu_ns(tare, name, version):
    dirs = group_dirs(pid_of(tare, name))
    if version == "v1":
        return int((dirs["cpuacct"] / "cpuacct.usage").read_text())
    return int(re.search(r"usage_usec (\d+)", (dirs[""] / "cpu.stat").read_text()).group(1)) * 1000


def test_cpu_shares(tare, cgroup_version):
    """The lecture's pair on one processor: 20 to 80, within 5 points."""
    for name, shares in (("low_prio", "20"), ("high_prio", "80")):
        tare.ok("run", "-d", "--name=" + name, "--cpuset-cpus=0", "--cpu-shares=" + shares, "busybox", "sha256sum",
                "/dev/urandom")
    first = {n: cpu_ns(tare, n, cgroup_version) for n in ("low_prio", "high_prio")}

    def split():
        low, high = (cpu_ns(tare, n, cgroup_version) - first[n] for n in ("low_prio", "high_prio"))
        return (low, high) if low + high > 2e9 else None

    low, high = wait_until(split, "two seconds of processor time")
    assert abs(100.0 * low / (low + high) - 20) <= 5, "%.1f : %.1f" % (low / 1e9, high / 1e9)


def test_cpus(tare, cgroup_version):
    """Half a processor: over 20 periods and more not more was used than their quotas."""
    tare.ok("run", "-d", "--name", "half", "--cpus", "0.5", "busybox", "sha256sum", "/dev/urandom")
    dirs = group_dirs(pid_of(tare, "half"))
    stat = dirs["cpu" if cgroup_version == "v1" else ""] / "cpu.stat"

    def periods():
        n, throttled = map(int, re.search(r"nr_periods (\d+)\s+nr_throttled (\d+)", stat.read_text()).groups())
        return n if n >= 20 and throttled >= 2 else None

    n = wait_until(periods, "20 periods, throttled")
    used = cpu_ns(tare, "half", cgroup_version)
    assert used <= (n + 2) * 50e6 * 1.1


# ---------------------------------------------------------------- pause, and the end

COUNT = "i=0; while :; do i=$((i+1)); echo $i >/n; done"


def test_pause(tare, cgroup_version):
    tare.ok("run", "-d", "--name", "busy", "busybox", "sh", "-c", COUNT)
    assert tare.ok("pause", "busy") == "busy"
    assert tare.state("busy") == "paused"
    assert "(Paused)" in tare.ok("ps", "--format", "{{.Status}}")
    used = cpu_ns(tare, "busy", cgroup_version)
    again = tare("pause", "busy")
    assert again.rc == 1 and "already paused" in again.err
    refused = tare("exec", "busy", "true")
    assert refused.rc == 1 and "paused" in refused.err
    assert cpu_ns(tare, "busy", cgroup_version) == used
    assert tare.ok("unpause", "busy") == "busy"
    assert tare.state("busy") == "running"
    wait_until(lambda: cpu_ns(tare, "busy", cgroup_version) > used, "it to go on")
    again = tare("unpause", "busy")
    assert again.rc == 1 and "not paused" in again.err


@pytest.mark.parametrize("command, rc", [(["stop", "-t", "1"], 137), (["kill"], 137), (["rm", "-f"], None)])
def test_end_of_a_paused_container(tare, command, rc):
    tare.ok("run", "-d", "--name", "busy", "busybox", "sh", "-c", COUNT)
    tare.ok("pause", "busy")
    tare.ok(*command, "busy")
    if command == ["kill"]:
        tare.wait_state("busy", "exited")
    if rc:
        assert tare.inspect("busy")["State"]["ExitCode"] == rc
    else:
        assert tare.state("busy") is None


def test_group_is_gone_afterwards(tare, cgroup_version):
    tare.ok("run", "-d", "--name", "up", "--cpuset-cpus", "0", "busybox", "sleep", "1000")
    id = tare.inspect("up")["Id"]
    dirs = set(group_dirs(pid_of(tare, "up")).values())
    ours = {d for d in dirs if id in str(d)}
    assert len(ours) >= (5 if cgroup_version == "v1" else 1)
    tare.ok("stop", "-t", "0", "up")
    wait_until(lambda: not any(d.exists() for d in ours), "the control groups to go")
    tare.ok("start", "up")
    assert {d for d in group_dirs(pid_of(tare, "up")).values() if id in str(d)} == ours
    tare.ok("rm", "-f", "up")
    assert not any(d.exists() for d in ours)
