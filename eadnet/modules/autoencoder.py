"""The small image VAE of the `mini` preset.

The idea is TAESD's (a plain convolutional encoder and decoder without attention or normalisation, f = 8,
4 latent channels); the layout is ours and chosen for processors: most work happens at 1/8 and 1/4 of the
image's size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError

FACTOR = 8
LATENT_CHANNELS = 4


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the second starts at zero, so depth costs nothing at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


def _upsample(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out * 4, 3, padding=1), nn.PixelShuffle(2))


class MiniAutoencoder(nn.Module):
    """Images in [-1, 1] to latents of unit variance and back.

    Latents are normalised per channel by statistics stored with the weights (`latent_mean`, `latent_std`),
    so the sampler needs no scaling factor for this model.
    """

    def __init__(
        self,
        encoder_width: int = 128,
        encoder_blocks: int = 4,
        decoder_widths: tuple[int, int, int] = (128, 64, 32),
        decoder_blocks: tuple[int, int, int] = (4, 2, 2),
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "encoder_width": encoder_width,
            "encoder_blocks": encoder_blocks,
            "decoder_widths": list(decoder_widths),
            "decoder_blocks": list(decoder_blocks),
        }
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(FACTOR),
            nn.Conv2d(3 * FACTOR**2, encoder_width, 3, padding=1),
            *[ResidualBlock(encoder_width) for _ in range(encoder_blocks)],
            nn.SiLU(),
            nn.Conv2d(encoder_width, LATENT_CHANNELS, 3, padding=1),
        )
        low, mid, high = decoder_widths
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, low, 3, padding=1),
            *[ResidualBlock(low) for _ in range(decoder_blocks[0])],
            _upsample(low, mid),
            *[ResidualBlock(mid) for _ in range(decoder_blocks[1])],
            _upsample(mid, high),
            *[ResidualBlock(high) for _ in range(decoder_blocks[2])],
            nn.SiLU(),
            _upsample(high, 3),
        )
        self.register_buffer("latent_mean", torch.zeros(1, LATENT_CHANNELS, 1, 1))
        self.register_buffer("latent_std", torch.ones(1, LATENT_CHANNELS, 1, 1))
        self.latent_mean: Tensor
        self.latent_std: Tensor

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> MiniAutoencoder:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        return cls(**values)

    def encode(self, pictures: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1], H and W multiples of 8, to latents [B, 4, H/8, W/8].

        Raises:
            InputError: the image's size is not a multiple of 8.
        """
        height, width = pictures.shape[-2:]
        if height % FACTOR or width % FACTOR:
            raise InputError(
                f"The VAE takes images whose sides are multiples of {FACTOR}, not {width} x {height}: resize "
                "or pad them first."
            )
        return (self.encoder(pictures) - self.latent_mean) / self.latent_std

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, 4, h, w] to images [B, 3, 8h, 8w], not clamped (training needs the gradient)."""
        return self.decoder(latents * self.latent_std + self.latent_mean)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.decode(self.encode(pictures))
