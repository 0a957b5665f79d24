"""Channels: what is published to one is numbered and remembered, and reaches
streams of events in all workers, each message once, whoever comes again."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.server import sanitized
from harness.wait import wait_for

WORKERS = 4
SITE = """
local pl = require "perilune"
local room = pl.channel("room", { history = 1000, presence = true })
pl.channel("short", { history = 3 })
pl.channel("aged", { history = 3, history_age = "50ms" })
pl.channel("small", { history = 100, history_bytes = "10k" })

pl.get("/room", function(req, res)
  local events = res:events { retry = "20ms" }
  room:join(req.args.name or "somebody", { n = 1 })
  return events:subscribe("room", { history = true })
end)

pl.get("/few", function(req, res) -- cuts its client off after three
  local events, n = res:events { retry = "20ms" }, 0
  pl.timeout(20, function()
    return events:subscribe("room", { history = true }, function(value, _, id)
      n = n + 1
      if n > 3 then
        error("enough")
      end
      return value, { id = id }
    end)
  end)
end)

pl.get("/any", function(req, res)
  return res:events():subscribe(req.args.topic, {}, function(value, topic)
    return { value = value, topic = topic, worker = pl.workers.id }
  end)
end)

pl.post("/say", function(req)
  local n, number = pl.publish(req.args.topic or "room", req:body())
  if not n then
    return { err = number.code }
  end
  return { receivers = n, number = number, worker = pl.workers.id }
end)

pl.post("/fill", function(req)
  local big = ("x"):rep(1000)
  for i = 1, tonumber(req.args.n) do pl.publish("room", big) end
  return 204
end)

pl.get("/members", function() return pl.json.array(room:members()) end)
pl.get("/history", function(req)
  return pl.json.array(pl.channel(req.args.of):history {
    since = tonumber(req.args.since), limit = tonumber(req.args.limit),
  })
end)

pl.get("/slow", function(req, res)
  local sub = pl.subscribe("room", {
    queue = 10, queue_bytes = "5k", full = req.args.full,
  })
  local go = pl.subscribe "go"
  res:write("ready\\n")
  res:flush()
  go:receive()
  local n = 0
  while sub:receive(0.05) do n = n + 1 end
  res:write(("%d of %d"):format(n, n + sub:dropped()))
end)

