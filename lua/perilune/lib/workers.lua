-- workers.lua - pl.workers: the other workers of the process.

local core, pl, c = ...
local send = c.send
local fail = core.fail

local workers = { id = core.worker, count = core.workers }

--- Sends value to the worker of that number, or to "all" (also to this one):
--- their pl.on("message") functions get it, and this worker's number.
function workers.send(to, value)
  if to == "all" then
    to = nil
  elseif to == nil then
    fail("pl.workers.send: the worker must be a number or \"all\", not nil")
  end
  return send(to, value)
end

--- What this worker has counted since its start: { connections = { ... },
--- requests = { ... }, tls = { ... } }.
workers.stats = c.stats

pl.workers = workers -- last: it is there as a whole, or not at all
