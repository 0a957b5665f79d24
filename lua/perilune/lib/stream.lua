-- stream.lua - res:events, res:early_hints, res:inform, res:trailer and
-- req.trailers. Loaded when a site first uses one of them.

local core, pl, c = ...
local begin, send, comment, inform = c.begin, c.send, c.comment, c.inform
core.load_part("response")
local check_options, check_string = core.check_options, core.check_string
local fail, failure, raise, say =
  core.fail, core.failure, core.raise, core.res_say
local CLOSED, INVALID, STATE = core.CLOSED, core.INVALID, core.STATE
local pairs, setmetatable, sort, tonumber, tostring, type =
  pairs, setmetatable, table.sort, tonumber, tostring, type

local methods = core.response_methods

-- ---- before and behind the response ----------------------------------------

-- { name = "value" or { "value", ... } } as a list, in order of the names.
local function flatten(call, fields)
  if type(fields) ~= "table" then
    fail(call .. ": the fields must be a table")
  end
  local names, list, n = {}, {}, 0
  for name in pairs(fields) do
    check_string(call, "the name of a field", name)
    names[#names + 1] = name
  end
  sort(names)
  for i = 1, #names do
    local name, values = names[i], fields[names[i]]
    if type(values) ~= "table" then
      values = { values }
    end
    for k = 1, #values do
      check_string(call, "the value of " .. name, values[k])
      list[n + 1], list[n + 2] = name, values[k]
      n = n + 2
    end
  end
  return list, n
end

local function tell(call, res, status, fields)
  local list, n = flatten(call, fields)
  local result = inform(res, call, status, list, n)
  if result == CLOSED then
    return nil, failure(result, call)
  end
  return true
end

--- res:inform(status, fields): an informational response (102 to 199) at once,
--- before the one that follows. Returns true, or nil, err when the client has
--- gone.
function methods:inform(status, fields)
  return tell("res:inform", self, status, fields or {})
end

--- res:early_hints { link = { "</a.css>; rel=preload; as=style", ... } }: what
--- the page is going to need, before it is there (103)
function methods:early_hints(fields)
  return tell("res:early_hints", self, 103, fields)
end

--- res:trailer(name [, value]): a field behind a stream's body. Before the
--- first write it is announced in the head; a later call says or replaces the
--- value.
methods.trailer = c.trailer

core.request_getters.trailers = c.trailers

-- ---- server-sent events ----------------------------------------------------

local Events = { __name = "pl.events" }
Events.__index = Events

local known = { retry = "duration", ping = "duration", headers = "fields",
  handover = "flag" }

-- false: never
local function no_ping(options)
  local ping = options.ping
  if ping == false then
    return "0"
  end
  return ping
end

--- res:events([options]) -> events: the response is a stream of events for an
--- EventSource, and its head is sent. options: retry ("3s": when a client that
--- was cut off comes again), ping ("15s": a comment after so long a silence;
--- false: none), headers, handover [false]: after a reload the handler of
--- the new site goes on with it (events:handover). events.last_id is what the
--- client has seen last.
function methods:events(options)
  options = check_options("res:events", known, options)
  local headers = options.headers
  if headers then
    for name, value in pairs(headers) do
      self:header(name, value)
    end
  end
  if core.before_head then
    core.before_head(self)
  end
  local result = begin(self, options.retry or nil, no_ping(options))
  if result == STATE then
    fail("res:events: the response has been sent already, or has a body")
  elseif result < 0 and result ~= CLOSED then
    raise("res:events", result)
  end
  local events =
    setmetatable({ res = self, last_id = c.last_id(self) }, Events)
  if c.resumed then -- where sites are reloaded
    events.moved, events.state = c.resumed(self)
  end
  if options.handover then
    core.load_part "handover"
    events.willing = core.willing_events
  end
  return events
end

--- events:handover([seconds]): if a reload has brought another generation, now
--- or within seconds, ends this handler and calls that of the new site, whose
--- res:events() goes on with the stream: with events.moved, events.last_id and
--- the plain data of events.state. Else false; or nil, err
function Events:handover(seconds)
  core.load_part "handover"
  return core.hand_events(self, seconds)
end

local event_options = { event = "text", id = "id", retry = "number" }

--- events:send(data [, { event = type, id = id, retry = seconds }]): data is a
--- string of any lines, or a table, which goes as JSON. Waits while the client
--- does not read. Returns true, or nil, err when it has gone; sending after
--- that ends the handler.
function Events:send(data, options)
  local kind = type(data)
  if kind == "number" then
    data = tostring(data)
  elseif kind ~= "string" and kind ~= "table"
    and not (data == nil and options) then
    fail("events:send: data are a string or a table, not "
      .. (data == nil and "nil" or "a " .. kind))
  end
  local event, id, retry
  if options then
    options = check_options("events:send", event_options, options)
    event, id, retry = options.event or nil, options.id or nil,
      options.retry or nil
  end
  local result = send(self.res, data, event, id, retry and retry * 1000)
  if result == INVALID then
    fail("events:send: an event's type and id are one line, an id without NUL")
  elseif id then
    self.last_id = tostring(id)
  end
  return say("events:send", result, self.res)
end

--- events:comment([text]): a line that clients pass over
function Events:comment(text)
  return say("events:comment", comment(self.res, text or ""), self.res)
end

local known_subscribe = {
  queue = "count", queue_bytes = "size", full = "text", event = "text",
  history = "flag",
}

-- Messages of several topics have no number that says what came before.
local function is_pattern(topic)
  return ("." .. topic .. "."):find(".*.", 1, true) or topic == ">"
    or topic:sub(-2) == ".>"
end

--- events:subscribe(topic [, options] [, fn]): sends what is published to the
--- topic, a name or a pattern, until the client leaves. Of a channel, messages
--- have their numbers for ids, and what was published since events.last_id
--- comes first (option history: to those who have none, all that is
--- remembered). fn(value, topic, number) may give other data, and options of
--- events:send; nil: nothing. Other options: queue, queue_bytes, event, full
--- ["close"]: a client that is too slow is cut off, and comes again. Waits;
--- returns nil, err.
function Events:subscribe(topic, options, fn)
  if type(options) == "function" and fn == nil then
    options, fn = nil, options
  end
  options = check_options("events:subscribe", known_subscribe, options)
  local since = tonumber(self.last_id) or options.history and 0 or nil
  local sub, err = pl.subscribe(topic, {
    queue = options.queue or nil, queue_bytes = options.queue_bytes or nil,
    full = options.full or "close", since = not is_pattern(topic) and since
      or nil,
  })
  if not sub then
    return nil, err
  end
  local willing = self.willing and self.willing(self, sub)
  local ok, value, from, number
  repeat
    value, from, number = sub:receive()
    if value == nil then
      if willing then
        willing(self)
      end
      return nil, from
    end
    local data, more
    if fn then
      data, more = fn(value, from, number)
    else
      data = type(value) == "string" and value or pl.json.encode(value)
    end
    if data ~= nil then
      ok, err = self:send(data, more or {
        event = options.event, id = not is_pattern(topic) and number or nil,
      })
    end
  until not ok and err
  return nil, err
end
