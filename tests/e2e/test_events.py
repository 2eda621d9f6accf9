# SPDX-License-Identifier: Apache-2.0
"""events: what every verb tells and in which order, the past and what comes, and what nobody may make it say."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import wait_until
from terminal import terminal  # noqa: F401 (a fixture)

KEY = ("run", "-d", "--network", "none")


def now():
    return "%.9f" % time.time()


def events(tare, since="0", *more):
    """All events since then, as objects."""
    out = tare.ok("events", "--since", since, "--until", now(), "--format", "json", *more)
    return [json.loads(line) for line in out.splitlines()]


def actions(tare, since="0", *more):
    return [e["Action"] for e in events(tare, since, *more)]


def attributes(tare, action, *more):
    """Of the last event with this action."""
    return [e["Actor"]["Attributes"] for e in events(tare, "0", *more) if e["Action"] == action][-1]


@pytest.fixture
def box(tare):
    """A running container with a label; the time since when what happens to it counts."""
    tare.ok(*KEY, "--name", "box", "-l", "k=v", "busybox", "sleep", "1000")
    tare.since = now()
    return tare


# ---------------------------------------------------------------- every verb

def test_run_in_foreground(tare):
    tare("run", "--rm", "--network", "none", "--name", "c1", "busybox", "sh", "-c", "exit 3")
    assert actions(tare, "0", "-f", "type=container") == ["create", "attach", "start", "die", "destroy"]
    died = attributes(tare, "die")
    assert died["exitCode"] == "3" and died["name"] == "c1" and died["image"] == "busybox" and died["execDuration"] == "0"


def test_run_detached_and_stopped(box):
    box.ok("stop", "-t", "0", "box")
    assert actions(box, "0", "-f", "type=container") == ["create", "start", "kill", "kill", "die", "stop"]
    assert [e["Actor"]["Attributes"]["signal"] for e in events(box) if e["Action"] == "kill"] == ["15", "9"]
    since = now()
    box.ok("start", "box")
    box.ok("rm", "-f", "box")
    assert actions(box, since) == ["start", "kill", "die", "destroy"]
    assert all(e["Actor"]["Attributes"]["k"] == "v" for e in events(box, since))


def test_failed_start_has_no_die(tare):
    assert tare("run", "--network", "none", "busybox", "/nosuch").rc == 127
    assert actions(tare, "0", "-f", "type=container") == ["create", "attach"]


def test_pause_rename_kill(box):
    box.ok("pause", "box")
    box.ok("unpause", "box")
    box.ok("rename", "box", "case")
    box.ok("kill", "case")
    assert actions(box, box.since) == ["pause", "unpause", "rename", "kill", "die"]
    seen = events(box, box.since)
    assert seen[2]["Actor"]["Attributes"]["oldName"] == "/box"
    # Whoever tells of the end was started under the old name.
    assert [e["Actor"]["Attributes"]["name"] for e in seen] == ["box", "box", "case", "case", "case"]
    assert seen[3]["Actor"]["Attributes"]["signal"] == "9"
    assert seen[4]["Actor"]["Attributes"]["exitCode"] == "137"


def test_exec(box):
    assert box("exec", "box", "sh", "-c", "exit 7").rc == 7
    assert actions(box, box.since) == ["exec_create: sh -c exit 7", "exec_start: sh -c exit 7", "exec_die"]
    ids = {e["Actor"]["Attributes"]["execID"] for e in events(box, box.since)}
    assert len(ids) == 1 and re.fullmatch("[0-9a-f]{64}", ids.pop())
    assert attributes(box, "exec_die")["exitCode"] == "7"
    since = now()
    assert box("exec", "box", "/nosuch").rc == 127
    assert actions(box, since) == ["exec_create: /nosuch ", "exec_start: /nosuch "]


def test_files_and_images(box, tmp_path):
    (tmp_path / "f").write_text("x")
    box.ok("cp", "box:/etc/passwd", str(tmp_path / "passwd"))
    box.ok("cp", str(tmp_path / "f"), "box:/f")
    box.ok("export", "-o", str(tmp_path / "t.tar"), "box")
    box.ok("update", "--cpu-shares", "200", "box")
    assert actions(box, box.since) == ["archive-path", "extract-to-dir", "export", "update"]
    since = now()
    image = box.ok("commit", "-m", "why", "box", "kid:1")
    told = attributes(box, "commit")
    assert told["imageID"] == image and told["imageRef"] == "kid:1" and told["comment"] == "why"
    box.ok("tag", "kid:1", "other")
    box.ok("save", "-o", str(tmp_path / "s.tar"), "other")
    box.ok("rmi", "other", "kid:1")
    box.ok("load", "-i", str(tmp_path / "s.tar"))
    assert actions(box, since, "-f", "type=image") == ["tag", "tag", "save", "untag", "untag", "delete", "load"]
    assert {e["Actor"]["ID"] for e in events(box, since, "-f", "type=image")} == {image}
    assert [e["Actor"]["Attributes"]["name"] for e in events(box, since, "-f", "event=tag")] == ["kid:1", "other:latest"]
    since = now()
    box.ok("import", str(tmp_path / "t.tar"), "imp")
    assert actions(box, since) == ["tag", "import"]


def test_prunes(tare):
    tare.ok("create", "--name", "c1", "busybox")
    tare.ok("commit", "c1")
    tare.ok("volume", "create")
    tare.ok("volume", "create", "named")
    since = now()
    out = tare.ok("system", "prune", "-f", "--volumes")
    assert re.sub("[0-9a-f]{64}", "ID", out).splitlines()[:8] == \
        ["Deleted Containers:", "ID", "", "Deleted Volumes:", "ID", "", "Deleted Images:", "deleted: sha256:ID"]
    assert out.splitlines()[-1].startswith("Total reclaimed space: ")
    assert [(e["Type"], e["Action"]) for e in events(tare, since)] == \
        [("container", "destroy"), ("container", "prune"), ("network", "prune"), ("volume", "destroy"), ("volume", "prune"),
         ("image", "delete"), ("image", "prune")]
    assert tare.ok("volume", "ls", "-q") == "named"
    assert "reclaimed" in attributes(tare, "prune")
    tare.ok("system", "prune", "-af")
    assert tare.ok("images", "-aq") == ""


def test_prune_prompts(tare):
    tare.ok("create", "--name", "c1", "busybox")
    warning = ("WARNING! This will remove:\n  - all stopped containers\n"
               "  - all networks not used by at least one container\n%s\n\n"
               "Are you sure you want to continue? [y/N] ")
    assert tare("system", "prune", input="n\n").out == warning % "  - all dangling images\n  - unused build cache"
    got = tare("system", "prune", "-a", "--volumes", "--filter", "label=b", "--filter", "label!=a", input="\n")
    assert got.rc == 0 and got.out == warning % (
        "  - all anonymous volumes not used by at least one container\n"
        "  - all images without at least one container associated to them\n  - all build cache\n\n"
        "  Items to be pruned will be filtered with:\n  - label!=a\n  - label=b")
    assert tare("container", "prune", input="yes\n").out == \
        "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
    assert tare.state("c1") == "created"
    assert tare("container", "prune", input="Y\n").out.endswith("\n\nTotal reclaimed space: 0B\n")
    for argv, words in ((["container", "prune", "-f", "--filter", "no=1"], "invalid filter 'no'"),
                        (["system", "prune", "-f", "--filter", "until=xx"], 'as time or duration: "xx"'),
                        (["container", "prune", "-f", "--filter", "until=1h", "--filter", "until=2h"], "more than one until"),
                        (["system", "prune", "-f", "--volumes", "--filter", "until=1h"], "not supported with")):
        got = tare(*argv)
        assert got.rc == 1 and words in got.err, argv


def test_prune_is_alone(tare):
    tare.ok("ps")
    tare.runroot.mkdir(exist_ok=True)
    path = tare.runroot / "prune.containers"
    holder = subprocess.Popen(["flock", path, "sh", "-c", "echo; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        got = tare("container", "prune", "-f")
        assert got.rc == 1 and "a prune operation is already running" in got.err
        assert tare("image", "prune", "-f").rc == 0
    finally:
        holder.communicate(b"\n")
    assert tare("container", "prune", "-f").rc == 0


def test_monitor_killed(box):
    state = json.loads((box.runroot / "containers" / box.inspect("box")["Id"] / "state.json").read_text())
    os.kill(state["monitor"]["pid"], signal.SIGKILL)
    wait_until(lambda: box.state("box") == "exited", "the container to be found dead")
    # Nobody was there to tell; whoever looks does, also this command.
    box.ok("events", "--since", "0", "--until", now())
    assert actions(box, box.since) == ["die"]
    assert attributes(box, "die")["exitCode"] == "255"


def test_terminal_session(tare, terminal):  # noqa: F811
    t = terminal(tare.argv + ["run", "-it", "--network", "none", "--name", "c1", "busybox", "sh"])
    t.expect(b"/ # ")
    tare.ok("rm", "-f", "c1")
    t.wait(30)
    assert actions(tare, "0", "-f", "type=container")[:3] == ["create", "attach", "start"]


# ---------------------------------------------------------------- following

def lines_of(child, n):
    return [child.stdout.readline() for _ in range(n)]


def test_history_then_live(box):
    child = box.popen("events", "--since", box.since, "-f", "container=box", "--format", "{{.Action}}", text=True)
    box.ok("pause", "box")
    assert lines_of(child, 1) == ["pause\n"]
    box.ok("unpause", "box")
    assert lines_of(child, 1) == ["unpause\n"]
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == -signal.SIGINT


def test_follower_sleeps(box):
    child = box.popen("events")
    box.ok("pause", "box")
    child.stdout.readline()

    def switches():
        text = open("/proc/%d/status" % child.pid).read()
        return sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", text)))
    wait_until(lambda: open("/proc/%d/stat" % child.pid).read().rsplit(")", 1)[1].split()[0] == "S", "sleep")
    before = switches()
    time.sleep(1.5)
    assert switches() == before


def test_closed_pipe_ends_it(box):
    child = box.popen("events")
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % child.pid)) > 4, "its files")
    child.stdout.close()
    child.stdout = None
    assert child.wait(10) == 1


def test_until_ends_it(box):
    began = time.monotonic()
    child = box.popen("events", "--until", "%.3f" % (time.time() + 1.2), "--format", "{{.Action}}", text=True)
    box.ok("pause", "box")
    assert child.communicate(timeout=10)[0].splitlines()[-1] == "pause"
    assert time.monotonic() - began > 1
    assert child.returncode == 0


def test_writers_and_renames(tare):
    """Eight writers; a label makes each event large, so that the file is exchanged while they write. Nothing is lost,
    doubled, torn or out of order."""
    tare.ok("create", "--name", "seed", "busybox")
    child = tare.popen("events", "-f", "type=container", "-f", "event=create", "-f", "event=destroy", "--format",
                       '{{.Action}} {{.Actor.ID}}', stdout=open(tare.folder / "seen", "w"))
    wait_until(lambda: len(os.listdir("/proc/%d/fd" % child.pid)) > 4, "its files")
    label = "big=" + "x" * 60000
    script = 'for i in 1 2 3 4 5 6; do id=$("$@" create -l "$big" busybox) || exit 1; echo $id; "$@" rm $id >/dev/null || exit 1; done'
    writers = [subprocess.Popen(["sh", "-c", script, "sh"] + tare.argv, env=dict(os.environ, big=label),
                                stdout=subprocess.PIPE, text=True) for _ in range(8)]
    ids = [line for w in writers for line in w.communicate(timeout=100)[0].split()]
    assert all(w.returncode == 0 for w in writers) and len(ids) == 48

    def seen():
        return (tare.folder / "seen").read_text().splitlines()
    wait_until(lambda: len(seen()) >= 96, "96 events")
    got = seen()
    assert len(got) == 96 and (tare.root / "events" / "older").exists()
    for one in ids:
        assert got.index("create " + one) < got.index("destroy " + one) and got.count("create " + one) == 1
    assert (tare.root / "events" / "current").stat().st_size < 5 << 20


# ---------------------------------------------------------------- form

def test_line(box):
    line = box.ok("events", "--since", "0", "--until", now(), "-f", "event=start", env={"TZ": "Asia/Kolkata"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+05:30 container start [0-9a-f]{64} "
                        r"\(image=busybox, k=v, name=box\)", line)
    assert box.ok("events", "--since", "0", "--until", now(), "-f", "event=start", env={"TZ": "UTC"}).split()[0][-1] == "Z"


@pytest.mark.parametrize("value", ["a\nb", "x)\n2026-01-01T00:00:00Z container start 00 (a=b", "\x1b[2J", "\x07\x7f\x9b", "a, b=c)"])
def test_hostile_label(tare, value):
    tare.ok("create", "--name", "c1", "-l", "k=" + value, "busybox")
    out = tare("events", "--since", "0", "--until", now(), "-f", "type=container", binary=True).out
    assert out.count(b"\n") == 1 and not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", out)
    (event,) = events(tare, "0", "-f", "type=container")
    assert event["Actor"]["Attributes"]["k"] == value


def test_labels_do_not_lie(tare):
    tare("run", "--network", "none", "--name", "c1", "-l", "exitCode=0", "-l", "name=other", "busybox", "false")
    died = attributes(tare, "die")
    assert died["exitCode"] == "1" and died["name"] == "c1"


def test_damage_is_passed_over(box):
    with open(box.root / "events" / "current", "ab") as f:
        f.write(b'\x1e{"timeNano":1,"Type":"contai\nnonsense\n\0\0\0\n\x1e{"timeNano":' + b"9" * 30 + b'}\n')
    box.ok("pause", "box")
    assert actions(box, box.since) == ["pause"]
    assert actions(box)[-3:] == ["create", "start", "pause"]


@pytest.mark.parametrize("kind", ["file", "read-only", "full"])
def test_journal_that_cannot_be_written(tare, kind):
    """What happens to the journal costs a verb nothing."""
    tare.ok("create", "--name", "c0", "busybox")
    folder = tare.root / "events"
    subprocess.run(["rm", "-rf", folder], check=True)
    if kind == "file":
        folder.write_text("")
    elif kind == "read-only":
        folder.mkdir()
        (folder / "current").symlink_to("/nosuch/file")
    else:
        folder.mkdir()
        (folder / "current").symlink_to("/dev/full")
    assert tare("run", "--rm", "--network", "none", "busybox", "true").rc == 0
    assert tare("rm", "c0").rc == 0


def test_errors(tare):
    for argv, rc, words in ((["--format", "{{.Foo"], 64, "unclosed action"), (["--format", "{{.Foo}}"], 64, "can't evaluate field Foo"),
                            (["--since", "xx"], 1, 'failed to parse value as time or duration: "xx"'),
                            (["--filter", "xx"], 125, "bad format of filter"), (["xx"], 1, "accepts no arguments")):
        got = tare("events", *argv)
        assert got.rc == rc and words in got.err, argv
    got = tare("events", "--since", "0", "--until", "1", "--filter", "nosuch=1")
    assert got.rc == 0 and 'there is no filter "nosuch"' in got.err


# ---------------------------------------------------------------- tare's own log

def test_log_levels_and_forms(tare):
    assert tare("ps").err == ""
    assert "tare: trace: begins" in tare("ps", env={"TARE_LOG_LEVEL": "trace"}).err
    done = subprocess.run(tare.argv + ["--log-level", "debug", "--log-format", "json", "rm", "nosuch"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [set(line) for line in lines] == [{"ts", "level", "msg", "op", "id", "err"}] * len(lines)
    failed = [line for line in lines if line["level"] == "error"]
    assert failed[0]["op"] == "rm" and failed[0]["err"] == "No such container: nosuch"
    for option in (["--log-level", "loud"], ["--log-format", "xml"]):
        assert subprocess.run(tare.argv + option + ["ps"], stderr=subprocess.PIPE).returncode == 1
    for level in ("trace", "debug", "info", "notice", "warn", "error", "fatal"):
        assert subprocess.run(tare.argv + ["--log-level", level, "ps"], stdout=subprocess.DEVNULL).returncode == 0


def test_log_holds_no_secret(tare, tmp_path):
    """At the loudest level, of commands and monitors, in both forms."""
    (tmp_path / "env").write_text("FILE=CANARY-file\n")
    said = ""
    for form in ("text", "json"):
        argv = tare.argv + ["--log-level", "trace", "--log-format", form]
        for words in (["run", "-d", "--name", "c-" + form, "--network", "none", "-e", "A=CANARY-env", "--env-file",
                       str(tmp_path / "env"), "busybox", "sleep", "1000"],
                      ["exec", "-e", "B=CANARY-exec", "c-" + form, "true"],
                      ["run", "--rm", "--network", "none", "-e", "=CANARY-bad", "busybox", "true"],
                      ["stop", "-t", "0", "c-" + form]):
            done = subprocess.run(argv + words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            # The usage error quotes what was typed, as docker's does; it is no line of the log.
            said += "\n".join(line for line in done.stderr.splitlines() if not line.startswith("invalid argument"))
        said += (tare.root / "containers" / tare.inspect("c-" + form)["Id"] / "monitor.log").read_text()
    assert said.count("step clone") >= 2 and "step rmdir" in said
    assert "CANARY" not in said
    assert "CANARY" not in (tare.root / "events" / "current").read_text()
