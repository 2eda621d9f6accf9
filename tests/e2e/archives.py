# SPDX-License-Identifier: Apache-2.0
"""Archives of images, made in memory: layouts and docker's archives of both generations, right ones and wrong ones."""
import gzip
import hashlib
import io
import json
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def sha(data):
    return hashlib.sha256(data).hexdigest()


def digest(data):
    return "sha256:" + sha(data)


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


def member(name, data=b"", **fields):
    """One member of a tar: (TarInfo, bytes)."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar(*members):
    """A tar of members, or of (name, bytes)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for m in members:
            info, data = m if isinstance(m[0], tarfile.TarInfo) else member(*m)
            archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def layer(**files):
    """A plain layer: layer(a="text") has the file /a."""
    return tar(*[(name, text.encode()) for name, text in files.items()])


def config(*layers, arch="amd64", **more):
    """A configuration for plain layers."""
    return dumps(dict({"architecture": arch, "os": "linux", "config": {"Cmd": ["/x"]},
                       "rootfs": {"type": "layers", "diff_ids": [digest(x) for x in layers]}}, **more))


def descriptor(data, media_type, **more):
    return dict({"mediaType": media_type, "digest": digest(data), "size": len(data)}, **more)


class Layout:
    """An OCI layout in the making: blobs by their digits, and the entries of index.json."""

    def __init__(self):
        self.blobs, self.entries = {}, []

    def blob(self, data, media_type, **more):
        self.blobs[sha(data)] = data
        return descriptor(data, media_type, **more)

    def manifest(self, *layers, compress=True, platform=None, **changes):
        """A manifest of an image of these plain layers; its descriptor."""
        packed = [gzip.compress(x, mtime=0) if compress else x for x in layers]
        arch = (platform or {}).get("architecture", "amd64")
        doc = dict({"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(config(*layers, arch=arch), CONFIG),
                    "layers": [self.blob(x, LAYER + ("+gzip" if compress else "")) for x in packed]}, **changes)
        return self.blob(dumps(doc), MANIFEST, **({"platform": platform} if platform else {}))

    def index(self, *entries):
        return self.blob(dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}), INDEX)

    def add(self, entry, name=None, image=None):
        notes = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": image}
        notes = {key: value for key, value in notes.items() if value}
        self.entries.append(dict(entry, **({"annotations": notes} if notes else {})))
        return self

    def files(self):
        found = [("blobs/sha256/" + name, data) for name, data in sorted(self.blobs.items())]
        found.append(("index.json", dumps({"schemaVersion": 2, "manifests": self.entries})))
        return found + [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')]

    def tar(self):
        return tar(*self.files())

    def write(self, folder):
        for name, data in self.files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder


def multi(name="multi:1"):
    """A layout with an index of two platforms under a name; (layout, digest of the index)."""
    out = Layout()
    top = out.index(out.manifest(layer(a="amd"), platform={"os": "linux", "architecture": "amd64"}),
                    out.manifest(layer(a="arm"), platform={"os": "linux", "architecture": "arm64", "variant": "v8"}))
    out.add(top, name=name)
    return out, top["digest"]


def docker(layers, tags=("x:1",), text=None, **changes):
    """Members of an archive as docker 1.10 to 24 wrote it."""
    text = config(*layers) if text is None else text
    item = dict({"Config": sha(text) + ".json", "RepoTags": list(tags),
                 "Layers": ["%d/layer.tar" % i for i in range(len(layers))]}, **changes)
    files = [(sha(text) + ".json", text)]
    files += [("%d/layer.tar" % i, data) for i, data in enumerate(layers)]
    return files + [("manifest.json", dumps([item]))]


def legacy(layers, name="old", tag="1", parents=True):
    """Members of an archive as docker before 1.10 wrote it: a directory for each layer, base first."""
    files, parent = [], None
    for i, data in enumerate(layers):
        own = sha(b"layer %d" % i)
        doc = {"id": own, "created": "2015-03-0%dT10:00:00.5Z" % (i + 1), "container": "c" * 64,
               "container_config": {"Cmd": ["/bin/sh", "-c", "#(nop) ADD <%d> &" % i]},
               "docker_version": "1.9.1", "author": "somebody", "config": {"Env": ["A=b"], "Cmd": ["/x"]},
               "architecture": "amd64", "os": "linux", "Size": len(data)}
        if parent and parents:
            doc["parent"] = parent
        files += [(own + "/VERSION", b"1.0"), (own + "/json", dumps(doc)), (own + "/layer.tar", data)]
        parent = own
    if name:
        files.append(("repositories", dumps({name: {tag: parent}})))
    return files
