# SPDX-License-Identifier: Apache-2.0
"""Who may reach whom: every kind of network, every direction, both families, TCP and UDP, as one table.

The table is what must be; all of it is asked at once, then again after somebody has flushed the rules
and the next command has run, and again after 200 containers came and went under eight workers. At the
end nothing of theirs is left: no rule, lease, link or namespace.

The servers are the test's own sockets in the containers' namespaces. What an answer tells is the client
that the server saw.
"""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import netns
from conftest import wait_until
from outside import HOST4, HOST6, OUT4, OUT6, Server
from probes import Probe, ask

INSIDE_PORT, HIDDEN_PORT = 8000, 8001

# How a network is made. The default one has no IPv6; `none` and `host` are there.
KINDS = {
    "bridge": None,
    "user": [],
    "icc": ["-o", "com.docker.network.bridge.enable_icc=false"],
    "internal": ["--internal"],
    "none": None,
    "host": None,
    "routed": ["-o", "com.docker.network.bridge.gateway_mode_ipv4=routed",
               "-o", "com.docker.network.bridge.gateway_mode_ipv6=routed"],
}

# A dot: there is no such address. A dash: no answer. Else the client that the server sees:
# "=" the real one, "g" the gateway of the server's network, "h" the host. "~": the gateway, but no answer
# where br_netfilter is in force, with which the bridge itself passes on what was meant for the host's address,
# and keeps apart whom icc=false keeps apart.
# From `outside`, the `host`, a container of the `same` network, of an`other` one, the server `itself`,
# or the server's container to the `out`side; to the `port` published on the host's address, on `loopback`,
# to the container's own `address` where a port is published, or to one that is `hidden`.
TABLE = """
                    bridge user icc internal none host routed
outside port     4  =      =    =   -        -    =    -
outside port     6  g      =    =   -        -    =    -
outside address  4  -      -    -   -        .    .    =
outside address  6  .      -    -   -        .    .    =
outside hidden   4  -      -    -   -        .    =    -
outside hidden   6  .      -    -   -        .    =    -
host    loopback 4  g      g    g   -        -    =    -
host    loopback 6  g      g    g   -        -    =    -
host    port     4  =      =    =   -        -    =    -
host    port     6  g      =    =   -        -    =    -
host    address  4  =      =    =   =        .    .    =
host    address  6  .      =    =   =        .    .    =
host    hidden   4  =      =    =   =        .    =    =
host    hidden   6  .      =    =   =        .    =    =
same    address  4  =      =    -   =        .    .    =
same    address  6  .      =    -   =        .    .    =
same    hidden   4  =      =    -   =        .    =    =
same    hidden   6  .      =    -   =        .    =    =
same    port     4  g      g    ~   -        -    =    -
same    port     6  .      g    ~   -        -    =    -
other   address  4  -      -    -   -        .    .    =
other   address  6  .      -    -   -        .    .    =
other   hidden   4  -      -    -   -        .    =    -
other   hidden   6  .      -    -   -        .    =    -
other   port     4  =      =    =   -        -    =    -
other   port     6  g      =    =   -        -    =    -
itself  port     4  g      g    ~   -        -    =    -
itself  port     6  .      g    ~   -        -    =    -
out     -        4  h      h    h   -        -    =    =
out     -        6  .      h    h   -        -    =    =
"""


def cells():
    """(who, to, family, kind, expected)"""
    lines = TABLE.strip("\n").splitlines()
    kinds = lines[0].split()
    for line in lines[1:]:
        who, to, family, *values = line.split()
        assert len(values) == len(kinds), line
        yield from ((who, to, int(family), kind, value) for kind, value in zip(kinds, values))


