# SPDX-License-Identifier: Apache-2.0
"""build on the command line: what is refused before anything is made, and images that stand on others."""
import json
import re

import pytest

from builds import Context


@pytest.fixture
def context(tare, tmp_path):
    return Context(tare, tmp_path / "ctx")


@pytest.mark.parametrize("options, said", [
    (["--secret", "id=s,src=/nosuch"], "could not parse secrets: [id=s,src=/nosuch]: failed to stat /nosuch: No such file or directory"),
    (["--secret", "id=nosuch"], "could not parse secrets: [id=nosuch]: failed to stat nosuch: No such file or directory"),
    (["--secret", "id=s,src=/"], "could not parse secrets: [id=s,src=/]: read /: Is a directory"),
    (["--secret", "id=s,src=CTX/large"], "secret s too big. max size 500KB"),
    (["--secret", "src=/etc/passwd"], "could not parse secrets: [src=/etc/passwd]: secret missing ID"),
    (["--ssh", "default"], "could not parse ssh: [default]: invalid empty ssh agent socket, make sure SSH_AUTH_SOCK is set"),
])
def test_what_is_not_there_is_said_before_anything_is_built(context, options, said):
    context.write(Dockerfile="FROM busybox\nRUN true\n").put("large", b"x" * (500 * 1024 + 1))
    got = context.run(*[o.replace("CTX", str(context.folder)) for o in options], env={"SSH_AUTH_SOCK": ""})
    assert got.rc == 1 and said.lower() in got.err.lower()
    assert not got.steps


def test_a_secret_of_the_largest_size(context):
    context.write(Dockerfile="FROM busybox\nRUN --mount=type=secret,id=s wc -c </run/secrets/s\n").put("large", b"x" * (500 * 1024))
    assert "512000" in context.build("--secret", "id=s,src=%s/large" % context.folder).err


# ---------------------------------------------------------------- images and what they were made from

def parent(tare, name):
    return tare.ok("inspect", "-f", "{{.Parent}}", name)


def test_the_base_is_the_parent(tare, context):
    context.write(Dockerfile="FROM busybox AS first\nRUN echo 1 >/f\nFROM first\nRUN echo 2 >/g\n").build(tag="made")
    base = tare.ok("inspect", "-f", "{{.Id}}", "busybox")
    assert parent(tare, "made") == base
    context.build("--squash", tag="squashed")
    assert parent(tare, "squashed") == base
    context.write(Dockerfile="FROM scratch\nCOPY Dockerfile /\n").build(tag="alone")
    assert parent(tare, "alone") == ""


