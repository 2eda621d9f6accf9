# SPDX-License-Identifier: Apache-2.0
"""Options of run and create that lead outside the container: control groups of others, namespaces of
other containers, devices by name, and what is refused, each in one line that says why."""
import json
import os
import pathlib
import subprocess

import pytest

from conftest import wait_until
from test_limits import group_dirs, pid_of


@pytest.fixture
def tare(tare):
    tare.ok("pull", "-q", "busybox")
    return tare


def groups(name):
    """The directories of group NAME in all hierarchies."""
    top = pathlib.Path("/sys/fs/cgroup")
    return [d / name for d in [top, *top.iterdir()] if (d / name).is_dir()]


@pytest.fixture
def parent():
    """The name of a group of the test's own, which goes with it."""
    name = "tare-test-%d" % os.getpid()
    yield name
    for top in groups(name):
        for child in sorted(top.glob("**/"), reverse=True):
            child.rmdir()


# ---- --cgroup-parent ----

@pytest.mark.parametrize("typed", ["%s", "/%s", "/%s/", "%s/a/b"])
def test_cgroup_parent(tare, parent, typed):
    typed %= parent
    tare.ok("run", "-d", "--name", "up", "--cgroup-parent", typed, "-m", "64m", "busybox", "sleep", "1000")
    id = tare.inspect("up")["Id"]
    assert tare.inspect("up")["HostConfig"]["CgroupParent"] == typed
    dirs = set(group_dirs(pid_of(tare, "up")).values())
    # The cpuset hierarchy is entered only when processors were asked for.
    inside = [d for d in dirs if str(d).endswith("/%s/%s" % (typed.strip("/"), id))]
    assert len(inside) >= 1
    memory = [d for d in inside if (d / "memory.limit_in_bytes").exists() or (d / "memory.max").exists()]
    assert memory and not (memory[0].parent / "memory.limit_in_bytes").exists() or \
        int((memory[0].parent / "memory.limit_in_bytes").read_text()) > 1 << 60
    tare.ok("exec", "up", "true")
    tare.ok("pause", "up")
    assert tare.state("up") == "paused"
    tare.ok("unpause", "up")
    tare.ok("update", "--pids-limit", "50", "up")
    assert any((d / "pids.max").exists() and (d / "pids.max").read_text() == "50\n" for d in inside)
    tare.ok("kill", "up")
    wait_until(lambda: not any(d.exists() for d in inside), "the groups to go")
    tare.ok("start", "up")
    tare.ok("rm", "-f", "up")
    assert not groups("%s/%s" % (typed.strip("/"), id))


def test_cgroup_parent_after_its_monitor_was_killed(tare, parent):
    tare.ok("run", "-d", "--name", "up", "--cgroup-parent", parent, "busybox", "sleep", "1000")
    id = tare.inspect("up")["Id"]
    monitor = json.loads((tare.runroot / "containers" / id / "state.json").read_text())["monitor"]
    os.kill(monitor if isinstance(monitor, int) else monitor["pid"], 9)
    tare.ok("rm", "-f", "up")
    wait_until(lambda: not groups("%s/%s" % (parent, id)), "the groups to go")


@pytest.mark.parametrize("name, error", [
    ("../x", "--cgroup-parent ../x: not a path below the control groups' top"),
    ("a/./b", "--cgroup-parent a/./b: not a path below the control groups' top"),
    ("system.slice", "--cgroup-parent system.slice: slices are systemd's to make"),
])
def test_cgroup_parent_refused(tare, name, error):
    done = tare("create", "--cgroup-parent", name, "busybox")
    assert done.rc == 1 and done.err.startswith("tare: %s\n" % error)


# ---- other containers ----

@pytest.mark.parametrize("kind", ["pid", "uts", "ipc"])
def test_joins_another(tare, kind):
    extra = ["--ipc", "shareable"] if kind == "ipc" else []
    tare.ok("run", "-d", "--name", "one", *extra, "busybox", "sleep", "1000")
    link = "/proc/self/ns/" + kind
    theirs = tare.ok("exec", "one", "readlink", link)
    assert tare.ok("run", "--rm", "--%s" % kind, "container:one", "busybox", "readlink", link) == theirs
    done = tare("create", "--%s" % kind, "container:missing", "busybox")
    assert (done.rc, done.err) == (1, "tare: No such container: missing\n")
    tare.ok("kill", "one")
    done = tare("run", "--rm", "--%s" % kind, "container:one", "busybox", "true")
    assert done.rc == 125 and "non running container" in done.err


