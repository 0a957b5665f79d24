-- uuid.lua - pl.uuid: names that nobody has to hand out (RFC 9562).

local _, pl, c = ...
local v4, v7, clock, version, parse =
  c.v4, c.v7, c.clock, c.version, c.parse
local setmetatable = setmetatable

local uuid = {
  v4 = v4, parse = parse, format = c.format, version = version,
}

-- Those of one worker sort in the order of their making (6.2, method 1): within
-- a millisecond, or when the clock was set back, a counter goes on. It begins
-- in its lower half, and borrows from the future when it is used up.
local last, counter = 0, 0

function uuid.v7()
  local ms, bits = clock()
  if ms > last then
    last, counter = ms, bits
  elseif counter < 4095 then
    counter = counter + 1
  else
    last, counter = last + 1, bits
  end
  return v7(last, counter)
end

function uuid.valid(value)
  return version(value) ~= nil
end

--- When a UUID of version 7 was made: seconds since 1970; nil for all others.
function uuid.time(value)
  if version(value) ~= 7 then
    return nil
  end
  local seconds = 0
  for i = 1, 6 do
    seconds = seconds * 256 + parse(value):byte(i)
  end
  return seconds / 1000
end

pl.uuid = setmetatable(uuid, {
  __call = function()
    return v4()
  end,
})
