# SPDX-License-Identifier: Apache-2.0
"""Archives that tare writes, read by other people's programs: GNU tar, Python's tarfile, bsdtar, and Go's
archive/tar in umoci. Trees are random but for their seed; a tree that comes back must be the same in every
field that the program restores."""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tarfile

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TARE_BUILD", REPO / "build")).resolve()
TOOL = BUILD / "tests/component/tare-layer-tool"
SEEDS = range(100, 106)

pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="no %s: run make build" % TOOL)


def tool(verb, folder, *args, **more):
    done = subprocess.run([TOOL, verb, folder, *map(str, args)], stderr=subprocess.PIPE, timeout=60, check=False,
                          **{"stdout": subprocess.PIPE, **more})
    assert done.returncode == 0, done.stderr
    return done.stdout


def describe(folder, drop=()):
    """The description's lines. An attribute whose name has a "=" can only be said in libarchive's notation,
    which neither GNU tar nor Go reads."""
    text = tool("describe", folder).decode("utf-8", "surrogateescape")
    for pattern in (r" user\.\w=b:[0-9a-f]*", *drop):
        text = re.sub(pattern, "", text)
    return text.splitlines()


def make(folder, seed):
    """A random tree and its archive."""
    tree, archive = folder / "tree", folder / "tree.tar"
    tree.mkdir()
    tool("make", tree, seed)
    with open(archive, "wb") as out:
        tool("write", tree, stdout=out)
    return tree, archive


@pytest.fixture(params=SEEDS)
def written(request, tmp_path):
    yield make(tmp_path, request.param)
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_gnu_tar(written, tmp_path):
    tree, archive = written
    back = tmp_path / "back"
    back.mkdir()
    done = subprocess.run(["tar", "-xpf", archive, "-C", back, "--numeric-owner", "--xattrs", "--xattrs-include=*",
                           "--warning=no-timestamp", "--warning=no-unknown-keyword"],
                          capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert describe(back) == describe(tree)


@pytest.mark.skipif(not shutil.which("bsdtar"), reason="no bsdtar here")
def test_bsdtar(written, tmp_path):
    tree, archive = written
    back = tmp_path / "back"
    back.mkdir()
    done = subprocess.run(["bsdtar", "-xpf", archive, "-C", back, "--numeric-owner"], capture_output=True,
                          timeout=60, check=False)
    # It complains of names that are not UTF-8, and keeps them as they are.
    complaints = set(done.stderr.splitlines()) - {b"bsdtar: Pathname can't be converted from UTF-8 to current locale.",
                                                  b"bsdtar: Linkname can't be converted from UTF-8 to current locale.",
                                                  b"bsdtar: Error exit delayed from previous errors."}
    assert not complaints
    # libarchive takes the fraction of a time before 1970 for a positive one; the directory that it was
    # given keeps its own time.
    drop = [r" -\d+\.\d{9}"]
    assert describe(back, drop)[1:] == describe(tree, drop)[1:]


KINDS = {stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE,
         stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFBLK: tarfile.BLKTYPE, stat.S_IFIFO: tarfile.FIFOTYPE}


def test_python_tarfile(written):
    tree, archive = written
    paths = [tree] + [pathlib.Path(folder, n) for folder, dirs, files in os.walk(tree) for n in dirs + files]
    paths = [p for p in paths if not stat.S_ISSOCK(p.lstat().st_mode)]
    with tarfile.open(archive, errors="surrogateescape") as tar:
        members = {os.path.normpath(m.name): m for m in tar}
        assert set(members) == {os.path.relpath(p, tree) for p in paths}
        for path in paths:
            st, m = path.lstat(), members[os.path.relpath(path, tree)]
            assert (m.mode, m.uid, m.gid) == (st.st_mode & 0o7777, st.st_uid, st.st_gid), path
            assert abs(m.mtime - st.st_mtime) < 1e-5, path
            if m.type == tarfile.LNKTYPE:
                assert os.path.samestat(st, os.lstat(tree / m.linkname)), path
                continue
            assert m.type == KINDS[stat.S_IFMT(st.st_mode)], path
            if m.isfile():
                assert tar.extractfile(m).read() == path.read_bytes(), path
            if m.isdev() and not m.isfifo():
                assert (m.devmajor, m.devminor) == (os.major(st.st_rdev), os.minor(st.st_rdev)), path


@pytest.mark.skipif(not shutil.which("umoci"), reason="no umoci here")
def test_go_reader_in_umoci(written, tmp_path):
    """umoci unpacks layers with Go's archive/tar, as docker and podman do."""
    tree, archive = written
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"

    def umoci(*args):
        done = subprocess.run(["umoci", *map(str, args)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    umoci("init", "--layout", layout)
    umoci("new", "--image", "%s:t" % layout)
    umoci("raw", "add-layer", "--image", "%s:t" % layout, archive)
    umoci("unpack", "--image", "%s:t" % layout, bundle)
    # It sets times by a count of nanoseconds in 64 bits, which ends in 2262.
    drop = [r" (?:\d{11}|9[3-9]\d{8})\.\d{9}(?=[ \n])", r" -2147483648\.0{9}(?=[ \n])"]
    assert describe(bundle / "rootfs", drop) == describe(tree, drop)


def test_upper_for_umoci(tmp_path):
    """Whiteouts and opaque directories mean to others what they mean to tare."""
    if not shutil.which("umoci"):
        pytest.skip("no umoci here")
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    for name in ("gone/f", "hidden/old", "kept/f"):
        (lower / name).parent.mkdir(parents=True)
        (lower / name).write_text("lower")
    (lower / "file").write_text("lower")
    (upper / "hidden").mkdir(parents=True)
    (upper / "hidden/new").write_text("upper")
    (upper / "kept").mkdir()
    os.setxattr(upper / "hidden", "trusted.overlay.opaque", b"y")
    os.mknod(upper / "gone", stat.S_IFCHR, os.makedev(0, 0))
    os.link(upper / "gone", upper / "file")
    layout, bundle = tmp_path / "layout", tmp_path / "bundle"

    def umoci(*args):
        subprocess.run(["umoci", *map(str, args)], capture_output=True, timeout=60, check=True)
    umoci("init", "--layout", layout)
    umoci("new", "--image", "%s:t" % layout)
    for verb, folder in (("write", lower), ("write-upper", upper)):
        archive = tmp_path / "layer.tar"
        archive.write_bytes(tool(verb, folder))
        umoci("raw", "add-layer", "--image", "%s:t" % layout, archive)
    umoci("unpack", "--image", "%s:t" % layout, bundle)
    root = bundle / "rootfs"
    assert sorted(str(p.relative_to(root)) for p in root.rglob("*")) == ["hidden", "hidden/new", "kept", "kept/f"]
    assert json.loads((layout / "index.json").read_text())["manifests"]
