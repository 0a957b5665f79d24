-- page.lua - page.lsp for nginx+Lua: the function that a template library makes
-- of it, with the pieces in a table (as lua-resty-template does).
local entities = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;",
}
local user = {
  name = "Selene <of the moon>", age = 4500000000, phase = 0.75,
  home = "Sea of Tranquility", likes = { "tides", "owls & cats" },
}

local function escape(value)
  if type(value) == "string" then
    return (value:gsub("[&<>\"']", entities))
  end
  return tostring(value)
end

return {
  render = function(name)
    return table.concat {
      "<!doctype html>\n<title>", escape(user.name), "</title>\n<h1>Hello, ",
      escape(name), "!</h1>\n<table>\n<tr><th>name<td>", escape(user.name),
      "\n<tr><th>age<td>", escape(user.age), "\n<tr><th>in a year<td>",
      escape(user.age + 1), "\n<tr><th>phase<td>", escape(user.phase),
      "\n<tr><th>home<td>", escape(user.home), "\n</table>\n<p>likes ",
      escape(user.likes[1]), " and ", escape(user.likes[2]), ",\n",
      escape(#user.likes), " things</p>\n",
    }
  end,
}
