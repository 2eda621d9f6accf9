#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks docker's own command line what it makes of templates.

    tests/docker/record_templates.py [TEMPLATE...]

Without arguments every template of tests/data/templates.json is asked again and the file is
rewritten: to add one, add a row ["TEMPLATE"] and run this. With arguments the answers are printed.

No daemon is needed: a stand-in answers the one request that `docker volume inspect` makes with the
volume in the file. The command line itself runs the template, so these are Go's and docker's words.
"""
import concurrent.futures
import http.server
import json
import pathlib
import re
import socketserver
import subprocess
import sys
import tempfile
import threading

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "templates.json"
DOCKER = "docker"
PREFIX = "template parsing error: "
BAD_TEMPLATE = 64


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    volume = b""

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = re.sub(r"^/v1\.\d+", "", self.path.split("?")[0])
        body = self.volume if path == "/volumes/v" else b"OK"
        self.send_response(200)
        self.send_header("Api-Version", "1.50")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        return super().get_request()[0], ("local", 0)


def ask(sock, template):
    """[template, output] or [template, status, message]."""
    argv = [DOCKER, "-H", f"unix://{sock}", "volume", "inspect", "-f", template, "v"]
    done = subprocess.run(argv, capture_output=True, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    if done.returncode == 0:
        return [template, out.removesuffix("\n")]
    if not err.startswith(PREFIX) or done.returncode not in (1, BAD_TEMPLATE):
        raise ValueError(f"{template}: {done.returncode} {err}")
    return [template, done.returncode, err.removeprefix(PREFIX).removesuffix("\n")]


def main():
    file = json.loads(DATA.read_text())
    Handler.volume = json.dumps(file["data"]).encode()
    with tempfile.TemporaryDirectory() as directory:
        sock = directory + "/docker.sock"
        threading.Thread(target=Daemon(sock, Handler).serve_forever, daemon=True).start()
        if sys.argv[1:]:
            for template in sys.argv[1:]:
                print(json.dumps(ask(sock, template), ensure_ascii=False))
            return
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(lambda row: ask(sock, row[0]), file["cases"]))
    version = subprocess.run([DOCKER, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    data = json.dumps(file["data"], ensure_ascii=False)
    DATA.write_text(f'{{\n"recorded": {json.dumps(version)},\n"data": {data},\n"cases": [\n{lines}\n]\n}}\n')


if __name__ == "__main__":
    main()
