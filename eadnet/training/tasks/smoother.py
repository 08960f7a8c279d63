"""Train TFRM: clean latents from latents whose frames each carry their own small error, as sampled ones."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ...modules.tfrm import TFRM
from ..data.latents import LatentSet
from ..trainer import Trainer

LARGEST_ERROR = 0.35  # of the latents' unit standard deviation


def disturbed(latents: Tensor, generator: torch.Generator) -> Tensor:
    """Latents [B, T, 4, h, w] with an error partly smooth in space, independent in time."""
    fine = torch.randn(latents.shape, generator=generator)
    coarse = F.avg_pool2d(fine.flatten(0, 1), 3, 1, 1).view_as(fine) * 3
    strength = LARGEST_ERROR * torch.rand(len(latents), 1, 1, 1, 1, generator=generator)
    share = torch.rand(len(latents), 1, 1, 1, 1, generator=generator)
    return latents + strength * (share.sqrt() * fine + (1 - share).sqrt() * coarse)


def restoration(model: TFRM, clean: Tensor, broken: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error of the frames, and of the changes between frames (flicker)."""
    restored = model(broken.transpose(1, 2))[0].transpose(1, 2)
    return F.mse_loss(restored, clean), F.mse_loss(restored.diff(dim=1), clean.diff(dim=1))


def train_smoother(
    model: TFRM,
    data: LatentSet,
    held_out: LatentSet,
    folder: Path,
    *,
    minutes: float = 0.0,
    steps: int | None = None,
    batch: int = 6,
    sampled: tuple[Tensor, Tensor] | None = None,
    sampled_share: float = 0.5,
) -> TFRM:
    """Train within the budget, resuming `folder`; logs the error beside that of leaving the clip alone.

    `sampled` are pairs (clean, the U-Net's own samples) [N, T, 4, h, w] that stand in for artificial
    errors in `sampled_share` of the steps.
    """
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=1e-3)
    trainer = Trainer(folder, model, optimizer, minutes=minutes, steps=steps)
    check = torch.Generator().manual_seed(11)
    clean = held_out.draw(24, 16, check).target
    broken = disturbed(clean, check)
    untouched = {"flicker_untouched": float(F.mse_loss(broken.diff(dim=1), clean.diff(dim=1)))}
    untouched["error_untouched"] = float(F.mse_loss(broken, clean))
    for step in trainer.steps():
        if sampled and float(torch.rand((), generator=trainer.generator)) < sampled_share:
            rows = torch.randint(len(sampled[0]), (batch,), generator=trainer.generator)
            target, given = sampled[0][rows], sampled[1][rows]
        else:
            target = data.draw(batch, 16, trainer.generator).target
            given = disturbed(target, trainer.generator)
        error, flicker = restoration(model, target, given)
        trainer.optimize(error + flicker)
        if step % 100 == 0:
            with torch.no_grad():
                e, f = restoration(model, clean, broken)
            trainer.write({"step": step, "error": float(e), "flicker": float(f), **untouched})
    model.load_state_dict(trainer.average.weights)
    return model.eval()
