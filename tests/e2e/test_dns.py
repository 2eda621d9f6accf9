# SPDX-License-Identifier: Apache-2.0
"""Names of containers on user networks: who is found by whom, until when, and what becomes of everything else.

test_dns_server.py has what can be seen of the name server alone.
"""
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

import netns
from conftest import read_proc, wait_until
from dns_box import Upstream

SLEEP = ("busybox", "sleep", "1000")


class Inside:
    """Programs of the test's own network namespace, or of the one at PATH."""

    def __init__(self, path="/proc/self/ns/net"):
        self.path = path

    def argv(self, *command):
        return ["nsenter", "--net=" + self.path, *map(str, command)]


@pytest.fixture
def upstream(tmp_path):
    """Plays the first server of the host's /etc/resolv.conf."""
    lines = pathlib.Path("/etc/resolv.conf").read_text().split("\n")
    address = next(line.split()[1] for line in lines if line.startswith("nameserver"))
    if not address.startswith("127."):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    made = Upstream(Inside(), tmp_path / "asked", address)
    yield made
    made.close()


def start(tare, name, *options):
    tare.ok("run", "-d", "--name", name, *options, *SLEEP)
    return name


def pid_of(tare, name):
    return int(tare.ok("inspect", "-f", "{{.State.Pid}}", name))


def net_of(tare, name):
    return "/proc/%d/ns/net" % pid_of(tare, name)


def address_of(tare, name, network):
    return tare.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]


