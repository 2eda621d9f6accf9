# SPDX-License-Identifier: Apache-2.0
"""What was once wrong with networks of containers, elsewhere or here: a hostile container (which may send whatever
packet it likes), a hostile neighbour of the host, and a firewall that somebody flushes."""
import json
import os
import socket
import subprocess
import xml.etree.ElementTree

import pytest

import netns
from conftest import wait_until
from frames import (ALL_NODES, ALL_NODES_MAC, BROADCAST, Wire, icmp_error, link_local, mac_bytes, neighbour_solicitation,
                    router_advertisement, tcp_syn, udp)
from outside import HOST4, HOST6, HOST_MAC, OUT4, OUT6

# How long it is listened for what must not come; what may come is there within a millisecond.
SILENCE = 0.2


@pytest.fixture
def within(tare):
    """Descriptors of the network namespaces of containers."""
    opened = []

    def of(name):
        opened.append(netns.of_process(tare.inspect(name)["State"]["Pid"]))
        return opened[-1]
    yield of
    for fd in opened:
        os.close(fd)


def ip_output(fd, *words):
    return netns.inside(fd, lambda: subprocess.run(("ip",) + words, stdout=subprocess.PIPE, text=True, check=True)).stdout


def endpoint(tare, name, network="bridge"):
    return tare.inspect(name)["NetworkSettings"]["Networks"][network]


def bridge_mac(tare, network):
    """The hardware address of the network's bridge: that of the host, to its containers."""
    gateway = tare.ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network)
    links = json.loads(subprocess.run(["ip", "-j", "addr"], stdout=subprocess.PIPE, check=True).stdout)
    return next(link["address"] for link in links if any(a["local"] == gateway for a in link["addr_info"]))


def udp_socket(fd, address="0.0.0.0", port=0):
    def make():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))
        s.settimeout(5)
        return s
    return netns.inside(fd, make)


# ---------------------------------------------------------------- routers that are none

def test_cve_2020_13401_router_advertisement_to_the_host(tare, within):
    """A container says that it is the way out: the host does not believe it, with its forwarding on or off before."""
    netns.set_forwarding(False)
    for name in ("n1", "n2"):
        tare.ok("network", "create", "--ipv6", name)
        tare.ok("run", "-d", "--name", "c-" + name, "--network", name, "busybox", "sleep", "1000")
        with Wire(within("c-" + name), "eth0") as wire:
            for source in (link_local(wire.mac), "fe80::bad"):
                wire.send(ALL_NODES_MAC, router_advertisement(source, wire.mac, "2001:db8:bad::"))
    os.sched_yield()
    seen = subprocess.run("sleep 0.3; ip -6 route; ip -6 addr", shell=True, stdout=subprocess.PIPE, text=True).stdout
    assert "default" not in seen and "2001:db8:bad" not in seen, seen


def test_cve_2020_10749_router_advertisement_to_a_neighbour(tare, within):
    tare.ok("network", "create", "--ipv6", "six")
    tare.ok("run", "-d", "--name", "good", "--network", "six", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "four", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "later", "busybox", "sleep", "1000")
    tare.ok("network", "connect", "six", "later")
    for bad, name in (("six", "good"), ("bridge", "four"), ("six", "later")):
        tare.ok("run", "-d", "--name", "bad-" + name, "--network", bad, "busybox", "sleep", "1000")
        before = ip_output(within(name), "-6", "route")
        with Wire(within("bad-" + name), "eth0") as wire:
            wire.send(ALL_NODES_MAC, router_advertisement(link_local(wire.mac), wire.mac, "2001:db8:bad::"))
        subprocess.run(["sleep", "0.3"], check=True)
        assert "2001:db8:bad" not in ip_output(within(name), "-6", "addr")
        after = ip_output(within(name), "-6", "route")
        assert after.count("default") == before.count("default") and "bad" not in after


