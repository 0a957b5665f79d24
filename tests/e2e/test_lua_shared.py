"""What workers share: dictionaries, topics, messages, timers of the process."""

import re
from concurrent.futures import ThreadPoolExecutor
from signal import SIGINT

WORKERS = 4
COUNTER = """
local pl = require "perilune"
local shared = pl.shared("site", { max = "1m" })
pl.get("/incr", function()
  for _ = 1, 100 do shared:incr("n", 1, 0) end
  return { n = shared:get "n", worker = pl.workers.id }
end)
pl.get("/update", function()
  shared:update("list", function(list)
    list = list or {}
    list[#list + 1] = pl.workers.id
    return list
  end)
  return #shared:get "list"
end)
pl.get("/list", function() return { n = #shared:get "list" } end)
pl.get("/once", function()
  return { first = shared:add("once", true) or false }
end)
pl.get("/keys", function() return shared:keys() end)
"""


def ask_all(server, target: str, times: int) -> list:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: server.get(target), range(times))
        return list(answers)


def test_workers_count_together(serve):
    server = serve(COUNTER, workers=WORKERS)
    answers = [a.json() for a in ask_all(server, "/incr", 200)]
    assert max(a["n"] for a in answers) == 200 * 100
    assert len({a["worker"] for a in answers}) > 1, "several workers"


def test_updates_are_not_lost(serve):
    server = serve(COUNTER, workers=WORKERS)
    ask_all(server, "/update", 100)
    assert server.get("/list").json()["n"] == 100


def test_one_of_all_adds(serve):
    server = serve(COUNTER, workers=WORKERS)
    answers = ask_all(server, "/once", 50)
    assert sum(a.json()["first"] for a in answers) == 1


# ---- topics ----------------------------------------------------------------

EVENTS = """
local pl = require "perilune"
pl.subscribe("log", function(value, topic)
  pl.log("worker", pl.workers.id, "heard", value, "of", topic)
end)
pl.get("/events", function(_, res)
  res:header("content-type", "text/event-stream")
  local events = pl.subscribe("events")
  res:write("data: worker " .. pl.workers.id .. "\\n\\n")
  res:flush()
  while true do
    local event, err = events:receive(30)
    if not event then return end
    res:write("data: " .. event.n .. "\\n\\n")
    res:flush()
  end
end)
pl.get("/publish", function(req)
  return { receivers = pl.publish("events", { n = req.args.n }) }
end)
pl.get("/log", function(req)
  return { receivers = pl.publish("log", req.args.what) }
end)
pl.get("/slow", function()
  local sub = pl.subscribe("slow", { queue = 2, full = "close" })
  for i = 1, 4 do pl.publish("slow", i) end
  pl.sleep(0.01)
  local a, b = sub:receive(), sub:receive()
  local none, err = sub:receive()
  return { a, b, err.code, sub:dropped() }
end)
"""


def listen(server):
    wire = server.connect()
    wire.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    return wire, wire.read_until(b"data: worker")


def test_events_reach_all_streams_in_order(serve):
    server = serve(EVENTS, workers=WORKERS)
    wires = [listen(server)[0] for _ in range(12)]
    for n in range(20):
        answer = server.get(f"/publish?n={n}").json()
        assert answer["receivers"] == len(wires)
    for wire in wires:
        text = wire.read_until(b"data: 19\n").decode()
        assert re.findall(r"data: (\d+)", text) == [str(n) for n in range(20)]
        wire.reset()


def test_who_leaves_is_no_receiver(serve):
    server = serve(EVENTS, workers=WORKERS)
    wires = [listen(server)[0] for _ in range(6)]
    for wire in wires[:3]:
        wire.reset()
    while server.get("/publish?n=1").json()["receivers"] > 3:
        pass
    for wire in wires[3:]:
        wire.read_until(b"data: 1\n")
        wire.reset()
    while server.get("/publish?n=2").json()["receivers"] > 0:
        pass
    assert "traceback" not in server.log()


def test_a_site_subscribes_in_each_worker(serve):
    server = serve(EVENTS, workers=WORKERS)
    assert server.get("/log?what=hello").json()["receivers"] == WORKERS
    for worker in range(WORKERS):
        server.wait_log(f"worker {worker} heard hello of log")


def test_a_subscription_that_is_too_slow_is_closed(serve):
    server = serve(EVENTS, workers=WORKERS)
    assert server.get("/slow").json() == [1, 2, "closed", 1]


def test_a_stop_ends_streams_and_what_is_under_way(serve):
    server = serve(EVENTS, workers=WORKERS)
    wires = [listen(server)[0] for _ in range(8)]
    for n in range(50):
        server.get(f"/publish?n={n}")
    server.send_signal(SIGINT)
    assert server.wait() == 0
    for wire in wires:
        wire.close()


# ---- messages --------------------------------------------------------------

MESSAGES = """
local pl = require "perilune"
local heard = {}
pl.on("message", function(value, from)
  local before = heard[from] or 0
  if value.n ~= before + 1 then pl.log.error("out of order") end
  heard[from] = value.n
  if value.n == 500 then
    pl.log("worker", pl.workers.id, "heard all of", from)
  end
end)
pl.on("start", function()
  for n = 1, 500 do
    local ok, err = pl.workers.send("all", { n = n })
    while not ok and err.code == "limit" do
      pl.sleep(0.001)
      ok, err = pl.workers.send("all", { n = n })
    end
  end
end)
pl.get("/bad", function()
  return { tostring(select(2, pcall(pl.workers.send, 4, 1))) }
end)
"""


def test_messages_arrive_in_order_and_none_is_lost(serve):
    server = serve(MESSAGES, workers=WORKERS)
    for to in range(WORKERS):
        for sender in range(WORKERS):
            server.wait_log(f"worker {to} heard all of {sender}")
    assert "out of order" not in server.log()
    assert "from 0 to 3" in server.get("/bad").json()[0]


# ---- timers ----------------------------------------------------------------

TIMERS = """
local pl = require "perilune"
local shared = pl.shared "timers"
local inside = 0
pl.every(0.002, function()
  shared:incr("once", 1, 0)
  shared:set("by " .. pl.workers.id, true)
  if shared:incr("inside", 1, 0) > 1 then pl.log.error "it overlaps" end
  pl.sleep(0.003)
  shared:incr("inside", -1)
end)
pl.every(0.002, function()
  shared:set("each " .. pl.workers.id, true)
end, { each_worker = true })
pl.get("/", function() return shared:keys() end)
pl.get("/once", function() return { n = shared:get "once" or 0 } end)
"""


def test_a_timer_runs_on_one_worker(serve):
    server = serve(TIMERS, workers=WORKERS)
    while server.get("/once").json()["n"] < 20:
        pass
    while sum(k.startswith("each") for k in server.get("/").json()) < WORKERS:
        pass
    keys = server.get("/").json()
    assert sum(key.startswith("by ") for key in keys) == 1
    assert "it overlaps" not in server.log()


# ---- scripts ---------------------------------------------------------------


SCRIPT = """
local pl = require "perilune"
local shared = pl.shared "x"
shared:set("a", { 1, 2 })
local sub = pl.subscribe "t"
pl.publish("t", shared:get "a")
print(#sub:receive(), pl.workers.count)
"""


def test_a_script_shares_with_itself(command):
    done = command("run", "script.lua", files={"script.lua": SCRIPT})
    assert done.stdout == "2\t1\n", done.stderr
