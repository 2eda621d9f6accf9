# SPDX-License-Identifier: Apache-2.0
"""Volumes: what is compared with docker stands in tests/docker (volume, mounts); here is what docker does not have,
enemies inside a volume, deaths in between, and that nothing is left on the host."""
import io
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import tarfile
import threading
import time

import pytest

from conftest import PROGRAM, wait_until
from test_cve import racer

SWAPS = int(os.environ.get("TARE_TEST_SWAPS", "300"))
STARTS = int(os.environ.get("TARE_TEST_STARTS", "15"))


def volumes(tare):
    return tare.ok("volume", "ls", "-q").split()


def data_of(tare, name):
    return pathlib.Path(tare.ok("volume", "inspect", "-f", "{{.Mountpoint}}", name))


def mounts_of_host():
    return pathlib.Path("/proc/self/mountinfo").read_text()


# ---------------------------------------------------------------- content

def test_an_image_fills_an_empty_volume_with_everything(tare, tmp_path):
    script = ("mkdir -p /data/sub/deep && echo one >/data/f && ln /data/f /data/sub/again && ln -s ../f /data/sub/l && "
              "chown -R 12:34 /data && chmod 2750 /data && chmod 4711 /data/f && mkfifo /data/pipe && "
              "chown 12:34 /data/pipe && touch -d @1000000000 /data/sub /data/sub/deep && "
              "dd if=/dev/zero of=/data/hole bs=1 count=1 seek=10000000 2>/dev/null")
    tare.ok("run", "--name", "maker", "busybox", "sh", "-ec", script)
    tare.ok("commit", "maker", "full")
    tare.ok("run", "--rm", "-v", "vol:/data", "full", "true")
    top = data_of(tare, "vol")
    st = top.stat()
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (12, 34, 0o2750)
    f = (top / "f").stat()
    assert (f.st_uid, stat.S_IMODE(f.st_mode), f.st_nlink) == (12, 0o4711, 2)
    assert f.st_ino == (top / "sub/again").stat().st_ino
    assert os.readlink(top / "sub/l") == "../f"
    assert stat.S_ISFIFO((top / "pipe").lstat().st_mode)
    assert int((top / "sub/deep").stat().st_mtime) == 1000000000
    hole = (top / "hole").stat()
    assert hole.st_size == 10000001 and hole.st_blocks * 512 < 1000000
    # Not again, once it has been used.
    tare.ok("run", "--rm", "-v", "vol:/data", "full", "rm", "-r", "/data/sub")
    tare.ok("run", "--rm", "-v", "vol:/data", "full", "sh", "-c", "! ls /data/sub")


def test_extended_attributes_are_copied_up(tare):
    tare.ok("run", "--name", "maker", "busybox", "sh", "-c", "mkdir /data && touch /data/f")
    merged = next((tare.root / "containers").glob("*/upper/data/f"))
    os.setxattr(merged, "user.mark", b"value")
    tare.ok("commit", "maker", "marked")
    tare.ok("create", "--name", "box", "-v", "vol:/data", "marked", "true")
    assert os.getxattr(data_of(tare, "vol") / "f", "user.mark") == b"value"


def test_two_that_start_at_once_fill_it_once(tare):
    children = [tare.popen("run", "--rm", "-v", "vol:/bin", "busybox", "true") for _ in range(4)]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
    names = set(os.listdir(data_of(tare, "vol")))
    assert "busybox" in names and not [n for n in names if n.startswith(".tare")]


def test_a_copy_that_was_cut_short_is_completed(tare):
    """What a dead process left of a copy: some of the files, and the mark that it was not done."""
    tare.ok("volume", "create", "vol")
    top = data_of(tare, "vol")
    (top / "passwd").write_text("half")
    (top / ".tare-part").mkdir()
    (top.parent / "copying").write_text("1")
    out = tare.ok("run", "--rm", "-v", "vol:/etc", "busybox", "sh", "-c", "cat /etc/passwd; ls -A /etc")
    assert out.startswith("half") and "shadow" in out
    assert (top.parent / "copying").read_text() == ""


def test_mounts_are_gone_with_the_container(tare):
    before = mounts_of_host()
    tare.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mem")
    tare.ok("run", "-d", "--name", "box", "-v", "vol:/a", "-v", "mem:/b", "-v", "/c", "--mount",
            "type=image,src=busybox,dst=/img", "busybox", "sleep", "1000")
    assert mounts_of_host() == before
    tare.ok("rm", "-f", "-v", "box")
    assert mounts_of_host() == before
    assert volumes(tare) == ["mem", "vol"]


