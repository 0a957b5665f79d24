-- bodies.lua - chapter: what a client sends as a body.

local pl = require "perilune"

-- example: whole
pl.post("/bodies/whole", { max_body = "64" }, function(req)
  local text = req:body()
  return ("%d bytes: %s"):format(#text, text:upper())
end)
-- end

-- example: chunks
pl.post("/bodies/count", function(req)
  local bytes, reads, largest = 0, 0, 0
  for chunk in req:chunks() do
    bytes, reads = bytes + #chunk, reads + 1
    largest = math.max(largest, #chunk)
  end
  return ("%d bytes in %d reads, at most %d at a time")
    :format(bytes, reads, largest)
end)
-- end

-- example: read
pl.post("/bodies/kind", function(req)
  local first = req:read(4) or ""
  if first == "\137PNG" then
    return "That is a PNG image."
  end
  return ("It begins with %q."):format(first)
end)
-- end

return {
  title = "Request bodies",
  summary = "Read a body whole, or piece by piece while it arrives.",
  sections = {
    {
      title = "All of it",
      text = [[
<p><code>req:body()</code> waits for the whole body. It may have 1 MiB unless
the site or, as here, the route says otherwise. A longer one is answered with
413 by itself; one that breaks off or stalls with 400 or 408.</p>]],
      example = "whole",
      form = {
        action = "/bodies/whole", button = "Send", type = "text/plain",
        fields = [[
<label>A few words <input name="words" value="one small step"></label>]],
      },
      shell = [[
$ curl -s @origin@/bodies/whole -d 'the eagle has landed'
20 bytes: THE EAGLE HAS LANDED
$ head -c 65 /dev/zero | curl -si @origin@/bodies/whole --data-binary @-
HTTP/1.1 413 Content Too Large
…]],
    },
    {
      title = "As it arrives",
      text = [[
<p>A handler that reads in pieces has no limit of size, and needs memory for one
piece only. If it is slow, the client is made to wait. Choose any file; it is
counted, not kept. (The browser wraps it in a few lines of
<code>multipart/form-data</code>, which are counted too.)</p>]],
      example = "chunks",
      form = {
        action = "/bodies/count", button = "Count",
        type = "multipart/form-data",
        fields = [[
<label>A file <input type="file" name="file" required></label>]],
      },
      shell = [[
$ head -c 50000000 /dev/zero | curl -s @origin@/bodies/count -T - -X POST
50000000 bytes in …]],
    },
    {
      title = "Only the beginning",
      text = [[
<p>A handler may answer without having read everything. What is left of the body
is passed over, and the connection goes on.</p>]],
      example = "read",
      shell = [[
$ printf '\211PNG and so on' | curl -s @origin@/bodies/kind --data-binary @-
That is a PNG image.
$ curl -s @origin@/bodies/kind -d 'moon rock'
It begins with "moon".]],
    },
  },
}
