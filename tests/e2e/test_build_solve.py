# SPDX-License-Identifier: Apache-2.0
"""build: which steps are made again and which are not, what happens at the same time, and ends."""
import json
import os
import re
import signal
import subprocess
import tarfile
import time

import pytest

from builds import Build, Context, steps_of
from conftest import wait_file, wait_until


@pytest.fixture
def context(tare, tmp_path):
    return Context(tare, tmp_path / "ctx")


# ---------------------------------------------------------------- what depends on what

PROJECT = """\
FROM busybox AS base
RUN echo base >/base

FROM base AS tools
COPY tools/ /tools/
RUN cat /tools/* >/tool

FROM base AS app
WORKDIR /src
COPY list.txt .
RUN sort list.txt >sorted
COPY src/ .
RUN cat *.c >program
ARG LEVEL=1
RUN echo "level $LEVEL" >level

FROM busybox
COPY --from=tools /tool /usr/local/bin/tool
COPY --from=app /src/program /src/level /opt/
COPY doc.txt /doc.txt
RUN cat /doc.txt /opt/program >/all
ENV SHOWN=yes
"""
FILES = {
    "tools/a.sh": "tool a\n", "tools/b.sh": "tool b\n", "list.txt": "b\na\n", "src/x.c": "int x;\n", "src/y.c": "int y;\n",
    "doc.txt": "doc\n", "unused.txt": "nobody copies this\n",
}
TOOLS = ["COPY tools/ /tools/", "RUN cat /tools/* >/tool"]
LIST = ["COPY list.txt .", "RUN sort list.txt >sorted"]
SRC = ["COPY src/ .", "RUN cat *.c >program"]
LEVEL = ['RUN echo "level 1" >level']
TOOL = ["COPY --from=tools /tool /usr/local/bin/tool"]
PROGRAM = ["COPY --from=app /src/program /src/level /opt/"]
DOC = ["COPY doc.txt /doc.txt"]
ALL = ["RUN cat /doc.txt /opt/program >/all"]
BASE = ["RUN echo base >/base"]
WORK = ["WORKDIR /src"]


def level(number):
    return ['RUN echo "level %d" >level' % number]


def put(name, text):
    return lambda c: c.put(name, text)


def edit(old, new):
    return lambda c: c.put("Dockerfile", PROJECT.replace(old, new))


def touch(name):
    return lambda c: os.utime(c.folder / name, (1, 1))


def mode(name, bits):
    return lambda c: os.chmod(c.folder / name, bits)


def rewrite(name):
    """The same bytes in a new file."""
    def do(c):
        text = (c.folder / name).read_bytes()
        (c.folder / name).unlink()
        c.put(name, text)
    return do


def rename(old, new):
    return lambda c: (c.folder / old).rename(c.folder / new)


def nothing(_):
    pass


