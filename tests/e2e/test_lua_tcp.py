"""pl.tcp and req:hijack(): raw connections that come to a site."""

import re
import socket
import subprocess
from contextlib import contextmanager

import pytest

from harness.certs import Authority
from harness.wait import wait_for
from harness.wire import Wire

SITE = """
local pl = require "perilune"
pl.get("/", function() return "http" end)
local rooms = {}

-- who speaks first: the server
pl.tcp("127.0.0.1:0", function(s)
  s:write("hello ", s.remote, "\\n")
  for line in s:lines() do
    if line == "fail" then
      error("as asked")
    elseif line == "peer" then
      error(select(2, s:read_exactly(1000)), 0)
    end
    s:write("<", line, ">\\n")
  end
  s:write("bye\\n")
end)

pl.tcp({ "unix:raw.sock" }, { mode = "600", timeout = "20ms" }, function(s)
  local data, err = s:read()
  s:write(data or err.code)
end)
"""


def raw_port(server) -> int:
    found = server.wait_log(r"listening on (?:tcp|tls)://127\.0\.0\.1:(\d+)")
    return int(found[-1][1])


@contextmanager
def connect(port):
    with Wire(("127.0.0.1", port)) as wire:
        yield wire


def test_service(serve):
    server = serve(SITE, workers=2)
    assert server.get("/").body == b"http"
    port = raw_port(server)
    for _ in range(4):
        with connect(port) as wire:
            assert wire.read_until(b"\n") == b"hello 127.0.0.1\n"
            wire.send(b"one\r\ntwo\n", how="bytewise")
            assert wire.read_exactly(12) == b"<one>\n<two>\n"
            wire.send(b"last")
            wire.half_close()
            assert wire.read_to_end() == b"<last>\nbye\n"


def test_unix_service_and_its_timeout(serve):
    server = serve(SITE, workers=1)
    path = server.folder / "raw.sock"
    wait_for(path.exists, "the socket")
    assert path.stat().st_mode & 0o777 == 0o600
    with Wire(str(path)) as wire:
        wire.send(b"x")
        assert wire.read_to_end() == b"x"
    with Wire(str(path)) as wire:
        assert wire.read_to_end() == b"timeout"


def test_errors_are_the_site_s_or_the_peer_s(serve):
    """An error of the site is logged with its line; one of the peer is not."""
    server = serve(SITE, workers=1)
    port = raw_port(server)
    with connect(port) as wire:
        wire.read_until(b"\n")
        wire.send(b"peer\nabc")
        wire.half_close()
        assert wire.read_to_end() == b""
    with connect(port) as wire:
        wire.read_until(b"\n")
        wire.send(b"fail\n")
        assert wire.read_to_end() == b""
    server.wait_log(r"site\.lua:\d+: as asked")
    assert "in the middle" not in server.log()


def test_stop_tells_who_reads(serve):
    """Readers get the end; their last words still leave, and the stop waits
    for them."""
    server = serve(SITE, workers=1)
    with connect(raw_port(server)) as wire:
        wire.read_until(b"\n")
        wire.send(b"one\n")
        assert wire.read_until(b"\n") == b"<one>\n"
        server.send_signal()
        assert wire.read_to_end() == b"bye\n"
    assert server.wait() == 0


def test_check_lists_services(command):
    done = command("check", "site.lua", files={"site.lua": SITE})
    assert done.returncode == 0
    assert re.search(r"^listen +127\.0\.0\.1:0 raw .*\(site\.lua:\d+\)$",
                     done.stdout, re.M)


def test_many_come_and_go(serve):
    server = serve(SITE, workers=1)
    port = raw_port(server)
    with connect(port) as wire:
        wire.read_until(b"\n")
    before = server.proc.fds()
    for _ in range(100):
        with connect(port) as wire:
            wire.read_until(b"\n")
            wire.reset()
    wait_for(lambda: server.proc.fds() <= before, "descriptors")


def test_tls_and_starttls(serve, tmp_path):
    ca = Authority(tmp_path)
    ca.sign("site", ["localhost"])
    server = serve(
        """
local pl = require "perilune"
pl.tcp("127.0.0.1:0", { tls = { cert = "site.crt", key = "site.key" } },
  function(s)
    s:write(s.tls.version, " ", s:read_line(), "\\n")
  end)
pl.tcp("unix:start.sock", function(s)
  s:read_line()
  s:write("go\\n")
  assert(s:start_tls { server = true, cert = "site.crt", key = "site.key" })
  s:write(s:read_line(), " in secret\\n")
end)
""",
        workers=1,
    )
    context = ca.context()
    with socket.create_connection(("127.0.0.1", raw_port(server))) as conn:
        with context.wrap_socket(conn, server_hostname="localhost") as wrapped:
            wrapped.sendall(b"hi\n")
            assert wrapped.recv(100) == b"TLSv1.3 hi\n"
            assert wrapped.recv(100) == b""
    with socket.socket(socket.AF_UNIX) as conn:
        conn.connect(str(server.folder / "start.sock"))
        conn.sendall(b"STARTTLS\n")
        assert conn.recv(100) == b"go\n"
        with context.wrap_socket(conn, server_hostname="localhost") as wrapped:
            wrapped.sendall(b"said\n")
            assert wrapped.recv(100) == b"said in secret\n"


