"""9: sizes (RFC 6455, 7.4.1, 10.4). The site allows messages of 1 MiB."""

from ..case import binary, case, echo, refused, text
from ..frames import BINARY, CONTINUE, TEXT, frame

MOST = 1 << 20


def in_parts(size: int, part: int, opcode=BINARY) -> bytes:
    count = -(-size // part)
    return b"".join(
        frame(opcode if n == 0 else CONTINUE, b"*" * min(part, size - n * part),
              fin=n == count - 1)
        for n in range(count)
    )


CASES = [
    *(
        case(f"9.1 text of {size >> 10} KiB", "5.2", text("*" * size),
             [echo("*" * size)])
        for size in (1 << 16, 1 << 18, MOST)
    ),
    *(
        case(f"9.2 binary of {size >> 10} KiB", "5.2", binary(b"*" * size),
             [echo(b"*" * size)])
        for size in (1 << 16, 1 << 18, MOST)
    ),
    *(
        case(f"9.3 1 MiB in parts of {part}", "5.4", in_parts(MOST, part),
             [echo(b"*" * MOST)])
        for part in (1 << 12, 1 << 16, 1 << 19)
    ),
    refused("9.4 one byte more", "7.4.1", frame(TEXT, b"*" * (MOST + 1)),
            code=1009),
    refused("9.4 the length says so", "7.4.1",
            b"\x82\xff\0\0\0\0\0\x10\0\x01" + b"\0\0\0\0", code=1009),
    refused("9.4 4 GiB", "7.4.1",
            b"\x82\xff\0\0\0\1\0\0\0\0" + b"\0\0\0\0", code=1009),
    refused("9.4 2^63 - 1", "7.4.1",
            b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + b"\0\0\0\0",
            code=1009),
    refused("9.5 together", "7.4.1",
            frame(TEXT, b"*" * MOST, fin=False) + frame(CONTINUE, b"*"),
            code=1009),
    refused("9.5 a fragment of 2^63 - 1", "7.4.1",
            frame(BINARY, b"*", fin=False)
            + b"\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + b"\0\0\0\0",
            code=1009),
    refused("9.6 many empty fragments, then too much", "7.4.1",
            [frame(TEXT, b"", fin=False),
             *[frame(CONTINUE, b"", fin=False)] * 400,
             frame(CONTINUE, b"*" * (MOST + 1))], code=1009),
    case("9.7 1000 small ones", "5.2", [text("*" * 16)] * 1000,
         [echo("*" * 16)] * 1000),
    refused("9.8 a flood of empty fragments", "7.4.1",
            [frame(TEXT, b"", fin=False),
             *[frame(CONTINUE, b"", fin=False)] * 500], code=1008),
]
