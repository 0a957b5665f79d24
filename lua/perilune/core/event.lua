-- event.lua - pl.on: functions for what happens to the whole site.

local core, pl = ...
local check_function, fail, guard =
  core.check_function, core.fail, core.guard
local tostring = tostring

-- "start": after the commit; "stop": before the worker ends; "reload": another
-- generation takes over; "message": pl.workers.send().
local handlers = { start = {}, stop = {}, reload = {}, message = {} }

--- pl.on(event, fn): fn(...) runs as part of a task, after those registered
--- before it.
function pl.on(event, fn)
  local list = handlers[event]
  if not list then
    fail("pl.on: no such event (there are start, stop, reload, message): "
      .. tostring(event))
  end
  check_function("pl.on", fn)
  list[#list + 1] = fn
end

function core.emit(event, ...)
  local list = handlers[event]
  for i = 1, #list do
    guard(list[i], ...)
  end
end

function core.commit()
  core.start_timers()
  core.start_recorded()
  core.emit("start")
end
