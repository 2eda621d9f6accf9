# SPDX-License-Identifier: Apache-2.0
"""Containers in networks: what they get there, what they are refused, and live connects."""
import concurrent.futures
import json
import os
import re
import signal
import subprocess

import pytest

from conftest import PROGRAM, wait_until

SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture
def nets(tare):
    """net1 with a subnet of tare's choice, net2 with one that was said, net6 with IPv6."""
    tare.ok("network", "create", "net1")
    tare.ok("network", "create", "--subnet", "10.70.0.0/24", "net2")
    tare.ok("network", "create", "--ipv6", "--subnet", "fd70::/64", "net6")
    return tare


def addresses(tare, name, family="-4"):
    out = tare.ok("exec", name, "ip", "-o", family, "addr", "show", "scope", "global")
    return {line.split()[1]: line.split()[3] for line in out.splitlines() if line.split()[1] != "lo"}


def default_route(tare, name):
    out = tare.ok("exec", name, "ip", "route")
    found = re.findall("^default via ([0-9.]+) dev ([a-z0-9]+)", out, re.M)
    assert len(found) <= 1
    return found[0] if found else None


def networks_of(tare, name):
    return tare.inspect(name)["NetworkSettings"]["Networks"]


def leases(tare):
    return sorted(p.name for p in (tare.runroot / "networks").glob("*/addresses/*"))


# ---------------------------------------------------------------- starts

def test_default_bridge(tare):
    out = tare.ok("run", "--rm", "--hostname", "me", "busybox", "sh", "-c",
                  "ip -o -4 addr show eth0; ip route; cat /etc/hosts; ping -c1 -W5 172.17.0.1 >/dev/null && echo reached")
    assert "inet 172.17.0.2/16 brd 172.17.255.255" in out
    assert "default via 172.17.0.1 dev eth0" in out
    assert "172.17.0.2\tme\n" in out and "reached" in out
    assert tare.inspect(tare.ok("run", "-d", *SLEEP))["HostConfig"]["NetworkMode"] == "bridge"


def test_lowest_free_address(tare):
    for n in (2, 3, 4):
        tare.ok("run", "-d", "--name", "c%d" % n, *SLEEP)
        assert addresses(tare, "c%d" % n) == {"eth0": "172.17.0.%d/16" % n}
    tare.ok("rm", "-f", "c3")
    assert leases(tare) == ["172.17.0.2", "172.17.0.4"]
    tare.ok("run", "-d", "--name", "c3", *SLEEP)
    assert addresses(tare, "c3") == {"eth0": "172.17.0.3/16"}


def test_ipv6_is_off_without_a_network_that_has_it(nets):
    assert nets.ok("run", "--rm", "busybox", "ip", "-6", "-o", "addr", "show", "eth0") == ""
    out = nets.ok("run", "--rm", "--network", "net6", "busybox", "sh", "-c",
                  "ip -6 -o addr show eth0 scope global; ip -6 route; ping -6 -c1 -W5 fd70::1 >/dev/null && echo reached")
    assert "fd70::2/64" in out and "default via fd70::1 dev eth0" in out and "reached" in out


def test_several_networks(nets):
    nets.ok("run", "-d", "--name", "c1", "--network", "name=net2,ip=10.70.0.9,alias=web", "--network", "net1",
            "--network", "net6", *SLEEP)
    found = addresses(nets, "c1")
    assert found["eth0"] == "10.70.0.9/24" and found["eth1"].startswith("172.18.0.2/")
    assert addresses(nets, "c1", "-6")["eth2"] == "fd70::2/64"
    # The first by name, as docker chooses.
    assert default_route(nets, "c1")[1] == "eth1"
    shown = networks_of(nets, "c1")
    assert list(shown) == ["net1", "net2", "net6"]
    assert shown["net2"]["IPAMConfig"] == {"IPv4Address": "10.70.0.9"}
    assert shown["net2"]["Aliases"] == ["web"]
    assert shown["net2"]["DNSNames"] == ["c1", "web", nets.inspect("c1")["Id"][:12]]
    assert nets.ok("ps", "--format", "{{.Networks}}") == "net1,net2,net6"


