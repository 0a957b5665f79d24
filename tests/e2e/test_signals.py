"""How a server ends: what finishes, what is cut off, what it says."""

import socket
from pathlib import Path
from signal import (
    SIGINT,
    SIGQUIT,
    SIGSEGV,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
)

import pytest

from harness.ports import listens
from harness.server import sanitized
from harness.wait import wait_for

# /wait answers when the file "go" is there; /stream sends a line for each file
# that appears, and ends at "go".
SITE = """
local pl = require "perilune"
local folder = pl.env "FOLDER"
local function exists(name)
  local file = io.open(folder .. "/" .. name)
  return file and file:close()
end
local function wait_for(name)
  while not exists(name) do pl.sleep(0.002) end
end
pl.get("/", function() return "hello" end)
pl.get("/wait", function()
  pl.log.notice "waiting"
  wait_for "go"
  return "done"
end)
pl.get("/stream", function(req, res)
  res:write "begin\\n"
  wait_for "go"
  res:write "end\\n"
end)
pl.get("/hang", function()
  pl.log.notice "hanging"
  while true do end
end)
pl.get("/deferred", function()
  pl.defer(function() pl.log.notice "deferred" end)
  pl.log.notice "waiting"
  pl.sleep(1000)
end)
pl.on("stop", function()
  pl.log.notice "stop handler"
  if exists "slow" then pl.sleep(1000) end
end)
"""
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def start(serve, tmp_path):
    def begin(*args, settings="", workers=1, site=SITE):
        site += f'require "perilune".set {{ {settings} }}\n'
        env = {"FOLDER": str(tmp_path)}
        return serve(site, *args, env=env, workers=workers)

    return begin


def refuses(server) -> bool:
    return not listens(server.port)


# ---- the graceful end ----


@pytest.mark.parametrize("signal", [SIGTERM, SIGQUIT], ids=["TERM", "QUIT"])
def test_running_requests_finish(start, tmp_path, signal):
    server = start(workers=2)
    with server.connect() as waiting, server.connect() as streaming:
        waiting.send(GET % b"/wait")
        streaming.send(GET % b"/stream")
        streaming.read_until(b"begin\n")
        server.wait_log("waiting")
        server.send_signal(signal)
        wait_for(lambda: refuses(server), "new connections to be refused")
        (tmp_path / "go").touch()
        response = waiting.response()
        assert response.text == "done" and not response.keeps_alive
        waiting.expect_closed()
        assert streaming.read_to_end().endswith(b"end\n\r\n0\r\n\r\n")
    assert server.wait() == 0
    assert len(server.wait_log("stop handler")) == 2, "one for each worker"
    assert "cut off" not in server.log()


# Streams without an end of their own, each of which hears of the stop in its
# way; a handler that waits for an answer; and one that does not want to hear.
ENDLESS = """
local pl = require "perilune"
pl.get("/topic", function(_, res)
  local news = pl.subscribe "news"
  res:write "begin\\n"
  local value, err = news:receive()
  while value do
    res:write(value)
    value, err = news:receive(3600)
  end
  res:write(err.code .. "\\n")
end)
pl.get("/messages", function(_, res)
  res:write "begin\\n"
  for value in pl.messages "news.>" do res:write(value) end
  res:write "over\\n"
end)
pl.get("/clock", function(_, res)
  res:write "begin\\n"
  while not pl.stopping(3600) do res:write "tick\\n" end
  res:write(tostring(pl.stopping()) .. "\\n")
end)
pl.get("/lines", function(_, res)
  local tail = pl.process.spawn { "cat" }
  res:write "begin\\n"
  pl.race {
    function() for line in tail:lines() do res:write(line) end end,
    function() pl.stopping(math.huge) end,
  }
  res:write "over\\n"
end)
pl.get("/deaf", function(_, res)
  local news = pl.subscribe "news"
  res:write "begin\\n"
  while true do news:receive(3600) end
end)
pl.get("/answer", function(_, res)
  local answer = pl.subscribe("answer", { through_stop = true })
  res:write "begin\\n"
  res:write((answer:receive(3600)))
end)
pl.spawn(function()
  for question in pl.messages "question" do pl.publish("answer", question) end
end)
pl.on("stop", function() pl.publish("news", "goodbye\\n") end)
pl.get("/ask", function(_, res)
  res:write "begin\\n"
  pl.stopping(math.huge)
  pl.publish("question", "asked\\n")
  res:write "over\\n"
end)
"""


