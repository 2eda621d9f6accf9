# SPDX-License-Identifier: Apache-2.0
"""Mounts of RUN against stages, contexts and caches that were made by an enemy: whatever is asked for, a
tree of the host is neither changed nor read, nothing is left, and the step's layer has no place of ours.

A spec is a list of mounts. Each is tried on every base, with a command that reads and writes whatever it
finds there. It may fail; it may not reach the host."""
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import threading

import pytest

from build_step import needs_tool, steps  # noqa: F401 (a fixture)
from hostile import Canary, Rootfs

pytestmark = needs_tool

WORD = "host-only-word\n"
LONG = "n" * 255
BIND, IMAGE = "type=bind", "type=bind;from=hostile"
DEEP = "/".join(["d"] * 200)

# What is read: a context (BIND), a stage (IMAGE); what is mounted on: the base.
SOURCES = [
    # links of the tree: absolute, upwards, to each other, to nothing, to what the kernel makes up
    "abs", "abs/file", "up", "up/file", "up2", "loop", "loop/x", "dangling", "chain", "chain/file", "toproc", "toproc/root",
    "self/root", "self/cwd/file", "fd/0", "rootlink", "rootlink/etc/shadow", "absdir", "absdir/..", "abs/../../..",
    # words
    "..", "../..", "../../canary", "/..", "/../../../etc/shadow", "./../.", "sub/../../..", "sub/./../../canary/file", "//", "/.", "",
    # what is no file and no directory
    "fifo", "socket", "null", "mem", "disk", "sub/fifo",
    # names
    LONG, LONG + "/" + LONG, DEEP, "a\tb", "*", "sub/*", "-rf", "a:b", "a,b", "a=b", "\\..\\..", "%s%n", "sub\n",
]
TARGETS = [
    "/abs/new", "/abs/file", "/abs", "/up/new", "/up2/x/y", "/loop/x", "/dangling", "/dangling/x", "/chain/new", "/proclink/sys/kernel/core_pattern",
    "/proclink/x", "/proc/sys/kernel/x", "/proc/self/attr", "/proc", "/sys/kernel/x", "/sys", "/dev/null", "/dev/x/y", "/dev/pts/0",
    "/self/root/x", "/self/cwd/x", "/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/filedir/x", "/filedir", "/" + LONG + "/x",
    "/" + LONG + LONG, "/" + DEEP, "/x/../../../../canary", "/x/./y//z", "/run/secrets/../../abs/new", "/rootlink/abs/new", "/.", "/..", "/fifo", "/bin/sh",
]


def make_links(add_link, canary):
    """Everything that points to CANARY, by ADD_LINK(name, target)."""
    for name, target in (("abs", canary), ("absdir", canary + "/dir"), ("up", "../" * 20 + canary[1:]), ("up2", "sub/../" + "../" * 30 + canary[1:]),
                         ("loop", "loop2"), ("loop2", "loop"), ("dangling", canary + "/none/at/all"), ("chain", "chain2"), ("chain2", "abs"),
                         ("toproc", "/proc/1"), ("self", "/proc/self"), ("fd", "/proc/self/fd"), ("rootlink", "/"), ("proclink", "/proc")):
        add_link(name, target)


