"""What outlives a reload moves to the new code: WebSockets, their state, and
plain data of each worker. Nothing of it is lost, doubled or held back."""

import asyncio
import ssl
from signal import SIGHUP

import pytest

from conformance.websocket.frames import TEXT, closing, frame
from harness.certs import Authority
from harness.reload import GONE, reload, write
from harness.server import sanitized
from harness.wait import GUARD, wait_for

websockets = pytest.importorskip("websockets")

# {0} is which version of the site this is.
SITE = """
local pl = require "perilune"
pl.set {{ reload_drain = "600s" }}
pl.get("/", function() return "{0}" end)
pl.get("/tell", function(req)
  pl.publish("news", req.args.text)
  return ""
end)
pl.on("stop", function() pl.log.notice "{0} stops" end)
""" + GONE + """pl.group("/group", function()
  pl.websocket("/ws", {{
    protocols = {{ "one", "two" }},
    open = function(ws)
      ws:subscribe("news")
      ws.own, ws.state = "own", {{ n = 0, list = {{ 1, {{ "x" }} }} }}
    end,
    message = function(ws, data)
      ws.state.n = ws.state.n + 1
      if data == "held" then
        pl.log.notice "holding"
        pl.subscribe("go"):receive()
      elseif data == "fail" then
        error "it failed"
      elseif data == "own" then
        data = tostring(ws.own)
      elseif data == "spoil" then
        ws.state.fn, ws.state[print] = print, 1
        ws.state.deep = {{ {{ co = coroutine.create(print) }} }}
      elseif data == "all" then
        data = pl.json.encode(ws.state, {{ sort_keys = true }})
      elseif data == "keep" then
        kept = ws
      end
      ws:send("{0} " .. ws.state.n .. " " .. data)
    end,
    moved = function(ws)
      ws:send("moved to {0} " .. tostring(ws.subprotocol))
    end,
    close = function(ws, code)
      pl.log.notice("{0} closed: " .. code)
    end,
  }})
end)
pl.get("/go", function() pl.publish("go", 1) return "" end)
pl.get("/kept", function() kept:send("late") end)
"""


def reload_to(server, version, site=SITE):
    reload(server, site.format(version), version)


def run(conversation):
    asyncio.run(asyncio.wait_for(conversation, GUARD))


def connect(server, path="/group/ws", **options):
    options.setdefault("compression", None)
    url = f"ws://127.0.0.1:{server.port}{path}"
    return websockets.connect(url, **options)


async def ask(ws, data):
    await ws.send(data)
    return await ws.recv()


@pytest.fixture
def server(serve):
    return serve(SITE.format("v1"), workers=1)


# ---- WebSockets with callbacks ----


def test_websocket__moves_with_its_state_and_its_topics(server):
    async def conversation():
        async with connect(server, subprotocols=["two"]) as ws:
            assert await ask(ws, "a") == "v1 1 a"
            assert await ask(ws, "own") == "v1 2 own"
            reload_to(server, "v2")
            assert await ws.recv() == "moved to v2 two"
            assert await ask(ws, "b") == "v2 3 b"
            assert await ask(ws, "own") == "v2 4 nil"
            assert await ask(ws, "all") == (
                'v2 5 {"list":[1,["x"]],"n":5}'
            )
            server.get("/tell?text=news")
            assert await ws.recv() == "news"
            server.wait_log("v1 has gone")
            reload_to(server, "v3")
            assert await ws.recv() == "moved to v3 two"
            await ws.close(4000)
            server.wait_log("v3 closed: 4000")
            assert "v1 closed" not in server.log()

    run(conversation())


def test_websocket__that_is_busy_moves_when_its_callback_returns(server):
    async def conversation():
        async with connect(server) as ws:
            await ws.send("held")
            server.wait_log("holding")
            for n in range(20):
                await ws.send(str(n))
            reload_to(server, "v2")
            reload_to(server, "v3")  # and passes v2 by
            assert "v1 has gone" not in server.log()
            server.get("/go")
            assert await ws.recv() == "v1 1 held"
            assert await ws.recv() == "moved to v3 nil"
            got = [await ws.recv() for _ in range(20)]
            assert got == [f"v3 {n + 2} {n}" for n in range(20)]
            server.wait_log("v1 has gone")
            server.wait_log("v2 has gone")

    run(conversation())


