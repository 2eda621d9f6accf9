# SPDX-License-Identifier: Apache-2.0
"""syslog and journald: what receivers get, by the real protocols, in a mount namespace of the test's own; what
is kept for `logs`; and receivers that are slow, gone or not there."""
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import wait_until

SCRIPT = "echo one; echo two >&2; head -c 17000 /dev/zero | tr '\\0' x; echo; echo; printf 'a\\r\\nb\\tc\\n'; printf end"
INIT = "failed to initialize logging driver: "


class Receiver(threading.Thread):
    """A socket at ADDRESS that keeps what it gets, one item a datagram or a connection."""

    def __init__(self, kind, address):
        super().__init__(daemon=True)
        family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
        self.is_stream = kind in ("tcp", "unix")
        self.got = []
        self.socket = socket.socket(family, socket.SOCK_STREAM if self.is_stream else socket.SOCK_DGRAM)
        self.socket.bind(address)
        if self.is_stream:
            self.socket.listen(8)
        self.start()

    def run(self):
        try:
            while True:
                if not self.is_stream:
                    self.got.append(self.socket.recv(1 << 20))
                    continue
                connection, data = self.socket.accept()[0], b""
                for chunk in iter(lambda: connection.recv(65536), b""):
                    data += chunk
                self.got += data.splitlines(keepends=True)
        except OSError:
            pass

    def lines(self, n):
        wait_until(lambda: len(self.got) >= n, "%d messages" % n)
        return [m.decode() for m in self.got]

    def close(self):
        # Not close(2) alone: a thread that waits would keep it.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def open_receiver(tare, kind):
    if kind.startswith("unix"):
        path = str(tare.folder / "sock")
        return Receiver(kind, path), "%s://%s" % (kind, path)
    receiver = Receiver(kind, ("127.0.0.1", 0))
    return receiver, "%s://127.0.0.1:%d" % (kind, receiver.socket.getsockname()[1])


def run(tare, *options, script=SCRIPT, name="cc"):
    return tare("run", "--name", name, "--network", "none", *options, "busybox", "sh", "-c", script)


# ---------------------------------------------------------------- syslog

HOST = re.escape(os.uname().nodename)
TIME = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d%s(?:Z|[+-]\d\d:\d\d)"
FORMATS = {
    "": r"<%d>" + TIME + r" (?P<tag>.*)\[\d+\]: ",
    "rfc3164": r"<%d>" + TIME + " " + HOST + r" (?P<tag>.*)\[\d+\]: ",
    "rfc5424": r"<%d>1 " + ISO % "" + " " + HOST + r" (?P<tag>.*) \d+ (?P=tag) - ",
    "rfc5424micro": r"<%d>1 " + ISO % r"\.\d{6}" + " " + HOST + r" (?P<tag>.*) \d+ (?P=tag) - ",
}


@pytest.mark.parametrize("kind, form", [("udp", ""), ("udp", "rfc3164"), ("tcp", ""), ("tcp", "rfc5424micro"),
                                        ("unix", "rfc5424"), ("unixgram", "rfc3164")])
def test_syslog_messages(tare, kind, form):
    receiver, address = open_receiver(tare, kind)
    run(tare, "--log-driver", "syslog", "--log-opt", "syslog-address=" + address, "--log-opt", "syslog-format=" + form,
        "--log-opt", "tag=my {{.Name}}", "--log-opt", "syslog-facility=local3")
    got = receiver.lines(7)
    receiver.close()
    want = {(158, "one"), (155, "two"), (158, "x" * 16384), (158, "x" * 616), (158, "a\r"), (158, "b\tc"), (158, "end")}
    found = set()
    for message in got:
        for priority in (155, 158):
            m = re.match(FORMATS[form] % priority, message)
            if m:
                assert m.group("tag") == "my cc"
                found.add((priority, message[m.end():-1]))
        assert message.endswith("\n")
    assert found == want and len(got) == 7
    # What was sent is also kept, and rejoined.
    assert tare("logs", "cc").out == "one\n" + "x" * 17000 + "\n\na\r\nb\tc\nend"
    assert tare.ok("logs", "--details", "-n", "1", "cc") == " end"
    assert tare.inspect("cc")["LogPath"] == ""


def test_the_tag_is_the_short_id_and_numbers_are_facilities(tare):
    receiver, address = open_receiver(tare, "udp")
    run(tare, "--log-driver", "syslog", "--log-opt", "syslog-address=" + address, "--log-opt", "syslog-facility=23",
        script="echo hi")
    got = receiver.lines(1)[0]
    receiver.close()
    assert re.match(FORMATS[""] % (23 * 8 + 6), got).group("tag") == tare.inspect("cc")["Id"][:12]


