-- cover.lua - the first page: what perilune is, and the way into the tour.

local html = require "lib.html"

local fill = html.fill

local hello = [[
local pl = require "perilune"

pl.get("/hello/:name", function(req)
  return "Hello, " .. req.params.name .. "!"
end)]]

-- The same ellipse as the emblem's: half axes 200 and 140, so the moon stands
-- 143 from its centre, at a focus, and the ship 57 from the moon.
local orbit = [[
<svg class="sky" viewBox="0 0 480 340" role="img"
aria-label="An orbit around the moon; a ship at its closest point">
<g class="stars"><circle cx="34" cy="52" r="1.4"/><circle cx="96" cy="300"
r="1.1"/><circle cx="148" cy="24" r="1"/><circle cx="262" cy="318" r="1.4"/>
<circle cx="318" cy="30" r="1.2"/><circle cx="452" cy="262" r="1.3"/><circle
cx="206" cy="148" r="1"/><circle cx="120" cy="164" r="1.3"/><circle cx="446"
cy="60" r="1"/><circle cx="20" cy="210" r="1"/><circle cx="250" cy="226"
r=".9"/></g>
<g transform="rotate(-14 240 170)">
<ellipse class="orbit" cx="240" cy="170" rx="200" ry="140"/>
<path class="near" d="M383 170H440"/>
<circle class="glow" cx="383" cy="170" r="46"/>
<circle class="moon" cx="383" cy="170" r="32"/>
<g class="craters"><circle cx="374" cy="160" r="7"/><circle cx="393" cy="178"
r="5"/><circle cx="378" cy="185" r="3.4"/><circle cx="395" cy="157" r="2.6"/>
</g>
<circle class="ship" cx="440" cy="170" r="6"/>
</g>
</svg>]]

local function cards(parts)
  local out = {}
  for _, part in ipairs(parts) do
    out[#out + 1] = fill('<h3>{title}</h3>\n<ul class="cards">', part)
    for _, page in ipairs(part) do
      out[#out + 1] = fill([[
<li><a href="{path}"><b>{title}</b> {summary}</a></li>]], page)
    end
    out[#out + 1] = "</ul>"
  end
  return table.concat(out, "\n")
end

return {
  path = "/", class = "cover",
  short = "The cover",
  title = "perilune - the shortest way from a socket to a function",
  summary = "One small C program that is web server, application server and "
    .. "script runtime at once. A tour, with the source of everything.",
  body = function(parts)
    return fill([[
<main id="content">
<div class="hero">
<div class="words">
<h1>The shortest way from a socket to a function</h1>
<p>perilune is one small C program that is web server, application server and
Lua runtime at once: no locks, no blocked worker, nothing to set up.</p>
<p><a class="go" href="/hello">Begin the tour</a>
<a href="/about">What is it?</a></p>
</div>
{!orbit}
</div>
<div class="example">
<figure class="source">
<figcaption>A whole site</figcaption>
<pre tabindex="0"><code>{!hello}</code></pre>
</figure>
<div class="try">
<ul class="links"><li><a href="/hello/moon"
target="answer"><b>GET</b> /hello/moon</a></li></ul>
<iframe name="answer" title="The answer" src="/hello/moon"></iframe>
</div>
</div>
<section class="facts" aria-label="About these pages">
<p><b>All of it is live.</b> Each example has its source beside it, read from
the file that runs. Links and forms ask the very server that made this page.</p>
<p><b>No script, no stranger.</b> The pages work without JavaScript and load
nothing from anywhere else; a header field makes the browser see to it.</p>
<p><b>Yours to change.</b> The tour is a perilune site like any other:
<code>examples/tour</code>, one Lua file for each chapter.</p>
</section>
<h2>The chapters</h2>
{!cards}
</main>]], {
      orbit = orbit, hello = html.code(hello, "lua"), cards = cards(parts),
    })
  end,
}
