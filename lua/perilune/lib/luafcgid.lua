-- luafcgid.lua - pl.luafcgid: scripts of luafcgid's, unchanged. Loaded when a
-- site uses it, or by `perilune --dialect luafcgid`.
--
-- What one folder of scripts needs is in a table, its options and its pool in
-- this worker; in reading order:
--
--     luafcgid_config.lua   config.lua, as options
--     luafcgid_serve.lua    which script answers a request, and how
--     luafcgid_pool.lua     states of scripts: which there are, who uses them
--     luafcgid_script.lua   files of scripts: read, and looked at again
--     luafcgid_env.lua      the globals of a state
--     luafcgid_con.lua      the object that scripts answer with
--     luafcgid_library.lua  modules that they find without a file

local core, pl, c = ...
local load_part = core.load_part
core.is_framing = c.is_framing
load_part "luafcgid_con"
load_part "luafcgid_pool"
load_part "luafcgid_script"
load_part "luafcgid_serve"
local check_loading, check_string, check_options, fail =
  core.check_loading, core.check_string, core.check_options, core.fail
local ipairs, pairs, setmetatable, tonumber, tostring, type =
  ipairs, pairs, setmetatable, tonumber, tostring, type
local ceil, find, max, sort = math.ceil, string.find, math.max, table.sort

-- What one worker may have, of a number for the process.
local function share(number)
  return ceil(max(number, 1) / max(core.workers, 1))
end

core.luafcgid_share = share

-- ---- mounting --------------------------------------------------------------

local function new_pool(self, scripts)
  local pool
  pool = core.luafcgid_pool({ states = self.states, clones = self.clones,
    wait = self.wait }, {
    load = function(script)
      return scripts:load(script, pool)
    end,
    changed = function(script)
      return scripts:changed(script)
    end,
    is_over = core.luafcgid_is_over,
  })
  return pool
end

local function words(text)
  local list = {}
  for word in text:gmatch "%S+" do
    list[#list + 1] = word
  end
  return list
end

-- A folder as web servers may name it: as it is written, and with all links
-- followed; absolute, with a slash at its end.
local function absolute(call, root)
  local real, err = pl.fs.realpath(root)
  if not real then
    fail(("%s: cannot open the folder '%s': %s"):format(call, root,
      err.message))
  elseif not find(root, "^/") then
    root = root == "." and real or pl.fs.realpath "." .. "/" .. root
  end
  root, real = root:gsub("/*$", "/", 1), real:gsub("/*$", "/", 1)
  return root, real
end

-- o: options, checked and with their defaults.
local function mount(call, prefix, o)
  local root, real = absolute(call, o.root)
  local scripts, err = core.luafcgid_scripts(root, real)
  if not scripts then
    fail(call .. ": " .. err)
  end
  local self = {
    root = root, document_root = root:gsub("(.)/$", "%1"),
    anywhere = o.anywhere, index = words(o.index),
    states = o.states, clones = o.clones, wait = o.wait,
    show_errors = o.show_errors, buffering = o.buffering,
    handler = o.handler, type = o.type,
    status = core.luafcgid_status(o.status) or 200,
    names = {}, values = {}, config = o.config,
  }
  for i, field in ipairs(o.headers) do
    self.names[i], self.values[i] = field[1], field[2]
  end
  self.pool = new_pool(self, scripts)
  core.route(call, "any", prefix, core.luafcgid_handler(self), true, nil, nil,
    { max_body = tostring(o.max_body) }, true)
  pl.every(o.sweep, function()
    self.pool:beat(o.sweep)
  end, { each_worker = true, name = "luafcgid " .. prefix })
end

-- ---- as a part of a site ---------------------------------------------------

local known = {
  root = "text", index = "words", states = "count", clones = "count",
  sweep = "duration", wait = "duration", show_errors = "flag",
  buffering = "flag", headers = "fields", handler = "text", status = "text",
  type = "text", max_body = "size",
}
for i = 1, #core.filter_options do
  known[core.filter_options[i]] = "any"
end

local function seconds(call, o, name, default)
  if not o[name] then
    return default
  end
  local value = core.parse_seconds(tonumber(o[name]) or o[name])
  if not value then
    fail(("%s: option '%s' must be a duration like \"5s\""):format(call, name))
  end
  return value
end

-- { ["X-A"] = "1" } -> { { "X-A", "1" } }, always in the same order
local function fields_of(call, headers)
  local fields = {}
  for name, value in pairs(headers or { ["X-Powered-By"] = "Lua" }) do
    check_string(call, "a name in option 'headers'", name)
    check_string(call, "'" .. name .. "' in option 'headers'", value)
    if not core.luafcgid_is_field(name, value) then
      fail(("%s: option 'headers': '%s' cannot be set"):format(call, name))
    end
    fields[#fields + 1] = { name, value }
  end
  sort(fields, function(a, b)
    return a[1] < b[1]
  end)
  return fields
end

local function with_defaults(call, given)
  local o = check_options(call, known, given)
  check_string(call, "option 'root'", o.root)
  local clones = o.clones or 3
  o.states, o.clones = share(o.states or 5), share(clones)
  o.sweep = max(seconds(call, o, "sweep", 1), 0.01)
  o.wait = seconds(call, o, "wait", 30)
  o.show_errors = o.show_errors or false
  o.buffering = given.buffering ~= false
  o.headers = fields_of(call, o.headers)
  o.handler, o.type = o.handler or "main", o.type or "text/html"
  o.status = o.status or "200"
  o.max_body, o.index = o.max_body or "1m", o.index or "index.lua index.html"
  o.config = {}
  return setmetatable(o, { __index = core.inherited })
end

--- pl.luafcgid(prefix, { root = "scripts", states = 5, clones = 3, sweep =
--- "1s", wait = "30s", show_errors = false, buffering = true, headers, handler
--- = "main", status = "200", type = "text/html", max_body = "1m", index =
--- "index.lua index.html" }), and filters as routes have them: scripts of
--- luafcgid's below a folder. Waits.
function pl.luafcgid(prefix, options)
  local call = "pl.luafcgid"
  check_loading(call)
  local asked = prefix == nil and c.asked()
  if asked then
    load_part "luafcgid_config"
    local o, at = core.luafcgid_config(asked.file, core.folder)
    at(function()
      mount(call, "/", o)
    end)
    return
  end
  check_string(call, "the prefix", prefix)
  local o = with_defaults(call, options)
  core.around(call, o, mount, call, prefix, o)
end
