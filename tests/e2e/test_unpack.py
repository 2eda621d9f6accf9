# SPDX-License-Identifier: Apache-2.0
"""tare-unpack, driven directly: honest archives come out exactly, hostile ones change nothing outside
the directory they were given. Archives are made by Python's tarfile, by GNU tar, or byte by byte."""
import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import pathlib
import resource
import shutil
import stat
import struct
import subprocess
import tarfile

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
UNPACK = pathlib.Path(os.environ.get("TARE_BUILD", REPO / "build")).resolve() / "tare-unpack"
SANITIZED = UNPACK.exists() and b"__asan_init" in UNPACK.read_bytes()
MTIME = 1700000000
REFUSED = 64  # the exit status is this and the error's code (storage/unpack_protocol.h)
# VFS_CAP_REVISION_2 with the effective bit, cap_net_raw permitted: what a Debian ping has.
CAP_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


class Outcome:
    def __init__(self, rc, out, err):
        self.rc, self.err = rc, err.decode("utf-8", "surrogateescape")
        self.json = json.loads(out) if out else None


def unpack(folder, archive, *args, limits=None):
    """Runs the unpacker on ARCHIVE (bytes or an open file) into FOLDER, which is made."""
    folder.mkdir(exist_ok=True)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    feed = {"stdin": archive} if hasattr(archive, "fileno") else {"input": archive}
    try:
        done = subprocess.run([UNPACK, "--dir-fd", str(fd), *args], pass_fds=(fd,), capture_output=True,
                              timeout=60, preexec_fn=limits, **feed)
    finally:
        os.close(fd)
    return Outcome(done.returncode, done.stdout, done.stderr)


class Tar:
    """A small archive in memory."""

    def __init__(self, fmt=tarfile.PAX_FORMAT):
        self.raw = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.raw, mode="w", format=fmt)

    def add(self, name, kind=tarfile.REGTYPE, data=b"", link="", **fields):
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size, info.mtime = kind, link, len(data), MTIME
        info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        for key, value in fields.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def dir(self, name, **fields):
        return self.add(name, tarfile.DIRTYPE, **fields)

    def file(self, name, data=b"", **fields):
        return self.add(name, data=data, **fields)

    def symlink(self, name, link, **fields):
        return self.add(name, tarfile.SYMTYPE, link=link, **fields)

    def hardlink(self, name, link):
        return self.add(name, tarfile.LNKTYPE, link=link)

    def bytes(self):
        self.tar.close()
        return self.raw.getvalue()


@pytest.fixture
def canary(tmp_path):
    """A directory beside the tree that no archive may change."""
    folder = tmp_path / "canary"
    folder.mkdir()
    (folder / "secret").write_text("secret")

    def look():
        return sorted((p.name, os.lstat(p).st_mtime_ns, os.lstat(p).st_mode, os.lstat(p).st_nlink,
                       p.read_bytes() if p.is_file() else b"")
                      for p in [folder, *folder.iterdir()])

    before = look()
    yield folder
    assert look() == before


def listing(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for at, dirs, files in os.walk(folder) for name in dirs + files)


def good(folder, archive, *args):
    done = unpack(folder, archive, *args)
    assert done.rc == 0, done.err
    return done.json


def bad(folder, archive, text, *args, **more):
    done = unpack(folder, archive, *args, **more)
    assert done.rc >= REFUSED and done.json is None
    assert text in done.err
    assert done.err.count("\n") == 1 and done.err.endswith("\n")


# Honest archives

def test_result(tmp_path):
    plain = Tar().dir("d").file("d/f", b"abc" * 1000).hardlink("d/g", "d/f").bytes()
    sha = "sha256:" + hashlib.sha256(plain).hexdigest()
    packed = {"plain": plain, "gzip": gzip.compress(plain), "xz": lzma.compress(plain), "bzip2": bz2.compress(plain),
              "zstd": subprocess.run(["zstd", "-qc"], input=plain, stdout=subprocess.PIPE, check=True).stdout}
    for name, data in packed.items():
        got = good(tmp_path / name, data)
        got.pop("lost")  # nobody made namespaces for it: test_confined.py
        assert got == {"diffID": sha, "size": 3000, "entries": 3, "rawFormat": name, "rawSize": len(data),
                       "rawDigest": "sha256:" + hashlib.sha256(data).hexdigest(), "plainSize": len(plain)}
        assert listing(tmp_path / name) == ["d", "d/f", "d/g"]


@pytest.mark.parametrize("data, text", [
    (b"", "the archive is empty"), (b"BZh91AY&SY0000", "bzip2"), (b"\xfd7zXZ\0\0\0", "xz"),
    (b"no tar at all" * 100, "first entry: wrong checksum in a tar header"),
    (b"short", "truncated"), (gzip.compress(bytes(9000), mtime=0)[:-1], "gzip: the archive is truncated"),
], ids=["empty", "bzip2", "xz", "text", "short", "gzip"])
def test_not_an_archive(tmp_path, data, text):
    bad(tmp_path / "t", data, text)


