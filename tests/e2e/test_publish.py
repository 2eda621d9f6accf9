# SPDX-License-Identifier: Apache-2.0
"""Published ports: where a container is reached, whom it sees, who has a port, and for how long."""
import concurrent.futures
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

import netns
from conftest import wait_until
from outside import HOST4, HOST6, OUT4, Server, family_of

GATEWAY = "172.17.0.1"


def ask(address, port, proto="tcp", timeout=3):
    """What the server at ADDRESS says of who asked it, without the port; None when nobody answers."""
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[proto]
    with socket.socket(family_of(address), kind) as s:
        s.settimeout(timeout)
        try:
            s.connect((address, port))
            if proto == "udp":
                s.send(b"?")
            return s.recv(100).decode().rsplit(" ", 1)[0] or None
        except OSError:
            return None


def is_free(port, address="0.0.0.0", kind=socket.SOCK_STREAM):
    with socket.socket(family_of(address), kind) as s:
        if kind == socket.SOCK_STREAM:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family_of(address) == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen(1)
            return True
        except OSError:
            return False


def elements(port):
    """Lines of the host's rules that name PORT."""
    got = subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.PIPE, text=True, check=True)
    return re.findall(r"(?:tcp|udp) \. %d : [\d.a-f:]+ \. \d+" % port, got.stdout)


@pytest.fixture
def serve(tare):
    """Serves in a container's own namespace: `serve("c", "tcp", 80)` answers with who asks."""
    servers = []

    def make(name, proto, port, address="0.0.0.0"):
        fd = netns.of_process(tare.inspect(name)["State"]["Pid"])
        servers.append(Server(fd, proto, address, port))
        os.close(fd)
        return servers[-1]
    yield make
    for server in servers:
        server.close()


def start(tare, name, *options):
    tare.ok("run", "-d", "--name", name, *options, "busybox", "sleep", "1000")


def from_container(tare, name, address, port):
    got = tare("exec", name, "nc", "-w", "3", address, str(port))
    return got.out.rsplit(" ", 1)[0] or None


# ---------------------------------------------------------------- who is reached, and whom it sees

def test_reached_from_everywhere(tare, serve, outside):
    """docker's promise: the real client, but for what comes by loopback, and by IPv6 to IPv4."""
    start(tare, "web", "-p", "8080:80", "-p", "5353:53/udp")
    start(tare, "other")
    serve("web", "tcp", 80)
    serve("web", "udp", 53)
    for proto, port in (("tcp", 8080), ("udp", 5353)):
        assert ask("127.0.0.1", port, proto) == GATEWAY
        assert ask("::1", port, proto) == GATEWAY
        assert ask(HOST4, port, proto) == HOST4
        assert ask(HOST6, port, proto) == GATEWAY
        assert netns.inside(outside.fd, lambda: ask(HOST4, port, proto)) == OUT4
        assert netns.inside(outside.fd, lambda: ask(HOST6, port, proto)) == GATEWAY
    for name in ("other", "web"):
        assert from_container(tare, name, GATEWAY, 8080) == GATEWAY
        assert from_container(tare, name, HOST4, 8080) == GATEWAY
    # Not by another route: neither the port itself nor the container's own address leads there.
    assert ask(HOST4, 80) is None
    outside.route("172.17.0.0/16")
    own = tare.inspect("web")["NetworkSettings"]["IPAddress"]
    assert netns.inside(outside.fd, lambda: ask(own, 80, timeout=0.5)) is None


def test_an_address_means_that_address(tare, serve, outside):
    start(tare, "web", "-p", "127.0.0.1:8081:80", "-p", "[::1]:8082:80", "-p", HOST4 + ":8083:80")
    serve("web", "tcp", 80)
    assert tare.ok("port", "web").split("\n") == [
        "80/tcp -> 127.0.0.1:8081", "80/tcp -> %s:8083" % HOST4, "80/tcp -> [::1]:8082"]
    assert ask("127.0.0.1", 8081) == GATEWAY and ask(HOST4, 8081) is None
    assert ask("::1", 8082) == GATEWAY and ask(HOST6, 8082) is None and ask("127.0.0.1", 8082) is None
    assert ask(HOST4, 8083) == HOST4 and ask("127.0.0.1", 8083) is None
    assert netns.inside(outside.fd, lambda: ask(HOST4, 8081, timeout=0.5)) is None
    assert netns.inside(outside.fd, lambda: ask(HOST4, 8083)) == OUT4


