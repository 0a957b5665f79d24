-- ws.lua - the sockets of pl.websocket (websocket.lua) and req:websocket().
--
-- A socket is a table: its methods are below, its fields are the script's own
-- but for the few that are set here.

local core, _, c = ...
local accept, settings, subprotocol = c.accept, c.settings, c.subprotocol
local take, receive, send, drain = c.take, c.receive, c.send, c.drain
local ping, close, closed = c.ping, c.close, c.closed
local subscribe, unsubscribe = c.subscribe, c.unsubscribe
local check_function, check_options, check_string =
  core.check_function, core.check_options, core.check_string
local fail, failed, failure = core.fail, core.failed, core.failure
local AGAIN, CLOSED = core.AGAIN, core.CLOSED
local error, pairs, setmetatable, type = error, pairs, setmetatable, type
local concat = table.concat

local WebSocket = { __name = "pl.websocket" }
WebSocket.__index = WebSocket

-- ---- options ---------------------------------------------------------------

local known = {
  max_message = "size", ping = "duration", timeout = "duration",
  idle = "duration", close_timeout = "duration", protocols = "list",
  origins = "list", compress = "flag_or_text", compress_min = "size",
  window_bits = "count", handover = "flag",
}

-- One name or a list of them, for C with spaces between.
local function check_list(call, name, value)
  if type(value) == "string" then
    value = { value }
  elseif type(value) ~= "table" then
    fail(("%s: option '%s' must be a string or a list of strings"):format(call,
      name))
  end
  for i = 1, #value do
    check_string(call, "an element of option '" .. name .. "'", value[i])
    if value[i] == "" or value[i]:find("[%s,]") then
      fail(("%s: option '%s': '%s' is empty or has a space or comma in it")
        :format(call, name, value[i]))
    end
  end
  return concat(value, " ")
end

-- The settings for C, and the callbacks that were among the options.
local function read_options(call, options, known_here)
  local rest, found, lists = {}, {}, {}
  if type(options) ~= "table" then
    fail(call .. ": options must be a table, not a " .. type(options))
  end
  for name, value in pairs(options) do
    if known_here[name] and not known[name] then
      check_function(call .. ": " .. name, value)
      found[name] = value
    elseif known[name] == "list" then
      lists[name] = value and check_list(call, name, value)
    else
      rest[name] = value
    end
  end
  rest = check_options(call, known_here, rest)
  return settings(call, rest.max_message, rest.ping, rest.timeout, rest.idle,
    rest.close_timeout, lists.protocols, lists.origins, rest.compress,
    rest.compress_min, rest.window_bits), found, rest.handover
end

-- ---- accepting -------------------------------------------------------------

local codes = {
  [400] = core.PROTO, [403] = core.DENIED, [426] = core.UNSUPPORTED,
}

local function new(call, req, options, callbacks)
  if core.before_head then
    core.before_head(req)
  end
  local ws = setmetatable({ callbacks = callbacks, options = options },
    WebSocket)
  local result, why = accept(call, req, ws, options)
  if result ~= true then
    error(failure(codes[result] or core.BUSY, call, why, result), 0)
  end
  ws.subprotocol = subprotocol(ws.ref)
  return ws
end

local default

--- req:websocket([options]): the request becomes a WebSocket, which is closed
--- when the handler returns. A request that is none is answered by 426.
--- options: max_message, ping, timeout, idle, close_timeout, protocols,
--- origins, compress, compress_min, window_bits, handover [false]: after a
--- reload the handler of the new site goes on with it (ws:handover)
function core.request_methods.websocket(req, options)
  local handover, _
  if options == nil then
    default = default or settings("req:websocket")
    options = default
  else
    options, _, handover = read_options("req:websocket", options, known)
  end
  local ws = new("req:websocket", req, options)
  if handover then
    core.load_part "handover"
    ws.willing = core.willing_websocket(ws)
  end
  return ws
end

-- ---- the socket ------------------------------------------------------------