CHANGES = {
    "nothing": (nothing, [], []),
    "a file that nobody copies": (put("unused.txt", "other\n"), [], []),
    "a new file beside": (put("another.txt", "x\n"), [], []),
    "only the time of a file": (touch("src/x.c"), [], []),
    "the same content in a new inode": (rewrite("src/x.c"), [], []),
    "a comment and a blank line": (edit("ENV SHOWN", "# why\n\nENV SHOWN"), [], []),
    "only the configuration": (edit("SHOWN=yes", "SHOWN=no"), [], []),
    "the last file": (put("doc.txt", "other doc\n"), [], DOC + ALL),
    "a tool": (put("tools/a.sh", "other\n"), [], TOOLS + TOOL + PROGRAM + DOC + ALL),
    "a source": (put("src/x.c", "int z;\n"), [], SRC + LEVEL + PROGRAM + DOC + ALL),
    "a new source": (put("src/z.c", "int z;\n"), [], SRC + LEVEL + PROGRAM + DOC + ALL),
    "the mode of a file": (mode("doc.txt", 0o600), [], DOC + ALL),
    "the name of a source, so that the product stays the same":
        (rename("src/x.c", "src/w.c"), [], SRC + LEVEL),
    "a list whose product nobody copies": (put("list.txt", "a\nc\n"), [], LIST + SRC + LEVEL),
    "an argument": (nothing, ["--build-arg", "LEVEL=2"], level(2) + PROGRAM + DOC + ALL),
    "the argument's default": (edit("LEVEL=1", "LEVEL=3"), [], level(3) + PROGRAM + DOC + ALL),
    "an argument of the same value": (nothing, ["--build-arg", "LEVEL=1"], []),
    "a command": (edit("sort list", "sort -u list"), [], ["RUN sort -u list.txt >sorted"] + SRC + LEVEL),
    "a command of the base, which changes what nobody copies":
        (edit("echo base >/base", "echo other >/base"), [],
         ["RUN echo other >/base"] + TOOLS + WORK + LIST + SRC + LEVEL),
    "a step in between": (edit("RUN cat *.c", "RUN true\nRUN cat *.c"), [], ["RUN true", "RUN cat *.c >program"] + LEVEL),
    "an ignore file that hides a source": (put(".dockerignore", "src/y.c\n"), [], SRC + LEVEL + PROGRAM + DOC + ALL),
    "an ignore file that hides nothing": (put(".dockerignore", "nothing.txt\n*.log\n"), [], []),
    "a stage that nobody needs": (edit("FROM base AS app", "FROM base AS more\nRUN echo more\n\nFROM base AS app"), [], []),
    "the name of a stage": (lambda c: c.put("Dockerfile", PROJECT.replace("AS tools", "AS kit").replace("from=tools", "from=kit")), [], []),
}


@pytest.mark.parametrize("what", CHANGES)
def test_exactly_what_depends_on_it_is_made_again(context, what):
    change, options, expected = CHANGES[what]
    context.put("Dockerfile", PROJECT)
    for name, text in FILES.items():
        context.put(name, text)
    first = context.build()
    assert first.cached() == [] and len(first.made()) == 13
    change(context)
    again = context.build(*options)
    assert again.made() == sorted(expected)
    third = context.build(*options)
    assert third.made() == []


def test_another_project_shares_the_steps(tare, tmp_path):
    first, second = Context(tare, tmp_path / "a"), Context(tare, tmp_path / "b")
    for c in (first, second):
        c.put("f.txt", "same\n")
    first.put("Dockerfile", "FROM busybox\nRUN echo common >/c\nCOPY f.txt /f\nRUN echo one\n").build()
    second.put("Dockerfile", "FROM busybox AS x\nRUN echo common >/c\nCOPY f.txt /f\nRUN echo two\n")
    assert second.build(tag="two").made() == ["RUN echo two"]


def test_a_fat_stage_whose_product_is_the_same_spares_what_follows(context):
    context.put("Dockerfile", "FROM busybox AS fat\nCOPY in.txt /\nRUN wc -c </in.txt >/n\n"
                              "FROM busybox\nCOPY --from=fat /n /n\nRUN cat /n >/m\n")
    context.put("in.txt", "abc\n").build()
    again = context.put("in.txt", "xyz\n").build()
    assert again.made() == ["COPY in.txt /", "RUN wc -c </in.txt >/n"]
    assert again.cached() == ["COPY --from=fat /n /n", "RUN cat /n >/m"]
    # By now the product is known by the name of the new stage as well.
    assert context.build().made() == []


def test_no_cache_makes_everything_and_counts_from_then_on(context):
    context.put("Dockerfile", "FROM busybox\nRUN head -c 8 /dev/urandom >/r\nRUN cp /r /s\n")
    first = context.build()
    same = context.build()
    assert same.made() == [] and same.err.count("CACHED") >= 2
    anew = context.build("--no-cache", tag="new")
    assert len(anew.made()) == 2
    ids = [context.tare.inspect(i)["Id"] for i in ("im", "new")]
    assert ids[0] != ids[1]
    context.build(tag="after")
    assert context.tare.inspect("after")["Id"] == ids[1]
    assert first.rc == 0


