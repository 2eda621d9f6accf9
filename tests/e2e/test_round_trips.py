# SPDX-License-Identifier: Apache-2.0
"""Images on their way out and back: through tare itself to the last field of stat, and to and from docker, podman,
buildah, skopeo and umoci, with the same image ID and the same layers."""
import dataclasses
import hashlib
import json
import os
import random
import shutil
import subprocess
import tarfile
import zlib

import pytest

import generate_images
import write_images
from generate_images import differences, generate, generate_many, look
from peers import (buildah, docker, dockerd, podman, short_folder, skopeo, umoci)  # noqa: F401 (fixtures)

SEED = int(os.environ.get("TARE_TEST_SEED", "1"))
# What an engine puts into a root file system for its own use.
ENGINE_OWN = {b"dev", b"proc", b"sys", b"etc", b"etc/hosts", b"etc/hostname", b"etc/resolv.conf", b"etc/mtab",
              b".dockerenv", b"run",
              b"run/.containerenv", b"dev/console", b"dev/pts", b"dev/shm", b"v"}


# ---------------------------------------------------------------- what is in an archive, and in a store

def plain(data):
    """A layer's bytes decompressed, by magic number."""
    if data.startswith(b"\x1f\x8b"):
        out = b""
        while data:
            stream = zlib.decompressobj(31)
            out += stream.decompress(data) + stream.flush()
            data = stream.unused_data
        return out
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "-dqc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Saved:
    """What `tare save` wrote, read with nothing of tare's: every digest in it is checked."""

    def __init__(self, path):
        self.files = {}
        with tarfile.open(path) as tar:
            for info in tar:
                if info.isfile():
                    self.files[info.name] = tar.extractfile(info).read()
                elif info.issym():
                    self.files[info.name] = self.files[os.path.normpath(os.path.join(os.path.dirname(info.name),
                                                                                     info.linkname))]
        for name, data in self.files.items():
            if name.startswith("blobs/sha256/"):
                assert sha256(data)[7:] == name[13:], name
        self.docker = json.loads(self.files["manifest.json"])
        self.index = json.loads(self.files["index.json"])
        assert json.loads(self.files["oci-layout"])["imageLayoutVersion"].startswith("1.")

    def blob(self, descriptor):
        data = self.files["blobs/" + descriptor["digest"].replace(":", "/")]
        assert len(data) == descriptor["size"]
        return data

    def manifests(self):
        """Image id to manifest, of the OCI half."""
        found = {}
        for entry in self.index["manifests"]:
            manifest = json.loads(self.blob(entry))
            self.blob(manifest["config"])
            found[manifest["config"]["digest"]] = manifest
        return found

    def images(self):
        """Image id to (names, diff IDs), of docker's half; the layers are what the configuration says."""
        found = {}
        for entry in self.docker:
            config = self.files[entry["Config"]]
            layers = [sha256(plain(self.files[name])) for name in entry["Layers"]]
            assert layers == json.loads(config)["rootfs"]["diff_ids"]
            found[sha256(config)] = (sorted(entry["RepoTags"] or []), layers)
        return found


def image_id(tare, name):
    return tare.ok("image", "inspect", "-f", "{{.Id}}", name)


def check_layers(tare, image):
    """Each layer's directory against the model of the layer, to the last field."""
    for chain, layer in zip(image.chain_ids(), image.layers):
        folder = tare.root / "layers" / chain[7:] / "diff"
        found, wanted = look(folder), generate_images.expected(layer)
        assert found[0] == wanted[0], differences(found[0], wanted[0])
        assert found[1:] == wanted[1:]
        assert not generate_images.holes_are_kept(folder, layer)


def compare_stores(a, b, image):
    for chain in image.chain_ids():
        one, two = (look(t.root / "layers" / chain[7:] / "diff") for t in (a, b))
        assert one == two, differences(one[0], two[0])


def restore(archive, folder):
    """The archive unpacked by GNU tar, with everything it can keep."""
    folder.mkdir()
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", folder, "--numeric-owner",
                    "--preserve-permissions", "--same-owner",
                    "--xattrs", "--xattrs-include=*", "--delay-directory-restore"], check=True)
    return look(folder)


