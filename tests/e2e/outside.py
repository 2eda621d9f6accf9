# SPDX-License-Identifier: Apache-2.0
"""The world beyond the host: a second network namespace, joined to the test's by a veth pair.

The test's namespace plays the host: 198.51.100.1 and 2001:db8:1::1 on the link out0, with the way out
through `Outside`, which has the addresses ending in 2. Its servers answer with the address and the port
that they were asked from ("198.51.100.1 40000"), so that a test sees what NAT made of them.

`internet` makes every IPv4 address beyond lead somewhere: the ports of the name service, of http and of
the host's proxy are carried into the machine's own network, one socket on either side. So that
`apt-get update` in a container works through its bridge, and nothing of the machine's network is changed.
"""
import os
import re
import select
import socket
import struct
import subprocess
import threading
import urllib.parse

import pytest

import netns

HOST4, OUT4 = "198.51.100.1", "198.51.100.2"
HOST6, OUT6 = "2001:db8:1::1", "2001:db8:1::2"
HOST_MAC, OUT_MAC = "02:00:5e:00:53:01", "02:00:5e:00:53:02"
HOST_MAC, OUT_MAC = "02:00:5e:00:53:01", "02:00:5e:00:53:02"
IP_PKTINFO = 8
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


def ip(script):
    """Runs lines of ip(8) commands in the namespace this thread is in."""
    subprocess.run(["ip", "-batch", "-"], input=script, text=True, check=True)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def peer_text(peer):
    return "%s %d" % (re.sub("^::ffff:", "", peer[0]), peer[1])


def from_the_same(control):
    """The control message that sends an answer from the address that was asked, by whatever link."""
    level, kind, data = control[0]
    if level == socket.IPPROTO_IPV6:
        return [(level, kind, struct.pack("16sI", data[:16], 0))]
    return [(level, kind, struct.pack("i4s4s", 0, data[8:12], b"\0" * 4))]


class Server:
    """Tells whoever asks, by TCP or UDP, the address it was asked from, for as long as it is open."""

    def __init__(self, fd, proto, address, port=0):
        kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[proto]
        self.socket = netns.inside(fd, lambda: socket.socket(family_of(address), kind))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family_of(address) == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.bind((address, port))
        if proto == "tcp":
            self.socket.listen(128)
        elif family_of(address) == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.port, self.seen = self.socket.getsockname()[1], []
        self.stop_read, self.stop_write = os.pipe()
        self.thread = threading.Thread(target=self.tcp if proto == "tcp" else self.udp, daemon=True)
        self.thread.start()

    def wait(self):
        return self.stop_read not in select.select([self.socket, self.stop_read], [], [])[0]

    def tcp(self):
        while self.wait():
            client, peer = self.socket.accept()
            self.seen.append(peer_text(peer))
            with client:
                client.sendall(peer_text(peer).encode() + b"\n")

    def udp(self):
        while self.wait():
            _, control, _, peer = self.socket.recvmsg(4096, 128)
            self.seen.append(peer_text(peer))
            self.socket.sendmsg([peer_text(peer).encode() + b"\n"], from_the_same(control), 0, peer)

    def close(self):
        os.close(self.stop_write)
        self.thread.join()
        os.close(self.stop_read)
        self.socket.close()


