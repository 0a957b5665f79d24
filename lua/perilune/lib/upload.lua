-- upload.lua - bodies in parts and into files: req:parts, req:save, req:discard
-- and forms with files. Loaded when a site first uses one of them.

local core, _, upload = ...
core.load_part("body")
local methods, wait, give_up =
  core.request_methods, core.wait_for_body, core.give_up_body
local failure, fail, in_folder = core.failure, core.fail, core.in_folder
local check_string, check_options = core.check_string, core.check_options
local AGAIN, LIMIT, NO_SPACE, UNSUPPORTED =
  core.AGAIN, core.LIMIT, core.NO_SPACE, core.UNSUPPORTED
local concat, setmetatable, type = table.concat, setmetatable, type

local PIECE = 65536

-- ---- waiting ---------------------------------------------------------------

-- Takes a step until it does not say that it must wait.
local function run(step, call, req, a, b)
  local result = step(req, a, b)
  while result == AGAIN do
    wait(req, call)
    result = step(req, a, b)
  end
  return result
end

-- Waits for what a sink was told to do.
local function finish(call, req, sink, result)
  while result == AGAIN do
    wait(req, call)
    result = upload.status(req, sink)
  end
  return result
end

-- nil, err for a file that cannot be written.
local function file_failure(call, result)
  return nil, failure(result, call, nil, result == NO_SPACE and 507 or nil)
end

-- Raises what is wrong with the body or with the form in it.
local function refuse(call, req, result)
  give_up(call, result, upload.wrong(req))
end

-- ---- files -----------------------------------------------------------------

local save_options = {
  mode = "mode", exclusive = "flag", sync = "flag", max = "size",
}
local MODE = 420 -- rw-r--r--

local function open(call, req, path, options)
  check_string(call, "the path", path)
  if path == "" or path:find("\0", 1, true) then
    fail(call .. ": the path is empty or has a NUL in it")
  end
  options = check_options(call, save_options, options)
  return upload.open(req, in_folder(path), options.mode or MODE,
    options.exclusive, options.sync), options
end

-- Ends writing a file: keeps it if all went well. The fault is the file's, or
-- what refuse() raises.
local function close(call, req, sink, result)
  if result >= 0 then
    result = finish(call, req, sink, upload.keep(req, sink))
  end
  local fault = upload.status(req, sink)
  local size = upload.size(req, sink)
  upload.close(req, sink)
  if result >= 0 then
    return size
  elseif fault < 0 then
    return file_failure(call, fault)
  end
  refuse(call, req, result)
end

--- req:save(path [, options]) -> bytes, or nil, err when the file cannot be
--- written. options: mode ["644"], exclusive [false], sync [false], max.
function methods:save(path, options)
  local sink, checked = open("req:save", self, path, options)
  local result = upload.limit(self, checked.max)
  if result == 0 then
    result = run(upload.save, "req:save", self, sink)
  end
  return close("req:save", self, sink, result)
end

--- req:discard() -> bytes: the rest of the body goes nowhere.
function methods:discard()
  local result = run(upload.discard, "req:discard", self)
  if result < 0 then
    give_up("req:discard", result)
  end
  return upload.received(self)
end

-- ---- parts -----------------------------------------------------------------

-- [1] is the request, [2] the part's number.
local Part = {}
Part.__index = Part
Part.__name = "pl.part"

--- part:read([n = 65536]) -> the next bytes of it; nil at its end
function Part:read(n)
  local req = self[1]
  local bytes = run(upload.read, "part:read", req, self[2], n or PIECE)
  if type(bytes) == "number" then
    refuse("part:read", req, bytes)
  end
  return bytes ~= "" and bytes or nil
end

--- for piece in part:chunks([n]) do ... end
function Part:chunks(n)
  return function()
    return self:read(n)
  end
end

