-- url.lua - pl.url: RFC 3986 and its examples.

local pl = require "perilune"
local check = require "check"
local equal, fails, raises, yes =
  check.equal, check.fails, check.raises, check.yes
local url = pl.url

-- RFC 3986, 5.4: base, then reference and result
local base = "http://a/b/c/d;p?q"
local normal = {
  ["g:h"] = "g:h", g = "http://a/b/c/g", ["./g"] = "http://a/b/c/g",
  ["g/"] = "http://a/b/c/g/", ["/g"] = "http://a/g", ["//g"] = "http://g",
  ["?y"] = "http://a/b/c/d;p?y", ["g?y"] = "http://a/b/c/g?y",
  ["#s"] = "http://a/b/c/d;p?q#s", ["g#s"] = "http://a/b/c/g#s",
  ["g?y#s"] = "http://a/b/c/g?y#s", [";x"] = "http://a/b/c/;x",
  ["g;x"] = "http://a/b/c/g;x", ["g;x?y#s"] = "http://a/b/c/g;x?y#s",
  [""] = "http://a/b/c/d;p?q", ["."] = "http://a/b/c/",
  ["./"] = "http://a/b/c/", [".."] = "http://a/b/", ["../"] = "http://a/b/",
  ["../g"] = "http://a/b/g", ["../.."] = "http://a/", ["../../"] = "http://a/",
  ["../../g"] = "http://a/g",
  -- 5.4.2
  ["../../../g"] = "http://a/g", ["../../../../g"] = "http://a/g",
  ["/./g"] = "http://a/g", ["/../g"] = "http://a/g",
  ["g."] = "http://a/b/c/g.", [".g"] = "http://a/b/c/.g",
  ["g.."] = "http://a/b/c/g..", ["..g"] = "http://a/b/c/..g",
  ["./../g"] = "http://a/b/g", ["./g/."] = "http://a/b/c/g/",
  ["g/./h"] = "http://a/b/c/g/h", ["g/../h"] = "http://a/b/c/h",
  ["g;x=1/./y"] = "http://a/b/c/g;x=1/y", ["g;x=1/../y"] = "http://a/b/c/y",
  ["g?y/./x"] = "http://a/b/c/g?y/./x", ["g?y/../x"] = "http://a/b/c/g?y/../x",
  ["g#s/./x"] = "http://a/b/c/g#s/./x", ["g#s/../x"] = "http://a/b/c/g#s/../x",
  ["http:g"] = "http:g",
}
for reference, want in pairs(normal) do
  equal(want, url.resolve(base, reference), reference)
end
equal("http://h/x", url.resolve("http://h", "x"), "empty path of the base")
equal("urn:/.//x", url.resolve("urn:/a/b", "/.//x"), "a path, not a host")
equal("x:b", url.resolve("x:a", "b"))
equal("http://h?x", url.resolve("http://h?q", "?x"))
equal("http://h/#", url.resolve("http://h/?q", "/#"))
fails("syntax", url.resolve, "/relative", "x")
fails("syntax", url.resolve, "http://h/", "a b")

-- parse
local u = url.parse "HTTPS://me:pw@Example.COM:8443/a%20b;c?q=1&r#top"
equal({ scheme = "https", user = "me:pw", host = "example.com", port = 8443,
  path = "/a%20b;c", query = "q=1&r", fragment = "top" }, u)
equal({ scheme = "http", host = "[::1]", path = "" }, url.parse "http://[::1]")
equal({ path = "" }, url.parse "")
equal({ path = "", query = "", fragment = "" }, url.parse "?#")
equal({ scheme = "mailto", path = "a@b.example" },
  url.parse "mailto:a@b.example")
equal({ scheme = "file", host = "", path = "/etc" }, url.parse "file:///etc")
equal({ host = "h", path = "" }, url.parse "//h:")
equal({ path = "/\195\164", query = "a[]=1" }, url.parse "/\195\164?a[]=1")
for _, bad in ipairs { "http://a b/", "http://a\\b", "http://h:65536/",
  "http://h:8x/", "http://a@b@c/", "http://[::1", "http://[::g]/",
  "http://[fe80::1%25eth0]/", "http://[::1]x/", "/%4", "/%zz", "/a\0b",
  "/a\nb", ":x", "1x:y", "/<", "/a\"", "/{}", "#a#b", "http://\195\164/",
  "a\127" } do
  fails("syntax", url.parse, bad)
