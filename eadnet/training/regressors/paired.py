"""Train the paired regressor: a face beside the calm portrait of the same person, to facial parameters.

A regressor that sees one picture finds a third of how far a lid has come down, since it has not seen the eye
at rest. And in clips lids narrow where brows come down, so a regressor trained on clips alone takes the one
for the other; in stills every parameter goes its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...dataset_format import MOMENTS_PER_STILL_PERSON
from ...modules.parameter_regressors import PairedParameterRegressor
from ..data.clips import ClipSet, StillSet, labels_of
from ..data.images import to_model_range
from ..trainer import Trainer
from .pictures import degraded, true_values

Draw = Callable[[int, torch.Generator], tuple[np.ndarray, Tensor]]
"""Random pictures with portraits behind, uint8 [count, S, S, 6], and their truth [count, outputs]."""


def train_paired_parameter_regressor(
    clips: ClipSet,
    stills: StillSet,
    folder: Path,
    minutes: float = 0.0,
    steps: int | None = None,
    batch: int = 48,
) -> PairedParameterRegressor:
    """Train within the budget of minutes, or of steps if given, resuming `folder`.

    Half of every batch are stills.
    """
    torch.manual_seed(2)
    model = PairedParameterRegressor(labels_of(clips).layout.regressed)
    model.standardise(true_values(clips))
    draws = (_draw_frames(clips), _draw_stills(stills))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    trainer = Trainer(folder, model, optimizer, minutes=minutes, steps=steps)
    for step in trainer.steps():
        drawn = [draw(batch // 2, trainer.generator) for draw in draws]
        pictures, portraits = to_model_range(np.concatenate([shown for shown, _ in drawn])).split(3, 1)
        wanted = (torch.cat([values for _, values in drawn]) - model.mean) / model.std
        read = model(torch.cat([degraded(pictures, trainer.generator), portraits], 1))
        loss = F.smooth_l1_loss(read, wanted)
        trainer.optimize(loss)
        if step % 100 == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(trainer.average.weights)
    return model.eval()


def _draw_frames(clips: ClipSet) -> Draw:
    truth = true_values(clips)

    def draw(count: int, generator: torch.Generator) -> tuple[np.ndarray, Tensor]:
        rows = torch.randint(len(clips), (count,), generator=generator)
        frames = torch.randint(truth.shape[1], (count,), generator=generator)
        shown = [
            np.concatenate([clips.frames[r, f], clips.references[r, 0]], -1)
            for r, f in zip(rows.tolist(), frames.tolist(), strict=True)
        ]
        return np.stack(shown), truth[rows, frames]

    return draw


def _draw_stills(stills: StillSet) -> Draw:
    truth = true_values(stills)

    def draw(count: int, generator: torch.Generator) -> tuple[np.ndarray, Tensor]:
        rows = torch.randint(len(stills), (count,), generator=generator)
        shown = [
            np.concatenate([stills.stills[r], stills.calm[r // MOMENTS_PER_STILL_PERSON]], -1)
            for r in rows.tolist()
        ]
        return np.stack(shown), truth[rows]

    return draw
