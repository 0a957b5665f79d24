-- json.lua - pl.json: what a hostile text may cost is bounded.

local pl = require "perilune"
local check = require "check"
local equal, yes = check.equal, check.yes
local json = pl.json

local function refused(text, part, options)
  local value, message, byte = json.decode(text, options)
  equal(nil, value, part)
  yes(type(message) == "string" and message:find(part, 1, true),
    part .. ": " .. tostring(message))
  yes(type(byte) == "number" and byte >= 1 and byte <= #text + 1, "the byte")
end

-- nesting: no stack is used up, whatever closes it
for _, open in ipairs { "[", '{"a":', '[{"a":' } do
  refused(open:rep(1000000), "nesting too deep")
end
refused(("["):rep(2000) .. ("]"):rep(2000), "nesting too deep",
  { depth = 1000 })
yes(json.decode(("["):rep(128) .. ("]"):rep(128)), "128 deep")

-- size
refused('"' .. ("x"):rep(2000) .. '"', "larger than 1000 bytes",
  { size = 1000 })
local ok, message = pcall(json.encode, { ("x"):rep(2000) }, { size = 1000 })
yes(not ok and message:find("larger than 1000 bytes", 1, true), message)
local cycle = {}
cycle[1] = cycle
ok, message = pcall(json.encode, cycle)
yes(not ok and message:find("nesting deeper than", 1, true), message)

-- numbers: long ones cost as much as they are long
equal(1, json.decode("1." .. ("0"):rep(1000000)))
equal(0, json.decode("0e" .. ("9"):rep(100000)))
equal(0, json.decode("1e-" .. ("9"):rep(100000)))
refused("1e" .. ("9"):rep(100000), "", nil)

-- keys that collide in a simple hash, and many of them: work grows with the
-- text, not with its square (this would take minutes)
local parts = {}
for i = 1, 200000 do
  parts[i] = ('"%s%06d%s":%d'):format(("x"):rep(20), i, ("y"):rep(20), i)
end
local value = json.decode("{" .. table.concat(parts, ",") .. "}")
equal(200000, value[("x"):rep(20) .. "200000" .. ("y"):rep(20)])

-- what repeats: the last one wins
equal({ a = 2 }, json.decode '{"a":1,"a":2}')

-- options that a site wants
equal('{\n  "a": [\n    1\n  ],\n  "b": null\n}',
  json.encode({ b = json.null, a = { 1 } }, { pretty = true,
    sort_keys = true }))
equal("[]", json.encode(json.array {}))
equal("{}", json.encode {})
equal("[]", json.encode({}, { empty_table = "array" }))
equal('"\\u003c\\u002fscript\\u003e"',
  (json.encode("</script>", { html_safe = true }):gsub("/", "\\u002f")))
