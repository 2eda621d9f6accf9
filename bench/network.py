# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of networks: starting on the default bridge, what many ports and many containers cost, and what gets
through.

Everything happens in network namespaces of the benchmark's own, held by a sleeping process: neither the host's
links and rules nor a daemon's are touched or measured. docker has such a namespace from tests/docker/setup-docker.sh.
"""
import random
import shutil
import statistics
import subprocess

from contenders import WARM_UP, Contender, Failed, interleave, missing

BRIDGE_RUN = ("run", "--rm", "busybox", "true")
IMAGE_COMMAND = ("busybox", "sleep", "100000")


class Lab:
    """A network namespace with a tare of its own."""

    def __init__(self, b, name):
        self.b = b
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep infinity"],
                                       stdout=subprocess.PIPE, text=True)
        self.holder.stdout.readline()
        self.prefix = ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]
        self.state = [str(b.program), "--root", str(b.work / name), "--runroot", str(b.run_dir / name)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        ids = self.try_call("ps", "-aq").split()
        for i in range(0, len(ids), 50):
            self.try_call("rm", "-f", *ids[i:i + 50])
        self.holder.terminate()
        self.holder.wait()
        self.holder.stdout.close()

    def run(self, *argv):
        done = subprocess.run([*self.prefix, *map(str, argv)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failed("%s: %s" % (" ".join(map(str, argv[-4:])), done.stderr.strip()[-200:]))
        return done.stdout.strip()

    def try_call(self, *args):
        try:
            return self.call(*args)
        except Failed:
            return ""

    def call(self, *args):
        return self.run(*self.state, *args)

    def tare(self, *args, name="tare"):
        return Contender(name, [*self.prefix, self.b.build / "bench/timeit", *self.state, *args])

    def floor(self, *options):
        floor = self.b.floor(*options)
        floor.argv = self.prefix + floor.argv
        return floor

    def podman(self, *args):
        podman = self.b.podman(*args)
        if isinstance(podman, Contender):
            podman.argv = self.prefix + podman.argv
        return podman


def bench_run_bridge(b):
    """`run --rm busybox true` on the default bridge; the floor with its network part"""
    with Lab(b, "bridge") as lab:
        lab.call(*BRIDGE_RUN)       # the bridge and its rules are there from now on
        return interleave([lab.floor("--bridge"), lab.tare(*BRIDGE_RUN), lab.podman(*BRIDGE_RUN), b.docker(*BRIDGE_RUN)],
                          b.args.rounds)


def few_and_many(b, fill, command, names):
    """COMMAND in a lab of its own, and in one that FILL has filled, in turns: what makes both slow is in neither's favour."""
    with Lab(b, "few") as few, Lab(b, "many") as many:
        few.call(*BRIDGE_RUN)
        fill(many)
        return interleave([few.tare(*command, name=names[0]), many.tare(*command, name=names[1])], b.args.rounds)


def bench_publish(b):
    """`run --rm -p 7:7 busybox true`: the 1st published port, and the 1,000th (100th with --quick)"""
    n = 99 if b.args.quick else 999

    def fill(lab):
        # In several containers, as ports come.
        for first in range(0, n, 100):
            last = min(n, first + 100) - 1
            lab.call("run", "-d", "-p", "%d-%d:%d-%d" % (20000 + first, 20000 + last, 20000 + first, 20000 + last), *IMAGE_COMMAND)

    return few_and_many(b, fill, ("run", "--rm", "-p", "7:7", "busybox", "true"), ("1st port", "port %d" % (n + 1)))


def bench_containers(b):
    """`run --rm busybox true`: the 1st container of a bridge, and the 500th (50th with --quick)"""
    n = 49 if b.args.quick else 499

    def fill(lab):
        for _ in range(n):
            lab.call("run", "-d", *IMAGE_COMMAND)

    return few_and_many(b, fill, BRIDGE_RUN, ("1st container", "container %d" % (n + 1)))


# ---------------------------------------------------------------- what gets through

PORT = 9000
SLICE_MS = 100


