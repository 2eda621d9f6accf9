# SPDX-License-Identifier: Apache-2.0
"""What tests of build share: a context that is written from a dict, and what a build said of its steps.

Steps are told apart by what they do, "RUN make", without the "[2/5]" before it: numbers change when
a step is added.
"""
import re


class Context:
    """A directory with a Dockerfile."""

    def __init__(self, tare, folder):
        self.tare, self.folder = tare, folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, **files):
        """Files by name; "__" in a name is "/", a name without a point is the Dockerfile's."""
        for name, text in files.items():
            self.put({"Dockerfile": "Dockerfile"}.get(name, name.replace("__", "/").replace("_", ".")), text)
        return self

    def put(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    def build(self, *options, tag="im", **more):
        """The Build that must succeed."""
        got = self.run(*options, tag=tag, **more)
        assert got.rc == 0, got.err
        return got

    def run(self, *options, tag="im", **more):
        tags = ["-t", tag] if tag else []
        return Build(self.tare("build", "--progress=plain", *tags, *options, str(self.folder), **more))


class Build:
    def __init__(self, result):
        self.rc, self.out, self.err = result
        self.steps = steps_of(self.err)

    def made(self):
        """The steps that were not cached, sorted."""
        return sorted(name for name, state in self.steps.items() if state == "DONE")

    def cached(self):
        return sorted(name for name, state in self.steps.items() if state == "CACHED")


def steps_of(text):
    """{"RUN make": "DONE"} of the plain progress."""
    names, states = {}, {}
    for line in text.splitlines():
        m = re.match(r"#(\d+) (.*)", line)
        if not m:
            continue
        number, rest = m.groups()
        begun = re.match(r"\[(?:(\S+) )?\d+/\d+\] (.*)", rest)
        if begun and number not in names:
            names[number] = begun.group(2)
        ended = re.match(r"(DONE|CACHED|ERROR|CANCELED)\b", rest)
        if ended and number in names:
            states[names[number]] = ended.group(1)
    return {name: state for name, state in states.items() if not name.startswith("FROM ")}
