"""What hostile clients do to WebSockets: each is closed with the code that the
RFC names and one line in the log, others are served, and memory is bounded."""

import struct
import threading

import pytest

from conformance.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUE,
    PING,
    TEXT,
    Client,
    closing,
    deflated,
    frame,
)
from harness.server import sanitized
from harness.wait import wait_for

ATTACKERS = 40
SITE = """
local pl = require "perilune"
pl.websocket("/echo", {
  message = function(ws, data, kind) ws:send(data, kind) end,
  compress = true,
})
pl.websocket("/impatient", {
  message = function(ws, data) ws:send(data) end,
  ping = "100ms", timeout = "200ms",
})
"""
OFFER = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
MIB = 1 << 20
BOMB = frame(BINARY, deflated(bytes(64 * MIB)), rsv=4)


def code_of(got) -> int:
    assert got.opcode == CLOSE
    return struct.unpack("!H", got.data[:2])[0]


# What is sent until the server closes, the code, and what the log says.
ATTACKS = {
    "a frame of 2^62 bytes": (
        b"\x82\xff\x40\0\0\0\0\0\0\0\0\0\0\0", 1009, "too long"),
    "fragments without an end": (
        frame(TEXT, b"x" * 65536, fin=False)
        + frame(CONTINUE, b"x" * 65536, fin=False) * 16, 1009, "too long"),
    "a bomb of 64 MiB": (BOMB, 1009, "a packed message is too long"),
    "600 pings": (frame(PING, b"x" * 125) * 600, 1008,
                  "too many control frames"),
    "600 pings within a message": (
        frame(TEXT, b"", fin=False) + frame(PING) * 600, 1008,
        "too many control frames"),
    "text that is none": (frame(TEXT, b"\xff" * 1000), 1007, "not UTF-8"),
}


@pytest.fixture(scope="module")
def server(serve_module):
    return serve_module(SITE, workers=1)


@pytest.mark.parametrize("what", ATTACKS)
def test_each_is_closed_and_told(server, what):
    data, code, line = ATTACKS[what]
    before = server.log().count(line)
    with Client(server.port, "/echo", OFFER) as client:
        thread = threading.Thread(target=client.send, args=(data,))
        thread.start()
        got = client.read()
        while got.opcode != CLOSE:
            got = client.read()
        assert code_of(got) == code
        client.at_end()
        thread.join()
    wait_for(lambda: server.log().count(line) == before + 1, "one line")


def test_the_silent_are_given_up(server):
    with Client(server.port, "/impatient") as client:
        assert client.read().opcode == PING
        assert client.at_end()
    server.wait_log("no answer to a ping")


class Honest(threading.Thread):
    """Asks again and again while others misbehave."""

    def __init__(self, port: int):
        super().__init__()
        self.port, self.done, self.answers = port, False, 0
        self.start()

    def run(self):
        with Client(self.port, "/echo") as client:
            while not self.done:
                client.send(frame(TEXT, b"still there?"))
                assert client.read().data == b"still there?"
                self.answers += 1
            client.send(closing())

    def stop(self):
        self.done = True
        self.join()


def test_others_are_served_and_memory_is_bounded(serve):
    server = serve(SITE, workers=1)
    honest = Honest(server.port)
    before = server.proc.rss_kib()
    # Each as much of a message as it may send, and never the end of it.
    held = [Client(server.port, "/echo", OFFER) for _ in range(ATTACKERS)]
    for client in held:
        client.send(frame(BINARY, b"x" * (MIB - 1), fin=False))
    # Each asks for more than it reads.
    greedy = [Client(server.port, "/echo") for _ in range(ATTACKERS)]
    for client in greedy:
        client.socket.setblocking(False)
        try:
            while True:
                client.socket.sendall(frame(BINARY, b"x" * 100_000))
        except BlockingIOError:
            pass
    # And bombs, one after another.
    for _ in range(20):
        with Client(server.port, "/echo", OFFER) as client:
            client.send(BOMB)
            assert code_of(client.read()) == 1009
    answers = honest.answers
    wait_for(lambda: honest.answers > answers + 100, "the honest one is served")
    grown = server.proc.rss_kib() - before
    print(f"grown by {grown} KiB")
    if not sanitized():
        assert grown <= (2 * ATTACKERS + 32) * 1024
    for client in held + greedy:
        client.socket.close()
    honest.stop()
