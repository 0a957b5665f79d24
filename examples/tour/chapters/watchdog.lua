-- watchdog.lua - chapter: handlers that hold a worker.

local pl = require "perilune"

-- example: limits
pl.set { watchdog = { warn = "0.25s", abort = "1s" } }
-- end

-- example: loop
local function orbit()
  local turns = 0
  while true do -- and never lands
    turns = turns + 1
  end
end

pl.get("/watchdog/loop", function()
  pcall(orbit)
  return "not reached"
end)
-- end

-- example: budgets
local budget = { wall = "0.2s", memory = "8m" }

pl.get("/watchdog/slow", { budget = budget }, function()
  pl.sleep(60)
end)

pl.get("/watchdog/greedy", { budget = budget }, function()
  local kept = {}
  for i = 1, math.huge do
    kept[i] = { "a table more" }
  end
end)
-- end

-- example: turns
pl.get("/watchdog/turns", function()
  local stats = pl.watchdog.stats()
  return {
    turns = stats.turns,
    longest_ms = math.floor(stats.longest * 1000),
    aborted = stats.aborted,
  }
end)
-- end

return {
  title = "The watchdog",
  summary = "A handler that computes for ever is named while it does, and "
    .. "aborted; a request may have a budget.",
  sections = {
    {
      title = "A loop without an end",
      text = [[
<p>What waits makes room for others; what computes does not. A thread of its own
sees that a worker has stopped turning. It says in the log which line of which
function holds it, and after a while ends it: the client gets a 500, everybody
else who waited for this worker their answer. <code>pcall</code> does not catch
that, and compiled loops are reached as well.</p>]],
      example = "loop",
      links = { "/watchdog/loop" }, watch = true, page = true,
      log = [[
… worker … has been held for … s by GET /watchdog/loop … in Lua: …watchdog.lua:…
… error lua: GET /watchdog/loop request=…: …: aborted: it ran for … s without …
    …]],
    },
    {
      title = "The limits",
      text = [[
<p>This tour has little patience. Without a setting it is five seconds until the
first line in the log, and thirty until the end. A loop inside of a C function
is named, by its function, but cannot be ended.</p>]],
      example = "limits",
    },
    {
      title = "A budget for a request",
      text = [[
<p>What one request may take can be said for a route, a group or all: time, CPU,
memory of Lua. Who wants more is answered with 503, and the log says which limit
it was. What waits is cancelled, what computes is aborted.</p>]],
      example = "budgets",
      links = { "/watchdog/slow", "/watchdog/greedy" }, page = true,
      shell = [[
$ curl -si @origin@/watchdog/slow
HTTP/1.1 503 Service Unavailable
…]],
    },
    {
      title = "How long others wait",
      text = [[
<p>Each worker counts how long the turns of its loop are: the time for which
nobody else is served.</p>]],
      example = "turns",
      links = { "/watchdog/turns" },
    },
  },
}
