# SPDX-License-Identifier: Apache-2.0
"""Contexts of a build: directories, archives, git repositories, URLs, layouts; what is read of them and what
is not, and those that an enemy made."""
import bz2
import gzip
import http.server
import io
import json
import lzma
import os
import pathlib
import signal
import socket
import ssl
import stat
import subprocess
import tarfile
import threading
import time

import pytest

from archives import Layout, config, layer, member, tar
from conftest import wait_until

COPY_ALL = "FROM scratch\nCOPY . /\n"


def write(folder, **files):
    """Files below FOLDER; "__" in a name is a slash, "_" in front a dot."""
    for name, text in files.items():
        path = pathlib.Path(folder, name.replace("__", "/").replace("DOT", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def tree(folder):
    """{path: text} of the files below FOLDER; directories end with a slash, links point."""
    found = {}
    for base, dirs, names in os.walk(folder):
        for name in dirs + names:
            path = pathlib.Path(base, name)
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = "-> " + os.readlink(path)
            elif path.is_dir():
                found[key + "/"] = ""
            else:
                found[key] = path.read_text(errors="replace")
    return found


@pytest.fixture
def build(tare, tmp_path):
    """build(CONTEXT, ...) is what the target's file tree is; build.fails(...) what is said."""
    class Build:
        n = 0

        def __call__(self, *args, **more):
            self.n += 1
            out = tmp_path / f"out{self.n}"
            self.log = tare("build", "--progress=plain", "-o", out, *args, check=True, **more).err
            return tree(out)

        def fails(self, *args, **more):
            got = tare("build", "--progress=plain", "-o", tmp_path / "none", *args, **more)
            assert got.rc == 1, got
            assert not (tmp_path / "none").exists()
            return got.err.rstrip("\n").split("\n")[-1]
    return Build()


# ---------------------------------------------------------------- directories

def test_a_directory(build, tmp_path):
    c = write(tmp_path / "c", Dockerfile=COPY_ALL, a="1", d__b="2", DOTdockerignore="d\n!d/b\nDockerfile\n.dockerignore\n")
    assert build(c) == {"a": "1", "d/": "", "d/b": "2"}
    assert build(".", cwd=c) == {"a": "1", "d/": "", "d/b": "2"}


def test_the_dockerfile_elsewhere(build, tmp_path):
    c = write(tmp_path / "c", a="1", D="FROM scratch\nCOPY a /b\n")
    write(tmp_path / "o", D="FROM scratch\nCOPY a /c\n")
    assert build("-f", tmp_path / "o/D", c) == {"c": "1"}
    assert build("-f", "../o/D", ".", cwd=c) == {"c": "1"}
    assert build("-f", "D", ".", cwd=c) == {"b": "1"}
    assert build("-f", "-", c, input="FROM scratch\nCOPY a /d\n") == {"d": "1"}


def test_whose_ignore_file_counts(build, tmp_path):
    c = write(tmp_path / "c", a="1", b="2", Dockerfile=COPY_ALL, DOTdockerignore="a\nD*\n.d*\n")
    assert build(c) == {"b": "2"}
    write(c, DockerfileDOTdockerignore="b\nD*\n.d*\n")
    assert build(c) == {"a": "1"}
    write(tmp_path, own="*\n!a\n!b\n")
    assert build("--ignorefile", tmp_path / "own", c) == {"a": "1", "b": "2"}


def test_ignored_files_are_not_there(build, tmp_path):
    c = write(tmp_path / "c", a="1", Dockerfile="FROM scratch\nCOPY a /\n", DOTdockerignore="a\n")
    assert build.fails(c).endswith('"/a": not found')


@pytest.mark.parametrize("args, expected", [
    (["nosuch"], 'unable to prepare context: path "nosuch" not found'),
    (["c/a"], "unable to prepare context: context must be a directory: c/a"),
    (["c"], "failed to read dockerfile: open Dockerfile: no such file or directory"),
    (["-f", "c/x", "c"], "failed to read dockerfile: open x: no such file or directory"),
    (["-f", "nosuch/x", "c"], "failed to read dockerfile: open x: no such file or directory"),
    (["-f", "c", "c"], "failed to read dockerfile: read c: is a directory"),
    (["-f", "-", "-"], "invalid argument: can't use stdin for both build context and dockerfile"),
    (["-f", "c/a", "-"], "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles"),
])
def test_bad_input(build, tmp_path, args, expected):
    write(tmp_path / "c", a="1")
    assert build.fails(*args, cwd=tmp_path, input="FROM scratch\n").endswith(expected)


def special(path, kind):
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(path))
    else:
        path.symlink_to(kind)


@pytest.mark.parametrize("kind", ["fifo", "directory", "device", "socket", "/etc/passwd", "../canary", "Dockerfile", "/dev/zero"])
@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore", ".containerignore"])
def test_what_is_no_file_of_the_context(build, tmp_path, name, kind):
    """In bounded time, with nothing of the host's in what is said or made."""
    write(tmp_path, canary="canary\n")
    c = write(tmp_path / "c", a="1")
    if name != "Dockerfile":
        write(c, Dockerfile="FROM scratch\nCOPY a /\n")
    special(c / name, kind)
    start = time.monotonic()
    if name != "Dockerfile" and ("/" in kind or kind == "Dockerfile"):
        assert build(c) == {"a": "1"}       # a link to nothing, or to a file whose patterns are none of "a"
    else:
        said = build.fails(c)
        assert "canary" not in said and "root:" not in said
        assert any(words in said for words in ("not a regular file", "is a directory", "no such file or directory",
                                               "too many levels of symbolic links"))
    assert time.monotonic() - start < 10


def test_odd_things_in_a_context(tare, tmp_path):
    """Links lead nowhere, FIFOs are not waited for."""
    c = write(tmp_path / "c", Dockerfile="FROM scratch\nCOPY d /d\n", d__a="1")
    (c / "d/loop").symlink_to(".")
    (c / "d/out").symlink_to("/etc/passwd")
    os.mkfifo(c / "d/fifo")
    special(c / "d/sock", "socket")
    tare.ok("build", "-o", f"type=tar,dest={tmp_path}/o.tar", c)
    with tarfile.open(tmp_path / "o.tar") as archive:
        names = {m.name.rstrip("/"): m for m in archive}
    assert names["d/a"].isfile() and names["d/loop"].issym() and names["d/out"].linkname == "/etc/passwd"
    assert names["d/fifo"].isfifo() and not names.get("d/sock", member("x")[0]).ischr()


# ---------------------------------------------------------------- standard input

def packed(**files):
    return tar(*[(name.replace("__", "/"), text.encode()) for name, text in files.items()])


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
def test_an_archive(build, compress):
    assert build("-", input=compress(packed(Dockerfile=COPY_ALL, a="1", d__b="2"))) == {
        "Dockerfile": COPY_ALL, "a": "1", "d/": "", "d/b": "2"}


def test_an_archive_has_its_dockerfile_inside(build):
    data = packed(Dockerfile="FROM nosuch\n", x__D="FROM scratch\nCOPY a /b\n", a="1")
    assert build("-f", "x/D", "-", input=data) == {"b": "1"}
    assert build.fails("-f", "y/D", "-", input=data).endswith("open y/D: no such file or directory")


def test_a_dockerfile_alone(build):
    assert build("-", input="FROM scratch\nCOPY <<x /\nhi\nx\n") == {"x": "hi\n"}
    assert build.fails("-", input="FROM scratch\nCOPY a /\n").endswith('"/a": not found')


def test_an_archive_from_a_slow_pipe(tare, tmp_path):
    """The first bytes come one by one, and are not lost."""
    data = packed(Dockerfile=COPY_ALL, a="1" * 100000)
    child = tare.popen("build", "-o", tmp_path / "out", "-")
    for i in range(600):
        child.stdin.write(data[i:i + 1])
        child.stdin.flush()
    child.stdin.write(data[600:])
    child.stdin.close()
    child.stdin = None
    assert child.wait(60) == 0, child.stderr.read()
    assert tree(tmp_path / "out")["a"] == "1" * 100000


def test_names_that_layers_know_are_names_here(build):
    """.wh. means something in a layer, nothing in a context."""
    data = packed(Dockerfile="FROM scratch\nCOPY d /d\n", d__a="1", **{"d__.wh.a": "2"})
    with_marker = build("-", input=data)
    assert with_marker["d/a"] == "1"


def link(name, target, kind=tarfile.SYMTYPE):
    return member(name, type=kind, linkname=target)


HOSTILE = {
    "the Dockerfile is a link out": [link("Dockerfile", "/etc/canary"), ("a", b"1")],
    "and by ..": [link("Dockerfile", "../../../../../../../../etc/canary")],
    "the Dockerfile is a hard link out": [link("Dockerfile", "/etc/canary", tarfile.LNKTYPE)],
    "a directory that is a link": [link("d", "/etc"), link("Dockerfile", "d/canary")],
    "a device": [member("Dockerfile", type=tarfile.CHRTYPE, devmajor=1, devminor=5)],
    "a FIFO": [member("Dockerfile", type=tarfile.FIFOTYPE)],
    "a directory": [member("Dockerfile", type=tarfile.DIRTYPE)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_dockerfile(build, name):
    canary = pathlib.Path("/etc/canary")
    canary.write_text("FROM scratch\nLABEL canary=read\n")
    try:
        said = build.fails("-", input=tar(*HOSTILE[name]))
        assert canary.read_text() == "FROM scratch\nLABEL canary=read\n"
    finally:
        canary.unlink()
    assert "LABEL" not in said


WRITES = {
    "a link, then a file through it": [link("d", "{}"), ("d/f", b"x")],
    "..": [("../f", b"x"), ("a/../../f", b"x")],
    "an absolute name": [("{}/f", b"x")],
    "a link over a directory": [member("d", type=tarfile.DIRTYPE), link("d", "{}"), ("d/f", b"x")],
    "a hard link to a link": [link("l", "{}"), link("h", "l", tarfile.LNKTYPE), ("h/f", b"x")],
}


@pytest.mark.parametrize("name", WRITES)
def test_a_hostile_archive_writes_nothing_outside(tare, tmp_path, name):
    target = tmp_path / "target"
    target.mkdir()
    members = [("Dockerfile", COPY_ALL.encode())]
    for m in WRITES[name]:
        info, data = m if isinstance(m[0], tarfile.TarInfo) else member(*m)
        info.name, info.linkname = info.name.format(target), info.linkname.format(target)
        members.append((info, data))
    tare("build", "-o", tmp_path / "out", "-", input=tar(*members))
    assert list(target.iterdir()) == []
    assert not (tmp_path / "f").exists()


# ---------------------------------------------------------------- git

def git(folder, *args):
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "e@x", "GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "e@x",
           "GIT_AUTHOR_DATE": "2005-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2005-01-02T03:04:05Z"}
    return subprocess.run(["git", "-C", str(folder), *args], env=env, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE).stdout.decode().strip()


class Repositories:
    """Repositories of a test, handed out by git's own server."""

    def __init__(self, base):
        self.base, self.daemon = base, None
        base.mkdir()

    def make(self, name):
        folder = self.base / name
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        (folder / ".git/git-daemon-export-ok").touch()
        return folder

    def commit(self, folder, message="m"):
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", message)
        return git(folder, "rev-parse", "HEAD")

    def serve(self):
        self.daemon = subprocess.Popen(["git", "daemon", f"--base-path={self.base}", "--listen=127.0.0.1", "--reuseaddr",
                                        "--export-all"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True)

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", 9418)) == 0
        wait_until(answers, "git's server")

    def close(self):
        if self.daemon:
            os.killpg(self.daemon.pid, signal.SIGKILL)
            self.daemon.wait()


@pytest.fixture
def repos(tare, tmp_path):
    made = Repositories(tmp_path / "repos")
    yield made
    made.close()


@pytest.fixture
def app(repos):
    """Two commits, the first one tagged, a branch, a submodule, links."""
    lib = write(repos.make("lib"), code="lib")
    repos.commit(lib)
    app = write(repos.make("app"), Dockerfile=COPY_ALL, a="1", sub__Dockerfile="FROM scratch\nCOPY x /y\n", sub__x="in sub",
                DOTdockerignore="a\n")
    (app / "alias").symlink_to("sub")
    (app / "etc").symlink_to("/etc")
    (app / "sub/up").symlink_to("../..")
    first = repos.commit(app, "first")
    git(app, "tag", "-a", "-m", "t", "v1")
    git(app, "branch", "old")
    write(app, a="2")
    git(app, "-c", "protocol.file.allow=always", "submodule", "-q", "add", str(repos.base / "lib"), "vendor")
    git(app, "config", "-f", ".gitmodules", "submodule.vendor.url", "git://127.0.0.1/lib")
    second = repos.commit(app, "second")
    repos.serve()
    return {"first": first, "second": second, "url": "git://127.0.0.1/app", "folder": app}


def test_a_repository(build, app):
    got = build(app["url"])
    assert got["a"] == "2" and got["vendor/code"] == "lib" and got["alias"] == "-> sub"
    assert not any(part.startswith(".git/") or part.endswith(("/.git", "/.git/")) for part in got)


@pytest.mark.parametrize("how", ["#v1", "#old", "#refs/tags/v1", "?tag=v1", "?branch=old", "?ref=v1", "#{first}", "#{short}",
                                 "?commit={first}", "?ref=old&checksum={short}"])
def test_a_commit_of_it(build, app, how):
    assert build(app["url"] + how.format(first=app["first"], short=app["first"][:10]))["a"] == "1"


def test_a_part_of_it(build, app):
    for how in ("#:sub", "#v1:sub", "?subdir=sub", "#:alias", "#:/sub/"):
        assert build(app["url"] + how) == {"y": "in sub"}


@pytest.mark.parametrize("subdir", ["..", "../..", "sub/../..", "etc", "/etc", "sub/up", "sub/up/..", "nosuch", "a", ".git"])
def test_no_part_is_outside(build, app, subdir):
    said = build.fails(app["url"] + "#:" + subdir)
    assert "leads out of the repository" in said or "no such file or directory" in said or "not a directory" in said


@pytest.mark.parametrize("how, expected", [
    ("#nosuch", "couldn't find remote ref nosuch"),
    ("#0123456789", "repository does not contain ref 0123456789"),
    ("?ref=main&checksum=0123456789", "expected checksum to match 0123456789, got "),
    ("#--upload-pack=touch", 'invalid git ref "--upload-pack=touch"'),
    ("?what=1", 'unexpected query "what"'),
])
def test_what_is_not_in_it(build, app, how, expected):
    assert expected in build.fails(app["url"] + how)


def test_no_repository(build, app):
    assert "failed to fetch remote git://127.0.0.1/nosuch" in build.fails("git://127.0.0.1/nosuch")
    assert "unable to connect" in build.fails("git://127.0.0.1:9/x")


def test_its_own_directory_can_be_kept(build, app):
    kept = build("--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", app["url"])
    assert ".git/HEAD" in kept and ".git/FETCH_HEAD" not in kept
    assert ".git/HEAD" in build(app["url"] + "?keep-git-dir=1")
    assert "vendor/code" not in build(app["url"] + "?submodules=false")


def test_its_times_can_be_kept(tare, app, tmp_path):
    tare.ok("build", "-o", tmp_path / "out", app["url"] + "?mtime=commit")
    assert int((tmp_path / "out/a").stat().st_mtime) == 1104635045


def test_add_of_a_repository(build, app, tmp_path):
    c = write(tmp_path / "c", Dockerfile=f"FROM scratch\nADD {app['url']}#v1 /src\n")
    got = build(c)
    assert got["src/a"] == "1" and "src/.git/" not in got
    write(c, Dockerfile=f"FROM scratch\nADD --keep-git-dir=true {app['url']} /src\n")
    assert "src/.git/HEAD" in build(c)
    write(c, Dockerfile=f"FROM scratch\nADD --checksum={'0' * 40} {app['url']}#v1 /src\n")
    assert "expected checksum to match" in build.fails(c)


def test_git_executes_nothing_of_anybody(build, app, tmp_path):
    """Neither the repository nor the user's settings name programs that are run."""
    mark = tmp_path / "mark"
    home = tmp_path / "home"
    home.mkdir()
    script = home / "hook"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    write(home, DOTgitconfig=f"[core]\n\thooksPath = {home}\n\tfsmonitor = {script}\n\tsshCommand = {script}\n"
          f"\taskPass = {script}\n[credential]\n\thelper = !{script}\n[filter \"x\"]\n\tsmudge = {script}\n\tprocess = {script}\n"
          f"[url \"ext::{script} \"]\n\tinsteadOf = git://\n[protocol \"ext\"]\n\tallow = always\n")
    (home / "post-checkout").symlink_to("hook")
    (home / "reference-transaction").symlink_to("hook")
    folder = app["folder"]
    write(folder, DOTgitattributes="* filter=x\n", DOTlfsconfig="[lfs]\n")
    git(folder, "config", "-f", ".gitmodules", "submodule.vendor.update", f"!touch {mark}")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "evil")
    env = {"HOME": str(home), "GIT_SSH_COMMAND": str(script), "GIT_ASKPASS": str(script), "GIT_EXTERNAL_DIFF": str(script),
           "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor'='{script}'", "GIT_EXEC_PATH": str(home), "GIT_DIR": str(home)}
    build.fails(app["url"], env=env)        # git refuses a module whose update is a command
    assert build(app["url"] + "?submodules=0", env=env)["a"] == "2"
    assert not mark.exists()


def test_a_module_stays_inside(build, repos, tmp_path):
    """Its path goes through a link, its URL is a transport that executes."""
    mark = tmp_path / "mark"
    for name, settings in {"ext": f'[submodule "m"]\n\tpath = m\n\turl = ext::touch {mark}\n',
                           "file": f'[submodule "m"]\n\tpath = m\n\turl = file://{repos.base}/lib\n',
                           "option": '[submodule "m"]\n\tpath = m\n\turl = --upload-pack=touch\n',
                           "up": '[submodule "../../m"]\n\tpath = ../m\n\turl = git://127.0.0.1/lib\n'}.items():
        folder = write(repos.make(name), Dockerfile=COPY_ALL, DOTgitmodules=settings)
        lib = repos.base / "lib"
        if not lib.exists():
            write(repos.make("lib"), code="lib")
            repos.commit(lib)
        git(folder, "update-index", "--add", "--cacheinfo", "160000," + git(lib, "rev-parse", "HEAD") + ",m")
        git(folder, "add", "Dockerfile", ".gitmodules")
        git(folder, "commit", "-q", "-m", "m")
    repos.serve()
    for name in ("ext", "file", "option", "up"):
        assert "failed to update submodules" in build.fails(f"git://127.0.0.1/{name}"), name
    assert not mark.exists()


# ---------------------------------------------------------------- URLs

class Web:
    """A server of files in memory: {path: (bytes, headers)}; `redirect` has paths that lead elsewhere."""

    def __init__(self, context=None):
        files, asked = self.files, self.asked = {}, []
        self.redirect = redirect = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                asked.append(self.path)
                path = self.path.split("?")[0]
                if path in redirect:
                    self.send_response(302)
                    self.send_header("Location", redirect[path])
                    self.end_headers()
                    return
                data, headers = files.get(path, (b"", None))
                self.send_response(404 if headers is None else 200)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = "%s://localhost:%d" % ("https" if context else "http", self.server.server_port)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def web(tare):
    made = Web()
    yield made
    made.close()


def test_an_archive_behind_a_url(build, web):
    web.files["/c.tgz"] = (gzip.compress(packed(Dockerfile=COPY_ALL, a="1")), {})
    assert build(web.url + "/c.tgz")["a"] == "1"
    assert build.fails(web.url + "/x.tgz").endswith("invalid response status 404")


def test_a_dockerfile_behind_a_url(build, web, tmp_path):
    web.files["/D"] = (b"FROM scratch\nCOPY <<x /\nhi\nx\n", {})
    assert build(web.url + "/D") == {"x": "hi\n"}
    c = write(tmp_path / "c", a="1")
    web.files["/E"] = (b"FROM scratch\nCOPY a /b\n", {})
    assert build("-f", web.url + "/E", c) == {"b": "1"}


def test_add_of_a_url(tare, build, web, tmp_path):
    web.files["/d/f.txt"] = (b"text", {"Last-Modified": "Sun, 02 Jan 2005 03:04:05 GMT", "ETag": '"1"'})
    web.files["/g"] = (b"g", {})
    c = write(tmp_path / "c", Dockerfile=f"FROM scratch\nADD {web.url}/d/f.txt?q=1 /in/\nADD {web.url}/d/f.txt /as\nADD {web.url}/g /\n")
    assert build(c) == {"in/": "", "in/f.txt": "text", "as": "text", "g": "g"}
    tare.ok("build", "-o", f"type=tar,dest={tmp_path}/o.tar", c)
    with tarfile.open(tmp_path / "o.tar") as archive:
        found = {m.name: m for m in archive}
    assert (found["in/f.txt"].mode, found["in/f.txt"].mtime, found["in/f.txt"].uid) == (0o600, 1104635045, 0)
    assert found["g"].mtime == 0


def test_the_content_of_a_url_decides(build, web, tmp_path):
    c = write(tmp_path / "c", Dockerfile=f"FROM scratch\nADD {web.url}/f /\n")
    web.files["/f"] = (b"1", {"ETag": '"1"'})
    assert build(c) == {"f": "1"}
    assert build(c) == {"f": "1"} and "CACHED" in build.log
    web.files["/f"] = (b"2", {"ETag": '"2"'})
    assert build(c) == {"f": "2"}


def test_a_url_with_a_checksum(build, web, tmp_path):
    web.files["/f"] = (b"text", {})
    right = "sha256:982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    c = write(tmp_path / "c", Dockerfile=f"FROM scratch\nADD --checksum={right} {web.url}/f /\n")
    assert build(c) == {"f": "text"}
    write(c, Dockerfile=f"FROM scratch\nADD --checksum=sha256:{'0' * 64} {web.url}/f /\n")
    assert f"digest mismatch {right}: sha256:{'0' * 64}" in build.fails(c)


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "ca.pem",
                    "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@pytest.fixture
def safe_web(tare, tmp_path):
    made = Web(certificate(tmp_path, "localhost"))
    yield made
    made.close()


def test_certificates_are_checked(build, safe_web, web, tmp_path):
    safe_web.files["/D"] = (b"FROM scratch\nCOPY <<x /\nhi\nx\n", {})
    assert "certificate" in build.fails(safe_web.url + "/D")
    env = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    assert build(safe_web.url + "/D", env=env) == {"x": "hi\n"}
    assert "certificate" in build.fails(safe_web.url.replace("localhost", "127.0.0.1") + "/D", env=env)
    # What began under a certificate's protection is not continued without.
    web.files["/D"] = safe_web.files["/D"]
    safe_web.redirect["/away"] = web.url + "/D"
    build.fails(safe_web.url + "/away", env=env)
    web.redirect["/to"] = safe_web.url + "/D"
    assert build(web.url + "/to", env=env) == {"x": "hi\n"}


def test_redirects_end(build, web):
    web.redirect["/loop"] = web.url + "/loop"
    web.redirect["/file"] = "file:///etc/passwd"
    assert "redirects" in build.fails(web.url + "/loop")
    assert len(web.asked) < 20
    assert "file" in build.fails(web.url + "/file")


def children(pid):
    found = []
    for task in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if task.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1] == str(pid):
                found.append(task)
        except OSError:
            pass
    return found


def test_the_downloader_is_confined(tare, tmp_path):
    """While it waits for a server that says nothing: nobody, no capabilities, a filter; and it ends with who
    waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = tare.popen("build", "-o", tmp_path / "out", "http://127.0.0.1:%d/x" % listener.getsockname()[1])
        silent, _ = listener.accept()
        helper = next(p for p in children(child.pid) if (p / "comm").read_text() == "tare-fetch\n")
        status = dict(line.split(":\t", 1) for line in (helper / "status").read_text().splitlines())
        assert status["Uid"].split() == ["65534"] * 4 and status["Gid"].split() == ["65534"] * 4
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        child.kill()
        wait_until(lambda: not helper.exists() or " Z " in (helper / "stat").read_text(), "the end of the downloader")
        silent.close()
    child.wait()
    tare("build", "-o", tmp_path / "out", "-", input="FROM scratch\nCOPY <<x /\nx\n")   # takes away what was left


# ---------------------------------------------------------------- named contexts

def test_a_named_directory(build, tmp_path):
    c = write(tmp_path / "c", Dockerfile="FROM scratch\nCOPY --from=other . /\n")
    o = write(tmp_path / "o", a="1", b="2", DOTdockerignore="b\n.d*\n")
    assert build("--build-context", f"other={o}", c) == {"a": "1"}
    assert "failed to get build context other: stat " in build.fails("--build-context", f"other={tmp_path}/no", c)


def test_a_named_repository_and_archive(build, app, web, tmp_path):
    c = write(tmp_path / "c", Dockerfile="FROM scratch\nCOPY --from=other a /\n")
    assert build("--build-context", f"other={app['url']}#v1", c) == {"a": "1"}
    web.files["/o.tgz"] = (gzip.compress(packed(a="3")), {})
    assert build("--build-context", f"other={web.url}/o.tgz", c) == {"a": "3"}


def test_a_layout(tare, build, tmp_path):
    tare.ok("build", "-t", "one", "-", input="FROM scratch\nCOPY <<f /\none\nf\n")
    tare.ok("build", "-t", "two", "-", input="FROM scratch\nCOPY <<f /\ntwo\nf\n")
    for name in ("one", "two"):
        tare.ok("image", "copy", f"tare:{name}", f"oci:{tmp_path}/both:{name}")
    tare.ok("image", "copy", "tare:one", f"oci:{tmp_path}/single:x")
    index = json.loads((tmp_path / "both/index.json").read_text())
    digests = {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in index["manifests"]}
    tare.ok("rmi", "one", "two")
    c = write(tmp_path / "c", Dockerfile="FROM base\n", f="")
    for where, text in {"both:one": "one", "both:two": "two", "single": "one", "single:x": "one",
                        f"both@{digests['two']}": "two", f"both:one@{digests['two']}": "two"}.items():
        assert build("--build-context", f"base=oci-layout://{tmp_path}/{where}", c) == {"f": text + "\n"}
    assert build("--build-context", "base=oci-layout://both:one", "c", cwd=tmp_path) == {"f": "one\n"}
    for where in ("both:three", "both", "nosuch", f"both@sha256:{'0' * 64}", "both@sha256:x"):
        assert "oci-layout://" in build.fails("--build-context", f"base=oci-layout://{tmp_path}/{where}", c)


# ---------------------------------------------------------------- what is remembered

def reads(tare, tmp_path, *args):
    """The files of the context that a build opened."""
    trace = tmp_path / "trace"
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=open,openat,openat2", "-o", trace, *tare.argv, "build", *map(str, args)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return trace.read_text()


def test_unchanged_files_are_not_read_again(tare, build, tmp_path):
    c = tmp_path / "c"
    write(c, Dockerfile="FROM scratch\nCOPY d /d\n", **{f"d__file{i}": str(i) for i in range(20)})
    young = [p for p in (c / "d").iterdir()]
    wait_until(lambda: time.time() - max(p.stat().st_ctime for p in young) > 0.2, "the files to be old enough")
    assert '"file7"' in reads(tare, tmp_path, "-t", "x", c)
    assert '"file7"' not in reads(tare, tmp_path, "-t", "x", c)
    (c / "d/file7").write_text("9")
    assert build(c)["d/file7"] == "9"


def test_a_change_in_the_same_moment_is_seen(build, tmp_path):
    """Same size, and the time of the file set back: the kernel's own stamp tells."""
    c = write(tmp_path / "c", Dockerfile="FROM scratch\nCOPY f /\n", f="0")
    before = (c / "f").stat()
    for i in range(1, 10):
        (c / "f").write_text(str(i))
        os.utime(c / "f", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert build(c) == {"f": str(i)}