def test_websocket__without_a_route_is_closed(server):
    async def conversation():
        async with connect(server) as ws:
            assert await ask(ws, "a") == "v1 1 a"
            text = SITE.format("v2").replace("/ws", "/other")
            reload(server, text, "v2")
            await ws.wait_closed()
            assert ws.close_code == 1012
            server.wait_log("v1 closed: 1012")
            server.wait_log("v1 has gone")

    run(conversation())


def test_websocket__leaves_behind_what_is_not_plain(server):
    async def conversation():
        async with connect(server) as ws:
            assert await ask(ws, "spoil") == "v1 1 spoil"
            reload_to(server, "v2")
            assert await ws.recv() == "moved to v2 nil"
            assert await ask(ws, "all") == (
                'v2 2 {"list":[1,["x"]],"n":2}'
            )

    run(conversation())
    server.wait_log("not carried over by the reload: ws.state.fn: a function")
    server.wait_log("ws.state.deep.*co: a thread")


def test_websocket__that_has_moved_is_an_error_for_the_old_code(server):
    """A request of the old generation has kept it."""
    held = "pl.get('/kept', function() pl.log.notice 'waiting' " + (
        "pl.subscribe('go'):receive() kept:send('late') end)"
    )
    text = SITE.format("v1").split("pl.get(\"/kept")[0] + held

    async def conversation():
        async with connect(server) as ws:
            write(server, text)
            server.send_signal(SIGHUP)
            assert await ws.recv() == "moved to v1 nil"
            assert await ask(ws, "keep") == "v1 1 keep"
            with server.connect() as wire:
                wire.send(b"GET /kept HTTP/1.1\r\nHost: a\r\n\r\n")
                server.wait_log("waiting")
                reload_to(server, "v2")
                assert await ws.recv() == "moved to v2 nil"
                server.get("/go")
                assert wire.response().status == 500
            assert await ask(ws, "on") == "v2 2 on"

    run(conversation())
    server.wait_log(
        "site.lua:[0-9]+: ws:send: this websocket has moved to a newer gen"
    )


def test_websocket__that_fails_after_the_move_is_closed_alone(server):
    failing = SITE.replace('ws:send("moved', 'if ws.state.n == 1 then error '
                           '"not me" end ws:send("moved')

    async def conversation():
        async with connect(server) as one, connect(server) as two:
            assert await ask(one, "a") == "v1 1 a"
            reload_to(server, "v2", failing)
            await one.wait_closed()
            assert one.close_code == 1011
            assert await two.recv() == "moved to v2 nil"
            assert await ask(two, "a") == "v2 1 a"
            server.wait_log("not me")

    run(conversation())


def test_websocket__packed_messages_go_on(server):
    site = SITE.replace("protocols =", 'compress = "context", protocols =')

    async def conversation():
        async with connect(server, compression="deflate") as ws:
            for n in range(5):
                reload_to(server, f"w{n}", site)
                assert (await ws.recv()).startswith("moved")
                for k in range(5):
                    text = f"the same words again {k} " * 50
                    assert (await ask(ws, text)).endswith(text)

    reload_to(server, "v2", site)
    run(conversation())


def test_websocket__moves_over_http2(server):
    over_http2 = pytest.importorskip("conformance.websocket.over_http2")
    with over_http2.Http2Client(server.port, "/group/ws") as client:
        client.send(frame(TEXT, b"a"))
        assert client.read().data == b"v1 1 a"
        for n in range(2, 6):
            reload_to(server, f"v{n}")
            assert client.read().data == b"moved to v%d nil" % n
            client.send(frame(TEXT, b"a"))
            assert client.read().data == b"v%d %d a" % (n, n)
        server.wait_log("v4 has gone")
        server.get("/tell?text=news")
        assert client.read().data == b"news"
        client.send(closing(4001))
        assert client.read().data[:2] == b"\x0f\xa1"


