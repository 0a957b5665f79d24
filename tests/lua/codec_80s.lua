-- codec_80s.lua - the globals `codec` and `crypto` of scripts of 80s.

local pl = require "perilune"
local check = require "check"
local equal, yes, raises = check.equal, check.yes, check.raises

require "aio.aio"
local codec, crypto = codec, crypto

equal("&lt;a href=&#39;x&#39;&gt;&amp;&quot;",
  codec.html_encode [[<a href='x'>&"]])
equal("a%20b~-._%2F%C3%BC", codec.url_encode "a b~-._/\195\188")
equal("a b c", codec.url_decode "a+b%20c")
equal("%", codec.url_decode "%")
equal("%4", codec.url_decode "%4", "not read past its end")
equal("00ff", codec.hex_encode "\0\255")

-- ---- JSON ----

equal("[]", codec.json_encode {})
equal("[1,2]", codec.json_encode { 1, 2 })
equal('{"a":"\\u0001"}', codec.json_encode { a = "\1" }, "valid JSON")
equal("12345678901234", codec.json_encode { 12345678901234 }:match "%d+")
equal({ a = { 1 }, b = "\195\188" },
  codec.json_decode '{"a":[1],"b":"\\u00fc","c":null}')
equal(1000, codec.json_decode "[1e3]"[1], "exponents")
local value, message = codec.json_decode "{"
yes(value == nil and type(message) == "string")
equal(nil, codec.json_decode "null")

-- ---- Lua ----

local load = loadstring or load
local deep = {
  1, "two\n\0\r\"\\", { true, false },
  name = "x", ["a b"] = 0.1, [10] = -5, [2 ^ 40] = "large", inner = {},
}
local text = codec.lua_encode(deep)
equal(deep, load("return " .. text)())
equal(text, codec.lua_encode(deep), "always the same")
equal("{1/0,-1/0}", codec.lua_encode { math.huge, -math.huge })
local loop = {}
loop.me = loop
raises({ "contains itself" }, codec.lua_encode, loop)
raises({ "a function cannot be written" }, codec.lua_encode, { print })
raises({ "a table is needed" }, codec.lua_encode, 1)

equal([[it\'s \"x\" \\ \n\r\Z\0]], codec.mysql_encode "it's \"x\" \\ \n\r\26\0")

-- ---- crypto ----

equal("eA==", crypto.to64 "x")
equal("x", crypto.from64 "eA==")
equal(16, #crypto.random(16))
if not pcall(function() return pl.crypto.hash end) then
  return -- no plug-in
end
local hex = codec.hex_encode
equal("a9993e364706816aba3e25717850c26c9cd0d89d", hex(crypto.sha1 "abc"))
equal("ba7816bf8f01cfea", hex(crypto.sha256 "abc"):sub(1, 16))
-- RFC 4231, 4.3: the data comes first
equal("5bdcc146bf60754e", hex(crypto.hmac_sha256("what do ya want for nothing?",
  "Jefe")):sub(1, 16))
local key = "0123456789abcdef"
local sealed = crypto.cipher("text", key, false, true)
equal(sealed, crypto.cipher("text", key, false, true))
equal(32 + 4 + 16, #sealed)
equal("text", crypto.cipher(sealed, key, false, false))
equal("text", crypto.cipher(crypto.cipher("text", key, true, true), key, true,
  false))
yes(crypto.cipher("text", "short", false, true) == nil)
yes(crypto.cipher(sealed .. "x", key, false, false) == nil)

local pair = pl.crypto.generate_key("rsa", { bits = 2048 })
local file = pl.fs.temp()
pl.defer(function() pl.fs.remove(file) end)
assert(pl.fs.write(file, pair:private_pem()))
local signature = assert(crypto.rsa_sha256(file, "data"))
yes(pair:verify("data", signature, { padding = "pkcs1" }))
yes(crypto.rsa_sha256(file .. "x", "data") == nil)
assert(pl.fs.write(file, "no key"))
yes(crypto.rsa_sha256(file, "data") == nil)