def test_a_base_stays_nameless_below_what_was_built(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN echo base >/f\n").build(tag="base")
    context.write(Dockerfile="FROM base\nRUN echo child >/g\n").build(tag="child")
    base = tare.ok("inspect", "-f", "{{.Id}}", "base")
    assert tare.ok("rmi", "base").split() == ["Untagged:", "base:latest"]
    assert tare("rmi", base).err.strip().endswith("image has dependent child images")
    assert base not in tare.ok("images", "-q", "--no-trunc") and base in tare.ok("images", "-aq", "--no-trunc")
    assert "Total reclaimed space: 0B" in tare.ok("image", "prune", "-f")
    assert base in tare.ok("history", "-q", "--no-trunc", "child").split()
    assert tare.ok("run", "--rm", "--network", "none", "child", "cat", "/f", "/g") == "base\nchild"
    assert "Deleted: " + base in tare.ok("rmi", "child")


def test_containers_are_found_by_the_base_of_their_image(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN echo 1 >/f\n").build(tag="made")
    tare.ok("create", "--name", "cc", "made")
    assert tare.ok("ps", "-a", "--filter", "ancestor=busybox", "--format", "{{.Names}}") == "cc"


# ---------------------------------------------------------------- what the cache takes

MIB = "dd if=/dev/urandom of=/f bs=1M count=1 2>/dev/null"


def ids(tare, *options):
    out = tare.ok("builder", "prune", "-f", *options)
    return len(out.split("objects:\n")[1].split("\n\n")[0].split("\n")) if "objects" in out else 0


def test_what_images_have_leaves_the_cache_its_share(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN %s\n" % MIB).build(tag="one")
    context.write(Dockerfile="FROM busybox AS fat\nRUN %s # fat\nFROM scratch\nCOPY --from=fat /etc/passwd /\n" % MIB).build(tag="two")
    assert ids(tare, "--keep-storage", "1500kB") == 0
    assert ids(tare, "--max-used-space", "1500kB") == 0
    assert ids(tare, "--min-free-space", "1kB") == 0
    assert ids(tare, "--min-free-space", "9000TB", "--reserved-space", "1500kB") == 0
    assert ids(tare, "--max-used-space", "100kB") == 1
    assert ids(tare, "--min-free-space", "9000TB") == 0
    assert ids(tare, "-a") == 2


def test_the_cache_has_no_share_in_df(tare, context):
    context.write(Dockerfile="FROM busybox AS fat\nRUN %s\nFROM scratch\nCOPY --from=fat /etc/passwd /\n" % MIB).build()
    row = tare.ok("system", "df", "--format", "{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}").split("\n")[3]
    assert re.fullmatch(r"Build Cache\|\d\|0\|(1\.\d+MB)\|\1", row)


def test_du_filters_and_formats(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN --mount=type=cache,target=/c echo 1 >/f\nRUN rm /f\n").build()
    rows = [json.loads(line) for line in tare.ok("builder", "du", "--format", "json").split("\n")]
    assert sorted((r["Type"], r["Mutable"], r["Reclaimable"]) for r in rows) == [
        ("exec.cachemount", True, True), ("regular", False, True), ("regular", False, True)]
    described = [r["Description"] for r in rows if r["Parents"]]
    assert len(described) == 1 and described[0].endswith("RUN rm /f")
    assert tare.ok("builder", "du", "--filter", "type=exec.cachemount", "--format", "{{.Type}}|{{.UsageCount}}") == "exec.cachemount|1"
    assert len(tare.ok("builder", "du", "--filter", "description~=rm", "--format", "{{.ID}}").split("\n")) == 1
    assert tare.ok("builder", "du", "--filter", "until=1h", "--format", "{{.ID}}") == ""
    assert "Total:\t\t0B" in tare.ok("builder", "du", "--filter", "until=1h")
    assert tare("builder", "du", "--filter", "nosuch=1").rc == 1
    removed = tare.ok("builder", "prune", "-af", "--verbose")
    assert re.search(r"^[0-9a-z]{25}\t.*RUN rm /f$", removed, re.MULTILINE)


@pytest.mark.parametrize("options, said", [
    (["--annotation", "a=b"], "--label"),
    (["--cache-to", "type=local,dest=/nonexistent,compression=lz4"], "unsupported layer compression type: lz4"),
    (["-o", "type=oci,dest=/nonexistent/x,compression=lz4"], "unsupported layer compression type: lz4"),
    (["--push"], "there is no access to registries"),
])
def test_what_would_have_no_effect_is_refused(context, options, said):
    got = context.write(Dockerfile="FROM busybox\nRUN false\n").run(*options)
    assert got.rc != 0 and said in got.err and "RUN false" not in got.err


@pytest.mark.parametrize("options", [[], ["-a"]])
def test_system_prune_takes_the_cache(tare, context, options):
    context.write(Dockerfile="FROM busybox AS fat\nRUN %s\nFROM scratch\nCOPY --from=fat /etc/passwd /\n" % MIB).build()
    asked = tare("system", "prune", *options, input=b"n\n").out
    assert ("  - all build cache\n" if options else "  - unused build cache\n") in asked
    got = tare.ok("system", "prune", "-f", *options)
    assert "Deleted build cache objects:\n" in got and re.search(r"Total reclaimed space: [0-9.]+MB", got)
    assert ids(tare) == 0


def test_a_context_that_is_a_file(tare, context):
    context.write(Dockerfile="FROM busybox\n")
    path = context.folder / "Dockerfile"
    got = tare("build", str(path))
    assert got.rc == 1 and "unable to prepare context: context must be a directory: %s" % path in got.err


def test_a_quiet_build_says_why_it_failed(context):
    context.write(Dockerfile="FROM busybox\nRUN echo because of this; exit 3\n")
    got = context.run("-q")
    assert got.rc == 1 and got.out == "" and "because of this\n" in got.err and not got.steps
    assert "exit code: 3" in got.err and ">>> RUN" in got.err


# ---------------------------------------------------------------- files about the result

def test_a_failed_build_leaves_no_older_id(context, tmp_path):
    path, metadata = tmp_path / "id", tmp_path / "metadata"
    context.write(Dockerfile="FROM busybox\nRUN true\n").build("--iidfile", path, "--metadata-file", metadata)
    assert path.read_text().startswith("sha256:") and "containerimage.config.digest" in metadata.read_text()
    assert context.write(Dockerfile="FROM busybox\nRUN false\n").run("--iidfile", path).rc == 1
    assert not path.exists()


@pytest.mark.parametrize("option", ["--iidfile", "--metadata-file"])
def test_the_id_into_a_pipe(tare, context, tmp_path, option):
    """What is behind the name stays what it is: "/dev/stdout" is a link to a pipe."""
    context.write(Dockerfile="FROM busybox\nRUN true\n")
    link = tmp_path / "link"
    link.symlink_to("/dev/stdout")
    got = tare("build", "--progress=plain", option, link, context.folder)
    assert got.rc == 0 and "sha256:" in got.out and link.is_symlink()
