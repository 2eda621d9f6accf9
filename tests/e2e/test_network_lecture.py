# SPDX-License-Identifier: Apache-2.0
"""A network by hand: what `run --explain --dry-run` prints for a container of a network, run as a script on a
host that knows nothing of tare, does the same: joined by a pair of links, reached from the host, the way out
by masquerade. It leaves nothing. (examples/network-by-hand has the same as commands.)"""
import re
import socket
import subprocess

import pytest

from conftest import wait_until
import netns
from outside import HOST4, OUT4

HERE = ("10.1.1.1", "10.1.1.2")


def script_of(tare, *command, options=()):
    tare.ok("network", "create", "--subnet", "10.1.1.0/24", "--gateway", HERE[0], "lecture")
    script = tare.ok("run", "--explain", "--dry-run", "--network", "lecture", "--ip", HERE[1], *options, "busybox",
                     *command)
    tare.ok("network", "rm", "lecture")
    return script


def ask(address, port):
    """What the server says, or None while there is none."""
    try:
        with socket.create_connection((address, port), 5) as s:
            s.settimeout(5)
            return s.makefile().read()
    except OSError:
        return None


def forwarding():
    with open("/proc/sys/net/ipv4/ip_forward") as f:
        return f.read().strip()


def state():
    return sorted(netns.links()), sorted(netns.tables()), forwarding()


@pytest.fixture
def by_hand(tare, tmp_path):
    """Starts a script here, and makes sure that it ends."""
    started = []

    def start(script):
        path = tmp_path / "by-hand.sh"
        path.write_text(script)
        started.append(subprocess.Popen(["sh", str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True))
        return started[-1]
    yield start
    for child in started:
        if child.poll() is None:
            child.terminate()
        child.communicate(timeout=30)


def test_it_prints_the_lecture(tare):
    script = script_of(tare, "true")
    for line in (r"ip link add \S+ type bridge", r"ip addr add 10\.1\.1\.1/24 dev \S+",
                 r"ip link add veth.* type veth peer name eth0 .*netns \$\$", r"ip addr add 10\.1\.1\.2/24 .*dev eth0",
                 r"ip route replace default via 10\.1\.1\.1 dev eth0", r"echo 1 > /proc/sys/net/ipv4/ip_forward",
                 r"nft add rule .* ip saddr 10\.1\.1\.0/24 .*masquerade"):
        assert re.search(line, script), line


def test_reached_from_the_host(tare, by_hand):
    script = script_of(tare, "nc", "-l", "-p", "8000", "-e", "echo", "hello from inside")
    before = state()
    child = by_hand(script)
    assert wait_until(lambda: ask(HERE[1], 8000), "the script's server") == "hello from inside\n"
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (0, ""), err
    wait_until(lambda: state() == before, "nothing to be left of %s" % (before,))


def test_the_way_out(tare, by_hand, outside):
    server = outside.serve()
    script = script_of(tare, "nc", "-w", "5", OUT4, str(server.port))
    netns.set_forwarding(False)
    before = state()
    child = by_hand(script)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0, err
    assert out.split()[0] == HOST4  # outside has seen the host's address
    wait_until(lambda: state() == before, "nothing to be left of %s" % (before,))


@pytest.mark.parametrize("place", ["outside", "loopback"])
def test_a_published_port(tare, by_hand, outside, place):
    script = script_of(tare, "nc", "-l", "-p", "80", "-e", "echo", "published", options=("-p", "18000:80"))
    before = state()
    child = by_hand(script)
    ways = {"outside": lambda: netns.inside(outside.fd, lambda: ask(HOST4, 18000)),
            "loopback": lambda: ask("127.0.0.1", 18000)}
    asked = wait_until(ways[place], "the published port")
    assert asked == "published\n"
    child.communicate(timeout=30)
    wait_until(lambda: state() == before, "nothing to be left of %s" % (before,))


def test_the_network_stays_where_it_was(tare, by_hand):
    """On the host where the network is, the script uses its bridge and leaves it."""
    tare.ok("network", "create", "--subnet", "10.1.1.0/24", "--gateway", HERE[0], "lecture")
    script = tare.ok("run", "--explain", "--dry-run", "--network", "lecture", "--ip", HERE[1], "busybox", "true")
    before = state()
    child = by_hand(script)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 0, err
    wait_until(lambda: state() == before, "nothing to be left of %s" % (before,))
    assert tare.ok("run", "--rm", "--network", "lecture", "busybox", "echo", "still there") == "still there"
