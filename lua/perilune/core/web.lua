-- web.lua - what a site says of itself: routes, filters, listeners, settings.
-- Everything here records while the site is loaded; nothing starts. The first
-- part is how handlers and filters run.

local core, pl = ...
local begin_request, begin_both, begin_filter, respond =
  core.begin_request, core.begin_both, core.begin_filter, core.respond
local next_step, next_result, next_respond, next_failed =
  core.next, core.next_result, core.next_respond, core.next_failed
local route, use, enter, leave = core.route, core.use, core.enter, core.leave
local listen, set, set_header, static =
  core.listen, core.set, core.set_header, core.static
local fail, check_function, is_loading =
  core.fail, core.check_function, core.is_loading
local check_string, check_options = core.check_string, core.check_options
local raise, traced, describe, report =
  core.raise, core.traced, core.describe, core.report
local getinfo, sort = debug.getinfo, table.sort
local error, pairs, pcall, setmetatable, tostring, type, xpcall =
  error, pairs, pcall, setmetatable, tostring, type, xpcall

-- ---- running ---------------------------------------------------------------

function core.run_request(fn)
  return respond(fn(begin_request()))
end

function core.run_both(fn)
  return respond(fn(begin_both()))
end

local new_next

local function run_inner(fn, req, res, call)
  if call then
    return next_respond(req, call, fn(req, res, new_next(req, res, call)))
  end
  return next_respond(req, nil, fn(req, res))
end

-- The next function of the chain in this task. Its error becomes the response,
-- as it would in a task of its own.
local function run_here(fn, req, res, call)
  local ok, err = xpcall(run_inner, traced, fn, req, res, call)
  if not ok then
    local tell, result = next_failed(req, call, err)
    if tell then
      report(describe(err))
    end
    if result < 0 then
      raise("next", result)
    end
  end
end

-- The `next` of a filter. Scripts may keep it: C checks req before it looks at
-- call.
function new_next(req, res, call)
  return function()
    local fn, inner = next_step(req, call)
    if type(fn) == "function" then
      return run_here(fn, req, res, inner)
    elseif fn ~= 0 then
      local result = next_result(req, fn)
      if result < 0 then
        raise("next", result)
      end
    end
  end
end

function core.run_filter(fn)
  local req, res, call = begin_filter()
  return respond(fn(req, res, new_next(req, res, call)))
end

-- A handler that takes the request only gets no response object.
local function wants_response(fn)
  local info = getinfo(fn, "u")
  return info.isvararg or info.nparams ~= 1
end

-- ---- routes ----------------------------------------------------------------

local route_options = {
  expires = "duration", cache_control = "text", max_body = "size",
  max_upload = "size", body_spool = "size", body_rate = "size",
  budget = "budget",
  max_form_fields = "count", max_parts = "count",
}

local inherited = {} -- options of the groups around

local function check_loading(call)
  if not is_loading() then
    fail(call .. ": only while the site is loaded")
  end
end

-- (fn) or (options, fn)
local function options_and_function(call, options, fn)
  if fn == nil then
    options, fn = nil, options
  end
  check_function(call, fn)
  options = check_options(call, route_options, options)
  return setmetatable(options, { __index = inherited }), fn
end

local function add_route(call, methods, pattern, options, fn)
  check_loading(call)
  check_string(call, "the path", pattern)
  options, fn = options_and_function(call, options, fn)
  route(call, methods, pattern, fn, wants_response(fn),
    options.expires, options.cache_control, options)
end

--- pl.get(path, [options,] fn) and so on: fn(req, res). What it returns is the
--- response: nothing; body; status; status, body; status, body, headers. A
--- string body is text (HTML if it begins with "<"), a table is JSON. nil, err
--- is an error. options: expires, cache_control, and for bodies max_body,
--- max_upload, body_spool, body_rate, max_form_fields, max_parts. budget =
--- { wall = "2s", cpu = "100ms", memory = "10m" } ends what takes more by 503.
local function method_function(method)
  local call = "pl." .. method
  return function(pattern, options, fn)
    add_route(call, method, pattern, options, fn)
  end
end

pl.get, pl.post, pl.put = method_function("get"), method_function("post"),
  method_function("put")
pl.patch, pl.delete, pl.head = method_function("patch"),
  method_function("delete"), method_function("head")
pl.options, pl.any = method_function("options"), method_function("any")

--- pl.route("GET POST", path, [options,] fn)
function pl.route(methods, pattern, options, fn)
  check_string("pl.route", "the list of methods", methods)
  add_route("pl.route", methods, pattern, options, fn)
end

