-- websocket.lua - pl.websocket(path, callbacks): functions that are called for
-- what happens to sockets.

local core, pl = ...
core.load_part "ws"
local new, read_options, c =
  core.websocket, core.read_websocket_options, core.websocket_natives
local serve, take, closed, release = c.serve, c.take, c.closed, c.release
local check_loading, check_string, fail =
  core.check_loading, core.check_string, core.fail
local pairs, type = pairs, type

-- All of these are taken out before the others are checked.
local known = { open = "text", message = "text", close = "text",
  moved = "text" }
for name, kind in pairs(core.websocket_options) do
  known[name] = kind
end

-- The task of a socket for which something is new.
local function run(ws, moved)
  local ref, callbacks = ws.ref, ws.callbacks
  local message = callbacks.message
  if moved then
    callbacks.moved(ws)
  end
  local data, kind = take(ref)
  while data do
    if message then
      message(ws, data, kind)
    end
    data, kind = take(ref)
  end
  if kind then -- there will be nothing any more
    if callbacks.close then
      callbacks.close(ws, closed(ref))
    end
    release(ref)
  end
end

c.set_runner(run)

--- pl.websocket(path, { open = function(ws, req) end, message = function(ws,
--- data, kind) end, close = function(ws, code, reason) end, moved =
--- function(ws) end, ... }): a route for WebSockets. Each function runs as a
--- task, one at a time for each socket. Beside them the options of
--- req:websocket(). After a reload the callbacks of the new site go on, with
--- the plain data that were in ws.state; moved is called first.
function pl.websocket(path, handlers)
  check_loading("pl.websocket")
  check_string("pl.websocket", "the path", path)
  if type(handlers) ~= "table" then
    fail("pl.websocket: a table of functions is needed, as in "
      .. "{ message = function(ws, data) ... end }")
  end
  local options, callbacks = read_options("pl.websocket", handlers, known)
  local open = callbacks.open
  pl.get(path, function(req)
    local ws = new("pl.websocket", req, options, callbacks)
    if open then
      open(ws, req)
    end
    serve(ws.ref, req)
  end)
  if c.place then -- where sites are reloaded
    c.place(callbacks, options, core.websocket_methods)
  end
end
