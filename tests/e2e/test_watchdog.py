"""The watchdog: what holds a worker is named while it does, and aborted."""

import subprocess

import pytest

from harness.server import (
    TOP, Server, build_folder, defers_signals, sanitized,
)  # fmt: skip
from harness.wait import wait_for

SITE = """
local pl = require "perilune"
pl.set { watchdog = { warn = "%(warn)s", abort = "%(abort)s" } }
local function spin() while true do end end
pl.get("/hello", function() return "hello" end)
pl.get("/compiled", function() spin() end)
pl.get("/interpreted", function()
  if jit then jit.off(spin) end
  spin()
end)
pl.get("/pcall", function() while true do pcall(spin) end end)
pl.get("/handler", function() while true do xpcall(spin, spin) end end)
pl.get("/coroutine", function()
  while true do pcall(coroutine.wrap(spin)) end
end)
pl.get("/gsub", function() return (("x"):rep(9):gsub("x", spin)) end)
pl.get("/pattern", function()
  return tostring(("a"):rep(200):find((".-"):rep(20) .. "b"))
end)
pl.get("/stream", function(_, res) res:write("begun") spin() end)
pl.get("/defer", function()
  pl.defer(function() pl.log("deferred") end)
  spin()
end)
pl.group("/filtered", function()
  pl.use(function(req, _, next)
    if req.args.at == "filter" then spin() end
    next()
    if req.args.at == "after" then spin() end
  end)
  pl.get("/it", function(req) if req.args.at == "handler" then spin() end end)
end)
pl.get("/timer", function()
  local n = 0
  pl.every(0.01, function()
    n = n + 1
    pl.log("tick " .. n)
    if n == 2 then spin() end
  end)
end)
pl.get("/stats", function() return pl.watchdog.stats() end)
"""
NAMED = r"warn watchdog: worker \d+ has been held for [\d.]+ s"


in_lua = pytest.mark.skipif(defers_signals(), reason="TSan defers signals")


@pytest.fixture
def site(serve):
    def start(*words, warn="20ms", abort="60ms", workers=1):
        text = SITE % {"warn": warn, "abort": abort}
        return serve(text, *words, workers=workers)

    return start


@in_lua
def test_a_loop_is_named_while_it_runs(site):
    server = site(abort="0")
    with server.connect() as wire:
        wire.send(b"GET /compiled HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_log(
            NAMED + r" by GET /compiled request=[0-9a-f]{16} route=/compiled "
            r"in Lua: \S+:4 in spin < \S+:6 in fn$"
        )
    server.process.kill()
    server.wait()


@in_lua
def test_it_is_named_again_at_rising_intervals(site):
    server = site(warn="10ms", abort="0")
    with server.connect() as wire:
        wire.send(b"GET /interpreted HTTP/1.1\r\nHost: a\r\n\r\n")
        found = server.wait_log(NAMED, 5)
    held = [float(m.group().split()[-2]) for m in found]
    assert all(s >= 0.01 * 2**n for n, s in enumerate(held))
    server.process.kill()
    server.wait()


ENDLESS = ["compiled", "interpreted", "pcall", "handler", "coroutine", "gsub",
           "defer", "filtered/it?at=filter", "filtered/it?at=handler",
           "filtered/it?at=after"]


@in_lua
@pytest.mark.parametrize("target", ENDLESS)
def test_endless_lua_is_aborted(site, target):
    """The request is answered, and others on the same worker are after it."""
    server = site()
    response = server.get("/" + target)
    assert response.status == 500
    path = target.split("?")[0]
    server.wait_log(rf"error lua: GET /{path} request=\S+: \S+:4: aborted: "
                    r"it ran for \S+ s without waiting$")
    assert server.get("/hello").text == "hello"
    assert server.get("/compiled").status == 500
    assert server.get("/hello").text == "hello"
    if target == "defer":
        server.wait_log("deferred")


@in_lua
def test_a_stream_is_cut(site):
    server = site()
    with server.connect() as wire:
        wire.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        text = wire.read_to_end()
    assert b"begun" in text and not text.endswith(b"0\r\n\r\n")
    assert server.get("/hello").text == "hello"


@in_lua
def test_a_timer_goes_on(site):
    server = site()
    server.get("/timer")
    server.wait_log("aborted")
    server.wait_log("tick 4")


@in_lua
def test_others_on_the_worker_wait_no_longer_than_the_limit(site):
    server = site()
    with server.connect() as first, server.connect() as second:
        first.send(b"GET /compiled HTTP/1.1\r\nHost: a\r\n\r\n")
        second.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert second.response().status == 200
        assert first.response().status == 500


@in_lua
def test_a_hundred_aborts_leave_the_memory_flat(site):
    server = site(warn="0", abort="5ms")
    for _ in range(30):
        assert server.get("/compiled").status == 500
    before = server.proc.rss_kib()
    for _ in range(100):
        assert server.get("/compiled").status == 500
    if not sanitized():
        assert server.proc.rss_kib() < before + 512


@in_lua
def test_two_workers_at_once(site):
    server = site(workers=2)
    wires = [server.connect() for _ in range(8)]
    for wire in wires:
        wire.send(b"GET /compiled HTTP/1.1\r\nHost: a\r\n\r\n")
    for wire in wires:
        assert wire.response().status == 500
        wire.close()
    assert server.get("/hello").text == "hello"