def test_link(tare):
    tare.ok("create", "--name", "one", "busybox")
    done = tare("create", "--name", "two", "--link", "one:alias", "--link", "one", "busybox")
    assert (done.rc, done.err) == (0, "")
    assert tare.inspect("two")["HostConfig"]["Links"] == ["/one:/two/alias", "/one:/two/one"]
    for args, rc, error in [
            (["--link", "missing"], 1, "could not get container for missing: No such container: missing"),
            (["--link", "a:b:c"], 125, 'invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c'),
            (["--link", ""], 125, 'invalid argument "" for "--link" flag: empty string specified for links'),
            (["--network", "host", "--link", "one"], 1, "conflicting options: host type networking can't be used with links")]:
        done = tare("create", *args, "busybox")
        assert done.rc == rc and error in done.err


def test_links_on_the_default_network(tare):
    """Lines of /etc/hosts, which every start writes anew, and which connecting to a network leaves."""
    first = tare.ok("create", "--name", "one", "busybox", "sleep", "1000")
    tare.ok("create", "--name", "two", "--link", "one:alias", "--link", "one", "busybox", "sleep", "1000")
    got = tare("start", "two")
    assert got.rc == 1 and "Cannot link to a non running container: /one AS /two/alias" in got.err
    assert not list((tare.runroot / "networks").glob("*/addresses/*"))
    other = tare.ok("run", "-d", "--name", "taker", "busybox", "sleep", "1000")
    for _ in range(2):
        tare.ok("start", "one", "two")
        hosts = tare.ok("exec", "two", "cat", "/etc/hosts").splitlines()
        address = tare.inspect("one")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        wanted = ["%s\talias %s one" % (address, first[:12]), "%s\tone %s" % (address, first[:12])]
        assert [line for line in hosts if "one" in line] == wanted
        tare.ok("kill", "one", "two")
        tare.ok("rm", "-f", other)  # its address is the next one's
    tare.ok("start", "one", "two")
    tare.ok("network", "create", "more")
    tare.ok("network", "connect", "more", "two")
    assert [line for line in tare.ok("exec", "two", "cat", "/etc/hosts").splitlines() if "one" in line] == wanted


# ---- devices by name ----

@pytest.mark.parametrize("value, error", [
    ("x=y", "unexpected key 'x' in 'x=y'"),
    ("all,all", "gpu request key 'all' can be specified only once"),
    ("driver=a,driver=b", "gpu request key 'driver' can be specified only once"),
    ("count=a", 'invalid count (a): value must be either "all" or an integer: invalid syntax'),
    ("foo", 'invalid count (foo): value must be either "all" or an integer: invalid syntax'),
    ("", "EOF"),
])
def test_gpus_syntax(tare, value, error):
    done = tare("create", "--gpus", value, "busybox")
    assert done.rc == 125 and done.err.startswith('invalid argument "%s" for "--gpus" flag: %s\n' % (value, error))


@pytest.mark.parametrize("value, driver, words", [
    ("all", "", "gpu"), ("2", "", "gpu"), ("driver=foo", "foo", "gpu"),
    ('"capabilities=compute,utility"', "", "compute utility gpu"),
])
def test_gpus_without_any(tare, value, driver, words):
    done = tare("run", "--rm", "--gpus", value, "busybox", "true")
    assert done.rc == 125
    assert 'could not select device driver "%s" with capabilities: [[%s]]' % (driver, words) in done.err


CDI = {"cdiVersion": "0.6.0", "kind": "vendor.com/dev", "containerEdits": {"env": ["FROM=all"]}, "devices": [
    {"name": "zero", "containerEdits": {
        "deviceNodes": [{"path": "/dev/myzero", "hostPath": "/dev/zero"}],
        "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/opt/name", "options": ["ro"]}]}},
    {"name": "hook", "containerEdits": {"hooks": [{"hookName": "createRuntime", "path": "/bin/true"}]}}]}
GPU = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [
    {"name": n, "containerEdits": {"env": ["GPU_%s=1" % n]}} for n in ("0", "1", "all")]}


@pytest.fixture
def with_cdi(tare, tmp_path):
    """Runs tare where /etc/cdi has the files above: in a mount namespace of its own."""
    etc = tmp_path / "etc"
    (tmp_path / "work").mkdir()
    (etc / "cdi").mkdir(parents=True)
    (etc / "cdi/vendor.json").write_text(json.dumps(CDI))
    (etc / "cdi/gpu.json").write_text(json.dumps(GPU))
    script = "mount -t overlay overlay -o lowerdir=%s:/etc /etc && exec \"$@\"" % etc

    def run(*args):
        return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
                              + tare.argv + list(args), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return run


