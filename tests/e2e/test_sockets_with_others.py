"""Sockets of scripts with programs of others at the other end: Redis, whose
protocol is spoken by hand here, and socat over TCP, UNIX, UDP and TLS."""

import shutil
import socket
import subprocess

import pytest

from harness.certs import Authority
from harness.wait import GUARD, wait_for

HEAD = """
local pl = require "perilune"
local port = os.getenv "PORT"
local path = os.getenv "SOCKET"
"""
RESP = """
local function send(s, ...)
  local words = { ... }
  assert(s:write("*", #words, "\\r\\n"))
  for _, word in ipairs(words) do
    assert(s:write("$", #word, "\\r\\n", word, "\\r\\n"))
  end
end
local function reply(s)
  local line = assert(s:read_line())
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "+" then return rest end
  if kind == "-" then return nil, rest end
  if kind == ":" then return tonumber(rest) end
  local size = tonumber(rest)
  if size < 0 then return nil end
  if kind == "$" then
    local data = assert(s:read_exactly(size))
    assert(s:read_exactly(2) == "\\r\\n")
    return data
  end
  local list = {}
  for i = 1, size do list[i] = reply(s) end
  return list
end
local function ask(s, ...)
  send(s, ...)
  return reply(s)
end
"""


def needs(name: str):
    return pytest.mark.skipif(
        shutil.which(name) is None, reason=f"{name} is not installed"
    )


