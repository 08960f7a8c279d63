"""Train the latent regressor: the frozen network behind the U-Net's expression loss.

It learns from stills as well as clips, since in stills every parameter goes its own way. A regressor that
takes raised cheeks for narrowed lids would pass that on to the U-Net.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from ...errors import InputError
from ...modules.parameter_regressors import LatentParameterRegressor
from ..data.latent_crop import LatentCrop
from ..data.latents import Batch, Faces, LatentSet, LatentStills
from ..trainer import Trainer
from .targets import ParameterTargets

CLIPS, FRAMES = 12, 4  # in a step, and as many stills as frames


def train_latent_parameter_regressor(
    data: LatentSet,
    stills: LatentStills,
    targets: ParameterTargets,
    crop: LatentCrop,
    folder: Path,
    minutes: float = 0.0,
    device: str = "cpu",
    steps: int | None = None,
) -> LatentParameterRegressor:
    """Train on clean and slightly noisy latents within the budget of minutes, or of steps if given.

    It returns frozen, on the CPU. Half of every batch are stills.
    """
    torch.manual_seed(1)
    model = LatentParameterRegressor(len(targets), crop.side).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    trainer = Trainer(folder, model, optimizer, minutes=minutes, steps=steps)
    for step in trainer.steps():
        moving = _of_clips(data.draw(CLIPS, FRAMES, trainer.generator))
        faces = Faces.joined([moving, stills.draw(CLIPS * FRAMES, trainer.generator)])
        target, reference = crop.crop(faces.target), crop.crop(faces.reference)
        noisy = target + torch.rand(len(target), 1, 1, 1) * 0.5 * torch.randn_like(target)
        truth = targets(faces.params, faces.openings)
        loss = F.smooth_l1_loss(model(noisy.to(device), reference.to(device)), truth.to(device))
        trainer.optimize(loss)
        if step % 100 == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(trainer.average.weights)
    return model.eval().requires_grad_(False).cpu()


def _of_clips(batch: Batch) -> Faces:
    """The frames of a batch as faces, each with its clip's reference."""
    if batch.params is None or batch.openings is None:
        raise InputError("The clips have no facial parameters, which the latent regressor learns from.")
    frames = batch.target.shape[1]
    return Faces(
        batch.target.flatten(0, 1),
        batch.reference.repeat_interleave(frames, 0),
        batch.params.flatten(0, 1),
        batch.openings.flatten(),
    )
