-- A form, and what came of it before: globals stay in a state.

local luafcgid = require "luafcgid"

notes = {}

local page = [[
<!doctype html><title>Notes</title>
<form method=post><input name=text autofocus> <input type=submit></form>
<ul>%s</ul>
]]

local function escape(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;",
    [">"] = "&gt;", ['"'] = "&quot;" }))
end

function main(env, con)
  if env.REQUEST_METHOD == "POST" then
    local form = luafcgid.parse(con:gets() or "")
    if not form.text then
      con:header("Status", "400 Bad Request")
      con:puts "no text\n"
      return
    end
    notes[#notes + 1] = form.text
    con:header("Location", env.SCRIPT_NAME)
    con:header("Status", "303 See Other")
    return
  end
  local items = {}
  for i, text in ipairs(notes) do
    items[i] = "<li>" .. escape(text) .. "</li>"
  end
  con:puts(page:format(table.concat(items, "\n")))
end
