# SPDX-License-Identifier: Apache-2.0
"""RUN: the sandbox of `tare run`, what is mounted in it, what stays of it and what does not."""
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from builds import Context
from build_step import needs_tool, steps  # noqa: F401 (a fixture)
from conftest import wait_until
from hostile import Rootfs

pytestmark = needs_tool

SECRET = "correct horse battery staple"


# ---------------------------------------------------------------- the sandbox

STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' /proc/self/status"


def test_same_sandbox_as_run(steps, tare):
    """Capabilities, filter, limits, devices, masked and read-only paths: word for word those of run."""
    script = STATUS + """; ulimit -a; ls -l /dev | awk '{print $1, $NF}'; cat /proc/self/oom_score_adj
        awk '{print $5, $6}' /proc/self/mountinfo | grep -E ' (/proc|/sys|/dev)|^/(proc|sys|dev)'; umask; cat /proc/1/comm"""
    run = tare.ok("run", "--rm", "--network", "none", "busybox", "sh", "-c", script)
    assert steps.ok("busybox", "sh", "-c", script).out.rstrip("\n") == run


def test_environment_is_its_own(steps):
    """Nothing of the builder's; PATH and what passwd says of HOME."""
    got = steps.ok("--env", "A=b c", "busybox", "env", env={"LEAK": "x", "AWS_SECRET": "y", "HOSTNAME": "z"})
    assert set(got.out.split("\n")) == {"A=b c", "HOME=/root", "",
                                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def test_one_pipe_keeps_the_order(steps):
    got = steps.ok("busybox", "sh", "-c", "for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done")
    assert got.out.split() == [w + str(i) for i in range(1, 6) for w in "oe"]


def test_nothing_to_read(steps):
    assert steps.ok("busybox", "sh", "-c", "cat | wc -c").out.split() == ["0"]


@pytest.mark.parametrize("command, code", [("exit 7", 7), ("kill -TERM $$; sleep 9", 143), ("kill -KILL $$", 137), ("true", 0)])
def test_exit_codes(steps, command, code):
    """The command is the first process of its namespace: signals from inside count if they have a handler
    or come from outside, so a shell of its own takes them."""
    got = steps("busybox", "sh", "-c", "sh -c '%s'; exit $?" % command)
    assert got.rc == code and got.err == "exit %d\n" % code


def test_oom_is_told(steps):
    got = steps("--memory", 16 << 20, "busybox", "sh", "-c", "tail /dev/zero")
    assert got.err == "exit 137 oom\n"


@pytest.mark.parametrize("command, words", [
    (["nope"], 'exec: "nope": executable file not found in $PATH'),
    (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
    (["/nope"], 'exec: "/nope": stat /nope: no such file or directory')])
def test_what_cannot_be_executed(steps, command, words):
    got = steps("busybox", *command)
    assert got.rc == 125 and words in got.err and got.tree() == {}


def test_names(steps):
    """A name that tells nothing; hosts of the build's options."""
    script = "hostname; cat /etc/hostname; grep foo /etc/hosts; grep localhost /etc/hosts | head -1"
    got = steps.ok("--add-host", "foo:1.2.3.4", "busybox", "sh", "-c", script)
    assert got.out.split("\n")[:3] == ["buildkitsandbox", "buildkitsandbox", "1.2.3.4\tfoo"] and "127.0.0.1" in got.out
    got = steps.ok("--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=mine", "busybox", "hostname")
    assert got.out == "mine\n"


def test_user_and_working_directory(steps, tare):
    """Both from the image's own files."""
    image = Rootfs(tare).dir("etc").file("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1234:55::/home/ann:/bin/sh\n").file(
        "etc/group", "root:x:0:\nstaff:x:55:\nwheel:x:77:ann\n").load()
    got = steps.ok("--user", "ann", "--workdir", "/a/b", image, "sh", "-c", "id; pwd; echo $HOME; touch /tmp/f")
    assert got.out.split("\n")[:3] == ["uid=1234(ann) gid=55(staff) groups=55(staff),77(wheel)", "/a/b", "/home/ann"]
    assert os.lstat(got.upper / "tmp/f").st_uid == 1234 and oct(os.lstat(got.upper / "tmp").st_mode)[-4:] == "1777"
    got = steps("--user", "nobodyx", image, "true")
    assert "unable to find user nobodyx: no matching entries in passwd file" in got.err


def test_networks(steps, tare):
    assert "eth0" not in steps.ok("busybox", "ip", "link", network="none").out
    got = steps.ok("busybox", "sh", "-c", "ip addr show eth0; ping -c 1 -W 5 $(ip route | awk '/default/ {print $3}')", network="default")
    assert "1 packets received" in got.out
    here = os.readlink("/proc/thread-self/ns/net")
    assert steps.ok("busybox", "readlink", "/proc/self/ns/net", network="host").out.strip() == here
    tare.ok("network", "create", "mine")
    got = steps.ok("busybox", "sh", "-c", "ip -o -4 addr show eth0; cat /etc/resolv.conf", network="mine")
    assert "172." in got.out and "127.0.0.11" not in got.out
    got = steps("busybox", "true", network="nonesuch")
    assert got.rc == 125 and "nonesuch" in got.err


def test_insecure(steps):
    plain, insecure = steps.ok("busybox", "sh", "-c", STATUS).out, steps.ok("--insecure", "busybox", "sh", "-c", STATUS).out
    assert "Seccomp:\t2" in plain and "Seccomp:\t0" in insecure
    caps = lambda text: int(re.search(r"CapEff:\t(\w+)", text).group(1), 16)
    assert caps(plain) & 1 << 21 == 0 and caps(insecure) & 1 << 21


def test_limits(steps, tare):
    got = steps.ok("--shm-size", 1 << 20, "busybox", "df", "-k", "/dev/shm")
    assert re.search(r"\b1024\b", got.out)
    got = steps.ok("--cgroup-parent", "/tare-test-parent", "busybox", "cat", "/proc/self/cgroup")
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        if folder.endswith("/tare-test-parent"):
            os.rmdir(folder)
    assert not list((tare.root / "containers").glob("*"))


def test_program_of_a_heredoc(steps):
    got = steps.ok("--script", "#!/bin/sh\necho $0; id -u; touch /left\n", "--user", "0", "busybox", "/dev/pipes/EOF")
    assert got.out == "/dev/pipes/EOF\n0\n" and got.tree() == {"/left": "-rw-r--r--"}
    got = steps("--script", "#!/bin/sh\necho x >>$0; exit 3\n", "busybox", "/dev/pipes/EOF")
    assert got.rc == 3 and "Read-only" in got.out


def test_other_platforms(steps):
    got = steps("--platform", "linux/s390x", "busybox", "true")
    assert got.rc == 125 and "this host cannot run programs for linux/s390x" in got.err and "apt install" in got.err
    assert steps("--platform", "linux/386", "busybox", "true").rc == 0


# ---------------------------------------------------------------- its death

def alive(mark):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in pathlib.Path("/proc", pid, "cmdline").read_text():
                return True
        except OSError:
            pass
    return False


def test_killed_builder_leaves_nothing_to_the_next_command(steps, tare):
    """The kernel kills the command with the builder; the next command has its group, address and files."""
    mark = "86399.%d" % os.getpid()
    got = subprocess.run(steps.argv(steps.folder(), "--kill-self", "busybox", "sh", "-c", "echo up; sleep %s" % mark),
                         stdout=subprocess.PIPE, check=False)
    assert got.returncode == -signal.SIGKILL
    wait_until(lambda: not alive(mark), "the command to be killed")
    left = steps.left()
    assert any("pending" in p for p in left) and list((tare.runroot / "networks").glob("*/addresses/*"))
    tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    assert not steps.left() and not list((tare.runroot / "networks").glob("*/addresses/*"))
    assert not any(left[0].split("/")[-1] in folder for folder, _, _ in os.walk("/sys/fs/cgroup"))


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
@pytest.mark.parametrize("call", ["mkdir", "mkdirat", "linkat", "symlinkat", "rename", "renameat", "unlink", "unlinkat", "rmdir", "write", "sendto",
                                  "clone3", "openat", "open_tree", "fchmod", "fchmodat", "flock", "pipe2", "poll", "waitid"])
def test_killed_at_any_call(steps, tare, tmp_path, call):
    """A builder that makes a step with an address, a cache and a secret, killed at each of its calls that
    change something: the next command finds everything."""
    (tmp_path / "context").mkdir()
    (tmp_path / "secret").write_text(SECRET)
    flags = ["--context", tmp_path / "context", "--mount", "type=bind;target=/src;rw", "--mount", "type=cache;target=/c",
             "--secret", "s=%s" % (tmp_path / "secret"), "--mount", "type=secret;id=s", "busybox", "sh", "-c", "echo x >/x"]
    steps.ok(*flags, network="default")
    killed = 0
    for n in range(1, 100, 3 if call == "openat" else 1):
        folder = steps.folder()
        done = subprocess.run(["strace", "-o", "/dev/null", "-e", "inject=%s:signal=KILL:when=%d" % (call, n)] + steps.argv(folder, *flags),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        ids = {p.split("/")[-1] for p in steps.left()}
        tare.ok("ps", "-q")
        assert not steps.left() and not list((tare.runroot / "networks").glob("*/addresses/*")), n
        assert not grep_files(tare.folder, SECRET), n
        assert not [f for f, _, _ in os.walk("/sys/fs/cgroup") if any(i in f for i in ids)], n
        if done.returncode == 0:
            break
        killed += 1
    assert killed and steps.ok(*flags, network="default").tree() == {"/x": "-rw-r--r--"}


def test_what_it_leaves_behind_dies_with_it(steps):
    """A process that a command left in the background is none of the next step's."""
    mark = "86398.%d" % os.getpid()
    steps.ok("busybox", "sh", "-c", "sleep %s & echo started" % mark)
    assert not alive(mark)


# ---------------------------------------------------------------- mounts

@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "a").write_text("a\n")
    (folder / "sub/b").write_text("b\n")
    (folder / "sub/deep/c").write_text("c\n")
    (folder / "sub/link").symlink_to("b")
    return folder


def test_bind(steps, context):
    """A context or a part of it, read-only; a place that was made for it is in no layer."""
    script = "cat /x/src/a /x/file /x/link; ls /x/deep; touch /x/src/new"
    got = steps("--context", context, "--mount", "type=bind;target=/x/src", "--mount", "type=bind;source=sub/b;target=/x/file",
                "--mount", "type=bind;source=/sub/deep/../link;target=/x/link", "--mount", "type=bind;source=sub/deep;target=/x/deep",
                "busybox", "sh", "-c", script)
    assert got.out == "a\nb\nb\nc\ntouch: /x/src/new: Read-only file system\n"
    assert got.rc == 1 and got.tree() == {}


def test_writes_to_a_bind_are_thrown_away(steps, context):
    before = sorted(str(p) for p in context.rglob("*"))
    got = steps.ok("--context", context, "--mount", "type=bind;target=/src;rw", "busybox", "sh", "-c",
                   "echo n >/src/new; echo n >>/src/a; rm -r /src/sub; cat /src/a; ls /src; cp /src/new /kept")
    assert got.out == "a\nn\na\nnew\n" and got.tree() == {"/kept": "-rw-r--r--"}
    assert sorted(str(p) for p in context.rglob("*")) == before and (context / "a").read_text() == "a\n"


def test_bind_of_an_image(steps, tare):
    image = Rootfs(tare).file("data/x", "from the image\n").dir("data/sub").load(name="other")
    got = steps.ok("--mount", "type=bind;from=%s;source=data;target=/d" % image, "--mount",
                   "type=bind;from=%s;source=/data/x;target=/f" % image, "--mount", "type=bind;from=%s;target=/all;rw" % image,
                   "busybox", "sh", "-c", "cat /d/x /f; echo w >/all/data/x; cat /all/data/x; ls /d; ls -d /all/bin")
    assert got.out == "from the image\nfrom the image\nw\nsub\nx\n/all/bin\n" and got.tree() == {}


def test_ignored_files_are_not_there(steps, context):
    """Neither by name, nor by a link, nor by being what is mounted; what is taken back is."""
    for path in ("skip/x", "skip/keep/y", "gone/z", "secret.pem"):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(path + "\n")
    (context / "to-secret").symlink_to("secret.pem")
    ignore = "*.pem\nskip\n!skip/keep/y\ngone\n!gone/nothing\nsub/deep\n"
    script = "cd /src; find . | sort; cat to-secret"
    got = steps("--context", context, "--ignore", ignore, "--mount", "type=bind;target=/src", "busybox", "sh", "-c", script)
    assert got.out.split("\n")[:-1] == [".", "./a", "./skip", "./skip/keep", "./skip/keep/y", "./sub", "./sub/b", "./sub/link",
                                        "./to-secret", "cat: can't open 'to-secret': No such file or directory"]
    got = steps("--context", context, "--ignore", ignore, "--mount", "type=bind;source=secret.pem;target=/x", "busybox", "true")
    assert got.rc == 125 and '"/secret.pem": not found' in got.err


def test_files_of_a_context_are_root_s(steps, context):
    """Whoever has it on the host; in directories of which a part is left out as well."""
    for path in [context] + list(context.rglob("*")):
        os.lchown(path, 1234, 5678)
    script = "cd /src; find . -exec stat -c '%u:%g' {} + | sort -u; touch /src/new; stat -c %u /src/new /src/a"
    for more in ([], ["--ignore", "sub/deep\n"]):
        got = steps.ok("--context", context, *more, "--mount", "type=bind;target=/src;rw", "busybox", "sh", "-c", script)
        assert got.out == "0:0\n0\n0\n"
    assert os.stat(context / "a").st_uid == 1234 and not (context / "new").exists()


def test_tmpfs(steps):
    got = steps.ok("--mount", "type=tmpfs;target=/t;size=1048576", "busybox", "sh", "-c", "df -k /t | tail -1; echo x >/t/x; stat -c %a /t")
    assert " 1024 " in got.out and got.out.endswith("1777\n") and got.tree() == {}


def test_host_mounts(steps, tmp_path):
    (tmp_path / "f").write_text("host\n")
    got = steps("--volume", "%s:/host:ro" % tmp_path, "busybox", "sh", "-c", "cat /host/f; touch /host/x")
    assert got.out == "host\ntouch: /host/x: Read-only file system\n"
    steps.ok("--volume", "%s:/host" % tmp_path, "busybox", "touch", "/host/y")
    assert (tmp_path / "y").exists()
    got = steps("--volume", "relative:/x", "busybox", "true")
    assert got.rc == 125 and "invalid volume specification" in got.err
    got = steps("--volume", "%s:/host:rx" % tmp_path, "busybox", "true")
    assert got.rc == 125 and "invalid mode: rx" in got.err


@pytest.mark.parametrize("mounted", ["bind", "tmpfs", "secret"])
def test_places_that_the_image_does_not_have(steps, tare, context, mounted, tmp_path):
    """Below nothing, where an earlier layer removed something, in a directory that was made anew, behind a
    link: the step's layer has what the command did, and only that."""
    image = Rootfs(tare).dir("real").link("linked", "real").dir("own", mode=0o700, uid=5, gid=6).dir("gone/x").dir("anew/x").load()
    tare.ok("run", "--name", "changer", image, "sh", "-c", "rm -r /gone /anew; mkdir /anew; chmod 711 /anew")
    tare.ok("commit", "changer", "changed")
    tare.ok("rm", "changer")
    (tmp_path / "s").write_text(SECRET)
    more = {"bind": "type=bind;source=sub/b", "tmpfs": "type=tmpfs", "secret": "type=secret;id=s"}[mounted]
    places = ["/none/at/all", "/gone/x/y", "/anew/x/y", "/linked/new", "/own/new"]
    flags = [w for place in places for w in ("--mount", "%s;target=%s" % (more, place))]
    got = steps.ok("--context", context, "--secret", "s=%s" % (tmp_path / "s"), *flags, "changed", "sh", "-c",
                   "ls -d %s; echo k >/own/kept; stat -c '%%a %%u:%%g' /own /anew; ls /real" % " ".join(places))
    assert got.out.split("\n")[:-1] == sorted(places) + ["700 5:6", "711 0:0", "new"]
    assert got.tree() == {"/own": "drwx------", "/own/kept": "-rw-r--r--"}
    assert os.lstat(got.upper / "own").st_uid == 5


def test_parents_are_mounted_first(steps, context):
    got = steps.ok("--context", context, "--mount", "type=tmpfs;target=/src/sub/deep", "--mount", "type=bind;target=/src;rw",
                   "busybox", "sh", "-c", "ls -A /src/sub/deep | wc -l; cat /src/sub/b")
    assert got.out == "0\nb\n"


@pytest.mark.parametrize("target", ["/", "", "relative", "/..", "/a/../.."])
def test_targets_that_are_none(steps, context, target):
    got = steps("--context", context, "--mount", "type=bind;target=" + target, "busybox", "true")
    assert got.rc == 125 and 'invalid mount target "%s"' % target in got.err


def test_missing_sources(steps, context):
    for source in ("nope", "/sub/nope/x", "a/x", "../../nope"):
        got = steps("--context", context, "--mount", "type=bind;source=%s;target=/x" % source, "busybox", "true")
        assert got.rc == 125 and "not found" in got.err and got.tree() == {}


# ---------------------------------------------------------------- caches

def test_caches(steps, context):
    mount = "type=cache;id=%s;target=/cache"
    got = steps("--mount", mount % "one" + ";mode=0750;uid=7;gid=8", "busybox", "sh", "-c", "stat -c '%a %u:%g' /cache; echo kept >/cache/f")
    assert got.out == "750 7:8\n" and got.tree() == {}
    assert steps.ok("--mount", mount % "one", "busybox", "cat", "/cache/f").out == "kept\n"
    assert steps("--mount", mount % "two", "busybox", "cat", "/cache/f").rc == 1
    got = steps("--mount", mount % "one" + ";ro", "busybox", "sh", "-c", "cat /cache/f; touch /cache/x")
    assert got.out == "kept\ntouch: /cache/x: Read-only file system\n"
    got = steps.ok("--context", context, "--mount", mount % "based" + ";from=context;source=sub", "busybox", "ls", "/cache")
    assert got.out.split() == ["b", "deep", "link"]
    got = steps.ok("--mount", mount % "one" + ";source=/", "busybox", "cat", "/cache/f")
    got = steps("--mount", mount % "one" + ";source=/nope", "busybox", "true")
    assert got.rc == 125 and "not found" in got.err


def test_a_locked_cache_is_had_alone(steps):
    mount = "type=cache;id=l;target=/cache;sharing=locked"
    first = steps.popen("--mount", mount, "busybox", "sh", "-c", "echo up; until [ -e /cache/go ]; do sleep 0.02; done; echo done >/cache/f")
    assert first.stdout.readline() == b"up\n"
    second = steps.popen("--mount", mount, "busybox", "cat", "/cache/f")
    assert second.stderr.readline() == b"busy\n"
    data, = {p for p in steps.tare.root.rglob("data") if p.is_dir() and "caches" in str(p)}
    (data / "go").touch()
    assert second.stdout.read() == b"done\n" and first.wait() == 0


def test_private_caches(steps):
    """Two steps at once have one each; the next one gets one that is there."""
    mount = "type=cache;id=p;target=/cache;sharing=private"
    first = steps.popen("--mount", mount, "busybox", "sh", "-c", "echo 1 >/cache/f; echo up; sleep 60")
    assert first.stdout.readline() == b"up\n"
    assert steps.ok("--mount", mount, "busybox", "sh", "-c", "ls /cache; echo 2 >/cache/f").out == ""
    assert steps.ok("--mount", mount, "busybox", "cat", "/cache/f").out == "2\n"
    first.kill()
    first.wait()
    assert steps.ok("--mount", mount, "busybox", "cat", "/cache/f").out == "1\n"
    steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")


# ---------------------------------------------------------------- secrets

def grep_files(folder, text):
    found = []
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes():
            found.append(str(path))
    return found


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


def test_secret_files(steps, secret):
    script = "stat -c '%a %u:%g' /run/secrets/s /s2; cat /run/secrets/s; echo; grep -E ' (/s2|/run/secrets/s) ' /proc/mounts | cut -d' ' -f1,4; echo x >/s2"
    got = steps("--secret", "s=%s" % secret, "--mount", "type=secret;id=s", "--mount", "type=secret;id=s;target=/s2;mode=0440;uid=3;gid=4",
                "busybox", "sh", "-c", script)
    lines = got.out.split("\n")
    assert lines[:3] == ["400 0:0", "440 3:4", SECRET] and "Read-only" in got.out and got.tree() == {}
    assert all(re.match("tmpfs ro,nosuid,nodev,noexec", line) for line in lines[3:5])


def test_secret_variables(steps, secret):
    got = steps("--secret-env", "s=MINE", "--mount", "type=secret;id=s;env=THEIRS", "busybox", "sh", "-c",
                'echo "$THEIRS"; env | grep MINE', env={"MINE": SECRET})
    assert got.out == SECRET + "\n" and got.rc == 1


def test_missing_secrets(steps, tmp_path):
    got = steps("--mount", "type=secret;id=mysecret;required", "busybox", "true")
    assert got.rc == 125 and "secret mysecret: not found\n" in got.err
    got = steps("--mount", "type=secret;id=mysecret", "busybox", "ls", "/run/secrets/mysecret")
    assert got.rc == 1 and got.tree() == {}
    for more in ("", ";required"):
        got = steps("--secret", "s=%s" % (tmp_path / "none"), "--mount", "type=secret;id=s" + more, "busybox", "true")
        assert got.rc == 125 and "failed to stat %s: no such file or directory" % (tmp_path / "none") in got.err
    got = steps("--secret-env", "s=NOT_SET", "--mount", "type=secret;id=s;required", "busybox", "true")
    assert got.rc == 125 and "secret s: not found" in got.err
    (tmp_path / "large").write_bytes(b"x" * (500 * 1024 + 1))
    got = steps("--secret", "s=%s" % (tmp_path / "large"), "--mount", "type=secret;id=s", "busybox", "true")
    assert got.rc == 125 and "invalid secret size" in got.err
    (tmp_path / "zero").write_bytes(b"a\0b")
    got = steps("--secret", "s=%s" % (tmp_path / "zero"), "--mount", "type=secret;id=s;env=S", "busybox", "true")
    assert got.rc == 125 and "zero byte" in got.err


def test_secrets_are_nowhere_else(steps, tare, secret):
    """While the step runs: no file of the store or the runroot, no argument list, no environment but the
    command's own has it. Afterwards neither its layer has."""
    child = steps.popen("--secret", "s=%s" % secret, "--mount", "type=secret;id=s", "--mount", "type=secret;id=s;env=S",
                        "busybox", "sh", "-c", "cat /run/secrets/s >/dev/null; echo up; sleep 60", stderr=subprocess.DEVNULL)
    assert child.stdout.readline() == b"up\n"
    assert not grep_files(tare.folder, SECRET)
    holders = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "environ"):
            try:
                if SECRET.encode() in pathlib.Path("/proc", pid, name).read_bytes():
                    holders.add((name, pathlib.Path("/proc", pid, "cmdline").read_bytes().split(b"\0")[0]))
            except OSError:
                pass
    # The command, and what it starts itself, which is its own affair.
    assert {name for name, _ in holders} == {"environ"} and {argv for _, argv in holders} <= {b"sh", b"sleep"}
    child.kill()
    child.wait()
    tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    assert not grep_files(tare.folder, SECRET) and not steps.left()


# ---------------------------------------------------------------- agents

LIST, SIGN, ANSWER, FAILURE = 11, 13, 14, 5


def frame(kind, data):
    return struct.pack(">IB", len(data) + 1, kind) + data


class Agent:
    """Answers each message with its text, backwards: enough to know who answers. `heard` are all that came."""

    def __init__(self, path):
        self.path, self.seen, self.heard = str(path), [], []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.seen.append(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def answer(self, client):
        while True:
            kind, data = receive(client)
            if kind is None:
                return
            self.heard.append(kind)
            client.sendall(frame(ANSWER, data[::-1]))


def receive(s):
    """A message: (kind, data); (None, b"") at the end."""
    head = s.recv(5, socket.MSG_WAITALL)
    if len(head) < 5:
        return None, b""
    size, kind = struct.unpack(">IB", head)
    return kind, s.recv(size - 1, socket.MSG_WAITALL) if size > 1 else b""


def ask(path, data, kind=SIGN, answer=ANSWER):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall(frame(kind, data))
        got, data = receive(s)
        assert got == answer, (got, data)
        return data


def first_process(steps):
    """A process that is in a step: by its group."""
    def found():
        ids = [p.name for p in (steps.tare.runroot / "containers").iterdir()]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if any(i in pathlib.Path("/proc", pid, "cgroup").read_text() for i in ids):
                    return int(pid)
            except OSError:
                pass
        return None
    return wait_until(found, "the step's process")


def test_agent(steps, tmp_path):
    agent = Agent(tmp_path / "agent")
    child = steps.popen("--ssh", "default=%s" % agent.path, "--mount", "type=ssh", "--mount", "type=ssh;target=/a/sock;uid=1000;mode=0660",
                        "busybox", "sh", "-c", "stat -c '%a %u' $SSH_AUTH_SOCK /a/sock; echo $SSH_AUTH_SOCK; sleep 60")
    assert [child.stdout.readline() for _ in range(3)] == [b"600 0\n", b"660 1000\n", b"/run/buildkit/ssh_agent.0\n"]
    root = "/proc/%d/root" % first_process(steps)
    assert ask(root + "/run/buildkit/ssh_agent.0", b"hello") == b"olleh"
    assert ask(root + "/a/sock", b"x" * 50000 + b"y") == b"y" + b"x" * 50000
    assert set(agent.heard) == {SIGN} and ask(root + "/a/sock", b"", LIST) == b"" and agent.heard[-1] == LIST
    # More at a time than there are places for wait, and are served.
    many = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for s in many:
        s.setblocking(False)
        s.connect_ex(root + "/a/sock")
    for s in many:
        s.close()

    def served():
        try:
            return ask(root + "/a/sock", b"abc") == b"cba"
        except BlockingIOError:
            return False
    wait_until(served, "the relay to have done with them")
    child.kill()
    child.wait()
    wait_until(lambda: not alive(str(tmp_path / "agent")), "the relay to go with its builder")
    steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")


def test_missing_agents(steps, tmp_path):
    got = steps("--mount", "type=ssh;required", "busybox", "true")
    assert got.rc == 125 and 'no SSH key "default" forwarded from the client' in got.err
    got = steps("--ssh", "other=%s" % (tmp_path / "x"), "--mount", "type=ssh;required", "busybox", "true")
    assert got.rc == 125 and "unset ssh forward key default" in got.err
    assert steps("--mount", "type=ssh", "busybox", "true").rc == 0
    got = steps("--ssh", "default=%s" % (tmp_path / "none"), "--mount", "type=ssh", "busybox", "true")
    assert got.rc == 125 and "look for the ssh key %s: no such file" % (tmp_path / "none") in got.err


AGENT_OF_OURS = "ssh-agent\0-D\0-a\0agent7"


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="no ssh-agent")
def test_keys_from_files(steps, tmp_path):
    """An agent of the step's own has them, and goes with it, also when the builder is killed."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of-a-test", "-f", key], check=True)
    others = [w for i in range(7) for w in ("--mount", "type=tmpfs;target=/t%d" % i)]
    child = steps.popen("--ssh", "default=%s" % key, *others, "--mount", "type=ssh", "busybox", "sh", "-c", "echo up; sleep 60")
    assert child.stdout.readline() == b"up\n"
    path = "/proc/%d/root/run/buildkit/ssh_agent.0" % first_process(steps)
    got = subprocess.run(["ssh-add", "-l"], env=dict(os.environ, SSH_AUTH_SOCK=path), stdout=subprocess.PIPE, check=True)
    assert b"of-a-test" in got.stdout
    key_text = key.read_text().split("\n")[1]
    assert not grep_files(steps.tare.folder, key_text)
    assert alive(AGENT_OF_OURS)
    child.kill()
    child.wait()
    wait_until(lambda: not alive(AGENT_OF_OURS), "the agent to go with its builder")
    steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    got = steps("--ssh", "default=%s" % key, "--mount", "type=ssh", "busybox", "true")
    assert got.rc == 0
    key.write_text("no key\n")
    got = steps("--ssh", "default=%s" % key, "--mount", "type=ssh", "busybox", "true")
    assert got.rc == 125 and "ssh-add does not take the key" in got.err


# ---------------------------------------------------------------- looking at it

def test_shell_after_a_failure(steps, context, secret):
    """In the layer that the command has left, with its mounts, user and environment."""
    got = steps("--shell", "--workdir", "/w", "--env", "A=b", "--context", context, "--mount", "type=bind;target=/src;rw",
                "--secret", "s=%s" % secret, "--mount", "type=secret;id=s", "--mount", "type=secret;id=s;env=S",
                "busybox", "sh", "-c", "echo x >/tmp/x; echo y >/src/y; exit 7",
                input="cat /tmp/x /src/y /run/secrets/s; echo; echo $A $S; pwd; touch /fromshell; exit 5\n")
    assert got.rc == 7 and got.out == "x\ny\n%s\nb %s\n/w\n" % (SECRET, SECRET)


def test_plan_as_a_script(steps, context, secret, tmp_path):
    """A shell runs it and sees the same; nothing secret is in it."""
    flags = ["--context", context, "--mount", "type=bind;source=sub;target=/src", "--mount", "type=tmpfs;target=/t",
             "--mount", "type=bind;from=busybox;source=/bin;target=/img", "--env", "A=b"]
    command = ["busybox", "sh", "-c", "ls /src; ls -A /t | wc -l; ls /img | grep -x busybox; echo $A; touch /x"]
    plan = steps.ok("--explain", *flags, *command).out
    got = subprocess.run(["sh", "-c", plan], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, cwd=tmp_path)
    assert got.stdout.decode() == steps.ok(*flags, *command).out, got.stderr
    plan = steps.ok("--explain", "--secret", "s=%s" % secret, "--mount", "type=secret;id=s", "--mount",
                    "type=secret;id=s;env=S", "busybox", "true").out
    assert SECRET not in plan and "secret s" in plan
    assert not list(pathlib.Path("/run").glob("tare-script.*"))


# ---------------------------------------------------------------- from a Dockerfile

@pytest.fixture
def project(tare, tmp_path):
    return Context(tare, tmp_path / "project")


def test_secrets_of_a_build_are_nowhere(project, tare, secret):
    """Not in a layer, the history, the cache, the log of the build, nor anywhere else below the state."""
    project.write(Dockerfile="""\
        FROM busybox
        RUN --mount=type=secret,id=s,required cat /run/secrets/s | wc -c >/length
        RUN --mount=type=secret,id=s,target=/deep/er/s --mount=type=secret,id=s,env=S test "$(cat /deep/er/s)" = "$S" && ls -R /deep
        """)
    got = project.build("--secret", "id=s,src=%s" % secret)
    everything = got.err + tare.ok("history", "--no-trunc", "im") + tare.ok("inspect", "im")
    assert SECRET not in everything and not grep_files(tare.folder, SECRET)
    assert tare("run", "--rm", "im", "sh", "-c", "cat /length; ls -d /deep /run/secrets").out == "%d\n" % len(SECRET)
    # Another secret is no other step.
    secret.write_text("something else")
    assert not project.build("--secret", "id=s,src=%s" % secret).made()


def test_missing_secret_in_a_build(project):
    got = project.write(Dockerfile="FROM busybox\nRUN --mount=type=secret,id=mysecret,required true\n").run()
    assert got.rc == 1 and "secret mysecret: not found" in got.err


def test_a_locked_cache_of_two_stages(project):
    """Both want it at the same time: one after the other, and neither waits for ever."""
    project.write(Dockerfile="""\
        FROM busybox AS a
        RUN --mount=type=cache,id=c,target=/c,sharing=locked test ! -e /c/l && touch /c/l && sleep 0.2 && rm /c/l && touch /a
        FROM busybox AS b
        RUN --mount=type=cache,id=c,target=/c,sharing=locked test ! -e /c/l && touch /c/l && sleep 0.2 && rm /c/l && touch /b
        FROM busybox
        COPY --from=a /a /
        COPY --from=b /b /
        """)
    assert len(project.build().made()) == 4


def test_shell_of_a_failed_build(project):
    project.write(Dockerfile="FROM busybox\nWORKDIR /w\nRUN echo left >f && exit 7\n")
    got = project.run("--on-error=shell", input="cat f; pwd; exit\n")
    assert got.rc == 1 and got.out == "left\n/w\n" and "exit code: 7" in got.err


def test_mounts_leave_nothing_in_an_image(project, tare):
    project.write(a_txt="a\n", Dockerfile="""\
        FROM busybox AS stage
        RUN echo s >/s
        FROM busybox
        RUN rm -rf /home && echo x >/x
        RUN --mount=target=/home/me/src --mount=from=stage,source=/s,target=/etc/new/s --mount=type=tmpfs,target=/gone \\
            --mount=type=cache,target=/var/cache/mine cat /home/me/src/a.txt /etc/new/s >/y
        """)
    project.build()
    assert tare.ok("run", "--rm", "im", "sh", "-c", "cat /x /y; ls -d /home /etc/new /gone /var/cache/mine 2>/dev/null; true") == "x\na\ns"


@pytest.mark.parametrize("flags, shown", [
    (["--security-opt", "seccomp=unconfined"], "Seccomp:\t0"), (["--security-opt", "no-new-privileges"], "NoNewPrivs:\t1"),
    (["--security-opt", "seccomp=profile.json"], "Seccomp:\t2"), (["--ulimit", "nofile=77:88"], "files 77 88"), (["--network", "none"], "links 1"),
    (["--add-host", "there:1.2.3.4"], "1.2.3.4\tthere"), (["-v", "%s:/host:ro"], "cannot write"), (["--shm-size", "1m"], "shm 1024"),
    (["--cgroup-parent", "/tare-test-build"], "Seccomp:\t2"), (["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=mine"], "name mine")])
def test_options_of_the_build(project, tare, tmp_path, flags, shown):
    """What is said to build holds for its steps."""
    (tmp_path / "profile.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    project.write(Dockerfile="""\
        FROM busybox
        RUN grep -E 'Seccomp:|NoNew' /proc/self/status; echo files $(ulimit -Sn) $(ulimit -Hn); echo links $(ls /sys/class/net | wc -l); \\
            cat /etc/hosts; touch /host/x 2>/dev/null || echo cannot write; echo shm $(df -k /dev/shm | awk 'NR > 1 {print $2}'); echo name $(hostname)
        """)
    got = project.build(*[f.replace("%s", str(tmp_path)) for f in flags], cwd=tmp_path)
    lines = [line.split(" ", 2)[-1] for line in got.err.splitlines()]
    assert shown in lines, got.err
    assert not list((tare.root / "containers").glob("*"))
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        if folder.endswith("/tare-test-build"):
            os.rmdir(folder)
