-- tcp.lua - pl.tcp: raw connections that come to a site. Loaded when a site
-- first uses it.

local core, pl, c = ...
core.load_part("listen")
assert(pl.connect) -- makes core.socket_of
local check_function, check_listen, check_string =
  core.check_function, core.check_listen, core.check_string
local fail, is_loading, parse_seconds, socket_of, traced =
  core.fail, core.is_loading, core.parse_seconds, core.socket_of, core.traced
local error, pairs, type, xpcall = error, pairs, type, xpcall

-- Errors of a peer, or of the end, are nobody's fault here.
local common = {
  [core.CLOSED] = true, [core.EOF] = true, [core.TIMEOUT] = true,
  [core.STOPPING] = true,
}

core.hand_tcp = c.hand

local function run(fn, timeout, handle, moved, state)
  local socket = socket_of(handle)
  socket.moved, socket.state = moved, state
  if timeout ~= nil then
    socket:timeout(timeout)
  end
  local ok, err = xpcall(fn, traced, socket)
  socket:close()
  if not ok and not (type(err) == "table" and common[err[1]]) then
    error(err, 0)
  end
end

-- One address or several, with options: as pl.listen has them.
local function check_addresses(addresses, options)
  local list = type(addresses) == "table" and addresses or { addresses }
  local both = {}
  if options ~= nil and type(options) ~= "table" then
    fail("pl.tcp: options must be a table, not a " .. type(options))
  end
  for name, value in pairs(options or {}) do
    both[name] = value
  end
  for i = 1, #list do
    check_string("pl.tcp", "the address", list[i])
    both[i] = list[i]
  end
  local timeout = both.timeout
  both.timeout = nil
  if timeout and (parse_seconds(timeout) or 0) <= 0 then
    fail("pl.tcp: option 'timeout' must be a string like \"10s\", seconds "
      .. "above 0, or false")
  end
  if both.protocol ~= nil or both.redirect ~= nil then
    fail("pl.tcp: the options 'protocol' and 'redirect' are for HTTP")
  end
  -- Who connects may wait for us to speak first.
  both.defer_accept = both.defer_accept or false
  return both, timeout
end

--- pl.tcp(address, [options,] fn): fn(socket) for each connection that comes,
--- as a task of its own. Options: those of pl.listen, and timeout. See also
--- socket:handover().
function pl.tcp(addresses, options, fn)
  if not is_loading() then
    fail("pl.tcp: may only be called while the site is being loaded")
  end
  if fn == nil then
    options, fn = nil, options
  end
  check_function("pl.tcp", fn)
  local list, timeout = check_addresses(addresses, options)
  local checked = check_listen(list, "pl.tcp")
  local service = c.service(function(handle, moved, state)
    return run(fn, timeout, handle, moved, state)
  end)
  core.listen(list, checked, service)
end
