-- content.lua - pl.content: a folder of pages and files becomes a site, by the
-- names of its files (content_names.lua), as 80s' content server has it.
--
--     GET, HEAD  --> page that was there at load: a route of its own
--                --> file: handlers/content.c
--                --> page that came later: Folder:find()
--     others     --> page that was there at load, or that came later
--
-- Pages are read, compiled and looked at again by lib/page.lua.

local core, pl, c = ...
local mount, add_route = c.mount, c.route
local in_folder, check_loading, check_string, check_options =
  core.in_folder, core.check_loading, core.check_string, core.check_options
local describe, report, traced = core.describe, core.report, core.traced
local failure, is_canceled, pack = core.failure, core.is_canceled, core.pack
local INVALID, NOT_FOUND, SYNTAX = core.INVALID, core.NOT_FOUND, core.SYNTAX
local concat, sort = table.concat, table.sort
local error, ipairs, next, pairs, setmetatable, xpcall =
  error, ipairs, next, pairs, setmetatable, xpcall
local unpack = table.unpack or unpack
local names_of = require "perilune.content_names"

core.load_part "page"

local LOOK = 1 -- seconds for which a list of a folder is good
local FOLDERS = 256 -- lists that are kept, at most
local IMMUTABLE = "public, max-age=604800, immutable"

-- ---- one page --------------------------------------------------------------

-- What pages see beside globals, on top of what every page has.
local environment = core.page.environment {
  aio = function() return pl.aio end,
  codec = function() return pl.aio.codec end,
  crypto = function() return pl.aio.crypto end,
  query = function(run)
    local aio = pl.aio
    return aio:parse_query(run.req.query, aio:create_key(run.req.path))
  end,
  to_url = function()
    return function(endpoint, params, hash)
      return pl.aio:to_url(endpoint, params, hash)
    end
  end,
  await = function()
    return function(promise)
      return pl.aio:await(promise)
    end
  end,
}

local function type_of(name)
  local kind = pl.mime(name)
  if kind == "application/octet-stream" then
    return "text/plain; charset=utf-8"
  elseif kind == "application/json" then
    return "application/json; charset=utf-8"
  end
  return kind
end

-- Calls a global function of the site around a page. One that raises is logged;
-- false: it has.
local function run_hook(name, req, res, session)
  local hook = _G[name]
  if hook == nil then
    return true
  end
  local ok, err = xpcall(hook, traced, req.method, req.path, session, req, res)
  if not ok then
    if is_canceled(err) then
      error(err, 0)
    end
    report(name .. ": " .. describe(err))
  end
  return ok
end

-- Without the first hook there is no page: it may be the one that lets nobody
-- in. The last one is told of pages that have failed, too.
local function render(page, req, res)
  if not (_G.on_before_http or _G.on_after_http) then
    return page:render(req, res, {})
  end
  local session = req.session or {} -- of pl.session
  if not run_hook("on_before_http", req, res, session) then
    return 500
  end
  local results =
    pack(xpcall(page.render, traced, page, req, res, { session = session }))
  if not results[1] and is_canceled(results[2]) then
    error(results[2], 0)
  end
  run_hook("on_after_http", req, res, session)
  if not results[1] then
    error(results[2], 0)
  end
  return unpack(results, 2, results.n)
end

-- ---- which page ------------------------------------------------------------

-- A mounted folder: root; known, by URL and method, what Lua answers: { path,
-- rule, type }.
local Folder = {}
Folder.__index = Folder

-- Several files may have one URL: a page goes before a file, and then the first
-- by name. Gives that, if it is another page.
local function put(found, path, rule)
  local methods = found[rule.url] or {}
  local other = methods[rule.method]
  found[rule.url] = methods
  if other and (other.rule.named or not rule.named) then
    return rule.named and other
  end
  methods[rule.method] = { path = path, rule = rule, type = type_of(rule.name) }
end

-- What cannot be looked at for want of memory is not "not there".
local function list_folder(path)
  local list, err = pl.fs.list(path)
  if not list and err.code ~= "not_found" and err.code ~= "denied" then
    error(err, 0)
  end
  return list or {}
end

