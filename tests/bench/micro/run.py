#!/usr/bin/python3
"""run - counts the instructions of one operation, where time is too noisy.

    tests/bench/micro/run.py [NAME...] [--write]

Each program micro_<name> of the build folder (build/, or PERILUNE_BUILD) is run
under callgrind with two numbers of operations; the difference, divided, is the
cost of one, without the start: instructions in user mode of the one thread that
it has. A figure that is more than 3 % over baseline.json fails.

The baseline holds for the compiler, the options, the libraries and the
processor it was made with; it names them. With others the figures are shown and
not judged. --write lowers the baseline, adds what is new and drops what is no
more; it never raises a figure, which is done by hand, with a reason in the
commit. Made with other tools, it is written anew.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
BUILD = Path(os.environ.get("PERILUNE_BUILD", TOP / "build"))
BASELINE = HERE / "baseline.json"
FEW, MANY = 1000, 5000
# Below so many instructions an operation, ten times as many operations: what
# differs from start to start (the seeds of LuaJIT) would be seen.
SMALL = 1500
TOLERANCE = 1.03
# What is executed besides our code; and valgrind, which shows it a processor.
LIBRARIES = ("libc6", "zlib1g", "valgrind")
LUAS = {"luajit": "libluajit-5.1-2", "5.4": "liblua5.4-0"}
OPTIONS = ("lua", "buildtype", "optimization", "b_lto", "b_sanitize")


# ---- what was it made with? ----


def said(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return ""


def compilers(program: Path) -> str:
    """Those that say in the program that they made parts of it."""
    comment = said("readelf", "-p", ".comment", str(program))
    return ", ".join(re.findall(r"^ +\[ *[0-9a-f]+\] +(.+)$", comment, re.M))


def made_with(program: Path) -> dict[str, str]:
    text = (BUILD / "meson-info/intro-buildoptions.json").read_text()
    options = {item["name"]: item["value"] for item in json.loads(text)}
    flags = Path("/proc/cpuinfo").read_text().split()
    # What string functions and our scanner choose by, as valgrind knows it.
    features = [name for name in ("sse4_2", "avx2", "erms") if name in flags]
    made = {
        "machine": " ".join([os.uname().machine, *features]),
        "compiler": compilers(program),
        "options": " ".join(f"{name}={options[name]}" for name in OPTIONS),
    }
    query = ("dpkg-query", "-W", "-f=${Version}")
    names = (*LIBRARIES, LUAS[options["lua"]])
    versions = {name: said(*query, name) for name in names}
    return {**made, **{name: text for name, text in versions.items() if text}}


def differences(mine: dict, theirs: dict) -> list[str]:
    return [
        f"{key}: {mine.get(key)}, the baseline's {theirs.get(key)}"
        for key in dict.fromkeys([*theirs, *mine])
        if mine.get(key) != theirs.get(key)
    ]


# ---- counting ----


def summary(report: str) -> int | None:
    found = re.search(r"^(?:summary|totals): (\d+)", report, re.MULTILINE)
    return int(found[1]) if found else None


def instructions(program: Path, count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "out"
        words = ["valgrind", "-q", "--tool=callgrind",
                 f"--callgrind-out-file={report}"]  # fmt: skip
        done = subprocess.run(
            [*words, str(program), str(count)],
            capture_output=True,
            text=True,
            check=False,
        )
        got = summary(report.read_text()) if report.exists() else None
        if done.returncode != 0 or got is None:
            raise RuntimeError(f"{program.name}: {done.stderr[-800:]}")
        return got


def cost(program: Path) -> float:
    few = instructions(program, FEW)
    got = (instructions(program, MANY) - few) / (MANY - FEW)
    if got >= SMALL:
        return got
    return (instructions(program, 10 * MANY) - few) / (10 * MANY - FEW)


def programs() -> dict[str, Path]:
    return {
        path.name.removeprefix("micro_"): path
        for path in sorted(BUILD.glob("tests/bench/micro/micro_*"))
        if path.is_file() and os.access(path, os.X_OK)
    }


# ---- judging ----


def verdict(got: float, known: float | None) -> str:
    if known is None:
        return "new: keep it with --write"
    if got > known * TOLERANCE:
        return f"MORE: {(got / known - 1) * 100:+.1f} %"
    return "less: keep it with --write" if got * TOLERANCE < known else "same"


def lowered(known: dict, counts: dict, there: set[str]) -> dict:
    """known for those that are there, with what is new or less."""
    kept = {name: count for name, count in known.items() if name in there}
    for name, count in counts.items():
        kept[name] = min(count, kept.get(name, count))
    return kept


def count_all(wanted: dict[str, Path]) -> dict[str, float]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = pool.map(cost, wanted.values())
        return {name: round(got, 1) for name, got in zip(wanted, costs)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    there = programs()
    wanted = {n: there[n] for n in there if n in (options.names or there)}
    if not wanted:
        print(f"micro: no such programs in {BUILD}")
        return 1
    mine = made_with(min(there.values()))
    try:
        counts = count_all(wanted)
    except (FileNotFoundError, RuntimeError) as error:
        print(f"micro: {error} (valgrind: tools/setup check)")
        return 1
    others = differences(mine, baseline.get("made_with", {}))
    known = {} if others else baseline["counts"]
    print("instructions an operation (callgrind), and the baseline")
    for name, got in counts.items():
        before = f"{known[name]:.1f}" if name in known else "-"
        says = "not judged" if others else verdict(got, known.get(name))
        print(f"  {name:<16}{got:10.1f}{before:>10}  {says}")
    for line in others:
        print(f"  not the baseline's {line}")
    if options.write:
        counts = lowered(known, counts, set(there))
        data = {"made_with": mine, "counts": dict(sorted(counts.items()))}
        BASELINE.write_text(json.dumps(data, indent=1) + "\n")
        return 0
    over = [name for name in known if name in counts
            and counts[name] > known[name] * TOLERANCE]  # fmt: skip
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
