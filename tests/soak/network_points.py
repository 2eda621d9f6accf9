#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every message to the kernel about links, addresses and rules, by strace's injection.

    network_points.py [--points N] [--seed S] [--verb VERB]... [--role ROLE]... [--at CALL:K] [-v]

A point is the K-th send on a netlink socket by the command, its monitor or the container's first process (the
roles of kill_points.py, whose way of killing this is). A clean run tells which there are; without --points every
one of them is killed at. Nine of ten must really have been reached.

After every point the next command works at once and repairs what was half-made: the network is listed and can be
used, or its name and its subnet are free; the container can be started, connected, disconnected and removed; the
port that was being published can be published again. Then all goes, and nothing is left: no link, no lease, no
element in the firewall's maps, no process, and after `network prune` neither bridge nor table.
"""
import argparse
import collections
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time

import kill_points
from harness import Failure, State, netns, parse_log, read, report, wait_until

kill_points.CHANGING = kill_points.MAKING = "sendmsg,sendto"
# Descriptors with what they are: sends to the kernel are told from those to other processes.
kill_points.OPTIONS[:] = ["-yy"]

PORT = 18700
SUBNET, OTHER_SUBNET = "10.91.1.0/24", "10.91.2.0/24"
UP = ["busybox", "sleep", "1000"]
PUBLISH = ["-p", "%d:80" % PORT, "-p", "%d:80/udp" % PORT]

# prepare(state); the roles that are killed; argv.
Verb = collections.namedtuple("Verb", "prepare roles argv")


def fresh(state):
    """As after a boot: no bridge, no table."""
    state.ok("network", "prune", "-f")


def network(state):
    state.ok("network", "create", "--subnet", SUBNET, "net1")


def both_bridges(state):
    network(state)
    state.ok("run", "--rm", "busybox", "true")


def both(state):
    network(state)
    state.ok("network", "create", "--ipv6", "--subnet", OTHER_SUBNET, "--subnet", "fd91::/64", "net2")
    state.ok("run", "-d", "--name", "kk", "--network", "net1", *UP)


def connected(state):
    both(state)
    state.ok("network", "connect", "net2", "kk")


def published(state):
    network(state)
    state.ok("run", "-d", "--name", "kk", "--network", "net1", *PUBLISH, *UP)


def created(state):
    network(state)
    state.ok("create", "--name", "kk", "--network", "net1", *PUBLISH, *UP)


START, END, COMMAND = ("cli", "monitor", "container"), ("cli", "exit"), ("cli",)
VERBS = {
    "run": Verb(network, START, ["run", "--name", "kk", "--network", "net1", "busybox", "true"]),
    "run-first": Verb(fresh, START, ["run", "-d", "--name", "kk", *UP]),
    "run-p": Verb(network, START, ["run", "-d", "--name", "kk", "--network", "net1", *PUBLISH, *UP]),
    "run-rm-p": Verb(network, START, ["run", "--rm", "--name", "kk", "--network", "net1", *PUBLISH, "busybox", "true"]),
    "start-p": Verb(created, START, ["start", "kk"]),
    "stop-p": Verb(published, END, ["stop", "-t", "0", "kk"]),
    "rm-f-p": Verb(published, END, ["rm", "-f", "kk"]),
    "update-p": Verb(both, COMMAND, ["update", *PUBLISH, "kk"]),
    "update-publish-rm": Verb(published, COMMAND, ["update", "--publish-rm", "80", "kk"]),
    "connect": Verb(both, COMMAND, ["network", "connect", "net2", "kk"]),
    "disconnect": Verb(connected, COMMAND, ["network", "disconnect", "net2", "kk"]),
    "disconnect-last": Verb(published, COMMAND, ["network", "disconnect", "net1", "kk"]),
    "network-create": Verb(fresh, COMMAND, ["network", "create", "--subnet", SUBNET, "net1"]),
    "network-create-icc": Verb(fresh, COMMAND, ["network", "create", "--ipv6", "--subnet", SUBNET, "--subnet", "fd92::/64",
                                                "-o", "com.docker.network.bridge.enable_icc=false", "net1"]),
    "network-rm": Verb(network, COMMAND, ["network", "rm", "net1"]),
    "network-prune": Verb(both_bridges, COMMAND, ["network", "prune", "-f"]),
}


# ---------------------------------------------------------------- killing

def run_container(state, verb, k, log):
    """As that of kill_points.py, but a monitor that gets to the point itself goes on: the container's first process
    makes the same calls as often."""
    command, monitor = kill_points.stop_monitor(state, verb.argv, str(log) + ".1")
    tracer = kill_points.attach(monitor, kill_points.strace(log, kill_points.MAKING, k, "signal=STOP", "-f", "-p",
                                                            str(monitor)), log)
    let_go = 1

    def reached():
        nonlocal let_go
        stops = re.findall(r"^(\d+) +--- stopped by SIGSTOP", read(log), re.M)
        if k and stops.count(str(monitor)) > let_go:
            let_go += 1
            os.kill(monitor, signal.SIGCONT)
        return kill_points.gone(command) or (k and set(stops) - {str(monitor)})
    try:
        wait_until(reached, "the point", 40)
        if k and not kill_points.gone(command):
            kill_points.kill(monitor)
    finally:
        tracer.kill()
        tracer.wait()
        for task in set(re.findall(r"^(\d+) ", read(log), re.M)):
            try:
                os.kill(int(task), signal.SIGCONT)
            except ProcessLookupError:
                pass
        wait_until(lambda: kill_points.gone(command), "the command", 40)
        os.close(command)


ROLES = dict(kill_points.ROLES, container=run_container)


# ---------------------------------------------------------------- looking

def own_links():
    return [n for n in netns.links() if n.startswith(("veth", "tare"))]


def elements():
    """What is in the maps of published ports."""
    done = subprocess.run(["nft", "-j", "list", "ruleset"], stdout=subprocess.PIPE, check=True)
    found = []
    for item in json.loads(done.stdout)["nftables"]:
        for kind in ("map", "set"):
            if str(PORT) in json.dumps(item.get(kind, {}).get("elem", "")):
                found.append(item[kind]["name"])
    return found


def port_is_free():
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as s:
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if kind == socket.SOCK_STREAM:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind((address, PORT))
                except OSError:
                    return False
    return True


def addresses(state, name):
    """IPv4 addresses that the container's own namespace has, beside loopback's."""
    out = state.ok("exec", name, "ip", "-4", "-o", "addr")
    return sorted(re.findall(r"inet (\S+) .*(?<!lo)$", re.sub(r"(?m)^.* lo .*$", "", out), re.M))


def told(state, name):
    networks = json.loads(state.ok("inspect", "-f", "{{json .NetworkSettings.Networks}}", name))
    return sorted("%s/%d" % (n["IPAddress"], n["IPPrefixLen"]) for n in networks.values() if n["IPAddress"])


def check_container(state):
    """What inspect says of kk's addresses is so; it can be started, connected and disconnected; or its name is free."""
    got = state.list().get("kk")
    if not got:
        return
    if got[1] == "running":
        wait_until(lambda: addresses(state, "kk") == told(state, "kk"),
                   "addresses to be as inspect says: %s, %s" % (addresses(state, "kk"), told(state, "kk")), 3)
    else:
        state.ok("start", "kk")
    names = set(state.ok("network", "ls", "--format", "{{.Name}}").split())
    if "net2" in names and state.list()["kk"][1] == "running":
        state("network", "disconnect", "net2", "kk")
        state.ok("network", "connect", "net2", "kk")
        if addresses(state, "kk") != told(state, "kk"):
            raise Failure("connected again: %s, but inspect says %s" % (addresses(state, "kk"), told(state, "kk")))
    state.note()
    state.ok("rm", "-f", "kk")


