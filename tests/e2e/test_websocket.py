"""WebSockets from Lua, with a client of another make (python3-websockets)."""

import asyncio
import socket

import pytest

from conformance.websocket.frames import BINARY, CLOSE, TEXT, closing, frame
from harness.server import sanitized
from harness.wait import GUARD

websockets = pytest.importorskip("websockets")

SITE = """
local pl = require "perilune"
pl.websocket("/echo", {
  open = function(ws, req) ws.name = req.args.name end,
  message = function(ws, data, kind)
    if data == "fail" then error("it failed") end
    if data == "close" then return ws:close(4001, "bye") end
    if data == "sleep" then pl.sleep(0.05) end
    if data == "fail late" then
      pl.log("looking")
      while ws:send(data) do pl.sleep(0.01) end
      error("it failed late")
    end
    if data == "sender" then
      pl.spawn(function()
        pl.defer(function() pl.log("the sender was ended") end)
        while true do
          local _, err = ws:send("again")
          if err then pl.log("told:", err.code) end
          pl.sleep(0.01)
        end
      end)
    end
    ws:send(data, kind)
  end,
  close = function(ws, code, reason)
    pl.log("closed", ws.name, code, reason)
  end,
})
pl.get("/straight", function(req)
  local ws = req:websocket { max_message = "64k", protocols = { "b", "a" } }
  ws:send(ws.subprotocol or "none")
  for data, kind in ws:messages() do ws:send(data, kind) end
  pl.log("ended", ws:closed())
end)
pl.get("/late", function(req)
  local ws = req:websocket()
  local data, err = ws:receive(0.01)
  ws:send(tostring(data) .. " " .. err.code)
  local same, kind = ws:receive(60)
  ws:send(same .. " " .. kind)
end)
pl.get("/broken", function(req) req:websocket() error("broken") end)
pl.websocket("/greet", {
  open = function(ws)
    ws:send("who?")
    ws.name = ws:receive()
    ws:send("hello, " .. ws.name)
  end,
  message = function(ws, data) ws:send(ws.name .. ": " .. data) end,
})
pl.websocket("/flood", {
  message = function(ws)
    local n = 0
    while ws:try_send(("x"):rep(10000), "binary") do n = n + 1 end
    pl.log("tried", n)
    for _ = 1, 200 do ws:send(("y"):rep(10000)) end
    ws:close()
  end,
})
"""


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(SITE, workers=1)


def talk(server, path, conversation, **options):
    """Runs conversation(ws) and gives what the socket was closed with."""
    options.setdefault("compression", None)

    async def run():
        url = f"ws://127.0.0.1:{server.port}{path}"
        async with websockets.connect(url, **options) as ws:
            await conversation(ws)
            await ws.close()
        return ws.close_code, ws.close_reason

    return asyncio.run(asyncio.wait_for(run(), GUARD))


@pytest.mark.parametrize("path", ["/echo", "/straight"])
def test_echo(server, path):
    async def conversation(ws):
        if path == "/straight":
            assert await ws.recv() == "none"
        for data in ("hello", "", "äöü €", b"\x00\xff", b"x" * 60000):
            await ws.send(data)
            assert await ws.recv() == data
        for n in range(300):
            await ws.send(str(n))
        for n in range(300):
            assert await ws.recv() == str(n)
        await ws.send(["in ", "three ", "parts"])
        assert await ws.recv() == "in three parts"
        await asyncio.wait_for(await ws.ping(), GUARD)

    assert talk(server, path, conversation)[0] == 1000


def test_callbacks_wait_and_never_overlap(server):
    async def conversation(ws):
        for data in ("sleep", "one", "sleep", "two"):
            await ws.send(data)
        for data in ("sleep", "one", "sleep", "two"):
            assert await ws.recv() == data

    talk(server, "/echo", conversation)


def test_open_may_wait_for_messages(server):
    async def conversation(ws):
        assert await ws.recv() == "who?"
        await ws.send("Ada")
        await ws.send("early")
        assert await ws.recv() == "hello, Ada"
        assert await ws.recv() == "Ada: early"

    talk(server, "/greet", conversation)


