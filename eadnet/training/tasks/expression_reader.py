"""The task of the expression reader: from slightly disturbed latents to facial parameters."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...modules.expression_reader import ExpressionReader
from ..trainer import Trainer

_NOISE = 0.12  # of latents with a spread of 1; what a few sampling steps leave is about as far from a render


def train_expression_reader(
    reader: ExpressionReader, latents: Tensor, params: Tensor, folder: Path, steps: int, batch: int = 128
) -> None:
    """Train ``reader`` in place on latents [N, 4, h, w] and parameters [N, names]; resumes ``folder``."""
    reader.mean.copy_(params.mean(0))
    reader.std.copy_(params.std(0).clamp_min(0.02))
    targets = (params - reader.mean) / reader.std
    optimizer = torch.optim.AdamW(reader.parameters(), 1.5e-3, weight_decay=1e-2)
    trainer = Trainer(folder, reader, optimizer, minutes=0.0, steps=steps)
    for step in trainer.steps():
        rows = torch.randint(len(latents), (batch,), generator=trainer.generator)
        strength = _NOISE * torch.rand(batch, 1, 1, 1, generator=trainer.generator)
        clean = latents[rows]
        seen = clean + strength * torch.randn(clean.shape, generator=trainer.generator)
        loss = F.smooth_l1_loss(reader(seen), targets[rows])
        trainer.optimize(loss)
        if step % 200 == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    reader.load_state_dict(trainer.average.weights)
    reader.eval()
