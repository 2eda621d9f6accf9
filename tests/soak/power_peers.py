#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same power cut for tare, podman and docker: one archive is loaded, the load is acknowledged, and pictures of the
disk (disks.py) are taken from that moment on, for twelve seconds.

    power_peers.py [--engine tare|podman|docker]... [--disk ext4|xfs]... [--last SECONDS]

In each picture, as after a reboot (nothing of /run is left): is the image listed, are all its files there with
their content, and does it run? The table counts pictures. It is a comparison, not a test: only tare's own row can
fail it.

Somebody else's sync(2) would write everything on this machine and make the pictures worthless. A file without a
sync, written after the load, tells: where it is in a picture, that one and those after it do not count, and the
series is made again, three times at most.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

from disks import CrashDisk, private_mounts, scratch
from harness import COMMAND_TIMEOUT, Failure, State, report, wait_until
from images import chain_ids, docker_archive, entry, layer_tar

NAME = "cut:1"
FULL_NAMES = (NAME, "localhost/" + NAME, "docker.io/library/" + NAME)
WHOLE, DAMAGED, LOST, UNREADABLE = "whole", "listed but damaged", "lost", "store unreadable"
VERDICTS = (WHOLE, DAMAGED, LOST, UNREADABLE)
CONTROL = "control"
CGROUP = "tare-power-peers"


def run(argv, **more):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=COMMAND_TIMEOUT * 2, **more)


def make_archive(path):
    """Three layers, 450 files; what must be found afterwards: {path: sha256}."""
    rng, files, layers = random.Random(1), {}, []
    busybox = pathlib.Path(shutil.which("busybox")).read_bytes()
    for i in range(3):
        entries = [entry("bin/", mode=0o755), entry("bin/busybox", busybox, 0o755), entry("bin/true", link="busybox")]
        entries = entries if i == 0 else []
        entries.append(entry("data-%d/" % i, mode=0o755))
        entries += [entry("data-%d/%d" % (i, n), rng.randbytes(rng.randint(1, 40000))) for n in range(150)]
        files.update({info.name: hashlib.sha256(data).hexdigest() for info, data in entries if data is not None})
        layers.append(layer_tar(entries))
    docker_archive(path, NAME, layers)
    return files


