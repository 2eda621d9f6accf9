# SPDX-License-Identifier: Apache-2.0
"""Another epoch runs nothing again, and yet what comes out is what a build without a cache makes with it.

CI sets SOURCE_DATE_EPOCH to the time of each commit: steps are found in the cache, whose files have the times of
another epoch then.
"""
import os
import subprocess
import tarfile

import pytest

from builds import Context

DOCKERFILE = """\
FROM busybox AS build
WORKDIR /src/deep
COPY src/ .
RUN cat *.txt >all; mkdir -p out/bin; ln -s ../x out/bin/l; touch -d @1620000000 out/dated; touch -h -d @1620000000 out/bin/l; \
    touch -d @1620000000 out
RUN echo later >out/later && chmod 600 out/dated

FROM busybox
ADD archive.tar /opt/
COPY --from=build /src/deep/ /data/
COPY --link src /linked/
COPY --from=build --chown=5:6 /src/deep/out/dated /single/
COPY <<EOF /etc/motd
hello
EOF
WORKDIR /data/made/here
RUN rm /etc/passwd && ln /data/a.txt hard && ln hard hard2 && ln -s x soft && mkfifo pipe && touch -d @1500000000 old && \
    touch -d @1600000000 middle && touch -d @1577836800 default && mkdir -p /a/b/c && echo x >/a/b/c/x
RUN chmod 640 /data/all /data/src.sh /etc/group && mv /opt/unpacked/late /opt/moved && echo y >/a/b/c/y && rm -r /linked/sub && \
    mkdir /linked/sub
USER 65534
CMD ["cat", "/data/all"]
"""

DEFAULT = 1577836800
EPOCHS = [1700000000, 1500000000, 1600000000, DEFAULT, 1620000000, 1650000000, 1700000000, 1610000000, 0]


def write_project(folder):
    context = Context(None, folder).put("Dockerfile", DOCKERFILE)
    times = {"a.txt": 1610000000, "b.txt": 1400000000, "c.txt": None, "sub/d.txt": 1590000000, "src.sh": 1600000000}
    for name, when in times.items():
        context.put("src/" + name, name * 100 + "\n")
        if when:
            os.utime(folder / "src" / name, (when, when))
    (folder / "src/sub/link").symlink_to("d.txt")
    with tarfile.open(folder / "archive.tar", "w") as tar:
        for name, when in (("early", 1000000000), ("middle", 1600000000), ("late", 1720000000)):
            info = tarfile.TarInfo("unpacked/" + name)
            info.size, info.mtime, info.uid = 3, when, 5
            tar.addfile(info, fileobj=open(folder / "src/a.txt", "rb"))
    return context


def with_epoch(context, tare, epoch, *options, tag="im"):
    """The Build and the image's ID."""
    context.tare = tare
    built = context.build("--network", "none", "--timestamp", str(epoch), *options, tag=tag)
    return built, tare.ok("images", "-q", "--no-trunc", tag)


def listing(tare, tag="im"):
    """All names with their times: says more than two IDs do."""
    script = "find /* -xdev \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -print0 | sort -z | xargs -0 stat -c '%Y %n'"
    return tare.ok("run", "--rm", "--network", "none", "-u", "0", tag, "sh", "-c", script).splitlines()


def build_cold(tare_factory, context, epochs, *options):
    """By epoch, the image's ID and its times."""
    found = {}
    for epoch in sorted(set(epochs)):
        tare = tare_factory()
        found[epoch] = with_epoch(context, tare, epoch, *options)[1], listing(tare)
    return found


def compare(tare, id, cold, epoch):
    wanted, times = cold[epoch]
    if id != wanted:
        assert sorted(set(listing(tare)) ^ set(times), key=lambda line: line.split()[1]) == [], epoch
    assert id == wanted, epoch


def check(tare):
    got = tare("system", "check", "--full")
    assert got.rc == 0, got.out + got.err


def test_warm_is_cold(tare, tare_factory, tmp_path):
    context = write_project(tmp_path / "p")
    cold = build_cold(tare_factory, context, EPOCHS)
    for i, epoch in enumerate(EPOCHS):
        built, id = with_epoch(context, tare, epoch)
        assert built.made() == [] or i == 0
        compare(tare, id, cold, epoch)
    assert len({id for id, _ in cold.values()}) == len(set(EPOCHS))
    check(tare)


@pytest.mark.parametrize("how", ["--squash", "--squash-all", "BUILDKIT_INLINE_CACHE"])
def test_warm_is_cold_in_other_ways(tare, tare_factory, tmp_path, how):
    options = ["--build-arg", how + "=1"] if how.startswith("BUILDKIT") else [how]
    context = write_project(tmp_path / "p")
    epochs = [1700000000, 1600000000, 1710000000]
    cold = build_cold(tare_factory, context, epochs, *options)
    for i, epoch in enumerate(epochs):
        built, id = with_epoch(context, tare, epoch, *options)
        assert built.made() == [] or i == 0
        compare(tare, id, cold, epoch)


