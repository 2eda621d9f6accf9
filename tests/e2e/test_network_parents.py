# SPDX-License-Identifier: Apache-2.0
"""macvlan and ipvlan networks: who is on the parent's segment, who is not, and whose the parent is."""
import subprocess

import pytest

from conftest import wait_until
import netns
from outside import OUT4

SERVE = ("busybox", "nc", "-ll", "-p", "80", "-e", "echo", "here")
SUBNET = ("--subnet", "198.51.100.0/24", "--gateway", OUT4, "--ip-range", "198.51.100.128/25")


def can_make(kind):
    """Whether the kernel knows this kind of link on a pair."""
    def look():
        netns.unshare()
        subprocess.run(["ip", "link", "add", "p0", "type", "veth", "peer", "name", "p1"], check=True)
        return subprocess.run(["ip", "link", "add", "link", "p0", "name", "x0", "type"] + kind,
                              stderr=subprocess.DEVNULL).returncode == 0
    return netns.on_a_thread(look)


MACVLAN = pytest.mark.skipif(not can_make(["macvlan"]), reason="the kernel has no macvlan")
IPVLAN = pytest.mark.skipif(not can_make(["ipvlan"]), reason="the kernel has no ipvlan")
VLAN = pytest.mark.skipif(not can_make(["vlan", "id", "5"]), reason="the kernel has no VLANs")


def address_of(tare, name):
    return next(iter(tare.inspect(name)["NetworkSettings"]["Networks"].values()))["IPAddress"]


def says(tare, name, address):
    got = tare("exec", name, "nc", "-w", "1", address, "80", input="")
    return got.out == "here\n"


def reaches(tare, name, address):
    return wait_until(lambda: says(tare, name, address), "%s to reach %s" % (name, address))


@MACVLAN
def test_macvlan_on_a_segment(tare, outside):
    tare.ok("network", "create", "-d", "macvlan", "-o", "parent=out0", *SUBNET, "segment")
    tare.ok("run", "-d", "--name", "one", "--network", "segment", *SERVE)
    tare.ok("run", "-d", "--name", "two", "--network", "segment", "--mac-address", "02:42:00:00:00:02", *SERVE)
    reaches(tare, "one", address_of(tare, "two"))
    server = outside.serve()
    seen = tare.ok("exec", "one", "nc", "-w", "5", OUT4, str(server.port))
    assert seen.split()[0] == address_of(tare, "one")  # with its own address: nothing is translated
    # the host and its own children do not see each other
    assert not says(tare, "one", "198.51.100.1")
    got = subprocess.run(["busybox", "nc", "-w", "1", address_of(tare, "one"), "80"], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True)
    assert got.returncode != 0
    assert "02:42:00:00:00:02" in tare.ok("exec", "two", "ip", "link", "show", "eth0")
    tare.ok("rm", "-f", "one", "two")
    tare.ok("network", "rm", "segment")
    assert "out0" in netns.links()  # it was there before


@MACVLAN
def test_macvlan_private(tare, outside):
    tare.ok("network", "create", "-d", "macvlan", "-o", "parent=out0", "-o", "macvlan_mode=private", *SUBNET, "cells")
    tare.ok("run", "-d", "--name", "one", "--network", "cells", *SERVE)
    tare.ok("run", "-d", "--name", "two", "--network", "cells", *SERVE)
    server = outside.serve()
    assert tare("exec", "one", "nc", "-w", "5", OUT4, str(server.port)).rc == 0
    assert not says(tare, "one", address_of(tare, "two"))
    tare.ok("rm", "-f", "one", "two")


@MACVLAN
def test_macvlan_without_a_parent(tare, outside):
    before = set(netns.links())
    tare.ok("network", "create", "-d", "macvlan", "lonely")
    made = set(netns.links()) - before
    assert made and all(name.startswith("dm-") for name in made)
    tare.ok("run", "-d", "--name", "one", "--network", "lonely", *SERVE)
    tare.ok("run", "-d", "--name", "two", "--network", "lonely", *SERVE)
    reaches(tare, "one", address_of(tare, "two"))
    assert "default" not in tare.ok("exec", "one", "ip", "route")
    server = outside.serve()
    assert tare("exec", "one", "nc", "-w", "1", OUT4, str(server.port)).rc != 0
    tare.ok("rm", "-f", "one", "two")
    tare.ok("network", "rm", "lonely")
    assert set(netns.links()) == before


