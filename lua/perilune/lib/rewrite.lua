-- rewrite.lua - pl.rewrite, pl.redirect, pl.response: rules that make other
-- paths of some paths, or send clients elsewhere (docs/rewrite.md).

local core, pl, c = ...
local check_loading, check_string, check_options, in_folder =
  core.check_loading, core.check_string, core.check_options, core.in_folder
local captures, answer, answer_url = c.captures, c.answer, c.answer_url
local fail = core.fail
local pairs, sort, tostring, type = pairs, table.sort, tostring, type
local concat, floor = table.concat, math.floor

-- ---- functions of rules ----------------------------------------------------

local function asker(fn)
  return function(req)
    answer(fn(req, captures()))
  end
end

local function maker(fn)
  return function(req)
    answer_url(fn(req, captures()))
  end
end

-- ---- conditions ------------------------------------------------------------

local function refuse(call, name, wanted)
  fail(("%s: condition '%s' must be %s"):format(call, name, wanted))
end

-- C has no other way to see where a string ends.
local function is_text(value)
  return type(value) == "string" and not value:find("\0", 1, true)
end

local function add(list, kind, name, value, unless)
  list[#list + 1] = { kind, name or false, value or false, unless or false }
end

local function keys(call, name, map, wanted)
  if type(map) ~= "table" then
    refuse(call, name, wanted)
  end
  local names = {}
  for key in pairs(map) do
    names[#names + 1] = key
  end
  sort(names, function(a, b) -- always the same order
    return tostring(a) < tostring(b)
  end)
  return names
end

local pairs_wanted = "a table of names with values: a string (in which %1 may "
  .. "stand), true (is there) or false (is not)"

-- cookie = { session = true, theme = "dark" }
local function read_pairs(call, kind, map, list)
  for _, key in pairs(keys(call, kind, map, pairs_wanted)) do
    local name, value = key, map[key]
    if kind == "backref" and type(key) == "number" then
      name = ("%d"):format(key)
    end
    if not is_text(name) or type(value) ~= "boolean" and not is_text(value) then
      refuse(call, kind, pairs_wanted)
    end
    add(list, kind, name, type(value) == "string" and value, value == false)
  end
end

-- "GET", "GET POST" or { "GET", "POST" }
local function read_method(call, kind, value, list)
  local names = type(value) == "table" and concat(value, " ") or value
  if not is_text(names) then
    refuse(call, kind, "a method or a list of methods")
  end
  add(list, kind, nil, names:upper())
end

local function read_flag(call, kind, value, list)
  if type(value) ~= "boolean" then
    refuse(call, kind, "true or false")
  end
  add(list, kind, nil, nil, not value)
end

-- "gzip", { "gzip", "br" } or { gzip = true, br = false }
local function read_encoding(call, kind, value, list)
  local wanted = "a coding, a list of them, or a table of codings with true or "
    .. "false"
  if type(value) == "string" then
    value = { value }
  end
  for _, key in pairs(keys(call, kind, value, wanted)) do
    local name, state = key, value[key]
    if type(key) == "number" then
      name, state = state, true
    end
    if not is_text(name) or type(state) ~= "boolean" then
      refuse(call, kind, wanted)
    end
    add(list, kind, name, nil, not state)
  end
end

local stat_options = {
  path = "text", exists = "flag", is_file = "flag", is_dir = "flag",
}

-- { path = "public/%1", is_file = true }; without a flag: it is there
local function read_stat(call, kind, value, list)
  if type(value) ~= "table" or not is_text(value.path) then
    refuse(call, kind, "a table like { path = \"public/%1\", is_file = true }")
  end
  check_options(call .. ": condition 'stat'", stat_options, value)
  local path = in_folder(value.path)
  if value.exists == false then
    add(list, "exists", nil, path, true)
  elseif not value.is_file and not value.is_dir then
    add(list, "exists", nil, path)
  end
  for _, flag in pairs({ "is_file", "is_dir" }) do
    if value[flag] ~= nil then
      add(list, flag, nil, path, not value[flag])
    end
  end
end

local function read_function(call, kind, value)
  if type(value) ~= "function" then
    refuse(call, kind, "a function")
  end
end

local conditions = {
  method = read_method, cookie = read_pairs, query = read_pairs,
  post = read_pairs, header = read_pairs, environment = read_pairs,
  backref = read_pairs, encoding = read_encoding, proxied = read_flag,
  ["http_1.0"] = read_flag, https = read_flag, has_query_string = read_flag,
  stat = read_stat, lua = read_function,
}

-- What costs little is asked first; the function, then, last of all.
local order = {
  "method", "https", "http_1.0", "has_query_string", "proxied", "backref",
  "environment", "cookie", "query", "header", "encoding", "stat", "post", "lua",
}

-- The list of conditions, and the function among them.
local function read_when(call, when)
  local list = {}
  if when == nil then
    return list
  elseif type(when) ~= "table" then
    fail(("%s: option 'when' must be a table, not a %s"):format(call,
      type(when)))
  end
  for name in pairs(when) do
    if not conditions[name] then
      core.load_part("options")
      fail(("%s: there is no condition '%s'%s"):format(call, tostring(name),
        core.suggest(conditions, tostring(name))))
    end
  end
  for _, name in pairs(order) do
    if when[name] ~= nil then
      conditions[name](call, name, when[name], list)
    end
  end
  return list, when.lua
end

-- ---- rules -----------------------------------------------------------------

local statuses = { [301] = true, [302] = true, [303] = true, [307] = true,
  [308] = true }

local function read_status(call, name, value)
  if value == true then
    return 301
  elseif value and not statuses[value] then
    fail(("%s: option '%s' must be 301, 302, 303, 307 or 308"):format(call,
      name))
  end
  return value or nil
end

local known = { to = true, redirect = true, last = true, when = true,
  ["if"] = true }

-- What a rule's table says, for C. given is a table, or a function: to.
local function read_rule(call, pattern, given)
  check_string(call, "the pattern", pattern)
  if not is_text(pattern) then
    fail(call .. ": the pattern has a NUL (write %z)")
  end
  if type(given) == "function" or type(given) == "string" then
    given = { to = given }
  elseif type(given) ~= "table" then
    fail(("%s: a table is needed, as in { to = \"/new/%%1\" }, or a function, "
      .. "not a %s"):format(call, type(given)))
  end
  for name in pairs(given) do
    if type(name) ~= "number" and not known[name] then
      core.load_part("options")
      core.refuse_option(call, known, name)
    end
  end
  local to = given.to
  if type(to) ~= "function" and not is_text(to) then
    fail(("%s: option 'to' must be a string or a function, not a %s"):format(
      call, type(to)))
  elseif given.last ~= nil and type(given.last) ~= "boolean" then
    fail(call .. ": option 'last' must be true or false")
  elseif given.when ~= nil and given["if"] ~= nil then
    fail(call .. ": options 'when' and 'if' are the same: one of them will do")
  end
  local list, ask = read_when(call, given.when or given["if"])
  return {
    pattern = pattern,
    to = type(to) == "string" and to,
    make = type(to) == "function" and maker(to),
    ask = ask and asker(ask),
    redirect = read_status(call, "redirect", given.redirect),
    last = given.last,
    conditions = list,
  }
end

-- { { "^(%d+)$", to = "/item?id=%1" }, ... }
local function read_rules(call, given)
  local rules = {}
  for i = 1, #given do
    local rule = given[i]
    if type(rule) ~= "table" then
      fail(("%s: rule %d must be a table like { \"^(%%d+)$\", to = \"/%%1\" }")
        :format(call, i))
    end
    rules[i] = read_rule(call, rule[1], rule)
  end
  return rules
end

--- pl.rewrite(pattern, { to = "/new/%1", redirect, last, when }): a request
--- whose path the pattern matches is answered as if it had come for the other
--- path; redirect = 301 (or true, 302, 303, 307, 308) sends its client there.
--- to may be function(req, captures): a URL [and a status of redirects], or
--- nil: the rule is not for this request. when = { cookie = { a = "1" },
--- query, post, header, environment, backref, stat = { path, is_file, is_dir,
--- exists }, encoding, method, proxied, https, ["http_1.0"],
--- has_query_string, lua = function(req, captures) }: all must hold.
--- pl.rewrite(prefix, { { pattern, to = ... }, ... }): the same below a prefix,
--- as a route; 404 if no rule is for the path.
function pl.rewrite(pattern, rule)
  check_loading("pl.rewrite")
  if type(rule) == "table" and rule[1] ~= nil then
    check_string("pl.rewrite", "the prefix", pattern)
    c.mount("pl.rewrite", pattern, read_rules("pl.rewrite", rule))
  else
    c.rewrite("pl.rewrite", read_rule("pl.rewrite", pattern, rule))
  end
end

-- ---- redirects and fixed responses -----------------------------------------

local redirect_options = {
  to = "text", status = "count", rest = "flag", query = "flag",
}

--- pl.redirect(prefix, { to = "https://blog.example/", status = 301, rest =
--- false, query = false }): sends clients that ask for prefix, or anything
--- below it, elsewhere. rest appends what follows the prefix, query the query
--- string.
function pl.redirect(prefix, options)
  check_loading("pl.redirect")
  check_string("pl.redirect", "the prefix", prefix)
  if type(options) == "string" then
    options = { to = options }
  end
  options = check_options("pl.redirect", redirect_options, options)
  if not is_text(options.to) then
    fail("pl.redirect: option 'to' must be a string")
  end
  options.status = read_status("pl.redirect", "status", options.status)
  c.redirect("pl.redirect", prefix, options)
end

local response_options = {
  status = "count", body = "text", type = "text", headers = "fields",
}

-- Names in order, with one entry for each value.
local function flatten(headers)
  local flat, names = {}, {}
  for name in pairs(headers) do
    check_string("pl.response: headers", "a name", name)
    names[#names + 1] = name
  end
  sort(names)
  for i = 1, #names do
    local values = headers[names[i]]
    if type(values) ~= "table" then
      values = { values }
    end
    for j = 1, #values do
      local value = type(values[j]) == "number" and tostring(values[j])
        or values[j]
      if not is_text(value) or not is_text(names[i]) then
        fail(("pl.response: header '%s' must be a string or a list of strings")
          :format(names[i]))
      end
      flat[#flat + 1] = names[i]
      flat[#flat + 1] = value
    end
  end
  return flat
end

--- pl.response(path, { status = 200, body, type, headers }): the same response
--- to all methods of a path. body: a string, or a table, which is sent as
--- JSON; an error without one gets its page.
function pl.response(path, options)
  check_loading("pl.response")
  check_string("pl.response", "the path", path)
  if type(options) == "table" and type(options.body) == "table" then
    local copy = {}
    for name, value in pairs(options) do
      copy[name] = value
    end
    copy.body = pl.json.encode(options.body)
    copy.type = copy.type or "application/json"
    options = copy
  end
  options = check_options("pl.response", response_options, options)
  local status = options.status
  if status and (floor(status) ~= status or status < 200 or status > 599) then
    fail("pl.response: option 'status' must be from 200 to 599")
  elseif options.type and not is_text(options.type) then
    fail("pl.response: option 'type' is not a header value")
  end
  options.headers = flatten(options.headers or {})
  c.response("pl.response", path, options)
end
