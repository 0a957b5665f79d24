-- options.lua - checks of what a site gives to the functions of pl. Errors name
-- the call, and the place in the site's file.

local core = ...
local fail = core.fail
local concat, floor, min, sort = table.concat, math.floor, math.min, table.sort
local pairs, tonumber, tostring, type = pairs, tonumber, tostring, type

-- A name and its edit distance to another (insert, remove, replace, swap).
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local last = before
    before, row = row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = min(before[j] + 1, row[j - 1] + 1,
        before[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1)
        and a:byte(i - 1) == b:byte(j) then
        row[j] = min(row[j], last[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

-- "; did you mean 'expires'?" or ""
local function suggest(known, name)
  local best, most = nil, #name <= 3 and 1 or 2
  for candidate in pairs(known) do
    local d = #name <= 64 and distance(name, candidate) or most + 1
    if d < most + 1 and (not best or d < distance(name, best)) then
      best = candidate
    end
  end
  return best and ("; did you mean '" .. best .. "'?") or ""
end

local function names_of(known)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name
  end
  sort(names)
  return concat(names, ", ")
end

local function article(value)
  return value == nil and "nil" or "a " .. type(value)
end

function core.check_string(call, what, value)
  if type(value) ~= "string" then
    fail(("%s: %s must be a string, not %s"):format(call, what, article(value)))
  end
end

--- Permissions of a file, "640", as a number; or nil.
function core.parse_mode(value)
  local mode = type(value) == "string" and value:find("^[0-7]+$")
    and tonumber(value, 8)
  return mode and mode <= 4095 and mode or nil
end

-- What kinds of options accept; each returns what C is given, or nil.
local kinds = {
  text = function(value)
    return type(value) == "string" and value or nil
  end,
  flag = function(value)
    if type(value) == "boolean" then
      return value
    end
  end,
  number = function(value)
    return type(value) == "number" and value == value and value or nil
  end,
  count = function(value)
    return type(value) == "number" and floor(value) == value and value >= 0
      and value <= 65535 and value or nil
  end,
  -- one, or a list of them, which C gets with spaces between
  names = function(value)
    if type(value) == "string" then
      value = { value }
    elseif type(value) ~= "table" then
      return nil
    end
    for i = 1, #value do
      if type(value[i]) ~= "string" or value[i]:find("[ /]") then
        return nil
      end
    end
    return #value > 0 and concat(value, " ") or nil
  end,
  -- "1h", or seconds
  duration = function(value)
    return type(value) == "string" and value
      or type(value) == "number" and ("%.3f"):format(value) or nil
  end,
  mode = core.parse_mode,
  -- "1m", or bytes
  size = function(value)
    return type(value) == "string" and value
      or type(value) == "number" and value >= 0 and ("%.0f"):format(value)
      or nil
  end,
}

-- true, or as size
function kinds.flag_or_size(value)
  if value == true then
    return value
  end
  return kinds.size(value)
end

-- true, or as text
function kinds.flag_or_text(value)
  if value == true then
    return value
  end
  return kinds.text(value)
end

local budget = { wall = kinds.duration, cpu = kinds.duration,
  memory = kinds.size }

-- false: no limit
function kinds.budget(value)
  if type(value) ~= "table" then
    return nil
  end
  local checked = {}
  for name, limit in pairs(value) do
    local check = budget[name]
    local good = check and (limit == false and "0" or check(limit))
    if not good then
      return nil
    end
    checked[name] = good
  end
  return checked
end

local wanted = {
  budget = "a table like { wall = \"2s\", cpu = \"100ms\", memory = \"10m\" }",
  text = "a string",
  names = "a string or a list of strings, each a name without spaces",
  flag_or_text = "true, false or a string",
  flag_or_size = "true, false or a size like \"64m\"",
  flag = "true or false",
  number = "a number",
  count = "a whole number from 0 to 65535",
  duration = "a string like \"10s\" or seconds",
  mode = "a string of octal digits like \"640\"",
  size = "a string like \"1m\" or bytes",
}

--- known: name -> kind. Returns a table of the checked values; false means
--- that an inherited option is left out. Numbers as keys are the caller's.
function core.check_options(call, known, options)
  local checked = {}
  if options == nil then
    return checked
  elseif type(options) ~= "table" then
    fail(call .. ": options must be a table, not " .. article(options))
  end
  for name, value in pairs(options) do
    local kind = known[name]
    if kind then
      local good = kinds[kind](value)
      if good == nil and value ~= false then
        fail(("%s: option '%s' must be %s"):format(call, name, wanted[kind]))
      end
      checked[name] = good or false
    elseif type(name) ~= "number" then
      local text = tostring(name)
      fail(("%s: unknown option '%s'%s (there are %s)"):format(call, text,
        suggest(known, text), names_of(known)))
    end
  end
  return checked
end