def test_websocket__moves_over_tls(serve, tmp_path):
    cert, key = Authority(tmp_path).sign("one")
    site = SITE + (
        f'pl.listen {{{{ "127.0.0.1:0" }}}}\n'
        f'pl.listen {{{{ "127.0.0.1:0", tls = '
        f'{{{{ cert = "{cert}", key = "{key}" }}}} }}}}\n'
    )
    server = serve(site.format("v1"), workers=1, listen=False)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = server.addresses(2)[1][1]

    async def conversation():
        url = f"wss://127.0.0.1:{port}/group/ws"
        async with websockets.connect(url, ssl=context) as ws:
            assert await ask(ws, "a") == "v1 1 a"
            reload_to(server, "v2", site)
            assert await ws.recv() == "moved to v2 nil"
            assert await ask(ws, "b") == "v2 2 b"

    run(conversation())


# ---- under load ----

LOAD = """
local pl = require "perilune"
pl.set {{ reload_drain = "600s" }}
pl.get("/", function() return "{0}" end)
""" + GONE + """pl.websocket("/ws", {{
  open = function(ws) ws.state = {{ n = 0 }} end,
  message = function(ws, data)
    if data:byte(-1) % 3 == 0 then pl.sleep(0.001) end
    ws.state.n = ws.state.n + 1
    ws:send(ws.state.n .. " " .. data)
  end,
}})
"""
CLIENTS, RELOADS = 20, 50


def test_load__50_reloads_lose_and_double_no_message(serve):
    reload_under_load(serve, LOAD)


def reload_under_load(serve, site):
    server = serve(site.format("v0"), workers=2)
    done = False

    async def talk():
        """Sends ahead, and looks at every answer."""
        n = 0
        async with connect(server, "/ws") as ws:
            while not done or n < 10:
                for k in range(n, n + 5):
                    await ws.send(str(k))
                for k in range(n, n + 5):
                    assert await ws.recv() == f"{k + 1} {k}"
                n += 5
        return n

    async def reloads():
        nonlocal done
        loop = asyncio.get_running_loop()
        for n in range(1, RELOADS + 1):
            await loop.run_in_executor(None, reload_to, server, f"v{n}", site)
        done = True

    async def conversation():
        clients = [talk() for _ in range(CLIENTS)]
        return await asyncio.gather(reloads(), *clients)

    run(conversation())
    server.wait_log("v[0-9]+ has gone", count=2 * RELOADS)


def test_load__idle_sockets_hold_no_generation(serve):
    server = serve(LOAD.format("v0"), workers=1)

    async def conversation():
        sockets = [await connect(server, "/ws") for _ in range(100)]
        for ws in sockets:
            assert await ask(ws, "a") == "1 a"

        def rounds(first, count):
            for n in range(first, first + count):
                reload_to(server, f"v{n}", LOAD)
                server.wait_log(f"v{n - 1} has gone")

        rounds(1, 20)
        before = server.proc.rss_kib()
        rounds(21, 40)
        if not sanitized():
            wait_for(
                lambda: server.proc.rss_kib() - before < 2048, "flat memory"
            )
        for ws in sockets:
            assert await ask(ws, "b") == "2 b"
            await ws.close()

    run(conversation())


# ---- pl.persist ----

PERSIST = """
local pl = require "perilune"
pl.persist.n = pl.persist.n or 0
pl.persist.fresh = "{0}"
pl.on("start", function()
  pl.log.notice("{0} starts with " .. pl.json.encode(pl.persist,
    {{ sort_keys = true }}))
end)
pl.get("/", function() return "{0}" end)
pl.get("/add", function()
  pl.persist.n = pl.persist.n + 1
  pl.persist.list = {{ "a", {{ b = true }} }}
  return tostring(pl.persist.n)
end)
pl.get("/spoil", function()
  pl.persist.conn = io.stdout
  pl.persist.users = {{ ada = {{ name = "Ada", call = print }} }}
  return ""
end)
pl.get("/fill", function() pl.persist.big = ("x"):rep(2000000) return "" end)
pl.get("/replace", function() pl.persist = {{ other = 1 }} return "" end)
"""
NEVER = 'require("perilune").get("/", function() return "{0}" end)'


