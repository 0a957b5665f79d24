"""Bodies as Lua handlers read them, over a real socket."""

import pytest

SITE = """
local pl = require "perilune"
pl.post("/body", function(req) return req:body() end)
pl.post("/json", function(req) return req:json() end)
pl.post("/form", function(req)
  local form, err = req:form()
  if not form then return nil, err end
  return form
end)
pl.post("/count", { max_body = 10 }, function(req)
  local n, pieces = 0, 0
  for piece in req:chunks(1000) do n, pieces = n + #piece, pieces + 1 end
  return { n = n, many = pieces > 9 }
end)
pl.post("/small", { max_body = 10 }, function(req) return req:body() end)
pl.post("/ignore", function() return "ignored" end)
pl.post("/pair", function(req)
  local ok = pl.all {
    function() return (pcall(req.body, req)) end,
    function() return (pcall(req.read, req)) end,
  }
  return ok and "one reader" or "none"
end)
"""


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(SITE)


@pytest.mark.parametrize("how", ["whole", "bytewise"])
def test_bodies_of_known_and_unknown_length(site, how):
    with site.connect() as wire:
        wire.send(
            b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
            b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
            b"\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            how=how,
        )
        assert [r.text for r in wire.responses(2)] == ["hello", "abcde"]


def test_continue_is_sent_when_the_handler_reads(site):
    with site.connect() as wire:
        wire.send(
            b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert wire.response(interim=True).status == 100
        wire.send(b"hi")
        assert wire.response().text == "hi"


def test_json(site):
    good = site.request("POST", "/json", body=b'{"a":[1,null]}')
    assert good.json() == {"a": [1, None]}
    assert site.request("POST", "/json", body=b"{a}").status == 400


def test_forms(site):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    form = site.request("POST", "/form", kind, b"a=%C3%A9&b=x+y&a=2")
    assert form.json() == {"a": "é", "b": "x y"}
    other = site.request("POST", "/form", {"Content-Type": "a/b"}, b"a=1")
    assert other.status == 415


def test_limits_are_for_whole_bodies_only(site):
    large = b"x" * 300000
    count = site.request("POST", "/count", body=large)
    assert count.json() == {"n": len(large), "many": True}
    assert site.request("POST", "/small", body=b"x" * 10).status == 200
    assert site.request("POST", "/small", body=b"x" * 11).status == 413


def test_a_body_that_nobody_reads_does_not_stop_the_connection(site):
    with site.connect() as wire:
        for _ in range(3):
            assert wire.request("POST", "/ignore", body=b"x" * 9).status == 200


def test_a_body_has_one_reader(site):
    with site.connect() as wire:
        wire.send(b"POST /pair HTTP/1.1\r\nHost: a\r\n")
        wire.send(b"Content-Length: 2\r\n\r\n")
        wire.send(b"ab")
        assert wire.response().text == "one reader"


def test_a_client_that_breaks_off_is_no_fault_of_the_site(site):
    with site.connect() as wire:
        wire.send(b"POST /body HTTP/1.1\r\nHost: a\r\n")
        wire.send(b"Content-Length: 9\r\n\r\nx")
        wire.half_close()
        wire.read_to_end()
    assert site.get("/nosuch").status == 404
    assert "traceback" not in site.log()
