-- bus.lua - pl.publish, pl.subscribe, pl.messages: topics, for all workers.
--
-- A subscription that a task makes ends with it. One that the site makes while
-- it is loaded begins at the commit and ends with the generation. What serves a
-- peer is told of a stop; what does not goes on, for those who still finish.

local core, pl, c = ...
local subscribe, cancel, receive, take, dropped, leave =
  c.subscribe, c.cancel, c.receive, c.take, c.dropped, c.leave
local finish = c.finish
local check_function, check_options, check_string =
  core.check_function, core.check_options, core.check_string
local fail, failed, failure, guard =
  core.fail, core.failed, core.failure, core.guard
local is_loading, task_id, when =
  core.is_loading, core.task_id, core.when
local parse_size = core.parse_size
local CLOSED, STOPPING = core.CLOSED, core.STOPPING
local error, setmetatable, type = error, setmetatable, type

local Subscription = { __name = "pl.subscription" }
Subscription.__index = Subscription

local known = {
  queue = "count", queue_bytes = "size", full = "text", since = "number",
  through_stop = "flag",
}

local function new(call, topic, options)
  check_string(call, "the topic", topic)
  if topic == "" then
    fail(call .. ": the topic must not be empty")
  end
  local checked = check_options(call, known, options)
  local full = checked.full or "drop"
  if full ~= "drop" and full ~= "close" then
    fail(call .. ": option 'full' must be \"drop\" or \"close\"")
  end
  local bytes = parse_size(checked.queue_bytes or "0")
  if not bytes then
    fail(call .. ": option 'queue_bytes' is not understood")
  end
  return setmetatable({
    topic = topic, queue = checked.queue or 0, close = full == "close",
    bytes = bytes, since = checked.since or nil,
    through_stop = checked.through_stop,
  }, Subscription)
end

local function begin(call, sub)
  local err
  sub.ref, err =
    subscribe(call, sub.topic, sub.queue, sub.close, sub.bytes, sub.since,
      sub.through_stop)
  return sub.ref and sub, err
end

-- In a task: begins, and ends with it.
local function begin_here(call, sub)
  if not task_id() then
    fail(call .. ": may only be called inside a task (a handler, timer or "
      .. "spawned function)")
  end
  pl.defer(function()
    sub:cancel()
  end)
  return begin(call, sub)
end

-- Calls the function for one message after another.
local function pump(sub)
  pl.defer(function()
    sub:cancel()
  end)
  local value, topic, number = sub:receive()
  while value ~= nil do
    guard(sub.fn, value, topic, number)
    value, topic, number = sub:receive()
  end
end

-- For handover.lua.
core.finish_subscription = finish

-- Those of the site end when another generation takes over, which has its own:
-- what they have got by then is still told.
local of_site = {}

when("retire", function()
  for i = 1, #of_site do
    local ref = of_site[i].ref
    if ref then
      finish(ref)
    end
  end
end)

local function begin_later(sub)
  of_site[#of_site + 1] = sub
  when("commit", function()
    local ok, err = begin("pl.subscribe", sub)
    if not ok and not sub.canceled then
      error(err, 0)
    end
  end)
end

--- pl.subscribe(topic, fn [, options]): fn(value, topic, number) is called for
--- each message, one after another. pl.subscribe(topic [, options]): without
--- fn; subscription:receive() waits for the next. topic may be a pattern:
--- "chat.*", "news.>". options: queue, queue_bytes, full, since,
--- through_stop.
local function subscribe_to(topic, fn, options)
  if type(fn) == "table" and options == nil then
    fn, options = nil, fn
  end
  local sub = new("pl.subscribe", topic, options)
  if fn ~= nil then
    check_function("pl.subscribe", fn)
    sub.fn = fn
  end
  if is_loading() then
    if not fn then
      fail("pl.subscribe: while the site is being loaded a function is needed")
    end
    begin_later(sub)
  else
    local ok, err = begin_here("pl.subscribe", sub)
    if not ok then
      return nil, err
    end
  end
  if fn then
    local task = pl.spawn(pump, sub) -- which loads core.foreground, too
    core.foreground(task)
  end
  return sub
end

--- for value, topic, number in pl.messages(topic [, options]) do ... end
local function messages(topic, options)
  if is_loading() then
    fail("pl.messages: the site is still being loaded")
  end
  local sub = new("pl.messages", topic, options)
  local ok, err = begin_here("pl.messages", sub)
  if not ok then
    error(err, 0)
  end
  return function()
    local value, from, number = sub:receive()
    if value ~= nil then
      return value, from, number
    end
  end
end

--- Waits for the next message, at most timeout seconds. Gives its value, its
--- topic, and its number if that is a channel; nil and an error: "timeout",
--- "closed" when there will be none any more, or "stopping" when the server
--- stops: whoever waits on after that is cancelled.
function Subscription:receive(timeout)
  if timeout ~= nil and (type(timeout) ~= "number" or not (timeout >= 0)) then
    fail("subscription:receive: the timeout must be a number, not negative")
  end
  while self.ref do
    local value, topic, number = take(self.ref)
    if value ~= nil then
      return value, topic, number
    end
    local result = receive(self.ref, timeout)
    if result == STOPPING and self.told then
      leave()
    elseif result < 0 then
      self.told = result == STOPPING
      return failed("subscription:receive", result)
    end
  end
  return nil, failure(CLOSED, "subscription:receive")
end

--- Ends the subscription; who waits for it is told "closed".
function Subscription:cancel()
  local ref = self.ref
  self.ref, self.canceled = nil, true
  if ref then
    cancel(ref)
  end
end

--- How many messages were lost, because this subscription was too slow.
function Subscription:dropped()
  return self.ref and dropped(self.ref) or 0
end

-- Last, and each of them whole: there may be no memory for the rest.
pl.publish, pl.subscribe, pl.messages = c.publish, subscribe_to, messages
