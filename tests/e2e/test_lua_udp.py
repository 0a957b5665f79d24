"""pl.udp, against Python's sockets: one peer, anybody, servers of a site."""


import socket
import threading
from contextlib import contextmanager

import pytest

from harness.wait import GUARD, wait_for

HEAD = """
local pl = require "perilune"
local port = os.getenv "PORT"
local function refused(code, value, err)
  assert(value == nil and err and err.code == code, tostring(err))
end
"""


@contextmanager
def datagrams():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(GUARD)
        yield sock


@pytest.fixture
def script(command):
    def run(text, port=0):
        done = command(
            "run",
            "script.lua",
            files={"script.lua": HEAD + text},
            env={"PORT": str(port)},
        )
        assert done.returncode == 0, done.stderr

    return run


def test_two_sockets_of_one_script(script):
    script("""
local a = assert(pl.udp(nil, { bind = "127.0.0.1:0" }))
local b = assert(pl.udp("127.0.0.1:" .. a.local_port))
assert(b:send("ping"))
local data, host, from = a:receive_from()
assert(data == "ping" and host == "127.0.0.1" and from == b.local_port)
assert(a:send_to("pong", host, from))
assert(a:send_to("", "localhost:" .. from))
assert(b:receive() == "pong")
assert(b:receive() == "")
local big = ("x"):rep(60000)
assert(b:send(big))
assert(a:receive() == big)
local ok, err = b:send(("x"):rep(70000))
refused("too_long", ok, err)
a:close()
refused("closed", a:receive())
refused("closed", a:send_to("x", "127.0.0.1:1"))
""")


def test_a_question_of_dns(script):
    """As a resolver asks, and a server that answers in its own time."""
    with datagrams() as server:


        def serve():
            question, peer = server.recvfrom(512)
            server.sendto(b"no answer to that", peer)
            answer = question[:2] + b"\x81\x80" + question[4:]
            server.sendto(answer, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        script(
            """
local s = assert(pl.udp("127.0.0.1:" .. port, { timeout = 5 }))
local question = "\\18\\52\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\1a\\0\\0\\1\\0\\1"
assert(s:send(question))
local answer
repeat
  answer = assert(s:receive())
until answer:sub(1, 2) == question:sub(1, 2)
assert(answer:byte(3) == 0x81 and #answer == #question)
""",
            server.getsockname()[1],
        )
        thread.join()


def test_failures(script):
    with datagrams() as taken:
        port = taken.getsockname()[1]
        script(
            """
refused("timeout", (assert(pl.udp(nil, { timeout = 0.02 }))):receive())
refused("busy", pl.udp(nil, { bind = "127.0.0.1:" .. port }))
refused("not_found", pl.udp(nil, { bind = "192.0.2.9:0" }))
local _, err = pl.udp("no-such-host.invalid:1")
assert(err.code == "not_found" or err.code == "unreachable", tostring(err))
local s = assert(pl.udp("127.0.0.1:1"))
s:send("nobody is there")
refused("refused", s:receive())
local reader = pl.spawn(function() return s:receive() end)
pl.sleep(0.01)
refused("busy", s:receive())
s:timeout(0.01)
s:close()
local data, err = reader:join()
assert(data == nil and err.code == "closed")
for _, f in ipairs {
  function() pl.udp(7) end, function() pl.udp("x") end,
  function() pl.udp("tcp://a:1") end, function() pl.udp("unix:/a") end,
  function() pl.udp(nil, { bnd = "x" }) end,
  function() pl.udp(nil, { bind = "x:y" }) end,
  function() pl.udp(nil):send("x") end,
  function() pl.udp(nil):send_to("x", "127.0.0.1", "53") end,
  function() pl.udp(nil):send_to(1, "127.0.0.1", 53) end,
  function() pl.udp("127.0.0.1:53", print) end,
} do
  local ok, err = pcall(f)
  assert(not ok and tostring(err):find("script.lua:%d+: .*udp"), tostring(err))
end
""",
            port,
        )


def test_multicast(script):
    script("""
local a, err = pl.udp(nil, { bind = "0.0.0.0:0", multicast = "239.7.7.7" })
if not a then
  assert(err.code == "not_found" or err.code == "unreachable", tostring(err))
  return -- no way for groups here
end
local b = assert(pl.udp(nil, { ttl = 1, timeout = 0.2 }))
local ok, err = b:send_to("all", "239.7.7.7", a.local_port)
if ok then
  a:timeout(1)
  local data = a:receive()
  assert(data == "all" or data == nil)
end
""")


def free_port() -> int:
    with datagrams() as sock:
        return sock.getsockname()[1]


def test_server(serve):
    """Datagrams come to all workers; slow answers hold up nobody."""
    port = free_port()
    server = serve(
        f"""
local pl = require "perilune"
pl.udp("127.0.0.1:{port}", function(udp, data, address, from)
  if data == "slow" then pl.sleep(0.05) end
  if data == "fail" then error("as asked") end
  udp:send_to(data .. "!", address, from)
end)
""",
        workers=2,
    )
    peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    for peer in peers:
        peer.settimeout(GUARD)
        peer.connect(("127.0.0.1", port))

    def answers():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.sendto(b"up", ("127.0.0.1", port))
            try:
                return probe.recv(100)
            except OSError:
                return None

    wait_for(answers, "the server")
    for peer in peers:
        peer.send(b"slow")
        peer.send(b"fast")
    for peer in peers:
        assert peer.recv(100) == b"fast!"
        assert peer.recv(100) == b"slow!"
    peers[0].send(b"fail")
    server.wait_log(r"site\.lua:\d+: as asked")
    peers[0].send(b"still there")
    assert peers[0].recv(100) == b"still there!"
    for peer in peers:
        peer.close()
    assert server.stop() == 0


def test_an_address_that_is_taken(serve):
    with datagrams() as taken:
        port = taken.getsockname()[1]
        server = serve(
            f'require "perilune".udp("127.0.0.1:{port}", print)', workers=1
        )
        server.wait_log("Address already in use")
