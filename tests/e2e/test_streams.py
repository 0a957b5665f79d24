"""Streams: server-sent events, hints before a response, fields behind it, and
bodies in both directions at once."""

import subprocess
import threading

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.server import sanitized
from harness.wait import wait_for

SITE = """
local pl = require "perilune"
local open = 0

pl.get("/count", function(req, res)
  local events = res:events { retry = "50ms" }
  local n = tonumber(events.last_id) or 0
  for i = n + 1, n + 3 do
    events:send({ n = i }, { event = "tick", id = i })
  end
end)

pl.get("/silent", function(_, res)
  local events = res:events { ping = false, headers = { ["x-kind"] = "quiet" } }
  open = open + 1
  pl.defer(function() open = open - 1 end)
  pl.sleep(1000)
end)

pl.get("/open", function() return tostring(open) end)

pl.get("/flood", function(_, res)
  local events = res:events()
  local text = ("x"):rep(10000)
  while events:send(text) do end
end)

pl.get("/misuse", function(_, res)
  local events = res:events()
  local function refused(...)
    local ok, err = pcall(...)
    events:send(ok and "no error" or tostring(err))
  end
  refused(events.send, events, "x", { id = "a\\nb" })
  refused(events.send, events, "x", { id = "a\\0b" })
  refused(events.send, events, "x", { event = "a\\rb" })
  refused(events.send, events, "x", { name = "a" })
  refused(events.send, events)
  refused(events.send, events, { print })
  refused(res.events, res)
  refused(res.early_hints, res, { link = "a" })
end)

pl.get("/hints", function(_, res)
  res:early_hints { link = { "</a.css>; rel=preload", "</b.js>; rel=preload" } }
  res:inform(102)
  return "page"
end)

pl.get("/bad-hints", function(_, res)
  local _, a = pcall(res.inform, res, 101, {})
  local _, b = pcall(res.early_hints, res, { ["content-length"] = "1" })
  local _, c = pcall(res.early_hints, res, { link = "a\\r\\nb: c" })
  local _, d = pcall(res.trailer, res, "content-length", "1")
  local _, e = pcall(res.early_hints, res, { link = 1 })
  return table.concat({ a, b, c, d, e }, "\\n")
end)

pl.post("/echo", function(req, res)
  res:trailer("x-sum")
  local sum = 0
  assert(req.trailers == nil)
  for chunk in req:chunks() do
    sum = sum + #chunk
    res:write(chunk)
  end
  res:trailer("x-sum", tostring(sum))
  res:trailer("x-got", req.trailers["X-Sent"] or "none")
end)
"""


def curl(server, target: str, *words: str) -> str:
    done = subprocess.run(
        ["curl", "-sN", *words, server.url(target)],
        capture_output=True, timeout=60, check=True,
    )
    return done.stdout.decode()


# ---- events ----------------------------------------------------------------


def test_events_arrive_as_they_are(serve):
    server = serve(SITE)
    tick = 'id: {0}\nevent: tick\ndata: {{"n":{0}}}\n\n'
    head, body = curl(server, "/count", "-i").split("\r\n\r\n", 1)
    assert "Content-Type: text/event-stream" in head
    assert body == "retry: 50\n\n" + "".join(tick.format(n) for n in (1, 2, 3))
    body = curl(server, "/count", "-H", "Last-Event-ID: 3")
    assert body == "retry: 50\n\n" + "".join(tick.format(n) for n in (4, 5, 6))


