# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for tests: one for each test, and what can be asked of any.

A test's links, addresses, rules and ports are made in a namespace of its own, which takes them along
when it ends, in the background. The calling thread enters it, and with it every program it starts;
the namespace that the process began in (the machine's) is `MACHINE`.

A socket belongs to the namespace it was made in, whoever uses it: `inside` runs one function in
another namespace, on a thread of its own that ends with it.
"""
import ctypes
import fcntl
import os
import socket
import struct
import threading

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, NFTA_TABLE_NAME = 12, 10, 1, 1
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_ERROR, NLMSG_DONE = 1, 0x300, 2, 3
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def here():
    """A descriptor of the namespace this thread is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


MACHINE = here()


def enter(fd):
    check(libc.setns(fd, CLONE_NEWNET))


def to_machine():
    """For preexec_fn of what needs the machine's own network, such as its way to packages."""
    enter(MACHINE)


def unshare():
    """Enters a fresh namespace, in which loopback is up and packets are forwarded (as on a host where
    some engine has run before; a test of the switch turns it off first)."""
    check(libc.unshare(CLONE_NEWNET))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(s, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    set_forwarding(True)


def set_forwarding(on):
    for path in ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"):
        if os.path.exists(path):
            with open(path, "w") as f:
                f.write("1" if on else "0")


def on_a_thread(function):
    """What FUNCTION returns or raises on a thread that ends with it."""
    done = {}

    def run():
        try:
            done["value"] = function()
        except BaseException as e:  # noqa: B036 (handed on)
            done["error"] = e
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in done:
        raise done["error"]
    return done["value"]


def inside(fd, function):
    """Runs FUNCTION in the namespace FD; it may make sockets and start programs."""
    def run():
        enter(fd)
        return function()
    return on_a_thread(run)


def new():
    """A descriptor of a fresh namespace with nobody in it."""
    def run():
        unshare()
        return here()
    return on_a_thread(run)


def of_process(pid):
    return os.open("/proc/%d/ns/net" % pid, os.O_RDONLY | os.O_CLOEXEC)


# ---------------------------------------------------------------- what is there

def links():
    """Names of the links of the namespace this thread is in."""
    with open("/proc/thread-self/net/dev") as f:
        return [line.split(":")[0].strip() for line in f.readlines()[2:]]


def messages(data):
    """(type, payload) of each netlink message in DATA."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("IH", data)
        yield kind, data[16:length]
        data = data[(length + 3) & ~3:]


def attribute(data, wanted):
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if kind & 0x3fff == wanted:
            return data[4:length]
        data = data[(length + 3) & ~3:]
    return b""


def tables():
    """Every nftables table of the namespace this thread is in, as "inet name"."""
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER) as s:
        s.bind((0, 0))
        s.send(struct.pack("IHHIIBBH", 20, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
                           NLM_F_REQUEST | NLM_F_DUMP, 1, 0, 0, 0, 0))
        while True:
            for kind, payload in messages(s.recv(1 << 16)):
                if kind == NLMSG_DONE:
                    return found
                if kind == NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("i", payload)[0], "NFT_MSG_GETTABLE")
                name = attribute(payload[4:], NFTA_TABLE_NAME).rstrip(b"\0").decode()
                found.append("%s %s" % (FAMILIES.get(payload[0], payload[0]), name))