def test_routers_of_the_host_are_still_heard(tare, outside):
    """Forwarding would end what the host learns from a router: on the link that has one, and only there, it goes on."""
    netns.set_forwarding(False)
    with Wire(outside.fd, "up0") as router:
        def learnt():
            router.send(HOST_MAC, router_advertisement(link_local(router.mac), router.mac, "2001:db8:600d::"))
            return "via fe80" in subprocess.run(["ip", "-6", "route"], stdout=subprocess.PIPE, text=True).stdout
        wait_until(learnt)
        subprocess.run(["ip", "link", "add", "br-other", "type", "bridge"], check=True)
        tare.ok("network", "create", "--ipv6", "six")
        subprocess.run(["ip", "-6", "route", "del", "default", "via", link_local(router.mac)], check=True)
        wait_until(learnt)
    for link in ("default", "br-other"):
        with open("/proc/sys/net/ipv6/conf/%s/accept_ra" % link) as f:
            assert f.read() == "1\n"
    subprocess.run(["ip", "link", "del", "br-other"], check=True)


def test_a_bridge_of_the_host_stays_what_it_is(tare):
    """A network on a bridge that somebody else has made switches off nothing of it."""
    subprocess.run("ip link add br-own type bridge; ip addr add 2001:db8:7::1/64 dev br-own nodad", shell=True, check=True)
    for options in ([], ["--ipv6"]):
        tare.ok("network", "create", "-o", "com.docker.network.bridge.name=br-own", *options, "on-it")
        tare.ok("run", "--rm", "--network", "on-it", "busybox", "true")
        assert "2001:db8:7::1" in subprocess.run(["ip", "addr", "show", "br-own"], stdout=subprocess.PIPE, text=True).stdout
        with open("/proc/sys/net/ipv6/conf/br-own/accept_ra") as f:
            assert f.read() == "1\n"
        tare.ok("network", "rm", "on-it")
    subprocess.run(["ip", "link", "del", "br-own"], check=True)


# ---------------------------------------------------------------- internal networks

def test_nothing_leaves_an_internal_network_as_somebody_else(tare, outside, within):
    """A connection of another container is open, and a container that must not get out knows all about it: what it
    sends in its place, or says about it, stays where it is."""
    server = outside.serve("udp")
    tare.ok("network", "create", "--internal", "closed")
    tare.ok("run", "-d", "--name", "open", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "shut", "--network", "closed", "busybox", "sleep", "1000")
    own = endpoint(tare, "open")["IPAddress"]
    with udp_socket(within("open")) as client:
        client.sendto(b"hello", (OUT4, server.port))
        client.recv(100)
        port = client.getsockname()[1]
    bridge = bridge_mac(tare, "closed")
    packet = udp(own, port, OUT4, server.port, b"secret")
    with Wire(within("shut"), "eth0") as wire, Wire(outside.fd, "up0") as beyond:
        wire.send(bridge, packet)
        wire.send(bridge, icmp_error(own, OUT4, udp(OUT4, server.port, own, port, b"")[1] + b"secret"))
        wire.send(bridge, icmp_error(endpoint(tare, "shut", "closed")["IPAddress"], OUT4,
                                     udp(OUT4, server.port, own, port, b"")[1] + b"secret"))
        assert not beyond.heard(b"secret", SILENCE)


def test_no_question_for_neighbours_leaves_an_internal_network(tare, outside, within):
    """What asks for neighbours passes a bridge, and is never routed."""
    tare.ok("network", "create", "--ipv6", "--internal", "closed")
    tare.ok("network", "create", "--ipv6", "up")        # switches forwarding on
    tare.ok("run", "-d", "--name", "shut", "--network", "closed", "busybox", "sleep", "1000")
    own = endpoint(tare, "shut", "closed")["GlobalIPv6Address"]
    with Wire(within("shut"), "eth0") as wire, Wire(outside.fd, "up0") as beyond:
        wire.send(bridge_mac(tare, "closed"), neighbour_solicitation(own, OUT6, b"secret"))
        assert not beyond.heard(b"secret", SILENCE)


