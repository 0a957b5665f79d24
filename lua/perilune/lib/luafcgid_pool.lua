-- luafcgid_pool.lua - the states of scripts: which there are in this worker,
-- who uses them, which of them go.
--
-- A state answers one request at a time: its globals belong to that request
-- until it is over. A script that waits (for a body, a client, a database) may
-- be wanted again meanwhile: then it gets a further state, a clone, up to
-- `clones`. All scripts together have up to `states`; beyond that the idle one
-- that is least popular makes room. Who finds neither waits in one queue, for a
-- time; what becomes free is handed to the first in it who can use it, so that
-- nobody is overtaken.
--
--     take() --> idle state? --> free place? --> load --> a state
--                                   | no                   | fault: the place
--                                   v                      v is free again
--                                 queue <---- give(), or a place is free
--
-- The heartbeat ages popularity, ends waits that last too long, frees what a
-- request has left behind that was ended by force, and closes states of files
-- that have changed.
--
-- load(script) -> globals; or nil, fault. It may wait. changed(script) -> true
-- if the file has changed; it may wait, too. is_over(req): see lib_luafcgid.c.

local core, pl, c = ...
local now = core.now
local error, ipairs, next, pairs, pcall, setmetatable =
  error, ipairs, next, pairs, pcall, setmetatable
local remove = table.remove
local await, fire, signal = c.await, c.fire, c.signal

c.open()

local HALF_LIFE = 60 -- seconds after which a use counts half

local Pool = {}
Pool.__index = Pool

--- limits: states and clones (of this worker), wait (seconds); hooks: load,
--- changed, is_over.
function core.luafcgid_pool(limits, hooks)
  return setmetatable({
    limits = limits, hooks = hooks,
    scripts = {}, -- by name: those that have states, or are waited for
    states = {}, -- all of them, as a set
    making = {}, -- request -> the script that it loads
    count = 0, -- of states, and of places for those that are being loaded
    queue = {}, -- who waits, in their order
  }, Pool)
end

-- ---- places ----------------------------------------------------------------

local function forget(pool, script)
  if script.count == 0 and script.waiting == 0 then
    pool.scripts[script.name] = nil
  end
end

local function take_place(pool, script)
  pool.count, script.count = pool.count + 1, script.count + 1
end

local function free_place(pool, script)
  pool.count, script.count = pool.count - 1, script.count - 1
  forget(pool, script)
end

local function drop(pool, state)
  pool.states[state] = nil
  free_place(pool, state.script)
end

-- Takes a state out of those that are idle.
local function unlist(state)
  local idle = state.script.idle
  for i = #idle, 1, -1 do
    if idle[i] == state then
      remove(idle, i)
      return
    end
  end
end

local function is_less_popular(a, b)
  if a.uses ~= b.uses then
    return a.uses < b.uses
  end
  return a.used < b.used
end

-- Closes the idle state that is least popular. False: there is none.
local function evict(pool)
  local chosen
  for state in pairs(pool.states) do
    if not state.req and (not chosen or is_less_popular(state, chosen)) then
      chosen = state
    end
  end
  if chosen then
    unlist(chosen)
    drop(pool, chosen)
  end
  return chosen ~= nil
end

-- A place for one more state of the script, if it may have one.
local function reserve(pool, script)
  local limits = pool.limits
  if script.count >= limits.clones
    or pool.count >= limits.states and not evict(pool) then
    return false
  end
  take_place(pool, script)
  return true
end

-- ---- the queue -------------------------------------------------------------

-- What waiter can have now: a state, true for a place; or nil.
local function offer(pool, waiter)
  local script = waiter.script
  local state = remove(script.idle)
  if state then
    state.req = waiter.req
    return state
  end
  return reserve(pool, script) or nil
end

-- Something has become free: at most one can go on.
local function serve(pool)
  local queue = pool.queue
  for i, waiter in ipairs(queue) do
    waiter.given = offer(pool, waiter)
    if waiter.given then
      remove(queue, i)
      fire(waiter.signal)
      return
    end
  end
end

local function leave(pool, waiter)
  local queue = pool.queue
  for i = 1, #queue do
    if queue[i] == waiter then
      remove(queue, i)
      return
    end
  end
