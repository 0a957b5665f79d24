-- http.lua - pl.http: requests to others, by libcurl (src/client/transfer.c).
--
--     options -> plan -> hop: name -> addresses -> transfer -> response
--                         ^                                       |
--                         +---------------- redirect -------------+
--
-- A plan is what a request is; a hop sends it once. What a request says, and
-- how a body is made of it, is in http_body.lua; the response is in
-- http_response.lua.

local core, pl, natives = ...
natives.open()
assert(pl.dns and pl.url and pl.json)
core.load_part "http_body"
core.load_part "http_response"
local dns, http_body = core.dns, core.http_body
local new_response = core.http_response
local fail, failed, now = core.fail, core.failed, core.now
local check_options, check_string = core.check_options, core.check_string
local parse_seconds, parse_size = core.parse_seconds, core.parse_size
local concat, max, min = table.concat, math.max, math.min
local pairs, setmetatable, tonumber, type = pairs, setmetatable, tonumber, type

-- ---- options ---------------------------------------------------------------

-- Seconds and bytes, unless something else is said.
local TIMEOUT, CONNECT, IDLE = 60, 10, 60
local MAX_BODY, REDIRECTS = 16 * 1024 * 1024, 10
local CONNECTIONS, PER_HOST, KEPT = 256, 32, 64

local of_both = {
  headers = "fields", auth = "any", timeout = "duration",
  connect_timeout = "duration", idle_timeout = "duration", max_body = "size",
  redirects = "count", proxy = "text", unix = "text", tls = "any",
  version = "id", decode = "flag", only_public = "flag",
}
local of_request = {
  method = "text", url = "text", query = "any", body = "any", json = "any",
  form = "any", parts = "any", length = "number", stream = "flag",
}
local of_session = {
  base = "text", cookies = "flag", connections = "count", per_host = "count",
  kept = "count", resolver = "any",
}
for name, kind in pairs(of_both) do
  of_request[name], of_session[name] = kind, kind
end

local tls_options = {
  verify = "flag", ca = "text", cert = "text", key = "text",
}

-- Seconds; 0: no limit.
local function seconds_of(call, name, value, default)
  if value == nil then
    return default
  elseif value == false then
    return 0
  end
  local seconds = parse_seconds(value)
  if not seconds or seconds <= 0 then
    fail(("%s: option '%s' must be a time above 0, such as \"10s\", or false")
      :format(call, name))
  end
  return seconds
end

local function size_of(call, name, value, default)
  if value == nil then
    return default
  elseif value == false then
    return 0
  end
  local bytes = parse_size(value)
  if not bytes then
    fail(("%s: option '%s' must be a size, such as \"1m\", or false")
      :format(call, name))
  end
  return bytes
end

local function path_of(path)
  return path and (core.in_folder and core.in_folder(path) or path) or nil
end

local proxies = {
  http = true, https = true, socks4 = true, socks4a = true, socks5 = true,
  socks5h = true,
}

-- "http://[user:password@]host:port"
local function check_proxy(call, text)
  if not text then
    return nil
  end
  local scheme, rest = text:match "^(%a%w*)://(.+)$"
  local host, port = (rest or ""):gsub("^.*@", "")
    :match "^%[?([^%[%]/]+)%]?:(%d+)/?$"
  if not host or not proxies[scheme] then
    fail(call .. ": option 'proxy' must be a URL such as "
      .. "\"http://proxy.example:3128\", also of https, socks5 or socks5h")
  end
  return { url = text, scheme = scheme, host = host, port = port }
end

local function check_tls(call, given, o)
  if given == nil or given == false then
    return
  elseif type(given) ~= "table" then
    fail(call .. ": option 'tls' must be a table of options")
  end
  local tls = check_options(call .. ": TLS", tls_options, given)
  o.insecure = tls.verify == false
  o.ca, o.cert, o.key = path_of(tls.ca), path_of(tls.cert), path_of(tls.key)
end

local versions = { ["1.1"] = 1, ["2"] = 2 }

local function check_version(call, version)
  if version and not versions[version] then
    fail(call .. ": option 'version' must be \"1.1\" or \"2\"")
  end
  return version and versions[version] or 0
end

