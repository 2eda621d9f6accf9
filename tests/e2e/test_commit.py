# SPDX-License-Identifier: Apache-2.0
"""commit: layers, what is in them, and that a paused container goes on whatever happens to the command."""
import io
import json
import os
import signal
import subprocess
import tarfile

import pytest

from conftest import wait_until


def committed(tare, script, *options, image="busybox"):
    """The image "im" of a container that ran SCRIPT."""
    tare.ok("run", "--name", "cc", "--network", "none", *options, image, "sh", "-c", script)
    tare.ok("commit", "cc", "im")
    return "im"


def sh(tare, image, script):
    return tare.ok("run", "--rm", "--network", "none", image, "sh", "-c", script)


def layers(tare, image):
    return tare.inspect(image)["RootFS"]["Layers"]


def test_everything_that_a_file_has(tare):
    image = committed(tare, "echo hi >/f; chown 12:34 /f; chmod 4711 /f; ln /f /g; ln -s f /l; mkfifo /p; touch -t 202001020304 /f; "
                            "dd if=/dev/zero of=/sparse bs=1 count=1 seek=10000000 2>/dev/null; mkdir -m 1777 /d")
    got = sh(tare, image, "stat -c '%u:%g %a %h %Y' /f; stat -c '%i' /f /g | uniq | wc -l; readlink /l; test -p /p && echo fifo; "
                          "stat -c %s /sparse; stat -c %a /d")
    assert got.split("\n") == ["12:34 4711 2 1577934240", "1", "f", "fifo", "10000001", "1777"]


def test_what_was_removed_stays_removed(tare):
    image = committed(tare, "mkdir /d /e; touch /d/1 /e/1")
    tare.ok("run", "--name", "c2", "--network", "none", image, "sh", "-c", "rm -r /d; rm /e/1; mkdir /d; touch /d/2")
    tare.ok("commit", "c2", "im2")
    assert sh(tare, "im2", "ls /d /e") == "/d:\n2\n\n/e:"
    assert layers(tare, "im2")[:2] == layers(tare, image) and len(layers(tare, "im2")) == 3


def test_unchanged_container_adds_no_layer(tare):
    committed(tare, "true")
    assert layers(tare, "im") == layers(tare, "busybox")
    assert json.loads(tare.ok("inspect", "-f", "{{json .Parent}}", "im")) == tare.inspect("busybox")["Id"]
    assert sh(tare, "im", "echo runs") == "runs"