def test_receive_with_a_timeout(server):
    async def conversation(ws):
        assert await ws.recv() == "nil timeout"
        await ws.send(b"now")
        assert await ws.recv() == b"now binary".decode()
        await ws.wait_closed()

    assert talk(server, "/late", conversation)[0] == 1000


def test_the_site_closes(server):
    async def conversation(ws):
        await ws.send("close")
        await ws.wait_closed()

    assert talk(server, "/echo?name=c1", conversation) == (4001, "bye")
    server.wait_log("closed c1 4001 bye")


def test_the_client_closes(server):
    async def conversation(ws):
        await ws.close(4321, "enough")

    talk(server, "/echo?name=c2", conversation)
    server.wait_log("closed c2 4321 enough")
    talk(server, "/straight", conversation)
    server.wait_log("ended 4321 enough")


def test_the_client_is_gone(server):
    async def conversation(ws):
        ws.transport.abort()

    talk(server, "/echo?name=c3", conversation)
    server.wait_log("closed c3 1006")


def test_errors_close_and_are_logged(server):
    async def conversation(ws):
        await ws.send("fail")
        await ws.wait_closed()

    assert talk(server, "/echo?name=c4", conversation)[0] == 1011
    server.wait_log(r"site\.lua:\d+: it failed")
    server.wait_log("closed c4 1011")

    async def nothing(ws):
        await ws.wait_closed()

    assert talk(server, "/broken", nothing)[0] == 1011
    server.wait_log("broken")


def test_the_end_is_told_after_an_error(server):
    """Also if it came while the last message was looked at."""

    async def conversation(ws):
        await ws.send("fail late")
        server.wait_log("looking")
        ws.transport.abort()

    talk(server, "/echo?name=c5", conversation)
    server.wait_log("it failed late")
    server.wait_log("closed c5 1006")


def test_who_sends_to_a_closed_socket_is_ended(server):
    async def conversation(ws):
        await ws.send("sender")
        await ws.recv()

    talk(server, "/echo?name=c6", conversation)
    server.wait_log("told: closed")
    server.wait_log("the sender was ended")


def test_subprotocols(server):
    async def conversation(ws):
        assert ws.subprotocol == "b"
        assert await ws.recv() == "b"

    talk(server, "/straight", conversation, subprotocols=["a", "b"])


def test_messages_too_long(server):
    async def conversation(ws):
        await ws.recv()
        await ws.send("x" * 65537)
        await ws.wait_closed()

    assert talk(server, "/straight", conversation)[0] == 1009


def test_slow_readers_are_waited_for(server):
    async def conversation(ws):
        await ws.send("go")
        server.wait_log("tried")
        got = [message async for message in ws]
        texts = [message for message in got if isinstance(message, str)]
        assert len(texts) == 200 and len(got) > 210

    assert talk(server, "/flood", conversation, max_queue=1)[0] == 1000


def test_what_is_no_websocket(server):
    response = server.get("/echo")
    assert response.status == 426
    assert response.header("upgrade") == "websocket"
    assert response.header("sec-websocket-version") == "13"
    assert server.get("/straight").status == 426


def test_other_origins(server):
    async def refused():
        with pytest.raises(websockets.InvalidStatusCode) as error:
            await websockets.connect(
                f"ws://127.0.0.1:{server.port}/echo", origin="http://evil"
            )
        return error.value.status_code

    assert asyncio.run(refused()) == 403
    server.wait_log("origin=http://evil")

    async def nothing(ws):
        pass

    own = f"http://127.0.0.1:{server.port}"
    assert talk(server, "/echo", nothing, origin=own)[0] == 1000


ROOMS = """
local pl = require "perilune"
pl.websocket("/room/:name", {
  open = function(ws, req)
    ws.room = req.params.name
    assert(ws:subscribe(ws.room, { full = req.args.full }))
    ws:send("worker " .. pl.workers.id)
  end,
  message = function(ws, data, kind)
    if data == "leave" then
      return ws:send(tostring(ws:unsubscribe(ws.room)))
    end
    pl.publish(ws.room, data)
  end,
  close = function(_, code) pl.log("left with", code) end,
})
pl.get("/publish/:room", function(req)
  local room, n = req.params.room, 0
  for i = 1, tonumber(req.args.n) do
    n = pl.publish(room, (req.args.text or "news ") .. i)
  end
  return { receivers = n }
end)
pl.get("/odd", function()
  for _, value in ipairs { 1, 1.5, true, "\\255", { a = { 1, 2 } } } do
    pl.publish("odd", value)
  end
end)
"""