-- { user, password }, or { bearer = token }
local function check_auth(call, auth)
  if not auth then
    return nil
  elseif type(auth) ~= "table"
    or type(auth.bearer or auth[1]) ~= "string"
    or type(auth[2] or "") ~= "string" then
    fail(call .. ": option 'auth' must be { user, password } or "
      .. "{ bearer = token }")
  end
  return auth
end

-- What a session and a request may both say, as it is meant.
local function common(call, o, base)
  local given = setmetatable({}, { __index = function(_, name)
    local value = o[name]
    if value == nil then
      return base[name]
    end
    return value
  end })
  local checked = {
    auth = check_auth(call, given.auth),
    timeout = given.timeout, max_body = given.max_body,
    connect_timeout = seconds_of(call, "connect_timeout",
      given.connect_timeout, CONNECT),
    idle_timeout = seconds_of(call, "idle_timeout", given.idle_timeout, IDLE),
    redirects = given.redirects == nil and REDIRECTS or given.redirects or 0,
    proxy = check_proxy(call, given.proxy), unix = path_of(given.unix),
    version = check_version(call, given.version),
    decode = given.decode ~= false, only_public = given.only_public or false,
  }
  check_tls(call, given.tls, checked)
  if checked.only_public and (checked.proxy or checked.unix) then
    fail(call .. ": option 'only_public' cannot be kept with 'proxy' or 'unix'")
  end
  return checked
end

-- ---- pools of connections --------------------------------------------------

-- Those of all sessions that say nothing of their own; the first kind is made
-- now, which says so if there is no plug-in.
local shared = { connections = CONNECTIONS, per_host = PER_HOST, kept = KEPT,
  any = natives.pool(CONNECTIONS, PER_HOST, KEPT) }

local function pools_of(o)
  if not (o.connections or o.per_host or o.kept) then
    return shared
  end
  return { connections = o.connections or CONNECTIONS,
    per_host = o.per_host or PER_HOST, kept = o.kept or KEPT }
end

-- What may only go to public addresses must not find a connection that was
-- opened to another one.
local function pool_of(self, plan)
  local kind, pools = plan.only_public and "public" or "any", self.pools
  if not pools[kind] then
    pools[kind] = natives.pool(pools.connections, pools.per_host, pools.kept)
  end
  return pools[kind]
end

-- ---- plans -----------------------------------------------------------------

local Session = { __name = "pl.http.session" }
Session.__index = Session

-- The method as it is sent: a token (RFC 9110, 5.6.2).
local function check_method(call, method)
  if not method:find("^[%w!#$%%&'*+.^_`|~-]+$") or method == "CONNECT" then
    fail(call .. ": '" .. method .. "' is no method")
  end
  return method
end

local function with_query(call, url, query)
  if query == nil then
    return url
  elseif type(query) == "table" then
    query = pl.url.encode_query(query)
  elseif type(query) ~= "string" then
    fail(call .. ": option 'query' must be a table or a string")
  end
  if query == "" then
    return url
  end
  local whole, fragment = url:match "^([^#]*)(.*)$"
  return whole .. (whole:find("?", 1, true) and "&" or "?") .. query .. fragment
end

-- The parts of a URL; nil, err.
local function parse(call, url, base)
  if url:find "%z" then
    return failed(call, core.INVALID, "the URL has a NUL")
  end
  local parts, why = natives.url(shared.any, base, url)
  if not parts then
    return failed(call, core.INVALID, ("'%s': %s"):format(url, why))
  end
  parts.origin = ("%s://%s:%d"):format(parts.scheme, parts.host:lower(),
    parts.port)
  return parts
end

local function plan_of(self, call, o)
  check_string(call, "option 'url'", o.url)
  local plan = common(call, o, self.options)
  plan.stream = o.stream or false
  plan.timeout = seconds_of(call, "timeout", plan.timeout,
    plan.stream and 0 or TIMEOUT)
  plan.max_body = size_of(call, "max_body", plan.max_body,
    plan.stream and 0 or MAX_BODY)
  plan.deadline = plan.timeout > 0 and now() + plan.timeout or nil
  plan.method = check_method(call, o.method or "GET")
  http_body.fill(call, plan, o, self.options.headers)
  local url, err =
    parse(call, with_query(call, o.url, o.query), self.options.base)
  if not url then
    return nil, err
  end
  plan.url = url
  return plan
end

-- ---- a hop -----------------------------------------------------------------

