-- page_code.lua - from the source of a page to the source of a Lua function.
--
-- The function's lines are those of the page: a line break is in the same place
-- in both, within a string, between two arguments or in the page's own code. So
-- Lua itself names the right line in each error, and nothing has to be
-- translated back. Of the page's code only comments and the two text forms of
-- 80s pages are touched.
--
--     <p>                            do _put(_res,"<p>\
--     <%= user.name %></p>    -->    ",(user.name),"</p>") end
--
-- _put(_res, text, value, text, ...) is how all output is made: values are
-- escaped, texts are not. It is a block, so that no unfinished statement of the
-- page can take it in. A page's code ends at the first ?> (or %>), wherever
-- that stands, as in PHP.

local core = ...
local byte, find, format, gsub, match, rep, sub = string.byte, string.find,
  string.format, string.gsub, string.match, string.rep, string.sub
local concat, sort = table.concat, table.sort
local error, getmetatable, pairs, pcall, select, setmetatable =
  error, getmetatable, pairs, pcall, select, setmetatable

-- What is wrong with a page, and where; raised in here only.
local Fault = {}

local function fault(at, text)
  error(setmetatable({ at = at, text = text }, Fault), 0)
end

local function line_of(source, at)
  return select(2, gsub(sub(source, 1, at - 1), "\n", "")) + 1
end

-- ---- Lua, token by token ---------------------------------------------------

local WORD = "^[%a_\128-\255][%w_\128-\255]*()"

