# SPDX-License-Identifier: Apache-2.0
"""Hostile manifests, indexes, configurations and manifest.json from a seed, around an image that would be good
without them: as an OCI layout in a directory or an archive, as docker's archive, as skopeo's directory.

A recipe changes the documents before their digests are taken (so that everything above still fits), or the
files after. Where an answer other than an error would be wrong it says `refused`.
"""
import bz2
import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import shutil

import hostile_archives
import make_tar
from make_tar import DIR, END, FILE, member

OCI = "application/vnd.oci.image."
MANIFEST, INDEX, CONFIG, LAYER = (OCI + t for t in ("manifest.v1+json", "index.v1+json", "config.v1+json",
                                                    "layer.v1.tar"))
HEX = "0123456789abcdef" * 4


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- JSON that json cannot write

class Raw:
    """Stands in a document for these bytes."""

    def __init__(self, data):
        self.data = data


class Pairs(list):
    """An object by its pairs, so that a key may come twice."""


def dump(value):
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Pairs):
        return b"{" + b",".join(json.dumps(k).encode() + b":" + dump(v) for k, v in value) + b"}"
    if isinstance(value, dict):
        return dump(Pairs(value.items()))
    if isinstance(value, list):
        return b"[" + b",".join(map(dump, value)) + b"]"
    return json.dumps(value).encode()


# ---------------------------------------------------------------- a good image, and where it is changed

@dataclasses.dataclass
class Recipe:
    name: str
    layer: object = None     # list of layers' bytes to the same
    config: object = None    # document to document
    manifest: object = None
    index: object = None
    docker: object = None    # manifest.json of docker's archive
    files: object = None     # name to bytes or Special; changed in place
    forms: tuple = ()        # () is all
    refused: bool = False
    accepted: bool = False


@dataclasses.dataclass
class Special:
    """A file of a directory that is no ordinary one."""
    kind: str                # symlink, fifo, null, zero, dir, sparse, socket
    target: str = ""
    size: int = 0


class Ground(hostile_archives.Ground):
    def layers(self):
        return [member(b"d%d" % i, DIR) + member(b"d%d/f" % i, FILE, self.bytes(500)) +
                END for i in range(self.rng.randrange(1, 4))]

    def digest(self):
        """A string (or what should be one) that is no digest of anything there is."""
        good = HEX[:64]
        return self.pick(("sha256:../../../../x", "sha256:" + "../" * 20 + "x", "sha256:..", "sha256:", "sha256", "",
                          good, "sha256:" + good[:63],
                          "sha256:" + good + "0", "sha256:" + good.upper(), "SHA256:" + good, "sha256:" + "g" * 64,
                          "sha256:" + "\0" * 64, "md5:" + good[:32],
                          "sha512:" + good * 2, "sha256:/" + good[:63], "sha256:" + good + "/../..", "sha256:" + good +
                          "\n", " sha256:" + good,
                          "sha256:" + "x" * 70000, "sha256:sha256:" + good, "..", "/etc/passwd",
                          str(os.fsdecode(self.canary)) + "/file",
                          "sha256:" + "\u0660" * 64, 12, None, [], {}, True, "sha256:" + good[:62] + "\u00e9",
                          "sha256+b64u:" + good[:43]))

    def size(self, true):
        return self.pick((-1, 0, true + 1, true - 1, 1 << 31, 1 << 40, (1 << 63) - 1, Raw(b"9223372036854775808"),
                          Raw(b"18446744073709551616"),
                          Raw(b"1e30"), Raw(b"-0.5"), "%d" % true, None, [true], Raw(b"1" * 5000), -true))

    def value(self):
        """Anything JSON has, and some that it has not."""
        return self.pick((None, True, 0, -1, 1 << 62, 1.5, "", "x", "\0", "\x1b[2J", "../../x", "x" * 5000, [], {},
                          [[]], [None], {"": None}, Raw(b"1e999"),
                          Raw(b"-"), Raw(b"nul"), Raw(b'"\\ud800"'), Raw(b'"\xff\xfe"'), Raw(b'"\\u0000"'),
                          Raw(b"[" * 40 + b"]" * 40), Raw(b'{"a":1,"a":2}'),
                          Raw(b"'x'"), Raw(b'"unterminated'), os.fsdecode(self.canary), self.digest(), ["x"] * 3000))


