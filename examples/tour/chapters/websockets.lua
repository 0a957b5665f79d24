-- websockets.lua - chapter: connections over which both sides speak.

local pl = require "perilune"

-- example: echo
pl.websocket("/websockets/echo", {
  message = function(ws, data, kind)
    ws:send(data, kind)
  end,
})

pl.get("/websockets/countdown", function(req)
  local ws = req:websocket { max_message = "1k" }
  for n = tonumber(ws:receive(10)) or 3, 1, -1 do
    ws:send(tostring(n))
    pl.sleep(0.1)
  end
  ws:close(1000, "liftoff")
end)
-- end

-- example: topic
pl.websocket("/websockets/radio", {
  open = function(ws) ws:subscribe "radio" end,
  message = function(_, words) pl.publish("radio", words) end,
})
-- end

-- The chat is a site of its own: examples/chat.
local here = debug.getinfo(1, "S").source:match("^@(.-)chapters/[^/]*$")
dofile(here .. "../chat/chat.lua")("/chat", "../chat/public")

return {
  title = "WebSockets",
  summary = "Messages both ways, by callbacks or in straight lines, and to "
    .. "thousands at once.",
  sections = {
    {
      title = "Two ways to talk",
      text = [[
<p>A socket with callbacks costs 192 bytes and a table while nothing happens,
and each callback may wait. In a handler's straight lines one reads what
happens in which order. Without <code>Upgrade</code> the answer is 426.</p>]],
      example = "echo",
      links = { "/websockets/echo" },
      shell = [[
$ curl -s -o /dev/null -w '%{http_code}\n' @origin@/websockets/echo
426]],
    },
    {
      title = "To all at once",
      text = [[
<p>Sockets listen to topics, the same that <code>pl.subscribe</code> knows. What
any worker publishes is made a frame once for each worker, and sent to all of
its sockets; who does not read it holds nobody up.</p>]],
      example = "topic",
    },
    {
      title = "A chat",
      text = [[
<p>Rooms for any number of browsers and workers, in some 80 lines: a socket for
each browser, a topic for each room, the last words of a room in a dictionary.
Open it twice and talk to yourself. Its source is in
<code>examples/chat</code>.</p>]],
      page = true,
      links = { "/chat/" },
    },
  },
}
