-- request.lua - the request object of handlers: fields made when first asked
-- for. What reads bodies is in lib/body.lua and lib/upload.lua.

local core = ...
local own, fail, load_part = core.req_own, core.fail, core.load_part
local type, lower = type, string.lower

-- Looked at by a C function each time; tables are made once per request.
local getters = {
  method = core.req_method,
  path = core.req_path,
  raw_path = core.req_raw_path,
  query = core.req_query,
  rest = core.req_rest,
  host = core.req_host,
  scheme = core.req_scheme,
  version = core.req_version,
  remote = core.req_remote,
  remote_port = core.req_remote_port,
  id = core.req_id,
  args = core.req_args,
  params = core.req_params,
  headers = core.req_headers,
  cookies = core.req_cookies,
  tls = core.req_tls,
}

local methods = {
  header = core.req_header,
  arg = core.req_arg,
  all = core.req_all,
  param = core.req_param,
  cookie = core.req_cookie,
}

core.request_methods, core.request_getters = methods, getters

-- Further methods and fields, each with the part that adds it when it is first
-- asked for.
local rare = {
  body = "body", read = "body", chunks = "body", json = "body", form = "body",
  parts = "upload", save = "upload", discard = "upload",
  env = "cgi", proxy = "proxy", trailers = "stream", websocket = "ws",
  hijack = "hijack",
}

core.request_rare = rare

-- Fields that scripts may set, and what they are until then.
local defaults = {}
core.request_defaults = defaults

-- Header names in any case; the table itself has them in lower case.
function core.headers_meta.__index(headers, name)
  local key = type(name) == "string" and lower(name)
  return key and key ~= name and headers[key] or nil
end

local function index(req, key)
  local get = getters[key]
  if get then
    return get(req)
  end
  local method = methods[key]
  if method then
    return method
  elseif rare[key] then
    load_part(rare[key])
    get = getters[key]
    return methods[key] or get and get(req)
  end
  local values = own(req)
  local value = values and values[key]
  get = defaults[key]
  if value == nil and get then
    return get(req)
  end
  return value
end

-- A script may keep values of its own in the request, for its later filters
-- and handlers.
local function newindex(req, key, value)
  if methods[key] or getters[key] or rare[key] then
    fail(("req.%s cannot be set"):format(key))
  end
  own(req, true)[key] = value
end

local meta = core.request_meta
meta.__name = "pl.request"
meta.__metatable = "pl.request"
meta.__index = index
meta.__newindex = newindex
meta.__tostring = core.req_text
