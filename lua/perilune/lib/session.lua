-- session.lua - pl.session: what a site remembers of a browser.
--
-- The browser has a sealed cookie (keys.lua): with all that the session holds,
-- or, when there is a store, with its name in that store. A session is read
-- when a script first asks for req.session, and written before the head of the
-- response goes out, if it has changed or is due to be renewed.

local core, pl = ...
core.load_part("identity")
core.load_part("response") -- the cookie; and res:write() asks before_head
assert(pl.keys)            -- makes core.keys_of
local c = core.auth
local check_loading, check_options, fail =
  core.check_loading, core.check_options, core.fail
local own, seal, unseal, pack, unpack, forged, unsent =
  core.req_own, c.seal, c.unseal, c.pack, c.unpack, c.forged, c.unsent
local error, getmetatable, ipairs, min, next, pairs, rawset, select,
  setmetatable, time, tostring, type = error, getmetatable, ipairs, math.min,
  next, pairs, rawset, select, setmetatable, os.time, tostring, type

local call = "pl.session"
local PAIR_MAX = 4096 -- of a cookie's name and value, in browsers

local known = { keys = "any", store = "any", ttl = "duration",
  renewal = "duration", lifetime = "duration", name = "text", path = "text",
  domain = "text", secure = "flag", same_site = "text", persistent = "flag" }

local STATE = {} -- the key of a request's own value

-- ---- stores ----------------------------------------------------------------

-- A store has store:get(id) -> text or nil [, err], store:set(id, text,
-- seconds) -> true or nil, err, and store:delete(id). What pl.shared() gives is
-- one.
local function check_store(store)
  if store == nil or store == "cookie" then
    return nil
  elseif store == "shared" then
    return pl.shared("perilune.sessions", { max = "64m", evict = true })
  end
  local kind = type(store)
  if kind ~= "table" and kind ~= "userdata" then
    fail(call .. ": option 'store' must be \"cookie\", \"shared\" or a table "
      .. "with get, set and delete, not a " .. kind)
  end
  for _, name in ipairs { "get", "set", "delete" } do
    core.check_function(call .. ": option 'store': " .. name, store[name])
  end
  return store
end

local function put(store, id, bytes, seconds)
  local ok, err = store:set(id, bytes, seconds)
  if not ok then
    error(err or call .. ": the store does not take the session", 0)
  end
end

-- ---- sessions as scripts see them ------------------------------------------

local methods = {}

-- A name that is a method's would hide it.
local function set(session, key, value)
  if methods[key] then
    fail(("req.session.%s cannot be set"):format(tostring(key)))
  end
  rawset(session, key, value)
end

-- state: req, res, how (the options); and once the session was asked for:
-- session, flash, csrf, created, renewed, id (of the store), before (what it
-- was, packed), stale (the name in the store that is to be deleted there). It
-- is in the session's metatable.
local function state_of(session, name)
  local meta = type(session) == "table" and getmetatable(session)
  if not meta or meta.__index ~= methods then
    fail(("session:%s: call it with a colon, on req.session"):format(name))
  end
  return meta.state
end

-- What is kept of a session, in one order.
local function packed(state)
  local bytes, why = pack { state.session, state.flash or false,
    state.csrf or false }
  if not bytes then
    error(("req.session: %s"):format(why), 0)
  end
  return bytes
end

local function begin(state, session, flash, csrf, created)
  session = setmetatable(session, { __name = "pl.session", __index = methods,
    __newindex = set, state = state })
  state.session, state.flash, state.csrf = session, flash, csrf
  state.created = created
  return session
end

local function is_empty(state)
  return next(state.session) == nil and not state.flash and not state.csrf
end

--- session:flash(name, value): keeps value for the next time that somebody asks
--- for it: session:flash(name) -> value, which is then forgotten.
function methods:flash(name, ...)
  local state = state_of(self, "flash")
  local flash = state.flash
  core.check_string("session:flash", "the name", name)
  if select("#", ...) == 0 then
    local value = flash and flash[name]
    if value ~= nil then
      flash[name] = nil
      state.flash = next(flash) ~= nil and flash or nil
    end
    return value
  end
  flash = flash or {}
  flash[name] = (...)
  state.flash = next(flash) ~= nil and flash or nil
end

-- The name that the store knew it by is worth nothing from now on.
local function leave_store(state)
  if state.id then
    state.stale = state.id
    state.id = nil
  end
end

--- session:regenerate(): the same session under another name; to be called when
--- somebody logs in or gets other rights, so that a name which somebody else
--- knows from before is worth nothing.
function methods:regenerate()
  local state = state_of(self, "regenerate")
  leave_store(state)
  state.csrf = nil
  state.created = time()
  state.anew = true
end

--- session:destroy(): forgets all of it, and the cookie.
function methods:destroy()
  local state = state_of(self, "destroy")
  leave_store(state)
  for key in pairs(self) do
    self[key] = nil
  end
  state.flash, state.csrf, state.anew = nil, nil, nil
  state.created = time()
end

-- ---- reading ---------------------------------------------------------------

-- The text that the cookie leads to, and its name in the store.
local function fetch(state, how)
  local token = state.req:cookie(how.name)
  if not token then
    return nil
  end
  state.has_cookie = true
  local text, old = unseal(how.keys, how.name, token)
  if not text then
    if not old then
      forged(state.req)
    end
    return nil
  elseif not how.store then
    return text
  end
  local bytes, err = how.store:get(text)
  if err then
    error(err, 0)
  end
  return bytes, text
