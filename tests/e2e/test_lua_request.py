"""What a Lua handler learns of a request, over a real socket."""

import pytest

SITE = """
local pl = require "perilune"
pl.any("/all/:name/*rest", function(req)
  return {
    method = req.method, path = req.path, raw_path = req.raw_path,
    query = req.query, host = req.host, scheme = req.scheme,
    version = req.version, remote = req.remote, id = req.id,
    port = req.remote_port, args = req.args, params = req.params,
    cookies = req.cookies, agent = req.headers["User-Agent"],
    all = pl.json.array(req:all("a")), tls = req.tls == nil,
  }
end)
pl.get("/ids", function(req) return req.id end)
local kept
pl.get("/keep", function(req) kept = req return "kept" end)
pl.get("/late", function() return kept.path end)
"""


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(SITE, workers=1)


def test_fields_of_a_request(site):
    with site.connect() as wire:
        wire.send(
            b"PATCH /all/a%20b/c/d?a=1&a=%32&b=x+y HTTP/1.1\r\n"
            b"Host: Site.example:81\r\nUser-Agent: t\r\n"
            b"Cookie: k=v; l=w\r\n\r\n",
            how="bytewise",
        )
        got = wire.response().json()
    assert got.pop("id") and got.pop("port") > 0
    assert got == {
        "method": "PATCH",
        "path": "/all/a b/c/d",
        "raw_path": "/all/a%20b/c/d",
        "query": "a=1&a=%32&b=x+y",
        "host": "Site.example",
        "scheme": "http",
        "version": "1.1",
        "remote": "127.0.0.1",
        "args": {"a": "1", "b": "x y"},
        "params": {"name": "a b", "rest": "c/d"},
        "cookies": {"k": "v", "l": "w"},
        "agent": "t",
        "all": ["1", "2"],
        "tls": True,
    }


def test_ids_differ(site):
    ids = {site.get("/ids").text for _ in range(20)}
    assert len(ids) == 20 and all(len(i) == 16 for i in ids)


def test_a_kept_request_is_an_error_of_its_user(site):
    assert site.get("/keep").text == "kept"
    assert site.get("/late").status == 500
    site.wait_log("request used after its response was sent")