class Place:
    """A container: where it is, and what it is called there."""

    def __init__(self, tare, name, kind):
        self.kind = kind
        self.fd = netns.here() if kind == "host" else netns.of_process(
            int(tare.ok("inspect", "-f", "{{.State.Pid}}", name)))
        settings = tare.inspect(name)["NetworkSettings"]["Networks"]
        network = next(iter(settings.values()), {})
        self.address = {4: network.get("IPAddress", ""), 6: network.get("GlobalIPv6Address", "")}
        self.gateways = {network.get("Gateway"), network.get("IPv6Gateway")} - {"", None}
        if kind == "host":
            self.address = {4: HOST4, 6: HOST6}

    def serve(self, ports):
        """Listens on PORTS at every address that is there."""
        every = [("0.0.0.0", p) for p in ports] + [("::", p) for p in ports]
        return [Server(self.fd, proto, address, port) for address, port in every for proto in ("tcp", "udp")]


class World:
    def __init__(self, tare, outside, br_netfilter):
        self.tare, self.outside, self.br_netfilter, self.servers = tare, outside, br_netfilter, []
        self.port, self.hidden, self.place, self.peer = {}, {}, {}, {}
        self.here = netns.here()
        self.make_networks()
        for number, kind in enumerate(KINDS):
            self.make_containers(number, kind)
        tare.ok("run", "-d", "--name", "other", "--network", "elsewhere", "busybox", "sleep", "1000")
        self.other = Place(tare, "other", "elsewhere")
        self.beyond = {}
        for proto in ("tcp", "udp"):
            for family, address in ((4, OUT4), (6, OUT6)):
                self.beyond[proto, family] = outside.serve(proto, address).port

    def make_networks(self):
        made = [(k, o) for k, o in KINDS.items() if o is not None] + [("elsewhere", [])]
        for number, (kind, options) in enumerate(made):
            subnets = ["10.90.%d.0/24" % number, "fd90:%d::/64" % number]
            self.tare.ok("network", "create", "--ipv6", "--subnet", subnets[0], "--subnet", subnets[1], *options, kind)
            for subnet in subnets:
                self.outside.route(subnet)
        self.outside.route("172.17.0.0/16")

    def make_containers(self, number, kind):
        port = self.port[kind] = 20000 + number
        inside = self.hidden[kind] = port if kind == "host" else HIDDEN_PORT
        if kind == "host":
            self.hidden[kind] = inside = port + 100
        self.tare.ok("run", "-d", "--name", "c-" + kind, "--network", kind, "-p", "%d:%d" % (port, INSIDE_PORT),
                     "-p", "%d:%d/udp" % (port, INSIDE_PORT), "busybox", "sleep", "1000")
        self.tare.ok("run", "-d", "--name", "p-" + kind, "--network", kind, "busybox", "sleep", "1000")
        self.place[kind], self.peer[kind] = Place(self.tare, "c-" + kind, kind), Place(self.tare, "p-" + kind, kind)
        self.servers += self.place[kind].serve((port if kind == "host" else INSIDE_PORT, inside))

    def probe(self, who, to, family, kind, proto):
        place = self.place[kind]
        fd = {"outside": self.outside.fd, "host": self.here, "same": self.peer[kind].fd, "other": self.other.fd,
              "itself": place.fd, "out": place.fd}[who]
        if who == "out":
            return Probe(fd, {4: OUT4, 6: OUT6}[family], self.beyond[proto, family], proto)
        address = {"port": {4: HOST4, 6: HOST6}[family], "loopback": {4: "127.0.0.1", 6: "::1"}[family]}.get(
            to, place.address[family])
        return Probe(fd, address, {"address": INSIDE_PORT, "hidden": self.hidden[kind]}.get(to, self.port[kind]), proto)

    def close(self):
        for server in self.servers:
            server.close()
        for place in list(self.place.values()) + list(self.peer.values()) + [self.other]:
            os.close(place.fd)
        os.close(self.here)


def means(answer, kind, world):
    """An answer in the table's letters."""
    if answer is None:
        return "-"
    if answer.seen == answer.own:
        return "="
    if answer.seen in world.place[kind].gateways:
        return "g"
    return "h" if answer.seen in (HOST4, HOST6) else answer.seen


def set_br_netfilter(on):
    for name in ("iptables", "ip6tables", "arptables"):
        with open("/proc/sys/net/bridge/bridge-nf-call-" + name, "w") as f:
            f.write("1" if on else "0")


