#!/usr/bin/python3
"""run - `make bench-reload`: what reloads cost those who are served meanwhile.

    tests/bench/reload/run.py [--reloads N] [--rate N] [--saves N] [--write]

perilune has a site of 1 MiB of Lua, nginx a file of two answers. Each has one
worker, pinned to CPU 0 with all that belongs to it; wrk asks on 64 connections
from CPU 1, first in peace, then while the server is reloaded N times, `rate`
times a second. As root both go before all other processes of the machine.

Then the site is saved N times, with nobody else around: how long until the
first answer of the new version?

Exits with 1 if perilune misses one of its budgets (DESIGN, 12).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGINT

HERE = Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent), str(TESTS)]

import page  # noqa: E402
from load import Failed, Load, wrk_errors, wrk_words  # noqa: E402
from reloaded import Nginx, Perilune, Reloaded, can_watch, first  # noqa: E402
from servers import LOAD_CPU  # noqa: E402

CONNECTIONS = 64
WARM_UP = 20  # reloads, after which memory is what it is
SETTLE_S = 20  # for the last generations to go
FOREVER_S = 36_000


# ---- one server under load ----


@dataclass
class Phase:
    """What wrk saw while something went on, or nothing."""

    requests: int
    failed: int
    p99_ms: float
    seconds: float
    long_turns: int | None = None  # of 4.2 ms and more


@dataclass
class Row:
    name: str
    calm: Phase
    busy: Phase
    reloads: int
    rate: float  # reloads a second that there were
    start_mib: float
    max_mib: float
    end_mib: float
    turn_ms: float | None
    waits_ms: list[float] = field(default_factory=list)  # to a new version


class Wrk:
    """At work until it is asked."""

    def __init__(self, server: Reloaded):
        self.server, self.long_turns = server, server.long_turns()
        words = wrk_words(Load(connections=CONNECTIONS), server.server.base,
                          FOREVER_S)  # fmt: skip
        self.process = subprocess.Popen(
            first("taskset", "-c", LOAD_CPU, *words),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def stop(self) -> Phase:
        self.process.send_signal(SIGINT)
        out, _ = self.process.communicate(timeout=60)
        answers, errors = wrk_errors(out)
        long_turns = self.server.long_turns()
        if long_turns is not None:
            long_turns -= self.long_turns
        return Phase(answers.requests, sum(errors.values()),
                     answers.p99 / 1e3, answers.seconds,
                     long_turns)  # fmt: skip


class Memory:
    """Looks at a server's memory all the time."""

    def __init__(self, server: Reloaded):
        self.server, self.most = server, 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        while not self.over.wait(0.1):
            self.most = max(self.most, self.server.resident())

    def stop(self) -> float:
        self.over.set()
        self.thread.join()
        return self.most


def reload_often(server: Reloaded, count: int, rate: float, most_s: float):
    """So many times, or as often as it goes; how long each took, in ms."""
    waits, began = [], time.monotonic()
    while len(waits) < count and time.monotonic() < began + most_s:
        time.sleep(max(0, began + len(waits) / rate - time.monotonic()))
        waits.append(server.reload() * 1e3)
    return waits


def settled(server: Reloaded, limit: float) -> float:
    """Its memory when what was replaced has gone."""
    end = time.monotonic() + SETTLE_S
    while server.resident() > limit and time.monotonic() < end:
        time.sleep(0.2)
    return server.resident()


def endure(server: Reloaded, options: argparse.Namespace) -> Row:
    reload_often(server, WARM_UP, options.rate, SETTLE_S)
    wrk = Wrk(server)
    time.sleep(options.calm)
    calm = wrk.stop()
    start = settled(server, 0)
    memory, wrk = Memory(server), Wrk(server)
    began = time.monotonic()
    waits = reload_often(server, options.reloads, options.rate,
                         1.5 * options.reloads / options.rate)  # fmt: skip
    took = time.monotonic() - began
    busy = wrk.stop()
    most = memory.stop()
    end = settled(server, start * 1.05)
    return Row(server.name, calm, busy, len(waits), len(waits) / took, start,
               max(most, end), end, server.longest_turn(), waits)  # fmt: skip


# ---- what must hold ----


@dataclass
class Budget:
    what: str
    value: float
    limit: float
    unit: str

    @property
    def kept(self) -> bool:
        return self.value <= self.limit


def judge(row: Row, asked: int, saves: list[float]) -> list[Budget]:
    return [
        Budget("reloads that were not done", asked - row.reloads, 0, ""),
        Budget("failed requests", row.busy.failed, 0, ""),
        Budget("p99 with reloads / without", row.busy.p99_ms / row.calm.p99_ms,
               2, "times"),
        Budget("memory after the last one / before the first",
               row.end_mib / row.start_mib, 1.05, "times"),
        Budget("longest turn of a loop", row.turn_ms, 5, "ms"),
        Budget("save to first new response, median",
               statistics.median(saves), 50, "ms"),
    ]  # fmt: skip


# ---- the command ----


def inside(make, work):
    """What work gives for a server in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="reload-") as name:
        server = make(Path(name))
        try:
            return work(server)
        finally:
            server.stop()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=5, help="a second")
    parser.add_argument("--saves", type=int, default=100)
    parser.add_argument("--calm", type=float, default=60,
                        help="seconds of load without reloads")
    parser.add_argument("--write", action="store_true",
                        help=f"write {page.PAGE.name}")
    return parser.parse_args()  # fmt: skip


def main() -> int:
    options = parse()
    options.load = os.getloadavg()[0]
    if (os.cpu_count() or 1) < 2:
        print("bench-reload: one processor: server and load share it")
    watch = can_watch()
    try:
        rows = [inside(make, lambda server: endure(server, options))
                for make in (Perilune, Nginx)]  # fmt: skip
        saves = inside(
            lambda folder: Perilune(folder, watch),
            lambda server: reload_often(server, options.saves, 5, 600),
        )
    except (Failed, OSError) as failure:
        print(f"bench-reload: {failure}")
        return 1
    budgets = judge(rows[0], options.reloads, saves)
    text = page.tables(rows, saves, watch, budgets)
    print(text)
    if options.write:
        page.write(text, [asdict(row) for row in rows], saves, options)
    return 0 if all(budget.kept for budget in budgets) else 1


if __name__ == "__main__":
    sys.exit(main())