def test_no_cache_filter_makes_one_stage_anew(context):
    context.put("Dockerfile", "FROM busybox AS one\nRUN date +%N >/one\nFROM busybox AS two\nRUN echo >/two\n"
                              "FROM busybox\nCOPY --from=one /one /\nCOPY --from=two /two /\n")
    context.build()
    again = context.build("--no-cache-filter", "one")
    assert "RUN date +%N >/one" in again.made() and "RUN echo >/two" in again.cached()


def test_link_needs_no_parent(context):
    context.put("Dockerfile", "FROM busybox\nARG V=1\nRUN echo $V >/v\nCOPY --link f /f\n").put("f", "f\n").build()
    assert context.build("--build-arg", "V=2").made() == ["RUN echo 2 >/v"]
    assert context.tare.ok("run", "--rm", "--network", "none", "im", "cat", "/v", "/f") == "2\nf"


def test_stages_that_nothing_needs_are_not_made(context):
    context.put("Dockerfile", "FROM busybox AS broken\nRUN false\nFROM busybox AS used\nRUN echo >/u\n"
                              "FROM busybox\nCOPY --from=used /u /\n")
    assert context.build().made() == ["COPY --from=used /u /", "RUN echo >/u"]
    assert context.run("--target", "broken").rc == 1


# ---------------------------------------------------------------- at the same time

def test_independent_stages_run_at_the_same_time(context):
    """Each waits for the other over a shared cache mount: one after the other they would never end."""
    wait = "RUN --mount=type=cache,target=/c,id=meet touch /c/%s; until [ -e /c/%s ]; do sleep 0.01; done; echo >/%s\n"
    context.put("Dockerfile", "FROM busybox AS a\n" + wait % ("a", "b", "a") + "FROM busybox AS b\n" + wait % ("b", "a", "b") +
                "FROM busybox\nCOPY --from=a /a /\nCOPY --from=b /b /\n")
    context.build(timeout=30)


def test_jobs_says_how_many(context):
    context.put("Dockerfile", "".join("FROM busybox AS s%d\nRUN --mount=type=cache,target=/c,id=one "
                                      "mkdir /c/alone && echo %d >/s && rmdir /c/alone\n" % (i, i) for i in range(4)) +
                "FROM busybox\n" + "".join("COPY --from=s%d /s /s%d\n" % (i, i) for i in range(4)))
    context.build("--jobs", "1")


def test_the_same_step_twice_in_one_file_is_made_once(context):
    context.put("Dockerfile", "FROM busybox AS a\nRUN --mount=type=cache,target=/c,id=count echo >>/c/n; sleep 0.2; wc -l </c/n >/n\n"
                              "FROM busybox AS b\nRUN --mount=type=cache,target=/c,id=count echo >>/c/n; sleep 0.2; wc -l </c/n >/n\n"
                              "FROM busybox\nCOPY --from=a /n /a\nCOPY --from=b /n /b\n")
    context.build()
    assert context.tare.ok("run", "--rm", "--network", "none", "im", "cat", "/a", "/b") == "1\n1"


def test_two_builds_at_once_share_their_steps(tare, tmp_path):
    text = "FROM busybox\nRUN --mount=type=cache,target=/c,id=shared echo x >>/c/n; sleep 0.5; wc -l </c/n >/n\nRUN echo %s >/own\n"
    contexts = [Context(tare, tmp_path / name).put("Dockerfile", text % name) for name in ("a", "b")]
    tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    running = [tare.popen("build", "--progress=plain", "-t", c.folder.name, str(c.folder)) for c in contexts]
    errs = [child.communicate(timeout=60)[1].decode() for child in running]
    assert [child.returncode for child in running] == [0, 0], errs
    states = sorted(state for err in errs for name, state in steps_of(err).items() if "mount" in name)
    assert states == ["CACHED", "DONE"]
    for c in contexts:
        assert tare.ok("run", "--rm", "--network", "none", c.folder.name, "cat", "/n", "/own") == "1\n" + c.folder.name


# ---------------------------------------------------------------- ends

def snapshots(tare):
    folder = tare.root / "snapshots"
    return sorted(p.name for p in folder.iterdir() if re.fullmatch("[0-9a-f]{32}", p.name)) if folder.is_dir() else []


