"""A minute of `motion`: does its mouth drift, and can one see where windows meet?

The bundled recording is said again and again, so every moment of it comes back many times: at the borders of
windows and elsewhere, at the beginning of the film and at its end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eadnet.driving.motion import MotionModel, motion_sampling, motion_track
from eadnet.media.audio import to_mono_16k
from eadnet.media.speech import SpeechInMemory
from eadnet.rendering import RenderSettings
from eadnet.rig.rig import Rig
from eadnet.rig.track import GROUPS, Track, columns
from experiments.motion.measures import Array, correlation, opening
from experiments.seams.bench import repeated_speech
from experiments.seams.changes import PERIOD, median_interval, ratios

FPS = 25
_END = 5  # times that the recording is said at either end: twenty seconds
_STILL = (
    *GROUPS["blink"],
    *GROUPS["gaze"],
    *GROUPS["head"],
)  # drawn by rule in a film: no window has borders


def film(model: MotionModel, seconds: float, seed: int = 0) -> Track:
    """What `motion` makes of the bundled recording, said for so long."""
    waveform, rate = repeated_speech(seconds)
    frames = int(seconds * FPS)
    return motion_track(
        SpeechInMemory(to_mono_16k(waveform[None], rate)),
        "happy",
        frames,
        model=model,
        settings=RenderSettings(seed=seed),
    )


def borders_of(model: MotionModel, frames: int) -> list[int]:
    """The frames at which a window begins or ends, without the film's own ends."""
    plan = motion_sampling(RenderSettings(), model.checkpoint).plan(frames)
    return [border for border in plan.borders if 0 < border < frames]


def shown(rig: Rig) -> Callable[[Track], Array]:
    """Where the 478 points of a rigged face are, [T, 478 * 2], in pixels; eyes and head at rest."""

    def points(track: Track) -> Array:
        values = track.values.clone()
        values[:, [column for name in _STILL for column in columns(name)]] = 0
        return rig.landmarks(values)[..., :2].flatten(1).double().numpy()

    return points


def seams(points: Array, borders: list[int]) -> list[str]:
    """How far the face moves into a frame, over the same moment of the recording elsewhere: at borders of
    windows, and between them.
    """
    changes = dict(enumerate(np.abs(np.diff(points, axis=0)).mean(1).tolist(), 1))
    at = [border for border in borders if border in changes]
    ordinary = [place for place in changes if place not in set(borders)]
    rows = {
        "at borders of windows": ratios(changes, at, ordinary),
        "control: between borders": ratios(changes, ordinary, ordinary),
    }
    lines = [
        "| change into a frame, over the same moment elsewhere | changes | median (95 %) | 95th percentile |"
    ]
    lines.append("|---|---:|---:|---:|")
    for name, found in rows.items():
        middle, low, high = median_interval(found.values())
        tail = np.percentile(list(found.values()), 95)
        lines.append(f"| {name} | {len(found)} | {middle:.3f} ({low:.3f} … {high:.3f}) | {tail:.2f} |")
    return lines


def drift(track: Track, other: Track) -> list[str]:
    """The mouth at the end against that at the beginning; ``other`` is the same film with another seed."""

    def said(one: Track, first: int) -> Array:
        return opening(one.values.numpy()[first : first + _END * PERIOD])

    count = len(track) // PERIOD
    start, end, control = said(track, 0), said(track, (count - _END) * PERIOD), said(other, 0)
    lines = ["| opening of the mouth | mean | spread | r with the first |", "|---|---:|---:|---:|"]
    for name, curve in (
        (f"said {_END} times at the beginning", start),
        (f"said {_END} times at the end", end),
        ("control: at the beginning, another seed", control),
    ):
        lines.append(f"| {name} | {curve.mean():.4f} | {curve.std():.4f} | {correlation(curve, start):.3f} |")
    return lines
