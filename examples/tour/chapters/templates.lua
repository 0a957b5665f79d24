-- templates.lua - chapter: pages from Mustache templates, and from Markdown.

local pl = require "perilune"

-- example: render
local seas = {
  { name = "Mare Imbrium", across = 1146 },
  { name = "Mare Serenitatis", across = 674 },
  { name = "Mare <Crisium>", across = 556 },
}

pl.get("/templates/seas", function(req, res)
  local least, found = tonumber(req.args.least) or 0, {}
  for _, sea in ipairs(seas) do
    if sea.across >= least then
      found[#found + 1] = sea
    end
  end
  return res:render("gallery/seas.mustache", { title = "Seas", seas = found })
end)
-- end

-- example: text
pl.get("/templates/greeting", function(req)
  return pl.mustache("<p>Hello {{name}}{{^name}}nobody{{/name}}!", req.args)
end)
-- end

-- example: lambda
pl.get("/templates/loud", function(req)
  return pl.mustache("{{#loud}}The {{what}} is up{{/loud}}", {
    what = req.args.what,
    loud = function(text, render)
      return render(text):upper() .. "!"
    end,
  })
end)
-- end

-- example: markdown
-- A perilune without the plug-in (perilune --version) has the rest of these.
local has_markdown = pcall(function() return pl.markdown end)

pl.get("/templates/markdown", function(req, res)
  local text = req.args.text or "# Notes\n\n* the *far* side"
  if not has_markdown then
    return 501
  end
  local html, title = pl.markdown(text)
  return res:render("gallery/page.mustache",
    { title = title or "Untitled", content = html })
end)
-- end

local markdown = {
  title = "Markdown",
  text = [[
<p>What strangers write is safe to show: HTML is text, and links lead to pages,
not to scripts. <code>pl.markdown.pages</code> serves a folder of such
files.</p>]],
  example = "markdown",
  page = true,
  links = {
    "/templates/markdown",
    "/templates/markdown?text=%5Bx%5D(javascript:alert(1))+%3Cb%3E",
  },
}

return {
  title = "Templates",
  summary = "Mustache, all of it: compiled once, filled from tables, and new "
    .. "when its file is saved.",
  sections = {
    {
      title = "A page",
      text = [[
<p>A template is a file. It takes its frame from a parent, whose blocks it
fills; what it shows is escaped. Save <code>views/gallery/seas.mustache</code>,
and the next request has the new one: no reload, no flag.</p>]],
      example = "render",
      page = true,
      links = { "/templates/seas", "/templates/seas?least=600",
        "/templates/seas?least=2000" },
    },
    {
      title = "A text",
      text = [[
<p>Small ones need no file. They are compiled once, too.</p>]],
      example = "text",
      links = { "/templates/greeting?name=%3Cmoon%3E", "/templates/greeting" },
    },
    {
      title = "Functions",
      text = [[
<p>A function in the data is given the section as it is written, and what
renders it. What visitors wrote is never taken for a template.</p>]],
      example = "lambda",
      links = { "/templates/loud?what=moon", "/templates/loud?what={{moon}}" },
    },
    has_markdown and markdown or nil,
  },
}
