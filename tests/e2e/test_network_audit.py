# SPDX-License-Identifier: Apache-2.0
"""network audit and network graph: what they say of containers that run, and that it is true."""
import json
import subprocess
import xml.dom.minidom

import pytest

import netns
from outside import HOST4, Server

SLEEP = ("busybox", "sleep", "1000")
UTF8 = {"LC_ALL": "C.UTF-8"}


def audit(tare, *args):
    return json.loads(tare.ok("network", "audit", "--format", "json", *args))


def verdicts(tare, source, target, ports="any"):
    """(allowed, reason) of each relation between the two."""
    return {(r["Allowed"], r["Reason"]) for r in audit(tare)["Relations"]
            if (r["From"], r["To"], r["Ports"]) == (source, target, ports)}


def reaches(tare, name, address, port):
    return tare("exec", name, "nc", "-w", "1", address, str(port), input="").rc == 0


@pytest.fixture
def shop(tare):
    """web and app on "front"; app and db on "back", which is internal."""
    tare.ok("network", "create", "front")
    tare.ok("network", "create", "--internal", "back")
    tare.ok("run", "-d", "--name", "web", "--network", "front", "-p", "18080:80", *SLEEP)
    tare.ok("run", "-d", "--name", "app", "--network", "front", "--network", "back", *SLEEP)
    tare.ok("run", "-d", "--name", "db", "--network", "back", "busybox", "nc", "-ll", "-p", "5432", "-e", "true")
    yield tare
    tare("rm", "-f", "web", "app", "db")


def test_relations_are_true(shop, outside):
    assert verdicts(shop, "app", "db") == {(True, "same-network")}
    assert verdicts(shop, "web", "db") == {(False, "different-networks")}
    assert verdicts(shop, "db", "outside") == {(False, "internal")}
    assert verdicts(shop, "web", "outside") == {(True, "masqueraded")}
    assert verdicts(shop, "host", "db") == {(True, "bridge")}
    assert verdicts(shop, "outside", "web", "18080->80/tcp") == {(True, "published")}
    assert verdicts(shop, "outside", "db") == {(False, "internal")}
    # and so it is
    address = shop.inspect("db")["NetworkSettings"]["Networks"]["back"]["IPAddress"]
    assert reaches(shop, "app", address, 5432)
    assert not reaches(shop, "web", address, 5432)
    server = outside.serve()
    assert reaches(shop, "web", server.socket.getsockname()[0], server.port)
    assert not reaches(shop, "db", server.socket.getsockname()[0], server.port)


def test_the_table_is_short_and_sorted(shop):
    lines = shop.ok("network", "audit").splitlines()
    head, rows = lines[0].split(), lines[1:lines.index("")]
    assert head == ["FROM", "TO", "PORTS", "IP", "VERDICT", "WHY"]
    sources = [row.split()[0] for row in rows]
    assert sources[:2] == ["outside", "outside"]
    assert sources == sorted(sources, key=lambda s: (s != "outside", s != "host", s.rstrip(",")))
    assert len(rows) <= 14
    assert any("each other" in row and "same network front" in row for row in rows)


def test_findings(shop):
    codes = {(f["Code"], f["Subject"]) for f in audit(shop)["Findings"]}
    assert ("published-everywhere", "web") in codes
    assert not codes & {("rules", "host"), ("forwarding-off", "host")}
    shop.ok("run", "-d", "--name", "guest", "--network", "host", *SLEEP)
    netns.set_forwarding(False)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    codes = {(f["Code"], f["Subject"]) for f in audit(shop)["Findings"]}
    assert {("rules", "host"), ("forwarding-off", "host"), ("host-network", "guest")} <= codes
    assert verdicts(shop, "web", "outside") == {(False, "forwarding-off")}
    shop.ok("rm", "-f", "guest")


def test_a_foreign_chain_that_drops(shop):
    subprocess.run(["nft", "-f", "-"], input="table ip filter { chain FORWARD { type filter hook forward priority 0; "
                   "policy drop; }; }", text=True, check=True)
    found = [f for f in audit(shop)["Findings"] if f["Code"] == "foreign-firewall"]
    assert len(found) == 1 and "chain FORWARD in table ip filter" in found[0]["Text"]
    assert verdicts(shop, "web", "outside") == {(False, "foreign-rule")}


def test_services_of_the_host(shop, network):
    server = Server(netns.here(), "tcp", "0.0.0.0", 18022)
    only = Server(netns.here(), "tcp", "127.0.0.1", 18023)
    try:
        ports = {r["Ports"] for r in audit(shop)["Relations"] if (r["From"], r["To"]) == ("web", "host")}
        assert len(ports) == 1 and "18022/tcp" in ports.pop()
        assert "18023" not in shop.ok("network", "audit")
    finally:
        server.close()
        only.close()


def test_only_what_was_named(shop):
    relations = audit(shop, "db")["Relations"]
    assert relations and all("db" in (r["From"], r["To"]) for r in relations)
    relations = audit(shop, "back")["Relations"]
    assert relations and all({"db", "app"} & {r["From"], r["To"]} for r in relations)
    got = shop("network", "audit", "nosuch")
    assert (got.rc, got.err) == (1, "tare: No such network or running container: nosuch\n")


def test_a_template(shop):
    out = shop.ok("network", "audit", "--format", "{{range .Findings}}{{.Subject}} {{.Code}}\n{{end}}")
    assert "web published-everywhere" in out.splitlines()
    assert shop("network", "audit", "--format", "{{.Nosuch}}").rc != 0


def test_an_empty_engine(tare):
    assert tare.ok("network", "audit").split() == ["FROM", "TO", "PORTS", "IP", "VERDICT", "WHY"]
    assert "bridge" in tare.ok("network", "graph")


# ---------------------------------------------------------------- graph

def test_graph_in_the_terminal(shop):
    out = shop.ok("network", "graph", "front", "back", env=UTF8)
    assert "\033" not in out
    assert "─ front bridge ─" in out and "─ back bridge ─" in out and "─ web busybox ─" in out
    assert "18080->80/tcp" in out and "internal" in out
    address = shop.inspect("web")["NetworkSettings"]["Networks"]["front"]["IPAddress"]
    assert "┤ eth0  %s" % address in out
    assert max(map(len, out.splitlines())) <= 80


def test_graph_without_utf8(shop):
    out = shop.ok("network", "graph", env={"LC_ALL": "C"})
    assert out.isascii() and "+- front bridge -" in out


def test_graph_as_svg(shop, tmp_path):
    path = tmp_path / "net.svg"
    assert shop.ok("network", "graph", "-o", path) == ""
    document = xml.dom.minidom.parse(str(path))
    texts = {t.firstChild.data for t in document.getElementsByTagName("text")}
    assert {"front", "back", "web", "app", "db"} <= texts
    source = path.read_text()
    assert "http" not in source.replace("http://www.w3.org/2000/svg", "")
    assert "prefers-color-scheme:dark" in source


def test_graph_of_what_is_not_there(tare, tmp_path):
    got = tare("network", "graph", "nosuch")
    assert (got.rc, got.err) == (1, "tare: network nosuch not found\n")
    got = tare("network", "graph", "-o", tmp_path / "no" / "dir.svg")
    assert got.rc == 1 and "no" in got.err
