-- error.lua - how errors are raised, kept and told.

local core = ...
local failure, is_canceled = core.failure, core.is_canceled
local traceback = debug.traceback
local error, rawequal, setmetatable, tostring, type =
  error, rawequal, setmetatable, tostring, type

-- Raises the error object of a negative result.
function core.raise(call, result)
  error(failure(result, call), 0)
end

-- The traceback of an error that was caught in one place and is raised again in
-- another. There is one at a time: it is told when it is not caught again.
local last = setmetatable({}, { __mode = "v" })
local last_trace

-- For xpcall: remembers where the error came from.
function core.traced(err)
  if not is_canceled(err) then
    last.err, last_trace = err, traceback(nil, 2)
  end
  return err
end

-- The text for the log: the message and the tracebacks that are known.
function core.describe(err, trace)
  local text = type(err) == "string" and err or tostring(err)
  if last.err ~= nil and rawequal(last.err, err) then
    text = text .. "\n" .. last_trace
  end
  last.err, last_trace = nil, nil
  return trace and text .. "\n" .. trace or text
end
