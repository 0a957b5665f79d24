-- basic.lua - pl.basic: a filter that asks for name and password (RFC 7617).

local core, pl = ...
core.load_part("identity")
local c = core.auth
local check_loading, check_options, fail =
  core.check_loading, core.check_options, core.fail
local credentials, refuse, set_user = c.credentials, c.refuse, c.set_user
local error, pairs, type = error, pairs, type

local call = "pl.basic"
local known = { realm = "text", file = "text", users = "any", check = "any",
  cache = "duration" }

local function check_users(users)
  if type(users) ~= "table" then
    fail(call .. ": option 'users' must be a table of names and hashes")
  end
  for name, secret in pairs(users) do
    core.check_string(call, "the name of a user", name)
    core.check_string(call, "the hash of " .. name, secret)
  end
  return users
end

-- check(user, password, req) gives who it is: true (the user), another name, a
-- table, which becomes req.user; or nothing.
local function by_function(check, challenge)
  core.check_function(call .. ": option 'check'", check)
  return function(req, _, next)
    local user, password = credentials(req)
    local who, err
    if user then
      who, err = check(user, password, req)
    end
    if err then
      error(err, 0)
    elseif not who then
      return refuse(req, challenge, user)
    end
    set_user(req, type(who) == "string" and who or user)
    if type(who) == "table" then
      req.user = who
    end
    return next()
  end
end

--- pl.basic { realm = "perilune", file = "htpasswd" }, or users = { name =
--- hash }, or check = function(user, password, req): a filter for pl.use() and
--- the option `auth` of routes. cache ["5m"]: how long each worker remembers
--- that a password was right; false: not at all.
function pl.basic(options)
  check_loading(call)
  options = check_options(call, known, options)
  local file, users, check = options.file, options.users, options.check
  if (file and 1 or 0) + (users and 1 or 0) + (check and 1 or 0) ~= 1 then
    fail(call .. ": one of the options file, users, check is needed")
  end
  local realm = options.realm or "perilune"
  if check then
    return by_function(check, c.challenge(call, realm))
  end
  local seconds = options.cache == false and 0
    or core.parse_seconds(options.cache or "5m")
  if not seconds then
    fail(call .. ": option 'cache' is no time like \"5m\"")
  end
  return c.basic(call, realm, file and core.in_folder(file) or nil,
    users and check_users(users) or nil, seconds * 1000)
end
