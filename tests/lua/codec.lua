-- codec.lua - pl.base64, pl.hex, pl.escape.

local pl = require "perilune"
local check = require "check"
local equal, fails, raises = check.equal, check.fails, check.raises

-- RFC 4648, 10
local vectors = {
  [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
  fooba = "Zm9vYmE=", foobar = "Zm9vYmFy", ["\251\255"] = "+/8=",
}
for bytes, text in pairs(vectors) do
  equal(text, pl.base64.encode(bytes))
  equal(bytes, pl.base64.decode(text))
  local url = text:gsub("=", ""):gsub("%+", "-"):gsub("/", "_")
  equal(url, pl.base64.encode_url(bytes))
  equal(bytes, pl.base64.decode_url(url))
  equal(bytes, pl.base64.decode(" " .. url .. "\r\n", { lenient = true }))
end
local all = {}
for byte = 0, 255 do
  all[#all + 1] = string.char(byte)
end
all = table.concat(all)
equal(all, pl.base64.decode(pl.base64.encode(all)))
equal(all, pl.hex.decode(pl.hex.encode(all)))
equal(all, pl.hex.decode(pl.hex.encode(all):upper()))
equal("Zg==", pl.base64.encode_url("f") .. "==")

-- one spelling only
for _, text in ipairs { "Zg", "Zg=", "Zg===", "Zh==", "Z", "Zm9v\n", "Zm 9v",
  "Zg==Zg==", "-_8=", "Zm9v=" } do
  fails("syntax", pl.base64.decode, text)
end
fails("syntax", pl.base64.decode_url, "+/8")
fails("syntax", pl.base64.decode, "Z!==", { lenient = true })
equal("foobar", pl.base64.decode("Zm9v\n\tYmFy", { lenient = true }))
fails("syntax", pl.hex.decode, "abc")
fails("syntax", pl.hex.decode, "0g")
raises({ "codec.lua:",
  "pl.base64.encode: the bytes must be a string, not nil" },
  function() local _ = pl.base64.encode() return _ end)
raises({ "pl.base64.decode: unknown option 'lenent'" }, pl.base64.decode, "",
  { lenent = true })
raises({ "pl.hex.decode: the text must be a string, not a table" },
  pl.hex.decode, {})

-- escaping
equal("a&lt;b&gt;&amp;&quot;c&quot;&#39;", pl.escape("a<b>&\"c\"'"))
equal("plain \195\164", pl.escape("plain \195\164"))
equal("&amp;amp;", pl.escape.html("&amp;"))
equal("1.5", pl.escape(1.5))
equal("true", pl.escape(true))
equal("", pl.escape(""))
equal("a\0b", pl.escape("a\0b"))
raises({ "codec.lua:", "pl.escape: the text must be a string, not nil" },
  function() local _ = pl.escape(nil) return _ end)
equal("\\u003c\\u002fscript\\u003e \\u0022\\u0027\\u0060\\u005c\\u000a",
  pl.escape.js("</script> \"'`\\\n"))
equal("\\u2028\\u2029\226\128\170\226\128", pl.escape.js(
  "\226\128\168\226\128\169\226\128\170\226\128"))
equal("\\u0000x", pl.escape.js("\0x"))
local long = ("<"):rep(100000)
equal(400000, #pl.escape(long))
equal(600000, #pl.escape.js(long))
