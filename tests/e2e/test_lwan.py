"""perilune --dialect lwan: configurations and scripts of Lwan's, unchanged."""

import asyncio
import base64
import os
import re

import pytest

from harness.certs import Authority
from harness.fcgiapp import App
from harness.modules import build
from harness.server import TOP, sanitized
from harness.wait import GUARD

CONF = "lwan.conf"

# The handlers of Lwan's own documentation, as their users have them.
HANDLERS = """
function handle_get_hello(req)
  req:set_response("Hello, " .. (req:query_param("name") or "World") .. "!")
end
function handle_post_sum(req)
  return tonumber(req:post_param("code"))
end
function handle_get_cookie(req)
  req:set_headers({["Set-Cookie"] = {"A=1; HttpOnly", "B=2"},
    ["Content-Type"] = "text/html"})
  req:set_response("FOO=" .. tostring(req:cookie("FOO")))
end
function handle_get_stream(req)
  for i = 1, 3 do req:say("part " .. i .. "\\n") req:sleep(10) end
end
function handle_get_events(req)
  for i = 1, 2 do req:send_event("tick", tostring(i)) end
end
function handle_get_root(req)
  req:set_response("root")
end
"""

MORE = """
count = (count or 0) + 1
function handle_get_count() count = count + 1 return nil end
function handle_get_about(req)
  local out = { req:http_method(), req:http_version(), req:path(),
    req:query_string(), tostring(req:header "x-a"), req:remote_address(),
    tostring(req:is_https()), req:host(), tostring(#req:request_id()),
    req:http_headers()["X-A"], tostring(req:num_http_headers()),
    tostring(req:request_date():find "GMT$" ~= nil) }
  req:write(table.concat(out, "|"))
  req:write("|end")
end
function handle_put_body(req) req:set_response(#req:body() .. "") end
function handle_post_body(req) req:set_response(#req:body() .. "") end
function handle_get_status(req) return tonumber(req:query_param "code") end
function handle_get_text(req)
  req:set_response("teapot")
  return 418
end
function handle_get_yield(req)
  for i = 1, 3 do coroutine.yield() req:write(i) end
  local inner = coroutine.wrap(function() coroutine.yield("in") end)
  req:write(inner())
end
function handle_get_close(req)
  req:set_keep_alive(false)
  req:set_headers { Connection = "keep-alive", Date = "never", ["X-B"] = "1" }
end
function handle_get_fail() error("it failed") end
function handle_get_log(req)
  Lwan.log.info("info line")
  Lwan.log.warning("warning line")
  Lwan.log.error("error line")
  Lwan.log.debug("debug line")
end
function handle_get_lwan(req)
  local u = Lwan.utils
  req:set_response(table.concat({ tostring(u.random_double() < 1), u.version(),
    u.operating_system(), u.get_mime_type("a.css"),
    u.get_response_code_text(404), u.get_response_code_text(999),
    Lwan.base64.encode("a"), Lwan.base64.decode("YQ=="),
    u.base64_encode("b") }, "|"))
end
function handle_get_critical() Lwan.log.critical("the end") end
function handle_get_late(req)
  req:say("x")
  req:write("y")
  req:say(tostring(req:set_headers { A = "b" }))
  req:write("z")
end
function handle_get_global(req)
  leaked = "yes"
  req:set_response(tostring(other))
end
function handle_get_native(req)
  req:set_response(req:arg "q" .. #req:all "q" .. req.args.q
    .. tostring(req.none) .. type(req.parts) .. tostring(req:json()))
end
function handle_get_ws(req)
  if req:ws_upgrade() ~= 101 then return 400 end
  assert(req:ws_upgrade() == 101)
  req:ws_write("plain")
  req:ws_write("h\\xc3\\xa9")
  req:ws_write_text("text")
  req:ws_write_binary("binary")
  local waits = 0
  while true do
    local data = req:ws_read()
    if data == 107 then Lwan.log.info("the client has gone") return end
    if data == 11 then
      waits = waits + 1
      if waits == 3 then req:ws_write "nothing yet" end
      coroutine.yield()
    else
      req:ws_write_text(data)
    end
  end
end
"""

SITE = """
constants {
    DIR = public   # a comment
    TYPE = text/plain
}
listener *:8080 {
}
headers {
    X-Site = of ${DIR}
}
keep alive timeout = 15
max_post_data_size = 10
max_put_data_size = 20
site {
    lua /lua {
        default type = ${TYPE}
        script_file = ${SCRIPTS:handlers.lua}
    }
    lua /more { script_file = more.lua }
    lua /other {
        script = '''
          local line = debug.getinfo(1, "l").currentline
          other = "mine"
          function handle_get_line(req) req:set_response(tostring(line)) end
          function handle(req) req:set_response(tostring(leaked)) end
        '''
    }
    redirect /old {
        to = http://example.com/?a=b
    }
    redirect /new { to = /lua/hello
        code = 307 }
    response /teapot { code = 418 }
    response /empty { code = 200 }
    serve_files /files/ { path = ${DIR}
        cache for = 1h }
}
"""
FILES = {
    CONF: SITE, "handlers.lua": HANDLERS, "more.lua": MORE,
    "public/index.html": "<p>home", "public/sub/a.txt": "a",
    "public/sub/README": "read me",
}


