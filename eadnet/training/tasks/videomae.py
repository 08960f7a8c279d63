"""A small VideoMAE (Tong et al. 2022, arXiv 2203.12602), taught on clips of the synthetic world for TREPA.

Through transformers' classes: nine tenths of a clip's cubes are hidden and painted again from the rest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .autoencoder import to_model_range
from .block import Block
from .dataset import ClipSet
from .run import Run

FRAMES, SIDE, PATCH, TUBE = 16, 64, 8, 2
CUBES = (FRAMES // TUBE) * (SIDE // PATCH) ** 2
HIDDEN_SHARE = 0.9


class VideoEncoder(nn.Module):
    """The encoder and, while it is taught, the decoder. Pictures are [B, 16, 3, H, W] in [-1, 1]."""

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


def draw_faces(clips: ClipSet, block: Block, count: int, generator: torch.Generator) -> Tensor:
    """`count` windows of the face's block, [count, 16, 3, 8 side, 8 side] in [-1, 1]."""
    rows = torch.randint(len(clips), (count,), generator=generator).tolist()
    starts = torch.randint(clips.frames.shape[1] - FRAMES + 1, (count,), generator=generator).tolist()
    y, x, side = 8 * block.top, 8 * block.left, 8 * block.side
    faces = [
        clips.frames[r, s : s + FRAMES, y : y + side, x : x + side] for r, s in zip(rows, starts, strict=True)
    ]
    return to_model_range(np.stack(faces))


def train_videomae(
    clips: ClipSet,
    block: Block,
    folder: Path,
    *,
    minutes: float = 0.0,
    steps: int | None = None,
    batch: int = 8,
) -> VideoEncoder:
    """Teach it within the budget, resuming `folder`; returns it frozen."""
    torch.manual_seed(4)
    model = VideoEncoder()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    run = Run(folder, model, optimizer, minutes=minutes, steps=steps)
    for step in run.steps():
        loss = model.loss(draw_faces(clips, block, batch, run.generator), run.generator)
        run.descend(loss)
        if step % 50 == 0:
            run.log.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(run.average.weights)
    return model.eval().requires_grad_(False)
