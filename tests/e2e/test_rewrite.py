"""Rules that make other paths of some paths: what they match, what they ask
for, where they lead, and what happens to those that go wrong."""

import pytest

SHOW = """local pl = require "perilune"
local function show(req)
  local out = { req.method, req.path, req.raw_path, req.query or "-" }
  if req.method == "POST" then out[#out + 1] = req:body() end
  return table.concat(out, " ")
end
pl.any("/new/*rest", show)
"""


def text(response, status=200):
    assert response.status == status, response.text
    return response.text


def moved(response, status=301):
    assert response.status == status, response.text
    return response.header("location")


# ---- where rules lead ----

PATHS = SHOW + """
pl.rewrite("^/old/(%d+)$", { to = "/new/%1" })
pl.rewrite("^/q/(%d+)$", { to = "/new/q?id=%1" })
pl.rewrite("^/bare$", { to = "/new/bare?" })
pl.rewrite("^/word/(.+)$", "/new/%1")
pl.rewrite("^/inq/(.+)$", { to = "/new/x?v=%1&w=1" })
pl.rewrite("part", { to = "/new/any%%20where" })
pl.rewrite("^/a/(.*)$", { to = "/b/%1" })
pl.rewrite("^/b/(.*)$", { to = "/c/%1" })
pl.rewrite("^/c/(.*)$", { to = "/d/%1" })
pl.rewrite("^/d/(.*)$", { to = "/new/%1" })
pl.rewrite("^/5/(.*)$", { to = "/a/%1" })
pl.rewrite("^/loop/.*", { to = "%0x" })
pl.rewrite("^/once/(.*)$", { to = "/once/x%1", last = true })
pl.rewrite("^/same/", { to = "/same/page" })
pl.rewrite("^/out/(.*)$", { to = "%1", redirect = 302 })
pl.rewrite("^/rel(.*)$", { to = "/%1", redirect = true })
pl.rewrite("^/far/(.*)$", { to = "https://%1.example/%1?a=%1#%1",
  redirect = 308 })
pl.rewrite("^/see$", { to = "/new/see#top", redirect = 303 })
pl.rewrite("^/two/(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)$", { to = "/new/%10%1-%0" })
pl.get("/once/:x", show)
pl.get("/same/page", show)
"""


@pytest.fixture(scope="module")
def paths(serve_module):
    return serve_module(PATHS)


@pytest.mark.parametrize(
    "path, want",
    [
        ("/old/42", "GET /new/42 /new/42 -"),
        ("/old/42?a=b", "GET /new/42 /new/42 a=b"),
        ("/q/7?a=b", "GET /new/q /new/q id=7"),
        ("/bare?a=b", "GET /new/bare /new/bare "),
        ("/word/a%20b%3Fc%23d", "GET /new/a b?c#d /new/a%20b%3Fc%23d -"),
        ("/word/a%2Fb", "GET /new/a%2Fb /new/a%2Fb -"),
        ("/word/100%25", "GET /new/100% /new/100%25 -"),
        ("/word/%C3%A4", "GET /new/ä /new/%C3%A4 -"),
        ("/inq/a%26b=c%20d", "GET /new/x /new/x v=a%26b%3Dc%20d&w=1"),
        ("/x/part/y", "GET /new/any where /new/any%20where -"),
        ("/b/1", "GET /new/1 /new/1 -"),
        ("/a/4", "GET /new/4 /new/4 -"),
        ("/once/1", "GET /once/x1 /once/x1 -"),
        ("/same/thing", "GET /same/page /same/page -"),
        ("/two/abcdefghij", "GET /new/ja-/two/abcdefghij "
         "/new/ja-/two/abcdefghij -"),
        ("/new/none", "GET /new/none /new/none -"),
    ],
)
def test_paths_become_others(paths, path, want):
    assert text(paths.get(path)) == want