# ---------------------------------------------------------------- the local driver's options

def test_a_tmpfs_is_shared_by_who_runs(tare):
    tare.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m", "mem")
    tare.ok("run", "-d", "--name", "one", "-v", "mem:/a/b", "busybox", "sh", "-c", "echo shared >/a/b/f; sleep 1000")
    wait_until(lambda: tare("exec", "one", "cat", "/a/b/f").out == "shared\n", "the file")
    tare.ok("run", "-d", "--name", "two", "-v", "mem:/c", "busybox", "sleep", "1000")
    assert tare.ok("exec", "two", "cat", "/c/f") == "shared"
    # It lives on with the second one, and ends with the last.
    tare.ok("rm", "-f", "one")
    assert tare.ok("run", "--rm", "-v", "mem:/d", "busybox", "cat", "/d/f") == "shared"
    assert tarfile.open(fileobj=io.BytesIO(tare("volume", "export", "mem", binary=True).out)).getnames() == [".", "f"]
    tare.ok("rm", "-f", "two")
    assert tare("run", "--rm", "-v", "mem:/d", "busybox", "cat", "/d/f").rc == 1
    assert "no running container has it" in tare("volume", "export", "mem").err


def test_a_tmpfs_cannot_be_exchanged_by_who_has_it(tare, canary):
    """Its directory is renamed away and something else put there: the other must not get that."""
    tare.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mem")
    tare.ok("run", "-d", "--name", "evil", "-v", "mem:/a/b", "busybox", "sh", "-c",
            "mv /a /x && mkdir -p /a/b && touch /a/b/wrong && touch /ready && sleep 1000")
    wait_until(lambda: tare("exec", "evil", "ls", "/ready").rc == 0, "the exchange")
    got = tare("run", "--rm", "-v", "mem:/c", "busybox", "ls", "/c")
    assert got.rc != 0 and "wrong" not in got.out