class Tare:
    def __init__(self, base, away):
        away.mkdir()
        self.state = State(away, base / "root")

    def load(self, archive):
        self.state.ok("load", "-q", "-i", str(archive))

    def names(self):
        done = self.state("images", "--format", "{{.Repository}}:{{.Tag}}")
        return None if done.returncode else done.stdout.split()

    def folders(self):
        diff_ids = json.loads(self.state.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", NAME))
        return [self.state.root / "layers" / c / "diff" for c in reversed(chain_ids(diff_ids))]

    def runs(self):
        return self.state("run", "--rm", "--network", "none", NAME, "/bin/true").returncode == 0

    def close(self):
        self.state.close()


class Podman:
    def __init__(self, base, away):
        away.mkdir()
        self.argv = ["podman", "--root", str(base / "podman"), "--runroot", str(away / "run"), "--tmpdir", str(away / "tmp"),
                     "--storage-driver", "overlay", "--runtime", "runc", "--events-backend", "none"]

    def load(self, archive):
        done = run(self.argv + ["load", "-q", "-i", str(archive)])
        if done.returncode:
            raise Failure("podman load: " + done.stderr)

    def names(self):
        done = run(self.argv + ["images", "--format", "{{.Repository}}:{{.Tag}}"])
        return None if done.returncode else done.stdout.split()

    def folders(self):
        return graph_folders(self.argv)

    def runs(self):
        return run(self.argv + ["run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000",
                                NAME, "/bin/true"]).returncode == 0

    def close(self):
        run(self.argv + ["rm", "-af"])


class Docker:
    """A daemon of our own for each look."""

    def __init__(self, base, away):
        away.mkdir()
        self.argv, self.away = ["docker", "-H", "unix://%s/sock" % away], away
        self.log = open(away / "log", "w")
        argv = ["unshare", "--net", "dockerd", "--data-root", str(base / "docker"), "--exec-root", str(away / "exec"),
                "-H", "unix://%s/sock" % away, "--pidfile", str(away / "pid"), "--exec-opt", "native.cgroupdriver=cgroupfs",
                "--cgroup-parent", "/" + CGROUP, "--bridge", "none", "--iptables=false", "--ip6tables=false",
                "--default-ulimit", "nofile=1024:1024", "--shutdown-timeout", "2", "--log-level", "warn"]
        self.daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            wait_until(lambda: self.daemon.poll() is not None or run(self.argv + ["version"]).returncode == 0, "dockerd", 30)
        except Failure:
            pass

    def load(self, archive):
        done = run(self.argv + ["load", "-q", "-i", str(archive)])
        if done.returncode:
            raise Failure("docker load: %s%s" % (done.stderr, (self.away / "log").read_text()[-500:]))

    def names(self):
        done = run(self.argv + ["images", "--format", "{{.Repository}}:{{.Tag}}"])
        return None if done.returncode else done.stdout.split()

    def folders(self):
        return graph_folders(self.argv)

    def runs(self):
        return run(self.argv + ["run", "--rm", "--network", "none", NAME, "/bin/true"]).returncode == 0

    def close(self):
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.log.close()
        for folder in pathlib.Path("/sys/fs/cgroup").glob("*/" + CGROUP):
            for inner in list(folder.glob("*/")) + [folder]:
                try:
                    inner.rmdir()
                except OSError:
                    pass  # in use, or not empty: not ours to force


ENGINES = {"tare": Tare, "podman": Podman, "docker": Docker}


def graph_folders(argv):
    done = run(argv + ["image", "inspect", "-f", "{{json .GraphDriver.Data}}", NAME])
    if done.returncode:
        raise Failure(done.stderr.strip())
    data = json.loads(done.stdout)
    return [pathlib.Path(p) for p in [data["UpperDir"]] + [p for p in data.get("LowerDir", "").split(":") if p]]


def wrong_files(folders, files):
    """How many of FILES are missing, and how many have another content."""
    missing = different = 0
    for name, digest in files.items():
        path = next((f / name for f in folders if os.path.lexists(f / name)), None)
        if not path:
            missing += 1
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            different += 1
    return missing, different


def judge(engine, files):
    """(verdict, files missing, files different)"""
    names = engine.names()
    if names is None:
        return UNREADABLE, 0, 0
    if not set(names) & set(FULL_NAMES):
        return LOST, 0, 0
    try:
        missing, different = wrong_files(engine.folders(), files)
    except (Failure, OSError, ValueError, KeyError):
        return DAMAGED, len(files), 0
    return DAMAGED if missing or different or not engine.runs() else WHOLE, missing, different


def moments(last):
    """Dense at first, then every half second."""
    at = [0, 0.1, 0.25]
    while at[-1] + 0.5 <= last:
        at.append(0.5 * (len(at) - 2))
    return at


def take(disk, engine, archive, last):
    """Pictures as (seconds since the acknowledgement, path)."""
    engine.load(archive)
    acknowledged, pictures = time.monotonic(), []
    (disk.where / CONTROL).write_bytes(b"x" * 10000)
    for at in moments(last):
        time.sleep(max(0, acknowledged + at - time.monotonic()))  # an interval of the experiment, no waiting for an event
        pictures.append((time.monotonic() - acknowledged, disk.picture()))
    return pictures


class Series:
    """What the pictures of one load say."""

    def __init__(self):
        self.found, self.worst, self.latest, self.synced_at = collections.Counter(), 0, None, None

    def add(self, at, verdict, wrong):
        self.found[verdict] += 1
        self.worst = max(self.worst, wrong)
        self.latest = at if verdict != WHOLE else self.latest

    def __str__(self):
        text = "%d pictures: %s" % (sum(self.found.values()), ", ".join("%d %s" % (self.found[v], v) for v in VERDICTS))
        text += "; at most %d of 451 files wrong" % self.worst if self.worst else ""
        text += "; not whole as late as %.1f s" % self.latest if self.latest is not None else ""
        return text + ("; ended by somebody's sync after %.1f s" % self.synced_at if self.synced_at is not None else "")


def look(name, disk, work, at, path, files, series):
    """At the same place, which podman insists on; what was in /run is gone. False: somebody has synced."""
    shutil.rmtree(work / "away", ignore_errors=True)
    mounted = disk.mount_picture(path, work / "inner")
    try:
        control = mounted.where / CONTROL
        if name != "tare" and control.exists() and control.stat().st_size:
            series.synced_at = at
            return False
        engine = ENGINES[name](mounted.where, work / "away")
        try:
            verdict, missing, different = judge(engine, files)
        finally:
            engine.close()
        series.add(at, verdict, missing + different)
        return True
    finally:
        mounted.close()
        path.unlink()


def compare(name, kind, last):
    """The Series of one load on a new disk."""
    work, disk, series = scratch("tare-peers-", 8000), None, Series()
    try:
        files = make_archive(work / "image.tar")
        disk = CrashDisk(work, kind)
        engine = ENGINES[name](disk.where, work / "away")
        try:
            pictures = take(disk, engine, work / "image.tar", last)
        finally:
            engine.close()
        disk.close_inner()
        for at, path in pictures:
            if not look(name, disk, work, at, path, files, series):
                break
    finally:
        if disk:
            disk.close()
        shutil.rmtree(work, ignore_errors=True)
    return series


def compare_undisturbed(name, kind, last):
    best = None
    for _ in range(3):
        series = compare(name, kind, last)
        if not best or sum(series.found.values()) > sum(best.found.values()):
            best = series
        if series.synced_at is None:
            break
    return best


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--engine", action="append", choices=sorted(ENGINES))
    p.add_argument("--disk", action="append", choices=["ext4", "xfs"])
    p.add_argument("--last", type=float, default=12)
    o = p.parse_args()
    private_mounts()
    bad, lines = 0, []
    for name in o.engine or ENGINES:
        if name != "tare" and not shutil.which({"docker": "dockerd"}.get(name, name)):
            lines.append("%s is not installed" % name)
            continue
        for kind in o.disk or ["ext4", "xfs"]:
            series = compare_undisturbed(name, kind, o.last)
            lines.append("%s, %s: %s" % (name, kind, series))
            print("  " + lines[-1], file=sys.stderr, flush=True)
            bad += name == "tare" and series.found[WHOLE] != sum(series.found.values())
    report("power cut, compared", ["pictures within %g s of an acknowledged load of 451 files" % o.last] + lines)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
