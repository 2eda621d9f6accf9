# SPDX-License-Identifier: Apache-2.0
"""What a Dockerfile, a context, a cache or a step must not get, each tried by one that wants it."""
import base64
import glob
import hashlib
import http.server
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tarfile
import threading

import pytest

from build_step import needs_tool, steps  # noqa: F401 (a fixture)
from builds import Context
from test_build_run import FAILURE, LIST, SIGN, Agent, ask, first_process, frame, receive

# ---------------------------------------------------------------- devices of the host


def test_a_dockerfile_takes_no_device(tare, tmp_path):
    """RUN --device is asked for by whoever wrote the file, and allowed by whoever builds it."""
    c = Context(tare, tmp_path / "c").write(Dockerfile="FROM busybox\nRUN --device=/dev/fuse sh -c 'exec 3<>/dev/fuse'\n")
    for allow in ([], ["--allow=security.insecure"], ["--allow=device=/dev/fus"], ["--allow=device=/dev/fuse/"], ["--allow=device="]):
        got = c.run("--network=none", *allow)
        assert got.rc == 1 and "device=/dev/fuse is not allowed\nsay --allow device=/dev/fuse if that is meant" in got.err, got.err
    c.build("--network=none", "--allow=device=/dev/fuse")
    # The cache has it now, and lets nobody in by that.
    assert c.run("--network=none").rc == 1
    tare.ok("build", "-q", "-t", "trigger", "-", input="FROM busybox\nONBUILD RUN --device=/dev/fuse true\n")
    got = tare("build", "-", input="FROM trigger\n")
    assert got.rc == 1 and "device=/dev/fuse is not allowed" in got.err


# ---------------------------------------------------------------- the user's agent

# To add, remove and lock keys, to load a library for a card, extensions, what SSH 1 had, and what is none of these.
OTHERS = [17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 1, 3, 7, 0, 5, 12, 255]


@needs_tool
def test_a_step_does_not_command_the_agent(steps, tmp_path):
    agent = Agent(tmp_path / "agent")
    child = steps.popen("--ssh", "default=%s" % agent.path, "--mount", "type=ssh", "busybox", "sh", "-c", "echo up; sleep 60")
    assert child.stdout.readline() == b"up\n"
    path = "/proc/%d/root/run/buildkit/ssh_agent.0" % first_process(steps)
    for kind in OTHERS:
        assert ask(path, b"/usr/lib/evil.so" * 2000, kind, FAILURE) == b""
    assert agent.heard == []
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        # In one piece, and byte for byte: what is refused does not take the next message with it.
        s.sendall(frame(19, b"") + frame(SIGN, b"abc"))
        assert sorted([receive(s), receive(s)]) == [(FAILURE, b""), (14, b"cba")]
        for byte in frame(18, b"key") + frame(LIST, b"") + frame(SIGN, b"hello"):
            s.sendall(bytes([byte]))
        assert sorted(receive(s) for _ in range(3)) == [(FAILURE, b""), (14, b""), (14, b"olleh")]
    assert agent.heard == [SIGN, LIST, SIGN]
    # No message at all: the connection ends.
    for head in (b"\0\0\0\0", b"\xff\xff\xff\xff\x0b", b"\0\x10\0\0\x0d"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            s.sendall(head + b"\x0b")
            assert s.recv(1) == b""
    child.kill()
    child.wait()
    steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")


@needs_tool
@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="no ssh-agent")
def test_a_real_agent_keeps_its_keys(steps, tmp_path):
    path, key = str(tmp_path / "real"), str(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(path):
            pass
        own = dict(os.environ, SSH_AUTH_SOCK=path)
        subprocess.run(["ssh-add", "-q", key], env=own, check=True)
        child = steps.popen("--ssh", "default=%s" % path, "--mount", "type=ssh", "busybox", "sh", "-c", "echo up; sleep 60")
        assert child.stdout.readline() == b"up\n"
        step = dict(os.environ, SSH_AUTH_SOCK="/proc/%d/root/run/buildkit/ssh_agent.0" % first_process(steps))
        for args in (["-D"], ["-d", key], [key]):
            assert subprocess.run(["ssh-add", "-q", *args], env=step, stderr=subprocess.DEVNULL, check=False).returncode != 0, args
        (tmp_path / "text").write_text("signed\n")
        subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key + ".pub", tmp_path / "text"], env=step, check=True,
                       stderr=subprocess.DEVNULL)
        assert subprocess.run(["ssh-add", "-l"], env=own, stdout=subprocess.PIPE, check=True).stdout.count(b"\n") == 1
        child.kill()
        child.wait()
        steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    finally:
        agent.terminate()
        agent.wait()


