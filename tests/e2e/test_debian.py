# SPDX-License-Identifier: Apache-2.0
"""A real root filesystem: Debian 12 made of Debian's packages, imported, run, and worked in.

The archive is made once by mmdebstrap, with the host's own apt settings for proxies, and kept beside
the program (about 30 seconds, 170 MB); packages inside the container come by the network that the test
sees as its host's.
"""
import fcntl
import json
import os
import pathlib
import re
import stat
import subprocess

import pytest

import netns
from conftest import PROGRAM
from terminal import terminal  # noqa: F401 (a fixture)

PACKAGES = "perl,iputils-ping,passwd,login"
PROXIES = [v for v in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
           if v in os.environ]


def apt_options():
    """What the host's apt was told about the way to its packages, as options of any other apt."""
    text = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True, check=True).stdout
    wanted = r"^(Acquire::(?:https?::Proxy|Check-Valid-Until|Check-Date)\S* \".*\";)$"
    return re.findall(wanted, text, re.M)


def make_debian(path):
    part = path.with_suffix(".part.tar")
    argv = ["mmdebstrap", "--variant=minbase", "--mode=root", "--include=" + PACKAGES]
    argv += ["--aptopt=" + option.rstrip(";") for option in apt_options()]
    subprocess.run(argv + ["bookworm", str(part)], check=True, stdin=subprocess.DEVNULL, timeout=300,
                   preexec_fn=netns.to_machine)
    part.rename(path)


@pytest.fixture(scope="session")
def debian_tar():
    path = pathlib.Path(PROGRAM).parent / "debian-12.tar"
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            make_debian(path)
    return path


@pytest.fixture
def debian(tare, debian_tar):
    out = tare.ok("import", debian_tar, "debian:12")
    assert re.fullmatch("sha256:[0-9a-f]{64}", out)
    return tare


def sh(tare, script, *options):
    return tare.ok("run", "--rm", *options, "debian:12", "sh", "-ec", script, timeout=120)


# ---------------------------------------------------------------- packages, users, capabilities

# One import for all of it: an archive of 8,000 files is cheap to bring in, not to remove.
def test_debian_works(debian, internet):
    check_packages(debian)
    check_users_and_file_capabilities(debian)
    check_no_new_privileges(debian)


def check_packages(debian):
    """As typed by anybody: apt-get update, then something is installed and runs."""
    network = ["--network", "host"] + [x for v in PROXIES for x in ("-e", v)]
    assert "Reading package lists" in debian.ok("run", "--rm", *network, "debian:12", "apt-get", "update",
                                                timeout=120)
    out = sh(debian, "apt-get -q update && apt-get -qy install --no-install-recommends hello && hello", *network)
    assert "Setting up hello" in out
    assert out.endswith("\nHello, world!")


def check_users_and_file_capabilities(debian):
    out = sh(debian, """
        perl -e 'print join(",", map { $_ * $_ } 1..5), "\\n"'
        useradd -m -s /bin/sh ann
        su ann -c 'id -un; cd; pwd; ping -c1 -W5 127.0.0.1'
        echo ann:secret | chpasswd
        su ann -c 'echo wrong | su root -c id' 2>&1 || echo refused
        """).splitlines()
    assert out[0] == "1,4,9,16,25"
    assert out[1:3] == ["ann", "/home/ann"]
    assert "1 packets transmitted, 1 received, 0% packet loss" in "\n".join(out)
    assert out[-1] == "refused"


def check_no_new_privileges(debian):
    """A set-user-ID program gives nothing to who may not get more."""
    script = "cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id; exec setpriv --reuid 65534 --clear-groups /tmp/id -u"
    assert sh(debian, script) == "0"
    assert sh(debian, script, "--security-opt", "no-new-privileges") == "65534"


# ---------------------------------------------------------------- what was imported

def layer_of(tare, name):
    chain = tare.ok("image", "inspect", "-f", "{{index .RootFS.Layers 0}}", name).split(":")[1]
    return tare.root / "layers" / chain / "diff"


def test_tree_is_exact(tare, debian_tar, tmp_path, terminal):  # noqa: F811
    """Owner, mode, times, links, devices and capabilities as GNU tar puts them down; a bar meanwhile."""
    tree = tmp_path / "tree"
    import_on_terminal(tare, debian_tar, terminal)
    tree.mkdir()
    subprocess.run(["tar", "-C", tree, "-xpf", debian_tar, "--numeric-owner", "--xattrs", "--xattrs-include=*"],
                   check=True)
    ours = describe(layer_of(tare, "debian:12"))
    assert "security.capability" in ours["usr/bin/ping"][-1]
    assert ours == describe(tree)


def import_on_terminal(tare, archive, make_terminal):
    t = make_terminal(tare.argv + ["import", archive, "debian:12"])
    assert t.wait(60) == 0
    assert re.search(rb"\rImporting \[=*> *\] +[0-9.]+[kM]?B/[0-9.]+MB\r\x1b\[1B", t.seen)
    # The bar is gone at the end; what stays is the id.
    assert re.search(rb"\x1b\[1A\x1b\[Jsha256:[0-9a-f]{64}\r\n$", t.seen)


