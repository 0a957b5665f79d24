-- error.lua - how errors are raised, kept and told.

local core = ...
local failure, is_canceled = core.failure, core.is_canceled
local CANCELED = core.CANCELED
local traceback = debug.traceback
local error, pcall, rawequal, setmetatable, tostring, type, xpcall =
  error, pcall, rawequal, setmetatable, tostring, type, xpcall

-- Raises the error object of a negative result.
function core.raise(call, result)
  error(failure(result, call), 0)
end

-- What a script is told of a negative result: nil and the error; but that its
-- task is to end is raised.
function core.failed(call, result, text)
  if result == CANCELED then
    core.raise(call, result)
  end
  return nil, failure(result, call, text)
end

-- The traceback of an error that was caught in one place and is raised again in
-- another. There is one at a time: it is told when it is not caught again.
local last = setmetatable({}, { __mode = "v" })
local last_trace

-- For xpcall: remembers where the error came from.
function core.traced(err)
  if not is_canceled(err) then
    last.err, last_trace = err, traceback("", 2)
  end
  return err
end

-- The text for the log: the message and the tracebacks that are known.
function core.describe(err, trace)
  local ok, text = pcall(tostring, err)
  if not ok or type(text) ~= "string" then
    text = "an error that cannot be shown (" .. type(err) .. ")"
  end
  if last_trace and rawequal(last.err, err) then
    text = text .. last_trace
  end
  last.err, last_trace = nil, nil
  return trace and text .. "\n" .. trace or text
end

-- Calls fn(...). An error is reported and goes no further; that the task was
-- cancelled does.
function core.guard(fn, ...)
  local ok, err = xpcall(fn, core.traced, ...)
  if not ok then
    if is_canceled(err) then
      error(err, 0)
    end
    core.report(core.describe(err))
  end
end
