-- main.lua - the tour of perilune: what it can do, each thing with its source
-- and something to try. `make run` serves it.

local pl = require "perilune"
local chapter = require "lib.chapter"
local layout = require "lib.layout"

-- example: headers
pl.set {
  headers = {
    ["content-security-policy"] = "default-src 'none'; "
      .. "style-src 'self'; img-src 'self'; frame-src 'self'; "
      .. "form-action 'self'; base-uri 'none'; "
      .. "frame-ancestors 'self'",
    ["x-content-type-options"] = "nosniff",
    ["referrer-policy"] = "same-origin",
  },
}
-- end

pl.set { templates = "views" }

-- example: errors
pl.set { error_pages = "pages/error.mustache" }
-- end

local contents = {
  { "Requests and answers", "hello", "input", "json", "bodies",
    "templates" },
  { "Files", "files", "content", "serverpages", "uploads", "system" },
  { "Time", "waiting", "sockets", "streaming", "websockets", "tasks",
    "schedule" },
  { "Order", "routing", "rewrite", "filters", "headers", "compression",
    "errors" },
  { "The library", "shared", "library" },
  { "The house", "settings", "tls", "watchdog", "command", "reload",
    "embed", "modules" },
}

-- A perilune without the plug-in (perilune --version) has the rest of the tour.
if pcall(function() return pl.crypto.hash end) then
  table.insert(contents[5], "secrets")
  table.insert(contents[4], "login")
end

local pages = {}
for _, names in ipairs(contents) do
  local part = { title = names[1] }
  for i = 2, #names do
    part[#part + 1] = chapter.load(names[i], part.title)
    pages[#pages + 1] = part[#part]
  end
  layout.parts[#layout.parts + 1] = part
end
local cover, about = require "pages.cover", require "pages.about"
for i, page in ipairs(pages) do
  chapter.route(page, pages[i - 1] or cover, pages[i + 1] or about)
end
layout.route(cover, cover.body(layout.parts))
layout.route(about, about.body())

pl.static("/", { root = "public", cache_control = "no-cache" })
