-- filters.lua - chapter: functions around handlers.

local pl = require "perilune"

-- example: timing
pl.group("/filters/timed", function()
  pl.use(function(req, res, next)
    local began = pl.now()
    next()
    local ms = (pl.now() - began) * 1000
    res:header("server-timing", ("handler;dur=%.1f"):format(ms))
  end)

  pl.get("/nap", function()
    pl.sleep(0.1)
    return "rested"
  end)
end)
-- end

-- example: door
pl.group("/filters/airlock", function()
  pl.use(function(req, res, next)
    local form = req:form() or {}
    if form.word ~= "perilune" then
      return 403, "The airlock stays closed."
    end
    req.guest = form.name
    next()
  end)

  pl.post("/", function(req)
    return "Welcome aboard, " .. req.guest .. "."
  end)
end)
-- end

-- example: order
pl.group("/filters/order", function()
  for _, name in ipairs { "outer", "inner" } do
    pl.use(function(req, res, next)
      res:add_header("x-way", name .. " in")
      next()
      res:add_header("x-way", name .. " out")
    end)
  end

  pl.get("/", function(req, res)
    res:add_header("x-way", "handler")
    return "Look at the header fields named x-way."
  end)
end)
-- end

-- example: limit
pl.get("/filters/airlock/bell", {
  limit = { rate = "2/m", key = "header:x-visitor" },
}, function()
  return "Ding."
end)
-- end

return {
  title = "Filters",
  summary = "A filter runs around the handlers of its group: before them, "
    .. "after them, or instead.",
  sections = {
    {
      title = "Around a handler",
      text = [[
<p><code>next()</code> runs the rest of the chain and returns when the answer
has been built, before it is sent: header fields may still be added. Here the
time taken; the network panel of your browser shows it.</p>]],
      example = "timing",
      links = { "/filters/timed/nap" },
      shell = [[
$ curl -si @origin@/filters/timed/nap
HTTP/1.1 200 OK
…
server-timing: handler;dur=…
…
rested]],
    },
    {
      title = "Instead of a handler",
      text = [[
<p>A filter that does not call <code>next()</code> answers itself. It may wait,
as this one does for the body of the form. What it puts into <code>req</code>,
the handler finds there.</p>]],
      example = "door",
      form = {
        action = "/filters/airlock/", button = "Knock",
        fields = [[
<label>Name <input name="name" value="Sally" required></label>
<label>Password (it is <i>perilune</i>)
<input name="word" type="password" autocomplete="off"></label>]],
      },
      shell = [[
$ curl -s @origin@/filters/airlock/ -d name=Sally -d word=perilune
Welcome aboard, Sally.
$ curl -si @origin@/filters/airlock/ -d name=Sally -d word=please
HTTP/1.1 403 Forbidden
…
The airlock stays closed.]],
    },
    {
      title = "How much",
      text = [[
<p>Some filters are there already, by a name among the options of routes, groups
and hosts. <code>limit</code> lets each client have so many requests in a time,
and so many at a time: by its address, or as here by what a field says. Who
comes too early is refused, or waits with <code>delay</code>.</p>]],
      example = "limit",
      links = { "/filters/airlock/bell" },
      shell = [[
$ curl -s -H 'X-Visitor: me' @origin@/filters/airlock/bell
Ding.
$ curl -s -H 'X-Visitor: me' @origin@/filters/airlock/bell
Ding.
$ curl -si -H 'X-Visitor: me' @origin@/filters/airlock/bell
HTTP/1.1 429 Too Many Requests
…
Retry-After: …
…]],
    },
    {
      title = "In which order",
      text = [[
<p>The filter that was added first is outermost. A filter is for the routes that
follow it in the same group or in groups inside.</p>]],
      example = "order",
      shell = [[
$ curl -si @origin@/filters/order/
…
x-way: outer in
x-way: inner in
x-way: handler
x-way: inner out
x-way: outer out
…]],
    },
  },
}
