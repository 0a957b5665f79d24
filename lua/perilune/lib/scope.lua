-- scope.lua - pl.host, pl.group: routes of one host, or below one prefix.

local core, pl, c = ...
local enter, leave = c.enter, c.leave
local check_loading, check_string, options_and_function =
  core.check_loading, core.check_string, core.options_and_function
local fail = core.fail
local error, pcall = error, pcall

local function use_and_add(call, options, fn, ...)
  if pl.use then -- looking for it loads the part
    core.use_options(call, core.filter_options, options)
  end
  fn(...)
end

-- fn(...) adds routes of a host, or below a prefix, inside of the filters among
-- the options.
local function scope(call, host, prefix, options, fn, ...)
  local outer = core.inherited
  enter(call, host, prefix)
  core.inherited = options
  local ok, err = pcall(use_and_add, call, options, fn, ...)
  core.inherited = outer
  leave()
  if not ok then
    error(err, 0)
  end
end

core.scope = scope

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
