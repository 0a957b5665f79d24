-- site.lua - what the benchmark asks perilune for.
local pl = require "perilune"

pl.get("/", function()
  return "Hello, World!"
end)

pl.get("/echo", function(req)
  return "Hello, " .. req.args.name .. "!"
end)

pl.get("/park", function(req) -- so many more that wait
  for _ = 1, tonumber(req.args.n) do
    pl.spawn(function()
      pl.sleep(3600)
    end)
  end
  return "parked"
end)

pl.get("/json", function()
  return { message = "Hello, World!" }
end)

pl.post("/upload", function(req)
  local size = 0
  for piece in req:chunks() do
    size = size + #piece
  end
  return tostring(size)
end)

pl.static("/files", { root = "public" })
