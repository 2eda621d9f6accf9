# SPDX-License-Identifier: Apache-2.0
"""Images of generate_images.py as the files that engines exchange: OCI layouts, and docker's archives of all
three generations. Each function returns the path that it wrote."""
import hashlib
import io
import json
import os
import pathlib
import tarfile

from generate_images import MEDIA, sha256

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
REF_NAME = "org.opencontainers.image.ref.name"


def descriptor(media, data, **more):
    return dict({"mediaType": media, "digest": sha256(data), "size": len(data)}, **more)


def manifest_of(image, docker_types=False):
    """The manifest of IMAGE and every blob it needs, itself not included."""
    blobs = {sha256(image.config): image.config}
    layers = []
    for layer in image.layers:
        data = layer.packed()
        blobs[sha256(data)] = data
        media = OCI + "layer.v1." + MEDIA[layer.format]
        if docker_types:
            media = "application/vnd.docker.image.rootfs.diff.tar" + (".gzip" if "gzip" in layer.format else "")
        layers.append(descriptor(media, data))
    config = "application/vnd.docker.container.image.v1+json" if docker_types else OCI + "config.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": DOCKER if docker_types else OCI + "manifest.v1+json",
                "config": descriptor(config, image.config), "layers": layers}
    return json.dumps(manifest).encode(), blobs


def layout_files(images, docker_types=False):
    """name: bytes of an OCI layout with IMAGES, each under all of its names."""
    files, entries = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}, []
    for image in images:
        manifest, blobs = manifest_of(image, docker_types)
        blobs[sha256(manifest)] = manifest
        files.update(("blobs/" + d.replace(":", "/"), data) for d, data in blobs.items())
        for name in image.names or [None]:
            notes = {"annotations": {REF_NAME: name, "io.containerd.image.name": "docker.io/" + name}} if name else {}
            entries.append(descriptor(DOCKER if docker_types else OCI + "manifest.v1+json", manifest, **notes))
    files["index.json"] = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json",
                                      "manifests": entries}).encode()
    return files


def save_manifest(images, config_name, layer_name):
    return json.dumps([{"Config": config_name(i), "RepoTags": i.names or None,
                        "Layers": [layer_name(i, n) for n in range(len(i.layers))]}
                       for i in images]).encode()


def repositories(images, top):
    found = {}
    for image in images:
        for name in image.names:
            repo, tag = name.rsplit(":", 1)
            found.setdefault(repo, {})[tag] = top(image)
    return json.dumps(found).encode()


def modern_files(images):
    """docker save since 25: a layout and a manifest.json that names its blobs; layers are plain or as they are."""
    files = layout_files(images)
    blob = lambda data: "blobs/" + sha256(data).replace(":", "/")
    files["manifest.json"] = save_manifest(images, lambda i: blob(i.config), lambda i, n: blob(i.layers[n].packed()))
    files["repositories"] = repositories(images, lambda i: i.id)
    return files


def old_ids(image):
    """What docker 1.10 to 24 called the directories: any 64 digits that depend on the chain."""
    return [hashlib.sha256(b"v1 " + c.encode()).hexdigest() for c in image.chain_ids()]


def old_layers(image):
    """HASH/layer.tar, HASH/json, HASH/VERSION. What a layer repeats is a link to the first, as docker writes it."""
    files, first = {}, {}
    ids = old_ids(image)
    for n, (layer, name) in enumerate(zip(image.layers, ids)):
        data = layer.bytes()
        files[name + "/VERSION"] = b"1.0"
        files[name + "/json"] = json.dumps(dict(
            {"id": name, "created": "2023-01-02T03:04:05Z", "os": "linux", "architecture": "amd64",
             "config": {"Cmd": ["/bin/x"]}},
            **({"parent": ids[n - 1]} if n else {}))).encode()
        if sha256(data) in first:
            files[name + "/layer.tar"] = pathlib.PurePosixPath("../" + first[sha256(data)] + "/layer.tar")
        else:
            files[name + "/layer.tar"] = data
            first[sha256(data)] = name
    return files


def old_files(images):
    """docker save from 1.10 to 24."""
    files = {}
    for image in images:
        files.update(old_layers(image))
        files[image.id + ".json"] = image.config
    files["manifest.json"] = save_manifest(images, lambda i: i.id + ".json", lambda i, n: old_ids(i)[n] + "/layer.tar")
    files["repositories"] = repositories(images, lambda i: old_ids(i)[-1])
    return files


def ancient_files(images):
    """docker save before 1.10: no manifest.json, no configuration with diff IDs."""
    files = {}
    for image in images:
        files.update(old_layers(image))
    files["repositories"] = repositories(images, lambda i: old_ids(i)[-1])
    return files


def write_directory(path, files):
    for name, data in files.items():
        full = pathlib.Path(path, name)
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(data)
    return path


def write_layout(path, images, **more):
    return write_directory(path, layout_files(images, **more))


def archive(files):
    """FILES as a tar; a PurePosixPath is a symbolic link. docker's own order: directories first, names sorted."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for folder in sorted({os.path.dirname(n) for n in files} - {""}):
            info = tarfile.TarInfo(folder + "/")
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            if isinstance(data, pathlib.PurePosixPath):
                info.type, info.linkname = tarfile.SYMTYPE, str(data)
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


GENERATIONS = {"layout": layout_files, "modern": modern_files, "old": old_files}


def write_archive(path, images, generation):
    pathlib.Path(path).write_bytes(archive(GENERATIONS[generation](images)))
    return path
