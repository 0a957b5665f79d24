-- reload.lua - chapter: the site changes while it is served.

local pl = require "perilune"

-- example: text
local motto = "Save the file, reload, and it is live."

pl.get("/reload/motto", function()
  return motto
end)
-- end

-- example: persist
pl.on("start", function()
  pl.persist.generation = (pl.persist.generation or 0) + 1
end)

pl.get("/reload/generation", function()
  return ("generation %d of worker %d")
    :format(pl.persist.generation, pl.workers.id)
end)
-- end

-- example: now
pl.post("/reload/now", function()
  local ok, err = pl.reload()
  if not ok then
    return 500, tostring(err)
  end
  return "All workers have a new generation."
end)
-- end

-- example: long
pl.get("/reload/orbit", function(_, res)
  local mine = pl.persist.generation
  for lap = 1, 6 do
    res:write(("lap %d in generation %d\n"):format(lap, mine))
    pl.sleep(0.5)
  end
end)
-- end

return {
  title = "Reloading",
  summary = "Code, settings and addresses change while requests run; no "
    .. "request fails.",
  sections = {
    {
      title = "Edit a file",
      text = [[
<p>Change the text below in <code>examples/tour/chapters/reload.lua</code>, save
the file, and say</p>
<pre class="shell"><code>perilune reload</code></pre>
<p>Each worker loads the site anew, one after another, while it goes on
answering; when all have it, all take it. The command returns then. The signal
HUP does the same.</p>]],
      example = "text",
      links = { "/reload/motto" },
      shell = [[
$ curl -s @origin@/reload/motto
Save the file, reload, and it is live.]],
    },
    {
      title = "A mistake changes nothing",
      text = [[
<p>Whatever fails in any worker, a syntax error or an address that is in use, is
discarded in all of them, and what served goes on. The command ends with 3:</p>
<pre class="shell"><code
>perilune: not reloaded: chapters/reload.lua:6: unexpected symbol near '='</code
></pre>]],
    },
    {
      title = "From the site itself",
      text = [[
<p><code>pl.reload()</code> asks for one, too. It waits until the new generation
serves, but goes on in the one that it began in.</p>]],
      example = "now",
      form = { action = "/reload/now", button = "Reload this tour" },
    },
    {
      title = "What survives",
      text = [[
<p>Connections do, and WebSockets with the plain data in their
<code>ws.state</code>; so do <code>pl.shared</code>, channels, and the times at
which timers are due. Lua itself begins anew, but for the plain data that a
worker puts into <code>pl.persist</code>: here it counts how often it has
begun.</p>]],
      example = "persist",
      links = { "/reload/generation" },
    },
    {
      title = "What runs, ends as it began",
      text = [[
<p>A request keeps its generation. Start this one and reload the tour while it
goes round: its laps stay in the old generation, others begin in the new one. An
old generation ends with its last request, or after
<code>reload_drain</code>.</p>]],
      example = "long",
      links = { "/reload/orbit" }, watch = true,
    },
    {
      title = "Who keeps the old code",
      text = [[
<p><code>perilune status</code> shows the last reload, and which requests keep
which generation alive; <code>perilune top</code> does so each second.</p>
<pre class="shell" tabindex="0"><code
>reload  generation 2  reloaded 1s ago by admin in 14 ms  failed 0 of 1
old     generation 1  worker 0  retired  9s old  requests 1  tasks 3  cut off …
          kept by GET /reload/orbit  1.8 s  connection 4</code></pre>]],
    },
  },
}
