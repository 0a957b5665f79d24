-- source.lua - the examples of a file, read from the file itself.
--
-- An example stands between two comments:
--
--     -- example: hello
--     pl.get("/hello", function() return "Hello!" end)
--     -- end
--
-- In C it is a function, or a PL_HANDLER(name), with the comment above it.
--
-- They are read while the site is loaded, so what a page shows is what the
-- worker runs. (Reading a file holds up the worker: never in a handler.)

local source = {}

--- source.path("chapters.hello") -> the file that require takes for it
function source.path(module)
  return assert(package.searchpath(module, package.path))
end

-- The first line from `from` on that has the pattern.
local function find_line(lines, pattern, from)
  for i = from, #lines do
    if lines[i]:find(pattern) then
      return i
    end
  end
  error("no line like '" .. pattern .. "'")
end

local function marked(lines, name)
  local first = find_line(lines, "^%s*%-%- example: " .. name .. "$", 1)
  return first + 1, find_line(lines, "^%s*%-%- end$", first) - 1
end

local function c_function(lines, name)
  local first = find_line(lines, "^%a.*%f[%w_]" .. name .. "[()]", 1)
  local last = find_line(lines, "^}", first)
  while lines[first - 1] ~= "" do
    first = first - 1
  end
  return first, last
end

--- source.example(path, name) -> { code =, line = number of its first line }
function source.example(path, name)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  local find = path:find("%.c$") and c_function or marked
  local first, last = find(lines, name)
  return { code = table.concat(lines, "\n", first, last), line = first }
end

return source
