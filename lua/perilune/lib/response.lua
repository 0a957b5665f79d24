-- response.lua - cookies, files and streams of the response object. Loaded when
-- a site first uses one of them.

local core, _, res = ...
local methods = core.response_methods
local cookie, send_file, new_fetch, fetch_file, take_file =
  res.cookie, res.send_file, res.new_fetch, res.fetch_file, res.take_file
local push, drain, pause = res.push, res.drain, res.pause
local in_folder, check_string, check_options =
  core.in_folder, core.check_string, core.check_options
local failure, fail, raise = core.failure, core.fail, core.raise
local AGAIN, CLOSED, LIMIT, STATE =
  core.AGAIN, core.CLOSED, core.LIMIT, core.STATE
local NOT_FOUND, DENIED = core.NOT_FOUND, core.DENIED
local concat, select, type = table.concat, select, type

res.open()

local cookie_options = {
  path = "text", domain = "text", max_age = "number", expires = "number",
  secure = "flag", http_only = "flag", same_site = "text",
  partitioned = "flag",
}

--- res:cookie(name, value [, options]): adds a Set-Cookie field. options:
--- path = "/", domain, max_age (seconds), expires (seconds since 1970), secure,
--- http_only = true, same_site = "lax", partitioned.
function methods:cookie(name, value, options)
  cookie(self, name, value,
    options and check_options("res:cookie", cookie_options, options))
end

--- res:send_file(path [, root]): the file becomes the body, with its type and
--- validators. path is relative to the site's folder; with root it is below
--- that folder and cannot leave it, whatever it says: use that for paths which
--- clients choose. Waits for the disk where it must. Returns true, or nil, err
--- (code "not_found", "denied", ...).
function methods:send_file(path, root)
  if root ~= nil then
    check_string("res:send_file", "the root", root)
    root = in_folder(root)
  elseif type(path) == "string" then
    path = in_folder(path)
  end
  local result = send_file(self, path, root)
  if result == AGAIN then
    local fetch = new_fetch()
    result = fetch_file(self, fetch, path, root)
    if result == 0 then
      result = take_file(self, fetch)
    end
  end
  if result == 0 then
    return true
  end
  local status = result == NOT_FOUND and 404 or result == DENIED and 403 or nil
  return nil, failure(result, "res:send_file", nil, status)
end

local function text(...)
  if select("#", ...) == 1 and type((...)) == "string" then
    return (...)
  end
  local parts = { ... }
  for i = 1, select("#", ...) do
    local kind = type(parts[i])
    if kind ~= "string" and kind ~= "number" then
      fail(("res:write: strings and numbers are written, not %s")
        :format(kind == "nil" and kind or "a " .. kind))
    end
  end
  return concat(parts)
end

local faults = {
  [LIMIT] = ": more than content-length says",
  [STATE] = ": the body was given as a whole, or another task is waiting to "
    .. "write",
}

-- What a push has said becomes what users see; waits if it has to.
local function say(call, result, self)
  if result == AGAIN then
    result = drain(self)
  elseif result == 1 then
    result = pause()
  end
  if result >= 0 then
    return true
  elseif result == CLOSED then
    return nil, failure(result, call)
  elseif faults[result] then
    fail(call .. faults[result])
  end
  raise(call, result)
end

core.res_say = say

-- Sends a text, in pieces that the connection has room for.
local function send(call, self, text)
  local result, from = push(self, text, 0)
  while from do
    local ok, err = say(call, result, self)
    if not ok then
      return nil, err
    end
    result, from = push(self, text, from)
  end
  return say(call, result, self)
end

core.res_send = send

--- res:write(...): sends the head (the first time) and a piece of the body.
--- Waits while the client does not read. Returns true, or nil, err when the
--- client has gone, or wanted the head only and this writes on and on; writing
--- after that ends the handler.
function methods:write(...)
  local before_head = core.before_head
  if before_head then
    before_head(self)
  end
  return send("res:write", self, text(...))
end
