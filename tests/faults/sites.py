"""What runs while calls fail: sites, their files, and who asks them what.

A handler may fail as it likes, but what it says must be true: a result that is
not the expected one is logged as "wrong", and an answer of 200 that comes to
its end is the one that the site `wants`."""

import zlib

from ask import BODY, HEAD, Site, get, send
from sites_web import WEB_FILES, WEB_SITES

SERVER = """
pl.set { body_rate = 0, max_per_address = 100000 }
pl.get("/", function() return "hello" end)
pl.post("/body", function(req) return req:body() end)
pl.put("/save", function(req)
  local size, err = req:save("saved/body")
  return size and tostring(size), err
end)
pl.post("/form", function(req)
  local form, err = req:form()
  if not form then return nil, err end
  local size, fault = form.f:save("saved/form")
  return size and tostring(size), fault
end)
pl.get("/stream", function(req, res)
  for i = 1, 20 do res:write(("x"):rep(10000)) end
end)
pl.group("/packed", { compress = { encodings = "gzip" } }, function()
  pl.get("/whole", function() return ("abcdefgh "):rep(3000) end)
  pl.get("/slices", function() return ("abcdefgh "):rep(20000) end)
  pl.get("/stream", function(req, res)
    res:header("content-type", "text/plain")
    for i = 1, 20 do res:write(("x"):rep(10000)) end
  end)
  pl.post("/body", function(req) return req:body() end)
  pl.static("/files", { root = "files", cache = 0 })
end)
pl.get("/cors", { cors = { origins = "https://a.example" },
  security_headers = { csp = "script-src 'nonce-{nonce}'" },
  request_id = true }, function() return "read" end)
pl.get("/few", { limit = { rate = "1/h", concurrent = 9 } },
  function() return "few" end)
pl.get("/late", { limit = { rate = "1000/s", burst = 1, delay = "1s",
  key = function(req) return req.path end } }, function() return "late" end)
pl.get("/sleep", function() pl.sleep(0.001) return "slept" end)
pl.static("/files", { root = "files", not_found = "none.txt", cache = 0 })
pl.static("/all", { root = "files", preload = true, fallback = "a.txt" })
pl.static("/list", { root = "files", listing = true, cache = 0 })
pl.on("start", function() pl.sleep(0) end)
pl.every(0.001, function() end)
pl.on("stop", function() pl.sleep(0) end)
"""

# Files, processes, and what workers share.
LIBRARY = """
local fs, process = pl.fs, pl.process
local data = ("x"):rep(100000)
local function folder()
  local path = assert(fs.temp { directory = true, folder = "made" })
  pl.defer(function() fs.remove(path, { recursive = true }) end)
  return path
end
pl.get("/", function() return "hello" end)
pl.get("/whole", function()
  local a = folder() .. "/a"
  assert(fs.write(a, data, { sync = true }))
  assert(fs.append(a, "end"))
  same(assert(fs.read(a)), data .. "end", "read")
  assert(fs.write(a, data, { atomic = false, mode = "600" }))
  assert(fs.copy(a, a .. "b"))
  same(assert(fs.read(a .. "b", { offset = 10 })), data:sub(11), "copy")
end)
pl.get("/names", function()
  local f = folder()
  local deep = f .. "/sub/deep"
  assert(fs.mkdir(deep, { parents = true }))
  assert(fs.touch(deep .. "/a"))
  assert(fs.chmod(deep .. "/a", "600"))
  assert(fs.link(deep .. "/a", deep .. "/b"))
  assert(fs.symlink("a", deep .. "/c"))
  same(assert(fs.readlink(deep .. "/c")), "a", "readlink")
  same(assert(fs.realpath(deep .. "/c")):match "[^/]*$", "a", "realpath")
  assert(fs.rename(deep .. "/b", f .. "/b"))
  same(assert(fs.stat(f .. "/b")).mode, "600", "stat")
  same(#assert(fs.list(f, { recursive = true })), 5, "list")
end)
pl.get("/open", function()
  local path = folder() .. "/a"
  local file = assert(fs.open(path, "w+"))
  assert(file:write "one\\ntwo\\n")
  assert(file:sync())
  assert(file:seek("set", 0))
  same(assert(file:stat()).size, 8, "stat of a file")
  same(file:lines()(), "one", "lines of a file")
  assert(file:close())
  local n = 0
  for _ in fs.lines(path) do n = n + 1 end
  same(n, 2, "lines")
end)
pl.get("/watch", function()
  local f = folder()
  local watcher = assert(fs.watch(f, { recursive = true }))
  pl.defer(function() watcher:close() end)
  pl.spawn(function() fs.write(f .. "/news", "!", { atomic = false }) end)
  pl.timeout(0.5, function() return watcher:next() end)
end)
pl.get("/run", function()
  local done = assert(process.run { "cat", stdin = data })
  same(done.stdout, data, "output")
  local none, err = process.run { "no-such-program" }
  same(none, nil, "a program that is not there")
  assert(not none and err.code == "not_found")
  assert(not process.run { "sleep", "1000", timeout = "5ms", grace = "5ms" })
end)
pl.get("/spawn", function()
  local child = assert(process.spawn { "cat", stderr = "merge" })
  assert(process.spawn { "sleep", "1000", grace = "5ms" }) -- until we end
  assert(child:write "one\\ntwo\\n")
  child:close_stdin()
  local lines = {}
  for line in child:lines() do lines[#lines + 1] = line end
  same(table.concat(lines, " "), "one two", "lines of a child")
  same(assert(child:wait()).status, 0, "its status")
end)
local small = pl.shared("small", { max = "64k", evict = true })
local counts = pl.shared "counts"
pl.get("/shared", function()
  for i = 1, 300 do small:set("key" .. i, { text = data:sub(1, 500) }) end
  counts:set("n", 0)
  for _ = 1, 10 do assert(counts:incr("n")) end
  same(counts:get "n", 10, "incr")
  assert(counts:update("list", function(list) return { 1, list and 2 } end))
  assert(counts:set("brief", "x", 0.001))
  counts:keys()
  counts:stats()
  counts:delete "list"
  small:flush()
end)
pl.on("message", function() end)
pl.subscribe("news", function() end)
pl.get("/bus", function()
  local news = assert(pl.subscribe "news")
  assert(pl.publish("news", { text = data }))
  local event = assert(news:receive(0.5))
  same(event.text, data, "message")
  assert(pl.workers.send("all", event))
end)
"""

