-- markdown.lua - pl.markdown on md4c: the Lua half of the plug-in in
-- src/plugins/markdown, and the pages of a folder.

local core, pl, c = ...
local job, now, run_job = c.job, c.now, c.run_job
local check_options, check_string = core.check_options, core.check_string
local ipairs, pairs, setmetatable = ipairs, pairs, setmetatable
local fs, clock = pl.fs, pl.now

-- ---- texts -----------------------------------------------------------------

-- What takes longer than a moment is made by a thread.
local SHORT = 16 * 1024

-- Flags of md4c's parser.
local NO_HTML = c.flag "no_html"
local extensions = {}
for _, name in ipairs { "tables", "strikethrough", "tasks", "autolinks" } do
  extensions[name] = c.flag(name)
end

local text_options = {
  html = "flag", hard_breaks = "flag", tables = "flag", strikethrough = "flag",
  tasks = "flag", autolinks = "flag",
}

local function flags_of(options)
  local flags = options.html and 0 or NO_HTML
  for name, bits in pairs(extensions) do
    if options[name] ~= false then
      flags = flags + bits
    end
  end
  return flags
end

local function convert(text, options)
  local flags = flags_of(options)
  if #text <= SHORT then
    return now(text, flags, options.html, options.hard_breaks)
  end
  local work, err = job(text, flags, options.html, options.hard_breaks)
  if not work then
    return nil, err
  end
  return run_job(work)
end

-- ---- files -----------------------------------------------------------------

-- "---", lines of "name: value", "---": what the page says of itself.
local function split_fields(text)
  local fields = {}
  local head, rest =
    text:match "^%-%-%-[ \t]*\r?\n(.-)\n%-%-%-[ \t]*\r?\n?(.*)$"
  if not head then
    return text, fields
  end
  for line in head:gmatch "[^\r\n]+" do
    local name, value = line:match "^([%w_]+):%s*(.-)%s*$"
    if name then
      fields[name] = value:match '^"(.*)"$' or value
    end
  end
  return rest, fields
end

-- A look at the disk is good for so long: as with templates.
local GOOD_FOR = 0.05

local function is_same(stat, other)
  return stat.mtime == other.mtime and stat.size == other.size
    and stat.inode == other.inode
end

local function read(path, options)
  local stat, err = fs.stat(path)
  if not stat then
    return nil, err
  end
  local text
  text, err = fs.read(path)
  if not text then
    return nil, err
  end
  local fields, html, title
  text, fields = split_fields(text)
  html, title = convert(text, options)
  if not html then
    return nil, title
  end
  return { content = html, title = fields.title or title, fields = fields,
    stat = stat, looked = clock() }
end

-- The page of a file: kept until the file changes. Waits.
local function load(pages, path, options)
  local page = pages[path]
  if page and clock() - page.looked < GOOD_FOR then
    return page
  end
  if page then
    page.looked = clock()
    local stat = fs.stat(path)
    if stat and is_same(stat, page.stat) then
      return page
    end
  end
  local err
  pages[path], err = read(path, options)
  return pages[path], err
end

local markdown = {}

--- pl.markdown.file(path [, options]): html, title, fields; or nil, err. Waits.
function markdown.file(path, options)
  local call = "pl.markdown.file"
  check_string(call, "the path", path)
  local page, err = read(path, check_options(call, text_options, options))
  if not page then
    return nil, err
  end
  return page.content, page.title, page.fields
end

-- ---- pages -----------------------------------------------------------------

local shell = [[
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{title}}</title>
{{{content}}}
]]

local page_options = {
  root = "text", layout = "text", index = "text", data = "fields",
}
for name, kind in pairs(text_options) do
  page_options[name] = kind
end

-- Names come from clients. nil: they are none.
local function file_of(root, path, index)
  if path == "" or path:find "/$" then
    path = path .. index
  end
  if ("/" .. path):find "/[./]" or path:find("%z") then
    return nil
  end
  return root .. "/" .. (path:find "%.md$" and path or path .. ".md")
end

--- pl.markdown.pages(prefix, { root = "docs", layout = "layout.mustache" }):
--- the .md files of a folder as pages. options: those of pl.markdown, and index
--- = "index.md", data = { ... } for the layout.
function markdown.pages(prefix, options)
  local call = "pl.markdown.pages"
  check_string(call, "the prefix", prefix)
  options = check_options(call, page_options, options)
  check_string(call, "option 'root'", options.root)
  local root, pages = options.root, {}
  local index, layout = options.index or "index.md", options.layout

  local function answer(req, res)
    local path = file_of(root, req.params.path or "", index)
    local page, err
    if path then
      page, err = load(pages, path, options)
    end
    if not page then
      if err and err.code ~= "not_found" then
        return nil, err
      end
      return 404
    end
    local data = setmetatable({ title = page.title, content = page.content,
      page = page.fields, path = req.path }, { __index = options.data })
    if layout then
      return res:render(page.fields.layout or layout, data)
    end
    return pl.mustache(shell, data)
  end

  pl.get((prefix:gsub("/$", "")) .. "/*path", answer)
end

--- pl.markdown(text [, options]): html, title; or nil, err. options: html =
--- false, hard_breaks = false, tables, strikethrough, tasks, autolinks = true.
--- Waits for long texts.
pl.markdown = setmetatable(markdown, {
  __call = function(_, text, options)
    check_string("pl.markdown", "the text", text)
    local html, title = convert(text,
      check_options("pl.markdown", text_options, options))
    return html, title
  end,
})
