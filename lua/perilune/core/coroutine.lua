-- coroutine.lua - coroutines of the user's inside tasks that wait.
--
-- A wait inside a coroutine must suspend the whole task, not hand the private
-- yield (WAITS) to whoever resumed the coroutine. So resume and wrap pass it on
-- outwards, up to the task, and the result of the operation inwards.
--
-- `chain` has the coroutines that are active now, each with the one that has
-- resumed it (true: the task itself). By it C finds out, before it begins an
-- operation, whether all of them can suspend (src/lua/wait.c). A coroutine that
-- waits stays in it, as false. (When one does, an operation has begun: storing
-- under a key that is there cannot fail for lack of memory.)

local core = ...
local WAITS, is_task = core.WAITS, core.is_task
local resume, yield = core.resume or coroutine.resume, coroutine.yield
local create, status, close =
  coroutine.create, coroutine.status, coroutine.close
local isyieldable = coroutine.isyieldable
local error, type = error, type

local chain = {}
core.chain = chain
local current -- the innermost that is active; nil: the task itself

-- co, resumed by outer, has handed out ok and values.
local function leave(outer, co, ok, ...)
  current = outer
  local first = ...
  if first == WAITS and ok then
    chain[co] = false
    local result = yield(WAITS)
    current, chain[co] = co, outer or true
    return leave(outer, co, resume(co, result))
  end
  chain[co] = nil
  return ok, ...
end

function coroutine.resume(co, ...)
  if type(co) ~= "thread" then
    error("bad argument #1 to 'resume' (coroutine expected)", 2)
  elseif chain[co] ~= nil then
    return false, "cannot resume non-suspended coroutine"
  end
  local outer = current
  current, chain[co] = co, outer or true
  return leave(outer, co, resume(co, ...))
end

-- As Lua's own: an error that is a string gets the position of the caller.
local function fail(co, err)
  if close and status(co) == "dead" then
    close(co)
  end
  error(err, type(err) == "string" and 3 or 0)
end

local function deliver(co, ok, ...)
  if ok then
    return ...
  end
  fail(co, ...)
end

function coroutine.wrap(fn)
  local co = create(fn)
  return function(...)
    if chain[co] ~= nil then
      error("cannot resume non-suspended coroutine", 2)
    end
    local outer = current
    current, chain[co] = co, outer or true
    return deliver(co, leave(outer, co, resume(co, ...)))
  end
end

-- A task has nobody to yield to.
function coroutine.yield(...)
  if not current and is_task() then
    error("attempt to yield from outside a coroutine", 2)
  end
  return yield(...)
end

function coroutine.isyieldable()
  return isyieldable() and not (current == nil and is_task())
end

-- One that waits is not suspended for anybody but its task.
function coroutine.status(co)
  return chain[co] == false and "normal" or status(co)
end

if close then
  function coroutine.close(co)
    if chain[co] == false then
      error("cannot close a normal coroutine", 2)
    end
    return close(co)
  end
end
