# SPDX-License-Identifier: Apache-2.0
"""Images: the bundled ones, names, listing, removal; and the program where `meson install` puts it."""
import json
import os
import pathlib
import re
import subprocess

import pytest

from conftest import PROGRAM, Tare

BUNDLED = ("hello-world", "busybox")


def rows(tare, *options):
    return tare.ok("images", "--format", "{{.Repository}}:{{.Tag}}", *options).split()


def id_of(tare, name):
    return tare.ok("image", "inspect", "-f", "{{.Id}}", name)


@pytest.fixture
def tiny(tare, tmp_path):
    """Imports one-file images: tiny("name", "-c", ...) returns the id. The same content is one layer."""
    (tmp_path / "file").write_text("x")
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "t.tar", "file"], check=True)

    def make(name, *options):
        return tare.ok("import", *options, tmp_path / "t.tar", *([name] if name else []))
    return make


# ---------------------------------------------------------------- bundled

@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_are_listed_once_used(tare, name):
    assert rows(tare, "-a") == []
    got = tare("run", "--rm", name, *(["echo", "hi"] if name == "busybox" else []))
    assert got.rc == 0
    assert got.err == ("Unable to find image '%s:latest' locally\n"
                       "Using the image '%s:latest' that comes with tare\n" % (name, name))
    assert rows(tare) == [name + ":latest"]
    again = tare("run", "--rm", name, *(["echo", "hi"] if name == "busybox" else []))
    assert (again.rc, again.out, again.err) == (0, got.out, "")


def test_hello_world_says_what_happened(tare):
    out = tare.ok("run", "--rm", "hello-world")
    assert "Hello from tare!" in out
    assert len(re.findall(r"^ +\d\. ", out, re.M)) >= 3


@pytest.mark.parametrize("reference", ["busybox", "busybox:latest", "library/busybox", "docker.io/library/busybox:latest"])
def test_pull_of_a_bundled_image(tare, reference):
    got = tare("pull", reference)
    assert got.rc == 0
    assert got.out.splitlines()[-2:] == ["Status: Downloaded newer image for busybox:latest",
                                         "docker.io/library/busybox:latest"]
    assert "Status: Image is up to date for busybox:latest\n" in tare("pull", reference).out
    assert tare("pull", "-q", reference).out == "docker.io/library/busybox:latest\n"
    assert tare("run", "--rm", "busybox", "true").err == ""


@pytest.mark.parametrize("reference", ["busybox:1.36", "alpine", "quay.io/busybox", "me/busybox", "ghcr.io/library/busybox"])
def test_pull_of_another(tare, reference):
    got = tare("pull", reference)
    assert got.rc == 1 and "registries are not there yet" in got.err
    assert len(got.err.splitlines()) <= 2 and rows(tare) == []


def test_pull_rules(tare):
    never = tare("run", "--rm", "--pull", "never", "busybox", "true")
    assert never.rc == 125 and "No such image: busybox:latest" in never.err
    assert tare("run", "--rm", "--pull", "missing", "busybox", "true").rc == 0
    assert tare("run", "--rm", "--pull", "never", "busybox", "true").rc == 0
    always = tare("run", "--rm", "--pull", "always", "busybox", "echo", "hi")
    assert (always.rc, always.out) == (0, "hi\n")
    wrong = tare("run", "--rm", "--pull", "sometimes", "busybox", "true")
    assert wrong.rc == 125 and "sometimes" in wrong.err


def test_own_image_of_a_bundled_name(tare, tiny):
    """What the user named busybox is what runs; the bundled one does not come over it."""
    id = tiny("busybox")
    assert tare("run", "--rm", "busybox", "true").rc == 127
    assert id_of(tare, "busybox") == id


# ---------------------------------------------------------------- list, tag, inspect

