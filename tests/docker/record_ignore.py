#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks docker's own command line which files of a context an ignore file leaves in.

    tests/docker/record_ignore.py

Asks again every case of tests/data/ignore.json that says "docker" and rewrites the file, which has the files of the context ("tree") and cases
{"ignore": TEXT, "left": [PATHS], "by": "docker"}. To add one, add it without "left" and run this.

No daemon is needed: a stand-in takes the archive that `docker build` sends. The older builder does
not look into an excluded directory for what a pattern with wildcards takes back, BuildKit does:
such cases say "buildkit" and are not asked.
"""
import http.server
import io
import json
import os
import pathlib
import re
import socketserver
import subprocess
import tarfile
import tempfile
import threading

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "ignore.json"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    names = []

    def log_message(self, *args):
        pass

    def answer(self, body):
        self.send_response(200)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.answer(b"{}" if re.search("version|info", self.path) else b"OK")

    do_HEAD = do_GET

    def do_POST(self):
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        with tarfile.open(fileobj=io.BytesIO(bytes(body)), mode="r:*") as tar:
            Handler.names = [m.name for m in tar if not m.isdir()]
        self.answer(b'{"stream":"done"}\n')


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        return super().get_request()[0], ("local", 0)


def ask(sock, tree, case):
    with tempfile.TemporaryDirectory() as root:
        for path in tree:
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")
        pathlib.Path(root, "Dockerfile").write_text("FROM scratch\n")
        pathlib.Path(root, ".dockerignore").write_text(case["ignore"])
        Handler.names = []
        env = dict(os.environ, DOCKER_BUILDKIT="0")
        done = subprocess.run(["docker", "-H", f"unix://{sock}", "build", "-q", root], env=env, capture_output=True, check=False)
        if not Handler.names:
            raise ValueError(f"{case}: {done.stderr.decode()}")
    return {"ignore": case["ignore"], "left": sorted(set(Handler.names) & set(tree)), "by": "docker"}


def main():
    data = json.loads(DATA.read_text())
    with tempfile.TemporaryDirectory() as directory:
        sock = directory + "/docker.sock"
        threading.Thread(target=Daemon(sock, Handler).serve_forever, daemon=True).start()
        cases = [ask(sock, data["tree"], case) if case["by"] == "docker" else case for case in data["cases"]]
    rows = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    tree = json.dumps(data["tree"], ensure_ascii=False)
    DATA.write_text(f'{{"tree": {tree},\n"cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
