-- handover.lua - handlers in straight lines, from one generation to the next:
-- ws:handover(), events:handover(), socket:handover(). Loaded when a site first
-- uses one.

local core, _, c = ...
local replaced, watch = c.replaced, c.watch
local CANCELED = core.CANCELED
local fail, failed, raise = core.fail, core.failed, core.raise
local pairs, setmetatable, type = pairs, setmetatable, type

-- Does another generation serve, now or within seconds?
local function is_replaced(call, seconds)
  if replaced() then
    return true
  elseif seconds == nil then
    return false
  elseif type(seconds) ~= "number" or not (seconds >= 0) then
    fail(call .. ": the seconds must be a number, not negative")
  end
  local result = watch(call, seconds)
  if result == CANCELED then
    raise(call, result)
  end
  return result == 1
end

function core.hand_websocket(ws, seconds)
  if not is_replaced("ws:handover", seconds) then
    return false
  end
  return failed("ws:handover", c.websocket(ws.ref, ws.state))
end

function core.hand_events(events, seconds)
  if not is_replaced("events:handover", seconds) then
    return false
  end
  return failed("events:handover",
    c.events(events.res, events.state, events.last_id))
end

function core.hand_socket(socket, seconds)
  local request = socket.request
  if not request and not core.hand_tcp then
    fail("socket:handover: only for connections of pl.tcp and req:hijack()")
  elseif not is_replaced("socket:handover", seconds) then
    return false
  end
  return failed("socket:handover",
    request and c.hijacked(socket.handle, request, socket.state)
      or core.hand_tcp(socket.handle, socket.state))
end

-- The option handover of a socket: ws:receive() is where it goes over. It comes
-- back only if that could not be.
function core.willing_websocket(ws)
  c.willing(ws.ref, true)
  return core.hand_websocket
end

-- Subscriptions of streams, which then tell what they have got and end.
local finishing = setmetatable({}, { __mode = "k" })

core.when("retire", function()
  for sub in pairs(finishing) do
    if sub.ref then
      core.finish_subscription(sub.ref)
    end
  end
end)

-- The option handover of a stream that is about to send what sub gets.
function core.willing_events(events, sub)
  core.hand_events(events)
  finishing[sub] = true
  return core.hand_events
end
