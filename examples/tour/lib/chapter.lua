-- chapter.lua - a chapter's table as a page: sections, each with its source,
-- something to try, and what one would type in a shell.

local html = require "lib.html"
local source = require "lib.source"
local layout = require "lib.layout"

local chapter = {}
local fill = html.fill

-- ---- the source ------------------------------------------------------------

local function figure(caption, code, language)
  return fill([[
<figure class="source">
<figcaption>{caption}</figcaption>
<pre tabindex="0"><code>{!code}</code></pre>
</figure>]], { caption = caption, code = html.code(code, language) })
end

local function listing(page, section)
  if section.code then
    return figure("For example", section.code, "lua")
  elseif not section.example then
    return ""
  end
  local path = section.file and page.folder .. section.file or page.file
  local example = source.example(path, section.example)
  local caption = ("%s, from line %d")
    :format(path:match("[^/]*/?[^/]*$"), example.line)
  return figure(caption, example.code, path:match("%w+$"))
end

-- ---- what can be tried -----------------------------------------------------

local function link(path, attribute)
  local shown = path:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return fill([[<li><a href="{path}" {!attribute}><b>GET</b> {shown}</a></li>]],
    { path = path, attribute = attribute, shown = shown })
end

local function links(section, target)
  local out = {}
  for _, path in ipairs(section.links or {}) do
    out[#out + 1] = link(path, target)
  end
  for _, path in ipairs(section.downloads or {}) do
    out[#out + 1] = link(path, "download")
  end
  if #out == 0 then
    return ""
  end
  return '<ul class="links">\n' .. table.concat(out, "\n") .. "\n</ul>"
end

local function form(section, target)
  if not section.form then
    return ""
  end
  return fill([[
<form action="{action}" method="post" enctype="{type}" {!target}>
{!fields}
<p><button>{button}</button> <code><b>POST</b> {action}</code></p>
</form>]], {
    action = section.form.action, button = section.form.button,
    fields = section.form.fields or "", target = target,
    type = section.form.type or "application/x-www-form-urlencoded",
  })
end

local hint = [[
<!doctype html><html lang="en"><meta name="color-scheme" content="light dark">
<title>Nothing yet</title><pre>(the answer will stand here)</pre></html>]]

-- Links and forms answer into a frame below them: no script is needed. The
-- first link is asked at once, unless it is something to watch.
local function answer(section, name)
  if not section.links and not section.form then
    return ""
  end
  local first = not section.watch and section.links and section.links[1]
  return fill([[
<iframe name="{name}" title="The answer" loading="lazy" {!class}{!content}>
</iframe>]], {
      name = name, class = section.page and 'class="page" ' or "",
      content = first and fill('src="{path}"', { path = first })
        or fill('srcdoc="{hint}"', { hint = hint }),
    })
end

local function try(section, number)
  local name = ("answer-%d"):format(number)
  local target = ('target="%s"'):format(name)
  local parts = links(section, target) .. form(section, target)
  if parts == "" then
    return ""
  end
  return fill([[
<div class="try">
{!parts}
{!answer}
</div>]], { parts = parts, answer = answer(section, name) })
end

-- ---- the shell -------------------------------------------------------------

-- Commands and what they print; "…" stands for anything. The tests run them.
local function shell(section)
  if not section.shell then
    return ""
  end
  local text = ("\n" .. html.escape(section.shell))
    :gsub("\n%$ ([^\n]*)", "\n<kbd>%1</kbd>")
  return '<pre class="shell" tabindex="0"><code>' .. text:sub(2)
    .. "</code></pre>"
end

local function log(section)
  if not section.log then
    return ""
  end
  return '<p>And in the log:</p>\n<pre class="log" tabindex="0"><code>'
    .. html.escape(section.log) .. "</code></pre>"
end

-- ---- the page --------------------------------------------------------------

local function section_text(page, section, number)
  local left, right = listing(page, section), try(section, number)
  local below = shell(section)
  if left ~= "" and right == "" and not section.wide then
    right, below = below, ""
  end
  return fill([[
<section>
<h2 id="{id}">{title}</h2>
{!text}
{!example}
{!shell}
{!log}
</section>]], {
    id = section.title:lower():gsub("%W+", "-"),
    title = section.title, text = section.text,
    example = left .. right == "" and ""
      or fill('<div class="example">\n{!left}\n{!right}\n</div>',
        { left = left, right = right }),
    shell = below, log = log(section),
  })
end

local function turn(page, rel, label)
  return fill([[
<a rel="{rel}" href="{path}"><small>{label}</small> {title}</a>]], {
    rel = rel, path = page.path, label = label,
    title = page.short or page.title,
  })
end

--- chapter.load(name, part) -> the page's table from chapters/<name>.lua
function chapter.load(name, part)
  local module = "chapters." .. name
  local page = require(module)
  page.path, page.part = "/" .. name, part
  page.file = source.path(module)
  page.folder = page.file:match("^(.*)chapters/")
  return page
end

--- chapter.route(page, before, after): adds the page between its neighbours
function chapter.route(page, before, after)
  local sections = {}
  for i, section in ipairs(page.sections) do
    sections[i] = section_text(page, section, i)
  end
  layout.route(page, fill([[
<main id="content">
<p class="part">{part}</p>
<h1>{title}</h1>
<p class="summary">{summary}</p>
{!sections}
<nav class="turn" aria-label="Neighbouring chapters">
{!before}
{!after}
</nav>
</main>]], {
    part = page.part, title = page.title, summary = page.summary,
    sections = table.concat(sections, "\n"),
    before = turn(before, "prev", "Before"),
    after = turn(after, "next", "Next"),
  }))
end

return chapter
