-- wait.lua - pl.wait, pl.wait_any, pl.wait_all: until descriptors are ready.
--
-- For what other libraries have opened: their descriptors stay theirs.

local core, pl, natives = ...
natives.open()
local new, begin, result_of = natives.new, natives.begin, natives.result
local fail, failed, failure = core.fail, core.failed, core.failure
local error_text, check_options = core.error_text, core.check_options
local CANCELED, TIMEOUT = core.CANCELED, core.TIMEOUT
local EXISTS, INVALID, UNSUPPORTED =
  core.EXISTS, core.INVALID, core.UNSUPPORTED
local floor, huge = math.floor, math.huge
local tostring, type = tostring, type

-- As the loop has them.
local READABLE, WRITABLE, HANGUP = 1, 2, 8
local masks = { r = READABLE, w = WRITABLE, rw = READABLE + WRITABLE }
local MOST = 4096

local problems = {
  [EXISTS] = "another task waits for it, or it is the server's own",
  [INVALID] = "it is not open",
  [UNSUPPORTED] = "a file on a disk is always ready",
}

-- The descriptor of a number, or of an object that tells it: luasocket's,
-- luaposix's, ... .
local function descriptor(call, what)
  local fd = what
  if core.is_socket and core.is_socket(what) then
    return what.handle
  end
  if type(what) == "table" or type(what) == "userdata" then
    local getfd = what.getfd
    fd = getfd and getfd(what)
  end
  if type(fd) ~= "number" or floor(fd) ~= fd or fd < 0 or fd > 0x7fffffff then
    fail(("%s: a descriptor is needed (a number, or an object with getfd), "
      .. "not %s"):format(call, type(what) == "number" and tostring(what)
      or "a " .. type(what)))
  end
  return fd
end

local function mask_of(call, events, thing)
  local mask = masks[events or "r"]
  if not mask then
    fail(call .. ": the events must be \"r\", \"w\" or \"rw\"")
  elseif mask == masks.rw and type(thing) == "userdata" then
    fail(call .. ": a socket of pl.connect is waited for by \"r\" or \"w\"")
  end
  return mask
end

local function check_seconds(call, seconds)
  if seconds == nil or seconds == huge then
    return nil
  elseif type(seconds) ~= "number" or seconds ~= seconds
    or seconds > 1e9 then
    fail(call .. ": the seconds must be a number")
  end
  return seconds > 0 and seconds or 0
end

-- What one thing is ready for, of what was asked. A hang-up is both: the call
-- that follows will tell.
local function events_of(result, mask)
  if result >= HANGUP then
    return mask == READABLE and "r" or mask == WRITABLE and "w" or "rw"
  end
  local writable = result % 4 >= WRITABLE
  local readable = result % 2 == 1 or result >= 4
  return readable and (writable and "rw" or "r") or "w"
end

local function problem(call, wait, list, result)
  local one = result ~= CANCELED and result ~= TIMEOUT
  for i = 1, one and #list / 2 or 0 do
    if result_of(wait, i) == result then
      local fd = list[2 * i - 1]
      return nil, failure(result, call, ("%s: %s"):format(type(fd) == "number"
        and ("descriptor %d"):format(fd) or "socket",
        type(fd) == "number" and problems[result] or error_text(result)))
    end
  end
  return failed(call, result)
end

--- Waits until a descriptor is ready: for reading ["r"], writing ("w"), or
--- either ("rw"). Gives which it is ready for.
function pl.wait(what, events, seconds)
  local thing = descriptor("pl.wait", what)
  local list = { thing, mask_of("pl.wait", events, thing) }
  local wait = new(1)
  local result = begin(wait, "pl.wait", list, false,
    check_seconds("pl.wait", seconds))
  if result < 0 then
    return problem("pl.wait", wait, list, result)
  end
  return events_of(result_of(wait, 1), list[2])
end

local known = { timeout = "duration" }

-- { { fd, "r" }, fd, ..., timeout = 5 } as { fd, mask, ... }, and seconds.
local function check_list(call, things)
  if type(things) ~= "table" or #things == 0 or #things > MOST then
    fail(("%s: a list of 1 to %d things to wait for is needed")
      :format(call, MOST))
  end
  local options = check_options(call, known, things)
  local seconds = options.timeout and core.parse_seconds(options.timeout)
  if options.timeout and not seconds then
    fail(call .. ": option 'timeout' must be a string like \"10s\" or seconds")
  end
  local list = {}
  for i = 1, #things do
    local thing = things[i]
    local pair = type(thing) == "table" and thing[1] ~= nil
    list[2 * i - 1] = descriptor(call, pair and thing[1] or thing)
    list[2 * i] = mask_of(call, pair and thing[2] or nil, list[2 * i - 1])
  end
  return list, seconds or nil
end

-- Waits for one of the things, or for all. The wait and the list, or nil and
-- the error.
local function wait_for(call, things, all)
  local list, seconds = check_list(call, things)
  local wait = new(#things)
  local result = begin(wait, call, list, all, seconds)
  if result < 0 then
    return problem(call, wait, list, result)
  end
  return wait, list
end

--- Waits until the first of several descriptors is ready. Gives its place in
--- the list, and what it is ready for.
function pl.wait_any(things)
  local wait, list = wait_for("pl.wait_any", things, false)
  if not wait then
    return nil, list
  end
  for i = 1, #things do
    local events = result_of(wait, i)
    if events > 0 then
      return i, events_of(events, list[2 * i])
    end
  end
end

--- Waits until each of several descriptors has been ready.
function pl.wait_all(things)
  local wait, err = wait_for("pl.wait_all", things, true)
  if not wait then
    return nil, err
  end
  return true
end
