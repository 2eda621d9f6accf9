# SPDX-License-Identifier: Apache-2.0
"""Hostile images, made in memory: a busybox and whatever a test puts beside it."""
import io
import os
import stat
import tarfile

APPLETS = ("sh", "cat", "ls", "id", "echo", "sleep", "mount", "umount", "unshare", "stat", "dd", "mknod", "grep",
           "true", "env", "ln", "rm", "mkdir", "touch", "readlink", "test", "pwd", "mv", "chmod")


class Rootfs:
    """A tar of a small root. Later entries of the same name win, so a test may replace /etc or /proc."""

    def __init__(self, tare, shell=True):
        self.tare = tare
        self.raw = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.raw, mode="w", format=tarfile.PAX_FORMAT)
        if shell:
            self.dir("bin").dir("tmp", mode=0o1777)
            self.file("bin/busybox", busybox(tare), mode=0o755)
            for name in APPLETS:
                self.link("bin/" + name, "busybox")

    def add(self, name, kind, data=b"", link="", **fields):
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(data)
        info.mode = 0o755 if kind in (tarfile.DIRTYPE, tarfile.SYMTYPE) else 0o644
        for key, value in fields.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def file(self, name, data=b"", **fields):
        return self.add(name, tarfile.REGTYPE, data.encode() if isinstance(data, str) else data, **fields)

    def dir(self, name, **fields):
        return self.add(name, tarfile.DIRTYPE, **fields)

    def link(self, name, target):
        return self.add(name, tarfile.SYMTYPE, link=target)

    def fifo(self, name):
        return self.add(name, tarfile.FIFOTYPE)

    def device(self, name, major, minor):
        return self.add(name, tarfile.CHRTYPE, devmajor=major, devminor=minor)

    def load(self, *changes, name="hostile"):
        """Imports it; returns the image's name."""
        self.tar.close()
        flags = [word for change in changes for word in ("-c", change)]
        self.tare("import", *flags, "-", name, input=self.raw.getvalue(), check=True)
        return name


cached = {}


def busybox(tare):
    """The busybox of the bundled image, read once per test process."""
    if "busybox" not in cached:
        cached["busybox"] = tare("run", "--rm", "busybox", "cat", "/bin/busybox", binary=True, check=True).out
    return cached["busybox"]


class Canary:
    """A tree of the host that no container may change: compared by everything that stat says."""

    def __init__(self, folder):
        self.path = folder
        folder.mkdir()
        (folder / "file").write_text("canary\n")
        (folder / "dir").mkdir()
        self.before = self.look()

    def look(self):
        found = {}
        for base, dirs, files in os.walk(self.path):
            for name in [""] + dirs + files:
                path = os.path.join(base, name)
                st = os.lstat(path)
                data = open(path, "rb").read() if stat.S_ISREG(st.st_mode) else b""
                found[path] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ino, st.st_size, data)
        return found

    def check(self):
        assert self.look() == self.before
