#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts: what a command promised is there after one.

    power_cut.py [--images N] [--seconds S] [--disk ext4|xfs]... [--seed S]

Images come and go (import, load, commit, build, rmi in seeded order) on a CrashDisk (disks.py), N pictures of which are
taken meanwhile, half of them with each filesystem. In each picture:
- every image that was acknowledged before the picture was begun, and whose removal was not begun before it was
  complete, is listed;
- every listed image is whole, whatever was acknowledged of it: its layers are compared file by file with what they
  were; `system check --full` agrees; the newest runs. That includes images whose removal was acknowledged, and
  which the cut brought back;
- what was built last comes out the same again, with what the build cache still has of it: of an earlier boot only what
  an image made durable is believed;
- the next commands work, after an import nothing is left of what was cut short, and `system check --full` is content.

The control: files written beside without any sync. In some picture at least one must be missing or empty, else the
pictures prove nothing.
"""
import argparse
import concurrent.futures
import contextlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

from disks import CrashDisk, private_mounts, scratch
from harness import Failure, State, report
from images import StoreView, docker_archive, entry, layer_tar

KEEP = 6  # images at most, so that a look is quick


class Life:
    """When an image was acknowledged, and when its removal was begun; the hashes of its layers, and what it was built of."""

    def __init__(self):
        self.acknowledged = self.removal = None
        self.hashes = self.context = None


class Workload(threading.Thread):
    """Makes and removes images, one after another; `lives` tells what was promised when."""

    def __init__(self, state, seconds, seed):
        super().__init__()
        self.state, self.end, self.rng = state, time.monotonic() + seconds, random.Random(seed)
        self.view, self.files = StoreView(state), state.folder / "files"
        self.files.mkdir()
        self.lives, self.loose, self.problem, self.done = {}, [], None, {}
        self.busybox = subprocess.check_output(["sh", "-c", "command -v busybox"], text=True).strip()
        with open(self.busybox, "rb") as f:
            self.program = f.read()
        self.base = layer_tar([entry("bin/", mode=0o755), entry("bin/busybox", self.program, 0o755),
                               entry("bin/true", link="busybox"), entry("etc/", mode=0o755)])

    def random_files(self, n):
        return [entry("data-%d" % i, self.rng.randbytes(self.rng.randint(0, 60000))) for i in range(n)]

    def by_import(self, name):
        path = self.files / "root.tar"
        path.write_bytes(layer_tar([entry("bin/", mode=0o755), entry("bin/true", self.program, 0o755)] + self.random_files(8)))
        self.state.ok("import", str(path), name)

    def by_load(self, name):
        """On a lower layer that all of them share."""
        path = self.files / "image.tar"
        docker_archive(path, name, [self.base, layer_tar(self.random_files(8)), layer_tar([entry("etc/.wh.x", b"")])])
        self.state.ok("load", "-q", "-i", str(path))

    def by_commit(self, name):
        ident = self.state.ok("create", "busybox", "true")
        upper = self.state.root / "containers" / ident / "upper"
        (upper / "new").mkdir()
        for i in range(8):
            (upper / "new" / str(i)).write_bytes(self.rng.randbytes(self.rng.randint(0, 60000)))
        self.state.ok("commit", ident, name)
        self.state.ok("rm", ident)

    def by_build(self, name):
        """Half of the time the steps were there before; then their directories become layers."""
        context = self.state.folder.parent / "contexts" / name.replace(":", "-")
        context.mkdir(parents=True)
        for i in range(4):
            (context / ("data-%d" % i)).write_bytes(self.rng.randbytes(self.rng.randint(0, 60000)))
        (context / "Dockerfile").write_text("FROM busybox\nCOPY . /data/\nRUN --network=none cp /data/data-0 /copy && rm /data/data-1\n"
                                            "RUN --network=none --mount=type=cache,target=/c cat /copy >>/c/x && echo %s >/name\n" % name)
        if self.rng.random() < 0.5:
            self.state.ok("build", "-q", "-o", "type=cacheonly", str(context))
            if self.rng.random() < 0.5:
                self.somebody_syncs()
        self.state.ok("build", "-q", "-t", name, str(context))
        self.lives[name].context = context

    def remove(self, name, then_sync):
        self.lives[name].removal = time.monotonic()
        self.state.ok("rmi", name)
        self.done["rmi"] = self.done.get("rmi", 0) + 1
        if then_sync:
            self.somebody_syncs()

    def somebody_syncs(self):
        """A file of no concern to the store, synced, and a moment of quiet: ext4 then writes its whole journal, and with
        it every name that was removed, but not what others have written into their files."""
        with open(self.state.root.parent / "other", "ab") as f:
            f.write(b"x")
            f.flush()
            os.fsync(f.fileno())
        time.sleep(0.06)

    def make(self, n):
        how = self.rng.choice([self.by_import, self.by_load, self.by_commit, self.by_build, self.by_build])
        name = "p%d:1" % n
        self.lives[name] = Life()
        how(name)
        self.lives[name].acknowledged = time.monotonic()
        self.done[how.__name__[3:]] = self.done.get(how.__name__[3:], 0) + 1
        self.lives[name].hashes = self.view.hashes(name)

    def run(self):
        try:
            n = 0
            while time.monotonic() < self.end:
                alive = [k for k, life in self.lives.items() if not life.removal]
                if len(alive) >= KEEP or (len(alive) > 2 and self.rng.random() < 0.3):
                    self.remove(self.rng.choice(alive), self.rng.random() < 0.5)
                else:
                    self.make(n)
                    n += 1
                loose = self.state.root.parent / ("loose-%d" % (len(self.loose)))
                loose.write_bytes(b"x" * 10000)
                self.loose.append(loose.name)
            self.remove(next(k for k, life in self.lives.items() if not life.removal), True)
        except (Failure, OSError) as e:
            self.problem = str(e)


class Picture:
    def __init__(self, disk, workload):
        self.loose = list(workload.loose)
        self.begun = time.monotonic()
        self.path = disk.picture()
        self.complete = time.monotonic()

    def promised(self, lives):
        return [n for n, life in lives.items() if life.acknowledged and life.acknowledged < self.begun and
                not (life.removal and life.removal < self.complete)]


def check_full(state, fine=()):
    """What `system check --full` says but for lines that begin with one of FINE: what was cut short, and the mirror of
    the names, are not synced and no damage; containers are not promised."""
    done = state("system", "check", "--full")
    lines = [line for line in done.stdout.splitlines() if not line.startswith((*fine, "checked "))]
    if not re.search(r"^checked \d+ images?, ", done.stdout, re.M):
        lines.append(done.stderr.strip())
    return ["check --full: " + line for line in lines]


def look_at_images(state, view, picture, lives):
    bad = []
    listed = view.listed() if (state.root / "tare.db").exists() else set()
    promised = picture.promised(lives)
    bad += ["acknowledged, but gone: " + name for name in promised if name not in listed]
    for name in sorted(listed & set(lives)):
        try:
            if lives[name].hashes and view.hashes(name) != lives[name].hashes:
                bad.append("listed, but damaged: " + name)
        except Failure as e:
            bad.append("listed, but damaged: %s: %s" % (name, e))
    if listed:
        bad += check_full(state, ("leftover ", "name index.json: ", "container "))
    for name in sorted(listed & set(lives))[-1:]:
        state.ok("run", "--rm", name, "/bin/true")
    return bad, len(promised)


def another_boot(state):
    """What rows of the build cache say of the boot in which they were made is of another one now."""
    if (state.root / "tare.db").exists():
        with contextlib.closing(sqlite3.connect(state.root / "tare.db")) as db, db:
            db.execute("UPDATE snapshot SET boot='00000000-0000-4000-8000-000000000000' WHERE boot IS NOT NULL")


def build_again(state, view, lives):
    """With what the cache still has of it, the image is what it was."""
    built = [life for life in lives.values() if life.context and life.hashes]
    bad = []
    for life in built[-3:]:
        state.ok("build", "-q", "-t", "again:1", str(life.context))
        if view.hashes("again:1") != life.hashes:
            bad.append("built again, it is another: %s" % life.context.name)
        state.ok("rmi", "again:1")
    return bad


def look(disk, work, number, picture, workload):
    """(what is wrong in one picture, loose files lost, images looked for)"""
    mounted = disk.mount_picture(picture.path, work / ("look-%d" % number))
    bad, lost, promised = [], 0, 0
    state = State(work / ("after-%d" % number), mounted.where / "root")
    try:
        another_boot(state)
        bad, promised = look_at_images(state, StoreView(state), picture, workload.lives)
        for name in picture.loose:
            path = mounted.where / name
            lost += not path.exists() or path.stat().st_size == 0
        state.ok("import", str(work / "next.tar"), "next:1")
        state.ok("run", "--rm", "next:1", "/bin/true")
        bad += build_again(state, StoreView(state), workload.lives)
        bad += check_full(state, ("container ",))
        staging = state.root / "staging"
        bad += ["staging is not empty: %s" % p.name for p in staging.iterdir()] if staging.is_dir() else []
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
        mounted.close()
        picture.path.unlink()
    return ["%s %s: %s" % (disk.kind, picture.path.name, b) for b in bad], lost, promised


def take_pictures(disk, workload, count):
    """COUNT of them, evenly over the time of the workload, and one after a removal and somebody else's sync."""
    pictures = []
    pause = max(0.02, (workload.end - time.monotonic()) / count)
    while workload.is_alive() and len(pictures) < count:
        pictures.append(Picture(disk, workload))
        workload.join(max(0.01, pause - (pictures[-1].complete - pictures[-1].begun)))
    workload.join()
    while len(pictures) <= count:
        pictures.append(Picture(disk, workload))
    return pictures


