-- content_names.lua - which URL a file of a folder of pages has.

local names_of = require "perilune.content_names"
local check = require "check"
local equal = check.equal

-- file, then "METHOD URL" of a page, "file METHOD URL" of one that is none,
-- with "!" where somebody must say its URL, or nil
local cases = {
  -- pages
  { "index.dyn.html", "GET /" },
  { "a.dyn.html", "GET /a" },
  { "a.dyn.json", "GET /a.json" },
  { "a.b.dyn.html", "GET /a.b" },
  { "a.dyn.min.js", "GET /a.min.js" },
  { "a.dyn.dyn.html", "GET /a.dyn" },
  { "blog/index.dyn.html", "GET /blog/" },
  { "blog/index.dyn.json", "GET /blog/index.json" },
  { "blog/x/new.dyn.html", "GET /blog/x/new" },
  { "post.form.dyn.html", "POST /form" },
  { "put.form.dyn.html", "PUT /form" },
  { "delete.form.dyn.json", "DELETE /form.json" },
  { "post.index.dyn.html", "POST /" },
  { "blog/post.index.dyn.html", "POST /blog/" },
  { "patch.form.dyn.html", "GET /patch.form" },
  { "POST.form.dyn.html", "GET /POST.form" },
  { "post.dyn.html", "GET /post" },
  { "statics/a.dyn.html", "GET /statics/a" },
  { "a.dyn.lua", "GET /a.lua" },
  -- files
  { "index.html", "file GET /" },
  { "a.html", "file GET /a" },
  { "a.htm", "file GET /a.htm" },
  { "a.css", "file GET /a.css" },
  { "LICENSE", "file GET /LICENSE" },
  { "a.txt.gz", "file GET /a.txt" },
  { "a.html.gz", "file GET /a" },
  { "post.html", "file GET /post" },
  { "post.a.txt", "file POST /a.txt !" },
  { "i.txt", "file GET /i.txt" },
  { ".well-known/x", "file GET /.well-known/x" },
  { "a.lua.html", "file GET /a.lua" }, { "a.luac", "file GET /a.luac" },
  { "static/a.js", "file GET /static/a.js" },
  { "static/a.html", "file GET /static/a" },
  { "static/index.html", "file GET /static/" },
  { "static/a.dyn.html", "file GET /static/a !" },
  { "static/post.a.dyn.js", "file GET /static/post.a.js !" },
  { "static/post.a.js", "file GET /static/post.a.js" },
  { "static/a.lua", "file GET /static/a.lua" },
  { "x/static/y/a.dyn.css", "file GET /x/static/y/a.css !" },
  -- neither
  { "a.priv.html" }, { "a.priv.dyn.html" }, { "static/a.priv.js" },
  { "main.lua" }, { "x/tool.lua" }, { "a.lua~" }, { "a.lua.bak" },
  { "post.a.lua.gz" }, { ".hidden" }, { ".git/config" },
  { "x/.y/a.html" }, { "i.parts/a.html" }, { "x/i.y/z/a.dyn.html" },
  { "i./a.html" }, { "" }, { "x/" }, { "x//a.html" }, { "/a.html" },
  { "../a.html" }, { "x/../a.html" }, { "./a.html" },
}
for _, case in ipairs(cases) do
  local rule, why = names_of(case[1])
  local got
  if rule then
    got = (rule.page and "" or "file ") .. rule.method .. " " .. rule.url
      .. (not rule.page and rule.named and " !" or "")
  else
    check.yes(type(why) == "string", case[1])
  end
  equal(case[2], got, case[1])
end
equal("form.html", names_of "post.form.dyn.html".name)
