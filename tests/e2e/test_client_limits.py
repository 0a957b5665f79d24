"""pl.limit: how much each client may have, of all workers together."""

import socket
import threading
import time

import pytest

from harness.admin import status
from harness.wait import wait_for

SITE = """local pl = require "perilune"
pl.set { trusted = "127.0.0.1" }
local function hello() return "hello" end
pl.get("/free", hello)
pl.get("/short", { limit = "2/h" }, hello)
pl.get("/number", { limit = 3 }, hello)
pl.group("/group", { limit = { rate = "3/h", message = "later" } }, function()
  pl.get("/a", hello)
  pl.get("/b", hello)
end)
pl.get("/nets", { limit = { rate = "1/h", ipv4 = 24, ipv6 = 48 } }, hello)
pl.get("/allow", { limit = { rate = "1/h", allow = { "10.0.0.0/8", "::1" } } },
  hello)
pl.get("/key", { limit = { rate = "1/h", key = "header:X-Api-Key" } }, hello)
pl.get("/all", { limit = { rate = "2/h", key = "all", status = 503 } }, hello)
pl.get("/fn/:who", { limit = { rate = "1/h", key = function(req)
  local who = req.params.who
  return who ~= "nobody" and (tonumber(who) or who) or nil
end } }, hello)
pl.get("/bad", { limit = { rate = "1/h", key = function() return {} end } },
  hello)
pl.get("/two", { limit = { rate = "1/h", name = "one" } }, hello)
pl.get("/of_two", { limit = { rate = "1/h", name = "one" } }, hello)
for i = 1, 2 do -- of one line, but not one limit
  pl.get("/line/" .. i, { limit = "1/h" }, hello)
end
local tries = pl.limit { rate = "2/h" }
pl.get("/take/:who", function(req)
  local ok, wait = tries:take(req.params.who)
  return { ok = ok, wait = wait }
end)
pl.get("/forget/:who", function(req) tries:forget(req.params.who) end)
pl.static("/files", { root = "files", limit = "1/h" })
"""


FILES = {"files/a.txt": "a"}


def client(address: str) -> dict:
    return {"X-Forwarded-For": address}


def statuses(server, target, headers=None, count=4) -> list:
    return [server.get(target, headers).status for _ in range(count)]


@pytest.mark.parametrize(
    "target, passed, refused",
    [("/free", 4, 429), ("/short", 2, 429), ("/group/a", 3, 429)]
    + [("/all", 2, 503), ("/files/a.txt", 1, 429), ("/line/1", 1, 429)]
    + [("/line/2", 1, 429), ("/fn/7", 1, 429), ("/fn/nobody", 4, 429)],
)
def test_so_many_pass(serve_module, target, passed, refused):
    server = serve_module(SITE, workers=2, files=FILES)
    headers = client("192.0.2.200")
    want = [200] * passed + [refused] * (4 - passed)
    assert statuses(server, target, headers) == want


def test_who_is_refused_is_told_when_to_come(serve):
    server = serve(SITE, workers=2, files=FILES)
    assert statuses(server, "/group/a", count=3) == [200] * 3
    response = server.get("/group/b")
    assert response.status == 429
    assert response.header("retry-after") == "1200"
    assert "later" in response.text
    assert server.get("/group/b", client("192.0.2.9")).status == 200


def test_a_number_is_that_many_in_a_second(serve):
    server = serve(SITE, files=FILES)
    found = statuses(server, "/number", count=4)
    assert found[:3] == [200] * 3
    wait_for(lambda: server.get("/number").status == 200, "one is back")


@pytest.mark.parametrize(
    "target, same, other",
    [
        ("/short", ["192.0.2.1"] * 3, "192.0.2.2"),
        ("/short", ["2001:db8::1", "2001:db8::2", "2001:db8::3"], "2001:db9::"),
        ("/nets", ["192.0.2.1", "192.0.2.2"], "192.0.3.1"),
        ("/nets", ["2001:db8::1", "2001:db8:0:1::1"], "2001:db8:1::1"),
        ("/nets", ["::ffff:198.51.100.1", "198.51.100.2"], "198.51.101.1"),
        ("/short", ["unknown"] * 3, "192.0.2.1"),
    ],
)
def test_addresses_that_are_one_client(serve, target, same, other):
    server = serve(SITE, files=FILES)
    for address in same[:-1]:
        assert server.get(target, client(address)).status == 200
    assert server.get(target, client(same[-1])).status == 429
    assert server.get(target, client(other)).status == 200


