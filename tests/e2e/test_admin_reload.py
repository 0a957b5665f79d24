"""Reloads by the admin socket: what they answer, what the status says of them,
of old generations and of modules."""

import os
import re
from signal import SIGTERM

import pytest

from harness.admin import ask, status
from harness.modules import build
from harness.wait import GUARD, wait_for
from harness.wire import Wire

# {0} is which version of the site this is. It waits while it is loaded if there
# is a file "slow", and the requests until there is a file "go".
SITE = """
local pl = require "perilune"
local function exists(name)
  local file = io.open(pl.env "FOLDER" .. "/" .. name)
  return file and file:close()
end
while exists "slow" do pl.sleep(0.002) end
pl.get("/", function() return "{0}" end)
pl.get("/wait/:what", function()
  while not exists "go" do pl.sleep(0.002) end
  return "{0}"
end)
"""
BROKEN = "local pl = require 'perilune'\npl.get(\n"
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
BOTH = pytest.mark.parametrize(
    "supervisor", [False, True], ids=["alone", "supervised"]
)


@pytest.fixture
def start(serve, tmp_path):
    def begin(*args, site=SITE.format("v1"), workers=2, **more):
        env = {"FOLDER": str(tmp_path)}
        server = serve(
            site, "--pid", "a.pid", *args, env=env, workers=workers, **more
        )
        server.admin = str(tmp_path / "a.admin")
        return server

    return begin


@pytest.fixture
def reload(tmp_path, command):
    """Writes another site, and has it loaded."""

    def run(site, *args):
        (tmp_path / "site.lua").write_text(site)
        return command("reload", *args, "--pid", "a.pid")

    return run


def last(server):
    return status(server)["reload"]


def old_generations(server):
    return [
        generation
        for worker in status(server)["workers"]
        for generation in worker["generations"]
        if generation["stage"] != "serving"
    ]


# ---- orders ----


