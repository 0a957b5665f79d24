"""Reloads under all kinds of load: requests on connections of their own, on
kept ones, by wrk, by h2load, and WebSockets. Not one of them is cut off."""

import os
import resource
import subprocess
from signal import SIGKILL

import pytest

from harness.load import H2load, Load, Wrk, missing
from harness.reload import write
from harness.server import sanitized
from harness.wait import wait_for
from harness.wire import Response

SITE = """
local pl = require "perilune"
pl.set {{ reload_drain = "1s" }}
pl.get("/", function() return "hello" end)
pl.get("/version", function() return "{0}" end)
pl.get("/wait", function() pl.sleep(0.005) return "waited" end)
pl.post("/upload", {{ max_body = "8m" }}, function(req)
  return tostring(#req:body())
end)
pl.websocket("/ws", {{ message = function(ws, data) ws:send(data) end }})
"""
BROKEN = [
    "x(",
    "error 'broken'",
    "require 'missing'",
    SITE.format("broken") + "pl.get('/', 1)",
    SITE.format("broken") + "pl.sleep(0.01) pl.module 'missing.so'",
    SITE.format("broken") + "if pl.workers.id == 1 then error 'one' end",
]
FAIR = 2048  # KiB that may come and go
needs_tools = pytest.mark.skipif(
    missing("wrk", "h2load") != "", reason="needs wrk and h2load"
)


def rounds(count: int) -> int:
    """Fewer where each of them is slow."""
    return max(count // 10, 5) if sanitized() else count


def asked(server, method: str, target: str) -> Response:
    """What the admin socket answers."""
    with server.connect(str(server.folder / "admin")) as wire:
        return wire.request(method, target)


def reload_to(server, version: str, site: str = SITE):
    """Until all workers serve it."""
    write(server, site.format(version))
    answer = asked(server, "POST", "/reload")
    assert answer.status == 200, answer.text


def reload_broken(server, text: str):
    write(server, text)
    answer = asked(server, "POST", "/reload")
    assert answer.status == 409, answer.text


def status(server) -> dict:
    return asked(server, "GET", "/status").json()


def generations(server) -> list[int]:
    """How many each worker has."""
    return [len(worker["generations"]) for worker in status(server)["workers"]]


class Scales:
    """What a server holds when nothing is asked of it."""

    def __init__(self, server):
        self.server = server
        self.settle()
        self.before = self.weigh()

    def settle(self):
        wait_for(
            lambda: set(generations(self.server)) == {1}, "old ones to end"
        )

    def weigh(self) -> tuple[int, int]:
        return self.server.proc.fds(), self.server.proc.rss_kib()

    def fair(self) -> bool:
        fds, memory = self.weigh()
        return fds <= self.before[0] and (
            sanitized() or memory - self.before[1] <= FAIR
        )

    def check(self):
        self.settle()
        wait_for(self.fair, f"{self.before}, it is {self.weigh()}")


@pytest.fixture
def start(serve):
    def begin(site=SITE, *args, version="v1", **options):
        options = {"workers": 2, **options}
        return serve(site.format(version), "--admin", "admin", *args, **options)

    return begin


@pytest.fixture
def load():
    """All that asks; ended, and judged, when the test says so."""
    running = []

    def begin(server, target="/"):
        running.append(Load(server.port, clients=2, kept=2, sockets=4))
        running.append(Wrk(server.url(target)))
        running.append(H2load(server.url(target)))
        return running[0]

    def end():
        while running:
            running.pop().end()

    begin.end = end
    yield begin
    for one in running:
        one.kill()


def nothing_lost(load, clients: Load):
    load.end()
    assert clients.cut == 0 and not clients.closed, (
        clients.counts, clients.closed,
    )  # fmt: skip


@needs_tools
def test_1000_reloads_lose_nothing(start, load):
    """No request, no socket, no memory, no descriptor."""
    server = start()
    for n in range(rounds(100)):
        reload_to(server, f"w{n}")
    scales = Scales(server)
    clients = load(server, "/wait")
    for n in range(rounds(1000)):
        reload_to(server, f"v{n}")
    nothing_lost(load, clients)
    assert server.get("/version").text == f"v{rounds(1000) - 1}"
    scales.check()


@needs_tools
def test_good_and_broken_sites_take_turns(start, load):
    server = start()
    reload_to(server, "v0")
    reload_broken(server, BROKEN[0])
    scales = Scales(server)
    clients = load(server)
    for n in range(rounds(60)):
        reload_broken(server, BROKEN[n % len(BROKEN)])
        assert server.get("/version").text == f"v{n}"
        reload_to(server, f"v{n + 1}")
        assert server.get("/version").text == f"v{n + 1}"
    nothing_lost(load, clients)
    scales.check()


# ---- a disk that is full ----


FULL = SITE.replace(
    '"1s" }}', '"1s", temp_folder = "disk", body_spool = "1k" }}'
)
LARGE = b"x" * 300_000


@pytest.fixture
def disk(tmp_path):
    """A small one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("tmpfs may not be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """To the last byte; gives the file."""
    path = folder / "full"
    with path.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(4096))
    return path


@needs_tools
@pytest.mark.parametrize("supervisor", [True, False])
def test_a_full_disk_stops_no_reload(start, load, disk, supervisor):
    """Logs are lost, uploads are refused; all else goes on, also when there is
    room again."""
    server = start(FULL, "--log", disk / "log", supervisor=supervisor)
    reload_to(server, "v2", FULL)
    clients = load(server)
    full = fill(disk)
    for n in range(3, 13):
        reload_to(server, f"v{n}", FULL)
        assert server.get("/version").text == f"v{n}"
        answer = server.request("POST", "/upload", body=LARGE)
        assert answer.status == 507
        reload_broken(server, "x(")
    said = len((disk / "log").read_bytes())
    full.unlink()
    assert server.request("POST", "/upload", body=LARGE).text == "300000"
    reload_to(server, "v13", FULL)
    wait_for(
        lambda: b"reloaded: " in (disk / "log").read_bytes()[said:], "the log"
    )
    nothing_lost(load, clients)


@pytest.mark.parametrize("supervisor", [True, False])
def test_a_log_as_large_as_is_allowed_ends_nobody(start, supervisor):
    """Who writes beyond RLIMIT_FSIZE is sent a signal that ends it by
    default."""
    server = start(SITE, "--log", "log", supervisor=supervisor)
    limit = (server.folder / "log").stat().st_size, 1 << 20
    for proc in {server.pid, server.serving().pid}:
        resource.prlimit(proc, resource.RLIMIT_FSIZE, limit)
    for n in range(3):
        reload_broken(server, "x(")
        reload_to(server, f"v{n}")
    if supervisor:  # which has something to say, too
        os.kill(server.serving().pid, SIGKILL)
    assert server.get("/").text == "hello"
