"""What a living face does that neither sound nor sentence says: blinks, glances, a head that is never
still, brows.

Drawn from distributions measured on 23 recordings of people who talk (docs/results/speech.md, "Beside the
mouth"): how often, how far and how quickly, and how much one take differs from another. People differ by a
factor of ten in how far they move the head; what they share is its pace, and that it moves more while they
speak up.
Blinks agree with what is published: in conversation about 26 a minute, while reading or looking 5 to 17
(Bentivoglio et al. 1997, "Analysis of blink rate patterns in normal subjects").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..gaussian import gaussian_smooth

_CLOSING, _CLOSED, _OPENING = 0.09, 0.04, 0.17  # seconds of a blink
_MOST_BLINKS = 120.0  # a minute
_INTERVAL_SPREAD = 0.6  # of the logarithm of the time between blinks
_FIXATION = 0.9  # seconds that the eyes rest on a point, on average
_GLANCE = (0.16, 0.12)  # spread of gaze_x and gaze_y
_SWAY = {"head_yaw": 0.32, "head_pitch": 0.32, "head_roll": 1.2, "head_x": 0.005, "head_y": 0.004}
_SWAY_SECONDS, _TURN_SECONDS = 0.9, 0.3  # standard deviations of the smoothing: posture, and turns within it
_SWAY_SHARE = 0.25  # of the variance
_TAKES_DIFFER = 0.6  # of the logarithm of how far somebody moves
_WHEN_LOUD = (0.7, 0.6)  # of the turns in silence, and what the loudest speech adds
_NOD, _NODS_DIFFER = 0.10, 0.12  # of head_pitch, from quiet to loud: mean and spread over takes
_NOD_SECONDS = 0.12
_RAISES, _RAISE = 8.0, (0.08, 0.3)  # of the brows: a minute on average over takes, and how far
_RAISE_SECONDS = (0.25, 0.7)


@dataclass(frozen=True)
class Idle:
    """How much of it: blinks per minute; glances, and motion of head and brows as multiples of the usual."""

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
    """Curves [frames] of blinks, gaze, head and brows by parameter name; the same seed gives the same.

    ``level`` 0..1 [frames] is how loudly somebody speaks: head and brows move with it.
    """
    amount = amount or Idle()
    entropy = seed % 2**64  # a negative seed is one, too
    blinks, glances, sways, raises = (np.random.default_rng([entropy, number]) for number in range(4))
    loud = (
        np.zeros(frames) if level is None else gaussian_smooth(np.asarray(level, float), _NOD_SECONDS * fps)
    )
    blink = _blinks(frames, fps, blinks, amount.blinks)
    curves = {"blink_l": blink, "blink_r": blink}
    for name, values in zip(("gaze_x", "gaze_y"), _glances(frames, fps, glances), strict=True):
        curves[name] = amount.gaze * values
    lively = float(np.clip(np.exp(_TAKES_DIFFER * sways.standard_normal()), 0.35, 2.2))
    eager = _WHEN_LOUD[0] + _WHEN_LOUD[1] * gaussian_smooth(loud, 2 * _NOD_SECONDS * fps)
    for name, spread in _SWAY.items():
        posture = np.sqrt(_SWAY_SHARE) * _smooth_noise(frames, fps, _SWAY_SECONDS, sways)
        turns = np.sqrt(1 - _SWAY_SHARE) * _smooth_noise(frames, fps, _TURN_SECONDS, sways)
        curves[name] = amount.head * lively * spread * (posture + eager * turns)
    nod = (_NOD + _NODS_DIFFER * sways.standard_normal()) * (
        loud - gaussian_smooth(loud, 8 * _NOD_SECONDS * fps)
    )
    curves["head_pitch"] = curves["head_pitch"] + amount.head * nod
    raised = amount.head * _raises(frames, fps, raises, loud)
    for side in "lr":
        curves[f"inner_brow_up_{side}"] = curves[f"outer_brow_up_{side}"] = raised
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


def _raises(frames: int, fps: float, rng: np.random.Generator, loud: np.ndarray) -> np.ndarray:
    """Brows that go up now and then, rather on what is said loudly; some people's hardly ever."""
    raised, times = np.zeros(frames), (np.arange(frames) + 0.5) / fps
    count = rng.poisson(_RAISES * rng.gamma(0.7, 1 / 0.7) * frames / fps / 60)
    if not frames or not count:
        return raised
    likely = 0.2 + loud - loud.min()
    for middle in rng.choice(times, size=count, p=likely / likely.sum()):
        height, length = rng.uniform(*_RAISE), rng.uniform(*_RAISE_SECONDS)
        raised = np.maximum(raised, height * _ease(np.clip(1 - np.abs(times - middle) / length, 0, 1)))
    return raised


def _smooth_noise(frames: int, fps: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit spread under a Gaussian of so many seconds."""
    edge = round(4 * seconds * fps)
    noise = gaussian_smooth(rng.standard_normal(frames + 2 * edge), seconds * fps)
    spread = 1 / np.sqrt(2 * np.sqrt(np.pi) * seconds * fps)  # of white noise under such a filter
    return np.clip(noise[edge : edge + frames] / spread, -2, 2)


def _ease(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)
