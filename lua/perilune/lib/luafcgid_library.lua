-- luafcgid_library.lua - the modules that scripts of luafcgid's find without a
-- file: luafcgid, md5, base64.

local core, pl, c = ...
local check_string, failure, fail = core.check_string, core.failure, core.fail
local concat, sort = table.concat, table.sort
local error, ipairs, pairs, setmetatable, tostring, type =
  error, ipairs, pairs, setmetatable, tostring, type
local format, gsub = string.format, string.gsub

local PAIRS = 1000 -- of a form
local DEPTH = 100 -- of tables in tables

-- ---- luafcgid --------------------------------------------------------------

local luafcgid = {}

function luafcgid.urlencode(text)
  check_string("luafcgid.urlencode", "the text", text)
  return (gsub(pl.url.encode(text), "%%20", "+"))
end

function luafcgid.urldecode(text)
  check_string("luafcgid.urldecode", "the text", text)
  return (pl.url.decode((gsub(text, "+", " "))))
end

--- The decoded pairs of a query or form; what is there more than once is an
--- array.
function luafcgid.parse(text)
  check_string("luafcgid.parse", "the text", text)
  local _, list = pl.url.decode_query(text, PAIRS)
  if not _ then
    error(failure(core.LIMIT, "luafcgid.parse", "too many pairs", 413), 0)
  end
  local args = {}
  for _, pair in ipairs(list) do
    local name, value = pair[1], pair[2]
    local before = args[name]
    if type(before) == "table" then
      before[#before + 1] = value
    else
      args[name] = before and { before, value } or value
    end
  end
  return args
end

local writers = {
  ["nil"] = tostring, boolean = tostring,
  string = function(value)
    return (gsub(format("%q", value), "\\\n", "\\n"))
  end,
  number = function(value)
    if value ~= value or value == 1 / 0 or value == -1 / 0 then
      return value ~= value and "0/0" or value > 0 and "1/0" or "-1/0"
    end
    return format("%.17g", value)
  end,
}

local function is_before(a, b)
  if type(a) == type(b) and (type(a) == "string" or type(a) == "number") then
    return a < b
  end
  return tostring(a) < tostring(b)
end

local write

local function write_table(value, depth)
  if depth > DEPTH then
    fail "luafcgid.serialize: the table is too deep, or is in itself"
  end
  local keys, out = {}, {}
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  sort(keys, is_before)
  for _, key in ipairs(keys) do
    out[#out + 1] = "[" .. write(key, depth) .. "]="
      .. write(value[key], depth)
  end
  return "{" .. concat(out, ",") .. "}"
end

function write(value, depth)
  if type(value) == "table" then
    return write_table(value, depth + 1)
  end
  local writer = writers[type(value)]
  if not writer then
    fail("luafcgid.serialize: a " .. type(value) .. " has no text")
  end
  return writer(value)
end

--- A value as Lua writes it: numbers, strings, truth values, nil, and tables of
--- these.
function luafcgid.serialize(value)
  return write(value, 0)
end

-- ---- md5: the names of the rocks "md5" and "lmd5" --------------------------

local md5 = {}

--- 16 bytes, or 32 digits.
function md5.sum(text)
  check_string("md5.sum", "the text", text)
  return c.md5(text)
end

function md5.sumhexa(text)
  check_string("md5.sumhexa", "the text", text)
  return c.md5_hex(text)
end

--- raw: 16 bytes instead of 32 digits.
function md5.digest(text, raw)
  check_string("md5.digest", "the text", text)
  return raw and c.md5(text) or c.md5_hex(text)
end

local Sum = {}
Sum.__index = Sum

--- A sum of pieces: md5.new():update(a):update(b):digest([raw])
function md5.new()
  return setmetatable({}, Sum)
end

function Sum:update(text)
  check_string("md5: update", "the text", text)
  self[#self + 1] = text
  return self
end

function Sum:digest(raw)
  return md5.digest(concat(self), raw)
end

-- ---- base64 ----------------------------------------------------------------

local base64 = {}

function base64.encode(text)
  return pl.base64.encode(text)
end

--- nil: that is not base64. White space is passed over.
function base64.decode(text)
  return (pl.base64.decode(text, { lenient = true }))
end

core.luafcgid_library = { luafcgid = luafcgid, md5 = md5, base64 = base64 }
