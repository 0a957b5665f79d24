"""Ten thousand connections, each idle after its first request."""

import resource
import selectors
import socket
from signal import SIGHUP

import pytest

from harness.server import sanitized
from harness.wait import wait_for

MANY = 10_000
SOME = 64
BYTES_EACH = 200  # twice the budget, for what malloc rounds up
SITE = """
local pl = require "perilune"
pl.get("/", function() return "hello" end)
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def descriptors():
    """How many connections we and the server may have."""
    old, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (old, hard))


def connect(port: int, count: int) -> list[socket.socket]:
    return [
        socket.create_connection(("127.0.0.1", port)) for _ in range(count)
    ]


def ask_all(peers, batch: int = 500, wanted: bytes = b"\r\n\r\nhello"):
    """One request on each of them, many at a time; all must be answered."""
    for at in range(0, len(peers), batch):
        some = peers[at : at + batch]
        for peer in some:
            peer.sendall(REQUEST)
        with selectors.DefaultSelector() as waiting:
            for peer in some:
                waiting.register(peer, selectors.EVENT_READ)
            answered = 0
            while answered < len(some):
                ready = waiting.select(60)
                assert ready, f"{len(some) - answered} were not answered"
                for key, _ in ready:
                    answer = key.fileobj.recv(4096)
                    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
                    assert answer.endswith(wanted), answer
                    waiting.unregister(key.fileobj)
                    answered += 1


def test_many_idle_connections(serve, descriptors):
    count = 2_000 if sanitized() else MANY
    if descriptors < count * 8 // 7 + 200:
        pytest.skip(f"descriptors are limited to {descriptors}")
    server = serve(SITE, workers=1)
    peers = connect(server.port, SOME)
    try:
        for _ in range(20):
            ask_all(peers)
        before = server.proc.rss_kib()
        peers += connect(server.port, count - SOME)
        ask_all(peers)
        each = (server.proc.rss_kib() - before) * 1024 / (count - SOME)
        print(f"{each:.0f} bytes for an idle connection")
        for _ in range(2):
            ask_all(peers)
        assert server.proc.sockets() >= count
        if not sanitized():
            assert each <= BYTES_EACH
    finally:
        for peer in peers:
            peer.close()
    assert server.get("/").text == "hello"


def test_a_reload_while_many_are_open(serve, descriptors):
    """All of them are served by the new site, at no more memory."""
    count = 2_000 if sanitized() else MANY
    if descriptors < count * 8 // 7 + 200:
        pytest.skip(f"descriptors are limited to {descriptors}")
    server = serve(SITE.replace("hello", "hullo"), workers=2)
    site = server.folder / "site.lua"

    def reload(text: str, number: int):
        site.write_text(text)
        server.send_signal(SIGHUP)
        server.wait_log(f"reloaded: generation={number}")

    reload(SITE, 2)
    peers = connect(server.port, count)
    try:
        ask_all(peers)
        before = server.proc.fds(), server.proc.rss_kib()
        for number in range(3, 8):
            reload(SITE.replace("hello", f'{number} " .. "hello'), number)
            ask_all(peers[number::10], wanted=b"\r\n\r\n%d hello" % number)
        reload(SITE, 8)
        ask_all(peers)
        assert server.proc.fds() == before[0]
        assert sanitized() or wait_for(
            lambda: server.proc.rss_kib() - before[1] < 2048, "its memory"
        )
    finally:
        for peer in peers:
            peer.close()
    wait_for(lambda: server.proc.fds() < before[0] - count + 50, "the end")


def test_connections_of_several_workers(serve):
    server = serve(SITE, workers=4)
    peers = connect(server.port, 400)
    try:
        for _ in range(5):
            ask_all(peers)
    finally:
        for peer in peers:
            peer.close()
