"""websocket - attacks by WebSockets."""

from conformance.websocket.frames import (
    BINARY, CONTINUE, PING, TEXT, deflated, frame,
)  # fmt: skip

from .attack import Attack

MIB = 1 << 20
HEAD = (
    b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


def bomb() -> bytes:
    return frame(BINARY, deflated(bytes(64 * MIB)), rsv=4)


def upgraded(path: bytes, opening=lambda: b"", block=lambda: b"", fields=b""):
    return lambda: (HEAD % (path, fields) + opening(), block())


ATTACKS = [
    Attack("fragments", "ws",
           upgraded(b"/echo",
                    lambda: frame(TEXT, b"x" * 1000, fin=False),
                    lambda: frame(CONTINUE, b"x" * 1000, fin=False) * 100),
           "1009"),
    Attack("small fragments", "ws",
           upgraded(b"/echo",
                    lambda: frame(TEXT, b"x", fin=False),
                    lambda: frame(CONTINUE, b"x", fin=False) * 10_000),
           "1009"),
    Attack("empty fragments", "ws",
           upgraded(b"/echo",
                    lambda: frame(TEXT, b"", fin=False),
                    lambda: frame(CONTINUE, b"", fin=False) * 10_000),
           "1008"),
    Attack("pings", "ws",
           upgraded(b"/echo", block=lambda: frame(PING, b"x" * 125) * 1000),
           "1008"),
    Attack("compression bomb", "ws",
           upgraded(b"/echo", bomb, fields=OFFER), "1009"),
    Attack("text that is none", "ws",
           upgraded(b"/echo", lambda: frame(TEXT, b"\xff" * 1000)), "1007"),
    Attack("messages without an end", "ws",
           upgraded(b"/echo",
                    lambda: frame(BINARY, b"x" * (MIB - 1), fin=False)),
           connections=40),
    Attack("readers that do not", "ws",
           upgraded(b"/echo", block=lambda: frame(BINARY, b"x" * 100_000)),
           connections=40, deaf=True),
    Attack("slow readers of a broadcast", "ws", upgraded(b"/room"),
           connections=200, deaf=True),
]  # fmt: skip
