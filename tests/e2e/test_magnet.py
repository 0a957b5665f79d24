"""pl.magnet and perilune --dialect magnet: scripts of magnet's, unchanged."""

import os
import re
import threading
from pathlib import Path

import pytest

from harness.fcgi import Front, params_of, request
from harness.wait import wait_for

SITE = """local pl = require "perilune"
pl.magnet("/", { root = "scripts" })
"""
HEAD = 'print("Content-Type: text/plain\\r\\n\\r\\n")\n'

# The scripts of the acceptance list, as their users have them.
TOTALS = """x = (x or 0) + 1
_G.total = (_G.total or 0) + 1
print("Content-Type: text/plain\\r\\n\\r\\n")
print("x=" .. x .. " total=" .. _G.total .. "\\n")
"""
CACHE = """print("Content-Type: text/plain\\r\\n\\r\\n")
for path, entry in pairs(magnet.cache) do
  print(path:match("[^/]+$") .. " " .. entry.hits .. " " .. type(entry.mtime) \
.. " " .. type(entry.script) .. "\\n")
end
"""
TABLE = """header = { ["Content-Type"] = "text/html", ["Status"] = "200" }
function send(text)
  header["Content-Length"] = string.len(text)
  local out = ""
  for name, value in pairs(header) do \
out = out .. name .. ": " .. value .. "\\r\\n" end
  print(out .. "\\r\\n" .. text)
end
send(SAY)
"""


def scripts(serve, files, site=SITE, *args, **more):
    named = {f"scripts/{name}": text for name, text in files.items()}
    return serve(site, *args, files=named, workers=1, **more)


def run(serve, text, target="/x.lua", **more):
    return scripts(serve, {"x.lua": text}, **more).get(target)


# ---- as magnet has it ----


def test_globals_vanish_and_those_of_G_stay(serve):
    server = scripts(serve, {
        "a.lua": TOTALS,
        "b.lua": HEAD + "print(tostring(total) .. tostring(x))",
    })
    for n in 1, 2, 3:
        response = server.get("/a.lua")
        assert response.status == 200
        assert response.header("content-type") == "text/plain"
        assert response.body == f"x=1 total={n}\n".encode()
    assert server.get("/b.lua").body == b"3nil"


def test_cache_is_shown_and_follows_mtimes(serve):
    server = scripts(serve, {"cache.lua": CACHE})
    path = server.folder / "scripts/cache.lua"
    for step in 0, 100, -200:
        stat = path.stat()
        os.utime(path, (stat.st_atime, stat.st_mtime + step))
        for hits in 0, 1, 2:
            assert (
                server.get("/cache.lua").text
                == f"cache.lua {hits} number function\n"
            )


def test_header_table(serve):
    server = scripts(serve, {
        "a.lua": TABLE.replace("SAY", '"123"'),
        "q.lua": TABLE.replace("SAY", 'os.getenv("QUERY_STRING")'),
    })
    response = server.get("/a.lua")
    assert response.status == 200 and response.body == b"123"
    assert response.header("content-type") == "text/html"
    assert response.header("content-length") == "3"
    assert server.get("/q.lua?a=1&b=%20").body == b"a=1&b=%20"


def test_error_keeps_what_was_printed(serve):
    server = scripts(serve, {
        "fail.lua": 'print("Content-Type: text/plain\\r\\n\\r\\nbefore") '
        'error("x")',
        "good.lua": HEAD + 'print("good")',
    })
    response = server.get("/fail.lua")
    assert response.body == b"before"
    assert response.header("content-type") == "text/plain"
    assert response.status == 500  # nobody is to take it for the whole
    server.wait_log(r"GET /fail.lua .*scripts/fail.lua:1: x")
    assert server.get("/good.lua").body == b"good"


def test_missing_script_has_no_body(serve):
    server = scripts(serve, {"a.lua": HEAD})
    response = server.get("/none.lua")
    assert response.status == 404 and response.body == b""


# ---- what a script prints ----


def test_print_adds_nothing_and_takes_all_values(serve):
    body = run(serve, HEAD + 'print("a", 1, nil, true, 2.5, "") print() '
               'print("b\\0c")').body
    assert body == b"a1niltrue2.5b\0c"


