# SPDX-License-Identifier: Apache-2.0
"""Bytes in and out: whole, in order, apart, to the last one; signals; logs and their rotation."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from conftest import wait_until

MIB = 1 << 20


@pytest.fixture
def tare(tare):
    tare.ok("pull", "-q", "busybox")
    return tare


@pytest.fixture(scope="session")
def big_file(tmp_path_factory):
    """100 MiB that no compression and no text mode would leave as they are."""
    path = tmp_path_factory.mktemp("big") / "big"
    block = os.urandom(MIB)
    with open(path, "wb") as f:
        for i in range(100):
            f.write(i.to_bytes(4, "little") + block[4:])
    return path


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


# ---------------------------------------------------------------- whole

@pytest.mark.parametrize("way", ["run", "exec"])
def test_hundred_mib(tare, big_file, tmp_path, way):
    argv = ["run", "--rm", "-i", "--log-driver", "none", "busybox", "cat"]
    if way == "exec":
        tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
        argv = ["exec", "-i", "up", "cat"]
    with open(big_file, "rb") as source, open(tmp_path / "out", "wb") as sink:
        done = subprocess.run(tare.argv + argv, stdin=source, stdout=sink, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert digest(tmp_path / "out") == digest(big_file)


def test_through_pipes(tare, big_file):
    """The same with pipes on both sides and a log being written."""
    data = big_file.read_bytes()[:20 * MIB]
    got = tare("run", "--rm", "-i", "busybox", "cat", input=data, binary=True)
    assert got.rc == 0 and got.out == data


def test_binary_clean(tare):
    data = bytes(range(256)) * 300 + b"\x10\x11\x03\x04\xff\x00"
    got = tare("run", "--rm", "-i", "busybox", "cat", input=data, binary=True)
    assert (got.rc, got.out, got.err) == (0, data, b"")


def test_streams_apart(tare):
    script = "i=0; while [ $i -lt 2000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done; exit 3"
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    for argv in (["run", "--name", "two"], ["exec", "up"]):
        got = tare(*argv, *(["busybox"] if argv[0] == "run" else []), "sh", "-c", script)
        assert got.rc == 3
        assert got.out == "".join("out%d\n" % i for i in range(2000))
        assert got.err == "".join("err%d\n" % i for i in range(2000))
    logs = tare("logs", "two")
    assert (logs.out, logs.err) == (got.out, got.err)


@pytest.mark.parametrize("way", ["run", "exec", "start"])
def test_no_lost_tail(tare, way):
    """The last byte of a process that ends at once after much output; 200 in all."""
    size = 300000
    command = ["dd", "if=/dev/zero", "bs=%d" % size, "count=1", "status=none"]
    argv = {"run": ["run", "--rm", "busybox"], "exec": ["exec", "up"], "start": ["start", "-a", "again"]}[way]
    if way == "exec":
        tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    if way == "start":
        tare.ok("create", "--name", "again", "busybox", *command)
        command = []
    for i in range(100 if way == "run" else 50):
        got = tare(*argv, *command, binary=True)
        assert (got.rc, len(got.out), got.err) == (0, size, b""), "round %d" % i


def test_slow_reader(tare):
    """Back-pressure: nothing is lost and nothing is kept in memory meanwhile."""
    child = tare.popen("run", "--rm", "busybox", "dd", "if=/dev/zero", "bs=1M", "count=30", "status=none")
    total, smallest = 0, 1000
    while True:
        piece = os.read(child.stdout.fileno(), smallest if total < 200000 else 65536)
        if not piece:
            break
        total += len(piece)
    assert child.wait() == 0 and total == 30 * MIB


# ---------------------------------------------------------------- standard input

def test_stdin_closed_early(tare):
    """The process reads a little and ends; whoever writes more does not hinder that."""
    done = subprocess.run("yes | '%s' run --rm -i busybox head -n 1" % "' '".join(tare.argv), shell=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"y\n", b"")


def test_stdin_that_never_ends(tare):
    """An open pipe with nothing in it does not keep `run` after its process."""
    child = tare.popen("run", "--rm", "-i", "busybox", "true")
    assert child.wait(30) == 0


def test_without_i_there_is_no_stdin(tare):
    assert tare("run", "--rm", "busybox", "cat", input="lost").out == ""


def test_process_closes_its_stdin(tare):
    got = tare("run", "--rm", "-i", "busybox", "sh", "-c", "exec <&-; echo closed", input=b"x" * 10 * MIB)
    assert (got.rc, got.out) == (0, "closed\n")


def test_eof_reaches_the_process(tare):
    got = tare("run", "--rm", "-i", "busybox", "wc", "-c", input=b"x" * 100000)
    assert (got.rc, got.out.strip()) == (0, "100000")
    got = tare("run", "--rm", "-i", "busybox", "wc", "-c", input=b"")
    assert (got.rc, got.out.strip()) == (0, "0")


@pytest.mark.parametrize("streams, out, err", [(["stdout"], "out\n", ""), (["stderr"], "", "err\n"),
                                               (["STDOUT", "stderr"], "out\n", "err\n")], ids=str)
def test_attach_option(tare, streams, out, err):
    options = [x for s in streams for x in ("-a", s)]
    got = tare("run", "--rm", *options, "busybox", "sh", "-c", "echo out; echo err >&2; exit 4")
    assert (got.rc, got.out, got.err) == (4, out, err)


# ---------------------------------------------------------------- pipes that break, signals

@pytest.mark.parametrize("way", ["run", "exec"])
def test_sigpipe(tare, way):
    """`tare run … yes | head`: it ends by itself, as yes alone would."""
    argv = ["run", "--rm", "busybox", "yes"]
    if way == "exec":
        tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
        argv = ["exec", "up", "yes"]
    child = tare.popen(*argv, stdin=subprocess.DEVNULL)
    assert os.read(child.stdout.fileno(), 4) == b"y\ny\n"
    child.stdout.close()
    assert child.wait(30) in (-signal.SIGPIPE, 141)
    assert child.stderr.read() == b""
    if way == "exec":
        wait_until(lambda: "yes" not in tare.ok("exec", "up", "ps"), "yes to end")
    else:
        # As with docker the container goes on; without its command it is removed as fast as any.
        tare.ok("rm", "-f", *tare.ok("ps", "-aq").split(), timeout=15)


@pytest.mark.parametrize("number, rc", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129),
                                        (signal.SIGUSR1, 138), (signal.SIGQUIT, 131)])
def test_signals_are_passed_on(tare, number, rc):
    """Without --init the first process gets only what it has a handler for: so a child is waited for."""
    child = tare.popen("run", "--rm", "--init", "busybox", "sh", "-c", "echo go; exec sleep 1000", stdin=subprocess.DEVNULL)
    assert child.stdout.readline() == b"go\n"
    child.send_signal(number)
    assert child.wait(30) == rc


def test_handled_signal(tare):
    script = "trap 'echo got it; exit 9' USR2; echo go; while :; do sleep 0.01; done"
    child = tare.popen("run", "--rm", "busybox", "sh", "-c", script, stdin=subprocess.DEVNULL)
    assert child.stdout.readline() == b"go\n"
    child.send_signal(signal.SIGUSR2)
    assert child.stdout.readline() == b"got it\n"
    assert child.wait(30) == 9


def test_three_interrupts(tare):
    """A process that minds nothing: the third Ctrl-C gives the prompt back; the container goes on."""
    child = tare.popen("run", "--name", "deaf", "busybox", "sh", "-c", "trap 'echo no' INT; echo go; "
                       "while :; do sleep 0.01; done", stdin=subprocess.DEVNULL)
    assert child.stdout.readline() == b"go\n"
    for _ in range(2):
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == b"no\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 1
    assert child.stderr.read() == b"\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n"
    assert tare.state("deaf") == "running"


def test_sig_proxy_false(tare):
    child = tare.popen("run", "--sig-proxy=false", "--name", "up", "busybox", "sh", "-c",
                       "trap 'echo no' TERM; echo go; while :; do sleep 0.01; done", stdin=subprocess.DEVNULL)
    assert child.stdout.readline() == b"go\n"
    # As docker's: it takes three, and the container hears of none.
    for number in (signal.SIGTERM, signal.SIGINT):
        child.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.3)
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 1
    assert child.stderr.read() == b"\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n"
    assert tare.state("up") == "running"
    assert tare.ok("logs", "up") == "go"
    child = tare.popen("attach", "--sig-proxy=false", "up", stdin=subprocess.DEVNULL)
    child.send_signal(signal.SIGHUP)
    assert child.wait(30) == -1
    assert tare.state("up") == "running"


def test_killed_command_of_a_detached_run(tare):
    """`run -d` has done its part when it has printed the id; one killed later took nothing along."""
    id = tare.ok("run", "-d", "--name", "up", "busybox", "sh", "-c", "while :; do echo tick; sleep 0.05; done")
    child = tare.popen("attach", "up", stdin=subprocess.DEVNULL)
    assert child.stdout.readline() == b"tick\n"
    child.kill()
    child.wait()
    follow = tare.popen("logs", "-f", "up")
    assert follow.stdout.readline() == b"tick\n"
    follow.kill()
    before = len(tare.ok("logs", "up"))
    wait_until(lambda: len(tare.ok("logs", "up")) > before, "more output")
    assert tare.state(id) == "running"


def test_killed_command_of_a_foreground_run(tare):
    """kill -9 of `run` itself: the container and its monitor stay, output still goes to the log."""
    child = tare.popen("run", "--name", "up", "busybox", "sh", "-c", "while :; do echo tick; sleep 0.02; done",
                       stdin=subprocess.DEVNULL)
    assert child.stdout.readline() == b"tick\n"
    child.kill()
    child.wait()
    child.stdout.close()
    before = len(tare.ok("logs", "up"))
    wait_until(lambda: len(tare.ok("logs", "up")) > before + 20, "more output")
    assert tare.state("up") == "running"
    tare.ok("stop", "-t", "0", "up")
    assert tare.inspect("up")["State"]["ExitCode"] == 137


# ---------------------------------------------------------------- logs

LINES = 700000


def log_files(tare, name):
    folder = tare.root / "containers" / tare.inspect(name)["Id"] / "log"
    return [p for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []


@pytest.fixture
def rotated(tare):
    """Its output is about seven times what all log files together may hold... in lines of 100 bytes."""
    script = "yes %s | head -n %d | awk '{ print NR, $0 }'" % ("x" * 90, LINES)
    tare.ok("run", "--name", "loud", "-a", "stderr", "busybox", "sh", "-c", script)
    return tare


def test_log_rotation(rotated):
    files = log_files(rotated, "loud")
    sizes = sorted(p.stat().st_size for p in files)
    assert len(files) == 5, files
    assert all(s <= 10 * MIB + 70000 for s in sizes) and sum(sizes) > 40 * MIB
    got = rotated("logs", "loud")
    numbers = [int(line.split()[0]) for line in got.out.splitlines()]
    # The oldest went as whole files; what is left is in order, without a gap, to the last line.
    assert got.rc == 0 and numbers[-1] == LINES
    assert numbers == list(range(numbers[0], LINES + 1))
    assert rotated.ok("logs", "-n", "2", "loud").split()[::2] == [str(LINES - 1), str(LINES)]
    for path in files:
        with open(path) as f:
            assert set(json.loads(f.readline())) >= {"log", "stream", "time"}


def test_follow_through_rotation(tare):
    """A follower that keeps up misses nothing when files are changed under it."""
    lines = 250000
    script = "read x; yes %s | head -n %d | awk '{ print NR, $0 }'" % ("y" * 90, lines)
    tare.ok("create", "-i", "--name", "loud", "busybox", "sh", "-c", script)
    follow = tare.popen("logs", "-f", "loud", stdin=subprocess.DEVNULL)
    got = []
    reader = threading.Thread(target=lambda: got.extend(int(x.split()[0]) for x in follow.stdout))
    reader.start()
    tare.ok("start", "loud")
    attached = tare.popen("attach", "loud", stdout=subprocess.DEVNULL)
    attached.stdin.write(b"go\n")
    attached.stdin.flush()
    assert follow.wait(60) == 0
    reader.join()
    assert len(log_files(tare, "loud")) > 1
    assert got == list(range(1, lines + 1))


def test_logs_options(tare):
    tare.ok("run", "--name", "talk", "busybox", "sh", "-c", "echo one; echo two >&2; printf three")
    both = tare("logs", "talk")
    assert (both.out, both.err) == ("one\nthree", "two\n")
    assert tare("logs", "-n", "1", "talk").out == "three"
    assert tare("logs", "--tail", "all", "talk").out == "one\nthree"
    assert tare("logs", "-n", "0", "talk").out == ""
    stamped = tare("logs", "-t", "talk").out.splitlines()[0]
    assert stamped.endswith("Z one") and stamped[4] == "-" and "T" in stamped
    assert tare("logs", "--since", "1h", "talk").out == "one\nthree"
    assert tare("logs", "--until", "2001-01-01", "talk").out == ""
    assert tare("logs", "-f", "talk").out == "one\nthree"


def test_no_log(tare):
    tare.ok("run", "--name", "quiet", "--log-driver", "none", "busybox", "echo", "hi")
    got = tare("logs", "quiet")
    assert got.rc == 1
    assert "configured logging driver does not support reading" in got.err
    assert log_files(tare, "quiet") == []


def test_long_lines(tare):
    """Kept in pieces, given back as they were."""
    got = tare.ok("run", "--name", "long", "busybox", "sh", "-c",
                  "dd if=/dev/zero bs=50000 count=1 status=none | tr '\\0' z; echo; echo end")
    assert got == "z" * 50000 + "\nend"
    assert tare.ok("logs", "long") == got
    assert tare.ok("logs", "-n", "2", "long") == got
