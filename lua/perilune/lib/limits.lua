-- limits.lua - pl.limit: how much each client may have.

local core, pl, c = ...
local new, ask, take, forget = c.new, c.ask, c.take, c.forget
local caller, check_loading, check_options, check_string, fail =
  core.caller, core.check_loading, core.check_options, core.check_string,
  core.fail
local floor, sleep, type = math.floor, pl.sleep, type

local call = "pl.limit"
local known = {
  rate = "any", burst = "number", delay = "duration", concurrent = "number",
  key = "any", ipv4 = "number", ipv6 = "number", allow = "words",
  status = "number", message = "text", name = "text", clients = "number",
}

local function whole(options, name, most)
  local value = options[name]
  if value and (floor(value) ~= value or value < 1 or value > most) then
    fail(("%s: option '%s' must be a whole number from 1 to %d"):format(call,
      name, most))
  end
  return value or nil
end

local function text(options, name)
  local value = options[name]
  if type(value) == "number" then
    return ("%d/s"):format(value)
  elseif value then
    check_string(call, "option '" .. name .. "'", value)
  end
  return value or nil
end

-- Limits of one place in the site are told from each other, in the same way by
-- each worker and each reload.
local named = {}

local function name_of(options)
  if options.name then
    return options.name
  end
  local place = caller()
  named[place] = (named[place] or 0) + 1
  return named[place] == 1 and place or place .. "#" .. named[place]
end

local function check_key(who, key)
  if type(key) == "number" then
    return ("%.14g"):format(key)
  end
  check_string(who, "the key", key)
  return key
end

-- key(req) says who it is; nothing: the request is not limited.
local function by_function(filter, key, place)
  local who = call .. " of " .. place
  return function(req, _, next)
    local name = key(req)
    local wait = 0
    if name then
      wait = ask(filter, req, check_key(who, name))
    end
    if not wait then
      return -- the answer has been built
    elseif wait > 0 then
      sleep(wait)
    end
    return next()
  end
end

--- pl.limit{ rate = "10/s", burst = 20, delay = "1s", concurrent = 4,
--- key = "address", allow = { "10.0.0.0/8" } }: a filter that lets each client
--- have only so much, of all workers together; beyond it the answer is 429.
--- key: "address", "user", "all", "header:NAME", or function(req). Also "10/s".
function pl.limit(options)
  check_loading(call)
  if type(options) == "function" then -- what key = function has made
    return options
  elseif type(options) == "string" or type(options) == "number" then
    options = { rate = options }
  end
  options = check_options(call, known, options)
  local key = options.key
  local by = type(key) == "function"
  local filter = new(name_of(options), text(options, "rate"),
    whole(options, "burst", 1e6), options.delay or nil,
    whole(options, "concurrent", 1e6), not by and text(options, "key") or nil,
    whole(options, "ipv4", 32), whole(options, "ipv6", 128),
    options.allow or nil, whole(options, "status", 599),
    options.message or nil, whole(options, "clients", 2 ^ 24))
  return by and by_function(filter, key, caller()) or filter
end

local methods = {}

--- limit:take(key): one token of the limit's rate, for whoever key names. true,
--- after waiting if there is a delay; or false, and the seconds until there is
--- one.
function methods:take(key)
  local ok, wait = take(self, check_key("limit:take", key))
  if ok and wait > 0 then
    sleep(wait)
  end
  return ok, not ok and wait or nil
end

--- limit:forget(key): whoever key names has used nothing of the rate.
function methods:forget(key)
  forget(self, check_key("limit:forget", key))
end

c.open(methods)