def test_images(tare, tiny):
    ids = [tiny("one:1", "-c", "LABEL n=1"), tiny("two", "-c", "LABEL n=2"), tiny(None, "-c", "LABEL n=3")]
    tare.ok("tag", "one:1", "reg.example:5000/team/one:x")
    out = tare.ok("images").splitlines()
    assert re.split(r"\s{2,}", out[0]) == ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
    assert len(out) == 5
    found = set(rows(tare))
    assert found == {"one:1", "two:latest", "reg.example:5000/team/one:x", "<none>:<none>"}
    assert set(tare.ok("images", "-q", "--no-trunc").split()) == set(ids)
    assert set(tare.ok("images", "-q").split()) == {i[7:19] for i in ids}
    assert rows(tare, "two") == ["two:latest"]
    assert rows(tare, "t*") == ["two:latest"]
    assert rows(tare, "one:1") == ["one:1"]
    assert rows(tare, "nosuch") == []
    assert rows(tare, "-f", "dangling=true") == ["<none>:<none>"]
    assert rows(tare, "-f", "label=n=2") == ["two:latest"]
    assert set(rows(tare, "-f", "reference=*:1")) == {"one:1"}
    assert set(rows(tare, "-f", "since=one:1")) == {"two:latest", "<none>:<none>"}
    row = json.loads(tare.ok("images", "--format", "json", "two"))
    assert (row["Repository"], row["Tag"], row["ID"]) == ("two", "latest", ids[1][7:19])


def test_tag_moves(tare, tiny):
    first, second = tiny("x"), tiny("y", "-m", "other")
    assert tare("tag", "y", "x").out == ""
    assert id_of(tare, "x") == second
    assert set(rows(tare)) == {"x:latest", "y:latest", "<none>:<none>"}
    for ref in (first, first[7:], first[7:19], first[7:11]):
        assert id_of(tare, ref) == first
    tare.ok("tag", first[7:19], "back:again")
    assert id_of(tare, "back:again") == first


def test_ambiguous_prefix(tare, tiny):
    """A prefix that names two images is refused, not guessed."""
    ids = []
    while not any(a != b and a[7] == b[7] for a in ids for b in ids):
        ids.append(tiny(None, "-m", "m%d" % len(ids)))
    twice = next(a[7] for a in ids for b in ids if a != b and a[7] == b[7])
    got = tare("rmi", twice)
    assert got.rc == 1 and rows(tare) == ["<none>:<none>"] * len(ids)


def test_image_inspect(tare):
    tare.ok("pull", "-q", "busybox")
    image = json.loads(tare.ok("image", "inspect", "busybox"))[0]
    assert image["Id"].startswith("sha256:") and image["RepoTags"] == ["busybox:latest"]
    assert image["Os"] == "linux" and image["Config"]["Cmd"] == ["sh"]
    assert image["RootFS"]["Type"] == "layers" and len(image["RootFS"]["Layers"]) == 1
    assert image["Size"] > 1000000 and re.match(r"\d{4}-\d\d-\d\dT", image["Created"])
    # Without a type inspect takes a container first, then an image.
    assert tare.ok("inspect", "-f", "{{.Id}}", "busybox") == image["Id"]
    tare.ok("create", "--name", "busybox", "busybox")
    assert tare.ok("inspect", "-f", "{{.Name}}", "busybox") == "/busybox"
    assert tare.ok("inspect", "--type", "image", "-f", "{{.Id}}", "busybox") == image["Id"]
    both = tare("image", "inspect", "busybox", "nosuch")
    assert both.rc == 1 and len(json.loads(both.out)) == 1 and "No such image: nosuch" in both.err


# ---------------------------------------------------------------- removal

def test_rmi(tare, tiny):
    id = tiny("a")
    tare.ok("tag", "a", "b:2")
    assert tare.ok("rmi", "a") == "Untagged: a:latest"
    assert rows(tare) == ["b:2"]
    out = tare.ok("rmi", "b:2").splitlines()
    assert out[:2] == ["Untagged: b:2", "Deleted: " + id]
    assert len(out) == 3 and out[2].startswith("Deleted: sha256:")
    assert rows(tare, "-a") == []
    assert [p for part in ("layers", "blobs/sha256", "staging") for p in (tare.root / part).glob("*")] == []


def test_rmi_by_id(tare, tiny):
    id = tiny("a")
    tare.ok("tag", "a", "b")
    got = tare("rmi", id[7:19])
    assert got.rc == 1
    assert "conflict: unable to delete %s (must be forced) - image is referenced in multiple repositories" % id[7:19] \
        in got.err
    out = tare.ok("rmi", "-f", id[7:19])
    assert set(out.splitlines()) >= {"Untagged: a:latest", "Untagged: b:latest", "Deleted: " + id}


