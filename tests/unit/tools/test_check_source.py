# SPDX-License-Identifier: Apache-2.0
"""Each rule of tools/check-source.py can fail, and accepts what is right."""
import pathlib
import subprocess
import sys

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools/check-source.py"
HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* A file of the test. */\n"
PLACE = "/work/" + "main/x"
SHARED = ".." + "/shared/x"

# name, files (path -> text after the head, or the whole text when it starts with '!'), rule or None
CASES = [
    ("row above", {"src/engine/a.c": '#include "base/fd.h"\n'}, None),
    ("own module", {"src/engine/a.c": '#include "engine/b.h"\n'}, None),
    ("own row", {"src/json/a.c": '#include "sys/path.h"\n'}, "row"),
    ("row below", {"src/base/a.c": '#include "engine/a.h"\n'}, "row"),
    ("unknown module", {"src/misc/a.c": "\n"}, "row"),
    ("include without module", {"src/base/a.c": '#include "fd.h"\n'}, "row"),
    ("banned call", {"src/base/a.c": "int f(void)\n{\n\tstrcpy(a, b);\n}\n"}, "banned"),
    ("banned call in a test", {"tests/unit/a.c": "int f(void)\n{\n\treturn atoi(b);\n}\n"}, "banned"),
    ("banned name in comment and string", {"src/base/a.c": '/* strcpy(a) */\nstatic const char *x = "system(1)";\n'}, None),
    ("member of that name", {"src/oci/a.c": "int f(struct x *x)\n{\n\treturn x->open(1);\n}\n"}, None),
    ("longer name", {"src/oci/a.c": "int f(void)\n{\n\treturn blob_open(1);\n}\n"}, None),
    ("open by path", {"src/engine/a.c": "int f(void)\n{\n\treturn open(p, 0);\n}\n"}, "path"),
    ("open by path in sys", {"src/sys/a.c": "int f(void)\n{\n\treturn open(p, 0);\n}\n"}, None),
    ("with a reason", {"src/engine/a.c": "int f(void)\n{\n\treturn open(p, 0); /* lint: path chosen by the engine */\n}\n"}, None),
    ("reason on the line above", {"src/engine/a.c": "int f(void)\n{\n\t/* lint: path chosen by the engine */\n\treturn open(p, 0);\n}\n"}, None),
    ("reason for a file", {"src/engine/a.c": "/* lint file: paths chosen by the engine */\nint f(void)\n{\n\treturn open(p, 0);\n}\n"}, None),
    ("a file's reason does not cover a banned call", {"src/engine/a.c": "/* lint file: paths chosen by the engine */\nint f(void)\n{\n\treturn system(p);\n}\n"}, "banned"),
    ("empty reason", {"src/engine/a.c": "int f(void)\n{\n\treturn open(p, 0); /* lint: ok */\n}\n"}, "path"),
    ("no reason for a banned call", {"src/cli/a.c": "int f(void)\n{\n\treturn system(p); /* lint: path chosen by us */\n}\n"}, "banned"),
    ("fopen", {"src/engine/a.c": 'void f(void)\n{\n\tfopen(p, "r");\n}\n'}, "fopen"),
    ("fopen in cli", {"src/cli/a.c": 'void f(void)\n{\n\tfopen(p, "r");\n}\n'}, None),
    ("contract", {"src/base/a.h": "/* Says. */\nint f(void);\n"}, None),
    ("contract shared", {"src/base/a.h": "/* Say. */\nint f(void);\nint g(int a,\n\t  int b);\nint h(void);\n"}, None),
    ("contract missing", {"src/base/a.h": "\nint f(void);\n"}, "contract"),
    ("contract cut off by a blank line", {"src/base/a.h": "/* Says. */\nint f(void);\n\nint g(void);\n"}, "contract"),
    ("contract of a two-line prototype", {"src/base/a.h": "\nint f(int a,\n\t  int b);\n"}, "contract"),
    ("contract of an inline function", {"src/base/a.h": "\nstatic inline int f(void)\n{\n\treturn 1;\n}\n"}, "contract"),
    ("contract after a multi-line comment", {"src/base/a.h": "\n/*\n * Says\n * much.\n */\nint f(void);\n"}, None),
    ("struct, enum, forward, macro need none", {"src/base/a.h": "\nstruct x;\nstruct y {\n\tint (*f)(int);\n};\n#define Z(a) \\\n\tf(a)\nenum { A };\n"}, None),
    ("no licence line", {"src/base/a.c": "!/* A file. */\nint a;\n"}, "head"),
    ("no head comment", {"src/base/a.c": "!/* SPDX-License-Identifier: Apache-2.0 */\nint a;\n"}, "head"),
    ("script without licence", {"tools/a.py": "!print(1)\n"}, "head"),
    ("script with licence", {"tools/a.py": "!#!/usr/bin/python3\n# SPDX-License-Identifier: Apache-2.0\n"}, None),
    ("own header first", {"src/base/a.h": "\n", "src/base/a.c": '#include "base/a.h"\n\n#include <stdio.h>\n'}, None),
    ("own header late", {"src/base/a.h": "\n", "src/base/a.c": '#include <stdio.h>\n#include "base/a.h"\n'}, "include"),
    ("workplace", {"src/base/a.c": "/* see %s */\n" % PLACE}, "workplace"),
    ("workplace in a document", {"docs/a.md": "!see %s\n" % SHARED}, "workplace"),
    ("a work directory is no workplace", {"src/base/a.c": 'static const char *w = "/work/incompat";\n'}, None),
    ("build directories are not read", {"build-x/a.c": "!strcpy(a, b);\n"}, None),
]


@pytest.mark.parametrize("name,files,rule", CASES, ids=[c[0] for c in CASES])
def test_rule(tmp_path, name, files, rule):
    for path, text in files.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text[1:] if text.startswith("!") else HEAD + text)
    done = subprocess.run([sys.executable, TOOL, "--root", tmp_path], capture_output=True, text=True)
    rules = {line.split(": ")[1] for line in done.stdout.splitlines() if line.count(": ") >= 2}
    if rule is None:
        assert done.returncode == 0, done.stdout
        assert "no findings" in done.stdout
    else:
        assert done.returncode == 1
        assert rules == {rule}, done.stdout


def test_names_the_longest(tmp_path):
    body = "int long_one(void)\n{\n" + "\ta();\n" * 70 + "}\n\nint short_one(void)\n{\n\treturn 0;\n}\n"
    target = tmp_path / "src/base/a.c"
    target.parent.mkdir(parents=True)
    target.write_text(HEAD + body)
    done = subprocess.run([sys.executable, TOOL, "--root", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0
    assert "   72  src/base/a.c:4 long_one()" in done.stdout
    assert "2 functions, 1 over 60 lines" in done.stdout
