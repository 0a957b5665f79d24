"""perilune --dialect luafcgid: scripts and configurations of luafcgid's,
unchanged, by HTTP; by FastCGI: test_luafcgid_fastcgi.py."""

import hashlib
import os
import re
import threading

import pytest

from harness.server import defers_signals
from harness.wait import GUARD, wait_for

CONFIG = "config.lua"
ROOT = 'root = "www"\nprotocol = "http"\nsweep = 20\n'

# Scripts as their users have them (reference/seed-scripts.md, 2).
FINAL = """local served = 0
function main(env, con)
  served = served + 1
  con:header("X-Served", tostring(served))
  con:header("X-Raw: yes")
  con:puts("method=" .. env.REQUEST_METHOD .. "\\n")
  con:puts("query=" .. (env.QUERY_STRING or "") .. "\\n")
  con:puts("body=" .. tostring(con:gets()) .. "\\n")
end
"""
CONTROL = """function main(env, con)
  con:puts("first")
  con:reset()
  con:puts("second")
  con:flush()
  con:header("X-Late", "1")
  con:puts("third")
end
"""
EARLY = """hits = 0
function main(env, req)
  hits = hits + 1
  local q = req:parse(env.QUERY_STRING or "")
  req:puts("hits=" .. hits .. " name=" .. tostring(q.name) .. "\\n")
end
"""
OLDEST = """s = "Hello World"
function handler()
  return s
end
"""
KABOOM = 'function main(env, con) con:puts("partial") error("kaboom <b>") end'


def start(fixture, folder, files, *args, config=ROOT, workers=1, **options):
    named = {f"www/{name}": text for name, text in files.items()}
    named[CONFIG] = config
    return fixture(folder / CONFIG, "--dialect", "luafcgid", *args,
                   files=named, workers=workers, **options)


@pytest.fixture
def scripts(serve, tmp_path):
    """A server for scripts, each a file and its text."""

    def run(files, config="", *args, **options):
        if isinstance(files, str):
            files = {"x.lua": files}
        return start(serve, tmp_path, files, *args, config=ROOT + config,
                     **options)

    return run


def main(text):
    return f"function main(env, con)\n{text}\nend\n"


def say(text, scripts, target="/x.lua", **options):
    return scripts(main(text), **options).get(target)


# ---- the scripts of old ----


def test_the_final_form(scripts):
    server = scripts(FINAL)
    for count in "12":
        answer = server.get("/x.lua?q=1")
        assert answer.status == 200
        assert answer.header("content-type") == "text/html"
        assert answer.header("x-powered-by") == "Lua"
        assert answer.header("x-served") == count
        assert answer.header("x-raw") == "yes"
        assert answer.text == "method=GET\nquery=q=1\nbody=nil\n"
    names = [name.lower() for name, _ in answer.headers]
    said = [n for n in names if n.startswith("x-")]
    assert said == ["x-powered-by", "x-served", "x-raw"]
    answer = server.request("POST", "/x.lua", None, b"x=1&y=2")
    assert answer.text.endswith("body=x=1&y=2\n")


def test_a_changed_file_is_seen_by_the_heartbeat(scripts, tmp_path):
    server = scripts(FINAL)
    for _ in range(3):
        server.get("/x.lua")
    path = tmp_path / "www/x.lua"
    path.write_text(FINAL.replace("method=", "new="))
    wait_for(lambda: "new=" in server.get("/x.lua").text, "the new text")
    assert int(server.get("/x.lua").header("x-served")) >= 2


def test_a_file_that_is_touched_is_read_again(scripts, tmp_path):
    server = scripts(FINAL)
    assert server.get("/x.lua").header("x-served") == "1"
    os.utime(tmp_path / "www/x.lua", (1e9, 1e9))
    wait_for(lambda: server.get("/x.lua").header("x-served") == "1",
             "a state that is new")


def test_a_file_that_stays_keeps_its_states(scripts):
    server = scripts(FINAL, "sweep = 10\n")
    server.get("/x.lua")
    for count in range(2, 300):
        answer = server.get("/x.lua")
        assert answer.header("x-served") == str(count)


def test_a_file_that_goes_is_not_found(scripts, tmp_path):
    server = scripts(FINAL)
    assert server.get("/x.lua").status == 200
    (tmp_path / "www/x.lua").unlink()
    wait_for(lambda: server.get("/x.lua").status == 404, "404")


def test_buffering_control(scripts):
    answer = scripts(CONTROL).get("/x.lua")
    assert answer.text == "secondthird"
    assert answer.header("x-late") is None
    assert answer.header("content-type") == "text/html"


