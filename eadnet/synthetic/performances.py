"""What a face may do while somebody says something with a feeling: takes of one recording, without pictures.

Sound and sentence decide the mouth and the expression; blinks, glances, sways and raised brows they do not,
so each take draws them anew. A take costs a few milliseconds: a network may see another one at every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..driving.idle import idle_motion
from .captions import Description
from .clips import speak_through, turned
from .expression import HEAD_POSE, INDEX, PARAMETERS, RANGES

FPS = 25
_POSES = {"head_yaw": 0.22, "head_pitch": 0.16, "head_roll": 1.0, "head_x": 0.004, "head_y": 0.003}
_WAVER, _WAVER_SECONDS = 0.12, 0.6  # how far a held expression fades and returns


@dataclass(frozen=True)
class Take:
    """`params` float32 [T, P] in the order of `expression.PARAMETERS`; `rest` [P] is the person at rest, with
    the pose that they hold; `change` [T] is the share of the later description that each frame shows.
    """

    params: NDArray[np.float32]
    rest: NDArray[np.float32]
    change: NDArray[np.float32]


def perform(
    feeling: Description,
    mouth: NDArray[np.floating],
    level: NDArray[np.floating],
    rng: np.random.Generator,
    later: Description | None = None,
) -> Take:
    """A take of somebody whose speech moves the mouth [T, M] (`visemes.MOUTH`) and is as loud as `level` [T],
    0..1; the feeling becomes a `later` one on the way, if there is one.
    """
    frames = len(mouth)
    change = np.zeros(frames) if later is None else turned(rng, frames).astype(np.float64)
    rest = _rest(rng)
    params = np.tile(rest.astype(np.float64), (frames, 1))
    for name, value in _targets(
        feeling.parameters, {} if later is None else later.parameters, change
    ).items():
        params[:, INDEX[name]] += value * _wavering(rng, frames)
    speak_through(params, np.asarray(mouth, np.float32))
    for name, curve in idle_motion(frames, FPS, int(rng.integers(2**62)), None, level).items():
        params[:, INDEX[name]] += curve
    low, high = RANGES.T
    return Take(np.clip(params, low, high).astype(np.float32), rest, change.astype(np.float32))


def _targets(
    before: Mapping[str, float], after: Mapping[str, float], change: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    return {
        name: before.get(name, 0.0) + change * (after.get(name, 0.0) - before.get(name, 0.0))
        if change.any()
        else np.full(len(change), before.get(name, 0.0))
        for name in {**before, **(after if change.any() else {})}
    }


def _rest(rng: np.random.Generator) -> NDArray[np.float32]:
    """A calm face [P] with the head as the person holds it; every fourth looks straight ahead."""
    rest = np.zeros(len(PARAMETERS), np.float32)
    if rng.random() > 0.25:
        for name in HEAD_POSE:
            rest[INDEX[name]] = _POSES[name] * rng.standard_normal()
    return rest


def _wavering(rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """About 1: an expression that is held breathes."""
    times = np.arange(frames) / FPS
    wave = np.zeros(frames)
    for octave in (0.5, 1.0):
        cycles = octave * rng.uniform(0.3, 0.6) * times / _WAVER_SECONDS
        wave += np.sin(2 * np.pi * (cycles + rng.uniform()))
    waver: NDArray[np.float64] = 1 - _WAVER * (0.5 + 0.25 * wave) + 0.03 * rng.standard_normal()
    return waver
