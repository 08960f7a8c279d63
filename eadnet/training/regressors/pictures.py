"""Train the parameter regressor: from single pictures to facial parameters and mouth opening.

It learns from true pictures, slightly blurred and noisy, so that it reads generated frames fairly, and it is
independent of the latent regressor that supervises the U-Net. Its own error is published beside what it
says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...modules.parameter_regressors import ParameterRegressor
from ..data.clips import ClipSet, StillSet, labels_of
from ..data.images import to_model_range
from ..trainer import Trainer


def true_values(shown: ClipSet | StillSet) -> Tensor:
    """The truth for every frame [N, T, outputs] or still [N, outputs], in the order of `layout.regressed`.

    Raises InputError where the data set has no facial parameters.
    """
    params, openings, layout = labels_of(shown)
    return torch.from_numpy(np.concatenate([params[..., layout.columns], openings[..., None]], -1))


def degraded(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Random blur and noise per batch, as a VAE and a sampler leave them."""
    strength = float(torch.rand((), generator=generator))
    blurred = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    pictures = torch.lerp(pictures, blurred, strength)
    return pictures + 0.06 * strength * torch.randn(pictures.shape, generator=generator)


def train_parameter_regressor(
    clips: ClipSet, folder: Path, minutes: float = 0.0, batch: int = 48, steps: int | None = None
) -> ParameterRegressor:
    """Train within the budget of minutes, or of steps if given, resuming `folder`."""
    torch.manual_seed(2)
    model = ParameterRegressor(labels_of(clips).layout.regressed)
    truth = true_values(clips)
    model.standardise(truth)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    trainer = Trainer(folder, model, optimizer, minutes=minutes, steps=steps)
    for step in trainer.steps():
        rows = torch.randint(len(clips), (batch,), generator=trainer.generator)
        frames = torch.randint(truth.shape[1], (batch,), generator=trainer.generator)
        pictures = to_model_range(
            np.stack([clips.frames[r, f] for r, f in zip(rows.tolist(), frames.tolist(), strict=True)])
        )
        wanted = (truth[rows, frames] - model.mean) / model.std
        loss = F.smooth_l1_loss(model(degraded(pictures, trainer.generator)), wanted)
        trainer.optimize(loss)
        if step % 100 == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(trainer.average.weights)
    return model.eval()


def explained_variance(model: ParameterRegressor, clips: ClipSet) -> dict[str, float]:
    """R² by name on true pictures: how far a score on that parameter can be trusted."""
    # Clip by clip: all frames at once would fill the memory.
    read = torch.cat([model.values(to_model_range(clip)) for clip in clips.frames])
    return r_squared(read, true_values(clips).flatten(0, 1), model.names)


def r_squared(read: Tensor, truth: Tensor, names: tuple[str, ...]) -> dict[str, float]:
    """R² by name of predictions [N, len(names)]; NaN where the truth does not change."""
    spread = truth.var(0)
    left = (read - truth).square().mean(0) / spread
    found = torch.where(spread > 1e-6, 1 - left, torch.nan)
    return dict(zip(names, found.tolist(), strict=True))