def left_over(tare):
    places = [tare.root / "staging", tare.runroot / "pending", tare.runroot / "claims"]
    return [str(p) for place in places if place.is_dir() for p in place.iterdir()]


def test_a_failed_step_leaves_the_others_cached(context):
    context.put("Dockerfile", "FROM busybox\nRUN echo one >/one\nRUN echo out; echo err >&2; exit 7\nRUN echo never\n")
    got = context.run()
    assert got.rc == 1 and got.steps["RUN echo one >/one"] == "DONE"
    assert 'process "/bin/sh -c echo out; echo err >&2; exit 7" did not complete successfully: exit code: 7' in got.err
    assert "RUN echo never" not in got.steps
    assert ">>> RUN echo out" in got.err
    assert left_over(context.tare) == []
    assert context.tare("images", "-q").out.count("\n") == 1
    context.put("Dockerfile", "FROM busybox\nRUN echo one >/one\nRUN echo fine >/two\n")
    assert context.build().made() == ["RUN echo fine >/two"]


def test_a_failure_ends_the_others(context):
    context.put("Dockerfile", "FROM busybox AS slow\nRUN --mount=type=cache,target=/c,id=f touch /c/up; sleep 1000\n"
                              "FROM busybox AS bad\nRUN --mount=type=cache,target=/c,id=f until [ -e /c/up ]; do sleep 0.01; done; exit 3\n"
                              "FROM busybox\nCOPY --from=slow / /s\nCOPY --from=bad / /b\n")
    got = context.run(timeout=30)
    assert got.rc == 1 and "exit code: 3" in got.err and "CANCELED" in got.steps.values()
    assert left_over(context.tare) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everything(context, how):
    context.put("Dockerfile", "FROM busybox\nRUN echo one >/one\nRUN echo here; sleep 1000\n")
    child = context.tare.popen("build", "--progress=plain", "-t", "im", str(context.folder))
    seen = b""
    while b"here" not in seen.replace(b"echo here", b""):
        seen += os.read(child.stderr.fileno(), 65536)
    child.send_signal(how)
    rest = child.communicate(timeout=10)[1]
    assert child.returncode in (130, 143, 1), (child.returncode, rest)
    assert b"context canceled" in rest
    assert left_over(context.tare) == []
    assert context.tare("image", "inspect", "im").rc != 0
    context.put("Dockerfile", "FROM busybox\nRUN echo one >/one\nRUN echo over\n")
    assert context.build().made() == ["RUN echo over"]


def test_a_killed_builder_leaves_nothing_for_long(context):
    context.put("Dockerfile", "FROM busybox\nRUN echo here; sleep 1000\n")
    child = context.tare.popen("build", "--progress=plain", "-t", "im", str(context.folder))
    seen = b""
    while b"here" not in seen.replace(b"echo here", b""):
        seen += os.read(child.stderr.fileno(), 65536)
    child.kill()
    child.wait()
    context.put("Dockerfile", "FROM busybox\nRUN echo over\n").build()
    assert left_over(context.tare) == []


# ---------------------------------------------------------------- results

def test_nothing_is_written_when_nothing_changed(context):
    context.put("Dockerfile", "FROM busybox\nRUN echo >/f\nCMD [\"true\"]\n").build("-t", "im:two")
    before = {p: p.stat().st_mtime_ns for folder in ("layers", "blobs", "snapshots", "staging")
              for p in (context.tare.root / folder).rglob("*")}
    again = context.build("-t", "im:two")
    after = {p: p.stat().st_mtime_ns for folder in ("layers", "blobs", "snapshots", "staging")
             for p in (context.tare.root / folder).rglob("*")}
    assert again.made() == [] and before == after


def test_several_names_and_where_the_id_is_written(context):
    ids, meta = context.folder.parent / "id", context.folder.parent / "meta.json"
    context.put("Dockerfile", "FROM busybox\nRUN echo >/f\n")
    context.build("-t", "other/name:v1", "--iidfile", str(ids), "--metadata-file", str(meta))
    inspected = context.tare.inspect("im")
    assert ids.read_text() == inspected["Id"]
    assert sorted(inspected["RepoTags"]) == ["im:latest", "other/name:v1"]
    said = json.loads(meta.read_text())
    assert said["containerimage.config.digest"] == inspected["Id"]
    assert said["containerimage.digest"] == said["containerimage.descriptor"]["digest"]
    assert said["image.name"] == "docker.io/library/im:latest,docker.io/other/name:v1"


