-- mime.lua - pl.mime: media types, and what a client would rather have.

local _, pl, c = ...
local of, split, choose = c.of, c.split, c.choose
local setmetatable = setmetatable

local mime = { extension = c.extension }

--- "text/html; charset=UTF-8" -> "text/html", { charset = "UTF-8" }. Of a
--- parameter that stands there twice the first one counts.
function mime.parse(content_type)
  local kind, list = split(content_type)
  local params = {}
  for i = 1, #list, 2 do
    local name, value = list[i], list[i + 1]
    local quoted = value:match('^"(.*)"$')
    if params[name] == nil then
      params[name] = quoted and quoted:gsub("\\(.)", "%1") or value
    end
  end
  return kind, params
end

--- The charset in lower case: what the type says, or "utf-8" for text, JSON and
--- XML that say nothing; nil for all others.
function mime.charset(content_type)
  local kind, params = mime.parse(content_type)
  if params.charset then
    return params.charset:lower()
  elseif kind:find("^text/") or kind:find("[/+]json$")
    or kind:find("[/+]xml$") or kind == "application/javascript" then
    return "utf-8"
  end
end

-- The numbers are those of enum pl_negotiation.
local function chooser(name, kind)
  local call = "pl.mime." .. name
  mime[name] = function(field, offers)
    return (choose(call, kind, field, offers))
  end
end

chooser("accept", 0)
chooser("accept_encoding", 1)
chooser("accept_language", 2)

--- pl.mime(name): the type of a file's name, or of an extension.
pl.mime = setmetatable(mime, {
  __call = function(_, name)
    return (of(name))
  end,
})
