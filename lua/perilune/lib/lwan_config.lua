-- lwan_config.lua - the configuration language of Lwan: text to a tree.
--
--     key = value            spaces in a key are underscores
--     name value {           a section; an empty one needs no braces
--         key = '''lines'''  or between """; as they stand
--     }
--     # to the end of the line
--
-- ${NAME} and ${NAME:default} come from `constants` sections read so far, then
-- from the environment. Words of a value have one space between them.
--
-- A node of the tree is { line, key, value, value_line } or { line, name,
-- value, nodes }. The first fault is raised as FILE:LINE: nothing was done.

local core = ...
local failure, SYNTAX = core.failure, core.SYNTAX
local concat, getenv = table.concat, os.getenv
local error, setmetatable = error, setmetatable
local byte, find, match, sub = string.byte, string.find, string.match,
  string.sub

local VALUE_MAX, DEPTH_MAX, NAME_MAX = 1048576, 16, 64

local Parser = {}
Parser.__index = Parser

function Parser:fail(line, text, ...)
  error(failure(SYNTAX, nil, ("%s:%d: "):format(self.file, line)
    .. text:format(...)), 0)
end

-- ---- words -----------------------------------------------------------------

-- Passes over blanks and a comment; true if there were blanks.
function Parser:skip_blanks()
  local from = self.at
  local at = match(self.text, "^[ \t\r\f\v]*()", from)
  if sub(self.text, at, at) == "#" and (at > from or self.fresh) then
    at = match(self.text, "^[^\n]*()", at)
  end
  self.at = at
  return at > from
end

-- Of the constants, the environment, or the default behind the colon.
function Parser:variable()
  local inside, after = match(self.text, "^%${([^}\n]*)}()", self.at)
  if not inside then
    self:fail(self.line, "'${' without '}' on its line")
  end
  local name, colon, default = match(inside, "^([%a_][%w_]*)(:?)(.*)$")
  if not name or (colon == "" and default ~= "") or #name > NAME_MAX then
    self:fail(self.line, "'${%s}': a name is needed, of letters, digits and "
      .. "underscores, at most %d", sub(inside, 1, NAME_MAX), NAME_MAX)
  end
  self.at = after
  local value = self.constants[name] or getenv(name)
    or colon ~= "" and default
  if not value then
    self:fail(self.line, "there is neither a constant nor an environment "
      .. "variable '%s'", name)
  end
  return value
end

-- The text between ''' or """, as it stands.
function Parser:long_string(quotes)
  local from = self.at + 3
  local to = find(self.text, quotes, from, true)
  if not to then
    self:fail(self.line, "the text that begins with %s does not end", quotes)
  end
  local text = sub(self.text, from, to - 1)
  local _, lines = text:gsub("\n", "")
  self.line = self.line + lines
  self.at = to + 3
  return text
end

-- A word, or a long string; nil: there is none here.
function Parser:word()
  local quotes = match(self.text, "^'''", self.at)
    or match(self.text, '^"""', self.at)
  if quotes then
    return self:long_string(quotes)
  end
  local parts = {}
  while true do
    local plain, after = match(self.text, "^([^%s{}=$]+)()", self.at)
    if plain then
      parts[#parts + 1], self.at = plain, after
    elseif find(self.text, "^%${", self.at) then
      parts[#parts + 1] = self:variable()
    elseif sub(self.text, self.at, self.at) == "$" then
      parts[#parts + 1], self.at = "$", self.at + 1
    else
      return parts[1] and concat(parts)
    end
  end
end

-- Words up to one of the signs in stop, with one space where there was any.
function Parser:words(stop)
  local parts, size, first = {}, 0, nil
  while true do
    local spaced = self:skip_blanks()
    local sign = sub(self.text, self.at, self.at)
    self.fresh = false
    if sign == "" or sign == "\n" or find(stop, sign, 1, true) then
      return parts, first or self.line
    end
    local line, part = self.line, self:word()
    if not part then -- what else stands there is none of stop
      part, self.at = "=", self.at + 1
    end
    first = first or line
    size = size + #part + 1
    if size > VALUE_MAX then
      self:fail(line, "a value of more than 1 MiB")
    end
    if spaced or #parts == 0 then
      parts[#parts + 1] = part
    else
      parts[#parts] = parts[#parts] .. part
    end
  end
end

-- ---- lines -----------------------------------------------------------------

function Parser:key_value(line, words)
  local key = concat(words, "_")
  if not find(key, "^[%w_.%-]+$") then
    self:fail(line, "'%s' is no name of a key", sub(key, 1, NAME_MAX))
  end
  self.at = self.at + 1
  local value, value_line = self:words("{}")
  if sub(self.text, self.at, self.at) == "{" then
    self:fail(self.line, "a '{' inside a value: write texts with braces "
      .. "between '''")
  end
  return { line = line, key = key, value = concat(value, " "),
    value_line = value_line }
end

function Parser:section(line, words, depth)
  local node = { line = line, name = words[1],
    value = concat(words, " ", 2), nodes = {} }
  if sub(self.text, self.at, self.at) == "{" then
    self.at = self.at + 1
    self:lines(node, depth + 1)
  end
  return node
end

-- One key or section; nil at the end of what is around.
function Parser:node(depth)
  local line = self.line
  local words = self:words("{}=")
  local sign = sub(self.text, self.at, self.at)
  if words[1] and sign == "=" then
    return self:key_value(line, words)
  elseif words[1] then
    return self:section(line, words, depth)
  elseif sign == "=" or sign == "{" then
    self:fail(line, "a name is needed before '%s'", sign)
  end
end

-- What is inside of parent, and the brace behind it.
function Parser:lines(parent, depth)
  local constants = depth == 1 and parent.name == "constants"
  local nodes = parent.nodes
  if depth > DEPTH_MAX then
    self:fail(parent.line, "sections are nested too deeply")
  end
  while true do
    self.fresh = true
    local node = self:node(depth)
    local sign = byte(self.text, self.at)
    if node then
      nodes[#nodes + 1] = node
      if constants and node.key then
        self.constants[node.key] = node.value
      end
    elseif not sign then
      if depth > 0 then
        self:fail(parent.line, "the section '%s' has no '}'", parent.name)
      end
      return
    elseif sign == 10 then
      self.at, self.line = self.at + 1, self.line + 1
    else -- "}"
      if depth == 0 then
        self:fail(self.line, "a '}' without a section")
      end
      self.at = self.at + 1
      return
    end
  end
end

--- The tree of text, which is called file in errors: a section without a name.
function core.lwan_parse(file, text)
  local parser = setmetatable({ file = file, text = text, at = 1, line = 1,
    constants = {} }, Parser)
  local root = { line = 1, name = "", value = "", nodes = {} }
  parser:lines(root, 0)
  return root
end
