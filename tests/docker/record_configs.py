#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What BuildKit makes of the configurations of images: writes tests/data/build-configs.json.

    record_configs.py [--docker /usr/bin/docker] [--tare build/tare]

The Dockerfiles are those of tests/data/build-graph that need nothing but a base image: no other
image, context or platform, no here-document and no flag that came after the BuildKit in docker 20.10,
which Debian has and whose own command line (not buildx) speaks to it. Commands of RUN are replaced by
one that works. A private daemon (setup-docker.sh) gets the busybox that tare brings along. What it
refuses is not recorded; LATER names what BuildKit does otherwise by now.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"
FILES = ["arguments.txt", "configurations.txt", "stages.txt"]
OPTIONS = {"arg": "--build-arg", "label": "--label", "target": "--target"}
TOO_NEW = re.compile(r"<<|--mount|--network|--security|--chmod|--link|--parents|--exclude|--checksum|--from=")
MEMBERS = ("Env", "Cmd", "Entrypoint", "Labels", "ExposedPorts", "Volumes", "User", "WorkingDir", "StopSignal",
           "Shell", "OnBuild", "Healthcheck", "ArgsEscaped")
LATER = {
    "within one ARG the second sees the first": "since Dockerfile 1.11",
}


def read_cases(path):
    case = None
    for line in path.read_text().split("\n"):
        if line.startswith("== "):
            if case:
                yield case
            case, part = {"name": line[3:], "options": [], "file": []}, 0
        elif line == "--" and case and part < 2:
            part += 1
        elif case and part == 0 and line and not line.startswith("#"):
            case["options"].append(line.partition(" ")[::2])
        elif case and part == 1:
            case["file"].append(line)
    if case:
        yield case


def usable(case):
    text = "\n".join(case["file"])
    return all(key in OPTIONS for key, _ in case["options"]) and not TOO_NEW.search(text) \
        and case["name"] not in LATER and not re.search(r"^FROM (?!busybox|scratch|\$|[a-zA-Z]+$)", text, re.M)


def dockerfile(case):
    """Commands do nothing, but there they are."""
    lines = [re.sub(r"^(ONBUILD )?(RUN|run) .*", r"\1RUN :", line) for line in case["file"]]
    return "\n".join(lines) + "\n"


def record(docker, case, folder):
    text = dockerfile(case)
    options = [word for key, value in case["options"] for word in (OPTIONS[key], value)]
    got = subprocess.run([*docker, "build", "-q", "-t", "im", "-f", "-", *options, folder], input=text.encode(),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if got.returncode:
        return None
    image = json.loads(subprocess.check_output([*docker, "image", "inspect", "im"]))[0]
    history = subprocess.check_output([*docker, "history", "--no-trunc", "--format", "{{json .CreatedBy}}", "im"])
    return {"name": case["name"], "dockerfile": text, "options": options, "author": image["Author"],
            "config": {key: image["Config"][key] for key in MEMBERS if image["Config"].get(key)},
            "history": [json.loads(line) for line in history.decode().splitlines() if line][::-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--docker", default="/usr/bin/docker")
    parser.add_argument("--tare", default=HERE.parent.parent / "build" / "tare")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        daemon, folder = top + "/daemon", top + "/context"
        os.mkdir(folder)
        for name in "abfx":
            pathlib.Path(folder, name).write_text(name)
        subprocess.check_call(["sh", HERE / "setup-docker.sh", "start", daemon])
        try:
            docker = [args.docker, "-H", "unix://" + daemon + "/docker.sock"]
            os.environ["DOCKER_BUILDKIT"] = "1"
            state = ["--root", top + "/r", "--runroot", top + "/n"]
            subprocess.check_call([args.tare, *state, "run", "--rm", "busybox", "true"])
            subprocess.check_call([args.tare, *state, "save", "-o", top + "/busybox.tar", "busybox"])
            subprocess.check_call([*docker, "load", "-q", "-i", top + "/busybox.tar"])
            version = subprocess.check_output([*docker, "version", "--format", "{{.Server.Version}}"]).decode().strip()
            cases = [record(docker, case, folder) for name in FILES for case in read_cases(DATA / "build-graph" / name)
                     if usable(case)]
        finally:
            subprocess.call(["sh", HERE / "setup-docker.sh", "stop", daemon])
    cases = [case for case in cases if case]
    (DATA / "build-configs.json").write_text(
        json.dumps({"recorded_from": "BuildKit in docker " + version, "cases": cases}, indent=1) + "\n")
    print(len(cases), "cases recorded")


if __name__ == "__main__":
    main()
