-- task.lua - what any task may do: sleep, and leave something to be done at its
-- end. Further tasks are in lib/task.lua, lib/group.lua and lib/timer.lua.

local core, pl = ...
local sleep, raise = core.sleep, core.raise
local traced, describe, report = core.traced, core.describe, core.report
local is_canceled = core.is_canceled
local select, xpcall = select, xpcall

-- { n = count, ... }
function core.pack(...)
  return { n = select("#", ...), ... }
end

--- Waits. Raises an error only when the task is cancelled.
function pl.sleep(seconds)
  local result = sleep(seconds)
  if result < 0 then
    raise("pl.sleep", result)
  end
end

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
