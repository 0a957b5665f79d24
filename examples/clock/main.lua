-- main.lua - clocks as pictures that never end: perilune examples/clock

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or ""

dofile(here .. "clock.lua")("/")
