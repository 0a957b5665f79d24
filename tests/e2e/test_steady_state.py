"""What a request costs once everything is warm: system calls, futexes, and (in
tests/faults) allocations. Counted, not timed."""

import selectors
import socket

import pytest

from harness import fcgi
from harness.server import sanitized
from harness.trace import may_trace, traced

PEERS, ROUNDS = 64, 200
CALLS_PER_REQUEST = 2.1
SITE = """
local pl = require "perilune"
pl.get("/", function() return "hello" end)
pl.get("/echo", function(req) return "hello, " .. (req.args.name or "") end)
"""
PROXY = """
local pl = require "perilune"
pl.proxy("/", { to = "http://127.0.0.1:PORT", keepalive = 128 })
"""
REQUEST = b"GET /echo?name=x HTTP/1.1\r\nHost: a\r\n\r\n"


class Load:
    """Peers that each ask again as soon as they were answered."""

    def __init__(self, port: int, request=REQUEST, end=b"hello, x"):
        self.request, self.end = request, end
        self.selector = selectors.DefaultSelector()
        self.peers = []
        for _ in range(PEERS):
            peer = socket.create_connection(("127.0.0.1", port))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(peer, selectors.EVENT_READ)
            self.peers.append(peer)

    def run(self, requests: int):
        for peer in self.peers:
            peer.sendall(self.request)
        left, open_requests = requests - len(self.peers), len(self.peers)
        while open_requests:
            ready = self.selector.select(60)
            assert ready, "no answer"
            for key, _ in ready:
                assert key.fileobj.recv(4096).endswith(self.end)
                if left > 0:
                    left -= 1
                    key.fileobj.sendall(self.request)
                else:
                    open_requests -= 1

    def close(self):
        for peer in self.peers:
            peer.close()


@pytest.fixture
def load(serve):
    server = serve(SITE, workers=1)
    load = Load(server.port)
    load.run(PEERS * 20)
    yield server, load
    load.close()


@pytest.mark.skipif(not may_trace(), reason="strace cannot trace here")
@pytest.mark.skipif(sanitized(), reason="sanitizers make calls of their own")
def test_system_calls_of_a_request(load):
    server, load = load
    requests = PEERS * ROUNDS
    calls = traced(server, lambda: load.run(requests), "worker")
    print({name: f"{count / requests:.4f}" for name, count in calls.items()})
    assert calls["recvfrom"] + calls.get("read", 0) >= requests, calls
    assert sum(calls.values()) <= requests * CALLS_PER_REQUEST, calls
    assert calls.get("futex", 0) == 0, "a request takes no lock"
    for name in ("mmap", "munmap", "brk", "epoll_ctl", "setsockopt"):
        assert calls.get(name, 0) <= requests / 1000, (name, calls)


# A folder of pages: a page, an included one, files that have no name of their
# own in URLs.
FOLDER = {
    "public_html/page.dyn.html": '<?include a.priv.html ?><?lu write("x") ?>',
    "public_html/a.priv.html": "hello, ",
    "public_html/file.html": "hello, x",
    "public_html/static/a.txt": "hello, x",
}


@pytest.mark.skipif(not may_trace(), reason="strace cannot trace here")
@pytest.mark.skipif(sanitized(), reason="sanitizers make calls of their own")
@pytest.mark.parametrize("path", ["page", "file", "static/a.txt"])
def test_system_calls_of_a_folder_of_pages(serve, tmp_path, path):
    server = serve(tmp_path, files=FOLDER, workers=1)
    request = f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    load = Load(server.port, request)
    load.run(PEERS * 20)
    requests = PEERS * ROUNDS
    calls = traced(server, lambda: load.run(requests), "worker")
    load.close()
    assert sum(calls.values()) <= requests * CALLS_PER_REQUEST, calls
    for name in ("openat2", "read", "newfstatat", "futex"):
        assert calls.get(name, 0) <= requests / 100, (name, calls)


@pytest.mark.skipif(not may_trace(), reason="strace cannot trace here")
@pytest.mark.skipif(sanitized(), reason="sanitizers make calls of their own")
def test_system_calls_of_a_proxied_request(serve):
    """Twice those of a request, and one to learn who asks; no connection is
    opened or memory taken once all is warm."""
    back = serve(SITE, workers=1)
    front = serve(PROXY.replace("PORT", str(back.port)), workers=1)
    load, requests = Load(front.port), PEERS * ROUNDS
    load.run(PEERS * 20)
    calls = traced(front, lambda: load.run(requests), "worker")
    load.close()
    print({name: f"{count / requests:.4f}" for name, count in calls.items()})
    assert sum(calls.values()) <= requests * (2 * CALLS_PER_REQUEST + 1), calls
    assert calls.get("futex", 0) == 0, "a request takes no lock"
    for name in ("mmap", "munmap", "brk", "epoll_ctl", "connect", "socket"):
        assert calls.get(name, 0) <= requests / 1000, (name, calls)


