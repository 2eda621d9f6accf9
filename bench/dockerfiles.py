# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of builds: everything cached, one step not, many files, many files that did not change, two stages."""
import os
import random
import shutil
import subprocess

from contenders import Contender, Failed, interleave, missing
from images import CACHE

STEPS = 20
RUNS = 10
N_FILES, FILE_SIZE = 10000, 50000
N_UNCHANGED = 50000
GCC = "bench-gcc:latest"


def rounds_of(b, n):
    return max(3, n // 2) if b.args.quick else n


def context(b, name, dockerfile):
    folder = b.work / ("build-" + name)
    if not folder.exists():
        folder.mkdir()
        (folder / "Dockerfile").write_text(dockerfile)
    return folder


def buildah(b, *args):
    """buildah on podman's store, with limits a host without CAP_SYS_RESOURCE grants."""
    if not shutil.which("buildah"):
        return missing("buildah", "not installed")
    ready = b.podman("version")
    if not isinstance(ready, Contender):
        return missing("buildah", ready["missing"])
    command = ["buildah", "build", "--runtime", "runc", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
    return b.timeit("buildah", [*command, *args], env=b.podman_env())


def forget(b, name):
    """Functions that take the image NAME away, with its cache: what is there already is not made again."""
    def tare():
        for args in (("rmi", "-f", name), ("builder", "prune", "-af")):
            subprocess.run([*b.state, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    def podman():
        subprocess.run(["podman", "rmi", "-f", name], env=dict(os.environ, **b.podman_env()), stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    def docker():
        subprocess.run(["docker", "-H", b.docker_socket, "rmi", "-f", name], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return tare, podman, docker


def engines(b, options, folder, with_buildah=False, fresh=None):
    """`build OPTIONS FOLDER` by each, without the image FRESH of the round before."""
    tare, podman, docker = forget(b, fresh) if fresh else (None, None, None)
    made = [b.tare("build", *options, folder, before=tare),
            b.podman("build", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", *options, folder,
                     before=podman),
            b.docker("build", *options, folder, before=docker)]
    if with_buildah:
        made.insert(1, buildah(b, *options, folder))
    return made


def bench_build_cached(b):
    """`build` of 20 steps (10 RUN, 10 COPY), all cached"""
    steps = "".join("RUN echo %d >/run%d\nCOPY file /copy%d\n" % (i, i, i) for i in range(STEPS // 2))
    folder = context(b, "cached", "FROM busybox\n" + steps)
    (folder / "file").write_text("content\n")
    contenders = [c for c in engines(b, ("-q", "-t", "bench-cached"), folder)]
    return interleave([b.timeit("true", ["/bin/true"]), *contenders], rounds_of(b, 20), 2)


def bench_build_run(b):
    """one uncached RUN (a tenth of a build of ten), the image's layers included; floor: a container"""
    steps = "".join("RUN echo %d >/run%d\n" % (i, i) for i in range(RUNS))
    folder = context(b, "run", "FROM busybox\n" + steps)
    rows = interleave([b.floor(), *engines(b, ("-q", "--no-cache", "--network", "none", "-t", "bench-run"), folder)],
                      rounds_of(b, 10), 1)
    for row in rows:
        if row["name"] != "floor" and "median_ns" in row:
            row["median_ns"] /= RUNS
            row["p95_ns"] /= RUNS
    return rows


def fill(folder, n, size):
    """N files in folders of 100, of words as sources have them."""
    rng = random.Random(7)
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz_", k=rng.randrange(2, 12))) for _ in range(20000)]
    for i in range(n):
        where = folder / "files" / ("d%d" % (i // 100))
        where.mkdir(parents=True, exist_ok=True)
        text = b" ".join(rng.choices(words, k=size // 7 + 1))
        (where / ("f%d" % i)).write_bytes(text[:size])


def bench_build_copy(b):
    """COPY of 10,000 files (500 MB), not cached (tare durable when it returns, podman not)"""
    folder = context(b, "copy", "FROM busybox\nCOPY files /files\n")
    if not (folder / "files").exists():
        fill(folder, N_FILES, FILE_SIZE)
    contenders = engines(b, ("-q", "--no-cache", "-t", "bench-copy"), folder, fresh="bench-copy")
    return interleave(contenders, rounds_of(b, 5), 1)


def bench_build_context(b):
    """`build` with a context of 50,000 files that did not change, all cached"""
    folder = context(b, "context", "FROM busybox\nCOPY files /files\n")
    if not (folder / "files").exists():
        fill(folder, N_UNCHANGED, 100)
    return interleave([b.timeit("true", ["/bin/true"]), *engines(b, ("-q", "-t", "bench-context"), folder)],
                      rounds_of(b, 6), 2)


def gcc_tar():
    """A Debian root file system with gcc, made once."""
    tar = CACHE / "debian-12-gcc.tar"
    if not tar.exists():
        if not shutil.which("mmdebstrap"):
            raise Failed("mmdebstrap is not installed")
        CACHE.mkdir(exist_ok=True)
        part = CACHE / "debian-12-gcc.part.tar"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=gcc,libc6-dev", "bookworm", str(part)],
                       check=True)
        part.rename(tar)
    return tar


def bench_build_stages(b):
    """two stages, not cached: compile in a Debian with gcc, copy the program into a small image"""
    folder = context(b, "stages", "FROM %s AS fat\nWORKDIR /src\nCOPY hello.c .\nRUN gcc -O2 -static -o hello hello.c\n"
                     "FROM busybox\nCOPY --from=fat /src/hello /hello\nCMD [\"/hello\"]\n" % GCC)
    (folder / "hello.c").write_text('#include <stdio.h>\nint main(void)\n{\n\tputs("hello");\n\treturn 0;\n}\n')
    options = ("-q", "--no-cache", "-t", "bench-stages", "--network", "none")
    contenders = []
    for name, make in (("tare", b.tare), ("podman", b.podman), ("docker", b.docker)):
        made = make("import", gcc_tar(), GCC)
        try:
            b.run_quietly(made)
        except Failed as e:
            made = missing(name, str(e))
        if not isinstance(made, Contender):
            contenders.append(made)
    gone = {c["name"] for c in contenders}
    contenders += [c for c in engines(b, options, folder, True, fresh="bench-stages")
                   if (c["name"] if isinstance(c, dict) else c.name) not in gone]
    return interleave(contenders, rounds_of(b, 6), 1)


BENCHMARKS = {"build-cached": bench_build_cached, "build-run": bench_build_run, "build-copy": bench_build_copy,
              "build-context": bench_build_context, "build-stages": bench_build_stages}