def test_gateway_priority(nets):
    nets.ok("run", "-d", "--name", "c1", "--network", "net1", "--network", "name=net2,gw-priority=3", *SLEEP)
    assert default_route(nets, "c1") == ("10.70.0.1", "eth1")
    assert networks_of(nets, "c1")["net2"]["GwPriority"] == 3
    nets.ok("network", "connect", "--gw-priority", "7", "net6", "c1")
    assert default_route(nets, "c1")[1] == "eth2"
    nets.ok("network", "disconnect", "net6", "c1")
    assert default_route(nets, "c1") == ("10.70.0.1", "eth1")


def test_what_was_asked_for_stays_over_restarts(nets):
    nets.ok("run", "-d", "--name", "c1", "--network", "net2", "--ip", "10.70.0.77", "--mac-address", "02:00:00:00:00:99",
            "--network-alias", "al", "--hostname", "h", "--domainname", "example.org", *SLEEP)
    for _ in range(2):
        assert addresses(nets, "c1") == {"eth0": "10.70.0.77/24"}
        assert "link/ether 02:00:00:00:00:99" in nets.ok("exec", "c1", "ip", "link", "show", "eth0")
        assert nets.ok("exec", "c1", "cat", "/etc/hosts").count("10.70.0.77\th.example.org h") == 1
        nets.ok("restart", "-t", "0", "c1")
    nets.ok("stop", "-t", "0", "c1")
    assert leases(nets) == []
    assert networks_of(nets, "c1")["net2"]["IPAddress"] == ""


def test_link_local_and_endpoint_options(nets):
    out = nets.ok("run", "--rm", "--network",
                  "name=net2,driver-opt=com.docker.network.endpoint.ifname=foo0,link-local-ip=169.254.8.8,"
                  "\"driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1\"",
                  "busybox", "sh", "-c", "ip -o -4 addr show foo0; cat /proc/sys/net/ipv4/conf/foo0/log_martians")
    assert "169.254.8.8/16" in out and out.endswith("\n1")


def test_host_gateway(nets):
    hosts = nets.ok("run", "--rm", "--network", "net2", "--add-host", "up:host-gateway", "busybox", "cat", "/etc/hosts")
    assert "10.70.0.1\tup\n" in hosts
    nets.ok("run", "-d", "--name", "c1", "--add-host", "up:host-gateway", *SLEEP)
    nets.ok("restart", "-t", "0", "c1")
    assert nets.ok("exec", "c1", "cat", "/etc/hosts").count("\tup\n") == 1