def test_archives_are_the_same_bytes(tare, tare_factory, tmp_path):
    context = write_project(tmp_path / "p")
    with_epoch(context, tare, 1600000000)
    for name, one in (("warm", tare), ("cold", tare_factory())):
        with_epoch(context, one, 1700000000, "-o", "type=oci,dest=%s" % (tmp_path / name))
    assert (tmp_path / "warm").read_bytes() == (tmp_path / "cold").read_bytes()


def test_a_new_step_stands_on_files_of_the_new_epoch(tare, tare_factory, tmp_path):
    """The commit that changes something: only that is made, above files that have the other epoch's times."""
    context = write_project(tmp_path / "p")
    with_epoch(context, tare, 1600000000)
    more = DOCKERFILE.replace("USER 65534", "USER 0\nRUN stat -c %Y /data/all >/seen; echo z >/a/b/c/z\nCOPY src/b.txt /a/b/\n"
                              "COPY --from=build /src/deep/out /again\nRUN cp -r /data /copied")
    context.put("Dockerfile", more)
    built, id = with_epoch(context, tare, 1700000000)
    assert all(name.split()[0] in ("RUN", "COPY") for name in built.made()) and len(built.made()) == 4
    compare(tare, id, build_cold(tare_factory, context, [1700000000]), 1700000000)
    assert tare.ok("run", "--rm", "--network", "none", "im", "cat", "/seen") == "1700000000"


def layers(tare):
    return set(os.listdir(tare.root / "layers"))


def test_layers_without_late_times_are_shared(tare, tmp_path):
    context = Context(tare, tmp_path / "p").put("Dockerfile", "FROM busybox\nRUN echo x >/y && touch -d @1000000000 /y /\n")
    with_epoch(context, tare, 1600000000)
    before = layers(tare)
    for epoch in (1700000000, 1000000000):
        with_epoch(context, tare, epoch)
        assert layers(tare) == before
    with_epoch(context, tare, 999999999)
    assert len(layers(tare)) == len(before) + 1


def test_few_epochs_stay(tare, tmp_path):
    """Layers of images that went are gone; the last few epochs stay, the newest under the step's key."""
    context = Context(tare, tmp_path / "p").put("Dockerfile", "FROM busybox\nRUN echo x >/y\n")
    ids = {}
    for epoch in range(1600000000, 1600000010):
        ids[epoch] = with_epoch(context, tare, epoch)[1]
        tare.ok("rmi", "im")
    assert len(layers(tare)) <= 1 + 4
    assert len(set(ids.values())) == 10
    for epoch in (1600000009, 1600000007, 1600000000):
        built, id = with_epoch(context, tare, epoch)
        assert built.made() == [] and id == ids[epoch]
    check(tare)
    tare.ok("builder", "prune", "-af")
    tare.ok("system", "prune", "-af")
    assert not os.listdir(tare.root / "snapshots") and not layers(tare)


def test_a_cache_from_elsewhere_serves_other_epochs(tare_factory, tmp_path):
    context = write_project(tmp_path / "p")
    where = tmp_path / "cache"
    first, second = tare_factory(), tare_factory()
    with_epoch(context, first, 1600000000, "--cache-to", "type=local,dest=%s" % where)
    cold = build_cold(tare_factory, context, [1600000000, 1700000000])
    for epoch in (1700000000, 1600000000):
        built, id = with_epoch(context, second, epoch, "--cache-from", "type=local,src=%s" % where)
        assert built.made() == []
        compare(second, id, cold, epoch)


def test_a_cache_without_notes_serves_its_own_epoch(tare_factory, tmp_path):
    """In an image there is no place for what times were: with another epoch the steps are made again."""
    context = write_project(tmp_path / "p")
    first, second = tare_factory(), tare_factory()
    inline = ["--build-arg", "BUILDKIT_INLINE_CACHE=1"]
    with_epoch(context, first, 1600000000, *inline)
    first.ok("save", "-o", tmp_path / "im.tar", "im")
    cold = build_cold(tare_factory, context, [1600000000, 1700000000], *inline)
    for epoch, is_made in ((1600000000, False), (1700000000, True), (1600000000, True)):
        second.ok("load", "-i", tmp_path / "im.tar")
        built, id = with_epoch(context, second, epoch, *inline, "--cache-from", "im")
        assert (built.made() != []) == is_made or epoch == 1600000000
        compare(second, id, cold, epoch)


@pytest.mark.parametrize("after", [0.02, 0.05, 0.1, 0.2])
def test_kill_in_between(tare, tare_factory, tmp_path, after):
    context = write_project(tmp_path / "p")
    with_epoch(context, tare, 1600000000)
    command = tare.argv + ["build", "--network", "none", "--timestamp", "1700000000", "-t", "im", str(context.folder)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        running.wait(after)
    except subprocess.TimeoutExpired:
        running.kill()
    running.wait()
    built, id = with_epoch(context, tare, 1700000000)
    assert built.made() == []
    compare(tare, id, build_cold(tare_factory, context, [1700000000]), 1700000000)
    tare.ok("system", "repair")
    check(tare)
