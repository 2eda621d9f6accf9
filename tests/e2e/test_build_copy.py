# SPDX-License-Identifier: Apache-2.0
"""COPY, ADD and WORKDIR: trees to the last field beside docker's classic builder and buildah, and hostile trees."""
import functools
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading
import time

import pytest

import copy_trees
from copy_cases import CASES
from peers import *  # noqa: F401,F403  the fixtures

BY_NAME = {case.name: case for case in CASES}
# What the configuration of an image says beside where it is from.
CONFIG_KEYS = ("User", "WorkingDir", "Env", "Cmd", "Entrypoint", "Labels", "ExposedPorts", "Volumes")


def context(case, folder):
    folder.mkdir()
    copy_trees.make(folder, case.tree)
    lines = ["FROM scratch"]
    if case.base:
        (folder / "base.tar").write_bytes(copy_trees.archive_of([li for li in case.base.split("\n") if li]))
        lines.append("ADD base.tar /")
    (folder / "Dockerfile").write_text("\n".join(lines + [case.lines, "LABEL done=1", ""]))
    if case.ignore:
        (folder / ".dockerignore").write_text(case.ignore)
    return folder


def built(tare, case, tmp_path):
    """Result of the build, and tree and configuration if it succeeded."""
    folder = context(case, tmp_path / "ctx")
    done = tare("build", "-t", "im", "--build-arg", "SOURCE_DATE_EPOCH=%d" % time.time(), folder)
    if done.rc:
        return done, None, None
    tare.ok("save", "-o", tmp_path / "tare.tar", "im")
    return (done, *copy_trees.of_archive(tmp_path / "tare.tar"))


def config_of(text):
    """BuildKit names the directory "/" and a PATH where others say nothing."""
    config = text.get("config") or {}
    found = {key: config.get(key) or None for key in CONFIG_KEYS}
    found["Labels"] = {key: value for key, value in found["Labels"].items() if not key.startswith("io.buildah")}
    found["WorkingDir"] = found["WorkingDir"] or "/"
    return found


def with_docker(docker, folder, out):
    done = docker("build", "-q", "-t", "im", folder, check=False)
    if done.returncode:
        return None, None
    docker("save", "-o", out, "im")
    return copy_trees.of_archive(out)


def with_buildah(buildah, folder, out):
    done = buildah("bud", "--format", "docker", "-q", "-t", "im", folder, check=False)
    if done.returncode:
        return None, None
    buildah("push", "--disable-compression", "im", "docker-archive:%s:im" % out)
    return copy_trees.of_archive(out)


def differences(ours, theirs):
    return {path: (ours.get(path), theirs.get(path)) for path in sorted(set(ours) | set(theirs))
            if ours.get(path) != theirs.get(path)}


def compare(case, tare, tmp_path, peer, build):
    done, tree, config = built(tare, case, tmp_path)
    theirs, their_config = build(peer, tmp_path / "ctx", tmp_path / "peer.tar")
    if case.fails:
        assert done.rc == 1 and case.fails in done.err, done.err
        assert theirs is None
        return
    assert done.rc == 0, done.err
    assert theirs is not None
    found = differences(tree, theirs)
    assert not found, json.dumps(found, indent=1, default=str)
    assert config_of(config) == config_of(their_config) | {"Env": config_of(config)["Env"]}


@pytest.mark.parametrize("name", [case.name for case in CASES if "docker" in case.peers])
def test_as_docker(tare, docker, tmp_path, name):
    compare(BY_NAME[name], tare, tmp_path, docker, with_docker)


@pytest.mark.parametrize("name", [case.name for case in CASES if "buildah" in case.peers])
def test_as_buildah(tare, buildah, tmp_path, name):
    compare(BY_NAME[name], tare, tmp_path, buildah, with_buildah)


