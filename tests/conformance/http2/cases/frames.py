"""RFC 9113, 4, 5.5, 6.1, 6.2, 6.3, 6.4, 6.6, 6.10: frames, whatever the state
of their stream."""

from harness.h2wire import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING,
    PRIORITIZED, PRIORITY, PRIORITY_UPDATE, PUSH_PROMISE, RST_STREAM, block,
    frame, reset,
)  # fmt: skip

from ..case import answer, case, data, ends, fields, get, post

PROTOCOL, SIZE = "PROTOCOL_ERROR", "FRAME_SIZE_ERROR"
BLOCK = block(*fields())
LAST = END_HEADERS | END_STREAM


def cut(*parts: bytes, first=END_STREAM, stream=1) -> bytes:
    """A header block in so many frames."""
    out = frame(HEADERS, first, stream, parts[0])
    for part in parts[1:-1]:
        out += frame(CONTINUATION, 0, stream, part)
    return out + frame(CONTINUATION, END_HEADERS, stream, parts[-1])


CASES = [
    # 4.1
    case("an unknown type", "9113, 4.1", frame(0x77, 0xFF, 0, b"what"), get(1),
         want=answer(1)),
    case("an unknown type on an idle stream", "9113, 5.5",
         frame(0xF0, 0, 99, bytes(1000))),
    case("the largest frame of an unknown type", "9113, 4.2",
         frame(0x77, 0, 0, bytes(16384))),
    case("reserved bits are ignored", "9113, 4.1",
         frame(PING, 0, 0x80000000, b"12345678")),
    case("undefined flags are ignored", "9113, 4.1",
         frame(HEADERS, LAST | 0x80 | 0x40, 1, BLOCK), want=answer(1)),
    # 4.2
    ends("DATA that is too large", "9113, 4.2", SIZE, post(1),
         frame(DATA, 0, 1, bytes(16385))),
    ends("HEADERS that are too large", "9113, 4.2", SIZE,
         frame(HEADERS, LAST, 1, bytes(16385))),
    ends("a frame of an unknown type that is too large", "9113, 4.2", SIZE,
         frame(0x77, 0, 0, bytes(20000))),
    # 4.3
    ends("a block that is no compression", "9113, 4.3", "COMPRESSION_ERROR",
         frame(HEADERS, LAST, 1, b"\xff\xff\xff\xff\xff\xff\xff")),
    ends("a block cut off", "9113, 4.3", "COMPRESSION_ERROR",
         frame(HEADERS, LAST, 1, BLOCK[:-1])),
    ends("another stream inside of a block", "9113, 4.3", PROTOCOL,
         frame(HEADERS, END_STREAM, 1, BLOCK[:10]), get(3)),
    ends("PING inside of a block", "9113, 4.3", PROTOCOL,
         frame(HEADERS, END_STREAM, 1, BLOCK[:10]),
         frame(PING, 0, 0, b"12345678")),
    ends("an unknown frame inside of a block", "9113, 5.5", PROTOCOL,
         frame(HEADERS, END_STREAM, 1, BLOCK[:10]), frame(0x77)),
    ends("DATA inside of a block", "9113, 4.3", PROTOCOL,
         frame(HEADERS, 0, 1, BLOCK[:10]), data(1, "x")),
    # 6.1
    ends("DATA without a stream", "9113, 6.1", PROTOCOL, data(0, "x")),
    case("DATA with padding", "9113, 6.1", post(1),
         frame(DATA, PADDED | END_STREAM, 1, b"\x05hello" + bytes(5)),
         want=answer(1, body="[hello]")),
    case("DATA of nothing but padding", "9113, 6.1", post(1),
         frame(DATA, PADDED, 1, b"\xff" + bytes(255)), data(1, "a", end=True),
         want=answer(1, body="[a]")),
    case("DATA with padding of length zero", "9113, 6.1", post(1),
         frame(DATA, PADDED | END_STREAM, 1, b"\0abc"),
         want=answer(1, body="[abc]")),
    case("padding need not be zero", "9113, 6.1", post(1),
         frame(DATA, PADDED | END_STREAM, 1, b"\x02a!!"),
         want=answer(1, body="[a]")),
    ends("DATA with as much padding as payload", "9113, 6.1", PROTOCOL, post(1),
         frame(DATA, PADDED, 1, b"\x06hello")),
    ends("DATA with a length of padding missing", "9113, 6.1",
         (PROTOCOL, SIZE), post(1), frame(DATA, PADDED, 1, b"")),
    case("empty DATA ends a body", "9113, 6.1", post(1), data(1, "ab"),
         data(1, "", end=True), want=answer(1, body="[ab]")),
    case("empty DATA in between", "9113, 6.1", post(1), data(1), data(1, "a"),
         data(1), data(1, "b", end=True), want=answer(1, body="[ab]")),
    # 6.2
    ends("HEADERS without a stream", "9113, 6.2", PROTOCOL,
         frame(HEADERS, LAST, 0, BLOCK)),
    case("HEADERS with padding", "9113, 6.2",
         frame(HEADERS, LAST | PADDED, 1, b"\x03" + BLOCK + bytes(3)),
         want=answer(1)),
    ends("HEADERS with more padding than payload", "9113, 6.2", PROTOCOL,
         frame(HEADERS, LAST | PADDED, 1, b"\xff" + BLOCK)),
    case("HEADERS with a priority", "9113, 6.2",
         frame(HEADERS, LAST | PRIORITIZED, 1, b"\0\0\0\0\x0f" + BLOCK),
         want=answer(1)),
    case("HEADERS with padding and a priority", "9113, 6.2",
         frame(HEADERS, LAST | PADDED | PRIORITIZED, 1,
               b"\2\x80\0\0\7\xff" + BLOCK + b"\0\0"), want=answer(1)),
    ends("HEADERS too short for their priority", "9113, 6.2",
         (PROTOCOL, SIZE), frame(HEADERS, LAST | PRIORITIZED, 1, b"\0\0\0\0")),
    # 6.3
    case("PRIORITY on an idle stream", "9113, 6.3",
         frame(PRIORITY, 0, 9, b"\0\0\0\1\xff"), get(1), want=answer(1)),
    case("PRIORITY on a closed stream", "9113, 6.3", get(1),
         frame(PRIORITY, 0, 1, b"\0\0\0\3\x10"), want=answer(1)),
    ends("PRIORITY without a stream", "9113, 6.3", PROTOCOL,
         frame(PRIORITY, 0, 0, bytes(5))),
    ends("PRIORITY of four bytes", "9113, 6.3", SIZE,
         frame(PRIORITY, 0, 1, bytes(4))),
    # 6.4
    ends("RST_STREAM without a stream", "9113, 6.4", PROTOCOL, reset(0)),
    ends("RST_STREAM on an idle stream", "9113, 6.4", PROTOCOL, reset(1)),
    ends("RST_STREAM of three bytes", "9113, 6.4", SIZE, post(1),
         frame(RST_STREAM, 0, 1, bytes(3))),
    ends("RST_STREAM of five bytes", "9113, 6.4", SIZE, post(1),
         frame(RST_STREAM, 0, 1, bytes(5))),
    case("RST_STREAM, and another request", "9113, 6.4", post(1), reset(1),
         get(3), want=answer(3)),
    case("RST_STREAM with a code that nobody knows", "9113, 7", post(1),
         frame(RST_STREAM, 0, 1, b"\xde\xad\xbe\xef"), get(3),
         want=answer(3)),
    # 6.6
    ends("PUSH_PROMISE from a client", "9113, 6.6", PROTOCOL, post(1),
         frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + BLOCK)),
    # 6.10
    case("a block in two frames", "9113, 6.10", cut(BLOCK[:9], BLOCK[9:]),
         want=answer(1)),
    case("a block in many frames", "9113, 6.10",
         cut(b"", *(BLOCK[i : i + 5] for i in range(0, len(BLOCK), 5))),
         want=answer(1)),
    case("an empty CONTINUATION at the end", "9113, 6.10", cut(BLOCK, b""),
         want=answer(1)),
    case("END_STREAM counts where HEADERS have it", "9113, 6.10",
         cut(block(*fields("POST", "/body"))[:9],
             block(*fields("POST", "/body"))[9:], first=0),
         data(1, "x", end=True), want=answer(1, body="[x]")),
    ends("CONTINUATION of nothing", "9113, 6.10", PROTOCOL,
         frame(CONTINUATION, END_HEADERS, 1, BLOCK)),
    ends("CONTINUATION behind a whole block", "9113, 6.10", PROTOCOL, get(1),
         frame(CONTINUATION, END_HEADERS, 1, BLOCK)),
    ends("CONTINUATION without a stream", "9113, 6.10", PROTOCOL,
         frame(HEADERS, END_STREAM, 1, BLOCK[:9]),
         frame(CONTINUATION, END_HEADERS, 0, BLOCK[9:])),
    ends("CONTINUATION of another stream", "9113, 6.10", PROTOCOL,
         frame(HEADERS, END_STREAM, 1, BLOCK[:9]),
         frame(CONTINUATION, END_HEADERS, 3, BLOCK[9:])),
    ends("CONTINUATION without end", "9113, 10.5.1", "ENHANCE_YOUR_CALM",
         frame(HEADERS, END_STREAM, 1, BLOCK[:9]),
         frame(CONTINUATION, 0, 1, b"") * 40),
    # RFC 9218
    case("PRIORITY_UPDATE", "9218, 7.1",
         frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1, i"), get(1),
         want=answer(1)),
    ends("PRIORITY_UPDATE on a stream", "9218, 7.1", PROTOCOL,
         frame(PRIORITY_UPDATE, 0, 1, b"\0\0\0\1u=1")),
    ends("PRIORITY_UPDATE of a stream of the server", "9218, 7.1", PROTOCOL,
         frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\2u=1")),
    ends("PRIORITY_UPDATE of no stream", "9218, 7.1", PROTOCOL,
         frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\0u=1")),
    ends("PRIORITY_UPDATE of three bytes", "9218, 7.1", SIZE,
         frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0")),
    case("a Priority field that is none", "9218, 4",
         get(1, "/", ("priority", "u=9, i=?7, \"x")), want=answer(1)),
    case("reset of a stream that had an error", "9113, 5.4.2", post(1),
         frame(0, 0, 1, b"x"), reset(1, "INTERNAL_ERROR"), get(3),
         want=(answer(3),)),
]  # fmt: skip

