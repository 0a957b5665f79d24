"""http2 - attacks by HTTP/2: each frame is allowed, so many of them are not."""

from conformance.http2.case import block, data, fields, get, headers, post
from harness.h2wire import (
    CONTINUATION, DATA, END_STREAM, HEADERS, PADDED, PING, PREFACE, frame,
    integer, reset, settings, window,
)  # fmt: skip

from .attack import Attack

MANY = 20_000  # a hundred times what any limit lets through
ENOUGH = "ENHANCE_YOUR_CALM"


def streams(count: int) -> range:
    return range(1, 2 * count, 2)


def of_each(count: int, *makes) -> bytes:
    """What the functions make, for one stream after another."""
    return b"".join(make(n) for n in streams(count) for make in makes)


# ---- ended with GOAWAY ----


def rapid_reset():
    return of_each(MANY, lambda n: get(n, "/sleep"), reset)


def provoked_reset():
    """RFC 9113, 10.5: it is the server that resets."""
    return of_each(MANY, lambda n: post(n, "/sum"), lambda n: window(n, 0))


def continuation():
    more = frame(CONTINUATION, 0, 1, block(("x", "y" * 1000)))
    return frame(HEADERS, END_STREAM, 1, block(*fields())) + more * 1000


def empty_continuation():
    start = frame(HEADERS, END_STREAM, 1, block(*fields()))
    return start + frame(CONTINUATION, 0, 1) * MANY


def settings_flood():
    return settings(INITIAL_WINDOW_SIZE=1) * MANY


def ping_flood():
    return frame(PING, 0, 0, b"12345678") * MANY


def empty_data():
    return post(1, "/unread") + frame(DATA, 0, 1) * MANY


def padding():
    return post(1, "/unread") + frame(DATA, PADDED, 1, b"\0") * MANY


def window_updates():
    return window(0, 1) * MANY


def unknown_frames():
    return frame(0x99, 0, 0, b"x" * 100) * MANY


def hpack_bomb():
    """One large field in the table, named thousands of times."""
    field = b"\x40\x01x" + integer(3000, 7, 0) + b"y" * 3000
    head = block(*fields()) + field + b"\xbe" * 10_000
    return of_each(100, lambda n: frame(HEADERS, 5, n, head))


# ---- holding what they can ----

STREAMS = 128  # that a client may have


def closed_windows():
    """Answers that nobody lets go."""
    asked = of_each(STREAMS, lambda n: get(n, "/large"))
    return settings(INITIAL_WINDOW_SIZE=0) + asked


def closed_windows_of_streams():
    asked = of_each(STREAMS, lambda n: get(n, "/stream"))
    return settings(INITIAL_WINDOW_SIZE=0) + asked


def kept_heads():
    """Fields that cost little to send and much to keep."""
    head = block(*fields("GET", "/sleep")) + b"\x40\x01x\x01y" + b"\xbe" * 90
    return of_each(STREAMS, lambda n: frame(HEADERS, 5, n, head))


def unread_bodies():
    body = "x" * 16384
    return of_each(STREAMS, lambda n: post(n, "/unread"),
                   *[lambda n: data(n, body)] * 3)  # fmt: skip


def uploads_of_nothing():
    """Bodies that are announced and never come."""
    return of_each(
        STREAMS,
        lambda n: headers(n, *fields("POST", "/sum"), end=False),
    )


def greeted(frames):
    return lambda: (PREFACE + settings() + frames(), b"")


def attack(frames, ends="", **more) -> Attack:
    name = frames.__name__.replace("_", " ")
    return Attack(name, "h2", greeted(frames), ends, **more)


ENDED = [
    attack(frames, ENOUGH)
    for frames in (
        rapid_reset, provoked_reset, continuation, empty_continuation,
        settings_flood, ping_flood, empty_data, padding, window_updates,
        unknown_frames, hpack_bomb,
    )
]  # fmt: skip
HELD = [
    attack(frames)
    for frames in (
        closed_windows, closed_windows_of_streams, kept_heads, unread_bodies,
        uploads_of_nothing,
    )
]  # fmt: skip
ATTACKS = [*ENDED, *HELD]
