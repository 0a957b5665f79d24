-- serverpages.lua - chapter: Lua Server Pages, text with Lua between <% and %>.

local pl = require "perilune"

-- example: folder
moons = { -- pages see all globals
  { name = "Luna", radius = 1737.4 },
  { name = "Titan <the largest but one>", radius = 2574.73 },
}
pl.pages("/moon", { root = "moon" })
-- end

return {
  title = "Lua Server Pages",
  short = "Server pages",
  summary = "HTML with Lua between its lines, as Lwan and CivetWeb have it: "
    .. "compiled once, escaped by default, right about the line of an error.",
  sections = {
    {
      title = "Text between statements",
      text = [[
<p>What stands between the <code>do</code> and the <code>end</code> of a loop is
put out each time. Values of <code>&lt;%= %&gt;</code> are escaped;
<code>&lt;%- %&gt;</code> puts them out as they are.</p>]],
      file = "moon/index.lsp", example = "loop",
      links = { "/moon/" },
      shell = [[
$ curl -s @origin@/moon/ | grep Titan
  <tr><th>Titan &lt;the largest but one&gt;<td>2574.73 km]],
    },
    {
      title = "A folder of them",
      text = [[
<p>Each page is compiled to a Lua function when it is first asked for, and
again, alone, when its file has changed.</p>]],
      example = "folder",
    },
    {
      title = "A page may answer in another way",
      text = [[
<p>A <code>return</code> with a value does what the result of a handler does;
the text is dropped then.</p>]],
      file = "moon/phase.lsp", example = "answer",
      links = { "/moon/phase?of=half", "/moon/phase?of=blue" },
      shell = [[
$ curl -s '@origin@/moon/phase?of=half' | tail -1
<p>50 percent are lit.
$ curl -s '@origin@/moon/phase?of=blue'
no such phase]],
    },
    {
      title = "Errors know their line",
      text = [[
<p>A page and its function have the same lines, so the log names the right one,
in included files too. With <code>--dev</code> the browser shows it, with the
source around it.</p>]],
      links = { "/moon/eclipse" },
      log = "… error lua: GET /moon/eclipse request=…: "
        .. "moon/eclipse.lsp:3: attempt to index …",
    },
    {
      title = "Piece by piece",
      text = [[
<p>A page is sent as a whole, unless it asks for its pieces to leave.</p>]],
      file = "moon/count.lsp", example = "flush",
      links = { "/moon/count" },
    },
  },
}
