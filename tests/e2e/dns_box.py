# SPDX-License-Identifier: Apache-2.0
"""tare-dns alone, without containers: network namespaces with sockets in them, and a server to ask.

What a monitor does for a container is done here by hand (src/network/name_server.h): sockets of 127.0.0.11:53
are made in a namespace and handed over. The name server itself runs in a namespace that plays the host, in which
an upstream server listens. As a program this file is that upstream server: `dns_box.py ADDRESS LOG`.
"""
import ctypes
import json
import os
import pathlib
import secrets
import socket
import struct
import subprocess
import sys
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
FORWARD = {True: "yes", False: "no"}
# The three descriptors in the places where the program looks for them.
LAUNCH = "import os, sys; f = [os.dup(int(a)) for a in sys.argv[3:]]; g = [os.dup2(x, 60 + i) for i, x in enumerate(f)]; " \
         "[os.dup2(x, 3 + i) for i, x in enumerate(g)]; os.execv(sys.argv[1], sys.argv[1:3])"


def new_id():
    return secrets.token_hex(32)


class Namespace:
    """A network namespace with loopback, held by a process that sleeps in it."""

    def __init__(self):
        self.child = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo && exec sleep 1000"],
                                      stdout=subprocess.PIPE)
        assert self.child.stdout.readline() == b"\n"
        self.path = "/proc/%d/ns/net" % self.child.pid

    def argv(self, *command):
        return ["nsenter", "--net=" + self.path, *map(str, command)]

    def run(self, *command, check=True, timeout=30, **more):
        return subprocess.run(self.argv(*command), check=check, timeout=timeout, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **more).stdout

    def call(self, function):
        """What FUNCTION returns when it runs in the namespace: a thread has one of its own."""
        result = []

        def enter():
            with open(self.path) as f:
                assert LIBC.setns(f.fileno(), CLONE_NEWNET) == 0
            result.append(function())
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return result[0]

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def name_sockets():
    """What a container's first process makes."""
    made = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        s = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.11", 53))
        made.append(s)
    made[0].setsockopt(socket.SOL_SOCKET, 33, 1 << 20)      # SO_RCVBUFFORCE
    made[1].listen(64)
    ask = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    ask.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return made + [ask]


