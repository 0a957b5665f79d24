-- fastcgi.lua - pl.fastcgi: requests sent on to PHP and other programs that
-- speak FastCGI. Loaded when a site first uses it.

local core, pl, c = ...
local check_loading, check_string, check_options, in_folder, fail =
  core.check_loading, core.check_string, core.check_options, core.in_folder,
  core.fail
local mount = c.mount
local pairs, setmetatable, type = pairs, setmetatable, type

local CALL = "pl.fastcgi"
local known = {
  to = "any", balance = "text", hash = "text",
  root = "text", script_root = "text", remote = "flag", suffixes = "names",
  index = "names", fallback = "text", no_scripts = "words",
  symlinks = "text", static = "flag", buffer = "flag", params = "fields",
  sendfile = "text", sendfile_prefix = "text", response_headers = "fields",
  max_connections = "count", queue = "count", queue_timeout = "duration",
  keepalive = "count", keepalive_timeout = "duration",
  connect_timeout = "duration", first_byte_timeout = "duration",
  read_timeout = "duration", total_timeout = "duration",
  retries = "count", max_failures = "count", pause = "duration",
}
for name, kind in pairs(core.route_options) do
  known[name] = known[name] or kind
end
known.expires, known.cache_control = nil, nil

-- C gets lists with spaces between.
local function check_folders(list)
  for i = 1, type(list) == "table" and #list or 0 do
    if type(list[i]) == "string" and list[i]:find " " then
      fail(CALL .. ": no_scripts: '" .. list[i] .. "' has a space in it")
    end
  end
end

--- pl.fastcgi(prefix, { to = "unix:/run/php/php-fpm.sock", root = "public",
--- ... }): requests for scripts below prefix, or all of them, are sent on
--- (docs/fastcgi-client.md has the options).
function pl.fastcgi(prefix, options)
  check_loading(CALL)
  check_string(CALL, "the prefix", prefix)
  if type(options) == "string" then
    options = { to = options }
  end
  check_folders(type(options) == "table" and options.no_scripts)
  options = check_options(CALL, known, options)
  if not core.upstream_servers then
    local _ = pl.proxy -- loads what both have
  end
  options.to = core.upstream_servers(CALL, options.to,
    "\"unix:/path\" or \"host:port\"")
  options.params = core.upstream_fields(CALL, "params", options.params)
  options.response_headers =
    core.upstream_fields(CALL, "response_headers", options.response_headers)
  if options.root and not options.remote then
    options.root = in_folder(options.root)
  elseif options.remote and not options.root then
    fail(CALL .. ": option 'remote' means nothing without 'root'")
  end
  options.sendfile = options.sendfile and in_folder(options.sendfile)
  setmetatable(options, { __index = core.inherited })
  core.around(CALL, options, mount, CALL, prefix, options)
end
