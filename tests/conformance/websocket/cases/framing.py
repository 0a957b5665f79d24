"""1: frames of all sizes, and what every frame must have (RFC 6455, 5.2)."""

from ..case import binary, case, echo, refused, text
from ..frames import BINARY, PING, TEXT, frame

SIZES = (0, 1, 124, 125, 126, 127, 128, 1000, 16384)
LARGE = (65535, 65536, 65537, 200_000)

CASES = [
    *(
        case(f"1.1 text of {n}", "5.2", text("*" * n), [echo("*" * n)])
        for n in SIZES + LARGE
    ),
    *(
        case(f"1.2 binary of {n}", "5.2", binary(b"\xfe" * n),
             [echo(b"\xfe" * n)])
        for n in SIZES + LARGE
    ),
    case("1.3 many in a row", "5.2", [text(str(n)) for n in range(100)],
         [echo(str(n)) for n in range(100)]),
    case("1.3 text and binary by turns", "5.6",
         [text("a"), binary(b"b"), text("c"), binary(b"")],
         [echo("a"), echo(b"b"), echo("c"), echo(b"")]),
    refused("1.4 no mask, text", "5.1", frame(TEXT, b"x", masked=False)),
    refused("1.4 no mask, binary", "5.1", frame(BINARY, b"", masked=False)),
    refused("1.4 no mask, ping", "5.1", frame(PING, b"", masked=False)),
    refused("1.4 no mask behind a good one", "5.1",
            text("good") + frame(TEXT, b"x", masked=False), [echo("good")]),
    refused("1.5 5 in two bytes", "5.2", frame(TEXT, b"hello", form=3)),
    refused("1.5 5 in eight bytes", "5.2", frame(TEXT, b"hello", form=9)),
    refused("1.5 125 in two bytes", "5.2", frame(TEXT, b"*" * 125, form=3)),
    refused("1.5 65535 in eight", "5.2", frame(TEXT, b"*" * 65535, form=9)),
    refused("1.5 a length of 2^63", "5.2",
            b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0"),
    refused("1.5 all bits of a length", "5.2",
            b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"),
]
