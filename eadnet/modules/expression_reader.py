"""A small network that reads one drawn person's facial parameters from latents, frame by frame.

It belongs to one person on purpose: how far a lid has come down can only be said beside the same face at
rest, and whoever performs for a rig is always the same. The picture of that person travels with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .autoencoder import FACTOR, LATENT_CHANNELS


class ExpressionReader(nn.Module):
    """Latents [B, 4, R/8, R/8] of the person in `face` to parameters, named, in their own units.

    face  float [3, R, R] in [-1, 1], the person at rest; a buffer that comes with the weights
    """

    def __init__(self, names: Sequence[str], resolution: int = 128, width: int = 64) -> None:
        super().__init__()
        self.names = tuple(names)
        self.config = {"names": list(names), "resolution": resolution, "width": width}
        cells = resolution // FACTOR // 4
        self.layers = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(width * cells * cells, 256),
            nn.SiLU(),
            nn.Linear(256, len(self.names)),
        )
        self.register_buffer("mean", torch.zeros(len(self.names)))
        self.register_buffer("std", torch.ones(len(self.names)))
        self.register_buffer("face", torch.zeros(3, resolution, resolution))
        self.mean: Tensor
        self.std: Tensor
        self.face: Tensor

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ExpressionReader:
        return cls(**config)

    def forward(self, latents: Tensor) -> Tensor:
        """Standardised parameters [B, len(names)]."""
        return self.layers(latents)

    @torch.no_grad()
    def read(self, latents: Tensor) -> Tensor:
        """Parameters in their own units, float32 [B, len(names)]."""
        latents = latents.to(self.mean)
        return (self(latents) * self.std + self.mean).float()
