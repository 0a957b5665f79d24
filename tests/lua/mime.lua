-- mime.lua - pl.mime.

local pl = require "perilune"
local check = require "check"
local equal, raises = check.equal, check.raises
local mime = pl.mime

equal("text/html; charset=utf-8", mime "index.html")
equal("text/html; charset=utf-8", mime "html")
equal("image/jpeg", mime "/a.b/PHOTO.JPG")
equal("application/octet-stream", mime "README")
equal("application/octet-stream", mime "/a.html/README")
equal("application/octet-stream", mime "a.")
raises({ "mime.lua:", "pl.mime: the name must be a string, not nil" },
  function() return (mime(nil)) end)

for kind, want in pairs {
  ["text/html"] = "html", ["TEXT/HTML; charset=x"] = "html",
  ["image/jpeg"] = "jpg", ["text/plain"] = "txt", ["image/png"] = "png",
  ["text/javascript"] = "js", ["application/json"] = "json",
  ["image/svg+xml"] = "svg", ["audio/mpeg"] = "mp3",
} do
  equal(want, mime.extension(kind), kind)
end
equal(nil, mime.extension "x/unknown")
equal(nil, mime.extension "")
equal(nil, mime.extension "text")

local kind, params = mime.parse
  'Multipart/Form-Data; Boundary="a \\"b\\"; c"; charset=UTF-8; charset=x'
equal("multipart/form-data", kind)
equal({ boundary = 'a "b"; c', charset = "UTF-8" }, params)
equal({ "text/html", {} }, { mime.parse "text/html;; ;bad;=x;a=" })
equal({ "", {} }, { mime.parse "" })

equal("iso-8859-1", mime.charset "text/html; charset=ISO-8859-1")
equal("utf-8", mime.charset "text/css")
equal("utf-8", mime.charset "application/problem+json")
equal(nil, mime.charset "image/png")

equal("application/json",
  mime.accept("text/html;q=0.5, application/json",
    { "text/html", "application/json" }))
equal("text/html", mime.accept("*/*", { "text/html", "text/plain" }))
equal("text/html", mime.accept(nil, { "text/html" }))
equal(nil, mime.accept("image/*", { "text/html" }))
equal(nil, mime.accept("text/html", {}))
equal("br", mime.accept_encoding("gzip;q=0.5, br", { "gzip", "br" }))
equal(nil, mime.accept_encoding(nil, { "gzip" }))
equal("de-AT", mime.accept_language("en;q=0.2, de", { "en", "de-AT" }))
raises({ "mime.lua:", "pl.mime.accept: the offers must be a list of strings" },
  function() return (mime.accept("*/*", { 1 })) end)
raises({ "must be a list" }, mime.accept, "*/*")
local many = {}
for i = 1, 65 do
  many[i] = "x/y"
end
raises({ "more than 64 offers" }, mime.accept, "*/*", many)