def build(recipe, g):
    """The files of the image in each layout: (OCI, docker's, skopeo's dir), and the blobs' names by role."""
    change = lambda hook, value: hook(value) if hook else value
    layers = g.layers()
    config = {"architecture": "amd64", "os": "linux", "created": "2023-01-01T00:00:00Z",
              "config": {"Cmd": ["x"], "Env": ["A=b"], "Labels": {"a": "b"}},
              "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
              "history": [{"created_by": "x"} for _ in layers]}
    layers = change(recipe.layer, layers)
    if recipe.layer:
        config["rootfs"]["diff_ids"] = [sha256(plain_of(layer)) for layer in layers]
        config["history"] = []
    config = dump(change(recipe.config, config))
    describe = lambda media, data: {"mediaType": media, "digest": sha256(data), "size": len(data)}
    manifest = dump(change(recipe.manifest, {"schemaVersion": 2, "mediaType": MANIFEST,
                                             "config": describe(CONFIG, config),
                                             "layers": [describe(LAYER, layer) for layer in layers]}))
    index = dump(change(recipe.index, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [dict(
        describe(MANIFEST, manifest), annotations={"org.opencontainers.image.ref.name": "hostile:1",
                                                   "io.containerd.image.name": "docker.io/library/hostile:1"})]}))
    blobs = {sha256(data)[7:]: data for data in [config, manifest] + layers}
    oci = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index,
           **{"blobs/sha256/" + name: data for name, data in blobs.items()}}
    docker = {"%s.json" % sha256(config)[7:]: config, **{"%s/layer.tar" % sha256(layer)[7:]: layer for layer in layers}}
    docker["manifest.json"] = dump(change(recipe.docker, [{"Config": "%s.json" % sha256(config)[7:],
                                                           "RepoTags": ["hostile:1"],
                                                           "Layers": ["%s/layer.tar" % sha256(layer)[7:] for layer in layers]}]))
    skopeo = {"version": b"Directory Transport Version: 1.1\n", "manifest.json": manifest, **blobs}
    roles = {"config": sha256(config)[7:], "manifest": sha256(manifest)[7:],
             "layer": sha256(layers[0])[7:] if layers else HEX}
    return {"oci": oci, "docker": docker, "dir": skopeo}, roles


def plain_of(layer):
    for unpack, magic in ((gzip.decompress, b"\x1f\x8b"), (bz2.decompress, b"BZh")):
        if layer.startswith(magic):
            try:
                return unpack(layer)
            except (OSError, EOFError, ValueError):
                return layer
    return layer


# ---------------------------------------------------------------- recipes: each returns a Recipe

def nothing_wrong(g):
    """The image as it would be, so that a refusal of the others is not for a fault of these tests."""
    return Recipe("nothing_wrong", accepted=True)


BOTH = ("oci", "oci-archive", "dir")        # forms that have a manifest
TREES = ("oci", "dir")                      # forms that are directories


def somewhere(g, **more):
    """A change of one descriptor: of the configuration or a layer in the manifest, of the manifest in the index."""
    which = g.pick(("config", "layer", "manifest"))

    def change(document):
        place = {"config": lambda d: d["config"], "layer": lambda d: d["layers"][0],
                 "manifest": lambda d: d["manifests"][0]}[which](document)
        for key, value in more.items():
            place[key] = value(place) if callable(value) else value
        return document
    hook = {"index": change} if which == "manifest" else {"manifest": change}
    return hook, ("oci", "oci-archive") if which == "manifest" else BOTH


def digests(g):
    hook, forms = somewhere(g, digest=g.digest())
    return Recipe("digests", forms=forms, refused=True, **hook)


def sizes(g):
    hook, forms = somewhere(g, size=lambda place: g.size(place["size"]))
    return Recipe("sizes", forms=forms, refused=True, **hook)


