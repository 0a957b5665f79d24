"""fcgiapp - a FastCGI program behind perilune that answers exactly what a test
says, good or bad: one function for each connection, as upstream.py has it.

    with App(always(b"hello")) as app:
        ... perilune sends requests on to app.address ...
        assert app.requests[0].params["REQUEST_METHOD"] == "GET"
"""

import struct
from dataclasses import dataclass, field

from harness.upstream import Talk, Upstream

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)
RESPONDER, KEEP_CONN = 1, 1
COMPLETE, CANT_MPX, OVERLOADED, UNKNOWN_ROLE = range(4)


def record(kind, content=b"", request=1, padding=0, version=1) -> bytes:
    head = struct.pack(
        ">BBHHBx", version, kind, request, len(content), padding
    )
    return head + content + b"\0" * padding


def stream(kind, data: bytes, step=65535, padding=0) -> bytes:
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    return b"".join(record(kind, part, padding=padding) for part in parts)


def end(app_status=0, status=COMPLETE, request=1, padding=0) -> bytes:
    content = struct.pack(">IB3x", app_status, status)
    return record(END, content, request, padding)


def read_pairs(data: bytes) -> list[tuple[str, str]]:
    """Strictly: what is cut off is an error."""
    pairs, at = [], 0
    while at < len(data):
        sizes = []
        for _ in range(2):
            size = data[at]
            at += 1
            if size >= 128:
                size = struct.unpack(">I", data[at - 1 : at + 3])[0]
                size &= 0x7FFFFFFF
                at += 3
            sizes.append(size)
        name, value = data[at : at + sizes[0]], data[at + sizes[0] :]
        value = value[: sizes[1]]
        at += sum(sizes)
        assert at <= len(data), "a pair is cut off"
        pairs.append((name.decode("latin-1"), value.decode("latin-1")))
    return pairs


@dataclass
class Request:
    role: int
    flags: int
    pairs: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    records: list[tuple[int, int]] = field(default_factory=list)

    @property
    def params(self) -> dict[str, str]:
        names = [name for name, _ in self.pairs]
        assert len(set(names)) == len(names), f"told twice: {sorted(names)}"
        return dict(self.pairs)


class AppTalk(Talk):
    """One connection, as the program sees it."""

    def record(self) -> tuple[int, bytes] | None:
        head = self.exactly(8)
        if len(head) < 8:
            return None
        version, kind, request, length, padding = struct.unpack(
            ">BBHHBx", head
        )
        assert (version, request) == (1, 1)
        content = self.exactly(length + padding)[:length]
        return (kind, content) if len(content) == length else None

    def stream(self, request: Request, kind: int) -> bytes | None:
        parts = []
        while got := self.record():
            assert got[0] == kind, got
            request.records.append((kind, len(got[1])))
            if not got[1]:
                return b"".join(parts)
            parts.append(got[1])
        return None

    def head(self) -> Request | None:
        """The next request without its body; None: there is no more."""
        got = self.record()
        if got is None:
            return None
        assert got[0] == BEGIN and len(got[1]) == 8
        request = Request(*struct.unpack(">HB5x", got[1]))
        pairs = self.stream(request, PARAMS)
        if pairs is None:
            return None
        request.pairs = read_pairs(pairs)
        self.upstream.requests.append(request)
        return request

    def read_body(self, request: Request):
        body = self.stream(request, STDIN)
        request.body = b"<broken off>" if body is None else body

    def out(self, data: bytes, **more):
        self.send(stream(STDOUT, data, **more))

    def err(self, data: bytes):
        self.send(stream(STDERR, data))

    def say(self, body=b"", *fields: str):
        """A good answer."""
        lines = fields or ("Content-Type: text/plain",)
        head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
        self.out(head.encode("latin-1") + body)
        self.send(record(STDOUT) + end())


def always(body=b"hello", *fields: str):
    """Answers all requests alike, on connections that stay if they may."""

    def serve(talk):
        while request := talk.request():
            talk.say(body, *fields)
            if not request.flags & KEEP_CONN:
                return

    return serve


def raw(answer: bytes, close=True):
    """Answers the first request with these bytes."""

    def serve(talk):
        if talk.request():
            talk.send(answer)
        if not close:
            talk.more()

    return serve


class App(Upstream):
    talk = AppTalk

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")
