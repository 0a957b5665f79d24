-- content.lua - pl.content: a folder of pages and files becomes a site, by the
-- names of its files (content_names.lua), as 80s' content server has it.
--
--     GET, HEAD  --> page that was there at load: a route of its own
--                --> file: handlers/content.c
--                --> page that came later: find_page()
--     others     --> page of that method, or find_page()
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

core.load_part "codec_80s"
core.load_part "page"

local LOOK = 1 -- seconds for which a list of a folder is good
local FOLDERS = 256 -- lists that are kept, at most
local IMMUTABLE = "public, max-age=604800, immutable"

-- ---- one page --------------------------------------------------------------

-- What pages see beside globals, on top of what every page has.
local environment = core.page.environment {
  aio = function() return pl.aio end,
  codec = function() return core.codec_80s end,
  crypto = function() return core.crypto_80s end,
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
  local session = {}
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
-- rule }.
local Folder = {}
Folder.__index = Folder

-- The files of a folder ("" or with a slash at its end), as they were a moment
-- ago.
function Folder:list(folder)
  local now = pl.now()
  local listed = self.lists[folder]
  if listed and now - listed.at < LOOK then
    return listed.files
  elseif not listed and self.nlists >= FOLDERS then
    self.lists, self.nlists = {}, 0
  end
  local files = pl.fs.list(self.root .. "/" .. folder) or {}
  self.nlists = self.nlists + (self.lists[folder] and 0 or 1)
  self.lists[folder] = { at = now, files = files }
  return files
end

-- Remembers a file. Several may have one URL: the first by name is it.
function Folder:add(path, rule)
  local methods = self.known[rule.url] or {}
  local other = methods[rule.method]
  if other and other.path ~= path then
    pl.log.warn(("%s/%s is not served: it has the URL of %s"):format(self.root,
      path, other.path))
    return other
  end
  self.known[rule.url] = methods
  local entry = { path = path, rule = rule, type = type_of(rule.name) }
  methods[rule.method] = entry
  return entry
end

function Folder:forget(url, method)
  local methods = self.known[url]
  if methods then
    methods[method] = nil
    self.known[url] = next(methods) and methods or nil
  end
end

-- Looks for a file in its folder. any: also one that is found without us.
function Folder:find(url, method, any)
  local folder = url:match "^/(.-)[^/]*$"
  if not folder or url:find "%z" or not names_of(folder .. "x.dyn.html") then
    return nil
  end
  for _, item in ipairs(self:list(folder)) do
    local path = folder .. item.name
    local rule = item.type ~= "directory" and names_of(path)
    if rule and rule.url == url and rule.method == method
      and (any or rule.named) and not (rule.static and self.no_static) then
      return any and not rule.named and { path = path, rule = rule }
        or self:add(path, rule)
    end
  end
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

-- All that Lua answers, as it is now. A tree that is too large to list is found
-- file by file.
local function scan(self)
  local items = pl.fs.list(self.root, { recursive = true }) or {}
  for _, item in ipairs(items) do
    local rule = item.type ~= "directory" and names_of(item.name)
    if rule and rule.named and not (rule.static and self.no_static) then
      self:add(item.name, rule)
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

local function mount_folder(call, prefix, root, no_static)
  prefix = prefix:gsub("/$", "")
  local self = setmetatable({
    root = root, no_static = no_static, known = {}, lists = {}, nlists = 0,
  }, Folder)
  local err
  self.pages, err = core.page.folder(root, { environment = environment })
  if not self.pages then
    core.fail(call .. ": " .. err.message)
  end
  scan(self)
  add_routes(self, call, prefix)
  local fn = new_handler(self)
  mount(call, prefix == "" and "/" or prefix, in_folder(root), no_static, fn)
  for _, method in ipairs { "POST", "PUT", "DELETE" } do
    add_route(call, method, prefix .. "/*path", fn, root)
  end
end

local known = { root = "text", no_static = "flag" }

local function content(_, prefix, options)
  check_loading("pl.content")
  check_string("pl.content", "the prefix", prefix)
  options = check_options("pl.content", known, options)
  check_string("pl.content", "option 'root'", options.root)
  mount_folder("pl.content", prefix, (options.root:gsub("(.)/$", "%1")),
    options.no_static)
end

-- ---- as 80s starts it ------------------------------------------------------

local httpd = {}

-- main.lua, which may be missing; then --watch looks out for it.
local function run_script(path)
  path = in_folder(path)
  local chunk, err = core.loadfile(path)
  if chunk then
    return chunk(path)
  elseif not err:find "^cannot " then
    error(failure(SYNTAX, nil, err), 0)
  elseif pl.fs.exists(path) then
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
  _G.aio, _G.codec, _G.crypto = pl.aio, core.codec_80s, core.crypto_80s
  _G.iserror, _G.make_error = pl.aio.iserror, pl.aio.make_error
  set_limits(o.header_size, o.body_size)
  if o.master_key then
    pl.aio:set_master_key(o.master_key)
  end
  run_script(root .. "main.lua")
  mount_folder(call, o.base_prefix or "", root .. "public_html", o.no_static)
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

-- `perilune FOLDER`: what is said by the environment.
function httpd:serve()
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
  })
end

--- pl.content(prefix, { root = "blog", no_static = false }): the pages and
--- files of a folder, by the rules for their names.
pl.content = setmetatable({}, {
  __call = content,
  __index = { httpd = httpd },
})
