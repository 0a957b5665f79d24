-- json.lua - chapter: JSON in and out.

local pl = require "perilune"

-- example: out
pl.get("/json/out", function()
  return {
    mission = "Apollo 11", returned = true,
    crew = { "Neil", "Buzz", "Michael" },
    failures = pl.json.array {}, follower = pl.json.null,
    seconds = 702915.5, serial = 9007199254740991,
  }
end)
-- end

-- example: in
pl.post("/json/sum", function(req)
  local value, err = req:json()
  if not value then
    return 400, { error = err.message }
  end
  local sum = 0
  for _, number in ipairs(value) do
    sum = sum + number
  end
  return { sum = sum }
end)
-- end

-- example: codec
pl.post("/json/tidy", function(req)
  local text = (req:form() or {}).text or ""
  local value, message = pl.json.decode(text)
  if message then
    return 400, message
  end
  return pl.json.encode(value, {
    pretty = true, sort_keys = true,
  })
end)
-- end

return {
  title = "JSON in and out",
  summary = "Return a table to send JSON; call req:json() to read it.",
  sections = {
    {
      title = "Out",
      text = [[
<p>Numbers are written with the fewest digits that read back the same, and
integers are exact. <code>pl.json.array</code> marks a table as a list, so that
an empty one is <code>[]</code>; <code>pl.json.null</code> stands for
<code>null</code>.</p>]],
      example = "out",
      links = { "/json/out" },
    },
    {
      title = "In",
      text = [[
<p>What is not JSON gives <code>nil</code> and an error that names line and
column. Depth and size are limited, so a hostile text cannot use up the
memory.</p>]],
      example = "in",
      shell = [[
$ curl -s @origin@/json/sum -d '[1, 2, 39]'
{"sum":42}
$ curl -s @origin@/json/sum -d '[1, 2,'
{"error":"req:json: line 1 column 7: …"}]],
    },
    {
      title = "The codec by itself",
      text = [[
<p><code>pl.json.encode</code> and <code>decode</code> work on any text. Options
of <code>encode</code> choose indentation, sorted keys, escaping for use in HTML
and more.</p>]],
      example = "codec",
      form = {
        action = "/json/tidy", button = "Tidy up",
        fields = [[
<label>JSON <textarea name="text" rows="3" spellcheck="false"
>{"phase": "waxing", "days": [1, 2.50, 3e2], "moon": "\u263e"}</textarea>
</label>]],
      },
    },
  },
}