def test_who_is_allowed_has_no_limit(serve):
    server = serve(SITE, files=FILES)
    for address in ("10.1.2.3", "::1"):
        assert statuses(server, "/allow", client(address)) == [200] * 4
    assert statuses(server, "/allow", client("11.1.2.3"), 2) == [200, 429]


def test_by_a_field_or_else_the_address(serve):
    server = serve(SITE, files=FILES)
    key = {"X-Api-Key": "a"}
    assert statuses(server, "/key", key, 2) == [200, 429]
    assert statuses(server, "/key", {"X-Api-Key": "b"}, 2) == [200, 429]
    assert statuses(server, "/key", None, 2) == [200, 429]
    assert server.get("/key", {"X-Api-Key": "127.0.0.1"}).status == 200


USERS = """local pl = require "perilune"
pl.get("/user", {
  auth = pl.basic { users = { a = "x", b = "x" } },
  limit = { rate = "1/h", key = "user" },
}, function() return "hello" end)
"""


def test_by_the_user(serve):
    server = serve(USERS)
    a, b = ({"Authorization": "Basic " + text} for text in ("YTp4", "Yjp4"))
    assert statuses(server, "/user", a, 2) == [200, 429]
    assert statuses(server, "/user", b, 2) == [200, 429]
    assert statuses(server, "/user", None, 2) == [401, 401]


def test_a_function_that_gives_rubbish_is_an_error(serve):
    server = serve(SITE, files=FILES)
    assert server.get("/bad").status == 500
    server.wait_log(r"pl\.limit of .*site\.lua:\d+: the key must be a string")


def test_limits_of_one_name_count_together(serve):
    server = serve(SITE, files=FILES)
    assert server.get("/two").status == 200
    assert server.get("/of_two").status == 429


def test_take_and_forget(serve):
    server = serve(SITE, workers=2, files=FILES)
    assert server.get("/take/ada").json() == {"ok": True}
    assert server.get("/take/ada").json() == {"ok": True}
    answer = server.get("/take/ada").json()
    assert not answer["ok"] and 1790 < answer["wait"] <= 1800
    assert server.get("/take/bob").json() == {"ok": True}
    server.get("/forget/ada")
    assert server.get("/take/ada").json() == {"ok": True}


def test_a_reload_goes_on_counting(serve):
    server = serve(SITE, files=FILES)
    assert statuses(server, "/short") == [200, 200, 429, 429]
    text = (server.folder / "site.lua").read_text()
    (server.folder / "site.lua").write_text(text + "-- another\n")
    server.send_signal(1)
    server.wait_log("reload")
    assert statuses(server, "/short") == [429] * 4


WAITING = """local pl = require "perilune"
pl.get("/slow", { limit = { rate = "20/s", burst = 1, delay = "1h" } },
  function() return "slow" end)
pl.get("/fn", { limit = { rate = "20/s", burst = 1, delay = "1h",
  key = function() return "x" end } }, function() return "fn" end)
pl.get("/never", { limit = { rate = "1/h", delay = "5h" } },
  function() return "x" end)
pl.get("/hold", { limit = { concurrent = 2 } }, function()
  pl.shared("x"):incr("n", 1, 0)
  while not pl.shared("x"):get("go") do pl.sleep(0.01) end
  return "held"
end)
pl.get("/many", { limit = { concurrent = 2 } }, function(req, res)
  for i = 1, 100 do res:write(("x"):rep(100000)) end
end)
pl.get("/go", function() pl.shared("x"):set("go", true) end)
pl.get("/n", function() return tostring(pl.shared("x"):get("n") or 0) end)
pl.get("/stats", function() return pl.workers.stats() end)
"""


