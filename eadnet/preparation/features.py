"""What the frozen networks of a preset make of a clip, kept beside it: training then needs none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checkpoints import load_checkpoint
from ..errors import InputError
from ..faces.masks import mask_image, masked_picture
from ..presets import find_preset
from .settings import Cache

_TOGETHER = 8  # pictures that are encoded at a time


@dataclass(frozen=True)
class Features:
    """Networks, or None for what is not kept; ``region``: [1, 1, R, R], what the preset generates anew."""

    vae: Any
    whisper: Any
    text: Any
    region: Tensor

    @classmethod
    def load(cls, cache: Cache, device: str = "cpu") -> Features:
        """Raises CheckpointError for files that are missing or others."""
        preset = find_preset(cache.preset)
        vae = whisper = text = None
        if cache.vae is not None:
            from ..modules.vae import SDAutoencoder

            vae = SDAutoencoder.from_file(cache.vae).eval().to(device)
        if cache.whisper is not None:
            whisper = load_checkpoint(cache.whisper, only={"audio_encoder"}).component("audio_encoder")
            whisper = whisper.eval().to(device)
        if cache.text is not None:
            from ..modules.clip_text import CLIPTextEncoder

            text = CLIPTextEncoder.from_files(cache.text).to(device)
        return cls(vae, whisper, text, mask_image(preset.mask_region, preset.resolution))

    @torch.no_grad()
    def __call__(self, crops: np.ndarray, sound: Tensor, caption: str) -> dict[str, Tensor]:
        """Of crops uint8 [T, R, R, 3], their sound [S] and caption, as far as there are networks:

        latents, masked_latents [T, 4, h, w] float16, scaled; whisper [rows, layers, width] float16, 50 rows a
        second; tokens [L, D] float16.
        """
        made: dict[str, Tensor] = {}
        if self.vae is not None:
            pairs = list(self._latents(crops))
            made["latents"] = torch.cat([whole for whole, _ in pairs])
            made["masked_latents"] = torch.cat([masked for _, masked in pairs])
        if self.whisper is not None:
            made["whisper"] = self.whisper.all_rows(sound).half().cpu()
        if self.text is not None:
            made["tokens"] = self.text.encode([caption])[0].half().cpu()
        return made

    def _latents(self, crops: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        weight = next(self.vae.parameters())
        for start in range(0, len(crops), _TOGETHER):
            pictures = torch.from_numpy(crops[start : start + _TOGETHER]).movedim(-1, 1) / 127.5 - 1
            both = torch.cat([pictures, masked_picture(pictures, self.region)])
            latents = self.vae.encode(both.to(weight)).half().cpu()
            whole, masked = latents.chunk(2)
            yield whole, masked


def check_cache(cache: Cache, resolution: int) -> None:
    """Raise InputError unless the features are those of crops of this size."""
    preset = find_preset(cache.preset)
    if preset.framing != "latentsync" or preset.resolution != resolution:
        raise InputError(
            f"The preset {preset.name} sees other crops ({preset.framing}, {preset.resolution} pixels) than "
            f"this set holds (latentsync, {resolution}): choose another --resolution or --features."
        )
    if cache.vae is None and cache.whisper is None and cache.text is None:
        raise InputError("--features needs at least one of --vae, --whisper and --text-encoder: name a file.")
