-- lwan_pages.lua - `server_pages` of Lwan's module `lua`: a folder of Lua
-- Server Pages (lib/page.lua), and of scripts.
--
--     /            index.lsp, index.lp or index.lua
--     /a.lsp       a page, *.lp too: compiled once, and when it has changed
--     /a.lua       a script: its text is a function of __request and mg
--
-- Other files, and names that begin with a dot, are for nobody.

local core, pl = ...
local load_part = core.load_part
load_part "page"
local page = core.page
local new_request, answer, status_of =
  core.lwan_request, core.lwan_answer, core.lwan_status
local failure, in_folder, now, SYNTAX =
  core.failure, core.in_folder, core.now, core.SYNTAX
local error, load, pairs, select, tostring =
  error, loadstring or load, pairs, select, tostring
local find = string.find

local INDEX = { "index.lsp", "index.lp", "index.lua" }

-- ---- what pages see --------------------------------------------------------

-- Of the names that pages have, Lwan's know mg alone.
local function environment(default_type)
  local makers = {}
  for name in pairs(page.names) do
    makers[name] = false
  end
  makers.mg = page.names.mg
  function makers.__request(run)
    local object = new_request(run.req, run.res, default_type)
    local write = page.names.mg(run).write
    function object.write(_, text)
      write(text)
    end
    return object
  end
  return page.environment(makers)
end

-- ---- scripts ---------------------------------------------------------------

-- The function of a script's file; nil: it is not there. Looked at again when
-- it was not for site.check seconds.
local function find_script(site, path)
  local script = site.scripts[path]
  if script and now() < script.due then
    return script.fn
  end
  local name = site.root .. "/" .. path
  local stat = pl.fs.stat(name)
  if not stat or stat.type ~= "file" then
    site.scripts[path] = nil
    return nil
  elseif script and script.mtime == stat.mtime and script.size == stat.size then
    script.due = now() + site.check
    return script.fn
  end
  local text = pl.fs.read(name)
  if not text then
    return nil
  end
  local fn, err = load("local __request, mg = ... " .. text,
    "@" .. in_folder(name))
  if not fn then
    error(failure(SYNTAX, nil, err), 0)
  end
  site.scripts[path] = { fn = fn, mtime = stat.mtime, size = stat.size,
    due = now() + site.check }
  return fn
end

local function run_script(site, fn, req, res)
  local object = new_request(req, res, site.type)
  local mg = page.names.mg { req = req, res = res, page = {} }
  function mg.write(...)
    for i = 1, select("#", ...) do
      object:write(tostring((select(i, ...))))
    end
  end
  return answer(object, fn(object, mg))
end

-- ---- which one -------------------------------------------------------------

-- Gives a page, or the function of a script; nil, err.
local function find_source(site, path)
  if find(path, "%.lua$") then
    return nil, nil, find_script(site, path)
  end
  local found, err = site.folder:get(path, "lsp")
  if not found and err.status ~= 404 then
    return nil, err
  end
  return found
end

local function find_index(site, path)
  for i = 1, #INDEX do
    local found, err, fn = find_source(site, path .. INDEX[i])
    if found or err or fn then
      return found, err, fn
    end
  end
end

local function find_any(site, path)
  if find(path, "^%.") or find(path, "/%.") or find(path, "//", 1, true) then
    return nil
  elseif path == "" or find(path, "/$") then
    return find_index(site, path)
  elseif find(path, "%.lsp$") or find(path, "%.lp$")
    or find(path, "%.lua$") then
    return find_source(site, path)
  end
end

local function serve(site, req, res)
  local found, err, fn = find_any(site, req.rest or "")
  if found then
    local result = found:render(req, res)
    if result ~= nil then
      return status_of(result)
    end
    return nil
  elseif fn then
    return run_script(site, fn, req, res)
  elseif err then
    return nil, err
  end
  return 404
end

--- Gives what makes the handler, as core.lwan_lua() does.
function core.lwan_pages(path, check)
  return function(default_type)
    local site = {
      root = path, type = default_type, check = check or 1, scripts = {},
      folder = page.folder(path, { dialect = "lsp", escape = false,
        type = default_type, check = check,
        environment = environment(default_type) }),
    }
    return function(req, res)
      return serve(site, req, res)
    end
  end
end
