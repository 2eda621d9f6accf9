#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes one of the images bundled with tare as an OCI image layout directory.

    make-image.py hello-world PROGRAM OUTPUT      one static program at /hello
    make-image.py busybox     PROGRAM OUTPUT      a small userland around a static busybox

The result depends on nothing but PROGRAM and SOURCE_DATE_EPOCH: entries are sorted, times are one
constant, owners are root, so two builds give the same digests. OUTPUT is replaced by rename when it
is complete. The single layer is an uncompressed tar: unpacking it needs no decompressor, and with
one layer of a megabyte there is little to gain.

Formats: image-spec image-layout.md, config.md, layer.md; the tar is POSIX ustar.
"""
import argparse
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time

# 2026-01-01T00:00:00Z; SOURCE_DATE_EPOCH (reproducible-builds.org) overrides it.
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", 1767225600))
CREATED = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# e_machine of elf(5) -> the names the image specification takes from Go.
MACHINES = {62: {"architecture": "amd64"}, 183: {"architecture": "arm64", "variant": "v8"},
            243: {"architecture": "riscv64"}}

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
user:x:1000:1000:User:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
wheel:x:10:root,user
users:x:100:user
user:x:1000:
nogroup:x:65534:
"""
# name -> mode, owner
BUSYBOX_DIRS = {
    "bin": (0o755, 0), "dev": (0o755, 0), "etc": (0o755, 0), "home": (0o755, 0), "home/user": (0o755, 1000),
    "proc": (0o755, 0), "root": (0o700, 0), "run": (0o755, 0), "sbin": (0o755, 0), "sys": (0o755, 0),
    "tmp": (0o1777, 0), "usr": (0o755, 0), "usr/bin": (0o755, 0), "usr/sbin": (0o755, 0),
    "var": (0o755, 0), "var/log": (0o755, 0), "var/spool": (0o755, 0), "var/tmp": (0o1777, 0),
}
BUSYBOX_FILES = {
    "etc/passwd": (0o644, PASSWD), "etc/group": (0o644, GROUP), "etc/shadow": (0o640, "root:*:::::::\n"),
    "etc/nsswitch.conf": (0o644, "passwd: files\ngroup: files\nhosts: files dns\n"),
}


class Layer:
    """A tar of sorted entries with constant times and owners."""

    def __init__(self):
        self.entries = {}

    def _info(self, name, kind, mode, owner=0):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime, info.uid, info.gid = kind, mode, EPOCH, owner, owner
        return info

    def directory(self, name, mode=0o755, owner=0):
        self.entries[name] = (self._info(name, tarfile.DIRTYPE, mode, owner), None)

    def file(self, name, data, mode=0o644):
        info = self._info(name, tarfile.REGTYPE, mode)
        info.size = len(data)
        self.entries[name] = (info, data)

    def symlink(self, name, target):
        info = self._info(name, tarfile.SYMTYPE, 0o777)
        info.linkname = target
        self.entries[name] = (info, None)

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name in sorted(self.entries):
                info, data = self.entries[name]
                tar.addfile(info, None if data is None else io.BytesIO(data))
        return out.getvalue()


def elf_platform(path, program):
    """The platform of a static ELF program; exits when it is not one."""
    if program[:4] != b"\x7fELF" or program[4] != 2:
        sys.exit("make-image: %s is not a 64-bit ELF program" % path)
    machine, = struct.unpack_from("<H", program, 18)
    phoff, = struct.unpack_from("<Q", program, 32)
    phentsize, phnum = struct.unpack_from("<HH", program, 54)
    kinds = [struct.unpack_from("<I", program, phoff + i * phentsize)[0] for i in range(phnum)]
    if 3 in kinds:  # PT_INTERP
        sys.exit("make-image: %s needs a dynamic loader; install busybox-static" % path)
    if machine not in MACHINES:
        sys.exit("make-image: %s is for an unknown machine (%d)" % (path, machine))
    return MACHINES[machine]


def hello_world(path, program):
    layer = Layer()
    layer.file("hello", program, 0o755)
    return layer, {"Env": [PATH], "Cmd": ["/hello"], "WorkingDir": "/"}, "COPY hello /hello"


def busybox(path, program):
    layer = Layer()
    for name, (mode, owner) in BUSYBOX_DIRS.items():
        layer.directory(name, mode, owner)
    for name, (mode, text) in BUSYBOX_FILES.items():
        layer.file(name, text.encode(), mode)
    layer.file("bin/busybox", program, 0o755)
    listed = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in set(listed.split()) - {"busybox"}:
        layer.symlink("bin/" + applet, "busybox")
    layer.symlink("usr/bin/env", "../../bin/busybox")  # where scripts' first lines look for it
    return layer, {"Env": [PATH], "Cmd": ["sh"]}, "ADD busybox.tar /"


IMAGES = {"hello-world": hello_world, "busybox": busybox}


def write_blob(root, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(root, "blobs/sha256", digest), "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}


def write_json(root, media_type, value):
    data = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
    return dict(write_blob(root, data), mediaType=media_type)


def write_layout(root, name, program_path):
    with open(program_path, "rb") as f:
        program = f.read()
    platform = dict(elf_platform(program_path, program), os="linux")
    layer, config, step = IMAGES[name](program_path, program)
    os.makedirs(os.path.join(root, "blobs/sha256"))
    layer = dict(write_blob(root, layer.tar()), mediaType="application/vnd.oci.image.layer.v1.tar")
    history = [{"created": CREATED, "created_by": step, "comment": "bundled with tare"}]
    if "Cmd" in config:
        history.append({"created": CREATED, "created_by": "CMD " + json.dumps(config["Cmd"]), "empty_layer": True})
    image = dict(platform, created=CREATED, config=config, history=history,
                 rootfs={"type": "layers", "diff_ids": [layer["digest"]]})
    config = write_json(root, "application/vnd.oci.image.config.v1+json", image)
    manifest = write_json(root, "application/vnd.oci.image.manifest.v1+json", {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer]})
    manifest.update(platform=platform, annotations={"org.opencontainers.image.ref.name": "latest"})
    top = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}
    for file, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", top)):
        with open(os.path.join(root, file), "w", encoding="utf-8") as f:
            json.dump(value, f, indent=1, sort_keys=True)
            f.write("\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("image", choices=sorted(IMAGES))
    ap.add_argument("program")
    ap.add_argument("output")
    args = ap.parse_args()
    output = os.path.abspath(args.output)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    os.umask(0o022)
    staging = tempfile.mkdtemp(prefix=".image-", dir=os.path.dirname(output))
    try:
        os.chmod(staging, 0o755)
        write_layout(staging, args.image, args.program)
        if os.path.isdir(output):
            shutil.rmtree(output)
        os.rename(staging, output)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


if __name__ == "__main__":
    main()
