-- segments.lua - digits of seven segments, as spans: for each row two pieces
-- { left, right } of what is lit, of which one may be empty. So a digit can
-- be drawn, and one can become another.

local WIDTH, HEIGHT, THICK = 22, 40, 5
local segments = { width = WIDTH, height = HEIGHT }

--   a
-- f   b
--   g
-- e   c
--   d
local lit = {
  ["0"] = "abcdef", ["1"] = "bc", ["2"] = "abged", ["3"] = "abgcd",
  ["4"] = "fgbc", ["5"] = "afgcd", ["6"] = "afgedc", ["7"] = "abc",
  ["8"] = "abcdefg", ["9"] = "abcdfg",
}

local function spans_of(digit)
  local spans, on = {}, {}
  for name in lit[digit]:gmatch "." do
    on[name] = true
  end
  local middle = (HEIGHT - THICK) / 2
  for row = 0, HEIGHT - 1 do
    local upper = row < HEIGHT / 2
    local bar = row < THICK and "a" or row >= HEIGHT - THICK and "d"
      or row >= middle and row < middle + THICK and "g"
    local left, right = on[upper and "f" or "e"], on[upper and "b" or "c"]
    if bar and on[bar] then
      spans[row] = { 0, WIDTH / 2, WIDTH / 2, WIDTH }
    else
      spans[row] = {
        0, left and THICK or 0, right and WIDTH - THICK or WIDTH, WIDTH,
      }
    end
  end
  return spans
end

local shapes = {}
for digit in pairs(lit) do
  shapes[digit] = spans_of(digit)
end

--- Draws a digit at x, y; part (0 to 1) of the way from another one.
function segments.draw(canvas, x, y, from, to, part)
  local a, b = shapes[from], shapes[to]
  for row = 0, HEIGHT - 1 do
    local edge = {}
    for i = 1, 4 do
      edge[i] = math.floor(a[row][i] + (b[row][i] - a[row][i]) * part + 0.5)
    end
    canvas:fill(x + edge[1], y + row, edge[2] - edge[1], 1, 1)
    canvas:fill(x + edge[3], y + row, edge[4] - edge[3], 1, 1)
  end
end

function segments.colon(canvas, x, y)
  canvas:fill(x, y + HEIGHT * 0.3, THICK, THICK, 2)
  canvas:fill(x, y + HEIGHT * 0.6, THICK, THICK, 2)
end

return segments
