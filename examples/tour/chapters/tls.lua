-- tls.lua - chapter: TLS and HTTP/2, one request over any wire.

local pl = require "perilune"

-- example: wire
pl.get("/tls/wire", function(req)
  local tls = req.tls or {}
  return {
    scheme = req.scheme,
    http = req.version,
    tls = tls.version,
    cipher = tls.cipher,
    alpn = tls.alpn,
    resumed = tls.resumed,
  }
end)
-- end

-- example: counted
pl.get("/tls/counted", function()
  local stats = pl.workers.stats()
  return { connections = stats.connections, tls = stats.tls }
end)
-- end

-- example: urgent
pl.get("/tls/urgent", function(_, res)
  res:early_hints { link = "</style.css>; rel=preload; as=style" }
  for i = 1, 3 do
    res:write(("part %d of 3\n"):format(i))
    pl.sleep(0.01)
  end
  res:trailer("x-parts", "3")
end)
-- end

return {
  title = "TLS and HTTP/2",
  summary = "One request, many wires: the same handlers answer over HTTP/1, "
    .. "HTTP/2 and TLS.",
  sections = {
    {
      title = "Which wire was it?",
      text = [[
<p>A handler need not know, but it can ask. Begin the tour with <code>--tls
dev</code> and open the same page by https: the browser agrees on TLS 1.3 and
HTTP/2, and warns once, as nobody but you vouches for a certificate of your own
making. It is kept for the next start, and shown to this machine only.</p>]],
      example = "wire",
      links = { "/tls/wire" },
      shell = [[
$ curl -s @origin@/tls/wire -w '\n'
{…"http":"1.1"…}
$ curl -s --http2-prior-knowledge @origin@/tls/wire -w '\n'
{…"http":"2"…}]],
    },
    {
      title = "With a certificate",
      text = [[
<p>An address has the certificates of as many names as you like; the client says
which one it wants. When their files change, new connections get the new ones:
nothing is to be started again. <code>verify</code> asks clients for a
certificate, too, and <code>req.tls.client</code> says whose it is.</p>]],
      code = [[
pl.listen { ":443", tls = {
  certs = { { "moon.crt", "moon.key" }, { "sea.crt", "sea.key" } },
  hsts = "180d",
} }
pl.listen { ":80", redirect = "https" }]],
    },
    {
      title = "Many at a time",
      text = [[
<p>Over one connection of HTTP/2 come many requests, and their answers in any
order, the urgent ones first. Streams, hints before an answer and fields behind
it are written as ever; a client that does not read makes its own handler
wait, and no other.</p>]],
      example = "urgent",
      links = { "/tls/urgent" },
      shell = [[
$ curl -s --http2-prior-knowledge @origin@/tls/urgent
part 1 of 3
part 2 of 3
part 3 of 3]],
    },
    {
      title = "What was counted",
      text = [[
<p>Each worker counts connections, requests and handshakes: how many of them
were resumed by a ticket, which version was agreed on, how many failed.</p>]],
      example = "counted",
      links = { "/tls/counted" },
    },
  },
}
