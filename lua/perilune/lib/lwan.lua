-- lwan.lua - pl.lwan: a configuration of Lwan's as part of a site. Loaded when
-- a site uses it, or by `perilune --dialect lwan`.
--
-- The file is read as a whole (lwan_config.lua), then as settings
-- (lwan_globals.lua) and routes (lwan_site.lua). What they want from `pl` they
-- leave as steps, each with its line. The steps run from a chunk of Lua that
-- has the file's name, and in which each stands at its own line: so whatever
-- `pl` says of a step, in errors or in lists of routes, it says with FILE:LINE.

local core, pl, c = ...
local load_part = core.load_part
load_part "lwan_config"
load_part "lwan_globals"
load_part "lwan_site"
local check_loading, check_string, failure, in_folder =
  core.check_loading, core.check_string, core.failure, core.in_folder
local concat, floor = table.concat, math.floor
local error, ipairs, setmetatable, sort, tonumber, tostring =
  error, ipairs, setmetatable, table.sort, tonumber, tostring
local SYNTAX = core.SYNTAX
local load_text = loadstring or load

-- ---- one configuration -----------------------------------------------------

-- file: as errors call it; steps: { line, fn } in the order of the file.
local Config = {}
Config.__index = Config

function Config:fail(line, text, ...)
  error(failure(SYNTAX, nil, ("%s:%d: "):format(self.file, line)
    .. text:format(...)), 0)
end

-- Said once for all workers.
function Config:note(level, line, text, ...)
  if c.tells() then
    pl.log[level](("%s:%d: "):format(self.file, line) .. text:format(...))
  end
end