--- pl.use(fn): fn(req, res, next) runs around the routes that are added after
--- it in the same scope. next() runs the rest and returns when its answer has
--- been built; a filter that does not call it answers itself.
function pl.use(fn)
  check_loading("pl.use")
  check_function("pl.use", fn)
  use("pl.use", fn)
end

local function scope(call, host, prefix, options, fn)
  local outer = inherited
  enter(call, host, prefix)
  inherited = options
  local ok, err = pcall(fn)
  inherited = outer
  leave()
  if not ok then
    error(err, 0)
  end
end

--- pl.host("a.example", [options,] fn): the routes that fn adds are for this
--- host only; "*.example" is for all hosts below it. options are those of the
--- routes.
function pl.host(name, options, fn)
  check_loading("pl.host")
  check_string("pl.host", "the name", name)
  options, fn = options_and_function("pl.host", options, fn)
  if name == "" then
    fail("pl.host: the name is empty")
  end
  scope("pl.host", name, "", options, fn)
end

--- pl.group("/admin", [options,] fn): the routes that fn adds are below the
--- prefix, and the filters it uses are for them only.
function pl.group(prefix, options, fn)
  check_loading("pl.group")
  check_string("pl.group", "the prefix", prefix)
  options, fn = options_and_function("pl.group", options, fn)
  scope("pl.group", "", prefix, options, fn)
end

-- Paths in a site are relative to its folder.
function core.in_folder(path)
  if path:find("^/") or not core.folder then
    return path
  end
  return core.folder .. "/" .. path
end

local static_options = {
  root = "text", index = "names", fallback = "text", not_found = "text",
  symlinks = "text", cache = "duration", preload = "flag_or_size",
  precompressed = "flag", dot_files = "flag", expires = "duration",
  cache_control = "text", listing = "flag_or_text",
}

--- pl.static(prefix, { root = "public", index = "index.html", fallback,
--- not_found, symlinks = "inside", cache = "1s", preload = false,
--- precompressed = true, dot_files = false, listing = false, expires,
--- cache_control })
--- index: a name or a list of names; false: no index files. cache = false: the
--- disk is asked each time.
function pl.static(prefix, options)
  check_loading("pl.static")
  check_string("pl.static", "the prefix", prefix)
  options = check_options("pl.static", static_options, options)
  check_string("pl.static", "option 'root'", options.root)
  local index, cache, listing =
    options.index, options.cache, options.listing
  if type(listing) == "string" then
    listing = core.in_folder(listing)
  end
  setmetatable(options, { __index = inherited })
  static("pl.static", prefix, core.in_folder(options.root),
    index == false and "" or index, options.fallback or nil,
    options.not_found or nil, options.symlinks or nil,
    cache == false and "0" or cache, options.preload, options.dot_files,
    options.precompressed == false, options.expires, options.cache_control,
    listing)
end

-- ---- listeners and settings ------------------------------------------------

--- pl.listen { ":8080", "[::1]:8080", "unix:/run/site.sock", backlog = 511 }
function pl.listen(addresses)
  check_loading("pl.listen")
  if type(addresses) == "string" then
    addresses = { addresses }
  end
  if not listen(addresses) then
    if not core.check_listen then
      core.load_listen()
    end
    listen(addresses, core.check_listen(addresses))
  end
end

local function set_headers(headers)
  if type(headers) ~= "table" then
    fail("pl.set: headers must be a table")
  end
  local names = {}
  for name in pairs(headers) do
    check_string("pl.set: headers", "a name", name)
    names[#names + 1] = name
  end
  sort(names) -- they are sent in this order, always the same
  for i = 1, #names do
    local value = headers[names[i]]
    if type(value) == "number" then
      value = tostring(value)
    end
    check_string("pl.set: headers", "'" .. names[i] .. "'", value)
    set_header(names[i], value)
  end
end

-- watchdog = { warn = "5s" } is watchdog_warn = "5s".
local nested = { budget = true, watchdog = true }

local function set_group(group, settings)
  for name, value in pairs(settings) do
    check_string("pl.set: " .. group, "the name of a setting", name)
    set(group .. "_" .. name, value)
  end
end

--- pl.set { max_body = "1m", headers = { ["x-frame-options"] = "DENY" } }
function pl.set(settings)
  check_loading("pl.set")
  if type(settings) ~= "table" then
    fail("pl.set: a table is needed, as in { max_body = \"1m\" }")
  end
  for name, value in pairs(settings) do
    check_string("pl.set", "the name of a setting", name)
    if name == "headers" then
      set_headers(value)
    elseif name == "error_pages" and type(value) == "string" then
      set(name, core.in_folder(value))
    elseif name == "temp_folder" and type(value) == "string" then
      set(name, core.in_folder(value))
    elseif nested[name] and type(value) == "table" then
      set_group(name, value)
    else
      set(name, value)
    end
  end
end
