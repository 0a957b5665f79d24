-- page_folder.lua - the pages below a folder: read and compiled when first
-- asked for, and again when they have changed.
--
-- A file that is included is a page, too, compiled once for all pages of the
-- folder that include it. A page that is used is looked at, with what it
-- includes, once per `check` seconds, by whoever comes first; others take it as
-- it is meanwhile. So each reloads alone, and nobody waits for that.
--
-- A page keeps its identity when its file changes: others lead to it, and get
-- what it is now. What it has become is compiled aside, and takes its place
-- when all that it includes has been found: until then, which may take a wait,
-- the page is what it was.

local core, _, c = ...
local page, failure, in_folder = core.page, core.failure, core.in_folder
local load, load_job, is_current = c.load, c.load_job, c.is_current
local fill, replace = core.page.fill, core.page.replace
local AGAIN, DENIED, LIMIT, NOT_FOUND =
  core.AGAIN, core.DENIED, core.LIMIT, core.NOT_FOUND
local now = core.now
local concat, huge = table.concat, math.huge
local find, format, gmatch, gsub, match = string.find, string.format,
  string.gmatch, string.gsub, string.match
local setmetatable, tostring, type = setmetatable, tostring, type

c.open(c)

local DEPTH = 64 -- of includes in includes
local INCLUDES = 10000 -- in one page, each as often as it is included

local Folder = {}
Folder.__index = Folder

-- ---- names -----------------------------------------------------------------

-- "a/../b", "./b" -> "b"; nil: it leads outside.
local function normalize(path)
  local parts = {}
  for part in gmatch(path, "[^/]+") do
    if part == ".." then
      if #parts == 0 then
        return nil
      end
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return concat(parts, "/")
end

local function folder_of(path)
  return match(path, "^(.*/)[^/]*$") or ""
end

--- The language of a file by its name.
function page.dialect_of(path)
  local name = match(path, "[^/]*$")
  if find(name, "%.lsp?$") or find(name, "%.lp$") then
    return "lsp"
  end
  return (find(name, "%.dyn%.") or find(name, "%.priv%.")) and "80s" or "lsp"
end

-- ---- one file --------------------------------------------------------------

-- Gives text and state, or nil and a code. Waits if it must.
local function read(folder, path)
  local text, state = load(folder.root, path)
  if not text and state == AGAIN then
    text, state = c.run_job(load_job(folder.root, path))
  end
  if not text and type(state) == "table" then
    state = state[1] -- there was no thread for it
  end
  return text, state
end

-- What the disk says of a file; with anything else the page is what it was.
local is_answer = { [NOT_FOUND] = true, [DENIED] = true, [LIMIT] = true }

local function new_page(folder, path, dialect, parallel)
  return page.draft(folder.name .. path, {
    dialect = dialect, parallel = parallel, escape = folder.escape,
    environment = folder.environment,
    type = folder.type_of(path),
  })
end

-- Looks at the file of a page, if that is due. Gives nil and a code if it is
-- not there any more.
local function look(folder, unit)
  local time = now()
  if time < unit.due then
    return true
  end
  unit.due = time + folder.check
  if unit.state and is_current(folder.root, unit.path, unit.state) then
    return true
  end
  local text, state = read(folder, unit.path)
  if not text then
    return unit.state and not is_answer[state] or nil, state
  end
  local fresh = new_page(folder, unit.path, unit.dialect, unit.included)
  fill(fresh, text)
  unit.state, unit.coming = state, fresh
  if #fresh.includes == 0 then
    replace(unit, fresh)
    unit.coming = nil
  end
  return true
end

-- The page of a file: its key says in which language, and where its includes
-- begin. included: nil, or whether it is by a page whose blocks run together.
-- Gives nil and a code if it is not there.
local function find_page(folder, path, base, dialect, included)
  local key = concat({ base, dialect, tostring(included), path }, "\0")
  local known = folder.units[key]
  local unit = known or new_page(folder, path, dialect, included)
  if not known then
    unit.path, unit.base, unit.folder, unit.due = path, base, folder, 0
    unit.included, unit.depth, unit.weight = included, 0, 1
  end
  local there, code = look(folder, unit)
  if not known and (there or included ~= nil) then
    c.note(unit.name)
  end
  if not there then
    folder.units[key] = nil
    return nil, code
  end
  folder.units[key] = folder.units[key] or unit -- somebody was faster
  return folder.units[key]
end

-- ---- includes --------------------------------------------------------------

local texts = {
  [NOT_FOUND] = "no such file",
  [LIMIT] = "longer than 1 MiB",
}

local function text_of(code)
  return texts[code] or tostring(failure(code))
end

