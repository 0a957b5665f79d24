-- jwt.lua - pl.jwt: JSON Web Tokens (RFC 7519) that are signed (RFC 7515), and
-- a filter for requests that bring one (RFC 6750).
--
-- A token never chooses how it is verified: each key says for which algorithms
-- it is good, by what it is and by the option 'algorithms', and a token that
-- names another one is refused before anything is computed.

local core, pl = ...
local check_options, check_string, fail, failure =
  core.check_options, core.check_string, core.fail, core.failure
local DENIED, INVALID = core.DENIED, core.INVALID
local crypto = pl.crypto
local decode, encode = pl.base64.decode_url, pl.base64.encode_url
local from_json, to_json = pl.json.decode, pl.json.encode
local floor, time = math.floor, os.time
local getmetatable, ipairs, pairs, setmetatable, tostring, type =
  getmetatable, ipairs, pairs, setmetatable, tostring, type
local char, concat = string.char, table.concat

local TOKEN_MAX = 16384

-- ---- algorithms ------------------------------------------------------------

-- family: the kind of key: "rsa", "ed25519", a curve; "secret" for texts
local algorithms = {
  HS256 = { family = "secret", hash = "sha256", size = 32 },
  HS384 = { family = "secret", hash = "sha384", size = 48 },
  HS512 = { family = "secret", hash = "sha512", size = 64 },
  RS256 = { family = "rsa", options = { hash = "sha256", padding = "pkcs1" } },
  RS384 = { family = "rsa", options = { hash = "sha384", padding = "pkcs1" } },
  RS512 = { family = "rsa", options = { hash = "sha512", padding = "pkcs1" } },
  PS256 = { family = "rsa", options = { hash = "sha256", padding = "pss" } },
  PS384 = { family = "rsa", options = { hash = "sha384", padding = "pss" } },
  PS512 = { family = "rsa", options = { hash = "sha512", padding = "pss" } },
  ES256 = { family = "p-256", options = { hash = "sha256", format = "raw" } },
  ES384 = { family = "p-384", options = { hash = "sha384", format = "raw" } },
  EdDSA = { family = "ed25519", options = {} },
}

-- What a key is good for unless somebody says more.
local usual = { secret = "HS256", rsa = "RS256", ["p-256"] = "ES256",
  ["p-384"] = "ES384", ed25519 = "EdDSA" }

-- ---- keys ------------------------------------------------------------------

-- DER, as far as public keys need it (X.690; RFC 5280, RFC 8410).
local function der(tag, ...)
  local body = concat { ... }
  local n = #body
  local length = n < 128 and char(n) or n < 256 and char(0x81, n)
    or char(0x82, floor(n / 256), n % 256)
  return char(tag) .. length .. body
end

local function integer(bytes)
  bytes = bytes:gsub("^%z+", "")
  return der(2, (bytes:byte() or 0) >= 128 and "\0" .. bytes or bytes)
end

local oids = {
  rsa = der(6, pl.hex.decode "2a864886f70d010101"),
  ec = der(6, pl.hex.decode "2a8648ce3d0201"),
  ["P-256"] = der(6, pl.hex.decode "2a8648ce3d030107"),
  ["P-384"] = der(6, pl.hex.decode "2b81040022"),
  Ed25519 = der(6, pl.hex.decode "2b6570"),
}
local coordinate = { ["P-256"] = 32, ["P-384"] = 48, Ed25519 = 32 }

local function pem_of(algorithm, key)
  local info = der(48, der(48, algorithm), der(3, "\0" .. key))
  return "-----BEGIN PUBLIC KEY-----\n"
    .. pl.base64.encode(info):gsub(("."):rep(64), "%0\n")
    .. "\n-----END PUBLIC KEY-----\n"
end