end
for _, text in ipairs { "http://u@h:1/p?q#f", "//h", "/p", "p?", "#", "x:y",
  "http://[::1]:80/" } do
  equal(text, url.build(url.parse(text)), text)
end

-- build
equal("http://h/a?x=1&y=a+b", url.build { scheme = "http", host = "h",
  path = "/a", query = { y = "a b", x = 1 } })
equal("./a:b", url.build { path = "a:b" })
equal("x:/.//b", url.build { scheme = "x", path = "//b" })
raises({ "url.lua:", "pl.url.build: these components make no URL" },
  function() return (url.build { path = "/a?b" }) end)
raises({ "make no URL" }, url.build, { host = "a/b", path = "/" })
raises({ "make no URL" }, url.build, { host = "h", path = "x" })
raises({ "make no URL" }, url.build, { host = "h", port = 65536 })
raises({ "make no URL" }, url.build, { scheme = "a:b", path = "" })
raises({ "make no URL" }, url.build, { path = "/\r\nx" })
raises({ "path must be a string, not a table" }, url.build, { path = {} })
raises({ "pl.url.build: a table is needed, not a string" }, url.build, "x")

-- normalise (RFC 3986, 6.2.2 and 6.2.3)
local spellings = {
  ["eXAMPLE://a/./b/../b/%63/%7bfoo%7d"] = "example://a/b/c/%7Bfoo%7D",
  ["http://example.com"] = "http://example.com/",
  ["http://example.com:80/"] = "http://example.com/",
  ["http://example.com:/"] = "http://example.com/",
  ["https://EXAMPLE.com:443"] = "https://example.com/",
  ["http://h:8080/%e4/\195\164"] = "http://h:8080/%E4/%C3%A4",
  ["http://%41%c3h/"] = "http://a%C3h/",
  ["../a"] = "../a", ["http://h/../a?%7e#%7E"] = "http://h/a?~#~",
  ["http://h/a%2Fb"] = "http://h/a%2Fb", ["x:/..//b"] = "x:/.//b",
}
for text, want in pairs(spellings) do
  equal(want, url.normalize(text), text)
  equal(want, url.normalize(want), "again: " .. want)
end
fails("syntax", url.normalize, "http://h/%")

-- components
equal("a%20b%2F%C3%A4~", url.encode "a b/\195\164~")
equal("a/b%20c%3F", url.encode_path "a/b c?")
equal("a b/+%zz%", url.decode "a%20b%2F+%zz%")
equal("\0", url.decode "%00")
raises({ "pl.url.encode: the text must be a string, not nil" }, url.encode)

-- queries
equal("", url.encode_query {})
equal("a=1&a=2&b=x+y&c=true&d=%C3%A4%26%3D",
  url.encode_query { b = "x y", a = { 1, 2 }, c = true, d = "\195\164&=" })
equal("z=1&a=2&z=3&k=v",
  url.encode_query { { "z", 1 }, { "a", 2 }, { "z", 3 }, k = "v" })
raises({ "pl.url.encode_query", "not a function" }, url.encode_query,
  { a = print })
raises({ "item 1 must be { name, value }" }, url.encode_query, { "a" })
raises({ "not nil" }, url.encode_query, { { "a" } })
local args, list = url.decode_query "b=2&a=x+y%21&a=3&&c&=d&__index=1"
equal({ b = "2", a = "x y!", c = "", [""] = "d", __index = "1" }, args)
equal({ { "b", "2" }, { "a", "x y!" }, { "a", "3" }, { "c", "" }, { "", "d" },
  { "__index", "1" } }, list)
equal(url.encode_query(list), "b=2&a=x+y%21&a=3&c=&=d&__index=1")
equal({}, (url.decode_query ""))
fails("limit", url.decode_query, ("a&"):rep(1001))
yes(url.decode_query(("a&"):rep(1000)), "1000 pairs")
fails("limit", url.decode_query, "a&b&c", 2)
yes(url.decode_query("a&b&c", 3), "3 pairs")
raises({ "the most pairs must be a whole number" }, url.decode_query, "a", 0)
