# SPDX-License-Identifier: Apache-2.0
"""Images for several machines, as far as one goes without an emulator: files are copied, programs are made by
cross compilers on this one, and what would have to run is refused. tests/vm/platform.sh has the rest.
"""
import json
import os
import pathlib
import re
import subprocess
import tarfile

import pytest

from builds import Context
from peers import short_folder, skopeo  # noqa: F401 (fixtures)

BOTH = "linux/amd64,linux/arm64"
BINFMT = pathlib.Path("/proc/sys/fs/binfmt_misc")
emulated = BINFMT.joinpath("qemu-aarch64").exists()


@pytest.fixture
def context(tare, tmp_path):
    return Context(tare, tmp_path / "ctx")


@pytest.fixture
def bases(tare, tmp_path):
    """base-amd64, which runs here, and base-arm64, which is the same files under another flag."""
    if os.uname().machine != "x86_64":
        pytest.skip("the two machines of these tests are amd64, which must be this one, and arm64")
    tare.ok("pull", "-q", "busybox")
    tare.ok("tag", "busybox", "base-amd64")
    folder = tmp_path / "arm/etc"
    folder.mkdir(parents=True)
    (folder / "machine").write_text("arm64\n")
    tree = subprocess.run(["tar", "-C", tmp_path / "arm", "-c", "."], stdout=subprocess.PIPE, check=True).stdout
    (tmp_path / "arm.tar").write_bytes(tree)
    tare.ok("import", "--platform", "linux/arm64", "-c", "CMD /bin/true", tmp_path / "arm.tar", "base-arm64")


DOCKERFILE = """\
FROM --platform=$BUILDPLATFORM busybox AS build
ARG TARGETARCH TARGETPLATFORM BUILDPLATFORM
RUN echo "$TARGETARCH for $TARGETPLATFORM on $BUILDPLATFORM" >/program

FROM base-$TARGETARCH
COPY --from=build /program /program
COPY common /common
"""


def layout(tare, tmp_path, name):
    """The directory of the image's layout, and its top index."""
    folder = tmp_path / "layout"
    tare.ok("image", "copy", "tare:" + name, "oci:%s" % folder)
    top = json.loads((folder / "index.json").read_text())["manifests"][0]
    return folder, blob(folder, top)


def blob(folder, descriptor):
    return json.loads((folder / "blobs/sha256" / descriptor["digest"].split(":")[1]).read_text())


def test_an_index_of_two(tare, context, bases, tmp_path):
    context.write(Dockerfile=DOCKERFILE, common="for all\n")
    first = context.build("--platform", BOTH, tag="app")
    assert "warning" not in first.err
    # The build stage is for this machine both times, with other arguments.
    assert len(re.findall(r"^#\d+ \[.*build 2/2\] RUN", first.err, re.M)) >= 2
    folder, index = layout(tare, tmp_path, "app")
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert [m["platform"] for m in index["manifests"]] == [{"architecture": a, "os": "linux"} for a in ("amd64", "arm64")]
    configs = [blob(folder, blob(folder, m)["config"]) for m in index["manifests"]]
    assert [c["architecture"] for c in configs] == ["amd64", "arm64"]
    # This machine's runs; the other one's is chosen by its platform, and is not this one's.
    assert tare.ok("run", "--rm", "--network", "none", "app", "cat", "/program", "/common") == \
        "amd64 for linux/amd64 on linux/amd64\nfor all"
    for arch, id in zip(("amd64", "arm64"), ("0", "1")):
        name = tare.ok("create", "--platform", "linux/" + arch, "--network", "none", "app")
        tare.ok("cp", name + ":/program", tmp_path / id)
        tare.ok("rm", name)
        assert (tmp_path / id).read_text().startswith("%s for linux/%s on" % (arch, arch))
    again = context.build("--platform", BOTH, tag="app")
    assert again.made() == [] and layout(tare, tmp_path / "again", "app")[1] == index


def test_a_base_of_two(tare, context, bases, tmp_path):
    """What was built for two is a base for either, and nothing warns of the other one."""
    context.write(Dockerfile=DOCKERFILE, common="for all\n").build("--platform", BOTH, tag="app")
    context.write(Dockerfile="FROM app\nCOPY common /more\n")
    for platform in ("linux/amd64", "linux/arm64", BOTH, "linux/arm64,linux/amd64"):
        got = context.build("--platform", platform, tag="more")
        assert "warning" not in got.err, got.err
    out = tmp_path / "out"
    context.build("--platform", "linux/arm64", "-o", str(out), tag=None)
    assert (out / "program").read_text().startswith("arm64 ") and (out / "etc/machine").read_text() == "arm64\n"
    context.build("--platform", BOTH, "-o", str(tmp_path / "each"), tag=None)
    assert sorted(p.name for p in (tmp_path / "each").iterdir()) == ["linux_amd64", "linux_arm64"]
    got = context.run("--platform", "linux/s390x")
    assert got.rc == 1 and got.err.count("no match for platform in manifest") >= 1


@pytest.mark.parametrize("compression", ["gzip", "zstd", "uncompressed"])
def test_an_archive_of_two(context, bases, tmp_path, skopeo, compression):  # noqa: F811
    context.write(Dockerfile=DOCKERFILE, common="for all\n")
    path = tmp_path / "app.tar"
    context.build("--platform", BOTH, "-o", "type=oci,dest=%s,compression=%s" % (path, compression), tag="app")
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "seen")
    index = skopeo("inspect", "--raw", "oci:%s" % (tmp_path / "seen"))
    assert [m["platform"]["architecture"] for m in json.loads(index)["manifests"]] == ["amd64", "arm64"]
    for arch in ("amd64", "arm64"):
        skopeo("--override-arch", arch, "copy", "-q", "oci:%s" % (tmp_path / "seen"), "dir:%s" % (tmp_path / arch))
    got = context.run("--platform", BOTH, "-o", "type=docker,dest=%s" % path)
    assert got.rc == 1 and "docker exporter does not currently support exporting manifest lists" in got.err


@pytest.mark.skipif(emulated, reason="this host has an emulator for arm64")
def test_what_would_have_to_run_is_refused(tare, context, bases):
    """One line that says why and one that says what to do; nothing is made for the other platform either."""
    context.write(Dockerfile="ARG TARGETARCH\nFROM base-$TARGETARCH\nRUN echo never\n")
    got = context.run("--platform", "linux/arm64")
    assert got.rc == 1
    assert got.err.splitlines()[-2:] == [
        "ERROR: failed to build: failed to solve: this host cannot run programs for linux/arm64: no emulator is "
        "registered with binfmt_misc", "apt install qemu-user-static binfmt-support"]
    assert context.run("--platform", BOTH).rc == 1
    assert tare.ok("images", "-q", "im") == ""
    context.build("--platform", "linux/amd64")


@pytest.mark.parametrize("platform, words", [
    ("linux/amd64,", '"" is an invalid platform'),
    ("a/b/c/d", '"a/b/c/d" is an invalid platform'),
    ("toaster", "toaster"),
])
def test_a_platform_that_is_none(context, platform, words):
    context.write(Dockerfile="FROM busybox\nCOPY Dockerfile /\n")
    got = context.run("--platform", platform)
    assert got.rc == 1 and words in got.err, got.err