def test_errors(scripts):
    server = scripts({
        "kaboom.lua": KABOOM, "empty.lua": "x = 1", "bad.lua": "x = = 1",
        "load.lua": "error('at load')", "none.lua": "",
        "value.lua": main("error({})"), "nil.lua": main("error()"),
    })
    answer = server.get("/kaboom.lua")
    assert (answer.status, answer.header("content-type")) == (500, "text/html")
    assert "Runtime Error" in answer.text and "partial" not in answer.text
    assert "kaboom &lt;b&gt;" in answer.text
    assert answer.header("x-powered-by") == "Lua"
    server.wait_log(r"Runtime Error: .*x?kaboom.lua:1: kaboom <b>")
    answer = server.get("/empty.lua")
    assert answer.status == 500
    assert "main() function not found" in answer.text
    answer = server.get("/bad.lua")
    assert answer.status == 500
    assert "Syntax Error" in answer.text and "bad.lua:1:" in answer.text
    answer = server.get("/load.lua")
    assert answer.status == 500 and "at load" in answer.text
    answer = server.get("/gone.lua")
    assert (answer.status, answer.header("content-type")) == (404, "text/html")
    assert "gone.lua" in answer.text
    assert server.get("/none.lua").status == 404
    assert server.get("/value.lua").status == 500
    assert server.get("/nil.lua").status == 500


def test_errors_are_not_shown_if_so_asked(scripts):
    server = scripts({"x.lua": KABOOM, "y.lua": "x = = 1"},
                     "showerrors = false\n")
    for target, status in [("/x.lua", 500), ("/y.lua", 500), ("/z.lua", 404)]:
        answer = server.get(target)
        assert (answer.status, answer.text) == (status, "")
        assert answer.header("x-powered-by") == "Lua"


def test_a_state_that_failed_is_used_again(scripts):
    server = scripts("n = 0\n" + main("""
      n = n + 1
      if n == 1 then error "once" end
      con:puts(n)"""))
    assert server.get("/x.lua").status == 500
    assert server.get("/x.lua").text == "2"


def test_the_early_form(scripts):
    answer = scripts(EARLY).get("/x.lua?name=a%20b+c&empty=")
    assert answer.text == "hits=1 name=a b c\n"


def test_the_oldest_form(scripts):
    answer = scripts(OLDEST).get("/x.lua")
    assert (answer.status, answer.text) == (200, "Hello World")
    assert answer.header("content-type") == "text/html"


CONFIGURED = """listen = "127.0.0.1:9000"
workers = 2
states = workers * 2
clones = states
sweep = 500
showerrors = true
headers = "X-Powered-By: Lua\\r\\nX-Site: test\\r\\n"
handler = "main"
speed = 11
"""


def test_the_configuration(scripts):
    server = scripts({"x.lua": FINAL, "bad.lua": "x = = 1"}, CONFIGURED,
                     workers=None)
    for target in ("/x.lua", "/bad.lua", "/gone.lua"):
        answer = server.get(target)
        assert answer.header("x-powered-by") == "Lua"
        assert answer.header("x-site") == "test"
    log = server.log()
    assert "config.lua: not known here: speed\n" in log
    assert log.count("not known here") == 1
    assert server.serving().threads() >= 2


# ---- the entry function ----


@pytest.mark.parametrize("text, config, body", [
    ("function answer(env, con) con:puts('own') end\n" + main("con:puts('m')"),
     "handler = 'answer'\n", "own"),
    (main("con:puts('main')"), "handler = 'answer'\n", "main"),
    (main("con:puts('main') return 'ignored'"), "", "main"),
    (main("con:puts('main')") + OLDEST, "", "main"),
    ("function handler(env, con) con:puts(env.REQUEST_METHOD) end",
     "handler = 'handler'\n", "GET"),
    ("function handler(env, con) con:puts('a') return 'b' end", "", "a"),
    ("function handler() return 42 end", "", "42"),
    ("function handler() end", "", ""),
    ("local n = 0\nfunction main(env, con) con:puts('first')\n"
     "main = function(env, con) con:puts('second') end end", "", "first"),
])
def test_which_function_answers(scripts, text, config, body):
    assert scripts(text, config).get("/x.lua").text == body


def test_globals_may_be_strict(scripts):
    server = scripts("setmetatable(_G, { __index = function(_, name)"
                     " error('undeclared ' .. name) end })\n" + OLDEST)
    assert server.get("/x.lua").text == "Hello World"


def test_a_function_may_be_replaced(scripts):
    server = scripts("function main(env, con) con:puts('first')\n"
                     "main = function(env, con) con:puts('second') end end")
    assert [server.get("/x.lua").text for _ in range(2)] == ["first", "second"]


