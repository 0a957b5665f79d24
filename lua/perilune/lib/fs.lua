-- fs.lua - files. Every call is made on a thread for that, and waits.
--
-- A call is a job: `new` copies what it needs, `run` waits for it, and what it
-- has found out is taken from it afterwards (src/lua/lib_fs.c).

local core, pl, natives = ...
natives.open(natives)
local new, run, problem = natives.new, natives.run, natives.problem
local take_text, take_stat, take_list, take_file =
  natives.text, natives.stat, natives.list, natives.file
local take_number, parse_mode, parse_size =
  natives.number, core.parse_mode, core.parse_size
local failure, raise, fail = core.failure, core.raise, core.fail
local check_string, check_options = core.check_string, core.check_options
local in_folder = core.in_folder or function(path) return path end
local CANCELED, NOT_FOUND = core.CANCELED, core.NOT_FOUND
local error, select, setmetatable, type =
  error, select, setmetatable, type
local concat, floor = table.concat, math.floor
local find, gmatch, match, sub =
  string.find, string.gmatch, string.match, string.sub

-- string.gsub without its count.
local function gsub(text, pattern, with)
  return (string.gsub(text, pattern, with))
end

local fs = {
  --- How much a read may take unless it says `max`; bytes, or "64m".
  max_read = "64m",
}

local none = {}

-- Runs one call. Gives the job, or nil and an error.
local function call(name, verb, path, args)
  local job = new(verb, path, args or none)
  local result = run(job, name)
  if result == 0 then
    return job
  elseif result == CANCELED then
    raise(name, result)
  end
  return nil, failure(result, name, problem(job, result))
end

-- The same, and gives what take(job) finds in it.
local function ask(take, name, verb, path, args)
  local job, err = call(name, verb, path, args)
  if job then
    return take(job)
  end
  return nil, err
end

local function yes()
  return true
end

-- The same for calls that find out nothing.
local function done(name, verb, path, args)
  return ask(yes, name, verb, path, args)
end

local function check_path(name, path, what)
  check_string(name, what or "the path", path)
  return in_folder(path)
end

local function check_size(name, what, value)
  local size = parse_size(value)
  if not size then
    fail(("%s: %s must be a string like \"1m\" or bytes"):format(name, what))
  end
  return size
end

local function check_whole(name, what, value, least)
  if type(value) ~= "number" or floor(value) ~= value
    or value < least or value > 2 ^ 53 then
    fail(("%s: %s must be a whole number, at least %d"):format(name, what,
      least))
  end
  return value
end

-- ---- whole files -----------------------------------------------------------

local read_options = { offset = "number", length = "size", max = "size" }

--- Gives all of a file, or a part of it.
function fs.read(path, options)
  path = check_path("pl.fs.read", path)
  local o = check_options("pl.fs.read", read_options, options)
  return ask(take_text, "pl.fs.read", "read", path, {
    offset = o.offset and check_whole("pl.fs.read", "offset", o.offset, 0),
    length = o.length and check_size("pl.fs.read", "length", o.length),
    max = check_size("pl.fs.read", "max", o.max or fs.max_read),
  })
end

local write_options = {
  append = "flag", atomic = "flag", sync = "flag", exclusive = "flag",
  mode = "mode",
}

local function write(name, path, data, options, append)
  path = check_path(name, path)
  check_string(name, "the data", data)
  local o = check_options(name, write_options, options)
  return done(name, "write", path, {
    data = data,
    append = append or o.append,
    in_place = o.atomic == false,
    sync = o.sync,
    exclusive = o.exclusive,
    mode = o.mode or nil,
  })
end

--- Makes data the content of a file: by way of a new one, so that nobody sees
--- half of it.
function fs.write(path, data, options)
  return write("pl.fs.write", path, data, options)
end

--- Adds data at the end of a file.
function fs.append(path, data, options)
  return write("pl.fs.append", path, data, options, true)
end

local copy_options = { sync = "flag", exclusive = "flag", mode = "mode" }

