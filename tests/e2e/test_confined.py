# SPDX-License-Identifier: Apache-2.0
"""What the helper that reads archives is left with, seen from outside while it waits for the rest of
one; that unpacking comes out the same for it; and each fallback by itself."""
import fcntl
import os
import re
import signal
import stat
import subprocess
import tarfile

import pytest

from conftest import read_proc, wait_until
from hostile import Rootfs
from test_unpack import CAP_NET_RAW, SANITIZED, UNPACK, Tar, run_with_outputs

TREE_CAPS = sum(1 << n for n in (0, 1, 3, 4, 31))  # chown, dac_override, fowner, fsetid, setfcap
LEAVE_OUT = {"namespaces": 1, "Landlock": 2, "another user": 4, "system call filter": 8}


def children(pid):
    return read_proc(str(pid), "task/%d/children" % pid).split()


def status(pid):
    return dict(line.split(":\t", 1) for line in read_proc(pid, "status").splitlines() if ":\t" in line)


def links(pid, folder):
    return {name: os.readlink("/proc/%s/%s/%s" % (pid, folder, name)) for name in os.listdir("/proc/%s/%s" % (pid, folder))}


class Slow:
    """An import that has got its first entry and waits for more."""

    def __init__(self, tare):
        self.child = tare.popen("import", "-", "slow")
        # The helper reads whole buffers: the second file fills enough of them for the first to be made.
        data = Tar().file("first", b"x").file("second", os.urandom(3 << 20)).bytes()
        self.tail = data[-4096:]
        self.child.stdin.write(data[:-4096])
        self.child.stdin.flush()
        self.pid = wait_until(lambda: next((p for p in children(self.child.pid)
                                            if read_proc(p, "comm").strip() == "tare-unpack"), None), "the helper")
        wait_until(lambda: any((tare.root / "staging").glob("*/*/diff/first")), "the first entry")

    def finish(self):
        self.child.stdin.write(self.tail)
        self.child.stdin.close()
        self.child.stdin = None
        out, err = self.child.communicate(timeout=30)
        assert self.child.returncode == 0, err