def test_a_bind_by_options(tare, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("host")
    tare.ok("volume", "create", "-o", "type=none", "-o", "o=bind,ro", "-o", "device=%s" % (tmp_path / "d"), "vol")
    assert tare.ok("run", "--rm", "-v", "vol:/d", "busybox", "cat", "/d/f") == "host"
    assert "Read-only" in tare("run", "--rm", "-v", "vol:/d", "busybox", "touch", "/d/g").err
    names = tarfile.open(fileobj=io.BytesIO(tare("volume", "export", "vol", binary=True).out)).getnames()
    assert names == [".", "f"]


def test_what_the_kernel_does_not_have(tare):
    tare.ok("volume", "create", "-o", "type=nosuchfs", "-o", "device=x", "vol")
    got = tare("run", "--rm", "-v", "vol:/d", "busybox", "true")
    assert got.rc == 125 and "nosuchfs" in got.err


# ---------------------------------------------------------------- parts of volumes and images

def test_subpath(tare):
    tare.ok("run", "--rm", "-v", "vol:/d", "busybox", "sh", "-c",
            "mkdir -p /d/a/b && echo in >/d/a/b/f && ln -s a/b /d/inner && ln -s /etc /d/outer && ln -s ../.. /d/up && "
            "echo file >/d/one")
    def run(part, *command):
        return tare("run", "--rm", "--mount", "src=vol,dst=/m,volume-subpath=" + part, "busybox", *command)
    assert run("a/b", "cat", "/m/f").out == "in\n"
    assert run("inner", "cat", "/m/f").out == "in\n"
    assert run("one", "cat", "/m").out == "file\n"
    for part in ("outer", "up", "outer/hostname", "nosuch"):
        got = run(part, "ls", "/m")
        assert got.rc != 0 and "cannot access path" in got.err, part
    assert "must be a relative path within the volume" in run("../x", "true").err
    assert "must be a relative path within the volume" in run("/a", "true").err


def test_an_image_as_a_directory(tare):
    tare.ok("run", "--name", "c1", "busybox", "sh", "-c", "mkdir /data && echo x >/data/f && ln -s /data/f /link")
    tare.ok("commit", "c1", "made")
    mount = "type=image,src=made,dst=/m"
    assert tare.ok("run", "--rm", "--mount", mount, "busybox", "cat", "/m/data/f") == "x"
    assert tare.ok("run", "--rm", "--mount", mount + ",image-subpath=link", "busybox", "cat", "/m") == "x"
    assert "Read-only" in tare("run", "--rm", "--mount", mount, "busybox", "touch", "/m/g").err
    assert "cannot access path" in tare("run", "--rm", "--mount", mount + ",image-subpath=no", "busybox", "true").err
    assert "No such image: nosuch" in tare("create", "--mount", "type=image,src=nosuch,dst=/m", "busybox").err
    # Its layers stay as long as somebody has them mounted.
    tare.ok("rm", "c1")
    tare.ok("create", "--name", "user", "--mount", mount, "busybox", "cat", "/m/data/f")
    refused = tare("rmi", "made")
    assert refused.rc == 1 and "is using its referenced image" in refused.err
    tare.ok("rmi", "-f", "made")
    assert tare.ok("start", "-a", "user") == "x"
    assert tarfile.open(fileobj=io.BytesIO(tare("cp", "user:/m/data/f", "-", binary=True).out)).getnames() == ["f"]
    tare.ok("rm", "user")
    assert tare.ok("images", "-aq", "made") == ""
    assert "0 problems" in tare.ok("system", "check", "--full")


# ---------------------------------------------------------------- ids

def test_a_bind_has_members_of_a_volume_for_templates(tare):
    tare.ok("create", "--name", "made", "-v", "/tmp:/c", "busybox")
    assert tare.ok("inspect", "-f", "{{range .Mounts}}[{{.Name}}{{.Driver}}]{{json .}}{{end}}", "made") == (
        '[]{"Type":"bind","Source":"/tmp","Destination":"/c","Mode":"","RW":true,"Propagation":"rprivate"}')


def test_propagation_needs_a_mount_that_takes_part(tare, tmp_path):
    """In a mount namespace of the test's own, whose mounts are made private, shared and slave."""
    tare.ok("pull", "-q", "busybox")
    script = ("mkdir t; mount -t tmpfs t t; mkdir t/d; mount --make-private t; \"$@\" rslave; \"$@\" rshared;"
              "mount --make-shared t; \"$@\" rslave; \"$@\" rshared; unshare -m --propagation slave "
              "sh -c '\"$@\" rslave; \"$@\" rshared' sh \"$@\"")
    run = ["sh", "-c", "%s run --rm --network none -v %s/t/d:/d:$1 busybox echo $1 2>&1 | head -1"
           % (" ".join(tare.argv), tmp_path), "sh"]
    done = subprocess.run(["unshare", "-m", "sh", "-ec", script, "sh"] + run, cwd=tmp_path, stdout=subprocess.PIPE,
                          text=True, check=True, timeout=60)
    no = "tare: -v cannot be applied: path %s/t/d is mounted on %s/t but it is not a shared%%s mount" % (tmp_path, tmp_path)
    assert done.stdout.splitlines()[-6:] == [no % " or slave", no % "", "rslave", "rshared", "rslave", no % ""]


def test_idmap(tare, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    os.chown(folder, 1234, 5678)
    (folder / "root").touch()
    out = tare.ok("run", "--rm", "-v", "%s:/d:idmap" % folder, "busybox", "sh", "-c",
                  "touch /d/new && stat -c '%n %u:%g' /d /d/new /d/root")
    # Both ids stand for each other, so none of them can be had twice.
    assert out.split("\n") == ["/d 0:0", "/d/new 0:0", "/d/root 1234:5678"]
    assert (folder / "new").stat().st_uid == 1234
    out = tare.ok("run", "--rm", "-u", "7:8", "-v", "%s:/d:ro,idmap=1234:5678" % folder, "busybox", "stat", "-c",
                  "%u:%g", "/d/new")
    assert out == "7:8"
    out = tare.ok("run", "--rm", "-u", "7:8", "--mount", "src=vol,dst=/d,idmap", "busybox", "sh", "-c",
                  "touch /d/f && stat -c %u:%g /d/f")
    assert out == "7:8" and (data_of(tare, "vol") / "f").stat().st_uid == 0
    # It is kept: a container that is started again has the same.
    tare.ok("create", "--name", "again", "-v", "%s:/d:idmap" % folder, "busybox", "stat", "-c", "%u:%g", "/d")
    assert tare.ok("start", "-a", "again") == "0:0" and tare.ok("start", "-a", "again") == "0:0"


def test_idmap_where_it_cannot_be(tare):
    got = tare("run", "--rm", "-v", "/proc/sys:/d:idmap", "busybox", "true")
    assert got.rc == 125 and "cannot map ids on this kernel" in got.err
    got = tare("create", "-u", "name", "-v", "/tmp:/d:idmap", "busybox")
    assert got.rc != 0 and "--user UID:GID" in got.err
    assert "invalid mode: idmap=x" in tare("create", "-v", "/tmp:/d:idmap=x", "busybox").err


# ---------------------------------------------------------------- export, import, clone, rename

def test_export_and_import(tare, tmp_path):
    tare.ok("run", "--rm", "-v", "vol:/d", "busybox", "sh", "-c",
            "mkdir /d/s && echo x >/d/s/f && chown -R 70:71 /d && chmod 700 /d && chmod 4755 /d/s/f && ln -s f /d/s/l")
    tare.ok("volume", "export", "-o", tmp_path / "v.tar", "vol")
    subprocess.run(["gzip", "-k", str(tmp_path / "v.tar")], check=True)
    for name, source in (("a1", "v.tar"), ("a2", "v.tar.gz")):
        assert "get %s: no such volume" % name in tare("volume", "import", name, tmp_path / source).err
        tare.ok("volume", "create", name)
        tare.ok("volume", "import", name, tmp_path / source)
        top = data_of(tare, name)
        assert (top.stat().st_uid, stat.S_IMODE(top.stat().st_mode)) == (70, 0o700)
        assert stat.S_IMODE((top / "s/f").stat().st_mode) == 0o4755 and os.readlink(top / "s/l") == "f"
    tare.ok("volume", "create", "piped")
    archive = tare("volume", "export", "vol", binary=True).out
    tare.ok("volume", "import", "piped", input=archive)
    assert (data_of(tare, "piped") / "s/f").read_text() == "x\n"
    assert tare("volume", "import", "piped", input=archive[:700]).rc != 0


def hostile_archive(canary):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        def add(name, kind=tarfile.REGTYPE, link="", text=b"bad"):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            info.size = len(text) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(text) if info.size else None)
        yield_names = [("link", tarfile.SYMTYPE, str(canary)), ("link/f", tarfile.REGTYPE, ""),
                       ("up", tarfile.SYMTYPE, "../" * 20 + str(canary).lstrip("/")), ("up/f", tarfile.REGTYPE, ""),
                       ("hard", tarfile.LNKTYPE, str(canary / "file"))]
        for name, kind, link in yield_names:
            add(name, kind, link)
    return out.getvalue()


def test_import_stays_inside(tare, canary, tmp_path):
    tare.ok("volume", "create", "vol")
    tare("volume", "import", "vol", input=hostile_archive(tmp_path / "canary"))
    for name in ("../out", "a/../../out"):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(name))
        assert tare("volume", "import", "vol", input=out.getvalue()).rc != 0
    assert not (tare.root / "volumes/vol/out").exists() and not (tare.root / "volumes/out").exists()


