"""RFC 9113, 5.2 and 6.9: windows."""

from harness.h2wire import WINDOW_UPDATE, frame, settings, window

from ..case import answer, case, data, ends, get, post, resets

PROTOCOL, FLOW = "PROTOCOL_ERROR", "FLOW_CONTROL_ERROR"
MOST = 2**31 - 1

CASES = [
    ends("WINDOW_UPDATE of zero", "9113, 6.9", PROTOCOL, window(0, 0)),
    case("WINDOW_UPDATE of zero on a stream", "9113, 6.9", post(1),
         window(1, 0), get(3), want=(resets(1, PROTOCOL), answer(3))),
    ends("WINDOW_UPDATE of five bytes", "9113, 6.9", "FRAME_SIZE_ERROR",
         frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0\1")),
    case("the reserved bit of WINDOW_UPDATE", "9113, 6.9",
         frame(WINDOW_UPDATE, 0, 0, b"\x80\0\0\1"), get(1), want=answer(1)),
    ends("the connection's window overflows", "9113, 6.9.1", FLOW,
         window(0, MOST)),
    ends("... in two steps", "9113, 6.9.1", FLOW, window(0, MOST - 65535),
         window(0, 1)),
    case("the largest window", "9113, 6.9.1", window(0, MOST - 65535), get(1),
         want=answer(1)),
    case("a stream's window overflows", "9113, 6.9.1", post(1),
         window(1, MOST), get(3), want=(resets(1, FLOW), answer(3))),
    case("a window of nothing, then of all", "9113, 6.9.2",
         settings(INITIAL_WINDOW_SIZE=0), get(1), window(1, 3), window(1, 2),
         want=answer(1, body="hello")),
    case("a window that SETTINGS open", "9113, 6.9.2",
         settings(INITIAL_WINDOW_SIZE=0), get(1),
         settings(INITIAL_WINDOW_SIZE=100), want=answer(1, body="hello")),
    case("a window that is negative for a while", "9113, 6.9.2",
         settings(INITIAL_WINDOW_SIZE=3), get(1),
         settings(INITIAL_WINDOW_SIZE=1), window(1, 1),
         settings(INITIAL_WINDOW_SIZE=5), want=answer(1, body="hello")),
    ends("SETTINGS overflow a window", "9113, 6.9.2", FLOW, post(1),
         window(1, MOST - 65535), settings(INITIAL_WINDOW_SIZE=65536)),
    ends("INITIAL_WINDOW_SIZE above 2^31-1", "9113, 6.5.2", FLOW,
         settings(INITIAL_WINDOW_SIZE=2**31)),
    case("heads need no window", "9113, 6.9",
         settings(INITIAL_WINDOW_SIZE=0), get(1, "/empty"), get(3, "/empty"),
         want=(answer(1, 204), answer(3, 204))),
    case("another stream need not wait", "9113, 6.9",
         settings(INITIAL_WINDOW_SIZE=0), get(1), get(3, "/empty"),
         window(1, 5), want=(answer(1, body="hello"), answer(3, 204))),
    case("a body of many frames", "9113, 6.9", post(1),
         *(data(1, "x" * 1000) for _ in range(15)), data(1, "y", end=True),
         want=answer(1, body="[" + "x" * 15000 + "y]")),
    case("more than the window of a stream that nobody reads", "9113, 6.9",
         post(1, "/wait"), *(data(1, "x" * 16384) for _ in range(4)), get(3),
         want=(resets(1, FLOW), answer(3))),
    case("the whole window of a stream that nobody reads", "9113, 6.9",
         post(1, "/wait"), *(data(1, "x" * 13107) for _ in range(5)), get(3),
         want=answer(3)),
]  # fmt: skip
