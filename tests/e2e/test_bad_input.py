# SPDX-License-Identifier: Apache-2.0
"""What a user gets wrong: docker's message and exit status or one clear line, and nothing half made.

After each command the state is listed again and must be what it was; a container or image that was
there before must still work.
"""
import os
import pathlib
import re
import subprocess

import pytest

from conftest import PROGRAM, wait_until


def listing(tare):
    """Every file of both directories but sqlite's own log, with its size where that tells something."""
    found = []
    for base in (tare.root, tare.runroot):
        for path in base.rglob("*"):
            # The index's own files, and the journal, which tells of what was refused, too.
            if not path.name.startswith("tare.db") and "events" not in path.parts:
                found.append((str(path), path.lstat().st_size if path.is_file() else 0))
    return sorted(found)


@pytest.fixture
def tare(tare):
    """A state with an image, a container that ended and one that runs."""
    tare.ok("run", "--name", "ended", "busybox", "true")
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    return tare


def refuse(tare, argv, rc, pattern, lines=6, **more):
    """The command fails with RC, says PATTERN in at most LINES lines, prints nothing, changes nothing."""
    before = listing(tare)
    got = tare(*argv, **more)
    assert got.rc == rc, got
    assert re.search(pattern, got.err), got.err
    assert got.out == ""
    assert len(got.err.strip().splitlines()) <= lines, got.err
    # The daemon that there is not, and C's own words, are nothing a user can do something with.
    assert not re.search(r"daemon|errno|assert|\bnull\b", got.err, re.I), got.err
    wait_until(lambda: listing(tare) == before, "the state to be as before", 5)
    assert tare.state("up") == "running" and tare.state("ended") == "exited"
    return got


# ---------------------------------------------------------------- the command line

@pytest.mark.parametrize("argv, rc, pattern", [
    (["run", "--nosuch", "busybox"], 125, r"unknown flag: --nosuch"),
    (["ps", "--nosuch"], 125, r"unknown flag: --nosuch"),
    (["run", "-Z", "busybox"], 125, r"unknown shorthand flag: 'Z' in -Z"),
    (["run"], 1, r"'tare run' requires at least 1 argument"),
    (["rm"], 1, r"'tare rm' requires at least 1 argument"),
    (["tag", "busybox"], 1, r"'tare tag' requires 2 arguments"),
    (["nosuch"], 1, r"unknown command: tare nosuch"),
    (["run", "--memory"], 125, r"flag needs an argument: --memory"),
    (["run", "--rm=maybe", "busybox"], 125, r"invalid argument \"maybe\" for \"--rm\""),
    (["stop", "-t", "soon", "up"], 125, r"invalid argument \"soon\""),
    (["ps", "--filter", "nosuch=1"], 1, r"invalid filter 'nosuch'"),
    (["ps", "--format", "{{.Nosuch"], 1, r"template"),
    (["inspect", "-f", "{{.Nosuch", "up"], 64, r"template"),
])
def test_command_line(tare, argv, rc, pattern):
    refuse(tare, argv, rc, pattern, lines=8)


@pytest.mark.parametrize("reference, pattern", [
    ("UPPER", r"repository name \(library/UPPER\) must be lowercase"),
    ("a b", "invalid reference format"),
    ("x:y:z", "invalid reference format"),
    ("-dash", "."),
    ("a/../b", "invalid reference format"),
    ("x@sha256:123", "invalid reference format|invalid checksum digest length"),
    ("", "invalid reference format"),
])
def test_invalid_reference(tare, reference, pattern):
    refuse(tare, ["run", "--", reference], 125, pattern)
    if reference:
        refuse(tare, ["tag", "busybox", "--", reference], 1, pattern)