def differences(world):
    """What is not as the table says, one line for each."""
    asked = [(who, to, family, kind, proto, want) for who, to, family, kind, want in cells() if want != "."
             for proto in ("tcp", "udp")]
    lacking = [c for c in asked if not world.probe(*c[:5]).address]
    assert not lacking, "no such address, though the table says there is: %s" % lacking[:5]
    asked = [c[:5] + (c[5] if c[5] != "~" else "-" if world.br_netfilter else "g",) for c in asked]
    answers = ask([world.probe(*c[:5]) for c in asked], [c[5] != "-" for c in asked])
    found = []
    for (who, to, family, kind, proto, want), answer in zip(asked, answers):
        got = means(answer, kind, world)
        if got != want:
            found.append("%s -> %s of %s, IPv%d, %s: %r, not %r" % (who, to, kind, family, proto, got, want))
    return found


def check(world):
    found = differences(world)
    if found:
        pytest.fail("%d answers are not as the table says:\n  " % len(found) + "\n  ".join(found), pytrace=False)


@pytest.fixture(params=["with", "without"])
def world(tare, outside, request):
    """With br_netfilter, where packets between containers of one bridge meet the rules too, and without."""
    on = request.param == "with"
    if os.path.exists("/proc/sys/net/bridge"):
        set_br_netfilter(on)
    elif on:
        pytest.skip("the kernel has no br_netfilter")
    made = World(tare, outside, on)
    yield made
    made.close()


# ---------------------------------------------------------------- what is there

def rules():
    return subprocess.run(["nft", "-s", "list", "ruleset"], stdout=subprocess.PIPE, text=True, check=True).stdout


def without_numbers(text):
    """Handles and counters apart, and whatever the kernel orders as it likes."""
    return sorted(re.findall(r"[^\s,{}]+", text))


def leases(tare):
    networks = tare.runroot / "networks"
    return sorted(str(p.relative_to(networks)) for kind in ("addresses", "endpoints") for p in networks.glob("*/%s/*" % kind))


def inventory(tare):
    return {"rules": without_numbers(rules()), "leases": leases(tare), "links": sorted(netns.links()),
            "files": sorted(p.name for p in (tare.runroot / "containers").iterdir())}


# ---------------------------------------------------------------- the test

def come_and_go(tare):
    """200 containers under eight workers, on every kind of network, every fourth with a port."""
    kinds = [k for k in KINDS if k not in ("none", "host")]

    def one(n):
        ports = ["-p", "0:80", "-p", "0:53/udp"] if n % 4 == 0 else []
        return tare("run", "--rm", "--network", kinds[n % len(kinds)], *ports, "busybox", "true", timeout=120)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(200)))
    bad = [d for d in done if d.rc]
    assert not bad, "%d of 200 failed: %s" % (len(bad), bad[0].err)


def test_who_reaches_whom(tare, world):
    check(world)

    before = inventory(tare)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    tare.ok("run", "--rm", "--network", "user", "busybox", "true")
    wait_until(lambda: inventory(tare)["links"] == before["links"], "the link of the command to go")
    assert inventory(tare) == before
    check(world)

    come_and_go(tare)
    wait_until(lambda: inventory(tare)["links"] == before["links"], "200 links to go")
    assert inventory(tare) == before
    check(world)


def test_nothing_is_left_of_them(tare):
    """Neither a lease nor a link of containers that are gone, and so no namespace, which would have kept its link;
    no rule and no bridge after `network prune`."""
    tare.ok("network", "create", "user")
    for n in range(8):
        tare.ok("run", "-d", "--name", "c%d" % n, "--network", "user" if n % 2 else "bridge", "-p", "80", "busybox",
                "sleep", "1000")
    assert len(leases(tare)) >= 16
    tare.ok("rm", "-f", *["c%d" % n for n in range(8)])
    assert leases(tare) == []
    wait_until(lambda: not [n for n in netns.links() if n.startswith("veth")], "the links to go")
    tare.ok("network", "prune", "-f")
    assert netns.links() == ["lo"] and netns.tables() == []
