# SPDX-License-Identifier: Apache-2.0
"""image copy between layouts, archives, directories and the store; skopeo, umoci and podman read and write the same."""
import gzip
import json
import os
import shutil
import signal
import subprocess
import tempfile

import archives
import pytest
from archives import Layout, config, digest, docker, layer, multi, sha, tar

A, B = layer(a="one"), layer(b="two")
HOST = {"os": "linux", "architecture": "amd64"}


def run(*argv, **more):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    assert done.returncode == 0, "%s: %s" % (argv, done.stderr)
    return done.stdout


def skopeo(*words):
    return run("skopeo", "--insecure-policy", *words)


def copy(tare, source, destination, *options):
    got = tare("image", "copy", *options, source, destination)
    assert got.rc == 0, got.err
    assert got.out == ""
    return got.err


def blobs(folder):
    """The digits of a layout's blobs, each checked."""
    found = set()
    for path in (folder / "blobs/sha256").iterdir():
        assert sha(path.read_bytes()) == path.name
        found.add(path.name)
    return found


def entries(folder):
    return json.loads((folder / "index.json").read_text())["manifests"]


@pytest.fixture
def layout(tmp_path):
    """A layout of one image of two compressed layers, named "one"."""
    out = Layout()
    out.add(out.manifest(A, B, platform=HOST), name="one")
    return out.write(tmp_path / "layout")


# ---------------------------------------------------------------- the same bytes everywhere

def test_digests_are_kept_through_every_transport(tare, tmp_path, layout):
    """oci → oci-archive → dir → tare → oci: the manifest and every blob are those of the beginning."""
    copy(tare, "oci:%s:one" % layout, "oci-archive:%s/a.tar:two" % tmp_path)
    copy(tare, "oci-archive:%s/a.tar:two" % tmp_path, "dir:%s/dir" % tmp_path)
    copy(tare, "dir:%s/dir" % tmp_path, "tare:three")
    copy(tare, "tare:three", "oci:%s/end:four" % tmp_path)
    assert blobs(tmp_path / "end") == blobs(layout)
    (first,), (last,) = entries(layout), entries(tmp_path / "end")
    assert first["digest"] == last["digest"]
    assert last["annotations"]["org.opencontainers.image.ref.name"] == "four"
    assert tare.ok("image", "inspect", "-f", "{{.Id}}", "three") == digest(config(A, B))


def test_an_index_is_kept_whole(tare, tmp_path):
    out, top = multi()
    out.write(tmp_path / "in")
    copy(tare, "oci:%s/in" % tmp_path, "oci-archive:%s/a.tar" % tmp_path)
    copy(tare, "oci-archive:%s/a.tar" % tmp_path, "dir:%s/dir" % tmp_path)
    copy(tare, "dir:%s/dir" % tmp_path, "tare:multi")
    copy(tare, "tare:multi", "oci:%s/end:x" % tmp_path)
    assert entries(tmp_path / "end")[0]["digest"] == top
    assert blobs(tmp_path / "end") == set(out.blobs)
    assert tare.ok("image", "inspect", "-f", "{{.Architecture}}", "multi") == "amd64"


def test_what_was_loaded_is_copied_out_as_it_came(tare, tmp_path):
    out, top = multi()
    tare("load", input=out.tar(), check=True)
    copy(tare, "tare:multi:1", "oci:%s/end" % tmp_path)
    assert entries(tmp_path / "end")[0]["digest"] == top
    tare.ok("rmi", "multi:1")
    assert not list((tare.root / "blobs/sha256").iterdir())


def test_plain_layers_are_kept_once(tare, tmp_path):
    """Of a plain layer the store keeps the compressed form alone, and hands out the plain one again."""
    big = layer(a="x" * 400000)
    out = Layout()
    out.add(out.manifest(big, compress=False), name="x:1").write(tmp_path / "in")
    tare("load", input=out.tar(), check=True)
    assert sum(p.stat().st_size for p in (tare.root / "blobs/sha256").iterdir()) < 100000
    copy(tare, "tare:x:1", "oci:%s/end" % tmp_path)
    assert blobs(tmp_path / "end") == set(out.blobs)


