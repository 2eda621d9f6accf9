# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of images in and out, on a Debian root file system of 200 MB and 12,000 files."""
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile

from contenders import Contender, Failed, interleave, missing

CACHE = pathlib.Path(__file__).resolve().parents[1] / ".cache"
NAME = "bench-debian:latest"


def debian_tar():
    """Made once: minbase with python3, perl and ncurses-term, which bring it to the size."""
    tar = CACHE / "debian-12-large.tar"
    if not tar.exists():
        if not shutil.which("mmdebstrap"):
            raise Failed("mmdebstrap is not installed")
        CACHE.mkdir(exist_ok=True)
        part = CACHE / "debian-12-large.part.tar"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3,perl,ncurses-term", "bookworm",
                        str(part)], check=True)
        part.rename(tar)
    return tar


def add_bytes(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def docker_archive(layer, path):
    """docker save's form (plain layers, as all engines write it) around one layer."""
    if path.exists():
        return path
    with open(layer, "rb") as f:
        diff_id = hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib,
            "file_digest") else hashlib.sha256(f.read()).hexdigest()
    config = json.dumps({"architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
                         "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/usr/bin:/bin"]},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff_id]}}).encode()
    name = hashlib.sha256(config).hexdigest()
    with tarfile.open(path, "w") as tar:
        tar.add(layer, diff_id + "/layer.tar")
        add_bytes(tar, name + ".json", config)
        add_bytes(tar, "manifest.json", json.dumps([{"Config": name + ".json", "RepoTags": [NAME],
                                                     "Layers": [diff_id + "/layer.tar"]}]).encode())
    return path


def archive(b):
    return docker_archive(debian_tar(), b.work / "debian.tar")


def rounds_of(b):
    return 3 if b.args.quick else 7


def with_bytes(rows, path):
    for row in rows:
        row["bytes"] = path.stat().st_size
    return rows


def loaded(b):
    """The engines that have the image now: name to function, which makes a contender of arguments."""
    path, ready = archive(b), {}
    for name, engine in (("tare", b.tare), ("podman", b.podman), ("docker", b.docker)):
        made = b.run_quietly(engine("load", "-i", path))
        ready[name] = engine if isinstance(made, Contender) else (lambda *_, made=made, **__: made)
    return ready


