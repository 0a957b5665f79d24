"""fcgi - a web server's end of FastCGI: sends exactly the records that it is
told to, and reads strictly (FastCGI 1.0): no record that comes may break a
rule."""

import struct
from dataclasses import dataclass, field

from .wire import BadResponse, Closed, Wire

(BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR,
 DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE) = range(1, 12)  # fmt: skip
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
KEEP = VERSION = 1
STATUS = ("REQUEST_COMPLETE", "CANT_MPX_CONN", "OVERLOADED", "UNKNOWN_ROLE")
CONTENT_MAX = 65535


# ---- records as bytes ----


def record(kind, number=1, content=b"", padding=0, version=1) -> bytes:
    head = struct.pack(
        ">BBHHBx", version, kind, number, len(content), padding
    )
    return head + content + bytes(padding)


def begin(number=1, role=RESPONDER, flags=KEEP, **more) -> bytes:
    body = struct.pack(">HB5x", role, flags)
    return record(BEGIN_REQUEST, number, body, **more)


def length(value: int, long=False) -> bytes:
    if value < 128 and not long:
        return bytes([value])
    return struct.pack(">I", value | 1 << 31)


def pair(name, value, long=False) -> bytes:
    name, value = (
        text.encode() if isinstance(text, str) else text
        for text in (name, value)
    )
    return length(len(name), long) + length(len(value), long) + name + value


def pairs(params: dict) -> bytes:
    return b"".join(pair(name, value) for name, value in params.items())


def stream(kind, number, content: bytes, size=CONTENT_MAX, padding=0) -> bytes:
    """All records of a stream, with its end."""
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    return b"".join(
        record(kind, number, piece, padding) for piece in [*pieces, b""]
    )


def params_of(method="GET", target="/", **more) -> dict:
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "QUERY_STRING": target.partition("?")[2],
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "a.example",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "4711",
        **more,
    }


def request(params: dict, body=b"", number=1, flags=KEEP, **more) -> bytes:
    """A whole request."""
    return (
        begin(number, flags=flags, **more)
        + stream(PARAMS, number, pairs(params))
        + stream(STDIN, number, body)
    )


# ---- answers ----


def take_pairs(content: bytes) -> dict:
    found = {}
    while content:
        lengths = []
        for _ in range(2):
            size = 4 if content[0] & 0x80 else 1
            lengths.append(
                int.from_bytes(content[:size], "big") & ~(1 << 31)
            )
            content = content[size:]
        end = lengths[0] + lengths[1]
        if len(content) < end:
            raise BadResponse("a pair is cut off")
        found[content[: lengths[0]].decode()] = content[
            lengths[0] : end
        ].decode()
        content = content[end:]
    return found


@dataclass
class Answer:
    """What became of a request: its streams, and how it ended."""

    number: int
    stdout: bytes = b""
    stderr: bytes = b""
    ended: set = field(default_factory=set)  # streams
    app_status: int | None = None
    status: str | None = None  # of the protocol

    def _head(self) -> list:
        head, mark, _ = self.stdout.partition(b"\r\n\r\n")
        if not mark:
            raise BadResponse(f"no head: {self.stdout[:200]!r}")
        return [
            tuple(part.strip() for part in line.decode().split(":", 1))
            for line in head.split(b"\r\n")
        ]

    @property
    def body(self) -> bytes:
        return self.stdout.partition(b"\r\n\r\n")[2]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def code(self) -> int:
        return int(self.header("status").split()[0])

    def header(self, name: str) -> str | None:
        values = [v for n, v in self._head() if n.lower() == name.lower()]
        return ", ".join(values) if values else None


class Front:
    """A connection as a web server has it."""

    def __init__(self, wire: Wire):
        self.wire = wire
        self.answers: dict[int, Answer] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def send(self, data: bytes, how="whole"):
        self.wire.send(data, how=how)

    def read_record(self) -> tuple[int, int, bytes]:
        version, kind, number, size, padding = struct.unpack(
            ">BBHHBx", self.wire.read_exactly(8)
        )
        if version != 1:
            raise BadResponse(f"version {version}")
        content = self.wire.read_exactly(size)
        self.wire.read_exactly(padding)
        return kind, number, content

    def _take(self, kind, number, content):
        answer = self.answers.setdefault(number, Answer(number))
        name = {STDOUT: "stdout", STDERR: "stderr"}.get(kind)
        if name:
            if name in answer.ended:
                raise BadResponse(f"{name} goes on behind its end")
            if not content:
                answer.ended.add(name)
            setattr(answer, name, getattr(answer, name) + content)
        elif kind == END_REQUEST:
            for name in ("stdout", "stderr"):
                if getattr(answer, name) and name not in answer.ended:
                    raise BadResponse(f"{name} has no end")
            answer.app_status, status = struct.unpack(">IB3x", content)
            answer.status = STATUS[status]
        else:
            raise BadResponse(f"a record of type {kind}")

    def answer(self, number=1) -> Answer:
        """The whole answer to a request; those of others are kept."""
        while (
            number not in self.answers
            or self.answers[number].status is None
        ):
            kind, which, content = self.read_record()
            self._take(kind, which, content)
        return self.answers.pop(number)

    def some(self, number=1) -> Answer:
        """What has come so far, with one more record."""
        self._take(*self.read_record())
        return self.answers[number]

    def ask(self, method="GET", target="/", body=b"", number=1, **params):
        """A request, and its answer."""
        if body:
            params.setdefault("CONTENT_LENGTH", str(len(body)))
        self.send(request(params_of(method, target, **params), body, number))
        return self.answer(number)

    def get(self, target="/", **params) -> Answer:
        return self.ask("GET", target, **params)

    def values(self, *names) -> dict:
        self.send(
            record(GET_VALUES, 0, pairs(dict.fromkeys(names, "")))
        )
        kind, number, content = self.read_record()
        assert (kind, number) == (GET_VALUES_RESULT, 0)
        return take_pairs(content)

    def ends(self) -> bool:
        """Whether the application has closed the connection, without a word."""
        try:
            return self.wire.read_to_end() == b""
        except Closed:
            return True
