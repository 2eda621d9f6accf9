# SPDX-License-Identifier: Apache-2.0
"""COPY, ADD and WORKDIR: trees to the last field beside docker's classic builder and buildah, and hostile trees."""
import json
import os
import subprocess
import time

import pytest

import copy_trees
from copy_cases import CASES
from peers import *  # noqa: F401,F403  the fixtures

BY_NAME = {case.name: case for case in CASES}
# What the configuration of an image says beside where it is from.
CONFIG_KEYS = ("User", "WorkingDir", "Env", "Cmd", "Entrypoint", "Labels", "ExposedPorts", "Volumes")


def context(case, folder):
    folder.mkdir()
    copy_trees.make(folder, case.tree)
    lines = ["FROM scratch"]
    if case.base:
        (folder / "base.tar").write_bytes(copy_trees.archive_of([li for li in case.base.split("\n") if li]))
        lines.append("ADD base.tar /")
    (folder / "Dockerfile").write_text("\n".join(lines + [case.lines, "LABEL done=1", ""]))
    if case.ignore:
        (folder / ".dockerignore").write_text(case.ignore)
    return folder


def built(tare, case, tmp_path):
    """Result of the build, and tree and configuration if it succeeded."""
    folder = context(case, tmp_path / "ctx")
    done = tare("build", "-t", "im", "--build-arg", "SOURCE_DATE_EPOCH=%d" % time.time(), folder)
    if done.rc:
        return done, None, None
    tare.ok("save", "-o", tmp_path / "tare.tar", "im")
    return (done, *copy_trees.of_archive(tmp_path / "tare.tar"))


def config_of(text):
    config = text.get("config") or {}
    return {key: config.get(key) or None for key in CONFIG_KEYS}


def with_docker(docker, folder, out):
    done = docker("build", "-q", "-t", "im", folder, check=False)
    if done.returncode:
        return None, None
    docker("save", "-o", out, "im")
    return copy_trees.of_archive(out)


def with_buildah(buildah, folder, out):
    done = buildah("bud", "--format", "docker", "-q", "-t", "im", folder, check=False)
    if done.returncode:
        return None, None
    buildah("push", "--disable-compression", "im", "docker-archive:%s:im" % out)
    return copy_trees.of_archive(out)


def differences(ours, theirs):
    return {path: (ours.get(path), theirs.get(path)) for path in sorted(set(ours) | set(theirs))
            if ours.get(path) != theirs.get(path)}


def compare(case, tare, tmp_path, peer, build):
    done, tree, config = built(tare, case, tmp_path)
    theirs, their_config = build(peer, tmp_path / "ctx", tmp_path / "peer.tar")
    if case.fails:
        assert done.rc == 1 and case.fails in done.err, done.err
        assert theirs is None
        return
    assert done.rc == 0, done.err
    assert theirs is not None
    found = differences(tree, theirs)
    assert not found, json.dumps(found, indent=1, default=str)
    assert config_of(config) == config_of(their_config) | {"Env": config_of(config)["Env"]}


@pytest.mark.parametrize("name", [case.name for case in CASES if "docker" in case.peers])
def test_as_docker(tare, docker, tmp_path, name):
    compare(BY_NAME[name], tare, tmp_path, docker, with_docker)


@pytest.mark.parametrize("name", [case.name for case in CASES if "buildah" in case.peers])
def test_as_buildah(tare, buildah, tmp_path, name):
    compare(BY_NAME[name], tare, tmp_path, buildah, with_buildah)


@pytest.mark.parametrize("name", [case.name for case in CASES if case.want is not None])
def test_as_buildkit(tare, tmp_path, name):
    """What the peers do otherwise, or cannot do."""
    case = BY_NAME[name]
    done, tree, _ = built(tare, case, tmp_path)
    assert done.rc == 0, done.err
    for path, want in case.want.items():
        found = tree.get(path)
        if want is None:
            assert found is None
            continue
        got = (found["kind"], found.get("mode"), found["uid"], found["gid"], found["time"], found["data"])
        assert got == tuple(g if w is None else w for g, w in zip(got, want)), path
