-- magnet.lua - pl.magnet: a folder of scripts in the manner of magnet, loaded
-- when a site uses it, or by `perilune --dialect magnet`.
--
--     SCRIPT_FILENAME, as a web server says it: the script, if it is below root
--     /a/b.lua/info: a/b.lua, with /info as its PATH_INFO
--     /a/: a/index.lua
--     others: files, if they are to be served
--
-- A script prints a head and a body, as CGI has it. It runs in a table of its
-- own, which inherits from _G: what it sets vanishes with the run, and what it
-- sets in _G is there for all scripts of this worker. Which script is which is
-- in magnet_cache.lua.

local core, pl, c = ...
core.load_part "magnet_cache"
local begin, finish, named, objects, put, push =
  c.begin, c.finish, c.named, c.objects, c.put, c.push
local check_loading, check_string, check_options =
  core.check_loading, core.check_string, core.check_options
local describe, failure, is_canceled, report, traced =
  core.describe, core.failure, core.is_canceled, core.report, core.traced
local fail, in_folder, set_environment =
  core.fail, core.in_folder, core.magnet_set_environment
local INVALID, NOT_FOUND, DENIED = core.INVALID, core.NOT_FOUND, core.DENIED
local error, pairs, rawset, setmetatable, tostring, xpcall =
  error, pairs, rawset, setmetatable, tostring, xpcall
local find, gmatch, gsub, sub =
  string.find, string.gmatch, string.gsub, string.sub
local _G, to_stdout = _G, print
local say -- res_say of lib/response.lua, which a long output needs

-- ---- what scripts see ------------------------------------------------------

-- Sends what has gathered, and the at-th of the values; 0: none of them.
local function send(at, ...)
  local _, res = objects()
  local before_head, from = core.before_head, 0
  if before_head then
    before_head(res)
  end
  repeat
    local result
    result, from = push(res, at, from, ...)
    say("print", result, res)
  until not from
end

local function send_on(at, ...)
  while at ~= 0 do
    send(at, ...)
    at = put(at + 1, ...)
  end
end

-- All values as they are, with nothing between them.
local function print(...)
  local at = put(1, ...)
  if at == nil then
    to_stdout(...) -- there is nobody to answer
  elseif at ~= 0 then
    send_on(at, ...)
  end
end

local inherit = { __index = _G }

local magnet = core.magnet

--- The request that a script answers, as perilune's handlers have it.
function magnet.request()
  local req = objects()
  return req
end

function magnet.response()
  local _, res = objects()
  return res
end

-- ---- a run -----------------------------------------------------------------

-- What was printed before an error stays, if it has a head: but nobody is to
-- take it for the whole.
local function fail_run(res, err)
  if is_canceled(err) or finish(res) ~= true then
    error(err, 0)
  end
  report(describe(err))
  return 500
end

local function run(script, res)
  local fn = script:take()
  set_environment(fn, setmetatable({ print = print }, inherit))
  local ok, err = xpcall(fn, traced)
  script:give(fn)
  if not ok then
    return fail_run(res, err)
  end
  local whole, fault = finish(res)
  if whole == nil then
    error(failure(INVALID, nil, script.path .. ": " .. fault), 0)
  elseif not whole then
    send(0)
  end
end

-- ---- which one -------------------------------------------------------------

