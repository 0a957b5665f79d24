"""Routes and what a wrong site says, with the real program."""

import pytest

SITE = """
local pl = require "perilune"
local function say(text) return function() return text end end
pl.get("/", say "root")
pl.route("GET POST", "/two", say "two")
pl.any("/any", say "any")
pl.get("/user/:id", function(req) return req.params.id end)
pl.get("/user/me", say "exact")
pl.get("/files/*rest", function(req) return req.params.rest end)
pl.group("/admin", { cache_control = "no-store" }, function()
  pl.get("/x", say "admin")
  pl.group("/deep", function() pl.get("/y", say "deep") end)
end)
pl.host("a.example", function() pl.get("/", say "a") end)
pl.host("*.b.example", function() pl.get("/", say "b") end)
pl.static("/static", { root = "public", expires = "1h" })
"""


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(SITE, files={"public/index.html": "<p>home"})


@pytest.mark.parametrize(
    "method, path, host, status, body",
    [
        ("GET", "/", "x", 200, "root"),
        ("GET", "/", "a.example", 200, "a"),
        ("GET", "/", "w.b.example:80", 200, "b"),
        ("POST", "/two", "x", 200, "two"),
        ("DELETE", "/two", "x", 405, None),
        ("DELETE", "/any", "x", 200, "any"),
        ("GET", "/user/7", "x", 200, "7"),
        ("GET", "/user/me", "x", 200, "exact"),
        ("GET", "/user/", "x", 404, None),
        ("GET", "/files/a/b", "x", 200, "a/b"),
        ("GET", "/admin/x", "x", 200, "admin"),
        ("GET", "/admin/deep/y", "x", 200, "deep"),
        ("GET", "/static/", "x", 200, "<p>home"),
        ("GET", "/none", "x", 404, None),
    ],
)
def test_routes(site, method, path, host, status, body):
    response = site.request(method, path, {"Host": host})
    assert response.status == status
    if body is not None:
        assert response.text == body


def test_options_of_groups_and_mounts(site):
    assert site.get("/admin/deep/y").header("cache-control") == "no-store"
    assert site.get("/static/").header("cache-control") == "max-age=3600"
    assert site.request("PUT", "/two").header("allow") == (
        "GET, HEAD, POST, OPTIONS"
    )


@pytest.mark.parametrize(
    "line, error",
    [
        ("pl.get('x', print)", "pl.get: route pattern 'x': must begin with"),
        ("pl.get('/x')", "pl.get: a function is needed, not a nil"),
        (
            "pl.get('/x', { max_bdy = 1 }, print)",
            "pl.get: unknown option 'max_bdy'; did you mean 'max_body'?",
        ),
        (
            "pl.set { max_bdy = 1 }",
            "pl.set: unknown setting 'max_bdy'; did you mean 'max_body'?",
        ),
        (
            "pl.listen { ':80', protocol = 'gopher' }",
            "pl.listen: protocol 'gopher' is none of 'http' 'http/1.1'",
        ),
        (
            "pl.listen {}",
            "pl.listen: an address is needed",
        ),
        (
            "pl.listen { 80 }",
            "pl.listen: the address must be a string",
        ),
        (
            "pl.listen { ':80', backlog = 'x' }",
            "pl.listen: option 'backlog' must be a whole number",
        ),
        (
            "pl.env 'NO_SUCH_VARIABLE'",
            "pl.env: environment variable NO_SUCH_VARIABLE",
        ),
        (
            "pl.get('/x', print) pl.get('/x', print)",
            "pl.get: ",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(command, line, error):
    text = f'local pl = require "perilune"\n\n{line}\n'
    done = command("check", "site.lua", files={"site.lua": text})
    assert done.returncode == 3
    assert f"site.lua:3: {error}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
