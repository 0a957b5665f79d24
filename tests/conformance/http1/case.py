"""case - the words that the conformance cases are written in."""

import re
from dataclasses import dataclass

FILE = "0123456789abcdefghijklmnopqrstuvwxyz"  # /files/range.txt
MODIFIED = 1704164645  # of all files: Tue, 02 Jan 2024 03:04:05 GMT
ETAG = "@ETAG@"  # in a case: stands for the ETag of /files/range.txt


@dataclass
class Want:
    """One response. A header's value: a text that it equals, a compiled
    pattern that it matches, True (present) or None (absent)."""

    statuses: tuple[int, ...]
    body: str | None  # None: any
    method: str
    headers: dict


@dataclass
class Case:
    name: str
    rfc: str  # "9112, 3.2": the number and the section
    send: bytes
    want: tuple[Want, ...]
    closes: bool | None  # after the last response; None: either will do
    half_close: bool  # by the client, after it has sent everything


def req(*lines: str, body: str = "") -> str:
    """A head of these lines, with its empty line, and what follows it."""
    return "\r\n".join([*lines, "", ""]) + body


def get(target: str, *fields: str, method: str = "GET") -> str:
    return req(f"{method} {target} HTTP/1.1", "Host: a", *fields)


def post(target: str, body: str, *fields: str) -> str:
    """With Content-Length unless the fields frame it."""
    frames = re.compile(r"\s*(content-length|transfer-encoding)\s*:", re.I)
    if not any(frames.match(field) for field in fields):
        fields += (f"Content-Length: {len(body)}",)
    return get(target, *fields, method="POST") + body


def chunked(chunks: str, *fields: str) -> str:
    return post("/body", chunks, "Transfer-Encoding: chunked", *fields)


def want(status, body: str | None = None, method="GET", **headers) -> Want:
    statuses = status if isinstance(status, tuple) else (status,)
    named = {name.replace("_", "-"): v for name, v in headers.items()}
    return Want(statuses, body, method, named)


def ok(body: str | None = None, **headers) -> Want:
    return want(200, body, **headers)


def case(name, rfc, send, *wanted, closes=False, half_close=False) -> Case:
    data = send.encode("latin-1")
    return Case(name, rfc, data, wanted, closes, half_close)


def refused(name: str, rfc: str, send: str, status=400) -> Case:
    """Refused, and the connection closed: nothing after it can be trusted."""
    return case(name, rfc, send, want(status), closes=True)
