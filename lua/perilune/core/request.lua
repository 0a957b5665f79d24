-- request.lua - the request object of handlers: fields made when first asked
-- for, and the loops over what waits.

local core = ...
local own, failure, fail = core.req_own, core.failure, core.fail
local body_wait, body_collect, body_text =
  core.body_wait, core.body_collect, core.body_text
local body_read, body_json, body_form =
  core.body_read, core.body_json, core.body_form
local AGAIN, CLOSED, LIMIT, NO_SPACE, PROTO, STATE, TIMEOUT, UNSUPPORTED =
  core.AGAIN, core.CLOSED, core.LIMIT, core.NO_SPACE, core.PROTO, core.STATE,
  core.TIMEOUT, core.UNSUPPORTED
local error, type, lower = error, type, string.lower

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
}

local methods = {
  header = core.req_header,
  arg = core.req_arg,
  all = core.req_all,
  param = core.req_param,
  cookie = core.req_cookie,
}

core.request_methods = methods

-- Those of lib/upload.lua, which adds them when one is first asked for.
local rare = { parts = true, save = true, discard = true }

local reserved = { tls = true } -- nil as long as there is none

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
    core.load_upload()
    return methods[key]
  end
  local values = own(req)
  return values and values[key]
end

-- A script may keep values of its own in the request, for its later filters
-- and handlers.
local function newindex(req, key, value)
  if methods[key] or getters[key] or rare[key] or reserved[key] then
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

-- ---- the body --------------------------------------------------------------

local faults = {
  [STATE] = "another task is reading the body, or it was read in another way",
}

-- The status for what the client has done wrong, or for a full disk; nil for
-- other errors.
local statuses = {
  [PROTO] = 400, [CLOSED] = 400, [TIMEOUT] = 408, [LIMIT] = 413,
  [NO_SPACE] = 507,
}

local function give_up(call, result, text, status)
  if faults[result] then
    fail(call .. ": " .. faults[result])
  end
  error(failure(result, call, text, status or statuses[result]), 0)
end

local function wait(req, call)
  local result = body_wait(req, call)
  if result < 0 then
    give_up(call, result)
  end
end

core.give_up_body, core.wait_for_body = give_up, wait

local function collect(req, call)
  local result = body_collect(req)
  while result == AGAIN do
    wait(req, call)
    result = body_collect(req)
  end
  if result < 0 then
    give_up(call, result)
  end
end

--- req:body() -> the whole body. Longer than max_body raises an error that
--- answers 413; a client that breaks off, is too slow or frames it badly, 400
--- or 408.
function methods:body()
  collect(self, "req:body")
  return body_text(self)
end

--- req:read([n = 65536]) -> the next bytes, at most n, as they arrive; nil at
--- the end. Not limited by max_body.
function methods:read(n)
  local bytes = body_read(self, n)
  while bytes == AGAIN do
    wait(self, "req:read")
    bytes = body_read(self, n)
  end
  if type(bytes) == "number" then
    give_up("req:read", bytes)
  end
  return bytes ~= "" and bytes or nil
end

--- for chunk in req:chunks([n]) do ... end
function methods:chunks(n)
  local read = methods.read
  own(self) -- raises for a request that is over
  return function()
    return read(self, n)
  end
end

--- req:json() -> value, or nil, err (code "proto", status 400) when it is not
--- JSON
function methods:json()
  collect(self, "req:json")
  local ok, value = body_json(self)
  if ok then
    return value
  end
  return nil, failure(PROTO, "req:json", value, 400)
end

--- req:form() -> table of the first value of each name, files as tables; or
--- nil, err (code "unsupported", status 415) when the body is no form
function methods:form()
  local kind = methods.header(self, "content-type")
  if kind and lower(kind):find("^multipart/form%-data") then
    if not core.multipart_form then
      core.load_upload()
    end
    return core.multipart_form(self)
  end
  collect(self, "req:form")
  local form = body_form(self)
  if form == LIMIT then
    give_up("req:form", LIMIT, "too many fields")
  elseif form then
    return form
  end
  return nil, failure(UNSUPPORTED, "req:form",
    "the body is not a form", 415)
end