@pytest.fixture
def slow(tare):
    return Slow(tare)


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's leak check needs what is taken away")
def test_what_is_left(slow):
    seen = status(slow.pid)
    assert seen["Uid"].split() == ["65534"] * 3 + ["0"] and seen["Gid"].split() == ["65534"] * 3 + ["0"]
    assert seen["Groups"].split() == []
    assert (seen["Seccomp"], seen["NoNewPrivs"]) == ("2", "1")
    caps = {key: int(seen[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    assert caps == {"CapInh": 0, "CapPrm": TREE_CAPS, "CapEff": TREE_CAPS, "CapBnd": 0, "CapAmb": 0}
    for name in ("user", "mnt", "net"):
        assert os.readlink("/proc/%s/ns/%s" % (slow.pid, name)) != os.readlink("/proc/self/ns/" + name), name
    for name in ("uid_map", "gid_map"):
        assert [line.split()[:2] for line in read_proc(slow.pid, name).splitlines()] == \
            [line.split()[:1] * 2 for line in read_proc("self", name).splitlines()]
    limits = read_proc(slow.pid, "limits")
    assert "Max core file size        0                    0" in limits
    slow.finish()


def test_root_is_empty(slow):
    root = "/proc/%s/root/" % slow.pid
    assert os.listdir(root) == [] and os.path.samefile(root, root + "..")
    with pytest.raises(OSError):
        open(root + "made", "w")
    mounts = read_proc(slow.pid, "mountinfo").splitlines()
    assert len(mounts) == 1 and " / / ro," in mounts[0] and " tmpfs " in mounts[0]
    assert read_proc(slow.pid, "net/dev").count(":") <= 1  # lo, and that is down
    slow.finish()


def writes(pid):
    """Whether some thread of it still runs."""
    try:
        return any(read_proc(pid, "task/%s/stat" % t).rsplit(")", 1)[1].split()[0] not in "ZX"
                   for t in os.listdir("/proc/%s/task" % pid))
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent(slow, tare, number):
    """And until then what it writes into is locked, and so not collected by others."""
    staging = next((tare.root / "staging").iterdir())
    fd = os.open(staging, os.O_RDONLY)

    def free():
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    try:
        assert not free()
        slow.child.send_signal(number)
        slow.child.wait(timeout=10)
        wait_until(free, "the helper's end")
        assert not writes(slow.pid)
    finally:
        os.close(fd)
    slow.child.communicate(timeout=10)
    tare.ok("ps")
    assert not list((tare.root / "staging").iterdir())


def directories(pid):
    return [fd for fd in os.listdir("/proc/%s/fd" % pid) if os.path.isdir("/proc/%s/fd/%s" % (pid, fd))]


def mount_of(pid, fd):
    return re.search(r"mnt_id:\s*(\d+)", read_proc(pid, "fdinfo/" + fd)).group(1)


def go_up(path):
    """The topmost directory above PATH as its own mount has it."""
    at = os.open(path, os.O_PATH)
    for _ in range(20):
        up = os.open("..", os.O_PATH, dir_fd=at)
        same = os.path.sameopenfile(up, at)
        os.close(at)
        at = up
        if same:
            break
    found = os.stat(at)
    os.close(at)
    return same, found.st_dev, found.st_ino


def test_descriptors(slow, tare):
    """Only the expected ones, and no directory but those of the tree, above which there is nothing."""
    found = links(slow.pid, "fd")
    tree = {mount_of(slow.pid, fd) for fd in directories(slow.pid)}
    assert len(tree) == 1, found
    for fd, to in found.items():
        # The file being made, or an output in the store, which is no directory: nothing is below it.
        assert to.startswith(("pipe:", "socket:", str(tare.root))) or mount_of(slow.pid, fd) in tree, found
    diff = next((tare.root / "staging").glob("*/*/diff")).stat()
    for fd in directories(slow.pid):
        path = "/proc/%s/fd/%s" % (slow.pid, fd)
        assert go_up(path) == (True, diff.st_dev, diff.st_ino)
        flags = os.statvfs(path).f_flag
        assert flags & os.ST_NOSUID and flags & os.ST_NODEV and flags & os.ST_NOEXEC
    slow.finish()


def test_killed_helper_is_an_error(tare, slow):
    os.kill(int(slow.pid), signal.SIGKILL)
    slow.child.stdin.close()
    slow.child.stdin = None
    out, err = slow.child.communicate(timeout=30)
    assert slow.child.returncode == 1 and out == b"" and b"killed by signal 9" in err
    assert list((tare.root / "staging").iterdir()) == [] and tare.ok("images", "-q") == ""


def test_inherited_descriptors_are_closed(tare, tmp_path):
    """Something of the caller's that was not meant for the program does not reach the helper."""
    etc = os.open("/etc", os.O_RDONLY)
    child = tare.popen("import", "-", "x", pass_fds=(etc,))
    os.close(etc)
    data = Tar().file("f", os.urandom(3 << 20)).bytes()
    child.stdin.write(data[:-2048])
    child.stdin.flush()
    wait_until(lambda: any((tare.root / "staging").glob("*/*/diff/f")), "the entry")
    pid = children(child.pid)[0]
    assert "/etc" not in links(pid, "fd").values()
    child.stdin.write(data[-2048:])
    child.stdin.close()
    child.stdin = None
    assert child.wait(30) == 0


# The tree is the same as it always was

def layer(tare):
    return next((tare.root / "layers").glob("*/diff"))


def test_what_needs_the_host(tare):
    """Devices and overlayfs' marks, which only the host may make, whiteouts, owners, capabilities."""
    tar = (Tar().add("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666, uid=5)
           .add("loop", tarfile.BLKTYPE, devmajor=7, devminor=300, mode=0o640).add("pipe", tarfile.FIFOTYPE)
           .dir("d", mode=0o2775, uid=1000, gid=4000000000).file("d/.wh..wh..opq").file("d/.wh.gone")
           .file("su", b"x", mode=0o6755, uid=7, gid=8).hardlink("d/link", "su").file(".wh.w").file("w/made/f")
           .add("null", tarfile.CHRTYPE, devmajor=1, devminor=5))
    tare("import", "-", "x", input=tar.bytes(), check=True)
    root = layer(tare)
    null, loop = os.lstat(root / "null"), os.lstat(root / "loop")
    assert stat.S_ISCHR(null.st_mode) and null.st_rdev == os.makedev(1, 5) and stat.S_IMODE(null.st_mode) == 0o644
    assert stat.S_ISBLK(loop.st_mode) and loop.st_rdev == os.makedev(7, 300) and stat.S_IMODE(loop.st_mode) == 0o640
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"
    assert os.getxattr(root / "w", "trusted.overlay.opaque") == b"y"
    gone = os.lstat(root / "d" / "gone")
    assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0
    su, d = os.stat(root / "su"), os.stat(root / "d")
    assert (stat.S_IMODE(su.st_mode), su.st_uid, su.st_gid, su.st_nlink) == (0o6755, 7, 8, 2)
    assert (stat.S_IMODE(d.st_mode), d.st_uid, d.st_gid) == (0o2775, 1000, 4000000000)
    assert os.stat(root / "w" / "made" / "f").st_uid == 0


def test_file_capability_works(tare, tmp_path):
    """It was set inside a user namespace, and is the same 20 bytes for the host; a container's program
    has it."""
    src = tmp_path / "src"
    (src / "bin").mkdir(parents=True)
    Rootfs(tare).load(name="base")
    busybox = (layer(tare) / "bin" / "busybox").read_bytes()
    (src / "bin" / "busybox").write_bytes(busybox)
    (src / "bin" / "capable").write_bytes(busybox)
    for name in ("busybox", "capable"):
        os.chmod(src / "bin" / name, 0o755)
    (src / "bin" / "grep").symlink_to("busybox")
    os.link(src / "bin" / "capable", src / "bin" / "cat")
    os.setxattr(src / "bin" / "capable", "security.capability", CAP_NET_RAW)
    data = subprocess.run(["tar", "c", "--xattrs", "--xattrs-include=*", "-C", src, "."], check=True,
                          stdout=subprocess.PIPE).stdout
    tare("import", "-", "capable", input=data, check=True)
    where = next(p for p in (tare.root / "layers").glob("*/diff/bin/capable"))
    assert os.getxattr(where, "security.capability") == CAP_NET_RAW
    got = tare.ok("run", "--rm", "-u", "1000", "capable", "/bin/cat", "/proc/self/status")
    assert "CapEff:\t%016x" % (1 << 13) in got
    got = tare.ok("run", "--rm", "-u", "1000", "capable", "/bin/grep", "CapEff", "/proc/self/status")
    assert got == "CapEff:\t%016x" % 0


# Each fallback by itself

def leave_out(*parts):
    return ["--leave-out", str(sum(LEAVE_OUT[p] for p in parts))]


@pytest.mark.parametrize("parts", [[p] for p in LEAVE_OUT] + [list(LEAVE_OUT)], ids=lambda p: "+".join(p))
def test_fallbacks(tmp_path, parts):
    """Whatever cannot be had is named, and the tree comes out whole."""
    tar = Tar().dir("d").file("d/f", b"abc", uid=7).hardlink("h", "d/f").symlink("s", "d").file("s/g", b"x")
    tar.add("null", tarfile.CHRTYPE, devmajor=1, devminor=3).file("d/.wh..wh..opq").file("d/.wh.x")
    _, answer = run_with_outputs(tmp_path, tar.bytes(), "blob", args=leave_out(*parts), folder=tmp_path / "t")
    lost = {line.split(":")[0] for line in answer["lost"]}
    assert set(parts) <= lost
    assert SANITIZED or lost <= set(parts) | {"namespaces"}
    assert sorted(os.listdir(tmp_path / "t" / "d")) == ["f", "g", "x"]
    assert os.getxattr(tmp_path / "t" / "d", "trusted.overlay.opaque") == b"y"
    assert os.lstat(tmp_path / "t" / "null").st_rdev == os.makedev(1, 3)
    assert os.stat(tmp_path / "t" / "h").st_uid == 7


@pytest.mark.parametrize("limit, lost", [("0", b"does without namespaces: No space left"),
                                         ("10", b"does without another user: Operation not permitted")])
def test_in_a_container(tare, limit, lost):
    """In somebody's user namespace that has one user only, and where it may make more of them or not
    (sysctl user.max_user_namespaces, which is that namespace's own)."""
    script = 'echo %s >/proc/sys/user/max_user_namespaces && exec "$@"' % limit
    done = subprocess.run(["unshare", "-U", "-m", "--map-root-user", "sh", "-c", script, "sh", tare.argv[0], "-D",
                           *tare.argv[1:], "import", "-", "x"], input=Tar().dir("d").file("d/f", b"abc").bytes(),
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert lost in done.stderr
    assert (layer(tare) / "d" / "f").read_bytes() == b"abc"


@pytest.mark.skipif(SANITIZED, reason="has no filter")
def test_nothing_is_lost_here(tare):
    """Where this suite runs all of it is to be had: else the tests above would prove nothing."""
    done = tare("-D", "import", "-", "x", input=Tar().dir("d").bytes(), check=True)
    assert "does without" not in done.err
