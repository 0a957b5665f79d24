-- main.lua - a site with a module: its handler, and its method of requests.

local pl = require "perilune"

-- example: routes
pl.module("counter.so", { start = 100 })

pl.get("/", pl.handler "visit")
pl.get("/visits", function(req)
  return { visits = req:visits() }
end)
pl.post("/visits/:n", function(req)
  local visits, err = req:visits(tonumber(req.params.n) or -1)
  if not visits then
    return 400, tostring(err) .. "\n"
  end
  return { visits = visits }
end)
-- end
