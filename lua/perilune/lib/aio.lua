-- aio.lua - pl.aio, which is `require "perilune.aio"`: promises as scripts of
-- 80s have them, on perilune's tasks.
--
-- A promise is a function that takes a callback (or a coroutine), which gets
-- the values once they are there, perhaps at once. Whoever waits is a task:
-- await suspends it, never the worker. An error in a callback or a step of a
-- chain ends there: it is reported with its traceback, and what was to follow
-- goes on with a value { error = text }, so that nobody waits for ever.
--
-- Queries, and the encryption of what is in them, are in lib/aio_query.lua;
-- texts and hashes in lib/codec_80s.lua.

local core, pl = ...
core.load_part "signal"
local signal, await_signal, fire =
  core.signal, core.await_signal, core.fire
local check_function, fail = core.check_function, core.fail
local describe, report, traced = core.describe, core.report, core.traced
local is_canceled, pack, raise = core.is_canceled, core.pack, core.raise
local error, getmetatable, ipairs, next, rawget, select, setmetatable,
  tostring, type, xpcall =
  error, getmetatable, ipairs, next, rawget, select, setmetatable, tostring,
  type, xpcall
local unpack = table.unpack or unpack

local aio = {}

-- ---- promises --------------------------------------------------------------

-- Calls fn(...). Returns what xpcall does; that the task is to end is raised,
-- any other error reported.
local function attempt(fn, ...)
  local results = pack(xpcall(fn, traced, ...))
  if not results[1] then
    if is_canceled(results[2]) then
      error(results[2], 0)
    end
    report(describe(results[2]))
  end
  return results
end

-- Gives the values to who has asked for them.
local function deliver(taker, values)
  if type(taker) ~= "thread" then
    attempt(taker, unpack(values, 1, values.n))
    return
  end
  local ok, err = coroutine.resume(taker, unpack(values, 1, values.n))
  if not ok then
    report(describe(err, debug.traceback(taker)))
  end
end

