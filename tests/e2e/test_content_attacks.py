"""What strangers and careless authors try on a site of pages, templates and
log-ins: to see sources, to get in, to say more than a field, to lead visitors
away. Attacks on the protocols: test_http2_attacks.py, tests/attacks."""

import base64
import itertools
from urllib.parse import quote

import pytest

from harness.h2wire import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    H2Wire,
    frame,
    literal,
)
from harness.upstream import Upstream, always
from harness.wire import Closed

SECRET = "the source is secret"
CODE = f"local secret = '{SECRET}'"

# ---- sources are never sent ----

SOURCES = {
    "main.lua": f'local pl = require "perilune" {CODE}\n'
    'pl.pages("/lsp", { root = "pages", files = true })\n'
    'pl.static("/plain", { root = "plain" })',
    "public_html/index.dyn.html": f"<?lu {CODE} write('shown') ?>",
    "public_html/folder/page.dyn.html": f"<?lu {CODE} write('shown') ?>",
    "public_html/top.priv.html": f"<?lu {CODE} ?>",
    "public_html/post.form.dyn.html": f"<?lu {CODE} write('shown') ?>",
    "public_html/util.lua": CODE,
    "public_html/.hidden.html": SECRET,
    "public_html/i.parts/a.html": SECRET,
    "public_html/static/b.priv.html": SECRET,
    "public_html/old.dyn.html~": f"<?lu {CODE} ?>",
    "public_html/old.dyn.html.bak": f"<?lu {CODE} ?>",
    "public_html/lib.lua~": CODE,
    "public_html/lib.lua.orig": CODE,
    "pages/index.lsp": f"<% {CODE} %>shown",
    "pages/page.lsp": f"<% {CODE} %>shown",
    "pages/page.lsp~": f"<% {CODE} %>",
    "pages/part.priv.lsp": f"<% {CODE} %>",
    "pages/lib.lua": CODE,
    "pages/lib.lua.orig": CODE,
    "pages/old.dyn.html": f"<?lu {CODE} write('shown') ?>",
}
NAMES = """
index.dyn.html index.dyn folder/page.dyn.html top.priv.html top.priv
post.form.dyn.html post.form util.lua .hidden.html .hidden i.parts/a
i.parts/a.html static/b.priv.html old.dyn.html~ old.dyn.html.bak lib.lua~
lib.lua.orig ../main.lua main.lua folder/../../main.lua lsp/page.lsp~
lsp/part.priv.lsp lsp/part lsp/lib.lua lsp/lib.lua.orig lsp/page.lsp
lsp/old.dyn.html lsp/old plain/../main.lua lsp/../pages/page.lsp
""".split()


def disguises(name: str):
    """Other ways to write it that a careless server takes for the same."""
    yield name
    yield name.replace(".", "%2e").replace("/", "%2f")
    yield name.replace(".", "%252e")
    for behind in (
        ".", "%20", "%00", "%00.html", "/", "/.", "::$DATA", ";a=b", "%5c",
        "?", "#", ".gz", "%0a", "\\",
    ):  # fmt: skip
        yield name + behind
    for before in ("./", "/", "%2e/", "folder/../", "%5c", "folder%2f..%2f"):
        yield before + name
    yield name.upper()


