-- lwan_lua.lua - the module `lua` of Lwan's: scripts whose functions
-- handle_<method>_<name> answer requests, and pages.
--
-- Each entry of the configuration is an environment of its own: what its
-- script sets is seen by nobody else. It lives as long as the generation of the
-- site in this worker. What is not found there is Lua's and the worker's.

local core, pl = ...
core.load_part "lwan_request"
local new_request, answer = core.lwan_request, core.lwan_answer
local failure, in_folder, SYNTAX = core.failure, core.in_folder, core.SYNTAX
local isyieldable, yield = coroutine.isyieldable, coroutine.yield
local error, ipairs, load, loadstring, pairs, rawget, setfenv, type =
  error, ipairs, load, loadstring, pairs, rawget, setfenv, type
local setmetatable = setmetatable
local concat, find, lower, match, sort, upper =
  table.concat, string.find, string.lower, string.match, table.sort,
  string.upper

local NAME_MAX = 128

-- ---- environments ----------------------------------------------------------

-- In a task of ours a script's yield has nobody to go to: it lets the others
-- run, and goes on.
local script_coroutine = setmetatable({
  yield = function(...)
    if isyieldable() then
      return yield(...)
    end
    pl.sleep(0)
  end,
  isyieldable = function()
    return true
  end,
}, { __index = coroutine })

local function new_environment()
  local env = setmetatable({ Lwan = core.lwan_library(),
    coroutine = setmetatable({}, { __index = script_coroutine }) },
    { __index = _G })
  env._G = env
  return env
end

core.lwan_environment = new_environment

-- A chunk of a file is a closure of its own, and its first upvalue the globals.
local function run_in(env, chunk, err)
  if not chunk then
    error(failure(SYNTAX, nil, err), 0)
  end
  if setfenv then
    setfenv(chunk, env)
  else
    debug.setupvalue(chunk, 1, env)
  end
  chunk()
  return env
end

-- Text inside of a configuration has the numbers of its lines there.
local function load_inside(config, text, line)
  return (loadstring or load)(("\n"):rep(line - 1) .. text, "@" .. config.file)
end

core.lwan_run_in, core.lwan_load_inside = run_in, load_inside

-- ---- which function --------------------------------------------------------

local prefix_of = {} -- "GET" -> "handle_get_"

local function prefix(method)
  local found = prefix_of[method]
  if not found then
    found = "handle_" .. lower(method) .. "_"
    prefix_of[method] = found
  end
  return found
end

-- The first element of the path: letters, digits and underscores.
local function name_of(req)
  local name = match(req.rest or "", "^/*([^/]*)")
  if name == "" then
    return "root"
  end
  return #name <= NAME_MAX and find(name, "^[%w_]+$") and name or nil
end

local function function_of(env, name)
  local fn = rawget(env, name)
  return type(fn) == "function" and fn or nil
end

-- The methods that have a function for name, in a list for Allow; or nil.
local function methods_of(env, name)
  local methods, tail = {}, "_" .. name
  for key, fn in pairs(env) do
    local method = type(key) == "string" and type(fn) == "function"
      and match(key, "^handle_(%l+)_")
    if method and key == "handle_" .. method .. tail then
      methods[#methods + 1] = upper(method)
      if method == "get" then
        methods[#methods + 1] = "HEAD"
      end
    end
  end
  sort(methods)
  return methods[1] and concat(methods, ", ")
end

-- HEAD is what GET says, unless the script knows better.
local function choose(env, req)
  local name, method = name_of(req), req.method
  if not name then
    return function_of(env, "handle")
  end
  return function_of(env, prefix(method) .. name)
    or method == "HEAD" and function_of(env, prefix "GET" .. name)
    or function_of(env, "handle"), name
end

local function refuse(env, req, res, name)
  local allow = name and methods_of(env, name)
  if not allow then
    return 404
  end
  res:header("allow", allow)
  if req.method == "OPTIONS" then
    return 204
  end
  return 405
end

-- ---- the module ------------------------------------------------------------

local function serve_script(env, default_type)
  return function(req, res)
    local fn, name = choose(env, req)
    if not fn then
      return refuse(env, req, res, name)
    end
    local object = new_request(req, res, default_type)
    return answer(object, fn(object))
  end
end

local sources = { "script_file", "script", "server_pages",
  script_file = true, script = true, server_pages = true }

local no_scripts = {
  { "cache_period", "scripts are read again when the site is reloaded" },
}

local function source_of(config, section)
  local chosen
  for _, node in ipairs(section.node.nodes) do
    if chosen and sources[node.key] then
      config:fail(node.line, "lua: there is a '%s' already, and one of %s is "
        .. "enough", chosen, concat(sources, ", "))
    elseif sources[node.key] then
      chosen = node.key
    end
  end
  if not chosen then
    config:fail(section.node.line, "lua: one of %s is needed",
      concat(sources, ", "))
  end
  return chosen
end

local makers = {}

function makers.script_file(_, path)
  return function(default_type)
    return serve_script(run_in(new_environment(),
      core.loadfile(in_folder(path))), default_type)
  end
end

function makers.script(config, text, line)
  local chunk, err = load_inside(config, text, line)
  return function(default_type)
    return serve_script(run_in(new_environment(), chunk, err), default_type)
  end
end

--- Gives a function that makes the handler, while the site is loaded.
function core.lwan_lua(config, section)
  local name = source_of(config, section)
  local value, line = section:text(name)
  local default_type = section:text("default_type", "text/plain")
  local make
  if name == "server_pages" then
    core.load_part "lwan_pages"
    make = core.lwan_pages(value, section:seconds "cache_period")
  else
    make = makers[name](config, value, line)
    section:meaningless(no_scripts)
  end
  return function()
    return make(default_type)
  end
end
