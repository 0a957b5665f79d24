-- library.lua - chapter: URLs, times, types, names.

local pl = require "perilune"

-- example: url
pl.get("/library/url", function(req)
  local base = "http://moon.example/maps/near/index.html"
  local url, err = pl.url.resolve(base, req:arg "to" or "")
  if not url then
    return 400, { error = err.message }
  end
  return pl.url.parse(url)
end)
-- end

-- example: time
pl.get("/library/time", function()
  local landing = pl.time.parse_iso "1969-07-20T20:17:40Z"
  return {
    landing = pl.time.http(landing),
    weekday = pl.time.utc(landing).wday,
    houston = pl.time.iso(landing, { offset = -5 * 3600 }),
    now = pl.time.iso(nil, { digits = 3 }),
  }
end)
-- end

-- example: accept
pl.get("/library/crew", function(req, res)
  local kind = pl.mime.accept(req:header "accept",
    { "application/json", "text/csv" })
  if kind == "application/json" then
    return { { name = "Neil" }, { name = "Buzz" } }
  elseif kind == "text/csv" then
    res:header("content-type", pl.mime "crew.csv")
    return "name\nNeil\nBuzz\n"
  end
  return 406
end)
-- end

-- example: names
pl.get("/library/names", function()
  return {
    random = pl.uuid(), in_order = pl.uuid.v7(),
    secret = pl.crypto.token(),
  }
end)
-- end

return {
  title = "URLs, times, types, names", short = "URLs, times, names",
  summary = "The small things that every site needs, done by the book.",
  sections = {
    {
      title = "URLs",
      text = [[
<p><code>pl.url</code> takes URLs apart, builds them, resolves links as a
browser does, and gives one spelling to those that mean the same. What two
programs could read in two ways is refused.</p>]],
      example = "url",
      links = { "/library/url?to=../far/crater%3Fid=7",
        "/library/url?to=%2F%2Ffar.example:8080" },
      shell = [[
$ curl -s '@origin@/library/url?to=a%20b'
{"error":"pl.url.resolve: not a URL"}]],
    },
    {
      title = "Times",
      text = [[
<p>Seconds since 1970 go in and out: as dates of HTTP, as those of RFC 3339, or
as tables of year, month and day.</p>]],
      example = "time",
      links = { "/library/time" },
    },
    {
      title = "What a client likes best",
      text = [[
<p><code>pl.mime.accept</code> reads the header field of that name, with its
qualities and wildcards; its sisters do the same for languages and
encodings.</p>]],
      example = "accept",
      shell = [[
$ curl -s @origin@/library/crew -H 'Accept: text/*, application/json;q=0.5'
name
Neil
Buzz
$ curl -s @origin@/library/crew
[{"name":"Neil"},{"name":"Buzz"}]
$ curl -si @origin@/library/crew -H 'Accept: image/png'
HTTP/1.1 406 Not Acceptable
…]],
    },
    {
      title = "Names and secrets",
      text = [[
<p>A UUID is a name that nobody has to hand out; those of version 7 sort in the
order of their making. A token is what nobody can guess.</p>]],
      example = "names",
      links = { "/library/names" },
    },
  },
}
