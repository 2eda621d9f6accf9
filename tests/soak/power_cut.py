#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts: what an import promised is there after one.

    power_cut.py [--images N] [--seconds S]

The state directory lies on ext4 in an image file, the file on XFS. While one image after another is imported,
the file is copied by reflink, which takes a picture of the block device as it is at that moment: what ext4 has
not written by then does not exist in it. Each picture is mounted (the journal is replayed, as after a power
cut) and looked at: every image whose import had been acknowledged before the picture was begun must be
listed, and every listed image must be whole: its files are compared with the archive's, and it runs.

The control: files written beside the imports without any sync. In some picture at least one must be missing
or empty, else the pictures prove nothing.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from harness import Failure, State, make_tar, report


def call(*args):
    subprocess.run([str(a) for a in args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Disk:
    """A sparse file with a filesystem, mounted by a loop device that goes with the mount."""

    def __init__(self, path, where, size=None, kind="ext4"):
        self.where = pathlib.Path(where)
        self.where.mkdir(parents=True, exist_ok=True)
        if size:
            with open(path, "wb") as f:
                f.truncate(size)
            if kind == "xfs":
                call("mkfs.xfs", "-q", "-m", "reflink=1", path)
            else:
                # A journal of its usual size and no lazy initialisation, which would write behind our back.
                call("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", path)
        call("mount", "-o", "loop", path, self.where)

    def close(self):
        for _ in range(50):
            if subprocess.run(["umount", self.where], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.05)  # a process of the test is leaving
        call("umount", "-l", self.where)


def tree_hash(folder):
    """Names, kinds, modes and contents."""
    h = hashlib.sha256()
    for base, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files + folders):
            path = os.path.join(base, name)
            st = os.lstat(path)
            h.update(("%s %o %d %d\n" % (os.path.relpath(path, folder), st.st_mode, st.st_uid, st.st_gid)).encode())
            if os.path.islink(path):
                h.update(os.readlink(path).encode())
            elif os.path.isfile(path):
                h.update(pathlib.Path(path).read_bytes())
    return h.hexdigest()


class Imports(threading.Thread):
    """Imports one image after another; `acknowledged` grows as they succeed."""

    def __init__(self, state, tree, seconds):
        super().__init__()
        self.state, self.tree, self.end = state, tree, time.monotonic() + seconds
        self.acknowledged, self.hashes, self.loose, self.problem = [], {}, [], None

    def one(self, n):
        mark = self.tree / "mark"
        mark.write_bytes(os.urandom(200000) + b"%d" % n)
        self.hashes["p%d:1" % n] = tree_hash(self.tree)
        tar = subprocess.Popen(["tar", "-C", self.tree, "-cf", "-", "."], stdout=subprocess.PIPE)
        done = subprocess.run(self.state.argv + ["import", "-", "p%d:1" % n], stdin=tar.stdout, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
        tar.wait()
        if done.returncode:
            raise Failure("import %d: %s" % (n, done.stderr))
        self.acknowledged.append("p%d:1" % n)
        loose = self.state.root.parent / ("loose-%d" % n)
        loose.write_bytes(b"x" * 10000)
        self.loose.append(loose.name)

    def run(self):
        try:
            n = 0
            while time.monotonic() < self.end:
                self.one(n)
                n += 1
        except (Failure, OSError) as e:
            self.problem = str(e)


def look(picture, work, acknowledged, hashes, loose):
    """What is wrong in one picture, and how many loose files it has lost."""
    disk = Disk(picture, work / "look")
    bad, lost = [], 0
    state = State(work / "after", disk.where / "root")
    try:
        listed = set(state.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split()) if (disk.where / "root").exists() else set()
        bad += ["acknowledged, but gone: " + name for name in acknowledged if name not in listed]
        for name in sorted(listed & set(hashes)):
            chain = state.ok("image", "inspect", "-f", "{{index .RootFS.Layers 0}}", name).split(":")[1]
            if tree_hash(disk.where / "root" / "layers" / chain / "diff") != hashes[name]:
                bad.append("listed, but damaged: " + name)
        for name in sorted(listed)[-1:]:
            state.ok("run", "--rm", name, "true")
        for name in loose:
            path = disk.where / name
            lost += not path.exists() or path.stat().st_size == 0
        state.ok("run", "--rm", "busybox", "true")
        staging = list((disk.where / "root" / "staging").iterdir()) if listed else []
        bad += ["staging is not empty: %s" % p.name for p in staging]
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
        disk.close()
    return bad, lost


def take_pictures(disk, image, work, imports, count):
    pictures = []
    pause = max(0.02, (imports.end - time.monotonic()) / count)
    while imports.is_alive() and len(pictures) < count:
        acknowledged, loose = list(imports.acknowledged), list(imports.loose)
        path = disk.where / ("picture-%d" % len(pictures))
        call("cp", "--reflink=always", image, path)
        pictures.append((path, acknowledged, loose))
        imports.join(pause)
    imports.join()
    return pictures


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--images", type=int, default=60)
    p.add_argument("--seconds", type=float, default=30)
    o = p.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="tare-power-", dir="/var/tmp"))
    began, bad, lost, checked, disks = time.monotonic(), [], 0, 0, []
    try:
        small = State()
        tar = make_tar(small, small.folder / "small.tar")
        (work / "tree").mkdir()
        call("tar", "-C", work / "tree", "-xf", tar)
        small.close()
        disks.append(Disk(work / "xfs", work / "outer", 3 << 30, "xfs"))
        image = disks[0].where / "ext4"
        disks.append(Disk(image, work / "inner", 1 << 30))
        state = State(work / "state", disks[1].where / "root")
        imports = Imports(state, work / "tree", o.seconds)
        imports.start()
        pictures = take_pictures(disks[0], image, work, imports, o.images)
        if imports.problem:
            bad.append(imports.problem)
        state.close()
        disks.pop().close()
        for path, acknowledged, loose in pictures:
            wrong, gone = look(path, work, acknowledged, imports.hashes, loose)
            bad += ["%s: %s" % (path.name, w) for w in wrong]
            lost, checked = lost + gone, checked + len(acknowledged)
            path.unlink()
        if not lost:
            bad.append("control: no unsynced file was ever lost, so the pictures prove nothing")
        lines = ["%d pictures during %d imports, %d acknowledged images looked for, %.0f s" %
                 (len(pictures), len(imports.acknowledged), checked, time.monotonic() - began),
                 "control: %d unsynced files lost or empty" % lost]
    finally:
        for disk in reversed(disks):
            disk.close()
        shutil.rmtree(work, ignore_errors=True)
    report("power cut", lines + ["lost or damaged: %d" % len(bad)] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
