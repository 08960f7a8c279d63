"""Small networks that read facial parameters: from pictures, from pictures beside a portrait, from latents.

How far a lid has come down can only be measured beside the same face at rest: eyes that are narrow by nature
are not narrowed. The paired and the latent regressor therefore see a reference of the same person.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .autoencoder import LATENT_CHANNELS


class PictureRegressor(nn.Module):
    """Pictures [B, channels, 128, 128] in [-1, 1] to `outputs` standardised numbers [B, outputs]."""

    def __init__(self, outputs: int, channels: int = 3) -> None:
        super().__init__()
        widths = (24, 48, 64, 96)
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        before = 4 * channels
        for width in widths:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            before = width
        layers += [nn.Flatten(), nn.Linear(before * 16, 256), nn.SiLU(), nn.Linear(256, outputs)]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("std", torch.ones(outputs))
        self.mean: Tensor
        self.std: Tensor

    def standardise(self, truth: Tensor, least: float = 0.02) -> None:
        """Take mean and spread, at least `least`, from true values [..., outputs]."""
        values = truth.flatten(0, -2)
        self.mean.copy_(values.mean(0))
        self.std.copy_(values.std(0).clamp_min(least))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers(pictures)

    @torch.no_grad()
    def values(self, pictures: Tensor) -> Tensor:
        """The predictions in the numbers' own units, [B, outputs]."""
        return torch.cat([self(part) for part in pictures.split(64)]) * self.std + self.mean


class ParameterRegressor(PictureRegressor):
    """Facial parameters by name from single pictures."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(len(names))
        self.names = tuple(names)

    def read(self, pictures: Tensor) -> dict[str, Tensor]:
        """Predictions in the parameters' own units, by name, each [B]."""
        return dict(zip(self.names, self.values(pictures).T, strict=True))


class PairedParameterRegressor(PictureRegressor):
    """Facial parameters by name from a face and the calm portrait of the same person."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(len(names), channels=6)
        self.names = tuple(names)

    def read(self, pictures: Tensor, portrait: Tensor) -> dict[str, Tensor]:
        """Predictions in the parameters' own units, by name, each [B].

        Args:
            pictures: [B, 3, 128, 128] in [-1, 1].
            portrait: [3, 128, 128] of the same person, calm.
        """
        values = self.values(torch.cat([pictures, portrait.expand_as(pictures)], 1))
        return dict(zip(self.names, values.T, strict=True))


class LatentParameterRegressor(nn.Module):
    """Facial parameters and mouth opening from a crop of latents beside the reference's."""

    def __init__(self, outputs: int, side: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * LATENT_CHANNELS, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, 48, 3, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(48 * (side // 2) ** 2, 256),
            nn.SiLU(),
            nn.Linear(256, outputs),
        )

    def forward(self, latents: Tensor, reference: Tensor) -> Tensor:
        """Standardised predictions [*, outputs].

        Args:
            latents: crops [*, 4, side, side] of faces, B or B by T of them.
            reference: crops [B, 4, side, side] of the same people at another moment.
        """
        frames = latents.shape[:-3]
        known = reference.unflatten(0, (len(reference), *[1] * (len(frames) - 1))).expand_as(latents)
        return self.layers(torch.cat([latents, known], -3).flatten(0, -4)).unflatten(0, frames)
