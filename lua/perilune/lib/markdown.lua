-- markdown.lua - pl.markdown: lua/perilune/plugins/markdown.lua, which the
-- plug-in brings, is all of it.

local _, _, c = ...
c.load "markdown"