def test_a_hostile_tag_makes_no_second_message(tare):
    receiver, address = open_receiver(tare, "tcp")
    run(tare, "--log-driver", "syslog", "--log-opt", "syslog-address=" + address, "--log-opt", "tag=a\n<0>forged\r",
        script="echo hi")
    got = receiver.lines(1)
    receiver.close()
    assert len(got) == 1 and "a <0>forged [" in got[0]


@pytest.mark.parametrize("options, words", [
    (["syslog-address=foo"], "syslog-address should be in form proto://address, got foo"),
    (["syslog-address=foo://bar"], "syslog-address should be in form proto://address, got foo://bar"),
    (["syslog-address=unix:///nonexistent"], "stat /nonexistent: no such file or directory"),
    (["syslog-address=tcp://127.0.0.1:1"], INIT + "dial tcp 127.0.0.1:1: connect: connection refused"),
    (["syslog-address=tcp+tls://127.0.0.1:1"], "syslog over TLS is not supported"),
    (["syslog-tls-skip-verify=true"], "syslog over TLS is not supported"),
    (["syslog-address=udp://nowhere.example:514"], "no such host"),
    (["syslog-address=udp://127.0.0.1:x"], "invalid port"),
    (["syslog-facility=foo"], "invalid syslog facility"),
    (["syslog-facility=99"], "invalid syslog facility"),
    (["syslog-format=foo"], "Invalid syslog format"),
])
def test_wrong_syslog_options(tare, options, words):
    got = run(tare, "--log-driver", "syslog", *[a for o in options for a in ("--log-opt", o)], script="echo hi")
    assert got.rc in (125, 127) and words in got.err and "hi" not in got.out
    tare("rm", "-f", "cc")


def test_a_receiver_that_reads_nothing(tare):
    """It costs a blocking driver a second in a row at most, a non-blocking one nothing; what is lost is counted."""
    path = tare.folder / "deaf"
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deaf.bind(str(path))
    deaf.listen(8)
    for name, mode in (("cc", "non-blocking"), ("dd", "blocking")):
        began = time.monotonic()
        got = run(tare, "--log-driver", "syslog", "--log-opt", "syslog-address=unix://%s" % path, "--log-opt",
                  "mode=" + mode, script="seq 60000; echo done >&2", name=name)
        assert got.rc == 0 and got.err.endswith("done\n") and time.monotonic() - began < 20
        assert tare.ok("logs", name).splitlines()[-1] == "60000"
    deaf.close()


def test_lost_messages_are_counted(tare):
    path = str(tare.folder / "slow")
    slow = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    slow.bind(path)
    slow.listen(1)
    tare.ok("run", "-d", "--name", "cc", "--network", "none", "--log-driver", "syslog", "--log-opt", "syslog-address=unix://" + path,
            "--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=128k", "-v", "%s:/go" % tare.folder, "busybox", "sh",
            "-c", "seq 60000; echo full >/go/full; while [ ! -e /go/go ]; do sleep 0.02; done; echo last")
    connection = slow.accept()[0]
    wait_until((tare.folder / "full").exists, "all of it to be written")
    data = b""
    connection.settimeout(1)
    try:
        while True:
            data += connection.recv(1 << 16)
    except TimeoutError:
        (tare.folder / "go").touch()
    connection.settimeout(20)
    for chunk in iter(lambda: connection.recv(65536), b""):
        data += chunk
    slow.close()
    texts = [line.split(b"]: ", 1)[1] for line in data.splitlines()]
    lost = [int(m.group(1)) for m in (re.match(rb"tare: (\d+) messages lost", t) for t in texts) if m]
    assert texts[-1] == b"last" and len(lost) >= 1
    assert len([t for t in texts if t.isdigit()]) + sum(lost) == 60000


def test_a_stream_that_breaks_is_connected_again(tare):
    path = str(tare.folder / "restarted")
    first = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    first.bind(path)
    first.listen(1)
    tare.ok("run", "-d", "--name", "cc", "--network", "none", "--log-driver", "syslog", "--log-opt",
            "syslog-address=unix://" + path, "busybox", "sh", "-c", "i=0; while :; do i=$((i+1)); echo n$i; sleep 0.1; done")
    connection = first.accept()[0]
    assert connection.recv(65536)
    connection.close()
    first.close()
    os.unlink(path)
    second = Receiver("unix", path)
    # A connection is one item when it ends.
    wait_until(lambda: tare.ok("logs", "-n", "1", "cc").strip() >= "n20" and len(tare.ok("logs", "cc").split()) > 25, "some more lines")
    tare.ok("rm", "-f", "cc")
    got = second.lines(5)
    second.close()
    assert all(re.search(r"\]: n\d+\n$", line) for line in got)


