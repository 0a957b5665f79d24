"""Maintenance that is switched while a site is served, and how long responses
may be kept, by pattern."""

import pytest

from harness.wait import wait_for

MAINTENANCE = """local pl = require "perilune"
pl.set { trusted = "127.0.0.1" }
pl.get("/health", function() return "up" end)
pl.group("/file", function()
  pl.use(pl.maintenance { file = "down", retry_after = "2m",
    allow = { "192.0.2.0/24", "::1" }, message = "new pipes" })
  pl.get("/", function() return "open" end)
end)
pl.group("/key", function()
  pl.use(pl.maintenance { shared = "site", key = "closed" })
  pl.get("/", function() return "open" end)
end)
pl.get("/one", { use = pl.maintenance "down" }, function() return "one" end)
pl.post("/set/:value", function(req)
  local value = req.params.value
  pl.shared("site"):set("closed", value == "true" and true or false)
end)
pl.delete("/set", function() pl.shared("site"):delete("closed") end)
"""


def test_maintenance_by_a_file(serve):
    server = serve(MAINTENANCE, files={"down": ""})
    response = server.get("/file/")
    assert response.status == 503
    assert response.header("retry-after") == "120"
    assert response.header("cache-control") == "no-store"
    assert "new pipes" in response.text
    assert server.get("/one").status == 503
    assert server.get("/health").text == "up"
    for client, status in (("192.0.2.7", 200), ("198.51.100.1", 503)):
        fields = {"X-Forwarded-For": client}
        assert server.get("/file/", fields).status == status
    (server.folder / "down").unlink()
    wait_for(lambda: server.get("/file/").status == 200, "it is open")
    (server.folder / "down").touch()
    wait_for(lambda: server.get("/file/").status == 503, "it is closed")


def test_maintenance_by_a_key_that_all_workers_see(serve):
    server = serve(MAINTENANCE, workers=2)
    assert server.get("/key/").text == "open"
    server.request("POST", "/set/true", {}, b"")
    assert [server.get("/key/").status for _ in range(8)] == [503] * 8
    server.request("POST", "/set/false", {}, b"")
    assert [server.get("/key/").status for _ in range(8)] == [200] * 8
    server.request("POST", "/set/true", {}, b"")
    assert server.get("/key/").status == 503
    assert server.get("/key/").header("retry-after") is None
    server.request("DELETE", "/set")
    assert server.get("/key/").status == 200


CACHING = """local pl = require "perilune"
pl.use(pl.cache_control {
  { "%.css$", "public, max-age=60" },
  { "^/api/", cache_control = "no-store" },
  { "%.png$", expires = "30d" },
  { "(.-)(.-)(.-)(.-)!", "never" },
})
pl.static("/", { root = "public" })
pl.get("/own.css", function(_, res)
  res:header("cache-control", "private")
  return "own"
end)
pl.get("/route.css", { cache_control = "no-cache" }, function()
  return "route"
end)
pl.get("/api/x", function() return "x" end)
pl.get("/api/fails", function() error "no" end)
pl.get("/long/*rest", function() return "long" end)
"""


@pytest.mark.parametrize(
    "path, want",
    [
        ("/a.css", "public, max-age=60"),
        ("/own.css", "private"),
        ("/route.css", "no-cache"),
        ("/api/x", "no-store"),
        ("/a.png", "max-age=2592000"),
        ("/a.txt", None),
        ("/none.css", None),
        ("/api/fails", None),
        ("/long/" + "a" * 2000, None),
    ],
)
def test_cache_control_by_pattern(serve_module, path, want):
    files = {f"public/a.{kind}": kind for kind in ("css", "png", "txt")}
    server = serve_module(CACHING, files=files)
    response = server.get(path)
    assert response.header("cache-control") == want
    assert (response.header("expires") is None) == ("png" not in path)


BODIES = """local pl = require "perilune"
pl.set { max_body = "20" }
local function size(req) return tostring(#req:body()) end
pl.post("/site", size)
pl.post("/small", { max_body = "10" }, size)
pl.post("/large", { max_body = 100 }, size)
pl.group("/group", { max_body = "5" }, function() pl.post("/in", size) end)
"""


@pytest.mark.parametrize(
    "path, most",
    [("/site", 20), ("/small", 10), ("/large", 100), ("/group/in", 5)],
)
def test_body_size_by_route(serve_module, path, most):
    server = serve_module(BODIES)
    assert server.request("POST", path, {}, b"x" * most).text == str(most)
    assert server.request("POST", path, {}, b"x" * (most + 1)).status == 413


@pytest.mark.parametrize(
    "line, error",
    [
        ("pl.maintenance {}", "option 'file' or 'shared' is needed"),
        ("pl.maintenance { file = 'x', allow = 5 }", "option 'allow' must be"),
        ("pl.maintenance { file = 'x', allow = 'all' }", "all"),
        ("pl.maintenance { file = 'x', retry_after = 'soon' }",
         "retry_after: 'soon' is not a duration"),
        ("pl.maintenance { fil = 'x' }",
         "unknown option 'fil'; did you mean 'file'?"),
        ("pl.cache_control { { '[', 'x' } }", "pattern '['"),
        ("pl.cache_control { { 'a' } }", "cache_control or expires is needed"),
        ("pl.cache_control { 'a' }", "each rule must be a table"),
        ("pl.cache_control()", "a list is needed"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(command, line, error):
    site = f'local pl = require "perilune"\n\npl.use({line})\n'
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode == 3, done.stdout
    assert "site.lua:3: pl." in done.stderr and error in done.stderr
