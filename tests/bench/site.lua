-- site.lua - what the benchmark asks perilune for.
local pl = require "perilune"

pl.get("/", function()
  return "Hello, world!"
end)

pl.get("/echo", function(req)
  return "Hello, " .. req.args.name .. "!"
end)

pl.static("/files", { root = "public" })
