"""The pictures of an evaluation: curves of mouths, lags, accuracies, readings, and a sheet of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eadnet.media.charts import THEMES, Panel, Picture, finite_range
from eadnet.metrics.intervals import Interval, mean_interval, share_interval
from experiments.world.measures import MAX_LAG, Measured, expression_r
from experiments.world.takes import TakeStore

_WIDTH, _HEIGHT, _GAP = 560, 300, 14
_SHEET_CLIPS = 6


def charts(measured: Measured) -> NDArray[np.uint8]:
    """Four panels: the mouth of a middling clip, r by lag, accuracies, expression readings."""
    readings = expression_r(measured)
    tall = max(_HEIGHT, 70 + 18 * len(readings))
    picture = Picture(2 * _WIDTH + 3 * _GAP, _HEIGHT + tall + 3 * _GAP, THEMES["light"])
    right, below = _WIDTH + 2 * _GAP, _HEIGHT + 2 * _GAP
    _mouth(picture, measured, (_GAP, _GAP, _GAP + _WIDTH, _GAP + _HEIGHT))
    _lags(picture, measured, (right, _GAP, right + _WIDTH, _GAP + _HEIGHT))
    _bars(
        picture, "emotion read off the face", accuracies(measured), (_GAP, below, _GAP + _WIDTH, below + tall)
    )
    rows = [(name, Interval(own, own, own, 1), best) for name, (own, best) in readings.items()]
    _bars(picture, "expression, r over clips", rows, (right, below, right + _WIDTH, below + tall))
    return (picture.pixels() * 255).round().astype(np.uint8)


def _mouth(picture: Picture, measured: Measured, box: tuple[float, float, float, float]) -> None:
    scores = measured.column("mouth")
    middle = int(np.argsort(scores)[len(scores) // 2])
    own, truth = measured.curves[middle]
    title = f"mouth opening, clip {measured.clips[middle]} (median r {scores[middle]:.2f})"
    panel = Panel(picture, box, title, (0, len(own) - 1), finite_range([own, truth]), "frame")
    panel.curve(range(len(truth)), truth.tolist(), picture.theme.muted)
    panel.curve(range(len(own)), own.tolist(), picture.theme.line)
    _legend(picture, box, (("truth", picture.theme.muted), ("generated", picture.theme.line)))


def _lags(picture: Picture, measured: Measured, box: tuple[float, float, float, float]) -> None:
    lags = list(range(-MAX_LAG, MAX_LAG + 1))
    panel = Panel(picture, box, "r with the true mouth by lag", (lags[0], lags[-1]), (-0.4, 1.0), "frames")
    for name, colour in (("mismatched", picture.theme.muted), ("own", picture.theme.line)):
        panel.curve(lags, np.stack(measured.lags[name]).mean(0).tolist(), colour)
    _legend(picture, box, (("another clip's", picture.theme.muted), ("own sound", picture.theme.line)))


def _legend(
    picture: Picture,
    box: tuple[float, float, float, float],
    entries: Sequence[tuple[str, tuple[int, int, int]]],
) -> None:
    for place, (words, colour) in enumerate(entries):
        x = box[2] - 20 - 110 * (len(entries) - place)
        picture.line([(x, box[1] + 36), (x + 18, box[1] + 36)], colour, 3)
        picture.text(x + 24, box[1] + 36, words, 12, picture.theme.muted, "lm")


def accuracies(measured: Measured) -> list[tuple[str, Interval, float]]:
    """(name, share with interval, ceiling) of the emotions, overall and by level."""
    rows = []
    for column, words, levels in (
        ("emotion", "own text", measured.levels),
        ("swapped text", "swapped text", measured.swapped_levels),
    ):
        for level in ("", "low", "medium", "high"):
            chosen = [r for r, found in zip(measured.rows, levels, strict=True) if level in ("", found)]
            if chosen:
                hits = round(sum(row[column] for row in chosen))
                ceiling = mean_interval([row[f"{column}, ceiling"] for row in chosen]).mean
                rows.append((f"{words} {level}".strip(), share_interval(hits, len(chosen)), ceiling))
    return rows


def _bars(
    picture: Picture,
    title: str,
    rows: Sequence[tuple[str, Interval, float]],
    box: tuple[float, float, float, float],
) -> None:
    """Horizontal bars from 0 to 1 with intervals; a tick marks the ceiling."""
    theme = picture.theme
    picture.box(*box, theme.panel, 10)
    picture.text(box[0] + 16, box[1] + 13, title, 15, theme.ink)
    picture.text(box[2] - 16, box[1] + 17, "tick: ceiling", 12, theme.muted, "ra")
    left, wide = box[0] + 160, box[2] - box[0] - 180
    step = min(30.0, (box[3] - box[1] - 60) / max(1, len(rows)))
    for place, (name, value, ceiling) in enumerate(rows):
        y = box[1] + 50 + step * place

        def x(share: float) -> float:
            return left + wide * min(max(share, 0.0), 1.0)

        picture.text(left - 8, y + step * 0.3, name, 12, theme.muted, "rm")
        picture.box(left, y, left + wide, y + step * 0.6, theme.grid)
        picture.box(left, y, max(left + 1, x(value.mean)), y + step * 0.6, theme.line)
        if value.high > value.low:
            picture.line([(x(value.low), y + step * 0.3), (x(value.high), y + step * 0.3)], theme.ink, 1.5)
        picture.line([(x(ceiling), y - 2), (x(ceiling), y + step * 0.6 + 2)], theme.bad, 2)


def sheet(store: TakeStore, done: Sequence[int]) -> NDArray[np.uint8]:
    """Clips behind their portrait: true frames above, generated ones below."""
    rows = []
    for index in done[:_SHEET_CLIPS]:
        portrait = store.clips.references[index, 0]
        for name in ("truth", "text"):
            rows.append(np.concatenate([portrait, *store.take(name, index)["pictures"]], 1))
    return np.concatenate(rows)
