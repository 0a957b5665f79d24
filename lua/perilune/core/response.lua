-- response.lua - the response object of handlers. Cookies, files and streams
-- are in lib/response.lua.

local core = ...
local fail, load_part = core.fail, core.load_part
local rawget, setmetatable, tostring = rawget, setmetatable, tostring

local methods = {
  status = core.res_status,
  header = core.res_header,
  add_header = core.res_add_header,
  redirect = core.res_redirect,
  send = core.res_send,
  json = core.res_json,
  flush = core.res_flush,
}

core.response_methods = methods

-- Methods that a part adds when one of them is first asked for.
local rare = {
  cookie = "response", send_file = "response", write = "response",
  events = "stream", early_hints = "stream", inform = "stream",
  render = "render", trailer = "stream",
}

setmetatable(methods, {
  __index = function(_, key)
    if rare[key] then
      load_part(rare[key])
      return rawget(methods, key)
    end
  end,
})

local meta = core.response_meta
meta.__name = "pl.response"
meta.__metatable = "pl.response"
meta.__index = methods
meta.__newindex = function(_, key)
  fail(("res.%s cannot be set"):format(tostring(key)))
end
meta.__tostring = function()
  return "pl.response"
end
