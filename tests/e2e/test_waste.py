# SPDX-License-Identifier: Apache-2.0
"""image waste and image size: what an image carries for nothing, and what it shares."""
import json

import pytest


def step(tare, base, name, script):
    """An image made from another by running SCRIPT in it; returns its name."""
    tare.ok("run", "--name", "step", base, "sh", "-c", script)
    tare.ok("commit", "step", name)
    tare.ok("rm", "step")
    return name


def waste(tare, *args):
    """The row of one image."""
    return json.loads(tare.ok("image", "waste", "--format", "json", *args))


def found(row):
    """(path, bytes, layer, change, by) of its files."""
    return [(p["Path"], int(p["Bytes"]), p["Layer"].split()[0], p["Change"], p["By"].split()[0]) for p in row["Paths"]]


@pytest.fixture
def layers(tare):
    """Files that come in the second layer and go in the third and fourth."""
    step(tare, "busybox", "two", "mkdir -p /d/e /o; head -c 4000 /dev/zero >/d/e/gone; head -c 3000 /dev/zero >/over;"
                                 "head -c 2000 /dev/zero >/o/opaque; head -c 1000 /dev/zero >/kept")
    step(tare, "two", "three", "rm -r /d; head -c 10 /dev/zero >/over; rm -r /o; mkdir /o; echo x >/o/new")
    return step(tare, "three", "four", "head -c 20 /dev/zero >/over; rm /o/new")


def test_deleted_overwritten_and_opaque(tare, layers):
    row = waste(tare, layers)
    assert found(row) == [("/d/e/gone", 4000, "2", "deleted", "3"), ("/over", 3000, "2", "overwritten", "3"),
                          ("/o/opaque", 2000, "2", "deleted", "3"), ("/over", 10, "3", "overwritten", "4"),
                          ("/o/new", 2, "3", "deleted", "4")]
    assert row["WastedBytes"] == "9012" and row["Files"] == "5"
    size = int(tare.ok("image", "inspect", "-f", "{{.Size}}", layers))
    assert int(row["Bytes"]) == size and row["Percent"] == "%.1f%%" % (100 * 9012 / size)


def test_no_waste(tare):
    tare.ok("pull", "-q", "busybox")
    row = waste(tare, "busybox")
    assert (row["WastedBytes"], row["Percent"], row["Paths"]) == ("0", "0.0%", [])
    assert len(tare.ok("image", "waste", "busybox").splitlines()) == 2


def test_worst_first_and_twenty(tare):
    step(tare, "busybox", "many", "i=1; while [ $i -le 30 ]; do head -c $((i * 10)) /dev/zero >/f$i; i=$((i+1)); done")
    step(tare, "many", "few", "rm /f*")
    row = waste(tare, "few")
    assert [p["Path"] for p in row["Paths"]] == ["/f%d" % i for i in range(30, 10, -1)]
    assert row["Files"] == "30" and int(row["WastedBytes"]) == sum(i * 10 for i in range(1, 31))
    assert len(waste(tare, "--no-trunc", "few")["Paths"]) == 30
    out = tare.ok("image", "waste", "few")
    assert "few (20 of 30 files):" in out and out.splitlines()[-1].endswith("/f11")


def test_hard_links_count_once(tare):
    step(tare, "busybox", "linked", "head -c 5000 /dev/zero >/a; ln /a /b")
    step(tare, "linked", "one", "rm /a")
    assert found(waste(tare, "one")) == []
    step(tare, "one", "none", "rm /b")
    assert [f[1:] for f in found(waste(tare, "none"))] == [(5000, "2", "deleted", "4")]


def test_several_images_and_a_missing_one(tare, layers):
    got = tare("image", "waste", "--format", "{{.Image}} {{.WastedBytes}}", "two", "nosuch", "four")
    assert (got.rc, got.out) == (1, "two 0\nfour 9012\n") and "No such image: nosuch:latest" in got.err
    assert tare("image", "waste", "nosuch").out == ""


def test_names_that_a_terminal_would_act_on(tare):
    """A hostile image's names and instructions are shown, but forge no lines and move no cursor; JSON has them as they are."""
    name = "/a\033[31m\nx (used by nothing)\a"
    step(tare, "busybox", "bad", "printf 12345 >\"$(printf '%s')\"" % name.replace("\033", r"\033").replace("\n", r"\n").replace("\a", r"\007"))
    step(tare, "bad", "worse", "rm /a*")
    quoted = r"/a\033[31m\012x (used by nothing)\007"
    assert tare.ok("image", "waste", "worse").splitlines()[-1].endswith(quoted)
    assert waste(tare, "worse")["Paths"][0]["Path"] == name
    tare.ok("create", "--name", "cc", "busybox", "echo", "\033[31m\nforged")
    tare.ok("cp", "/etc/hostname", "cc:/f")
    tare.ok("commit", "cc", "forged")
    out = tare.ok("image", "size", "--by-layer", "forged")
    assert len(out.splitlines()) == 3 and r"echo \033[31m\012forged" in out.splitlines()[2]
    rows = tare.ok("image", "size", "--by-layer", "--format", "json", "forged").splitlines()
    assert json.loads(rows[1])["CreatedBy"] == "echo \033[31m\nforged"


# ---------------------------------------------------------------- size

def test_size(tare, layers):
    def sizes(*names):
        return [json.loads(line) for line in tare.ok("image", "size", "--format", "json", *names).splitlines()]
    two, four = sizes("two", "four")
    assert int(two["Bytes"]) == int(tare.ok("image", "inspect", "-f", "{{.Size}}", "two"))
    # All of "two" is in "four"; of that, only the last layer is its own.
    assert two["UniqueBytes"] == "0" and two["SharedBytes"] == two["Bytes"]
    assert four["UniqueBytes"] == "20" and int(four["Bytes"]) == int(four["SharedBytes"]) + 20
    tare.ok("rmi", "three", "four")
    assert int(sizes("two")[0]["UniqueBytes"]) == 10000


def test_size_by_layer(tare, layers):
    out = [json.loads(line) for line in tare.ok("image", "size", "--by-layer", "--format", "json", "four").splitlines()]
    assert [row["Bytes"] for row in out[1:]] == ["10000", "12", "20"]
    assert [row["Images"] for row in out] == ["4", "3", "2", "1"]
    assert out[3]["CreatedBy"].startswith("sh -c head -c 20 /dev/zero") and all(int(r["PackedBytes"]) for r in out)
    diff_ids = json.loads(tare.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", "four"))
    full = tare.ok("image", "size", "--by-layer", "--no-trunc", "--format", "{{.Layer}}", "four")
    assert full.split() == diff_ids
