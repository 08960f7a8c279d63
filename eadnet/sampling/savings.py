"""Evaluations that are left out: deep features kept between steps, guidance now and then or in some steps.

Neighbouring steps see nearly the same picture, and the deeper a block, the less its features differ from
one to the next. DeepCache (arXiv 2312.00858) therefore runs the outermost layers at every step and the others
at every n-th. What guidance adds changes slowly as well (FasterCache, arXiv 2410.19355, keeps it likewise),
and it acts at some noise levels only (Kynkäänniemi et al., arXiv 2404.07724). All are written from the idea.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..modules.unet import DeepFeatures


class Reuse(Enum):
    """What a step does about guidance: evaluate all branches, use again what an earlier step added, or go
    without.
    """

    NOTHING = auto()
    EARLIER = auto()
    NONE = auto()


@dataclass(frozen=True)
class Savings:
    """Which evaluations are left out; as it is made, none.

    cache_interval   the deep layers run at every n-th step; 1 is every step
    guidance_start   guidance acts from this share of the steps on,
    guidance_end     up to this one; outside, only the branch with all conditions is evaluated
    guidance_every   within, the other branches are evaluated at every n-th step

    Raises InputError for values out of range.
    """

    cache_interval: int = 1
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    guidance_every: int = 1

    def __post_init__(self) -> None:
        for name, value in (("cache_interval", self.cache_interval), ("guidance_every", self.guidance_every)):
            if value < 1:
                raise InputError(f"{name} is {value} steps: use 1 (every step) or more.")
        if not 0 <= self.guidance_start <= self.guidance_end <= 1:
            raise InputError(
                f"Guidance from {self.guidance_start} to {self.guidance_end} of the steps cannot be: use "
                "guidance_start <= guidance_end, both from 0 to 1."
            )

    def reuse(self, step: int, steps: int) -> Reuse:
        """What ``step`` of ``steps`` does about guidance."""
        first, stop = round(self.guidance_start * steps), round(self.guidance_end * steps)
        if not first <= step < stop:
            return Reuse.NONE
        return Reuse.NOTHING if (step - first) % self.guidance_every == 0 else Reuse.EARLIER


class DeepStore:
    """The deep features of the windows under way, for each branch of guidance.

    Windows must stay where they are for ``cache_interval`` steps (`Plan`'s ``hold``). In a stream, those that
    move go through these steps one after the other, so that the features of one window are held; those that
    overlap wait for their neighbours, and about as many are held as there are steps.
    """

    def __init__(self, savings: Savings, steps: int) -> None:
        self._interval, self._steps = savings.cache_interval, steps
        self._held: dict[int, dict[int, Tensor]] = {}

    def call(self, unet: nn.Module, given: tuple[Any, ...], branches: Sequence[int], window: int) -> Tensor:
        """``unet(*given)`` for a batch of branches; without the deep layers where their features are held."""
        if self._interval == 1:
            result: Tensor = unet(*given)
            return result
        held = self._held.setdefault(window, {})
        deep = DeepFeatures()
        if all(branch in held for branch in branches):
            deep.features = torch.cat([held[branch] for branch in branches])
            result = unet(*given, deep=deep)
            return result
        result = unet(*given, deep=deep)
        assert deep.features is not None
        held.update(zip(branches, deep.features.chunk(len(branches)), strict=True))
        return result

    def finish(self, step: int, window: int) -> None:
        """The window has taken the step: free what no later one uses."""
        if (step + 1) % self._interval == 0 or step == self._steps - 1:
            self._held.pop(window, None)
