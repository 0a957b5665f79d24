"""idle - crowds of connections that wait: what each takes of the memory of
perilune, by wire and by what is waited for."""

from dataclasses import dataclass

from load import Failed
from process import status_kib
from servers import Server

HEAD = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
# HTTP/2: the preface, empty SETTINGS, and GET / of http://a on stream 1, by the
# static table (RFC 7541, A).
H2_ASK = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    + bytes([0, 0, 6, 1, 5, 0, 0, 0, 1]) + b"\x82\x86\x84\x41\x01a"
)  # fmt: skip
H2_ACK = bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])
H2_PING = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"perilune"


@dataclass
class Crowd:
    """Connections that have asked once and are idle now."""

    server: Server
    target: str

    def __post_init__(self):
        self.held = []

    def ask(self, sock):
        sock.sendall(HEAD % self.target.encode())
        sock.recv(4096)

    def grow(self, to: int):
        while len(self.held) < to:
            sock = self.server.connect()
            self.ask(sock)
            self.held.append(sock)

    def alive(self, sock) -> bool:
        try:
            sock.sendall(HEAD % self.target.encode())
            return sock.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def leave(self):
        for sock in self.held:
            sock.close()


class Http2Crowd(Crowd):
    """They have had an answer, and said that they know the settings."""

    def ask(self, sock):
        sock.sendall(H2_ASK + H2_ACK)
        self.read_until(sock, b"Hello, World!")

    def read_until(self, sock, mark: bytes):
        data = b""
        while mark not in data:
            piece = sock.recv(4096)
            if not piece:
                raise Failed(f"{self.server.name} closes after {data[-80:]!r}")
            data += piece

    def alive(self, sock) -> bool:
        try:
            sock.sendall(H2_PING)
            self.read_until(sock, b"perilune")
        except (OSError, Failed):
            return False
        return True


def idle_memory(crowd: Crowd, count: int) -> dict:
    """Growth of resident memory by each connection, from a quarter of them on:
    what grows once, grows before."""
    pid = crowd.server.pid
    try:
        crowd.grow(count // 4)
        before = status_kib(pid, "VmRSS")
        crowd.grow(count)
        full = status_kib(pid, "VmRSS")
        sample = crowd.held[:: count // 100]
        alive = sum(map(crowd.alive, sample))
    finally:
        crowd.leave()
    if alive < len(sample):
        raise Failed(f"only {alive} of {len(sample)} connections are alive")
    bytes_each = (full - before) * 1024 / (count - count // 4)
    return {"bytes": bytes_each, "full_mib": full / 1024}


def parked_memory(server: Server, count: int) -> float:
    """The same of tasks that wait: handlers without their requests."""
    server.answer(f"/park?n={count // 4}")
    before = status_kib(server.pid, "VmRSS")
    server.answer(f"/park?n={count - count // 4}")
    full = status_kib(server.pid, "VmRSS")
    return (full - before) * 1024 / (count - count // 4)
