-- sockets.lua - chapter: connections without HTTP.

local pl = require "perilune"

-- example: ask
-- What a server says first, if it says anything: most of mail and files do.
local function greeting(address)
  local socket, err = pl.connect(address, { timeout = "1s" })
  if not socket then
    return nil, err
  end
  return socket:read_line()
end

pl.get("/sockets/ask", function()
  local line, err = greeting("localhost:22")
  return line or "no: " .. tostring(err)
end)
-- end

-- example: ping
pl.get("/sockets/ping", function()
  local here = assert(pl.udp(nil, { bind = "127.0.0.1:0" }))
  local there = assert(pl.udp("127.0.0.1:" .. here.local_port))
  assert(there:send("Is anybody there?"))
  local data, address, port = here:receive_from()
  assert(here:send_to("Yes: I have heard " .. #data .. " bytes.", address,
    port))
  return (there:receive())
end)
-- end

-- example: hijack
pl.get("/sockets/raw", function(req)
  local socket = assert(req:hijack())
  socket:write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
    "Connection: close\r\n\r\nwritten by hand, to ", socket.remote, "\n")
end)
-- end

return {
  title = "Sockets",
  summary = "Connections and datagrams without HTTP, in straight lines: to "
    .. "other servers, from clients of one's own, by TCP, UDP, UNIX sockets "
    .. "and TLS.",
  sections = {
    {
      title = "To other servers",
      text = [[
<p><code>pl.connect</code> opens a connection, and reading is a plain call: the
next line, so many bytes, up to a delimiter, all there is. It is closed when the
handler ends, also when the client leaves before. <code>"tls://…"</code> is
encrypted, and the server must be who it says it is.</p>]],
      example = "ask",
      links = { "/sockets/ask" },
    },
    {
      title = "Datagrams",
      text = [[
<p><code>pl.udp</code> talks to one address or to anybody. Given a function
while the site is loaded, it is a server.</p>]],
      example = "ping",
      links = { "/sockets/ping" },
    },
    {
      title = "A request that leaves HTTP",
      text = [[
<p><code>req:hijack</code> takes the connection of an HTTP/1 request. Nothing
has been answered by then, and what the client says next is not a request any
more.</p>]],
      example = "hijack",
      links = { "/sockets/raw" },
    },
    {
      title = "Clients of one's own",
      text = [[
<p><code>pl.tcp</code> gives each connection to an address to a function, as a
task of its own. <code>examples/terminal-chat</code> is a chat for terminals
made of it, for all workers: <code>nc 127.0.0.1 7070</code>.</p>]],
    },
  },
}