def test_a_client_that_leaves_is_noticed_at_once(serve):
    server = serve(SITE, workers=1)
    wires = [server.connect() for _ in range(10)]
    for wire in wires:
        wire.send(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"x-kind: quiet" in wire.read_until(b"\r\n\r\n")
    assert server.get("/open").text == "10"
    for wire in wires[:5]:
        wire.close()
    for wire in wires[5:]:
        wire.reset()
    wait_for(lambda: server.get("/open").text == "0", "all of them")


def test_a_stop_does_not_wait_for_streams(serve):
    server = serve(SITE, workers=2)
    wires = [server.connect() for _ in range(4)]
    for wire in wires:
        wire.send(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"\r\n\r\n")
    server.send_signal()
    for wire in wires:
        assert wire.read_to_end().endswith(b"0\r\n\r\n"), "a whole response"
    assert server.wait() == 0


def test_a_head_request_listens_to_nothing(serve):
    server = serve(SITE)
    with server.connect() as wire:
        response = wire.request("HEAD", "/flood")
        assert response.header("content-type") == "text/event-stream"
        assert wire.get("/open").text == "0", "the connection goes on"


def test_misuse_is_told(serve):
    server = serve(SITE)
    lines = curl(server, "/misuse").split("\n\n")
    one_line = "an event's type and id are one line, an id without NUL"
    wanted = [one_line] * 3 + [
        "unknown option 'name'", "not nil", "function", "sent already", "sent"]
    for want in wanted:
        line = lines.pop(1)
        assert want in line, lines
        assert "site.lua:" in line or "main.lua:" in line, line


# ---- before and behind -----------------------------------------------------


def test_hints_come_first(serve):
    server = serve(SITE)
    with server.connect() as wire:
        wire.send(b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n")
        hints = wire.response(interim=True)
        assert hints.status == 103
        assert hints.all("link") == [
            "</a.css>; rel=preload", "</b.js>; rel=preload"]
        assert wire.response(interim=True).status == 102
        assert wire.response().text == "page"
        wire.send(b"GET /hints HTTP/1.0\r\n\r\n")
        assert wire.response(interim=True).text == "page"


def test_what_would_break_framing_is_refused(serve):
    server = serve(SITE)
    lines = server.get("/bad-hints").text.splitlines()
    for want in ("from 102", "the server makes", "not a valid", "means nothing",
                 "must be a string"):
        line = lines.pop(0)
        assert want in line and ".lua:" in line, line


def test_trailers_go_both_ways(serve):
    server = serve(SITE)
    with server.connect() as wire:
        for _ in range(2):
            wire.send(
                b"POST /echo HTTP/1.1\r\nHost: a\r\n"
                b"Transfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
                b"3\r\nabc\r\n0\r\nX-Sent: yes\r\nContent-Length: 9\r\n\r\n",
                "bytewise",
            )
            head = wire.read_until(b"\r\n\r\n")
            assert b"\r\nTrailer: x-sum\r\n" in head
            tail = wire.read_until(b"\r\n\r\n")
            assert tail.endswith(b"\r\n0\r\nx-sum: 3\r\nx-got: yes\r\n\r\n")


# ---- both directions at once -----------------------------------------------


def test_an_echo_answers_while_it_reads(serve):
    server = serve(SITE)
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: a\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        for n in range(50):
            piece = b"piece %3d" % n
            wire.send(b"9\r\n" + piece + b"\r\n")
            wire.read_until(b"9\r\n" + piece + b"\r\n")
        wire.send(b"0\r\n\r\n")
        assert b"x-sum: 450" in wire.read_until(b"\r\n\r\n")


def test_an_echo_waits_for_leave(serve):
    server = serve(SITE)
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                  b"Expect: 100-continue\r\n\r\n")
        assert wire.response(interim=True).status == 100
        wire.send(b"hello")
        assert wire.response().text == "hello"


@pytest.mark.skipif(sanitized(), reason="sanitizers keep what was freed")
def test_an_echo_piles_nothing_up(serve):
    """300 MB through a client that sends as fast as it can, and reads late."""
    size, piece = 300_000_000, b"x" * 1_000_000
    server = serve(SITE, workers=1)
    server.get("/open")
    before = server.proc.rss_kib()
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: a\r\n"
                  b"Content-Length: %d\r\n\r\n" % size)

        def send():
            for _ in range(size // len(piece)):
                wire.socket.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        wait_for(lambda: stalled(server), "back-pressure")
        assert server.proc.rss_kib() < before + 8 * 1024
        wire.read_until(b"\r\n\r\n")
        received, tail = len(wire.buffer), wire.buffer
        while not tail.endswith(b"\r\n\r\n"):  # of the trailers
            wire.buffer = b""
            assert wire._receive()
            received += len(wire.buffer)
            tail = (tail + wire.buffer)[-200:]
        sender.join()
        assert received > size and b"x-sum: %d\r\n" % size in tail
        assert server.proc.peak_kib() < before + 16 * 1024


def stalled(server) -> bool:
    """The worker has nothing to do: it waits for its client."""
    first = sum(server.proc.cpu())
    threading.Event().wait(0.2)
    return sum(server.proc.cpu()) == first


@pytest.mark.skipif(sanitized(), reason="sanitizers keep what was freed")
def test_events_wait_for_slow_readers(serve):
    server = serve(SITE, workers=1)
    server.get("/open")
    before = server.proc.rss_kib()
    wires = [server.connect() for _ in range(20)]
    for wire in wires:
        wire.send(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: stalled(server), "back-pressure")
    assert server.proc.rss_kib() < before + 20 * 1024
    for wire in wires:
        wire.close()


# ---- a browser -------------------------------------------------------------

PAGE = """<!doctype html><title>.</title><script>
seen = [];
source = new EventSource("/count");
source.addEventListener("tick", e => {
  seen.push(e.lastEventId + ":" + JSON.parse(e.data).n);
  if (seen.length >= 9) source.close();
});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_comes_again_and_says_what_it_has_seen(serve):
    site = SITE + f'pl.get("/", function() return [[{PAGE}]] end)\n'
    server = serve(site, workers=3)
    with Browser() as browser:
        page = browser.page(400, scripts=True)
        page.open(server.url("/"))
        wait_for(lambda: page.value("seen.length") >= 9, "three streams")
        assert page.value("seen.join()") == ",".join(
            f"{n}:{n}" for n in range(1, 10))
        page.close()
