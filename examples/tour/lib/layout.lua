-- layout.lua - the frame around every page, and the list of chapters.
--
-- A page is made once, while the site is loaded. What differs from request to
-- request stands in it as @origin@, @worker@ and @request@ until it is sent.

local pl = require "perilune"
local html = require "lib.html"

local layout = {}
local fill = html.fill

-- The orbit is a true one: the moon is at a focus of the ellipse, and the ship
-- where it comes closest.
local emblem = [[
<svg class="emblem" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
<g transform="rotate(-24 32 32)"><ellipse class="orbit" cx="32" cy="32" rx="28"
ry="19.6"/><circle class="moon" cx="52" cy="32" r="4.6"/><circle class="ship"
cx="60" cy="32" r="2.4"/></g></svg>]]

local frame = [[
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{summary}">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/tour.css">
<link rel="icon" href="/icon.svg" type="image/svg+xml">
</head>
<body{!class}>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="brand" href="/">{!emblem}perilune</a>
<a class="menu" href="#chapters">Chapters</a>
<a href="/about">About</a>
</header>
{!body}
<nav class="chapters" id="chapters" aria-label="Chapters">
{!chapters}
</nav>
<footer class="bottom">
<p>perilune {version} on {lua}. This page was answered by worker @worker@ of
{workers}, request <code>@request@</code>.</p>
</footer>
</body>
</html>
]]

-- The parts of the tour: { { title =, chapter, ... }, ... }
layout.parts = {}

local function link(page, current)
  return fill([[<li><a href="{path}"{!current}>{title}</a></li>]], {
    path = page.path, title = page.short or page.title,
    current = page == current and ' aria-current="page"' or "",
  })
end

local function chapters(current)
  local out = {}
  for _, part in ipairs(layout.parts) do
    local links = {}
    for _, chapter in ipairs(part) do
      links[#links + 1] = link(chapter, current)
    end
    out[#out + 1] = fill("<h2>{title}</h2>\n<ul>\n{!links}\n</ul>",
      { title = part.title, links = table.concat(links, "\n") })
  end
  return table.concat(out, "\n")
end

--- layout.page(page, body) -> the whole page; page has path, title, summary
--- and perhaps class
function layout.page(page, body)
  return fill(frame, {
    title = page.path == "/" and page.title or page.title .. " - perilune",
    class = page.class and fill(' class="{class}"', page) or "",
    summary = page.summary, emblem = emblem, body = body,
    chapters = chapters(page),
    version = pl.version, lua = jit and "LuaJIT" or _VERSION,
    workers = pl.workers.count,
  })
end

--- layout.route(page, body): adds the route that answers with the page
function layout.route(page, body)
  local text = layout.page(page, body)
  pl.get(page.path, function(req)
    local host = req.headers.host or "127.0.0.1:8080"
    return (text:gsub("@(%l+)@", {
      origin = html.escape(req.scheme .. "://" .. host),
      worker = pl.workers.id,
      request = req.id,
    }))
  end)
end

return layout
