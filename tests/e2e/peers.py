# SPDX-License-Identifier: Apache-2.0
"""Other engines and tools, each with a state of its own and without a network: podman, docker, buildah,
skopeo and umoci from Debian's packages. A test that asks for one that is not installed is skipped and says
which package it wants.

`fixtures` gives each test a fresh podman, buildah, skopeo and umoci; docker is one daemon for each test process,
started when the first test asks, on a socket in a directory of its own, and stopped by its pid.
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]
SETUP_DOCKER = REPO / "tests/docker/setup-docker.sh"
PACKAGES = {"podman": "podman", "dockerd": "docker.io", "docker": "docker.io", "skopeo": "skopeo", "buildah": "buildah",
            "umoci": "umoci"}


def need(program):
    if not shutil.which(program):
        pytest.skip("no %s here: install the package %s" % (program, PACKAGES[program]))


class Peer:
    """A program with fixed leading arguments; calling it runs it to its end."""

    def __init__(self, argv, env=None):
        self.argv, self.env = [str(a) for a in argv], env or {}

    def __call__(self, *args, input=None, check=True, timeout=60):
        """The standard output as text; CHECK fails the test unless it succeeds, else the whole result is returned."""
        done = subprocess.run(self.argv + [str(a) for a in args], input=input, env=dict(os.environ, **self.env),
                              timeout=timeout,
                              stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        if not check:
            return done
        assert done.returncode == 0, "%s %s: %s" % (self.argv[0], " ".join(map(str, args)),
                                                    done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace").strip()


def container_tools_env(folder):
    """Configuration files of podman, buildah and skopeo: nothing of the host's is read, nothing is verified."""
    folder.mkdir(exist_ok=True)
    files = {"CONTAINERS_CONF": ("containers.conf",
                                 '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
                                 'tmp_dir = "%s/tmp"\n[network]\nnetwork_config_dir = "%s/net"\n' % (folder, folder)),
             "CONTAINERS_STORAGE_CONF": ("storage.conf",
                                         '[storage]\ndriver = "overlay"\ngraphroot = "%s/root"\nrunroot = "%s/run"\n'
                                         % (folder, folder)),
             "CONTAINERS_REGISTRIES_CONF": ("registries.conf", "unqualified-search-registries = []\n"),
             "POLICY": ("policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}\n')}
    for name, text in files.values():
        (folder / name).write_text(text)
    env = {key: str(folder / name) for key, (name, _) in files.items() if key != "POLICY"}
    return dict(env, TMPDIR=str(folder), HOME=str(folder)), folder / "policy.json"


class Podman(Peer):
    def __init__(self, folder, program="podman"):
        need(program)
        env, policy = container_tools_env(folder)
        self.folder, self.policy = folder, policy
        super().__init__([program, "--root", folder / "root", "--runroot", folder / "run", "--storage-driver",
                          "overlay"], env)

    def ids(self):
        """Names (without a registry) to image ids."""
        found = {}
        for row in json.loads(self("images", "-a", "--no-trunc", "--format", "json") or "[]"):
            for name in row.get("Names") or row.get("names") or []:
                found[name.removeprefix("docker.io/").removeprefix("library/").removeprefix("localhost/")] = \
                    "sha256:" + (row.get("Id") or row["id"]).removeprefix("sha256:")
        return found

    def diff_ids(self, name):
        return json.loads(self("image", "inspect", name))[0]["RootFS"]["Layers"]

    def close(self):
        # The overlay driver leaves a bind mount of its own directory.
        subprocess.run(["umount", self.folder / "root/overlay"], stderr=subprocess.DEVNULL)


class Docker(Peer):
    def __init__(self, folder):
        self.folder = folder
        # The client talks to whatever speaks the API; Debian's own comes with the daemon.
        super().__init__(["docker", "-H", "unix://%s/docker.sock" % folder])

    def id(self, name):
        return self("image", "inspect", "-f", "{{.Id}}", name)

    def diff_ids(self, name):
        return json.loads(self("image", "inspect", name))[0]["RootFS"]["Layers"]

    def clean(self):
        ids = self("images", "-aq").split()
        if ids:
            self("rmi", "-f", *set(ids), check=False)


class Skopeo(Peer):
    def __init__(self, folder):
        need("skopeo")
        env, policy = container_tools_env(folder)
        super().__init__(["skopeo", "--policy", policy, "--tmpdir", folder], env)

    def copy(self, source, target, *options):
        return self("copy", "-q", *options, source, target)

    def config(self, source):
        return json.loads(self("inspect", "--config", "--raw", source))

    def manifest(self, source):
        """Its bytes."""
        done = self("inspect", "--raw", source, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


# ---------------------------------------------------------------- fixtures

@pytest.fixture
def short_folder():
    """podman takes no runroot of more than 50 characters, which pytest's own directories are."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tare-p-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def podman(short_folder):
    made = Podman(short_folder / "pm")
    yield made
    made.close()


@pytest.fixture
def buildah(short_folder):
    made = Podman(short_folder / "bh", "buildah")
    yield made
    made.close()


@pytest.fixture
def skopeo(short_folder):
    return Skopeo(short_folder / "sk")


@pytest.fixture
def umoci():
    need("umoci")
    return Peer(["umoci"])


@pytest.fixture(scope="session")
def dockerd():
    for program in ("dockerd", "docker"):
        need(program)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tare-docker-", dir="/var/tmp"))
    started = subprocess.run([SETUP_DOCKER, "start", folder], capture_output=True, text=True)
    try:
        if started.returncode:
            pytest.fail("the private dockerd: " + started.stderr)
        yield Docker(folder)
    finally:
        subprocess.run([SETUP_DOCKER, "stop", folder], check=True)


@pytest.fixture
def docker(dockerd):
    yield dockerd
    dockerd.clean()