def test_clone(tare):
    tare.ok("volume", "create", "--label", "k=v", "vol")
    tare.ok("run", "--rm", "-v", "vol:/d", "busybox", "sh", "-c",
            "echo x >/d/f; ln /d/f /d/g; chown 5:6 /d; chmod 711 /d")
    assert tare.ok("volume", "clone", "vol", "copy") == "copy"
    top = data_of(tare, "copy")
    assert (top / "f").read_text() == "x\n" and (top / "f").stat().st_ino == (top / "g").stat().st_ino
    assert (top.stat().st_uid, stat.S_IMODE(top.stat().st_mode)) == (5, 0o711)
    (top / "f").write_text("changed")
    assert (data_of(tare, "vol") / "f").read_text() == "x\n"
    assert tare.ok("volume", "inspect", "-f", "{{json .Labels}}", "copy") == '{"k":"v"}'
    assert "already a volume with the name copy" in tare("volume", "clone", "vol", "copy").err
    assert "get nosuch: no such volume" in tare("volume", "clone", "nosuch", "other").err


def test_clone_is_an_event(tare):
    tare.ok("volume", "create", "vol")
    tare.ok("volume", "clone", "vol", "copy")
    told = tare.ok("events", "--since", "1", "--until", str(int(time.time()) + 1), "--format", "{{.Action}} {{.Actor.ID}}")
    assert told.splitlines() == ["create vol", "create copy"]


