-- codec.lua - pl.base64, pl.hex and pl.escape: all of it is in C.

local _, pl, c = ...
local setmetatable = setmetatable

pl.base64 = {
  encode = c.base64_encode,
  decode = c.base64_decode,
  encode_url = c.base64_encode_url,
  decode_url = c.base64_decode_url,
}
pl.hex = { encode = c.hex_encode, decode = c.hex_decode }

local escape_html = c.escape_html

--- pl.escape(text): HTML.
pl.escape = setmetatable({ html = escape_html, js = c.escape_js }, {
  __call = function(_, text)
    return (escape_html(text)) -- no tail call: an error names the line
  end,
})
