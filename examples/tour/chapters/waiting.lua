-- waiting.lua - chapter: waiting in straight lines.

local pl = require "perilune"

-- example: sleep
pl.get("/waiting/sleep", function()
  local began = pl.now()
  pl.sleep(0.5)
  return ("slept for %.2f s"):format(pl.now() - began)
end)
-- end

-- example: all
local function fetch(name, seconds)
  return function()
    pl.sleep(seconds) -- or ask a database, or another server
    return name
  end
end

pl.get("/waiting/all", function()
  local began = pl.now()
  local crater, sea, valley = pl.all {
    fetch("Copernicus", 0.3),
    fetch("Serenity", 0.5),
    fetch("Alps", 0.4),
  }
  return ("%s, %s, %s in %.2f s")
    :format(crater, sea, valley, pl.now() - began)
end)

pl.get("/waiting/one-by-one", function()
  local began = pl.now()
  local crater = fetch("Copernicus", 0.3)()
  local sea = fetch("Serenity", 0.5)()
  local valley = fetch("Alps", 0.4)()
  return ("%s, %s, %s in %.2f s")
    :format(crater, sea, valley, pl.now() - began)
end)
-- end

-- example: race
pl.get("/waiting/race", function()
  local began = pl.now()
  local index, name = pl.race {
    fetch("tortoise", 2), fetch("hare", 0.2), fetch("snail", 9),
  }
  return ("number %d, the %s, won after %.2f s")
    :format(index, name, pl.now() - began)
end)
-- end

-- example: timeout
pl.get("/waiting/timeout", function()
  local began = pl.now()
  local name, err = pl.timeout(0.3, fetch("a slow answer", 10))
  if err and err.code == "timeout" then
    return ("gave up after %.2f s"):format(pl.now() - began)
  end
  return name
end)
-- end

return {
  title = "Waiting in straight lines",
  summary = "What waits is a plain call. The handler stops there, the worker "
    .. "does not: it serves others meanwhile.",
  sections = {
    {
      title = "Sleep",
      text = [[
<p>Each request runs as a task of its own, and <code>pl.sleep</code> parks it. A
parked task needs no thread, only a little memory. There are no callbacks and no
<code>await</code>, and errors are raised where they happen.</p>]],
      example = "sleep",
      links = { "/waiting/sleep" },
    },
    {
      title = "All at once",
      text = [[
<p><code>pl.all</code> runs functions side by side and returns when all have
ended: half a second here, not 1.2. If one of them fails, the others are
cancelled and the error is raised in the caller.</p>]],
      example = "all",
      links = { "/waiting/all", "/waiting/one-by-one" },
    },
    {
      title = "The first wins",
      text = [[
<p><code>pl.race</code> returns the index of the winner and its results. The
losers are cancelled, and have ended when it returns: nothing runs on behind
your back.</p>]],
      example = "race",
      links = { "/waiting/race" },
    },
    {
      title = "Not for ever",
      text = [[
<p><code>pl.timeout</code> limits any function, however deep inside it waits.
What is to be expected, like a time-out, is returned as <code>nil, err</code>;
only what is not is raised.</p>]],
      example = "timeout",
      links = { "/waiting/timeout" },
    },
  },
}
