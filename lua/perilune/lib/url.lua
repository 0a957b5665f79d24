-- url.lua - pl.url: URLs, their parts, and queries.

local core, pl, c = ...
local fail, form_encode, build = core.fail, c.form_encode, c.build
local concat, sort = table.concat, table.sort
local getmetatable, pairs, setmetatable, tostring, type =
  getmetatable, pairs, setmetatable, tostring, type

local url = {
  encode = c.encode, encode_path = c.encode_path, decode = c.decode,
  parse = c.parse, resolve = c.resolve, normalize = c.normalize,
  decode_query = c.decode_query,
}

local function text_of(value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    fail("pl.url.encode_query: names and values are strings, numbers or "
      .. "booleans, not " .. (kind == "nil" and "nil" or "a " .. kind))
  end
  return form_encode(tostring(value))
end

-- One pair, or as many as there are values.
local function add(out, name, value)
  if type(value) == "table" and not getmetatable(value) then
    for i = 1, #value do
      out[#out + 1] = text_of(name) .. "=" .. text_of(value[i])
    end
  else
    out[#out + 1] = text_of(name) .. "=" .. text_of(value)
  end
end

--- A query string from name = value, sorted by name, and from pairs
--- { name, value }, in their order; a list of values is several pairs.
function url.encode_query(args)
  if type(args) ~= "table" then
    fail("pl.url.encode_query: a table is needed, not a " .. type(args))
  end
  local out, names = {}, {}
  for i = 1, #args do
    if type(args[i]) ~= "table" then
      fail("pl.url.encode_query: item " .. i .. " must be { name, value }")
    end
    add(out, args[i][1], args[i][2])
  end
  for name in pairs(args) do
    if type(name) == "string" then
      names[#names + 1] = name
    end
  end
  sort(names)
  for i = 1, #names do
    add(out, names[i], args[names[i]])
  end
  return concat(out, "&")
end

--- The inverse of parse; the query may be a table for encode_query.
function url.build(parts)
  if type(parts) ~= "table" then
    fail("pl.url.build: a table is needed, not a " .. type(parts))
  end
  if type(parts.query) == "table" then
    parts = setmetatable({ query = url.encode_query(parts.query) },
      { __index = parts })
  end
  return (build(parts))
end

pl.url = url
