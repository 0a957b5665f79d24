"""single - figures that are not taken under load, or only once: memory of idle
connections, start, size, malloc, system calls of a server that has no rest."""

import subprocess
import tempfile
from pathlib import Path

import load
import websocket
from bench import Bench
from idle import Crowd, Http2Crowd, idle_memory, parked_memory
from load import Failed, Load
from process import Strace, status_kib
from servers import LOAD_CPU, start_ms
from stats import spread
from subjects import (
    BUILD, C, C_TLS, ECHO, FILES, LUA, SUBJECTS, built, file_path,
)  # fmt: skip

IDLE, STARTS = 10_000, 11
FEWER = 400  # of those that take kilobytes


class Single:
    def __init__(self, bench: Bench):
        self.stable = bench.stable
        self.results = bench.results
        self.seconds = bench.plan.seconds

    def attempt(self, what: str, action):
        value = self.results.attempt(what, action)
        if value is not None:
            self.results.figures[what] = value

    def budgets(self):
        """What a budget asks of perilune alone."""
        self.attempt("size", stripped_kib)
        self.attempt("start", lambda: self.start(LUA))
        self.attempt("resident", self.resident)
        for name, what in {
            "mallocs C": (C, Load("/")),
            "mallocs file": (FILES, Load(file_path(6150))),
            "mallocs close": (C, Load("/", close=True)),
            "mallocs Lua": (LUA, Load(ECHO)),
        }.items():
            self.attempt(name, lambda: self.mallocs(*what))
        for name, what in {
            "calls C": (C, Load("/")),
            "calls Lua": (LUA, Load(ECHO)),
            "calls file": (FILES, Load(file_path(6150))),
        }.items():
            self.attempt(name, lambda: self.calls(*what))
        for name, what in {
            "idle TLS": (C_TLS, Crowd),
            "idle HTTP/2": (C, Http2Crowd),
        }.items():
            self.attempt(name, lambda: self.waiting(*what))
        for name, what in {
            "parked Lua": (LUA, IDLE),
            "parked fiber": (C, FEWER),
        }.items():
            self.attempt(name, lambda: self.parked(*what))

    def websockets(self):
        table = self.results.tables.setdefault("websocket", {})
        for name in websocket.SUBJECTS:
            table[name] = websocket.row(name, self.seconds)
            failed = table[name].pop("failed", None)
            if failed is not None:
                self.results.notes.append(f"WebSockets, {name}: {failed}")

    def tables(self, names: list[str]):
        """What is told of every server."""
        for title, action in (("idle", self.idle), ("start", self.told_start)):
            table = self.results.tables.setdefault(title, {})
            for name in names:
                row = self.results.attempt(f"{title}, {name}",
                                           lambda: action(name))
                if row is not None:
                    table[name] = row

    # ---- memory ----

    def resident(self) -> tuple[float, float]:
        server = self.stable.start(LUA)
        try:
            server.answer("/")
            return status_kib(server.pid, "VmRSS") / 1024, 0
        finally:
            server.stop()

    def idle(self, name: str) -> dict:
        server = self.stable.start(name)
        try:
            crowd = Crowd(server, SUBJECTS[name].path("/"))
            return idle_memory(crowd, IDLE)
        finally:
            server.stop()

    def waiting(self, name: str, kind) -> tuple[float, float]:
        """Bytes of each connection; resident memory grows by pages."""
        server = self.stable.start(name)
        try:
            found = idle_memory(kind(server, "/"), FEWER)
            return found["bytes"], 4096 / FEWER
        finally:
            server.stop()

    def parked(self, name: str, count: int) -> tuple[float, float]:
        server = self.stable.start(name)
        try:
            return parked_memory(server, count), 4096 / count
        finally:
            server.stop()

    # ---- start and size ----

    def start(self, name: str) -> tuple[float, float]:
        times = []
        for _ in range(STARTS):
            command, place = self.stable.command(name)
            if "--no-supervisor" in command.words:  # as users start it
                command.words.remove("--no-supervisor")
            times.append(start_ms(command, place.own))
        return spread(times)

    def told_start(self, name: str) -> dict:
        value, noise = self.start(name)
        return {"ms": value, "noise": noise}

    # ---- calls of malloc and of the kernel ----

    def mallocs(self, name: str, what: Load) -> tuple[float, float]:
        """Per request in steady state: a first run has grown what grows."""
        count = self.stable.folder / "mallocs"
        count.unlink(missing_ok=True)
        library = built(BUILD / "tests/bench/libmallocs.so")
        env = {"LD_PRELOAD": str(library), "MALLOCS": str(count)}
        server = self.stable.start(name, env)
        try:
            load.run(what, server.base, self.seconds, LOAD_CPU)
            before = read_count(count)
            answers = load.run(what, server.base, self.seconds, LOAD_CPU)
            return (read_count(count) - before) / answers.requests, 0
        finally:
            server.stop()

    def calls(self, name: str, what: Load) -> tuple[float, float]:
        """Counted by strace, which makes sure that the server has never to
        wait: a fast one which waits for a slow wrk wakes up for few events."""
        server = self.stable.start(name)
        try:
            with Strace(server.pid) as strace:
                answers = load.run(
                    what, server.base, 2 * self.seconds, LOAD_CPU
                )
            return strace.calls().total / answers.requests, 0
        finally:
            server.stop()


def read_count(path: Path) -> int:
    return int.from_bytes(path.read_bytes(), "little")


def stripped_kib() -> tuple[float, float]:
    """Of the core alone: HTTP, static files, Lua (meson -Dfeatures=)."""
    program = built(BUILD.with_name(BUILD.name + "-core") / "perilune")
    with tempfile.NamedTemporaryFile() as stripped:
        words = ["strip", "-s", "-o", stripped.name, program]
        if subprocess.run(words, check=False).returncode != 0:
            raise Failed("strip failed")
        return Path(stripped.name).stat().st_size / 1024, 0