def test_one_platform_of_several(tare, tmp_path):
    out, _ = multi()
    out.write(tmp_path / "in")
    copy(tare, "oci:%s/in" % tmp_path, "oci:%s/arm" % tmp_path, "--platform", "linux/arm64")
    assert len(blobs(tmp_path / "arm")) == 3
    assert digest(config(layer(a="arm"), arch="arm64"))[7:] in blobs(tmp_path / "arm")
    copy(tare, "oci:%s/in" % tmp_path, "docker-archive:%s/host.tar:x:1" % tmp_path)
    copy(tare, "oci:%s/in" % tmp_path, "docker-archive:%s/arm.tar:x:1" % tmp_path, "--platform", "arm64")
    for name, arch in (("host", "amd64"), ("arm", "arm64")):
        assert json.loads(skopeo("inspect", "--config", "docker-archive:%s/%s.tar" % (tmp_path, name)))[
            "architecture"] == arch
    got = tare("image", "copy", "--platform", "linux/s390x", "oci:%s/in" % tmp_path, "oci:%s/no" % tmp_path)
    assert got.rc == 1 and "no image for linux/s390x in it" in got.err
    assert not (tmp_path / "no").exists()
    copy(tare, "oci:%s/in" % tmp_path, "tare:m:1")
    copy(tare, "tare:m:1", "oci:%s/arm2" % tmp_path, "--platform", "linux/arm64")
    assert blobs(tmp_path / "arm2") == blobs(tmp_path / "arm")


# ---------------------------------------------------------------- destinations

def test_into_a_layout_that_has_images(tare, tmp_path, layout):
    other = Layout()
    other.add(other.manifest(A, platform=HOST), name="other")
    other.write(tmp_path / "other")
    before = {p.name: p.stat().st_ino for p in (layout / "blobs/sha256").iterdir()}
    copy(tare, "oci:%s/other" % tmp_path, "oci:%s:two" % layout)
    assert [e["annotations"]["org.opencontainers.image.ref.name"] for e in entries(layout)] == ["one", "two"]
    copy(tare, "oci:%s/other" % tmp_path, "oci:%s:one" % layout)
    assert [e["digest"] for e in entries(layout)] == [entries(tmp_path / "other")[0]["digest"]] * 2
    after = {p.name: p.stat().st_ino for p in (layout / "blobs/sha256").iterdir()}
    assert {n: after[n] for n in before} == before
    assert len(after) == len(before) + 2                     # layer A was there


def test_a_damaged_blob_in_the_destination_is_replaced(tare, tmp_path, layout):
    copy(tare, "oci:%s" % layout, "oci:%s/end:x" % tmp_path)
    victim = tmp_path / "end/blobs/sha256" / sha(gzip.compress(A, mtime=0))
    victim.write_bytes(b"x" * victim.stat().st_size)
    copy(tare, "oci:%s" % layout, "oci:%s/end:y" % tmp_path)
    blobs(tmp_path / "end")


def test_a_name_that_is_a_reference_is_noted_as_one(tare, tmp_path, layout):
    copy(tare, "oci:%s" % layout, "oci-archive:%s/a.tar:team/app:2" % tmp_path)
    assert tare("load", "-i", tmp_path / "a.tar").out == "Loaded image: team/app:2\n"


def test_directories_of_others_are_left_alone(tare, tmp_path, layout):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("x")
    for kind in ("oci", "dir"):
        got = tare("image", "copy", "oci:%s" % layout, "%s:%s/mine" % (kind, tmp_path))
        assert got.rc == 1 and "with other things in it" in got.err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["file"]


