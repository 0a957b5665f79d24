-- env.lua - pl.env. Run with PL_TEXT=hello PL_EMPTY= PL_NUMBER=2.5 PL_ON=Yes
-- PL_OFF=0 PL_TIME=1500ms PL_SIZE=64k.

local pl = require "perilune"
local check = require "check"
local equal, raises = check.equal, check.raises
local env = pl.env

equal("hello", env "PL_TEXT")
equal("hello", env("PL_TEXT", "x"))
equal("", env "PL_EMPTY")
equal("x", env("PL_ABSENT", "x"))
equal(nil, env("PL_ABSENT", nil))
equal(false, env.boolean("PL_ABSENT", false))
equal(2.5, env.number "PL_NUMBER")
equal(1, env.number("PL_ABSENT", 1))
equal({ true, false, false }, { env.boolean "PL_ON", env.boolean "PL_OFF",
  env.boolean("PL_EMPTY", true) })
equal(1.5, env.duration "PL_TIME")
equal(65536, env.size "PL_SIZE")
raises({ "env.lua:", "pl.env: environment variable PL_ABSENT is not set" },
  function() return (env "PL_ABSENT") end)
raises({ "pl.env.size: environment variable PL_ABSENT is not set" }, env.size,
  "PL_ABSENT")
raises({ "env.lua:", "pl.env.number: environment variable PL_TEXT must be a "
  .. 'number, not "hello"' }, function() return (env.number "PL_TEXT") end)
raises({ "must be true or false" }, env.boolean, "PL_NUMBER")
raises({ "must be a time like" }, env.duration, "PL_TEXT")
raises({ "must be a size like" }, env.size, "PL_EMPTY")
raises({ "pl.env: the name must be a string, not a table" }, env, {})