def test_persist__is_carried_over_before_the_start(serve):
    server = serve(PERSIST.format("v1"), workers=1)
    server.wait_log('v1 starts with {"fresh":"v1","n":0}')
    assert server.get("/add").body == b"1"
    reload_to(server, "v2", PERSIST)
    server.wait_log(
        'v2 starts with {"fresh":"v1","list":\\["a",{"b":true}\\],"n":1}'
    )
    assert server.get("/add").body == b"2"
    reload_to(server, "v3", NEVER)
    reload_to(server, "v4", PERSIST)  # past one that has not looked at it
    server.wait_log('v4 starts with {"fresh":"v1","list":.*,"n":2}')
    server.get("/replace")
    reload_to(server, "v5", PERSIST)
    server.wait_log('v5 starts with {"fresh":"v5","n":0,"other":1}')


def test_persist__leaves_behind_what_is_not_plain(serve):
    server = serve(PERSIST.format("v1"), workers=1)
    server.get("/add")
    server.get("/spoil")
    reload_to(server, "v2", PERSIST)
    server.wait_log("by the reload: pl.persist.conn: a userdata cannot")
    server.wait_log("by the reload: pl.persist.users.ada.call: a function")
    server.wait_log('v2 starts with {"fresh":"v1","list":.*,"n":1}')
    server.get("/fill")
    reload_to(server, "v3", PERSIST)
    server.wait_log("not carried over by the reload: pl.persist: .*limit")
    server.wait_log('v3 starts with {"fresh":"v3","n":0}')


def test_persist__is_that_of_each_worker(serve):
    site = PERSIST + """
    pl.on("start", function() pl.persist.id = pl.persist.id or pl.workers.id
      pl.log.notice("{0}: " .. pl.persist.id .. "=" .. pl.workers.id) end)
    """
    server = serve(site.format("v1"), workers=3)
    reload_to(server, "v2", site)
    for n in range(3):
        server.wait_log(f"v2: {n}={n}")


# ---- handlers in straight lines ----

STRAIGHT = """
local pl = require "perilune"
pl.set {{ reload_drain = "600s" }}
pl.get("/", function() return "{0}" end)
""" + GONE + """pl.use(function(req, res, next)
  res:header("x-filter", "{0}")
  return next()
end)
local function talk(ws, options)
  pl.defer(function() pl.log.notice "{0} lets go" end)
  local state = ws.state or {{ n = 0 }}
  ws.state = state
  if ws.moved then ws:send("moved to {0}") end
  for data in ws:messages() do
    state.n = state.n + 1
    if data == "fn" then state.fn = print end
    ws:send("{0} " .. state.n .. " " .. data)
    if options.asks then ws:send(tostring(ws:handover())) end
  end
end
pl.get("/asks", function(req) talk(req:websocket(), {{ asks = true }}) end)
pl.get("/willing/:name", function(req)
  talk(req:websocket {{ handover = true }}, {{}})
  pl.log.notice("{0} is over: " .. req.params.name)
end)
pl.get("/waits", function(req)
  local ws = req:websocket()
  if ws.moved then return ws:close(4002, "{0}") end
  ws:send("waiting")
  while not ws:handover(0.01) do end
end)
"""


def test_handover__is_refused_without_a_newer_generation(serve):
    server = serve(STRAIGHT.format("v1"), workers=1)

    async def conversation():
        async with connect(server, "/asks") as ws:
            assert await ask(ws, "a") == "v1 1 a"
            assert await ws.recv() == "false"
            reload_to(server, "v2", STRAIGHT)
            assert await ask(ws, "fn") == "v1 2 fn"
            assert await ws.recv() == "moved to v2"
            server.wait_log("v1 lets go")
            server.wait_log("v1 has gone")
            assert await ask(ws, "b") == "v2 3 b"
            assert await ws.recv() == "false"
        server.wait_log("ws.state.fn: a function")

    run(conversation())


