"""pl.connect and its sockets, against real peers: what is read and written, how
connections end, what is refused, and that nothing is left behind."""

import socket
import threading
from contextlib import suppress

import pytest

from harness.peer import Peer, echo, read_to_end, reset
from harness.wait import wait_for

HEAD = """
local pl = require "perilune"
local port = os.getenv "PORT"
local function open(options)
  return assert(pl.connect("127.0.0.1:" .. port, options))
end
local function refused(code, value, err)
  assert(value == nil and err and err.code == code, tostring(err))
  return err
end
"""


@pytest.fixture
def script(command):
    def run(text, peer=None, **options):
        env = {"PORT": str(peer.port)} if hasattr(peer, "port") else {}
        files = {"script.lua": HEAD + text}
        done = command("run", "script.lua", files=files, env=env, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


# ---- reading and writing ---------------------------------------------------


def test_echo(script):
    with Peer(echo) as peer:
        script(
            """
local s = open()
assert(s:write("hello\\n", 1, 2.5, "\\r\\n", "last") == true)
s:shutdown()
local lines = {}
for line in s:lines() do lines[#lines + 1] = line end
assert(table.concat(lines, "|") == "hello|12.5|last")
assert(s:read() == nil and select("#", s:read()) == 1)
refused("closed", s:write("more"))
s:close()
s:close()
refused("closed", s:read())
refused("closed", s:write("x"))
assert(s.open == false)
""",
            peer,
        )


WORDS = b"abcdefgh--one\n\r\n--" + b"x" * 100000 + b"rest of it"


@pytest.mark.parametrize("step", [1, 7, 100, len(WORDS)])
def test_reading_kinds(script, step):
    """However the first bytes are cut, the reads give the same."""

    def serve(conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):  # who has read enough
            for at in range(0, 40, step):
                conn.sendall(WORDS[at : min(at + step, 40)])
            conn.sendall(WORDS[40:])

    with Peer(serve) as peer:
        script(
            """
local s = open()
assert(#s:read(3) <= 3)
s:close()
s = open()
assert(s:read_exactly(3) == "abc")
assert(s:read_until("--") == "defgh")
assert(s:read_line() == "one")
assert(s:read_line() == "")
assert(s:read_exactly(2) == "--")
local err = refused("limit", s:read_until("e", 1000))
assert(s:read_exactly(100000) == ("x"):rep(100000))
assert(s:read_until(" of ") == "rest")
err = refused("eof", s:read_exactly(4))
assert(err.partial == "it")
assert(s:read_exactly(1) == nil)
assert(s:read_until("x") == nil and s:read_line() == nil)
s = open()
s:read_exactly(#"abcdefgh")
err = refused("eof", s:read_until("nowhere", 200000))
assert(#err.partial > 100000)
s = open()
assert(#s:read_all("200k") == 18 + 100000 + 10)
s = open()
refused("limit", s:read_all(1000))
""",
            peer,
        )


def test_large_reads(script):
    """More than one wait can be for; and over the whole size exactly."""
    data = bytes(range(256)) * 5000

    def serve(conn):
        conn.sendall(data)
        assert read_to_end(conn) == data

    with Peer(serve) as peer:
        script(
            """
local s = open()
local data = s:read_exactly(1280000)
assert(#data == 1280000)
assert(data:sub(-256) == data:sub(1, 256))
assert(s:write(data))
s:shutdown()
assert(s:read() == nil)
""",
            peer,
        )


def test_last_words_of_a_peer_that_resets(script):
    """What a peer has said before it closed is read, though a write failed."""

    def serve(conn):
        conn.recv(1)
        conn.sendall(b"500 go away\n")
        reset(conn)

    with Peer(serve) as peer:
        script(
            """
local s = open { timeout = 20 }
local ok, err
repeat
  ok, err = s:write(("x"):rep(100000))
  pl.sleep(0.001)
until not ok
assert(err.code == "closed", tostring(err))
assert(s:read_line() == "500 go away")
refused("closed", s:read_line())
""",
            peer,
        )


def test_unix_socket_is_read_to_its_end(script, tmp_path):
    """A peer on a UNIX socket that answers and goes is a hang-up at once."""
    path = tmp_path / "peer.sock"

    def serve(conn):
        conn.sendall(b"y" * 150000 + conn.recv(100))

    with Peer(serve, path):
        script(
            f"""
local s = assert(pl.connect("unix:{path}"))
assert(s.remote == "unix:{path}" and s.remote_port == 0 or true)
s:write("end")
pl.sleep(0.05)
assert(s:read_all() == ("y"):rep(150000) .. "end")
"""
        )


def test_reset(script):
    def serve(conn):
        conn.recv(1)
        reset(conn)

    with Peer(serve) as peer:
        script(
            """
local s = open()
s:write("x")
refused("closed", s:read())
refused("closed", s:read_line())
assert(not s.open)
""",
            peer,
        )


# ---- connecting ------------------------------------------------------------


def test_connecting_fails(script, tmp_path):
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    (tmp_path / "no-socket").write_text("")
    script(f"""
local err = refused("refused", pl.connect("127.0.0.1:{port}"))
assert(tostring(err) == "pl.connect: 127.0.0.1:{port}: Connection refused")
refused("refused", pl.connect("localhost:{port}"))
refused("not_found", pl.connect("unix:{tmp_path}/none"))
refused("refused", pl.connect("unix:{tmp_path}/no-socket"))
local _, err = pl.connect("no-such-host.invalid:80")
assert(err.code == "not_found" or err.code == "unreachable", tostring(err))
refused("not_found", pl.connect("127.0.0.1:1", {{ bind = "192.0.2.9:0" }}))
""")


def test_nobody_answers(script):
    """A queue that is full lets nobody in, and says so to nobody."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = full.getsockname()[1]
    waiting = [socket.socket() for _ in range(8)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    script(f"""
local err = refused("timeout", pl.connect("127.0.0.1:{port}",
  {{ connect_timeout = 0.05 }}))
local task = pl.spawn(pl.connect, "127.0.0.1:{port}")
pl.sleep(0.01)
task:cancel()
local ok, err = pcall(task.join, task)
assert(not ok and err.code == "canceled")
""")
    for one in [full, *waiting]:
        one.close()


def test_bind(script):
    def serve(conn):
        conn.sendall(conn.getpeername()[0].encode())

    with Peer(serve) as peer:
        script(
            """
local s = open { bind = "127.0.0.7:0" }
assert(s:read_all() == "127.0.0.7")
assert(s.local_address == "127.0.0.7" and s.local_port > 0)
assert(s.remote == "127.0.0.1" and s.remote_port == tonumber(port))
assert(s:nodelay() == true and s:keepalive(30) and s:keepalive(false))
""",
            peer,
        )


MISUSE = [
    ("pl.connect()", "pl.connect: the address must be a string, not nil"),
    ("pl.connect('x')", "'x' is not host:port, [address]:port or unix:/path"),
    ("pl.connect('a:0')", "'a:0' is not"),
    ("pl.connect('a b:1')", "'a b:1' is not"),
    ("pl.connect('[::1:1')", "'[::1:1' is not"),
    ("pl.connect('::1:1')", "'::1:1' is not"),
    ("pl.connect('a:1', { tmeout = 1 })", "unknown option 'tmeout'"),
    ("pl.connect('a:1', { timeout = -1 })", "option 'timeout'"),
    ("s:read(0)", "socket:read: the number must be a whole number"),
    ("s:read_exactly(1.5)", "socket:read_exactly: the number"),
    ("s:read_until('')", "the delimiter must have 1 to 64 bytes"),
    ("s:read_line('1m')", "at most 262144"),
    ("s:write({})", "socket:write: argument 1 must be a string, not a table"),
    ("s:write('a', nil, 'b')", "argument 2 must be a string, not nil"),
    ("s:timeout()", "socket:timeout"),
    ("s:timeout(-1)", "socket:timeout"),
    ("s:keepalive(-1)", "socket:keepalive"),
]


def test_misuse_is_named(script):
    calls = "".join(
        f"check(function() {call} end, {text!r})\n" for call, text in MISUSE
    )
    with Peer(read_to_end) as peer:
        script(
            """
local s = open()
local function check(fn, text)
  local ok, err = pcall(fn)
  err = tostring(err)
  assert(not ok and err:find(text, 1, true), err)
  assert(err:find("script.lua:%d+: "), err)
end
"""
            + calls,
            peer,
        )


# ---- waiting ---------------------------------------------------------------


def test_timeouts_and_two_tasks(script):
    with Peer(read_to_end) as peer:
        script(
            """
local s = open { timeout = 0.02 }
refused("timeout", s:read())
refused("timeout", s:read_line())
s:timeout(false)
local reader = pl.spawn(function() return s:read() end)
pl.sleep(0.01)
refused("busy", s:read())
assert(s:write("meanwhile"))
s:close()
local data, err = reader:join()
assert(data == nil and err.code == "closed")
s = open()
local big = ("x"):rep(1000)
refused("timeout", pl.timeout(0.02, function() return s:read() end))
assert(s:write(big))
""",
            peer,
        )


def test_waiting_for_sockets_and_others(script):
    def serve(conn):
        conn.recv(1)
        conn.sendall(b"answer")
        conn.recv(1)

    with Peer(serve) as peer:
        script(
            """
local a, b = open(), open()
assert(pl.wait(a, "w") == "w")
refused("timeout", pl.wait(a, "r", 0.01))
refused("timeout", pl.wait_all { a, { b, "w" }, timeout = 0.01 })
b:write("x")
local i, what = pl.wait_any { a, b }
assert(i == 2 and what == "r")
assert(b:read() == "answer")
a:write("x")
assert(pl.wait_all { a, { b, "w" }, timeout = 5 })
assert(a:read() == "answer")
a:shutdown()
b:shutdown()
assert(pl.wait_all { a, b })
assert(a:read() == nil and b:read() == nil)
b:close()
refused("closed", pl.wait(b))
local ok, err = pcall(pl.wait, a, "rw")
assert(not ok and err:find("is waited for by", 1, true), err)
""",
            peer,
        )


def test_a_peer_that_does_not_read(script):
    """A write waits, and gives up in time."""
    go = threading.Event()

    def serve(conn):
        if not conn.recv(1):
            go.set()
        go.wait(60)

    with Peer(serve) as peer:
        script(
            """
local s = open { timeout = 0.05 }
local block, sent = ("x"):rep(100000), 0
while true do
  local ok, err = s:write(block)
  if not ok then
    assert(err.code == "timeout", tostring(err))
    break
  end
  sent = sent + 1
  assert(sent < 1000)
end
s:close()
open():shutdown()
""",
            peer,
        )


PROXY = """
local pl = require "perilune"
local address = os.getenv "PEER"
local kept
pl.get("/stream", function(_, res)
  local s = assert(pl.connect(address))
  local size = 0
  while true do
    local data, err = s:read()
    if not data then
      assert(not err, err)
      return tostring(size)
    end
    size = size + #data
  end
end)
pl.get("/send", function()
  local s = assert(pl.connect(address))
  local block = ("x"):rep(1000000)
  for _ = 1, 200 do
    assert(s:write(block))
  end
  s:shutdown()
  return s:read_all()
end)
pl.get("/wait", function()
  local s = assert(pl.connect(address))
  s:write("waiting\\n")
  return s:read()
end)
pl.get("/forget", function()
  local s = assert(pl.connect(address))
  s:write("forgotten\\n")
  return "ok"
end)
pl.get("/keep", function()
  kept = kept or assert(pl.connect(address)):keep()
  kept:write("kept\\n")
  return kept:read_line()
end)
pl.get("/drop", function()
  kept = nil
  collectgarbage() collectgarbage()
  return "dropped"
end)
"""


def test_big_transfers_in_flat_memory(serve):
    """200 MB each way through one worker, faster than either end reads."""
    block = b"z" * 1000000

    def serve_peer(conn):
        for _ in range(200):
            conn.sendall(block)

    def count(conn):
        size = 0
        while data := conn.recv(1 << 20):
            size += len(data)
        conn.sendall(str(size).encode())

    with Peer(serve_peer) as peer, Peer(count) as counter:
        server = serve(PROXY, env={"PEER": peer.address}, workers=1)
        assert server.get("/stream").body == b"200000000"
        other = serve(PROXY, env={"PEER": counter.address}, workers=1)
        assert other.get("/send").body == b"200000000"
        for one in (server, other):
            assert one.proc.peak_kib() < 60 * 1024


def test_ends_with_the_client(serve):
    """The client leaves: the handler's wait fails and its connection closes."""
    with Peer(read_to_end) as peer:
        server = serve(PROXY, env={"PEER": peer.address}, workers=1)
        with server.connect() as wire:
            wire.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for(lambda: peer.accepted == 1, "the connection")
            wire.reset()
        wait_for(lambda: peer.ended == 1, "its end")


def test_ends_with_the_handler_unless_kept(serve):
    said = []

    def serve_peer(conn):
        file = conn.makefile("rwb", buffering=0)
        for line in file:
            said.append(line)
            file.write(line)

    with Peer(serve_peer) as peer:
        server = serve(PROXY, env={"PEER": peer.address}, workers=1)
        assert server.get("/forget").body == b"ok"
        wait_for(lambda: peer.ended == 1, "the end of what was forgotten")
        assert said == [b"forgotten\n"]
        assert server.get("/keep").body == b"kept"
        assert server.get("/keep").body == b"kept"
        assert peer.accepted == 2 and peer.ended == 1
        assert server.get("/drop").body == b"dropped"
        wait_for(lambda: peer.ended == 2, "the end of garbage")
        assert server.get("/keep").body == b"kept"
        assert server.stop() == 0
        wait_for(lambda: peer.ended == 3, "the end of the server")


def test_connections_leave_nothing_behind(serve):
    with Peer(read_to_end) as peer:
        server = serve(PROXY, env={"PEER": peer.address}, workers=1)
        server.get("/forget")
        before = server.proc.fds()
        for _ in range(50):
            server.get("/forget")
        wait_for(lambda: server.proc.fds() <= before, "descriptors")
