-- page.lua - dynamic pages: text with Lua in it, compiled once to a function,
-- rendered often. What else of the library has pages stands on this:
--
--     core.load_part "page"
--     local folder = core.page.folder("pages", {       -- an existing folder
--       environment = core.page.environment { session = function(run) ... } })
--     local page, err = folder:get "wiki/index.dyn.html"   -- waits if it must
--     return page:render(req, res, { endpoint = "/wiki/" })
--
-- A page compiled from a string, without files: core.page.compile(source,
-- name, options); its includes are what options.include(path) gives.
--
-- Options, of folders and of compile():
--     dialect      "80s" or "lsp"; of a folder also a function of the name.
--                  Nothing: by the name, 80s for *.dyn.* and *.priv.*
--     escape       lsp: does <%= %> escape? (true)
--     environment  what code sees beside globals (lib/page_names.lua)
--     check        folders: seconds between two looks at a file that is used;
--                  false: it is looked at once
--     type         the media type; nothing: that of the name without ".dyn"
--
-- A name of the environment that a page's code mentions becomes a local
-- variable of it: its maker is called once for each rendering, with the
-- rendering `run`, a table { req =, res =, page =, locals = } of all values so
-- far. What render() gets as its third argument goes before the makers.
--
-- page:render(req, res, values) fills the response, and gives what a top-level
-- `return` of a Lua Server Page gives (a status, for example; the output is
-- dropped then): return it from the handler. It raises what the page raises,
-- and, for a page with a fault in it, "file:line: text". page.type is its media
-- type, page.path where it is below its folder.
--
-- Nothing is escaped or concatenated in Lua: see src/lua/lib_page.c.

local core, pl, c = ...
local load_part, failure, fail = core.load_part, core.failure, core.fail
local SYNTAX = core.SYNTAX
local error, getinfo, load, pairs, rawget, select, setmetatable, tostring, type
  = error, debug.getinfo, loadstring or load, pairs, rawget, select,
  setmetatable, tostring, type
local find, format, gsub, match =
  string.find, string.format, string.gsub, string.match
local begin, finish, leave, put, raw, take =
  c.begin, c.finish, c.leave, c.put, c.raw, c.take

c.open(c)

local Page = {}
Page.__index = Page

core.page = {}
load_part "page_code"
load_part "page_names"

-- ---- environments ----------------------------------------------------------

-- name -> maker; the metatable of a rendering makes values when first asked.
local function new_environment(makers)
  return {
    makers = makers,
    meta = {
      __index = function(run, name)
        local make = makers[name]
        local value = make and make(run)
        run[name] = value
        return value
      end,
    },
  }
end

--- makers: name -> function(run), or false to leave one out, on top of those
--- that every page has.
function core.page.environment(makers)
  local all = {}
  for name, make in pairs(core.page.names) do
    all[name] = make
  end
  for name, make in pairs(makers or all) do
    all[name] = make or nil
  end
  return new_environment(all)
end

local default_environment

local function environment_of(options)
  if options.environment then
    return options.environment
  end
  default_environment = default_environment or core.page.environment()
  return default_environment
end

-- ---- output of pages whose blocks run together -----------------------------