local function check_kind(call, kind)
  if kind == nil or kind == "text" then
    return false
  elseif kind == "binary" then
    return true
  end
  fail(call .. ": the kind must be \"text\" or \"binary\"")
end

--- ws:receive([seconds]) -> the next message and its kind, "text" or "binary";
--- or nil and an error: "closed", "timeout"
function WebSocket:receive(timeout)
  if timeout ~= nil and (type(timeout) ~= "number" or not (timeout >= 0)) then
    fail("ws:receive: the timeout must be a number, not negative")
  end
  local ref, willing = self.ref, self.willing
  if willing then
    willing(self)
  end
  local data, kind = take(ref)
  while not data and not kind do
    local result = receive(ref, timeout)
    if result < 0 then
      return failed("ws:receive", result)
    elseif willing then
      willing(self)
    end
    data, kind = take(ref)
  end
  if data then
    return data, kind
  end
  return nil, failure(CLOSED, "ws:receive")
end

--- for data, kind in ws:messages() do ... end: until the socket is closed
function WebSocket:messages()
  local receive_next = WebSocket.receive
  return function()
    local data, kind = receive_next(self)
    if data then
      return data, kind
    end
  end
end

--- ws:send(data [, kind = "text"]) -> true, or nil, err ("closed"). Waits while
--- the peer reads more slowly.
function WebSocket:send(data, kind)
  local ref, binary = self.ref, kind and check_kind("ws:send", kind)
  local result = send(ref, data, binary)
  while result == AGAIN do
    result = drain(ref)
    if result < 0 then
      break
    end
    result = send(ref, data, binary)
  end
  if result == 0 then
    return true
  end
  return failed("ws:send", result)
end

--- ws:try_send(data [, kind]) -> true; false when the peer has enough to read
--- already, and nothing was sent; or nil, err
function WebSocket:try_send(data, kind)
  local result = send(self.ref, data, check_kind("ws:try_send", kind))
  if result == 0 or result == AGAIN then
    return result == 0
  end
  return failed("ws:try_send", result)
end

--- ws:ping(): beside the pings that are sent by themselves.
function WebSocket:ping()
  local result = ping(self.ref)
  if result == 0 or result == AGAIN then
    return result == 0
  end
  return failed("ws:ping", result)
end

--- ws:close([code = 1000 [, reason]]) -> true, or nil, err if it was closed
--- already
function WebSocket:close(code, reason)
  local result = close(self.ref, code, reason)
  if result == 0 then
    return true
  end
  return nil, failure(result, "ws:close")
end

local topic_options = { full = "text" }

--- ws:subscribe(topic [, { full = "close" }]) -> true, or nil, err: what is
--- published to topic from now on is sent to this socket. full: what becomes of
--- one that reads too slowly: "close" (1013), or "drop" what it does not take.
function WebSocket:subscribe(topic, options)
  local full = options
    and check_options("ws:subscribe", topic_options, options).full
  if full and full ~= "drop" and full ~= "close" then
    fail("ws:subscribe: option 'full' must be \"drop\" or \"close\"")
  end
  local result = subscribe(self.ref, topic, full == "drop")
  if result == 0 then
    return true
  end
  return failed("ws:subscribe", result)
end

--- ws:unsubscribe(topic) -> whether it was subscribed to it
function WebSocket:unsubscribe(topic)
  return unsubscribe(self.ref, topic)
end

--- ws:handover([seconds]): if a reload has brought another generation, now or
--- within seconds, ends this handler and calls that of the new site, whose
--- req:websocket() gives the same socket, with ws.moved and the plain data of
--- ws.state. Else false; or nil, err
function WebSocket:handover(seconds)
  core.load_part "handover"
  return core.hand_websocket(self, seconds)
end

--- ws:closed() -> why it was closed: the code and the reason; nil while it is
--- open
function WebSocket:closed()
  return closed(self.ref)
end

-- For websocket.lua.
core.websocket, core.read_websocket_options = new, read_options
core.websocket_options, core.websocket_natives = known, c
core.websocket_methods = WebSocket
