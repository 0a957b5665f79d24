-- udp.lua - pl.udp: datagrams.
--
-- A socket belongs to the task that has opened it, as those of pl.connect do.
-- The server form opens one in each worker; the kernel deals out who sends.

local core, pl, natives = ...
natives.open()
local take, put, wait = natives.take, natives.put, natives.wait
local fail, failure = core.fail, core.failure
local check_options, check_string = core.check_options, core.check_string
local is_loading, when = core.is_loading, core.when
local parse_seconds, parse_size = core.parse_seconds, core.parse_size
local AGAIN, STOPPING = core.AGAIN, core.STOPPING
local error, floor, find, setmetatable, type =
  error, math.floor, string.find, setmetatable, type

assert(pl.spawn) -- makes core.check_function

local BROADCAST, SHARED = 1, 2
local MOST = 1000 -- tasks of one server at a time

local Udp = { __name = "pl.udp" }
local methods = {}

local problems = {
  [core.BUSY] = "another task does that already",
  [core.CLOSED] = "the socket is closed",
  [core.TOO_LONG] = "the datagram is too long",
}

local function failed(call, result)
  return core.failed(call, result, problems[result])
end

-- ---- addresses -------------------------------------------------------------

-- The address in digits of "host:port", or of a host and a port.
local function resolve(call, address, port)
  check_string(call, "the address", address)
  if port ~= nil then
    if type(port) ~= "number" or floor(port) ~= port then
      fail(call .. ": the port must be a whole number")
    end
    address = (find(address, ":", 1, true) and "[%s]:%d" or "%s:%d")
      :format(address, port)
  end
  if natives.is_known(call, address) then
    return address
  end
  local lookup = natives.lookup()
  local result = natives.lookup_begin(lookup, call, address)
  local found = natives.lookup_end(lookup)
  if found then
    return found
  end
  return core.failed(call, result, address .. ": " .. (result ==
    core.NOT_FOUND and "there is no such host" or core.error_text(result)))
end

-- ---- a socket --------------------------------------------------------------

local function send(self, call, data, address)
  while true do
    local result = put(self.handle, data, address)
    if result == 0 then
      return true
    elseif result == AGAIN then
      result = wait(self.handle, call, true)
    end
    if result < 0 then
      return failed(call, result)
    end
  end
end

--- Sends a datagram to the one it was opened for.
function methods:send(data)
  check_string("udp:send", "the data", data)
  if not self.connected then
    fail("udp:send: the socket was opened for nobody; see udp:send_to")
  end
  return send(self, "udp:send", data)
end

--- Sends a datagram to "host:port", or to a host and a port.
function methods:send_to(data, address, port)
  check_string("udp:send_to", "the data", data)
  local to, err = resolve("udp:send_to", address, port)
  if not to then
    return nil, err
  end
  return send(self, "udp:send_to", data, to)
end

--- The next datagram: its data, and the address and port it comes from.
function methods:receive_from()
  while true do
    local data, address, port = take(self.handle)
    if type(data) == "string" then
      return data, address, port
    elseif data == AGAIN then
      data = wait(self.handle, "udp:receive_from", false)
    end
    if data < 0 then
      return failed("udp:receive_from", data)
    end
  end
end

methods.receive = methods.receive_from

function methods:close()
  natives.close(self.handle)
end

--- It stays open when the task ends.
function methods:keep()
  natives.keep(self.handle)
  return self
end

local function seconds_of(call, value)
  if value == false then
    return 0
  end
  local seconds = parse_seconds(value)
  if not seconds or seconds <= 0 then
    fail(call .. ": the time must be a string like \"10s\", seconds above 0, "
      .. "or false")
  end
  return seconds
end

--- How long a call may wait: seconds, or false.
function methods:timeout(seconds)
  if seconds == nil then
    fail("udp:timeout: the seconds are missing (false: no limit)")
  end
  natives.timeout(self.handle, seconds_of("udp:timeout", seconds))
end

function Udp.__index(self, name)
  if methods[name] then
    return methods[name]
  elseif name == "local_address" or name == "local_port" then
    self.local_address, self.local_port = natives.local_address(self.handle)
    return rawget(self, name)
  end
end

Udp.__close = methods.close

-- ---- opening ---------------------------------------------------------------

local known = {
  bind = "text", timeout = "duration", broadcast = "flag",
  multicast = "text", ttl = "count", buffer = "size", max = "count",
}

local function size_of(value)
  local size = value and parse_size(value)
  if value and (not size or size > 1e9) then
    fail("pl.udp: option 'buffer' must be a string like \"1m\" or bytes")
  end
  return size or 0
end

local function open(peer, bind, o, flags)
  local group = o.multicast
  if group then
    group = find(group, ":", 1, true) and "[" .. group .. "]:0" or group .. ":0"
  end
  local handle, code, text = natives.new(peer, bind, group or nil, o.ttl or 0,
    size_of(o.buffer), flags + (o.broadcast and BROADCAST or 0),
    o.timeout == nil and 60 or seconds_of("pl.udp: option 'timeout'",
      o.timeout))
  if not handle then
    return nil, failure(code, "pl.udp", text)
  end
  return setmetatable({ handle = handle, connected = peer ~= nil }, Udp)
end

-- Calls fn for each datagram, as a task of its own; a limited number at a time.
local function serve(udp, fn, most)
  local running = 0
  local function answer(data, address, port)
    running = running + 1
    pl.defer(function()
      running = running - 1
    end)
    fn(udp, data, address, port)
  end
  while true do
    local data, address, port = udp:receive_from()
    if data and running < most then
      pl.spawn(answer, data, address, port)
    elseif not data and address.code == "stopping" then
      return
    elseif not data and address.code ~= "refused" then
      error(address, 0)
    end
  end
end

local function listen(address, options, fn)
  local o = check_options("pl.udp", known, options)
  check_string("pl.udp", "the address", address)
  core.check_function("pl.udp", fn)
  if o.timeout == nil then
    o.timeout = false
  end
  when("commit", function()
    pl.spawn(function()
      local udp, err = open(nil, address, o, SHARED)
      if not udp then
        error(err, 0)
      end
      serve(udp, fn, o.max or MOST)
    end)
  end)
end

--- pl.udp("host:port" [, options]) talks to one; pl.udp(nil, { bind = ... }) to
--- anybody; pl.udp(address, [options,] fn) while the site is loaded: fn(udp,
--- data, address, port) for each datagram that comes.
function pl.udp(address, options, fn)
  if type(options) == "function" then
    options, fn = nil, options
  end
  if is_loading() then
    return listen(address, options, fn)
  elseif fn ~= nil then
    fail("pl.udp: a server may only be begun while the site is being loaded")
  end
  local o = check_options("pl.udp", known, options)
  local peer, err
  if address ~= nil then
    peer, err = resolve("pl.udp", address)
    if not peer then
      return nil, err
    end
  end
  return open(peer, o.bind or nil, o, 0)
end