-- The rest of a part, as long as it is not more than most; else what there is,
-- and false.
local function collect(part, most)
  local pieces, size = {}, 0
  for piece in part:chunks() do
    pieces[#pieces + 1] = piece
    size = size + #piece
    if size > most then
      return concat(pieces), false
    end
  end
  return concat(pieces), true
end

local function or_any(limit)
  return limit == 0 and math.huge or limit
end

--- part:text([limit = max_body]) -> the rest of it; more is an error that
--- answers 413
function Part:text(limit)
  local most = upload.limits(self[1], limit)
  local text, whole = collect(self, or_any(most))
  if not whole then
    give_up("part:text", LIMIT, "too large a part")
  end
  return text
end

--- part:save(path [, options]) -> bytes, or nil, err. options as req:save; max
--- is of this part.
function Part:save(path, options)
  local req = self[1]
  local sink, checked = open("part:save", req, path, options)
  upload.limit_part(req, self[2], checked.max)
  local result = run(upload.store, "part:save", req, sink, self[2])
  return close("part:save", req, sink, result)
end

--- part:skip(): the rest of it goes nowhere
function Part:skip()
  local result = run(upload.skip, "part:skip", self[1], self[2])
  if result < 0 then
    refuse("part:skip", self[1], result)
  end
end

local function next_part(call, req)
  local result = run(upload.next, call, req)
  if result < 0 then
    refuse(call, req, result)
  elseif result > 0 then
    local part = { req }
    part[2], part.name, part.filename, part.raw_filename, part.type,
      part.headers = upload.describe(req)
    return setmetatable(part, Part)
  end
end

local function begin(call, req, ...)
  local result = upload.begin(req, ...)
  if result == UNSUPPORTED then
    give_up(call, result, "the body is not multipart/form-data", 415)
  elseif result < 0 then
    refuse(call, req, result)
  end
end

local parts_options = {
  max_parts = "count", max_size = "size", max_total = "size",
}

--- for part in req:parts([options]) do ... end: options are max_parts,
--- max_size (of each) and max_total (of the body); more is an error that
--- answers 413
function methods:parts(options)
  options = check_options("req:parts", parts_options, options)
  begin("req:parts", self, options.max_parts or nil, options.max_size,
    options.max_total)
  return function()
    return next_part("req:parts", self)
  end
end

-- ---- forms with files ------------------------------------------------------

-- A file of a form: its bytes are in `data`, or in the sink of that number.
local File = {}
File.__index = File
File.__name = "pl.file"

-- Reads n bytes from at on.
local function fetch(call, file, at, n)
  local req, sink = file[1], file[2]
  local result = finish(call, req, sink, upload.fetch(req, sink, at, n))
  if result < 0 then
    give_up(call, result)
  end
  return upload.fetched(req, sink)
end

--- file:text() -> all of it
function File:text()
  return self.data or fetch("file:text", self, 0, self.size)
end

--- for piece in file:chunks([n = 65536]) do ... end
function File:chunks(n)
  local at = 0
  n = n or PIECE
  if type(n) ~= "number" or n < 1 then
    fail("file:chunks: the number of bytes must be a number from 1")
  end
  return function()
    local length = self.size - at < n and self.size - at or n
    if length > 0 then
      at = at + length
      return self.data and self.data:sub(at - length + 1, at)
        or fetch("file:chunks", self, at - length, length)
    end
  end
end

--- file:save(path [, options]) -> bytes, or nil, err. options as req:save
function File:save(path, options)
  local req, call = self[1], "file:save"
  local sink = open(call, req, path, options)
  local begun = self.data and upload.write(req, sink, self.data)
    or not self.data and upload.copy(req, sink, self[2])
  return close(call, req, sink, finish(call, req, sink, begun))
end

-- The part as a file, in memory or spooled.
local function keep(call, req, part, most)
  local file = setmetatable({
    req, name = part.name, filename = part.filename,
    raw_filename = part.raw_filename, type = part.type,
  }, File)
  local data, whole = collect(part, or_any(most))
  if whole then
    file.data, file.size = data, #data
    return file
  end
  local sink = upload.open(req)
  local result = finish(call, req, sink, upload.write(req, sink, data))
  if result == 0 then
    result = run(upload.store, call, req, sink, part[2])
  end
  if result < 0 then
    refuse(call, req, result)
  end
  file[2], file.size = sink, upload.size(req, sink)
  return file
end

-- The table of a multipart form: texts, and files as tables; the first of each
-- name.
function core.multipart_form(req)
  local call, form, fields = "req:form", {}, 0
  local _, spool, max_fields = upload.limits(req)
  begin(call, req, nil, nil, nil, true)
  for part in function() return next_part(call, req) end do
    local value
    fields = fields + 1
    if fields > or_any(max_fields) then
      give_up(call, LIMIT, "too many fields")
    elseif part.filename then
      value = keep(call, req, part, spool)
    else
      value = part:text(0)
    end
    if form[part.name] == nil then
      form[part.name] = value
    end
  end
  return form
end
