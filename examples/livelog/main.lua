-- main.lua - the end of a file, as it grows:
-- LOG=/var/log/syslog perilune examples/livelog

local pl = require "perilune"
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""

dofile(here .. "livelog.lua")("/", pl.env("LOG", "live.log"))
