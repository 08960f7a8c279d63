"""The lip-sync scores as one image: the numbers, the curve over offsets, the curve over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..media.charts import THEMES, Panel, Picture, finite_range, tiles
from .sync import FPS, SyncReport

WIDTH, HEIGHT = 960, 640


def sync_picture(measured: SyncReport, theme: str = "dark") -> NDArray[np.float32]:
    """[640, 960, 3] in 0..1.

    Args:
        measured: what to show.
        theme: "dark" or "light".
    """
    colours, score = THEMES[theme], measured.score
    sheet = Picture(WIDTH, HEIGHT, colours)
    right = colours.good if measured.sure and score.offset == 0 else colours.bad
    sheet.text(24, 20, measured.headline(), 24, right)
    sheet.text(
        24, 54, f"Measured by {measured.network}; compare only scores of the same SyncNet.", 13, colours.muted
    )
    offset = f"{score.offset:+d}" if score.offset else "0"
    numbers = (
        ("confidence", f"{score.confidence:.2f}"),
        ("distance", f"{score.distance:.2f}"),
        ("offset, frames", offset),
    )
    tiles(sheet, numbers, WIDTH - 24)

    shifts = len(score.mean_distances) // 2
    offsets = [float(shifts - k) for k in range(2 * shifts + 1)]
    means = score.mean_distances.tolist()
    curve = Panel(
        sheet,
        (24, 90, WIDTH - 24, 352),
        "Distance of lips and audio at every offset",
        (-shifts, shifts),
        finite_range(means, 0.12),
        "offset in frames of 1/25 s      < audio late      audio early >",
    )
    curve.curve(offsets, means, colours.line)
    curve.mark(score.offset, score.distance, offset, right)

    seconds = [(k + 0.5) / FPS for k in range(len(score.framewise))]
    fit = score.framewise.tolist()
    low, high = finite_range([*fit, 0.0])
    over_time = Panel(
        sheet,
        (24, 364, WIDTH - 24, HEIGHT - 20),
        f"Lip sync over time at offset {offset}      (0: no better than any other offset)",
        (0, max(seconds[-1], 1 / FPS)),
        (low, high),
        "seconds",
    )
    over_time.curve(seconds, fit, colours.good, fill_to=max(0.0, low))
    # What lies below zero is drawn once more, in the colour of warning.
    over_time.curve(seconds, [v if v <= 0 else np.nan for v in fit], colours.bad, fill_to=max(0.0, low))
    return sheet.pixels()
