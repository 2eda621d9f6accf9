# SPDX-License-Identifier: Apache-2.0
"""Help pages and complaints about the command line itself, compared with what docker's said.

tests/data/usage.json and help.json are docker's words (tests/docker/record_usage.py). Pages may differ where
tare has options and commands of its own, and where docker speaks of its daemon: those are listed here.
"""
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import PROGRAM, REPO

DATA = REPO / "tests/data"

# Texts of ours: docker's name something that is not there.
OWN_TEXTS = {
    "--cgroupns": "the host, and the default of tare instead of the daemon's",
}
OWN_SUMMARIES = {
    "Show the Docker version information": "Show the version information",
    "Return low-level information on Docker objects": "Return low-level information on objects",
    "Manage Docker": "Manage tare",
}
# Commands of docker's groups that are not there.
NOT_THERE = {"container": set(), "image": {"push"}, "system": set(), "volume": {"update"}}


def load(name):
    return json.loads((DATA / name).read_text())["rows"]


def run(tmp_path, args):
    argv = [PROGRAM, *args]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TARE_ROOT": str(tmp_path / "root"),
           "TARE_RUNROOT": str(tmp_path / "run")}
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=env)


def test_usage_errors(tmp_path):
    rows = load("usage.json")
    assert len(rows) > 1500

    def differs(row):
        args, status, err = row
        done = run(tmp_path, args)
        if (done.returncode, done.stdout, done.stderr) == (status, "", err):
            return None
        return "%s\n  docker %d %r\n  tare   %d %r" % (args, status, err, done.returncode, done.stderr)

    with ThreadPoolExecutor(2) as pool:
        wrong = [text for text in pool.map(differs, rows) if text]
    assert not wrong, "%d differ:\n%s" % (len(wrong), "\n".join(wrong[:10]))
    assert not list(tmp_path.iterdir()), "a wrong command line makes no directories"


def parts(page):
    """What stands before the options, the options as {name: text}, and what follows them."""
    head, _, rest = page.partition("\nOptions:\n")
    options, after, name = {}, [], None
    for line in rest.splitlines():
        words = line.split()
        if line[:8] == "      --" or (line[:3] == "  -" and line[4:8] == ", --"):
            name = words[0] if words[0].startswith("--") else words[1]
            options[name] = line.strip()
        elif line.startswith("      ") and not after:
            options[name] += " " + line.strip()
        else:
            after.append(line)
    return head, {k: " ".join(v.split()) for k, v in options.items()}, [a for a in after if a]


@pytest.mark.parametrize("command, page", [pytest.param(*row, id=row[0]) for row in load("help.json")])
def test_help(tmp_path, command, page):
    done = run(tmp_path, [*command.split(), "--help"])
    assert (done.returncode, done.stderr) == (0, "")
    if command in NOT_THERE:
        ours, theirs = set(done.stdout.splitlines()), set(page.splitlines())
        missing = {line.split()[0] for line in theirs - ours if line not in OWN_SUMMARIES}
        assert missing == NOT_THERE[command]
        return
    head, options, after = parts(done.stdout)
    docker_head, docker_options, docker_after = parts(page)
    for theirs, ours in OWN_SUMMARIES.items():
        docker_head = docker_head.replace("\n%s\n" % theirs, "\n%s\n" % ours)
    assert head.strip() == docker_head.strip()
    for name, text in docker_options.items():
        assert name in options
        if name not in OWN_TEXTS:
            assert options[name] == text
    assert after[:len(docker_after)] == docker_after


def test_program_help(tmp_path):
    """Alone on standard error, asked for on standard output; both end well."""
    alone, asked, helped = (run(tmp_path, args) for args in ([], ["--help"], ["help"]))
    assert (alone.returncode, asked.returncode, helped.returncode) == (0, 0, 0)
    assert alone.stderr == asked.stdout == helped.stdout
    assert alone.stdout == asked.stderr == ""
    assert asked.stdout.startswith("Usage:  tare [OPTIONS] COMMAND\n")


@pytest.mark.parametrize("args", [["--help", "ps"], ["help", "ps"], ["ps", "--help"], ["ps", "-a", "--help"]])
def test_ways_to_ask(tmp_path, args):
    assert run(tmp_path, args).stdout == run(tmp_path, ["ps", "--help"]).stdout


def test_old_shorthand(tmp_path):
    """-h is help with a remark, on the stream where docker has it."""
    remark = "Flag shorthand -h has been deprecated, use --help\n"
    assert run(tmp_path, ["-h"]).stderr == remark
    assert run(tmp_path, ["ps", "-h"]).stdout.startswith(remark + "Usage:  tare ps")
    assert run(tmp_path, ["container", "-h"]).stdout.startswith(remark + "Usage:  tare container")
