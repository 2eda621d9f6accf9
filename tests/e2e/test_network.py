# SPDX-License-Identifier: Apache-2.0
"""Networks as objects: what create, ls, inspect, rm and prune make, say and leave; subnets; what is
repaired after a death. Who reaches whom is in the other test_network_*.py."""
import ipaddress
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess

import pytest

import netns
from conftest import Tare


def addresses(link):
    """The addresses of a link of the host, as `ip` shows them."""
    got = subprocess.run(["ip", "-j", "addr", "show", "dev", link], capture_output=True, text=True)
    if got.returncode:
        return None
    return {"%s/%d" % (a["local"], a["prefixlen"]) for a in json.loads(got.stdout)[0]["addr_info"]}


def bridge_of(network_id):
    return "tare-" + network_id[:10]


def subnets(tare, *names):
    out = tare.ok("network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", *names)
    return [line.split() for line in out.splitlines()]


def records(tare):
    folder = tare.root / "networks"
    return sorted(p.stem for p in folder.iterdir()) if folder.is_dir() else []


def expect_nothing(tare):
    """Of networks that somebody made, neither a row nor a record, a link, a live directory."""
    assert tare.ok("network", "ls", "-q", "-f", "type=custom") == ""
    assert records(tare) == []
    assert [n for n in netns.links() if n.startswith("tare")] == []
    known = tare.ok("network", "ls", "-q", "--no-trunc").split()
    live = tare.runroot / "networks"
    assert [p.name for p in live.glob("*") if len(p.name) == 64 and p.name not in known] == []


# ---------------------------------------------------------------- create and rm

def test_a_network_has_its_bridge_until_it_is_removed(tare):
    network = tare.ok("network", "create", "--subnet", "10.7.0.0/24", "shop")
    assert re.fullmatch("[0-9a-f]{64}", network)
    assert addresses(bridge_of(network)) == {"10.7.0.1/24"}
    assert records(tare) == [network]
    assert tare.ok("network", "rm", "shop") == "shop"
    expect_nothing(tare)


def test_ipv6_beside_ipv4(tare):
    network = tare.ok("network", "create", "--ipv6", "shop")
    (v4, v6), = subnets(tare, "shop")
    assert ipaddress.ip_network(v6).subnet_of(ipaddress.ip_network("fd00::/8")) and v6.endswith("/64")
    want = {str(ipaddress.ip_network(s)[1]) + s[s.index("/"):] for s in (v4, v6)}
    assert want <= addresses(bridge_of(network))


def test_options_of_the_bridge(tare):
    tare.ok("network", "create", "-o", "com.docker.network.bridge.name=br7", "-o",
            "com.docker.network.driver.mtu=1400", "shop")
    assert pathlib.Path("/proc/sys/net/ipv4/conf/br7").exists()
    out = subprocess.run(["ip", "-j", "link", "show", "br7"], capture_output=True, text=True, check=True).stdout
    assert json.loads(out)[0]["mtu"] == 1400
    tare.ok("network", "create", "-o", "com.docker.network.bridge.inhibit_ipv4=true", "-o",
            "com.docker.network.bridge.name=br8", "bare")
    assert not any("." in a for a in addresses("br8"))
    tare.ok("network", "rm", "shop", "bare")
    assert not {"br7", "br8"} & set(netns.links())


def test_a_bridge_that_was_there_stays(tare):
    subprocess.run(["ip", "link", "add", "br7", "type", "bridge"], check=True)
    tare.ok("network", "create", "--subnet", "10.7.0.0/24", "-o", "com.docker.network.bridge.name=br7", "shop")
    assert "10.7.0.1/24" in addresses("br7")
    got = tare("network", "create", "-o", "com.docker.network.bridge.name=br7", "other")
    assert got.rc == 1 and "networks have same bridge name" in got.err
    tare.ok("network", "rm", "shop")
    assert "br7" in netns.links()


@pytest.mark.parametrize("argv, message", [
    (["-o", "com.docker.network.bridge.name=lo"], "existing interface lo is not a bridge"),
    (["-o", "com.docker.network.bridge.enable_icx=false"],
     'unknown option "com.docker.network.bridge.enable_icx" of driver bridge'),
    (["-d", "nosuch"], 'plugin "nosuch" not found'),
    (["-d", "host"], 'only one instance of "host" network is allowed'),
    (["--subnet", "10.7.0.5/24"], "invalid subnet 10.7.0.5/24: it should be 10.7.0.0/24"),
    (["--subnet", "10.7.0.0/24", "--gateway", "10.8.0.1"], "no matching subnet for gateway 10.8.0.1"),
    (["--subnet", "10.7.0.0/24", "--aux-address", "a=10.7.0.1"], "Address already in use"),
    (["--ipam-driver", "null"], "ipv4 pool is empty"),
    (["--ipv4=false"], "IPv4 or IPv6 must be enabled"),
    (["--scope", "swarm"], "cannot create a swarm scoped network when swarm is not active"),
])
def test_what_fails_leaves_nothing(tare, argv, message):
    got = tare("network", "create", *argv, "shop")
    assert got.rc == 1 and message in got.err and got.out == ""
    expect_nothing(tare)


