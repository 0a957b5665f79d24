"""Reloads while requests, WebSockets and streams are under way: nothing of them
is lost, and nothing of what was replaced stays. Under load: test_load_reload.
"""

import asyncio
import os
import shutil
import socket
import ssl
from signal import SIGHUP

import pytest

from harness.certs import Authority
from harness.reload import write
from harness.wait import GUARD, wait_for

# {0} is which version of the site this is.
SITE = """
local pl = require "perilune"
pl.set {{ reload_drain = "1s" }}
pl.get("/", function() return "{0}" end)
pl.get("/wait", function() pl.sleep(0.005) return "waited" end)
pl.get("/hold", function()
  pl.log.notice "holding"
  pl.subscribe("go"):receive()
  return "{0}"
end)
pl.get("/go", function() pl.publish("go", 1) return "" end)
pl.get("/reload", function()
  local ok, err = pl.reload()
  return ok and "{0} reloaded" or err.code .. " " .. tostring(err)
end)
pl.on("reload", function() pl.log.notice "{0} is replaced" end)
pl.spawn(function()
  pl.defer(function() pl.log.notice "{0} ends" end)
  while true do pl.sleep(0.05) end
end)
"""
HOLD = b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"


def shown(server, target="/"):
    return server.get(target).body.decode()


def reload_to(server, version, site=SITE):
    write(server, site.format(version))
    server.send_signal(SIGHUP)
    wait_for(lambda: shown(server) == version, f"{version} is served")


@pytest.fixture
def start(serve):
    def begin(site=SITE, *args, version="v1", **options):
        return serve(site.format(version), *args, **{"workers": 2, **options})

    return begin


# ---- what it does ----


def test_reload__serves_what_the_site_says_now(start):
    server = start()
    assert shown(server) == "v1"
    reload_to(server, "v2")
    server.wait_log("reloaded: generation=2 why=SIGHUP")
    server.wait_log("v1 is replaced", count=2)
    server.wait_log("v1 ends", count=2)


def test_reload__goes_over_with_the_next_request_of_a_connection(start):
    server = start(workers=1)
    with server.connect() as wire:
        assert wire.request("GET", "/").body == b"v1"
        reload_to(server, "v2")
        assert wire.request("GET", "/").body == b"v2"


def test_reload__leaves_a_request_with_the_site_it_began_with(start):
    site = SITE.replace('"1s"', '"600s"')
    server = start(site, workers=1)
    with server.connect() as wire:
        wire.send(HOLD)
        server.wait_log("holding")
        reload_to(server, "v2", site)
        assert "v1 ends" not in server.log()
        shown(server, "/go")
        assert wire.response().body == b"v1"
    server.wait_log("v1 ends")


def test_reload__from_a_handler_answers_when_it_is_done(start):
    server = start()
    write(server, SITE.format("v2"))
    assert shown(server, "/reload") == "v1 reloaded"
    assert shown(server) == "v2"


@pytest.mark.parametrize(
    "broken, code, text",
    [
        ("x(", "syntax", "site.lua:.*near"),
        ("error 'broken'", "state", "site.lua:1: broken"),
        ("require 'missing'", "state", "missing"),
        (
            "require('perilune').set { user = 'nobody' }",
            "state",
            "setting 'user' has changed, which needs a restart",
        ),
    ],
)
def test_reload__of_a_broken_site_changes_nothing(start, broken, code, text):
    server = start()
    write(server, broken)
    assert shown(server, "/reload").startswith(code)
    server.wait_log("not reloaded, what served goes on: .*" + text)
    assert shown(server) == "v1"
    reload_to(server, "v2")


def test_reload__that_fails_in_one_worker_is_for_nobody(start):
    only_one = 'if require("perilune").workers.id == 1 then error "one" end'
    server = start()
    write(server, SITE.format("v2") + only_one)
    assert shown(server, "/reload").startswith("state")
    for _ in range(20):
        assert shown(server) == "v1"
    reload_to(server, "v3")


def test_reload__asked_for_during_a_reload_is_one_more(start):
    slow = 'require("perilune").sleep(0.2)\n'
    server = start()
    write(server, slow + SITE.format("v2"))
    server.send_signal(SIGHUP)
    for _ in range(5):
        server.send_signal(SIGHUP)
    write(server, SITE.format("v3"))
    server.send_signal(SIGHUP)
    wait_for(lambda: shown(server) == "v3", "the last one is served")


def test_reload__is_given_up_by_a_stop(start):
    server = start()
    write(server, 'require("perilune").sleep(600)')
    server.send_signal(SIGHUP)
    assert shown(server) == "v1"
    assert server.stop() == 0


def test_reload__inside_the_site_file_is_an_error(command):
    result = command(
        "check",
        "site.lua",
        files={"site.lua": "require('perilune').reload()"},
    )
    assert "site.lua:1: pl.reload: the site is still being loaded" in (
        result.stderr
    )


# ---- the drain limit ----


def test_drain__ends_requests_of_the_old_generation(start):
    server = start(workers=1)
    with server.connect() as wire:
        wire.send(HOLD)
        server.wait_log("holding")
        reload_to(server, "v2")
        server.wait_log("requests of an old generation were cut off: .*=1$")
        assert wire.response().status == 503
    server.wait_log("v1 ends")


