# SPDX-License-Identifier: Apache-2.0
"""What takes turns in a benchmark, and what comes of it."""
import os
import random
import statistics
import subprocess

WARM_UP = 3


class Failed(Exception):
    pass


class Contender:
    """A process that does one round for each line it is sent, and answers with nanoseconds. BEFORE is called
    ahead of each round, and its time does not count."""

    def __init__(self, name, argv, env=None, before=None):
        self.name, self.argv, self.env, self.before, self.child = name, [str(a) for a in argv], env, before, None
        self.times = []

    def round(self):
        if self.before:
            self.before()
        if self.child is None:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                          env=dict(os.environ, **(self.env or {})))
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().strip()
        if not answer.isdigit():
            raise Failed(answer or "ended with %s" % self.child.wait())
        return int(answer)

    def close(self):
        if self.child:
            self.child.stdin.close()
            self.child.wait()
            self.child.stdout.close()
            self.child = None


def missing(name, why):
    return {"name": name, "missing": why}


def interleave(contenders, rounds, warm_up=WARM_UP):
    """Rows (name, median, p95, n) of CONTENDERS, or why there is none."""
    rows, alive = {}, [c for c in contenders if isinstance(c, Contender)]
    for gone in contenders:
        if isinstance(gone, dict):
            rows[gone["name"]] = gone
    # What one leaves to the kernel (a network namespace is destroyed later, by a worker) the next one
    # waits for: so the turns come in another order each round, the same in every run.
    turns = random.Random(1)
    for i in range(warm_up + rounds):
        for c in turns.sample(alive, len(alive)):
            try:
                took = c.round()
            except Failed as e:
                rows[c.name] = missing(c.name, "failed: %s" % e)
                alive.remove(c)
                c.close()
                continue
            if i >= warm_up:
                c.times.append(took)
    for c in alive:
        c.close()
        ordered = sorted(c.times)
        rows[c.name] = {"name": c.name, "median_ns": statistics.median(ordered),
                        "p95_ns": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], "rounds": len(ordered)}
    return [rows[c["name"] if isinstance(c, dict) else c.name] for c in contenders]
