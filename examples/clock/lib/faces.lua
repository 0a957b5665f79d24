-- faces.lua - what the three clocks show: each is a function of the time that
-- gives the next frame.

local canvas, gif, segments = ...

local MARGIN, GAP = 8, 6

local function text_of(time, form)
  return os.date(form, math.floor(time))
end

-- ---- seven segments, and digits that become others -------------------------

local function width_of(text)
  local width = 2 * MARGIN - GAP
  for c in text:gmatch "." do
    width = width + (c == ":" and 5 or segments.width) + GAP
  end
  return width
end

local function draw_text(picture, from, to, part)
  local x = MARGIN
  for i = 1, #to do
    local c = to:sub(i, i)
    if c == ":" then
      segments.colon(picture, x, MARGIN)
      x = x + 5 + GAP
    else
      segments.draw(picture, x, MARGIN, from:sub(i, i), c, part)
      x = x + segments.width + GAP
    end
  end
end

local function new_face(palette, delay)
  local width = width_of "00:00:00"
  local height = segments.height + 2 * MARGIN
  local picture = canvas.new(width, height)
  return {
    width = width, height = height,
    head = gif.head(width, height, palette),
    draw = function(from, to, part)
      picture:clear()
      draw_text(picture, from, to, part)
      return gif.frame(width, height, picture, delay)
    end,
  }
end

local faces = {}

-- A frame a second. Their delays are shorter than the time until they come: a
-- picture is shown when it is there, and what came late is caught up with.
local clock = new_face({ 0x101418, 0xff6a3d, 0xffd9a0 }, 20)
clock.period = 1

function clock.next(time)
  local text = text_of(time, "%H:%M:%S")
  return clock.draw(text, text, 0)
end

-- Twelve a second: each digit melts into the next one in the last half of it.
local dali = new_face({ 0xf4efe6, 0x2b3a67, 0xb56576 }, 5)
dali.period = 1 / 12

function dali.next(time)
  local part = math.max(0, (time % 1) * 2 - 1)
  part = part * part * (3 - 2 * part) -- slowly in, slowly out
  return dali.draw(text_of(time, "%H:%M:%S"), text_of(time + 1, "%H:%M:%S"),
    part)
end

-- ---- falling blocks ---------------------------------------------------------

local CELL, COLUMNS, ROWS = 7, 4, 6
local font = {
  ["0"] = "1111 1001 1001 1001 1001 1111",
  ["1"] = "0010 0110 0010 0010 0010 0111",
  ["2"] = "1111 0001 1111 1000 1000 1111",
  ["3"] = "1111 0001 0111 0001 0001 1111",
  ["4"] = "1001 1001 1111 0001 0001 0001",
  ["5"] = "1111 1000 1111 0001 0001 1111",
  ["6"] = "1111 1000 1111 1001 1001 1111",
  ["7"] = "1111 0001 0010 0010 0100 0100",
  ["8"] = "1111 1001 1111 1001 1001 1111",
  ["9"] = "1111 1001 1111 0001 0001 1111",
}

-- The pieces of a digit, runs of cells, from the ground up.
local function pieces_of(digit)
  local rows, pieces = {}, {}
  for row in font[digit]:gmatch "%d+" do
    rows[#rows + 1] = row
  end
  for row = ROWS, 1, -1 do
    for first, run, last in rows[row]:gmatch "()(1+)()" do
      pieces[#pieces + 1] = {
        row = row, column = first, size = last - first,
        colour = (row + #run) % 3 + 1,
      }
    end
  end
  return pieces
end

-- A place for a digit: what lies, what falls, and how far that has come.
local function drop(place)
  local piece = place.falling[1]
  if not piece then
    return
  end
  place.height = place.height + 1
  if place.height == piece.row then
    place.lying[#place.lying + 1] = table.remove(place.falling, 1)
    place.height = 0
  end
end

local function draw_place(picture, place, x)
  local function block(piece, row)
    picture:fill(x + (piece.column - 1) * CELL, MARGIN + (row - 1) * CELL,
      piece.size * CELL - 1, CELL - 1, piece.colour)
  end
  for _, piece in ipairs(place.lying) do
    block(piece, piece.row)
  end
  if place.falling[1] and place.height > 0 then
    block(place.falling[1], place.height)
  end
end

local blocks = {
  period = 1 / 10, width = 4 * (COLUMNS + 1) * CELL + CELL + 2 * MARGIN,
  height = ROWS * CELL + 2 * MARGIN,
}
blocks.head = gif.head(blocks.width, blocks.height,
  { 0x0b0f1a, 0x4cc9f0, 0xf72585, 0xf9c74f })

local field, places = canvas.new(blocks.width, blocks.height), {}

function blocks.next(time)
  local text = text_of(time, "%H%M")
  field:clear()
  for i = 1, 4 do
    local digit = text:sub(i, i)
    local place = places[i]
    if not place or place.digit ~= digit then
      place = {
        digit = digit, lying = {}, falling = pieces_of(digit), height = 0,
      }
      places[i] = place
    end
    drop(place)
    draw_place(field, place,
      MARGIN + (i - 1) * (COLUMNS + 1) * CELL + (i > 2 and CELL or 0))
  end
  if time % 1 < 0.5 then
    local x = MARGIN + 2 * (COLUMNS + 1) * CELL - CELL / 2
    field:fill(math.floor(x), MARGIN + 2 * CELL, CELL - 2, CELL - 2, 3)
    field:fill(math.floor(x), MARGIN + 4 * CELL, CELL - 2, CELL - 2, 3)
  end
  return gif.frame(blocks.width, blocks.height, field, 6)
end

faces.clock, faces.dali, faces.blocks = clock, dali, blocks

return faces
