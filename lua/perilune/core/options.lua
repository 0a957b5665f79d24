-- options.lua - checks of what a site gives to the functions of pl. Errors name
-- the call, and the place in the site's file; what they say of options is in
-- lib/options.lua.

local core = ...
local fail = core.fail
local concat, floor = table.concat, math.floor
local pairs, tonumber, type = pairs, tonumber, type

local function article(value)
  return value == nil and "nil" or "a " .. type(value)
end

function core.check_string(call, what, value)
  if type(value) ~= "string" then
    fail(("%s: %s must be a string, not %s"):format(call, what, article(value)))
  end
end

function core.check_function(call, fn)
  if type(fn) ~= "function" then
    fail(call .. ": a function is needed, not a " .. type(fn))
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
  -- one, or a list of them, which C gets with spaces between
  words = function(value)
    if type(value) == "string" then
      value = { value }
    elseif type(value) ~= "table" then
      return nil
    end
    for i = 1, #value do
      if type(value[i]) ~= "string" or value[i]:find("^%s*$") then
        return nil
      end
    end
    return #value > 0 and concat(value, " ") or nil
  end,
  -- a name for something: a string, or a whole number
  id = function(value)
    return type(value) == "string" and value
      or type(value) == "number" and floor(value) == value
      and ("%.0f"):format(value) or nil
  end,
  -- checked by who uses it
  any = function(value)
    return value
  end,
  -- names of header fields, with values
  fields = function(value)
    return type(value) == "table" and value or nil
  end,
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

-- Raises what is wrong with an option.
local function refuse(call, known, name)
  core.load_part("options")
  core.refuse_option(call, known, name)
end

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
        refuse(call, known, name)
      end
      checked[name] = good or false
    elseif type(name) ~= "number" then
      refuse(call, known, name)
    end
  end
  return checked
end