def test_handover__of_who_is_willing_comes_by_itself(serve):
    server = serve(STRAIGHT.format("v1"), workers=1)

    async def conversation():
        async with connect(server, "/willing/ada") as ws:
            assert await ask(ws, "a") == "v1 1 a"
            for n in range(2, 12):
                reload_to(server, f"v{n}", STRAIGHT)
                assert await ws.recv() == f"moved to v{n}"
                assert await ask(ws, "b") == f"v{n} {n} b"
                server.wait_log(f"v{n - 1} has gone")
        server.wait_log("v11 is over: ada")
        assert "v10 is over" not in server.log()

    run(conversation())


def test_handover__may_be_waited_for(serve):
    server = serve(STRAIGHT.format("v1"), workers=1)

    async def conversation():
        async with connect(server, "/waits") as ws:
            assert await ws.recv() == "waiting"
            reload_to(server, "v2", STRAIGHT)
            await ws.wait_closed()
            assert (ws.close_code, ws.close_reason) == (4002, "v2")

    run(conversation())


@pytest.mark.parametrize(
    "old, new",
    [
        ('"/willing/:name"', '"/other"'),
        ("local function talk(", 'local function talk() error "no" end '
         "local function unused("),
        ("talk(req:websocket {{ handover = true }}, {{}})", "do return 204 "
         "end"),
        ("return next()", 'if req.path ~= "/" then return 401 end '
         "return next()"),
    ],
)  # fmt: skip
def test_handover__to_nobody_closes(serve, old, new):
    server = serve(STRAIGHT.format("v1"), workers=1)

    async def conversation():
        async with connect(server, "/willing/ada") as ws:
            assert await ask(ws, "a") == "v1 1 a"
            reload(server, STRAIGHT.replace(old, new).format("v2"), "v2")
            await ws.wait_closed()
            assert ws.close_code == (1011 if "error" in new else 1012)
            server.wait_log("v1 has gone")

    run(conversation())


def test_handover__over_http2(serve):
    over_http2 = pytest.importorskip("conformance.websocket.over_http2")
    server = serve(STRAIGHT.format("v1"), workers=1)
    path = "/willing/h"
    with over_http2.Http2Client(server.port, path) as client:
        client.send(frame(TEXT, b"a"))
        assert client.read().data == b"v1 1 a"
        for n in range(2, 6):
            reload_to(server, f"v{n}", STRAIGHT)
            assert client.read().data == b"moved to v%d" % n
            client.send(frame(TEXT, b"a"))
            assert client.read().data == b"v%d %d a" % (n, n)
        server.wait_log("v4 has gone")
        client.send(closing(4001))
        assert client.read().data[:2] == b"\x0f\xa1"


def test_handover__of_a_request_that_was_rewritten(serve):
    site = STRAIGHT + """
pl.rewrite("^/willing/(.*)$", {{ to = "/willing/%1x", last = true }})
"""
    server = serve(site.format("v1"), workers=1)

    async def conversation():
        async with connect(server, "/willing/ada") as ws:
            assert await ask(ws, "a") == "v1 1 a"
            for n in range(2, 8):  # each begins with what was asked for
                reload_to(server, f"v{n}", site)
                assert await ws.recv() == f"moved to v{n}"
                assert await ask(ws, "b") == f"v{n} {n} b"
        server.wait_log("v7 is over: adax\n")

    run(conversation())


STRAIGHT_LOAD = LOAD.replace(
    """pl.websocket("/ws", {{
  open = function(ws) ws.state = {{ n = 0 }} end,
  message = function(ws, data)
""",
    """pl.get("/ws", function(req)
  local ws = req:websocket {{ handover = true }}
  ws.state = ws.state or {{ n = 0 }}
  for data in ws:messages() do
""",
).replace("  end,\n}})", "  end\nend)")


def test_handover__50_reloads_lose_and_double_no_message(serve):
    reload_under_load(serve, STRAIGHT_LOAD)


# ---- streams of events ----

