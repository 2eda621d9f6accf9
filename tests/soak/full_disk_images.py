#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images on a full disk.

    full_disk_images.py [--sizes N] [--seed S]

N disks of 16 to 256 MiB, ext4 and tmpfs in turn, on which a file leaves a seeded amount free: from nothing, over less
than an image needs, to plenty. On each, `import`, `load`, `commit` and `save -o` either succeed or fail with one
line that names the reason and with status 1; then what they made is whole, or nothing of it can be seen. With the rest
filled up to the last byte, `rmi`, `image prune` and `container prune` still work and give space back, and the load then
works again. Nothing is left of what failed.
"""
import argparse
import os
import pathlib
import random
import shutil
import sys
import time

from disks import Disk, call, private_mounts, scratch
from full_disk import fill
from harness import Failure, State, report
from images import StoreView, docker_archive, entry, layer_tar

MIB = 1 << 20


class Small:
    """A disk with a state on it, and the inputs, which lie elsewhere."""

    def __init__(self, work, kind, megabytes, rng):
        self.kind, self.megabytes, self.disk = kind, megabytes, None
        self.where = work / "disk"
        self.where.mkdir(exist_ok=True)
        if kind == "ext4":
            self.disk = Disk(work / "image", self.where, megabytes * MIB)
        else:
            call("mount", "-t", "tmpfs", "-o", "size=%dm" % megabytes, "none", self.where)
        self.state = State(work / "state", self.where / "root")
        self.view = StoreView(self.state)
        self.files = self.state.folder / "files"
        self.files.mkdir()
        self.make_inputs(rng)

    def make_inputs(self, rng):
        """Images of about a fifth of the disk, in which no block compresses."""
        busybox = pathlib.Path(shutil.which("busybox")).read_bytes()
        base = layer_tar([entry("bin/", mode=0o755), entry("bin/busybox", busybox, 0o755), entry("bin/true", link="busybox"),
                          entry("etc/", mode=0o755)])
        top = layer_tar([entry("data/", mode=0o755)] +
                        [entry("data/%d" % i, rng.randbytes(self.megabytes * MIB // 100)) for i in range(6)])
        (self.files / "root.tar").write_bytes(top)
        docker_archive(self.files / "keep.tar", "keep:1", [base])
        docker_archive(self.files / "image.tar", "load:1", [base, top])
        docker_archive(self.files / "dead.tar", "dead:1", [base, layer_tar([entry("dead", rng.randbytes(300000))])])

    def close(self):
        self.state.close()
        if self.disk:
            self.disk.close()
        else:
            call("umount", self.where)


def free_bytes(where):
    st = os.statvfs(where)
    return st.f_bfree * st.f_frsize


def told(done, what):
    """Whether it succeeded; a failure has one line, which names the reason."""
    lines = done.stderr.strip().splitlines()
    if done.returncode == 0:
        if lines:
            raise Failure("%s succeeds, but says %r" % (what, done.stderr))
        return True
    if done.returncode not in (1, 125) or len(lines) != 1 or "no space" not in lines[0].lower():
        raise Failure("%s: status %d: %r" % (what, done.returncode, done.stderr))
    return False


def attempts(small, expected):
    """The commands that need space, each with what there is: how many of them succeeded."""
    state, view, out = small.state, small.view, small.where / "out.tar"
    good = 0
    commands = ((["import", str(small.files / "root.tar"), "import:1"], "import:1"),
                       (["load", "-q", "-i", str(small.files / "image.tar")], "load:1"),
                       (["commit", "cc", "commit:1"], "commit:1"), (["save", "-o", str(out), "keep:1"], None))
    for argv, name in commands:
        done = told(state(*argv), argv[0])
        good += done
        if name and (name in view.listed()) != done:
            raise Failure("%s: %s, but %s is %slisted" % (argv[0], done, name, "" if name in view.listed() else "not "))
        if name and done:
            expected.setdefault(name, view.hashes(name))
            if view.hashes(name) != expected[name]:
                raise Failure("%s: listed, but damaged" % name)
        if not name and (out.exists() != done or [p for p in out.parent.glob(".*")]):
            raise Failure("save: status says %s, but the directory has %s" % (done, os.listdir(out.parent)))
    out.unlink(missing_ok=True)
    return good


def remove_at_zero(small):
    """Not a byte free: what frees space works, and does."""
    fill(small.where, 0)
    before = free_bytes(small.where)
    for name in sorted(small.view.listed() - {"keep:1", "busybox:latest"}):
        small.state.ok("rmi", name)
    small.state.ok("image", "prune", "-f")
    small.state.ok("container", "prune", "-f")
    if free_bytes(small.where) <= before:
        raise Failure("rmi and prune gave nothing back")


def one_size(small, spare):
    """How many of the four commands succeeded with SPARE bytes free."""
    state, expected = small.state, {}
    state.ok("load", "-q", "-i", str(small.files / "keep.tar"))
    state.ok("rmi", "keep:1")
    state.ok("load", "-q", "-i", str(small.files / "keep.tar"))
    ident = state.ok("create", "--name", "cc", "keep:1", "/bin/true")
    (state.root / "containers" / ident / "upper" / "new").write_bytes(os.urandom(small.megabytes * MIB // 20))
    state.ok("ps")
    baseline = small.view.names()
    state.ok("load", "-q", "-i", str(small.files / "dead.tar"))
    fill(small.where, spare)
    good = attempts(small, expected)
    remove_at_zero(small)
    (small.where / "filler").unlink()
    if small.view.names() != baseline:
        raise Failure("left behind or gone: " + ", ".join(sorted(small.view.names() ^ baseline)[:6]))
    state.ok("load", "-q", "-i", str(small.files / "image.tar"))
    state.ok("run", "--rm", "load:1", "/bin/true")
    state.ok("system", "check", "--full")
    return good


def sizes(count, rng):
    """(kind, MiB, bytes free): none at all for the first two, then below, around and above what the four commands
    need together: two fifths of the disk, beside the twentieth that they leave to others."""
    for i in range(count):
        megabytes = rng.choice([16, 24, 32, 48, 64, 96, 128, 192, 256])
        share = 0 if i < 2 else rng.uniform(0, 0.06) if rng.random() < 0.3 else rng.uniform(0.05, 0.5)
        yield ("ext4", "tmpfs")[i % 2], megabytes, int(share * megabytes * MIB)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--sizes", type=int, default=100)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    private_mounts()
    rng, began, bad, passed = random.Random(o.seed), time.monotonic(), [], [0] * 5
    for kind, megabytes, spare in sizes(o.sizes, rng):
        work, small = scratch("tare-fill-", 2000), None
        try:
            small = Small(work, kind, megabytes, rng)
            passed[one_size(small, spare)] += 1
        except (Failure, OSError) as e:
            bad.append("%s of %d MiB, %d bytes free: %s" % (kind, megabytes, spare, e))
            print("FAILED " + bad[-1], file=sys.stderr, flush=True)
        finally:
            if small:
                small.close()
            shutil.rmtree(work, ignore_errors=True)
    succeeded = ", ".join("%d on %d" % (n, passed[n]) for n in range(5) if passed[n])
    report("full disk, images", [
        "%d disks of 16 to 256 MiB, ext4 and tmpfs; of import, load, commit and save succeeded: %s; %.0f s" % (
            o.sizes, succeeded, time.monotonic() - began),
        "failures: %d" % len(bad)] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
