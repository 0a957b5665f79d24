-- luafcgid_env.lua - the globals of one state of a script of luafcgid's.
--
-- In luafcgid each state was a Lua of its own, and the folder of its script the
-- current one. Here all states of a worker are in one Lua: each has its own
-- table of globals, with its own copies of the libraries and its own modules in
-- Lua. Relative paths begin at the script's folder, whatever other requests do
-- meanwhile. Shared by all are the methods of strings, and modules in C.

local core = ...
local global, getfenv, setfenv, module = _G, getfenv, setfenv, module
local concat, find, format, gmatch, gsub, match = table.concat, string.find,
  string.format, string.gmatch, string.gsub, string.match
local error, ipairs, load, pairs, rawget, require, select, setmetatable,
  tostring, type = error, ipairs, load, pairs, rawget, require, select,
  setmetatable, tostring, type
local searchers = package.searchers or package.loaders
local searchpath = package.searchpath
local setupvalue = debug.setupvalue

local functions = {
  "assert", "collectgarbage", "error", "gcinfo", "getmetatable", "ipairs",
  "newproxy", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawlen",
  "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "unpack",
  "warn", "xpcall", "_VERSION",
}

local libraries = {
  "bit", "coroutine", "debug", "io", "jit", "math", "os", "string", "table",
  "utf8",
}

local function copy(from)
  local to = {}
  for key, value in pairs(from) do
    to[key] = value
  end
  return to
end

-- The script's folder, as a prefix of paths.
local function in_folder(folder, path)
  if type(path) == "string" and not find(path, "^/") then
    return folder .. path
  end
  return path
end

-- ---- code ------------------------------------------------------------------

-- A chunk of a file is a closure of its own, and its first upvalue the globals.
local function bind(chunk, env)
  if setfenv then
    setfenv(chunk, env)
  else
    setupvalue(chunk, 1, env)
  end
  return chunk
end

local function add_loaders(env, folder)
  function env.load(chunk, name, mode, ...)
    if select("#", ...) > 0 then
      return load(chunk, name, mode, (...))
    end
    return load(chunk, name, mode, env)
  end
  if global.loadstring then
    function env.loadstring(text, name)
      return load(text, name, nil, env)
    end
  end
  function env.loadfile(path, _, own)
    if path == nil then
      error("loadfile: a path is needed", 2)
    end
    local chunk, err = core.loadfile(in_folder(folder, path), true)
    if not chunk then
      return nil, err
    end
    return bind(chunk, own or env)
  end
  function env.dofile(path)
    local chunk, err = env.loadfile(path)
    if not chunk then
      error(err, 0)
    end
    return chunk()
  end
end

-- Of Lua 5.1: 0 is the state, a number a level of the stack, which is one
-- further away from here.
local function add_environments(env)
  function env.getfenv(of)
    if of == 0 then
      return env
    end
    of = of == nil and 1 or of
    local found = getfenv(type(of) == "number" and of + 1 or of)
    return found
  end
  function env.setfenv(of, to)
    if of == 0 then
      error("setfenv: the globals of a state cannot be replaced", 2)
    end
    local changed = setfenv(type(of) == "number" and of + 1 or of, to)
    return changed
  end
end

-- ---- files and programs ----------------------------------------------------

-- What a shell is told, so that command runs in the folder.
local function command_in(folder, command)
  return "cd '" .. gsub(folder, "'", "'\\''") .. "' || exit 126\n"
    .. tostring(command)
end

local function wrap_io(io, folder)
  local open, lines, popen = io.open, io.lines, io.popen
  for _, name in ipairs { "input", "output" } do
    local fn = io[name]
    io[name] = function(file)
      return fn(in_folder(folder, file))
    end
  end
  function io.open(path, mode)
    return open(in_folder(folder, path), mode)
  end
  function io.lines(path, ...)
    if path == nil then
      return lines()
    end
    return lines(in_folder(folder, path), ...)
  end
  function io.popen(command, mode)
    return popen(command_in(folder, command), mode)
  end
end

local function wrap_os(os, folder)
  local execute, remove, rename = os.execute, os.remove, os.rename
  function os.execute(command)
    if command == nil then
      return execute()
    end
    return execute(command_in(folder, command))
  end
  function os.remove(path)
    return remove(in_folder(folder, path))
  end
  function os.rename(from, to)
    return rename(in_folder(folder, from), in_folder(folder, to))
  end
  function os.exit()
    error("os.exit: a script cannot end the server", 2)
  end
end

-- ---- modules ---------------------------------------------------------------

