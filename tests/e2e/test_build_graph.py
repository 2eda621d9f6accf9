# SPDX-License-Identifier: Apache-2.0
"""build: what a Dockerfile comes to, with the program: configurations as BuildKit has them, contexts, triggers,
targets, outlines, and what mistakes say. The finer cases are a unit test's (tests/data/build-graph)."""
import json
import pathlib
import re

import pytest

from builds import Context

CONFIGS = json.loads((pathlib.Path(__file__).parents[1] / "data" / "build-configs.json").read_text())
MEMBERS = ("Env", "Cmd", "Entrypoint", "Labels", "ExposedPorts", "Volumes", "User", "WorkingDir", "StopSignal",
           "Shell", "OnBuild", "Healthcheck", "ArgsEscaped")
# One build is a matter of milliseconds, one test's set-up is not: so many of them each.
BATCH = 12
BATCHES = [CONFIGS["cases"][i:i + BATCH] for i in range(0, len(CONFIGS["cases"]), BATCH)]


@pytest.fixture
def context(tare, tmp_path):
    return Context(tare, tmp_path / "ctx")


def inspect(tare, image="im"):
    return json.loads(tare.ok("image", "inspect", image))[0]


def comparable(line):
    """History of BuildKit then and now: arguments are told with their value today, and of stages below too; lists of
    ports and checks are printed otherwise."""
    if line.startswith(("ARG ", "EXPOSE ", "HEALTHCHECK ")):
        return line.split(" ")[0]
    return re.sub(r"^RUN \|\d+ (.*?)(?=/bin/sh|x :)", "RUN ", line)


def own_history(lines):
    """Without the base's: what stands behind the last line that no instruction of ours made."""
    ours = [n for n, line in enumerate(lines) if line.startswith(("ADD busybox", "CMD [\"sh\"]"))]
    return [comparable(line) for line in (lines[ours[-1] + 1:] if ours else lines)]


@pytest.mark.parametrize("cases", BATCHES, ids=[batch[0]["name"] for batch in BATCHES])
def test_configurations_are_buildkits(tare, context, cases):
    for name in "abfx":
        context.put(name, name)
    for case in cases:
        context.write(Dockerfile=case["dockerfile"]).build("--network=none", *case["options"])
        image = inspect(tare)
        config = {key: value for key, value in image["Config"].items() if value and key in MEMBERS}
        assert config == case["config"], case["name"]
        assert image.get("Author", "") == case["author"], case["name"]
        history = json.loads("[%s]" % ",".join(tare.ok(
            "history", "--no-trunc", "--format", "{{json .CreatedBy}}", "im").splitlines()))[::-1]
        assert own_history(history) == own_history(case["history"]), case["name"]


def test_there_are_enough_of_them():
    assert len(CONFIGS["cases"]) >= 90


# ---------------------------------------------------------------- stages

def test_only_what_the_target_needs_is_built(context):
    context.write(Dockerfile="FROM busybox AS fails\nRUN false\nFROM busybox AS a\nRUN echo a >/f\n"
                             "FROM busybox AS b\nCOPY --from=a /f /f\nFROM nosuch AS c\n")
    assert sorted(context.build("--target=b").steps) == ["COPY --from=a /f /f", "RUN echo a >/f"]
    assert sorted(context.build("--target=A").steps) == ["RUN echo a >/f"]
    assert context.run("--target=0").rc == 1


def test_what_stages_share_is_made_once(context):
    got = context.write(Dockerfile="FROM busybox AS a\nRUN echo same >/f\nRUN echo a >/g\nFROM busybox AS b\n"
                                   "RUN echo same >/f\nRUN echo b >/g\nFROM scratch\nCOPY --from=a / /a\n"
                                   "COPY --from=b / /b\n").build()
    assert got.err.count("RUN echo same") - got.err.count("...\n\n") <= 2, got.err
    assert len(got.made()) == 5


def test_triggers_of_a_base(tare, context):
    context.put("f", "f").write(Dockerfile="FROM busybox\nONBUILD COPY f /f\nONBUILD RUN cat /f /f >/g\n")
    context.build(tag="base")
    assert inspect(tare, "base")["Config"]["OnBuild"] == ["COPY f /f", "RUN cat /f /f >/g"]
    context.write(Dockerfile="FROM base\nCMD cat /g\n")
    got = context.build()
    assert "ONBUILD COPY f /f" in got.err and "ONBUILD RUN cat" in got.err
    assert tare.ok("run", "--rm", "im") == "ff"
    assert not inspect(tare)["Config"].get("OnBuild")
    context.write(Dockerfile="FROM im\n").build(tag="grandchild")
    assert inspect(tare, "grandchild")["Id"] != inspect(tare, "base")["Id"]


# ---------------------------------------------------------------- arguments

def test_proxies_are_in_commands_only(tare, context):
    context.write(Dockerfile="FROM busybox\nRUN echo \"$http_proxy $HTTP_PROXY\" >/f\n")
    context.build("--build-arg=http_proxy=http://one", tag="one")
    got = context.build("--build-arg=http_proxy=http://two", tag="two")
    assert got.made() == []
    assert tare.ok("run", "--rm", "one", "cat", "/f") == "http://one http://one"
    assert "http://" not in json.dumps(inspect(tare, "one")) + tare.ok("history", "--no-trunc", "one")


