-- main.lua - a site behind a web server that speaks FastCGI to it:
-- perilune examples/fastcgi
--
-- It is a site like any other. Only its address says that those who come are
-- web servers.

local pl = require "perilune"

pl.listen {
  pl.env("FASTCGI", "unix:/run/perilune/site.sock"), protocol = "fastcgi",
}

pl.get("/", function(req)
  return ("<!doctype html><title>Behind a web server</title>"
    .. "<p>%s asks for %s://%s%s"):format(pl.escape.html(req.remote),
    req.scheme, pl.escape.html(req.host or ""), pl.escape.html(req.path))
end)

-- What the web server says of a request.
pl.get("/env/*name", function(req)
  return req.env[req.params.name] or 404
end)

pl.post("/echo", function(req, res)
  res:header("content-type", req:header "content-type")
  for piece in req:chunks() do
    res:write(piece)
  end
end)

pl.post("/size", function(req)
  local size = 0
  for piece in req:chunks() do
    size = size + #piece
  end
  return ("%d\n"):format(size)
end)

pl.get("/events", function(_, res)
  local events = res:events()
  for i = 1, 3 do
    events:send(("number %d"):format(i))
    pl.sleep(0.1)
  end
end)

pl.get("/login", function(_, res)
  res:cookie("user", "ada")
  res:cookie("theme", "dark")
  return res:redirect "/"
end)

-- Scripts that write CGI, as those of magnet.
pl.magnet("/scripts", { root = "scripts" })
