-- uuid.lua - pl.uuid: RFC 9562.

local pl = require "perilune"
local check = require "check"
local equal, fails, raises, yes =
  check.equal, check.fails, check.raises, check.yes
local uuid = pl.uuid

local pattern = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-([47])%x%x%x%-[89ab]%x%x%x%-"
  .. "%x%x%x%x%x%x%x%x%x%x%x%x$"
local seen = {}
for _ = 1, 10000 do
  local id = uuid()
  yes(id:match(pattern) == "4", id)
  yes(not seen[id], "unique")
  seen[id] = true
end

-- Those of a worker come in order, also more of them in a millisecond than
-- the counter has numbers.
local before = uuid.v7()
yes(before:match(pattern) == "7", before)
for _ = 1, 20000 do
  local id = uuid.v7()
  yes(id > before, "in order")
  before = id
end
yes(math.abs(uuid.time(uuid.v7()) - pl.time.now()) < 60, "the time in it")

-- RFC 9562, A.6 and A.3
local v7 = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
equal(7, uuid.version(v7))
equal(1645557742, uuid.time(v7))
equal(4, uuid.version "919108F7-52D1-4320-9BAC-F847DB4148A8")
equal(nil, uuid.time "919108f7-52d1-4320-9bac-f847db4148a8")
equal(0, uuid.version "00000000-0000-0000-0000-000000000000")
equal(0, uuid.version "ffffffff-ffff-ffff-ffff-ffffffffffff")
equal(nil, uuid.version "919108f7-52d1-4320-9bac-f847db4148a")
equal(nil, uuid.version(nil))
equal(nil, uuid.version {})
yes(uuid.valid(v7) and not uuid.valid "x", "valid")

equal(check.hex "017f22e279b07cc398c4dc0c0c07398f", uuid.parse(v7))
equal(v7, uuid.format(uuid.parse(v7:upper())))
for _, bad in ipairs { "", "{" .. v7 .. "}", v7 .. "0", v7:gsub("%-", ""),
  (v7:gsub("e2%-", "e-2")), (v7:gsub("f$", "g")) } do
  fails("syntax", uuid.parse, bad)
end
raises({ "uuid.lua:", "pl.uuid.format: a UUID has 16 bytes, not 2" },
  function() return (uuid.format "xx") end)
raises({ "pl.uuid.parse: the text must be a string" }, uuid.parse)
