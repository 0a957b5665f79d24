-- group.lua - several things at once: all, race, timeout.
--
-- They run functions as children of the calling task, and return when every
-- child is over, so nothing of theirs runs on behind the caller's back.
-- Children of a cancelled task are cancelled; an error of a child cancels its
-- siblings and is raised in the parent.

local core, pl, c = ...
local new_group, fork, gather = c.new, c.fork, c.gather
local disband, expired = c.disband, c.expired
local check_function, fail = core.check_function, core.fail
local traced, raise, failure = core.traced, core.raise, core.failure
local pack = core.pack
local error, select, type, xpcall = error, select, type, xpcall
local unpack = table.unpack or unpack

c.open()

local function check_functions(call, fns)
  if type(fns) ~= "table" then
    fail(call .. ": a list of functions is needed, not a " .. type(fns))
  end
  for i = 1, #fns do
    check_function(call, fns[i])
  end
  return #fns
end

-- Runs body(out, group, i, fn) for each function and waits for all of them.
local function together(call, seconds, member, fns, n)
  local group = new_group(call, seconds)
  local out = {}
  for i = 1, n do
    fork(group, member, out, group, i, fns[i])
  end
  local result = gather(group)
  if result < 0 then
    raise(call, result)
  end
  return out, group
end

local function keep_one(out, group, i, ok, value)
  if ok then
    out[i] = value
  elseif not out.failed then
    out.failed, out.err = true, value
    disband(group)
  end
end

local function all_member(out, group, i, fn)
  return keep_one(out, group, i, xpcall(fn, traced))
end

--- pl.all{ fn, ... }: runs the functions at the same time. Returns the first
--- result of each, in their order. The first error cancels the others and is
--- raised when they are over.
function pl.all(fns)
  local n = check_functions("pl.all", fns)
  local out = together("pl.all", nil, all_member, fns, n)
  if out.failed then
    error(out.err, 0)
  end
  return unpack(out, 1, n)
end

local function keep_first(out, group, i, ok, ...)
  if not out.index then
    out.index, out.ok, out.values = i, ok, pack(...)
    disband(group)
  end
end

local function race_member(out, group, i, fn)
  return keep_first(out, group, i, xpcall(fn, traced))
end

--- pl.race{ fn, ... }: the first to end wins, the others are cancelled. Returns
--- the winner's index and its results; or raises its error.
function pl.race(fns)
  local n = check_functions("pl.race", fns)
  if n == 0 then
    fail("pl.race: the list of functions is empty")
  end
  local out = together("pl.race", nil, race_member, fns, n)
  if not out.ok then
    error(out.values[1], 0)
  end
  return out.index, unpack(out.values, 1, out.values.n)
end

--- pl.timeout(seconds, fn, ...): the results of fn(...). If that takes longer,
--- it is cancelled, and the result is nil and an error with the code "timeout".
function pl.timeout(seconds, fn, ...)
  check_function("pl.timeout", fn)
  if type(seconds) ~= "number" or seconds ~= seconds then
    fail("pl.timeout: the seconds must be a number")
  end
  local args = select("#", ...) > 0 and pack(...)
  local run = args and function()
    return fn(unpack(args, 1, args.n))
  end or fn
  local limit = seconds > 0 and seconds or 0
  local out, group = together("pl.timeout", limit, race_member, { run }, 1)
  if out.ok then
    return unpack(out.values, 1, out.values.n)
  elseif expired(group) then
    return nil, failure(core.TIMEOUT, "pl.timeout")
  end
  error(out.values[1], 0)
end
