"""The reader of faces: what clips always show together, stills teach it to tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from eadnet.synthetic.expression import INDEX, PARAMETERS
from eadnet.training.autoencoder import to_model_range
from eadnet.training.instrument import NAMES, train_instrument, true_values

LID, BROW = "lid_tighten_l", "brow_lower_l"


class Faces:
    """Pictures as bright above as brows are low, and below as lids are narrow: [N, 128, 128, 3], one a clip
    or as stills.
    """

    def __init__(self, seed: int, count: int, together: bool) -> None:
        rng = np.random.default_rng(seed)
        lids = rng.random(count).astype(np.float32)
        brows = lids if together else rng.random(count).astype(np.float32)
        self.stills = np.zeros((count, 128, 128, 3), np.uint8)
        self.stills[:, :64] = (255 * brows).astype(np.uint8)[:, None, None, None]
        self.stills[:, 64:] = (255 * lids).astype(np.uint8)[:, None, None, None]
        self.params = np.zeros((count, len(PARAMETERS)), np.float32)
        self.params[:, INDEX[LID]], self.params[:, INDEX[BROW]] = lids, brows
        self.openings = np.zeros(count, np.float32)

    def __len__(self) -> int:
        return len(self.stills)

    def as_clips(self) -> Any:
        self.frames = self.stills[:, None]
        self.params, self.openings = self.params[:, None], self.openings[:, None]
        return self


def narrowed_lids_alone(folder: Path, stills: Any) -> dict[str, float]:
    """What an instrument says moved when only the lids did, after clips in which brows move with them."""
    model = train_instrument(Faces(0, 48, together=True).as_clips(), folder, batch=8, steps=60, stills=stills)
    shown = Faces(0, 2, together=False).stills
    shown[:, :64], shown[0, 64:], shown[1, 64:] = 0, 40, 200
    reading = model.read(to_model_range(shown))
    return {name: float(reading[name][1] - reading[name][0]) for name in (LID, BROW)}


def test_clips_alone_confound_what_they_show_together(tmp_path: Path) -> None:
    moved = narrowed_lids_alone(tmp_path, None)
    assert abs(moved[BROW]) > 0.5 * abs(moved[LID])


def test_stills_tell_it_apart(tmp_path: Path) -> None:
    moved = narrowed_lids_alone(tmp_path, Faces(1, 96, together=False))
    assert moved[LID] > 0.3
    assert abs(moved[BROW]) < 0.3 * moved[LID]


def test_the_truth_of_clips_and_stills_has_the_readings_names() -> None:
    stills: Any = Faces(2, 3, together=False)
    assert true_values(stills).shape == (3, len(NAMES))
    torch.testing.assert_close(
        true_values(stills)[:, NAMES.index(LID)], torch.from_numpy(stills.params[:, INDEX[LID]])
    )
    assert true_values(stills.as_clips()).shape == (3, 1, len(NAMES))
