"""report - tables of results, for the terminal and for docs/performance."""

import statistics
from pathlib import Path

from bench import Results
from scenarios import Scenario
from subjects import FLOOR, OURS

DISTURBED = 0.05  # of a processor, by others: from here on it is said
COLUMNS = [
    ("server", "<20"), ("CPU µs", ">8"), ("±", ">7"), ("user", ">7"),
    ("system", ">8"), ("/ floor", ">8"), ("calls", ">7"), ("req/s", ">10"),
    ("p50 µs", ">9"), ("p99 µs", ">11"), ("dev. µs", ">9"), ("MiB", ">7"),
    ("CPU %", ">6"), ("others %", ">9"),
]  # fmt: skip


def show(value, digits: int = 2) -> str:
    if value is None:
        return "-"
    return f"{value:,.{digits}f}".replace(",", " ")


def row_of(results: Results, key: str, name: str) -> list[str]:
    def middle(of: str):
        return results.middle(key, name, of)

    total, noise = results.value(key, name)
    over = None
    if FLOOR in results.runs[key] and name != FLOOR:
        over = results.ratio(key, name, FLOOR)[0]
    calls = results.calls.get(key, {}).get(name)
    return [
        name, show(total), show(noise), show(middle("user")),
        show(middle("system")), show(over), show(calls and calls["total"]),
        show(middle("rate"), 0), show(middle("p50"), 0),
        show(middle("p99"), 0), show(middle("deviation"), 0),
        show(middle("peak_kib") / 1024, 1), show(middle("share") * 100, 0),
        show(middle("others") * 100, 0),
    ]  # fmt: skip


def ranked(results: Results, key: str) -> list[str]:
    """The floor first, then by CPU time."""
    names = results.runs.get(key, {})
    return sorted(
        names, key=lambda name: (name != FLOOR, results.value(key, name)[0])
    )


def rows(results: Results, key: str) -> list[list[str]]:
    return [row_of(results, key, name) for name in ranked(results, key)]


def line(cells: list[str]) -> str:
    return "  " + "".join(
        f"{cell:{align}}" for cell, (_, align) in zip(cells, COLUMNS)
    )


def print_scenario(results: Results, scenario: Scenario):
    print(f"\n{scenario.key}: {scenario.title}")
    print(line([title for title, _ in COLUMNS]))
    for row in rows(results, scenario.key):
        print(line(row), flush=True)


def print_tables(results: Results):
    idle, start = (results.tables.get(k, {}) for k in ("idle", "start"))
    print("\n10 000 idle connections, and start to the first byte")
    print(f"  {'server':<16}{'bytes each':>12}{'MiB':>8}{'start ms':>10}")
    for name in dict.fromkeys([*idle, *start]):
        of, began = idle.get(name, {}), start.get(name, {})
        print(f"  {name:<16}{show(of.get('bytes'), 0):>12}"
              f"{show(of.get('full_mib'), 1):>8}"
              f"{show(began.get('ms'), 1):>10}")  # fmt: skip


WEBSOCKETS = ["server", "echo/s", "CPU µs", "to 10 000, /s", "CPU µs",
              "idle, bytes"]  # fmt: skip


def websocket_row(name: str, found: dict) -> list[str]:
    echo, spread = (found.get(k, (None, None)) for k in ("echo", "spread"))
    return [name, show(echo[0], 0), show(echo[1]), show(spread[0], 0),
            show(spread[1]), show(found.get("idle"), 0)]  # fmt: skip


def websocket_lines(table: dict) -> list[str]:
    rows = [websocket_row(name, found) for name, found in table.items()]
    return [
        "  " + f"{cells[0]:<20}" + "".join(f"{c:>15}" for c in cells[1:])
        for cells in [WEBSOCKETS, *rows]
    ]


def print_websockets(results: Results):
    print("\nWebSockets: messages a second, and of each the CPU time")
    for line in websocket_lines(results.tables["websocket"]):
        print(line, flush=True)


def websocket_text(results: Results) -> str:
    table_of = results.tables.get("websocket", {})
    lines = [strong(websocket_row(*each)) for each in table_of.items()]
    return table(WEBSOCKETS, lines) if lines else "Not measured."


def print_budgets(judged: list[dict], notes: list[str]):
    print("\nbudgets")
    for row in judged:
        value = "-"
        if "value" in row:
            value = f"{row['value']:.2f} ± {row['noise']:.2f}"
        limit = f"<= {row['limit']:g} {row['unit']}"
        print(f"  {row['what']:<38}{value:>18}  {limit:<13} {row['verdict']}")
    for note in dict.fromkeys(notes):
        print(f"  note: {note}")


