-- magnet_cache.lua - scripts that were compiled: magnet.cache, which scripts
-- may read and change.
--
--     magnet.cache["/srv/www/a.lua"] = { script = fn, mtime = 1700000000,
--       hits = 0 }
--
-- An entry is good as long as its file has the mtime that stands in it; then
-- hits grows by one with each use. Otherwise it is replaced. So a script that
-- takes an entry away, or changes its mtime, has the file compiled anew; one
-- that changes its function has that one run instead.
--
-- A run needs a function whose globals are its own. While a script waits,
-- another request may want the same one: that gets a function of its own,
-- compiled from the same text, which is kept for the next time.

local core, _, c = ...
local read_now, read_job, is_current, modified =
  c.load, c.load_job, c.is_current, c.modified
local failure, now = core.failure, core.now
local AGAIN, SYNTAX = core.AGAIN, core.SYNTAX
local error, getupvalue, load, setfenv, setmetatable, tonumber, type,
  upvaluejoin = error, debug.getupvalue, load, setfenv, setmetatable, tonumber,
  type, debug.upvaluejoin
local gsub = string.gsub

c.open(c)

local SPARE = 16 -- functions of one script that are kept

-- The global of scripts.
local magnet = { cache = {} }
core.magnet = magnet

-- A script may put another table in its place.
local function cache_now()
  if type(magnet.cache) ~= "table" then
    magnet.cache = {}
  end
  return magnet.cache
end

-- The Script of each path: what is known beside what scripts see.
local known = {}

-- ---- globals ---------------------------------------------------------------

-- Lua 5.1: of the function, and of those that it makes from now on.
local set_environment = setfenv and function(fn, env)
  setfenv(fn, env)
end

-- Later Luas: an upvalue, which the functions that it has made share with it.
-- They keep the one of their run.
local function keeper(env)
  return function()
    return env
  end
end

core.magnet_set_environment = set_environment or function(fn, env)
  local i, name = 1, getupvalue(fn, 1)
  while name and name ~= "_ENV" do
    i = i + 1
    name = getupvalue(fn, i)
  end
  if name then
    upvaluejoin(fn, i, keeper(env), 1)
  end
end

-- ---- one script ------------------------------------------------------------

local Script = {}
Script.__index = Script

-- The first line of a file may say who runs it; bytecode is not taken.
local function compile(path, text)
  local fn, err = load(gsub(gsub(text, "^\239\187\191", ""), "^#[^\n]*", ""),
    "@" .. path, "t")
  if not fn then
    error(failure(SYNTAX, nil, err), 0)
  end
  return fn
end

--- A function that runs the script, for nobody else until it is given back.
function Script:take()
  local fn = self.entry.script
  if fn ~= self.main then
    return fn -- somebody has put it there
  elseif self.spare == 0 then
    return compile(self.path, self.text)
  end
  fn = self[self.spare]
  self.spare = self.spare - 1
  return fn
end

function Script:give(fn)
  if self.spare < SPARE and self.entry.script == self.main then
    self.spare = self.spare + 1
    self[self.spare] = fn
  end
end

local function new_script(path, text, state, mtime, rest)
  local fn = compile(path, text)
  local self = setmetatable({ path = path, text = text, state = state,
    mtime = mtime, rest = rest, main = fn, fn, spare = 1, due = 0 }, Script)
  self.entry = { script = fn, mtime = mtime, hits = 0 }
  return self
end

-- The script of an entry that is there and that nobody has spoilt.
local function script_of(path)
  local self = known[path]
  local entry = self and self.entry
  if self and cache_now()[path] == entry and entry.mtime == self.mtime
    and type(entry.script) == "function" then
    return self
  end
end

local function put(path, self)
  known[path] = self
  cache_now()[path] = self and self.entry
end

local function use(self)
  self.entry.hits = (tonumber(self.entry.hits) or 0) + 1
  return self
end

-- ---- the scripts of a folder -----------------------------------------------

local Folder = {}
Folder.__index = Folder

-- Gives text and state, or nil and a code. Waits if it must.
local function read(root, path)
  local text, state = read_now(root, path)
  if not text and state == AGAIN then
    text, state = c.run_job(read_job(root, path))
  end
  if not text and type(state) == "table" then
    state = state[1] -- there was no thread for it
  end
  return text, state
end

-- A file that was written a moment ago may change again without a sign: its
-- text is looked at, too.
local function is_same(self, text, mtime, rest)
  return self.mtime == mtime and self.rest == rest and self.text == text
end

local function refresh(self, path, full)
  local text, state = read(self.root, path)
  if not text then
    put(full, nil)
    return nil, state
  end
  local mtime, rest = modified(state)
  local script = script_of(full)
  if script and is_same(script, text, mtime, rest) then
    script.state = state
    return use(script)
  end
  put(full, nil) -- also if it does not compile
  script = new_script(full, text, state, mtime, rest)
  put(full, script)
  c.note(full)
  return script
end

--- The script of a file below the folder; or nil and a code. Raises what is
--- wrong with its text. Waits if it must.
function Folder:find(path)
  local full = self.name .. path
  local script = script_of(full)
  if script and (now() < script.due
    or is_current(self.root, path, script.state)) then
    script = use(script)
  else
    local code
    script, code = refresh(self, path, full)
    if not script then
      return nil, code
    end
  end
  script.due = now() + self.check
  return script
end

--- name: the folder, with a slash at its end; check: for so many seconds a look
--- at a file is good.
function core.magnet_folder(name, check)
  local root, err = c.root(name)
  if not root then
    core.fail("pl.magnet: " .. err)
  end
  return setmetatable({ root = root, name = name, check = check }, Folder)
end
