-- channel.lua - pl.channel: topics that number their messages, remember the
-- last of them, and know who is there.

local core, pl, c = ...
local open, range, read, join, leave =
  c.open, c.range, c.read, c.join, c.leave
local check_options, check_string, fail, task_id =
  core.check_options, core.check_string, core.fail, core.task_id
local parse_size, parse_seconds = core.parse_size, core.parse_seconds
local error, setmetatable, type = error, setmetatable, type

local Channel = { __name = "pl.channel" }
Channel.__index = Channel

local Presence = { __name = "pl.presence" }
Presence.__index = Presence

--- channel:publish(value) -> receivers, number; or nil, err
function Channel:publish(value)
  return pl.publish(self.name, value)
end

--- As pl.subscribe and pl.messages, of this topic. Option since: what is
--- remembered behind that number comes first (0: all of it).
function Channel:subscribe(...)
  return pl.subscribe(self.name, ...)
end

function Channel:messages(options)
  return pl.messages(self.name, options)
end

local known_history = { since = "number", limit = "count" }

--- channel:history([options]) -> list of { value, number, time }, the oldest
--- first: what is remembered, the last `limit` of it, behind number `since`.
function Channel:history(options)
  options = check_options("channel:history", known_history, options)
  local first, last = range(self.name)
  if not first then
    return nil, last
  end
  if options.since and options.since >= first then
    first = options.since + 1
  end
  if options.limit and last - first >= options.limit then
    first = last - options.limit + 1
  end
  local list, n = {}, 0
  while first <= last do
    local value, number, time = read(self.name, first)
    if value == nil or number > last then
      break
    end
    n = n + 1
    list[n] = { value = value, number = number, time = time }
    first = number + 1
  end
  return list
end

--- channel:join(name [, info]) -> presence, or nil, err: the task is in the
--- channel as name until it ends, or presence:leave().
function Channel:join(name, info)
  if not task_id() then
    fail("channel:join: may only be called inside a task (a handler, timer or "
      .. "spawned function)")
  end
  local presence = setmetatable({}, Presence)
  pl.defer(function()
    presence:leave()
  end)
  local err
  presence.ref, err = join(self.name, name, info)
  if not presence.ref then
    return nil, err
  end
  presence.id, presence.name = err, name
  return presence
end

function Presence:leave()
  local ref = self.ref
  self.ref = nil
  if ref then
    leave(ref)
  end
end

--- channel:members() -> list of { id, name, info, worker }, whoever is in it
function Channel:members()
  return c.members(self.name)
end

local known = {
  history = "count", history_age = "duration", history_bytes = "size",
  presence = "flag",
}

--- The topic of that name as a channel. options: history (how many messages it
--- remembers), history_age, history_bytes, presence (joining and leaving is
--- published to name .. ".presence"). Without: the channel that is there.
function pl.channel(name, options)
  check_string("pl.channel", "the name", name)
  local ok, err
  if options == nil then
    ok, err = open(name)
  else
    options = check_options("pl.channel", known, options)
    local age = parse_seconds(options.history_age or "0")
    local bytes = parse_size(options.history_bytes or "1m")
    if not age or not bytes then
      fail("pl.channel: option '" .. (age and "history_bytes" or "history_age")
        .. "' is not understood")
    end
    ok, err = open(name, options.history or 0, age, bytes,
      options.presence or false)
  end
  if not ok then
    if core.is_loading() then
      error(err, 0)
    end
    return nil, err
  end
  return setmetatable({ name = name }, Channel)
end
