-- system.lua - chapter: files and processes, which hold nobody.

local pl = require "perilune"

-- example: files
pl.get("/system/sources", function()
  local lines = {}
  for _, entry in ipairs(pl.fs.list("chapters")) do
    local text = pl.fs.read("chapters/" .. entry.name)
    lines[#lines + 1] = ("%6d bytes  %s")
      :format(#text, entry.name)
  end
  return table.concat(lines, "\n")
end)
-- end

-- example: process
pl.get("/system/count", function()
  local done, err = pl.process.run {
    "sort", "-r", stdin = "Io\nEuropa\nTitan\n",
    timeout = "5s",
  }
  if not done then return 500, tostring(err) end
  return done.stdout
end)

pl.get("/system/late", function()
  local _, err = pl.process.run {
    "sleep", "60", timeout = "100ms",
  }
  return err.code
end)
-- end

return {
  title = "Files and processes",
  summary = "Reading, writing and listing files, and running programs, while "
    .. "the worker serves others.",
  sections = {
    {
      title = "Files",
      text = [[
<p>A disk can be slow, and a call that waits for it would hold all requests of a
worker. So <code>pl.fs</code> asks a thread made for that, and only the task
waits. What is written takes its place at once: nobody sees half a file.</p>]],
      example = "files",
      links = { "/system/sources" },
    },
    {
      title = "Processes",
      text = [[
<p>A program gets its arguments as they are, without a shell; its input and
output go through pipes that the worker's loop watches. One that is late, or
whose client has left, is ended with all that it has started.</p>]],
      example = "process",
      links = { "/system/count", "/system/late" },
      shell = [[
$ curl -s @origin@/system/count
Titan
Io
Europa]],
    },
  },
}
