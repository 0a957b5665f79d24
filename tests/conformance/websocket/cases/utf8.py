"""6: text is UTF-8 (RFC 6455, 8.1; RFC 3629)."""

from ..case import binary, case, echo, refused, text
from ..frames import CONTINUE, TEXT, frame

VALID = {
    "kosme": "κόσμε".encode(),
    "2 bytes, first": b"\xc2\x80",
    "3 bytes, first": b"\xe0\xa0\x80",
    "4 bytes, first": b"\xf0\x90\x80\x80",
    "1 byte, last": b"\x7f",
    "2 bytes, last": b"\xdf\xbf",
    "3 bytes, last": b"\xef\xbf\xbf",
    "below the surrogates": b"\xed\x9f\xbf",
    "above the surrogates": b"\xee\x80\x80",
    "U+FFFD": b"\xef\xbf\xbd",
    "the last of all": b"\xf4\x8f\xbf\xbf",
    "NUL": b"\x00",
    "U+FFFE": b"\xef\xbf\xbe",
    "plane 1, not a character": b"\xf0\x9f\xbf\xbe",
    "plane 16, not a character": b"\xf4\x8f\xbf\xbe",
    "byte order mark": b"\xef\xbb\xbfx",
    "mixed": "Hello-µ@ßöäüàá-UTF-8!!".encode(),
    "long ASCII, then more": b"x" * 100 + "€𝄞".encode(),
}
INVALID = {
    "above the last": b"\xf4\x90\x80\x80",
    "5 bytes": b"\xf8\x88\x80\x80\x80",
    "6 bytes": b"\xfc\x84\x80\x80\x80\x80",
    "5 bytes, last": b"\xfb\xbf\xbf\xbf\xbf",
    "6 bytes, last": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "a first continuation byte": b"\x80",
    "a last continuation byte": b"\xbf",
    "two": b"\x80\xbf",
    "seven": b"\x80\xbf\x80\xbf\x80\xbf\x80",
    "C0": b"\xc0",
    "a lone first byte of 2": b"\xc3 ",
    "a lone first byte of 3": b"\xe3 ",
    "a lone first byte of 4": b"\xf3 ",
    "FE": b"\xfe",
    "FF": b"\xff",
    "FE FE FF FF": b"\xfe\xfe\xff\xff",
    "overlong slash in 2": b"\xc0\xaf",
    "overlong slash in 3": b"\xe0\x80\xaf",
    "overlong slash in 4": b"\xf0\x80\x80\xaf",
    "overlong slash in 5": b"\xf8\x80\x80\x80\xaf",
    "overlong, last of 2": b"\xc1\xbf",
    "overlong, last of 3": b"\xe0\x9f\xbf",
    "overlong, last of 4": b"\xf0\x8f\xbf\xbf",
    "overlong NUL": b"\xc0\x80",
    "overlong NUL in 3": b"\xe0\x80\x80",
    "first high surrogate": b"\xed\xa0\x80",
    "last high surrogate": b"\xed\xaf\xbf",
    "first low surrogate": b"\xed\xb0\x80",
    "last low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "Latin-1": b"caf\xe9!",
    "behind text": b"Hello-\xc2\xb5@\xc3\x9f\xed\xa0\x80edited",
    "behind much text": b"x" * 1000 + b"\xff",
}
CUT = {
    "after 1 of 2": b"\xdf",
    "after 1 of 3": b"\xef",
    "after 2 of 3": b"\xef\xbf",
    "after 1 of 4": b"\xf4",
    "after 2 of 4": b"\xf4\x8f",
    "after 3 of 4": b"\xf4\x8f\xbf",
    "behind text": b"text \xe2\x82",
}


def byte_frames(data: bytes) -> bytes:
    """Each byte in a fragment of its own."""
    parts = [data[at : at + 1] for at in range(len(data))]
    return b"".join(
        frame(TEXT if at == 0 else CONTINUE, part, fin=at == len(parts) - 1)
        for at, part in enumerate(parts)
    )


CASES = [
    case("6.1 no bytes", "8.1", text(""), [echo("")]),
    *(
        case(f"6.2 {name}", "8.1", text(data), [echo(data.decode())])
        for name, data in VALID.items()
    ),
    *(
        case(f"6.2 {name}, in fragments", "8.1", byte_frames(data),
             [echo(data.decode())])
        for name, data in VALID.items()
        if 1 < len(data) < 30
    ),
    *(
        refused(f"6.3 {name}", "8.1", text(data), code=1007)
        for name, data in INVALID.items()
    ),
    *(
        refused(f"6.4 {name}, told at once", "8.1",
                frame(TEXT, data, fin=False), code=1007)
        for name, data in INVALID.items()
        if name != "C0"
    ),
    *(
        refused(f"6.5 cut {name}", "8.1", text(data), code=1007)
        for name, data in CUT.items()
    ),
    refused("6.6 cut in fragments", "8.1",
            frame(TEXT, b"\xe2", fin=False) + frame(CONTINUE, b"\x82"),
            code=1007),
    refused("6.6 a message does not complete the one before", "8.1",
            text(b"\xe2\x82") + text(b"\xac"), code=1007),
    *(
        case(f"6.7 {name} is binary", "5.6", binary(data), [echo(data)])
        for name, data in list(INVALID.items())[:4]
    ),
]
