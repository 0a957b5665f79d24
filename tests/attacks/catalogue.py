"""catalogue - every attack, in the order in which they are told of, and what is
attacked."""

from pathlib import Path

from . import http1, http2, proxy, tls, websocket

SITE = Path(__file__).with_name("site.lua")
ATTACKS = [
    *http1.ATTACKS, *http2.ATTACKS, *websocket.ATTACKS, *tls.ATTACKS,
    *proxy.ATTACKS,
]  # fmt: skip
