# SPDX-License-Identifier: Apache-2.0
"""load and save: what comes in and what it is called, what goes out, and archives that are wrong."""
import bz2
import gzip
import io
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tempfile

import archives
import pytest
from archives import Layout, config, digest, docker, dumps, layer, legacy, member, sha, tar
from terminal import Terminal

COMPRESS = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
A, B = layer(a="one"), layer(b="two")


def load(tare, data, *options, **more):
    return tare("load", *options, input=data, **more)


def load_file(tare, tmp_path, data, *options):
    (tmp_path / "in.tar").write_bytes(data)
    return tare("load", *options, "-i", tmp_path / "in.tar")


def read_tar(data):
    """name -> bytes of an archive's files."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}


def image_id(tare, name):
    return tare.ok("image", "inspect", "-f", "{{.Id}}", name)


def names(tare):
    return sorted(tare.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split())


# ---------------------------------------------------------------- what docker says of odd configurations

@pytest.mark.parametrize("created, table, since, at, step", [
    (None, "N/A", "", "0001-01-01 00:00:00 +0000 UTC", "N/A"),
    ("0001-01-01T00:00:00Z", "N/A", "", "0001-01-01 00:00:00 +0000 UTC", "N/A"),
    ("1600-01-02T03:04:05Z", "292 years ago", "292 years ago", "1600-01-02 03:04:05 +0000 UTC", "N/A"),
    ("1970-01-01T00:00:00Z", "5x years ago", "5x years ago", "1970-01-01 00:00:00 +0000 UTC", "N/A"),
    ("2300-01-02T03:04:05Z", "Less than a second ago", "Less than a second ago", "2300-01-02 03:04:05 +0000 UTC",
     "Less than a second ago"),
    ("9999-01-02T03:04:05Z", "Less than a second ago", "Less than a second ago", "9999-01-02 03:04:05 +0000 UTC",
     "Less than a second ago")])
def test_created_far_away_or_not_at_all(tare, monkeypatch, created, table, since, at, step):
    monkeypatch.setenv("TZ", "UTC")
    said = {"created": created} if created else {}
    load(tare, tar(*docker([A], text=config(A, history=[dict(said, created_by="x")], **said))))

    def shown(*argv):
        return re.sub("5[0-9] years", "5x years", tare.ok(*argv))
    assert "   %s   " % table in shown("images").splitlines()[1]
    assert shown("images", "--format", "{{.CreatedSince}}|{{.CreatedAt}}") == "%s|%s" % (since, at)
    assert shown("system", "df", "-v", "--format", "{{range .Images}}{{.CreatedSince}}|{{.CreatedAt}}{{end}}") == \
        "%s|%s" % (since, at)
    stamp = at[:10] + "T" + at[11:19] + "Z"
    assert shown("history", "--format", "{{.CreatedSince}}|{{.CreatedAt}}", "x:1") == "%s|%s" % (step, stamp)
    assert shown("history", "-H=false", "--format", "{{.CreatedSince}}", "x:1") == stamp
    assert tare("system", "check").rc == 0


def test_images_of_other_systems(tare):
    got = load(tare, tar(*docker([A], text=config(A, os="windows"))))
    assert (got.rc, got.out) == (1, "") and "cannot load windows image on linux" in got.err
    assert tare.ok("images", "-q") == ""


# ---------------------------------------------------------------- the lecture

def test_saved_layer_runs_on_the_host(tare, tmp_path):
    """tare save hello-world -o test.tar; tar xf test.tar shows blobs that tar opens, and hello runs."""
    tare.ok("pull", "hello-world")
    tare.ok("save", "hello-world", "-o", "test.tar", cwd=tmp_path)
    subprocess.run(["tar", "xf", "test.tar"], cwd=tmp_path, check=True)
    blobs = sorted((tmp_path / "blobs/sha256").iterdir())
    opened = [b for b in blobs if subprocess.run(["tar", "xf", b], cwd=tmp_path, capture_output=True).returncode == 0]
    assert len(opened) == 1 and len(blobs) == 3
    out = subprocess.run([tmp_path / "hello"], check=True, capture_output=True, text=True).stdout
    assert "Hello from" in out


def test_save_to_standard_output(tare, tmp_path):
    tare.ok("pull", "hello-world")
    tare.ok("tag", "hello-world", "test:latest")
    piped = tare("save", "test:latest", binary=True, check=True).out
    tare.ok("save", "test:latest", "-o", tmp_path / "x.tar")
    assert (tmp_path / "x.tar").read_bytes() == piped
    assert (tmp_path / "x.tar").stat().st_mode & 0o777 == 0o600
    files = read_tar(piped)
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == ["test:latest"]
    tare.ok("rmi", "test:latest", "hello-world")
    assert load(tare, piped).out == "Loaded image: test:latest\n"
    assert "Hello from" in tare.ok("run", "--rm", "test")


# ---------------------------------------------------------------- save

def test_save_is_layout_and_docker_archive(tare):
    load(tare, tar(*docker([A, B], ["x:1", "team/y:2", "localhost:5000/z:3"])), check=True)
    data = tare("save", "team/y:2", "x:1", image_id(tare, "x:1"), binary=True, check=True).out
    files = read_tar(data)
    (item,) = json.loads(files["manifest.json"])
    text = config(A, B)
    assert item["Config"] == "blobs/sha256/" + sha(text) and files[item["Config"]] == text
    assert item["RepoTags"] == ["x:1", "team/y:2"]
    assert item["Layers"] == ["blobs/sha256/" + sha(A), "blobs/sha256/" + sha(B)]
    assert [files[name] for name in item["Layers"]] == [A, B]
    assert item["LayerSources"][digest(A)] == {"mediaType": archives.LAYER, "size": len(A), "digest": digest(A)}
    assert json.loads(files["repositories"]) == {"team/y": {"2": sha(B)}, "x": {"1": sha(B)}}
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for entry, tag in zip(json.loads(files["index.json"])["manifests"], ("1", "2")):
        assert entry["annotations"]["org.opencontainers.image.ref.name"] == tag
        manifest = json.loads(files["blobs/sha256/" + entry["digest"][7:]])
        assert manifest["config"]["digest"] == digest(text)
        assert [d["digest"] for d in manifest["layers"]] == [digest(A), digest(B)]
    for name, blob in files.items():
        assert not name.startswith("blobs/") or name == "blobs/sha256/" + sha(blob)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert {m.mtime for m in archive} == {0}
        assert [m.name for m in archive] == sorted(m.name for m in archive)


def test_save_gives_the_same_bytes_for_the_same_images(tare, tare_factory):
    other = tare_factory()
    for one, order in ((tare, (A, B)), (other, (B, A))):
        for data in order:
            load(one, tar(*docker([data], ["%s:1" % ("a" if data is A else "b")])), check=True)
    first = tare("save", "a:1", "b:1", binary=True, check=True).out
    assert other("save", "b:1", "a:1", binary=True, check=True).out == first


def test_save_of_a_repository_has_all_its_tags(tare):
    load(tare, tar(*docker([A], ["x:1", "x:2", "xy:3"])), check=True)
    files = read_tar(tare("save", "x", binary=True, check=True).out)
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == ["x:1", "x:2"]


def test_save_by_id_has_no_name(tare):
    load(tare, tar(*docker([A], ["x:1"])), check=True)
    own = image_id(tare, "x:1")
    for word in (own, own[7:], own[7:19]):
        files = read_tar(tare("save", word, binary=True, check=True).out)
        assert json.loads(files["manifest.json"])[0]["RepoTags"] is None
        assert "repositories" not in files
        assert len(json.loads(files["index.json"])["manifests"]) == 1
    tare.ok("rmi", "-f", "x:1")
    assert load(tare, tar(*files.items())).out == "Loaded image ID: %s\n" % own


def test_shared_layers_are_saved_once(tare):
    load(tare, tar(*docker([A, B], ["x:1"])), check=True)
    load(tare, tar(*docker([A], ["y:1"])), check=True)
    with tarfile.open(fileobj=io.BytesIO(tare("save", "x:1", "y:1", binary=True, check=True).out)) as archive:
        found = [m.name for m in archive]
    assert len(found) == len(set(found)) and "blobs/sha256/" + sha(A) in found


def test_save_errors_leave_no_file(tare, tmp_path):
    load(tare, tar(*docker([A], ["x:1"])), check=True)
    got = tare("save", "-o", tmp_path / "o.tar", "x:1", "nosuch:1")
    assert got.rc == 1 and "nosuch:1: reference does not exist" in got.err
    got = tare("save", "-o", tmp_path / "o.tar", "nosuch")
    assert got.rc == 1 and got.err == "tare: No such image: nosuch\n"
    got = tare("save", "-o", tmp_path / "nosuch/o.tar", "x:1")
    assert got.rc == 1 and "failed to save image: invalid output path" in got.err
    got = tare("save", "--platform", "linux/s390x", "-o", tmp_path / "o.tar", "x:1")
    assert got.rc == 1 and "does not provide the specified platform (linux/s390x)" in got.err
    assert list(tmp_path.iterdir()) == []


def test_save_finds_a_damaged_blob(tare, tmp_path):
    load(tare, tar(*docker([layer(a="x" * 100000)], ["x:1"])), check=True)
    (blob,) = [p for p in (tare.root / "blobs/sha256").iterdir() if p.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"]
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 0xff
    blob.write_bytes(bytes(data))
    (tmp_path / "o.tar").write_text("as it was")
    got = tare("save", "-o", tmp_path / "o.tar", "x:1")
    assert got.rc == 1 and got.err
    assert [p.name for p in tmp_path.iterdir()] == ["o.tar"]
    assert (tmp_path / "o.tar").read_text() == "as it was"


def test_save_believes_errors_of_its_output(tare):
    load(tare, tar(*docker([layer(a="x" * 500000)], ["x:1"])), check=True)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(tare.argv + ["save", "x:1"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "o space left" in done.stderr
    done = subprocess.run("%s save x:1 | head -c 100 >/dev/null; exit ${PIPESTATUS[0]}" % " ".join(tare.argv),
                          shell=True, executable="/bin/bash", stderr=subprocess.PIPE)
    assert done.returncode != 0


def test_terminals_are_refused(tare):
    load(tare, tar(*docker([A], ["x:1"])), check=True)
    for words, text in ((["save", "x:1"], b"cowardly refusing to save to a terminal. Use the -o flag or redirect"),
                        (["load"], b"requested load from stdin, but stdin is empty")):
        terminal = Terminal(tare.argv + words)
        terminal.expect(text)
        assert terminal.wait() == 1
        terminal.close()


# ---------------------------------------------------------------- load

def test_a_bar_for_each_layer(tare, tmp_path):
    """On a terminal, and none for a layer that is there already."""
    layers = [layer(a=os.urandom(600000).hex()), layer(b=os.urandom(600000).hex()), layer(c="x")]
    (tmp_path / "in.tar").write_bytes(tar(*docker(layers)))
    for expected in (layers, []):
        terminal = Terminal(tare.argv + ["load", "-i", str(tmp_path / "in.tar")], columns=120)
        terminal.expect(b"Loaded image: x:1")
        assert terminal.wait() == 0
        for data in layers:
            bar = digest(data)[7:19].encode() + b": Loading layer ["
            assert (bar in terminal.seen) == (data in expected), terminal.seen
        terminal.close()


def test_load_of_a_missing_file(tare):
    got = tare("load", "-i", "nosuch.tar")
    assert got.rc == 1 and "open nosuch.tar: no such file or directory" in got.err.lower()


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("how", ["pipe", "file"])
def test_load_reads_every_compression(tare, tmp_path, kind, how):
    data = COMPRESS[kind](tar(*docker([A, B])))
    got = load(tare, data) if how == "pipe" else load_file(tare, tmp_path, data)
    assert (got.rc, got.out, got.err) == (0, "Loaded image: x:1\n", "")
    assert image_id(tare, "x:1") == digest(config(A, B))


@pytest.mark.parametrize("kind", COMPRESS)
def test_load_reads_compressed_layers(tare, kind):
    data = docker([COMPRESS[kind](A)], text=config(A))
    assert load(tare, tar(*data)).out == "Loaded image: x:1\n"
    saved = read_tar(tare("save", "x:1", binary=True, check=True).out)
    assert saved["blobs/sha256/" + sha(A)] == A


def test_several_images_in_one_archive(tare):
    one, two = docker([A], ["x:1", "y:1"]), docker([B], [])
    both = json.loads(one[-1][1]) + json.loads(two[-1][1])
    both[1]["Layers"] = ["other/layer.tar"]
    files = one[:-1] + [two[0], ("other/layer.tar", B), ("manifest.json", dumps(both))]
    got = load(tare, tar(*files))
    assert got.out == "Loaded image: x:1\nLoaded image: y:1\nLoaded image ID: %s\n" % digest(config(B))


def test_a_name_that_moves_is_told_of(tare):
    load(tare, tar(*docker([A])), check=True)
    got = load(tare, tar(*docker([B])))
    assert got.out == ("The image x:1 already exists, renaming the old one with ID %s to empty string\n"
                       "Loaded image: x:1\n" % digest(config(A)))
    assert load(tare, tar(*docker([B])), "-q").out == "Loaded image: x:1\n"


def test_links_between_layers(tare):
    """Docker and podman write a layer that is there twice as a link to the first."""
    for kind, target in ((tarfile.SYMTYPE, "../0/layer.tar"), (tarfile.LNKTYPE, "0/layer.tar")):
        files = docker([A, A])
        files[2] = member("1/layer.tar", type=kind, linkname=target)
        assert load(tare, tar(*files)).out == "Loaded image: x:1\n"
        tare.ok("rmi", "x:1")


def test_the_last_member_of_a_name_counts(tare):
    files = docker([A])
    assert load(tare, tar(("manifest.json", b"[]"), *files)).out == "Loaded image: x:1\n"
    assert load(tare, tar(*files, ("manifest.json", b"[]"))).out == ""


def test_names_of_a_layout(tare):
    out = Layout()
    entry = out.manifest(A)
    out.add(entry, name="latest", image="docker.io/library/one:2").add(entry, name="two:3")
    out.add(out.manifest(B), name="v1")
    got = load(tare, out.tar())
    assert got.out == "Loaded image: one:2\nLoaded image: two:3\nLoaded image ID: %s\n" % digest(config(B))


def test_one_configuration_named_twice_is_one_image(tare):
    files = docker([A])
    item = json.loads(files[-1][1])[0]
    files[-1] = ("manifest.json", dumps([item, dict(item, RepoTags=["y:2"])]))
    assert load(tare, tar(*files)).out == "Loaded image: x:1\nLoaded image: y:2\n"
    files[-1] = ("manifest.json", dumps([item, dict(item, Layers=["x/layer.tar"])]))
    got = load(tare, tar(*files))
    assert got.rc == 1 and "named twice with different layers" in got.err


def test_platforms(tare):
    data = archives.multi()[0].tar()
    load(tare, data, check=True)
    assert tare.ok("image", "inspect", "-f", "{{.Architecture}}", "multi:1") == "amd64"
    load(tare, data, "--platform", "linux/arm64", check=True)
    assert tare.ok("image", "inspect", "-f", "{{.Architecture}}", "multi:1") == "arm64"
    got = load(tare, data, "--platform", "linux/s390x")
    assert got.rc == 1 and "no image for linux/s390x in it" in got.err
    got = load(tare, tar(*docker([A])), "--platform", "linux/arm64")
    assert got.rc == 1 and "no image for linux/arm64 in it" in got.err
    got = load(tare, data, "--platform", "a/b/c/d")
    assert got.rc == 1 and "invalid platform" in got.err


def test_what_is_missing_is_no_other_platform(tare):
    """With --platform, images for others are passed over, and broken ones are not."""
    good, bad = docker([A], ["x:1"]), docker([B], ["y:1"])
    both = json.loads(good[-1][1]) + [dict(json.loads(bad[-1][1])[0], Layers=["missing/layer.tar"])]
    data = tar(*good[:-1], bad[0], ("manifest.json", dumps(both)))
    for options in ((), ("--platform", "linux/amd64")):
        got = load(tare, data, *options)
        assert got.rc == 1 and "layer 0: missing/layer.tar is missing" in got.err
        assert got.out == "Loaded image: x:1\n"
    both[1]["Config"] = "missing.json"
    got = load(tare, tar(*good[:-1], ("manifest.json", dumps(both))), "--platform", "linux/amd64")
    assert got.rc == 1 and "missing.json is missing" in got.err


def test_a_layout_for_several_platforms_without_an_index_of_its_own(tare):
    out = Layout()
    for arch, text in (("arm64", "arm"), ("amd64", "amd")):
        out.add(out.manifest(layer(a=text), platform={"os": "linux", "architecture": arch}), name="x:1")
    assert load(tare, out.tar()).out == "Loaded image: x:1\n"
    assert tare.ok("image", "inspect", "-f", "{{.Architecture}}", "x:1") == "amd64"


def test_an_index_of_which_only_one_platform_is_there(tare):
    """As docker's containerd store saves one platform: the index names manifests that are not in the archive."""
    out, _ = archives.multi()
    data = [f for f in out.files() if b"arm64" not in f[1] or f[0] == "index.json" or b"manifests" in f[1]]
    assert len(data) < len(out.files())
    assert load(tare, tar(*data)).out == "Loaded image: multi:1\n"