def test_files_of_the_result_in_a_directory(context):
    out = context.folder.parent / "out"
    context.put("Dockerfile", "FROM busybox AS b\nRUN mkdir -p /d/e && echo hi >/d/f && ln -s f /d/l && chmod 750 /d/e\n"
                              "FROM scratch\nCOPY --from=b /d /d\n")
    out.mkdir()
    (out / "stays").write_text("mine")
    (out / "d").write_text("in the way")
    context.build("--output", "type=local,dest=%s" % out, tag=None)
    assert sorted(os.listdir(out)) == ["d", "stays"] and (out / "d/f").read_text() == "hi\n"
    assert os.readlink(out / "d/l") == "f" and (out / "d/e").stat().st_mode & 0o777 == 0o750
    assert context.tare("images", "-q").out.count("\n") == 1


def test_files_of_the_result_as_an_archive(context):
    out = context.folder.parent / "out.tar"
    context.put("Dockerfile", "FROM busybox AS b\nRUN mkdir /d && echo hi >/d/f\nFROM scratch\nCOPY --from=b /d /d\n")
    context.build("--output", "type=tar,dest=%s" % out, tag=None)
    names = tarfile.open(out).getnames()
    assert [n for n in names if n not in (".", "./")] == ["d", "d/f"]
    piped = context.tare("build", "--output", "type=tar,dest=-", str(context.folder), binary=True)
    assert piped.out == out.read_bytes()


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_images_as_archives(context, kind):
    out = context.folder.parent / "im.tar"
    context.put("Dockerfile", "FROM busybox\nRUN echo hi >/f\n")
    context.build("--output", "type=%s,dest=%s" % (kind, out), tag="made:1")
    names = tarfile.open(out).getnames()
    assert "index.json" in names and "oci-layout" in names and ("manifest.json" in names) == (kind == "docker")
    assert context.tare("image", "inspect", "made:1").rc != 0
    assert context.tare("images", "-aq").out.count("\n") == 1
    if kind == "docker":
        context.tare.ok("load", "-i", str(out))
        assert context.tare.ok("run", "--rm", "--network", "none", "made:1", "cat", "/f") == "hi"


@pytest.mark.parametrize("how", ["gzip", "zstd", "uncompressed"])
def test_layers_of_an_archive_are_compressed_as_said(context, how):
    out = context.folder.parent / "im.tar"
    context.put("Dockerfile", "FROM scratch\nCOPY f /\n").put("f", "f\n")
    context.build("-o", "type=oci,dest=%s,compression=%s" % (out, how), tag="made:1")
    archive = tarfile.open(out)

    def read(digest):
        return archive.extractfile("blobs/sha256/" + digest.split(":")[1]).read()
    index = json.load(archive.extractfile("index.json"))
    layer = json.loads(read(index["manifests"][0]["digest"]))["layers"][0]
    suffix, magic = {"gzip": ("+gzip", b"\x1f\x8b"), "zstd": ("+zstd", b"\x28\xb5\x2f\xfd"), "uncompressed": ("", b"./\0")}[how]
    assert layer["mediaType"].endswith("tar" + suffix)
    assert read(layer["digest"]).startswith(magic) or (how == "uncompressed" and b"ustar" in read(layer["digest"])[:512])


def test_squash_makes_one_layer(context):
    context.put("Dockerfile", "FROM busybox\nRUN echo a >/a; echo b >/b; mkdir /d; echo >/d/x\nRUN rm /a; rm -r /d; mkdir /d; echo >/d/y\n"
                              "RUN rm -r /home; echo c >/c\n")
    show = "ls /a /b /c /d /home 2>&1"
    context.build(tag="plain")
    context.build("--squash", tag="small")
    context.build("--squash-all", tag="one")
    counts = [len(context.tare.inspect(i)["RootFS"]["Layers"]) for i in ("busybox", "plain", "small", "one")]
    assert counts == [counts[0], counts[0] + 3, counts[0] + 1, 1]
    said = {context.tare("run", "--rm", "--network", "none", i, "sh", "-c", show).out for i in ("plain", "small", "one")}
    assert len(said) == 1
    assert context.build("--squash", tag="small").made() == []


