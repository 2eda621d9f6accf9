# SPDX-License-Identifier: Apache-2.0
"""Packets made by hand, as a container may send them that has NET_RAW (all have): from whatever address, to
whatever address; and what arrives on a link.

A `Wire` is a packet socket on one link of one network namespace.
"""
import select
import socket
import struct
import time

import netns

ETH_ALL, ETH_IP, ETH_IPV6, ETH_ARP, ETH_VLAN = 3, 0x0800, 0x86dd, 0x0806, 0x8100
BROADCAST = "ff:ff:ff:ff:ff:ff"
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def with_checksum(pseudo, data, at):
    return data[:at] + struct.pack("!H", checksum(pseudo + data) or 0xffff) + data[at + 2:]


def pseudo_header(source, to, proto, length):
    if ":" in source:
        return packed(source) + packed(to) + struct.pack("!II", length, proto)
    return packed(source) + packed(to) + struct.pack("!HH", proto, length)


def ip(source, to, proto, data):
    """The packet, with its type for the frame in front."""
    if ":" in source:
        return ETH_IPV6, struct.pack("!IHBB", 6 << 28, len(data), proto, 255) + packed(source) + packed(to) + data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 1, 0, 64, proto, 0) + packed(source) + packed(to)
    return ETH_IP, with_checksum(b"", head, 10) + data


def udp(source, source_port, to, port, data):
    body = struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data
    return ip(source, to, socket.IPPROTO_UDP,
              with_checksum(pseudo_header(source, to, socket.IPPROTO_UDP, len(body)), body, 6))


def tcp_syn(source, source_port, to, port):
    body = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 5 << 4, 2, 65535, 0, 0)
    return ip(source, to, socket.IPPROTO_TCP,
              with_checksum(pseudo_header(source, to, socket.IPPROTO_TCP, len(body)), body, 16))


def icmp_error(source, to, about):
    """ "Port unreachable", said by SOURCE of the packet ABOUT."""
    return ip(source, to, socket.IPPROTO_ICMP, with_checksum(b"", struct.pack("!BBHI", 3, 3, 0, 0) + about, 2))


def neighbour_solicitation(source, to, data):
    body = struct.pack("!BBHI", 135, 0, 0, 0) + packed(to) + data
    return ip(source, to, socket.IPPROTO_ICMPV6,
              with_checksum(pseudo_header(source, to, socket.IPPROTO_ICMPV6, len(body)), body, 2))


def router_advertisement(source, mac, prefix, to=ALL_NODES):
    """Says that SOURCE is the way out, and PREFIX a /64 whose addresses one may give oneself."""
    body = (struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) +
            struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 7200, 7200, 0) + packed(prefix) + b"\1\1" + mac_bytes(mac))
    return ip(source, to, socket.IPPROTO_ICMPV6,
              with_checksum(pseudo_header(source, to, socket.IPPROTO_ICMPV6, len(body)), body, 2))


def link_local(mac):
    m = bytearray(mac_bytes(mac))
    m[0] ^= 2
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + b"\0" * 6 + bytes(m[:3]) + b"\xff\xfe" + bytes(m[3:]))


class Wire:
    def __init__(self, fd, link):
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
            s.bind((link, ETH_ALL))
            return s
        self.socket = netns.inside(fd, make)
        self.mac = self.socket.getsockname()[4].hex(":")

    def send(self, to_mac, packet, vlan=None):
        kind, data = packet
        tag = b"" if vlan is None else struct.pack("!HH", ETH_VLAN, vlan)
        self.socket.send(mac_bytes(to_mac) + mac_bytes(self.mac) + tag + struct.pack("!H", kind) + data)

    def heard(self, text, wait):
        """Whether a frame with the bytes TEXT came (or was sent) on the link until WAIT seconds from now."""
        end = time.monotonic() + wait
        while True:
            left = end - time.monotonic()
            if not select.select([self.socket], [], [], max(left, 0))[0]:
                return False
            if text in self.socket.recv(65536):
                return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()
