# SPDX-License-Identifier: Apache-2.0
"""The name server of a network by itself: what it answers, what it passes on, and what it gives up.

Containers are played by network namespaces (dns_box.py). test_dns.py has the same with real ones.
"""
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

from conftest import PROGRAM, wait_until
from dns_box import Server, Upstream

SERVER = str(pathlib.Path(PROGRAM).parent / "tare-dns")
LOAD = str(pathlib.Path(PROGRAM).parent / "tests" / "component" / "tare-dns-load")


@pytest.fixture
def server(tmp_path):
    os.chmod(tmp_path, 0o755)
    before = os.umask(0o022)
    made = Server(tmp_path / "run", SERVER)
    os.umask(before)
    yield made
    made.close()
    wait_until(lambda: not made.is_alive(), "the name server to end with its last container")


@pytest.fixture
def upstream(server, tmp_path):
    made = Upstream(server.host, tmp_path / "asked")
    yield made
    made.close()


def status(text):
    return text.split("status: ")[1].split(",")[0] if "status: " in text else "none"


# ---------------------------------------------------------------- names

def test_names_of_the_network(server, upstream):
    a, b = server.box(), server.box()
    a.join(server.network, ["Web", "www", a.id[:12]], "172.18.0.2", "fd00::2", ["network my.net"])
    b.join(server.network, ["db_1.x", "www", b.id[:12]], "172.18.0.3", None, ["network my.net"])
    for box in (a, b):
        assert box.ask("web") == box.ask("WEB") == box.ask(a.id[:12]) == box.ask("web.my.net") == ["172.18.0.2"]
        assert box.ask("web", "AAAA") == ["fd00::2"]
        assert box.ask("db_1.x") == ["172.18.0.3"]
        assert box.ask("web", "+tcp") == ["172.18.0.2"]
        assert box.ask("-x", "172.18.0.3") == ["db_1.x.my.net."] and box.ask("-x", "fd00::2") == ["web.my.net."]
        assert sorted(box.ask("www")) == ["172.18.0.2", "172.18.0.3"]
    assert {a.ask("www")[0] for _ in range(4)} == {"172.18.0.2", "172.18.0.3"}
    for what in (["db_1.x", "AAAA"], ["web", "MX"], ["web", "TXT"], ["web", "HTTPS"]):
        text = a.dig(*what)
        assert status(text) == "NOERROR" and "ANSWER: 0" in text, text
    assert "web.\t\t\t600\tIN\tA\t172.18.0.2" in a.dig("web")
    assert upstream.asked() == []


def test_who_sees_what(server, upstream):
    """A container sees the names of its networks, and of no other; not even that there is one."""
    other = "ab" * 32
    a, b, c = server.box(), server.box(), server.box()
    a.join(server.network, ["alpha"], "172.18.0.2")
    b.join(other, ["b"], "172.19.0.2")
    c.join(server.network, ["c"], "172.18.0.3")
    c.join(other, ["c"], "172.19.0.3")
    assert a.ask("c") == ["172.18.0.3"] and b.ask("c") == ["172.19.0.3"]
    assert c.ask("alpha") == ["172.18.0.2"] and c.ask("b") == ["172.19.0.2"]
    # What is not theirs is asked elsewhere.
    assert upstream.asked() == []
    assert a.ask("b.") == b.ask("-x", "172.18.0.2") == ["192.0.2.99"] and len(upstream.asked()) == 2


def test_names_follow(server):
    """Connect, rename, disconnect: each is true at the next question."""
    a, b = server.box(forward=False), server.box(forward=False)
    a.join(server.network, ["alpha"], "172.18.0.2")
    asking = socket_in(a)
    for i in range(50):
        b.join(server.network, ["b%d" % i], "172.18.0.3")
        assert quick(asking, "b%d" % i) == 1, "the name that is there now"
        b.leave(server.network)
        end = time.monotonic() + 0.1
        while quick(asking, "b%d" % i):
            assert time.monotonic() < end, "a name of somebody who left is still answered"
    asking.close()


def socket_in(box):
    def connect():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.connect(("127.0.0.11", 53))
        return s
    return box.net.call(connect)


def question(name, kind=1, number=7):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def quick(asking, name):
    """How many answers there are, without the 30 ms of a dig."""
    asking.send(question(name))
    return struct.unpack(">H", asking.recv(2048)[6:8])[0]


# ---------------------------------------------------------------- everything else

