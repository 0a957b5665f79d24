-- timer.lua - pl.every.
--
-- A timer is a task that sleeps until it is due, runs the function as a child
-- and waits for it: so it never overlaps itself. It is due at fixed moments, a
-- period apart; those that pass while the function runs are left out.

local core, pl, c = ...
local sleep_until, now = core.sleep_until, core.now
local raise, fail, caller = core.raise, core.fail, core.caller
local check_function, is_loading, is_leading =
  core.check_function, core.is_loading, core.is_leading
local guard, is_canceled = core.guard, core.is_canceled
local spawn, all = pl.spawn, pl.all
local ceil = math.ceil
local error, pairs, pcall, setmetatable, type =
  error, pairs, pcall, setmetatable, type

local Timer = { __name = "pl.timer" }
Timer.__index = Timer

-- "name@period" -> when it is due; the next generation goes on from here.
local timers = {}
c.keep_timers(timers)

local active = {} -- timer -> true
local retired = false
local recorded = {} -- timers of a site that is loading
local waiting = {} -- those of the process, while another worker leads

local function next_due(due, period)
  local late = now() - due
  return due + period * (late < 0 and 0 or ceil(late / period))
end

local function loop(timer)
  local fns = { function() guard(timer.fn) end }
  local due = next_due(timers[timer.id] or now() + timer.period, timer.period)
  repeat
    timers[timer.id] = due
    timer.sleeping = true
    local result = sleep_until(due)
    timer.sleeping = false
    if result < 0 then
      raise("pl.every", result)
    end
    local ok, err = pcall(all, fns)
    if not ok and is_canceled(err) then
      error(err, 0)
    end -- else fn was aborted, or had no memory: that was told
    due = next_due(due + timer.period, timer.period)
  until retired
end

-- What is done once per process is done by the worker that leads. When that
-- one has ended, another goes on, a period after it takes over.
local function launch(timer)
  if retired then
    return
  end
  if not timer.each_worker and not is_leading() then
    waiting[#waiting + 1] = timer
    return
  end
  timer.task = spawn(loop, timer)
  core.foreground(timer.task)
  active[timer] = true
end

-- Two timers of one name share nothing but the name.
local function identify(timer, name)
  local id, n = name .. "@" .. timer.period, 1
  while timers[id] or recorded[id] do
    n = n + 1
    id = name .. "#" .. n .. "@" .. timer.period
  end
  return id
end

--- Calls fn() every so many seconds, for the first time after that many: on one
--- worker of the process, or on each. options: each_worker, name. Returns a
--- timer; timer:cancel() ends it.
function pl.every(seconds, fn, options)
  check_function("pl.every", fn)
  if type(seconds) ~= "number"
    or not (seconds >= 0.001 and seconds < 2 ^ 31) then
    fail("pl.every: the seconds must be a number, at least 0.001")
  end
  options = options or {}
  local timer = setmetatable({ period = seconds, fn = fn }, Timer)
  timer.id = identify(timer, options.name or caller())
  timer.each_worker = options.each_worker
  if is_loading() then
    recorded[#recorded + 1], recorded[timer.id] = timer, true
  else
    launch(timer)
  end
  return timer
end

function Timer:cancel()
  self.canceled = true
  timers[self.id], active[self] = nil, nil
  if self.task then
    self.task:cancel()
  end
end

-- timers holds what the previous generation had; what is not taken up goes.
core.when("commit", function()
  local mine = recorded
  recorded = {}
  for id in pairs(timers) do
    if not mine[id] then
      timers[id] = nil
    end
  end
  for i = 1, #mine do
    if not mine[i].canceled then
      launch(mine[i])
    end
  end
end)

-- This worker leads from now on.
core.when("lead", function()
  local timers_of_process = waiting
  waiting = {}
  for i = 1, #timers_of_process do
    if not timers_of_process[i].canceled then
      launch(timers_of_process[i])
    end
  end
end)

-- Another generation has taken the timers over. What runs may end.
core.when("retire", function()
  retired, waiting = true, {}
  for timer in pairs(active) do
    if timer.sleeping then
      timer.task:cancel()
    end
  end
end)
