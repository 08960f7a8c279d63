"""UniPC of second order without diffusers, its few steps laid evenly in the logarithm of signal over noise.

Few steps are worth as much as the places they are taken at. Evenly in the number of the training step, the
last of eight stands where a tenth of the picture is still noise, and what is finer is left to one guess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .ddim import DDIMConfig, DDIMStep, config_of, parted, signals

LOG_SNR = "log_snr"
"""The value of ``timestep_spacing`` in a configuration that asks for this."""

FIRST = 981
"""The training step, of 1000, that the noise is taken for: the first of LatentSync's own 50."""


class UniPCScheduler:
    """UniPC-2 (arXiv 2302.04867, B2, predicting the clean sample): diffusers' `UniPCMultistepScheduler` with
    these timesteps, which ends where DDIM does, at the first training step's noise unless the configuration
    has ``set_alpha_to_one``.

    It remembers its last steps: one belongs to one sample, and steps are taken in order.
    """

    def __init__(self, **config: Any) -> None:
        self.config: DDIMConfig = config_of(config)
        self.alphas_cumprod = signals(self.config)
        self.init_noise_sigma = 1.0
        self.set_timesteps(1)

    def set_timesteps(self, steps: int) -> None:
        """``steps`` timesteps from noisy to clean, as far as there are so many."""
        logs = _half_log_snr(self.alphas_cumprod)
        first = round(FIRST * len(logs) / 1000) if len(logs) > 1 else 0
        wanted = torch.linspace(float(logs[min(first, len(logs) - 1)]), float(logs[0]), steps + 1)[:-1]
        chosen = (logs[None] - wanted[:, None].to(logs)).abs().argmin(dim=1).tolist()
        self.timesteps = torch.tensor(_apart(chosen))
        last = [math.inf if self.config.set_alpha_to_one else float(logs[0])]
        self._logs = [float(logs[t]) for t in self.timesteps] + last
        self._done = 0
        self._clean: list[Tensor] = []  # estimates of the steps taken, the newest last
        self._before: Tensor | None = None  # the sample that the last step started from
        self._order = 1  # of the last step

    def scale_model_input(self, sample: Tensor, timestep: Tensor | int) -> Tensor:
        """The sample itself, which other schedulers scale."""
        return sample

    def step(self, output: Tensor, timestep: Tensor | int, sample: Tensor) -> DDIMStep:
        """Correct the sample by what the network says of it, and predict the next."""
        clean, _ = parted(self.config, self.alphas_cumprod[int(timestep)], output, sample)
        if self._before is not None:
            sample = self._corrected(self._before, clean)
        self._clean = [*self._clean[-1:], clean]
        self._order = min(2, len(self._clean), len(self.timesteps) - self._done)
        self._before = sample
        moved = self._predicted(sample)
        self._done += 1
        return DDIMStep(moved)

    def _predicted(self, sample: Tensor) -> Tensor:
        now, then = self._logs[self._done : self._done + 2]
        clean = self._clean[-1]
        moved = _first_order(sample, clean, now, then)
        if self._order == 1:
            return moved
        ratio = (self._logs[self._done - 1] - now) / (then - now)
        slope = (self._clean[-2] - clean) / ratio
        return moved - _alpha(then) * math.expm1(now - then) * 0.5 * slope

    def _corrected(self, before: Tensor, clean: Tensor) -> Tensor:
        """The sample that the last step should have led to, with the estimate made there."""
        then, now = self._logs[self._done - 1 : self._done + 1]
        step, last = then - now, self._clean[-1]
        moved = _first_order(before, last, then, now)
        growth = math.expm1(step)
        second = growth / step - 1
        if self._order == 1:
            return moved - _alpha(now) * growth * 0.5 * (clean - last)
        third = 2 * (second / step - 0.5)
        ratio = (self._logs[self._done - 2] - then) / (now - then)
        older = (second - third) / growth / (1 - ratio)
        newer = second / growth - older
        change = older * (self._clean[-2] - last) / ratio + newer * (clean - last)
        return moved - _alpha(now) * growth * change


def _half_log_snr(signal: Tensor) -> Tensor:
    """log(alpha / sigma) of a squared alpha."""
    signal = signal.double().clamp(1e-9, 1 - 1e-9)
    return 0.5 * (signal.log() - (-signal).log1p())


def _alpha(half_log_snr: float) -> float:
    return 1 / math.sqrt(1 + math.exp(-2 * half_log_snr))


def _first_order(sample: Tensor, clean: Tensor, now: float, then: float) -> Tensor:
    """From one level to another with the clean sample held fast: DDIM's step."""
    sigmas = [_alpha(level) * math.exp(-level) for level in (now, then)]
    return sigmas[1] / sigmas[0] * sample - _alpha(then) * math.expm1(now - then) * clean


def _apart(steps: Sequence[int]) -> list[int]:
    """The same falling steps with none twice; those that would fall below 0 move up."""
    found: list[int] = []
    for step in reversed(steps):
        found.append(max(step, found[-1] + 1) if found else max(step, 0))
    return found[::-1]