class Path:
    """A client and a server somewhere, and the way between them. CLIENT is what stands before the client's command."""

    def __init__(self, name, client, program, address):
        self.name, self.client, self.program, self.address = name, [str(a) for a in client], str(program), address
        self.values = []

    def measure(self, mode):
        done = subprocess.run([*self.client, self.program, mode, self.address, str(PORT), str(SLICE_MS)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode or not done.stdout.strip().isdigit():
            raise Failed("%s: %s" % (self.name, (done.stderr or done.stdout).strip()[-200:]))
        return int(done.stdout)


def take_turns(paths, mode, rounds):
    """Rows of the paths: bytes per second (stream) or nanoseconds (rr), in turns of another order each round."""
    turns, rows, alive = random.Random(1), [], list(paths)
    for i in range(WARM_UP + rounds):
        for path in turns.sample(alive, len(alive)):
            try:
                value = path.measure(mode)
            except Failed as e:
                rows.append(missing(path.name, str(e)))
                alive.remove(path)
                continue
            if i >= WARM_UP:
                path.values.append(value)
    for path in alive:
        what = "median_bytes_per_s" if mode == "stream" else "median_ns"
        rows.append({"name": "%s, %s" % (path.name, "stream" if mode == "stream" else "round trip"),
                     what: statistics.median(path.values), "rounds": len(path.values)})
        path.values = []
    return rows


def bare_pair(b, lab, other):
    """Two namespaces joined by a pair of links and nothing else, and a server in the second."""
    lab.run("ip", "link", "add", "bare0", "type", "veth", "peer", "name", "bare1", "netns", other.holder.pid)
    for where, link, address in ((lab, "bare0", "10.254.1.1/24"), (other, "bare1", "10.254.1.2/24")):
        where.run("ip", "addr", "add", address, "dev", link)
        where.run("ip", "link", "set", link, "up")
    server = subprocess.Popen([*other.prefix, str(b.build / "bench/netload"), "server", str(PORT)])
    return server, Path("bare pair of links", lab.prefix, b.build / "bench/netload", "10.254.1.2")


def bare_bridge(b, lab, holders):
    """A bridge with two namespaces and nothing else: what one container pays to reach another in any case."""
    lab.run("ip", "link", "add", "bare-br", "type", "bridge", "forward_delay", "0")
    lab.run("ip", "link", "set", "bare-br", "up")
    for i, other in enumerate(holders):
        lab.run("ip", "link", "add", "port%d" % i, "master", "bare-br", "type", "veth", "peer", "name", "inner", "netns",
                other.holder.pid)
        lab.run("ip", "link", "set", "port%d" % i, "up")
        other.run("ip", "addr", "add", "10.254.2.%d/24" % (i + 1), "dev", "inner")
        other.run("ip", "link", "set", "inner", "up")
    return Path("bare bridge with two pairs", holders[1].prefix, b.build / "bench/netload", "10.254.2.1")


def engine_paths(name, call, prefix, engine, program):
    """From the host's side to a container, and from one container to another, of one engine."""
    up = ("run", "-d", "-v", "%s:/netload:ro" % program)
    server = call(*up, "busybox", "/netload", "server", str(PORT)).splitlines()[-1]
    client = call(*up, *IMAGE_COMMAND).splitlines()[-1]
    address = call("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", server)
    return [Path("%s: host to container" % name, prefix, program, address),
            Path("%s: container to container" % name, [*engine, "exec", client], "/netload", address)]


def docker_paths(b, program):
    ready = b.docker("version")
    if not isinstance(ready, Contender):
        return [ready]
    engine = ["docker", "-H", b.docker_socket]

    def call(*args):
        done = subprocess.run([*engine, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failed("docker: " + done.stderr.strip()[-200:])
        return done.stdout.strip()

    pid = (b.docker_folder / "docker.pid").read_text().strip()
    return engine_paths("docker", call, ["nsenter", "-t", pid, "--net"], engine, program)


def attempt(name, fn, *args):
    try:
        return fn(*args)
    except (Failed, OSError) as e:
        return [missing(name, str(e))]


def bench_throughput(b):
    """one TCP connection: bytes per second, and the round trip of one byte"""
    program = b.work / "netload"
    shutil.copy(b.build / "bench/netload", program)
    with Lab(b, "throughput") as lab, Lab(b, "bare") as other, Lab(b, "bare-2") as third:
        server, bare = bare_pair(b, lab, other)
        try:
            paths = [bare, bare_bridge(b, lab, (other, third)), *attempt("tare", engine_paths, "tare", lab.call, lab.prefix, lab.prefix + lab.state, program),
                     *attempt("docker", docker_paths, b, program)]
            there = [p for p in paths if isinstance(p, Path)]
            rounds = b.args.rounds * 2      # short slices in many turns: others use this machine, too
            return [*take_turns(there, "stream", rounds), *take_turns(there, "rr", rounds),
                    *(p for p in paths if p not in there)]
        finally:
            server.terminate()
            server.wait()


BENCHMARKS = {"run-bridge": bench_run_bridge, "publish": bench_publish, "containers": bench_containers,
              "network-throughput": bench_throughput}