def test_the_firewall_is_refused(tare):
    """A failure in the middle: the row is there, the bridge is not."""
    os.makedirs(tare.runroot / "networks")
    (tare.runroot / "networks" / "rules.lock").mkdir()
    got = tare("network", "create", "shop")
    assert got.rc == 1 and "rules.lock" in got.err
    (tare.runroot / "networks" / "rules.lock").rmdir()
    expect_nothing(tare)


def test_rm_goes_on_with_the_others(tare):
    for name in ("one", "two"):
        tare.ok("network", "create", name)
    tare.ok("run", "-d", "--name", "c1", "--network", "one", "busybox", "sleep", "1000")
    network = tare.ok("network", "inspect", "-f", "{{.Id}}", "one")
    container = tare.inspect("c1")["Id"]
    got = tare("network", "rm", "one", "nosuch", "two", "host")
    assert got.rc == 1 and got.out == "two\n"
    assert got.err.splitlines() == [
        'tare: error while removing network: network one id %s has active endpoints (name:"c1" id:"%s")'
        % (network, container[:12]),
        "tare: network nosuch not found",
        "tare: host is a pre-defined network and cannot be removed",
        "exit status 1"]
    assert tare("network", "rm", "-f", "nosuch") == (0, "", "")


def test_a_stopped_container_holds_no_network(tare):
    """As docker has it: it cannot start any more, and says why."""
    tare.ok("network", "create", "shop")
    tare.ok("run", "--name", "c1", "--network", "shop", "busybox", "true")
    tare.ok("network", "rm", "shop")
    got = tare("start", "c1")
    assert got.rc == 1 and "not found" in got.err


# ---------------------------------------------------------------- what is seen

def test_inspect_shows_who_is_there(tare):
    tare.ok("network", "create", "--subnet", "10.7.0.0/24", "shop")
    container = tare.ok("run", "-d", "--name", "c1", "--network", "shop", "--ip", "10.7.0.9", "busybox", "sleep", "99")
    seen, = json.loads(tare.ok("network", "inspect", "shop"))
    assert list(seen["Containers"]) == [container]
    mine = seen["Containers"][container]
    assert (mine["Name"], mine["IPv4Address"], mine["IPv6Address"]) == ("c1", "10.7.0.9/24", "")
    assert mine["EndpointID"] == tare.inspect("c1")["NetworkSettings"]["Networks"]["shop"]["EndpointID"]
    assert mine["MacAddress"] == tare.inspect("c1")["NetworkSettings"]["Networks"]["shop"]["MacAddress"]
    assert tare.ok("network", "ls", "-f", "dangling=true", "-q") == ""
    tare.ok("rm", "-f", "c1")
    assert json.loads(tare.ok("network", "inspect", "shop"))[0]["Containers"] == {}
    assert tare.ok("network", "ls", "-f", "dangling=true", "--format", "{{.Name}}") == "shop"


def test_a_killed_monitor_holds_no_network(tare):
    tare.ok("network", "create", "shop")
    tare.ok("run", "-d", "--name", "c1", "--network", "shop", "busybox", "sleep", "1000")
    state = json.loads((tare.runroot / "containers" / tare.inspect("c1")["Id"] / "state.json").read_text())
    os.kill(state["monitor"]["pid"], 9)
    tare.wait_state("c1", "exited")
    assert tare.ok("network", "rm", "shop") == "shop"


def test_events(tare):
    network = tare.ok("network", "create", "--label", "a=b", "shop")
    tare.ok("network", "rm", "shop")
    tare.ok("network", "prune", "-f")
    lines = tare.ok("events", "--since", "1h", "--until", "0s", "--filter", "type=network").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "network create %s (name=shop, type=bridge)" % network,
        "network destroy %s (name=shop, type=bridge)" % network,
        "network prune  (reclaimed=0)"]


