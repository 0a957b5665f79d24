-- livelog.lua - the end of a log file, live in the browser: one worker reads
-- what is new in it, and a channel brings the lines to all who look; who was
-- cut off gets those in between. The file gives a function that adds the routes
-- below a prefix, for a file.

local pl = require "perilune"

local PIECE = 64 * 1024
local path -- of the log

local at, inode -- how far the file was read, and which one it was
local rest = "" -- a line whose end has not come; nil: whose beginning has not

local function publish(bytes)
  rest = rest and rest .. bytes or bytes:match "\n(.*)" or ""
  for line in rest:gmatch "([^\n]*)\n" do
    pl.publish("log", line)
  end
  rest = rest:match "[^\n]*$"
  if #rest > PIECE then -- no line of a log
    pl.publish("log", rest)
    rest = ""
  end
end

-- Begins near the end of a file that was there, and at the beginning of one
-- that has taken its place or was cut short.
local function look()
  local stat = pl.fs.stat(path)
  if not stat or stat.type ~= "file" then
    return
  end
  if not at then
    at = math.max(0, stat.size - 4096)
    rest = at == 0 and "" or nil
  elseif inode ~= stat.inode or stat.size < at then
    at, rest = 0, ""
  end
  inode = stat.inode
  while at < stat.size do
    local bytes, err = pl.fs.read(path, { offset = at, length = PIECE })
    if not bytes or bytes == "" then
      return err and pl.log.warn("the log cannot be read",
        { why = tostring(err) })
    end
    at = at + #bytes
    publish(bytes)
  end
end

-- Looks whenever something is written; and once in a second whether a file that
-- is not there has come.
local function follow()
  repeat
    local watcher = pl.fs.watch(path, { modify = true })
    look()
    for _ in watcher or function() end do
      look()
    end
  until pl.stopping(1)
end

local page = [[<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Live log</title>
<style>
body { font: 14px/1.5 ui-monospace, monospace; margin: 0;
  background: #14171c; color: #d7dde5 }
ol { list-style: none; margin: 0; padding: 1em; white-space: pre-wrap }
p { position: sticky; top: 0; margin: 0; padding: .5em 1em; background: #222 }
</style>
<p id="state">connecting</p>
<ol id="lines"></ol>
<script>
const lines = document.getElementById("lines")
const state = document.getElementById("state")
const source = new EventSource("%slines")
source.onopen = () => { state.textContent = "live" }
source.onerror = () => { state.textContent = "connecting again" }
source.onmessage = event => {
  const below = innerHeight + scrollY >= document.body.scrollHeight - 40
  const item = document.createElement("li")
  item.textContent = event.data
  lines.append(item)
  while (lines.childElementCount > 1000)
    lines.firstElementChild.remove()
  if (below)
    scrollTo(0, document.body.scrollHeight)
}
</script>
</html>
]]

return function(prefix, file)
  path = file
  pl.channel("log", { history = 200, history_bytes = "1m" })
  pl.spawn(function()
    if pl.workers.id == 0 then
      follow()
    end
  end)
  pl.get(prefix .. "lines", function(_, res)
    return res:events { retry = "1s" }:subscribe("log", { history = true })
  end)
  pl.get(prefix, function()
    return (page:gsub("%%s", prefix))
  end)
end
