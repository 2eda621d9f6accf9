# SPDX-License-Identifier: Apache-2.0
"""Images from a seed, with what each of their files must look like once unpacked.

A layer is a list of actions (add, hard link, whiteout, opaque) in the order of its archive. From it come
the archive's bytes and, by a model of a few lines that knows nothing of the program under test, the
tree that it must make (`Layer.tree`) and the one that all layers make together (`Image.tree`). A path
means one `Node`; paths that are hard links of each other mean the same one. `look` sees a real
directory in the same words.

    generate_images.py SEED DIRECTORY       writes the image as an OCI layout, to look at
"""
import copy
import dataclasses
import gzip
import hashlib
import json
import os
import random
import stat
import struct
import subprocess
import sys

import make_tar

KINDS = {"file": make_tar.FILE, "dir": make_tar.DIR, "symlink": make_tar.SYMLINK, "char": make_tar.CHAR,
         "block": make_tar.BLOCKDEV, "fifo": make_tar.FIFO}
WHITEOUT, OPAQUE = "whiteout", b"trusted.overlay.opaque"
EPOCH = 1700000000 * 10**9
# ext4 with inodes of 256 bytes ends in 2446 and begins in 1901; the odd ones are the borders of 32 bits.
TIMES = (0, 1, -1, -10**9, -1_500_000_000, -2**31 * 10**9, (2**31 - 1) * 10**9 + 999_999_999, 2**31 * 10**9,
         2**32 * 10**9 + 7,
         13_000_000_000 * 10**9 + 123_456_789, EPOCH, EPOCH + 1, EPOCH + 999_999_999)
OWNERS = (0, 1, 1000, 65534, 65535, 65536, 2097151, 2097152, 3_000_000_000, 4_294_967_294)
MODES = (0o644, 0o600, 0o755, 0o4755, 0o2755, 0o6711, 0o1777, 0o000, 0o777, 0o7777, 0o4000)
NAMES = (b"plain", b"with space", b"-dash", b"caf\xc3\xa9", b"raw\xff\xfe\x80", b"new\nline", b"tab\tand\x01", b"..two",
         b"wh.not", b".hidden",
         b"...", b"\xe2\x98\x83", b"back\\slash", b"q'uote\"", b"*", b"$(x)", b"UPPER", b"~", b"#", b"=equal=")
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


@dataclasses.dataclass(eq=False)
class Node:
    kind: str
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime_ns: int = EPOCH
    data: bytes = b""
    extents: list = None    # of a sparse file: (offset, bytes), and its size
    size: int = 0
    link: bytes = b""
    rdev: tuple = (0, 0)
    xattrs: dict = dataclasses.field(default_factory=dict)

    def member(self, path):
        name = path + b"/" if self.kind == "dir" else path
        return make_tar.member(name, KINDS[self.kind], self.data, self.mode, self.uid, self.gid, self.mtime_ns,
                               self.link, self.rdev,
                               self.xattrs, self.extents, self.size)

    def seen(self):
        """In the words of look()."""
        content = self.data
        if self.extents is not None:
            whole = bytearray(self.size)
            for at, piece in self.extents:
                whole[at:at + len(piece)] = piece
            content = bytes(whole)
        size = {"file": len(content), "symlink": len(self.link)}.get(self.kind, 0)
        rdev = os.makedev(*self.rdev) if self.kind in ("char", "block") else 0
        mode = 0o777 if self.kind == "symlink" else self.mode
        return Seen(self.kind, mode, self.uid, self.gid, size, self.mtime_ns, tuple(sorted(self.xattrs.items())), rdev,
                    self.link,
                    hashlib.sha256(content).hexdigest() if self.kind == "file" else "")


Seen = dataclasses.make_dataclass("Seen", ["kind", "mode", "uid", "gid", "size", "mtime_ns", "xattrs", "rdev", "link",
                                           "digest"],
                                  frozen=True)


def parents(path):
    parts = path.split(b"/")
    return [b"/".join(parts[:i]) for i in range(1, len(parts))]


def below(tree, path):
    return [p for p in tree if p.startswith(path + b"/")]