def cut(kind, count, seconds, seed):
    """Pictures of one filesystem: (failures, lines of the report)."""
    work, began, disk = scratch("tare-power-", 8000), time.monotonic(), None
    try:
        disk = CrashDisk(work, kind)
        state = State(work / "state", disk.where / "root")
        state.ok("run", "--rm", "busybox", "true")
        workload = Workload(state, seconds, seed)
        (work / "next.tar").write_bytes(workload.base)
        workload.start()
        pictures = take_pictures(disk, workload, count)
        state.close()
        disk.close_inner()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            looks = list(pool.map(lambda i: look(disk, work, i, pictures[i], workload), range(len(pictures))))
    finally:
        if disk:
            disk.close()
        shutil.rmtree(work, ignore_errors=True)
    bad = [workload.problem] if workload.problem else []
    bad += [b for wrong, _, _ in looks for b in wrong]
    lost = sum(l for _, l, _ in looks)
    if not lost:
        bad.append("%s: control: no unsynced file was ever lost, so the pictures prove nothing" % kind)
    return bad, ["%s: %d pictures during %s; %d acknowledged images looked for; control: %d unsynced files lost or "
                 "empty; %.0f s" % (kind, len(pictures), ", ".join("%d %s" % (n, w) for w, n in sorted(workload.done.items())),
                                    sum(n for _, _, n in looks), lost, time.monotonic() - began)]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--images", type=int, default=300)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--disk", action="append", choices=["ext4", "xfs"])
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    private_mounts()
    kinds, bad, lines = o.disk or ["ext4", "xfs"], [], []
    for kind in kinds:
        wrong, said = cut(kind, -(-o.images // len(kinds)), o.seconds / len(kinds), o.seed)
        bad, lines = bad + wrong, lines + said
    report("power cut", lines + ["lost or damaged: %d" % len(bad)] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
