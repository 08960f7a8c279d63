"""The curves of a training log, drawn small: one panel for each column that changes."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from ..media.charts import THEMES, Panel, Picture, finite_range
from ..media.images import write_png

COLUMNS, WIDTH, HEIGHT, GAP = 3, 380, 240, 12


def read_log(path: Path) -> dict[str, list[float]]:
    """The columns of a log by name; what is no number is NaN."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else {})}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def draw_curves(log: Path, out: Path) -> None:
    """Draw every column of the CSV `log` over its `step`. Nothing is drawn from fewer than two rows."""
    columns = read_log(log) if log.exists() else {}
    steps = columns.pop("step", [])
    shown = [(name, values) for name, values in columns.items() if name != "minutes"]
    if len(steps) < 2 or not shown:
        return
    rows = -(-len(shown) // COLUMNS)
    wide = min(COLUMNS, len(shown))
    picture = Picture(wide * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP, THEMES["light"])
    for place, (name, values) in enumerate(shown):
        row, column = divmod(place, COLUMNS)
        left, top = GAP + column * (WIDTH + GAP), GAP + row * (HEIGHT + GAP)
        box = (left, top, left + WIDTH, top + HEIGHT)
        panel = Panel(picture, box, name, (steps[0], steps[-1]), finite_range(values), "step")
        panel.curve(steps, values, picture.theme.line)
    write_png(out, (picture.pixels() * 255).round().astype("uint8"))