@pytest.fixture(scope="module")
def sources(serve_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    files = {f"{folder}/{name}": text for name, text in SOURCES.items()}
    (folder / "plain").mkdir()
    return serve_module(folder, files=files)


def test_sources_are_never_sent(sources):
    shown = 0
    for name in NAMES:
        with sources.connect() as wire:
            for target in disguises(name):
                wire.send(f"GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                answer = wire.response()
                assert SECRET not in answer.text, target
                shown += answer.text.startswith("shown")
                if not answer.keeps_alive:
                    wire.close()
                    wire.__init__(sources.addresses()[0])
    assert shown > 0
    assert sources.get("/").text == sources.get("/lsp/").text == "shown"


# ---- nobody gets in ----

GUARDED = """
local pl = require "perilune"
local auth = pl.basic { users = { sally = "moon" } }
pl.get("/", function() return "open" end)
pl.rewrite("^/way/(.*)$", { to = "/in/%1" })
pl.group("/in", { auth = auth }, function()
  pl.get("/route", function() return "SECRET" end)
  pl.any("/any/:name", function() return "SECRET" end)
  pl.static("/files", { root = "files" })
  pl.pages("/pages", { root = "pages" })
  pl.content("/content", { root = "content" })
  pl.markdown.pages("/docs", { root = "docs" })
  pl.proxy("/up", { to = "UPSTREAM" })
  pl.websocket("/ws", { open = function(ws) ws:send "SECRET" end })
  pl.rewrite("/rules", { { "^x$", to = "/in/route" } })
  pl.redirect("/away", { to = "/SECRET" })
  pl.response("/fixed", { body = "SECRET" })
end)
pl.static("/alone", { root = "files", auth = auth })
pl.pages("/alone/pages", { root = "pages", auth = auth })
"""
GUARDED_FILES = {
    "files/a.txt": "SECRET",
    "pages/a.lsp": "SECRET<% local x = 1 %>",
    "content/a.dyn.html": "<?lu write('SECRET') ?>",
    "content/static/a.txt": "SECRET",
    "docs/a.md": "# SECRET",
}
GUARDED_PATHS = [
    "route", "any/x", "files/a.txt", "files/", "pages/a", "content/a",
    "content/static/a.txt", "docs/a", "up/x", "ws", "rules/x", "away/x",
    "fixed",
]  # fmt: skip
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def basic(pair: str) -> dict:
    text = base64.b64encode(pair.encode()).decode()
    return {"Authorization": f"Basic {text}"}


@pytest.fixture(scope="module")
def guarded(serve_module, tmp_path_factory):
    with Upstream(always(b"SECRET")) as upstream:
        site = GUARDED.replace("UPSTREAM", upstream.url)
        yield serve_module(site, files=GUARDED_FILES)


@pytest.mark.parametrize("path", GUARDED_PATHS)
def test_a_log_in_goes_around_all_kinds_of_routes(guarded, path):
    fields = UPGRADE if path == "ws" else {}
    for target, who in itertools.product(
        [f"/in/{path}", f"/way/{path}", f"/in//{path}", f"/in/./{path}",
         f"/x/../in/{path}", f"/%69n/{path}", f"/in/{path}?a=b"],
        [{}, basic("sally:mars"), basic("sally:"), basic(":"), basic("sally"),
         {"Authorization": "Basic !"}, {"Authorization": "Bearer moon"},
         {"Authorization": ""}],
    ):  # fmt: skip
        for method in ("GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS"):
            answer = guarded.request(method, target, {**fields, **who})
            assert answer.status in (204, 401, 404, 405), (method, target)
            assert b"SECRET" not in answer.head + answer.body, (method, target)
        if target == f"/in/{path}":
            answer = guarded.get(target, {**fields, **who})
            assert answer.status == 401, target
            assert answer.header("www-authenticate").startswith("Basic ")
    answer = guarded.get(f"/in/{path}", {**fields, **basic("sally:moon")})
    assert answer.status != 401


@pytest.mark.parametrize("path", ["/alone/a.txt", "/alone/pages/a"])
def test_a_log_in_is_an_option_of_routes(guarded, path):
    assert guarded.get(path).status == 401
    assert "SECRET" in guarded.get(path, basic("sally:moon")).text


# ---- fields are no more than fields ----

FIELDS = """
local pl = require "perilune"
pl.keys "temporary"
pl.group("/", function()
  pl.get("/header", function(req, res) res:header("x-a", req.args.v) end)
  pl.get("/name", function(req, res) res:header(req.args.v, "a") end)
  pl.get("/type", function(req, res) res:header("content-type", req.args.v)
    return "x" end)
  pl.get("/cookie", function(req, res) res:cookie("a", req.args.v) end)
  pl.get("/cookie-name", function(req, res) res:cookie(req.args.v, "a") end)
  pl.get("/cookie-path", function(req, res)
    res:cookie("a", "b", { path = req.args.v }) end)
  pl.get("/signed", function(req, res) res:signed_cookie("a", req.args.v) end)
  pl.get("/redirect", function(req, res) res:redirect(req.args.v) end)
  pl.get("/table", function(req) return 200, "x", { ["x-a"] = req.args.v } end)
  pl.get("/error", function(req) return 400, nil, { ["x-a"] = req.args.v } end)
end)
pl.pages("/pages", { root = "pages" })
"""
FIELD_PAGES = {
    "pages/status.dyn.html": "<?lu status(query.v) ?>",
    "pages/header.dyn.html": "<?lu header('x-a', query.v) ?>",
    "pages/name.dyn.html": "<?lu header(query.v, 'a') ?>",
    "pages/location.dyn.html": "<?lu status('303 See Other') header("
    "'Location', query.v) ?>",
    "pages/link.dyn.html": "<?lu header('x-a', to_url('/' .. query.v, "
    "{ v = query.v })) ?>",
}
SPLITTERS = [
    "a\r\nSet-Cookie: evil=1", "a\nSet-Cookie: evil=1", "a\rSet-Cookie: evil=1",
    "a\r\n\r\n<script>", "\r\nSet-Cookie: evil=1", "a\0Set-Cookie: evil=1",
    "a; Set-Cookie: evil=1\r\n", "200 OK\r\nSet-Cookie: evil=1",
    "a\u010d\u010aSet-Cookie: evil=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def fields(serve_module):
    return serve_module(FIELDS, files=FIELD_PAGES)


@pytest.mark.parametrize(
    "where",
    "header name type cookie cookie-name cookie-path signed redirect table "
    "error pages/status pages/header pages/name pages/location "
    "pages/link".split(),
)
def test_a_value_is_never_a_second_field(fields, where):
    for text in SPLITTERS:
        answer = fields.get(f"/{where}?v={quote(text)}")  # judges the form
        for name, value in answer.headers:
            assert name.lower() != "set-cookie" or not value.startswith("evil")
            assert "\r" not in value and "\n" not in value and "\0" not in value
        assert "<script>" not in answer.text


# ---- visitors stay here ----

REDIRECTS = """
local pl = require "perilune"
pl.redirect("/blog", { to = "https://blog.example", rest = true })
pl.redirect("/here", { to = "/", rest = true })
pl.redirect("/there", { to = "/new", rest = true, query = true })
pl.rewrite("^/go/(.*)$", { to = "/%1", redirect = 302 })
pl.rewrite("^/sub/(.*)$", { to = "https://%1.example/", redirect = 302 })
pl.rewrite("^/to/(.*)$", { to = "https://a.example/%1", redirect = 302 })
pl.static("/files", { root = "files" })
pl.content("/content", { root = "files" })
pl.pages("/", { root = "pages" })
"""
REDIRECT_FILES = {
    "files/evil.example/index.html": "x",
    "pages/evil.example/index.lsp": "x",
}
EVIL = [
    "evil.example", "/evil.example", "//evil.example", "\\evil.example",
    "%2fevil.example", "%5cevil.example", "/%2fevil.example", "@evil.example",
    ".evil.example", ":80@evil.example", "%09/evil.example",
    "/%09/evil.example", "%0d%0aLocation:%20//evil.example",
    "https://evil.example", "evil.example/..", "evil.example%2f",
    "evil.example%23", "evil.example%3f", "evil.example%5c",
]  # fmt: skip


@pytest.fixture(scope="module")
def redirects(serve_module):
    return serve_module(REDIRECTS, files=REDIRECT_FILES)


def host_of(location: str) -> str | None:
    """Where a browser goes: it takes a backslash for a slash, and passes over
    white space."""
    text = location.translate(str.maketrans("\\", "/", "\t\r\n")).lstrip()
    scheme, colon, rest = text.partition(":")
    if colon and scheme.isalpha():
        text = rest
    if not text.startswith("//"):
        return None
    host = text.lstrip("/").split("/")[0].split("?")[0].split("#")[0]
    return host.rpartition("@")[2].split(":")[0]


@pytest.mark.parametrize(
    "prefix",
    ["/blog/", "/here/", "/there/", "/go/", "/sub/", "/to/", "/files/",
     "/content/", "/", "/blog", "/files", "/content"],
)  # fmt: skip
def test_visitors_are_not_led_away(redirects, prefix):
    for rest in EVIL:
        request = f"GET {prefix}{rest} HTTP/1.1\r\nHost: site.example\r\n\r\n"
        with redirects.connect() as wire:
            wire.send(request.encode())
            location = wire.response().header("location") or "/"
        host = host_of(location) or "blog.example"
        if prefix == "/sub/":
            assert host.endswith(".example") and host != "evil.example", rest
        else:
            assert host in ("blog.example", "a.example"), (rest, location)


# ---- what is written stays text ----

SCRIPT = "<script>alert(1)</script>"
QUOTED = "'\"><img src=x onerror=alert(1)>"
TEXTS = """
local pl = require "perilune"
pl.set { templates = "views" }
pl.get("/render", function(req, res)
  return res:render("page.mustache", { v = req.args.v, [req.args.v] = "x" })
end)
pl.get("/name", function(req, res) return res:render(req.args.v, {}) end)
pl.get("/text", function(req)
  return pl.mustache("<p title='{{v}}'>{{v}}</p>", { v = req.args.v })
end)
pl.get("/markdown", function(req) return pl.markdown(req.args.v) end)
pl.get("/twice", function(req)
  return pl.mustache("<p>{{#twice}}{{v}}{{/twice}}</p>", {
    v = req.args.v, twice = function(text, render) return render(text) end })
end)
pl.get("/fails", function(req) error(req.args.v) end)
pl.static("/list", { root = "files", listing = true })
pl.pages("/pages", { root = "pages" })
"""
TEXT_FILES = {
    "views/page.mustache": '<p title="{{v}}">{{v}}{{{none}}}</p>',
    f"files/{QUOTED.replace('/', '')}": "file",
    f"files/{SCRIPT.replace('/', '')}": "file",
    "pages/80s.dyn.html": '<?lu | <p title="#[[query.v]]">#[[query.v]]</p>\n'
    'write("%s", query.v) ?>',
    "pages/lsp.lsp": '<p title="<%= req.args.v %>"><%= req.args.v %></p>',
    "pages/layout.lsp": "<% layout 'around.priv.lsp' %><%= req.args.v %>",
    "pages/around.priv.lsp": "<%- content %><%= req.args.v %>",
}


@pytest.fixture(scope="module")
def texts(serve_module):
    return serve_module(TEXTS, files=TEXT_FILES)


@pytest.mark.parametrize(
    "where",
    ["render?v=", "text?v=", "markdown?v=", "twice?v=", "pages/80s?v=",
     "pages/lsp?v=", "pages/layout?v=", "none/", "fails?v=", "list/none/",
     "pages/none/", "list/?sort=", "list/"],
)  # fmt: skip
def test_what_visitors_write_stays_text(texts, where):
    for text in (SCRIPT, QUOTED, f"{{{{{{{SCRIPT}}}}}}}", f"]]{SCRIPT}",
                 f"<?lu write('<script>') ?>{SCRIPT}"):  # fmt: skip
        answer = texts.get(f"/{where}{quote(text)}", {"Accept": "text/html"})
        assert "<script" not in answer.text.lower(), answer.text
        assert "<img" not in answer.text.lower(), answer.text
        assert '="\'"' not in answer.text, answer.text


@pytest.mark.parametrize(
    "name",
    ["../site.lua", "/etc/passwd", "../views/../site.lua", "", ".", "/", "..",
     "page.mustache\0", "page.mustache/", "x" * 5000, "page.mustache/../.."],
    ids=lambda name: name[:20],
)  # fmt: skip
def test_names_of_templates_lead_nowhere_else(texts, name):
    answer = texts.get(f"/name?v={quote(name, safe='')}")
    assert answer.status == 500 and "perilune" not in answer.text


# ---- files from other editors ----


def test_pages_with_line_ends_and_marks_of_windows(serve):
    def windows(text: str) -> bytes:
        return b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()

    server = serve(
        'local pl = require "perilune"\npl.pages("/", { root = "pages" })',
        files={
            "pages/both.dyn.html": windows(
                "#! parallel\n<?lu write(1) ?>,<?lu write(2) ?>\n"
            ),
            "pages/form.dyn.html": windows(
                "<?lu\n  local a = 1\n  | <p>#[[a]]\n  | </p>\n?>"
            ),
            "pages/lsp.lsp": windows("<% if true then %>\nyes\n<% end %>\n"),
            "pages/wrong.lsp": windows("one\ntwo\n<% error 'wrong' %>\n"),
            "pages/part.lsp": windows("<?include a.priv.lsp ?>"),
            "pages/a.priv.lsp": windows("part"),
        },
    )
    assert server.get("/both").text == "1,2\r\n"
    assert server.get("/form").text == "<p>1</p>"
    assert server.get("/lsp").text.split() == ["yes"]
    assert server.get("/part").text == "part"
    assert server.get("/wrong").status == 500
    server.wait_log(r"wrong\.lsp:3: wrong")


# ---- an upstream sees one request ----


SECOND = "\r\n\r\nGET /second HTTP/1.1\r\nHost: evil"
LINE = "a\r\nX-Evil: 1"
SMUGGLED = [
    [(":method", f"GET / HTTP/1.1{SECOND}")], [(":method", "GET /second")],
    [(":path", f"/ HTTP/1.1{SECOND}")], [(":path", "/ HTTP/1.1")],
    [(":path", "/a b")], [(":path", "a")], [(":path", "")], [(":path", "*")],
    [(":path", "http://evil/")], [(":path", "/\u007f")], [(":path", "/\0")],
    [(":authority", LINE)], [(":authority", "a b")], [(":authority", "a/b")],
    [(":authority", "user@a")], [(":authority", "a\0")], [(":scheme", LINE)],
    [("x", LINE)], [("x", f"a{SECOND}")], [("x", "a\nX-Evil: 1")],
    [("x", "a\rX-Evil: 1")], [("x", "a\0b")], [("x", " a")], [("x", "a ")],
    [("x-evil: 1\r\nx", "a")], [("x-evil: 1", "a")], [("x evil", "a")],
    [("X-Upper", "a")], [("", "a")], [("x\0", "a")], [("x:", "a")],
    [("connection", "close")], [("transfer-encoding", "chunked")],
    [("te", "gzip")], [("upgrade", "h2c")], [("keep-alive", "1")],
    [("proxy-connection", "close")], [("host", "evil")],
    [("host", "a.example"), ("host", "evil")], [("content-length", "5")],
    [("content-length", "0"), ("content-length", "5")],
    [("content-length", "-1")], [("content-length", "0, 5")],
    [(":evil", "a")], [("x", "a"), (":path", "/late")],
]  # fmt: skip


@pytest.fixture(scope="module")
def proxied(serve_module):
    with Upstream(always(b"hello")) as upstream:
        site = f"""local pl = require "perilune"
        pl.proxy("/", {{ to = "{upstream.url}" }})"""
        yield serve_module(site, workers=1), upstream


def block_of(fields: list[tuple[str, str]]) -> bytes:
    whole = {":method": "GET", ":scheme": "http", ":authority": "a.example",
             ":path": "/first"}  # fmt: skip
    late = [field for field in fields if not field[0].startswith(":")]
    if not late:
        whole.update(fields)
        fields = []
    return b"".join(literal(*field) for field in [*whole.items(), *fields])


@pytest.mark.parametrize("fields", SMUGGLED, ids=repr)
def test_nothing_is_smuggled_to_an_upstream(proxied, fields):
    """What stands in a field of HTTP/2 is no line of HTTP/1."""
    server, upstream = proxied
    before = len(upstream.requests)
    ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, block_of(fields))
    with H2Wire(("127.0.0.1", server.port)) as wire:
        wire.greet(ask)
        try:
            answer = wire.answer(1)
            assert answer.status in (None, 200, 400, 501)
        except Closed:
            pass
    assert server.get("/last").text == "hello"
    seen = upstream.requests[before:]
    lines = [request.line for request in seen]
    assert lines[-1] == "GET /last HTTP/1.1" and len(lines) <= 2, lines
    assert set(lines[:-1]) <= {"GET /first HTTP/1.1"}, lines
    for request in seen[:-1]:
        assert request.header("host") == "a.example"
        assert request.header("transfer-encoding") is None
        assert request.header("x-evil") is None
        assert request.body == b""
