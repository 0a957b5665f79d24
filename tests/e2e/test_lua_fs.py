"""pl.fs in scripts and in sites: what it gives, what it refuses, what it does
to the others of its worker (nothing)."""

import os
import re

import pytest

from harness.wait import wait_for

HEAD = """
local pl = require "perilune"
local fs = pl.fs
local function refused(code, value, err)
  assert(value == nil and err.code == code, tostring(err))
  return tostring(err)
end
"""


@pytest.fixture
def script(command):
    def run(text, *args, **options):
        files = {"script.lua": HEAD + text, **options.pop("files", {})}
        done = command("run", "script.lua", *args, files=files, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


# ---- scripts ---------------------------------------------------------------


def test_whole_files(script):
    script("""
assert(fs.write("a.txt", "one\\ntwo") and fs.read "a.txt" == "one\\ntwo")
assert(fs.append("a.txt", "!") and fs.read("a.txt", { offset = 4 }) == "two!")
assert(fs.read("a.txt", { offset = 1, length = 2 }) == "ne")
assert(refused("limit", fs.read("a.txt", { max = "3" })):find "a.txt")
fs.max_read = 3
refused("limit", fs.read "a.txt")
fs.max_read = "1k"
assert(fs.copy("a.txt", "b.txt") and fs.read "b.txt" == "one\\ntwo!")
refused("exists", fs.copy("a.txt", "b.txt", { exclusive = true }))
refused("exists", fs.write("a.txt", "x", { exclusive = true }))
assert(fs.write("a.txt", "x", { mode = "600", sync = true }))
assert(fs.write("a.txt", "y", { atomic = false }))
assert(fs.stat("a.txt").mode == "600" and fs.read "a.txt" == "y")
assert(fs.read "/proc/self/stat" ~= "")
""")


def test_names(script):
    script("""
assert(fs.exists "." == true and fs.exists "none" == false)
assert(fs.exists "a\\0b" == nil)
assert(fs.mkdir("d/e", { parents = true, mode = "700" }))
assert(fs.touch("d/f", 86400.5))
local st = fs.stat "d/f"
assert(st.type == "file" and st.size == 0 and st.mtime == 86400.5)
assert(st.links == 1 and st.inode > 0 and st.uid >= 0 and st.gid >= 0)
assert(fs.symlink("d/f", "l") and fs.readlink "l" == "d/f")
assert(fs.stat "l".type == "file" and fs.stat("l", { link = true }).type
  == "link")
assert(fs.realpath("l"):find "^/.*/d/f$")
assert(fs.link("d/f", "h") and fs.stat "h".links == 2)
assert(fs.rename("h", "i") and fs.chmod("i", "604"))
assert(fs.stat "i".mode == "604")
local names = {}
for i, entry in ipairs(fs.list("d", { recursive = true })) do
  names[i] = entry.name .. ":" .. entry.type
end
assert(table.concat(names, " ") == "e:directory f:file")
assert(#fs.list(".", { match = "*.lua" }) == 1)
refused("limit", fs.list(".", { max = 2 }))
refused("exists", fs.remove "d")
assert(fs.remove("d", { recursive = true }) and fs.exists "d" == false)
assert(fs.exists "l" == false and fs.stat("l", { link = true }))
assert(refused("not_found", fs.rename("x", "y")):find "x, y: No such file")
""")


def test_bug_slashes_at_the_end_of_a_name(script):
    """remove("link/") took away the folder, mkdir("a/") was its own parent."""
    script("""
assert(fs.mkdir("d/e//", { parents = true }) and fs.stat "d/e".mode)
refused("exists", fs.mkdir "d/e/")
assert(fs.write("d/f", "x") and fs.symlink("d", "l"))
assert(fs.remove("l/", { recursive = true }) == nil or fs.exists "d/f")
assert(fs.exists "d/f")
assert(fs.remove "d/f/" == nil and fs.exists "d/f")
assert(fs.remove("d/", { recursive = true }) and fs.exists "d" == false)
""")


def test_what_may_be_said(script):
    said = script("""
local function says(fn, ...)
  print((select(2, pcall(fn, ...))))
end
says(fs.read, 1)
says(fs.read, "a", { offset = -1 })
says(fs.read, "a", { max = "much" })
says(fs.read, "a", { maxx = 1 })
says(fs.write, "a")
says(fs.chmod, "a", 644)
says(fs.open, "a", "rw")
says(fs.touch, "a", "now")
says(fs.list, "a", { max = -1 })
fs.write("a", "")
local file = fs.open "a"
says(file.read, file, 0)
says(file.seek, file, "middle")
file:close()
says(file.read, file)
""")
    assert re.sub(r"script.lua:\d+: ", "", said).splitlines() == [
        "pl.fs.read: the path must be a string, not a number",
        "pl.fs.read: offset must be a whole number, at least 0",
        'pl.fs.read: max must be a string like "1m" or bytes',
        "pl.fs.read: unknown option 'maxx'; did you mean 'max'? "
        "(there are length, max, offset)",
        "pl.fs.write: the data must be a string, not nil",
        "pl.fs.chmod: the mode must be a string of octal digits like "
        '"644"',
        "pl.fs.open: the mode must be one of r, r+, w, w+, wx, a, a+, not rw",
        "pl.fs.touch: the time must be a number of seconds",
        "pl.fs.list: max must be a whole number, at least 0",
        "file:read: the number must be a whole number, at least 1",
        'file:seek: the origin must be "set", "cur" or "end"',
        "file:read: the file is closed",
    ]


def test_open_files(script):
    script("""
local file = assert(fs.open("a", "w+"))
assert(file:write "hello\\nworld\\n" and file:sync())
assert(file:seek() == 12 and file:seek("set", 6) == 6)
assert(file:read(3) == "wor" and file:read() == "ld\\n")
assert(file:read() == nil)
assert(file:stat().size == 12 and file:seek "set" == 0)
local lines = {}
for line in file:lines() do lines[#lines + 1] = line end
assert(table.concat(lines, ",") == "hello,world")
assert(file:close())
refused("exists", fs.open("a", "wx"))
refused("invalid", fs.open ".")
refused("invalid", fs.open("a", "r"):write "x")
local busy = fs.open("a", "r")
local ok, err = pcall(pl.all, {
  function() return busy:read() end,
  function() return busy:read() end,
})
assert(not ok and tostring(err):find "the file is busy", err)
""")


def test_lines(script):
    script("""
fs.write("a", ("x"):rep(200000) .. "\\n\\nlast")
local sizes = {}
for line in fs.lines "a" do sizes[#sizes + 1] = #line end
assert(table.concat(sizes, " ") == "200000 0 4")
local ok, err = pcall(function()
  for _ in fs.lines("a", { max = 1000 }) do end
end)
assert(not ok and err.code == "limit")
ok, err = pcall(fs.lines, "none")
assert(not ok and err.code == "not_found")
fs.write("empty", "")
for _ in fs.lines "empty" do error "no line" end
""")


def test_bug_reading_on_after_lines(script):
    script("""
fs.write("a", "one\\ntwo\\nthree\\n" .. ("x"):rep(100000))
local file = fs.open("a", "r+")
assert(file:lines()() == "one" and file:lines()() == "two")
assert(file:read(2) == "th" and file:seek() == 10)
assert(file:lines()() == "ree" and #file:read(90000) == 90000)
assert(file:seek("set", 4) == 4 and file:lines()() == "two")
assert(file:seek("cur", -4) == 4 and file:lines()() == "two")
assert(file:write "THREE" and file:seek() == 13)
local line = file:lines { max = 5 }
assert(line() == "")
local ok, err = pcall(line)
assert(not ok and err.code == "limit")
assert(file:seek("end", -1) == 100013 and file:lines()() == "x")
assert(file:read() == nil and file:lines()() == nil)
assert(file:close() and fs.read("a", { length = 14 }) == "one\\ntwo\\nTHREE\\n")
""")


def test_temporary_names(script, tmp_path):
    script(
        """
local file, folder = fs.temp(), fs.temp { directory = true }
assert(fs.stat(file).mode == "600" and fs.stat(folder).type == "directory")
assert(fs.temp { folder = folder }:sub(1, #folder) == folder)
fs.remove(file)
fs.remove(folder, { recursive = true })
""",
        env={"TMPDIR": str(tmp_path)},
    )
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".pl-")]


