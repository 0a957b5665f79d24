"""The supervisor: what a server process that dies takes with it."""

import os
import re
import socket
import subprocess
from signal import SIGABRT, SIGHUP, SIGINT, SIGKILL, SIGSEGV, SIGSTOP, SIGTERM
from signal import SIGUSR1

import pytest

from harness.load import Load
from harness.ports import listens
from harness.proc import Proc
from harness.server import environment, program, sanitized
from harness.wait import GUARD, wait_for

SITE = """
local pl = require "perilune"
local folder = pl.env "FOLDER"
local function exists(name)
  local file = io.open(folder .. "/" .. name)
  return file and file:close()
end
pl.get("/", function() return "hello" end)
pl.get("/wait", function()
  pl.log.notice "waiting"
  while not exists "go" do pl.sleep(0.002) end
  return "done"
end)
pl.get("/hang", function() pl.log.notice "hanging" while true do end end)
pl.get("/say", function(req) pl.log.error(req.query) end)
pl.get("/stop", function() pl.stop(7) return "soon" end)
pl.websocket("/ws", { message = function(ws, data) ws:send(data) end })
pl.on("stop", function() pl.log.notice "stop handler" end)
"""
HANGS = "io.stderr:write 'reading\\n' while true do end"
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def start(serve, tmp_path):
    def begin(*args, site=SITE, workers=1, **more):
        env = {"FOLDER": str(tmp_path), **more.pop("env", {})}
        return serve(
            site, *args, workers=workers, supervisor=True, env=env, **more
        )

    return begin


def refuses(server) -> bool:
    return not listens(server.port)


def kill(server, signal=SIGKILL) -> Proc:
    """Ends the server process; returns the one that serves after it."""
    old = server.serving()
    count = len(re.findall("new server process serves", server.log()))
    os.kill(old.pid, signal)
    server.wait_log("new server process serves", count + 1)
    assert server.serving().pid != old.pid
    return server.serving()


# ---- a server process dies ----


def test_twenty_kills_under_load_refuse_nobody(start):
    """A kill cuts at most what each client has under way: connections that
    were accepted, among them each that is kept. Others wait for the next
    process. The supervisor's descriptors and memory stay what they are."""
    server = start(workers=2)
    kill(server)
    before = server.proc.fds(), server.serving().fds()
    memory = server.proc.rss_kib()
    load = Load(server.port, kept=4, sockets=2)
    for _ in range(19):
        load.more(10)
        wait_for(lambda: server.serving().age() > 0.3, "it to have lived")
        kill(server)
    load.more(10)
    load.end()
    most = {"once": 19 * 4, "kept": 19 * 4, "talk": 19 * 2}
    assert all(load.counts[name] <= most[name] for name in most), load.counts
    assert not load.closed, "nobody says goodbye"
    assert server.log().count("SIGKILL") == 20
    server.wait_log("starts=21 crashes=20")
    wait_for(
        lambda: (server.proc.fds(), server.serving().fds()) == before,
        "the same descriptors as before",
    )
    assert sanitized() or server.proc.rss_kib() - memory < 512


def test_connections_wait_for_the_next_one(start, tmp_path):
    """What is in the kernel's queue survives the process that did not take it:
    it stands still when they come, and then it is killed."""
    server = start()
    old = server.serving()
    os.kill(old.pid, SIGSTOP)
    wait_for(old.stands_still, "each of its threads to stop")
    queued = [server.connect() for _ in range(5)]
    for wire in queued:
        wire.send(GET % b"/")
    os.kill(old.pid, SIGKILL)
    for wire in queued:
        assert wire.response().text == "hello"
        wire.close()


def test_the_pid_file_and_descriptors_stay(start, tmp_path):
    server = start("--pid", tmp_path / "pid")
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"
    kill(server)
    before = server.proc.fds(), server.serving().fds()
    for _ in range(3):
        kill(server)
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"
    wait_for(
        lambda: (server.proc.fds(), server.serving().fds()) == before,
        "the same descriptors as before",
    )
    assert server.stop() == 0
    assert not (tmp_path / "pid").exists()