-- What there is in one folder ("" or with a slash at its end), and the folders
-- in it. see(path, other): of pages that are not served.
local function read_folder(self, folder, see)
  local found, folders = {}, {}
  for _, item in ipairs(list_folder(self.root .. "/" .. folder)) do
    local path = folder .. item.name
    local rule = item.type ~= "directory" and names_of(path)
    if rule and not (rule.static and self.no_static) then
      local other = put(found, path, rule)
      if other and see then
        see(path, other.path)
      end
    elseif item.type == "directory" then
      folders[#folders + 1] = path .. "/"
    end
  end
  return found, folders
end

-- The same, as it was a moment ago.
function Folder:look(folder)
  local now = pl.now()
  local seen = self.seen[folder]
  if seen and now - seen.at < LOOK then
    return seen.found
  elseif not seen and self.nseen >= FOLDERS then
    self.seen, self.nseen = {}, 0
  end
  local found = read_folder(self, folder)
  self.nseen = self.nseen + (self.seen[folder] and 0 or 1)
  self.seen[folder] = { at = now, found = found }
  return found
end

function Folder:forget(url, method)
  local methods = self.known[url]
  if methods then
    methods[method] = nil
    self.known[url] = next(methods) and methods or nil
  end
end

function Folder:remember(url, method, entry)
  self.known[url] = self.known[url] or {}
  self.known[url][method] = entry
end

-- Looks for a file in its folder. any: also one that is served without us.
function Folder:find(url, method, any)
  local folder = url:match "^/(.-)[^/]*$"
  if not folder or url:find "%z" or not names_of(folder .. "x.dyn.html") then
    return nil
  end
  local methods = self:look(folder)[url]
  local entry = methods and methods[method]
  if entry and entry.rule.named then
    self:remember(url, method, entry)
  end
  return entry and (any or entry.rule.named) and entry or nil
end

-- ---- answers ---------------------------------------------------------------

local function send_file(self, entry, res)
  if entry.rule.static then
    res:header("cache-control", IMMUTABLE)
  end
  return res:send_file(entry.path, self.root)
end

-- Gives nothing if the file has gone; else true, and what the page gives.
local function answer(self, entry, req, res)
  local sent, page, err
  if entry.rule.page then
    page, err = self.pages:get(entry.path)
  else
    sent, err = send_file(self, entry, res)
  end
  if page then
    page.type = entry.type
    return true, render(page, req, res)
  elseif not sent and err.code ~= "not_found" then
    error(err, 0)
  end
  return sent
end

-- What is there for other methods only is 405; but to GET it is not there.
local function refuse(self, url, method, res)
  local allow = {}
  if method ~= "GET" then
    for other in pairs(self.known[url] or {}) do
      allow[#allow + 1] = other ~= "GET" and other or nil
    end
    if self:find(url, "GET", true) then
      allow[#allow + 1], allow[#allow + 2] = "GET", "HEAD"
    end
  end
  if #allow == 0 then
    return 404
  end
  sort(allow)
  res:header("allow", concat(allow, ", "))
  return 405
end

-- What an answer has come to. A file that has gone may have another name now.
local function conclude(self, url, method, req, res, again, found, ...)
  if found then
    return ...
  end
  self:forget(url, method)
  local entry = again and self:find(url, method, true)
  if not entry then
    return refuse(self, url, method, res)
  end
  return conclude(self, url, method, req, res, false,
    answer(self, entry, req, res))
end

-- url: of a page that was there at load; nil: of whatever else is asked for.
local function new_handler(self, url)
  return function(req, res)
    local asked = url or "/" .. (req.rest or "")
    local method = req.method == "HEAD" and "GET" or req.method
    local known = self.known[asked]
    local entry = known and known[method] or self:find(asked, method)
    if not entry then
      return refuse(self, asked, method, res)
    end
    return conclude(self, asked, method, req, res, true,
      answer(self, entry, req, res))
  end
end

-- ---- mounting --------------------------------------------------------------

-- All pages that there are now. Assets may be many: what of them Lua answers is
-- found when it is asked for.
local function scan(self, folder)
  local found, folders = read_folder(self, folder, function(path, other)
    pl.log.warn(("%s/%s is not served: it has the URL of %s"):format(self.root,
      path, other))
  end)
  for url, methods in pairs(found) do
    for method, entry in pairs(methods) do
      if entry.rule.named then
        self:remember(url, method, entry)
      end
    end
  end
  for _, inner in ipairs(folders) do
    local rule = names_of(inner .. "x.dyn.html")
    if rule and not rule.static then
      scan(self, inner)
    end
  end
end

-- A route of its own spares a page the search for a file. What would be a
-- pattern does without.
local function add_routes(self, call, prefix)
  local urls = {}
  for url in pairs(self.known) do
    urls[#urls + 1] = url
  end
  sort(urls)
  for _, url in ipairs(urls) do
    local fn = new_handler(self, url)
    for method, entry in pairs(self.known[url]) do
      local where = self.root .. "/" .. entry.path
      if url:find "^[%w%-%._~/]+$"
        and not add_route(call, method, prefix .. url, fn, where) then
        pl.log.notice(where .. " is not served: the site has a route "
          .. prefix .. url)
      end
    end
  end
end

-- What is wrong with a page or with what it includes; or nil.
local function fault_of(page)
  local fault = page.fault
  for _, linked in ipairs(not fault and page.links or {}) do
    fault = fault or fault_of(linked)
  end
  return fault
end

-- For `perilune check`: a page with a fault in it is one of the site.
local function check_pages(self)
  local faults = {}
  for _, methods in pairs(self.known) do
    for _, entry in pairs(methods) do
      local page = entry.rule.page and self.pages:get(entry.path)
      faults[#faults + 1] = page and fault_of(page)
    end
  end
  sort(faults)
  if faults[2] then
    faults[1] = ("%s (and %d more)"):format(faults[1], #faults - 1)
  end
  if faults[1] then
    error(failure(SYNTAX, nil, faults[1]), 0)
  end
end

local function mount_folder(call, prefix, root, o)
  local no_static = o.no_static or nil
  prefix = prefix:gsub("/$", "")
  local self = setmetatable({
    root = root, no_static = no_static, known = {}, seen = {}, nseen = 0,
  }, Folder)
  local err
  self.pages, err = core.page.folder(root, { environment = environment })
  if not self.pages then
    core.fail(call .. ": " .. err.message)
  end
  scan(self, "")
  add_routes(self, call, prefix)
  local fn = new_handler(self)
  mount(call, prefix == "" and "/" or prefix, in_folder(root), no_static, fn)
  for _, method in ipairs { "POST", "PUT", "DELETE" } do
    add_route(call, method, prefix .. "/*path", fn, root)
  end
  if o.check then
    check_pages(self)
  end
end

local known = { root = "text", no_static = "flag" }

local function content(_, prefix, options)
  check_loading("pl.content")
  check_string("pl.content", "the prefix", prefix)
  options = check_options("pl.content", known, options)
  check_string("pl.content", "option 'root'", options.root)
  mount_folder("pl.content", prefix, (options.root:gsub("(.)/$", "%1")),
    options)
end

-- ---- as 80s starts it ------------------------------------------------------

local httpd = {}

-- main.lua, which may be missing; then --watch looks out for it.
local function run_script(name)
  local path = in_folder(name)
  local chunk, err = core.loadfile(path)
  if chunk then
    return chunk(path)
  elseif not err:find "^cannot " then
    error(failure(SYNTAX, nil, err), 0)
  elseif pl.fs.exists(name) then
    error(failure(NOT_FOUND, nil, err), 0)
  elseif core.note_file then
    core.note_file(path)
  end
end

local function set_limits(head, body)
  if head then
    pl.set { max_head = head }
  end
  if body then
    pl.set { max_body = body }
  end
end

-- root: "" or with a slash at its end. o: what initialize() takes.
local function start(call, root, o)
  require "aio.aio" -- sets the globals
  set_limits(o.header_size, o.body_size)
  if o.master_key then
    pl.aio:set_master_key(o.master_key)
  end
  run_script(root .. "main.lua")
  mount_folder(call, o.base_prefix or "", root .. "public_html", o)
end

local initial = {
  root = "text", master_key = "text", no_static = "flag", tls = "flag",
  pubkey = "text", privkey = "text", header_size = "number",
  body_size = "number", base_prefix = "text",
}

--- httpd:initialize { root = "site/", master_key, no_static, tls, pubkey,
--- privkey, header_size, body_size, base_prefix }
function httpd:initialize(options)
  local call = "httpd:initialize"
  check_loading(call)
  local o = check_options(call, initial, options)
  check_string(call, "option 'root'", o.root)
  if o.tls then
    check_string(call, "option 'pubkey'", o.pubkey)
    pl.listen { ":8080", tls = { cert = o.pubkey, key = o.privkey or nil } }
  end
  start(call, o.root:gsub("([^/])$", "%1/"), o)
end

--- Pages and files are looked at again by themselves; scripts with --watch.
function httpd:enable_live_reload()
end

-- `perilune FOLDER`: what is said by the environment. check: all pages are
-- compiled, and nothing is served.
function httpd:serve(check)
  local key, ok, text = pl.env("MASTER_KEY", ""), true, nil
  if key ~= "" then
    local _ = pl.aio.set_master_key -- loads what sets it
    ok, text = core.set_master_key(key)
  end
  if not ok then
    error(failure(INVALID, "MASTER_KEY", text), 0)
  end
  start("pl.content", "", {
    no_static = pl.env.boolean("NO_STATIC", false),
    header_size = pl.env.size("HTTP_MAX_HEADER_SIZE", nil),
    body_size = pl.env.size("HTTP_MAX_BODY_SIZE", nil),
    check = check,
  })
end

--- pl.content(prefix, { root = "blog", no_static = false }): the pages and
--- files of a folder, by the rules for their names.
pl.content = setmetatable({}, {
  __call = content,
  __index = { httpd = httpd },
})
