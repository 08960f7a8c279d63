"""One self-contained HTML page of an evaluation: totals, every clip, the worst of them, what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ..metrics.intervals import Interval
from ..metrics.sync import FPS
from .clip import ClipResult
from .columns import METRICS, Metric
from .results import Evaluation, values_of, worst_clips

_STYLE = """
:root { --paper: #f6f7fa; --panel: #fff; --ink: #1c202c; --muted: #687084; --grid: #e2e5ed;
  --line: #2268cd; --bad: #cc4a24 }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14161d; --panel: #1d202a; --ink: #e8ebf3; --muted: #939aac; --grid: #303442;
    --line: #70b2ff; --bad: #ff8e6e }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1100px; padding: 32px 20px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 26px; margin: 0 }
h2 { font-size: 18px; margin: 36px 0 12px }
p, li, .muted { color: var(--muted) }
section { background: var(--panel); border-radius: 12px; padding: 16px 20px; overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap }
th:first-child, td:first-child { text-align: left }
th { color: var(--muted); font-weight: 500 }
img { border-radius: 8px; max-width: 100%; display: block }
.clip { margin-bottom: 22px }
svg { max-width: 100% }
svg text { fill: var(--muted); font: 11px system-ui, sans-serif }
"""
_ARROWS = {1: " ↑", -1: " ↓", 0: ""}


def html_page(evaluation: Evaluation, title: str) -> str:
    """The page as text; pictures and curves are inside it."""
    metrics = evaluation.metrics()
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(evaluation.clips)} clips. Intervals are 95 % over clips. Sync scores compare only within "
        f"one network; offsets are frames of 1/{FPS} s by which the sound is early, and their sizes in the "
        "totals.</p>",
        "<h2>In total</h2>",
        f"<section>{_totals(evaluation, metrics)}{_sets(evaluation)}</section>",
        *_not_scored(evaluation),
        "<h2>Clips to look at first</h2>",
        f"<section>{''.join(map(_worst, worst_clips(evaluation)))}</section>",
        "<h2>Every clip</h2>",
        f"<section>{_table(evaluation.clips, metrics)}</section>",
        "<h2>Not computed</h2>",
        f"<section><ul>{_missing(evaluation)}</ul></section>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def _sets(evaluation: Evaluation) -> str:
    return "".join(
        f"<p><b>{escape(found.title)} ↓ {found.value:.3f}</b> by {escape(found.network)}, from "
        f"{found.generated} generated and {found.reference} true features</p>"
        for found in evaluation.sets
    )


def _not_scored(evaluation: Evaluation) -> list[str]:
    """A section of its own, since the totals are not those of all clips."""
    clips = evaluation.not_scored()
    if not clips:
        return []
    items = "".join(f"<li><b>{escape(clip.name)}</b> {escape(clip.problem)}</li>" for clip in clips)
    return [
        f"<h2>Not scored: {len(clips)} of {len(evaluation.clips)}</h2><section><ul>{items}</ul></section>"
    ]


def _totals(evaluation: Evaluation, metrics: Sequence[Metric]) -> str:
    rows = []
    for metric in metrics:
        interval = evaluation.totals[metric.key]
        values = values_of(evaluation.clips, metric)
        rows.append(
            f"<tr><td>{escape(metric.title)}{_ARROWS[metric.better]}</td><td>{interval.mean:.{metric.digits}f}</td>"
            f"<td>{_reach(interval, metric.digits)}</td><td>{interval.count}</td>"
            f"<td>{_strip_plot(values, interval)}</td></tr>"
        )
    head = "<tr><th>metric</th><th>mean</th><th>95 %</th><th>clips</th><th>each clip a dot</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _reach(interval: Interval, digits: int) -> str:
    if not math.isfinite(interval.half_width):
        return "one clip"
    return f"{interval.low:.{digits}f} … {interval.high:.{digits}f}"


def _strip_plot(values: Sequence[float], interval: Interval) -> str:
    """Clips as dots on a line, the interval of the mean as a bar."""
    width, height, edge = 300, 26, 8
    shown = [*values, *(end for end in (interval.low, interval.high) if math.isfinite(end))]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return edge + (value - low) / span * (width - 2 * edge)

    bar = ""
    if math.isfinite(interval.half_width):
        a, b = x(interval.low), x(interval.high)
        bar = (
            f'<rect x="{a:.1f}" y="8" width="{max(2.0, b - a):.1f}" height="10" rx="3" fill="var(--line)" '
            'opacity=".25"/>'
        )
    dots = "".join(
        f'<circle cx="{x(value):.1f}" cy="13" r="3" fill="var(--line)" opacity=".6"/>' for value in values
    )
    return (
        f'<svg width="{width}" height="{height}" role="img"><line x1="{edge}" x2="{width - edge}" y1="13" '
        f'y2="13" stroke="var(--grid)"/>{bar}{dots}</svg>'
    )


def _worst(clip: ClipResult) -> str:
    scores = ", ".join(
        f"{escape(metric.title)} {clip.scores[metric.key]:.{metric.digits}f}"
        for metric in METRICS
        if metric.key in clip.scores
    )
    picture = (
        f'<img alt="frames of {escape(clip.name)}" src="data:image/jpeg;base64,{clip.strip}">'
        if clip.strip
        else ""
    )
    notes = "".join(f'<div class="muted">{escape(note)}</div>' for note in clip.notes)
    name = f'<b>{escape(clip.name)}</b> <span class="muted">{scores}</span>'
    return f'<div class="clip">{name}{picture}{_curve(clip)}{notes}</div>'


def _curve(clip: ClipResult) -> str:
    """Mean distance at every offset, late sound at the left, as in the nodes."""
    values = clip.curve[::-1]
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    width, height, edge = 620, 110, 24
    low, high, shifts = min(finite), max(finite), len(values) // 2
    span = (high - low) or 1.0
    points = [
        (edge + k / (len(values) - 1) * (width - 2 * edge), 10 + (high - value) / span * (height - 40))
        for k, value in enumerate(values)
        if math.isfinite(value)
    ]
    best = min(range(len(finite)), key=finite.__getitem__)
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    ticks = "".join(
        f'<text x="{edge + (o + shifts) / (2 * shifts) * (width - 2 * edge):.1f}" y="{height - 6}" '
        f'text-anchor="middle">{f"{o:+d}" if o else 0}</text>'
        for o in range(-shifts, shifts + 1, 5)
    )
    return (
        f'<svg width="{width}" height="{height}" role="img"><polyline points="{path}" fill="none" '
        f'stroke="var(--line)" stroke-width="2"/><circle cx="{points[best][0]:.1f}" '
        f'cy="{points[best][1]:.1f}" r="4" fill="var(--bad)"/>{ticks}</svg>'
    )


def _table(clips: Sequence[ClipResult], metrics: Sequence[Metric]) -> str:
    head = "".join(f"<th>{escape(metric.title)}{_ARROWS[metric.better]}</th>" for metric in metrics)
    rows = []
    for clip in clips:
        cells = "".join(
            f"<td>{clip.scores[m.key]:.{m.digits}f}</td>" if m.key in clip.scores else "<td>–</td>"
            for m in metrics
        )
        rows.append(f"<tr><td>{escape(clip.name)}</td>{cells}</tr>")
    return f"<table><tr><th>clip</th>{head}</tr>{''.join(rows)}</table>"


def _missing(evaluation: Evaluation) -> str:
    return "".join(
        f"<li><b>{escape(title)}</b> not computed: {escape(reason)}</li>"
        for title, reason in evaluation.missing.items()
    )
