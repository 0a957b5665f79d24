"""upstream - a server behind perilune that answers exactly what a test says,
good or bad: one function for each connection, on a thread of its own.

    with Upstream(lambda talk: talk.answer(b"hello")) as upstream:
        ... perilune sends requests on to upstream.url ...
"""

import socket
import threading
from dataclasses import dataclass, field

from harness.peer import reset
from harness.wait import GUARD, wait_for


@dataclass
class Request:
    line: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


class Talk:
    """One connection, as the server sees it."""

    def __init__(self, upstream, conn, number):
        self.upstream, self.conn, self.number = upstream, conn, number
        self.buffer = b""

    def more(self) -> bool:
        data = self.conn.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, mark: bytes) -> bytes | None:
        while mark not in self.buffer:
            if not self.more():
                return None
        data, _, self.buffer = self.buffer.partition(mark)
        return data

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count and self.more():
            pass
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def head(self) -> Request | None:
        """The next request without its body; None: there is no more."""
        text = self.until(b"\r\n\r\n")
        if text is None:
            return None
        line, *lines = text.decode("latin-1").split("\r\n")
        fields = [tuple(line.split(": ", 1)) for line in lines]
        request = Request(line, fields)
        self.upstream.requests.append(request)
        return request

    def read_body(self, request: Request):
        if request.header("transfer-encoding") == "chunked":
            while size := int(self.until(b"\r\n"), 16):
                request.body += self.exactly(size)
                assert self.exactly(2) == b"\r\n"
            while line := self.until(b"\r\n"):
                request.trailers.append(
                    tuple(line.decode("latin-1").split(": ", 1))
                )
        elif length := request.header("content-length"):
            request.body = self.exactly(int(length))

    def request(self) -> Request | None:
        request = self.head()
        if request is not None:
            self.read_body(request)
        return request

    def send(self, data: bytes):
        self.conn.sendall(data)

    def say(self, body=b"", status="200 OK", *fields: str):
        """An answer with a length."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def reset(self):
        reset(self.conn)


def always(body=b"hello", status="200 OK", *fields: str):
    """Answers all requests alike."""

    def serve(talk):
        while talk.request():
            talk.say(body, status, *fields)

    return serve


def raw(answer: bytes, close=True):
    """Answers the first request with these bytes."""

    def serve(talk):
        if talk.request():
            talk.send(answer)
        if not close:
            talk.more()

    return serve


class Upstream:
    talk = Talk

    def __init__(self, serve, path=None, context=None):
        self.serve, self.context = serve, context
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self.accepted = self.ended = 0
        self.conns: list[socket.socket] = []
        self.closing = False
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.url = f"unix:{path}"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
            scheme = "https" if context else "http"
            self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            conn.settimeout(GUARD)
            self.conns.append(conn)
            number = self.accepted
            threading.Thread(
                target=self._run, args=(conn, number), daemon=True
            ).start()

    def _run(self, conn, number):
        try:
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            with conn:
                self.serve(self.talk(self, conn, number))
        except OSError:
            pass  # perilune has closed it, or the test is over
        except BaseException as error:
            self.errors.append(error)
        self.ended += 1

    def wait_ended(self, count: int):
        wait_for(lambda: self.ended >= count, f"{count} connections' ends")

    def wait_requests(self, count: int):
        wait_for(lambda: len(self.requests) >= count, f"{count} requests")

    def close(self):
        """Nobody listens any more."""
        if not self.closing:
            self.closing = True
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        for conn in self.conns:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if kind is None:
            assert not self.errors, self.errors
