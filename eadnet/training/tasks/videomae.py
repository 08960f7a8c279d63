"""Train VideoMAE on a data set's own clips: the frozen video encoder behind TREPA."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...modules.autoencoder import FACTOR
from ...modules.video_mae import FRAMES, VideoEncoder
from ..data.clips import ClipSet
from ..data.images import to_model_range
from ..data.latent_crop import LatentCrop
from ..trainer import Trainer


def draw_faces(clips: ClipSet, crop: LatentCrop, count: int, generator: torch.Generator) -> Tensor:
    """`count` windows of the face, [count, 16, 3, 8 side, 8 side] in [-1, 1]."""
    rows = torch.randint(len(clips), (count,), generator=generator).tolist()
    starts = torch.randint(clips.frames.shape[1] - FRAMES + 1, (count,), generator=generator).tolist()
    y, x, side = (FACTOR * number for number in (crop.top, crop.left, crop.side))
    faces = [
        clips.frames[r, s : s + FRAMES, y : y + side, x : x + side] for r, s in zip(rows, starts, strict=True)
    ]
    return to_model_range(np.stack(faces))


def train_videomae(
    clips: ClipSet,
    crop: LatentCrop,
    folder: Path,
    *,
    minutes: float = 0.0,
    steps: int | None = None,
    batch: int = 8,
) -> VideoEncoder:
    """Train within the budget of minutes, or of steps if given, resuming `folder`; returns it frozen."""
    torch.manual_seed(4)
    model = VideoEncoder()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    trainer = Trainer(folder, model, optimizer, minutes=minutes, steps=steps)
    for step in trainer.steps():
        loss = model.loss(draw_faces(clips, crop, batch, trainer.generator), trainer.generator)
        trainer.optimize(loss)
        if step % 50 == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(trainer.average.weights)
    return model.eval().requires_grad_(False)