def test_inspect_finds_networks_among_others(tare):
    tare.ok("network", "create", "shop")
    tare.ok("volume", "create", "shop")
    assert tare.ok("inspect", "-f", "{{.Driver}}", "shop") == "bridge"
    assert tare.ok("inspect", "--type", "volume", "-f", "{{.Driver}}", "shop") == "local"
    assert tare.ok("inspect", "--type", "network", "-f", "{{.Scope}}", "shop", "bridge") == "local\nlocal"
    assert tare("inspect", "--type", "network", "nosuch").err == "tare: network nosuch not found\n"


# ---------------------------------------------------------------- subnets

def test_subnets_do_not_meet_the_host_s(tare):
    """Nor what the host has a route to, nor one that somebody has typed."""
    subprocess.run("ip link add d0 type bridge && ip addr add 172.18.5.1/24 dev d0 && ip link set d0 up &&"
                   " ip route add 172.20.0.0/14 dev d0", shell=True, check=True)
    tare.ok("network", "create", "--subnet", "172.19.7.0/24", "typed")
    tare.ok("network", "create", "one")
    tare.ok("network", "create", "two")
    assert subnets(tare, "bridge", "one", "two") == [["172.17.0.0/16"], ["172.24.0.0/16"], ["172.25.0.0/16"]]


def test_pools_of_the_host_and_their_end(tare, tmp_path):
    config = tmp_path / "tare.conf"
    config.write_text("network.pools = base=10.99.0.0/23,size=24\n")
    env = {"TARE_CONFIG": str(config)}
    tare.ok("network", "create", "one", env=env)
    assert subnets(tare, "bridge", "one") == [["10.99.0.0/24"], ["10.99.1.0/24"]]
    got = tare("network", "create", "two", env=env)
    assert got.rc == 1
    assert got.err.startswith("tare: all predefined address pools have been fully subnetted\nhint: ")
    got = tare("network", "create", "--subnet", "10.99.1.128/25", "two", env=env)
    assert got.rc == 1 and "Pool overlaps with other one on this address space" in got.err
    tare.ok("network", "rm", "one")
    tare.ok("network", "create", "two", env=env)
    assert subnets(tare, "two") == [["10.99.1.0/24"]]


def test_64_at_once_in_two_states(tare, tmp_path):
    config = tmp_path / "tare.conf"
    config.write_text("network.pools = base=10.96.0.0/16,size=24\n")
    other = Tare(tmp_path / "other")
    env = {"TARE_CONFIG": str(config)}
    try:
        jobs = [t.popen("network", "create", "n%d" % i, env=dict(os.environ, **env))
                for i in range(32) for t in (tare, other)]
        for job in jobs:
            out, err = job.communicate(timeout=120)
            assert job.returncode == 0, err
        names = ["n%d" % i for i in range(32)]
        got = [s for t in (tare, other) for (s,) in subnets(t, "bridge", *names)]
        assert len(got) == len(set(got)) == 66
        bridges = [n for n in netns.links() if n.startswith("tare-")]
        assert len(bridges) == 64
    finally:
        other.ok("network", "prune", "-f")


# ---------------------------------------------------------------- the host

def test_forwarding_is_turned_on_and_said_once(tare):
    netns.set_forwarding(False)
    said = "forwarding of IPv4 packets was off on this host and is on now"
    assert tare("network", "create", "--internal", "closed").err == ""
    assert pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text() == "0\n"
    assert said in tare("network", "create", "one").err
    assert pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
    assert pathlib.Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text() == "0\n"
    assert tare("network", "create", "two").err == ""


@pytest.mark.skipif(not shutil.which("nft"), reason="needs nft")
@pytest.mark.parametrize("argv", [["network", "ls"], ["network", "inspect", "bridge"], ["network", "create", "two"],
                                  ["run", "--rm", "busybox", "true"]])
def test_rules_are_made_again(tare, argv):
    network = tare.ok("network", "create", "one")
    before = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert bridge_of(network) in before
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    tare.ok("version")
    assert subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True).stdout == ""
    tare.ok(*argv)
    after = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert bridge_of(network) in after
    assert argv[1] not in ("ls", "inspect") or after == before


@pytest.mark.skipif(not shutil.which("nft"), reason="needs nft")
@pytest.mark.parametrize("was_flushed", [False, True])
def test_ports_leave_the_rules_with_their_container(tare, was_flushed):
    tare.ok("network", "create", "--ipv6", "shop")
    for name, port in (("c1", "8101"), ("c2", "127.0.0.1:8102")):
        tare.ok("run", "-d", "--name", name, "--network", "shop", "-p", port + ":80", "busybox", "sleep", "1000")

    def rules():
        return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout

    before = sorted(re.findall(r"(?:tcp \. )(\d+) : (\S+)", rules()))
    assert [port for port, _ in before] == ["8101", "8101", "8102"]
    if was_flushed:
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        tare.ok("network", "ls")
        assert sorted(re.findall(r"(?:tcp \. )(\d+) : (\S+)", rules())) == before
    tare.ok("rm", "-f", "c1")
    assert "8101" not in rules() and "8102" in rules()
    tare.ok("stop", "-t", "0", "c2")
    assert "8102" not in rules()


