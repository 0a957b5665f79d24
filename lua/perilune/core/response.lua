-- response.lua - the response object of handlers.

local core = ...
local push, drain = core.res_push, core.res_drain
local failure, fail = core.failure, core.fail
local AGAIN = core.AGAIN
local concat, select, tostring, type = table.concat, select, tostring, type

local methods = {
  status = core.res_status,
  header = core.res_header,
  add_header = core.res_add_header,
  cookie = core.res_cookie,
  redirect = core.res_redirect,
  send = core.res_send,
  json = core.res_json,
  flush = core.res_flush,
}

local meta = core.metatable("response")
meta.__name = "pl.response"
meta.__metatable = "pl.response"
meta.__index = methods
meta.__newindex = function(_, key)
  fail(("res.%s cannot be set"):format(tostring(key)))
end
meta.__tostring = function()
  return "pl.response"
end

local function text(...)
  if select("#", ...) == 1 and type((...)) == "string" then
    return (...)
  end
  local parts = { ... }
  for i = 1, select("#", ...) do
    local kind = type(parts[i])
    if kind ~= "string" and kind ~= "number" then
      fail(("res:write: strings and numbers are written, not a %s")
        :format(kind))
    end
  end
  return concat(parts)
end

--- res:write(...): sends the head (the first time) and a piece of the body.
--- Waits while the client does not read. Returns true, or nil, err when the
--- client has gone or more is written than content-length says.
function methods:write(...)
  local result = push(self, text(...))
  if result == AGAIN then
    result = drain(self)
  end
  if result < 0 then
    return nil, failure(result, "res:write")
  end
  return true
end
