-- socket.lua - pl.connect, and what can be done with a connection.
--
-- A socket belongs to the task that has it: when that ends, it is closed, but
-- what was written still leaves. One task may read and another write at the
-- same time.

local core, pl, natives = ...
natives.open()
local dial, dial_begin, dial_error, dial_socket =
  natives.dial, natives.dial_begin, natives.dial_error, natives.dial_socket
local wait_read, take, take_line, there =
  natives.read, natives.take, natives.take_line, natives.there
local write_some, room = natives.write, natives.room
local close, keep, is_open = natives.close, natives.keep, natives.is_open
local fail, failure, raise = core.fail, core.failure, core.raise
local check_options, check_string = core.check_options, core.check_string
local parse_size, parse_seconds = core.parse_size, core.parse_seconds
local AGAIN, CANCELED, CLOSED, EOF, LIMIT, STOPPING =
  core.AGAIN, core.CANCELED, core.CLOSED, core.EOF, core.LIMIT, core.STOPPING
local concat, floor, min, huge = table.concat, math.floor, math.min, math.huge
local error, getmetatable, pairs, rawget, select, setmetatable =
  error, getmetatable, pairs, rawget, select, setmetatable
local tostring, type = tostring, type

local Socket = {}
local methods = {}

-- What can be wanted, as C has it; and what one wait may be for.
local SOME, EXACTLY, UNTIL = 0, 1, 2
local BUFFER = 262144
local BLOCK, LINE, ALL, MARK = 65536, 65536, 1048576, 64
local CONNECT, TIMEOUT = 10, 60

local problems = {
  [CLOSED] = "the connection is closed",
  [core.BUSY] = "another task does that already",
  [EOF] = "the connection ended in the middle",
}

local function failed(call, result)
  return core.failed(call, result, problems[result])
end

-- ---- arguments -------------------------------------------------------------

local function check_count(call, n, least)
  if type(n) ~= "number" or floor(n) ~= n or n < least then
    fail(call .. ": the number must be a whole number, at least " .. least)
  end
  return n
end

-- A size ("64k", or bytes) that is at most most.
local function check_max(call, max, default, most)
  if max == nil then
    return default
  end
  local bytes = (type(max) == "string" or type(max) == "number")
    and parse_size(type(max) == "number" and ("%.0f"):format(max) or max)
  if not bytes or bytes < 1 or most and bytes > most then
    fail(call .. ": the limit must be a string like \"64k\" or bytes"
      .. (most and (", at most %d"):format(most) or ""))
  end
  return bytes
end

-- Seconds of an option: false means no limit, for which C has 0.
local function check_seconds(call, name, value, default)
  if value == nil then
    return default
  elseif value == false or value == huge then
    return 0
  end
  local seconds = parse_seconds(value)
  if not seconds or seconds <= 0 then
    fail(("%s: %s must be a string like \"10s\", seconds above 0, or false")
      :format(call, name))
  end
  return seconds
end

-- ---- reading ---------------------------------------------------------------

--- The next bytes as they come, at most n; nil at the end.
function methods:read(n)
  n = n == nil and BLOCK or check_count("socket:read", n, 1)
  local result = wait_read(self.handle, "socket:read", SOME, 1)
  if result > 0 then
    return take(self.handle, min(n, result), 0)
  elseif result == 0 then
    return nil
  end
  return failed("socket:read", result)
end