end

-- Nobody takes what was given.
local function give_back(pool, waiter)
  local given = waiter.given
  if given == true then
    free_place(pool, waiter.script)
    serve(pool)
  elseif given then
    pool:give(given)
  else
    leave(pool, waiter)
  end
end

-- A state, true for a place; nil: it took too long.
local function wait_for(pool, script, req)
  local waiter = { script = script, req = req, signal = signal(),
    since = now() }
  pool.queue[#pool.queue + 1] = waiter
  script.waiting = script.waiting + 1
  local ok, result = pcall(await, waiter.signal, "pl.luafcgid")
  script.waiting = script.waiting - 1
  if ok and result == 0 then
    return waiter.given
  end
  give_back(pool, waiter)
  forget(pool, script)
  if ok then
    core.raise("pl.luafcgid", result)
  end
  error(result, 0)
end

-- ---- taking and giving -----------------------------------------------------

-- Fills a place that was taken. Gives nil and a fault if that fails.
local function make(pool, script, req)
  pool.making[req] = script
  local ok, env, fault = pcall(pool.hooks.load, script)
  pool.making[req] = nil
  if ok and env then
    local state = { script = script, env = env, req = req, uses = 1,
      used = now() }
    pool.states[state] = true
    return state
  end
  free_place(pool, script)
  serve(pool)
  if not ok then
    error(env, 0)
  end
  return nil, fault
end

local function take_slowly(pool, name, req)
  local script = pool.scripts[name]
  if not script then
    script = { name = name, idle = {}, count = 0, waiting = 0 }
    pool.scripts[name] = script
  end
  local got = reserve(pool, script) or wait_for(pool, script, req)
  if got == true then
    return make(pool, script, req)
  elseif got then
    return got
  end
  forget(pool, script)
  return nil, "busy"
end

--- A state of the script of that name, for req; or nil and a fault: what load()
--- says, or "busy". Waits if it must. give() it back.
function Pool:take(name, req)
  local script = self.scripts[name]
  local state = script and remove(script.idle)
  if not state then
    return take_slowly(self, name, req)
  end
  state.req, state.uses, state.used = req, state.uses + 1, now()
  return state
end

function Pool:give(state)
  local idle = state.script.idle
  state.req = nil
  if state.stale then
    drop(self, state)
  else
    idle[#idle + 1] = state
  end
  if self.queue[1] then
    serve(self)
  end
end

-- ---- the heartbeat ---------------------------------------------------------

-- Its file is another one now. States that are in use go afterwards.
local function close(pool, script)
  for _ = 1, #script.idle do
    drop(pool, remove(script.idle))
  end
  for state in pairs(pool.states) do
    state.stale = state.stale or state.script == script
  end
end

--- The same, told by load(): a clone has found another file.
function Pool:outdate(script)
  close(self, script)
end

local function end_waits(pool)
  local queue, before = pool.queue, now() - pool.limits.wait
  while queue[1] and queue[1].since < before do
    fire(remove(queue, 1).signal)
  end
end

-- A request that was aborted has not given back what it had.
local function collect(pool)
  local is_over = pool.hooks.is_over
  for state in pairs(pool.states) do
    if state.req and is_over(state.req) then
      pool:give(state)
    end
  end
  for req, script in pairs(pool.making) do
    if is_over(req) then
      pool.making[req] = nil
      free_place(pool, script)
      serve(pool)
    end
  end
end

local function age(pool, seconds)
  local part = 0.5 ^ (seconds / HALF_LIFE)
  for state in pairs(pool.states) do
    state.uses = state.uses * part
  end
end

local function look(pool)
  local scripts = {}
  for _, script in pairs(pool.scripts) do
    scripts[#scripts + 1] = script
  end
  for _, script in ipairs(scripts) do
    if script.count > 0 and pool.hooks.changed(script) then
      close(pool, script)
      if pool.queue[1] then
        serve(pool)
      end
    end
  end
end

--- seconds: since the last one.
function Pool:beat(seconds)
  if next(self.scripts) == nil then
    return
  end
  end_waits(self)
  collect(self)
  age(self, seconds)
  look(self)
end
