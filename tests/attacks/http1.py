"""http1 - attacks by HTTP/1: slowness, garbage, and many of everything."""

import random

from .attack import Attack, once

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"


def garbage():
    return random.Random(1).randbytes(65536), b""


def large_heads():
    """Each field fits; all of them do not."""
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 700) for n in range(99))
    return b"GET / HTTP/1.1\r\nHost: a\r\n" + lines, b""


def slow(opening: bytes):
    return lambda: (opening, b"x" * 65536)


ATTACKS = [
    Attack("slow heads", "h1", slow(b"GET / HTTP/1.1\r\nHost: a\r\nX: "),
           "408", connections=1000, pace_ms=100),
    Attack("slow bodies", "h1", slow(POST % b"/sum"),
           "408", connections=1000, pace_ms=100),
    Attack("slow readers", "h1", once(GET % b"/large" * 200),
           connections=200, deaf=True),
    Attack("slow readers of a stream", "h1", once(GET % b"/stream" * 20),
           connections=200, deaf=True),
    Attack("garbage", "h1", garbage, "400"),
    Attack("large heads", "h1", large_heads, "431"),
    Attack("connections that stay", "h1", once(b"G"), connections=8000),
    Attack("connections that come and go", "h1", once(CLOSE), "200"),
    Attack("huge pipelines", "h1", lambda: (b"", GET % b"/" * 5000)),
]  # fmt: skip
