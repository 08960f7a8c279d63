"""A second regressor, for what does not move: who the person is, and where the 68 landmarks are.

Like the first it learns from true renders, degraded, and its own error is published.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from eadnet.dataset_format import SETTINGS
from eadnet.modules.parameter_regressors import PictureRegressor
from eadnet.synthetic.datasets import seeds_of
from eadnet.synthetic.geometry import Geometry, Pose
from eadnet.synthetic.identity import Identity
from eadnet.synthetic.renderer import landmarks_of
from eadnet.synthetic.studio import person
from eadnet.training.data.clips import ClipSet, labels_of
from eadnet.training.data.images import to_model_range
from eadnet.training.regressors.pictures import degraded
from eadnet.training.trainer import Trainer

_COLOURS = ("skin_color", "iris_color", "brow_color", "lip_color")
_NUMBERS = (
    "blush",
    "head_width",
    "jaw_width",
    "chin_length",
    "eye_size",
    "eye_roundness",
    "eye_spacing",
    "eye_tilt",
    "brow_thickness",
    "brow_arch",
    "nose_width",
    "nose_length",
    "lip_thickness",
    "mouth_width",
    "freckles",
    "age",
    "makeup",
)
FACTORS = (
    *_NUMBERS,
    *(f"{name}_{channel}" for name in _COLOURS for channel in ("red", "green", "blue")),
    "glasses",
    "beard",
)
"""The numbers of `Identity` that show within the face."""

POINTS = 68
MOMENTS = 4  # of each training clip


def factors(identity: Identity) -> np.ndarray:
    """A person as numbers, float32 [len(FACTORS)]."""
    values = dataclasses.asdict(identity)
    numbers = [values[name] for name in _NUMBERS]
    colours = [part for name in _COLOURS for part in values[name]]
    worn = [float(identity.glasses != "none"), float(identity.beard != "none")]
    return np.array([*numbers, *colours, *worn], np.float32)


def landmarks(identity: Identity, params: np.ndarray, size: int) -> np.ndarray:
    """The true landmarks of facial parameters [T, P], float32 [T, 68, 2] in pixels."""
    geometry = Geometry(identity)
    return np.stack([landmarks_of(geometry, Pose(geometry, moment), size) for moment in params])


def people(clips: ClipSet, split: str) -> list[Identity]:
    """Who is in each row of a data set that was rendered from `split`."""
    notes = clips.folder / SETTINGS
    settings = {"split": split, "first_seed": 0, "clips": len(clips)}
    if notes.exists():
        settings |= json.loads(notes.read_text())
    return [person(seed, split) for seed in seeds_of(settings)[: len(clips)]]


class IdentityRegressor(PictureRegressor):
    """Reads landmarks and identity."""

    def __init__(self) -> None:
        super().__init__(2 * POINTS + len(FACTORS))

    def read(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures [T, 3, 128, 128] in [-1, 1] -> landmarks [T, 68, 2] in pixels, factors [T, F]."""
        values = self.values(pictures)
        return values[:, : 2 * POINTS].unflatten(1, (POINTS, 2)), values[:, 2 * POINTS :]


def identity_error(read: Tensor, truth: Tensor, spread: Tensor) -> float:
    """How far the mean of factors read [T, F] is from the truth [F], in spreads of the population."""
    return float(((read.mean(0) - truth) / spread).abs().mean())


def _examples(clips: ClipSet, identities: Sequence[Identity], moments: Sequence[int]) -> Tensor:
    """What is true in the chosen moments of every clip, [N, moments, outputs]."""
    size = clips.frames.shape[2]
    rows = []
    for row, identity in enumerate(identities):
        points = landmarks(identity, labels_of(clips).params[row][list(moments)], size).reshape(
            len(moments), -1
        )
        rows.append(np.concatenate([points, np.tile(factors(identity), (len(moments), 1))], 1))
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def train_identity_regressor(
    clips: ClipSet, split: str, folder: Path, steps: int, batch: int = 48
) -> IdentityRegressor:
    """Train for so many steps on a data set rendered from `split`, resuming `folder`."""
    torch.manual_seed(3)
    model = IdentityRegressor()
    moments = np.linspace(0, clips.frames.shape[1] - 1, MOMENTS).round().astype(int).tolist()
    truth = _examples(clips, people(clips, split), moments)
    model.standardise(truth, least=1e-3)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    trainer = Trainer(folder, model, optimizer, minutes=0, steps=steps)
    for step in trainer.steps():
        rows = torch.randint(len(clips), (batch,), generator=trainer.generator)
        which = torch.randint(len(moments), (batch,), generator=trainer.generator)
        pictures = to_model_range(
            np.stack(
                [clips.frames[r, moments[m]] for r, m in zip(rows.tolist(), which.tolist(), strict=True)]
            )
        )
        wanted = (truth[rows, which] - model.mean) / model.std
        error = F.smooth_l1_loss(model(degraded(pictures, trainer.generator)), wanted, reduction="none")
        # Landmarks and identity weigh the same, however many numbers they have.
        loss = error[:, : 2 * POINTS].mean() + error[:, 2 * POINTS :].mean()
        trainer.optimize(loss)
        if step % 100 == 0:
            trainer.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(trainer.average.weights)
    return model.eval()
