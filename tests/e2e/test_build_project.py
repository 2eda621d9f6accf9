# SPDX-License-Identifier: Apache-2.0
"""A project of three services: a database (PostgreSQL), a server in C that asks it, and a front end in node that asks
the server. The three Dockerfiles begin with the same step, which installs packages by apt: it is made once. A second
developer with a clone of the project and an exported cache does not make it at all.

The packages come by the network; the base is the tree that test_postgres.py has made.
"""
import pytest

from builds import Context
from conftest import wait_until
from debian_apt import apt_install, proxy_arguments
from test_postgres import postgres_tar  # noqa: F401 (a fixture)

COMMON = "FROM base:12\n" + apt_install("gcc", "libc6-dev", "nodejs") + "\n"
APT = COMMON.split("\n", 1)[1].replace("\\\n", "").strip()

DATABASE = COMMON + """\
ENV PATH=$PATH:/usr/lib/postgresql/15/bin PGDATA=/srv/data
RUN install -d -o postgres /srv/data /var/run/postgresql /var/log/postgresql
USER postgres
RUN initdb --no-sync >/dev/null && echo "host all all all trust" >>/srv/data/pg_hba.conf
COPY --chown=postgres schema.sql /srv/
RUN pg_ctl -w -o "-F -c listen_addresses=" -l /tmp/log start && psql -q -f /srv/schema.sql && pg_ctl -m fast stop && rm /tmp/log
CMD ["postgres", "-c", "listen_addresses=*", "-c", "unix_socket_directories=/tmp"]
"""
SCHEMA = "CREATE TABLE words (n int, word text);\nINSERT INTO words VALUES (1, 'tare'), (2, 'gross'), (3, 'net');\n"

SERVER = COMMON + """\
WORKDIR /src
COPY server.c .
RUN gcc -O2 -Wall -Werror -o /usr/local/bin/server server.c
USER nobody
EXPOSE 8080
CMD ["server"]
"""
SERVER_C = r"""
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One line for every request: what the database says. */
static void answer(int fd)
{
	char request[4096], word[256] = "";
	FILE *psql = NULL;

	if (read(fd, request, sizeof(request)) <= 0)
		return;
	psql = popen("psql -h database -U postgres -Atc \"SELECT string_agg(word, ' ' ORDER BY n) FROM words\"", "r");
	if (!psql || !fgets(word, sizeof(word), psql))
		strcpy(word, "nothing\n");
	pclose(psql);
	dprintf(fd, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(word), word);
}

int main(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(8080)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&any, sizeof(any)) < 0 || listen(fd, 16) < 0)
		return 1;
	for (;;) {
		int client = accept(fd, NULL, NULL);

		answer(client);
		close(client);
	}
}
"""

FRONT = COMMON + """\
WORKDIR /app
RUN --mount=type=cache,id=pages,target=/cache --mount=type=bind,source=page.html,target=/page.html \\
    cp /page.html index.html && echo "made from $(wc -c </page.html) bytes" >>/cache/log && cp /cache/log .
COPY front.js .
USER nobody
CMD ["node", "front.js"]
"""
PAGE = "<h1>WORDS</h1>\n"
FRONT_JS = """\
const http = require('http'), fs = require('fs')
const page = fs.readFileSync('index.html', 'utf8')
http.createServer((request, response) => {
  http.get('http://server:8080/', answer => {
    let text = ''
    answer.on('data', data => { text += data })
    answer.on('end', () => response.end(page.replace('WORDS', text.trim().toUpperCase())))
  }).on('error', error => { response.statusCode = 502; response.end(String(error)) })
}).listen(8000)
process.on('SIGTERM', () => process.exit(0))
"""
SERVICES = ("database", "server", "front")
FILES = {"database/Dockerfile": DATABASE, "database/schema.sql": SCHEMA, "server/Dockerfile": SERVER,
         "server/server.c": SERVER_C, "front/Dockerfile": FRONT, "front/page.html": PAGE, "front/front.js": FRONT_JS}


