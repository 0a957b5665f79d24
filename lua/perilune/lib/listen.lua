-- listen.lua - checks of what pl.listen is given beside addresses. Loaded when
-- a site first has such a listener.

local core = ...
local fail, check_string, check_options =
  core.fail, core.check_string, core.check_options
local concat, pairs, type = table.concat, pairs, type

local known = {
  backlog = "count", reuseport = "count", mode = "mode", v6only = "flag",
  defer_accept = "flag", protocol = "text", proxy_protocol = "flag_or_text",
  trusted = "text",
}

--- A string, or a list of strings, as one with spaces between.
function core.words(call, name, value)
  if type(value) == "table" then
    for i = 1, #value do
      check_string(call, "each of '" .. name .. "'", value[i])
    end
    return concat(value, " ")
  end
  return value
end

--- Returns the options alone; false means not given.
function core.check_listen(addresses)
  local given = addresses
  if type(addresses) == "table" then
    given = {}
    for name, value in pairs(addresses) do
      given[name] = name == "trusted" and core.words("pl.listen", name, value)
        or value
    end
  end
  local options = check_options("pl.listen", known, given)
  if not addresses or #addresses == 0 then
    fail("pl.listen: an address is needed, as in { \":8080\" }")
  end
  for i = 1, #addresses do
    check_string("pl.listen", "the address", addresses[i])
  end
  return options
end
