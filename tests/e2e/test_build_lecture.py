# SPDX-License-Identifier: Apache-2.0
"""The two Dockerfiles everybody begins with: a file added to a small image, and a program that is compiled
in a fat stage and copied into a small one; with the compilers of C and of Go from Debian's packages, installed
by a step as one types it.
"""
import json
import re
import subprocess

import pytest

from builds import Context
from debian_apt import apt_install, proxy_arguments
from test_debian import debian, debian_tar  # noqa: F401 (fixtures)


@pytest.fixture
def context(tare, tmp_path):
    return Context(tare, tmp_path / "ctx")


def layers(tare, name):
    return json.loads(tare.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", name))


def size(tare, name):
    return int(tare.ok("image", "inspect", "-f", "{{.Size}}", name))


def files_of(tare, name):
    """Every path of the image that is no directory, and what is in it."""
    tare.ok("create", "--name", "look", "--network", "none", name)
    archive = subprocess.run(tare.argv + ["export", "look"], stdout=subprocess.PIPE, check=True).stdout
    tare.ok("rm", "look")
    names = subprocess.run(["tar", "-t"], input=archive, stdout=subprocess.PIPE, check=True).stdout.decode()
    return sorted(n for n in names.splitlines() if not n.endswith("/"))


# ---------------------------------------------------------------- one file more

def test_a_script(tare, context):
    context.write(Dockerfile='FROM busybox\nADD hello.sh .\nCMD ["sh", "hello.sh"]\n',
                  hello_sh='echo "Hello, $(whoami)!"\n')
    first = context.build(tag="hello")
    assert first.made() == ["ADD hello.sh ."]
    assert tare.ok("run", "--rm", "--network", "none", "hello") == "Hello, root!"
    second = context.build(tag="hello")
    assert (second.made(), second.cached()) == ([], ["ADD hello.sh ."])
    # Two layers, of which the first is the base's.
    assert len(layers(tare, "hello")) == 2 and layers(tare, "hello")[:1] == layers(tare, "busybox")
    rows = tare.ok("history", "--format", "{{.CreatedBy}}\t{{.Size}}", "--no-trunc", "hello").splitlines()
    assert rows[:2] == ['CMD ["sh" "hello.sh"]\t0B', "ADD hello.sh . # buildkit\t25B"]
    assert tare.ok("images", "--format", "{{.Size}}", "hello") == tare.ok("images", "--format", "{{.Size}}", "busybox")
    assert size(tare, "hello") == size(tare, "busybox") + 25


def test_another_script(tare, context):
    """The step is made again and no other; the name goes to the new image; the old one has none."""
    context.write(Dockerfile='FROM busybox\nADD hello.sh .\nRUN cat hello.sh >copy\nCMD ["sh", "copy"]\n',
                  hello_sh="echo one\n")
    context.build(tag="hello")
    old = tare.ok("images", "-q", "hello")
    context.write(hello_sh="echo two\n")
    assert context.build(tag="hello").made() == ["ADD hello.sh .", "RUN cat hello.sh >copy"]
    assert tare.ok("run", "--rm", "--network", "none", "hello") == "two"
    assert tare.ok("run", "--rm", "--network", "none", old) == "one"
    assert tare.ok("images", "-q", "--filter", "dangling=true") == old


# ---------------------------------------------------------------- a fat stage and a small image

C_PROGRAM = """\
#include <stdio.h>
int main(int argc, char **argv) { printf("hello, %s\\n", argc > 1 ? argv[1] : "C"); return argc > 2 ? 3 : 0; }
"""
TOOLS = "FROM debian:12 AS tools\n" + apt_install("gcc", "libc6-dev", "golang-go") + "\n"
C_IMAGE = TOOLS + """\
FROM tools AS build
WORKDIR /src
COPY hello.c .
RUN gcc -O2 -static -s -o hello hello.c

FROM busybox
COPY --from=build /src/hello /bin/hello
CMD ["hello"]
"""
GO_PROGRAM = """\
package main

import (
	"fmt"
	"runtime"
)

func main() { fmt.Println("hello,", runtime.GOARCH) }
"""
GO_IMAGE = TOOLS + """\
FROM tools AS build
WORKDIR /src
COPY go.mod main.go ./
ENV CGO_ENABLED=0
RUN --mount=type=cache,target=/root/.cache/go-build go build -ldflags "-s -w" -trimpath -o /hello .

FROM scratch
COPY --from=build /hello /
ENTRYPOINT ["/hello"]
"""


# One test, because the compilers are one long step; no image needs it as a layer, so it is never packed.
@pytest.mark.big
def test_compiled_in_a_fat_stage(debian, context, internet):  # noqa: F811
    check_c(debian, context)
    check_go(debian, context)
    shown = debian.ok("images", "--format", "{{.Repository}} {{.Size}}")
    print(shown)
    assert re.search(r"^debian 1[5-9]\dMB$", shown, re.M)
    assert len(re.findall(r"^hello-(?:c|go) [1-3]\.\d+MB$", shown, re.M)) == 2


def check_c(tare, context):
    context.write(Dockerfile=C_IMAGE, hello_c=C_PROGRAM)
    context.build(*proxy_arguments(), tag="hello-c", timeout=300)
    assert tare.ok("run", "--rm", "--network", "none", "hello-c") == "hello, C"
    assert tare("run", "--rm", "--network", "none", "hello-c", "hello", "you", "x").rc == 3
    assert sorted(set(files_of(tare, "hello-c")) - set(files_of(tare, "busybox"))) == ["bin/hello"]
    assert layers(tare, "hello-c")[:1] == layers(tare, "busybox") and len(layers(tare, "hello-c")) == 2
    # No proxies this time: they are no part of any key.
    assert set(context.build(tag="hello-c").steps.values()) == {"CACHED"}
    # Another comment: compiled again to the same bytes, and so the same image.
    before = tare.ok("images", "-q", "hello-c")
    again = context.write(hello_c="/* The same. */\n" + C_PROGRAM).build(tag="hello-c")
    assert again.made() == ["COPY hello.c .", "RUN gcc -O2 -static -s -o hello hello.c"]
    assert tare.ok("images", "-q", "hello-c") == before


def check_go(tare, context):
    context.write(Dockerfile=GO_IMAGE, main_go=GO_PROGRAM, go_mod="module hello\n\ngo 1.19\n")
    first = context.build(tag="hello-go", timeout=180)
    # The compilers, and the directory that the other Dockerfile makes as well.
    assert first.cached() == [name for name in sorted(first.steps) if "apt-get" in name or "WORKDIR" in name]
    assert re.fullmatch("hello, amd64|hello, arm64", tare.ok("run", "--rm", "--network", "none", "hello-go"))
    assert files_of(tare, "hello-go") == ["hello"]
    assert len(layers(tare, "hello-go")) == 1
    assert size(tare, "hello-go") < size(tare, "debian:12") / 50
    assert set(context.build(tag="hello-go").steps.values()) == {"CACHED"}
    # The compiler's own cache is beside the image, not in it: what is the same is not compiled again.
    got = context.write(main_go=GO_PROGRAM.replace("hello,", "hallo,")).build(tag="hello-go")
    assert len(got.made()) == 3
    assert tare.ok("run", "--rm", "--network", "none", "hello-go").startswith("hallo, ")
