"""Budgets of requests: time, CPU, memory of Lua; what the access log says."""

import re

import pytest

from harness.server import program

SITE = """
local pl = require "perilune"
pl.set { access_log = "-" }
local function spin() while true do end end
local function budget(name, value) return { budget = { [name] = value } } end
pl.get("/hello", function() return "hello" end)
pl.get("/slow", budget("wall", "30ms"), function() pl.sleep(60) return "no" end)
pl.get("/swallow", budget("wall", 0.03), function()
  for _ = 1, 5 do pcall(pl.sleep, 60) end
  error("still here")
end)
pl.get("/child", budget("wall", "30ms"), function()
  pl.all { function() pl.sleep(60) end, function() pl.sleep(60) end }
end)
pl.get("/stream", budget("wall", "50ms"), function(_, res)
  res:write("begun") pl.sleep(60)
end)
pl.get("/spin", budget("wall", "30ms"), function() spin() end)
pl.get("/cpu", budget("cpu", "30ms"), function() pl.sleep(0.001) spin() end)
pl.get("/waits", budget("cpu", "10s"), function()
  pl.sleep(0.05)
  return "ok"
end)
pl.get("/steps", budget("cpu", "20ms"), function()
  while true do
    for i = 1, 1e5 do math.sin(i) end
    pl.sleep(0)
  end
end)
pl.get("/late", budget("wall", "20ms"), function()
  local t = {}
  for i = 1, 2e7 do t[i % 100 + 1] = i * 2 end
  pl.sleep(60)
end)
pl.get("/hoard", budget("memory", "4m"), function()
  local all = {}
  while true do all[#all + 1] = ("x"):rep(1000) .. #all end
end)
pl.get("/one", budget("memory", "1m"), function()
  return #("x"):rep(2 ^ 22)
end)
pl.get("/caught", budget("memory", "1m"), function()
  while true do pcall(function() local s = ("x"):rep(2 ^ 22) end) end
end)
pl.get("/churn", budget("memory", "4m"), function()
  local s
  for i = 1, 60000 do s = ("x"):rep(1000) .. i end
  return "kept " .. #s
end)
pl.get("/held", budget("memory", "100m"), function()
  local s = ("x"):rep(2 ^ 20)
  for i = 1, 1e5 do math.sin(i) end
  return #s .. ""
end)
pl.group("/in", { budget = { wall = "30ms" } }, function()
  pl.get("/herits", function() pl.sleep(60) end)
  pl.get("/own", { budget = { wall = false } }, function()
    pl.sleep(0.06) return "own"
  end)
end)
"""
TSAN = b"__tsan_init" in program().read_bytes()
in_lua = pytest.mark.skipif(TSAN, reason="TSan defers signals")
WALL = r"it took more than its [\d.]+ s"
CPU = r"it used more than its [\d.]+ s of CPU"
MEMORY = r"it held more than its \d+ MiB of Lua's memory"


def check(server, target, why):
    """Answered with 503, and the log says why, once; others are served."""
    assert server.get(target).status == 503
    server.wait_log(rf"error \S+ GET {target} .*{why}")
    assert server.get("/hello").text == "hello"
    assert len(re.findall(why, server.log())) == 1


@pytest.mark.parametrize("target", ["/slow", "/child", "/in/herits"])
def test_who_waits_too_long_is_ended(serve, target):
    check(serve(SITE, workers=1), target, WALL)


def test_swallowing_does_not_help(serve):
    server = serve(SITE, workers=1)
    assert server.get("/swallow").status == 500
    server.wait_log("still here")


def test_a_stream_is_cut(serve):
    server = serve(SITE)
    with server.connect() as wire:
        wire.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        text = wire.read_to_end()
    assert b"begun" in text and not text.endswith(b"0\r\n\r\n")
    server.wait_log(WALL)


@in_lua
@pytest.mark.parametrize("target, why", [("/spin", WALL), ("/cpu", CPU)])
def test_who_computes_too_long_is_aborted(serve, target, why):
    check(serve(SITE, workers=1), target, r"aborted: " + why)


def test_runs_are_added_up(serve):
    check(serve(SITE, workers=1), "/steps", CPU)


def test_bug_an_answer_that_comes_late(serve):
    """For TSan: the worker's thread reads what the watchdog's has asked."""
    check(serve(SITE, workers=1), "/late", WALL)


def test_waiting_is_no_cpu(serve):
    assert serve(SITE).get("/waits").text == "ok"


@pytest.mark.parametrize("target", ["/hoard", "/one", "/caught"])
def test_memory(serve, target):
    check(serve(SITE, workers=1), target, MEMORY)


def test_garbage_is_not_held(serve):
    server = serve(SITE, workers=1)
    assert server.get("/churn").text == "kept 1005"


def test_a_route_may_leave_its_group(serve):
    assert serve(SITE).get("/in/own").text == "own"


def test_what_a_measured_request_took_is_logged(serve):
    server = serve(SITE, workers=1)
    server.get("/hello")
    server.get("/held")
    cpu, lua = server.wait_log(
        r'"GET /held HTTP/1.1" 200 .* [0-9a-f]{16} cpu=([\d.]+) lua=(\d+)$'
    )[0].groups()
    assert 0 < float(cpu) < 10
    assert 2**20 <= int(lua) < 2**22
    assert re.search(r'"GET /hello .* [0-9a-f]{16}$', server.log(), re.M)


def test_all_are_measured_when_asked_for(serve):
    server = serve(
        'local pl = require "perilune"\n'
        'pl.set { access_log = "-", access_usage = true }\n'
        'pl.get("/", function() return "hello" end)\n'
    )
    server.get("/")
    server.wait_log(r"cpu=0\.0\d+ lua=\d+$")


def test_a_budget_for_all(serve):
    server = serve(
        'local pl = require "perilune"\n'
        'pl.set { budget = { wall = "30ms" } }\n'
        'pl.get("/", function() pl.sleep(60) end)\n'
    )
    assert server.get("/").status == 503


@pytest.mark.parametrize(
    "options, why",
    [
        ('{ budget = "1s" }', "option 'budget' must be a table like"),
        ("{ budget = { wal = 1 } }", "option 'budget' must be a table like"),
        ('{ budget = { wall = "soon" } }', "budget: 'soon' is no"),
    ],
)
def test_faults_are_said(command, options, why):
    site = (
        'local pl = require "perilune"\n'
        f'pl.get("/", {options}, function() end)\n'
    )
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode == 3
    assert why in done.stderr and "site.lua:2" in done.stderr


def test_the_duration_is_from_the_requests_own_beginning(serve):
    """A request behind one that held the worker was waiting that long, one that
    comes later was not."""
    server = serve(
        """
local pl = require "perilune"
pl.set { access_log = "-" }
pl.get("/hold", function()
  local b = os.clock()
  repeat until os.clock() - b > 0.2
  return "held"
end)
pl.get("/hello", function() return "hello" end)
""",
        workers=1,
    )
    with server.connect() as wire:
        assert wire.get("/hold").text == "held"
        assert wire.get("/hello").text == "hello"
    held, hello = (
        float(server.wait_log(rf'"GET {t} .* (\d+\.\d{{6}}) [0-9a-f]+$')[0][1])
        for t in ("/hold", "/hello")
    )
    assert held >= 0.2 and hello < held
