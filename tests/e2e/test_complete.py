# SPDX-License-Identifier: Apache-2.0
"""Completion: what `tare __complete` answers, and that bash, zsh and fish make of it what they should."""
import os
import shutil
import subprocess

import pytest

from conftest import PROGRAM
from terminal import terminal  # noqa: F401 (a fixture)


@pytest.fixture
def lot(tare):
    """Containers in three states, and a network."""
    tare.ok("network", "create", "shop")
    tare.ok("create", "--name", "made", "busybox")
    tare.ok("run", "-d", "--name", "live", "busybox", "sleep", "1000")
    tare.ok("run", "-d", "--name", "held", "busybox", "sleep", "1000")
    tare.ok("pause", "held")
    return tare


def complete(tare, *words):
    """The words that are offered, and the directive."""
    *lines, directive = tare.ok("__complete", *words).splitlines()
    return [line.split("\t")[0] for line in lines], int(directive.removeprefix(":"))


@pytest.mark.parametrize("words, names", [
    (["start", ""], ["made"]),
    (["stop", ""], ["held", "live"]),
    (["container", "exec", "-it", ""], ["live"]),
    (["attach", ""], ["live"]),
    (["unpause", ""], ["held"]),
    (["pause", ""], ["live"]),
    (["rm", ""], ["held", "live", "made"]),
    (["rm", "made", "-f", ""], ["held", "live"]),
    (["rm", "l"], ["live"]),
    (["logs", "live", ""], []),
    (["rmi", ""], ["busybox:latest"]),
    (["run", "--rm", "-it", "--name", "x", ""], ["busybox:latest"]),
    (["run", "--name", ""], []),
    (["inspect", ""], ["bridge", "busybox:latest", "held", "host", "live", "made", "none", "shop"]),
    (["run", "--network", "container:"], ["container:held", "container:live"]),
    (["run", "--network", "s"], ["shop"]),
    (["network", "rm", ""], ["bridge", "host", "none", "shop"]),
    (["network", "audit", ""], ["bridge", "held", "host", "live", "none", "shop"]),
    (["network", "graph", "s"], ["shop"]),
    (["network", "inspect", "bridge", "s"], ["shop"]),
    (["ps", "--filter", "network=s"], ["network=shop"]),
    (["network", "ls", "-f", "name=s"], ["name=shop"]),
    (["ps", "--filter", "name=l"], ["name=live"]),
    (["ps", "-f", "status=r"], ["status=removing", "status=restarting", "status=running"]),
    (["ps", "--filter=ancestor="], ["ancestor=busybox:latest"]),
    (["wait", "--", ""], ["held", "live", "made"]),
])
def test_names(lot, words, names):
    got, directive = complete(lot, *words)
    assert sorted(got) == names
    assert directive & 4


@pytest.mark.parametrize("words, offered, directive", [
    (["contai"], ["container"], 4),
    (["container", "unp"], ["unpause"], 4),
    (["help", "con"], ["container"], 4),
    (["help", "container", "unp"], ["unpause"], 4),
    (["run", "--restart", ""], ["always", "no", "on-failure", "unless-stopped"], 4),
    (["run", "--restart=un"], ["unless-stopped"], 4),
    (["kill", "-s", "SIGK"], ["SIGKILL"], 4),
    (["run", "--cap-drop", "CAP_SYS_T"], ["CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG"], 4),
    (["run", "--mount", "type=bind,so"], ["type=bind,source="], 6),
    (["run", "--log-driver", "j"], ["journald", "json-file"], 4),
    (["run", "--cgroupns", ""], ["host", "private"], 4),
    (["network", "create", "-d", ""], ["bridge", "ipvlan", "macvlan"], 4),
    (["network", "create", "-o", "macvlan"], ["macvlan_mode="], 6),
    (["volume", "create", "-d", ""], ["local"], 4),
    (["run", "--rm=t"], ["true"], 4),
    (["run", "--env-fi"], ["--env-file"], 4),
    (["run", "--env-file", ""], [], 0),
    (["run", "busybox", "--"], [], 0),
    (["exec", "x", "-"], [], 0),
    (["--log-level", "w"], ["warn"], 4),
    (["--root", ""], [], 16),
    (["image", "ls", "--filter", "dang"], ["dangling="], 6),
    (["image", "ls", "--filter", "dangling=t"], ["dangling=true"], 4),
    (["image", "prune", "--filter", "la"], ["label=", "label!="], 6),
    (["events", "--filter", "type=v"], ["type=volume"], 4),
    (["volume", "ls", "-f", "dr"], ["driver="], 6),
    (["completion", ""], ["bash", "fish", "zsh"], 4),
    (["nosuch", ""], [], 0),
    (["load", ""], [], 4),
])
def test_words(tare, words, offered, directive):
    assert complete(tare, *words) == (offered, directive)
    assert not tare.root.exists() or not list(tare.root.iterdir()), "looking makes nothing"


def test_options_of_every_command(tare):
    """What help lists is offered, and --help itself."""
    help_page = tare.ok("ps", "--help")
    offered, _ = complete(tare, "ps", "--")
    assert "--help" in offered
    assert {w for w in help_page.split() if w.startswith("--")} <= set(offered) | {"--quiet"}


