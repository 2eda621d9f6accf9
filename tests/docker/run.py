#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Differential test of a docker-compatible engine against recorded answers of docker.

  run.py --engine docker --record        record expected/AREA/CASE.json from the real docker
  run.py --engine tare [--filter G] [-v] run every case on tare and compare
  run.py --engine podman                 the yardstick

See README.md for the case format. Needs root, python3, busybox-static, util-linux.
"""
import argparse
import difflib
import fnmatch
import io
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BASE_IMAGES = ("busybox:latest", "hello-static:latest")
BUILTIN_NETWORKS = {"bridge", "host", "none", "podman"}

# Shell functions every case may use.
PRELUDE = r"""
rc() { "$@"; echo "rc=$?"; }                     # run, then say the exit code
q() { "$@" >/dev/null 2>&1; }                    # run quietly
qrc() { "$@" >/dev/null 2>&1; echo "rc=$?"; }    # only the exit code
until_ok() {                                     # until_ok SECONDS COMMAND...: poll
    _n=$(($1 * 10)); shift
    while [ $_n -gt 0 ]; do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; _n=$((_n - 1)); done
    echo "until_ok: gave up: $*"; return 1
}
state_is() { [ "$($ENGINE inspect -f '{{.State.Status}}' "$1" 2>/dev/null)" = "$2" ]; }
wait_state() { until_ok "${3:-10}" state_is "$1" "$2"; }
since_now() { sleep 1; date +%s; }                # for events --since: no earlier case falls into it
log_has() { $ENGINE logs "$1" 2>&1 | grep -q "$2"; }
wait_log() { until_ok "${3:-10}" log_has "$1" "$2"; }
"""


# ---------------------------------------------------------------- cases

class Case:
    def __init__(self, area, name, where):
        self.area, self.name, self.where = area, name, where
        self.compare = ["rc", "stdout"]
        self.norm, self.stderr_re, self.timeout, self.script = [], [], 40, ""

    @property
    def id(self):
        return self.area + "/" + self.name


def load_cases():
    cases, seen = [], set()
    folder = os.path.join(HERE, "cases")
    for fn in sorted(os.listdir(folder)):
        if not fn.endswith(".txt"):
            continue
        area, case, body = fn[:-4], None, []
        with open(os.path.join(folder, fn), encoding="utf-8") as f:
            for no, line in enumerate(f, 1):
                if line.startswith("== "):
                    if case:
                        case.script = "".join(body)
                    case, body = Case(area, line[3:].strip(), "%s:%d" % (fn, no)), []
                    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", case.name) or case.id in seen:
                        sys.exit("%s: bad or repeated case name %r" % (case.where, case.name))
                    seen.add(case.id)
                    cases.append(case)
                elif case and line.startswith("@"):
                    key, _, val = line[1:].strip().partition(" ")
                    if key == "compare":
                        case.compare = [x.strip() for x in val.split(",")]
                        if set(case.compare) - {"rc", "stdout", "stderr"}:
                            sys.exit("%s:%d: unknown part in @compare" % (fn, no))
                    elif key == "norm":
                        case.norm += val.split()
                        if set(case.norm) - set(EXTRA):
                            sys.exit("%s:%d: unknown @norm" % (fn, no))
                    elif key == "stderr":
                        case.stderr_re.append(val)
                    elif key == "timeout":
                        case.timeout = int(val)
                    else:
                        sys.exit("%s:%d: unknown directive @%s" % (fn, no, key))
                elif case:
                    body.append(line)
            if case:
                case.script = "".join(body)
    return cases


# ---------------------------------------------------------------- normalisation

TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
TIME2 = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]{1,5}\b")
DUR = re.compile(r"\b(Less than a second|About an? (?:minute|hour)|\d+ (?:second|minute|hour)s?)\b")
GENERAL = [
    (re.compile(r"\b[0-9a-f]{64}\b"), "<ID64>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<ID12>"),
    (re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"), "<MAC>"),
    (DUR, "<DUR>"),
    # What the attempt to reach a registry says depends on the host's network.
    (re.compile(r'Get "https?://[^"]*".*'), "<REGISTRY ERROR>"),
    (re.compile(r"\bdocker\.io/(?:library/)?"), ""),
]


def no_time(m):
    return "<NEVER>" if m.group(0).startswith("0001-") else "<TIME>"


# What a case may ask for on top: @norm ip size num space sort
EXTRA = {
    "ip": lambda s: re.sub(r"\b(?!127\.|0\.0\.0\.0)(?:\d{1,3}\.){3}\d{1,3}\b", "<IP>", s),
    "size": lambda s: re.sub(r"\b\d+(?:\.\d+)? ?(?:[kKMGT]i?)?B\b", "<SIZE>", s),
    "num": lambda s: re.sub(r"\d+", "<N>", s),
    "space": lambda s: re.sub(r"[ \t]+", " ", s),
    "sort": lambda s: "".join(sorted(s.splitlines(True))),
    "trail": lambda s: re.sub(r"[ \t]+$", "", s, flags=re.M),
}

# stderr is compared without the frame around a message: the prefix ("docker: ", "Error response
# from daemon: ", "Error: ") and the closing "Run 'docker x --help'" line are style.
PREFIX = re.compile(r"^(?:docker: )?(?:Error response from daemon: |Error: |error: )?", re.M)
SEE = re.compile(r"^(?:See|Run) 'docker.*$", re.M)


def normalise(text, case, dirs, names, is_stderr):
    for d in dirs:
        text = text.replace(d, "<DIR>")
    for n in names:
        text = re.sub(r"(?<![\w/.-])%s(?![\w/-])" % re.escape(n), "docker", text)
    text = TIME.sub(no_time, text)
    text = TIME2.sub(no_time, text)
    for pat, rep in GENERAL:
        text = pat.sub(rep, text)
    if is_stderr:
        text = SEE.sub("", PREFIX.sub("", text))
        text = "".join(l for l in text.splitlines(True) if l.strip())
    for key in EXTRA:
        if key in case.norm:
            text = EXTRA[key](text)
    return text


# ---------------------------------------------------------------- images made here

def hello_elf(message):
    """A static x86-64 program of a few hundred bytes: write(1, message), exit(0)."""
    base, head = 0x400000, 64 + 56
    code_len = 34
    addr = base + head + code_len
    code = (b"\xb8\x01\0\0\0" b"\xbf\x01\0\0\0" b"\x48\xbe" + struct.pack("<Q", addr) +
            b"\xba" + struct.pack("<I", len(message)) + b"\x0f\x05"
            b"\x31\xff" b"\x6a\x3c\x58" b"\x0f\x05")
    code = code.ljust(code_len, b"\x90")
    size = head + len(code) + len(message)
    ehdr = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    phdr = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return ehdr + phdr + code + message


class Tar:
    def __init__(self):
        self.buf = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buf, mode="w", format=tarfile.GNU_FORMAT)

    def add(self, name, data=None, mode=0o644, link=None):
        info = tarfile.TarInfo(name)
        info.mode, info.mtime, info.uname, info.gname = mode, 1700000000, "root", "root"
        if link is not None:
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, link, 0o777
        elif data is None:
            info.type = tarfile.DIRTYPE
        else:
            info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data) if data is not None else None)

    def bytes(self):
        self.tar.close()
        return self.buf.getvalue()


def busybox_tar():
    path = next((p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p)), None)
    if not path:
        sys.exit("busybox is missing (Debian: busybox-static)")
    with open(path, "rb") as f:
        binary = f.read()
    t = Tar()
    for d in ("bin", "dev", "etc", "home", "home/user", "proc", "root", "sys", "usr", "usr/bin",
              "usr/sbin", "sbin", "var", "var/log"):
        t.add(d, mode=0o700 if d == "root" else 0o755)
    t.add("tmp", mode=0o1777)
    t.add("bin/busybox", binary, 0o755)
    applets = subprocess.run([path, "--list"], capture_output=True, text=True).stdout.split()
    for a in sorted(set(applets) - {"busybox"}):
        t.add("bin/" + a, link="busybox")
    t.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
          b"daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
          b"user:x:1000:1000:User:/home/user:/bin/sh\n"
          b"nobody:x:65534:65534:nobody:/home:/bin/false\n")
    t.add("etc/group", b"root:x:0:\ndaemon:x:1:\nusers:x:100:user\nuser:x:1000:\n"
          b"wheel:x:10:root,user\nnogroup:x:65534:\n")
    t.add("etc/shadow", b"root:*:::::::\n", 0o640)
    return t.bytes()


def hello_tar():
    t = Tar()
    t.add("hello", hello_elf(b"Hello from a static program.\n"), 0o755)
    return t.bytes()


# ---------------------------------------------------------------- the engine under test

class Engine:
    def __init__(self, command, env):
        self.cmd, self.env = shlex.split(command), env
        self.base = None

    def call(self, *args, data=None, timeout=60):
        try:
            p = subprocess.run(self.cmd + list(args), input=data, env=self.env, timeout=timeout,
                               stdin=subprocess.DEVNULL if data is None else None,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            return 124, "", "timeout"
        except OSError as e:
            sys.exit("cannot run %s: %s" % (self.cmd[0], e))

    def images(self):
        rc, out, _ = self.call("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
        return set(out.split("\n")) - {""} if rc == 0 else set()

    def provide_images(self):
        specs = (("busybox:latest", busybox_tar, 'CMD ["sh"]'),
                 ("hello-static:latest", hello_tar, 'CMD ["/hello"]'))
        for name, make, change in specs:
            rc, _, err = self.call("import", "-c", change, "-", name, data=make())
            if rc:
                print("warning: import of %s failed: %s" % (name, err.strip()), file=sys.stderr)
        self.base = self.images()

    def cleanup(self):
        _, out, _ = self.call("ps", "-aq", "--no-trunc")
        if out.split():
            rc, _, err = self.call("rm", "-f", "-v", *out.split())
            if rc:
                for c in out.split():
                    self.call("unpause", c)
                    self.call("rm", "-f", "-v", c)
        _, out, _ = self.call("volume", "ls", "-q")
        if out.split():
            self.call("volume", "rm", "-f", *out.split())
        _, out, _ = self.call("network", "ls", "--format", "{{.Name}}")
        nets = [n for n in out.split() if n not in BUILTIN_NETWORKS]
        if nets:
            self.call("network", "rm", *nets)
        for _ in range(3):
            now = self.images()
            for line in sorted(now - self.base):
                ref, _, iid = line.partition(" ")
                self.call("rmi", "-f", iid if "<none>" in ref else ref)
            if self.images() <= self.base:
                break
        if self.images() != self.base:
            for name in BASE_IMAGES:
                self.call("rmi", "-f", name)
            self.provide_images()


def run_case(case, engine, names):
    work = tempfile.mkdtemp(prefix="case-")
    real = os.path.realpath(work)
    env = dict(engine.env, ENGINE=" ".join(shlex.quote(x) for x in engine.cmd), TMPDIR=work)
    out_path, err_path = tempfile.mkstemp(prefix="out-"), tempfile.mkstemp(prefix="err-")
    start = time.monotonic()
    try:
        p = subprocess.Popen(["/bin/sh", "-c", PRELUDE + case.script], cwd=work, env=env,
                             stdin=subprocess.DEVNULL, stdout=out_path[0], stderr=err_path[0],
                             start_new_session=True)
        try:
            rc = p.wait(case.timeout)
        except subprocess.TimeoutExpired:
            rc = "timeout"
        try:
            os.killpg(p.pid, signal.SIGKILL)    # our own session: stragglers of the script
        except ProcessLookupError:
            pass
        p.wait()
        texts = []
        for fd, path in (out_path, err_path):
            with open(path, encoding="utf-8", errors="replace", newline="") as f:
                texts.append(f.read(4 << 20))
    finally:
        for fd, path in (out_path, err_path):
            os.close(fd)
            os.unlink(path)
        shutil.rmtree(work, ignore_errors=True)
    dirs = sorted({real, work}, key=len, reverse=True)
    return {"rc": rc, "stdout": normalise(texts[0], case, dirs, names, False),
            "stderr": normalise(texts[1], case, dirs, names, True)}, time.monotonic() - start


def versions(engine):
    """What a record says about the docker it was taken from."""
    rc, out, err = engine.call("version", "--format", "{{.Client.Version}} {{.Server.Version}}")
    if rc or len(out.split()) != 2:
        sys.exit("cannot learn the engine's versions: %s" % (err or out).strip())
    client, server = out.split()
    return {"client": client, "daemon": server}


def differences(case, want, got):
    """Human-readable list of what differs; empty when the case passes."""
    out = []
    if got["rc"] == "timeout":
        out.append("  timed out after %d s" % case.timeout)
    for part in case.compare:
        if want[part] == got[part]:
            continue
        if part == "rc":
            out.append("  rc: expected %s, got %s" % (want["rc"], got["rc"]))
        else:
            out += ["  " + l for l in difflib.unified_diff(
                want[part].splitlines(), got[part].splitlines(),
                "expected " + part, "got " + part, lineterm="", n=2)]
    for pat in case.stderr_re:
        if not re.search(pat, got["stderr"], re.I | re.M):
            out.append("  stderr lacks /%s/; it was: %s" % (pat, got["stderr"].strip()[:400] or "(empty)"))
    if out and "stderr" not in case.compare and got["stderr"].strip():
        out.append("  (stderr: %s)" % got["stderr"].strip()[:400])
    return out


# ---------------------------------------------------------------- main

def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--engine", required=True, help="docker, podman, tare, or any name with --cmd")
    ap.add_argument("--cmd", help="command line of the engine (default: engine-NAME.sh here, else NAME)")
    ap.add_argument("--record", action="store_true", help="write expected/ instead of comparing")
    ap.add_argument("--filter", action="append", default=[], metavar="GLOB", help="AREA/CASE glob, repeatable")
    ap.add_argument("-v", "--verbose", action="store_true", help="show the diff of each failing case")
    ap.add_argument("--threshold", type=float, default=100.0, metavar="PERCENT", help="exit 1 below this (default 100)")
    ap.add_argument("--results", metavar="FILE", help="write outcome of each case as JSON lines")
    ap.add_argument("--list", action="store_true", help="list the cases and stop")
    ap.add_argument("--host-net", action="store_true", help="do not make a private network and mount namespace")
    ap.add_argument("--slow", action="store_true", help="print the ten slowest cases")
    return ap.parse_args()


def selected(cases, globs):
    if not globs:
        return cases
    return [c for c in cases if any(fnmatch.fnmatch(c.id, g) or fnmatch.fnmatch(c.area, g) for g in globs)]


def enter_namespace(args):
    """Runs this script again inside the namespace the engine's containers are reachable from."""
    again = [sys.executable, os.path.abspath(__file__)] + sys.argv[1:]
    env = dict(os.environ, DIFF_INNER="1")
    if args.engine == "docker" and not args.cmd and "DOCKER_HOST" not in env:
        state = tempfile.mkdtemp(prefix="docker-diff-")
        setup = os.path.join(HERE, "setup-docker.sh")
        try:
            if subprocess.run([setup, "start", state]).returncode:
                return 2
            with open(os.path.join(state, "docker.pid")) as f:
                pid = f.read().strip()
            env["DOCKER_HOST"] = "unix://%s/docker.sock" % state
            return subprocess.run(["nsenter", "-t", pid, "-n", "-m", "--"] + again, env=env).returncode
        finally:
            subprocess.run([setup, "stop", state])
    if args.host_net:
        return subprocess.run(again, env=env).returncode
    shell = 'ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward; exec "$@"'
    return subprocess.run(["unshare", "--net", "--mount", "--propagation", "private",
                           "sh", "-c", shell, "sh"] + again, env=env).returncode