def test_symlinks_in_a_layout_lead_nowhere(tare, tmp_path, layout):
    """Neither reading nor writing follows them out."""
    (tmp_path / "out").mkdir()
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "oci-layout").write_text("{}")
    (bad / "blobs").symlink_to(tmp_path / "out")
    got = tare("image", "copy", "oci:%s" % layout, "oci:%s:x" % bad)
    assert got.rc == 1 and not list((tmp_path / "out").iterdir())
    victim = layout / "blobs/sha256" / sha(config(A, B))
    victim.rename(tmp_path / "config")
    victim.symlink_to(tmp_path / "config")
    got = tare("image", "copy", "oci:%s" % layout, "tare:x")
    assert got.rc == 1 and "tare: copy oci:%s to tare:x" % layout in got.err


def test_dir_is_used_again(tare, tmp_path, layout):
    out, _ = multi()
    out.write(tmp_path / "in")
    copy(tare, "oci:%s" % layout, "dir:%s/d" % tmp_path)
    first = {p.name for p in (tmp_path / "d").iterdir()}
    copy(tare, "oci:%s/in" % tmp_path, "dir:%s/d" % tmp_path, "--platform", "linux/amd64")
    assert sha(config(layer(a="amd"))) in {p.name for p in (tmp_path / "d").iterdir()}
    assert sha(gzip.compress(A, mtime=0)) in first
    assert sha(gzip.compress(A, mtime=0)) not in {p.name for p in (tmp_path / "d").iterdir()}


def test_nothing_is_named_after_an_error(tare, tmp_path, layout):
    victim = layout / "blobs/sha256" / sha(gzip.compress(B, mtime=0))
    data = bytearray(victim.read_bytes())
    data[4] ^= 1
    victim.write_bytes(bytes(data))
    for place in ("oci:%s/end:x", "oci-archive:%s/a.tar", "docker-archive:%s/d.tar:x:1", "dir:%s/dir", "tare:x"):
        got = tare("image", "copy", "oci:%s" % layout, place.replace("%s", str(tmp_path)))
        assert got.rc == 1 and "damaged" in got.err, (place, got.err)
    assert not (tmp_path / "end/index.json").exists() and not (tmp_path / "dir/manifest.json").exists()
    assert not (tmp_path / "a.tar").exists() and not (tmp_path / "d.tar").exists()
    assert tare.ok("images", "-q") == ""


