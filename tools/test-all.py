#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything `make test` runs after the packages are there: builds, tests, lint, virtual machine.

A stage is a row of STAGES: a command, what must have ended before it, how many of the two slots it
takes (one that measures or uses every processor takes both), and how its results are counted. A
line tells when a stage ends, with its time; the output of a failed one follows, and each is kept in
build/test-logs/NAME.log. A stage that needs a failed build is counted as one failure.

The last line is the sum over all suites: "N passed, N failed, N skipped". Exit status 0 only when
nothing failed and something passed.

    test-all.py [STAGE...]        only these stages and what they need; --list names them
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "build", "test-logs")
SLOTS = 2
JOBS = os.environ.get("JOBS") or str(os.cpu_count())
WORKERS = os.environ.get("TARE_TEST_WORKERS") or str(min(4, max(2, os.cpu_count())))
TARE = os.path.join(ROOT, "build", "tare")

Count = namedtuple("Count", "passed failed skipped")
# count: how the log or the files of the stage become a Count; None for a stage that only builds.
Stage = namedtuple("Stage", "name command slots after count timeout")


# ---------------------------------------------------------------- counting

def count_meson(build):
    """cmocka's own totals of each test program; a program that died counts as one failure."""
    total = [0, 0, 0]
    with open(os.path.join(ROOT, build, "meson-logs", "testlog.json"), encoding="utf-8") as f:
        programs = [json.loads(line) for line in f]
    for program in programs:
        text = program.get("stdout", "") + program.get("stderr", "")
        found = [sum(int(n) for n in re.findall(r"\[  %s *\] (\d+) test" % word, text))
                 for word in ("PASSED", "FAILED", "SKIPPED")]
        good = program["result"] in ("OK", "EXPECTEDFAIL")
        if program["result"] == "SKIP":
            found = [0, 0, found[2] or 1]
        elif good and not sum(found):
            found = [1, 0, 0]
        elif not good and not found[1]:
            found[1] = 1
        total = [a + b for a, b in zip(total, found)]
    return Count(*total)


def count_junit(name):
    suites = ElementTree.parse(os.path.join(LOGS, name + ".xml")).getroot().iter("testsuite")
    tests = failed = skipped = 0
    for suite in suites:
        tests += int(suite.get("tests"))
        failed += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    return Count(max(0, tests - failed - skipped), failed, skipped)


def count_lines(name):
    """Lines "ok WHAT", "not ok WHAT", "ok WHAT # SKIP why"."""
    total = [0, 0, 0]
    with open(os.path.join(LOGS, name + ".log"), encoding="utf-8", errors="replace") as f:
        for line in f:
            m = re.match(r"(not )?ok \S.*?(# SKIP.*)?$", line.rstrip())
            if m:
                total[1 if m.group(1) else 2 if m.group(2) else 0] += 1
    return Count(*total)


# ---------------------------------------------------------------- the stages

def setup(build, *options, cc="gcc"):
    return "[ -f %s/build.ninja ] || CC=%s meson setup %s %s && ninja -C %s -j %s" % (
        build, cc, " ".join(options), build, build, JOBS)


def unit(build):
    return "meson test -C %s --no-suite vm --no-rebuild --print-errorlogs --num-processes %s" % (build, JOBS)


def pytest(name, *arguments):
    return " ".join(["TARE='%s'" % TARE, sys.executable, "-m pytest -q -p no:cacheprovider",
                     "--junitxml='%s/%s.xml'" % (LOGS, name)] + list(arguments))


SAN = "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "
SAN_OPTIONS = "-Dstatic=false", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dbuildtype=debugoptimized"

STAGES = [
    Stage("build-gcc", setup("build"), 2, [], None, 300),
    Stage("unit-gcc", unit("build"), 2, ["build-gcc"], lambda: count_meson("build"), 180),
    Stage("e2e", pytest("e2e", "-n", WORKERS, "tests/e2e"), 2, ["build-gcc"], lambda: count_junit("e2e"), 2400),
    Stage("build-clang", setup("build-clang", cc="clang"), 2, [], None, 300),
    Stage("unit-clang", unit("build-clang"), 2, ["build-clang"], lambda: count_meson("build-clang"), 180),
    Stage("build-san", setup("build-san", *SAN_OPTIONS), 2, [], None, 300),
    Stage("unit-san", SAN + unit("build-san"), 2, ["build-san"], lambda: count_meson("build-san"), 400),
    Stage("tools", pytest("tools", "tests/unit/tools"), 1, [], lambda: count_junit("tools"), 60),
    Stage("test-vm", "tests/vm/all.sh build", 1, ["build-gcc"],
          lambda: count_lines("test-vm"), 400),
    Stage("docker-cases", "%s tests/docker/check.py --tare '%s'" % (sys.executable, TARE), 1, ["build-gcc"],
          lambda: count_lines("docker-cases"), 1800),
    Stage("lint", "JOBS=1 tools/lint.sh build", 1, ["build-gcc"], lambda: count_lines("lint"), 1200),
]


