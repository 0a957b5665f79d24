-- aio_query.lua - queries of URLs as pages of 80s have them, and how they are
-- encrypted: with a master key, a link says nothing of what it leads to, and
-- nobody can make one. The form of the bytes is in src/plugins/crypto/cipher.c.

local core, pl = ...
local aio = pl.aio
local check_string, failure, fail = core.check_string, core.failure, core.fail
local LIMIT = core.LIMIT
local concat, sort = table.concat, table.sort
local error, pairs, tostring, type = error, pairs, tostring, type

local KEY_MIN = 16
local PAIRS_MAX = 1000 -- more than any honest form has

local master_key

-- lua/perilune/plugins/crypto.lua sets it.
local function cipher(data, key, iv, encrypting)
  if not core.cipher_80s then
    local _ = pl.crypto.hash -- loads the plug-in
  end
  return core.cipher_80s(data, key, iv, encrypting)
end

--- aio:encrypt(data, key [, iv = true [, raw = false]]): in base64, or raw.
--- iv: with a random beginning, so that nobody sees which texts are the same.
function aio:encrypt(data, key, iv, raw)
  check_string("aio:encrypt", "the data", data)
  check_string("aio:encrypt", "the key", key)
  local bytes, err = cipher(data, key, iv ~= false, true)
  if not bytes then
    return nil, err
  end
  return raw and bytes or pl.base64.encode(bytes)
end

--- aio:decrypt(data, key [, raw = false]): the text; or nil, err for what was
--- changed, or made with another key.
function aio:decrypt(data, key, raw)
  check_string("aio:decrypt", "the data", data)
  check_string("aio:decrypt", "the key", key)
  if not raw then
    local bytes, err = pl.base64.decode(data)
    if not bytes then
      return nil, err
    end
    data = bytes
  end
  return cipher(data, key, false, false)
end

--- The bytes of a master key as it is written; or nil, and what is wrong.
local function read_key(key)
  local text = key:match "^b64:(.*)$"
  if text then
    key = pl.base64.decode(text)
  end
  if not key then
    return nil, "what follows b64: is not base64"
  elseif #key < KEY_MIN then
    return nil, ("the key must have at least %d bytes, not %d"):format(KEY_MIN,
      #key)
  end
  return key
end

-- true; or nil, and what is wrong with it.
function core.set_master_key(key)
  local bytes, text = read_key(key)
  if bytes then
    cipher("", bytes, false, true) -- without the plug-in no site starts
    master_key = bytes
  end
  return bytes and true, text
end

--- aio:set_master_key(key): from now on aio:to_url() encrypts. At least 16
--- bytes; with "b64:" before it, it is base64. nil: no longer.
function aio:set_master_key(key)
  if key == nil then
    master_key = nil
    return
  end
  check_string("aio:set_master_key", "the key", key)
  local ok, text = core.set_master_key(key)
  if not ok then
    fail("aio:set_master_key: " .. text)
  end
end

--- aio:create_key(private): the key for what belongs to private, such as the
--- path of a page; nil without a master key.
function aio:create_key(private)
  check_string("aio:create_key", "the private part", private)
  return master_key and master_key .. private
end

-- ---- reading ---------------------------------------------------------------

-- All names at once, the first value of each.
local function read_pairs(text)
  local args, err = pl.url.decode_query(text, PAIRS_MAX)
  if not args then
    error(failure(LIMIT, "aio:parse_query", err.message, 413), 0)
  end
  return args
end

-- What an honest server has put into the query.
local function read_secret(text, key)
  local plain = text and aio:decrypt(text, key)
  return plain and pl.url.decode_query(plain, PAIRS_MAX) or {}
end

--- aio:parse_query(text [, key]): a table of the first value of each name. Its
--- field e has those that were encrypted with the key, which go before all
--- others; what is damaged or foreign is as if it were not there.
function aio:parse_query(text, key)
  if text == nil then
    return { e = {} }
  end
  check_string("aio:parse_query", "the query", text)
  local args = read_pairs(text)
  local secret = key and read_secret(args.e, key) or {}
  for name, value in pairs(secret) do
    args[name] = value
  end
  args.e = secret
  return args
end

-- ---- writing ---------------------------------------------------------------

local function text_of(call, value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    fail(("%s: names and values are strings, numbers or booleans, not %s")
      :format(call, kind))
  end
  return pl.url.encode(tostring(value))
end

-- Always in the same order, so that the same values are the same URL. e and iv
-- say how, and are not sent.
local function write_pairs(call, params)
  local names, out = {}, {}
  for name in pairs(params) do
    if name ~= "e" and name ~= "iv" then
      names[#names + 1] = name
    end
  end
  sort(names, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for i, name in pairs(names) do
    out[i] = text_of(call, name) .. "=" .. text_of(call, params[name])
  end
  return concat(out, "&")
end

local function encrypted(text, key, iv)
  local sealed, err = aio:encrypt(text, key, iv == true)
  if not sealed then
    fail("aio:create_query: " .. err.message)
  end
  return "e=" .. pl.url.encode(sealed)
end

local function check_params(call, params)
  if type(params) ~= "table" then
    fail(("%s: the parameters must be a table, not %s"):format(call,
      type(params)))
  end
end

--- aio:create_query(params [, key [, ordered [, iv]]]): the inverse of
--- parse_query. Names are always sorted.
function aio:create_query(params, key, _, iv)
  check_params("aio:create_query", params)
  local text = write_pairs("aio:create_query", params)
  if key and params.e ~= false then
    return encrypted(text, key, iv or params.iv)
  end
  return text
end

--- aio:to_url(endpoint, params [, hash]): a link, encrypted if there is a
--- master key. params.e = false: not this one; params.iv = true: differently
--- each time.
function aio:to_url(endpoint, params, hash)
  check_string("aio:to_url", "the endpoint", endpoint)
  local query = ""
  if params ~= nil then
    check_params("aio:to_url", params)
    query = write_pairs("aio:to_url", params)
    if query ~= "" and master_key and params.e ~= false then
      query = encrypted(query, master_key .. endpoint, params.iv)
    end
  end
  return endpoint .. (query ~= "" and "?" .. query or "")
    .. (hash and "#" .. pl.url.encode(tostring(hash)) or "")
end
