"""page - what was measured, as tables in Markdown, and the page of it."""

import json
import statistics
from pathlib import Path

import machine
from publish import rounded
from subjects import TOP

PAGE = TOP / "docs/performance/reload.md"
FIGURES = PAGE.with_suffix(".json")

HEAD = """# Reloads: figures

Written by `make bench-reload WRITE=1`. How it is measured is told in
[tests/bench](../../tests/bench/README.md), what a reload is in
[reload.md](../reload.md).

perilune serves a site of 1 MiB of Lua in 64 modules
([pages.py](../../tests/bench/reload/pages.py)), with a supervisor, as it does
by default; nginx a file of two constant answers
([nginx-reload.conf](../../tests/bench/peers/nginx-reload.conf)), told by HUP,
as `nginx -s reload` does it. Each has one worker, on a processor of its own.
wrk asks on 64 connections that are kept. nginx closes them when it is told to
reload, also those on which a request is on its way to it: these fail.

"""


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100)[share - 1]


def line(cells) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def table(headings: list[str], rows: list[list]) -> str:
    rule = ["---"] + ["---:"] * (len(headings) - 1)
    return "\n".join(line(cells) for cells in [headings, rule, *rows])


def long_turns(phase) -> str:
    """How many a minute there were."""
    if phase.long_turns is None:
        return ""
    return f"{phase.long_turns * 60 / phase.seconds:.1f}"


def under_load(rows) -> str:
    facts = [
        ("reloads", lambda r: r.reloads),
        ("a second", lambda r: f"{r.rate:.1f}"),
        ("requests during them", lambda r: f"{r.busy.requests:,}"),
        ("of which failed", lambda r: r.busy.failed),
        ("requests a second, without reloads",
         lambda r: f"{r.calm.requests / r.calm.seconds:,.0f}"),
        ("... with them",
         lambda r: f"{r.busy.requests / r.busy.seconds:,.0f}"),
        ("p99 without reloads, ms", lambda r: f"{r.calm.p99_ms:.2f}"),
        ("... with them", lambda r: f"{r.busy.p99_ms:.2f}"),
        ("save to first new response, median, ms",
         lambda r: f"{statistics.median(r.waits_ms):.1f}"),
        ("... p99", lambda r: f"{percentile(r.waits_ms, 99):.1f}"),
        ("resident before the first, MiB", lambda r: f"{r.start_mib:.1f}"),
        ("... at most", lambda r: f"{r.max_mib:.1f}"),
        ("... after the last", lambda r: f"{r.end_mib:.1f}"),
        ("longest turn of the loop, ms",
         lambda r: "" if r.turn_ms is None else f"{r.turn_ms:.1f}"),
        ("turns of 4.2 ms and more, a minute, without reloads",
         lambda r: long_turns(r.calm)),
        ("... with them", lambda r: long_turns(r.busy)),
    ]  # fmt: skip
    return table(
        ["under load", *(row.name for row in rows)],
        [[what, *map(tell, rows)] for what, tell in facts],
    )


def tables(rows, saves: list[float], watch: bool, budgets) -> str:
    how = "`--watch`" if watch else "HUP after each save"
    judged = table(
        ["budget", "measured", "at most", ""],
        [
            [b.what, f"{b.value:.4g} {b.unit}".strip(),
             f"{b.limit:g} {b.unit}".strip(), "kept" if b.kept else "missed"]
            for b in budgets
        ],
    )  # fmt: skip
    saved = (
        f"{len(saves)} saves of the 1 MiB site, nobody else around, {how}: "
        f"median {statistics.median(saves):.1f} ms,\n"
        f"p99 {percentile(saves, 99):.1f} ms to the first answer of the new "
        "version."
    )
    return f"{under_load(rows)}\n\n{saved}\n\n{judged}\n"


def machine_text(here: dict) -> str:
    found = here["versions"]
    versions = [found.get("perilune", "perilune ?")]
    versions += [
        f"{name} {found[name]}"
        for name in ("nginx", "wrk", "LuaJIT")
        if name in found
    ]
    return (
        f"{here['date']}; {here['processor']}, {here['processors']} "
        f"processors, {here['memory_gib']} GiB;\n{here['kernel']}; "
        f"{here['compiler']}.\n" + ";\n".join(versions) + ".\n"
        f"Load of the machine before: {here['load']:.1f}. "
        "Turns are measured by the clock: what\n"
        "others, and the host of a virtual machine, take of the processor\n"
        "meanwhile counts, too. Long turns that are as frequent without\n"
        "reloads are theirs.\n"
    )


def write(text: str, rows: list[dict], saves: list[float], options):
    here = {**machine.describe(), "load": options.load}
    PAGE.write_text(HEAD + text + "\n## The machine\n\n" + machine_text(here))
    figures = {"machine": here, "asked": vars(options), "rows": rows,
               "saves_ms": saves}  # fmt: skip
    FIGURES.write_text(json.dumps(rounded(figures)) + "\n")