def run_with_outputs(tmp_path, data, *outputs, args=(), folder=None):
    """Runs the unpacker with a file for each of OUTPUTS; their contents and the answer."""
    files = {name: open(tmp_path / name, "w+b") for name in outputs}
    words = [w for name, f in files.items() for w in ("--%s-fd" % name, str(f.fileno()))]
    fds = [f.fileno() for f in files.values()]
    if folder:
        folder.mkdir()
        fds.append(os.open(folder, os.O_RDONLY))
        words += ["--dir-fd", str(fds[-1])]
    (tmp_path / "in").write_bytes(data)
    with open(tmp_path / "in", "rb") as stdin:
        done = subprocess.run([UNPACK, *words, *args], stdin=stdin, check=True, stdout=subprocess.PIPE, pass_fds=fds)
        assert stdin.tell() == 0 if "--length" in args else stdin.read() == b""
    if folder:
        os.close(fds[-1])
    for f in files.values():
        f.close()
    return [(tmp_path / name).read_bytes() for name in outputs], json.loads(done.stdout)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_outputs_and_progress(tmp_path):
    data = Tar().file("f", os.urandom(3 << 20)).bytes()
    packed = gzip.compress(data, 1)
    (raw, plain, blob, told), answer = run_with_outputs(tmp_path, packed, "raw", "plain", "blob", "progress",
                                                        folder=tmp_path / "t")
    assert raw == packed and plain == data and blob == packed
    counts = [n for (n,) in struct.iter_unpack("<Q", told)]
    assert counts == sorted(counts) and counts[-1] == len(packed)
    assert (answer["blobDigest"], answer["blobSize"], answer["blobFormat"]) == (digest(packed), len(packed), "gzip")
    assert answer["plainSize"] == len(data) and answer["entries"] == 1


def test_verify_without_outputs(tmp_path):
    _, answer = run_with_outputs(tmp_path, gzip.compress(b"no archive at all"))
    assert answer["diffID"] == digest(b"no archive at all") and answer["entries"] == 0


def test_ranges_leave_the_offset(tmp_path):
    """Two helpers may share one description of a file, so none of them moves its offset."""
    data = Tar().file("f", b"abc").bytes()
    args = ["--offset", "100", "--length", str(len(data))]
    (plain,), answer = run_with_outputs(tmp_path, bytes(100) + data + b"behind", "plain", args=args)
    assert plain == data and answer["rawDigest"] == digest(data)


def test_range_beyond_the_file(tmp_path):
    (tmp_path / "in").write_bytes(bytes(1000))
    with open(tmp_path / "in", "rb") as stdin:
        done = subprocess.run([UNPACK, "--offset", "500", "--length", "501"], stdin=stdin, capture_output=True)
    assert done.returncode >= REFUSED and b"truncated" in done.stderr


def test_max_plain(tmp_path):
    data = gzip.compress(bytes(1 << 20))
    for limit, ok in ((1 << 20, True), ((1 << 20) - 1, False)):
        done = subprocess.run([UNPACK, "--max-plain", str(limit)], input=data, capture_output=True)
        assert (done.returncode == 0) == ok and (ok or b"more than" in done.stderr)


