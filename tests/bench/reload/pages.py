"""pages - what is reloaded: 1 MiB of Lua in modules, and a version.

Each module has functions, tables and strings as written by people: what there
is to compile, and what a generation keeps alive, is what counts.
"""

from pathlib import Path

MODULES, MODULE_BYTES = 64, 16 * 1024

FUNCTION = """
-- Sums up what the {0}th report of a customer has, by month.
function M.report_{0}(customer, rows, options)
  local sums, count = {{ year = {0}, months = {{}} }}, 0
  for i, row in ipairs(rows) do
    if row.customer == customer.id and row.state ~= "cancelled_{0}" then
      local month = row.date:sub(1, 7)
      sums.months[month] = (sums.months[month] or 0) + row.price * row.amount
      count = count + 1
    elseif options and options.strict then
      return nil, ("row %d of report {0} is not of %s"):format(i, customer.name)
    end
  end
  sums.mean = count > 0 and sums.total and sums.total / count or 0
  return sums, "report {0} of " .. customer.name
end
"""

SITE = """
local pl = require "perilune"
pl.set {{ reload_drain = "5s" }}
for i = 1, {modules} do
  local part = require("part" .. i)
  pl.get("/part/" .. i, function() return part.name end)
end
pl.get("/", function() return "Hello, World!" end)
pl.get("/version", function() return "{version}" end)
"""


def module_text(number: int, size: int = MODULE_BYTES) -> str:
    text = f'local M = {{ name = "part {number}" }}\n'
    count = 0
    while len(text) < size:
        count += 1
        text += FUNCTION.format(number * 1000 + count)
    return text + "return M\n"


def make_modules(folder: Path) -> int:
    """Gives how many bytes there are."""
    total = 0
    for number in range(1, MODULES + 1):
        text = module_text(number)
        (folder / f"part{number}.lua").write_text(text)
        total += len(text)
    return total


def replace(path: Path, text: str):
    """Whole at once, as editors save."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)


def save_site(folder: Path, version: str):
    replace(folder / "site.lua",
            SITE.format(modules=MODULES, version=version))  # fmt: skip


def save_empty(folder: Path):
    replace(folder / "site.lua", "")
