"""pl.sql with PostgreSQL: a private server, which is also killed in between."""

import threading
from concurrent.futures import ThreadPoolExecutor
from signal import SIGQUIT

import pytest

from harness.postgres import Postgres
from harness.wait import wait_for

OPEN = """
local pl = require "perilune"
local db = pl.sql.open("%s", { %s })
local function run(path, fn)
  pl.get(path, function(req)
    local value, err = fn(req)
    if value == nil and err then
      return 500, { code = err.code, state = err.state, text = err.message }
    end
    return { value = value }
  end)
end
run("/one", function() return db:value "select 1" end)
run("/stats", function() return db:stats() end)
"""


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def site(serve, postgres):
    """site(code, options): a site with `db` and run(path, fn), on a server
    whose tables of before have gone."""
    postgres.sql("drop schema public cascade; create schema public; "
                 "grant all on schema public to public")

    def start(code: str = "", options: str = "", url: str = "", **how):
        how = {"workers": 1, **how}
        return serve(OPEN % (url or postgres.url(), options) + code, **how)

    return start


def ask(server, path: str):
    answer = server.get(path)
    assert answer.status in (200, 500), answer
    return answer.json()


FORMS = """
run("/make", function()
  return db:script [[
    create table person (id serial primary key, name text, age int);
    insert into person (name, age) values ('ann', 31), ('bob', null);
  ]]
end)
run("/query", function() return db:query "select * from person order by id" end)
run("/none", function()
  return db:query("select * from person where id = ?", 99)
end)
run("/first", function()
  return db:first("select name from person where id = ?", 2)
end)
run("/insert", function()
  return db:value("insert into person (name) values (?) returning id", "eve")
end)
run("/update", function() return (db:exec "update person set age = 1") end)
run("/twice", function()
  local sum = 0
  for i = 1, 50 do sum = sum + db:value("select ?::int + ?", i, 1) end
  return sum
end)
run("/prepared", function()
  return db:value "select count(*) from pg_prepared_statements"
end)
"""


def test_forms_of_queries(site):
    server = site(FORMS)
    assert ask(server, "/make") == {"value": True}
    assert ask(server, "/query")["value"] == [
        {"id": 1, "name": "ann", "age": 31}, {"id": 2, "name": "bob"}]
    assert server.get("/none").body == b'{"value":[]}'
    assert ask(server, "/first")["value"] == {"name": "bob"}
    assert ask(server, "/insert")["value"] == 3
    assert ask(server, "/update")["value"] == 3
    assert ask(server, "/twice")["value"] == 1325


def test_by_a_unix_socket(site, postgres):
    server = site(url=postgres.socket_url())
    assert ask(server, "/one")["value"] == 1


def test_statements_are_prepared_once(site):
    server = site(FORMS + """
run("/many", function()
  for i = 1, 20 do assert(db:value("select " .. i) == i) end
  return true
end)
""", "connections = 1, statements = 3")
    ask(server, "/twice")
    assert ask(server, "/prepared")["value"] == 2, "that one, and itself"
    assert ask(server, "/many")["value"] is True
    assert ask(server, "/prepared")["value"] <= 3, "the others were forgotten"


def test_without_prepared_statements(site):
    """As a proxy in transaction mode needs it."""
    server = site(FORMS, "connections = 1, statements = 0")
    assert ask(server, "/twice")["value"] == 1325
    assert ask(server, "/prepared")["value"] == 0


