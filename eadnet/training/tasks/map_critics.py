"""Train what supervises the model of motion: a SyncNet on maps, and a VideoMAE on maps.

Both see performances of the training set as they are, without noise.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ...modules.map_syncnet import MapSyncNet
from ...modules.video_mae import FRAMES, MAPS, VideoEncoder
from ..data.motion import MotionSet
from ..losses.motion import own_among_all
from ..trainer import Trainer
from .motion import MotionTask

_TAKES = 12  # in a step
_LOGGED_EVERY = 50


def train_map_syncnet(
    task: MotionTask, data: MotionSet, held_out: MotionSet, folder: Path, steps: int
) -> MapSyncNet:
    """Train for so many steps, resuming `folder`; returns it frozen.

    The log says how often a held-out mouth is nearest to its own sound of all of its batch, `found`.
    """
    torch.manual_seed(3)
    check = torch.Generator().manual_seed(12)
    unseen = task.draw(held_out, _TAKES, FRAMES, check)
    heard = task.heard(held_out, unseen)
    model = MapSyncNet(int(task.spoken.sum()), *heard.shape[-2:])
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.01)
    trainer = Trainer(folder, model, optimizer, minutes=0.0, steps=steps, decay=0.99)

    def mouths(maps: torch.Tensor) -> torch.Tensor:
        return task.codec.standardised(maps)[..., task.spoken]

    for step in trainer.steps():
        batch = task.draw(data, _TAKES, FRAMES, trainer.generator)
        loss = own_among_all(*model.train()(mouths(batch.target), task.heard(data, batch)))
        trainer.optimize(loss)
        if step % _LOGGED_EVERY == 0:
            with torch.no_grad():
                ours, theirs = model.eval()(mouths(unseen.target), heard)
            best = (ours.flatten(0, 1) @ theirs.flatten(0, 1).T).argmax(1)
            found = (best == torch.arange(len(best))).float().mean()
            trainer.write({"step": step, "loss": float(loss.detach()), "found": float(found)})
    model.load_state_dict(trainer.average.weights)
    return model.eval().requires_grad_(False)


def train_map_videomae(task: MotionTask, data: MotionSet, folder: Path, steps: int) -> VideoEncoder:
    """Train for so many steps, resuming `folder`; returns it frozen."""
    torch.manual_seed(4)
    model = VideoEncoder(width=64, layers=3, cubes=MAPS)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    trainer = Trainer(folder, model, optimizer, minutes=0.0, steps=steps, decay=0.99)
    for step in trainer.steps():
        maps = task.draw(data, _TAKES, FRAMES, trainer.generator).target
        loss = model.loss(maps, trainer.generator)
        trainer.optimize(loss)
        if step % _LOGGED_EVERY == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(trainer.average.weights)
    return model.eval().requires_grad_(False)