def test_nothing_is_said_in_the_place_of_another_network(tare, outside, within):
    """The same between two networks that may get out: neither to the other's server, nor as the server to the other."""
    server = outside.serve("udp")
    tare.ok("network", "create", "second")
    tare.ok("run", "-d", "--name", "victim", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "bad", "--network", "second", "busybox", "sleep", "1000")
    own = endpoint(tare, "victim")["IPAddress"]
    bridge = bridge_mac(tare, "second")
    with udp_socket(within("victim")) as client, Wire(within("bad"), "eth0") as wire, Wire(outside.fd, "up0") as beyond:
        client.sendto(b"hello", (OUT4, server.port))
        seen, port = client.recv(100).decode().split()
        wire.send(bridge, udp(own, client.getsockname()[1], OUT4, server.port, b"secret"))
        wire.send(bridge, udp(OUT4, server.port, seen, int(port), b"forged"))
        wire.send(bridge, udp(OUT4, server.port, own, client.getsockname()[1], b"forged"))
        assert not beyond.heard(b"secret", SILENCE)
        client.settimeout(SILENCE)
        with pytest.raises(TimeoutError):
            client.recv(100)


def test_nothing_is_said_to_the_host_in_the_place_of_a_server(tare, outside, within):
    """An answer that the host waits for comes by the way its question went: not from a container that guesses."""
    server = outside.serve("udp")
    tare.ok("run", "-d", "--name", "bad", "busybox", "sleep", "1000")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, Wire(within("bad"), "eth0") as wire:
        client.settimeout(SILENCE)
        client.connect((OUT4, server.port))
        client.send(b"hello")
        assert client.recv(100).split()[0] == HOST4.encode()
        wire.send(bridge_mac(tare, "bridge"), udp(OUT4, server.port, *client.getsockname(), b"forged"))
        with pytest.raises(TimeoutError):
            client.recv(100)


# ---------------------------------------------------------------- loopback