@MACVLAN
def test_a_parent_comes_back_after_a_boot(tare):
    """What is below RUNROOT and every link is gone: the next start makes the network's own parent again."""
    tare.ok("network", "create", "-d", "macvlan", "lonely")
    made = [name for name in netns.links() if name.startswith("dm-")]
    subprocess.run(["ip", "link", "delete", made[0]], check=True)
    tare.ok("run", "--rm", "--network", "lonely", "busybox", "true")
    assert sorted(name for name in netns.links() if name.startswith("dm-")) == sorted(made)
    tare.ok("network", "rm", "lonely")
    assert not [name for name in netns.links() if name.startswith("dm-")]


@MACVLAN
def test_a_parent_that_went_away(tare):
    subprocess.run(["ip", "link", "add", "p0", "type", "veth", "peer", "name", "p1"], check=True)
    tare.ok("network", "create", "-d", "macvlan", "-o", "parent=p0", "segment")
    subprocess.run(["ip", "link", "delete", "p0"], check=True)
    got = tare("run", "--rm", "--network", "segment", "busybox", "true")
    assert got.rc == 125 and "network segment: its parent p0 is not there" in got.err
    assert "parent p0 is not there" in tare.ok("network", "audit")
    tare.ok("network", "rm", "segment")


WRONG = [
    (["parent=nosuch"], "invalid subinterface vlan name nosuch, example formatting is eth0.10"),
    (["parent=nosuch.10"], "-o parent interface does was not found on the host: nosuch"),
    (["parent=p0.x"], "unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)"),
    (["parent=p0.4095"], "vlan id must be between 1-4094, received: 4095"),
    (["parent=p0.0"], "vlan id must be between 1-4094, received: 0"),
    (["parent=lo"], "loopback interface is not a valid macvlan parent link"),
    (["parent=p0", "macvlan_mode=bogus"],
     "requested macvlan mode 'bogus' is not valid, 'bridge' mode is the macvlan driver default"),
]


@pytest.mark.parametrize("options,message", WRONG, ids=[" ".join(o) for o, _ in WRONG])
def test_wrong_parents(tare, options, message):
    subprocess.run(["ip", "link", "add", "p0", "type", "veth", "peer", "name", "p1"], check=True)
    before = netns.links()
    got = tare("network", "create", "-d", "macvlan", *[w for o in options for w in ("-o", o)], "wrong")
    assert got.rc == 1 and got.err.splitlines()[0] == "tare: " + message
    assert netns.links() == before
    assert "wrong" not in tare.ok("network", "ls")


@MACVLAN
def test_a_parent_in_use(tare):
    subprocess.run(["ip", "link", "add", "p0", "type", "veth", "peer", "name", "p1"], check=True)
    first = tare.ok("network", "create", "-d", "macvlan", "-o", "parent=p0", "first")
    got = tare("network", "create", "-d", "macvlan", "-o", "parent=p0", "second")
    assert got.rc == 1
    assert got.err == "tare: network dm-%s is already using parent interface p0\n" % first[:12]
    tare.ok("network", "rm", "first")
    tare.ok("network", "create", "-d", "macvlan", "-o", "parent=p0", "second")


@VLAN
@MACVLAN
def test_vlans(tare, outside):
    """The VLAN's link is made with the network and goes with it; frames arrive tagged beyond the host."""
    netns.inside(outside.fd, lambda: subprocess.run(
        "ip link add link up0 name up0.7 type vlan id 7 && ip addr add 10.7.0.1/24 dev up0.7 && ip link set up0.7 up",
        shell=True, check=True))
    tare.ok("network", "create", "-d", "macvlan", "-o", "parent=out0.7", "--subnet", "10.7.0.0/24", "--gateway",
            "10.7.0.1", "seven")
    assert "out0.7" in netns.links()
    server = outside.serve(address="10.7.0.1")
    assert tare.ok("run", "--rm", "--network", "seven", "busybox", "nc", "-w", "5", "10.7.0.1",
                   str(server.port)).startswith("10.7.0.")
    tare.ok("network", "rm", "seven")
    assert "out0.7" not in netns.links()


@IPVLAN
@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_ipvlan(tare, outside, mode):
    tare.ok("network", "create", "-d", "ipvlan", "-o", "parent=out0", "-o", "ipvlan_mode=" + mode, *SUBNET, "flat")
    tare.ok("run", "-d", "--name", "one", "--network", "flat", *SERVE)
    tare.ok("run", "-d", "--name", "two", "--network", "flat", *SERVE)
    reaches(tare, "one", address_of(tare, "two"))
    route = [line for line in tare.ok("exec", "one", "ip", "route").splitlines() if line.startswith("default")]
    assert route and ("via %s" % OUT4 in route[0]) == (mode == "l2")
    tare.ok("rm", "-f", "one", "two")
    tare.ok("network", "rm", "flat")
