# SPDX-License-Identifier: Apache-2.0
"""cp: what is compared with docker stands in tests/docker (area files); here are enemies, races, special files,
and what docker's own answer would be a pity to copy."""
import ctypes
import io
import os
import pathlib
import random
import stat
import subprocess
import tarfile
import threading

import pytest

from conftest import wait_until
from terminal import Terminal

COPIES = int(os.environ.get("TARE_TEST_SWAPS", "300"))
SEED = int(os.environ.get("TARE_TEST_SEED", "20260101"))


@pytest.fixture(params=["created", "exited", "running", "paused"])
def box(tare, request):
    """A container in each of its states."""
    if request.param == "created":
        tare.ok("create", "--name", "box", "--network", "none", "busybox", "sleep", "1000")
    elif request.param == "exited":
        tare.ok("run", "--name", "box", "--network", "none", "busybox", "true")
    else:
        tare.ok("run", "-d", "--name", "box", "--network", "none", "busybox", "sleep", "1000")
    if request.param == "paused":
        tare.ok("pause", "box")
    return "box"


def tree(folder):
    """Everything below FOLDER: path -> type, mode, owner, size or target."""
    found = {}
    for base, dirs, files in os.walk(folder):
        for name in dirs + files:
            path = pathlib.Path(base, name)
            st = path.lstat()
            what = os.readlink(path) if stat.S_ISLNK(st.st_mode) else st.st_size if stat.S_ISREG(st.st_mode) else 0
            found[str(path.relative_to(folder))] = (oct(st.st_mode), st.st_uid, st.st_gid, what, int(st.st_mtime))
    return found


@pytest.fixture
def source(tmp_path):
    top = tmp_path / "source"
    (top / "d/deep").mkdir(parents=True)
    (top / "file").write_text("content\n")
    (top / "d/big").write_bytes(os.urandom(3000000))
    (top / "d/deep/x").write_text("x")
    os.link(top / "file", top / "d/link")
    os.symlink("../file", top / "d/rel")
    os.symlink("/etc/passwd", top / "abs")
    os.mkfifo(top / "fifo")
    with open(top / "sparse", "wb") as f:
        f.truncate(50000000)
        f.write(b"x")
    (top / "naïve \n name").write_text("n")
    os.chown(top / "file", 12, 34)
    os.chmod(top / "file", 0o4750)
    os.chmod(top / "d", 0o1770)
    os.setxattr(top / "d/big", "user.note", b"kept")
    for base, dirs, files in os.walk(top, topdown=False):
        for name in dirs + files:
            os.utime(pathlib.Path(base, name), (1000000000, 1000000000), follow_symlinks=False)
    return top


