-- hijack.lua - req:hijack(): the connection of a request, without HTTP. Loaded
-- when a site first uses it.

local core, pl, c = ...
local wait, take = c.wait, c.take
local failure, raise = core.failure, core.raise
assert(pl.connect) -- makes core.socket_of

local problems = {
  [core.STATE] = "the body must have been read, and nothing answered",
  [core.UNSUPPORTED] = "requests share this connection",
}

--- The raw connection: what has come behind the request is the first that is
--- read, and nothing has been answered. HTTP/1 only. After socket:handover()
--- of an older generation it gives the same connection, with socket.moved and
--- the plain data of socket.state.
function core.request_methods.hijack(req)
  local result = wait(req)
  local handle, moved, state
  if result == 0 then
    result, handle, moved, state = take(req)
  end
  if result == core.CANCELED then
    raise("req:hijack", result)
  elseif result < 0 then
    return nil, failure(result, "req:hijack", problems[result])
  end
  local socket = core.socket_of(handle)
  socket.request, socket.moved, socket.state = req, moved, state
  return socket
end
