"""How far people open the mouth for what they say: a table of a few numbers per sound, measured on
recordings.

A recogniser says how likely each sound is at every moment. Each sound has a distance of the lips and a
weight, both spread over some hundredths of a second (the dominance model of `eadnet.synthetic.visemes`,
with likelihoods instead of certain sounds); these numbers are set so that the result follows the speakers,
held back towards the textbook's values. That is all that is learned from people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eadnet.synthetic.visemes import textbook
from eadnet.training.regressors.front_end import FrontEnd
from experiments.speech.clips import STEP, TalkingClip
from experiments.speech.measures import Curve

_REACH = 10  # frames to each side
_STEPS, _RATE = 100, 0.06
# How far a number may go from the textbook's before it costs as much as a clip's r is worth.
_SPREAD_APART, _SPREAD_WEIGHT, _SPREAD_TIMES, _SPREAD_LOUD = 0.9, 0.7, 0.25, 0.3
_APART_UNIT = 0.1  # eye distances


@dataclass(frozen=True, eq=False)
class Heard:
    """Of a clip: how likely each sound is [T, C], the level around the clip's own in units of 10 dB [T],
    the same smoothed over a second, and how far the mouth is open [T].
    """

    likely: Tensor
    level: Tensor
    slow: Tensor
    opening: Tensor


class Reading(nn.Module):
    """The table; starts as the textbook's."""

    apart_before: Tensor
    weight_before: Tensor

    def __init__(self) -> None:
        super().__init__()
        apart, weight = textbook()
        self.register_buffer("apart_before", torch.tensor(apart).float() / _APART_UNIT)
        self.register_buffer("weight_before", torch.tensor(weight).float().log())
        self.apart = nn.Parameter(self.apart_before.clone())
        self.weight = nn.Parameter(self.weight_before.clone())
        sounds = len(apart)
        self.lead, self.leads = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(sounds))
        self.before, self.befores = nn.Parameter(torch.full((1,), -3.0)), nn.Parameter(torch.zeros(sounds))
        self.after, self.afters = nn.Parameter(torch.full((1,), -3.0)), nn.Parameter(torch.zeros(sounds))
        self.loud = nn.Parameter(torch.zeros(2))

    def forward(self, heard: Heard) -> Tensor:
        """How far the lips are apart, up to a factor, [T]."""
        offsets = torch.arange(-_REACH, _REACH + 1) * 0.04
        since = offsets[:, None] + 0.1 * (self.lead + self.leads)
        before, after = (self.before + self.befores).exp(), (self.after + self.afters).exp()
        kernel = torch.exp(-torch.where(since < 0, -since / before, since / after))
        kernel = (kernel / kernel.sum(0)).T[:, None].flip(-1)
        padded = F.pad(heard.likely.T[None], (_REACH, _REACH))
        weight = F.conv1d(padded, kernel, groups=kernel.shape[0])[0].T * self.weight.exp()
        apart = (weight * self.apart).sum(1) / weight.sum(1)
        return apart * torch.exp(self.loud[0] * heard.level + self.loud[1] * heard.slow)

    def surprise(self) -> Tensor:
        """How far the table is from the textbook's."""
        terms = (
            (self.apart - self.apart_before, _SPREAD_APART),
            (self.weight - self.weight_before, _SPREAD_WEIGHT),
            (self.leads, _SPREAD_TIMES),
            (self.befores, _SPREAD_TIMES),
            (self.afters, _SPREAD_TIMES),
            (self.loud, _SPREAD_LOUD),
            (self.lead, 1.0),
        )
        return torch.stack([(difference / spread).square().sum() for difference, spread in terms]).sum()


def hear(front: FrontEnd, waveform: Curve, opening: Curve) -> Heard:
    """What a recogniser hears in a sound as long as the ``opening`` [T]."""
    frames = len(opening)
    sound = torch.from_numpy(np.asarray(waveform[: frames * STEP], np.float32))
    likely = front.hear(sound, frames)[1]
    likely = torch.cat([likely, likely[-1:]])
    likely = 0.25 * likely[0:-1:2] + 0.5 * likely[1::2] + 0.25 * likely[2::2]
    power = sound.reshape(frames, STEP).double().square().mean(1)
    level = (10 * (power + 1e-10).log10() - 10 * (power.mean() + 1e-10).log10()).div(10).clamp(-4, 1.5)
    window = torch.hann_window(27, periodic=False)[1:-1].double()
    slow = F.conv1d(F.pad(level[None, None], (12, 12), mode="replicate"), (window / window.sum())[None, None])
    quick = F.avg_pool1d(F.pad(level[None, None], (1, 1), mode="replicate"), 3, 1)
    return Heard(
        likely, quick[0, 0].float(), slow[0, 0].float(), torch.from_numpy(np.asarray(opening)).float()
    )


def fit(clips: Sequence[Heard], caution: float, steps: int = _STEPS) -> Reading:
    """The table that follows ``clips`` best; ``caution`` is what a step away from the textbook costs."""
    reading = Reading()
    optimizer = torch.optim.Adam(reading.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 if step < 0.6 * steps else 0.3)
    shares = torch.tensor([len(clip.opening) for clip in clips]).sqrt()
    shares = shares / shares.sum()
    for _ in range(steps):
        missed = torch.stack([1 - agreement(reading(clip), clip.opening) for clip in clips])
        loss = shares @ missed + caution * reading.surprise()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return reading.eval()


def agreement(made: Tensor, seen: Tensor) -> Tensor:
    """Pearson's r, differentiable."""
    made, seen = made - made.mean(), seen - seen.mean()
    return (made * seen).sum() / (made.norm() * seen.norm() + 1e-6)


def by_others(
    clips: Sequence[TalkingClip], heard: Sequence[Heard], caution: float, folds: int = 6, steps: int = _STEPS
) -> list[Curve]:
    """What tables measured on other speakers make of each clip."""
    speakers = sorted({clip.speaker for clip in clips})
    curves: list[Curve] = [np.zeros(0)] * len(clips)
    for fold in range(folds):
        held = [k for k, clip in enumerate(clips) if speakers.index(clip.speaker) % folds == fold]
        if held:
            reading = fit([heard[k] for k in range(len(clips)) if k not in held], caution, steps)
            with torch.no_grad():
                for k in held:
                    curves[k] = reading(heard[k]).numpy()
    return curves