def test_cve_2020_8558_loopback_of_the_host(tare, outside, within):
    """Packets to and from 127.0.0.1 that come by a link: from a container and from a neighbour, to a service of the
    host's and to a port that is published there."""
    tare.ok("run", "-d", "--name", "web", "-p", "127.0.0.1:8080:80/udp", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "bad", "busybox", "sleep", "1000")
    own = endpoint(tare, "bad")["IPAddress"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service, udp_socket(within("web"), port=80) as published, \
            Wire(within("bad"), "eth0") as wire, Wire(outside.fd, "up0") as neighbour:
        service.bind(("127.0.0.1", 0))
        for s in (service, published):
            s.settimeout(SILENCE)
        port = service.getsockname()[1]
        for where, mac, source in ((wire, bridge_mac(tare, "bridge"), own), (neighbour, HOST_MAC, OUT4)):
            for to, number in (("127.0.0.1", port), ("127.0.0.1", 8080), ("127.0.0.2", port), (HOST4, port), (HOST4, 8080)):
                where.send(mac, udp(source, 1000, to, number, b"x"))
                where.send(mac, udp("127.0.0.1", 1000, to, number, b"x"))
            where.send(mac, udp("127.0.0.1", 1000, endpoint(tare, "web")["IPAddress"], 80, b"x"))
        for s in (service, published):
            with pytest.raises(TimeoutError):
                s.recv(10)
        # A packet by loopback comes through.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", ("127.0.0.1", 8080))
            client.sendto(b"x", ("127.0.0.1", port))
        assert published.recv(10) == service.recv(10) == b"x"


# ---------------------------------------------------------------- ways around what was published

@pytest.mark.parametrize("flushed", [False, True])
def test_cve_2025_54388_no_way_around_what_was_published(tare, outside, within, flushed):
    """A neighbour who knows where containers are reaches no port of theirs, published or not, but where it was published;
    again after the rules were gone."""
    tare.ok("network", "create", "--ipv6", "six")
    tare.ok("run", "-d", "--name", "web", "--network", "six", "-p", "127.0.0.1:8080:80", "-p", "[::1]:8080:80",
            "-p", "8081:81", "busybox", "sleep", "1000")
    config = tare.ok("network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", "six").split()
    for subnet in config:
        outside.route(subnet)
    if flushed:
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        tare.ok("network", "ls")
    found = endpoint(tare, "web", "six")
    with Wire(within("web"), "eth0") as inner, Wire(outside.fd, "up0") as neighbour:
        for source, host, own in ((OUT4, HOST4, found["IPAddress"]), (OUT6, HOST6, found["GlobalIPv6Address"])):
            for to, port in ((own, 80), (own, 81), (own, 8080), (own, 22), (host, 8080)):
                neighbour.send(HOST_MAC, tcp_syn(source, 54321, to, port))
        assert not inner.heard(b"\xd4\x31", SILENCE)
        for source, host in ((OUT4, HOST4), (OUT6, HOST6)):
            neighbour.send(HOST_MAC, tcp_syn(source, 54321, host, 8081))
            assert inner.heard(b"\xd4\x31\0\x51", 5)


def test_cve_2024_32473_no_ipv6_without_ipv6(tare, outside, within):
    """On a network of IPv4 alone a container has no IPv6, and the host answers none that it sends."""
    tare.ok("network", "create", "--ipv6", "other")
    tare.ok("run", "-d", "--name", "four", "--cap-add", "NET_ADMIN", "busybox", "sleep", "1000")
    assert "inet6" not in ip_output(within("four"), "addr", "show", "dev", "eth0")
    assert tare("exec", "four", "ip", "addr", "add", "fe80::2/64", "dev", "eth0").rc != 0
    bridge = bridge_mac(tare, "bridge")
    with Wire(within("four"), "eth0") as wire, Wire(outside.fd, "up0") as beyond:
        for source in (link_local(wire.mac), HOST6, "2001:db8:2::1"):
            for to in (link_local(bridge), HOST6, OUT6, ALL_NODES):
                wire.send(bridge, udp(source, 1000, to, 61000, b"secret"))
                wire.send(bridge, neighbour_solicitation(source, to, b"secret"))
        assert not beyond.heard(b"secret", SILENCE)
        assert not wire.heard(mac_bytes(wire.mac) + mac_bytes(bridge) + b"\x86\xdd", SILENCE)


# ---------------------------------------------------------------- containers that are kept apart

@pytest.mark.parametrize("flushed", [False, True])
def test_no_frame_between_containers_that_are_kept_apart(tare, within, flushed):
    """icc=false is about frames of every kind, to one or to all, with a VLAN's tag or without; a link that came later too."""
    tare.ok("network", "create", "--ipv6", "-o", "com.docker.network.bridge.enable_icc=false", "apart")
    tare.ok("run", "-d", "--name", "c1", "--network", "apart", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "c2", "busybox", "sleep", "1000")
    tare.ok("network", "connect", "apart", "c2")
    if flushed:
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        tare.ok("network", "ls")
    one, two = endpoint(tare, "c1", "apart"), endpoint(tare, "c2", "apart")
    for source, sender, to, receiver in ((one, ("c1", "eth0"), two, ("c2", "eth1")), (two, ("c2", "eth1"), one, ("c1", "eth0"))):
        with Wire(within(sender[0]), sender[1]) as wire, Wire(within(receiver[0]), receiver[1]) as other:
            packets = [udp(source["IPAddress"], 1000, to["IPAddress"], 1000, b"secret"),
                       udp(source["GlobalIPv6Address"], 1000, to["GlobalIPv6Address"], 1000, b"secret"),
                       udp(source["IPAddress"], 1000, "224.0.0.251", 5353, b"secret"),
                       udp(source["GlobalIPv6Address"], 1000, ALL_NODES, 5353, b"secret"),
                       (0x88b5, b"secret"), (100, b"\xaa\xaa\x03" + b"secret"), (0x0842, b"secret"), (0x8863, b"secret")]
            for packet in packets:
                for mac in (to["MacAddress"], BROADCAST, ALL_NODES_MAC):
                    for vlan in (None, 0, 7):
                        wire.send(mac, packet, vlan)
            assert not other.heard(b"secret", SILENCE)


# ---------------------------------------------------------------- words that become lines and commands

@pytest.mark.parametrize("option, value", [
    ("--add-host", "a\n6.6.6.6 bank:192.0.2.1"), ("--domainname", "a\n6.6.6.6 bank"), ("--link", "other:a\n6.6.6.6 bank"),
    ("--dns-option", "a\nnameserver 6.6.6.6"), ("--dns-search", "a\nnameserver 6.6.6.6"), ("--dns", "1.1.1.1\n6.6.6.6"),
    ("--hostname", "a\n6.6.6.6 bank")])
def test_one_word_is_not_two_lines(tare, option, value):
    tare.ok("run", "-d", "--name", "other", "busybox", "sleep", "1000")
    got = tare("run", "--rm", option, value, "busybox", "cat", "/etc/hosts", "/etc/resolv.conf")
    assert got.rc == 125 and got.out == "" and "6.6.6.6" in got.err


@pytest.mark.parametrize("name", ['a";drop', "a';id;'", "tare*", "a\\b", "a b", "a\nb", "../a", "a:b", "br%d", "."])
def test_names_of_links_are_no_rules(tare, name):
    """They stand between quotes in the firewall's texts, which people run as they are shown."""
    got = tare("network", "create", "-o", "com.docker.network.bridge.name=" + name, "n")
    assert got.rc == 1 and got.err.startswith("tare: failed to parse com.docker.network.bridge.name value: ")
    assert tare.ok("network", "ls", "-q", "--filter", "type=custom") == ""


def test_an_alias_is_a_name_and_nothing_else(tare):
    tare.ok("network", "create", "front")
    tare.ok("run", "-d", "--name", "c1", "--network", "front", "--network-alias", "a\nip4 192.0.2.66\nname bank", "busybox",
            "sleep", "1000")
    assert tare("exec", "c1", "nslookup", "bank").rc != 0
    assert endpoint(tare, "c1", "front")["IPAddress"] in tare.ok("exec", "c1", "nslookup", "c1")


def test_names_in_a_picture_are_text(tare, tmp_path):
    tare.ok("network", "create", "<script>alert(1)</script>&\"'")
    tare.ok("network", "graph", "-o", tmp_path / "n.svg")
    root = xml.etree.ElementTree.parse(tmp_path / "n.svg").getroot()
    assert not [e for e in root.iter() if e.tag.endswith("script")]


# ---------------------------------------------------------------- strangers who connect

def test_connections_leave_the_monitor_its_descriptors(tare):
    """Somebody connects by IPv6, which the monitor passes on, until nothing more is taken: it is spoken to as before."""
    argv = ["prlimit", "--nofile=1024:1024"] + tare.argv
    subprocess.run(argv + ["run", "-d", "--name", "web", "-p", "8080:80", "busybox", "nc", "-ll", "-p", "80", "-e", "cat"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    clients = []
    try:
        for _ in range(600):
            clients.append(socket.socket(socket.AF_INET6))
            clients[-1].setblocking(False)
            clients[-1].connect_ex(("::1", 8080))
        subprocess.run(["sleep", "0.5"], check=True)
        tare.ok("update", "-p", "8081:80", "web", timeout=10)
        assert "8081" in tare.ok("port", "web")
    finally:
        for client in clients:
            client.close()
    with socket.create_connection(("::1", 8080), timeout=10) as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"