@pytest.mark.parametrize("target, end", [
    (b"/topic", b"stopping\n"), (b"/messages", b"over\n"),
    (b"/clock", b"true\n"), (b"/lines", b"over\n"), (b"/deaf", None),
    (b"/answer", b"asked\n"),
])
def test_a_stop_ends_what_has_no_end(serve, target, end):
    server = serve(ENDLESS)
    with server.connect() as endless, server.connect() as asking:
        endless.send(GET % target)
        endless.read_until(b"begin\n\r\n")
        if target == b"/answer":
            asking.send(GET % b"/ask")
            asking.read_until(b"begin\n\r\n")
        server.send_signal(SIGTERM)
        rest = endless.read_to_end()
    assert server.wait() == 0
    assert "cut off" not in server.log() and "ERROR" not in server.log()
    if end is None:
        assert not rest.endswith(b"0\r\n\r\n"), "it was ended"
    else:
        assert rest.endswith(end + b"\r\n0\r\n\r\n"), "it has ended"
    if target == b"/topic":
        assert b"goodbye\n" in rest, "what was said before is heard"


def test_idle_connections_are_closed(start):
    server = start()
    with server.connect() as fresh, server.connect() as used:
        used.get("/")
        fresh.send(GET % b"/")
        fresh.response()
        server.send_signal(SIGTERM)
        fresh.expect_closed()
        used.expect_closed()
    assert server.wait() == 0


def test_connections_in_the_queue_are_answered(start, tmp_path):
    """Made by the kernel before the stop, while the worker was busy."""
    site = SITE + """
    pl.get("/busy", function()
      pl.log.notice "busy"
      while not exists "go" do end
      return "done"
    end)
    """
    server = start(site=site)
    with server.connect() as busy:
        busy.send(GET % b"/busy")
        server.wait_log("busy")
        queued = [server.connect() for _ in range(5)]
        for wire in queued:
            wire.send(GET % b"/")
        server.send_signal(SIGTERM)
        server.wait_log("SIGTERM")
        (tmp_path / "go").touch()
        assert busy.response().text == "done"
        for wire in queued:
            assert wire.response().text == "hello"
            wire.expect_closed()
    assert server.wait() == 0


def test_a_request_on_its_way_is_answered(start):
    """Half of its head had arrived when the stop came."""
    server = start()
    with server.connect() as wire:
        wire.get("/")
        wire.send(b"GET / HTTP/1.1\r\n")
        wait_for(lambda: seen(server, wire), "the half to be read")
        server.send_signal(SIGTERM)
        server.wait_log("stop handler")
        wire.send(b"Host: a\r\n\r\n")
        response = wire.response()
        assert response.text == "hello" and not response.keeps_alive
    assert server.wait() == 0


def seen(server, wire) -> bool:
    """Nothing that wire has sent lies in the server's socket any more."""
    port = f":{wire.socket.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[2].endswith(port):
            return words[4].endswith(":00000000")
    return False


def test_stop_timeout_cuts_off(start):
    server = start(settings="stop_timeout = 0.01")
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        server.send_signal(SIGTERM)
        assert wire.read_to_end() == b""
    assert server.wait() == 0
    server.wait_log(r"requests were cut off by the stop: worker=0 requests=1")


def test_stop_handlers_have_the_same_limit(start, tmp_path):
    (tmp_path / "slow").touch()
    server = start(settings="stop_timeout = 0.01")
    assert server.stop() == 0
    server.wait_log("stop handler")