def inside(tare, name, *command):
    """Runs a program of the host in the container's network and with its resolv.conf: its output."""
    cid = tare.ok("inspect", "-f", "{{.Id}}", name)
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return subprocess.run(Inside(net_of(tare, name)).argv("unshare", "--mount", "sh", "-c", script,
                                                          tare.root / "containers" / cid / "resolv.conf", *command),
                          text=True, timeout=30, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def dig(tare, name, *what):
    return inside(tare, name, "dig", "+short", "+tries=1", *what).split("\n")[:-1]


def glibc(tare, name, what):
    """What getaddrinfo(3) finds, as getent(1) asks for it."""
    return sorted({line.split()[0] for line in inside(tare, name, "getent", "ahostsv4", what).split("\n") if line})


def busybox(tare, name, what):
    return sorted(set(re.findall(r"^Address: ([\d.]+)$", tare("exec", name, "nslookup", what).out, re.M)))


def asking(tare, name):
    """A socket in the container's network, connected to its name server."""
    def connect():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.connect(("127.0.0.11", 53))
        return s
    with open(net_of(tare, name)) as f:
        return netns.inside(f.fileno(), connect)


def knows(s, name):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    s.send(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1")
    return struct.unpack(">H", s.recv(2048)[6:8])[0] > 0


def name_servers(tare, network):
    cid = tare.ok("network", "inspect", "-f", "{{.Id}}", network)
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and read_proc(p, "cmdline").split("\0")[1:2] == [cid]]


# ---------------------------------------------------------------- answers

def test_resolvers_agree(tare, upstream):
    """dig, glibc and busybox: names, aliases, ids, letters of any case, what is outside and what is nowhere."""
    tare.ok("network", "create", "front.net")
    start(tare, "asker", "--network", "front.net")
    start(tare, "db_1.x", "--network", "front.net", "--network-alias", "Data")
    start(tare, "db2", "--network", "front.net", "--network-alias", "Data")
    one, two = address_of(tare, "db_1.x", "front.net"), address_of(tare, "db2", "front.net")
    short = tare.ok("inspect", "-f", "{{.Id}}", "db2")[:12]
    for what, expected in (("db_1.x", [one]), ("DB_1.X", [one]), ("db2", [two]), (short, [two]), ("db2.front.net", [two]),
                           ("data", sorted([one, two])), ("asker", [address_of(tare, "asker", "front.net")]),
                           ("outside.example", ["192.0.2.99"]), ("missing.example", [])):
        assert sorted(dig(tare, "asker", what)) == expected, what
        assert glibc(tare, "asker", what) == expected, what
        assert busybox(tare, "asker", what) == expected, what
    assert dig(tare, "asker", "-x", two) == ["db2.front.net."]
    assert all(b"db2" not in bytes.fromhex(m[2]) for m in upstream.asked())


def test_two_networks(tare):
    """A container sees the names of its networks; whoever shares none with it sees nothing of it."""
    for network in ("one", "two"):
        tare.ok("network", "create", "--internal", network)
    start(tare, "left", "--network", "one")
    start(tare, "right", "--network", "two")
    start(tare, "both", "--network", "one", "--network", "name=two,alias=middle")
    assert dig(tare, "both", "left") and dig(tare, "both", "right") and dig(tare, "right", "middle")
    assert dig(tare, "left", "both") == [address_of(tare, "both", "one")]
    assert dig(tare, "right", "both") == [address_of(tare, "both", "two")]
    assert dig(tare, "left", "right.") == dig(tare, "left", "middle") == []


def test_no_names_on_the_bridge(tare):
    tare.ok("network", "create", "--internal", "one")
    start(tare, "plain")
    start(tare, "other")
    assert "127.0.0.11" not in tare.ok("exec", "plain", "cat", "/etc/resolv.conf")
    tare.ok("network", "connect", "one", "plain")
    tare.ok("network", "connect", "one", "other")
    assert dig(tare, "plain", "other") == [address_of(tare, "other", "one")]
    tare.ok("network", "disconnect", "one", "other")
    assert dig(tare, "plain", "other") == []


def test_links(tare):
    tare.ok("network", "create", "one")
    start(tare, "target", "--network", "one")
    start(tare, "linker", "--network", "one", "--link", "target:alias")
    assert dig(tare, "linker", "alias") == [address_of(tare, "target", "one")]
    assert dig(tare, "target", "alias") == []


def test_joined_network(tare):
    """Who joins a container's network has its names: hosts, host name and name server."""
    tare.ok("network", "create", "--internal", "one")
    start(tare, "owner", "--network", "one")
    start(tare, "other", "--network", "one")
    start(tare, "guest", "--network", "container:owner")
    cid = tare.ok("inspect", "-f", "{{.Id}}", "owner")
    assert tare.ok("inspect", "-f", "{{.HostConfig.NetworkMode}}", "guest") == "container:" + cid
    for path in ("resolv.conf", "hosts", "hostname"):
        assert tare.ok("exec", "guest", "cat", "/etc/" + path) == tare.ok("exec", "owner", "cat", "/etc/" + path)
    assert tare.ok("exec", "guest", "hostname") == cid[:12]
    assert busybox(tare, "guest", "other") == [address_of(tare, "other", "one")]


# ---------------------------------------------------------------- names follow

def within(condition, what, limit=0.1):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "%s within %d ms" % (what, limit * 1000)


def test_names_follow(tare):
    """Connect, rename, disconnect, start, stop and a killed container: after 100 ms at most."""
    tare.ok("network", "create", "--internal", "one")
    start(tare, "asker", "--network", "one")
    start(tare, "other")
    s = asking(tare, "asker")
    assert not knows(s, "other")
    tare.ok("network", "connect", "--alias", "more", "one", "other")
    within(lambda: knows(s, "other") and knows(s, "more"), "connect")
    tare.ok("rename", "other", "another")
    within(lambda: knows(s, "another") and not knows(s, "other") and knows(s, "more"), "rename")
    tare.ok("network", "disconnect", "one", "another")
    within(lambda: not knows(s, "another") and not knows(s, "more"), "disconnect")
    tare.ok("network", "connect", "one", "another")
    within(lambda: knows(s, "another"), "connect")
    os.kill(pid_of(tare, "another"), signal.SIGKILL)
    within(lambda: not knows(s, "another"), "death")
    tare.wait_state("another", "exited")
    tare.ok("start", "another")
    within(lambda: knows(s, "another"), "start")
    tare.ok("rm", "-f", "another")
    within(lambda: not knows(s, "another"), "removal")
    s.close()


def test_connected_later(tare, upstream):
    """A container that runs gets its names with its first network that has any, and loses them with the last."""
    tare.ok("network", "create", "one")
    start(tare, "plain")
    start(tare, "there", "--network", "one")
    before = tare.ok("exec", "plain", "cat", "/etc/resolv.conf")
    tare.ok("network", "connect", "one", "plain")
    assert "nameserver 127.0.0.11\n" in tare.ok("exec", "plain", "cat", "/etc/resolv.conf")
    for _ in range(2):
        assert dig(tare, "plain", "there") == busybox(tare, "plain", "there") == [address_of(tare, "there", "one")]
        assert dig(tare, "there", "plain") == [address_of(tare, "plain", "one")]
        assert dig(tare, "plain", "x.example") == ["192.0.2.99"]
        tare.ok("restart", "-t", "0", "plain")
    tare.ok("network", "disconnect", "one", "plain")
    assert tare.ok("exec", "plain", "cat", "/etc/resolv.conf") == before
    assert "refused" in inside(tare, "plain", "dig", "@127.0.0.11", "+tries=1", "+tcp", "there")


# ---------------------------------------------------------------- everything else

@pytest.mark.parametrize("options, lines", [
    ((), ["nameserver 127.0.0.11", "options ndots:0"]),
    (("--dns", "192.0.2.1", "--dns-search", "a.b", "--dns-search", "c.d", "--dns-option", "timeout:3"),
     ["search a.b c.d", "nameserver 127.0.0.11", "options timeout:3 ndots:0"]),
    (("--dns-option", "ndots:2"), ["nameserver 127.0.0.11", "options ndots:2"]),
    (("--dns-search", "."), ["nameserver 127.0.0.11", "options ndots:0"]),
])
def test_resolv_conf(tare, options, lines):
    host = pathlib.Path("/etc/resolv.conf").read_text()
    if "search" in host or "options" in host:
        pytest.skip("the host has a search list or options, which come in between")
    tare.ok("network", "create", "one")
    got = tare.ok("run", "--rm", "--network", "one", *options, "busybox", "cat", "/etc/resolv.conf")
    assert got.split("\n") == lines


def test_dns_of_the_user(tare, upstream, tmp_path):
    """--dns is asked from the container's network: here it is a server in a container beside it."""
    tare.ok("network", "create", "one")
    start(tare, "server", "--network", "one")
    address = address_of(tare, "server", "one")
    beside = Upstream(Inside(net_of(tare, "server")), tmp_path / "beside", address)
    start(tare, "client", "--network", "one", "--dns", address)
    assert dig(tare, "client", "x.example") == busybox(tare, "client", "y.example") == ["192.0.2.99"]
    assert {m[1][0] for m in beside.asked()} == {address_of(tare, "client", "one")} and upstream.asked() == []
    beside.close()


def test_port_53_is_the_containers(tare, tmp_path):
    """A server of the container's own may listen on every address, by UDP and TCP; its names stay what they are."""
    tare.ok("network", "create", "--internal", "one")
    start(tare, "server", "--network", "one")
    start(tare, "client", "--network", "one")
    own = Upstream(Inside(net_of(tare, "server")), tmp_path / "own", "0.0.0.0")
    address = address_of(tare, "server", "one")
    for more in ((), ("+tcp",)):
        assert dig(tare, "client", "@" + address, "x.example", *more) == ["192.0.2.99"]
        assert dig(tare, "server", "client", *more) == [address_of(tare, "client", "one")]
    assert len(own.asked()) == 2
    own.close()


def test_internal_leaks_nothing(tare, upstream):
    """Not a packet of a question on any of the host's links, and an answer at once."""
    tare.ok("network", "create", "--internal", "closed")
    tare.ok("network", "create", "open")
    start(tare, "asker", "--network", "closed")
    watch = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    began = time.monotonic()
    for what in ("x.example", "-x 192.0.2.1", "x.example +tcp"):
        assert "status: REFUSED" in inside(tare, "asker", "dig", "+tries=1", *what.split())
    assert time.monotonic() - began < 2
    assert glibc(tare, "asker", "x.example") == busybox(tare, "asker", "x.example") == []
    leaked = []
    while select.select([watch], [], [], 0.2)[0]:
        packet = watch.recv(65535)
        if b"example" in packet or struct.pack(">H", 53) in packet[34:38]:
            leaked.append(packet)
    assert leaked == [] and upstream.asked() == []
    watch.close()
    # With another network it has a way out.
    tare.ok("network", "connect", "open", "asker")
    assert dig(tare, "asker", "x.example") == ["192.0.2.99"]
    tare.ok("network", "disconnect", "open", "asker")
    assert dig(tare, "asker", "x.example") == []


# ---------------------------------------------------------------- processes

def test_one_process_for_a_network(tare):
    tare.ok("network", "create", "one")
    for name in ("first", "second", "third"):
        start(tare, name, "--network", "one")
    servers = name_servers(tare, "one")
    assert len(servers) == 1
    assert int(read_proc(str(servers[0]), "smaps_rollup").split("\nPss:")[1].split()[0]) <= 1024
    status = read_proc(str(servers[0]), "status")
    assert "Uid:\t65534\t65534\t65534\t65534" in status and "CapEff:\t0000000000000000" in status
    assert "CapBnd:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    for name in ("first", "second"):
        tare.ok("rm", "-f", name)
    assert name_servers(tare, "one") == servers and dig(tare, "third", "third")
    tare.ok("rm", "-f", "third")
    wait_until(lambda: not name_servers(tare, "one"), "its end with the last container")
    tare.ok("network", "rm", "one")


def test_killed(tare, upstream):
    """kill -9 of the name server: names again within a second, by one other process, for every container."""
    tare.ok("network", "create", "one")
    names = ("first", "second", "third")
    for name in names:
        start(tare, name, "--network", "one")
    sockets = [asking(tare, name) for name in names]
    for _ in range(3):
        old = name_servers(tare, "one")
        assert len(old) == 1
        os.kill(old[0], signal.SIGKILL)
        began = time.monotonic()
        assert all(knows(s, "third") and knows(s, "x.example") for s in sockets)
        assert time.monotonic() - began < 1
        new = name_servers(tare, "one")
        assert len(new) == 1 and new != old
    for s in sockets:
        s.close()
    assert not list(tare.root.glob("containers/*/monitor.log*"))


def test_killed_monitor(tare):
    """With its monitor a container dies; its name goes with the next command that finds it. Another's stays."""
    tare.ok("network", "create", "--internal", "one")
    start(tare, "stays", "--network", "one")
    start(tare, "goes", "--network", "one")
    cid = tare.ok("inspect", "-f", "{{.Id}}", "goes")
    monitor = json.loads((tare.runroot / "containers" / cid / "state.json").read_text())["monitor"]["pid"]
    s = asking(tare, "stays")
    assert knows(s, "goes")
    os.kill(monitor, signal.SIGKILL)
    tare.wait_state("goes", "exited")
    tare.ok("rm", "goes")
    within(lambda: not knows(s, "goes"), "settled")
    assert knows(s, "stays") and len(name_servers(tare, "one")) == 1
    s.close()


def test_back_before_the_server_noticed(tare):
    """A container that comes back while the name server still has its sockets waits for them, and has its names."""
    tare.ok("network", "create", "one")
    start(tare, "mover", "--network", "one")
    start(tare, "there", "--network", "one")
    server = name_servers(tare, "one")[0]
    os.kill(server, signal.SIGSTOP)
    try:
        tare.ok("network", "disconnect", "one", "mover")
        back = tare.popen("network", "connect", "one", "mover", stderr=subprocess.PIPE)
        time.sleep(0.15)
    finally:
        os.kill(server, signal.SIGCONT)
    assert back.communicate(timeout=10)[1] in (b"", "") and back.returncode == 0
    assert dig(tare, "mover", "there") == [address_of(tare, "there", "one")]


def test_network_that_goes_first(tare):
    """A container that has left the network of its name server is served on, also when that is killed."""
    tare.ok("network", "create", "one")
    tare.ok("network", "create", "two")
    start(tare, "mover", "--network", "one")
    start(tare, "there", "--network", "two")
    tare.ok("network", "connect", "two", "mover")
    tare.ok("network", "disconnect", "one", "mover")
    servers = name_servers(tare, "one")
    tare.ok("network", "rm", "one")
    assert dig(tare, "mover", "there") == [address_of(tare, "there", "two")]
    os.kill(servers[0], signal.SIGKILL)
    assert dig(tare, "mover", "there") == [address_of(tare, "there", "two")]
    assert len(name_servers(tare, "two")) == 1


def test_explained(tare):
    """The rules that are shown are the ones that are loaded, and nft takes them."""
    tare.ok("network", "create", "one")
    got = tare("run", "-d", "--name", "shown", "--explain", "--network", "one", *SLEEP)
    text = got.err + got.out
    assert got.rc == 0 and "tare-dns" in text
    rules = re.sub(r"(?m)^ {8,11}", "", text.split("nft -f - <<'END'\n")[1].split("END\n")[0])
    listed = subprocess.run(Inside(net_of(tare, "shown")).argv("nft", "list", "ruleset"), check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    mine = subprocess.run(["unshare", "--net", "sh", "-c", "nft -f - && nft list ruleset"], input=rules, check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    assert mine == listed and "udp dport 53 udp dport set" in listed
    script = tare.ok("run", "--explain", "--dry-run", "--network", "one", "busybox", "true")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
