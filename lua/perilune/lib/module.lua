-- module.lua - pl.module and pl.handler: shared objects that add handlers,
-- methods of requests and functions.

local core, pl, c = ...
local check_loading, check_string, fail, failure =
  core.check_loading, core.check_string, core.fail, core.failure
local methods, getters, rare =
  core.request_methods, core.request_getters, core.request_rare
local error, pairs, rawget, select, setmetatable, tostring, type =
  error, pairs, rawget, select, setmetatable, tostring, type

c.open(c)
core.is_handler = c.is_handler

local handlers = {} -- name -> what C knows it by
local tables = {}   -- path -> the functions of the module

-- ---- the names of a module -------------------------------------------------

local function method_function(method)
  local call_new, call_begin, call_end = c.call_new, c.call_begin, c.call_end
  return function(req, ...)
    local call = call_new(method, req, ...)
    return call_end(call, call_begin(call))
  end
end

-- Each returns what is wrong, or nil.
local add = {}

function add.handler(name, handler)
  if handlers[name] then
    return ("there are two handlers '%s'"):format(name)
  end
  handlers[name] = handler
end

function add.method(name, method)
  if methods[name] or getters[name] or rare[name] then
    return ("there is a req:%s() already"):format(name)
  end
  methods[name] = method_function(method)
end

function add.function_(name, fn, functions)
  if functions[name] then
    return ("there are two functions '%s'"):format(name)
  end
  functions[name] = fn
end

add["function"] = add.function_

local function add_names(module, functions)
  local wrong
  c.names(module, function(kind, name, value)
    wrong = wrong or add[kind](name, value, functions)
  end)
  return wrong
end

-- ---- loading ---------------------------------------------------------------

-- In a worker that only reads the site, a module of 80s begins when the site
-- looks for something that is not there: it prints what it likes in on_load,
-- and that is to be seen once for each worker.
local lazy = {}

local function begin_lazy(_, name)
  local list = lazy
  lazy = {}
  setmetatable(_G, nil)
  setmetatable(package.loaded, nil)
  for i = 1, #list do
    local ok, why = c.begin(list[i])
    if not ok then
      error(why, 0)
    end
  end
  return rawget(_G, name)
end

local function begin(module)
  if not c.is_lazy(module) then
    return c.begin(module)
  end
  lazy[#lazy + 1] = module
  setmetatable(_G, { __index = begin_lazy })
  setmetatable(package.loaded, { __index = function(loaded, name)
    begin_lazy(nil, name)
    return rawget(loaded, name)
  end })
  return true
end

-- What pl.module gives, or nil and why not.
local function load_module(path, options)
  local module, why = c.run_job(c.open_job(path))
  if not module then
    return nil, tostring(why)
  end
  for name, value in pairs(options) do
    c.option(module, name, tostring(value))
  end
  local ok
  ok, why = begin(module)
  if not ok then
    return nil, why
  end
  local functions = {}
  why = add_names(module, functions)
  if why then
    return nil, path .. ": " .. why
  end
  tables[path] = functions
  return functions
end

local plain = { string = true, number = true, boolean = true }

local function check_options(options)
  if options ~= nil and type(options) ~= "table" then
    fail("pl.module: options must be a table, not a " .. type(options))
  end
  for name, value in pairs(options or {}) do
    check_string("pl.module", "the name of an option", name)
    if not plain[type(value)] then
      fail(("pl.module: option '%s' must be a string, a number or a boolean, "
        .. "not a %s"):format(name, type(value)))
    end
  end
  return options or {}
end

--- pl.module(path [, options]) -> the functions that it adds
function pl.module(path, ...)
  check_loading("pl.module")
  check_string("pl.module", "the path", path)
  if not c.is_there() then
    fail("pl.module: only in a site")
  end
  local options = check_options((...))
  path = core.in_folder(path)
  if tables[path] then
    if select("#", ...) > 0 then
      fail(("pl.module: %s is loaded already, without these options")
        :format(path))
    end
    return tables[path]
  end
  local functions, why = load_module(path, options)
  if not functions then
    fail("pl.module: " .. why)
  end
  return functions
end

--- What the command line names, before the site's file.
function core.load_modules(paths)
  for path in paths:gmatch("[^,]+") do
    local functions, why = load_module(path, {})
    if not functions then
      error(failure(core.NOT_FOUND, nil, "-m: " .. why), 0)
    end
  end
end

-- ---- handlers --------------------------------------------------------------

--- pl.get("/count", pl.handler "count")
function pl.handler(name)
  check_string("pl.handler", "the name", name)
  local handler = handlers[name]
  if not handler then
    core.load_part("options")
    fail(("pl.handler: no module has a handler '%s'%s"):format(name,
      core.suggest(handlers, name)))
  end
  return c.bind(handler)
end