def make_context(folder, canary):
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/own").write_text("own\n")
    make_links(lambda name, target: (folder / name).symlink_to(target), canary)
    for path in ("fifo", "sub/fifo"):
        os.mkfifo(folder / path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    for name, kind, dev in (("null", stat.S_IFCHR, (1, 3)), ("mem", stat.S_IFCHR, (1, 1)), ("disk", stat.S_IFBLK, (254, 0))):
        os.mknod(folder / name, 0o666 | kind, os.makedev(*dev))
    (folder / LONG).write_text("long\n")
    for name in ("a\tb", "-rf", "a:b", "a,b", "a=b", "%s%n", "sub\n"):
        (folder / name).write_text("odd\n")
    (folder / DEEP).mkdir(parents=True)
    return listener


def make_image(tare, canary, name):
    image = Rootfs(tare).dir("sub").file("sub/own", "own\n").file("filedir", "a file\n").dir("etc").file("etc/passwd", "root:x:0:0::/:/bin/sh\n")
    make_links(image.link, canary)
    image.fifo("fifo").fifo("sub/fifo").device("null", 1, 3).device("mem", 1, 1).device("disk", 254, 0).file(LONG, "long\n")
    for odd in ("a\tb", "-rf", "a:b", "a,b", "a=b", "%s%n"):
        image.file(odd, "odd\n")
    return image.load(name=name)


def make_hostile_etc(tare, canary, name):
    """A base whose own directories lead to the host: where the engine mounts its files and secrets."""
    image = Rootfs(tare).dir("real").link("etc", "real").link("run", canary + "/dir").link("root", "../" * 9 + canary[1:]).link("x", "/proc/self/root")
    make_links(image.link, canary)
    return image.load(name=name)


# Reads and writes whatever a mount has, by its target $1...; tells what it has read.
PROBE = r"""
for t in "$@"; do
    test -p "$t" || test -c "$t" || test -b "$t" || { cat "$t" "$t"/file "$t"/*/file; ls -laR "$t"; } 2>&1 | head -n 400
    test -p "$t" || echo overwritten >"$t"
    for f in "$t"/new "$t"/file "$t"/dir/new; do test -p "$f" || echo overwritten >"$f"; done
    mkdir "$t"/made; rm -rf "$t"/file "$t"/dir; chmod 0777 "$t" "$t"/..; mv "$t" "$t".moved
done >/tmp/out 2>&1
cat /tmp/out
"""


@pytest.fixture
def canary(tmp_path):
    """The tree of the host, with a word that can be looked for."""
    made = Canary(tmp_path / "canary")
    (made.path / "file").write_text(WORD)
    made.before = made.look()
    yield made
    made.check()


@pytest.fixture
def world(tare, steps, canary, tmp_path):
    """The bases, the context, and what must stay as it is."""
    context = tmp_path / "context"
    listener = make_context(context, str(canary.path))
    bases = [make_image(tare, str(canary.path), "hostile"), make_hostile_etc(tare, str(canary.path), "hostile-etc")]
    before = look(context)
    yield context, bases
    listener.close()
    assert look(context) == before
    shutil.rmtree(context)


def look(folder):
    found = {}
    for base, dirs, files in os.walk(folder):
        for name in dirs + files:
            st = os.lstat(os.path.join(base, name))
            found[os.path.join(base, name)] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ino, st.st_size)
    return found


def check(steps, got, what, known):
    """Nothing of the host was read; nothing of ours is left, here or in the layer."""
    assert WORD not in got.out, (what, got.out)
    assert got.rc in (0, 1, 125, 126, 127), (what, got.err)
    assert (got.rc != 125) == got.err.startswith("exit"), (what, got.err)
    assert not steps.left(), what
    if got.rc == 125:
        assert got.tree() == {}, (what, got.tree())
        known.add("refused")
    else:
        known.add("ran")


@pytest.mark.parametrize("kind", [BIND, IMAGE, BIND + ";rw", IMAGE + ";rw"])
def test_hostile_sources(world, steps, canary, kind):
    context, bases = world
    known = set()
    for source in SOURCES:
        got = steps("--context", context, "--mount", "%s;source=%s;target=/t" % (kind, source), bases[0], "sh", "-c", PROBE, "sh", "/t")
        check(steps, got, (kind, source), known)
        # The step's layer: the probe's own file, never a place to mount on.
        assert set(got.tree()) <= {"/tmp", "/tmp/out"}, (source, got.tree())
    assert known == {"refused", "ran"}


@pytest.mark.parametrize("mount", ["type=bind;source=sub", "type=bind;source=sub;rw", "type=bind;source=sub/own", "type=tmpfs", "type=secret;id=s",
                                   "type=bind;from=hostile;source=sub", "type=ssh"])
def test_hostile_targets(world, steps, canary, mount, tmp_path):
    context, bases = world
    (tmp_path / "secret").write_text("of the builder\n")
    agent = socket.socket(socket.AF_UNIX)
    agent.bind(str(tmp_path / "agent"))
    agent.listen(1)
    known = set()
    for base in bases:
        for target in TARGETS:
            got = steps("--context", context, "--secret", "s=%s" % (tmp_path / "secret"), "--ssh", "default=%s" % (tmp_path / "agent"),
                        "--mount", "%s;target=%s" % (mount, target), base, "sh", "-c", PROBE, "sh", target)
            check(steps, got, (base, mount, target), known)
    agent.close()
    assert known == {"refused", "ran"}


def test_many_at_once(world, steps, canary):
    """All sources in one step, and places in each other."""
    context, bases = world
    good = ["type=bind;source=sub;target=/m%d" % i for i in range(60)]
    flags = [w for m in good for w in ("--mount", m)]
    got = steps.ok("--context", context, *flags, bases[0], "sh", "-c", "cat /m*/own | sort | uniq -c")
    assert got.out.split() == ["60", "own"] and got.tree() == {}
    nested = [("type=tmpfs;target=/n"), "type=bind;source=sub;target=/n/a", "type=tmpfs;target=/n/a/b", "type=bind;source=sub;target=/n/x/y/z"]
    got = steps("--context", context, *[w for m in nested for w in ("--mount", m)], bases[0], "true")
    # A place in what is read-only cannot be made.
    assert got.rc == 125 and "/n/a/b" in got.err and "read-only file system" in got.err and got.tree() == {}
    many = [w for i in range(300) for w in ("--mount", "type=tmpfs;target=/q%d" % i)][:2 * 64]
    assert steps.ok(*many, bases[0], "sh", "-c", "grep -c ' /q' /proc/mounts").out == "64\n"