# What docker 20.10 makes of the same archive.
OLD_ID = "sha256:8faa4bb94f2fdf19d1586469f27c1fa27425e851efd423f15350b306a08559a5"


def test_images_of_the_old_generation(tare):
    got = load(tare, tar(*legacy([A, B])))
    assert (got.rc, got.out) == (0, "Loaded image: old:1\n")
    doc = json.loads(tare.ok("image", "inspect", "old:1"))[0]
    assert doc["RootFS"]["Layers"] == [digest(A), digest(B)]
    assert doc["Config"]["Env"] == ["A=b"] and doc["Author"] == "somebody"
    assert doc["Id"] == OLD_ID
    got = load(tare, tar(*legacy([A], name=None)))
    assert got.out.startswith("Loaded image ID: sha256:")


def test_more_layers_than_descriptors(tare, tmp_path):
    """As many as there may be, of which each takes four, with fewer descriptors than that is."""
    layers = [layer(**{"f%d" % i: "x"}) for i in range(127)]
    (tmp_path / "in.tar").write_bytes(tar(*docker(layers)))
    few = ["prlimit", "--nofile=400:400", *tare.argv]
    for words in (["load", "-i", "in.tar"], ["save", "-o", "out.tar", "x:1"], ["image", "copy", "tare:x:1", "oci:o:x"],
                  ["image", "copy", "docker-archive:in.tar", "oci:o:y"], ["image", "copy", "oci:o:x", "tare:y:1"]):
        done = subprocess.run(few + words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stderr)
    assert image_id(tare, "y:1") == digest(config(*layers))
    one_more = layers + [layer(more="x")]
    got = load(tare, tar(*docker(one_more)))
    assert got.rc == 1 and "max depth exceeded" in got.err


