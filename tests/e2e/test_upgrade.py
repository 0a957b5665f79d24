"""The program is replaced while it serves: USR2."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from signal import SIGKILL, SIGUSR2

import pytest

from harness.load import Load
from harness.server import program, sanitized
from harness.wait import GUARD, wait_for

SITE = """
local pl = require "perilune"
local folder = pl.env "FOLDER"
local function exists(name)
  local file = io.open(folder .. "/" .. name)
  return file and file:close()
end
if exists "bad" then error("bad site") end
if exists "worse" and pl.workers.count > 1 then error("worse site") end
if exists "slow" and pl.workers.count > 1 then
  pl.log.notice "it hangs"
  while exists "slow" do pl.sleep(0.002) end
end
pl.get("/", function() return "hello" end)
pl.get("/wait", function()
  pl.log.notice "waiting"
  while not exists "go" do pl.sleep(0.002) end
  return "done"
end)
pl.websocket("/ws", { message = function(ws, data) ws:send(data) end })
"""
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def start(serve, tmp_path):
    """A server whose program is a file of its own."""

    def begin(*args, site=SITE, workers=2, **more):
        binary = tmp_path / "perilune"
        shutil.copy(program(), binary)
        env = {"FOLDER": str(tmp_path), **more.pop("env", {})}
        return serve(
            site,
            *args,
            workers=workers,
            supervisor=True,
            env=env,
            binary=binary,
            **more,
        )

    return begin


HANGS = """
#include <stdio.h>
#include <unistd.h>
int main(void) { fputs("checking\\n", stderr); return pause(); }
"""


def compile_to(source: str, out: Path):
    words = ["cc", "-xc", "-", "-o", str(out)]
    subprocess.run(words, input=source, text=True, check=True)


def install(server, source: Path | bytes | str | None = None):
    """Another file takes its place, as a package manager does it. A text is
    compiled."""
    new = server.folder / "perilune.new"
    if isinstance(source, str):
        compile_to(source, new)
    elif isinstance(source, bytes):
        new.write_bytes(source)
        new.chmod(0o755)
    else:
        shutil.copy(source or program(), new)
    new.rename(server.folder / "perilune")


def upgrade(server, count: int):
    """The count-th one, to its end: the old server process has gone."""
    server.send_signal(SIGUSR2)
    server.wait_log("a new server process serves", count)
    server.wait_log("the old server process has ended", count)


def test_twenty_upgrades_under_load_fail_nobody(start):
    """Not even who asks again on a connection that is kept. WebSockets are
    closed with 1001 and come again; who comes to the old process once more,
    which accepts until the new one does, is closed twice."""
    server = start("--pid", "pid")
    upgrade(server, 1)
    before = server.proc.fds(), server.serving().fds()
    memory = server.proc.rss_kib() + server.serving().rss_kib()
    load = Load(server.port, kept=4, sockets=2)
    for count in range(2, 21):
        install(server)
        load.more(10)
        upgrade(server, count)
    load.more(10)
    load.end()
    assert load.cut == 0, load.counts
    assert set(load.closed) <= {1001} and load.closed[1001] <= 2 * 2 * 20
    assert os.path.samefile(
        server.proc.path / "exe", server.folder / "perilune"
    ), "the last one that was installed"
    wait_for(
        lambda: (server.proc.fds(), server.serving().fds()) == before,
        "the same descriptors as before",
    )
    after = server.proc.rss_kib() + server.serving().rss_kib()
    assert sanitized() or after - memory < 2048, (memory, after)
    assert (server.folder / "pid").read_text() == f"{server.pid}\n"
    assert server.stop() == 0
    assert not (server.folder / "pid").exists()


def test_a_request_of_the_old_program_finishes(start, tmp_path):
    server = start()
    old = server.serving()
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        server.send_signal(SIGUSR2)
        server.wait_log("a new server process serves")
        assert server.serving().pid != old.pid and old.alive()
        assert server.get("/").text == "hello"
        (tmp_path / "go").touch()
        assert wire.response().text == "done"
    wait_for(lambda: not old.alive(), "its end")


def test_a_stop_waits_for_the_old_one_too(start, tmp_path):
    server = start()
    with server.connect() as wire:
        wire.send(GET % b"/wait")
        server.wait_log("waiting")
        server.send_signal(SIGUSR2)
        server.wait_log("a new server process serves")
        server.send_signal()
        server.wait_log("notice server: SIGTERM", 2)
        (tmp_path / "go").touch()
        wire.read_to_end()
    assert server.wait() == 0


@pytest.mark.parametrize(
    "source, why",
    [
        (b"nonsense", "Exec format error"),
        (Path("/bin/true"), "no perilune that could take over"),
        (Path("/bin/false"), "its check failed, see above"),
        (b"#!/bin/sh\nexit 0\n", "its check failed, see above"),
        ("#include <stdlib.h>\nint main(void) { abort(); }",
         "its check crashed"),
    ],
    ids=["nonsense", "another", "fails", "script", "crashes"],
)
def test_a_broken_program_changes_nothing(start, source, why):
    server = start()
    old = server.serving().pid
    load = Load(server.port, kept=2, sockets=2)
    install(server, source)
    server.send_signal(SIGUSR2)
    server.wait_log(f"no upgrade to .*: .*{why}; everything goes on as it was")
    load.more(10)
    load.end()
    assert load.cut == 0 and not load.closed
    assert server.serving().pid == old
    install(server)
    upgrade(server, 1)
    assert server.get("/").text == "hello"


def test_a_program_that_hangs_in_its_check_holds_nobody(start):
    server = start()
    old = server.serving()
    load = Load(server.port, kept=2, sockets=2)
    install(server, HANGS)
    server.send_signal(SIGUSR2)
    server.wait_log("checking")
    load.more(100)
    assert load.cut == 0 and not load.closed
    check = server.serving()  # the youngest
    assert check.pid != old.pid
    os.kill(old.pid, SIGKILL)
    server.wait_log("a new server process serves")
    load.more(100)
    load.end()
    of_the_check = [name for name in server.serving().fd_targets()
                    if "memfd" in name or name.endswith("/perilune")]
    assert not of_the_check, "they are the supervisor's"
    assert server.stop() == 0
    wait_for(lambda: not check.alive(), "the check to end, too")


def test_one_that_hangs_while_it_starts_leaves_the_old_one(start, tmp_path):
    server = start()
    old = server.serving().pid
    load = Load(server.port, kept=2, sockets=2)
    (tmp_path / "slow").touch()
    server.send_signal(SIGUSR2)
    server.wait_log("it hangs")
    load.more(100)
    assert load.cut == 0 and not load.closed
    assert old in server.proc.children()
    (tmp_path / "slow").unlink()
    server.wait_log("a new server process serves")
    server.wait_log("the old server process has ended")
    load.more(100)
    load.end()
    assert load.cut == 0 and set(load.closed) <= {1001}


def test_a_program_that_is_gone_changes_nothing(start):
    server = start()
    (server.folder / "perilune").unlink()
    server.send_signal(SIGUSR2)
    server.wait_log("no upgrade to .*: No such file or directory")
    assert server.get("/").text == "hello"


def test_a_site_that_has_become_bad_changes_nothing(start, tmp_path):
    server = start()
    (tmp_path / "bad").touch()
    server.send_signal(SIGUSR2)
    server.wait_log("site.lua:8: bad site")
    server.wait_log("no upgrade to .*: its check failed")
    assert server.get("/").text == "hello"


def test_one_that_does_not_get_ready_leaves_the_old_one(start, tmp_path):
    server = start()
    old = server.serving().pid
    load = Load(server.port)
    (tmp_path / "worse").touch()
    server.send_signal(SIGUSR2)
    server.wait_log("site.lua:9: worse site")
    server.wait_log("did not start: exit code 3; the old one goes on")
    load.more(10)
    load.end()
    assert load.cut == 0 and server.serving().pid == old
    (tmp_path / "worse").unlink()
    upgrade(server, 1)


def test_crashes_after_an_upgrade_cost_no_more_than_before(start):
    server = start()
    upgrade(server, 1)
    os.kill(server.serving().pid, SIGKILL)
    server.wait_log("a new server process serves", 2)
    assert server.get("/").text == "hello"


def test_unix_sockets_and_the_log_are_handed_on(start, tmp_path):
    server = start("-h", f"unix:{tmp_path}/s", "--log", tmp_path / "log")
    log = tmp_path / "log"

    def told(text: str):
        wait_for(lambda: text in log.read_text(), text)

    server.send_signal(SIGUSR2)
    told("the old server process has ended")
    with server.connect(f"{tmp_path}/s") as wire:
        assert wire.get("/").text == "hello"
    (tmp_path / "bad").touch()
    server.send_signal(SIGUSR2)
    told("site.lua:8: bad site")
    assert server.stop() == 0
    assert not (tmp_path / "s").exists()


def test_systemd_hears_of_it(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(GUARD)
        server = start(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert notify.recv(200) == b"READY=1"
        server.send_signal(SIGUSR2)
        said = [notify.recv(200)]
        while said[-1] != b"READY=1":
            said.append(notify.recv(200))
        assert said[0].startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        server.send_signal()
        assert notify.recv(200) == b"STOPPING=1"
        assert server.wait() == 0
