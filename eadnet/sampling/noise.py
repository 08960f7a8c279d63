"""The noise of a clip: a function of the seed and the frame's number alone, on every device."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ..errors import InputError


def seeded(seed: int) -> torch.Generator:
    """A generator on the processor. Raises InputError for seeds of more than 64 bits."""
    if not -(2**63) <= seed < 2**64:
        raise InputError(f"The seed {seed} has more than 64 bits: use a smaller one.")
    return torch.Generator("cpu").manual_seed(seed)


class ClipNoise:
    """Unit Gaussian noise of consecutive frames [C, h, w], drawn frame by frame from one generator.

    A longer clip starts with the same noise as a shorter one. ``shared`` in [0, 1] is the share of the
    variance that all frames have in common: LatentSync samples with 1 (one frame's noise repeated) and
    trains with 0.5, the mixed noise model of PYoCo (arXiv 2305.10474, section 3.3).
    """

    def __init__(self, shape: tuple[int, ...], generator: torch.Generator, shared: float = 0.0) -> None:
        if not 0 <= shared <= 1:
            raise InputError(
                f"shared_noise is {shared}: use 0 (independent noise per frame) to 1 (the same for all)."
            )
        self._shape, self._generator, self._shared = shape, generator, shared
        self._common = torch.randn(shape, generator=generator)

    def take(self, count: int) -> Tensor:
        """The noise of the next frames, [count, C, h, w]."""
        own = torch.stack([torch.randn(self._shape, generator=self._generator) for _ in range(count)])
        return self._shared**0.5 * self._common + (1 - self._shared) ** 0.5 * own

    def skip(self, count: int) -> None:
        """Pass over the noise of the next frames."""
        for _ in range(count):
            torch.randn(self._shape, generator=self._generator)


def clip_noise(shape: tuple[int, ...], generator: torch.Generator, shared: float = 0.0) -> Tensor:
    """The noise of a whole clip [T, C, h, w]; see `ClipNoise`."""
    return ClipNoise(shape[1:], generator, shared).take(shape[0])


def step_generators(seed: int, step: int, frames: range) -> list[torch.Generator]:
    """A generator for each frame, for samplers that add fresh noise at a step: no draw depends on another,
    so a stretch of a clip can be sampled alone.
    """
    keys = (hashlib.sha256(f"{seed} {step} {frame}".encode()).digest()[:8] for frame in frames)
    return [torch.Generator("cpu").manual_seed(int.from_bytes(key, "little") >> 1) for key in keys]
