# SPDX-License-Identifier: Apache-2.0
"""Every script under examples/ runs, says what it promises and leaves nothing behind."""
import os
import pathlib
import subprocess

import pytest

from conftest import PROGRAM, REPO

SCRIPTS = sorted(REPO.glob("examples/*/*.sh"))


def test_there_are_examples():
    folders = {script.parent.name for script in SCRIPTS}
    assert {"cpu-shares", "hello-world", "namespace-by-hand", "network-by-hand", "overlay-two-lowers"} <= folders
    for folder in folders:
        assert (REPO / "examples" / folder / "plain.sh").exists() and (REPO / "examples" / folder / "tare.sh").exists()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: "%s/%s" % (s.parent.name, s.stem))
def test_example(script, tare):
    mounts = pathlib.Path("/proc/self/mounts").read_text().count("example-")
    env = dict(os.environ, TARE=PROGRAM, TARE_ROOT=str(tare.root), TARE_RUNROOT=str(tare.runroot))
    done = subprocess.run(["sh", str(script)], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("ok"), done.stdout
    assert pathlib.Path("/proc/self/mounts").read_text().count("example-") == mounts