def test_blob_of_a_plain_archive(tmp_path):
    """Compressed with zstd, to the same bytes however many processors there are."""
    data = Tar().file("f", b"".join(hashlib.sha256(b"%d" % (i // 7)).digest() for i in range(200000))).bytes()
    (blob,), answer = run_with_outputs(tmp_path, data, "blob")
    assert answer["blobFormat"] == "zstd" and answer["blobDigest"] == digest(blob) and len(blob) < len(data) / 2
    assert subprocess.run(["zstd", "-qdc"], input=blob, stdout=subprocess.PIPE, check=True).stdout == data
    for cpus in ("0", "0,1"):
        again = subprocess.run(["taskset", "-c", cpus, "sh", "-c", "exec \"$0\" --blob-fd 9 9>\"$1\" <\"$2\"", UNPACK,
                                tmp_path / "again", tmp_path / "in"], check=True, stdout=subprocess.PIPE)
        assert json.loads(again.stdout)["blobDigest"] == answer["blobDigest"]
    with open(tmp_path / "in", "rb") as f:  # through a pipe, in small pieces
        dribble = subprocess.Popen(["dd", "bs=777", "status=none"], stdin=f, stdout=subprocess.PIPE)
        piped = subprocess.run(["sh", "-c", "exec \"$0\" --blob-fd 9 9>\"$1\"", UNPACK, tmp_path / "piped"],
                               stdin=dribble.stdout, check=True, stdout=subprocess.PIPE)
        dribble.stdout.close()
        assert dribble.wait() == 0
    assert json.loads(piped.stdout)["blobDigest"] == answer["blobDigest"]


@pytest.mark.parametrize("packer", [lzma.compress, bz2.compress])
def test_blob_of_a_format_that_is_not_kept(tmp_path, packer):
    data = Tar().file("f", b"content" * 1000).bytes()
    (plain_blob,), _ = run_with_outputs(tmp_path, data, "blob")
    (blob,), answer = run_with_outputs(tmp_path, packer(data), "blob")
    assert blob == plain_blob and answer["blobFormat"] == "zstd" and answer["rawDigest"] == digest(packer(data))


def crc64(data):
    crc = 0xffffffffffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xc96c5795d7870f42 if crc & 1 else 0)
    return crc ^ 0xffffffffffffffff


def test_listing(tmp_path):
    pax = {"mtime": "1234567890.123456789"}
    attrs = {"SCHILY.xattr.user.b": "2", "SCHILY.xattr.user.a": "x", "SCHILY.xattr.trusted.c": "not restored"}
    data = (Tar().dir("./", mode=0o751, uid=7).dir("d", uid=1, gid=2, pax_headers=pax)
            .file("d/a b%\u00e9", b"content", mode=0o4755, pax_headers=attrs).hardlink("d/h", "./d/a b%\u00e9")
            .symlink("l", "../x y").add("null", tarfile.CHRTYPE, devmajor=1, devminor=3).add("p", tarfile.FIFOTYPE)
            .file("d/.wh.gone").file("d/.wh..wh..opq").file(".wh.e").dir("e").bytes())
    (listing_,), answer = run_with_outputs(tmp_path, data, "list", folder=tmp_path / "t")
    attributes = crc64(b"user.a\0001\0x" + b"user.b\0001\0002")
    none, time = "0" * 16, "%d.000000000" % MTIME
    assert listing_.decode().splitlines() == [
        "d 0751 7 0 %s 0 %s - ." % (time, none),
        "d 0755 1 2 1234567890.123456789 0 %s - d" % none,
        "f 4755 0 0 %s 7 %016x %016x d/a%%20b%%25%%C3%%A9" % (time, crc64(b"content"), attributes),
        "h 0644 0 0 %s 0 %s - d/h d/a%%20b%%25%%C3%%A9" % (time, none),
        "l 0644 0 0 %s 0 %s - l ../x%%20y" % (time, none),
        "c 0644 0 0 %s 0 %s - null 1:3" % (time, none),
        "p 0644 0 0 %s 0 %s - p" % (time, none),
        "w 0644 0 0 %s 0 %s - d/gone" % (time, none),
        "o 0644 0 0 %s 0 %s - d" % (time, none),
        "w 0644 0 0 %s 0 %s - e" % (time, none),
        "d 0755 0 0 %s 0 %s - e" % (time, none),
        "o 0755 0 0 %s 0 %s - e" % (time, none)]
    assert answer["listDigest"] == digest(listing_)


def test_listing_counts_holes(tmp_path):
    (tmp_path / "s").mkdir()
    with open(tmp_path / "s" / "f", "wb") as f:
        f.seek(100000)
        f.write(b"data")
        f.truncate(300001)
    data = subprocess.run(["tar", "cS", "-C", tmp_path / "s", "f"], stdout=subprocess.PIPE, check=True).stdout
    assert len(data) < 100000
    (lines,), _ = run_with_outputs(tmp_path, data, "list", folder=tmp_path / "t")
    assert lines.split()[5:7] == [b"300001", b"%016x" % crc64(bytes(100000) + b"data" + bytes(199997))]


def test_listing_of_many_entries(tmp_path):
    """More than one piece of it."""
    tar = Tar()
    for i in range(3000):
        tar.symlink("link%d" % i, "x" * 90)
    (lines,), answer = run_with_outputs(tmp_path, tar.bytes(), "list", folder=tmp_path / "t")
    assert lines.count(b"\n") == answer["entries"] == 3000 and answer["listDigest"] == digest(lines)


@pytest.mark.parametrize("how", ["plain", "gzip", "stream"])
def test_index(tmp_path, how):
    plain = (Tar().dir("blobs").file("./blobs/a", b"A" * 600).symlink("blobs/b", "./a").symlink("x/y", "../blobs/a")
             .symlink("out", "../../etc").symlink("abs", "/blobs//a").hardlink("h", "blobs/a")
             .add("p", tarfile.FIFOTYPE).file("last", b"Z").bytes())
    data = gzip.compress(plain) if how == "gzip" else plain
    args = [] if how == "stream" else ["--offset", "0", "--length", str(len(data))]
    (index, spool), answer = run_with_outputs(tmp_path, data, "index", "plain", args=args)
    assert answer["rawFormat"] == ("gzip" if how == "gzip" else "plain")
    assert spool == (b"" if how == "plain" else plain)
    words = index.split(b"\0")[:-1]
    members = [(*head.split(b" ", 3), link) for head, link in zip(words[::2], words[1::2])]
    assert [(m[0], m[3], m[4]) for m in members] == [
        (b"d", b"blobs", b""), (b"f", b"blobs/a", b""), (b"l", b"blobs/b", b"blobs/a"), (b"l", b"x/y", b"blobs/a"),
        (b"l", b"out", b""), (b"l", b"abs", b"blobs/a"), (b"l", b"h", b"blobs/a"), (b"f", b"last", b"")]
    for m, content in ((members[1], b"A" * 600), (members[-1], b"Z")):
        assert plain[int(m[1]):int(m[1]) + int(m[2])] == content


@pytest.mark.parametrize("how", ["plain", "gzip"])
def test_index_of_a_truncated_archive(tmp_path, how):
    plain = Tar().file("a", b"A" * 60000).bytes()[:30000]
    data = gzip.compress(plain) if how == "gzip" else plain
    (tmp_path / "in").write_bytes(data)
    with open(tmp_path / "in", "rb") as stdin:
        done = subprocess.run([UNPACK, "--index-fd", "1", "--offset", "0", "--length", str(len(data))], stdin=stdin,
                              capture_output=True)
    assert done.returncode >= REFUSED and b"truncated" in done.stderr


@pytest.mark.parametrize("args", [["--index-fd", "1", "--list-fd", "1"], ["--index-fd", "1", "--dir-fd", "1"], ["--dir-fd"], ["--dir-fd", "x"], ["--dir-fd", "999"], ["--what", "1"],
                                  ["--dir-fd", "-1"]])
def test_wrong_use(args):
    done = subprocess.run([UNPACK, *args], input=b"", capture_output=True)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1


def test_metadata(tmp_path):
    root = tmp_path / "t"
    pax = {"mtime": "1234567890.123456789"}
    tar = (Tar().dir("./", mode=0o751, uid=7, gid=8, pax_headers=pax)
           .dir("d", mode=0o2775, uid=1000, gid=100000, pax_headers=pax)
           .file("d/su", b"x", mode=0o6755, uid=1000, gid=1001, pax_headers=pax)
           .file("d/none", b"x", mode=0, uid=4000000000, gid=4000000000)
           .symlink("d/link", "anywhere", uid=5, gid=6, pax_headers=pax)
           .add("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666, uid=3, pax_headers=pax)
           .add("loop", tarfile.BLKTYPE, devmajor=7, devminor=300, mode=0o660)
           .add("pipe", tarfile.FIFOTYPE, mode=0o1622, pax_headers=pax)
           .file("d/old", mtime=-5))
    good(root, tar.bytes())

    def look(name):
        s = os.lstat(root / name)
        return stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid

    assert look(".") == (0o751, 7, 8)
    assert look("d") == (0o2775, 1000, 100000)
    assert look("d/su") == (0o6755, 1000, 1001)
    assert look("d/none") == (0, 4000000000, 4000000000)
    assert look("d/link")[1:] == (5, 6) and os.readlink(root / "d/link") == "anywhere"
    assert look("null") == (0o666, 3, 0) and look("loop") == (0o660, 0, 0) and look("pipe")[0] == 0o1622
    for name in (".", "d", "d/su", "d/link", "null", "pipe"):
        assert os.lstat(root / name).st_mtime_ns == 1234567890123456789, name
    assert os.lstat(root / "d/old").st_mtime == -5
    null, loop, pipe = (os.lstat(root / n) for n in ("null", "loop", "pipe"))
    assert stat.S_ISCHR(null.st_mode) and null.st_rdev == os.makedev(1, 3)
    assert stat.S_ISBLK(loop.st_mode) and loop.st_rdev == os.makedev(7, 300)
    assert stat.S_ISFIFO(pipe.st_mode)


def test_umask_does_not_matter(tmp_path):
    tar = Tar().dir("d", mode=0o777).file("d/f", mode=0o666).file("made/f").bytes()
    assert unpack(tmp_path / "t", tar, limits=lambda: os.umask(0o077)).rc == 0
    modes = {n: stat.S_IMODE((tmp_path / "t" / n).stat().st_mode) for n in ("d", "d/f", "made")}
    assert modes == {"d": 0o777, "d/f": 0o666, "made": 0o755}


def test_xattrs(tmp_path):
    def attrs(*pairs):
        return {"pax_headers": {"SCHILY.xattr." + k: v for k, v in pairs}}

    root = tmp_path / "t"
    cap = CAP_NET_RAW.decode("latin-1")
    tar = (Tar().file("ping", b"x", mode=0o755, uid=9, **attrs(("user.note", "hi")))
           .dir("d", **attrs(("user.d", "1"), ("trusted.overlay.opaque", "y"), ("trusted.x", "1")))
           .file("f", **attrs(("user.overlay.redirect", "/x"), ("security.selinux", "a"), ("user.f", "")))
           .symlink("s", "f", **attrs(("user.s", "1"), ("security.capability", cap))))
    good(root, tar.bytes())
    assert os.listxattr(root / "ping") == ["user.note"]
    assert os.getxattr(root / "ping", "user.note") == b"hi"
    assert os.listxattr(root / "d") == ["user.d"]
    assert os.listxattr(root / "s", follow_symlinks=False) == []
    assert "user.overlay.redirect" not in os.listxattr(root / "f") and os.getxattr(root / "f", "user.f") == b""


def test_file_capabilities_from_gnu_tar(tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    (src / "ping").write_bytes(b"x")
    os.chown(src / "ping", 1000, 1000)
    os.setxattr(src / "ping", "security.capability", CAP_NET_RAW)
    data = subprocess.run(["tar", "c", "--xattrs", "--xattrs-include=*", "-C", src, "."], check=True,
                          stdout=subprocess.PIPE).stdout
    good(tmp_path / "t", data)
    assert os.getxattr(tmp_path / "t" / "ping", "security.capability") == CAP_NET_RAW
    assert os.stat(tmp_path / "t" / "ping").st_uid == 1000


@pytest.mark.parametrize("fmt", ["gnu", "oldgnu", "pax", "ustar", "v7"])
def test_gnu_tar_formats(tmp_path, fmt):
    """What GNU tar packs, GNU tar finds unchanged after our unpacking."""
    src = tmp_path / "src"
    (src / "sub" / "deep").mkdir(parents=True)
    (src / "sub" / "f").write_bytes(os.urandom(100000))
    os.chmod(src / "sub" / "f", 0o4711)
    os.link(src / "sub" / "f", src / "sub" / "hard")
    os.symlink("f", src / "sub" / "soft")
    os.symlink("missing", src / "dangling")
    if fmt != "v7":
        os.mkfifo(src / "fifo")
    (src / "caf\u00e9").write_text("x")
    (src / os.fsdecode(b"raw\xff\xfe")).write_text("x")
    if fmt in ("gnu", "oldgnu", "pax"):
        os.chown(src / "sub" / "f", 3000000, 3000000)
        long = src / ("n" * 200) / ("m" * 200)
        long.mkdir(parents=True)
        (long / ("x" * 200)).write_text("long")
        os.symlink("t" * 900, src / "longlink")
    os.utime(src / "sub", ns=(0, MTIME * 10**9 + (5 if fmt == "pax" else 0)))
    archive = tmp_path / "a.tar"
    subprocess.run(["tar", "cf", archive, "--format", fmt, "-C", src, "."], check=True)
    with open(archive, "rb") as f:
        good(tmp_path / "t", f)
    diff = subprocess.run(["tar", "df", archive, "-C", tmp_path / "t"], capture_output=True, text=True)
    assert (diff.returncode, diff.stdout, diff.stderr) == (0, "", "")
    assert listing(tmp_path / "t") == listing(src)


@pytest.mark.parametrize("options", [["--format=gnu"], ["--format=pax", "--sparse-version=0.0"],
                                     ["--format=pax", "--sparse-version=0.1"],
                                     ["--format=pax", "--sparse-version=1.0"]])
@pytest.mark.parametrize("extents", [0, 1, 30])
def test_sparse(tmp_path, options, extents):
    src = tmp_path / "src"
    src.mkdir()
    with open(src / "sparse", "wb") as f:
        for i in range(extents):
            f.seek(i * (1 << 20) + 4096)
            f.write(bytes([65 + i]) * 4096)
        f.truncate(1 << 30)
    data = subprocess.run(["tar", "cS", *options, "-C", src, "sparse"], check=True, stdout=subprocess.PIPE).stdout
    got = good(tmp_path / "t", data)
    assert got["size"] == extents * 4096
    made = os.stat(tmp_path / "t" / "sparse")
    assert made.st_size == 1 << 30 and made.st_blocks * 512 <= extents * 4096 + 8192
    with open(tmp_path / "t" / "sparse", "rb") as a, open(src / "sparse", "rb") as b:
        assert a.read(40 << 20) == b.read(40 << 20)


def test_implied_parents_and_names(tmp_path):
    root = tmp_path / "t"
    tar = (Tar().file("/abs/file", b"1").file("./dot/./x//y", b"2").file("p/q/r", b"3")
           .dir("slash///").file("p/" + "z" * 255))
    good(root, tar.bytes())
    assert listing(root) == sorted(["abs", "abs/file", "dot", "dot/x", "dot/x/y", "p", "p/q", "p/q/r", "slash",
                                    "p/" + "z" * 255])
    made = os.stat(root / "p" / "q")
    assert (made.st_uid, stat.S_IMODE(made.st_mode), made.st_mtime) == (0, 0o755, MTIME)


def test_symlinked_parent_is_followed_inside(tmp_path):
    root = tmp_path / "t"
    tar = (Tar().dir("usr/lib").symlink("lib", "usr/lib").symlink("abs", "/usr/lib").symlink("up", "../../../usr")
           .file("lib/a").file("abs/b").file("up/lib/c").hardlink("lib/d", "abs/a").dir("lib/sub", mode=0o700))
    good(root, tar.bytes())
    assert sorted(os.listdir(root / "usr" / "lib")) == ["a", "b", "c", "d", "sub"]
    assert os.path.samefile(root / "usr/lib/a", root / "usr/lib/d")
    assert os.stat(root / "usr/lib/sub").st_mtime == os.stat(root / "usr/lib").st_mtime == MTIME


REPLACEMENTS = {
    "file by file": (lambda t: t.file("x", b"1").file("x", b"2"), stat.S_ISREG),
    "file by dir": (lambda t: t.file("x", b"1").dir("x").file("x/y"), stat.S_ISDIR),
    "dir by file": (lambda t: t.dir("x").file("x/y/z").file("x", b"2"), stat.S_ISREG),
    "dir by symlink": (lambda t: t.dir("x").file("x/y").symlink("x", "z"), stat.S_ISLNK),
    "symlink by dir": (lambda t: t.dir("z").symlink("x", "z").dir("x").file("x/y"), stat.S_ISDIR),
    "symlink by file": (lambda t: t.file("z", b"z").symlink("x", "z").file("x", b"2"), stat.S_ISREG),
    "dir by fifo": (lambda t: t.file("x/y").add("x", tarfile.FIFOTYPE), stat.S_ISFIFO),
    "fifo by file": (lambda t: t.add("x", tarfile.FIFOTYPE).file("x", b"2"), stat.S_ISREG),
    "dir by hard link": (lambda t: t.file("z").file("x/y").hardlink("x", "z"), stat.S_ISREG),
}


@pytest.mark.parametrize("case", REPLACEMENTS)
def test_replacement(tmp_path, case):
    build, kind = REPLACEMENTS[case]
    root = tmp_path / "t"
    good(root, build(Tar()).bytes())
    assert kind(os.lstat(root / "x").st_mode)
    if case == "symlink by file":
        assert (root / "z").read_bytes() == b"z" and (root / "x").read_bytes() == b"2"
    if case == "symlink by dir":
        assert os.listdir(root / "z") == [] and os.listdir(root / "x") == ["y"]


def test_duplicates_keep_directories_and_split_hard_links(tmp_path):
    root = tmp_path / "t"
    tar = (Tar().dir("d", mode=0o700).file("d/a", b"old").hardlink("d/b", "d/a").hardlink("d/b", "d/a")
           .file("d/a", b"new").dir("d", mode=0o711, mtime=5))
    good(root, tar.bytes())
    assert (root / "d/a").read_bytes() == b"new" and (root / "d/b").read_bytes() == b"old"
    assert stat.S_IMODE(os.stat(root / "d").st_mode) == 0o711 and os.stat(root / "d").st_mtime == 5


def test_replaced_parent_is_not_remembered(tmp_path):
    """The parent of the last entry is kept open; what its name means may change under it."""
    root = tmp_path / "t"
    tar = (Tar().dir("a/b").file("a/b/1").dir("c/b").symlink("l", "a").file("l/b/2").symlink("l", "c")
           .file("l/b/3").file("l", b"x").dir("l/").file("l/b/4"))
    good(root, tar.bytes())
    assert listing(root) == sorted(["a", "a/b", "a/b/1", "a/b/2", "c", "c/b", "c/b/3", "l", "l/b", "l/b/4"])


# Whiteouts (image-spec layer.md#whiteouts) in overlayfs' form

def is_whiteout(path):
    s = os.lstat(path)
    return stat.S_ISCHR(s.st_mode) and s.st_rdev == 0


def is_opaque(path):
    return "trusted.overlay.opaque" in os.listxattr(path) and os.getxattr(path, "trusted.overlay.opaque") == b"y"


def test_whiteouts(tmp_path):
    root = tmp_path / "t"
    tar = (Tar().file("etc/.wh.gone").dir("var").file("var/.wh..wh..opq").file("var/new")
           .dir("both").file("both/keep").file(".wh.both").file(".wh.late").file("late/inner")
           .file(".wh.later").dir("later").file("mine").file(".wh.mine").file(".wh.twice").file(".wh.twice")
           .hardlink(".wh.linked", ".wh.twice"))
    good(root, tar.bytes())
    assert is_whiteout(root / "etc/gone") and is_whiteout(root / "twice") and is_whiteout(root / "linked")
    assert is_opaque(root / "var") and (root / "var/new").exists()
    assert is_opaque(root / "both") and (root / "both/keep").exists()
    assert is_opaque(root / "late") and is_opaque(root / "later") and (root / "late/inner").exists()
    assert stat.S_ISREG(os.lstat(root / "mine").st_mode)
    assert not [n for n in listing(root) if ".wh." in n]
    assert not is_opaque(root / "etc")


@pytest.mark.parametrize("name", [".wh.", "d/.wh.", ".wh..", "d/.wh..."])
def test_illegal_whiteouts(tmp_path, name):
    bad(tmp_path / "t", Tar().file(name).bytes(), "entry %s: illegal name of a whiteout" % name)


def test_odd_whiteouts(tmp_path):
    # docker goes by the name alone.
    good(tmp_path / "t", (Tar().dir(".wh.x").file(".wh..wh.aufs").dir(".wh..wh.plnk").file(".wh..wh.plnk/1.2")).bytes())
    assert os.listdir(tmp_path / "t") == ["x"] and is_whiteout(tmp_path / "t/x")
    bad(tmp_path / "u", Tar().file(".wh.x").hardlink("y", "x").bytes(), "entry y: hard link target x")


# Hostile archives

ESCAPES = {
    "symlink": lambda t, c: t.symlink("a", str(c)).file("a/x", b"evil"),
    "symlink relative": lambda t, c: t.symlink("a", "../canary").file("a/x", b"evil"),
    "symlink to file": lambda t, c: t.symlink("a", str(c / "secret")).file("a", b"evil"),
    "symlink chain": lambda t, c: t.symlink("a", "b").symlink("b", str(c)).file("a/x"),
    "symlink in a made parent": lambda t, c: t.symlink("d/a", "../../canary").file("d/a/b/c"),
    "dir over symlink": lambda t, c: t.symlink("a", str(c)).dir("a", mode=0o777, mtime=1),
    "dir below symlink": lambda t, c: t.symlink("a", str(c)).dir("a/x", mode=0o777),
    "chmod through symlink": lambda t, c: t.symlink("a", str(c / "secret")).hardlink("b", "a").file("b", mode=0o777),
    "hard link absolute": lambda t, c: t.hardlink("a", str(c / "secret")).file("a", b"evil"),
    "hard link through symlink": lambda t, c: t.symlink("s", str(c)).hardlink("a", "s/secret"),
    "hard link to symlink": lambda t, c: t.symlink("s", str(c / "secret")).hardlink("a", "s").file("a", b"evil"),
    "dot dot": lambda t, c: t.file("../canary/x"),
    "dot dot inside": lambda t, c: t.file("a/../../canary/x"),
    "dot dot last": lambda t, c: t.dir("a/.."),
    "hard link dot dot": lambda t, c: t.hardlink("a", "../canary/secret"),
    "absolute": lambda t, c: t.file(str(c / "x"), b"evil"),
    "whiteout": lambda t, c: t.symlink("a", str(c)).file("a/.wh.secret"),
    "opaque": lambda t, c: t.symlink("a", str(c)).file("a/.wh..wh..opq"),
    "whiteout dot dot": lambda t, c: t.file("a/../../canary/.wh.secret"),
    "device": lambda t, c: t.symlink("a", str(c)).add("a/null", tarfile.CHRTYPE, devmajor=1, devminor=3),
    "removal through symlink": lambda t, c: t.symlink("a", str(c)).file("a", b"x").dir("a"),
    "proc": lambda t, c: t.symlink("a", "/proc/self/root" + str(c)).file("a/x"),
    "swap": lambda t, c: t.dir("a").file("a/1").symlink("a", str(c)).file("a/2").dir("a").file("a/3"),
}


@pytest.mark.parametrize("case", ESCAPES)
@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_escape(tmp_path, canary, case, fmt):
    """Followed inside the tree, replaced, or refused: what stands outside is as it was (see canary)."""
    done = unpack(tmp_path / "t", ESCAPES[case](Tar(fmt), canary).bytes())
    assert done.rc == 0 or done.err.startswith("entry ")
    assert sorted(os.listdir(tmp_path)) == ["canary", "t"]


REFUSALS = {
    "dot dot": (lambda t: t.file("a/../b"), 'entry a/../b: name contains ".."'),
    "empty": (lambda t: t.file(""), "entry : empty name"),
    "root as a file": (lambda t: t.file("./."), "entry ./.: the root is not a directory"),
    "root as a symlink": (lambda t: t.symlink("/", "x"), "the root is not a directory"),
    "symlink loop": (lambda t: t.symlink("a", "b").symlink("b", "a").file("a/x"), "entry a/x: "),
    "dangling parent": (lambda t: t.symlink("a", "none").file("a/x"), "entry a/x: "),
    "file as parent": (lambda t: t.file("a").file("a/x"), "entry a/x: "),
    "hard link to nothing": (lambda t: t.hardlink("a", "none"), "entry a: hard link target none: "),
    "hard link to a later entry": (lambda t: t.hardlink("a", "b").file("b"), "entry a: hard link target b: "),
    "hard link to a directory": (lambda t: t.dir("d").hardlink("a", "d"), "entry a: hard link to a directory"),
    "hard link to the root": (lambda t: t.hardlink("a", "."), "entry a: hard link to a directory"),
    "hard link to what it replaces": (lambda t: t.file("d/f").hardlink("d", "d/f"), "entry d: hard link to d/f"),
    "long component": (lambda t: t.file("x" * 256), "file name too long"),
    "long path": (lambda t: t.file("/".join(["x" * 200] * 21)), "name longer than 4096 bytes"),
    "deep": (lambda t: t.file("d/" * 255 + "f"), "deeper than 255 directories"),
    "owner": (lambda t: t.file("f", uid=1 << 32), "entry f: owner 4294967296:0 out of range"),
    "control characters": (lambda t: t.file("a\x1b[2J\n/../b"), "entry a\\033[2J\\012/../b: name contains"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(tmp_path, canary, case):
    build, text = REFUSALS[case]
    bad(tmp_path / "t", build(Tar()).bytes(), text)


def test_depth_through_symlinks(tmp_path):
    """A short name can be deep when it goes through a symlink that is."""
    deep = "/".join("d" * 200)
    tar = Tar().dir(deep).symlink("s", deep).dir("s/" + "/".join("e" * 100))
    bad(tmp_path / "t", tar.bytes(), "deeper than 255 directories")
    shutil.rmtree(tmp_path / "t")


def test_hard_link_to_symlink_is_the_symlink(tmp_path):
    good(tmp_path / "t", Tar().symlink("s", "/etc/passwd").hardlink("h", "s").bytes())
    assert os.readlink(tmp_path / "t" / "h") == "/etc/passwd"


def test_truncated_at_each_block(tmp_path):
    tar = Tar().dir("d").file("d/f", b"x" * 3000).symlink("s", "d").bytes()
    for cut in range(0, 7 * 512, 512):
        done = unpack(tmp_path / ("t%d" % cut), tar[:cut])
        assert done.rc >= REFUSED and ("truncated" in done.err or "empty" in done.err)


# Bombs: cut off soon, with little memory

def small_memory():
    if not SANITIZED:  # which needs terabytes of address space itself
        resource.setrlimit(resource.RLIMIT_DATA, (96 << 20, 96 << 20))


def test_byte_limit(tmp_path):
    bomb = gzip.compress(Tar().file("zeros", bytes(64 << 20)).bytes())
    bad(tmp_path / "t", bomb, "entry zeros: more than 1048576 bytes of file data", "--limit-bytes", "1048576",
        limits=small_memory)
    assert listing(tmp_path / "t") == []


def header(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def test_more_than_the_disk(tmp_path):
    bad(tmp_path / "t", header("huge", 1 << 60) + bytes(4096), "entry huge: no space", limits=small_memory)
    assert listing(tmp_path / "t") == []


@pytest.mark.parametrize("tar, text", [
    (Tar().file("a", bytes(3 << 20)).file("b", bytes(900000)).bytes(), "entry b: no space: less than 5 % of the disk"),
    (b"".join(header("f%d" % i, 0) for i in range(200)) + bytes(1024), "no space: less than 5 % of the inodes"),
], ids=["bytes", "inodes"])
def test_reserve_of_the_disk(tmp_path, tar, text):
    script = "mount -t tmpfs -o size=4m,nr_inodes=200 t \"$1\" && exec 9<\"$1\" && exec \"$0\" --dir-fd 9"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, UNPACK, tmp_path], input=tar, capture_output=True)
    assert done.returncode >= REFUSED and text in done.stderr.decode()


def test_metadata_bomb(tmp_path):
    record = b"1048000 comment=" + b"x" * (1048000 - 17) + b"\n"
    pax = tarfile.TarInfo("x")
    pax.type, pax.size = tarfile.XHDTYPE, len(record)
    one = pax.tobuf(tarfile.USTAR_FORMAT) + record + bytes(-len(record) % 512) + header("f", 0)
    bad(tmp_path / "t", gzip.compress(one, 1) * 270, "more than 256 MiB of metadata", limits=small_memory)


def test_extended_headers_without_end(tmp_path):
    pax = tarfile.TarInfo("x")
    pax.type = tarfile.XHDTYPE
    bad(tmp_path / "t", pax.tobuf(tarfile.USTAR_FORMAT) * 100000, "more than 16 extended headers in a row")


def test_nested_zeros_behind_the_end(tmp_path):
    """What follows the end of the archive costs neither memory nor disk, and not for ever time."""
    data = gzip.compress(Tar().file("f").bytes() + bytes(15 << 20), 1)
    done = unpack(tmp_path / "t", data, limits=small_memory)
    assert done.rc == 0 and listing(tmp_path / "t") == ["f"]
    data = gzip.compress(Tar().file("f").bytes() + bytes(200 << 20), 1)
    bad(tmp_path / "u", data, "more than 16 MiB behind the end of the archive", limits=small_memory)


def test_many_hard_links(tmp_path):
    """More links than the filesystem can count are one clear error (ext4: 65,000)."""
    tar = Tar(tarfile.USTAR_FORMAT).file("f")
    for i in range(65100):
        tar.hardlink("l%d" % i, "f")
    done = unpack(tmp_path / "t", tar.bytes(), limits=small_memory)
    assert done.rc == 0 or ("entry l" in done.err and "too many links" in done.err)
    shutil.rmtree(tmp_path / "t")


@pytest.mark.skipif(SANITIZED, reason="has a memory of its own")
@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_memory_does_not_grow(tmp_path, kind):
    """Unpacked, listed and kept: at most 40 MiB, which the four threads that compress stay below too."""
    (tmp_path / "t").mkdir()
    data = header("big", 160 << 20) + (os.urandom(1 << 19) + bytes(1 << 19)) * 160 + bytes(1024)
    child = subprocess.Popen(["sh", "-c", 'exec "$0" --dir-fd 7 --list-fd 8 --blob-fd 9 7<t 8>list 9>blob', UNPACK],
                             cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    child.stdin.write(gzip.compress(data, 1) if kind == "gzip" else data)
    # All but what the pipe holds has been read, and the end has not come.
    with open("/proc/%d/status" % child.pid) as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    child.stdin.close()
    assert child.wait() == 0 and 4 << 10 < peak <= 40 << 10
    for name in ("blob", "t/big"):
        (tmp_path / name).unlink()


# Calls that fail: an error that is told, or it made no difference

def rich():
    return (Tar().dir("d", mode=0o2775, uid=7).file("d/f", b"abc" * 100000, uid=7).symlink("d/s", "f").hardlink("h", "d/f")
            .file("x", b"x", mode=0o4755, pax_headers={"SCHILY.xattr.user.a": "b"}).file("d/.wh.gone")
            .dir("own/sub").file(".wh.own").file("again/f").file(".wh.again").dir("again", mode=0o700)
            .file(".wh.white").dir("white").file(".wh.implied").file("implied/f").file(".wh.w").symlink("lib", "d")
            .file("lib/g", b"through").file("d/f", b"again").dir("gone").file("gone/f").symlink("gone", "d")
            .add("null", tarfile.CHRTYPE, devmajor=1, devminor=3).file("d/.wh..wh..opq").bytes())


def outcome(tmp_path, data, inject=None):
    """Status, and what there is afterwards: answer, listing, blob and what stat(2) says of the tree."""
    shutil.rmtree(tmp_path, ignore_errors=True)
    (tmp_path / "t").mkdir(parents=True)
    (tmp_path / "in").write_bytes(data)
    trace = ["strace", "-f", "-qq", "-o", tmp_path / "trace", "-e", "trace=" + inject.split(":")[0],
             "-e", "inject=" + inject] if inject else []
    script = 'exec "$@" 7<t 8>list 9>blob 6>told <in'
    done = subprocess.run(["sh", "-c", script, "sh", *trace, UNPACK, "--dir-fd", "7", "--list-fd", "8", "--blob-fd", "9",
                           "--progress-fd", "6"], cwd=tmp_path, capture_output=True)
    tree = sorted((os.path.relpath(p, tmp_path), s.st_mode, s.st_uid, s.st_gid, s.st_nlink, s.st_size, s.st_rdev,
                   s.st_mtime_ns if s.st_rdev or not stat.S_ISCHR(s.st_mode) else 0)  # a whiteout's is now
                  for at, dirs, files in os.walk(tmp_path / "t") for p in [os.path.join(at, n) for n in dirs + files]
                  for s in [os.lstat(p)])
    made = (done.stdout, (tmp_path / "list").read_bytes(), (tmp_path / "blob").read_bytes(), tree)
    hit = bool(inject) and "INJECTED" in (tmp_path / "trace").read_text()
    return done.returncode, made, hit, done.stderr


@pytest.mark.skipif(SANITIZED, reason="makes calls of its own")
@pytest.mark.parametrize("call", ["write", "pwrite64", "close", "fchown", "fchmod", "utimensat", "fsetxattr", "mkdirat",
                                  "symlinkat", "linkat", "mknodat", "openat", "openat2", "read", "newfstatat"])
def test_failing_calls(tmp_path, call):
    good_rc, good_made, _, text = outcome(tmp_path / "w", rich())
    assert good_rc == 0, text
    failed = 0
    for nth in range(1, 60):
        rc, made, hit, text = outcome(tmp_path / "w", rich(), "%s:error=ENOSPC:when=%d" % (call, nth))
        if not hit:
            break
        failed += rc != 0
        assert rc != 0 or made == good_made, (nth, text)
    assert failed, "not one failure was seen"


def test_answer_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([UNPACK], input=b"x", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode >= REFUSED and b"write the result" in done.stderr
