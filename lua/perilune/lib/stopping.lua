-- stopping.lua - pl.stopping: for handlers whose responses have no end of their
-- own.

local core, pl, natives = ...
local is_stopping, wait = natives.is_stopping, natives.wait
local fail, raise = core.fail, core.raise
local type = type

--- pl.stopping() -> has the server begun to stop? pl.stopping(seconds): waits
--- for that, so long at most: pl.sleep for loops that should end then.
function pl.stopping(seconds)
  if seconds == nil then
    return is_stopping()
  elseif type(seconds) ~= "number" or seconds ~= seconds then
    fail("pl.stopping: the seconds must be a number")
  end
  local result = wait(seconds)
  if result < 0 then
    raise("pl.stopping", result)
  end
  return result > 0
end
