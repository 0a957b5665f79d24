-- web.lua - what a site says of itself: routes, filters, listeners, settings.
-- Everything here records while the site is loaded; nothing starts.

local core, pl = ...
local objects, respond, next_step = core.objects, core.respond, core.next
local route, use, enter, leave = core.route, core.use, core.enter, core.leave
local listen, set, set_header, static =
  core.listen, core.set, core.set_header, core.static
local fail, check_function, is_loading =
  core.fail, core.check_function, core.is_loading
local raise, failure = core.raise, core.failure
local error, ipairs, pairs, pcall, tostring, type =
  error, ipairs, pairs, pcall, tostring, type

-- ---- running ---------------------------------------------------------------

local function run_handler(fn, call)
  return respond(call, fn(objects(call)))
end

local function run_filter(fn, call)
  local req, res = objects(call)
  local function next()
    local result = next_step(call)
    if result < 0 then
      raise("next", result)
    end
  end
  return respond(call, fn(req, res, next))
end

-- ---- checks ----------------------------------------------------------------

local function check_loading(call)
  if not is_loading() then
    fail(call .. ": only while the site is loaded")
  end
end

local function check_string(call, what, value)
  if type(value) ~= "string" then
    fail(("%s: %s must be a string, not a %s"):format(call, what, type(value)))
  end
end

-- (fn) or (options, fn)
local function options_and_function(call, known, options, fn)
  if fn == nil then
    options, fn = nil, options
  end
  check_function(call, fn)
  if options == nil then
    return {}, fn
  end
  if type(options) ~= "table" then
    fail(call .. ": options must be a table, not a " .. type(options))
  end
  for name in pairs(options) do
    if not known[name] then
      fail(("%s: unknown option '%s'"):format(call, tostring(name)))
    end
  end
  return options, fn
end

-- ---- routes ----------------------------------------------------------------

local route_options = { expires = true, cache_control = true, max_body = true }

local function add_route(call, methods, pattern, options, fn)
  check_loading(call)
  check_string(call, "the path", pattern)
  options, fn = options_and_function(call, route_options, options, fn)
  route(methods, pattern, fn, run_handler, options)
end

--- pl.get(path, [options,] fn) and so on: fn(req, res). What it returns is the
--- response: nothing; body; status; status, body; status, body, headers. A
--- string body is text (HTML if it begins with "<"), a table is JSON.
--- options: expires, cache_control, max_body.
for _, method in ipairs {
  "get", "post", "put", "patch", "delete", "head", "options", "any",
} do
  pl[method] = function(pattern, options, fn)
    add_route("pl." .. method, method, pattern, options, fn)
  end
end

--- pl.route("GET POST", path, [options,] fn)
function pl.route(methods, pattern, options, fn)
  check_string("pl.route", "the methods", methods)
  add_route("pl.route", methods, pattern, options, fn)
end

--- pl.use(fn): fn(req, res, next) runs around the routes that are added after
--- it in the same scope. next() runs the rest and returns when its answer has
--- been built; a filter that does not call it answers itself.
function pl.use(fn)
  check_loading("pl.use")
  check_function("pl.use", fn)
  use(fn, run_filter)
end

local function scope(host, prefix, fn)
  enter(host, prefix)
  local ok, err = pcall(fn)
  leave()
  if not ok then
    error(err, 0)
  end
end

--- pl.host("a.example", fn): the routes that fn adds are for this host only;
--- "*.example" is for all hosts below it.
function pl.host(name, fn)
  check_loading("pl.host")
  check_string("pl.host", "the name", name)
  check_function("pl.host", fn)
  scope(name, "", fn)
end

--- pl.group("/admin", fn): the routes that fn adds are below the prefix, and
--- the filters it uses are for them only.
function pl.group(prefix, options, fn)
  check_loading("pl.group")
  check_string("pl.group", "the prefix", prefix)
  options, fn = options_and_function("pl.group", {}, options, fn)
  scope("", prefix, fn)
end

-- Paths in a site file are relative to its folder.
local function in_folder(path)
  if path:find("^/") or not core.folder then
    return path
  end
  return core.folder .. "/" .. path
end

local static_options = {
  root = true, index = true, dot_files = true, follow_links = true,
  expires = true, cache_control = true,
}

--- pl.static(prefix, { root = "public", index = "index.html",
--- dot_files = false, follow_links = false, expires, cache_control })
function pl.static(prefix, options)
  check_loading("pl.static")
  check_string("pl.static", "the prefix", prefix)
  if type(options) ~= "table" then
    fail("pl.static: a table with root is needed")
  end
  for name in pairs(options) do
    if not static_options[name] then
      fail(("pl.static: unknown option '%s'"):format(tostring(name)))
    end
  end
  check_string("pl.static", "root", options.root)
  static(prefix, in_folder(options.root), options)
end

-- ---- listeners and settings ------------------------------------------------

local listen_options = {
  backlog = true, reuseport = true, mode = true, v6only = true,
}

--- pl.listen { ":8080", "[::1]:8080", "unix:/run/site.sock", backlog = 511 }
function pl.listen(options)
  check_loading("pl.listen")
  if type(options) == "string" then
    options = { options }
  elseif type(options) ~= "table" then
    fail("pl.listen: an address or a table is needed")
  end
  for name in pairs(options) do
    if type(name) ~= "number" and not listen_options[name] then
      fail(("pl.listen: unknown option '%s'"):format(tostring(name)))
    end
  end
  if #options == 0 then
    fail("pl.listen: an address is needed, as in { \":8080\" }")
  end
  for i = 1, #options do
    check_string("pl.listen", "the address", options[i])
    listen(options[i], options)
  end
end

--- pl.set { max_body = "1m", headers = { ["x-frame-options"] = "DENY" } }
function pl.set(settings)
  check_loading("pl.set")
  if type(settings) ~= "table" then
    fail("pl.set: a table is needed, not a " .. type(settings))
  end
  for name, value in pairs(settings) do
    if type(name) ~= "string" then
      fail("pl.set: settings have names: { max_body = \"1m\" }")
    elseif name == "headers" then
      if type(value) ~= "table" then
        fail("pl.set: headers must be a table")
      end
      for header, text in pairs(value) do
        set_header(header, tostring(text))
      end
    else
      set(name, value)
    end
  end
end
