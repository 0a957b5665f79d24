#!/usr/bin/python3
"""run - `make bench`: perilune beside its peers, and its budgets.

    tests/bench/run.py [--quick] [--only WORD] [--peer NAME] [--rounds N]
                       [--write] [--render] [--list]

One server at a time is loaded: pinned to CPU 0, the load generator to CPU 1.
The servers of a scenario take turns, each round in the reverse order of the
last (ABBA); a ratio is the median of the ratios of the rounds, and its noise
that of the rounds. A budget is missed if the figure is over it by more than
the noise. Exits with 1 if one is missed or could not be measured.

--only and --peer (both may be repeated) measure a part and judge only what
they measured. --write puts tables and charts into docs/performance; --render
makes them anew from the figures there. The figures of the last run are always
in tests/bench/results/last.json.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import budgets  # noqa: E402
import machine  # noqa: E402
import publish  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
from bench import Bench, Plan  # noqa: E402
from scenarios import QUICK, SCENARIOS  # noqa: E402
from single import IDLE, Single  # noqa: E402
from subjects import FLOOR, OURS, SUBJECTS, VARIANTS, Stable  # noqa: E402

LAST = Path(__file__).with_name("results") / "last.json"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="in 5 minutes")
    parser.add_argument("--only", action="append", metavar="SCENARIO",
                        help="those whose name has this word")
    parser.add_argument("--peer", action="append", metavar="NAME",
                        help="perilune, the floor and this one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true",
                        help="tables and charts into docs/performance")
    parser.add_argument("--render", action="store_true",
                        help="only the tables and charts, anew")
    parser.add_argument("--list", action="store_true",
                        help="scenarios and servers")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    if options.write and (options.quick or options.only or options.peer):
        parser.error("--write: only with all that there is to measure")
    unknown = set(options.peer or ()) - set(SUBJECTS)
    if unknown:
        parser.error(f"--peer: one of {', '.join(SUBJECTS)}")
    return options  # fmt: skip


def plan_of(options: argparse.Namespace) -> Plan:
    """Ten pairs for what is compared closely, five in a hurry."""

    def wanted(name: str) -> bool:
        if options.peer:
            return name in (*OURS, FLOOR, *options.peer)
        return not options.quick or name in QUICK

    if options.quick:
        return Plan(options.rounds, 5, 1, wanted, calls=False)
    return Plan(options.rounds, max(10, options.rounds), 2, wanted)


def asked(options: argparse.Namespace, key: str) -> bool:
    return any(word in key for word in options.only or [""])


def prepare():
    """As many descriptors as 10 000 connections need; two processors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < IDLE + 1000:
        print(f"bench: only {hard} descriptors: no {IDLE} connections")
    if (os.cpu_count() or 1) < 2:
        print("bench: one processor: server and load share it", flush=True)
        servers.LOAD_CPU = servers.SERVER_CPU


def carry_out(bench: Bench, options: argparse.Namespace):
    for scenario in SCENARIOS:
        in_time = scenario.quick or not options.quick or options.only
        if in_time and asked(options, scenario.key):
            if bench.scenario(scenario):
                report.print_scenario(bench.results, scenario)
    single = Single(bench)
    if asked(options, "servers"):
        names = [
            n for n in SUBJECTS if n not in VARIANTS and bench.plan.wanted(n)
        ]
        single.tables(names)
        report.print_tables(bench.results)
    if asked(options, "websocket"):
        single.websockets()
        report.print_websockets(bench.results)
    if asked(options, "perilune"):
        single.budgets()


def list_all():
    for scenario in SCENARIOS:
        print(f"{scenario.key:<14} {', '.join(scenario.names)}")
    print("servers        idle connections and start of each")
    print("websocket      echo, one to 10 000, idle sockets")
    print("perilune       what budgets ask of perilune alone")


def render():
    results, here = publish.read(publish.FOLDER / "results.json")
    publish.write(results, here, budgets.judge(results)[0])


def main() -> int:
    options = parse()
    if options.list:
        list_all()
        return 0
    if options.render:
        render()
        return 0
    prepare()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Stable(Path(folder)), plan_of(options))
        carry_out(bench, options)
    rows, good = budgets.judge(bench.results)
    if options.only or options.peer:
        rows = [row for row in rows if "value" in row]
        good = bool(rows or bench.results.runs) and all(
            row["verdict"].startswith("kept") for row in rows
        )
    report.print_budgets(rows, bench.results.notes)
    print(f"\n{report.standing(bench.results, SCENARIOS)}")
    print(report.disturbance(bench.results) or "The machine was quiet.")
    here = machine.describe()
    publish.keep(bench.results, here, LAST)
    if options.write:
        publish.write(bench.results, here, rows)
    print(f"{(time.monotonic() - began) / 60:.1f} minutes; {LAST}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
