"""perilune migrate, db:migrate: numbered files of SQL, each run once."""

import sqlite3
import subprocess

import pytest

from harness.postgres import Postgres
from harness.server import environment, program

SITE = """
local pl = require "perilune"
local db = pl.sql.open("%s", { migrations = "migrations", name = "main" })
pl.get("/posts", function() return db:query "select * from post" end)
pl.get("/again", function()
  local names, err = db:migrate()
  return names and { names = names } or { err = err.message, code = err.code }
end)
"""
FIRST = "create table post (id integer primary key, title text not null);\n"
SECOND = """-- the first posts
insert into post (id, title) values (1, 'hello; world');
insert into post (id, title) values (2, 'second');
"""
FILES = {
    "migrations/001_posts.sql": FIRST,
    "migrations/002_hello.sql": SECOND,
    "migrations/README": "what is no file of SQL is left alone",
}


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def site(request):
    """The text of a site with an empty database."""
    if request.param == "sqlite":
        return SITE % "sqlite:site.db"
    server = request.getfixturevalue("postgres")
    server.sql("drop schema public cascade; create schema public")
    return SITE % server.url()


def migrate(command, site: str, files: dict):
    return command("migrate", "site.lua", files={"site.lua": site, **files})


def test_each_file_is_run_once(command, site, serve):
    done = migrate(command, site, FILES)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "main: 001_posts.sql\nmain: 002_hello.sql\n"
    done = migrate(command, site, {})
    assert (done.returncode, done.stdout) == (0, "nothing to do\n")
    done = migrate(command, site, {
        "migrations/10_more.sql": "insert into post values (3, 'third');"})
    assert done.stdout == "main: 10_more.sql\n"
    server = serve(site)
    assert [p["title"] for p in server.get("/posts").json()] == [
        "hello; world", "second", "third"]
    assert server.get("/again").json() == {"names": []}


def test_a_file_that_fails_leaves_nothing_behind(command, site):
    files = {**FILES, "migrations/003_wrong.sql":
             "insert into post values (9, 'x');\ncreate tabel x (a integer);"}
    done = migrate(command, site, files)
    assert done.returncode == 1
    assert done.stdout == "main: 001_posts.sql\nmain: 002_hello.sql\n"
    assert "003_wrong.sql: " in done.stderr and "tabel" in done.stderr
    files["migrations/003_wrong.sql"] = "insert into post values (9, 'x');"
    done = migrate(command, site, files)
    assert done.stdout == "main: 003_wrong.sql\n", "9 was not there"


@pytest.mark.parametrize("change, words", [
    ({"migrations/001_posts.sql": FIRST + "-- changed\n"},
     "001_posts.sql has been changed since it was run"),
    ({"migrations/1_other.sql": FIRST}, "have the same number"),
    ({"migrations/other.sql": FIRST}, "other.sql has no number"),
    ({"migrations/004_end.sql": "commit;"},
     "004_end.sql ends the transaction that it is run in"),
])
def test_what_is_wrong_with_a_folder(command, site, change, words):
    assert migrate(command, site, FILES).returncode == 0
    done = migrate(command, site, change)
    assert done.returncode == 1 and words in done.stderr, done


def test_a_file_that_has_gone(command, site, tmp_path):
    assert migrate(command, site, FILES).returncode == 0
    (tmp_path / "migrations/001_posts.sql").unlink()
    done = migrate(command, site, {})
    assert done.returncode == 1
    assert "001_posts.sql was run, and is not there any more" in done.stderr


def test_what_no_transaction_can_hold(command, tmp_path):
    files = {**FILES, "migrations/003_vacuum.sql": "-- no transaction\nvacuum;"}
    done = migrate(command, SITE % "sqlite:site.db", files)
    assert done.stdout.endswith("main: 003_vacuum.sql\n"), done


def test_two_at_the_same_time(site, tmp_path, command):
    many = {f"migrations/{i:03}.sql":
            f"create table t{i} (a integer); insert into t{i} values ({i});"
            for i in range(1, 21)}
    command("--version", files={"site.lua": site, **many})
    both = [subprocess.Popen([program(), "migrate", "site.lua"], cwd=tmp_path,
                             env=environment(), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
            for _ in range(2)]
    outs = [p.communicate() for p in both]
    assert [p.returncode for p in both] == [0, 0], outs
    lines = "".join(out for out, _ in outs).replace("nothing to do\n", "")
    assert sorted(lines.split("\n")[:-1]) == sorted(
        f"main: {i:03}.sql" for i in range(1, 21)), "each by one of them"


def test_a_site_without_migrations(command):
    done = command("migrate", "site.lua",
                   files={"site.lua": 'require "perilune".get("/", print)'})
    assert (done.returncode, done.stdout) == (0, "nothing to do\n")


def test_what_was_run_is_in_a_table(command, tmp_path):
    migrate(command, SITE % "sqlite:site.db", FILES)
    with sqlite3.connect(tmp_path / "site.db") as db:
        rows = db.execute("select version, name from perilune_migrations "
                          "order by version").fetchall()
    assert rows == [(1, "001_posts.sql"), (2, "002_hello.sql")]
