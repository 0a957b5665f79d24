-- luafcgid_con.lua - the object that scripts of luafcgid's answer with: `con`,
-- or `req` in older ones.
--
-- What puts() says is gathered in the text of the response by the functions of
-- dynamic pages (src/lua/lib_page.c), and becomes the body when the script is
-- over; flush() and unbuffered output begin a stream instead.

local core, pl, c = ...
local add, leave, take, finish = c.raw, c.leave, c.take, c.finish
local fail, failure, is_framing, LIMIT =
  core.fail, core.failure, core.is_framing, core.LIMIT
local lower, match = string.lower, string.match
local error, pairs, setmetatable, tonumber, tostring, type =
  error, pairs, setmetatable, tonumber, tostring, type
local methods = core.response_methods
local res_header, res_add_header, res_status, res_flush = methods.header,
  methods.add_header, methods.status, methods.flush

core.load_part "response"

local PAIRS = 1000 -- of a form

local Con = { __name = "LuaFCGId.Request" }
Con.__index = Con
Con.__metatable = Con.__name

--- "404 Not Found" -> 404; nil: that is no status of a response.
function core.luafcgid_status(text)
  local status = tonumber(match(text, "^%s*(%d%d%d)%f[%D]"))
  return status and status >= 200 and status or nil
end

--- Can it be a field of all responses? The server makes some itself.
function core.luafcgid_is_field(name, value)
  return match(name, "^[%w!#$%%&'*+.^_`|~-]+$") and not match(value, "%c")
    and not is_framing(name) and lower(name) ~= "content-length"
end

--- o: the site's options (luafcgid.lua).
function core.luafcgid_con(req, res, o)
  local names, values = o.names, o.values
  for i = 1, #names do
    res_add_header(res, names[i], values[i])
  end
  return setmetatable({ req = req, res = res, options = o, type = o.type,
    status = o.status }, Con)
end

local function text_of(call, what, value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" then
    fail(("%s: %s must be a string, not %s"):format(call, what,
      value == nil and "nil" or "a " .. kind))
  end
  return value
end

-- ---- the head --------------------------------------------------------------

-- Fields that the server itself makes are passed over.
local special = {
  ["content-length"] = function() end,
  status = function(self, value)
    local status = core.luafcgid_status(value)
    if not status then
      fail "con:header: a Status begins with a number from 200 to 999"
    end
    self.status = status
  end,
  location = function(self, value)
    res_header(self.res, "location", value)
    self.leads = true
  end,
  ["content-type"] = function(self, value)
    res_header(self.res, "content-type", value)
  end,
}

--- con:header("Name", value), or con:header("Name: value"). What comes after
--- the head has been sent is too late.
function Con:header(name, value)
  name = text_of("con:header", "the name", name)
  if value == nil then
    name, value = match(name, "^([^:]*):%s*(.-)%s*$")
    if not name then
      fail "con:header: a name and a value are needed"
    end
  end
  value = tostring(text_of("con:header", "the value", value))
  if self.started then
    return
  end
  local set = special[lower(name)]
  if set then
    set(self, value)
  elseif not is_framing(name) then
    res_add_header(self.res, name, value)
  end
end

-- As in CGI, who leads elsewhere redirects.
local function set_status(self)
  local status = self.status
  if status ~= 200 or self.leads then
    res_status(self.res, status == 200 and 302 or status)
  end
end

-- ---- the body --------------------------------------------------------------

-- Sends what there is, and the head before it.
local function send(self, call)
  local res = self.res
  if not self.started then
    set_status(self)
    if core.before_head then
      core.before_head(res)
    end
    self.started = true
  end
  core.res_send(call, res, leave(res, self.type))
end

--- con:puts(text): a string or a number.
function Con:puts(text)
  local kind = type(text)
  if kind ~= "string" and kind ~= "number" then
    text_of("con:puts", "the text", text)
  end
  self.said = true
  add(self.res, text)
  if not self.options.buffering then
    send(self, "con:puts")
  end
end

--- con:flush(): the head and what was said so far leave now.
function Con:flush()
  send(self, "con:flush")
  res_flush(self.res)
end

--- con:reset(): drops what was said and has not been sent.
function Con:reset()
  take(self.res)
end

--- For the library: the script is over; returned: what is said if it has said
--- nothing.
function core.luafcgid_end(self, returned)
  local res = self.res
  if not self.said and (type(returned) == "string"
    or type(returned) == "number") then
    add(res, returned)
  end
  if not self.started then
    set_status(self)
  end
  if not finish(res, self.type) then
    core.res_send("con:puts", res, leave(res, self.type))
  end
end

--- For the library: what was said is dropped. Nothing has been sent.
core.luafcgid_clear = c.begin

-- ---- what was asked --------------------------------------------------------

--- con:gets() -> the whole body, once; nil if there is none.
function Con:gets()
  if self.read then
    return nil
  end
  self.read = true
  local body = self.req:body()
  return body ~= "" and body or nil
end

--- con:parse(text) -> the decoded pairs of a query or form; without those that
--- are empty.
function Con:parse(text)
  if text == nil then
    return {}
  end
  local args =
    pl.url.decode_query(text_of("con:parse", "the text", text), PAIRS)
  if not args then
    error(failure(LIMIT, "con:parse", "too many pairs", 413), 0)
  end
  for name, value in pairs(args) do
    if value == "" then
      args[name] = nil
    end
  end
  return args
end

-- ---- the rest --------------------------------------------------------------

-- What a script may set for its own response.
local settable = {
  httpstatus = function(self, value)
    self.status = core.luafcgid_status(tostring(value)) or self.status
  end,
  contenttype = function(self, value)
    self.type = tostring(value)
  end,
}

--- con:config(name) -> what config.lua says, or its default; con:config(name,
--- value) sets httpstatus and contenttype for this response, and nothing else.
function Con:config(name, value)
  local set = value ~= nil and settable[name]
  if set then
    set(self, value)
  end
  return self.options.config[name]
end

--- con:log(text): a line in the log, as it is.
function Con:log(text)
  pl.log.info(tostring(text))
end