def describe(root):
    found, inodes = {}, {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            first = inodes.setdefault((st.st_dev, st.st_ino), os.path.relpath(path, root))
            found[os.path.relpath(path, root)] = (
                oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns,
                st.st_size if stat.S_ISREG(st.st_mode) else st.st_rdev if not stat.S_ISDIR(st.st_mode) else 0,
                os.readlink(path) if stat.S_ISLNK(st.st_mode) else st.st_nlink if not stat.S_ISDIR(st.st_mode) else 0,
                first if st.st_nlink > 1 and not stat.S_ISDIR(st.st_mode) else "",
                {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)})
    return found


# ---------------------------------------------------------------- ways in

@pytest.fixture
def small_tar(tmp_path):
    """A root filesystem of one static program."""
    root = tmp_path / "rootfs"
    for folder in ("bin", "etc", "tmp"):
        (root / folder).mkdir(parents=True)
    subprocess.run(["cp", "/bin/busybox", root / "bin" / "sh"], check=True)
    subprocess.run(["cp", "/bin/busybox", root / "bin" / "cat"], check=True)
    (root / "etc" / "hello").write_text("from the archive\n")
    path = tmp_path / "small.tar"
    subprocess.run(["tar", "-C", root, "-cf", path, "."], check=True)
    return path


@pytest.mark.parametrize("compress", [None, ["gzip", "-c"], ["zstd", "-qc"]], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("way", ["file", "stdin", "pipe"])
def test_import(tare, small_tar, tmp_path, compress, way):
    path = small_tar
    if compress:
        path = tmp_path / "small.compressed"
        with open(path, "wb") as out:
            subprocess.run(compress + [str(small_tar)], stdout=out, check=True)
    if way == "file":
        got = tare("import", path, "small")
    elif way == "pipe":
        got = tare("import", "-", "small", input=path.read_bytes())
    else:
        with open(path, "rb") as f:
            done = subprocess.run(tare.argv + ["import", "-", "small"], stdin=f, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        got = type(tare("version"))(done.returncode, done.stdout, done.stderr)
    assert (got.rc, got.err) == (0, "")
    assert re.fullmatch("sha256:[0-9a-f]{64}\n", got.out)
    digest = subprocess.run(["sha256sum", small_tar], stdout=subprocess.PIPE, text=True).stdout.split()[0]
    assert tare.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", "small") == '["sha256:%s"]' % digest
    assert tare.ok("run", "--rm", "small", "/bin/cat", "/etc/hello") == "from the archive"


def test_import_options(tare, small_tar):
    tare.ok("import", "-m", "by hand", "-c", "ENV A=b", "-c", 'CMD ["/bin/sh","-c","echo $A:$PWD"]', "--change",
            "WORKDIR /tmp", "-c", "LABEL who=me", "-c", "EXPOSE 80", "-c", "USER 7:8", "--platform", "linux/arm64/v8",
            small_tar, "opt:1.0")
    image = json.loads(tare.ok("image", "inspect", "opt:1.0"))[0]
    assert (image["Architecture"], image["Os"], image.get("Variant")) == ("arm64", "linux", "v8")
    assert image["Comment"] == "by hand"
    assert image["RepoTags"] == ["opt:1.0"]
    config = image["Config"]
    assert (config["WorkingDir"], config["User"], config["Labels"]) == ("/tmp", "7:8", {"who": "me"})
    assert "A=b" in config["Env"] and config["ExposedPorts"] == {"80/tcp": {}}
    got = tare("run", "--rm", "opt:1.0")
    assert (got.rc, got.out) == (0, "b:/tmp\n")


@pytest.mark.parametrize("change, text", [
    ("RUN true", "RUN"),
    ("NOSUCH x", "NOSUCH"),
    ("ENV", "ENV"),
])
def test_import_refuses_change(tare, small_tar, change, text):
    got = tare("import", "-c", change, small_tar, "x")
    assert got.rc == 1 and text.lower() in got.err.lower()
    assert tare.ok("images", "-q") == ""


def test_import_without_name(tare, small_tar):
    id = tare.ok("import", small_tar)
    assert tare.ok("images", "-a", "--no-trunc", "--format", "{{.Repository}} {{.Tag}} {{.ID}}") == "<none> <none> " + id


def test_layers_are_shared(tare, small_tar):
    """The same archive twice: two images, one layer on disk; it goes with the last of them."""
    tare.ok("import", small_tar, "a")
    tare.ok("import", "-m", "other", small_tar, "b")
    layers = tare.root / "layers"
    assert len(list(layers.iterdir())) == 1
    tare.ok("rmi", "a")
    assert tare.ok("run", "--rm", "b", "/bin/cat", "/etc/hello") == "from the archive"
    tare.ok("rmi", "b")
    assert list(layers.iterdir()) == []


def test_import_from_a_terminal_is_refused(tare, terminal):  # noqa: F811
    t = terminal(tare.argv + ["import", "-", "x"])
    assert t.wait() == 1
    assert b"standard input is a terminal, not an archive" in t.seen
