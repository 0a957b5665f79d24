-- filter.lua - pl.use: functions around handlers, and how they run.

local core, pl, c = ...
local begin_filter, respond, use = c.begin, core.respond, c.use
local is_filter = c.is_filter
local next_step, next_result, next_respond, next_failed =
  c.next, c.next_result, c.next_respond, c.next_failed
local check_function, check_loading = core.check_function, core.check_loading
local raise, traced, describe, report =
  core.raise, core.traced, core.describe, core.report
local rawget, type, xpcall = rawget, type, xpcall

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

c.run_with(function(fn)
  local req, res, call = begin_filter()
  return respond(fn(req, res, new_next(req, res, call)))
end)

local function add(call, fn)
  if not is_filter(fn) then
    check_function(call, fn)
  end
  use(call, fn)
end

--- pl.use(fn): fn(req, res, next) runs around the routes that are added after
--- it in the same scope. next() runs the rest and returns when its answer has
--- been built; a filter that does not call it answers itself. fn may also be
--- what pl.basic() and its like give.
function pl.use(fn)
  check_loading("pl.use")
  add("pl.use", fn)
end

-- Options whose values are those of the function of pl of the same name; false
-- means something for the first only.
local made = {
  compress = true, cors = 1, limit = 1, request_id = 1, security_headers = 1,
}

local function filters_of(name, value)
  if made[name] and value ~= nil and (value or made[name] == true)
    and not is_filter(value) then
    if value == true then
      value = nil
    end
    value = pl[name](value)
  end
  if name == "use" and type(value) == "table" then
    return value
  end
  return { value or nil }
end

-- The filters among the options of a route or scope, which is open.
function core.use_options(call, names, options)
  for i = 1, #names do
    local filter = filters_of(names[i], rawget(options, names[i]))
    for k = 1, #filter do
      add(("%s: option '%s'"):format(call, names[i]), filter[k])
    end
  end
end
