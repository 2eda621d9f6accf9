# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the built program with a state of its own, and a check for leaks.

`tare` is a callable: tare("run", "--rm", "busybox", "true") runs the program with --root and --runroot of
this test and returns a Result. TARE names the program (build/tare of this checkout unless told). Tests
are parallel-safe: nothing is shared but the kernel. They wait for events with wait_until and wait_file,
and never sleep for a time that "should be enough".

After each test its containers are removed by `tare rm -f`; whatever of the test is then still there
(mounts, named namespaces, control groups, processes, files under the two directories) fails it. What
belongs to the test is recognised by its directories and by the ids of the containers it made, so tests
beside it do not disturb.

Each test has a network namespace of its own (netns.py), so that bridges, rules and ports of tests do not
meet. What networks leave in it is looked at too: leases at once, rules and bridges (after `network prune`,
which takes 50 ms) in the tests of networks and in every eighth of the others, and links a while later,
because the kernel removes a container's in the background.
"""
import collections
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import zlib

import pytest

import netns
from hostile import Canary
from outside import internet, outside  # noqa: F401 (fixtures)

REPO = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("TARE") or str(pathlib.Path(os.environ.get("TARE_BUILD", REPO / "build")).resolve() / "tare")
DEADLINE = 30
# What the stores of a test marked "big" come to.
BIG = 3 << 30

Result = collections.namedtuple("Result", "rc out err")


def pytest_collection_modifyitems(items):
    """Without root nothing here can run, and that is a failure to be seen, not a skip."""
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests make containers and need root", 1)
    if not os.access(PROGRAM, os.X_OK):
        pytest.exit("no program at %s: run make build, or set TARE" % PROGRAM, 1)


def pytest_configure(config):
    config.addinivalue_line("markers", "damages: the test damages its store on purpose and leaves it so")
    config.addinivalue_line("markers", "big: the stores of the test hold gigabytes")


def tare_cgroups():
    return {folder for folder, _, _ in os.walk("/sys/fs/cgroup") if re.search(r"/tare/.*[0-9a-f]{64}", folder)}


def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):
        session.config.cgroups_before = tare_cgroups()
        session.config.left_by_workers = []


def pytest_sessionfinish(session):
    """Groups of containers that a test had removed itself: no test knows their ids any more. Links that
    are there a while after the last tests."""
    left = look_back(0, 5)
    if hasattr(session.config, "workerinput"):
        session.config.workeroutput["left"] = left
        return
    left += session.config.left_by_workers + sorted(tare_cgroups() - session.config.cgroups_before)
    if left:
        print("\nleft behind by some test:\n  " + "\n  ".join(left[:20]))
        session.exitstatus = 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """A worker of xdist tells what it found at its end; one that died has told nothing."""
    node.config.left_by_workers += getattr(node, "workeroutput", {}).get("left", [])


# ---------------------------------------------------------------- waiting

def wait_until(condition, what="the condition", timeout=DEADLINE):
    """Polls CONDITION every few milliseconds and returns its first true value; fails after TIMEOUT."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail("waited %d s in vain for %s" % (timeout, what))
        select.select([], [], [], 0.005)


def wait_file(path, text="", timeout=DEADLINE):
    """Waits until the file PATH exists and contains TEXT; returns its content."""
    def content():
        try:
            data = pathlib.Path(path).read_text()
        except OSError:
            return None
        return (data or " ") if text in data else None
    return wait_until(content, "%r in %s" % (text, path), timeout)


# ---------------------------------------------------------------- the program