def media_types(g):
    text = g.pick((INDEX, "application/x-evil", "", "text/html", OCI + "layer.v1.tar+gzip",
                   "application/vnd.docker.distribution.manifest.v1+prettyjws",
                   OCI + "layer.nondistributable.v1.tar", "x" * 100000, None, 7, [],
                   "application/vnd.docker.plugin.v1+json", MANIFEST, CONFIG))
    hook, forms = somewhere(g, mediaType=text)
    return Recipe("media_types", forms=forms, **hook)


def ambiguous(g):
    """CVE-2021-41190: one document that is a manifest and an index."""
    other = [{"mediaType": MANIFEST, "digest": "sha256:" + HEX, "size": 7}]
    if g.one_in(2):
        return Recipe("ambiguous", manifest=lambda d: dict(d, manifests=g.pick((other, []))), forms=BOTH, refused=True)
    config = {"mediaType": CONFIG, "digest": "sha256:" + HEX, "size": 7}
    return Recipe("ambiguous", index=lambda d: dict(d, layers=[], config=config), forms=("oci", "oci-archive"),
                  refused=True)


def other_kind(g):
    """The document says that it is another kind than what its descriptor says."""
    text = g.pick((INDEX, CONFIG, "application/vnd.docker.distribution.manifest.list.v2+json"))
    return Recipe("other_kind", manifest=lambda d: dict(d, mediaType=text), forms=BOTH, refused=True)


def document(g):
    return g.pick(("config", "manifest", "index", "docker"))


def forms_of(where):
    return {"config": (), "manifest": BOTH, "index": ("oci", "oci-archive"), "docker": ("docker-archive",)}[where]


def deep(g):
    where, n = document(g), g.pick((33, 100, 5000, 100000))
    nest = Raw(g.pick((b"[" * n + b"]" * n, b'{"a":' * n + b"1" + b"}" * n, b"[" * n)))
    hook = lambda d: (dict(d, deep=nest) if isinstance(d, dict) else d + [nest])
    return Recipe("deep", forms=forms_of(where), refused=True, **{where: hook})


def twice(g):
    """A key that comes twice, with two meanings."""
    where = document(g)

    def hook(d):
        top = d if isinstance(d, dict) else d[0]
        key = g.pick(sorted(top))
        pairs = Pairs(top.items())
        pairs.insert(g.rng.randrange(len(pairs) + 1), (key, g.value()))
        return pairs if isinstance(d, dict) else [pairs]
    return Recipe("twice", forms=forms_of(where), refused=True, **{where: hook})


def any_value(g):
    """Somewhere in a document another value."""
    where = document(g)

    def hook(d):
        at = d
        while True:
            key = g.pick(sorted(at) if isinstance(at, dict) else range(len(at)))
            if not at[key] or not isinstance(at[key], (dict, list)) or g.one_in(3):
                at[key] = g.value()
                return d
            at = at[key]
    return Recipe("any_value", forms=forms_of(where), **{where: hook})


def whole_value(g):
    where = document(g)
    value = g.pick((g.value(), Raw(b""), Raw(b"{}{}"), Raw(b"\xef\xbb\xbf{}"), Raw("{}".encode("utf-16")),
                    Raw(b"{}garbage"), Raw(b"\0" * 100), Raw(b"{"), Raw(g.bytes())))
    return Recipe("whole_value", forms=forms_of(where), refused=True, **{where: lambda d: value})


def many_layers(g):
    n = g.pick((129, 501, 100000))

    def manifest(d):
        return dict(d, layers=d["layers"][:1] * n)

    def config(d):
        return dict(d, rootfs={"type": "layers", "diff_ids": d["rootfs"]["diff_ids"][:1] * n}, history=[])
    return Recipe("many_layers", manifest=manifest, config=config if g.one_in(2) else None, forms=BOTH, refused=n > 500)


def many_names(g):
    n = g.pick((1000, 100000))
    if g.one_in(2):
        return Recipe("many_names", index=lambda d: dict(d, manifests=d["manifests"] * n), forms=("oci", "oci-archive"))
    return Recipe("many_names", docker=lambda d: d * g.pick((1001, 20000)), forms=("docker-archive",))


