-- site.lua - the table `pl`, and how a site's files are run.

local core, pl = ...
local failure = core.failure
local error, load, loadstring = error, load, loadstring
local unpack = table.unpack or unpack

pl.version = core.version
pl.stop, pl.now = core.stop, core.now
pl.json = core.json

package.loaded.perilune = pl

local SYNTAX, NOT_FOUND = core.SYNTAX, core.NOT_FOUND

local function compile(path)
  local chunk, err = core.loadfile(path)
  if not chunk then
    local code = err:find("^cannot ") and NOT_FOUND or SYNTAX
    error(failure(code, nil, err), 0)
  end
  return chunk
end

-- What the command line names comes before the site's own code.
local function load_modules()
  if core.module_paths and pl.module then -- looking for it loads the part
    core.load_modules(core.module_paths)
  end
end

function core.load_file(path)
  local chunk = compile(path)
  load_modules()
  return chunk(path)
end

function core.run_script(path)
  return compile(path)(unpack(arg))
end

function core.load_text(name, text)
  local chunk, err = (loadstring or load)(text, name)
  if not chunk then
    error(failure(SYNTAX, nil, err), 0)
  end
  load_modules()
  return chunk()
end