@pytest.mark.parametrize(
    "path, status, want",
    [
        ("/out/x", 302, "/x"),
        ("/out/x?a=b", 302, "/x?a=b"),
        ("/out//evil.example/", 302, "/evil.example/"),
        ("/out/%5C%5Cevil.example", 302, "/%5C%5Cevil.example"),
        ("/out/javascript:1", 302, "/javascript:1"),
        ("/out/a%0D%0Aset-cookie:b", 302, "/a%0D%0Aset-cookie:b"),
        ("/rel//evil.example/", 301, "/evil.example/"),
        ("/far/a", 308, "https://a.example/a?a=a#a"),
        (
            "/far/evil.example/@x?q=1",
            308,
            "https://evil.example%2F%40x.example/evil.example/@x"
            "?a=evil.example/@x#evil.example/@x",
        ),
        ("/see?a=b", 303, "/new/see?a=b#top"),
    ],
)
def test_clients_are_sent_elsewhere(paths, path, status, want):
    assert moved(paths.get(path), status) == want


def test_rewrites_come_to_an_end(paths):
    assert text(paths.get("/5/x"), 500)
    paths.wait_log(r"site.lua:\d+: the path was rewritten more than 4 times")
    assert text(paths.get("/loop/x"), 500)
    assert text(paths.get("/old/1")) == "GET /new/1 /new/1 -"


def test_methods_are_those_of_the_new_route(serve):
    server = serve("""local pl = require "perilune"
    pl.rewrite("^/a$", { to = "/b" })
    pl.get("/b", function() return "b" end)""")
    response = server.request("PUT", "/a")
    assert response.status == 405
    assert response.header("allow") == "GET, HEAD, OPTIONS"
    assert server.request("OPTIONS", "/a").status == 204
    response = server.request("HEAD", "/a")
    assert (response.status, response.header("content-length")) == (200, "1")


def test_filters_are_those_of_the_new_route(serve):
    server = serve("""local pl = require "perilune"
    pl.rewrite("^/open/(.*)$", "/closed/%1")
    pl.get("/open/x", function() return "open" end)
    pl.group("/closed", { cache_control = "no-store" }, function()
      pl.use(function(req, res, next)
        if req:arg("key") ~= "1" then return 403 end
        res:header("x-path", req.path)
        next()
      end)
      pl.get("/:x", function(req) return req.params.x end)
    end)""")
    assert server.get("/open/x").status == 403
    response = server.get("/open/x?key=1")
    assert text(response) == "x"
    assert response.header("x-path") == "/closed/x"
    assert response.header("cache-control") == "no-store"


def test_limits_are_those_of_the_new_route(serve):
    server = serve("""local pl = require "perilune"
    pl.rewrite("^/up$", "/big")
    pl.post("/big", { max_body = "10" }, function(req)
      return tostring(#req:body()) end)""")
    assert text(server.request("POST", "/up", {}, b"123")) == "3"
    assert server.request("POST", "/up", {}, b"12345678901").status == 413


def test_rules_belong_to_their_scope(serve):
    server = serve(SHOW + """
    pl.host("a.example", function() pl.rewrite("^/x$", "/new/a") end)
    pl.host("*.b.example", function() pl.rewrite("^/x$", "/new/b") end)
    pl.group("/deep", function()
      pl.rewrite("^/x/(.*)$", "/new/deep-%1")
      pl.rewrite("^$", "/new/root")
    end)""")

    def ask(path, host="h"):
        return server.get(path, {"Host": host})

    assert "/new/a" in text(ask("/x", "a.example:80"))
    assert "/new/b" in text(ask("/x", "w.b.example"))
    assert ask("/x").status == 404
    assert "/new/deep-1" in text(ask("/deep/x/1"))
    assert "/new/root" in text(ask("/deep"))
    assert ask("/deeper/x/1").status == 404
    assert ask("/x/1").status == 404


def test_static_files_by_other_names(serve):
    server = serve("""local pl = require "perilune"
    pl.static("/", { root = "public" })
    pl.rewrite("^/v%d+/(.*)$", "/%1")""", files={"public/a.css": "x{}"})
    response = server.get("/v12/a.css")
    assert text(response) == "x{}"
    assert response.header("content-type").startswith("text/css")


