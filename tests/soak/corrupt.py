#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damage to a store: all of it is found, what can be mended is mended, of the rest is said what is lost.

    corrupt.py [--count N] [--seed S] [--kind NAME]...

A store with three images that share layers (files of every type, extended attributes, hard links, sparse files,
deep directories), loaded from an OCI archive and an import, and a container that has written something. N (200)
times a copy of it is damaged in one of the ways of KINDS, at a place that the seed chooses. Then

- `system check --full` must exit 1 and name a problem,
- `system repair` must exit 0, or 1 where the damage is one that nothing in the store can undo, and say so,
- `system check --full` must find nothing after it (but for what was told as lost), and the image must run.

Content is changed without its time, as a disk does it. A change of the index that no other file contradicts
(one of a container's own texts, say) cannot be known; such a change is made to no row of an image.
"""
import argparse
import gzip
import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile

from harness import Failure, State, make_tar, report
from images import chain_ids, digest, entry, image_config, layer_tar

NAMES = ["soak/base:1", "soak/tree:1", "soak/top:1"]
N_FILES = 300

# ---------------------------------------------------------------- the store


def make_tree(folder, rng):
    """About 300 files of every type."""
    deep = folder / "/".join("d%d" % i for i in range(40)).lstrip("/")
    folders = [folder / "data" / ("dir%02d" % i) for i in range(20)] + [deep]
    for f in folders:
        f.mkdir(parents=True)
    for i in range(N_FILES):
        path = rng.choice(folders) / ("file%03d" % i)
        path.write_bytes(rng.randbytes(rng.choice([0, 1, 100, 5000, 70000])))
        os.chmod(path, rng.choice([0o644, 0o755, 0o600, 0o4755, 0o1777]))
        os.chown(path, rng.randrange(3) * 1000, rng.randrange(3) * 1000)
        if i % 10 == 0:
            os.setxattr(path, "user.note", b"note %d" % i)
        if i % 25 == 0:
            os.link(path, rng.choice(folders) / ("hard%03d" % i))
        if i % 30 == 0:
            os.symlink("../%d" % i, rng.choice(folders) / ("link%03d" % i))
    os.setxattr(folder / "data", "user.folder", b"\0\1")
    os.mkfifo(folder / "data" / "fifo")
    os.mknod(folder / "data" / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(folder / "data" / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 200))
    with open(folder / "data" / "sparse", "wb") as f:
        f.truncate(8 << 20)
        f.seek(3 << 20)
        f.write(b"in the middle")
    os.symlink("data", folder / "way")
    for base, names, files in os.walk(folder, topdown=False):
        for name in names + files:
            os.utime(os.path.join(base, name), ns=(0, rng.randrange(1 << 60)), follow_symlinks=False)


def tar_of(folder):
    done = subprocess.run(["tar", "-C", folder, "--xattrs", "--xattrs-include=*", "--sparse", "--format=posix",
                           "--sort=name", "-cf", "-", "."], stdout=subprocess.PIPE, check=True)
    return done.stdout


def top_layer():
    """Replaces, hides and makes opaque."""
    return layer_tar([entry("./", mode=0o755), entry("data/", mode=0o700), entry("data/.wh.fifo", b""),
                      entry("data/dir00/", mode=0o755), entry("data/dir00/.wh..wh..opq", b""),
                      entry("data/dir00/only", b"what is left\n"), entry("etc/", mode=0o755),
                      entry("etc/top", b"top\n" * 1000), entry("etc/top2", b"pot\n" * 1000), entry("new/sub/x", b"x")])


def oci_archive(path, images):
    """IMAGES is name to layers; every second layer is compressed."""
    blobs, manifests = {}, []

    def add(data):
        blobs[digest(data)] = data
        return {"digest": "sha256:" + digest(data), "size": len(data)}

    for name, layers in images.items():
        config = dict(add(image_config(layers)), mediaType="application/vnd.oci.image.config.v1+json")
        packed = [gzip.compress(d, 6, mtime=0) if i % 2 == 0 else d for i, d in enumerate(layers)]
        listed = [dict(add(p), mediaType="application/vnd.oci.image.layer.v1.tar" + ("+gzip" if i % 2 == 0 else ""))
                  for i, p in enumerate(packed)]
        document = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                               "config": config, "layers": listed}).encode()
        manifests.append(dict(add(document), mediaType="application/vnd.oci.image.manifest.v1+json",
                              annotations={"io.containerd.image.name": "docker.io/" + name}))
    index = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    files = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", index)]
    files += [("blobs/sha256/" + d, data) for d, data in sorted(blobs.items())]
    path.write_bytes(layer_tar([entry(n, d) for n, d in files]))


class Store:
    """The whole store, and copies of it."""

    def __init__(self, rng):
        self.state = State()
        folder = self.state.folder
        busybox = pathlib.Path(make_tar(self.state, folder / "busybox.tar")).read_bytes()
        make_tree(folder / "tree", rng)
        tree = tar_of(folder / "tree")
        last = layer_tar([entry("last", b"the same layer twice, on top of different ones\n" * 200)])
        oci_archive(folder / "images.tar", {NAMES[0]: [busybox], NAMES[1]: [busybox, tree],
                                            NAMES[2]: [busybox, tree, top_layer(), last]})
        self.state.ok("load", "-i", str(folder / "images.tar"))
        (folder / "last.tar").write_bytes(last)
        self.state.ok("import", str(folder / "last.tar"), "soak/imported:1")
        self.state.ok("run", "--name", "box", NAMES[2], "/bin/sh", "-c", "echo mine >/mine")
        self.clean(self.state)
        self.copy = State(folder=folder / "copy")
        self.copy.folder.mkdir(exist_ok=True)

    @staticmethod
    def clean(state):
        done = state("system", "check", "--full")
        if done.returncode:
            raise Failure("not clean: " + done.stdout + done.stderr)

    def fresh(self):
        shutil.rmtree(self.copy.folder, ignore_errors=True)
        self.copy.folder.mkdir()
        subprocess.run(["cp", "-a", "--reflink=auto", self.state.root, self.copy.root], check=True)
        return self.copy

    def close(self):
        shutil.rmtree(self.copy.folder, ignore_errors=True)
        self.state.close()


# ---------------------------------------------------------------- places

class Place:
    """A copy of the store as files, and a choice among them."""

    def __init__(self, root, rng):
        self.root, self.rng = root, rng

    def pick(self, found):
        found = sorted(found)
        if not found:
            raise Failure("nothing to damage")
        return self.rng.choice(found)

    def layer(self):
        return self.pick(p for p in (self.root / "layers").iterdir())

    def files(self, least=0):
        return [p for p in (self.root / "layers").glob("*/diff/**/*")
                if p.is_file() and not p.is_symlink() and p.stat().st_size >= least]

    def file(self, least=0):
        return self.pick(self.files(least))

    def rows(self, sql):
        db = sqlite3.connect("file:%s?mode=ro" % (self.root / "tare.db"), uri=True)
        try:
            return [r[0] for r in db.execute(sql)]
        finally:
            db.close()

    def blob(self, sql):
        return self.root / "blobs/sha256" / self.pick(set(self.rows(sql)))

    def config(self):
        return self.blob("SELECT id FROM image")

    def layer_blob(self):
        return self.blob("SELECT blob FROM layer WHERE blob IS NOT NULL")

    def manifest(self):
        return self.blob("SELECT target FROM tag WHERE target IS NOT NULL")

    def checkpoint(self):
        """Everything in tare.db itself."""
        db = sqlite3.connect(self.root / "tare.db")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()


class kept_times:
    """Whatever happens inside, PATHS have their times afterwards."""

    def __init__(self, *paths):
        self.paths = paths

    def __enter__(self):
        self.times = [(p, p.lstat()) for p in self.paths]

    def __exit__(self, *_):
        for p, st in self.times:
            if os.path.lexists(p):
                os.utime(p, ns=(st.st_atime_ns, st.st_mtime_ns), follow_symlinks=False)


def flip(path, rng, start=0, end=None):
    with kept_times(path), open(path, "r+b") as f:
        size = f.seek(0, 2)
        at = rng.randrange(start, end or size)
        f.seek(at)
        byte = f.read(1)[0] ^ 1 << rng.randrange(8)
        f.seek(at)
        f.write(bytes([byte]))
    return "bit %d of %s" % (at * 8, path)


def truncate(path, rng):
    with kept_times(path):
        os.truncate(path, rng.randrange(path.stat().st_size))
    return "truncate %s" % path


def remove(path):
    with kept_times(path.parent):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return "remove %s" % path


def exchange(a, b):
    with kept_times(a.parent, b.parent):
        spare = a.parent / ".spare"
        os.rename(a, spare)
        os.rename(b, a)
        os.rename(spare, b)
    return "%s <-> %s" % (a, b)


# ---------------------------------------------------------------- ways to damage it
# Each gets a Place, damages something and says what. In LOST are those that nothing in the store can undo.

def file_flip(p):
    return flip(p.file(1), p.rng)


def file_truncated(p):
    return truncate(p.file(1), p.rng)


def file_missing(p):
    return remove(p.file())


def files_swapped(p):
    a = p.file(1)
    others = [f for f in p.files(1) if f.parents[0] == a.parents[0] and f.read_bytes() != a.read_bytes()]
    return exchange(a, p.pick(others)) if others else files_swapped(p)


def file_mode(p):
    path = p.file()
    os.chmod(path, stat.S_IMODE(path.stat().st_mode) ^ p.rng.choice([0o1, 0o20, 0o200, 0o1000]))
    return "mode of %s" % path


def file_owner(p):
    path, mode = p.file(), None
    mode = path.stat().st_mode
    os.chown(path, path.stat().st_uid + 1, -1)
    os.chmod(path, stat.S_IMODE(mode))
    return "owner of %s" % path


def file_time(p):
    path = p.pick(f for f in (p.root / "layers").glob("*/diff/**/*") if not f.is_char_device())
    os.utime(path, ns=(0, path.lstat().st_mtime_ns + 1000), follow_symlinks=False)
    return "time of %s" % path


def file_extra(p):
    path = p.layer() / "diff" / "extra"
    with kept_times(path.parent):
        path.write_bytes(b"")
    return "add %s" % path


def file_xattr(p):
    path = p.file()
    os.setxattr(path, "user.more", b"x")
    return "attribute of %s" % path


def link_changed(p):
    path = p.pick(f for f in (p.root / "layers").glob("*/diff/**/link*") if f.is_symlink())
    with kept_times(path.parent, path):
        path.unlink()
        os.symlink("elsewhere", path)
    return "target of %s" % path


def hole_filled(p):
    path = p.pick((p.root / "layers").glob("*/diff/data/sparse"))
    return flip(path, p.rng, 4 << 20, 8 << 20)


def folder_missing(p):
    return remove(p.pick(f for f in (p.root / "layers").glob("*/diff/data/dir*") if f.is_dir()))


def diff_missing(p):
    return remove(p.layer() / "diff")


def layer_missing(p):
    return remove(p.layer())


def layers_swapped(p):
    a = p.layer()
    others = [f for f in a.parent.iterdir() if (f / "list").read_bytes() != (a / "list").read_bytes()]
    return exchange(a / "diff", p.pick(others) / "diff")


def list_flip(p):
    return flip(p.layer() / "list", p.rng)


def list_truncated(p):
    return truncate(p.layer() / "list", p.rng)


def list_missing(p):
    return remove(p.layer() / "list")


def record_flip(p):
    return flip(p.layer() / "layer.json", p.rng)


def record_missing(p):
    return remove(p.layer() / "layer.json")


def records_swapped(p):
    a = p.layer()
    return exchange(a / "layer.json", p.pick(f for f in a.parent.iterdir() if f != a) / "layer.json")


def config_flip(p):
    return flip(p.config(), p.rng)


def config_truncated(p):
    return truncate(p.config(), p.rng)


def config_missing(p):
    return remove(p.config())


def configs_swapped(p):
    a, b = p.config(), p.config()
    return exchange(a, b) if a != b else configs_swapped(p)


def names_flip(p):
    return flip(p.root / "index.json", p.rng)


def names_missing(p):
    return remove(p.root / "index.json")


def folder_open(p):
    path = p.root / p.rng.choice([".", "layers", "blobs", "blobs/sha256", "containers", "tare.db"])
    os.chmod(path, 0o755)
    return "mode of %s" % path


def leftover(p):
    path = p.root / p.rng.choice(["layers", "blobs/sha256"]) / ("%064x" % p.rng.getrandbits(256))
    path.mkdir() if path.parent.name == "layers" else path.write_bytes(b"x")
    return "add %s" % path


def index_header(p):
    p.checkpoint()
    with open(p.root / "tare.db", "r+b") as f:
        f.write(p.rng.randbytes(100))
    return "header of tare.db"


def index_page(p):
    p.checkpoint()
    page = p.rng.randrange(1, (p.root / "tare.db").stat().st_size // 2048)
    with open(p.root / "tare.db", "r+b") as f:
        f.seek(page * 2048)
        f.write(p.rng.randbytes(2048))
    return "page %d of tare.db" % page


def index_truncated(p):
    p.checkpoint()
    return truncate(p.root / "tare.db", p.rng)


def index_missing(p):
    for path in p.root.glob("tare.db*"):
        path.unlink()
    return "remove tare.db"


def index_log(p):
    return flip(p.root / "tare.db-wal", p.rng)


def index_value(p):
    """A digest or a configuration in a row."""
    p.checkpoint()
    texts = p.rows("SELECT chain_id FROM layer UNION SELECT diff_id FROM layer UNION SELECT blob FROM layer UNION "
                   "SELECT tree_hash FROM layer UNION SELECT id FROM image UNION SELECT config FROM image")
    data = bytearray((p.root / "tare.db").read_bytes())
    text = p.pick(t for t in texts if t)[:64].encode()
    places = [i for i in range(len(data)) if data.startswith(text, i)]
    at = p.rng.choice(places) + p.rng.randrange(len(text))
    data[at] ^= 1
    (p.root / "tare.db").write_bytes(data)
    return "byte %d of tare.db, in %s" % (at, text.decode())


def container_image(p):
    """The image that a container's row names: a few digits, or none of them is right."""
    db = sqlite3.connect(p.root / "tare.db")
    image = db.execute("SELECT image_id FROM container").fetchone()[0]
    digits = p.rng.sample(range(64), p.rng.choice([1, 2, 64]))
    image = "".join("%x" % (int(c, 16) ^ p.rng.randrange(1, 16)) if i in digits else c for i, c in enumerate(image))
    db.execute("UPDATE container SET image_id=?", [image])
    db.commit()
    db.close()
    return "%d digits of a container's image" % len(digits)


def blob_flip(p):
    return flip(p.layer_blob(), p.rng)


def blob_truncated(p):
    return truncate(p.layer_blob(), p.rng)


def blob_missing(p):
    return remove(p.layer_blob())


def blobs_swapped(p):
    a, b = p.layer_blob(), p.layer_blob()
    return exchange(a, b) if a != b else blobs_swapped(p)


def manifest_flip(p):
    return flip(p.manifest(), p.rng)


def manifest_missing(p):
    return remove(p.manifest())


def layer_and_blob(p, names="%"):
    """Both, of one layer of an image whose name is like NAMES."""
    chain = p.pick(set(p.rows("SELECT l.chain_id FROM layer l JOIN image_layer i ON i.chain_id=l.chain_id JOIN tag t ON "
                              "t.image_id=i.image_id WHERE blob IS NOT NULL AND size>1000 AND t.reference LIKE '%s'" % names)))
    blob = p.rows("SELECT blob FROM layer WHERE chain_id='%s'" % chain)[0]
    path = p.pick(f for f in p.files(1) if chain in f.parts)
    return flip(path, p.rng) + ", " + flip(p.root / "blobs/sha256" / blob, p.rng)


def container_config(p):
    return truncate(p.pick((p.root / "containers").glob("*/config.json")), p.rng)


def container_missing(p):
    return remove(p.pick((p.root / "containers").iterdir()))


LOST = [blob_flip, blob_truncated, blob_missing, blobs_swapped, manifest_flip, manifest_missing, layer_and_blob,
        container_config, container_missing]
KINDS = [file_flip, file_truncated, file_missing, files_swapped, file_mode, file_owner, file_time, file_extra,
         file_xattr, link_changed, hole_filled, folder_missing, diff_missing, layer_missing, layers_swapped, list_flip,
         list_truncated, list_missing, record_flip, record_missing, records_swapped, config_flip, config_truncated,
         config_missing, configs_swapped, names_flip, names_missing, folder_open, leftover, index_header, index_page,
         index_truncated, index_missing, index_log, index_value, container_image] + LOST
# Rows of containers are nowhere else: what is lost of them is told, and their files are kept.
MAY_LOSE_CONTAINERS = [index_header, index_page, index_truncated, index_missing, index_log]
STAYS_LOST = [layer_and_blob, container_config, container_missing]


# ---------------------------------------------------------------- one of them

def need(condition, what, done):
    if not condition:
        raise Failure("%s: status %d: %s%s" % (what, done.returncode, done.stdout, done.stderr))


def kept_container(state):
    """What the container wrote is somewhere below the root."""
    return any(p.read_text() == "mine\n" for p in state.root.glob("**/upper/mine"))


def check_repair(state, kind):
    done = state("system", "repair")
    if kind in LOST:
        need(done.returncode == 1 and "lost" in done.stdout, "repair", done)
    elif kind in MAY_LOSE_CONTAINERS:
        need(done.returncode == 0 or "container" in done.stdout, "repair", done)
        need(kept_container(state), "the container's files are gone", done)
    else:
        need(done.returncode == 0, "repair", done)
    return done


def check_after(state, kind):
    done = state("system", "check", "--full")
    need(kind in STAYS_LOST or done.returncode == 0, "check after repair", done)
    listed = set(state.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split())
    missing = (set(NAMES) | {"soak/imported:1"}) - listed
    if missing:
        raise Failure("no longer listed: %s" % sorted(missing))
    if kind != layer_and_blob:
        for name in NAMES:
            state.ok("run", "--rm", name, "/bin/busybox", "true")


def is_log_without_loss(store, state):
    """A damaged log may have lost nothing: its last frames repeat pages, and what follows them is old."""
    before, after = (s.ok("images", "--no-trunc") + s.ok("ps", "-a", "--no-trunc") for s in (store.state, state))
    return before == after


def one(store, kind, rng):
    state = store.fresh()
    what = kind(Place(state.root, rng))
    try:
        done = state("system", "check", "--full")
        if done.returncode == 0 and kind is index_log and is_log_without_loss(store, state):
            return
        need(done.returncode == 1 and " problem" in done.stdout, "check", done)
        quick = state("system", "check")
        need(quick.returncode in (0, 1), "quick check", quick)
        check_repair(state, kind)
        check_after(state, kind)
    except Failure as e:
        raise Failure("%s: %s\n%s" % (kind.__name__, what, e)) from None


def bring_back(store, rng):
    """What is lost comes back by loading the image again. Only of images that were loaded: importing a layer that is
    there takes the one that is there, and with it that it has no blob (docs/reliability.md, Limits)."""
    state = store.fresh()
    what = layer_and_blob(Place(state.root, rng), "docker.io/soak/t%")
    need(state("system", "repair").returncode == 1, "repair", state("system", "check"))
    state.ok("load", "-i", str(store.state.folder / "images.tar"))
    done = state("system", "repair")
    need(done.returncode == 0, what + ": repair after loading it again", done)
    store.clean(state)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--kind", action="append", choices=[k.__name__ for k in KINDS])
    o = p.parse_args()
    rng = random.Random(o.seed)
    kinds = [k for k in KINDS if not o.kind or k.__name__ in o.kind]
    store, bad = Store(random.Random(1)), []
    # Each kind in turn before any comes again; a sample of a few is another one for each seed.
    order = []
    while len(order) < o.count:
        order += rng.sample(kinds, len(kinds))
    try:
        for kind in order[:o.count]:
            try:
                one(store, kind, rng)
            except Failure as e:
                bad.append(str(e))
        try:
            bring_back(store, rng)
        except Failure as e:
            bad.append(str(e))
    finally:
        store.close()
    report("damage", ["%d times, %d kinds: not found, not mended or not told: %d" % (o.count, len(set(order[:o.count])), len(bad))]
           + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