def test_pl_stop_is_a_graceful_end_with_a_code(start, tmp_path):
    site = SITE + 'pl.get("/stop", function() pl.stop(7) return "soon" end)'
    server = start(site=site)
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        assert server.get("/stop").text == "soon"
        wait_for(lambda: refuses(server), "new connections to be refused")
        (tmp_path / "go").touch()
        assert wire.response().text == "done"
    assert server.wait() == 7


# ---- the fast end ----


@pytest.mark.parametrize(
    "signals", [[SIGTERM, SIGTERM], [SIGTERM, SIGINT], [SIGINT]], ids=str
)
def test_fast_end(start, signals):
    server = start(workers=2)
    with server.connect() as waiting, server.connect() as streaming:
        waiting.send(GET % b"/deferred")
        streaming.send(GET % b"/stream")
        streaming.read_until(b"begin\n")
        server.wait_log("waiting")
        for count, signal in enumerate(signals, 1):
            server.send_signal(signal)
            server.wait_log("notice server: SIG", count)
        waiting.read_to_end()
        streaming.read_to_end()
    assert server.wait() == 0
    assert len(server.wait_log("deferred")) == 1, "what was promised runs"
    server.wait_log("requests were cut off")


def test_a_handler_that_hangs_is_left_behind(start, tmp_path):
    server = start("--pid", tmp_path / "pid", "-h", f"unix:{tmp_path}/s")
    with server.connect() as wire:
        wire.send(GET % b"/hang")
        server.wait_log("hanging")
        for count in range(1, 4):
            server.send_signal(SIGTERM)
            server.wait_log("notice server: SIGTERM", count)
    assert server.wait() == 1
    server.wait_log("worker 0 does not end")
    assert not (tmp_path / "pid").exists() and not (tmp_path / "s").exists()


def test_a_handler_that_hangs_does_not_outlive_its_time(start):
    server = start(settings="stop_timeout = 0.01")
    with server.connect() as wire:
        wire.send(GET % b"/hang")
        server.wait_log("hanging")
        assert server.stop() == 1
    server.wait_log("worker 0 does not end")


def test_stop_while_a_later_worker_loads(serve):
    site = """
    local pl = require "perilune"
    if pl.workers.count > 1 and pl.workers.id == 1 then
      pl.log.notice "loading"
      pl.sleep(1000)
    end
    pl.on("stop", function() pl.log.error "never started" end)
    """
    server = serve(site, workers=3, announced=False)
    server.wait_log("loading")
    assert server.stop() == 0
    assert "never started" not in server.log()
    assert "listening" not in server.log()


@pytest.mark.skipif(sanitized(), reason="sanitizers report themselves")
def test_a_crash_leaves_a_line(start, tmp_path):
    server = start("--log", tmp_path / "log")
    assert server.stop(SIGSEGV) == -SIGSEGV
    assert "fatal signal 11 SIGSEGV" in (tmp_path / "log").read_text()


# ---- the other signals ----


def test_usr2_needs_a_supervisor(serve):
    server = serve(SITE, env={"FOLDER": "."}, supervisor=False)
    server.send_signal(SIGUSR2)
    server.wait_log("SIGUSR2: there is no supervisor")
    assert server.get("/").text == "hello"


def test_usr1_opens_the_logs_again(start, tmp_path):
    error, access = tmp_path / "error.log", tmp_path / "access.log"
    site = SITE + 'pl.get("/say", function() pl.log.error "said" end)'
    server = start("--log", error, "--access-log", access, site=site)
    server.get("/say?1")
    wait_for(lambda: "/say?1 " in access.read_text(), "the line")
    error.rename(tmp_path / "error.1")
    access.rename(tmp_path / "access.1")
    server.send_signal(SIGUSR1)
    wait_for(access.exists, "the new file")
    wait_for(error.exists, "the new file")
    server.get("/say?2")
    wait_for(lambda: "/say?2 " in access.read_text(), "the line")
    wait_for(lambda: "said" in error.read_text(), "the line")
    assert "/say?2" not in (tmp_path / "access.1").read_text()
    assert (tmp_path / "error.1").read_text().count("said") == 1
    assert server.stop() == 0
    assert "SIGTERM" in error.read_text()
