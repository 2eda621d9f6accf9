# SPDX-License-Identifier: Apache-2.0
"""The build cache below the builder: what steps left becomes layers, stays while somebody needs it, and goes."""
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import threading

import pytest

from conftest import PROGRAM, REPO, wait_until

BUILD = pathlib.Path(PROGRAM).parent
TOOL = BUILD / "tests/component/tare-cache-tool"
LAYER_TOOL = BUILD / "tests/component/tare-layer-tool"
EPOCH = 1577836800

pytestmark = pytest.mark.skipif(not TOOL.exists(), reason="no %s: run make build" % TOOL)


class Cache:
    """The tool with the state of one `tare`."""

    def __init__(self, tare):
        self.tare = tare
        self.argv = [str(TOOL), str(tare.root), str(tare.runroot), str(BUILD)]

    def __call__(self, *args, prefix=()):
        done = subprocess.run([*prefix, *self.argv, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout.split("\n")[:-1]

    def upper(self, seed=None, **files):
        """A new upper directory: a random one, or FILES."""
        folder = pathlib.Path(self.tare.folder) / ("upper%d" % len(list(self.tare.folder.glob("upper*"))))
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        if seed is not None:
            subprocess.run([LAYER_TOOL, "make-upper", folder, str(seed)], check=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        return folder

    def publish(self, key, *args, **files):
        self("publish", key, self.upper(**files), *args)

    def place(self, key):
        return self("open", key)[0]

    def held(self, key):
        """A process that uses KEY until it is ended by closing what is returned."""
        fifo = self.tare.folder / ("fifo-" + key)
        os.mkfifo(fifo)
        child = subprocess.Popen([*self.argv, "open", key, str(fifo)], stdout=subprocess.PIPE, text=True)
        return child, child.stdout.readline().strip(), open(fifo, "w", encoding="ascii")

    def states(self):
        return sorted(line.split("\t")[2] for line in self("list"))


@pytest.fixture
def cache(tare):
    tare.ok("pull", "-q", "busybox")
    return Cache(tare)


def names(tare, folder):
    return sorted(p.name for p in (tare.root / folder).glob("*") if not p.name.startswith("."))


def check(tare):
    got = tare("system", "check", "--full")
    assert got.rc == 0, got.out


# ---------------------------------------------------------------- layers

@pytest.mark.parametrize("seed", [40, 41, 42, 43, 45])
@pytest.mark.parametrize("how", ["zstd", "gzip"])
def test_a_random_tree_becomes_a_layer(cache, tare, seed, how):
    """Its digest is that of the archive which commit would make; `check --full` finds the directory to be what
    its blob unpacks to; nothing was copied."""
    folder = cache.upper(seed=seed)
    inode = folder.stat().st_ino
    cache("publish", "tree", folder)
    place = cache.place("tree")
    plain = subprocess.run([LAYER_TOOL, "write-upper", place], stdout=subprocess.PIPE, check=True).stdout
    diff, = cache("adopt", "tree:1", how, "busybox", "tree")
    assert diff == "sha256:" + hashlib.sha256(plain).hexdigest()
    check(tare)
    now = pathlib.Path(cache.place("tree"))
    assert now.parts[-3] == "layers" and now.stat().st_ino == inode and not names(tare, "snapshots")
    record = json.loads((now.parent / "layer.json").read_text())
    assert record["blobFormat"] == how
    # The blob alone makes the same files.
    shutil.rmtree(now)
    got = tare("system", "repair")
    assert got.rc == 0 and "restored from its blob" in got.out, got
    check(tare)


@pytest.mark.parametrize("how", ["zstd", "gzip"])
def test_the_same_bytes_with_any_number_of_processors(cache, tare, how):
    blobs = []
    for i, prefix in enumerate([(), ("taskset", "-c", "0")]):
        folder = cache.upper()
        (folder / "big").write_bytes(hashlib.shake_256(b"x").digest(5 << 20) + b"y" * (3 << 20))
        os.utime(folder / "big", (1, 1))
        cache("publish", "big%d" % i, folder)
        cache("adopt", "big:%d" % i, how, "-", "big%d" % i, prefix=prefix)
        record = json.loads((pathlib.Path(cache.place("big%d" % i)).parent / "layer.json").read_text())
        blobs.append(record["blob"])
        tare.ok("rmi", "big:%d" % i)
        cache("prune", "all", 0)
    assert blobs[0] == blobs[1]


def test_gzip_is_read_by_others(cache, tare):
    cache.publish("a", one="1" * 3000000)
    cache("adopt", "a:1", "gzip", "-", "a")
    record = json.loads((pathlib.Path(cache.place("a")).parent / "layer.json").read_text())
    blob = tare.root / "blobs/sha256" / record["blob"][len("sha256:"):]
    plain = subprocess.run(["gzip", "-dc", blob], stdout=subprocess.PIPE, check=True).stdout
    assert "sha256:" + hashlib.sha256(plain).hexdigest() == record["diffID"]


def test_late_times_are_the_epoch_early_ones_stay(cache):
    folder = cache.upper(late="1", early="2")
    os.utime(folder / "early", (1, 1))
    os.symlink("x", folder / "link")
    cache("publish", "t", folder)
    place = pathlib.Path(cache.place("t"))
    assert [int((place / n).lstat().st_mtime) for n in ("late", "early", "link", ".")] == [EPOCH, 1, EPOCH, EPOCH]


def test_two_images_of_the_same_steps_share_them(cache, tare):
    cache.publish("a", one="1")
    cache.publish("b", two="2")
    first = cache("adopt", "x:1", "zstd", "busybox", "a", "b")
    assert cache("adopt", "x:2", "zstd", "busybox", "a", "b") == first
    assert cache("adopt", "x:3", "zstd", "busybox", "a") == first[:1]
    assert len(names(tare, "layers")) == 3
    assert tare.ok("images", "-q", "x:1") == tare.ok("images", "-q", "x:2")
    check(tare)
    assert tare.ok("run", "--rm", "x:1", "cat", "/one", "/two") == "12"


def test_a_step_on_top_of_others_is_copied(cache, tare):
    """COPY --link: the same snapshot above two bases. The layer's name depends on what is below."""
    cache.publish("base", base="b")
    cache.publish("link", one="1")
    diffs = cache("adopt", "x:1", "zstd", "busybox", "link")
    assert cache("adopt", "x:2", "zstd", "busybox", "base", "link")[1:] == diffs
    assert tare.ok("run", "--rm", "x:2", "cat", "/base", "/one") == "b1"
    check(tare)


def test_a_step_that_changed_nothing_makes_no_layer(cache, tare):
    cache.publish("none")
    cache.publish("a", one="1")
    assert cache.place("none") == "empty"
    assert len(cache("adopt", "x:1", "zstd", "busybox", "none", "a", "none")) == 1
    check(tare)


def test_a_layer_that_an_archive_brought_meanwhile(cache, tare):
    """The snapshot's own directory is garbage then, and the cache names the layer."""
    cache.publish("a", one="1")
    cache("adopt", "x:1", "zstd", "busybox", "a")
    tare.ok("save", "-o", tare.folder / "x.tar", "x:1")
    tare.ok("rmi", "x:1")
    cache("prune", "all", 0)
    assert cache.place("a") == "none"
    tare.ok("load", "-i", tare.folder / "x.tar")
    cache.publish("a", one="1")
    child, place, fifo = cache.held("a")
    assert "snapshots" in place
    cache("adopt", "x:2", "zstd", "busybox", "a")
    assert "layers" in cache.place("a") and pathlib.Path(place, "one").exists()
    fifo.close()
    child.communicate()
    tare.ok("ps")
    assert not names(tare, "snapshots")
    check(tare)


def test_builds_at_the_same_time_make_one_layer(cache, tare):
    for i in range(6):
        folder = cache.upper()
        (folder / "f").write_bytes(os.urandom(300000))
        cache("publish", "k%d" % i, folder)
    failures = []

    def work(n):
        try:
            keys = ["k%d" % i for i in range(6)]
            cache("adopt", "x:%d" % n, "zstd", "busybox", *keys)
        except AssertionError as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[:2]
    assert len(set(tare.ok("images", "-q", "x").split())) == 1
    tare.ok("ps")
    assert not names(tare, "snapshots") and len(names(tare, "layers")) == 7
    check(tare)


def test_marks_of_overlays_count_below_others(cache, tare):
    """An upper directory with an opaque directory, a whiteout and the marks that the kernel leaves."""
    folder = cache.upper()
    (folder / "etc").mkdir()
    (folder / "etc" / "own").write_text("own")
    os.setxattr(folder / "etc", "trusted.overlay.opaque", b"y")
    os.setxattr(folder / "etc", "trusted.overlay.origin", b"\0")
    os.setxattr(folder, "trusted.overlay.impure", b"y")
    os.mknod(folder / "home", 0o020000, os.makedev(0, 0))
    cache("publish", "a", folder)
    cache.publish("b", above="1")
    cache("adopt", "x:1", "zstd", "busybox", "a", "b")
    check(tare)
    got = tare.ok("run", "--rm", "--network", "none", "x:1", "sh", "-c", "cat /etc/own; ls -d /home /etc/passwd /above 2>/dev/null; true")
    assert got == "own/above"


def test_a_socket_hides_what_it_hid(cache, tare):
    folder = cache.upper()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(folder / "bin-not"))
        os.rename(folder / "bin-not", folder / "home")
    cache("publish", "a", folder)
    cache("adopt", "x:1", "zstd", "busybox", "a")
    check(tare)
    assert tare("run", "--rm", "--network", "none", "x:1", "ls", "/home").rc == 1


def test_a_built_image_is_new_though_its_date_is_old(cache, tare):
    cache.publish("a", one="1")
    cache("adopt", "x:1", "zstd", "busybox", "a")
    assert re.search(r"second", tare.ok("images", "--format", "{{.CreatedSince}}", "x"))
    assert tare.ok("images", "--format", "{{.Repository}}").split()[0] == "x"
    assert tare.inspect("x:1")["Created"] == "2020-01-01T00:00:00Z"
    # Nothing depends on the base.
    tare.ok("rmi", "busybox")
    check(tare)


# ---------------------------------------------------------------- what stays and what goes

def test_layers_outlive_their_image(cache, tare):
    cache.publish("a", one="1")
    cache("adopt", "x:1", "zstd", "busybox", "a")
    assert cache.states() == ["free,shared,layer"]
    tare.ok("rmi", "x:1")
    tare.ok("image", "prune", "-a", "-f")
    check(tare)
    assert "layers" in cache.place("a") and cache.states() == ["free,layer"]
    tare.ok("pull", "-q", "busybox")
    cache("adopt", "x:1", "zstd", "busybox", "a")
    assert tare.ok("run", "--rm", "--network", "none", "x:1", "cat", "/one") == "1"
    check(tare)


def test_prune_leaves_what_images_need_and_what_is_used(cache, tare):
    cache.publish("image", one="1")
    cache("adopt", "x:1", "zstd", "busybox", "image")
    cache.publish("used", two="2")
    cache.publish("free", three="3" * 5000)
    child, place, fifo = cache.held("used")
    *ids, freed = cache("prune", "some", 0)
    assert ids == [hashlib.sha256(b"free").hexdigest()[:25]] and int(freed) >= 8192
    assert cache.states() == ["free,shared,layer", "used"] and pathlib.Path(place, "two").exists()
    fifo.close()
    child.communicate()
    *ids, freed = cache("prune", "all", 0)
    assert len(ids) == 2 and not cache("list")
    assert not names(tare, "snapshots") and tare.ok("run", "--rm", "--network", "none", "x:1", "cat", "/one") == "1"
    check(tare)
    tare.ok("rmi", "x:1")
    assert len(names(tare, "layers")) == 1


def test_prune_of_steps_that_became_one_layer(cache, tare):
    """Different steps that left the same files share a layer, and all of them go at once."""
    for key in ("one", "other"):
        cache.publish(key, same="1")
        cache("adopt", key + ":1", "zstd", "busybox", key)
    *ids, _ = cache("prune", "all", 0)
    assert len(ids) == 2 and not cache("list")
    check(tare)


def test_prune_keeps_the_most_recently_used(cache):
    for i in range(4):
        cache.publish("k%d" % i, f=str(i) * 100000)
    *ids, _ = cache("prune", "some", 250000)
    assert ids == [hashlib.sha256(b"k%d" % i).hexdigest()[:25] for i in range(2)]


@pytest.mark.parametrize("filters, gone", [(["id=%s" % hashlib.sha256(b"a").hexdigest()[:25]], ["a"]), (["type=regular"], ["a", "b"]),
                                           (["type=exec.cachemount"], ["mount"]), (["description~=b"], ["b"]),
                                           (["description=a", "type=regular"], ["a"]), (["id!=x", "type=regular", "description!=a"], ["b"]),
                                           (["shared"], []), (["private", "mutable"], ["mount"]), (["inuse"], [])])
def test_filters_of_prune(cache, filters, gone):
    cache.publish("a", f="1")
    cache.publish("b", f="1")
    cache("mount", "mount", "shared")
    *ids, _ = cache("prune", "some", 0, *filters)
    assert sorted(ids) == sorted(hashlib.sha256(k.encode()).hexdigest()[:25] for k in gone)


def test_an_unknown_filter(cache):
    cache.publish("a", f="1")
    done = subprocess.run([*cache.argv, "prune", "some", "0", "colour=red"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "invalid filter 'colour=red'\n")


def test_who_uses_one_finds_it_where_it_moved_to(cache, tare):
    cache.publish("a", one="1")
    child, place, fifo = cache.held("a")
    cache("adopt", "x:1", "zstd", "busybox", "a")
    assert not pathlib.Path(place).exists()
    fifo.close()
    now = child.communicate()[0].strip()
    assert pathlib.Path(now, "one").read_text() == "1" and "layers" in now


def test_a_used_layer_outlives_everything(cache, tare):
    """The image goes, the cache is pruned: who works with the layer keeps it, and it goes with him."""
    cache.publish("a", one="1")
    cache("adopt", "x:1", "zstd", "busybox", "a")
    child, place, fifo = cache.held("a")
    tare.ok("rmi", "x:1")
    cache("prune", "all", 0)
    assert pathlib.Path(place, "one").exists()
    fifo.close()
    child.communicate()
    cache("prune", "all", 0)
    assert not pathlib.Path(place).exists()
    check(tare)


def test_a_replacement(cache, tare):
    cache.publish("a", one="1")
    cache("adopt", "x:1", "zstd", "busybox", "a")
    cache.publish("a", "replace", two="2")
    assert pathlib.Path(cache.place("a"), "two").exists()
    cache("adopt", "x:2", "zstd", "busybox", "a")
    check(tare)
    tare.ok("rmi", "x:1")
    assert len(names(tare, "layers")) == 2, "the older one is nobody's any more"
    check(tare)


# ---------------------------------------------------------------- damage

def change(tare, sql):
    db = sqlite3.connect(tare.root / "tare.db")
    db.execute(sql)
    db.commit()
    db.close()


@pytest.fixture
def steps(cache, tare):
    """One that is a layer of an image, one that is a layer of nothing else, one that is none."""
    for key in ("image", "layer", "free"):
        cache.publish(key, **{key: key})
    cache("adopt", "x:1", "zstd", "busybox", "image")
    cache("adopt", "x:2", "zstd", "busybox", "layer")
    tare.ok("rmi", "x:2")
    return cache


def test_files_that_are_missing(steps, tare):
    shutil.rmtree(pathlib.Path(steps.place("free")).parent)
    assert steps.place("free") == "none"
    got = tare("system", "check")
    assert got.rc == 1 and "the files of this step are missing (tare system repair forgets it" in got.out, got
    assert tare("system", "repair").rc == 0
    check(tare)
    steps.publish("free", again="1")
    assert pathlib.Path(steps.place("free"), "again").exists()


def test_files_without_a_row(steps, tare):
    (tare.root / "snapshots" / ("0" * 32)).mkdir()
    (tare.root / "snapshots" / "odd").mkdir()
    got = tare("system", "check")
    assert got.rc == 1 and got.out.count("what a step of a build left, and nothing names") == 2, got
    assert tare("system", "repair").rc == 0
    check(tare)
    assert len(names(tare, "snapshots")) == 1


@pytest.mark.parametrize("sql", ["UPDATE snapshot SET chain='%s' WHERE chain IS NOT NULL" % ("0" * 64), "UPDATE snapshot SET key=substr(key,1,10)",
                                 "UPDATE snapshot SET dir='../../x' WHERE dir IS NOT NULL", "DELETE FROM snapshot_use"])
def test_rows_that_are_damaged(steps, tare, sql):
    change(tare, sql)
    for key in ("image", "layer", "free"):
        assert steps.place(key) == "none" or pathlib.Path(steps.place(key), key).read_text() == key
    assert tare("system", "repair").rc == 0
    check(tare)
    assert tare.ok("run", "--rm", "--network", "none", "x:1", "cat", "/image") == "image"


def test_a_new_index_keeps_the_cache(steps, tare):
    db = sqlite3.connect(tare.root / "tare.db")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = db.execute("SELECT rootpage FROM sqlite_master WHERE name='target_blob'").fetchone()[0]
    db.close()
    with open(tare.root / "tare.db", "r+b") as f:
        f.seek((page - 1) * 2048)
        f.write(b"\xaa" * 16)
    got = tare("system", "repair")
    assert got.rc == 0 and "made again" in got.out, got
    check(tare)
    for key in ("image", "layer", "free"):
        assert pathlib.Path(steps.place(key), key).read_text() == key


def test_a_lost_index_loses_the_cache_and_nothing_else(steps, tare):
    for path in tare.root.glob("tare.db*"):
        path.unlink()
    tare("system", "repair")
    check(tare)
    assert steps.place("free") == "none" and not names(tare, "snapshots")
    assert tare.ok("run", "--rm", "--network", "none", "x:1", "cat", "/image") == "image"


def test_what_another_boot_left_unsynced(steps, tare):
    change(tare, "UPDATE snapshot SET boot='another' WHERE dir IS NOT NULL")
    assert steps.place("free") == "none" and "layers" in steps.place("layer")
    check(tare)
    steps.publish("more", more="1")
    steps("adopt", "y:1", "zstd", "-", "more")
    assert not names(tare, "snapshots")
    check(tare)


def test_an_image_makes_other_steps_durable(cache, tare):
    """One sync is for all that was there."""
    cache.publish("fat", fat="1")
    cache.publish("image", image="1")
    cache("adopt", "x:1", "zstd", "busybox", "image")
    db = sqlite3.connect(tare.root / "tare.db")
    assert db.execute("SELECT count(*) FROM snapshot WHERE boot IS NOT NULL").fetchone() == (0,)
    db.close()


def test_df_and_prune(steps, tare):
    rows = {r["Type"]: r for r in map(json.loads, tare.ok("system", "df", "--format", "json").splitlines())}
    assert (rows["Build Cache"]["TotalCount"], rows["Build Cache"]["Active"]) == ("3", "0")
    total = int(subprocess.run(["du", "-s", "--block-size=1", tare.root], capture_output=True, check=True).stdout.split()[0])
    told = re.search(r"\((\d+) bytes\)", tare.ok("system", "df", "-v"))
    assert int(told.group(1)) == total
    got = tare.ok("system", "prune", "-f")
    assert "Deleted build cache objects:\n" in got and steps.states() == ["free,shared,layer"]
    check(tare)


# ---------------------------------------------------------------- caches of steps

def test_caches_by_sharing(cache):
    fifo = cache.tare.folder / "fifo"
    os.mkfifo(fifo)

    def hold(how):
        child = subprocess.Popen([*cache.argv, "mount", "c", how, str(fifo)], stdout=subprocess.PIPE, text=True)
        return child, child.stdout.readline().strip()

    shared, place = hold("shared")
    st = os.stat(place)
    assert (st.st_mode & 0o7777, st.st_uid, st.st_gid) == (0o750, 7, 8)
    pathlib.Path(place, "kept").write_text("1")
    assert cache("mount", "c", "shared") == [place]
    assert cache("mount", "c", "locked") == ["busy"]
    other, = cache("mount", "c", "private")
    assert other != place and not list(pathlib.Path(other).iterdir())
    assert cache("prune", "all", 0) == ["0"]
    open(fifo, "w", encoding="ascii").close()
    shared.wait()
    locked, again = hold("locked")
    assert again == place and pathlib.Path(place, "kept").exists()
    assert cache("mount", "c", "shared") == ["busy"]
    assert cache("mount", "d", "shared") != [place]
    open(fifo, "w", encoding="ascii").close()
    locked.wait()
    assert cache("mount", "c", "private") == [place]
    ids = cache("prune", "all", 0)
    assert len(ids) == 3 and not names(cache.tare, "caches")


@pytest.mark.parametrize("identity", ["../../etc", "a/b", "x" * 3000, "ü \n", ""])
def test_an_id_is_no_path(cache, identity):
    place, = cache("mount", identity, "shared")
    assert pathlib.Path(place).parts[-4] == "caches"
    assert pathlib.Path(place).resolve() == pathlib.Path(place)


# ---------------------------------------------------------------- elsewhere

@pytest.fixture
def others(tare_factory):
    """The cache of somebody else."""
    other = tare_factory()
    other.ok("pull", "-q", "busybox")
    return Cache(other)


def fill(cache):
    """A step that became a layer, one that did not, one that changed nothing, another key, a cache."""
    cache.publish("layer", one="1")
    cache("adopt", "x:1", "zstd", "busybox", "layer")
    folder = cache.upper(seed=41)
    cache("publish", "fat", folder)
    cache.publish("none")
    cache("alias", "fast", "layer")
    place, = cache("mount", "packages", "shared")
    pathlib.Path(place, "downloaded").write_text("d" * 1000)
    os.mkdir(pathlib.Path(place, "more"))


@pytest.mark.parametrize("how", ["zstd", "gzip"])
def test_a_cache_elsewhere(cache, others, tare, tmp_path, how):
    fill(cache)
    cache("export", tmp_path / "out", how, "layer", "fat", "none", "mount:packages")
    others("import", tmp_path / "out")
    assert pathlib.Path(others.place("fast"), "one").read_text() == "1" and others.place("none") == "empty"
    described = [subprocess.run([LAYER_TOOL, "describe", c.place("fat")], stdout=subprocess.PIPE, check=True).stdout for c in (cache, others)]
    assert described[0] == described[1]
    place, = others("mount", "packages", "locked")
    assert pathlib.Path(place, "downloaded").read_text() == "d" * 1000 and pathlib.Path(place, "more").is_dir()
    assert os.stat(place).st_uid == 7
    # The same layers come of it.
    assert others("adopt", "x:1", "zstd", "busybox", "layer", "fat") == cache("adopt", "x:1", "zstd", "busybox", "layer", "fat")
    check(others.tare)
    check(tare)
    assert json.loads((tmp_path / "out" / "oci-layout").read_text())["imageLayoutVersion"] == "1.0.0"
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    for path in (tmp_path / "out" / "blobs/sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert len(index["manifests"]) == 1


def test_what_is_here_is_not_read(cache, tmp_path):
    fill(cache)
    cache("export", tmp_path / "out", "zstd", "layer", "fat", "none", "mount:packages")
    manifest = json.loads((tmp_path / "out" / "index.json").read_text())["manifests"][0]["digest"][7:]
    config = json.loads((tmp_path / "out/blobs/sha256" / manifest).read_text())["config"]["digest"][7:]
    for path in (tmp_path / "out" / "blobs/sha256").iterdir():
        if path.name not in (manifest, config):
            path.unlink()
    cache("import", tmp_path / "out")


def import_of(cache, folder):
    done = subprocess.run([*cache.argv, "import", folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


def test_a_bad_cache_elsewhere(cache, others, tmp_path):
    """What does not have its digest is not believed, and nothing of it stays."""
    assert import_of(others, tmp_path / "none")[0] == 1
    fill(cache)
    cache("export", tmp_path / "out", "zstd", "layer", "fat", "none")
    blobs = sorted((tmp_path / "out" / "blobs/sha256").iterdir(), key=lambda p: p.stat().st_size)
    data = bytearray(blobs[-1].read_bytes())
    data[len(data) // 2] ^= 1
    blobs[-1].write_bytes(data)
    rc, text = import_of(others, tmp_path / "out")
    assert rc == 1 and "blob " in text, text
    assert others.place("fat") == "none" and not names(others.tare, "staging")
    for content in ("", "{}", "[]", '{"manifests":[{"digest":"sha256:../../etc/passwd"}]}', '{"manifests":7}'):
        (tmp_path / "out" / "index.json").write_text(content)
        rc, text = import_of(others, tmp_path / "out")
        assert rc == 1 and text, content
    check(others.tare)


def test_an_import_leaves_a_cache_that_is_used(cache, others, tmp_path):
    fill(cache)
    cache("export", tmp_path / "out", "zstd", "mount:packages")
    place, = others("mount", "packages", "shared")
    pathlib.Path(place, "own").write_text("1")
    others("import", tmp_path / "out")
    assert os.listdir(place) == ["own"]


# ---------------------------------------------------------------- with the builder

DOCKERFILE = """FROM busybox AS fat
RUN echo made >/made
FROM busybox
RUN --mount=type=cache,target=/packages,id=packages echo >>/packages/n; cat /proc/sys/kernel/random/uuid >/when
COPY --from=fat /made /made
COPY file /file
"""


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "file").write_text("1")
    return folder


def build(tare, context, *args):
    """The image's id, and the steps that were not cached."""
    got = tare("build", "--progress", "plain", "-t", "x:1", *args, context)
    assert got.rc == 0, got.err
    steps = dict(re.findall(r"^#(\d+) \[.*\d/\d\] (.*)$", got.err, re.M))
    cached = set(re.findall(r"^#(\d+) CACHED$", got.err, re.M))
    return tare.ok("images", "-q", "x:1"), [text for n, text in steps.items() if n not in cached]


def test_a_second_developer_runs_nothing(tare_factory, context, tmp_path):
    one, two = tare_factory(), tare_factory()
    out = tmp_path / "out"
    first, made = build(one, context, "--cache-to", "type=local,dest=%s,mounts=true" % out)
    assert len(made) == 4
    assert build(two, context, "--cache-from", "type=local,src=%s" % out) == (first, [])
    (context / "file").write_text("2")
    assert build(two, context)[1] == ["COPY file /file"]
    assert "exec.cachemount" in two.ok("builder", "du", "--verbose")
    check(two)


def test_a_cache_in_an_image(tare_factory, context, tmp_path):
    one, two = tare_factory(), tare_factory()
    first, _ = build(one, context, "--cache-to", "type=inline")
    one.ok("save", "-o", tmp_path / "x.tar", "x:1")
    two.ok("load", "-i", tmp_path / "x.tar")
    two.ok("pull", "-q", "busybox")
    second, made = build(two, context, "--cache-from", "x:1", "--cache-to", "type=inline")
    # What is copied from a stage that is not in the image has to be made to be compared.
    assert second == first and made == ["RUN echo made >/made"]
    check(two)
    # What is made from the image does not repeat what it says of itself.
    two.ok("run", "--name", "cc", "--network", "none", "x:1", "true")
    two.ok("commit", "cc", "y:1")
    id_ = json.loads(two.ok("image", "inspect", "-f", "{{json .Id}}", "y:1"))[len("sha256:"):]
    assert "buildcache" not in (two.root / "blobs/sha256" / id_).read_text()


def test_what_is_made_anew_is_never_mixed_with_what_stood_on_the_old(tare, context):
    """A step without the cache; whatever was made on top of its old files is made again."""
    build(tare, context)
    when = tare.ok("run", "--rm", "--network", "none", "x:1", "cat", "/when")
    (context / "Dockerfile").write_text(DOCKERFILE.replace("FROM busybox\n", "FROM busybox AS when\n") +
                                        "FROM when\nRUN cp /when /when2\n")
    build(tare, context)
    _, made = build(tare, context, "--no-cache-filter", "when")
    assert "RUN cp /when /when2" in made
    got = tare.ok("run", "--rm", "--network", "none", "x:1", "sh", "-c", "cat /when /when2").split()
    assert got[0] == got[1] != when
    assert build(tare, context)[1] == []


CHANGING = ("write,pwrite64,fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknodat,symlinkat,"
            "fchownat,fchmodat,utimensat,ftruncate,fallocate,clone,clone3,vfork,mount,umount2,fsopen,fsmount,move_mount,open_tree,setns,unshare")


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_a_build_killed_at_a_changing_call(tare_factory, context):
    """A seeded sample of all such calls of the builder: the next build is right, and nothing is left."""
    (context / "Dockerfile").write_text(DOCKERFILE.replace("cat /proc/sys/kernel/random/uuid >/when", "echo when >/when"))
    one = tare_factory()
    one.ok("pull", "-q", "busybox")
    argv = [*one.argv, "build", "-q", "-t", "x:1", str(context)]
    log = one.folder / "strace.log"

    def traced(*options):
        return subprocess.run(["strace", "-q", "-o", log, *options, *argv], capture_output=True, text=True, timeout=60, check=False)

    def forget():
        one("rmi", "-f", "x:1")
        one.ok("builder", "prune", "-a", "-f")
        return names(one, "snapshots") + names(one, "layers")[1:] + names(one, "staging") + os.listdir(one.runroot / "pending")

    assert traced("-e", "trace=" + CHANGING).returncode == 0
    wanted, counts, points = one.ok("images", "-q", "x:1"), {}, []
    for call in re.findall(r"^(\w+)\(", log.read_text(), re.M):
        counts[call] = counts.get(call, 0) + 1
        points.append((call, counts[call]))
    assert len(points) > 100
    for call, k in random.Random(5).sample(points, 25):
        assert not forget()
        traced("-e", "trace=" + call, "-e", "inject=%s:signal=KILL:when=%d" % (call, k))
        wait_until(lambda: one("ps").rc == 0 and not names(one, "staging"), "an empty staging directory")
        check(one)
        assert one("build", "-q", "-t", "x:1", context).rc == 0
        assert one.ok("images", "-q", "x:1") == wanted, (call, k)
        check(one)
    assert not forget()