FASTCGI = """
local pl = require "perilune"
pl.fastcgi("/", { to = "unix:PATH", keepalive = 128 })
"""


@pytest.mark.skipif(not may_trace(), reason="strace cannot trace here")
@pytest.mark.skipif(sanitized(), reason="sanitizers make calls of their own")
def test_system_calls_of_a_request_over_fastcgi(serve, tmp_path):
    """As those of a proxied one, and one more: programs are told our address,
    too."""
    path = tmp_path / "back.sock"
    listen = f'pl.listen {{ "unix:{path}", protocol = "fastcgi" }}'
    back = serve(SITE + listen, workers=1, listen=False)
    front = serve(FASTCGI.replace("PATH", str(path)), workers=1)
    load, requests = Load(front.port), PEERS * ROUNDS
    load.run(PEERS * 20)
    calls = traced(front, lambda: load.run(requests), "worker")
    load.close()
    print({name: f"{count / requests:.4f}" for name, count in calls.items()})
    assert sum(calls.values()) <= requests * (2 * CALLS_PER_REQUEST + 2), calls
    assert calls.get("futex", 0) == 0, "a request takes no lock"
    for name in ("mmap", "munmap", "brk", "epoll_ctl", "connect", "socket"):
        assert calls.get(name, 0) <= requests / 1000, (name, calls)
    assert "upstream: " not in front.log() and back.log().count("error") == 0


@pytest.mark.skipif(not may_trace(), reason="strace cannot trace here")
@pytest.mark.skipif(sanitized(), reason="sanitizers make calls of their own")
def test_system_calls_of_a_request_by_fastcgi(serve):
    """On kept connections: one to read it, one to answer it."""
    site = SITE + 'pl.listen { "127.0.0.1:0", protocol = "fastcgi" }'
    server = serve(site, workers=1, listen=False)
    end = fcgi.record(fcgi.STDOUT) + fcgi.record(fcgi.END_REQUEST, 1, bytes(8))
    request = fcgi.request(fcgi.params_of(target="/echo?name=x"))
    load = Load(server.port, request, b"hello, x" + end)
    requests = PEERS * ROUNDS
    load.run(PEERS * 20)
    calls = traced(server, lambda: load.run(requests), "worker")
    load.close()
    print({name: f"{count / requests:.4f}" for name, count in calls.items()})
    assert sum(calls.values()) <= requests * CALLS_PER_REQUEST, calls
    assert calls.get("futex", 0) == 0, "a request takes no lock"
    for name in ("mmap", "munmap", "brk", "epoll_ctl", "setsockopt"):
        assert calls.get(name, 0) <= requests / 1000, (name, calls)


NUMBERS = """
local pl = require "perilune"
local shared = pl.shared "s"
pl.get("/echo", function()
  local n = shared:incr("n", 1, 0)
  shared:set("last " .. n % 64, n)
  return shared:get("last " .. n % 64) > 0 and "hello, x"
end)
"""
STRINGS = """
local pl = require "perilune"
local shared = pl.shared("s", { max = "1m", evict = true })
pl.get("/echo", function()
  local n = shared:incr("n", 1, 0)
  shared:set("last " .. n % 64, "hello, x", 60)
  if n % 16 == 0 then pl.publish("news", n) end
  return shared:get("last " .. n % 64) or "hello, x"
end)
pl.subscribe("news", function(n) shared:set("heard", n) end)
"""


@pytest.mark.skipif(not may_trace(), reason="strace cannot trace here")
@pytest.mark.skipif(sanitized(), reason="sanitizers make calls of their own")
@pytest.mark.parametrize("site, share", [(NUMBERS, 0), (STRINGS, 0.001)])
def test_workers_share_without_locks(serve, site, share):
    """Memory that goes back to the heap of another thread takes malloc's lock;
    now and then somebody waits for that."""
    server = serve(site, workers=4)
    load = Load(server.port)
    load.run(PEERS * 20)
    requests = PEERS * ROUNDS
    calls = traced(server, lambda: load.run(requests), "worker")
    load.close()
    print(calls)
    assert calls.get("futex", 0) <= requests * share, calls


def test_garbage_is_collected_in_idle_times(serve):
    """What one request leaves behind is too little to begin a collection."""
    site = """
    local pl = require "perilune"
    local function collected() pl.log.notice "collected" end
    local function watched()
      if not newproxy then return setmetatable({}, { __gc = collected }) end
      local proxy = newproxy(true) -- LuaJIT: only userdata have finalizers
      getmetatable(proxy).__gc = collected
      return proxy
    end
    pl.get("/", function() local garbage = watched() return "made" end)
    """
    server = serve(site, workers=1)
    assert server.get("/").text == "made"
    server.wait_log("collected")


def test_memory_does_not_grow(load):
    server, load = load
    load.run(PEERS * ROUNDS)
    before = server.proc.rss_kib()
    load.run(PEERS * ROUNDS)
    grown = server.proc.rss_kib() - before
    print(f"grown by {grown} KiB")
    if not sanitized():
        assert grown <= 512
