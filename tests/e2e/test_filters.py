"""Filters written in C: CORS, fields for browsers, request ids."""

import re

import pytest

SITE = """
local pl = require "perilune"
pl.set { access_log = "-" }
pl.group("/some", { cors = {
  origins = { "https://a.example", "https://*.b.example:8443" },
  methods = { "GET", "PUT" }, headers = { "content-type", "x-token" },
  expose = { "x-count", "etag" }, credentials = true, max_age = "10m",
} }, function()
  pl.use(function(req, res, next)
    if not req.headers.authorization then return 401, "who?" end
    return next()
  end)
  pl.get("/data", function(_, res) res:header("x-count", "3") return "data" end)
  pl.put("/data", function() return "put" end)
  pl.get("/stream", function(_, res) res:write("one") res:write("two") end)
  pl.get("/fail", function() error "broken" end)
  pl.any("/any", function() return "any" end)
  pl.get("/vary", function(_, res) res:header("vary", "Cookie") return "v" end)
  pl.static("/files", { root = "public" })
end)
pl.get("/all", { cors = { origins = "*", headers = "*" } },
  function() return "all" end)
pl.get("/none", function() return "none" end)

pl.group("/page", { security_headers = true }, function()
  pl.get("/usual", function() return "<p>" end)
  pl.get("/own", function(_, res)
    res:header("x-frame-options", "DENY")
    return "<p>"
  end)
  pl.get("/fail", function() error "broken" end)
  pl.get("/stream", function(_, res) res:write("one") end)
  pl.static("/files", { root = "public" })
end)
pl.get("/nonce", { security_headers = {
  csp = "script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'",
  frame_ancestors = "none", coop = false, corp = "cross-origin",
  permissions_policy = "camera=()", nosniff = false,
} }, function(_, res) return res:nonce() end)
pl.get("/report", { security_headers = {
  csp = "default-src 'self'", csp_report_only = true,
  frame_ancestors = { "https://a.example", "https://b.example" },
} }, function() return "r" end)

pl.group("/id", { request_id = true }, function()
  pl.get("/", function(req)
    return req.headers["x-request-id"] .. " " .. req.id
  end)
  pl.get("/fail", function() error "broken" end)
end)
pl.get("/named", { request_id = "x-trace" },
  function(req) return req.headers["x-trace"] end)
pl.listen { "unix:site.sock", trusted = "unix:" }
pl.listen { "127.0.0.1:0" }
"""

FIELDS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "frame-ancestors 'self'",
}


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(
        SITE, files={"public/a.txt": "a"}, workers=1, listen=False
    )


@pytest.fixture(scope="module")
def address(site):
    return next(a for a in site.addresses(2) if isinstance(a, tuple))


@pytest.fixture(scope="module")
def proxy(site):
    site.addresses(2)
    return site.folder / "site.sock"


def ask(site, address, method, target, headers=None):
    with site.connect(address) as wire:
        return wire.request(method, target, headers)


@pytest.fixture
def get(site, address):
    return lambda target, headers=None: ask(
        site, address, "GET", target, headers
    )


@pytest.fixture
def preflight(site, address):
    def send(target, origin, method="GET", more=None):
        headers = {"Origin": origin, "Access-Control-Request-Method": method}
        headers |= more or {}
        return ask(site, address, "OPTIONS", target, headers)

    return send


def cors(response) -> dict:
    return {
        name.lower().removeprefix("access-control-"): value
        for name, value in response.headers
        if name.lower().startswith("access-control-")
    }


# ---- CORS ----


@pytest.mark.parametrize(
    "origin, allowed",
    [
        ("https://a.example", True),
        ("https://x.b.example:8443", True),
        ("https://y.x.b.example:8443", True),
        ("https://b.example:8443", False),
        ("https://.b.example:8443", False),
        ("http://a.example", False),
        ("https://a.example:444", False),
        ("https://evil.example/.b.example:8443", False),
        ("https://a.example.evil.example", False),
        ("https://evil-a.example", False),
        ("null", False),
        ("*", False),
    ],
)
def test_who_may_read(get, preflight, origin, allowed):
    headers = {"Origin": origin, "Authorization": "x"}
    response = get("/some/data", headers)
    want = {
        "allow-origin": origin,
        "allow-credentials": "true",
        "expose-headers": "x-count, etag",
    }
    assert response.text == "data"
    assert response.header("vary") == "Origin"
    assert cors(response) == (want if allowed else {})
    response = preflight("/some/data", origin, "PUT")
    assert (response.status, response.body) == (204, b"")
    assert response.header("vary").startswith("Origin, ")
    want = {
        "allow-origin": origin,
        "allow-credentials": "true",
        "allow-methods": "GET, PUT",
        "allow-headers": "content-type, x-token",
        "max-age": "600",
    }
    assert cors(response) == (want if allowed else {})


@pytest.mark.parametrize(
    "target", ["/some/data", "/some/any", "/some/files/a.txt"]
)
def test_preflight_comes_before_other_filters(preflight, target):
    response = preflight(target, "https://a.example")
    assert response.status == 204
    assert cors(response)["allow-origin"] == "https://a.example"


@pytest.mark.parametrize(
    "target, method, status",
    [
        ("/none", "GET", 204),
        ("/unknown", "GET", 404),
        ("/some/data", "DELETE", 204),
        ("/some/data", "RUBBISH", 204),
    ],
)
def test_no_preflight_without_a_filter(preflight, target, method, status):
    response = preflight(target, "https://a.example", method)
    assert (response.status, cors(response)) == (status, {})


