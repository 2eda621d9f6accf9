# SPDX-License-Identifier: Apache-2.0
"""What network audit concludes is what packets find: for every kind of network, each direction is probed."""
import json
import socket

import pytest

from conftest import wait_until
import netns
from outside import HOST4, OUT4, Server

OPTION = "com.docker.network.bridge."
KINDS = {
    "nat": [],
    "internal": ["--internal"],
    "no-icc": ["-o", OPTION + "enable_icc=false"],
    "not-masqueraded": ["-o", OPTION + "enable_ip_masquerade=false"],
    "routed": ["-o", OPTION + "gateway_mode_ipv4=routed"],
    "unprotected": ["-o", OPTION + "gateway_mode_ipv4=nat-unprotected"],
    "isolated": ["--internal", "-o", OPTION + "gateway_mode_ipv4=isolated"],
}
SERVE = ("busybox", "sh", "-c", "nc -ll -p 81 -e echo here & exec nc -ll -p 80 -e echo here")


def connects(address, port):
    try:
        with socket.create_connection((address, port), 0.7) as s:
            s.settimeout(0.7)
            return s.recv(16) != b""
    except OSError:
        return False


def from_container(tare, name, address, port):
    return tare("exec", name, "timeout", "1", "nc", address, str(port), input="").out != ""


class Told:
    """What the audit says of IPv4."""

    def __init__(self, tare):
        relations = json.loads(tare.ok("network", "audit", "--format", "json"))["Relations"]
        self.relations = [r for r in relations if r["IPv4"]]

    def allows(self, source, target, *ports):
        """Whether it allows one of PORTS from SOURCE to TARGET. A port that it says nothing of is not open;
        of the rest it has to speak."""
        found = [r for r in self.relations if (r["From"], r["To"]) == (source, target) and r["Ports"] in ports]
        assert found or not set(ports) & {"any", "any other"}, (source, target, ports, self.relations)
        return any(r["Allowed"] for r in found)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_is_so(tare, outside, kind):
    subnet = "10.77.0.0/24"
    tare.ok("network", "create", *KINDS[kind], "--subnet", subnet, "kind")
    tare.ok("network", "create", "other")
    tare.ok("run", "-d", "--name", "one", "--network", "kind", "-p", "18080:80", *SERVE)
    tare.ok("run", "-d", "--name", "two", "--network", "kind", *SERVE)
    tare.ok("run", "-d", "--name", "three", "--network", "other", *SERVE)
    address = {name: next(iter(tare.inspect(name)["NetworkSettings"]["Networks"].values()))["IPAddress"]
               for name in ("one", "two", "three")}
    wait_until(lambda: from_container(tare, "one", "127.0.0.1", 80), "one to serve")
    wait_until(lambda: from_container(tare, "two", "127.0.0.1", 81), "two to serve")
    outside.route(subnet)
    server = outside.serve()
    told = Told(tare)

    def beyond(host, port):
        return netns.inside(outside.fd, lambda: connects(host, port))
    found = {
        "outside > published": beyond(HOST4, 18080),
        "outside > own address": beyond(address["one"], 80),
        "outside > other port": beyond(address["one"], 81),
        "host > one": connects(address["one"], 81),
        "one > two": from_container(tare, "one", address["two"], 81),
        "three > one": from_container(tare, "three", address["one"], 81),
        "one > three": from_container(tare, "one", address["three"], 81),
        "three > published": from_container(tare, "three", HOST4, 18080),
        "two > outside": from_container(tare, "two", OUT4, server.port),
    }
    published = "18080->80/tcp"
    routed = [r for r in told.relations if r["Ports"] == "80/tcp"]
    assert found == {
        "outside > published": told.allows("outside", "one", published),
        "outside > own address": told.allows("outside", "one", "any", "any other", "80/tcp"),
        "outside > other port": told.allows("outside", "one", "any", "any other"),
        "host > one": told.allows("host", "one", "any"),
        "one > two": told.allows("one", "two", "any"),
        "three > one": told.allows("three", "one", "any"),
        "one > three": told.allows("one", "three", "any"),
        "three > published": any(r["From"] == "three" and r["To"] == "one" and r["Ports"] == published and r["Allowed"]
                                 for r in told.relations),
        "two > outside": told.allows("two", "outside", "any"),
    }, (kind, routed)


@pytest.mark.parametrize("kind", ["nat", "internal", "isolated"])
def test_services_of_the_host_are_told(tare, network, kind):
    tare.ok("network", "create", *KINDS[kind], "--subnet", "10.77.0.0/24", "--gateway", "10.77.0.1", "kind")
    tare.ok("run", "-d", "--name", "one", "--network", "kind", "busybox", "sleep", "1000")
    server = Server(netns.here(), "tcp", "0.0.0.0", 18022)
    try:
        told = [r for r in Told(tare).relations if (r["From"], r["To"]) == ("one", "host") and "18022/tcp" in r["Ports"]]
        assert from_container(tare, "one", "10.77.0.1", 18022) == bool(told)
    finally:
        server.close()
