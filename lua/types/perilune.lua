---@meta perilune
-- perilune.lua - what require "perilune" gives; its parts are in the files
-- beside this one, each of which adds to the class `pl`.

---What a script can expect to go wrong, as in `local value, err = ...`.
---@class pl.Error
---@field code string `"timeout"`, `"closed"`, `"canceled"`, `"not_found"`, ...
---@field message string
---@field status? integer what a client is answered that has caused it

---@class pl
---@field version string
local pl = {}

return pl
