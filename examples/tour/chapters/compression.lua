-- compression.lua - chapter: answers in a content coding.

local pl = require "perilune"

-- example: answer
pl.get("/compression/tides", { compress = true }, function()
  local lines = {}
  for hour = 0, 23 do
    lines[#lines + 1] = ("At %02d:00 the tide is %s, and the moon is %s.")
      :format(hour, hour % 12 < 6 and "rising" or "falling",
        hour < 12 and "above" or "below")
  end
  return table.concat(lines, "\n") .. "\n"
end)
-- end

-- example: request
pl.group("/compression/log", { compress = true }, function()
  pl.post("/", { max_body = "10k" }, function(req)
    return ("%d bytes of your log\n"):format(#req:body())
  end)
end)
-- end

return {
  title = "Compression",
  summary = "Answers that are smaller on their way, and bodies that come so.",
  sections = {
    {
      title = "An answer",
      text = [[
<p><code>compress = true</code> sends what is answered as <code>br</code>,
<code>zstd</code> or <code>gzip</code>, by what the client likes best;
<code>pl.set { compress = true }</code> does so for all routes. Files are
compressed once and kept; long answers a slice at a time, so that nobody else
waits.</p>]],
      example = "answer",
      links = { "/compression/tides" },
      shell = [[
$ curl -si @origin@/compression/tides --compressed | grep -i -E 'vary|length'
Content-Length: …
Vary: Accept-Encoding
$ curl -s @origin@/compression/tides --compressed | head -n 1
At 00:00 the tide is rising, and the moon is above.]],
    },
    {
      title = "A request",
      text = [[
<p>Bodies may be compressed, too. Limits are of what comes out, so a small body
that wants to become a huge one ends at 413.</p>]],
      example = "request",
      shell = [[
$ printf 'all is well' | gzip > a.gz
$ curl -s @origin@/compression/log/ -H content-encoding:gzip --data-binary @a.gz
11 bytes of your log
$ head -c 1000000 /dev/zero | gzip > a.gz
$ curl -s @origin@/compression/log/ -H content-encoding:gzip --data-binary @a.gz
413 Content Too Large]],
    },
  },
}
