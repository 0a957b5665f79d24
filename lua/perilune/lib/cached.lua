-- cached.lua - pl.cached: a value that is made once, for all who ask for it.

local core, pl = ...
core.load_part "signal"
local signal, await_signal, fire = core.signal, core.await_signal, core.fire
local check_string, check_function, fail =
  core.check_string, core.check_function, core.fail
local is_canceled, parse_seconds, raise, traced =
  core.is_canceled, core.parse_seconds, core.raise, core.traced
local shared, sleep, now = pl.shared, pl.sleep, pl.now
local error, pairs, pcall, running, type, xpcall =
  error, pairs, pcall, coroutine.running, type, xpcall

local CALL = "pl.cached"

-- Who makes a value for all workers says so in the dictionary, for at most so
-- long: then another one tries. The others look every now and then.
local LEASE, LEAST_PAUSE, MOST_PAUSE = 30, 0.002, 0.05
local SUFFIX = "\0making"

-- What is being made in this worker: by cache and key.
local flights = {}

-- Values that only this worker can hold (functions, objects, ...).
local KEPT_MAX = 1000
local kept, kept_count = {}, 0

local function look_kept(id)
  local entry = kept[id]
  if entry and now() < entry.expires then
    return entry.value
  end
end

local function keep(id, value, ttl)
  if kept_count >= KEPT_MAX then
    kept_count = 0
    for other, entry in pairs(kept) do
      if now() >= entry.expires then
        kept[other] = nil
      else
        kept_count = kept_count + 1
      end
    end
    if kept_count >= KEPT_MAX then
      kept, kept_count = {}, 0
    end
  end
  kept_count = kept_count + (kept[id] and 0 or 1)
  kept[id] = { value = value, expires = now() + ttl }
end

-- The value that another worker makes; or true: it is our turn.
local function take_turn(dict, key)
  local pause = LEAST_PAUSE
  while true do
    local mine, err = dict:add(key .. SUFFIX, true, LEASE)
    if mine or err.code ~= "exists" then
      local value = dict:get(key) -- made just before
      if value ~= nil and mine then
        dict:delete(key .. SUFFIX)
      end
      return value == nil, value
    end
    sleep(pause)
    pause = pause * 2 < MOST_PAUSE and pause * 2 or MOST_PAUSE
    local value = dict:get(key)
    if value ~= nil then
      return false, value
    end
  end
end

local function make(dict, id, key, ttl, fn)
  local mine, found = take_turn(dict, key)
  if not mine then
    return found
  end
  local ok, value, err = xpcall(fn, traced)
  if ok and value ~= nil and not pcall(dict.set, dict, key, value, ttl) then
    keep(id, value, ttl)
  end
  dict:delete(key .. SUFFIX)
  if not ok then
    error(value, 0)
  end
  return value, err
end

-- Makes it for all in this worker who ask meanwhile.
local function lead(dict, id, key, ttl, fn)
  local flight = { signal = signal(), maker = running() }
  flights[id] = flight
  local ok, value, err = pcall(make, dict, id, key, ttl, fn)
  flights[id] = nil
  if ok then
    flight.done, flight.value, flight.err = true, value, err
  elseif not is_canceled(value) then
    flight.problem = value
  end
  fire(flight.signal)
  if not ok then
    error(value, 0)
  end
  return value, err
end

--- pl.cached(name, key, ttl, fn): what fn() gives, kept for ttl in
--- pl.shared(name). Whoever asks while it is being made waits for the same: one
--- task makes it, of all workers. Nothing is kept of nil, err, nor of an error,
--- which all get who waited in the same worker. What workers cannot share is
--- kept in this one.
function pl.cached(name, key, ttl, fn)
  check_string(CALL, "the name", name)
  check_string(CALL, "the key", key)
  check_function(CALL, fn)
  local seconds = type(ttl) == "number" and ttl or parse_seconds(ttl)
  if not seconds or seconds <= 0 then
    fail(CALL .. ": the time to live must be seconds, or a time like \"5m\"")
  end
  local dict, id = shared(name), name .. "\0" .. key
  while true do
    local value = dict:get(key)
    if value == nil then
      value = look_kept(id)
    end
    if value ~= nil then
      return value
    end
    local flight = flights[id]
    if not flight then
      return lead(dict, id, key, seconds, fn)
    elseif flight.maker == running() then
      fail(("%s: the function that makes '%s' asks for it itself")
        :format(CALL, key))
    end
    local result = await_signal(flight.signal, CALL)
    if result < 0 then
      raise(CALL, result)
    elseif flight.done then
      return flight.value, flight.err
    elseif flight.problem ~= nil then
      error(flight.problem, 0)
    end -- its task was cancelled: again
  end
end