class Tare:
    """The program with one state. Calling it runs a command to its end."""

    def __init__(self, folder):
        self.folder = folder
        self.root, self.runroot = folder / "root", folder / "run"
        self.argv = [PROGRAM, "--root", str(self.root), "--runroot", str(self.runroot)]
        self.started = []

    def __call__(self, *args, input=None, env=None, timeout=60, binary=False, cwd=None, check=False):
        """Result(rc, out, err) of one command; bytes when BINARY. CHECK fails the test unless rc is 0."""
        data = input.encode() if isinstance(input, str) else input
        done = subprocess.run(self.argv + [str(a) for a in args], input=data, cwd=cwd, timeout=timeout,
                              stdin=subprocess.DEVNULL if data is None else None,
                              env=dict(os.environ, **(env or {})), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = done.stdout, done.stderr
        if not binary:
            out, err = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        if check:
            assert done.returncode == 0, "tare %s: %s: %s" % (" ".join(map(str, args)), done.returncode, err)
        return Result(done.returncode, out, err)

    def ok(self, *args, **more):
        """The standard output of a command that must succeed, without its last newline."""
        out = self(*args, check=True, **more).out
        return out[:-1] if out.endswith("\n") else out

    def popen(self, *args, **more):
        """A command that runs on; killed at the end of the test if it still does."""
        options = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        options.update(more)
        child = subprocess.Popen(self.argv + [str(a) for a in args], **options)
        self.started.append(child)
        return child

    def inspect(self, name):
        return json.loads(self.ok("inspect", name))[0]

    def state(self, name):
        """State.Status of a container, or None when there is none of that name."""
        got = self("inspect", "-f", "{{.State.Status}}", name)
        return got.out.strip() if got.rc == 0 else None

    def wait_state(self, name, state, timeout=DEADLINE):
        wait_until(lambda: self.state(name) == state, "%s to be %s" % (name, state), timeout)

    def wait_log(self, name, text, timeout=DEADLINE):
        """Waits until the container's log contains TEXT; returns the log."""
        def log():
            got = self("logs", name)
            return got.out if text in got.out + got.err else None
        return wait_until(log, "%r in the log of %s" % (text, name), timeout)

    def stop_all(self):
        for child in self.started:
            if child.poll() is None:
                child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream:
                    stream.close()
        if not self.root.exists():
            return
        ids = self("ps", "-aq", "--no-trunc").out.split()
        if ids:
            paused = self("ps", "-q", "--filter", "status=paused").out.split()
            if paused:
                self("unpause", *paused)
            self("rm", "-f", "-v", *ids)


# ---------------------------------------------------------------- leaks

def container_ids(tare):
    """Every id that the test's state has known: directories now, and what the caller saw before."""
    found = set()
    for base in (tare.root / "containers", tare.runroot / "containers"):
        if base.is_dir():
            found |= {p.name for p in base.iterdir() if re.fullmatch(r"[0-9a-f]{64}", p.name)}
    return found


def read_proc(pid, name):
    try:
        return pathlib.Path("/proc", pid, name).read_text(errors="replace")
    except OSError:
        return ""


def is_of(pid, marks):
    """How the process PID belongs to the test: by its command line, its groups or its root's mounts."""
    own = read_proc(pid, "cmdline").replace("\0", " ") + read_proc(pid, "cgroup")
    if any(mark in own for mark in marks):
        return "process"
    try:
        private = os.readlink("/proc/%s/ns/mnt" % pid) != os.readlink("/proc/self/ns/mnt")
    except OSError:
        return None
    # A mount leaked to the host shows in every process of the host: only private tables count here.
    return "user of the state's mounts" if private and marks[0] in read_proc(pid, "mountinfo") else None


def leaked_processes(tare, ids):
    marks, found = [str(tare.folder)] + sorted(ids), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        how = int(pid) != os.getpid() and is_of(pid, marks)
        if how and "State:\tZ" not in read_proc(pid, "status"):
            args = read_proc(pid, "cmdline").replace("\0", " ").strip()
            found.append("%s %s: %s" % (how, pid, args[:120] or read_proc(pid, "comm").strip()))
    return found


def leaked_mounts(tare):
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return ["mount: " + line for line in mounts if str(tare.folder) in line]


def leaked_cgroups(ids):
    if not ids:
        return []
    found = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += ["cgroup: " + os.path.join(folder, n) for n in names if any(i in n for i in ids)]
    return found


def leaked_namespaces(ids):
    try:
        names = os.listdir("/run/netns")
    except OSError:
        return []
    return ["network namespace: " + n for n in names if any(i.startswith(n[-12:]) for i in ids)]


def leaked_files(tare):
    found = []
    for base in (tare.root / "containers", tare.runroot / "containers", tare.root / "staging"):
        if base.is_dir():
            found += ["file: %s" % p for p in base.iterdir()]
    return found


def leaked_leases(tare):
    return ["lease: %s" % p for kind in ("addresses", "endpoints")
            for p in (tare.runroot / "networks").glob("*/%s/*" % kind)]


def leaks(tare, ids):
    return (leaked_processes(tare, ids) + leaked_mounts(tare) + leaked_cgroups(ids) + leaked_namespaces(ids) +
            leaked_files(tare) + leaked_leases(tare))


def own_links():
    """Of bridges that tests name themselves, `network prune` says enough when it fails."""
    return [name for name in netns.links() if re.match("tare|veth", name)]


def networks_are_checked(node):
    return "test_network" in node.nodeid or zlib.crc32(node.nodeid.encode()) % 8 == 0


def check_networks(tare):
    """After `network prune` there is neither a bridge nor a rule of the state: nobody uses them."""
    if not (tare.runroot / "networks").is_dir():
        return []
    got = tare("network", "prune", "-f")
    if got.rc:
        return ["network prune: " + got.err.strip()]
    return (["network: " + n for n in tare.ok("network", "ls", "--filter", "type=custom", "-q").split()] +
            ["link: " + n for n in own_links() if not n.startswith("veth")] +
            ["rules: table " + t for t in netns.tables() if t.split()[1].startswith("tare")])


# Namespaces of tests that have ended: (id of the test, descriptor, time).
ended = collections.deque()


def leaked_links(node):
    """Of NODE's test, which has ended: it may have had state that was removed with its namespace."""
    return ["link of %s: %s" % (node, n) for n in netns.links() if n.startswith("veth")]


def look_back(age, wait=0):
    """What tests that ended AGE or more seconds ago still have in their namespaces after WAIT seconds."""
    found = []
    while ended and time.monotonic() - ended[0][2] >= age:
        node, fd, _ = ended.popleft()
        end = time.monotonic() + wait
        left = netns.inside(fd, lambda: leaked_links(node))
        while left and time.monotonic() < end:
            select.select([], [], [], 0.02)
            left = netns.inside(fd, lambda: leaked_links(node))
        os.close(fd)
        found += left
    return found


def kill_leaked(found):
    """So that one leak does not burden the tests after it; only what is this test's without doubt."""
    for line in found:
        m = re.match(r"process (\d+):", line)
        if m:
            try:
                os.kill(int(m.group(1)), signal.SIGKILL)
            except ProcessLookupError:
                pass


# ---------------------------------------------------------------- fixtures

def check_store(tare):
    """What a quick `system check` of the test's state finds: nothing, whatever the test did."""
    if not tare.root.exists():
        return []
    got = tare("system", "check")
    return [] if got.rc == 0 else ["system check: " + line for line in (got.out + got.err).splitlines()]


@pytest.fixture(autouse=True)
def network(request):
    """The test's own network namespace, entered before whatever else the test asks for."""
    netns.unshare()
    yield
    ended.append((request.node.nodeid, netns.here(), time.monotonic()))
    left = look_back(3, 2)
    if left:
        pytest.fail("left behind:\n  " + "\n  ".join(left[:20]), pytrace=False)


def place_of(node):
    """Where the test's states are: on a disk. Gigabytes take a minute to be written and removed there, on one
    that discards blocks more; they are put into memory where that has room for them three times."""
    if not node.get_closest_marker("big") or not os.path.ismount("/dev/shm"):
        return "/var/tmp"
    room = os.statvfs("/dev/shm")
    free = int(re.search(r"MemAvailable: +(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) << 10
    return "/dev/shm" if min(room.f_bavail * room.f_frsize, free) > 3 * BIG else "/var/tmp"


@pytest.fixture
def tare_factory(request, network):
    """Makes any number of separate states in one test; each is checked for leaks, and its store for
    whatever is wrong in it, at its end. A test marked `damages` leaves a store that is not whole."""
    made = []

    def make():
        made.append(Tare(pathlib.Path(tempfile.mkdtemp(prefix="tare-e2e-", dir=place_of(request.node)))))
        return made[-1]

    yield make
    problems = []
    for tare in made:
        ids = container_ids(tare)
        tare.stop_all()
        # A monitor ends a moment after the container it recorded; what stays longer is a leak.
        end = time.monotonic() + 5
        found = leaks(tare, ids)
        while found and time.monotonic() < end:
            select.select([], [], [], 0.02)
            found = leaks(tare, ids)
        kill_leaked(found)
        problems += found
        if networks_are_checked(request.node):
            problems += check_networks(tare)
        if not request.node.get_closest_marker("damages"):
            problems += check_store(tare)
        if not any(line.startswith("mount") for line in found):
            shutil.rmtree(tare.folder, ignore_errors=True)
    if problems:
        pytest.fail("left behind, or wrong:\n  " + "\n  ".join(problems[:20]), pytrace=False)


@pytest.fixture
def canary(tmp_path):
    """A tree on the host that must neither change nor be read."""
    made = Canary(tmp_path / "canary")
    yield made
    made.check()


@pytest.fixture
def tare(tare_factory):
    return tare_factory()


@pytest.fixture
def running(tare):
    """The name of a container that is up and does nothing until it is told."""
    tare.ok("run", "-d", "--name", "up", "--network", "none", "busybox", "sleep", "1000")
    return "up"


@pytest.fixture(scope="session")
def cgroup_version():
    """"v1" when the controllers are on v1 hierarchies (hybrid included), else "v2"."""
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
    return "v2" if controllers.exists() and controllers.read_text().strip() else "v1"
