-- codec_80s.lua - the global tables `codec` and `crypto` as scripts of 80s have
-- them, over pl. What was a defect there is mended: JSON that is none, numbers
-- that lose digits, texts that are read past their ends.

local core, pl = ...
local check_string, fail = core.check_string, core.fail
local concat, sort = table.concat, table.sort
local math_type = math.type -- of Lua 5.4
local pairs, tostring, type = pairs, tostring, type

local codec, crypto = {}, {}

pl.aio.codec, pl.aio.crypto = codec, crypto

-- ---- codec -----------------------------------------------------------------

function codec.html_encode(text)
  return (pl.escape.html(text))
end

function codec.url_encode(text)
  return (pl.url.encode(text))
end

--- "+" is a space.
function codec.url_decode(text)
  check_string("codec.url_decode", "the text", text)
  return (pl.url.decode((text:gsub("%+", " "))))
end

function codec.hex_encode(text)
  return (pl.hex.encode(text))
end

--- An empty table is [].
function codec.json_encode(value)
  return pl.json.encode(value, { empty_table = "array", tables = "convert" })
end

-- null is nil, wherever it stands.
local function without_null(value)
  if value == pl.json.null then
    return nil
  elseif type(value) == "table" then
    for key, item in pairs(value) do
      if item == pl.json.null then
        value[key] = nil
      else
        without_null(item)
      end
    end
  end
  return value
end

--- The value; or nil and why it is none.
function codec.json_decode(text)
  local value, message = pl.json.decode(text, { mark_arrays = false })
  if value == nil then
    return nil, message
  end
  return without_null(value)
end

local escapes = {
  ["\0"] = "\\0", ["\n"] = "\\n", ["\r"] = "\\r", ["\26"] = "\\Z",
  ['"'] = '\\"', ["'"] = "\\'", ["\\"] = "\\\\",
}

--- For a string in quotes, in a query to MySQL.
function codec.mysql_encode(text)
  check_string("codec.mysql_encode", "the text", text)
  return (text:gsub("[%z\n\r\26\"'\\]", escapes))
end

local write_value

local function write_table(value, seen)
  if seen[value] then
    fail "codec.lua_encode: the table contains itself"
  end
  seen[value] = true
  local out, names = {}, {}
  for i = 1, #value do
    out[i] = write_value(value[i], seen)
  end
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key > #value or key % 1 ~= 0 then
      names[#names + 1] = key
    end
  end
  sort(names, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for i = 1, #names do
    out[#out + 1] = "[" .. write_value(names[i], seen) .. "]="
      .. write_value(value[names[i]], seen)
  end
  seen[value] = nil
  return "{" .. concat(out, ",") .. "}"
end

local function write_number(value)
  if value ~= value then
    return "0/0"
  elseif value == 1 / 0 then
    return "1/0"
  elseif value == -1 / 0 then
    return "-1/0"
  elseif value % 1 ~= 0 then
    return ("%.17g"):format(value)
  end
  return math_type and math_type(value) == "integer" and tostring(value)
    or ("%.0f"):format(value)
end

function write_value(value, seen)
  local kind = type(value)
  if kind == "table" then
    return write_table(value, seen)
  elseif kind == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"):gsub("\r", "\\r")
      :gsub("%z", "\\0"))
  elseif kind == "number" then
    return write_number(value)
  elseif kind == "boolean" or kind == "nil" then
    return tostring(value)
  end
  fail("codec.lua_encode: a " .. kind .. " cannot be written")
end

--- A table as the text of a Lua constructor.
function codec.lua_encode(value)
  if type(value) ~= "table" then
    fail("codec.lua_encode: a table is needed, not a " .. type(value))
  end
  return write_table(value, {})
end

-- ---- crypto ----------------------------------------------------------------

function crypto.sha1(data)
  return (pl.crypto.hash("sha1", data))
end

function crypto.sha256(data)
  return (pl.crypto.hash("sha256", data))
end

function crypto.hmac_sha256(data, key)
  return (pl.crypto.hmac("sha256", key, data))
end

function crypto.to64(data)
  return (pl.base64.encode(data))
end

function crypto.from64(text)
  return pl.base64.decode(text)
end

function crypto.random(n)
  return (pl.crypto.random(n))
end

--- iv: false: equal texts are equal; decrypting finds out by itself.
function crypto.cipher(data, key, iv, encrypting)
  if encrypting then
    return pl.aio:encrypt(data, key, iv and true or false, true)
  end
  return pl.aio:decrypt(data, key, true)
end

--- The signature of data by the key in a file; or nil, err. Waits.
function crypto.rsa_sha256(file, data)
  local pem, err = pl.fs.read(file)
  if not pem then
    return nil, err
  end
  local key
  key, err = pl.crypto.key(pem)
  return key and key:sign(data, { padding = "pkcs1" }), err
end