-- The ends of names of scripts, as patterns.
local function patterns_of(names)
  local list = {}
  for name in gmatch(names, "%S+") do
    if not find(name, "^%.[%w%.]*%w$") then
      fail(("pl.magnet: option 'suffixes': one like \".lua\" is needed, not "
        .. "\"%s\""):format(name))
    end
    list[#list + 1] = (gsub(name, "%.", "%%."))
  end
  return list
end

-- "a/b.lua/info" -> "a/b.lua", "/info"; nil: no script is meant
local function split(site, path)
  for i = 1, #site.suffixes do
    local _, last = find(path, site.suffixes[i] .. "%f[/%z]")
    if last then
      return sub(path, 1, last), last < #path and sub(path, last + 1) or nil
    end
  end
end

-- The source of a script, or what an editor has left of it ("a.lua~").
local function is_source(site, path)
  for i = 1, #site.suffixes do
    if find(path, site.suffixes[i] .. "%f[%W]") then
      return true
    end
  end
end

local function is_hidden(path)
  return find(path, "^%.") or find(path, "/%.")
end

-- ---- answers ---------------------------------------------------------------

-- What is not there has no body, as with magnet.
local function refuse(path, code)
  if code == NOT_FOUND or code == DENIED then
    return 404, ""
  end
  return nil, failure(code, nil, path .. ": " .. failure(code).message)
end

-- A file of the disk, as a web server names it (Apache: with where it sends
-- the request in front, and a slash of that); nil: it is not in our folder.
local function path_of(site, filename)
  filename = gsub(gsub(filename, "^proxy:.-fcgi://[^/]*", ""), "//+", "/")
  for i = 1, 2 do
    local folder = site.names[i]
    if sub(filename, 1, #folder) == folder then
      return sub(filename, #folder + 1)
    end
  end
end

local function run_named(site, res, filename, path)
  local script, code = site.scripts:find(path)
  local name = code == NOT_FOUND and split(site, path)
  if name then -- with a PATH_INFO behind it
    script, code = site.scripts:find(name)
  end
  if not script then
    return refuse(filename, code)
  end
  begin(res)
  return run(script, res)
end

-- A script by its path below the folder; info: what followed in the URL.
local function run_here(site, script, req, res, path, info)
  local prefix = sub(req.path, 1, #req.path - #req.rest)
  begin(res, site.folder .. path, prefix .. path, info,
    sub(site.folder, 1, -2))
  return run(script, res)
end

local function send_file(site, req, res, path)
  if not site.files or is_source(site, path) or is_hidden(path) then
    return 404
  elseif req.method ~= "GET" and req.method ~= "HEAD" then
    return 405, nil, { allow = "GET, HEAD" }
  end
  local sent, err = res:send_file(path, site.folder)
  if sent or err.code ~= "not_found" then
    return sent, err
  end
  return 404
end

-- One whose relative links begin behind its slash.
local function is_folder(site, path)
  local stat = not is_hidden(path) and pl.fs.stat(site.folder .. path)
  return stat and stat.type == "directory"
end

local function redirect(req, res)
  local target = pl.url.encode_path(req.path) .. "/"
  res:redirect(req.query and target .. "?" .. req.query or target, 301)
end

local function answer_file(site, req, res, path)
  local result, err, fields = send_file(site, req, res, path)
  if result == 404 and is_folder(site, path) then
    return redirect(req, res)
  end
  return result, err, fields
end

-- The first that is there of the names of an index.
local function answer_index(site, req, res, path)
  for name in gmatch(site.index, "%S+") do
    name = path .. name
    if split(site, name) then
      local script, code = site.scripts:find(name)
      if script then
        return run_here(site, script, req, res, name)
      elseif code ~= NOT_FOUND then
        return refuse(name, code)
      end
    else
      local result, err, fields = send_file(site, req, res, name)
      if result ~= 404 then
        return result, err, fields
      end
    end
  end
  return 404
end

local function answer_by_path(site, req, res)
  local path = req.rest
  local name, info = split(site, path)
  if name then
    local script, code = site.scripts:find(name)
    if not script then
      return refuse(name, code)
    end
    return run_here(site, script, req, res, name, info)
  elseif path == "" or find(path, "/$") then
    return answer_index(site, req, res, path)
  end
  return answer_file(site, req, res, path)
end

local function answer(site, req, res)
  local filename = named(req)
  local path = filename and path_of(site, filename)
  if path then
    return run_named(site, res, filename, path)
  elseif site.strict and (filename or site.folder == "/") then
    pl.log.warn(("SCRIPT_FILENAME %s is not below %s"):format(filename
      or "(none)", site.folder))
    return 404, ""
  end
  return answer_by_path(site, req, res)
end

-- ---- the call --------------------------------------------------------------

local known = { root = "text", index = "names", suffixes = "names",
  check = "duration", files = "flag", methods = "text" }

for name, kind in pairs(core.route_options) do
  known[name] = kind
end

local function route_options(options)
  local own = {}
  for name in pairs(core.route_options) do
    own[name] = options[name]
  end
  return own
end

local function seconds_of(check)
  return not check and 0 or core.parse_seconds(check)
    or fail("pl.magnet: option 'check' must be a string like \"1s\" or seconds")
end

-- From now on there are scripts here.
local function open_library()
  _G.magnet = magnet
  rawset(os, "getenv", c.getenv)
  core.load_part "response"
  say = core.res_say
end

local function with_slash(path)
  return gsub(path, "/+$", "") .. "/"
end

local function mount(prefix, root, o)
  local path, err = pl.fs.realpath(root)
  if not path then
    fail("pl.magnet: " .. tostring(err))
  end
  open_library()
  path = with_slash(path)
  local site = {
    folder = path, names = { path, with_slash(in_folder(root)) },
    scripts = core.magnet_folder(path, seconds_of(o.check)),
    files = o.files, strict = o.strict,
    index = o.index or "index.lua index.html",
    suffixes = patterns_of(o.suffixes or ".lua"),
  }
  prefix = gsub(prefix, "/+$", "")
  core.add_route("pl.magnet", o.methods or "any", prefix .. "/*path",
    route_options(o), function(req, res)
      return answer(site, req, res)
    end)
  if prefix ~= "" then
    core.add_route("pl.magnet", "get", prefix, route_options(o), redirect)
  end
end

-- What the command line names. "/": only by SCRIPT_FILENAME.
local function mount_asked(file)
  if file then
    error(failure(INVALID, nil, file .. ": --dialect magnet needs a folder of "
      .. "scripts"), 0)
  end
  mount("/", ".", { files = true, strict = true })
end

--- pl.magnet(prefix, { root = "scripts", index = { "index.lua", "index.html" },
--- suffixes = ".lua", check = 0, files = false, methods = "any", and the
--- options of routes }): the scripts of a folder. Waits.
function pl.magnet(prefix, options)
  check_loading "pl.magnet"
  local asked, file = c.asked()
  if asked and prefix == nil then
    return mount_asked(file)
  end
  check_string("pl.magnet", "the prefix", prefix)
  options = check_options("pl.magnet", known, options)
  check_string("pl.magnet", "option 'root'", options.root)
  mount(prefix, options.root, options)
end
