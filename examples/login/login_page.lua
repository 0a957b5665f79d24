-- login_page.lua - the one page of this example.

local pl = require "perilune"
local escape = pl.escape

local frame = [[
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>%s</title>
<h1>%s</h1>
%s%s
</html>
]]

local entry = [[
<form method="post" action="%s/in">
%s
<p><label>Name <input name="name" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password"
autocomplete="current-password" required></label></p>
<p><button>Log in</button> <button formaction="%s/join">Join</button></p>
</form>]]

local exit = [[
<form method="post" action="%s/out">
%s
<p><button>Log out</button></p>
</form>]]

--- The page for who is logged in, or for who is not.
return function(req, prefix, notice)
  local title = req.user and "Hello, " .. escape(req.user) or "Who is there?"
  local form = req.user and exit:format(prefix, req:csrf_field())
    or entry:format(prefix, req:csrf_field(), prefix)
  local said = notice and "<p role=\"status\">" .. escape(notice) .. "</p>\n"
  return frame:format(title, title, said or "", form)
end
