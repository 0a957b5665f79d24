-- source.lua - the examples of a file, read from the file itself.
--
-- An example stands between two comments:
--
--     -- example: hello
--     pl.get("/hello", function() return "Hello!" end)
--     -- end
--
-- They are read while the site is loaded, so what a page shows is what the
-- worker runs. (Reading a file holds up the worker: never in a handler.)

local source = {}

--- source.path("chapters.hello") -> the file that require takes for it
function source.path(module)
  return assert(package.searchpath(module, package.path))
end

local function find_line(path, lines, wanted, from)
  for i = from, #lines do
    if lines[i]:find(wanted, 1, true) then
      return i
    end
  end
  error(("%s has no line '%s'"):format(path, wanted))
end

--- source.example(path, name) -> { code =, line = number of its first line }
function source.example(path, name)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  local first = find_line(path, lines, "example: " .. name, 1) + 1
  local last = find_line(path, lines, "-- end", first) - 1
  return { code = table.concat(lines, "\n", first, last), line = first }
end

return source