def check_root(found, image, own=ENGINE_OWN):
    """A whole root file system, as look() saw it, against what the image's layers make together."""
    tree = image.tree()
    wanted = {path: node.seen() for path, node in tree.items()}
    extra = {path for path in found[0] if path not in wanted} - own
    assert not extra, sorted(extra)[:5]
    seen = {path: found[0].get(path) for path in wanted}
    assert seen == wanted, differences(seen, wanted)
    assert {g for g in found[2] if not g <= own} == generate_images.groups(tree)


def export(tare, name, folder):
    """The root of a container of the image: exported, and restored by GNU tar."""
    ident = tare.ok("create", "--network", "none", name, "/none")
    tare.ok("export", "-o", folder / "export.tar", ident)
    tare.ok("rm", "-v", ident)
    return restore(folder / "export.tar", folder / "root")


def brief(found):
    """What two engines can agree on: no attributes, times in seconds, none of directories."""
    return {path: (seen.kind, seen.mode, seen.uid, seen.gid, seen.size, seen.rdev, seen.link, seen.digest,
                   seen.mtime_ns // 10**9 if seen.kind != "dir" else 0)
            for path, seen in found[0].items() if path not in ENGINE_OWN}


# ---------------------------------------------------------------- the lecture

def test_lecture(tare, tmp_path):
    """save, tar xf, look inside, run what is in it: by a shell, as on the slides."""
    script = r"""
        set -eu
        tare run --rm hello-world >/dev/null 2>&1
        tare save hello-world -o test.tar
        tar xf test.tar
        test -f manifest.json
        mkdir rootfs
        for layer in $(sed 's/[][",:{}]/ /g' manifest.json); do
            case $layer in blobs/sha256/*|*/layer.tar) tar xf "$layer" -C rootfs 2>/dev/null || : ;; esac
        done
        ls rootfs
        rootfs/hello
        tare tag hello-world test:latest
        tare save test:latest > test2.tar
        tar tf test2.tar | grep -q '^manifest.json$'
        tare rmi hello-world test:latest >/dev/null
        tare load < test2.tar
        tare run --rm test:latest
        """
    wrapper = tmp_path / "bin" / "tare"
    wrapper.parent.mkdir()
    wrapper.write_text("#!/bin/sh\nexec %s \"$@\"\n" % " ".join(tare.argv))
    wrapper.chmod(0o755)
    (tmp_path / "work").mkdir()
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path / "work", capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, PATH="%s:%s" % (wrapper.parent, os.environ["PATH"])))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Hello from tare!") == 2 and "Loaded image: test:latest\n" in done.stdout


# ---------------------------------------------------------------- through tare itself

GENERATIONS = ("layout", "modern", "old")


@pytest.mark.parametrize("part", range(10))
def test_generated(tare_factory, tmp_path, part):
    """Four of the forty images: load, save, load elsewhere, export. The third stands on layers of the second."""
    first, second = tare_factory(), tare_factory()
    for n, image in enumerate(generate_many(SEED * 1000 + part * 4, 4)):
        generation = GENERATIONS[(part + n) % 3]
        archive = write_images.write_archive(tmp_path / "in.tar", [image], generation)
        out = first.ok("load", "-i", archive)
        assert sorted(out.splitlines()) == sorted("Loaded image: " + name for name in image.names)
        assert image_id(first, image.names[0]) == "sha256:" + image.id
        check_layers(first, image)

        saved = tmp_path / "out.tar"
        first.ok("save", "-o", saved, *image.names)
        assert Saved(saved).images() == {"sha256:" + image.id: (sorted(image.names), image.diff_ids())}
        assert list(Saved(saved).manifests()) == ["sha256:" + image.id] or set(Saved(saved).manifests()) == {"sha256:" +
                                                                                                             image.id}
        second.ok("load", "-i", saved)
        assert image_id(second, image.names[-1]) == "sha256:" + image.id
        compare_stores(first, second, image)

        folder = tmp_path / ("export%d" % n)
        folder.mkdir()
        check_root(export(second, image.names[0], folder), image)
        # What went through us is the same for us: a second trip gives the same bytes.
        second.ok("save", "-o", tmp_path / "again.tar", *image.names)
        assert (tmp_path / "again.tar").read_bytes() == saved.read_bytes()
    for tare in (first, second):
        tare.ok("system", "check", "--full")


