-- main.lua - a front with two servers behind it: perilune examples/proxy
--
-- All of it is one process, so that it can be tried at once; the servers behind
-- would be others' programs, on other machines.

local pl = require "perilune"

local folder = pl.env("PROXY_SOCKETS", ".")
local function socket(name)
  return ("unix:%s/%s.sock"):format(folder, name)
end

-- The servers: each listens on a socket of its own, and says who it is.
pl.listen { "127.0.0.1:" .. pl.env("PORT", "8080") }
pl.listen { socket "one", socket "two", mode = "600" }

pl.host("backend.internal", function()
  pl.get("/app/who", function(req)
    local name, asker = req.headers["x-server"], req.headers["x-forwarded-for"]
    return ("server %s answers %s\n"):format(name, asker)
  end)
  pl.get("/app/slow", function(_, res)
    for i = 1, 3 do
      res:write("piece ", i, "\n")
      pl.sleep(0.2)
    end
  end)
  pl.get("/app/away", function(_, res)
    return res:redirect "/app/who"
  end)
  pl.websocket("/app/echo", {
    message = function(ws, data, kind) ws:send(data, kind) end,
  })
  pl.get("/health", function() return "well" end)
end)

-- The front.
pl.get("/", function()
  return "<!doctype html><title>A front</title>"
    .. "<p><a href=/who>Who answers?</a> <a href=/slow>In pieces</a> "
    .. "<a href=/away>Elsewhere</a>"
end)
pl.proxy("/", {
  to = { socket "one", { url = socket "two", weight = 2 } },
  path = "/app",
  host = "backend.internal",
  request_headers = { ["X-Server"] = "behind" },
  check = { path = "/health", interval = "1s", host = "backend.internal" },
})