@pytest.mark.parametrize("options, message", [
    (["--ip", "1.2.3.4"], "user specified IP address is supported on user defined networks only"),
    (["--network", "net1", "--ip", "172.18.0.9"],
     "user specified IP address is supported only when connecting to networks with user configured subnets"),
    (["--network", "net2", "--ip6", "fd99::1"],
     "user specified IP address is supported only when connecting to networks with user configured subnets"),
    (["--network", "net2", "--ip", "10.99.0.9"],
     "Invalid address 10.99.0.9: It does not belong to any of this network's subnets"),
    (["--network", "net2", "--ip", "10.70.0.1"], "Address already in use"),
    (["--network", "net2", "--ip", "10.70.0.255"], "Address already in use"),
    (["--network", "net2", "--ip", "zzz"], "invalid IPv4 address: zzz"),
    (["--network", "name=net2,ip6=1.2.3.4"], "invalid IPv6 address: 1.2.3.4"),
    (["--network", "net2", "--link-local-ip", "zz"], "Invalid link-local IP address: [zz]"),
    (["--mac-address", "zz"], "zz is not a valid mac address"),
    (["--network", "host", "--mac-address", "02:00:00:00:00:99"], "conflicting options: mac-address and the network mode"),
    (["--network-alias", "al"], "network-scoped aliases are only supported for user-defined networks"),
    (["--network", "net1", "--network", "none"],
     "conflicting options: cannot attach both user-defined and non-user-defined network-modes"),
    (["--network", "net1", "--network", "net1"], 'network "net1" is specified multiple times'),
    (["--network", "host", "--network", "bridge"], "Container cannot be connected to network endpoints: host, bridge"),
    (["--network", "nosuch"], "network nosuch not found"),
    (["--network", "name=net2,alias=x", "--network-alias", "y"],
     "conflicting options: cannot specify both --network-alias and per-network alias"),
    (["--network", "name=net2,ip=10.70.0.5", "--ip", "10.70.0.6"],
     "conflicting options: cannot specify both --ip and per-network IPv4 address"),
    (["--network", "name=net2,foo=x"], 'invalid argument "name=net2,foo=x" for "--network" flag: invalid field key foo'),
    (["--network", "name=net2,driver-opt=x"], "invalid key value pair format in driver options"),
    (["--network", "alias=x"], "network name/id is not specified"),
    (["--network", "name=net2,gw-priority=x"], "invalid gw-priority (x): invalid syntax"),
    (["--network", "name=net2,driver-opt=com.docker.network.endpoint.ifname=a/b"], 'invalid interface name "a/b"'),
    (["--network", "name=net2,driver-opt=com.docker.network.endpoint.sysctls=kernel.panic=1"],
     "invalid com.docker.network.endpoint.sysctls"),
])
def test_refused(nets, options, message):
    got = nets("run", "--rm", *options, "busybox", "true")
    assert got.rc == 125 and message in got.err
    assert nets.ok("ps", "-aq") == "" and leases(nets) == []


def test_all_addresses_taken(tare):
    tare.ok("network", "create", "--subnet", "10.71.0.0/29", "small")
    for n in range(5):
        tare.ok("run", "-d", "--name", "c%d" % n, "--network", "small", *SLEEP)
    got = tare("run", "--rm", "--network", "small", "busybox", "true")
    assert got.rc == 125
    assert re.search(r"no available IPv4 addresses on this network's address pools: small \([0-9a-f]{64}\)", got.err)
    tare.ok("rm", "-f", "c3")
    assert "10.71.0.5/29" in tare.ok("run", "--rm", "--network", "small", "busybox", "ip", "-o", "-4", "addr")


def test_a_command_that_does_not_start_leaves_nothing(nets):
    assert nets("run", "--rm", "--network", "net2", "busybox", "/nosuch").rc == 127
    assert nets("run", "--network", "net2", "--network", "net1", "busybox", "/nosuch").rc == 127
    assert leases(nets) == []


def test_listed_by_network(nets):
    nets.ok("run", "-d", "--name", "c1", "--network", "net1", "--network", "net2", *SLEEP)
    nets.ok("run", "-d", "--name", "c2", *SLEEP)
    number = nets.ok("network", "inspect", "-f", "{{.Id}}", "net2")
    for value, names in (("net1", "c1"), ("net2", "c1"), (number, "c1"), (number[:12], "c1"), ("bridge", "c2"),
                         ("net6", ""), ("nosuch", "")):
        assert nets.ok("ps", "--filter", "network=" + value, "--format", "{{.Names}}") == names


def test_links_on_a_user_network(nets):
    """An alias that is the container's own; the other may come later."""
    nets.ok("run", "-d", "--name", "c1", "--network", "net2", "--link", "later:db", *SLEEP)
    assert nets("exec", "c1", "ping", "-c1", "-W2", "db").rc != 0
    nets.ok("run", "-d", "--name", "later", "--network", "net2", *SLEEP)
    wait_until(lambda: nets("exec", "c1", "ping", "-c1", "-W2", "db").rc == 0, "the link")
    assert nets("exec", "later", "ping", "-c1", "-W2", "db").rc != 0
    assert networks_of(nets, "c1")["net2"]["Links"] == ["later:db"]


