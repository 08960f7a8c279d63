"""What a living face does that neither sound nor sentence says: blinks, glances, a head that is never still.

Rule-made, from published averages: in conversation people blink about 26 times a minute and while reading or
looking 5 to 17 times (Bentivoglio et al. 1997, "Analysis of blink rate patterns in normal subjects"); a
blink closes within about 0.1 s and opens within about 0.2 s; eyes rest on a point for one to three seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

_CLOSING, _CLOSED, _OPENING = 0.09, 0.04, 0.17  # seconds of a blink
_MOST_BLINKS = 120.0  # a minute
_INTERVAL_SPREAD = 0.6  # of the logarithm of the time between blinks
_FIXATION = 1.8  # seconds that the eyes rest on a point, on average
_GLANCE = (0.16, 0.07)  # spread of gaze_x and gaze_y
_SWAY = {"head_yaw": 0.30, "head_pitch": 0.20, "head_roll": 1.1, "head_x": 0.0035, "head_y": 0.0025}
_SWAY_SECONDS = 0.9  # standard deviation of the smoothing: a sway takes a few seconds
_NOD = 0.35  # of head_pitch, from quiet to loud
_NOD_SECONDS = 0.12


@dataclass(frozen=True)
class Idle:
    """How much of it: blinks per minute; glances and head motion as multiples of the usual."""

    blinks: float = 18.0
    gaze: float = 1.0
    head: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.blinks <= _MOST_BLINKS:
            raise InputError(f"The blink rate is {self.blinks:g}: use 0 to {_MOST_BLINKS:g} per minute.")
        for name, value in (("gaze", self.gaze), ("head motion", self.head)):
            if not 0 <= value <= 3:
                raise InputError(f"The {name} is {value:g}: use 0 (none) to 3.")


def idle_motion(
    frames: int, fps: float, seed: int, amount: Idle | None = None, level: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Curves [frames] of blinks, gaze and head by parameter name; the same seed gives the same.

    ``level`` 0..1 [frames] is how loudly somebody speaks: the head nods with it.
    """
    amount = amount or Idle()
    entropy = seed % 2**64  # a negative seed is one, too
    blinks, glances, sways = (np.random.default_rng([entropy, number]) for number in range(3))
    blink = _blinks(frames, fps, blinks, amount.blinks)
    curves = {"blink_l": blink, "blink_r": blink}
    for name, values in zip(("gaze_x", "gaze_y"), _glances(frames, fps, glances), strict=True):
        curves[name] = amount.gaze * values
    for name, spread in _SWAY.items():
        curves[name] = amount.head * spread * _smooth_noise(frames, fps, sways)
    if level is not None and frames:
        from scipy.ndimage import gaussian_filter1d

        quick = gaussian_filter1d(np.asarray(level, float), _NOD_SECONDS * fps)
        slow = gaussian_filter1d(quick, 8 * _NOD_SECONDS * fps)
        curves["head_pitch"] = curves["head_pitch"] + amount.head * _NOD * (quick - slow)
    return curves


def _blinks(frames: int, fps: float, rng: np.random.Generator, per_minute: float) -> np.ndarray:
    """How far the lids are closed, 0..1, at the middle of every frame."""
    shut = np.zeros(frames)
    if per_minute == 0:
        return shut
    seconds, times = frames / fps, (np.arange(frames) + 0.5) / fps
    mean = 60 / per_minute
    middle = np.log(mean) - _INTERVAL_SPREAD**2 / 2
    length = _CLOSING + _CLOSED + _OPENING
    start = rng.uniform(0, mean)
    while start < seconds:
        since = times - start
        closing = np.clip(since / _CLOSING, 0, 1)
        opening = np.clip((since - _CLOSING - _CLOSED) / _OPENING, 0, 1)
        shut = np.maximum(shut, _ease(closing) - _ease(opening))
        start += max(length, float(np.exp(middle + _INTERVAL_SPREAD * rng.standard_normal())))
    return shut


def _glances(frames: int, fps: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where the eyes look, in jumps, most of the time straight ahead."""
    across, down = np.zeros(frames), np.zeros(frames)
    first = 0
    while first < frames:
        last = first + max(1, round(fps * rng.exponential(_FIXATION)))
        if rng.random() > 0.4:
            across[first:last] = np.clip(_GLANCE[0] * rng.standard_normal(), -0.4, 0.4)
            down[first:last] = np.clip(_GLANCE[1] * rng.standard_normal(), -0.2, 0.2)
        first = last
    return across, down


def _smooth_noise(frames: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit spread that changes within a second or two."""
    from scipy.ndimage import gaussian_filter1d  # late: importing the nodes stays quick

    edge = round(4 * _SWAY_SECONDS * fps)
    noise = gaussian_filter1d(rng.standard_normal(frames + 2 * edge), _SWAY_SECONDS * fps)
    spread = 1 / np.sqrt(2 * np.sqrt(np.pi) * _SWAY_SECONDS * fps)  # of white noise under such a filter
    return np.clip(noise[edge : edge + frames] / spread, -2, 2)


def _ease(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)
