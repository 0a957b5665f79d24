-- lighttpd-magnet.lua - the Lua handlers of the peer lighttpd+Lua.
local r = lighty.r
local path = r.req_attr["uri.path"]

local function answer(text)
  r.resp_header["content-type"] = "text/plain"
  r.resp_body:set(text)
  return 200
end

if path == "/echo" then
  local name = r.req_attr["uri.query"]:match("name=([^&]*)")
  return answer("Hello, " .. name .. "!")
elseif path == "/upload" then
  return answer(tostring(r.req_body.len))
end
return answer("Hello, World!")
