"""Limits and time-outs, as the site sets them; running out of descriptors.

The sizes themselves, at their defaults, are conformance cases."""

import re
import resource
from signal import SIGHUP

import pytest

from harness.wait import wait_for
from harness.wire import Closed

SITE = """
local pl = require "perilune"
pl.get("/", function() return "hello" end)
pl.post("/body", function(req) return "[" .. req:body() .. "]" end)
pl.post("/unread", function() return "unread" end)
pl.post("/large", { max_body = "1k" }, function(req) return req:body() end)
pl.get("/big", function() return ("x"):rep(50 * 1024 * 1024) end)
pl.get("/fields", function(_, res)
  for i = 1, 3000 do res:add_header("x-" .. i, ("v"):rep(10)) end
end)
pl.get("/slow", function()
  pl.log.notice "waiting"
  pl.sleep(1000)
end)
"""
HEAD = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def start(serve):
    def begin(settings="", *args, **more):
        site = f'require "perilune".set {{ {settings} }}' + SITE
        return serve(site, *args, **{"workers": 1, **more})

    return begin


# ---- sizes that the site sets ----


@pytest.mark.parametrize(
    "setting, fits, too_much, status",
    [
        ("max_line = 100", "GET /?" + "a" * 85, "GET /?" + "a" * 90, 414),
        ("max_head = 200", ("X: " + "a" * 100), ("X: " + "a" * 250), 431),
        ("max_headers = 3", "X: a\r\nY: b", "X: a\r\nY: b\r\nZ: c", 431),
    ],
    ids=["line", "head", "headers"],
)
def test_size_of_a_head(start, setting, fits, too_much, status):
    server = start(setting)
    for text, want in ((fits, 200), (too_much, status)):
        lines = [text + " HTTP/1.1", "Host: a"] if text[0] == "G" else [
            "GET / HTTP/1.1", "Host: a", text]
        with server.connect() as wire:
            wire.send("\r\n".join([*lines, "", ""]).encode())
            assert wire.response().status == want
            if want != 200:
                wire.expect_closed()


def test_size_of_a_body(start):
    server = start("max_body = 10")
    assert server.request("POST", "/body", body=b"x" * 10).status == 200
    assert server.request("POST", "/body", body=b"x" * 11).status == 413
    assert server.request("POST", "/unread", body=b"x" * 11).status == 200


