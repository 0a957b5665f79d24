-- rewrite.lua - chapter: other paths, other places.

local pl = require "perilune"

-- example: rule
pl.rewrite("^/rewrite/apollo(%d+)$", { to = "/rewrite/mission?number=%1" })

pl.get("/rewrite/mission", function(req)
  return "You asked for Apollo " .. req.args.number .. "."
end)
-- end

-- example: function
local seas = { tranquility = "8.5,31.4", serenity = "28.0,17.5" }

pl.rewrite("^/rewrite/sea/(%a+)$", function(req, captures)
  local place = seas[captures[1]:lower()]
  if place then
    return "/rewrite/map?at=" .. place
  end
end)

pl.get("/rewrite/map", function(req)
  return "The map at " .. req.args.at .. "."
end)
-- end

-- example: conditions
pl.rewrite("^/rewrite/sky$", { to = "/rewrite/night", when = {
  cookie = { eyes = "dark" },
} })
pl.rewrite("^/rewrite/sky$", { to = "/rewrite/day?hour=12", when = {
  method = "GET", has_query_string = false,
} })

pl.get("/rewrite/night", function() return "Stars." end)
pl.get("/rewrite/day", function(req)
  return "The Sun at " .. req.args.hour .. "."
end)
-- end

-- example: redirects
pl.redirect("/rewrite/luna", { to = "/rewrite/mission", query = true,
  status = 307 })
pl.response("/rewrite/airlock", { status = 423, body = "Closed.\n" })
-- end

return {
  title = "Other paths",
  summary = "A rule answers a request as if it had come for another path, or "
    .. "sends its client there.",
  sections = {
    {
      title = "A pattern and a path",
      text = [[
<p>Patterns are those of Lua; <code>%1</code> is what the first
<code>( )</code> has captured. Rules are asked before a request is routed, so
what answers, with its filters and limits, is the route of the new path.
Whatever a capture holds, it is encoded for the place where it stands. A pattern
that takes too long for a path is given up.</p>]],
      example = "rule",
      links = { "/rewrite/apollo11" },
      shell = [[
$ curl -s @origin@/rewrite/apollo17
You asked for Apollo 17.]],
    },
    {
      title = "A function that decides",
      text = [[
<p>It may wait, for a database say. Without a URL from it the next rule is
asked; here there is none, and no such route.</p>]],
      example = "function",
      links = { "/rewrite/sea/tranquility" },
      shell = [[
$ curl -s @origin@/rewrite/sea/Serenity
The map at 28.0,17.5.
$ curl -s @origin@/rewrite/sea/storms
404 Not Found]],
    },
    {
      title = "Conditions",
      text = [[
<p>Cookies, fields, forms, files, the environment, encodings, functions: all
that a rule names must hold.</p>]],
      example = "conditions",
      links = { "/rewrite/sky" },
      shell = [[
$ curl -s @origin@/rewrite/sky
The Sun at 12.
$ curl -s -b eyes=dark @origin@/rewrite/sky
Stars.]],
    },
    {
      title = "What has moved, what is closed",
      text = [[
<p><code>pl.redirect</code> sends away who asks for a prefix;
<code>pl.response</code> says the same to everybody.</p>]],
      example = "redirects",
      links = { "/rewrite/luna/landing?number=11" },
      shell = [[
$ curl -si "@origin@/rewrite/luna?number=8"
HTTP/1.1 307 Temporary Redirect
…
Location: /rewrite/mission?number=8
…
$ curl -s @origin@/rewrite/airlock
Closed.]],
    },
  },
}
