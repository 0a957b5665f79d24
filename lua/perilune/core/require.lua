-- require.lua - require and dofile as Lua functions, so that a module or file
-- may wait while it is loaded. Otherwise as Lua's own. Here is what finds a
-- module that is there; lib/require.lua loads the others.

local core = ...
local loaded = package.loaded
local searchers = package.searchers or package.loaders
local load_part, load_chunk = core.load_part, core.load_chunk
local error, loadfile = error, loadfile

function require(name)
  local module = loaded[name]
  if module then
    return module
  end
  load_part("require")
  return core.require(name)
end

--- As loadfile(path). A site's files are compiled once for all workers: then C
--- says false for what would hold this one. anew: the file as it is now.
function core.loadfile(path, anew)
  if not load_chunk or not path then
    return loadfile(path)
  end
  local chunk, err = load_chunk(path, anew)
  if chunk == false then
    load_part("chunk")
    return core.await_chunk(path, anew)
  end
  return chunk, err
end

function dofile(path)
  local chunk, err = core.loadfile(path, true)
  if not chunk then
    error(err, 0)
  end
  return chunk()
end

if load_chunk then
  function _G.loadfile(path, ...)
    if select("#", ...) == 0 then
      return core.loadfile(path, true)
    elseif path then
      core.note_file(path)
    end
    return loadfile(path, ...)
  end
end

core.search_files = searchers[2]
-- Our own modules come after package.preload and before files.
table.insert(searchers, 2, core.find_module)
if core.folder then
  package.path = core.folder .. "/?.lua;" .. core.folder .. "/?/init.lua;"
    .. package.path
  package.cpath = core.folder .. "/?.so;" .. package.cpath
end