# Databases: on the worker, on other threads, one connection after another.
DATABASES = """
local data = ("x"):rep(10000)
local db = pl.sql.open("sqlite:saved.db", { connections = 2,
  setup = "pragma cache_size = -100" })
local threads = pl.sql.open("sqlite:saved.db", { offload = true })
pl.get("/", function() return "hello" end)
local function make()
  assert(db:script "create table if not exists t (a integer, b text)")
end
pl.get("/query", function()
  make()
  local n, id = assert(db:exec("insert into t values (?, ?)", 1, data))
  same(n, 1, "changes")
  local row = assert(db:first("select * from t where rowid = ?", id))
  same(row.b, data, "first")
  for _ = 1, 3 do
    same(assert(threads:value("select b from t where rowid = ?", id)), data,
      "value")
  end
  local rows = assert(db:query("select 7 as a union all select 8"))
  same(rows[2].a, 8, "query")
end)
pl.get("/transaction", function()
  make()
  local value = assert(db:transaction(function(tx)
    assert(tx:exec "insert into t values (2, 'kept')")
    tx:transaction(function(inner)
      assert(inner:exec "insert into t values (3, 'lost')")
      return nil, "no"
    end)
    return tx:value "select count(*) from t where a = 3"
  end))
  same(value, 0, "what was rolled back")
end)
pl.get("/rows", function()
  local n = 0
  for row in db:rows([[with recursive n(i) as
    (select 1 union all select i + 1 from n where i < ?) select i from n]],
    250) do
    n = n + row.i
  end
  same(n, 250 * 251 / 2, "rows")
  for row in threads:rows "select 1 union all select 2" do break end
end)
"""

# Lua that holds its worker, and errors for who develops.
HELD = """
pl.set { watchdog = { warn = "5ms", abort = "10ms" } }
local function spin() while true do end end
pl.get("/", function() return "hello" end)
pl.get("/spin", function() pl.defer(function() pl.sleep(0) end) spin() end)
pl.get("/cpu", { budget = { cpu = "5ms" } }, spin)
pl.get("/wall", { budget = { wall = "5ms" } }, function() pl.sleep(60) end)
pl.get("/memory", { budget = { memory = "1m" } }, function()
  local kept = {}
  for i = 1, 1e9 do kept[i] = { i } end
end)
pl.get("/fails", function()
  local function fail() error { "what" } end
  pl.log("going to fail")
  fail()
end)
pl.get("/stats", function() return pl.watchdog.stats() end)
"""

FORM = (
    b'--B\r\nContent-Disposition: form-data; name=f; filename="f"\r\n\r\n'
    + BODY
    + b"\r\n--B--"
)
FILES = {
    **WEB_FILES,
    "files/a.txt": "file",
    "files/a.txt.gz": "zipped",
    "files/none.txt": "none",
    "files/large.bin": "l" * 300_000,
    "files/large.txt": "l" * 300_000,
    "files/sub/README.md": "read me",
}


REQUESTS = [
    get("/") * 3,
    get("/files/a.txt"),
    get("/files/large.bin"),
    get("/files/nowhere"),
    get("/all/page"),
    get("/list/sub/"),
    get("/list/?sort=size", "Accept: application/json"),
    get("/stream"),
    *(
        get(f"/packed/{t}", "Accept-Encoding: gzip")
        for t in ("whole", "slices", "stream", "files/large.txt")
    ),
    send("POST /packed/body", zlib.compress(BODY), "Content-Encoding: deflate"),
    get("/cors", "Origin: https://a.example"),
    get("/few") * 2,
    get("/late") * 2,
    get("/sleep"),
    send("POST /body", BODY),
    send("PUT /save", BODY),
    send(
        "POST /form",
        FORM,
        "Content-Type: multipart/form-data; boundary=B",
    ),
    get("/nowhere"),
    b"nonsense\r\n\r\n",
]
LIBRARY_TARGETS = "whole names open watch run spawn shared bus".split()
DATABASE_TARGETS = "query transaction rows".split()
HELD_TARGETS = "spin cpu wall memory fails stats".split()

SITES = {
    "lua": Site(HEAD + SERVER, REQUESTS),
    "folder": Site(None, REQUESTS),
    "library": Site(HEAD + LIBRARY, [get(f"/{t}") for t in LIBRARY_TARGETS]),
    "sandbox": Site(  # the counts of calls are written into the folder
        HEAD + SERVER + 'pl.set { sandbox = { write = "." } }', REQUESTS
    ),
    "databases": Site(
        HEAD + DATABASES, [get(f"/{t}") for t in DATABASE_TARGETS]
    ),
    "held": Site(
        HEAD + HELD,
        [get(f"/{t}", "Accept: text/html") for t in HELD_TARGETS],
        ["--dev"],
        never="wrong: ",
    ),
    **WEB_SITES,
}
