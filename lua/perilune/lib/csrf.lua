-- csrf.lua - pl.csrf: no other site makes browsers send forms to this one.
--
-- What changes something (POST, PUT, ...) must come from a page of this site,
-- by what the browser says of itself (Sec-Fetch-Site, Origin, Referer), and
-- bring a token that only such a page can know. A token is signed under a
-- secret that the browser has: in its session if there is one, else in a signed
-- cookie of its own (double submit). Each is different, so that nobody can
-- guess it by the length of a compressed page.

local core, pl = ...
core.load_part("identity")
assert(pl.keys) -- makes core.keys_of
local c = core.auth
local check_loading, check_options, fail =
  core.check_loading, core.check_options, core.fail
local own, sign, verify, forged, origin_allowed =
  core.req_own, c.sign, c.verify, c.forged, c.origin_allowed
local requests = core.request_methods
local concat, error, lower, time, type =
  table.concat, error, string.lower, os.time, type

local call = "pl.csrf"
local known = { keys = "any", header = "text", field = "text", cookie = "text",
  origins = "any", ttl = "duration" }
local safe = { GET = true, HEAD = true, OPTIONS = true, TRACE = true }

local STATE = {} -- the key of a request's own value: its guard and secret

-- ---- the secret ------------------------------------------------------------

-- The browser's secret; nil: it has none yet.
local function find_secret(req, guard)
  local session = core.csrf_of_session and core.csrf_of_session(req)
  if session then
    return session.get()
  end
  local token = req:cookie(guard.cookie)
  if token then
    local secret, old = verify(guard.keys, guard.cookie, token)
    if not secret and not old then
      forged(req)
    end
    return secret
  end
end

local function new_secret(req, res, guard)
  local secret = pl.crypto.token(16)
  local session = core.csrf_of_session and core.csrf_of_session(req)
  if session then
    session.set(secret)
  else
    res:cookie(guard.cookie, sign(guard.keys, guard.cookie, secret, 0),
      { secure = req.scheme == "https" })
  end
  return secret
end

local function label_of(secret)
  return "csrf " .. secret
end

--- req:csrf_token() -> text for a hidden field of a form, or for the header
--- field of a request that a script makes.
function requests.csrf_token(req)
  local values = own(req)
  local state = values and values[STATE]
  if not state then
    fail("req:csrf_token: there is no pl.csrf around this route")
  end
  local guard = state.guard
  local secret = find_secret(req, guard) or state.secret
  if not secret then
    secret = new_secret(req, state.res, guard)
    state.secret = secret
  end
  return sign(guard.keys, label_of(secret), pl.crypto.random(8),
    time() + guard.ttl)
end

--- req:csrf_field() -> the hidden field, as HTML
function requests.csrf_field(req)
  local token = requests.csrf_token(req)
  return ('<input type="hidden" name="%s" value="%s">'):format(
    own(req)[STATE].guard.field, token)
end

-- ---- what comes ------------------------------------------------------------

-- Where it comes from, as far as the browser says. Those of old say nothing.
local function is_from_here(req, guard)
  local origin = req:header "origin"
  if origin then
    return origin_allowed(req, origin, guard.origins)
  end
  local site = req:header "sec-fetch-site"
  if site then
    return site == "same-origin" or site == "none"
  end
  local referer = req:header "referer"
  if referer then
    origin = referer:match "^%a[%w+.-]*://[^/?#]*"
    return origin ~= nil and origin_allowed(req, origin, guard.origins)
  end
  return true
end

local FORM = {}
local methods_form

-- A form is read once: its handler gets the same.
local function read_form(req)
  local kind = req:header "content-type"
  kind = kind and lower(kind) or ""
  if not kind:find("^application/x%-www%-form%-urlencoded")
    and not kind:find("^multipart/form%-data") then
    return {}
  end
  local form, err = methods_form(req)
  if not form then
    error(err, 0) -- 413, 400: what is wrong is not where it comes from
  end
  own(req, true)[FORM] = form
  return form
end

core.load_part("body")
methods_form = requests.form

function requests.form(req)
  local values = own(req)
  local form = values and values[FORM]
  if form then
    return form
  end
  return methods_form(req)
end

local function has_token(req, guard)
  local token = req:header(guard.header) or read_form(req)[guard.field]
  local secret = find_secret(req, guard)
  if type(token) ~= "string" or not secret then
    return false
  end
  local good, old = verify(guard.keys, label_of(secret), token)
  if not good and not old then
    forged(req)
  end
  return good ~= nil
end

-- One origin or a list of them, for C with spaces between.
local function check_origins(origins)
  if type(origins) ~= "table" then
    origins = { origins }
  end
  for i = 1, #origins do
    core.check_string(call, "an element of option 'origins'", origins[i])
    if origins[i] == "" or origins[i]:find "%s" then
      fail(call .. ": option 'origins': '" .. origins[i] .. "' is no origin")
    end
  end
  return concat(origins, " ")
end

--- pl.csrf { header = "x-csrf-token", field = "_csrf", cookie = "csrf",
--- origins = nil, ttl = "1d", keys = nil }: a filter, inside of pl.session if
--- there is one. What fails is answered by 403. origins: other sites whose
--- pages may send forms here, as "https://a.example" or "*.a.example".
function pl.csrf(options)
  check_loading(call)
  options = check_options(call, known, options)
  local guard = {
    header = options.header or "x-csrf-token", field = options.field or "_csrf",
    cookie = options.cookie or "csrf",
    origins = options.origins and check_origins(options.origins) or nil,
    ttl = core.parse_seconds(options.ttl or "1d"),
    keys = core.keys_of(call, "csrf", options.keys),
  }
  if not guard.ttl then
    fail(call .. ": option 'ttl' is no time like \"1d\"")
  elseif not guard.field:find "^[%w_.-]+$" then
    fail(call .. ": option 'field' must be a word")
  end
  return function(req, res, next)
    own(req, true)[STATE] = { guard = guard, res = res }
    if safe[req.method] then
      return next()
    elseif not is_from_here(req, guard) then
      return 403, "This was sent by a page of another site.\n"
    elseif not has_token(req, guard) then
      return 403, "The form is too old, or not of this site: load its page "
        .. "again.\n"
    end
    return next()
  end
end
