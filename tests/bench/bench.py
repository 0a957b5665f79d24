"""bench - carries a scenario out: servers in turn, each run checked."""

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import backends  # noqa: F401  (they register themselves)
import load
import process
from load import Failed, Load
from scenarios import Scenario
from servers import LOAD_CPU, SERVER_CPU, Server
from stats import paired, spread, turns
from subjects import FLOOR, SUBJECTS, Stable, expected


@dataclass
class Run:
    """One run of a load generator against one server."""

    requests: int
    seconds: float
    total: float  # CPU µs a request, of the server
    user: float  # of these, in user mode
    share: float  # of its processor that the server took
    others: float  # of its processor that anything else took
    peak_kib: int
    p50: float | None = None
    p99: float | None = None
    deviation: float | None = None

    @property
    def system(self) -> float:
        return self.total - self.user

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@dataclass
class Results:
    # scenario -> server -> its runs, in their order
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)
    # scenario -> server -> system calls a request, all and by name
    calls: dict[str, dict[str, dict]] = field(default_factory=dict)
    # figures taken once: what -> (value, noise)
    figures: dict[str, tuple[float, float]] = field(default_factory=dict)
    # figures of each server: what -> server -> values
    tables: dict[str, dict[str, dict]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, scenario: str, name: str, run: Run):
        self.runs.setdefault(scenario, {}).setdefault(name, []).append(run)

    def value(self, scenario, name, of="total"):
        return spread([getattr(r, of) for r in self.runs[scenario][name]])

    def middle(self, scenario, name, of):
        values = [getattr(r, of) for r in self.runs[scenario][name]]
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None

    def ratio(self, scenario, one, other, of="total"):
        return self._paired(lambda a, b: a / b, scenario, one, other, of)

    def difference(self, scenario, one, other, of="total"):
        return self._paired(lambda a, b: a - b, scenario, one, other, of)

    def _paired(self, combine, scenario, one, other, of):
        first, second = (
            [getattr(run, of) for run in self.runs[scenario][name]]
            for name in (one, other)
        )
        return paired(combine, first, second)

    def attempt(self, what: str, action):
        """What action gives; None, and a note, if it fails."""
        try:
            return action()
        except (Failed, OSError) as failure:
            self.notes.append(f"{what}: {failure}")
            return None

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Results":
        made = cls(**data)
        made.runs = {
            scenario: {
                name: [Run(**run) for run in runs]
                for name, runs in servers.items()
            }
            for scenario, servers in made.runs.items()
        }
        return made


@dataclass
class Plan:
    rounds: int
    pairs: int  # turns of those that a scenario compares closely
    seconds: int  # of a run of weight 1
    wanted: object  # name of a server -> is it measured?
    calls: bool = True  # count system calls where a scenario asks for it


def measure(server: Server, what: Load, seconds: int) -> Run:
    process.forget_peak(server.pid)
    before = process.cpu(server.pid, SERVER_CPU)
    answers = load.run(what, server.base, seconds, LOAD_CPU)
    used = process.cpu(server.pid, SERVER_CPU).since(before)
    scale = 1e6 / answers.requests
    return Run(
        answers.requests,
        answers.seconds,
        used.total * scale,
        used.user * scale,
        used.total / answers.seconds,
        max(0.0, used.busy - used.total) / answers.seconds,
        process.status_kib(server.pid, "VmHWM"),
        answers.p50,
        answers.p99,
        answers.deviation,
    )


class Bench:
    def __init__(self, stable: Stable, plan: Plan):
        self.stable = stable
        self.plan = plan
        self.results = Results()

    def scenario(self, scenario: Scenario) -> dict[str, list[Run]]:
        """Servers are started anew for each scenario, so that what one has
        kept does not count in the next."""
        servers = self.start_all(scenario)
        length = max(1, round(self.plan.seconds * scenario.weight))
        order = turns(
            list(servers),
            self.plan.rounds,
            [name for name in scenario.close if name in servers],
            self.plan.pairs,
        )
        try:
            for name in order:
                what = self.load_of(scenario, name)
                run = self.results.attempt(
                    f"{scenario.key}, {name}",
                    lambda: measure(servers[name], what, length),
                )
                if run is not None:
                    self.results.add(scenario.key, name, run)
            if scenario.calls and self.plan.calls:
                self.count_calls(scenario, servers)
        finally:
            for server in servers.values():
                server.stop()
        return self.results.runs.get(scenario.key, {})

    def load_of(self, scenario: Scenario, name: str) -> Load:
        if name == FLOOR:
            return scenario.load
        path = SUBJECTS[name].path(scenario.load.target)
        return replace(scenario.load, target=path)

    # ---- servers ----

    def start_all(self, scenario: Scenario) -> dict[str, Server]:
        servers = {}
        for name in scenario.subjects:
            if self.plan.wanted(name):
                server = self.results.attempt(
                    f"{scenario.key}, {name}",
                    lambda: self.start(scenario, name),
                )
                if server is not None:
                    servers[name] = server
        if scenario.floor in servers and self.plan.wanted(FLOOR):
            servers = {
                FLOOR: self.start_floor(scenario, servers[scenario.floor]),
                **servers,
            }
        return servers

    def start(self, scenario: Scenario, name: str) -> Server:
        """Only one that answers what all have to answer takes part."""
        server = self.stable.start(name)
        try:
            self.check(server, self.load_of(scenario, name))
        except Failed:
            server.stop()
            raise
        return server

    def check(self, server: Server, what: Load):
        """Some listen before they can answer: they get a second."""
        want = expected(what.target, self.stable.folder)
        for _ in range(20):
            _, body = server.answer(what.target, what.post, what.close)
            if body == want:
                return
            time.sleep(0.05)
        raise Failed(f"answers {body[:80]!r} to {what.target}")

    def start_floor(self, scenario: Scenario, model: Server) -> Server:
        what = self.load_of(scenario, scenario.floor)
        head, body = model.answer(what.target, close=what.close)
        return self.stable.floor(head + body, what.close)

    # ---- system calls ----

    def count_calls(self, scenario: Scenario, servers: dict):
        """In a run of their own: perf makes each call a little dearer."""
        for name, server in servers.items():
            counted = self.results.attempt(
                f"{scenario.key}, system calls of {name}",
                lambda: perf_calls(self.load_of(scenario, name), server),
            )
            if counted is not None:
                of = self.results.calls.setdefault(scenario.key, {})
                of[name] = counted


def perf_calls(what: Load, server: Server) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "perf"
        under = process.perf_words(server.pid, report)
        answers = load.run(what, server.base, 1, LOAD_CPU, under)
        return process.read_perf(report.read_text()).per(answers.requests)
