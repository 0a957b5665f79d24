-- schedule.lua - chapter: what happens by itself.

local pl = require "perilune"

-- example: every
local process = 0
pl.every(1, function()
  process = process + 1
end)

local mine = 0
pl.every(1, function()
  mine = mine + 1
end, { each_worker = true, name = "each second" })

pl.get("/schedule/count", function()
  return {
    worker = pl.workers.id, workers = pl.workers.count,
    process = process, mine = mine,
  }
end)
-- end

-- example: on
local started = "not yet"

pl.on("start", function()
  started = os.date("!%Y-%m-%d %H:%M:%S", pl.time())
end)

pl.on("stop", function()
  pl.log.info("worker says goodbye", { worker = pl.workers.id })
end)

pl.get("/schedule/started", function()
  return ("worker %d started at %s UTC")
    :format(pl.workers.id, started)
end)
-- end

-- example: stopping
pl.get("/schedule/ticks", function(_, res)
  repeat
    res:write("tick\n")
  until pl.stopping(1)
  res:write("the server stops\n")
end)
-- end

return {
  title = "Scheduled work",
  summary = "Functions that run every so often, when the site starts and when "
    .. "it stops.",
  sections = {
    {
      title = "Every second",
      text = [[
<p><code>pl.every</code> calls a function again and again: once for the whole
process, or on each worker. A call never overlaps the one before it, and the
moments do not drift.</p>
<p>Each worker has a Lua state of its own, and their variables are not shared.
The first function runs on one of them, so <code>process</code> stays 0 on all
others. A connection stays with its worker, and so does your browser; new
connections, as curl makes them, come to any. <a href="/shared">What they
share</a> is the next chapter.</p>]],
      example = "every",
      links = { "/schedule/count" },
      shell = [[
$ for i in 1 2 3; do curl -s @origin@/schedule/count -w '\n'; done
{…"worker":…}
{…"worker":…}
{…"worker":…}]],
    },
    {
      title = "Start and stop",
      text = [[
<p>A site file only records: nothing starts before every worker has loaded it
without an error. Then <code>"start"</code> functions run, and at the end
<code>"stop"</code> functions. Both may wait.</p>]],
      example = "on",
      links = { "/schedule/started" },
    },
    {
      title = "What has no end",
      text = [[
<p>A stop lets requests finish. A stream that would go on for ever is to hear of
it: <code>pl.stopping(1)</code> is a <code>pl.sleep(1)</code> that the stop
ends, with true. Subscriptions of a handler give <code>nil</code> and an error
with the code <code>"stopping"</code>; streams of events and WebSockets are
ended for you.</p>]],
      example = "stopping",
      shell = [[
$ curl -sN @origin@/schedule/ticks | head -n 2
tick
tick]],
    },
  },
}
