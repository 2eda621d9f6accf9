# SPDX-License-Identifier: Apache-2.0
"""Images: the bundled ones, names, listing, removal; and the program where `meson install` puts it."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile

import pytest

from conftest import PROGRAM, Tare
from terminal import terminal  # noqa: F401 (a fixture)

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


def test_rmi_of_a_platform(tare, tiny):
    tiny("a")
    arch = tare.ok("image", "inspect", "-f", "{{.Architecture}}", "a")
    got = tare("rmi", "--platform", "linux/s390x", "a")
    assert got.rc == 1 and "does not provide the specified platform (linux/s390x)" in got.err and rows(tare) == ["a:latest"]
    assert "Untagged: a:latest" in tare.ok("rmi", "--platform", "linux/" + arch, "a")


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


# ---------------------------------------------------------------- history, parents

@pytest.fixture
def family(tare):
    """base, then kid and grandkid made from one another, without containers."""
    tare.ok("tag", tare.ok("pull", "-q", "busybox"), "base")
    tare.ok("rmi", "busybox")
    for parent, child in (("base", "kid"), ("kid", "grandkid")):
        tare.ok("run", "--name", "step", parent, "sh", "-c", "echo %s >/%s" % (child, child))
        tare.ok("commit", "-m", "made " + child, "step", child)
        tare.ok("rm", "step")
    return [id_of(tare, name) for name in ("base", "kid", "grandkid")]


def test_history(tare, family):
    base, kid, grandkid = family
    lines = [line.split("|") for line in tare.ok("history", "--no-trunc", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}",
                                                 "grandkid").splitlines()]
    assert lines[:2] == [[grandkid, "sh -c echo grandkid >/grandkid", "9B", "made grandkid"],
                         [kid, "sh -c echo kid >/kid", "4B", "made kid"]]
    # base has two steps of its own: its id is at the last of them, the other's image is not known.
    assert [line[0] for line in lines[2:]] == [base, "<missing>"]
    assert [line[2] for line in lines[2:]] == ["0B", tare.ok("images", "--format", "{{.Size}}", "base")]
    exact = tare.ok("history", "--human=false", "--format", "{{.Size}} {{.CreatedSince}}", "grandkid").splitlines()
    assert re.fullmatch(r"9 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", exact[0])
    assert tare.ok("history", "-q", "grandkid").splitlines() == [grandkid[7:19], kid[7:19], base[7:19], "<missing>"]


def test_history_of_a_platform(tare, tiny):
    tiny("one")
    arch = tare.ok("image", "inspect", "-f", "{{.Architecture}}", "one")
    assert tare.ok("history", "-q", "--platform", "linux/" + arch, "one") == id_of(tare, "one")[7:19]
    other = tare("history", "--platform", "linux/s390x", "one")
    assert other.rc == 1 and "does not provide the specified platform (linux/s390x)" in other.err
    assert tare("history", "--platform", "a b", "one").err.startswith("tare: invalid platform: ")


def test_a_parent_goes_with_its_children(tare, family):
    base, kid, grandkid = family
    assert tare.ok("rmi", "base") == "Untagged: base:latest" and tare.ok("rmi", "kid") == "Untagged: kid:latest"
    assert rows(tare) == ["grandkid:latest"]
    assert rows(tare, "-a") == ["grandkid:latest", "<none>:<none>", "<none>:<none>"]
    assert tare.ok("images", "-aq", "--filter", "dangling=true") == ""
    assert tare.ok("image", "inspect", "-f", "{{.Parent}}", "grandkid") == kid
    for how in ([], ["-f"]):
        got = tare("rmi", *how, kid)
        assert got.rc == 1 and "(cannot be forced) - image has dependent child images" in got.err
    assert tare.ok("image", "prune", "-f") == "Total reclaimed space: 0B"
    out = tare.ok("rmi", "grandkid").splitlines()
    assert out[0] == "Untagged: grandkid:latest" and len(out) == 7
    assert [line[9:] for line in out[1::2]] == [grandkid, kid, base]
    assert rows(tare, "-a") == []


def test_parents_that_are_kept(tare, family):
    base, kid, grandkid = family
    tare.ok("rmi", "base", "kid")
    tare.ok("create", "--name", "user", base)
    # --no-prune leaves them, and then they dangle; with it a container's image stays.
    assert tare.ok("rmi", "--no-prune", "grandkid").splitlines()[1:2] == ["Deleted: " + grandkid]
    assert rows(tare) == ["<none>:<none>"] and rows(tare, "-a") == ["<none>:<none>"] * 2
    assert "deleted: " + kid in tare.ok("image", "prune", "-f")
    assert tare.ok("images", "-aq", "--no-trunc") == base


# ---------------------------------------------------------------- several platforms

@pytest.fixture
def multi(tare, tmp_path):
    """multi:1, whose index names this platform and another; returns the digest of the index."""
    source = pathlib.Path(PROGRAM).parent / "images" / "busybox"
    layout = tmp_path / "layout"
    shutil.copytree(source, layout)
    blobs = layout / "blobs" / "sha256"

    def put(document):
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": "sha256:" + digest, "size": len(data), "mediaType": document.get("mediaType", "")}

    manifest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"][7:]
    manifest = json.loads((blobs / manifest).read_text())
    config = json.loads((blobs / manifest["config"]["digest"][7:]).read_text())
    entries = []
    for arch in (config["architecture"], "s390x"):
        about = dict(manifest["config"], **put(dict(config, architecture=arch)))
        about["mediaType"] = manifest["config"]["mediaType"]
        entries.append(dict(put(dict(manifest, config=about)), platform={"os": "linux", "architecture": arch}))
    index = put({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries})
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    tare.ok("image", "copy", "oci:%s" % layout, "tare:multi:1")
    return index["digest"]


def test_digests(tare, multi, tiny):
    tiny("plain")
    tare.ok("tag", "multi:1", "multi:2")
    out = tare.ok("images", "--digests").splitlines()
    assert re.split(r"\s{2,}", out[0]) == ["REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE"]
    assert sorted(line.split()[2] for line in out[1:]) == ["<none>", multi, multi]
    assert tare.ok("images", "--format", "{{.Digest}}", "multi:1") == multi
    # Only who asks gets it, as from docker.
    assert json.loads(tare.ok("images", "--format", "json", "multi:1"))["Digest"] == "<none>"
    assert json.loads(tare.ok("image", "inspect", "multi:1"))[0]["RepoDigests"] == ["multi@" + multi]
    assert tare.ok("run", "--rm", "multi@" + multi, "echo", "ran") == "ran"
    assert tare("image", "inspect", "plain@" + multi).rc == 1
    got = tare("rmi", "multi@" + multi)
    assert got.rc == 1 and "it belongs to multi:1" in got.err and len(rows(tare)) == 3


def test_tree(tare, multi, tiny):
    tiny(None), tiny("plain", "-m", "2")
    tare.ok("tag", "plain", "a.much.longer/name:of-it")
    tare.ok("create", "--name", "user", "multi:1")
    out = tare.ok("images", "--tree").splitlines()
    assert out[2].split() == ["IMAGE", "ID", "DISK", "USAGE", "CONTENT", "SIZE", "EXTRA"]
    at = [i for i, line in enumerate(out) if line.startswith("multi:1 ")][0]
    arch = tare.ok("image", "inspect", "-f", "{{.Architecture}}", "multi:1")
    assert out[at].split()[1] == id_of(tare, "multi:1")[7:19] and out[at].endswith("   U    ")
    assert out[at + 1].split()[:2] == ["├─", "linux/" + arch] and out[at + 1].endswith("   U    ")
    assert out[at + 2].split()[:2] == ["└─", "linux/s390x"] and out[at + 2].endswith("     ")
    # The longer name stands alone, and what has no name comes last.
    at = out.index("a.much.longer/name:of-it")
    assert out[at + 1].startswith("plain:latest ") and out[-1].startswith("<none>:<none> ")
    assert "\033" not in "".join(out) and len({len(line) for line in out[2:] if line.endswith(" ")}) == 1


def test_tree_on_a_terminal(tare, multi, terminal):
    wide = terminal(tare.argv + ["images", "--tree"], columns=60)
    assert wide.wait(30) == 0
    assert b"CONTENT SIZE" in wide.seen and b"EXTRA" not in wide.seen and b"\033[34m" in wide.seen
    plain = terminal(tare.argv + ["images", "--tree"], env={"NO_COLOR": "1"})
    assert plain.wait(30) == 0 and b"EXTRA" in plain.seen and b"\033" not in plain.seen
    for option in ("-q", "--no-trunc", "--digests", "--format=json"):
        got = tare("images", "--tree", option)
        assert got.rc == 1 and "not yet supported with --tree" in got.err


# ---------------------------------------------------------------- a full disk

FULL = r"""
set -e
kind=$1 folder=$2; shift 2
case $kind in
ext4) truncate -s 40M $folder/disk; mkfs.ext4 -q -F -m 0 $folder/disk; mount -o loop $folder/disk $folder/full ;;
tmpfs) mount -t tmpfs -o size=24M none $folder/full ;;
esac
# Where a large write finds no room any more, ext4 may still have some for small files.
fill() {
    cat /dev/zero >>$folder/full/$1 2>/dev/null || :
    i=0; while (head -c 1024 /dev/zero >$folder/full/$1.$i) 2>/dev/null; do i=$((i + 1)); done
}
"$@" import $folder/t.tar a >/dev/null; "$@" import -m 2 $folder/t.tar b >/dev/null
"$@" import -m 3 $folder/t.tar c >/dev/null; "$@" tag a also >/dev/null
fill 1; for i in $(seq 50); do echo >$folder/full/s$i || break; done 2>/dev/null; fill 2
# Not what df says: ext4 keeps some blocks for itself.
(head -c 4096 /dev/zero >$folder/full/probe) 2>/dev/null && echo room || echo full
"$@" rmi also; fill 3
"$@" rmi a | head -n 1; fill 4
"$@" image prune -af | grep untagged
"$@" images -aq | wc -l
ls $folder/full/root/layers $folder/full/root/blobs/sha256 $folder/full/root/staging | grep -v : | wc -w
"""


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_removal_on_a_full_disk(tare, tmp_path, kind):
    """No byte is free: the reserve makes room for the index to forget, again and again."""
    (tmp_path / "full").mkdir()
    (tmp_path / "file").write_bytes(os.urandom(100000))
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "t.tar", "file"], check=True)
    argv = [PROGRAM, "--root", str(tmp_path / "full" / "root"), "--runroot", str(tmp_path / "run")]
    done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", FULL, "sh", kind, str(tmp_path)] + argv,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["full", "Untagged: also:latest", "Untagged: a:latest", "untagged: c:latest",
                                       "untagged: b:latest", "0", "0", ""]


# ---------------------------------------------------------------- progress

def test_interrupted_import_leaves_the_line(tare, tmp_path, terminal):
    """Whatever was drawn, the cursor stands at the start of a line of its own, and nothing was changed for good."""
    os.mkfifo(tmp_path / "pipe")
    t = terminal(tare.argv + ["import", "-", "x"])
    assert t.wait(30) == 1 and b"standard input is a terminal" in t.seen
    t = terminal(["sh", "-c", 'exec "$@" <%s' % (tmp_path / "pipe"), "sh"] + tare.argv + ["import", "-", "x"])
    with open(tmp_path / "pipe", "wb") as pipe:
        file = tarfile.TarInfo("f")
        file.size = 64 << 20
        pipe.write(file.tobuf() + bytes(8 << 20))
        pipe.flush()
        t.expect(b"\r\033[1B")
        t.write(b"\x03")
        assert t.wait(30) == 128 + signal.SIGINT
    assert re.search(rb"\033\[1A\033\[2K\rImporting +[0-9.]+[kM]?B\r\033\[1B", t.seen)
    assert t.seen.replace(b"^C", b"").endswith((b"\r\033[1B", b"\n"))
    assert b"\033[?" not in t.seen and rows(tare) == []


# ---------------------------------------------------------------- completion, manual pages

@pytest.mark.parametrize("line, expected", [
    ("rmi al", ["alpha:1", "alpha:2"]),
    ("rmi alpha:", ["1", "2"]),
    ("image inspect alpha:2", ["2"]),
    ("run --rm registry.example:5000/x", ["5000/x:latest"]),
    ("rm al", []),
])
def test_names_complete(tare, tiny, tmp_path, line, expected):
    tiny("alpha:1"), tare.ok("tag", "alpha:1", "alpha:2"), tare.ok("tag", "alpha:1", "registry.example:5000/x")
    tiny(None, "-m", "nameless")
    script = tare.ok("completion", "bash") + r"""
        COMP_LINE="tare $1"; COMP_POINT=${#COMP_LINE}
        # As readline splits it: at white space, and at colons, which are words of their own.
        read -ra COMP_WORDS <<<"${COMP_LINE//:/ : }"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        [ "${COMP_WORDS[COMP_CWORD]}" != : ] || { COMP_WORDS+=(""); COMP_CWORD=$((COMP_CWORD + 1)); }
        _tare; printf '%s\n' "${COMPREPLY[@]}" | sort"""
    (tmp_path / "tare").symlink_to(PROGRAM)
    env = dict(os.environ, PATH="%s:%s" % (tmp_path, os.environ["PATH"]), TARE_ROOT=str(tare.root), TARE_RUNROOT=str(tare.runroot))
    done = subprocess.run(["bash", "-c", script, "bash", line], env=env, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == expected


def test_manual_pages_of_all_commands(tare):
    """Whatever help lists has a page under its shortest name, and each is well formed and complete."""
    build = pathlib.Path(PROGRAM).parent
    listed = tare.ok("man", "--list").split()
    assert sorted(listed) == sorted(p.name for p in build.glob("tare*.1"))
    for group in ("container", "image", "system", "volume"):
        for name in re.findall(r"^  ([a-z]+) ", tare.ok(group, "--help"), re.M):
            top = re.search(r"^Aliases:\n.*, tare ([a-z]+)$", tare.ok(group, name, "--help"), re.M)
            assert "tare-%s.1" % (top.group(1) if top else "%s-%s" % (group, name)) in listed
    for page in listed[1:]:
        text = (build / page).read_text()
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "SEE ALSO"):
            assert ".SH %s\n" % section in text, (page, section)
        for name in re.findall(r"^\.BR (tare[a-z\\-]*) \(1\)", text, re.M):
            assert name.replace("\\", "") + ".1" in listed, (page, name)


def test_manual_pages_have_no_faults(tare):
    build = pathlib.Path(PROGRAM).parent
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", *map(str, build.glob("tare*.1"))], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


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
    assert {"bin/tare", "libexec/tare/tare-unpack", "libexec/tare/tare-seccomp", "libexec/tare/tare-init", "libexec/tare/tare-logz",
            "libexec/tare/tare-dns", "libexec/tare/tare-fetch", "share/tare/images/busybox/index.json", "share/tare/images/hello-world/index.json"} <= files
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
