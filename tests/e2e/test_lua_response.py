"""What Lua handlers answer, over a real socket."""

import pytest

SITE = """
local pl = require "perilune"
pl.get("/text", function() return "text" end)
pl.get("/html", function() return "<p>html" end)
pl.get("/json", function() return { list = { 1, 2.5, "x" } } end)
pl.get("/status", function() return 201, "made", { location = "/x" } end)
pl.get("/gone", function() return 410 end)
pl.get("/long", function() return ("0123456789"):rep(100000) end)
pl.get("/redirect", function(_, res) res:redirect("/text", 308) end)
pl.get("/cookies", function(_, res)
  res:cookie("a", "1", { max_age = 60, secure = true, same_site = "strict" })
  res:cookie("b", "2")
  return "set"
end)
pl.get("/stream", function(_, res)
  res:header("content-type", "text/event-stream")
  for i = 1, 3 do res:write("data: ", i, "\\n\\n") pl.sleep(0.001) end
end)
pl.get("/endless", function(_, res)
  local done = false
  pl.defer(function() pl.log.notice("left off") end)
  repeat
    res:write("x")
  until done
end)
pl.get("/checked", function(_, res)
  while assert(res:write("x")) do end
end)
pl.get("/known", function(_, res)
  res:header("content-length", 6)
  res:write("abc") res:write("def")
end)
pl.get("/short", function(_, res)
  res:header("content-length", 6)
  res:write("abc")
end)
pl.get("/file", function(_, res) return res:send_file("a.txt") end)
pl.get("/below/*path", function(req, res)
  return res:send_file(req.params.path, "sub")
end)
pl.get("/raw", function(req, res) return res:send_file(req.args.p, "sub") end)
"""


@pytest.fixture(scope="module")
def site(serve_module):
    files = {"a.txt": "file a", "sub/b.html": "<b>b"}
    return serve_module(SITE, files=files)


@pytest.mark.parametrize(
    "path, status, kind, body",
    [
        ("/text", 200, "text/plain; charset=utf-8", b"text"),
        ("/html", 200, "text/html; charset=utf-8", b"<p>html"),
        ("/json", 200, "application/json", b'{"list":[1,2.5,"x"]}'),
        ("/status", 201, "text/plain; charset=utf-8", b"made"),
        ("/gone", 410, "text/plain; charset=utf-8", b"410 Gone\n"),
        ("/long", 200, "text/plain; charset=utf-8", b"0123456789" * 100000),
        ("/known", 200, None, b"abcdef"),
        ("/file", 200, "text/plain; charset=utf-8", b"file a"),
        ("/below/b.html", 200, "text/html; charset=utf-8", b"<b>b"),
    ],
)
def test_results(site, path, status, kind, body):
    response = site.get(path)
    assert (response.status, response.body) == (status, body)
    assert response.header("content-type") == kind


def test_head_is_a_get_without_a_body(site):
    head = site.request("HEAD", "/json")
    assert head.body == b"" and head.header("content-length") == "20"


def test_redirect(site):
    response = site.get("/redirect")
    assert (response.status, response.header("location")) == (308, "/text")


def test_cookies(site):
    assert site.get("/cookies").all("set-cookie") == [
        "a=1; Path=/; Max-Age=60; SameSite=Strict; Secure; HttpOnly",
        "b=2; Path=/; SameSite=Lax; HttpOnly",
    ]


def test_a_stream_is_chunked(site):
    response = site.get("/stream")
    assert response.framing == "chunked"
    assert response.text == "data: 1\n\ndata: 2\n\ndata: 3\n\n"
    assert response.header("content-type") == "text/event-stream"


def test_a_stream_that_is_too_short_ends_the_connection(site):
    with site.connect() as wire:
        wire.send(b"GET /short HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.read_to_end().endswith(b"\r\n\r\nabc")


def test_files_answer_conditions_and_ranges(site):
    first = site.get("/file")
    again = site.get("/file", {"If-None-Match": first.header("etag")})
    assert again.status == 304
    part = site.get("/file", {"Range": "bytes=-1"})
    assert (part.status, part.body) == (206, b"a")


@pytest.mark.parametrize("path", ["../a.txt", "/etc/passwd", "none", "", "."])
def test_files_below_a_root_cannot_leave_it(site, path):
    assert site.get(f"/raw?p={path}").status == 404


def test_head_ends_a_handler_that_writes_without_end(site):
    with site.connect() as wire:
        for path in ["/endless", "/checked", "/text"]:
            wire.send(f"HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert wire.response("HEAD").status == 200
    site.wait_log("left off")
    assert " error " not in site.log()
