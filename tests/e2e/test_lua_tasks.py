"""Tasks of a site: timers, spawned functions, what ends with the client."""

SITE = """
local pl = require "perilune"
local ticks, started = 0, 0
pl.every(0.002, function() ticks = ticks + 1 end)
pl.on("start", function() started = started + 1 end)
pl.on("stop", function() pl.sleep(0.001) pl.log("stopped well") end)
pl.spawn(function() pl.sleep(0.001) pl.log("spawned while loading") end)
pl.get("/state", function() return { ticks = ticks, started = started } end)
pl.get("/all", function()
  local a, b = pl.all {
    function() pl.sleep(0.002) return "a" end,
    function() return "b" end,
  }
  local first = pl.race {
    function() pl.sleep(60) end,
    function() pl.sleep(0.001) end,
  }
  local _, err = pl.timeout(0.001, pl.sleep, 60)
  return a .. b .. first .. err.code
end)
pl.get("/wait", function(req)
  pl.defer(function() pl.sleep(0.001) pl.log("cleaned up " .. req.path) end)
  pl.log("waiting")
  pl.sleep(600)
end)
pl.get("/pour", function(_, res)
  pl.defer(function() pl.log("poured out") end)
  local piece = ("x"):rep(65536)
  while res:write(piece) do end
end)
pl.get("/stop", function() pl.stop(7) return "stopping" end)
"""


def test_timers_and_events(serve):
    server = serve(SITE, workers=1)
    server.wait_log("spawned while loading")
    while server.get("/state").json()["ticks"] < 3:
        pass
    assert server.get("/state").json()["started"] == 1
    assert server.stop() == 0
    assert "stopped well" in server.log()


def test_several_things_at_once(serve):
    assert serve(SITE).get("/all").text == "ab2timeout"


def test_a_client_that_leaves_ends_its_task(serve):
    server = serve(SITE)
    with server.connect() as wire:
        wire.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_log("waiting")
        wire.reset()
    server.wait_log("cleaned up /wait")


def test_a_writer_ends_with_its_reader(serve):
    server = serve(SITE)
    with server.connect() as wire:
        wire.send(b"GET /pour HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"xxxx")
        wire.reset()
    server.wait_log("poured out")
    assert "traceback" not in server.log()


def test_a_site_can_stop_its_server(serve):
    server = serve(SITE)
    assert server.get("/stop").text == "stopping"
    assert server.wait() == 7