@pytest.mark.parametrize("target", ["/slow", "/fn"])
def test_who_is_early_waits(serve, target):
    """Six requests, of which one can be answered every 50 ms."""
    server = serve(WAITING)
    found, began = [], time.monotonic()

    def ask():
        found.append(server.get(target).status)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 6
    assert time.monotonic() - began > 4.9 * 0.05


def test_who_goes_while_waiting_is_forgotten(serve):
    server = serve(WAITING, workers=1)

    def stats(group, name):
        return server.get("/stats").json()[group][name]

    assert server.get("/never").status == 200
    for count in (1, 2, 3):
        wire = server.connect()
        wire.send(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        while stats("limits", "delayed") < count:
            continue
        wire.reset()
    wait_for(lambda: stats("requests", "open") == 1, "only this one is open")
    assert stats("limits", "refused") == 0


def test_so_many_at_a_time(serve):
    server = serve(WAITING, workers=2)
    held = [server.connect() for _ in range(2)]
    for wire in held:
        wire.send(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: server.get("/n").text == "2", "both are there")
    response = server.get("/hold")
    assert (response.status, response.header("retry-after")) == (429, "1")
    server.get("/go")
    for wire in held:
        assert wire.response().text == "held"
    wait_for(lambda: server.get("/hold").status == 200, "there is room")


def test_an_answer_counts_until_it_was_read(serve):
    server = serve(WAITING, workers=1)
    slow = []
    for _ in range(2):
        peer = socket.create_connection(("127.0.0.1", server.port))
        peer.sendall(b"GET /many HTTP/1.1\r\nHost: a\r\n\r\n")
        assert peer.recv(1) == b"H"
        slow.append(peer)
    assert server.get("/many").status == 429
    slow[0].close()
    wait_for(lambda: server.get("/many").status == 200, "one has gone")
    slow[1].close()


def test_status_shows_them(serve, tmp_path):
    site = 'pl.set { admin = "a.admin" }\n'
    server = serve(SITE.replace("\n", "\n" + site, 1), files=FILES)
    server.admin = str(tmp_path / "a.admin")
    assert statuses(server, "/two", count=3) == [200, 429, 429]
    found = {limit["name"]: limit for limit in status(server)["limits"]}
    assert found["one"]["of"] == "rate"
    assert found["one"]["places"] == 65536
    assert (found["one"]["taken"], found["one"]["refused"]) == (1, 2)


WRONG = [
    ("{}", "a rate or concurrent is needed"),
    ('{ rate = "often" }', "rate: 'often' is no rate"),
    ('{ rate = "1/s", burst = 0 }', "'burst' must be a whole number from 1"),
    ('{ rate = "1/s", burst = 1.5 }', "'burst' must be a whole number from 1"),
    ('{ rate = "1/s", ipv4 = 33 }', "'ipv4' must be a whole number from 1 to"),
    ('{ rate = "1/s", key = "me" }', "key: 'me' is not"),
    ('{ rate = "1/s", key = {} }', "option 'key' must be a string"),
    ('{ rate = "1/s", allow = "x" }', "'x' is no address"),
    ('{ rate = "1/s", speed = 1 }', "speed"),
    ('{ rate = "1/s", delay = "soon" }', "delay: 'soon' is no time"),
    ("nil", "a rate or concurrent is needed"),
]


@pytest.mark.parametrize("options, why", WRONG)
def test_what_is_wrong_is_told(command, options, why):
    text = f'local pl = require "perilune"\npl.use(pl.limit({options}))\n'
    done = command("check", "x.lua", files={"x.lua": text})
    assert done.returncode != 0
    assert "x.lua:2: pl.limit" in done.stderr
    assert why in done.stderr


def test_methods_are_for_limits_with_a_rate(command):
    text = """local pl = require "perilune"
local some = pl.limit { concurrent = 1 }
print(select(2, pcall(some.take, some, "x")))
print(select(2, pcall(some.take, pl.request_id(), "x")))
"""
    done = command("check", "x.lua", files={"x.lua": text})
    assert done.returncode == 0
    assert "limit:take: the limit has no rate" in done.stdout
    assert "limit:take: call it with a colon" in done.stdout