pl.get("/misuse", function()
  local out = {}
  for _, call in ipairs {
    function() pl.publish("a.*", 1) end,
    function() pl.channel("a.>") end,
    function() pl.channel("room", { histroy = 1 }) end,
    function() pl.channel("room", { history = 1 }):publish(1) end,
    function() room:join("") end,
    function() pl.subscribe("a.*", { since = 1 }):receive() end,
  } do
    local ok, err = pcall(call)
    out[#out + 1] = ok and "no error" or tostring(err)
  end
  out[#out + 1] = tostring(select(2, pl.channel("nowhere")))
  out[#out + 1] = tostring(select(2, room:join(("x"):rep(300))))
  return table.concat(out, "\\n")
end)
"""


def say(server, text: str, topic="room") -> dict:
    target = f"/say?topic={topic}"
    return server.request("POST", target, body=text.encode()).json()


class Events:
    """A stream of events, read one by one."""

    def __init__(self, server, target: str, last=None):
        self.wire = server.connect()
        head = f"GET {target} HTTP/1.1\r\nHost: a\r\n"
        head += f"Last-Event-ID: {last}\r\n" if last else ""
        self.wire.send(head.encode() + b"\r\n")
        self.wire.read_until(b"\r\n\r\n")
        self.text = ""

    def next(self) -> dict:
        while True:
            while "\n\n" not in self.text:
                size = int(self.wire.read_until(b"\r\n"), 16)
                self.text += self.wire.read_exactly(size).decode()
                self.wire.read_exactly(2)
            event, self.text = self.text.split("\n\n", 1)
            fields = dict(re.findall(r"(?m)^(\w+): ?(.*)$", event))
            if "data" in fields:
                return fields

    def close(self):
        self.wire.close()


def listening(server, count: int):
    wait_for(lambda: len(server.get("/members").json()) == count, "members")


# ---- to all, in one order ----


def test_all_streams_get_the_same(serve):
    server = serve(SITE, workers=WORKERS)
    streams = [Events(server, "/room") for _ in range(20)]
    listening(server, 20)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda n: say(server, str(n)), range(200)))
    assert {s["receivers"] for s in said} == {20}
    assert len({s["worker"] for s in said}) > 1, "several workers"
    first = [streams[0].next() for _ in range(200)]
    numbers = [int(event["id"]) for event in first]
    assert numbers == list(range(numbers[0], numbers[0] + 200))
    assert {e["data"] for e in first} == {str(n) for n in range(200)}
    for stream in streams[1:]:
        assert [stream.next() for _ in range(200)] == first
        stream.close()


def test_who_comes_again_misses_nothing(serve):
    server = serve(SITE, workers=WORKERS)
    numbers = [say(server, str(n))["number"] for n in range(50)]
    for n in range(0, 50, 7):
        stream = Events(server, "/room", numbers[n])
        got = [int(stream.next()["data"]) for _ in range(49 - n)]
        assert got == list(range(n + 1, 50))
        stream.close()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_that_is_cut_off_gets_each_once(serve):
    page = """<!doctype html><script>
    seen = []; opened = 0;
    source = new EventSource("/few");
    source.onopen = () => opened++;
    source.onmessage = e => seen.push(+e.data);
    </script>"""
    site = SITE + f'pl.get("/", function() return [[{page}]] end)\n'
    server = serve(site, workers=WORKERS)
    with Browser() as browser:
        tab = browser.page(400, scripts=True)
        tab.open(server.url("/"))
        for n in range(30):
            say(server, str(n))
        wait_for(lambda: tab.value("seen.length") >= 30, "all of them")
        assert tab.value("seen.join()") == ",".join(map(str, range(30)))
        assert tab.value("opened") > 5, "cut off again and again"
        tab.close()
    assert "enough" in server.log()


# ---- patterns ----


def test_patterns_reach_all_workers(serve):
    server = serve(SITE, workers=WORKERS)
    streams = [Events(server, "/any?topic=chat.*") for _ in range(8)]
    deep = Events(server, "/any?topic=chat.>")
    wait_for(lambda: say(server, "x", "chat.a")["receivers"] == 9, "all")
    assert say(server, "y", "chat.a.b")["receivers"] == 1
    assert say(server, "z", "chat")["receivers"] == 0
    for stream in streams:
        event = json.loads(stream.next()["data"])
        while event["value"] != "x":
            event = json.loads(stream.next()["data"])
        assert event["topic"] == "chat.a"
    event = json.loads(deep.next()["data"])
    while event["value"] == "x":
        event = json.loads(deep.next()["data"])
    assert (event["topic"], event["value"]) == ("chat.a.b", "y")
    for stream in [*streams, deep]:
        stream.close()
    wait_for(lambda: say(server, "x", "chat.a")["receivers"] == 0, "nobody")


# ---- what is remembered ----


def test_history_is_what_the_options_say(serve):
    server = serve(SITE, workers=WORKERS)
    for n in range(5):
        say(server, str(n), "short")
    got = server.get("/history?of=short").json()
    assert [h["value"] for h in got] == ["2", "3", "4"]
    assert [h["number"] for h in got] == list(
        range(got[0]["number"], got[0]["number"] + 3))
    assert got[0]["time"] > 1e9
    target = f"/history?of=short&since={got[1]['number']}"
    assert [h["value"] for h in server.get(target).json()] == ["4"]
    assert [h["value"] for h in server.get(
        "/history?of=short&limit=1").json()] == ["4"]
    say(server, "x", "aged")
    wait_for(lambda: server.get("/history?of=aged").json() == [], "its age")
    for n in range(50):
        say(server, "x" * 1000, "small")
    assert 5 <= len(server.get("/history?of=small").json()) < 10
    assert say(server, "x" * 20000, "small") == {"err": "limit"}


def test_members_come_and_go(serve):
    server = serve(SITE, workers=WORKERS)
    told = Events(server, "/any?topic=room.presence")
    wait_for(lambda: say(server, "x", "room.presence")["receivers"], "told")
    assert json.loads(told.next()["data"])["value"] == "x"
    ada = Events(server, "/room?name=Ada")
    listening(server, 1)
    eve = Events(server, "/room?name=Eve")
    listening(server, 2)
    members = server.get("/members").json()
    assert sorted(m["name"] for m in members) == ["Ada", "Eve"]
    assert members[0]["info"] == {"n": 1}
    ada.close()
    listening(server, 1)
    eve.wire.reset()
    listening(server, 0)
    events = [json.loads(told.next()["data"])["value"] for _ in range(4)]
    assert sorted((e["event"], e["name"]) for e in events) == [
        ("join", "Ada"), ("join", "Eve"), ("leave", "Ada"), ("leave", "Eve")]
    ids = {e["name"]: {x["id"] for x in events if x["name"] == e["name"]}
           for e in events}
    assert len(ids["Ada"]) == 1 and ids["Ada"] != ids["Eve"]


# ---- who is too slow ----


def test_a_slow_subscriber_loses_or_ends(serve):
    server = serve(SITE, workers=1)
    for full, want in (("drop", "4 of 100"), ("close", "4 of")):
        with server.connect() as wire:
            target = f"/slow?full={full}".encode()
            wire.send(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            wire.read_until(b"ready\n")
            server.request("POST", "/fill?n=100", body=b"")
            assert say(server, "", "go")["receivers"] == 1
            assert want.encode() in wire.read_until(b"0\r\n\r\n")


@pytest.mark.skipif(sanitized(), reason="sanitizers keep what was freed")
def test_streams_that_nobody_reads_take_no_memory(serve):
    """100 clients that read nothing, 200 MB for each of them."""
    server = serve(SITE, workers=2)
    server.get("/members")
    before = server.proc.rss_kib()
    streams = [Events(server, "/room") for _ in range(100)]
    listening(server, 100)
    for _ in range(100):
        server.request("POST", "/fill?n=2000", body=b"")
    assert server.proc.peak_kib() < before + 64 * 1024
    for stream in streams:
        stream.close()
    listening(server, 0)


def test_misuse_is_told(serve):
    server = serve(SITE)
    lines = server.get("/misuse").text.splitlines()
    for want in ("a pattern is no topic", "no error", "did you mean 'history'",
                 "nil value", "no error", "nil value", "not found", "too long"):
        assert want in lines.pop(0), (want, lines)