local function long_end(code, level, at)
  local _, last = find(code, "]" .. level .. "]", at, true)
  return (last or #code) + 1
end

local function quoted_end(code, at)
  local stop = "[\\\r\n" .. sub(code, at, at) .. "]"
  local found = find(code, stop, at + 1)
  while found and sub(code, found, found) == "\\" do
    local behind = match(code, "^z%s*()", found + 1) or found + 2
    found = find(code, stop, behind)
  end
  return (found or #code) + 1
end

-- The kind of the token at `at`, and where the next one begins.
local function token(code, at)
  local stop = match(code, "^%s+()", at)
  if stop then
    return "space", stop
  end
  stop = match(code, WORD, at)
  if stop then
    return "word", stop
  end
  stop = match(code, "^%.?%d[%w%.]*()", at)
  if stop then
    return "number", stop
  end
  local level = match(code, "^%-%-%[(=*)%[", at)
  if level then
    return "remark", long_end(code, level, at + 4)
  elseif find(code, "^%-%-", at) then
    return "comment", match(code, "^[^\r\n]*()", at)
  end
  level = match(code, "^%[(=*)%[", at)
  if level then
    return "string", long_end(code, level, at + 2)
  elseif find(code, "^[\"']", at) then
    return "string", quoted_end(code, at)
  elseif find(code, "^```", at) then
    return "fence", at + 3
  end
  return "other", match(code, "^%.+()", at) or match(code, "^::()", at)
    or at + 1
end

-- ---- strings ---------------------------------------------------------------

local escapes = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\\n" }

-- The inside of a string in quotes, as many lines long as text.
local function encode(text)
  return (gsub(text, '[%c"\\]', function(c)
    return escapes[c] or format("\\%03d", byte(c))
  end))
end

-- Behind \z white space would be skipped.
local function protect(body)
  return (gsub(body, "^%s", function(c)
    return format("\\%03d", byte(c))
  end))
end

local function count_lines(text)
  return select(2, gsub(text, "\n", ""))
end

-- ---- calls of _put ---------------------------------------------------------

-- One call that is being written: texts and values take turns.
local Run = {}
Run.__index = Run

-- More arguments would not fit into the registers of a function.
local MOST = 100

local function new_run(out)
  return setmetatable({ out = out, n = 0 }, Run)
end

-- Ends the call.
function Run:flush()
  local out = self.out
  if self.n > 0 then
    out[#out + 1] = " do " .. self.call .. "(_res"
    for i = 1, self.n do
      out[#out + 1] = "," .. self[i].code .. (self[i].close or "")
        .. rep("\n", self[i].gap)
      self[i] = nil
    end
    out[#out + 1] = ") end "
    self.n = 0
  end
end

function Run:add(item)
  self.n = self.n + 1
  self[self.n] = item
end

-- A text, encoded.
function Run:text(body)
  local last = self[self.n]
  if body == "" then
    return
  elseif last and last.close then
    last.code = last.code
      .. (last.gap > 0 and "\\z" .. rep("\n", last.gap) .. protect(body)
        or body)
    last.gap = 0
    return
  elseif self.n == 0 then
    self.call = "_put"
  end
  self:add({ code = '"' .. body, close = '"', gap = 0 })
end

-- Line breaks of the source that are no output.
function Run:skip(lines)
  local last = self[self.n]
  if lines == 0 then
    return
  elseif last then
    last.gap = last.gap + lines
  else
    self.out[#self.out + 1] = rep("\n", lines)
  end
end

-- The value of an expression. call: "_put" escapes it, "_raw" does not.
function Run:value(code, call)
  if self.n > 0 and (self.call ~= call and self.n > 1 or self.n >= MOST) then
    self:flush()
  end
  if self.n == 0 then
    self:add({ code = '"', close = '"', gap = 0 })
  elseif self[self.n].close == nil then
    self:add({ code = '""', gap = 0 })
  end
  self.call = call
  self:add({ code = "(" .. code .. ")", gap = 0 })
end

-- ---- code of a page --------------------------------------------------------

local opens = { ["function"] = 1, ["do"] = 1, ["then"] = 1, ["repeat"] = 1,
  ["elseif"] = -1, ["end"] = -1, ["until"] = -1 }

-- Copies code to out without its comments. page.words gets its names; texts(
-- run, at) sees to a text form at that place and says where it ends, or nil.
-- Returns whether there is a `return`; one whose block goes on behind the code
-- is made a block of its own.
local function copy(page, code, out, texts)
  local at, fresh, last, depth, returns = 1, true, "", 0, false
  local open_return, return_depth
  while at <= #code do
    local kind, stop = token(code, at)
    local text = sub(code, at, stop - 1)
    local behind = texts and (fresh or kind == "fence")
      and texts(code, at, kind, out)
    if behind then
      stop, fresh = behind, false
    elseif kind == "space" then
      fresh = fresh or find(text, "[\r\n]") ~= nil
      out[#out + 1] = text
    elseif kind ~= "comment" then
      fresh = false
      out[#out + 1] = text
      if kind == "word" and last ~= "." and last ~= ":" then
        page.words[text] = true
        depth = depth + (opens[text] or 0)
        if text == "return" then
          page.returns = true
          returns, open_return, return_depth = true, #out, depth
        elseif return_depth and depth < return_depth then
          return_depth = nil
        end
      end
      last = text
    end
    at = stop
  end
  if return_depth and return_depth == depth then
    out[open_return] = "do return"
    out[#out + 1] = " end "
  end
  return returns
end

-- An expression, or several with commas between: each is given to see().
local function each_expression(page, code, see)
  local out, depth, from = {}, 0, 1
  copy(page, code, out)
  code = concat(out)
  local here = 1
  while here <= #code do
    local _, stop = token(code, here)
    local text = sub(code, here, stop - 1)
    if find(text, "^[%(%[{]$") then
      depth = depth + 1
    elseif find(text, "^[%)%]}]$") then
      depth = depth - 1
    elseif text == "," and depth == 0 then
      see(sub(code, from, here - 1))
      from = stop
    end
    here = stop
  end
  see(sub(code, from))
end

local function check_expression(source, at, code)
  if not find(code, "%S") then
    fault(line_of(source, at), "an expression is missing")
  end
  return code
end

-- ---- includes --------------------------------------------------------------

local function include(page, path, line, run)
  run:flush()
  local n = #page.includes + 1
  page.includes[n] = { path = path, line = line }
  run.out[#run.out + 1] = (" do _include(_run,_res,%d) end "):format(n)
end

-- ---- pages of 80s ----------------------------------------------------------

-- Where the expression of #[[expr]] ends that begins at `at`: before the first
-- ]] that closes no bracket of its own.
local function bracketed(text, at)
  local depth, from = 0, at
  while at <= #text do
    if depth == 0 and find(text, "^%]%]", at) then
      return sub(text, from, at - 1), at + 2
    end
    local _, stop = token(text, at)
    local c = sub(text, at, at)
    if stop == at + 1 then
      depth = depth + (find(c, "[%[%({]") and 1 or find(c, "[%]%)}]") and -1
        or 0)
    end
    at = stop
  end
end

-- Text with line breaks, which go with the white space around them.
local function add_folded(run, text)
  local at = 1
  while at <= #text do
    local from, to = find(text, "[ \t\v\f]*[\r\n]%s*", at)
    run:text(encode(sub(text, at, (from or 0) - 1)))
    if not from then
      return
    end
    run:skip(count_lines(sub(text, from, to)))
    at = to + 1
  end
end

-- Text of `| text` or of ``` text ```, with #[[expr]] and #[[expr:fmt]].
local function add_form(page, run, text)
  local at = 1
  while true do
    local open = find(text, "#[[", at, true)
    add_folded(run, sub(text, at, (open or 0) - 1))
    if not open then
      return
    end
    local code, stop = bracketed(text, open + 3)
    if not code then
      fault(nil, "#[[ is not closed by ]]")
    end
    local expression, fmt = match(code, "^(.+):([%.%dsfd]+)%s*$")
    local out = {}
    copy(page, expression or code, out)
    code = concat(out)
    if not find(code, "%S") then
      fault(nil, "an expression is missing")
    end
    run:value(fmt and ("_format(%q,%s)"):format("%" .. fmt, code) or code,
      "_put")
    at = stop
  end
end

-- For copy(): a text form at this place of a block.
local function text_forms(page, source, base)
  local function add(out, text, at, before, behind)
    local run = new_run(out)
    run:skip(before)
    local ok, err = pcall(add_form, page, run, text)
    if not ok then
      if getmetatable(err) == Fault then
        err.at = err.at or line_of(source, base + at)
      end
      error(err, 0)
    end
    run:skip(behind)
    run:flush()
  end
  return function(code, at, kind, out)
    if kind == "fence" then
      local before, text, after, stop =
        match(code, "^```(%s*)(.-)(%s*)```()", at)
      if not stop then
        fault(line_of(source, base + at), "``` is not closed")
      end
      add(out, text, at, count_lines(before), count_lines(after))
      return stop
    elseif kind == "other" then
      local text, stop = match(code, "^|[ \t]+([^\r\n]*)()", at)
      if text then
        add(out, match(text, "^(.-)%s*$"), at, 0, 0)
      end
      return stop
    end
  end
end

-- One block. `...` of its code is that of 80s pages: done() of <?lua ends it.
local function add_block(page, source, at, async, code, out)
  local body, words = {}, page.words
  page.words = {}
  local returns =
    copy(page, code, body, text_forms(page, source, at))
  local done = async and page.words.done
  for word in pairs(page.words) do
    words[word] = true
  end
  page.words = words
  local open, close = " do ", " end "
  if page.parallel then
    open = done and " _fork(_run,_res,function(_res,write,done) "
      or " _fork(_run,_res,function(_res,write) "
    close = done and (" end,%d) "):format(line_of(source, at)) or " end) "
  elseif done then
    open = " _async(_run,function(done) "
    close = (" end,%d) "):format(line_of(source, at))
  elseif returns then
    open, close = " do local function block() ", " end block() end "
  end
  out[#out + 1] = open .. concat(body) .. close
end

local function blocks(page, source, out)
  local run, at = new_run(out), match(source, "^#!%s*parallel[ \t\r]*\n()") or 1
  if page.parallel == nil then -- an included one does as its page does
    page.parallel = at > 1
  end
  run:skip(at > 1 and 1 or 0)
  while true do
    local from = find(source, "<?", at, true)
    local stop, path, async, code
    while from do
      path, stop = match(source, '^<%?%s*include%s+"?([^\r\n]-)"?%s*%?>()',
        from)
      if stop then
        break
      end
      async, code, stop = match(source, "^<%?lu(a?)(%s.-)%?>()", from)
      if stop then
        break
      elseif find(source, "^<%?lua?%s", from) then
        fault(line_of(source, from), "<?lu is not closed by ?>")
      end
      from = find(source, "<?", from + 2, true)
    end
    run:text(encode(sub(source, at, (from or 0) - 1)))
    if not from then
      break
    elseif path then
      include(page, path, line_of(source, from), run)
    else
      run:flush()
      add_block(page, source, stop - #code - 2, async == "a", code, out)
    end
    at = stop
  end
  run:flush()
end

-- ---- Lua Server Pages ------------------------------------------------------

-- What follows <? or <%: what it is, and where its code begins.
local function tag_kind(source, at)
  local path, stop = match(source,
    '^%s*include%s+"?([^\r\n]-)"?%s*[?%%]>()', at)
  if path and not find(path, "^[%(=]") then
    return "include", stop, path
  end
  at = match(source, "^lua%f[^%w_]()", at) or at
  if find(source, "^=", at) then
    return "value", at + 1
  elseif find(source, "^%-[^%-]", at) then
    return "raw", at + 1
  end
  return "code", at
end

local function next_tag(source, at)
  local from = find(source, "<[?%%]", at)
  while from and find(source, "^<%?[xX][mM][lL]%f[^%w_]", from) do
    from = find(source, "<[?%%]", from + 2)
  end
  return from
end

local function tags(page, source, out)
  local run, at = new_run(out), 1
  local call = page.escape and "_put" or "_raw"
  while true do
    local from = next_tag(source, at)
    run:text(encode(sub(source, at, (from or 0) - 1)))
    if not from then
      break
    end
    local closing = sub(source, from + 1, from + 1) .. ">"
    local kind, begin, path = tag_kind(source, from + 2)
    if kind == "include" then
      include(page, path, line_of(source, from), run)
      at = begin
    else
      local close = find(source, closing, begin, true)
      if not close then
        fault(line_of(source, from), sub(source, from, from + 1)
          .. " is not closed by " .. closing)
      end
      local code = sub(source, begin, close - 1)
      if kind == "code" then
        run:flush()
        out[#out + 1] = " "
        copy(page, code, out)
        out[#out + 1] = " "
      else
        each_expression(page, code, function(expression)
          run:value(check_expression(source, from, expression),
            kind == "raw" and "_raw" or call)
        end)
      end
      at = close + 2
    end
  end
  run:flush()
end

local dialects = { ["80s"] = blocks, lsp = tags }

-- What is an argument of the function anyway.
local arguments = { req = "_req", res = "_res" }

-- The beginning of the function: the names that the code uses.
local function declare(page)
  local names, values = {}, {}
  for word in pairs(page.words) do
    if page.known[word] and not (page.parallel and word == "write") then
      names[#names + 1] = word
    end
  end
  sort(names)
  for i = 1, #names do
    values[i] = arguments[names[i]]
    if not values[i] or page.parallel then
      values[i] = "_run." .. names[i]
      page.asks = true
    end
  end
  return names[1] and "local " .. concat(names, ",") .. "="
    .. concat(values, ",") .. " " or ""
end

--- page: dialect, escape, parallel, known (the names that are no globals). Adds
--- includes (a list of { path, line }), asks (does the code use more than the
--- two objects of the request?) and returns (is there a return in it?), and
--- gives the source of a chunk that is called with _put and so on and gives the
--- function(_run, _res, _req); or nil, line, text.
function core.page_code(page, source)
  page.words, page.includes = {}, {}
  page.asks, page.returns = false, false
  local out = {}
  source = gsub(source, "^\239\187\191", "") -- the mark of some editors
  local ok, err = pcall(dialects[page.dialect], page, source, out)
  if not ok then
    if getmetatable(err) == Fault then
      return nil, err.at, err.text
    end
    error(err, 0)
  end
  local names = declare(page)
  page.words = nil
  return "local _put,_raw,_format,_include,_async,_fork=... "
    .. "return function(_run,_res,_req,...) " .. names .. concat(out) .. " end"
end
