-- content_names.lua - what the name of a file in a folder of pages means, as
-- 80s has it (docs/content.md). Looks at names only. The rules for files that
-- are no pages are those of src/handlers/content.h, too.

local methods = { post = "POST", put = "PUT", delete = "DELETE" }

-- Is there anything in it that keeps the file from being served?
local function check_folders(path)
  local static = false
  for folder in path:gmatch "([^/]*)/" do
    if folder == "" or folder:find "^%." and folder ~= ".well-known" then
      return nil, "below a hidden folder"
    elseif folder:find "^i%." then
      return nil, "below a folder i.NAME"
    end
    static = static or folder == "static"
  end
  return true, static
end

-- "post.form.dyn.html" -> "POST", "form.dyn.html"
local function split_method(name)
  local prefix, rest = name:match "^(%a+)%.(.+)$"
  if methods[prefix] and rest:find(".", 2, true) then
    return methods[prefix], rest
  end
  return "GET", name
end

-- A script, or what an editor or a packer has made of one: "a.lua~".
local function is_script(name)
  return name:find "%.lua$"
    or name:find "%.lua[^%w]" and not name:find "%.html$"
      and not name:find "%.html%.gz$"
end

local function url_of(folder, name)
  name = name:gsub("%.html$", "")
  return "/" .. folder .. (name == "index" and "" or name)
end

--- path: below the folder, "blog/post.new.dyn.html". Gives a table: url,
--- method, page (is it one?), name (without what is said here: by its end the
--- type is known), named (must somebody say its URL, who knows these rules?).
--- Or nil, and why it is not served.
return function(path)
  local folder, file = path:match "^(.-)([^/]+)$"
  if not folder then
    return nil, "not the name of a file"
  end
  local ok, static = check_folders(folder)
  if not ok then
    return nil, static
  elseif file:find "^%." then
    return nil, "hidden"
  elseif file:find(".priv.", 1, true) then
    return nil, "for pages to include"
  end
  local name, dynamic = file:gsub("%.dyn%.", ".", 1)
  local page = dynamic > 0 and not static
  local method = "GET"
  if not static then
    method, name = split_method(name)
    if not page and is_script(name) then
      return nil, "a script"
    end
  end
  local url = url_of(folder, page and name or name:gsub("%.gz$", ""))
  return {
    url = url, method = method, page = page, name = name, static = static,
    named = page or dynamic > 0 or method ~= "GET",
  }
end
