-- canvas.lua - a picture as a list of colours from 0 to 3.

local canvas = {}
canvas.__index = canvas

function canvas.new(width, height)
  local self = setmetatable({ width = width, height = height }, canvas)
  self:clear()
  return self
end

function canvas:clear()
  for i = 1, self.width * self.height do
    self[i] = 0
  end
end

--- What is outside is cut off.
function canvas:fill(x, y, width, height, colour)
  local left, right = math.max(x, 0), math.min(x + width, self.width) - 1
  for row = math.max(y, 0), math.min(y + height, self.height) - 1 do
    local at = row * self.width + 1
    for i = at + left, at + right do
      self[i] = colour
    end
  end
end

return canvas