class Layer:
    def __init__(self):
        self.actions = []
        self.format = "plain"
        self.packed_bytes = None

    def add(self, path, node):
        self.actions.append(("add", path, node))

    def bytes(self):
        out, names = [], {}
        for what, path, node in self.actions:
            folder, _, base = path.rpartition(b"/")
            inside = folder + b"/" if folder else b""
            if what == WHITEOUT:
                out.append(make_tar.member(inside + b".wh." + base))
            elif what == "opaque":
                out.append(make_tar.member(path + b"/.wh..wh..opq"))
            elif id(node) in names and node.kind != "dir":
                out.append(make_tar.member(path, make_tar.HARD, link=names[id(node)], mode=node.mode, uid=node.uid,
                                           gid=node.gid,
                                           mtime_ns=node.mtime_ns, xattrs=node.xattrs))
            else:
                names[id(node)] = path
                out.append(node.member(path))
        return b"".join(out) + make_tar.END

    def packed(self):
        if self.packed_bytes is None:
            self.packed_bytes = pack(self.bytes(), self.format)
        return self.packed_bytes

    def tree(self):
        """What the layer alone makes: path to Node, or WHITEOUT; and the set of opaque directories."""
        tree, opaque = {}, set()
        for what, path, node in self.actions:
            if what == "opaque":
                opaque.add(path)
            elif what == WHITEOUT:
                tree[path] = WHITEOUT
            else:
                # A whiteout and something new of the same name: the old goes, the new shows.
                if tree.get(path) == WHITEOUT and node.kind == "dir":
                    opaque.add(path)
                tree[path] = node
        return tree, opaque

    def apply(self, merged):
        """Changes MERGED (path to Node) as the layer does."""
        tree, opaque = self.tree()
        gone = [p for p, node in tree.items() if node == WHITEOUT or node.kind != "dir" or p in opaque or
                (p in merged and merged[p].kind != "dir")]
        for path in gone:
            for p in below(merged, path) + [path]:
                merged.pop(p, None)
        merged.update((p, node) for p, node in tree.items() if node != WHITEOUT)


def pack(plain, how):
    if how == "plain":
        return plain
    if how == "gzip":
        return gzip.compress(plain, 6, mtime=0)
    if how == "gzip-members":
        return b"".join(gzip.compress(plain[i:i + 5000], 1, mtime=7) for i in range(0, len(plain), 5000))
    frames = [plain] if how == "zstd" else [plain[i:i + 7000] for i in range(0, len(plain), 7000)]
    return b"".join(subprocess.run(["zstd", "-qc3"], input=f, stdout=subprocess.PIPE,
                                   check=True).stdout for f in frames)


FORMATS = ("plain", "gzip", "zstd", "gzip-members", "zstd-frames")
MEDIA = {"plain": "tar", "gzip": "tar+gzip", "gzip-members": "tar+gzip", "zstd": "tar+zstd", "zstd-frames": "tar+zstd"}


# ---------------------------------------------------------------- from a seed

