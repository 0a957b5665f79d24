-- log.lua - pl.log: lines for the error log.

local core, pl = ...
local log = core.log
local concat, sort = table.concat, table.sort
local getmetatable, pairs, select, setmetatable, tostring, type =
  getmetatable, pairs, select, setmetatable, tostring, type

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n" }

local function fact(key, value)
  local text = tostring(value)
  if text == "" or text:find('[%s"=]') then
    text = '"' .. text:gsub('[\n"\\]', escapes) .. '"'
  end
  return tostring(key) .. "=" .. text
end

local function add_facts(parts, facts)
  local from = #parts + 1
  local list = {}
  for key, value in pairs(facts) do
    list[#list + 1] = fact(key, value)
  end
  sort(list)
  for i = 1, #list do
    parts[from + i - 1] = list[i]
  end
end

-- The values, with a space between them; a plain table at the end holds facts.
local function line(...)
  local n = select("#", ...)
  local parts, last = {}, (select(n > 0 and n or 1, ...))
  local facts = n > 1 and type(last) == "table" and not getmetatable(last)
  for i = 1, facts and n - 1 or n do
    parts[i] = tostring((select(i, ...)))
  end
  if facts then
    add_facts(parts, last)
  end
  return concat(parts, " ")
end

local function writer(level)
  return function(...)
    log(level, line(...))
  end
end

--- pl.log("text", value, { key = value }) and pl.log.debug, .info, .notice,
--- .warn, .error.
pl.log = setmetatable({
  debug = writer("debug"),
  info = writer("info"),
  notice = writer("notice"),
  warn = writer("warn"),
  error = writer("error"),
}, {
  __call = function(_, ...)
    log("info", line(...))
  end,
})
