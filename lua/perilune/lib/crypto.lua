-- crypto.lua - pl.crypto: what needs no library, and the door to the rest.

local _, pl, c = ...
local load = c.load
local rawget, setmetatable = rawget, setmetatable

local crypto = {
  random = c.random, random_int = c.random_int, token = c.token,
  equal = c.equal,
}

-- lua/perilune/plugins/crypto.lua, which the plug-in brings, sets the others.
pl.crypto = setmetatable(crypto, {
  __index = function(_, name)
    load("crypto")
    setmetatable(crypto, nil)
    return rawget(crypto, name)
  end,
})
