"""reload - another text of a site that is served, and what tells of its end."""

from signal import SIGHUP

from harness.wait import wait_for

# What tells that a generation is gone, with its Lua state.
GONE = """
pl.on("start", function()
  local function tell() io.stderr:write("{0} has gone\\n") end
  if newproxy then
    gone = newproxy(true)
    getmetatable(gone).__gc = tell
  else
    gone = setmetatable({{}}, {{ __gc = tell }})
  end
end)
"""


def write(server, text):
    """Whole at once: a reload never sees half a file."""
    path = server.folder / "site.lua"
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def reload(server, text, version):
    write(server, text)
    server.send_signal(SIGHUP)
    wait_for(
        lambda: server.get("/").body.decode() == version,
        f"{version} is served",
    )
