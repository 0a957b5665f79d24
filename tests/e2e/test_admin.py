"""The admin socket and the commands that use it: who may ask, what is said,
what is done, and that nobody who asks can hold or harm the server."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGWINCH

import pytest

from harness.admin import ask, status, total
from harness.modules import build
from harness.server import TOP, program
from harness.wait import GUARD, wait_for
from harness.wire import Wire

sys.path.insert(0, str(TOP / "tools"))

import docblocks  # noqa: E402

SITE = """
local pl = require "perilune"
pl.shared("things"):set("a", 1)
local function exists(name)
  local file = io.open(pl.env "FOLDER" .. "/" .. name)
  return file and file:close()
end
pl.get("/", function() return "hello" end)
pl.get("/wait/:what", function()
  while not exists "go" do pl.sleep(0.002) end
  return "done"
end)
pl.get("/fail", function() error "no" end)
pl.get("/spin", function()
  pl.log.notice "spinning"
  while not exists "go" do end
  return "done"
end)
pl.websocket("/ws", { message = function() end })
pl.get("/limited", { limit = "1/s" }, function() return "hello" end)
"""
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def start(serve, tmp_path):
    def begin(*args, workers=2, settings="", **more):
        site = SITE + f'require "perilune".set {{ {settings} }}\n'
        env = {"FOLDER": str(tmp_path)}
        server = serve(
            site, "--pid", "a.pid", *args, env=env, workers=workers, **more
        )
        server.admin = str(tmp_path / "a.admin")
        return server

    return begin


# ---- what is said ----


def test_status_says_what_the_server_does(start):
    server = start()
    for target in ("/", "/", "/fail", "/nothing"):
        server.get(target)
    with server.connect() as wire:
        wire.get("/")
        # A worker answers before it looks who has hung up meanwhile.
        wait_for(lambda: total(server, "connections", "http1") == 1, "ends")
        now = status(server)
    assert now["pid"] == server.pid and now["state"] == "serving"
    assert now["site"].endswith("site.lua") and now["uptime_s"] > 0
    (listener,) = now["listeners"]
    assert listener["address"] == f"127.0.0.1:{server.port}"
    assert listener["queued"] == 0 and listener["backlog"] > 0
    (shared,) = now["shared"]
    assert shared["name"] == "things" and shared["keys"] == 1
    assert now["log"]["level"] == "info"
    workers = now["workers"]
    assert [w["worker"] for w in workers] == [0, 1]
    assert all(w["answers"] and w["stage"] == "serving" for w in workers)
    assert sum(w["requests"]["total"] for w in workers) == 5
    assert sum(w["requests"]["2xx"] for w in workers) == 3
    assert sum(w["requests"]["4xx"] for w in workers) == 1
    assert sum(w["requests"]["5xx"] for w in workers) == 1
    assert sum(w["connections"]["http1"] for w in workers) == 1
    assert sum(n for w in workers for _, n in w["latency_ms"]) == 5
    assert all(w["turns"]["count"] > 0 for w in workers)
    assert all(w["lua"]["bytes"] > 0 for w in workers)


def test_what_is_slow_counts_as_slow(start, tmp_path):
    server = start(workers=1)
    with server.connect() as wire:
        wire.send(GET % b"/wait/1")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        began = status(server)["uptime_s"]
        wait_for(lambda: status(server)["uptime_s"] > began + 0.05, "50 ms")
        (tmp_path / "go").touch()
        wire.response()
    wait_for(lambda: total(server, "requests", "open") == 0, "its end")
    (worker,) = status(server)["workers"]
    ((limit, count),) = worker["latency_ms"]
    assert count == 1 and limit > 50


def test_requests_say_how_old_they_are_and_where_they_wait(start, tmp_path):
    server = start()
    with server.connect() as wire:
        wire.send(GET % b"/wait/for-it")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        workers = ask(server, "/requests?wait=60").json()["workers"]
        (request,) = [r for w in workers for r in w["requests"]]
        assert request["method"] == "GET"
        assert request["path"] == "/wait/for-it"
        assert request["route"] == "/wait/:what"
        assert request["age_s"] > 0 and not request["answered"]
        assert "site.lua:" in request["where"]
        old = ask(server, "/requests?wait=60&older=1000").json()["workers"]
        assert not any(w["requests"] for w in old)
        none = ask(server, "/requests?wait=60&limit=0").json()["workers"]
        assert sum(w["more"] for w in none) == 1
        (tmp_path / "go").touch()
        wire.response()


C_HANDLER = """
#include <perilune.h>
PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);
static int *landed;
__attribute__((noinline)) static int orbit(struct pl_request *req)
{
    int err = 0;

    while (landed == NULL && err == 0)
        err = pl_sleep(req, 10);
    return err;
}
PL_HANDLER(hold) { return orbit(req) + pl_respond(res, 200, NULL, PL_STR("")); }
PL_HANDLER(land)
{
    static int yes;
    landed = &yes;
    return pl_respond(res, 200, NULL, PL_STR(""));
}
"""


def test_requests_say_where_they_wait_in_c(serve, tmp_path, command):
    site = """
    local pl = require "perilune"
    pl.get("/hold", pl.handler "hold")
    pl.get("/land", pl.handler "land")
    """
    build(C_HANDLER, tmp_path / "hold.so")
    server = serve(site, "-m", "hold.so", "--pid", "a.pid", workers=1)
    server.admin = str(tmp_path / "a.admin")
    with server.connect() as wire:
        wire.send(GET % b"/hold")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        answer = ask(server, "/requests?wait=60").json()
        ((request,),) = [w["requests"] for w in answer["workers"]]
        assert "where" not in request
        assert re.search(
            r"pl_op_wait \(\S+\) < .*orbit \(\S+\) < ",
            answer["stacks"][request["id"]],
        )
        shown = command("requests", "--pid", "a.pid").stdout
        assert "GET /hold" in shown and "< orbit (" in shown
        server.get("/land")
        assert wire.response().status == 200


def test_connections_are_listed(start):
    server = start()
    with server.connect() as one, server.connect() as other:
        one.get("/")
        other.get("/")
        workers = ask(server, "/connections?wait=60").json()["workers"]
        peers = [c["peer"] for w in workers for c in w["connections"]]
        assert len(peers) == 2
        assert all(peer.startswith("127.0.0.1:") for peer in peers)
        few = ask(server, "/connections?wait=60&limit=0").json()["workers"]
        assert sum(w["more"] for w in few) == 2


def test_routes_are_counted_from_the_first_question_on(start):
    server = start(workers=1)
    server.get("/")

    def routes():
        (worker,) = ask(server, "/routes?wait=60").json()["workers"]
        return {r["route"]: r for r in worker["routes"]}

    assert all(r["requests"] == 0 for r in routes().values())
    for target in ("/", "/", "/fail", "/nothing"):
        server.get(target)
    found = routes()
    assert found["/"]["requests"] == 2 and found["/"]["failed"] == 0
    assert found["/fail"]["requests"] == 1 and found["/fail"]["failed"] == 1
    assert found["(none)"]["requests"] == 1
    assert found["/wait/:what"]["requests"] == 0
    assert "site.lua:" in found["/"]["where"]


def test_a_held_worker_does_not_hold_the_answer(start, tmp_path):
    server = start(workers=1)
    with server.connect() as wire:
        wire.send(GET % b"/spin")
        server.wait_log("spinning")

        def held():
            (worker,) = ask(server, "/status?wait=0").json()["workers"]
            return worker.get("held")

        what = wait_for(held, "the watchdog to know")
        assert set(what) == set(example("held")["held"])
        assert what["path"] == "/spin" and what["route"] == "/spin"
        assert "in Lua: " in what["where"] and "site.lua:" in what["where"]
        (tmp_path / "go").touch()
        assert wire.response().text == "done"
    assert status(server)["workers"][0]["answers"]


def test_who_goes_away_while_a_worker_is_held_does_no_harm(start, tmp_path):
    server = start(workers=1)
    with server.connect() as wire:
        wire.send(GET % b"/spin")
        server.wait_log("spinning")
        for target in (b"/status?wait=60", b"/requests?wait=60"):
            with Wire(server.admin, GUARD) as asking:
                asking.send(GET % target)
        (tmp_path / "go").touch()
        wire.response()
    assert status(server)["workers"][0]["answers"]


# ---- docs/admin.md shows what is answered ----

EXAMPLES = [
    json.loads(block.text)
    for block in docblocks.blocks(TOP / "docs/admin.md")
    if block.text.startswith("{")
]


def example(member):
    """The example that has it."""
    return next(e for e in EXAMPLES if member in e)


def same_members(shown, real):
    assert set(shown) == set(real)
    for name, value in shown.items():
        if isinstance(value, dict) and real[name]:
            same_members(value, real[name])
        if isinstance(value, list) and value and isinstance(value[0], dict):
            same_members(value[0], real[name][0])


def test_the_examples_of_the_document_are_right(start, tmp_path):
    """With a module, and an old generation that a request keeps alive."""
    module = "#include <perilune.h>\nPL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);"
    build(module, tmp_path / "empty.so")
    server = start("--access-log", "-", "-m", "empty.so")
    with server.connect() as wire:
        wire.send(GET % b"/wait/1")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        assert ask(server, "/reload", "POST").status == 200
        now = status(server)
        busy = next(w for w in now["workers"] if w["requests"]["open"])
        same_members(example("listeners"), now)
        shown = example("latency_ms")
        del shown["tls"]  # "is there once a connection has had TLS"
        same_members(shown, busy)
        workers = ask(server, "/requests?wait=60").json()["workers"]
        workers.sort(key=lambda w: -len(w["requests"]))
        (shown,) = next(
            e["workers"] for e in EXAMPLES if e.get("workers")
        )
        same_members(shown, workers[0])
        assert {"workers", "stacks"} in [set(e) for e in EXAMPLES]
        (tmp_path / "go").touch()
        wire.response()


# ---- who may ask ----


def test_the_socket_is_for_its_owner_alone(start):
    server = start()
    mode = os.stat(server.admin).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert server.stop() == 0
    assert not os.path.exists(server.admin)


STRANGER = """
import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
try:
    peer.sendall(b"POST /stop HTTP/1.0\\r\\n\\r\\n")
    print(len(peer.recv(100)))
