# SPDX-License-Identifier: Apache-2.0
"""The defaults table of docs/security.md, seen from inside: tare-probe runs in containers made in every
way there is, and what it prints is compared with golden tables (tests/data/probe-default.txt,
seccomp-default.txt, seccomp-sys-admin.txt)."""
import os
import pathlib
import re
import stat
import subprocess

import pytest

from conftest import PROGRAM, REPO, read_proc
from terminal import Terminal

DATA = REPO / "tests/data"
PROBE = next((p for p in (pathlib.Path(PROGRAM).parent / "tests/probe/tare-probe",
                          REPO / "build/tests/probe/tare-probe") if p.exists()), None)
DEFAULT, FULL = 0x800425fb, (1 << 41) - 1
SYS_ADMIN = 1 << 21
REFUSALS = ("EPERM", "ENOSYS", "SIGSYS")


def bounding():
    """What this host can give at all."""
    return int(re.search(r"CapBnd:\s*(\w+)", read_proc("self", "status")).group(1), 16)


def start(tare, *flags):
    """A running container with the probe in it."""
    tare.ok("run", "-d", "--name", "up", "-v", "%s:/probe:ro" % PROBE, *flags, "busybox", "sleep", "1000")


def probe(tare, *sections, flags=(), how="run", exec_flags=()):
    """The lines that the probe prints."""
    if how == "run":
        out = tare.ok("run", "--rm", "-v", "%s:/probe:ro" % PROBE, *flags, "busybox", "/probe", *sections)
    else:
        start(tare, *flags)
        out = tare.ok("exec", *exec_flags, "up", "/probe", *sections)
        tare.ok("rm", "-f", "up")
    return out.splitlines()


def table(lines):
    return dict(line.split(" ", 1) for line in lines if " " in line)


def read_golden(name):
    """{name: word} of a table of system calls."""
    rows = (line.split() for line in (DATA / name).read_text().splitlines() if line[:1] not in ("", "#"))
    return {row[0]: row[1] for row in rows}


# ---------------------------------------------------------------- what is there

MOUNT = re.compile(r"mount \d+ \d+ \S+ (\S+) (\S+) (\S+) .*?- (\S+)")


def normal(line):
    """One line without what differs between kernels and containers, or None."""
    m = MOUNT.match(line)
    if m:
        flags = [f for f in m.group(3).split(",") if f != "relatime"]
        bind = m.group(1) != "/" and m.group(4) not in ("proc", "tmpfs")
        return "mount %s %s %s" % (m.group(2), ",".join(flags), "bind" if bind else m.group(4))
    if line.startswith("status.Groups"):
        return None
    if re.match(r"path\.(/|/proc|/dev|/sys|/proc/(bus|fs|irq|sys)|/sys/fs/cgroup) ", line):
        return re.sub(r"read=dir:\d+", "read=dir:N", line)
    return line


def is_cgroup(line):
    return line.startswith("mount /sys/fs/cgroup")


@pytest.mark.parametrize("how", ["run", "exec"])
def test_default_table(tare, how):
    seen = [n for n in map(normal, probe(tare, "status", "paths", "dev", "mounts", how=how)) if n]
    golden = [line for line in (DATA / "probe-default.txt").read_text().splitlines() if line[:1] != "#"]
    known = {line.removeprefix("? ") for line in golden}
    cgroups = [line for line in seen if is_cgroup(line)]
    assert [line for line in seen if line not in known and not is_cgroup(line)] == []
    assert [line for line in golden if line[0] != "?" and line not in seen] == []
    assert cgroups and all(" ro,nosuid,nodev,noexec " in line for line in cgroups)


def test_masked_where_the_host_has_it(tare):
    """An optional line of the golden table is only optional where the host lacks the path."""
    seen = table(probe(tare, "paths"))
    for line in (DATA / "probe-default.txt").read_text().splitlines():
        m = re.match(r"\? path\.(\S+) ", line)
        if m and os.path.lexists(m.group(1)):
            assert "path." + m.group(1) in seen