def disturbance(results: Results) -> str | None:
    """What to say of a machine that was not quiet."""
    shares = [
        run.others
        for servers in results.runs.values()
        for runs in servers.values()
        for run in runs
    ]
    middle = statistics.median(shares) if shares else 0
    if middle <= DISTURBED:
        return None
    return (
        f"The machine was not quiet: others took {middle * 100:.0f} % of the "
        "servers' processor (median of the runs)."
    )


# ---- markdown ----


def table(titles: list[str], lines: list[list[str]]) -> str:
    marks = ["---"] + ["---:"] * (len(titles) - 1)
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [titles, marks, *lines]
    )


def strong(row: list[str]) -> list[str]:
    return [f"**{row[0]}**", *row[1:]] if row[0] in OURS else row


def scenario_text(results: Results, scenario: Scenario, chart: str) -> str:
    titles = [title for title, _ in COLUMNS]
    lines = [strong(row) for row in rows(results, scenario.key)]
    parts = [f"### {scenario.title}", chart, table(titles, lines)]
    counted = results.calls.get(scenario.key, {})
    told = [
        f"- {name}: "
        + ", ".join(f"{call} {n:g}" for call, n in calls["names"].items())
        for name, calls in counted.items()
    ]
    if told:
        parts.append("System calls a request:\n\n" + "\n".join(told))
    return "\n\n".join(part for part in parts if part)


def budgets_text(judged: list[dict]) -> str:
    lines = []
    for row in judged:
        value = "-"
        if "value" in row:
            value = f"{show(row['value'])} ± {show(row['noise'])}"
        limit = f"{row['limit']:g} {row['unit']}".strip()
        lines.append([row["what"], value, limit, row["verdict"]])
    return table(["what", "measured", "at most", "verdict"], lines)


def ahead(results: Results, key: str) -> list[str]:
    """Who takes less than the best of ours, by more than the noise of both."""
    ours = [name for name in results.runs[key] if name in OURS]
    if not ours:
        return []
    best = min(ours, key=lambda name: results.value(key, name)[0])
    found = []
    for name in results.runs[key]:
        if name in OURS or name == FLOOR:
            continue
        ratio, noise = results.ratio(key, name, best)
        if ratio + noise < 1:
            found.append(f"{name} ({ratio:.2f} of {best})")
    return found


def standing(results: Results, scenarios: list[Scenario]) -> str:
    """In which scenarios a peer takes less CPU time than perilune."""
    lines = []
    for scenario in scenarios:
        if scenario.key in results.runs:
            names = ahead(results, scenario.key)
            if names:
                lines.append(f"- {scenario.title}: {', '.join(names)}")
    if not lines:
        return "No peer takes less CPU time than perilune in any scenario."
    return "Peers that take less CPU time than perilune:\n\n" + "\n".join(lines)


def single_text(results: Results) -> str:
    idle, start = (results.tables.get(k, {}) for k in ("idle", "start"))
    lines = []
    for name in dict.fromkeys([*idle, *start]):
        of, began = idle.get(name, {}), start.get(name, {})
        cells = [name, show(of.get("bytes"), 0), show(of.get("full_mib"), 1),
                 show(began.get("ms"), 1)]  # fmt: skip
        lines.append(strong(cells))
    titles = ["server", "bytes a connection", "MiB with 10 000", "start ms"]
    return table(titles, lines)


def machine_text(machine: dict) -> str:
    lines = [
        f"Measured on {machine['date']}: {machine['processor']}, "
        f"{machine['processors']} processors, {machine['memory_gib']} GiB, "
        f"{machine['kernel']}; compiled by {machine['compiler']}.",
        table(
            ["program", "version"],
            [[name, text] for name, text in machine["versions"].items()],
        ),
    ]
    return "\n\n".join(lines)


def page(results, machine, judged, scenarios, charts: dict[str, Path]) -> str:
    """docs/performance/results.md."""
    parts = [
        "# Results",
        "Written by `make bench WRITE=1`. [How to read them](README.md).",
        machine_text(machine),
        disturbance(results) or "",
        "## Standing",
        standing(results, scenarios),
        "## Budgets",
        budgets_text(judged),
        "## Scenarios",
    ]
    for name, path in charts.items():
        if name.startswith("by-"):
            parts.append(f"![{name}]({path})")
    for scenario in scenarios:
        if scenario.key in results.runs:
            chart = charts.get(scenario.key)
            picture = f"![{scenario.title}]({chart})" if chart else ""
            parts.append(scenario_text(results, scenario, picture))
    parts += ["## WebSockets", websocket_text(results)]
    parts += ["## Idle connections and start", single_text(results)]
    if results.notes:
        notes = "\n".join(f"- {n}" for n in dict.fromkeys(results.notes))
        parts += ["## What could not be measured", notes]
    return "\n\n".join(part for part in parts if part) + "\n"
