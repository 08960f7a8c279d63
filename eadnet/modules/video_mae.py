"""A small VideoMAE (Tong et al. 2022, arXiv 2203.12602): the frozen video encoder behind TREPA.

Through transformers' classes: nine tenths of a clip's cubes are hidden and painted again from the rest.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FRAMES, SIDE, PATCH, TUBE = 16, 64, 8, 2
CUBES = (FRAMES // TUBE) * (SIDE // PATCH) ** 2
HIDDEN_SHARE = 0.9


class VideoEncoder(nn.Module):
    """The encoder and, for its training, the decoder. Pictures are [B, 16, 3, H, W] in [-1, 1]."""

    def __init__(self, width: int = 96, layers: int = 4) -> None:
        super().__init__()
        from transformers import VideoMAEConfig, VideoMAEForPreTraining

        config = VideoMAEConfig(
            image_size=SIDE,
            patch_size=PATCH,
            num_channels=3,
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

    def features(self, pictures: Tensor) -> Tensor:
        """Unit features of every cube, [B, CUBES, width]."""
        return F.normalize(self.model.videomae(self._scaled(pictures)).last_hidden_state, dim=-1)

    def loss(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Error of the painted cubes. The same places are hidden in all pairs of frames (tube masking)."""
        places = (SIDE // PATCH) ** 2
        order = torch.rand(len(pictures), places, generator=generator).argsort(1)
        hidden = (order < round(HIDDEN_SHARE * places)).repeat(1, FRAMES // TUBE)
        return self.model(self._scaled(pictures), bool_masked_pos=hidden.to(pictures.device)).loss

    def _scaled(self, pictures: Tensor) -> Tensor:
        flat = pictures.flatten(0, 1)
        if flat.shape[-1] != SIDE:
            flat = F.interpolate(flat, (SIDE, SIDE), mode="bilinear", antialias=True)
        return flat.unflatten(0, pictures.shape[:2])
