"""RFC 9113, 5.1: what may come in which state of a stream."""

from harness.h2wire import (
    CONTINUATION, DATA, END_HEADERS, HEADERS, RST_STREAM, WINDOW_UPDATE, block,
    frame, reset, window,
)  # fmt: skip

from ..case import answer, case, data, ends, fields, get, headers, post, resets

PROTOCOL, CLOSED = "PROTOCOL_ERROR", "STREAM_CLOSED"

CASES = [
    # idle
    ends("DATA on an idle stream", "9113, 5.1", PROTOCOL, data(1, "x")),
    ends("WINDOW_UPDATE on an idle stream", "9113, 5.1", PROTOCOL,
         window(1, 10)),
    ends("RST_STREAM on a later idle stream", "9113, 5.1", PROTOCOL, get(1),
         reset(5), want=answer(1)),
    ends("DATA on a stream of the server", "9113, 5.1", PROTOCOL,
         data(2, "x")),
    # half-closed (remote)
    case("DATA behind the end", "9113, 5.1", post(1, "/wait"),
         data(1, "", end=True), data(1, "x"), get(3),
         want=(resets(1, CLOSED), answer(3))),
    case("HEADERS behind the end", "9113, 5.1", get(1, "/wait"),
         headers(1, ("x", "y")), get(3), want=(resets(1, CLOSED), answer(3))),
    case("WINDOW_UPDATE behind the end", "9113, 5.1", get(1), window(1, 10),
         get(3), want=(answer(1), answer(3))),
    case("RST_STREAM behind the end", "9113, 5.1", get(1, "/wait"), reset(1),
         get(3), want=answer(3)),
    # closed
    case("WINDOW_UPDATE on a closed stream", "9113, 5.1", post(1), reset(1),
         window(1, 10), get(3), want=answer(3)),
    case("RST_STREAM twice", "9113, 5.1", post(1), reset(1), reset(1), get(3),
         want=answer(3)),
    case("DATA behind RST_STREAM", "9113, 5.1", post(1), reset(1),
         data(1, "x"), get(3), want=(resets(1, CLOSED), answer(3))),
    ends("HEADERS behind RST_STREAM", "9113, 5.1", CLOSED, post(1), reset(1),
         get(1)),
    case("DATA on a stream that was refused", "9113, 5.1",
         headers(1, (":method", "POST"), end=False), data(1, "x"),
         data(1, "y", end=True), get(3),
         want=(resets(1, PROTOCOL), answer(3))),
    case("trailers on a stream that was refused", "9113, 5.1",
         headers(1, (":method", "POST"), end=False), headers(1, ("x", "y")),
         get(3), want=(resets(1, PROTOCOL), answer(3))),
    # 5.1.1
    ends("an even number", "9113, 5.1.1", PROTOCOL, get(2)),
    ends("a lower number", "9113, 5.1.1", PROTOCOL, get(5), get(3)),
    ends("the same number", "9113, 5.1.1", CLOSED, post(1), reset(1), get(1)),
    case("numbers that are passed over", "9113, 5.1.1", get(1), get(7), get(9),
         get(101), want=(answer(1), answer(7), answer(9), answer(101))),
    case("the highest number", "9113, 5.1.1", get(2**31 - 1),
         want=answer(2**31 - 1)),
    case("DATA on a stream that was passed over", "9113, 5.1.1", get(5),
         data(3, "x"), want=(answer(5), resets(3, CLOSED))),
    # 5.1.2
    case("as many streams as allowed", "9113, 5.1.2",
         *(post(2 * n + 1) for n in range(8)),
         *(data(2 * n + 1, "x", end=True) for n in range(8)),
         want=tuple(answer(2 * n + 1, body="[x]") for n in range(8))),
    case("one stream too many", "9113, 5.1.2",
         *(post(2 * n + 1) for n in range(9)),
         *(data(2 * n + 1, "x", end=True) for n in range(8)),
         want=(resets(17, "REFUSED_STREAM"), answer(1))),
    case("the tables follow what is refused", "9113, 5.1.2",
         *(post(2 * n + 1) for n in range(8)),
         frame(HEADERS, 5, 17, block(*fields()) + b"\x40\x06x-test\x03one"),
         reset(1), frame(HEADERS, 5, 19, block(*fields("GET", "/header"))
                         + b"\xbe"),
         want=(resets(17, "REFUSED_STREAM"), answer(19, body="[one]"))),
    # 8.1
    case("an answer before the body has come", "9113, 8.1", post(1, "/unread"),
         get(3), want=(answer(1, body="unread"), answer(3))),
    case("a body that nobody waits for", "9113, 8.1", post(1, "/unread"),
         data(1, "late"), data(1, "later", end=True), get(3),
         want=(answer(1, body="unread"), answer(3))),
    ends("CONTINUATION on an idle stream", "9113, 5.1", PROTOCOL,
         frame(CONTINUATION, END_HEADERS, 1, b"")),
    ends("WINDOW_UPDATE of three bytes", "9113, 6.9", "FRAME_SIZE_ERROR",
         frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")),
    ends("RST_STREAM of nothing", "9113, 6.4", "FRAME_SIZE_ERROR", post(1),
         frame(RST_STREAM, 0, 1)),
    case("DATA of one byte each", "9113, 5.1", post(1),
         *(frame(DATA, 0, 1, b"a") for _ in range(50)), data(1, "", end=True),
         want=answer(1, body="[" + "a" * 50 + "]")),
]  # fmt: skip
