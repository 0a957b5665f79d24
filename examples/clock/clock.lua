-- clock.lua - clocks as pictures that never end: each is a GIF whose next frame
-- comes when it is time for it. A frame is drawn once, by one worker, and goes
-- to all who look, in all workers, through a topic. The file gives a function
-- that adds the routes below a prefix: main.lua calls it, and so does the tour.

local pl = require "perilune"

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""

local function part(name, ...)
  return assert(loadfile(here .. "lib/" .. name .. ".lua"))(...)
end

local faces = part("faces", part "canvas", part "gif", part "segments")

local HOUR = tonumber(pl.env("CLOCK_SECONDS", "3600")) -- a stream's life
local watching = pl.shared "watching"

local function add_stream(prefix, name, face)
  pl.get(prefix .. name .. ".gif", function(_, res)
    local frames = pl.subscribe("frames." .. name, { queue = 8 })
    local over = pl.now() + HOUR
    watching:incr(name, 1, 0)
    pl.defer(function()
      watching:incr(name, -1)
    end)
    res:header("content-type", "image/gif")
    res:header("cache-control", "no-store, no-transform")
    res:write(face.head)
    res:flush()
    while pl.now() < over do
      local frame = frames:receive(over - pl.now())
      if not frame then
        break -- it is time, or the server stops
      elseif not res:write(frame) then
        return
      end
      res:flush()
    end
    res:write(";") -- the end of a GIF: the page asks for a new one
  end)

  -- Once per process, and only while somebody looks.
  pl.every(face.period, function()
    if (watching:get(name) or 0) > 0 then
      pl.publish("frames." .. name, face.next(pl.time.now()))
    end
  end, { name = "clock." .. name })
end

local page = [[<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="%d">
<title>Clocks</title>
<style>
body { background: #22262b; display: grid; gap: 2em; justify-items: center }
img { image-rendering: pixelated; max-width: 100%%; height: auto }
</style>
%s
</html>
]]

return function(prefix)
  local pictures = {}
  for _, name in ipairs { "clock", "dali", "blocks" } do
    local face = faces[name]
    add_stream(prefix, name, face)
    pictures[#pictures + 1] = ('<img src="%s%s.gif" width="%d" height="%d" '
      .. 'alt="The time, as %s">'):format(prefix, name, face.width,
      face.height, name)
  end
  pl.get(prefix, function()
    return page:format(HOUR, table.concat(pictures, "\n"))
  end)
end