def start(fixture, tmp_path, files, *args, **options):
    return fixture(tmp_path / CONF, "--dialect", "lwan", *args, files=files,
                   **options)


def lay(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def site(serve_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lwan")
    lay(folder, FILES)
    return serve_module(folder / CONF, "--dialect", "lwan", workers=1)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


# ---- scripts, as seed scripts have them --------------------------------------


def test_get_with_a_query(site):
    answer = site.get("/lua/hello?name=foo")
    assert (answer.status, answer.text) == (200, "Hello, foo!")
    assert answer.header("content-type") == "text/plain"
    assert site.get("/lua/hello").text == "Hello, World!"


@pytest.mark.parametrize("code, status", [("418", 418), ("42", 500),
                                          ("404.5", 500), ("", 200)])
def test_the_result_is_the_status(site, code, status):
    answer = site.request("POST", "/lua/sum", FORM, f"code={code}".encode())
    assert answer.status == status


def test_cookies_and_headers(site):
    answer = site.get("/lua/cookie", {"Cookie": "FOO=BAR; X=1"})
    assert answer.all("set-cookie") == ["A=1; HttpOnly", "B=2"]
    assert answer.header("content-type") == "text/html"
    assert answer.text == "FOO=BAR"


def test_streams(site):
    answer = site.get("/lua/stream")
    assert answer.framing == "chunked"
    assert answer.text == "part 1\npart 2\npart 3\n"


def test_events(site):
    answer = site.get("/lua/events")
    assert answer.header("content-type") == "text/event-stream"
    events = [e for e in answer.text.split("\n\n") if "data" in e]
    assert [sorted(e.split("\n")) for e in events] == [
        ["data: 1", "event: tick"], ["data: 2", "event: tick"]
    ]


def test_root_and_unknown(site):
    assert site.get("/lua/").text == "root"
    assert site.get("/lua").text == "root"
    assert site.get("/lua/unknown").status == 404


# ---- the rest of the request -------------------------------------------------


def test_what_a_request_says(site):
    answer = site.get("/more/about/x?y=1", {"X-A": "b", "Host": "h:1"})
    assert answer.text == (
        "GET|HTTP/1.1|about/x|y=1|b|127.0.0.1|false|h:1|16|b|2|true|end"
    )


@pytest.mark.parametrize("method, size, status", [
    ("POST", 10, 200), ("POST", 11, 413), ("PUT", 20, 200), ("PUT", 21, 413),
])
def test_limits_of_bodies(site, method, size, status):
    answer = site.request(method, "/more/body", None, b"x" * size)
    assert answer.status == status
    if status == 200:
        assert answer.text == str(size)


@pytest.mark.parametrize("code, status", [
    (200, 200), (404, 404), (503, 503), (101, 500), (99, 500), (999, 500),
    (-1, 500),
])
def test_numbers_that_are_no_status_are_500(site, code, status):
    assert site.get(f"/more/status?code={code}").status == status


def test_a_body_goes_with_any_status(site):
    answer = site.get("/more/text")
    assert (answer.status, answer.text) == (418, "teapot")


def test_yield_lets_others_run(site):
    assert site.get("/more/yield").text == "123in"


def test_the_connection_may_end(site):
    with site.connect() as wire:
        answer = wire.get("/more/close")
        assert (answer.status, answer.header("x-b")) == (200, "1")
        assert not answer.keeps_alive
        assert answer.header("date") != "never"
        wire.expect_closed()
    assert site.get("/more/count").keeps_alive


def test_errors_are_500_and_logged(site):
    assert site.get("/more/fail").status == 500
    site.wait_log(r"more\.lua:\d+: it failed")
    assert site.get("/lua/").status == 200


def test_the_log(site):
    site.get("/more/log")
    for line in "info line", "warning line", "error line":
        site.wait_log(line)
    assert "debug line" not in site.log()


def test_the_library(site):
    words = site.get("/more/lwan").text.split("|")
    assert re.match(r"perilune/\d", words.pop(1))
    assert words == ["true", "Linux", "text/css; charset=utf-8", "Not Found",
                     "Invalid", "YQ==", "a", "Yg=="]


def test_what_is_written_around_chunks_is_sent(site):
    assert site.get("/more/late").text == "xynilz"


def test_scripts_share_no_globals(site):
    assert site.get("/more/global").text == "nil"
    assert site.get("/other/any").text == "nil"


def test_methods_of_perilune_are_there(site):
    assert site.get("/more/native?q=a&q=b").text == "a2anilbooleannil"


def test_scripts_inside_have_the_lines_of_the_file(site):
    line = SITE.split("local line")[0].count("\n") + 1
    assert site.get("/other/line").text == str(line)


# ---- what HTTP wants, and Lwan has not ---------------------------------------


def test_head_is_get_without_its_body(site):
    head, get = (site.request(m, "/lua/hello") for m in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == str(len(get.body))


def test_other_methods_are_405(site):
    answer = site.request("PUT", "/lua/hello")
    assert answer.status == 405
    assert answer.header("allow") == "GET, HEAD"
    answer = site.request("OPTIONS", "/lua/hello")
    assert (answer.status, answer.header("allow")) == (204, "GET, HEAD")


def test_prefixes_end_with_an_element(site):
    assert site.get("/lualua").status == 404
    assert site.get("/teapots").status == 404
    assert site.get("/teapot/x").status == 418


# ---- modules -----------------------------------------------------------------


def test_redirects(site):
    answer = site.get("/old/x")
    assert answer.status == 301
    assert answer.header("location") == "http://example.com/?a=b"
    assert site.get("/new").status == 307


def test_responses(site):
    assert site.get("/teapot").status == 418
    answer = site.get("/empty")
    assert (answer.status, answer.body) == (200, b"")


def test_files(site):
    answer = site.get("/files/")
    assert answer.text == "<p>home"
    assert answer.header("cache-control") == "max-age=604800"
    assert answer.header("x-site") == "of public"
    assert site.get("/files/sub").status == 301
    assert "read me" in site.get("/files/sub/").text
    assert site.get("/files/sub/a.txt", {"Range": "bytes=0-0"}).status == 206
    assert site.get("/files/../more.lua").status == 404


MODULE = """
#include <perilune.h>
PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);
PL_HANDLER(hello)
{
    return pl_respond(res, 200, "text/plain", PL_STR("from C"));
}
PL_LUA_METHOD(twice)
{
    double n;
    if (!pl_lua_arg_number(call, 1, &n))
        return PL_ERR_INVALID;
    return pl_lua_return_number(call, 2 * n);
}
"""


def test_handlers_and_methods_in_c(serve, tmp_path):
    build(MODULE, tmp_path / "hello.so")
    conf = """site { &hello /c
  lua /lua { script = '''function handle(req)
    req:set_response(tostring(req:twice(21))) end''' } }"""
    server = start(serve, tmp_path, {CONF: conf}, "-m", "hello.so")
    assert server.get("/c").text == "from C"
    assert server.get("/c/d").text == "from C"
    assert float(server.get("/lua").text) == 42


def test_websockets(site):
    websockets = pytest.importorskip("websockets")

    async def talk():
        url = f"ws://127.0.0.1:{site.port}/more/ws"
        async with websockets.connect(url) as ws:
            heard = [await ws.recv() for _ in range(5)]
            await ws.send("echo")
            heard.append(await ws.recv())
        return heard

    heard = asyncio.run(asyncio.wait_for(talk(), GUARD))
    assert heard == ["plain", "hé".encode(), "text", b"binary",
                     "nothing yet", "echo"]
    site.wait_log("the client has gone")
    assert site.get("/more/ws").status == 400


# ---- server pages ------------------------------------------------------------

LSP = (
    '<? local n = 3 ?>n=<%= n * 2 %> v=<?= mg.request_info.request_method ?> '
    'q=<%lua= tostring(mg.get_var("q")) %>'
)
PAGES = {
    CONF: """
site {
  lua / { server_pages = pages
    default_type = text/html
  }
}
""",
    "pages/index.lsp": LSP,
    "pages/sub/index.lua": """
local what = mg.get_var "what"
if what == "status" then return 404 end
if what == "error" then error "it failed" end
__request:set_headers { ["X-A"] = "b" }
mg.write("script ", __request:path())
""",
    "pages/a.lp": "<b><%= '<i>' %></b><? mg.write(mg.request_info.uri, "
    "mg.get_mime_type('a.css')) ?>",
    "pages/status.lsp": "text<? return 418 ?>",
    "pages/request.lsp": "<? __request:write('w') ?>"
    "<?= __request:query_param 'a' ?>",
    "pages/fault.lsp": "\n<? x = = ?>",
    "pages/broken.lsp": "\n\n<? error 'no' ?>",
    "pages/data.txt": "secret", "pages/.hidden.lsp": "hidden",
    "pages/fault.lua": "\n\nx = = 1",
}


@pytest.fixture(scope="module")
def pages(serve_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    lay(folder, PAGES)
    return serve_module(folder / CONF, "--dialect", "lwan", workers=1)


def test_a_server_page(pages):
    answer = pages.get("/?q=zz")
    assert answer.text == "n=6 v=GET q=zz"
    assert answer.header("content-type") == "text/html"


@pytest.mark.parametrize("path, status, text", [
    ("/index.lsp?q=1", 200, "n=6 v=GET q=1"),
    ("/a.lp", 200, "<b><i></b>/a.lptext/css; charset=utf-8"),
    ("/request.lsp?a=b", 200, "wb"),
    ("/sub/", 200, "script sub/"),
    ("/sub/index.lua", 200, "script sub/index.lua"),
    ("/sub/?what=status", 404, None),
    ("/sub/?what=error", 500, None),
    ("/status.lsp", 418, None),
    ("/fault.lsp", 500, None), ("/broken.lsp", 500, None),
    ("/fault.lua", 500, None),
    ("/data.txt", 404, None), ("/.hidden.lsp", 404, None),
    ("/none.lsp", 404, None), ("/none.lua", 404, None), ("/none/", 404, None),
    ("/sub", 404, None), ("/../lwan.conf", 400, None),
])
def test_pages_and_scripts(pages, path, status, text):
    answer = pages.get(path)
    assert answer.status == status
    if text is not None:
        assert answer.text == text
        assert answer.header("content-type") == "text/html"


def test_faults_of_pages_name_their_lines(pages):
    for path in "/fault.lsp", "/broken.lsp", "/fault.lua", "/sub/?what=error":
        assert pages.get(path).status == 500
    for where in (r"fault\.lsp:2:", r"broken\.lsp:3: no", r"fault\.lua:3:",
                  r"index\.lua:4: it failed"):
        pages.wait_log(where)
    assert pages.get("/sub/").header("x-a") == "b"


def test_pages_are_read_again(serve, tmp_path):
    files = {**PAGES, CONF: "site { lua / { server_pages = pages\n"
             "cache_period = 0s } }", "pages/s.lua": "mg.write 'one'"}
    server = start(serve, tmp_path, files, workers=1)
    assert server.get("/s.lua").text == "one"
    (tmp_path / "pages/s.lua").write_text("mg.write 'second'")
    (tmp_path / "pages/a.lp").write_text("new")
    assert server.get("/s.lua").text == "second"
    assert server.get("/a.lp").text == "new"


# ---- rewriting ---------------------------------------------------------------

REWRITE = """
site {
lua /lua { script_file = handlers.lua }
rewrite /p {
    pattern foo/(%d+)(%a)(%d+) { redirect to = /hello?name=pre%2mid%3x%1post }
    pattern bar/(%d+)/test { rewrite as = /lua/hello?name=n%1 }
    pattern m/(%d+)x(%d+) {
        expand_with_lua = true
        rewrite as = '''function handle_rewrite(req, captures)
            return '/lua/hello?name=' .. captures[1] * captures[2]
        end'''
    }
}
rewrite /when {
    pattern ^cookie$ { rewrite as = /lua/hello?name=cookie
        condition cookie { style = dark } }
    pattern ^query$ { rewrite as = /lua/hello?name=query
        condition query { a = b } }
    pattern ^header$ { rewrite as = /lua/hello?name=header
        condition header { X-A = b } }
    pattern ^env$ { rewrite as = /lua/hello?name=env
        condition environment { LWAN_TEST = yes } }
    pattern ^post$ { redirect to = /lua/posted
        condition post { a = b } }
    pattern ^file/(.+)$ { rewrite as = /lua/hello?name=%1
        condition stat { path = public/%1
            is_file = true } }
    pattern ^encoding$ { rewrite as = /lua/hello?name=brotli
        condition encoding { brotli = yes } }
    pattern ^(%a+)-(%a+)$ { rewrite as = /lua/hello?name=%2
        condition backref { 1 = back } }
    pattern ^proxied$ { rewrite as = /lua/hello
        condition proxied = true }
    pattern ^old$ { rewrite as = /lua/hello?name=old
        condition http_1.0 = true }
    pattern ^clear$ { rewrite as = /lua/hello?name=clear
        condition is_https = false }
    pattern ^string$ { rewrite as = /lua/hello?name=string
        condition has_query_string = on }
    pattern ^method$ { redirect to = /lua/deleted
        condition method = DELETE }
    pattern ^lua$ { rewrite as = /lua/hello?name=lua
        condition lua = '''function matches(req)
            return req:query_param "go" == "on" and req:header "X-A" == "b"
        end''' }
}
}
"""


@pytest.fixture(scope="module")
def rewriting(serve_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rewrite")
    lay(folder, {**FILES, CONF: REWRITE})
    return serve_module(folder / CONF, "--dialect", "lwan", workers=1,
                        env={"LWAN_TEST": "yes"})


def test_rewriting(rewriting):
    answer = rewriting.get("/p/foo/1234x5678")
    assert answer.status == 301
    assert answer.header("location") == "/hello?name=prexmid5678x1234post"
    assert rewriting.get("/p/bar/42/test").text == "Hello, n42!"
    assert rewriting.get("/p/m/6x7").text == "Hello, 42!"
    assert rewriting.get("/p/x").status == 404
    assert rewriting.get("/p").status == 404


@pytest.mark.parametrize("target, headers, name", [
    ("cookie", {"Cookie": "style=dark"}, "cookie"),
    ("cookie", {"Cookie": "style=light"}, None), ("cookie", {}, None),
    ("query?a=b", {}, "query"), ("query?a=c", {}, None),
    ("header", {"X-A": "b"}, "header"), ("header", {"X-A": "c"}, None),
    ("env", {}, "env"),
    ("file/index.html", {}, "index.html"), ("file/none", {}, None),
    ("file/sub", {}, None),
    ("encoding", {"Accept-Encoding": "br"}, "brotli"),
    ("encoding", {"Accept-Encoding": "gzip"}, None),
    ("back-end", {}, "end"), ("front-end", {}, None),
    ("proxied", {}, None), ("old", {}, None), ("clear", {}, "clear"),
    ("string?x", {}, "string"), ("string", {}, None),
    ("lua?go=on", {"X-A": "b"}, "lua"), ("lua?go=off", {"X-A": "b"}, None),
])
def test_conditions(rewriting, target, headers, name):
    answer = rewriting.get(f"/when/{target}", headers)
    assert answer.status == (404 if name is None else 200)
    if name:
        assert answer.text.startswith(f"Hello, {name}")


def test_conditions_of_methods_and_forms(rewriting):
    post = rewriting.request("POST", "/when/post", FORM, b"a=b")
    assert post.header("location") == "/lua/posted"
    assert rewriting.request("POST", "/when/post", FORM, b"a=c").status == 404
    gone = rewriting.request("DELETE", "/when/method")
    assert gone.header("location") == "/lua/deleted"
    assert rewriting.get("/when/method").status == 404


# ---- authorization -----------------------------------------------------------

LOGIN = """
site {
  response /open { code = 418 }
  response /closed {
    code = 418
    authorization basic { realm = ${REALM:the office}
      password_file = users }
  }
  lua /me {
    script = '''function handle_get_root(req) req:set_response "in" end'''
    authorization basic { password_file = users }
  }
  serve_files /files { path = public
    authorization basic { password_file = users } }
}
"""


def test_authorization(serve, tmp_path):
    server = start(serve, tmp_path, {
        **FILES, CONF: LOGIN, "users": "# who may\nann = secret of ann\n"})

    def ask(path, login=None):
        headers = {}
        if login:
            code = base64.b64encode(login.encode()).decode()
            headers = {"Authorization": f"Basic {code}"}
        return server.get(path, headers)

    assert ask("/open").status == 418
    refused = ask("/closed")
    assert refused.status == 401
    assert 'realm="the office"' in refused.header("www-authenticate")
    assert 'realm="Lwan"' in ask("/me").header("www-authenticate")
    for path, status in ("/closed", 418), ("/me", 200), ("/files/", 200):
        assert ask(path, "ann:secret of ann").status == status
        assert ask(path, "ann:wrong").status == 401
        assert ask(path, "bob:secret of ann").status == 401


# ---- the language ------------------------------------------------------------


def check(command, conf, *args, files=None, env=None):
    return command("check", "--dialect", "lwan", CONF, *args,
                   files={CONF: conf, **(files or {})}, env=env)


def routes(result) -> list[str]:
    assert result.returncode == 0, result.stderr
    return re.findall(r"^route +(.*)$", result.stdout, re.M)


def test_check_names_lines(command):
    result = check(command, SITE, files=FILES)
    line = SITE.split("response /teapot")[0].count("\n") + 1
    assert f"ANY      /teapot/*  (lua, {CONF}:{line})" in routes(result)
    assert f"listen  :8080  ({CONF}:6)" in result.stdout


@pytest.mark.parametrize("conf, env, says", [
    ("site {", {}, "1: the section 'site' has no '}'"),
    ("site { }\n}", {}, "2: a '}' without a section"),
    ("= 1", {}, "1: a name is needed before '='"),
    ("{ }", {}, "1: a name is needed before '{'"),
    ("a = b {", {}, "1: a '{' inside a value"),
    ("a b/c = 1", {}, "1: 'a_b/c' is no name of a key"),
    ("\nthreads = ${NONE}\nx {", {}, "2: there is neither a constant nor an "
     "environment variable 'NONE'"),
    ("threads = ${a b}", {}, "1: '${a b}': a name is needed"),
    ("threads = ${A\n}", {}, "1: '${' without '}' on its line"),
    ("a = '''\nb\n''", {}, "1: the text that begins with ''' does not end"),
    ("a {\n" * 20, {}, "17: sections are nested too deeply"),
    ("thraeds = 1\nsite { }", {}, "1: there is no key 'thraeds' here; did you "
     "mean 'threads'?"),
    ("sites { }", {}, "1: there is no section 'site'"),
    ("site { }\nsiet { }", {}, "2: there is no section 'siet' here; did you "
     "mean 'site'?"),
    ("site { }\nsite { }", {}, "2: there is a section 'site' already (line 1)"),
    ("site {\n  serve_file / { }\n}", {}, "2: there is no module 'serve_file'; "
     "did you mean 'serve_files'?"),
    ("site {\n  a = b\n}", {}, "2: 'a' stands where a module and a prefix are"),
    ("site {\n  response x { code = 404 }\n}", {}, "2: response: a prefix like "
     "/path is needed"),
    ("site {\n  response /x {\n  code = 7\n }\n}", {}, "3: response: '7' is no "
     "status of a response"),
    ("site {\n  response /x\n}", {}, "2: response: a 'code' is needed"),
    ("site {\n  redirect /x\n}", {}, "2: redirect: 'to' is needed"),
    ("site {\n  redirect /x { to = /\n code = 200 }\n}", {}, "3: redirect: a "
     "code of 301"),
    ("site {\n  lua /x\n}", {}, "2: lua: one of script_file, script, "
     "server_pages is needed"),
    ("site {\n  lua /x { script = x\n script_file = y }\n}", {}, "3: lua: "
     "there is a 'script' already"),
    ("site {\n  lua /x {\n script = '''\n\nx = = 1''' }\n}", {}, "5: "
     "unexpected symbol near '='"),
    ("site {\n  lua /x {\n script = '''\n\nerror 'no' ''' }\n}", {}, "5: no"),
    ("site {\n  &none /x\n}", {}, "2: pl.handler: no module has a handler "
     "'none'"),
    ("site {\n  response /x { code = 404 }\n  response /x { code = 404 }\n}",
     {}, "3: site: route '/x' is already taken by '/x' (lwan.conf:2)"),
    ("site {\n  serve_files /x { path = none }\n}", {}, "2: pl.static"),
    ("site {\n  response /x {\n code = 404\n authorisation { }\n } }", {},
     "4: there is no section 'authorisation' here"),
    ("site { }\nheaders {\n Date = x\n}", {}, "3: headers: Date cannot be set"),
    ("site { }\nheaders {\n A_B = x\n}", {}, "3: headers: 'A_B' is no name"),
    ("site { }\nkeep_alive_timeout = 0", {}, "2: keep_alive_timeout: at least"),
    ("site { }\nmax_post_data_size = 999999999", {}, "2: max_post_data_size: a "
     "number from 1 to 134217728"),
    ("site { }\nallow_temp_files = some", {}, "2: allow_temp_files: post, put "
     "or all"),
    ("site { }\ntls_listener :1 { cert = x }", {}, "2: tls_listener: both"),
    ("site {\n rewrite /x\n}", {}, "2: rewrite: a 'pattern' is needed"),
    ("site {\n rewrite /x { pattern a }\n}", {}, "2: rewrite: 'rewrite_as' or"),
    ("site {\n rewrite /x { pattern a { rewrite_as = /\nredirect_to = / } } }",
     {}, "3: rewrite: there is 'rewrite_as' already"),
    ("site {\n rewrite /x { pattern ( { rewrite_as = / } } }", {}, "2: "
     "pl.rewrite: "),
    ("site { rewrite /x { pattern a { rewrite_as = /\ncondition x { } } } }",
     {}, "2: rewrite: there is no condition 'x' with a section"),
    ("site { rewrite /x { pattern a { rewrite_as = x = = 1\nexpand_with_lua = "
     "on } } }", {}, "1: unexpected symbol near '='"),
    ("site { rewrite /x { pattern a {\nrewrite_as = x = 1\nexpand_with_lua = "
     "on } } }", {}, "2: rewrite: a function 'handle_rewrite' is needed"),
    ("site {\n response /x { code = 404\n authorization digest { } } }", {},
     "3: authorization: only basic is known"),
    ("site {\n response /x { code = 404\n authorization basic { } } }", {},
     "2: pl.basic: "),
    ("site {\n fastcgi / { address = x } }", {}, "2: fastcgi: 'address' and"),
    ("site {\n fastcgi / { address = /x\nscript_path = none } }", {},
     "2: pl.fastcgi: root: cannot open"),
    ("site { response /a:b/:c { code = 404 } }", {}, "1: response: the prefix"),
])
def test_the_first_fault_is_told_with_its_line(command, conf, env, says):
    result = check(command, conf, env=env)
    assert result.returncode == 3
    assert f"perilune: {CONF}:{says}" in result.stderr


@pytest.mark.parametrize("conf, line, says", [
    ("threads = many", 1, "threads = 'many' is not a whole number"),
    ("expires = 15", 1, "expires = '15' is no time like '1h 30m'"),
    ("allow_cors = maybe", 1, "allow_cors = 'maybe' is neither true nor"),
    ("max_file_descriptors = 9", 1, "max_file_descriptors has no effect"),
    ("proxy_protocol = on", 1, "proxy_protocol: every client may say"),
])
def test_remarks_are_made_once(command, conf, line, says):
    result = check(command, conf + "\nsite { response / { code = 404 } }")
    assert routes(result)
    assert result.stderr.count(f"{CONF}:{line}: {says}") == 1


def test_modules_pass_over_unknown_keys(command):
    result = check(command, "site {\nresponse / {\ncode = 404\ncoed = 1\n}\n}")
    assert routes(result)
    assert f"{CONF}:4: 'coed' is not known here; did you mean" in result.stderr


VALUES = """
constants { A = 1
 B = ${A}2
 A = ${B}3 }
headers {
  X-Const = ${A}
  X-Env = ${LWAN_TEST}
  X-Default = ${LWAN_NONE:a  b}
  X-Words = a   b \t c # comment
  X-Sign = a=b == c#d
  X-Long = '''x y''' z
  X-Quotes = \"\"\"it's '''\"\"\"
  X-Dollar = $a$$ %1
  X-Empty = '''''' ''''''x
}
expires = 1h 2m
site { serve_files / { path = . } }
"""


def test_values(serve, tmp_path):
    server = start(serve, tmp_path, {CONF: VALUES, "index.html": "x"},
                   env={"LWAN_TEST": "of env"})
    answer = server.get("/")
    said = {name: answer.header(f"x-{name}") for name in (
        "const", "env", "default", "words", "sign", "long", "quotes", "dollar",
        "empty")}
    assert said == {
        "const": "123", "env": "of env", "default": "a  b", "words": "a b c",
        "sign": "a=b == c#d", "long": "x y z", "quotes": "it's '''",
        "dollar": "$a$$ %1", "empty": "x",
    }
    assert answer.header("cache-control") == "max-age=3720"


@pytest.mark.parametrize("text, seconds", [
    ("1s", 1), ("2m3s", 123), ("1h", 3600), ("1d", 86400), ("1w", 604800),
    ("1M", 2592000), ("1y", 31536000), ("1M 1w", 3196800), ("1 h 1 s", 3601),
])
def test_times_add_up(serve, tmp_path, text, seconds):
    conf = f"expires = {text}\nsite {{ serve_files / {{ path = . }} }}"
    server = start(serve, tmp_path, {CONF: conf, "index.html": "x"})
    said = server.get("/").header("cache-control")
    assert said == f"max-age={seconds}"


def test_cors(serve, tmp_path):
    conf = "allow_cors = yes\nsite { response / { code = 200 } }"
    answer = start(serve, tmp_path, {CONF: conf}).get("/")
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("access-control-allow-methods") == (
        "GET, POST, PUT, OPTIONS")


def test_proxy_protocol(serve, tmp_path):
    conf = """proxy_protocol = true
site { lua / { script = '''function handle_get_root(req)
  req:set_response(req:remote_address()) end''' } }"""
    server = start(serve, tmp_path, {CONF: conf + "\nlistener 127.0.0.1:0"},
                   listen=False)
    with server.connect() as wire:
        wire.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n")
        assert wire.get("/").text == "192.0.2.7"
    assert server.get("/").text == "127.0.0.1"


def test_error_templates(serve, tmp_path):
    conf = "error_template = e.html\nsite { response / { code = 404 } }"
    files = {CONF: conf, "e.html": "{{short_message}}: {{{long_message}}}"}
    answer = start(serve, tmp_path, files).get("/", {"Accept": "text/html"})
    assert answer.text.startswith("Not Found: ")


# ---- the command line --------------------------------------------------------


def test_one_folder(serve, tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www/a.txt").write_text("a")
    server = serve(tmp_path / "www", "--dialect", "lwan", "-l", "127.0.0.1:0",
                   listen=False)
    assert server.get("/a.txt").text == "a"
    assert "a.txt" in server.get("/").text


def test_addresses_of_the_command_line_win(command):
    conf = "listener 127.0.0.1:1\nsite { response / { code = 404 } }"
    result = check(command, conf, "-l", "*:2")
    assert re.findall("^listen +(.*)  ", result.stdout, re.M) == [":2"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may chroot")
@pytest.mark.parametrize("words, conf", [
    (["--chroot"], "site { serve_files / { path = public } }"),
    ([], "straitjacket { chroot = . }\n"
     "site { serve_files / { path = public } }"),
])
def test_chroot(serve, tmp_path, words, conf):
    if sanitized():
        pytest.skip("there is no looking for leaks without /proc")
    server = start(serve, tmp_path, {**FILES, CONF: conf}, *words)
    assert server.get("/sub/a.txt").text == "a"
    assert os.readlink(f"/proc/{server.serving().pid}/root") == str(tmp_path)


TLS = """
listener 127.0.0.1:0
tls_listener 127.0.0.1:0 {
    cert = a.crt
    key = a.key
    hsts = true
}
site { lua / { script = '''function handle_get_root(req)
    req:set_response(tostring(req:is_https())) end''' } }
"""


def test_tls(serve, tmp_path):
    authority = Authority(tmp_path)
    authority.sign("a", ["localhost"])
    server = start(serve, tmp_path, {CONF: TLS}, listen=False)
    answers = []
    for address in server.addresses(2):
        with server.connect(address) as wire:
            if answers:
                wire.socket = authority.context().wrap_socket(
                    wire.socket, server_hostname="localhost")
            answers.append(wire.get("/"))
    assert [answer.text for answer in answers] == ["false", "true"]
    hsts = [answer.header("strict-transport-security") for answer in answers]
    assert hsts[0] is None and "max-age" in hsts[1]


@pytest.mark.parametrize("text, address", [
    ("*:80", ":80"), ("81", ":81"), ("[::1]", "[::1]:8080"),
    ("localhost", "localhost:8080"), ("127.0.0.1:82", "127.0.0.1:82"),
])
def test_addresses(command, text, address):
    conf = f"listener {text}\nsite {{ response / {{ code = 404 }} }}"
    assert f"listen  {address}  ({CONF}:1)" in check(command, conf).stdout


@pytest.mark.parametrize("args, says", [
    (["--dialect", "nwal"], "--dialect nwal: only these are known: "),
    (["-l", ":80", "."], "are options of --dialect lwan"),
    (["-r", "."], "are options of --dialect lwan"),
    (["--dialect", "lwan", "-r", ".", "x.conf"], "one site only: x.conf"),
    (["--dialect=lwan", "-l"], "-l needs a value"),
])
def test_bad_command_lines(command, args, says):
    result = command(*args)
    assert result.returncode == 2
    assert says in result.stderr


def test_the_default_file(command):
    result = command("check", "--dialect", "lwan", files={
        CONF: "site { response / { code = 404 } }"})
    assert routes(result)
    result = command("check", "--dialect", "lwan", "--config", "other.conf")
    assert (result.returncode, result.stderr) == (
        3, "perilune: other.conf: no such file or folder\n")


def test_critical_ends_the_server(serve, tmp_path):
    server = start(serve, tmp_path, FILES)
    assert server.get("/more/critical").status == 500
    assert server.wait() == 1
    assert "the end" in server.log()


def test_a_reload_reads_it_again(serve, tmp_path):
    conf = "site { response / { code = %d } }"
    server = start(serve, tmp_path, {CONF: conf % 404}, "--watch")
    assert server.get("/").status == 404
    (tmp_path / CONF).write_text(conf % 418)
    server.wait_log("the site was reloaded|reload.*done|generation")
    assert server.get("/").status == 418


def test_as_a_part_of_a_site(serve):
    server = serve("""
local pl = require "perilune"
pl.get("/own", function() return "own" end)
pl.lwan "sub/lwan.conf"
""", files={"sub/lwan.conf": "site { response /x { code = 418 } }"})
    assert server.get("/own").text == "own"
    assert server.get("/x").status == 418


def test_the_example(serve):
    server = serve(TOP / "examples/lwan/lwan.conf", "--dialect", "lwan",
                   workers=1)
    home = server.get("/")
    assert "A site of Lwan's" in home.text
    assert home.header("x-the-answer-to").startswith("life, the universe")
    assert server.get("/hello?name=<b>").text == "<p>Hello, &lt;b>!"
    assert server.get("/notes/").text == "no notes\n"
    for body, status in (b"text=first", 200), (b"text=", 400):
        answer = server.request("POST", "/notes/add", FORM, body)
        assert answer.status == status
    assert server.get("/notes").text == "first\n"
    assert "data: first" in server.get("/notes/live").text
    assert server.get("/elsewhere").status == 307
    assert server.get("/greet/friend").text == "<p>Hello, friend!"
    assert server.get("/greet/a/b").header("location") == "/greet/b"
    assert server.get("/pages/").status == 401
    code = base64.b64encode(b"lunar:orbit").decode()
    page = server.get("/pages/", {"Authorization": f"Basic {code}"})
    assert "GET with" in page.text and "<li>authorization" in page.text
    assert server.get("/brew-coffee").status == 418


# ---- whatever it is given ----------------------------------------------------

# Each input is a file that is read as any; a fault has a line, and is no error
# of the reader's own.
GENERATED = """
local pl = require "perilune"
local text = assert(io.open("seed.conf", "rb")):read "*a"
local tried, refused = 0, 0
local function try(input)
  local file = assert(io.open("x.conf", "wb"))
  file:write(input)
  file:close()
  local ok, err = pcall(pl.group, "/" .. tried, function() pl.lwan "x.conf" end)
  tried = tried + 1
  if not ok then
    refused = refused + 1
    local text = tostring(err)
    assert(text:find "x.conf:%d+: ", text .. " of:\\n" .. input)
  end
end
for n = 0, #text do try(text:sub(1, n)) end
local random = SEED
local function rand(n)
  random = (random * 1103515245 + 12345) % 2147483648
  return math.floor(random / 65536) % n + 1
end
local signs = { "{", "}", "=", "\\n", "#", "'''", '\"\"\"', "${", "$", " ",
  "/x", "site {", "%", "\\0", "\\r", "&x" }
for _ = 1, 600 do
  local input = text
  for _ = 1, rand(3) do
    local at = rand(#input)
    input = input:sub(1, at - 1) .. signs[rand(#signs)]
      .. input:sub(at + rand(4) - 1)
  end
  try(input)
end
pl.log("tried", tried, "refused", refused)
pl.get("/", function() return "good" end)
"""
SEED = """constants { A = b }
expires = 1h 2m # x
headers { X-A = ${A:c} }
site {
  response /r/${A} { code = 404 }
  redirect /d { to = '''/x''' }
  lua /l { script = '''function handle(req) end''' }
}
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_inputs_end_in_a_line(command, seed):
    site = GENERATED.replace("SEED", str(seed))
    result = command("check", "site.lua", files={
        "site.lua": site, "seed.conf": SEED})
    assert result.returncode == 0, result.stderr
    tried, refused = re.search(r"tried (\d+) refused (\d+)",
                               result.stderr).groups()
    assert int(tried) > 700
    assert 100 < int(refused) < int(tried)


def test_fastcgi(serve, tmp_path):
    def talk(talk):
        if request := talk.request():
            params = request.params
            talk.say(
                f"{params['SCRIPT_NAME']} {params.get('PATH_INFO')} ".encode()
                + request.body,
                "X-Powered-By: PHP",
            )

    with App(talk, tmp_path / "app.sock"):
        server = start(
            serve,
            tmp_path,
            {
                CONF: f"""
site {{
  fastcgi /php {{
    address = {tmp_path}/app.sock
    script_path = scripts
    default_index = start.php
  }}
}}
""",
                "scripts/start.php": "",
                "scripts/a.php": "",
            },
        )
        assert server.get("/php/").text == "/php/start.php None "
        answer = server.request("POST", "/php/a.php/x", None, b"body")
        assert answer.text == "/php/a.php /x body"
        assert answer.header("x-powered-by") is None
        assert server.get("/php/none.php").status == 404
