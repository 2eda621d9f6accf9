#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of the source that no compiler makes: what must never be, not what is a matter of taste.

    check-source.py [--root DIR]      prints PATH:LINE: RULE: TEXT for each finding; exit 1 if any

Rules
    row        a module includes only its own headers and those of modules in rows above (ROWS)
    banned     a call that is wrong everywhere (BANNED), in every C file
    path       a call that resolves a path by name (BY_PATH), in src/ outside base/ and sys/, unless the
               line or the one above says why: /* lint: path chosen by the engine */ or, for all of a
               file whose business it is, its head does: /* lint file: paths chosen by the engine */
    fopen      stdio files, in src/ outside cli/
    contract   each function a header declares has a comment before it, or shares that of the
               declarations it stands directly with
    head       each file starts with the SPDX line and has a comment that says what it is for
    include    the own header comes first
    workplace  no path of the place where somebody once worked on it

It then names the longest files and functions, for information. It reads text, not C: strings and
comments are blanked first, and the house layout (a function's braces in column 1) is relied upon.
"""
import argparse
import os
import re
import sys

ROWS = {
    "base": 0,
    "json": 1, "event": 1, "sys": 1, "archive": 1,
    "oci": 2, "plan": 2, "journal": 2,
    "runtime": 3, "storage": 3, "network": 3, "registry": 3, "dockerfile": 3,
    "monitor": 4, "transport": 4, "vm": 4,
    "engine": 5,
    "build": 6, "compose": 6, "lab": 6, "lint": 6, "scan": 6,
    "api": 7, "cli": 7,
    "seccomp": 8, "unpack": 8, "logz": 8, "dns": 8, "fetch": 8, "init": 8,      # helper programs with a main() of their own, used by no module
}
GENERATED = {"seccomp_table.h"}     # written by the build, included without a folder

BANNED = {
    "strcpy": "str.h", "strcat": "str.h", "stpcpy": "str.h", "strncat": "str.h", "sprintf": "snprintf or str.h",
    "vsprintf": "vsnprintf or str.h", "gets": "fd.h", "strtok": "strchr and lengths", "alloca": "the heap",
    "atoi": "num.h", "atol": "num.h", "atoll": "num.h", "atof": "num.h", "strtol": "num.h", "strtoul": "num.h",
    "strtoll": "num.h", "strtoull": "num.h",
    "system": "an argument vector", "popen": "an argument vector",
    "getpwnam": "the container's own passwd", "getpwuid": "the container's own passwd",
    "getpwnam_r": "the container's own passwd", "getpwuid_r": "the container's own passwd",
    "getgrnam": "the container's own group", "getgrgid": "the container's own group",
    "getgrouplist": "the container's own group", "initgroups": "the container's own group",
    "getaddrinfo": "numeric addresses", "gethostbyname": "numeric addresses", "dlopen": "a helper executable",
    "iconv_open": "UTF-8", "setlocale": "the C locale", "tmpnam": "an unnamed file", "mktemp": "an unnamed file",
}
BY_PATH = ("open stat lstat mkdir rmdir chmod chown lchown realpath mount umount umount2 unlink rename symlink link "
           "creat access opendir mknod mkfifo truncate chdir chroot readlink statfs").split()

CALL = r"(?<![\w.>])(?:%s)\s*\("
BANNED_RE = re.compile(CALL % "|".join(map(re.escape, BANNED)))
BY_PATH_RE = re.compile(CALL % "|".join(BY_PATH))
FOPEN_RE = re.compile(CALL % "fopen|freopen|fdopen")
REASON_RE = re.compile(r"/\* lint: \S.{9,} \*/")
INCLUDE_RE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
WORKPLACE_RE = re.compile(r"(?<![\w.])/work/(?:main|shared)\b|\.\./shared/|/tmp/(?:brief|build-)\b")
FILE_REASON_RE = re.compile(r"^/\* lint file: \S.{9,} \*/$", re.M)
SPDX = "SPDX-License-Identifier: Apache-2.0"
TEXT_ENDINGS = (".c", ".h", ".py", ".sh", ".md", ".build", ".txt", ".yml", ".yaml", ".toml", ".supp")
SKIP_DIRS = {".git", ".cache", "__pycache__", ".pytest_cache", "expected", "corpus"}


def blank(text, keep_comments=False):
    """TEXT with strings, character constants and comments replaced by spaces; lines stay where they are."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def spaces(m):
        word = m.group(0)
        if keep_comments and word.startswith("/"):
            return word
        return re.sub(r"[^\n]", " ", word)

    return token.sub(spaces, text)


class Checker:
    def __init__(self, root):
        self.root, self.findings = root, []
        self.files, self.functions = [], []

    def find(self, path, line, rule, text):
        self.findings.append("%s:%d: %s: %s" % (path, line, rule, text))

    # -- walking

    def paths(self):
        for folder, dirs, names in os.walk(self.root):
            rel = os.path.relpath(folder, self.root)
            dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS and not (rel == "." and d.startswith("build")))
            for name in sorted(names):
                yield os.path.normpath(os.path.join(rel, name))

    def run(self):
        for path in self.paths():
            if not path.endswith(TEXT_ENDINGS) and os.path.basename(path) not in ("Makefile", "run"):
                continue
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
                text = f.read()
            self.workplace(path, text)
            if path.endswith((".c", ".h")):
                self.c_file(path, text)
            elif path.endswith((".py", ".sh")):
                self.script(path, text)
        return self.findings

    def workplace(self, path, text):
        for no, line in enumerate(text.splitlines(), 1):
            if WORKPLACE_RE.search(line):
                self.find(path, no, "workplace", "a path of one machine: " + line.strip()[:80])

    def script(self, path, text):
        if SPDX not in "\n".join(text.split("\n")[:3]):
            self.find(path, 1, "head", "the first lines lack " + SPDX)

    # -- C

    def c_file(self, path, text):
        lines, code = text.split("\n"), blank(text).split("\n")
        parts = path.split(os.sep)
        in_src = parts[0] == "src"
        module = parts[1] if in_src and len(parts) > 2 else None
        self.head(path, lines)
        self.calls(path, lines, code, in_src, module)
        if in_src:
            self.files.append((len(lines) - 1, path))
            self.measure(path, code)
            self.includes(path, lines, module)
            if path.endswith(".h"):
                self.contracts(path, text)

    def head(self, path, lines):
        if lines[0] != "/* %s */" % SPDX:
            self.find(path, 1, "head", "the first line is not /* %s */" % SPDX)
        if not any(line.startswith("/*") for line in lines[1:8]):
            self.find(path, 2, "head", "no comment that says what the file is for")

    def calls(self, path, lines, code, in_src, module):
        excused = FILE_REASON_RE.search("\n".join(lines[:40]))
        for no, line in enumerate(code, 1):
            if line.lstrip().startswith("#"):
                continue
            for m in BANNED_RE.finditer(line):
                name = m.group(0).rstrip("( \t")
                self.find(path, no, "banned", "%s(); use %s" % (name, BANNED[name]))
            if not in_src or excused or REASON_RE.search("\n".join(lines[max(0, no - 2):no])):
                continue
            m = BY_PATH_RE.search(line)
            if m and module not in ("base", "sys"):
                self.find(path, no, "path", "%s) resolves a path by name; go through sys/path.h" % m.group(0))
            m = FOPEN_RE.search(line)
            if m and module != "cli":
                self.find(path, no, "fopen", "%s) outside cli; use base/fd.h" % m.group(0))

    def includes(self, path, lines, module):
        if module not in ROWS:
            self.find(path, 1, "row", "no module %r in the table of rows" % module)
            return
        own = "%s/%s.h" % (module, os.path.basename(path)[:-2])
        has_own = path.endswith(".c") and os.path.exists(os.path.join(self.root, "src", own))
        first = True
        for no, line in enumerate(lines, 1):
            m = INCLUDE_RE.match(line)
            if not m:
                continue
            if first and has_own and m.group(1) != own:
                self.find(path, no, "include", 'the first include is not "%s"' % own)
            first = False
            other = m.group(1).split("/")[0]
            if '"' not in line or other == module or m.group(1) in GENERATED:
                continue
            if other not in ROWS:
                self.find(path, no, "row", 'include "%s" as "module/file.h"' % m.group(1))
            elif ROWS[other] >= ROWS[module]:
                self.find(path, no, "row", "%s (row %d) must not know %s (row %d)"
                          % (module, ROWS[module], other, ROWS[other]))

    def contracts(self, path, text):
        """Each function prototype or inline function at depth 0 is covered by a comment."""
        code, kept = blank(text).split("\n"), blank(text, True).split("\n")
        covered, depth, statement, start = False, 0, "", 0
        for no, line in enumerate(code, 1):
            raw = kept[no - 1]
            if depth == 0 and not statement:
                if not raw.strip():
                    covered = False
                    continue
                if not line.strip() or re.match(r"\s*/\*", raw):    # a comment, or the inside of one
                    covered = True
                if not line.strip() or line.startswith("#") or code[no - 2].endswith("\\"):
                    continue
                start = no
            if "/*" in raw and depth == 0:
                covered = True
            if depth == 0:
                statement += " " + line.split("{")[0].strip()
            depth += line.count("{") - line.count("}")
            if depth == 0 and re.search(r"[;}]\s*$", line):
                m = re.search(r"(\w+)\s*\([^*]", statement + " ")
                is_type = re.match(r"\s*(typedef|extern \"C\")", statement)
                if m and "(" in statement and not is_type and not covered:
                    self.find(path, start, "contract", "%s() has no comment" % m.group(1))
                statement = ""

    def measure(self, path, code):
        begin, name = None, "?"
        for no, line in enumerate(code, 1):
            m = re.match(r"^[A-Za-z].*?(\w+)\(", line)
            if m and begin is None:
                name = m.group(1)
            if line.startswith("{"):
                begin = no
            elif line.startswith("}") and begin is not None:
                self.functions.append((no - begin + 1, "%s:%d %s()" % (path, begin, name)))
                begin = None

    def longest(self):
        for title, rows in (("longest files", self.files), ("longest functions", self.functions)):
            print("%s (information):" % title)
            for length, what in sorted(rows, reverse=True)[:5]:
                print("  %5d  %s" % (length, what))
        over = sum(1 for length, _ in self.functions if length > 60)
        print("%d functions, %d over 60 lines" % (len(self.functions), over))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    checker = Checker(ap.parse_args().root)
    findings = checker.run()
    print("\n".join(findings) if findings else "no findings")
    checker.longest()
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
