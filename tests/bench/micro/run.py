#!/usr/bin/python3
"""run - counts the instructions of one operation, where time is too noisy.

    tests/bench/micro/run.py [NAME...] [--write]

Each program micro_<name> of tests/bench/micro is run under callgrind with two
counts of operations; the difference, divided, is the cost of one, without the
start. The figures are compared with baseline.json: more than 3 % over it fails.
--write lowers the baseline (or adds what is new); it never raises it, which is
done by hand, with a reason in the commit.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
BUILD = Path(os.environ.get("PERILUNE_BUILD", TOP / "build-bench"))
BASELINE = HERE / "baseline.json"
FEW, MANY = 1000, 11000
TOLERANCE = 1.03


def instructions(program: Path, count: int) -> int:
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*words, str(program), str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"micro: {program.name}: {done.stderr[-800:]}")
    return int(found.group(1))


def cost(program: Path) -> float:
    few, many = (instructions(program, n) for n in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def verdict(got: float, known: float | None) -> str:
    if known is None:
        return "new: keep it with --write"
    if got > known * TOLERANCE:
        return "MORE"
    return "less: keep it with --write" if got * TOLERANCE < known else "same"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    programs = sorted(
        path
        for path in BUILD.glob("tests/bench/micro/micro_*")
        if path.is_file() and os.access(path, os.X_OK)
    )
    print("\ninstructions an operation (callgrind), and the baseline")
    good = True
    for program in programs:
        name = program.name.removeprefix("micro_")
        if options.names and name not in options.names:
            continue
        got, before = cost(program), known.get(name)
        says = verdict(got, before)
        good = good and says != "MORE"
        baseline = "-" if before is None else f"{before:.1f}"
        print(f"  {name:<20}{got:10.1f}{baseline:>10}  {says}", flush=True)
        if options.write and (before is None or got < before):
            known[name] = round(got, 1)
    if options.write:
        BASELINE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