@pytest.mark.skipif(sanitized(), reason="sanitizers report themselves")
def test_last_words_and_the_supervisors_stand_in_the_log(start, tmp_path):
    server = start("--log", tmp_path / "log")
    server.get("/")
    os.kill(server.serving().pid, SIGSEGV)
    log = tmp_path / "log"
    wait_for(lambda: "new server process serves" in log.read_text(), "it")
    assert "fatal signal 11 SIGSEGV" in log.read_text()
    assert "fatal stack" in log.read_text()
    assert re.search(
        r"supervisor: the server process died: signal 11 SIGSEGV, .*core.*"
        r"core_pattern=.*crashes=1",
        log.read_text(),
    )
    assert server.get("/").text == "hello"


def test_the_supervisors_log_is_opened_again(start, tmp_path):
    log = tmp_path / "log"
    server = start("--log", log)
    log.rename(tmp_path / "log.1")
    server.send_signal(SIGUSR1)
    wait_for(log.exists, "the new file")
    server.get("/say?something")
    wait_for(lambda: "something" in log.read_text(), "the line")
    def told() -> bool:
        return "supervisor: the server process died" in log.read_text()

    os.kill(server.serving().pid, SIGABRT if not sanitized() else SIGKILL)
    wait_for(told, "the supervisor's line in the new file")


def test_a_site_that_has_become_bad_is_tried_again_with_pauses(start, tmp_path):
    server = start()
    (tmp_path / "site.lua").write_text("nonsense")
    os.kill(server.serving().pid, SIGKILL)
    server.wait_log("did not start: exit code 3; .*after a pause", 2)
    with server.connect() as wire:  # nobody is refused meanwhile
        wire.send(GET % b"/")
        (tmp_path / "site.lua").write_text(SITE)
        assert wire.response().text == "hello"


@pytest.mark.skipif(sanitized(), reason="the watchdog's clock is for people")
def test_a_worker_that_cannot_be_freed_costs_a_new_process(start):
    """The watchdog gives it up; without a supervisor that would be the end."""
    server = start(
        site="""
local pl = require "perilune"
pl.set { watchdog = { warn = "10ms", abort = "20ms", kill = true } }
local pattern = (".-"):rep(20) .. "b"
pl.get("/", function() return "hello" end)
pl.get("/stuck", function() return tostring(("a"):rep(200):find(pattern)) end)
""",
    )
    with server.connect() as wire:
        wire.send(GET % b"/stuck")
        server.wait_log("cannot be set free: the process ends")
        server.wait_log("the server process died: exit code 1")
        assert server.get("/").text == "hello"


# ---- the end ----


def test_running_requests_finish(start, tmp_path):
    server = start(workers=2)
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        server.send_signal(SIGTERM)
        wait_for(lambda: refuses(server), "new connections to be refused")
        (tmp_path / "go").touch()
        assert wire.response().text == "done"
    assert server.wait() == 0
    assert len(server.wait_log("stop handler")) == 2


def test_pl_stop_ends_all_with_its_code(start):
    server = start()
    assert server.get("/stop").text == "soon"
    assert server.wait() == 7
    assert "supervisor:" not in server.log()


def test_a_signal_to_the_whole_group_counts_once(start, tmp_path):
    """As a terminal sends it: the supervisor has it, and passes it on."""
    server = start()
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        os.killpg(server.pid, SIGTERM)
        server.wait_log("notice server: SIGTERM")
        os.kill(server.serving().pid, SIGINT)  # not his to give
        wait_for(lambda: refuses(server), "new connections to be refused")
        (tmp_path / "go").touch()
        assert wire.response().text == "done"
    assert server.wait() == 0
    assert server.log().count("notice server: SIG") == 1


def test_the_terminals_interrupt_ends_at_once(start):
    server = start()
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        os.killpg(server.pid, SIGINT)
        wire.read_to_end()
    assert server.wait() == 0


