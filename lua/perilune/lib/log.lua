-- log.lua - pl.log: lines for the error log.

local core, pl, c = ...
local enabled, write = c.enabled, c.write
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

-- A line that is not written costs no text.
local function writer(level)
  return function(...)
    if enabled(level) then
      write(level, line(...))
    end
  end
end

local levels = { "debug", "info", "notice", "warn", "error" }
local log, is_level = {}, {}
for i = 1, #levels do
  log[levels[i]], is_level[levels[i]] = writer(levels[i]), true
end

--- The lowest level that is written: pl.set { log_level = ... }.
function log.level()
  for i = 1, #levels do
    if enabled(levels[i]) then
      return levels[i]
    end
  end
end

--- Are lines of that level written? For facts that take work to find out.
function log.enabled(level)
  if not is_level[level] then
    core.fail("pl.log.enabled: no such level (there are "
      .. concat(levels, ", ") .. ")")
  end
  return enabled(level)
end

--- pl.log("text", value, { key = value }) and pl.log.debug, .info, .notice,
--- .warn, .error.
pl.log = setmetatable(log, {
  __call = function(_, ...)
    log.info(...)
  end,
})
