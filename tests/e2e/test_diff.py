# SPDX-License-Identifier: Apache-2.0
"""diff: what is compared with docker stands in tests/docker; here is what takes several images, or an enemy."""
import subprocess

import pytest


def diff(tare, name):
    return tare.ok("diff", name).splitlines()


def made(tare, script, *options, image="busybox"):
    tare.ok("run", "--name", "cc", "--network", "none", *options, image, "sh", "-c", script)
    return diff(tare, "cc")


def test_order_is_always_the_same(tare):
    want = ["A /b", "A /b/1", "A /b/2", "A /b.x", "A /c", "C /var", "A /var/new", "D /var/spool"]
    tare.ok("run", "--name", "base", "--network", "none", "busybox", "sh", "-c", "mkdir -p /var/spool/x")
    tare.ok("commit", "base", "based")
    assert made(tare, "rm -r /var/spool; mkdir /b; touch /var/new /b/2 /b/1 /b.x /c", image="based") == want


def test_layers_below_are_looked_through(tare):
    """A directory that one layer made opaque, and a name that it deleted, are not there before."""
    tare.ok("run", "--name", "ca", "--network", "none", "busybox", "sh", "-c", "mkdir /d /w; touch /d/1 /d/2 /w/gone")
    tare.ok("commit", "ca", "one")
    tare.ok("run", "--name", "cb", "--network", "none", "one", "sh", "-c", "rm -r /d; mkdir /d; touch /d/3; rm /w/gone")
    assert diff(tare, "cb") == ["C /d", "A /d/3", "D /d/1", "D /d/2", "C /w", "D /w/gone"]
    tare.ok("commit", "cb", "two")
    assert made(tare, "touch /d/1 /w/gone; rm /d/3", image="two") == ["C /d", "A /d/1", "D /d/3", "C /w", "A /w/gone"]


def test_capabilities_of_a_file_are_a_change(tare):
    """They change neither time nor size."""
    tare.ok("run", "--name", "cc", "--network", "none", "busybox", "chmod", "755", "/bin/busybox")
    assert diff(tare, "cc") == []
    upper = tare.root / "containers" / tare.ok("inspect", "-f", "{{.Id}}", "cc") / "upper"
    subprocess.run(["setcap", "cap_net_raw+ep", upper / "bin/busybox"], check=True)
    assert diff(tare, "cc") == ["C /bin", "C /bin/busybox"]


def test_names_that_are_no_text(tare):
    assert made(tare, r"""printf x >"$(printf '/n\nl')"; printf x >"$(printf '/\377')" """)
    got = tare("diff", "cc", binary=True, check=True).out
    assert b"A /n\nl\n" in got and b"A /\xff\n" in got


def test_mount_points_show_as_docker_has_it(tare, tmp_path):
    got = made(tare, "touch /new/f /t/x", "-v", "%s:/new" % tmp_path, "--tmpfs", "/t", "-w", "/work")
    assert got == ["A /new", "A /t", "A /work"]


def test_while_it_runs(tare, running):
    tare.ok("exec", running, "sh", "-c", "touch /a")
    assert diff(tare, running) == ["A /a"]
    tare.ok("exec", running, "rm", "/a")
    assert diff(tare, running) == []


def test_deep(tare):
    """Deeper than a layer may be: it is shown, and its commit is refused with its name and what to do."""
    script = "i=0; while [ $i -lt 300 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done; touch f"
    tare.ok("run", "--name", "cc", "--network", "none", "busybox", "sh", "-c", script)
    assert diff(tare, "cc") == ["A " + "/d" * i for i in range(1, 301)] + ["A " + "/d" * 300 + "/f"]
    got = tare("commit", "cc", "im")
    assert (got.rc, got.out) == (1, "") and "d/d/d" in got.err and "deeper than the 255 directories of a layer" in got.err
    assert "hint: move or remove it in the container first" in got.err and tare("inspect", "im").rc == 1


def test_name_of_a_whiteout(tare):
    tare.ok("run", "--name", "cc", "--network", "none", "busybox", "sh", "-c", "mkdir /k; touch /k/.wh.x")
    assert diff(tare, "cc") == ["A /k", "A /k/.wh.x"]
    got = tare("commit", "cc", "im")
    assert (got.rc, got.out) == (1, "") and "k/.wh.x: a layer cannot hold this name" in got.err
    assert "hint: rename or remove it in the container first" in got.err
    tare.ok("run", "--name", "c2", "--network", "none", "busybox", "touch", "/.wh.y")
    assert " .wh.y: a layer cannot hold this name" in tare("commit", "c2", "im").err


def test_output_that_cannot_be_written(tare):
    tare.ok("run", "--name", "cc", "--network", "none", "busybox", "touch", "/f")
    with open("/dev/full", "w") as full:
        assert subprocess.run(tare.argv + ["diff", "cc"], stdout=full, stderr=subprocess.DEVNULL).returncode == 1


@pytest.mark.parametrize("verb", ["diff", "export", "commit"])
def test_missing_container(tare, verb):
    got = tare(verb, "nosuch")
    assert (got.rc, got.out) == (1, "") and "No such container: nosuch" in got.err


def test_leaves_no_mounts(tare, running):
    diff(tare, running)
    assert str(tare.folder) not in open("/proc/self/mountinfo").read()