class Outside:
    def __init__(self):
        self.fd, self.closers = netns.new(), []
        ip("link add out0 address %s type veth peer name up0 address %s netns /proc/%d/fd/%d\n" %
           (HOST_MAC, OUT_MAC, os.getpid(), self.fd))
        ip(self.link("out0", HOST4, HOST6, OUT4, OUT6, OUT_MAC))
        netns.inside(self.fd, lambda: ip(self.link("up0", OUT4, OUT6, HOST4, HOST6, HOST_MAC)))
        ip("route add default via %s\nroute add ::/0 via %s\n" % (OUT4, OUT6))

    @staticmethod
    def link(name, own4, own6, other4, other6, mac):
        """Neighbours are told, not asked for: the first question of IPv6 is lost while a link comes up, and the
        second one comes a second later."""
        return ("addr add %(own4)s/24 dev %(name)s\naddr add %(own6)s/64 dev %(name)s nodad\nlink set %(name)s up\n"
                "neigh replace %(other4)s lladdr %(mac)s dev %(name)s\n"
                "neigh replace %(other6)s lladdr %(mac)s dev %(name)s\n") % locals()

    def serve(self, proto="tcp", address=OUT4, port=0):
        """A server beyond the host; it ends with the test."""
        server = Server(self.fd, proto, address, port)
        self.closers.append(server.close)
        return server

    def route(self, subnet):
        """As if a router beyond the host knew SUBNET to be behind it."""
        via = HOST6 if ":" in subnet else HOST4
        netns.inside(self.fd, lambda: ip("route replace %s via %s\n" % (subnet, via)))

    def run(self, argv, **more):
        """A program beyond the host."""
        return netns.inside(self.fd, lambda: subprocess.run(argv, stdout=subprocess.PIPE, text=True, **more))

    def close(self):
        for closer in reversed(self.closers):
            closer()
        os.close(self.fd)


# ---------------------------------------------------------------- the machine's own network

def nameserver():
    with open("/etc/resolv.conf") as f:
        return re.search(r"^nameserver\s+([\d.]+)", f.read(), re.M).group(1)


def relayed_ports():
    proxies = [urllib.parse.urlsplit(os.environ[p]) for p in PROXIES if os.environ.get(p)]
    return {53, 80, 443} | {p.port for p in proxies if p.port}


class Relay:
    """Carries what arrives beyond the host, for whatever address, into the machine's network."""

    def __init__(self, fd):
        netns.inside(fd, lambda: ip("route add local default dev lo table main\n"))
        self.stop_read, self.stop_write = os.pipe()
        self.listening = []
        for port in sorted(relayed_ports()):
            self.listening.append(netns.inside(fd, lambda: socket.create_server(("0.0.0.0", port))))
        self.names = netns.inside(fd, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.names.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.names.bind(("0.0.0.0", 53))
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            ready = select.select([self.stop_read, self.names] + self.listening, [], [])[0]
            if self.stop_read in ready:
                return
            for s in ready:
                work, args = (self.ask, s.recvmsg(65536, 128)) if s is self.names else (self.carry, s.accept()[:1])
                self.threads.append(threading.Thread(target=work, args=args, daemon=True))
                self.threads[-1].start()

    def carry(self, client):
        """One connection, to the address that the client meant; each direction ends by itself."""
        netns.to_machine()
        with client:
            try:
                server = socket.create_connection(client.getsockname(), 10)
            except OSError:
                return
            with server:
                server.settimeout(None)
                self.copy({client: server, server: client})

    def copy(self, other):
        open_ends = set(other)
        while open_ends:
            ready = select.select([self.stop_read] + list(open_ends), [], [])[0]
            if self.stop_read in ready:
                return
            for s in ready:
                try:
                    data = s.recv(1 << 16)
                    other[s].sendall(data) if data else other[s].shutdown(socket.SHUT_WR)
                except OSError:
                    return
                if not data:
                    open_ends.discard(s)

    def ask(self, query, control, _flags, peer):
        """One question to the machine's name server; the answer comes from the address that was asked."""
        netns.to_machine()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.connect((nameserver(), 53))
            s.send(query)
            try:
                answer = s.recv(65536)
            except OSError:
                return
        self.names.sendmsg([answer], from_the_same(control), 0, peer)

    def close(self):
        os.close(self.stop_write)
        for thread in self.threads:
            thread.join(15)
        os.close(self.stop_read)
        for s in self.listening + [self.names]:
            s.close()


# ---------------------------------------------------------------- fixtures

@pytest.fixture
def outside(network):
    made = Outside()
    yield made
    made.close()


@pytest.fixture
def internet(outside):
    """An outside that leads to the machine's network."""
    outside.closers.append(Relay(outside.fd).close)
    return outside
