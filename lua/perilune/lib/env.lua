-- env.lua - pl.env: what the environment says, as the type a site wants.

local core, pl, c = ...
local fail, get = core.fail, c.get
local select, setmetatable, tonumber = select, setmetatable, tonumber

-- The variable, converted; or the default, if there is one. An undefined
-- variable without a default is an error, so that no site starts half
-- configured, and so is one that does not mean what is wanted.
local function read(call, convert, wanted, name, ...)
  local text = get(call, name)
  if text == nil then
    if select("#", ...) == 0 then
      fail(("%s: environment variable %s is not set (a default is the second "
        .. "argument)"):format(call, name))
    end
    return (...)
  end
  local value = text
  if convert then
    value = convert(text)
  end
  if value == nil then
    fail(("%s: environment variable %s must be %s, not %q"):format(call, name,
      wanted, text))
  end
  return value
end

local words = {
  ["1"] = true, ["true"] = true, yes = true, on = true,
  ["0"] = false, ["false"] = false, no = false, off = false, [""] = false,
}

local env = {}

local function reader(name, wanted, convert)
  local call = "pl.env." .. name
  env[name] = function(...)
    return (read(call, convert, wanted, ...))
  end
end

reader("number", "a number", function(text)
  local number = tonumber(text)
  return number == number and number or nil
end)
reader("boolean", "true or false (also 1, 0, yes, no, on, off)",
  function(text)
    return words[text:lower()]
  end)
reader("duration", "a time like 10s, 500ms or 5m", c.duration)
reader("size", "a size like 64k or 1m", c.size)

--- pl.env(name [, default]): the text.
pl.env = setmetatable(env, {
  __call = function(_, ...)
    return (read("pl.env", nil, nil, ...))
  end,
})
