# SPDX-License-Identifier: Apache-2.0
"""What the endurance tests share: a state of the program's own, a look at everything that a container can
leave behind, and the report.

A State is a pair of directories; everything that belongs to it is recognised by them and by the ids of the
containers that ever had a directory in it (`State.note` remembers them: call it before whatever may remove
them). Nothing here sleeps for a time that "should be enough": `wait_until` polls for a fact.
"""
import datetime
import glob
import json
import os
import pathlib
import platform
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "tests" / "e2e"))
import netns  # noqa: E402

# Bridges, rules and ports of the whole script are made here, and end with it.
netns.unshare()
PROGRAM = os.environ.get("TARE") or str(pathlib.Path(os.environ.get("TARE_BUILD", REPO / "build")).resolve() / "tare")
COMMAND_TIMEOUT = 40


class Failure(Exception):
    pass


def wait_until(condition, what, timeout=15):
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("waited %d s in vain for %s" % (timeout, what))
        select.select([], [], [], 0.003)


def read(path):
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


class State:
    def __init__(self, folder=None, root=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="tare-soak-", dir="/var/tmp"))
        self.folder.mkdir(exist_ok=True)
        self.root, self.runroot = pathlib.Path(root or self.folder / "root"), self.folder / "run"
        self.argv = [PROGRAM, "--root", str(self.root), "--runroot", str(self.runroot)]
        self.seen = set()
        self.host_mounts = self.count_mounts()

    def __call__(self, *args, timeout=COMMAND_TIMEOUT, **more):
        try:
            return subprocess.run(self.argv + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=timeout, **more)
        except subprocess.TimeoutExpired:
            raise Failure("tare %s hangs" % " ".join(args))

    def ok(self, *args, **more):
        done = self(*args, **more)
        if done.returncode:
            raise Failure("tare %s: %d: %s" % (" ".join(args), done.returncode, done.stderr.strip()))
        return done.stdout.strip()

    def start(self, *args, **more):
        return subprocess.Popen(self.argv + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, **more)

    def list(self):
        """Every listed container: name to (id, state)."""
        rows = [json.loads(line) for line in self.ok("ps", "-a", "--no-trunc", "--format", "json").splitlines()]
        return {r["Names"]: (r["ID"], r["State"]) for r in rows}

    def note(self):
        for base in (self.root / "containers", self.runroot / "containers"):
            if base.is_dir():
                self.seen |= {p.name for p in base.iterdir() if re.fullmatch("[0-9a-f]{64}", p.name)}
        return self.seen

    def cgroups(self):
        return [p for p in glob.glob("/sys/fs/cgroup/tare/*") + glob.glob("/sys/fs/cgroup/*/tare/*")
                if os.path.basename(p) in self.seen]

    def leases(self):
        """Addresses and endpoints of containers, in every network."""
        return [p for kind in ("addresses", "endpoints") for p in (self.runroot / "networks").glob("*/%s/*" % kind)]

    @staticmethod
    def holder(lease):
        """The id of its container."""
        try:
            return os.readlink(lease) if lease.is_symlink() else lease.name
        except FileNotFoundError:
            return lease.name

    def leases(self):
        """Addresses and endpoints of containers, in every network."""
        return [p for kind in ("addresses", "endpoints") for p in (self.runroot / "networks").glob("*/%s/*" % kind)]

    @staticmethod
    def holder(lease):
        """The id of its container."""
        try:
            return os.readlink(lease) if lease.is_symlink() else lease.name
        except FileNotFoundError:
            return lease.name

    def processes(self):
        """Ids of the processes of this state's containers, and of its monitors."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            mine = read("/proc/%s/cgroup" % pid)
            mine = any(i in mine for i in self.seen) if "/tare/" in mine else False
            if not mine and str(self.folder) in read("/proc/%s/cmdline" % pid).replace("\0", " "):
                mine = int(pid) != os.getpid()
            if mine and "\nState:\tZ" not in read("/proc/%s/status" % pid):
                found.append(int(pid))
        return found

    def count_mounts(self):
        return sum(str(self.folder) in line for line in read("/proc/self/mountinfo").splitlines())

    def leftovers(self, listed=(), running=(), ended=()):
        """What is there that no listed (id) or running (id) container accounts for. The run directory of a container
        that ENDED (id) may stay until its next start or its removal: its monitor was killed while removing it."""
        found = []
        for base, allowed in ((self.root / "containers", listed), (self.runroot / "containers", (*running, *ended)),
                              (self.runroot / "pending", ()), (self.root / "staging", ())):
            if base.is_dir():
                # A monitor puts its directory aside before it removes it.
                found += ["%s" % p for p in base.iterdir() if p.name.removesuffix(".ended") not in allowed]
        found += ["lease %s" % p for p in self.leases() if self.holder(p) not in (*running, *ended)]
        found += ["lease %s" % p for p in self.leases() if self.holder(p) not in (*running, *ended)]
        found += ["cgroup %s" % p for p in self.cgroups() if os.path.basename(p) not in running]
        if not running:
            found += ["process %d: %s" % (p, read("/proc/%d/cmdline" % p).replace("\0", " ")) for p in self.processes()]
        if self.count_mounts() > self.host_mounts:
            found.append("a mount in the host's table")
        return found

    def settled(self, listed=(), running=(), ended=()):
        """Waits until nothing is left over: a monitor ends a moment after what it recorded."""
        try:
            wait_until(lambda: not self.leftovers(listed, running, ended), "", 8)
        except Failure:
            raise Failure("left behind: " + "; ".join(self.leftovers(listed, running, ended)[:6])) from None

    def monitor_pid(self, name):
        got = self.list().get(name)
        if not got:
            return 0
        state = read(self.runroot / "containers" / got[0] / "state.json")
        return json.loads(state)["monitor"]["pid"] if state else 0

    def close(self):
        """Whatever the state of the store."""
        self.note()
        self("rm", "-f", *self("ps", "-aq").stdout.split())
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)


def make_tar(state, path):
    """A small root filesystem: the bundled busybox image's own."""
    state.ok("run", "--rm", "busybox", "true")
    layer = next(p for p in (state.root / "layers").iterdir() if re.fullmatch("[0-9a-f]{64}", p.name))
    subprocess.run(["tar", "-C", layer / "diff", "-cf", path, "."], check=True)
    return path


def parse_log(text):
    """A log of strace as the calls of each task in order: {task: [(call, arguments and result)]}."""
    tasks = {}
    for task, call, rest in re.findall(r"^(?:(\d+) +)?(\w+)\((.*)$", text, re.M):
        tasks.setdefault(task, []).append((call, rest))
    return tasks


def machine():
    cpu = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    return "%d x %s, Linux %s" % (os.cpu_count(), cpu.group(1) if cpu else platform.machine(), platform.release())


def report(title, lines):
    """Prints the result, and adds it to the file that SOAK_REPORT names."""
    text = "\n".join(["- **%s**" % title] + ["  - " + line for line in lines])
    print(text, flush=True)
    if os.environ.get("SOAK_REPORT"):
        with open(os.environ["SOAK_REPORT"], "a") as f:
            f.write(text + "\n")


def main():
    """Prints the heading of a report."""
    version = subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    print("\n## %s\n\n%s; %s\n" % (datetime.date.today().isoformat(), machine(), version))


if __name__ == "__main__":
    main()
