-- fs_watch.lua - pl.fs.watch: what happens to the files of a directory.
--
-- The kernel names a directory by a number (its watch); `folders` has what each
-- of them is called, below the one that was asked for.

local core, pl, natives = ...
natives.open()
local open, wait, read, forget, close =
  natives.new, natives.wait, natives.read, natives.forget, natives.close
local fs = pl.fs
local call, check_path = core.fs.call, core.fs.check_path
local take_number, take_list, take_stat =
  core.fs.number, core.fs.list, core.fs.stat
local failure, raise, fail = core.failure, core.raise, core.fail
local check_options, parse_seconds = core.check_options, core.parse_seconds
local AGAIN, CANCELED, CLOSED, NOT_FOUND, TIMEOUT =
  core.AGAIN, core.CANCELED, core.CLOSED, core.NOT_FOUND, core.TIMEOUT
local error, pairs, setmetatable, type = error, pairs, setmetatable, type
local find, sub = string.find, string.sub

local NAME = "pl.fs.watch"
local MOST = 100000 -- names in one directory

local Watcher = { __name = "pl.fs.Watcher" }
Watcher.__index = Watcher

-- ---- what is watched -------------------------------------------------------

-- The new file by which pl.fs writes another one is nobody's business.
local function is_ours(name)
  return find(name, "^%.pl%-%x+%.tmp$") ~= nil
end

local quiet_kinds = {
  create = true, write = true, remove = true, modify = true,
}

