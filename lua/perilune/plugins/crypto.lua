-- crypto.lua - pl.crypto on OpenSSL: the Lua half of the plug-in in
-- src/plugins/crypto. Arguments that are no options are checked in C.

local core, pl, c = ...
local check_options, fail = core.check_options, core.fail
local run_job = c.run_job
local getmetatable, tonumber, type = getmetatable, tonumber, type

local crypto = pl.crypto

-- ---- hashes ----------------------------------------------------------------

local forms = {
  hex = pl.hex.encode, base64 = pl.base64.encode,
  base64url = pl.base64.encode_url,
}

-- Bytes as the text that is asked for, if one is.
local function shown(call, form, bytes, err)
  if bytes == nil or form == nil then
    return bytes, err
  end
  local encode = forms[form]
  if not encode then
    fail(call .. ": the form must be hex, base64 or base64url")
  end
  return encode(bytes)
end

function crypto.hash(name, data, form)
  return shown("pl.crypto.hash", form, c.hash(name, data))
end

function crypto.hmac(name, key, data, form)
  return shown("pl.crypto.hmac", form, c.hmac(name, key, data))
end

local sample = assert(c.hash_new "sha256")
local Hash = getmetatable(sample).__index
local final_raw = Hash.final_raw
Hash.update, Hash.update_raw, Hash.final_raw = Hash.update_raw, nil, nil

function Hash:final(form)
  return shown("hash:final", form, final_raw(self))
end

crypto.hash_new, crypto.hmac_new = c.hash_new, c.hmac_new

-- ---- encryption and derivation ---------------------------------------------

local sealing = { nonce = "text", aad = "text" }

local function sealer(name, fn)
  local call = "pl.crypto." .. name
  crypto[name] = function(cipher, key, text, options)
    options = check_options(call, sealing, options)
    return fn(cipher, key, text, options.nonce, options.aad)
  end
end

sealer("encrypt", c.encrypt)
sealer("decrypt", c.decrypt)

-- For lib/aio_query.lua and its like: the form of 80s.
core.cipher_80s = c.cipher_80s

local expanding = { salt = "text", info = "text" }

function crypto.hkdf(name, secret, length, options)
  options = check_options("pl.crypto.hkdf", expanding, options)
  return c.hkdf(name, secret, length, options.salt, options.info)
end

--- Waits.
function crypto.pbkdf2(name, password, salt, iterations, length)
  return run_job(c.pbkdf2_job(name, password, salt, iterations, length))
end

local scrypt_options = { n = "number", r = "number", p = "number" }

--- Waits.
function crypto.scrypt(password, salt, length, options)
  options = check_options("pl.crypto.scrypt", scrypt_options, options)
  return run_job(c.scrypt_job(password, salt, length, options.n or 16384,
    options.r or 8, options.p or 1))
end

-- ---- signatures ------------------------------------------------------------

crypto.key = c.key

local generating = { bits = "number" }

--- Waits for "rsa"; the others are quick.
function crypto.generate_key(kind, options)
  options = check_options("pl.crypto.generate_key", generating, options)
  if kind == "rsa" then
    return run_job(c.generate_job(options.bits or 3072))
  elseif options.bits then
    fail "pl.crypto.generate_key: option 'bits' is for rsa"
  end
  return c.generate(kind)
end

local signing = { hash = "text", padding = "text", format = "text" }

-- Is it the second of two words?
local function second(call, name, value, first, word)
  if value and value ~= first and value ~= word then
    fail(("%s: option '%s' must be %s or %s"):format(call, name, first, word))
  end
  return value == word
end

local function signing_options(call, options)
  options = check_options(call, signing, options)
  return options.hash or nil,
    second(call, "padding", options.padding, "pss", "pkcs1"),
    second(call, "format", options.format, "der", "raw")
end

-- A key, or the PEM text of one.
local function key_of(call, key)
  if type(key) ~= "string" then
    return key
  end
  local made, err = c.key(key)
  if not made then
    fail(call .. ": " .. err.message)
  end
  return made
end

function crypto.sign(key, data, options)
  local call = "pl.crypto.sign"
  return c.sign(key_of(call, key), data, signing_options(call, options))
end

function crypto.verify(key, data, signature, options)
  local call = "pl.crypto.verify"
  return c.verify(key_of(call, key), data, signature,
    signing_options(call, options))
end

local Key = getmetatable(assert(c.generate "ed25519")).__index

function Key:sign(data, options)
  return crypto.sign(self, data, options)
end

function Key:verify(data, signature, options)
  return crypto.verify(self, data, signature, options)
end

-- ---- passwords -------------------------------------------------------------

local password = {}
crypto.password = password

local hashing = { memory = "size", iterations = "number",
  parallelism = "number" }
local units = { k = 1, m = 1024, g = 1024 * 1024 }

-- Memory in KiB, iterations, lanes. The defaults are OWASP's: as hard to guess
-- as more memory with fewer rounds, and a busy server has room for them.
local function costs(call, options)
  options = check_options(call, hashing, options)
  local memory = 19 * 1024
  if options.memory then
    local number, unit = options.memory:match "^(%d+)([kmg]?)$"
    if not number then
      fail(call .. ": option 'memory' must be a size like \"64m\"")
    end
    memory = units[unit] and number * units[unit] or tonumber(number) / 1024
  end
  return memory, options.iterations or 2, options.parallelism or 1
end

--- Waits. The text of a hash of Argon2id, with its salt and costs.
function password.hash(text, options)
  local job, err = c.argon2_job(text, costs("pl.crypto.password.hash", options))
  if not job then
    return nil, err
  end
  return run_job(job)
end

--- Waits. true or false; nil, err for what is no hash that is known here.
function password.verify(text, hash)
  local job, err = c.verify_job(text, hash)
  if not job then
    return nil, err
  end
  return run_job(job)
end

--- Was it made in another way than password.hash() would make it now?
function password.needs_rehash(hash, options)
  local call = "pl.crypto.password.needs_rehash"
  core.check_string(call, "the hash", hash)
  local memory, iterations, lanes = costs(call, options)
  local m, t, p = hash:match "^%$argon2id%$v=19%$m=(%d+),t=(%d+),p=(%d+)%$"
  return tonumber(m) ~= memory or tonumber(t) ~= iterations
    or tonumber(p) ~= lanes
end
