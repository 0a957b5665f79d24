-- luafcgid_pool.lua - which states of scripts there are, who gets one, and
-- which of them go: the part itself, with a clock, tasks and files of the test.

local check = require "check"
local equal, yes = check.equal, check.yes
local remove = table.remove

local top = debug.getinfo(1, "S").source:match "^@(.*)tests/lua/"
local part = assert(loadfile(top .. "lua/perilune/lib/luafcgid_pool.lua"))

-- ---- a world ---------------------------------------------------------------

local clock = 0
local loads = {} -- names, in their order
local broken, over, changed = {}, {}, {}
local ready = {} -- coroutines that were woken
local canceled = {} -- coroutine -> true

local core = {
  now = function()
    return clock
  end,
  raise = function()
    error("canceled", 0)
  end,
}

local c = {
  open = function() end,
  signal = function()
    return {}
  end,
  await = function(signal)
    signal.co = coroutine.running()
    coroutine.yield()
    return canceled[signal.co] and -1 or 0
  end,
  fire = function(signal)
    ready[#ready + 1] = signal.co
  end,
}

part(core, {}, c)

local function new(states, clones, wait)
  clock, loads, broken, over, changed = 0, {}, {}, {}, {}
  return core.luafcgid_pool({ states = states, clones = clones,
    wait = wait or 10 }, {
    load = function(script)
      loads[#loads + 1] = script.name
      if broken[script.name] == "wait" then
        coroutine.yield()
      elseif broken[script.name] then
        return nil, { kind = "Syntax Error" }
      end
      return { name = script.name, number = #loads }
    end,
    changed = function(script)
      return changed[script.name]
    end,
    is_over = function(req)
      return over[req]
    end,
  })
end

local function run_ready()
  while ready[1] do
    assert(coroutine.resume(remove(ready, 1)))
  end
end

-- A request that takes a state, in a task: its result is in the table.
local function take(pool, name, req)
  local got = { req = req or {} }
  got.co = coroutine.create(function()
    local ok, state, fault = pcall(pool.take, pool, name, got.req)
    if ok then
      got.state, got.fault = state, fault
    else
      got.raised = state
    end
  end)
  assert(coroutine.resume(got.co))
  return got
end

local function give(pool, got)
  pool:give(got.state)
  run_ready()
end

local function use(pool, name, times)
  local got
  for _ = 1, times or 1 do
    clock = clock + 1
    got = take(pool, name)
    yes(got.state, name)
    give(pool, got)
  end
  return got.state.env.number
end

-- ---- states and clones -----------------------------------------------------

do
  local pool = new(5, 2)
  equal(1, use(pool, "a", 3), "one state is enough")
  equal({ "a" }, loads)
  local one, two = take(pool, "a"), take(pool, "a")
  equal({ "a", "a" }, loads, "busy: a clone")
  yes(one.state ~= two.state)
  local three, four = take(pool, "a"), take(pool, "a")
  equal({ "a", "a" }, loads, "no more than that")
  equal(nil, three.state)
  give(pool, two)
  yes(two.state == three.state, "to the first in the queue")
  equal(nil, four.state)
  give(pool, one)
  yes(one.state == four.state)
  give(pool, three)
  give(pool, four)
  equal(2, pool.count)
  equal(0, #pool.queue)
end

-- ---- which one goes --------------------------------------------------------

do
  local pool = new(2, 1)
  local a = use(pool, "a", 3)
  use(pool, "b", 2)
  use(pool, "c")
  equal({ "a", "b", "c" }, loads)
  equal(a, use(pool, "a"), "is still there")
  use(pool, "b")
  equal({ "a", "b", "c", "b" }, loads, "had made room")
end

do -- popularity ages: what was used much long ago goes before what is used now
  local pool = new(2, 1)
  use(pool, "old", 100)
  pool:beat(600) -- half, ten times
  use(pool, "new", 2)
  use(pool, "other")
  equal({ "old", "new", "other" }, loads)
  use(pool, "new")
  equal(3, #loads, "the old one has gone")
end

do -- equally popular: that which was used before
  local pool = new(2, 1)
  use(pool, "a")
  use(pool, "b")
  use(pool, "c")
  use(pool, "b")
  equal({ "a", "b", "c" }, loads)
end

do -- busy ones stay, whoever waits
  local pool = new(1, 1)
  local a = take(pool, "a")
  local b = take(pool, "b")
  equal(nil, b.state)
  give(pool, a)
  equal("b", b.state.env.name, "the place of a")
  equal({ "a", "b" }, loads)
  local again = take(pool, "a")
  give(pool, b)
  equal("a", again.state.env.name)
end

-- ---- waiting ---------------------------------------------------------------

do -- too long
  local pool = new(1, 1, 10)
  local a = take(pool, "a")
  clock = 5
  local first = take(pool, "a")
  clock = 14
  local second = take(pool, "b")
  pool:beat(1)
  equal(nil, first.fault)
  clock = 15.5
  pool:beat(1)
  run_ready()
  equal("busy", first.fault)
  equal(nil, second.fault)
  give(pool, a)
  equal("b", second.state.env.name)
  equal(nil, pool.scripts.a, "nobody uses it")
end

do -- who is cancelled while it waits
  local pool = new(1, 1)
  local a = take(pool, "a")
  local b, d = take(pool, "b"), take(pool, "a")
  canceled[b.co] = true
  assert(coroutine.resume(b.co))
  equal("canceled", b.raised)
  equal(nil, pool.scripts.b)
  give(pool, a)
  yes(a.state == d.state)
end

do -- ... and when it was given something already
  local pool = new(1, 1)
  local a = take(pool, "a")
  local b, d = take(pool, "a"), take(pool, "a")
  pool:give(a.state)
  canceled[b.co] = true
  run_ready()
  equal("canceled", b.raised)
  yes(a.state == d.state, "goes on to the next")
  local e, f = take(pool, "e"), take(pool, "f")
  pool:give(d.state)
  canceled[e.co] = true
  run_ready()
  equal("canceled", e.raised)
  equal("f", f.state.env.name, "the place, too")
  equal(1, pool.count)
end

-- ---- faults ----------------------------------------------------------------

do
  local pool = new(1, 1)
  broken.a = true
  local a = take(pool, "a")
  equal("Syntax Error", a.fault.kind)
  equal(0, pool.count, "it takes no place")
  equal(nil, next(pool.scripts))
  broken.a = "wait"
  a = take(pool, "a")
  local b = take(pool, "b")
  equal(nil, b.state)
  over[a.req] = true -- aborted: it never comes back
  pool:beat(1)
  run_ready()
  equal("b", b.state.env.name)
  over[b.req] = true
  pool:beat(1)
  equal(nil, b.state.req, "what it had is free")
  equal(1, pool.count)
end

-- ---- files that change -----------------------------------------------------

do
  local pool = new(5, 3)
  local one, two = take(pool, "a"), take(pool, "a")
  give(pool, one)
  use(pool, "b")
  changed.a = true
  pool:beat(1)
  changed.a = false
  equal(2, pool.count, "the idle one of a was closed")
  give(pool, two)
  equal(1, pool.count, "the other one afterwards")
  equal(nil, pool.scripts.a)
  use(pool, "a")
  equal({ "a", "a", "b", "a" }, loads)
end

do -- what is closed makes room
  local pool = new(1, 1)
  local a = take(pool, "a")
  local b = take(pool, "b")
  changed.a = true
  pool:beat(1)
  give(pool, a)
  equal("b", b.state.env.name)
  equal(1, pool.count)
end
