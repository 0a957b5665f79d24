"""publish - docs/performance: the page of results, its charts, its figures."""

import json
from pathlib import Path

import chart
import report
from bench import Results
from scenarios import SCENARIOS, number
from subjects import FILE_SIZES, FLOOR, OURS, TOP

FOLDER = TOP / "docs/performance"
STEPS = (1, 8, 64, 512, 10_000)
SERIES = {
    "by-connections-c": ("hello from C", "connections", "hello", STEPS),
    "by-connections-lua": ("hello from Lua", "connections", "lua", STEPS),
    "by-size": (
        "static files",
        "bytes of the file",
        "size",
        [size for size in FILE_SIZES if size != 6150],
    ),
}


def bars_of(results: Results, key: str, title: str) -> str:
    made = [
        chart.Bar(
            name,
            (
                results.middle(key, name, "user"),
                results.middle(key, name, "system"),
            ),
            name in OURS,
        )
        for name in report.ranked(results, key)
    ]
    return chart.bars(title, "CPU µs a request", made)


def lines_of(results: Results, what, axis, prefix, steps) -> str | None:
    runs = [results.runs.get(f"{prefix}-{step}", {}) for step in steps]
    names = dict.fromkeys(name for servers in runs for name in servers)
    made = []
    for name in names:
        values = [
            results.value(f"{prefix}-{step}", name)[0] if name in of else None
            for step, of in zip(steps, runs)
        ]
        if sum(value is not None for value in values) > 1:
            dashed = name == FLOOR
            made.append(chart.Line(name, values, name in OURS, dashed))
    if not made:
        return None
    labels = [number(step) for step in steps]
    title = f"CPU time of {what}, by {axis}"
    return chart.lines(title, "CPU µs a request", labels, made)


def draw(results: Results, folder: Path) -> dict[str, str]:
    """Charts by name; gives their paths as seen from the page."""
    pictures = {
        scenario.key: bars_of(results, scenario.key, scenario.title)
        for scenario in SCENARIOS
        if scenario.key in results.runs
    }
    for name, series in SERIES.items():
        drawn = lines_of(results, *series)
        if drawn is not None:
            pictures[name] = drawn
    (folder / "charts").mkdir(parents=True, exist_ok=True)
    for old in (folder / "charts").glob("*.svg"):
        old.unlink()
    for name, drawn in pictures.items():
        (folder / f"charts/{name}.svg").write_text(drawn)
    return {name: f"charts/{name}.svg" for name in pictures}


def write(results: Results, machine: dict, judged: list, folder=FOLDER):
    charts = draw(results, folder)
    page = report.page(results, machine, judged, SCENARIOS, charts)
    (folder / "results.md").write_text(page)
    keep(results, machine, folder / "results.json")


# ---- the figures themselves ----


def keep(results: Results, machine: dict, path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"machine": machine, **results.to_json()}
    path.write_text(dumped(data, 3) + "\n")


def read(path: Path) -> tuple[Results, dict]:
    data = json.loads(path.read_text())
    machine = data.pop("machine")
    return Results.from_json(data), machine


def dumped(data, depth: int, indent: str = "") -> str:
    """JSON with one line for each value that is depth objects deep."""
    if depth == 0 or not isinstance(data, dict) or not data:
        return json.dumps(rounded(data), ensure_ascii=False)
    deeper = indent + " "
    items = [
        f"{deeper}{json.dumps(key)}: {dumped(value, depth - 1, deeper)}"
        for key, value in data.items()
    ]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"


def rounded(data):
    """No more digits than a figure can have."""
    if isinstance(data, float):
        return round(data, 4)
    if isinstance(data, dict):
        return {key: rounded(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [rounded(value) for value in data]
    return data
