-- http_response.lua - what comes back to pl.http: at once, or in pieces.

local core, pl, natives = ...
local wait, feed, take = natives.wait, natives.feed, natives.take
local close, failure, head = natives.close, natives.failure, natives.head
local fail, failed, raise = core.fail, core.failed, core.raise
local parse_size = core.parse_size
local concat, floor, huge = table.concat, math.floor, math.huge
local rawget, setmetatable, type = rawget, setmetatable, type

local HEAD, SOME, ALL = 0, 1, 2 -- as in src/client/transfer.h
local MORE = 2
local PIECE = 64 * 1024
local MOST = 16 * 1024 * 1024

local Response = { __name = "pl.http.response" }
Response.__index = Response

-- ---- the two directions ----------------------------------------------------

-- What is to be sent next; nil at the end. False, err: it will not come.
local function next_piece(call, body)
  local piece, err
  repeat
    piece, err = body()
    if piece == nil and err ~= nil then
      return false, err
    elseif piece ~= nil and type(piece) ~= "string" then
      fail(call .. ": the function 'body' must give strings, not a "
        .. type(piece))
    end
  until piece ~= ""
  return piece
end

-- Waits for what is wanted, and sends what is asked for meanwhile. True; or
-- nil, err.
local function pump(call, transfer, body, want)
  while true do
    local result = wait(transfer, call, want)
    if result == MORE then
      local piece, err = next_piece(call, body)
      if piece == false then
        close(transfer)
        return nil, err
      end
      feed(transfer, piece)
    elseif result == core.BUSY then
      return failed(call, result, "another task reads it")
    elseif result < 0 then
      local text = failure(transfer)
      close(transfer)
      return failed(call, result, text ~= "" and text or nil)
    else
      return true
    end
  end
end

-- ---- the head --------------------------------------------------------------

local by_name = {
  __index = function(headers, name)
    local lower = type(name) == "string" and name:lower()
    return lower and lower ~= name and rawget(headers, lower) or nil
  end,
}

local function set_headers(response, list)
  local headers = setmetatable({}, by_name)
  for i = 1, #list, 2 do
    local name, value = list[i]:lower(), list[i + 1]
    local before = rawget(headers, name)
    headers[name] = before and before .. ", " .. value or value
  end
  response.headers, response.fields = headers, list
end

--- All values of a field, as they came: Set-Cookie cannot be joined.
function Response:values(name)
  local values = {}
  if type(name) ~= "string" then
    fail("response:values: the name must be a string")
  end
  name = name:lower()
  for i = 1, #self.fields, 2 do
    if self.fields[i]:lower() == name then
      values[#values + 1] = self.fields[i + 1]
    end
  end
  return values
end

-- ---- the body --------------------------------------------------------------

--- The body, which is JSON; nil, err if it is not.
function Response:json()
  local text, err = self.body, nil
  if not text then
    text, err = self:read_all()
    if not text then
      return nil, err
    end
  end
  local value, problem = pl.json.decode(text)
  if value == nil then
    return failed("response:json", core.SYNTAX, problem)
  end
  return value
end

local function check_stream(self, call)
  if not self.transfer then
    fail(call .. ": the request was made without stream = true")
  end
end

--- The next bytes, at most n; nil at the end; nil, err.
function Response:read(n)
  check_stream(self, "response:read")
  n = n or PIECE
  if type(n) ~= "number" or n < 1 or floor(n) ~= n then
    fail("response:read: the number of bytes must be a whole number above 0")
  end
  if self.ended then
    return nil
  elseif self.failure then
    return nil, self.failure
  end
  local ok, err = pump("response:read", self.transfer, self.sends, SOME)
  if not ok then
    self.failure = err.code ~= "busy" and err or nil
    return nil, err
  end
  local piece = take(self.transfer, n)
  if not piece then
    self:close()
  end
  return piece
end

--- for piece in response:chunks() do: raises what fails.
function Response:chunks()
  check_stream(self, "response:chunks")
  return function()
    local piece, err = self:read()
    if err then
      fail("response:chunks: " .. err.message)
    end
    return piece
  end
end

--- All that comes until the end.
function Response:read_all(most)
  local call = "response:read_all"
  check_stream(self, call)
  local limit = most == nil and MOST or parse_size(most)
  if not limit then
    fail(call .. ": the size must be a number or a text like \"1m\"")
  end
  local out, len = {}, 0
  while true do
    local piece, err = self:read()
    if not piece then
      if err then
        return nil, err
      end
      return concat(out)
    end
    len = len + #piece
    if len > limit then
      self:close()
      return failed(call, core.LIMIT, "the response is longer than " .. limit
        .. " bytes")
    end
    out[#out + 1] = piece
  end
end

--- Gives it up: of a stream. The connection is kept only if all has come.
function Response:close()
  if self.transfer then
    close(self.transfer)
    self.ended = true
  end
end

Response.__close = Response.close -- of a local variable, in Lua 5.4

-- ---- made ------------------------------------------------------------------

-- Waits for the response to a transfer; or nil, err.
function core.http_response(call, transfer, plan, hops)
  local ok, err =
    pump(call, transfer, plan.body, plan.stream and HEAD or ALL)
  if not ok then
    return nil, err
  end
  local response = setmetatable({ url = plan.url.whole, redirects = hops },
    Response)
  local fields = head(transfer, response)
  if not fields then -- it was closed by somebody else, since
    raise(call, core.CLOSED)
  end
  set_headers(response, fields)
  if plan.stream then
    response.transfer, response.sends = transfer, plan.body
  else
    response.body = take(transfer, huge) or ""
    close(transfer)
  end
  return response
end