def test_parent_and_history(tare):
    committed(tare, "touch /f")
    tare.ok("commit", "-a", "Some One", "-m", "why", "cc", "im2")
    im = tare.inspect("im2")
    assert (im["Parent"], im["Author"], im["Comment"]) == (tare.inspect("busybox")["Id"], "Some One", "why")
    assert tare.ok("history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "im2").split("\n")[0] == "sh -c touch /f|why"


def test_name_moves(tare):
    committed(tare, "touch /f")
    old = tare.inspect("im")["Id"]
    tare.ok("commit", "-m", "again", "cc", "im")
    assert tare.inspect("im")["Id"] != old and tare.inspect(old)["RepoTags"] == []


def test_image_removed_while_the_container_lives(tare):
    """rmi -f leaves the layers to the container, but no image that another could be based on."""
    committed(tare, "touch /f")
    tare.ok("run", "--name", "c2", "--network", "none", "im", "touch", "/g")
    tare.ok("rmi", "-f", "im")
    got = tare("commit", "c2", "im2")
    assert (got.rc, got.out) == (1, "") and "No such image" in got.err
    names = subprocess.run(["tar", "-tf", "-"], input=tare("export", "c2", binary=True).out, stdout=subprocess.PIPE).stdout.split()
    assert b"./f" in names and b"./g" in names or b"f" in names and b"g" in names


@pytest.mark.parametrize("pause", [True, False])
def test_running_goes_on(tare, running, pause):
    tare.ok("exec", running, "touch", "/f")
    tare.ok("commit", "--pause=%s" % str(pause).lower(), running, "im")
    assert tare.state(running) == "running"
    assert tare.ok("exec", running, "echo", "on") == "on" and sh(tare, "im", "ls /f") == "/f"


def test_paused_stays_paused(tare, running):
    tare.ok("pause", running)
    tare.ok("commit", running, "im")
    assert tare.state(running) == "paused"


def test_stands_still_while_it_is_read(tare):
    """A writer that counts in two files, one after the other: no image has them further apart than one write."""
    script = "i=0; while :; do i=$((i+1)); echo $i >/a.new; mv /a.new /a; echo $i >/b.new; mv /b.new /b; done"
    tare.ok("run", "-d", "--name", "up", "--network", "none", "busybox", "sh", "-c", script)
    wait_until(lambda: tare("exec", "up", "test", "-e", "/b").rc == 0)
    for n in range(5):
        tare.ok("commit", "up", "im%d" % n)
        a, b = sh(tare, "im%d" % n, "cat /a /b").split()
        assert int(a) - int(b) in (0, 1)


def test_error_after_the_pause(tare, running):
    """An error inside the pause: the layer cannot be read (a directory deeper than any layer may be)."""
    tare.ok("exec", running, "sh", "-c", "i=0; while [ $i -lt 300 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done")
    before = tare.ok("images", "-aq")
    got = tare("commit", running, "im")
    assert (got.rc, got.out) == (1, "") and "deeper than" in got.err
    assert tare.state(running) == "running" and tare.ok("images", "-aq") == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_while_paused(tare, running, number):
    tare.ok("exec", running, "sh", "-c", "mkdir /d; for i in $(seq 200); do head -c 300000 /dev/urandom >/d/$i; done")
    child = tare.popen("commit", running, "im", start_new_session=True)
    wait_until(lambda: tare.state(running) == "paused" or child.poll() is not None, "the pause")
    # To the whole group, as Ctrl-C does.
    os.killpg(child.pid, number)
    child.wait(30)
    tare.wait_state(running, "running")
    assert tare.ok("exec", running, "echo", "on") == "on"
    if child.returncode != 0:
        assert tare("inspect", "im").rc == 1
    tare.ok("import", "-", "next", input=b"\0" * 1024)


def test_as_many_layers_as_can_be_run(tare):
    """docker's limit, and its words; the last image that can be made can also be run."""
    image = "busybox"
    want = 127
    for n in range(len(layers_of_bundled(tare)), want):
        tare.ok("create", "--name", "c%d" % n, "--network", "none", image, "true")
        tare.ok("cp", "-", "c%d:/" % n, input=one_file("f%d" % n))
        tare.ok("commit", "c%d" % n, "deep")
        tare.ok("rm", "c%d" % n)
        image = "deep"
    assert len(layers(tare, "deep")) == want
    tare.ok("run", "--name", "last", "--network", "none", "deep", "sh", "-c", "ls /f5 /f126 && touch /more")
    got = tare("commit", "last", "deeper")
    assert got.rc == 1 and "max depth exceeded" in got.err
    assert tare.ok("diff", "last") == "A /more"


def layers_of_bundled(tare):
    tare.ok("pull", "-q", "busybox")
    return layers(tare, "busybox")


def one_file(name):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return raw.getvalue()


def test_two_at_once(tare, running):
    tare.ok("exec", running, "touch", "/f")
    children = [tare.popen("commit", "-p=false", running, "im%d" % i) for i in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    assert len({layers(tare, "im%d" % i)[-1] for i in range(4)}) == 1


def test_bad_change_changes_nothing(tare, running):
    for change in ("RUN x", "ENV", ""):
        assert tare("commit", "-c", change, running, "im").rc == 1
    assert tare("inspect", "im").rc == 1 and tare.state(running) == "running"


def test_made_from_the_archive_of_a_commit_is_the_same(tare, tmp_path):
    """export of a container of the image has the same files as export of the committed container."""
    committed(tare, "mkdir /d; echo x >/d/f; rm /etc/group 2>/dev/null; true")
    tare.ok("create", "--name", "c2", "im")
    def names(name):
        return subprocess.run(["tar", "-tvf", "-"], input=tare("export", name, binary=True).out, stdout=subprocess.PIPE, check=True).stdout
    assert names("cc") == names("c2")