local function put(self, event)
  local queue = self.queue
  queue[#queue + 1] = event
end

-- Watches the directory below/prefix ("" or "a/b/"). Then, if all below it is
-- wanted, what is in it: in this order, so that nothing slips through. told:
-- what is found has just come.
local function add(self, prefix, told)
  local job, err = call(NAME, "notify", self.root .. prefix,
    { file = self.file, modify = self.modify })
  if not job then
    return nil, err
  end
  self.folders[take_number(job)] = prefix
  if not self.recursive then
    return true
  end
  job, err = call(NAME, "list", self.root .. prefix, { max = MOST })
  if not job then
    return nil, err
  end
  for _, entry in pairs(take_list(job)) do
    local directory = entry.type == "directory"
    if told then
      put(self, { type = "create", path = prefix .. entry.name,
        directory = directory or nil })
    end
    local ok
    if directory then
      ok, err = add(self, prefix .. entry.name .. "/", told)
      if not ok and err[1] ~= NOT_FOUND then
        return nil, err
      end
    end
  end
  return true
end

-- A directory has gone, or is called otherwise (to).
local function rename(self, from, to)
  for watch, prefix in pairs(self.folders) do
    if sub(prefix, 1, #from) == from then
      if to then
        self.folders[watch] = to .. sub(prefix, #from + 1)
      else
        self.folders[watch] = nil
        forget(self.handle, watch)
      end
    end
  end
end

-- ---- events of the kernel --------------------------------------------------

-- A new name below a directory: true, or nil and an error.
local function appeared(self, event, kind)
  put(self, { type = kind, path = event.path, from = event.from,
    directory = event.directory })
  if event.directory and self.recursive and not event.from then
    local ok, err = add(self, event.path .. "/", true)
    if not ok and err[1] ~= NOT_FOUND then
      return nil, err
    end
  end
  return true
end

local function vanished(self, event)
  if event.directory then
    rename(self, event.path .. "/")
  end
  put(self, { type = "remove", path = event.path, directory = event.directory })
end

-- The first half of a rename whose second one did not come: it has left.
local function settle(self)
  local moved = self.moved
  self.moved = nil
  if moved then
    vanished(self, moved)
  end
end

local takes = {
  create = function(self, event)
    return appeared(self, event, "create")
  end,
  write = function(self, event)
    put(self, { type = "write", path = event.path })
    return true
  end,
  modify = function(self, event)
    put(self, { type = "modify", path = event.path })
    return true
  end,
  remove = function(self, event)
    vanished(self, event)
    return true
  end,
  from = function(self, event)
    self.moved = event
    return true
  end,
  to = function(self, event)
    local moved = self.moved
    self.moved = nil
    if not moved or moved.cookie ~= event.cookie then
      return appeared(self, event, "create")
    end
    if moved.ours then
      put(self, { type = "write", path = event.path })
      return true
    end
    event.from = moved.path
    if event.directory then
      rename(self, moved.path .. "/", event.path .. "/")
    end
    return appeared(self, event, "rename")
  end,
}

local function take(self, event)
  if event.kind == "lost" then
    put(self, { type = "overflow" })
    return true
  end
  local prefix = self.folders[event.watch]
  if not prefix then
    return true
  elseif event.kind == "gone" or event.kind == "ignored" then
    if event.kind == "ignored" then
      self.folders[event.watch] = nil
    elseif prefix == "" then
      self.ended = true
    end
    return true
  end
  if self.moved and event.kind ~= "to" then
    settle(self)
  end
  event.ours = is_ours(event.name)
  if event.ours and quiet_kinds[event.kind] then
    return true
  end
  event.path = prefix .. event.name
  return takes[event.kind](self, event)
end

-- One file: its directory is watched, and whatever becomes it is a write.
local function only(self, event)
  if event.type == "overflow" then
    return event
  elseif event.path == self.name then
    local kind = event.type == "rename" and "write" or event.type
    return { type = kind, path = event.path }
  elseif event.from == self.name then
    return { type = "remove", path = event.from }
  end
end

-- Takes all that the kernel has. Gives true if it had something; or nil, err.
local function take_all(self)
  local events = read(self.handle)
  if type(events) == "number" then
    if events == AGAIN then
      return false
    end
    return nil, failure(events, NAME)
  end
  for i = 1, #events do
    local ok, err = take(self, events[i])
    if not ok then
      return nil, err
    end
  end
  return true
end

-- ---- the iterator ----------------------------------------------------------

-- What several events of one path come to; nil: nothing.
local function merge(first, second)
  if second.type == "remove" then
    if first.type == "create" then
      return nil
    end
    return second
  elseif first.type == "create" then
    return first
  elseif first.type == "remove" then
    second.type = "write"
  end
  return second
end

-- Puts the events of one path together, at the place of the first.
local function merged(queue)
  local at, out, n = {}, {}, 0
  for i = 1, #queue do
    local event = queue[i]
    local place = event.path and at[event.path]
    if place and out[place] and event.type ~= "rename"
      and out[place].type ~= "rename" then
      out[place] = merge(out[place], event) or false
      if not out[place] then
        at[event.path] = nil
      end
    else
      n = n + 1
      out[n] = event
      if event.path then
        at[event.path] = n
      end
    end
  end
  local left = {}
  for i = 1, n do
    if out[i] then
      left[#left + 1] = out[i]
    end
  end
  return left
end

-- Waits for something, at most so many seconds: 0, TIMEOUT, CLOSED.
local function wait_for_more(self, seconds)
  local result = wait(self.handle, NAME, seconds)
  if self.closed then
    return CLOSED
  elseif result < 0 and result ~= TIMEOUT then
    raise(NAME, result)
  end
  return result
end

-- Fills the queue: events until none comes for the time of `debounce`.
local function fill(self)
  local quiet
  repeat
    local result = wait_for_more(self, quiet)
    if result == CLOSED or result == TIMEOUT then
      break
    end
    local more, err = take_all(self)
    if more and self.moved then
      more, err = take_all(self)
      settle(self)
    end
    if err then
      error(err, 0)
    end
    quiet = self.debounce
  until not quiet or self.ended
  if self.name then
    local queue = self.queue
    self.queue = {}
    for i = 1, #queue do
      put(self, only(self, queue[i]))
    end
  end
  if self.debounce then
    self.queue = merged(self.queue)
  end
  self.at = 0
end

--- The next event; nil when the watched directory has gone, or after close().
--- Raises an error when the kernel refuses to go on.
function Watcher:next()
  while not self.closed do
    self.at = self.at + 1
    local event = self.queue[self.at]
    if event then
      return event
    end
    self.queue, self.at = {}, 0
    if self.ended then
      self:close()
      return nil
    end
    fill(self)
  end
end

Watcher.__call = Watcher.next

--- Ends it; also the wait of another task.
function Watcher:close()
  self.closed, self.queue, self.at = true, {}, 0
  close(self.handle)
end

local known = { recursive = "flag", debounce = "duration", modify = "flag" }

--- Watches a directory, or one file. Gives an iterator over its events.
function pl.fs_watch(path, options)
  local root = check_path(NAME, path)
  local o = check_options(NAME, known, options)
  local debounce = o.debounce and parse_seconds(o.debounce)
  if o.debounce and not debounce then
    fail(NAME .. ": option 'debounce' must be a string like \"100ms\" or "
      .. "seconds")
  end
  local job, err = call(NAME, "stat", root)
  if not job then
    return nil, err
  end
  local name
  if take_stat(job).type ~= "directory" then
    name = fs.path.basename(root)
    root = fs.path.dirname(root)
  end
  local handle, file = open()
  if not handle then
    return nil, failure(file, NAME)
  end
  local self = setmetatable({
    handle = handle, file = file, root = root .. "/", name = name,
    recursive = o.recursive and not name, debounce = debounce,
    modify = o.modify,
    folders = {}, queue = {}, at = 0,
  }, Watcher)
  local ok
  ok, err = add(self, "", false)
  if not ok then
    self:close()
    return nil, err
  end
  return self
end

fs.watch = pl.fs_watch