-- The connection has ended in the middle: what there was is in err.partial.
local function broken(self, call, parts)
  local err = failure(EOF, call, problems[EOF])
  parts[#parts + 1] = take(self.handle, there(self.handle), 0)
  err.partial = concat(parts)
  return nil, err
end

--- Exactly n bytes; nil at the end; nil, err ("eof") if it comes before. None
--- are there at once: lengths that a protocol announces may be 0.
function methods:read_exactly(n)
  local left = check_count("socket:read_exactly", n, 0)
  local parts = {}
  while left > 0 do
    local part = min(left, BUFFER)
    local result = wait_read(self.handle, "socket:read_exactly", EXACTLY, part)
    if result == EOF or result == 0 and #parts > 0 then
      return broken(self, "socket:read_exactly", parts)
    elseif result == 0 then
      return nil
    elseif result < 0 then
      return failed("socket:read_exactly", result)
    end
    parts[#parts + 1] = take(self.handle, part, 0)
    left = left - part
  end
  return #parts == 1 and parts[1] or concat(parts)
end

--- What comes before the delimiter, which is dropped; nil at the end. max
--- [64 KiB]: bytes with the delimiter.
function methods:read_until(delimiter, max)
  check_string("socket:read_until", "the delimiter", delimiter)
  if delimiter == "" or #delimiter > MARK then
    fail(("socket:read_until: the delimiter must have 1 to %d bytes")
      :format(MARK))
  end
  max = check_max("socket:read_until", max, LINE, BUFFER)
  local result = wait_read(self.handle, "socket:read_until", UNTIL, max,
    delimiter)
  if result > 0 then
    return take(self.handle, result - #delimiter, #delimiter)
  elseif result == 0 then
    return nil
  elseif result == EOF then
    return broken(self, "socket:read_until", {})
  end
  return failed("socket:read_until", result)
end

local function read_line(self, call, max)
  local result = wait_read(self.handle, call, UNTIL, max, "\n")
  if result == EOF then -- the last line has no end
    result = there(self.handle)
  end
  if result > 0 then
    return take_line(self.handle, result)
  elseif result == 0 then
    return nil
  elseif result == LIMIT then
    return nil, failure(result, call, "the line is longer than the limit")
  end
  return failed(call, result)
end

--- The next line without its end ("\n" or "\r\n"), also the last one without
--- one; nil at the end. max [64 KiB]: bytes.
function methods:read_line(max)
  return read_line(self, "socket:read_line",
    check_max("socket:read_line", max, LINE, BUFFER))
end

--- An iterator over the lines. Raises what fails; but ends when the server
--- stops.
function methods:lines(max)
  max = check_max("socket:lines", max, LINE, BUFFER)
  return function()
    local line, err = read_line(self, "socket:lines", max)
    if err and err[1] ~= STOPPING then
      error(err, 0)
    end
    return line
  end
end

--- All that comes until the end, at most max [1 MiB] bytes.
function methods:read_all(max)
  max = check_max("socket:read_all", max, ALL)
  local parts, size = {}, 0
  while true do
    local result = wait_read(self.handle, "socket:read_all", SOME, 1)
    if result == 0 then
      return concat(parts)
    elseif result < 0 then
      return failed("socket:read_all", result)
    end
    size = size + result
    if size > max then
      return failed("socket:read_all", LIMIT)
    end
    parts[#parts + 1] = take(self.handle, result, 0)
  end
end

-- ---- writing ---------------------------------------------------------------

local function write(self, data)
  local from, size = 0, #data
  while from < size do
    local n = write_some(self.handle, data, from)
    if n >= 0 then
      from = from + n
    elseif n ~= AGAIN then
      return failed("socket:write", n)
    else
      local result = room(self.handle, "socket:write")
      if result < 0 then
        return failed("socket:write", result)
      end
    end
  end
  return true
end

local function text_of(value, i)
  if type(value) == "number" then
    return tostring(value)
  end
  check_string("socket:write", "argument " .. i, value)
  return value
end

--- Sends strings and numbers; waits while the peer does not read. It has all
--- been sent, or will be, when this returns.
function methods:write(...)
  local n = select("#", ...)
  if n == 1 then
    return write(self, text_of(..., 1))
  end
  local parts = { ... }
  for i = 1, n do
    parts[i] = text_of(parts[i], i)
  end
  return write(self, concat(parts))
end

--- Sends now what was written, which else happens at the next wait.
function methods:flush()
  natives.flush(self.handle)
end

--- The end of what is written; reading goes on.
function methods:shutdown()
  natives.shutdown(self.handle)
end

-- ---- the rest --------------------------------------------------------------

--- Closes it; what was written still leaves. Who waits for it is told.
function methods:close()
  close(self.handle)
end

--- It stays open when the task ends, until it is closed or nobody has it any
--- more.
function methods:keep()
  keep(self.handle)
  return self
end

--- How long a read or a write may wait: seconds, or false.
function methods:timeout(seconds)
  if seconds == nil then
    fail("socket:timeout: the seconds are missing (false: no limit)")
  end
  natives.timeout(self.handle,
    check_seconds("socket:timeout", "the time", seconds))
end

local function settled(call, result)
  if result < 0 then
    return failed(call, result)
  end
  return true
end

--- Sends small pieces at once [false]. Only TCP.
function methods:nodelay(on)
  return settled("socket:nodelay", natives.nodelay(self.handle, on ~= false))
end

--- Asks an idle peer after so many seconds whether it is still there; false:
--- never. Only TCP.
function methods:keepalive(seconds)
  local number = seconds == false and 0 or seconds
  if type(number) ~= "number" or number < 0 or number > 32767 then
    fail("socket:keepalive: the seconds must be from 1 to 32767, or false")
  end
  return settled("socket:keepalive",
    natives.keepalive(self.handle, floor(number)))
end

--- socket:handover([seconds]), of a connection of pl.tcp or req:hijack(): if a
--- reload has brought another generation, now or within seconds, ends this
--- handler and calls that of the new site for the same address or request, with
--- socket.moved and the plain data of socket.state. Else false; or nil, err
function methods:handover(seconds)
  core.load_part "handover"
  return core.hand_socket(self, seconds)
end

-- Fields that are found out when they are asked for.
local fields = {}

function fields.open(self)
  return is_open(self.handle)
end

function fields.truncated(self)
  return natives.is_truncated(self.handle)
end

function fields.remote(self)
  local address, port = natives.peer(self.handle)
  self.remote, self.remote_port = address, port
  return address
end

function fields.remote_port(self)
  local _ = self.remote
  return rawget(self, "remote_port")
end

function fields.local_address(self)
  local address, port = natives.local_address(self.handle)
  self.local_address, self.local_port = address, port
  return address
end

function fields.local_port(self)
  local _ = self.local_address
  return rawget(self, "local_port")
end

function Socket.__index(self, name)
  local method = methods[name]
  if method then
    return method
  end
  local field = fields[name]
  return field and field(self)
end

Socket.__name = "pl.socket"
Socket.__close = methods.close -- of a local variable, in Lua 5.4

-- ---- TLS -------------------------------------------------------------------

local client = { verify = "flag", server_name = "text", ca = "text",
  cert = "text", key = "text", alpn = "names" }
local server = { server = "flag", ca = "text", cert = "text", key = "text",
  alpn = "names" }
local files = { "ca", "cert", "key" }

-- What C is given: the options, with names of files as they are found.
local function check_tls(call, given)
  if given == true then
    return {}
  elseif type(given) ~= "table" then
    fail(call .. ": option 'tls' must be true or a table of options")
  end
  local o = check_options(call .. ": TLS",
    given.server and server or client, given)
  for i = 1, #files do
    local path = o[files[i]]
    o[files[i]] = path and (core.in_folder and core.in_folder(path) or path)
      or nil
  end
  if o.server and not o.cert then
    fail(call .. ": TLS: a server needs a file 'cert'")
  end
  o.insecure = o.verify == false
  o.server_name, o.alpn = o.server_name or nil, o.alpn or nil
  return o
end

--- From here on the connection is encrypted. Options: verify [true],
--- server_name, ca, cert, key, alpn; or server = true, cert, key, ca.
function methods:start_tls(options)
  local o = check_tls("socket:start_tls", options == nil and true or options)
  local secure = natives.secure()
  local result = natives.secure_begin(secure, o)
  if result < 0 and result ~= CANCELED then
    return nil, failure(result, "socket:start_tls",
      natives.secure_error(secure))
  end
  if result == 0 then
    local name = o.server_name or self.host
    if not name and not o.server and not o.insecure then
      fail("socket:start_tls: the name of the server is missing: server_name")
    end
    result = natives.start_tls(self.handle, secure, name)
  end
  if result == core.PROTO then
    return nil, failure(result, "socket:start_tls", natives.tls_reason())
  elseif result < 0 then
    return failed("socket:start_tls", result)
  end
  self.tls = nil
  return true
end

function fields.tls(self)
  self.tls = natives.tls(self.handle)
  return rawget(self, "tls")
end

-- ---- connecting ------------------------------------------------------------

local connect_options = {
  connect_timeout = "duration", timeout = "duration", bind = "text",
}

-- The name that a certificate must have, of "host:port" in all its forms.
local function host_of(address)
  local host = address:gsub("^%l+://", ""):match("^%[?(.-)%]?:%d+$")
  return host ~= "" and host or nil
end

-- The options without tls, and tls.
local function split(options)
  if type(options) ~= "table" or options.tls == nil then
    return options
  end
  local rest = {}
  for name, value in pairs(options) do
    rest[name] = value
  end
  rest.tls = nil
  return rest, options.tls or nil
end

--- Opens a connection: "host:port", "tcp://host:port", "tls://host:port",
--- "unix:/path". Options: connect_timeout [10s], timeout [60s] of each read and
--- write, bind, tls.
function pl.connect(address, options)
  check_string("pl.connect", "the address", address)
  local plain, tls = split(options)
  local o = check_options("pl.connect", connect_options, plain)
  tls = tls and check_tls("pl.connect", tls)
  local attempt = dial()
  local result = dial_begin(attempt, address,
    check_seconds("pl.connect", "option 'connect_timeout'", o.connect_timeout,
      CONNECT),
    check_seconds("pl.connect", "option 'timeout'", o.timeout, TIMEOUT),
    o.bind or nil, tls)
  if result == CANCELED then
    raise("pl.connect", result)
  elseif result < 0 then
    return nil, failure(result, "pl.connect", dial_error(attempt))
  end
  return setmetatable({ handle = dial_socket(attempt),
    host = host_of(address) }, Socket)
end

-- For pl.wait.
function core.is_socket(value)
  return getmetatable(value) == Socket
end

-- For who gives connections to Lua.
function core.socket_of(handle)
  return setmetatable({ handle = handle }, Socket)
end