VALUES = r"""
run("/types", function()
  local row = db:first [[select 1::int2 as i2, 2147483648::int8 as i8,
    9007199254740993::int8 as big, 1.5::float8 as r, 'NaN'::float8 as nan,
    true as yes, false as no, 12345678901234567890.123::numeric as dec,
    '\x00ff41'::bytea as b, '2026-11-23'::date as d, null as n,
    '{"a": 1}'::jsonb as j]]
  row.n, row.nan, row.b = tostring(row.n), tostring(row.nan),
    #row.b .. row.b:sub(3)
  row.big = tostring(row.big)
  return row
end)
run("/there-and-back", function()
  local row = db:first([[select ?::int as i, ?::float8 as r, ?::bool as t,
    ?::text as s, ?::bytea as b, ?::numeric as d, ?::text as n,
    ?::bigint as big]], 7, 0.1, true, "it's \"ü\"", pl.sql.blob "\0\255'",
    "0.10", nil, "9007199254740993")
  return { i = row.i, r = row.r, t = row.t, s = row.s, b = #row.b, d = row.d,
    n = tostring(row.n), big = tostring(row.big) }
end)
run("/nul", function() return db:value("select ?::text", "a\0b") end)
run("/utf8", function() return db:value("select ?::text", "\255") end)
run("/huge", function() return db:value("select ?::int", 3000000000) end)
run("/marks", function()
  return db:value([[select '?' || ? || (case when '{"a":1}'::jsonb ?? 'a'
    then 'y' else 'n' end)]], "x")
end)
"""


def test_values(site):
    server = site(VALUES)
    assert ask(server, "/types")["value"] == {
        "i2": 1, "i8": 2147483648, "big": "9007199254740993", "r": 1.5,
        "nan": "nan", "yes": True, "no": False,
        "dec": "12345678901234567890.123", "b": "3A", "d": "2026-11-23",
        "n": "nil", "j": '{"a": 1}'}
    assert ask(server, "/there-and-back")["value"] == {
        "i": 7, "r": 0.1, "t": True, "s": 'it\'s "ü"', "b": 3, "d": "0.10",
        "n": "nil", "big": "9007199254740993"}
    assert ask(server, "/nul")["code"] == "invalid"
    assert ask(server, "/utf8")["code"] == "invalid"
    assert ask(server, "/huge")["code"] == "invalid"
    assert ask(server, "/marks")["value"] == "?xy"


FAULTS = """
run("/make", function()
  return db:script [[
    create table p (id int primary key);
    create table t (a text unique not null check (a <> 'no'),
                    p int references p (id));
    insert into t values ('x', null);
  ]]
end)
run("/unique", function()
  return db:exec("insert into t values (?, null)", "x")
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
run("/zero", function() return db:query("select 1 / ?", 0) end)
run("/few", function() return db:query("select ?, ?", 1) end)
run("/two", function() return db:query("select 1; select 2") end)
run("/copy", function() return db:query("copy t to stdout") end)
run("/large", function()
  return db:query [[
    select i, repeat('x', 1000) from generate_series(1, 100000) i]]
end)
"""


def test_errors_have_codes(site):
    server = site(FAULTS, "max_result = '1m', connections = 1")
    ask(server, "/make")
    for path, code, state in [("/unique", "exists", "23505"),
                              ("/notnull", "invalid", "23502"),
                              ("/check", "invalid", "23514"),
                              ("/foreign", "invalid", "23503"),
                              ("/syntax", "syntax", "42601"),
                              ("/table", "syntax", "42P01"),
                              ("/zero", "invalid", "22012"),
                              ("/two", "syntax", "42601"),
                              ("/copy", "unsupported", "0A000"),
                              ("/large", "limit", "54000")]:
        for _ in range(2):
            answer = ask(server, path)
            assert answer["code"] == code, (path, answer)
            assert answer["state"] == state, (path, answer)
        assert ask(server, "/one")["value"] == 1, path
    assert server.get("/few").status == 500
    server.wait_log(r"site.lua:\d+: db:query: the statement has 2 placeholders")


def test_a_table_may_change_under_a_prepared_statement(site, postgres):
    server = site("""
run("/all", function() return db:query "select * from t" end)
""", "connections = 1")
    postgres.sql("create table t (a int); insert into t values (1)")
    assert ask(server, "/all")["value"] == [{"a": 1}]
    postgres.sql("alter table t add b int default 2")
    assert ask(server, "/all")["value"] == [{"a": 1, "b": 2}]


# ---- connecting ------------------------------------------------------------


