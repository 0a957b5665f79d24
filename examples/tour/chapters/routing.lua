-- routing.lua - chapter: which function answers.

local pl = require "perilune"

-- example: patterns
pl.get("/routing/moons", function()
  return "all moons"
end)

pl.get("/routing/moons/new", function()
  return "a form for a new moon"
end)

pl.get("/routing/moons/:name", function(req)
  return "the moon " .. req.params.name
end)

pl.get("/routing/archive/*path", function(req)
  return "in the archive: " .. req.params.path
end)
-- end

-- example: methods
pl.get("/routing/flag", function()
  return "A flag stands here."
end)

pl.put("/routing/flag", function()
  return 204
end)

pl.route("PATCH DELETE", "/routing/flag", function(req)
  return 403, req.method .. "? It stays where it is."
end)
-- end

-- example: groups
pl.group("/routing/base", function()
  pl.get("/", function()
    return "the base"
  end)
  pl.group("/lab", function()
    pl.get("/samples", function()
      return "382 kg of rock"
    end)
  end)
end)
-- end

-- example: hosts
pl.host("far-side.example", function()
  pl.get("/routing/whoami", function()
    return "You are on the far side."
  end)
end)

pl.get("/routing/whoami", function(req)
  return "You came by the name " .. req.host .. "."
end)
-- end

return {
  title = "Routing",
  summary = "Host, then path, then method decide which function answers.",
  sections = {
    {
      title = "Patterns",
      text = [[
<p><code>:name</code> is one element of the path, <code>*rest</code> all that is
left. The most exact pattern wins; the order in the file does not matter. Two
equal ones are an error when the site is loaded.</p>]],
      example = "patterns",
      links = {
        "/routing/moons", "/routing/moons/new", "/routing/moons/Europa",
        "/routing/archive/1969/july/20",
      },
    },
    {
      title = "Methods",
      text = [[
<p>A path that is known, but not for this method, is 405 with an
<code>Allow</code> field; an unknown path is 404. <code>HEAD</code> comes with
<code>GET</code>, and <code>OPTIONS</code> answers by itself.</p>]],
      example = "methods",
      links = { "/routing/flag", "/routing/nowhere" },
      form = { action = "/routing/flag", button = "POST, please",
        fields = "" },
      shell = [[
$ curl -si -X POST @origin@/routing/flag
HTTP/1.1 405 Method Not Allowed
…
Allow: GET, HEAD, PUT, DELETE, OPTIONS, PATCH
…
$ curl -si -X OPTIONS @origin@/routing/flag
HTTP/1.1 204 No Content
…
Allow: GET, HEAD, PUT, DELETE, OPTIONS, PATCH
…
$ curl -sI @origin@/routing/flag
HTTP/1.1 200 OK
…
Content-Length: 19
…
$ curl -s -X DELETE @origin@/routing/flag
DELETE? It stays where it is.]],
    },
    {
      title = "Groups",
      text = [[
<p>A group gives its routes a common prefix, and filters of their own. Groups
may stand in groups.</p>]],
      example = "groups",
      links = { "/routing/base/", "/routing/base/lab/samples" },
    },
    {
      title = "Hosts",
      text = [[
<p>Routes in <code>pl.host</code> are for that name only;
<code>*.example</code> is for all names below one. What a host does not have
itself, the other routes answer.</p>]],
      example = "hosts",
      links = { "/routing/whoami" },
      shell = [[
$ curl -s @origin@/routing/whoami -H 'Host: far-side.example'
You are on the far side.
$ curl -s @origin@/routing/moons -H 'Host: far-side.example'
all moons]],
    },
  },
}
