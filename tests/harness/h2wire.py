"""h2wire - an HTTP/2 client that sends exactly what it is told and reads
strictly (RFC 9113): no frame is made but by the test, and none that comes may
break a rule."""

import struct
from dataclasses import dataclass, field

import hpack

from .wire import BadResponse, Closed, Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_MAX = 16384

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY,
 WINDOW_UPDATE, CONTINUATION) = range(10)  # fmt: skip
PRIORITY_UPDATE = 16
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITIZED = 4, 8, 32

CODES = (
    "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR "
    "SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL "
    "COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY "
    "HTTP_1_1_REQUIRED"
).split()


# ---- frames as bytes ----


def frame(kind: int, flags=0, stream=0, payload=b"") -> bytes:
    head = struct.pack(">I", len(payload))[1:]
    return head + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values: int) -> bytes:
    """settings(INITIAL_WINDOW_SIZE=0); with a number: settings(_99=1)."""
    ids = {"HEADER_TABLE_SIZE": 1, "ENABLE_PUSH": 2,
           "MAX_CONCURRENT_STREAMS": 3, "INITIAL_WINDOW_SIZE": 4,
           "MAX_FRAME_SIZE": 5, "MAX_HEADER_LIST_SIZE": 6,
           "ENABLE_CONNECT_PROTOCOL": 8,
           "NO_RFC7540_PRIORITIES": 9}  # fmt: skip
    payload = b"".join(
        struct.pack(">HI", ids.get(name) or int(name[1:]), value)
        for name, value in values.items()
    )
    return frame(SETTINGS, 0, 0, payload)


def window(stream: int, more: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", more))


def reset(stream: int, code="CANCEL") -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", CODES.index(code)))


def integer(value: int, bits: int, first: int) -> bytes:
    """RFC 7541, 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out = [first | most]
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def literal(name: str, value: str) -> bytes:
    """A field that no table keeps, without Huffman's code (6.2.2)."""
    name, value = name.encode("latin-1"), value.encode("latin-1")
    return (b"\0" + integer(len(name), 7, 0) + name
            + integer(len(value), 7, 0) + value)  # fmt: skip


def block(*fields: tuple[str, str]) -> bytes:
    return b"".join(literal(*each) for each in fields)


# ---- what comes ----


@dataclass
class Answer:
    """One stream, as far as it has come."""

    interim: list[int] = field(default_factory=list)
    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    ended: bool = False
    code: str | None = None  # of RST_STREAM

    def header(self, name: str) -> str | None:
        values = [v for n, v in self.headers if n == name]
        return ", ".join(values) if values else None


class H2Wire:
    """One connection; the caller sends the preface too, if it wants one."""

    def __init__(self, address, secure=None):
        self.wire = Wire(address)
        if secure is not None:
            self.wire.socket = secure(self.wire.socket)
        self.decoder = hpack.Decoder()
        self.answers: dict[int, Answer] = {}
        self.settings: dict[int, int] = {}
        self.pongs: list[bytes] = []
        self.acks = 0
        self.updates: dict[int, int] = {}
        self.goaway: tuple[int, str] | None = None
        self.log: list[tuple[int, int, int]] = []  # kind, stream, length

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def greet(self, *frames: bytes):
        self.wire.send(PREFACE + settings() + b"".join(frames))

    def send(self, *frames: bytes, how="whole"):
        self.wire.send(b"".join(frames), how)

    # ---- one frame ----

    def read_frame(self) -> int:
        head = self.wire.read_exactly(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags = head[3], head[4]
        stream = int.from_bytes(head[5:], "big")
        if length > FRAME_MAX or stream >> 31:
            raise BadResponse(f"frame {head!r}")
        payload = self.wire.read_exactly(length)
        self.log.append((kind, stream, length))
        take = getattr(self, f"_on_{kind}", None)
        if take is None:
            raise BadResponse(f"a frame of type {kind}")
        take(flags, stream, payload)
        return kind

    def _answer(self, stream: int) -> Answer:
        if stream % 2 == 0:
            raise BadResponse(f"stream {stream}")
        answer = self.answers.setdefault(stream, Answer())
        if answer.ended or answer.code:
            raise BadResponse(f"a frame behind the end of {stream}")
        return answer

    def _on_0(self, flags, stream, payload):
        answer = self._answer(stream)
        if answer.status is None:
            raise BadResponse("DATA before HEADERS")
        answer.body += payload
        answer.ended = bool(flags & END_STREAM)

    def _on_1(self, flags, stream, payload):
        answer = self._answer(stream)
        if not flags & END_HEADERS:
            while not flags & END_HEADERS:
                head = self.wire.read_exactly(9)
                flags |= head[4] & END_HEADERS
                if head[3] != CONTINUATION:
                    raise BadResponse("a frame inside of a header block")
                length = int.from_bytes(head[:3], "big")
                payload += self.wire.read_exactly(length)
        fields = [
            (n.decode() if isinstance(n, bytes) else n,
             v.decode() if isinstance(v, bytes) else v)
            for n, v in self.decoder.decode(payload, raw=True)
        ]  # fmt: skip
        for name, _ in fields:
            if name != name.lower() or name in ("connection", "keep-alive"):
                raise BadResponse(f"field {name}")
        self._take_fields(answer, fields, bool(flags & END_STREAM))

    def _take_fields(self, answer, fields, end):
        if answer.status is not None:
            if not end or any(name.startswith(":") for name, _ in fields):
                raise BadResponse(f"trailers {fields}")
            answer.trailers = fields
        else:
            status = int(dict(fields)[":status"])
            if status < 200:
                answer.interim.append(status)
                return
            answer.status, answer.headers = status, fields
        answer.ended = end

    def _on_3(self, flags, stream, payload):
        answer = self.answers.setdefault(stream, Answer())
        answer.code = CODES[int.from_bytes(payload, "big")]

    def _on_4(self, flags, stream, payload):
        if flags & ACK:
            self.acks += 1
            return
        for at in range(0, len(payload), 6):
            which, value = struct.unpack_from(">HI", payload, at)
            self.settings[which] = value

    def _on_6(self, flags, stream, payload):
        if flags & ACK:
            self.pongs.append(payload)
        else:
            self.send(frame(PING, ACK, 0, payload))

    def _on_7(self, flags, stream, payload):
        last, code = struct.unpack_from(">II", payload)
        self.goaway = (last, CODES[code])

    def _on_8(self, flags, stream, payload):
        more = int.from_bytes(payload, "big")
        self.updates[stream] = self.updates.get(stream, 0) + more

    # ---- until something ----

    def until(self, happened):
        """Reads frames until happened() is true."""
        while not happened():
            self.read_frame()

    def answer(self, stream: int) -> Answer:
        """All of it."""
        answer = self.answers.setdefault(stream, Answer())
        self.until(lambda: answer.ended or answer.code)
        return answer

    def ping(self, text=b"conform!"):
        """What was sent before has been dealt with."""
        self.send(frame(PING, 0, 0, text))
        self.until(lambda: text in self.pongs)

    def expect_goaway(self) -> str:
        """GOAWAY, and then the end. Returns its code."""
        try:
            while True:
                self.read_frame()
        except Closed:
            pass
        if self.goaway is None:
            raise Closed("closed without GOAWAY")
        return self.goaway[1]