-- What stands in the place of a page that cannot be included.
local function stub(unit, wanted, text)
  return {
    depth = -1,
    weight = 1,
    fault = format("%s:%d: cannot include %s: %s", unit.name, wanted.line,
      wanted.path, text),
  }
end

-- Paths begin at the folder of the page that was asked for, as in 80s; or else
-- at that of the file which includes. "/" is the folder of all pages.
local function resolve(folder, unit, parallel, path)
  local places = path:find "^/" and { "" } or { unit.base }
  if places[1] ~= "" or not path:find "^/" then
    places[2] = folder_of(unit.path)
  end
  local code
  for i = 1, places[2] == places[1] and 1 or #places do
    local normal = normalize(places[i] .. path)
    if not normal then
      code = code or "outside"
    else
      local found, err =
        find_page(folder, normal, unit.base, unit.dialect, parallel)
      if found then
        return found
      end
      code = err ~= NOT_FOUND and err or code or err
    end
  end
  return nil, code == "outside" and "it is outside of the folder of pages"
    or text_of(code)
end

-- "a includes b includes a"
local function circle(trail, unit)
  local names, inside = {}, false
  for i = 1, #trail do
    inside = inside or trail[i] == unit
    names[#names + 1] = inside and trail[i].path or nil
  end
  names[#names + 1] = unit.path
  return concat(names, " includes ")
end

local link_all

local function link(folder, unit, parallel, wanted, trail, seen)
  local linked, text = resolve(folder, unit, parallel, wanted.path)
  if not linked then
    return stub(unit, wanted, text)
  elseif trail[linked] then
    return stub(unit, wanted, circle(trail, linked))
  elseif #trail > DEPTH then
    return stub(unit, wanted, "more than " .. DEPTH .. " files in each other")
  elseif not seen[linked] then
    link_all(folder, linked, trail, seen)
  end
  if #trail + linked.depth > DEPTH then
    return stub(unit, wanted, "more than " .. DEPTH .. " files in each other")
  end
  return linked
end

-- Finds what unit includes, and brings it up to date. trail: the pages that
-- lead to it, as a list and as a set; seen: what needs no second look.
function link_all(folder, unit, trail, seen)
  local fresh = unit.coming or unit
  local includes, links = fresh.includes, fresh.links
  local depth, weight = 0, 1
  trail[#trail + 1], trail[unit] = unit, true
  for i = 1, #includes do
    local linked =
      link(folder, unit, fresh.parallel or false, includes[i], trail, seen)
    if weight + linked.weight > INCLUDES then
      linked =
        stub(unit, includes[i], "more than " .. INCLUDES .. " includes")
    end
    links[i] = linked
    weight = weight + linked.weight
    depth = depth < linked.depth + 1 and linked.depth + 1 or depth
  end
  trail[#trail], trail[unit] = nil, nil
  unit.depth, unit.weight, seen[unit] = depth, weight, true
  if fresh ~= unit and unit.coming == fresh then
    replace(unit, fresh)
    unit.coming = nil
  end
end

-- ---- the folder ------------------------------------------------------------

local function fetch(folder, path, dialect)
  if not dialect then
    dialect = folder.dialect_of(path)
  end
  local unit, code = find_page(folder, path, folder_of(path), dialect)
  if not unit then
    folder.pages[path] = nil
    if code == NOT_FOUND then
      return nil, failure(code, nil, folder.name .. path .. ": no such page",
        404)
    end
    return nil, failure(code, nil, folder.name .. path .. ": "
      .. text_of(code))
  end
  if unit.coming or #unit.includes > 0 then
    link_all(folder, unit, {}, {})
  end
  folder.pages[path] = unit
  return unit
end

--- The page of a file below the folder; or nil and an error ("not_found", with
--- err.status 404). One with a fault in it is given: render() raises that.
function Folder:get(path, dialect)
  local unit = self.pages[path]
  if unit and now() < unit.due then
    return unit
  end
  return fetch(self, path, dialect)
end

-- An option that is a value for all, or a function of the path.
local function chooser(option, otherwise)
  if type(option) == "function" then
    return option
  elseif option == nil then
    return otherwise
  end
  return function()
    return option
  end
end

function page.folder(path, options)
  core.check_loading "pl.pages"
  path = gsub(in_folder(path), "/+$", "")
  local root, err = c.root(path)
  if not root then
    core.fail("pl.pages: " .. err)
  end
  local check = options.check
  if check == nil then
    check = c.is_edited() and 0 or 1
  end
  return setmetatable({
    root = root,
    name = path .. "/",
    check = check or huge,
    escape = options.escape,
    environment = options.environment,
    dialect_of = chooser(options.dialect, page.dialect_of),
    type_of = chooser(options.type, page.type_of),
    layout = options.layout,
    units = {},
    pages = {},
  }, Folder)
end