-- A member of a JWK as bytes (RFC 7518, 6); size: how many there must be.
local function member(jwk, name, size)
  local text = jwk[name]
  local bytes = type(text) == "string" and decode(text)
  return bytes and bytes ~= "" and (not size or #bytes == size) and bytes or nil
end

-- Each gives a key, or nil.
local of_jwk = {}

function of_jwk.oct(jwk)
  return member(jwk, "k")
end

function of_jwk.RSA(jwk)
  local n, e = member(jwk, "n"), member(jwk, "e")
  return n and e and #n <= 2048 and #e <= 8 and crypto.key(pem_of(
    oids.rsa .. "\5\0", der(48, integer(n), integer(e))))
end

function of_jwk.EC(jwk)
  local size = jwk.crv ~= "Ed25519" and coordinate[jwk.crv]
  local x, y = size and member(jwk, "x", size), size and member(jwk, "y", size)
  return x and y
    and crypto.key(pem_of(oids.ec .. oids[jwk.crv], "\4" .. x .. y))
end

function of_jwk.OKP(jwk)
  local x = jwk.crv == "Ed25519" and member(jwk, "x", 32)
  return x and crypto.key(pem_of(oids.Ed25519, x))
end

local function is_key(value)
  local meta = type(value) == "userdata" and getmetatable(value)
  local index = type(meta) == "table" and meta.__index
  return type(index) == "table" and index.kind ~= nil
end

-- { key, family, kid, alg } of what a site gives as a key.
local function read_key(call, value, kid)
  if type(value) == "string" and value:find("^%s*%-%-%-%-%-BEGIN ") then
    local key, err = crypto.key(value)
    if not key then
      fail(call .. ": " .. err.message)
    end
    value = key
  end
  if type(value) == "string" then
    return { key = value, family = "secret", kid = kid }
  elseif is_key(value) then
    local family = value:kind()
    if family == "ec" then
      family = "p-" .. value:bits()
    end
    return { key = value, family = family, kid = kid }
  end
  fail(call .. ": a key is a secret, the text of a PEM file, or what "
    .. "pl.crypto.key() gives, not a " .. type(value))
end

