-- errors.lua - chapter: when something goes wrong.

local pl = require "perilune"

-- example: raise
local function land(height)
  if height < 0 then
    error "height below zero"
  end
  return "landed"
end

pl.get("/errors/land", function(req)
  local answer = land(tonumber(req.args.height))
  return answer
end)
-- end

-- example: expected
pl.get("/errors/rover/:id", function(req)
  if req.params.id ~= "1" then
    return 404, { error = "no such rover" }
  end
  return { rover = 1, wheels = 4 }
end)

pl.get("/errors/closed", function()
  return 503
end)
-- end

-- example: caught
pl.get("/errors/caught", function()
  local ok, err = pcall(function()
    pl.sleep(0.1)
    land(-1)
  end)
  return ok and "fine" or "caught: " .. err
end)
-- end

return {
  title = "Errors",
  summary = "An error in a handler is a 500 for one client, a traceback in the "
    .. "log, and nothing else.",
  sections = {
    {
      title = "A fault in a handler",
      text = [[
<p>The client learns nothing of the inside. The log has the message, the
traceback and the id of the request, which the access log has as well. The
worker goes on; connection and other requests are not touched.</p>]],
      example = "raise",
      links = { "/errors/land?height=12", "/errors/land?height=-1" },
      page = true,
      shell = [[
$ curl -si '@origin@/errors/land?height=-1'
HTTP/1.1 500 Internal Server Error
…]],
      log = [[
… error lua: GET /errors/land request=…: …/errors.lua:8: height below zero
    stack traceback:
        [C]: in function 'error'
        …/errors.lua:8: in … 'land'
        …/errors.lua:14: in …
        …]],
    },
    {
      title = "What is to be expected",
      text = [[
<p>What is no fault is simply an answer. A status from 400 on without a body
gets a short text.</p>]],
      example = "expected",
      links = { "/errors/rover/1", "/errors/rover/2", "/errors/closed" },
    },
    {
      title = "Catching",
      text = [[
<p><code>pcall</code> works as in any Lua program, also around what
waits.</p>]],
      example = "caught",
      links = { "/errors/caught" },
    },
    {
      title = "Pages of your own",
      text = [[
<p>A Mustache template makes the page that browsers are shown for an error.
Programs still get a line of text.</p>]],
      file = "main.lua", example = "errors",
      links = { "/nowhere/at/all" }, page = true,
    },
    {
      title = "While you develop",
      text = [[
<p>With <code>--dev</code> the browser shows message, traceback, the lines of
source and the request: to this machine only, and with secrets masked. Start the
tour by <code>perilune examples/tour --dev</code> and fail once more.</p>]],
    },
    {
      title = "What never reaches a handler",
      text = [[
<p>What two programs could read differently is refused, so that nothing can be
smuggled past a proxy: 400, and the connection is closed.</p>
<table>
<caption>Answers that perilune gives by itself</caption>
<thead><tr><th scope="col">Status</th><th scope="col">When</th></tr></thead>
<tbody>
<tr><td>400</td><td>malformed or ambiguous request, bad
percent-encoding</td></tr>
<tr><td>404, 405</td><td>no such path; not with this method</td></tr>
<tr><td>408</td><td>head or body comes too slowly</td></tr>
<tr><td>413, 414, 431</td><td>body, request line, header fields too
large</td></tr>
<tr><td>500</td><td>the handler has failed</td></tr>
<tr><td>501, 505</td><td>method or HTTP version unknown</td></tr>
<tr><td>503</td><td>no memory for this request</td></tr>
</tbody>
</table>]],
      shell = [[
$ curl -si @origin@/errors/%zz
HTTP/1.1 400 Bad Request
…
$ curl -si @origin@/ -H 'Content-Length: 1' -H 'Transfer-Encoding: chunked'
HTTP/1.1 400 Bad Request
…
$ curl -si -X BREW @origin@/
HTTP/1.1 501 Not Implemented
…]],
    },
  },
}