class Maker:
    """Makes layers one on top of the other; `merged` is what they show together."""

    def __init__(self, rng, sparse=True):
        self.rng, self.merged, self.serial, self.sparse = rng, {}, 0, sparse

    def name(self):
        self.serial += 1
        if self.rng.random() < 0.06:
            return (b"%d" % self.serial).ljust(255, self.rng.choice((b"n", b"\xff", b"\xc3\xa9"))[:1])
        return self.rng.choice(NAMES) + b"%d" % self.serial

    def common(self, kind, **more):
        rng = self.rng
        mtime = rng.choice(TIMES) if rng.random() < 0.5 else EPOCH + rng.randrange(10**15)
        return Node(kind, rng.choice(MODES), rng.choice(OWNERS), rng.choice(OWNERS), mtime, **more)

    def xattrs(self, kind):
        rng, found = self.rng, {}
        if rng.random() < 0.2:
            found[b"user." + rng.choice((b"a", b"long.name", b"caf\xc3\xa9"))] = rng.randbytes(rng.choice((0, 1, 30,
                                                                                                           300)))
        if kind == "file" and rng.random() < 0.1:
            found[b"security.capability"] = CAPABILITY
        return found

    def leaf(self):
        rng = self.rng
        kind = rng.choices(("file", "symlink", "char", "block", "fifo", "sparse"), (60, 14, 5, 4, 5, 8))[0]
        if kind == "symlink":
            return self.common(kind, link=rng.choice((b"plain", b"/etc/passwd", b"../" * 40 + b"x", b"raw\xff",
                                                      b"l" * 900, b"a" * 101)))
        if kind in ("char", "block"):
            return self.common(kind, rdev=rng.choice(((1, 3), (8, 1), (4095, 1048575), (511, 256), (0, 1))))
        if kind == "sparse" and self.sparse:
            size, at, extents = rng.randrange(1 << 16, 4 << 20), 0, []
            for _ in range(rng.randrange(5)):
                at += 4096 * rng.randrange(1, 80)
                piece = rng.randbytes(4096 * rng.randrange(1, 4))
                if at + len(piece) > size:
                    break
                extents.append((at, piece))
                at += len(piece)
            return self.common("file", extents=extents, size=size, xattrs=self.xattrs("file"))
        if kind in ("file", "sparse"):
            size = rng.choice((0, 1, 511, 512, 513, 4096, rng.randrange(20000), rng.randrange(20000)))
            return self.common("file", data=rng.randbytes(size), xattrs=self.xattrs("file"))
        return self.common(kind)

    def folder(self):
        made = self.common("dir", xattrs=self.xattrs("dir"))
        return made

    def directories(self):
        return [p for p, n in self.merged.items() if n.kind == "dir"]

    def room(self, path):
        return len(path) < 1500 and path.count(b"/") < 12

    def place(self):
        """A new path in a directory there is, or in the root."""
        folders = [p for p in self.directories() if self.room(p)]
        folder = self.rng.choice(folders + [b""]) if folders else b""
        return (folder + b"/" if folder else b"") + self.name()

    # Each of these appends to `layer` and may look at what the layers below show.

    def new_tree(self, layer):
        top = self.place()
        layer.add(top, self.folder())
        inside = [top]
        for _ in range(self.rng.randrange(1, 6)):
            path = self.rng.choice(inside) + b"/" + self.name()
            if self.rng.random() < 0.25 and self.room(path):
                layer.add(path, self.folder())
                inside.append(path)
            else:
                layer.add(path, self.leaf())

    def new_leaf(self, layer):
        layer.add(self.place(), self.leaf())

    def hard_links(self, layer):
        node = self.common("file", data=self.rng.randbytes(100), xattrs=self.xattrs("file"))
        if self.rng.random() < 0.2:
            node = self.common("symlink", link=b"plain")
        for _ in range(self.rng.randrange(2, 5)):
            layer.add(self.place(), node)

    def pick(self, *kinds):
        found = [p for p, n in self.merged.items() if n.kind in kinds]
        return self.rng.choice(found) if found else None

    def change(self, layer):
        path = self.pick("file", "symlink", "fifo", "char")
        if path:
            layer.add(path, self.leaf())

    def metadata(self, layer):
        path = self.pick("file", "dir")
        if path:
            node = copy.deepcopy(self.merged[path])
            node.mode, node.mtime_ns = self.rng.choice(MODES), self.rng.choice(TIMES)
            node.uid = self.rng.choice(OWNERS)
            layer.add(path, node)

    def delete(self, layer):
        path = self.pick("file", "dir", "symlink", "char", "fifo", "block")
        if path:
            layer.actions.append((WHITEOUT, path, None))

    def opaque(self, layer):
        path = self.pick("dir")
        if path and self.room(path):
            layer.add(path, self.folder())
            layer.actions.append(("opaque", path, None))
            layer.add(path + b"/" + self.name(), self.leaf())

    def rename(self, layer):
        path = self.pick("dir")
        if path:
            new = self.place()
            if (new + b"/").startswith(path + b"/") or len(new) > 1000:
                return
            copies = {}
            layer.actions.append((WHITEOUT, path, None))
            for p in [path] + sorted(below(self.merged, path)):
                node = self.merged[p]
                copies.setdefault(id(node), copy.deepcopy(node))
                layer.add(new + p[len(path):], copies[id(node)])

    def other_type(self, layer):
        path = self.pick("dir", "file", "symlink")
        if path and self.merged[path].kind == "dir":
            layer.add(path, self.leaf())
        elif path and self.room(path):
            layer.add(path, self.folder())
            layer.add(path + b"/" + self.name(), self.leaf())

    def delete_and_make(self, layer):
        path = self.pick("dir")
        if path and self.room(path):
            layer.actions.append((WHITEOUT, path, None))
            layer.add(path, self.folder())
            layer.add(path + b"/" + self.name(), self.leaf())

    def complete(self, layer):
        """Keeps what does not contradict an earlier action, and writes the parents that are not there yet."""
        done, taken, opaque = Layer(), {}, set()
        for what, path, node in layer.actions:
            around = [taken.get(p) for p in parents(path)]
            same = taken.get(path)
            # One action per path; under what this layer deletes, replaces or made no directory: nothing.
            if any(a in (WHITEOUT, "leaf") for a in around) or (same and
                                                                not (same == WHITEOUT and node and node.kind == "dir")
                                                                  and not (what == "opaque" and same == "dir")):
                continue
            if what == "opaque":
                if path in opaque:
                    continue
                opaque.add(path)
            if what != "opaque" and (node is None or node.kind != "dir") and any(p.startswith(path +
                                                                                              b"/") for p in taken):
                continue
            for p in parents(path):
                if p not in taken:
                    done.add(p, copy.deepcopy(self.merged[p]))
                    taken[p] = "dir"
            done.actions.append((what, path, node))
            taken[path] = WHITEOUT if what == WHITEOUT else "dir" if what == "opaque" or node.kind == "dir" else "leaf"
        return done

    def layer(self, first):
        rng, made = self.rng, Layer()
        if not first and rng.random() < 0.08:
            return made
        actions = [self.new_tree, self.new_leaf, self.hard_links]
        if first:
            if rng.random() < 0.5:
                made.add(b"etc", Node("dir", 0o755))
                made.add(b"etc/passwd", Node("file", data=b"root:x:0:0::/:/bin/sh\n"))
            plan = [self.new_tree] * 4 + [self.hard_links] * 2 + [self.new_leaf] * 3
        else:
            actions += [self.change, self.metadata, self.delete, self.opaque, self.rename, self.other_type,
                        self.delete_and_make]
            plan = rng.choices(actions, k=rng.randrange(1, 9))
        for act in plan:
            # What is made in one layer can be the place of more in the same one only through `merged`.
            act(made)
        return self.finish(made)

    def finish(self, made):
        made = self.complete(made)
        made.format = self.rng.choice(FORMATS)
        made.apply(self.merged)
        return made