function fs.copy(from, to, options)
  from = check_path("pl.fs.copy", from)
  to = check_path("pl.fs.copy", to, "the second path")
  local o = check_options("pl.fs.copy", copy_options, options)
  return done("pl.fs.copy", "copy", from, {
    to = to,
    sync = o.sync,
    exclusive = o.exclusive,
    mode = o.mode or nil,
  })
end

local temp_options = { directory = "flag", folder = "text" }

--- Makes an empty file (or a directory) that only this user may open, and gives
--- its path. Who makes it removes it.
function fs.temp(options)
  local o = check_options("pl.fs.temp", temp_options, options)
  local folder = o.folder and in_folder(o.folder) or pl.env("TMPDIR", "/tmp")
  return ask(take_text, "pl.fs.temp", "temp", folder,
    { folder = o.directory })
end

-- ---- names -----------------------------------------------------------------

local stat_options = { link = "flag" }

function fs.stat(path, options)
  path = check_path("pl.fs.stat", path)
  local o = check_options("pl.fs.stat", stat_options, options)
  return ask(take_stat, "pl.fs.stat", "stat", path, o)
end

--- true, false; or nil, err if that cannot be known.
function fs.exists(path)
  path = check_path("pl.fs.exists", path)
  local job, err = call("pl.fs.exists", "stat", path)
  if job then
    return true
  elseif err[1] == NOT_FOUND then
    return false
  end
  return nil, err
end

local list_options = { recursive = "flag", match = "text", max = "number" }

--- { { name = "a.txt", type = "file" }, ... }, sorted by name.
function fs.list(path, options)
  path = check_path("pl.fs.list", path)
  local o = check_options("pl.fs.list", list_options, options)
  return ask(take_list, "pl.fs.list", "list", path, {
    recursive = o.recursive,
    to = o.match or nil,
    max = o.max and check_whole("pl.fs.list", "max", o.max, 0) or 100000,
  })
end

local mkdir_options = { parents = "flag", mode = "mode" }

function fs.mkdir(path, options)
  path = check_path("pl.fs.mkdir", path)
  local o = check_options("pl.fs.mkdir", mkdir_options, options)
  return done("pl.fs.mkdir", "mkdir", path,
    { parents = o.parents, mode = o.mode or nil })
end

local remove_options = { recursive = "flag" }

--- A file, a link, or an empty directory; recursive: with all that is in it.
function fs.remove(path, options)
  path = check_path("pl.fs.remove", path)
  return done("pl.fs.remove", "remove", path,
    check_options("pl.fs.remove", remove_options, options))
end

function fs.rename(from, to)
  from = check_path("pl.fs.rename", from)
  to = check_path("pl.fs.rename", to, "the second path")
  return done("pl.fs.rename", "rename", from, { to = to })
end

--- A second name for a file.
function fs.link(path, name)
  path = check_path("pl.fs.link", path)
  name = check_path("pl.fs.link", name, "the new name")
  return done("pl.fs.link", "link", path, { to = name })
end

--- A symbolic link: name leads to target, which is kept as it is said.
function fs.symlink(target, name)
  check_string("pl.fs.symlink", "the target", target)
  name = check_path("pl.fs.symlink", name, "the new name")
  return done("pl.fs.symlink", "symlink", name, { to = target })
end

function fs.readlink(path)
  path = check_path("pl.fs.readlink", path)
  return ask(take_text, "pl.fs.readlink", "readlink", path)
end

--- The path without links, "." and "..".
function fs.realpath(path)
  path = check_path("pl.fs.realpath", path)
  return ask(take_text, "pl.fs.realpath", "realpath", path)
end

function fs.chmod(path, mode)
  path = check_path("pl.fs.chmod", path)
  local number = parse_mode(mode)
  if not number then
    fail("pl.fs.chmod: the mode must be a string of octal digits like \"644\"")
  end
  return done("pl.fs.chmod", "chmod", path, { mode = number })
end