# ---- what it is told ----


def test_variables(scripts, tmp_path):
    text = main("""
      local names = {}
      for name, value in pairs(env) do
        names[#names + 1] = name .. "=" .. tostring(value)
      end
      table.sort(names)
      con:puts(table.concat(names, "\\n"))
      con:puts("\\n" .. type(env.LUAFCGID_VERSION))""")
    server = scripts({"sub/x.lua": text})
    answer = server.get("/sub/x.lua/more/info?a=b%20c",
                        {"X-Own": "1", "Proxy": "evil", "Host": "moon:80",
                         "Bad_Name": "2"})
    lines = answer.text.split("\n")
    assert lines.pop() == "number"
    found = dict(line.split("=", 1) for line in lines)
    www = tmp_path / "www"
    for name, value in {
        "REQUEST_METHOD": "GET", "QUERY_STRING": "a=b%20c",
        "REQUEST_URI": "/sub/x.lua/more/info?a=b%20c",
        "SCRIPT_NAME": "/sub/x.lua", "PATH_INFO": "/more/info",
        "SCRIPT_FILENAME": str(www / "sub/x.lua"),
        "DOCUMENT_ROOT": str(www), "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "moon", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_X_OWN": "1", "LUAFCGID_VERSION": "1", "FCGI_ROLE": "RESPONDER",
        "GATEWAY_INTERFACE": "CGI/1.1",
    }.items():
        assert found.get(name) == value, name
    assert "HTTP_PROXY" not in found and "HTTP_BAD_NAME" not in found


def test_bodies(scripts):
    server = scripts(main("""
      local body = con:gets()
      con:puts(body and #body or "none")
      con:puts(" " .. tostring(con:gets()))"""), "maxpost = 100000\n")
    assert server.get("/x.lua").text == "none nil"
    post = lambda n: server.request("POST", "/x.lua", None, b"x" * n)
    assert post(0).text == "none nil"
    assert post(100000).text == "100000 nil"
    assert post(100001).status == 413


def test_forms(scripts):
    server = scripts(main("""
      local q = con:parse(con:gets())
      con:puts(q.a .. "|" .. q.b .. "|" .. tostring(q.empty))"""))
    answer = server.request("POST", "/x.lua", None, b"a=1+2&b=%26%3d&empty=")
    assert answer.text == "1 2|&=|nil"
    many = b"&".join(b"n%d=1" % i for i in range(1001))
    assert server.request("POST", "/x.lua", None, many).status == 413


# ---- what it answers ----


def test_the_head_is_the_scripts(scripts):
    server = scripts({
        "status.lua": main("con:header('Status', '404 Not Found')"
                           " con:header('Content-Type: text/plain')"
                           " con:header('Set-Cookie', 'a=1')"
                           " con:header('Set-Cookie', 'b=2')"
                           " con:puts('none')"),
        "moved.lua": main("con:header('Location', '/x')"),
        "created.lua": main("con:header('Status: 201 Created')"
                            " con:header('Location', '/x')"),
        "framing.lua": main("con:header('Content-Length', 1)"
                            " con:header('Connection', 'close')"
                            " con:header('Transfer-Encoding: x')"
                            " con:puts('four')"),
        "split.lua": main("con:header('X-A', 'b\\r\\nX-C: d')"),
        "wrong.lua": main("con:header('Status', 'OK')"),
        "none.lua": main("con:header('no colon')"),
    })
    answer = server.get("/status.lua")
    assert (answer.status, answer.text) == (404, "none")
    assert answer.header("content-type") == "text/plain"
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    answer = server.get("/moved.lua")
    assert (answer.status, answer.header("location")) == (302, "/x")
    assert server.get("/created.lua").status == 201
    answer = server.get("/framing.lua")
    assert answer.text == "four" and answer.all("content-length") == ["4"]
    answer = server.get("/split.lua")
    assert answer.status == 500 and answer.header("x-c") is None
    assert server.get("/wrong.lua").status == 500
    assert server.get("/none.lua").status == 500


def test_configured_heads(scripts):
    server = scripts(main("con:puts(con:config('contenttype'))"),
                     "httpstatus = '203 Other'\ncontenttype = 'text/x'\n"
                     "headers = 'X-A: 1\\r\\nbroken\\r\\nX-B:2\\r\\n'\n"
                     "  .. 'Content-Length: 5\\nA B: c'\n")
    answer = server.get("/x.lua")
    assert (answer.status, answer.text) == (203, "text/x")
    assert answer.header("content-type") == "text/x"
    assert (answer.header("x-a"), answer.header("x-b")) == ("1", "2")
    for line in ("broken", "Content-Length: 5", "A B: c"):
        assert f"headers: '{line}' is no field" in server.log()