def test_a_page_for_all_that_is_no_file(serve):
    server = serve("""local pl = require "perilune"
    pl.static("/", { root = "public" })
    pl.rewrite("^/(.*)$", { to = "/index.html",
      when = { stat = { path = "public/%1", exists = false } } })""",
                   files={"public/index.html": "app", "public/a.txt": "a"})
    assert text(server.get("/a.txt")) == "a"
    assert text(server.get("/users/7")) == "app"
    assert text(server.get("/")) == "app"


# ---- conditions ----

CONDITIONS = SHOW + """
local function rule(name, when)
  pl.rewrite("^/" .. name .. "/?(.*)$", { to = "/new/" .. name, when = when })
end
rule("cookie", { cookie = { style = "dark" } })
rule("cookies", { cookie = { a = true, b = false } })
rule("query", { query = { ["a b"] = "c d" } })
rule("post", { post = { kind = "x" } })
rule("header", { header = { ["X-Kind"] = "%1" } })
rule("environment", { environment = { PL_TEST_MODE = "on" } })
rule("unset", { environment = { PL_TEST_NONE = false } })
rule("backref", { backref = { [1] = "yes" } })
rule("file", { stat = { path = "data/%1", is_file = true } })
rule("folder", { stat = { path = "data/%1", is_dir = true } })
rule("there", { stat = { path = "data/%1" } })
rule("gone", { stat = { path = "data/%1", exists = false } })
rule("nofile", { stat = { path = "data/%1", is_file = false } })
rule("gzip", { encoding = "gzip" })
rule("codings", { encoding = { br = true, zstd = false } })
rule("none", { encoding = { "none" } })
rule("proxied", { proxied = true })
rule("direct", { proxied = false })
rule("old", { ["http_1.0"] = true })
rule("https", { https = true })
rule("clear", { https = false })
rule("asked", { has_query_string = true })
rule("method", { method = "put" })
rule("several", { method = { "GET", "POST" } })
rule("lua", { lua = function(req, captures)
  pl.sleep(0)
  return req:arg("a") == captures[1] and captures[0] == "/lua/" .. captures[1]
end })
rule("both", { cookie = { a = "1" }, query = { b = "2" } })
pl.rewrite("^/if$", { to = "/new/if", ["if"] = { query = { a = "1" } } })
pl.set { trusted = "127.0.0.1" }
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def conditions(serve_module):
    return serve_module(
        CONDITIONS,
        files={"data/f": "f", "data/d/x": "x", "secret": "s"},
        env={"PL_TEST_MODE": "on"},
    )


@pytest.mark.parametrize(
    "path, headers, holds",
    [
        ("/cookie", {"Cookie": "a=b; style=dark"}, True),
        ("/cookie", {"Cookie": "style=light"}, False),
        ("/cookie", {}, False),
        ("/cookies", {"Cookie": "a=1"}, True),
        ("/cookies", {"Cookie": "a=1; b=2"}, False),
        ("/cookies", {}, False),
        ("/query?a+b=c%20d", {}, True),
        ("/query?a%20b=c", {}, False),
        ("/query", {}, False),
        ("/header/one", {"x-kind": "one"}, True),
        ("/header/one", {"x-kind": "two"}, False),
        ("/header/one", {}, False),
        ("/environment", {}, True),
        ("/unset", {}, True),
        ("/backref/yes", {}, True),
        ("/backref/no", {}, False),
        ("/file/f", {}, True),
        ("/file/d", {}, False),
        ("/file/none", {}, False),
        ("/file/..%2Fsecret", {}, False),
        ("/folder/d", {}, True),
        ("/folder/f", {}, False),
        ("/there/d/x", {}, True),
        ("/there/d/y", {}, False),
        ("/there/f/y", {}, False),
        ("/gone/y", {}, True),
        ("/gone/f", {}, False),
        ("/nofile/d", {}, True),
        ("/nofile/f", {}, False),
        ("/nofile/none", {}, False),
        ("/gzip", {"Accept-Encoding": "deflate, gzip;q=0.5"}, True),
        ("/gzip", {"Accept-Encoding": "gzip;q=0"}, False),
        ("/gzip", {}, False),
        ("/codings", {"Accept-Encoding": "br"}, True),
        ("/codings", {"Accept-Encoding": "br, zstd"}, False),
        ("/none", {}, True),
        ("/proxied", {"X-Forwarded-For": "192.0.2.1"}, True),
        ("/proxied", {}, False),
        ("/direct", {}, True),
        ("/direct", {"Forwarded": "for=192.0.2.1"}, False),
        ("/old", {}, False),
        ("/https", {}, False),
        ("/https", {"X-Forwarded-Proto": "https",
                    "X-Forwarded-For": "192.0.2.1"}, True),
        ("/clear", {}, True),
        ("/asked?x", {}, True),
        ("/asked?", {}, False),
        ("/asked", {}, False),
        ("/method", {}, False),
        ("/several", {}, True),
        ("/lua/x?a=x", {}, True),
        ("/lua/x?a=y", {}, False),
        ("/both?b=2", {"Cookie": "a=1"}, True),
        ("/both?b=3", {"Cookie": "a=1"}, False),
        ("/both?b=2", {}, False),
        ("/if?a=1", {}, True),
        ("/if?a=2", {}, False),
    ],
)
def test_conditions(conditions, path, headers, holds):
    response = conditions.get(path, headers)
    assert response.status == (200 if holds else 404), response.text
    if holds:
        name = path.split("?")[0].split("/")[1]
        assert response.text.startswith(f"GET /new/{name} ")


def test_condition_method(conditions):
    assert conditions.request("PUT", "/method").text.startswith("PUT /new/m")
    assert conditions.request("HEAD", "/several").status == 200
    assert conditions.request("PUT", "/several").status == 404


def test_condition_http_1_0(conditions):
    with conditions.connect() as wire:
        wire.send(b"GET /old HTTP/1.0\r\n\r\n")
        assert b"GET /new/old" in wire.read_to_end()


@pytest.mark.parametrize("how", ["whole", "bytewise"])
def test_condition_post_leaves_the_body_to_the_handler(conditions, how):
    with conditions.connect() as wire:
        for body, status in ((b"a=1&kind=x", 200), (b"kind=y", 404)):
            wire.send(
                b"POST /post HTTP/1.1\r\nHost: a\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
                how=how,
            )
            response = wire.response()
            assert response.status == status
        assert response.text.startswith("404")
    response = conditions.request("POST", "/post", FORM, b"kind=x&b=2")
    assert response.text == "POST /new/post /new/post - kind=x&b=2"


def test_condition_post_of_what_is_no_form(conditions):
    json = {"Content-Type": "application/json"}
    assert conditions.request("POST", "/post", json, b"kind=x").status == 404
    big = b"kind=x&" + b"a" * 2000000
    assert conditions.request("POST", "/post", FORM, big).status == 404


def test_bug_clients_that_leave_while_a_condition_waits(conditions):
    for _ in range(20):
        with conditions.connect() as wire:
            wire.send(
                b"POST /post HTTP/1.1\r\nHost: a\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n"
                b"Content-Length: 100\r\n\r\nkind"
            )
    assert conditions.get("/new/x").status == 200


# ---- functions ----

FUNCTIONS = SHOW + """
pl.set { stop_timeout = "1s" } -- what hangs ends with it
pl.rewrite("^/f/()(%w+)$", { to = function(req, captures)
  return ("/new/%s?at=%d&all=%s"):format(captures[2], captures[1], captures[0])
end })
pl.rewrite("^/wait/(.*)$", function(req, captures)
  pl.sleep(0.001)
  return "/new/" .. captures[1]
end)
pl.rewrite("^/raw/(.*)$", function(req, captures)
  return "/new/x?" .. captures[1]
end)
pl.rewrite("^/none$", function() end)
pl.rewrite("^/none$", function() return false end)
pl.rewrite("^/none$", "/new/after")
pl.rewrite("^/sent$", { to = function() return "https://a.example/" end,
  redirect = 302 })
