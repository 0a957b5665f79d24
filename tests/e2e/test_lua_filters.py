"""Filters in Lua, also around what is not Lua."""

import pytest

SITE = """
local pl = require "perilune"
pl.use(function(req, res, next)
  req.trace = "a"
  next()
  if not req.path:find "^/stream" then
    res:header("x-trace", req.trace .. res:status())
  end
end)
pl.use(function(req, _, next)
  if req.args.stop then return 403, "stopped" end
  pl.sleep(0.001)
  req.trace = req.trace .. "b"
  return next()
end)
pl.get("/", function(req) req.trace = req.trace .. "h" return "ok" end)
pl.get("/fail", function() error "broken" end)
pl.get("/stream", function(_, res) res:write("x") end)
pl.static("/files", { root = "public" })
pl.group("/guard", function()
  pl.use(function(_, _, next)
    local ok, err = pl.timeout(0.005, next)
    if err then return 504, err.code end
  end)
  pl.get("/slow", function() pl.sleep(60) end)
  pl.get("/fast", function() return "fast" end)
end)
"""


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(SITE, files={"public/a.txt": "a"})


@pytest.mark.parametrize(
    "path, status, trace, body",
    [
        ("/", 200, "abh200", "ok"),
        ("/?stop=1", 403, "a403", "stopped"),
        ("/fail", 500, "ab500", None),
        ("/files/a.txt", 200, "ab200", "a"),
        ("/files/none", 404, "ab404", None),
        ("/guard/slow", 504, "ab504", "timeout"),
        ("/guard/fast", 200, "ab200", "fast"),
    ],
)
def test_filters_run_around_everything(site, path, status, trace, body):
    response = site.get(path)
    assert (response.status, response.header("x-trace")) == (status, trace)
    if body is not None:
        assert response.text == body


def test_a_stream_passes_filters(site):
    assert site.get("/stream").text == "x"
