-- pages.lua - the dynamic page that the benchmark asks perilune for.
local pl = require "perilune"

user = {
  name = "Selene <of the moon>", age = 4500000000, phase = 0.75,
  home = "Sea of Tranquility", likes = { "tides", "owls & cats" },
}
pl.pages("/", { root = "pages" })
