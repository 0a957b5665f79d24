-- mustache.lua - pl.mustache, and the files of templates.

local core, pl, c = ...
c.open(c, core.traced)
core.load_part "signal"
local fill, fill_set, load_job, is_current =
  c.fill, c.fill_set, c.load_job, c.is_current
local run_job, signal, await, fire =
  c.run_job, core.signal, core.await_signal, core.fire
local check_string, fail, failure, raise =
  core.check_string, core.fail, core.failure, core.raise
local error, pcall, setmetatable, type = error, pcall, setmetatable, type

-- ---- files -----------------------------------------------------------------

-- Below this folder: pl.set { templates = ... }.
local root = core.folder or "."

-- What was loaded, and the signals of what is being loaded: by name.
local sets, loading = {}, {}

function core.set_templates(path)
  check_string("pl.set", "templates", path)
  root = core.in_folder(path)
  sets = {}
  c.name_folder(root)
end

-- Names may come from clients: they lead nowhere else.
local function check_name(call, name)
  check_string(call, "the template", name)
  if name == "" or name:find "^/" or ("/" .. name):find "/%."
    or name:find("\0", 1, true) then
    fail(("%s: '%s' is no name of a template below %s")
      :format(call, name, root))
  end
end

local function load(name)
  local entry = { signal = signal() }
  loading[name] = entry
  local ok, set, err = pcall(run_job, load_job(root, name))
  loading[name] = nil
  sets[name] = ok and set or nil
  entry.err = ok and err
  fire(entry.signal)
  if not ok then
    error(set, 0)
  end
  return set, err
end

--- The set of a file and its partials; or nil, err. Waits if something has to
--- be read; several who want the same wait for one.
function core.find_template(call, name)
  local set = sets[name]
  if set and is_current(set) then
    return set
  end
  check_name(call, name)
  while loading[name] do
    local entry = loading[name]
    local result = await(entry.signal, call)
    if result < 0 then
      raise(call, result)
    elseif sets[name] then
      return sets[name]
    elseif entry.err then
      return nil, entry.err
    end
  end
  return load(name)
end

-- ---- texts -----------------------------------------------------------------

local mustache = {}

--- pl.mustache.file(name, data): the text that the file makes of data; or nil,
--- err.
function mustache.file(name, data)
  local set, err = core.find_template("pl.mustache.file", name)
  if not set then
    return nil, err
  end
  return fill_set(set, data)
end

--- pl.mustache(template, data [, partials]): the text that template makes of
--- data; or nil, err.
pl.mustache = setmetatable(mustache, {
  __call = function(_, template, data, partials)
    check_string("pl.mustache", "the template", template)
    if partials ~= nil and type(partials) ~= "table" then
      fail("pl.mustache: the partials must be a table of strings")
    end
    return fill(template, data, partials)
  end,
})