except (ConnectionResetError, BrokenPipeError):
    print(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_stranger_is_turned_away_even_if_the_file_lets_him(start):
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        server = start("--admin", folder / "s")
        (folder / "s").chmod(0o666)
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, str(folder / "s")],
            user="nobody",
            capture_output=True,
            text=True,
            timeout=GUARD,
            check=True,
        )
        assert done.stdout == "0\n", done.stderr
        server.wait_log("warn admin: a stranger was turned away")
        assert server.get("/").text == "hello"
    finally:
        shutil.rmtree(folder)


# ---- hostile input, and too much of it ----


@pytest.mark.parametrize(
    ("target", "method", "code"),
    [
        ("/nothing", "GET", 404),
        ("/stop", "GET", 405),
        ("/status", "POST", 405),
        ("/stop?now=perhaps", "POST", 400),
        ("/log?level=loud", "POST", 400),
        ("/log", "POST", 400),
        ("/reload", "GET", 405),
        ("/reload?hard=perhaps", "POST", 400),
        ("/requests?older=x", "GET", 400),
        ("/requests?older=-1", "GET", 400),
        ("/requests?limit=1001", "GET", 400),
        ("/connections?limit=" + "9" * 30, "GET", 400),
    ],
)
def test_what_makes_no_sense_is_refused(start, target, method, code):
    server = start()
    assert ask(server, target, method).status == code
    assert status(server)["state"] == "serving"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /status HTTP/9.9\r\n\r\n",
        b"GET " + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
        b"GET /status HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
        b"POST /stop HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"\x00" * 100000,
    ],
    ids=["tls", "version", "line", "head", "framing", "nul"],
)
def test_what_is_no_request_is_refused(start, data):
    server = start()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(GUARD)
        peer.connect(server.admin)
        try:
            peer.sendall(data)
            answer = peer.recv(100)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
    assert answer == b"" or answer.split()[1].startswith((b"4", b"5"))
    assert status(server)["state"] == "serving"