@pytest.mark.skipif(not (shutil.which("nft") and shutil.which("ip")), reason="needs nft and ip")
def test_what_is_explained_does_the_same(tare):
    out = tare("network", "create", "--explain=json", "--subnet", "10.7.0.0/24", "shop", check=True)
    network = out.out.strip()
    steps = json.loads(out.err)
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    removal = json.loads(tare("network", "rm", "--explain=json", "shop", check=True).err)
    assert bridge_of(network) not in netns.links()
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    script = "set -e\n" + "\n".join(s["shell"] for s in steps)
    subprocess.run(["sh", "-c", script], check=True)
    assert addresses(bridge_of(network)) == {"10.7.0.1/24"}
    again = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert again == rules
    subprocess.run(["sh", "-c", "set -e\n" + "\n".join(s["shell"] for s in removal)], check=True)
    assert bridge_of(network) not in netns.links()


def test_prune_takes_down_what_nobody_needs(tare):
    tare.ok("network", "create", "shop")
    tare.ok("run", "-d", "--name", "c1", "busybox", "sleep", "1000")
    assert tare.ok("network", "prune", "-f") == "Deleted Networks:\nshop\n"
    assert len([n for n in netns.links() if n.startswith("tare-")]) == 1
    assert netns.tables()
    tare.ok("rm", "-f", "c1")
    assert tare.ok("network", "prune", "-f") == ""
    assert [n for n in netns.links() if n.startswith("tare-")] == []
    assert netns.tables() == []
    assert "inet " in tare.ok("run", "--rm", "busybox", "ip", "-4", "addr", "show", "eth0")


def test_prune_filters_and_its_prompt(tare):
    tare.ok("network", "create", "--label", "keep", "one")
    tare.ok("network", "create", "two")
    assert tare.ok("network", "prune", "-f", "--filter", "until=1h") == ""
    assert tare("network", "prune", "-f", "--filter", "nosuch=1").err == "tare: Invalid filter 'nosuch'\n"
    assert tare.ok("network", "prune", input="n\n") == (
        "WARNING! This will remove all custom networks not used by at least one container.\n"
        "Are you sure you want to continue? [y/N] ")
    assert tare.ok("network", "prune", "-f", "--filter", "label!=keep") == "Deleted Networks:\ntwo\n"
    assert "Deleted Networks:\none\n" in tare.ok("system", "prune", "-f")


def test_after_a_boot(tare):
    """Neither /run nor a link nor a rule is there: the next start makes all of it again."""
    tare.ok("network", "create", "--subnet", "10.7.0.0/24", "shop")
    tare.ok("run", "--rm", "busybox", "true")
    before = {n: addresses(n) for n in netns.links() if n.startswith("tare-")}
    assert len(before) == 2
    shutil.rmtree(tare.runroot)
    for link in before:
        subprocess.run(["ip", "link", "delete", link], check=True)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    assert "10.7.0.2" in tare.ok("run", "--rm", "--network", "shop", "busybox", "ip", "-4", "addr", "show", "eth0")
    tare.ok("run", "--rm", "busybox", "true")
    assert {n: addresses(n) for n in netns.links() if n.startswith("tare-")} == before
    assert netns.tables()


# ---------------------------------------------------------------- deaths