def test_ipv6_inside(tare, serve, outside):
    tare.ok("network", "create", "--ipv6", "--subnet", "fd77:5::/64", "six")
    start(tare, "web", "--network", "six", "-p", "8080:80")
    serve("web", "tcp", 80)
    serve("web", "tcp", 80, "::")
    gateway = tare.inspect("web")["NetworkSettings"]["Networks"]["six"]["IPv6Gateway"]
    assert ask("::1", 8080) == gateway
    assert ask(HOST6, 8080) == HOST6
    assert netns.inside(outside.fd, lambda: ask(HOST6, 8080)) == "2001:db8:1::2"


def test_large_and_half_closed_through_the_relay(tare):
    """What ::1 carries is what was sent, both ways, and each end is passed on by itself."""
    start(tare, "web", "-p", "8080:80")
    fd = netns.of_process(tare.inspect("web")["State"]["Pid"])
    listening = netns.inside(fd, lambda: socket.create_server(("0.0.0.0", 80)))
    os.close(fd)
    data = os.urandom(1 << 20) * 16
    with listening, socket.create_connection(("::1", 8080)) as client:
        server = listening.accept()[0]
        with concurrent.futures.ThreadPoolExecutor() as pool, server:
            sent = pool.submit(lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
            got = b"".join(iter(lambda: server.recv(1 << 16), b""))
            sent.result()
            assert got == data
            answered = pool.submit(lambda: (server.sendall(data[:1 << 20]), server.shutdown(socket.SHUT_WR)))
            assert b"".join(iter(lambda: client.recv(1 << 16), b"")) == data[:1 << 20]
            answered.result()


# ---------------------------------------------------------------- which ports

def test_random_ports_and_all_that_are_exposed(tare):
    start(tare, "web", "-P", "--expose", "90-91", "--expose", "53/udp", "-p", "9100-9101:80", "-p", "0:81", "-p", "82")
    shown = tare.inspect("web")["NetworkSettings"]["Ports"]
    assert sorted(shown) == ["53/udp", "80/tcp", "81/tcp", "82/tcp", "90/tcp", "91/tcp"]
    for key, bindings in shown.items():
        assert [b["HostIp"] for b in bindings] == ["0.0.0.0", "::"], key
        assert len({b["HostPort"] for b in bindings}) == 1, key
    low, high = map(int, open("/proc/sys/net/ipv4/ip_local_port_range").read().split())
    assert shown["80/tcp"][0]["HostPort"] == "9100"
    assert all(low <= int(shown[k][0]["HostPort"]) <= high for k in ("53/udp", "81/tcp", "82/tcp", "90/tcp"))
    start(tare, "second", "-p", "9100-9101:80")
    assert tare.ok("port", "second", "80") == "0.0.0.0:9101\n[::]:9101"
    got = tare("run", "--rm", "-p", "9100-9101:80", "busybox", "true")
    assert got.rc == 125 and "all ports are allocated" in got.err


def test_what_ps_and_port_show(tare):
    start(tare, "web", "-p", "8100-8102:8100-8102", "-p", "9000:9001", "--expose", "81-82", "-p", "127.0.0.1:53:53/udp")
    assert tare.ok("ps", "--format", "{{.Ports}}") == (
        "127.0.0.1:53->53/udp, 81-82/tcp, 0.0.0.0:8100-8102->8100-8102/tcp, [::]:8100-8102->8100-8102/tcp, "
        "0.0.0.0:9000->9001/tcp, [::]:9000->9001/tcp")
    assert tare.ok("port", "web", "8101") == "0.0.0.0:8101\n[::]:8101"
    assert tare.ok("port", "web", "53/udp") == "127.0.0.1:53"
    got = tare("port", "web", "81")
    assert (got.rc, got.out) == (1, "") and "No public port '81' published for web" in got.err
    assert "invalid port (x)" in tare("port", "web", "x").err
    assert tare.ok("ps", "-q", "--filter", "publish=9000") and not tare.ok("ps", "-q", "--filter", "publish=9001")
    assert tare.ok("ps", "-q", "--filter", "publish=8000-8100") and tare.ok("ps", "-q", "--filter", "expose=9001")
    tare.ok("stop", "-t", "0", "web")
    assert tare.ok("port", "web") == "" == tare.ok("ps", "-a", "--format", "{{.Ports}}")
    assert tare.inspect("web")["NetworkSettings"]["Ports"] == {}
    assert tare.inspect("web")["HostConfig"]["PortBindings"]["53/udp"] == [{"HostIp": "127.0.0.1", "HostPort": "53"}]


def test_networks_that_take_no_ports(tare):
    tare.ok("network", "create", "--internal", "closed")
    for network in ("closed", "none", "host"):
        start(tare, network, "--network", network, "-p", "8080:80")
        assert tare.ok("port", network) == ""
    assert is_free(8080)


def test_settings(tare, serve, outside, tmp_path):
    conf = tmp_path / "tare.conf"
    env = {"TARE_CONFIG": str(conf)}
    conf.write_text("publish.default-ip = 127.0.0.1\n")
    tare.ok("run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sleep", "1000", env=env)
    assert tare.ok("port", "web") == "80/tcp -> 127.0.0.1:8080"
    tare.ok("network", "create", "-o", "com.docker.network.bridge.host_binding_ipv4=" + HOST4, "bound")
    tare.ok("run", "-d", "--name", "bound", "--network", "bound", "-p", "8081:80", "busybox", "sleep", "9", env=env)
    assert tare.ok("port", "bound") == "80/tcp -> %s:8081" % HOST4
    conf.write_text("\npublish.default = 127.0.0.1\n")
    got = tare("run", "--rm", "-p", "8082:80", "busybox", "true", env=env)
    assert got.rc == 125 and "%s:2: unknown key: publish.default" % conf in got.err
    # Who publishes nothing does not read it.
    assert tare("run", "--rm", "busybox", "true", env=env).rc == 0


def test_the_hosts_own_firewall_is_respected(tare, serve, outside, tmp_path):
    conf = tmp_path / "tare.conf"
    conf.write_text("publish.respect-firewall = true\n")
    for name in ("open", "shut"):
        tare.ok("run", "-d", "--name", name, "-p", ("8080" if name == "open" else "8081") + ":80",
                "-p", ("53" if name == "open" else "54") + ":53/udp", "busybox", "sleep", "1000",
                env={"TARE_CONFIG": str(conf)})
        serve(name, "tcp", 80)
        serve(name, "udp", 53)
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input="""
table inet host {
    chain input {
        type filter hook input priority 0; policy accept;
        iifname "out0" tcp dport 8081 drop
        iifname "out0" udp dport 54 drop
    }
}
""")
    beyond = [netns.inside(outside.fd, lambda: ask(HOST4, port, proto, 0.5))
              for port, proto in ((8080, "tcp"), (8081, "tcp"), (53, "udp"), (54, "udp"))]
    assert beyond == [GATEWAY, None, GATEWAY, None]
    assert ask("127.0.0.1", 8081) == GATEWAY == ask("127.0.0.1", 54, "udp")
    assert elements(8080) == []
    got = tare("run", "--rm", "-p", "80:80/sctp", "busybox", "true", env={"TARE_CONFIG": str(conf)})
    assert got.rc == 125 and "80/sctp" in got.err