def test_who_breaks_off_or_is_silent_holds_nobody(start):
    server = start()
    silent = [Wire(server.admin, GUARD) for _ in range(20)]
    for n, wire in enumerate(silent):
        wire.send((GET % b"/status")[: 3 * n])
    for wire in silent[::2]:
        wire.close()
    assert status(server)["state"] == "serving"
    assert server.stop() == 0
    for wire in silent[1::2]:
        wire.close()


def test_more_connections_than_there_may_be_wait(start):
    server = start()
    many = [Wire(server.admin, GUARD) for _ in range(80)]
    for wire in many[:64]:
        assert wire.get("/log").status == 200
    for wire in many[:20]:
        wire.close()
    assert many[79].get("/log").status == 200
    for wire in many[20:]:
        wire.close()
    assert server.get("/").text == "hello"


def test_several_ask_at_once(start):
    server = start()
    wires = [Wire(server.admin, GUARD) for _ in range(10)]
    for wire in wires:
        wire.send((GET % b"/status?wait=60") * 3)
    for wire in wires:
        for _ in range(3):
            assert wire.response().json()["pid"] == server.pid
        wire.close()


# ---- where it is ----


def test_without_a_pid_file_it_is_found_by_the_process_id(serve, command):
    server = serve(SITE, env={"FOLDER": "."})
    folder = (
        Path("/run/perilune")
        if os.geteuid() == 0
        else Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere")) / "perilune"
    )
    if not folder.is_dir():
        pytest.skip(f"no {folder} here")
    path = folder / f"{server.pid}.sock"
    done = command("status", "--json", "--admin", path)
    assert json.loads(done.stdout)["pid"] == server.pid
    assert server.stop() == 0
    assert not path.exists()