class Box:
    """A container as the name server sees it."""

    def __init__(self, server, forward=True, upstreams=("host 127.0.0.53",)):
        self.server, self.id, self.net = server, new_id(), Namespace()
        self.sockets = self.net.call(name_sockets)
        self.connection = None
        self.forward, self.upstreams = forward, upstreams
        self.hand_over()

    def hand_over(self):
        self.hang_up()
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connection.connect(str(self.server.socket_path))
        self.tell(self.sockets)

    def tell(self, sockets=()):
        text = "container %s\nforward %s\n" % (self.id, FORWARD[self.forward])
        text += "".join("server %s\n" % u for u in self.upstreams)
        socket.send_fds(self.connection, [text.encode()], [s.fileno() for s in sockets])

    def hang_up(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def dig(self, *args, **more):
        return self.net.run("dig", "@127.0.0.11", "+tries=1", "+time=6", "+nocookie", *args, check=False, **more)

    def ask(self, *args):
        """The answers alone, one a line."""
        return self.dig("+short", *args).split("\n")[:-1]

    def join(self, network, names, ip4=None, ip6=None, more=()):
        lines = ["name " + n for n in names] + ["%s %s" % x for x in (("ip4", ip4), ("ip6", ip6)) if x[1]] + list(more)
        write_endpoint(self.server.networks / network, self.id, lines)

    def leave(self, network):
        (self.server.networks / network / "endpoints" / self.id).unlink()

    def close(self):
        self.hang_up()
        for s in self.sockets:
            s.close()
        self.net.close()


def write_endpoint(folder, container, lines):
    place = folder / "endpoints"
    place.mkdir(parents=True, exist_ok=True)
    temp = place / (container + ".0123~")
    temp.write_text("\n".join(lines) + "\n")
    temp.rename(place / container)


class Server:
    """tare-dns for one network, in a namespace that plays the host's."""

    def __init__(self, folder, program):
        self.runroot, self.program = pathlib.Path(folder), program
        self.networks, self.network = self.runroot / "networks", new_id()
        self.folder = self.networks / self.network
        (self.folder / "endpoints").mkdir(parents=True)
        # A Unix address has 108 bytes.
        self.folder_fd = os.open(self.folder, os.O_PATH)
        self.socket_path = pathlib.Path("/proc/self/fd/%d/dns.sock" % self.folder_fd)
        self.host = Namespace()
        self.boxes, self.child, self.pid = [], None, 0
        self.start()

    def start(self):
        self.socket_path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind(str(self.socket_path))
        listening.listen(64)
        lock = os.open(self.folder / "dns.lock", os.O_RDWR | os.O_CREAT)
        folder = os.open(self.networks, os.O_RDONLY)
        fds = [listening.fileno(), lock, folder]
        null = subprocess.DEVNULL
        subprocess.run(self.host.argv(sys.executable, "-c", LAUNCH, self.program, self.network, *fds), pass_fds=fds, check=True,
                       stdin=null, stdout=null, stderr=null, timeout=20)
        listening.close()
        os.close(lock)
        os.close(folder)
        self.pid = next(int(p) for p in os.listdir("/proc") if p.isdigit() and self.is_it(p))

    def is_it(self, pid):
        try:
            return pathlib.Path("/proc/%s/cmdline" % pid).read_bytes().split(b"\0")[1:2] == [self.network.encode()]
        except OSError:
            return False

    def is_alive(self):
        return os.path.exists("/proc/%d" % self.pid)

    def box(self, *args, **more):
        self.boxes.append(Box(self, *args, **more))
        return self.boxes[-1]

    def box_endpoint(self, number):
        """Somebody in the network whom another name server, or none, serves."""
        write_endpoint(self.folder, new_id(), ["name other%d" % number, "name all", "ip4 172.18.1.%d" % number])

    def read(self, name):
        return pathlib.Path("/proc/%d/%s" % (self.pid, name)).read_text()

    def close(self):
        for box in self.boxes:
            box.close()
        self.host.close()
        os.close(self.folder_fd)


class Upstream:
    """A server in NAMESPACE that notes what it is asked: a list of (protocol, peer, message)."""

    def __init__(self, namespace, log, address="127.0.0.53"):
        self.log = pathlib.Path(log)
        self.log.write_text("")
        self.child = subprocess.Popen(namespace.argv(sys.executable, __file__, address, log), stdout=subprocess.PIPE)
        assert self.child.stdout.readline() == b"ready\n"

    def asked(self):
        return [json.loads(line) for line in self.log.read_text().split("\n") if line]

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


# ---------------------------------------------------------------- the server to ask

def name_of(message):
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    return ".".join(labels).lower(), message[12:at + 5]


def answer(message, is_tcp):
    """The answer that the name asks for; None for none at all."""
    name, question = name_of(message)
    word = name.split(".")[0]
    flags, records = 0x8180, 1
    if word == "silent" or (word == "late" and not is_tcp):
        return None
    if word == "big" and not is_tcp:
        flags, records = flags | 0x0200, 0
    if word in ("servfail", "refused", "missing"):
        flags, records = flags | {"servfail": 2, "refused": 5, "missing": 3}[word], 0
    if word == "big" and is_tcp:
        records = 3000
    record = b"\xc0\x0c" + struct.pack(">HHIHBBBB", 1, 1, 60, 4, 192, 0, 2, 99)
    # Whatever a message may carry behind its answer passes unread.
    extra = b"\0" + struct.pack(">HHIH", 41, 4096, 0, 8) + b"\xfd\xe9\0\4odd!" if b"\0\0\x29" in message[12:] else b""
    return message[:2] + struct.pack(">HHHHH", flags, 1, records, 0, bool(extra)) + question + record * records + extra


def serve(address, log):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for s in (udp, tcp):
        s.bind((address, 53))
    tcp.listen(64)

    def note(protocol, peer, message):
        with open(log, "a") as f:
            f.write(json.dumps([protocol, peer[:2], message.hex()]) + "\n")

    def serve_tcp():
        while True:
            connection, peer = tcp.accept()
            with connection:
                length = struct.unpack(">H", connection.recv(2))[0]
                message = connection.recv(length)
                note("tcp", peer, message)
                out = answer(message, True)
                if out:
                    connection.sendall(struct.pack(">H", len(out)) + out)

    threading.Thread(target=serve_tcp, daemon=True).start()
    print("ready", flush=True)
    while True:
        message, peer = udp.recvfrom(65535)
        note("udp", peer, message)
        out = answer(message, False)
        if out:
            udp.sendto(out, peer)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
