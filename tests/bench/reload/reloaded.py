"""reloaded - servers that are reloaded: perilune with 1 MiB of Lua, and nginx.

Each is saved (the new text takes the place of the old in one rename), told to
reload, and asked on a new connection until the new version answers.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pages
import process
from load import Failed
from servers import Command, Server, free_port
from subjects import BUILD, Place, built, installed

CONF = "nginx-reload.conf"
LONG_MS = 5  # what the buckets of turns make of it: 4.2 ms
GUARD = 30  # seconds until a reload is taken for lost


# Nice counts within a session only; the session has a nice of its own.
FIRST = """echo -20 2>/dev/null >/proc/self/autogroup
exec nice -n -19 "$@" """


def first(*words) -> list[str]:
    """Root may put server and load before all else that the machine does."""
    before = ["setsid", "sh", "-c", FIRST, "first"] * (os.geteuid() == 0)
    return before + [*map(str, words)]


def ask(sock: socket.socket, target: str) -> bytes:
    """The whole of a small answer; b"" if the server closes instead."""
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data or not complete(data):
        piece = sock.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def complete(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    return length is not None and len(body) >= int(length[1])


class Reloaded:
    """One server, and the version that it shall serve."""

    name: str

    def __init__(self, folder: Path):
        self.folder, self.count = folder, 0
        self.server: Server | None = None

    def start(self, command: Command):
        self.server = Server(self.name, command, self.folder)

    def save(self, version: str):
        raise NotImplementedError

    def tell(self):
        """Asks for a reload, if saving is not enough."""

    def version(self) -> str:
        """What a new connection is answered."""
        with self.server.connect() as sock:
            return ask(sock, "/version").rpartition(b"\n")[2].decode()

    def reload(self) -> float:
        """To the next version; seconds from the save to its first answer."""
        self.count += 1
        wanted = f"v{self.count}"
        self.save(wanted)
        began = time.monotonic()
        self.tell()
        while self.version() != wanted:
            if time.monotonic() > began + GUARD:
                raise Failed(f"{self.name} does not serve {wanted}: "
                             f"{self.server.said()}")  # fmt: skip
        return time.monotonic() - began

    def resident(self) -> float:
        """MiB of all its processes."""
        while True:
            try:
                return process.status_kib(self.server.pid, "VmRSS") / 1024
            except (FileNotFoundError, ProcessLookupError, AttributeError):
                pass  # one has ended meanwhile

    def longest_turn(self) -> float | None:
        """ms, since the start; None if nobody knows."""
        return None

    def long_turns(self) -> int | None:
        """Of 4.2 ms and more, since the start."""
        return None

    def stop(self):
        self.server.stop()


class Perilune(Reloaded):
    """Begins with a site of nothing: its start does not count as a turn."""

    name = "perilune"

    def __init__(self, folder: Path, watch: bool = False):
        super().__init__(folder)
        self.watch = watch
        self.bytes = pages.make_modules(folder)
        pages.save_empty(folder)
        port = free_port()
        words = [built(BUILD / "perilune"), "site.lua", "-h", "127.0.0.1",
                 "-p", port, "-c", 1, "--admin", folder / "admin"]
        words += ["--watch"] * watch
        self.start(Command(first(*words), port))

    def save(self, version: str):
        pages.save_site(self.folder, version)

    def tell(self):
        if not self.watch:
            self.server.process.send_signal(signal.SIGHUP)

    def turns(self) -> list[dict]:
        """What each worker's loop says of its turns."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.folder / "admin"))
            told = ask(sock, "/status").partition(b"\r\n\r\n")[2]
        return [worker["turns"] for worker in json.loads(told)["workers"]]

    def longest_turn(self) -> float:
        return max(turns["longest_s"] for turns in self.turns()) * 1e3

    def long_turns(self) -> int:
        return sum(count for turns in self.turns()
                   for below_ms, count in turns["lengths_ms"]
                   if below_ms > LONG_MS)  # fmt: skip


def can_watch() -> bool:
    said = subprocess.run(
        [built(BUILD / "perilune"), "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return "--watch" in said.stdout


class Nginx(Reloaded):
    """A master and one worker, as a distribution runs it: `nginx -s reload`
    is a HUP to the master."""

    name = "nginx"

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.place = Place(folder, folder, free_port())
        self.save("v0")
        words = [installed("nginx"), "-p", folder, "-c", folder / CONF]
        self.start(Command(first(*words), self.place.port))

    def save(self, version: str):
        self.place.configure(CONF, version=version)

    def tell(self):
        self.server.process.send_signal(signal.SIGHUP)
