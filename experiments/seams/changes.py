"""Changes from frame to frame: at seams, and at the same moments of the speech elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

FPS = 25
# Frames after which the repeated speech begins again: 4 s and a frame of silence. It shares no divisor with
# the distance of window borders, 12, so borders meet every moment of the speech; with 100 they met a quarter
# of them, livelier ones than most.
PERIOD = 101
MARKS = (750, 1500)  # 30 s, where Whisper and others with it cut, and 60 s
SECONDS = 65
BOUND = 1.15


def change(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference of neighbouring frames, in grey levels."""
    return np.abs(np.diff(frames.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))


def ratios(changes: dict[int, float], places: Iterable[int], elsewhere: Iterable[int]) -> dict[int, float]:
    """The change into each of ``places`` over the median of the changes at the same moment of the repeated
    speech, among ``elsewhere`` and other than itself; places without such a change are left out.
    """
    moments: dict[int, list[int]] = {}
    for place in elsewhere:
        moments.setdefault(place % PERIOD, []).append(place)
    found = {}
    for place in places:
        others = [other for other in moments.get(place % PERIOD, []) if other != place and other in changes]
        same = [changes[other] for other in others]
        if same:
            found[place] = changes[place] / float(np.median(same))
    return found


def ratios_around(changes: dict[int, float], places: Iterable[int], ordinary: set[int]) -> dict[int, float]:
    """The change into each of ``places`` over the median of those up to two frames away that are ordinary."""
    found = {}
    for place in places:
        near = [changes[place + d] for d in (-2, -1, 1, 2) if place + d in ordinary]
        if near:
            found[place] = changes[place] / float(np.median(near))
    return found


def within(changes: dict[int, float], reach: int) -> dict[int, float]:
    """For every frame the sum of the changes up to ``reach`` frames away, where all of them are known."""
    sums = {}
    for place in changes:
        near = [changes.get(place + d) for d in range(-reach, reach + 1)]
        if None not in near:
            sums[place] = sum(value for value in near if value is not None)
    return sums


def median_interval(values: Iterable[float]) -> tuple[float, float, float]:
    """(median, and the 95 % interval of it by resampling)."""
    array = np.array(list(values))
    draws = np.random.default_rng(0).choice(array, (4000, len(array)))
    low, high = np.percentile(np.median(draws, axis=1), [2.5, 97.5])
    return float(np.median(array)), float(low), float(high)


def over_median(changes: dict[int, float], places: list[int], ordinary: list[int]) -> list[float]:
    """The changes into ``places`` over the median of the ordinary ones: what the requirement says."""
    middle = float(np.median([changes[place] for place in ordinary]))
    return [changes[place] / middle for place in places]


def seam_table(pieces: dict[int, np.ndarray], borders: Collection[int]) -> list[str]:
    """What changes at borders, against the same moments of the speech where no border is.

    The speech repeats every 101 frames and the borders every 12, so each moment falls on a border in some
    repeats and between borders in others. A blink or a plosive is in all of them; a seam is not.
    """
    changes: dict[int, float] = {}
    for start, frames in pieces.items():
        changes |= {place: float(value) for place, value in enumerate(change(frames), start + 1)}
    ordinary = [place for place in changes if place not in borders and place not in MARKS]
    at_borders = [place for place in changes if place in borders and place not in MARKS]
    if not ordinary or not at_borders:
        return ["Too few frames so far.", ""]
    moments = {place % PERIOD for place in at_borders}
    control = ratios(changes, [place for place in ordinary if place % PERIOD in moments], ordinary)
    plain = set(ordinary)
    rows: dict[str, list[float]] = {
        "at window borders, over the median elsewhere": over_median(changes, at_borders, ordinary),
        "at window borders, over the same moments elsewhere": [
            *ratios(changes, at_borders, ordinary).values()
        ],
        "control: between borders, over the same moments": [*control.values()],
        "at window borders, over the frames around": [*ratios_around(changes, at_borders, plain).values()],
        "control: between borders, over the frames around": [
            *ratios_around(changes, ordinary, plain).values()
        ],
    }
    medians = [
        float(np.median([changes[place] for place in places])) for places in (changes, at_borders, ordinary)
    ]
    lines = [
        f"{len(changes)} changes from frame to frame. In grey levels, their median is {medians[0]:.3f}, at "
        f"window borders {medians[1]:.3f}, elsewhere {medians[2]:.3f}.",
        "",
        f"| where (criterion: {BOUND} at most) | changes | ratio, median (95 % interval) | 95th percentile |",
        "|---|---|---|---|",
    ]
    for name, found in rows.items():
        if not found:
            continue
        middle, low, high = median_interval(found)
        lines.append(
            f"| {name} | {len(found)} | {middle:.3f} ({low:.3f} to {high:.3f}) "
            f"| {np.percentile(found, 95):.2f} |"
        )
    single = list(ratios(changes, ordinary, ordinary).values())
    if single:
        lines.append(
            f"| control: any moment over itself elsewhere, larger over smaller | {len(single)} "
            f"| {np.median([max(r, 1 / r) for r in single]):.2f} "
            f"| {np.percentile([max(r, 1 / r) for r in single], 95):.2f} |"
        )
    return [*lines, *mark_rows(changes, ordinary), ""]


def mark_rows(changes: dict[int, float], ordinary: list[int]) -> list[str]:
    """Rows for 30 s and 60 s: over the median elsewhere, and over the same moment of the repeated speech."""
    rows = []
    for place in (mark for mark in MARKS if mark in changes):
        where = f"frame {place} ({place / FPS:g} s)"
        ratio = over_median(changes, [place], ordinary)[0]
        rows.append(f"| the change into {where}, over the median elsewhere | 1 | {ratio:.3f} | |")
        same = [changes[other] for other in ordinary if other % PERIOD == place % PERIOD]
        rank = sum(value < changes[place] for value in same)
        for reach, what in ((0, "the change into"), (2, "all changes within two frames of")):
            spread = within(changes, reach)
            for ratio in ratios(spread, [place] if place in spread else [], ordinary).values():
                above = f", larger than {rank} of {len(same)}" if reach == 0 else ""
                rows.append(f"| {what} {where}, over the same moment elsewhere | 1 | {ratio:.3f}{above} | |")
    return rows
