# SPDX-License-Identifier: Apache-2.0
"""The same inputs make the same bytes: at another time, in another directory, from another checkout, under
another user and umask, in another store; and what was built is an image like any other for docker and podman, as theirs
are to build on.
"""
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time

import pytest

from builds import Context
from peers import docker, dockerd, podman, short_folder  # noqa: F401 (fixtures)

# Whatever leaves times, owners, modes and orders behind: ADD of an archive, a tree with links, RUN that
# writes files, makes directories and links, removes and replaces, here-documents, a cache mount's target, heredocs.
DOCKERFILE = """\
FROM busybox AS build
WORKDIR /src
COPY src/ .
RUN --mount=type=cache,target=/var/cache/x cat *.txt >all; for i in 3 1 2; do mkdir -p d$i; echo $i >d$i/f; done
RUN --mount=type=bind,source=src/a.txt,target=/mnt/deep/a.txt wc -c </mnt/deep/a.txt >/size

FROM busybox
LABEL org.example.z=1 org.example.a=2
ENV GREETING=hello
ADD archive.tar /opt/
COPY --from=build /src/all /size /data/
COPY --chown=7:8 --chmod=640 src/a.txt /owned/
COPY --link src /linked/
COPY <<EOF /etc/motd
$GREETING
EOF
RUN echo "$GREETING" >/greeting && ln greeting other && ln -s greeting link && rm /etc/passwd && touch -d "2001-02-03 00:00:00" old
RUN <<EOF
mkdir -p /made/here && chmod 1777 /made && mkfifo /made/pipe && date +%s >/dev/null
hostname >/made/host; id >/made/id; umask >/made/umask; env | sort >/made/env
EOF
USER 65534
VOLUME /data
EXPOSE 80
HEALTHCHECK CMD true
CMD ["cat", "/greeting", "/data/all"]
"""


def write_project(folder):
    """A checkout: all its times are those of now, and its modes what the umask made of them."""
    (folder / "src/sub").mkdir(parents=True)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    for name in ("b", "a", "c"):
        (folder / "src" / (name + ".txt")).write_text(name * 1000 + "\n")
    (folder / "src/sub/run.sh").write_text("#!/bin/sh\necho sub\n")
    (folder / "src/sub/link").symlink_to("run.sh")
    for path in [folder, *folder.rglob("*")]:
        # As git does it: whatever the umask, a file is executable or it is not.
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.suffix == ".sh" else 0o644)
    with tarfile.open(folder / "archive.tar", "w") as tar:
        info = tarfile.TarInfo("unpacked/file")
        info.size, info.mtime, info.uid, info.mode = 3, 1000000000, 5, 0o600
        tar.addfile(info, fileobj=open(folder / "src/a.txt", "rb"))
    (folder / "archive.tar").chmod(0o644)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(tare, folder, *options, **more):
    """The image's ID."""
    got = tare("build", "-q", "--network", "none", "-t", "same:1", *options, folder, check=True, **more)
    return got.out.strip()


# ---------------------------------------------------------------- twice the same