@pytest.mark.parametrize("how", [["--admin", "off"], None])
def test_it_can_be_left_out(start, tmp_path, how):
    if how:
        start(*how)
    else:
        start(settings="admin = false")
    assert not list(tmp_path.glob("*.admin"))


def test_the_site_may_say_where(start, tmp_path, command):
    server = start(settings='admin = "here.sock"')
    done = command("status", "--json", "--admin", "here.sock")
    assert json.loads(done.stdout)["pid"] == server.pid


def test_a_socket_left_behind_is_replaced(start, command):
    server = start()
    server.send_signal(SIGKILL)
    server.wait()
    assert os.path.exists(server.admin)
    done = command("status", "--pid", "a.pid")
    assert done.returncode == 1 and "no server is running" in done.stderr
    assert status(start())["state"] == "serving"


def test_a_socket_in_use_is_not_taken_away(start, command):
    server = start()
    done = command(
        "site.lua", "-p", "0", "--admin", server.admin, env={"FOLDER": "."}
    )
    assert done.returncode == 4
    assert "cannot listen on unix:" in done.stderr
    assert status(server)["pid"] == server.pid


def test_it_outlives_a_server_process(start):
    """Who asks while there is none waits for the next one."""
    server = start(supervisor=True)
    first = status(server)
    assert first["supervised"] and first["starts"] == 0
    os.kill(first["process"], SIGKILL)
    second = status(server)
    assert second["process"] != first["process"]
    assert second["pid"] == first["pid"] == server.pid
    assert second["starts"] == second["crashes"] == 1


