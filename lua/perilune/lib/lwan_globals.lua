-- lwan_globals.lua - what stands outside of `site` in a configuration of
-- Lwan's: settings, addresses, headers, rights.
--
-- What it finds for the routes is left in the configuration: config.expires,
-- config.bodies.

local core, pl = ...
local ipairs, tonumber = ipairs, tonumber
local MIB = 1048576

-- ---- addresses -------------------------------------------------------------

local DEFAULT_PORT = ":8080"

-- "*:8080", "host:port", "[v6]:port", a port, a host, "systemd", "systemd:name"
local function address_of(text)
  if text:find "^%d+$" then
    return ":" .. text
  elseif text:find "^systemd" or text:find "^unix:" or text:find "^fd:" then
    return text
  end
  text = text:gsub("^%*", "")
  if text:find ":%d+$" then
    return text
  end
  return text .. DEFAULT_PORT
end

local function listen(config, line, text, proxy, tls)
  config:step(line, function()
    pl.listen {
      address_of(text), tls = tls,
      proxy_protocol = proxy and "optional" or nil,
      trusted = proxy or nil,
    }
  end)
end

-- Everybody may be a proxy, as with Lwan, unless `trusted` says who.
local function proxies_of(config, root)
  local on = root:flag("proxy_protocol", false)
  local trusted = root:text "trusted"
  if not on then
    return nil
  elseif trusted then
    return (trusted:gsub(",", " "))
  end
  config:note("warn", root.keys.proxy_protocol.line, "proxy_protocol: every "
    .. "client may say who it is; trusted = 10.0.0.0/8, say, names the proxies")
  return "0.0.0.0/0 ::/0 unix:"
end

local function read_tls(config, node)
  local section = config:section(node)
  local tls = { cert = section:text "cert", key = section:text "key",
    hsts = section:flag("hsts", false) or nil }
  if not tls.cert or not tls.key then
    config:fail(node.line, "tls_listener: both 'cert' and 'key' are needed")
  end
  section:done()
  return tls
end

local function read_listeners(config, root, over)
  local proxy = proxies_of(config, root)
  local plain, secure = root:inner "listener", root:inner "tls_listener"
  local tls = secure and read_tls(config, secure)
  if plain then
    config:section(plain):done()
  end
  if over.tls_listen or over.listen then -- instead of what is written here
    tls = over.cert and { cert = over.cert, key = over.key } or tls
    if over.tls_listen and not tls then
      config:fail(1, "a certificate is needed for %s", over.tls_listen)
    end
    plain = over.listen and { line = 1, value = over.listen }
    secure = over.tls_listen and { line = 1, value = over.tls_listen }
  elseif not plain and not secure then
    plain = { line = 1, value = "*" .. DEFAULT_PORT }
  end
  if plain then
    listen(config, plain.line, plain.value, proxy)
  end
  if secure then
    listen(config, secure.line, secure.value, proxy, tls)
  end
end

-- ---- headers ---------------------------------------------------------------

-- What is of a single answer, or of the server's own making.
local refused = {
  date = true, expires = true, ["www-authenticate"] = true, connection = true,
  ["content-type"] = true, ["transfer-encoding"] = true,
  ["access-control-allow-origin"] = true,
  ["access-control-allow-methods"] = true,
  ["access-control-allow-headers"] = true,
  ["access-control-allow-credentials"] = true,
}

local cors = {
  ["access-control-allow-origin"] = "*",
  ["access-control-allow-methods"] = "GET, POST, PUT, OPTIONS",
  ["access-control-allow-credentials"] = "true",
  ["access-control-allow-headers"] = "Origin, Accept, Content-Type",
}

local function read_headers(config, root)
  local node = root:inner "headers"
  if root:flag("allow_cors", false) then
    config:step(root.keys.allow_cors.line, function()
      pl.set { headers = cors }
    end)
  end
  for _, header in ipairs(node and node.nodes or {}) do
    local name = header.key
    if not name or not name:find "^[%a%d%-]+$" then
      config:fail(header.line, "headers: '%s' is no name of a header with a "
        .. "value", name or header.name)
    elseif refused[name:lower()] then
      config:fail(header.line, "headers: %s cannot be set here", name)
    end
    config:step(header.line, function()
      pl.set { headers = { [name] = header.value } }
    end)
  end
end

-- ---- rights ----------------------------------------------------------------

local function read_straitjacket(config, root, over)
  local node = root:inner "straitjacket"
  local other = root:inner "straightjacket"
  if node and other then
    config:fail(other.line, "there is a section 'straitjacket' already (line "
      .. "%d)", node.line)
  end
  node = node or other
  if not node and not over.chroot then
    return
  end
  local section = config:section(node or { line = 1, nodes = {} })
  local user = section:text "user"
  local chroot = over.chroot and "." or section:text "chroot"
  local drop = section:flag("drop_capabilities", true)
  section:done()
  config:step(section.node.line, function()
    if user then
      pl.set { user = user }
    end
    pl.set { sandbox = { chroot = chroot, drop_capabilities = drop } }
  end)
end

-- ---- settings --------------------------------------------------------------

local function set_at(config, root, key, settings)
  local found = root.keys[key]
  if found then
    config:step(found.line, function()
      pl.set(settings)
    end)
  end
end

-- A plain number of seconds; a time with units will do, too.
local function keep_alive(config, root)
  local found = root:find "keep_alive_timeout"
  local seconds = found and tonumber(found.value)
    or root:seconds "keep_alive_timeout"
  if seconds and seconds > 0 then
    set_at(config, root, "keep_alive_timeout", { idle_timeout = seconds })
  elseif seconds then
    config:fail(found.line, "keep_alive_timeout: at least a second is wanted")
  end
end

local spooled = {
  [""] = {}, post = { post = true }, put = { put = true },
  all = { post = true, put = true },
}

-- A body may be as long as the limit says (Lwan refuses that one, too).
local function read_bodies(config, root)
  local temp, line = root:text("allow_temp_files", "")
  local spool = spooled[temp]
  if not spool then
    config:fail(line, "allow_temp_files: post, put or all is wanted, not '%s'",
      temp)
  end
  local function limits(method)
    local size = root:count(("max_%s_data_size"):format(method), 40960, 1,
      128 * MIB)
    return { max_body = ("%d"):format(size), max_upload = ("%d"):format(size),
      body_spool = spool[method] and "1m" or "0" }
  end
  config.bodies = { post = limits "post", put = limits "put" }
end

local without_effect = {
  { "max_file_descriptors", "as many are used as the system allows" },
}

local function read_settings(config, root)
  keep_alive(config, root)
  if root:flag("quiet", false) then
    set_at(config, root, "quiet", { log_level = "notice" })
  end
  local threads = root:count("threads", 0, 0, 256)
  set_at(config, root, "threads", { workers = threads })
  local head = root:count("request_buffer_size", 4096, 512, 16 * MIB)
  set_at(config, root, "request_buffer_size", { max_line = head,
    max_head = head })
  set_at(config, root, "error_template",
    { error_pages = root:text "error_template" })
  config.expires = root:seconds("expires", 604800)
  read_bodies(config, root)
  root:meaningless(without_effect)
end

--- Takes from root, a section, what is no route. over: see lwan.lua.
function core.lwan_globals(config, root, over)
  for _, node in ipairs(root.sections) do
    if node.name == "constants" then -- read while the file was parsed
      root.known.constants = true
    end
  end
  read_settings(config, root)
  read_listeners(config, root, over)
  read_headers(config, root)
  read_straitjacket(config, root, over)
end