def as_another(tare, folder, *options, umask, uid):
    """The build by a command whose files belong to another user, under another umask and environment."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, uid, follow_symlinks=False)
    env = {"HOME": "/nonexistent", "LANG": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "USER": "ann", "HOSTNAME": "elsewhere",
           "PATH": os.environ["PATH"] + ":/opt/bin", "SHELL": "/bin/false", "GREETING": "of the host"}
    done = subprocess.run(tare.argv + ["build", "-q", "--network", "none", "-t", "same:1", *options, "."], cwd=folder, env=env,
                          preexec_fn=lambda: os.umask(umask), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_two_builds_are_the_same_bytes(tare_factory, tmp_path, compression):
    """The image's ID is its configuration's digest, which names the layers; the archives have the blobs too."""
    ids, archives = set(), set()
    for i, (umask, uid) in enumerate([(0o022, 0), (0o077, 1000), (0o000, 4242)]):
        tare, folder = tare_factory(), tmp_path / ("a" * (1 + 20 * i)) / ("checkout %d" % i)
        write_project(folder)
        out = tmp_path / ("%d.tar" % i)
        if i:
            time.sleep(1.1)     # another second; the first one is over for every file of the first build
        how = "type=oci,dest=%s,compression=%s" % (out, compression)
        ids.add(as_another(tare, folder, "-o", how, umask=umask, uid=uid))
        # From the cache, and kept.
        ids.add(as_another(tare, folder, umask=umask, uid=uid))
        archives.add(digest(out))
    assert len(ids) == 1 and len(archives) == 1
    with tarfile.open(out) as tar:
        check_archive(tar, compression)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed", None])
def test_an_archive_does_not_depend_on_what_was_built_before(tare_factory, tmp_path, compression):
    """The store keeps a layer as the first build of it packed it; an archive has it as it is asked for."""
    write_project(tmp_path / "p")
    digests = set()
    for i, before in enumerate([None, "gzip", "zstd"]):
        tare, out = tare_factory(), tmp_path / ("%d.tar" % i)
        if before:
            build(tare, tmp_path / "p", "-o", "type=image,compression=" + before)
        how = ",compression=" + compression if compression else ""
        build(tare, tmp_path / "p", "-o", "type=oci,dest=%s%s" % (out, how))
        digests.add(digest(out))
    assert len(digests) == 1


def test_a_compression_that_is_none(tare, tmp_path):
    write_project(tmp_path / "p")
    got = tare("build", "-o", "type=oci,dest=x.tar,compression=bzip9", tmp_path / "p", cwd=tmp_path)
    assert got.rc == 1 and "unsupported layer compression type: bzip9" in got.err
    assert not (tmp_path / "x.tar").exists()


def check_archive(tar, compression):
    index = json.load(tar.extractfile("index.json"))
    blob = lambda d: json.load(tar.extractfile("blobs/sha256/" + d["digest"].split(":")[1]))  # noqa: E731
    manifest = blob(index["manifests"][0])
    assert {m["mediaType"].rpartition("+")[2] for m in manifest["layers"][1:]} == {compression}
    config = blob(manifest["config"])
    assert config["created"] == "2020-01-01T00:00:00Z"
    assert {m.mtime for m in tar.getmembers()} <= {0, 1577836800}
    text = json.dumps(config)
    for trace in ("elsewhere", "ann", "Tokyo", "/nonexistent", os.uname().nodename + '"'):
        assert trace not in text


def test_nothing_of_the_host_is_inside(tare, tmp_path):
    write_project(tmp_path / "p")
    build(tare, tmp_path / "p")
    script = "cat /made/host /made/id /made/umask /made/env; stat -c '%Y %u:%g %a %n' /linked/a.txt /owned/a.txt /old " \
             "/opt/unpacked/file /made /made/host /data"
    out = tare.ok("run", "--rm", "--network", "none", "-u", "0", "same:1", "sh", "-c", script).splitlines()
    assert out[0] == "buildkitsandbox" and out[1].startswith("uid=0 gid=0") and out[2] == "0022"
    env = dict(line.split("=", 1) for line in out[3:] if "=" in line and not line[0].isdigit())
    assert {k for k in env if k not in ("SHLVL", "PWD", "OLDPWD")} == {"GREETING", "HOME", "PATH", "HOSTNAME"} - (
        set() if "HOSTNAME" in env else {"HOSTNAME"})
    assert [line for line in out if line[0].isdigit() and "/" in line] == [
        "1577836800 0:0 644 /linked/a.txt", "1577836800 7:8 640 /owned/a.txt", "981158400 0:0 644 /old",
        "1000000000 5:0 600 /opt/unpacked/file", "1577836800 0:0 1777 /made", "1577836800 0:0 644 /made/host",
        "1577836800 0:0 755 /data"]


@pytest.mark.parametrize("how", ["build argument", "environment", "option", "ARG"])
def test_the_epoch_is_what_one_says(tare, tmp_path, how):
    write_project(tmp_path / "p")
    options, env = {"build argument": (["--build-arg", "SOURCE_DATE_EPOCH=1600000000"], {}),
                    "environment": ([], {"SOURCE_DATE_EPOCH": "1600000000"}),
                    "option": (["--timestamp", "1600000000"], {}), "ARG": ([], {})}[how]
    if how == "ARG":
        (tmp_path / "p/Dockerfile").write_text("ARG SOURCE_DATE_EPOCH=1600000000\n" + DOCKERFILE)
    build(tare, tmp_path / "p", *options, env=env)
    assert tare.ok("image", "inspect", "-f", "{{.Created}}", "same:1") == "2020-09-13T12:26:40Z"
    out = tare.ok("run", "--rm", "--network", "none", "same:1", "stat", "-c", "%Y", "/greeting", "/old", "/linked/a.txt")
    assert out.split() == ["1600000000", "981158400", "1600000000"]


def test_the_order_and_time_of_files_do_not_matter(tare_factory, tmp_path):
    """A copy of the checkout by tar, with times of old, and one whose directory was filled in another order."""
    write_project(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two", symlinks=True)
    for path in sorted((tmp_path / "two").rglob("*"), reverse=True):
        # Later than the epoch both, so both become it.
        os.utime(path, (1700000000, 1700000000), follow_symlinks=False)
    assert build(tare_factory(), tmp_path / "one") == build(tare_factory(), tmp_path / "two")


def test_without_the_cache_it_is_the_same(tare, tmp_path):
    write_project(tmp_path / "p")
    first = build(tare, tmp_path / "p")
    assert build(tare, tmp_path / "p", "--no-cache") == first
    tare.ok("builder", "prune", "-af")
    assert build(tare, tmp_path / "p") == first
    assert tare.ok("images", "-q", "--filter", "dangling=true") == ""


# ---------------------------------------------------------------- other engines

WANTED = "hello\n" + "".join(c * 1000 + "\n" for c in "abc").strip()


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_podman_runs_it(tare, podman, tmp_path, kind):  # noqa: F811
    write_project(tmp_path / "p")
    build(tare, tmp_path / "p", "-o", "type=%s,dest=%s,name=same:1" % (kind, tmp_path / "im.tar"))
    podman("load", "-i", tmp_path / "im.tar")
    options = ["--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
    assert podman("run", *options, "same:1") == WANTED
    assert podman("run", *options, "same:1", "stat", "-c", "%Y %u:%g", "/owned/a.txt") == "1577836800 7:8"


def test_docker_runs_it(tare, docker, tmp_path):  # noqa: F811
    """From the store, by `save`; the ID and the layers are the same there."""
    write_project(tmp_path / "p")
    id = build(tare, tmp_path / "p")
    tare.ok("save", "-o", tmp_path / "im.tar", "same:1")
    docker("load", "-i", tmp_path / "im.tar")
    assert docker.id("same:1") == id
    assert docker("run", "--rm", "--network", "none", "same:1") == WANTED
    assert docker("history", "-q", "--no-trunc", "same:1").splitlines()[0] == id


ON_TOP = """\
FROM %s
RUN cat /word && echo more >>/word && rm /gone && ls -A / | sort >/names
COPY file /file
CMD ["cat", "/word", "/file"]
"""


def make_theirs(peer, folder):
    """An image built by PEER, of the busybox that comes with tare, with a file over one of a lower layer."""
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo first >/word && echo x >/gone\nRUN echo second >/word\n"
                                       "ENV A=b\nONBUILD RUN echo $A >/onbuild\n")
    return folder


@pytest.mark.parametrize("peer", ["docker", "podman"])
def test_theirs_are_built_on(tare, tmp_path, peer, request):
    engine = request.getfixturevalue(peer)
    tare.ok("pull", "-q", "busybox")
    tare.ok("save", "-o", tmp_path / "busybox.tar", "busybox")
    engine("load", "-i", tmp_path / "busybox.tar")
    own = ["--isolation", "chroot", "--format", "docker"] if peer == "podman" else ["--network", "none"]
    engine("build", *own, "-t", "theirs:1", make_theirs(engine, tmp_path / "theirs"))
    engine("save", "-o", tmp_path / "theirs.tar", "theirs:1")
    tare.ok("load", "-i", tmp_path / "theirs.tar")
    name = tare.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split("\n")
    name = next(n for n in name if n.endswith("theirs:1"))
    context = Context(tare, tmp_path / "ctx").write(Dockerfile=ON_TOP % name, file="file\n")
    got = context.build(tag="mine")
    assert "ONBUILD RUN echo b >/onbuild" in got.steps
    assert tare.ok("run", "--rm", "--network", "none", "mine") == "second\nmore\nfile"
    names = tare.ok("run", "--rm", "--network", "none", "mine", "cat", "/names", "/onbuild").split()
    assert "gone" not in names and "word" in names and names[-1] == "b"
    assert context.build(tag="mine").made() == []
