# SPDX-License-Identifier: Apache-2.0
"""What the endurance tests of builds share: a context with some of everything, what must come of it, and a look
at what a builder can leave behind.

    Project(folder)     the context and the secret; `argv(*options)` of a build of it
    BuildState          a State that knows what the steps of builds leave
"""
import os
import pathlib
import subprocess
import tarfile
import time

from harness import Failure, State, read, wait_until

SECRET = "a-secret-that-is-nowhere-else"
DOCKERFILE = """
FROM busybox AS fat
WORKDIR /src
COPY src/ .
RUN --mount=type=cache,target=/cache,id=cc --mount=type=secret,id=tok \\
    wc -c </run/secrets/tok >len && echo hi >>/cache/file && cat a b >out
FROM busybox
COPY --from=fat /src/out /src/len /
ADD x.tar /x/
RUN --network=none echo done >/done && ln /done /done2 && rm /etc/passwd && mkdir /new && touch -d '2001-02-03 04:05:06' /new/old
CMD ["cat", "/out"]
"""


class Project:
    """A context of a few files. The same everywhere, so the image that comes of it has one ID."""

    def __init__(self, folder, dockerfile=DOCKERFILE):
        self.folder, self.secret = folder, folder.parent / "token"
        (folder / "src").mkdir(parents=True)
        (folder / "Dockerfile").write_text(dockerfile)
        (folder / "src" / "a").write_bytes(bytes(range(256)) * 40)
        (folder / "src" / "b").write_text("b\n")
        with tarfile.open(folder / "x.tar", "w") as tar:
            tar.add(folder / "src", "in")
        self.secret.write_text(SECRET)

    def argv(self, *options):
        return ["build", "-q", "--secret", "id=tok,src=%s" % self.secret, *options, str(self.folder)]


def cgroups():
    return {str(p) for top in ("tare", "*/tare") for p in pathlib.Path("/sys/fs/cgroup").glob(top + "/*") if p.is_dir()}


def links():
    """Network interfaces of this script's own namespace."""
    return {line.split(":")[0].strip() for line in read("/proc/net/dev").splitlines()[2:]}


class BuildState(State):
    """Names of steps are random, so what belongs to this state is what its directories of pending operations name."""

    def __init__(self, folder=None, root=None):
        super().__init__(folder, root)
        self.steps = set()

    def note_steps(self):
        """Before the command that cleans up."""
        pending = self.runroot / "pending"
        if pending.is_dir():
            self.steps |= set(os.listdir(pending))

    def builders(self):
        """Processes that have files of this state: by their arguments, or by their mounts."""
        found, mine = [], str(self.folder)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) != os.getpid() and (mine in read("/proc/%s/cmdline" % pid) or mine in read("/proc/%s/mountinfo" % pid)):
                if "\nState:\tZ" not in read("/proc/%s/status" % pid):
                    found.append(int(pid))
        return found

    def names(self):
        return {"%s/%s" % (d, p.name) for d in ("layers", "blobs/sha256", "snapshots", "staging", "caches", "containers")
                for p in (self.root / d).glob("*")} | {"%s/%s" % (d, p.name) for d in ("claims", "pending", "containers")
                                                      for p in (self.runroot / d).glob("*")}

    def unsettled(self):
        """What a builder has while it works, and nobody has when none works."""
        found = [n for n in self.names() if n.split("/")[0] in ("staging", "claims", "pending")]
        found += ["lease %s" % p for p in self.leases()]
        found += ["cgroup %s" % p for p in cgroups() if os.path.basename(p) in self.steps]
        found += ["link %s" % n for n in links() if n.startswith(("veth", "t-"))]
        return found + ["process %d: %s" % (p, read("/proc/%d/cmdline" % p).replace("\0", " ")) for p in self.builders()]

    def next_command(self, but="none"):
        """Finds and takes away what was cut short; children of who was killed may still be ending. BUT: what may stay
        until the next builder makes it anew."""
        self.note_steps()
        end = time.monotonic() + 8
        while True:
            self.ok("ps")
            left = [n for n in self.unsettled() if not n.startswith(but)]
            if not left:
                break
            if time.monotonic() > end:
                raise Failure("left behind: " + "; ".join(sorted(left)[:6]))
            time.sleep(0.005)
        if self.count_mounts() > self.host_mounts:
            raise Failure("a mount in the host's table")

    def check(self, *options):
        done = self("system", "check", *options)
        # The list of names is written last, and by the next who changes some.
        wrong = [line for line in done.stdout.splitlines()[:-1] if not line.startswith("name index.json: is not what")]
        if wrong:
            raise Failure("check: " + "; ".join(wrong[:5]))

    def image_id(self, name):
        return self.ok("images", "-q", "--no-trunc", name)

    def forget(self, *images):
        """All images of builds and the whole cache."""
        listed = self.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        for name in images:
            if name in listed:
                self.ok("rmi", "-f", name)
        self.ok("image", "prune", "-f")
        self.ok("builder", "prune", "-af")

    def search(self, text):
        """Whether TEXT stands in any file of the store."""
        return subprocess.run(["grep", "-rlaF", "--exclude=token", text, str(self.root), str(self.runroot)], stdout=subprocess.PIPE,
                              text=True, check=False).stdout.split()


def trees(folder):
    """{name: (kind and mode, content)} of a directory, without the names of directories that are only mounted on."""
    found = {}
    for p in sorted(pathlib.Path(folder).rglob("*")):
        st = p.lstat()
        content = os.readlink(p) if p.is_symlink() else p.read_bytes() if p.is_file() else b""
        found[str(p.relative_to(folder))] = (st.st_mode, st.st_uid, int(st.st_mtime) if p.is_file() else 0, content)
    return found


def wait_end(child, what, timeout=30):
    return wait_until(lambda: child.poll() is not None, what, timeout)
