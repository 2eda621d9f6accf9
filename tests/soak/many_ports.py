#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many `run --rm -p 0:80` at the same moment: no address and no port is given twice.

    many_ports.py [--count N] [--rounds R]

In each round N (64) commands start at once, on one network, with TCP and UDP; when all containers are up, what
inspect says of each is compared with the others and with what the container itself has, and each port is tried.
A round ends with kill -9 of every other monitor and `rm -f` of the rest; then nothing is left, and every port
can be bound again.
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time

from harness import Failure, State, netns, report, wait_until

SERVE = "mkdir /w; hostname >/w/f; httpd -p 80 -h /w; exec sleep 1000"


def start_all(state, count):
    return [state.start("run", "--rm", "--name", "n%d" % n, "-h", "h%d" % n, "--network", "net1", "-p", "0:80", "-p", "0:53/udp",
                        "busybox", "sh", "-c", SERVE) for n in range(count)]


def settings(state, count):
    """NetworkSettings of every container, by number."""
    out = state.ok("inspect", "-f", "{{json .NetworkSettings}}", *["n%d" % n for n in range(count)])
    return [json.loads(line) for line in out.splitlines()]


def fetch(port):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.settimeout(10)
        s.sendall(b"GET /f HTTP/1.0\r\n\r\n")
        text = b""
        while True:
            data = s.recv(4096)
            if not data:
                return text.decode().split("\r\n\r\n")[-1].strip()
            text += data


def twice(values):
    return sorted({v for v in values if values.count(v) > 1})


def check_all(state, count):
    """The ports of all of them."""
    told = settings(state, count)
    found = [n["Networks"]["net1"]["IPAddress"] for n in told]
    if twice(found) or "" in found:
        raise Failure("addresses given twice: %s" % twice(found))
    macs = [n["Networks"]["net1"]["MacAddress"] for n in told]
    if twice(macs):
        raise Failure("MAC addresses given twice: %s" % twice(macs))
    ports = {}
    for proto, key in (("tcp", "80/tcp"), ("udp", "53/udp")):
        ports[proto] = [int(n["Ports"][key][0]["HostPort"]) for n in told]
        if twice(ports[proto]):
            raise Failure("ports given twice: %s %s" % (proto, twice(ports[proto])))
    for number, port in enumerate(ports["tcp"]):
        wait_until(lambda: answers(port) == "h%d" % number, "port %d to lead to n%d: %s" % (port, number, answers(port)), 20)
    return ports


def answers(port):
    try:
        return fetch(port)
    except OSError as e:
        return str(e)


def can_bind(proto, port):
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET6, kind) as s:
        if proto == "tcp":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("::", port))
            return True
        except OSError:
            return False


def one_round(state, count):
    commands = start_all(state, count)
    try:
        wait_until(lambda: sum(s == "running" for _, s in state.list().values()) == count or
                   any(c.poll() is not None for c in commands), "all to run", 120)
        failed = [c.returncode for c in commands if c.poll() is not None]
        if failed:
            raise Failure("%d of %d ended: %s" % (len(failed), count, set(failed)))
        state.note()
        ports = check_all(state, count)
        for n in range(0, count, 2):
            os.kill(state.monitor_pid("n%d" % n), signal.SIGKILL)
        state("rm", "-f", *["n%d" % n for n in range(count)], timeout=120)
    finally:
        for c in commands:
            try:
                c.wait(30)
            except subprocess.TimeoutExpired:
                c.kill()
    state.list()
    state.settled()
    wait_until(lambda: not [n for n in netns.links() if n.startswith("veth")], "the links to go")
    taken = ["%s %d" % (proto, p) for proto in ports for p in ports[proto] if not can_bind(proto, p)]
    if taken:
        raise Failure("still taken: %s" % taken)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=64)
    p.add_argument("--rounds", type=int, default=1)
    o = p.parse_args()
    state, began, bad = State(), time.monotonic(), []
    try:
        state.ok("network", "create", "net1")
        for number in range(o.rounds):
            try:
                one_round(state, o.count)
            except Failure as e:
                bad.append("round %d: %s" % (number, e))
                print("FAILED " + bad[-1], file=sys.stderr, flush=True)
                state.note()
                state("rm", "-f", *state.list(), timeout=120)
        state.ok("network", "rm", "net1")
        state.ok("network", "prune", "-f")
        if netns.tables():
            bad.append("tables after network prune: %s" % netns.tables())
    finally:
        state.close()
    report("many ports at once", ["%d rounds of %d containers, %.0f s, failures: %d" %
                                  (o.rounds, o.count, time.monotonic() - began, len(bad))] +
           ["FAILED " + line for line in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
