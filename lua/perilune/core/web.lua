-- web.lua - what a site says of itself: routes and listeners. Everything here
-- records while the site is loaded; nothing starts. Filters, groups, static
-- files and settings are in parts of their own (lib/filter.lua and so on). The
-- first part is how handlers run.

local core, pl = ...
local begin_request, begin_both, respond =
  core.begin_request, core.begin_both, core.respond
local route, listen = core.route, core.listen
local fail, check_function, is_loading =
  core.fail, core.check_function, core.is_loading
local check_string, check_options = core.check_string, core.check_options
local getinfo, rawget, setmetatable, type =
  debug.getinfo, rawget, setmetatable, type

-- ---- running ---------------------------------------------------------------

function core.run_request(fn)
  return respond(fn(begin_request()))
end

function core.run_both(fn)
  return respond(fn(begin_both()))
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

core.route_options = route_options
-- Options that are filters, in the order in which they run.
local filter_options = {
  "request_id", "compress", "security_headers", "cors", "auth", "limit",
  "session", "csrf", "use",
}

core.filter_options = filter_options
for i = 1, #filter_options do
  route_options[filter_options[i]] = "any"
end

core.inherited = {} -- options of the groups around

local function check_loading(call)
  if not is_loading() then
    fail(call .. ": only while the site is loaded")
  end
end

core.check_loading = check_loading

-- (fn) or (options, fn). native: what pl.handler() gives will do, too.
local function options_and_function(call, options, fn, native)
  if fn == nil then
    options, fn = nil, options
  end
  if not (native and type(fn) == "userdata" and core.is_handler
    and core.is_handler(fn)) then
    check_function(call, fn)
  end
  options = check_options(call, route_options, options)
  return setmetatable(options, { __index = core.inherited }), fn
end

core.options_and_function = options_and_function

-- add(...) inside of the filters among the options, if there are any.
local function around(call, options, add, ...)
  for i = 1, #filter_options do
    if rawget(options, filter_options[i]) ~= nil and pl.group then -- is loaded
      return core.scope(call, "", "", options, add, ...)
    end
  end
  add(...)
end

core.around = around

local function add_route(call, methods, pattern, options, fn)
  check_loading(call)
  check_string(call, "the path", pattern)
  options, fn = options_and_function(call, options, fn, true)
  around(call, options, route, call, methods, pattern, fn,
    type(fn) == "function" and wants_response(fn),
    options.expires, options.cache_control, options)
end

core.add_route = add_route

--- pl.get(path, [options,] fn) and so on: fn(req, res), or what pl.handler()
--- gives. What fn returns is the response: nothing; body; status; status,
--- body; status, body, headers. A string body is text (HTML if it begins with
--- "<"), a table is JSON. nil, err is an error. options: expires,
--- cache_control, and for bodies max_body, max_upload, body_spool, body_rate,
--- max_form_fields, max_parts. budget = { wall = "2s", cpu = "100ms", memory =
--- "10m" } ends what takes more by 503.
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

-- Paths in a site are relative to its folder.
function core.in_folder(path)
  if path:find("^/") or not core.folder then
    return path
  end
  return core.folder .. "/" .. path
end

-- ---- listeners -------------------------------------------------------------

--- pl.listen { ":8080", "[::1]:8080", "unix:/run/site.sock", backlog = 511 }
function pl.listen(addresses)
  check_loading("pl.listen")
  if type(addresses) == "string" then
    addresses = { addresses }
  end
  if not listen(addresses) then
    core.load_part("listen")
    listen(addresses, core.check_listen(addresses))
  end
end
