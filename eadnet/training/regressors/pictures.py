"""The instrument: a regressor from pixels to facial parameters and mouth opening, its own error published.

It is trained on true renders, slightly blurred and noisy, so that it reads generated frames fairly, and it is
independent of the latent probe that supervises the denoiser.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..synthetic.expression import PARAMETERS
from .autoencoder import to_model_range
from .dataset import ClipSet, StillSet
from .run import Run

READ = tuple(i for i, name in enumerate(PARAMETERS) if not name.startswith("head_"))
NAMES = (*(PARAMETERS[i] for i in READ), "mouth_opening")


class Regressor(nn.Module):
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
        """Take mean and spread, at least `least`, from what is true [..., outputs]."""
        values = truth.flatten(0, -2)
        self.mean.copy_(values.mean(0))
        self.std.copy_(values.std(0).clamp_min(least))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers(pictures)

    @torch.no_grad()
    def values(self, pictures: Tensor) -> Tensor:
        """What it reads, in the numbers' own units, [B, outputs]."""
        return torch.cat([self(part) for part in pictures.split(64)]) * self.std + self.mean


class Instrument(Regressor):
    """Reads facial parameters and the mouth's opening, `NAMES`."""

    def __init__(self) -> None:
        super().__init__(len(NAMES))

    def read(self, pictures: Tensor) -> dict[str, Tensor]:
        """Readings in the parameters' own units, by name, each [B]."""
        return dict(zip(NAMES, self.values(pictures).T, strict=True))


def true_values(shown: ClipSet | StillSet) -> Tensor:
    """The truth for every frame [N, T, len(NAMES)] or still [N, len(NAMES)]."""
    return torch.from_numpy(np.concatenate([shown.params[..., READ], shown.openings[..., None]], -1))


def roughened(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Random blur and noise per batch, as an autoencoder and a sampler leave them."""
    strength = float(torch.rand((), generator=generator))
    blurred = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    pictures = torch.lerp(pictures, blurred, strength)
    return pictures + 0.06 * strength * torch.randn(pictures.shape, generator=generator)


def train_instrument(
    clips: ClipSet, folder: Path, minutes: float = 0.0, batch: int = 48, steps: int | None = None
) -> Instrument:
    """Train within the budget of minutes, or of steps if given, resuming `folder`."""
    torch.manual_seed(2)
    model = Instrument()
    truth = true_values(clips)
    model.standardise(truth)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    run = Run(folder, model, optimizer, minutes=minutes, steps=steps)
    for step in run.steps():
        rows = torch.randint(len(clips), (batch,), generator=run.generator)
        frames = torch.randint(truth.shape[1], (batch,), generator=run.generator)
        pictures = to_model_range(
            np.stack([clips.frames[r, f] for r, f in zip(rows.tolist(), frames.tolist(), strict=True)])
        )
        wanted = (truth[rows, frames] - model.mean) / model.std
        loss = F.smooth_l1_loss(model(roughened(pictures, run.generator)), wanted)
        run.descend(loss)
        if step % 100 == 0:
            run.log.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(run.average.weights)
    return model.eval()


def explained_variance(model: Instrument, clips: ClipSet) -> dict[str, float]:
    """R² per reading on true renders: how far a score on that reading can be trusted."""
    # Clip by clip: all frames at once would fill the memory.
    read = torch.cat([model.values(to_model_range(clip)) for clip in clips.frames])
    return r_squared(read, true_values(clips).flatten(0, 1))


def r_squared(read: Tensor, truth: Tensor) -> dict[str, float]:
    """R² by name of readings [N, len(NAMES)]; NaN where the truth does not change."""
    spread = truth.var(0)
    left = (read - truth).square().mean(0) / spread
    found = torch.where(spread > 1e-6, 1 - left, torch.nan)
    return dict(zip(NAMES, found.tolist(), strict=True))
