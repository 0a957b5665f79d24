-- main.lua - people who join, log in and out. perilune examples/login, then
-- http://localhost:8080/

local pl = require "perilune"

-- A site that is meant seriously: pl.keys { pl.env "SITE_KEY" }
pl.keys "temporary"

require "login" ""