def test_a_second_load_reads_no_layer(tare):
    data = tar(*docker([layer(a="x" * 3000000)]))
    load(tare, data, check=True)
    before = {p: p.stat().st_ino for p in tare.root.rglob("*") if p.is_file() and "layers" in str(p)}
    assert load(tare, data).out == "Loaded image: x:1\n"
    after = {p: p.stat().st_ino for p in tare.root.rglob("*") if p.is_file() and "layers" in str(p)}
    assert before == after


# ---------------------------------------------------------------- archives that are wrong

LIMIT_S, LIMIT_RSS = 1.0, 128 * 1024

# Run by a small process: what a child has at most counts from its parent's size at the fork.
MEASURE = """import os, subprocess, sys, time
start = time.monotonic()
child = subprocess.Popen(sys.argv[2:], stdout=int(sys.argv[1]), stderr=int(sys.argv[1]))
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(child.returncode, usage.ru_maxrss, time.monotonic() - start)
"""


def refuse(tare, data, *words, rc=1):
    """Loading must fail, say why in one line, be quick and small, and leave nothing."""
    with tempfile.TemporaryFile() as archive, tempfile.TemporaryFile() as said:
        archive.write(data)
        archive.seek(0)
        done = subprocess.run([sys.executable, "-S", "-E", "-c", MEASURE, str(said.fileno())] + tare.argv + ["load"],
                              stdin=archive, capture_output=True, text=True, pass_fds=[said.fileno()], check=True)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    status, max_rss, took = (float(word) for word in done.stdout.split())
    assert status == rc, (status, text)
    assert max_rss < LIMIT_RSS, max_rss      # of the largest: the helper counts too
    assert any(word in text for word in words), text
    assert len(text.strip().splitlines()) <= 2, text
    assert took < LIMIT_S * (1 + os.getloadavg()[0] / os.cpu_count()), took
    assert tare.ok("images", "-q") == ""
    assert not list((tare.root / "staging").glob("*")) and not list((tare.root / "layers").glob("*"))