pl.rewrite("^/either$", function(req)
  return "/new/e", req:arg("r") and 307
end)
pl.rewrite("^/body$", function(req) return "/new/" .. req:form().to end)
pl.rewrite("^/error$", function() error("out of order") end)
pl.rewrite("^/number$", function() return {} end)
pl.rewrite("^/status$", function() return "/", 200 end)
pl.rewrite("^/nopath$", function() return "nopath" end)
pl.rewrite("^/deferred$", function()
  pl.defer(function() pl.sleep(0.01) end)
  return "/slow"
end)
pl.rewrite("^/hang$", function() pl.sleep(600) end)
local kept
pl.rewrite("^/keep$", function(req) kept = req return "/kept" end)
pl.get("/kept", function() return tostring(pcall(function()
  return kept.path end)) end)
pl.get("/slow", function(req) pl.sleep(0.03) return req.path end)
"""


@pytest.fixture(scope="module")
def functions(serve_module):
    return serve_module(FUNCTIONS)


def test_functions_make_urls(functions):
    get = functions.get
    assert text(get("/f/abc")) == "GET /new/abc /new/abc at=4&all=/f/abc"
    assert text(get("/wait/x")) == "GET /new/x /new/x -"
    assert text(get("/none")) == "GET /new/after /new/after -"
    assert moved(get("/sent?a=b"), 302) == "https://a.example/?a=b"
    assert text(get("/either")) == "GET /new/e /new/e -"
    assert moved(get("/either?r=1"), 307) == "/new/e?r=1"
    assert text(get("/deferred")) == "/slow"


def test_what_cannot_stand_in_a_url_is_encoded(functions):
    response = functions.get("/raw/a%20b%0D%0Ac%22%5C%C3%A4")
    assert text(response).endswith("/new/x a%20b%0D%0Ac%22%5C%C3%A4")


def test_functions_may_read_the_body(functions):
    response = functions.request("POST", "/body", FORM, b"to=z")
    assert text(response) == "POST /new/z /new/z - to=z"


@pytest.mark.parametrize(
    "path, log",
    [
        ("/error", r"site.lua:\d+: out of order"),
        ("/number", r"site.lua:\d+: the function of a rewrite gives a URL or "
                    "nil, not a table"),
        ("/status", "gives a status of redirects or nil behind the URL"),
        ("/nopath", r"site.lua:\d+: what its function has made is no path"),
    ],
)
def test_functions_that_fail(functions, path, log):
    assert functions.get(path).status == 500
    functions.wait_log(log)


def test_the_request_of_a_function_is_its_own(functions):
    assert text(functions.get("/keep")) == "false"


def test_clients_leave_while_a_function_waits(functions):
    for _ in range(5):
        with functions.connect() as wire:
            wire.send(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
    assert text(functions.get("/wait/y")) == "GET /new/y /new/y -"


# ---- rules below a prefix, as Lwan has them ----

BELOW = SHOW + """
pl.use(function(req, res, next)
  local before = req.args.name
  next()
  res:header("x-args", tostring(before) .. "," .. tostring(req.args.name))
end)
pl.get("/hello", function(req) return "Hello, " .. req.args.name .. "!" end)
pl.rewrite("/p", {
  { "foo/(%d+)(%a)(%d+)", to = "/hello?name=pre%2mid%3x%1post",
    redirect = true },
  { "bar/(%d+)/test", to = "/hello?name=n%1" },
  { "m/(%d+)x(%d+)", to = function(req, captures)
      return "/hello?name=" .. math.floor(captures[1] * captures[2])
    end },
  { "^self/(.*)$", to = "/p/self/%1" },
  { "^front$", to = "/q" },
})
pl.rewrite("^/q$", "/hello?name=front")
"""


def test_rules_below_a_prefix(serve):
    server = serve(BELOW)
    assert moved(server.get("/p/foo/1234x5678")) == (
        "/hello?name=prexmid5678x1234post")
    response = server.get("/p/bar/42/test")
    assert text(response) == "Hello, n42!"
    assert response.header("x-args") == "nil,n42"
    assert text(server.get("/p/m/6x7")) == "Hello, 42!"
    assert text(server.get("/p//m/6x7")) == "Hello, 42!"
    assert text(server.get("/p/front")) == "Hello, front!"
    for path in ("/p", "/p/", "/p/zzz", "/other"):
        assert server.get(path).status == 404
    assert server.get("/p/self/x").status == 500


def test_patterns_take_no_longer_than_they_may(serve):
    server = serve(SHOW + """
    pl.rewrite("(.-)(.-)(.-)(.-)!", "/new/never")""")
    assert text(server.get("/new/" + "a" * 8)).startswith("GET")
    assert server.get("/new/" + "a" * 4000).status == 500
    server.wait_log(r"site.lua:\d+: the patterns take too long for this path")
    assert text(server.get("/new/a")).startswith("GET")


def test_results_have_a_limit(serve):
    server = serve(SHOW + 'pl.rewrite("^/x(.*)$", "/new/%1%1%1%1%1%1%1%1")')
    assert server.get("/x" + "a" * 500).status == 200
    assert server.get("/x" + "a" * 2000).status == 414


# ---- redirects and fixed responses ----

REDIRECTS = """local pl = require "perilune"
pl.redirect("/blog", { to = "https://blog.example/", status = 308 })
pl.redirect("/docs", { to = "/manual", rest = true, query = true })
pl.redirect("/up", { to = "/", rest = true, status = 302 })
pl.redirect("/plain", "/target")
pl.response("/teapot", { status = 418, body = "short and stout" })
pl.response("/gone", { status = 410 })
pl.response("/html/*rest", { body = "<p>hi", headers = {
  ["x-a"] = { "1", "2" }, ["cache-control"] = "no-store" } })
