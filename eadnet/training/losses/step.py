"""What a loss gets to see of a training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..data.latents import Batch


@dataclass(frozen=True)
class Step:
    """One training step after the prediction.

    batch: the clips, latents [B, T, 4, h, w], whole or cropped to the face.
    estimate: [B, T, 4, h, w] one-step estimate of the clean latents, with its gradient.
    alpha: [B] cumulative alpha of each clip's timestep: the share of signal in its noisy latents.
    sound: what `DenoiserTask.heard` gives: of pixels the waveforms [B, S] of the whole clips at 16 kHz, of
        motion what the encoder heard around each frame [B, T, L, D].
    generator: where a loss draws what it needs to draw.
    """

    batch: Batch
    estimate: Tensor
    alpha: Tensor
    sound: Tensor
    generator: torch.Generator

    def draw(self, count: int, below: int) -> Tensor:
        """`count` different numbers from 0 to `below` - 1, fewer where there are not so many."""
        return torch.randperm(below, generator=self.generator)[:count]


class Loss(Protocol):
    """A term of the U-Net's loss. None where the step has nothing for it, such as windows too short."""

    name: str

    def __call__(self, step: Step) -> Tensor | None: ...


@dataclass(frozen=True)
class Weighted:
    """A loss and its weight in the sum."""

    loss: Loss
    weight: float


def total(losses: Sequence[Weighted], step: Step) -> tuple[Tensor | None, dict[str, float]]:
    """The weighted sum of what applies (None where nothing does), and each value by name."""
    terms, values = [], {}
    for one in losses:
        value = one.loss(step)
        if value is not None:
            terms.append(one.weight * value)
            values[one.loss.name] = float(value.detach())
    return (torch.stack(terms).sum() if terms else None), values


def by_signal(errors: Tensor, alpha: Tensor) -> Tensor:
    """The mean of errors [B, ...] with each clip weighted by its share of signal alpha [B]."""
    each = errors.flatten(1).mean(1)
    return (alpha * each).sum() / alpha.sum().clamp(min=1e-6)
