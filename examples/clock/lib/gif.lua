-- gif.lua - GIF89a as a stream: a head, then frames as they come. No end is
-- needed: a browser shows each frame when it is there.

local char, concat, floor = string.char, table.concat, math.floor

local gif = {}

local function word(n)
  return char(n % 256, floor(n / 256))
end

--- The head: size, and a palette of 4 colours { 0xrrggbb, ... }.
function gif.head(width, height, palette)
  local parts = { "GIF89a", word(width), word(height), char(0xf1, 0, 0) }
  for i = 1, 4 do
    local rgb = palette[i] or 0
    parts[#parts + 1] =
      char(floor(rgb / 65536), floor(rgb / 256) % 256, rgb % 256)
  end
  return concat(parts)
end

-- Codes of growing width, lowest bit first, as bytes.
local function writer()
  local bytes, n, bits, have = {}, 0, 0, 0
  local function put(code, width)
    bits = bits + code * 2 ^ have
    have = have + width
    while have >= 8 do
      n = n + 1
      bytes[n] = char(bits % 256)
      bits = floor(bits / 256)
      have = have - 8
    end
  end
  return put, function()
    if have > 0 then
      put(0, 8 - have)
    end
    return concat(bytes)
  end
end

local CLEAR, STOP, FIRST = 4, 5, 6 -- of pixels with 2 bits

-- LZW: pixels is a list of numbers from 0 to 3.
local function compress(pixels)
  local put, finish = writer()
  local codes, next_code, width = {}, FIRST, 3
  local prefix = pixels[1]
  put(CLEAR, width)
  for i = 2, #pixels do
    local key = prefix * 4 + pixels[i]
    local code = codes[key]
    if code then
      prefix = code
    else
      put(prefix, width)
      codes[key] = next_code
      if next_code == 2 ^ width then
        width = width + 1
      end
      next_code = next_code + 1
      prefix = pixels[i]
      if next_code == 4096 then
        put(CLEAR, width)
        codes, next_code, width = {}, FIRST, 3
      end
    end
  end
  put(prefix, width)
  put(STOP, width)
  return finish()
end

--- One frame over the whole picture; delay: hundredths of a second before the
--- next one.
function gif.frame(width, height, pixels, delay)
  local data = compress(pixels)
  local parts = {
    "\33\249\4\4", word(delay), "\0\0", -- it stays where it is
    ",", word(0), word(0), word(width), word(height), "\0\2",
  }
  for at = 1, #data, 255 do
    local block = data:sub(at, at + 254)
    parts[#parts + 1] = char(#block)
    parts[#parts + 1] = block
  end
  parts[#parts + 1] = "\0"
  return concat(parts)
end

gif.tail = ";"

return gif