def test_there_and_back_in_every_state(tare, box, source, tmp_path):
    status = tare.state(box)
    tare.ok("cp", "-a", source, box + ":/tmp")
    tare.ok("cp", "-a", box + ":/tmp/source", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(source)
    back = tmp_path / "back"
    assert (back / "file").stat().st_ino == (back / "d/link").stat().st_ino
    assert os.getxattr(back / "d/big", "user.note") == b"kept" and (back / "sparse").stat().st_blocks < 1000
    assert (back / "d/big").read_bytes() == (source / "d/big").read_bytes()
    assert tare.state(box) == status


def test_owner_is_the_callers_without_archive(tare, box, source, tmp_path):
    tare.ok("cp", source, box + ":/tmp")
    tare.ok("cp", box + ":/tmp/source", tmp_path / "back")
    st = (tmp_path / "back/file").stat()
    # The right to become user 12 is not the right to become the caller.
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (0, 0, 0o750)


def test_device_of_a_container_is_nobodys_on_the_host(tare, tmp_path):
    tare.ok("run", "--name", "cc", "--network", "none", "--privileged", "busybox", "sh", "-c", "mkdir /d; mknod -m 666 /d/disk b 8 0")
    tare.ok("cp", "cc:/d", tmp_path / "d")
    assert stat.S_IMODE((tmp_path / "d/disk").lstat().st_mode) == 0o600


def test_links_that_lead_out_are_copied_as_links(tare, box, tmp_path):
    (tmp_path / "d").mkdir()
    os.symlink("../../../../../etc/shadow", tmp_path / "d/up")
    tare.ok("cp", tmp_path / "d", box + ":/tmp")
    tare.ok("cp", box + ":/tmp/d", tmp_path / "out")
    assert os.readlink(tmp_path / "out/up") == "../../../../../etc/shadow"


def test_stream_with_names_that_lead_out(tare, box, canary):
    """Each of these must end inside the container, or nowhere."""
    out = str(canary.path)
    for names in [("../../../../../.." + out + "/file",), ("x", "x/file"), ("/x2", "x2/file")]:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                if len(names) == 2 and name == names[0]:
                    info.type, info.linkname = tarfile.SYMTYPE, out
                    archive.addfile(info)
                else:
                    info.size = 4
                    archive.addfile(info, io.BytesIO(b"evil"))
        tare("cp", "-", box + ":/tmp", input=raw.getvalue())


def test_hostile_links_inside(tare, canary, tmp_path):
    """A container whose own links point at the host: they mean the container's root."""
    tare.ok("run", "--name", "cc", "--network", "none", "busybox", "sh", "-c",
            "ln -s %s /l; ln -s ../../../..%s /m; ln -s /proc/1/root /r; ln -s / /tmp/root" % (canary.path, canary.path))
    (tmp_path / "f").write_text("new")
    for place in ("/l/file", "/m/file", "/l/", "/m", "/r/etc/f", "/l/new/x"):
        tare("cp", tmp_path / "f", "cc:" + place)
        tare("cp", "cc:" + place, tmp_path / "got")
        tare("cp", "-L", "cc:" + place, tmp_path / "got2")
    assert not (tmp_path / "got").exists() or (tmp_path / "got").is_symlink() or "canary" not in (tmp_path / "got").read_text()
    tare.ok("cp", tmp_path / "f", "cc:/tmp/root/here")
    assert tare.ok("cp", "cc:/here", tmp_path / "here") == "" and (tmp_path / "here").read_text() == "new"


# ---------------------------------------------------------------- races

def exchange(folder, stop):
    """A directory and a link to the host's root change places, without a pause, until told."""
    libc = ctypes.CDLL(None, use_errno=True)
    a, b = os.fsencode(folder / "a"), os.fsencode(folder / "b")
    while not stop.is_set():
        libc.renameat2(-100, a, -100, b, 2)  # RENAME_EXCHANGE
        stop.wait(random.uniform(0, 0.0005))


@pytest.fixture(params=["/", "canary", "relative"])
def raced(tare, canary, tmp_path, request):
    """A running container with a volume in which `a` is now a directory, now a link out."""
    random.seed(SEED)
    shared = tmp_path / "shared"
    (shared / "a").mkdir(parents=True)
    (shared / "a/file").write_text("inside\n")
    target = {"/": "/", "canary": str(canary.path), "relative": "../../../../.." + str(canary.path)}[request.param]
    os.symlink(target, shared / "b")
    tare.ok("run", "-d", "--name", "up", "--network", "none", "-v", "%s:/shared" % shared, "busybox", "sleep", "1000")
    stop = threading.Event()
    thread = threading.Thread(target=exchange, args=(shared, stop))
    thread.start()
    yield shared
    stop.set()
    thread.join()


def test_cve_2018_15664_race_out(tare, raced, tmp_path):
    """What comes out is what was in the container, never the host's file of that name."""
    good = 0
    for n in range(COPIES // 3):
        out = tmp_path / "out"
        got = tare("cp", "up:/shared/a/file", out)
        if got.rc == 0:
            assert out.read_text() == "inside\n"
            out.unlink()
            good += 1
        got = tare("cp", "up:/shared/a", tmp_path / ("dir%d" % n)) if n % 10 == 0 else got
    assert good > 0
    # A copy of the link itself is a link, and no copy of what it leads to.
    copies = [path for path in tmp_path.glob("dir*") if not path.is_symlink()]
    assert all((path / "file").read_text() == "inside\n" for path in copies if os.listdir(path))


def test_cve_2019_10152_race_in(tare, raced, tmp_path, canary):
    """What goes in never lands on the host; the canary and the names of / are looked at."""
    (tmp_path / "file").write_text("from the host\n")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/zz-tare-race").write_text("x")
    host = sorted(os.listdir("/"))
    good = 0
    for n in range(COPIES // 3):
        good += tare("cp", tmp_path / "file", "up:/shared/a/file").rc == 0
        if n % 5 == 0:
            tare("cp", str(tmp_path / "d") + "/.", "up:/shared/a/")
    assert good > 0 and sorted(os.listdir("/")) == host
    canary.check()


def test_no_path_at_all(tare, box, tmp_path):
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/inner").write_text("x")
    assert tare("cp", tmp_path / "dir/inner", box + ":").err == "tare: no such directory\n"
    tare.ok("cp", tmp_path / "dir", box + ":")
    tare.ok("cp", box + ":/inner", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "x"
    assert "bad parameter: path cannot be empty" in tare("cp", box + ":", tmp_path).err


def test_links_in_a_circle_are_replaced(tare, box, tmp_path):
    """As docker does: what leads nowhere is not followed, and makes place."""
    for name, to in (("loop", "loop"), ("way", "loop")):
        os.symlink(to, tmp_path / name)
        tare.ok("cp", tmp_path / name, "%s:/%s" % (box, name))
    (tmp_path / "file").write_text("new\n")
    tare.ok("cp", tmp_path / "file", "%s:/way" % box)
    listing = subprocess.run(["tar", "t", "-v"], input=tare("cp", "%s:/" % box, "-", binary=True).out,
                             stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "/loop -> loop" in listing and "/way ->" not in listing and "/way" in listing


def test_race_inside_the_container(tare, canary, tmp_path):
    """The same by a process of the container, on its own layer."""
    script = ("mkdir /w /w/d; echo inside >/w/d/file; : >/ready; while :; do mv /w/d /w/t; ln -s %s /w/d; rm /w/d; mv /w/t /w/d; done"
              % canary.path)
    tare.ok("run", "-d", "--name", "up", "--network", "none", "busybox", "sh", "-c", script)
    wait_until(lambda: tare("exec", "up", "test", "-e", "/ready").rc == 0)
    (tmp_path / "file").write_text("from the host\n")
    for _ in range(COPIES // 6):
        tare("cp", tmp_path / "file", "up:/w/d/file")
        if tare("cp", "up:/w/d/file", tmp_path / "out").rc == 0:
            assert (tmp_path / "out").read_text() in ("inside\n", "from the host\n")


def test_tree_that_changes_while_it_is_read(tare, tmp_path):
    script = ": >/ready; mkdir /w; while :; do for i in 1 2 3 4; do echo x >/w/$i; mkdir -p /w/d$i/e; done; rm -r /w/*; done"
    tare.ok("run", "-d", "--name", "up", "--network", "none", "busybox", "sh", "-c", script)
    wait_until(lambda: tare("exec", "up", "test", "-e", "/w").rc == 0)
    assert [tare("cp", "up:/w", tmp_path / ("w%d" % n)).rc for n in range(20)].count(0) > 0


# ---------------------------------------------------------------- mounts

def test_tmpfs_of_a_running_container(tare, tmp_path):
    """docker writes below it, where nobody sees it."""
    tare.ok("run", "-d", "--name", "up", "--network", "none", "--tmpfs", "/t", "busybox", "sleep", "1000")
    (tmp_path / "f").write_text("x")
    tare.ok("cp", tmp_path / "f", "up:/t/f")
    assert tare.ok("exec", "up", "cat", "/t/f") == "x"
    tare.ok("cp", tmp_path / "f", "up:/dev/shm/f")
    assert tare.ok("exec", "up", "cat", "/dev/shm/f") == "x"
    tare.ok("cp", "up:/dev/shm", tmp_path / "shm")
    assert os.listdir(tmp_path / "shm") == ["f"]
    got = tare("cp", "up:/dev/null", tmp_path / "null")
    assert got.rc == 1 and "Could not find the file /dev/null" in got.err


def test_kernel_file_systems_are_left_out(tare, tmp_path):
    tare.ok("run", "-d", "--name", "up", "--network", "none", "busybox", "sleep", "1000")
    tare.ok("cp", "up:/", tmp_path / "all")
    for name in ("proc", "sys", "dev"):
        assert os.listdir(tmp_path / "all" / name) == []
    # The container still has its own.
    assert tare.ok("exec", "up", "sh", "-c", "test -e /proc/1/stat && test -e /sys/kernel && test -c /dev/null && echo all") == "all"


def test_binds_of_a_container_that_never_ran(tare, tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "one").write_text("1")
    (tmp_path / "new").write_text("n")
    tare.ok("create", "--name", "cc", "-v", "%s:/v" % (tmp_path / "v"), "-v", "%s:/v/one" % (tmp_path / "one"), "busybox")
    tare.ok("cp", tmp_path / "new", "cc:/v/new")
    assert (tmp_path / "v/new").read_text() == "n"
    tare.ok("cp", "cc:/v/one", tmp_path / "got")
    assert (tmp_path / "got").read_text() == "1"
    tare.ok("start", "cc")


def test_bind_whose_source_is_gone(tare, tmp_path):
    (tmp_path / "v").mkdir()
    tare.ok("run", "--name", "cc", "--network", "none", "-v", "%s:/v" % (tmp_path / "v"), "busybox", "sh", "-c", "echo x >/f")
    (tmp_path / "v").rmdir()
    tare.ok("cp", "cc:/f", tmp_path / "f")
    assert (tmp_path / "f").read_text() == "x\n"


def test_starts_as_before(tare, tmp_path):
    """The writable view of a stopped container leaves nothing that its start would stumble over."""
    (tmp_path / "f").write_text("x")
    tare.ok("create", "--name", "cc", "--network", "none", "busybox", "cat", "/tmp/f")
    tare.ok("cp", tmp_path / "f", "cc:/tmp/f")
    assert tare.ok("start", "-a", "cc") == "x"
    tare.ok("cp", tmp_path / "f", "cc:/tmp/f")
    assert tare.ok("start", "-a", "cc") == "x" and tare.ok("diff", "cc") == "C /tmp\nA /tmp/f"


def test_killed_in_the_middle(tare, tmp_path):
    """Of a copy into a container that does not run nothing stays but files: it starts, and goes whole."""
    (tmp_path / "big").write_bytes(bytes(200000000))
    tare.ok("create", "--name", "cc", "--network", "none", "busybox", "echo", "started")
    upper = tare.root / "containers" / tare.ok("inspect", "-f", "{{.Id}}", "cc") / "upper"
    for place in ("/a", "/b"):
        child = tare.popen("cp", tmp_path / "big", "cc:" + place)
        wait_until(lambda: (upper / place[1:]).exists() or child.poll() is not None, "the copy to begin")
        child.kill()
        child.wait()
        # The next copy waits for nobody.
        tare.ok("cp", "cc:/etc/passwd", tmp_path / "passwd")
    assert tare.ok("start", "-a", "cc") == "started"
    tare.ok("rm", "cc")
    assert not list(tare.root.glob("containers/*"))


def test_start_waits_for_a_copy(tare, tmp_path):
    (tmp_path / "big").write_bytes(bytes(100000000))
    tare.ok("create", "--name", "cc", "--network", "none", "busybox", "stat", "-c", "%s", "/big")
    upper = tare.root / "containers" / tare.ok("inspect", "-f", "{{.Id}}", "cc") / "upper"
    child = tare.popen("cp", tmp_path / "big", "cc:/")
    wait_until(lambda: (upper / "big").exists() or child.poll() is not None, "the copy to begin")
    assert tare.ok("start", "-a", "cc") == "100000000" and child.wait(30) == 0


def test_of_a_container_that_will_remove_itself(tare, tmp_path):
    """Its layer will be mounted volatile, which a mount before must not spoil."""
    (tmp_path / "f").write_text("x")
    tare.ok("create", "--rm", "--name", "cc", "--network", "none", "busybox", "cat", "/tmp/f")
    tare.ok("cp", tmp_path / "f", "cc:/tmp/f")
    assert tare.ok("start", "-a", "cc") == "x"


def test_no_mount_of_the_host_changes(tare, box, tmp_path):
    tare.ok("cp", box + ":/etc", tmp_path / "e")
    assert str(tare.folder) not in open("/proc/self/mountinfo").read()
    # Nor does one stay in the store: what overlayfs needs to work goes with the copy.
    assert not list(tare.root.glob("containers/*/view-work"))


# ---------------------------------------------------------------- output

def test_says_how_much_to_a_person_only(tare, box, tmp_path):
    (tmp_path / "f").write_text("x")
    got = tare("cp", tmp_path / "f", box + ":/tmp")
    assert (got.rc, got.out, got.err) == (0, "", "")
    term = Terminal(tare.argv + ["cp", str(tmp_path / "f"), box + ":/tmp/"])
    term.expect(b"Successfully copied 2.05kB to box:/tmp/")
    assert term.wait() == 0
    term = Terminal(tare.argv + ["cp", "-q", str(tmp_path / "f"), box + ":/tmp/"])
    assert term.wait() == 0 and b"copied" not in term.seen


def test_full_disk_here(tare, tmp_path):
    tare.ok("run", "--name", "cc", "--network", "none", "busybox", "sh", "-c", "dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null")
    script = "mount -t tmpfs -o size=1m none %(d)s; \"$@\"; echo rc=$?; ls -A %(d)s" % {"d": tmp_path}
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh"] + tare.argv + ["cp", "cc:/big", str(tmp_path)],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout == "rc=1\n" and "no space left" in done.stderr, done


def test_stream_that_is_cut_short(tare, box, tmp_path):
    subprocess.run(["tar", "-C", "/etc", "-cf", tmp_path / "t.tar", "passwd", "group"], check=True)
    got = tare("cp", "-", box + ":/tmp", input=(tmp_path / "t.tar").read_bytes()[:1500])
    assert got.rc == 1 and got.err


def test_error_of_the_destination_is_told(tare, tmp_path):
    """Not that the one who read the stream could write no more of it."""
    (tmp_path / "f").write_bytes(os.urandom(5000000))
    tar = subprocess.run(["tar", "-C", tmp_path, "-c", "f"], stdout=subprocess.PIPE, check=True).stdout
    tare.ok("run", "--name", "cc", "--network", "none", "busybox", "mkdir", "/tmp/f")
    for got in (tare("cp", "-", "cc:/tmp", input=tar), tare("cp", tmp_path / "f", "cc:/tmp")):
        assert got.rc == 1 and 'cannot overwrite directory "/tmp/f" with non-directory "/tmp"' in got.err


@pytest.mark.parametrize("tool", ["gzip", "xz", "zstd", "bzip2"])
def test_compressed_streams(tare, running, tmp_path, tool):
    """Decompressed by a helper of our own: no program of the container runs."""
    (tmp_path / "f").write_text("x")
    tar = subprocess.run(["tar", "-C", tmp_path, "-c", "f"], stdout=subprocess.PIPE, check=True).stdout
    try:
        packed = subprocess.run([tool, "-c"], input=tar, stdout=subprocess.PIPE, check=True).stdout
    except FileNotFoundError:
        pytest.skip("no %s here" % tool)
    tare.ok("cp", "-", running + ":/tmp", input=packed)
    assert tare.ok("exec", running, "cat", "/tmp/f") == "x"
