-- input.lua - chapter: what a client sends besides the path.

local pl = require "perilune"

-- example: request
pl.get("/input/request", function(req)
  return {
    method = req.method, path = req.path, query = req.query,
    host = req.host, scheme = req.scheme, version = req.version,
    remote = req.remote, id = req.id,
    agent = req.headers["User-Agent"],
  }
end)
-- end

-- example: query
pl.get("/input/query", function(req)
  local lines = { "crew = " .. tostring(req.args.crew) }
  for i, crew in ipairs(req:all("crew")) do
    lines[#lines + 1] = ("%d. %s"):format(i, crew)
  end
  return table.concat(lines, "\n")
end)
-- end

-- example: form
pl.post("/input/form", function(req)
  local form, err = req:form()
  if not form then
    return 415, tostring(err)
  end
  return ("%s lands in the %s."):format(form.who, form.where)
end)
-- end

-- example: cookie
pl.get("/input/cookie", function(req, res)
  local visits = (tonumber(req.cookies.visits) or 0) + 1
  res:cookie("visits", tostring(visits), {
    path = "/input", max_age = 3600,
  })
  return ("Visits of yours: %d"):format(visits)
end)
-- end

return {
  title = "Query, forms and cookies", short = "Query and forms",
  summary = "The request object has everything the client sent. A field is "
    .. "made when it is first used.",
  sections = {
    {
      title = "The request",
      text = [[
<p>Header names are found in any case. The id is new for each request and
stands in every line of the log that belongs to it.</p>]],
      example = "request",
      links = { "/input/request?from=tour" },
    },
    {
      title = "The query",
      text = [[
<p><code>req.args</code> holds the first value of each name, decoded;
<code>req:all(name)</code> lists all of them. <code>req.query</code> is the
text as it came.</p>]],
      example = "query",
      links = {
        "/input/query?crew=Armstrong&crew=Aldrin&crew=Collins",
        "/input/query?crew=%C3%89milie%20%26%20Co",
      },
    },
    {
      title = "A form",
      text = [[
<p><code>req:form()</code> waits for the body and reads it. If the body is of
another type, it returns <code>nil</code> and an error whose <code>code</code>
is a fixed word, here <code>"unsupported"</code>.</p>]],
      example = "form",
      form = {
        action = "/input/form", button = "Land",
        fields = [[
<label>Who <input name="who" value="Alan &amp; Edgar" required></label>
<label>Where <select name="where"><option>Sea of Tranquility</option>
<option>Ocean of Storms</option><option>Fra Mauro highlands</option></select>
</label>]],
      },
      shell = [[
$ curl -s @origin@/input/form -d 'who=Eugene' -d 'where=Taurus-Littrow+valley'
Eugene lands in the Taurus-Littrow valley.
$ curl -s @origin@/input/form -H 'Content-Type: text/plain' -d 'who=Eugene'
req:form: …]],
    },
    {
      title = "A cookie",
      text = [[
<p>Cookies are <code>HttpOnly</code> and <code>SameSite=Lax</code> unless the
handler says otherwise. Ask several times: the count is kept by your browser,
not by the server.</p>]],
      example = "cookie",
      links = { "/input/cookie" },
      shell = [[
$ curl -si @origin@/input/cookie -b visits=6
…
Set-Cookie: visits=7; …
…
Visits of yours: 7]],
    },
  },
}