def test_passed_on_unread(server, upstream):
    a = server.box()
    a.join(server.network, ["alpha"], "172.18.0.2")
    assert a.ask("x.example") == ["192.0.2.99"]
    text = a.dig("x.example", "+bufsize=4000", "+dnssec")
    assert "OPT=65001" in text, "an option of EDNS comes back as it was sent: " + text
    assert "udp: 4096" in text
    sent = bytes.fromhex(upstream.asked()[-1][2])
    assert sent.endswith(b"\0\0\x29\x0f\xa0\0\0\x80\0\0\0"), "EDNS is asked for as the client did"
    assert status(a.dig("missing.example")) == "NXDOMAIN"
    assert status(a.dig("servfail.example")) == "SERVFAIL"
    assert a.ask("x.example", "+tcp") == ["192.0.2.99"] and upstream.asked()[-1][0] == "tcp"
    # Too long for UDP: the client is told so, and gets all of it by TCP.
    assert "tc rd ra" in a.dig("big.example", "+ignore")
    assert len(a.ask("big.example")) == 3000
    numbers = {m[2][:4] for m in upstream.asked()}
    ports = {m[1][1] for m in upstream.asked() if m[0] == "udp"}
    assert len(numbers) > 4 and len(ports) > 4, "numbers and ports are random"


def test_several_servers(server, upstream):
    """One that nobody listens on, one that refuses: the next is asked. Silence ends before the client's patience."""
    a = server.box(upstreams=("host 127.0.0.77", "host 127.0.0.53"))
    began = time.monotonic()
    assert a.ask("x.example") == ["192.0.2.99"] and a.ask("x.example", "+tcp") == ["192.0.2.99"]
    assert time.monotonic() - began < 1
    began = time.monotonic()
    assert status(a.dig("silent.example")) == "SERVFAIL"
    assert time.monotonic() - began < 5
    assert status(server.box(upstreams=("host 127.0.0.77",)).dig("x.example")) == "SERVFAIL"
    assert status(server.box(upstreams=()).dig("x.example")) == "SERVFAIL"


def test_an_own_server(server, tmp_path):
    """--dns is asked from the container's network: another answers there than on the host."""
    a = server.box(upstreams=("own 127.0.0.53",))
    inside = Upstream(a.net, tmp_path / "inside")
    assert a.ask("x.example") == ["192.0.2.99"]
    assert [a.ask("x.example") for _ in range(5)] == [["192.0.2.99"]] * 5
    assert len({m[1][1] for m in inside.asked()}) > 3, "a new port for each"
    inside.close()
    # Its own address would be asked for ever.
    assert status(server.box(upstreams=("own 127.0.0.11",)).dig("x.example")) == "SERVFAIL"


def test_internal(server, upstream):
    """An internal network resolves nothing outside, and no packet leaves."""
    a = server.box(forward=False)
    a.join(server.network, ["alpha"], "172.18.0.2")
    watch = server.host.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    assert a.ask("alpha") == ["172.18.0.2"]
    for what in (["x.example"], ["x.example", "+tcp"], ["-x", "192.0.2.1"], ["x.example", "TXT"]):
        assert status(a.dig(*what)) == "REFUSED"
    assert select.select([watch], [], [], 0.2)[0] == []
    watch.close()
    # From the moment on that it comes into another, it has a way out.
    a.forward = True
    a.tell()
    assert wait_until(lambda: a.ask("x.example")) == ["192.0.2.99"]
    assert upstream.asked()


# ---------------------------------------------------------------- strength

def test_ten_thousand_a_second(server, upstream):
    """Without loss, on one core, in less than a mebibyte."""
    a = server.box()
    for i in range(100):
        server.box_endpoint(i)
    a.join(server.network, ["web"], "172.18.0.2", "fd00::2")
    subprocess.run(["taskset", "-pc", "0", str(server.pid)], check=True, stdout=subprocess.DEVNULL)
    got = json.loads(a.net.run(LOAD, "rate", "127.0.0.11", "web", 10000, 3))
    assert got["asked"] >= 29000 and got["answered"] == got["asked"] and got["wrong"] == 0, got
    pss = int(server.read("smaps_rollup").split("\nPss:")[1].split()[0])
    assert pss <= 1024, "%d KiB" % pss


def test_malformed(server, upstream):
    """Answered or dropped; and whoever asks properly meanwhile gets an answer."""
    a, b = server.box(), server.box()
    for box in (a, b):
        box.join(server.network, ["web"], "172.18.0.2")
    got = json.loads(a.net.run(LOAD, "malformed", "127.0.0.11", 50000, 1))
    assert got["asked"] == 50000 and got["answered"] > 1000, got
    assert b.ask("web") == ["172.18.0.2", "172.18.0.2"] and server.is_alive()


