# SPDX-License-Identifier: Apache-2.0
"""`debug`: a shell with tools in containers that have none, running and not; what it may do, what it
changes, and that it leaves nothing."""
import shutil
import signal
import subprocess
import tarfile

import pytest

from conftest import wait_until
from terminal import terminal  # noqa: F401 (a fixture)

PLACE = "/sys/kernel/debug"


@pytest.fixture
def tare(tare, tmp_path):
    """With an image "bare": one static program that knows no name but its own."""
    tare.ok("pull", "-q", "busybox")
    tar = tmp_path / "bare.tar"
    with tarfile.open(tar, "w") as t:
        t.add(shutil.which("busybox"), "busybox")
    tare.ok("import", str(tar), "bare")
    return tare


@pytest.fixture
def bare(tare):
    tare.ok("run", "-d", "--name", "up", "bare", "/busybox", "sleep", "1000")
    return tare


def test_running_without_a_shell(bare):
    assert bare("exec", "up", "sh").rc == 127
    done = bare("debug", "up", input="ls /; cat /proc/1/cmdline | tr '\\0' ' '; echo made > /made; exit 7")
    assert done.rc == 7 and done.err == ""
    assert done.out.split("\n")[0] == "busybox"
    assert "/busybox sleep 1000" in done.out
    assert bare.ok("exec", "up", "/busybox", "cat", "/made") == "made"


def test_only_the_command_sees_the_tools(bare):
    mounts = bare.ok("exec", "up", "/busybox", "cat", "/proc/1/mounts")
    done = bare("debug", "up", input="ls %s/bin/ls; /busybox ls %s; cat /proc/1/mounts\n" % (PLACE, PLACE))
    assert done.out.startswith(PLACE + "/bin/ls\nbin\n") and done.out.endswith(mounts + "\n")
    assert bare.ok("exec", "up", "/busybox", "ls", PLACE) == ""
    assert bare.ok("diff", "up") == ""
    assert bare("debug", "up", "touch", PLACE + "/x").rc == 1


def test_confined_as_exec_unless_privileged(tare):
    tare.ok("run", "-d", "--name", "up", "--cap-drop", "ALL", "--cap-add", "CHOWN", "busybox", "sleep", "1000")
    lines = "grep -E 'Cap|Seccomp|NoNewPrivs' /proc/self/status; cat /proc/self/cgroup; readlink /proc/self/ns/net"
    assert tare.ok("debug", "up", "sh", "-c", lines) == tare.ok("exec", "up", "sh", "-c", lines)
    status = tare.ok("debug", "--privileged", "up", "cat", "/proc/self/status")
    assert "Seccomp:\t0" in status and "CapEff:\t0000000000000001" not in status


HOOKS = ("ENV=/evil", "BASH_ENV=/evil", "PS1=$(/evil)", "PS4=$(/evil)", "LD_PRELOAD=/evil.so", "LD_AUDIT=/evil.so")


@pytest.mark.parametrize("how", ["running", "stopped"])
def test_an_image_cannot_have_the_shell_run_its_files(tare, terminal, how):  # noqa: F811
    evil = "printf '#!/bin/sh\\necho %s >/proof\\n' evil >/evil; chmod +x /evil; "
    args = [x for hook in HOOKS for x in ("-e", hook)]
    tare.ok("run", "-d", "--name", "up", *args, "busybox", "sh", "-c", evil + "sleep 1000")
    wait_until(lambda: tare("exec", "up", "test", "-x", "/evil").rc == 0)
    if how == "stopped":
        tare.ok("kill", "up")
        tare.wait_state("up", "exited")
    shell = terminal(tare.argv + ["debug", "--privileged", "-e", "PS2=mine", "up"])
    wait_until(shell.is_raw, "the terminal to be raw")
    shell.write(b"echo seen=$(env | grep -c -e evil -e PS2=mine); set -x; exit 7\n")
    shell.expect(b"seen=1\r\n")
    assert shell.wait() == 7
    assert tare("debug", "up", "test", "-e", "/proof").rc == 1


@pytest.mark.parametrize("how", ["running", "stopped"])
def test_tools_are_mounted_on_the_kernel_s_own_only(tare, how):
    """Where the container could put a link in the place of the tools, its programs would run as them."""
    tare.ok("run", "-d", "--name", "up", "-v", "sys:/sys", "busybox", "sh", "-c",
            "mkdir -p /sys/kernel/debug /own; touch /sys/done; sleep 1000")
    wait_until(lambda: tare("exec", "up", "test", "-e", "/sys/done").rc == 0)
    if how == "stopped":
        tare.ok("kill", "up")
        tare.wait_state("up", "exited")
    done = tare("debug", "up", "true")
    assert done.rc != 0 and "/sys/kernel/debug is not the kernel's" in done.err


def test_user_workdir_env(bare):
    assert bare.ok("debug", "-u", "12:34", "-w", "/proc", "-e", "A=b", "up", "sh", "-c",
                   "id -u; id -g; pwd; echo $A; echo $HOME") == "12\n34\n/proc\nb\n/"
    tare = bare
    tare.ok("run", "-d", "--name", "user", "-u", "1000", "busybox", "sleep", "1000")
    assert tare.ok("debug", "user", "id", "-u") == "0"