def test_several_in_one_archive(tare_factory, tmp_path):
    """Images that share layers, several names each, one by id: all in one file, each layer once."""
    first, second = tare_factory(), tare_factory()
    images = generate_many(SEED * 1000 + 500, 5)
    for generation in GENERATIONS:
        first.ok("load", "-i", write_images.write_archive(tmp_path / "in.tar", images, generation))
    names = [name for image in images[1:] for name in image.names] + [images[0].id[:12]]
    saved = tmp_path / "all.tar"
    with open(saved, "wb") as f:
        f.write(first("save", *names, binary=True, check=True).out)
    found = Saved(saved).images()
    assert found == {"sha256:" + i.id: (sorted(i.names) if i is not images[0] else [], i.diff_ids()) for i in images}
    with tarfile.open(saved) as tar:
        members = [info.name for info in tar if info.isfile()]
        assert len(members) == len(set(members))
    out = second("load", input=saved.read_bytes(), check=True).out
    assert "Loaded image ID: sha256:%s\n" % images[0].id in out
    assert out.count("Loaded image: ") == sum(len(i.names) for i in images[1:])
    for image in images:
        assert image_id(second, image.id) == "sha256:" + image.id
        compare_stores(first, second, image)


@pytest.mark.parametrize("packer", [["gzip"], ["zstd", "-q"], ["xz", "-0"], ["bzip2"], ["cat"]], ids=lambda p: p[0])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_compressed_archive(tare, tmp_path, packer, generation):
    """A whole archive compressed by any of four, from a file and from a pipe."""
    image = generate(SEED * 1000 + 600)
    archive = write_images.write_archive(tmp_path / "in.tar", [image], generation)
    data = subprocess.run(packer + (["-c"] if packer != ["cat"] else []), stdin=open(archive, "rb"),
                          stdout=subprocess.PIPE, check=True).stdout
    (tmp_path / "packed").write_bytes(data)
    tare.ok("load", "-i", tmp_path / "packed")
    check_layers(tare, image)
    tare.ok("rmi", "-f", image.id)
    assert tare.ok("load", "-q", input=data) == "\n".join("Loaded image: " + name for name in image.names)
    check_layers(tare, image)


@pytest.mark.parametrize("kind", ["char", "block", "fifo", "symlink", "sparse", "directories"])
def test_one_kind_many_times(tare, tmp_path, kind):
    """Whatever the forty images had few of: hundreds of one kind in one layer."""
    maker = generate_images.Maker(random.Random(SEED))
    layer = generate_images.Layer()
    while len(layer.actions) < 150:
        node = maker.folder() if kind == "directories" else maker.leaf()
        if kind in (node.kind, "directories") or (kind == "sparse" and node.extents is not None):
            layer.add(maker.name(), node)
    image = generate_images.Image([layer], generate_images.config_of([layer], random.Random(1)), ["kind/%s:1" % kind])
    tare.ok("load", "-i", write_images.write_archive(tmp_path / "in.tar", [image], "modern"))
    check_layers(tare, image)


# ---------------------------------------------------------------- image copy

def test_copy_between_all(tare_factory, tmp_path):
    """tare: to oci: to oci-archive: to docker-archive: to dir: and back into another store."""
    first, second = tare_factory(), tare_factory()
    for image in generate_many(SEED * 1000 + 700, 3):
        name = image.names[0]
        first.ok("load", "-i", write_images.write_archive(tmp_path / "in.tar", [image], "old"))
        for i, places in enumerate((("oci:%s/o%s:x", "oci-archive:%s/a%s.tar:x", "docker-archive:%s/d%s.tar:copied:1",
                                     "dir:%s/f%s"),
                                    ("dir:%s/f%s", "docker-archive:%s/d%s.tar:copied:1", "oci:%s/o%s:x",
                                     "oci-archive:%s/a%s.tar:x"))):
            at = "tare:" + name
            for place in places:
                to = place % (tmp_path, image.id[:6] + str(i))
                first.ok("image", "copy", at, to)
                at = to
            second.ok("image", "copy", at, "tare:back:%d" % i)
            assert image_id(second, "back:%d" % i) == "sha256:" + image.id
            compare_stores(first, second, image)


