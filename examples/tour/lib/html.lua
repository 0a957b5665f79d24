-- html.lua - text into HTML: escaping, templates, colours for source code.

local html = {}

local entities = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
  ['"'] = "&quot;", ["'"] = "&#39;",
}

--- html.escape(value) -> text that is safe between tags and in attributes
function html.escape(value)
  return (tostring(value):gsub("[&<>\"']", entities))
end

--- html.fill("<p>{name} {!markup}</p>", values): {name} is escaped, {!markup}
--- goes in as it is. A name without a value is an error.
function html.fill(template, values)
  return (template:gsub("{(!?)([%l_]+)}", function(raw, name)
    local value = values[name]
    if value == nil then
      error("the template has no value for {" .. name .. "}", 4)
    end
    return raw == "!" and tostring(value) or html.escape(value)
  end))
end

-- ---- colours ---------------------------------------------------------------

local function words(list)
  local set = {}
  for word in list:gmatch("%S+") do
    set[word] = true
  end
  return set
end

-- For each language its words, and how what is not a word begins.
local languages = {
  lua = {
    keyword = words [[and break do else elseif end false for function goto if
      in local nil not or repeat return then true until while]],
    known = words "pl req res",
    { "comment", "^%-%-[^\n]*" },
    { "string", "^%[%[.-%]%]" },
  },
  c = {
    keyword = words [[break case char const double else enum for if int long
      return sizeof static struct switch uint64_t unsigned void while NULL]],
    known = words "req res app",
    { "comment", "^/%*.-%*/" },
    { "keyword", "^#%l+" },
  },
}

-- The last byte of the quoted string that begins at `at`.
local function string_end(code, at)
  local quote, stop = code:sub(at, at), at
  repeat
    stop = code:find("[\\" .. quote .. "]", stop + 1) or #code
    local escape = code:sub(stop, stop) == "\\"
    stop = escape and stop + 1 or stop
  until not escape
  return stop
end

-- What begins at `at`: its class (nil: none) and its last byte.
local function token(code, at, language)
  for _, rule in ipairs(language) do
    local _, stop = code:find(rule[2], at)
    if stop then
      return rule[1], stop
    end
  end
  if code:find("^[\"']", at) then
    return "string", string_end(code, at)
  end
  local _, stop = code:find("^%d[%w.]*", at)
  if stop then
    return "number", stop
  end
  _, stop = code:find("^[%a_][%w_]*", at)
  if stop then
    local word = code:sub(at, stop)
    return language.keyword[word] and "keyword"
      or language.known[word] and "known", stop
  end
  return nil, at
end

--- html.code(code, "lua") -> the code, escaped, its parts in <span>s. Pages are
--- shown by their Lua.
function html.code(code, name)
  local language, out, at = languages[name] or languages.lua, {}, 1
  while at <= #code do
    local class, stop = token(code, at, language)
    local text = html.escape(code:sub(at, stop))
    out[#out + 1] = class
      and ('<span class="%s">%s</span>'):format(class, text) or text
    at = stop + 1
  end
  return table.concat(out)
end

return html