def test_method_version_and_route(start):
    server = start()
    with server.connect() as wire:
        assert wire.request("BREW", "/").status == 501
        response = wire.request("POST", "/")
        assert response.status == 405
        assert response.header("allow") == "GET, HEAD, OPTIONS"
        assert wire.request("GET", "/nowhere").status == 404
        wire.send(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n")
        assert wire.response().status == 505
        wire.expect_closed()


def test_no_memory_for_a_request(start):
    """503 for that one; the log says where it happened."""
    server = start("request_memory = '20k'")
    with server.connect() as wire:
        response = wire.get("/fields")
        assert response.status == 503
        assert wire.get("/").text == "hello"
    server.wait_log("GET /fields .*res:add_header: out of memory")
    assert "site.lua:" in server.log()


# ---- time-outs ----


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX"])
def test_slow_head(start, sent):
    server = start("header_timeout = 0.02")
    with server.connect() as wire:
        wire.send(sent)
        response = wire.response()
        assert response.status == 408 and not response.keeps_alive
        wire.expect_closed()


def test_slow_head_after_a_request(start):
    server = start("header_timeout = 0.02")
    with server.connect() as wire:
        assert wire.get("/").status == 200
        wire.send(b"GET / HTTP/1.1\r\n")
        assert wire.response().status == 408
        wire.expect_closed()


def test_drip_of_a_head_does_not_prolong_it(start):
    """The time is that of the whole head, from its first byte."""
    server = start("header_timeout = 0.05")
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nX: ")

        def refused():
            wire.send(b"a")
            return b"HTTP/1.1 408 " in wire.pending()

        wait_for(refused, "the answer to a head that never ends")


@pytest.mark.parametrize("target", [b"/body", b"/unread"])
def test_slow_body(start, target):
    server = start("body_rate = 1000, body_grace = 1")
    with server.connect() as wire:
        wire.send(HEAD % (target, 100) + b"x" * 10)
        if target == b"/unread":
            assert wire.response().text == "unread"
        else:
            assert wire.response().status == 408
        wire.read_to_end()


def test_idle_connection(start):
    server = start("idle_timeout = 0.3")
    with server.connect() as fresh:
        fresh.expect_closed()
    with server.connect() as used:
        used.send(GET % b"/" * 3)
        assert all(response.keeps_alive for response in used.responses(3))
        used.expect_closed()


def test_a_handler_that_waits_is_not_idle(start):
    site_time = "idle_timeout = 0.3, header_timeout = 0.02"
    server = start(site_time + ", write_timeout = 0.02")
    with server.connect() as wire:
        wire.send(GET % b"/slow")
        server.wait_log("waiting")
        with server.connect() as other:
            other.expect_closed()
        assert wire.pending() == b"" and not wire.ended
        wire.reset()


def test_peer_that_does_not_read(start):
    server = start("write_timeout = 0.05")
    before = server.proc.sockets()
    with server.connect() as wire:
        wire.send(GET % b"/big")
        wait_for(wire_has_data(wire), "the response to begin")
        wait_for(lambda: server.proc.sockets() == before, "the end")
        with pytest.raises(Closed):
            wire.response()


def wire_has_data(wire):
    return lambda: wire.socket.recv(1, 0x2)  # MSG_PEEK


def test_lingering_close_ends(start):
    """A peer that still sends after the last word is heard out, then not."""
    server = start("linger = 0.05")
    with server.connect() as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert wire.response().status == 400
        wire.expect_closed()
        wait_for(lambda: wire.send(b"x") or wire.send_failed, "a reset")


# ---- connections ----


def test_max_connections(start):
    server = start("max_connections = 2")
    first = server.connect()
    assert first.get("/").status == 200
    second = server.connect()
    assert second.get("/").status == 200
    third = server.connect()
    third.send(GET % b"/")
    server.wait_log("accepting is paused: .*open connections=2")
    assert third.pending() == b""
    assert first.get("/").status == 200
    first.close()
    assert third.response().status == 200
    second.close()
    third.close()


def test_max_per_address(start):
    server = start("max_per_address = 2")
    served = [server.connect(), server.connect()]
    for wire in served:
        assert wire.get("/").status == 200
    with server.connect() as third:
        third.send(GET % b"/")
        response = third.response()
        assert response.status == 503 and not response.keeps_alive
        assert "too many connections" in response.text
        third.expect_closed()
    server.wait_log("max_per_address.*peer=127.0.0.1 open connections=2")
    with server.connect(source="127.0.0.2") as other:
        assert other.get("/").status == 200, "others are others"
    for wire in served:
        assert wire.get("/").status == 200, "nothing happens to them"
        wire.close()
    wait_for(lambda: server.get("/").status == 200, "places again")
    assert server.log().count("max_per_address") == 1, "once a minute"


def test_a_crowd_that_does_not_listen_is_not_heard(start):
    """As many are told why as may be served; the rest costs nothing."""
    server = start("max_per_address = 1, linger = 1000")
    with server.connect() as one, server.connect() as two:
        assert one.get("/").status == 200
        assert two.response().status == 503
        with server.connect() as three:
            assert three.read_to_end() == b""


def test_proxies_are_no_crowd(start, tmp_path):
    server = start('max_per_address = 1, trusted = "127.0.0.1"')
    with server.connect() as one, server.connect() as two:
        assert one.get("/").status == two.get("/").status == 200
    server = start("max_per_address = 1", "-h", f"unix:{tmp_path}/a.sock")
    with server.connect() as one, server.connect() as two:
        assert one.get("/").status == two.get("/").status == 200


def test_max_per_address_after_a_reload(start):
    server = start("max_per_address = 1")
    with server.connect() as one, server.connect() as two:
        assert one.get("/").status == 200
        assert two.response().status == 503
        site = server.folder / "site.lua"
        site.write_text(site.read_text().replace("address = 1", "address = 0"))
        server.send_signal(SIGHUP)
        server.wait_log("reloaded: generation=2")
        with server.connect() as three:
            assert three.get("/").status == 200


# ---- descriptors ----


def exhaust(server, wires, spare: int):
    """Lets the server have only so many descriptors more; then connects until
    it has none."""
    limit = max(map(int, fds_of(server))) + 1 + spare
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))
    for _ in range(spare + 10):
        wire = server.connect()
        wire.send(GET % b"/")
        wires.append(wire)
    server.wait_log("accepting is paused: out of file descriptors")


def fds_of(server):
    return (path.name for path in (server.proc.path / "fd").iterdir())


def test_no_accept_waits_for_a_larger_table(start):
    """Growing it takes a process of many threads 10 ms and more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert start().serving().fd_room() >= min(8192, most * 3 // 4)


def test_out_of_descriptors(start):
    server = start()
    wires = []
    running = server.connect()
    running.get("/")
    exhaust(server, wires, 5)
    for _ in range(10):
        assert running.get("/").text == "hello", "others go on"
    while wires:
        answered = next(wire for wire in wires if wire.pending())
        assert answered.response().text == "hello"
        answered.close()
        wires.remove(answered)
        if wires:
            wait_for(lambda: any(w.pending() for w in wires), "the next one")
    assert server.get("/").text == "hello"
    said = re.findall("accepting is paused", server.log())
    assert len(said) == 1, "once a minute"


def test_a_file_without_descriptors(serve, tmp_path):
    """One that is not kept cannot be opened: that request fails, and nothing
    else."""
    site = SITE + 'require "perilune".static("/f", { root = "files" })'
    files = {"files/kept.txt": "kept", "files/new.txt": "new"}
    server = serve(site, files=files, workers=1)
    wires = []
    running = server.connect()
    assert running.get("/f/kept.txt").text == "kept"
    exhaust(server, wires, 3)
    assert running.get("/f/new.txt").status == 503
    assert running.get("/").text == "hello"
    for wire in wires:
        wire.close()
    wait_for(lambda: running.get("/f/new.txt").status == 200, "descriptors")
    running.close()