def test_links_on_the_default_bridge(tare):
    tare.ok("run", "-d", "--name", "db", "--expose", "80", "-e", "A=b", *SLEEP)
    number = tare.inspect("db")["Id"][:12]
    tare.ok("run", "-d", "--name", "me", "--link", "db:my-sql", "busybox", "sh", "-c", "env; sleep 1000")
    log = tare.wait_log("me", "PWD")
    for line in ("MY_SQL_NAME=/me/my-sql", "MY_SQL_PORT=tcp://172.17.0.2:80", "MY_SQL_PORT_80_TCP_ADDR=172.17.0.2",
                 "MY_SQL_ENV_A=b"):
        assert line in log.splitlines()
    for _ in range(2):
        assert tare.ok("exec", "me", "cat", "/etc/hosts").count("172.17.0.2\tmy-sql %s db\n" % number) == 1
        tare.ok("restart", "-t", "0", "me")
    tare.ok("create", "--name", "free", "--link", "db:sql", "--link", "db", "busybox", "cat", "/etc/hosts")
    assert tare.ok("rm", "--link", "/free/sql") == "/free/sql"
    assert tare.inspect("free")["HostConfig"]["Links"] == ["/db:/free/db"]
    hosts = tare.ok("start", "-a", "free")
    assert "172.17.0.2\tdb %s\n" % number in hosts and "sql" not in hosts
    assert "No such container: /free/sql" in tare("rm", "--link", "/free/sql").err
    assert "cannot remove the default link name of the container" in tare("rm", "--link", "free").err
    tare.ok("stop", "-t", "0", "db")
    got = tare("restart", "-t", "0", "me")
    assert got.rc == 1 and "Cannot link to a non running container: /db AS /me/my-sql" in got.err
    assert tare("run", "--link", "nosuch", "busybox", "true").err.startswith(
        "tare: could not get container for nosuch: No such container: nosuch")


# ---------------------------------------------------------------- connect and disconnect

def test_connect_and_disconnect_live(nets):
    nets.ok("run", "-d", "--name", "c1", "--hostname", "foo", *SLEEP)
    nets.ok("network", "connect", "--ip", "10.70.0.77", "--alias", "hi", "net2", "c1")
    assert addresses(nets, "c1") == {"eth0": "172.17.0.2/16", "eth1": "10.70.0.77/24"}
    assert default_route(nets, "c1")[1] == "eth0"
    hosts = nets.ok("exec", "c1", "cat", "/etc/hosts")
    assert hosts.endswith("172.17.0.2\tfoo\n10.70.0.77\tfoo")
    assert "nameserver 127.0.0.11" in nets.ok("exec", "c1", "cat", "/etc/resolv.conf")
    nets.ok("network", "disconnect", "bridge", "c1")
    assert addresses(nets, "c1") == {"eth1": "10.70.0.77/24"}
    assert default_route(nets, "c1") == ("10.70.0.1", "eth1")
    assert "172.17.0.2" not in nets.ok("exec", "c1", "cat", "/etc/hosts")
    assert list(networks_of(nets, "c1")) == ["net2"]
    nets.ok("network", "disconnect", "net2", "c1")
    assert addresses(nets, "c1") == {} and default_route(nets, "c1") is None
    assert networks_of(nets, "c1") == {} and leases(nets) == []
    nets.ok("network", "connect", "net1", "c1")
    assert list(addresses(nets, "c1").values()) == ["172.18.0.2/16"]
    # What it is in now is what it will be in.
    nets.ok("restart", "-t", "0", "c1")
    assert addresses(nets, "c1") == {"eth0": "172.18.0.2/16"}


def test_ipv6_comes_with_a_connect(nets):
    nets.ok("run", "-d", "--name", "c1", *SLEEP)
    nets.ok("network", "connect", "--ip6", "fd70::77", "net6", "c1")
    assert addresses(nets, "c1", "-6")["eth1"] == "fd70::77/64"
    nets.ok("exec", "c1", "ping", "-6", "-c1", "-W5", "fd70::1")


