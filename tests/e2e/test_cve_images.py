# SPDX-License-Identifier: Apache-2.0
"""What other engines got wrong with images on their way in and out, each under the name of its CVE. A canary tree
on the host must not change, answers are one line, and they come soon. What runs is in test_cve.py."""
import contextlib
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import threading

import pytest

import generate_images
import hostile_driver
import write_images
from conftest import PROGRAM, wait_until
from hostile import Rootfs, busybox
from hostile_images import HEX, Raw, dump, sha256
from make_tar import DIR, END, FILE, HARD, SYMLINK, header, member
from test_cve import racer

SWAPS = int(os.environ.get("TARE_TEST_SWAPS", "300"))
CONFIG = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}}


class Bytes:
    """A layer as it is."""
    format = "plain"

    def __init__(self, data, how="plain"):
        self.data, self.format = data, how

    def bytes(self):
        return self.data

    def packed(self):
        return generate_images.pack(self.data, self.format)


def image_of(*layers, name="x:1", config=None, diff_ids=None):
    layers = [layer if isinstance(layer, Bytes) else Bytes(layer) for layer in layers]
    config = dict(CONFIG, **(config or {}))
    config["rootfs"] = {"type": "layers", "diff_ids": diff_ids or [sha256(layer.bytes()) for layer in layers]}
    return generate_images.Image(layers, config, [name] if name else [])


WAYS = ("import", "layout", "modern", "old", "copy")


def bring(tare, tmp_path, way, image):
    """The image by one of WAYS; the answer. Import takes its last layer only."""
    if way == "import":
        return tare("import", "-", "x:1", input=image.layers[-1].packed(), timeout=10)
    if way == "copy":
        write_images.write_layout(tmp_path / "layout", [image])
        return tare("image", "copy", "-q", "oci:%s" % (tmp_path / "layout"), "tare:x:1", timeout=10)
    return tare("load", "-i", write_images.write_archive(tmp_path / "x.tar", [image], way), timeout=10)


def clean(got):
    """Success, or one line (and perhaps a hint) that names no more than it must."""
    if got.rc:
        lines = got.err.splitlines()
        assert got.rc == 1 and lines[0].startswith("tare: ") and len(lines) <= 2 and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", got.err), got
    return got


def refused(got, *words):
    assert clean(got).rc == 1, got
    assert any(word in got.err for word in words), got


def nothing_left(tare):
    for part in ("layers", "blobs/sha256", "staging"):
        assert not list((tare.root / part).glob("*")), part
    assert tare.ok("images", "-aq") == ""


# ---------------------------------------------------------------- layers that climb out

