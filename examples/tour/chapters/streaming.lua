-- streaming.lua - chapter: answers in pieces.

local pl = require "perilune"

-- example: countdown
pl.get("/streaming/countdown", function(req, res)
  res:header("content-type", "text/html; charset=utf-8")
  res:write("<!doctype html><title>Countdown</title><p>")
  for i = 5, 1, -1 do
    res:write(i, " … ")
    pl.sleep(0.4)
  end
  res:write("lift-off!</p>")
end)
-- end

-- example: events
pl.get("/streaming/events", function(req, res)
  local events = res:events()
  for altitude = 300, 0, -100 do
    events:send(altitude, { event = "altitude", id = altitude })
    pl.sleep(0.2)
  end
end)
-- end

-- example: rows
pl.get("/streaming/rows", function(req, res)
  res:header("content-type", "text/csv; charset=utf-8")
  for degree = 0, 99999 do
    local angle = math.rad(degree % 360)
    local x, y = math.cos(angle), math.sin(angle)
    local ok, err = res:write(degree, ",", x, ",", y, "\n")
    if not ok then
      pl.log.info("the client has left", { why = err.code })
      break
    end
  end
end)
-- end

-- The clocks are a site of their own: examples/clock.
local here = debug.getinfo(1, "S").source:match("^@(.-)chapters/[^/]*$")
dofile(here .. "../clock/clock.lua")("/clock/")

return {
  title = "Streaming answers",
  summary = "res:write() sends a piece of the body at once.",
  sections = {
    {
      title = "As it happens",
      text = [[
<p>The first <code>res:write</code> sends the head. To HTTP/2 the body goes in
frames, to HTTP/1.1 in chunks, to HTTP/1.0 up to the end of the connection; the
handler need not know.</p>]],
      example = "countdown",
      links = { "/streaming/countdown" },
      watch = true,
    },
    {
      title = "Server-sent events",
      text = [[
<p>A stream of events is nothing but text of a certain form, for which browsers
have a listener (<code>EventSource</code>). It comes again by itself when it is
cut off, and says which event it has seen last. This page has no script, so
watch them with curl. <code>examples/livelog</code> is a site that shows the end
of a log file so, as it grows, by way of a channel that remembers the last
lines.</p>]],
      example = "events",
      shell = [[
$ curl -sN @origin@/streaming/events | grep -v "^:"

id: 300
event: altitude
data: 300

id: 200
event: altitude
data: 200

id: 100
event: altitude
data: 100

id: 0
event: altitude
data: 0
]],
    },
    {
      title = "As fast as the client reads",
      text = [[
<p>When the client reads slowly, <code>res:write</code> waits: a hundred
thousand lines never pile up in the server's memory. When it has left,
<code>res:write</code> returns <code>nil, err</code>.</p>]],
      example = "rows",
      shell = [[
$ curl -s @origin@/streaming/rows | wc -l
100000]],
      downloads = { "/streaming/rows" },
    },
    {
      title = "Pictures without end",
      text = [[
<p>Three clocks, and no script in the browser: each is a GIF whose next frame is
written when it is time for it. A frame is drawn once, by one worker, and goes
to all who look through a topic; after an hour the stream ends, and the page
loads itself anew. The source is in <code>examples/clock</code>.</p>]],
      links = { "/clock/" }, watch = true, page = true,
    },
  },
}
