-- luafcgid_script.lua - the files of scripts: found below a root, read, made
-- the globals of a state, and looked at again.

local core, _, c = ...
local failure, is_canceled, traced =
  core.failure, core.is_canceled, core.traced
local AGAIN, DENIED, LIMIT, NOT_FOUND =
  core.AGAIN, core.DENIED, core.LIMIT, core.NOT_FOUND
local error, load, setmetatable, tostring, type, xpcall =
  error, load, setmetatable, tostring, type, xpcall
local find, gsub, match, sub = string.find, string.gsub, string.match,
  string.sub

c.open(c)
core.load_part "luafcgid_env"

local Scripts = {}
Scripts.__index = Scripts

--- Scripts below the folder root, which is named real when all links are
--- followed; both are absolute, with a slash at their end. Gives nil and a text
--- if it cannot be opened.
function core.luafcgid_scripts(root, real)
  local opened, err = c.root(root)
  if not opened then
    return nil, err
  end
  return setmetatable({ root = opened, prefixes = { root, real } }, Scripts)
end

-- A file's path below the root, or nil.
local function below(self, name)
  for i = 1, 2 do
    local prefix = self.prefixes[i]
    if sub(name, 1, #prefix) == prefix then
      return sub(name, #prefix + 1)
    end
  end
end

-- ---- faults ----------------------------------------------------------------

-- What goes wrong with a script: kind, as luafcgid has it; text; status.
local function fault(kind, err, status)
  return { kind = kind, err = err, status = status or 500 }
end

function core.luafcgid_run_fault(err)
  if err == "not enough memory" then
    return fault("Memory Error", err, 503)
  end
  return fault("Runtime Error", err)
end

local function file_fault(name, code)
  if code == NOT_FOUND then
    return fault("Not Found", name, 404)
  elseif code == LIMIT then
    return fault("File Error", name .. " is longer than 1 MiB")
  end
  return fault("File Error", name .. ": " .. tostring(failure(code)))
end

-- ---- reading ---------------------------------------------------------------

-- Gives text and state, or nil and a code. Waits if it must.
local function read(self, name)
  local path = below(self, name)
  if not path then
    return nil, NOT_FOUND
  end
  local text, state = c.load(self.root, path, true)
  if not text and state == AGAIN then
    text, state = c.run_job(c.load_job(self.root, path))
  end
  if not text and type(state) == "table" then
    state = state[1] -- there was no thread for it
  elseif text == "" then
    return nil, NOT_FOUND -- as luafcgid: an empty file is none
  end
  return text, state
end

-- As luafcgid: the text is run once, and what it sets stays.
local function run(name, text)
  local env = core.luafcgid_environment(match(name, "^.*/"))
  local chunk, err = load(gsub(text, "^#[^\n]*", "", 1), "@" .. name, "t", env)
  if not chunk then
    return nil, fault("Syntax Error", err)
  end
  local ok, raised = xpcall(chunk, traced)
  if ok then
    return env
  elseif is_canceled(raised) then
    error(raised, 0)
  end
  return nil, core.luafcgid_run_fault(raised)
end

--- For the pool: globals for a new state of script. The pool is told when the
--- file is not what other states were made of.
function Scripts:load(script, pool)
  local text, state = read(self, script.name)
  if not text then
    return nil, file_fault(script.name, state)
  end
  local before = script.text
  if before and not (text == before and c.is_same(state, script.state)) then
    pool:outdate(script)
  end
  script.text, script.state = text, state
  return run(script.name, text)
end

-- What the disk says of a file; with anything else it is what it was.
local is_answer = { [NOT_FOUND] = true, [DENIED] = true, [LIMIT] = true }

--- For the pool: has the file of a script changed, or was it touched? Who edits
--- a module touches the script that uses it.
function Scripts:changed(script)
  local path, before = below(self, script.name), script.state
  if not before or c.is_current(self.root, path, before) then
    return false
  end
  local text, state = read(self, script.name)
  if not text then
    return is_answer[state] or false
  elseif script.state ~= before then
    return false -- a clone was loaded meanwhile
  end
  local same = text == script.text and c.is_same(state, before)
  script.text, script.state = text, state
  return not same
end

-- ---- which one is meant ----------------------------------------------------

-- Apache's mod_proxy_fcgi writes where it sends a request in front of the path.
local function clean(name)
  if find(name, "^proxy:") then
    name = match(name, "^proxy:.-fcgi://[^/]*(/[^?]*)") or name
  end
  return name
end

core.luafcgid_clean = clean