-- Relative templates of package.path begin at the folder, too.
local function templates(folder, path)
  local list = {}
  for template in gmatch(tostring(path), "[^;]+") do
    list[#list + 1] = in_folder(folder, gsub(template, "^%./", ""))
  end
  return concat(list, ";")
end

-- Names that scripts of luafcgid's find without a file.
local own = {
  luafcgid = function()
    core.load_part "luafcgid_library"
    return core.luafcgid_library.luafcgid
  end,
}
-- The same, unless there are files of these names.
local aliases = {}
for _, name in ipairs { "base64", "md5" } do
  aliases[name] = function()
    core.load_part "luafcgid_library"
    return core.luafcgid_library[name]
  end
end

-- Lua's searchers for modules in C look where the worker's package.cpath says.
local function find_native(name, cpath)
  local package, tried = global.package, ""
  local before = package.cpath
  package.cpath = cpath
  for i = 4, 5 do
    local loader, extra = searchers[i](name)
    if type(loader) == "function" then
      package.cpath = before
      return loader, extra
    end
    tried = tried .. (loader or "")
  end
  package.cpath = before
  return nil, tried
end

-- One for all states of the worker: a module in C is loaded once.
local function load_native(name, loader, extra)
  local loaded = global.package.loaded
  if loaded[name] == nil then
    local value = loader(name, extra)
    if loaded[name] == nil then
      loaded[name] = value == nil and true or value
    end
  end
  return loaded[name]
end

local function find_module(env, folder, name)
  local package = env.package
  local loader = package.preload[name] or own[name]
  if loader then
    return loader
  elseif name == "perilune" or global.package.preload[name]
    or type(core.find_module(name)) == "function" then
    return require -- of the worker
  end
  local path, tried =
    searchpath(name, templates(folder, package.path))
  if path then
    local chunk, err = env.loadfile(path)
    if not chunk then
      error(format("error loading module '%s' from file '%s':\n\t%s", name,
        path, err), 0)
    end
    return chunk, path
  end
  local native, extra = find_native(name, templates(folder, package.cpath))
  if native then
    return function()
      return load_native(name, native, extra)
    end, extra
  end
  return aliases[name], tried .. extra
end

local function add_require(env, folder)
  local loaded, loading = env.package.loaded, {}
  function env.require(name)
    if loaded[name] ~= nil then
      return loaded[name]
    elseif loading[name] then
      error("loop or previous error loading module '" .. name .. "'", 2)
    end
    local loader, extra = find_module(env, folder, name)
    if not loader then
      error("module '" .. name .. "' not found:" .. extra, 2)
    end
    loading[name] = true
    local value = loader(name, extra)
    loading[name] = nil
    if value ~= nil then
      loaded[name] = value
    elseif loaded[name] == nil then
      loaded[name] = true
    end
    return loaded[name]
  end
end

-- "a.b" -> the table a.b, made if there is none
local function make_table(env, name)
  local at = env
  for part in gmatch(name, "[^.]+") do
    local inner = rawget(at, part)
    if inner == nil then
      inner = {}
      at[part] = inner
    elseif type(inner) ~= "table" then
      error("name conflict for module '" .. name .. "'", 3)
    end
    at = inner
  end
  return at
end

-- Of Lua 5.1: the module's functions are globals of a table of its own.
local function add_module(env)
  local loaded = env.package.loaded
  function env.module(name, ...)
    local made = loaded[name]
    if type(made) ~= "table" then
      made = make_table(env, name)
      loaded[name] = made
    end
    if made._NAME == nil then
      made._M, made._NAME = made, name
      made._PACKAGE = match(name, "^.*%.") or ""
    end
    setfenv(2, made)
    for i = 1, select("#", ...) do
      select(i, ...)(made)
    end
  end
  function env.package.seeall(made)
    setmetatable(made, { __index = env })
  end
end

-- ---- the whole -------------------------------------------------------------

local function add_libraries(env)
  local loaded = { _G = env }
  for _, name in ipairs(libraries) do
    local library = global[name]
    if type(library) == "table" then
      env[name] = copy(library)
      loaded[name] = env[name]
    end
  end
  local package = copy(global.package)
  package.loaded, package.preload = loaded, {}
  package.loaders, package.searchers = nil, nil
  env.package, loaded.package = package, package
end

--- Globals for a script in folder, an absolute path with a slash at its end.
function core.luafcgid_environment(folder)
  local env = {}
  for _, name in ipairs(functions) do
    env[name] = global[name]
  end
  env._G = env
  add_libraries(env)
  env.package.path = folder .. "?.lua;" .. folder .. "?/init.lua;"
    .. env.package.path
  env.package.cpath = folder .. "?.so;" .. env.package.cpath
  wrap_io(env.io, folder)
  wrap_os(env.os, folder)
  add_loaders(env, folder)
  add_require(env, folder)
  if setfenv then
    add_environments(env)
    if module then
      add_module(env)
    end
  end
  return env
end
