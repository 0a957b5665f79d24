-- require.lua - require of a module that is not loaded yet.

local core, _, c = ...
local loaded = package.loaded
local searchers = package.searchers or package.loaders
local two_results = package.searchers ~= nil -- as in Lua 5.4
local signal, await, fire = c.signal, c.await, c.fire
local task_id, raise, traced = core.task_id, core.raise, core.traced
local error, pcall, type, xpcall = error, pcall, type, xpcall

c.open()

-- Modules that are being loaded now: name -> { task, signal }; and the module
-- that a task waits for while another task loads it.
local loading, wanted = {}, {}

-- Would waiting for the loader of this module wait for ourselves?
local function is_circle(name, me)
  local entry = loading[name]
  while entry do
    if entry.task == me then
      return true
    end
    entry = loading[wanted[entry.task]]
  end
  return false
end

local function wait_for(name, me)
  local entry = loading[name]
  if is_circle(name, me) then
    error("loop or previous error loading module '" .. name .. "'", 3)
  end
  wanted[me] = name
  local ok, result = pcall(await, entry.signal, "require")
  wanted[me] = nil
  if not ok then
    error(result, 0)
  elseif result < 0 then
    raise("require", result)
  end
end

-- A module with a fault in it: whoever looks for the line looks at its front.
local function raise_fault(name, err)
  if type(err) == "string" then
    local text = err:match "error loading module '.-' from file '.-':%s*(.*)"
    err = text and text .. " (in the module '" .. name .. "')" or err
  end
  error(err, 0)
end

-- In the place of Lua's own searcher for files.
local function search_files(name)
  local path, tried = package.searchpath(name, package.path)
  if not path then
    return tried
  end
  local chunk, err = core.loadfile(path)
  if not chunk then
    error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path,
      err), 0)
  end
  return chunk, two_results and path or nil
end

-- One that appears later makes the site another one.
local function note_missing(name)
  name = name:gsub("%.", "/")
  for template in package.path:gmatch("[^;]+") do
    core.note_file((template:gsub("%?", function() return name end)))
  end
end

local function find(name)
  local tried = ""
  for i = 1, #searchers do
    local search = searchers[i]
    if search == core.search_files and core.load_chunk then
      search = search_files
    end
    local found, loader, extra = pcall(search, name)
    if not found then
      raise_fault(name, loader)
    end
    if type(loader) == "function" then
      return loader, extra
    elseif type(loader) == "string" then
      tried = tried .. (loader:find("^\n") and "" or "\n\t") .. loader
    end
  end
  if core.load_chunk then
    note_missing(name)
  end
  error("module '" .. name .. "' not found:" .. tried, 3)
end

local function run(name, loader, extra)
  local me = task_id() or false
  local entry = { task = me, signal = signal() }
  loading[name] = entry
  local ok, value = xpcall(loader, traced, name, extra)
  loading[name] = nil
  if me then
    fire(entry.signal)
  end
  if not ok then
    error(value, 0)
  end
  if value ~= nil then
    loaded[name] = value
  elseif loaded[name] == nil then
    loaded[name] = true
  end
end

function core.require(name)
  if type(name) == "number" then
    name = name .. ""
  elseif type(name) ~= "string" then
    error("bad argument #1 to 'require' (string expected, got "
      .. type(name) .. ")", 2)
  end
  while not loaded[name] and loading[name] do
    wait_for(name, task_id() or false)
  end
  if loaded[name] then
    return loaded[name]
  end
  local loader, extra = find(name)
  run(name, loader, extra)
  if two_results then
    return loaded[name], extra
  end
  return loaded[name]
end