def test_paths(script):
    script("""
local p = fs.path
assert(p.join("a", "/b", "c/") == "a/b/c/" and p.join("/", "x") == "/x")
assert(p.basename "a/b/c.txt" == "c.txt" and p.basename "/" == "/")
assert(p.basename "a/b/" == "b" and p.basename "" == "")
assert(p.dirname "a/b/c" == "a/b" and p.dirname "c" == ".")
assert(p.dirname "/c" == "/" and p.dirname "a/b/" == "a")
assert(p.extension "a.d/c.tar.gz" == ".gz" and p.extension ".profile" == "")
assert(p.is_absolute "/a" and not p.is_absolute "a")
assert(p.normalize "/a/../../b/./c//d/" == "/b/c/d")
assert(p.normalize "../a/.." == ".." and p.normalize "" == ".")
""")


# ---- watching --------------------------------------------------------------

WATCH = """
local seen = {}
local function describe(event)
  return event.type .. " " .. (event.path or "?")
    .. (event.from and " from " .. event.from or "")
    .. (event.directory and "/" or "")
end
local function start(...)
  local watcher = assert(fs.watch(...))
  return watcher, pl.spawn(function()
    for event in watcher do seen[#seen + 1] = describe(event) end
    seen[#seen + 1] = "end"
  end)
end
local function wait_for(last)
  while seen[#seen] ~= last do pl.sleep(0.001) end
end
"""


