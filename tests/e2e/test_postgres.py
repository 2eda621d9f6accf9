# SPDX-License-Identifier: Apache-2.0
"""A database as people run one: Debian's PostgreSQL on a named volume, killed, removed, and started again.

The root filesystem is made once by mmdebstrap and kept beside the program (about a minute, 280 MB).
"""
import fcntl
import pathlib
import re
import subprocess

import pytest

import netns
from conftest import PROGRAM, wait_until
from terminal import Terminal
from test_debian import apt_options

DATA = "/var/lib/postgresql/data"
AS_POSTGRES = "setpriv --reuid=postgres --regid=postgres --init-groups"
SERVE = """
PATH=$PATH:/usr/lib/postgresql/15/bin
install -d -o postgres /var/run/postgresql
if [ ! -s %(data)s/PG_VERSION ]; then
    chown postgres:postgres %(data)s
    chmod 700 %(data)s
    %(run)s initdb -D %(data)s >/dev/null
fi
exec %(run)s postgres -D %(data)s -c listen_addresses=
""" % {"data": DATA, "run": AS_POSTGRES}


def make_postgres(path):
    part = path.with_suffix(".part.tar")
    argv = ["mmdebstrap", "--variant=minbase", "--mode=root", "--include=postgresql-15,postgresql-client-15"]
    argv += ["--aptopt=" + option.rstrip(";") for option in apt_options()]
    subprocess.run(argv + ["bookworm", str(part)], check=True, stdin=subprocess.DEVNULL, timeout=400,
                   preexec_fn=netns.to_machine)
    part.rename(path)


@pytest.fixture(scope="session")
def postgres_tar():
    path = pathlib.Path(PROGRAM).parent / "debian-12-postgres.tar"
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            make_postgres(path)
    return path


def serve(tare, name):
    tare.ok("run", "-d", "--name", name, "-v", "pgdata:" + DATA, "postgres:15", "sh", "-ec", SERVE)
    follower = tare.popen("logs", "-f", name, stderr=subprocess.STDOUT)
    for line in follower.stdout:
        if b"ready to accept connections" in line:
            break
    else:
        pytest.fail("the server did not come up: " + tare("logs", name).err)
    follower.kill()


def query(tare, name, sql):
    return tare.ok("exec", "-u", "postgres", name, "psql", "-Atc", sql)


def test_a_database_outlives_its_container(tare, postgres_tar):
    tare.ok("import", postgres_tar, "postgres:15", timeout=180)
    serve(tare, "first")
    terminal = Terminal(tare.argv + ["exec", "-it", "-u", "postgres", "-e", "PAGER=cat", "first", "psql"])
    try:
        terminal.expect(b"postgres=# ")
        terminal.write(b"create table t (n int, word text);\r")
        terminal.expect(b"CREATE TABLE")
        terminal.write(b"insert into t select i, md5(i::text) from generate_series(1, 10000) i;\r")
        terminal.expect(b"INSERT 0 10000")
        terminal.write(b"\\q\r")
        assert terminal.wait() == 0
    finally:
        terminal.close()
    before = query(tare, "first", "select md5(string_agg(word, ',' order by n)) from t")
    tare.ok("kill", "-s", "KILL", "first")
    wait_until(lambda: tare.state("first") == "exited", "its end")
    assert tare.inspect("first")["State"]["ExitCode"] == 137
    tare.ok("rm", "-v", "first")
    assert tare.ok("volume", "ls", "-q") == "pgdata"

    serve(tare, "second")
    assert query(tare, "second", "select md5(string_agg(word, ',' order by n)) from t") == before
    assert "database system was not properly shut down" in tare("logs", "second").err
    assert query(tare, "second", "select count(*) from t") == "10000"
    tare.ok("stop", "second")

    # A copy of the volume is a database of its own.
    tare.ok("volume", "clone", "pgdata", "copy")
    tare.ok("run", "-d", "--name", "third", "-v", "copy:" + DATA, "postgres:15", "sh", "-ec", SERVE)
    wait_until(lambda: tare("exec", "-u", "postgres", "third", "psql", "-Atc", "select 1").out == "1\n", "the copy", 60)
    assert re.fullmatch("10000", query(tare, "third", "select count(*) from t"))