-- Those of a set (RFC 7517, 5) that are for signatures and known here; the
-- others are somebody else's.
local function read_set(call, set, list)
  if type(set) ~= "table" or type(set.keys) ~= "table" then
    fail(call .. ": option 'jwks' must be a table { keys = { ... } }")
  end
  for _, jwk in ipairs(set.keys) do
    local make = type(jwk) == "table" and of_jwk[jwk.kty]
    local key = make and (jwk.use == nil or jwk.use == "sig") and make(jwk)
    if key then
      local entry = read_key(call, key, jwk.kid)
      entry.alg = jwk.alg
      list[#list + 1] = entry
    end
  end
end

local function read_keys(call, options)
  local list = {}
  if options.key then
    list[1] = read_key(call, options.key)
  end
  if options.keys then
    if type(options.keys) ~= "table" then
      fail(call .. ": option 'keys' must be a table of keys")
    end
    for kid, key in pairs(options.keys) do
      list[#list + 1] = read_key(call, key,
        type(kid) == "string" and kid or nil)
    end
  end
  if options.jwks then
    read_set(call, options.jwks, list)
  end
  if #list == 0 then
    fail(call .. ": one of the options key, keys, jwks is needed")
  end
  return list
end

-- ---- options ---------------------------------------------------------------

local verifying = {
  key = "any", keys = "any", jwks = "any", algorithms = "any",
  audience = "any", issuer = "any", leeway = "duration",
}

-- A set of the strings in value, which is one or a list.
local function set_of(call, name, value)
  if value == nil then
    return nil
  end
  local set = {}
  for _, item in ipairs(type(value) == "table" and value or { value }) do
    check_string(call, "an element of option '" .. name .. "'", item)
    set[item] = true
  end
  return set
end

local function allowed(call, value, keys)
  local set = set_of(call, "algorithms", value or nil)
  for name in pairs(set or {}) do
    if not algorithms[name] then
      fail(("%s: option 'algorithms': there is no '%s'"):format(call, name))
    end
  end
  if not set then
    set = {}
    for _, key in ipairs(keys) do
      set[key.alg or usual[key.family] or ""] = true
    end
  end
  for _, key in ipairs(keys) do
    for name in pairs(key.family == "secret" and set or {}) do
      local size = algorithms[name] and algorithms[name].size
      if size and #key.key < size then -- RFC 7518, 3.2
        fail(("%s: the secret has %d bytes; %s needs %d"):format(call, #key.key,
          name, size))
      end
    end
  end
  return set
end

-- What verify() needs to know, of a table of options.
local function read_options(call, options)
  local leeway = core.parse_seconds(options.leeway or "0")
  if not leeway then
    fail(call .. ": option 'leeway' is no time like \"30s\"")
  end
  local keys = read_keys(call, options)
  return {
    keys = keys, algorithms = allowed(call, options.algorithms, keys),
    audience = set_of(call, "audience", options.audience or nil),
    issuer = set_of(call, "issuer", options.issuer or nil), leeway = leeway,
  }
end

-- ---- verifying -------------------------------------------------------------

local function table_of(part)
  local text = decode(part)
  local value = text and from_json(text)
  return type(value) == "table" and value or nil
end

local function is_signed(key, algorithm, text, signature)
  if algorithm.family == "secret" then
    return crypto.equal(crypto.hmac(algorithm.hash, key.key, text), signature)
  end
  return key.key:verify(text, signature, algorithm.options)
end

-- Is it signed by one of the keys that are good for what it says of itself?
local function check_signature(rules, header, text, signature)
  local algorithm = rules.algorithms[header.alg] and algorithms[header.alg]
  if not algorithm then
    return false
  end
  for _, key in ipairs(rules.keys) do
    if key.family == algorithm.family
      and (not key.alg or key.alg == header.alg)
      and (not key.kid or header.kid == nil or key.kid == header.kid)
      and is_signed(key, algorithm, text, signature) then
      return true
    end
  end
  return false
end

local function is_for(audience, aud)
  for _, name in ipairs(type(aud) == "table" and aud or { aud }) do
    if audience and audience[name] then
      return true
    end
  end
  return aud == nil and not audience
end

-- What is wrong with the claims of a token that is signed, or nil.
local function wrong_claims(rules, claims)
  local now, leeway = time(), rules.leeway
  for _, name in ipairs { "exp", "nbf", "iat" } do
    if claims[name] ~= nil and type(claims[name]) ~= "number" then
      return name .. " is no number"
    end
  end
  if claims.exp and now >= claims.exp + leeway then
    return "the token has expired"
  elseif claims.nbf and now < claims.nbf - leeway then
    return "the token is not valid yet"
  elseif not is_for(rules.audience, claims.aud) then
    return "the token is for somebody else"
  elseif rules.issuer and not rules.issuer[claims.iss] then
    return "the token is from somebody else"
  end
end

-- claims; or nil, what is wrong
local function verify(rules, token)
  if #token > TOKEN_MAX then
    return nil, "the token is too long"
  end
  local head, body, tail = token:match "^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$"
  local header = head and table_of(head)
  local signature = header and decode(tail)
  if not signature then
    return nil, "not a signed token"
  elseif header.crit ~= nil -- extensions that must be understood
    or not check_signature(rules, header, head .. "." .. body, signature) then
    return nil, "the signature is not good"
  end
  local claims = table_of(body)
  if not claims then
    return nil, "the claims are no table"
  end
  local wrong = wrong_claims(rules, claims)
  if wrong then
    return nil, wrong
  end
  return claims
end

local jwt = {}

--- pl.jwt.verify(token, { key | keys | jwks, algorithms, audience, issuer,
--- leeway = 0 }) -> claims, or nil, err (code "denied")
function jwt.verify(token, options)
  local call = "pl.jwt.verify"
  check_string(call, "the token", token)
  local rules = read_options(call, check_options(call, verifying, options))
  local claims, why = verify(rules, token)
  if claims then
    return claims
  end
  return nil, failure(DENIED, call, why)
end

-- ---- signing ---------------------------------------------------------------

local signing = { key = "any", algorithm = "text", kid = "text",
  expires = "duration" }

--- pl.jwt.sign(claims, { key, algorithm, kid, expires = "1h" }) -> token.
--- algorithm: unless it is said, the usual one of the key.
function jwt.sign(claims, options)
  local call = "pl.jwt.sign"
  if type(claims) ~= "table" then
    fail(call .. ": the claims must be a table, not a " .. type(claims))
  end
  options = check_options(call, signing, options)
  local key = read_key(call, options.key)
  local name = options.algorithm or usual[key.family]
  local algorithm = algorithms[name]
  if not algorithm or algorithm.family ~= key.family then
    fail(("%s: '%s' is no algorithm for this key"):format(call, tostring(name)))
  end
  allowed(call, name, { key })
  if options.expires then
    local copy = { iat = time(),
      exp = time() + floor(core.parse_seconds(options.expires) or 0) }
    for k, v in pairs(claims) do
      copy[k] = v
    end
    claims = copy
  end
  local text = encode(to_json { alg = name, typ = "JWT",
    kid = options.kid or nil }) .. "." .. encode(to_json(claims))
  local signature, err
  if algorithm.family == "secret" then
    signature = crypto.hmac(algorithm.hash, key.key, text)
  else
    signature, err = key.key:sign(text, algorithm.options)
  end
  if not signature then
    return nil, failure(INVALID, call, err and err.message)
  end
  return text .. "." .. encode(signature)
end

-- ---- the filter ------------------------------------------------------------

local known = { realm = "text", cookie = "text", optional = "flag",
  check = "any" }
for name, kind in pairs(verifying) do
  known[name] = kind
end

-- In quotes (RFC 9110, 5.6.4).
local function quoted(text)
  return '"' .. text:gsub('[%c\127]', " "):gsub('["\\]', "\\%0") .. '"'
end

local function bearer(req, cookie)
  local field = req:header "authorization"
  local token = field and field:match "^[Bb][Ee][Aa][Rr][Ee][Rr] +(.-) *$"
  return token or cookie and req:cookie(cookie) or nil
end

--- pl.jwt { key | keys | jwks, algorithms, audience, issuer, leeway, realm,
--- cookie, optional, check }: a filter that lets in who brings a good token;
--- its claims are req.claims then. cookie: the name of one that may have the
--- token, too. optional: who brings none is let in without claims.
--- check(claims, req): gives what is false for a token that is not wanted.
local function filter(options)
  local call = "pl.jwt"
  core.check_loading(call)
  core.load_part("identity")
  options = check_options(call, known, options)
  local rules = read_options(call, options)
  local check, cookie = options.check, options.cookie or nil
  if check then
    core.check_function(call .. ": option 'check'", check)
  end
  local realm = "Bearer realm=" .. quoted(options.realm or "perilune")
  local c = core.auth

  local function refuse(req, why)
    c.forged(req)
    return c.refuse(req, ("%s, error=\"invalid_token\", error_description=%s")
      :format(realm, quoted(why)), true)
  end

  return function(req, _, next)
    local token = bearer(req, cookie)
    if not token then
      if options.optional then
        return next()
      end
      return c.refuse(req, realm)
    end
    local claims, why = verify(rules, token)
    if not claims then
      return refuse(req, why)
    elseif check and not check(claims, req) then
      return refuse(req, "the token is not wanted")
    end
    req.claims = claims
    if type(claims.sub) == "string" then
      c.set_user(req, claims.sub)
    end
    return next()
  end
end

pl.jwt = setmetatable(jwt, {
  __call = function(_, options)
    return filter(options)
  end,
})
