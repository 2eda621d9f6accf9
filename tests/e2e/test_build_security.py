# SPDX-License-Identifier: Apache-2.0
"""What a Dockerfile, a context, a cache or a step must not get, each tried by one that wants it."""
import os
import shutil
import socket
import subprocess

import pytest

from build_step import needs_tool, steps  # noqa: F401 (a fixture)
from builds import Context
from test_build_run import FAILURE, LIST, SIGN, Agent, ask, first_process, frame, receive

# ---------------------------------------------------------------- devices of the host


def test_a_dockerfile_takes_no_device(tare, tmp_path):
    """RUN --device is asked for by whoever wrote the file, and allowed by whoever builds it."""
    c = Context(tare, tmp_path / "c").write(Dockerfile="FROM busybox\nRUN --device=/dev/fuse sh -c 'exec 3<>/dev/fuse'\n")
    for allow in ([], ["--allow=security.insecure"], ["--allow=device=/dev/fus"], ["--allow=device=/dev/fuse/"], ["--allow=device="]):
        got = c.run("--network=none", *allow)
        assert got.rc == 1 and "device=/dev/fuse is not allowed\nsay --allow device=/dev/fuse if that is meant" in got.err, got.err
    c.build("--network=none", "--allow=device=/dev/fuse")
    # The cache has it now, and lets nobody in by that.
    assert c.run("--network=none").rc == 1
    tare.ok("build", "-q", "-t", "trigger", "-", input="FROM busybox\nONBUILD RUN --device=/dev/fuse true\n")
    got = tare("build", "-", input="FROM trigger\n")
    assert got.rc == 1 and "device=/dev/fuse is not allowed" in got.err


# ---------------------------------------------------------------- the user's agent

# To add, remove and lock keys, to load a library for a card, extensions, what SSH 1 had, and what is none of these.
OTHERS = [17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 1, 3, 7, 0, 5, 12, 255]


@needs_tool
def test_a_step_does_not_command_the_agent(steps, tmp_path):
    agent = Agent(tmp_path / "agent")
    child = steps.popen("--ssh", "default=%s" % agent.path, "--mount", "type=ssh", "busybox", "sh", "-c", "echo up; sleep 60")
    assert child.stdout.readline() == b"up\n"
    path = "/proc/%d/root/run/buildkit/ssh_agent.0" % first_process(steps)
    for kind in OTHERS:
        assert ask(path, b"/usr/lib/evil.so" * 2000, kind, FAILURE) == b""
    assert agent.heard == []
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        # In one piece, and byte for byte: what is refused does not take the next message with it.
        s.sendall(frame(19, b"") + frame(SIGN, b"abc"))
        assert sorted([receive(s), receive(s)]) == [(FAILURE, b""), (14, b"cba")]
        for byte in frame(18, b"key") + frame(LIST, b"") + frame(SIGN, b"hello"):
            s.sendall(bytes([byte]))
        assert sorted(receive(s) for _ in range(3)) == [(FAILURE, b""), (14, b""), (14, b"olleh")]
    assert agent.heard == [SIGN, LIST, SIGN]
    # No message at all: the connection ends.
    for head in (b"\0\0\0\0", b"\xff\xff\xff\xff\x0b", b"\0\x10\0\0\x0d"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            s.sendall(head + b"\x0b")
            assert s.recv(1) == b""
    child.kill()
    child.wait()
    steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")


@needs_tool
@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="no ssh-agent")
def test_a_real_agent_keeps_its_keys(steps, tmp_path):
    path, key = str(tmp_path / "real"), str(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(path):
            pass
        own = dict(os.environ, SSH_AUTH_SOCK=path)
        subprocess.run(["ssh-add", "-q", key], env=own, check=True)
        child = steps.popen("--ssh", "default=%s" % path, "--mount", "type=ssh", "busybox", "sh", "-c", "echo up; sleep 60")
        assert child.stdout.readline() == b"up\n"
        step = dict(os.environ, SSH_AUTH_SOCK="/proc/%d/root/run/buildkit/ssh_agent.0" % first_process(steps))
        for args in (["-D"], ["-d", key], [key]):
            assert subprocess.run(["ssh-add", "-q", *args], env=step, stderr=subprocess.DEVNULL, check=False).returncode != 0, args
        (tmp_path / "text").write_text("signed\n")
        subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key + ".pub", tmp_path / "text"], env=step, check=True,
                       stderr=subprocess.DEVNULL)
        assert subprocess.run(["ssh-add", "-l"], env=own, stdout=subprocess.PIPE, check=True).stdout.count(b"\n") == 1
        child.kill()
        child.wait()
        steps.tare.ok("run", "--rm", "--network", "none", "busybox", "true")
    finally:
        agent.terminate()
        agent.wait()
