"""2: pings and pongs (RFC 6455, 5.5)."""

from ..case import case, echo, ping, pong, refused, text
from ..frames import PING, PONG, frame

CASES = [
    case("2.1 empty ping", "5.5.2", ping(), [pong()]),
    case("2.2 ping with text", "5.5.3", ping(b"Hello"), [pong(b"Hello")]),
    case("2.3 ping with bytes", "5.5.3", ping(b"\x00\xff\xfe\xfd"),
         [pong(b"\x00\xff\xfe\xfd")]),
    case("2.4 ping of 125", "5.5", ping(b"\xfe" * 125), [pong(b"\xfe" * 125)]),
    refused("2.5 ping of 126", "5.5", ping(b"\xfe" * 126)),
    refused("2.5 ping of 65536", "5.5", frame(PING, b"\xfe" * 65536)),
    refused("2.5 pong of 126", "5.5", frame(PONG, b"\xfe" * 126)),
    case("2.7 pong that nobody asked for", "5.5.3", frame(PONG)),
    case("2.8 pong with a payload", "5.5.3", frame(PONG, b"unsolicited")),
    case("2.9 pong, then a ping", "5.5.3", frame(PONG, b"x") + ping(b"y"),
         [pong(b"y")]),
    case("2.10 ten pings", "5.5.3",
         [ping(b"payload-%d" % n) for n in range(10)],
         [pong(b"payload-%d" % n) for n in range(10)]),
    case("2.11 ping before and behind a message", "5.5.2",
         [ping(b"1"), text("m"), ping(b"2")],
         [pong(b"1"), echo("m"), pong(b"2")]),
    case("2.12 ping whose payload is no UTF-8", "5.5.2", ping(b"\xff"),
         [pong(b"\xff")]),
    refused("2.13 ping with a length in two bytes", "5.5",
            frame(PING, b"x", form=3)),
]
