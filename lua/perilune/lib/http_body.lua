-- http_body.lua - what a request of pl.http says: its fields, and a body made
-- of JSON, of a form, of parts.

local core, pl = ...
local fail = core.fail
local concat, floor, sort = table.concat, math.floor, table.sort
local ipairs, next, pairs, tostring, type = ipairs, next, pairs, tostring, type

local http_body = {}
core.http_body = http_body

-- ---- fields ----------------------------------------------------------------

-- libcurl frames the message.
local framing = {
  ["content-length"] = true, ["transfer-encoding"] = true, connection = true,
  upgrade = true, ["keep-alive"] = true, te = true, trailer = true,
}

local function check_name(call, name)
  if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
    fail(("%s: option 'headers': '%s' is no name of a field")
      :format(call, tostring(name)))
  elseif framing[name:lower()] then
    fail(("%s: option 'headers': %s is set by the client itself")
      :format(call, name))
  end
end

local function check_value(call, name, value)
  local kind = type(value)
  if kind == "number" then
    value = tostring(value)
  elseif kind ~= "string" or value:find "[%z\1-\8\10-\31\127]" then
    fail(("%s: option 'headers': %s must be a line of text"):format(call, name))
  end
  return (value:gsub("^[ \t]+", ""):gsub("[ \t]+$", ""))
end

-- Adds what is in headers: fields[lower name] = { name, value, value, ... };
-- false takes out what a session has.
local function add_fields(call, fields, headers)
  for name, value in pairs(headers or {}) do
    check_name(call, name)
    local field = { name }
    if type(value) == "table" then
      for i, one in ipairs(value) do
        field[i + 1] = check_value(call, name, one)
      end
    elseif value ~= false then
      field[2] = check_value(call, name, value)
    end
    fields[name:lower()] = field
  end
end

--- Raises what is wrong with headers.
function http_body.check_fields(call, headers)
  add_fields(call, {}, headers)
end

--- The fields as libcurl has them: what it would add by itself is taken out.
function http_body.lines(plan)
  local lines, names = {}, {}
  for name in pairs(plan.fields) do
    names[#names + 1] = name
  end
  sort(names)
  for _, name in ipairs(names) do
    local field = plan.fields[name]
    for i = 2, #field do
      lines[#lines + 1] = field[i] == "" and field[1] .. ";"
        or field[1] .. ": " .. field[i]
    end
  end
  if not plan.fields.expect then
    lines[#lines + 1] = "Expect:" -- nobody waits for "100 Continue"
  end
  if plan.body and not plan.fields["content-type"] then
    lines[#lines + 1] = "Content-Type:"
  end
  return lines
end

-- ---- bodies ----------------------------------------------------------------

-- A name between quotes (WHATWG, multipart/form-data).
local quoted = { ['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A" }

local function quote(call, what, text)
  if type(text) ~= "string" then
    fail(("%s: option 'parts': each part needs a %s"):format(call, what))
  end
  return '"' .. text:gsub('["\r\n]', quoted) .. '"'
end

local function add_part(call, out, boundary, part)
  if type(part) ~= "table" then
    fail(call .. ": option 'parts' must be a list of tables")
  end
  local data = part.data
  if type(data) == "number" then
    data = tostring(data)
  elseif type(data) ~= "string" then
    fail(call .. ": option 'parts': each part needs data, a string")
  end
  local head = "form-data; name=" .. quote(call, "name", part.name)
  if part.filename then
    head = head .. "; filename=" .. quote(call, "filename", part.filename)
  end
  local kind = part.type or part.filename and "application/octet-stream"
  out[#out + 1] = "--" .. boundary .. "\r\nContent-Disposition: " .. head
    .. (kind and "\r\nContent-Type: " .. check_value(call, "type", kind) or "")
    .. "\r\n\r\n"
  out[#out + 1] = data
  out[#out + 1] = "\r\n"
end

local makers = {}

function makers.json(_, value)
  return pl.json.encode(value), "application/json"
end

function makers.form(call, fields)
  if type(fields) ~= "table" then
    fail(call .. ": option 'form' must be a table")
  end
  return pl.url.encode_query(fields), "application/x-www-form-urlencoded"
end

function makers.parts(call, parts)
  if type(parts) ~= "table" or #parts == 0 then
    fail(call .. ": option 'parts' must be a list of tables")
  end
  local boundary, out = pl.crypto.token(24), {}
  for _, part in ipairs(parts) do
    add_part(call, out, boundary, part)
  end
  out[#out + 1] = "--" .. boundary .. "--\r\n"
  return concat(out), "multipart/form-data; boundary=" .. boundary
end

function makers.body(call, body)
  if type(body) ~= "string" and type(body) ~= "function" then
    fail(call .. ": option 'body' must be a string or a function")
  end
  return body
end

-- The body, and what it is; nil: there is none.
local function make(call, o)
  local said
  for name in pairs(makers) do
    if o[name] ~= nil and o[name] ~= false then
      if said then
        fail(("%s: options '%s' and '%s' exclude each other"):format(call,
          said < name and said or name, said < name and name or said))
      end
      said = name
    end
  end
  if said then
    return makers[said](call, o[said])
  end
end

-- These say how long their body is, even if it is none.
local has_body = { POST = true, PUT = true, PATCH = true }

local function check_length(call, body, length)
  if not length then
    return -1
  elseif type(body) ~= "function" or length < 0 or floor(length) ~= length then
    fail(call .. ": option 'length' is the number of bytes that a function "
      .. "'body' gives")
  end
  return length
end

--- Sets plan.body (a string, a function or nil), plan.length and plan.fields.
function http_body.fill(call, plan, o, inherited)
  local body, kind = make(call, o)
  if body and plan.method == "HEAD" then
    fail(call .. ": a HEAD request has no body")
  end
  plan.body = body or has_body[plan.method] and "" or nil
  plan.length = check_length(call, body, o.length)
  if plan.length == 0 then
    plan.body = "" -- nobody would be asked for it
  end
  plan.fields = {
    ["user-agent"] = { "User-Agent", "perilune/" .. pl.version },
  }
  add_fields(call, plan.fields, inherited)
  add_fields(call, plan.fields, o.headers)
  if kind and not plan.fields["content-type"] then
    plan.fields["content-type"] = { "Content-Type", kind }
  end
  if plan.auth and plan.auth.bearer then
    plan.fields.authorization = { "Authorization",
      "Bearer " .. check_value(call, "the token", plan.auth.bearer) }
  end
  if plan.fields["accept-encoding"] then
    plan.decode = false -- the site wants to see for itself
  end
end

--- A redirect has made a GET of it.
function http_body.drop(plan)
  plan.body, plan.length = nil, -1
  for name in next, plan.fields do
    if name:find "^content%-" then
      plan.fields[name] = nil
    end
  end
end