def test_a_handler_that_hangs_does_not_hold_the_end(start, tmp_path):
    server = start("--pid", tmp_path / "pid", "-h", f"unix:{tmp_path}/s")
    with server.connect() as wire:
        wire.send(GET % b"/hang")
        server.wait_log("hanging")
        for count in range(1, 4):
            server.send_signal(SIGTERM)
            server.wait_log("notice server: SIGTERM", count)
    assert server.wait() == 1
    assert not (tmp_path / "pid").exists() and not (tmp_path / "s").exists()


def test_signals_between_two_server_processes(start, tmp_path):
    server = start()
    (tmp_path / "site.lua").write_text("nonsense")
    os.kill(server.serving().pid, SIGKILL)
    server.wait_log("did not start")
    server.send_signal(SIGHUP)
    server.send_signal(SIGUSR1)
    assert server.stop() == 0


def test_the_server_process_ends_with_its_supervisor(start, tmp_path):
    server = start()
    child = server.serving()
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        os.kill(server.pid, SIGKILL)
        server.wait_log("the supervisor has gone")
        (tmp_path / "go").touch()
        assert wire.response().text == "done"
    wait_for(lambda: not child.alive(), "its end")
    assert server.wait() == -SIGKILL


@pytest.mark.parametrize("signal", [SIGTERM, SIGINT, SIGHUP])
def test_a_site_that_hangs_while_it_is_read(start, signal):
    server = start(site=HANGS, announced=False)
    server.wait_log("reading")
    assert server.stop(signal) == -signal


def test_the_supervisor_dies_while_the_site_is_read(start):
    server = start(site=HANGS, announced=False)
    server.wait_log("reading")
    child = server.serving()
    os.kill(server.pid, SIGKILL)
    wait_for(lambda: not child.alive(), "its end")
    assert server.wait() == -SIGKILL


def test_a_crash_while_it_starts_is_said(tmp_path):
    site = "local ffi = require 'ffi' ffi.cdef 'int raise(int); int getpid();'"
    (tmp_path / "site.lua").write_text(site + "\nffi.C.raise(9)\n")
    done = subprocess.run(
        [program(), "site.lua", "-p", "0"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )
    if "module 'ffi' not found" in done.stderr:
        pytest.skip("no FFI in this Lua")
    assert done.returncode == 1
    assert "died while it started: signal 9 SIGKILL" in done.stderr


# ---- systemd ----


class Notify:
    """The socket of a service manager."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(GUARD)

    def expect(self, text: str):
        said = self.socket.recv(200).decode()
        assert said.startswith(text), said


def test_systemd_hears_of_all(start, tmp_path):
    notify = Notify(tmp_path / "notify")
    site = SITE + 'print("sees " .. pl.env("NOTIFY_SOCKET", "nothing"))'
    server = start(site=site, env={"NOTIFY_SOCKET": str(notify.path)})
    notify.expect("READY=1")
    server.wait_log("sees nothing")
    kill(server)
    notify.expect("READY=1")
    server.send_signal(SIGTERM)
    notify.expect("STOPPING=1")
    assert server.wait() == 0


@pytest.mark.parametrize("supervisor", [True, False])
def test_systemds_watchdog_is_fed(serve, tmp_path, supervisor):
    notify = Notify(tmp_path / "notify")
    env = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "20000"}
    server = serve(
        SITE, supervisor=supervisor, env={"FOLDER": str(tmp_path), **env}
    )
    said = {notify.socket.recv(200) for _ in range(10)}
    assert said == {b"READY=1", b"WATCHDOG=1"}
    assert server.get("/").text == "hello"


def test_systemds_watchdog_starves_when_the_server_stands_still(
    start, tmp_path
):
    notify = Notify(tmp_path / "notify")
    env = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": "20000"}
    server = start(env=env)
    os.kill(server.serving().pid, SIGSTOP)
    notify.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        for _ in range(1000):
            notify.socket.recv(200)
    os.kill(server.serving().pid, SIGKILL)
    server.wait_log("new server process serves")


# ---- without one ----


def test_without_a_supervisor_there_is_one_process(serve):
    server = serve(SITE, supervisor=False, env={"FOLDER": "."})
    assert server.proc.children() == []
    assert server.stop(SIGKILL) == -SIGKILL