class Image:
    def __init__(self, layers, config, names):
        self.layers, self.names = layers, names
        self.config = json.dumps(config).encode()
        self.id = hashlib.sha256(self.config).hexdigest()

    def diff_ids(self):
        return [sha256(layer.bytes()) for layer in self.layers]

    def chain_ids(self):
        found = []
        for diff_id in self.diff_ids():
            found.append("sha256:" + hashlib.sha256((found[-1] + " " + diff_id).encode()).hexdigest() if found else
                         diff_id)
        return found

    def tree(self):
        merged = {}
        for layer in self.layers:
            layer.apply(merged)
        return merged


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def config_of(layers, rng):
    history = []
    for i, _ in enumerate(layers):
        if rng.random() < 0.3:
            history.append({"created": "2023-01-01T00:00:00Z", "created_by": "ENV x=%d" % i, "empty_layer": True})
        history.append({"created": "2023-01-02T03:04:05.678901234Z", "created_by": "layer %d" % i,
                        "comment": "c\u00e9"})
    return {"architecture": "amd64", "os": "linux", "created": "2023-01-02T03:04:05.678901234Z", "author": "a <b@c>",
            "config": {"Cmd": ["/bin/x", "\u00e9"], "Env": ["PATH=/bin", "N=%d" % rng.randrange(10**6)],
                       "Labels": {"l": "v=1"},
                       "WorkingDir": "/etc", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}}, "User": "1:2",
                       "StopSignal": "SIGUSR1"},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer.bytes()) for layer in layers]}, "history": history}