def build_all(tare, folder, *options, cache=None):
    """{service: Build}; CACHE has the options for each service with its name for %s."""
    made = {}
    for name in SERVICES:
        more = [cache % name] if cache else []
        made[name] = Context(tare, folder / name).build(*options, *more, tag="shop/" + name, timeout=400)
    return made


def layers(tare, name):
    return tare.ok("image", "inspect", "-f", "{{range .RootFS.Layers}}{{println .}}{{end}}", name).split()


def start(tare):
    tare.ok("network", "create", "shop")
    for name in SERVICES:
        tare.ok("run", "-d", "--network", "shop", "--name", name, "shop/" + name)


def page(tare, wanted):
    """What a visitor sees, once all three are up."""
    def get():
        got = tare("run", "--rm", "--network", "shop", "busybox", "wget", "-qO-", "http://front:8000/")
        return got.out if wanted in got.out else None
    return wait_until(get, "the page with " + wanted)


def stop(tare):
    tare.ok("stop", "-t", "10", *SERVICES)
    assert [tare.inspect(name)["State"]["ExitCode"] for name in ("database", "front")] == [0, 0]
    tare.ok("rm", *SERVICES)
    tare.ok("network", "rm", "shop")
    tare.ok("network", "prune", "-f")


# One test: the packages are installed once for everything that it shows.
@pytest.mark.big
def test_three_services_and_a_second_developer(tare_factory, tmp_path, postgres_tar, internet):  # noqa: F811
    one, two, cache = tare_factory(), tare_factory(), tmp_path / "cache"
    for name, text in FILES.items():
        Context(one, tmp_path / "one").put(name, text)
    one.ok("import", postgres_tar, "base:12", timeout=180)
    check_first(one, tmp_path / "one", cache)
    check_edit(one, tmp_path / "one")
    # The clone is of before that edit, elsewhere, with times of now.
    for name, text in FILES.items():
        Context(two, tmp_path / "elsewhere/clone").put(name, text)
    two.ok("import", postgres_tar, "base:12", timeout=180)
    check_second(one, two, tmp_path / "elsewhere/clone", cache)


def check_first(tare, folder, cache):
    made = build_all(tare, folder, *proxy_arguments(), cache="--cache-to=type=local,mounts=true,dest=%s/%%s" % cache)
    assert [APT in made[name].made() for name in SERVICES] == [True, False, False]
    assert [made[name].cached() for name in SERVICES[1:]] == [[APT], [APT]]
    # One layer on the disk, in all three images.
    shared = {tuple(layers(tare, "shop/" + name)[:2]) for name in SERVICES}
    assert len(shared) == 1
    start(tare)
    assert page(tare, "TARE") == "<h1>TARE GROSS NET</h1>\n"
    stop(tare)


def check_edit(tare, folder):
    """One line of the server: nothing else is made again."""
    Context(tare, folder).put("server/server.c", SERVER_C.replace("nothing", "no words"))
    made = build_all(tare, folder)
    assert {name: made[name].made() for name in SERVICES} == {
        "database": [], "front": [],
        "server": ["COPY server.c .", "RUN gcc -O2 -Wall -Werror -o /usr/local/bin/server server.c"]}


def check_second(one, two, folder, cache):
    made = build_all(two, folder, cache="--cache-from=type=local,src=%s/%%s" % cache)
    assert {name: made[name].made() for name in SERVICES} == {name: [] for name in SERVICES}
    assert APT in made["database"].cached()
    for name in ("database", "front"):
        assert layers(two, "shop/" + name) == layers(one, "shop/" + name)
    start(two)
    assert page(two, "TARE") == "<h1>TARE GROSS NET</h1>\n"
    stop(two)
    # Another page: the step finds in its cache what the first developer's left there.
    Context(two, folder).put("front/page.html", "<p>WORDS</p>\n")
    again = Context(two, folder / "front").build(tag="shop/front")
    assert APT in again.cached() and len(again.made()) == 2
    assert two.ok("run", "--rm", "--network", "none", "shop/front", "cat", "log").splitlines() == [
        "made from 15 bytes", "made from 13 bytes"]