# ---------------------------------------------------------------- conflicts

def test_a_port_of_another_container(tare):
    start(tare, "one", "-p", "8080:80")
    for binding in ("8080:80", "127.0.0.1:8080:80", "8080:81/tcp"):
        got = tare("run", "--name", "two", "-p", binding, "busybox", "true")
        address = "127.0.0.1" if "127" in binding else "0.0.0.0"
        assert got.rc == 125
        assert re.search(r"driver failed programming external connectivity on endpoint two \([0-9a-f]{64}\): Bind for "
                         r"%s:8080 failed: port is already allocated" % re.escape(address), got.err)
        state = tare.inspect("two")["State"]
        assert state["Status"] == "created" and "already allocated" in state["Error"] and state["ExitCode"] == 128
        tare.ok("rm", "two")
    assert tare("run", "--rm", "--name", "three", "-p", "8080:80", "busybox", "true").rc == 125
    assert tare.state("three") is None
    # Another protocol is another port; a port asked for twice is one too many.
    assert tare("run", "--rm", "-p", "8080:80/udp", "busybox", "true").rc == 0
    assert "port is already allocated" in tare("run", "--rm", "-p", "81:80", "-p", "81:80", "busybox", "true").err
    tare.ok("create", "--name", "four", "-p", "8080:80", "busybox", "true")
    assert tare("start", "four").rc == 1
    tare.ok("stop", "-t", "0", "one")
    assert tare("start", "-a", "four").rc == 0


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::"])
@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_a_port_of_a_program_on_the_host(tare, address, proto):
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[proto]
    with socket.socket(family_of(address), kind) as held:
        if family_of(address) == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((address, 8080))
        if proto == "tcp":
            held.listen(1)
        got = tare("run", "--rm", "-p", "8080:80/" + proto, "busybox", "true")
        where = "[::]" if address == "::" else "0.0.0.0"
        assert got.rc == 125
        assert "failed to bind host port for %s:8080:172.17.0." % where in got.err
        assert ":80/%s: address already in use" % proto in got.err
    assert tare("run", "--rm", "-p", "8080:80/" + proto, "busybox", "true").rc == 0