@pytest.mark.parametrize("name", [case.name for case in CASES if not case.peers])
def test_as_buildkit(tare, tmp_path, name):
    """What the peers do otherwise, or cannot do."""
    case = BY_NAME[name]
    done, tree, _ = built(tare, case, tmp_path)
    if case.fails:
        assert done.rc == 1 and case.fails in done.err, done.err
        return
    assert done.rc == 0, done.err
    for path, want in case.want.items():
        found = tree.get(path)
        if want is None:
            assert found is None
            continue
        got = (found["kind"], found.get("mode"), found["uid"], found["gid"], found["time"], found["data"])
        assert got == tuple(g if w is None else w for g, w in zip(got, want)), path


# ---------------------------------------------------------------- what only a look at the files shows

def build(tare, folder, dockerfile, *options, rc=0):
    (folder / "Dockerfile").write_text(dockerfile)
    done = tare("build", "-t", "im", *options, folder)
    assert done.rc == rc, done.err
    return done


def tree_of(tare, tmp_path):
    tare.ok("save", "-o", tmp_path / "tree.tar", "im")
    return copy_trees.of_archive(tmp_path / "tree.tar")[0]


@pytest.fixture
def ctx(tmp_path):
    folder = tmp_path / "ctx"
    folder.mkdir()
    return folder


