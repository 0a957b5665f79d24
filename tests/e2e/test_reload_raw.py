"""Raw connections go over to the next generation where their handlers ask."""

from signal import SIGHUP

import pytest

from harness.reload import GONE, reload, write

TCP = """
local pl = require "perilune"
pl.set {{ reload_drain = "600s" }}
pl.listen {{ "127.0.0.1:0" }}
pl.get("/", function() return "{0}" end)
pl.get("/not", function(req)
  local ok, err = pcall(function() return pl.connect(
    "127.0.0.1:" .. req.args.port):handover() end)
  return tostring(err)
end)
""" + GONE + """
pl.tcp("unix:{1}", function(socket)
  pl.defer(function() pl.log.notice "{0} lets go" end)
  local state = socket.state or {{ n = 0 }}
  socket.state = state
  if socket.moved then socket:write("moved to {0}\\n") end
  while true do
    local line = socket:read_line()
    if not line then return end
    state.n = state.n + 1
    socket:write(("{0} %d %s\\n"):format(state.n, line))
    if line == "wait" then
      while socket:handover(0.01) == false do end
    end
    socket:handover()
  end
end)
"""


def test_tcp__goes_over_where_it_asks(serve, tmp_path):
    path = tmp_path / "raw.sock"

    def site(version):
        return TCP.format(version, path)

    server = serve(site("v1"), workers=1, listen=False)
    server.addresses(2)
    with server.connect(str(path)) as wire:
        file = wire.socket.makefile("rb")

        def line():
            return file.readline().decode().strip()

        wire.send(b"a\nb\n")
        assert [line(), line()] == ["v1 1 a", "v1 2 b"]
        reload(server, site("v2"), "v2")
        wire.send(b"c\nd\ne\n")  # what is there already goes with it
        assert [line() for _ in range(4)] == [
            "v1 3 c", "moved to v2", "v2 4 d", "v2 5 e",
        ]
        server.wait_log("v1 has gone")
        wire.send(b"wait\n")
        assert line() == "v2 6 wait"
        for n in range(3, 8):
            reload(server, site(f"v{n}"), f"v{n}")
            assert line() == f"moved to v{n}"
            server.wait_log(f"v{n - 1} has gone")
            wire.send(b"wait\n")
            assert line() == f"v{n} {n + 4} wait"
        text = site("v8").split("pl.tcp(")[0]
        reload(server, text, "v8")
        assert line() == ""
        server.wait_log("v7 has gone")
    port = server.port
    assert "only for connections of pl.tcp and req:hijack()" in (
        server.get(f"/not?port={port}").body.decode()
    )


HIJACKED = """
local pl = require "perilune"
pl.set {{ reload_drain = "600s" }}
pl.get("/", function() return "{0}" end)
""" + GONE + """
pl.use(function(req, res, next)
  res:header("x-filter", "{0}") -- which means nothing
  return next()
end)
pl.get("/raw/:name", function(req)
  pl.defer(function() pl.log.notice "{0} lets go" end)
  local socket = assert(req:hijack())
  local state = socket.state or {{ n = 0 }}
  socket.state = state
  socket:write((socket.moved and "moved to {0} " or "{0} ")
    .. req.params.name .. "\\n")
  while true do
    local line = socket:read_line()
    if not line then return end
    state.n = state.n + 1
    socket:write(("{0} %d %s\\n"):format(state.n, line))
    if line == "wait" then
      while socket:handover(0.01) == false do end
    end
    socket:handover()
  end
end)
pl.get("/kept", function(req)
  local socket = assert(req:hijack()):keep()
  pl.spawn(function()
    pl.sleep(0.01)
    local ok, err = pcall(function() while not socket:handover(0.01) do end end)
    socket:write(tostring(err))
    socket:close()
  end)
end)
"""


def without_raw(version, instead):
    start, rest = HIJACKED.format(version).split('pl.get("/raw/:name"')
    kept = 'pl.get("/kept"'
    return start + instead + "\n" + kept + rest.split(kept)[1]


class Raw:
    """Lines of a connection that was a request."""

    def __init__(self, server, path):
        self.wire = server.connect()
        self.wire.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        self.file = self.wire.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.wire.close()

    def send(self, data):
        self.wire.send(data)

    def line(self):
        return self.file.readline().decode().strip()


def test_hijacked__goes_over_where_it_asks(serve):
    server = serve(HIJACKED.format("v1"), workers=1)
    with Raw(server, "/raw/x") as raw:
        assert raw.line() == "v1 x"
        raw.send(b"a\nb\n")
        assert [raw.line(), raw.line()] == ["v1 1 a", "v1 2 b"]
        reload(server, HIJACKED.format("v2"), "v2")
        raw.send(b"c\nd\ne\n")  # what is there already goes with it
        assert [raw.line() for _ in range(4)] == [
            "v1 3 c", "moved to v2 x", "v2 4 d", "v2 5 e",
        ]
        server.wait_log("v1 has gone")
        raw.send(b"wait\n")
        assert raw.line() == "v2 6 wait"
        for n in range(3, 8):
            reload(server, HIJACKED.format(f"v{n}"), f"v{n}")
            assert raw.line() == f"moved to v{n} x"
            server.wait_log(f"v{n - 1} has gone")
            raw.send(b"wait\n")
            assert raw.line() == f"v{n} {n + 4} wait"
        reload(server, without_raw("v8", ""), "v8")
        assert raw.line() == ""
        server.wait_log("v7 has gone")
    server.wait_log("v7 lets go")


@pytest.mark.parametrize("instead", [
    'pl.get("/raw/:name", function() return "no" end)',
    'pl.get("/raw/:name", function() error "no" end)',
    "",
])
def test_hijacked__to_nobody_is_closed(serve, instead):
    server = serve(HIJACKED.format("v1"), workers=1)
    with Raw(server, "/raw/x") as raw:
        assert raw.line() == "v1 x"
        raw.send(b"wait\n")
        assert raw.line() == "v1 1 wait"
        reload(server, without_raw("v2", instead), "v2")
        assert raw.line() == ""
        server.wait_log("v1 has gone")


def test_hijacked__whose_client_leaves_is_over(serve):
    server = serve(HIJACKED.format("v1"), workers=1)
    for n in range(2, 12):
        with Raw(server, "/raw/x") as raw:
            assert raw.line() == f"v{n - 1} x"
            raw.send(b"wait\n")
            write(server, HIJACKED.format(f"v{n}"))
            server.send_signal(SIGHUP)
        reload(server, HIJACKED.format(f"v{n}"), f"v{n}")
        server.wait_log(f"v{n - 1} has gone")


def test_hijacked__whose_handler_has_ended_stays(serve):
    server = serve(HIJACKED.format("v1"), workers=1)
    with Raw(server, "/kept") as raw:
        reload(server, HIJACKED.format("v2"), "v2")
        assert "site.lua" in raw.line()
