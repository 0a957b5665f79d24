-- cache.lua - which scripts this worker has compiled, and how often each was
-- used. A form takes one out of the cache.

local form = magnet.request():form()

if form and magnet.cache[form.path] then
  magnet.cache[form.path] = nil
  print("Status: 303 See Other\r\nLocation: ", os.getenv("SCRIPT_NAME"),
    "\r\n\r\n")
  return
end

local function escape(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;",
    [">"] = "&gt;", ['"'] = "&quot;" }))
end

local paths = {}
for path in pairs(magnet.cache) do
  paths[#paths + 1] = path
end
table.sort(paths)

print("Content-Type: text/html; charset=utf-8\r\n\r\n")
print("<!doctype html>\n<title>Scripts</title>\n<form method=post><table>\n")
print("<tr><th>script<th>compiled from<th>uses<th>\n")
for _, path in ipairs(paths) do
  local entry = magnet.cache[path]
  print("<tr><td>", escape(path:match "[^/]+$"), "<td>",
    os.date("!%Y-%m-%d %H:%M:%S", entry.mtime), "<td>", entry.hits,
    '<td><button name=path value="', escape(path), '">again</button>\n')
end
print("</table></form>\n")
