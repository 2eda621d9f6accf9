# SPDX-License-Identifier: Apache-2.0
"""Trees from text (copy_cases.py) and trees from images, for comparing them."""
import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import subprocess
import tarfile
import time

DEFAULT_TIME = 1500000000
COMPRESS = {"tar": lambda data: data, "gz": lambda data: gzip.compress(data, mtime=0), "bz2": bz2.compress,
            "xz": lzma.compress,
            "zst": lambda data: subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout}


def plain(word):
    return word.replace("\\x20", " ").replace("\\n", "\n")


def archive_of(lines):
    """The bytes of a tar archive of tree LINES."""
    members, out = {}, io.BytesIO()
    for line in lines:
        words = line.split(" ", 3)
        info = tarfile.TarInfo(plain(words[2] if words[0] in "dfop" else words[1]))
        info.mtime = DEFAULT_TIME
        if words[0] == "d":
            info.type, info.mode = tarfile.DIRTYPE, int(words[1], 8)
        elif words[0] == "f":
            info.mode, info.size = int(words[1], 8), len(plain(words[3]).encode())
        elif words[0] == "l":
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, words[2], 0o777
        elif words[0] == "h":
            info.type, info.linkname = tarfile.LNKTYPE, words[2]
            info.mode, info.uid, info.gid = (getattr(members[words[2]][0], key) for key in ("mode", "uid", "gid"))
            info.mtime = members[words[2]][0].mtime
        elif words[0] == "o":
            members[words[3]][0].uid, members[words[3]][0].gid = int(words[1]), int(words[2])
            continue
        elif words[0] == "t":
            members[words[1]][0].mtime = int(words[2])
            continue
        members[info.name] = (info, plain(words[3]).encode() if words[0] == "f" else b"")
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, data in members.values():
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make(folder, text):
    """Makes the tree TEXT below FOLDER."""
    made, times = [], {}
    lines = [line for line in text.split("\n") if line.strip()]
    while lines:
        words = lines.pop(0).split(" ", 3)
        kind = words[0]
        path = folder / plain(words[{"d": 2, "f": 2, "p": 2, "o": 3}.get(kind, 1)])
        if kind == "d":
            path.mkdir()
            path.chmod(int(words[1], 8))
        elif kind == "f":
            path.write_text(plain(words[3]) if len(words) > 3 else "")
            path.chmod(int(words[1], 8))
        elif kind == "l":
            path.symlink_to(words[2])
        elif kind == "p":
            os.mkfifo(path)
            path.chmod(int(words[1], 8))
        elif kind == "h":
            os.link(folder / words[2], path)
        elif kind == "s":
            with open(path, "wb") as file:
                file.truncate(int(words[2]))
                file.seek(int(words[2]) // 2)
                file.write(b"middle")
        elif kind == "g":
            path.write_bytes(gzip.compress(b"z" * int(words[2]), mtime=0))
        elif kind == "o":
            os.chown(path, int(words[1]), int(words[2]), follow_symlinks=False)
        elif kind == "t":
            times[path] = int(words[2])
        elif kind == "x":
            os.setxattr(path, words[2], words[3].encode())
        elif kind == "a":
            inner = []
            while lines and lines[0].startswith(" "):
                inner.append(lines.pop(0)[1:])
            path.write_bytes(COMPRESS[words[2]](archive_of(inner)))
        made.append(path)
    for path in reversed(made):
        when = times.get(path, DEFAULT_TIME)
        os.utime(path, (when, when), follow_symlinks=False)


# ---------------------------------------------------------------- images

def decompress(data):
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def drop(tree, path):
    for name in [name for name in tree if name == path or name.startswith(path + "/")]:
        del tree[name]


def when_of(info):
    """A time from today is "now": nobody's is the same."""
    return "now" if abs(time.time() - info.mtime) < 86400 else info.mtime


def apply_layer(tree, data):
    links = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            path = os.path.normpath(info.name).lstrip("/")
            folder, name = os.path.split(path)
            if name == ".wh..wh..opq":
                for below in [p for p in tree if p.startswith(folder + "/")]:
                    drop(tree, below)
                continue
            if name.startswith(".wh."):
                drop(tree, os.path.join(folder, name[4:]))
                continue
            if path == ".":
                continue
            if not info.isdir():
                drop(tree, path)
            if info.islnk():
                links[path] = os.path.normpath(info.linkname).lstrip("/")
                continue
            tree[path] = entry(tar, info)
    for path, first in links.items():
        tree[path] = tree[first]


def entry(tar, info):
    kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.FIFOTYPE: "p", tarfile.CHRTYPE: "c",
            tarfile.BLKTYPE: "b"}.get(info.type, "f")
    data = tar.extractfile(info).read() if kind == "f" else info.linkname.encode()
    found = {"kind": kind, "uid": info.uid, "gid": info.gid, "time": when_of(info),
             "data": data.decode() if data.isascii() and len(data) < 200 else hashlib.sha256(data).hexdigest(), "size": len(data),
             "xattrs": {key[13:]: value for key, value in info.pax_headers.items() if key.startswith("SCHILY.xattr.")}}
    if kind != "l":
        found["mode"] = info.mode & 0o7777
    return found


def of_archive(path):
    """The tree of a docker-archive, and its configuration."""
    tree = {}
    with tarfile.open(path) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        for name in manifest["Layers"]:
            apply_layer(tree, decompress(tar.extractfile(name).read()))
        config = json.load(tar.extractfile(manifest["Config"]))
    # Second names are one object: number them, for the comparison.
    groups = {}
    for path, found in sorted(tree.items()):
        groups.setdefault(id(found), []).append(path)
    return {path: dict(found, names=groups[id(found)]) for path, found in tree.items()}, config
