"""7: the closing handshake (RFC 6455, 5.5.1, 7)."""

from ..case import case, echo, ping, pong, refused, text
from ..frames import CLOSE, CONTINUE, TEXT, closing, frame

GOOD = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
        3000, 3001, 3999, 4000, 4001, 4999)
BAD = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
LONG = "€".encode() * 41  # 123 bytes


def answered(name, send, want=(), code=1000):
    return refused(name, "5.5.1", send, want, code)


CASES = [
    answered("7.1.1 a message, then the end", text("Hello") + closing(),
             [echo("Hello")]),
    answered("7.1.2 two close frames", closing() * 2),
    answered("7.1.3 a ping behind it", closing() + ping(b"x")),
    answered("7.1.4 text behind it", closing() + text("x")),
    answered("7.1.5 within a message",
             [frame(TEXT, b"a", fin=False), closing(),
              frame(CONTINUE, b"b")]),
    answered("7.1.6 large, then the end", text("*" * 100_000) + closing(),
             [echo("*" * 100_000)]),
    answered("7.1.7 a ping, then the end", ping(b"1") + closing(),
             [pong(b"1")]),
    answered("7.1.8 bytes that are no frames behind it",
             closing() + b"\xff" * 100),
    answered("7.3.1 no code", closing(None), code=1005),
    refused("7.3.2 one byte", "5.5.1", frame(CLOSE, b"\x03")),
    answered("7.3.3 a code", closing(1000)),
    answered("7.3.4 a reason", closing(1000, b"Hello World!")),
    answered("7.3.5 the longest reason", closing(1000, LONG)),
    refused("7.3.6 a longer one", "5.5", closing(1000, LONG + b"x")),
    refused("7.3.7 without a mask", "5.1",
            frame(CLOSE, b"\x03\xe8", masked=False)),
    refused("7.5.1 a reason that is no UTF-8", "5.5.1",
            closing(1000, b"Hello-\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited"),
            code=1007),
    refused("7.5.2 a reason that is cut", "5.5.1", closing(1000, b"\xe2\x82"),
            code=1007),
    *(answered(f"7.7 code {code}", closing(code), code=code) for code in GOOD),
    *(
        answered(f"7.7 code {code}, with a reason", closing(code, b"why"),
                 code=code)
        for code in GOOD[::3]
    ),
    *(refused(f"7.9 code {code}", "7.4", closing(code)) for code in BAD),
    *(
        refused(f"7.9 code {code}, with a reason", "7.4",
                closing(code, b"why"))
        for code in BAD[::3]
    ),
    refused("7.13 a bad code behind a message", "7.4",
            text("m") + closing(1005), [echo("m")]),
    case("7.14 nothing but the end", "7", b""),
]