def test_drain__four_generations_are_the_most(start):
    site = SITE.replace('"1s"', '"600s"')
    server = start(site, workers=1)
    wires = [server.connect() for _ in range(4)]
    for n, wire in enumerate(wires):
        wire.send(HOLD)
        server.wait_log("holding", count=n + 1)
        reload_to(server, f"v{n + 2}", site)
    server.wait_log("cut off: .*generation=1 requests=1$")
    assert wires[0].response().status == 503
    shown(server, "/go")
    assert [wire.response().body for wire in wires[1:]] == [
        b"v2", b"v3", b"v4",
    ]
    for wire in wires:
        wire.close()


# ---- what else changes ----


LISTENS = """
local pl = require "perilune"
pl.listen {{ "127.0.0.1:{0}" }}
pl.listen {{ "unix:{1}", mode = "{2}" }}
pl.get("/", function() return "ok" end)
pl.get("/reload", function() return tostring(pl.reload()) end)
"""


def test_addresses_of_a_supervisor__need_a_new_process(serve):
    first, second = free_port(), free_port()
    site = LISTENS.split("pl.listen {{ \"unix")[0] + (
        'pl.get("/", function() return "ok" end)'
    )
    server = serve(
        site.format(first), workers=1, listen=False, supervisor=True
    )
    write(server, site.format(second))
    server.send_signal(SIGHUP)
    server.wait_log("a new process takes over: why=SIGHUP")
    server.wait_log("a new server process serves")
    with server.connect(("127.0.0.1", second)) as wire:
        assert wire.request("GET", "/").body == b"ok"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_listeners__are_opened_closed_and_changed(serve, tmp_path):
    first, second = free_port(), free_port()
    path, other = tmp_path / "a.sock", tmp_path / "b.sock"
    server = serve(
        LISTENS.format(first, path, "600"), workers=2, listen=False
    )
    server.addresses(2)
    kept = server.connect(("127.0.0.1", first))
    assert kept.request("GET", "/").body == b"ok"
    write(server, LISTENS.format(second, path, "660"))
    assert kept.request("GET", "/reload").body == b"true"
    server.wait_log(f"listening on http://127.0.0.1:{second}/")
    assert kept.request("GET", "/").body == b"ok"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first))
    with server.connect(("127.0.0.1", second)) as wire:
        assert wire.request("GET", "/").body == b"ok"
    assert path.stat().st_mode & 0o777 == 0o660
    with server.connect(str(path)) as wire:
        assert wire.request("GET", "/").body == b"ok"
        write(server, LISTENS.format(second, other, "660"))
        assert wire.request("GET", "/reload").body == b"true"
    server.wait_log("listening on unix:.*b.sock")
    wait_for(lambda: not path.exists(), "the old file is gone")
    with server.connect(str(other)) as wire:
        assert wire.request("GET", "/").body == b"ok"
    kept.close()


def test_certificates__are_read_by_a_reload(serve, tmp_path):
    authority = Authority(tmp_path)
    pairs = [authority.sign("one"), authority.sign("two")]
    cert, key = tmp_path / "site.crt", tmp_path / "site.key"

    def use(pair):
        for source, target in zip(pair, (cert, key), strict=True):
            shutil.copy(source, target)

    use(pairs[0])
    server = serve(
        f"""
        local pl = require "perilune"
        local pair = {{ cert = "{cert}", key = "{key}" }}
        pl.listen {{ "127.0.0.1:0", tls = pair }}
        pl.get("/", function() return "ok" end)
        """,
        listen=False,
    )

    def shown_certificate():
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address, GUARD) as plain:
            with context.wrap_socket(plain) as secure:
                return secure.getpeercert(binary_form=True)

    before = shown_certificate()
    use(pairs[1])
    server.send_signal(SIGHUP)
    server.wait_log("reloaded: generation=2")
    assert shown_certificate() != before
    cert.write_text("no certificate")
    server.send_signal(SIGHUP)
    server.wait_log("not reloaded.*no certificate in PEM form")
    assert shown_certificate() != before


# ---- what survives ----


TIMERS = """
local pl = require "perilune"
pl.get("/", function() return "{0}" end)
pl.every(0.3, function() pl.shared("n"):incr("ticks", 1, 0) end,
  {{ name = "tick" }})
pl.get("/ticks", function()
  return tostring(pl.shared("n"):get("ticks") or 0)
end)
"""


def test_timers__keep_their_due_time_and_shared_values_stay(start):
    """Reloaded more often than it is due, a timer still comes."""
    server = start(TIMERS)
    n = 1
    while int(shown(server, "/ticks")) < 3:
        n += 1
        reload_to(server, f"v{n}", TIMERS)
    assert n > 3


SOCKETS = """
local pl = require "perilune"
pl.set {{ reload_drain = "{1}" }}
pl.get("/", function() return "{0}" end)
pl.get("/straight", function(req)
  local ws = req:websocket()
  for data in ws:messages() do ws:send("{0} " .. data) end
end)
"""


def test_websocket__in_straight_lines_ends_with_the_drain_limit(serve):
    websockets = pytest.importorskip("websockets")
    server = serve(SOCKETS.format("v1", "1s"), workers=1)

    async def run():
        url = f"ws://127.0.0.1:{server.port}/straight"
        async with websockets.connect(url, compression=None) as ws:
            await ws.send("a")
            assert (await ws.recv()).endswith(" a")
            write(server, SOCKETS.format("v2", "1s"))
            server.send_signal(SIGHUP)
            await ws.wait_closed()
            return ws.close_code

    assert asyncio.run(asyncio.wait_for(run(), GUARD)) == 1012
