-- hello.lua - chapter: a route, a function, an answer.

local pl = require "perilune"

-- example: hello
pl.get("/hello/world", function()
  return "Hello, world!"
end)
-- end

-- example: name
pl.get("/hello/:name", function(req)
  return "Hello, " .. req.params.name .. "!"
end)
-- end

-- example: page
pl.get("/hello/page", function()
  return "<!doctype html><title>A page</title><h1>A page</h1>"
end)

pl.get("/hello/table", function()
  return { moon = "Luna", distance_km = 384400 }
end)

pl.get("/hello/teapot", function()
  return 418, "I am a teapot.", { ["x-brew"] = "tea" }
end)
-- end

return {
  title = "Hello and parameters",
  summary = "A route is a path and a function. What the function returns is "
    .. "the answer.",
  sections = {
    {
      title = "The shortest answer",
      text = [[
<p>A string becomes the body of a <code>200 OK</code> answer. There is nothing
to register, to start or to close: the function is the handler.</p>]],
      example = "hello",
      links = { "/hello/world" },
    },
    {
      title = "A name in the path",
      text = [[
<p><code>:name</code> matches one element of the path. The value arrives
decoded in <code>req.params</code>. A fixed path like
<code>/hello/world</code> is preferred to a parameter.</p>]],
      example = "name",
      links = { "/hello/Neil", "/hello/Michael%20Collins" },
    },
    {
      title = "What a handler may return",
      text = [[
<p>A string that begins with <code>&lt;</code> is sent as HTML, any other as
plain text. A table is sent as JSON. A number in front is the status, a table
behind holds header fields. Nothing at all is an empty answer.</p>]],
      example = "page",
      links = { "/hello/page", "/hello/table", "/hello/teapot" },
      shell = [[
$ curl -si @origin@/hello/teapot
HTTP/1.1 418 …
…
x-brew: tea
…
I am a teapot.]],
    },
  },
}