@in_lua
def test_a_loop_inside_c_is_named_and_cannot_be_aborted(site):
    server = site()
    with server.connect() as wire:
        wire.send(b"GET /pattern HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_log(
            NAMED + r" by GET /pattern \S+ \S+ in Lua: find in C < \S+:18 in fn"
            r" in C: .*lib\w*lua\S*\+0x"
        )
        server.wait_log("error watchdog: worker 0 cannot be set free$")
    server.process.kill()
    server.wait()


@in_lua
def test_kill_ends_the_process_when_the_others_are_done(serve):
    server = serve(
        """
local pl = require "perilune"
pl.set { watchdog = { warn = "10ms", abort = "20ms", kill = true } }
local pattern = (".-"):rep(20) .. "b"
pl.get("/", function() return tostring(("a"):rep(200):find(pattern)) end)
""",
        workers=2,
    )
    with server.connect() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert server.wait() == 1
    assert "cannot be set free: the process ends" in server.log()


def test_off(serve):
    server = serve(
        'local pl = require "perilune"\n'
        "pl.set { watchdog = false }\n"
        'pl.get("/", function() return "hello" end)\n'
    )
    assert server.get("/").text == "hello"
    names = [(task / "comm").read_text().strip()
             for task in (server.proc.path / "task").iterdir()]
    assert names and "watchdog" not in names


def test_stats(site):
    server = site(warn="5s", abort="30s")
    for _ in range(20):
        server.get("/hello")
    stats = server.get("/stats").json()
    assert stats["turns"] >= 5 and stats["held"] == stats["aborted"] == 0
    assert 0 < stats["longest"] <= stats["seconds"]
    assert sum(b["turns"] for b in stats["histogram"]) >= 5
    borders = [b["below"] for b in stats["histogram"][:-1]]
    assert borders == sorted(borders)


@in_lua
def test_stats_count_what_was_held(site):
    server = site()
    server.get("/compiled")
    stats = server.get("/stats").json()
    assert stats["aborted"] == 1 and stats["held"] >= 1
    # That turn may have accepted the second connection, too.
    wait_for(
        lambda: server.get("/stats").json()["longest"] >= 0.06,
        "the turn that was held",
    )


def test_the_stop_tells_of_the_turns(site):
    server = site("--log-level", "debug")
    server.get("/hello")
    server.stop()
    server.wait_log(r"debug watchdog: turns: worker=0 count=\d+ mean=\d+us")


PROGRAM = r"""
#include <perilune.h>
#include <time.h>

static int slow(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct timespec last, now;

    clock_gettime(CLOCK_MONOTONIC, &last);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec - last.tv_sec < 2);
    return pl_respondf(res, 200, "text/plain", "done");
}

static int park(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_sleep(req, 60000);

    return err < 0 ? err : pl_respondf(res, 200, "text/plain", "slept");
}

static int stats(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_turn_stats turns = {.size = sizeof(turns)};

    pl_app_turn_stats(pl_request_app(req), &turns);
    return pl_respondf(res, 200, "text/plain", "%d %d %d", turns.turns > 0,
                       (int)turns.held, turns.longest_ns > 1000000000);
}

int main(int argc, char **argv)
{
    struct pl_app *app = pl_app_new();

    pl_app_set(app, "signals", "on");
    pl_app_set(app, "announce", "on");
    pl_app_set(app, "workers", "1");
    pl_app_set(app, "watchdog_warn", "20ms");
    pl_app_set(app, "watchdog_abort", "0");
    pl_app_set(app, "budget_wall", "2500ms");
    pl_app_get(app, "/slow", slow, 0);
    pl_app_get(app, "/park", park, 0);
    pl_app_get(app, "/stats", stats, 0);
    pl_app_listen(app, "127.0.0.1:0");
    return pl_app_run(app);
}
"""


@pytest.mark.skipif(sanitized(), reason="built without the sanitizer")
def test_a_handler_in_c_is_named_by_its_function(tmp_path):
    (tmp_path / "slow.c").write_text(PROGRAM)
    build = build_folder()
    subprocess.run(
        ["cc", "-O1", "-o", "slow", "slow.c", f"-I{TOP}/include",
         f"-L{build}", "-lperilune", f"-Wl,-rpath,{build}"],
        cwd=tmp_path, check=True,
    )
    server = Server([tmp_path / "slow"], tmp_path, {})
    with server.connect() as wire:
        wire.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_log(
            NAMED + r" by GET /slow request=\S+ route=/slow in C: .*"
            r"\bslow \(slow\+0x[0-9a-f]+\)"
        )
        assert wire.response().status == 200
    # As above: it may not be over yet when the second connection is served.
    wait_for(
        lambda: server.get("/stats").text.split()[2] == "1",
        "the turn that was held",
    )
    turned, held, _ = server.get("/stats").text.split()
    assert turned == "1" and int(held) >= 1
    assert server.get("/park").status == 503
    server.wait_log(r"error http: GET /park was ended: it took more than its "
                    r"2\.5 s request=")
    assert not server.finish()
