-- main.lua - a wiki as a folder of pages. It is run once in each worker before
-- the pages in public_html/ are served; its globals are theirs.

local pl = require "perilune"

TITLE = "A small wiki"
wiki = require "lib.wiki"

pl.set {
  max_body = "256k", -- of a form: what is typed may triple on the way
  headers = {
    ["content-security-policy"] = "default-src 'none'; style-src 'self'; "
      .. "form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    ["x-content-type-options"] = "nosniff",
    ["referrer-policy"] = "same-origin",
  },
}
