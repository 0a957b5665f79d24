-- pages.lua - pl.pages: a folder of dynamic pages, by URL.
--
--     /wiki/          wiki/index.lsp, index.lp or index.dyn.html
--     /wiki/page      wiki/page.lsp, page.lp or page.dyn.html
--     /wiki/page.lsp  wiki/page.lsp
--     /data.json      data.dyn.json
--
-- Names that begin with a dot, and .priv. files, are for nobody: pages include
-- them.

local core, pl = ...
core.load_part "page"
local page = core.page
local check_loading, check_string, check_options =
  core.check_loading, core.check_string, core.check_options
local fail, in_folder, now = core.fail, core.in_folder, core.now
local find, gmatch, gsub, match =
  string.find, string.gmatch, string.gsub, string.match
local pairs, type = pairs, type

local known = {
  root = "text", index = "names", dialects = "names", escape = "flag",
  layout = "text", environment = "fields", check = "duration",
  files = "flag", methods = "text",
}

for name, kind in pairs(core.route_options) do
  known[name] = kind
end

-- The ends of names that a URL does without.
local suffixes = { lsp = { ".lsp", ".lp" }, ["80s"] = { ".dyn.html" } }

local function list_of(names)
  local list = {}
  for name in gmatch(names, "%S+") do
    list[#list + 1] = name
  end
  return list
end

local function check_dialects(names)
  local set, ends = {}, {}
  for _, name in pairs(list_of(names)) do
    if not suffixes[name] then
      fail(("pl.pages: option 'dialects': there are 80s and lsp, not '%s'")
        :format(name))
    end
    set[name] = true
    for _, suffix in pairs(suffixes[name]) do
      ends[#ends + 1] = suffix
    end
  end
  return set, ends
end

-- ---- from a path to a page -------------------------------------------------

-- Is it for nobody, as the path of a page or of another file?
local function is_hidden(path)
  return find(path, "^%.") or find(path, "/%.") or find(path, "%.priv%.")
    or find(path, "//") or find(path, "%.dyn%.")
end

-- Source, or what an editor has left of it ("x.lsp~", "x.lua.orig").
local function is_source(path)
  return find(path, "%.lsp%f[%W]") or find(path, "%.lp%f[%W]")
    or find(path, "%.lua%f[%W]")
end

local function try(site, name)
  if not site.dialects[page.dialect_of(name)] then
    return nil
  end
  local found, err = site.folder:get(name)
  if not found and err.status ~= 404 then
    return nil, err
  end
  return found
end

-- Each name that a path can mean, in turn, until see(name) gives something.
local function each_name(site, path, see)
  if path == "" or find(path, "/$") then
    for i = 1, #site.index do
      local found, err = see(site, path .. site.index[i])
      if found or err then
        return found, err
      end
    end
    return nil
  elseif find(path, "%.lsp$") or find(path, "%.lp$") then
    return see(site, path)
  elseif find(path, "%.[^./]+$") then
    return see(site, (gsub(path, "(%.[^./]+)$", ".dyn%1")))
  end
  for i = 1, #site.ends do
    local found, err = see(site, path .. site.ends[i])
    if found or err then
      return found, err
    end
  end
end

local function find_page(site, path)
  local found = site.found[path]
  if found and now() < found.due then
    return found
  elseif is_hidden(path) then
    return nil
  end
  local err
  found, err = each_name(site, path, try)
  site.found[path] = found
  return found, err
end

-- ---- answering -------------------------------------------------------------

-- A page, whose relative links begin behind its slash.
local function redirect(req, res)
  local target = pl.url.encode_path(req.path) .. "/"
  res:redirect(req.query and target .. "?" .. req.query or target, 301)
end

local function send_file(site, req, res, path)
  if path == "" or find(path, "/$") or is_hidden(path) or is_source(path) then
    return 404
  elseif req.method ~= "GET" and req.method ~= "HEAD" then
    return 405, nil, { allow = "GET, HEAD" }
  end
  local sent, err = res:send_file(path, site.root)
  if sent then
    return sent
  end
  return nil, err
end

local function answer(site, req, res)
  local path = req.rest
  local found, err = find_page(site, path)
  if found then
    return found:render(req, res)
  elseif err then
    return nil, err
  elseif path ~= "" and not find(path, "/$") and not is_hidden(path) then
    found, err = each_name(site, path .. "/", try)
    if found then
      return redirect(req, res)
    elseif err then
      return nil, err
    end
  end
  if site.files then
    return send_file(site, req, res, path)
  end
  return 404
end

-- ---- the call --------------------------------------------------------------

-- A site's own values, as makers.
local function makers_of(values)
  local makers = {}
  for name, value in pairs(values) do
    if type(name) ~= "string" or not find(name, "^[%a_][%w_]*$") then
      fail("pl.pages: option 'environment': names are those of variables")
    end
    makers[name] = function()
      return value
    end
  end
  return makers
end

local function route_options(options)
  local own = {}
  for name in pairs(core.route_options) do
    own[name] = options[name]
  end
  return own
end

--- pl.pages(prefix, { root = "pages", index, dialects = { "lsp", "80s" },
--- escape = true, layout, environment = { name = value }, check = "1s", files =
--- false, methods = "GET POST", and the options of routes }): the dynamic pages
--- of a folder.
function pl.pages(prefix, options)
  check_loading("pl.pages")
  check_string("pl.pages", "the prefix", prefix)
  options = check_options("pl.pages", known, options)
  check_string("pl.pages", "option 'root'", options.root)
  local dialects, ends = check_dialects(options.dialects or "lsp 80s")
  local index = options.index
  if not index then
    index = gsub("index" .. table.concat(ends, " index"), "^index$", "")
  end
  local check = options.check
  if check then
    check = core.parse_seconds(check)
      or fail("pl.pages: option 'check' must be a string like \"10s\" or "
        .. "seconds")
  end
  local site = {
    root = in_folder(options.root),
    files = options.files,
    dialects = dialects,
    ends = ends,
    index = list_of(index),
    found = {},
    folder = page.folder(options.root, {
      escape = options.escape,
      layout = options.layout or nil,
      check = check,
      environment = options.environment
        and page.environment(makers_of(options.environment)),
    }),
  }
  prefix = gsub(prefix, "/+$", "")
  local methods, own = options.methods or "GET POST", route_options(options)
  core.add_route("pl.pages", methods, prefix .. "/*path", own,
    function(req, res)
      return answer(site, req, res)
    end)
  if prefix ~= "" then
    core.add_route("pl.pages", methods, prefix, own, redirect)
  end
end
