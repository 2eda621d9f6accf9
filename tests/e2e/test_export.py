# SPDX-License-Identifier: Apache-2.0
"""export: the archive, the file it goes to, and what happens when it cannot be written."""
import io
import os
import stat
import subprocess
import tarfile

import pytest

from hostile import Rootfs
from terminal import Terminal


def entries(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name: entry for entry in archive}


@pytest.fixture
def box(tare):
    tare.ok("run", "--name", "box", "--network", "none", "busybox", "sh", "-c",
            "echo hi >/f; ln /f /g; ln -s f /l; mkfifo /p; chown 12:34 /f; chmod 4750 /f; rm -r /var; mkdir /var; touch /var/new")
    return "box"


def test_the_whole_view(tare, box):
    found = entries(tare("export", box, binary=True, check=True).out)
    assert found["f"].mode == 0o4750 and (found["f"].uid, found["f"].gid) == (12, 34)
    assert found["g"].islnk() and found["g"].linkname == "f" and found["l"].linkname == "f" and found["p"].isfifo()
    assert "bin/busybox" in found and [n for n in found if n.startswith("var")] == ["var", "var/new"]
    # What the engine mounts is no part of it, nor what it mounts on.
    assert not [n for n in found if n.startswith(("proc/", "sys/", "dev/"))] and "etc/hosts" not in found


def test_only_what_image_and_container_have(tare):
    """The skeleton is the engine's own."""
    image = Rootfs(tare, shell=False).file("hello", "x").load()
    tare.ok("create", "--name", "cc", image, "/hello")
    assert sorted(entries(tare("export", "cc", binary=True, check=True).out)) == [".", "hello"]


def test_running(tare, running, tmp_path):
    tare.ok("exec", running, "sh", "-c", "echo now >/f; mkdir /d; rm -r /home 2>/dev/null; true")
    found = entries(tare("export", running, binary=True, check=True).out)
    assert found["f"].size == 4 and found["d"].isdir()
    assert tare.state(running) == "running"


def test_what_is_mounted_stays_outside(tare, tmp_path):
    (tmp_path / "secret").write_text("x")
    tare.ok("run", "-d", "--name", "up", "-v", "%s:/v" % tmp_path, "--tmpfs", "/t", "busybox", "sh", "-c", "touch /t/x; exec sleep 100")
    found = entries(tare("export", "up", binary=True, check=True).out)
    assert found["v"].isdir() and not [n for n in found if n.startswith(("v/", "t/"))]


def test_same_bytes_again(tare, box):
    assert tare("export", box, binary=True).out == tare("export", box, binary=True).out


def test_into_a_file(tare, box, tmp_path):
    out = tmp_path / "t.tar"
    out.write_text("old")
    tare.ok("export", "-o", out, box)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600 and os.listdir(tmp_path) == ["t.tar"]
    assert out.read_bytes() == tare("export", box, binary=True).out


def test_relative_file(tare, box, tmp_path):
    assert tare("export", "--output", "t.tar", box, cwd=tmp_path).rc == 0
    assert (tmp_path / "t.tar").stat().st_size > 1000


def test_failure_leaves_the_old_file(tare, tmp_path):
    out = tmp_path / "t.tar"
    out.write_text("old")
    assert tare("export", "-o", out, "nosuch").rc == 1
    assert out.read_text() == "old" and os.listdir(tmp_path) == ["t.tar"]


def test_full_disk(tare, box, tmp_path):
    """A file system of 256 kB: exit 1, and nothing is left in it."""
    script = ("mount -t tmpfs -o size=256k none %(d)s; shift 0; \"$@\"; echo rc=$?; ls -A %(d)s" % {"d": tmp_path})
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh"] + tare.argv + ["export", "-o", str(tmp_path / "t"), box],
                          capture_output=True, text=True, timeout=60)
    assert done.stdout == "rc=1\n" and "no space left" in done.stderr, done


def test_output_that_cannot_be_written(tare, box):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(tare.argv + ["export", box], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "no space left on device" in done.stderr


def test_reader_that_goes_away(tare, box):
    child = tare.popen("export", box)
    assert child.stdout.read(512)
    child.stdout.close()
    assert child.wait(30) == 1 and b"broken pipe" in child.stderr.read()


def test_refuses_a_terminal(tare, box):
    term = Terminal(tare.argv + ["export", box])
    term.expect(b"cowardly refusing to save to a terminal. Use the -o flag or redirect")
    assert term.wait() == 1
