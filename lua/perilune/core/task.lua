-- task.lua - several things at once: spawn, all, race, timeout, defer.
--
-- all, race and timeout run functions as children of the calling task. They
-- return when every child is over, so nothing of theirs runs on behind the
-- caller's back. Children of a cancelled task are cancelled; an error of a
-- child cancels its siblings and is raised in the parent.
--
-- spawn starts a task of its own, which ends with the generation.

local core, pl = ...
local start, join, cancel = core.start, core.join, core.cancel
local new_group, fork, gather = core.group, core.fork, core.gather
local disband, expired = core.disband, core.expired
local traced, describe, report = core.traced, core.describe, core.report
local raise, failure, is_canceled = core.raise, core.failure, core.is_canceled
local fail, is_loading = core.fail, core.is_loading
local error, select, setmetatable, type, xpcall =
  error, select, setmetatable, type, xpcall
local unpack = table.unpack or unpack

local function check_function(call, fn)
  if type(fn) ~= "function" then
    fail(call .. ": a function is needed, not a " .. type(fn))
  end
end

-- { n = count, ... }
local function pack(...)
  return { n = select("#", ...), ... }
end

-- ---- spawn -----------------------------------------------------------------

local Task = { __name = "pl.task" }
Task.__index = Task

local recorded = {} -- what was spawned while the site was loading

local function settle(task, ok, ...)
  task.outcome = ok and "done" or is_canceled((...)) and "canceled" or "failed"
  task.values = pack(...)
  if task.outcome == "failed" and task.joining == 0 then
    report(describe((...)))
  end
end

local function body(task, fn, ...)
  return settle(task, xpcall(fn, traced, ...))
end

local function launch(task, args)
  task.handle = start(body, task, unpack(args, 1, args.n))
end

--- Runs fn(...) as a task of its own and returns it. Nobody has to join it: an
--- error that nobody waits for is logged.
function pl.spawn(fn, ...)
  check_function("pl.spawn", fn)
  local task = setmetatable({ joining = 0 }, Task)
  if is_loading() then
    task.pending = pack(fn, ...)
    recorded[#recorded + 1] = task
  else
    task.handle = start(body, task, fn, ...)
  end
  return task
end

--- Waits until the task is over, its defers included. Returns what its function
--- has returned, or raises its error.
function Task:join()
  if self.pending then
    fail("task:join: the task starts when the site has been loaded")
  end
  if self.handle then
    self.joining = self.joining + 1
    local result = join(self.handle)
    self.joining = self.joining - 1
    if result < 0 then
      raise("task:join", result)
    end
  end
  local values = self.values
  if self.outcome == "done" then
    return unpack(values, 1, values.n)
  elseif values then
    error(values[1], 0)
  end
  error("the task ended without a result", 0) -- no memory to keep it
end

--- Asks the task to end: its waits fail from now on.
function Task:cancel()
  if self.pending then
    self.pending, self.outcome = nil, "canceled"
    self.values = pack(failure(core.CANCELED, "task"))
  elseif self.handle then
    cancel(self.handle)
  end
end

--- "pending" (the site is loading), "running", "done", "failed", "canceled".
function Task:status()
  return self.outcome or (self.pending and "pending" or "running")
end

function core.start_recorded()
  local tasks = recorded
  recorded = {}
  for i = 1, #tasks do
    local args = tasks[i].pending
    if args then
      tasks[i].pending = nil
      launch(tasks[i], args)
    end
  end
end

-- ---- all, race, timeout ----------------------------------------------------

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

-- ---- defer -----------------------------------------------------------------

--- pl.defer(fn): fn() runs when the task ends, however it ends; last first. It
--- may wait, for a limited time.
pl.defer = core.defer

-- Called when the task's function is over. fn may defer more.
function core.run_defers(list)
  local n = #list
  while n > 0 do
    local fn = list[n]
    list[n] = nil
    local ok, err = xpcall(fn, traced)
    if not ok and not is_canceled(err) then
      report(describe(err))
    end
    n = #list
  end
end

core.check_function = check_function