# ---------------------------------------------------------------- passwords of repositories

PASSWORD = "hunter22-of-a-test"
BACKEND = "/usr/lib/git-core/git-http-backend"


class GitServer(http.server.BaseHTTPRequestHandler):
    """git's own server for whoever has the password. `seen` are command lines that have it."""
    base, seen = None, []

    def log_message(self, *args):
        pass

    def answer(self):
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                line = pathlib.Path(path).read_bytes()
            except OSError:
                continue
            if PASSWORD.encode() in line and b"\0build\0" not in line:
                self.seen.append(line)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:" + PASSWORD.encode()).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = dict(os.environ, GIT_PROJECT_ROOT=str(self.base), GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
                   REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
                   HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""), GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
                   GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        done = subprocess.run([BACKEND], input=body, env=env, stdout=subprocess.PIPE, check=True).stdout
        self.wfile.write(b"HTTP/1.0 200 OK\r\n" + done)

    do_GET = do_POST = answer


@pytest.fixture
def private(tmp_path):
    """The address of a server, which wants a password, with repositories "app" and its module "lib"."""
    def git(folder, *args):
        env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="x", GIT_AUTHOR_EMAIL="x@x", GIT_COMMITTER_NAME="x",
                   GIT_COMMITTER_EMAIL="x@x")
        subprocess.run(["git", "-C", folder, "-c", "protocol.file.allow=always", *args], env=env, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    for name in ("lib", "app"):
        folder = tmp_path / "git" / (name + ".git")
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text("FROM busybox\nCOPY . /c\n")
        git(folder, "init", "-q", "-b", "main")
        if name == "app":
            git(folder, "submodule", "add", str(tmp_path / "git/lib.git"), "sub")
            git(folder, "config", "-f", ".gitmodules", "submodule.sub.url", "../lib.git")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", "m")
    handler = type("Handler", (GitServer,), {"base": tmp_path / "git", "seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(not os.path.exists(BACKEND), reason="no git-http-backend")
def test_a_repository_s_password_is_kept_nowhere(tare, private):
    """Neither in the .git that an image gets, nor in that of its modules, nor in an argument."""
    server = "%s:%d/app.git" % private.server_address
    got = tare("build", "--progress=plain", "-t", "app", "--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1",
               "http://me:%s@%s" % (PASSWORD, server))
    assert got.rc == 0, got.err
    assert tare.ok("run", "--rm", "--network=none", "app", "sh", "-c", "ls /c/.git/modules/sub/config /c/sub/Dockerfile") != ""
    assert server in tare.ok("run", "--rm", "--network=none", "app", "cat", "/c/.git/config")
    found = [p for p in tare.folder.rglob("*") if p.is_file() and not p.is_symlink() and PASSWORD.encode() in p.read_bytes()]
    assert not found and PASSWORD not in got.out + got.err and not private.RequestHandlerClass.seen
    for login in ("", "me@", "me:%s-not@" % PASSWORD, "you:%s@" % PASSWORD):
        got = tare("build", "--progress=plain", "http://%s%s" % (login, server))
        assert got.rc == 1 and "failed to fetch remote http://%s: " % server in got.err and PASSWORD not in got.err


# ---------------------------------------------------------------- caches from elsewhere

def write_blob(folder, data, name=None):
    name = name or hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (folder / "blobs/sha256" / name).write_bytes(data)
    return "sha256:" + name


def write_cache(folder, **config):
    """A directory as --cache-to writes it, that says CONFIG."""
    config = write_blob(folder, json.dumps(config).encode())
    manifest = {"schemaVersion": 2, "layers": [], "config": {"mediaType": "application/vnd.tare.buildcache.v1+json", "digest": config}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{"digest": write_blob(folder, json.dumps(manifest).encode())}]}))
    return folder