def test_nobody_takes_a_port_that_is_published(tare):
    start(tare, "web", "-p", "8080:80", "-p", "53:53/udp")
    assert not is_free(8080) and not is_free(8080, "::") and not is_free(8080, "127.0.0.1")
    assert not is_free(53, kind=socket.SOCK_DGRAM)
    got = tare("run", "--rm", "-p", "192.0.2.7:8081:80", "busybox", "true")
    assert got.rc == 125 and "cannot assign requested address" in got.err


def test_connections_that_linger_hold_nobody_up(tare):
    """A port in TIME_WAIT can be published at once, as a server with SO_REUSEADDR could use it."""
    with socket.create_server(("127.0.0.1", 8080)) as server, socket.create_connection(("127.0.0.1", 8080)) as client:
        accepted = server.accept()[0]
        accepted.close()
        client.close()
    assert tare("run", "--rm", "-p", "8080:80", "busybox", "true").rc == 0


# ---------------------------------------------------------------- how long

def test_restart_keeps_what_was_said_and_chooses_the_rest_anew(tare, serve):
    start(tare, "web", "-p", "8080:80", "-p", "0:81")
    before = tare.ok("port", "web", "81")
    tare.ok("restart", "-t", "0", "web")
    assert tare.ok("port", "web", "80") == "0.0.0.0:8080\n[::]:8080"
    assert re.fullmatch(r"0\.0\.0\.0:\d+\n\[::\]:\d+", tare.ok("port", "web", "81"))
    serve("web", "tcp", 80)
    assert ask("127.0.0.1", 8080) == GATEWAY == ask("::1", 8080)
    assert len(elements(8080)) == 1
    old = int(before.split(":")[-1])
    assert elements(old) == [] or str(old) in tare.ok("port", "web", "81")