-- Pieces in their order: strings, and tables of the same for blocks.
local function part_raw(part, ...)
  for i = 1, select("#", ...) do
    part[#part + 1] = tostring((select(i, ...)))
  end
end

local function part_put(part, ...)
  for i = 1, select("#", ...) do
    local text = tostring((select(i, ...)))
    part[#part + 1] = i % 2 == 1 and text or core.page.escape(text)
  end
end

local function flatten(part, out)
  for i = 1, #part do
    if type(part[i]) == "table" then
      flatten(part[i], out)
    else
      out[#out + 1] = part[i]
    end
  end
  return out
end

local function fork(run, part, fn, line)
  local own = {}
  part[#part + 1] = own
  run.forks[#run.forks + 1] = function()
    local write = core.page.writer(part_raw, own)
    if line then
      core.page.async(run, function(done)
        fn(own, write, done)
      end, line)
    else
      fn(own, write)
    end
  end
end

-- ---- compiling -------------------------------------------------------------

-- What Lua says of code that we have written becomes what it means.
local function reword(err)
  err = gsub(err, " near '[_%l]+'$", { [" near 'do'"] =
    " before the text of the page" })
  return (gsub(err, " %(to close 'function' at line 1%)", ""))
end

-- Fills page from source. Gives nil or what is wrong with it.
local function build(page, source)
  local code, line, text = core.page_code(page, source)
  if not code then
    return format("%s:%d: %s", page.name, line, text)
  end
  local chunk, err = load(code, "@" .. page.name)
  if not chunk then
    return reword(err)
  end
  local links = {}
  page.links = links
  local function include(run, res, i)
    local linked = links[i]
    if linked.fault then
      error(linked.fault, 0)
    end
    linked.fn(run, res, run.req)
  end
  local together = page.parallel
  page.fn = chunk(together and part_put or put, together and part_raw or raw,
    format, include, core.page.async, fork)
end

local dialects = { ["80s"] = true, lsp = true }

--- A page without a source; core.page.fill() gives it one.
function core.page.draft(name, options)
  local environment = environment_of(options)
  if not dialects[options.dialect] then
    fail(("a page: there is no dialect \"%s\" (there are 80s, lsp)")
      :format(tostring(options.dialect)))
  end
  return setmetatable({
    name = name,
    dialect = options.dialect,
    escape = options.escape ~= false,
    parallel = options.parallel,
    type = options.type,
    known = environment.makers,
    meta = environment.meta,
    includes = {},
    links = {},
  }, Page)
end

--- Compiles source. page.fault says what is wrong with it, or is nil;
--- page.includes is what it includes: a list of { path, line }. The page can be
--- rendered when page.links has a page for each of those.
function core.page.fill(page, source)
  page.fault = build(page, source)
  page.plain = not page.fault and not page.asks and not page.returns
    and not page.parallel and page.dialect == "lsp" and #page.includes == 0
end

local compiled = { "fault", "plain", "parallel", "fn", "includes", "links" }

--- Page becomes what another one is, in one step.
function core.page.replace(page, other)
  for i = 1, #compiled do
    page[compiled[i]] = other[compiled[i]]
  end
end

--- Gives a page, or nil and an error (code "syntax") that names the line.
function core.page.compile(source, name, options)
  local page = core.page.draft(name, options)
  core.page.fill(page, source)
  for i = 1, page.fault and 0 or #page.includes do
    local wanted = page.includes[i]
    local linked, err
    if options.include then
      linked, err = options.include(wanted.path)
    end
    if not linked then
      page.fault = format("%s:%d: cannot include %s%s", name, wanted.line,
        wanted.path, err and ": " .. tostring(err) or "")
      break
    end
    page.links[i] = linked
  end
  if page.fault then
    return nil, failure(SYNTAX, nil, page.fault)
  end
  return page
end

-- ---- rendering -------------------------------------------------------------

-- Those that are only told of the whole page: post_render, a layout.
local function dress(page, run, res)
  local text = take(res)
  local list = rawget(run, 1)
  for i = 1, list and #list or 0 do
    local fn = list[i]
    if getinfo(fn, "u").nparams >= 2 then -- as 80s has it
      text = fn(run.locals, text)
    else
      text = fn(text)
    end
    if type(text) ~= "string" then
      error(("%s: post_render: the page must be a string, not a %s")
        :format(page.name, type(text)), 0)
    end
  end
  local layout = rawget(run, 2)
  if not layout then
    return raw(res, text)
  end
  run[2] = nil
  run.content = text
  if layout.fault then
    error(layout.fault, 0)
  end
  layout.fn(run, res, run.req)
  return dress(layout, run, res)
end

-- The blocks of a page that is "#! parallel", and what they have put out.
local function join(run, res, parts)
  pl.all(run.forks)
  local pieces = flatten(parts, {})
  for i = 1, #pieces do
    raw(res, pieces[i])
  end
end

-- Sends what is left of a page that streams.
local function end_stream(page, res)
  load_part "response"
  return core.res_send("a page", res, leave(res, page.type)) and nil
end

local function conclude(page, run, res, first, ...)
  if first ~= nil then
    begin(res)
    return first, ...
  end
  if rawget(run, 1) or rawget(run, 2) then
    dress(page, run, res)
  end
  if page.dialect == "80s" then
    local status = res:status()
    if status == 301 or status == 302 then
      take(res)
    end
  end
  if not finish(res, page.type) then
    return end_stream(page, res)
  end
end

local function run_parallel(page, run, res)
  local parts = {}
  run.forks = {}
  page.fn(run, parts, run.req)
  return join(run, res, parts)
end

local function find_layout(folder, name)
  local layout, err = folder:get(name)
  if not layout then
    error(err, 0)
  end
  return layout
end

function Page:render(req, res, values)
  if self.fault then
    error(self.fault, 0)
  end
  begin(res)
  local folder = self.folder
  local layout = folder and folder.layout
  if self.plain and not layout then -- neither sees anything but req and res
    self.fn(nil, res, req)
    if not finish(res, self.type) then
      end_stream(self, res)
    end
    return
  end
  local run = setmetatable(values or {}, self.meta)
  run.req, run.res, run.page = req, res, self
  if layout then
    run[2] = find_layout(folder, layout)
  end
  if self.parallel then
    run_parallel(self, run, res)
    return conclude(self, run, res)
  end
  return conclude(self, run, res, self.fn(run, res, req))
end

--- core.page.folder(root, options): see the head of this file.
function core.page.folder(...)
  load_part "page_folder"
  return core.page.folder(...)
end

--- The media type by a name: "x.dyn.json" is JSON.
function core.page.type_of(name)
  if find(name, "%.lsp$") or find(name, "%.lp$") then
    return "text/html; charset=utf-8"
  end
  return c.type_of((gsub(match(name, "[^/]*$"), "%.dyn%.", ".")))
end