def test_options_of_others(site, address):
    response = ask(site, address, "OPTIONS", "/some/data")
    assert response.status == 204
    assert response.header("allow") == "GET, HEAD, PUT, OPTIONS"


@pytest.mark.parametrize(
    "target, status",
    [("/some/fail", 500), ("/some/stream", 200), ("/some/files/none", 404),
     ("/some/files/a.txt", 200)],
)
def test_all_answers_can_be_read(get, target, status):
    headers = {"Origin": "https://a.example", "Authorization": "x"}
    response = get(target, headers)
    assert response.status == status
    assert cors(response)["allow-origin"] == "https://a.example"
    assert response.all("vary").count("Origin") == 1


def test_vary_without_an_origin(get):
    response = get("/some/vary", {"Authorization": "x"})
    assert response.header("vary") == "Cookie, Origin"
    assert cors(response) == {}


def test_all_origins(get, preflight):
    response = get("/all", {"Origin": "https://any.example"})
    assert cors(response) == {"allow-origin": "*"}
    assert response.header("vary") is None
    response = preflight(
        "/all", "null", more={"Access-Control-Request-Headers": "x-a, x-b"}
    )
    assert cors(response)["allow-headers"] == "x-a, x-b"
    assert cors(response)["allow-origin"] == "*"


# ---- fields for browsers ----


@pytest.mark.parametrize(
    "target, status",
    [("/page/usual", 200), ("/page/fail", 500), ("/page/stream", 200),
     ("/page/files/a.txt", 200), ("/page/files/none", 404)],
)
def test_fields_for_browsers(get, target, status):
    response = get(target)
    assert response.status == status
    for name, value in FIELDS.items():
        assert response.all(name) == [value]


def test_handlers_have_the_last_word(get):
    response = get("/page/own")
    assert response.all("x-frame-options") == ["DENY"]
    assert response.header("x-content-type-options") == "nosniff"


def test_a_number_for_each_response(get):
    seen = set()
    for _ in range(10):
        response = get("/nonce")
        number = response.text
        assert re.fullmatch(r"[A-Za-z0-9+/]{22}==", number)
        assert response.header("content-security-policy") == (
            f"script-src 'nonce-{number}'; style-src 'nonce-{number}'; "
            "frame-ancestors 'none'"
        )
        seen.add(number)
    assert len(seen) == 10
    assert response.header("x-frame-options") == "DENY"
    assert response.header("cross-origin-opener-policy") is None
    assert response.header("cross-origin-resource-policy") == "cross-origin"
    assert response.header("permissions-policy") == "camera=()"
    assert response.header("x-content-type-options") is None


def test_policies_that_only_report(get):
    response = get("/report")
    assert response.header("content-security-policy") is None
    assert response.header("content-security-policy-report-only") == (
        "default-src 'self'; "
        "frame-ancestors https://a.example https://b.example"
    )
    assert response.header("x-frame-options") is None


# ---- ids ----


def test_ids_are_our_own(get):
    response = get("/id/", {"X-Request-Id": "forged"})
    field, own = response.text.split()
    assert field == own == response.header("x-request-id")
    assert re.fullmatch("[0-9a-f]{16}", own)
    response = get("/id/fail")
    assert response.status == 500
    assert re.fullmatch("[0-9a-f]{16}", response.header("x-request-id"))


def test_ids_of_proxies(site, proxy):
    given = "7f0e-From_a.proxy:1"
    response = ask(site, proxy, "GET", "/id/?p", {"X-Request-Id": given})
    field, own = response.text.split()
    assert field == response.header("x-request-id") == given
    line = site.wait_log(r".*/id/\?p HTTP.*")[0][0]
    assert line.endswith(f"{own} request_id={given}")


@pytest.mark.parametrize("bad", ["with space", 'quote"', "a" * 129, "\x80"])
def test_ids_that_are_no_words(site, proxy, bad):
    response = ask(site, proxy, "GET", "/id/", {"X-Request-Id": bad})
    assert re.fullmatch("[0-9a-f]{16}", response.header("x-request-id"))


def test_ids_by_another_name(site, proxy):
    response = ask(site, proxy, "GET", "/named", {"X-Trace": "abc"})
    assert response.text == response.header("x-trace") == "abc"


# ---- what is wrong with a site ----


@pytest.mark.parametrize(
    "call, why",
    [
        ('pl.cors { origins = "*", credentials = true }', "not with origins"),
        ("pl.cors {}", "say who may read"),
        ('pl.cors { origins = "a.example" }', "each must be like"),
        ('pl.cors { origins = "https://a.example/" }', "each must be like"),
        ('pl.cors { origins = "*", max_age = "long" }', "is no time"),
        ('pl.security_headers { scp = "x" }', "did you mean 'csp'"),
        ('pl.security_headers { csp = "a\\nb" }', "not a possible header"),
        ('pl.request_id "a b"', "not a possible name"),
        ('pl.get("/", { cors = 7 }, function() end)', "must be a table"),
    ],
)
def test_wrong_options(serve, call, why):
    site = serve('local pl = require "perilune"\n' + call, announced=False)
    assert site.wait() != 0
    assert why in site.log()
    assert "site.lua:2" in site.log()