def test_a_copy_that_is_killed_leaves_no_name(tare, tmp_path):
    """Whenever the end comes, the layout is as it was or has the image whole."""
    out = Layout()
    out.add(out.manifest(*[layer(a=os.urandom(300000).hex()) for _ in range(4)]), name="one")
    out.write(tmp_path / "in")
    for wait in (0.002, 0.01, 0.02, 0.03, 0.05):
        child = subprocess.Popen(tare.argv + ["image", "copy", "oci:%s/in" % tmp_path, "oci:%s/end:x" % tmp_path],
                                 stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            child.wait(wait)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if (tmp_path / "end/index.json").exists():
            assert blobs(tmp_path / "end") == set(out.blobs)
    copy(tare, "oci:%s/in" % tmp_path, "oci:%s/end:x" % tmp_path)
    assert {p.name for p in (tmp_path / "end/blobs/sha256").iterdir()} == set(out.blobs)


# ---------------------------------------------------------------- places

@pytest.mark.parametrize("source,words", [
    ("nosuch", "unknown transport"), ("docker://busybox", "unknown transport"), ("oci:", "it is oci:DIRECTORY"),
    ("oci:/nosuch:x", "open /nosuch"), ("oci-archive:/nosuch", "open /nosuch"), ("tare:nosuch", "No such image"),
    ("tare:", "missing"), ("dir:/nosuch", "open /nosuch"), ("oci:/etc:a b", "invalid reference format"),
])
def test_bad_places(tare, tmp_path, source, words):
    got = tare("image", "copy", source, "oci:%s/x" % tmp_path)
    assert got.rc == 1 and words in got.err, got.err
    assert not (tmp_path / "x").exists()


def test_the_choice_among_several(tare, tmp_path):
    out = Layout()
    out.add(out.manifest(A), name="a").add(out.manifest(B), name="b").write(tmp_path / "in")
    got = tare("image", "copy", "oci:%s/in" % tmp_path, "tare:x")
    assert got.rc == 1 and "there are 2 images in it" in got.err and "say which: a, b" in got.err
    got = tare("image", "copy", "oci:%s/in:c" % tmp_path, "tare:x")
    assert got.rc == 1 and 'no image "c" in it' in got.err
    copy(tare, "oci:%s/in:b" % tmp_path, "tare:x")
    assert tare.ok("image", "inspect", "-f", "{{.Id}}", "x") == digest(config(B))


def test_the_choice_in_a_docker_archive(tare, tmp_path):
    one, two = docker([A], ["x:1"]), docker([B], ["y:latest"])
    both = json.loads(one[-1][1]) + [dict(json.loads(two[-1][1])[0], Layers=["other/layer.tar"])]
    (tmp_path / "d.tar").write_bytes(tar(*one[:-1], two[0], ("other/layer.tar", B),
                                         ("manifest.json", archives.dumps(both))))
    copy(tare, "docker-archive:%s/d.tar:y" % tmp_path, "oci:%s/o:x" % tmp_path)
    assert sha(B) in blobs(tmp_path / "o")
    manifest = json.loads(skopeo("inspect", "--raw", "oci:%s/o:x" % tmp_path))
    assert manifest["layers"][0]["digest"] == digest(B)


def test_words(tare, tmp_path, layout):
    err = copy(tare, "oci:%s" % layout, "oci:%s/x:1" % tmp_path)
    assert "Copying blob sha256:%s\n" % sha(config(A, B)) in err
    assert err.endswith("Writing manifest to image destination\n")
    assert copy(tare, "oci:%s" % layout, "oci:%s/y:1" % tmp_path, "-q") == ""


# ---------------------------------------------------------------- other programs

def test_skopeo_and_umoci_read_what_we_write(tare, tmp_path):
    tare.ok("pull", "busybox")
    own = tare.ok("image", "inspect", "-f", "{{.Id}}", "busybox")
    copy(tare, "tare:busybox", "oci:%s/o:bb" % tmp_path)
    copy(tare, "tare:busybox", "oci-archive:%s/o.tar:bb" % tmp_path)
    copy(tare, "tare:busybox", "docker-archive:%s/d.tar:bb:1" % tmp_path)
    copy(tare, "tare:busybox", "dir:%s/dir" % tmp_path)
    for place in ("oci:%s/o:bb", "oci-archive:%s/o.tar:bb", "docker-archive:%s/d.tar:bb:1", "dir:%s/dir"):
        manifest = json.loads(skopeo("inspect", "--raw", place.replace("%s", str(tmp_path))))
        assert manifest["config"]["digest"] == own, place
    run("umoci", "unpack", "--rootless", "--image", "%s/o:bb" % tmp_path, tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/bin/busybox").exists()


@pytest.mark.parametrize("place", ["oci:%s/s:x", "oci-archive:%s/s.tar:x", "docker-archive:%s/s.tar:x:1", "dir:%s/s"])
def test_we_read_what_skopeo_writes(tare, tmp_path, layout, place):
    place = place.replace("%s", str(tmp_path))
    skopeo("copy", "oci:%s:one" % layout, place)
    copy(tare, place, "tare:back")
    assert tare.ok("image", "inspect", "-f", "{{.Id}}", "back") == digest(config(A, B))


def test_skopeo_copies_an_index_of_ours(tare, tmp_path):
    out, top = multi()
    out.write(tmp_path / "in")
    copy(tare, "oci:%s/in" % tmp_path, "dir:%s/dir" % tmp_path)
    skopeo("copy", "--all", "dir:%s/dir" % tmp_path, "oci:%s/end:x" % tmp_path)
    assert entries(tmp_path / "end")[0]["digest"] == top


def test_docker_manifests_become_those_of_the_oci_in_layouts(tare, tmp_path, layout):
    """skopeo and umoci find no others there; everywhere else they stay as they came."""
    skopeo("copy", "--format", "v2s2", "oci:%s:one" % layout, "dir:%s/v2" % tmp_path)
    for place in ("oci:%s/o:x" % tmp_path, "oci-archive:%s/o.tar:x" % tmp_path):
        copy(tare, "dir:%s/v2" % tmp_path, place)
        manifest = json.loads(skopeo("inspect", "--raw", place))
        assert manifest["mediaType"] == archives.MANIFEST
        assert manifest["config"]["digest"] == digest(config(A, B))
        assert [d["mediaType"] for d in manifest["layers"]] == [archives.LAYER + "+gzip"] * 2
    copy(tare, "dir:%s/v2" % tmp_path, "tare:v2")
    copy(tare, "tare:v2", "dir:%s/again" % tmp_path)
    assert (tmp_path / "again/manifest.json").read_bytes() == (tmp_path / "v2/manifest.json").read_bytes()


def test_docker_lists_become_indexes_in_layouts(tare, tmp_path):
    out, _ = multi()
    for name, data in list(out.blobs.items()):
        if b"config" in data and b"layers" in data and data[:1] == b"{" and b"schemaVersion" in data:
            doc = json.loads(data)
            doc["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json"
            out.blobs[name] = archives.dumps(doc)
    renamed = {name: sha(data) for name, data in out.blobs.items()}
    (top,) = [json.loads(d) for d in out.blobs.values() if b'"manifests"' in d]
    top["mediaType"] = "application/vnd.docker.distribution.manifest.list.v2+json"
    for entry in top["manifests"]:
        name = renamed[entry["digest"][7:]]
        data = next(d for d in out.blobs.values() if sha(d) == name)
        entry.update(digest="sha256:" + name, size=len(data),
                     mediaType="application/vnd.docker.distribution.manifest.v2+json")
    fixed = Layout()
    for data in out.blobs.values():
        fixed.blob(data, "")
    fixed.add(fixed.blob(archives.dumps(top), top["mediaType"]), name="x").write(tmp_path / "in")
    copy(tare, "oci:%s/in" % tmp_path, "oci:%s/out:x" % tmp_path)
    assert entries(tmp_path / "out")[0]["mediaType"] == archives.INDEX
    skopeo("copy", "--all", "oci:%s/out:x" % tmp_path, "dir:%s/dir" % tmp_path)
    blobs(tmp_path / "out")


def test_podman_loads_what_we_save(tare, tmp_path):
    tare("load", input=tar(*docker([A, B], ["team/x:1"])), check=True)
    tare.ok("save", "-o", tmp_path / "s.tar", "team/x:1")
    place = tempfile.mkdtemp(prefix="tare-p")             # podman takes no more than 50 characters
    podman = ["podman", "--root", place + "/r", "--runroot", place + "/rr", "--storage-driver", "vfs"]
    try:
        assert "team/x:1" in run(*podman, "load", "-i", tmp_path / "s.tar")
        assert run(*podman, "image", "inspect", "-f", "{{.Id}}", "docker.io/team/x:1").strip() == sha(config(A, B))
        for kind in ("docker-archive", "oci-archive"):
            run(*podman, "save", "--format", kind, "-o", tmp_path / kind, "docker.io/team/x:1")
            assert tare("load", "-i", tmp_path / kind).out == "Loaded image: team/x:1\n"
            assert tare.ok("image", "inspect", "-f", "{{.Id}}", "team/x:1") == digest(config(A, B))
    finally:
        shutil.rmtree(place)