# ---- the commands ----


def test_status_for_people(start, command):
    server = start()
    server.get("/")
    done = command("status", "--pid", "a.pid")
    assert done.returncode == 0, done.stderr
    assert f"pid {server.pid}  serving" in done.stdout
    assert f"127.0.0.1:{server.port}" in done.stdout
    assert "things" in done.stdout and "worker  stage" in done.stdout


def test_lists_for_people(start, command, tmp_path):
    server = start()
    with server.connect() as wire:
        wire.send(GET % b"/wait/here")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        done = command("requests", "--pid", "a.pid")
        assert "GET /wait/here" in done.stdout and "site.lua:" in done.stdout
        done = command("requests", "1000", "--pid", "a.pid")
        assert "GET /wait/here" not in done.stdout
        done = command("connections", "--pid", "a.pid")
        assert "127.0.0.1:" in done.stdout
        (tmp_path / "go").touch()
        wire.response()


BOTH = pytest.mark.parametrize(
    "supervisor", [False, True], ids=["alone", "supervised"]
)


@BOTH
def test_stop_lets_requests_finish_and_waits_for_the_end(
    start, tmp_path, supervisor
):
    server = start(supervisor=supervisor)
    with server.connect() as wire:
        wire.send(GET % b"/wait/1")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        stop = subprocess.Popen(
            [program(), "stop", "--pid", "a.pid"], cwd=tmp_path
        )
        wait_for(lambda: status(server)["state"] == "stopping", "the stop")
        assert stop.poll() is None
        (tmp_path / "go").touch()
        assert wire.response().text == "done"
    assert server.wait() == 0
    assert stop.wait(GUARD) == 0


@BOTH
def test_stop_now_cuts_them_off(start, command, supervisor):
    server = start(supervisor=supervisor)
    with server.connect() as wire:
        wire.send(GET % b"/wait/1")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        assert command("stop", "--now", "--pid", "a.pid").returncode == 0
        assert server.wait() == 0
        wire.read_to_end()


@BOTH
def test_drain_has_no_limit_but_a_stop_after_it_has(start, supervisor):
    server = start(
        workers=1, settings="stop_timeout = 0.01", supervisor=supervisor
    )
    with server.connect() as wire:
        wire.send(GET % b"/wait/1")
        wait_for(lambda: total(server, "requests", "open") == 1, "the request")
        assert ask(server, "/drain", "POST").status == 202
        wait_for(lambda: status(server)["state"] == "draining", "the drain")
        began = status(server)["uptime_s"]
        wait_for(lambda: status(server)["uptime_s"] > began + 0.1, "100 ms")
        assert status(server)["workers"][0]["requests"]["open"] == 1
        server.send_signal(SIGTERM)
        assert server.wait() == 0
    assert "requests were cut off by the stop" in server.log()


def test_the_log_level_changes_while_it_runs(start, command):
    server = start()
    assert command("log", "--pid", "a.pid").stdout == "info\n"
    assert command("log", "error", "--pid", "a.pid").returncode == 0
    server.wait_log("notice admin: the log level is error from now on")
    assert status(server)["log"]["level"] == "error"
    done = command("log", "loud", "--pid", "a.pid")
    assert done.returncode == 1 and "debug, info, notice" in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["status", "--pid", "no.pid"], 1, "no server is running"),
        (["status", "--admin"], 2, "--admin needs a value"),
        (["status", "--now"], 2, "unknown option --now"),
        (["reload", "--now"], 2, "unknown option --now"),
        (["reload", "--pid", "no.pid"], 1, "no server is running"),
        (["status", "site.lua"], 2, "is too much"),
        (["stop", "--admin", "a" * 200], 1, "too long"),
        (["requests", "soon", "--pid", "no.pid"], 2, "a number of seconds"),
    ],
)
def test_commands_say_what_is_wrong(command, args, code, text):
    done = command(*args)
    assert done.returncode == code
    assert text in done.stderr
    assert done.stdout == ""


