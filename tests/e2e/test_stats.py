# SPDX-License-Identifier: Apache-2.0
"""stats: figures of containers, docker's table of them, and who is in it."""
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import wait_until

HEAD = "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT"


def rows(tare, *args, **more):
    return [json.loads(line) for line in tare.ok("stats", "--no-stream", "--format", "json", *args, **more).splitlines()]


def spin(tare, name, *options):
    tare.ok("run", "-d", "--name", name, *options, "busybox", "sh", "-c", "while :; do :; done")


def number(text):
    """Bytes of "1.5MiB" or "12kB"; a percentage as it is."""
    value, unit = re.fullmatch(r"([0-9.]+)([A-Za-z%]+)", text).groups()
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "%": 1}
    return float(value) * scale[unit]


def test_one_that_does_not_run(tare):
    tare.ok("create", "--name", "idle", "busybox")
    got, = rows(tare, "idle")
    assert got == {"BlockIO": "0B / 0B", "CPUPerc": "0.00%", "Container": "idle", "ID": got["ID"], "MemPerc": "0.00%",
                   "MemUsage": "0B / 0B", "Name": "idle", "NetIO": "0B / 0B", "PIDs": "0"}
    assert len(got["ID"]) == 12


def test_limits_and_use(tare):
    """64 MiB of a limit of 256 in use, three processes, and a CPU that a quota shares out."""
    tare.ok("run", "-d", "--name", "big", "-m", "256m", "--cpus", "0.4", "--tmpfs", "/t:size=100m", "busybox", "sh", "-c",
            "dd if=/dev/zero of=/t/f bs=1M count=64 status=none; sleep 1000 & sleep 1000 & echo full; while :; do :; done")
    tare.wait_log("big", "full")
    got, = rows(tare, "big")
    used, limit = map(number, got["MemUsage"].split(" / "))
    assert limit == 256 << 20
    assert 64 << 20 <= used < 72 << 20, got
    assert 25 <= number(got["MemPerc"]) < 28.2, got
    assert got["PIDs"] == "3"
    # other work on the machine can take from it, but the quota is never exceeded for long
    assert 1 < number(got["CPUPerc"]) < 60, got


def test_page_cache_that_can_go_is_left_out(tare):
    tare.ok("run", "-d", "--name", "cache", "busybox", "sh", "-c",
            "dd if=/dev/zero of=/f bs=1M count=50 status=none; sync; cat /f >/dev/null; echo full; sleep 1000")
    tare.wait_log("cache", "full")
    got, = rows(tare, "cache")
    pid = tare.inspect("cache")["State"]["Pid"]
    group = {}
    for line in open("/proc/%d/cgroup" % pid):
        _, controllers, path = line.strip().split(":")
        for controller in controllers.split(","):
            group[controller] = path
    if "memory" not in group:
        base, key = "/sys/fs/cgroup%s/" % group[""], "inactive_file"
        usage = int(open(base + "memory.current").read())
    else:
        base, key = "/sys/fs/cgroup/memory%s/" % group["memory"], "total_inactive_file"
        usage = int(open(base + "memory.usage_in_bytes").read())
    inactive = int(re.search(r"^%s (\d+)$" % key, open(base + "memory.stat").read(), re.M).group(1))
    assert abs(number(got["MemUsage"].split(" / ")[0]) - (usage - inactive)) < 1 << 20


def test_columns_and_order(tare):
    for name in ("one", "two"):
        tare.ok("run", "-d", "--name", name, "busybox", "sleep", "1000")
    tare.ok("create", "--name", "three", "busybox")
    names = ["stats", "--no-stream", "--format", "{{.Name}}"]
    assert tare.ok(*names).split() == ["two", "one"]
    assert tare.ok(*names, "-a").split() == ["three", "two", "one"]
    assert tare.ok(*names, "one", "three", "two", "one").split() == ["one", "three", "two"]
    table = tare.ok("stats", "--no-stream").splitlines()
    assert table[0].split("   ")[0] == "CONTAINER ID" and len(table) == 3
    full = tare.ok("ps", "-q", "--no-trunc", "--filter", "name=one")
    assert tare.ok("stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.Container}}", full[:7]) == full + " " + full[:7]
    assert tare.ok("stats", "--no-stream", "--format", "{{.ID}} {{.Container}}", "--no-trunc").splitlines()[1] == \
        full + " " + full[:12]
    assert tare.ok("stats", "--no-stream", "--format", "table {{.Container}}\t{{.PIDs}}", "one") == \
        "CONTAINER   PIDS\none         1"


def test_nothing_runs(tare):
    assert tare.ok("stats", "--no-stream") == \
        "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O   PIDS"
    assert tare.ok("stats", "--no-stream", "--format", "{{.Name}}") == ""