def test_capabilities_and_attributes_come_along(tare, ctx, tmp_path):
    program = ctx / "p"
    program.write_text("x")
    os.setxattr(program, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.setxattr(program, "user.note", b"1")
    build(tare, ctx, "FROM scratch\nCOPY p /p\nFROM scratch\nCOPY --from=0 /p /q\n")
    assert set(tree_of(tare, tmp_path)["q"]["xattrs"]) == {"security.capability", "user.note"}


def test_devices_and_sockets_of_a_context(tare, ctx, tmp_path):
    """A socket is no part of an archive; a device is."""
    os.mknod(ctx / "null", 0o666 | 0o020000, os.makedev(1, 3))
    os.chmod(ctx / "null", 0o666)
    os.mknod(ctx / "sock", 0o600 | 0o140000)
    build(tare, ctx, "FROM scratch\nCOPY . /t/\n")
    tree = tree_of(tare, tmp_path)
    assert tree["t/null"]["kind"] == "c" and tree["t/null"]["mode"] == 0o666
    assert "t/sock" not in tree


def test_a_fifo_blocks_nobody(tare, ctx):
    os.mkfifo(ctx / "fifo")
    start = time.monotonic()
    build(tare, ctx, "FROM scratch\nCOPY fifo /t\nADD fifo /u\n")
    assert time.monotonic() - start < 10


def test_holes_stay_holes(tare, ctx, tmp_path):
    with open(ctx / "big", "wb") as file:
        file.truncate(1 << 30)
    start = time.monotonic()
    build(tare, ctx, "FROM scratch\nCOPY big /big\n", "--output", "type=local,dest=%s" % (tmp_path / "out"))
    assert time.monotonic() - start < 30
    found = os.stat(tmp_path / "out/big")
    assert found.st_size == 1 << 30 and found.st_blocks < 1000


def test_the_same_content_is_cached_whatever_its_time_and_owner(tare, ctx):
    (ctx / "f").write_text("1")
    build(tare, ctx, "FROM scratch\nCOPY f /f\n")
    os.utime(ctx / "f", (5, 5))
    os.chown(ctx / "f", 7, 7)
    assert "CACHED" in build(tare, ctx, "FROM scratch\nCOPY f /f\n").err
    (ctx / "f").chmod(0o600)
    assert "CACHED" not in build(tare, ctx, "FROM scratch\nCOPY f /f\n").err
    (ctx / "f").write_text("2")
    assert "CACHED" not in build(tare, ctx, "FROM scratch\nCOPY f /f\n").err
    (ctx / "other").write_text("3")
    assert "CACHED" in build(tare, ctx, "FROM scratch\nCOPY f /f\n").err


def test_the_umask_of_who_builds_says_nothing(tare, ctx, tmp_path):
    (ctx / "d").mkdir()
    (ctx / "d/f").write_text("1")
    (ctx / "d/f").chmod(0o666)
    (ctx / "d").chmod(0o777)
    ids = set()
    for mask in (0o000, 0o077):
        old = os.umask(mask)
        try:
            build(tare, ctx, "FROM scratch\nCOPY d /a/b\nWORKDIR /w\n", "--no-cache")
        finally:
            os.umask(old)
        ids.add(tare.ok("inspect", "-f", "{{.Id}}", "im"))
        tree = tree_of(tare, tmp_path)
        assert (tree["a"]["mode"], tree["a/b/f"]["mode"], tree["w"]["mode"]) == (0o755, 0o666, 0o755)
    assert len(ids) == 1


# ---------------------------------------------------------------- hostile trees

HOSTILE_TARGETS = ["/l/x", "/l/", "/l/a/b", "/up/x", "/abs/x", "/loop/x", "/dots/x", "/proc/self/root{outside}/x",
                   "/fd/x", "/deep/x"]


def hostile_stage(outside):
    """Links that lead out of a root that follows them with the host's eyes."""
    return "\n".join(["l l %s" % outside, "l up ../../../../../../../../..%s" % outside, "l abs /..%s" % outside,
                      "l loop loop", "l dots ..", "l fd /proc/self/fd/3", "l deep l/../%s" % outside,
                      "l etc %s" % outside])


def listing(folder):
    return sorted((str(path), path.lstat().st_mtime_ns) for path in [folder, *folder.rglob("*")])


@pytest.mark.parametrize("line", [line % target for target in HOSTILE_TARGETS for line in
                                  ("COPY x %s", "COPY d %s", "ADD a.tar %s", "WORKDIR %s")])
def test_links_of_a_stage_lead_nowhere(tare, ctx, tmp_path, line):
    outside = tmp_path / "canary"
    (outside / "a").mkdir(parents=True)
    (outside / "passwd").write_text("me:x:1:1::/:/bin/sh\n")
    before = listing(outside)
    copy_trees.make(ctx, "f 644 x X\nd 755 d\nf 644 d/y Y\na a.tar tar\n f 644 t T\n l l /etc")
    (ctx / "base.tar").write_bytes(copy_trees.archive_of(hostile_stage(outside).split("\n")))
    (ctx / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n%s\n" % line.replace("{outside}", str(outside)))
    done = tare("build", "-t", "im", ctx)
    assert done.rc in (0, 1)
    assert listing(outside) == before


@pytest.mark.parametrize("source", ["l/passwd", "up/passwd", "abs/passwd", "loop", "fd", "deep/passwd", "l", "up", "*/passwd",
                                    "l*", "proc/self/root{outside}/passwd"])
@pytest.mark.parametrize("kind", ["context", "stage"])
def test_links_of_a_source_lead_nowhere(tare, ctx, tmp_path, source, kind):
    outside = tmp_path / "canary"
    outside.mkdir()
    (outside / "passwd").write_text("secret-of-the-host")
    source = source.replace("{outside}", str(outside))
    if kind == "context":
        copy_trees.make(ctx, hostile_stage(outside))
        text = "FROM scratch\nCOPY %s /t/\n" % source
    else:
        (ctx / "base.tar").write_bytes(copy_trees.archive_of(hostile_stage(outside).split("\n")))
        text = "FROM scratch\nADD base.tar /\nFROM scratch\nCOPY --from=0 %s /t/\n" % source
    (ctx / "Dockerfile").write_text(text)
    done = tare("build", "-t", "im", ctx)
    assert done.rc in (0, 1)
    assert "secret-of-the-host" not in done.err
    if done.rc == 0:
        assert not [path for path, found in tree_of(tare, tmp_path).items() if "secret-of-the-host" in found["data"]]


@pytest.mark.parametrize("base", ["l etc {outside}", "d 755 etc\nl etc/passwd {outside}/passwd", "d 755 etc\np 644 etc/passwd",
                                  "d 755 etc\nl etc/passwd /proc/self/root{outside}/passwd"])
def test_users_come_from_the_stage_alone(tare, ctx, tmp_path, base):
    outside = tmp_path / "canary"
    outside.mkdir()
    (outside / "passwd").write_text("me:x:4242:4242::/:/bin/sh\n")
    (ctx / "base").mkdir()
    copy_trees.make(ctx / "base", base.replace("{outside}", str(outside)))
    (ctx / "x").write_text("X")
    start = time.monotonic()
    done = build(tare, ctx, "FROM scratch\nCOPY base /\nCOPY --chown=me x /x\n", rc=1)
    assert "no such user: me" in done.err and time.monotonic() - start < 10


def test_a_context_that_changes_all_the_time(tare, ctx, tmp_path):
    """A directory becomes a link to a secret and back, a thousand times: either it is copied or the build fails."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "f").write_text("secret-of-the-host")
    (ctx / "d").mkdir()
    (ctx / "d/f").write_text("harmless")
    (ctx / "evil").symlink_to(secret)
    racer = subprocess.Popen(["/usr/bin/python3", "-c", """
import ctypes, sys
libc, (a, b) = ctypes.CDLL(None), [p.encode() for p in sys.argv[1:]]
while True:
    libc.renameat2(-100, a, -100, b, 2)
""", ctx / "d", ctx / "evil"])
    try:
        for _ in range(15):
            (ctx / "Dockerfile").write_text("FROM scratch\nCOPY d /t/\n")
            done = tare("build", "--no-cache", "-t", "im", ctx)
            if done.rc == 0:
                assert not [path for path, found in tree_of(tare, tmp_path).items() if "secret" in found["data"]
                            and found["kind"] == "f"]
    finally:
        racer.kill()
        racer.wait()


def test_a_file_that_changes_while_it_is_copied_is_not_remembered_as_it_was(tare, ctx, tmp_path):
    (ctx / "f").write_text("0" * 100000)
    writer = subprocess.Popen(["/usr/bin/python3", "-c", """
import sys
while True:
    for c in "0123456789":
        with open(sys.argv[1], "r+") as f:
            f.write(c * 100000)
""", ctx / "f"])
    (ctx / "Dockerfile").write_text("FROM scratch\nCOPY f /f\n")
    try:
        for _ in range(10):
            tare("build", "-t", "im", ctx)
    finally:
        writer.kill()
        writer.wait()
    (ctx / "f").write_text("x" * 100000)
    build(tare, ctx, "FROM scratch\nCOPY f /f\n", "--output", "type=local,dest=%s" % (tmp_path / "out"))
    assert (tmp_path / "out/f").read_text() == "x" * 100000


# ---------------------------------------------------------------- what is not in the context

@pytest.fixture
def web(tmp_path):
    """An HTTP server: its folder and its URL."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, "http://127.0.0.1:%d" % server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


REMOTE = [
    ("ADD {url}/f /t/", {"t": ("d", 0o755, 0), "t/f": ("f", 0o600, 0)}),
    ("ADD {url}/f /t", {"t": ("f", 0o600, 0)}),
    ("ADD {url}/f?query=1 /t/", {"t/f": ("f", 0o600, 0)}),
    ("ADD --chmod=755 --chown=5 {url}/f /t/", {"t": ("d", 0o755, 5), "t/f": ("f", 0o755, 5)}),
    ("ADD {url}/a.tgz /t/", {"t/a.tgz": ("f", 0o600, 0)}),
    ("ADD --unpack=true {url}/a.tgz /t/", {"t/e": ("d", 0o711, 0), "t/e/f": ("f", 0o640, 0), "t/a.tgz": None}),
    ("ADD {url}/f {url}/a.tgz /t/", {"t/f": ("f", 0o600, 0), "t/a.tgz": ("f", 0o600, 0)}),
]


@pytest.mark.parametrize("line,want", REMOTE, ids=[line for line, _ in REMOTE])
def test_downloads(tare, ctx, tmp_path, web, line, want):
    folder, url = web
    copy_trees.make(folder, "f 644 f F\na a.tgz gz\n d 711 e\n f 640 e/f F")
    build(tare, ctx, "FROM scratch\n%s\n" % line.format(url=url))
    tree = tree_of(tare, tmp_path)
    for path, fields in want.items():
        found = tree.get(path)
        assert (found and (found["kind"], found["mode"], found["uid"])) == fields, path


def test_a_download_is_cached_by_its_content(tare, ctx, web):
    folder, url = web
    (folder / "f").write_text("1")
    text = "FROM scratch\nADD %s/f /f\n" % url
    build(tare, ctx, text)
    first = tare.ok("inspect", "-f", "{{.Id}}", "im")
    build(tare, ctx, text)
    assert tare.ok("inspect", "-f", "{{.Id}}", "im") == first
    (folder / "f").write_text("2")
    build(tare, ctx, text)
    assert tare.ok("inspect", "-f", "{{.Id}}", "im") != first


@pytest.mark.parametrize("instruction", ["COPY", "ADD"])
def test_a_missing_file_says_which_line(tare, ctx, instruction):
    done = build(tare, ctx, "FROM scratch\nLABEL a=b\n%s nosuch /t/\n" % instruction, rc=1)
    assert ">>> %s nosuch /t/" % instruction in done.err and "Dockerfile:3" in done.err
    assert '"/nosuch": not found' in done.err
    assert tare("inspect", "im").rc == 1


# ---------------------------------------------------------------- hostile archives

HOSTILE_ARCHIVES = {
    "a name that goes up": [("../../../../{outside}/x", "f", b"X", "")],
    "an absolute name": [("/{outside}/x", "f", b"X", "")],
    "a link, then a file in it": [("l", "l", b"", "/{outside}"), ("l/x", "f", b"X", "")],
    "a relative link, then a file in it": [("l", "l", b"", "../../../../../../../..{outside}"), ("l/x", "f", b"X", "")],
    "a second name of a file outside": [("h", "h", b"", "../../../../../..{outside}/secret")],
    "a second name through a link": [("l", "l", b"", "{outside}"), ("h", "h", b"", "l/secret")],
    "a link in the place of a directory": [("d", "d", b"", ""), ("d", "l", b"", "{outside}"), ("d/x", "f", b"X", "")],
}


@pytest.mark.parametrize("kind", ["tar", "gz", "xz"])
@pytest.mark.parametrize("name", HOSTILE_ARCHIVES)
def test_archives_stay_where_they_are_unpacked(tare, ctx, tmp_path, name, kind):
    outside = tmp_path / "canary"
    outside.mkdir()
    (outside / "secret").write_text("secret-of-the-host")
    before = listing(outside)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, what, data, link in HOSTILE_ARCHIVES[name]:
            info = tarfile.TarInfo(path.replace("{outside}", str(outside)))
            info.type = {"f": tarfile.REGTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "d": tarfile.DIRTYPE}[what]
            info.linkname, info.size, info.mode = link.replace("{outside}", str(outside)), len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    (ctx / "a").write_bytes(copy_trees.COMPRESS[kind](out.getvalue()))
    (ctx / "Dockerfile").write_text("FROM scratch\nADD a /t/\n")
    done = tare("build", "-t", "im", ctx)
    assert done.rc in (0, 1) and "secret-of-the-host" not in done.err
    assert listing(outside) == before
    if done.rc == 0:
        assert not [path for path, found in tree_of(tare, tmp_path).items() if "secret-of-the-host" in found["data"]]


def test_a_broken_archive_is_an_error(tare, ctx):
    whole = copy_trees.archive_of(["f 644 f %s" % ("x" * 5000)])
    (ctx / "a").write_bytes(whole[:2000])
    done = build(tare, ctx, "FROM scratch\nADD a /t/\n", rc=1)
    assert "unpack a" in done.err


def test_names_of_whiteouts_in_an_archive_delete_nothing(tare, ctx, tmp_path):
    (ctx / "base.tar").write_bytes(copy_trees.archive_of(["d 755 d", "f 644 d/f F"]))
    (ctx / "a").write_bytes(copy_trees.archive_of(["d 755 d", "f 644 d/.wh.f ", "f 644 d/.wh..wh..opq ", "f 644 d/g G"]))
    build(tare, ctx, "FROM scratch\nADD base.tar /\nADD a /\n")
    assert {"d/f", "d/g"} <= set(tree_of(tare, tmp_path))
