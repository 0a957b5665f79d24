"""wire - a client that sends exactly what it is told and reads strictly.

It is a measuring instrument, so it forgives nothing: a response whose framing
is not exactly that of RFC 9112 raises BadResponse.
"""

import json
import re
import socket
from dataclasses import dataclass, field

from .wait import GUARD

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)")
FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*"
    rb"([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
    rb"[ \t]*"
)
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t\x20-\x7e]*)?")


class BadResponse(AssertionError):
    """The server broke the protocol."""


class Closed(AssertionError):
    """The server closed the connection where a response was expected."""


@dataclass
class Response:
    status: int
    minor: int  # HTTP/1.minor
    reason: str
    headers: list[tuple[str, str]]  # as sent
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    head: bytes = b""  # the bytes of the head
    framing: str = "none"  # none, length, chunked, close

    def header(self, name: str) -> str | None:
        """The field's value, repeated ones joined; None if absent."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.headers if n.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def keeps_alive(self) -> bool:
        """Does the server say that the connection goes on?"""
        options = (self.header("connection") or "").lower().split(",")
        options = {option.strip() for option in options}
        if self.framing == "close" or "close" in options:
            return False
        return self.minor == 1 or "keep-alive" in options


class Wire:
    """One connection. address is (host, port) or the path of a socket, source
    the host that it comes from."""

    def __init__(self, address, guard: float = GUARD, source=None):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(
                address, timeout=guard, source_address=source and (source, 0)
            )
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(guard)
            self.socket.connect(str(address))
        self.buffer = b""
        self.ended = False  # the server has sent FIN or RST
        self.was_reset = False
        self.send_failed = False  # it did not want all of what we sent

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- sending ----

    def send(self, data: bytes, how="whole"):
        """how: "whole", "bytewise", or a list of offsets at which to cut.

        A server may answer and close before it has read everything: then the
        rest is dropped, send_failed is set, and the answer is still there.
        """
        if how == "whole":
            pieces = [data]
        elif how == "bytewise":
            pieces = [data[i : i + 1] for i in range(len(data))]
        else:
            cuts = [0, *how, len(data)]
            pieces = [data[a:b] for a, b in zip(cuts, cuts[1:])]
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            self.send_failed = True

    def request(self, method: str, target: str, headers=None, body=None):
        """Sends an ordinary request and reads its response."""
        fields = {"Host": "localhost", **(headers or {})}
        if body is not None:
            fields.setdefault("Content-Length", str(len(body)))
        head = [f"{method} {target} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in fields.items()]
        data = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
        self.send(data + (body or b""))
        return self.response(method)

    def get(self, target: str, headers=None) -> Response:
        return self.request("GET", target, headers)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST, as a crashed client does."""
        linger = (1).to_bytes(4, "little") + bytes(4)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def close(self):
        self.socket.close()

    # ---- receiving ----

    def response(self, method: str = "GET", interim: bool = False) -> Response:
        """The next response; 1xx ones are passed over unless interim."""
        while True:
            response = self._head()
            if response.status >= 200 or response.status == 101 or interim:
                break
        self._body(response, method)
        return response

    def responses(self, count: int, method: str = "GET") -> list[Response]:
        return [self.response(method) for _ in range(count)]

    def read_to_end(self) -> bytes:
        """All that is still to come until the server closes."""
        pieces = []
        while self._receive():
            pieces.append(self.buffer)
            self.buffer = b""
        pieces.append(self.buffer)
        self.buffer = b""
        return b"".join(pieces)

    def read_exactly(self, count: int) -> bytes:
        pieces, left = [], count
        while len(self.buffer) < left:
            pieces.append(self.buffer)
            left -= len(self.buffer)
            self.buffer = b""
            if not self._receive():
                last = b"".join(pieces)[-200:]
                raise Closed(f"{left} of {count} bytes missing after {last!r}")
        pieces.append(self.buffer[:left])
        self.buffer = self.buffer[left:]
        return b"".join(pieces)

    def read_until(self, mark: bytes) -> bytes:
        """Everything up to and with mark."""
        while mark not in self.buffer:
            if not self._receive():
                raise Closed(f"after {self.buffer!r}, {mark!r} wanted")
        data, _, self.buffer = self.buffer.partition(mark)
        return data + mark

    def expect_closed(self):
        """Waits for the end of the connection; nothing may come before it."""
        rest = self.read_to_end()
        if rest:
            raise BadResponse(f"more than was asked for: {rest[:200]!r}")

    def pending(self) -> bytes:
        """What has arrived by now and was not read; does not wait."""
        self.socket.setblocking(False)
        try:
            while self._receive():
                pass
        except BlockingIOError:
            pass
        finally:
            self.socket.settimeout(GUARD)
        return self.buffer

    def _receive(self) -> bool:
        if self.ended:
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            self.was_reset = True
            data = b""
        except TimeoutError:
            raise AssertionError(
                f"the server said nothing more after {self.buffer[:200]!r}"
            ) from None
        self.buffer += data
        self.ended = not data
        return bool(data)

    def _line(self) -> bytes:
        line = self.read_until(b"\n")
        if not line.endswith(b"\r\n"):
            raise BadResponse(f"a line without CR: {line!r}")
        return line[:-2]

    def _fields(self) -> list[tuple[str, str]]:
        fields = []
        while line := self._line():
            match = FIELD.fullmatch(line)
            if match is None:
                raise BadResponse(f"not a field: {line!r}")
            name, value = match.group(1), match.group(2) or b""
            fields.append((name.decode(), value.decode("latin-1")))
        return fields

    def _head(self) -> Response:
        if not self.buffer and not self._receive():
            raise Closed("no response" + (" (reset)" if self.was_reset else ""))
        line = self._line()
        match = STATUS_LINE.fullmatch(line)
        if match is None:
            raise BadResponse(f"not a status line: {line!r}")
        response = Response(
            status=int(match.group(2)),
            minor=int(match.group(1)),
            reason=match.group(3).decode("latin-1"),
            headers=[],
        )
        response.headers = self._fields()
        fields = [f"{name}: {value}" for name, value in response.headers]
        response.head = "\r\n".join([line.decode("latin-1"), *fields]).encode()
        return response

    def _body(self, response: Response, method: str):
        lengths = response.all("content-length")
        coding = response.header("transfer-encoding")
        if len(lengths) > 1 or (lengths and coding):
            raise BadResponse(f"ambiguous framing: {response.head!r}")
        if lengths and not re.fullmatch(r"\d+", lengths[0]):
            raise BadResponse(f"bad length: {lengths[0]!r}")
        if response.status < 200 or response.status == 204:
            if lengths or coding:
                raise BadResponse(f"{response.status} with framing fields")
            return
        if method == "HEAD" or response.status == 304:
            return
        if coding is not None:
            if coding.lower() != "chunked" or response.minor == 0:
                raise BadResponse(f"unexpected coding: {coding}")
            response.framing = "chunked"
            self._chunked(response)
        elif lengths:
            response.framing = "length"
            response.body = self.read_exactly(int(lengths[0]))
        else:
            response.framing = "close"
            response.body = self.read_to_end()

    def _chunked(self, response: Response):
        pieces = []
        while True:
            match = CHUNK_SIZE.fullmatch(line := self._line())
            if match is None:
                raise BadResponse(f"not a chunk size: {line!r}")
            size = int(match.group(1), 16)
            if size == 0:
                break
            pieces.append(self.read_exactly(size))
            if self.read_exactly(2) != b"\r\n":
                raise BadResponse("no CRLF after a chunk")
        response.body = b"".join(pieces)
        response.trailers = self._fields()
