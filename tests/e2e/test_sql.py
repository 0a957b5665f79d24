"""pl.sql with SQLite: queries, values, transactions, cursors, faults."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

OPEN = """
local pl = require "perilune"
local db = pl.sql.open("sqlite:site.db", { %s })
local function run(path, fn)
  pl.get(path, function(req)
    local value, err = fn(req)
    if value == nil and err then
      return 500, { code = err.code, state = err.state, text = err.message }
    end
    return { value = value }
  end)
end
"""


@pytest.fixture
def site(serve):
    """site(code, options): a site with `db` and run(path, fn)."""

    def start(code: str, options: str = "", **how):
        return serve(OPEN % options + code, **how)

    return start


def ask(server, path: str):
    answer = server.get(path)
    assert answer.status in (200, 500), answer
    return answer.json()


# ---- the forms of a query --------------------------------------------------

FORMS = """
run("/make", function()
  return db:script [[
    create table user (id integer primary key, name text, age integer);
    insert into user (name, age) values ('ann', 31), ('bob', null);
  ]]
end)
run("/query", function() return db:query "select * from user order by id" end)
run("/columns", function()
  local _, columns = db:query "select name, age from user"
  return columns
end)
run("/none", function()
  return db:query("select * from user where id = ?", 99)
end)
run("/first", function()
  return db:first("select name from user where id = ?", 2)
end)
run("/nothing", function()
  local row, err = db:first("select name from user where id = ?", 99)
  return { row = tostring(row), err = tostring(err) }
end)
run("/value", function() return db:value "select count(*) from user" end)
run("/insert", function()
  local n, id = db:exec("insert into user (name) values (?)", "eve")
  return { n = n, id = id }
end)
run("/update", function()
  local n, id = db:exec "update user set age = 1"
  return { n = n, id = tostring(id) }
end)
run("/ddl", function() return (db:exec "create table other (a)") end)
run("/returning", function()
  return db:query "insert into user (name) values ('x') returning id, name"
end)
"""


def test_forms_of_queries(site):
    server = site(FORMS)
    assert ask(server, "/make") == {"value": True}
    assert ask(server, "/query")["value"] == [
        {"id": 1, "name": "ann", "age": 31}, {"id": 2, "name": "bob"}]
    assert ask(server, "/columns")["value"] == ["name", "age"]
    assert server.get("/none").body == b'{"value":[]}', "an empty list"
    assert ask(server, "/first")["value"] == {"name": "bob"}
    assert ask(server, "/nothing")["value"] == {"row": "nil", "err": "nil"}
    assert ask(server, "/value")["value"] == 2
    assert ask(server, "/insert")["value"] == {"n": 1, "id": 3}
    assert ask(server, "/update")["value"] == {"n": 3, "id": "nil"}
    assert ask(server, "/ddl")["value"] == 0, "not that of the update before"
    assert ask(server, "/returning")["value"] == [{"id": 4, "name": "x"}]


VALUES = """
local big = "9007199254740993"
run("/there-and-back", function()
  local row = db:first(
    "select ? as t, ? as n, ? as i, ? as r, ? as b, ? as z, ? as nul",
    "it's", nil, 42, 1.5, true, "a\\0b", pl.json.null)
  return { t = row.t, n = tostring(row.n), i = row.i, r = row.r, b = row.b,
    z = #row.z, nul = tostring(row.nul) }
end)
run("/types", function()
  return db:value("select typeof(?) || typeof(?) || typeof(?) || typeof(?)",
    7, 7.5, "7", pl.sql.blob "7")
end)
run("/big", function()
  local value = db:value("select cast(? as integer)", big)
  return tostring(value) .. " " .. math.type_name(value)
end)
run("/blob", function()
  local value = db:value("select ?", pl.sql.blob "\\0\\255\\1")
  return ("%d %d"):format(#value, value:byte(2))
end)
run("/null", function()
  local other = pl.sql.open("sqlite::memory:", { null = pl.json.null })
  return other:query "select 1 as a, null as b"
end)
function math.type_name(value) return type(value) end
"""


def test_values_come_back_as_they_were(site):
    server = site(VALUES)
    assert ask(server, "/there-and-back")["value"] == {
        "t": "it's", "n": "nil", "i": 42, "r": 1.5, "b": 1, "z": 3,
        "nul": "nil"}
    assert ask(server, "/types")["value"] == "integerrealtextblob"
    assert ask(server, "/blob")["value"] == "3 255"
    assert ask(server, "/null")["value"] == [{"a": 1, "b": None}]
    value = ask(server, "/big")["value"]
    assert value.startswith("9007199254740993 "), "not one less"


INJECTION = """
run("/make", function()
  return db:script "create table t (a text); insert into t values ('x')"
end)
pl.get("/find", function(req)
  local rows, err = db:query("select a from t where a = ?", req.args.a)
  return rows and { n = #rows } or { err = err.message }
end)
run("/two", function() return db:query "select 1; drop table t" end)
run("/left", function() return db:value "select count(*) from t" end)
"""


def test_values_are_never_part_of_the_text(site):
    server = site(INJECTION)
    ask(server, "/make")
    for attempt in ["' or '1'='1", "x'; drop table t; --", "?", "%00", "\\",
                    "') union select 1 --"]:
        answer = server.get("/find?a=" + attempt.replace(" ", "+")
                            .replace(";", "%3B").replace("#", "%23"))
        assert answer.json() == {"n": 0}, attempt
    assert server.get("/find?a=x").json() == {"n": 1}
    assert server.get("/two").status == 500
    assert ask(server, "/left")["value"] == 1
    server.wait_log("more than one statement")


# ---- what goes wrong -------------------------------------------------------

FAULTS = """
run("/make", function()
  return db:script [[
    create table p (id integer primary key);
    create table t (a text unique not null check (a <> 'no'),
                    p integer references p (id));
    insert into t values ('x', null);
  ]]
end)
run("/unique", function()
  return db:exec("insert into t values ('x', null)")
end)
run("/notnull", function()
  return db:exec("insert into t values (null, 1)")
end)
run("/check", function()
  return db:exec("insert into t values ('no', null)")
end)
run("/foreign", function()
  return db:exec("insert into t values ('y', 7)")
end)
run("/syntax", function() return db:query("selec 1") end)
run("/table", function() return db:query("select * from nowhere") end)
run("/few", function() return db:query("select ?, ?", 1) end)
run("/many", function() return db:query("select 1", 1) end)
run("/kind", function() return db:query("select ?", {}) end)
run("/none", function() return db:query("  -- nothing\\n") end)
run("/large", function()
  return db:query [[
    with recursive n(i) as (select 1 union all select i + 1 from n)
    select i, hex(zeroblob(500)) from n limit 100000]]
end)
run("/still", function() return db:value "select 1" end)
"""


def test_errors_have_codes(site):
    server = site(FAULTS, "max_result = '1m'")
    ask(server, "/make")
    for path, code, state in [("/unique", "exists", "23505"),
                              ("/notnull", "invalid", "23502"),
                              ("/check", "invalid", "23514"),
                              ("/foreign", "invalid", "23503"),
                              ("/syntax", "syntax", "42000"),
                              ("/table", "syntax", "42000"),
                              ("/large", "limit", "54000")]:
        answer = server.get(path)
        assert answer.status == 500, path
        assert answer.json()["code"] == code, (path, answer.json())
        assert answer.json()["state"] == state, (path, answer.json())
        assert ask(server, "/still")["value"] == 1
    assert "UNIQUE constraint failed: t.a" in \
        server.get("/unique").json()["text"]


@pytest.mark.parametrize("path, words", [
    ("/few", r"db:query: the statement has 2 placeholders, and was given 1"),
    ("/many", r"db:query: the statement has 0 placeholders, and was given 1"),
    ("/kind", r"db:query: value 1 must be nil, a boolean, .* not a table"),
    ("/none", r"db:query: there is no statement"),
])
def test_misuse_is_raised_where_it_is(site, path, words):
    server = site(FAULTS)
    assert server.get(path).status == 500
    server.wait_log(r"site.lua:\d+: " + words)


OPENING = """
run("/missing", function()
  return pl.sql.open("sqlite:/no/such/folder/a.db"):query "select 1"
end)
run("/garbage", function()
  return pl.sql.open("sqlite:garbage.db"):query "select 1"
end)
"""


def test_what_cannot_be_opened(site):
    server = site(OPENING, files={"garbage.db": "this is no database" * 100})
    answer = ask(server, "/missing")
    assert answer["code"] in ("not_found", "io"), answer
    answer = ask(server, "/garbage")
    assert answer["code"] == "io" and answer["state"] == "XX001"


# ---- transactions ----------------------------------------------------------

TRANSACTIONS = """
run("/make", function()
  return db:script "create table t (a integer); insert into t values (0)"
end)
run("/commit", function()
  return db:transaction(function(tx)
    tx:exec "update t set a = a + 1"
    return tx:value "select a from t"
  end)
end)
run("/raise", function()
  local ok, err = pcall(db.transaction, db, function(tx)
    tx:exec "update t set a = 100"
    error("no")
  end)
  return { ok = ok, err = tostring(err) }
end)
run("/refuse", function()
  local value, err = db:transaction(function(tx)
    tx:exec "update t set a = 100"
    return nil, "refused"
  end)
  return { value = tostring(value), err = err }
end)
run("/nested", function()
  return db:transaction(function(tx)
    tx:exec "update t set a = 10"
    local ok = pcall(tx.transaction, tx, function(inner)
      inner:exec "update t set a = 20"
      error "no"
    end)
    local value = tx:value "select a from t"
    tx:transaction(function(inner) inner:exec "update t set a = a + 1" end)
    return { ok = ok, before = value, after = tx:value "select a from t" }
  end)
end)
run("/a", function() return db:value "select a from t" end)
run("/open", function()
  db:exec "begin"
  return db:exec "update t set a = 1000"
end)
run("/read_only", function()
  return db:transaction({ read_only = true }, function(tx)
    return tx:value "select a from t"
  end)
end)
"""


def test_transactions(site):
    server = site(TRANSACTIONS)
    ask(server, "/make")
    assert ask(server, "/commit")["value"] == 1
    raised = ask(server, "/raise")["value"]
    assert not raised["ok"] and raised["err"].endswith("no")
    assert ask(server, "/a")["value"] == 1, "rolled back"
    assert ask(server, "/refuse")["value"] == {"value": "nil", "err": "refused"}
    assert ask(server, "/a")["value"] == 1, "rolled back"
    assert ask(server, "/nested")["value"] == {
        "ok": False, "before": 10, "after": 11}
    assert ask(server, "/read_only")["value"] == 11


def test_a_connection_goes_back_clean(site):
    """A transaction that was begun by hand does not outlive its call."""
    server = site(TRANSACTIONS, "connections = 1")
    ask(server, "/make")
    ask(server, "/open")
    assert ask(server, "/a")["value"] in (0, 1000)
    with sqlite3.connect(server.folder / "site.db") as other:
        other.execute("update t set a = 7")
    assert ask(server, "/a")["value"] == 7, "nobody holds a lock"


COUNTING = """
local db2 = pl.sql.open("sqlite:site.db", { connections = 3 })
run("/make", function()
  return db:script "create table t (a integer); insert into t values (0)"
end)
run("/count", function()
  return db2:transaction(function(tx)
    local a = tx:value "select a from t"
    pl.sleep(0.001)
    return tx:exec("update t set a = ?", a + 1)
  end)
end)
run("/plain", function() return db2:exec "update t set a = a + 1" end)
run("/a", function() return db:value "select a from t" end)
run("/stats", function() return db2:stats() end)
"""


def test_writers_of_all_workers_take_turns(site):
    server = site(COUNTING, workers=2)
    ask(server, "/make")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(
            lambda i: ask(server, "/count" if i % 2 else "/plain"),
            range(200)))
    assert all("value" in a for a in answers), answers
    assert ask(server, "/a")["value"] == 200


# ---- cursors ---------------------------------------------------------------

CURSORS = """
run("/make", function()
  db:exec "create table t (a integer)"
  return db:exec [[insert into t with recursive
    n(i) as (select 1 union all select i + 1 from n where i < 1000)
    select i from n]]
end)
run("/sum", function()
  local sum, n = 0, 0
  for row in db:rows "select a from t" do sum, n = sum + row.a, n + 1 end
  return { sum = sum, n = n }
end)
run("/break", function()
  for row in db:rows "select a from t" do return row.a end
end)
run("/close", function()
  local next_row, cursor = db:rows "select a from t"
  local a = next_row(cursor).a
  cursor:close()
  return { a = a, after = tostring(next_row(cursor)), idle = db:stats().idle }
end)
run("/in", function()
  return db:transaction(function(tx)
    for row in tx:rows "select a from t" do
      local value, err = tx:value "select 1"
      return { a = row.a, value = tostring(value), err = err.code }
    end
  end)
end)
run("/wrong", function()
  local ok, err = pcall(function() for _ in db:rows "selec" do end end)
  return { ok = ok, code = err.code }
end)
run("/few", function()
  local n = 0
  for _ in db:rows "select 1 where 0" do n = n + 1 end
  return n
end)
"""


def test_cursors(site):
    server = site(CURSORS, "connections = 2, queue_timeout = '500ms'")
    assert ask(server, "/make")["value"] == 1000
    for _ in range(5):
        assert ask(server, "/break")["value"] == 1, "it gives its link back"
    assert ask(server, "/sum")["value"] == {"sum": 500500, "n": 1000}
    closed = ask(server, "/close")["value"]
    assert closed["a"] == 1 and closed["after"] == "nil"
    assert ask(server, "/in")["value"] == {
        "a": 1, "value": "nil", "err": "busy"}
    assert ask(server, "/wrong")["value"] == {"ok": False, "code": "syntax"}
    assert ask(server, "/few")["value"] == 0
    assert ask(server, "/sum")["value"]["n"] == 1000


# ---- time ------------------------------------------------------------------

ENDLESS = """[[with recursive n(i) as (select 1 union all select i + 1 from n)
  select count(*) from n]]"""
SLOW = """
local endless = %s
run("/slow", function() return db:value(endless) end)
run("/quick", function() return db:value "select 1" end)
run("/stats", function() return db:stats() end)
run("/timeout", function()
  local value, err = pl.timeout(0.2, function() return db:value(endless) end)
  return { value = tostring(value), err = err and err.code }
end)
""" % ENDLESS


def test_a_query_ends_when_its_time_is_over(site):
    server = site(SLOW, "timeout = '300ms'", workers=1)
    answer = ask(server, "/slow")
    assert answer["code"] == "timeout"
    assert ask(server, "/quick")["value"] == 1
    assert ask(server, "/stats")["value"]["timeouts"] == 1


def test_a_query_ends_with_its_client(site):
    server = site(SLOW, "connections = 1", workers=1)
    for _ in range(3):
        wire = server.connect()
        wire.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.reset()
    assert ask(server, "/timeout")["value"]["err"] == "timeout"
    assert ask(server, "/quick")["value"] == 1


def test_long_statements_do_not_hold_the_worker(site):
    server = site(SLOW, "timeout = '2s'", workers=1)
    began = threading.Event()
    answers = []

    def slow():
        began.set()
        answers.append(ask(server, "/slow"))

    thread = threading.Thread(target=slow)
    thread.start()
    began.wait()
    for _ in range(20):
        assert ask(server, "/quick")["value"] == 1
    assert not answers, "it goes on meanwhile"
    thread.join()
    assert answers[0]["code"] == "timeout"


CROWDED = """
local endless = %s
local crowd = pl.sql.open("sqlite:site.db", { connections = 40,
  timeout = "2s" })
local ends = 0
run("/crowd", function()
  local next_row, cursor = db:rows [[with recursive n(i) as
    (select 1 union all select i + 1 from n where i < 1000) select i from n]]
  for _ = 1, 100 do next_row(cursor) end
  for _ = 1, 40 do
    pl.spawn(function() crowd:value(endless) ends = ends + 1 end)
  end
  while crowd:stats().offloaded < 80 do pl.sleep(0.001) end
  local ok, err = pcall(next_row, cursor) -- no thread is free for it
  while ends < 40 do pl.sleep(0.01) end
  local wrong = 0
  for i = 1, 100 do
    if db:value("select ? + 0", i) ~= i then wrong = wrong + 1 end
    if not db:script "select 1" then wrong = wrong + 1 end
  end
  return { ok = ok, code = not ok and err.code, wrong = wrong }
end)
""" % ENDLESS


def test_bug_a_cursor_that_ends_in_the_queue_of_threads(site):
    """Its statement stayed, and was run instead of the next one's."""
    server = site(CROWDED, "connections = 1, timeout = '300ms'", workers=1)
    answer = ask(server, "/crowd")["value"]
    assert answer == {"ok": False, "code": "timeout", "wrong": 0}


POOL = """
local hold = 0
run("/hold", function()
  return db:transaction(function(tx)
    hold = hold + 1
    while hold > 0 do pl.sleep(0.005) end
    return tx:value "select 1"
  end)
end)
run("/holders", function() return hold end)
run("/release", function() hold = 0 return true end)
run("/quick", function() return db:value "select 1" end)
"""


def test_an_exhausted_pool_says_so(site):
    server = site(POOL, "connections = 1, queue_timeout = '50ms'", workers=1)
    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(ask, server, "/hold")
        while ask(server, "/holders")["value"] == 0:
            pass
        answer = ask(server, "/quick")
        assert answer["code"] == "busy" and "in use" in answer["text"]
        ask(server, "/release")
        assert holder.result()["value"] == 1
    assert ask(server, "/quick")["value"] == 1


MANY = """
local function hundred(first)
  local jobs = {}
  for i = 1, 100 do
    jobs[i] = function() return db:value("select ?", first + i) end
  end
  local sum = 0
  for _, value in ipairs { pl.all(jobs) } do sum = sum + value end
  return sum
end
run("/many", function()
  local jobs = {}
  for i = 1, 100 do
    jobs[i] = function() return hundred(i * 100 - 100) end
  end
  local sum = 0
  for _, value in ipairs { pl.all(jobs) } do sum = sum + value end
  return sum
end)
"""


@pytest.mark.parametrize("offload", ["", "offload = true, "])
def test_ten_thousand_queries_through_ten_connections(site, offload):
    server = site(MANY, offload + "connections = 10, queue = 20000,"
                  "queue_timeout = false", workers=1)
    assert ask(server, "/many")["value"] == 10000 * 10001 // 2


COLD = """
run("/one", function() return db:value "select 1" end)
run("/all", function()
  local sum = 0
  for i = 97, 19400, 97 do
    sum = sum + db:value("select length(x) from t where id = ?", i)
  end
  return sum
end)
run("/stats", function() return db:stats() end)
"""


def forget_file(path):
    """The kernel keeps nothing of it in memory, if it can do without."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def test_what_is_not_in_memory_is_read_by_another_thread(site, tmp_path):
    path = tmp_path / "site.db"
    with sqlite3.connect(path) as db:
        db.execute("create table t (id integer primary key, x text)")
        db.executemany("insert into t values (?, ?)",
                       [(i, "x" * 400) for i in range(1, 20001)])
    forget_file(path)
    server = site(COLD, "connections = 1", workers=1)
    ask(server, "/one")
    forget_file(path)
    before = ask(server, "/stats")["value"]["offloaded"]
    assert ask(server, "/all")["value"] == 200 * 400
    cold = ask(server, "/stats")["value"]["offloaded"]
    if cold - before < 100:
        pytest.skip("this file system keeps files in memory")
    assert ask(server, "/all")["value"] == 200 * 400
    after = ask(server, "/stats")["value"]["offloaded"]
    assert after - cold < 20, "by now it is in memory"


# ---- reloads, and the program without a server ------------------------------

RELOADED = """
local memory = pl.sql.open "sqlite::memory:"
run("/add", function()
  memory:exec "create table if not exists t (a)"
  memory:exec "insert into t values (1)"
  return memory:value "select count(*) from t"
end)
run("/reload", function() return (pl.reload()) end)
"""


def test_a_reload_keeps_the_connections(site):
    server = site(RELOADED, workers=1)
    assert ask(server, "/add")["value"] == 1
    assert ask(server, "/reload")["value"] is True
    assert ask(server, "/add")["value"] == 2, "the same database in memory"


def test_a_pragma_does_not_outlive_its_call(site):
    server = site("""
run("/off", function() return db:exec "pragma foreign_keys = off" end)
run("/get", function() return db:value "pragma foreign_keys" end)
""", "connections = 1", workers=1)
    ask(server, "/off")
    assert ask(server, "/get")["value"] == 1


def test_setup_is_run_on_each_connection(site):
    server = site("""
run("/get", function() return db:value "pragma cache_size" end)
""", "setup = 'pragma cache_size = -12345'", workers=1)
    assert ask(server, "/get")["value"] == -12345


def test_slow_queries_are_logged(site):
    server = site("""
run("/slow", function()
  return db:value([[with recursive n(i) as
    (select 1 union all select i + 1 from n where i < ?)
    select count(*) from n]], 3000000)
end)
""", "slow = '1ms', name = 'main'", workers=1)
    assert ask(server, "/slow")["value"] == 3000000
    server.wait_log(r"warn sql: main: slow: with recursive .* ms=\d+ rows=1")
    assert "3000000" not in server.log(), "values are nobody's business"
