-- lwan_request.lua - what scripts of Lwan's are given: the request with its
-- methods, and the tables of `Lwan`.
--
-- A request gathers what set_response() and write() say, and answers with it
-- when its function is over; say() and send_event() begin a stream instead.

local core, pl, c = ...
local failure, is_canceled = core.failure, core.is_canceled
local error, pairs, pcall, setmetatable, tostring, type =
  error, pairs, pcall, setmetatable, tostring, type
local concat, find, floor = table.concat, string.find, math.floor

-- Of Linux, as scripts compare them.
local EAGAIN, ENOMSG, ENOTCONN = 11, 42, 107

-- How long ws_read() waits for a message that it has just not found.
local WS_PAUSE = 0.05

local Request = {}

-- What Lwan has not, perilune may have: fields and methods of its own, methods
-- of native modules.
local function index(self, name)
  local found = Request[name]
  if found ~= nil then
    return found
  end
  found = self.req[name]
  if type(found) ~= "function" then
    return found
  end
  local function method(object, ...)
    return object.req[name](object.req, ...)
  end
  Request[name] = method
  return method
end

local meta = { __index = index, __name = "lwan.request" }

--- The object for a function of a script. All of its own fields are there, so
--- that none is looked for among perilune's.
function core.lwan_request(req, res, default_type)
  return setmetatable({
    req = req, res = res, type = default_type,
    fields = false, -- of a form, once it was read
    parts = false, -- of the body, so far
    streams = false, -- is it one, whose head was sent?
    events = false, ws = false, -- kinds of these
    polled = false, -- ws_read() has just found nothing
  }, meta)
end

local function text_of(call, value)
  if type(value) == "number" then
    return tostring(value)
  elseif type(value) ~= "string" then
    core.fail(("%s: a string is needed, not %s"):format(call,
      value == nil and "nil" or "a " .. type(value)))
  end
  return value
end

-- ---- what was asked --------------------------------------------------------

function Request:query_param(name)
  return self.req:arg(text_of("req:query_param", name))
end

--- Of a form; files are perilune's req:form().
function Request:post_param(name)
  name = text_of("req:post_param", name)
  local form = self.fields
  if not form then
    form = self.req:form() or {}
    self.fields = form
  end
  local value = form[name]
  return type(value) == "string" and value or nil
end

function Request:cookie(name)
  return self.req:cookie(text_of("req:cookie", name))
end

function Request:header(name)
  return self.req:header(text_of("req:header", name))
end

function Request:body()
  return self.req:body()
end

function Request:path()
  return self.req.rest or ""
end

function Request:query_string()
  return self.req.query or ""
end

function Request:remote_address()
  return self.req.remote
end

function Request:request_id()
  return self.req.id
end

function Request:request_date()
  return pl.time.http()
end

function Request:is_https()
  return self.req.scheme == "https"
end

function Request:host()
  return self.req:header "host" or self.req.host
end

function Request:http_version()
  return "HTTP/" .. self.req.version
end

function Request:http_method()
  return self.req.method
end

function Request:http_headers()
  return self.req.headers
end

function Request:num_http_headers()
  local n = 0
  for _ in pairs(self.req.headers) do
    n = n + 1
  end
  return n
end

-- ---- what is answered ------------------------------------------------------

function Request:set_response(text)
  self.parts = { text_of("req:set_response", text) }
end

