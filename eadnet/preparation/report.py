"""A page about a prepared set: how much of it there is, why the rest is not, histograms, pictures."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..captions.frames import shrink
from ..errors import InputError
from ..media.reader import VideoReader
from .clip import FPS, At25
from .manifest import ACCEPTED
from .shards import SHARDS, SPLITS, read_shard, sample_of_members, write_text

REPORT = "report.html"
_PICTURES = 24  # of accepted segments
_EACH = 4  # of the rejected ones of a stage
_BARS = 24

_STYLE = """
:root { --paper: #f6f7fa; --panel: #fff; --ink: #1c202c; --muted: #687084; --grid: #e2e5ed; --good: #2268cd;
  --bad: #cc4a24 }
@media (prefers-color-scheme: dark) { :root { --paper: #14161d; --panel: #1d202a; --ink: #e8ebf3;
  --muted: #939aac; --grid: #303442; --good: #70b2ff; --bad: #ff8e6e } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1100px; padding: 32px 20px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 26px; margin: 0 } h2 { font-size: 18px; margin: 36px 0 12px }
p, figcaption { color: var(--muted) }
section { background: var(--panel); border-radius: 12px; padding: 16px 20px; overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--grid) }
th:first-child, td:first-child { text-align: left }
th:nth-child(3):last-child, td:nth-child(3):last-child { text-align: left }
th { color: var(--muted); font-weight: 500 }
.charts, .pictures { display: grid; gap: 18px 28px; grid-template-columns:
  repeat(auto-fill, minmax(300px, 1fr)) }
.pictures { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)) }
figure { margin: 0 } figure img { width: 100%; border-radius: 8px; display: block }
figcaption { font-size: 12px; overflow-wrap: anywhere }
svg text { fill: var(--muted); font: 11px system-ui, sans-serif }
"""

# Column, its title, and where the settings draw the line.
_CHARTS: tuple[tuple[str, str, Callable[[Mapping[str, Any]], float | None]], ...] = (
    ("duration_s", "seconds of a segment", lambda told: told["shortest"]),
    ("face_px", "size of the face in pixels", lambda told: told["smallest_face"]),
    ("yaw_deg", "turned by up to, degrees", lambda told: told["most_turned"]),
    ("beyond_edge", "share of the crop beyond the edge", lambda told: told["most_beyond"]),
    ("sharpness", "sharpness", lambda told: told["least_sharp"]),
    ("sync_confidence", "confidence of the sync", lambda told: told["confidence"]),
    ("sync_offset_frames", "offset of the sound in frames, + early", lambda told: None),
    ("spoken", "share of the segment that is speech", lambda told: None),
)


def write_report(
    out: Path, rows: Sequence[Mapping[str, Any]], paths: Mapping[str, Path], told: Mapping[str, Any]
) -> None:
    """Write the page of a packed set; ``paths`` are the videos by the name in the manifest."""
    accepted = [row for row in rows if row["status"] == ACCEPTED]
    rejected = [row for row in rows if row["status"] != ACCEPTED]
    hours = sum(row["duration_s"] for row in accepted) / 3600
    emotions = _table(("emotion", "segments"), _counted(accepted, "emotion"))
    parts = [
        "<h1>Prepared set</h1>",
        f"<p>{len(accepted)} segments, {_length(hours)}, of {len({row['speaker'] for row in accepted})} "
        f"speakers; {len(rejected)} rejected. Layout {escape(str(told['layout']))}, crops of "
        f"{told['resolution']} pixels.</p>",
        f"<h2>Splits</h2><section>{_splits(accepted)}</section>",
        f"<h2>Rejected, by stage</h2><section>{_stages(rejected)}</section>",
        "<h2>What was measured</h2><p>Accepted segments in blue, rejected ones in red as far as they came; "
        'the dashed line is the limit.</p><section><div class="charts">',
        *(_histogram(rows, name, title, limit(told)) for name, title, limit in _CHARTS),
        "</div></section>",
        f"<h2>Emotions</h2><section>{emotions}</section>",
        f"<h2>Accepted</h2>{_pictures(_accepted(out, accepted))}",
        f"<h2>Rejected</h2>{_pictures(_rejected(rejected, paths))}",
    ]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Prepared set</title><style>{_STYLE}</style></head>\n<body>{''.join(parts)}</body></html>\n"
    )
    write_text(out / REPORT, page)


def _length(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def _splits(accepted: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for split in SPLITS:
        own = [row for row in accepted if row["split"] == split]
        hours = sum(row["duration_s"] for row in own) / 3600
        lines.append((split, len(own), len({row["speaker"] for row in own}), _length(hours)))
    return _table(("split", "segments", "speakers", "length"), lines)


def _stages(rejected: Sequence[Mapping[str, Any]]) -> str:
    examples = {row["stage"]: row for row in reversed(rejected)}
    lines = [
        (stage, count, f"{examples[stage]['source']}: {examples[stage]['reason']}")
        for stage, count in _counted(rejected, "stage")
    ]
    return _table(("stage", "segments", "for example"), lines)


def _counted(rows: Iterable[Mapping[str, Any]], name: str) -> list[tuple[str, int]]:
    return sorted(Counter(row[name] for row in rows).items(), key=lambda item: (-item[1], item[0]))


def _table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    rows = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table><tr>{''.join(f'<th>{escape(title)}</th>' for title in head)}</tr>{rows}</table>"


def _histogram(rows: Sequence[Mapping[str, Any]], name: str, title: str, limit: float | None) -> str:
    values = [(float(row[name]), row["status"] == ACCEPTED) for row in rows if row[name] is not None]
    values = [(value, good) for value, good in values if value > 0 or name != "duration_s"]
    if not values:
        return ""
    numbers = [value for value, _ in values]
    low, high = min(numbers), max(numbers)
    if name == "sharpness":  # a few very sharp ones would push all others together
        high = float(np.quantile(numbers, 0.98)) * 1.05
    if limit is not None:
        low, high = min(low, limit), max(high, limit)
    high = high if high > low else low + 1
    edges = np.linspace(low, high, _BARS + 1)
    heights = [
        np.histogram(np.clip([v for v, good in values if good == kind], low, high), edges)[0]
        for kind in (True, False)
    ]
    most = max(1, int((heights[0] + heights[1]).max()))
    width, height, foot = 300, 120, 96
    step = width / _BARS
    bars = []
    for place in range(_BARS):
        top = float(foot)
        for counts, colour in zip(heights, ("--good", "--bad"), strict=True):
            size = counts[place] / most * (foot - 16)
            top -= size
            bars.append(
                f'<rect x="{place * step:.1f}" y="{top:.1f}" width="{step - 1:.1f}" height="{size:.1f}" '
                f'fill="var({colour})"/>'
            )
    line = ""
    if limit is not None:
        x = (limit - low) / (high - low) * width
        line = f'<path d="M{x:.1f} 10V{foot}" stroke="var(--ink)" stroke-dasharray="4 3"/>'
    return (
        f'<figure><svg viewBox="0 0 {width} {height}">{"".join(bars)}{line}'
        f'<path d="M0 {foot}H{width}" stroke="var(--grid)"/>'
        f'<text x="0" y="{foot + 14}">{low:.3g}</text>'
        f'<text x="{width}" y="{foot + 14}" text-anchor="end">{high:.3g}</text></svg>'
        f"<figcaption>{escape(title)} ({len(values)})</figcaption></figure>"
    )


def _accepted(out: Path, accepted: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for row in _spread(accepted, _PICTURES):
        shard = [other["id"] for other in accepted if other["shard"] == row["shard"]]  # in its order
        ((key, files),) = read_shard(out / SHARDS / row["shard"], [shard.index(row["id"])])
        sample = sample_of_members(key, files)
        picture = sample.frames(sample.count // 2, 1)[0]
        yield _figure(picture, f"{row['source']} {row['start_s']:.1f} s: {row['caption']}")


def _rejected(rejected: Sequence[Mapping[str, Any]], paths: Mapping[str, Path]) -> Iterable[str]:
    for stage, _ in _counted(rejected, "stage"):
        own = [row for row in rejected if row["stage"] == stage and row["frames"]]
        for row in _spread(own, _EACH):
            try:
                with VideoReader(paths[row["source"]]) as reader:
                    number = round(row["start_s"] * FPS) + row["frames"] // 2
                    picture = shrink(At25(reader).picture(number), 300)
            except (InputError, IndexError, OSError):
                continue
            yield _figure(picture, f"{row['source']} {row['start_s']:.1f} s: {row['reason']}")


def _pictures(figures: Iterable[str]) -> str:
    return f'<section><div class="pictures">{"".join(figures)}</div></section>'


def _spread(rows: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    count = min(most, len(rows))
    return [rows[int((number + 0.5) * len(rows) / count)] for number in range(count)]


def _figure(picture: np.ndarray, words: str) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(shrink(picture, 300)).save(file, "JPEG", quality=80)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<figure><img loading="lazy" src="data:image/jpeg;base64,{data}" alt="">'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )
