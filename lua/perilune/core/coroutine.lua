-- coroutine.lua - coroutines of the user's inside tasks that wait.
--
-- A wait inside a coroutine must suspend the whole task, not hand the private
-- yield to whoever resumed the coroutine. resume and again (src/lua/nested.c)
-- suspend their caller in that case; what they return then is RELAYS and the
-- result of the operation, which is passed on inwards, as often as it takes.

local core = ...
local RELAYS = core.RELAYS
local resume, again, waiting = core.resume, core.again, core.waiting
local create, status, close =
  coroutine.create, coroutine.status, coroutine.close
local error, type = error, type

local function relay(co, ok, ...)
  if ok == RELAYS then
    return relay(co, again(co, ...))
  end
  return ok, ...
end

function coroutine.resume(co, ...)
  return relay(co, resume(co, ...))
end

-- As Lua's own: an error that is a string gets the position of the caller.
local function fail(co, err)
  if close and status(co) == "dead" then
    close(co)
  end
  error(err, type(err) == "string" and 3 or 0)
end

local function deliver(co, ok, ...)
  if ok == RELAYS then
    return deliver(co, again(co, ...))
  elseif ok then
    return ...
  end
  fail(co, ...)
end

function coroutine.wrap(fn)
  local co = create(fn)
  return function(...)
    return deliver(co, resume(co, ...))
  end
end

-- One that waits is not suspended for anybody but its task.
function coroutine.status(co)
  return waiting(co) and "normal" or status(co)
end

if close then
  function coroutine.close(co)
    if waiting(co) then
      error("cannot close a normal coroutine", 2)
    end
    return close(co)
  end
end

coroutine.yield = core.yield
coroutine.isyieldable = core.isyieldable