async def enter(server, path, count):
    url = f"ws://127.0.0.1:{server.port}{path}"
    sockets = [
        await websockets.connect(url, compression=None, max_queue=None)
        for _ in range(count)
    ]
    workers = {await ws.recv() for ws in sockets}
    return sockets, workers


def test_topics_reach_all_workers(serve):
    server = serve(ROOMS, workers=4)

    async def run():
        (first, *others), workers = await enter(server, "/room/a", 60)
        assert len(workers) > 1, "several workers"
        (stranger,), _ = await enter(server, "/room/b", 1)
        for n in range(20):
            await first.send(f"hello {n}")
        for ws in (first, *others):
            for n in range(20):
                assert await ws.recv() == f"hello {n}"
        answer = server.get("/publish/b?n=1").json()
        assert answer["receivers"] == 1, "a subscription for each worker"
        assert await stranger.recv() == "news 1"
        await others[0].send("leave")
        assert await others[0].recv() == "true"
        await others[0].send("leave")
        assert await others[0].recv() == "false"
        await first.send(b"\xff")
        for ws in (first, *others[1:]):
            assert await ws.recv() == b"\xff"
        await asyncio.gather(*(ws.close() for ws in (first, *others, stranger)))

    asyncio.run(asyncio.wait_for(run(), GUARD))
    server.wait_log("left with 1000", 61)


def test_topics_of_other_values(serve):
    server = serve(ROOMS, workers=2)

    async def run():
        (ws,), _ = await enter(server, "/room/odd", 1)
        server.get("/odd")
        got = [await ws.recv() for _ in range(5)]
        assert got == ["1", "1.5", "true", b"\xff", '{"a":[1,2]}']
        await ws.close()

    asyncio.run(asyncio.wait_for(run(), GUARD))


