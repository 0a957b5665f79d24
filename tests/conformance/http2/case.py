"""case - the words that the conformance cases are written in."""

from dataclasses import dataclass

from harness.h2wire import (
    DATA, END_HEADERS, END_STREAM, HEADERS, block, frame,
)  # fmt: skip


@dataclass
class Want:
    """How one stream ends: by an answer, or by one of these codes."""

    stream: int
    status: int | None = None
    body: str | None = None  # None: any
    codes: tuple[str, ...] = ()
    trailers: tuple = ()


@dataclass
class Case:
    name: str
    rfc: str  # "9113, 6.2": the number and the section
    send: bytes  # behind the client's preface and SETTINGS
    want: tuple[Want, ...]
    goaway: tuple[str, ...]  # the connection ends with one of these; or goes on
    preface: bool  # false: send has it


def answer(stream: int, status=200, body: str | None = None, trailers=()):
    return Want(stream, status, body, trailers=trailers)


def resets(stream: int, *codes: str) -> Want:
    return Want(stream, codes=codes)


def case(name, rfc, *frames: bytes, want=(), preface=True) -> Case:
    """The connection must go on afterwards."""
    want = want if isinstance(want, tuple) else (want,)
    return Case(name, rfc, b"".join(frames), want, (), preface)


def ends(name, rfc, code, *frames: bytes, want=(), preface=True) -> Case:
    """The connection ends with GOAWAY and this code (or one of these)."""
    codes = code if isinstance(code, tuple) else (code,)
    want = want if isinstance(want, tuple) else (want,)
    return Case(name, rfc, b"".join(frames), want, codes, preface)


# ---- requests ----


def fields(method="GET", path="/", *more: tuple[str, str]):
    return ((":method", method), (":scheme", "http"), (":authority", "a"),
            (":path", path), *more)  # fmt: skip


def headers(stream: int, *pairs: tuple[str, str], end=True, flags=0) -> bytes:
    flags |= END_HEADERS | (END_STREAM if end else 0)
    return frame(HEADERS, flags, stream, block(*pairs))


def get(stream: int, path="/", *more: tuple[str, str]) -> bytes:
    return headers(stream, *fields("GET", path, *more))


def post(stream: int, path="/body", *more: tuple[str, str]) -> bytes:
    """Its body is to follow."""
    return headers(stream, *fields("POST", path, *more), end=False)


def data(stream: int, text="", end=False, flags=0) -> bytes:
    flags |= END_STREAM if end else 0
    return frame(DATA, flags, stream, text.encode("latin-1"))