def test_a_policy_restarts_with_its_ports(tare, serve):
    start(tare, "web", "--restart", "always", "-p", "8080:80")
    first = tare.inspect("web")["State"]["Pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: tare.inspect("web")["State"]["Pid"] not in (0, first), "another run")
    serve("web", "tcp", 80)
    assert ask("127.0.0.1", 8080) == GATEWAY == ask("::1", 8080)


def test_kill_9_of_the_monitor_frees_the_port(tare):
    start(tare, "web", "-p", "8080:80")
    state = json.loads(next((tare.runroot / "containers").glob("*/state.json")).read_text())
    os.kill(state["monitor"]["pid"], signal.SIGKILL)
    wait_until(lambda: is_free(8080), "the port to be free")
    assert tare("run", "--rm", "-p", "8080:80", "busybox", "true").rc == 0
    assert tare.state("web") == "exited"
    assert elements(8080) == []


def test_a_port_is_free_when_its_end_is_told(tare):
    for _ in range(5):
        assert tare("run", "--rm", "-p", "8080:80", "busybox", "true").rc == 0
        assert is_free(8080) and is_free(8080, "::")
    assert elements(8080) == []


# ---------------------------------------------------------------- update

def test_update_of_a_running_container(tare, serve):
    start(tare, "web", "-p", "8080:80")
    serve("web", "tcp", 80)
    pid = tare.inspect("web")["State"]["Pid"]
    assert tare.ok("update", "-p", "8081:80", "--publish-rm", "8080:80", "web") == "web"
    assert ask("127.0.0.1", 8081) == GATEWAY == ask("::1", 8081)
    assert ask("127.0.0.1", 8080) is None is ask("::1", 8080) and is_free(8080)
    assert from_container(tare, "web", GATEWAY, 8081) == GATEWAY
    assert tare.ok("ps", "--format", "{{.Ports}}") == "0.0.0.0:8081->80/tcp, [::]:8081->80/tcp"
    got = tare("update", "--explain", "-p", "0:80", "web")
    assert "nft add element" in got.err and tare.inspect("web")["State"]["Pid"] == pid
    number = int(tare.ok("port", "web", "80").split("\n")[0].split(":")[1])
    others = [int(line.split(":")[-1]) for line in tare.ok("port", "web", "80").split("\n")]
    random = next(p for p in others if p != 8081)
    tare.ok("update", "--publish-rm", "%d:80" % random, "web")
    assert tare.inspect("web")["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8081"}]}
    assert number in (8081, random) and elements(random) == []
    # What was published twice is published once.
    tare.ok("update", "-p", "8081:80", "web")
    assert len(tare.ok("port", "web").split("\n")) == 2
    tare.ok("stop", "-t", "0", "web")
    assert elements(8081) == [] and is_free(8081)
    tare.ok("start", "web")
    assert tare.ok("port", "web") == "80/tcp -> 0.0.0.0:8081\n80/tcp -> [::]:8081"


def test_update_that_cannot_be(tare):
    start(tare, "web", "-p", "8080:80")
    start(tare, "other", "-p", "8090:80")
    got = tare("update", "-p", "8090:80", "web")
    assert got.rc == 1 and "Bind for 0.0.0.0:8090 failed: port is already allocated" in got.err
    got = tare("update", "--publish-rm", "81", "web")
    assert got.rc == 1 and "No public port '81/tcp' published for web" in got.err
    assert tare("update", "-p", "x", "web").rc != 0
    assert tare.inspect("web")["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert tare.ok("port", "web").count("8080") == 2 and len(elements(8090)) == 1


@pytest.mark.parametrize("path,calls,when", [
    ("network.json", "rename,renameat", 1), ("ports", "rename,renameat", 1), (None, "sendmsg", 1), (None, "sendmsg", 2)])
@pytest.mark.parametrize("how", ["signal=KILL", "error=ENOSPC"])
def test_update_that_is_cut_short(tare, how, path, calls, when):
    """Wherever it ends: the port is neither published nor taken, what was there stays, and it can be done again."""
    start(tare, "web", "-p", "8080:80")
    folder = tare.runroot / "containers" / tare.inspect("web")["Id"]
    at = ["-P", str(folder / path), "-P", path] if path else []
    subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", *at, "-e", "trace=" + calls, "-e",
                    "inject=%s:%s:when=%d" % (calls, how, when)] + tare.argv + ["update", "-p", "8081:81", "web"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tare.ok("ps")
    assert tare.ok("port", "web") == "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080"
    assert is_free(8081) and elements(8081) == [] and len(elements(8080)) == 1
    tare.ok("update", "-p", "8081:81", "web")
    assert tare.ok("port", "web", "81") == "0.0.0.0:8081\n[::]:8081" and len(elements(8081)) == 1
    # The index does not know of it yet.
    subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", "inject=pwrite64:" + how] +
                   tare.argv + ["update", "--publish-rm", "8081:81", "-p", "8082:82", "web"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tare.ok("ps")
    assert is_free(8082) and elements(8082) == [] and len(elements(8080)) == 1
    tare.ok("update", "--publish-rm", "8081:81", "web")
    assert is_free(8081) and elements(8081) == []


def test_update_of_a_stopped_container(tare):
    tare.ok("create", "--name", "web", "-p", "8080:80", "-p", "127.0.0.1:8082:82", "busybox", "sleep", "1000")
    tare.ok("update", "--publish-rm", "80", "-p", "8081:81/udp", "web")
    assert tare.inspect("web")["HostConfig"]["PortBindings"] == {
        "82/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8082"}], "81/udp": [{"HostIp": "", "HostPort": "8081"}]}
    tare.ok("start", "web")
    assert tare.ok("port", "web") == "81/udp -> 0.0.0.0:8081\n81/udp -> [::]:8081\n82/tcp -> 127.0.0.1:8082"
    assert "81/udp" in tare.inspect("web")["Config"]["ExposedPorts"]


