-- wiki.lua - the articles: each is a file, named as it is, in $WIKI_DATA or
-- data/. What a visitor says comes near the disk only through `good_name`, and
-- near a browser only through `html`.

local pl = require "perilune"

local wiki = {}

local FOLDER = pl.env("WIKI_DATA", "data")
local MOST = 64 * 1024 -- bytes of an article
local ARTICLES = 1000

-- What is read where nobody has written yet.
local FIRST = { Home = [[
= Welcome

This is a page that everybody may *edit*. A word in brackets is a link: the
[Moon] has no article yet.

- Write one
- Come back
]] }

-- Which version of an article there is, for all workers: who saves says which
-- one was edited. A version is a number that no other had.
local versions = pl.shared("wiki", { max = "1m" })

--- Such as "MoonLanding": letters and digits, the first one large.
function wiki.good_name(name)
  return type(name) == "string" and #name <= 64
    and name:find "^%u[%w]*$" ~= nil
end

local function path_of(name)
  assert(wiki.good_name(name))
  return FOLDER .. "/" .. name .. ".txt"
end

--- The text (nil: there is none yet) and its version.
function wiki.read(name)
  local version = versions:get(name) or "0"
  local text, err = pl.fs.read(path_of(name), { max = MOST })
  if not text and err.code ~= "not_found" then
    error(err, 0)
  end
  return text or FIRST[name], version
end

--- true; or nil and why not. version: what was read before the change. Of all
--- that have read the same one, one saves.
function wiki.write(name, text, version)
  text = text:gsub("\r\n?", "\n"):gsub("%s+$", "") .. "\n"
  if #text > MOST then
    return nil, "too long"
  elseif text:find "^%s*$" then
    return nil, "empty"
  elseif not wiki.read(name) and #wiki.names() >= ARTICLES then
    return nil, "full"
  end
  local old = version ~= "0" and version or nil
  if not versions:cas(name, old, pl.uuid()) then
    return nil, "changed"
  end
  assert(pl.fs.mkdir(FOLDER, { parents = true }))
  assert(pl.fs.write(path_of(name), text))
  return true
end

--- All of them, sorted.
function wiki.names()
  local names = {}
  for name in pairs(FIRST) do
    names[#names + 1] = name
  end
  for _, item in ipairs(pl.fs.list(FOLDER) or {}) do
    local name = item.name:match "^(.*)%.txt$"
    if wiki.good_name(name) and not FIRST[name] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- ---- from text to HTML -----------------------------------------------------

local function link(name)
  return ('<a href="/page?name=%s">%s</a>'):format(name, name)
end

-- Escaped first, so that all tags are ours: [Name] is a link, *word* is
-- emphasis.
local function inline(text)
  return (pl.escape(text)
    :gsub("%[(%u%w*)%]", function(name)
      return wiki.good_name(name) and link(name) or nil
    end)
    :gsub("%*([^*\n]+)%*", "<em>%1</em>"))
end

--- Paragraphs, with an empty line between; "= heading"; "- item".
function wiki.html(text)
  local out = {}
  for block in (text .. "\n\n"):gmatch "(.-)\n%s*\n" do
    local heading = block:match "^=%s+([^\n]+)$"
    if heading then
      out[#out + 1] = "<h2>" .. inline(heading) .. "</h2>"
    elseif block:find "^%-%s" then
      local items = {}
      for item in ("\n" .. block):gmatch "\n%-%s+([^\n]+)" do
        items[#items + 1] = "<li>" .. inline(item) .. "</li>"
      end
      out[#out + 1] = "<ul>" .. table.concat(items) .. "</ul>"
    elseif block:find "%S" then
      out[#out + 1] = "<p>" .. inline(block) .. "</p>"
    end
  end
  return table.concat(out, "\n")
end

return wiki