def test_the_same_everywhere(tare, tmp_path):
    """Another store, another path, another umask, another time: the same image."""
    text = "FROM busybox\nWORKDIR /w\nCOPY d/ /d/\nRUN date >/dev/null; echo x >/x; mkdir /y; touch -d '2001-02-03 04:05:06' /y/z\n"
    ids = []
    for name, mask in (("one", 0o022), ("two", 0o077)):
        c = Context(tare, tmp_path / name).put("Dockerfile", text).put("d/f", "f\n")
        os.chmod(c.folder / "d", 0o755)
        os.chmod(c.folder / "d/f", 0o644)
        got = subprocess.run(["sh", "-c", 'umask %o; exec "$@"' % mask, "sh", *tare.argv[:1], "--root", str(tmp_path / name / "r"),
                              "--runroot", str(tmp_path / name / "n"), "build", "-t", "im", str(c.folder)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert got.returncode == 0, got.stderr.decode()
        shown = subprocess.run([*tare.argv[:1], "--root", str(tmp_path / name / "r"), "--runroot", str(tmp_path / name / "n"),
                                "inspect", "im"], stdout=subprocess.PIPE)
        ids.append(json.loads(shown.stdout)[0]["Id"])
    assert ids[0] == ids[1]


def test_several_platforms_are_one_name(context):
    out, files = context.folder.parent / "im.tar", context.folder.parent / "files"
    both = ["--platform", "linux/amd64,linux/arm64"]
    context.put("Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY f /f-$TARGETARCH\n").put("f", "f\n")
    context.build(*both, tag="both:1")
    assert context.build(*both, tag="both:1").made() == []
    target = context.tare.inspect("both:1")["RepoDigests"][0].split("@")[1]
    index = json.loads((context.tare.root / "blobs/sha256" / target.split(":")[1]).read_text())
    assert [m["platform"]["architecture"] for m in index["manifests"]] == ["amd64", "arm64"]
    context.build(*both, "-o", "type=oci,dest=%s" % out, tag="both:1")
    assert "blobs/sha256/" + target.split(":")[1] in tarfile.open(out).getnames()
    context.build(*both, "-o", "type=local,dest=%s" % files, tag=None)
    assert sorted(os.listdir(files)) == ["linux_amd64", "linux_arm64"]
    assert os.listdir(files / "linux_arm64") == ["f-arm64"]


def test_the_plan_of_every_command(context):
    context.put("Dockerfile", "FROM busybox\nRUN echo one >/f\nWORKDIR /w\nRUN echo two >/g\n")
    said = context.build("--explain").out
    assert said.count("#!/bin/sh") == 2 and "echo two" in said and "# [3/4] WORKDIR /w" in said


@pytest.mark.parametrize("options, said", [
    (["-t", "Upper"], 'invalid tag "Upper": invalid reference format: repository name (library/Upper) must be lowercase'),
    (["--push"], "registries"),
    (["-o", "type=registry"], "registries"),
    (["-o", "type=nonsense"], 'exporter "nonsense" could not be found'),
    (["-o", "type=local"], "dest is required for local exporter"),
    (["--target", "nosuch"], 'target stage "nosuch" could not be found'),
    (["--cache-to", "type=gha"], "type=gha is not possible"),
])
def test_what_makes_no_sense_is_said_at_once(context, options, said):
    got = context.put("Dockerfile", "FROM busybox\nRUN echo >/never\n").run(*options, tag=None)
    assert got.rc == 1 and said in got.err and "RUN echo >/never" not in got.made()


def test_another_developer_builds_from_an_exported_cache(tare, tmp_path):
    """The second store, path and time: nothing is run, and the image is the same."""
    text = ("FROM busybox AS fat\nRUN --mount=type=cache,target=/c,id=kept echo kept >/c/n; date +%N >/d\nCOPY a.txt /a\n"
            "RUN cat /a /d >/m\nFROM busybox\nCOPY --from=fat /m /m\nRUN wc /m >/w\n")
    cache, ids = tmp_path / "cache", []
    for name, options in (("one", ["--cache-to", "type=local,dest=%s,mounts=true" % cache]),
                          ("two", ["--cache-from", "type=local,src=%s" % cache])):
        c = Context(tare, tmp_path / name).put("Dockerfile", text).put("a.txt", "a\n")
        own = [tare.argv[0], "--root", str(tmp_path / name / "r"), "--runroot", str(tmp_path / name / "n")]
        c.put(".dockerignore", "r\nn\n")
        got = subprocess.run(own + ["build", "--progress=plain", "-t", "im", *options, str(c.folder)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert got.returncode == 0, got.stderr.decode()
        shown = subprocess.run(own + ["inspect", "im"], stdout=subprocess.PIPE)
        ids.append(json.loads(shown.stdout)[0]["Id"])
        made = [step for step, state in steps_of(got.stderr.decode()).items() if state == "DONE"]
        assert len(made) == (5 if name == "one" else 0)
    assert ids[0] == ids[1]
    kept = [p for p in (tmp_path / "two/n", tmp_path / "two/r/caches") if p.is_dir()]
    assert [p.read_text() for p in kept[-1].rglob("data/n")] == ["kept\n"]


def test_a_cache_that_is_not_there_is_no_error(context):
    context.put("Dockerfile", "FROM busybox\nRUN echo >/f\n")
    got = context.build("--cache-from", "type=local,src=%s" % (context.folder.parent / "nothing"), "--cache-from", "someone/image")
    assert got.made() == ["RUN echo >/f"]


def test_an_interrupt_at_any_moment(context):
    """Whatever it hits, the next build is right, and what is left then is what a build leaves."""
    context.put("Dockerfile", "FROM busybox AS a\nRUN echo a >/a; sleep 0.1\nCOPY f /f\nFROM busybox AS b\nWORKDIR /w\nRUN cp /bin/busybox b\n"
                              "FROM busybox\nCOPY --from=a /a /f /\nCOPY --from=b /w/b /\nRUN ls /\n").put("f", "f\n")
    began, ended = time.monotonic(), set()
    context.build("--no-cache")
    whole = time.monotonic() - began
    for step in range(14):
        child = context.tare.popen("build", "--no-cache", "-q", "-t", "im", str(context.folder))
        try:
            child.communicate(timeout=whole * step / 12)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=20)
        ended.add(child.returncode)
    assert ended <= {0, 130, -signal.SIGINT} and ended != {0}, ended
    context.build()
    assert left_over(context.tare) == []
    assert context.tare.ok("run", "--rm", "--network", "none", "im", "cat", "/a", "/f") == "a\nf"


def test_a_full_disk_fails_one_step(tare, tmp_path):
    """The step says so; what was cached before stays, and with room again the build ends well."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(disk)], check=True)
    try:
        own = [tare.argv[0], "--root", str(disk / "r"), "--runroot", str(tmp_path / "n")]
        c = Context(tare, tmp_path / "ctx")
        c.put("Dockerfile", "FROM busybox\nRUN echo one >/one\nRUN dd if=/dev/zero of=/big bs=1M count=64\n")
        got = subprocess.run(own + ["build", "--progress=plain", "-t", "im", str(c.folder)], capture_output=True, text=True, timeout=60)
        assert got.returncode == 1 and "No space left on device" in got.stderr, got.stderr
        assert steps_of(got.stderr)["RUN echo one >/one"] == "DONE"
        c.put("Dockerfile", "FROM busybox\nRUN echo one >/one\nRUN echo small >/two\n")
        got = subprocess.run(own + ["build", "--progress=plain", "-t", "im", str(c.folder)], capture_output=True, text=True, timeout=60)
        assert got.returncode == 0, got.stderr
        assert steps_of(got.stderr) == {"RUN echo one >/one": "CACHED", "RUN echo small >/two": "DONE"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)
