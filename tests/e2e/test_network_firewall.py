# SPDX-License-Identifier: Apache-2.0
"""The firewall around real packets: flows that go on, sources that are not theirs, networks that keep their
containers apart; and a kernel that has no nf_tables."""
import os
import shutil
import socket
import subprocess

import pytest

import netns
from conftest import wait_until
from outside import HOST4, OUT4


def udp_inside(tare, name):
    """A datagram socket in the container's namespace."""
    fd = netns.of_process(tare.inspect(name)["State"]["Pid"])
    try:
        return netns.inside(fd, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    finally:
        os.close(fd)


def test_a_flow_finds_the_container(tare, outside):
    """Somebody sends datagrams, from one socket, before there is anybody, and never stops."""
    client = netns.inside(outside.fd, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client.connect((HOST4, 5000))

    def send():
        try:
            client.send(b"hello")
        except ConnectionError:     # the host has said that nobody is there
            pass
    for name in ("first", "second"):
        # The flow is known: to the host, then to the container that is gone.
        send()
        send()
        if name == "second":        # has another address
            tare.ok("run", "-d", "--name", "between", "busybox", "sleep", "1000")
        tare.ok("run", "-d", "--name", name, "-p", "5000:5000/udp", "busybox", "sleep", "1000")
        with udp_inside(tare, name) as server:
            server.bind(("0.0.0.0", 5000))
            server.settimeout(5)
            send()
            assert server.recvfrom(10)[1] == client.getsockname()
        tare.ok("rm", "-f", name)
    client.close()


def test_sources_that_are_not_theirs(tare, outside):
    """A packet with the address of somebody else gets nowhere; the addresses of one network are its containers' matter."""
    server = outside.serve("udp")
    tare.ok("run", "-d", "--name", "c1", "--cap-add", "NET_ADMIN", "busybox", "sleep", "1000")
    tare.ok("exec", "c1", "ip", "addr", "add", "10.99.0.1/32", "dev", "eth0")
    own = tare.inspect("c1")["NetworkSettings"]["IPAddress"]
    for address in ("10.99.0.1", own):
        with udp_inside(tare, "c1") as s:
            s.settimeout(5)
            s.bind((address, 0))
            s.sendto(address.encode(), (OUT4, server.port))
            if address == own:
                assert s.recv(100).split()[0] == HOST4.encode()
    assert [peer.split()[0] for peer in server.seen] == [HOST4]


@pytest.mark.parametrize("family", ["4", "6"])
def test_apart_but_not_alone(tare, outside, family):
    """With icc=false containers find each other's link address, and nothing more; the host and the way out are open."""
    tare.ok("network", "create", "--ipv6", "-o", "com.docker.network.bridge.enable_icc=false", "apart")
    tare.ok("run", "-d", "--name", "c1", "--network", "apart", "busybox", "nc", "-ll", "-p", "80", "-e", "echo", "hi")
    settings = tare.inspect("c1")["NetworkSettings"]["Networks"]["apart"]
    address = settings["IPAddress" if family == "4" else "GlobalIPv6Address"]
    gateway = settings["Gateway" if family == "4" else "IPv6Gateway"]
    script = ("ping -c 1 -W 1 %s >/dev/null && echo pinged; nc -w 1 %s 80 </dev/null; ip neigh show %s; "
              "ip route add %s via %s; ip -6 route add %s via %s; nc -w 1 %s 80 </dev/null; ping -c 1 -W 2 %s >/dev/null && "
              "echo gateway") % (address, address, address, address, gateway, address, gateway, address, gateway)
    got = tare("run", "--rm", "--network", "apart", "--cap-add", "NET_ADMIN", "busybox", "sh", "-c", script).out
    assert "pinged" not in got and "hi" not in got
    assert settings["MacAddress"] in got and "gateway" in got
    server = outside.serve()
    assert HOST4 in tare.ok("run", "--rm", "--network", "apart", "busybox", "nc", "-w", "5", OUT4, str(server.port))
    family = socket.AF_INET if family == "4" else socket.AF_INET6
    with socket.socket(family) as s:
        s.settimeout(5)
        s.connect((address, 80))
        assert s.recv(10) == b"hi\n"


def test_a_kernel_without_nf_tables(tare):
    if not shutil.which("strace"):
        pytest.skip("no strace here: install the package strace")
    tare.ok("run", "--rm", "busybox", "true")
    done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=sendto", "-e",
                           "inject=sendto:error=EINVAL"] + tare.argv + ["run", "--rm", "busybox", "true"],
                          capture_output=True, text=True)
    assert done.returncode == 125
    assert done.stderr.startswith("tare: this kernel has no nf_tables (or not all of it): no bridge network is possible\n"
                                  "hint: load its modules")
    assert tare.ok("network", "ls", "-q", "--filter", "type=custom") == ""
    assert tare.ok("ps", "-aq") == ""
    wait_until(lambda: not [n for n in netns.links() if n.startswith("veth")], "the links to go")
    tare.ok("run", "--rm", "busybox", "true")
