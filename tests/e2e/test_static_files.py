"""Files below a folder as clients see them: versions, index, fallback, changes,
a disk that is slow, files that go away; and what a request for one costs."""

import gzip
import os
import re
import socket

import pytest

from harness import fuse
from harness.server import sanitized
from harness.trace import may_trace, traced
from harness.wait import wait_for

PLAIN = "function f() { return 'nothing but a long text' }\n" * 20
LARGE = bytes(i * 7 % 251 for i in range(1_500_000))
FILE_CALLS = (
    "open openat openat2 stat fstat newfstatat statx access readlink getdents64"
    " pread64 preadv preadv2 sendfile mmap"
).split()


def tree(prefix: str) -> dict:
    return {
        f"{prefix}/index.html": "<p>home",
        f"{prefix}/a.js": PLAIN,
        f"{prefix}/a.js.gz": gzip.compress(PLAIN.encode()),
        f"{prefix}/404.html": "<p>not here",
        f"{prefix}/app.html": "<p>application",
        f"{prefix}/sub/b.htm": "<p>sub",
        f"{prefix}/large.bin": LARGE,
    }


# ---- what a path leads to --------------------------------------------------

SITE = """
local pl = require "perilune"
pl.get("/hello", function() return "hello" end)
pl.static("/", { root = "public", index = { "index.html", "b.htm" },
  not_found = "404.html", expires = "1h" })
pl.static("/app", { root = "public", fallback = "app.html" })
pl.get("/sent/*path", function(req, res)
  return res:send_file(req.params.path, "public")
end)
"""


@pytest.fixture
def server(serve):
    return serve(SITE, files=tree("public"), workers=1)


def test_versions_are_chosen_by_the_client(server):
    plain = server.get("/a.js")
    zipped = server.get("/a.js", {"Accept-Encoding": "gzip, br;q=0.1"})
    assert plain.text == PLAIN and plain.header("content-encoding") is None
    assert gzip.decompress(zipped.body).decode() == PLAIN
    assert zipped.header("content-encoding") == "gzip"
    for response in (plain, zipped):
        assert response.header("vary") == "Accept-Encoding"
        assert response.header("content-type").startswith("text/javascript")
        assert not response.header("etag").startswith("W/")
    assert plain.header("etag") != zipped.header("etag")
    again = {"If-None-Match": zipped.header("etag")}
    assert server.get("/a.js", again).status == 200
    again["Accept-Encoding"] = "gzip"
    assert server.get("/a.js", again).status == 304
    part = {"Accept-Encoding": "gzip", "Range": "bytes=0-1"}
    assert server.get("/a.js", part).body == b"\x1f\x8b"


def test_routes_say_how_long_a_file_may_be_kept(server):
    response = server.get("/a.js")
    assert response.header("cache-control") == "max-age=3600"
    assert response.header("expires")
    etag = {"If-None-Match": response.header("etag")}
    assert server.get("/a.js", etag).header("cache-control") == "max-age=3600"
    assert server.get("/none").header("cache-control") is None


def test_index_fallback_and_404(server):
    assert server.get("/").text == "<p>home"
    assert server.get("/sub/").text == "<p>sub"
    missing = server.get("/none")
    assert missing.status == 404 and missing.text == "<p>not here"
    page = {"Accept": "text/html"}
    assert server.get("/app/user/7", page).text == "<p>application"
    assert server.get("/app/none.png", page).status == 404


def test_a_folder_is_redirected_to_its_slash(server):
    response = server.get("/sub?a=1&b=%2F")
    assert response.status == 301
    assert response.header("location") == "/sub/?a=1&b=%2F"
    for target in ("//sub", "//evil.example/..", "//evil.example/%2e%2e/sub"):
        response = server.get(target)
        location = response.header("location")
        assert location is None or not location.startswith("//"), target


