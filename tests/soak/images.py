# SPDX-License-Identifier: Apache-2.0
"""Small images for the endurance tests, made without the program under test, and a look at what its store made
of them.

An image is described by its layers, each a list of entries; `layer_tar` makes the archive, `docker_archive`
what `docker save` would write of it. Times and owners are constants, so the same description gives the same
digests. `StoreView` reads the store's directories as files.
"""
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import tarfile

from harness import Failure

EPOCH = 1767225600


def entry(name, data=None, mode=0o644, link=None, kind=None):
    info = tarfile.TarInfo(name)
    info.mtime, info.mode = EPOCH, mode
    info.type = kind or (tarfile.SYMTYPE if link else tarfile.REGTYPE if data is not None else tarfile.DIRTYPE)
    info.linkname, info.size = link or "", len(data or b"")
    return info, data


def layer_tar(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def hello_layers(program, text=b"one\n"):
    """Two layers around one static program: the second one replaces, hides and hard-links."""
    first = [entry("./", mode=0o755), entry("hello", program, 0o755), entry("etc/", mode=0o755),
             entry("etc/one", text * 700), entry("etc/two", b"two\n"), entry("etc/link", link="one")]
    second = [entry("etc/", mode=0o700), entry("etc/one", b"changed\n", 0o600), entry("etc/.wh.two", b""),
              entry("etc/hard", link="etc/one", kind=tarfile.LNKTYPE)]
    return [layer_tar(first), layer_tar(second)]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def image_config(layers):
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/hello"]},
                       "created": "2026-01-01T00:00:00Z",
                       "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "layer %d" % i} for i in range(len(layers))],
                       "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(d) for d in layers]}}).encode()


def docker_archive(path, name, layers):
    """The upper layers compressed by gzip: a reader must look at the bytes, not at the name."""
    config = image_config(layers)
    blobs = [data if i == 0 else gzip.compress(data, 6, mtime=0) for i, data in enumerate(layers)]
    names = ["%s/layer.tar" % digest(d) for d in layers]
    manifest = [{"Config": digest(config) + ".json", "RepoTags": [name], "Layers": names}]
    files = list(zip(names, blobs)) + [(digest(config) + ".json", config), ("manifest.json", json.dumps(manifest).encode())]
    pathlib.Path(path).write_bytes(layer_tar([entry(n, d) for n, d in files]))
    return "sha256:" + digest(config)


def tree_hash(folder):
    """Names, kinds, modes, owners and contents below FOLDER."""
    h = hashlib.sha256()
    for base, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files + folders):
            path = os.path.join(base, name)
            st = os.lstat(path)
            h.update(("%s %o %d %d %d\n" % (os.path.relpath(path, folder), st.st_mode, st.st_uid, st.st_gid,
                                            st.st_rdev)).encode())
            if os.path.islink(path):
                h.update(os.readlink(path).encode())
            elif os.path.isfile(path):
                h.update(pathlib.Path(path).read_bytes())
    return h.hexdigest()


def chain_ids(diff_ids):
    """image-spec config.md#layer-chainid; hexadecimal."""
    chain = []
    for d in diff_ids:
        chain.append(hashlib.sha256(("sha256:%s %s" % (chain[-1], d)).encode()).hexdigest() if chain else d[7:])
    return chain


class StoreView:
    """The directories of a state's store."""

    def __init__(self, state):
        self.state = state

    def names(self):
        """Everything that images can leave behind: entries of the store's folders, and stray files at its top."""
        found = set()
        for folder in ("", "layers", "blobs/sha256", "staging"):
            base = self.state.root / folder
            if base.is_dir():
                found |= {os.path.join(folder, n) for n in os.listdir(base)}
        return {n for n in found if not re.match(r"tare\.db|tare\.lock$|reserve$|containers$|skeleton", n)}

    def listed(self):
        return set(self.state.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split())

    def hashes(self, name):
        """The layers of an image as (diff ID, hash of the unpacked tree)."""
        diff_ids = json.loads(self.state.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", name))
        layers = self.state.root / "layers"
        for chain in chain_ids(diff_ids):
            if not (layers / chain / "diff").is_dir():
                raise Failure("%s is listed, but layer %s is not there" % (name, chain[:12]))
        return [(d, tree_hash(layers / chain / "diff")) for d, chain in zip(diff_ids, chain_ids(diff_ids))]
