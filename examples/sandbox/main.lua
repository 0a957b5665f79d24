-- main.lua - a site that shows what it cannot do:
-- perilune examples/sandbox -p 8080   (as root, with WHO=www-data, all of it)

local pl = require "perilune"
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local notes = pl.env("NOTES", "/var/tmp")

pl.set {
  user = pl.env("WHO", ""), -- root becomes somebody else
  sandbox = { write = { notes } },
}

-- Each is what somebody would try who has taken over a handler.
local tries = {
  { "read its own code", function() return pl.fs.read(here .. "main.lua") end },
  { "change its own code",
    function() return pl.fs.append(here .. "main.lua", "-- mine") end },
  { "read the passwords", function() return pl.fs.read "/etc/shadow" end },
  { "read what another process was started with",
    function() return pl.fs.read "/proc/1/environ" end },
  { "leave a file for cron",
    function() return pl.fs.write("/etc/cron.d/mine", "") end },
  { "start a shell", function() return pl.process.run { "/bin/sh" } end },
  { "write a note", function() return pl.fs.write(notes .. "/note", "hi") end },
}

pl.get("/", function()
  local rows = {}
  for i, try in ipairs(tries) do
    local done, err = try[2]()
    rows[i] = ("<tr><td>%s<td>%s"):format(try[1],
      pl.escape(done and "done" or tostring(err)))
  end
  return "<!doctype html><title>A sandbox</title><table border=1>"
    .. table.concat(rows, "\n") .. "</table>"
end)
