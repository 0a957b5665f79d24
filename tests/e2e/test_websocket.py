"""WebSockets from Lua, with a client of another make (python3-websockets)."""

import asyncio

import pytest

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
