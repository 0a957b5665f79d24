"""load - clients that ask all the time while something happens."""

import re
import shutil
import socket
import subprocess
import threading
from collections import Counter
from signal import SIGINT

from .wait import GUARD, wait_for

ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = ASK[:-2] + b"Connection: close\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MESSAGE = b"\x81\x85\0\0\0\0hello"  # masked by nothing
ECHO = b"\x81\x05hello"
ENDS = (ConnectionResetError, BrokenPipeError)


class Wrong(Exception):
    """What no server may do, whatever happens to it."""


class Wire:
    """One connection. Whoever is not accepted yet is answered, so a refusal
    is wrong; what comes is wrong or whole, or cut off at once."""

    def __init__(self, port: int):
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), GUARD)
        except OSError as error:
            raise Wrong(f"{type(error).__name__}: {error}") from error
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes):
        try:
            self.socket.sendall(data)
        except ENDS:
            pass  # what has come before the end is read yet

    def more(self) -> bool:
        try:
            part = self.socket.recv(4096)
        except ENDS:
            part = b""
        self.got += part
        return part != b""

    def gone(self) -> bool:
        """Has it been closed while nothing was asked?"""
        self.socket.setblocking(False)
        try:
            return not self.more()
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(GUARD)

    def head(self) -> str | None:
        """Of a response; None: nothing came, it is cut."""
        while b"\r\n\r\n" not in self.got:
            if not self.more():
                break
        if self.got == b"":
            return None
        head, end, self.got = self.got.partition(b"\r\n\r\n")
        if not end:
            raise Wrong(f"half an answer: {head!r}")
        return head.decode("latin-1").lower()

    def body(self, head: str):
        length = int(re.search(r"content-length: *(\d+)", head)[1])
        while len(self.got) < length and self.more():
            pass
        body, self.got = self.got[:length], self.got[length:]
        if not head.startswith("http/1.1 200 ") or body != b"hello":
            raise Wrong(repr((head, body)))

    def frame(self) -> bytes:
        """A small frame of a server; b"": it is cut."""
        while len(self.got) < 2 or len(self.got) < 2 + self.got[1]:
            if not self.more():
                return b""
        size = 2 + self.got[1]
        frame, self.got = self.got[:size], self.got[size:]
        return frame


class Load:
    """Clients of three kinds: each request on a connection of its own; one
    after the other on one that is kept; messages that a WebSocket at /ws
    echoes. "/" answers "hello". Counts what became of them: an answer, or a
    connection that was cut while its answer was due. That may be what a crash
    does; `closed` are the codes of WebSockets that were closed in order."""

    def __init__(self, port: int, clients=4, kept=0, sockets=0):
        self.port, self.over = port, threading.Event()
        self.lock = threading.Lock()
        self.counts, self.closed = Counter(), Counter()
        self.wrong: list[str] = []
        work = [self.once] * clients + [self.kept] * kept
        work += [self.talk] * sockets
        self.threads = [
            threading.Thread(
                target=self.run, args=(one,), daemon=True, name=one.__name__
            )
            for one in work
        ]
        for thread in self.threads:
            thread.start()

    @property
    def answered(self) -> int:
        return self.counts["answered"]

    @property
    def cut(self) -> int:
        return sum(self.counts[name] for name in ("once", "kept", "talk"))

    def count(self, good: bool) -> bool:
        """Those that were cut are counted by their kind."""
        kind = threading.current_thread().name
        with self.lock:
            self.counts["answered" if good else kind] += 1
        return good

    def run(self, work):
        while not self.over.is_set():
            try:
                with Wire(self.port) as wire:
                    work(wire)
            except (Wrong, OSError) as error:
                self.wrong.append(f"{work.__name__}: {error!r}")

    def once(self, wire: Wire):
        self.ask(wire, LAST)

    def kept(self, wire: Wire):
        while not self.over.is_set() and not wire.gone():
            if not self.ask(wire, ASK):
                return

    def ask(self, wire: Wire, request: bytes) -> bool:
        """Is the connection good for another one?"""
        wire.send(request)
        head = wire.head()
        if head is not None:
            wire.body(head)
        return self.count(head is not None) and "tion: close" not in head

    def talk(self, wire: Wire):
        wire.send(UPGRADE)
        head = wire.head()
        if head is None or " 503 " in head[:13]:
            self.count(False)  # it ended before it became one
            return
        while not self.over.is_set():
            wire.send(MESSAGE)
            frame = wire.frame()
            if frame[:1] == b"\x88":
                self.closed[int.from_bytes(frame[2:4], "big")] += 1
                return
            if frame not in (ECHO, b""):
                raise Wrong(repr(frame))
            if not self.count(frame != b""):
                return

    def more(self, count: int):
        """Waits until so many more are answered."""
        least = self.answered + count
        wait_for(
            lambda: self.answered >= least or self.wrong, f"{count} answers"
        )
        assert not self.wrong, self.wrong[:3]

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(GUARD)
        assert not self.wrong, self.wrong[:3]


class Wrk:
    """wrk, on connections that are kept, until it is asked."""

    def __init__(self, url: str, connections: int = 32):
        words = ["wrk", "-t1", f"-c{connections}", "-d9999s", url]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True
        )

    def end(self):
        """Every request was answered, and well."""
        self.process.send_signal(SIGINT)
        told, _ = self.process.communicate(timeout=GUARD)
        assert "requests in" in told, told
        assert "Socket errors" not in told and "Non-2xx" not in told, told

    def kill(self):
        self.process.kill()
        self.process.communicate()


class H2load:
    """h2load, over HTTP/2, again and again until it is asked."""

    def __init__(self, url: str, requests: int = 2000):
        self.words = ["h2load", "-t1", "-c4", "-m8", f"-n{requests}", url]
        self.over, self.said = threading.Event(), []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            done = subprocess.run(
                self.words, capture_output=True, text=True, check=False,
                timeout=GUARD,
            )  # fmt: skip
            self.said.append(done.stdout)

    def end(self):
        self.over.set()
        self.thread.join(GUARD)
        assert self.said
        for text in self.said:
            assert re.search(r"requests:.* 0 failed, 0 errored", text), text
            assert re.search(r"status codes: [1-9]\d* 2xx, 0 3xx, 0 4xx, 0 5xx",
                             text), text  # fmt: skip

    kill = end


def missing(*tools: str) -> str:
    """Which of them are not installed; "" if all are."""
    return " ".join(name for name in tools if shutil.which(name) is None)
