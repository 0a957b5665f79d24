-- shared.lua - pl.shared: dictionaries of the process, for all workers.

local core, pl, c = ...
local find, swap, open = c.find, c.swap, c.open
local check_function, check_options, fail =
  core.check_function, core.check_options, core.fail
local parse_size, parse_seconds = core.parse_size, core.parse_seconds

local Shared = {
  __name = "pl.shared",
  get = c.get, set = c.set, add = c.add, replace = c.replace, incr = c.incr,
  cas = c.cas, delete = c.delete, ttl = c.ttl, expire = c.expire,
  keys = c.keys, flush = c.flush, stats = c.stats,
}
Shared.__index = Shared

--- Puts fn(value) in the place of value (nil: there is none, or none is to be).
--- fn is called again when another has been faster. Gives the new value.
function Shared:update(key, fn)
  check_function("shared:update", fn)
  while true do
    local value, version = find(self, key)
    local new = fn(value)
    local done, err = swap(self, key, value, version, new)
    if done then
      return new
    elseif err then
      return nil, err
    end
  end
end

local known = { max = "size", ttl = "duration", evict = "flag" }

--- The dictionary of that name, made when it is first asked for. options: max,
--- evict, ttl.
function pl.shared(name, options)
  if options == nil then
    return open(Shared, name)
  end
  local checked = check_options("pl.shared", known, options)
  local max = parse_size(checked.max or "10m")
  local ttl = checked.ttl and parse_seconds(checked.ttl) or 0
  if not max or not ttl then
    fail("pl.shared: option '" .. (max and "ttl" or "max")
      .. "' is not understood")
  end
  return open(Shared, name, max, checked.evict or false, ttl)
end