@BOTH
def test_reload_returns_when_all_workers_serve_the_site(
    start, reload, supervisor
):
    server = start(workers=4, supervisor=supervisor)
    process = status(server)["process"]
    done = reload(SITE.format("v2"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {server.get("/").text for _ in range(20)} == {"v2"}
    now = status(server)
    assert now["process"] == process and now["generation"] == 2
    assert now["reload"]["result"] == "reloaded"
    assert now["reload"]["why"] == "admin" and now["reload"]["error"] == ""
    assert (now["reload"]["count"], now["reload"]["failed"]) == (1, 0)
    assert abs(now["reload"]["when"] - now["started"]) < GUARD


@BOTH
def test_what_is_refused_is_said_with_file_and_line(
    start, reload, supervisor, command
):
    server = start(supervisor=supervisor)
    assert status(server)["reload"]["result"] == "never"
    done = reload(BROKEN)
    assert done.returncode == 3 and done.stdout == ""
    assert re.match(r"perilune: not reloaded: .*site\.lua:\d: ", done.stderr)
    assert server.get("/").text == "v1"
    now = status(server)
    assert now["generation"] == 1 and now["reload"]["result"] == "refused"
    assert re.search(r"site\.lua:\d: ", now["reload"]["error"])
    assert (now["reload"]["count"], now["reload"]["failed"]) == (1, 1)
    shown = command("status", "--pid", "a.pid").stdout
    assert re.search(r"^reload .* not reloaded .*site\.lua:\d: ", shown, re.M)
    answer = ask(server, "/reload", "POST")
    assert answer.status == 409 and answer.json()["result"] == "refused"


def test_several_orders_at_once(start, reload, tmp_path):
    """What is asked for during a reload is one more behind it."""
    server = start()
    (tmp_path / "slow").touch()
    wires = [Wire(server.admin, GUARD) for _ in range(6)]
    wires[0].send(POST % b"/reload")
    wait_for(lambda: last(server)["stage"] == "loading", "the first")
    for wire in wires[1:]:
        wire.send(POST % b"/reload")
    (tmp_path / "slow").unlink()
    assert [wire.response().status for wire in wires] == [200] * 6
    assert last(server)["count"] >= 2
    for wire in wires:
        wire.close()


def test_who_goes_away_gets_no_answer_but_a_reload(start, tmp_path):
    server = start()
    (tmp_path / "slow").touch()
    with Wire(server.admin, GUARD) as wire:
        wire.send(POST % b"/reload")
        wait_for(lambda: last(server)["stage"] == "loading", "the reload")
    (tmp_path / "slow").unlink()
    wait_for(lambda: last(server)["result"] == "reloaded", "its end")


def test_a_stop_ends_the_wait(start, tmp_path):
    server = start()
    (tmp_path / "slow").touch()
    with Wire(server.admin, GUARD) as wire:
        wire.send(POST % b"/reload")
        wait_for(lambda: last(server)["stage"] == "loading", "the reload")
        server.send_signal(SIGTERM)
        assert wire.response().status == 503
    assert server.wait() == 0


def test_reload_hard_is_another_process(start, reload):
    server = start(supervisor=True)
    process = status(server)["process"]
    done = reload(SITE.format("v2"), "--hard")
    assert done.returncode == 0, done.stderr
    assert status(server)["process"] != process
    assert server.get("/").text == "v2"


def test_reload_hard_of_what_is_broken_says_so(start, reload):
    server = start(supervisor=True)
    process = status(server)["process"]
    done = reload(BROKEN, "--hard")
    assert done.returncode == 1
    assert "perilune: not reloaded: " in done.stderr
    assert status(server)["process"] == process
    assert server.get("/").text == "v1"


def test_without_a_supervisor_there_is_no_other_process(start, reload):
    server = start(supervisor=False)
    done = reload(SITE.format("v2"), "--hard")
    assert done.returncode == 1 and "there is no supervisor" in done.stderr
    assert server.get("/").text == "v1"


RESTART = SITE + 'pl.set {{ log_level = "debug" }}\n'


def test_what_needs_a_new_process_gets_one(start, reload):
    server = start(supervisor=True)
    process = status(server)["process"]
    done = reload(RESTART.format("v2"))
    assert done.returncode == 0, done.stderr
    assert status(server)["process"] != process
    assert server.get("/").text == "v2"


def test_what_needs_a_new_process_is_refused_without_one(start, reload):
    server = start(supervisor=False)
    done = reload(RESTART.format("v2"))
    assert done.returncode == 3 and "needs a restart" in done.stderr
    assert server.get("/").text == "v1"


HOLDS = SITE + """
pl.get("/worker", function() return tostring(pl.workers.id) end)
pl.get("/hold", function()
  pl.log.notice "holding"
  return io.open(pl.env "FOLDER" .. "/fifo"):read("a")
end)
if pl.workers.id == 1 and exists "late" then
  pl.log.notice "worker 0 has loaded"
  while exists "late" do pl.sleep(0.002) end
end
"""


def test_a_held_worker_is_told_of(start, tmp_path, command):
    """It has loaded the site, but takes it when its handler returns. (Others
    are waited for ten seconds.)"""
    server = start(site=HOLDS.format("v1"))
    (tmp_path / "site.lua").write_text(HOLDS.format("v2"))
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "late").touch()
    wires = []
    try:
        while not wires or wires[-1].get("/worker").text != "0":
            wires.append(server.connect())
        with Wire(server.admin, GUARD) as asking:
            asking.send(POST % b"/reload")
            server.wait_log("worker 0 has loaded")
            wires[-1].send(GET % b"/hold")
            server.wait_log("holding")
            (tmp_path / "late").unlink()
            answer = asking.response()
        assert answer.status == 200
        assert answer.json()["result"] == "reloaded"
        assert answer.json()["held"] == 1
        (tmp_path / "fifo").write_text("let go")
        assert wires[-1].response().text == "let go"
        wait_for(lambda: wires[-1].get("/").text == "v2", "worker 0, too")
    finally:
        for wire in wires:
            wire.close()
    assert command("reload", "--pid", "a.pid").returncode == 0


def test_each_of_many_reloads_has_its_line(start):
    """However fast they come: others would be held back."""
    server = start()
    for _ in range(40):
        assert ask(server, "/reload", "POST").status == 200
    assert last(server)["count"] == 40
    lines = server.wait_log(r"reloaded: generation=(\d+) why=admin", 40)
    assert [int(line[1]) for line in lines] == list(range(2, 42))
    assert status(server)["log"]["suppressed"] == 0


# ---- generations ----


def test_the_status_says_what_keeps_a_generation_alive(
    start, reload, tmp_path, command
):
    server = start()
    with server.connect() as wire:
        wire.send(GET % b"/wait/for-it")
        wait_for(
            lambda: any(
                worker["requests"]["open"]
                for worker in status(server)["workers"]
            ),
            "the request",
        )
        assert reload(SITE.format("v2")).returncode == 0
        (old,) = wait_for(
            lambda: [g for g in old_generations(server) if g["requests"]]
            if len(old_generations(server)) == 1
            else None,
            "the other worker's to be collected",
        )
        assert old["generation"] == 1 and old["stage"] == "retired"
        assert old["requests"] == 1 and 0 < old["left_s"] <= 30
        (keeper,) = old["kept_by"]
        assert keeper["path"] == "/wait/for-it" and keeper["generation"] == 1
        conns = ask(server, "/connections?wait=60").json()["workers"]
        assert keeper["connection"] in [
            c["id"] for w in conns for c in w["connections"]
        ]
        for words in (["status"], ["top"]):
            shown = command(*words, "--pid", "a.pid").stdout
            assert "generation 2  reloaded " in shown
            assert re.search(
                r"generation 1  worker \d  retired .*\n"
                r" +kept by GET /wait/for-it ",
                shown,
            )
        (tmp_path / "go").touch()
        assert wire.response().text == "v1"
    wait_for(lambda: not old_generations(server), "its end")


def test_generations_have_an_age_and_the_worker_all_that_live(start, reload):
    server = start(workers=1)
    (first,) = status(server)["workers"][0]["generations"]
    assert first["generation"] == 1 and first["stage"] == "serving"
    assert first["requests"] == 0 and "kept_by" not in first
    assert reload(SITE.format("v2")).returncode == 0
    (second,) = wait_for(
        lambda: [
            g
            for g in status(server)["workers"][0]["generations"]
            if g["stage"] == "serving"
        ],
        "the second",
    )
    assert second["generation"] == 2
    assert second["age_s"] < status(server)["uptime_s"]


def test_routes_are_counted_for_their_generation_alone(
    start, reload, tmp_path
):
    """The second site has another route in the place of the first one's; what
    still runs of the old is not counted for it."""
    server = start(workers=1)

    def routes():
        (worker,) = ask(server, "/routes?wait=60").json()["workers"]
        return worker["generation"], {
            r["route"]: r["requests"] for r in worker["routes"]
        }

    routes()
    with server.connect() as wire:
        wire.send(GET % b"/wait/1")
        server.get("/")
        assert routes() == (1, {"/": 1, "/wait/:what": 0, "(none)": 0})
        other = 'pl.get("/new", function() return "new" end)\n'
        head, tail = SITE.format("v2").split("pl.get", 1)
        assert reload(head + other + "pl.get" + tail).returncode == 0
        server.get("/new")
        (tmp_path / "go").touch()
        assert wire.response().text == "v1"
    generation, counted = routes()
    assert generation == 2
    assert counted == {"/new": 1, "/": 0, "/wait/:what": 0, "(none)": 0}


# ---- modules ----

MODULE = """
#include <perilune.h>
PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);
PL_HANDLER(number) { return pl_respondf(res, 200, "text/plain", "%d", NUMBER); }
"""
USES_MODULE = SITE + """
pl.module "number.so"
pl.get("/number", pl.handler "number")
"""


def test_the_status_lists_modules_and_those_that_stay(
    start, reload, tmp_path, command
):
    """The first copy says that it must never be unloaded."""
    path = tmp_path / "number.so"
    build(MODULE, path, "-DNUMBER=1", "-Wl,-z,nodelete")
    server = start(site=USES_MODULE.format("v1"))
    # Another one stays from when the site was read for the first time.
    read, module = sorted(status(server)["modules"], key=lambda m: m["copy"])
    assert module["path"].endswith("number.so")
    assert module["used"] == 2 and read["used"] == 0
    build(MODULE, path, "-DNUMBER=2")
    assert reload(USES_MODULE.format("v2")).returncode == 0
    assert server.get("/number").text == "2"

    def both():
        found = {m["copy"]: m["used"] for m in status(server)["modules"]}
        return found if found[module["copy"]] == 0 else None

    found = wait_for(both, "the first to be let go")
    assert sorted(found.values()) == [0, 0, 2]
    shown = command("status", "--pid", "a.pid").stdout
    assert re.search(r"^module .*number\.so.* used 2$", shown, re.M)
    assert re.search(
        r"^module .*number\.so.* not used, but it cannot be unloaded$",
        shown,
        re.M,
    )


OLD_MODULE = """
#include "80s.h"
#include <lauxlib.h>
static serve_params *mine;
static int again(lua_State *L)
{
    lua_pushinteger(L, s80_reload(mine->reload));
    return 1;
}
void on_load(void *ctx, serve_params *params, int reload)
{
    mine = params;
    lua_register((lua_State *)ctx, "again", again);
}
"""
USES_OLD = SITE + 'pl.get("/again", function() return again() .. "" end)\n'


def test_a_module_of_80s_asks_for_a_reload(start, tmp_path):
    build(OLD_MODULE, tmp_path / "old.so")
    server = start(
        "-m", "old.so", site=USES_OLD.format("v1"), workers=1
    )
    (tmp_path / "site.lua").write_text(USES_OLD.format("v2"))
    assert server.get("/again").text == "0"
    wait_for(lambda: server.get("/").text == "v2", "the reload")
    assert last(server)["why"] == "s80_reload"
    assert server.get("/again").text == "0"
    wait_for(lambda: last(server)["count"] == 2, "another one")