def test_one_response_may_be_configured(scripts):
    server = scripts(main("""
      con:config("httpstatus", "202 Accepted")
      con:config("contenttype", "text/plain")
      con:config("workers", 99)
      con:puts(tostring(con:config("nothing")))"""))
    answer = server.get("/x.lua")
    assert (answer.status, answer.text) == (202, "nil")
    assert answer.header("content-type") == "text/plain"


def test_long_answers(scripts):
    server = scripts(main("for i = 1, 2000 do con:puts(('%04d'):format(i):rep"
                          "(100)) end con:puts(1.5) con:puts(7)"))
    want = "".join(f"{i:04}" * 100 for i in range(1, 2001)) + "1.57"
    answer = server.get("/x.lua")
    assert answer.text == want
    assert answer.framing == "length"


def test_without_buffering(scripts):
    server = scripts({
        "x.lua": main("con:header('X-A', '1') con:puts('one')"
                      " con:header('X-B', '2') con:puts('two')"),
        "nothing.lua": main(""),
        "late.lua": main("con:puts('one') error('late')"),
    }, "buffering = false\n")
    answer = server.get("/x.lua")
    assert (answer.text, answer.framing) == ("onetwo", "chunked")
    assert (answer.header("x-a"), answer.header("x-b")) == ("1", None)
    assert server.get("/nothing.lua").text == ""
    with server.connect() as wire:  # cut off: no second head, no end
        wire.send(b"GET /late.lua HTTP/1.1\r\nHost: a\r\n\r\n")
        data = wire.read_to_end()
    assert data.count(b"HTTP/1.1") == 1 and not data.endswith(b"0\r\n\r\n")
    assert b"500" not in data
    server.wait_log("late.lua:2: late")