RANGES = [
    ("bytes=0-0", 206),
    ("bytes=-5", 206),
    ("bytes=0-10,5-20", 206),  # overlapping: made one
    ("bytes=2-3,0-1,9-9", 206),
    ("bytes=0-,0-,0-,0-", 200),  # overlapping often
    ("bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(17)), 200),
    ("bytes=5-2", 200),
    ("bytes=99999999-", 416),
    ("bytes=0-99999999999999999999999", 206),
    ("lines=1-2", 200),
]


@pytest.mark.parametrize("target", ["/a.js", "/large.bin"])
@pytest.mark.parametrize("field, status", RANGES)
def test_ranges_are_bounded(server, target, field, status):
    response = server.get(target, {"Range": field})
    assert response.status == status
    size = len(LARGE) if target == "/large.bin" else len(PLAIN)
    assert len(response.body) <= size + 2000


def test_head_says_what_get_would(server):
    for target in ("/a.js", "/large.bin"):
        head = server.request("HEAD", target)
        got = server.get(target)
        assert head.body == b"" and len(got.body) > 0
        for name in ("content-length", "etag", "last-modified", "content-type"):
            assert head.header(name) == got.header(name)


# ---- changes ---------------------------------------------------------------


def replace(path, text: str):
    beside = path.with_suffix(".new")
    beside.write_text(text)
    os.replace(beside, path)


def in_place(path, text: str):
    with open(path, "r+", encoding="utf-8") as file:
        file.truncate(0)
        file.write(text)


@pytest.mark.parametrize("change", [replace, in_place])
@pytest.mark.parametrize("period", ["0", "50ms"])
def test_changes_are_seen(serve, change, period):
    site = f"""
    local pl = require "perilune"
    pl.static("/", {{ root = "public", cache = "{period}" }})
    """
    server = serve(site, files={"public/a.txt": "0"}, workers=2)
    path = server.folder / "public/a.txt"
    wires = [server.connect() for _ in range(8)]  # on both workers
    for i in range(1, 6):
        change(path, str(i))
        for wire in wires:
            if period == "0":
                assert wire.get("/a.txt").text == str(i)
            wait_for(
                lambda w=wire, i=i: w.get("/a.txt").text == str(i), "the change"
            )


def test_a_file_that_is_sent_may_go(server):
    with server.connect() as wire:
        wire.send(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"\r\n\r\n")
        os.unlink(server.folder / "public/large.bin")
        assert wire.read_exactly(len(LARGE)) == LARGE


def test_a_file_that_is_cut_off_cuts_the_answer_off(serve):
    site = 'require "perilune".static("/", { root = "public" })'
    server = serve(site, files={"public/large.bin": b""}, workers=1)
    path = server.folder / "public/large.bin"
    with open(path, "wb") as file:
        for _ in range(64):
            file.write(b"x" * (1 << 20))
    with server.connect() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        wire.send(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"\r\n\r\n")
        os.truncate(path, 1 << 20)
        rest = wire.read_to_end()
    assert len(rest) < 64 << 20 and set(rest) == {ord("x")}
    found = server.wait_log("a file became shorter while it was sent")
    assert len(found) == 1


# ---- what it costs ---------------------------------------------------------

traces = pytest.mark.skipif(
    not may_trace() or sanitized(), reason="strace cannot trace here"
)


def ask(wire, targets, times: int):
    for _ in range(times):
        for target in targets:
            wire.get(target)


@traces
def test_a_kept_file_costs_two_calls(serve):
    site = """
    local pl = require "perilune"
    pl.static("/", { root = "public", cache = "1h" })
    """
    server = serve(site, files=tree("public"), workers=1)
    targets = ("/", "/a.js", "/app.html")
    with server.connect() as wire:
        ask(wire, targets, 1)
        calls = traced(server, lambda: ask(wire, targets, 100))
    assert not set(calls) & set(FILE_CALLS), calls
    assert calls.pop("recvfrom") <= 2 * 300, calls  # one of them: EAGAIN
    assert calls.pop("sendto") <= 300, calls


@traces
def test_preload_asks_no_disk(serve):
    site = """
    local pl = require "perilune"
    pl.static("/", { root = "public", preload = true, not_found = "404.html" })
    """
    server = serve(site, files=tree("public"), workers=1)
    targets = ("/", "/a.js", "/sub", "/none", "/large.bin", "/sub/b.htm")
    with server.connect() as wire:
        calls = traced(server, lambda: ask(wire, targets, 20))
        assert not set(calls) & set(FILE_CALLS), calls
        (server.folder / "public/index.html").write_text("changed")
        assert wire.get("/").text == "<p>home"
        assert wire.get("/large.bin").body == LARGE
        missing = wire.get("/none")
        assert missing.status == 404 and missing.text == "<p>not here"


def test_preload_has_a_limit(command):
    site = """
    local pl = require "perilune"
    pl.static("/", { root = "public", preload = "4k" })
    """
    files = {"site.lua": site, "public/a": "x" * 5000}
    done = command("check", "site.lua", files=files)
    assert done.returncode != 0
    assert "cannot preload 'a': there is more than the limit" in done.stderr


# ---- a slow disk -----------------------------------------------------------

SLOW = """
local pl = require "perilune"
pl.get("/hello", function() return "hello" end)
pl.static("/slow", { root = "disk", cache = "%s" })
pl.get("/sent/:name", function(req, res)
  return res:send_file(req.params.name, "disk")
end)
pl.get("/chosen/:name", function(req, res)
  return res:send_file("disk/" .. req.params.name)
end)
"""


@pytest.fixture
def disk(tmp_path):
    if not fuse.available():
        pytest.skip("no FUSE here")
    files = {"a.txt": b"text", "large.bin": LARGE}
    try:
        mounted = fuse.Fuse(tmp_path / "disk", files)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error}")
    with mounted:
        yield mounted


