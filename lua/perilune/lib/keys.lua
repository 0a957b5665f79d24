-- keys.lua - pl.keys: the secrets of a site, and cookies that nobody else can
-- make: signed ones, which the client can read, and encrypted ones.

local core, pl = ...
core.load_part("identity")
local c = core.auth
local check_loading, check_options, check_string, fail =
  core.check_loading, core.check_options, core.check_string, core.fail
local new_keys, seal, unseal, sign, verify, forged =
  c.new_keys, c.seal, c.unseal, c.sign, c.verify, c.forged
local time, type = os.time, type

local secrets -- of the site, the newest first
local cookie_keys

local function check_list(call, list)
  if type(list) == "string" then
    list = { list }
  elseif type(list) ~= "table" then
    fail(call .. ": a list of keys is needed, not a " .. type(list))
  end
  for i = 1, #list do
    check_string(call, "key " .. i, list[i])
  end
  return list
end

-- Random ones, as long as the process lives, the same for all its workers.
local function temporary()
  local dict = pl.shared("perilune.keys", { max = "64k" })
  dict:add("secret", pl.crypto.token(48))
  return { dict:get("secret") }
end

--- pl.keys { secret, older, ... }: the keys of this site's cookies and
--- sessions, each at least 32 bytes. The first one seals, all of them open.
--- pl.keys "temporary": random ones, for as long as the process lives.
function pl.keys(list)
  check_loading("pl.keys")
  list = list == "temporary" and temporary() or check_list("pl.keys", list)
  cookie_keys = new_keys("pl.keys", "cookie", list)
  secrets = list
end

--- The keys of a part of the library: made of its own secrets or the site's.
function core.keys_of(call, purpose, list)
  if list then
    return new_keys(call, purpose, check_list(call, list))
  elseif not secrets then
    fail(call .. ": there are no keys: say pl.keys { pl.env \"SITE_KEY\" } "
      .. "before, or the option 'keys'")
  end
  return new_keys(call, purpose, secrets)
end

-- ---- cookies ---------------------------------------------------------------

local requests, responses = core.request_methods, core.response_methods

-- When a cookie with these options ends, in seconds since 1970; 0: never.
local function ending(options)
  local age, at = options.max_age, options.expires
  return age and time() + age or at or 0
end

local function check_keys(call)
  if not cookie_keys then
    fail(call .. ": there are no keys: say pl.keys { ... } first")
  end
  return cookie_keys
end

local function add(kind, make, open)
  local name = kind .. "_cookie"
  local set_call, get_call = "res:" .. name, "req:" .. name

  responses[name] = function(res, cookie, value, options)
    local keys = check_keys(set_call)
    check_string(set_call, "the name", cookie)
    check_string(set_call, "the value", value)
    options = options or {}
    if type(options) ~= "table" then
      check_options(set_call, {}, options)
    end
    return res:cookie(cookie, make(keys, cookie, value, ending(options)),
      options)
  end

  requests[name] = function(req, cookie)
    local keys = check_keys(get_call)
    local token = req:cookie(cookie)
    if not token then
      return nil
    end
    local value, old = open(keys, cookie, token)
    if not value and not old then
      forged(req)
    end
    return value
  end
end

--- res:signed_cookie(name, value [, options]): as res:cookie(); the client can
--- read the value, but not change it. With max_age or expires it is not
--- accepted any longer than that.
--- req:signed_cookie(name) -> value, or nil: none, or not one of this site's.
add("signed", sign, verify)

--- The same, and the client cannot read it either.
add("encrypted", seal, unseal)