# ---------------------------------------------------------------- in a namespace with a journal

@pytest.fixture
def host(tare):
    """A mount namespace whose /run is empty; `tare` runs in it, and so do the receivers."""
    holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                               "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && echo up && exec sleep 1000"],
                              stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"up\n"
    argv, tare.argv = tare.argv, ["nsenter", "-t", str(holder.pid), "-m"] + tare.argv
    yield holder.pid
    tare.stop_all()
    tare.argv = argv
    holder.kill()
    holder.wait()
    holder.stdout.close()


RECEIVE = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("up", flush=True)
while True:
    d = s.recv(1 << 20)
    sys.stdout.buffer.write(len(d).to_bytes(4, "little") + d)
    sys.stdout.flush()
"""


class InHost:
    def __init__(self, host, path):
        self.child = subprocess.Popen(["nsenter", "-t", str(host), "-m", "/usr/bin/python3", "-c", RECEIVE, path],
                                      stdout=subprocess.PIPE)
        assert self.child.stdout.readline() == b"up\n"

    def take(self, n):
        read = self.child.stdout.read
        return [read(struct.unpack("<I", read(4))[0]) for _ in range(n)]

    def close(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        self.child.stdout.close()


def parse_fields(data):
    """An entry of the journal's native protocol."""
    fields = {}
    while data:
        line, data = data.split(b"\n", 1)
        if b"=" in line:
            key, value = line.split(b"=", 1)
        else:
            key, size = line, struct.unpack("<Q", data[:8])[0]
            value, data = data[8:8 + size], data[9 + size:]
        assert key.decode() not in fields
        fields[key.decode()] = value.decode()
    return fields


def test_journald_entries(tare, host):
    journal = InHost(host, "/run/systemd/journal/socket")
    run(tare, "-l", "a=b", "-l", "x,y= z%20%", "-l", "message=forged", "-l", "__lead=1", "-e", "E=1\n2", "--log-driver", "journald",
        "--log-opt", "labels=a,message,__lead", "--log-opt", "labels-regex=^x", "--log-opt", "env=E", "--log-opt", "tag={{.Name}} t")
    entries = [parse_fields(d) for d in journal.take(8)]
    journal.close()
    cid = tare.inspect("cc")["Id"]
    common = {"CONTAINER_ID": cid[:12], "CONTAINER_ID_FULL": cid, "CONTAINER_NAME": "cc", "CONTAINER_TAG": "cc t",
              "SYSLOG_IDENTIFIER": "cc t", "IMAGE_NAME": "busybox", "A": "b", "X_Y": " z%20%", "LEAD": "1", "E": "1\n2"}
    for entry in entries:
        assert common.items() <= entry.items() and entry["SYSLOG_TIMESTAMP"].endswith("Z")
    texts = {(e["PRIORITY"], e["MESSAGE"]) for e in entries}
    assert texts == {("6", "one"), ("3", "two"), ("6", "x" * 16384), ("6", "x" * 616), ("6", ""), ("6", "a\r"), ("6", "b\tc"), ("6", "end")}
    pieces = [e for e in entries if e["MESSAGE"].startswith("x")]
    assert [(p["CONTAINER_PARTIAL_MESSAGE"], p["CONTAINER_PARTIAL_ORDINAL"], p["CONTAINER_PARTIAL_LAST"]) for p in pieces] == [
        ("true", "1", "false"), ("true", "2", "true")]
    assert pieces[0]["CONTAINER_PARTIAL_ID"] == pieces[1]["CONTAINER_PARTIAL_ID"]
    assert tare("logs", "cc").out == "one\n" + "x" * 17000 + "\n\na\r\nb\tc\nend"


def test_without_journal_and_without_syslog(tare, host):
    for driver, words in (("journald", "journald is not enabled on this host"), ("syslog", "Unix syslog delivery error")):
        if driver == "syslog" and os.path.exists("/dev/log"):
            continue
        got = run(tare, "--log-driver", driver, script="echo hi")
        assert got.rc == 125 and INIT + words in got.err and "hi" not in got.out
        tare("rm", "-f", "cc")


def test_local_syslog(tare, host):
    if os.path.exists("/dev/log"):
        pytest.skip("this host has a /dev/log of its own")
    subprocess.run(["nsenter", "-t", str(host), "-m", "sh", "-c", "[ $(readlink -f /var/run) = /run ]"], check=True)
    log = InHost(host, "/run/syslog")
    run(tare, "--log-driver", "syslog", script="echo hi")
    got = log.take(1)[0].decode()
    log.close()
    assert re.fullmatch(FORMATS[""] % 30 + "hi\n", got)
