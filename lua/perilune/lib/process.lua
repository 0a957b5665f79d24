-- process.lua - child processes, which never hold a worker.
--
-- A child belongs to the task that starts it: when that ends, so does the
-- child, and what it has started in its group.

local core, pl, natives = ...
natives.open()
local new_run, run, run_result, run_problem =
  natives.new_run, natives.run, natives.run_result, natives.run_problem
local new_child, start, problem, pid =
  natives.new_child, natives.start, natives.problem, natives.pid
local wait, status, kill = natives.wait, natives.status, natives.kill
local ready, take, give, close, close_stream =
  natives.ready, natives.take, natives.give, natives.close,
  natives.close_stream
local environ, signal_number = natives.environ, natives.signal
local failed, failure, raise, fail =
  core.failed, core.failure, core.raise, core.fail
local check_string, check_options = core.check_string, core.check_options
local parse_size, parse_seconds = core.parse_size, core.parse_seconds
local in_folder, folder = core.in_folder, core.folder
local AGAIN, CANCELED, CLOSED, INVALID =
  core.AGAIN, core.CANCELED, core.CLOSED, core.INVALID
local pairs, setmetatable, tostring, type =
  pairs, setmetatable, tostring, type
local find, match = string.find, string.match
local floor = math.floor

assert(pl.fs) -- makes core.lines_of, core.take_ahead

local process = {}

local IN, OUT, ERR = 0, 1, 2
local BLOCK = 65536

-- ---- what to start ---------------------------------------------------------

local run_options = {
  shell = "text", stdin = "text", cwd = "text", stdout = "text",
  stderr = "text", timeout = "duration", grace = "duration",
  max_output = "size", clear_env = "flag",
}

local spawn_options = {
  shell = "text", stdin = "text", cwd = "text", stdout = "text",
  stderr = "text", grace = "duration", clear_env = "flag",
}

local words = {
  stdin = { capture = true, null = true, inherit = true },
  stdout = { capture = true, null = true, inherit = true },
  stderr = { capture = true, null = true, inherit = true, merge = true },
}

local function check_word(name, field, word)
  if not words[field][word] then
    fail(("%s: option '%s' must be %s\"capture\", \"null\" or \"inherit\"")
      :format(name, field, field == "stderr" and "\"merge\", " or ""))
  end
  return word
end

