"""5: messages in fragments (RFC 6455, 5.4)."""

from ..case import binary, case, echo, ping, pong, refused, text
from ..frames import BINARY, CLOSE, CONTINUE, PING, PONG, TEXT, frame


def first(data, opcode=TEXT) -> bytes:
    return frame(opcode, data, fin=False)


def middle(data) -> bytes:
    return frame(CONTINUE, data, fin=False)


def last(data=b"") -> bytes:
    return frame(CONTINUE, data)


CASES = [
    refused("5.1 ping in fragments", "5.5", frame(PING, b"a", fin=False)
            + last(b"b")),
    refused("5.2 pong in fragments", "5.5", frame(PONG, b"a", fin=False)
            + last(b"b")),
    refused("5.2 close in fragments", "5.5",
            frame(CLOSE, b"\x03\xe8", fin=False) + last()),
    case("5.3 two fragments", "5.4", first(b"fragment1") + last(b"fragment2"),
         [echo("fragment1fragment2")]),
    case("5.3 two fragments of binary", "5.4",
         first(b"\xff", BINARY) + last(b"\xfe"), [echo(b"\xff\xfe")]),
    case("5.4 three", "5.4", first(b"a") + middle(b"b") + last(b"c"),
         [echo("abc")]),
    case("5.5 empty first", "5.4", first(b"") + last(b"c"), [echo("c")]),
    case("5.5 empty last", "5.4", first(b"a") + last(), [echo("a")]),
    case("5.5 all empty", "5.4", first(b"") + middle(b"") + last(),
         [echo("")]),
    case("5.6 a ping between", "5.4", first(b"a") + ping(b"p") + last(b"b"),
         [pong(b"p"), echo("ab")]),
    case("5.7 a pong between", "5.4", first(b"a") + frame(PONG) + last(b"b"),
         [echo("ab")]),
    case("5.8 pings all over", "5.4",
         [ping(b"1"), first(b"a"), ping(b"2"), middle(b"b"), ping(b"3"),
          last(b"c"), ping(b"4")],
         [pong(b"1"), pong(b"2"), pong(b"3"), echo("abc"), pong(b"4")]),
    refused("5.9 a last fragment of nothing", "5.4", last(b"x") + text("y")),
    refused("5.10 an empty one", "5.4", last()),
    refused("5.11 behind a message", "5.4", text("m") + last(b"x"),
            [echo("m")]),
    refused("5.12 a middle fragment of nothing", "5.4",
            middle(b"x") + text("y")),
    refused("5.13 an empty one", "5.4", middle(b"")),
    refused("5.14 behind a message in fragments", "5.4",
            first(b"a") + last(b"b") + middle(b"x"), [echo("ab")]),
    refused("5.15 one that is over goes on", "5.4",
            [first(b"a"), last(b"b"), middle(b"c"), last(b"d")], [echo("ab")]),
    refused("5.16 over and over", "5.4",
            [middle(b"a"), first(b"b"), last(b"c")] * 2),
    refused("5.17 the last one first", "5.4",
            [last(b"a"), first(b"b"), last(b"c")]),
    refused("5.18 text within text", "5.4", first(b"a") + text("b")),
    refused("5.18 binary within text", "5.4", first(b"a") + binary(b"b")),
    refused("5.18 another first one", "5.4", first(b"a") + first(b"b")),
    case("5.19 five, with pings", "5.4",
         [first(b"1"), middle(b"2"), ping(b"p1"), middle(b"3"), middle(b"4"),
          ping(b"p2"), last(b"5")],
         [pong(b"p1"), pong(b"p2"), echo("12345")]),
    case("5.20 of one byte each", "5.4",
         [first(b"*"), *[middle(b"*")] * 200, last(b"*")], [echo("*" * 202)]),
    case("5.21 a character in two", "5.6",
         first(b"\xe2\x82") + last(b"\xac"), [echo("€")]),
    case("5.22 two messages", "5.4",
         [first(b"a"), last(b"b"), first(b"c", BINARY), last(b"d")],
         [echo("ab"), echo(b"cd")]),
    refused("5.23 a close between", "5.4",
            first(b"a") + frame(CLOSE, b"\x03\xe8"), code=1000),
]
