"""Peers that do not read: the server waits for them without collecting what
they do not want, and serves the others meanwhile."""

import pytest

from harness.server import sanitized
from harness.wait import wait_for

BODY = 10_000
STREAM = 50 * 1024 * 1024
PIECE = 64 * 1024
ONCE = 6 * 1024 * 1024  # more than what a connection may hold
GROWTH_KIB = 8 * 1024  # what one peer may cost, noise of malloc included

SITE = f"""
local pl = require "perilune"
local body, piece = ("b"):rep({BODY}), ("s"):rep({PIECE})
pl.get("/", function() return "hello" end)
pl.get("/body", function() return body end)
pl.get("/stream", function(req, res)
  for i = 1, {STREAM // PIECE} do
    res:write(piece)
    if i % 10 == 0 then pl.log.debug("piece", i) end
  end
  pl.log.notice "streamed"
end)
pl.get("/deaf", function(req, res)
  local ok, err = pcall(function() for _ = 1, 1e9 do res:write(piece) end end)
  pl.log.notice("ended", {{ why = tostring(err) }})
end)
pl.get("/once", function(req, res)
  res:write(("s"):rep({ONCE}))
  res:write("end")
end)
pl.pages("/pages", {{ root = "pages" }})
pl.post("/sink", function(req)
  pl.log.notice "not reading"
  while not io.open("go") do pl.sleep(0.002) end
  local size = 0
  for data in function() return req:read(65536) end do size = size + #data end
  return tostring(size)
end)
pl.static("/files", {{ root = "files" }})
"""
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def server(serve, tmp_path):
    page = f'<?lu write(("s"):rep({ONCE})) flush() write "end" ?>'
    files = {"files/.keep": "", "pages/once.dyn.html": page}
    server = serve(SITE, files=files, workers=1)
    server.own_sockets = server.proc.sockets()
    with open(tmp_path / "files/large", "wb") as file:
        file.truncate(STREAM)
        file.seek(STREAM - 4)
        file.write(b"last")
    with server.connect() as wire:
        for _ in range(100):
            wire.get("/body")  # what is allocated once
    return server


def stalled(wire, before: list) -> bool:
    """Nothing has moved since the last look."""
    now = wire.socket.recv(1 << 20, 0x2 | 0x40)  # MSG_PEEK, MSG_DONTWAIT
    before.append(len(now))
    return len(before) > 20 and len(set(before[-20:])) == 1


def send_until_full(wire, data: bytes) -> int:
    """Sends data again and again until nobody takes it; returns how often it
    has begun to."""
    wire.socket.setblocking(False)
    sent, full = 0, 0

    def enough():
        nonlocal sent, full
        full += 1
        try:
            while True:
                sent += wire.socket.send(data[sent % len(data) :] + data * 100)
                full = 0
        except BlockingIOError:
            return full > 20

    wait_for(enough, "the server to stop reading")
    return sent


def check_growth(server, before: int):
    grown = server.proc.rss_kib() - before
    print(f"grown by {grown} KiB")
    if not sanitized():
        assert grown < GROWTH_KIB


def test_pipelined_requests_of_a_peer_that_does_not_read(server):
    before = server.proc.rss_kib()
    request = GET % b"/body"
    with server.connect() as wire:
        sent = send_until_full(wire, request)
        check_growth(server, before)
        assert server.get("/").text == "hello", "others are served"
        wire.socket.settimeout(server.guard)
        whole, rest = divmod(sent, len(request))
        for _ in range(whole):
            assert len(wire.response().body) == BODY
        wire.send(request[rest:])
        assert len(wire.response().body) == BODY
        assert wire.pending() == b""
    check_growth(server, before)


@pytest.mark.parametrize("target", ["/stream", "/files/large"])
def test_slow_reader(server, target):
    before = server.proc.rss_kib()
    with server.connect() as wire:
        wire.send(GET % target.encode())
        head = wire.read_until(b"\r\n\r\n")
        looks = []
        wait_for(lambda: stalled(wire, looks), "the server to wait for us")
        check_growth(server, before)
        assert "streamed" not in server.log()
        assert server.get("/").text == "hello"
        wire.buffer = head + wire.buffer
        response = wire.response()
        assert len(response.body) == STREAM
        assert response.body[-4:] == (b"last" if "files" in target else b"ssss")
        assert wire.get("/").text == "hello", "the next request"
    check_growth(server, before)


@pytest.mark.parametrize("target", ["/once", "/pages/once"])
def test_slow_reader_of_one_large_piece(server, target):
    with server.connect() as wire:
        wire.send(GET % target.encode())
        head = wire.read_until(b"\r\n\r\n")
        looks = []
        wait_for(lambda: stalled(wire, looks), "the server to wait for us")
        wire.buffer = head + wire.buffer
        body = wire.response().body
        assert (len(body), body[-4:]) == (ONCE + 3, b"send")
        assert wire.get("/").text == "hello", "the next request"


def test_a_peer_that_goes_ends_the_stream(server):
    wire = server.connect()
    wire.send(GET % b"/deaf")
    looks = []
    wait_for(lambda: stalled(wire, looks), "the server to wait for us")
    wire.reset()
    server.wait_log("ended why=")
    wait_for(
        lambda: server.proc.sockets() == server.own_sockets,
        "the socket to close",
    )


def test_a_body_nobody_reads_waits_in_the_kernel(server, tmp_path):
    before = server.proc.rss_kib()
    size = 32 * 1024 * 1024
    head = b"POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    with server.connect() as wire:
        wire.send(head % size)
        server.wait_log("not reading")
        sent = send_until_full(wire, b"u" * 65536)
        assert sent < size, "it was not taken"
        check_growth(server, before)
        (tmp_path / "go").touch()
        wire.socket.settimeout(server.guard)
        wire.send(b"u" * (size - sent))
        assert wire.response().text == str(size)
    check_growth(server, before)
