-- headers.lua - chapter: header fields, caching, conditional answers.

local pl = require "perilune"

-- example: fields
pl.get("/headers/fields", function(req, res)
  res:header("content-type", "text/markdown; charset=utf-8")
  res:header("link", { "</tour.css>; rel=preload; as=style",
    "</>; rel=index" })
  res:status(203)
  return "# Hearsay\n"
end)
-- end

-- example: caching
pl.get("/headers/phase", { expires = "1h" }, function()
  return "waxing crescent"
end)

pl.get("/headers/map", {
  cache_control = "public, max-age=31536000, immutable",
}, function()
  return "a map that never changes"
end)
-- end

-- example: etag
pl.get("/headers/crew", function(req, res)
  res:header("etag", '"apollo-11"')
  return "Armstrong, Aldrin, Collins\n"
end)
-- end

-- example: redirect
pl.get("/headers/old", function(req, res)
  res:redirect("/headers/phase", 308)
end)
-- end

return {
  title = "Headers and caching",
  summary = "What a handler says about its answer, and what follows from it.",
  sections = {
    {
      title = "Fields and status",
      text = [[
<p><code>res:header(name, value)</code> sets a field, a list of values several
of that name. What frames the message (<code>Content-Length</code>,
<code>Transfer-Encoding</code>, <code>Connection</code>) is the server's; to set
it is an error, and so is a line break in a value.</p>]],
      example = "fields",
      shell = [[
$ curl -si @origin@/headers/fields
HTTP/1.1 203 …
…
Content-Type: text/markdown; charset=utf-8
…
link: </tour.css>; rel=preload; as=style
link: </>; rel=index
…
# Hearsay]],
    },
    {
      title = "How long it may be kept",
      text = [[
<p>Routes and folders take <code>expires</code> and <code>cache_control</code>.
<code>expires</code> sets both the date and <code>max-age</code>.</p>]],
      example = "caching",
      links = { "/headers/phase", "/headers/map" },
      shell = [[
$ curl -si @origin@/headers/phase
…
Cache-Control: max-age=3600
Expires: …
…
waxing crescent]],
    },
    {
      title = "Conditions and ranges, for free",
      text = [[
<p>A handler that knows its version says so in an <code>ETag</code>. The rest is
done once for all handlers: 304, 412, ranges.</p>]],
      example = "etag",
      links = { "/headers/crew" },
      shell = [[
$ curl -si @origin@/headers/crew -H 'If-None-Match: "apollo-11"'
HTTP/1.1 304 Not Modified
…
$ curl -s @origin@/headers/crew -r 0-8
Armstrong]],
    },
    {
      title = "Elsewhere",
      text = [[
<p><code>res:redirect(location, status)</code>; without a status it is
302.</p>]],
      example = "redirect",
      links = { "/headers/old" },
      shell = [[
$ curl -si @origin@/headers/old
HTTP/1.1 308 Permanent Redirect
…
Location: /headers/phase
…]],
    },
    {
      title = "For every answer",
      text = [[
<p><code>pl.set { headers = … }</code> gives fields to every answer that does
not say them itself. These are the tour's. They make the browser keep two
promises of these pages: no script runs, and nothing is loaded from anywhere
else.</p>]],
      file = "main.lua", example = "headers",
      shell = [[
$ curl -sI @origin@/hello/world
…
content-security-policy: …
…]],
    },
  },
}