STREAMS = """
local pl = require "perilune"
pl.set {{ reload_drain = "600s" }}
local room = pl.channel("room", {{ history = 1000 }})
pl.get("/", function() return "{0}" end)
""" + GONE + """pl.use(function(req, res, next)
  res:header("x-filter", "{0}")
  return next()
end)
pl.get("/say", function(req)
  for n = tonumber(req.args.from), tonumber(req.args.to) do
    pl.publish("room", tostring(n))
  end
  return ""
end)
pl.get("/room", function(_, res)
  local events = res:events {{ handover = true }}
  events.state = (events.state or 0) + 1
  pl.log.notice("{0} begins:", events.state, events.moved, events.last_id)
  return events:subscribe("room", {{ history = true }}, function(value, _, id)
    return "{0} " .. value, {{ id = id }}
  end)
end)
pl.get("/clock", function(_, res)
  local events = res:events()
  local n = events.state or 0
  repeat
    n = n + 1
    events.state = n
    events:send("{0} " .. n)
  until events:handover(0.01) ~= false
end)
"""


class Stream:
    """The lines of events, over a connection of its own."""

    def __init__(self, server, path):
        self.wire = server.connect()
        self.wire.send(
            f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        )
        self.file = self.wire.socket.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.file.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def next(self) -> str:
        """The data of the next event; "" at the end."""
        while line := self.file.readline():
            if line.startswith(b"data: "):
                return line[6:].decode().strip()
            if line == b"0\r\n":  # the last chunk
                break
        return ""


def test_stream__goes_over_with_its_state_and_its_place(serve):
    server = serve(STREAMS.format("v1"), workers=1)
    server.get("/say?from=1&to=3")
    with Stream(server, "/room") as stream:
        assert b"x-filter: v1" in stream.head
        assert [stream.next() for _ in range(3)] == ["v1 1", "v1 2", "v1 3"]
        reload_to(server, "v2", STREAMS)
        server.wait_log("v2 begins: 2 true [0-9]+")
        server.wait_log("v1 has gone")
        server.get("/say?from=4&to=5")
        assert [stream.next() for _ in range(2)] == ["v2 4", "v2 5"]
        reload_to(server, "v3", STREAMS)
        server.wait_log("v3 begins: 3 true [0-9]+")
        assert server.stop() == 0
        assert stream.next() == ""


def test_stream__loses_and_doubles_nothing_of_a_channel(serve):
    server = serve(STREAMS.format("v0"), workers=2)
    with Stream(server, "/room") as one, Stream(server, "/room") as two:
        for n in range(1, 31):
            server.get(f"/say?from={10 * n - 9}&to={10 * n - 3}")
            reload_to(server, f"v{n}", STREAMS)
            server.get(f"/say?from={10 * n - 2}&to={10 * n}")
        for stream in (one, two):
            got = [int(stream.next().split()[1]) for _ in range(300)]
            assert got == list(range(1, 301))
    server.wait_log("v[0-9]+ has gone", count=60)


def test_stream__of_a_loop_goes_over_when_it_asks(serve):
    server = serve(STREAMS.format("v1"), workers=1)
    with Stream(server, "/clock") as stream:
        assert stream.next() == "v1 1"
        reload_to(server, "v2", STREAMS)
        at = 1
        while (event := stream.next()).startswith("v1"):
            at += 1
            assert event == f"v1 {at}"
        assert event == f"v2 {at + 1}"
        server.wait_log("v1 has gone")


@pytest.mark.parametrize("path", ["/other", "/"])
def test_stream__to_nobody_ends_whole(serve, path):
    """Its client comes again."""
    server = serve(STREAMS.format("v1"), workers=1)
    with Stream(server, "/room") as stream:
        site = STREAMS.replace('"/room"', f'"{path}/x"')
        if path == "/":
            site = STREAMS.replace(
                "local events = res:events {{", "do return 204 end "
                "local events = res:events {{",
            )
        reload_to(server, "v2", site)
        assert stream.next() == ""
        server.wait_log("v1 has gone")


def test_stream__whose_client_leaves_is_over(serve):
    server = serve(STREAMS.format("v1"), workers=1)
    for n in range(2, 12):
        with Stream(server, "/room") as stream:
            write(server, STREAMS.format(f"v{n}"))
            server.send_signal(SIGHUP)
        assert stream is not None
        reload_to(server, f"v{n}", STREAMS)
        server.wait_log(f"v{n - 1} has gone")
