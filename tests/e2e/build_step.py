# SPDX-License-Identifier: Apache-2.0
"""Steps RUN without a Dockerfile: one command on an image, by tests/component/run_tool.c, with what it left
in its layer."""
import os
import pathlib
import shutil
import stat
import subprocess

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TARE_BUILD", REPO / "build")).resolve()
TOOL = BUILD / "tests/component/tare-run-tool"

needs_tool = pytest.mark.skipif(not TOOL.exists(), reason="no %s: run make build" % TOOL)


class Step:
    """What a step has done: RC of the tool, OUT its output, ERR how it ended, UPPER its layer."""

    def __init__(self, done, folder):
        self.rc, self.folder, self.upper = done.returncode, folder, folder / "upper"
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    def tree(self):
        """Every path of the layer with its kind and mode: what it would be as a layer of an image."""
        found = {}
        for base, dirs, files in os.walk(self.upper):
            for name in dirs + files:
                path = os.path.join(base, name)
                st = os.lstat(path)
                found["/" + os.path.relpath(path, self.upper)] = stat.filemode(st.st_mode)
        return found


class Steps:
    """Makes steps on the images of TARE, each in a directory of its own."""

    def __init__(self, tare):
        self.tare, self.n = tare, 0
        tare.ok("run", "--rm", "--network", "none", "busybox", "true")

    def argv(self, folder, *args):
        return [str(TOOL), "--root", str(self.tare.root), "--runroot", str(self.tare.runroot), "--dir", str(folder),
                *map(str, args)]

    def folder(self):
        self.n += 1
        folder = self.tare.folder / ("step%d" % self.n)
        (folder / "upper").mkdir(parents=True)
        (folder / "work").mkdir()
        (folder / "upper").chmod(0o755)
        return folder

    def __call__(self, *args, network="none", input=None, env=None, timeout=60):
        folder = self.folder()
        done = subprocess.run(self.argv(folder, "--network", network, *args), timeout=timeout, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})),
                              **({"stdin": subprocess.DEVNULL} if input is None else {"input": input.encode()}))
        step = Step(done, folder)
        assert sorted(p.name for p in folder.iterdir()) == ["upper", "work"], step.err
        shutil.rmtree(folder / "work")
        return step

    def ok(self, *args, **more):
        step = self(*args, **more)
        assert step.rc == 0, step.out + step.err
        return step

    def popen(self, *args, network="none", **more):
        """One that runs on; killed at the end of the test if it still does."""
        child = subprocess.Popen(self.argv(self.folder(), "--network", network, *args),
                                 **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more})
        self.tare.started.append(child)
        return child

    def left(self):
        """What is there of steps below the runroot, and must not be when none runs."""
        return [str(p) for name in ("containers", "pending") for p in (self.tare.runroot / name).glob("*")]


@pytest.fixture
def steps(tare):
    made = Steps(tare)
    yield made
    assert not made.left()
