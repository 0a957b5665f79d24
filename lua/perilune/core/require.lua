-- require.lua - require and dofile as Lua functions, so that a module or file
-- may wait while it is loaded. Otherwise as Lua's own. Here is what finds a
-- module that is there; lib/require.lua loads the others.

local core = ...
local loaded = package.loaded
local searchers = package.searchers or package.loaders
local load_part, error, loadfile = core.load_part, error, loadfile

function require(name)
  local module = loaded[name]
  if module then
    return module
  end
  load_part("require")
  return core.require(name)
end

function dofile(path)
  local chunk, err = loadfile(path)
  if not chunk then
    error(err, 0)
  end
  return chunk()
end

-- Our own modules come after package.preload and before files.
table.insert(searchers, 2, core.find_module)
if core.folder then
  package.path = core.folder .. "/?.lua;" .. core.folder .. "/?/init.lua;"
    .. package.path
  package.cpath = core.folder .. "/?.so;" .. package.cpath
end
