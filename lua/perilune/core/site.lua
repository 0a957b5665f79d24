-- site.lua - the table `pl`, and how a site's files are run.

local core, pl = ...
local failure = core.failure
local error, load, loadfile, loadstring = error, load, loadfile, loadstring
local unpack = table.unpack or unpack

pl.version = core.version
pl.stop, pl.now = core.stop, core.now
pl.json = core.json

package.loaded.perilune = pl

local SYNTAX, NOT_FOUND = core.SYNTAX, core.NOT_FOUND

local function compile(path)
  local chunk, err = loadfile(path)
  if not chunk then
    local code = err:find("^cannot ") and NOT_FOUND or SYNTAX
    error(failure(code, nil, err), 0)
  end
  return chunk
end

function core.load_file(path)
  return compile(path)(path)
end

function core.run_script(path)
  return compile(path)(unpack(arg))
end

function core.load_text(name, text)
  local chunk, err = (loadstring or load)(text, name)
  if not chunk then
    error(failure(SYNTAX, nil, err), 0)
  end
  return chunk()
end