def generate(seed, base=None, sparse=True):
    """The image of a SEED; with BASE another image, it stands on some of that one's layers. Without SPARSE files it
    can go through tar-split, by which docker and podman write a layer again: that one breaks at them."""
    rng = random.Random(seed)
    maker = Maker(rng, sparse)
    layers = list(base.layers[:rng.randrange(1, len(base.layers) + 1)]) if base else []
    for layer in layers:
        layer.apply(maker.merged)
    for _ in range(rng.randrange(1, 6)):
        layers.append(maker.layer(first=not layers))
    names = ["generated/%s:%d" % (word, seed) for word in ("one", "two", "three")[:rng.randrange(1, 4)]]
    return Image(layers, config_of(layers, rng), names)


def generate_many(seed, count, sparse=True):
    """COUNT images; every third stands on layers of the one before."""
    images = []
    for i in range(count):
        images.append(generate(seed + i, images[-1] if i % 3 == 2 else None, sparse))
    return images


# ---------------------------------------------------------------- what a directory really holds

def kind_of(st):
    for kind, test in (("file", stat.S_ISREG), ("dir", stat.S_ISDIR), ("symlink", stat.S_ISLNK), ("char", stat.S_ISCHR),
                       ("block", stat.S_ISBLK), ("fifo", stat.S_ISFIFO)):
        if test(st.st_mode):
            return kind
    return "other"


def look_at(path):
    st = os.lstat(path)
    kind = kind_of(st)
    xattrs = [] if kind == "symlink" else [(n, os.getxattr(path, n)) for n in map(os.fsencode, os.listxattr(path))]
    digest = ""
    if kind == "file":
        with open(path, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
    return st, Seen(kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_size if kind in ("file", "symlink") else
                    0,
                    st.st_mtime_ns, tuple(sorted(x for x in xattrs if x[0].startswith((b"user.", b"security.cap")))),
                    st.st_rdev,
                    os.readlink(path) if kind == "symlink" else b"", digest)


def look(root):
    """Of the directory ROOT: path to Seen or WHITEOUT, the set of opaque directories, and the groups of hard links."""
    root = os.fsencode(root)
    seen, opaque, inodes = {}, set(), {}
    for folder, dirs, files in os.walk(root):
        for name in dirs + files:
            full = os.path.join(folder, name)
            path = os.path.relpath(full, root)
            st, found = look_at(full)
            if found.kind == "char" and st.st_rdev == 0:
                seen[path] = WHITEOUT
                continue
            seen[path] = found
            if found.kind == "dir" and OPAQUE in map(os.fsencode, os.listxattr(full)):
                opaque.add(path)
            if found.kind != "dir" and st.st_nlink > 1:
                inodes.setdefault(st.st_ino, set()).add(path)
    return seen, opaque, {frozenset(group) for group in inodes.values()}


def groups(tree):
    """The groups of hard links of a model's tree."""
    paths = {}
    for path, node in tree.items():
        if node != WHITEOUT and node.kind != "dir":
            paths.setdefault(id(node), set()).add(path)
    return {frozenset(group) for group in paths.values() if len(group) > 1}


def expected(layer):
    """What look() must see where LAYER was unpacked alone."""
    tree, opaque = layer.tree()
    return {p: n if n == WHITEOUT else n.seen() for p, n in tree.items()}, opaque, groups(tree)


def holes_are_kept(root, layer):
    """Paths of sparse files of LAYER under ROOT that take more room than what was stored of them."""
    found = []
    for path, node in layer.tree()[0].items():
        if node != WHITEOUT and node.extents is not None:
            stored = sum(len(piece) for _, piece in node.extents)
            if os.lstat(os.path.join(os.fsencode(root), path)).st_blocks * 512 > stored + 8192:
                found.append(path)
    return found


def differences(a, b, limit=5):
    """Where two dictionaries differ, as text for a person."""
    lines = ["%r: %s | %s" % (p, a.get(p), b.get(p)) for p in sorted(a.keys() | b.keys()) if a.get(p) != b.get(p)]
    return "\n".join(lines[:limit])


if __name__ == "__main__":
    from write_images import write_layout
    write_layout(sys.argv[2], [generate(int(sys.argv[1]))])
