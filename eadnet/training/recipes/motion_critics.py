"""The networks that supervise the model of motion, trained on its own data: SyncNet, VideoMAE and TFRM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ...modules.tfrm import TFRM
from ..data.motion import MotionSet
from ..losses.motion import Critics, motion_losses
from ..losses.step import Weighted
from ..losses.weights import Weights
from ..tasks.map_critics import train_map_syncnet, train_map_videomae
from ..tasks.motion import MotionTask
from ..tasks.smoother import train_smoother

STEPS = 600
"""Of each network."""


class Targets:
    """A motion set as the smoother's training draws from latents."""

    def __init__(self, task: MotionTask, data: MotionSet) -> None:
        self.task, self.data = task, data

    def draw(self, count: int, window: int, generator: torch.Generator) -> Any:
        return self.task.draw(self.data, count, window, generator)


def train_critics(
    task: MotionTask, data: MotionSet, held_out: MotionSet, folder: Path, steps: int = STEPS
) -> Critics:
    """All three, resuming ``folder``; what was finished there is read."""
    torch.manual_seed(0)
    tfrm = TFRM.from_config(task.preset.tfrm_config)
    targets, unseen = (Targets(task, part) for part in (data, held_out))
    return Critics(
        train_map_syncnet(task, data, held_out, folder / "syncnet", steps),
        train_map_videomae(task, data, folder / "videomae", steps),
        train_smoother(tfrm, targets, unseen, folder / "tfrm", steps=steps).requires_grad_(False),  # type: ignore[arg-type]
    )


def supervision(
    weights: Weights, task: MotionTask, data: MotionSet, held_out: MotionSet, folder: Path
) -> Sequence[Weighted]:
    """The weighed losses, with networks of ``folder``; none is trained where nothing is weighed."""
    if not any((weights.sync, weights.trepa, weights.tfrm)):
        return ()
    critics = train_critics(task, data, held_out, folder)
    return motion_losses(weights, critics, task.codec, task.spoken)