def kill_at(tare, call, n, *argv):
    """Runs a command that is killed when it makes its Nth CALL; whether it was."""
    out = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                          "inject=%s:signal=KILL:when=%d" % (call, n)] + tare.argv + list(argv),
                         capture_output=True, text=True)
    return out.returncode == -9 or out.returncode == 137


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call", ["sendto", "pwrite64", "renameat", "fdatasync", "write"])
def test_killed_in_create(tare, call):
    tare.ok("network", "ls")
    killed = 0
    for n in range(1, 120):
        name = "n%d" % n
        if not kill_at(tare, call, n, "network", "create", name):
            break
        killed += 1
        tare.ok("network", "create", "next")
        # All of it or nothing of it; and what there is can be used and removed.
        if tare("network", "inspect", name).rc == 0:
            tare.ok("run", "--rm", "--network", name, "busybox", "true")
            tare.ok("network", "rm", name)
        tare.ok("network", "rm", "next")
        expect_nothing(tare)
    else:
        pytest.fail("it never came to an end")
    assert killed


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("n", [1, 2])
def test_killed_before_the_note(tare, n):
    """The firewall is made, and what says so is not: tables and half-written notes go nevertheless."""
    tare.ok("network", "ls")
    folder = tare.runroot / "networks"
    subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(folder / "rules"), "-e", "trace=rename,renameat",
                    "-e", "inject=rename,renameat:signal=KILL:when=%d" % n] + tare.argv + ["network", "create", "shop"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert netns.tables()
    tare.ok("network", "prune", "-f")
    assert netns.tables() == []
    assert {p.name for p in folder.iterdir()} <= {"lock", "rules.lock"}


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("call", ["sendto", "unlinkat", "fdatasync"])
def test_killed_in_rm(tare, call, is_whole):
    """Also of a network whose creation was killed before its last act."""
    for n in range(1, 30):
        network = tare.ok("network", "create", "shop")
        if not is_whole:
            (tare.runroot / "networks" / network / "up").unlink()
        was_killed = kill_at(tare, call, n, "network", "rm", "shop")
        if tare("network", "inspect", "shop").rc == 0:
            assert was_killed
            tare.ok("network", "rm", "shop")
        tare.ok("network", "create", "next")
        assert bridge_of(network) not in netns.links()
        tare.ok("network", "rm", "next")
        expect_nothing(tare)
        if not was_killed:
            return
    pytest.fail("it never came to an end")


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call", ["sendto", "unlink", "unlinkat"])
def test_killed_in_prune(tare, call):
    for n in range(1, 30):
        tare.ok("network", "create", "shop")
        tare.ok("run", "--rm", "busybox", "true")
        was_killed = kill_at(tare, call, n, "network", "prune", "-f")
        tare.ok("network", "prune", "-f")
        expect_nothing(tare)
        assert netns.tables() == []
        if not was_killed:
            return
    pytest.fail("it never came to an end")


FULL = r"""
set -e
full=$1; shift
mount -t tmpfs -o size=8M none $full
fill() { cat /dev/zero >$full/$1 2>/dev/null || :; (head -c 4096 /dev/zero >$full/probe) 2>/dev/null && echo room || :; }
"$@" run --rm --network none busybox true 2>/dev/null
for n in one two three; do "$@" network create $n >/dev/null; done
fill 1; "$@" network rm one
fill 2; "$@" network rm two
fill 3; "$@" network prune -f
"$@" network ls -q --filter type=custom; ls $full/root/networks
"""


def test_removal_on_a_full_disk(tare):
    """No byte is free: the reserve makes room for the index to forget, again and again."""
    full = tare.folder / "full"
    full.mkdir()
    argv = [tare.argv[0], "--root", str(full / "root"), "--runroot", str(tare.folder / "run")]
    done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", FULL, "sh", str(full)] + argv,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "one\ntwo\nDeleted Networks:\nthree\n\n"


def test_a_row_comes_back_from_its_record(tare):
    network = tare.ok("network", "create", "--subnet", "10.7.0.0/24", "--label", "a=b", "shop")
    before = json.loads(tare.ok("network", "inspect", "shop"))
    with sqlite3.connect(tare.root / "tare.db") as db:
        db.execute("UPDATE network SET config='{' WHERE id=?", (network,))
    got = tare("system", "check")
    assert got.rc == 1 and "network shop: what the index says of it is damaged" in got.out
    assert "network shop: is made again from its record" in tare.ok("system", "repair")
    assert json.loads(tare.ok("network", "inspect", "shop")) == before
    for name in os.listdir(tare.root):
        if name.startswith("tare.db"):
            (tare.root / name).unlink()
    assert "index" in tare("network", "ls").err
    assert "network shop: is in the index again" in tare.ok("system", "repair")
    assert json.loads(tare.ok("network", "inspect", "shop")) == before


def test_an_engine_from_before_networks(tare):
    """An index of version 3 gets its table, and containers of it run on as they were asked for."""
    tare.ok("create", "--name", "c1", "--network", "none", "busybox", "true")
    with sqlite3.connect(tare.root / "tare.db") as db:
        db.executescript("DROP TABLE network; ALTER TABLE container DROP COLUMN networks; DROP TABLE snapshot;"
                         "DROP TABLE snapshot_use; DROP TABLE snapshot_alias; ALTER TABLE image DROP COLUMN made_ns;"
                         "PRAGMA user_version=3")
    assert tare.ok("start", "-a", "c1") == ""
    tare.ok("network", "create", "shop")
    assert tare.ok("network", "ls", "--format", "{{.Name}}").split() == ["bridge", "host", "none", "shop"]