@pytest.mark.parametrize(
    "head, status, fields",
    [
        ("Status: 404 Not Found\r\n\r\n", 404, {}),
        ("status:201\nX-A: b\n\n", 201, {"x-a": "b"}),
        ("Location: /new\r\n\r\n", 302, {"location": "/new"}),
        ("Location: /new\r\nStatus: 301\r\n\r\n", 301, {"location": "/new"}),
        ("X-A: a\r\nX-A: b\r\n\r\n", 200, {"x-a": "a, b"}),
        ("Connection: close\r\nTransfer-Encoding: chunked\r\n"
         "Content-Length: 99\r\nX-A:  b \r\n\r\n", 200, {"x-a": "b"}),
        ("Last-Modified: yesterday\r\n\r\n", 200, {"last-modified": None}),
    ],
)
def test_head(serve, head, status, fields):
    text = head.encode("unicode_escape").decode()
    server = scripts(serve, {"x.lua": f'print("{text}body")'})
    with server.connect() as wire:
        for _ in range(2):  # the connection goes on
            response = wire.get("/x.lua")
            assert response.status == status and response.body == b"body"
            for name, value in fields.items():
                assert response.header(name) == value


def test_cookies_are_kept_apart(serve):
    response = run(serve, 'print("Set-Cookie: a=1\\nSet-Cookie: b=2\\n\\n")')
    assert response.all("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "nothing was printed"),
        ('print("hello")', "no empty line"),
        ('print("hello\\n\\n")', "does not begin with a head"),
        ('print("\\r\\n\\r\\nbody")', "does not begin with a head"),
        ('print("Status: 99\\n\\n")', "does not begin with a head"),
        ('print("Status: 2000\\n\\n")', "does not begin with a head"),
        ('print("X A: b\\n\\n")', "does not begin with a head"),
        ('print("X-A: b\\0\\n\\n")', "does not begin with a head"),
        ('print((("A: b\\n"):rep(101)) .. "\\n")', "does not begin with a"),
        ('print(("a"):rep(70000))', "no empty line"),
    ],
)
def test_print_without_a_head_is_a_fault_of_the_script(serve, text, why):
    server = scripts(serve, {"x.lua": text, "y.lua": HEAD + 'print("y")'})
    response = server.get("/x.lua")
    assert response.status == 500 and b"hello" not in response.body
    server.wait_log(r"GET /x.lua .*scripts/x.lua.*" + why)
    assert server.get("/y.lua").body == b"y"


def test_script_that_does_not_compile(serve):
    server = scripts(serve, {"x.lua": "print(\n'a' 'b'"})
    assert server.get("/x.lua").status == 500
    server.wait_log(r"GET /x.lua .*scripts/x.lua:2: ")
    (server.folder / "scripts/x.lua").write_text(HEAD + 'print("mended")')
    assert server.get("/x.lua").body == b"mended"


def test_bytecode_is_not_taken(serve):
    server = scripts(serve, {
        "make.lua": HEAD + 'print(string.dump(function() print("x") end))',
    })
    (server.folder / "scripts/x.lua").write_bytes(server.get("/make.lua").body)
    assert server.get("/x.lua").status == 500
    server.wait_log(r"x\.lua.*attempt to load")


def test_first_line_may_say_who_runs_it(serve):
    text = "\ufeff#!/usr/bin/lua\n" + HEAD
    text += "print(debug.getinfo(1).currentline)"
    assert run(serve, text).body == b"3"


@pytest.mark.parametrize("end", ["", 'error("x")'])
def test_long_output_is_streamed(serve, end):
    server = scripts(serve, {
        "x.lua": HEAD
        + "for i = 1, 40000 do print(('%099d\\n'):format(i)) end\n" + end,
    })
    with server.connect() as wire:
        wire.send(b"GET /x.lua HTTP/1.1\r\nHost: a\r\n\r\n")
        if end:
            with pytest.raises(AssertionError):
                wire.response()  # cut off: the peer notices
        else:
            response = wire.response()
            lines = response.body.splitlines()
            assert response.framing == "chunked"
            assert [int(line) for line in lines] == list(range(1, 40001))
    if end:
        server.wait_log(r"GET /x.lua .*x.lua:3: x")


def test_one_long_string_and_its_head(serve):
    text = 'print("Content-Type: text/x-long\\n\\n" ' \
        '.. ("0123456789"):rep(300000))'
    response = run(serve, text)
    assert response.header("content-type") == "text/x-long"
    assert response.body == b"0123456789" * 300000


