"""Does the mouth still follow the speech at the end of ten minutes as at the beginning?

Drawn people speak for 10 s again and again, so that the first and the last 10 s of 10 minutes say the same,
and how far the mouth should be open is known. A parameter regressor trained on
true pictures reads how far it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eadnet.metrics.mouth import correlation, lag_curve, mouth_opening_from_pixels
from eadnet.modules.parameter_regressors import ParameterRegressor
from eadnet.synthetic.clips import make_clip
from eadnet.synthetic.expression import HEAD_POSE, INDEX, neutral
from eadnet.synthetic.renderer import Renderer, mouth_opening
from eadnet.training.data.clips import ClipSet
from eadnet.training.data.images import to_model_range
from eadnet.training.regressors.pictures import explained_variance, train_parameter_regressor
from experiments.readings import OPENING

FRAMES = 250  # of one turn of the speech: 10 s
TURNS = 60
BLOCK = 25  # frames that are drawn together when chance is measured: openings of neighbours are alike
MOST_LAG = 5

Read = Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class Person:
    """Who speaks.

    portrait   uint8 [S, S, 3], calm, mouth closed, facing the camera
    waveform   float32 [160000], one turn of the speech at 16 kHz
    text       the emotion text
    true       uint8 [250, S, S, 3], the turn as it should look, with a still head
    openings   float32 [250], of the mouth in it: gap of the lips over the distance of the eyes
    """

    portrait: np.ndarray
    waveform: np.ndarray
    text: str
    true: np.ndarray
    openings: Tensor


@lru_cache
def person(seed: int, size: int) -> Person:
    """A test person, whom no training clip shows; the same on every machine."""
    clip = make_clip(seed, "test", FRAMES)
    renderer = Renderer(clip.identity, size=size)
    params = clip.params.copy()
    params[:, [INDEX[part] for part in HEAD_POSE]] = 0
    shown = [renderer.render(moment) for moment in params]
    return Person(
        portrait=renderer.render(neutral()).image,
        waveform=clip.waveform,
        text=clip.description.text,
        true=np.stack([frame.image for frame in shown]),
        openings=torch.tensor([mouth_opening(frame.landmarks) for frame in shown]),
    )


def train_regressor(
    train: Path, validation: Path, kept: Path, steps: int
) -> tuple[ParameterRegressor, float]:
    """(the regressor, R² of its opening on validation clips); trained where it is not yet kept."""
    model = train_parameter_regressor(ClipSet(train), kept, steps=steps)
    return model, explained_variance(model, ClipSet(validation))[OPENING]


def by_regressor(model: ParameterRegressor) -> Read:
    return lambda frames: model.read(to_model_range(frames))[OPENING]


def by_darkness(frames: np.ndarray) -> Tensor:
    return mouth_opening_from_pixels(torch.from_numpy(frames))


def difference(first: Tensor, last: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """Correlation of ``last`` with the truth less that of ``first``, and its 95 % interval.

    Seconds are resampled with replacement, the same ones of all three.
    """
    blocks = torch.arange(len(truth)).split(BLOCK)
    random = np.random.default_rng(0)

    def gap(rows: Tensor) -> float:
        return correlation(last[rows], truth[rows]) - correlation(first[rows], truth[rows])

    draws = [
        gap(torch.cat([blocks[i] for i in random.integers(len(blocks), size=len(blocks))]))
        for _ in range(2000)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return gap(torch.arange(len(truth))), float(low), float(high)


def _agreement(name: str, found: Tensor, truth: Tensor) -> str:
    lags = lag_curve(found, truth, MOST_LAG)
    return (
        f"| {name} | {correlation(found, truth):.3f} | {lags.best_lag:+d} ({lags.best:.3f}) "
        f"| {float(found.mean()):.3f} | {float(found.std()):.3f} |"
    )


def table(
    first: list[np.ndarray], last: list[np.ndarray], again: list[np.ndarray], people: list[Person], read: Read
) -> list[str]:
    """Readings of all people's first and last 10 s against the truth, one after the other.

    ``again`` is the first 10 s with another seed: what chance alone changes. It may be empty.
    """
    truth = torch.cat([someone.openings for someone in people])
    kept = {
        "first 10 s": first,
        "last 10 s": last,
        "control: first 10 s with another seed": again,
        "ceiling: the true pictures": [someone.true for someone in people],
    }
    found = {name: torch.cat([read(take) for take in parts]) for name, parts in kept.items() if parts}
    shifted = torch.cat([someone.openings.roll(37) for someone in people])
    lines = [
        "| of 10 minutes | correlation of the opening with the truth | best lag, frames (correlation) "
        "| mean opening | its spread |",
        "|---|---|---|---|---|",
        f"| truth | | | {float(truth.mean()):.3f} | {float(truth.std()):.3f} |",
        *(_agreement(name, values, truth) for name, values in found.items()),
        _agreement("control: last 10 s against the truth 37 frames earlier", found["last 10 s"], shifted),
        "",
    ]
    pairs = [("last less first", "last 10 s")]
    if again:
        pairs.append(("control: another seed less first", "control: first 10 s with another seed"))
    for name, other in pairs:
        gap, low, high = difference(found["first 10 s"], found[other], truth)
        lines.append(f"Correlation, {name}: {gap:+.3f} (95 % interval {low:+.3f} to {high:+.3f}).")
    still = [
        float(np.abs(a.astype(np.float32).mean(0) - b.astype(np.float32).mean(0)).mean())
        for a, b in zip(first, last, strict=True)
    ]
    lines.append(f"Mean pictures of first and last differ by {np.mean(still):.2f} grey levels.")
    return [*lines, ""]