--- Makes a file if there is none, and sets its times: seconds since 1970, or
--- now.
function fs.touch(path, time)
  path = check_path("pl.fs.touch", path)
  if time ~= nil and (type(time) ~= "number" or time ~= time
    or time < -2 ^ 53 or time > 2 ^ 53) then
    fail("pl.fs.touch: the time must be a number of seconds")
  end
  return done("pl.fs.touch", "touch", path, { time = time })
end

-- ---- open files ------------------------------------------------------------

local BLOCK, MOST = 65536, 16 * 1024 * 1024
local LINE = 1024 * 1024 -- the longest line, unless said otherwise

local File = { __name = "pl.fs.File" }
File.__index = File

local modes = natives.modes

--- Opens a file: "r" read, "w" write anew, "a" write at the end; with "+" both;
--- with "x" only if it is not there.
function fs.open(path, mode, options)
  path = check_path("pl.fs.open", path)
  mode = mode or "r"
  local how = modes[mode]
  if not how then
    fail("pl.fs.open: the mode must be one of r, r+, w, w+, wx, a, a+, not "
      .. tostring(mode))
  end
  local o = check_options("pl.fs.open", { mode = "mode" }, options)
  local job, err = call("pl.fs.open", "open", path,
    { how = how, mode = o.mode or nil })
  if job then
    return setmetatable({ handle = take_file(job), path = path }, File)
  end
  return nil, err
end

local function file_ask(take, self, name, verb, args)
  args.file = self.handle
  return ask(take, name, verb, self.path, args)
end

-- Takes up to n bytes of what an iterator over lines has read ahead; "" when
-- there are none.
function core.take_ahead(object, n)
  local ahead, at = object.ahead, object.ahead_at
  if not ahead then
    return ""
  elseif #ahead - at < n then
    object.ahead = nil
  else
    object.ahead_at = at + n
  end
  return sub(ahead, at, at + n - 1)
end

local take_ahead = core.take_ahead

