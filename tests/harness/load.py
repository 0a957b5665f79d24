"""load - clients that ask all the time while something happens."""

import socket
import threading

from .wait import GUARD, wait_for

LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Load:
    """Clients, each request on a connection of its own. Counts what became of
    them: one that had been accepted may be cut off by a crash; nobody is
    refused, and whoever was not accepted yet is answered. The target answers
    "hello"."""

    def __init__(self, port: int, clients: int = 4):
        self.port, self.over = port, threading.Event()
        self.lock = threading.Lock()
        self.answered = self.cut = 0
        self.wrong: list[str] = []
        self.threads = [
            threading.Thread(target=self.run, daemon=True)
            for _ in range(clients)
        ]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.over.is_set():
            what = self.one()
            with self.lock:
                if what == "answered":
                    self.answered += 1
                elif what == "cut":
                    self.cut += 1
                else:
                    self.wrong.append(what)

    def one(self) -> str:
        try:
            with socket.create_connection(
                ("127.0.0.1", self.port), timeout=GUARD
            ) as wire:
                got = b""
                try:
                    wire.sendall(LAST)
                    while part := wire.recv(4096):
                        got += part
                except (ConnectionResetError, BrokenPipeError):
                    return "cut"
        except OSError as error:
            return f"{type(error).__name__}: {error}"
        if got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"hello"):
            return "answered"
        return "cut" if got == b"" else repr(got)

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
