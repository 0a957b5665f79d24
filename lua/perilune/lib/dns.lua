-- dns.lua - pl.dns: names, by c-ares (src/client/dns.c).

local core, pl, natives = ...
natives.open()
local is_address = natives.is_address
local fail, failed = core.fail, core.failed
local check_options, check_string = core.check_options, core.check_string
local concat, sort = table.concat, table.sort
local ipairs, setmetatable, type = ipairs, setmetatable, type

-- Seconds that a question may take, with all its tries; those of the first try.
local MOST, FIRST, TRIES = 15, 2, 3

local types = {
  A = 1, NS = 2, CNAME = 5, PTR = 12, MX = 15, TXT = 16, AAAA = 28, SRV = 33,
}

local texts = {
  [core.NOT_FOUND] = "there is no such name",
  [core.INVALID] = "it is no name",
  [core.UNREACHABLE] = "no name server can say",
  [core.TIMEOUT] = "no name server answers",
  [core.PROTO] = "the answer of the name server is malformed",
  [core.LIMIT] = "too many questions are open",
}

local Resolver = { __name = "pl.dns.resolver" }
Resolver.__index = Resolver

-- ---- asking ----------------------------------------------------------------

local ask_options = { timeout = "duration" }

local function seconds_of(call, value, default)
  if value == nil then
    return default
  end
  local seconds = value and core.parse_seconds(value)
  if not seconds or seconds <= 0 then
    fail(call .. ": option 'timeout' must be a time above 0, such as \"2s\"")
  end
  return seconds
end

-- What was found, an ask; or nil, err.
local function ask(self, call, name, kind, seconds)
  local question = natives.ask()
  local result = natives.begin(question, self.handle, call, name, kind, seconds)
  if result < 0 then
    return failed(call, result, texts[result] and name .. ": " .. texts[result])
  end
  return question
end

-- RFC 6761, 6.3: it is this machine, whatever a server says.
local function is_local(host)
  host = host:lower():gsub("%.$", "")
  return host == "localhost" or host:find("%.localhost$") ~= nil
end

-- For pl.http too: seconds is a number.
local function addresses(self, call, host, seconds)
  if is_address(host) then
    return { host }
  elseif is_local(host) then
    return { "127.0.0.1", "::1" }
  end
  local found, err = ask(self, call, host, 0, seconds)
  if not found then
    return nil, err
  end
  return natives.addresses(found)
end

--- The addresses of a host, best first: as the system finds them (/etc/hosts,
--- search domains). Options: timeout [15s].
function Resolver:lookup(host, options)
  local call = self.call .. "lookup"
  check_string(call, "the host", host)
  local o = check_options(call, ask_options, options)
  return addresses(self, call, host, seconds_of(call, o.timeout, MOST))
end

local function by_priority(a, b)
  return a.priority < b.priority
end

--- The records of a name, of one type: "A", "AAAA", "CNAME", "MX", "NS", "PTR",
--- "SRV", "TXT". A list, empty if the name has none of these. Options: timeout
--- [15s].
function Resolver:query(name, kind, options)
  local call = self.call .. "query"
  check_string(call, "the name", name)
  kind = kind == nil and "A" or kind
  local number = types[kind]
  if not number then
    local known = {}
    for word in pairs(types) do
      known[#known + 1] = word
    end
    sort(known)
    fail(call .. ": the type must be one of " .. concat(known, ", "))
  end
  local o = check_options(call, ask_options, options)
  local found, err =
    ask(self, call, name, number, seconds_of(call, o.timeout, MOST))
  if not found then
    return nil, err
  end
  local records = natives.records(found, number)
  for _, record in ipairs(records) do
    record.type = kind
  end
  if kind == "MX" or kind == "SRV" then
    sort(records, by_priority)
  end
  return records
end

-- ---- resolvers -------------------------------------------------------------

local resolver_options = {
  servers = "words", config = "text", timeout = "duration", tries = "count",
}

local function path_of(path)
  return path and (core.in_folder and core.in_folder(path) or path) or nil
end

local function new(call, o)
  local tries = o.tries or TRIES
  if tries < 1 or tries > 10 then
    fail(call .. ": option 'tries' must be from 1 to 10")
  end
  return setmetatable({ call = "resolver:", handle = natives.resolver(
    o.servers and o.servers:gsub("%s+", ",") or nil, path_of(o.config),
    seconds_of(call, o.timeout, FIRST), tries) }, Resolver)
end

local default -- made when it is first asked

local function get_default()
  if not default then
    default = new("pl.dns", {})
    default.call = "pl.dns."
  end
  return default
end

local dns = {}

function dns.lookup(host, options)
  return get_default():lookup(host, options)
end

function dns.query(name, kind, options)
  return get_default():query(name, kind, options)
end

--- One with servers of its own: servers = "192.0.2.1" or a list of "address"
--- and "address:port"; config = a file in the place of /etc/resolv.conf;
--- timeout [2s] of the first try, tries [3].
function dns.resolver(options)
  local call = "pl.dns.resolver"
  return new(call, check_options(call, resolver_options, options))
end

--- Is it an address, in digits, of the Internet, and not one of this machine or
--- of the networks around it?
function dns.is_public(address)
  check_string("pl.dns.is_public", "the address", address)
  return natives.is_public(address)
end

pl.dns = dns

-- For pl.http.
core.dns = {
  is_address = is_address, is_public = natives.is_public,
  addresses = function(resolver, call, host, seconds)
    return addresses(resolver or get_default(), call, host, seconds)
  end,
  is_resolver = function(value)
    return type(value) == "table" and getmetatable(value) == Resolver
  end,
}
