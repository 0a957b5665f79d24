-- site.lua - what the conformance cases talk to.
local pl = require "perilune"

local function echo(ws, data, kind)
  ws:send(data, kind)
end

pl.websocket("/echo", { message = echo })
pl.websocket("/packed", { message = echo, compress = true })
pl.websocket("/context", { message = echo, compress = "context" })
pl.websocket("/always", { message = echo, compress = true, compress_min = 0 })
pl.websocket("/large", {
  message = echo, compress = "context", window_bits = 15, compress_min = 0,
})

pl.get("/straight", function(req)
  local ws = req:websocket()
  for data, kind in ws:messages() do
    ws:send(data, kind)
  end
end)
