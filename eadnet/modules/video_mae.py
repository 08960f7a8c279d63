"""A small VideoMAE (Tong et al. 2022, arXiv 2203.12602): the frozen video encoder behind TREPA.

Through transformers' classes: most of a clip's cubes are hidden and painted again from the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FRAMES, TUBE = 16, 2


@dataclass(frozen=True)
class Cubes:
    """How a clip is cut: `size` of a picture, side of a square `patch`, and the share that training hides."""

    size: tuple[int, int] = (64, 64)
    patch: int = 8
    channels: int = 3
    hidden: float = 0.9

    @property
    def places(self) -> int:
        """Patches of a picture."""
        height, width = self.size
        return (height // self.patch) * (width // self.patch)

    @property
    def count(self) -> int:
        """Cubes of a clip."""
        return FRAMES // TUBE * self.places


PICTURES = Cubes()
MAPS = Cubes(size=(8, 4), patch=2, channels=4, hidden=0.75)
"""Of `motion_codec`: eight patches, which hold a feature of one side of the face each, more or less."""


class VideoEncoder(nn.Module):
    """The encoder and, for its training, the decoder. Clips are [B, 16, C, H, W]: pictures in [-1, 1] of any
    size, or maps.
    """

    def __init__(self, width: int = 96, layers: int = 4, cubes: Cubes = PICTURES) -> None:
        super().__init__()
        from transformers import VideoMAEConfig, VideoMAEForPreTraining

        self.cubes = cubes
        config = VideoMAEConfig(
            image_size=cubes.size,
            patch_size=cubes.patch,
            num_channels=cubes.channels,
            num_frames=FRAMES,
            tubelet_size=TUBE,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=4,
            intermediate_size=2 * width,
            decoder_hidden_size=width // 2,
            decoder_num_hidden_layers=2,
            decoder_num_attention_heads=4,
            decoder_intermediate_size=width,
            norm_pix_loss=True,
        )
        self.model = VideoMAEForPreTraining(config)

    def features(self, clips: Tensor) -> Tensor:
        """Unit features of every cube, [B, N, width]."""
        return F.normalize(self.model.videomae(self._scaled(clips)).last_hidden_state, dim=-1)

    def loss(self, clips: Tensor, generator: torch.Generator) -> Tensor:
        """Error of the painted cubes. The same places are hidden in all pairs of frames (tube masking)."""
        places = self.cubes.places
        order = torch.rand(len(clips), places, generator=generator).argsort(1)
        hidden = (order < round(self.cubes.hidden * places)).repeat(1, FRAMES // TUBE)
        return self.model(self._scaled(clips), bool_masked_pos=hidden.to(clips.device)).loss

    def _scaled(self, clips: Tensor) -> Tensor:
        flat = clips.flatten(0, 1)
        if tuple(flat.shape[-2:]) != self.cubes.size:
            flat = F.interpolate(flat, self.cubes.size, mode="bilinear", antialias=True)
        return flat.unflatten(0, clips.shape[:2])
