# SPDX-License-Identifier: Apache-2.0
"""tools/make-image.py writes complete, repeatable OCI layouts and refuses what cannot run."""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools/make-image.py"
BUSYBOX = shutil.which("busybox")


def make(image, program, output):
    return subprocess.run([sys.executable, TOOL, image, program, output], capture_output=True, text=True)


def blob(layout, descriptor):
    data = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert "sha256:" + hashlib.sha256(data).hexdigest() == descriptor["digest"]
    assert len(data) == descriptor["size"]
    return data


@pytest.mark.parametrize("image", ["busybox", "hello-world"])
def test_layout(tmp_path, image):
    layout = tmp_path / "a"
    assert make(image, BUSYBOX, layout).returncode == 0
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    top, = json.loads((layout / "index.json").read_text())["manifests"]
    assert top["annotations"]["org.opencontainers.image.ref.name"] == "latest"
    manifest = json.loads(blob(layout, top))
    config = json.loads(blob(layout, manifest["config"]))
    layer, = manifest["layers"]
    blob(layout, layer)
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]    # an uncompressed layer is its own diff
    assert config["os"] == "linux" and config["architecture"] == top["platform"]["architecture"]
    assert [h.get("empty_layer", False) for h in config["history"]] == [False, True]
    assert len(list((layout / "blobs/sha256").iterdir())) == 3


def test_repeatable(tmp_path):
    for name in ("a", "b"):
        assert make("busybox", BUSYBOX, tmp_path / name).returncode == 0
    assert (tmp_path / "a/index.json").read_bytes() == (tmp_path / "b/index.json").read_bytes()


def test_replaces_an_older_one(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/stale").write_text("x")
    assert make("hello-world", BUSYBOX, tmp_path / "a").returncode == 0
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["blobs", "index.json", "oci-layout"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_userland(tmp_path):
    assert make("busybox", BUSYBOX, tmp_path / "a").returncode == 0
    layer = max((tmp_path / "a/blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)
    with tarfile.open(layer) as tar:
        names = tar.getnames()
        modes = {name: tar.getmember(name).mode for name in ("tmp", "root", "bin/busybox", "etc/shadow")}
        assert names == sorted(names) and len(names) == len(set(names))
        assert modes == {"tmp": 0o1777, "root": 0o700, "bin/busybox": 0o755, "etc/shadow": 0o640}
        assert tar.getmember("bin/sh").linkname == "busybox"
        assert len({m.mtime for m in tar}) == 1


@pytest.mark.parametrize("program,says", [("/usr/bin/python3", "needs a dynamic loader"), (str(TOOL), "not a 64-bit ELF")])
def test_refuses(tmp_path, program, says):
    done = make("hello-world", program, tmp_path / "a")
    assert done.returncode != 0 and says in done.stderr
    assert list(tmp_path.iterdir()) == []
