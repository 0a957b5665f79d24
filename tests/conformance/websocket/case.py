"""case - the words that the cases are written in."""

from dataclasses import dataclass

from .frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, frame


@dataclass
class Case:
    name: str
    rfc: str  # "6455, 5.2"
    send: bytes
    want: list[Frame]
    closes: int | None  # the code; None: it stays open; 1005: without a code
    extensions: str  # what the client offers
    agreed: str | None  # what the server must answer to that
    path: str | None  # None: any that echoes
    takes_over: bool  # the server packs with what came before


def case(name, rfc, send, want=(), closes=None, extensions="", agreed=None,
         path=None, takes_over=False):
    data = send if isinstance(send, bytes) else b"".join(send)
    return Case(name, rfc, data, list(want), closes, extensions, agreed, path,
                takes_over)


def text(data) -> bytes:
    return frame(TEXT, data.encode() if isinstance(data, str) else data)


def binary(data: bytes) -> bytes:
    return frame(BINARY, data)


def ping(data: bytes = b"") -> bytes:
    return frame(PING, data)


def echo(data) -> Frame:
    if isinstance(data, str):
        return Frame(TEXT, data.encode())
    return Frame(BINARY, data)


def pong(data: bytes = b"") -> Frame:
    return Frame(PONG, data)


def refused(name, rfc, send, want=(), code=1002, **more) -> Case:
    """Closed by the server, with a code that says why."""
    return case(name, rfc, send, want, code, **more)


__all__ = ["CLOSE", "Case", "binary", "case", "echo", "ping", "pong",
           "refused", "text"]