def test_clone_knows_no_name_of_its_own(tare):
    """What the engine may use for itself elsewhere is a name like others in a volume."""
    tare.ok("run", "--rm", "-v", "vol:/v", "busybox", "sh", "-c",
            "mkdir -p /v/a/.tare-part; echo kept >/v/.tare-part; echo 1 >/v/a/f")
    tare.ok("volume", "clone", "vol", "copy")
    assert tare.ok("run", "--rm", "-v", "copy:/v", "busybox", "sh", "-c", "cd /v; find . | sort; cat .tare-part") == (
        ".\n./.tare-part\n./a\n./a/.tare-part\n./a/f\nkept")


def test_rename(tare):
    tare.ok("create", "--name", "c1", "-v", "vol:/d", "busybox")
    assert "volume is in use" in tare("volume", "rename", "vol", "new").err
    tare.ok("rm", "c1")
    (data_of(tare, "vol") / "f").write_text("x")
    tare.ok("volume", "rename", "vol", "new")
    assert volumes(tare) == ["new"] and (data_of(tare, "new") / "f").read_text() == "x"


# ---------------------------------------------------------------- who goes with whom

def test_anonymous_volumes_go_with_a_killed_command(tare):
    """--rm with its monitor and its command killed: the next command removes the container, and its volume."""
    tare.ok("run", "-d", "--rm", "--name", "box", "-v", "/d", "-v", "vol:/e", "busybox", "sleep", "1000")
    state = next((tare.runroot / "containers").glob("*/state.json"))
    monitor = json.loads(state.read_text())["monitor"]["pid"]
    assert len(volumes(tare)) == 2
    os.kill(monitor, signal.SIGKILL)
    wait_until(lambda: tare("ps", "-aq").out == "" or tare("inspect", "box").rc != 0, "the container to go")
    wait_until(lambda: volumes(tare) == ["vol"], "the volume to go")


def test_anonymous_volumes_among_commands_that_sweep(tare):
    """Nobody takes the volume of a container that is being created for one that a dead command left."""
    done = threading.Event()
    failed = []

    def disturb():
        while not done.is_set():
            for args in (("create", "named"), ("rm", "named")):
                got = tare("volume", *args)
                failed.extend([got] if got.rc else [])

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(40):
            tare.ok("run", "--rm", "--network", "none", "-v", "/x", "busybox", "touch", "/x/f")
    finally:
        done.set()
        thread.join()
    assert not failed and volumes(tare) == [] and os.listdir(tare.root / "volumes") == []


def test_events_of_anonymous_volumes(tare):
    tare.ok("run", "--rm", "--network", "none", "-v", "/x", "busybox", "true")
    tare.ok("create", "--name", "made", "-v", "/x", "busybox")
    tare.ok("rm", "-v", "made")
    now = str(int(time.time()) + 1)
    told = [line.split() for line in tare.ok(
        "events", "--since", "1", "--until", now, "--format", "{{.Type}} {{.Action}} {{.Actor.ID}}").splitlines()]
    told = [(kind, action, name) for kind, action, name in told if action in ("create", "destroy")]
    assert [t[:2] for t in told] == [("volume", "create"), ("container", "create"),
                                     ("volume", "destroy"), ("container", "destroy")] * 2
    assert told[0][2] == told[2][2] != told[4][2] == told[6][2]


def test_nothing_is_left_of_a_container_that_came_to_nothing(tare):
    tare.ok("create", "--name", "c1", "busybox")
    assert tare("create", "--name", "c1", "-v", "/d", "busybox").rc != 0
    assert tare("create", "-v", "/d", "--mount", "type=bind,src=/nosuch,dst=/x", "busybox").rc != 0
    assert volumes(tare) == [] and list(tare.root.glob("volumes/*")) == []


def test_volumes_from_a_stopped_container(tare, tmp_path):
    (tmp_path / "h").mkdir()
    (tmp_path / "h/f").write_text("host")
    tare.ok("run", "--name", "c1", "-v", "vol:/v", "-v", "%s:/h:ro" % (tmp_path / "h"), "-v", "/a", "--tmpfs", "/t",
            "busybox", "sh", "-c", "echo v >/v/f; echo a >/a/f")
    out = tare.ok("run", "--rm", "--volumes-from", "c1", "busybox", "sh", "-c",
                  "cat /v/f /a/f /h/f; touch /h/x 2>/dev/null || echo fixed; ! ls -d /t 2>/dev/null")
    assert out.split() == ["v", "a", "hostfixed"]
    # Its anonymous volume is still the first one's.
    assert len(volumes(tare)) == 2


