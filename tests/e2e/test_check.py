# SPDX-License-Identifier: Apache-2.0
"""system check and system repair: what they say, what they leave alone, and that they work beside others."""
import fcntl
import io
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading

import pytest

from conftest import PROGRAM, REPO, wait_until

SOAK = REPO / "tests" / "soak"
sys.path.insert(0, str(SOAK))
from images import docker_archive, entry, layer_tar   # noqa: E402 (the endurance tests' own images)


def diff(tare, name="busybox"):
    """The files of the topmost layer of an image."""
    chain = json.loads(tare.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", name))
    assert len(chain) == 1
    return tare.root / "layers" / chain[0][len("sha256:"):] / "diff"


@pytest.fixture
def busybox(tare):
    tare.ok("run", "--rm", "busybox", "true")
    return tare


def blob_of(tare, name="busybox"):
    record = json.loads((diff(tare, name).parent / "layer.json").read_text())
    return tare.root / "blobs/sha256" / record["blob"][len("sha256:"):]


def flip(path):
    st = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def snapshot(folder):
    """Names, modes and times of everything below FOLDER but the index's shared memory."""
    return {str(p): (p.lstat().st_mode, p.lstat().st_mtime_ns, p.lstat().st_size)
            for p in folder.rglob("*") if not p.name.endswith("-shm")}


def test_nothing_is_made_where_nothing_is(tare):
    assert tare.ok("system", "check", "--full") == "checked 0 images, 0 layers, 0 blobs: 0 problems"
    assert tare.ok("system", "repair") == "0 problems: 0 done, 0 lost"
    assert not tare.root.exists()


def test_a_whole_store(busybox):
    before = snapshot(busybox.root)
    assert busybox.ok("system", "check") == "checked 1 image, 1 layer, 2 blobs: 0 problems"
    assert busybox.ok("system", "check", "--full") == "checked 1 image, 1 layer, 2 blobs: 0 problems"
    assert busybox.ok("system", "check", "-q", "--full") == ""
    assert snapshot(busybox.root) == before


def test_the_words_for_a_problem(busybox):
    flip(diff(busybox) / "bin" / "busybox")
    line = ("layer %s: bin/busybox: content differs (used by busybox:latest; "
            "tare system repair restores it from the blob)" % diff(busybox).parent.name[:12])
    assert busybox("system", "check").rc == 0, "a quick check reads no content"
    got = busybox("system", "check", "--full")
    assert (got.rc, got.out) == (1, line + "\nchecked 1 image, 1 layer, 2 blobs: 1 problem\n")
    assert busybox("system", "check", "--full", "-q") == (1, "", "")
    row = json.loads(busybox("system", "check", "--full", "--format", "json").out)
    assert row == {"Kind": "layer", "ID": diff(busybox).parent.name, "Object": line.split(":")[0],
                   "Problem": "bin/busybox: content differs", "Images": "busybox:latest",
                   "Remedy": "tare system repair restores it from the blob"}
    assert busybox("system", "check", "--full", "--format", "{{.Kind}} {{.Images}}").out == "layer busybox:latest\n"
    busybox.ok("system", "repair")


def test_dry_run_changes_nothing(busybox):
    (diff(busybox) / "bin" / "busybox").unlink()
    before = snapshot(busybox.root)
    got = busybox("system", "repair", "--dry-run")
    assert got.rc == 0 and "would be: restored from its blob" in got.out, got
    assert snapshot(busybox.root) == before
    busybox.ok("system", "repair", "-q")


def test_a_running_container_keeps_its_layer(tare, running):
    """It has the damaged directory mounted, and every file in it must stay until it ends."""
    (diff(tare) / "etc" / "extra").write_text("damage")
    got = tare("system", "repair")
    assert got.rc == 0 and "up runs on with the damaged files until started again" in got.out, got
    assert tare.ok("exec", "up", "cat", "/etc/extra") == "damage"
    assert tare("run", "--rm", "busybox", "cat", "/etc/extra").rc == 1
    assert list(tare.root.glob("layers/*.replaced"))
    assert tare("system", "check", "--full").rc == 0
    tare.ok("stop", "-t", "0", "up")
    got = tare("system", "check")
    assert got.rc == 1 and "does not belong there (tare system repair removes it)" in got.out, got
    tare.ok("system", "repair")
    assert not list(tare.root.glob("layers/*.replaced"))
    tare.ok("start", "up")
    assert tare("exec", "up", "cat", "/etc/extra").rc == 1


@pytest.mark.parametrize("argv", [["rmi", "more:1"], ["image", "prune", "-f"], ["rm", "up"]], ids=lambda a: a[0])
def test_what_was_replaced_goes_with_its_last_user(tare, running, argv):
    """Whoever removes something takes it along, but not while a container has it mounted."""
    tare.ok("tag", "busybox", "more:1")
    tare.ok("tag", "busybox", "more:2")
    (diff(tare) / "etc" / "extra").write_text("damage")
    tare.ok("system", "repair")
    for first in (["rmi", "more:2"], ["image", "prune", "-f"]):
        tare.ok(*first)
        assert list(tare.root.glob("layers/*.replaced")), first
    assert tare.ok("exec", "up", "cat", "/etc/extra") == "damage"
    tare.ok("stop", "-t", "0", "up")
    tare.ok(*argv)
    assert not list(tare.root.glob("layers/*.replaced"))
    assert tare("system", "check", "--full").rc == 0


class Export:
    """An export whose reader waits after the first block: the rest of the layers is not read yet."""

    def __init__(self, tare, name):
        self.child = tare.popen("export", name, stdin=subprocess.DEVNULL)
        self.head = self.child.stdout.read(512)
        assert len(self.head) == 512

    def finish(self):
        """The names in the archive, status and error."""
        data = self.head + self.child.stdout.read()
        return names_in(data), self.child.wait(), self.child.stderr.read().decode()


def names_in(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return sorted(archive.getnames())


@pytest.fixture
def exported(tare):
    """A container, and the names that an export of it has."""
    tare.ok("create", "--name", "exp", "busybox")
    got = tare("export", "exp", binary=True, check=True)
    assert len(got.out) > 1 << 19, "it must not fit into a pipe"
    return names_in(got.out)


def test_an_export_beside_a_repair(tare, exported):
    """It reads the damaged layer to its end, and what was replaced stays until then."""
    export = Export(tare, "exp")
    flip(diff(tare) / "bin" / "busybox")
    got = tare("system", "repair")
    assert got.rc == 0 and "restored from its blob" in got.out, got
    kept = list(tare.root.glob("layers/*.replaced"))
    assert len(kept) == 1
    assert tare("system", "check").rc == 0
    tare.ok("tag", "busybox", "more:1")
    tare.ok("rmi", "more:1")
    tare.ok("image", "prune", "-f")
    assert len(list((kept[0] / "diff").rglob("*"))) > 100
    assert export.finish() == (exported, 0, "")
    tare.ok("rm", "exp")
    assert not list(tare.root.glob("layers/*.replaced"))
    assert tare("system", "check", "--full").rc == 0


def test_an_export_beside_a_removal(tare, exported):
    """The image's layers stay to the end; that the container's own did not is an error, and never silent."""
    export = Export(tare, "exp")
    tare.ok("rm", "exp")
    tare.ok("rmi", "busybox")
    assert tare.ok("images", "-q") == ""
    names, status, error = export.finish()
    assert names == exported and status == 1
    assert error.startswith("tare: removed while it was read: No such container: ")
    tare.ok("image", "prune", "-af")
    assert not list((tare.root / "layers").iterdir())
    assert tare("system", "check", "--full").rc == 0


def trace(tare, argv, **more):
    """The calls of a command, as strace prints them with the paths of descriptors."""
    out = tare.folder / "trace"
    calls = "trace=fdatasync,fsync,pwrite64,rename,renameat,renameat2,unlink,unlinkat"
    done = subprocess.run(["strace", "-qq", "-y", "-s", "8", "-o", out, "-e", calls] + tare.argv + argv,
                          capture_output=True, timeout=60, **more)
    assert done.returncode == 0, done
    return out.read_text().splitlines()


def removals(tare, calls):
    """Where the index's log is synced, where it is written, and where files of images go."""
    log, layers = "%s/tare.db-wal>" % tare.root, "<%s/layers>, " % tare.root
    blobs = "<%s/blobs/sha256>, " % tare.root
    synced = [i for i, c in enumerate(calls) if c.startswith(("fdatasync(", "fsync(")) and log in c]
    written = [i for i, c in enumerate(calls) if c.startswith("pwrite64(") and log in c]
    moved = [i for i, c in enumerate(calls) if re.match(r"renameat2?\(\d+" + re.escape(layers), c)]
    unlinked = [i for i, c in enumerate(calls) if re.match(r"unlinkat\(\d+" + re.escape(blobs), c)]
    assert moved and unlinked and synced, calls
    return synced, written, min(moved + unlinked)


@pytest.mark.parametrize("argv", [["rmi", "busybox"], ["image", "prune", "-af"]], ids=lambda a: a[0])
def test_rows_are_gone_before_files(busybox, argv):
    """A power cut after the files' removal must find an index that does not know them: the last thing
    that the log got before the first file went is on the disk by then."""
    synced, written, first = removals(busybox, trace(busybox, argv))
    last = max(i for i in written if i < first)
    assert [i for i in synced if last < i < first]


def test_what_others_left_is_collected_after_a_sync(busybox):
    """The rows may have been deleted by somebody who did not sync."""
    fd = os.open(busybox.root / "layers", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)      # an import, which a removal does not wait for
    busybox.ok("rmi", "busybox")
    os.close(fd)
    assert list((busybox.root / "layers").iterdir())
    archive = busybox.folder / "a.tar"
    archive.write_bytes(layer_tar([entry("a", b"a")]))
    synced, _, first = removals(busybox, trace(busybox, ["import", str(archive), "x"]))
    assert [i for i in synced if i < first]


def damage_index(tare):
    """The root of one table, in the file itself."""
    path = tare.root / "tare.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = db.execute("SELECT rootpage FROM sqlite_master WHERE name='target_blob'").fetchone()[0]
    db.close()
    with path.open("r+b") as f:
        f.seek((page - 1) * 2048)
        f.write(b"\xaa" * 16)


def test_nothing_acknowledged_is_lost_in_a_new_index(busybox):
    """Commands that write while the index is made again wait, and write into the new one."""
    for i in range(3):
        busybox.ok("create", "--name", "old%d" % i, "busybox")
    damage_index(busybox)
    log = busybox.folder / "trace"
    repair = subprocess.Popen(["strace", "-qq", "-o", log, "-e", "trace=syncfs", "-e",
                               "inject=syncfs:delay_enter=1500ms"] + busybox.argv + ["system", "repair"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: list(busybox.root.glob("staging/*/new.db")), "the new index")
    names = []
    while repair.poll() is None or len(names) < 4:
        names.append("new%d" % len(names))
        busybox.ok("create", "--name", names[-1], "busybox")
    out = repair.communicate()[0]
    assert repair.returncode == 0 and "kept as tare.db.damaged-" in out, out
    assert "syncfs(" in log.read_text()
    assert set(busybox.ok("ps", "-a", "--format", "{{.Names}}").split()) == {"old0", "old1", "old2", *names}
    assert not list(busybox.root.glob("damaged/container-*"))
    assert busybox("system", "check", "--full").rc == 0


def test_a_lost_blob_comes_back_by_loading(tare):
    archive = tare.folder / "images.tar"
    docker_archive(archive, "test/one:1", [layer_tar([entry("a", b"a" * 5000)])])
    tare.ok("load", "-i", archive)
    blob = blob_of(tare, "test/one:1")
    flip(blob)
    got = tare("system", "repair")
    assert got.rc == 1 and "test/one:1 runs, but cannot be saved or copied" in got.out, got
    assert not blob.exists() and list((tare.root / "damaged").glob("blob-" + blob.name))
    assert tare("system", "check", "--full").rc == 0
    tare.ok("load", "-i", archive)
    assert blob.exists()
    assert tare("system", "check", "--full").rc == 0


def test_a_blob_that_comes_back_during_a_repair(busybox):
    """An import that names what it has seen in its place holds the layers: a repair waits for it, and
    leaves a blob that was brought again."""
    blob, log = blob_of(busybox), busybox.folder / "trace"
    whole = blob.read_bytes()
    flip(blob)
    layers = os.open(busybox.root / "layers", os.O_RDONLY)
    fcntl.flock(layers, fcntl.LOCK_SH)
    repair = subprocess.Popen(["strace", "-qq", "-y", "-o", log, "-e", "trace=flock,clock_nanosleep"] + busybox.argv +
                              ["system", "repair"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # Beyond the check, which tries no more than twice 40 times.
    wait_until(lambda: repair.poll() is not None or
               len(re.findall(r"/layers>, LOCK_EX\|LOCK_NB\) += -1 EAGAIN", log.read_text() if log.exists() else "")) > 100,
               "the repair to wait")
    assert repair.poll() is None, repair.communicate()
    assert blob.exists() and blob_of(busybox) == blob
    (blob.parent / "new").write_bytes(whole)
    (blob.parent / "new").chmod(0o600)
    (blob.parent / "new").rename(blob)
    os.close(layers)
    out = repair.communicate()[0]
    assert repair.returncode == 0, out
    assert blob.read_bytes() == whole and blob_of(busybox) == blob
    assert busybox("system", "check", "--full").rc == 0


def test_both_lost_says_what_and_deletes_nothing(tare):
    archive = tare.folder / "images.tar"
    docker_archive(archive, "test/one:1", [layer_tar([entry("a", b"a" * 5000), entry("b", b"b")])])
    tare.ok("load", "-i", archive)
    flip(diff(tare, "test/one:1") / "a")
    blob_of(tare, "test/one:1").unlink()
    got = tare("system", "repair")
    assert got.rc == 1 and "lost: a: content differs; its blob is damaged too (used by test/one:1)" in got.out, got
    assert (diff(tare, "test/one:1") / "b").read_bytes() == b"b"
    tare.ok("load", "-i", archive)
    tare.ok("system", "repair")
    assert tare("system", "check", "--full").rc == 0


def index_files(tare):
    return sorted(tare.root.glob("tare.db*"))


def test_a_lost_index_is_not_made_anew(tare, running):
    """An empty one would let the next import collect every layer, and the next boot every container."""
    tare.ok("stop", "-t", "0", "up")
    layer = diff(tare)
    for path in index_files(tare):
        path.unlink()
    shutil.rmtree(tare.runroot)     # as after a boot
    archive = layer_tar([entry("a", b"a")])
    for argv in (["ps"], ["images"], ["run", "--rm", "busybox", "true"], ["import", "-", "x"], ["rmi", "busybox"]):
        got = tare(*argv, input=archive)
        assert got.rc != 0 and "index %s/tare.db is lost" % tare.root in got.err, got
        assert "hint: tare system repair" in got.err
    assert layer.exists() and list((tare.root / "containers").iterdir())
    got = tare("system", "repair")
    upper = re.search(r"its writable layer is (\S+)", got.out)
    assert got.rc == 1 and upper and pathlib.Path(upper.group(1)).is_dir(), got
    assert tare.ok("run", "--rm", "busybox", "echo", "again") == "again"


def test_a_damaged_index_keeps_containers(tare, running):
    tare.ok("stop", "-t", "0", "up")
    tare.ok("tag", "busybox", "other:1")
    log = tare.root / "tare.db-wal"
    data = bytearray(log.read_bytes())
    data[40] ^= 1       # the salt of the first frame: SQLite reads none of them
    log.write_bytes(data)
    got = tare("system", "repair")
    assert got.rc == 0 and "kept as tare.db.damaged-" in got.out, got
    assert tare.ok("ps", "-a", "--format", "{{.Names}}") == "up"
    assert tare.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split() == ["busybox:latest", "other:1"]
    tare.ok("start", "up")


def set_image(tare, text):
    """Makes TEXT the image of the container `up`, and says what it was."""
    db = sqlite3.connect(tare.root / "tare.db")
    before = db.execute("SELECT image_id FROM container WHERE name='up'").fetchone()[0]
    db.execute("UPDATE container SET image_id=? WHERE name='up'", [text(before)])
    db.commit()
    db.close()
    return before


def image_of(tare):
    return tare.ok("inspect", "-f", "{{.Image}}", "up")[len("sha256:"):]


@pytest.mark.parametrize("damage", [lambda i: i[:20] + "%x" % (int(i[20], 16) ^ 1) + i[21:], lambda i: "00" + "f0" * 31, lambda i: "x"],
                         ids=["one bit", "all of it", "no id"])
def test_the_image_of_a_container(tare, running, damage):
    """It is an image with the layers on which the container was made."""
    (tare.folder / "other.tar").write_bytes(layer_tar([entry("a", b"a")]))
    tare.ok("import", str(tare.folder / "other.tar"), "other:1")
    before = set_image(tare, damage)
    got = tare("system", "check")
    assert got.rc == 1 and "there is no image" in got.out, got
    got = tare("system", "repair")
    assert got.rc == 0 and "its image is %s" % before[:12] in got.out, got
    assert image_of(tare) == before and tare("system", "check").rc == 0


def test_the_image_of_a_container_among_twins(tare, running):
    """Images of the same layers: the nearest id says which; where nothing does, the name it was made by."""
    for i in range(2):
        tare.ok("commit", "-p=false", "-c", "LABEL n=%d" % i, "up", "twin:%d" % i)
    tare.ok("rm", "-f", "up")
    tare.ok("run", "-d", "--name", "up", "twin:1", "sleep", "100")
    before = set_image(tare, lambda i: i[:-1] + "%x" % (int(i[-1], 16) ^ 8))
    tare.ok("system", "repair")
    assert image_of(tare) == before
    set_image(tare, lambda i: "0" * 64)
    tare.ok("system", "repair")
    assert image_of(tare) == before


def test_a_container_whose_image_nobody_knows(tare, running):
    """It keeps its files, and its row is one of a container without an image."""
    set_image(tare, lambda i: "0" * 64)
    config, = (tare.root / "containers").glob("*/config.json")
    text = config.read_text()
    config.write_text(text.replace(diff(tare).parent.name, "1" * 64))
    got = tare("system", "repair")
    assert got.rc == 1 and "its image 000000000000 is not there; it keeps its files" in got.out, got
    config.write_text(text)
    assert tare("system", "check").rc == 0 and image_of(tare) == ""


def test_a_word_after_a_boot(busybox):
    shutil.rmtree(diff(busybox).parent)
    assert busybox("ps").err == ""
    shutil.rmtree(busybox.runroot)
    assert re.fullmatch(r"tare: warn: image docker.io/library/busybox:latest lacks layer \w{12}: "
                        r"run tare system check\n", busybox("ps").err)
    assert busybox("ps").err == ""
    busybox.ok("system", "repair")


@pytest.mark.parametrize("full", [["--full"], []])
def test_no_false_alarm_beside_others(tare, full):
    """Images come and go while it looks."""
    archives = []
    for i in range(2):
        archives.append(tare.folder / ("%d.tar" % i))
        base = layer_tar([entry("base/f%d" % n, b"%d" % n * 2000) for n in range(60)])
        docker_archive(archives[-1], "test/%d:1" % i, [base, layer_tar([entry("own", b"%d" % i * 3000)])])
    failures, stop = [], threading.Event()

    def work(i):
        while not stop.is_set():
            for argv in (["load", "-i", archives[i]], ["tag", "test/%d:1" % i, "more/%d:1" % i],
                         ["rmi", "test/%d:1" % i, "more/%d:1" % i]):
                got = tare(*argv)
                if got.rc:
                    failures.append((argv, got))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    try:
        for _ in range(15):
            got = tare("system", "check", *full)
            if got.rc:
                failures.append(("check", got))
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not failures, failures[:3]


def test_damage_of_every_kind():
    """A seeded sample; tests/soak/corrupt.py has the kinds, and `make soak` runs 200."""
    done = subprocess.run([sys.executable, str(SOAK / "corrupt.py"), "--count", "20", "--seed", "5"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
                          env=dict(os.environ, TARE=PROGRAM))
    assert done.returncode == 0, done.stdout


def test_missing_layer_is_not_a_missing_command(tare, tmp_path):
    """127 would say that the image has no such command."""
    tare.ok("pull", "-q", "busybox")
    tare.ok("create", "--name", "cc", "busybox", "true")
    layer, = (tare.root / "layers").iterdir()
    layer.rename(tare.root / "away")
    try:
        for argv, rc in ((("run", "--rm", "busybox", "true"), 125), (("run", "-d", "busybox", "true"), 125),
                         (("start", "cc"), 1), (("diff", "cc"), 1), (("export", "-o", tmp_path / "x", "cc"), 1)):
            got = tare(*argv)
            assert got.rc == rc and got.out.count("\n") <= 1, (argv, got)
            assert "layer %s/diff is missing" % layer in got.err and "hint: tare system check" in got.err
        assert tare.ok("inspect", "-f", "{{.State.ExitCode}}", "cc") in ("125", "128")
    finally:
        (tare.root / "away").rename(layer)
    assert tare("run", "--rm", "busybox", "true").rc == 0