def test_a_wrong_password(site, postgres):
    postgres.sql("drop role if exists secret; "
                 "create role secret login password 'right'")
    server = site(url=postgres.url("secret:right"))
    assert ask(server, "/one")["value"] == 1
    wrong = site(url=postgres.url("secret:wrong"))
    answer = ask(wrong, "/one")
    assert answer["code"] == "denied" and answer["state"] == "28P01"
    assert answer["text"].startswith(
        "db:value: password authentication failed"), answer
    assert ":wrong" not in wrong.log(), "the log has no passwords"


@pytest.mark.parametrize("url, code", [
    ("postgres://perilune@127.0.0.1:1/x", "refused"),
    ("postgres://perilune@no-such-host.invalid/x", "not_found"),
    ("postgres://perilune@/x?host=/no/such/folder", "refused"),
])
def test_who_does_not_answer(site, url, code):
    server = site(url=url)
    for _ in range(3):
        answer = ask(server, "/one")
        assert answer["code"] == code, answer


def test_no_such_database(site, postgres):
    server = site(url=postgres.url(name="nowhere"))
    answer = ask(server, "/one")
    assert answer["code"] == "not_found" and answer["state"] == "3D000"


# ---- transactions ----------------------------------------------------------

COUNTING = """
run("/make", function()
  return db:script "create table t (a int); insert into t values (0)"
end)
run("/count", function()
  return db:transaction({ isolation = "serializable", retries = 100 },
    function(tx)
      local a = tx:value "select a from t"
      return tx:exec("update t set a = ?", a + 1)
    end)
end)
run("/nested", function()
  return db:transaction(function(tx)
    tx:exec "update t set a = 10"
    local value, err = tx:transaction(function(inner)
      inner:exec "update t set a = 20"
      return inner:exec "insert into nowhere values (1)"
    end)
    return { err = err.code, a = tx:value "select a from t" }
  end)
end)
run("/raise", function()
  pcall(db.transaction, db, function(tx)
    tx:exec "update t set a = 100"
    error "no"
  end)
  return db:value "select a from t"
end)
run("/hand", function()
  db:exec "begin"
  return (db:exec "create table half (a int)")
end)
run("/set", function() return (db:exec "set time zone 'Asia/Tokyo'") end)
run("/zone", function() return db:value "show time zone" end)
run("/read_only", function()
  return db:transaction({ read_only = true }, function(tx)
    return tx:exec "update t set a = 1"
  end)
end)
run("/a", function() return db:value "select a from t" end)
run("/swallow", function()
  return db:transaction(function(tx)
    tx:exec "update t set a = 1000"
    tx:exec "insert into nowhere values (1)"
    return true
  end)
end)
run("/by-hand", function()
  return db:transaction(function(tx)
    tx:exec "rollback"
    return tx:exec "update t set a = 1000"
  end)
end)
"""


def test_conflicts_are_tried_again(site):
    server = site(COUNTING, "connections = 8")
    ask(server, "/make")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(server, "/count"), range(100)))
    assert all(a.get("value") == 1 for a in answers), answers
    assert ask(server, "/a")["value"] == 100


def test_transactions(site, postgres):
    server = site(COUNTING, "connections = 1, setup = \"set time zone 'UTC'\"")
    ask(server, "/make")
    assert ask(server, "/nested")["value"] == {"err": "syntax", "a": 10}
    assert ask(server, "/raise")["value"] == 10
    assert ask(server, "/read_only")["code"] == "denied"
    swallowed = ask(server, "/swallow")
    assert (swallowed["code"], swallowed["state"]) == ("state", "25P02")
    assert ask(server, "/by-hand")["code"] == "state"
    ask(server, "/hand")
    assert ask(server, "/a")["value"] == 10
    assert postgres.sql("select to_regclass('half') is null") in ("t", "f")
    assert postgres.sql("select count(*) from pg_stat_activity "
                        "where state like 'idle in%'") == "0"
    ask(server, "/set")
    assert ask(server, "/zone")["value"] == "UTC", "as it was set up"