def test_prune(tare):
    tare.ok("volume", "create", "named")
    anonymous = tare.ok("volume", "create")
    assert re.fullmatch("[0-9a-f]{64}", anonymous)
    tare.ok("create", "--name", "c1", "-v", "used:/d", "busybox")
    assert tare.ok("volume", "prune", "-f") == "Deleted Volumes:\n%s\n\nTotal reclaimed space: 0B" % anonymous
    assert tare.ok("volume", "prune", "-f", "--filter", "label!=x", "-a").startswith("Deleted Volumes:\nnamed\n")
    assert volumes(tare) == ["used"]
    assert "cannot specify both" in tare("volume", "prune", "-f", "-a", "--filter", "all=1").err


# ---------------------------------------------------------------- enemies

def test_a_link_in_the_place_of_the_content(tare, canary, tmp_path):
    tare.ok("volume", "create", "vol")
    top = data_of(tare, "vol")
    top.rmdir()
    top.symlink_to(tmp_path / "canary")
    for command in (("run", "--rm", "-v", "vol:/bin", "busybox", "true"), ("volume", "export", "vol"),
                    ("volume", "clone", "vol", "other"), ("create", "-v", "vol:/bin", "busybox")):
        got = tare(*command)
        assert got.rc != 0 and "no directory any more" in got.err, command
    tare("volume", "import", "vol", input=b"\0" * 10240)
    assert "its content is no directory" in tare("system", "check").out
    tare.ok("volume", "rm", "-f", "vol")


def test_subpath_while_it_is_exchanged(tare, canary, tmp_path):
    """Another container of the same volume swaps the directory with a link to the host's."""
    tare.ok("volume", "create", "vol")
    top = data_of(tare, "vol")
    (top / "a/sub").mkdir(parents=True)
    (top / "b").symlink_to(tmp_path / "canary")
    stop = threading.Event()
    thread = threading.Thread(target=racer, args=(top, ("a", "b"), 10 ** 9, stop))
    thread.start()
    try:
        for _ in range(STARTS):
            got = tare("run", "--rm", "--mount", "src=vol,dst=/m,volume-subpath=a", "busybox", "sh", "-c",
                       "ls -A /m; echo bad >/m/written 2>/dev/null")
            assert "canary" not in got.out and "file" not in got.out.split(), got.out
    finally:
        stop.set()
        thread.join()


def test_copy_up_while_the_volume_is_exchanged(tare, canary, tmp_path):
    """The directories that a copy makes are swapped with links to the host's while it goes on."""
    tare.ok("run", "--name", "maker", "busybox", "sh", "-c",
            "mkdir -p /data/a /data/b && for i in $(seq 200); do echo $i >/data/a/$i; echo $i >/data/b/$i; done")
    tare.ok("commit", "maker", "full")
    tare.ok("volume", "create", "vol")
    top, stop = data_of(tare, "vol"), threading.Event()

    def swap():
        while not stop.is_set():
            for name in ("a", "b"):
                try:
                    os.rename(top / name, top.parent / "old")
                    os.symlink(tmp_path / "canary", top / name)
                    time.sleep(0.0005)
                    os.unlink(top / name)
                except OSError:
                    pass
                subprocess.run(["rm", "-rf", str(top.parent / "old")], check=False)
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(STARTS):
            tare("run", "--rm", "-v", "vol:/data", "full", "true")
            subprocess.run("rm -rf %s/* %s/copying" % (top, top.parent), shell=True, check=False)
    finally:
        stop.set()
        thread.join()


def test_a_volume_program_never_gets_the_host_s(tare):
    """A #! line in a volume that leads back to this program is not followed on the host's file."""
    tare.ok("run", "--rm", "-v", "vol:/v", "busybox", "sh", "-c",
            "printf '#!/proc/self/exe\\n' >/v/x && chmod +x /v/x")
    before = pathlib.Path(PROGRAM).read_bytes()
    for _ in range(3):
        tare("run", "--rm", "-v", "vol:/v", "busybox", "/v/x")
    tare.ok("create", "--name", "again", "-v", "vol:/v", "busybox", "/v/x")
    tare("start", "-a", "again")
    assert pathlib.Path(PROGRAM).read_bytes() == before


