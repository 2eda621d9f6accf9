#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exit codes 0 to 255 and ends by signal, exact: for the command's own status, for `wait` and in inspect.

    exits.py [--step N]        every Nth code (1)
"""
import argparse
import signal
import subprocess
import sys
import time

from harness import Failure, State, report

SIGNALS = [s for s in ("HUP", "INT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
                       "PIPE", "ALRM", "TERM", "XCPU", "SYS")]


def check(state, code, script, bad):
    name = "e%d" % code
    got = state("run", "--name", name, "busybox", "sh", "-c", script).returncode
    kept = state.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", name)
    waited = state.ok("wait", name)
    if (got, kept, waited) != (code, "exited %d false" % code, str(code)):
        bad.append("%s: status %d, on record %r, wait %s, wanted %d" % (script, got, kept, waited, code))
    state.ok("rm", name)


def check_signal(state, name, bad):
    """QUIT is not among them: busybox's shell ignores it. The init of a pid namespace dies of the host's SIGKILL only; its child's signal becomes 128 + n."""
    number = int(getattr(signal, "SIG" + name))
    check(state, 128 + number, "sh -c 'kill -%s $$'; exit $?" % name, bad)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--step", type=int, default=1)
    o = p.parse_args()
    state, bad, began = State(), [], time.monotonic()
    codes, signals = range(0, 256, o.step), SIGNALS[::o.step]
    try:
        state.ok("run", "--rm", "busybox", "true")
        for code in codes:
            check(state, code, "exit %d" % code, bad)
        for name in signals:
            check_signal(state, name, bad)
        state.ok("run", "-d", "--name", "killed", "busybox", "sleep", "1000")
        state.ok("kill", "killed")
        if state.ok("inspect", "-f", "{{.State.ExitCode}}", "killed") != "137":
            bad.append("kill: not 137")
        state.ok("rm", "killed")
        state.settled()
    except Failure as e:
        bad.append(str(e))
    finally:
        state.close()
    report("exit codes", ["%d codes, %d signals, %.0f s; wrong: %d" %
                          (len(codes), len(signals) + 1, time.monotonic() - began, len(bad))] + ["FAILED " + b for b in bad[:20]])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
