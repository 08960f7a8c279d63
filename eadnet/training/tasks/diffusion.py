"""The forward process of diffusion, and the noise that clips are trained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...sampling.schedulers import make_scheduler


@dataclass(frozen=True)
class Diffusion:
    """The forward process of a variance-preserving schedule, velocity parameterisation."""

    alphas: Tensor  # cumulative products, [num_train_timesteps]

    @classmethod
    def of(cls, scheduler_config: dict[str, Any]) -> Diffusion:
        return cls(make_scheduler("ddim", scheduler_config).alphas_cumprod.float())

    def draw_timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        """Density rising linearly towards high noise, where structure and both conditions are decided."""
        share = torch.rand(count, generator=generator).sqrt()
        return (share * (len(self.alphas) - 1)).round().long()

    def noised(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x_t, the velocity to predict, and alpha_bar shaped for broadcasting."""
        alpha = self.alphas[timesteps].view(-1, *[1] * (clean.ndim - 1))
        a, s = alpha.sqrt(), (1 - alpha).sqrt()
        return a * clean + s * noise, a * noise - s * clean, alpha

    @staticmethod
    def clean_estimate(noisy: Tensor, velocity: Tensor, alpha: Tensor) -> Tensor:
        return alpha.sqrt() * noisy - (1 - alpha).sqrt() * velocity


def mixed_noise(shape: torch.Size, shared: float, generator: torch.Generator) -> Tensor:
    """Unit noise [B, T, ...]; frames share `shared` of their variance (PYoCo, arXiv 2305.10474)."""
    own = torch.randn(shape, generator=generator)
    common = torch.randn((shape[0], 1, *shape[2:]), generator=generator)
    return shared**0.5 * common + (1 - shared) ** 0.5 * own