def large_config(g):
    def hook(d):
        return dict(d, config=dict(d["config"], **g.pick((
            {"Env": Raw(b"[" + b'"",' * 1000000 + b'""]')}, {"Env": Raw(b"[" + b'"A=b",' * 500000 + b'""]')},
                                                          {"Labels": {"l": "x" * (1 << 20)}},
            {"Labels": Raw(b"{" + b",".join(b'"%d":""' % i for i in range(300000)) + b"}")}, {"Cmd": ["x" * (3 << 20)]},
                                                          {"Env": ["A=" + "x" * (5 << 20)]},
            {"Cmd": Raw(b"[" + b'"",' * 1200000 + b'""]')}, {"Volumes": Raw(b"{" +
                b",".join(b'"/%d":{}' % i for i in range(200000)) + b"}")}))))
    return Recipe("large_config", config=hook)


def large_document(g):
    """A gibibyte that takes no room on the disk, where a small document should be."""
    name = g.pick(("index.json", "oci-layout", "manifest", "config", "manifest.json"))
    special = Special("sparse", size=g.pick((1 << 30, (4 << 20) + 1, 1 << 40)))

    def files(f, roles):
        for path in list(f):
            if path == name or path.endswith(roles.get(name, "\0")):
                f[path] = special
    forms = {"index.json": ("oci", "oci-archive"), "oci-layout": ("oci", "oci-archive"),
             "manifest": ("oci", "oci-archive"), "config": BOTH,
             "manifest.json": ("docker-archive", "dir")}[name]
    # oci-layout says nothing that a reader needs: skopeo and podman do not look at it either.
    return Recipe("large_document", files=files, forms=forms, refused=name != "oci-layout")


def special_files(g):
    """A blob or document that is a link, a FIFO, a device, a directory, a socket."""
    role = g.pick(("index.json", "oci-layout", "manifest", "config", "layer", "manifest.json", "blobs"))
    kind = g.pick((Special("symlink", os.fsdecode(g.canary) + "/file"), Special("symlink", "/dev/zero"),
                   Special("symlink", "../" * 12 + "etc/passwd"),
                   Special("symlink", "self"), Special("fifo"), Special("null"), Special("zero"), Special("dir"),
                   Special("socket"),
                   Special("symlink", "/proc/self/fd/0"), Special("symlink", "/proc/self/mem")))

    def files(f, roles):
        if role == "blobs":
            gone = [p for p in f if p.startswith("blobs/") or len(p) == 64]
            for p in gone:
                del f[p]
            f["blobs"] = kind
            return
        for path in list(f):
            if path == role or path.endswith(roles.get(role, "\0")):
                f[path] = kind
    forms = {"manifest.json": ("dir",), "manifest": ("oci",), "index.json": ("oci",), "oci-layout": ("oci",),
             "blobs": ("oci", "dir")}.get(role, TREES)
    return Recipe("special_files", files=files, forms=forms, refused=role != "oci-layout")


def missing(g):
    role = g.pick(("index.json", "oci-layout", "manifest", "config", "layer", "manifest.json"))

    def files(f, roles):
        for path in list(f):
            if path == role or roles.get(role, "\0") in path:
                del f[path]
    forms = {"manifest.json": ("dir", "docker-archive"), "index.json": ("oci",), "oci-layout": ("oci",),
             "manifest": ("oci", "oci-archive")}.get(role, FORMS)
    return Recipe("missing", files=files, forms=forms, refused=role != "oci-layout")


def other_bytes(g):
    """A blob that is not what its digest says."""
    role = g.pick(("manifest", "config", "layer"))

    def files(f, roles):
        for path in list(f):
            if path.endswith(roles[role]) and isinstance(f[path], bytes):
                data = bytearray(f[path])
                data[g.rng.randrange(len(data))] ^= 1 << g.rng.randrange(8)
                f[path] = g.pick((bytes(data), f[path] + b"\0", f[path][:-1], b""))
    return Recipe("other_bytes", files=files, forms=("oci", "oci-archive") if role == "manifest" else BOTH,
                  refused=True)