def test_ports_added_to_one_that_had_none(tare, serve):
    start(tare, "web")
    tare.ok("update", "-p", "8080:80", "web")
    serve("web", "tcp", 80)
    assert ask("127.0.0.1", 8080) == GATEWAY == ask("::1", 8080)
    assert from_container(tare, "web", GATEWAY, 8080) == GATEWAY
    tare.ok("kill", "web")
    tare.wait_state("web", "exited")
    assert elements(8080) == [] and is_free(8080)


# ---------------------------------------------------------------- many

def test_64_at_once(tare):
    def run(i):
        return tare("run", "-d", "--name", "c%d" % i, "-p", "0:80", "busybox", "sleep", "1000")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(got.rc == 0 for got in pool.map(run, range(64)))
    shown = json.loads(tare.ok("inspect", *("c%d" % i for i in range(64))))
    ports = [c["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] for c in shown]
    addresses = [c["NetworkSettings"]["IPAddress"] for c in shown]
    assert len(set(ports)) == 64 == len(set(addresses))


def test_a_thousand_ports(tare, serve):
    begin = time.monotonic()
    start(tare, "web", "-p", "10000-10999:10000-10999")
    took = time.monotonic() - begin
    serve("web", "tcp", 10999)
    assert ask("127.0.0.1", 10999) == GATEWAY == ask("::1", 10999)
    assert tare.ok("ps", "--format", "{{.Ports}}") == (
        "0.0.0.0:10000-10999->10000-10999/tcp, [::]:10000-10999->10000-10999/tcp")
    # The container has the limit of open files that it would have without them.
    assert tare.ok("exec", "web", "sh", "-c", "ulimit -n") == "1024"
    assert took < 5
    got = tare("run", "--rm", "-p", "1-65535:1-65535", "busybox", "true")
    assert got.rc == 125 and ("files open" in got.err or "already allocated" in got.err)


# ---------------------------------------------------------------- other networks

def test_ports_follow_the_way_out(tare, serve):
    """They lead to the endpoint that has the default route, whichever that is, with the same numbers."""
    tare.ok("network", "create", "--subnet", "10.55.0.0/24", "net1")
    tare.ok("run", "-d", "--name", "web", "-p", "8080:80", "-p", "0:80", "busybox", "sleep", "1000")
    serve("web", "tcp", 80)
    before = tare.ok("port", "web")
    tare.ok("network", "connect", "net1", "web")
    assert tare.ok("port", "web") == before and ask("127.0.0.1", 8080)
    tare.ok("network", "disconnect", "bridge", "web")
    assert tare.ok("port", "web") == before
    assert ask("127.0.0.1", 8080) == "10.55.0.1" == ask("::1", 8080)
    assert all("10.55.0.2" in line for line in elements(8080)) and len(elements(8080)) == 1
    tare.ok("network", "disconnect", "net1", "web")
    assert tare.ok("port", "web") == "" and elements(8080) == [] and is_free(8080)
    assert tare.ok("ps", "--format", "{{.Ports}}") == ""
    tare.ok("network", "connect", "bridge", "web")
    assert ask("127.0.0.1", 8080) == GATEWAY == ask("::1", 8080)
    tare.ok("kill", "web")
    tare.wait_state("web", "exited")
    assert elements(8080) == [] and is_free(8080)


def test_ports_and_a_network_of_ipv6(tare, serve, outside):
    tare.ok("network", "create", "--ipv6", "--subnet", "fd77:6::/64", "six")
    start(tare, "web", "-p", "8080:80")
    serve("web", "tcp", 80)
    tare.ok("network", "disconnect", "bridge", "web")
    tare.ok("network", "connect", "six", "web")
    serve("web", "tcp", 80, "::")
    assert ask(HOST6, 8080) == HOST6 and ask(HOST4, 8080) == HOST4
    assert netns.inside(outside.fd, lambda: ask(HOST6, 8080)) == "2001:db8:1::2"
