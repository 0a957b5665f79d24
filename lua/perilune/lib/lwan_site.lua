-- lwan_site.lua - the section `site` of a configuration of Lwan's: its entries
-- as routes.
--
--     module /prefix { options }        &handler /prefix
--
-- A prefix is a path and all below it. It ends where an element of the path
-- ends: /hello is not /helloworld (in Lwan it is).

local core, pl, c = ...
local ipairs, tonumber = ipairs, tonumber

-- Each takes the keys of its section, and gives what adds its routes.
local modules = {}

-- ---- routes ----------------------------------------------------------------

local OTHERS = "GET HEAD POST DELETE OPTIONS PATCH"

local function same(a, b)
  return a.max_body == b.max_body and a.body_spool == b.body_spool
end

local function mount(methods, prefix, limits, fn)
  core.route("site", methods, prefix, fn, true, nil, nil, limits, true)
end

-- Adds fn, or what pl.handler() has given, for a prefix. Bodies of POST and PUT
-- have limits of their own.
local function route_all(config, prefix, fn)
  local post, put = config.bodies.post, config.bodies.put
  if same(post, put) then
    mount("any", prefix, post, fn)
  else
    mount(OTHERS, prefix, post, fn)
    mount("PUT", prefix, put, fn)
  end
end

-- ---- modules ---------------------------------------------------------------

local no_files = {
  { "read_ahead", "the kernel is told by itself" },
  { "auto_index_readme", "a list of files shows the README beside them" },
}

function modules.serve_files(config, section, prefix)
  local root = section:text "path"
  if not root then
    config:fail(section.node.line, "serve_files: a 'path' is needed")
  end
  local precompressed = section:flag("serve_precompressed_path", true)
    and section:flag("serve_precompressed_files", true)
  local template, line = section:text "directory_list_template"
  if template then
    config:note("warn", line, "directory_list_template: it is Mustache, and "
      .. "the names in it are those of pl.static")
  end
  local options = {
    root = root, index = section:text("index_path", "index.html"),
    precompressed = precompressed,
    listing = section:flag("auto_index", true) and (template or true) or false,
    cache = section:seconds("cache_for", 5), expires = config.expires,
  }
  section:meaningless(no_files)
  return function()
    pl.static(prefix, options)
  end
end

local redirects = { [301] = true, [302] = true, [303] = true, [307] = true,
  [308] = true }

function modules.redirect(config, section, prefix)
  local to = section:text "to"
  local code, line = section:text("code", "301")
  local status = tonumber(code)
  if not to then
    config:fail(section.node.line, "redirect: 'to' is needed")
  elseif not redirects[status] then
    config:fail(line, "redirect: a code of 301, 302, 303, 307 or 308 is "
      .. "wanted, not '%s'", code)
  end
  return function()
    pl.redirect(prefix, { to = to, status = status })
  end
end

function modules.response(config, section, prefix)
  local code, line = section:text "code"
  local status = tonumber(code)
  if not code then
    config:fail(line, "response: a 'code' is needed")
  elseif not status or status < 200 or not c.reason(status) then
    config:fail(line, "response: '%s' is no status of a response", code)
  end
  return function()
    mount("any", prefix, {}, function()
      return status
    end)
  end
end

function modules.lua(config, section, prefix)
  core.load_part "lwan_lua"
  local make = core.lwan_lua(config, section)
  return function()
    route_all(config, prefix, make())
  end
end

function modules.rewrite(config, section, prefix)
  core.load_part "lwan_rewrite"
  return core.lwan_rewrite(config, section, prefix)
end

function modules.fastcgi(config, section, prefix)
  local address, root = section:text "address", section:text "script_path"
  if not (address and root) then
    config:fail(section.node.line,
      "fastcgi: 'address' and 'script_path' are needed")
  end
  local bodies = config.bodies.post
  local options = {
    to = address:find "^/" and "unix:" .. address or address,
    root = root, index = section:text("default_index", "index.php"),
    response_headers = { ["X-Powered-By"] = false },
    max_body = bodies.max_body, max_upload = bodies.max_upload,
    body_spool = bodies.body_spool,
  }
  return function()
    pl.fastcgi(prefix, options)
  end
end

-- &name: a handler of a native module (-m, pl.module)
local function handler(name)
  return function(config, _, prefix)
    return function()
      route_all(config, prefix, pl.handler(name))
    end
  end
end

-- ---- entries ---------------------------------------------------------------

local function check_prefix(config, node)
  local prefix = node.value
  if not prefix:find "^/" then
    config:fail(node.line, "%s: a prefix like /path is needed", node.name)
  elseif prefix:find "/[:*]" or prefix:find "%s" then
    config:fail(node.line, "%s: the prefix '%s' has an element that begins "
      .. "with ':' or '*', or a space", node.name, prefix)
  end
  prefix = prefix:gsub("/+$", "")
  return prefix == "" and "/" or prefix
end

local function module_of(config, node)
  local name = node.name:match "^&(.+)$"
  local module = name and handler(name) or modules[node.name]
  if not module then
    core.load_part "options"
    config:fail(node.line, "there is no module '%s'%s (a handler in C is "
      .. "written &%s)", node.name, core.suggest(modules, node.name), node.name)
  end
  return module
end

-- The options of pl.basic; or nil.
local function authorization_of(config, section)
  local node = section:inner "authorization"
  if not node then
    return nil
  elseif node.value ~= "basic" then
    config:fail(node.line, "authorization: only basic is known, not '%s'",
      node.value)
  end
  local inner = config:section(node)
  local options = { realm = inner:text("realm", "Lwan"),
    file = inner:text("password_file", "htpasswd") }
  inner:done()
  return options
end

local function add_entry(config, node)
  local module, prefix = module_of(config, node), check_prefix(config, node)
  local section = config:section(node)
  local login = authorization_of(config, section)
  local add = module(config, section, prefix)
  section:done(true)
  config:step(node.line, function()
    pl.group("", function()
      if login then
        pl.use(pl.basic(login))
      end
      add()
    end)
  end)
end

--- Takes `site` from root.
function core.lwan_site(config, root)
  local site = root:inner "site"
  if not site then
    config:fail(1, "there is no section 'site'")
  end
  for _, node in ipairs(site.nodes) do
    if node.key then
      config:fail(node.line, "'%s' stands where a module and a prefix are "
        .. "wanted", node.key)
    end
    add_entry(config, node)
  end
end
