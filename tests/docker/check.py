#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the recorded docker cases of the areas that tare covers and prints one line for each.

    check.py --tare PROGRAM [--all] [AREA...]

"ok AREA/NAME", "not ok AREA/NAME" with what differs above it, "ok AREA/NAME # SKIP why" for the cases
of not-yet.txt. --all runs those too and names the ones that pass by now. A name in not-yet.txt that
is no case is an error, so that the list cannot rot. Exit status 1 when a case fails.

The areas are divided among JOBS (2) runs of run.py, each with its own namespaces and its own state.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
AREAS = ["run", "exec", "exit", "ps", "lifecycle", "logs", "inspect", "images", "errors", "help", "security",
         "mounts", "files", "events", "health", "restart", "volume", "template", "attach", "update", "stats", "cp", "prune", "network", "build"]


def not_yet(known):
    """AREA/NAME -> reason; a line is "AREA/NAME reason", # starts a comment."""
    listed = {}
    with open(os.path.join(HERE, "not-yet.txt"), encoding="utf-8") as f:
        for no, line in enumerate(f, 1):
            case, _, reason = line.split("#")[0].strip().partition(" ")
            if not case:
                continue
            if case not in known:
                sys.exit("not-yet.txt:%d: no such case: %s" % (no, case))
            if not reason.strip():
                sys.exit("not-yet.txt:%d: %s has no reason" % (no, case))
            listed[case] = reason.strip()
    return listed


def run_cases(tare, cases):
    """The rows run.py wrote for CASES; a run that did not get that far is reported as text."""
    if not cases:
        return [], ""
    with tempfile.TemporaryDirectory(prefix="tare-cases-") as folder:
        results = os.path.join(folder, "results")
        command = [sys.executable, os.path.join(HERE, "run.py"), "--engine", "tare", "--results", results]
        for case in cases:
            command += ["--filter", case]
        done = subprocess.run(command, env=dict(os.environ, TARE=tare), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if not os.path.exists(results):
            return [], done.stdout
        with open(results, encoding="utf-8") as f:
            return [json.loads(line) for line in f], ""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--tare", default=os.environ.get("TARE", "tare"))
    ap.add_argument("--all", action="store_true")
    ap.add_argument("areas", nargs="*", default=AREAS, metavar="AREA")
    args = ap.parse_args()
    listing = subprocess.run([sys.executable, os.path.join(HERE, "run.py"), "--engine", "tare", "--list"],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
    known = [line for line in listing.split() if "/" in line]
    skip = not_yet(set(known))
    wanted = [c for c in known if c.split("/")[0] in args.areas and (args.all or c not in skip)]
    jobs = max(1, int(os.environ.get("CASE_JOBS", "2")))
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for rows, trouble in pool.map(lambda part: run_cases(args.tare, part), [wanted[i::jobs] for i in range(jobs)]):
            if trouble:
                print(trouble)
                print("not ok run.py")
                failed += 1
            for row in rows:
                if not row["pass"] and row["case"] not in skip:
                    print("\n".join(row["why"]))
                    print("not ok " + row["case"])
                    failed += 1
                elif row["pass"] and row["case"] in skip:
                    print("ok %s (take it out of not-yet.txt)" % row["case"])
                elif row["pass"]:
                    print("ok " + row["case"])
    for case, reason in skip.items():
        if case.split("/")[0] in args.areas:
            print("ok %s # SKIP %s" % (case, reason))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
