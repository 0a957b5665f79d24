"""RFC 9113, 3.4, 5.4, 6.7, 6.8: prefaces, PING, GOAWAY, errors."""

from harness.h2wire import (
    ACK, GOAWAY, PING, PREFACE, SETTINGS, frame, settings,
)  # fmt: skip

from ..case import answer, case, ends, get

PROTOCOL = "PROTOCOL_ERROR"

CASES = [
    case("a preface", "9113, 3.4"),
    case("a request right behind it", "9113, 3.4", get(1), want=answer(1)),
    ends("a frame that is no SETTINGS first", "9113, 3.4", PROTOCOL,
         PREFACE, frame(PING, 0, 0, b"12345678"), preface=False),
    ends("a request before SETTINGS", "9113, 3.4", PROTOCOL,
         PREFACE, get(1), preface=False),
    ends("an ACK instead of SETTINGS", "9113, 3.4", PROTOCOL,
         PREFACE, frame(SETTINGS, ACK), preface=False),
    case("SETTINGS with values first", "9113, 3.4",
         PREFACE, settings(ENABLE_PUSH=0, INITIAL_WINDOW_SIZE=100000), get(1),
         want=answer(1), preface=False),
    # 6.7
    ends("PING of seven bytes", "9113, 6.7", "FRAME_SIZE_ERROR",
         frame(PING, 0, 0, b"1234567")),
    ends("PING of nine bytes", "9113, 6.7", "FRAME_SIZE_ERROR",
         frame(PING, 0, 0, b"123456789")),
    ends("PING on a stream", "9113, 6.7", PROTOCOL,
         frame(PING, 0, 1, b"12345678")),
    case("an ACK of no PING", "9113, 6.7", frame(PING, ACK, 0, b"12345678")),
    case("PING with unknown flags", "9113, 6.7",
         frame(PING, 0xFE, 0, b"abcdefgh")),
    # 6.8
    ends("GOAWAY on a stream", "9113, 6.8", PROTOCOL,
         frame(GOAWAY, 0, 1, bytes(8))),
    ends("GOAWAY without a code", "9113, 6.8", "FRAME_SIZE_ERROR",
         frame(GOAWAY, 0, 0, bytes(7))),
    case("GOAWAY, and a request that was on its way", "9113, 6.8",
         frame(GOAWAY, 0, 0, bytes(8)), get(1), want=answer(1)),
    case("GOAWAY with words", "9113, 6.8",
         frame(GOAWAY, 0, 0, bytes(7) + b"\2why?")),
    case("GOAWAY with a code that nobody knows", "9113, 7",
         frame(GOAWAY, 0, 0, bytes(4) + b"\0\0\1\0")),
]  # fmt: skip
