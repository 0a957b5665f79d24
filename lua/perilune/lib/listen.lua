-- listen.lua - checks of what pl.listen is given beside addresses. Loaded when
-- a site first has such a listener.

local core = ...
local fail, check_string, check_options =
  core.fail, core.check_string, core.check_options

local known = {
  backlog = "count", reuseport = "count", mode = "mode", v6only = "flag",
  defer_accept = "flag", protocol = "text",
}

--- Returns the options alone; false means not given.
function core.check_listen(addresses)
  local options = check_options("pl.listen", known, addresses)
  if not addresses or #addresses == 0 then
    fail("pl.listen: an address is needed, as in { \":8080\" }")
  end
  for i = 1, #addresses do
    check_string("pl.listen", "the address", addresses[i])
  end
  return options
end