# ---------------------------------------------------------------- deaths in between

VERBS = [
    (["volume", "create", "new"], {"new"}),
    (["volume", "rm", "vol"], set()),
    (["volume", "rename", "vol", "new"], {"new"}),
    (["volume", "clone", "vol", "new"], {"vol", "new"}),
]


@pytest.mark.parametrize("verb,after", VERBS, ids=lambda v: v[1] if isinstance(v, list) else "")
def test_killed_at_any_call(tare, verb, after):
    """Killed at each of its system calls that change files: the old state or the new one, and the content is whole."""
    before = {"vol"} if verb[1] != "create" else set()
    calls = "mkdirat,renameat,renameat2,openat,unlinkat,pwrite64,fsync,fdatasync,ftruncate"
    done, n = False, 0
    while not done and n < 200:
        n += 1
        for name in volumes(tare):
            tare.ok("volume", "rm", name)
        if before:
            tare.ok("volume", "create", "vol")
            (data_of(tare, "vol") / "f").write_text("whole")
        argv = ["strace", "-f", "-o", "/dev/null", "-e", "trace=" + calls, "-e",
                "inject=%s:signal=KILL:when=%d" % (calls, n)] + tare.argv + verb
        got = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        done = got.returncode == 0
        # Any writing command puts right what the dead one left.
        tare.ok("volume", "create", "other")
        found = set(volumes(tare)) - {"other"}
        assert found in (before, after), "after call %d: %s" % (n, found)
        for name in found & {"vol", "new"}:
            if verb[1] != "create":
                assert (data_of(tare, name) / "f").read_text() == "whole", n
        assert {p for p in os.listdir(tare.root / "volumes") if not p.startswith(".")} == found | {"other"}, n
    assert done, "never came to its end"
    assert "0 problems" in tare.ok("system", "check")


# ---------------------------------------------------------------- explained

def test_each_step_is_explained(tare, tmp_path):
    os.chown(tmp_path, 1000, 1000)
    got = tare("run", "--explain", "--rm", "-v", "vol:/etc", "-v", "%s:/d:idmap" % tmp_path, "--mount",
               "type=image,src=busybox,dst=/img", "busybox", "true")
    data = data_of(tare, "vol")
    assert re.search(r"cp -a \./etc/\. %s +#" % re.escape(str(data)), got.err)
    assert "mount --rbind %s ./etc" % data in got.err
    assert "-o 'X-mount.idmap=u:1000:0:1 u:0:1000:1 g:1000:0:1 g:0:1000:1'" in got.err
    assert re.search(r"mount --bind -o ro \S+/layers/[0-9a-f]{64}/diff \./img", got.err)


def test_the_script_does_the_same(tare):
    tare.ok("run", "--rm", "busybox", "true")
    script = tare.ok("run", "--explain", "--dry-run", "--rm", "-v", "vol:/etc", "-v", "/anonymous", "busybox", "sh", "-c",
                     "echo made >/etc/made; cat /etc/passwd; touch /anonymous/f && echo fine")
    assert volumes(tare) == []
    out = subprocess.run(["sh"], input=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert out.returncode == 0 and out.stdout.startswith("root:") and out.stdout.endswith("fine\n"), out.stderr
    assert volumes(tare) == ["vol"]
    assert tare.ok("run", "--rm", "-v", "vol:/q", "busybox", "cat", "/q/made") == "made"


def test_df_is_what_du_says(tare):
    tare.ok("run", "--name", "c1", "-v", "vol:/d", "busybox", "sh", "-c", "head -c 1000000 /dev/zero >/d/f")
    rows = [json.loads(line) for line in tare.ok("system", "df", "--format", "json").splitlines()]
    total = int(subprocess.check_output(["du", "-sB1", str(tare.root)]).split()[0])
    assert sum(int(row["Bytes"]) for row in rows) == total
    row = next(r for r in rows if r["Type"] == "Local Volumes")
    assert (row["TotalCount"], row["Active"], row["ReclaimableBytes"]) == ("1", "1", "0")
    assert int(row["Bytes"]) >= 1000000
    assert re.search(r"^vol +1 +1\.\d+MB$", tare.ok("system", "df", "-v"), re.M)
