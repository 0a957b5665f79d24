#!/usr/bin/python3
"""run - `make bench`: perilune beside its peers, and its budgets.

    tests/bench/run.py [--quick] [--only WORD] [--rounds N]

One server at a time is loaded: pinned to CPU 0, wrk to CPU 1. The servers of a
scenario take turns, each round in the reverse order of the last (ABBA), so that
a machine that gets slower does so for all of them; a ratio is the median of the
ratios of the rounds, and its noise that of the rounds. A budget is missed if
the figure is over it by more than the noise. Exits with 1 if one is missed or
could not be measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import measure  # noqa: E402
import subjects  # noqa: E402
from measure import Failed, Load, Run, spread  # noqa: E402

HERE = Path(__file__).resolve().parent
LUA, C, FLOOR, NGINX, NGINX_LUA = (
    "perilune Lua", "perilune C", "floor", "nginx", "nginx+Lua",
)  # fmt: skip


@dataclass
class Scenario:
    name: str
    subjects: dict[str, Load]  # who takes part, and what it is asked for
    floor: str | None = None  # whose answer floor gives


HELLO, ECHO = Load("/"), Load("/echo?name=moon")
FILE = "/files/file.html"

SCENARIOS = [
    Scenario(
        "hello",
        {C: HELLO, FLOOR: HELLO, LUA: ECHO, NGINX: HELLO, NGINX_LUA: ECHO},
        floor=C,
    ),
    Scenario(
        "pipelined 16",
        {C: Load("/", depth=16), LUA: Load(ECHO.target, depth=16),
         FLOOR: Load("/", depth=16)},
        floor=C,
    ),
    Scenario(
        "file, 100 connections",
        dict.fromkeys([LUA, FLOOR, NGINX], Load(FILE, 100)),
        floor=LUA,
    ),
    Scenario(
        "file, 1000 connections",
        dict.fromkeys([LUA, FLOOR, NGINX], Load(FILE, 1000)),
        floor=LUA,
    ),
    Scenario(
        "close after each",
        {C: Load("/", close=True), LUA: Load(ECHO.target, close=True),
         NGINX: Load("/", close=True)},
    ),
]  # fmt: skip


@dataclass
class Results:
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)
    figures: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def ratio(self, scenario, one, other, of="total"):
        return self._pairs(scenario, one, other, of, lambda a, b: a / b)

    def difference(self, scenario, one, other, of="total"):
        return self._pairs(scenario, one, other, of, lambda a, b: a - b)

    def value(self, scenario, one, of="total"):
        return spread([getattr(r, of) for r in self.runs[scenario, one]])

    def _pairs(self, scenario, one, other, of, combine):
        first, second = self.runs[scenario, one], self.runs[scenario, other]
        return spread(
            [combine(getattr(a, of), getattr(b, of))
             for a, b in zip(first, second)]
        )  # fmt: skip


@dataclass
class Budget:
    what: str
    limit: float
    unit: str
    figure: object  # Results -> (value, noise)


BUDGETS = [
    Budget("hello C / floor", 1.08, "x",
           lambda r: r.ratio("hello", C, FLOOR)),
    Budget("hello Lua - hello C", 0.5, "us",
           lambda r: r.difference("hello", LUA, C)),
    Budget("hello Lua / nginx+Lua, user time", 0.5, "x",
           lambda r: r.ratio("hello", LUA, NGINX_LUA, "user")),
    Budget("file / floor, 100 connections", 1.08, "x",
           lambda r: r.ratio("file, 100 connections", LUA, FLOOR)),
    Budget("file / floor, 1000 connections", 1.08, "x",
           lambda r: r.ratio("file, 1000 connections", LUA, FLOOR)),
    Budget("pipelined C", 0.8, "us",
           lambda r: r.value("pipelined 16", C)),
    Budget("pipelined Lua", 1.5, "us",
           lambda r: r.value("pipelined 16", LUA)),
    Budget("close after each: C / nginx", 1.0, "x",
           lambda r: r.ratio("close after each", C, NGINX)),
    Budget("system calls, hello C", 2.1, "",
           lambda r: r.figures["calls C"]),
    Budget("system calls, hello Lua", 2.1, "",
           lambda r: r.figures["calls Lua"]),
    Budget("idle connection", 96, "bytes", lambda r: r.figures["idle"]),
    Budget("start to first byte", 4, "ms", lambda r: r.figures["start"]),
    Budget("resident after start", 5, "MiB", lambda r: r.figures["rss"]),
    Budget("stripped program", 300, "KiB", lambda r: r.figures["size"]),
]  # fmt: skip


class Bench:
    def __init__(self, folder: Path, rounds: int, seconds: int):
        self.folder = folder
        self.rounds = rounds
        self.seconds = seconds
        self.results = Results()
        self.running: dict[str, subjects.Subject] = {}
        subjects.make_site(folder)

    # ---- servers ----

    def subject(self, name: str) -> subjects.Subject | None:
        """Started when first wanted, None if it cannot be."""
        starts = {
            LUA: lambda: subjects.start_perilune(self.folder),
            C: lambda: subjects.start_hello_c(self.folder),
            NGINX: lambda: subjects.start_nginx(self.folder),
            NGINX_LUA: lambda: subjects.start_nginx(self.folder, lua=True),
        }
        if name not in self.running:
            self.running[name] = self.attempt(name, starts[name])
        return self.running[name]

    def attempt(self, what: str, action):
        """What action gives; None, and a note, if it fails."""
        try:
            return action()
        except Failed as failure:
            self.results.notes.append(f"{what}: {failure}")
            return None

    def floor_like(self, scenario: Scenario) -> subjects.Subject | None:
        """A floor that answers as many bytes as the one it is beside."""
        model = self.subject(scenario.floor)
        target = scenario.subjects[scenario.floor].target
        if model is None:
            return None
        name = f"floor {scenario.name}"
        self.running[name] = self.attempt(
            name,
            lambda: subjects.start_floor(
                self.folder, name, subjects.response_of(model, target)
            ),
        )
        return self.running[name]

    def stop(self):
        for subject in self.running.values():
            if subject is not None:
                subject.stop()

    # ---- scenarios ----

    def scenario(self, scenario: Scenario):
        present = {}
        for name in scenario.subjects:
            floor = name == FLOOR
            found = self.floor_like(scenario) if floor else self.subject(name)
            if found is not None:
                present[name] = found
        order = list(present)
        for _ in range(self.rounds):
            for name in order:
                self.one(scenario, name, present)
            order.reverse()
        self.show(scenario, present)

    def one(self, scenario: Scenario, name: str, present: dict):
        load, subject = scenario.subjects[name], present[name]
        run = self.attempt(
            f"{scenario.name}, {name}",
            lambda: measure.measure(
                load, subject.base, subject.pid, self.seconds
            ),
        )
        if run is not None:
            key = (scenario.name, name)
            self.results.runs.setdefault(key, []).append(run)

    def show(self, scenario: Scenario, present: dict):
        print(f"\n{scenario.name}: CPU us a request (user + system), "
              "requests/s, peak MiB, ratio to the floor")
        for name, subject in present.items():
            runs = self.results.runs.get((scenario.name, name))
            if not runs:
                continue
            value = self.results.value
            total, noise = value(scenario.name, name)
            user, system, rate = (
                value(scenario.name, name, of)[0]
                for of in ("user", "system", "rate")
            )
            ratio = ""
            if (scenario.name, FLOOR) in self.results.runs:
                ratio = self.results.ratio(scenario.name, name, FLOOR)
                ratio = f"{ratio[0]:5.3f} +- {ratio[1]:.3f}"
            peak = measure.status_kib(subject.pid, "VmHWM") / 1024
            print(f"  {name:<14}{total:6.2f} +- {noise:.2f} "
                  f"({user:.2f} + {system:.2f}){rate:10.0f}{peak:7.1f}  "
                  f"{ratio}", flush=True)

    # ---- single figures ----

    def figures(self):
        self.figure("calls C", lambda: self.calls(C, HELLO))
        self.figure("calls Lua", lambda: self.calls(LUA, ECHO))
        self.figure("start", self.start)
        self.figure("rss", self.resident)
        self.figure("idle", self.idle)
        self.figure("size", self.size)

    def figure(self, key: str, action):
        got = self.attempt(key, action)
        if got is not None:
            self.results.figures[key] = got

    def need(self, name: str) -> subjects.Subject:
        subject = self.subject(name)
        if subject is None:
            raise Failed(f"no {name}")
        return subject

    def calls(self, name: str, load: Load):
        subject = self.need(name)
        count = measure.calls_per_request(
            load, subject.base, subject.pid, self.seconds
        )
        return count, 0

    def start(self):
        def once():
            port = subjects.free_port()
            words = subjects.perilune_words(port)
            return measure.start_ms(words, self.folder, port)

        return spread([once() for _ in range(11)])

    def resident(self):
        fresh = subjects.start_perilune(self.folder)
        try:
            subjects.response_of(fresh, "/")
            return measure.status_kib(fresh.pid, "VmRSS") / 1024, 0
        finally:
            fresh.stop()

    def idle(self):
        fresh = subjects.start_perilune(self.folder)
        try:
            return measure.idle_bytes(fresh.address, fresh.pid, 8000), 4
        finally:
            fresh.stop()

    def size(self):
        program = subjects.need(subjects.BUILD / "perilune")
        to = self.folder / "stripped"
        subprocess.run(["strip", "-s", "-o", to, program], check=True)
        return to.stat().st_size / 1024, 0


def judge(results: Results) -> tuple[list[dict], bool]:
    rows, good = [], True
    for budget in BUDGETS:
        row = {"what": budget.what, "limit": budget.limit}
        try:
            value, noise = budget.figure(results)
        except (KeyError, IndexError):
            row["verdict"] = "not measured"
        else:
            row.update(value=value, noise=noise)
            if value <= budget.limit:
                row["verdict"] = "kept"
            elif value - noise <= budget.limit:
                row["verdict"] = "kept, within noise"
            else:
                row["verdict"] = "MISSED"
        good = good and row["verdict"].startswith("kept")
        rows.append({**row, "unit": budget.unit})
    return rows, good


def report(rows: list[dict], notes: list[str]):
    print("\nbudgets")
    for row in rows:
        value = "-"
        if "value" in row:
            value = f"{row['value']:.2f} +- {row['noise']:.2f}"
        limit = f"<= {row['limit']} {row['unit']}"
        print(f"  {row['what']:<34}{value:>18}  {limit:<13} {row['verdict']}")
    for note in dict.fromkeys(notes):
        print(f"  note: {note}")


def keep(rows: list[dict], results: Results):
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    runs = {
        f"{scenario}: {name}": [vars(run) for run in runs]
        for (scenario, name), runs in results.runs.items()
    }
    text = json.dumps({"budgets": rows, "runs": runs}, indent=1)
    (folder / "last.json").write_text(text + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument("--only", default="", help="scenarios with this word")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        print("bench: one processor: server and load share it", flush=True)
        measure.LOAD_CPU = "0"
    rounds = options.rounds or (3 if options.quick else 12)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), rounds, 1 if options.quick else 2)
        try:
            for scenario in SCENARIOS:
                if options.only in scenario.name:
                    bench.scenario(scenario)
            if not options.only:
                bench.figures()
        finally:
            bench.stop()
    rows, good = judge(bench.results)
    report(rows, bench.results.notes)
    keep(rows, bench.results)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