def index_of_indexes(g):
    """Indexes below indexes, to any depth; or one that names itself."""
    if g.one_in(3):
        return Recipe("index_of_indexes", index=lambda d: dict(d, manifests=[dict(d["manifests"][0], mediaType=INDEX,
            digest=g.digest())]), forms=("oci", "oci-archive"),
                      refused=True)
    depth, wide = g.pick((2, 9, 40, 300)), g.pick((1, 1, 3))

    def files(f, roles):
        entry = json.loads(f["index.json"])["manifests"][0]
        for _ in range(depth):
            plain = {k: v for k, v in entry.items() if k != "annotations"}
            data = dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [plain] * wide})
            f["blobs/sha256/" + sha256(data)[7:]] = data
            entry = dict(entry, mediaType=INDEX, digest=sha256(data), size=len(data))
        f["index.json"] = dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
    return Recipe("index_of_indexes", files=files, forms=("oci", "oci-archive"))


def foreign(g):
    """A layer that is to be had elsewhere: nothing is fetched from an address that an image names."""
    media = g.pick((OCI + "layer.nondistributable.v1.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                    LAYER))

    def hook(d):
        # Not the digest of a layer that there is.
        layer = dict(d["layers"][0], mediaType=media, urls=g.pick((["http://127.0.0.1:1/x"],
            ["file://" + os.fsdecode(g.canary) + "/file"])), digest="sha256:" + HEX)
        return dict(d, layers=[layer] + d["layers"][1:])
    return Recipe("foreign", manifest=hook, forms=BOTH, refused=True)


def diff_ids(g):
    def hook(d):
        ids = d["rootfs"]["diff_ids"]
        return dict(d, rootfs={"type": "layers", "diff_ids": g.pick((
            [sha256(b"other")] + ids[1:], ids + [sha256(b"more")], ids[:-1], [], [g.digest()] + ids[1:], ids[1:] +
                                                                     [sha256(b"x")], None, "x", [ids], ids * 2))})
    return Recipe("diff_ids", config=hook, refused=True)


def swapped_config(g):
    """The configuration of another image, under its own digest: the layers are not those it names."""
    return Recipe("swapped_config", config=lambda d: dict(d, rootfs={"type": "layers",
        "diff_ids": [sha256(END)] * len(d["rootfs"]["diff_ids"])}), refused=True)


def strange_config(g):
    """Fields that a careless engine follows: paths, users, hooks, labels of its own."""
    up = "../" * 10 + "x"
    fields = {"WorkingDir": up, "User": g.pick(("-1", "99999999999", "a:b:c", "\n", "x" * 5000)),
              "Entrypoint": g.pick(("x", [1], [None])), "Env": g.pick((["=x"], ["x"], "A", [1])),
              "Volumes": {g.pick((up, "/", "/proc", "", "\n", os.fsdecode(g.canary))): {}},
              "ExposedPorts": {g.pick(("-1/tcp", "x", "99999/udp", "1-999999")): {}},
              "StopSignal": g.pick(("KILLALL", "-9", 9, "SIG" * 1000)),
              "Labels": g.pick(({"": ""}, {"tare.x": "1"}, {"com.tare.log": "/x"}, {"io.tare.hook": "/bin/sh"}, [1],
                                "x")),
              "Healthcheck": g.pick(({"Test": "x"}, {"Test": ["CMD", 1]}, {"Interval": -1}, 1)),
              "OnBuild": g.pick((["RUN x"], "x", [1])), "Shell": g.pick((["x"], "x"))}
    chosen = g.rng.sample(sorted(fields), g.rng.randrange(1, 5))
    top = g.pick(({}, {"os": g.pick(("windows", "", 1, "../x"))}, {"architecture": g.pick(("", "arm64", "../x", 1))},
                  {"created": g.pick(("never", "9999-99-99", 1, "0001-01-01T00:00:00Z"))},
                  {"history": g.pick(([], [{"empty_layer": True}] * 5000, "x", [1]))}))
    return Recipe("strange_config", config=lambda d: dict(dict(d, config=dict(d["config"],
        **{k: fields[k] for k in chosen})), **top))


def layer_bytes(g):
    """A layer that is an enemy's archive, with every digest right."""
    return Recipe("layer_bytes", layer=lambda layers: layers[:-1] + [hostile_archives.archive(g.rng.randrange(1 << 30),
                                                                                              g.canary)[1] or b"x"])


def names(g):
    """What an image wants to be called."""
    name = g.pick(("../../x", "", "x:" + "t" * 200, "a" * 5000, "UPPER:1", "x:y:z", "x@sha256:" + HEX, "\x1b[2J",
                   "-x:1", "x:../y", "/x:1", "x\n:1", "sha256:" + HEX, HEX + ":1",
                   "a//b:1", "docker.io/" * 40 + "x:1", "x:latest/../y", None, 7, ["x"], "\u00e9:1",
                   "localhost:99999/x:1"))
    if g.one_in(2):
        return Recipe("names", docker=lambda d: [dict(d[0], RepoTags=g.pick(([name], [name] * 3000, ["good:1", name],
                                                                             name)))], forms=("docker-archive",))
    return Recipe("names", index=lambda d: dict(d, manifests=[dict(d["manifests"][0], annotations={
        "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name})]), forms=("oci", "oci-archive"))


def docker_paths(g):
    """manifest.json that names files outside of its archive."""
    path = g.pick(("../../../../etc/passwd", "/etc/passwd", os.fsdecode(g.canary) + "/file", "", ".", "..", "x/../../y",
                   "manifest.json", "\0", "./manifest.json", "a" * 70000,
                   "blobs", "blobs/sha256", 1, None, []))
    which = g.pick(("Config", "Layers"))
    return Recipe("docker_paths", docker=lambda d: [dict(d[0], **{which: path if which == "Config" else
        [path] * len(d[0]["Layers"])})], forms=("docker-archive",), refused=True)


def docker_legacy(g):
    """Before docker 1.10: parents in a circle, ids that are paths, none at all."""
    one, two = HEX, HEX[::-1]
    json_of = lambda ident, parent: dump(dict({"id": ident, "config": {}, "os": "linux", "architecture": "amd64"},
                                              **({"parent": parent} if parent is not None else {})))
    bad = g.pick((one, "../../x", "", 7, "x" * 64, two, two + "/", None))

    def files(f, roles):
        f.clear()
        layer = member(b"f", FILE) + END
        f["repositories"] = dump(g.pick(({"x": {"1": one}}, {"x": {"1": g.pick((bad, 3, {}))}}, {"../x": {"1": one}},
                                         {"x": one}, {"x": {}}, [], {"x": {"1": one, "2": "none"}})))
        f[one + "/json"] = json_of(g.pick((one, two)), g.pick((bad, two)))
        f[two + "/json"] = json_of(two, g.pick((one, bad)))
        f[one + "/layer.tar"] = layer
        if not g.one_in(3):
            f[two + "/layer.tar"] = layer
    return Recipe("docker_legacy", files=files, forms=("docker-archive",))


def archive_links(g):
    """Members that are links, to the outside or in a circle, where a document or layer is looked for."""
    name = g.pick(("manifest.json", "config", "layer", "index.json", "oci-layout"))
    target = g.pick((os.fsdecode(g.canary) + "/file", "/etc/passwd", "../../etc/passwd", "self", "a", name, "."))

    def files(f, roles):
        for path in list(f):
            if path == name or roles.get(name, "\0") in path:
                f[path] = Special(g.pick(("symlink", "hard")), target)
    return Recipe("archive_links", files=files, forms=("docker-archive",) if name == "manifest.json" else
                  ("oci-archive", "docker-archive") if name in ("config", "layer")
                  else ("oci-archive",), refused=name != "oci-layout" and name != "index.json")


def archive_bytes(g):
    """The archive around it all is the enemy's: cut, damaged, compressed, with 70,000 members more."""
    return Recipe("archive_bytes", forms=("oci-archive", "docker-archive"))


RECIPES = (nothing_wrong, digests, sizes, media_types, ambiguous, other_kind, deep, twice, any_value, whole_value,
           many_layers, many_names, large_config, large_document, special_files,
           missing, other_bytes, index_of_indexes, foreign, diff_ids, swapped_config, strange_config, layer_bytes,
           names, docker_paths, docker_legacy, archive_links, archive_bytes)
WEIGHTS = [5 if r in (any_value, digests, sizes, special_files, layer_bytes) else
           1 if r in (large_document, many_names) else 2 for r in RECIPES]
FORMS = ("oci", "oci-archive", "docker-archive", "dir")


# ---------------------------------------------------------------- on the disk

def write_special(path, special):
    makers = {"symlink": lambda: os.symlink(special.target, path), "fifo": lambda: os.mkfifo(path),
              "null": lambda: os.mknod(path, 0o20666, os.makedev(1, 3)),
              "zero": lambda: os.mknod(path, 0o20666, os.makedev(1, 5)), "dir": lambda: os.mkdir(path),
              "socket": lambda: os.mknod(path, 0o140666)}
    if special.kind == "sparse":
        with open(path, "wb") as f:
            f.truncate(special.size)
    else:
        makers[special.kind]()


def write_tree(folder, files):
    for name, data in files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, Special):
            write_special(path, data)
        else:
            path.write_bytes(data)


def write_tar(path, files, g, wrapped):
    out = []
    for name, data in files.items():
        name = os.fsencode(name)
        if isinstance(data, Special):
            if data.kind == "sparse":
                out.append(member(name, FILE, extents=[], size=data.size))
            else:
                out.append(member(name, make_tar.SYMLINK if data.kind == "symlink" else make_tar.HARD,
                                  link=data.target.encode()))
        else:
            out.append(member(g.pick((b"", b"", b"./")) + name, FILE, data))
    whole = b"".join(out)
    if wrapped and g.one_in(5):
        whole = make_tar.header(b"more") * g.pick((65530, 70000)) + whole
    elif wrapped and g.one_in(3):
        whole += member(g.pick((b"manifest.json", b"index.json", b"../manifest.json", b"/index.json", b"blobs")),
                        g.pick((FILE, DIR)), g.pick((b"", b"[]", b"{}")))
    pathlib.Path(path).write_bytes(hostile_archives.wrap(g, whole) if wrapped else whole + END)


def commands(form, path, g):
    """The command that brings it in, and the file for its standard input."""
    if form == "oci":
        return ("image", "copy", "-q", "oci:%s%s" % (path, g.pick(("", ":hostile:1"))), "tare:hostile:1"), None
    if form == "dir":
        return ("image", "copy", "-q", "dir:%s" % path, "tare:hostile:1"), None
    way = g.pick(("load -i", "load", "copy"))
    if way == "load -i":
        return ("load", "-i", path), None
    if way == "load":
        return ("load",), path
    return ("image", "copy", "-q", "%s:%s" % (form, path), "tare:hostile:1"), None


def one(yard, seed):
    """Makes the piece of SEED, feeds it to the program, and removes it."""
    g = Ground(seed, yard.canary)
    recipe = g.rng.choices(RECIPES, WEIGHTS)[0](g)
    form = g.pick(recipe.forms or FORMS)
    layouts, roles = build(recipe, g)
    files = layouts[{"oci-archive": "oci", "docker-archive": "docker"}.get(form, form)]
    if recipe.files:
        recipe.files(files, roles)
    path = yard.input / "x"
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    if form in TREES:
        path.mkdir()
        write_tree(path, files)
    else:
        write_tar(path, files, g, recipe.name == "archive_bytes")
    args, stdin = commands(form, path, g)
    what = "%s %d (%s)" % (recipe.name, seed, " ".join(map(str, args)))
    done = yard.judge(what, args, stdin)
    if recipe.refused and done.rc == 0:
        yard.problems.append("%s: accepted" % what)
    if recipe.accepted and done.rc:
        yard.problems.append("%s: refused: %r" % (what, done.err[:300]))
    # Nothing of an image that was good remains known, so that the next one is read and not recognised.
    if done.rc == 0:
        yard.empty(what)