@pytest.mark.parametrize("how", ["created", "exited"])
def test_one_that_does_not_run(tare, how, tmp_path):
    (tmp_path / "v").mkdir()
    tare.ok("create", "--name", "box", "-v", "%s:/v" % (tmp_path / "v"), "-m", "64m", "bare", "/busybox", "true")
    if how == "exited":
        tare.ok("start", "-a", "box")
    before = tare.state("box")
    done = tare("debug", "box", input="ls /; echo x > /made; echo y > /v/y; cat /proc/1/comm; exit 9\n")
    assert done.rc == 9 and "busybox\n" in done.out and done.out.endswith("sh\n")
    assert set(tare.ok("diff", "box").split("\n")) == {"A /made", "A /v"}
    assert (tmp_path / "v/y").read_text() == "y\n"
    assert tare.state("box") == before
    assert tare.ok("start", "-a", "box") == ""


def test_mends_what_keeps_it_from_starting(tare):
    tare.ok("create", "--name", "box", "bare", "/start")
    assert tare("start", "-a", "box").rc == 1
    tare.ok("debug", "box", "sh", "-c", "printf '#!/busybox sh\\necho it runs\\n' > /start; chmod +x /start")
    assert tare.ok("start", "-a", "box") == "it runs"


def test_source_that_is_gone(tare, tmp_path):
    (tmp_path / "v").mkdir()
    tare.ok("create", "--name", "box", "-v", "%s:/v" % (tmp_path / "v"), "bare", "/busybox", "true")
    (tmp_path / "v").rmdir()
    done = tare("debug", "box", "echo", "in")
    assert (done.rc, done.out) == (0, "in\n")
    assert done.err == "WARNING: /v is not mounted: %s does not exist\n" % (tmp_path / "v")


def test_its_start_waits(tare):
    tare.ok("create", "--name", "box", "bare", "/busybox", "echo", "started")
    p = tare.popen("debug", "box", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdin.write(b"echo in\n")
    p.stdin.flush()
    assert p.stdout.readline() == b"in\n"
    start = tare.popen("start", "-a", "box", stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        start.wait(0.5)
    p.stdin.close()
    assert p.wait() == 0
    assert start.communicate(timeout=30)[0] == b"started\n"


@pytest.mark.parametrize("how", ["running", "created"])
def test_killed(tare, how):
    """The command goes with it, and the next one that writes finds nothing in its way."""
    tare.ok("create", "--name", "box", "bare", "/busybox", "sleep", "1000")
    if how == "running":
        tare.ok("start", "box")
    p = tare.popen("debug", "box", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    # The command itself is what has to go: a shell whose input ends at that moment may just have
    # started another, which is the container's then.
    p.stdin.write(b"echo in; exec sleep 987654\n")
    p.stdin.flush()
    p.stdout.readline()
    p.send_signal(signal.SIGKILL)
    p.wait()
    wait_until(lambda: "987654" not in subprocess.run(["ps", "-ef"], capture_output=True, text=True).stdout,
               "the command to go")
    tare.ok("start", "box")
    assert tare.inspect("box")["State"]["Running"]


def test_refused(bare):
    bare.ok("pause", "up")
    done = bare("debug", "up", "true")
    assert done.rc == 1 and done.err == "tare: Container up is paused, unpause the container before exec\n"
    bare.ok("unpause", "up")
    assert bare("debug", "missing").err == "tare: No such container: missing\n"
    assert bare("debug", "up", "nosuch").rc == 127
    assert bare("debug", "up", "/").rc == 126
    assert "No such image: missing" in bare("debug", "--image", "missing", "up").err or \
        "pull access denied for missing" in bare("debug", "--image", "missing", "up").err


def test_terminal(bare, terminal):  # noqa: F811
    t = terminal(bare.argv + ["debug", "up"], rows=21, columns=77)
    wait_until(t.is_raw, "the terminal to be raw")
    t.write(b"stty size; tty; echo p$((1+1))\n")
    t.expect(b"21 77\r\n")
    t.expect(b"p2")
    t.resize(30, 90)
    t.write(b"while [ \"$(stty size)\" != '30 90' ]; do :; done; echo now $(stty size)\n")
    t.expect(b"now 30 90")
    t.write(b"sh -c 'echo a''sleep; sleep 1000'\n")
    t.expect(b"\nasleep\r\n")
    t.write(b"\x03")
    t.write(b"echo int=$?\n")
    t.expect(b"int=130")
    # Nobody can leave it and take the tools along.
    t.write(b"\x10\x11\x15exit 5\n")
    assert t.wait() == 5
    t.assert_restored()


def test_another_image(bare, tmp_path):
    """Of several layers, and its own PATH."""
    bare.ok("create", "--name", "made", "busybox", "sh", "-c", "mkdir /opt; cp /bin/busybox /opt/whatever")
    bare.ok("start", "-a", "made")
    bare.ok("commit", "-c", "ENV PATH=/opt:/bin", "made", "tools")
    assert bare.ok("debug", "--image", "tools", "up", "sh", "-c", "echo $PATH; ls %s/opt" % PLACE) == \
        "%s/opt:%s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nwhatever" % (PLACE, PLACE)


def test_events(bare):
    """In a running container it is a command like any other; in a stopped one nothing happened to the container."""
    assert bare("debug", "up", "sh", "-c", "exit 4").rc == 4
    bare.ok("kill", "up")
    before = bare.ok("events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}")
    actions = [line.strip() for line in before.split("\n")]
    for action in ("exec_create: sh -c exit 4", "exec_start: sh -c exit 4", "exec_die"):
        assert actions.count(action) == 1
    bare.ok("debug", "up", "true")
    assert bare.ok("events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}") == before
