-- render.lua - res:render. Loaded when a site first uses it.

local core, pl, c = ...
local render = c.render
local _ = pl.mustache -- with it come the files
local find_template, error = core.find_template, error

--- res:render(name, data): what the template's file makes of data becomes the
--- body, text/html unless its type was set. A template that is not there, or
--- has a fault, is an error. Waits if files have to be read. Returns true.
function core.response_methods:render(name, data)
  local set, err = find_template("res:render", name)
  if not set then
    error(err, 0)
  end
  render(self, set, data)
  return true
end
