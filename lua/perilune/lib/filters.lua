-- filters.lua - pl.cors, pl.security_headers, pl.request_id.

local core, pl, c = ...
local new_cors, new_security, new_id = c.cors, c.security_headers, c.request_id
local check_loading, check_options = core.check_loading, core.check_options
local check_string = core.check_string

local cors = {
  origins = "words", methods = "words", headers = "words", expose = "words",
  credentials = "flag", max_age = "duration",
}

--- pl.cors{ origins = { "https://a.example" }, methods, headers, expose = {},
--- credentials = false, max_age = "10m" }: a filter that lets pages of other
--- origins read what the routes inside of it answer. origins = "*": all may.
function pl.cors(options)
  check_loading("pl.cors")
  options = check_options("pl.cors", cors, options)
  return new_cors(options.origins or nil, options.methods or nil,
    options.headers or nil, options.expose or nil, options.credentials,
    options.max_age or nil)
end

local security = {
  nosniff = "flag", frame_ancestors = "words", referrer_policy = "text",
  csp = "text", csp_report_only = "flag", permissions_policy = "text",
  coop = "text", corp = "text", coep = "text",
}

--- pl.security_headers{ nosniff = true, frame_ancestors = "self",
--- referrer_policy, csp, csp_report_only = false, permissions_policy, coop,
--- corp, coep }: a filter that sets fields which tell browsers what pages may
--- do; false leaves one out. "{nonce}" in csp: a new number for each response,
--- res:nonce().
function pl.security_headers(options)
  check_loading("pl.security_headers")
  options = check_options("pl.security_headers", security, options)
  local function text(name)
    return options[name] == false and "" or options[name]
  end
  return new_security(options.nosniff == false, text("frame_ancestors"),
    text("referrer_policy"), text("csp"), options.csp_report_only,
    text("permissions_policy"), text("coop"), text("corp"), text("coep"))
end

--- pl.request_id([header = "X-Request-Id"]): a filter that gives requests an id
--- which a trusted proxy may have given them already.
function pl.request_id(header)
  check_loading("pl.request_id")
  if header ~= nil then
    check_string("pl.request_id", "the name of the field", header)
  end
  return new_id(header)
end

--- res:nonce() -> the number of the response's Content-Security-Policy; or nil
function core.response_methods:nonce()
  return c.nonce(self)
end