OUT = {
    "symlink": lambda c: member(b"a", SYMLINK, link=c) + member(b"a/x", FILE, b"evil"),
    "relative": lambda c: member(b"a", SYMLINK, link=b"../" * 12 + c[1:]) + member(b"a/file", FILE, b"evil"),
    "hard link": lambda c: member(b"a", HARD, link=c + b"/file") + member(b"a", FILE, b"evil"),
    "hard link through a symlink": lambda c: member(b"s", SYMLINK, link=c) + member(b"a", HARD, link=b"s/file") +
       member(b"a", FILE, b"evil", mode=0o777),
    "climbing hard link": lambda c: member(b"a", HARD, link=b"../" * 12 + c[1:] + b"/file"),
    "dots": lambda c: member(b"../" * 12 + c[1:] + b"/x", FILE, b"evil"),
    "absolute": lambda c: member(c + b"/file", FILE, b"evil"),
    "whiteout": lambda c: member(b"a", SYMLINK, link=c) + member(b"a/.wh.file"),
    "opaque": lambda c: member(b"a", SYMLINK, link=c) + member(b"a/.wh..wh..opq"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", OUT)
def test_cve_2014_6407_2026_17106_links_out_of_a_layer(tare, canary, tmp_path, case, way):
    data = OUT[case](os.fsencode(canary.path)) + END
    clean(bring(tare, tmp_path, way, image_of(data)))
    # The same in two layers: the first makes the link, the second goes through it.
    clean(bring(tare, tmp_path, way, image_of(member(b"a", SYMLINK, link=os.fsencode(canary.path)) + END,
                                              member(b"a/x", FILE, b"evil") + END)))
    tare.ok("system", "check", "--full")


@pytest.mark.parametrize("name", ["manifest.json", "layer", "config", "index.json"])
@pytest.mark.parametrize("target", ["{canary}/file", "../../../../../../../../{canary}/file", "/etc/passwd",
                                    "/proc/self/environ"])
def test_cve_2014_9356_absolute_links_in_the_archive(tare, canary, tmp_path, name, target):
    """A document or layer that is a link leads nowhere outside of the archive."""
    image = image_of(member(b"f", FILE, b"x") + END)
    files = write_images.layout_files([image]) if name == "index.json" else write_images.old_files([image])
    path = {"layer": next((p for p in files if p.endswith("/layer.tar")), None), "config": image.id + ".json"}.get(name,
                                                                                                                   name)
    files.pop("repositories", None)  # which would do without a manifest.json
    files[path] = pathlib.PurePosixPath(target.format(canary=canary.path))
    (tmp_path / "x.tar").write_bytes(write_images.archive(files))
    got = clean(tare("load", "-i", tmp_path / "x.tar", timeout=10))
    assert "root:" not in got.err and "canary\n" not in got.err
    # Without its manifest.json the rest is an archive of docker before 1.10.
    if name == "manifest.json":
        assert "Loaded image ID: " in got.out
    else:
        assert got.rc == 1
        nothing_left(tare)


@pytest.fixture
def decompressors(tmp_path):
    """A PATH whose programs leave a mark."""
    folder, mark = tmp_path / "fakes", tmp_path / "was-run"
    folder.mkdir()
    for name in ("xz", "unxz", "gzip", "gunzip", "pigz", "unpigz", "bzip2", "bunzip2", "zstd", "unzstd", "tar", "sh",
                 "docker-untar"):
        (folder / name).write_text("#!/bin/busybox sh\necho $0 >>%s\n" % mark)
        (folder / name).chmod(0o755)
    yield {"PATH": str(folder)}
    assert not mark.exists(), mark.read_text()


@pytest.mark.parametrize("packer", ["gzip", "xz", "bzip2", "zstd"])
def test_cve_2014_9357_2026_41567_no_decompressor_is_run(tare, decompressors, tmp_path, packer):
    """Neither of the host nor of the image; layers and whole archives."""
    evil = b"".join(member(b"bin/" + n, FILE, b"#!/bin/sh\n", mode=0o755) for n in (b"xz", b"unpigz", b"gzip", b"tar",
                                                                                    b"zstd"))
    pack = lambda data: subprocess.run([packer, "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    tare.ok("import", "-", "packed:1", input=pack(member(b"bin", DIR) + evil + END), env=decompressors)
    archive = write_images.archive(write_images.old_files([image_of(member(b"bin", DIR) + evil + END)]))
    tare.ok("load", input=pack(archive), env=decompressors)
    ident = tare.ok("create", "--network", "none", "x:1")
    tare.ok("export", "-o", tmp_path / "e.tar", ident, env=decompressors)
    tare.ok("commit", ident, "again:1", env=decompressors)
    tare.ok("save", "-o", tmp_path / "s.tar", "again:1", env=decompressors)


@pytest.mark.parametrize("ident", ["../../../../x", "/etc", "..", "", HEX.upper(), HEX[:63], HEX + "0", "x" * 64, HEX +
                                   "/..", "sha256:" + HEX])
def test_cve_2014_9358_ids_are_no_paths(tare, canary, tmp_path, ident):
    layer = member(b"f", FILE, b"x") + END
    files = {"repositories": json.dumps({"x": {"1": ident}}).encode(), ident.strip("/") + "/json" if ident else
             "json": json.dumps({"id": ident}).encode(),
             HEX + "/layer.tar": layer}
    with contextlib.suppress(ValueError):
        (tmp_path / "x.tar").write_bytes(write_images.archive(files))
    assert clean(tare("load", "-i", tmp_path / "x.tar", timeout=10)).rc == 1
    nothing_left(tare)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [b".", b"./", b"/", b"./.", b"//", b""])
def test_cve_2021_29136_root_that_is_a_link(tare, canary, tmp_path, name, way):
    data = header(name, SYMLINK, link=os.fsencode(canary.path)) + member(b"file", FILE, b"evil", mode=0o777) + END
    refused(bring(tare, tmp_path, way, image_of(data)), "root is not a directory", "empty name")
    nothing_left(tare)


@pytest.mark.parametrize("way", WAYS)
def test_cve_2021_32760_modes_of_files_outside(tare, canary, tmp_path, way):
    """A link that takes the place of a directory whose mode and owner are still to be set."""
    c = os.fsencode(canary.path)
    data = (member(b"d", DIR, mode=0o777, uid=7) + member(b"d/x") + member(b"d", SYMLINK, link=c) +
            member(b"d", DIR, mode=0o777, uid=7) + member(b"d", SYMLINK, link=c) +
            member(b"f", FILE, mode=0o666) + member(b"f", SYMLINK, link=c + b"/file", mode=0o666, uid=7) +
            member(b"h", HARD, link=b"f", mode=0o4777) + END)
    clean(bring(tare, tmp_path, way, image_of(data)))


@pytest.mark.parametrize("way", ["layout", "modern", "old", "copy"])
def test_cve_2025_47290_links_of_lower_layers(tare, canary, tmp_path, way):
    """What one layer links to the outside another one writes through: inside the image only, and seen there."""
    c = os.fsencode(canary.path)
    base = b"".join(member(n, DIR) for n in (b"bin", b"d")) + member(b"bin/busybox", FILE, busybox(tare),
        mode=0o755) + member(b"bin/sh", SYMLINK, link=b"busybox")
    image = image_of(base + member(b"d/l", SYMLINK, link=c) + END, member(b"d", DIR) + member(b"d/l", DIR, mode=0o777) +
                     member(b"d/l/file", FILE, b"inside") + END,
                     member(b"d/l", SYMLINK, link=c + b"/dir") + END, member(b"d/l/.wh..wh..opq") +
                     member(b"d/l/x", FILE, b"last") + END)
    assert bring(tare, tmp_path, way, image).rc == 0
    assert tare.ok("run", "--rm", "--network", "none", "x:1", "/bin/sh", "-c",
                   "busybox ls /d/l; busybox cat /d/l/x") == "x\nlast"


# ---------------------------------------------------------------- documents

DIGESTS = ["sha256:../../../x", "sha256:..", "sha256:", "", HEX[:63], "sha256:" + HEX[:63], "sha256:" + HEX.upper(),
           "sha256:" + "\0" * 64, "sha256:" + HEX + "/..",
           "sha256:" + HEX + "0", "sha512:" + HEX * 2, "sha256:/" + HEX[:63], "SHA256:" + HEX]


def layout_of(image, tmp_path, manifest=None, index=None, extra=None):
    """A layout whose manifest and index went through a function before they got their digests."""
    data, blobs = write_images.manifest_of(image)
    document = json.loads(data)
    data = dump(manifest(document) if manifest else document)
    top = {"schemaVersion": 2, "mediaType": write_images.OCI + "index.v1+json", "manifests": [write_images.descriptor(
        write_images.OCI + "manifest.v1+json", data, annotations={write_images.REF_NAME: "x:1"})]}
    files = {"blobs/" + d.replace(":", "/"): b for d, b in dict(blobs, **{sha256(data): data}).items()}
    files["index.json"] = dump(index(top) if index else top)
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    files.update(extra or {})
    write_images.write_directory(tmp_path / "layout", files)
    (tmp_path / "layout.tar").write_bytes(write_images.archive(files))


def both(tare, tmp_path):
    """As a directory and as an archive; the two answers."""
    return [clean(tare("image", "copy", "-q", "oci:%s" % (tmp_path / "layout"), "tare:x:1", timeout=10)),
            clean(tare("load", "-i", tmp_path / "layout.tar", timeout=10))]


SIMPLE = member(b"f", FILE, b"x") + END


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("where", ["config", "layer", "manifest"])
def test_cve_2024_3727_digests(tare, canary, tmp_path, where, digest):
    def in_manifest(document):
        (document["config"] if where == "config" else document["layers"][0])["digest"] = digest
        return document

    def in_index(document):
        document["manifests"][0]["digest"] = digest
        return document
    layout_of(image_of(SIMPLE), tmp_path, None if where == "manifest" else in_manifest,
              in_index if where == "manifest" else None)
    for got in both(tare, tmp_path):
        assert got.rc == 1
    nothing_left(tare)


AMBIGUOUS = {
    "manifests in a manifest": (lambda d: dict(d, manifests=[]), None),
    "filled manifests in a manifest": (lambda d: dict(d, manifests=[d["config"]]), None),
    "no layers but manifests": (lambda d: {"schemaVersion": 2, "mediaType": d["mediaType"], "manifests": d["layers"]},
                                None),
    "calls itself an index": (lambda d: dict(d, mediaType=write_images.OCI + "index.v1+json"), None),
    "layers in the index": (None, lambda d: dict(d, layers=[], config={"mediaType": "x", "digest": sha256(b""),
                                                                       "size": 0})),
    "described as an index": (None, lambda d: dict(d, manifests=[dict(d["manifests"][0], mediaType=write_images.OCI +
                                                                      "index.v1+json")])),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_cve_2021_41190_ghsa_5j5w_g665_5m35_ghsa_qq97_vm5h_rrhg_ambiguous(tare, tmp_path, case):
    layout_of(image_of(SIMPLE), tmp_path, *AMBIGUOUS[case])
    for got in both(tare, tmp_path):
        assert got.rc == 1
    nothing_left(tare)


def test_cve_2024_24557_claims_of_a_parent(tare, tmp_path):
    """An image is what is in it: neither an id nor a parent that it claims leads to another's layers."""
    one, two = SIMPLE, member(b"f", FILE, b"other") + END
    claims = {"parent": "sha256:" + HEX, "id": HEX, "container_config": {"Cmd": ["#(nop) COPY file:x in /"]}}
    ids = []
    for n, layer in enumerate((one, two)):
        # The same claimed ids, configuration and history around other bytes; docker's oldest archives name layers so.
        ancient = {"repositories": dump({"x": {"%d" % n: HEX}}), HEX + "/layer.tar": layer}
        ancient[HEX + "/json"] = dump({"id": HEX, "config": {}, "os": "linux", "architecture": "amd64",
                                       "created": "2020-01-01T00:00:00Z"})
        tare.ok("load", input=write_images.archive(ancient))
        ids.append(tare.ok("image", "inspect", "-f", "{{.Id}}", "x:%d" % n))
        tare.ok("load", input=write_images.archive(write_images.old_files([image_of(layer, name="y:%d" % n,
                                                                                    config=claims)])))
        ident = tare.ok("create", "--network", "none", "y:%d" % n, "x")
        assert (b"other" in tare("export", ident, binary=True, check=True).out) == (layer is two)
    assert ids[0] != ids[1]
    # One that claims the layer of the other: a manifest that names other bytes for it is refused, and where there is no
    # manifest (docker's archives) it is what its configuration says.
    wrong = image_of(two, diff_ids=[sha256(one)])
    refused(bring(tare, tmp_path, "copy", wrong), "not the one of the configuration")
    bring(tare, tmp_path, "old", wrong)
    assert b"other" not in tare("export", tare.ok("create", "--network", "none", "x:1", "x"), binary=True,
                                check=True).out
    tare.ok("system", "check", "--full")


# ---------------------------------------------------------------- too much

@pytest.fixture
def limited(tare, tmp_path):
    """A command that must end within a second (three when this machine is busy) and 128 MiB."""
    folder = tmp_path / "streams"
    folder.mkdir()
    runner = hostile_driver.Runner(folder)

    def call(*args, stdin=None, seconds=1.0):
        done = runner(tare.argv + [str(a) for a in args], stdin)
        if done.wall > seconds:
            done = runner(tare.argv + [str(a) for a in args], stdin)
        # An error of run is followed by docker's two lines about --help.
        assert args[0] == "run" or hostile_driver.unclean(done) is None, done
        assert done.wall < 3 * seconds and done.cpu < seconds and done.rss < 128 << 10, done
        return done
    yield call
    runner.close()


@pytest.mark.parametrize("name", ["index.json", "manifest", "config"])
@pytest.mark.parametrize("size", [1 << 30, 1 << 40], ids=["1G", "1T"])
def test_cve_2023_25153_documents_without_end(limited, tare, tmp_path, name, size):
    """A sparse gibibyte where a small document should be, in a directory and in an archive."""
    image = image_of(SIMPLE)
    layout_of(image, tmp_path)
    index = json.loads((tmp_path / "layout/index.json").read_text())
    path = {"manifest": "blobs/" + index["manifests"][0]["digest"].replace(":", "/"), "config": "blobs/sha256/" +
            image.id}.get(name, name)
    os.truncate(tmp_path / "layout" / path, size)
    assert limited("image", "copy", "oci:%s" % (tmp_path / "layout"), "tare:x:1").rc == 1
    files = [(p.relative_to(tmp_path / "layout"), p) for p in (tmp_path / "layout").rglob("*") if p.is_file()]
    (tmp_path / "a.tar").write_bytes(b"".join(member(os.fsencode(n), FILE, extents=[], size=size) if str(n) == path else
                                              member(os.fsencode(n), FILE, p.read_bytes())
                                              for n, p in files) + END)
    assert limited("load", "-i", tmp_path / "a.tar").rc == 1
    nothing_left(tare)


MUCH = {
    "env": lambda d: dict(d, config={"Env": Raw(b"[" + b'"",' * 1000000 + b'""]')}),
    "long env": lambda d: dict(d, config={"Env": ["A=" + "x" * (3 << 20)]}),
    "label": lambda d: dict(d, config={"Labels": {"l": "x" * (1 << 20)}}),
    "labels": lambda d: dict(d, config={"Labels": Raw(b"{" + b",".join(b'"%d":""' % i for i in range(300000)) + b"}")}),
    "depth": lambda d: dict(d, config=Raw(b'{"a":' * 100000 + b"1" + b"}" * 100000)),
    "history": lambda d: dict(d, history=[{"empty_layer": True}] * 100000),
    "diff ids": lambda d: dict(d, rootfs={"type": "layers", "diff_ids": d["rootfs"]["diff_ids"] * 50000}),
}


@pytest.mark.parametrize("case", MUCH)
def test_cve_2023_25153_large_configurations(limited, tare, tmp_path, case):
    image = image_of(SIMPLE)
    image.config = dump(MUCH[case](json.loads(image.config)))
    image.id = sha256(image.config)[7:]
    write_images.write_archive(tmp_path / "x.tar", [image], "old")
    done = limited("load", "-i", tmp_path / "x.tar")
    if case in ("label", "long env"):
        assert done.rc == 0, done
    if case in ("depth", "diff ids"):
        assert done.rc == 1
    if done.rc == 0:
        limited("image", "inspect", "x:1")
        limited("images", "--format", "json")
        limited("history", "x:1")
        limited("rmi", "x:1")


@pytest.mark.parametrize("n", [501, 100000])
def test_cve_2023_25153_layers_without_end(limited, tare, tmp_path, n):
    layout_of(image_of(SIMPLE), tmp_path, lambda d: dict(d, layers=d["layers"] * n))
    assert limited("load", "-i", tmp_path / "layout.tar").rc == 1
    assert limited("image", "copy", "oci:%s" % (tmp_path / "layout"), "tare:x:1").rc == 1
    nothing_left(tare)


def test_cve_2025_4437_2026_47262_sparse_group(limited, tare):
    """Ten gibibytes of nothing as /etc/group and /etc/passwd."""
    base = (member(b"bin", DIR) + member(b"bin/busybox", FILE, busybox(tare), mode=0o755) +
            member(b"bin/true", SYMLINK, link=b"busybox") + member(b"etc", DIR) +
            b"".join(member(b"etc/" + n, FILE, extents=[], size=10 << 30) for n in (b"group", b"passwd")) + END)
    (tare.folder / "x.tar").write_bytes(base)
    limited("import", tare.folder / "x.tar", "x:1")
    for user in ("0", "daemon", "1000:staff"):
        limited("run", "--rm", "--network", "none", "-u", user, "x:1", "/bin/true")
    # Nor does a look at all of it take long.
    limited("commit", tare.ok("create", "--network", "none", "x:1", "/bin/true"), "y:1")


BOMBS = {
    "nested gzip": lambda: generate_images.pack(generate_images.pack(header(b"z", FILE, 32 << 20) + bytes(32 << 20) +
                                                                     END, "gzip"), "gzip"),
    "zstd window of 2 GiB": lambda: b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + b"\x01\x00\x00",
    "zstd window of 3.75 TiB": lambda: b"\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00",
    "zstd content of 16 EiB": lambda: b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\x00\x00",
    "sparse terabyte": lambda: member(b"s", FILE, extents=[((1 << 40) - 5, b"abcde")], size=1 << 40) + END,
    "a hundred sparse terabytes": lambda: b"".join(member(b"s%d" % i, FILE, extents=[],
                                                          size=1 << 40) for i in range(100)) + END,
    "metadata": lambda: generate_images.pack(b"".join(member(b"x", FILE,
        xattrs={b"user.a": b"x" * 60000}) for _ in range(1200)), "gzip"),
    "zeros behind the end": lambda: generate_images.pack(member(b"f") + END + bytes(64 << 20), "gzip"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_bombs(limited, tare, tmp_path, case):
    """Little that would become much: an error or the honest result, soon, in little memory; staging is empty again."""
    (tmp_path / "x").write_bytes(BOMBS[case]())
    done = limited("import", tmp_path / "x", "x:1")
    image = image_of(SIMPLE, Bytes((tmp_path / "x").read_bytes()))
    write_images.write_archive(tmp_path / "x.tar", [image], "modern")
    limited("load", "-i", tmp_path / "x.tar")
    assert not os.listdir(tare.root / "staging")
    if done.rc == 0:
        limited("system", "check", "--full")
        limited("rmi", "x:1")


def test_cve_2021_20291_damaged_layers_end(limited, tmp_path):
    """Of several layers that are unpacked at once one is cut short or no archive at all: an answer, and nothing waits for ever."""
    good = [member(b"f%d" % i, FILE, os.urandom(1 << 20)) + END for i in range(4)]
    for how in ("gzip", "zstd", "plain"):
        for cut in (0, 1, 100, 40000, 600000):
            layers = [Bytes(g, how) for g in good]
            packed = layers[2].packed()[:cut]
            layers[2].packed = lambda packed=packed: packed
            write_images.write_archive(tmp_path / "x.tar", [image_of(*layers)], "modern")
            assert limited("load", "-i", tmp_path / "x.tar").rc == 1


# ---------------------------------------------------------------- what an image says has no effect

def test_cve_2020_15157_foreign_layers(tare, tmp_path):
    """No address that an image names is asked for anything."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        url = "http://127.0.0.1:%d/layer" % server.getsockname()[1]
        foreign = lambda d: dict(d, layers=[dict(d["layers"][0], urls=[url], digest="sha256:" + HEX,
                                                 mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")])
        layout_of(image_of(SIMPLE), tmp_path, foreign, lambda d: dict(d,
                                                                      manifests=[dict(d["manifests"][0], urls=[url])]))
        for got in both(tare, tmp_path):
            assert got.rc == 1
        with pytest.raises(BlockingIOError):
            server.accept()
    nothing_left(tare)


LABELS = ("containerd.io/restart.loguri", "containerd.io/restart.status", "io.podman.annotations.privileged",
          "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel",
          "run.oci.hooks.stdout", "run.oci.handler", "org.criu.config", "module.wasm.image/variant",
          "com.docker.compose.project", "tare.log", "tare.hook", "tare.privileged",
          "nerdctl/log-uri", "nerdctl/extraHosts", "io.containers.autoupdate", "log-uri",
          "org.opencontainers.image.stopSignal")


def test_cve_2026_53488_2026_55887_labels_are_data(tare, canary, tmp_path):
    """Every label and annotation that means something to some engine: nothing runs, nothing is written, nobody gets more."""
    evil = tmp_path / "evil"
    evil.write_text("#!/bin/sh\necho ran >>%s\n" % (tmp_path / "ran"))
    evil.chmod(0o755)
    base = (member(b"bin", DIR) + member(b"bin/busybox", FILE, busybox(tare), mode=0o755) +
            member(b"bin/sh", SYMLINK, link=b"busybox") + END)
    for value in ("binary://%s" % evil, str(evil), "true", "file://%s/file" % canary.path):
        labels = {label: value for label in LABELS}
        config = {"config": {"Cmd": ["/bin/sh", "-c", "busybox grep -h CapEff /proc/self/status; echo out"],
                             "Labels": labels, "Hooks": {"prestart": [str(evil)]},
                             "Privileged": True, "HostConfig": {"Privileged": True}, "LogPath": "%s/log" % canary.path},
                  "annotations": labels}
        image = image_of(base, config=config)
        layout_of(image, tmp_path, lambda d: dict(d, annotations=labels), lambda d: dict(d, annotations=labels))
        tare.ok("load", "-i", tmp_path / "layout.tar")
        plain = tare.ok("run", "--rm", "busybox", "grep", "-h", "CapEff", "/proc/self/status")
        assert tare.ok("run", "--name", "one", "--network", "none", image.id) == plain + "\nout"
        assert tare.inspect("one")["HostConfig"]["Privileged"] is False and str(tmp_path) not in tare.inspect("one").get("LogPath", "")
        assert tare.ok("logs", "one") == plain + "\nout"
        tare.ok("rm", "one")
        tare.ok("rmi", "-f", image.id)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("title", ["../../../x", "/tmp/tare-title", "blobs", "index.json"])
def test_cve_2025_62725_2026_55092_annotations_are_no_file_names(tare, tmp_path, title):
    notes = {"org.opencontainers.image.title": title, "com.docker.compose.file": title,
             "io.deis.oras.content.unpack": "true"}
    layout_of(image_of(SIMPLE), tmp_path, lambda d: dict(d, layers=[dict(d["layers"][0], annotations=notes)],
                                                         annotations=notes))
    tare.ok("image", "copy", "oci:%s" % (tmp_path / "layout"), "tare:x:1")
    (tmp_path / "in").mkdir()
    for to in ("oci:%s/in/o:x", "dir:%s/in/d", "oci-archive:%s/in/a.tar", "docker-archive:%s/in/b.tar:x:1"):
        tare.ok("image", "copy", "tare:x:1", to % tmp_path)
    assert sorted(os.listdir(tmp_path / "in")) == ["a.tar", "b.tar", "d", "o"] and not os.path.exists("/tmp/tare-title")
    assert sorted(os.listdir(tmp_path / "in/o")) == ["blobs", "index.json", "oci-layout"]


# ---------------------------------------------------------------- out: export, commit, diff, cp

@pytest.fixture
def hostile_libraries(tare):
    """A container whose every library, where an engine might look for its own, is an enemy's."""
    rootfs = Rootfs(tare).dir("etc").dir("lib").dir("lib/x86_64-linux-gnu").dir("usr").dir("usr/lib").dir("usr/lib/gconv").dir("usr/bin")
    for name in ("etc/ld.so.preload", "etc/ld.so.cache", "etc/nsswitch.conf", "usr/lib/gconv/gconv-modules"):
        rootfs.file(name, "/lib/evil.so\n")
    for name in ("lib/evil.so", "lib/x86_64-linux-gnu/libnss_files.so.2", "lib/x86_64-linux-gnu/libc.so.6",
                 "lib/libnss_files.so.2"):
        rootfs.file(name, b"\x7fELF" + b"\0" * 60, mode=0o755)
    for name in ("tar", "xz", "gzip", "unpigz", "zstd"):
        rootfs.file("usr/bin/" + name, "#!/bin/sh\n", mode=0o755)
    tare.ok("run", "-d", "--name", "up", "--network", "none", rootfs.load(), "sleep", "1000")
    return "up"


@pytest.mark.parametrize("command", [("export", "-o", "{tmp}/e.tar", "up"), ("commit", "up", "c:1"), ("diff", "up"),
                                     ("cp", "up:/etc", "{tmp}/out"), ("cp", "{tmp}/in", "up:/tmp/in"),
                                     ("cp", "up:/lib/evil.so", "-")], ids=lambda c: "-".join(c[:1]) + str(len(c[1])))
def test_cve_2019_14271_2026_41567_nothing_of_the_container_is_loaded(tare, hostile_libraries, tmp_path, command):
    """Files of the container are read as data at most: none is mapped to be executed, and no program but ours runs."""
    trace = tmp_path / "trace"
    (tmp_path / "in").write_text("x")
    done = subprocess.run(["strace", "-f", "-qq", "-y", "-o", trace, "-e", "trace=execve,execveat,mmap,uselib"] +
                          tare.argv + [a.format(tmp=tmp_path) for a in command],
                          capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    text = trace.read_text()
    ours = pathlib.Path(PROGRAM).parent
    ran = re.findall(r'exec(?:ve|veat)\((?:\d+(?:<[^>]*>)?, )?"([^"]*)"', text)
    assert ran and all(name == "" or pathlib.Path(name).parent == ours for name in ran), ran
    mapped = re.findall(r"PROT_EXEC[^\n]*?, \d+<([^>]*)>", text)
    assert not [m for m in mapped if str(tare.folder) in m or "evil" in m], mapped


def names_in(data):
    done = subprocess.run(["tar", "-tf", "-"], input=data, capture_output=True, check=True)
    return done.stdout.decode().split()


def test_cve_2022_23648_volumes_stay_out_of_exports(tare, canary):
    """A volume of the image that is a link to the host: neither export nor commit follows it."""
    image = Rootfs(tare).link("v", str(canary.path)).dir("w").load('VOLUME ["/v/dir", "/w", "/../../etc"]')
    got = tare("create", "--name", "one", "--network", "none", image, "true")
    if got.rc == 0:
        data = tare("export", "one", binary=True, check=True).out
        assert b"canary\n" not in data and not [n for n in names_in(data) if n.startswith("v/")]
        tare.ok("commit", "one", "d:1")
        assert b"canary\n" not in tare("save", "d:1", binary=True, check=True).out


@pytest.mark.parametrize("what", ["export", "commit", "diff", "cp"])
def test_cve_2018_15664_2019_10152_races_on_the_way_out(tare, canary, what, tmp_path):
    """A directory of the running container becomes a link to the host and back while it is read."""
    random.seed(SWAPS)
    (tmp_path / "in").write_text("in\n")
    image = Rootfs(tare).dir("inner").file("inner/file", "inside\n").load()
    tare.ok("run", "-d", "--name", "up", "--network", "none", image, "sh", "-c",
            "mkdir /a && echo inside >/a/file && ln -s %s /b && sleep 1000" % canary.path)
    upper = tare.root / "containers" / tare.inspect("up")["Id"] / "upper"
    wait_until((upper / "b").is_symlink)
    stop = threading.Event()
    thread = threading.Thread(target=racer, args=(upper, ("a", "b"), SWAPS, stop))
    thread.start()
    rounds = 0
    try:
        while thread.is_alive():
            if what == "commit":
                tare("commit", "up", "raced:1")
            elif what == "cp":
                out = tare("cp", "up:/a", "-", binary=True).out + tare("cp", "up:/a/file", "-", binary=True).out
                assert b"canary\n" not in out
                tare("cp", tmp_path / "in", "up:/a/dir")
            else:
                assert b"canary\n" not in tare(what, "up", binary=True).out
            rounds += 1
    finally:
        stop.set()
        thread.join()
    assert rounds > 0
    if what == "commit":
        assert b"canary\n" not in tare("save", "raced:1", binary=True).out


@pytest.mark.parametrize("running", [True, False])
def test_cve_2021_41089_cp_changes_nothing_outside(tare, canary, tmp_path, running):
    """Copies into paths that are links to the host, and out of a tree that is full of them."""
    c = str(canary.path)
    image = (Rootfs(tare).link("l", c).link("f", c + "/file").link("up", "../../../../../../.." +
        c).dir("d").link("d/l", c).link("d/file", c + "/file").load())
    tare.ok("run", "-d", "--name", "up", "--network", "none", image, "sleep", "1000")
    if not running:
        tare.ok("kill", "up")
        tare.wait_state("up", "exited")
    source = tmp_path / "file"
    source.write_text("evil\n")
    source.chmod(0o777)
    for target in ("/l", "/l/", "/l/file", "/l/dir/x", "/f", "/up/file", "/d/l/dir", "/d/file", "/../../../../.." + c +
                   "/file"):
        clean(tare("cp", source, "up:" + target, timeout=10))
        clean(tare("cp", "-a", tmp_path / "canary", "up:" + target, timeout=10))
    # Out of it: the tree's links come out as links, and what stands there already is not followed.
    out = tmp_path / "out"
    for target in (out, out):
        clean(tare("cp", "up:/d", target, timeout=10))
    assert not any(p.is_file() and not p.is_symlink() and
                   p.read_text() == "canary\n" for p in out.rglob("*") if not p.is_symlink())
