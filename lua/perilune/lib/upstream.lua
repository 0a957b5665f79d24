-- upstream.lua - pl.proxy: requests sent on to other servers. Loaded when a
-- site first uses it.

local core, pl, c = ...
local check_loading, check_string, check_options =
  core.check_loading, core.check_string, core.check_options
local fail, in_folder = core.fail, core.in_folder
local mount, check_ms, check, set_key =
  c.mount, c.check_ms, c.check, c.set_key
local pairs, tonumber, tostring, type = pairs, tonumber, tostring, type

local known = {
  balance = "text", strip = "flag", path = "text", host = "text",
  forwarded = "text", via = "flag_or_text",
  request_headers = "fields", response_headers = "fields",
  rewrite_location = "flag", rewrite_cookies = "flag", cookie_domain = "text",
  websocket = "flag", max_connections = "count", queue = "count",
  queue_timeout = "duration", keepalive = "count",
  keepalive_timeout = "duration", connect_timeout = "duration",
  first_byte_timeout = "duration", read_timeout = "duration",
  total_timeout = "duration", websocket_timeout = "duration",
  retries = "count", max_failures = "count", pause = "duration",
}
-- Those with a form of their own.
local own = { to = true, hash = true, check = true, tls = true }
local known_server = { url = "text", weight = "count", backup = "flag" }
local known_check = {
  path = "text", host = "text", interval = "duration", timeout = "duration",
  rises = "count", falls = "count",
}
local known_tls = {
  ca = "text", cert = "text", key = "text", name = "text", insecure = "flag",
}

-- The servers as a list of tables: url, weight, backup. what: an example of
-- one, for who forgets it.
local function read_servers(call, to, what)
  local list = type(to) == "table" and to or { to }
  local servers = {}
  for i = 1, #list do
    local server = list[i]
    if type(server) == "table" then
      local options = { url = server.url or server[1], weight = server.weight,
        backup = server.backup }
      for name in pairs(server) do
        if name ~= 1 and known_server[name] == nil then
          fail(call .. ": to: a server has no '" .. tostring(name) .. "'")
        end
      end
      server = check_options(call, known_server, options)
    else
      server = { url = server }
    end
    check_string(call, "a server of option 'to'", server.url)
    servers[i] = server
  end
  if #servers == 0 then
    fail(("%s: option 'to' is needed: %s, or a list of them"):format(call,
      what))
  end
  return servers
end

-- "200", 200 or "200-399" as two numbers.
local function read_status(status)
  local text = tostring(status)
  local from, to = text:match("^(%d%d%d)%-(%d%d%d)$")
  from = from or text:match("^%d%d%d$")
  if not from then
    fail("pl.proxy: check: status must be like 200 or \"200-399\"")
  end
  return tonumber(from), tonumber(to or from)
end

local function read_check(given)
  local plain, status = given, nil
  if type(given) == "string" then
    plain = { path = given }
  elseif type(given) == "table" then
    plain = {}
    for name, value in pairs(given) do
      plain[name], status = value, given.status
    end
    plain.status = nil
  end
  local checks = check_options("pl.proxy", known_check, plain)
  if status ~= nil then
    checks.status_from, checks.status_to = read_status(status)
  end
  return checks
end

local function read_tls(given)
  local tls = check_options("pl.proxy", known_tls, given)
  for _, name in pairs { "ca", "cert", "key" } do
    tls[name] = tls[name] and in_folder(tls[name])
  end
  return tls
end

-- A list of name and value by turns; a value that is false takes out.
local function read_fields(call, option, fields)
  local list = {}
  for name, value in pairs(fields or {}) do
    if type(name) ~= "string"
      or (value ~= false and type(value) ~= "string"
        and type(value) ~= "number") then
      fail(("%s: option '%s' must have names, with strings or false")
        :format(call, option))
    end
    list[#list + 1] = name
    list[#list + 1] = value and tostring(value)
  end
  return list
end

-- For pl.fastcgi, too.
core.upstream_servers, core.upstream_fields = read_servers, read_fields

local function add(prefix, options)
  local handler = mount("pl.proxy", prefix, options)
  local ms = check_ms(handler)
  if ms > 0 then
    pl.every(ms / 1000, function() check(handler) end,
      { name = "pl.proxy " .. prefix })
  end
end

--- pl.proxy(prefix, { to = { "http://127.0.0.1:3000" }, ... }): all requests
--- below prefix are sent on (docs/upstream.md has the options).
function pl.proxy(prefix, options)
  check_loading("pl.proxy")
  check_string("pl.proxy", "the prefix", prefix)
  if type(options) == "string" then
    options = { to = options }
  end
  local given, plain = options, options
  if type(options) == "table" then
    plain = {}
    for name, value in pairs(options) do
      if not own[name] then
        plain[name] = value
      end
    end
  else
    given = {}
  end
  options = check_options("pl.proxy", known, plain)
  options.to = read_servers("pl.proxy", given.to, "a URL")
  options.request_headers =
    read_fields("pl.proxy", "request_headers", options.request_headers)
  options.response_headers =
    read_fields("pl.proxy", "response_headers", options.response_headers)
  options.check = given.check and read_check(given.check)
  options.tls = given.tls and read_tls(given.tls)
  if options.via == true then
    options.via = "perilune"
  end
  local hash = given.hash
  options.hash = hash or nil
  if type(hash) ~= "function" then
    if hash ~= nil and hash ~= false then
      check_string("pl.proxy", "option 'hash'", hash)
    end
    return add(prefix, options)
  end
  options.hash, options.balance = nil, "hash"
  pl.group("", function()
    pl.use(function(req, _, next)
      set_key(req, tostring(hash(req)))
      next()
    end)
    add(prefix, options)
  end)
end
