-- files.lua - chapter: files below a folder.

local pl = require "perilune"

-- example: static
pl.static("/files/show", {
  root = "public/files",
  cache_control = "no-cache", -- keep it, but ask each time
})
-- end

-- example: app
pl.static("/files/app", {
  root = "public/files",
  fallback = "index.html", -- pages of a script
  precompressed = true, -- also landings.txt.gz
  preload = true, -- the disk is not asked again
})
-- end

-- example: listing
pl.static("/files/list", {
  root = "public/files",
  index = false,
  listing = true,
})
-- end

return {
  title = "Static files",
  summary = "One line serves a folder, and a client cannot leave it.",
  sections = {
    {
      title = "A folder",
      text = [[
<p>Types come from the system's table. The folder itself is answered with its
<code>index.html</code>. A path cannot lead out of the root, neither by
<code>..</code> nor by a symbolic link: the kernel itself sees to that
(<code>openat2</code>, <code>RESOLVE_BENEATH</code>). Names that begin with a
dot are not served.</p>]],
      example = "static",
      links = { "/files/show/", "/files/show/phases.svg",
        "/files/show/landings.txt" },
      shell = [[
$ curl -sI @origin@/files/show/landings.txt
HTTP/1.1 200 OK
…
Content-Type: text/plain…
Content-Length: 408
ETag: "…"
Last-Modified: …
Accept-Ranges: bytes
Vary: Accept-Encoding
Cache-Control: no-cache
…
$ curl -si --path-as-is @origin@/files/show/../../main.lua
HTTP/1.1 404 Not Found
…]],
    },
    {
      title = "A version for every client",
      text = [[
<p>What was compressed beforehand is sent to those who accept it: same type,
a tag and ranges of its own. Pages that only a script in the browser knows get
the page of the application; a picture that is missing is missing.</p>]],
      example = "app",
      links = { "/files/app/", "/files/app/moons/io" },
      shell = [[
$ curl -sI @origin@/files/app/landings.txt -H 'Accept-Encoding: gzip'
HTTP/1.1 200 OK
…
Content-Encoding: gzip
Vary: Accept-Encoding
…
$ curl -sI @origin@/files/app/moons/io
HTTP/1.1 200 OK
…
$ curl -sI @origin@/files/app/moons/io.jpg
HTTP/1.1 404 Not Found
…]],
    },
    {
      title = "As fast as memory, as fresh as you say",
      text = [[
<p>Each worker keeps what it serves: small files with their heads, large ones
open. It looks at the disk once a second (<code>cache</code> says how often), so
that a request costs two system calls. A disk that is cold or slow holds nobody
but the one who waits for it.</p>]],
    },
    {
      title = "A list of the folder",
      text = [[
<p>With <code>listing</code> a folder without an index file is listed; the heads
of the columns sort it. A Mustache template of your own may take the place of
this page, and programs get JSON.</p>]],
      example = "listing",
      links = { "/files/list/", "/files/list/?sort=size&order=desc" },
      page = true,
      shell = [[
$ curl -s @origin@/files/list/ -H 'Accept: application/json'
{"path":"/files/list/","truncated":false,"entries":[{"name":"index.html",…
…]],
    },
    {
      title = "Ranges",
      text = [[
<p>A client may ask for parts: to go on with a broken download, or to jump in a
film. Several ranges are answered in several parts.</p>]],
      shell = [[
$ curl -si @origin@/files/show/landings.txt -r 0-65
HTTP/1.1 206 Partial Content
…
Content-Range: bytes 0-65/408
…

Mission     Landed             Where                Hours outside
$ curl -si @origin@/files/show/landings.txt -r 900-
HTTP/1.1 416 …
…
Content-Range: bytes */408
…]],
    },
    {
      title = "Only if it has changed",
      text = [[
<p>A browser that has the file already says so, and gets 304 without a body.
Load this page again and watch the style sheet in the network panel of your
browser. <code>If-Match</code>, <code>If-Unmodified-Since</code> and
<code>If-Range</code> are understood, too.</p>]],
      shell = [[
$ curl -si @origin@/files/show/landings.txt -z '31 Dec 2037'
HTTP/1.1 304 Not Modified
…
$ curl -si @origin@/files/show/landings.txt -H 'If-None-Match: *'
HTTP/1.1 304 Not Modified
…
$ curl -si @origin@/files/show/landings.txt -H 'If-Match: "another"'
HTTP/1.1 412 Precondition Failed
…]],
    },
  },
}
