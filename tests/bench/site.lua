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

-- A table of twelve rows, by a template and by a page.
FORTUNES = {}
for id, message in ipairs {
  [[fortune: No such file or directory]],
  [[A computer scientist is someone who fixes things that aren't broken.]],
  [[After enough decimal places, nobody gives a damn.]],
  [[A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1]],
  [[A computer program does what you tell it to do, not what you want.]],
  [[Emacs is a nice operating system, but I prefer UNIX.]],
  [[Any program that runs right is obsolete.]],
  [[A list is only as strong as its weakest link.]],
  [[Feature: A bug with seniority.]],
  [[Computers make very fast, very accurate mistakes.]],
  [[<script>alert("This should not be displayed");</script>]],
  [[Additional fortune added at request time.]],
} do
  FORTUNES[id] = { id = id, message = message }
end

local fortunes = "<!doctype html><title>Fortunes</title><table>"
  .. "<tr><th>id</th><th>message</th></tr>"
  .. "{{#rows}}<tr><td>{{id}}</td><td>{{message}}</td></tr>{{/rows}}</table>\n"

pl.get("/fortunes", function()
  return pl.mustache(fortunes, { rows = FORTUNES })
end)

pl.pages("/pages", { root = "pages" })

pl.post("/upload", function(req)
  local size = 0
  for piece in req:chunks() do
    size = size + #piece
  end
  return tostring(size)
end)

pl.static("/files", { root = "public" })

-- What perilune makes of a page by itself, and keeps; and does for each answer.
pl.static("/packed", {
  root = "packed", precompressed = false, compress = { encodings = "gzip" },
})
local folder = (...):match "^(.*)/" or "."
local file = assert(io.open(folder .. "/packed/page.html"))
local page = file:read "*a"
file:close()
pl.get("/gzip/page.html", { compress = { encodings = "gzip" } }, function()
  return page
end)
