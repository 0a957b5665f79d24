-- fastcgi.lua - the site of the scenarios with FastCGI.
local pl = require "perilune"

local hash = pl.crypto.hash

pl.listen { os.getenv "BENCH_ADDRESS", protocol = "fastcgi" }

pl.get("/echo", function(req)
  return "Hello, " .. req.args.name .. "!"
end)

pl.get("/digest", function(req)
  return pl.base64.encode(hash("md5", req.args.name, "hex"))
end)