def test_upgrade_waits_for_the_new_process(start, command):
    server = start(supervisor=True)
    first = status(server)
    done = command("upgrade", "--pid", "a.pid")
    assert done.returncode == 0, done.stderr
    second = status(server)
    assert second["pid"] == first["pid"]
    assert second["process"] != first["process"]
    assert server.get("/").text == "hello"


def test_upgrade_says_why_it_is_not_possible(start, command, tmp_path):
    server = start(supervisor=True)
    first = status(server)
    (tmp_path / "site.lua").write_text("this is no Lua")
    done = command("upgrade", "--pid", "a.pid")
    assert done.returncode == 1
    assert "perilune: not upgraded: " in done.stderr
    assert status(server)["process"] == first["process"]
    assert server.get("/").text == "hello"


def test_without_a_supervisor_nobody_upgrades(start, command):
    start(supervisor=False)
    done = command("upgrade", "--pid", "a.pid")
    assert done.returncode == 1 and "there is no supervisor" in done.stderr


# ---- top ----


def test_top_prints_once_where_there_is_no_terminal(start, command):
    server = start()
    with server.connect() as wire:
        wire.get("/")
        done = command("top", "--pid", "a.pid")
    assert done.returncode == 0, done.stderr
    assert f"pid {server.pid}  serving" in done.stdout
    assert "requests/s " in done.stdout and "worker  stage" in done.stdout
    assert "\033" not in done.stdout


class Terminal:
    """A command on a terminal of so many rows and columns."""

    def __init__(self, words, folder, rows=40, columns=100):
        self.ours, theirs = pty.openpty()
        self.resize(rows, columns)
        self.was = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            words, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs
        )
        self.theirs = theirs
        self.text = b""

    def resize(self, rows, columns):
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, size)

    def look(self):
        if select.select([self.ours], [], [], 0.01)[0]:
            self.text += os.read(self.ours, 65536)
        return self.text

    def wait(self, what):
        wait_for(lambda: what in self.look(), f"{what} on the terminal")

    def close(self):
        os.close(self.ours)
        os.close(self.theirs)


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "ctrl-c"])
def test_top_is_live_and_leaves_the_terminal_as_it_was(start, tmp_path, key):
    server = start(workers=1)
    terminal = Terminal([program(), "top", "--pid", "a.pid"], tmp_path)
    try:
        terminal.wait(b"requests/s ")
        with server.connect() as wire:

            def counted():
                wire.get("/")
                terminal.look()
                return b"  /\x1b[K" in terminal.text

            wait_for(counted, "the route /")
        terminal.resize(5, 20)
        terminal.process.send_signal(SIGWINCH)
        terminal.text = b""
        terminal.wait(b"\x1b[J")
        lines = terminal.text.split(b"\x1b[J")[0].split(b"\x1b[H")[-1]
        rows = lines.replace(b"\x1b[K", b"").split(b"\r\n")
        assert len(rows) <= 5 and all(len(row) <= 20 for row in rows)
        os.write(terminal.ours, key)
        assert terminal.process.wait(GUARD) == 0
        terminal.wait(b"\x1b[?1049l")
        assert termios.tcgetattr(terminal.theirs) == terminal.was
    finally:
        terminal.close()


def test_top_ends_with_the_server(start, tmp_path):
    server = start(workers=1)
    terminal = Terminal([program(), "top", "--pid", "a.pid"], tmp_path)
    try:
        terminal.wait(b"requests/s ")
        assert server.stop() == 0
        assert terminal.process.wait(GUARD) == 1
        terminal.wait(b"no server is running")
    finally:
        terminal.close()
