# SPDX-License-Identifier: Apache-2.0
"""Debian's own programs on networks: nginx found by name and published, apt through the bridge, dig and
glibc's resolver.

The root filesystem is made once by mmdebstrap and kept beside the program (about 40 seconds, 200 MB).
"""
import fcntl
import pathlib
import re
import subprocess
import urllib.request

import pytest

import netns
from conftest import PROGRAM, wait_until
from outside import HOST4, HOST6, OUT4, OUT6
from test_debian import PROXIES, apt_options

PACKAGES = "nginx-light,curl,bind9-dnsutils,iproute2,iputils-ping"
PORT = 18080
SITE = "server { listen 80; listen [::]:80; location / { default_type text/plain; return 200 \"$remote_addr\\n\"; } }"
SERVE = "echo '%s' >/etc/nginx/conf.d/say.conf && rm -f /etc/nginx/sites-enabled/default && exec nginx -g 'daemon off;'" % SITE


def make_root(path):
    part = path.with_suffix(".part.tar")
    argv = ["mmdebstrap", "--variant=minbase", "--mode=root", "--include=" + PACKAGES]
    argv += ["--aptopt=" + option.rstrip(";") for option in apt_options()]
    subprocess.run(argv + ["bookworm", str(part)], check=True, stdin=subprocess.DEVNULL, timeout=400,
                   preexec_fn=netns.to_machine)
    part.rename(path)


@pytest.fixture(scope="session")
def network_tar():
    path = pathlib.Path(PROGRAM).parent / "debian-12-network.tar"
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            make_root(path)
    return path


@pytest.fixture
def debian(tare, network_tar):
    tare.ok("import", network_tar, "debian:net")
    return tare


def client(tare, network, *argv):
    return tare.ok("run", "--rm", "--network", network, "debian:net", *argv, timeout=120)


def is_seen_as_itself(tare, network, url, *options):
    """Whether nginx saw the address that the client has on its link."""
    seen = client(tare, network, "sh", "-ec", "curl -sm5 %s '%s'; ip -o addr show eth0" % (" ".join(options), url))
    first, rest = seen.split("\n", 1)
    return " %s/" % first in rest


def fetch(fd, address, port=PORT):
    """The client that nginx saw when asked from the namespace FD."""
    host = "[%s]" % address if ":" in address else address

    def get():
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open("http://%s:%d/" % (host, port), timeout=10).read().decode().strip()
    return netns.inside(fd, get)


def start_server(tare, *options):
    tare.ok("run", "-d", "--name", "web", "-p", "%d:80" % PORT, *options, "debian:net", "sh", "-ec", SERVE)
    wait_until(lambda: tare("exec", "web", "curl", "-s", "http://127.0.0.1/").rc == 0, "nginx to answer")
    return next(iter(tare.inspect("web")["NetworkSettings"]["Networks"].values()))


# One import for all of it: an archive of thousands of files is cheap to bring in, not to remove.
def test_debian_on_networks(debian, internet):
    check_published_without_ipv6(debian, internet)
    check_published_with_ipv6(debian, internet)
    check_names(debian)
    check_packages(debian)


def check_published_without_ipv6(tare, outside):
    """On the default bridge, which has no IPv6: what arrives by it is carried on, from the gateway."""
    here, own = netns.here(), start_server(tare)
    assert fetch(here, "127.0.0.1") == own["Gateway"]
    assert fetch(here, "::1") == own["Gateway"]
    assert fetch(here, HOST4) == HOST4
    assert fetch(outside.fd, HOST4) == OUT4
    assert fetch(outside.fd, HOST6) == own["Gateway"]
    url = "http://%s:%d/" % (HOST4, PORT)
    assert client(tare, "bridge", "curl", "-sm5", url) == own["Gateway"]
    assert tare.ok("exec", "web", "curl", "-sm5", url) == own["Gateway"]
    tare.ok("rm", "-f", "web")


def check_published_with_ipv6(tare, outside):
    for name in ("front", "back"):
        tare.ok("network", "create", "--ipv6", name)
    here, own = netns.here(), start_server(tare, "--network", "front")
    gateways = {own["Gateway"], own["IPv6Gateway"]}
    assert fetch(here, "127.0.0.1") == own["Gateway"]
    assert fetch(here, "::1") in gateways
    for address, peer in ((HOST4, OUT4), (HOST6, OUT6)):
        assert fetch(here, address) == address
        assert fetch(outside.fd, address) == peer
        url = "http://%s:%d/" % ("[%s]" % address if ":" in address else address, PORT)
        assert client(tare, "front", "curl", "-sm5", url) in gateways
        assert is_seen_as_itself(tare, "back", url)
        assert tare.ok("exec", "web", "curl", "-sm5", url) in gateways


def check_names(tare):
    """nginx by name: by curl, which asks as glibc does, by dig, and by busybox; by IPv4 and by IPv6."""
    own = next(iter(tare.inspect("web")["NetworkSettings"]["Networks"].values()))
    for version in ("-4", "-6"):
        assert is_seen_as_itself(tare, "front", "http://web/", version)
    assert client(tare, "front", "dig", "+short", "web", "A") == own["IPAddress"]
    assert client(tare, "front", "dig", "+short", "web", "AAAA") == own["GlobalIPv6Address"]
    assert client(tare, "front", "dig", "+short", "+tcp", "web", "A") == own["IPAddress"]
    assert client(tare, "front", "dig", "+short", "-x", own["IPAddress"]) == "web.front."
    found = client(tare, "front", "getent", "ahosts", "web").split()
    assert {own["IPAddress"], own["GlobalIPv6Address"]} <= set(found)
    busybox = tare.ok("run", "--rm", "--network", "front", "busybox", "nslookup", "web")
    assert own["IPAddress"] in busybox and own["GlobalIPv6Address"] in busybox
    assert tare("run", "--rm", "--network", "back", "debian:net", "getent", "hosts", "web").rc == 2


def check_packages(tare):
    """apt through the default bridge, by the nameserver of the host; and through a user network, by tare's own."""
    proxies = [x for v in PROXIES for x in ("-e", v)]
    for network in ("bridge", "back"):
        out = tare.ok("run", "--rm", "--network", network, *proxies, "debian:net", "sh", "-ec",
                      "ip -o -4 addr show eth0; apt-get -q update && apt-get -qy install --no-install-recommends hello && hello",
                      timeout=180)
        assert re.search(r"eth0\s+inet 1\d", out) and "Setting up hello" in out and out.endswith("\nHello, world!")