@pytest.mark.parametrize("arguments, message", [
    (["nosuch"], "tare: No such container: nosuch\n"),
    (["one", "nosuch", "other"], "tare: No such container: nosuch\ntare: No such container: other\n"),
    ([""], "tare: invalid container name or ID: value is empty\n"),
    (["one", "--format", "{{"], "tare: template parsing error: template: :1: unclosed action\n"),
    (["one", "--format", "{{.Nope}}"], "tare: template parsing error: template: :1:2: executing \"\" at <.Nope>: "
                                       "can't evaluate field Nope in type *container.statsContext\n"),
])
def test_refused(tare, arguments, message):
    tare.ok("create", "--name", "one", "busybox")
    assert tare("stats", "--no-stream", *arguments) == (1, "", message)


def test_format_of_the_configuration(tare, tmp_path):
    tare.ok("create", "--name", "one", "busybox")
    (tmp_path / "config.json").write_text('{"statsFormat": "{{.Name}}!"}')
    assert tare.ok("stats", "--no-stream", "one", env={"DOCKER_CONFIG": str(tmp_path)}) == "one!"


def test_network(tare):
    """A container's interfaces count, its loopback does not."""
    tare.ok("run", "-d", "--name", "alone", "--network", "none", "busybox", "sleep", "1000")
    pid = tare.inspect("alone")["State"]["Pid"]
    enter = ["nsenter", "-t", str(pid), "-n"]
    subprocess.run(enter + ["ping", "-c", "3", "127.0.0.1"], stdout=subprocess.DEVNULL, check=False)
    assert rows(tare, "alone")[0]["NetIO"] == "0B / 0B"
    tare.ok("run", "-d", "--name", "hosts", "--network", "host", "busybox", "sleep", "1000")
    assert rows(tare, "hosts")[0]["NetIO"] == "0B / 0B"


def frames(data):
    """The frames of a stream; each is the table, and then its lines once more with what erases the rest."""
    parts = data.split(b"\033[J")
    assert parts[-1] == b"" or parts[-1].startswith(b"\033[H")
    return parts[:-1]


def test_stream_in_dockers_bytes(tare):
    tare.ok("create", "--name", "idle", "busybox")
    child = tare.popen("stats", "idle")
    data = b""
    while data.count(b"\033[J") < 3:
        data += child.stdout.read1(65536)
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 130
    for frame in frames(data):
        table, again = frame[3:].split(b"\033[H")
        assert frame.startswith(b"\033[H") and table.startswith(b"CONTAINER ID   NAME")
        lines = table.split(b"\n")
        assert len(lines) == 3
        assert again == b"".join(line + b" \033[K\n" for line in lines)


def test_terminated(tare):
    child = tare.popen("stats")
    child.stdout.read1(65536)
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 143


def test_those_that_start_appear_and_those_that_end_go(tare):
    tare.ok("run", "-d", "--name", "first", "busybox", "sleep", "1000")
    child = tare.popen("stats", "--format", "{{.Name}}")
    data = b""

    def shown():
        nonlocal data
        data += child.stdout.read1(65536)
        done = frames(data)
        return done and done[-1][3:].split(b"\033[H")[0].split()

    wait_until(lambda: shown() == [b"first"], "the first to be shown")
    tare.ok("run", "-d", "--name", "second", "busybox", "sleep", "1000")
    wait_until(lambda: shown() == [b"first", b"second"], "the second to be shown")
    tare.ok("rm", "-f", "first")
    wait_until(lambda: shown() == [b"second"], "the first to go")
    child.kill()


def test_a_named_one_stays(tare):
    """Stopped it uses nothing; removed nobody knows what it uses."""
    tare.ok("run", "-d", "--name", "one", "busybox", "sleep", "1000")
    child = tare.popen("stats", "--format", "{{.Name}} {{.PIDs}}", "one")
    data = b""

    def shown():
        nonlocal data
        data += child.stdout.read1(65536)
        done = frames(data)
        return done and done[-1][3:].split(b"\033[H")[0]

    wait_until(lambda: shown() == b"one 1\n", "one process")
    tare.ok("stop", "-t", "0", "one")
    wait_until(lambda: shown() == b"one 0\n", "no process")
    tare.ok("rm", "one")
    wait_until(lambda: shown() == b"one --\n", "nothing to be known")
    child.kill()


def test_two_containers_share_the_cpus(tare):
    """Both always want all of one CPU: together they have no more than there are."""
    spin(tare, "left")
    spin(tare, "right")
    shares = [number(row["CPUPerc"]) for row in rows(tare, "left", "right")]
    assert all(share > 1 for share in shares), shares
    assert sum(shares) < 100 * os.cpu_count() * 1.1, shares
