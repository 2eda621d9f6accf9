# SPDX-License-Identifier: Apache-2.0
"""system df: what the disk holds, and that every byte below the root is somebody's."""
import json
import re
import subprocess

import pytest


def du(path):
    return int(subprocess.run(["du", "-s", "--block-size=1", path], stdout=subprocess.PIPE, text=True, check=True)
               .stdout.split()[0])


def summary(tare):
    """Type -> row, of the list form."""
    return {row["Type"]: row for row in map(json.loads, tare.ok("system", "df", "--format", "json").splitlines())}


def total(tare):
    return sum(int(row["Bytes"]) for row in summary(tare).values())


def details(tare):
    return json.loads(tare("system", "df", "-v", "--format", "json", check=True).out)


@pytest.fixture
def busy(tare):
    """Images that share layers, one without a name, containers with files, links and holes."""
    script = ("mkdir /d; head -c 300000 /dev/urandom >/d/f; ln /d/f /d/g; ln -s f /d/l; truncate -s 50M /d/hole;"
              "i=0; while [ $i -lt 200 ]; do echo $i >/d/$i; i=$((i+1)); done; echo said")
    tare.ok("run", "--name", "one", "busybox", "sh", "-c", script)
    tare.ok("commit", "one", "kid")
    tare.ok("commit", "one")
    tare.ok("run", "-d", "--name", "two", "--network", "none", "kid", "sleep", "1000")
    return tare


def test_nothing(tare):
    tare.ok("images")
    assert total(tare) == du(tare.root)
    assert [(row["TotalCount"], row["Bytes"]) for kind, row in summary(tare).items() if "rest" not in kind] == [
        ("0", "0")] * 4


def test_sum_is_du(busy):
    """To the byte, as long as nobody writes."""
    assert total(busy) == du(busy.root)
    out = busy.ok("system", "df", "-v")
    assert int(re.search(r"\((\d+) bytes\)$", out).group(1)) == du(busy.root)
    kinds = summary(busy)
    assert int(kinds["Images"]["Bytes"]) == sum(
        du(path) for part in ("layers", "blobs/sha256") for path in (busy.root / part).iterdir())
    assert int(kinds["Containers"]["Bytes"]) == sum(du(path) for path in (busy.root / "containers").iterdir())
    assert kinds["Containers"]["TotalCount"] == "2" and kinds["Containers"]["Active"] == "1"
    # What lies about without an owner is in it, too.
    (busy.root / "layers" / ("0" * 64)).mkdir()
    (busy.root / "layers" / ("0" * 64) / "x").write_bytes(b"x" * 100000)
    (busy.root / "staging" / "other").write_bytes(b"x" * 5000)
    assert total(busy) == du(busy.root)


def test_parts_of_images(busy):
    got = details(busy)
    assert list(got) == ["Images", "Containers", "Volumes", "BuildCache", "Summary"]
    images = got["Images"]
    assert {i["Repository"] for i in images} == {"busybox", "kid", "<none>"}
    for i in images:
        assert int(i["Bytes"]) == int(i["SharedBytes"]) + int(i["UniqueBytes"])
    # The three share the base; the two commits are the same layer under different configurations.
    by_name = {i["Repository"]: i for i in images}
    assert int(by_name["busybox"]["SharedBytes"]) > 1000000
    assert int(by_name["kid"]["UniqueBytes"]) < 10000 < 300000 < int(by_name["kid"]["SharedBytes"])
    assert (by_name["busybox"]["Containers"], by_name["kid"]["Containers"]) == ("1", "1")
    sizes = {c["Names"]: int(c["Bytes"]) for c in got["Containers"]}
    ids = {name: busy.ok("inspect", "-f", "{{.Id}}", name) for name in sizes}
    assert sizes == {name: du(busy.root / "containers" / ids[name]) for name in ("one", "two")}


def test_reclaimable_is_what_prune_frees(busy):
    before = summary(busy)
    tree = du(busy.root / "layers") + du(busy.root / "blobs")
    out = busy.ok("image", "prune", "-af")
    freed = tree - du(busy.root / "layers") - du(busy.root / "blobs")
    assert freed == int(before["Images"]["ReclaimableBytes"]) > 0
    assert int(summary(busy)["Images"]["ReclaimableBytes"]) == 0
    assert out.splitlines()[-1].startswith("Total reclaimed space: ")
    assert int(before["Containers"]["ReclaimableBytes"]) == du(busy.root / "containers" / busy.ok("inspect", "-f", "{{.Id}}", "one"))
    busy.ok("rm", "-f", "one", "two")
    after = summary(busy)["Images"]
    assert after["ReclaimableBytes"] == after["Bytes"]
    busy.ok("image", "prune", "-af")
    assert summary(busy)["Images"]["Bytes"] == "0" and total(busy) == du(busy.root)


def test_removed_by_force_but_kept(tare):
    """Space that a container still holds is listed, though the image has no name and cannot be found."""
    tare.ok("create", "--name", "user", "busybox")
    tare.ok("rmi", "-f", "busybox")
    assert tare.ok("images", "-aq") == ""
    got = details(tare)
    assert [(i["Repository"], i["Containers"]) for i in got["Images"]] == [("<none>", "1")]
    assert int(got["Images"][0]["Bytes"]) > 1000000 and total(tare) == du(tare.root)


def test_is_explained(tare):
    assert "du(1)" in tare.ok("system", "df", "--help")
    assert "du(1)" in tare.ok("man", "system", "df")
