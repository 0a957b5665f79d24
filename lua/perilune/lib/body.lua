-- body.lua - reading the body of a request: the loops over what waits. Loaded
-- when a site first uses one of the methods.

local core, _, body = ...
local methods, load_part = core.request_methods, core.load_part
local own, failure, fail = core.req_own, core.failure, core.fail
local body_wait, body_collect, body_text = body.wait, body.collect, body.text
local body_read, body_json, body_form = body.read, body.json, body.form
local AGAIN, CLOSED, LIMIT, NO_SPACE, PROTO, STATE, TIMEOUT, UNSUPPORTED =
  core.AGAIN, core.CLOSED, core.LIMIT, core.NO_SPACE, core.PROTO, core.STATE,
  core.TIMEOUT, core.UNSUPPORTED
local error, type, lower = error, type, string.lower

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
    load_part("upload")
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
