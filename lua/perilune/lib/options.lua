-- options.lua - what is said of an option that is wrong: what is wanted, or
-- which name was meant.

local core = ...
local fail = core.fail
local concat, min, sort = table.concat, math.min, table.sort
local pairs, tostring = pairs, tostring

-- A name and its edit distance to another (insert, remove, replace, swap).
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local last = before
    before, row = row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = min(before[j] + 1, row[j - 1] + 1,
        before[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1)
        and a:byte(i - 1) == b:byte(j) then
        row[j] = min(row[j], last[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

-- "; did you mean 'expires'?" or ""
local function suggest(known, name)
  local best, most = nil, #name <= 3 and 1 or 2
  for candidate in pairs(known) do
    local d = #name <= 64 and distance(name, candidate) or most + 1
    if d < most + 1 and (not best or d < distance(name, best)) then
      best = candidate
    end
  end
  return best and ("; did you mean '" .. best .. "'?") or ""
end

core.suggest = suggest

local function names_of(known)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name
  end
  sort(names)
  return concat(names, ", ")
end

local wanted = {
  budget = "a table like { wall = \"2s\", cpu = \"100ms\", memory = \"10m\" }",
  text = "a string",
  id = "a string or a whole number",
  fields = "a table of header fields",
  names = "a string or a list of strings, each a name without spaces",
  words = "a string or a list of strings",
  flag_or_text = "true, false or a string",
  flag_or_size = "true, false or a size like \"64m\"",
  flag = "true or false",
  number = "a number",
  count = "a whole number from 0 to 65535",
  duration = "a string like \"10s\" or seconds",
  mode = "a string of octal digits like \"640\"",
  size = "a string like \"1m\" or bytes",
}

-- Raises the error of an option that is not known, or not of its kind.
function core.refuse_option(call, known, name)
  local kind, text = known[name], tostring(name)
  if kind then
    fail(("%s: option '%s' must be %s"):format(call, text, wanted[kind]))
  end
  fail(("%s: unknown option '%s'%s (there are %s)"):format(call, text,
    suggest(known, text), names_of(known)))
end
