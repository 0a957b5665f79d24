-- site.lua - what is attacked. Time limits are short, so that an attack meets
-- them while it is looked at.
local pl = require "perilune"

pl.set {
  header_timeout = "1s", write_timeout = "1s", body_grace = "1s",
}

pl.get("/", function(req)
  return "hello over " .. req.version
end)

pl.get("/large", function()
  return ("x"):rep(100000)
end)

-- One string for all: Lua 5.4 would make each handler its own, and what counts
-- here is what the server holds, not the site.
local piece = ("y"):rep(16384)
pl.get("/stream", function(_, res)
  for _ = 1, 1000 do
    res:write(piece)
  end
end)

pl.get("/sleep", function()
  pl.sleep(1000)
end)

pl.post("/sum", { max_body = "64m" }, function(req)
  local size = 0
  for data in req:chunks() do
    size = size + #data
  end
  return size .. " bytes"
end)

pl.post("/unread", function()
  pl.sleep(1000)
end)

pl.websocket("/echo", {
  message = function(ws, data, kind)
    ws:send(data, kind)
  end,
  compress = true,
})

-- Everybody in the room is told much, a hundred times a second.
local telling = false
local news = ("x"):rep(16384)

pl.websocket("/room", {
  open = function(ws)
    ws:subscribe "room"
    if not telling then
      telling = true
      pl.spawn(function()
        while true do
          pl.publish("room", news)
          pl.sleep(0.01)
        end
      end)
    end
  end,
})