--- The next bytes, at most n [64 KiB]; nil at the end.
function File:read(n)
  n = n == nil and BLOCK or check_whole("file:read", "the number", n, 1)
  if n > MOST then
    fail("file:read: the number must be at most 16777216")
  end
  local ahead = take_ahead(self, n)
  if #ahead == n then
    return ahead
  end
  local text, err = file_ask(take_text, self, "file:read", "file_read",
    { length = n - #ahead })
  if not text then
    self.ahead, self.ahead_at = ahead, 1
    return nil, err
  end
  text = ahead .. text
  return text ~= "" and text or nil
end

local origins = natives.origins

--- As in io: "set", "cur" (the default) or "end", and how far from there [0].
--- Gives the position.
function File:seek(origin, offset)
  local how = origins[origin or "cur"]
  if not how then
    fail("file:seek: the origin must be \"set\", \"cur\" or \"end\"")
  end
  offset = check_whole("file:seek", "the offset", offset or 0, -2 ^ 53)
  if self.ahead and how == origins.cur then
    offset = offset - (#self.ahead - self.ahead_at + 1)
  end
  local at, err = file_ask(take_number, self, "file:seek", "file_seek",
    { how = how, offset = offset })
  if at then
    self.ahead = nil
  end
  return at, err
end

function File:write(data)
  check_string("file:write", "the data", data)
  if self.ahead then -- back to where its user is
    local at, err = self:seek()
    if not at then
      return nil, err
    end
  end
  return file_ask(yes, self, "file:write", "file_write", { data = data })
end

--- Waits until all that was written is on the disk.
function File:sync()
  return file_ask(yes, self, "file:sync", "file_sync", {})
end

function File:stat()
  return file_ask(take_stat, self, "file:stat", "file_stat", {})
end

--- Closes it. A failure tells of writes that were lost.
function File:close()
  self.ahead = nil
  return file_ask(yes, self, "file:close", "file_close", {})
end

local line_options = { max = "size" }

-- An iterator over the lines of an object that read() gives in blocks. What it
-- has read beyond a line stays in the object, for whoever reads on. over() is
-- called at the end. Raises what fails.
function core.lines_of(name, object, read, options, over)
  local o = check_options(name, line_options, options)
  local max = o.max and check_size(name, "max", o.max) or LINE
  local ended = false

  -- The next block; nil at the end.
  local function more()
    if ended then
      return nil
    end
    local block, err = read()
    if err then
      error(err, 0)
    elseif not block then
      ended = true
      if over then
        over()
      end
    end
    object.ahead, object.ahead_at = block, 1
    return block
  end

  return function()
    local parts, size = {}, 0
    repeat
      local ahead, at = object.ahead or "", object.ahead_at
      local stop = find(ahead, "\n", at, true)
      local part = sub(ahead, at or 1, stop and stop - 1)
      size = size + #part
      if size > max then
        error(failure(core.LIMIT, name, "a line is longer than the limit"), 0)
      end
      if part ~= "" then
        parts[#parts + 1] = part
      end
      if stop then
        object.ahead_at = stop + 1
        return concat(parts)
      end
      object.ahead = nil
    until not more()
    return size > 0 and concat(parts) or nil
  end
end

--- An iterator over the lines that follow, without their ends.
function File:lines(options)
  return core.lines_of("file:lines", self, function() return self:read() end,
    options)
end

--- An iterator over the lines of a file. Raises an error, as io.lines does, if
--- it cannot be read.
function fs.lines(path, options)
  check_string("pl.fs.lines", "the path", path)
  local file, err = fs.open(path)
  if not file then
    error(err, 0)
  end
  return core.lines_of("pl.fs.lines", file, function() return file:read() end,
    options, function() file:close() end)
end

--- An iterator over what happens in a directory (fs_watch.lua).
function fs.watch(path, options)
  return pl.fs_watch(path, options)
end

-- ---- paths, as text --------------------------------------------------------

local path = {}
fs.path = path

local function check(name, ...)
  for i = 1, select("#", ...) do
    check_string("pl.fs.path." .. name, "the path", (select(i, ...)))
  end
end

--- One path of several parts, with one "/" between them. None of them starts
--- anew: join("a", "/b") is "a/b".
function path.join(first, ...)
  check("join", first, ...)
  local joined = first
  for i = 1, select("#", ...) do
    local part = gsub(select(i, ...), "^/+", "")
    if joined == "" then
      joined = select(i, ...)
    elseif part ~= "" then
      joined = gsub(joined, "/+$", "") .. "/" .. part
    end
  end
  return joined
end

--- The last part: "c.txt" of "a/b/c.txt", "b" of "a/b/"; "/" of "/".
function path.basename(text)
  check("basename", text)
  return match(text, "([^/]+)/*$") or (text ~= "" and "/" or "")
end

--- What is before it: "a/b" of "a/b/c.txt", "." of "c.txt", "/" of "/c".
function path.dirname(text)
  check("dirname", text)
  local before = gsub(gsub(text, "/+$", ""), "[^/]+$", "")
  if before == "" then
    return find(text, "^/") and "/" or "."
  end
  before = gsub(before, "/+$", "")
  return before ~= "" and before or "/"
end

--- ".txt" of "a/c.txt", ".gz" of "c.tar.gz"; "" of ".profile" and "c.".
function path.extension(text)
  return match(path.basename(text), "[^.](%.[^./]+)$") or ""
end

function path.is_absolute(text)
  check("is_absolute", text)
  return find(text, "^/") ~= nil
end

--- Without ".", ".." (as far as that goes) and doubled slashes. Looks at no
--- file: where a part is a symbolic link, realpath() may say otherwise.
function path.normalize(text)
  check("normalize", text)
  local root = find(text, "^/") and "/" or ""
  local parts = {}
  for part in gmatch(text, "[^/]+") do
    if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
      parts[#parts] = nil
    elseif part ~= "." and (part ~= ".." or root == "") then
      parts[#parts + 1] = part
    end
  end
  local clean = root .. concat(parts, "/")
  return clean ~= "" and clean or "."
end

core.fs = {
  call = call, check_path = check_path, number = take_number,
  list = take_list, stat = take_stat,
}
pl.fs = fs
