-- chunk.lua - a file of Lua is read and compiled on another thread, while its
-- worker serves others (see core/require.lua).

local core, _, c = ...
local type = type

c.open(c)

--- As core.loadfile(), whose caller may wait.
function core.await_chunk(path, anew)
  local chunk, err = c.run_job(c.chunk_job(path, anew))
  if chunk or type(err) == "string" then
    return chunk, err
  end
  return c.load_chunk(path, anew, true) -- there is no thread for it
end