def check_hello(server):
    with server.connect() as wire:
        for _ in range(20):
            assert wire.get("/hello").text == "hello"


@pytest.mark.parametrize("operation", ["lookup", "open", "read"])
@pytest.mark.parametrize("target", ["/slow", "/sent", "/chosen"])
@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_a_slow_disk_holds_nobody_else(disk, serve, operation, target, name):
    server = serve(SLOW % "1h", workers=1)
    request = f"GET {target}/{name} HTTP/1.1\r\nHost: a\r\n\r\n"
    disk.hold(operation)
    with server.connect() as one, server.connect() as other:
        for wire in (one, other):
            wire.send(request.encode())
        disk.wait_held()
        check_hello(server)
        disk.release()
        for wire in (one, other):
            response = wire.response()
            assert response.status == 200
            assert response.body == (b"text" if name == "a.txt" else LARGE)
    check_hello(server)


def test_looking_again_holds_nobody_else(disk, serve):
    server = serve(SLOW % "0", workers=1)
    assert server.get("/slow/a.txt").text == "text"
    disk.hold("getattr", "lookup", "open", "read")
    with server.connect() as wire:
        wire.send(b"GET /slow/a.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        disk.wait_held()
        check_hello(server)
        disk.release()
        assert wire.response().text == "text"


def test_a_client_of_a_slow_disk_may_go(disk, serve):
    server = serve(SLOW % "1h", workers=1)
    disk.hold("read")
    for target in ("/slow/a.txt", "/slow/large.bin", "/sent/a.txt"):
        with server.connect() as wire:
            wire.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            disk.wait_held()
    check_hello(server)
    disk.release()
    assert server.get("/slow/large.bin").body == LARGE
    assert server.get("/sent/a.txt").text == "text"


def test_a_stop_waits_for_a_slow_disk(disk, serve):
    server = serve(SLOW % "1h", workers=1)
    disk.hold("read")
    with server.connect() as wire:
        wire.send(b"GET /slow/large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        disk.wait_held()
        server.send_signal()
        disk.release()
        assert wire.response().body == LARGE
    assert server.wait() == 0
