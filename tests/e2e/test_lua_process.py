"""pl.process in scripts and in sites: children are fed, read, ended and never
left behind."""

import os
import re

import pytest

from harness.wait import wait_for

HEAD = """
local pl = require "perilune"
local run, spawn = pl.process.run, pl.process.spawn
local function refused(code, value, err)
  assert(value == nil and err.code == code, tostring(err))
  return err
end
"""


@pytest.fixture
def script(command):
    def run(text, **options):
        files = {"script.lua": HEAD + text, **options.pop("files", {})}
        done = command("run", "script.lua", files=files, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


# ---- scripts ---------------------------------------------------------------


def test_run(script):
    script("""
local r = run { "printf", "%s|", "a b", "$HOME", 7 }
assert(r.status == 0 and r.signal == nil and r.stdout == "a b|$HOME|7|")
r = run { shell = "echo $0 $1 >&2; exit 3", "one" }
assert(r.status == 3 and r.stderr == "sh one\\n" and r.stdout == "")
r = run { "sh", "-c", "echo a; echo b >&2", stderr = "merge" }
assert(r.stdout == "a\\nb\\n" and r.stderr == "")
r = run { shell = "kill -TERM $$" }
assert(r.status == 143 and r.signal == "TERM")
local data = ("x"):rep(3000000)
assert(run { "cat", stdin = data }.stdout == data)
assert(run { "true", stdin = data }.status == 0)
assert(run { "cat" }.stdout == "")
assert(run { "pwd", cwd = "/" }.stdout == "/\\n")
""")


def test_environment(script):
    script(
        """
assert(run { shell = "echo $A$B" , env = { B = "2" } }.stdout == "12\\n")
assert(run { shell = "echo $A$B" , env = { A = false } }.stdout == "\\n")
assert(run { "/usr/bin/env", env = { B = 2 }, clear_env = true }.stdout
  == "B=2\\n")
assert(run { "/usr/bin/env", clear_env = true }.stdout == "")
""",
        env={"A": "1"},
    )


def test_failures(script):
    script("""
local err = refused("not_found", run { "no-such-program" })
assert(tostring(err) == "pl.process.run: no-such-program: No such file or "
  .. "directory")
refused("not_found", spawn { "no-such-program" })
err = refused("not_found", run { "true", cwd = "/none" })
assert(tostring(err):find "no such folder")
refused("invalid", run { "echo", "a\\0b" })
err = refused("timeout", run { shell = "echo part; sleep 60",
  timeout = "100ms" })
assert(err.stdout == "part\\n" and err.stderr == "")
err = refused("limit", run { "yes", max_output = "64k" })
assert(#err.stdout == 65536)
refused("timeout", run { timeout = 0.1, grace = 0.05,
  shell = "trap '' TERM; while :; do sleep 1; done" })
refused("timeout", run { timeout = 0.1, shell = "sleep 60 & echo started" })
local _, late = pl.timeout(0.05, run, { "sleep", "60" })
assert(late.code == "timeout")
""")


def test_what_may_be_said(script):
    said = script("""
local function says(...)
  print((select(2, pcall(...))))
end
says(run)
says(run, {})
says(run, { {} })
says(run, { "a", timeout = "soon" })
says(run, { "a", stderr = "both" })
says(run, { "a", env = { ["a=b"] = 1 } })
says(run, { "a", tymeout = 1 })
local p = spawn { "cat" }
says(p.write, p)
says(p.read, p, 0)
says(p.kill, p, "MURDER")
p:close()
says(p.wait, p)
""")
    said = re.sub(r"script.lua:\d+: ", "", said)
    assert said.splitlines() == [
        'pl.process.run: a table is needed: { "program", "argument", ... }',
        'pl.process.run: the program is missing: { "program", "argument", '
        "... }",
        "pl.process.run: argument 1 must be a string, not a table",
        "pl.process.run: option 'timeout' must be a string like \"10s\" or "
        "seconds",
        "pl.process.run: option 'stderr' must be \"merge\", \"capture\", "
        '"null" or "inherit"',
        "pl.process.run: option 'env' must be a table of names and values",
        "pl.process.run: unknown option 'tymeout'; did you mean 'timeout'? "
        "(there are clear_env, cwd, grace, max_output, shell, stderr, stdin, "
        "stdout, timeout)",
        "process:write: the data must be a string, not nil",
        "process:read: the number must be a whole number, at least 1",
        "process:kill: no such signal: MURDER",
        "process:wait: the process was closed, or the task that started it "
        "has ended",
    ]


def test_bug_reading_on_after_lines(script):
    script("""
local p = assert(spawn { shell = "printf 'length 5\\n\\nabcde\\nrest'" })
assert(p:wait().status == 0)
for line in p:lines() do
  if line == "" then break end
  assert(line == "length 5")
end
assert(p:read(5) == "abcde" and p:lines()() == "")
local lines = p:lines()
assert(lines() == "rest" and lines() == nil and p:read() == nil)
""")


def test_spawn(script):
    script("""
local p = assert(spawn { "cat" })
assert(p.pid > 1 and p:write "one\\ntwo" and p:read(4) == "one\\n")
p:close_stdin()
local lines = {}
for line in p:lines() do lines[#lines + 1] = line end
assert(#lines == 1 and lines[1] == "two")
local r = p:wait()
assert(r.status == 0 and r.signal == nil)
refused("not_found", p:kill())

p = spawn { shell = "echo e >&2; exec sleep 60", stderr = "capture" }
assert(p:read_error() == "e\\n" and p:kill "KILL")
r = p:wait()
assert(r.status == 137 and r.signal == "KILL" and p:read_error() == nil)

p = spawn { "true" }
p:wait()
refused("closed", p:write(("x"):rep(1000000)))

-- It writes more than a pipe takes, to one that reads slowly.
p = spawn { shell = "read x; sleep 0.05; cat | wc -c" }
pl.all {
  function() p:write(("x\\n"):rep(500000)) p:close_stdin() end,
  function() assert(tonumber(p:read()) == 999998) end,
}
local q = spawn { "sleep", "60" }
local _, err = pcall(pl.all, {
  function() q:read() end,
  function() q:read() end,
})
assert(tostring(err):find "another task waits", err)
q:close()
""")


def test_two_hundred_at_once(script):
    script("""
local fns = {}
for i = 1, 200 do
  fns[i] = function()
    return run { "sh", "-c", "cat; exit $0", i % 100, stdin = "" .. i }
  end
end
local results = { pl.all(fns) }
assert(#results == 200)
for i, r in ipairs(results) do
  assert(r.status == i % 100 and r.stdout == "" .. i)
end
assert(not pl.fs.read("/proc/self/task/" .. pl.fs.readlink "/proc/self"
  .. "/children"):find "%d", "a child is left")
""")


def test_a_script_takes_its_children_along(script):
    pid = int(script("""
local p = spawn { grace = "50ms",
  shell = "trap '' TERM; sleep 1000 & while :; do sleep 1; done" }
print(p.pid)
"""))
    assert gone(pid)


def test_inherited_output(command):
    done = command(
        "run",
        "script.lua",
        files={
            "script.lua": HEAD
            + """
local r = run { shell = "echo out; echo err >&2", stdout = "inherit",
  stderr = "inherit" }
return r.status + 5
"""
        },
    )
    assert (done.returncode, done.stdout, done.stderr) == (5, "out\n", "err\n")


# ---- sites -----------------------------------------------------------------

SITE = """
local pl = require "perilune"
pl.get("/hello", function() return "hello" end)
pl.get("/cat", function() return pl.process.run { "cat", "pipe" }.stdout end)
pl.get("/hold", function()
  pl.process.run { grace = 0.05,
    shell = "trap '' TERM; echo $$ > pid; while :; do sleep 1; done" }
end)
pl.get("/left", function()
  return tostring(pl.process.spawn { "sleep", "1000" }.pid)
end)
pl.get("/here", function() return pl.process.run { "pwd" }.stdout end)
"""


def test_a_waiting_child_holds_nobody(serve):
    """The child waits for us, who ask the same worker first."""
    server = serve(SITE, workers=1)
    os.mkfifo(server.folder / "pipe")
    with server.connect() as wire:
        wire.send(b"GET /cat HTTP/1.1\r\nHost: a\r\n\r\n")
        with open(server.folder / "pipe", "w") as pipe:  # cat has opened it
            assert server.get("/hello").text == "hello"
            pipe.write("from the pipe")
        assert wire.response().text == "from the pipe"


def read_pid(server) -> int:
    path = server.folder / "pid"
    wait_for(lambda: path.exists() and path.read_text(), "the child to start")
    return int(path.read_text())


def test_a_child_ends_with_its_client(serve):
    server = serve(SITE, workers=1)
    with server.connect() as wire:
        wire.send(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        pid = read_pid(server)
        wire.reset()
    wait_for(lambda: gone(pid), "the child to be killed")
    assert server.get("/hello").text == "hello"
    assert server.proc.children() == []


def test_a_child_ends_with_its_handler(serve):
    server = serve(SITE, workers=1)
    pid = int(server.get("/left").text)
    wait_for(lambda: gone(pid), "the child to end")


def test_children_end_with_the_server(serve):
    server = serve(SITE + "pl.set { stop_timeout = '10ms' }", workers=1)
    with server.connect() as wire:
        wire.send(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        pid = read_pid(server)
        assert server.stop() == 0
    assert gone(pid)


def test_children_run_in_the_folder_of_the_site(serve):
    server = serve(SITE)
    assert server.get("/here").text.strip() == str(server.folder.resolve())