def bench_load(b):
    """load of a Debian image from docker's archive into an empty store (tare and docker durable when they return, podman not)"""
    path = archive(b)
    # A store of its own for each round: what is there already is not unpacked again.
    fresh = 'd=%s/l.$$; exec "$0" --root "$d/a" --runroot "$d/r" load -q -i "$1"' % b.work
    contenders = [b.timeit("tare", ["sh", "-c", fresh, b.program, path])]
    podman = b.podman("version")
    contenders.append(b.timeit("podman", ["sh", "-c", fresh.replace('"$0"', '"$0" --storage-driver overlay'), "podman",
                                          path], env=b.podman_env())
                      if isinstance(podman, Contender) else podman)
    docker = b.docker("load", "-q", "-i", path)
    if isinstance(docker, Contender):
        docker.before = lambda: subprocess.run(["docker", "-H", b.docker_socket, "rmi", "-f", NAME],
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    contenders.append(docker)
    return with_bytes(interleave(contenders, rounds_of(b), 1), path)


def bench_load_again(b):
    """load of an image that is there"""
    ready, path = loaded(b), archive(b)
    return with_bytes(interleave([make("load", "-q", "-i", path) for make in ready.values()], 3 * rounds_of(b), 1),
                      path)


def bench_save(b):
    """save of it to a file"""
    contenders = []
    for name, make in loaded(b).items():
        out = b.work / ("save-%s.tar" % name)
        contenders.append(make("save", "-o", out, NAME, before=lambda out=out: out.unlink(missing_ok=True)))
    rows = interleave(contenders, rounds_of(b), 1)
    for row in rows:
        out = b.work / ("save-%s.tar" % row["name"])
        if out.exists():
            row["bytes"] = out.stat().st_size
            out.unlink()
    return rows


CHANGE = "for i in 1 2 3 4 5 6 7 8 9 10; do echo changed >>/etc/changed$i; done"


def bench_commit(b):
    """commit of a container that changed ten files; and one syncfs of the same file system, which tare's contains"""
    contenders = [b.timeit("sync -f", ["sync", "-f", b.work], before=lambda: (b.work / "dirty").write_text("x"))]
    for name, make in loaded(b).items():
        contender = make("run", "--name", "bench-commit", "--network", "none", NAME, "sh", "-c", CHANGE)
        try:
            b.run_quietly(contender)
        except Failed as e:
            contenders.append(missing(name, "run: %s" % e))
            continue
        contenders.append(make("commit", "-q", "bench-commit", "bench-committed") if name == "podman" else
                          make("commit", "bench-commit", "bench-committed"))
    return interleave(contenders, 3 * rounds_of(b), 2)


def bench_unpack(b):
    """one layer, gzip and plain: isa-l and plain calls of the kernel, against tare-unpack without and with a listing and a blob to keep"""
    tar, rows = debian_tar(), []
    packed = b.work / "debian.tar.gz"
    with open(packed, "wb") as f:
        subprocess.run(["gzip", "-6", "-n", "-c", tar], stdout=f, check=True)
    for kind, path in (("gzip", packed), ("plain", tar)):
        def helper(more):
            script = 'd=%s/u.$$; mkdir $d && exec "$0" --dir-fd 9 %s 9<$d <"$1"' % (b.work, more)
            return ["sh", "-c", script, b.build / "tare-unpack", path]
        found = interleave([b.timeit("floor", ["sh", "-c", 'exec "$0" "$1" %s/f.$$' % b.work,
                                               b.build / "bench/unpack_floor", path]),
                            b.timeit("tare-unpack", helper("")),
                            b.timeit("tare-unpack, all", helper("--list-fd 8 --blob-fd 7 8>$d.list 7<>$d.blob"))],
                           rounds_of(b), 1)
        rows += [dict(row, name="%s, %s" % (row["name"], kind)) for row in found]
    return rows


# The last two ask for memory themselves: a dictionary of 64 MiB, a window of 128.
PACKERS = {"gz": ["gzip", "-1"], "bz2": ["bzip2", "-1"], "zst": ["zstd", "-q"], "xz": ["xz", "-1"],
           "9.xz": ["xz", "-9"], "long.zst": ["zstd", "-q", "--long=26"]}


def large_layers(b):
    """Layers that are hard on memory: one large file, very many small ones, long names with attributes."""
    folder = b.work / "layers"
    if folder.exists():
        return sorted(folder.iterdir())
    folder.mkdir()
    size = (256 if b.args.quick else 1024) << 20
    with open("/dev/urandom", "rb") as f:
        piece = f.read(1 << 20)
    big = tarfile.TarInfo("big")
    big.size = size
    with open(folder / "one-file.tar", "wb") as f:
        f.write(big.tobuf())
        for _ in range(size >> 20):
            f.write(piece)
        f.write(bytes(1024))
    with tarfile.open(folder / "many-files.tar", "w") as tar:
        for i in range(20000 if b.args.quick else 200000):
            add_bytes(tar, "d%d/f%d" % (i % 100, i), b"")
    with tarfile.open(folder / "long-names.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for i in range(5000 if b.args.quick else 20000):
            info = tarfile.TarInfo("/".join(["n" * 200] * 8) + "/%d" % i)
            info.pax_headers = {"SCHILY.xattr.user.a": "x" * 1000}
            tar.addfile(info)
    for suffix, packer in PACKERS.items():
        part = tarfile.TarInfo("part")
        part.size = 160 << 20
        with open(folder / ("part.tar." + suffix), "wb") as f:
            done = subprocess.Popen(packer + ["-c"], stdin=subprocess.PIPE, stdout=f)
            done.stdin.write(part.tobuf())
            for _ in range(160):
                done.stdin.write(piece)
            done.communicate(bytes(1024))
    return sorted(folder.iterdir())


def bench_memory(b):
    """the largest process of each command, its helpers included, whatever the size of the layer"""
    rows = []

    def measure(name, *args):
        contender = Contender(name, [b.build / "bench/timeit", "-m", *b.state, *args])
        try:
            rows.append({"name": name, "rss_kib": contender.round()})
        except Failed as e:
            rows.append(missing(name, str(e)))
        contender.close()
    for layer in large_layers(b):
        image = "bench-rss-" + layer.name.replace(".", "-")
        measure("import " + layer.name, "import", layer, image)
        if not layer.name.startswith("part"):
            out = b.work / "rss.tar"
            measure("save " + layer.name, "save", "-o", out, image)
            subprocess.run(b.state + ["rmi", "-f", image], stdout=subprocess.DEVNULL)
            measure("load " + layer.name, "load", "-q", "-i", out)
            ident = b.call("create", "--network", "none", image, "x")
            measure("export " + layer.name, "export", "-o", out, ident)
            measure("commit " + layer.name, "commit", ident)
            out.unlink()
            b.call("rm", ident)
    measure("system check --full", "system", "check", "--full")
    return rows


BENCHMARKS = {"load": bench_load, "load-again": bench_load_again, "save": bench_save, "commit": bench_commit,
              "unpack": bench_unpack, "memory": bench_memory}