def main():
    args = arguments()
    cases = selected(load_cases(), args.filter)
    if args.list:
        for c in cases:
            print(c.id)
        print("%d cases" % len(cases))
        return 0
    if not cases:
        sys.exit("no case matches")
    if "DIFF_INNER" not in os.environ:
        return enter_namespace(args)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))   # so that the clean-up below runs
    state = tempfile.mkdtemp(prefix="diff-state-")
    home = os.path.join(state, "home")
    os.makedirs(os.path.join(home, ".docker"))
    with open(os.path.join(home, ".docker", "config.json"), "w", encoding="utf-8") as f:
        f.write("{}\n")
    env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "HOME": home, "TZ": "UTC",
           "LC_ALL": "C.UTF-8", "DOCKER_CONFIG": os.path.join(home, ".docker"), "DOCKER_BUILDKIT": "0",
           "DIFF_STATE": state}
    for key in ("DOCKER_HOST", "TARE"):
        if key in os.environ:
            env[key] = os.environ[key]
    wrapper = os.path.join(HERE, "engine-%s.sh" % args.engine)
    command = args.cmd or (shlex.quote(wrapper) if os.path.exists(wrapper) else args.engine)
    names = [] if args.engine == "docker" else [args.engine]
    engine = Engine(command, env)
    engine.provide_images()

    rc, out, err = engine.call("run", "--rm", "--network", "none", "busybox", "echo", "works")
    if (rc, out) != (0, "works\n"):
        print("warning: the engine does not run a container (rc %d: %s); a case that expects a refusal says "
              "nothing then" % (rc, err.strip()[:200]), file=sys.stderr)

    expected = os.path.join(HERE, "expected")
    recorded_from = versions(engine) if args.record else None
    tally, passed, failed, times, rows = {}, 0, 0, [], []
    try:
        for case in cases:
            path = os.path.join(expected, case.area, case.name + ".json")
            got, took = run_case(case, engine, names)
            times.append((took, case.id))
            engine.cleanup()
            if args.record:
                why = differences(case, got, got)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    json.dump(dict(got, recorded_from=recorded_from), f, indent=1, sort_keys=True, ensure_ascii=False)
                    f.write("\n")
            elif not os.path.exists(path):
                why = ["  nothing recorded for this case"]
            else:
                with open(path, encoding="utf-8") as f:
                    why = differences(case, json.load(f), got)
            good, bad = tally.get(case.area, (0, 0))
            tally[case.area] = (good + (not why), bad + bool(why))
            passed, failed = passed + (not why), failed + bool(why)
            rows.append({"case": case.id, "pass": not why, "seconds": round(took, 2), "why": why})
            if why:
                print("FAIL %s (%s)" % (case.id, case.where))
                if args.verbose or args.record:
                    print("\n".join(why))
            sys.stdout.flush()
    finally:
        engine.cleanup()
        if args.engine != "docker":
            for name in BASE_IMAGES:
                engine.call("rmi", "-f", name)
        subprocess.run(["rm", "-rf", "--one-file-system", state], stderr=subprocess.DEVNULL)
    if args.results:
        with open(args.results, "w", encoding="utf-8") as f:
            for row in rows:
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
    if args.slow:
        for took, cid in sorted(times, reverse=True)[:10]:
            print("slow %6.1f s %s" % (took, cid))
    print("%-12s %6s %6s" % ("area", "pass", "fail"))
    for area in sorted(tally):
        print("%-12s %6d %6d" % (area, tally[area][0], tally[area][1]))
    print("%d passed, %d failed" % (passed, failed))
    return 0 if 100.0 * passed >= args.threshold * (passed + failed) else 1


if __name__ == "__main__":
    sys.exit(main())
