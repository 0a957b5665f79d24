-- luafcgid.lua - the script of the scenarios with FastCGI, as luafcgid has it.
local md5, base64 = require "md5", require "base64"

function main(env, con)
  local name = con:parse(env.QUERY_STRING).name
  if env.DOCUMENT_URI == "/digest" then
    con:puts(base64.encode(md5.sumhexa(name)))
  else
    con:puts("Hello, " .. name .. "!")
  end
end
