# SPDX-License-Identifier: Apache-2.0
"""What other container engines got wrong, each under the name of its CVE. Images are hostile, a canary
tree on the host must not change, and nothing may take long: races are bounded here and run at length
in tests/soak/races.py."""
import ctypes
import hashlib
import os
import pathlib
import random
import re
import struct
import subprocess
import threading
import time

import pytest

from conftest import PROGRAM, read_proc, wait_until
from hostile import Rootfs, busybox
from terminal import Terminal

CORE_PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")
SWAPS = int(os.environ.get("TARE_TEST_SWAPS", "300"))
SEED = int(os.environ.get("TARE_TEST_SEED", "20260101"))


@pytest.fixture
def host_kernel():
    """What a container must never be able to set."""
    files = [CORE_PATTERN] + [p for p in map(pathlib.Path, ("/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper"))
                              if p.exists()]
    before = [p.read_text() for p in files]
    yield
    assert [p.read_text() for p in files] == before


@pytest.fixture
def engine_file():
    """The program's file, which must stay what it is."""
    def digest():
        return hashlib.sha256(pathlib.Path(PROGRAM).read_bytes()).hexdigest()
    before = digest()
    yield PROGRAM
    assert digest() == before


def quick(tare, *args, seconds=10, **more):
    """A command that must end soon, whatever an image holds."""
    began = time.monotonic()
    got = tare(*args, timeout=seconds, **more)
    assert time.monotonic() - began < seconds
    return got


def refused(got, *words):
    assert got.rc in (125, 126, 127), got
    assert any(word in got.err for word in words), got


