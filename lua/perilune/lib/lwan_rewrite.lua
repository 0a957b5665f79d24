-- lwan_rewrite.lua - the module `rewrite` of Lwan's, as rules of pl.rewrite.
--
--     pattern P { rewrite_as | redirect_to = ...  expand_with_lua = true
--         condition cookie { name = value }  condition method = GET ... }

local core, pl = ...
core.load_part "lwan_lua"
local load_inside, run_in, new_environment, new_request =
  core.lwan_load_inside, core.lwan_run_in, core.lwan_environment,
  core.lwan_request
local ipairs, pairs, rawget, type = ipairs, pairs, rawget, type

-- ---- functions of scripts --------------------------------------------------

-- Gives what runs the script's function of that name; for messages, its line.
local function script_function(config, text, line, name)
  local chunk, err = load_inside(config, text, line)
  local env = run_in(new_environment(), chunk, err)
  local fn = rawget(env, name)
  if type(fn) ~= "function" then
    config:fail(line, "rewrite: a function '%s' is needed in the script", name)
  end
  return function(req, captures)
    return fn(new_request(req), captures)
  end
end

-- ---- conditions ------------------------------------------------------------

local function texts(config, node)
  local values = {}
  for _, inner in ipairs(node.nodes) do
    if not inner.key then
      config:fail(inner.line, "rewrite: a section '%s' stands where 'name = "
        .. "value' is wanted", inner.name)
    end
    values[inner.key] = inner.value
  end
  return values
end

local function read_stat(config, node)
  local section = config:section(node)
  local stat = { path = section:text "path", is_dir = section:flag "is_dir",
    is_file = section:flag "is_file" }
  if not stat.path then
    config:fail(node.line, "rewrite: condition stat: a 'path' is needed")
  end
  section:done()
  return stat
end

local codings = { deflate = "deflate", gzip = "gzip", brotli = "br",
  zstd = "zstd", none = "none" }

local function read_encoding(config, node)
  local section, wanted = config:section(node), {}
  for name, coding in pairs(codings) do
    wanted[coding] = section:flag(name)
  end
  section:done()
  return wanted
end

local sections = { cookie = texts, query = texts, post = texts, header = texts,
  environment = texts, backref = texts, stat = read_stat,
  encoding = read_encoding }

local flags = { proxied = "proxied", ["http_1.0"] = "http_1.0",
  is_https = "https", has_query_string = "has_query_string" }

local function read_conditions(config, section)
  local when = {}
  section.known.condition = true
  for _, node in ipairs(section.sections) do
    local kind = node.name == "condition" and node.value
    if kind and not sections[kind] then
      config:fail(node.line, "rewrite: there is no condition '%s' with a "
        .. "section", kind)
    elseif kind and when[kind] then
      config:fail(node.line, "rewrite: there is a condition '%s' already",
        kind)
    elseif kind then
      when[kind] = sections[kind](config, node)
    end
  end
  for name, ours in pairs(flags) do
    when[ours] = section:flag("condition_" .. name)
  end
  when.method = section:text "condition_method"
  return when
end

-- ---- patterns --------------------------------------------------------------

-- Where to: a text, or the place of a script.
local function read_action(config, section)
  local to, line = section:text "rewrite_as"
  local redirect, redirect_line = section:text "redirect_to"
  if to and redirect then
    config:fail(redirect_line, "rewrite: there is 'rewrite_as' already")
  elseif not to and not redirect then
    config:fail(section.node.line, "rewrite: 'rewrite_as' or 'redirect_to' is "
      .. "needed")
  end
  return to or redirect, to and line or redirect_line, redirect and 301
end

-- Gives what makes the rule, when the site is told of it.
local function read_pattern(config, node)
  local section = config:section(node)
  local to, line, redirect = read_action(config, section)
  local by_script = section:flag("expand_with_lua", false)
  local when = read_conditions(config, section)
  local ask, ask_line = section:text "condition_lua"
  section:done()
  return function()
    if ask then
      when.lua = script_function(config, ask, ask_line, "matches")
    end
    if by_script then
      to = script_function(config, to, line, "handle_rewrite")
    end
    return { node.value, to = to, redirect = redirect, when = when }
  end
end

--- Gives what adds the rules below a prefix.
function core.lwan_rewrite(config, section, prefix)
  local makers = {}
  section.known.pattern = true
  for _, node in ipairs(section.sections) do
    if node.name == "pattern" then
      makers[#makers + 1] = read_pattern(config, node)
    end
  end
  if not makers[1] then
    config:fail(section.node.line, "rewrite: a 'pattern' is needed")
  end
  return function()
    local rules = {}
    for i = 1, #makers do
      rules[i] = makers[i]()
    end
    pl.rewrite(prefix, rules)
  end
end