--- resolve, promise = aio:prepare_promise(): resolve(...) gives the values to
--- all that have asked the promise for them, and to those that ask later. Only
--- the first call counts.
function aio:prepare_promise()
  local takers, values = {}, nil
  local function resolve(...)
    if values then
      return
    end
    values = pack(...)
    local list = takers
    takers = nil
    for i = 1, #list do
      deliver(list[i], values)
    end
  end
  local function promise(taker)
    if type(taker) ~= "thread" then
      check_function("promise", taker)
    end
    if values then
      deliver(taker, values)
    else
      takers[#takers + 1] = taker
    end
  end
  return resolve, promise
end

-- What stands for a result that there is not.
local function make_error(text)
  return { error = tostring(text) }
end

aio.make_error = make_error

--- aio.iserror(value): is it { error = ... }?
function aio.iserror(value)
  return type(value) == "table" and rawget(value, "error") ~= nil
end

local function check_promises(call, ...)
  for i = 1, select("#", ...) do
    if type((select(i, ...))) ~= "function" then
      fail(("%s: argument %d must be a promise (a function), not %s"):format(
        call, i, type((select(i, ...)))))
    end
  end
  return select("#", ...)
end

--- aio:gather(promise, ...): a promise of the first value of each, in order.
function aio:gather(...)
  local n = check_promises("aio:gather", ...)
  local resolve, promise = aio:prepare_promise()
  local results, missing = {}, n
  if n == 0 then
    resolve()
  end
  for i = 1, n do
    local known
    select(i, ...)(function(value)
      if not known then
        known, results[i], missing = true, value, missing - 1
        if missing == 0 then
          resolve(unpack(results, 1, n))
        end
      end
    end)
  end
  return promise
end

--- aio:chain(promise, fn, ...): each function gets what the one before has
--- returned, a value or the values of a promise. Gives a promise of what the
--- last one returns. A function that raises an error ends the chain: its
--- promise is of { error = text }.
function aio:chain(first, ...)
  local n = check_promises("aio:chain", first, ...) - 1
  local steps = { ... }
  local resolve, promise = aio:prepare_promise()
  local function step(i, ...)
    if i > n then
      return resolve(...)
    end
    local results = attempt(steps[i], ...)
    if not results[1] then
      resolve(make_error(results[2]))
    elseif type(results[2]) == "function" then
      results[2](function(...)
        return step(i + 1, ...)
      end)
    else
      return step(i + 1, unpack(results, 2, results.n))
    end
  end
  first(function(...)
    return step(1, ...)
  end)
  return promise
end

-- ---- tasks -----------------------------------------------------------------

local function is_task(value)
  return type(value) == "table" and getmetatable(value) ~= nil
    and type(value.join) == "function"
end

--- aio:await(promise): its values. Of what aio:async() or pl.spawn() has given:
--- the results of the function, or its error, which is raised. Waits.
function aio:await(promise)
  if is_task(promise) then
    return promise:join()
  elseif type(promise) ~= "function" then
    fail("aio:await: a promise (a function) or a task is needed, not a "
      .. type(promise))
  end
  local values, waiting
  promise(function(...)
    if not values then
      values = pack(...)
      if waiting then
        fire(waiting)
      end
    end
  end)
  if not values then
    waiting = signal()
    local result = await_signal(waiting, "aio:await")
    if result < 0 then
      raise("aio:await", result)
    end
  end
  return unpack(values, 1, values.n)
end

--- aio:async(fn [, on_error]): runs fn as a task of its own, so that it may
--- wait. Returns the task, and true. An error is logged; on_error(err) is told
--- of it, or who awaits the task.
function aio:async(fn, on_error)
  check_function("aio:async", fn)
  if on_error == nil then
    return pl.spawn(fn), true
  end
  check_function("aio:async", on_error)
  return pl.spawn(function()
    local results = attempt(fn)
    if results[1] then
      return unpack(results, 2, results.n)
    end
    on_error(results[2])
  end), true
end

--- aio:map(array, fn, ...): a new array of fn(item, ...).
function aio:map(array, fn, ...)
  if type(array) ~= "table" then
    fail("aio:map: an array is needed, not a " .. type(array))
  end
  check_function("aio:map", fn)
  local out = {}
  for i, item in ipairs(array) do
    out[i] = fn(item, ...)
  end
  return out
end

-- ---- results that are kept -------------------------------------------------

local caches = {} -- name -> { count, entries = key -> entry }
local most_keys = 10000

--- aio:set_max_cache_size(n): so many keys of each cache, at most.
function aio:set_max_cache_size(n)
  if type(n) ~= "number" or n < 1 then
    fail "aio:set_max_cache_size: a number from 1 on is needed"
  end
  most_keys = n
end

local function cache_of(name)
  local cache = caches[name]
  if not cache then
    cache = { count = 0, entries = {} }
    caches[name] = cache
  end
  return cache
end

local function forget(cache, key, entry)
  if cache.entries[key] == entry then
    cache.entries[key], cache.count = nil, cache.count - 1
  end
end

-- A place for one more: any other key has to go.
local function new_entry(cache, key, seconds)
  if cache.entries[key] then
    forget(cache, key, cache.entries[key])
  elseif cache.count >= most_keys then
    local victim = next(cache.entries)
    forget(cache, victim, cache.entries[victim])
  end
  local entry = { seconds = seconds }
  entry.resolve, entry.promise = aio:prepare_promise()
  cache.entries[key], cache.count = entry, cache.count + 1
  return entry
end

local function settle(cache, key, entry, ...)
  entry.values = pack(...)
  entry.expires = entry.seconds and pl.now() + entry.seconds
  if aio.iserror((...)) then
    forget(cache, key, entry) -- the next one may have better luck
  end
  entry.resolve(...)
end

-- What the producer has returned: a value or a promise; or its error.
local function take(cache, key, entry, ok, first, ...)
  if not ok then
    forget(cache, key, entry)
    entry.resolve(make_error(first))
    error(first, 0)
  elseif type(first) == "function" then
    entry.promised = true
    first(function(...)
      settle(cache, key, entry, ...)
    end)
    return entry.promise
  end
  settle(cache, key, entry, first, ...)
  return first, ...
end

--- aio:cached(cache, key, producer [, condition|seconds [, seconds]]): what
--- producer() returns, asked once for each key of a cache and worker, and kept
--- for so many seconds, or for good. A promise is shared: all who ask get one
--- of its values. A producer that waits is waited for by who else asks
--- meanwhile. condition false: it is asked, and nothing is kept. Neither are
--- errors.
function aio:cached(name, key, producer, condition, seconds)
  check_function("aio:cached", producer)
  if name == nil or key == nil then
    fail "aio:cached: the name of the cache and the key must not be nil"
  elseif condition == false then
    return producer()
  elseif type(condition) == "number" then
    seconds = condition
  end
  local cache = cache_of(name)
  local entry = cache.entries[key]
  local stale = entry and entry.expires and entry.expires <= pl.now()
  if not entry or stale then
    entry = new_entry(cache, key, seconds)
    return take(cache, key, entry, xpcall(producer, traced))
  elseif entry.promised then
    return entry.promise
  elseif entry.values then
    return unpack(entry.values, 1, entry.values.n)
  end
  return aio:await(entry.promise)
end

-- ---- what is loaded when it is used ----------------------------------------

local rare = {
  parse_query = "aio_query", create_query = "aio_query", to_url = "aio_query",
  set_master_key = "aio_query", create_key = "aio_query",
  encrypt = "aio_query", decrypt = "aio_query",
  codec = "codec_80s", crypto = "codec_80s",
}

pl.aio = setmetatable(aio, {
  __name = "pl.aio",
  __index = function(_, name)
    if rare[name] then
      core.load_part(rare[name])
      return rawget(aio, name)
    end
  end,
})