-- Seconds that are left for all of it; 0: no limit.
local function left(plan)
  return plan.deadline and max(plan.deadline - now(), 0.001) or 0
end

-- The addresses of a host, as libcurl is told of them; nil, err.
local function resolve(self, call, plan, host, port)
  if dns.is_address(host) then
    if plan.only_public and not dns.is_public(host) then
      return failed(call, core.DENIED, host .. " is no public address")
    end
    return ""
  end
  local seconds = plan.connect_timeout > 0 and plan.connect_timeout or 3600
  if plan.deadline then
    seconds = min(seconds, left(plan))
  end
  local list, err = dns.addresses(self.options.resolver, call, host, seconds)
  if not list then
    return nil, err
  end
  local out = {}
  for i = 1, #list do
    if plan.only_public and not dns.is_public(list[i]) then
      return failed(call, core.DENIED, host .. " has no public address")
    end
    out[i] = list[i]:find(":", 1, true) and "[" .. list[i] .. "]" or list[i]
  end
  return ("+%s:%s:%s\0"):format(host, port, concat(out, ","))
end

-- Whose addresses are needed: the host's, the proxy's, or those of both.
local function find_addresses(self, call, plan)
  local url, proxy = plan.url, plan.proxy
  if plan.unix then
    return ""
  end
  local found, err = "", nil
  if proxy then
    found, err = resolve(self, call, plan, proxy.host, proxy.port)
    if not found then
      return nil, err
    end
  end
  if not proxy or proxy.scheme == "socks4" or proxy.scheme == "socks5" then
    local more
    more, err = resolve(self, call, plan, url.host, url.port)
    if not more then
      return nil, err
    end
    found = found .. more
  end
  return found
end

-- The user and password of the URL come before those of the option, which are
-- for the first origin only.
local function set_login(plan, spec)
  local url, auth = plan.url, plan.auth
  if url.user or url.password then
    spec.user, spec.password = url.user, url.password
  elseif auth and not auth.bearer then
    spec.user, spec.password = auth[1], auth[2]
  end
end

-- Sends the plan once; the transfer, or nil, err.
local function send(self, call, plan)
  local addresses, err = find_addresses(self, call, plan)
  if not addresses then
    return nil, err
  end
  local transfer = natives.transfer()
  local spec = {
    method = plan.method, url = plan.url.whole, addresses = addresses,
    fields = http_body.lines(plan), timeout = left(plan),
    body = type(plan.body) == "string" and plan.body or nil,
    sends = type(plan.body) == "function", length = plan.length,
    proxy = plan.proxy and plan.proxy.url, socket = plan.unix,
    ca = plan.ca, cert = plan.cert, key = plan.key, insecure = plan.insecure,
    decode = plan.decode, version = plan.version,
    connect_timeout = plan.connect_timeout, idle_timeout = plan.idle_timeout,
    max_body = plan.max_body, stream = plan.stream, jar = self.jar,
  }
  set_login(plan, spec)
  local result = natives.begin(transfer, pool_of(self, plan), call, spec)
  if result < 0 then
    return failed(call, result, natives.failure(transfer))
  end
  return transfer
end

-- ---- redirects (RFC 9110, 15.4) --------------------------------------------

local is_redirect = {
  [301] = true, [302] = true, [303] = true, [307] = true, [308] = true,
}

-- What was meant for one origin is not for another.
local private = { authorization = true, cookie = true,
  ["proxy-authorization"] = true }

local function forget_secrets(plan)
  plan.auth = nil
  for name in pairs(private) do
    plan.fields[name] = nil
  end
end

-- Changes the plan to the next hop; false: the response is the answer; nil,
-- err.
local function follow(self, call, plan, response)
  local location = response.headers.location
  if not is_redirect[response.status] or not location
    or plan.redirects == 0 then
    return false
  end
  local again = response.status == 307 or response.status == 308
  if again and type(plan.body) == "function" then
    return false -- it cannot be sent twice
  end
  if response.redirects == plan.redirects then
    return failed(call, core.LIMIT, "too many redirects")
  end
  local url, err = parse(call, location, plan.url.whole)
  if not url then
    return nil, err
  end
  if not again and plan.method ~= "GET" and plan.method ~= "HEAD"
    and (response.status == 303 or plan.method == "POST") then
    plan.method = "GET"
    http_body.drop(plan)
  end
  if url.origin ~= plan.url.origin then
    forget_secrets(plan)
  end
  plan.url = url
  return true