def test_connect_a_stopped_container(nets):
    nets.ok("create", "--name", "c1", "--network", "net2", *SLEEP)
    nets.ok("network", "connect", "net1", "c1")
    assert list(networks_of(nets, "c1")) == ["net1", "net2"] and leases(nets) == []
    nets.ok("network", "disconnect", "net2", "c1")
    nets.ok("start", "c1")
    assert list(addresses(nets, "c1").values()) == ["172.18.0.2/16"]


@pytest.mark.parametrize("mode, network, message", [
    ("host", "net1", "container sharing network namespace with another container or host cannot be connected to any "
                     "other network"),
    ("container:other", "net1", "container sharing network namespace with another container or host cannot be connected "
                                "to any other network"),
    ("none", "net1", "container cannot be connected to multiple networks with one of the networks in private (none) mode"),
    ("bridge", "none", "container cannot be connected to multiple networks with one of the networks in private (none) mode"),
    ("bridge", "host", "container cannot be disconnected from host network or connected to host network"),
    ("bridge", "nosuch", "network nosuch not found"),
    ("bridge", "bridge", "endpoint with name c1 already exists in network bridge"),
])
def test_connect_refused(nets, mode, network, message):
    nets.ok("run", "-d", "--name", "other", *SLEEP)
    nets.ok("run", "-d", "--name", "c1", "--network", mode, *SLEEP)
    got = nets("network", "connect", network, "c1")
    assert (got.rc, got.out) == (1, "") and message in got.err


def test_connect_options_refused(nets):
    nets.ok("run", "-d", "--name", "c1", "--network", "net1", *SLEEP)
    for options, message in (
            (["--ip", "1.2.3.4", "net6", "c1"], "networks with user configured subnets"),
            (["--ip", "99.1.1.1", "net2", "c1"], "Invalid address 99.1.1.1"),
            (["--ip", "10.70.0.1", "net2", "c1"], "Address already in use"),
            (["--alias", "x", "bridge", "c1"],
             "network-scoped alias is supported only for containers in user defined networks"),
            (["--ip", "172.17.0.9", "bridge", "c1"], "supported on user defined networks only"),
            (["net1", "nosuch"], "No such container: nosuch")):
        got = nets("network", "connect", *options)
        assert got.rc == 1 and message in got.err
    assert leases(nets) == ["172.18.0.2"]


def test_disconnect_refused(nets):
    nets.ok("run", "-d", "--name", "c1", *SLEEP)
    nets.ok("run", "-d", "--name", "h1", "--network", "host", *SLEEP)
    for arguments, message in (
            (["net1", "c1"], "is not connected to network net1"),
            (["nosuch", "c1"], "network nosuch not found"),
            (["bridge", "nosuch"], "No such container: nosuch"),
            (["-f", "bridge", "nosuch"], "endpoint nosuch not found"),
            (["host", "h1"], "container cannot be disconnected from host network or connected to host network"),
            (["host", "c1"], "is not connected to network host")):
        got = nets("network", "disconnect", *arguments)
        assert got.rc == 1 and message in got.err
    nets.ok("stop", "-t", "0", "c1")
    assert "is not connected to the network net1" in nets("network", "disconnect", "net1", "c1").err


def test_none_may_be_left(nets):
    nets.ok("run", "-d", "--name", "c1", "--network", "none", *SLEEP)
    nets.ok("network", "disconnect", "none", "c1")
    nets.ok("network", "connect", "net2", "c1")
    assert addresses(nets, "c1") == {"eth0": "10.70.0.2/24"}
    nets.ok("rm", "-f", "c1")
    assert leases(nets) == []


