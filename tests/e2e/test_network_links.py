# SPDX-License-Identifier: Apache-2.0
"""Links are ready when a container begins, or when connect returns: its first packet gets through. The kernel sends
the first one that it lost again after a second, so who waits for less than that sees the loss."""
import socket
import threading

import pytest

SLEEP = ("busybox", "sleep", "1000")
PORT = 7777


@pytest.fixture
def listener(tare):
    """Takes connections at PORT of every address of the host, for both families; counts them."""
    server = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
    taken = []

    def serve():
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            taken.append(1)
            client.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield taken
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def gateway(tare, network, index=0):
    return tare.ok("network", "inspect", "-f", "{{(index .IPAM.Config %d).Gateway}}" % index, network).strip().split("/")[0]


def reach(address):
    """A shell line: one connection in less than a second."""
    return "nc -w 1 %s %d </dev/null" % (address, PORT)


def test_first_packet(tare, listener):
    tare.ok("run", "--rm", "busybox", "true")
    address = gateway(tare, "bridge")
    for _ in range(12):
        tare.ok("run", "--rm", "busybox", "sh", "-c", reach(address))
    assert len(listener) == 12


def test_first_packet_of_ipv6(tare, listener):
    tare.ok("network", "create", "--ipv6", "--subnet", "fd71::/64", "six")
    for _ in range(8):
        tare.ok("run", "--rm", "--network", "six", "busybox", "sh", "-c", reach("fd71::1"))
    assert len(listener) == 8


def test_first_packet_after_connect(tare, listener):
    tare.ok("network", "create", "later")
    address = gateway(tare, "later")
    tare.ok("run", "-d", "--name", "late", "--network", "none", *SLEEP)
    tare.ok("network", "disconnect", "none", "late")
    for _ in range(6):
        tare.ok("network", "connect", "later", "late")
        tare.ok("exec", "late", "sh", "-c", reach(address))
        tare.ok("network", "disconnect", "later", "late")
    assert len(listener) == 6


def test_steps_say_so(tare):
    """The trace has the link's steps in their order, each as a command."""
    trace = tare("run", "--rm", "--explain", "busybox", "true", check=True).err
    at = [trace.find(words) for words in ("exec 9</proc/self/ns/net", "ip link add veth", "ip link set eth0 up",
                                          "ip link show dev veth", "exec 9<&-")]
    assert -1 not in at and at == sorted(at)
