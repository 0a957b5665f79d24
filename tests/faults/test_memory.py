"""What a request takes from malloc once all is warm: nothing of C's. Counted by
the program itself, so that nothing is too small to be seen; what Lua allocates
is its own. C programs are counted in tests/unit/test_app.c."""

import base64
import time
from pathlib import Path

import pytest

from ask import get, read_counts, send, write
from harness import fcgi
from harness.codings import ENCODE
from harness.server import Server, program
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(
    b"PL_FAULTS_COUNTS" not in program().read_bytes(),
    reason="this program has no faults",
)

FEW, MANY = 400, 1200  # a few hundred, until all is warm
EACH = 4  # requests of a connection
FEWEST = 2  # by which runs differ: how much is under way at the same time
ADDRESS = ["-h", "127.0.0.1", "-p", "0"]


def ask(wire, request: bytes) -> int:
    """The status of the answer, by HTTP/1 or FastCGI."""
    wire.send(request)
    if request[0] == fcgi.VERSION:
        return fcgi.Front(wire).answer().code
    return wire.response().status


def count(folder: Path, words: list, request: bytes, requests: int) -> dict:
    """Calls of a run that answers so many requests."""
    counts = folder / "counts"
    words = [program(), "--no-supervisor", "-c", "1", *words]
    server = Server(words, folder, {"PL_FAULTS_COUNTS": str(counts)})
    address = ("127.0.0.1", server.port)
    try:
        for _ in range(requests // EACH):
            with server.connect(address) as wire:
                for _ in range(EACH):
                    assert ask(wire, request) in (200, 404, 429)
        assert server.stop() == 0
    finally:
        server.finish()
    return read_counts(counts)


def wait_until_old(folder: Path):
    """A file that has just been written is read again at the next look."""
    written = max(p.stat().st_ctime for p in folder.rglob("*"))
    wait_for(lambda: time.time() > written + 0.2, "the files to be old")


def of_c(calls: dict) -> int:
    return calls["malloc"] - calls.get("lua_alloc", 0)


def check(folder: Path, words: list, request: bytes) -> tuple[dict, dict]:
    wait_until_old(folder)
    count(folder, words, request, EACH)  # the kernel knows the names now
    few = count(folder, words, request, FEW)
    many = count(folder, words, request, MANY)
    before, after = of_c(few), of_c(many)
    assert before - FEWEST <= after <= before + FEWEST, (few, many)
    return few, many


@pytest.mark.parametrize("target", ["/a.txt", "/nowhere"])
def test_files_and_connections(tmp_path, target):
    write(tmp_path / "site", {"a.txt": "file"})
    few, many = check(tmp_path, ["site", *ADDRESS], get(target))
    assert many.get("mmap", 0) == few.get("mmap", 0)


LIMITED = """
local pl = require "perilune"
pl.static("/", { root = "files",
  limit = { rate = "100000/s", concurrent = 100 } })
pl.static("/none", { root = "files", limit = "1/h" })
"""


@pytest.mark.parametrize("target", ["/a.txt", "/none/a.txt"])
def test_limits(tmp_path, target):
    """Neither who passes nor who is refused."""
    write(tmp_path, {"site.lua": LIMITED, "files/a.txt": "file"})
    check(tmp_path, ["site.lua", *ADDRESS], get(target))


@pytest.mark.parametrize("target", ["/a.txt", "/nowhere"])
def test_files_and_connections_by_fastcgi(tmp_path, target):
    write(tmp_path / "site", {"a.txt": "file"})
    request = fcgi.request(fcgi.params_of(target=target, HTTP_ACCEPT="*/*"))
    check(tmp_path, ["site", "--fastcgi", "127.0.0.1:0"], request)


# ---- what is made of pages and templates ----

PAGE = """
local pl = require "perilune"
user = { name = "<Selene>", age = 7, phase = 0.75 }
local rows = { { id = 1, text = "<tides>" }, { id = 2, text = "moon" } }
pl.set { templates = "views", error_pages = "views/error.mustache" }
pl.pages("/pages", { root = "pages" })
pl.get("/view", function(_, res)
  return res:render("page.mustache", { title = "Tides & times", rows = rows })
end)
pl.get("/text", function()
  return pl.mustache("{{#rows}}{{id}} {{text}};{{/rows}}", { rows = rows })
end)
"""
PAGE_FILES = {
    "site.lua": PAGE,
    "pages/x.lsp": "<h1><%= user.name %></h1>\n<%= user.age %> of "
    "<%= user.phase %>, <%= req.path %> <?include y.priv.lsp ?>\n",
    "pages/y.priv.lsp": "<% for i = 1, 10 do %><%= i, method %><% end %>",
    "pages/old.dyn.html": '<?lu | <p>#[[user.name]] ?><?lua write("%s", '
    "endpoint) done() ?>",
    "views/page.mustache": "{{<layout}}{{$content}}<h1>{{title}}</h1>"
    "{{#rows}}<p>{{id}}: {{text}}{{/rows}}{{/content}}{{/layout}}",
    "views/layout.mustache": "<!doctype html>{{$content}}{{/content}}{{>foot}}",
    "views/foot.mustache": "<p>{{title}}",
    "views/error.mustache": "<h1>{{status}}</h1>",
    "docs/a.md": "# Moon\n\n*High* tide.\n",
}


@pytest.mark.parametrize(
    "target", ["/pages/x", "/pages/old", "/view", "/text", "/nowhere"]
)
def test_pages_and_templates(tmp_path, target):
    """With included files, and a look at each of them once a second."""
    write(tmp_path, PAGE_FILES)
    request = get(target, "Accept: text/html")
    check(tmp_path, ["site.lua", *ADDRESS], request)


CONTENT = {
    "site/main.lua": "function on_before_http(_, _, session) session.n = 1 end",
    "site/public_html/page.dyn.html": '<?include a.priv.html ?><?lu write("%s"'
    ", query.name)\n| <p>#[[session.n]]\n?>",
    "site/public_html/a.priv.html": "part <?lu write(method) ?>",
    "site/public_html/static/a.txt": "text",
}


@pytest.mark.parametrize("target", ["/page?name=x", "/static/a.txt"])
def test_a_folder_of_pages(tmp_path, target):
    write(tmp_path, CONTENT)
    check(tmp_path, ["site", *ADDRESS], get(target))


# ---- codings ----

PACKED = """
local pl = require "perilune"
pl.set { compress = { min = 1 } }
local line = "some words that come again, and again\\n"
pl.get("/whole", function() return line:rep(200) end)
pl.get("/slices", function() return line:rep(3000) end)
pl.get("/stream", function(req, res)
  res:header("content-type", "text/plain")
  for i = 1, 20 do res:write(line:rep(100)) end
end)
pl.static("/files", { root = "files" })
pl.post("/whole", function(req) return "len " .. #req:body() end)
pl.post("/stream", function(req)
  local n = 0
  for chunk in req:chunks() do n = n + #chunk end
  return "len " .. n
end)
"""


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("target", ["whole", "slices", "stream", "files/a.txt"])
def test_answers_in_a_coding(tmp_path, coding, target):
    line = "some words that come again, and again\n"
    write(tmp_path, {"site.lua": PACKED, "files/a.txt": line * 300})
    request = get(f"/{target}", f"Accept-Encoding: {coding}")
    check(tmp_path, ["site.lua", *ADDRESS], request)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("target", ["whole", "stream"])
def test_bodies_in_a_coding(tmp_path, coding, target):
    write(tmp_path, {"site.lua": PACKED, "files/a.txt": "file"})
    body = ENCODE[coding](b"some words that come again\n" * 1000)
    request = send(f"POST /{target}", body, f"Content-Encoding: {coding}")
    check(tmp_path, ["site.lua", *ADDRESS], request)


# ---- filters ----

FILTERS = """
local pl = require "perilune"
pl.keys "temporary"
pl.rewrite("^/old/(%w+)$", { to = "/%1?from=%1" })
pl.get("/new", function(req) return req.args.from end)
pl.get("/diary", { auth = pl.basic { users = { sally = "moon" } } },
  function(req) return req.user end)
pl.get("/fields", { cors = { origins = "https://a.example" },
  security_headers = { csp = "script-src 'nonce-{nonce}'" },
  request_id = true, cache_control = "no-store" },
  function(_, res) return res:nonce() end)
pl.group("/session", function()
  pl.use(pl.session {})
  pl.get("/", function(req)
    req.session.visits = (req.session.visits or 0) + 1
    return "visit " .. req.session.visits
  end)
end)
local cached = pl.cached
pl.get("/cached", function()
  return cached("numbers", "key", 60, function() return "made" end)
end)
"""
LOGIN = "Authorization: Basic " + base64.b64encode(b"sally:moon").decode()


@pytest.mark.parametrize(
    "request_",
    [
        get("/old/new"),
        get("/diary", LOGIN),
        get("/fields", "Origin: https://a.example"),
        get("/session/"),
        get("/cached"),
    ],
    ids=["rewrite", "basic", "fields", "session", "cached"],
)
def test_filters(tmp_path, request_):
    write(tmp_path, {"site.lua": FILTERS})
    check(tmp_path, ["site.lua", *ADDRESS], request_)


# ---- the proxy ----

PROXY = """
local pl = require "perilune"
pl.listen { "127.0.0.1:0", "unix:back.sock" }
pl.get("/back/short", function() return "hello" end)
pl.get("/back/stream", function(_, res)
  for i = 1, 20 do res:write(("x"):rep(10000)) end
end)
pl.post("/back/body", function(req) return "len " .. #req:body() end)
pl.proxy("/up", { to = "unix:back.sock", strip = true, path = "/back" })
"""


@pytest.mark.parametrize(
    "request_",
    [
        get("/up/short"),
        get("/up/stream"),
        send("POST /up/body", b"b" * 50_000),  # longer ones are spooled
    ],
    ids=["short", "stream", "body"],
)
def test_proxied_requests(tmp_path, request_):
    """With both ends in one worker: what is counted is the work of both."""
    write(tmp_path, {"site.lua": PROXY})
    check(tmp_path, ["site.lua"], request_)
