-- settings.lua - chapter: settings, limits, the environment.

local pl = require "perilune"

-- example: set
pl.set {
  max_body = "256k",
  header_timeout = "10s",
  stop_timeout = "5s",
}
-- end

-- example: env
local greeting = pl.env("TOUR_GREETING", "Good evening")

pl.get("/settings/greeting", function()
  return greeting .. ", moon."
end)
-- end

return {
  title = "Settings and limits",
  summary = "The configuration is Lua, and whatever can grow has a limit.",
  sections = {
    {
      title = "Settings",
      text = [[
<p>Sizes and durations are written the way people write them. A name that does
not exist or a value that is not possible stops the start, with file and line
and, for a slip of the pen, with the name that was meant.</p>]],
      example = "set",
      shell = [[
$ head -c 300000 /dev/zero | curl -si @origin@/input/form --data-binary @-
HTTP/1.1 413 Content Too Large
…
$ curl -si "@origin@/?$(head -c 9000 /dev/zero | tr '\0' x)"
HTTP/1.1 414 URI Too Long
…
$ curl -si @origin@/ -H "X-Long: $(head -c 40000 /dev/zero | tr '\0' x)"
HTTP/1.1 431 Request Header Fields Too Large
…]],
    },
    {
      title = "Limits",
      text = [[
<table>
<caption>What holds unless the site says otherwise</caption>
<thead><tr><th scope="col">Setting</th><th scope="col">Default</th>
<th scope="col">Of what</th></tr></thead>
<tbody>
<tr><td><code>max_line</code></td><td>8 KiB</td><td>request line</td></tr>
<tr><td><code>max_head</code></td><td>32 KiB</td><td>all header
fields</td></tr>
<tr><td><code>max_headers</code></td><td>100</td><td>number of them</td></tr>
<tr><td><code>max_body</code></td><td>1 MiB</td><td>body read as a
whole</td></tr>
<tr><td><code>header_timeout</code></td><td>10 s</td><td>for the head of a
request</td></tr>
<tr><td><code>body_rate</code></td><td>500 B/s</td><td>slowest body</td></tr>
<tr><td><code>idle_timeout</code></td><td>60 s</td><td>between two
requests</td></tr>
<tr><td><code>write_timeout</code></td><td>30 s</td><td>a client that takes
nothing</td></tr>
<tr><td><code>conn_memory</code></td><td>1 MiB</td><td>held by one
connection</td></tr>
<tr><td><code>workers</code></td><td>one per CPU</td><td>threads</td></tr>
</tbody>
</table>]],
    },
    {
      title = "The environment",
      text = [[
<p>With a default, <code>pl.env</code> takes it when the variable is not set.
Without one, a missing variable stops the start: a site should not run half
configured.</p>]],
      example = "env",
      links = { "/settings/greeting" },
    },
    {
      title = "Addresses",
      text = [[
<p>A site may say itself where it listens; <code>-p</code> and <code>-h</code>
on the command line come first. Each address has options of its own: who may
open its file, TLS, which versions of HTTP, and whose word is taken for who the
client is. A proxy says that by a header of the PROXY protocol, or in fields of
the request; from anybody else neither counts.</p>]],
      code = [[
pl.listen { "127.0.0.1:8080", "[::1]:8080" }
pl.listen { "unix:/run/tour.sock", mode = "660", group = "www-data" }
pl.listen { "systemd:web", proxy_protocol = true, trusted = "10.0.0.0/8" }
pl.listen { ":8443", tls = "dev", protocol = "auto" }]],
    },
  },
}