def test_tcp_is_bounded(server):
    """Who opens connections and says nothing takes from itself, not from others."""
    a, b = server.box(forward=False), server.box(forward=False)
    for box in (a, b):
        box.join(server.network, ["web"], "172.18.0.2")

    def connect():
        s = socket.create_connection(("127.0.0.11", 53))
        s.settimeout(5)
        return s
    idle = [a.net.call(connect) for _ in range(100)]
    assert len(b.ask("web", "+tcp")) == 2 and len(a.ask("web")) == 2
    assert len(os.listdir("/proc/%d/fd" % server.pid)) < 60
    half = b.net.call(connect)
    half.send(b"\0")
    long = b.net.call(connect)
    long.send(b"\xff\xff" + b"x" * 100)
    assert long.recv(1) == b"", "longer than a question is"
    several = b.net.call(connect)
    one = question("web")
    several.sendall(b"".join(struct.pack(">H", len(one)) + one for _ in range(3)))
    got = b""
    while len(got) < 3 * (2 + len(one) + 32):
        got += several.recv(4096)
    assert got.count(socket.inet_aton("172.18.0.2")) == 6
    for s in idle + [half, long, several]:
        s.close()


def test_many_questions_at_once(server, upstream):
    """More than may wait are failed at once; the server stays what it was."""
    a = server.box()
    a.join(server.network, ["web"], "172.18.0.2")
    asking = socket_in(a)
    codes = []
    for i in range(2000):
        asking.send(question("silent.n%d" % i, number=i))
        # Those that may wait come first; then each is failed, and a socket holds some hundred answers.
        while i >= 1000 and i % 100 == 0 and select.select([asking], [], [], 0.05)[0]:
            codes.append(asking.recv(512)[3] & 15)
    assert len(codes) > 500 and set(codes) == {2}
    assert a.ask("web") == ["172.18.0.2"]
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % server.pid)) < 20, "sockets to be closed")
    asking.close()


def test_floods_leave_room_for_others(server, upstream):
    """Containers that take all places, of questions and of connections, keep nobody else from asking."""
    floods, quiet = [server.box() for _ in range(8)], server.box()
    for box in floods + [quiet]:
        box.join(server.network, ["web"], "172.18.0.2")
    asking = [socket_in(box) for box in floods[:2]]

    def connect():
        return socket.create_connection(("127.0.0.11", 53))
    idle = [box.net.call(connect) for box in floods for _ in range(32)]
    for i in range(600):
        for s in asking:
            s.send(question("silent.n%d" % i, number=i))
    assert quiet.ask("example.org.") == ["192.0.2.99"]
    assert quiet.ask("example.org.", "+tcp") == ["192.0.2.99"]
    for s in asking + idle:
        s.close()


def test_given_up(server):
    """Nobody, without capabilities, behind a filter, with eyes for endpoint files alone."""
    # The last thing that it does before it looks at anybody.
    wait_until(lambda: "Seccomp:\t2" in server.read("status"), "the filter")
    lines = dict(line.split(":\t", 1) for line in server.read("status").split("\n") if ":\t" in line)
    assert lines["Uid"] == lines["Gid"] == "65534\t65534\t65534\t65534"
    assert all(lines["Cap" + s] == "0" * 16 for s in ("Inh", "Prm", "Eff", "Bnd", "Amb"))
    assert lines["NoNewPrivs"] == "1" and lines["PPid"].strip() != str(os.getpid())
    assert {os.readlink("/proc/%d/fd/%d" % (server.pid, n)) for n in range(3)} == {"/dev/null"}


# ---------------------------------------------------------------- coming and going

def test_ends_with_the_last(server):
    a, b = server.box(), server.box()
    a.close()
    b.join(server.network, ["b"], "172.18.0.3")
    assert b.ask("b") == ["172.18.0.3"] and server.is_alive()
    b.hang_up()
    wait_until(lambda: not server.is_alive(), "its end")


def test_started_again(server, upstream):
    """What is asked while there is none waits in the socket."""
    a = server.box()
    a.join(server.network, ["alpha"], "172.18.0.2")
    assert a.ask("alpha") == ["172.18.0.2"]
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not server.is_alive(), "its death")
    waiting = subprocess.Popen(a.net.argv("dig", "@127.0.0.11", "+tries=1", "+time=10", "+short", "alpha"), stdout=subprocess.PIPE,
                               text=True)
    server.start()
    a.hand_over()
    assert waiting.communicate(timeout=15)[0] == "172.18.0.2\n"


def test_bad_messages(server):
    """Whoever says nothing sensible over a connection is hung up on, and nobody else notices."""
    a = server.box(forward=False)
    a.join(server.network, ["alpha"], "172.18.0.2")
    for text, sockets in ((b"container " + b"x" * 64, a.sockets), (b"container " + a.id.encode(), []), (b"\n" * 4000, a.sockets),
                          (b"container %s\nserver\nserver host\nserver x y\nforward\n" % a.id.encode(), a.sockets[:2])):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(str(server.socket_path))
        s.settimeout(5)
        socket.send_fds(s, [text], [x.fileno() for x in sockets])
        assert s.recv(1) == b""
        s.close()
    assert a.ask("alpha") == ["172.18.0.2"]
