-- tls.lua - checks of the option tls of pl.listen, and of other calls that have
-- it. Loaded when a site first has one.

local core = ...
local fail, check_options, in_folder =
  core.fail, core.check_options, core.in_folder
local ipairs, pairs, type = ipairs, pairs, type

local listener = {
  cert = "text", key = "text", ocsp = "text", ciphers = "text",
  ciphersuites = "text", curves = "text", min_version = "text",
  verify = "text", verify_depth = "count", ca = "text",
  session_tickets = "flag", session_timeout = "duration",
  ticket_key_rotation = "duration", hsts = "flag_or_text", redirect = "flag",
}
local pair = { cert = "text", key = "text", ocsp = "text" }
local files = { "cert", "key", "ocsp", "ca" }

local function with_folders(options)
  for i = 1, #files do
    local path = options[files[i]]
    options[files[i]] = path and in_folder(path) or nil
  end
  return options
end

-- One of the list of certificates: { cert = ..., key = ... }, or the two files.
local function check_pair(call, given)
  if type(given) == "string" then
    given = { cert = given }
  elseif type(given) == "table" and given[1] then
    given = { cert = given[1], key = given[2], ocsp = given.ocsp }
  end
  local checked = with_folders(check_options(call, pair, given))
  if not checked.cert then
    fail(call .. ": each of 'certs' needs a file 'cert'")
  end
  return checked
end

local function one_of(call, name, value, choices)
  if value and not choices[value] then
    fail(("%s: option '%s': there is no '%s'"):format(call, name, value))
  end
end

--- Returns what C reads: the options, with the certificates in pairs.
function core.check_tls(call, given)
  if given == "dev" then
    return { dev = true, pairs = {} }
  elseif type(given) ~= "table" then
    fail(call .. ": option 'tls' must be \"dev\" or a table like "
      .. "{ cert = \"site.crt\", key = \"site.key\" }")
  end
  local options = {}
  for name, value in pairs(given) do
    options[name] = value
  end
  options.certs = nil
  call = call .. ": option 'tls'"
  options = with_folders(check_options(call, listener, options))
  one_of(call, "min_version", options.min_version,
    { ["1.2"] = true, ["1.3"] = true })
  one_of(call, "verify", options.verify,
    { none = true, optional = true, required = true, any = true })
  options.pairs = {}
  if options.cert then
    options.pairs[1] = { cert = options.cert, key = options.key,
      ocsp = options.ocsp }
  end
  for _, entry in ipairs(given.certs or {}) do
    options.pairs[#options.pairs + 1] = check_pair(call, entry)
  end
  if #options.pairs == 0 then
    fail(call .. ": a certificate is needed, as in "
      .. "{ cert = \"site.crt\", key = \"site.key\" }")
  end
  return options
end