def test_texts(tare):
    assert tare.ok("__complete", "pau") == "pause\tPause all processes within one or more containers\n:4"
    assert tare.ok("__completeNoDesc", "pau") == "pause\n:4"
    assert tare.ok("__complete") == tare.ok("__complete", "")


# ---------------------------------------------------------------- shells

@pytest.fixture
def shell(tare, tmp_path):
    """Runs a script of a shell with the completion in $1 and more words after it, in a folder with two files."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tare").symlink_to(PROGRAM)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/file one").touch(), (tmp_path / "here/folder").mkdir()

    def run(name, script, *words):
        if not shutil.which(name):
            pytest.skip(name + " is not installed")
        path = tmp_path / ("completion." + name)
        path.write_text(tare.ok("completion", name))
        env = dict(os.environ, PATH="%s:%s" % (tmp_path / "bin", os.environ["PATH"]), HOME=str(tmp_path),
                   TARE_ROOT=str(tare.root), TARE_RUNROOT=str(tare.runroot))
        argv = [name, *(["-f"] if name == "zsh" else []), "-c", script, *([name] if name != "fish" else []), str(path), *words]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path / "here")
        assert (done.returncode, done.stderr) == (0, "")
        return sorted(done.stdout.splitlines())
    return run


LINES = [
    ("tare contai", ["container"]),
    ("tare stop l", ["live"]),
    ("tare run --restart un", ["unless-stopped"]),
    ("tare start ", ["made"]),
    ("tare nosuch x", []),
]


@pytest.mark.parametrize("line, offered", LINES + [
    ("tare rm 'li", ["live"]),
    ("tare rm \"l", ["live"]),
    ("tare rm he\\l", ["held"]),
    ("tare rm 'a b' l", ["live"]),
    ("tare exec -it \"he", []),
    ("tare rmi busybox:", ["latest"]),
    ("tare run --restart=un", ["unless-stopped"]),
    ("tare ps --filter name=l", ["live"]),
    ("tare cp live", ["live:"]),
    ("tare cp fi", []),  # readline then offers files by itself
    ("tare --root f", ["folder"]),
    ("tare -- stop l", ["live"]),
])
def test_bash(lot, shell, line, offered):
    script = r"""
        . "$1"; COMP_LINE=$2; COMP_POINT=${#COMP_LINE}
        COMP_WORDS=(unused); COMP_CWORD=0
        _tare tare "" ""; printf '%s\n' "${COMPREPLY[@]}" | sed '/^$/d'"""
    assert shell("bash", script, line) == offered


def test_bash_with_the_alias(shell):
    """`alias docker=tare` completes too; without the alias docker's own completion is left alone."""
    script = "shopt -s expand_aliases\n%s\n. \"$1\"; complete -p docker 2>/dev/null; true"
    assert shell("bash", script % "alias docker=tare") == ["complete -o default -F _tare docker"]
    assert shell("bash", script % ":") == []


def test_bash_for_a_person(lot, shell, terminal, tmp_path):
    """Really typed: the tab key finishes the word, and a blank follows."""
    shell("bash", "true")
    env = {"PATH": "%s:%s" % (tmp_path / "bin", os.environ["PATH"]), "TARE_ROOT": str(lot.root), "PS1": "ready> ",
           "TARE_RUNROOT": str(lot.runroot), "INPUTRC": "/dev/null", "HISTFILE": ""}
    t = terminal(["bash", "--norc", "--noprofile", "-i"], env=env)
    t.expect(b"ready> ")
    t.write(b". %s/completion.bash\r" % os.fsencode(tmp_path))
    t.expect(b"ready> ")
    t.write(b"echo one; tare unpa\thel\t")
    t.expect(b"tare unpause held ")
    t.write(b"\x15exit\r")
    assert t.wait(30) is not None


@pytest.mark.parametrize("line, offered", LINES + [
    ("tare run --restart=un", ["--restart=unless-stopped"]),
    ("tare rmi busybox:", ["busybox:latest"]),
    ("tare ps --filter name=l", ["name=live"]),
    ("tare run --env-file fi", ["file one"]),
])
def test_fish(lot, shell, line, offered):
    got = shell("fish", "source $argv[1]; complete -C $argv[2]", line)
    assert [one.split("\t")[0].replace("\\ ", " ") for one in got] == offered


@pytest.mark.parametrize("words, offered", [
    (["tare", "contai"], ["container"]),
    (["tare", "stop", "l"], ["live"]),
    (["tare", "run", "--restart", "un"], ["unless-stopped"]),
    (["tare", "run", "--restart=un"], ["unless-stopped"]),
    (["tare", "rmi", "busybox:"], ["busybox:latest"]),
    (["tare", "run", "--env-file", ""], ["FILES"]),
    (["tare", "--root", ""], ["FILES -/"]),
    (["tare", "ps", "--filter", "name=l"], ["name=live"]),
    (["tare", "nosuch", ""], ["FILES"]),
])
def test_zsh(lot, shell, words, offered):
    """The function itself, with what zsh's line editor provides replaced by functions that print."""
    script = r"""
        compadd() { print -rl -- "${names[@]}" }
        compset() { PREFIX=${PREFIX#*=} }
        _files() { print -r -- FILES "$@" }
        compdef() { }
        source "$1"; shift
        words=("$@"); CURRENT=$#; PREFIX=${words[-1]}
        _tare"""
    assert shell("zsh", script, *words) == offered
