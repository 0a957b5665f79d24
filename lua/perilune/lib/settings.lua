-- settings.lua - pl.set.

local core, pl, c = ...
local set, set_header, in_folder = c.set, c.set_header, core.in_folder
local check_loading, check_string, fail =
  core.check_loading, core.check_string, core.fail
local pairs, sort, tostring, type = pairs, table.sort, tostring, type

local function set_headers(headers)
  if type(headers) ~= "table" then
    fail("pl.set: headers must be a table")
  end
  local names = {}
  for name in pairs(headers) do
    check_string("pl.set: headers", "a name", name)
    names[#names + 1] = name
  end
  sort(names) -- they are sent in this order, always the same
  for i = 1, #names do
    local value = headers[names[i]]
    if type(value) == "number" then
      value = tostring(value)
    end
    check_string("pl.set: headers", "'" .. names[i] .. "'", value)
    set_header(names[i], value)
  end
end

-- watchdog = { warn = "5s" } is watchdog_warn = "5s".
local nested = { budget = true, watchdog = true }

local function set_group(group, settings)
  for name, value in pairs(settings) do
    check_string("pl.set: " .. group, "the name of a setting", name)
    set(group .. "_" .. name, value)
  end
end

--- pl.set { max_body = "1m", headers = { ["x-frame-options"] = "DENY" } }
function pl.set(settings)
  check_loading("pl.set")
  if type(settings) ~= "table" then
    fail("pl.set: a table is needed, as in { max_body = \"1m\" }")
  end
  for name, value in pairs(settings) do
    check_string("pl.set", "the name of a setting", name)
    if name == "headers" then
      set_headers(value)
    elseif (name == "error_pages" or name == "temp_folder")
      and type(value) == "string" then
      set(name, in_folder(value))
    elseif (name == "trusted" or name == "forwarded")
      and type(value) == "table" then
      core.load_part("listen")
      set(name, core.words("pl.set", name, value))
    elseif name == "compress" then
      local filter = pl.compress(value) -- looking for it loads the part
      core.set_compress(filter)
    elseif name == "sandbox" then
      core.load_part("sandbox")
      core.set_sandbox(value, set)
    elseif name == "templates" and pl.mustache then -- loading the part
      core.set_templates(value)
    elseif nested[name] and type(value) == "table" then
      set_group(name, value)
    else
      set(name, value)
    end
  end
end