def test_a_proxy_header_says_who_came(serve):
    server = serve(
        """
local pl = require "perilune"
pl.tcp("127.0.0.1:0", { proxy_protocol = true, trusted = "127.0.0.1" },
  function(s) s:write(s.remote, " ", s.remote_port, " ", s:read_line()) end)
""",
        workers=1,
    )
    with connect(raw_port(server)) as wire:
        wire.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nword\n")
        assert wire.read_to_end() == b"192.0.2.1 1234 word"


def test_a_site_of_services_only(serve):
    server = serve(
        """
local pl = require "perilune"
pl.tcp("127.0.0.1:0", function(s) s:write("alone") end)
""",
        listen=False,
        announced=False,
        workers=1,
    )
    with connect(raw_port(server)) as wire:
        assert wire.read_to_end() == b"alone"
    assert "http://" not in server.log()


@pytest.mark.parametrize(
    "call, text",
    [
        ("pl.tcp(1, print)", "the address must be a string"),
        ("pl.tcp('a:1')", "pl.tcp: a function is needed"),
        ("pl.tcp('a:1', {protocol = 'http'}, print)", "are for HTTP"),
        ("pl.tcp('a:1', {bcklog = 1}, print)", "did you mean 'backlog'"),
        ("pl.tcp('a:1', {timeout = -1}, print)", "option 'timeout'"),
        ("pl.tcp({}, print)", "pl.tcp: an address is needed"),
        ("pl.listen{':81'} pl.tcp(':81', print)", "is already taken"),
    ],
)
def test_misuse(command, call, text):
    site = 'local pl = require "perilune"\n' + call
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode != 0 and "site.lua:2" in done.stderr
    assert text in done.stderr


# ---- hijack ----------------------------------------------------------------

HIJACK = """
local pl = require "perilune"
pl.get("/raw", function(req)
  local s = assert(req:hijack())
  s:write("raw\\n")
  for line in s:lines() do s:write("[", line, "]\\n") end
end)
pl.post("/body", function(req)
  local s, err = req:hijack()
  local body = req:body()
  s = s or assert(req:hijack())
  s:write(err and err.code or "at once", " ", body, " ", s:read_line(), "\\n")
  return "nobody reads this"
end)
pl.get("/late", function(req, res)
  res:write("begun")
  local s, err = req:hijack()
  res:write(" ", err.code)
end)
pl.get("/twice", function(req)
  local s = req:hijack()
  local again, err = req:hijack()
  s:write(tostring(again), " ", err.code)
end)
pl.get("/keep", function(req)
  local s = req:hijack():keep()
  pl.spawn(function()
    for line in s:lines() do s:write(line:upper(), "\\n") end
    s:close()
  end)
end)
"""


@pytest.mark.parametrize("how", ["whole", "bytewise"])
def test_hijack(serve, how):
    server = serve(
        HIJACK + 'pl.set { access_log = "access.log" }', workers=1
    )
    with server.connect() as wire:
        wire.send(b"GET /raw HTTP/1.1\r\nHost: a\r\n\r\nfirst\nsec", how=how)
        assert wire.read_until(b"\n") == b"raw\n"
        assert wire.read_until(b"\n") == b"[first]\n"
        wire.send(b"ond\n", how=how)
        assert wire.read_until(b"\n") == b"[second]\n"
        wire.half_close()
        assert wire.read_to_end() == b""
    log = server.folder / "access.log"
    wait_for(lambda: "hijacked" in log.read_text(), "the line")
    assert re.search(r'"GET /raw HTTP/1.1" 101 .* hijacked$', log.read_text())


def test_hijack_behind_a_body(serve):
    server = serve(HIJACK, workers=1)
    head = b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
    with server.connect() as wire:
        wire.send(head + b"bo")
        wire.send(b"dyafter\n")
        assert wire.read_to_end() in (b"state body after\n",
                                      b"at once body after\n")


def test_hijack_in_time_and_once(serve):
    server = serve(HIJACK, workers=1)
    assert server.get("/late").body == b"begun state"
    with server.connect() as wire:
        wire.send(b"GET /twice HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.read_to_end() == b"nil closed"


def test_hijack_outlives_the_handler_if_kept(serve):
    server = serve(HIJACK, workers=1)
    with server.connect() as wire:
        wire.send(b"GET /keep HTTP/1.1\r\nHost: a\r\n\r\nabc\n")
        assert wire.read_until(b"\n") == b"ABC\n"
        wire.send(b"def\n")
        assert wire.read_until(b"\n") == b"DEF\n"
        server.send_signal()
        assert wire.read_to_end() == b""
    assert server.wait() == 0


def test_hijack_with_tls(serve, tmp_path):
    ca = Authority(tmp_path)
    ca.sign("site", ["localhost"])
    server = serve(
        HIJACK
        + 'pl.listen { "127.0.0.1:0", tls = { cert = "site.crt", '
        + 'key = "site.key" } }',
        listen=False,
        workers=1,
    )
    context = ca.context()
    with socket.create_connection(("127.0.0.1", server.port)) as conn:
        with context.wrap_socket(conn, server_hostname="localhost") as wrapped:
            wrapped.sendall(b"GET /raw HTTP/1.1\r\nHost: a\r\n\r\nx\n")
            file = wrapped.makefile("rb")
            assert file.readline() == b"raw\n"
            assert file.readline() == b"[x]\n"
            file.close()


def test_hijack_is_not_for_http2(serve):
    server = serve(HIJACK, workers=1)
    done = subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", server.url("/raw"), "-o",
         "/dev/null", "-w", "%{http_code}"],
        capture_output=True, text=True, check=False,
    )
    assert done.stdout == "500"
    server.wait_log("requests share this connection")