def test_a_default_that_changes_makes_what_uses_it_again(context):
    text = "ARG TAG=latest\nFROM busybox:$TAG\nRUN echo before\nARG V=%s\nRUN echo after $V\n"
    context.write(Dockerfile=text % "1").build()
    assert context.write(Dockerfile=text % "2").build().made() == ["RUN echo after 2"]
    assert context.build("--build-arg=V=1").made() == []


def test_unused_arguments_are_named(context):
    context.write(Dockerfile="FROM busybox\nARG V\n")
    got = context.build("--build-arg=V=1", "--build-arg=A=1", "--build-arg=B=1")
    assert "[Warning] One or more build-args [A B] were not consumed\n" in got.err


def test_platform_arguments(tare, context):
    context.write(Dockerfile="FROM --platform=$BUILDPLATFORM busybox\n"
                             "ARG TARGETPLATFORM TARGETARCH BUILDARCH TARGETSTAGE\n"
                             "RUN echo $TARGETPLATFORM $TARGETARCH $BUILDARCH $TARGETSTAGE >/f\nCMD cat /f\n").build()
    words = tare.ok("run", "--rm", "im").split()
    assert words[0] == "linux/" + words[1] and words[1] == words[2] and words[3] == "default"


# ---------------------------------------------------------------- named contexts

def test_contexts_stand_in(tare, context, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "f").write_text("from the directory")
    context.write(Dockerfile="FROM busybox\nLABEL who=other\n").build(tag="other")
    context.write(Dockerfile="FROM alpine\nCOPY --from=files f /f\nRUN --mount=from=files,target=/m cat /m/f >/g\n"
                             "CMD cat /f /g\n")
    context.build("--build-context=alpine=docker-image://other", "--build-context=files=%s" % other)
    assert tare.ok("run", "--rm", "im") == "from the directory" * 2
    assert inspect(tare)["Config"]["Labels"] == {"who": "other"}


def test_a_context_in_place_of_a_stage(tare, context, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "f").write_text("instead")
    context.write(Dockerfile="FROM busybox AS build\nRUN false\nFROM busybox\nCOPY --from=build /f /f\nCMD cat /f\n")
    assert context.run().rc == 1
    context.build("--build-context=build=%s" % other)
    assert tare.ok("run", "--rm", "im") == "instead"


def test_a_directory_as_base(tare, context, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "etc").mkdir()
    (root / "etc" / "f").write_text("base")
    context.write(Dockerfile="FROM root AS r\nFROM busybox\nCOPY --from=r /etc/f /f\nCMD cat /f\n")
    context.build("--build-context=root=%s" % root)
    assert tare.ok("run", "--rm", "im") == "base"


# ---------------------------------------------------------------- outlines

OUTLINE = """\
# GO sets the compiler
ARG GO=1.22
FROM nosuch:$GO AS base
# release has what runs
FROM base AS release
RUN --mount=type=secret,id=token,required true
"""


def test_outline_and_targets_ask_for_no_image(tare, context):
    context.write(Dockerfile=OUTLINE)
    got = context.run("--call=outline", tag=None)
    assert got.rc == 0 and got.out == (
        "TARGET:      release\nDESCRIPTION: has what runs\n\n"
        "BUILD ARG   VALUE   DESCRIPTION\nGO          1.22    sets the compiler\n\n"
        "SECRET   REQUIRED\ntoken    true\n\n")
    got = context.run("--call=targets", tag=None)
    assert got.rc == 0 and got.out == "TARGET  DESCRIPTION\nbase    \nrelease has what runs\n"


# ---------------------------------------------------------------- mistakes

MISTAKES = {
    "FROM busybox AS a\nCOPY --from=a /x /y\n": ("circular dependency detected on stage: a", 2),
    "FROM busybox\nRUN true\n\nCOPY --from=7 /x /y\n": ("invalid stage index 7", 4),
    "ARG B\nFROM $B\n": ("base name ($B) should not be blank", 2),
    "FROM busybox\nENV A=${B\n": ("failed to process \"${B\": syntax error: missing '}'", 2),
    "FROM BusyBox\n": ("failed to parse stage name \"BusyBox\": invalid reference format", 1),
    "FROM busybox\nEXPOSE x\n": ("invalid containerPort: x", 2),
    "FROM busybox\nRUN --network=host true\n": ("network.host is not allowed", 2),
}


@pytest.mark.parametrize("text", list(MISTAKES))
def test_mistakes_name_the_line(context, text):
    message, line = MISTAKES[text]
    got = context.write(Dockerfile=text).run()
    assert got.rc == 1 and message in got.err
    assert "Dockerfile:%d\n" % line in got.err and re.search(r"^ *%d \| >>> " % line, got.err, re.M), got.err


def test_a_target_that_is_nearly_there(context):
    got = context.write(Dockerfile="FROM busybox AS build\n").run("--target=biuld")
    assert got.rc == 1 and 'target stage "biuld" could not be found (did you mean build?)' in got.err
