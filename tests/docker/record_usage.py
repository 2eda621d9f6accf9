#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records what docker's command line says before it would talk to a daemon.

    tests/docker/record_usage.py TARE

TARE is the built program: its tables say which commands and options there are to ask about. Written are
tests/data/usage.json (wrong words, options and numbers of arguments: exit status and standard error)
and tests/data/help.json (the page of every command). tests/e2e/test_usage.py asks tare the same.
"""
import json
import os
import pathlib
import subprocess
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
DOCKER = "docker"
NOWHERE = "unix:///nonexistent/docker.sock"
GROUPS = ("container", "image", "system", "volume")
NUMBERS = ("int", "uint16", "bytes", "duration", "decimal")
PROGRAM = [
    ["help", "nosuch"], ["help", "container", "nosuch"], ["help", "ps", "x"], ["help", "--nosuch"],
    ["--nosuch"], ["-z"], ["-Dz"], ["--config"], ["--config", "x", "nosuch"], ["nosuch"], ["nosuch", "-x"],
    ["nosuch", "x", "y"], ["--nosuch", "ps"], ["pss"], ["PS"], [""], ["-"], ["--", "ps", "--nosuch"],
    ["help", ""], ["ps", "help"], ["run", "-h"], ["run", "-hZ"], ["ls"], ["list"], ["remove", "x"],
    ["container", "list", "--nosuch"], ["container", "ps", "--nosuch"], ["image", "list", "--nosuch"],
    ["image", "remove"], ["container", "remove"], ["volume", "list", "x"], ["volume", "remove"],
    ["ps", "--help", "--nosuch"], ["ps", "-h=x"], ["ps", "--help=false", "x"],
]
OF_GROUP = [["help"], ["help", "ls"], ["nosuch"], ["nosuch", "x"], ["nosuch", "-x"], ["--nosuch"], ["-z"],
            ["help", "nosuch"], [""], ["-"], ["--help=x"], ["--nosuch", "ls"]]


def run(program, args, *options):
    done = subprocess.run([program, *options, *args], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    return done.returncode, done.stdout, done.stderr


def as_tare(text):
    return text.replace("https://docs.docker.com", "\0").replace("docker", "tare").replace("\0", "https://docs.docker.com")


def rows(page):
    """The first words of the lines that begin with exactly two blanks and no option."""
    return [line.split()[0] for line in page.splitlines() if line[:2] == "  " and line[2:3] not in (" ", "-")]


def options(page):
    """(--name, -n or None, type or None) of each option of a page."""
    for line in page.split("Options:\n")[-1].splitlines():
        words = line.split()
        if line[:8] == "      --":
            short, name = None, words[0]
        elif line[:3] == "  -" and line[4:8] == ", --":
            short, name = words[0].rstrip(","), words[1]
        else:
            continue
        after = line[line.index(name) + len(name):]
        yield name, short, None if not after or after.startswith("  ") else after.split()[0]


def cases_of(command, page):
    for tail in (["--nosuch"], ["--nosuch=1"], ["-Z"], ["--=x"], ["---x"], ["--help=maybe"]):
        yield command + tail
    for n in range(5):
        yield command + ["a"] * n
    for name, short, kind in options(page):
        if kind is None:
            yield command + [name + "=maybe"]
            continue
        yield command + [name]
        if short:
            yield command + [short]
        if kind in NUMBERS:
            yield command + [name, "zz"]
            yield command + [name + "="]


def is_before_the_daemon(status, err):
    """Whether docker said it by itself, and in the shape of a usage message."""
    return status != 0 and "Cannot connect" not in err and ("Run '" in err or "See '" in err or err.startswith("unknown help topic"))


def write(path, lines):
    version = as_json(run(DOCKER, ["--version"])[1].strip())
    path.write_text('{\n"recorded": %s,\n"rows": [\n%s\n]\n}\n' % (version, ",\n".join(lines)))


def as_json(value):
    return json.dumps(value, ensure_ascii=False)


def main():
    tare = sys.argv[1]
    commands = [[name] for name in rows(run(tare, ["--help"])[1]) if name not in GROUPS]
    for group in GROUPS:
        commands += [[group, name] for name in rows(run(tare, [group, "--help"])[1])]
    known, pages = [], []
    for command in commands + [[group] for group in GROUPS]:
        status, page, _ = run(DOCKER, command + ["--help"])
        # docker answers with the group's page when it does not know the command.
        if status == 0 and page.startswith("Usage:  docker " + " ".join(command)):
            known.append((command, page))
            pages.append(as_json([" ".join(command), as_tare(page)]))
    cases = [case for command, page in known if command[0] not in GROUPS or len(command) > 1
             for case in cases_of(command, page)]
    cases += PROGRAM + [[group] + case for group in GROUPS for case in OF_GROUP]
    lines = []
    for case in dict.fromkeys(map(tuple, cases)):
        where = [] if not case or case[0].startswith("-") else ["-H", NOWHERE]
        status, _, err = run(DOCKER, list(case), *where)
        if is_before_the_daemon(status, err):
            lines.append(as_json([list(case), status, as_tare(err)]))
    write(DATA / "usage.json", lines)
    write(DATA / "help.json", pages)
    print(len(lines), "cases,", len(pages), "pages")


if __name__ == "__main__":
    main()
