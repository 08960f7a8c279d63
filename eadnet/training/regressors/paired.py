"""The instrument that knows whom it reads: a face beside the calm portrait of the same person.

How far a lid has come down can only be told by someone who knows how wide the eye is at rest: an instrument
that sees one picture reads a third of it. And in clips lids narrow where brows come down, so a reader taught
by clips alone takes the one for the other; in stills every parameter goes its own way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .autoencoder import to_model_range
from .dataset import MOMENTS_PER_STILL_PERSON, ClipSet, StillSet
from .instrument import NAMES, Regressor, roughened, true_values
from .run import Run

Draw = Callable[[int, torch.Generator], tuple[np.ndarray, Tensor]]
"""Random pictures with portraits behind, uint8 [count, S, S, 6], and their truth [count, len(NAMES)]."""


class Comparer(Regressor):
    """Reads facial parameters and the mouth's opening, `NAMES`, off a face and its calm portrait."""

    def __init__(self) -> None:
        super().__init__(len(NAMES), channels=6)

    def read(self, pictures: Tensor, portrait: Tensor) -> dict[str, Tensor]:
        """Readings in the parameters' own units, by name, each [B].

        Args:
            pictures: [B, 3, 128, 128] in [-1, 1].
            portrait: [3, 128, 128] of the same person, calm.
        """
        values = self.values(torch.cat([pictures, portrait.expand_as(pictures)], 1))
        return dict(zip(NAMES, values.T, strict=True))


def train_comparer(
    clips: ClipSet,
    stills: StillSet,
    folder: Path,
    minutes: float = 0.0,
    steps: int | None = None,
    batch: int = 48,
) -> Comparer:
    """Train within the budget of minutes, or of steps if given, resuming `folder`.

    Half of every batch are stills.
    """
    torch.manual_seed(2)
    model = Comparer()
    model.standardise(true_values(clips))
    draws = (_draw_frames(clips), _draw_stills(stills))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    run = Run(folder, model, optimizer, minutes=minutes, steps=steps)
    for step in run.steps():
        drawn = [draw(batch // 2, run.generator) for draw in draws]
        pictures, portraits = to_model_range(np.concatenate([shown for shown, _ in drawn])).split(3, 1)
        wanted = (torch.cat([values for _, values in drawn]) - model.mean) / model.std
        read = model(torch.cat([roughened(pictures, run.generator), portraits], 1))
        loss = F.smooth_l1_loss(read, wanted)
        run.descend(loss)
        if step % 100 == 0:
            run.log.write({"step": step, "loss": float(loss.detach())})
    model.load_state_dict(run.average.weights)
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
