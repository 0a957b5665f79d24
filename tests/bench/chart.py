"""chart - charts as SVG, readable on light and on dark pages.

Bars for one scenario, lines for what changes with the number of connections or
the size of a file. Ours stand out by colour and weight, not by colour alone.
"""

from dataclasses import dataclass
from html import escape

WIDTH, LABELS, BAR, GAP = 720, 120, 20, 8
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
STYLE = f"""
svg {{ background: #ffffff; font: 13px {FONT}; }}
text {{ fill: #24292f; }}
.soft {{ fill: #57606a; font-size: 12px; }}
.title {{ font-size: 15px; font-weight: 600; }}
.ours {{ font-weight: 600; }}
.grid {{ stroke: #d8dee4; }}
.user {{ fill: #6e7781; }} .system {{ fill: #afb8c1; }}
.ours-user {{ fill: #0a4fb0; }} .ours-system {{ fill: #4c93f0; }}
.line {{ fill: none; stroke: #8c959f; stroke-width: 1.5; }}
.ours-line {{ fill: none; stroke: #0a4fb0; stroke-width: 3; }}
.floor-line {{ stroke-dasharray: 4 4; }}
@media (prefers-color-scheme: dark) {{
svg {{ background: #0d1117; }}
text {{ fill: #e6edf3; }}
.soft {{ fill: #9198a1; }}
.grid {{ stroke: #2f353d; }}
.user {{ fill: #9198a1; }} .system {{ fill: #565d66; }}
.ours-user {{ fill: #8cc2ff; }} .ours-system {{ fill: #2f6fc9; }}
.line {{ stroke: #6e7681; }}
.ours-line {{ stroke: #79b8ff; }}
}}
"""


@dataclass
class Bar:
    label: str
    parts: tuple[float, float]  # user, system
    ours: bool = False

    @property
    def total(self) -> float:
        return sum(self.parts)


@dataclass
class Line:
    label: str
    values: list[float | None]  # one for each step; None: not measured
    ours: bool = False
    dashed: bool = False


def ticks(top: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to just above top."""
    step = 1.0
    while step * wanted < top:
        step *= 10
    while step * wanted > top * 10:
        step /= 10
    for divisor in (10, 5, 4, 2):
        if step / divisor * wanted >= top:
            step /= divisor
            break
    count = 1
    while count * step < top:
        count += 1
    return [round(n * step, 10) for n in range(count + 1)]


def text(x: float, y: float, said: str, kind="", anchor="start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" '
        f'text-anchor="{anchor}">{escape(said)}</text>'
    )


def rule(x1: float, y1: float, x2: float, y2: float, kind="grid") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'class="{kind}"/>'
    )


def picture(title: str, height: float, body: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n"
    )
    lines = [text(12, 24, title, "title"), *body, "</svg>"]
    return head + "\n".join(lines) + "\n"


# ---- bars ----


def bar(at: Bar, y: float, scale: float) -> list[str]:
    prefix = "ours-" if at.ours else ""
    x, made = LABELS, []
    made.append(
        text(x - 8, y + BAR - 6, at.label, "ours" if at.ours else "", "end")
    )
    for kind, value in zip(("user", "system"), at.parts):
        made.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{value * scale:.1f}" '
            f'height="{BAR}" class="{prefix}{kind}"/>'
        )
        x += value * scale
    made.append(text(x + 6, y + BAR - 6, f"{at.total:.2f}", "soft"))
    return made


def bars(title: str, unit: str, given: list[Bar]) -> str:
    """In the order given."""
    top, marks = 56, ticks(max(at.total for at in given))
    scale = (WIDTH - LABELS - 60) / marks[-1]
    bottom = top + len(given) * (BAR + GAP)
    body = [text(12, 44, f"{unit}: in user mode, then in the kernel", "soft")]
    for mark in marks:
        x = LABELS + mark * scale
        body.append(rule(x, top - 4, x, bottom))
        body.append(text(x, bottom + 16, f"{mark:g}", "soft", "middle"))
    for number, at in enumerate(given):
        body += bar(at, top + number * (BAR + GAP), scale)
    return picture(title, bottom + 28, body)


# ---- lines ----


def spaced(wanted: list[float], distance: float) -> list[float]:
    """Places for labels, near to those wanted, none closer than distance."""
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    placed = list(wanted)
    for before, after in zip(order, order[1:]):
        placed[after] = max(placed[after], placed[before] + distance)
    return placed


def lines(title: str, unit: str, steps: list[str], given: list[Line]) -> str:
    left, right, top, height = 48, WIDTH - 130, 60, 300
    known = [v for line in given for v in line.values if v is not None]
    marks = ticks(max(known))
    bottom = top + height

    def x_of(step: int) -> float:
        return left + step * (right - left) / max(1, len(steps) - 1)

    def y_of(value: float) -> float:
        return bottom - value * height / marks[-1]

    body = [text(12, 44, unit, "soft")]
    for mark in marks:
        body.append(rule(left, y_of(mark), right, y_of(mark)))
        body.append(text(left - 6, y_of(mark) + 4, f"{mark:g}", "soft", "end"))
    for step, label in enumerate(steps):
        body.append(text(x_of(step), bottom + 20, label, "soft", "middle"))
    ends = []
    for line in sorted(given, key=lambda line: line.ours):
        points = [
            (x_of(step), y_of(value))
            for step, value in enumerate(line.values)
            if value is not None
        ]
        kind = ("ours-line" if line.ours else "line") + (
            " floor-line" if line.dashed else ""
        )
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        body.append(f'<polyline points="{path}" class="{kind}"/>')
        ends.append((line, points[-1][1]))
    for (line, _), y in zip(ends, spaced([y for _, y in ends], 15)):
        kind = "ours" if line.ours else ""
        body.append(text(right + 8, y + 4, line.label, kind))
    return picture(title, bottom + 32, body)