def test_rmi_of_an_image_in_use(tare):
    tare.ok("run", "--name", "user", "busybox", "true")
    got = tare("rmi", "busybox")
    assert got.rc == 1
    assert re.search(r'conflict: unable to remove repository reference "busybox" \(must force\) - '
                     r"container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}", got.err)
    assert rows(tare) == ["busybox:latest"]
    # A second name may go: the container does not need it.
    tare.ok("tag", "busybox", "other")
    assert tare.ok("rmi", "other") == "Untagged: other:latest"
    assert tare("start", "-a", "user").rc == 0
    tare.ok("rmi", "-f", "busybox")
    # Forced: the name goes, what the container stands on stays until it goes too.
    assert tare("start", "-a", "user").rc == 0
    tare.ok("rm", "user")
    tare.ok("image", "prune", "-af")
    assert tare.ok("images", "-aq") == ""


def test_rmi_of_a_running_container(tare, running):
    got = tare("rmi", "-f", id_of(tare, "busybox"))
    assert got.rc == 1 and "image is being used by running container" in got.err
    assert tare.state("up") == "running" and rows(tare) == ["busybox:latest"]


def test_rmi_of_several(tare, tiny):
    tiny("a"), tiny("b", "-m", "2")
    got = tare("rmi", "a", "nosuch", "b")
    assert got.rc == 1 and "No such image: nosuch" in got.err
    assert "Untagged: a:latest" in got.out and "Untagged: b:latest" in got.out
    forced = tare("rmi", "-f", "nosuch")
    assert forced.rc == 0 and "No such image: nosuch" in forced.err


def test_prune(tare, tiny):
    tiny(None), tiny("named", "-m", "2")
    tare.ok("create", "--name", "user", "busybox")
    asked = tare("image", "prune", input="n\n")
    assert asked.rc == 0 and "WARNING! This will remove all dangling images." in asked.out + asked.err
    assert len(rows(tare)) == 3
    out = tare.ok("image", "prune", "-f")
    assert "Deleted Images:\n" in out and "Total reclaimed space:" in out
    assert set(rows(tare)) == {"named:latest", "busybox:latest"}
    tare.ok("image", "prune", "-a", "-f")
    # One is in use.
    assert rows(tare) == ["busybox:latest"]
    assert tare.ok("image", "prune", "-f") == "Total reclaimed space: 0B"


# ---------------------------------------------------------------- installed

@pytest.fixture
def installed(tare, tmp_path):
    """The program under a DESTDIR, with a state of this test."""
    build = pathlib.Path(PROGRAM).parent
    if not (build / "build.ninja").exists():
        pytest.skip("%s is not a build directory" % build)
    subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--destdir", str(tmp_path / "dest")],
                   check=True, stdout=subprocess.PIPE)
    found = [p for p in (tmp_path / "dest").rglob("bin/tare")]
    assert len(found) == 1
    other = Tare(tare.folder)
    other.argv = [str(found[0])] + tare.argv[1:]
    return other


def test_installed_tree(installed):
    """Helpers are found in libexec and images in share, relative to the program, wherever it stands."""
    prefix = pathlib.Path(installed.argv[0]).parents[1]
    files = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file()}
    assert {"bin/tare", "libexec/tare/tare-unpack", "libexec/tare/tare-seccomp", "libexec/tare/tare-init",
            "share/tare/images/busybox/index.json", "share/tare/images/hello-world/index.json"} <= files
    assert not any(re.search(r"test|probe|floor|fuzz|\.a$|\.o$", f) for f in files), files
    assert "Hello from tare!" in installed.ok("run", "--rm", "hello-world")
    assert installed.ok("run", "--rm", "--init", "busybox", "cat", "/proc/1/comm") != "cat"
    layers = subprocess.run(["tar", "-C", prefix, "-c", "bin"], stdout=subprocess.PIPE, check=True).stdout
    installed.ok("import", "-", "x", input=layers)
    assert installed.ok("run", "--rm", "x", "/bin/tare", "--version").startswith("tare version ")


def test_installed_by_a_link(installed, tmp_path):
    """Called through a symbolic link and by name: still its own files."""
    link = tmp_path / "bin"
    link.mkdir()
    (link / "docker").symlink_to(installed.argv[0])
    done = subprocess.run(["docker"] + installed.argv[1:] + ["run", "--rm", "busybox", "echo", "linked"],
                          env=dict(os.environ, PATH=str(link)), stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "linked\n")
