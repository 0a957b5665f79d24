-- login.lua - chapter: passwords, tokens, sessions, forms.

local pl = require "perilune"

-- People who log in are a site of their own: examples/login.
local here = debug.getinfo(1, "S").source:match("^@(.-)chapters/[^/]*$")
package.path = here .. "../login/?.lua;" .. package.path
pl.keys "temporary"
require "login" "/login/people"

-- example: basic
local members = pl.basic { realm = "members", users = {
  -- htpasswd -nbB sally moon
  sally = "$2y$05$4DoJbGcHPiOY5ULMBmhl7.t5GqbuwnaNuBJZotThjQ9G/aR/9jdyW",
} }

pl.get("/login/diary", { auth = members }, function(req)
  return "For you, " .. req.user .. ": one small step.\n"
end)
-- end

-- example: session
pl.group("/login/visits", {
  session = pl.session { ttl = "1h", name = "visits" },
}, function()
  pl.get("/", function(req)
    local session = req.session
    session.count = (session.count or 0) + 1
    return ("You were here %d times.\n"):format(session.count)
  end)
end)
-- end

-- example: token
local secret = pl.env("TOKEN_SECRET", ("change me, please "):rep(2))

pl.post("/login/token", function(req)
  local form = req:form() or {}
  return pl.jwt.sign({ sub = form.name or "Sally" },
    { key = secret, expires = "15m" })
end)

pl.get("/login/who", { auth = pl.jwt { key = secret } }, function(req)
  local minutes = math.ceil((req.claims.exp - os.time()) / 60)
  return ("%s, for %d minutes\n"):format(req.user, minutes)
end)
-- end

return {
  title = "Who may enter",
  short = "Log-ins",
  summary = "Passwords and tokens on any route, sessions in a cookie that "
    .. "nobody can read, forms that nobody can forge.",
  sections = {
    {
      title = "A name and a password",
      text = [[
<p>The hash is verified on another thread, and that it was right is remembered
for a while; a name that nobody has takes as long. Lists of users can be files
of <code>htpasswd</code>, which are seen to change.</p>]],
      example = "basic",
      shell = [[
$ curl -s @origin@/login/diary -u sally:moon
For you, sally: one small step.
$ curl -si @origin@/login/diary -u sally:mars
HTTP/1.1 401 Unauthorized
…
WWW-Authenticate: Basic realm="members", charset="UTF-8"
…]],
    },
    {
      title = "A session",
      text = [[
<p><code>req.session</code> is a table. What is in it goes into a sealed cookie,
or into a store that all workers share, when it has changed.</p>]],
      example = "session",
      links = { "/login/visits/" },
    },
    {
      title = "People who join, log in and out",
      text = [[
<p>All of it together: accounts with hashes of Argon2, a session that gets
another name when somebody logs in, forms with a token, notices that are shown
once, and a limit on how often an address may guess. It is an example of its
own, <code>examples/login</code>.</p>]],
      links = { "/login/people/" },
      page = true,
    },
    {
      title = "Tokens",
      text = [[
<p>For programs: signed claims, which any worker or machine with the key can
verify. The token does not choose how.</p>]],
      example = "token",
      form = {
        action = "/login/token", button = "Give me one",
        fields = [[<label>Name <input name="name" value="Sally"></label>]],
      },
      shell = [[
$ echo "Bearer $(curl -s @origin@/login/token -d name=Buzz)" > bearer
$ curl -s @origin@/login/who -H "Authorization: $(cat bearer)"
Buzz, for 15 minutes
$ curl -si @origin@/login/who -H 'Authorization: Bearer forged' | head -1
HTTP/1.1 401 Unauthorized]],
    },
  },
}
