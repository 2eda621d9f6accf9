# SPDX-License-Identifier: Apache-2.0
"""docker and podman on the same host: they keep their networks, tare has its own, whoever comes first, and
also after tare has taken everything down. The test's namespace is the host; the daemon is a real one, started in
it, on a host that does not forward packets yet: then it has all that is forwarded dropped.
"""
import os
import shutil
import socket
import subprocess
import time

import pytest

import netns
from conftest import wait_until
from outside import HOST4, OUT4
from peers import Peer, Podman, need, short_folder  # noqa: F401 (fixture)

SERVER = "mkdir -p /w; echo %s > /w/index.html; exec httpd -f -p 80 -h /w"
GET = b"GET / HTTP/1.0\r\n\r\n"
CGROUP = "tare-coexist-%d" % os.getpid()


class Daemon:
    """A dockerd of this namespace, with mounts of its own."""

    def __init__(self, folder):
        for program in ("dockerd", "docker"):
            need(program)
        need_filter("iptables")
        self.folder = folder
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "dockerd", "--data-root", folder / "data",
             "--exec-root", folder / "exec", "-H", "unix://%s/sock" % folder, "--pidfile", folder / "pid",
             "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/" + CGROUP,
             "--default-ulimit", "nofile=1024:1024", "--shutdown-timeout", "2", "--log-level", "warn"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.docker = Peer(["docker"], {"DOCKER_HOST": "unix://%s/sock" % folder})
        wait_until(self.is_up, "dockerd", 60)

    def is_up(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        return self.docker("version", check=False).returncode == 0

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        remove_groups()


def need_filter(program):
    package = "nftables" if program == "nft" else "iptables"
    if not shutil.which(program):
        pytest.skip("no %s here: install the package %s" % (program, package))


def remove_groups():
    """The daemon's own control groups, which are empty by now."""
    for controller in os.listdir("/sys/fs/cgroup"):
        top = os.path.join("/sys/fs/cgroup", controller, CGROUP)
        for path in [os.path.join(top, n) for n in (os.listdir(top) if os.path.isdir(top) else ())] + [top]:
            if os.path.isdir(path):
                try:
                    os.rmdir(path)
                except OSError:
                    pass


@pytest.fixture
def start_docker(network, short_folder):  # noqa: F811
    started = []

    def start():
        started.append(Daemon(short_folder))
        return started[-1].docker
    yield start
    for daemon in started:
        daemon.close()


@pytest.fixture
def archive(tare, tmp_path):
    """tare's busybox, for the others."""
    path = tmp_path / "busybox.tar"
    tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    tare.ok("save", "-o", str(path), "busybox")
    return path


def ask(address, port):
    """What a server of SERVER says, once it is up; "" when nothing is reached."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with socket.create_connection((address, port), 1) as s:
                s.sendall(GET)
                answer = b""
                while True:
                    data = s.recv(4096)
                    if not data:
                        break
                    answer += data
                if answer:
                    return answer.decode().split()[-1]
        except ConnectionError:
            time.sleep(0.05)
        except OSError:
            return ""
    return ""


def published(outside, port):
    """From beyond the host, and from the host itself."""
    return netns.inside(outside.fd, lambda: ask(HOST4, port)), ask("127.0.0.1", port)


def way_out(server):
    return ["busybox", "nc", "-w", "5", OUT4, str(server.port)]


def user_chain():
    done = subprocess.run(["iptables", "-S", "DOCKER-USER"], stdout=subprocess.PIPE, text=True)
    return done.stdout


def check_both(tare, docker, outside, names):
    """Both reach outside, as the host, and are reached."""
    server = outside.serve()
    for engine, run in ((tare.ok, "tare"), (docker, "docker")):
        got = engine("run", "--rm", *way_out(server))
        assert got.split()[0] == HOST4, run
    for name, port in names.items():
        assert published(outside, port) == (name, name)


def test_docker_is_there_first(tare, outside, start_docker, archive):
    netns.set_forwarding(False)
    docker = start_docker()
    docker("load", "-i", archive)
    assert "-P FORWARD DROP" in subprocess.run(["iptables", "-S", "FORWARD"], stdout=subprocess.PIPE, text=True).stdout
    before = user_chain()
    docker("run", "-d", "--name", "theirs", "-p", "8090:80", "busybox", "sh", "-c", SERVER % "docker")
    tare.ok("run", "-d", "--name", "ours", "-p", "8080:80", "busybox", "sh", "-c", SERVER % "tare")
    check_both(tare, docker, outside, {"tare": 8080, "docker": 8090})
    # A network more, and one less.
    tare.ok("network", "create", "more")
    assert user_chain().count("ACCEPT") == 4
    server = outside.serve()
    assert tare.ok("run", "--rm", "--network", "more", *way_out(server)).split()[0] == HOST4
    tare.ok("network", "rm", "more")
    assert user_chain().count("ACCEPT") == 2
    # Without tare, docker is what it was.
    tare.ok("rm", "-f", "ours")
    tare.ok("system", "prune", "-af")
    assert user_chain() == before
    assert published(outside, 8090) == ("docker", "docker")
    assert docker("run", "--rm", *way_out(server)).split()[0] == HOST4
    docker("rm", "-f", "theirs")


def test_docker_comes_later(tare, outside, start_docker, archive):
    netns.set_forwarding(False)
    tare.ok("run", "-d", "--name", "ours", "-p", "8080:80", "busybox", "sh", "-c", SERVER % "tare")
    docker = start_docker()
    docker("load", "-i", archive)
    docker("run", "-d", "--name", "theirs", "-p", "8090:80", "busybox", "sh", "-c", SERVER % "docker")
    check_both(tare, docker, outside, {"tare": 8080, "docker": 8090})
    # Somebody has docker's chain drop after all: the next command that has to do with networks sees it.
    subprocess.run(["iptables", "-P", "FORWARD", "DROP"], check=True)
    check_both(tare, docker, outside, {"tare": 8080, "docker": 8090})
    assert user_chain().count("ACCEPT") == 2
    subprocess.run(["iptables", "-F", "DOCKER-USER"], check=True)
    check_both(tare, docker, outside, {"tare": 8080, "docker": 8090})
    docker("rm", "-f", "theirs")


def test_the_rules_of_docker_are_explained(tare, start_docker):
    netns.set_forwarding(False)
    start_docker()
    got = tare("network", "create", "--explain", "-o", "com.docker.network.bridge.name=tare-x", "x")
    assert "iptables -w -I DOCKER-USER -i tare-x -j ACCEPT" in got.err
    assert "iptables -w -I DOCKER-USER -o tare-x -j ACCEPT" in got.err
    tare.ok("network", "rm", "x")


def test_the_older_iptables(tare):
    need_filter("iptables-legacy")
    for args in (("-N", "DOCKER-USER"), ("-A", "FORWARD", "-j", "DOCKER-USER"), ("-P", "FORWARD", "DROP")):
        subprocess.run(["iptables-legacy", "-w", *args], check=True)

    def rules():
        return subprocess.run(["iptables-legacy", "-w", "-S", "DOCKER-USER"], stdout=subprocess.PIPE, text=True).stdout
    tare.ok("network", "create", "-o", "com.docker.network.bridge.name=tare-x", "x")
    assert "-A DOCKER-USER -i tare-x -j ACCEPT" in rules() and "-A DOCKER-USER -o tare-x -j ACCEPT" in rules()
    tare.ok("network", "rm", "x")
    assert "tare-x" not in rules()


def test_a_chain_that_drops_and_is_not_dockers(tare):
    need_filter("nft")
    subprocess.run(["nft", "add table inet wall; add chain inet wall gate "
                    "{ type filter hook forward priority 0; policy drop; }"], check=True)
    got = tare("network", "create", "-o", "com.docker.network.bridge.name=tare-x", "x")
    assert got.rc == 0
    assert '"inet wall gate" drops' in got.err
    assert 'nft insert rule inet wall gate iifname "tare-x" accept' in got.err
    # Whoever has done that is not told again.
    tare.ok("network", "rm", "x")
    for key in ("iifname", "oifname"):
        subprocess.run(["nft", 'insert rule inet wall gate %s "tare-x" accept' % key], check=True)
    assert "drops" not in tare("network", "create", "-o", "com.docker.network.bridge.name=tare-x", "x").err


@pytest.fixture
def podman(short_folder):  # noqa: F811
    made = Podman(short_folder)
    yield made
    made("rm", "-af", check=False)
    made("network", "prune", "-f", check=False)


def test_podman(tare, outside, podman, archive):
    podman("load", "-i", archive)
    server = outside.serve()
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
    podman("run", "-d", *limits, "-p", "8090:80", "busybox", "sh", "-c", SERVER % "podman")
    tare.ok("run", "-d", "--name", "ours", "-p", "8080:80", "busybox", "sh", "-c", SERVER % "tare")

    def check():
        assert netns.inside(outside.fd, lambda: ask(HOST4, 8090)) == "podman"
        assert podman("run", "--rm", *limits, *way_out(server)).split()[0] == HOST4
    check()
    assert published(outside, 8080) == ("tare", "tare")
    assert tare.ok("run", "--rm", *way_out(server)).split()[0] == HOST4
    tare.ok("rm", "-f", "ours")
    tare.ok("system", "prune", "-af")
    check()


def test_dockers_containers_stay_behind_their_ports(tare, outside, start_docker, archive):
    """A container of tare's reaches docker's where they are published, and nowhere else, on networks that come later, too."""
    netns.set_forwarding(False)
    docker = start_docker()
    docker("load", "-i", str(archive))
    tare.ok("run", "-d", "--name", "from", "busybox", "sleep", "1000")
    docker("network", "create", "later")
    for network, port in (("bridge", 8081), ("later", 8082)):
        docker("run", "-d", "--name", network, "--network", network, "-p", "%d:80" % port, "busybox", "sh", "-c",
               SERVER % network)
        assert published(outside, port) == (network, network)
    tare.ok("network", "ls")
    for network, port in (("bridge", 8081), ("later", 8082)):
        own = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", network)
        assert tare("exec", "-i", "from", "nc", "-w", "2", own, "80", input=GET).out == ""
        assert tare("exec", "-i", "from", "nc", "-w", "5", HOST4, str(port), input=GET).out.endswith("\n%s\n" % network)
