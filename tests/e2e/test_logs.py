# SPDX-License-Identifier: Apache-2.0
"""logs: what it shows, of which lines, in what form, and docker's words for what is wrong."""
import gzip
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from conftest import PROGRAM, REPO, wait_until

INIT = "failed to initialize logging driver: "


def run(tare, *options, script="echo hi"):
    return tare("run", "--name", "cc", "--network", "none", *options, "busybox", "sh", "-c", script)


def log_dir(tare, name="cc"):
    return tare.root / "containers" / tare.inspect(name)["Id"] / "log"


def parts(tare, name="cc"):
    """The names of its files; none before the first output, which makes their directory."""
    folder = log_dir(tare, name)
    return sorted(os.listdir(folder)) if folder.exists() else []


# ---------------------------------------------------------------- options

@pytest.mark.parametrize("options, words", [
    (["--log-driver", "nosuch"], 'error looking up logging plugin nosuch: plugin "nosuch" not found'),
    (["--log-driver", "gelf"], "the log driver gelf is not supported"),
    (["--log-driver", "awslogs"], "the log driver awslogs is not supported"),
    (["--log-opt", "foo=bar"], "unknown log opt 'foo' for json-file log driver"),
    (["--log-opt", "noequals"], "unknown log opt 'noequals' for json-file log driver"),
    (["--log-driver", "local", "--log-opt", "labels=a"], "unknown log opt 'labels' for log driver local"),
    (["--log-driver", "syslog", "--log-opt", "max-size=1m"], "unknown log opt 'max-size' for syslog log driver"),
    (["--log-driver", "journald", "--log-opt", "foo=1"], "unknown log opt 'foo' for journald log driver"),
    (["--log-driver", "none", "--log-opt", "foo=1"], "invalid logging opts for driver none"),
    (["--log-opt", "max-size=x"], INIT + "invalid size: 'x'"),
    (["--log-opt", "max-size=-1"], INIT + "invalid size: '-1'"),
    (["--log-opt", "max-size=0"], INIT + "max-size must be a positive number"),
    (["--log-opt", "max-size=10kb", "--log-opt", "max-file=0"], INIT + "max-file cannot be less than 1"),
    (["--log-opt", "max-file=x"], INIT + 'strconv.Atoi: parsing "x": invalid syntax'),
    (["--log-opt", "compress=x"], INIT + 'strconv.ParseBool: parsing "x": invalid syntax'),
    (["--log-opt", "compress=true"], INIT + "compress cannot be true when max-file is less than 2 or max-size is not set"),
    (["--log-opt", "compress=true", "--log-opt", "max-size=1k", "--log-opt", "max-file=1"],
     INIT + "compress cannot be true when max-file is less than 2 or max-size is not set"),
    (["--log-opt", "mode=foo"], "logger: logging mode not supported: foo"),
    (["--log-opt", "max-buffer-size=1m"], "logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
    (["--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=x"],
     "error parsing option max-buffer-size: invalid size: 'x'"),
    (["--log-opt", "cache-disabled=x"], "invalid value for option cache-disabled: x"),
    (["--log-opt", "tag={{"], INIT + "template: log-tag:1: unclosed action"),
    (["--log-opt", "tag={{.Foo}}"], INIT + 'template: log-tag:1:2: executing "log-tag" at <.Foo>: '
     "can't evaluate field Foo in type *logger.Info"),
    (["--log-opt", "labels-regex=("], INIT + "error parsing regexp"),
    (["--log-driver", "local", "--log-opt", "max-size=x"], INIT + "invalid value for max-size: x: invalid size: 'x'"),
    (["--log-driver", "local", "--log-opt", "max-file=x"],
     INIT + 'invalid value for max-file: x: strconv.Atoi: parsing "x": invalid syntax'),
    (["--log-driver", "local", "--log-opt", "max-file=-1"], INIT + "max file count cannot be less than 0"),
    (["--log-driver", "local", "--log-opt", "max-file=1"], INIT + "compression cannot be enabled when max file count is 1"),
    (["--log-driver", "local", "--log-opt", "compress=x"],
     INIT + 'error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax'),
])
def test_wrong_options_in_dockers_words(tare, options, words):
    got = run(tare, *options)
    assert got.rc == 125 and words in got.err and "hi" not in got.out
    tare("rm", "-f", "cc")


def test_an_unwieldy_label_is_refused(tare):
    got = run(tare, "--label", "a=" + "x" * 9000, "--log-opt", "labels=a")
    assert got.rc == 125 and "longer than" in got.err


def test_inspect_shows_driver_and_options(tare):
    run(tare, "--log-driver", "local", "--log-opt", "max-size=1m", "--log-opt", "max-size=2m")
    found = tare.inspect("cc")
    assert found["HostConfig"]["LogConfig"] == {"Type": "local", "Config": {"max-size": "2m"}}
    assert found["LogPath"] == ""


def test_info_lists_the_drivers(tare):
    assert json.loads(tare.ok("info", "--format", "{{json .Plugins.Log}}")) == [
        "journald", "json-file", "local", "none", "syslog"]


# ---------------------------------------------------------------- attributes

def test_details_show_labels_variables_and_tag_as_docker_does(tare):
    run(tare, "--hostname", "hh", "-l", "a=b", "-l", "x,y= z%20%", "-e", "E=1 2", "-e", "F=é", "--log-opt", "labels=a,nope",
        "--log-opt", "labels-regex=^x", "--log-opt", "env=E", "--log-opt", "env-regex=^F$", "--log-opt",
        "tag={{.Name}}/{{.ImageName}}/{{.Command}}")
    want = "E=1+2,F=%C3%A9,a=b,tag=cc%2Fbusybox%2Fsh+-c+echo+hi,x%2Cy=+z%2520%25 hi"
    assert tare.ok("logs", "--details", "cc") == want
    assert re.fullmatch(r"\S+Z " + re.escape(want), tare.ok("logs", "-t", "--details", "cc"))
    entry = json.loads((log_dir(tare) / "json.log").read_text())
    assert entry["attrs"]["x,y"] == " z%20%" and list(entry) == ["log", "stream", "attrs", "time"]


def test_details_of_nothing_is_a_blank(tare):
    run(tare)
    assert tare.ok("logs", "--details", "cc") == " hi"


@pytest.mark.parametrize("option", ["labels=evil", "tag={{.Name}}\n{\"log\":\"forged\\n\"}"])
def test_hostile_attributes_forge_no_line(tare, option):
    run(tare, "-l", 'evil=a\n{"log":"forged\\n","stream":"stdout"}\x01"', "--log-opt", option)
    assert tare.ok("logs", "cc") == "hi"
    assert len((log_dir(tare) / "json.log").read_text().splitlines()) == 1
    assert "\n" not in tare.ok("logs", "--details", "cc")


def test_an_environment_that_is_not_utf8(tare):
    run(tare, "-e", "E=\udcff\udcfe", "--log-opt", "env=E")
    assert tare("logs", "--details", "cc", binary=True).out == b"E=%EF%BF%BD%EF%BF%BD hi\n"


# ---------------------------------------------------------------- which lines

@pytest.mark.parametrize("driver", ["none", "syslog-without-cache"])
def test_a_log_that_cannot_be_read(tare, driver):
    options = ["--log-driver", "none"] if driver == "none" else [
        "--log-driver", "syslog", "--log-opt", "syslog-address=udp://127.0.0.1:9", "--log-opt", "cache-disabled=true"]
    assert run(tare, *options).out == "hi\n"
    got = tare("logs", "cc")
    assert got.rc == 1 and "configured logging driver does not support reading" in got.err
    assert not any((tare.root / "containers").glob("*/log"))


@pytest.mark.parametrize("args, words", [
    (["--since", "foo"], 'invalid value for "since": failed to parse value as time or duration: "foo"'),
    (["--until", "1.x"], 'invalid value for "until": failed to parse value as time or duration: "1.x"'),
    (["--since", "2020-13-01"], 'invalid value for "since": parsing time "2020-13-01": month out of range'),
    (["--since", "99999999999999999999"],
     'invalid value for "since": failed to parse value as time or duration: "99999999999999999999"'),
])
def test_wrong_times_in_dockers_words(tare, args, words):
    run(tare)
    got = tare("logs", *args, "cc")
    assert got.rc == 1 and words in got.err


@pytest.mark.parametrize("args, shown", [
    (["--since", "10"], True), (["--since", "1h"], True), (["--since", "-1h"], False), (["--until", "1"], False),
    (["--since", ""], True), (["--since", "0"], True), (["--until", "0"], True), (["--tail", "x"], True),
    (["--tail", "-5"], True), (["--tail", "0"], False), (["-n", "1"], True), (["--since", "2020-01-01T00:00"], True)])
def test_selections(tare, args, shown):
    run(tare)
    assert tare.ok("logs", *args, "cc") == ("hi" if shown else "")


COMPRESSED = ["--log-opt", "max-size=100k", "--log-opt", "max-file=5", "--log-opt", "compress=true"]


def wait_compressed(tare, n=4):
    wait_until(lambda: len([p for p in parts(tare) if p.endswith(".gz")]) == n and len(parts(tare)) == n + 1,
               "%d compressed parts" % n)


@pytest.mark.parametrize("options", [COMPRESSED, COMPRESSED[:4],
                                     ["--log-driver", "local", "--log-opt", "max-size=100k"]])
def test_tail_and_since_reach_into_every_part(tare, options):
    run(tare, *options, script="seq 30000")
    if options != COMPRESSED[:4]:
        wait_compressed(tare)
    lines = tare.ok("logs", "cc").splitlines()
    first = int(lines[0])
    assert lines == [str(n) for n in range(first, 30001)] and 3000 < len(lines) < 10000
    for n in (0, 1, 2, 999, 1500, len(lines) // 2, len(lines) - 1, len(lines), len(lines) + 1):
        assert tare.ok("logs", "-n", str(n), "cc").splitlines() == lines[max(0, len(lines) - n):] or n == 0
    stamped = [line.split() for line in tare.ok("logs", "-t", "cc").splitlines()]
    for at in (1, 500, len(lines) // 3, len(lines) // 2, len(lines) - 5):
        since = stamped[at][0]
        assert tare.ok("logs", "--since", since, "cc").splitlines() == [n for t, n in stamped if t >= since]
        assert tare.ok("logs", "--until", since, "cc").splitlines() == [n for t, n in stamped if t <= since]
        both = tare.ok("logs", "--since", since, "-n", "7", "cc").splitlines()
        assert both == [n for t, n in stamped if t >= since][-7:]


def test_compressed_parts_are_gzip_and_bounded(tare):
    run(tare, *COMPRESSED, script="seq 100000")
    wait_compressed(tare)
    text = b"".join(gzip.open(p).read() for p in sorted(log_dir(tare).glob("*.gz"), key=lambda p: int(p.name.split(".")[2])))
    text += (log_dir(tare) / "json.log").read_bytes()
    assert "".join(json.loads(line)["log"] for line in text.splitlines()) == tare("logs", "cc").out
    assert sum(p.stat().st_size for p in log_dir(tare).iterdir()) < 5 * 102400


def test_a_helper_killed_at_any_point_loses_nothing(tare):
    """Both a plain part and its compressed copy, a plain one alone, a damaged head: each says what it has."""
    run(tare, *COMPRESSED, script="seq 30000")
    wait_compressed(tare)
    before = tare("logs", "cc").out
    for n, gz in enumerate(sorted(log_dir(tare).glob("*.gz"))):
        plain = gz.with_suffix("")
        plain.write_bytes(gzip.open(gz).read())
        if n % 2:
            gz.unlink()
        assert tare("logs", "cc").out == before
    subprocess.run([os.path.join(os.path.dirname(PROGRAM), "tare-logz"), "compress"], check=True,
                   stdin=os.open(log_dir(tare), os.O_RDONLY))
    wait_compressed(tare)
    assert tare("logs", "cc").out == before


def test_compression_on_a_full_disk_leaves_the_plain_part(tare):
    run(tare, *COMPRESSED, script="seq 30000")
    wait_compressed(tare)
    before = tare("logs", "cc").out
    gz = max(log_dir(tare).glob("*.gz"), key=lambda p: int(p.name.split(".")[2]))
    gz.with_suffix("").write_bytes(gzip.open(gz).read())
    gz.unlink()
    names = parts(tare)
    done = subprocess.run(["prlimit", "--fsize=512", os.path.join(os.path.dirname(PROGRAM), "tare-logz"), "compress"],
                          stdin=os.open(log_dir(tare), os.O_RDONLY), stderr=subprocess.DEVNULL)
    assert done.returncode != 0 and parts(tare) == names and tare("logs", "cc").out == before


def test_a_monitor_killed_while_it_rotates_leaves_whole_lines(tare):
    for n in range(4):
        name = "cc%d" % n
        tare.ok("run", "-d", "--name", name, "--network", "none", "--log-opt", "max-size=64k", "--log-opt", "max-file=4", "--log-opt",
                "compress=true", "busybox", "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; done")
        wait_until(lambda: any(p.startswith("json.log.") for p in parts(tare, name)), "a rotation")
        state = json.loads((tare.runroot / "containers" / tare.inspect(name)["Id"] / "state.json").read_text())
        pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) in find_numbers(state) and
                open("/proc/%s/comm" % p).read() == "tare-monitor\n"]
        os.kill(pids[0], signal.SIGKILL)
        tare.wait_state(name, "exited")
        assert len(parts(tare, name)) <= 4 + 3
        lines = [int(line) for line in tare.ok("logs", name).splitlines()]
        assert lines == list(range(lines[0], lines[0] + len(lines))) and lines
        tare.ok("start", name)
        wait_until(lambda: tare.ok("logs", "-n", "1", name) != str(lines[-1]), "another line")
        tare.ok("kill", name)
        again = tare.ok("logs", name).splitlines()
        assert all(line.isdigit() for line in again)


def find_numbers(value):
    """Every number in a tree of JSON."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return {n for v in value for n in find_numbers(v)}
    return {value} if isinstance(value, int) else set()


def test_a_damaged_compressed_part_is_said(tare):
    run(tare, *COMPRESSED, script="seq 30000")
    wait_compressed(tare)
    gz = sorted(log_dir(tare).glob("*.gz"))[1]
    data = gz.read_bytes()
    gz.write_bytes(data[:len(data) // 2])
    got = tare("logs", "cc")
    assert got.rc == 0 and "tare-logz: cat:" in got.err and got.out.endswith("30000\n")


def read_calls(tare, *args):
    """What `logs` reads from files of the log: bytes, by strace."""
    trace = tare.folder / "trace"
    done = subprocess.run(["strace", "-f", "-y", "-e", "trace=read,pread64", "-o", str(trace)] + tare.argv + ["logs", *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    counts = re.findall(r"p?read(?:64)?\(\d+<[^>]*json\.log[^>]*>.*= (\d+)$", trace.read_text(), re.M)
    return done.stdout, sum(map(int, counts))


def test_since_and_tail_seek_in_a_large_log(tare):
    run(tare, "--log-opt", "max-size=400m")
    path = log_dir(tare) / "json.log"
    line = '{"log":"%08d %s\\n","stream":"stdout","time":"%s.%09dZ"}\n'
    with open(path, "w") as f:
        for n in range(0, 850_000):
            # One a millisecond.
            f.write(line % (n, "x" * 180, "2023-11-14T%02d:%02d:%02d" % (n // 3600000, n // 60000 % 60, n // 1000 % 60),
                            n % 1000 * 1_000_000))
    assert path.stat().st_size > 200 << 20
    out, n_read = read_calls(tare, "--since", "2023-11-14T00:14:09.9", "cc")
    assert out.startswith(b"00849900 ") and out.count(b"\n") == 100
    assert n_read < 1 << 20
    out, n_read = read_calls(tare, "-n", "100", "cc")
    assert out.startswith(b"00849900 ") and out.count(b"\n") == 100
    assert n_read < 1 << 20
    out, n_read = read_calls(tare, "--since", "2023-11-14T00:07:00", "--until", "2023-11-14T00:07:00.05", "cc")
    assert out.count(b"\n") == 51 and n_read < 1 << 20


# ---------------------------------------------------------------- form

def test_long_lines_are_rejoined(tare):
    run(tare, script="head -c 100000 /dev/zero | tr '\\0' y; echo; printf end")
    assert tare("logs", "cc").out == "y" * 100000 + "\nend"
    assert len(tare("logs", "-t", "-n", "2", "cc").out) == 100000 + 2 * 31 + 4


def test_terminal_and_bytes_that_are_not_utf8(tare):
    tare.ok("run", "-d", "-t", "--name", "cc", "--network", "none", "busybox", "printf", "a\nb\n")
    tare.ok("wait", "cc")
    assert tare("logs", "cc", binary=True).out == b"a\r\nb\r\n"
    tare.ok("run", "--name", "dd", "--network", "none", "busybox", "printf", r"\377\376ok\n\303\n")
    assert tare("logs", "dd", binary=True).out == "\ufffd\ufffdok\n\ufffd\n".encode()


def test_order_of_both_streams_in_one_file(tare):
    run(tare, script="for i in 1 2 3 4 5; do echo o$i; sleep 0.02; echo e$i >&2; sleep 0.02; done")
    both = tare.folder / "both"
    with open(both, "wb") as f:
        subprocess.run(tare.argv + ["logs", "cc"], stdout=f, stderr=f, check=True)
    assert both.read_text().split() == [s + str(i) for i in range(1, 6) for s in "oe"]


# ---------------------------------------------------------------- following

def wait_following(child):
    """Until it watches the log. Before that it may hold a lock of the index for a moment."""
    def watches():
        folder = "/proc/%d/fdinfo" % child.pid
        return any("inotify wd:" in open(os.path.join(folder, fd)).read() for fd in os.listdir(folder))
    wait_until(watches, "the follower to follow")


def test_follow_from_before_the_start_to_the_end(tare):
    tare.ok("create", "--name", "cc", "--network", "none", "busybox", "sh", "-c", "echo a; sleep 0.3; echo b; exit 3")
    child = tare.popen("logs", "-f", "cc")
    tare.ok("start", "cc")
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out, err) == (0, b"a\nb\n", b"")


def test_follow_of_an_ended_container_ends(tare):
    run(tare)
    assert tare.ok("logs", "-f", "cc", timeout=10) == "hi"


def test_follow_ends_by_signal_and_by_a_closed_pipe(tare):
    tare.ok("run", "-d", "--name", "cc", "--network", "none", "busybox", "sh", "-c", "while :; do echo x; sleep 0.05; done")
    child = tare.popen("logs", "-f", "cc")
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=10) in (-signal.SIGINT, 130)
    child = tare.popen("logs", "-f", "cc")
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(timeout=10) != 0


def test_follow_through_compressed_parts(tare):
    tare.ok("run", "-d", "--name", "cc", "--network", "none", "--log-opt", "max-size=20k", "--log-opt", "max-file=3",
            "--log-opt", "compress=true", "-v", "%s:/go" % tare.folder, "busybox", "sh", "-c",
            "while [ ! -e /go/go ]; do sleep 0.01; done; for i in $(seq 40); do seq 1 500; done")
    child = tare.popen("logs", "-f", "cc")
    wait_following(child)
    (tare.folder / "go").touch()
    out = child.communicate(timeout=30)[0].decode().split()
    assert out == [str(n) for _ in range(40) for n in range(1, 501)]
    assert tare("logs", "cc").out.split()[-500:] == [str(n) for n in range(1, 501)]


def test_a_stopped_follower_stops_nobody(tare):
    tare.ok("run", "-d", "--name", "cc", "--network", "none", "-v", "%s:/go" % tare.folder, "busybox", "sh", "-c",
            "while [ ! -e /go/go ]; do sleep 0.01; done; seq 200000")
    child = tare.popen("logs", "-f", "cc")
    wait_following(child)
    child.send_signal(signal.SIGSTOP)
    (tare.folder / "go").touch()
    tare.ok("wait", "cc", timeout=30)
    child.send_signal(signal.SIGCONT)
    assert child.communicate(timeout=30)[0].endswith(b"\n200000\n")


def test_a_flood_through_rotation_under_followers():
    """A twentieth of what tools/soak.sh does: half a million lines, four followers and a stopped one."""
    done = subprocess.run([sys.executable, str(REPO / "tests/soak/log_flood.py"), "--lines", "500000", "--rate", "1"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          env={k: v for k, v in os.environ.items() if k != "SOAK_REPORT"} | {"TARE": PROGRAM})
    assert done.returncode == 0, done.stdout