-- { shell = "text", "a" } is sh -c text sh a.
local function check_argv(name, what, shell)
  local argv = shell and { "/bin/sh", "-c", shell, "sh" } or {}
  for i = 1, #what do
    local arg = what[i]
    if type(arg) == "number" then
      arg = tostring(arg)
    end
    check_string(name, "argument " .. i, arg)
    argv[#argv + 1] = arg
  end
  if #argv == 0 then
    fail(name .. ": the program is missing: { \"program\", \"argument\", ... }")
  end
  return argv
end

-- Ours, changed by what is said; false leaves a variable out.
local function check_env(name, changes, clear)
  if changes ~= nil and type(changes) ~= "table" then
    fail(name .. ": option 'env' must be a table of names and values")
  end
  if not changes and not clear then
    return nil
  end
  local env = {}
  changes = changes or {}
  for key, value in pairs(changes) do
    if type(key) ~= "string" or key == "" or find(key, "=", 1, true)
      or (value and type(value) ~= "string" and type(value) ~= "number") then
      fail(name .. ": option 'env' must be a table of names and values")
    elseif value then
      env[#env + 1] = key .. "=" .. value
    end
  end
  local ours = clear and {} or environ()
  for i = 1, #ours do
    if changes[match(ours[i], "^[^=]*")] == nil then
      env[#env + 1] = ours[i]
    end
  end
  return env
end

-- Seconds, or nil.
local function check_seconds(name, field, value)
  local seconds = value and parse_seconds(value)
  if value and not seconds then
    fail(("%s: option '%s' must be a string like \"10s\" or seconds")
      :format(name, field))
  end
  return seconds or nil
end

local function has_nul(list)
  for i = 1, list and #list or 0 do
    if find(list[i], "\0", 1, true) then
      return true
    end
  end
end

-- Checks all that is the same for run and spawn. Gives what C wants, and the
-- checked options.
local function check_spec(name, known, what)
  if type(what) ~= "table" then
    fail(("%s: a table is needed: { \"program\", \"argument\", ... }")
      :format(name))
  end
  local options = {}
  for key, value in pairs(what) do
    if key ~= "env" then
      options[key] = value
    end
  end
  local o = check_options(name, known, options)
  local spec = {
    argv = check_argv(name, what, o.shell),
    env = check_env(name, what.env, o.clear_env),
    cwd = o.cwd and (in_folder and in_folder(o.cwd) or o.cwd)
      or in_folder and folder or nil,
    stdout = check_word(name, "stdout", o.stdout or "capture"),
    grace = check_seconds(name, "grace", o.grace),
  }
  if has_nul(spec.argv) or has_nul(spec.env)
    or find(spec.cwd or "", "\0", 1, true) then
    return nil, failure(INVALID, name, "an argument has a NUL byte")
  end
  return spec, o
end

-- ---- run -------------------------------------------------------------------

local function run_failure(name, program, result, job)
  local text = run_problem(job)
  local err = failure(result, name,
    program .. ": " .. (text or core.error_text(result)))
  err.stdout, err.stderr = run_result(job)
  return err
end

--- Runs a program to its end. Gives { status, signal, stdout, stderr }.
function process.run(what)
  local spec, o = check_spec("pl.process.run", run_options, what)
  if not spec then
    return nil, o
  end
  spec.input = o.stdin or nil
  spec.stdin = o.stdin and "capture" or "null"
  spec.stderr = check_word("pl.process.run", "stderr", o.stderr or "capture")
  spec.timeout = check_seconds("pl.process.run", "timeout", o.timeout)
  spec.max_output = parse_size(o.max_output or "16m")
  if not spec.max_output then
    fail("pl.process.run: option 'max_output' must be a string like \"1m\" "
      .. "or bytes")
  end
  local job = new_run()
  local result = run(job, spec)
  if result == CANCELED then
    raise("pl.process.run", result)
  elseif result < 0 then
    return nil, run_failure("pl.process.run", spec.argv[1], result, job)
  end
  local out, err, code, signal = run_result(job)
  return { status = code, signal = signal, stdout = out, stderr = err }
end

-- ---- spawn -----------------------------------------------------------------

local Process = { __name = "pl.process.Process" }
Process.__index = Process

--- Starts a program and gives an object to talk to it.
function process.spawn(what)
  local spec, o = check_spec("pl.process.spawn", spawn_options, what)
  if not spec then
    return nil, o
  end
  spec.stdin = check_word("pl.process.spawn", "stdin", o.stdin or "capture")
  spec.stderr = check_word("pl.process.spawn", "stderr", o.stderr or "inherit")
  local child = new_child()
  local result = start(child, spec)
  if result == CANCELED then
    raise("pl.process.spawn", result)
  elseif result < 0 then
    return nil, failure(result, "pl.process.spawn",
      spec.argv[1] .. ": " .. problem(child, result))
  end
  return setmetatable({ child = child, pid = pid(child) }, Process)
end

local function read(self, name, stream, n)
  if n == nil then
    n = BLOCK
  elseif type(n) ~= "number" or floor(n) ~= n or n < 1 then
    fail(name .. ": the number must be a whole number, at least 1")
  end
  local ahead = stream == OUT and core.take_ahead(self, n) or ""
  if ahead ~= "" then
    return ahead
  end
  while true do
    local data = take(self.child, stream, n, name)
    if type(data) == "string" then
      return data ~= "" and data or nil
    elseif data ~= AGAIN then
      return failed(name, data)
    end
    local result = ready(self.child, stream, name)
    if result == CLOSED then
      return nil
    elseif result < 0 then
      return failed(name, result)
    end
  end
end

--- The next bytes of its output as they come, at most n; nil at the end.
function Process:read(n)
  return read(self, "process:read", OUT, n)
end

--- The same of its standard error, if that is captured.
function Process:read_error(n)
  return read(self, "process:read_error", ERR, n)
end

--- An iterator over the lines of its output.
function Process:lines(options)
  return core.lines_of("process:lines", self, function()
    return read(self, "process:lines", OUT)
  end, options)
end

--- Gives it data; waits while it does not read. nil, err (code "closed") when
--- it reads no more.
function Process:write(data)
  check_string("process:write", "the data", data)
  local from = 0
  while from < #data do
    local n = give(self.child, data, from)
    if n >= 0 then
      from = from + n
    elseif n ~= AGAIN then
      return failed("process:write", n)
    else
      local result = ready(self.child, IN, "process:write")
      if result < 0 then
        return failed("process:write", result)
      end
    end
  end
  return true
end

--- The end of its input.
function Process:close_stdin()
  close_stream(self.child, IN)
end

--- Waits for its end. Gives { status, signal }.
function Process:wait()
  local result = wait(self.child)
  if result < 0 then
    return failed("process:wait", result)
  end
  local code, signal = status(self.child)
  return { status = code, signal = signal }
end

--- Sends a signal ["TERM"] to it and to all of its group.
function Process:kill(signal)
  signal = signal or "TERM"
  local number = signal
  if type(signal) == "string" then
    number = signal_number(signal)
  end
  if type(number) ~= "number" or floor(number) ~= number or number < 0
    or number > 64 then
    fail("process:kill: no such signal: " .. tostring(signal))
  end
  local result = kill(self.child, number)
  if result < 0 then
    return failed("process:kill", result)
  end
  return true
end

--- Ends it, if it is not over, and lets go of it.
function Process:close()
  self.ahead = nil
  close(self.child)
end

pl.process = process