def test_cdi(tare, with_cdi):
    done = with_cdi("run", "--name", "up", "--device", "vendor.com/dev=zero", "busybox", "sh", "-c",
                    "head -c 3 /dev/myzero | wc -c; echo $FROM; test -s /opt/name && echo mounted; echo x > /opt/name")
    assert done.stdout == "3\nall\nmounted\n" and "Read-only file system" in done.stderr
    assert tare.inspect("up")["HostConfig"]["DeviceRequests"] == [
        {"Driver": "cdi", "Count": 0, "DeviceIDs": ["vendor.com/dev=zero"], "Capabilities": None, "Options": None}]
    for name, error in [("vendor.com/dev=none", "CDI device injection failed: unresolvable CDI devices vendor.com/dev=none"),
                        ("vendor.com/dev=hook", "CDI device vendor.com/dev=hook: it needs hooks")]:
        done = with_cdi("run", "--rm", "--device", name, "busybox", "true")
        assert done.returncode == 125 and error in done.stderr


@pytest.mark.parametrize("value, wanted", [
    ("all", ["all"]), ("1", ["0"]), ("2", ["0", "1"]), ("device=1", ["1"]), ('"device=0,1"', ["0", "1"])])
def test_gpus_by_cdi(with_cdi, value, wanted):
    done = with_cdi("run", "--rm", "--gpus", value, "busybox", "env")
    assert sorted(line[4:-2] for line in done.stdout.split("\n") if line.startswith("GPU_")) == wanted, done


# ---- names, and what is refused ----

@pytest.mark.parametrize("args, rc, error", [
    (["--isolation", "hyperv"], 1, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
    (["--runtime", "crun"], 1, "unknown or invalid runtime name: crun"),
    (["--storage-opt", "size=1g"], 1, "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
    (["--storage-opt", "foo=1"], 1, "Unknown option foo"),
    (["--storage-opt", "size"], 125, "invalid storage option"),
    (["--use-api-socket"], 125, "--use-api-socket: there is no API socket yet"),
    (["--kernel-memory", "64m"], 125, "--kernel-memory: was removed from the kernel"),
    (["--cpu-rt-runtime", "1000"], 125, "--cpu-rt-runtime: real-time scheduling"),
    (["--cpu-count", "1"], 125, "--cpu-count: is for Windows containers only"),
])
def test_refused_in_one_line(tare, args, rc, error):
    done = tare("create", *args, "busybox")
    assert done.rc == rc and error in done.err.split("\n")[0]


@pytest.mark.parametrize("runtime", ["tare", "runc", "io.containerd.runc.v2"])
def test_runtime_by_the_names_of_others(tare, runtime):
    assert tare.ok("run", "--name", "up", "--runtime", runtime, "--isolation", "default", "busybox", "echo", "hi") == "hi"
    assert tare.inspect("up")["HostConfig"]["Runtime"] == runtime


def test_annotation(tare):
    tare.ok("create", "--name", "up", "--annotation", "a.b=c", "--annotation", "bare", "--annotation", "io.tare.user=x", "busybox")
    assert tare.inspect("up")["HostConfig"]["Annotations"] == {"a.b": "c", "bare": "", "io.tare.user": "x"}
    config = json.loads((tare.root / "containers" / tare.inspect("up")["Id"] / "config.json").read_text())
    assert config["annotations"]["a.b"] == "c" and config["annotations"]["io.tare.user"] == ""


def test_oom_kill_disable_warns(tare):
    done = tare("create", "--oom-kill-disable", "busybox")
    assert done.err == ("WARNING: OOM killer is disabled for the container, but no memory limit is set, this can "
                        "result in the system running out of resources.\n")


# ---- docker's configuration file ----

@pytest.fixture
def config(tmp_path):
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(json.dumps({
        "detachKeys": "ctrl-a,x",
        "proxies": {"default": {"httpProxy": "http://p:1", "noProxy": "localhost"}}}))
    return dict(os.environ, DOCKER_CONFIG=str(tmp_path / "docker"))


def test_proxies(tare, config):
    out = tare("run", "--rm", "busybox", "env", env=config).out
    for line in ("HTTP_PROXY=http://p:1", "http_proxy=http://p:1", "NO_PROXY=localhost", "no_proxy=localhost"):
        assert line in out.split("\n")
    out = tare("run", "--rm", "-e", "HTTP_PROXY=mine", "busybox", "env", env=config).out.split("\n")
    assert "HTTP_PROXY=mine" in out and "http_proxy=http://p:1" in out
    tare.ok("run", "-d", "--name", "up", "busybox", "sleep", "1000")
    assert "proxy" not in tare("exec", "up", "env", env=config).out.lower()


def test_docker_config_that_is_none(tare, tmp_path):
    """A warning that says where, but repeats nothing: what stands there may be a password."""
    (tmp_path / "config.json").write_text('{"psFormat": "x",\n"auths": {"r": {"auth" "c2VjcmV0"}}}')
    got = tare("--config", tmp_path, "ps")
    assert got.rc == 0 and "config.json: line 2, column " in got.err, got
    assert "c2VjcmV0" not in got.err
