# SPDX-License-Identifier: Apache-2.0
"""Images that meet themselves, and odd ones: loaded over damage, over a manifest, without layers, with sockets."""
import io
import os
import socket
import stat
import tarfile

import pytest
from archives import config, digest, docker, layer, multi, tar


def test_an_image_without_layers(tare, tmp_path):
    tare("load", input=tar(*docker([])), check=True)
    assert tare.ok("images", "-q", "--no-trunc").strip() == digest(config())
    tare.ok("save", "-o", tmp_path / "out.tar", "x:1")
    tare.ok("create", "--name", "c1", "--network", "none", "x:1")
    (tmp_path / "f").write_text("hi\n")
    tare.ok("cp", tmp_path / "f", "c1:/f")
    assert tare.ok("diff", "c1") == "A /f"
    tare.ok("commit", "c1", "y:1")
    assert len(tare.ok("image", "inspect", "-f", "{{range .RootFS.Layers}}{{.}} {{end}}", "y:1").split()) == 1
    tare.ok("rm", "c1")
    tare.ok("rmi", "x:1", "y:1")


@pytest.mark.damages
def test_a_document_cut_short_is_replaced(tare):
    data = tar(*multi()[0].files())
    tare("load", input=data, check=True)
    index = tare.ok("images", "--digests", "--format", "{{.Digest}}", "multi").strip()
    blob = tare.root / "blobs/sha256" / index.split(":")[1]
    whole = blob.read_bytes()
    blob.write_bytes(whole[:10])
    tare("load", input=data, check=True)
    assert blob.read_bytes() == whole


def test_a_reload_leaves_the_other_platforms(tare, tmp_path):
    tare("load", input=tar(*multi()[0].files()), check=True)
    index = tare.ok("images", "--digests", "--format", "{{.Digest}}", "multi")
    tare.ok("save", "-o", tmp_path / "host.tar", "multi:1")
    assert index == tare.ok("images", "--digests", "--format", "{{.Digest}}", "multi") != "<none>"
    tare.ok("load", "-i", tmp_path / "host.tar")
    assert tare.ok("images", "--digests", "--format", "{{.Digest}}", "multi") == index
    tare.ok("save", "--platform", "linux/arm64", "-o", tmp_path / "arm.tar", "multi:1")
    with tarfile.open(tmp_path / "arm.tar") as archive:
        assert b'"arm64"' in b"".join(archive.extractfile(m).read() for m in archive if m.isfile())


def test_a_copied_layout_is_the_users(tare, tmp_path):
    tare("load", input=tar(*docker([layer(a="x")])), check=True)
    old = os.umask(0o022)
    try:
        tare.ok("image", "copy", "tare:x:1", "oci:%s:1" % (tmp_path / "out"))
    finally:
        os.umask(old)
    for path in (tmp_path / "out").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


def test_a_socket_in_the_place_of_a_file(tare):
    """It cannot be kept, but the file below it must not come back."""
    tare("load", input=tar(*docker([layer(a="old", b="x")])), check=True)
    tare.ok("create", "--name", "c1", "--network", "none", "x:1")
    cid = tare.ok("inspect", "-f", "{{.Id}}", "c1").strip()
    upper = tare.root / "containers" / cid / "upper"
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(upper)  # the name of a socket is short
        try:
            s.bind("a")
        finally:
            os.chdir(here)
    tare.ok("commit", "c1", "y:1")
    tare.ok("create", "--name", "c2", "--network", "none", "y:1")
    with tarfile.open(fileobj=io.BytesIO(tare("export", "c2", binary=True).out)) as archive:
        assert [m.name for m in archive if m.isfile()] == ["b"]
