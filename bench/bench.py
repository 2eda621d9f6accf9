#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tare against the bare kernel cost of the same work and against its peers, measured in one run.

    bench.py [--build DIR] [--only NAME...] [--rounds N] [--quick] [--with-docker]

The contenders of a benchmark take turns (A B C, B A C, ...), so that whatever else happens on the
machine happens to all of them; after a warm-up at least 20 rounds count. Figures are medians and 95th
percentiles, and the ratio to the floor (bench/floor.c), which is what may be compared between
machines. A peer that is not installed is reported as missing. Results go to bench/results.json and as
a Markdown table to stdout. Needs root; every state is made below one directory and removed.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/e2e"))

import dockerfiles
import images
import netns
import network
from contenders import Contender, Failed, interleave, missing

REPO = pathlib.Path(__file__).resolve().parents[1]
CACHE = REPO / ".cache"
WARM_UP = 3


# ---------------------------------------------------------------- what they work on

class Bench:
    def __init__(self, args, work, run):
        self.args, self.work = args, work
        self.run_dir = run      # in memory, as /run is
        self.build = pathlib.Path(args.build).resolve()
        self.program = self.build / "tare"
        self.rootfs, self.bundle = work / "rootfs", work / "bundle"
        self.state = [str(self.program), "--root", str(work / "tare"), "--runroot", str(run / "run")]
        self.podman_ready = self.docker_socket = self.docker_folder = None

    def prepare(self):
        subprocess.run(["ninja", "-C", str(self.build), "bench/floor", "bench/timeit", "bench/netload", "bench/unpack_floor"], check=True,
                       stdout=subprocess.DEVNULL)
        layout = self.build / "images/busybox"
        blob = lambda d: layout / "blobs" / d["digest"].replace(":", "/")
        index = json.loads((layout / "index.json").read_text())
        manifest = json.loads(blob(index["manifests"][0]).read_text())
        self.layer = blob(manifest["layers"][0])
        with tarfile.open(self.layer) as tar:
            tar.extractall(self.rootfs)
        self.make_bundle()

    def make_bundle(self):
        self.bundle.mkdir()
        if not shutil.which("runc"):
            return
        subprocess.run(["runc", "spec", "-b", self.bundle], check=True)
        config = json.loads((self.bundle / "config.json").read_text())
        config["process"].update(terminal=False, args=["true"])
        config["root"] = {"path": str(self.rootfs), "readonly": True}
        (self.bundle / "config.json").write_text(json.dumps(config))

    def timeit(self, name, argv, parallel=1, env=None, prefix=(), before=None):
        program = shutil.which(str(argv[0]))
        if not program:
            return missing(name, "not installed")
        counted = ["-p", parallel] if parallel > 1 else []
        return Contender(name, [*prefix, self.build / "bench/timeit", *counted, *argv], env, before)

    def tare(self, *args, name="tare", parallel=1, before=None):
        return self.timeit(name, self.state + list(args), parallel, before=before)

    def call(self, *args):
        done = subprocess.run(self.state + list(args), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise Failed("tare %s: %s" % (" ".join(args), done.stderr.strip()[-200:]))
        return done.stdout.strip()

    def floor(self, *options):
        return Contender("floor", [self.build / "bench/floor", "--rootfs", self.rootfs, "--work", self.work, *options])

    # -- peers

    def crun(self):
        """Debian's crun refuses hybrid cgroups: in a mount namespace of its own, made once, it sees only v1."""
        hide = ("umount /sys/fs/cgroup/unified 2>/dev/null; "
                'exec "$0" "$@"')
        return self.timeit("crun", ["crun", "--root", self.work / "crun", "run", "-b", self.bundle, "bench-crun"],
                           prefix=["unshare", "-m", "--propagation", "private", "sh", "-c", hide])

    def runc(self):
        return self.timeit("runc", ["runc", "--root", self.work / "runc", "run", "-b", self.bundle, "bench-runc"])

    def bwrap(self):
        return self.timeit("bwrap", ["bwrap", "--ro-bind", self.rootfs, "/", "--proc", "/proc", "--dev", "/dev",
                                     "--tmpfs", "/tmp", "--unshare-all", "true"])

    def podman_env(self):
        """A podman of its own: storage, network configuration and limits a host without CAP_SYS_RESOURCE grants."""
        folder = self.work / "podman"
        env = {"CONTAINERS_CONF": folder / "containers.conf", "CONTAINERS_STORAGE_CONF": folder / "storage.conf",
               "CONTAINERS_REGISTRIES_CONF": folder / "registries.conf"}
        env = {key: str(value) for key, value in env.items()}
        if not folder.exists():
            folder.mkdir()
            (folder / "containers.conf").write_text(
                '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]\n[engine]\nruntime = "runc"\n'
                'cgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "%s/tmp"\n'
                '[network]\nnetwork_config_dir = "%s/net"\n' % (folder, folder))
            (folder / "storage.conf").write_text(
                '[storage]\ndriver = "overlay"\ngraphroot = "%s/root"\nrunroot = "%s/podman"\n' % (folder, self.run_dir))
            (folder / "registries.conf").write_text("unqualified-search-registries = []\n")
        return env

    def podman(self, *args, before=None):
        if not shutil.which("podman"):
            return missing("podman", "not installed")
        env = self.podman_env()
        if not self.podman_ready:
            done = subprocess.run(["podman", "import", self.layer, "busybox:latest"], env=dict(os.environ, **env),
                                  capture_output=True, text=True)
            if done.returncode:
                return missing("podman", "cannot import: " + done.stderr.strip()[-120:])
            self.podman_ready = True
        return self.timeit("podman", ["podman", *args], env=env, before=before)

    def docker(self, *args, before=None):
        if not self.args.with_docker:
            return missing("docker", "only measured with --with-docker")
        if not shutil.which("dockerd"):
            return missing("docker", "not installed")
        if not self.docker_socket:
            folder = self.docker_folder = self.work / "docker"
            done = subprocess.run([REPO / "tests/docker/setup-docker.sh", "start", folder], capture_output=True, text=True)
            if done.returncode:
                return missing("docker", "did not start: " + done.stderr.strip()[-120:])
            self.docker_socket = "unix://%s/docker.sock" % folder
            subprocess.run(["docker", "-H", self.docker_socket, "import", self.layer, "busybox:latest"], check=True,
                           stdout=subprocess.DEVNULL)
        return self.timeit("docker", ["docker", "-H", self.docker_socket, *args], before=before)

    def run_quietly(self, contender):
        """One run of a contender's command, not measured; raises Failed with its answer."""
        if isinstance(contender, Contender):
            try:
                contender.round()
            finally:
                contender.close()
        return contender

    def close(self):
        ids = subprocess.run(self.state + ["ps", "-aq"], capture_output=True, text=True).stdout.split() \
            if self.program.exists() else []
        for i in range(0, len(ids), 50):
            subprocess.run(self.state + ["rm", "-f", *ids[i:i + 50]], stdout=subprocess.DEVNULL)
        if self.podman_ready:
            subprocess.run(["podman", "rm", "-af", "-t", "0"], env=dict(os.environ, **self.podman_env()),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Its overlay driver mounts its own directory on itself, and so does each store of the loads.
        for folder in [self.work / "podman/root/overlay", *self.work.glob("l.*/a/overlay")]:
            subprocess.run(["umount", str(folder)], stderr=subprocess.DEVNULL)
        if self.docker_folder:
            subprocess.run([REPO / "tests/docker/setup-docker.sh", "stop", self.docker_folder])


# ---------------------------------------------------------------- the benchmarks

RUN = ("run", "--rm", "--network", "none", "busybox", "true")


def bench_run(b):
    """`run --rm --network none busybox true`; crun, runc and bwrap on a prepared root without an image"""
    return interleave([b.floor(), b.tare(*RUN), b.crun(), b.runc(), b.bwrap()], b.args.rounds)


def bench_run_engines(b):
    """the same, engines with images and state"""
    rounds = max(5, b.args.rounds // 4) if b.args.quick else b.args.rounds
    return interleave([b.floor(), b.tare(*RUN), b.podman(*RUN), b.docker(*RUN)], rounds)


def bench_exec(b):
    """`exec C true` in a running container"""
    up = ("run", "-d", "--name", "bench-exec", "--network", "none", "busybox", "sleep", "100000")
    go = ("exec", "bench-exec", "true")
    contenders = []
    try:
        b.call(*up)
        contenders.append(b.tare(*go))
    except (Failed, OSError) as e:
        contenders.append(missing("tare", str(e)))
    for peer in (b.podman, b.docker):
        first = peer(*up)
        if isinstance(first, Contender):
            try:
                first.round()
            except Failed as e:
                first.close()
                contenders.append(missing(first.name, str(e)))
                continue
            first.close()
            first = peer(*go)
        contenders.append(first)
    return interleave(contenders, b.args.rounds)


def bench_version(b):
    """`version`: exec and exit"""
    return interleave([b.timeit("true", ["/bin/true"]), b.tare("version"), b.timeit("crun", ["crun", "--version"]),
                       b.timeit("runc", ["runc", "--version"])], b.args.rounds * 2)


def bench_parallel(b):
    """64 at once, the time until the last has ended"""
    return interleave([b.floor("--parallel", "64"), b.tare(*RUN, parallel=64)], max(5, b.args.rounds // 4))


def bench_ps(b):
    """`ps -a` with 1,000 containers (100 with --quick)"""
    n = 100 if b.args.quick else 1000
    for i in range(n):
        b.call("create", "--name", "bench-ps-%d" % i, "--network", "none", "busybox", "true")
    try:
        return interleave([b.timeit("true", ["/bin/true"]), b.tare("ps", "-a")], b.args.rounds)
    finally:
        for i in range(0, n, 50):
            b.call("rm", *["bench-ps-%d" % k for k in range(i, min(n, i + 50))])


def proc_field(pid, file, key):
    for line in pathlib.Path("/proc", str(pid), file).read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise Failed("no %s in /proc/%s/%s" % (key, pid, file))


def bench_monitor(b):
    """100 containers up: memory of each monitor, and what the last ten cost to start against the first ten"""
    names, took = ["bench-up-%d" % i for i in range(100)], []
    try:
        for name in names:
            start = time.monotonic_ns()
            b.call("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "100000")
            took.append(time.monotonic_ns() - start)
        pids = b.call("inspect", "-f", "{{.State.Pid}}", *names).split()
        pss = [proc_field(proc_field(pid, "status", "PPid"), "smaps_rollup", "Pss") for pid in pids]
    finally:
        subprocess.run(b.state + ["rm", "-f", *names], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [{"name": "tare monitor", "pss_kib_mean": statistics.mean(pss), "pss_kib_max": max(pss)},
            {"name": "start of the first ten", "median_ns": statistics.median(took[:10]), "rounds": 10},
            {"name": "start of the last ten", "median_ns": statistics.median(took[-10:]), "rounds": 10}]


def all_engines(b, setup, command, rounds):
    """COMMAND by each engine that has done SETUP (once; None for nothing)."""
    contenders = []
    try:
        if setup:
            b.call(*setup)
        contenders.append(b.tare(*command))
    except Failed as e:
        contenders.append(missing("tare", str(e)))
    for peer in (b.podman, b.docker):
        first = peer(*setup) if setup else None
        try:
            b.run_quietly(first)
            contenders.append(first if first and not isinstance(first, Contender) else peer(*command))
        except Failed as e:
            contenders.append(missing(first.name, str(e)))
    return interleave(contenders, rounds)


def bench_volume(b):
    """`run --rm -v VOLUME:/d busybox true`, a volume that has content"""
    fill = ("run", "--rm", "--network", "none", "-v", "bench-volume:/d", "busybox", "touch", "/d/file")
    return all_engines(b, fill, ("run", "--rm", "--network", "none", "-v", "bench-volume:/d", "busybox", "true"),
                       max(5, b.args.rounds // 3))


def bench_restart(b):
    """`restart -t 0` of a running container"""
    up = ("run", "-d", "--name", "bench-restart", "--network", "none", "busybox", "sleep", "100000")
    return all_engines(b, up, ("restart", "-t", "0", "bench-restart"), max(5, b.args.rounds // 3))


def bench_logs(b):
    """`logs` of a container that printed 100,000 lines"""
    out = ("run", "--name", "bench-logs", "--network", "none", "busybox", "seq", "100000")
    return all_engines(b, out, ("logs", "bench-logs"), max(5, b.args.rounds // 3))


def debian_tar():
    """A Debian root file system of about 170 MB, made once."""
    tar = CACHE / "debian-12.tar"
    if not tar.exists():
        if not shutil.which("mmdebstrap"):
            raise Failed("mmdebstrap is not installed")
        CACHE.mkdir(exist_ok=True)
        part = CACHE / "debian-12.part.tar"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(part)], check=True)
        part.rename(tar)
    return tar


def bench_import(b):
    """import of a Debian root file system, durable when it returns (podman does not sync)"""
    tar = debian_tar()
    rounds = 3 if b.args.quick else 5
    # A state of its own for each round: a layer that is there already is not unpacked a second time, and
    # what would be removed in between would slow the next round of either down (ext4 passes over inodes
    # that were freed less than five seconds ago).
    fresh = 'd=%s/import.$$; exec "$0" --root "$d/root" --runroot "$d/run" import "$1" bench-debian' % b.work
    contenders = [b.timeit("tare", ["sh", "-c", fresh, b.program, tar]), b.podman("import", tar, "bench-debian")]
    rows = interleave(contenders, rounds)
    for row in rows:
        row["bytes"] = tar.stat().st_size
    return rows


BENCHMARKS = {"run": bench_run, "run-engines": bench_run_engines, "exec": bench_exec, "version": bench_version,
              "64-at-once": bench_parallel, "ps-1000": bench_ps, "monitor": bench_monitor, "volume": bench_volume,
              "restart": bench_restart, "logs": bench_logs, "import": bench_import,
              **images.BENCHMARKS, **network.BENCHMARKS, **dockerfiles.BENCHMARKS}


# ---------------------------------------------------------------- report

def machine():
    model = "unknown"
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "when": time.strftime("%Y-%m-%d"),
            "cgroups": "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1 or hybrid"}


def print_table(name, what, rows):
    base = next((r["median_ns"] for r in rows if r["name"] in ("floor", "true") and "median_ns" in r), None)
    against = "floor" if rows and rows[0]["name"] == "floor" else "exec + exit"
    print("\n**%s**: %s\n\n| | median | p95 | x %s |\n|---|---:|---:|---:|" % (name, what, against if base else ""))
    for row in rows:
        if "missing" in row:
            print("| %s | missing: %s | | |" % (row["name"], row["missing"]))
        elif "rss_kib" in row:
            print("| %s | %.1f MiB RSS | | |" % (row["name"], row["rss_kib"] / 1024))
        elif "median_bytes_per_s" in row:
            print("| %s | %.2f Gbit/s | | |" % (row["name"], row["median_bytes_per_s"] * 8 / 1e9))
        elif row["name"].endswith("round trip"):
            print("| %s | %.2f us | | |" % (row["name"], row["median_ns"] / 1e3))
        elif "pss_kib_mean" in row:
            print("| %s | %.0f KiB PSS | max %.0f KiB | |" % (row["name"], row["pss_kib_mean"], row["pss_kib_max"]))
        else:
            print("| %s | %.2f ms | %s | %s |" % (
                row["name"], row["median_ns"] / 1e6, "%.2f ms" % (row["p95_ns"] / 1e6) if "p95_ns" in row else "",
                "%.2f" % (row["median_ns"] / base) if base else ""))
    sys.stdout.flush()


def fetch_trees(names):
    """Packages come over the network, which the benchmarks do not have; whoever wants the tree says what is missing."""
    trees = {"import": debian_tar, "build-stages": dockerfiles.gcc_tar,
             **{name: images.debian_tar for name in images.BENCHMARKS}}
    for make in {trees[name] for name in names if name in trees}:
        try:
            make()
        except (Failed, OSError, subprocess.CalledProcessError) as e:
            print("no tree: %s" % e, file=sys.stderr)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default=str(REPO / "build"))
    ap.add_argument("--only", action="append", choices=list(BENCHMARKS), metavar="NAME", help=", ".join(BENCHMARKS))
    ap.add_argument("--rounds", type=int, default=30)
    ap.add_argument("--quick", action="store_true", help="fewer of what takes long; for trying things out")
    ap.add_argument("--with-docker", action="store_true", help="start a private dockerd as a contender")
    ap.add_argument("--output", default=str(REPO / "bench/results.json"))
    args = ap.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench.py makes containers and needs root")
    fetch_trees(args.only or BENCHMARKS)
    # Bridges, rules and the switch for forwarding: none of them is this machine's.
    netns.unshare()
    # Stopped from outside it still takes its daemons and directories away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    args.rounds = max(5 if args.quick else 20, args.rounds)
    results = {"machine": machine(), "benchmarks": {}}
    work = pathlib.Path(tempfile.mkdtemp(prefix="tare-bench-", dir="/var/tmp"))
    run = pathlib.Path(tempfile.mkdtemp(prefix="tare-bench-", dir="/dev/shm"))
    bench = Bench(args, work, run)
    print("%(cpu)s, %(cpus)d processors, kernel %(kernel)s, cgroups %(cgroups)s, %(when)s" % results["machine"])
    try:
        bench.prepare()
        for name in args.only or BENCHMARKS:
            try:
                rows = BENCHMARKS[name](bench)
            except (Failed, OSError, subprocess.CalledProcessError) as e:
                rows = [missing("tare", str(e))]
            results["benchmarks"][name] = rows
            print_table(name, BENCHMARKS[name].__doc__, rows)
    finally:
        bench.close()
        subprocess.run(["rm", "-rf", "--one-file-system", str(work), str(run)])
        with open(args.output, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