CURSORS = """
run("/sum", function()
  local sum, n = 0, 0
  for row in db:rows("select * from generate_series(1, ?::int) i", 1050) do
    sum, n = sum + row.i, n + 1
  end
  return { sum = sum, n = n }
end)
run("/break", function()
  for row in db:rows "select * from generate_series(1, 10000000) i" do
    return row.i
  end
end)
run("/in", function()
  return db:transaction(function(tx)
    for row in tx:rows "select * from generate_series(1, 10000) i" do
      local value, err = tx:value "select 1"
      return { i = row.i, value = tostring(value), err = err.code }
    end
  end)
end)
"""


def test_cursors(site):
    server = site(CURSORS, "connections = 1")
    for _ in range(3):
        assert ask(server, "/sum")["value"] == {"sum": 551775, "n": 1050}
        assert ask(server, "/break")["value"] == 1
        assert ask(server, "/in")["value"] == {
            "i": 1, "value": "nil", "err": "busy"}
    assert ask(server, "/stats")["value"]["connects"] == 1, "the same one"


# ---- time, and the end of servers ------------------------------------------

SLEEPING = """
run("/sleep", function() return tostring(db:value "select pg_sleep(60)") end)
run("/timeout", function()
  local value, err = db:value "select pg_sleep(60)"
  return { value = tostring(value), err = err and err.code }
end)
"""


def sleepers(postgres) -> str:
    return postgres.sql("select count(*) from pg_stat_activity where "
                        "query like 'select pg_sleep%' and state = 'active'")


def test_what_takes_too_long_is_cancelled_in_the_server(site, postgres):
    server = site(SLEEPING, "connections = 1, timeout = '300ms'")
    assert ask(server, "/timeout")["value"]["err"] == "timeout"
    assert ask(server, "/one")["value"] == 1
    assert sleepers(postgres) == "0"
    assert ask(server, "/stats")["value"]["connects"] == 1, "the same one"


def test_who_leaves_takes_the_query_along(site, postgres):
    server = site(SLEEPING, "connections = 2")
    wire = server.connect()
    wire.send(b"GET /sleep HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: sleepers(postgres) == "1", "it sleeps")
    wire.reset()
    wait_for(lambda: sleepers(postgres) == "0", "it is cancelled")
    assert ask(server, "/one")["value"] == 1


def test_a_server_that_dies_and_comes_back(site, postgres):
    server = site(SLEEPING, "connections = 3, timeout = '50s'")
    assert ask(server, "/one")["value"] == 1
    answers = []
    threads = [threading.Thread(
        target=lambda: answers.append(ask(server, "/timeout")))
        for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: sleepers(postgres) == "2", "both sleep")
    postgres.stop(SIGQUIT)
    for thread in threads:
        thread.join()
    assert [a["value"]["err"] for a in answers] == ["closed", "closed"]
    assert ask(server, "/one")["code"] in ("refused", "closed")
    postgres.start()
    wait_for(lambda: ask(server, "/one").get("value") == 1, "it is back")


def test_an_idle_connection_that_is_closed_is_noticed(site, postgres):
    server = site(options="connections = 2")
    for _ in range(5):
        assert ask(server, "/one")["value"] == 1
        postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity "
                     "where application_name = 'perilune'")
        wait_for(lambda: ask(server, "/stats")["value"]["idle"] == 0,
                 "it is noticed")
    assert ask(server, "/stats")["value"]["failed"] == 0


def test_many_queries_through_few_connections(site):
    server = site("""
run("/many", function()
  local jobs = {}
  for i = 1, 1000 do
    jobs[i] = function() return db:value("select ?::int", i) end
  end
  local sum = 0
  for _, value in ipairs { pl.all(jobs) } do sum = sum + value end
  return sum
end)
""", "connections = 10, queue_timeout = false")
    assert ask(server, "/many")["value"] == 500500
    assert ask(server, "/stats")["value"]["connects"] <= 10