def multi_platform(images, platforms):
    """A layout with one index over images of several platforms, under one name."""
    files, entries = {}, []
    for image, (os_name, arch) in zip(images, platforms):
        manifest, blobs = write_images.manifest_of(image)
        blobs[sha256(manifest)] = manifest
        files.update(("blobs/" + d.replace(":", "/"), data) for d, data in blobs.items())
        entries.append(write_images.descriptor(write_images.OCI + "manifest.v1+json", manifest,
                                               platform={"os": os_name, "architecture": arch}))
    index = json.dumps({"schemaVersion": 2, "mediaType": write_images.OCI + "index.v1+json", "manifests": entries},
                       indent=3).encode()
    files["blobs/" + sha256(index).replace(":", "/")] = index
    top = write_images.descriptor(write_images.OCI + "index.v1+json", index,
                                  annotations={write_images.REF_NAME: "multi"})
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    return files, sha256(index)


def test_copy_keeps_an_index_whole(tare, tmp_path):
    """Several platforms go through the store without a byte of the index or of the foreign platform lost."""
    ours, other = generate(SEED * 1000 + 710), generate(SEED * 1000 + 711)
    config = dict(json.loads(other.config), architecture="s390x")
    other = generate_images.Image(other.layers, config, [])
    files, digest = multi_platform([other, ours], [("linux", "s390x"), ("linux", "amd64")])
    write_images.write_directory(tmp_path / "in", files)
    tare.ok("image", "copy", "oci:%s:multi" % (tmp_path / "in"), "tare:multi:1")
    assert image_id(tare, "multi:1") == "sha256:" + ours.id
    tare.ok("image", "copy", "tare:multi:1", "oci:%s:multi" % (tmp_path / "out"))
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert [m["digest"] for m in index["manifests"]] == [digest]
    blobs = lambda folder: {p.name: p.read_bytes() for p in (folder / "blobs/sha256").iterdir()}
    assert blobs(tmp_path / "out") == blobs(tmp_path / "in")


# ---------------------------------------------------------------- from us to others

@pytest.fixture
def given(tare, tmp_path):
    """Three generated images in a store, and the archive that it saves of them."""
    images = generate_many(SEED * 1000 + 800, 3)
    tare.ok("load", "-i", write_images.write_archive(tmp_path / "given.tar", images, "modern"))
    saved = tmp_path / "saved.tar"
    tare.ok("save", "-o", saved, *[name for image in images for name in image.names])
    return images, saved


def test_docker_loads_ours(docker, given):
    images, saved = given
    docker("load", "-i", saved)
    for image in images:
        for name in image.names:
            assert docker.id(name) == "sha256:" + image.id
        assert docker.diff_ids(image.names[0]) == image.diff_ids()


def test_docker_sees_the_same_files(docker, given, tmp_path):
    """The root of a container that docker makes of what we saved. docker cuts times before 1970, and writes them in seconds."""
    images, saved = given
    docker("load", "-i", saved)
    for n, image in enumerate(images):
        ident = docker("create", image.names[0], "/none")
        docker("export", "-o", tmp_path / "export.tar", ident)
        docker("rm", "-v", ident)
        found, tree = restore(tmp_path / "export.tar", tmp_path / ("root%d" % n)), image.tree()
        timeless = lambda seen: seen and (seen.kind, seen.mode, seen.uid, seen.gid, seen.size, seen.rdev, seen.link,
                                          seen.digest)
        seen = {path: timeless(found[0].get(path)) for path in tree if path not in ENGINE_OWN}
        wanted = {path: timeless(node.seen()) for path, node in tree.items() if path not in ENGINE_OWN}
        assert seen == wanted, differences(seen, wanted)


