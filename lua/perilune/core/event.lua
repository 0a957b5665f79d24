-- event.lua - pl.on: functions for what happens to the whole site.

local core, pl = ...
local check_function, fail = core.check_function, core.fail
local traced, describe, report = core.traced, core.describe, core.report
local is_canceled = core.is_canceled
local error, tostring, xpcall = error, tostring, xpcall

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
    local ok, err = xpcall(list[i], traced, ...)
    if not ok then
      if is_canceled(err) then
        error(err, 0)
      end
      report(describe(err))
    end
  end
end

function core.commit()
  core.start_timers()
  core.start_recorded()
  core.emit("start")
end