def test_missing_image(tare):
    got = refuse(tare, ["run", "nosuch/image"], 125, "nosuch/image")
    assert "Unable to find image 'nosuch/image:latest' locally" in got.err
    assert "registries" in got.err
    refuse(tare, ["run", "--pull", "never", "nosuch"], 125, "No such image: nosuch:latest")
    refuse(tare, ["create", "nosuch"], 1, "nosuch")
    refuse(tare, ["rmi", "nosuch"], 1, "No such image: nosuch")
    got = tare("image", "inspect", "nosuch")
    assert (got.rc, got.out) == (1, "[]\n") and "No such image: nosuch" in got.err
    refuse(tare, ["pull", "nosuch:1"], 1, "registries")


@pytest.mark.parametrize("options, pattern", [
    (["-m", "lots"], "invalid argument \"lots\" for \"-m, --memory\".*invalid size: 'lots'"),
    (["-m", "1k"], "Minimum memory limit allowed is 6MB"),
    (["-m", "-5"], "invalid"),
    (["-m", "99999999999999999999g"], "invalid"),
    (["-m", "64m", "--memory-swap", "32m"], "Minimum memoryswap limit should be larger than memory limit"),
    (["--memory-swap", "64m"], "You should always set the Memory limit when using Memoryswap limit"),
    (["-m", "64m", "--memory-reservation", "128m"], "memory reservation"),
    (["--memory-swappiness", "101"], "0-100"),
    (["--shm-size", "big"], "invalid size: 'big'"),
    (["--cpus", "many"], "failed to parse many as a rational number"),
    (["--cpus", "4096"], "range of CPUs is from 0.01 to"),
    (["--cpus", "1", "--cpu-quota", "5000"], "Conflicting options"),
    (["--cpu-shares", "x"], "invalid argument \"x\""),
    (["--cpuset-cpus", "a-b"], "cpuset"),
    (["--pids-limit", "x"], "invalid argument \"x\""),
    (["--blkio-weight", "5"], "10 to 1000"),
    (["--device-read-bps", "/dev/zero:1mb"], "not a block device"),
    (["--device-read-bps", "sda:1mb"], "bad format for device path"),
    (["--ulimit", "nofile"], "invalid ulimit argument: nofile"),
    (["--ulimit", "nosuch=1"], "invalid ulimit type: nosuch"),
    (["--ulimit", "nofile=5:4"], "soft limit must be less than or equal to hard limit"),
    (["-v", ":/x"], "invalid spec|invalid volume specification|empty section"),
    (["-v", "/a:/b:/c:/d"], "invalid"),
    (["-v", "/tmp:relative"], "absolute"),
    (["-v", "/tmp:/x:nosuch"], "invalid mode: nosuch|invalid volume spec"),
    (["-v", "/tmp:/"], "can't be '/'|invalid"),
    (["--mount", "type=bind,src=/nosuch-anywhere,dst=/x"], "bind source path does not exist: /nosuch-anywhere"),
    (["--mount", "type=nosuch,dst=/x"], "nosuch"),
    (["--mount", "type=bind,src=/tmp"], "target"),
    (["--tmpfs", "relative"], "absolute|invalid"),
    (["-e", "=x"], "invalid environment variable: =x"),
    (["--env-file", "/nosuch"], "/nosuch: no such file or directory"),
    (["--label-file", "/nosuch"], "/nosuch: no such file or directory"),
    (["--sysctl", "kernel.panic=1"], "sysctl 'kernel.panic=1' is not"),
    (["--cap-add", "NOSUCH"], "NOSUCH"),
    (["--security-opt", "nosuch"], "nosuch"),
    (["--security-opt", "seccomp=/nosuch"], "/nosuch"),
    (["--network", "nosuch"], "nosuch"),
    (["--network", "container:nosuch"], "nosuch"),
    (["--ipc", "nosuch"], "IPC"),
    (["--pid", "nosuch"], "PID"),
    (["--log-driver", "nosuch"], "nosuch"),
    (["--restart", "always", "--rm"], "Conflicting options|conflicting options"),
    (["-w", "relative"], "working directory 'relative' is invalid, it needs to be an absolute path"),
    (["--stop-signal", "NOSUCH"], "NOSUCH"),
    (["--hostname", "x" * 70], "hostname|host name"),
    (["--name", "a"], "Invalid container name \\(a\\)"),
    (["--name", "a/b"], "Invalid container name \\(a/b\\)"),
    (["--name", "up"], "Conflict. The container name \"/up\" is already in use by container"),
    (["--group-add", "nosuchgroup"], "nosuchgroup"),
    (["-u", "nosuchuser"], "unable to find user nosuchuser: no matching entries in passwd file"),
    (["-u", "0:nosuchgroup"], "unable to find group nosuchgroup: no matching entries in group file"),
    (["-u", "99999999999"], "uids and gids must be in range 0-2147483647"),
    (["-p", "99999:1"], "99999"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_options_of_run(tare, options, pattern):
    # An image that ends at once, so that what is wrongly accepted is seen as that.
    refuse(tare, ["run", "--rm"] * ("--restart" not in options) + ["run"] * ("--restart" in options) + options +
           ["busybox", "true"], 125, pattern)


def test_device_that_is_not_there(tare):
    """127, as for anything that docker calls "no such file or directory"."""
    refuse(tare, ["run", "--rm", "--device", "/dev/nosuch", "busybox", "true"], 127, "/dev/nosuch")
    refuse(tare, ["run", "--rm", "--device-read-bps", "/dev/nosuch:1mb", "busybox", "true"], 127, "/dev/nosuch")


def test_detached_and_attached(tare):
    refuse(tare, ["run", "--rm", "-d", "-a", "stdout", "busybox", "true"], 1, "[Cc]onflicting options")


def test_cidfile(tare, tmp_path):
    path = tmp_path / "id"
    path.write_text("old")
    refuse(tare, ["run", "--rm", "--cidfile", path, "busybox", "true"], 125, "ID file found|id")
    assert path.read_text() == "old"
    other = tmp_path / "new"
    refuse(tare, ["run", "--rm", "--cidfile", other, "--name", "up", "busybox", "true"], 125, "Conflict")
    assert not other.exists()


# ---------------------------------------------------------------- commands in the container

COMMANDS = [
    (["nosuch"], 127, "exec: \"nosuch\": executable file not found in \\$PATH"),
    (["/nosuch"], 127, "/nosuch.*no such file or directory"),
    (["/etc/passwd"], 126, "/etc/passwd.*permission denied"),
    (["/etc"], 126, "/etc.*(is a directory|permission denied)"),
    (["/bad-interpreter"], 127, "/bad-interpreter.*no such file or directory"),
    (["/not-a-program"], 126, "/not-a-program.*exec format error"),
]


@pytest.fixture
def programs(tmp_path):
    """Files of the host that the container sees as programs that are none."""
    options = []
    for name, text in (("bad-interpreter", "#!/no/such/interpreter\n"), ("not-a-program", "neither\x00nor\n")):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        options += ["-v", "%s:/%s:ro" % (path, name)]
    return options


@pytest.mark.parametrize("command, rc, pattern", COMMANDS, ids=lambda v: v[0] if isinstance(v, list) else None)
def test_command_of_run(tare, programs, command, rc, pattern):
    refuse(tare, ["run", "--rm"] + programs + ["busybox"] + command, rc, pattern)
    # Without --rm the container stays, as docker's does, with the status of the failed start.
    tare("run", "--name", "failed", *programs, "busybox", *command)
    state = tare.inspect("failed")["State"]
    assert state["Status"] == "created" and state["ExitCode"] == rc
    tare.ok("rm", "failed")


@pytest.mark.parametrize("command, rc, pattern", COMMANDS[:4], ids=lambda v: v[0] if isinstance(v, list) else None)
def test_command_of_exec(tare, command, rc, pattern):
    got = tare("exec", "up", *command)
    assert got.rc == rc and re.search(pattern, got.err + got.out)
    assert tare.state("up") == "running"


@pytest.mark.parametrize("argv, rc, pattern", [
    (["exec", "nosuch", "true"], 1, "No such container: nosuch"),
    (["exec", "ended", "true"], 1, "is not running"),
    (["exec", "-u", "nosuchuser", "up", "true"], 126, "unable to find user nosuchuser"),
    (["exec", "-w", "/nosuch", "up", "true"], 126, "/nosuch"),
    (["start", "nosuch"], 1, "No such container: nosuch"),
    (["stop", "nosuch"], 1, "No such container: nosuch"),
    (["kill", "ended"], 1, "is not running"),
    (["kill", "-s", "NOSUCH", "up"], 1, "[Ii]nvalid signal: NOSUCH"),
    (["rm", "nosuch"], 1, "No such container: nosuch"),
    (["rm", "up"], 1, "cannot remove container \"(/?up|[0-9a-f]+)\": container is running: "
     "stop the container before removing or force remove"),
    (["rename", "ended", "up"], 1, "Conflict. The container name \"/up\" is already in use"),
    (["rename", "ended", "-"], 1, "Invalid container name"),
    (["attach", "ended"], 1, "[Cc]annot attach to a stopped container, start it first"),
    (["logs", "nosuch"], 1, "No such container: nosuch"),
    (["logs", "--since", "yesterday", "up"], 1, "yesterday"),
    (["wait", "nosuch"], 1, "No such container: nosuch"),
    (["pause", "ended"], 1, "is not running"),
    (["unpause", "up"], 1, "is not paused"),
    (["rmi", "busybox"], 1, "conflict: unable to (remove repository reference|delete)"),
    (["tag", "nosuch", "x"], 1, "No such image: nosuch"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else None)
def test_verbs(tare, argv, rc, pattern):
    refuse(tare, argv, rc, pattern)


def test_inspect_of_nothing(tare):
    got = tare("inspect", "nosuch")
    assert (got.rc, got.out) == (1, "[]\n")
    assert re.search("No such object: nosuch", got.err)


# ---------------------------------------------------------------- archives

def tar_bytes(tmp_path):
    (tmp_path / "file").write_bytes(os.urandom(50000))
    return subprocess.run(["tar", "-C", tmp_path, "-c", "file"], stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("damage, pattern", [
    (lambda b: b[:30000], "truncated|ends|unexpected end"),
    (lambda b: b[:511], "."),
    (lambda b: b"", "."),
    (lambda b: b"hello, I am a letter\n" * 500, "not a tar|archive|tar"),
    (lambda b: b"\x1f\x8b\x08\x00" + b[:1000], "gzip|compressed|corrupt|damaged"),
    (lambda b: b"\x28\xb5\x2f\xfd" + b[:1000], "zstd|compressed|corrupt|damaged"),
    (lambda b: b"PK\x03\x04" + b[:5000], "."),
], ids=["half", "no header", "empty", "text", "gzip", "zstd", "zip"])
def test_bad_archive(tare, tmp_path, damage, pattern):
    data = damage(tar_bytes(tmp_path))
    refuse(tare, ["import", "-", "x"], 1, pattern, lines=2, input=data)
    path = tmp_path / "bad.tar"
    path.write_bytes(data)
    refuse(tare, ["import", path, "x"], 1, pattern, lines=2)
    assert "x" not in tare.ok("images", "--format", "{{.Repository}}").split()


def test_archive_that_cannot_be_read(tare, tmp_path):
    refuse(tare, ["import", "/nosuch.tar", "x"], 1, "/nosuch.tar: no such file or directory", lines=2)
    refuse(tare, ["import", tmp_path, "x"], 1, "directory", lines=2)
    refuse(tare, ["import", "https://example.com/x.tar", "x"], 1, "network", lines=2)
    good = tmp_path / "good.tar"
    good.write_bytes(tar_bytes(tmp_path))
    refuse(tare, ["import", good, "Bad:Ref"], 1, "repository name .* must be lowercase", lines=2)
    refuse(tare, ["import", "--platform", "plan9/68000", good, "x"], 1, "plan9", lines=2)


def test_import_whose_source_dies(tare, tmp_path):
    """The writer of the pipe is killed half way: the reader cannot know, the archive tells."""
    data = tar_bytes(tmp_path)
    before = listing(tare)
    child = tare.popen("import", "-", "x")
    child.stdin.write(data[:20000])
    child.stdin.close()
    assert child.wait(30) == 1
    assert child.stdout.read() == b""
    wait_until(lambda: listing(tare) == before, "the staged part to go", 5)


# ---------------------------------------------------------------- the host

def test_read_only_state(tare_factory):
    """On a file system that cannot be written: one line that names the directory, for every verb."""
    tare = tare_factory()
    tare.folder.joinpath("ro").mkdir()
    script = 'mount -t tmpfs -o ro none "$1"/ro && shift && exec "$@"'
    for argv in (["run", "--rm", "busybox", "true"], ["import", "/dev/null", "x"], ["ps"]):
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", tare.folder, PROGRAM, "--root",
                               tare.folder / "ro" / "root", "--runroot", tare.runroot] + argv,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == (125 if argv[0] == "run" else 1), (argv, done)
        assert "read-only file system" in done.stderr.lower() and "/ro" in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 4 and done.stdout == ""


def test_state_that_became_read_only(tare):
    """What is there can still be looked at."""
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'

    def inside(*argv):
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", tare.root] + tare.argv + list(argv),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)

    done = inside("run", "--rm", "busybox", "true")
    assert done.returncode == 125 and "read-only" in done.stderr.lower()
    assert len(done.stderr.strip().splitlines()) <= 4


def test_not_root(tare, tmp_path):
    """An ordinary user is told so, with the way out, and leaves nothing behind."""
    argv = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    for command, rc in ((["run", "--rm", "busybox", "true"], 126), (["ps"], 1), (["images"], 1)):
        before = listing(tare)
        # Root's home would add docker's warning about a configuration that cannot be read.
        done = subprocess.run(argv + tare.argv + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, env=dict(os.environ, HOME="/nonexistent"))
        assert done.returncode == rc, (command, done)
        assert re.search("root|permission denied", done.stderr, re.I)
        assert len(done.stderr.strip().splitlines()) <= 4 and done.stdout == ""
        assert listing(tare) == before
    done = subprocess.run(argv + [PROGRAM, "version", "-f", "{{.Client.Version}}"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0 and done.stdout.strip()


def test_full_disk(tare_factory):
    """An image that does not fit: one line, and the space is free again."""
    tare = tare_factory()
    tare.folder.joinpath("small").mkdir()
    script = ('mount -t tmpfs -o size=3m none "$1"/small && dd if=/dev/zero of="$1"/fill.tar bs=1M count=0 seek=1 '
              '2>/dev/null; shift; "$@"; rc=$?; find "$ROOT"/staging "$ROOT"/layers -type f 2>/dev/null; exit $rc')
    data = tare.folder / "big.tar"
    with open(tare.folder / "big", "wb") as f:
        f.write(os.urandom(6 << 20))
    subprocess.run(["tar", "-C", tare.folder, "-cf", data, "big"], check=True)
    root = tare.folder / "small" / "root"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", tare.folder, PROGRAM, "--root", root,
                           "--runroot", tare.runroot, "import", data, "x"], env=dict(os.environ, ROOT=str(root)),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stdout == "", done
    assert "space" in done.stderr and len(done.stderr.strip().splitlines()) <= 2


def test_helper_that_is_missing(tare, tmp_path):
    """A program copied without its helpers says which one it misses."""
    copy = tmp_path / "tare"
    copy.write_bytes(pathlib.Path(PROGRAM).read_bytes())
    copy.chmod(0o755)
    (tmp_path / "t.tar").write_bytes(tar_bytes(tmp_path))
    done = subprocess.run([copy, "--root", tmp_path / "r", "--runroot", tmp_path / "x", "import", tmp_path / "t.tar", "x"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "tare-unpack" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