function Config:step(line, fn)
  self.steps[#self.steps + 1] = { line = line, fn = fn }
end

local function by_line(a, b)
  return a.line < b.line
end

-- Lines that lead to the same route stand in their order: sorting must not
-- exchange them.
function Config:run()
  local steps, at, text = self.steps, 1, {}
  for i = 1, #steps do
    steps[i].line = steps[i].line + i / (#steps + 1)
  end
  sort(steps, by_line)
  for i = 1, #steps do
    local line = floor(steps[i].line)
    text[#text + 1] = ("\n"):rep(line - at) .. "step(" .. i .. ") "
    at = line
  end
  local chunk = load_text("local step = ... " .. concat(text), "@" .. self.file)
  chunk(function(i)
    steps[i].fn()
  end)
end

-- ---- a section, key by key -------------------------------------------------

-- Keys that nobody has asked for are told by done().
local Section = {}
Section.__index = Section

function Config:section(node)
  local keys, sections = {}, {}
  for _, inner in ipairs(node.nodes) do
    if inner.key then
      keys[inner.key] = inner -- the last one counts
    else
      sections[#sections + 1] = inner
    end
  end
  return setmetatable({ config = self, node = node, keys = keys,
    sections = sections, known = {} }, Section)
end

function Section:find(key)
  self.known[key] = true
  return self.keys[key]
end

--- The value, and its line.
function Section:text(key, default)
  local found = self:find(key)
  if found then
    return found.value, found.value_line
  end
  return default, self.node.line
end

-- As Lwan: what is no value of its kind is as if it had not been said; but here
-- somebody hears of it.
function Section:read(key, default, parse, wanted)
  local found = self:find(key)
  if not found then
    return default
  end
  local value = parse(found.value)
  if value == nil then
    self.config:note("warn", found.line, "%s = '%s' is %s: the default is used",
      key, found.value:sub(1, 64), wanted)
    return default
  end
  return value
end

local truth = { ["true"] = true, on = true, yes = true, ["false"] = false,
  off = false, no = false, [""] = nil }

local function parse_flag(text)
  local value = truth[text:lower()]
  if value == nil and tonumber(text) then
    return tonumber(text) ~= 0
  end
  return value
end

function Section:flag(key, default)
  return self:read(key, default, parse_flag, "neither true nor false")
end

function Section:count(key, default, low, high)
  local found = self.keys[key]
  local value = self:read(key, default, function(text)
    return text:find "^%d+$" and #text < 16 and tonumber(text) or nil
  end, "not a whole number")
  if found and value and (value < low or value > high) then
    self.config:fail(found.line, "%s: a number from %.0f to %.0f is wanted",
      key, low, high)
  end
  return value
end

local units = { s = 1, m = 60, h = 3600, d = 86400, w = 604800,
  M = 30 * 86400, y = 365 * 86400 }

--- "1h 30m" -> seconds: the parts add up. nil: something else.
local function parse_time(text)
  local sum, rest = 0, text:gsub("%s+", "")
  local at = 1
  while at <= #rest do
    local number, unit, after = rest:match("^(%d+)([smhdwMy])()", at)
    if not number or #number > 9 then
      return nil
    end
    sum, at = sum + number * units[unit], after
  end
  return at > 1 and sum or nil
end

function Section:seconds(key, default)
  return self:read(key, default, parse_time, "no time like '1h 30m'")
end

--- The section of that name, which may stand there once; or nil.
function Section:inner(name)
  local found
  self.known[name] = true
  for _, node in ipairs(self.sections) do
    if node.name == name then
      if found then
        self.config:fail(node.line, "there is a section '%s' already (line %d)",
          name, found.line)
      end
      found = node
    end
  end
  return found
end

--- Keys that say nothing here: one line of the log for each.
function Section:meaningless(reasons)
  for _, row in ipairs(reasons) do
    local found = self:find(row[1])
    if found then
      self.config:note("info", found.line, "%s has no effect: %s", row[1],
        row[2])
    end
  end
end

--- What is left is a mistake, or (lenient, as Lwan's modules are) passed over.
function Section:done(lenient)
  for _, node in ipairs(self.node.nodes) do
    local name = node.key or node.name
    if not self.known[name] then
      load_part "options"
      local hint = core.suggest(self.known, name)
      if not lenient or not node.key then
        self.config:fail(node.line, "there is no %s '%s' here%s",
          node.key and "key" or "section", name, hint)
      end
      self.config:note("warn", node.line, "'%s' is not known here%s", name,
        hint)
    end
  end
end

-- ---- reading ---------------------------------------------------------------

-- The text of a file in the site's folder; who watches files is told of it.
local function read_file(path, name)
  if core.note_file then
    core.note_file(path)
  end
  local text, err = pl.fs.read(name)
  if not text then
    error(failure(core.NOT_FOUND, nil, tostring(err)), 0)
  end
  return text
end

-- over: what the command line says of addresses; or nil
local function serve_file(path, name, over)
  local config = setmetatable({ file = path, steps = {} }, Config)
  local root = config:section(core.lwan_parse(path, read_file(path, name)))
  core.lwan_globals(config, root, over or {})
  core.lwan_site(config, root)
  root:done()
  config:run()
end

-- The files of one folder, without a configuration.
local function serve_folder(asked)
  local config = setmetatable({ file = "--dialect lwan", steps = {} }, Config)
  local node = { line = 1, name = "serve_files", value = "/", nodes = {
    { line = 1, key = "path", value = ".", value_line = 1 },
  } }
  local root = config:section { line = 1, nodes = { { line = 1, name = "site",
    value = "", nodes = { node } } } }
  core.lwan_globals(config, root, asked)
  core.lwan_site(config, root)
  config:run()
end

--- pl.lwan("lwan.conf"): the addresses, settings and routes that a
--- configuration of Lwan's says. Waits.
function pl.lwan(path)
  check_loading "pl.lwan"
  local asked = path == nil and c.asked()
  if asked and asked.file then
    serve_file(asked.file, asked.file:match "[^/]+$", asked)
  elseif asked then
    serve_folder(asked)
  else
    check_string("pl.lwan", "the path", path)
    serve_file(in_folder(path), path)
  end
end
