-- tasks.lua - chapter: tasks beside the request, and what must be done at last.

local pl = require "perilune"

-- example: spawn
pl.get("/tasks/spawn", function()
  local task = pl.spawn(function(name)
    pl.sleep(0.2)
    return name .. " is back"
  end, "Columbia")
  local before = task:status()
  return ("%s; then %s; %s")
    :format(before, task:join(), task:status())
end)
-- end

-- example: beyond
pl.post("/tasks/beyond", function(req)
  local id = req.id
  pl.spawn(function()
    pl.sleep(1)
    pl.log.notice("a second after the answer", { request = id })
  end)
  return 202, "Accepted. Look at the log in a second."
end)
-- end

-- example: cancel
pl.get("/tasks/cancel", function()
  local task = pl.spawn(function()
    pl.sleep(3600)
  end)
  task:cancel()
  local ok, err = pcall(task.join, task)
  return ("%s: %s (%s)")
    :format(tostring(ok), err.code, task:status())
end)
-- end

-- example: defer
pl.get("/tasks/defer", function()
  local diary = {}
  local function note(text)
    return function()
      diary[#diary + 1] = text
    end
  end
  local walk = pl.spawn(function()
    pl.defer(note "close the hatch")
    pl.defer(note "fold the ladder")
    note "walk on the moon" ()
    error "a torn glove"
  end)
  local ok, err = pcall(walk.join, walk)
  note(ok and "all went well" or tostring(err)) ()
  return table.concat(diary, "\n")
end)
-- end

return {
  title = "Tasks and defer",
  summary = "Start work beside the request, wait for it or not, and be sure "
    .. "that it is cleaned up.",
  sections = {
    {
      title = "A task and its result",
      text = [[
<p><code>pl.spawn</code> starts a task and returns at once.
<code>task:join()</code> waits for it and returns what its function has
returned, or raises its error.</p>]],
      example = "spawn",
      links = { "/tasks/spawn" },
    },
    {
      title = "After the answer",
      text = [[
<p>A spawned task does not belong to the request, so it may go on when the
answer has been sent. It takes with it only what it was given: the request
object is of no use by then. An error nobody waits for goes to the log.</p>]],
      example = "beyond",
      form = { action = "/tasks/beyond", button = "Start", fields = "" },
    },
    {
      title = "Cancelling",
      text = [[
<p>In a cancelled task every wait fails from then on, so it ends soon, and
<code>pcall</code> cannot make it stay. The children of <code>pl.all</code>,
<code>pl.race</code> and <code>pl.timeout</code> are cancelled with their
parent.</p>]],
      example = "cancel",
      links = { "/tasks/cancel" },
    },
    {
      title = "At last",
      text = [[
<p>What <code>pl.defer</code> is given runs when the task ends, however it ends:
by returning, by an error or by being cancelled. The last one is first. It may
wait, for a limited time.</p>]],
      example = "defer",
      links = { "/tasks/defer" },
    },
  },
}
