-- listen.lua - checks of what pl.listen is given beside addresses. Loaded when
-- a site first has such a listener.

local core = ...
local fail, check_string, check_options =
  core.fail, core.check_string, core.check_options
local concat, pairs, tonumber, type = table.concat, pairs, tonumber, type

local known = {
  backlog = "count", reuseport = "count", mode = "mode", v6only = "flag",
  defer_accept = "flag", protocol = "text", proxy_protocol = "flag_or_text",
  owner = "text", group = "text", trusted = "text", forwarded = "text",
  redirect = "text", sendfile = "text",
}

local lists = { forwarded = true, trusted = true }

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

-- "https" or "https:8443" -> the port
local function https_port(text)
  local port = text == "https" and 443 or tonumber(text:match("^https:(%d+)$"))
  if not port or port < 1 or port > 65535 then
    fail("pl.listen: option 'redirect' must be \"https\" or \"https:8443\"")
  end
  return port
end

--- Returns the options alone; false means not given.
function core.check_listen(addresses, call)
  call = call or "pl.listen"
  local given, tls = addresses, nil
  if type(addresses) == "table" then
    given = {}
    for name, value in pairs(addresses) do
      given[name] = lists[name] and core.words(call, name, value)
        or value
    end
    tls, given.tls = given.tls, nil
  end
  local options = check_options(call, known, given)
  if tls then
    core.load_part("tls")
    options.tls = core.check_tls(call, tls)
  end
  if options.redirect then
    options.redirect = https_port(options.redirect)
  end
  if not addresses or #addresses == 0 then
    fail(call .. ": an address is needed, as in { \":8080\" }")
  end
  for i = 1, #addresses do
    check_string(call, "the address", addresses[i])
  end
  return options
end