end

-- ---- requests --------------------------------------------------------------

local function run(self, call, options)
  local plan, err =
    plan_of(self, call, check_options(call, of_request, options))
  if not plan then
    return nil, err
  end
  local hops = 0
  while true do
    local transfer, response, more
    transfer, err = send(self, call, plan)
    if not transfer then
      return nil, err
    end
    response, err = new_response(call, transfer, plan, hops)
    if not response then
      return nil, err
    end
    more, err = follow(self, call, plan, response)
    if more == false then
      return response
    end
    response:close()
    if not more then
      return nil, err
    end
    hops = hops + 1
  end
end

-- The options of a call, with what its other arguments say.
local function with(call, options, method, url, body)
  check_string(call, "the URL", url)
  local o = {}
  if options ~= nil and type(options) ~= "table" then
    fail(call .. ": options must be a table, not a " .. type(options))
  end
  for name, value in pairs(options or o) do
    o[name] = value
  end
  o.method, o.url = method, url
  if type(body) == "table" then
    o.json = body
  elseif body ~= nil then
    o.body = body
  end
  return o
end

--- options: url, method ["GET"], and all others.
function Session:request(options)
  return run(self, self.call .. "request", options)
end

for _, name in pairs { "get", "head", "delete", "options" } do
  Session[name] = function(self, url, options)
    local call = self.call .. name
    return run(self, call, with(call, options, name:upper(), url))
  end
end

for _, name in pairs { "post", "put", "patch" } do
  Session[name] = function(self, url, body, options)
    local call = self.call .. name
    return run(self, call, with(call, options, name:upper(), url, body))
  end
end

-- ---- cookies ---------------------------------------------------------------

local function check_jar(self, call)
  if not self.jar then
    fail(call .. ": the session was made without cookies = true")
  end
  return self.jar
end

--- The cookies of the session: a list of tables.
function Session:cookies()
  local list = {}
  for line in natives.cookies(check_jar(self, "session:cookies"))
    :gmatch "[^\n]+" do
    local domain, all, path, secure, expires, name, value =
      line:gsub("^#HttpOnly_", "")
        :match "^(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t(.*)$"
    list[#list + 1] = {
      name = name, value = value, domain = (domain:gsub("^%.", "")),
      path = path, secure = secure == "TRUE", subdomains = all == "TRUE",
      http_only = line:find "^#HttpOnly_" ~= nil,
      expires = expires ~= "0" and tonumber(expires) or nil,
    }
  end
  return list
end

--- A cookie, as the field Set-Cookie has it; with its domain.
function Session:set_cookie(text)
  local call = "session:set_cookie"
  check_string(call, "the cookie", text)
  if text:find "%c" or not text:lower():find ";%s*domain%s*=" then
    fail(call .. ": the cookie must be one line, and name its domain: "
      .. "\"name=value; domain=example.com\"")
  end
  natives.set_cookie(check_jar(self, call), "Set-Cookie: " .. text)
end

function Session:clear_cookies()
  natives.set_cookie(check_jar(self, "session:clear_cookies"), nil)
end

-- ---- sessions --------------------------------------------------------------

local function new(call, o)
  common(call, o, {}) -- says what is wrong with it now
  if o.resolver and not dns.is_resolver(o.resolver) then
    fail(call .. ": option 'resolver' must be one of pl.dns.resolver")
  end
  local self = setmetatable({ call = "session:", options = o,
    pools = pools_of(o) }, Session)
  if o.base then
    local base, err = parse(call, o.base)
    if not base then
      fail(call .. ": option 'base': " .. err.message)
    end
  end
  self.jar = o.cookies and natives.jar(shared.any) or nil
  return self
end

local http = {}

local default = new("pl.http", {})
default.call = "pl.http."

for _, name in pairs { "request", "get", "head", "delete", "options", "post",
  "put", "patch" } do
  local method = Session[name]
  http[name] = function(...)
    return method(default, ...)
  end
end

--- Requests that have something in common: base, headers, cookies, limits.
function http.session(options)
  local call = "pl.http.session"
  local o = check_options(call, of_session, options)
  http_body.check_fields(call, o.headers)
  return new(call, o)
end

pl.http = http