def leaky(argv, n=30):
    """Runs ARGV with N directories of the host open in it, as a careless parent would."""
    fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in ("/", "/etc", "/sys/fs/cgroup") * (n // 3)]
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        return subprocess.run(argv, close_fds=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    finally:
        for fd in fds:
            os.close(fd)


# ---------------------------------------------------------------- A. paths, mounts, procfs

def test_cve_2015_3627_descriptors_of_pid_1(tare):
    got = leaky(tare.argv + ["run", "--rm", "busybox", "sh", "-c", "ls /proc/1/fd; true"])
    assert got.stdout.split() == ["0", "1", "2"], got


@pytest.mark.parametrize("link", ["/{canary}/dir", "../../../../../../{canary}/dir", "/proc/1/root/{canary}/dir"])
def test_cve_2015_3629_symlinked_mount_target(tare, canary, tmp_path, link):
    (tmp_path / "source").mkdir()
    image = Rootfs(tare).link("mnt", link.format(canary=str(canary.path).lstrip("/"))).load()
    quick(tare, "run", "--rm", "-v", "%s:/mnt/sub" % (tmp_path / "source"), image, "touch", "/mnt/sub/x")
    quick(tare, "run", "--rm", "--tmpfs", "/mnt/tmp", image, "touch", "/mnt/tmp/x")
    assert str(canary.path) not in read_proc("self", "mountinfo")


@pytest.mark.parametrize("path", ["/proc/asound", "/proc/timer_stats", "/proc/latency_stats", "/proc/fs", "/proc/kcore",
                                  "/proc/keys", "/proc/interrupts"])
def test_cve_2015_3630_masked_and_read_only(tare, path):
    script = "[ ! -e {0} ] || if [ -d {0} ]; then ! touch {0}/x 2>/dev/null; else ! cat {0} | grep -q .; fi".format(path)
    assert tare("run", "--rm", "busybox", "sh", "-c", script).rc == 0


@pytest.mark.parametrize("target", ["/proc", "/proc/", "/proc/sys", "/proc/1", "/./proc/../proc/self", "/proc/self/attr"])
@pytest.mark.parametrize("option", [("-v", "/etc:%s"), ("--tmpfs", "%s"), ("--mount", "type=bind,src=/etc,dst=%s")])
def test_cve_2015_3631_volume_over_proc(tare, target, option):
    got = quick(tare, "run", "--rm", option[0], option[1] % target, "busybox", "true")
    refused(got, "inside /proc", "no such file", "not a directory", "mount")


@pytest.mark.parametrize("option", [("-v", "/etc:/way/sys"), ("--tmpfs", "/way/sys"), ("-v", "/etc:/way")])
def test_cve_2019_16884_volume_over_proc_by_a_link(tare, option):
    image = Rootfs(tare).link("way", "/proc").load('VOLUME ["/proc"]')
    refused(quick(tare, "run", "--rm", *option, image, "true"), "inside /proc")
    refused(quick(tare, "run", "--rm", image, "true"), "inside /proc")


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
@pytest.mark.parametrize("target", ["/tmp/there", "../../../../tmp", "/bin", "sub/dir"])
def test_cve_2019_19921_symlink_where_the_kernel_belongs(tare, canary, host_kernel, name, target):
    image = Rootfs(tare).dir("tmp/there").link(name, target).load()
    refused(quick(tare, "run", "--rm", image, "true"), "must be mounted on an ordinary directory")


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
def test_cve_2023_27561_file_where_the_kernel_belongs(tare, name):
    assert quick(tare, "run", "--rm", Rootfs(tare).file(name, "x").load(), "true").rc == 125


def racer(folder, names, swaps, stop):
    """Exchanges a directory with a symlink to the outside, again and again."""
    libc = ctypes.CDLL(None, use_errno=True)
    a, b = (os.fsencode(folder / name) for name in names)
    for _ in range(swaps):
        if stop.is_set():
            break
        libc.renameat2(-100, a, -100, b, 2)  # RENAME_EXCHANGE
        # A swap in each place of a start, seen over many: the pause is drawn, not waited for anything.
        stop.wait(random.uniform(0, 0.002))


@pytest.mark.parametrize("what", ["cve_2021_30465_directory", "cve_2024_45310_missing", "cve_2026_41568_file"])
def test_races_for_a_mount_target(tare, canary, tmp_path, what):
    """Another container turns the target in a shared volume into a link to the host's root and back."""
    random.seed(SEED)
    shared, source = tmp_path / "shared", tmp_path / "source"
    for folder in (shared, shared / "a", shared / "a/inner", source):
        folder.mkdir()
    os.symlink(str(canary.path), shared / "b")
    inner = {"cve_2021_30465_directory": "inner", "cve_2024_45310_missing": "new/deep",
             "cve_2026_41568_file": "file"}[what]
    if "file" in what:
        source = source / "file"
        source.write_text("source\n")
    stop = threading.Event()
    thread = threading.Thread(target=racer, args=(shared, ("a", "b"), SWAPS, stop))
    thread.start()
    starts = 0
    try:
        while thread.is_alive():
            tare("run", "--rm", "-v", "%s:/shared" % shared, "-v", "%s:/shared/a/%s" % (source, inner), "busybox", "true")
            starts += 1
    finally:
        stop.set()
        thread.join()
    assert starts > 0 and str(canary.path) not in read_proc("self", "mountinfo")


def test_cve_2022_0492_release_agent(tare):
    script = ("unshare -Urm true && echo unshared; mkdir /tmp/c; mount -t cgroup -o memory c /tmp/c && echo mounted; "
              "find /sys/fs/cgroup -name release_agent -o -name cgroup.procs | while read f; do "
              "(echo x >$f) 2>/dev/null && echo wrote $f; done; touch /sys/fs/cgroup/x 2>/dev/null && echo made; echo end")
    assert tare("run", "--rm", "busybox", "sh", "-c", script).out == "end\n"


def test_cve_2022_0811_sysctl(tare, host_kernel):
    """No value, key or separator reaches a parameter of the host."""
    random.seed(SEED)
    words = ["kernel.core_pattern=|/x", "kernel.shm_rmid_forced=1+kernel.core_pattern=|/x", "net/../kernel/core_pattern=x",
             "net.ipv4..kernel.core_pattern=x", "/kernel/core_pattern=x", "kernel/core_pattern=x", "net.=x", "=x", "net",
             "net.ipv4.ip_forward=1\nkernel.core_pattern=x", "kernel.modprobe=/x", "fs.suid_dumpable=2", "kernel.sysrq=1"]
    alphabet = ["kernel", "net", "core_pattern", "/", ".", "..", "+", "=", " ", "\n", "%", "ipv4", "-", "sys", "proc", "*"]
    words += ["".join(random.choice(alphabet) for _ in range(random.randint(2, 8))) for _ in range(60)]
    for word in words:
        got = tare("create", "--sysctl=" + word, "busybox", "true")
        if got.rc == 0:
            tare("start", "-a", got.out.strip())
            tare.ok("rm", "-f", got.out.strip())
        assert got.rc != 0 or re.match(r"net[./][^=]*=|kernel\.shm_rmid_forced=", word), word


@pytest.mark.parametrize("network, sysctl", [("host", "net.ipv4.ip_forward=1"), ("host", "net.core.somaxconn=99")])
def test_cve_2022_0532_sysctl_of_a_shared_namespace(tare, network, sysctl):
    refused(tare("run", "--rm", "--network", network, "--sysctl", sysctl, "busybox", "true"), "kernel namespace")
    refused(tare("run", "--rm", "--ipc", "host", "--sysctl", "kernel.shmmax=1", "busybox", "true"), "kernel namespace")


@pytest.mark.parametrize("volume", ["/../../etc", "/link", "/proc", "relative/../../x"])
def test_cve_2022_23648_volume_of_an_image(tare, canary, volume):
    image = Rootfs(tare).link("link", str(canary.path)).load('VOLUME ["%s"]' % volume)
    got = quick(tare, "run", "--rm", image, "ls", "/link/")
    assert "file" not in got.out


LEAKED = ["/proc/self/fd/%d" % n for n in (3, 7, 8, 9, 10, 15, 20, 30)] + \
    ["/proc/self/fd/7/../../..", "/proc/self/cwd/../../..", "/proc/1/cwd", "/proc/1/root", "/proc/self/root/..",
     "/proc/thread-self/fd/8"]


@pytest.mark.parametrize("path", LEAKED)
def test_cve_2024_21626_working_directory(tare, path):
    """A descriptor of a host directory is no way in: not by -w, WORKDIR or exec -w."""
    look = ["sh", "-c", "readlink /proc/self/cwd; ls -d etc/machine-id etc/debian_version 2>/dev/null"]
    image = Rootfs(tare).load("WORKDIR " + path)
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    for argv in (["run", "--rm", "-w", path, "busybox"], ["run", "--rm", image], ["exec", "-w", path, "up"]):
        got = leaky(tare.argv + argv + look)
        if ".." in path and got.returncode != 127:
            # Cleaned as text like docker's, it may name a directory of the container.
            lines = got.stdout.split()
            assert "unreachable" not in got.stdout and all(re.match(r"/proc(/\d+)?$|/$", line) for line in lines), got
        else:
            # A number that is no descriptor of the entering process cannot even be made a directory.
            assert got.returncode != 0 and got.stdout == "" and re.search("chdir|mkdir", got.stderr), got


def test_cve_2024_21626_link_to_a_descriptor(tare):
    rootfs = Rootfs(tare)
    for n in range(3, 41):
        rootfs.link("w%d" % n, "/proc/self/fd/%d" % n)
    image = rootfs.load()
    tare.ok("run", "-d", "--name", "up", image, "sleep", "1000")
    for n in range(3, 41, 4):
        assert leaky(tare.argv + ["run", "--rm", "-w", "/w%d" % n, image, "pwd"]).returncode != 0
        assert leaky(tare.argv + ["exec", "-w", "/w%d" % n, "up", "pwd"]).returncode != 0


def test_cve_2024_21626_only_three_descriptors(tare):
    for argv in (["run", "--rm", "busybox"], ["run", "--rm", "-v", "/etc:/x", "busybox"]):
        got = leaky(tare.argv + argv + ["sh", "-c", "ls /proc/$$/fd; true"])
        assert got.stdout.split() == ["0", "1", "2"], got


@pytest.mark.parametrize("null", ["link", "file", "directory"])
def test_cve_2025_31133_dev_null_of_the_image(tare, host_kernel, null):
    rootfs = Rootfs(tare).dir("dev")
    {"link": lambda: rootfs.link("dev/null", "/proc/sys/kernel/core_pattern"), "file": lambda: rootfs.file("dev/null", "x"),
     "directory": lambda: rootfs.dir("dev/null")}[null]()
    out = tare.ok("run", "--rm", rootfs.load(), "sh", "-c",
                  "stat -c %t:%T /dev/null; cat /proc/keys; (echo x >/proc/keys) && (echo x >/proc/sys/kernel/core_pattern) 2>/dev/null; :")
    assert out == "1:3"


def test_cve_2025_31133_dev_of_a_volume(tare, host_kernel, tmp_path):
    """With the user's own directory at /dev the masks still come from a device that the engine checked."""
    os.symlink("/proc/sys/kernel/core_pattern", tmp_path / "null")
    got = quick(tare, "run", "--rm", "-v", "%s:/dev" % tmp_path, "busybox", "sh", "-c", "cat /proc/keys | grep -q . && echo shown; :")
    assert "shown" not in got.out


def test_cve_2025_52565_console(tare, host_kernel):
    """A terminal is the kernel's, by descriptor, whatever lies in the image's /dev."""
    image = Rootfs(tare).dir("dev").dir("dev/pts").link("dev/pts/0", "/proc/sys/kernel/core_pattern").link(
        "dev/console", "/proc/sys/kernel/core_pattern").link("dev/ptmx", "/proc/sysrq-trigger").load()
    term = Terminal(tare.argv + ["run", "--rm", "-it", image, "sh", "-c", "stat -c %t:%T /dev/console /dev/pts/0"])
    try:
        assert term.wait() == 0
    finally:
        term.close()
    assert term.seen.split() == [b"88:0", b"88:0"]


def test_cve_2025_52881_writes_to_procfs(tare, tmp_path, host_kernel):
    """Every file of procfs that the engine writes is opened below its own procfs, without a symlink on the
    way: seen in a trace of a start and of an exec."""
    trace = tmp_path / "trace"
    tare.ok("run", "-d", "--name", "up", "--sysctl", "net.ipv4.ip_forward=0", "busybox", "sleep", "1000")
    for argv in (["run", "--rm", "--sysctl", "net.ipv4.ip_forward=0", "busybox", "true"], ["exec", "up", "true"]):
        subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", "trace=open,openat,openat2"] + tare.argv + argv,
                       check=True, stdout=subprocess.DEVNULL, timeout=30)
        writes = [line for line in trace.read_text().splitlines()
                  if re.search(r"oom_score_adj|sys/net|attr/|setgroups|_map\"", line) and "O_WRONLY" in line]
        inside = [line for line in writes if "openat2" in line]
        assert inside and all("RESOLVE_NO_SYMLINKS" in line and "RESOLVE_BENEATH" in line and "RESOLVE_NO_XDEV" in line
                              for line in inside)
        # The only other: the monitor's own score, from the host's procfs, before it knows any container.
        assert all("/proc/self/oom_score_adj" in line for line in writes if line not in inside)


@pytest.mark.parametrize("target", ["{canary}", "../../../..{canary}"])
def test_cve_2026_41579_dev_is_a_link(tare, canary, target):
    image = Rootfs(tare).link("dev", target.format(canary=canary.path)).load()
    refused(quick(tare, "run", "--rm", "--device", "/dev/null:/dev/made", image, "true"), "ordinary directory")


@pytest.mark.parametrize("workdir", ["/a/b/c", "/a", "/up/x", "/tmp/../a/new"])
def test_cve_2026_55686_working_directory_behind_a_link(tare, canary, workdir):
    image = Rootfs(tare).link("a", str(canary.path)).link("up", "../../../../.." + str(canary.path)).load("WORKDIR " + workdir)
    quick(tare, "run", "--rm", "-u", "1000", image, "pwd")
    quick(tare, "run", "--rm", "-w", workdir, image, "pwd")


FILES = ["etc/passwd", "etc/group", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"]
KINDS = {"fifo": lambda r, n: r.fifo(n), "directory": lambda r, n: r.dir(n), "device": lambda r, n: r.device(n, 5, 0),
         "zero": lambda r, n: r.device(n, 1, 5), "link": lambda r, n: r.link(n, "/proc/self/fd/0"),
         "outside": lambda r, n: r.link(n, "../../../../etc/" + n.split("/")[1]), "loop": lambda r, n: r.link(n, n.split("/")[1])}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_cve_2024_9676_convenience_files(tare, name, kind):
    """Whatever an image has at the names that engines read and write: an answer, soon, and nothing of the host's."""
    rootfs = Rootfs(tare).dir("etc")
    KINDS[kind](rootfs, name)
    image = rootfs.load()
    for user in ("0", "1000", "daemon"):
        got = quick(tare, "run", "--rm", "-u", user, image, "true", seconds=4)
        assert got.rc == 0 or got.err, got
    if name in FILES[:2]:
        assert tare("run", "--rm", "-u", "daemon", image, "true").rc == 125


def test_cve_2024_9341_outside_is_not_read(tare, tmp_path):
    """A passwd that links to the host's names nobody."""
    (tmp_path / "passwd").write_text("stranger:x:77:77::/:/bin/sh\n")
    image = Rootfs(tare).dir("etc").link("etc/passwd", str(tmp_path / "passwd")).load()
    refused(tare("run", "--rm", "-u", "stranger", image, "id"), "unable to find user stranger")


# ---------------------------------------------------------------- B. the engine and the container's files

@pytest.mark.parametrize("entry", ["/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe", "/proc/self/fd/0", "/link", "/script",
                                   "/nested", "/spaced", "/chain", "./exe"])
@pytest.mark.parametrize("user", ["0", "1000"])
def test_cve_2019_5736_entrypoint(tare, engine_file, entry, user):
    """Nothing that leads back to the engine is executed; neither by run nor by exec."""
    image = (Rootfs(tare).link("link", "/proc/self/exe").file("script", "#!/proc/self/exe\n", mode=0o755)
             .file("nested", "#!/script\n", mode=0o111).file("spaced", "#! \t/link  version\n", mode=0o755)
             .link("one", "two").link("two", "link").file("chain", "#!/one\n", mode=0o755).load())
    workdir = "/proc/self" if entry == "./exe" else "/"
    for flags in ((), ("-v", "/etc:/e:ro")):
        got = quick(tare, "run", "--rm", "-u", user, "-w", workdir, *flags, "--entrypoint", entry, image, "version")
        assert got.rc == 126 and "permission denied" in got.err and got.out == "", got
    tare.ok("run", "-d", "--name", "up", image, "sleep", "1000")
    got = quick(tare, "exec", "-u", user, "-w", workdir, "up", entry, "version")
    assert got.rc == 126 and "permission denied" in got.err, got


def elf_with_loader(path):
    """A 64-bit program that names PATH as its dynamic loader."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    text = path.encode() + b"\0"
    offset = 64 + 2 * 56
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 3, 62, 1, 0x1000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    interp = struct.pack("<IIQQQQQQ", 3, 4, offset, offset, offset, len(text), len(text), 1)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 4096, 4096, 4096)
    return header + interp + load + text.ljust(4096 - offset, b"\0")


def test_cve_2019_5736_dynamic_loader(tare, engine_file):
    rootfs = Rootfs(tare)
    for name, loader in (("a", "/proc/self/exe"), ("b", "/link")):
        rootfs.file(name, elf_with_loader(loader), mode=0o755)
    image = rootfs.link("link", "/proc/self/exe").load()
    for name in ("/a", "/b"):
        got = tare("run", "--rm", image, name)
        assert got.rc == 126 and "permission denied" in got.err, got


def test_cve_2019_5736_ordinary_programs_still_run(tare):
    """Scripts of scripts, programs that their user cannot read, links."""
    image = (Rootfs(tare).file("s", "#! /bin/sh\necho fine\n", mode=0o755).link("l", "s").file("ss", "#!/s\n", mode=0o755)
             .file("bin/hidden", busybox(tare), mode=0o111).load())
    for argv in (["/s"], ["l"], ["/ss"]):
        assert tare.ok("run", "--rm", "-e", "PATH=/:/bin", image, *argv) == "fine"
    got = tare("run", "--rm", "-u", "1000", image, "/bin/hidden")
    assert "applet not found" in got.err and got.rc == 127, got


def test_cve_2019_5736_file_of_a_process_that_enters(tare, engine_file, tmp_path):
    """While commands enter, a process of the container opens whatever /proc/PID/exe it sees for writing. With
    CAP_SYS_PTRACE it may look at every process, and what it sees is not to be written."""
    script = ("trap 'exit 0' TERM; : >/out/ready; while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) continue;; esac; "
              "if (exec 9>>$p/exe) 2>/dev/null; then case $(readlink $p/exe) in /bin/*) ;; *) echo $(readlink $p/exe) >>/out/wrote;; esac; fi; "
              "done; done")
    tare.ok("run", "-d", "--name", "up", "--cap-add", "SYS_PTRACE", "-v", "%s:/out" % tmp_path, "busybox", "sh", "-c", script)
    wait_until((tmp_path / "ready").exists)
    for _ in range(SWAPS // 6):
        assert tare("exec", "up", "true").rc == 0
    assert not (tmp_path / "wrote").exists(), (tmp_path / "wrote").read_text()


def test_cve_2016_9962_descriptors_of_exec(tare, tmp_path):
    """While commands enter, a process of the container looks for descriptors of theirs beyond the three."""
    script = (": >/out/ready; while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue; for f in $p/fd/*; do "
              "t=$(readlink $f 2>/dev/null) || continue; case $t in pipe:*|/dev/null|/dev/pts/*|socket:*) ;; "
              "/proc/*|/|'') ;; *) echo $f $t >>/out/saw;; esac; done; done; done")
    tare.ok("run", "-d", "--name", "up", "-v", "%s:/out" % tmp_path, "busybox", "sh", "-c", script)
    wait_until((tmp_path / "ready").exists)
    for _ in range(SWAPS // 6):
        got = leaky(tare.argv + ["exec", "up", "true"])
        assert got.returncode == 0, got
    saw = (tmp_path / "saw").read_text() if (tmp_path / "saw").exists() else ""
    assert not [line for line in saw.splitlines() if "/out/" not in line], saw


def test_cve_2019_14271_nothing_of_the_container_is_loaded(tare, tmp_path):
    """Hostile libraries in every place where a libc or a loader of the engine would look."""
    rootfs = Rootfs(tare).dir("etc").dir("lib").dir("lib/x86_64-linux-gnu").dir("usr").dir("usr/lib").dir("usr/lib/gconv")
    for name in ("etc/ld.so.preload", "etc/ld.so.cache", "etc/nsswitch.conf", "etc/localtime", "usr/lib/gconv/gconv-modules"):
        rootfs.file(name, "/lib/evil.so\n")
    for name in ("lib/evil.so", "lib/x86_64-linux-gnu/libnss_files.so.2", "lib/x86_64-linux-gnu/libc.so.6", "usr/lib/gconv/UTF-16.so"):
        rootfs.file(name, b"\x7fELF" + b"\0" * 60, mode=0o755)
    image = rootfs.file("etc/passwd", "u:x:7:7::/:/bin/sh\n").load()
    trace = tmp_path / "trace"
    tare.ok("run", "-d", "--name", "up", image, "sleep", "1000")
    for argv in (["run", "--rm", "-u", "u", image, "true"], ["exec", "-u", "u", "up", "true"]):
        subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", "trace=open,openat,openat2,execve"] + tare.argv + argv,
                       check=True, timeout=30)
        text = trace.read_text()
        assert "etc/passwd" in text
        for name in ("evil.so", "libnss", "ld.so.preload", "ld.so.cache", "nsswitch", "gconv", "libc.so.6"):
            assert name not in text, name


def test_cve_2026_41567_no_program_of_the_container(tare, tmp_path):
    """Only the command itself is executed after the root has changed."""
    trace = tmp_path / "trace"
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    for argv in (["run", "--rm", "busybox", "true"], ["exec", "up", "true"]):
        subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", "trace=execve,execveat"] + tare.argv + argv, check=True, timeout=30)
        ran = re.findall(r'exec(?:ve|veat)\((?:\d+, )?"([^"]*)"', trace.read_text())
        assert set(ran) <= {PROGRAM, "", "/bin/true", "/usr/bin/true"}, ran


def test_cve_2020_15257_no_abstract_socket(tare):
    out = tare.ok("run", "--rm", "--network", "host", "busybox", "cat", "/proc/net/unix")
    assert not [line for line in out.splitlines() if "@" in line and "tare" in line]


# ---------------------------------------------------------------- C. identity

IDENTITIES = {"-1": None, "2147483647": "2147483647", "2147483648": None, "4294967295": None, "4294967296": None,
              "99999999999999999999": None, "0x0": None, "1e3": None, "00": "0", "1:": "1", "root:x": None, ":": "0",
              "+1": None, " 1": None, "1 ": None, "1:-1": None, "1:4294967296": None, "1:2147483648": None, "٣": None, "1,2": None}


@pytest.mark.parametrize("user", IDENTITIES)
def test_cve_2024_40635_identity(tare, user):
    """A number is a number or an error; it never wraps and is never looked for as a name."""
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    for argv in (["run", "--rm", "-u", user, "busybox"], ["exec", "-u", user, "up"]):
        got = tare(*argv, "id", "-u")
        if IDENTITIES[user] is None:
            assert got.rc != 0 and got.out == "", got
        else:
            assert got.out.strip() == IDENTITIES[user], got


def test_cve_2016_3697_numeric_name(tare):
    """An account named "1000" with uid 0 is not what -u 1000 means."""
    image = Rootfs(tare).dir("etc").file("etc/passwd", "root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n007:x:0:0::/:/bin/sh\n").file(
        "etc/group", "root:x:0:\n1000:x:0:\n").load("USER 1000")
    assert tare.ok("run", "--rm", image, "id", "-u") == "1000"
    assert tare.ok("run", "--rm", "-u", "1000:1000", image, "sh", "-c", "id -u; id -g").split() == ["1000", "1000"]
    assert tare.ok("run", "--rm", "-u", "007", image, "id", "-u") == "7"


def test_cve_2026_30892_exec_as_a_number(tare, running):
    assert tare.ok("exec", "-u", "1", running, "sh", "-c", "id -u; id -g").split()[0] == "1"
    assert tare.ok("exec", "-u", "7777", running, "sh", "-c", "id -u; id -g").split() == ["7777", "0"]
    assert tare.ok("exec", "-u", "7777:8888", running, "sh", "-c", "id -u; id -g").split() == ["7777", "8888"]


def test_cve_2022_24769_inheritable_capabilities(tare, running):
    for argv in (["run", "--rm", "busybox"], ["run", "--rm", "--cap-add", "ALL", "busybox"], ["run", "--rm", "-u", "1000", "busybox"],
                 ["run", "--rm", "--privileged", "busybox"], ["exec", running], ["exec", "--privileged", running]):
        out = tare.ok(*argv, "grep", "-E", "CapInh|CapAmb", "/proc/self/status")
        assert out.split() == ["CapInh:", "0" * 16, "CapAmb:", "0" * 16], argv


def test_cve_2018_10856_capabilities_of_a_user(tare, running):
    for argv in (["run", "--rm", "-u", "1000", "--cap-add", "SYS_ADMIN", "busybox"], ["run", "--rm", "-u", "1000", "--privileged", "busybox"],
                 ["exec", "-u", "1000", running], ["exec", "-u", "1000", "--privileged", running]):
        out = tare.ok(*argv, "grep", "-E", "CapPrm|CapEff", "/proc/self/status")
        assert out.split() == ["CapPrm:", "0" * 16, "CapEff:", "0" * 16], argv


def test_cve_2022_36109_supplementary_groups(tare):
    """The primary group is among the groups, so that a file it must not read stays closed to it."""
    image = (Rootfs(tare).dir("etc").file("etc/passwd", "u:x:1000:1001::/:/bin/sh\n").file("etc/group", "g:x:1001:\nh:x:1002:u\n")
             .file("secret", "x", uid=0, gid=1001, mode=0o604).load())
    tare.ok("run", "-d", "--name", "up", image, "sleep", "1000")
    for user, groups in (("u", {"1001", "1002"}), ("1000", {"1001", "1002"}), ("1000:1001", {"1001"}), ("5:6", {"6"})):
        for argv in (["run", "--rm", "-u", user, image], ["exec", "-u", user, "up"]):
            out = tare.ok(*argv, "grep", "Groups:", "/proc/self/status")
            assert set(out.split()[1:]) == groups, argv
    got = tare("run", "--rm", "-u", "u", image, "cat", "/secret")
    assert got.rc != 0


def test_cve_2021_41091_directories_of_the_host(tare, running):
    """Another user of this host reaches no layer, no log, no socket."""
    inspected = tare.inspect(running)
    for path in (tare.root / "layers", tare.root / "containers" / inspected["Id"], tare.runroot / "containers" / inspected["Id"]):
        assert path.exists()
        got = subprocess.run(["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "ls", path], capture_output=True)
        assert got.returncode != 0 and b"denied" in got.stderr.lower()


def test_ghsa_g54h_m393_cpwq_devices_are_denied_first(tare):
    script = ("for d in 'b 8 0' 'c 1 1' 'c 10 229' 'c 4 0'; do rm -f /tmp/d; mknod /tmp/d $d; "
              "(: </tmp/d) 2>/dev/null && echo read $d; (: >/tmp/d) 2>/dev/null && echo write $d; done; echo end")
    assert tare.ok("run", "--rm", "--cap-add", "MKNOD", "busybox", "sh", "-c", script) == "end"


def test_cve_2023_6476_every_process_in_its_group(tare, running):
    """run and exec alike, in every hierarchy."""
    first = tare.inspect(running)["State"]["Pid"]
    child = tare.popen("exec", "-i", running, "sh", "-c", "echo ready; cat")
    assert child.stdout.readline() == b"ready\n"
    ident = tare.inspect(running)["Id"]
    inside = [p for p in filter(str.isdigit, os.listdir("/proc")) if ident in read_proc(p, "cgroup")]
    assert str(first) in inside and len(inside) >= 2
    groups = {read_proc(p, "cgroup") for p in inside}
    assert len(groups) == 1 and any("tare/" + ident in line for line in groups.pop().splitlines())
    child.stdin.close()
    assert child.wait(timeout=10) == 0


# ---------------------------------------------------------------- D. the kernel from inside

def test_cve_2017_5226_tiocsti(tare):
    """The caller's terminal never enters: a container on a terminal has another one, and a session of its own."""
    term = Terminal(tare.argv + ["run", "--rm", "-it", "busybox", "sh", "-c", "readlink /proc/self/fd/0; stat -c %d:%i: /dev/pts/0"])
    st = os.fstat(term.slave)
    try:
        assert term.wait() == 0
    finally:
        term.close()
    lines = term.seen.split()[-2:]
    assert lines[0] == b"/dev/pts/0" and lines[1] != b"%d:%d:" % (st.st_dev, st.st_ino)


WRITES = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/fs/binfmt_misc/register", "/sys/kernel/uevent_helper",
          "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/panic", "/sys/power/state",
          "/proc/sys/net/ipv4/ip_forward", "/proc/irq/default_smp_affinity"]


@pytest.mark.parametrize("flags", [(), ("--cap-add", "ALL"), ("--cap-add", "ALL", "--security-opt", "seccomp=unconfined"), ("-u", "1000")],
                         ids=lambda f: "-".join(f) or "default")
def test_kernel_parameters_are_read_only(tare, host_kernel, flags):
    script = "for f in %s; do [ -e $f ] && (: >>$f) 2>/dev/null && echo open $f; done; echo end" % " ".join(WRITES)
    assert tare.ok("run", "--rm", *flags, "busybox", "sh", "-c", script) == "end"
    name = "up"
    tare.ok("run", "-d", "--name", name, *flags, "busybox", "sleep", "1000")
    assert tare.ok("exec", name, "sh", "-c", script) == "end"


def test_keyring_is_not_the_callers(tare, running):
    for argv in (["run", "--rm", "busybox"], ["exec", running]):
        got = tare(*argv, "sh", "-c", "cat /proc/keys /proc/key-users 2>/dev/null | grep -c keyring")
        assert got.out.strip() == "0", got
