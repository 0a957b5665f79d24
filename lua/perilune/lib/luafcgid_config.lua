-- luafcgid_config.lua - config.lua, as it is written for luafcgid: a program
-- that sets globals, and what they mean here.

local core, pl, c = ...
core.load_part "luafcgid_env"
local failure, in_folder, NOT_FOUND, SYNTAX =
  core.failure, core.in_folder, core.NOT_FOUND, core.SYNTAX
local floor, max, share = math.floor, math.max, core.luafcgid_share
local error, ipairs, next, pairs, rawget, tonumber, tostring, type =
  error, ipairs, next, pairs, rawget, tonumber, tostring, type
local concat, sort = table.concat, table.sort
local setfenv, setupvalue = setfenv, debug.setupvalue
local load_text = loadstring or load

-- Each with its default. What luafcgid has not: protocol, root, index, wait.
local texts = {
  listen = ":9000", headers = "X-Powered-By: Lua\r\n", handler = "main",
  httpstatus = "200 OK", contenttype = "text/html", logfile = false,
  protocol = "fastcgi", root = false, index = "index.lua index.html",
}
local counts = {
  backlog = -1, workers = false, states = 5, clones = false, sweep = 1000,
  maxpost = 1048576, wait = 30000,
}
local flags = { showerrors = true, buffering = true }

local without_effect = {
  retries = "who needs a state waits for one",
  headersize = "buffers grow by themselves",
  bodysize = "buffers grow by themselves",
  watchdog = "see docs/watchdog.md for perilune's", maxcount = "there is none",
}

-- ---- reading ---------------------------------------------------------------

local function note(config, level, text, ...)
  if c.tells() then
    pl.log[level](config.file .. ": " .. text:format(...))
  end
end

local readers = {
  string = function(value)
    return (type(value) == "string" or type(value) == "number")
      and tostring(value) or nil
  end,
  number = function(value)
    value = tonumber(value)
    return value and floor(value) == value and value >= -1 and value < 2 ^ 31
      and value or nil
  end,
  boolean = function(value)
    if type(value) == "boolean" then
      return value
    end
  end,
}

local wanted = { string = "a string", number = "a whole number",
  boolean = "true or false" }

local function read_kind(config, globals, kind, rows)
  for key, default in pairs(rows) do
    local value = rawget(globals, key)
    local good = default
    if value ~= nil then
      good = readers[kind](value)
      if good == nil then
        note(config, "warn", "%s must be %s, not %s: the default is used", key,
          wanted[kind], tostring(value))
        good = default
      end
    end
    config[key] = good
  end
end

-- Global names that say nothing to us. Functions are the program's own.
local function note_unknown(config, globals, before)
  local names = {}
  for key, value in pairs(globals) do
    if before[key] == nil and type(value) ~= "function"
      and texts[key] == nil and counts[key] == nil and flags[key] == nil
      and not without_effect[key] and key ~= "daemonize" then
      names[#names + 1] = tostring(key)
    end
  end
  sort(names)
  if next(names) then
    note(config, "warn", "not known here: %s", concat(names, ", "))
  end
end

local function note_effects(config, globals)
  for key, why in pairs(without_effect) do
    if rawget(globals, key) ~= nil then
      note(config, "info", "%s has no effect: %s", key, why)
    end
  end
  if rawget(globals, "daemonize") then
    note(config, "warn", "daemonize: perilune stays in the foreground; a "
      .. "service manager, or &, puts it into the background")
  end
end

-- Runs the file in globals of its own. Gives these, and what they were before.
local function run(path)
  local chunk, err = core.loadfile(path)
  if not chunk then
    error(failure(err:find "^cannot " and NOT_FOUND or SYNTAX, nil, err), 0)
  end
  local globals, before = core.luafcgid_environment(core.folder .. "/"), {}
  for key in pairs(globals) do
    before[key] = true
  end
  if setfenv then
    setfenv(chunk, globals)
  else
    setupvalue(chunk, 1, globals)
  end
  chunk()
  return globals, before
end

-- ---- what it means ---------------------------------------------------------

-- "X-A: 1\r\nX-B: 2\r\n" -> { { "X-A", "1" }, { "X-B", "2" } }
local function read_headers(config)
  local fields = {}
  for line in config.headers:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^:]*):%s*(.-)%s*$"
    if name and core.luafcgid_is_field(name, value) then
      fields[#fields + 1] = { name, value }
    else
      note(config, "warn", "headers: '%s' is no field", line)
    end
  end
  return fields
end

-- "host:port", ":port", or the path of a UNIX socket; and what pl.listen knows.
local function address_of(text)
  if text:find ":%d+$" or text:find "^systemd" or text:find "^unix:"
    or text:find "^fd:" then
    return text
  end
  return "unix:" .. in_folder(text)
end

local function is_open(address)
  return not (address:find "^unix:" or address:find "^fd:"
    or address:find "^systemd" or address:find "^127%."
    or address:find "^localhost:" or address:find "^%[::1%]:")
end

local function listen(config)
  local address = address_of(config.listen)
  local fastcgi = config.protocol == "fastcgi"
  if config.protocol ~= "fastcgi" and config.protocol ~= "http" then
    error(failure(SYNTAX, nil, ("%s: protocol must be \"fastcgi\" or \"http\", "
      .. "not \"%s\""):format(config.file, config.protocol)), 0)
  end
  if fastcgi and not config.root and is_open(address) then
    note(config, "warn", "whoever reaches %s may run any file of this machine "
      .. "as a script; set root = \"/srv/www\", say, or listen = "
      .. "\"127.0.0.1:9000\"", address)
  end
  pl.listen { address, protocol = fastcgi and "fastcgi" or nil,
    backlog = config.backlog > 0 and config.backlog or nil }
end

local function set_process(config)
  local workers = config.workers
  if workers and workers > 0 then
    pl.set { workers = workers }
  end
  if config.logfile then
    pl.set { error_log = in_folder(config.logfile) }
  end
end

-- What pl.luafcgid() would be given.
local function options_of(config)
  local states = share(config.states)
  if config.workers and config.states < config.workers then
    note(config, "warn", "states = %d is less than workers = %d: there are %d",
      config.states, config.workers, config.workers)
  end
  return {
    root = config.root or "/", anywhere = not config.root,
    states = states, clones = share(config.clones or config.workers or 3),
    sweep = max(config.sweep, 10) / 1000,
    wait = max(config.wait, 0) / 1000,
    show_errors = config.showerrors, buffering = config.buffering,
    headers = read_headers(config), handler = config.handler,
    status = config.httpstatus, type = config.contenttype,
    max_body = config.maxpost, index = config.index, config = config,
  }
end

--- Reads the file at path; without one, the defaults hold for scripts below
--- folder. Listens, sets what is of the process, and gives the options for the
--- scripts, and a function that calls another one as if the file did.
function core.luafcgid_config(path, folder)
  local config = { file = path or folder }
  local globals, before = {}, {}
  if path then
    globals, before = run(path)
  end
  read_kind(config, globals, "string", texts)
  read_kind(config, globals, "number", counts)
  read_kind(config, globals, "boolean", flags)
  if path then
    note_unknown(config, globals, before)
    note_effects(config, globals)
  else
    config.root = folder
    note(config, "notice", "there is no config.lua: defaults, for scripts in "
      .. "this folder")
  end
  local at = load_text("local fn = ... fn()", "@" .. config.file)
  at(function()
    listen(config)
    set_process(config)
  end)
  return options_of(config), at
end