# ---------------------------------------------------------------- running

class Runner:
    """Starts a stage as soon as its predecessors are done and enough slots are free, in table order."""

    def __init__(self, stages):
        self.stages, self.state = stages, {}      # name -> "running", "good", "bad"
        self.free, self.total = SLOTS, [0, 0, 0]
        self.changed = threading.Condition()

    def run(self):
        waiting, threads = list(self.stages), []
        with self.changed:
            while waiting:
                stage = next((s for s in waiting if self.is_ready(s)), None)
                if stage is None:
                    self.changed.wait()
                    continue
                waiting.remove(stage)
                if any(self.state.get(need) == "bad" for need in stage.after):
                    self.end(stage, False, Count(0, 1, 0), 0.0, "not run: what it needs failed")
                    continue
                self.state[stage.name], self.free = "running", self.free - stage.slots
                threads.append(threading.Thread(target=self.work, args=(stage,)))
                threads[-1].start()
        for thread in threads:
            thread.join()
        return Count(*self.total)

    def is_ready(self, stage):
        wanted = [self.state.get(need, "good" if need not in {s.name for s in self.stages} else None)
                  for need in stage.after]
        return stage.slots <= self.free and all(w in ("good", "bad") for w in wanted)

    def work(self, stage):
        start, path = time.monotonic(), os.path.join(LOGS, stage.name + ".log")
        with open(path, "wb") as log:
            child = subprocess.Popen(["sh", "-c", stage.command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=subprocess.STDOUT, start_new_session=True)
            try:
                rc = child.wait(stage.timeout)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, 15)
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(child.pid, 9)
                    child.wait()
                rc = "timeout after %d s" % stage.timeout
        count = self.count(stage, rc)
        with self.changed:
            self.free += stage.slots
            with open(path, encoding="utf-8", errors="replace") as f:
                tail = "" if rc == 0 and not count.failed else "".join(f.readlines()[-80:])
            self.end(stage, rc == 0 and not count.failed, count, time.monotonic() - start,
                     tail + ("" if rc == 0 else "(%s: %s)" % (stage.name, rc if isinstance(rc, str) else "exit %s" % rc)))
            self.changed.notify_all()

    @staticmethod
    def count(stage, rc):
        """A command that fails without a failure in its count is one failure."""
        count = Count(0, 0, 0)
        if stage.count:
            try:
                count = stage.count()
            except (OSError, ValueError, ElementTree.ParseError):
                count = Count(0, 1, 0)
        if rc != 0 and not count.failed:
            count = count._replace(failed=1)
        if rc == 0 and stage.count and not sum(count):
            count = Count(0, 1, 0)      # a suite that ran nothing proves nothing
        return count

    def end(self, stage, good, count, seconds, output):
        self.state[stage.name] = "good" if good else "bad"
        self.total = [a + b for a, b in zip(self.total, count)]
        what = "built" if good and not stage.count else "%d passed, %d failed, %d skipped;" % count
        print("%-4s %-13s %s %.1f s" % ("ok" if good else "FAIL", stage.name, what, seconds), flush=True)
        if not good:
            print("".join("     | %s\n" % line for line in output.splitlines()), end="", flush=True)


def chosen(names):
    """The stages NAMES and, before them, what they need."""
    if not names:
        return STAGES
    wanted, by_name = set(), {s.name: s for s in STAGES}
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in by_name:
            sys.exit("no such stage: %s" % name)
        wanted.add(name)
        queue += by_name[name].after
    return [s for s in STAGES if s.name in wanted]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("stage", nargs="*")
    ap.add_argument("--list", action="store_true")
    args = ap.parse_args()
    if args.list:
        print("\n".join(s.name for s in STAGES))
        return 0
    os.makedirs(LOGS, exist_ok=True)
    for old in glob.glob(os.path.join(LOGS, "*")):
        os.unlink(old)
    start = time.monotonic()
    total = Runner(chosen(args.stage)).run()
    print("all stages in %.0f s" % (time.monotonic() - start))
    print("%d passed, %d failed, %d skipped" % total)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
