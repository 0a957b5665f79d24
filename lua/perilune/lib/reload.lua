-- reload.lua - pl.reload: the site, loaded anew while it serves.

local core, pl, c = ...
local CANCELED = core.CANCELED

--- pl.reload() -> true when all workers serve what the site's files say now; or
--- nil, err, and they serve what they did before. Who calls goes on in the
--- generation that it began in.
function pl.reload()
  local reload = c.new()
  local code = c.wait(reload)
  if code == CANCELED then
    core.raise("pl.reload", code)
  end
  return c.result(reload, code)
end
