-- upkeep.lua - pl.maintenance, pl.cache_control: filters that a site is run
-- with.

local core, pl, c = ...
local check_loading, check_options = core.check_loading, core.check_options
local in_folder, fail = core.in_folder, core.fail
local concat, type = table.concat, type

local maintenance = {
  file = "text", shared = "text", key = "text", retry_after = "duration",
  allow = "any", message = "text",
}

local function words(value)
  if type(value) == "table" then
    for i = 1, #value do
      core.check_string("pl.maintenance", "each of 'allow'", value[i])
    end
    return concat(value, " ")
  end
  return value or nil
end

--- pl.maintenance{ file = "down", shared = "site", key = "maintenance",
--- retry_after = "10m", allow = { "10.0.0.0/8" }, message }: a filter that
--- answers 503 as long as the file is there, or the key of pl.shared(shared) is
--- set. allow: clients that pass.
function pl.maintenance(options)
  check_loading("pl.maintenance")
  if type(options) == "string" then
    options = { file = options }
  end
  options = check_options("pl.maintenance", maintenance, options)
  local allow = words(options.allow)
  if allow and type(allow) ~= "string" then
    fail("pl.maintenance: option 'allow' must be an address, or a list of them")
  elseif not options.shared and not options.file then
    fail("pl.maintenance: option 'file' or 'shared' is needed")
  end
  return c.maintenance(options.file and in_folder(options.file) or nil,
    options.retry_after or nil, allow, options.message or nil,
    options.shared and pl.shared(options.shared) or nil,
    options.key or "maintenance")
end

local kinds = { cache_control = "text", expires = "duration" }

--- pl.cache_control{ { "%.css$", "public, max-age=3600" }, { "^/api/",
--- cache_control = "no-store" }, { "%.png$", expires = "30d" } }: a filter that
--- says how long responses may be kept, by the first pattern that their path
--- matches. What a route or a handler says itself wins.
function pl.cache_control(rules)
  check_loading("pl.cache_control")
  if type(rules) ~= "table" then
    fail("pl.cache_control: a list is needed, as in { { \"%.css$\", expires = "
      .. "\"1h\" } }")
  end
  local read = {}
  for i = 1, #rules do
    local rule = rules[i]
    if type(rule) ~= "table" then
      fail("pl.cache_control: each rule must be a table")
    end
    core.check_string("pl.cache_control", "a pattern", rule[1])
    local options = check_options("pl.cache_control", kinds, rule)
    local said = rule[2] or options.cache_control or false
    if said then
      core.check_string("pl.cache_control", "what is said", said)
    end
    read[i] = { rule[1], said, options.expires or false }
  end
  return c.cache_control(read)
end
