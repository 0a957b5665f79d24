-- websocket.lua - what tests/bench/websocket.py asks of perilune Lua.
local pl = require "perilune"

pl.websocket("/echo", {
  message = function(ws, data, kind)
    ws:send(data, kind)
  end,
})

pl.websocket("/room", {
  open = function(ws)
    ws:subscribe "room"
  end,
  message = function(_, data)
    pl.publish("room", data)
  end,
})