def test_long_output_waits_for_its_reader(serve):
    server = scripts(serve, {
        "x.lua": HEAD + """_G.sent = 0
            local text = ("x"):rep(100000)
            for i = 1, 1000 do print(text) _G.sent = i end""",
        "sent.lua": HEAD + "print(_G.sent)",
    })
    with server.connect() as wire:
        wire.send(b"GET /x.lua HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: int(server.get("/sent.lua").text) > 1, "output")
        assert int(server.get("/sent.lua").text) < 1000
        assert len(wire.response().body) == 100_000_000
    assert server.get("/sent.lua").body == b"1000"


@pytest.mark.parametrize("more", ["", 'print(("x"):rep(200000))'])
def test_long_output_where_nothing_may_wait(serve, more):
    text = HEAD + """table.sort({ 1, 2, 3 }, function(a, b)
      print(("x"):rep(100000))
      return a < b
    end) """ + more
    body = run(serve, text).body
    assert len(body) >= 200000 and set(body) == {ord("x")}


def test_head_request(serve):
    server = scripts(serve, {
        "x.lua": HEAD + 'print("body")',
        "long.lua": HEAD + "for i = 1, 100 do print(('x'):rep(10000)) end",
    })
    with server.connect() as wire:
        assert wire.request("HEAD", "/x.lua").header("content-length") == "4"
        assert wire.request("HEAD", "/long.lua").status == 200
        assert wire.get("/x.lua").body == b"body"


# ---- runs beside each other ----


def test_runs_that_wait_do_not_share_globals(serve):
    server = scripts(serve, {"x.lua": HEAD + """
        mine = os.getenv("QUERY_STRING")
        _G.waiting = (_G.waiting or 0) + 1
        while _G.waiting < 5 do require "perilune".sleep(0.001) end
        print(mine, os.getenv("QUERY_STRING"))"""})
    bodies = {}

    def ask(name):
        bodies[name] = server.get(f"/x.lua?{name}").text

    threads = [threading.Thread(target=ask, args=[f"n{i}"]) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == {f"n{i}": f"n{i}n{i}" for i in range(5)}
    assert server.get("/x.lua?later").text == "laterlater"


def test_functions_in_G_see_the_run_that_made_them(serve):
    server = scripts(serve, {
        "make.lua": HEAD + """name = "first"
            _G.show = _G.show or function(text)
              print(text, name, os.getenv("QUERY_STRING"))
            end
            show("made ")""",
        "use.lua": HEAD + 'name = "second" show("used ")',
    })
    assert server.get("/make.lua?a").text == "made firsta"
    # Globals are of its own run, what is printed and asked of this one.
    assert server.get("/use.lua?b").text == "used firstb"
    assert server.get("/make.lua?c").text == "made firstc"


def test_print_outside_of_a_request_goes_to_standard_output(serve):
    server = scripts(serve, {"x.lua": HEAD + """
        require "perilune".spawn(function()
          print("from a task")
          io.stdout:flush()
        end)
        print("answer")"""})
    assert server.get("/x.lua").body == b"answer"
    server.wait_log("^from a task$")


def test_tasks_of_a_script_print_to_its_client(serve):
    assert run(serve, HEAD + """local pl = require "perilune"
        pl.all { function() pl.sleep(0) print("a") end,
          function() print("b") end }
        print("c")""").body == b"bac"


# ---- the cache ----


def test_scripts_change_the_cache(serve):
    server = scripts(serve, {
        "x.lua": HEAD + 'print("file")',
        "hits.lua": HEAD + """for path, entry in pairs(magnet.cache) do
            if path:find "x.lua$" then print(entry.hits) end end""",
        "do.lua": HEAD + """local path = os.getenv("SCRIPT_FILENAME")
            path = path:gsub("do.lua", "x.lua")
            local entry = magnet.cache[path]
            local todo = {
              drop = function() magnet.cache[path] = nil end,
              age = function() entry.mtime = 1 end,
              spoil = function() entry.script = 1 end,
              hits = function() entry.hits = "41" end,
              clear = function() magnet.cache = {} end,
              none = function() magnet.cache = nil end,
              replace = function()
                entry.script = function() print("A: b\\n\\nreplaced") end
              end,
            }
            todo[os.getenv("QUERY_STRING")]()""",
    })

    def hits():
        return server.get("/hits.lua").text

    for what in "drop", "age", "spoil", "clear", "none":
        for n in "0", "1":
            assert server.get("/x.lua").text == "file"
            assert hits() == n, what
        assert server.get(f"/do.lua?{what}").status == 200
    assert server.get("/x.lua").text == "file" and hits() == "0"
    server.get("/do.lua?hits")
    assert server.get("/x.lua").text == "file" and hits() == "42"
    server.get("/do.lua?replace")
    for _ in range(2):
        assert server.get("/x.lua").text == "replaced"
    server.get("/do.lua?drop")
    assert server.get("/x.lua").text == "file"


def test_files_that_change_and_go(serve):
    server = scripts(serve, {"x.lua": HEAD + 'print("one")'})
    path = server.folder / "scripts/x.lua"
    assert server.get("/x.lua").text == "one"
    stat = path.stat()
    path.write_text(HEAD + 'print("two")')  # as long, and as old
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert server.get("/x.lua").text == "two"
    path.unlink()
    assert server.get("/x.lua").status == 404
    path.write_text(HEAD + 'print("three")')
    assert server.get("/x.lua").text == "three"


def test_look_at_a_file_can_be_good_for_a_while(serve):
    server = scripts(serve, {"x.lua": HEAD + 'print("one")'},
                     SITE.replace("}", ', check = "1h" }'))
    path = server.folder / "scripts/x.lua"
    assert server.get("/x.lua").text == "one"
    path.write_text(HEAD + 'print("two")')
    assert server.get("/x.lua").text == "one"


def test_reload_begins_anew(serve):
    server = scripts(serve, {"a.lua": TOTALS}, supervisor=False)
    assert server.get("/a.lua").text == "x=1 total=1\n"
    assert server.get("/a.lua").text == "x=1 total=2\n"
    server.send_signal(1)
    server.wait_log("reload")
    wait_for(lambda: server.get("/a.lua").text == "x=1 total=1\n", "a reload")


# ---- requests ----


def test_variables_of_cgi(serve):
    server = scripts(serve, {"sub/x.lua": HEAD + """
        for name in os.getenv("QUERY_STRING"):gmatch "[%w_]+" do
          print(name, "=", os.getenv(name), "\\n")
        end"""}, SITE.replace('"/"', '"/app"'), env={"FROM_OUTSIDE": "yes"})
    names = ["GATEWAY_INTERFACE", "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO",
             "SCRIPT_FILENAME", "DOCUMENT_ROOT", "REQUEST_URI", "REMOTE_ADDR",
             "SERVER_PROTOCOL", "SERVER_NAME", "SERVER_PORT", "CONTENT_TYPE",
             "CONTENT_LENGTH", "HTTP_X_A_B", "HTTP_COOKIE", "HTTP_PROXY",
             "HTTP_X_NONE", "HTTPS", "FROM_OUTSIDE", "NOWHERE"]
    target = "/app/sub/x.lua/more/%20x?" + "+".join(names)
    response = server.request(
        "POST", target, {"Content-Type": "a/b", "X-a-B": "c", "Cookie": "d=e",
                         "Proxy": "evil"}, b"body")
    found = dict(line.split("=", 1) for line in response.text.splitlines())
    root = str(server.folder / "scripts")
    assert found == {
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/app/sub/x.lua", "PATH_INFO": "/more/ x",
        "SCRIPT_FILENAME": f"{root}/sub/x.lua", "DOCUMENT_ROOT": root,
        "REQUEST_URI": target, "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "localhost",
        "SERVER_PORT": str(server.port), "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "4", "HTTP_X_A_B": "c", "HTTP_COOKIE": "d=e",
        "HTTP_PROXY": "nil", "HTTP_X_NONE": "nil", "HTTPS": "nil",
        "FROM_OUTSIDE": "yes", "NOWHERE": "nil",
    }


def test_modules_see_the_variables(serve):
    server = scripts(serve, {
        "lib.lua": 'return { ask = function() return os.getenv("QUERY_STRING") '
        "end }",
        "x.lua": HEAD + """package.path = os.getenv("DOCUMENT_ROOT")
            .. "/?.lua;" .. package.path
            print(require "lib".ask())""",
    })
    assert server.get("/x.lua?one").body == b"one"
    assert server.get("/x.lua?two").body == b"two"


def test_request_and_response_of_perilune(serve):
    server = scripts(serve, {
        "form.lua": HEAD + "print(magnet.request():form().name)",
        "send.lua": 'magnet.response():header("x-a", "b") '
        'magnet.response():send("sent")',
        "both.lua": 'magnet.response():header("x-a", "b") ' + HEAD
        + 'print("printed")',
        "status.lua": "magnet.response():status(204)",
    })
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.request("POST", "/form.lua", form, b"name=a+b").text == "a b"
    response = server.get("/send.lua")
    assert (response.text, response.header("x-a")) == ("sent", "b")
    response = server.get("/both.lua")
    assert (response.text, response.header("x-a")) == ("printed", "b")
    assert server.get("/status.lua").status == 204


def test_paths(serve):
    files = {
        "index.lua": HEAD + 'print("top")',
        "a/index.lua": HEAD + 'print("a")',
        "b/index.html": "<p>b",
        "c/x.txt": "text",
        "c/old.lua~": "secret", "c/old.lua.orig": "secret",
        "c/.htaccess": "secret", ".git/config": "secret",
        ".x.lua": HEAD + 'print("secret")',
        "d.lua/index.html": "in a folder",
    }
    server = scripts(serve, files, SITE.replace("}", ", files = true }"))
    (server.folder / "scripts/out.lua").symlink_to("/etc/passwd")
    for target, status, body in [
        ("/", 200, "top"), ("/a/", 200, "a"), ("/b/", 200, "<p>b"),
        ("/c/x.txt", 200, "text"), ("/index.lua", 200, "top"),
        ("/c/", 404, None), ("/none", 404, None), ("/none/", 404, None),
        ("/c/old.lua~", 404, None), ("/c/old.lua.orig", 404, None),
        ("/c/.htaccess", 404, None), ("/.git/config", 404, None),
        ("/.x.lua", 404, ""), ("/out.lua", 404, ""), ("/d.lua", 404, ""),
        ("/a/../index.lua", 200, "top"), ("/%2e%2e/site.lua", 400, None),
    ]:
        response = server.get(target)
        assert response.status == status, target
        assert body is None or response.text == body, target
        assert b"secret" not in response.body
    assert server.get("/a?q").header("location") == "/a/?q"
    assert server.get("/b").header("location") == "/b/"
    response = server.request("POST", "/c/x.txt", body=b"")
    assert response.status == 405 and response.header("allow") == "GET, HEAD"


def test_only_scripts_unless_files_are_wanted(serve):
    server = scripts(serve, {"x.txt": "text", "x.lua": HEAD})
    assert server.get("/x.txt").status == 404


def test_other_suffixes(serve):
    server = scripts(serve, {"x.cgi": HEAD + 'print("cgi")', "y.lua": HEAD},
                     SITE.replace("}", ', suffixes = { ".cgi", ".l.p" } }'))
    assert server.get("/x.cgi/info").text == "cgi"
    assert server.get("/y.lua").status == 404


# ---- databases ----

DATABASE = """
local driver = require "luasql.sqlite3"
if not _G.con then
  _G["app.env"] = driver.sqlite3()
  _G.con = _G["app.env"]:connect(os.getenv("DOCUMENT_ROOT") .. "/data.db")
  _G.con:execute("create table if not exists hits (n integer)")
  _G.opened = (_G.opened or 0) + 1
end
local cache = _G["app.cache"]
if not cache or os.time() - cache.at >= 1 then
  _G.con:execute("insert into hits values (1)")
  local cursor = _G.con:execute("select count(*) from hits")
  cache = { at = os.time(), count = cursor:fetch() }
  cursor:close()
  _G["app.cache"] = cache
end
print("Content-Type: text/plain\\r\\n\\r\\n")
print(_G.opened .. " " .. cache.count .. " " .. cache.at)
"""


def test_database_stays_open_and_results_are_kept_for_a_second(serve):
    server = scripts(serve, {
        "db.lua": DATABASE,
        "there.lua": HEAD + 'print(pcall(require, "luasql.sqlite3"))',
    })
    if not server.get("/there.lua").text.startswith("true"):
        pytest.skip("lua-sql-sqlite3 is not installed")
    seen = {}

    def ask():
        opened, count, at = server.get("/db.lua").text.split()
        assert opened == "1"
        assert seen.setdefault(at, count) == count
        return len(seen) == 3

    wait_for(ask, "two seconds of results")
    counts = [int(count) for count in seen.values()]
    assert counts == sorted(set(counts)) == [1, 2, 3]


# ---- the command, and what a site may say ----


def test_command(serve, tmp_path):
    files = {"scripts/index.lua": HEAD + 'print("here")',
             "scripts/x.txt": "text", "scripts/main.lua": HEAD,
             "scripts/public_html/x.txt": "of no meaning here"}
    server = serve(tmp_path / "scripts", "--dialect", "magnet", files=files)
    assert server.get("/").text == "here"
    assert server.get("/x.txt").text == "text"
    assert server.get("/main.lua").status == 200


@pytest.mark.parametrize(
    "site, why",
    [
        ("pl.magnet()", "the prefix must be a string"),
        ('pl.magnet("/")', "option 'root' must be a string"),
        ('pl.magnet("/", { root = "none" })', "pl.magnet: .*no"),
        ('pl.magnet("/", { root = ".", check = "soon" })', "option 'check'"),
        ('pl.magnet("/", { root = ".", suffixes = "lua" })', "'suffixes'"),
        ('pl.magnet("/", { root = ".", sufixes = ".x" })', "did you mean"),
    ],
)
def test_faults_of_a_site(command, site, why):
    site = 'local pl = require "perilune"\n' + site
    result = command("check", "site.lua", files={"site.lua": site})
    assert result.returncode == 3
    assert re.search(r"site.lua:2: .*" + why, result.stderr), result.stderr


def test_command_needs_a_folder(command):
    result = command("check", "--dialect", "magnet", "a.lua",
                     files={"a.lua": ""})
    assert result.returncode == 3
    assert "a.lua: --dialect magnet needs a folder" in result.stderr


# ---- by FastCGI, as magnet had it ----


@pytest.fixture
def behind(serve, tmp_path):
    """Requests for scripts, as a web server has them."""

    def start(files, *words, folder="www", **more):
        for name, text in files.items():
            path = tmp_path / "www" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        socket = tmp_path / "fcgi.sock"
        server = serve(Path("--dialect=magnet"), "--fastcgi", f"unix:{socket}",
                       *([tmp_path / folder] if folder else []), *words,
                       listen=False, **more)

        def ask(filename, uri="/"):
            with Front(server.connect()) as front:
                named = params_of("GET", uri, SCRIPT_FILENAME=str(filename))
                front.send(request(named))
                return front.answer()

        return server, ask

    return start


def test_scripts_by_fastcgi(behind, tmp_path):
    server, ask = behind({"a.lua": TOTALS, "t.lua": TABLE.replace(
        "SAY", 'os.getenv("QUERY_STRING") .. os.getenv("SCRIPT_FILENAME")'),
        "cache.lua": CACHE, "fail.lua": HEAD + 'print("before") error("x")'},
        workers=1)
    www = tmp_path / "www"
    for n in 1, 2, 3:
        assert ask(www / "a.lua").text == f"x=1 total={n}\n"
    assert ask(www / "t.lua", "/?q").text == f"q{www}/t.lua"
    assert "cache.lua 0 number function\n" in ask(www / "cache.lua").text
    assert "cache.lua 1 number function\n" in ask(www / "cache.lua").text
    response = ask(www / "fail.lua")
    assert (response.code, response.text) == (500, "before")
    response = ask(www / "none.lua")
    assert (response.code, response.body) == (404, b"")


def test_only_scripts_below_the_folder(behind, tmp_path):
    server, ask = behind({"a.lua": TOTALS, "sub/b.lua": HEAD + 'print("b")'})
    (tmp_path / "c.lua").write_text(HEAD + 'print("outside")')
    (tmp_path / "www/out.lua").symlink_to(tmp_path / "c.lua")
    www = tmp_path / "www"
    assert ask(f"{www}/sub/b.lua").text == "b"
    assert ask(f"proxy:fcgi://127.0.0.1:9000{www}/sub/b.lua").text == "b"
    assert ask(f"proxy:unix:/x|fcgi://a/{www}/sub/b.lua/info").text == "b"
    for path in (tmp_path / "c.lua", f"{www}/../c.lua", f"{www}/out.lua",
                 f"{www}x/a.lua", "a.lua", f"{www}/", f"{www}/\0"):
        response = ask(path, "/a.lua")
        assert (response.code, response.body) == (404, b""), path
    server.wait_log(r"SCRIPT_FILENAME .*c.lua is not below")


def test_without_a_folder_the_web_server_says_all(behind, tmp_path):
    server, ask = behind({"a.lua": HEAD + 'print("a")'}, folder=None)
    assert ask(tmp_path / "www/a.lua").text == "a"
    assert ask("", f"{tmp_path}/www/a.lua").code == 404
    with Front(server.connect()) as front:
        front.send(request(params_of("GET", "/etc/passwd")))
        assert front.answer().code == 404
