# SPDX-License-Identifier: Apache-2.0
"""Hostile archives and images by the hundred: each gets a clean answer within a second and 128 MiB, nothing outside
changes, and the store is right afterwards. The pieces come from hostile_archives.py and hostile_images.py; at length:

    tests/e2e/hostile_driver.py archives --program build/tare --count 5000
"""
import json
import os
import subprocess
import sys

import pytest

from conftest import PROGRAM, REPO

SEED = int(os.environ.get("TARE_TEST_SEED", "1"))
# Each part is a test, so that they run side by side; together 2,000 archives and 500 images.
PARTS = 4


def drive(what, part, count):
    """Every PARTS-th seed from PART on; the driver says what is wrong."""
    done = subprocess.run([sys.executable, REPO / "tests/e2e/hostile_driver.py", what, "--program", PROGRAM, "--seed",
                           str(SEED + part),
                           "--step", str(PARTS), "--count", str(count)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["pieces"] == count
    return summary


@pytest.mark.parametrize("part", range(PARTS))
def test_archives(part):
    summary = drive("archives", part, 500)
    # An archive that is refused at its first member tries nothing: some must get through, and every recipe must be there.
    assert summary["accepted"] > 40 and len(summary["kinds"]) >= 22, summary


@pytest.mark.parametrize("part", range(PARTS))
def test_images(part):
    summary = drive("images", part, 125)
    assert summary["accepted"] > 3 and len(summary["kinds"]) >= 20, summary