def test_watch_a_tree(script):
    shown = script(
        WATCH
        + """
fs.mkdir "d"
local _, task = start("d", { recursive = true })
fs.append("d/f", "x") wait_for "write f"
fs.write("d/f", "y") wait_for "write f"
fs.mkdir "d/new" wait_for "create new/"
fs.append("d/new/g", "x") wait_for "write new/g"
fs.rename("d/new", "d/old") wait_for "rename old from new/"
fs.append("d/old/g", "x") wait_for "write old/g"
fs.mkdir "out" fs.mkdir "out/sub" fs.append("out/sub/h", "")
fs.rename("out", "d/in") wait_for "create in/sub/h"
fs.rename("d/in", "out") wait_for "remove in/"
fs.append("out/sub/h", "x")
fs.remove("d", { recursive = true }) wait_for "end"
task:join()
print(table.concat(seen, "\\n"))
"""
    ).splitlines()
    assert shown[-1] == "end" and "remove old/g" in shown
    assert not [s for s in shown if "tmp" in s or "sub/h" in s and "write" in s]


def test_watch_a_file(script):
    script(
        WATCH
        + """
fs.write("f", "") fs.write("other", "")
local watcher, task = start("f", { debounce = "20ms" })
fs.append("other", "x")
fs.write("f", "x") wait_for "write f"
fs.remove "f" wait_for "remove f"
assert(#seen == 2, table.concat(seen, ","))
watcher:close()
task:join()
assert(seen[3] == "end" and watcher:next() == nil)
refused("not_found", fs.watch "none")
"""
    )


def test_watch_tells_of_writes_to_open_files(script):
    script(
        WATCH
        + """
fs.append("f", "x")
local watcher = start("f", { modify = true })
local other = start(".")
local file = io.open("f", "a")
file:setvbuf "no"
file:write "1" wait_for "modify f"
file:write "2"
while #seen < 2 do pl.sleep(0.001) end
assert(seen[2] == "modify f", "of each, and only who has asked for it")
file:close()
while #seen < 4 do pl.sleep(0.001) end
assert(seen[3] == "write f" and seen[4] == "write f")
"""
    )


def test_watch_tells_what_was_lost(script):
    """The queue of the kernel has an end, which is told."""
    try:
        limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    except OSError:
        pytest.skip("no limit of the queue to be seen")
    if limit > 65536:
        pytest.skip("a long queue")
    script(f"""
fs.mkdir "d"
local watcher = assert(fs.watch "d")
assert(os.execute("cd d; i=0; while [ $i -lt {limit} ]; do "
  .. "i=$((i + 1)); : > f0; : > f1; done"))
for event in watcher do
  if event.type == "overflow" then break end
end
""")


# ---- sites -----------------------------------------------------------------

SITE = """
local pl = require "perilune"
local loaded = pl.fs.read "hello.txt" -- also while the site is loaded
local busy = false
pl.get("/loaded", function() return loaded end)
pl.get("/busy", function() return tostring(busy) end)
pl.get("/copy", function()
  busy = true
  local ok, err = pl.fs.copy("big", "copied")
  busy = false
  return ok and "copied" or tostring(err)
end)
pl.get("/read/*path", function(req)
  local text, err = pl.fs.read(req.params.path)
  if not text then return 404, err.code end
  return text
end)
"""


def test_paths_of_a_site_are_in_its_folder(serve):
    server = serve(SITE, files={"hello.txt": "hello"})
    assert server.get("/loaded").text == "hello"
    assert server.get("/read/hello.txt").text == "hello"
    assert server.get("/read/none").text == "not_found"
    os.mkfifo(server.folder / "pipe")
    assert server.get("/read/pipe").text == "invalid"


def test_a_slow_copy_holds_nobody(serve):
    """A worker that were held could not answer while busy is true."""
    server = serve(SITE, files={"hello.txt": "", "big": ""}, workers=1)
    os.truncate(server.folder / "big", 256 << 20)
    with server.connect() as wire:
        wire.send(b"GET /copy HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: server.get("/busy").text == "true", "the copy to run")
        assert wire.response().text == "copied"


def test_a_copy_ends_with_its_client(serve):
    server = serve(SITE, files={"hello.txt": "", "big": ""}, workers=1)
    os.truncate(server.folder / "big", 1 << 40)
    with server.connect() as wire:
        wire.send(b"GET /copy HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: server.get("/busy").text == "true", "the copy to run")
        wire.reset()
    left = server.folder.glob
    wait_for(lambda: not list(left(".pl-*.tmp")), "the copy to be given up")
    assert server.stop() == 0