def check_network(state):
    """net1 is listed and works, or its name and its subnet are free."""
    names = state.ok("network", "ls", "--format", "{{.Name}}").split()
    if "net1" not in names:
        network(state)
    state.ok("run", "--rm", "--network", "net1", *PUBLISH, "busybox", "true")
    for name in ("net1", "net2"):
        if name == "net1" or name in names:
            state.ok("network", "rm", name)


def check_nothing_left(state):
    state.settled()
    wait_until(lambda: not [n for n in own_links() if n.startswith("veth")], "links to go: %s" % own_links())
    if elements():
        raise Failure("still in the firewall's maps: %s" % elements())
    wait_until(port_is_free, "the port to be free", 3)
    fresh(state)
    if own_links() or netns.tables():
        raise Failure("after network prune: %s %s" % (own_links(), netns.tables()))
    if state.list():
        raise Failure("still listed: %s" % state.list())


def check(state):
    state.note()
    state.list()
    state.ok("run", "--rm", *PUBLISH, "busybox", "true") if "kk" not in state.list() else state.ok("network", "ls")
    check_container(state)
    check_network(state)
    check_nothing_left(state)


# ---------------------------------------------------------------- points

def points_in(text, role):
    """(call, K) of the sends on netlink sockets, by the process that is killed."""
    tasks, found = parse_log(text), {}
    for task, calls in tasks.items():
        counts = collections.Counter()
        for call, rest in calls:
            counts[call] += 1
            if "<NETLINK:" in rest.split(",")[0]:
                found.setdefault(task, []).append((call, counts[call]))
    if role != "container":
        return max(found.values(), key=len, default=[])
    monitor = re.match(r"\d+", text)
    first = next((task for task in found if task != monitor.group()), None)
    return found.get(first, [])