def test_a_flush_leaves_at_once(scripts):
    server = scripts("pl = require 'perilune'\n" + main("""
      con:puts("now")
      con:flush()
      while not pl.fs.exists "go" do pl.sleep(0.005) end
      con:puts("later")"""))
    with server.connect() as wire:
        wire.send(b"GET /x.lua HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"now\r\n")
        (server.folder / "go").touch()
        wire.read_until(b"later\r\n")


def test_head_and_conditions(scripts):
    server = scripts(main("con:puts('body')"))
    answer = server.request("HEAD", "/x.lua")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-length") == "4"


@pytest.mark.parametrize("call, says", [
    ("con:puts(nil)", "con:puts: the text must be a string, not nil"),
    ("con:puts({})", "con:puts: the text must be a string, not a table"),
    ("con:header()", "con:header: the name must be a string, not nil"),
    ("con:header('a', {})", "con:header: the value must be a string"),
    ("con:parse({})", "con:parse: the text must be a string"),
])
def test_misuse_names_the_line(scripts, call, says):
    answer = say(call, scripts)
    assert answer.status == 500
    assert f"x.lua:2: {says}" in answer.text


def test_the_log(scripts):
    server = scripts(main("con:log('100% of it %s') con:log(5)"))
    server.get("/x.lua")
    server.wait_log("100% of it %s$")
    server.wait_log(" 5$")


def test_con_is_of_its_request(scripts):
    server = scripts("local kept\n" + main("""
      if kept then con:puts(tostring(pcall(kept.puts, kept, "old"))) end
      kept = con
      con:puts(getmetatable(con))"""))
    assert server.get("/x.lua").text == "LuaFCGId.Request"
    assert server.get("/x.lua").text == "falseLuaFCGId.Request"


# ---- globals ----


def test_scripts_see_nothing_of_each_other(scripts):
    server = scripts({
        "a.lua": "mine = 1\nstring.own = 2\nlocal m = require 'lib'\n"
                 + main("m = require 'lib' m.n = m.n + 1"
                        " con:puts(m.n .. tostring(theirs) .. lib)"),
        "b.lua": "theirs = 1\n"
                 + main("local m = require 'lib' m.n = m.n + 1"
                        " con:puts(m.n .. tostring(mine)"
                        " .. tostring(string.own) .. tostring(_G.pl))"),
        "lib.lua": "lib = 'set'\nreturn { n = 0 }",
    })
    for n in (1, 2):
        assert server.get("/a.lua").text == f"{n}nilset"
        assert server.get("/b.lua").text == f"{n}nilnilnil"


def test_relative_paths_begin_at_the_script(scripts):
    server = scripts({
        "sub/x.lua": main("""
      con:puts(io.open("data.txt"):read("*a"))
      for line in io.lines("data.txt") do con:puts(line) end
      con:puts(dofile("part.lua"))
      con:puts(assert(loadfile("part.lua"))())
      con:puts(require("deep.mod"))
      assert(os.rename("data.txt", "data2.txt"))
      con:puts(io.popen("cat data2.txt"):read("*a"))
      con:puts(tostring(os.remove("data2.txt")))
      io.open("new.txt", "w"):close()"""),
        "sub/data.txt": "data", "sub/part.lua": "return 'part' .. (x or '')",
        "sub/deep/mod.lua": "x = 'X' return 'mod'",
    })
    answer = server.get("/sub/x.lua")
    assert answer.text == "datadatapartpartmoddatatrue", answer.text
    assert (server.folder / "www/sub/new.txt").exists()


def test_code_at_run_time_has_the_scripts_globals(scripts):
    answer = say("""
      x = 5
      con:puts((loadstring or load)("return x")())
      con:puts(load(function()
        local text = part
        part = nil
        return text
      end) and "f" or "")
      con:puts(load("return x", "n", "t", { x = 6 })() .. "")
      local set = (loadstring or load)("y = 7")
      set()
      con:puts(y .. tostring(_G.y) .. tostring(_G == _G._G))""", scripts)
    assert answer.text == "5f677true"


def test_modules_of_lua_5_1(scripts):
    server = scripts({
        "x.lua": "if module then require 'old.mod' end\n" + main("""
      if not module then return con:puts("bye 1") end
      con:puts(old.mod.greet() .. tostring(greet)
        .. tostring(package.loaded["old.mod"] == old.mod))
      con:puts(tostring(getfenv(0) == _G) .. tostring(getfenv() == _G)
        .. tostring(getfenv(main) == _G))
      local f = setfenv(function() return z end, { z = "z" })
      con:puts(f())"""),
        "old/mod.lua": "module(..., package.seeall)\n"
                       "function greet() return tostring(#_NAME) end",
    })
    assert server.get("/x.lua").text in ("7niltruetruetruetruez", "bye 1")


def test_modules_that_fail(scripts):
    server = scripts({
        "x.lua": main("local ok, err = pcall(require, env.QUERY_STRING)"
                      " con:puts(err)"),
        "circle.lua": "require 'circle'", "bad.lua": "x = = 1",
    })
    assert "loop or previous error" in server.get("/x.lua?circle").text
    assert "bad.lua:1:" in server.get("/x.lua?bad").text
    text = server.get("/x.lua?gone.away").text
    assert "module 'gone.away' not found" in text
    assert "gone/away.lua" in text and "gone/away.so" in text


def test_a_script_cannot_end_the_server(scripts):
    server = scripts({"x.lua": main("os.exit(1)"), "y.lua": main("")})
    assert "os.exit" in server.get("/x.lua").text
    assert server.get("/y.lua").status == 200


def test_perilune_is_there(scripts):
    answer = say("local pl = require 'perilune' pl.sleep(0.001)"
                 " con:puts(pl.json.encode { a = 1 })", scripts)
    assert answer.text == '{"a":1}'


# ---- what scripts find without a file ----


def test_md5_and_base64(scripts):
    answer = say("""
      local md5, base64 = require("md5"), require("base64")
      con:puts(md5.sumhexa(base64.encode("moon")) .. "\\n")
      con:puts(md5.sumhexa("") .. "\\n" .. #md5.sum("a") .. "\\n")
      con:puts(md5.digest("a") .. "\\n")
      con:puts(md5.new():update("a"):update("bc"):digest() .. "\\n")
      con:puts(base64.decode("bW9v\\nbg==") .. tostring(base64.decode("?")))
      """, scripts)
    assert answer.text.split("\n") == [
        hashlib.md5(b"bW9vbg==").hexdigest(),
        "d41d8cd98f00b204e9800998ecf8427e", "16",
        "0cc175b9c0f1b6a831c399e269772661",
        "900150983cd24fb0d6963f7d28e17f72", "moonnil"]


def test_a_module_of_ones_own_goes_before_an_alias(scripts):
    server = scripts({"x.lua": main("con:puts(require 'md5')"),
                      "md5.lua": "return 'own'"})
    assert server.get("/x.lua").text == "own"


def test_the_module_luafcgid(scripts):
    answer = say("""
      local l = require "luafcgid"
      con:puts(l.urlencode("a b&c/\\228") .. "\\n")
      con:puts(l.urldecode("a+b%26c%") .. "\\n")
      local q = l.parse("a=1&b=2&a=3&a=4&c=")
      con:puts(table.concat(q.a, ",") .. q.b .. "<" .. q.c .. ">\\n")
      local text = l.serialize { 1, "x\\n", { a = true }, b = 0.5 }
      con:puts(text .. "\\n")
      local back = (loadstring or load)("return " .. text)()
      con:puts(back[1] .. #back[2] .. tostring(back[3].a) .. back.b)
      local circle = {}
      circle[1] = circle
      con:puts(tostring(pcall(l.serialize, circle)))
      con:puts(tostring(pcall(l.serialize, print)))""", scripts)
    assert answer.text.split("\n")[:4] == [
        "a+b%26c%2F%E4", "a b&c%", "1,3,42<>",
        '{[1]=1,[2]="x\\n",[3]={["a"]=true},["b"]=0.5}']
    assert answer.text.endswith("12true0.5falsefalse")


# ---- states ----

SLOW = """local pl = require "perilune"
n = 0
function main(env, con)
  n = n + 1
  local name = env.QUERY_STRING
  io.open(name .. ".in", "w"):close()
  while not pl.fs.exists("www/" .. name .. ".go") do pl.sleep(0.002) end
  con:puts(n)
end
"""


class Slow:
    """Requests that wait until they are told to go on."""

    def __init__(self, server):
        self.server, self.www = server, server.folder / "www"
        self.answers, self.threads = {}, {}

    def begin(self, name, script="x"):
        def ask():
            self.answers[name] = self.server.get(f"/{script}.lua?{name}")

        self.threads[name] = threading.Thread(target=ask)
        self.threads[name].start()

    def is_in(self, name):
        return (self.www / f"{name}.in").exists()

    def wait_in(self, name):
        wait_for(lambda: self.is_in(name), f"{name} to be answered")

    def end(self, name):
        (self.www / f"{name}.go").touch()
        self.threads[name].join(GUARD)
        return self.answers[name]


def test_a_busy_script_gets_clones(scripts):
    slow = Slow(scripts({"x.lua": SLOW, "y.lua": main("con:puts('y')")},
                        "clones = 2\nstates = 5\n"))
    for name in "ab":
        slow.begin(name)
        slow.wait_in(name)
    slow.begin("c")  # waits for one of the two
    assert slow.server.get("/y.lua").text == "y"
    assert not slow.is_in("c")
    assert slow.end("a").text == "1"
    slow.wait_in("c")
    assert slow.end("c").text == "2", "the state that a had"
    assert slow.end("b").text == "1"


def test_states_are_limited_and_the_least_popular_goes(scripts):
    count = "n = 0\n" + main("n = n + 1 con:puts(n)")
    server = scripts({f"{x}.lua": count for x in "abc"},
                     "states = 2\nclones = 1\nsweep = 10000\n")
    for n in (1, 2, 3):
        assert server.get("/a.lua").text == str(n)
    assert server.get("/b.lua").text == "1"
    assert server.get("/c.lua").text == "1", "in the place of b"
    assert server.get("/a.lua").text == "4"
    assert server.get("/b.lua").text == "1", "in the place of c"
    assert server.get("/a.lua").text == "5"


def test_of_the_equally_popular_the_older_goes(scripts):
    count = "n = 0\n" + main("n = n + 1 con:puts(n)")
    server = scripts({f"{x}.lua": count for x in "abc"},
                     "states = 2\nclones = 1\nsweep = 60000\n")
    for _ in range(3):
        server.get("/a.lua")
    for _ in range(3):
        server.get("/b.lua")
    server.get("/c.lua")  # as popular as b, but a was used before b
    assert server.get("/b.lua").text == "4"
    assert server.get("/a.lua").text == "1"


def test_who_waits_is_refused_in_the_end(scripts):
    slow = Slow(scripts({"x.lua": SLOW, "y.lua": main("con:puts('y')")},
                        "states = 1\nwait = 50\n"))
    slow.begin("a")
    slow.wait_in("a")
    for target in ("/x.lua?b", "/y.lua"):
        answer = slow.server.get(target)
        assert answer.status == 503
        assert answer.header("retry-after") == "1"
        assert answer.header("x-powered-by") == "Lua"
    slow.server.wait_log("no state became free in time")
    assert slow.end("a").status == 200
    assert slow.server.get("/y.lua").text == "y", "the place is free"


def test_who_gives_up_leaves_the_queue(scripts):
    slow = Slow(scripts({"x.lua": SLOW, "y.lua": main("con:puts('y')")},
                        "states = 1\n"))
    slow.begin("a")
    slow.wait_in("a")
    with slow.server.connect() as wire:
        wire.send(b"GET /y.lua HTTP/1.1\r\nHost: a\r\n\r\n")
        slow.begin("b")
        wire.reset()
    assert slow.end("a").text == "1"
    slow.wait_in("b")
    assert slow.end("b").status == 200
    assert slow.server.get("/y.lua").text == "y"


def test_a_client_that_goes_frees_its_state(scripts):
    slow = Slow(scripts(SLOW, "states = 1\n"))
    with slow.server.connect() as wire:
        wire.send(b"GET /x.lua?a HTTP/1.1\r\nHost: a\r\n\r\n")
        slow.wait_in("a")
        wire.reset()
    slow.begin("b")
    slow.wait_in("b")
    assert slow.end("b").text == "2"


ABORTED = """local pl = require "perilune"
pl.set { watchdog = { warn = "20ms", abort = "50ms" } }
pl.luafcgid("/", { root = "www", states = 1, sweep = "10ms", wait = "20s" })
"""


@pytest.mark.skipif(defers_signals(), reason="TSan defers signals")
def test_a_script_that_is_aborted_frees_its_state(serve):
    server = serve(ABORTED, workers=1, files={
        "www/x.lua": main("while env.QUERY_STRING == 'loop' do end"
                          " con:puts('fine')"),
        "www/load.lua": "local file = io.open('loop')\n"
                        "while file do end\n" + main("con:puts('loaded')"),
        "www/loop": ""})
    assert server.get("/x.lua?loop").status == 500
    assert server.get("/x.lua").text == "fine"
    assert server.get("/load.lua").status == 500
    (server.folder / "www/loop").unlink()
    assert server.get("/load.lua").text == "loaded"
    assert server.get("/x.lua").text == "fine"


def test_a_busy_state_of_a_changed_file_is_closed_afterwards(scripts):
    slow = Slow(scripts(SLOW))
    slow.begin("a")
    slow.wait_in("a")
    path = slow.www / "x.lua"
    path.write_text(SLOW.replace("con:puts(n)", "con:puts('new' .. n)"))
    slow.begin("b")
    slow.wait_in("b")
    assert slow.end("b").text == "new1", "a clone is made of the new file"
    assert slow.end("a").text == "1"
    for n in (2, 3):
        name = f"c{n}"
        slow.begin(name)
        assert slow.end(name).text == f"new{n}", "that of a has gone"


def test_each_worker_has_its_share(scripts):
    server = scripts({"x.lua": FINAL}, "states = 4\n", workers=2)
    counts = set()
    for _ in range(40):
        counts.add(server.get("/x.lua").header("x-served"))
    assert "1" in counts and len(counts) <= 40


# ---- by HTTP alone ----


def test_files_beside_scripts(scripts):
    server = scripts({
        "index.lua": main("con:puts('root ' .. env.SCRIPT_NAME)"),
        "sub/index.html": "<p>sub", "a.css": "p {}", ".hidden.lua": FINAL,
        ".hidden": "x", "sub/.x/y.lua": FINAL, "sub/x.lua": FINAL,
        "x.lua~": FINAL, "x.lua.bak": FINAL,
        "deep/index.lua": main("con:puts(env.SCRIPT_NAME .. '|'"
                               " .. env.SCRIPT_FILENAME)"),
    })
    assert server.get("/").text == "root /index.lua"
    assert server.get("/sub/").text == "<p>sub"
    answer = server.get("/a.css")
    assert answer.header("content-type").startswith("text/css")
    assert answer.text == "p {}" and answer.header("etag")
    assert server.get("/deep/").text == (
        f"/deep/index.lua|{server.folder}/www/deep/index.lua")
    for target in ("/.hidden", "/.hidden.lua", "/sub/.x/y.lua", "/none/",
                   "/none", "/sub/none.lua", "/a.css/x.lua", "/x.lua~",
                   "/x.lua.bak"):
        assert server.get(target).status == 404, target
    assert server.request("POST", "/a.css", None, b"x").status == 405
    assert server.request("POST", "/sub/x.lua", None, b"x").status == 200


def test_paths_do_not_leave_the_root(scripts):
    server = scripts({"x.lua": FINAL, "../secret.lua": FINAL,
                      "../www2/y.lua": FINAL})
    os.symlink("../secret.lua", server.folder / "www/link.lua")
    for target in ("/../secret.lua", "/%2e%2e/secret.lua", "/..%2fsecret.lua",
                   "/link.lua", "/x.lua%00", "/../www2/y.lua"):
        assert server.get(target).status in (400, 404), target
    assert server.get("/config.lua").status == 404


def test_a_folder_without_a_configuration(serve, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "x.lua").write_text(FINAL)
    server = serve(folder, "--dialect", "luafcgid", workers=1)
    assert server.get("/x.lua").status == 200
    assert "there is no config.lua" in server.log()


def test_http_needs_a_root(serve, tmp_path):
    server = serve(tmp_path / CONFIG, "--dialect", "luafcgid", workers=1,
                   files={CONFIG: "listen = ':0'"})
    answer = server.get("/x.lua")
    assert answer.status == 500 and "root" in answer.text


# ---- configurations ----


def check(command, config, *args):
    return command("check", "--dialect", "luafcgid", *args,
                   files={CONFIG: config, "www/x": ""})


@pytest.mark.parametrize("config, says", [
    ("listen = ", "config.lua:1: "),
    ("error('no')", "config.lua:1: no"),
    ("protocol = 'gopher'", "protocol must be \"fastcgi\" or \"http\""),
    ("protocol = 'http' root = 'nowhere'", "cannot open the folder 'nowhere'"),
])
def test_faults_of_configurations(command, config, says):
    result = check(command, config)
    assert result.returncode == 3
    assert says in result.stderr


@pytest.mark.parametrize("config, says", [
    ("states = 'many'", "states must be a whole number, not many"),
    ("showerrors = 1", "showerrors must be true or false, not 1"),
    ("headers = {}", "headers must be a string, not table"),
    ("daemonize = true", "daemonize: perilune stays in the foreground"),
    ("retries = 5", "retries has no effect"),
    ("maxcount = 5", "maxcount has no effect"),
    ("workers = 4\nstates = 2", "states = 2 is less than workers = 4"),
    ("xyz = 5\nabc = {}", "not known here: abc, xyz"),
])
def test_remarks_on_configurations(scripts, config, says):
    server = scripts(FINAL, config + "\n")
    assert server.log().count(says) == 1, server.log()
    assert server.get("/x.lua").status == 200


def test_helpers_are_no_unknown_keys(scripts):
    server = scripts(FINAL, "function double(n) return 2 * n end\n"
                            "states = double(3)\n")
    assert "not known" not in server.log()


def test_the_log_file(scripts, tmp_path):
    server = scripts(KABOOM, "logfile = 'own.log'\n")
    server.get("/x.lua")
    wait_for(lambda: "kaboom" in (tmp_path / "own.log").read_text(), "a line")


def test_without_a_file(command):
    result = command("check", "--dialect", "luafcgid", "none.lua")
    assert (result.returncode, result.stderr) == (
        3, "perilune: none.lua: no such file or folder\n")
    assert re.search(r"route .*/", command(
        "check", "--dialect", "luafcgid", "-p", "0").stdout)


# ---- as a part of a site ----

SITE = """local pl = require "perilune"
pl.get("/new", function() return "new" end)
pl.luafcgid("/old", { root = "scripts", sweep = "20ms",
  headers = { ["X-B"] = "2", ["X-A"] = "1" }, status = "203 Other" })
pl.luafcgid("/errors", { root = "scripts", show_errors = true })
"""


def test_a_part_of_a_site(serve):
    server = serve(SITE, workers=1, files={
        "scripts/x.lua": FINAL, "scripts/bad.lua": KABOOM,
        "scripts/index.lua": main("con:puts(env.SCRIPT_NAME)")})
    assert server.get("/new").text == "new"
    answer = server.get("/old/x.lua")
    assert answer.status == 203
    names = [name for name, _ in answer.headers if name.startswith("X-")]
    assert names == ["X-A", "X-B", "X-Served", "X-Raw"]
    assert server.get("/old/bad.lua").text == ""
    assert "kaboom" in server.get("/errors/bad.lua").text
    assert server.get("/errors/x.lua").header("x-served") == "1"
    for target in ("/old/", "/old"):
        assert server.get(target).text == "/old/index.lua"


@pytest.mark.parametrize("call, says", [
    ("pl.luafcgid()", "pl.luafcgid: the prefix must be a string, not nil"),
    ("pl.luafcgid('/x')", "pl.luafcgid: option 'root' must be a string"),
    ("pl.luafcgid('/x', { root = 'gone' })",
     "pl.luafcgid: cannot open the folder"),
    ("pl.luafcgid('/x', { rot = 'a' })", "rot"),
    ("pl.luafcgid('/x', { root = '.', sweep = 'often' })",
     "option 'sweep' must be a duration"),
    ("pl.luafcgid('/x', { root = '.', headers = { Date = 'a\\nb' } })",
     "option 'headers': 'Date' cannot be set"),
    ("pl.luafcgid('/x', { root = '.', headers = { 'a' } })",
     "a name in option 'headers' must be a string"),
])
def test_misuse(command, call, says):
    site = "local pl = require 'perilune'\n" + call
    result = command("check", "site.lua", files={"site.lua": site})
    assert result.returncode == 3
    assert "site.lua:2: " in result.stderr and says in result.stderr
