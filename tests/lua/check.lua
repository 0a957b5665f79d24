-- check.lua - what every test in this folder requires. A test is a script for
-- `perilune run`; it fails by raising an error.

local check = {}

local function show(value)
  if type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) == "number" then
    return ("%.17g"):format(value) -- Lua 5.4 would tell 1 from 1.0
  elseif type(value) == "table" and not getmetatable(value) then
    local parts = {}
    for key, item in pairs(value) do
      parts[#parts + 1] = tostring(key) .. "=" .. show(item)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  return tostring(value)
end

function check.equal(want, got, what)
  if show(want) ~= show(got) then
    error(("%s: want %s, got %s"):format(what or "value", show(want),
      show(got)), 2)
  end
end

function check.yes(value, what)
  if not value then
    error((what or "value") .. ": it is not so", 2)
  end
end

-- The call gives nil and an error with that code, and does not raise.
function check.fails(code, fn, ...)
  local value, err = fn(...)
  if value ~= nil or type(err) ~= "table" or err.code ~= code then
    error(("want nil, %s; got %s, %s"):format(code, show(value),
      tostring(err)), 2)
  end
end

-- The call raises: the message has all of those parts, and begins with the
-- place of the call in the test.
function check.raises(parts, fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then
    error("it does not raise", 2)
  end
  for i = 1, #parts do
    if not tostring(err):find(parts[i], 1, true) then
      error(("no %q in %q"):format(parts[i], tostring(err)), 2)
    end
  end
end

function check.hex(text)
  return assert(require "perilune".hex.decode((text:gsub("%s", ""))))
end

return check