def run_point(state, verb, role, point):
    log = state.folder / "strace.log"
    for p in state.folder.glob("strace.log*"):
        p.unlink()
    verb.prepare(state)
    ROLES[role](state, verb, point, log)
    text = read(log)
    check(state)
    return text


def clean_points(state, verb, role):
    """Strace may come too late for what it is attached to; a role may have nothing to say to the kernel."""
    for _ in range(3):
        points = points_in(run_point(state, verb, role, None), role)
        if points:
            break
    return points


def put_right(state):
    """After a failure: the next point begins with nothing."""
    state.note()
    for name in state.list():
        state("rm", "-f", name)
    state("network", "prune", "-f")


def run_verb(state, name, role, o, rng):
    """(points, reached, failures) of one verb and role."""
    verb, bad, reached = VERBS[name], [], 0
    points = [(o.at.split(":")[0], int(o.at.split(":")[1]))] if o.at else clean_points(state, verb, role)
    if o.points and len(points) > o.points:
        points = sorted(rng.sample(points, o.points))
    for point in points:
        if o.v:
            print(name, role, *point, flush=True)
        try:
            reached += kill_points.is_reached(run_point(state, verb, role, point), role)
        except Failure as e:
            bad.append("%s, %s, %s %d: %s" % (name, role, *point, e))
            print("FAILED " + bad[-1], file=sys.stderr, flush=True)
            put_right(state)
    return len(points), reached, bad


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--points", type=int, default=0, help="at most so many for a verb and role; all unless told")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--verb", action="append", choices=list(VERBS))
    p.add_argument("--role", action="append", choices=["cli", "monitor", "container", "exit"])
    p.add_argument("--at", help="CALL:K")
    p.add_argument("-v", action="store_true")
    return p.parse_args()


def main():
    o = arguments()
    state, began, rng = State(), time.monotonic(), random.Random(o.seed)
    lines, bad, tried, reached = [], [], 0, 0
    try:
        state.ok("run", "--rm", "busybox", "true")
        for name in o.verb or VERBS:
            for role in VERBS[name].roles:
                if o.role and role not in o.role:
                    continue
                n, hit, failed = run_verb(state, name, role, o, rng)
                lines.append("%s, %s: %d points" % (name, role, n))
                tried, reached, bad = tried + n - len(failed), reached + hit, bad + failed
    finally:
        state.close()
    if not tried or tried - reached > max(2, 0.1 * tried):
        bad.append("only %d of %d points were reached" % (reached, tried))
    report("kill -9 at a message about networks", lines + [
        "seed %d, %.0f s, %d of %d points reached, failures: %d" % (o.seed, time.monotonic() - began, reached, tried, len(bad))] +
        ["FAILED " + line for line in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
