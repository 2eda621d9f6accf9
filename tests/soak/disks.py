# SPDX-License-Identifier: Apache-2.0
"""Small disks in files, and pictures of one as a power cut would leave it.

A CrashDisk is a filesystem (ext4 with its defaults, or XFS) in an image file that lies on an XFS. Copying the image
file by reflink takes a picture of the block device as it is at that moment: what the filesystem has not written by
then does not exist in it. Mounting a picture replays its journal, as after a power cut.

Everything is mounted in a mount namespace of this process's own (`private_mounts`), so that the host's table stays
as it is and the loop devices go even when the process is killed.
"""
import ctypes
import pathlib
import shutil
import subprocess
import tempfile
import time

MS_REC, MS_PRIVATE, CLONE_NEWNS = 0x4000, 1 << 18, 0x20000


def call(*args):
    done = subprocess.run([str(a) for a in args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise OSError("%s: %s" % (args[0], done.stderr.strip()))


def private_mounts():
    """Before the first thread: namespaces belong to threads."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "a mount namespace of our own")


def scratch(prefix, megabytes):
    """A directory in memory when there is room for it: syncs cost little there, so more happens between two of them."""
    roomy = shutil.disk_usage("/dev/shm").free > megabytes << 20
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir="/dev/shm" if roomy else "/var/tmp"))


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
        # Pictures of one XFS have one UUID, which it would not mount twice.
        call("mount", "-t", kind, "-o", "loop,nouuid" if kind == "xfs" else "loop", path, self.where)

    def close(self):
        for _ in range(50):
            if subprocess.run(["umount", self.where], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.05)  # a process of the test is leaving
        call("umount", "-l", self.where)


class CrashDisk:
    """The disk under test, mounted at `where`; `outer` keeps its pictures."""

    def __init__(self, work, kind, size=1 << 30, outer_size=6 << 30):
        self.kind, self.disks, self.taken = kind, [], 0
        self.outer = Disk(work / "outer.img", work / "outer", outer_size, "xfs")
        self.disks.append(self.outer)
        try:
            self.image = self.outer.where / "image"
            self.disks.append(Disk(self.image, work / "inner", size, kind))
        except OSError:
            self.close()
            raise
        self.where = self.disks[1].where

    def picture(self):
        path = self.outer.where / ("picture-%d" % self.taken)
        self.taken += 1
        call("cp", "--reflink=always", self.image, path)
        return path

    def close_inner(self):
        """Pictures stay."""
        if len(self.disks) > 1:
            self.disks.pop().close()

    def mount_picture(self, path, where):
        return Disk(path, where, kind=self.kind)

    def close(self):
        while self.disks:
            self.disks.pop().close()