function Request:write(text)
  local parts = self.parts or {}
  parts[#parts + 1] = text_of("req:write", text)
  self.parts = parts
end

--- { name = "value" or { "value", ... } } -> how many fields; nil: it is too
--- late.
function Request:set_headers(fields)
  if type(fields) ~= "table" then
    core.fail("req:set_headers: a table is needed, not a " .. type(fields))
  elseif self.streams then
    return nil
  end
  local n = 0
  for name, value in pairs(fields) do
    if not c.is_framing(text_of("req:set_headers: a name", name)) then
      self.res:header(name, value)
      n = n + (type(value) == "table" and #value or 1)
    end
  end
  return n
end

function Request:set_keep_alive(on)
  if not on then
    c.close(self.req)
  end
end

-- ---- streams ---------------------------------------------------------------

local function set_type(self)
  if not self.res:header "content-type" then
    self.res:header("content-type", self.type)
  end
end

local function take_parts(self)
  local parts = self.parts
  self.parts = false
  return parts and concat(parts)
end

local function write_on(self)
  local text = take_parts(self)
  if text and text ~= "" then
    self.res:write(text)
  end
end

--- Sends text as a piece of a stream: it leaves now.
function Request:say(text)
  text = text_of("req:say", text)
  if not self.streams then
    set_type(self)
    self.streams = true
  end
  write_on(self)
  self.res:write(text)
end

--- Sends an event to an EventSource. Without text it has what write() has said.
function Request:send_event(name, text)
  local events = self.events
  if not events then
    if self.streams then
      core.fail "req:send_event: the response is a stream of text already"
    end
    events = self.res:events()
    self.events, self.streams = events, true
  end
  text = text and text_of("req:send_event", text) or take_parts(self) or ""
  events:send(text, { event = name and text_of("req:send_event", name) })
end

function Request:sleep(ms)
  if type(ms) ~= "number" or not (ms >= 0) then
    core.fail "req:sleep: milliseconds are needed"
  end
  self.polled = false
  pl.sleep(ms / 1000)
end

-- ---- WebSockets ------------------------------------------------------------

--- The status: 101, or why it is no WebSocket.
function Request:ws_upgrade()
  if self.ws then
    return 101
  end
  local ok, ws = pcall(self.req.websocket, self.req)
  if ok then
    self.ws, self.streams = ws, true
    return 101
  end
  local status = not is_canceled(ws) and type(ws) ~= "string" and ws.status
  if not status then
    error(ws, 0)
  end
  return status
end

local function send_on(self, call, text, kind)
  if not self.ws then
    core.fail(call .. ": the request is no WebSocket (req:ws_upgrade)")
  end
  local ok = self.ws:send(text_of(call, text), kind)
  return ok or false
end

function Request:ws_write_text(text)
  return send_on(self, "req:ws_write_text", text, "text")
end

function Request:ws_write_binary(text)
  return send_on(self, "req:ws_write_binary", text, "binary")
end

function Request:ws_write(text)
  local kind = find(text_of("req:ws_write", text), "[\128-\255]") and "binary"
    or "text"
  return send_on(self, "req:ws_write", text, kind)
end

--- The next message; or a number: EAGAIN when there is none yet, ENOTCONN when
--- there will be none. Who asks again and again waits a moment each time, and
--- does not hold the worker.
function Request:ws_read()
  if not self.ws then
    return ENOMSG
  end
  local text, err = self.ws:receive(self.polled and WS_PAUSE or 0)
  self.polled = not text
  if text then
    return text
  end
  return err.code == "timeout" and EAGAIN or ENOTCONN
end

-- ---- the end ---------------------------------------------------------------

--- nil is 200; a status that HTTP knows is that one, all else 500.
local function status_of(result)
  if result == nil then
    return 200
  elseif type(result) == "number" and floor(result) == result and result >= 200
    and c.reason(result) then
    return result
  end
  return 500
end

core.lwan_status = status_of

--- For the library: what the function has returned, and what it has said
--- before. Gives what a handler returns.
function core.lwan_answer(self, result)
  if self.streams then
    if not self.ws and not self.events then
      write_on(self)
    end
    return nil
  end
  local status, body = status_of(result), take_parts(self)
  if body or status == 200 then
    set_type(self)
    return status, body or ""
  end
  return status
end

-- ---- Lwan ------------------------------------------------------------------

local function log_at(level)
  return function(text)
    pl.log[level](tostring(text))
  end
end

local function random_double()
  return math.random()
end

-- Lwan ends at once; we finish the other requests.
local function critical(text)
  pl.log.error(tostring(text))
  pl.stop(1)
  error(failure(core.INVALID, "Lwan.log.critical", tostring(text)), 0)
end

local function mime_type(path)
  return pl.mime(text_of("Lwan.utils.get_mime_type", path))
end

local function code_text(code)
  return type(code) == "number" and c.reason(code) or "Invalid"
end

--- The table `Lwan` for a script.
function core.lwan_library()
  local encode, decode = pl.base64.encode, pl.base64.decode
  return {
    log = {
      debug = log_at "debug", info = log_at "info", warning = log_at "warn",
      error = log_at "error", critical = critical,
    },
    utils = {
      random_double = random_double, get_mime_type = mime_type,
      get_response_code_text = code_text, base64_encode = encode,
      base64_decode = decode,
      version = function()
        return "perilune/" .. pl.version
      end,
      operating_system = function()
        return "Linux"
      end,
    },
    base64 = { encode = encode, decode = decode },
  }
end