def test_explained(nets):
    nets.ok("run", "-d", "--name", "c1", *SLEEP)
    got = nets("network", "connect", "--explain", "net2", "c1", check=True)
    assert re.search(r"ip link add veth[0-9a-f]{7} .*master tare-\w{10} .*peer name eth1 .*netns /proc/\d+/ns/net", got.err)
    assert "ip addr add 10.70.0.2/24" in got.err
    got = nets("network", "disconnect", "--explain", "net2", "c1", check=True)
    assert "ip link delete eth1" in got.err
    got = nets("run", "--rm", "--explain", "busybox", "true", check=True)
    assert "ip route replace default via 172.17.0.1 dev eth0" in got.err
    assert re.search(r"rm -f \S+/endpoints/\w{64} \S+/addresses/172.17.0.3 ", got.err)


def test_script(tare, tmp_path):
    """The script of a dry run does the same, and leaves nothing."""
    script = tmp_path / "script"
    got = tare("run", "--rm", "--explain", "--dry-run", "-p", "18080:80", "busybox", "sh", "-c",
               "ip -o -4 addr show eth0; ping -c1 -W5 172.17.0.1 >/dev/null && echo reached; cat /etc/hosts", check=True)
    script.write_text(got.out)
    assert not tare.root.exists()
    done = subprocess.run(["sh", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "172.17.255.254/16" in done.stdout and "reached" in done.stdout and "172.17.255.254\t" in done.stdout
    assert "tare" not in subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    assert "tare" not in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


def test_events(nets):
    since = nets.ok("events", "--since", "0", "--until", "0s", "--format", "{{.TimeNano}}").split()[-1]
    since = "%d.%09d" % divmod(int(since) + 1, 10 ** 9)
    nets.ok("run", "-d", "--name", "c1", *SLEEP)
    nets.ok("network", "connect", "net2", "c1")
    nets.ok("network", "disconnect", "bridge", "c1")
    nets.ok("rm", "-f", "c1")
    told = [json.loads(line) for line in
            nets.ok("events", "--since", since, "--until", "0s", "--format", "json", "--filter", "type=network").splitlines()]
    assert [(e["Action"], e["Actor"]["Attributes"]["name"]) for e in told] == [
        ("connect", "bridge"), ("connect", "net2"), ("disconnect", "bridge"), ("disconnect", "net2")]
    assert all(len(e["Actor"]["Attributes"]["container"]) == 64 for e in told)


# ---------------------------------------------------------------- names

def test_names_follow(nets):
    """Connect, rename and disconnect are seen by others at once; the default bridge has no names."""
    nets.ok("run", "-d", "--name", "asker", "--network", "net2", *SLEEP)
    nets.ok("run", "-d", "--name", "c1", *SLEEP)

    def resolves(name):
        return nets("exec", "asker", "ping", "-c1", "-W2", name).rc == 0
    assert not resolves("c1")
    nets.ok("network", "connect", "--alias", "al", "net2", "c1")
    assert resolves("c1") and resolves("al") and resolves(nets.inspect("c1")["Id"][:12])
    nets.ok("rename", "c1", "other")
    wait_until(lambda: resolves("other"), "the new name")
    assert not resolves("c1") and resolves("al")
    nets.ok("network", "disconnect", "net2", "other")
    wait_until(lambda: not resolves("other"), "the end of the name")


# ---------------------------------------------------------------- deaths, and many at once

def test_restart_policy(nets):
    """What the monitor starts again has its networks again, also one that was connected meanwhile."""
    nets.ok("run", "-d", "--name", "c1", "--restart", "always", "--network", "net2", "--ip", "10.70.0.9", *SLEEP)
    nets.ok("network", "connect", "net1", "c1")
    for count in (1, 2):
        os.kill(nets.inspect("c1")["State"]["Pid"], signal.SIGKILL)
        wait_until(lambda: (nets.inspect("c1")["RestartCount"], nets.state("c1")) == (count, "running"), "the restart")
        assert sorted(addresses(nets, "c1").values()) == ["10.70.0.9/24", "172.18.0.2/16"]
        assert leases(nets) == ["10.70.0.9", "172.18.0.2"]
    nets.ok("rm", "-f", "c1")
    assert leases(nets) == []


def test_killed_monitor(nets):
    nets.ok("run", "-d", "--name", "c1", "--network", "net2", *SLEEP)
    nets.ok("network", "connect", "net1", "c1")
    run = next((nets.runroot / "containers").iterdir())
    os.kill(json.loads((run / "state.json").read_text())["monitor"]["pid"], signal.SIGKILL)
    wait_until(lambda: nets.state("c1") == "exited", "the end")
    nets.ok("ps", "-a")
    assert leases(nets) == []
    nets.ok("start", "c1")
    assert sorted(addresses(nets, "c1").values()) == ["10.70.0.2/24", "172.18.0.2/16"]


@pytest.mark.parametrize("verb", ["run", "connect", "disconnect"])
@pytest.mark.parametrize("call", ["symlinkat", "rename", "renameat", "sendmsg", "sendto"])
def test_killed_at_a_write(nets, verb, call):
    """The next command repairs; nothing stays taken."""
    nets.ok("run", "-d", "--name", "c1", *SLEEP)
    if verb == "disconnect":
        nets.ok("network", "connect", "net2", "c1")
    argv = {"run": ["run", "--rm", "--name", "c2", "--network", "net2", "busybox", "true"],
            "connect": ["network", "connect", "net2", "c1"],
            "disconnect": ["network", "disconnect", "net2", "c1"]}[verb]
    for when in (1, 2, 3):
        subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                        "inject=%s:signal=KILL:when=%d" % (call, when)] + nets.argv + argv,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=60)
        nets("run", "--rm", "busybox", "true", check=True)
        # A start does not look for monitors that were killed; whoever lists containers does.
        nets.ok("ps")
        found = addresses(nets, "c1")
        taken = set(leases(nets))
        assert taken == {a.split("/")[0] for a in found.values()}
        if verb == "run":
            assert nets.ok("ps", "-aq", "--filter", "name=c2") == ""
        nets("network", "disconnect" if verb == "connect" else "connect", "net2", "c1")
    assert nets.ok("run", "--rm", "--network", "net2", "--ip", "10.70.0.200", "busybox", "true") == ""