def spoil(files, name, data):
    return [(n, data if n == name else d) for n, d in files]


def change(files, **changes):
    item = dict(json.loads(dict(files)["manifest.json"])[0], **changes)
    return spoil(files, "manifest.json", dumps([item]))


GOOD = docker([A])
WRONG = {
    "no tar": (b"this is no archive at all" * 100, "archive", "tar"),
    "nothing": (b"", "archive", "tar", "end"),
    "empty tar": (tar(), "not an archive of images"),
    "other files": (tar(("etc/passwd", b"root")), "not an archive of images"),
    "list is no list": (tar(*spoil(GOOD, "manifest.json", b"{}")), "not a JSON list"),
    "no json": (tar(*spoil(GOOD, "manifest.json", b"[{")), "manifest.json: line 1"),
    "keys twice": (tar(*spoil(GOOD, "manifest.json", b'[{"Config":"a","Config":"b"}]')), "duplicate object key"),
    "json bomb": (tar(*spoil(GOOD, "manifest.json", b"[" * 100000 + b"]" * 100000)), "nested deeper"),
    "huge manifest": (tar(*spoil(GOOD, "manifest.json", b" " * (5 << 20))), "larger than"),
    "huge configuration": (tar(*docker([A], text=b" " * (5 << 20))), "larger than"),
    "configuration is no json": (tar(*docker([A], text=b"hello")), "line 1"),
    "configuration without layers": (tar(*docker([A], text=b'{"os":"linux","architecture":"amd64"}')), "rootfs"),
    "configuration is missing": (tar(*GOOD[1:]), "is missing"),
    "no configuration": (tar(*change(GOOD, Config="")), '"Config" is missing'),
    "layer is missing": (tar(GOOD[0], GOOD[2]), "layer 0: 0/layer.tar is missing"),
    "layer outside": (tar(*change(GOOD, Layers=["../../etc/passwd"])), "is no name of a file inside"),
    "layer absolute": (tar(*change(GOOD, Layers=["/etc/passwd"])), "is no name of a file inside"),
    "layer is a directory": (tar(*change(GOOD, Layers=["0"]), member("0", type=tarfile.DIRTYPE)), "is missing"),
    "configuration outside": (tar(*change(GOOD, Config="../x")), "is no name of a file inside"),
    "name with NUL": (tar(*spoil(GOOD, "manifest.json", b'[{"Config":"a\\u0000b"}]')), "NUL", "u0000"),
    "too few layers": (tar(*change(GOOD, Layers=[])), "invalid manifest, layers length mismatch"),
    "too many layers": (tar(*change(GOOD, Layers=["0/layer.tar"] * 501)), "more than 500 layers"),
    "100k layers": (tar(*change(GOOD, Layers=["0/layer.tar"] * 90000)), "more than 500 layers"),
    "many images": (tar(*spoil(GOOD, "manifest.json", dumps([{"Config": "a"}] * 40000))), "more than 1000 images"),
    "100k images": (tar(*spoil(GOOD, "manifest.json", dumps([{"Config": "a"}] * 100000))), "more than 100000 values"),
    "other layer": (tar(*spoil(GOOD, "0/layer.tar", B)), "layer 0 is not the one of the configuration"),
    "layer cut short": (tar(*spoil(GOOD, "0/layer.tar", A[:600])), "layer", "archive"),
    "bad name": (tar(*change(GOOD, RepoTags=["UPPER:1"])), "invalid reference format"),
    "bad name 2": (tar(*change(GOOD, RepoTags=["x:1\nLoaded image: y:2"])), "invalid reference format"),
    "name without tag": (tar(*change(GOOD, RepoTags=["x"])), 'invalid tag "x"'),
    "name by digest": (tar(*change(GOOD, RepoTags=["x@" + digest(A)])), "invalid tag"),
    "names are numbers": (tar(*change(GOOD, RepoTags=[1])), "not a list of strings"),
    "link to itself": (tar(*[f for f in GOOD if f[0] != "0/layer.tar"],
                           member("0/layer.tar", type=tarfile.SYMTYPE, linkname="layer.tar")), "is missing"),
    "links in a circle": (tar(GOOD[0], GOOD[2], member("0/layer.tar", type=tarfile.SYMTYPE, linkname="../1/layer.tar"),
                              member("1/layer.tar", type=tarfile.SYMTYPE, linkname="../0/layer.tar")), "is missing"),
    "link outside": (tar(GOOD[0], GOOD[2], member("0/layer.tar", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
                     "is missing"),
    "parents in a circle": (tar(*[(n, d.replace(b'"created"', b'"parent":"%s","created"' % n[:64].encode()))
                                  if n.endswith("/json") else (n, d) for n, d in legacy([A])]),
                            "their own parents"),
    "parent outside": (tar(*[(n, d.replace(b'"created"', b'"parent":"../../etc","created"'))
                             for n, d in legacy([A])]), "not the id of a layer"),
    "parent is missing": (tar(*[(n, d.replace(b'"created"', b'"parent":"%s","created"' % (b"a" * 64)))
                                for n, d in legacy([A])]), "is missing"),
    "repository of nothing": (tar(*spoil(legacy([A]), "repositories", dumps({"x": {"1": "b" * 64}}))), "is missing"),
    "repository outside": (tar(*spoil(legacy([A]), "repositories", dumps({"x": {"1": "../x"}}))),
                           "not the id of a layer"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_docker_archives(tare, name):
    data, *words = WRONG[name]
    tare.ok("images")
    refuse(tare, data, *words)


def wrong_layout(what):
    """A layout with one thing wrong."""
    out = Layout()
    if what == "ambiguous":
        out.add(out.manifest(A, manifests=[]), name="x:1")
    elif what == "type of another":
        out.add(dict(out.manifest(A), mediaType=archives.INDEX), name="x:1")
    elif what == "wrong size":
        out.add(dict(out.manifest(A), size=5), name="x:1")
    elif what == "negative size":
        out.add(dict(out.manifest(A), size=-1), name="x:1")
    elif what == "digest outside":
        out.add(dict(out.manifest(A), digest="sha256:../../../../etc/passwd"), name="x:1")
    elif what == "digest upper case":
        out.add(dict(out.manifest(A), digest=out.manifest(A)["digest"].upper().replace("SHA", "sha")), name="x:1")
    elif what == "foreign layer":
        entry = dict(out.blob(gzip.compress(A), archives.LAYER), urls=["https://example.org/x"])
        out.add(out.manifest(A, layers=[entry]), name="x:1")
    elif what == "layer of another size":
        entry = dict(out.blob(gzip.compress(A), archives.LAYER), size=7)
        out.add(out.manifest(A, layers=[entry]), name="x:1")
    elif what == "100k layers":
        out.add(out.manifest(A, layers=[{"digest": digest(A), "size": 1}] * 40000), name="x:1")
    elif what == "no image":
        out.add(out.manifest(A, config=out.blob(b"{}", "application/vnd.example+json")), name="x:1")
    elif what == "damaged manifest":
        entry = out.manifest(A)
        out.blobs[entry["digest"][7:]] = b"x" * entry["size"]
        out.add(entry, name="x:1")
    elif what == "damaged layer":
        data = bytearray(gzip.compress(A))
        entry = out.blob(bytes(data), archives.LAYER + "+gzip")
        data[4] ^= 1                          # the time in gzip's header: it decompresses to the same
        out.blobs[entry["digest"][7:]] = bytes(data)
        out.add(out.manifest(A, layers=[entry]), name="x:1")
    elif what == "missing layer":
        entry = out.manifest(A)
        del out.blobs[sha(gzip.compress(A, mtime=0))]
        out.add(entry, name="x:1")
    elif what == "index in indexes":
        entry = out.manifest(A)
        for _ in range(5):
            entry = out.index(entry)
        out.add(entry, name="x:1")
    elif what == "1001 manifests":
        for _ in range(1001):
            out.add(out.manifest(A))
    elif what == "schema 1":
        out.add(out.blob(dumps({"schemaVersion": 1, "fsLayers": []}), "application/json"), name="x:1")
    return out.tar()


@pytest.mark.parametrize("what,words", [
    ("ambiguous", "ambiguous manifest"), ("type of another", "ambiguous manifest"), ("wrong size", "not the 5 of"),
    ("negative size", '"size" is negative'), ("digest outside", "invalid checksum digest"),
    ("digest upper case", "invalid checksum digest format"), ("foreign layer", "live at other places"),
    ("layer of another size", "not the 7 of"), ("100k layers", "more than 100000 values"),
    ("no image", "not a container image"), ("damaged manifest", "its digest is another"),
    ("damaged layer", "layer 0 is damaged"), ("missing layer", "is missing"),
    ("index in indexes", "nested deeper than 3"), ("1001 manifests", "more than 1000 manifests"),
    ("schema 1", "schema 1"),
])
def test_wrong_layouts(tare, what, words):
    tare.ok("images")
    refuse(tare, wrong_layout(what), words)