def archive(**files):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return raw.getvalue()


def test_a_cache_gets_nothing_that_was_not_checked(tare, tmp_path):
    """What is unpacked for the cache of a RUN is in it only when its digest was right."""
    c = Context(tare, tmp_path / "c").write(Dockerfile="FROM busybox\nRUN --mount=type=cache,id=x,target=/p echo has $(ls /p) $(stat -c %a /p)\n")
    bad, good = tmp_path / "bad", tmp_path / "good"
    for folder, name in ((bad, "a" * 64), (good, None)):
        folder.mkdir()
        write_cache(folder, mounts=[{"id": "x", "layer": write_blob(folder, archive(evil="x"), name)}])
    got = c.run("--network=none", "--no-cache", "--cache-from=type=local,src=%s" % bad)
    assert got.rc == 1 and "is damaged: its digest is another" in got.err
    assert "has 755\n" in c.build("--network=none", "--no-cache").err
    assert "has evil 755\n" in c.build("--network=none", "--no-cache", "--cache-from=type=local,src=%s" % good).err


@pytest.mark.parametrize("field", [{"uid": -1}, {"uid": 2**32 - 1}, {"gid": 2**40}, {"mode": 0o100755}, {"mode": "7"}, {"mode": -1}])
def test_numbers_of_a_cache_are_not_cut_off(tare, tmp_path, field):
    folder = tmp_path / "k"
    folder.mkdir()
    write_cache(folder, mounts=[dict({"id": "x", "layer": write_blob(folder, archive(x="x"))}, **field)])
    c = Context(tare, tmp_path / "c").write(Dockerfile="FROM busybox\nRUN --mount=type=cache,id=x,target=/p ls /p\n")
    got = c.run("--network=none", "--cache-from=type=local,src=%s" % folder)
    assert got.rc == 1 and list(field)[0] in got.err and not list(tare.root.glob("caches/*/*/data/x"))


# ---------------------------------------------------------------- redirects, bombs

class Redirect(http.server.BaseHTTPRequestHandler):
    """/own is a file, everything else leads to `target`. `asked` is what came."""
    target, asked = "", []

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/own" else 302)
        self.send_header("Location", self.target)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"own\n")


def test_the_world_does_not_redirect_into_this_host(tare, tmp_path):
    """Nor to its metadata service or another private address; whom one asks for oneself is one's own affair."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in ("203.0.113.1/32", "203.0.113.2/32", "169.254.169.254/32", "10.9.8.7/32"):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    handler = type("Handler", (Redirect,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    c = Context(tare, tmp_path / "c")
    try:
        for host, ok in (("127.0.0.1", False), ("localhost", False), ("169.254.169.254", False), ("10.9.8.7", False), ("0.0.0.0", False),
                         ("203.0.113.2", True)):
            handler.target = "http://%s:%d/own" % (host, server.server_port)
            c.write(Dockerfile="FROM scratch\nADD http://203.0.113.1:%d/%s /\n" % (server.server_port, host))
            got = c.run("--no-cache")
            assert (got.rc == 0) == ok and (ok or "redirected to an address of a private network" in got.err), (host, got.err)
        assert handler.asked.count("/own") == 1
        handler.target = "http://10.9.8.7:%d/own" % server.server_port
        c.write(Dockerfile="FROM scratch\nADD http://127.0.0.1:%d/x /\n" % server.server_port).build("--no-cache")
    finally:
        server.shutdown()
        server.server_close()


def test_all_ports_again_and_again(tare, tmp_path):
    c = Context(tare, tmp_path / "c").write(Dockerfile="FROM busybox\n" + "EXPOSE 1-65535 1-65535/udp 9/tcp\n" * 20)
    got = tare("build", "--check", str(c.folder), timeout=20)
    assert got.rc == 0, got.err
