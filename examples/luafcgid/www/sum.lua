-- The oldest form: what handler() returns is the body.

local md5, base64 = require "md5", require "base64"
local text = ("perilune "):rep(10)

function handler()
  return md5.sumhexa(base64.encode(text))
end