end

local function read(state)
  local how, now = state.how, time()
  if unsent(state.req) then
    state.res:add_header("vary", "Cookie") -- no cache gives it to others
  end
  local text, id = fetch(state, how)
  local record = type(text) == "string" and unpack(text)
  if type(record) ~= "table" or type(record.kept) ~= "table"
    or how.lifetime and now >= record.created + how.lifetime then
    return begin(state, {}, nil, nil, now)
  end
  local kept = record.kept
  local session = begin(state, kept[1], kept[2] or nil, kept[3] or nil,
    record.created)
  state.renewed, state.id = record.renewed, id
  state.before = packed(state)
  return session
end

function core.request_getters.session(req)
  local values = own(req)
  local state = values and values[STATE]
  return state and (state.session or read(state))
end

-- For csrf.lua: the secret that a session has; nil where there is no session.
function core.csrf_of_session(req)
  if not req.session then
    return nil
  end
  local state = own(req)[STATE]
  return {
    get = function() return state.csrf end,
    set = function(secret) state.csrf = secret end,
  }
end

-- ---- writing ---------------------------------------------------------------

local function cookie_options(state, how, age)
  local secure = how.secure
  if secure == nil then
    secure = state.req.scheme == "https"
  end
  return { path = how.path, domain = how.domain, same_site = how.same_site,
    secure = secure, max_age = age }
end

-- Set-Cookie in the place of one that was said before.
local function set_cookie(state, value, age)
  local how, res = state.how, state.res
  if state.said then
    c.drop_cookie(state.req, how.name)
  end
  res:cookie(how.name, value, cookie_options(state, how, age))
  state.said = true
end

local function drop(state)
  if state.has_cookie or state.said then
    set_cookie(state, "", 0)
    state.has_cookie = false
  end
  state.before = nil
end

local function write(state, bytes, now)
  local how = state.how
  local record = pack { kept = { state.session, state.flash or false,
    state.csrf or false }, created = state.created, renewed = now }
  local ends = now + how.ttl
  if how.lifetime then
    ends = min(ends, state.created + how.lifetime)
  end
  if how.store then
    state.id = state.id or pl.crypto.token(24)
    put(how.store, state.id, record, ends - now)
    record = state.id
  end
  local token = seal(how.keys, how.name, record, ends)
  if #how.name + #token > PAIR_MAX then
    error(("pl.session: this session takes a cookie of %d bytes, and browsers "
      .. "keep %d: put less into req.session, or use store = \"shared\"")
      :format(#how.name + #token, PAIR_MAX), 0)
  end
  set_cookie(state, token, how.persistent and ends - now or nil)
  state.before, state.renewed, state.anew = bytes, now, nil
end

-- Is called before the head goes out, and when the handler is over.
local function save(state)
  if not state.session then
    return
  end
  local bytes, now = packed(state), time()
  local empty = is_empty(state)
  local changed = state.anew or bytes ~= state.before and not
    (empty and not state.before)
  if not changed and not state.stale
    and (not state.before or now < state.renewed + state.how.renewal) then
    return
  elseif not unsent(state.req) then
    if changed or state.stale then
      core.report("req.session was changed when the response had begun, which "
        .. "is too late")
    end
    return
  end
  if state.stale then
    state.how.store:delete(state.stale)
    state.stale = nil
  end
  if empty then
    drop(state)
  else
    write(state, bytes, now)
  end
end

-- For what begins a response before its handler is over: res:write() and the
-- like. object: the request or the response.
function core.before_head(object)
  local req = unsent(object)
  local values = req and own(req)
  local state = values and values[STATE]
  if state then
    save(state)
  end
end

-- ---- the filter ------------------------------------------------------------

local function seconds_of(options, name, default)
  local value = options[name]
  if value == nil then
    value = default
  end
  local seconds = value and core.parse_seconds(value)
  if value and not (seconds and seconds > 0) then
    fail(("%s: option '%s' is no time like \"1d\""):format(call, name))
  end
  return seconds or nil
end

--- pl.session { keys = nil, store = "cookie", ttl = "1d", renewal = ttl / 4,
--- lifetime = nil, name = "session", path = "/", domain = nil, secure = nil,
--- same_site = "lax", persistent = false }: a filter, which gives the routes
--- inside req.session. secure: unless it is said, where the request is.
function pl.session(options)
  check_loading(call)
  options = check_options(call, known, options)
  local ttl = seconds_of(options, "ttl", "1d")
  if not ttl then
    fail(call .. ": option 'ttl' is no time like \"1d\"")
  end
  local how = {
    ttl = ttl,
    renewal = seconds_of(options, "renewal") or ttl / 4,
    lifetime = seconds_of(options, "lifetime"),
    name = options.name or "session", path = options.path or "/",
    domain = options.domain or nil, secure = options.secure,
    same_site = options.same_site or "lax",
    persistent = options.persistent,
    store = check_store(options.store or nil),
    keys = core.keys_of(call, "session", options.keys),
  }
  return function(req, res, next_step)
    local state = { req = req, res = res, how = how }
    own(req, true)[STATE] = state
    next_step()
    if res:status() < 500 then
      save(state)
    end
  end
end
