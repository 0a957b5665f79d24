-- task.lua - pl.spawn: a task of its own, which ends with the generation.

local core, pl, c = ...
local start, join, cancel = c.start, c.join, c.cancel
local check_function, is_loading = core.check_function, core.is_loading
local traced, describe, report = core.traced, core.describe, core.report
local raise, failure, fail = core.raise, core.failure, core.fail
local is_canceled, pack = core.is_canceled, core.pack
local error, setmetatable, xpcall = error, setmetatable, xpcall
local unpack = table.unpack or unpack

c.open()

local Task = { __name = "pl.task" }
Task.__index = Task

-- A task of the library's own, which may finish when the generation ends.
function core.foreground(task)
  if task.handle then
    c.foreground(task.handle)
  end
  task.foreground = true
end

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
  if task.foreground then
    c.foreground(task.handle)
  end
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

core.when("commit", function()
  local tasks = recorded
  recorded = {}
  for i = 1, #tasks do
    local args = tasks[i].pending
    if args then
      tasks[i].pending = nil
      launch(tasks[i], args)
    end
  end
end)