def test_a_stage_cannot_be_exchanged_behind_a_step(world, steps, canary, tmp_path):
    """Somebody replaces a directory of the context by a link, and back, as fast as possible, while steps
    mount it: they see the directory or nothing."""
    context, bases = world
    swap, stop, swaps = tmp_path / "swap", threading.Event(), [0]
    swap.mkdir()
    (swap / "sub").mkdir()
    (swap / "sub/own").write_text("own\n")
    other = swap / "other"
    other.symlink_to(canary.path)

    def racer():
        libc = __import__("ctypes").CDLL(None)
        a, b = str(swap / "sub").encode(), str(other).encode()
        while not stop.is_set():
            libc.renameat2(-100, a, -100, b, 2)
            swaps[0] += 1
    thread = threading.Thread(target=racer)
    thread.start()
    seen = set()
    try:
        for rw in ("", ";rw") * 40:
            got = steps("--context", swap, "--mount", "type=bind;source=sub%s;target=/t" % rw, "busybox", "sh", "-c", "cat /t/*; echo x >/t/file; rm -rf /t/dir")
            assert WORD not in got.out
            seen.add(got.out.split("\n")[0] if got.rc != 125 else "refused")
    finally:
        stop.set()
        thread.join()
    assert "own" in seen and swaps[0] > 1000 and not steps.left()


def test_sockets_and_fifos_of_a_context_are_not_the_host_s(steps, tmp_path):
    """A step that finds one cannot talk to who waits behind it."""
    context = tmp_path / "context"
    context.mkdir()
    os.mkfifo(context / "fifo")
    reader = os.open(context / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    for rw in ("", ";rw"):
        got = steps("--context", context, "--mount", "type=bind;target=/c" + rw, "busybox", "sh", "-c",
                    "(echo secret >/c/fifo) & sleep 0.2; kill $!; ls /c")
        assert got.out.endswith("fifo\n")
        try:
            assert os.read(reader, 100) == b""
        except BlockingIOError:
            pass
    os.close(reader)


def test_devices_of_a_context_do_not_work(steps, tmp_path):
    (tmp_path / "d").mkdir()
    os.mknod(tmp_path / "d/zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    for rw in ("", ";rw"):
        got = steps("--insecure", "--context", tmp_path / "d", "--mount", "type=bind;target=/d" + rw, "busybox", "head", "-c", "1", "/d/zero")
        assert got.rc == 1 and "Permission denied" in got.out


def test_a_step_cannot_leave_a_program_for_another_user_of_the_host(steps, tmp_path):
    """What a step may write to is a directory of its own that goes: no file with another's rights stays."""
    (tmp_path / "c").mkdir()
    steps.ok("--context", tmp_path / "c", "--mount", "type=bind;target=/c;rw", "busybox", "sh", "-c", "cp /bin/busybox /c/su; chmod 4755 /c/su")
    assert not list((tmp_path / "c").iterdir())
    assert not [p for p in steps.tare.folder.rglob("su") if p.lstat().st_mode & 0o4000]


# ---------------------------------------------------------------- caches

CACHE_IDS = ["../../../canary", "/etc/passwd", "..", ".", "a/b", LONG, LONG * 8, "a b;c", "\u00e4", "-x", "a\nb"]


def test_hostile_cache_ids(world, steps, canary):
    for i, name in enumerate(CACHE_IDS):
        mark = "mark%d" % i
        got = steps("--mount", "type=cache;id=%s;target=/c" % name.replace(";", ","), "busybox", "sh", "-c", "ls /c; touch /c/" + mark)
        assert got.rc == 0 and got.out == "", (name, got.err)


def test_a_cache_cannot_be_exchanged_behind_a_step(steps, canary):
    """One step replaces a directory of a shared cache by links to the host while others mount it."""
    cache = "type=cache;id=shared;target=/cache"
    steps.ok("--mount", cache, "busybox", "sh", "-c", "mkdir /cache/sub; echo own >/cache/sub/own")
    racer = steps.popen("--mount", cache, "busybox", "sh", "-c",
                        "echo up; cd /cache; while :; do ln -s %s link; mv sub dir; mv link sub; rm sub; mv dir sub; done" % canary.path)
    assert racer.stdout.readline() == b"up\n"
    seen = set()
    for _ in range(60):
        got = steps("--mount", cache.replace("/cache", "/t") + ";source=sub", "busybox", "sh", "-c", "cat /t/file /t/own; echo x >/t/file; rm -f /t/file")
        assert WORD not in got.out
        seen.add("refused" if got.rc == 125 else "ran")
    racer.kill()
    racer.wait()
    steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    assert "ran" in seen
