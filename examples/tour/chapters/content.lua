-- content.lua - chapter: a folder of pages, whose names say what they are.

local pl = require "perilune"

-- example: folder
pl.content("/content/log", { root = "log" })
-- end

-- example: store
local kept = pl.shared("logbook", { max = "256k", evict = true })

logbook = {} -- pages see all globals

function logbook.read()
  return kept:get "entries" or { { text = "The descent begins.", height = 15 } }
end

function logbook.add(text, height)
  if not text or text == "" or #text > 80 or not height
    or height ~= height or math.abs(height) > 1000 then
    return false
  end
  return kept:update("entries", function(entries)
    entries = entries or logbook.read()
    entries[#entries + 1] = { text = text, height = height }
    if #entries > 10 then
      table.remove(entries, 1)
    end
    return entries
  end)
end
-- end

return {
  title = "A folder of pages",
  short = "Pages",
  summary = "Names of files become URLs and methods, and pages have Lua in "
    .. "them: a folder is an application.",
  sections = {
    {
      title = "Names are routes",
      text = [[
<p>In the folder below, <code>index.dyn.html</code> answers
<code>GET /content/log/</code> and <code>post.entry.dyn.html</code> answers
<code>POST /content/log/entry</code>. What <code>i.parts</code> holds has no
URL: pages include it. New files are there at once; changed ones, too.</p>]],
      example = "folder",
      links = { "/content/log/" },
    },
    {
      title = "Text with Lua in it",
      text = [=[
<p>A line after a bar is text; <code>#[[…]]</code> puts in a value, escaped.
What somebody writes below stays text, whatever it looks like.</p>]=],
      file = "log/index.dyn.html", example = "list",
      form = {
        action = "/content/log/entry", button = "Write",
        fields = [[
<p><label>What you see
<input name="text" maxlength="80" value="Craters &lt;b&gt;everywhere&lt;/b&gt;">
</label></p>
<p><label>Height in km
<input name="height" size="6" value="12.25"></label></p>]],
      },
      shell = [[
$ curl -s @origin@/content/log/
…
<ul>
<li><b>15.0 km</b> The descent begins.</li>…
</ul>]],
    },
    {
      title = "A page for POST",
      text = [[
<p>It gets the body, answers with a status and fields of its own, and leads back
by 303.</p>]],
      file = "log/post.entry.dyn.html", example = "entry",
      shell = [[
$ curl -s -o /dev/null -w '%{http_code}\n' @origin@/content/log/entry -d text=
400]],
    },
    {
      title = "What pages share",
      text = [[
<p>Globals belong to a worker; what all workers are to see is in
<code>pl.shared</code>.</p>]],
      example = "store",
    },
    {
      title = "A folder is a site",
      text = [[
<p><code>perilune FOLDER</code> serves the <code>public_html</code> in it so,
and runs the <code>main.lua</code> beside that; no route needs to be written.
The wiki in <code>examples/wiki</code> is such a folder. With
<code>MASTER_KEY</code> in the environment its links are encrypted.</p>
<pre class="shell"><code>perilune examples/wiki -p 8081</code></pre>]],
    },
  },
}