@pytest.mark.parametrize("how", ["run", "exec"])
@pytest.mark.parametrize("flags", [(), ("-i",)])
def test_no_descriptor_but_three(tare, how, flags):
    """Directories of the host leak into tare; none of them into the container."""
    leaked = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(30)]
    try:
        for fd in leaked:
            os.set_inheritable(fd, True)
        argv = tare.argv + (["run", "--rm", *flags, "-v", "%s:/probe:ro" % PROBE, "busybox"] if how == "run"
                            else ["exec", *flags, "up"]) + ["/probe", "fds"]
        if how == "exec":
            start(tare)
        out = subprocess.run(argv, close_fds=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    finally:
        for fd in leaked:
            os.close(fd)
    fds = table(out.stdout.decode().splitlines())
    assert sorted(fds) == ["fd.0", "fd.1", "fd.2"], out
    assert all(re.match(r"/dev/null$|pipe:", target) for target in fds.values())


def test_terminal_has_a_console(tare):
    term = Terminal(tare.argv + ["run", "--rm", "-it", "busybox", "sh", "-c",
                                 "stat -c %t:%T:%a /dev/console; tty; echo done"])
    try:
        term.wait()
    finally:
        term.close()
    assert re.search(rb"88:0:6[02]0", term.seen) and b"/dev/pts/0" in term.seen and b"done" in term.seen


# ---------------------------------------------------------------- capabilities

# flags, flags of exec, uid, bounding set, no_new_privs, filters
WAYS = {
    "default": ((), 0, DEFAULT, 0, 1),
    "user": (("-u", "1000"), 1000, DEFAULT, 0, 1),
    "cap-drop-all": (("--cap-drop", "ALL"), 0, 0, 0, 1),
    "cap-drop-one": (("--cap-drop", "CHOWN"), 0, DEFAULT & ~1, 0, 1),
    "cap-add": (("--cap-add", "SYS_ADMIN"), 0, DEFAULT | SYS_ADMIN, 0, 1),
    "cap-add-user": (("--cap-add", "SYS_ADMIN", "-u", "1000:1000"), 1000, DEFAULT | SYS_ADMIN, 0, 1),
    "cap-add-all": (("--cap-add", "ALL"), 0, FULL, 0, 1),
    "no-new-privileges": (("--security-opt", "no-new-privileges"), 0, DEFAULT, 1, 1),
    "no-new-privileges-user": (("--security-opt", "no-new-privileges", "-u", "1000"), 1000, DEFAULT, 1, 1),
    "unconfined": (("--security-opt", "seccomp=unconfined"), 0, DEFAULT, 0, 0),
    "privileged": (("--privileged",), 0, FULL, 0, 0),
    "privileged-user": (("--privileged", "-u", "1000"), 1000, FULL, 0, 0),
}


def check_status(lines, uid, caps, nnp, filters):
    s = table(lines)
    held = "%016x" % (caps & bounding() if uid == 0 else 0)
    assert s["status.Uid"].split() == [str(uid)] * 4
    assert s["status.CapInh"] == s["status.CapAmb"] == "%016x" % 0
    assert s["status.CapPrm"] == s["status.CapEff"] == held
    assert s["status.CapBnd"] == "%016x" % (caps & bounding())
    assert (s["status.NoNewPrivs"], s["status.Seccomp_filters"]) == (str(nnp), str(filters))
    assert s["status.Seccomp"] == ("2" if filters else "0")


@pytest.mark.parametrize("way", WAYS)
def test_privileges_of_run_and_exec(tare, way):
    flags, *expected = WAYS[way]
    check_status(probe(tare, "status", flags=flags), *expected)
    check_status(probe(tare, "status", flags=flags, how="exec"), *expected)


@pytest.mark.parametrize("exec_flags, uid, caps, filters", [
    (("-u", "1000"), 1000, DEFAULT, 1), (("-u", "0"), 0, DEFAULT, 1), (("--privileged",), 0, FULL, 0)])
def test_privileges_of_exec_as_another(tare, exec_flags, uid, caps, filters):
    lines = probe(tare, "status", how="exec", exec_flags=exec_flags)
    check_status(lines, uid, caps, 0, filters)


# ---------------------------------------------------------------- system calls

def calls(lines):
    """{name: answer}; a call's name without the section, a case's with its dot."""
    return {key.split(".", 1)[1]: word for key, word in table(lines).items()}


def check_calls(seen, golden, bare):
    """Each answer is the table's; "allow" is the kernel's own, as it is without a filter."""
    assert len(seen) > 370
    wrong = []
    for name, answer in seen.items():
        expected = golden.get(name)
        if expected is None or answer == "skipped" or answer == expected:
            continue
        if expected != "allow" or (answer in REFUSALS and bare.get(name) != answer):
            wrong.append("%s: %s, not %s" % (name, answer, expected))
    assert wrong == []
    assert len(set(seen) & set(golden)) > 370


UNCONFINED = ("--security-opt", "seccomp=unconfined")


@pytest.mark.parametrize("how", ["run", "exec"])
@pytest.mark.parametrize("flags", [(), ("-u", "1000"), ("--cap-drop", "ALL"), ("--security-opt", "no-new-privileges"),
                                   ("--cap-add", "SYS_ADMIN")], ids=lambda f: "-".join(f) or "default")
def test_each_system_call(tare, flags, how):
    golden = read_golden("seccomp-default.txt")
    if "SYS_ADMIN" in flags:
        golden.update(read_golden("seccomp-sys-admin.txt"))
    if "ALL" in flags:
        golden["chroot"] = "EPERM"  # only with CAP_SYS_CHROOT, as in docker's profile
    seen = calls(probe(tare, "cases", "calls", flags=flags, how=how))
    bare = calls(probe(tare, "cases", "calls", flags=flags + UNCONFINED))
    check_calls(seen, golden, bare)


def test_no_filter_where_none_is_asked_for(tare):
    for flags in (UNCONFINED, ("--privileged",)):
        seen = calls(probe(tare, "cases", flags=flags))
        assert (seen["ioctl.TIOCSTI"], seen["personality.40000"]) == ("EBADF", "ok")


# ---------------------------------------------------------------- numbers

LOOK = """
umask; cat /proc/self/oom_score_adj; ulimit -c; ulimit -n
cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start
cat /proc/self/cgroup; echo ---; env; echo ---; ls -l /proc/self/ns; cat /proc/keys; echo ---
"""


@pytest.mark.parametrize("how", ["run", "exec"])
def test_process_defaults(tare, how):
    env = {"TARE_TEST_SECRET": "1", "http_proxy": "http://proxy", "LD_PRELOAD": "", "LC_ALL": "C"}
    if how == "run":
        out = tare.ok("run", "--rm", "busybox", "sh", "-c", LOOK, env=env)
    else:
        tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000", env=env)
        out = tare.ok("exec", "up", "sh", "-c", LOOK, env=env)
    numbers, variables, spaces = out.split("---\n")[:3]
    lines = numbers.splitlines()
    assert lines[:6] == ["0022", "200", "0", "1024", "0\t2147483647", "0"]
    assert lines[6:] and all(line.endswith(":/") for line in lines[6:])
    names = {line.split("=")[0] for line in variables.splitlines()}
    assert names == {"PATH", "HOSTNAME", "HOME", "SHLVL", "PWD"}
    for name in ("mnt", "net", "uts", "pid", "ipc", "cgroup"):
        assert os.readlink("/proc/self/ns/" + name) not in spaces
    for name in ("user", "time"):
        assert os.readlink("/proc/self/ns/" + name) in spaces
    assert "keyring" not in spaces


def test_processes_are_limited(tare, running):
    pid = tare.inspect(running)["State"]["Pid"]
    path = next(line.split(":", 2)[2] for line in read_proc(str(pid), "cgroup").splitlines()
                if "pids" in line.split(":")[1].split(",") or line.startswith("0::/tare"))
    found = [p for p in (pathlib.Path("/sys/fs/cgroup/pids" + path), pathlib.Path("/sys/fs/cgroup" + path))
             if (p / "pids.max").exists()]
    assert found and (found[0] / "pids.max").read_text().strip() == "2048"


def test_state_is_private(tare, running):
    """Directories 0700, files 0600: no other user of the host reaches a layer or a log."""
    for base in (tare.root, tare.runroot):
        assert stat.S_IMODE(base.stat().st_mode) == 0o700
        for path in base.iterdir():
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                assert stat.S_IMODE(mode) & 0o077 == 0, path
    assert stat.S_IMODE((tare.root / "containers").stat().st_mode) == 0o700


# ---------------------------------------------------------------- devices

OPEN = "mknod /tmp/d %s && dd if=/tmp/d of=/dev/null bs=1 count=1 2>&1"


@pytest.mark.parametrize("node", ["b 8 0", "c 1 1", "c 10 229", "c 1 11", "b 7 0",
                                  "b %d %d" % (os.major(os.stat("/").st_dev), os.minor(os.stat("/").st_dev))])
def test_device_that_was_not_given(tare, node):
    got = tare("run", "--rm", "--cap-add", "MKNOD", "busybox", "sh", "-c", OPEN % node)
    assert got.rc != 0 and re.search(r"Operation not permitted|No such device", got.out + got.err), got
    got = tare("run", "--rm", "busybox", "sh", "-c", OPEN % node)
    assert got.rc != 0 and "mknod" in got.err


SPARE = [d for d in ("/dev/loop-control", "/dev/fuse", "/dev/net/tun") if os.path.exists(d)]


@pytest.mark.skipif(not SPARE, reason="this host has no device that is harmless to open")
def test_device_that_was_given(tare):
    script = "(: </dev/x) && echo read; (: >/dev/x) 2>/dev/null && echo write; stat -c %t:%T /dev/x"
    st = os.stat(SPARE[0])
    number = "%x:%x" % (os.major(st.st_rdev), os.minor(st.st_rdev))
    for access, expected in (("r", ["read"]), ("rw", ["read", "write"])):
        out = tare.ok("run", "--rm", "--device", "%s:/dev/x:%s" % (SPARE[0], access), "busybox", "sh", "-c", script)
        assert out.split() == expected + [number]


def test_privileged_hides_nothing(tare):
    seen = table(probe(tare, "paths", "dev", "mounts", flags=("--privileged",)))
    assert all("fs=rw" in text for key, text in seen.items() if key.startswith("path."))
    assert "write=ok" in seen["path./proc/sys/kernel/core_pattern"]
    assert not os.path.exists("/dev/kmsg") or "dev.kmsg" in seen