def test_connect_to_a_network_that_goes(nets):
    """It is removed between the command's first look and its taking an address: nothing of it comes back."""
    nets.ok("run", "-d", "--name", "c1", *SLEEP)
    late = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-P", str(nets.runroot / "networks" / "lock"), "-e",
                             "trace=openat", "-e", "inject=openat:delay_enter=1000000"] + nets.argv +
                            ["network", "connect", "net2", "c1"], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: any((nets.runroot / "pending").iterdir()), "the command to begin")
    nets.ok("network", "rm", "net2")
    assert "not found" in late.communicate(timeout=60)[1] and late.returncode == 1
    assert list(addresses(nets, "c1")) == ["eth0"] and leases(nets) == ["172.17.0.2"]


def test_many_at_once(nets):
    """64 starts on two networks at a time: nobody has another's address."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        outs = list(pool.map(lambda n: subprocess.run(
            [PROGRAM] + nets.argv[1:] + ["run", "-d", "--network", "net%d" % (1 + n % 2)] + list(SLEEP),
            capture_output=True, text=True, timeout=120), range(64)))
    assert [o.stderr for o in outs if o.returncode] == []
    ids = nets.ok("ps", "-q").split()
    assert len(ids) == 64
    found = [n["IPAddress"] for i in ids for n in networks_of(nets, i).values()]
    assert len(set(found)) == 64 and sorted(found) == leases(nets)
    nets.ok("rm", "-f", *ids)
    assert leases(nets) == []


@pytest.mark.parametrize("options", [("--mac-address", "zz"), ("--network", "name=net1,mac-address=zz")])
def test_create_refuses_a_mac_address_before_it_asks_anybody(tare, options):
    """As docker's command line does: 125, and the way to its help."""
    done = tare("create", *options, "busybox")
    assert done.rc == 125 and "zz is not a valid mac address" in done.err and "tare create --help" in done.err
