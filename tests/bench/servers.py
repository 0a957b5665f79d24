"""servers - one running server: started, asked, ended."""

import functools
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from load import Failed

SERVER_CPU, LOAD_CPU = "0", "1"


@dataclass
class Command:
    """How a server is started so that it listens on port."""

    words: list
    port: int  # 0: it chooses, and says which
    env: dict[str, str] = field(default_factory=dict)
    tls: bool = False
    only_h2: bool = False
    # Another server, which runs beside the load: one that it needs, or one
    # that has the port, and needs it.
    beside: "Command | None" = None
    socket: Path | None = None  # that is there as soon as it listens


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@functools.cache
def any_server() -> ssl.SSLContext:
    """Of clients that take whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionError:
        return False
    return True


class Server:
    """A running server, alone on its processor; the folder keeps its log."""

    def __init__(self, name: str, command: Command, folder: Path):
        self.name = name
        self.port = command.port
        self.tls = command.tls
        self.only_h2 = command.only_h2
        self.log = folder / "log"
        self.beside = command.beside and subprocess.Popen(
            ["taskset", "-c", LOAD_CPU, *map(str, command.beside.words)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CPU, *map(str, command.words)],
            cwd=folder,
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        self.wait_until(self.listens)
        if self.beside:
            self.wait_until(lambda: listens(command.beside.port))
        if command.socket:
            self.wait_until(command.socket.exists)

    def wait_until(self, done):
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            if done():
                return
            time.sleep(0.01)
        self.stop()
        raise Failed(f"{self.name} did not start: {self.said()}")

    def listens(self) -> bool:
        if self.port == 0:
            self.port = next(iter(self.ports()), 0)
        try:
            if self.port != 0:
                self.connect().close()
        except ConnectionError:
            return False
        return self.port != 0

    def ports(self) -> list[int]:
        """Those that perilune says it listens on, in the order of the site."""
        text = self.log.read_text(errors="replace")
        found = re.findall(r"^listening on https?://.*:(\d+)/$", text, re.M)
        return [int(port) for port in found]

    def said(self) -> str:
        """Its last words."""
        return self.log.read_text(errors="replace")[-400:].strip()

    def connect(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        if not self.tls:
            return plain
        return any_server().wrap_socket(plain)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def base(self) -> str:
        return f"http{'s' * self.tls}://127.0.0.1:{self.port}"

    def stop(self):
        for process in filter(None, (self.process, self.beside)):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def answer(self, target, body=0, close=False) -> tuple[bytes, bytes]:
        """Head (with the empty line) and body of its answer, as wrk will get
        them. body: the size of what is posted."""
        if self.only_h2:
            return b"", self.answer_by_nghttp(target)
        lines = [f"{'POST' if body else 'GET'} {target} HTTP/1.1", "Host: a"]
        if body:
            lines.append(f"Content-Length: {body}")
        if close:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode()
        with self.connect() as sock:
            sock.sendall(head + b"x" * body)
            data, answer = b"", None
            while answer is None:
                try:
                    piece = sock.recv(1 << 20)
                except OSError as error:
                    raise Failed(f"{self.name}, {target}: {error}") from None
                if not piece:
                    raise Failed(f"{self.name} closes after {data[:200]!r}")
                data += piece
                answer = split_answer(data)
        if not data.startswith(b"HTTP/1.1 200"):
            raise Failed(f"{self.name} answers {data[:60]!r} to {target}")
        return answer


    def answer_by_nghttp(self, target: str) -> bytes:
        """The body only."""
        words = ["nghttp", self.base + target]
        try:
            done = subprocess.run(words, capture_output=True, check=False)
        except FileNotFoundError:
            raise Failed("nghttp is not there") from None
        return done.stdout


def split_answer(data: bytes) -> tuple[bytes, bytes] | None:
    """Head and body of an answer that is whole; None if it is not."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    if length and len(body) >= int(length[1]):
        return head + end, body
    if b"chunked" not in head.lower() or not body.endswith(b"0\r\n\r\n"):
        return None
    whole = b""
    while not body.startswith(b"0"):
        size, _, rest = body.partition(b"\r\n")
        whole += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return head + end, whole


def start_ms(command: Command, folder: Path) -> float:
    """From exec to the first byte of the first response."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    words = [str(word) for word in command.words]
    quiet = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0)
             for fd in (1, 2)]  # fmt: skip
    env = {**os.environ, **command.env}
    here, processors = os.getcwd(), os.sched_getaffinity(0)
    os.chdir(folder)
    os.sched_setaffinity(0, {int(SERVER_CPU)})
    began = time.perf_counter()
    pid = os.posix_spawnp(words[0], words, env, file_actions=quiet)
    os.sched_setaffinity(0, {int(LOAD_CPU)})
    try:
        while time.perf_counter() - began < 10:
            try:
                with socket.create_connection(("127.0.0.1", command.port)) as s:
                    s.sendall(request)
                    if s.recv(1):
                        return (time.perf_counter() - began) * 1e3
            except ConnectionError:
                pass
        raise Failed(f"{words[0]} did not start")
    finally:
        os.chdir(here)
        os.sched_setaffinity(0, processors)
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
