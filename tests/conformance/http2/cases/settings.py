"""RFC 9113, 6.5: SETTINGS."""

from harness.h2wire import ACK, SETTINGS, frame, settings

from ..case import answer, case, ends, get

PROTOCOL, SIZE = "PROTOCOL_ERROR", "FRAME_SIZE_ERROR"

CASES = [
    ends("SETTINGS on a stream", "9113, 6.5", PROTOCOL, frame(SETTINGS, 0, 1)),
    ends("SETTINGS of five bytes", "9113, 6.5", SIZE,
         frame(SETTINGS, 0, 0, bytes(5))),
    ends("an ACK with values", "9113, 6.5", SIZE,
         frame(SETTINGS, ACK, 0, bytes(6))),
    case("an ACK", "9113, 6.5", frame(SETTINGS, ACK), get(1), want=answer(1)),
    case("an ACK of nothing", "9113, 6.5", frame(SETTINGS, ACK) * 3),
    case("an unknown setting", "9113, 6.5.2", settings(_4711=1), get(1),
         want=answer(1)),
    case("setting 0", "9113, 6.5.2", settings(_0=7)),
    case("the same setting twice", "9113, 6.5.3",
         settings(INITIAL_WINDOW_SIZE=0) + settings(INITIAL_WINDOW_SIZE=9),
         get(1), want=answer(1, body="hello")),
    ends("ENABLE_PUSH of two", "9113, 6.5.2", PROTOCOL,
         settings(ENABLE_PUSH=2)),
    case("ENABLE_PUSH of one", "9113, 6.5.2", settings(ENABLE_PUSH=1), get(1),
         want=answer(1)),
    ends("MAX_FRAME_SIZE below the least", "9113, 6.5.2", PROTOCOL,
         settings(MAX_FRAME_SIZE=16383)),
    ends("MAX_FRAME_SIZE above the most", "9113, 6.5.2", PROTOCOL,
         settings(MAX_FRAME_SIZE=2**24)),
    case("MAX_FRAME_SIZE of the most", "9113, 6.5.2",
         settings(MAX_FRAME_SIZE=2**24 - 1), get(1), want=answer(1)),
    case("MAX_CONCURRENT_STREAMS of zero", "9113, 6.5.2",
         settings(MAX_CONCURRENT_STREAMS=0), get(1), want=answer(1)),
    case("MAX_HEADER_LIST_SIZE of zero", "9113, 6.5.2",
         settings(MAX_HEADER_LIST_SIZE=0), get(1), want=answer(1)),
    case("HEADER_TABLE_SIZE of zero", "9113, 6.5.2",
         settings(HEADER_TABLE_SIZE=0), get(1), get(3),
         want=(answer(1), answer(3))),
    case("HEADER_TABLE_SIZE, and back", "9113, 6.5.2",
         settings(HEADER_TABLE_SIZE=0), settings(HEADER_TABLE_SIZE=4096),
         get(1), get(3), want=(answer(1), answer(3))),
    case("a huge HEADER_TABLE_SIZE", "9113, 6.5.2",
         settings(HEADER_TABLE_SIZE=2**32 - 1), get(1), get(3),
         want=(answer(1), answer(3))),
    ends("ENABLE_CONNECT_PROTOCOL of two", "8441, 3", PROTOCOL,
         settings(ENABLE_CONNECT_PROTOCOL=2)),
    ends("NO_RFC7540_PRIORITIES of two", "9218, 2.1", PROTOCOL,
         settings(NO_RFC7540_PRIORITIES=2)),
    case("NO_RFC7540_PRIORITIES", "9218, 2.1",
         settings(NO_RFC7540_PRIORITIES=1), get(1), want=answer(1)),
]  # fmt: skip