def test_podman_loads_ours(podman, given):
    images, saved = given
    podman("load", "-i", saved)
    ids = podman.ids()
    for image in images:
        for name in image.names:
            assert ids[name] == "sha256:" + image.id
        assert podman.diff_ids(image.id) == image.diff_ids()


def skopeo_manifest(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    return manifest["config"]["digest"], [layer["digest"] for layer in manifest["layers"]]


def test_skopeo_reads_ours(skopeo, given, tmp_path):
    """Both halves of the archive: as oci-archive with our own layer digests, as docker-archive by each name."""
    images, saved = given
    ours = Saved(saved).manifests()
    layout = tmp_path / "layout"
    layout.mkdir()
    subprocess.run(["tar", "xf", saved, "-C", layout], check=True)
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    for entry in {e["digest"]: e for e in entries}.values():
        # By digest a layout is read through an index of one, since tags of several images may be the same.
        single = tmp_path / entry["digest"][7:19]
        shutil.copytree(layout, single)
        entry["annotations"] = {write_images.REF_NAME: "x"}
        (single / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        skopeo.copy("oci:%s:x" % single, "dir:%s" % (single / "dir"))
        ident, layers = skopeo_manifest(single / "dir")
        assert layers == [layer["digest"] for layer in ours[ident]["layers"]]
        assert skopeo.config("dir:%s" % (single / "dir"))["rootfs"]["diff_ids"] == next(i for i in images if "sha256:" +
                                                                                        i.id == ident).diff_ids()
    for image in images:
        for name in image.names:
            target = tmp_path / ("d" + name.replace("/", "-"))
            skopeo.copy("docker-archive:%s:%s" % (saved, name), "dir:%s" % target)
            ident, layers = skopeo_manifest(target)
            assert ident == "sha256:" + image.id
            assert [sha256(plain((target / d[7:]).read_bytes())) for d in layers] == image.diff_ids()


def test_umoci_unpacks_ours(umoci, given, tmp_path):
    """A third hand applies our layers, with the same result: an image is the same files everywhere. umoci (0.4.7) keeps no
    attribute without a value, which to pax is none, and of directories and hard links no time after 2242."""
    images, saved = given
    layout = tmp_path / "layout"
    layout.mkdir()
    subprocess.run(["tar", "xf", saved, "-C", layout], check=True)
    index = json.loads((layout / "index.json").read_text())
    for n, entry in enumerate({e["digest"]: e for e in index["manifests"]}.values()):
        entry["annotations"] = {write_images.REF_NAME: "x"}
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        ident = json.loads((layout / "blobs" / entry["digest"].replace(":", "/")).read_text())["config"]["digest"]
        image = next(i for i in images if "sha256:" + i.id == ident)
        umoci("unpack", "--image", "%s:x" % layout, tmp_path / ("bundle%d" % n))
        found, wanted = look(tmp_path / ("bundle%d" % n) / "rootfs"), image.tree()
        late = {path for path, node in wanted.items() if node.mtime_ns >= 2**33 * 10**9}
        kept = lambda path, seen: dataclasses.replace(seen, mtime_ns=0 if path in late else seen.mtime_ns,
                                                      xattrs=tuple(x for x in seen.xattrs if x[1]))
        seen = {path: kept(path, s) for path, s in found[0].items()}
        wanted = {path: kept(path, node.seen()) for path, node in wanted.items()}
        assert seen == wanted, differences(seen, wanted)
        assert found[2] == generate_images.groups(image.tree())


# ---------------------------------------------------------------- from others to us

@pytest.fixture
def context(tmp_path):
    """A folder for builders, with what can be copied."""
    folder = tmp_path / "context"
    (folder / "tree/deep/er").mkdir(parents=True)
    (folder / "tree/file").write_text("content\n" * 1000)
    (folder / "tree/deep/er/set-id").write_bytes(b"x")
    os.chmod(folder / "tree/deep/er/set-id", 0o4755)
    os.symlink("file", folder / "tree/link")
    os.link(folder / "tree/file", folder / "tree/hard")
    os.utime(folder / "tree/file", ns=(10**18 + 5, 10**18 + 5))
    (folder / "other").write_text("other\n")
    subprocess.run(["tar", "czf", folder / "add.tar.gz", "-C", folder, "tree"], check=True)
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY tree /tree\nADD add.tar.gz /added/\nCOPY other /tree/file\nENV A=b\nLABEL l="x y"\n'
                                       'USER 1000:1000\nWORKDIR /tree\nCMD ["/none"]\n')
    return folder


def loaded(tare, args, ident, names=(), **more):
    """Loads or copies; the id is what the other says, and nothing in the store is wrong."""
    out = tare.ok(*args, **more)
    assert image_id(tare, ident) == ident
    for name in names:
        assert image_id(tare, name) == ident
    tare.ok("system", "check", "--full")
    return out


def test_we_load_what_docker_builds_and_saves(tare, docker, context, tmp_path):
    docker("build", "--network", "none", "-q", "-t", "built:1", "-t", "second/name:x", context)
    docker("save", "-o", tmp_path / "d.tar", "built:1", "second/name:x")
    ident = docker.id("built:1")
    out = loaded(tare, ["load", "-i", tmp_path / "d.tar"], ident, ["built:1", "second/name:x"])
    assert sorted(out.splitlines()) == ["Loaded image: built:1", "Loaded image: second/name:x"]
    assert json.loads(tare.ok("image", "inspect", ident))[0]["RootFS"]["Layers"] == docker.diff_ids("built:1")
    folder = tmp_path / "exported"
    folder.mkdir()
    ours = export(tare, "built:1", folder)
    other = docker("create", "built:1")
    docker("export", "-o", tmp_path / "theirs.tar", other)
    docker("rm", other)
    theirs = restore(tmp_path / "theirs.tar", tmp_path / "theirs")
    assert brief(ours) == brief(theirs), differences(brief(ours), brief(theirs))
    assert frozenset((b"added/tree/file",
                      b"added/tree/hard")) in ours[2] and ours[0][b"added/tree/deep/er/set-id"].mode == 0o4755
    # And back: docker gives it the same id.
    tare.ok("save", "-o", tmp_path / "back.tar", "built:1")
    docker("rmi", "-f", "built:1", "second/name:x")
    docker("load", "-i", tmp_path / "back.tar")
    assert docker.id("built:1") == ident


def test_we_load_what_docker_saves_of_generated_ones(tare, docker, tmp_path):
    """docker's own writer, of images with every kind of file: the layers it writes are again the same files."""
    images = generate_many(SEED * 1000 + 900, 4, sparse=False)
    for image in images:
        for layer in image.layers:
            layer.format = "plain"
    docker("load", "-i", write_images.write_archive(tmp_path / "in.tar", images, "old"))
    docker("save", "-o", tmp_path / "d.tar", *[i.names[0] for i in images])
    for image in images:
        loaded(tare, ["load", "-i", tmp_path / "d.tar"], "sha256:" + image.id, [image.names[0]])
        check_layers(tare, image)


def test_we_load_as_docker_does_before_1_10(tare, docker, context, tmp_path):
    """Without manifest.json docker's own archive is one of those that it wrote before 1.10: a configuration is made
    anew of what each layer says, and so that the id is the one docker gives it."""
    docker("build", "--network", "none", "-q", "-t", "built:1", context)
    docker("save", "-o", tmp_path / "d.tar", "built:1")
    with tarfile.open(tmp_path / "d.tar") as tar:
        files = {info.name: tar.extractfile(info).read() for info in tar if info.isfile() and "/" in info.name or
                 info.name == "repositories"}
    archive = tmp_path / "ancient.tar"
    archive.write_bytes(write_images.archive(files))
    docker.clean()
    docker("load", "-i", archive)
    loaded(tare, ["load", "-i", archive], docker.id("built:1"), ["built:1"])
    assert json.loads(tare.ok("image", "inspect", "built:1"))[0]["RootFS"]["Layers"] == docker.diff_ids("built:1")


def test_we_load_what_is_older_than_manifests(tare, tmp_path):
    """Generated images in that form: the layers are what they were."""
    images = generate_many(SEED * 1000 + 910, 3)
    archive = tmp_path / "ancient.tar"
    archive.write_bytes(write_images.archive(write_images.ancient_files(images)))
    tare.ok("load", "-i", archive)
    for image in images:
        assert json.loads(tare.ok("image", "inspect", image.names[-1]))[0]["RootFS"]["Layers"] == image.diff_ids()
        check_layers(tare, image)


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_we_load_what_podman_saves(tare, podman, skopeo, tmp_path, form):
    images = generate_many(SEED * 1000 + 920, 2, sparse=False)
    podman("load", "-i", write_images.write_archive(tmp_path / "in.tar", images, "old"))
    for n, image in enumerate(images):
        saved = tmp_path / ("p%d.tar" % n)
        podman("save", "-q", "--format", form, "-o", saved, image.names[0])
        # As an OCI image it has a configuration that podman made of docker's; the layers are the same.
        ident = json.loads(skopeo.manifest("%s:%s" % (form, saved)))["config"]["digest"]
        assert form == "oci-archive" or ident == "sha256:" + image.id
        loaded(tare, ["load", "-i", saved], ident, ["localhost/" + image.names[0]])
        check_layers(tare, image)


def test_we_load_several_that_podman_saves(tare, podman, tmp_path):
    images = generate_many(SEED * 1000 + 930, 3, sparse=False)
    podman("load", "-i", write_images.write_archive(tmp_path / "in.tar", images, "old"))
    podman("save", "-q", "--multi-image-archive", "-o", tmp_path / "p.tar", *[name for i in images for name in i.names])
    tare.ok("load", "-i", tmp_path / "p.tar")
    for image in images:
        assert image_id(tare, image.id) == "sha256:" + image.id
        check_layers(tare, image)


SKOPEO = {"oci": ("oci:{0}/o:x", []), "oci zstd": ("oci:{0}/o:x", ["--dest-compress-format", "zstd",
    "--dest-compress"]), "oci-archive": ("oci-archive:{0}/oa.tar:x", []),
          "docker-archive": ("docker-archive:{0}/da.tar:skopeo/made:1", []), "dir": ("dir:{0}/f", []),
          "dir v2s2": ("dir:{0}/f", ["--format", "v2s2"]),
          "dir compressed": ("dir:{0}/f", ["--dest-compress"])}


@pytest.mark.parametrize("case", SKOPEO)
def test_we_copy_what_skopeo_writes(tare, skopeo, tmp_path, case):
    """The id is that of the configuration skopeo wrote, which it makes anew where it changes the manifest's kind."""
    image = generate(SEED * 1000 + 940)
    for layer in image.layers:
        layer.format = "gzip"  # skopeo 1.9 converts no zstd
    place, options = SKOPEO[case]
    place = place.format(tmp_path)
    skopeo.copy("oci:%s:%s" % (write_images.write_layout(tmp_path / "in", [image]), image.names[0]), place, *options)
    manifest = json.loads(skopeo.manifest(place))
    tare.ok("image", "copy", place, "tare:copied:1")
    assert image_id(tare, "copied:1") == manifest["config"]["digest"]
    assert case not in ("oci", "dir") or image_id(tare, "copied:1") == "sha256:" + image.id
    check_layers(tare, image)
    # The layers go out again as they came in.
    tare.ok("image", "copy", "tare:copied:1", "dir:%s" % (tmp_path / "out"))
    if case != "docker-archive":
        assert skopeo_manifest(tmp_path / "out")[1] == [layer["digest"] for layer in manifest["layers"]]
    assert skopeo.config("dir:%s" % (tmp_path / "out"))["rootfs"] == json.loads(image.config)["rootfs"]


BUILDAH = {"oci": "oci:{0}/o:x", "oci-archive": "oci-archive:{0}/oa.tar:x",
           "docker-archive": "docker-archive:{0}/da.tar:buildah/made:1", "dir": "dir:{0}/f"}


@pytest.mark.parametrize("form", BUILDAH)
def test_we_copy_what_buildah_builds(tare, buildah, skopeo, context, tmp_path, form):
    buildah("build", "--isolation", "chroot", "--layers", "-t", "made", "-f", context / "Dockerfile", context)
    place = BUILDAH[form].format(tmp_path)
    buildah("push", "-q", "made", place)
    ident = json.loads(skopeo.manifest(place))["config"]["digest"]
    loaded(tare, ["image", "copy", place, "tare:made:1"], ident, ["made:1"])
    folder = tmp_path / "exported"
    folder.mkdir()
    found = export(tare, "made:1", folder)[0]
    assert found[b"tree/file"].digest == hashlib.sha256(b"other\n").hexdigest()
    # buildah's COPY drops set-id bits, docker's keeps them.
    assert found[b"tree/deep/er/set-id"].mode == 0o755 and found[b"tree/link"].link == b"file"
    assert found[b"added/tree/file"].mtime_ns // 10**9 == 10**9
    config = json.loads(tare.ok("image", "inspect", "made:1"))[0]["Config"]
    assert config["User"] == "1000:1000" and config["WorkingDir"] == "/tree" and config["Labels"]["l"] == "x y"


def test_we_copy_what_umoci_makes(tare, umoci, skopeo, tmp_path):
    """A layout that umoci starts, unpacks, changes and packs, twice."""
    layout = tmp_path / "u"
    umoci("init", "--layout", layout)
    umoci("new", "--image", "%s:a" % layout)
    root = tmp_path / "bundle/rootfs"
    umoci("unpack", "--image", "%s:a" % layout, tmp_path / "bundle")
    (root / "dir").mkdir()
    (root / "dir/file").write_text("one\n")
    (root / "gone").write_text("gone\n")
    os.link(root / "dir/file", root / "hard")
    umoci("repack", "--refresh-bundle", "--image", "%s:b" % layout, tmp_path / "bundle")
    (root / "gone").unlink()
    (root / "dir/two").write_text("two\n")
    umoci("repack", "--image", "%s:c" % layout, tmp_path / "bundle")
    umoci("config", "--image", "%s:c" % layout, "--config.cmd", "/none", "--config.env", "A=b")
    for tag in ("b", "c"):
        ident = json.loads(skopeo.manifest("oci:%s:%s" % (layout, tag)))["config"]["digest"]
        loaded(tare, ["image", "copy", "oci:%s:%s" % (layout, tag), "tare:umoci:" + tag], ident, ["umoci:" + tag])
    folder = tmp_path / "exported"
    folder.mkdir()
    found, _, linked = export(tare, "umoci:c", folder)
    assert b"gone" not in found and found[b"dir/two"].size == 4 and found[b"dir/file"].size == 4
    assert any(b"hard" in group for group in linked)


# ---------------------------------------------------------------- there and back

def test_what_one_container_changes(tare, docker, podman, tmp_path):
    """A commit of ours, seen by docker and podman: added, changed, deleted, renamed, replaced."""
    script = ("cd /etc && echo new >added && echo more >>passwd && rm -rf network && mkdir opaque && echo x >opaque/x && "
              "ln added hard && ln -s added soft && chmod 4755 added && mkfifo /tmp/fifo && mv /var /var2 && touch -d @5 added")
    tare.ok("run", "--name", "one", "--network", "none", "busybox", "sh", "-c", script)
    ident = tare.ok("commit", "-m", "message", "-a", "author", "-c", "ENV X=y", "one", "committed:1")
    tare.ok("save", "-o", tmp_path / "c.tar", "committed:1")
    tare.ok("export", "-o", tmp_path / "ours.tar", "one")
    ours = restore(tmp_path / "ours.tar", tmp_path / "ours")
    for peer in (docker, podman):
        peer("load", "-i", tmp_path / "c.tar")
        name = "committed:1" if peer is docker else ident
        assert (docker.id(name) if peer is docker else podman.ids()["committed:1"]) == ident
        other = peer("create", name, "/none")
        folder = tmp_path / peer.argv[0]
        peer("export", "-o", str(folder) + ".tar", other)
        peer("rm", other)
        theirs = restore(str(folder) + ".tar", folder)
        assert brief(theirs) == brief(ours), differences(brief(theirs), brief(ours))