pl.response("/json", { status = 503, body = { ok = false } })
pl.response("/empty", { status = 204 })
pl.response("/typed", { body = "a,b", type = "text/csv" })
"""


@pytest.fixture(scope="module")
def redirects(serve_module):
    return serve_module(REDIRECTS)


@pytest.mark.parametrize(
    "path, status, want",
    [
        ("/blog", 308, "https://blog.example/"),
        ("/blog/a/b?c=d", 308, "https://blog.example/"),
        ("/docs", 301, "/manual/"),
        ("/docs/a%20b/%2F?c=d%20e", 301, "/manual/a%20b/%2F?c=d%20e"),
        ("/up/a/b?c", 302, "/a/b"),
        ("/up//evil.example/x", 302, "/evil.example/x"),
        ("/plain/x?y", 301, "/target"),
    ],
)
def test_redirects(redirects, path, status, want):
    assert moved(redirects.get(path), status) == want
    assert redirects.request("POST", path, {}, b"").status == status


def test_fixed_responses(redirects):
    assert text(redirects.get("/teapot"), 418) == "short and stout"
    assert text(redirects.request("PUT", "/teapot"), 418) == "short and stout"
    assert text(redirects.get("/gone"), 410) == "410 Gone\n"
    response = redirects.get("/html/a/b")
    assert text(response) == "<p>hi"
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.header("cache-control") == "no-store"
    assert [v for n, v in response.headers if n == "x-a"] == ["1", "2"]
    response = redirects.get("/json")
    assert text(response, 503) == '{"ok":false}'
    assert response.header("content-type") == "application/json"
    assert redirects.get("/empty").status == 204
    assert redirects.get("/typed").header("content-type") == "text/csv"


# ---- what is wrong is said when the site is loaded ----


@pytest.mark.parametrize(
    "line, error",
    [
        ("pl.rewrite('[', '/')",
         "pl.rewrite: pattern '[': a \"[\" lacks its \"]\""),
        ("pl.rewrite('" + "()" * 33 + "', '/')", "more than 32 captures"),
        ("pl.rewrite('(a', '/')", "pattern '(a': a \"(\" lacks its \")\""),
        ("pl.rewrite('a', '/%1')",
         "\"%1\": the pattern has 0 captures (a percent sign is \"%%\")"),
        ("pl.rewrite('()', '/%1')", "\"%1\" is a position, which is no text"),
        ("pl.rewrite('a', '/%x')", "a \"%\" is followed by the number"),
        ("pl.rewrite('a', 'b')", "'b' must begin with \"/\" or a scheme"),
        ("pl.rewrite('a', 'https://b/')",
         "a URL with a host is for redirects (redirect = 301)"),
        ("pl.rewrite('a', '/b#c')", "for redirects"),
        ("pl.rewrite('a', { to = '/', redirect = 200 })",
         "option 'redirect' must be 301, 302, 303, 307 or 308"),
        ("pl.rewrite('a', { too = '/' })",
         "unknown option 'too'; did you mean 'to'?"),
        ("pl.rewrite('a', { to = 5 })",
         "option 'to' must be a string or a function, not a number"),
        ("pl.rewrite('a')", "a table is needed"),
        ("pl.rewrite(5, '/')", "the pattern must be a string, not a number"),
        ("pl.rewrite('a', { to = '/', when = { cokie = {} } })",
         "there is no condition 'cokie'; did you mean 'cookie'?"),
        ("pl.rewrite('a', { to = '/', when = { cookie = 'x' } })",
         "condition 'cookie' must be a table of names"),
        ("pl.rewrite('a', { to = '/', when = { cookie = { a = '%1' } } })",
         "\"%1\": the pattern has 0 captures"),
        ("pl.rewrite('a', { to = '/', when = { backref = { [1] = 'x' } } })",
         "condition 'backref': the pattern has no capture '1'"),
        ("pl.rewrite('a', { to = '/', when = { method = 'FLY' } })",
         "condition 'method': no list of methods: 'FLY'"),
        ("pl.rewrite('a', { to = '/', when = { encoding = 'rot13' } })",
         "condition 'encoding': no coding of content: 'rot13'"),
        ("pl.rewrite('a', { to = '/', when = { stat = { is_file = true } } })",
         "condition 'stat' must be a table like"),
        ("pl.rewrite('a', { to = '/', when = { https = 1 } })",
         "condition 'https' must be true or false"),
        ("pl.rewrite('a', { to = '/', when = { lua = 1 } })",
         "condition 'lua' must be a function"),
        ("pl.rewrite('/p', { { '(', to = '/' } })", "pattern '('"),
        ("pl.group('/:a', function() pl.rewrite('a', '/') end)",
         "a group of rules has no parameter in its prefix"),
        ("pl.redirect('/a', {})", "pl.redirect: option 'to' must be a string"),
        ("pl.redirect('/a', 'b c')", "to must be a URL"),
        ("pl.redirect('/a', { to = '/?x', rest = true })",
         "to can have no \"?\""),
        ("pl.redirect('/a', { to = '/', status = 304 })",
         "option 'status' must be 301"),
        ("pl.response('/a', { status = 99 })",
         "option 'status' must be from 200 to 599"),
        ("pl.response('/a', { headers = { ['a b'] = 'c' } })",
         "'a b' is not a field that can be set"),
        ("pl.response('/a', { headers = { a = 'c\\r\\nd: e' } })",
         "'a' is not a field that can be set"),
        ("pl.response('/a', { headers = { ['content-length'] = '1' } })",
         "'content-length' is not a field that can be set"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(command, line, error):
    site = f'local pl = require "perilune"\n\n{line}\n'
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode == 3, done.stdout
    assert "site.lua:3: pl." in done.stderr
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1