def slow_reader(server, path):
    """A socket that does not read, with small buffers."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", server.port))
    raw.sendall(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b" 101 " in raw.recv(4096)
    return raw


@pytest.mark.parametrize("full", ["close", "drop"])
def test_slow_subscribers_are_bounded(serve, full):
    server = serve(ROOMS, workers=1)
    text = "x" * 6000

    async def run():
        (ws,), _ = await enter(server, "/room/a", 1)
        slow = [slow_reader(server, f"/room/a?full={full}") for _ in range(20)]
        before = server.proc.rss_kib()
        for _ in range(100):
            await asyncio.to_thread(server.get, f"/publish/a?n=30&text={text}")
            for n in range(30):
                assert (await ws.recv()).startswith("x")
        if full == "close":
            server.wait_log("left with 1013", 20)
        grown = server.proc.rss_kib() - before
        if not sanitized():
            assert grown < 20 * 512, "18 MB were published to each"
        for raw in slow:
            raw.close()
        await ws.close()

    asyncio.run(asyncio.wait_for(run(), GUARD))


def test_the_server_stops(serve):
    server = serve(SITE, workers=2)

    async def conversation(ws):
        if ws.path == "/straight":
            await ws.recv()
        server.send_signal()
        await ws.wait_closed()

    assert talk(server, "/straight", conversation)[0] == 1001
    server.wait_log("ended 1001")
    assert server.wait() == 0


WRONG = [
    ('pl.websocket("/x")', "a table of functions is needed"),
    ('pl.websocket("/x", { message = 1 })', "pl.websocket: message"),
    ('pl.websocket("/x", { mesage = print })', "did you mean"),
    ('pl.websocket("/x", { max_message = "x" })', "no size"),
    ('pl.websocket("/x", { ping = "x" })', "no time"),
    ('pl.websocket("/x", { origins = { "a b" } })', "origins"),
    ("pl.websocket(1, {})", "the path must be a string"),
]


@pytest.mark.parametrize("line, text", WRONG)
def test_misuse_is_named(command, line, text):
    site = 'local pl = require "perilune"\n' + line
    done = command("check", "site.lua", files={"site.lua": site})
    assert done.returncode != 0
    assert text in done.stderr and "site.lua:2" in done.stderr, done.stderr


# ---- over HTTP/2 -----------------------------------------------------------


def test_over_http2_it_ends_as_over_http1(serve):
    over_http2 = pytest.importorskip("conformance.websocket.over_http2")
    server = serve(SITE, workers=1)

    def enter(path):
        return over_http2.Http2Client(server.port, path)

    with enter("/straight") as one, enter("/echo?name=h") as two:
        assert one.read().data == b"none"
        one.send(frame(BINARY, b"x" * 60000))
        assert one.read().data == b"x" * 60000
        two.send(frame(TEXT, b"close"))
        assert two.read().data == b"\x0f\xa1bye"
        two.send(closing(4001))
        assert two.at_end()
        server.wait_log("closed h 4001 bye")
    server.wait_log("ended 1006")
    with enter("/broken") as broken, enter("/late") as late:
        assert broken.read().data[:2] == b"\x03\xf3"
        assert late.read().data == b"nil timeout"
        late.send(frame(TEXT, b"now"))
        assert late.read().data == b"now text"
        assert late.read().data[:2] == b"\x03\xe8"
    with enter("/straight") as one, enter("/echo?name=stop") as two:
        assert one.read().data == b"none"
        two.send(frame(TEXT, b"here"))
        assert two.read().data == b"here"
        server.send_signal()  # python3-h2 reads nothing behind a GOAWAY
        server.wait_log("closed stop 1001")
        server.wait_log("ended 1001")
    assert server.wait() == 0


def test_over_http2_slow_readers_are_waited_for(server):
    over_http2 = pytest.importorskip("conformance.websocket.over_http2")
    with over_http2.Http2Client(server.port, "/flood") as client:
        client.send(frame(TEXT, b"go"))
        texts = 0
        while texts < 200:
            texts += client.read().opcode == TEXT
        assert client.read().opcode == CLOSE


CROWD = """
local pl = require "perilune"
pl.websocket("/room", {
  open = function(ws) assert(ws:subscribe("room")) end,
})
pl.get("/tell", function()
  local sizes = { 3, 20000, 3, 600, 3 }
  for i, size in ipairs(sizes) do
    pl.publish("room", tostring(i):rep(size))
  end
  return "told"
end)
"""


def test_over_http2_what_is_broadcast_is_there_once(serve):
    """All windows are closed, so that everything waits: some megabytes, were
    it there for each socket. Then it goes, in its order."""
    over_http2 = pytest.importorskip("harness.h2wire")
    case = pytest.importorskip("conformance.http2.case")
    server, streams = serve(CROWD, workers=1), range(1, 201, 2)
    asked = case.fields("CONNECT", "/room", (":protocol", "websocket"),
                        ("sec-websocket-version", "13"))  # fmt: skip
    connect = [case.headers(stream, *asked, end=False) for stream in streams]
    wires = [over_http2.H2Wire(("127.0.0.1", server.port)) for _ in range(10)]
    for wire in wires:
        wire.greet(over_http2.settings(INITIAL_WINDOW_SIZE=0), *connect)
        wire.until(lambda wire=wire: len(wire.answers) == len(streams))
    before = server.proc.rss_kib()
    assert server.get("/tell").text == "told"
    for wire in wires:
        wire.ping()  # it has been sent to by now
        assert not any(answer.body for answer in wire.answers.values())
    grown = server.proc.rss_kib() - before
    assert sanitized() or grown < 4 * 1024, f"{grown} KiB for 1000 x 20 KB"
    told = [b"111", b"2" * 20000, b"333", b"4" * 600, b"555"]
    want = b"".join(frame(TEXT, text, masked=False) for text in told)
    for wire in wires:
        wire.send(over_http2.window(0, 2**30),
                  over_http2.settings(INITIAL_WINDOW_SIZE=2**20))
        wire.until(lambda wire=wire: all(
            len(answer.body) == len(want) for answer in wire.answers.values()
        ))  # fmt: skip
        assert all(answer.body == want for answer in wire.answers.values())
    for wire in wires:
        wire.wire.close()
