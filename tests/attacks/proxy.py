"""proxy - attacks on listeners that want a PROXY header: they are closed
without a word."""

import random

from .attack import Attack, once

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

ATTACKS = [
    Attack("garbage", "proxy",
           lambda: (random.Random(2).randbytes(65536), b""), "closed"),
    Attack("binary garbage", "proxy",
           lambda: (SIGNATURE + random.Random(3).randbytes(65536), b""),
           "closed"),
    Attack("slow headers", "proxy",
           lambda: (b"PROXY TCP4 192.0.2.1", b" " * 1000), "closed",
           connections=1000, pace_ms=100),
    Attack("half a header", "proxy", once(SIGNATURE), "closed",
           connections=1000),
]  # fmt: skip
