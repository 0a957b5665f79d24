-- event.lua - pl.on: functions for what happens to the whole site.

local core, pl = ...
local check_function, fail, guard =
  core.check_function, core.fail, core.guard
local next_message = core.next_message
local describe, report, traced = core.describe, core.report, core.traced
local tostring, xpcall = tostring, xpcall

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

-- Looks at the messages that are there, one after another: none is passed over,
-- whatever becomes of the one before.
function core.messages()
  while true do
    local ok, from, value = xpcall(next_message, traced)
    if not ok then
      report(describe(from))
    elseif from == nil then
      return
    else
      core.emit("message", value, from)
    end
  end
end

-- What parts of the library have to do: "commit": before the site's "start";
-- "lead": this worker does from now on what is done once per process; "retire":
-- another generation has taken over. None of it waits.
local moments = { commit = {}, lead = {}, retire = {} }

function core.when(moment, fn)
  local list = moments[moment]
  list[#list + 1] = fn
end

local function tell(moment)
  local list = moments[moment]
  for i = 1, #list do
    guard(list[i])
  end
end

function core.commit()
  tell("commit")
  core.emit("start")
end

function core.lead()
  tell("lead")
end

function core.retire()
  tell("retire")
end