def free_port(kind=socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(connect) -> bool:
    try:
        connect().close()
        return True
    except OSError:
        return False


def connect_unix(path):
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


@pytest.fixture
def start():
    """Starts programs, and ends them."""
    running = []

    def begin(*words):
        running.append(subprocess.Popen([str(word) for word in words],
                                        stdout=subprocess.DEVNULL))

    yield begin
    for process in running:
        process.terminate()
        process.wait(GUARD)


@pytest.fixture
def script(command):
    def run(text, **env):
        done = command("run", "script.lua", files={"script.lua": HEAD + text},
                       env={name: str(value) for name, value in env.items()})
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


# ---- Redis ----


@pytest.fixture
def redis(start, tmp_path):
    port, path = free_port(), tmp_path / "redis.sock"
    start("redis-server", "--bind", "127.0.0.1", "--port", port,
          "--unixsocket", path, "--dir", tmp_path, "--save", "")
    wait_for(lambda: answers(lambda: connect_unix(path)), "Redis")
    return {"PORT": port, "SOCKET": path}


ADDRESSES = ['"127.0.0.1:" .. port', '"unix:" .. path']


@needs("redis-server")
@pytest.mark.parametrize("address", ADDRESSES, ids=["tcp", "unix"])
def test_redis_answers(script, redis, address):
    script(f"local s = assert(pl.connect({address}))" + RESP + """
assert(ask(s, "PING") == "PONG")
local value = "\\r\\n\\0$5\\r\\n" .. ("x"):rep(3 * 2^20)
assert(ask(s, "SET", "large", value) == "OK")
assert(ask(s, "GET", "large") == value)
assert(ask(s, "GET", "nothing") == nil)
local none, err = ask(s, "INCR", "large")
assert(none == nil and err:find "not an integer")
assert(ask(s, "RPUSH", "list", "a", "b", "") == 3)
assert(table.concat(ask(s, "LRANGE", "list", "0", "-1"), ",") == "a,b,")
assert(ask(s, "QUIT") == "OK")
assert(s:read() == nil)
""", **redis)


@needs("redis-server")
def test_redis_answers_what_is_pipelined(script, redis):
    """One task asks, another reads: more than fits in any buffer."""
    script('local s = assert(pl.connect("127.0.0.1:" .. port))' + RESP + """
local count, word = 20000, ("y"):rep(100)
local asking = pl.spawn(function()
  for i = 1, count do send(s, "ECHO", i .. word) end
  s:flush()
end)
for i = 1, count do assert(reply(s) == i .. word) end
""", **redis)


@needs("redis-server")
def test_redis_publishes_and_blocks(script, redis):
    """Waiting for one another over connections of their own; a time-out leaves
    the connection as it was."""
    script("""
local function open()
  return assert(pl.connect("127.0.0.1:" .. port))
end
local listener, speaker = open(), open()""" + RESP + """
assert(ask(listener, "SUBSCRIBE", "news")[1] == "subscribe")
assert(ask(speaker, "PUBLISH", "news", "hello") == 1)
assert(table.concat(reply(listener), " ") == "message news hello")
listener:timeout(0.02)
local none, err = listener:read_line()
assert(none == nil and err.code == "timeout")
listener:timeout(false)
assert(ask(speaker, "PUBLISH", "news", "again") == 1)
assert(reply(listener)[3] == "again")
local waiter = open()
send(waiter, "BLPOP", "jobs", "0")
waiter:flush()
assert(ask(speaker, "RPUSH", "jobs", "one"))
assert(table.concat(reply(waiter), "=") == "jobs=one")
""", **redis)


# ---- socat ----

# Not its own "PIPE": into that it writes 8 KiB, and waits for ever when less is
# free, as nobody else would read what is in it.
ECHO = "EXEC:cat"

ECHOES = """
local s = assert(pl.connect(%s))
local sent = ("0123456789"):rep(30000) -- both ways at once: under 1 MiB
pl.spawn(function()
  assert(s:write(sent))
  s:flush()
end)
assert(s:read_exactly(#sent) == sent)
s:shutdown()
assert(s:read() == nil)
"""


@needs("socat")
def test_socat_over_tcp(script, start):
    port = free_port()
    start("socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork", ECHO)
    address = ("127.0.0.1", port)
    wait_for(lambda: answers(lambda: socket.create_connection(address)),
             "socat")
    script(ECHOES % ADDRESSES[0], PORT=port)


@needs("socat")
def test_socat_over_a_unix_socket(script, start, tmp_path):
    path = tmp_path / "socat.sock"
    start("socat", f"UNIX-LISTEN:{path},fork", ECHO)
    wait_for(lambda: answers(lambda: connect_unix(path)), "socat")
    script(ECHOES % ADDRESSES[1], SOCKET=path)


@needs("socat")
def test_socat_over_tls(script, start, tmp_path):
    ca = Authority(tmp_path)
    cert, key = ca.sign("localhost", ["localhost"])
    port = free_port()
    start("socat", f"OPENSSL-LISTEN:{port},bind=127.0.0.1,fork,verify=0,"
          f"cert={cert},key={key}", ECHO)
    address = ("127.0.0.1", port)
    wait_for(lambda: answers(lambda: socket.create_connection(address)),
             "socat")
    tls = '"tls://localhost:" .. port, { tls = { ca = "%s" } }' % ca.cert
    script(ECHOES % tls, PORT=port)


@needs("socat")
def test_socat_over_udp(script, start):
    """Asked again until it listens: nothing announces that."""
    port = free_port(socket.SOCK_DGRAM)
    start("socat", f"UDP-RECVFROM:{port},bind=127.0.0.1,fork", ECHO)
    script("""
local s = assert(pl.udp("127.0.0.1:" .. port))
local answer
repeat
  s:send "ping"
  answer = pl.timeout(0.1, function() return s:receive() end)
until answer
assert(answer == "ping")
""", PORT=port)


SERVER = """
local pl = require "perilune"
pl.tcp("127.0.0.1:0", function(s)
  for line in s:lines() do s:write(line:upper(), "\\n") end
end)
"""


@needs("socat")
def test_socat_as_a_client(serve):
    server = serve(SERVER, listen=False, announced=False)
    found = server.wait_log(r"listening on tcp://127\.0\.0\.1:(\d+)")
    done = subprocess.run(
        ["socat", "-t", str(GUARD), "-", f"TCP:127.0.0.1:{found[0][1]}"],
        input=b"one\ntwo\n", capture_output=True, timeout=GUARD,
    )
    assert done.stdout == b"ONE\nTWO\n", done.stderr
